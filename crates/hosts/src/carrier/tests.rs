//! Two hosts' carriers, joined by queues. Which moves next, and by how much, is drawn.

use std::collections::VecDeque;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::wire::Lane;

/// A frame with this many bytes behind its header.
fn frame(content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    pipes::encode(&content.to_vec(), &mut frame).unwrap();
    frame
}

/// Two hosts. What 0 sends on either lane is on its way to 1, and the other way round.
struct Net {
    carriers: [Carrier; 2],
    frames: [VecDeque<Vec<u8>>; 2],
    control: [VecDeque<Control>; 2],
}

impl Net {
    fn new() -> Self {
        Self {
            carriers: [Carrier::new(2, WINDOW), Carrier::new(2, WINDOW)],
            frames: [VecDeque::new(), VecDeque::new()],
            control: [VecDeque::new(), VecDeque::new()],
        }
    }

    /// What a host has to say leaves it.
    fn leave(&mut self, host: Host) {
        if let Some(outbox) = self.carriers[host].take_outbox(1 - host) {
            self.control[host].extend(outbox.control);
            if outbox.frames.length() > 0 {
                self.frames[host].push_back(outbox.frames.into_bytes());
            }
        }
    }

    /// The next message of a lane arrives.
    fn arrive(&mut self, from: Host, lane: Lane) {
        let to = &mut self.carriers[1 - from];
        match lane {
            Lane::Frames => {
                if let Some(message) = self.frames[from].pop_front() {
                    to.hear_frames(from, &message).unwrap();
                }
            }
            Lane::Control => match self.control[from].pop_front() {
                Some(Control::Credit(stream, bytes)) => drop(to.hear_credit(stream, bytes)),
                Some(Control::NobodyReads(stream)) => to.end(stream),
                Some(other) => panic!("{other:?}"),
                None => {}
            },
        }
    }
}

#[test]
fn what_is_sent_arrives_whole_and_in_order_and_never_more_than_there_is_credit_for() {
    for seed in 0..12 {
        let mut draw = ChaCha8Rng::seed_from_u64(seed);
        let mut net = Net::new();
        let streams: Vec<Stream> = (1..=3).map(Stream).collect();
        // What is still to be read of each pipe, and what was written where it goes on.
        let mut sent: Vec<Vec<u8>> = Vec::new();
        for stream in &streams {
            net.carriers[0].begin(*stream, 1);
            let frames = (0..draw.random_range(0..300)).flat_map(|number: u32| {
                let size = draw.random_range(0..2000);
                frame(&[&number.to_le_bytes()[..], &vec![7; size]].concat())
            });
            sent.push(frames.collect());
        }
        let mut read = [0; 3];
        let mut written: [Vec<u8>; 3] = Default::default();
        let mut is_over = [false; 3];
        for step in 0.. {
            assert!(step < 1_000_000, "seed {seed}: nothing gets on");
            let which = draw.random_range(0..3);
            let stream = streams[which];
            match draw.random_range(0..6) {
                0 => {
                    let rest = &sent[which][read[which]..];
                    let most = net.carriers[0].credit(stream).min(rest.len());
                    let piece = draw.random_range(0..=most);
                    net.carriers[0].send(stream, &rest[..piece]);
                    read[which] += piece;
                    if read[which] == sent[which].len() {
                        net.carriers[0].end(stream);
                    }
                }
                1 => {
                    let bytes = net.carriers[1].to_write(stream);
                    assert!(bytes.len() <= WINDOW, "seed {seed}");
                    let bytes = bytes[..draw.random_range(0..=bytes.len())].to_vec();
                    net.carriers[1].wrote(stream, bytes.len());
                    written[which].extend(bytes);
                    is_over[which] |= net.carriers[1].is_over(stream);
                }
                2 => net.leave(0),
                3 => net.leave(1),
                4 => net.arrive(0, Lane::Frames),
                _ => net.arrive(1, Lane::Control),
            }
            if is_over == [true; 3] {
                break;
            }
        }
        assert!(sent == written, "seed {seed}");
    }
}

#[test]
fn a_receiver_that_takes_nothing_holds_up_its_own_stream_only() {
    let mut net = Net::new();
    let (held_up, free) = (Stream(1), Stream(2));
    net.carriers[0].begin(held_up, 1);
    net.carriers[0].begin(free, 1);
    let one = frame(&[1; 1000]);
    let mut taken = 0;
    for _ in 0..1000 {
        for stream in [held_up, free] {
            if net.carriers[0].credit(stream) >= one.len() {
                net.carriers[0].send(stream, &one);
            }
        }
        net.leave(0);
        net.arrive(0, Lane::Frames);
        let bytes = net.carriers[1].to_write(free).len();
        net.carriers[1].wrote(free, bytes);
        taken += bytes;
        net.leave(1);
        while !net.control[1].is_empty() {
            net.arrive(1, Lane::Control);
        }
    }
    assert_eq!(taken, 1000 * one.len());
    let kept = net.carriers[1].to_write(held_up).len();
    assert!(kept <= WINDOW && kept > WINDOW - 2 * one.len(), "{kept}");
}

#[test]
fn a_part_of_a_frame_is_never_sent() {
    let mut net = Net::new();
    let stream = Stream(1);
    net.carriers[0].begin(stream, 1);
    let one = frame(&[5; 9]);
    net.carriers[0].send(stream, &[&one[..], &one[..4]].concat());
    net.carriers[0].end(stream);
    net.leave(0);
    net.arrive(0, Lane::Frames);
    assert_eq!(net.carriers[1].to_write(stream), one);
    net.carriers[1].wrote(stream, one.len());
    assert!(net.carriers[1].is_over(stream));
}

#[test]
fn what_nobody_reads_ends_and_is_forgotten_on_both_sides() {
    let mut net = Net::new();
    let stream = Stream(1);
    net.carriers[0].begin(stream, 1);
    let one = frame(&[5; 9]);
    net.carriers[0].send(stream, &one);
    net.leave(0);
    net.arrive(0, Lane::Frames);
    net.carriers[1].drop_incoming(stream);
    // What is sent before this is heard is of no interest.
    net.carriers[0].send(stream, &one);
    net.leave(0);
    net.arrive(0, Lane::Frames);
    net.leave(1);
    net.arrive(1, Lane::Control);
    net.leave(0);
    net.arrive(0, Lane::Frames);
    assert!(net.carriers[0].outgoing.is_empty() && net.carriers[1].incoming.is_empty());
}

#[test]
fn who_sends_more_than_it_may_or_garbage_or_for_another_is_found_out() {
    let mut carrier = Carrier::new(3, WINDOW);
    let mut flood = Pieces::default();
    flood.push(Stream(1), Piece::Frames(&vec![0; WINDOW + 1]));
    let flooded = carrier.hear_frames(1, &flood.into_bytes());
    assert!(matches!(flooded, Err(Error::Flooded)));
    let garbled = carrier.hear_frames(1, &[1, 2, 3]);
    assert!(matches!(garbled, Err(Error::Garbled)));
    carrier.await_from(Stream(2), 1);
    let mut strange = Pieces::default();
    strange.push(Stream(2), Piece::End);
    let stranger = carrier.hear_frames(2, &strange.into_bytes());
    assert!(matches!(stranger, Err(Error::Garbled)));
}
