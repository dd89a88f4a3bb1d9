//! One member of the bank: an account and its recorder, as a value.
//!
//! Everything that a node decides is decided here, and nothing here knows that there are pipes:
//! a member is handed inputs and returns what is to be sent. The same code runs in the node
//! process, in simulations and in tests.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use snapshot::{LocalSnapshot, Markers, Recorder, SnapshotId};

use crate::account::{Account, AccountError, Books, Slot, Transfer};
use crate::id::NodeId;

/// What travels on a channel between two members.
pub type Frame = snapshot::Frame<Transfer>;

/// What a member recorded of one snapshot.
pub type Part = LocalSnapshot<NodeId, Account, Transfer>;

/// An account that takes part in snapshots.
///
/// A plain value like its two halves: two that are equal behave the same for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    account: Account,
    recorder: Recorder<NodeId, Account, Transfer>,
    slots: HashMap<NodeId, Slot>,
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

/// A rule of the bank or of the algorithm was broken; never by a user's command.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The account refused a deposit.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The recorder refused a marker or a beginning.
    #[error(transparent)]
    Snapshot(#[from] snapshot::Error<NodeId>),
}

/// The table of slots says nothing that the account does not: it is an index of it.
impl Hash for Member {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.account.hash(hasher);
        self.recorder.hash(hasher);
    }
}

impl Member {
    /// A member with `deposit` in its account and no channels.
    #[must_use]
    pub fn new(deposit: u64) -> Self {
        Self {
            account: Account::new(deposit),
            recorder: Recorder::new(),
            slots: HashMap::new(),
        }
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Where `peer` stands in the account's table, if there are channels to and from it.
    #[must_use]
    pub fn slot(&self, peer: NodeId) -> Option<Slot> {
        self.slots.get(&peer).copied()
    }

    /// Opens the channels to and from `peer`. The frames that are returned must be the first on
    /// the channel to it: the markers of the snapshots this member has recorded.
    #[must_use = "these frames must be the first on the new channel"]
    pub fn open(&mut self, peer: NodeId) -> Vec<Frame> {
        let slot = self.account.open(peer);
        self.slots.insert(peer, slot);
        self.recorder.open_in(peer);
        let owed = self.recorder.open_out(peer);
        owed.into_iter().map(Frame::Marker).collect()
    }

    /// Withdraws `amount`; the frame that is returned is to be sent to the peer at `to`.
    ///
    /// # Errors
    ///
    /// [`AccountError::TooSmall`]: nothing has changed and nothing is to be sent.
    pub fn send(&mut self, to: Slot, amount: u64) -> Result<Frame, AccountError> {
        self.account.send(to, amount).map(Frame::Message)
    }

    /// Any number of withdrawals; what they return is to be sent, in order, to the peer at `to`.
    #[inline]
    pub fn sending<R>(&mut self, to: Slot, work: impl FnOnce(&mut Books) -> R) -> R {
        self.account.sending(to, work)
    }

    /// Receives frames of the channel from the peer at `from`, one after the other, up to the first
    /// marker, which is returned; what is behind it is not asked for. The recorder sees a transfer
    /// before the balance changes.
    ///
    /// # Errors
    ///
    /// A frame breaks a rule of the bank or of the algorithm.
    #[inline]
    pub fn receive(
        &mut self,
        from: Slot,
        frames: impl IntoIterator<Item = Frame>,
    ) -> Result<Option<Marker>, MemberError> {
        let peer = self.account.ends()[from.0].peer;
        let recorder = &mut self.recorder;
        let first_marker = self.account.receiving(from, |books| {
            for frame in frames {
                match frame {
                    Frame::Message(transfer) => {
                        recorder.on_message(peer, &transfer);
                        books.deposit(transfer)?;
                    }
                    Frame::Marker(snapshot) => return Ok::<_, AccountError>(Some(snapshot)),
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
    pub fn begin(&mut self, snapshot: SnapshotId) -> Result<Markers, MemberError> {
        Ok(self.recorder.begin(snapshot, &self.account)?)
    }

    /// The peers whose marker of `snapshot` has not come; `None` where the state has not been
    /// recorded either.
    #[must_use]
    pub fn waiting_for(&self, snapshot: SnapshotId) -> Option<Vec<NodeId>> {
        self.recorder
            .waiting_for(snapshot)
            .map(|peers| peers.collect())
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
        let _ = member.open(NodeId(2));
        let marker = Frame::Marker(SnapshotId(1));
        let mut frames = [transfer(5), marker, transfer(7)].into_iter();

        let received = member.receive(Slot(0), frames.by_ref()).unwrap();
        let relay = received.and_then(|marker| marker.relay);
        assert_eq!(relay.map(|markers| markers.id()), Some(SnapshotId(1)));
        assert_eq!(frames.len(), 1);

        assert_eq!(member.receive(Slot(0), frames).unwrap(), None);
        assert_eq!(member.account().balance(), 22);
        let part = member.hand_over(SnapshotId(1)).unwrap();
        assert_eq!(part.state.balance(), 15, "the cut is at the marker");
        assert_eq!(part.state.ends()[0].received.count, 1);
    }

    #[test]
    fn of_several_transfers_those_before_a_refused_one_count() {
        let mut member = Member::new(u64::MAX - 3);
        let _ = member.open(NodeId(2));
        let frames = [transfer(1), transfer(1), transfer(2), transfer(1)];
        assert!(member.receive(Slot(0), frames).is_err());
        assert_eq!(member.account().balance(), u64::MAX - 1);
        assert_eq!(member.account().ends()[0].received.count, 2);
    }
}
