//! The rule for deaths, case by case: what master makes of what the living have seen.

use std::fmt::Write as _;

use super::super::{Awaits, Effect, Fate, LastWords, Master, Process, Setup};
use crate::account::Transfer;
use crate::id::Place;
use crate::member::Frame;
use crate::messages::{Answer, Instruction, Reply};
use crate::script::read_script;
use snapshot::SnapshotId;

/// A master with everything of a script issued, whose other processes the test plays.
struct Played {
    master: Master,
    /// Instructions that nobody has answered, in order.
    asked: Vec<(Place, Instruction)>,
    /// What was shown and reported, and what the history says.
    shown: String,
}

impl Played {
    /// Two or more nodes are created and connected; everything behind that is in flight.
    fn new(script: &str) -> Self {
        let mut played = Self {
            master: Master::new(Setup {
                seed: 1,
                window: 5_000,
                tile: 16,
                history: true,
                lasting: false,
            }),
            asked: Vec::new(),
            shown: String::new(),
        };
        for statement in read_script(script.as_bytes()).unwrap() {
            while !played.master.is_ready() {
                played.welcome();
            }
            played.master.execute(&statement).unwrap();
            played.follow();
            while played
                .asked
                .iter()
                .any(|(_, it)| matches!(it, Instruction::Open(_)))
            {
                played.welcome();
            }
        }
        played.shown.clear();
        played
    }

    /// The next of what is answered as a matter of course.
    fn welcome(&mut self) {
        match self.master.awaits() {
            Awaits::Word(Process::Observer) => self.master.hear_observer(Answer::Joined).unwrap(),
            Awaits::Word(Process::Node(node)) => {
                let next = self.asked.iter().position(|(asked, _)| *asked == node);
                let (_, instruction) = self.asked.remove(next.unwrap());
                assert!(
                    matches!(instruction, Instruction::Open(_)),
                    "{instruction:?}"
                );
                self.master.hear(node, Reply::Opened).unwrap();
            }
            awaits => panic!("{awaits:?}"),
        }
        self.follow();
    }

    fn follow(&mut self) {
        let mut effects = Vec::new();
        loop {
            self.master.swap_effects(&mut effects);
            if effects.is_empty() {
                return;
            }
            for effect in effects.drain(..) {
                match effect {
                    Effect::StartNode { .. } => self.master.started(Ok(())).unwrap(),
                    Effect::Instruct(node, instruction) => self.asked.push((node, instruction)),
                    Effect::Open(node, opening) => {
                        self.asked.push((node, Instruction::Open(opening)));
                    }
                    Effect::Fail { line, failed } => {
                        writeln!(self.shown, "{line}: {}: {}", failed.0, failed.1).unwrap();
                    }
                    Effect::Notify(notice) => writeln!(self.shown, "{notice}").unwrap(),
                    Effect::Show { line, shown } => {
                        writeln!(self.shown, "{line}: {shown:?}").unwrap();
                    }
                    _ => {}
                }
            }
        }
    }

    fn reply(&mut self, node: u32, reply: Reply) {
        assert_eq!(
            self.master.awaits(),
            Awaits::Word(Process::Node(Place(node)))
        );
        self.master.hear(Place(node), reply).unwrap();
        self.follow();
    }

    fn dies(&mut self, node: u32) {
        let process = Process::Node(Place(node));
        self.master
            .died(process, Fate::Signal(9), LastWords::default())
            .unwrap();
        self.follow();
    }

    fn silent(&mut self, node: u32, times: usize) {
        for _ in 0..times {
            assert_eq!(
                self.master.awaits(),
                Awaits::Word(Process::Node(Place(node)))
            );
            self.master.silent().unwrap();
            self.follow();
        }
    }

    fn found(&mut self, reader: u32, frames: &[Frame]) {
        let frames = frames.to_vec();
        self.reply(reader, Reply::Found { frames, last: true });
    }

    fn in_transit(&self, from: u32, to: u32) -> Vec<Frame> {
        self.master.in_transit(Place(from), Place(to)).collect()
    }
}

fn transfer(amount: u64) -> Frame {
    Frame::Message(Transfer(amount))
}

/// One node has relayed a marker and sent more, and is killed before its replies are read: the marker
/// is in its channel, and the transfer behind it can be received.
#[test]
fn a_marker_that_a_dead_node_has_relayed_stays_in_its_channel() {
    let mut it = Played::new(
        "StartMaster\nCreateNode 1 1000\nCreateNode 2 1000\nCreateNode 3 0\nSend 1 2 5\n\
         BeginSnapshot 1\n",
    );
    it.reply(0, Reply::Sent { balance: 995 });
    it.reply(0, Reply::Began);
    for statement in read_script(
        b"StartMaster\nCreateNode 1 1\nCreateNode 2 1\nCreateNode 3 1\nReceive 2 1\nReceive 2 1\n\
          Send 2 3 1000\n",
    )
    .unwrap()
    .drain(4..)
    {
        it.master.execute(&statement).unwrap();
        it.follow();
    }
    let balance = 1005;
    it.reply(1, Reply::Transfer { amount: 5, balance });
    it.shown.clear();
    it.dies(1);
    it.silent(1, 2);
    it.found(0, &[Frame::Marker(SnapshotId(1))]);
    it.found(2, &[Frame::Marker(SnapshotId(1)), transfer(1000)]);
    assert!(
        it.shown.contains("Marker { node: NodeId(2)"),
        "{}",
        it.shown
    );
    assert!(
        it.shown.contains("lost with node 2: its balance of 5\n"),
        "{}",
        it.shown
    );
    let marker = Frame::Marker(SnapshotId(1));
    assert_eq!(it.in_transit(1, 2), [marker, transfer(1000)]);
    assert_eq!(it.in_transit(1, 0), [marker]);
    assert_eq!(it.in_transit(0, 1), []);
    assert!(!it.shown.contains("Send 2 3 1000"), "{}", it.shown);
}

/// Of two sends that were not answered the first must have been refused: the second has arrived.
#[test]
fn a_send_that_a_dead_node_must_have_refused_is_refused() {
    let rich = u64::MAX - 10;
    let mut it = Played::new(&format!(
        "StartMaster\nCreateNode 1 {rich}\nCreateNode 2 0\nSend 1 2 {}\nSend 1 2 7\n",
        u64::MAX
    ));
    it.dies(0);
    it.silent(0, 2);
    it.found(1, &[transfer(7)]);
    assert_eq!(
        it.shown,
        format!(
            "node 1 died (killed by signal 9)\n\
             4: Refused {{ from: NodeId(1), to: NodeId(2), amount: {}, balance: {rich} }}\n\
             lost with node 1: its balance of {}\n",
            u64::MAX,
            rich - 7
        )
    );
    assert_eq!(it.in_transit(0, 1), [transfer(7)]);
}

/// What the dead have done of which nothing was seen, they have not done.
#[test]
fn of_what_nobody_has_seen_nothing_was_carried_out() {
    let mut it =
        Played::new("StartMaster\nCreateNode 1 100\nCreateNode 2 0\nSend 1 2 30\nSend 1 2 40\n");
    it.dies(0);
    it.silent(0, 2);
    it.found(1, &[transfer(30)]);
    assert_eq!(
        it.shown,
        "node 1 died (killed by signal 9)\n5: Send 1 2 40: node 1 died (killed by signal 9)\n\
         lost with node 1: its balance of 70\n"
    );
}

/// What was sent before something that was seen, and is not there, was never written.
#[test]
fn what_was_sent_before_something_that_is_there_was_sent() {
    let mut it = Played::new(
        "StartMaster\nCreateNode 1 100\nCreateNode 2 0\nCreateNode 3 0\nSend 1 2 30\nSend 1 3 40\n",
    );
    it.dies(0);
    it.silent(0, 2);
    it.found(1, &[]);
    it.found(2, &[transfer(40)]);
    assert_eq!(
        it.shown,
        "node 1 died (killed by signal 9)\nlost with node 1: its balance of 30, 1 transfer (30 in \
         all) of its own that it had not written\n"
    );
}

/// One dead node has passed on what it had from another: so both have done what that takes, or else
/// the second would have had nothing to send.
#[test]
fn what_one_of_the_dead_had_from_another_the_other_had_sent() {
    let mut it = Played::new(
        "StartMaster\nCreateNode 1 100\nCreateNode 2 0\nCreateNode 3 0\nSend 1 2 30\nReceive 2 1\n\
         Send 2 3 30\n",
    );
    it.dies(0);
    it.dies(1);
    it.silent(0, 1);
    it.silent(1, 2);
    it.found(2, &[]);
    it.found(2, &[transfer(30)]);
    assert_eq!(
        it.shown,
        "node 1 died (killed by signal 9)\nnode 2 died (killed by signal 9)\n\
         6: Transfer { node: NodeId(2), from: NodeId(1), amount: 30 }\n\
         lost with node 1: its balance of 70\nlost with node 2: its balance of 0\n"
    );
}

/// One dead node has found nothing where another had sent something, and has said so: it could not
/// send that on, and its next send shows it.
#[test]
fn one_of_the_dead_may_have_found_the_end_of_the_others_channel() {
    let mut it = Played::new(
        "StartMaster\nCreateNode 1 100\nCreateNode 2 9\nCreateNode 3 0\nSend 1 2 30\nReceive 2 1\n\
         Send 2 3 30\nSend 2 3 9\n",
    );
    it.reply(0, Reply::Sent { balance: 70 });
    it.reply(1, Reply::Ended);
    assert_eq!(it.asked.last(), Some(&(Place(1), Instruction::Resume)));
    it.dies(0);
    it.dies(1);
    it.silent(1, 2);
    it.found(2, &[]);
    it.found(2, &[transfer(9)]);
    assert_eq!(
        it.shown,
        "node 1 died (killed by signal 9)\nnode 2 died (killed by signal 9)\n\
         6: Receive 2 1: nothing more to receive from node 1: node 1 died (killed by signal 9)\n\
         7: Refused { from: NodeId(2), to: NodeId(3), amount: 30, balance: 9 }\n\
         lost with node 1: its balance of 70, 1 transfer (30 in all) of its own that it had not \
         written\nlost with node 2: its balance of 0\n"
    );
}

/// One may keep his reply to himself while he waits for another, who has halted at an end: so that
/// end is heard of before its turn.
#[test]
fn once_somebody_is_dead_an_end_is_heard_of_whoevers_turn_it_is() {
    let mut it = Played::new(
        "StartMaster\nCreateNode 1 100\nCreateNode 2 9\nCreateNode 3 50\nSend 1 2 30\nSend 3 1 1\n\
         Receive 2 1\nSend 2 3 9\n",
    );
    it.reply(0, Reply::Sent { balance: 70 });
    it.dies(0);
    let third = Awaits::Word(Process::Node(Place(2)));
    assert_eq!(it.master.awaits(), third);
    it.master.hear(Place(1), Reply::Ended).unwrap();
    it.follow();
    assert_eq!(it.asked.last(), Some(&(Place(1), Instruction::Resume)));
    assert_eq!(it.master.awaits(), third);
    it.reply(2, Reply::Sent { balance: 49 });
    it.reply(1, Reply::Sent { balance: 0 });
    for node in [1, 2] {
        it.found(node, &[]);
    }
    assert_eq!(it.in_transit(1, 2), [transfer(9)]);
}

/// Two died at once and a third had waited for hundreds of frames of each: it has found the ends in
/// the middle, has said so, and what it has done since shows what it had received.
#[test]
fn the_ends_of_two_channels_may_be_anywhere() {
    let (many, written) = (400, 200);
    let mut script = "StartMaster\nCreateNode 1 400000\nCreateNode 2 1000\nCreateNode 3 0\n\
                      CreateNode 4 0\n"
        .to_owned();
    script += &"Send 1 3 1000\nSend 2 3 1\n".repeat(many);
    script += &"Receive 3 1\nReceive 3 2\n".repeat(many);
    script += "Send 3 4 200201\nSend 3 4 200200\n";
    let mut it = Played::new(&script);
    for sent in 1..=many as u64 {
        let balances = [400_000 - 1000 * sent, 1000 - sent];
        it.reply(
            0,
            Reply::Sent {
                balance: balances[0],
            },
        );
        it.reply(
            1,
            Reply::Sent {
                balance: balances[1],
            },
        );
    }
    for received in 1..=written {
        for (amount, balance) in [(1000, received * 1001 - 1), (1, received * 1001)] {
            it.reply(2, Reply::Transfer { amount, balance });
        }
    }
    it.reply(2, Reply::Ended);
    it.dies(0);
    it.dies(1);
    it.reply(2, Reply::Ended);
    it.dies(2);
    it.silent(2, 2 * (many - written as usize));
    for frames in [&[][..], &[], &[transfer(200_200)]] {
        it.found(3, frames);
    }
    let reported: Vec<&str> = it.shown.lines().rev().take(3).collect();
    assert_eq!(
        reported,
        [
            "lost with node 3: its balance of 0",
            "lost with node 2: its balance of 600, 200 transfers (200 in all) of its own that it had \
             not written",
            "lost with node 1: its balance of 0, 200 transfers (200000 in all) of its own that it had \
             not written",
        ]
    );
}

/// Behind an end of which master has not heard nothing can have been carried out: what comes from
/// behind it is a lie.
#[test]
fn behind_an_end_that_was_not_heard_of_nothing_was_carried_out() {
    let mut it = Played::new(
        "StartMaster\nCreateNode 1 100\nCreateNode 2 9\nCreateNode 3 0\nSend 1 2 30\nReceive 2 1\n\
         Send 2 3 30\nSend 2 3 9\n",
    );
    it.reply(0, Reply::Sent { balance: 70 });
    it.dies(0);
    it.dies(1);
    it.silent(1, 3);
    it.found(2, &[]);
    let frames = vec![transfer(9)];
    let heard = it
        .master
        .hear(Place(2), Reply::Found { frames, last: true });
    assert!(heard.is_err_and(|broken| broken.to_string().contains("node 2")));
}

/// What nobody can have sent is no death but a lie.
#[test]
fn what_no_prefix_explains_cannot_be() {
    let mut it = Played::new("StartMaster\nCreateNode 1 100\nCreateNode 2 0\nSend 1 2 30\n");
    it.dies(0);
    it.silent(0, 1);
    let frames = vec![transfer(31)];
    let heard = it
        .master
        .hear(Place(1), Reply::Found { frames, last: true });
    assert!(heard.is_err_and(|broken| broken.to_string().contains("node 1")));
}
