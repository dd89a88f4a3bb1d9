//! Both things that go through a hatch, in any order.

use std::collections::VecDeque;

use pipes::{Fill, HandOver, Hatch, RawEnd, pipe};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::common::{seeds, send};

/// What was sent and not taken yet: a word, or nothing but ends; and the other ends of their pipes.
type Sent = (Option<u32>, Vec<RawEnd>);

#[test]
fn hand_overs_and_announcements_keep_their_order_whoever_is_faster() {
    for seed in seeds(200) {
        let failed = format!("again: PIPEBANK_SEED={seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (from, to) = Hatch::pair().unwrap();
        let mut sent: VecDeque<Sent> = VecDeque::new();
        for number in 0..60 {
            if random.random() {
                let count = random.random_range(0..4);
                let (given, kept): (Vec<_>, Vec<_>) = (0..count)
                    .map(|_| pipe().unwrap())
                    .map(|ends| (ends.write, ends.read))
                    .unzip();
                let word = random.random::<bool>().then_some(number);
                let outcome = match word {
                    Some(number) => from.announce(&number, given),
                    None => from.hand_over(given),
                };
                assert!(matches!(outcome.unwrap(), HandOver::Done), "{failed}");
                sent.push_back((word, kept));
                continue;
            }
            let Some((word, kept)) = sent.pop_front() else {
                assert!(to.next::<u32>().unwrap().is_none(), "{failed}");
                continue;
            };
            let ends = match word {
                Some(number) => {
                    let (said, ends) = to.next::<u32>().unwrap().expect(&failed);
                    assert_eq!(said, number, "{failed}");
                    ends
                }
                None => to.take(kept.len()).expect(&failed),
            };
            assert_eq!(ends.len(), kept.len(), "{failed}");
            for (end, read) in ends.into_iter().zip(kept) {
                send(&mut end.into_sender(), &number);
                let mut read = read.into_receiver::<u32>();
                assert_eq!(read.fill().unwrap(), Fill::More);
                assert_eq!(read.next_frame().unwrap(), Some(number), "{failed}");
            }
        }
    }
}
