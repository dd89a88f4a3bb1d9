//! The whole state of a node as bytes: what a segment of its journal begins with.
//!
//! Everything that what it will do depends on is in there: the account, what was recorded of every snapshot
//! in progress, what it will draw. Not in there is what it was asked and has not answered: that is asked
//! again.

use std::collections::BTreeMap;

use snapshot::{IdSet, Recording, Tally};

use super::bytes::{Bytes, put, put_all};
use super::lasting::Lasting;
use super::load::Load;
use super::record::{place, snapshot};
use super::{Broken, Neighbour, Node};
use crate::account::{Account, End, Transfer};
use crate::id::{NodeId, Place};
use crate::member::{Member, Recorder};

/// What the image begins with. Whoever changes what is in it, or what a journal holds, counts on.
const VERSION: u64 = 1;

/// More frames than this never pass through a node: at a billion a second it is 146 years.
const MOST: u64 = 1 << 62;

type Channels = BTreeMap<Place, Vec<Transfer>>;

/// The node, and what is beside it in a bank that lasts.
pub(super) fn put_node(out: &mut Vec<u8>, node: &Node, lasting: &Lasting) {
    put(out, VERSION);
    put(out, node.id.0);
    put_account(out, node.member.account());
    for neighbours in [&node.outgoing, &node.incoming] {
        put_all(out, neighbours.iter(), |out, neighbour| {
            put(out, neighbour.id.0);
            put(out, neighbour.markers);
        });
    }
    let recorder = node.member.recorder();
    put_all(out, recorder.handed_over().ranges(), |out, range| {
        put(out, *range.start());
        put(out, *range.end());
    });
    put_all(out, recorder.recordings().iter(), |out, recording| {
        put(out, recording.id.0);
        put_account(out, &recording.state);
        put_channels(out, &recording.waiting);
        put_channels(out, &recording.closed);
    });
    put_all(out, node.load.iter(), |out, load| {
        let (seed, state, left) = load.kept();
        put(out, seed);
        put(out, state);
        put(out, left);
    });
    put(out, lasting.answers);
    put(out, lasting.segment);
    put(out, lasting.first_needed);
    put_all(out, lasting.begun.iter(), |out, (segment, snapshot)| {
        put(out, *segment);
        put(out, snapshot.0);
    });
}

/// As they were when the image was made.
pub(super) fn read_node(image: &[u8], verbose: bool) -> Result<(Node, Lasting), Broken> {
    let mut bytes = Bytes(image);
    if bytes.number()? != VERSION {
        return Err(Broken::Unreadable("an image of another version"));
    }
    let id = NodeId(bytes.number()?);
    let account = account(&mut bytes)?;
    let mut neighbours = |ends: &[End]| {
        let all: Vec<Neighbour> = bytes.all(|bytes| {
            let mut neighbour = Neighbour::new(NodeId(bytes.number()?));
            neighbour.markers = bytes.number()?;
            Ok(neighbour)
        })?;
        match all.len() == ends.len() {
            true => Ok(all),
            false => Err(Broken::Unreadable("channels without an end")),
        }
    };
    let outgoing = neighbours(account.outgoing())?;
    let incoming = neighbours(account.incoming())?;
    let mut handed_over = IdSet::default();
    let ranges: Vec<(u64, u64)> = bytes.all(|bytes| Ok((bytes.number()?, bytes.number()?)))?;
    for (first, last) in ranges {
        handed_over.insert_all(first..=last);
    }
    let recordings = bytes.all(|bytes| {
        Ok(Recording {
            id: snapshot(bytes)?,
            state: self::account(bytes)?,
            waiting: channels(bytes)?,
            closed: channels(bytes)?,
        })
    })?;
    let load: Vec<Load> = bytes.all(|bytes| {
        let (seed, state) = (bytes.number()?, bytes.number()?);
        Ok(Load::new(seed, state, bytes.number()?))
    })?;
    let answers = bytes.number()?;
    let segment = bytes.number()?;
    let first_needed = bytes.number()?;
    let begun = bytes.all(|bytes| Ok((bytes.number()?, snapshot(bytes)?)))?;
    let lasting = Lasting::at(answers, segment, first_needed, begun);
    if !bytes.0.is_empty() {
        return Err(Broken::Unreadable("more than an image"));
    }
    let ends = [account.outgoing(), account.incoming()].concat();
    let neighbours = outgoing.iter().chain(&incoming);
    let passed = { ends.iter().map(|end| end.tally.count) }.chain(neighbours.map(|it| it.markers));
    let in_all = passed.fold(0, u64::saturating_add);
    if in_all > MOST {
        return Err(Broken::Unreadable("more frames than ever there were"));
    }
    let mut node = Node::new(id, account.balance(), verbose);
    node.instructions = lasting.answers;
    for (slot, end) in account.outgoing().iter().enumerate() {
        node.to.set(end.peer, slot);
    }
    for (slot, end) in account.incoming().iter().enumerate() {
        node.from.set(end.peer, slot);
    }
    let peers = |ends: &[End]| ends.iter().map(|end| end.peer).collect::<Vec<Place>>();
    let recorder = Recorder::restored(
        peers(account.incoming()),
        peers(account.outgoing()),
        recordings,
        handed_over,
    );
    node.member = Member::restored(account, recorder);
    (node.outgoing, node.incoming) = (outgoing, incoming);
    node.load = load.into_iter().next();
    Ok((node, lasting))
}

fn put_account(out: &mut Vec<u8>, account: &Account) {
    put(out, account.balance());
    for ends in [account.outgoing(), account.incoming()] {
        put_all(out, ends.iter(), |out, End { peer, tally }| {
            put(out, peer.0.into());
            put(out, tally.count);
            put(out, tally.sum as u64);
            put(out, (tally.sum >> 64) as u64);
            put(out, tally.digest);
        });
    }
}

fn account(bytes: &mut Bytes<'_>) -> Result<Account, Broken> {
    let balance = bytes.number()?;
    let mut ends = || bytes.all(end);
    let (outgoing, incoming) = (ends()?, ends()?);
    Ok(Account::restored(balance, outgoing, incoming))
}

fn end(bytes: &mut Bytes<'_>) -> Result<End, Broken> {
    let peer = place(bytes)?;
    let tally = Tally {
        count: bytes.number()?,
        sum: u128::from(bytes.number()?) | u128::from(bytes.number()?) << 64,
        digest: bytes.number()?,
    };
    match tally.sum <= u128::from(tally.count) * u128::from(u64::MAX) {
        true => Ok(End { peer, tally }),
        false => Err(Broken::Unreadable("more money than in so many transfers")),
    }
}

fn put_channels(out: &mut Vec<u8>, channels: &Channels) {
    put_all(out, channels.iter(), |out, (peer, transfers)| {
        put(out, peer.0.into());
        put_all(out, transfers.iter(), |out, transfer| put(out, transfer.0));
    });
}

fn channels(bytes: &mut Bytes<'_>) -> Result<Channels, Broken> {
    bytes.all(|bytes| {
        let peer = place(bytes)?;
        Ok((peer, bytes.all(|bytes| bytes.number().map(Transfer))?))
    })
}

#[cfg(test)]
mod tests;
