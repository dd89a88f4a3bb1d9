//! One account: its balance and what has passed through each of its channel ends.
//!
//! This is the process state that a snapshot records. It changes in two places only,
//! [`Books::withdraw`] and [`Books::deposit`], and both keep the tallies in step with the balance.

use serde::{Deserialize, Serialize};
use snapshot::Tally;

use crate::id::Place;

/// Money on its way from one account to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Transfer(pub u64);

/// An outgoing channel, by its index among those of its account: looked up once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Outgoing(pub usize);

/// An incoming channel, by its index among those of its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incoming(pub usize);

/// One end of a channel: what has passed through it, markers not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// At the other end.
    pub peer: Place,
    /// The transfers.
    pub tally: Tally,
}

/// An account as it is, and as a snapshot records it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    balance: u64,
    outgoing: Vec<End>,
    incoming: Vec<End>,
}

/// A deposit that an account refuses: the sum of all deposits fits in 64 bits, so money was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the balance would exceed 2^64-1: money has been made out of nothing")]
pub struct Overflow;

impl Account {
    /// An account with `deposit` in it and no channels.
    #[must_use]
    pub fn new(deposit: u64) -> Self {
        Self {
            balance: deposit,
            outgoing: Vec::new(),
            incoming: Vec::new(),
        }
    }

    /// An account as it was.
    #[must_use]
    pub fn restored(balance: u64, outgoing: Vec<End>, incoming: Vec<End>) -> Self {
        Self {
            balance,
            outgoing,
            incoming,
        }
    }

    /// What is in the account.
    #[must_use]
    pub fn balance(&self) -> u64 {
        self.balance
    }

    /// What was sent on each outgoing channel, in the order in which they opened.
    #[must_use]
    pub fn outgoing(&self) -> &[End] {
        &self.outgoing
    }

    /// What was received on each incoming channel, in the order in which they opened.
    #[must_use]
    pub fn incoming(&self) -> &[End] {
        &self.incoming
    }

    /// Opens the channel to `peer`.
    pub fn open_out(&mut self, peer: Place) -> Outgoing {
        let tally = Tally::default();
        self.outgoing.push(End { peer, tally });
        Outgoing(self.outgoing.len() - 1)
    }

    /// Opens the channel from `peer`.
    pub fn open_in(&mut self, peer: Place) -> Incoming {
        let tally = Tally::default();
        self.incoming.push(End { peer, tally });
        Incoming(self.incoming.len() - 1)
    }

    /// Withdraws what a transfer on the channel `to` takes along; `None` where the balance is too small,
    /// and nothing has changed.
    pub fn send(&mut self, to: Outgoing, amount: u64) -> Option<Transfer> {
        self.sending(to, |books| books.withdraw(amount))
    }

    /// Deposits what a transfer on the channel `from` brought.
    ///
    /// # Errors
    ///
    /// [`Overflow`]; nothing has changed.
    pub fn receive(&mut self, from: Incoming, transfer: Transfer) -> Result<(), Overflow> {
        self.receiving(from, |books| books.deposit(transfer))
    }

    /// Any number of withdrawals for the channel `to`.
    #[inline]
    pub fn sending<R>(&mut self, to: Outgoing, work: impl FnOnce(&mut Books) -> R) -> R {
        work_on(&mut self.balance, &mut self.outgoing[to.0].tally, work)
    }

    /// Any number of deposits from the channel `from`.
    #[inline]
    pub fn receiving<R>(&mut self, from: Incoming, work: impl FnOnce(&mut Books) -> R) -> R {
        work_on(&mut self.balance, &mut self.incoming[from.0].tally, work)
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

    /// Withdraws what a transfer takes along; `None` where the balance is too small, and nothing has
    /// changed.
    #[inline]
    pub fn withdraw(&mut self, amount: u64) -> Option<Transfer> {
        self.balance = self.balance.checked_sub(amount)?;
        self.tally.extend(amount);
        Some(Transfer(amount))
    }

    /// Deposits what a transfer brought.
    ///
    /// # Errors
    ///
    /// [`Overflow`]; nothing has changed.
    #[inline]
    pub fn deposit(&mut self, transfer: Transfer) -> Result<(), Overflow> {
        let Transfer(amount) = transfer;
        let sum = self.balance.checked_add(amount);
        self.balance = sum.ok_or(Overflow)?;
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
        let peer = account.open_out(Place(1));
        let before = account.clone();
        assert_eq!(account.send(peer, 11), None);
        assert_eq!(account, before);
    }

    #[test]
    fn the_whole_balance_can_be_sent_and_nothing_can_be_sent_from_nothing() {
        let mut account = Account::new(u64::MAX);
        let peer = account.open_out(Place(1));
        assert_eq!(account.send(peer, u64::MAX), Some(Transfer(u64::MAX)));
        assert_eq!(account.send(peer, 0), Some(Transfer(0)));
        assert_eq!(account.send(peer, 1), None);
        assert_eq!(account.outgoing()[0].tally.count, 2);
    }

    #[test]
    fn a_balance_never_wraps() {
        let mut account = Account::new(u64::MAX);
        let peer = account.open_in(Place(1));
        let before = account.clone();
        let received = account.receive(peer, Transfer(1));
        assert_eq!(received, Err(Overflow));
        assert_eq!(account, before);
    }
}
