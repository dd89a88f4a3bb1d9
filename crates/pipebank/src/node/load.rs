//! What a node does of its own accord: it makes random transfers, and receives what comes.
//!
//! One round after the other: hear master and the observer, receive everything that has come, make
//! a batch of transfers for every peer whose outbox has room, write, give way.
//!
//! * Receiving comes first and takes all there is, so that what is in transit, and with it the
//!   way of a marker, is never longer than what the others send during one round.
//! * A node generates for a peer only while less than [`OUTBOX_LIMIT`] waits in the outbox to it:
//!   whoever sends faster than the other receives is held up, and memory stays bounded.
//! * It gives way once a round (`sched_yield`), whatever it has to do. Without that a node works
//!   until its time slice is over, while markers wait for those that do not run: the latency of a
//!   snapshot is then counted in time slices of several milliseconds, not in rounds.
//! * The observer works for all nodes and is one process among them: with a hundred of them it
//!   would get a hundredth of the CPUs, and need a second for what takes milliseconds. So each node
//!   lowers its priority, the more the more of them there are.
//! * When nothing came and there is nothing to generate, it sleeps until something can go on.
//!
//! A seed determines the choices (amounts, batches) that a node makes one after the other; when it
//! makes them, and how much money it then has, is a matter of the scheduler.

use pipes::{Fill, Flush, Scratch, WaitSet};

use super::{Node, NodeError, Progress, on};
use bank::account::Slot;
use bank::draw::{Average, NodeDraw};
use bank::id::NodeId;
use bank::member::{Frame, Marker};
use bank::messages::Reply;

/// Nothing is generated for a peer while so many bytes wait in the outbox to it.
const OUTBOX_LIMIT: usize = 16 * 1024;

/// The most transfers made for one peer in one round; half as many on average. The more, the
/// fewer system calls a transfer takes, and the longer is a round: with many peers the latter
/// counts, as a marker waits for a round at every node that it comes to.
const LARGEST_BATCH: u64 = 128;
const SMALLEST_BATCH: u64 = 32;
/// The most transfers made in one round, as far as the batches allow.
const LARGEST_ROUND: u64 = 8192;

/// What a node does of its own accord.
pub(super) struct Load {
    draw: NodeDraw,
    /// How many transfers are still to be made; `u64::MAX` is as good as for ever.
    left: u64,
    /// That everything was generated has been said.
    has_rested: bool,
    /// Say the balance once so many have been received.
    settle: Option<u64>,
    /// What the channels read into, one after the other.
    reading: Scratch,
    /// What batches are written into.
    writing: Scratch,
}

impl Node {
    pub(super) fn start_load(
        &mut self,
        seed: u64,
        quota: Option<u64>,
        pin: Option<u32>,
    ) -> Result<Progress, NodeError> {
        if let Some(number) = pin {
            pipes::stay_on_cpu(number as usize).map_err(on("CPUs"))?;
        }
        pipes::share_a_place_among(self.channels.len());
        self.tell(|_| "makes transfers of its own accord".to_owned());
        self.load = Some(Load {
            draw: NodeDraw::from_seed(seed, self.id),
            left: quota.unwrap_or(u64::MAX),
            has_rested: false,
            settle: None,
            reading: Scratch::default(),
            writing: Scratch::default(),
        });
        // The observer's orders come over a pipe of their own, so perhaps before this command.
        while let Some(snapshot) = self.takes.pop_front() {
            self.begin(snapshot)?;
        }
        Ok(Progress::RepliesLater)
    }

    pub(super) fn rest(&mut self) -> Result<Progress, NodeError> {
        if let Some(load) = &mut self.load {
            load.left = 0;
        }
        Ok(Progress::RepliesLater)
    }

    /// How many transfers were received.
    pub(super) fn received(&self) -> u64 {
        let ends = self.member.account().ends().iter();
        ends.map(|ends| ends.received.count).sum()
    }

    pub(super) fn sent_to(&self, peers: &[NodeId]) -> Result<Reply, NodeError> {
        let ends = self.member.account().ends();
        let count = |peer: &NodeId| Ok(ends[self.slot(*peer)?.0].sent.count);
        let transfers = peers.iter().map(count).collect::<Result<_, NodeError>>()?;
        Ok(Reply::SentTo { transfers })
    }

    pub(super) fn settle(&mut self, transfers: u64) -> Result<Progress, NodeError> {
        if let Some(load) = &mut self.load {
            load.settle = Some(transfers);
        }
        Ok(Progress::RepliesLater)
    }

    /// Rounds, until master has closed its commands.
    pub(super) fn run_freely(&mut self) -> Result<(), NodeError> {
        let Some(mut load) = self.load.take() else {
            return Ok(());
        };
        loop {
            let mut busy = false;
            for slot in 0..self.channels.len() {
                self.channels[slot].incoming.swap_storage(&mut load.reading);
                busy |= self.receive_everything(Slot(slot))?;
                self.channels[slot].incoming.swap_storage(&mut load.reading);
            }
            busy |= self.generate(&mut load)?;
            self.say_when_it_is_time(&mut load)?;
            self.flush()?;
            if busy {
                pipes::give_way();
            }
            self.load = Some(load);
            self.listen(busy)?;
            if self.commands.is_ended() {
                return Ok(());
            }
            self.carry_out_commands()?;
            let Some(back) = self.load.take() else {
                return Ok(());
            };
            load = back;
        }
    }

    /// Receives what has come from one peer; whether there was anything.
    fn receive_everything(&mut self, slot: Slot) -> Result<bool, NodeError> {
        let mut busy = false;
        loop {
            let incoming = &mut self.channels[slot.0].incoming;
            if incoming.fill().map_err(on("channels"))? != Fill::More {
                return Ok(busy);
            }
            busy = true;
            self.receive_what_was_read(slot)?;
            if self.channels[slot.0].incoming.was_short() {
                return Ok(true);
            }
        }
    }

    fn receive_what_was_read(&mut self, slot: Slot) -> Result<(), NodeError> {
        loop {
            let incoming = &mut self.channels[slot.0].incoming;
            let marker = match self.member.receive(slot, incoming.frames()) {
                Ok(marker) => marker,
                Err(source) => {
                    let from = self.member.account().ends()[slot.0].peer;
                    return Err(NodeError::Member { from, source });
                }
            };
            let Some(Marker { snapshot, relay }) = marker else {
                return incoming.check_rest().map_err(on("channels"));
            };
            if let Some(markers) = relay {
                self.broadcast(markers)?;
            }
            self.give_if_complete(snapshot)?;
        }
    }

    /// Makes a batch for every peer whose outbox has room; whether there was any.
    fn generate(&mut self, load: &mut Load) -> Result<bool, NodeError> {
        let peers = self.channels.len() as u64;
        if load.left == 0 || peers == 0 {
            return Ok(false);
        }
        let largest = (LARGEST_ROUND / peers).clamp(SMALLEST_BATCH, LARGEST_BATCH);
        // Half of what there is goes out in a round, if there is room for everybody.
        let transfers = peers * largest / 2;
        let first = load.draw.size(peers) as usize - 1;
        let mut busy = false;
        for slot in (first..self.channels.len()).chain(0..first) {
            let outgoing = &mut self.channels[slot].outgoing;
            if outgoing.is_closed() || outgoing.pending() >= OUTBOX_LIMIT {
                continue;
            }
            outgoing.swap_storage(&mut load.writing);
            let batch = load.draw.size(largest).min(load.left);
            let average = Average::of(self.member.account().balance() / 2, transfers);
            let pushed = self.member.sending(Slot(slot), |books| {
                outgoing.push_all((0..batch).filter_map(|_| {
                    let amount = load.draw.amount(average).min(books.balance());
                    // It cannot be refused: it is no more than there is.
                    books.withdraw(amount).map(Frame::Message).ok()
                }))
            });
            pushed.map_err(on("channels"))?;
            load.left -= batch;
            busy = true;
            let flushed = outgoing.flush().map_err(on("channels"))?;
            outgoing.swap_storage(&mut load.writing);
            let channel = &mut self.channels[slot];
            if flushed == Flush::Full && !channel.dirty {
                channel.dirty = true;
                self.dirty.push(slot);
            }
        }
        Ok(busy)
    }

    /// The replies that come when it is time.
    fn say_when_it_is_time(&mut self, load: &mut Load) -> Result<(), NodeError> {
        if load.left == 0 && !load.has_rested {
            load.has_rested = true;
            self.replies
                .push(&Reply::Generated)
                .map_err(on("replies"))?;
        }
        if let Some(wanted) = load.settle
            && self.received() >= wanted
        {
            load.settle = None;
            let (received, balance) = (self.received(), self.member.account().balance());
            self.replies
                .push(&Reply::Settled { received, balance })
                .map_err(on("replies"))?;
        }
        Ok(())
    }

    /// Hears master and the observer: looks whether they have said something where there is work
    /// to do, else sleeps until something can go on.
    fn listen(&mut self, busy: bool) -> Result<(), NodeError> {
        let mut set = WaitSet::new();
        let commands = set.read(&self.commands);
        let orders = set.read(&self.orders);
        if busy {
            set.look().map_err(on("pipes"))?;
        } else {
            for channel in &self.channels {
                set.read(&channel.incoming);
            }
            for slot in &self.dirty {
                set.write(&self.channels[*slot].outgoing);
            }
            if self.reports.pending() > 0 {
                set.write(&self.reports);
            }
            if self.replies.pending() > 0 {
                set.write(&self.replies);
            }
            set.wait().map_err(on("pipes"))?;
        }
        let (commands, orders) = (set.is_ready(commands), set.is_ready(orders));
        self.hear(commands, orders)
    }
}
