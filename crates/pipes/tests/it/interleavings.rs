//! Any interleaving of pushing, flushing, filling and taking, against a queue that does it right.

use std::collections::VecDeque;
use std::panic::{catch_unwind, resume_unwind};

use crate::common::{raw_pipe, seeds};
use pipes::{Fill, Flush, MAX_FRAME, Receiver, Sender};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CASES: u64 = 3_000;
/// Frame header, number, and the payload's length.
const OVERHEAD: usize = 2 + 8 + 8;
const WORD: usize = 8;

/// A number and a payload.
type Frame = (u64, Vec<u64>);

#[test]
fn every_interleaving_delivers_what_was_pushed_once_and_in_order() {
    let (mut cases, mut full, mut partial) = (0, 0, 0);
    for seed in seeds(CASES) {
        match catch_unwind(|| run(seed)) {
            Ok(case) => {
                cases += 1;
                full += case.full_pipes;
                partial += case.partial_frames;
            }
            Err(panic) => {
                println!("run just this again with PIPEBANK_SEED={seed}");
                resume_unwind(panic);
            }
        }
    }
    println!("{cases} cases: {full} times a full pipe, {partial} times a partial frame");
    if cases > 1 {
        // Nothing above means much unless the cases were about something.
        assert!(full > cases && partial > cases);
    }
}

fn run(seed: u64) -> Case {
    let mut case = Case::new(seed);
    for _ in 0..case.random.random_range(20..200) {
        case.step();
    }
    match case.random.random_range(0..3) {
        0 => case.drain(),
        1 => case.lose_the_writer(),
        _ => case.lose_the_reader(),
    }
    case
}

struct Case {
    random: ChaCha8Rng,
    sender: Sender<Frame>,
    receiver: Receiver<Frame>,
    longest_payload: usize,
    next: u64,
    /// Pushed and not yet taken.
    queue: VecDeque<Frame>,
    /// Bytes written and not yet read.
    in_pipe: usize,
    full_pipes: u64,
    partial_frames: u64,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let pipe = raw_pipe(random.random_bool(0.7));
        let regimes = [0, 3, 100, (MAX_FRAME - OVERHEAD) / WORD];
        let longest_payload = regimes[random.random_range(0..regimes.len())];
        Self {
            random,
            sender: Sender::new(pipe.write),
            receiver: Receiver::new(pipe.read),
            longest_payload,
            next: 0,
            queue: VecDeque::new(),
            in_pipe: 0,
            full_pipes: 0,
            partial_frames: 0,
        }
    }

    fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..40 => self.push(),
            40..60 => {
                self.flush();
            }
            60..80 => {
                self.fill();
            }
            80..97 => {
                for _ in 0..self.random.random_range(1..10) {
                    self.take();
                }
            }
            _ => self.look_ahead(),
        }
    }

    fn push(&mut self) {
        // The longer the frames, the fewer: enough to fill a page more than once.
        for _ in 0..self
            .random
            .random_range(1..=3 + 20 / (1 + self.longest_payload))
        {
            let length = self.random.random_range(0..=self.longest_payload);
            let frame = (self.next, vec![self.next; length]);
            self.next += 1;
            self.sender.push(&frame).unwrap();
            self.queue.push_back(frame);
        }
    }

    fn flush(&mut self) -> Flush {
        let before = self.sender.pending();
        let outcome = self.sender.flush().unwrap();
        self.in_pipe += before - self.sender.pending();
        match outcome {
            Flush::Done => assert_eq!(self.sender.pending(), 0),
            Flush::Full => {
                assert!(self.sender.pending() > 0 && self.in_pipe > 0);
                self.full_pipes += 1;
            }
            Flush::Closed => panic!("the reader is there"),
        }
        outcome
    }

    fn fill(&mut self) -> Fill {
        let before = self.receiver.buffered();
        let outcome = self.receiver.fill().unwrap();
        let count = self.receiver.buffered() - before;
        match outcome {
            Fill::More => assert!(0 < count && count <= self.in_pipe),
            Fill::Empty | Fill::Ended => assert_eq!((count, self.in_pipe), (0, 0)),
        }
        self.in_pipe -= count;
        outcome
    }

    /// A frame comes exactly if all of it has been read.
    fn take(&mut self) {
        let wanted = self.queue.front().map(length);
        let is_whole = wanted.is_some_and(|length| length <= self.receiver.buffered());
        let frame = self.receiver.next_frame().unwrap();
        assert_eq!(frame.is_some(), is_whole);
        if frame.is_some() {
            assert_eq!(frame, self.queue.pop_front());
        } else if self.receiver.buffered() > 0 {
            self.partial_frames += 1;
        }
    }

    fn look_ahead(&self) {
        let mut rest = self.receiver.buffered();
        let whole = self.queue.iter().take_while(|frame| {
            let fits = length(frame) <= rest;
            rest = rest.saturating_sub(length(frame));
            fits
        });
        let whole: Vec<Frame> = whole.cloned().collect();
        assert_eq!(self.receiver.frames_ahead().unwrap(), whole);
    }

    /// Every byte that was pushed and not taken is in exactly one place.
    fn account(&self) {
        let everywhere = self.sender.pending() + self.in_pipe + self.receiver.buffered();
        assert_eq!(everywhere, self.queue.iter().map(length).sum::<usize>());
    }

    fn drain(&mut self) {
        self.account();
        while !self.queue.is_empty() {
            self.flush();
            while self.fill() == Fill::More {}
            for _ in 0..self.queue.len() {
                self.take();
            }
        }
        self.account();
        assert_eq!(self.fill(), Fill::Empty);
    }

    fn lose_the_writer(&mut self) {
        self.account();
        let mut unwritten = self.sender.pending();
        self.sender.close();
        while self.fill() == Fill::More {}
        assert!(self.receiver.is_ended());
        // Frames of which a byte was not written were never sent.
        while unwritten > 0 {
            let lost = self.queue.pop_back().expect("a frame for every byte");
            unwritten = unwritten.saturating_sub(length(&lost));
        }
        while !self.queue.is_empty() {
            self.take();
        }
        assert_eq!(self.receiver.next_frame().unwrap(), None);
    }

    fn lose_the_reader(&mut self) {
        self.receiver = Receiver::new(raw_pipe(false).read);
        let waited = self.sender.pending() > 0;
        let outcome = self.sender.flush().unwrap();
        assert_eq!(outcome == Flush::Closed, waited);
        self.sender.push(&(0, vec![])).unwrap();
        assert_eq!(self.sender.flush().unwrap(), Flush::Closed);
        assert_eq!(self.sender.pending(), 0);
    }
}

fn length(frame: &Frame) -> usize {
    OVERHEAD + WORD * frame.1.len()
}
