//! The loop of a node that runs freely: what `bank::node` does under load, between its pipes.
//!
//! One round after the other: hear master and the observer, receive everything that has come, make
//! a batch of transfers for every peer whose outbox has room, write, give way.
//!
//! * Receiving comes first and takes all there is, so that what is in transit, and with it the
//!   way of a marker, is never longer than what the others send during one round.
//! * No batch is made for a peer while [`OUTBOX_LIMIT`] or more waits in the outbox to it: whoever
//!   sends faster than the other receives is held up, and memory stays bounded.
//! * It gives way once a round (`sched_yield`), whatever it has to do. Without that a node works
//!   until its time slice is over, while markers wait for those that do not run: the latency of a
//!   snapshot is then counted in time slices of several milliseconds, not in rounds.
//! * The observer works for all nodes and is one process among them: with a hundred of them it
//!   would get a hundredth of the CPUs, and need a second for what takes milliseconds. So each node
//!   lowers its priority, the more the more of them there are.
//! * When nothing came and there is nothing to make, it sleeps until something can go on.

use pipes::{Fill, Flush, WaitSet};

use super::{Node, NodeError, on};
use bank::account::{Incoming, Outgoing};

/// Nothing is made for a peer while this many bytes wait in the outbox to it.
const OUTBOX_LIMIT: usize = 16 * 1024;

impl Node {
    pub(super) fn begin_to_run_freely(
        &mut self,
        others: u32,
        pin: Option<u32>,
    ) -> Result<(), NodeError> {
        if let Some(number) = pin {
            pipes::stay_on_cpu(number as usize).map_err(on("CPUs"))?;
        }
        pipes::share_a_place_among(others as usize);
        self.runs_freely = true;
        Ok(())
    }

    /// Rounds, until master has closed its instructions.
    pub(super) fn run_freely(&mut self) -> Result<(), NodeError> {
        loop {
            let mut busy = false;
            for from in 0..self.incoming.len() {
                self.incoming[from].swap_storage(&mut self.reading);
                busy |= self.receive_everything(Incoming(from))?;
                self.incoming[from].swap_storage(&mut self.reading);
            }
            busy |= self.send_rounds()?;
            self.value.say_when_it_is_time(&mut self.effects);
            self.do_what_was_said()?;
            self.flush()?;
            if busy {
                pipes::give_way();
            }
            self.listen(busy)?;
            if self.instructions.is_ended() {
                return Ok(());
            }
            self.go_on()?;
        }
    }

    /// Receives what has come from one peer; whether there was anything.
    fn receive_everything(&mut self, from: Incoming) -> Result<bool, NodeError> {
        let mut busy = false;
        while self.incoming[from.0].fill().map_err(on("channels"))? == Fill::More {
            busy = true;
            self.receive_what_was_read(from)?;
            if self.incoming[from.0].was_short() {
                break;
            }
        }
        Ok(busy)
    }

    fn receive_what_was_read(&mut self, from: Incoming) -> Result<(), NodeError> {
        loop {
            let frames = self.incoming[from.0].frames();
            if !self.value.receive_run(from, frames, &mut self.effects)? {
                return self.incoming[from.0].check_rest().map_err(on("channels"));
            }
            // A marker: it goes out before any further transfer.
            self.do_what_was_said()?;
        }
    }

    /// Has a round of batches made; whether there was any. Where the disk is waited for before they are
    /// written, which takes as long as dozens of rounds, as many are made as the outboxes have room for.
    fn send_rounds(&mut self) -> Result<bool, NodeError> {
        let busy = self.send_a_round()?;
        let waits = { self.lasting.as_ref() }.is_some_and(|it| it.waits_for_the_disk);
        while waits && self.send_a_round()? {}
        Ok(busy)
    }

    /// Has a batch made for every peer whose outbox has room; whether there was any.
    fn send_a_round(&mut self) -> Result<bool, NodeError> {
        let Some(round) = self.value.round() else {
            return Ok(false);
        };
        let mut busy = false;
        for to in (round.first..self.outgoing.len()).chain(0..round.first) {
            let channel = &mut self.outgoing[to];
            let outgoing = &mut channel.pipe;
            if outgoing.is_closed() || outgoing.pending() >= OUTBOX_LIMIT {
                continue;
            }
            // Nothing may leave before it is kept: that is done for the whole round.
            let is_kept_first = self.lasting.is_some();
            if !is_kept_first {
                outgoing.swap_storage(&mut self.writing);
            }
            let pushed = self
                .value
                .make_batch(&round, Outgoing(to), |batch| outgoing.push_all(batch));
            pushed.transpose().map_err(on("channels"))?;
            busy = true;
            let is_left = if is_kept_first {
                true
            } else {
                let flushed = outgoing.flush().map_err(on("channels"))?;
                outgoing.swap_storage(&mut self.writing);
                flushed == Flush::Full
            };
            if is_left && !channel.dirty {
                channel.dirty = true;
                self.dirty.push(to);
            }
        }
        Ok(busy)
    }

    /// Hears master and the observer: looks whether they have said something where there is work
    /// to do, else sleeps until something can go on.
    fn listen(&mut self, busy: bool) -> Result<(), NodeError> {
        let mut set = WaitSet::new();
        let instructions = set.read(&self.instructions);
        let orders = set.read(&self.orders);
        let hatch = match self.lasting {
            Some(_) => set.read_hatch(&self.hatch),
            None => None,
        };
        if busy {
            set.look().map_err(on("pipes"))?;
        } else {
            for incoming in &self.incoming {
                set.read(incoming);
            }
            for to in &self.dirty {
                set.write(&self.outgoing[*to].pipe);
            }
            if self.reports.pending() > 0 {
                set.write(&self.reports);
            }
            if self.replies.pending() > 0 {
                set.write(&self.replies);
            }
            set.wait().map_err(on("pipes"))?;
        }
        let (instructions, orders) = (set.is_ready(instructions), set.is_ready(orders));
        if set.is_ready(hatch) {
            self.take_what_was_announced()?;
        }
        self.hear(instructions, orders)
    }
}
