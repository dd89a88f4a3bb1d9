//! What the ends do with memory, which cannot be seen from outside.

use super::*;
use crate::pipe;

/// Far more than an end keeps when it is empty.
const MUCH: u64 = 200_000;

fn ends() -> (Sender<u64>, Receiver<u64>) {
    let ends = pipe().unwrap();
    (ends.write.into_sender(), ends.read.into_receiver())
}

/// Flushes and reads, until everything has been read and nothing taken.
fn carry(sender: &mut Sender<u64>, receiver: &mut Receiver<u64>) {
    let pushed = sender.pending();
    while sender.flush().unwrap() == Flush::Full {
        assert!(receiver.buffered() < pushed);
        while receiver.fill().unwrap() == Fill::More {}
    }
    while receiver.fill().unwrap() == Fill::More {}
}

#[test]
fn ends_that_were_never_used_cost_no_memory() {
    let (sender, mut receiver) = ends();
    assert_eq!(sender.outbox.capacity() + receiver.buffer.capacity(), 0);
    assert_eq!(receiver.fill().unwrap(), Fill::Empty);
    assert_eq!(receiver.buffer.len(), SMALLEST_READ);
}

#[test]
fn an_outbox_and_a_buffer_that_were_large_give_their_memory_back() {
    let (mut sender, mut receiver) = ends();
    for number in 0..MUCH {
        sender.push(&number).unwrap();
    }
    assert!(sender.outbox.capacity() > KEPT_CAPACITY);
    carry(&mut sender, &mut receiver);
    assert!(sender.outbox.capacity() <= KEPT_CAPACITY);
    assert!(receiver.buffer.capacity() > KEPT_CAPACITY);
    for number in 0..MUCH {
        assert_eq!(receiver.next_frame().unwrap(), Some(number));
    }
    assert_eq!(receiver.fill().unwrap(), Fill::Empty);
    assert!(receiver.buffer.capacity() <= KEPT_CAPACITY);
}

#[test]
fn a_sender_that_is_closed_gives_its_memory_back() {
    let (mut sender, _receiver) = ends();
    for number in 0..MUCH {
        sender.push(&number).unwrap();
    }
    sender.close();
    assert_eq!(sender.outbox.capacity(), 0);
}

#[test]
fn ends_that_are_never_quite_empty_do_not_grow_with_what_passes_through() {
    let (mut sender, mut receiver) = ends();
    let mut next = 0..;
    let mut expected = 0..;
    while expected.start < MUCH {
        // Something waits in the outbox, in the pipe and in the buffer, all the time.
        while sender.pending() < 80_000 {
            sender.push(&next.next().unwrap()).unwrap();
        }
        assert_eq!(sender.flush().unwrap(), Flush::Full);
        receiver.fill().unwrap();
        while receiver.buffered() > 1_000 {
            assert_eq!(receiver.next_frame().unwrap(), expected.next());
        }
        let kept = sender.outbox.capacity().max(receiver.buffer.capacity());
        assert!(kept <= 2 * KEPT_CAPACITY, "{kept} bytes");
    }
}
