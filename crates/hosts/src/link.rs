//! What joins the hosts: messages that arrive in the order in which they were sent, lane by lane.

use crate::Error;
use crate::wire::{Host, Lane};

/// No way to anybody: for a build that knows no network.
#[derive(Debug)]
pub enum Nowhere {}

/// A host's way to the others.
pub trait Link {
    /// Which host this is.
    fn me(&self) -> Host;

    /// How many there are.
    fn hosts(&self) -> usize;

    /// Sends a message; never waits.
    ///
    /// # Errors
    ///
    /// The network is broken.
    fn send(&mut self, to: Host, lane: Lane, message: Vec<u8>) -> Result<(), Error>;

    /// The next message that has come, from any host and on any lane. Messages from one host on one lane
    /// come in the order in which they were sent; nothing else is promised.
    ///
    /// # Errors
    ///
    /// The network is broken.
    fn receive(&mut self) -> Result<Option<(Host, Lane, Vec<u8>)>, Error>;

    /// Whether something that was sent is still on its way out of this process.
    fn is_sending(&self) -> bool;

    /// Ends it, when all hosts do.
    fn end(self)
    where
        Self: Sized;

    /// Leaves the others without a word: one of them is lost.
    fn abandon(self)
    where
        Self: Sized;
}

impl Link for Nowhere {
    fn me(&self) -> Host {
        match *self {}
    }

    fn hosts(&self) -> usize {
        match *self {}
    }

    fn send(&mut self, _: Host, _: Lane, _: Vec<u8>) -> Result<(), Error> {
        match *self {}
    }

    fn receive(&mut self) -> Result<Option<(Host, Lane, Vec<u8>)>, Error> {
        match *self {}
    }

    fn is_sending(&self) -> bool {
        match *self {}
    }

    fn end(self) {
        match self {}
    }

    fn abandon(self) {
        match self {}
    }
}
