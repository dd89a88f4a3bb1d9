//! What the process of a node does in a bank that lasts: it keeps a journal, into which everything goes
//! before its effects do, and takes new pipe ends at any time.
//!
//! Once a turn, before anything is written to a pipe, all that the turn has taken is committed. Pipe ends
//! come through the hatch, each with an [`Announcement`], while the node may be waiting for a frame: the
//! latest counts. A channel without a pipe is one whose end is closed: what is sent into it is dropped,
//! and made again from the journal once there is one.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use journal::{Directory, Identity, Journal, Settings, Survives};
use pipes::{RawEnd, Receiver, Sender};

use super::{Node, NodeError, Out, on};
use bank::account::Outgoing;
use bank::id::{NodeId, Place};
use bank::member::Frame;
use bank::messages::Announcement;
use bank::node::{Input, Resending, Restoring};

/// Where a node keeps what it has taken.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// The name of its journal.
    pub journal: String,
    /// Which bank it belongs to, and to which of its nodes.
    pub identity: Identity,
    /// What the journal is to survive.
    pub survives: Survives,
    /// Where it was started again: of how many instructions master knows the reply.
    pub answered: Option<u64>,
}

/// The journal of a node.
pub(crate) type KeptJournal = Journal<&'static Directory>;

/// What a process has beside its node.
pub(super) struct Lasting {
    journal: KeptJournal,
    /// Ends of channels that are not open yet.
    early_outgoing: BTreeMap<Place, Sender<Frame>>,
    early_incoming: BTreeMap<Place, Receiver<Frame>>,
    /// What is to be sent again: channels, and how many of their frames are not.
    again: Vec<(Outgoing, u64)>,
    /// Something was said that is not to be held back.
    pub(super) is_urgent: bool,
    /// A commit does.
    pub(super) waits_for_the_disk: bool,
}

/// Restores a node from its journal, or begins one.
pub(super) fn restore(
    id: NodeId,
    deposit: u64,
    verbose: bool,
    keeping: &Keeping,
    directory: Option<pipes::Directory>,
) -> Result<(bank::node::Node, Lasting), NodeError> {
    let directory = Directory::inherited(directory.ok_or(NodeError::NoDirectory)?)?;
    // It stays locked as long as this process lives.
    let directory: &'static Directory = Box::leak(Box::new(directory));
    let (restoring, journal) = fold(directory, keeping, (id, deposit), verbose)?;
    let node = restoring.done()?;
    let journal = match journal {
        Some(journal) => journal,
        None => begin(directory, keeping, &node)?,
    };
    let lasting = Lasting {
        journal,
        early_outgoing: BTreeMap::new(),
        early_incoming: BTreeMap::new(),
        again: Vec::new(),
        is_urgent: false,
        waits_for_the_disk: keeping.survives == Survives::Failure,
    };
    Ok((node, lasting))
}

/// What is in a node's journal, and the journal, where there is one.
pub(crate) fn fold(
    directory: &'static Directory,
    keeping: &Keeping,
    (id, deposit): (NodeId, u64),
    verbose: bool,
) -> Result<(Restoring, Option<KeptJournal>), NodeError> {
    let settings = Settings::new(keeping.survives);
    let (name, identity) = (&keeping.journal[..], keeping.identity);
    let answered = keeping.answered.unwrap_or(0);
    let is_enough = |image: &[u8]| Restoring::can_begin_with(image, answered);
    let opened = Journal::open_from(directory, name, identity, settings, is_enough)?;
    let Some((journal, past)) = opened else {
        let restoring = Restoring::new(id, deposit, verbose, answered);
        return Ok((restoring, None));
    };
    let mut records = past.records();
    let image = records.next().ok_or(NodeError::NoRecord)?;
    let mut restoring = Restoring::from_image(image.bytes, verbose, answered)?;
    for record in records {
        match record.is_image {
            true => restoring.next_segment(record.bytes)?,
            false => restoring.redo(record.bytes)?,
        }
    }
    Ok((restoring, Some(journal)))
}

/// Begins the journal of a node that has done nothing yet.
pub(crate) fn begin(
    directory: &'static Directory,
    keeping: &Keeping,
    node: &bank::node::Node,
) -> Result<KeptJournal, NodeError> {
    let settings = Settings::new(keeping.survives);
    let (name, identity) = (&keeping.journal[..], keeping.identity);
    let image = node.image();
    Ok(Journal::create(
        directory, name, identity, settings, &image,
    )?)
}

/// What a node has sent, by its journal, on channels behind so many frames.
pub(crate) fn resend(
    journal: &KeptJournal,
    wanted: &[(Outgoing, u64)],
    mut send: impl FnMut(Outgoing, Frame),
) -> Result<(), NodeError> {
    let past = journal.past_from(|image| Resending::can_begin_with(image, wanted))?;
    let mut records = past.records();
    let image = records.next().ok_or(NodeError::NoRecord)?;
    let mut resending = Resending::from_image(image.bytes, wanted)?;
    for record in records.filter(|record| !record.is_image) {
        resending.redo(record.bytes, &mut send)?;
    }
    Ok(())
}

impl Lasting {
    /// Keeps what the node has done: from here on that survives. Begins another segment, if it is time.
    #[inline]
    pub(super) fn commit(&mut self, node: &mut bank::node::Node) -> Result<(), NodeError> {
        node.take_unkept(|bytes| self.journal.append(bytes));
        self.journal.commit()?;
        if let Some(image) = node.next_segment() {
            self.journal.begin_segment(&image)?;
        }
        Ok(self.journal.drop_before(node.first_segment_needed())?)
    }

    pub(super) fn send_again(&mut self, to: Outgoing, received: u64) {
        self.again.push((to, received));
    }

    pub(super) fn early_sender(&mut self, to: Place) -> Sender<Frame> {
        let early = self.early_outgoing.remove(&to);
        early.unwrap_or_else(Sender::closed)
    }

    pub(super) fn early_receiver(&mut self, from: Place) -> Receiver<Frame> {
        let early = self.early_incoming.remove(&from);
        early.unwrap_or_else(Receiver::closed)
    }
}

impl Node {
    /// Whatever channels it has, their pipes come later.
    pub(super) fn make_way_for_pipes(&mut self) {
        self.outgoing = { self.value.member().account().outgoing().iter() }
            .map(|_| Out::from(Sender::closed()))
            .collect();
        self.incoming = { self.value.member().account().incoming().iter() }
            .map(|_| Receiver::closed())
            .collect();
    }

    /// Takes the pipe ends that have come through the hatch.
    pub(super) fn take_what_was_announced(&mut self) -> Result<(), NodeError> {
        loop {
            let announced = match self.hatch.next::<Announcement>() {
                Ok(Some(announced)) => announced,
                Ok(None) => break,
                // Master is gone, or wants this to end.
                Err(pipes::Error::System { source, .. })
                    if source.kind() == ErrorKind::UnexpectedEof =>
                {
                    self.instructions.close();
                    return Ok(());
                }
                Err(error) => return Err(on("hatch")(error)),
            };
            let (announcement, ends) = announced;
            self.take_ends(announcement, ends)?;
        }
        self.send_again()
    }

    fn take_ends(
        &mut self,
        announcement: Announcement,
        ends: Vec<RawEnd>,
    ) -> Result<(), NodeError> {
        let got = ends.len();
        let mut ends = ends.into_iter();
        let Some(lasting) = &mut self.lasting else {
            return Err(NodeError::NoDirectory);
        };
        lasting.is_urgent = true;
        let account = self.value.member().account();
        match (announcement, ends.next(), ends.next()) {
            (Announcement::Observer, Some(orders), Some(reports)) => {
                self.orders = orders.into_receiver();
                self.reports = reports.into_sender();
            }
            (Announcement::Incoming { from, laying }, Some(end), None) => {
                let slot = account.incoming().iter().position(|it| it.peer == from);
                match slot {
                    Some(slot) => self.incoming[slot] = end.into_receiver(),
                    None => {
                        lasting.early_incoming.insert(from, end.into_receiver());
                    }
                }
                if let Some(laying) = laying {
                    self.step(Input::Laid(from, laying))?;
                }
            }
            (Announcement::Outgoing { to, received }, Some(end), None) => {
                let slot = account.outgoing().iter().position(|it| it.peer == to);
                match slot {
                    Some(slot) => self.outgoing[slot].pipe = end.into_sender(),
                    None => {
                        lasting.early_outgoing.insert(to, end.into_sender());
                    }
                }
                self.step(Input::Attached(to, received))?;
            }
            _ => {
                let source = pipes::Error::HandOver { expected: 1, got };
                return Err(on("hatch")(source));
            }
        }
        Ok(())
    }

    /// Goes through the journal for what others have not received.
    fn send_again(&mut self) -> Result<(), NodeError> {
        let Some(lasting) = self.lasting.as_mut().filter(|it| !it.again.is_empty()) else {
            return Ok(());
        };
        let wanted = std::mem::take(&mut lasting.again);
        lasting.commit(&mut self.value)?;
        let mut pushed = Ok(());
        resend(&lasting.journal, &wanted, |to, frame| {
            if pushed.is_ok() {
                pushed = self.outgoing[to.0].pipe.push(&frame);
            }
        })?;
        pushed.map_err(on("channels"))?;
        for (to, _) in wanted {
            self.mark_as_dirty(to);
        }
        Ok(())
    }
}
