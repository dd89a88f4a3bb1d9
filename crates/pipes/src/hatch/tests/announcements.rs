//! What is said through a hatch, with ends and without, and what nobody should say.

use super::*;
use crate::Poller;

/// A value that tells one announcement from another.
type Word = (u32, Option<u64>);

#[track_caller]
fn announce<T: Serialize>(from: &Hatch, what: &T, ends: Vec<RawEnd>) {
    let said = from.announce(what, ends).unwrap();
    assert!(matches!(said, HandOver::Done), "{said:?}");
}

/// The next announcement, which is there.
#[track_caller]
fn next<T: DeserializeOwned>(to: &Hatch) -> (T, Vec<RawEnd>) {
    to.next().unwrap().expect("an announcement")
}

/// Bytes and ends, as somebody sends them who knows nothing of frames.
fn send_raw(from: &Hatch, bytes: &[u8], ends: Vec<RawEnd>) {
    let raw: Vec<RawFd> = ends.iter().map(|end| end.0.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let bytes = [IoSlice::new(bytes)];
    sendmsg::<()>(from.0.as_raw_fd(), &bytes, &rights, MsgFlags::empty(), None).unwrap();
}

/// Ends to be given away, and what stays: their pipes' other ends, each of which ends with its writer.
fn writers(count: usize) -> (Vec<RawEnd>, Vec<RawEnd>) {
    // The tests that take hundreds run at once.
    crate::raise_descriptor_limit(16 * 1024).unwrap();
    let pipes = (0..count).map(|_| pipe().unwrap());
    pipes.map(|ends| (ends.write, ends.read)).unzip()
}

#[track_caller]
fn assert_closed(kept: Vec<RawEnd>) {
    for (index, read) in kept.into_iter().enumerate() {
        assert!(is_ended(read), "end {index} is open somewhere");
    }
}

#[test]
fn an_announcement_brings_its_value_and_its_ends_in_order() {
    let (from, to) = Hatch::pair().unwrap();
    for count in [0, 1, 2, MAX_DESCRIPTORS] {
        let (given, kept) = writers(count);
        let word: Word = (count as u32, Some(7));
        announce(&from, &word, given);
        let (said, ends) = next::<Word>(&to);
        assert_eq!((said, ends.len()), (word, count));
        for ((end, read), number) in ends.into_iter().zip(kept).zip(0..) {
            send(&mut end.into_sender(), number);
            let mut read = read.into_receiver();
            assert_eq!(receive(&mut read), number);
            assert_eq!(read.fill().unwrap(), Fill::Ended, "no copy is left");
        }
    }
}

#[test]
fn where_nothing_is_there_nobody_waits() {
    let (from, to) = Hatch::pair().unwrap();
    for number in 0..3 {
        assert!(to.next::<Word>().unwrap().is_none());
        announce::<Word>(&from, &(number, None), Vec::new());
        assert_eq!(next::<Word>(&to).0, (number, None));
    }
    assert!(to.next::<Word>().unwrap().is_none());
}

#[test]
fn a_frame_of_the_limit_passes_and_a_longer_one_is_refused_and_its_ends_are_closed() {
    let (from, to) = Hatch::pair().unwrap();
    let largest = vec![7u8; MAX_FRAME - 2 - 8];
    let (given, kept) = writers(MAX_DESCRIPTORS);
    announce(&from, &largest, given);
    let (said, ends) = next::<Vec<u8>>(&to);
    assert_eq!((said, ends.len()), (largest, MAX_DESCRIPTORS));
    drop(ends);
    assert_closed(kept);

    let (given, kept) = writers(2);
    let long = vec![7u8; MAX_FRAME - 2 - 8 + 1];
    let refused = from.announce(&long, given);
    assert!(matches!(refused, Err(Error::FrameTooLong { length }) if length == MAX_FRAME + 1));
    assert_closed(kept);
    assert!(to.next::<Vec<u8>>().unwrap().is_none());
}

#[test]
fn one_end_more_than_the_kernel_carries_is_refused_and_nothing_is_announced() {
    let (from, to) = Hatch::pair().unwrap();
    let (given, kept) = writers(MAX_DESCRIPTORS + 1);
    assert!(matches!(
        from.announce(&1u32, given),
        Err(Error::System { .. })
    ));
    assert_closed(kept);
    assert!(to.next::<u32>().unwrap().is_none());
}

#[test]
fn garbage_is_an_error_its_ends_are_closed_and_the_next_announcement_comes() {
    let mut one: Vec<u8> = Vec::new();
    frame::encode::<Word>(&(1, Some(2)), &mut one).unwrap();
    let mut longer = one.clone();
    longer[0] += 1;
    let mut shorter = one.clone();
    shorter[0] -= 1;
    let garbage: [&[u8]; 11] = [
        b"",
        b"\0",
        b"\0\0",
        b"\x01\0",
        b"\x02\0",
        b"\xff\xff",
        &one[..one.len() - 1],
        &[&one[..], &one[..]].concat(),
        &[&one[..], b"\0"].concat(),
        &longer,
        &shorter,
    ];
    let (from, to) = Hatch::pair().unwrap();
    for bytes in garbage {
        for count in [0, 1, MAX_DESCRIPTORS] {
            let (given, kept) = writers(count);
            send_raw(&from, bytes, given);
            announce::<Word>(&from, &(9, None), Vec::new());
            let found = to.next::<Word>();
            assert!(found.is_err(), "{bytes:?}: {found:?}");
            assert_closed(kept);
            assert_eq!(next::<Word>(&to).0, (9, None), "after {bytes:?}");
        }
    }
    send_raw(&from, &one, Vec::new());
    assert_eq!(next::<Word>(&to).0, (1, Some(2)), "what it began with");
}

#[test]
fn a_message_that_does_not_fit_is_an_error_although_it_begins_with_a_frame() {
    let (from, to) = Hatch::pair().unwrap();
    let mut frame: Vec<u8> = Vec::new();
    frame::encode(&vec![7u8; MAX_FRAME - 2 - 8], &mut frame).unwrap();
    for more in [1, 5000] {
        let (given, kept) = writers(2);
        let bytes = [&frame[..], &vec![0; more][..]].concat();
        send_raw(&from, &bytes, given);
        let found = to.next::<Vec<u8>>();
        assert!(
            matches!(found, Err(Error::FrameTooLong { length }) if length == MAX_FRAME + more),
            "{found:?}"
        );
        assert_closed(kept);
        assert!(to.next::<Vec<u8>>().unwrap().is_none(), "the rest is gone");
    }
}

#[test]
fn another_type_of_announcement_is_an_error() {
    let (from, to) = Hatch::pair().unwrap();
    announce(&from, &1u64, Vec::new());
    assert!(to.next::<u32>().is_err());
    announce(&from, &1u32, Vec::new());
    assert!(to.next::<u64>().is_err());
    // Neither is a bare hand-over an announcement, nor the other way round.
    let (given, kept) = writers(4);
    let mut given = given.into_iter();
    deliver(&from, given.by_ref().take(2).collect());
    assert!(to.next::<u32>().is_err());
    announce(&from, &1u32, given.collect());
    assert!(to.take(2).is_err());
    assert_closed(kept);
}

#[test]
fn what_was_announced_before_the_other_side_went_comes_and_then_an_error() {
    let (from, to) = Hatch::pair().unwrap();
    let (given, kept) = writers(1);
    announce(&from, &1u32, given);
    announce(&from, &2u32, Vec::new());
    drop(from);
    assert_eq!(next::<u32>(&to).1.len(), 1);
    assert_closed(kept);
    assert_eq!(next::<u32>(&to).0, 2);
    for _ in 0..2 {
        let Err(Error::System { source, .. }) = to.next::<u32>() else {
            panic!("nobody is there");
        };
        assert_eq!(source.kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn an_announcement_to_nobody_says_so_and_closes_the_ends() {
    let (from, to) = Hatch::pair().unwrap();
    drop(to);
    let (given, kept) = writers(2);
    let said = from.announce(&1u32, given).unwrap();
    assert!(matches!(said, HandOver::Gone));
    assert_closed(kept);
}

#[test]
fn ends_that_the_hatch_has_no_room_for_come_back_and_can_be_announced_later() {
    for size in [4, MAX_FRAME - 2 - 8] {
        let (from, to) = Hatch::pair().unwrap();
        let word = |number: u32| {
            let mut word = vec![0u8; size];
            word[..4].copy_from_slice(&number.to_le_bytes());
            word
        };
        let mut sent = 0;
        let (later, kept) = loop {
            // Without ends: how many of these are on their way is limited elsewhere, and by user.
            match from.announce(&word(sent), Vec::new()).unwrap() {
                HandOver::Done => sent += 1,
                HandOver::Later(back) => {
                    assert!(back.is_empty());
                    let (given, kept) = writers(2);
                    match from.announce(&word(sent), given).unwrap() {
                        HandOver::Later(back) => break (back, kept),
                        other => panic!("{other:?}"),
                    }
                }
                HandOver::Gone => panic!("the other side is there"),
            }
        };
        assert!(sent > 0 && later.len() == 2);
        for number in 0..sent {
            assert_eq!(next::<Vec<u8>>(&to).0, word(number));
        }
        assert!(to.next::<Vec<u8>>().unwrap().is_none());
        announce(&from, &word(sent), later);
        let (said, ends) = next::<Vec<u8>>(&to);
        assert_eq!((said, ends.len()), (word(sent), 2));
        drop(ends);
        assert_closed(kept);
    }
}

#[test]
fn a_hatch_is_waited_for_beside_other_ends() {
    let (from, to) = Hatch::pair().unwrap();
    let quiet = pipe().unwrap();
    let receiver = quiet.read.into_receiver::<u32>();
    let poller = Poller::new().unwrap();
    assert!(poller.watch_bytes(&to, 7).unwrap());
    let is_ready = || {
        let mut set = WaitSet::new();
        let (other, hatch) = (set.read(&receiver), set.read_hatch(&to));
        set.look().unwrap();
        assert!(!set.is_ready(other));
        let mut ready = Vec::new();
        let now = std::time::Instant::now();
        poller.wait(&mut ready, Some(now)).unwrap();
        let is_ready = set.is_ready(hatch);
        assert_eq!(ready, if is_ready { vec![7] } else { vec![] });
        is_ready
    };
    assert!(!is_ready());
    announce(&from, &1u32, Vec::new());
    announce(&from, &2u32, Vec::new());
    for number in [1, 2] {
        assert!(is_ready());
        assert_eq!(next::<u32>(&to).0, number);
    }
    assert!(!is_ready());

    let sender = thread::spawn(move || {
        announce(&from, &3u32, Vec::new());
        from
    });
    let mut set = WaitSet::new();
    set.read(&receiver);
    set.read_hatch(&to);
    set.wait().unwrap();
    assert_eq!(next::<u32>(&to).0, 3);

    drop(sender.join().unwrap());
    assert!(is_ready(), "the other side is gone");
    assert!(to.next::<u32>().is_err());
}
