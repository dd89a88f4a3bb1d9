//! How soon the dead are back, in a bank that lasts, and what that takes.

use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{Error, While};
use crate::jobs::Job;
use crate::loads::median;
use crate::ours::{Lasts, Session};
use crate::plan::Layout;
use crate::rows::{Row, Unit};
use crate::scripts;
use bank::account::Incoming;
use bank::id::{NodeId, Place};
use bank::messages::{Instruction, Opening, Peer};
use bank::node::{Effect, Input, Restoring};
use journal::{Directory, Identity, Journal, Settings, Survives};

pub(crate) fn all(nodes: usize) -> Vec<Job> {
    vec![killed(nodes), folded()]
}

/// From SIGKILL to the first new reply of each who was killed.
fn killed(nodes: usize) -> Job {
    let row = |key: &str, who: &str, target: f64| {
        let measure = format!("from SIGKILL of {who} to a new reply");
        Row::new(key, measure, Unit::Milliseconds).target(target)
    };
    let all = format!("all {nodes} nodes, of each of them,");
    Job {
        what: "from SIGKILL to a new reply".to_owned(),
        rows: vec![
            row("lasting.back.one", &format!("one node of {nodes}"), 25.0),
            row("lasting.back.all", &all, 100.0),
        ],
        work: Box::new(move |bench, rows| {
            let mut session = bench.ours.session(Lasts::Deaths)?;
            session.run(&scripts::created(Layout::mesh(nodes)))?;
            lengthen(&mut session, nodes, bench.plan.records)?;
            for _ in 0..bench.plan.kills {
                for (row, killed) in rows.iter_mut().zip([1, nodes]) {
                    let milliseconds = kill_some(&mut session, killed)?;
                    row.ours_runs.push(milliseconds);
                }
            }
            for row in rows {
                row.ours = median(row.ours_runs.clone());
            }
            session.end()
        }),
    }
}

/// Has every node send and receive, until its journal has so many records.
fn lengthen(session: &mut Session, nodes: usize, records: u64) -> Result<(), Error> {
    /// That nodes send before they receive.
    const MANY: u64 = 1000;
    let line = |node: usize| format!("Send {} {} 1\n", node + 1, (node + 1) % nodes + 1);
    let round = (0..nodes).map(line).collect::<String>();
    let mut left = records / 2;
    while left > 0 {
        let sends = left.min(MANY);
        session.run(&(round.repeat(sends as usize) + "ReceiveAll\n"))?;
        left -= sends;
    }
    Ok(())
}

/// Milliseconds until the first so many nodes, who are killed, have all said something.
fn kill_some(session: &mut Session, count: usize) -> Result<f64, Error> {
    let pids = session.pids()?.nodes;
    let began = Instant::now();
    for node in 1..=count {
        let pid = pids.get(&node.to_string()).ok_or(Error::NoAnswer)?;
        kill(Pid::from_raw(*pid as i32), Signal::SIGKILL).while_("kill a node")?;
    }
    session.hear_from_each(count)?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// What a node does that comes back: its journal is read and checked, then folded.
fn folded() -> Job {
    let row = |key, what| {
        let measure = format!("journal of a million records, {what}");
        Row::new(key, measure, Unit::Milliseconds)
    };
    Job {
        what: "journal of a million records".to_owned(),
        rows: vec![
            row("lasting.read", "read and checked"),
            row("lasting.fold", "folded").target(15.0),
        ],
        work: Box::new(|bench, rows| {
            let directory = Directory::open(&bench.ours.scratch("journal"))?;
            write(&directory, bench.plan.records)?;
            for _ in 0..bench.plan.kills {
                for (row, milliseconds) in rows.iter_mut().zip(read(&directory)?) {
                    row.ours_runs.push(milliseconds);
                }
            }
            for row in rows {
                row.ours = median(row.ours_runs.clone());
            }
            Ok(())
        }),
    }
}

const NAME: &str = "node";
const IDENTITY: Identity = Identity { run: 1, writer: 0 };
const ID: NodeId = NodeId(1);
const DEPOSIT: u64 = 1_000_000_000;

/// What a script leaves in which a node sends and receives by turns, two of each in a commit.
fn write(directory: &Directory, records: u64) -> Result<(), Error> {
    let mut node = Restoring::new(ID, DEPOSIT, false, 0).done()?;
    let settings = Settings::new(Survives::Death);
    let mut journal = Journal::create(directory, NAME, IDENTITY, settings, &node.image())?;
    let mut effects = Vec::new();
    let (place, id) = (Place(1), NodeId(2));
    let peers = vec![Peer { place, id }];
    let opening = Opening {
        outgoing: peers.clone(),
        incoming: peers,
        owing: false,
    };
    node.step(
        Input::Instruction(Instruction::Open(opening.into())),
        &mut effects,
    )?;
    for turn in 0..records / 2 {
        let (to, amount) = (place, 1 + turn % 200);
        node.step(
            Input::Instruction(Instruction::Send { to, amount }),
            &mut effects,
        )?;
        let sent = effects.iter().find_map(|effect| match effect {
            Effect::Frame(_, frame) => Some(*frame),
            _ => None,
        });
        let from = place;
        node.step(
            Input::Instruction(Instruction::Receive { from }),
            &mut effects,
        )?;
        if effects.contains(&Effect::Take(Incoming(0)))
            && let Some(frame) = sent
        {
            node.step(Input::Frame(frame), &mut effects)?;
        }
        effects.clear();
        if turn % 2 == 1 {
            node.take_unkept(|bytes| journal.append(bytes));
            journal.commit()?;
        }
    }
    Ok(())
}

/// Milliseconds to read and check it, and to fold it.
fn read(directory: &Directory) -> Result<[f64; 2], Error> {
    let milliseconds = |since: Instant| since.elapsed().as_secs_f64() * 1e3;
    let began = Instant::now();
    let settings = Settings::new(Survives::Death);
    let opened = Journal::open(directory, NAME, IDENTITY, settings)?;
    let (_, past) = opened.ok_or(Error::NoAnswer)?;
    let read = milliseconds(began);
    let began = Instant::now();
    // Of all that is in it master has heard.
    let mut restoring = Restoring::new(ID, DEPOSIT, false, u64::MAX);
    for record in past.records().filter(|record| !record.is_image) {
        restoring.redo(record.bytes)?;
    }
    Ok([read, milliseconds(began)])
}
