//! The history in what no script can bring about as long as the bank is sound, or only by rare
//! chance.

use std::collections::VecDeque;

use history::{Event, System, What};
use snapshot::SnapshotId;

use crate::account::Transfer;
use crate::audit::Unsound;
use crate::id::Place;
use crate::master::{Awaits, Effect, Fate, LastWords, Master, Process, Setup};
use crate::member::Frame;
use crate::messages::{Answer, Reply};
use crate::script::{Statement, read_script};

/// A master that writes a history.
struct Run {
    master: Master,
    script: VecDeque<Statement>,
    history: Vec<Event>,
}

impl Run {
    fn new(script: &str) -> Self {
        Self {
            master: Master::new(Setup {
                seed: 1,
                window: 100,
                tile: 4,
                history: true,
                lasting: false,
            }),
            script: read_script(script.as_bytes()).unwrap().into(),
            history: Vec::new(),
        }
    }

    /// Executes this many statements; every node that is created is there at once.
    fn execute(&mut self, statements: usize) {
        for statement in self.script.drain(..statements) {
            assert!(self.master.is_ready());
            self.master.execute(&statement).unwrap();
            if write(&mut self.master, &mut self.history) {
                self.master.started(Ok(())).unwrap();
                write(&mut self.master, &mut self.history);
            }
        }
    }

    /// Everybody who is asked has opened channels, and is welcome.
    fn connect(&mut self) {
        self.master.pause().unwrap();
        while let Awaits::Word(process) = self.master.awaits() {
            self.say(process, Some(Reply::Opened), Answer::Joined);
        }
    }

    /// A node says this, or nothing and never will; or the observer says that.
    fn say(&mut self, process: Process, reply: Option<Reply>, answer: Answer) {
        let said = match (process, reply) {
            (Process::Observer, _) => self.master.hear_observer(answer),
            (Process::Node(node), Some(reply)) => self.master.hear(node, reply),
            (Process::Node(_), None) => self.master.silent(),
        };
        said.unwrap();
        write(&mut self.master, &mut self.history);
    }
}

/// Keeps what belongs to the history; whether a node is to be started.
fn write(master: &mut Master, history: &mut Vec<Event>) -> bool {
    let mut effects = Vec::new();
    master.swap_effects(&mut effects);
    let mut starts = false;
    for effect in effects {
        starts |= matches!(effect, Effect::StartNode { .. });
        if let Effect::History(event) = effect {
            let (line, what) = *event;
            let time = None;
            history.push(Event {
                line,
                time,
                what,
                extra: Vec::new(),
            });
        }
    }
    starts
}

#[test]
fn what_the_dead_sent_each_other_is_inferred_where_the_living_have_seen_what_followed() {
    let mut run = Run::new(
        "StartMaster\nCreateNode 1 100\nCreateNode 2 500\nCreateNode 3 0\n\
         Send 2 1 400\nReceive 1 2\nSend 1 3 450\nSend 1 2 1\nReceive 3 1\n",
    );
    run.execute(4);
    run.connect();
    run.execute(5);
    for dead in [1, 0] {
        let died = run.master.died(
            Process::Node(Place(dead)),
            Fate::Signal(9),
            LastWords::default(),
        );
        died.unwrap();
    }
    let found = |frames: &[Frame]| Reply::Found {
        frames: frames.to_vec(),
        last: true,
    };
    let received = Reply::Transfer {
        amount: 450,
        balance: 450,
    };
    // Of node 2, of node 1; and then the script goes on.
    let of_the_living = [
        found(&[]),
        found(&[Frame::Message(Transfer(450))]),
        received,
    ];
    let mut of_the_living = of_the_living.into_iter();
    while let Awaits::Word(process) = run.master.awaits() {
        let is_alive = process == Process::Node(Place(2));
        let reply = is_alive.then(|| of_the_living.next().unwrap());
        run.say(process, reply, Answer::Joined);
    }
    assert!(run.master.is_idle());
    let lines: Vec<u64> = run.history.iter().filter_map(|event| event.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6, 7, 9], "{:?}", run.history);
    assert!(System::link(run.history).is_ok());
}

#[test]
fn a_snapshot_that_failed_its_audit_is_told_and_its_markers_are_owed_no_more() {
    let mut run =
        Run::new("StartMaster\nCreateNode 1 10\nBeginSnapshot 1\nCollectState\nCreateNode 2 20\n");
    run.execute(2);
    run.connect();
    run.execute(1);
    run.say(Process::Node(Place(0)), Some(Reply::Began), Answer::Joined);
    run.execute(1);
    let (snapshot, reason) = (
        SnapshotId(1),
        Unsound::Total {
            deposited: 10,
            found: 9,
        },
    );
    let said = reason.to_string().into();
    run.say(
        Process::Observer,
        None,
        Answer::Unsound { snapshot, reason },
    );
    run.execute(1);
    run.connect();
    let events: Vec<What> = run.history.into_iter().map(|event| event.what).collect();
    let [.., record, audit, create] = &events[..] else {
        panic!("{events:?}");
    };
    assert!(
        matches!(record, What::Record { amount: 10, .. }),
        "{events:?}"
    );
    let (snapshot, verdict) = (history::SnapshotId(1), Err(said));
    assert_eq!(*audit, What::Audit { snapshot, verdict });
    assert!(
        matches!(create, What::Create { amount: 20, .. }),
        "{events:?}"
    );
}
