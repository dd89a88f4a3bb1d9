//! One member of the bank: an account and its recorder, as a value.
//!
//! What a node decides about money and snapshots is decided here: a member is handed transfers and
//! markers, and returns what is to be sent. The rest of a node is in [`node`](crate::node).

use snapshot::{LocalSnapshot, Markers, SnapshotId};

use crate::Broken;
use crate::account::{Account, Books, Incoming, Outgoing, Overflow, Transfer};
use crate::id::Place;

/// What travels on a channel between two members.
pub type Frame = snapshot::Frame<Transfer>;

/// What a member recorded of one snapshot.
pub type Part = LocalSnapshot<Place, Account, Transfer>;

/// What a member records of snapshots, and has recorded.
pub type Recorder = snapshot::Recorder<Place, Account, Transfer>;

/// An account that takes part in snapshots.
///
/// A plain value like its two halves: two that are equal behave the same for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    account: Account,
    recorder: Recorder,
}

/// A marker that a member received.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the marker may have to be relayed"]
pub struct Marker {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The member has recorded its state just now: the marker must go out on every outgoing
    /// channel before anything else.
    pub relay: Option<Markers>,
}

impl Member {
    /// A member with `deposit` in its account and no channels.
    #[must_use]
    pub fn new(deposit: u64) -> Self {
        Self {
            account: Account::new(deposit),
            recorder: Recorder::new(),
        }
    }

    /// A member as it was.
    #[must_use]
    pub fn restored(account: Account, recorder: Recorder) -> Self {
        Self { account, recorder }
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Its recorder.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Opens the channel to `peer`. The frames that are returned must be the first on it: the
    /// markers of the snapshots this member has recorded.
    #[must_use = "these frames must be the first on the new channel"]
    pub fn open_out(&mut self, peer: Place) -> Vec<Frame> {
        self.account.open_out(peer);
        let owed = self.recorder.open_out(peer);
        owed.into_iter().map(Frame::Marker).collect()
    }

    /// Opens the channel from `peer`.
    pub fn open_in(&mut self, peer: Place) {
        self.account.open_in(peer);
        self.recorder.open_in(peer);
    }

    /// Withdraws `amount`; the frame that is returned is to be sent on the channel `to`. `None` where
    /// the balance is too small: nothing has changed and nothing is to be sent.
    pub fn send(&mut self, to: Outgoing, amount: u64) -> Option<Frame> {
        self.account.send(to, amount).map(Frame::Message)
    }

    /// Any number of withdrawals; what they return is to be sent, in order, on the channel `to`.
    #[inline]
    pub fn sending<R>(&mut self, to: Outgoing, work: impl FnOnce(&mut Books) -> R) -> R {
        self.account.sending(to, work)
    }

    /// Receives frames of the channel `from`, one after the other, up to the first
    /// marker, which is returned; what is behind it is not asked for. The recorder sees a transfer
    /// before the balance changes.
    ///
    /// # Errors
    ///
    /// A frame breaks a rule of the bank or of the algorithm.
    #[inline]
    pub fn receive(
        &mut self,
        from: Incoming,
        frames: impl IntoIterator<Item = Frame>,
    ) -> Result<Option<Marker>, Broken> {
        let peer = self.account.incoming()[from.0].peer;
        let recorder = &mut self.recorder;
        let first_marker = self.account.receiving(from, |books| {
            for frame in frames {
                match frame {
                    Frame::Message(transfer) => {
                        recorder.on_message(peer, &transfer);
                        books.deposit(transfer)?;
                    }
                    Frame::Marker(snapshot) => return Ok::<_, Overflow>(Some(snapshot)),
                }
            }
            Ok(None)
        })?;
        let Some(snapshot) = first_marker else {
            return Ok(None);
        };
        let relay = recorder.on_marker(peer, snapshot, &self.account)?;
        Ok(Some(Marker { snapshot, relay }))
    }

    /// Begins a snapshot as its initiator.
    ///
    /// # Errors
    ///
    /// The snapshot was recorded here already.
    pub fn begin(&mut self, snapshot: SnapshotId) -> Result<Markers, Broken> {
        Ok(self.recorder.begin(snapshot, &self.account)?)
    }

    /// The peers whose marker of `snapshot` has not come; `None` where the state has not been
    /// recorded either.
    #[must_use]
    pub fn waiting_for(&self, snapshot: SnapshotId) -> Option<Vec<Place>> {
        self.recorder
            .waiting_for(snapshot)
            .map(|peers| peers.collect())
    }

    /// Whether the member has recorded its state for a snapshot, be its part handed over or not.
    #[must_use]
    pub fn has_recorded(&self, snapshot: SnapshotId) -> bool {
        self.recorder.has_recorded(snapshot)
    }

    /// A copy of the member's part of a snapshot, once it is complete.
    #[must_use]
    pub fn part(&self, snapshot: SnapshotId) -> Option<Part> {
        self.recorder.part(snapshot)
    }

    /// The member's part of a snapshot, once it is complete; the recorder forgets it.
    pub fn hand_over(&mut self, snapshot: SnapshotId) -> Option<Part> {
        self.recorder.hand_over(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(amount: u64) -> Frame {
        Frame::Message(Transfer(amount))
    }

    #[test]
    fn nothing_behind_a_marker_is_received_with_it() {
        let mut member = Member::new(10);
        member.open_in(Place(1));
        let marker = Frame::Marker(SnapshotId(1));
        let mut frames = [transfer(5), marker, transfer(7)].into_iter();

        let received = member.receive(Incoming(0), frames.by_ref()).unwrap();
        let relay = received.and_then(|marker| marker.relay);
        assert_eq!(relay.map(|markers| markers.id()), Some(SnapshotId(1)));
        assert_eq!(frames.len(), 1);

        assert_eq!(member.receive(Incoming(0), frames).unwrap(), None);
        assert_eq!(member.account().balance(), 22);
        let part = member.hand_over(SnapshotId(1)).unwrap();
        assert_eq!(part.state.balance(), 15, "the cut is at the marker");
        assert_eq!(part.state.incoming()[0].tally.count, 1);
    }

    #[test]
    fn of_several_transfers_those_before_a_refused_one_count() {
        let mut member = Member::new(u64::MAX - 3);
        member.open_in(Place(1));
        let frames = [transfer(1), transfer(1), transfer(2), transfer(1)];
        assert!(member.receive(Incoming(0), frames).is_err());
        assert_eq!(member.account().balance(), u64::MAX - 1);
        assert_eq!(member.account().incoming()[0].tally.count, 2);
    }
}
