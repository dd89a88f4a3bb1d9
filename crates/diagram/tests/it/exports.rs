//! The exports, each read by the rules of its format.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{examples, read};
use diagram::{EXPRESSION, Format, Selection, Time, describe, dot, mermaid, shiviz, trace};
use history::{Content, Header, System, What};
use serde_json::Value;

const RUNS: u64 = 30;

fn for_all(check: impl Fn(&str, &System, &Header)) {
    for example in examples() {
        check(&example.name, &example.system, &example.header);
    }
    for seed in testing::histories::seeds(RUNS) {
        for system in testing::histories::systems(seed) {
            check(
                &format!("PIPEBANK_SEED={seed}"),
                &system,
                &Header::default(),
            );
        }
    }
}

/// Which events happened before which, by definition: on the same process, or by a message, or by
/// both one after the other.
fn causes(system: &System) -> Vec<BTreeSet<usize>> {
    let mut causes: Vec<BTreeSet<usize>> = Vec::new();
    let mut last = BTreeMap::new();
    for (index, event) in system.events.iter().enumerate() {
        let received = system.message_of.get(&index).map(|it| system.messages[*it]);
        let sent = received
            .filter(|it| it.received == Some(index))
            .map(|it| it.sent);
        let before = event.what.process().and_then(|it| last.insert(it, index));
        let mut all = BTreeSet::new();
        for cause in sent.into_iter().chain(before) {
            all.insert(cause);
            all.extend(&causes[cause]);
        }
        causes.push(all);
    }
    causes
}

#[test]
fn shiviz_clocks_are_the_causes_of_each_event() {
    // Pairs of lines, as `(?<event>.*)\n(?<host>\S*) (?<clock>{.*})` takes them.
    assert_eq!(EXPRESSION, r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})");
    for_all(|name, system, _| {
        let log = shiviz(system);
        let lines: Vec<&str> = log.strip_suffix('\n').unwrap().split('\n').collect();
        assert_eq!(lines[..2], [EXPRESSION, ""], "{name}");
        let causes = causes(system);
        let at_processes =
            (0..system.events.len()).filter(|event| system.events[*event].what.process().is_some());
        let events: Vec<usize> = at_processes.collect();
        assert_eq!(lines.len(), 2 + 2 * events.len(), "{name}");
        for (pair, event) in lines[2..].chunks(2).zip(&events) {
            assert_eq!(pair[0], describe(system, *event), "{name}");
            let (host, clock) = pair[1].split_once(' ').unwrap();
            let process = system.events[*event].what.process().unwrap();
            assert_eq!(host, format!("p{process}"), "{name}");
            let clock: BTreeMap<String, u64> = serde_json::from_str(clock).unwrap();
            let mut right = BTreeMap::from([(host.to_owned(), 1)]);
            for cause in &causes[*event] {
                let process = system.events[*cause].what.process().unwrap();
                *right.entry(format!("p{process}")).or_default() += 1;
            }
            assert_eq!(clock, right, "{name}: {}", pair[0]);
        }
    });
}

#[test]
fn every_flow_of_a_trace_goes_from_a_slice_to_a_later_one() {
    for_all(|name, system, header| {
        check_trace(name, system, header, Time::Steps);
        // A clock that stands still for a while, and goes back a little.
        let mut timed = system.clone();
        for (event, index) in timed.events.iter_mut().zip(0..) {
            event.time = Some(index / 4 * 3 + index % 2);
        }
        check_trace(name, &timed, header, Time::Clock);
        // One event is without a time.
        timed.events[0].time = None;
        let error = trace(&timed, header, Time::Clock).unwrap_err().to_string();
        assert!(error.contains("without --clock"), "{name}: {error}");
    });
}

/// However long it took to start processes, and however little the rest: a step takes a step, and only
/// a death lasts until its restart.
#[test]
fn a_trace_gives_every_step_as_much_room_as_any_other() {
    for_all(|name, system, header| {
        let mut timed = system.clone();
        for (event, index) in timed.events.iter_mut().zip(0..) {
            event.time = Some(if index < 3 {
                index * 1_000_000
            } else {
                2_000_000 + index
            });
        }
        let trace: Value =
            serde_json::from_str(&trace(&timed, header, Time::Steps).unwrap()).unwrap();
        let slices = trace["traceEvents"].as_array().unwrap().iter();
        let slices = slices.filter(|event| event["ph"] == "X");
        let mut steps = BTreeSet::new();
        for slice in slices {
            let is_death = slice["name"].as_str().unwrap().contains("died: ");
            assert!(is_death || slice["dur"] == 1_000_000, "{name}: {slice}");
            steps.insert(slice["ts"].as_u64().unwrap());
        }
        // One after the other, none of them empty.
        let all: BTreeSet<u64> = (0..steps.len() as u64)
            .map(|step| step * 1_000_000)
            .collect();
        assert_eq!(steps, all, "{name}");
    });
}

fn check_trace(name: &str, system: &System, header: &Header, time: Time) {
    let trace: Value = serde_json::from_str(&trace(system, header, time).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |phase: &'static str| events.iter().filter(move |event| event["ph"] == phase);
    let number = |event: &Value, key: &str| event[key].as_u64().unwrap();
    // Every event is told in some slice, in order.
    let told = of("X").flat_map(|slice| slice["args"]["what"].as_array().unwrap());
    let told = told.map(|text| text.as_str().unwrap().to_owned());
    let all = (0..system.events.len()).map(|event| describe(system, event));
    assert!(told.eq(all), "{name}");
    let named: BTreeSet<u64> = of("M").map(|event| number(event, "tid")).collect();
    assert_eq!(named.len(), system.processes.len() + 1, "{name}");
    assert!(
        of("X").all(|slice| slice["pid"] != slice["tid"] && slice["tid"] != 0),
        "{name}"
    );
    // A track is called after its process, and Perfetto shows its number behind that.
    let tracks = of("M").filter(|it| it["name"] == "thread_name");
    for (track, process) in tracks.zip(system.processes.keys()) {
        let shown = format!(
            "{} {}",
            track["args"]["name"].as_str().unwrap(),
            track["tid"]
        );
        let is_id = shown == format!("process {process}");
        let is_other = shown.starts_with(&format!("process {process}, track "));
        assert!(is_id || is_other, "{name}: {shown}");
    }
    let mut free_from: BTreeMap<u64, u64> = BTreeMap::new();
    let mut slices = BTreeSet::new();
    for slice in of("X") {
        let (track, start) = (number(slice, "tid"), number(slice, "ts"));
        assert!(named.contains(&track), "{name}: {slice}");
        let end = start + number(slice, "dur");
        let free = free_from.insert(track, end).unwrap_or(0);
        assert!(free <= start && start < end, "{name}: {slice} overlaps");
        slices.insert((track, start));
    }
    let ends = |phase| {
        let of = of(phase).inspect(|flow| {
            let place = (number(flow, "tid"), number(flow, "ts"));
            assert!(slices.contains(&place), "{name}: {flow} is on no slice");
        });
        of.map(|flow| (number(flow, "id"), number(flow, "ts")))
            .collect::<BTreeMap<_, _>>()
    };
    let (starts, finishes) = (ends("s"), ends("f"));
    assert!(of("f").all(|flow| flow["bp"] == "e"), "{name}");
    assert!(starts.keys().eq(finishes.keys()), "{name}");
    assert!(
        starts.values().zip(finishes.values()).all(|(a, b)| a < b),
        "{name}"
    );
    let received = system.messages.iter().filter(|it| it.received.is_some());
    assert_eq!(starts.len(), received.count(), "{name}");
}

/// The part of Mermaid's language that is used: a statement a line, with known participants.
#[test]
fn every_line_of_a_sequence_diagram_is_a_statement() {
    for_all(|name, system, _| {
        let text = mermaid(system);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("sequenceDiagram"), "{name}");
        let mut known = BTreeSet::new();
        let mut arrows = 0;
        for line in lines {
            let line = line.strip_prefix("    ").unwrap();
            if let Some(participant) = line.strip_prefix("participant ") {
                let (id, shown) = participant.split_once(" as ").unwrap();
                assert_eq!(shown, id.replace('p', "process "), "{name}");
                known.insert(id.to_owned());
                continue;
            }
            let (head, shown) = line.split_once(": ").unwrap();
            let places = match head.strip_prefix("Note over ") {
                Some(places) => places.split(',').collect(),
                None => {
                    let arrow = ["-->>", "->>", "--x", "-x"].into_iter();
                    let mut split = arrow.filter_map(|arrow| head.split_once(arrow));
                    let (from, to) = split.next().unwrap_or_else(|| panic!("{name}: {line}"));
                    arrows += usize::from(head.contains(">>"));
                    vec![from, to]
                }
            };
            assert!(
                places.iter().all(|place| known.contains(*place)),
                "{name}: {line}"
            );
            let is_entity = |rest: &str| {
                let digits = rest.split_once(';').map(|(digits, _)| digits);
                digits.is_some_and(|it| it.chars().all(|c| c.is_ascii_digit()))
            };
            assert!(shown.split('#').skip(1).all(is_entity), "{name}: {line}");
            for shown in shown.split("<br/>") {
                let odd = ['<', '>', '"', '\\', '&', '\u{1}'];
                assert!(!shown.contains(odd), "{name}: {line}");
                // Short, so that it fits: an entity is one character.
                let entities = shown.split('#').skip(1);
                let written = entities.map(|it| it.split(';').next().unwrap_or_default().len() + 1);
                let shown = shown.chars().count() - written.sum::<usize>();
                let is_note = head.starts_with("Note");
                assert!(!is_note || shown <= 20, "{name}: {line}");
            }
        }
        let received = system.messages.iter().filter(|it| it.received.is_some());
        assert_eq!(arrows, received.count(), "{name}");
    });
}

/// The tokens of Graphviz's language: identifiers, strings, and punctuation.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let mut token = String::from(character);
        match character {
            character if character.is_whitespace() => continue,
            '"' => loop {
                let next = characters.next().expect("a string ends");
                token.push(next);
                match next {
                    '"' => break,
                    '\\' => token.push(characters.next().expect("something is escaped")),
                    _ => {}
                }
            },
            '-' => {
                let is_next = |c: &char| *c == '>' || c.is_ascii_digit();
                token.push(characters.next_if(is_next).expect("an arrow, or a number"));
            }
            '{' | '}' | '[' | ']' | ';' | ',' | '=' => {}
            _ => {
                let is_word = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
                assert!(is_word(&character), "{character:?} begins nothing");
                while let Some(next) = characters.next_if(is_word) {
                    token.push(next);
                }
            }
        }
        tokens.push(token);
    }
    tokens
}

#[test]
fn a_graph_has_every_event_in_a_node_and_an_edge_for_every_message() {
    for_all(|name, system, _| {
        let text = dot(system);
        let tokens = tokens(&text);
        let count = |token: &str| tokens.iter().filter(|it| *it == token).count();
        assert_eq!(count("{"), count("}"), "{name}");
        assert_eq!(count("["), count("]"), "{name}");
        // Nodes say in their tooltips what happens there.
        let (mut told, mut messages, mut cuts) = (Vec::new(), Vec::new(), 0);
        for line in text.lines() {
            let Some((head, rest)) = line.split_once(" [") else {
                continue;
            };
            let Some((_, tooltip)) = rest.split_once("tooltip=\"") else {
                continue;
            };
            let tooltip = tooltip.strip_suffix("\"];").unwrap();
            if !head.contains("->") {
                told.extend(tooltip.split("\\n").map(str::to_owned));
            } else if tooltip.starts_with("the cut") {
                cuts += head.matches("->").count();
            } else {
                messages.push(tooltip.to_owned());
            }
        }
        let sorted = |mut texts: Vec<String>| {
            texts.sort();
            texts
        };
        let at_processes =
            (0..system.events.len()).filter(|event| system.events[*event].what.process().is_some());
        let events = at_processes.map(|event| describe(system, event)).collect();
        assert_eq!(sorted(told), sorted(events), "{name}");
        let all = system.messages.iter().map(|message| {
            let what = match message.content {
                Content::Amount(amount) => amount.to_string(),
                Content::Marker(snapshot) => format!("the marker of snapshot {snapshot}"),
            };
            format!("{what}, {}", message.channel)
        });
        assert_eq!(sorted(messages), sorted(all.collect()), "{name}");
        let crossed = system.snapshots.values().map(|it| it.cut.len().max(1) - 1);
        assert_eq!(cuts, crossed.sum::<usize>(), "{name}");
    });
}

#[test]
fn what_a_history_says_cannot_break_out_of_any_format() {
    let evil = "\"]\\;\n}<script>#amp;end: %%{init}%%\u{1b}[2J";
    let mut systems = read("{\"history\":1}\n{\"event\":\"start\"}\n{\"event\":\"create\",\"process\":1,\"amount\":5}\n").1;
    let mut system = systems.remove(0);
    system.events.push(history::Event {
        line: None,
        time: None,
        extra: Vec::new(),
        what: What::Death {
            process: Some(history::ProcessId(1)),
            reason: evil.into(),
        },
    });
    let header = Header {
        script: Some(evil.into()),
        ..Header::default()
    };
    let mut lines = Vec::new();
    for format in Format::ALL {
        let drawing = format.draw(&system, &header, Selection::All);
        let text = drawing.unwrap().text;
        assert!(!text.contains('\u{1b}'), "{text}");
        lines.push((format.ending(), text));
    }
    let text = |ending: &str| &lines.iter().find(|(it, _)| *it == ending).unwrap().1;
    assert_eq!(text(".shiviz").lines().count(), 2 + 2 * 2);
    let quoted = r##""1 died: \"]\\;\x0a}<script>#amp;end: %%{init}%%\x1b[2J""##;
    assert!(tokens(text(".dot")).contains(&quoted.replace("x0a", "\\x0a").replace("x1b", "\\x1b")));
    let note = text(".mmd").lines().last().unwrap();
    let begins = "    Note over p1: created with 5<br/>died:<br/>#34;#93;#92;#59;#92;x0a#125;#60;script#62;#35;am<br/>";
    assert!(note.starts_with(begins), "{note}");
    let trace: Value = serde_json::from_str(text(".trace.json")).unwrap();
    assert_eq!(
        trace["traceEvents"][0]["args"]["name"],
        &*history::Text::from(evil)
    );
}

#[test]
fn each_format_is_known_by_its_ending_and_says_what_it_cannot_take() {
    for format in Format::ALL {
        assert_eq!(
            Format::of_name(&format!("a/b.c{}", format.ending())),
            Some(format)
        );
    }
    assert_eq!(Format::of_name("trace.json"), None);
    let long = testing::histories::run(
        1,
        &testing::histories::Params {
            steps: 2_000,
            ..testing::histories::Params::any(1)
        },
    );
    let system = System::link(long).unwrap().remove(0);
    for (format, is_taken) in [
        (Format::Mermaid, false),
        (Format::Dot, false),
        (Format::Trace(Time::Steps), true),
    ] {
        let drawn = format.draw(&system, &Header::default(), Selection::All);
        assert_eq!(
            drawn.is_ok(),
            is_taken,
            "{format:?}: {} events",
            system.events.len()
        );
        let part = Selection::Lines {
            from: Some(1),
            to: None,
        };
        let error = format.draw(&system, &Header::default(), part).unwrap_err();
        assert!(error.to_string().contains("--from"), "{error}");
    }
}
