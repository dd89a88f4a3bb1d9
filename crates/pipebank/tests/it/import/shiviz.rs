//! `master import shiviz`: messages from vector clocks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use diagram::{describe, shiviz};
use history::{Event, Reader, System, What};
use testing::{Folder, root};

use super::assert_refused;

/// The systems of a history.
fn systems(history: &str) -> Vec<System> {
    let mut reader = Reader::new(history.as_bytes()).unwrap();
    let events = std::iter::from_fn(|| reader.next_event().unwrap());
    System::link(events).unwrap()
}

/// What the log's events are called at both ends of each message, by the imported history.
fn messages(history: &str) -> Vec<(String, String)> {
    let systems = systems(history);
    let [system] = &systems[..] else {
        panic!("{} systems", systems.len());
    };
    // What is sent comes after the text of its event, and what is received before.
    let text = |event: &Event| match &event.what {
        What::Local { text, .. } => Some(text.to_string()),
        _ => None,
    };
    let messages = system.messages.iter().map(|message| {
        let before = system.events[..message.sent].iter().rev();
        let after = system.events[message.received.unwrap()..].iter();
        let ends = (
            before.filter_map(text).next(),
            after.filter_map(text).next(),
        );
        (ends.0.unwrap(), ends.1.unwrap())
    });
    let mut messages: Vec<_> = messages.collect();
    messages.sort();
    messages
}

/// The same by the system that was exported, without those that were sent before something that their
/// receiver knew of already: no clock shows them.
fn messages_that_clocks_show(system: &System) -> Vec<(String, String)> {
    let mut last: BTreeMap<_, usize> = BTreeMap::new();
    let mut past: Vec<BTreeSet<usize>> = Vec::new();
    let mut shown = Vec::new();
    for (at, event) in system.events.iter().enumerate() {
        let before = event
            .what
            .process()
            .and_then(|process| last.insert(process, at));
        let mut known = before.map_or_else(BTreeSet::new, |before| past[before].clone());
        let message = system.messages.iter().find(|it| it.received == Some(at));
        if let Some(message) = message {
            if !known.contains(&message.sent) {
                shown.push((describe(system, message.sent), describe(system, at)));
            }
            known.extend(&past[message.sent]);
        }
        known.insert(at);
        past.push(known);
    }
    shown.sort();
    shown
}

#[test]
fn a_history_that_is_exported_for_shiviz_comes_back_with_its_messages() {
    let place = Folder::new();
    let mut exported = Vec::new();
    for name in [
        "arg",
        "four-nodes-crossing",
        "join-during-two",
        "three-at-once",
        "kill-node-unread",
    ] {
        let path = root("testdata/diagrams")
            .join(name)
            .with_extension("history");
        exported.extend(systems(&fs::read_to_string(path).unwrap()));
    }
    (1..=8).for_each(|seed| exported.extend(testing::histories::systems(seed)));
    let mut count = 0;
    for system in exported
        .iter()
        .filter(|system| !system.processes.is_empty())
    {
        place.file("log", shiviz(system));
        let ended = place.run(&["import", "shiviz", "log"]);
        ended.expect(0, &ended.out, "");
        let shown = messages_that_clocks_show(system);
        count += shown.len();
        assert_eq!(messages(&ended.out), shown);
    }
    assert!(count > 100, "{count}");
}

#[test]
fn messages_follow_from_clocks() {
    let place = Folder::new();
    let log = r#"p1 {"p1": 1}
asks all
p2 {"p1":1, "p2":1}
is asked
p2 {"p1":1, "p2":2}
forwards

p3 {"p1":1, "p2":2, "p3":1}
has it from 2, and the question of 1 by that
p1 {"p1":2, "p3":2, "p2":2}
has the answer
p3 {"p1":1, "p2":2, "p3":2, "p9":0}
answers
"#;
    let right = r#"{"history":2,"script":"log","states":"opaque"}
{"event":"start","sparse":true}
{"event":"create","process":1,"name":"p1","amount":0}
{"event":"create","process":2,"name":"p2","amount":0}
{"event":"create","process":3,"name":"p3","amount":0}
{"event":"connect","process":1,"from":1,"to":2}
{"event":"connect","process":2,"from":2,"to":3}
{"event":"connect","process":3,"from":3,"to":1}
{"event":"local","process":1,"text":"asks all","line":1}
{"event":"send","process":1,"from":1,"to":2,"amount":0,"number":1,"line":1}
{"event":"receive","process":2,"from":1,"to":2,"amount":0,"number":1,"line":3}
{"event":"local","process":2,"text":"is asked","line":3}
{"event":"local","process":2,"text":"forwards","line":5}
{"event":"send","process":2,"from":2,"to":3,"amount":0,"number":1,"line":5}
{"event":"receive","process":3,"from":2,"to":3,"amount":0,"number":1,"line":8}
{"event":"local","process":3,"text":"has it from 2, and the question of 1 by that","line":8}
{"event":"local","process":3,"text":"answers","line":12}
{"event":"send","process":3,"from":3,"to":1,"amount":0,"number":1,"line":12}
{"event":"receive","process":1,"from":3,"to":1,"amount":0,"number":1,"line":10}
{"event":"local","process":1,"text":"has the answer","line":10}
{"event":"end"}
"#;
    place.file("log", log);
    place.run(&["import", "shiviz", "log"]).expect(0, right, "");

    // Nothing in it can be judged, and all of it can be drawn.
    place.file("run.jsonl", right);
    let told = "unknown: 20 events, 0 snapshots valid, 0 invalid, 0 unknown\n";
    place.run(&["verify", "run.jsonl"]).expect(4, told, "");
    place
        .run(&["diagram", "run.jsonl", "-o", "run.svg"])
        .expect(0, "", "");
    let drawn = fs::read_to_string(place.path("run.svg")).unwrap();
    assert!(drawn.contains("has the answer"), "{drawn}");
}

#[test]
fn one_event_can_send_to_several_and_receive_from_several() {
    let place = Folder::new();
    let log = r#"a {"a":1}
tells both
b {"a":1,"b":1}
b hears
c {"a":1,"c":1}
c hears
a {"a":2,"b":1,"c":1}
hears both
"#;
    let right = [
        ("b hears", "hears both"),
        ("c hears", "hears both"),
        ("tells both", "b hears"),
        ("tells both", "c hears"),
    ];
    let ended = place.run_with(&["import", "shiviz", "-"], log);
    let right = right.map(|(from, to)| (from.to_owned(), to.to_owned()));
    assert_eq!(messages(&ended.out), right);
    ended.expect(0, &ended.out, "");
}

#[test]
fn the_text_of_an_event_may_stand_before_or_after_its_clock() {
    let place = Folder::new();
    let after = "a {\"a\":1}\nsends\nb {\"a\":1,\"b\":1}\n\n";
    let before = "sends\na {\"a\":1}\n\nb {\"a\":1,\"b\":1}\n";
    let text_first = "(?<event>.*)\\n(?<host>\\S*) (?<clock>{.*})\n\n";
    let clock_first = "(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)\n\n";
    for log in [
        after.to_owned(),
        clock_first.to_owned() + after,
        text_first.to_owned() + before,
        text_first.to_owned() + &before.replace('\n', "\r\n"),
    ] {
        let ended = place.run_with(&["import", "shiviz", "-"], &log);
        let right = [("sends".to_owned(), String::new())];
        assert_eq!(messages(&ended.out), right, "{log}");
    }
}

#[test]
fn a_log_that_is_malformed_is_refused_with_its_place() {
    let text_first = "(?<event>.*)\\n(?<host>\\S*) (?<clock>{.*})";
    let with_date = "(?<date>.*) (?<host>\\S*) (?<clock>{.*})";
    let dated: &str = &format!(
        "logs of this form are not read: an event is a line with its text and a line with its host and its \
         clock, in either order, as in {text_first}"
    );
    let divided = "this divides the log into several executions; each is imported by itself, without this line";
    let no_event =
        "no event begins here: the line of its host and its clock is like `HOST {\"HOST\": 1}`";
    let no_clock =
        |why: &str| format!("the clock is not JSON that has a number for each host: {why}");
    let negative: &str = &no_clock("invalid value: integer `-1`, expected u64");
    let no_key: &str = &no_clock("key must be a string");
    let forgotten = "the clock knows of 0 events of a, and what comes before this event knows of 1";
    let circle = "this event and another one each know of the other, so neither can be the first";
    let third = "the clock of a says that this is its event 3, and it must be 2";
    let first = "the clock of a says that this is its event 1, and it must be 2";
    let of_a = "the clock knows of event 7 of a, and the log has 1 of them";
    let of_c = "the clock knows of event 2 of c, and the log has 0 of them";
    let a = |rest: &str| format!("a {{\"a\":1}}\nbegins\n{rest}");
    let place = Folder::new();
    for (log, line, what, word) in [
        (with_date.to_owned(), 1, dated, with_date),
        (
            format!("{text_first}\n== (?<run>.*)"),
            2,
            divided,
            "== (?<run>.*)",
        ),
        ("hello".to_owned(), 1, no_event, "hello"),
        (a("what"), 3, no_event, "what"),
        (a("x {b:1}"), 3, no_key, "b"),
        (a(r#"b {"b":-1}"#), 3, negative, "1"),
        (
            a(r#"b {"a":1}"#),
            3,
            "the clock of b does not count the events of b itself",
            r#"{"a":1}"#,
        ),
        (a(r#"a {"a":3}"#), 3, third, r#"a {"a":3}"#),
        (a(r#"a {"a":1}"#), 3, first, r#"a {"a":1}"#),
        (a(r#"b {"a":7,"b":1}"#), 3, of_a, r#"b {"a":7,"b":1}"#),
        (a(r#"b {"c":2,"b":1}"#), 3, of_c, r#"{"c":2,"b":1}"#),
        (
            a("b {\"a\":1,\"b\":1}\n\nb {\"b\":2}"),
            5,
            forgotten,
            r#"b {"b":2}"#,
        ),
        (
            a("b {\"a\":1,\"b\":1}\n\nc {\"b\":1,\"c\":1}"),
            5,
            forgotten,
            r#"c {"b":1,"c":1}"#,
        ),
        (
            a("b {\"b\":1,\"c\":1}\n\nc {\"b\":1,\"c\":1}"),
            3,
            circle,
            r#"b {"b":1,"c":1}"#,
        ),
    ] {
        place.file("log", format!("{log}\n"));
        let shown = log.lines().nth(line - 1).unwrap();
        let at = [&format!("log:{line}"), what, shown, word];
        assert_refused(&place, &["import", "shiviz", "log"], at);
    }
}
