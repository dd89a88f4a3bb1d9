//! What reads histories, judges them and draws them.

use bank::messages::{Answer, Report};
use diagram::{Format, Selection, Setting};
use history::{Event, Header, MAX_LINE, Reader, System, Verifier, write_event, write_header};

use super::frames::{framed, stream_of};
use super::{MEGABYTE, allocations};

/// A history that may be anything is read; what was read is written, and read again the same.
pub(super) fn read(bytes: &[u8]) {
    for bytes in [bytes, &behind_a_header(bytes), &in_events(bytes)] {
        let (header, events) = events(bytes);
        let mut written = Vec::new();
        write_header(&mut written, &header);
        for event in &events {
            write_event(&mut written, event);
        }
        assert_eq!(self::events(&written), (header, events));
    }
}

/// What holds snapshots: parts in frames, from nodes and from the observer, and what was collected in
/// a history.
pub(super) fn read_snapshots(bytes: &[u8]) {
    stream_of::<Report>(&framed(bytes));
    stream_of::<Answer>(&framed(bytes));
    let mut collect = b"{\"event\":\"collect\",\"snapshot\":1,\"states\":[".to_vec();
    collect.extend(bytes);
    read(&collect);
    let states = collect.len() - bytes.len();
    collect.splice(
        states..,
        *b"],\"channels\":[{\"from\":1,\"to\":2,\"amounts\":[",
    );
    collect.extend(bytes);
    read(&collect);
}

/// As much as judging and drawing may take, in bytes: linear in the events, of which each takes a
/// byte of input at least. Measured: 200,000, and 3,100 an event.
pub(super) fn bound(input: usize) -> usize {
    (256 << 10) + (4 << 10) * input
}

/// A history, and one of events that follow each other in any order, is judged, drawn straight and
/// drawn.
pub(super) fn judge_and_draw(bytes: &[u8]) {
    judge_and_draw_history(bytes);
    judge_and_draw_history(&in_events(bytes));
}

fn judge_and_draw_history(bytes: &[u8]) {
    let (header, events) = events(bytes);
    let in_any_order = Verifier::new().of(&header).in_any_order();
    for mut verifier in [Verifier::new(), Verifier::reordering(), in_any_order] {
        for (event, line) in events.iter().zip(2..) {
            verifier.on_event(event, line);
        }
        let _ = verifier.finish();
    }
    // As much as can have happened: most end in something that cannot.
    let possible = (0..=events.len()).rev().find_map(|end| {
        let linked = System::link(events[..end].iter().cloned());
        linked.ok()
    });
    for system in possible.unwrap_or_default() {
        for id in system.snapshots.keys() {
            if let Ok(straight) = system.straighten(*id) {
                // Whether it is equivalent depends on what is told to have been collected.
                let _ = straight.check(&system);
            }
        }
        for format in Format::ALL {
            let _ = format.draw(&system, &header, Selection::All);
        }
        let first = system.snapshots.keys().next();
        if let Some(id) = first {
            let compact = Setting {
                without_markers: true,
                is_compact: true,
            };
            for setting in [Setting::WIDE, compact] {
                let part = Selection::Snapshot(*id);
                let _ = Format::Svg(setting).draw(&system, &header, part);
            }
        }
    }
}

/// The events up to the first that is malformed.
fn events(bytes: &[u8]) -> (Header, Vec<Event>) {
    let Ok(mut reader) = Reader::new(bytes) else {
        return (Header::default(), Vec::new());
    };
    let events = reader.by_ref().map_while(Result::ok).collect();
    (reader.header().clone(), events)
}

fn behind_a_header(bytes: &[u8]) -> Vec<u8> {
    [b"{\"history\":1}\n", bytes].concat()
}

/// Each byte as an event among few processes, so that random bytes nearly make sense. Numbers are
/// right more often than not: they go on from what came before on the channel.
fn in_events(bytes: &[u8]) -> Vec<u8> {
    let mut text = String::from(
        "{\"history\":1,\"seed\":1,\"script\":\"x\"}\n{\"event\":\"start\"}\n\
         {\"event\":\"create\",\"process\":1,\"amount\":9}\n\
         {\"event\":\"create\",\"process\":2,\"amount\":9}\n",
    );
    let (mut sent, mut received) = ([[0; 4]; 4], [[0; 4]; 4]);
    // A history may take time in proportion to its length.
    for &byte in bytes.iter().take(64) {
        let kind = byte & 15;
        let (from, to) = (usize::from(byte >> 4 & 3), usize::from(byte >> 6));
        let channel = format!("\"from\":{from},\"to\":{to}");
        let snapshot = 1 + (byte >> 6) % 2;
        let line = match kind {
            0 | 1 => {
                sent[from][to] += 1;
                let number = sent[from][to];
                format!("\"send\",\"process\":{from},{channel},\"amount\":1,\"number\":{number}")
            }
            2 | 3 => {
                received[from][to] += 1;
                let number = received[from][to];
                format!("\"receive\",\"process\":{to},{channel},\"amount\":1,\"number\":{number}")
            }
            4 => format!("\"create\",\"process\":{from},\"amount\":18446744073709551615"),
            5 => format!("\"begin\",\"process\":{from},\"snapshot\":{snapshot}"),
            6 | 7 => format!("\"record\",\"process\":{from},\"snapshot\":{snapshot},\"amount\":9"),
            8 | 9 => format!("\"marker_sent\",\"process\":{from},{channel},\"snapshot\":1"),
            10 | 11 => format!("\"marker_received\",\"process\":{to},{channel},\"snapshot\":1"),
            12 => format!("\"channel_closed\",\"process\":{to},{channel},\"snapshot\":1"),
            13 => format!(
                "\"collect\",\"snapshot\":1,\"states\":[{{\"process\":{from},\"amount\":9}}],\
                 \"channels\":[{{{channel},\"amounts\":[1,18446744073709551615]}}]"
            ),
            14 => "\"audit\",\"snapshot\":1,\"passed\":true,\"amount\":18".to_owned(),
            _ => format!("\"death\",\"process\":{from},\"reason\":\"<\\u0000>\""),
        };
        text += &format!("{{\"event\":{line}}}\n");
    }
    text.into_bytes()
}

/// Each of these, repeated, makes the longest line that is read, and the most of it that is kept.
#[test]
fn no_line_of_a_history_takes_more_than_two_megabytes() {
    let collect = "{\"event\":\"collect\",\"snapshot\":1,";
    let record = "{\"event\":\"record\",\"process\":1,\"snapshot\":1,\"amount\":1,";
    for (begin, again, end) in [
        (
            format!("{collect}\"channels\":[{{\"from\":1,\"to\":2,\"amounts\":["),
            "0,",
            "0]}]}",
        ),
        (
            format!("{collect}\"channels\":["),
            "{\"from\":1,\"to\":2,\"amounts\":[1]},",
            "{\"from\":1,\"to\":2,\"amounts\":[]}]}",
        ),
        (
            format!("{collect}\"states\":["),
            "{\"process\":1,\"amount\":9},",
            "{\"process\":1,\"amount\":9}]}",
        ),
        (
            format!("{record}\"sent\":["),
            "{\"process\":1,\"messages\":1,\"sum\":1},",
            "{\"process\":1,\"messages\":1,\"sum\":1}]}",
        ),
        (
            "{\"event\":\"death\",\"process\":1,\"reason\":\"".to_owned(),
            "\\t",
            "\"}",
        ),
        ("{\"event\":\"start\",\"x\":".to_owned(), "[", ""),
    ] {
        let times = (MAX_LINE - begin.len() - end.len()) / again.len();
        let line = begin.clone() + &again.repeat(times) + end;
        let history = behind_a_header(format!("{line}\n").as_bytes());
        let mut outcome = None;
        let most = allocations::most_held(|| {
            let mut reader = Reader::new(&history[..]).expect("a header");
            outcome = Some(reader.next_event());
        });
        let outcome = outcome.expect("it ran");
        println!("{begin}{again}: {most} bytes, {}", outcome.is_ok());
        assert!(
            outcome.is_ok() || again == "[",
            "{begin}{again}: {outcome:?}"
        );
        // An amount takes 16 bytes, and two in a line: so do as many as fit in it, while they grow.
        assert!(most <= 2 * MEGABYTE, "{begin}{again}: {most} bytes at once");
    }
}

/// The line is not read to its end.
#[test]
fn a_history_of_one_line_without_end_is_refused() {
    let most = allocations::most_held(|| {
        let mut reader = Reader::new(std::io::BufReader::new(std::io::repeat(b'x')));
        assert!(
            reader.is_err(),
            "{:?}",
            reader.as_mut().map(Reader::next_event)
        );
    });
    assert!(most <= MEGABYTE, "{most} bytes at once");
}
