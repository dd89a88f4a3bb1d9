//! One member of the bank: an account and its recorder, as a value.
//!
//! Everything that a node decides is decided here, and nothing here knows that there are pipes:
//! a member is handed inputs and returns what is to be sent. The same code runs in the node
//! process, in simulations and in tests.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use snapshot::{LocalSnapshot, Markers, Recorder, SnapshotId};

use crate::account::{Account, AccountError, Slot, Transfer};
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

/// What a member received.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A transfer; it is in the account now.
    Transfer(u64),
    /// A snapshot's marker.
    Marker {
        /// The snapshot.
        snapshot: SnapshotId,
        /// The member has recorded its state just now: the marker must go out on every outgoing
        /// channel before anything else.
        relay: Option<Markers>,
    },
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
    #[inline]
    pub fn send(&mut self, to: Slot, amount: u64) -> Result<Frame, AccountError> {
        self.account.send(to, amount).map(Frame::Message)
    }

    /// Receives the next frame of the channel from the peer at `from`. The recorder sees a
    /// transfer before the balance changes.
    ///
    /// # Errors
    ///
    /// The frame breaks a rule of the bank or of the algorithm.
    #[inline]
    pub fn receive(&mut self, from: Slot, frame: Frame) -> Result<Received, MemberError> {
        let peer = self.account.ends()[from.0].peer;
        match frame {
            Frame::Message(transfer) => {
                self.recorder.on_message(peer, &transfer);
                self.account.receive(from, transfer)?;
                Ok(Received::Transfer(transfer.0))
            }
            Frame::Marker(snapshot) => {
                let relay = self.recorder.on_marker(peer, snapshot, &self.account)?;
                Ok(Received::Marker { snapshot, relay })
            }
        }
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
