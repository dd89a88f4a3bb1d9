//! How fast, and in how much memory: `cargo test --release -p pipebank-history --test speed --
//! --ignored --nocapture`. It has a program of its own, since it measures the memory of its process.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::io::{BufReader, Read};
use std::time::Instant;

use history::{
    Channel, Event, Header, Overall, ProcessId, ProcessState, Reader, Replay, SnapshotId, Tally,
    Verifier, What, write_event, write_header,
};

const PROCESSES: u64 = 8;
const EVENTS: u64 = 1_000_000;

#[test]
#[ignore = "it takes seconds, and means something only with --release"]
fn a_million_events_take_seconds_and_no_memory() {
    let mut reader = Reader::new(BufReader::with_capacity(1 << 16, Run::new())).unwrap();
    let begun = Instant::now();
    let mut verifier = Verifier::new();
    let mut events = 0_u64;
    while let Some(event) = reader.next_event().unwrap() {
        verifier.on_event(&event, reader.line());
        events += 1;
    }
    let report = verifier.finish();
    let seconds = begun.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    let snapshots = report.snapshots.len();
    println!(
        "{events} events, {snapshots} snapshots: {seconds:.2} s written, read and verified; {peak:?}"
    );
    assert!(events >= EVENTS && snapshots > 100);
    assert_eq!(report.overall(), Overall::Valid);
}

#[test]
#[ignore = "it takes seconds, and means something only with --release"]
fn replaying_a_million_events_takes_less_than_a_second() {
    let events: Vec<Event> = Reader::new(BufReader::new(Run::new()))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let begun = Instant::now();
    let replay: Replay = events.iter().collect();
    let seconds = begun.elapsed().as_secs_f64();
    println!("{} events: {seconds:.3} s replayed", events.len());
    assert!(!replay.is_running() && seconds < 1.0);
}

/// A history that is made while it is read: everybody sends to everybody else, 1 at a time, takes
/// it one round later, and every now and then there is a snapshot.
struct Run {
    bytes: VecDeque<u8>,
    events: u64,
    rounds: u64,
}

impl Run {
    fn new() -> Self {
        let mut run = Self {
            bytes: VecDeque::new(),
            events: 0,
            rounds: 0,
        };
        let mut bytes = Vec::new();
        write_header(&mut bytes, &Header::default());
        run.bytes.extend(bytes);
        run.tell(What::Start);
        for process in 0..PROCESSES {
            let amount = 1000;
            let process = ProcessId(process);
            run.tell(What::Create { process, amount });
        }
        run
    }

    fn tell(&mut self, what: What) {
        self.events += 1;
        let mut bytes = Vec::new();
        let event = Event {
            line: Some(self.events),
            time: None,
            what,
        };
        write_event(&mut bytes, &event);
        self.bytes.extend(bytes);
    }

    fn round(&mut self) {
        self.rounds += 1;
        let (number, amount) = (self.rounds, 1);
        for channel in channels() {
            self.tell(What::Send {
                channel,
                amount,
                number,
                inferred: false,
            });
        }
        if number.is_multiple_of(60) {
            self.snapshot(SnapshotId(number / 60));
        } else {
            self.receive();
        }
        if self.events >= EVENTS {
            self.tell(What::End);
        }
    }

    fn receive(&mut self) {
        let number = self.rounds;
        for channel in channels() {
            self.tell(What::Receive {
                channel,
                amount: 1,
                number,
            });
        }
    }

    /// All begin it at once, with a message in transit on every channel.
    fn snapshot(&mut self, snapshot: SnapshotId) {
        let amount = 1000 - (PROCESSES - 1);
        for process in (0..PROCESSES).map(ProcessId) {
            let tallies = |messages| {
                let peers = (0..PROCESSES)
                    .map(ProcessId)
                    .filter(|peer| *peer != process);
                let tallies = peers.map(|process| Tally {
                    process,
                    messages,
                    sum: messages.into(),
                });
                tallies.collect()
            };
            self.tell(What::Begin { process, snapshot });
            self.tell(What::Record {
                process,
                snapshot,
                amount,
                sent: tallies(self.rounds),
                received: tallies(self.rounds - 1),
            });
            for channel in channels().filter(|channel| channel.from == process) {
                self.tell(What::MarkerSent {
                    channel,
                    snapshot,
                    inferred: false,
                });
            }
        }
        self.receive();
        for channel in channels() {
            self.tell(What::MarkerReceived { channel, snapshot });
            self.tell(What::ChannelClosed { channel, snapshot });
        }
        let states = (0..PROCESSES).map(ProcessId);
        let states = states.map(|process| ProcessState { process, amount });
        let in_transit = channels().map(|channel| history::ChannelState {
            from: channel.from,
            to: channel.to,
            amounts: vec![1],
        });
        self.tell(What::Collect {
            snapshot,
            states: states.collect(),
            channels: in_transit.collect(),
        });
        let verdict = Ok(1000 * PROCESSES);
        self.tell(What::Audit { snapshot, verdict });
    }
}

fn channels() -> impl Iterator<Item = Channel> {
    let all = (0..PROCESSES).flat_map(|from| (0..PROCESSES).map(move |to| (from, to)));
    let all = all.filter(|(from, to)| from != to);
    all.map(|(from, to)| Channel {
        from: ProcessId(from),
        to: ProcessId(to),
    })
}

impl Read for Run {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.bytes.is_empty() && self.events < EVENTS {
            self.round();
        }
        self.bytes.read(buffer)
    }
}
