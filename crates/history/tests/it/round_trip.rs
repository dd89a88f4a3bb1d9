//! Whatever is written is read back: random events of every kind, with the strings and numbers that
//! are most likely to go wrong.
//!
//! `PIPEBANK_SEED=n cargo test -p pipebank-history --test it round_trip::` runs just the n-th history.

use history::{
    Amount, Channel, ChannelState, Event, Extra, Header, ProcessId, ProcessState, Reader,
    SnapshotId, Tally, Text, What, write_event, write_header,
};

const HISTORIES: u64 = 300;
const EVENTS: usize = 60;
/// The kinds of events.
const KINDS: u64 = 17;

#[test]
fn whatever_is_written_is_read_back() {
    let seeds = match std::env::var("PIPEBANK_SEED") {
        Ok(seed) => seed.parse().unwrap()..=seed.parse().unwrap(),
        Err(_) => 1..=HISTORIES,
    };
    for seed in seeds {
        let mut random = Random(seed);
        let header = Header {
            seed: random.maybe(Random::number),
            script: random.maybe(Random::text),
            sha256: random.maybe(Random::text),
            // What is opaque is read as 0.
            is_opaque: false,
            total: random.maybe(Random::amount),
            is_signed: true,
            extra: random.extra(),
        };
        // Every kind, then whatever comes.
        let kinds = (0..KINDS).chain((0..EVENTS).map(|_| random.below(KINDS)).collect::<Vec<_>>());
        let events: Vec<Event> = kinds.map(|kind| random.event(kind)).collect();
        let mut written = Vec::new();
        write_header(&mut written, &header);
        for event in &events {
            write_event(&mut written, event);
        }
        let again = format!("again: PIPEBANK_SEED={seed}");
        let lines = written.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines, events.len() + 1, "{again}");
        let mut reader = Reader::new(&written[..]).unwrap();
        assert_eq!(reader.header(), &header, "{again}");
        for event in &events {
            let read = reader.next_event();
            let read = read.unwrap_or_else(|error| panic!("{error}: {event:?}; {again}"));
            assert_eq!(read.as_ref(), Some(event), "{again}");
        }
        assert_eq!(reader.next_event().unwrap(), None, "{again}");
        assert!(!reader.is_truncated(), "{again}");
    }
}

/// SplitMix64: what a test needs, and no more.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.bits() % limit
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(3) > 0).then(|| make(self))
    }

    fn list<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(5)).map(|_| make(self)).collect()
    }

    /// At the limits, around what a double holds, or anywhere.
    fn number(&mut self) -> u64 {
        match self.below(6) {
            0 => self.below(3),
            1 => u64::MAX - self.below(3),
            2 => (1 << 53) + self.below(3) - 1,
            3 => i64::MAX as u64 + self.below(3),
            4 => self.below(1000),
            _ => self.bits(),
        }
    }

    fn sum(&mut self) -> i128 {
        match self.below(3) {
            0 => i128::MAX - i128::from(self.below(3)),
            1 => i128::from(u64::MAX) + i128::from(self.below(3)),
            _ => i128::from(self.number()),
        }
    }

    fn text(&mut self) -> Text {
        const PIECES: [&str; 14] = [
            "\"",
            "\\",
            "\n",
            "\r\n",
            "\0",
            "\u{1b}[31m",
            "\u{7f}",
            "\u{2028}",
            "<script>",
            "é",
            "→",
            "\u{feff}",
            "🏦",
            "\u{10ffff}",
        ];
        let pieces = (0..self.below(8)).map(|_| match self.below(2) {
            0 => PIECES[self.below(PIECES.len() as u64) as usize].to_owned(),
            _ => {
                char::from_u32(self.below(0x11_0000) as u32).map_or_else(String::new, String::from)
            }
        });
        pieces.collect::<String>().into()
    }

    fn process(&mut self) -> ProcessId {
        ProcessId(self.number())
    }

    fn snapshot(&mut self) -> SnapshotId {
        SnapshotId(self.number())
    }

    fn channel(&mut self) -> Channel {
        let from = self.process();
        // There is none from a process to itself.
        let to = ProcessId(from.0 ^ (1 << self.below(64)));
        Channel { from, to }
    }

    /// Of either sign.
    fn amount(&mut self) -> Amount {
        let amount = Amount::from(self.number());
        if self.below(2) == 0 { amount } else { -amount }
    }

    fn tally(&mut self) -> Tally {
        Tally {
            process: self.process(),
            messages: self.number(),
            sum: self.sum(),
        }
    }

    fn event(&mut self, kind: u64) -> Event {
        Event {
            line: self.maybe(Self::number),
            time: self.maybe(Self::number),
            what: self.what(kind),
            extra: self.extra(),
        }
    }

    /// Of one event in four: a key like those of an event, and a value that has such a key inside.
    fn extra(&mut self) -> Extra {
        let text = serde_json::to_string(&*self.text()).unwrap();
        let value = format!(r#"{{"x-":[{text},1.50],"amount":null}}"#);
        let extra = [("x-event".to_owned(), text), ("x-\"\n".to_owned(), value)];
        let count = self.below(8).saturating_sub(5);
        extra.into_iter().take(count as usize).collect()
    }

    fn what(&mut self, kind: u64) -> What {
        let (process, channel, snapshot) = (self.process(), self.channel(), self.snapshot());
        let (amount, inferred) = (self.amount(), self.below(2) == 0);
        // Counted from 1.
        let number = self.number().max(1);
        match kind {
            0 => What::Start { sparse: inferred },
            14 => What::Connect { channel },
            15 => What::Local {
                process,
                text: self.text(),
            },
            1 => What::Create {
                process,
                name: self.maybe(Self::text),
                amount,
            },
            2 => What::Send {
                channel,
                amount,
                number,
                inferred,
            },
            3 => What::Receive {
                channel,
                amount,
                number,
            },
            4 => What::Refuse { channel, amount },
            5 => What::Begin {
                process,
                snapshot,
                members: self.list(Self::process),
            },
            6 => What::Record {
                process,
                snapshot,
                amount,
                sent: self.list(Self::tally),
                received: self.list(Self::tally),
            },
            7 => What::MarkerSent {
                channel,
                snapshot,
                inferred,
            },
            8 => What::MarkerReceived { channel, snapshot },
            9 => What::ChannelClosed { channel, snapshot },
            10 => What::Collect {
                snapshot,
                states: self.list(|random| ProcessState {
                    process: random.process(),
                    amount: random.amount(),
                }),
                channels: self.list(|random| {
                    let Channel { from, to } = random.channel();
                    let amounts = random.list(Self::amount);
                    ChannelState { from, to, amounts }
                }),
            },
            11 => What::Audit {
                snapshot,
                verdict: match inferred {
                    true => Ok(amount),
                    false => Err(self.text()),
                },
            },
            12 => What::Death {
                process: self.maybe(Self::process),
                reason: self.text(),
            },
            16 => What::Restarted {
                process: self.maybe(Self::process),
                incarnation: self.number(),
            },
            _ => What::End,
        }
    }
}
