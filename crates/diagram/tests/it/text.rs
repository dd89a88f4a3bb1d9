//! The diagrams for terminals: golden ones (`testdata/diagrams/NAME.text`; `PIPEBANK_BLESS=1`
//! rewrites them), and what must hold for random runs.

use std::cell::RefCell;
use std::fs;

use crate::common::examples;
use diagram::{Ink, Recent, TextOptions, text};
use history::{Channel, Event, ProcessId, SnapshotId, What};

fn recent(events: &[Event]) -> Recent {
    let mut recent = Recent::default();
    for event in events {
        recent.push(event.clone());
    }
    recent
}

fn plain(events: &[Event], steps: usize, width: usize, ascii: bool) -> String {
    let options = TextOptions {
        width,
        steps,
        earlier: true,
        ascii,
    };
    text(&recent(events), &options, |_, text| text.to_owned())
}

#[test]
fn the_texts_of_the_examples_are_as_they_were() {
    let all = usize::MAX;
    // Which, until which line of the script, how many steps, how wide; in ASCII?
    let cases = [
        ("arg", "text", 99, all, 80),
        ("arg", "ascii.text", 9, all, 80),
        ("join-during-two", "text", 99, all, 80),
        ("three-at-once", "text", 99, 30, 60),
        ("kill-node-unread", "text", 17, all, 80),
        ("kill-node-unread", "ascii.text", 99, 12, 50),
        ("restarts", "text", 99, all, 80),
        ("restarts", "ascii.text", 99, 12, 50),
        ("four-nodes-crossing", "text", 99, 20, 60),
        ("four-nodes-crossing", "narrow.text", 44, 12, 34),
    ];
    let examples = examples();
    for (name, kind, line, steps, width) in cases {
        let example = examples.iter().find(|it| it.name == name).unwrap();
        let events = &example.system.events;
        let count = events.partition_point(|event| event.line.is_none_or(|it| it <= line));
        let ascii = kind == "ascii.text";
        let drawn = plain(&events[..count], steps, width, ascii) + "\n";
        let path = example.path.with_extension(kind);
        if std::env::var_os("PIPEBANK_BLESS").is_some() {
            fs::write(&path, &drawn).unwrap();
        }
        let right = fs::read_to_string(&path).unwrap_or_default();
        let path = path.display();
        assert!(
            right == drawn,
            "{path} differs: PIPEBANK_BLESS=1 rewrites it; look at it\n{drawn}"
        );
    }
}

#[test]
fn no_text_is_wider_or_longer_than_was_asked_for_and_ascii_is_ascii() {
    for seed in testing::histories::seeds(40) {
        for system in testing::histories::systems(seed) {
            let events = &system.events;
            for (steps, width) in [(1, 0), (7, 20), (20, 80), (20, 33), (usize::MAX, 200)] {
                let again = format!("{steps} steps, {width} wide; again: PIPEBANK_SEED={seed}");
                let drawn = plain(&events[..events.len() / 2], steps, width, false);
                let widest = drawn.lines().map(|line| line.chars().count()).max();
                assert!(widest <= Some(width), "{again}\n{drawn}");
                // The heads, the balances, six channels and that there are more, who is not shown.
                let around = 2 + 1 + 7 + 2;
                let rows = drawn.lines().count();
                assert!(rows <= steps.saturating_add(around), "{again}\n{drawn}");
                let drawn = plain(events, steps, width, true);
                assert!(drawn.is_ascii(), "{again}\n{drawn}");
            }
        }
    }
}

#[test]
fn what_is_painted_is_what_is_written_and_every_snapshot_has_its_ink() {
    let examples = examples();
    let example = examples.iter().find(|it| it.name == "three-at-once");
    let events = &example.unwrap().system.events;
    let options = TextOptions {
        width: 80,
        steps: 99,
        earlier: true,
        ascii: false,
    };
    let inks = RefCell::new(Vec::new());
    let painted = text(&recent(events), &options, |ink, text| {
        inks.borrow_mut().push((ink, text.to_owned()));
        text.to_owned()
    });
    assert_eq!(painted, plain(events, 99, 80, false));
    for snapshot in 1..=3 {
        let ink = Ink::Snapshot(SnapshotId(snapshot));
        let pieces = inks.borrow();
        let mut pieces = pieces.iter().filter(|(of, _)| *of == ink);
        let name = format!("S{snapshot}=");
        assert!(pieces.any(|(_, text)| text.contains(&name)), "{painted}");
    }
}

#[test]
fn old_events_are_forgotten_and_what_they_left_in_transit_is_not() {
    let channel = Channel {
        from: ProcessId(1),
        to: ProcessId(2),
    };
    let create = |process, amount| What::Create {
        process: ProcessId(process),
        name: None,
        amount,
    };
    let send = |number| What::Send {
        channel,
        amount: i128::from(number),
        number,
        inferred: false,
    };
    let receive = What::Receive {
        channel,
        amount: 1,
        number: 1,
    };
    let begun = [
        What::Start { sparse: false },
        create(1, u64::MAX.into()),
        create(2, 0),
    ];
    let whats = begun
        .into_iter()
        .chain((1..=5000).map(send))
        .chain([receive]);
    let events: Vec<Event> = whats
        .map(|what| Event {
            line: None,
            time: None,
            what,
            extra: Vec::new(),
        })
        .collect();
    let drawn = plain(&events, usize::MAX, 60, false);
    assert!(drawn.contains("what came earlier is forgotten"), "{drawn}");
    let rows = drawn.lines().filter(|line| line.contains('▷')).count();
    assert_eq!(rows, 3999);
    let last = drawn.lines().last().unwrap();
    assert!(last.starts_with("  in transit  1 → 2: 2, 3, 4, "), "{last}");
    assert!(
        last.ends_with(" more") && last.chars().count() <= 60,
        "{last}"
    );
}

#[test]
fn what_a_history_says_cannot_act_on_the_terminal() {
    let process = ProcessId(1);
    let reason = "é 1 → 2\u{1b}[31m".into();
    let whats = [
        What::Start { sparse: false },
        What::Create {
            process,
            name: None,
            amount: 5,
        },
        What::Death {
            process: Some(process),
            reason,
        },
    ];
    let events = whats.map(|what| Event {
        line: None,
        time: None,
        what,
        extra: Vec::new(),
    });
    let drawn = plain(&events, 9, 80, false);
    assert!(drawn.contains("✗ é 1 → 2\\x1b[31m"), "{drawn}");
    let drawn = plain(&events, 9, 80, true);
    assert!(drawn.contains("x ? 1 -> 2\\x1b[31m"), "{drawn}");
}
