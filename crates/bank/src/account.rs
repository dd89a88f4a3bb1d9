//! One account: its balance and what has passed through each of its channel ends.
//!
//! This is the process state that a snapshot records. It changes in two places only,
//! [`Books::withdraw`] and [`Books::deposit`], and both keep the tallies in step with the balance.

use serde::{Deserialize, Serialize};
use snapshot::Tally;

use crate::id::NodeId;

/// Money on its way from one account to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Transfer(pub u64);

/// A peer's place in an account's table: looked up once, then an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub usize);

/// What has passed to and from one peer, markers not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    /// At the other end of both channels.
    pub peer: NodeId,
    /// Transfers sent to the peer.
    pub sent: Tally,
    /// Transfers received from the peer.
    pub received: Tally,
}

/// An account as it is, and as a snapshot records it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    balance: u64,
    ends: Vec<Ends>,
}

/// Why an account does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// More was to be withdrawn than there is.
    #[error("the balance is too small")]
    TooSmall,
    /// The balance would not fit in 64 bits. The sum of all deposits does, so money was made.
    #[error("the balance would exceed 2^64-1: money has been made out of nothing")]
    Overflow,
}

impl Account {
    /// An account with `deposit` in it and no channels.
    #[must_use]
    pub fn new(deposit: u64) -> Self {
        Self {
            balance: deposit,
            ends: Vec::new(),
        }
    }

    /// What is in the account.
    #[must_use]
    pub fn balance(&self) -> u64 {
        self.balance
    }

    /// What has passed through each pair of channel ends, in the order in which they opened.
    #[must_use]
    pub fn ends(&self) -> &[Ends] {
        &self.ends
    }

    /// Opens the channels to and from `peer`.
    pub fn open(&mut self, peer: NodeId) -> Slot {
        self.ends.push(Ends {
            peer,
            sent: Tally::default(),
            received: Tally::default(),
        });
        Slot(self.ends.len() - 1)
    }

    /// Withdraws what a transfer to the peer at `to` takes along.
    ///
    /// # Errors
    ///
    /// [`AccountError::TooSmall`]; nothing has changed.
    pub fn send(&mut self, to: Slot, amount: u64) -> Result<Transfer, AccountError> {
        self.sending(to, |books| books.withdraw(amount))
    }

    /// Deposits what a transfer from the peer at `from` brought.
    ///
    /// # Errors
    ///
    /// [`AccountError::Overflow`]; nothing has changed.
    pub fn receive(&mut self, from: Slot, transfer: Transfer) -> Result<(), AccountError> {
        self.receiving(from, |books| books.deposit(transfer))
    }

    /// Any number of withdrawals for the peer at `to`.
    #[inline]
    pub fn sending<R>(&mut self, to: Slot, work: impl FnOnce(&mut Books) -> R) -> R {
        work_on(&mut self.balance, &mut self.ends[to.0].sent, work)
    }

    /// Any number of deposits from the peer at `from`.
    #[inline]
    pub fn receiving<R>(&mut self, from: Slot, work: impl FnOnce(&mut Books) -> R) -> R {
        work_on(&mut self.balance, &mut self.ends[from.0].received, work)
    }
}

/// Works on copies: whatever is done many times in a row is then done in registers.
#[inline]
fn work_on<R>(balance: &mut u64, tally: &mut Tally, work: impl FnOnce(&mut Books) -> R) -> R {
    let mut books = Books {
        balance: *balance,
        tally: *tally,
    };
    let result = work(&mut books);
    (*balance, *tally) = (books.balance, books.tally);
    result
}

/// The balance and the tally of one channel end, in step with each other.
#[derive(Debug)]
pub struct Books {
    balance: u64,
    tally: Tally,
}

impl Books {
    /// What is in the account.
    #[must_use]
    pub fn balance(&self) -> u64 {
        self.balance
    }

    /// Withdraws what a transfer takes along.
    ///
    /// # Errors
    ///
    /// [`AccountError::TooSmall`]; nothing has changed.
    #[inline]
    pub fn withdraw(&mut self, amount: u64) -> Result<Transfer, AccountError> {
        let left = self.balance.checked_sub(amount);
        self.balance = left.ok_or(AccountError::TooSmall)?;
        self.tally.extend(amount);
        Ok(Transfer(amount))
    }

    /// Deposits what a transfer brought.
    ///
    /// # Errors
    ///
    /// [`AccountError::Overflow`]; nothing has changed.
    #[inline]
    pub fn deposit(&mut self, transfer: Transfer) -> Result<(), AccountError> {
        let Transfer(amount) = transfer;
        let sum = self.balance.checked_add(amount);
        self.balance = sum.ok_or(AccountError::Overflow)?;
        self.tally.extend(amount);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_send_changes_nothing() {
        let mut account = Account::new(10);
        let peer = account.open(NodeId(2));
        let before = account.clone();
        assert_eq!(account.send(peer, 11), Err(AccountError::TooSmall));
        assert_eq!(account, before);
    }

    #[test]
    fn the_whole_balance_can_be_sent_and_nothing_can_be_sent_from_nothing() {
        let mut account = Account::new(u64::MAX);
        let peer = account.open(NodeId(2));
        assert_eq!(account.send(peer, u64::MAX), Ok(Transfer(u64::MAX)));
        assert_eq!(account.send(peer, 0), Ok(Transfer(0)));
        assert_eq!(account.send(peer, 1), Err(AccountError::TooSmall));
        assert_eq!(account.ends()[0].sent.count, 2);
    }

    #[test]
    fn a_balance_never_wraps() {
        let mut account = Account::new(u64::MAX);
        let peer = account.open(NodeId(2));
        let before = account.clone();
        let received = account.receive(peer, Transfer(1));
        assert_eq!(received, Err(AccountError::Overflow));
        assert_eq!(account, before);
    }
}
