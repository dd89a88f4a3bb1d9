//! What single steps cost, one by one (criterion): the frame codec, the tally, the recorder, the
//! audit, the parser. `cargo bench -p pipebank-bench`, with `-- audit` for some of them.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::hint::black_box;

use bank::account::Transfer;
use bank::member::Frame;
use bank::script::{Checker, LineSplitter};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use snapshot::{Part, Recorder, SnapshotId, Tally};

/// Frames, messages or lines of one measurement: enough to hide the loop around it.
const MANY: u64 = 1024;

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    group.throughput(Throughput::Elements(MANY));
    let frames: Vec<Frame> = (0..MANY).map(|n| Frame::Message(Transfer(n))).collect();
    let mut out = Vec::new();
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            out.clear();
            for frame in &frames {
                pipes::encode(black_box(frame), &mut out).unwrap();
            }
            out.len()
        });
    });
    assert_eq!(out.len() as u64, 14 * MANY);
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            let mut rest = black_box(&out[..]);
            while let Some((frame, length)) = pipes::decode::<Frame>(rest).unwrap() {
                black_box(frame);
                rest = &rest[length..];
            }
        });
    });
    group.finish();
}

fn tally(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tally");
    group.throughput(Throughput::Elements(MANY));
    group.bench_function("extend", |bencher| {
        let mut tally = Tally::default();
        bencher.iter(|| {
            for value in 0..MANY {
                tally.extend(black_box(value));
            }
            tally.digest
        });
    });
    group.finish();
}

/// A process in a mesh of 16.
fn recorder() -> Recorder<u64, u64, u64> {
    let mut recorder = Recorder::new();
    for peer in 1..16 {
        recorder.open_in(peer);
        let owed = recorder.open_out(peer);
        assert!(owed.is_empty());
    }
    recorder
}

fn recorder_on_message(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recorder/on_message");
    group.throughput(Throughput::Elements(MANY));
    group.bench_function("no snapshot in progress", |bencher| {
        let mut recorder = recorder();
        bencher.iter(|| {
            for amount in 0..MANY {
                recorder.on_message(black_box(1 + amount % 15), &amount);
            }
        });
    });
    group.bench_function("a snapshot in progress", |bencher| {
        let begun = || {
            let mut recorder = recorder();
            let markers = recorder.begin(SnapshotId(1), &1000).unwrap();
            assert_eq!(markers.id(), SnapshotId(1));
            recorder
        };
        let record = |mut recorder: Recorder<u64, u64, u64>| {
            for amount in 0..MANY {
                recorder.on_message(black_box(1 + amount % 15), &amount);
            }
            recorder
        };
        bencher.iter_batched(begun, record, BatchSize::SmallInput);
    });
    group.finish();
}

/// A consistent snapshot of a mesh: 20 messages on each channel, the last 4 in transit.
fn parts(nodes: u64) -> BTreeMap<u64, Part<u64, u64>> {
    let part = |node: u64| {
        let mut part = Part::default();
        for peer in (1..=nodes).filter(|peer| *peer != node) {
            part.sent.insert(peer, Tally::default().extended_by(0..20));
            let received = Tally::default().extended_by(0..16);
            part.received.insert(peer, received);
            part.channels.insert(peer, (16..20).collect());
        }
        part
    };
    (1..=nodes).map(|node| (node, part(node))).collect()
}

fn audit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("audit");
    for nodes in [16, 64] {
        let parts = parts(nodes);
        group.bench_function(format!("{nodes} nodes"), |bencher| {
            bencher.iter(|| snapshot::audit(black_box(&parts), |amount| *amount).unwrap());
        });
    }
    group.finish();
}

fn parser(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("script");
    group.throughput(Throughput::Elements(MANY));
    let mut checker = Checker::new();
    for (number, line) in (1..).zip(["StartMaster", "CreateNode 1 10", "CreateNode 2 10"]) {
        checker.line(number, line.as_bytes()).unwrap();
    }
    assert_eq!(checker.ids().count(), 2);
    let text = "Send 1 2 300\nReceive 2 1\n".repeat(MANY as usize / 2);
    group.bench_function("line", |bencher| {
        bencher.iter(|| {
            let mut splitter = LineSplitter::new();
            splitter.push(black_box(text.as_bytes()));
            while let Some(line) = splitter.next_line() {
                black_box(checker.line(line.number, line.text).unwrap());
            }
        });
    });
    group.finish();
}

criterion_group!(all, codec, tally, recorder_on_message, audit, parser);
criterion_main!(all);
