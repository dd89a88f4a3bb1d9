//! How fast, and in how much memory: `cargo test --release -p pipebank-history --test speed --
//! --ignored --nocapture`. It has a program of its own, since it measures the memory of its process.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::io::{BufReader, Read};
use std::time::{Duration, Instant};

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
    let mut verifier = Verifier::new().in_any_order();
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

/// Sixty-four times as much takes some 64 times as long, or a few times that where it is beyond all
/// caches and others use the machine; but not 64 × 64 times.
#[test]
#[ignore = "it takes seconds, and means something only with --release"]
fn what_is_never_collected_takes_no_more_than_in_proportion() {
    type Events = fn(u64) -> Vec<What>;
    let cases: [(&str, u64, Events); 4] = [
        ("snapshots begun", 4_000, begun),
        ("complete snapshots", 4_000, complete),
        ("snapshots with a channel open", 4_000, half_open),
        ("processes", 16_000, processes),
    ];
    for (what, count, events) in cases {
        let time = |count| {
            let events = events(count);
            let runs = (0..3).map(|_| verify(&events));
            runs.min().unwrap()
        };
        let (few, many) = (time(count), time(64 * count));
        let times = many.as_secs_f64() / few.as_secs_f64();
        println!("{what}: {count} in {few:.3?}, 64 times as many in {many:.3?}, {times:.1} times");
        assert!(times < 1000.0, "{what}");
    }
}

fn verify(events: &[What]) -> Duration {
    let mut verifier = Verifier::new();
    let began = Instant::now();
    for (what, line) in events.iter().zip(2..) {
        let event = Event {
            line: None,
            time: None,
            what: what.clone(),
            extra: Vec::new(),
        };
        verifier.on_event(&event, line);
    }
    let report = verifier.finish();
    assert_eq!(report.overall(), Overall::Unknown);
    began.elapsed()
}

/// Two processes, and so many times what happens then.
fn two(count: u64, happens: impl Fn(&mut Vec<What>, u64)) -> Vec<What> {
    let mut events = vec![What::Start { sparse: false }];
    for process in [1, 2].map(ProcessId) {
        let amount = 1000;
        events.push(What::Create {
            process,
            name: None,
            amount,
        });
    }
    (1..=count).for_each(|number| happens(&mut events, number));
    events
}

/// Node 1 begins them, and node 2 never takes a marker.
fn begun(count: u64) -> Vec<What> {
    two(count, |events, number| events.extend(begin(number, 1000)))
}

/// Every marker is taken, with a message on its way in either direction.
fn complete(count: u64) -> Vec<What> {
    let [there, back] = channels_of_two();
    two(count, move |events, number| {
        let snapshot = SnapshotId(number);
        events.push(send(there, number));
        events.extend(begin(number, 1000));
        events.push(send(back, number));
        events.push(receive(there, number));
        events.push(What::MarkerReceived {
            channel: there,
            snapshot,
        });
        events.push(record(2, number, 1000));
        events.push(marker(back, number));
        events.push(receive(back, number));
        events.push(What::MarkerReceived {
            channel: back,
            snapshot,
        });
    })
}

/// Node 1 begins them and goes on receiving, and node 2 never takes a marker.
fn half_open(count: u64) -> Vec<What> {
    let [there, back] = channels_of_two();
    two(count, move |events, number| {
        events.extend(begin(number, 1000));
        events.extend([send(back, number), receive(back, number)]);
        events.push(send(there, number));
    })
}

/// Each of them once, and three snapshots.
fn processes(count: u64) -> Vec<What> {
    let mut events = vec![What::Start { sparse: false }];
    for process in (1..=count).map(ProcessId) {
        events.push(What::Create {
            process,
            name: None,
            amount: 0,
        });
        let number = process.0;
        if number <= 3 {
            let snapshot = SnapshotId(number);
            events.push(What::Begin {
                process,
                snapshot,
                members: Vec::new(),
            });
            events.push(record(number, number, 0));
        }
    }
    events
}

fn channels_of_two() -> [Channel; 2] {
    [(1, 2), (2, 1)].map(|(from, to)| Channel {
        from: ProcessId(from),
        to: ProcessId(to),
    })
}

fn begin(number: u64, amount: u64) -> [What; 3] {
    let [there, _] = channels_of_two();
    let (process, snapshot) = (there.from, SnapshotId(number));
    [
        What::Begin {
            process,
            snapshot,
            members: Vec::new(),
        },
        record(1, number, amount),
        marker(there, number),
    ]
}

fn record(process: u64, number: u64, amount: u64) -> What {
    What::Record {
        process: ProcessId(process),
        snapshot: SnapshotId(number),
        amount: amount.into(),
        sent: Vec::new(),
        received: Vec::new(),
    }
}

fn marker(channel: Channel, number: u64) -> What {
    What::MarkerSent {
        channel,
        snapshot: SnapshotId(number),
        inferred: false,
    }
}

fn send(channel: Channel, number: u64) -> What {
    What::Send {
        channel,
        amount: 0,
        number,
        inferred: false,
    }
}

fn receive(channel: Channel, number: u64) -> What {
    What::Receive {
        channel,
        amount: 0,
        number,
    }
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
        run.tell(What::Start { sparse: false });
        for process in 0..PROCESSES {
            let amount = 1000;
            let process = ProcessId(process);
            run.tell(What::Create {
                process,
                name: None,
                amount,
            });
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
            extra: Vec::new(),
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
            self.tell(What::Begin {
                process,
                snapshot,
                members: Vec::new(),
            });
            self.tell(What::Record {
                process,
                snapshot,
                amount: amount.into(),
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
        let states = states.map(|process| ProcessState {
            process,
            amount: amount.into(),
        });
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
        let verdict = Ok((1000 * PROCESSES).into());
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
