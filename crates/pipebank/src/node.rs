//! The node process: moves frames between pipes and a [`Member`], and decides nothing.
//!
//! ```text
//!            commands          orders
//!               │                │
//!            ┌──▼────────────────▼──┐
//!  frames ──▶│ Receiver… Member …   │──▶ frames          one pair for every peer
//!            │           …Sender    │
//!            └──┬────────────────┬──┘
//!               ▼                ▼
//!            replies          reports
//! ```
//!
//! Commands are carried out one after the other, in order; one that waits (for a frame, for the
//! observer's order) holds up those behind it, but never the outboxes, nor the observer's
//! questions. A node ends at the end of file of its commands.
//!
//! `node/snapshots.rs` is its share of snapshots; `node/load.rs` what it does of its own accord.

mod load;
mod snapshots;

use std::collections::VecDeque;
use std::mem::ManuallyDrop;

use pipes::{Fill, Flush, Hatch, Receiver, Sender, WaitSet, Yielder};
use snapshot::SnapshotId;

use self::load::Load;
use crate::say::say;
use bank::account::{Slot, Transfer};
use bank::id::NodeId;
use bank::member::{Frame, Marker, Member, MemberError};
use bank::messages::{Command, Order, Reply, Report};

/// Why a node ends before master tells it to.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A pipe failed, or what came through it is no frame.
    #[error("{on}: {source}")]
    Pipe {
        /// Which pipe.
        on: String,
        /// What happened.
        source: pipes::Error,
    },
    /// What came from a peer breaks a rule.
    #[error("channel from node {from}: {source}")]
    Member {
        /// The peer.
        from: NodeId,
        /// The rule.
        source: MemberError,
    },
    /// The observer's order breaks a rule.
    #[error("order of the observer: {0}")]
    Order(MemberError),
    /// Master named a peer to which there are no channels.
    #[error("master named node {0}, to which there are no channels")]
    UnknownPeer(NodeId),
    /// The order that came is not the one that master announced.
    #[error("the observer ordered snapshot {ordered} where master announced {announced}")]
    WrongOrder {
        /// What the observer said.
        ordered: SnapshotId,
        /// What master said.
        announced: SnapshotId,
    },
}

/// Both directions between this node and one peer.
struct Channel {
    outgoing: Sender<Frame>,
    incoming: Receiver<Frame>,
    /// The outbox may not be empty.
    dirty: bool,
}

/// Replies that a node holds back while it waits for a frame, in bytes: to wake master for each
/// would halve the rate, and what it needs to go on is on its way already.
const HELD_BACK: usize = 16 * 1024;

/// How often a node that waits for a frame makes way for others before it sleeps.
const GIVE_WAY: usize = 2;

/// What became of a command.
enum Progress {
    Done(Reply),
    /// It waits for more to come on this channel.
    AwaitsFrame(Slot),
    /// It waits for the observer's order.
    AwaitsOrder,
    /// The reply comes when it is time; the commands behind it go on.
    RepliesLater,
}

/// A node between its pipes.
pub struct Node {
    id: NodeId,
    member: Member,
    verbose: bool,
    commands: Receiver<Command>,
    replies: ManuallyDrop<Sender<Reply>>,
    hatch: Hatch,
    orders: Receiver<Order>,
    reports: Sender<Report>,
    /// In the order of the account's slots.
    channels: Vec<Channel>,
    /// Slots of the channels with `dirty` set: with something in the outbox.
    dirty: Vec<usize>,
    /// The command that waits, and for which channel, if for one.
    waiting: Option<(Command, Option<Slot>)>,
    /// Orders to take a snapshot whose place in the stream of commands has not come.
    takes: VecDeque<SnapshotId>,
    yielder: Yielder,
    /// What it does of its own accord, if that was asked for.
    load: Option<Load>,
}

impl Node {
    /// Takes its place between master and the observer, whose two pipe ends come first through
    /// the hatch.
    ///
    /// # Errors
    ///
    /// The hand-over failed.
    pub fn new(
        id: NodeId,
        deposit: u64,
        verbose: bool,
        parent: pipes::Parent<Reply, Command>,
    ) -> Result<Self, NodeError> {
        let pipes::Parent {
            sender,
            receiver,
            hatch,
        } = parent;
        let mut ends = hatch.take(2).map_err(on("hatch"))?.into_iter();
        let (Some(orders), Some(reports)) = (ends.next(), ends.next()) else {
            unreachable!("the hatch gives as many ends as it was asked for");
        };
        Ok(Self {
            id,
            member: Member::new(deposit),
            verbose,
            commands: receiver,
            replies: sender,
            hatch,
            orders: orders.into_receiver(),
            reports: reports.into_sender(),
            channels: Vec::new(),
            dirty: Vec::new(),
            waiting: None,
            takes: VecDeque::new(),
            yielder: Yielder::default(),
            load: None,
        })
    }

    /// Runs until the end of file of the commands.
    ///
    /// # Errors
    ///
    /// A pipe failed, or what came through it breaks a rule.
    pub fn run(mut self) -> Result<(), NodeError> {
        self.tell(|node| format!("starts with {}", node.member.account().balance()));
        loop {
            self.carry_out_commands()?;
            if self.load.is_some() {
                return self.run_freely();
            }
            self.flush()?;
            self.wait()?;
            if self.commands.is_ended() {
                return Ok(());
            }
        }
    }

    fn carry_out_commands(&mut self) -> Result<(), NodeError> {
        loop {
            let command = match self.waiting.take() {
                Some((command, _)) => command,
                None => match self.commands.next_frame().map_err(on("commands"))? {
                    Some(command) => command,
                    None => return Ok(()),
                },
            };
            match self.carry_out(&command)? {
                Progress::Done(reply) => self.replies.push(&reply).map_err(on("replies"))?,
                Progress::AwaitsFrame(slot) => {
                    self.waiting = Some((command, Some(slot)));
                    return Ok(());
                }
                Progress::AwaitsOrder => {
                    self.waiting = Some((command, None));
                    return Ok(());
                }
                Progress::RepliesLater => {}
            }
        }
    }

    fn carry_out(&mut self, command: &Command) -> Result<Progress, NodeError> {
        match command {
            Command::Open { peers, owing } => self.open(peers, *owing),
            Command::Send { to, amount } => self.send(*to, *amount).map(Progress::Done),
            Command::Receive { from } => self.receive(*from),
            Command::AwaitTake { snapshot } => self.take_snapshot(*snapshot),
            Command::ReadAhead { from, frames } => self.read_ahead(*from, *frames),
            Command::Report => {
                let balance = self.member.account().balance();
                Ok(Progress::Done(Reply::Balance { balance }))
            }
            Command::Load { seed, quota, pin } => self.start_load(*seed, *quota, *pin),
            Command::Rest => self.rest(),
            Command::Count => {
                let received = self.received();
                Ok(Progress::Done(Reply::Counted { received }))
            }
            Command::SentTo { peers } => self.sent_to(peers).map(Progress::Done),
            Command::Settle { transfers } => self.settle(*transfers),
        }
    }

    fn open(&mut self, peers: &[NodeId], owing: bool) -> Result<Progress, NodeError> {
        let mut ends = self
            .hatch
            .take(2 * peers.len())
            .map_err(on("hatch"))?
            .into_iter();
        for peer in peers {
            let (Some(write), Some(read)) = (ends.next(), ends.next()) else {
                unreachable!("the hatch gives as many ends as it was asked for");
            };
            let slot = Slot(self.channels.len());
            self.channels.push(Channel {
                outgoing: write.into_sender(),
                incoming: read.into_receiver(),
                dirty: false,
            });
            let owed = self.member.open(*peer);
            for frame in owed.iter().filter(|_| owing) {
                self.enqueue(slot, frame)?;
            }
            self.tell(|_| format!("opens its channels to and from node {peer}"));
        }
        Ok(Progress::Done(Reply::Opened))
    }

    fn send(&mut self, to: NodeId, amount: u64) -> Result<Reply, NodeError> {
        let slot = self.slot(to)?;
        if self.channels[slot.0].outgoing.is_closed() {
            return Ok(Reply::PeerGone);
        }
        let sent = self.member.send(slot, amount);
        let balance = self.member.account().balance();
        match sent {
            Ok(frame) => {
                self.enqueue(slot, &frame)?;
                self.tell(|_| format!("sends {amount} to node {to}, balance {balance}"));
                Ok(Reply::Sent { balance })
            }
            Err(reason) => {
                self.tell(|_| format!("refuses to send {amount} to node {to}: {reason}"));
                Ok(Reply::Refused { balance })
            }
        }
    }

    fn receive(&mut self, from: NodeId) -> Result<Progress, NodeError> {
        let slot = self.slot(from)?;
        let incoming = &mut self.channels[slot.0].incoming;
        let on_channel = on_channel_from(from);
        let frame = loop {
            if let Some(frame) = incoming.next_frame().map_err(&on_channel)? {
                break frame;
            }
            match incoming.fill().map_err(&on_channel)? {
                Fill::More => {}
                Fill::Empty => return Ok(Progress::AwaitsFrame(slot)),
                Fill::Ended => return Ok(Progress::Done(Reply::Ended)),
            }
        };
        let marker = self
            .member
            .receive(slot, [frame])
            .map_err(|source| NodeError::Member { from, source })?;
        match frame {
            Frame::Message(Transfer(amount)) => {
                let balance = self.member.account().balance();
                self.tell(|_| format!("receives {amount} from node {from}, balance {balance}"));
                Ok(Progress::Done(Reply::Transfer { amount, balance }))
            }
            Frame::Marker(snapshot) => {
                let relay = marker.and_then(|Marker { relay, .. }| relay);
                let recorded = relay.is_some();
                self.tell(|_| match recorded {
                    true => format!("receives the marker of snapshot {snapshot} from node {from}"),
                    false => format!(
                        "receives the marker of snapshot {snapshot} from node {from}: \
                         the channel's state is complete"
                    ),
                });
                if let Some(markers) = relay {
                    self.broadcast(markers)?;
                }
                Ok(Progress::Done(Reply::Marker { snapshot, recorded }))
            }
        }
    }

    fn read_ahead(&mut self, from: NodeId, frames: u64) -> Result<Progress, NodeError> {
        /// What every frame between nodes takes at least.
        const SMALLEST_FRAME: u64 = 14;
        let slot = self.slot(from)?;
        let incoming = &mut self.channels[slot.0].incoming;
        let on_channel = on_channel_from(from);
        while incoming.fill().map_err(&on_channel)? == Fill::More {}
        let enough = incoming.buffered() as u64 / SMALLEST_FRAME >= frames;
        if !enough && !incoming.is_ended() {
            return Ok(Progress::AwaitsFrame(slot));
        }
        let (mut transfers, mut amount, mut markers) = (0, 0, 0);
        for frame in incoming.frames_ahead().map_err(&on_channel)? {
            match frame {
                Frame::Message(transfer) => {
                    transfers += 1;
                    amount += u128::from(transfer.0);
                }
                Frame::Marker(_) => markers += 1,
            }
        }
        Ok(Progress::Done(Reply::Ahead {
            transfers,
            amount,
            markers,
        }))
    }

    fn enqueue(&mut self, slot: Slot, frame: &Frame) -> Result<(), NodeError> {
        let channel = &mut self.channels[slot.0];
        channel.outgoing.push(frame).map_err(on("channels"))?;
        if !channel.dirty {
            channel.dirty = true;
            self.dirty.push(slot.0);
        }
        Ok(())
    }

    /// Writes what there is to write. Channels first: somebody may be waiting for a frame.
    fn flush(&mut self) -> Result<(), NodeError> {
        let channels = &mut self.channels;
        let mut outcome = Ok(());
        self.dirty.retain(|slot| {
            let channel = &mut channels[*slot];
            match channel.outgoing.flush() {
                Ok(flush) => channel.dirty = flush == Flush::Full,
                Err(error) => outcome = Err(error),
            }
            channel.dirty
        });
        outcome.map_err(on("channels"))?;
        self.reports.flush().map_err(on("reports"))?;
        if self.waiting.is_none() || self.replies.pending() >= HELD_BACK {
            self.replies.flush().map_err(on("replies"))?;
        }
        Ok(())
    }

    /// Makes way for others, so that the frame that is waited for may come; whether it has.
    fn frame_has_come(&mut self) -> Result<bool, NodeError> {
        let Some((_, Some(slot))) = self.waiting else {
            return Ok(false);
        };
        for _ in 0..GIVE_WAY {
            if !self.yielder.give_way() {
                return Ok(false);
            }
            let filled = self.channels[slot.0].incoming.fill();
            if filled.map_err(on("channels"))? != Fill::Empty {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until something can go on, and reads what came from master and the observer.
    fn wait(&mut self) -> Result<(), NodeError> {
        if self.frame_has_come()? {
            return Ok(());
        }
        let mut set = WaitSet::new();
        let commands = set.read(&self.commands);
        let orders = set.read(&self.orders);
        if let Some((_, Some(slot))) = self.waiting {
            set.read(&self.channels[slot.0].incoming);
        }
        for slot in &self.dirty {
            set.write(&self.channels[*slot].outgoing);
        }
        if self.reports.pending() > 0 {
            set.write(&self.reports);
        }
        if self.replies.pending() > 0
            && (self.waiting.is_none() || self.replies.pending() >= HELD_BACK)
        {
            set.write(&self.replies);
        }
        set.wait().map_err(on("pipes"))?;
        let (commands, orders) = (set.is_ready(commands), set.is_ready(orders));
        self.hear(commands, orders)
    }

    /// Reads what came from master and the observer, and obeys the latter.
    fn hear(&mut self, commands: bool, orders: bool) -> Result<(), NodeError> {
        if commands {
            self.commands.fill().map_err(on("commands"))?;
        }
        if orders {
            self.orders.fill().map_err(on("orders"))?;
            while let Some(order) = self.orders.next_frame().map_err(on("orders"))? {
                self.obey(order)?;
            }
        }
        Ok(())
    }

    fn slot(&self, peer: NodeId) -> Result<Slot, NodeError> {
        self.member.slot(peer).ok_or(NodeError::UnknownPeer(peer))
    }

    fn tell(&self, what: impl FnOnce(&Self) -> String) {
        if self.verbose {
            say(format_args!("node {}: {}", self.id, what(self)));
        }
    }
}

fn on(pipe: &'static str) -> impl Fn(pipes::Error) -> NodeError {
    move |source| NodeError::Pipe {
        on: pipe.to_owned(),
        source,
    }
}

fn on_channel_from(peer: NodeId) -> impl Fn(pipes::Error) -> NodeError {
    move |source| NodeError::Pipe {
        on: format!("channel from node {peer}"),
        source,
    }
}
