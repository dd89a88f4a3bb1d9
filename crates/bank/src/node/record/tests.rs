//! Whatever is kept comes back as it was; bytes that nobody has written are refused.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn peers(count: u32) -> Vec<Peer> {
    let peer = |place| Peer {
        place: Place(place),
        id: NodeId(u64::from(place) << 40),
    };
    (0..count).map(peer).collect()
}

fn records() -> Vec<Record> {
    let (to, from, amount) = (Place(3), Place(300), u64::MAX);
    let (snapshot, first, last) = (SnapshotId(1), SnapshotId(2), SnapshotId(1 << 40));
    let opening = Opening {
        outgoing: peers(3),
        incoming: peers(200),
        owing: true,
    };
    vec![
        Record::Send { to, amount },
        Record::Receive {
            from,
            frame: Frame::Message(Transfer(7)),
        },
        Record::Receive {
            from,
            frame: Frame::Marker(snapshot),
        },
        Record::Begin { snapshot },
        Record::Open(Box::new(Opening {
            outgoing: Vec::new(),
            incoming: Vec::new(),
            owing: false,
        })),
        Record::Open(Box::new(opening)),
        Record::Forget { first, last },
        Record::Report,
        Record::Ahead { from, frames: 9 },
        Record::Load {
            seed: u64::MAX,
            quota: None,
        },
        Record::Load {
            seed: 0,
            quota: Some(5),
        },
        Record::Rest,
        Record::Round,
        Record::Take { snapshot },
        Record::Over { last },
    ]
}

#[test]
fn every_record_comes_back_and_a_part_of_it_is_none() {
    for record in records() {
        let mut out = Vec::new();
        record.put(&mut out);
        let mut bytes = Bytes(&out);
        let Entry::Record(back) = Entry::read(&mut bytes).unwrap() else {
            panic!("{record:?}");
        };
        assert_eq!(back, record);
        assert!(bytes.0.is_empty());
        let mut bytes = Bytes(&out);
        let passed = Passed::read(&mut bytes).map(|it| match it {
            Passed::Sent { to, amount } => Record::Send { to, amount },
            Passed::Received { from, transfer } => Record::Receive {
                from,
                frame: Frame::Message(transfer),
            },
        });
        let is_transfer = matches!(
            record,
            Record::Send { .. }
                | Record::Receive {
                    frame: Frame::Message(_),
                    ..
                }
        );
        assert_eq!(passed, is_transfer.then_some(record.clone()));
        assert_eq!(bytes.0.is_empty(), is_transfer, "else nothing is read");
        for end in 0..out.len() {
            assert!(Entry::read(&mut Bytes(&out[..end])).is_err(), "{record:?}");
            assert!(
                Passed::read(&mut Bytes(&out[..end])).is_none(),
                "{record:?}"
            );
        }
    }
}

#[test]
fn a_run_takes_a_byte_a_small_transfer_and_comes_back_with_its_marker() {
    let marker = Frame::Marker(SnapshotId(5));
    let frames = |count: u64| (0..count).map(|amount| Frame::Message(Transfer(amount % 100)));
    for count in [0, 1, 127, 128, 20_000] {
        for has_marker in [false, true] {
            let marker = has_marker.then_some(marker);
            let all = || frames(count).chain(marker);
            let mut out = vec![0xaa];
            let from = Incoming(40);
            let taken = put_run(&mut out, from, all(), |seen| seen.count() as u64);
            assert_eq!(taken, count + u64::from(has_marker));
            assert!(out.len() as u64 <= count + 8, "{}", out.len());
            if taken == 0 {
                assert_eq!(out, [0xaa], "of nothing nothing is kept");
                continue;
            }
            put_batch(&mut out, Outgoing(2), 128);
            let mut bytes = Bytes(&out[1..]);
            let Entry::Run(found, mut run) = Entry::read(&mut bytes).unwrap() else {
                panic!("{count}");
            };
            assert_eq!(found, from);
            assert!(run.by_ref().eq(all()), "{count}");
            run.end().unwrap();
            let batch = Entry::read(&mut bytes).unwrap();
            assert!(
                matches!(
                    batch,
                    Entry::Batch {
                        to: Outgoing(2),
                        transfers: 128
                    }
                ),
                "{batch:?}"
            );
            assert!(bytes.0.is_empty());
        }
    }
}

#[test]
fn a_run_that_breaks_off_is_an_error() {
    let mut out = Vec::new();
    let frames = [9, 300].map(|amount| Frame::Message(Transfer(amount)));
    let all = frames.into_iter().chain([Frame::Marker(SnapshotId(1))]);
    put_run(&mut out, Incoming(0), all, |seen| seen.count());
    for end in 2..out.len() {
        let mut bytes = Bytes(&out[..end]);
        let Ok(Entry::Run(_, mut run)) = Entry::read(&mut bytes) else {
            panic!("{end}");
        };
        run.by_ref().for_each(drop);
        assert!(run.end().is_err(), "{end}");
    }
}

#[test]
fn garbage_is_an_error_or_an_entry_and_never_anything_else() {
    for seed in 0..20_000 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut garbage = vec![0; random.next_u32() as usize % 60];
        random.fill_bytes(&mut garbage);
        let mut bytes = Bytes(&garbage);
        while !bytes.0.is_empty() {
            match Entry::read(&mut bytes) {
                Ok(Entry::Run(_, mut run)) => run.by_ref().for_each(drop),
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }
}
