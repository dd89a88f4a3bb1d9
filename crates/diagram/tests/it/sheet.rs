//! What an image shows of a run that is large: as much as can be read, in rows, without markers.

use std::collections::BTreeMap;

use crate::common::read;
use crate::svg::{for_all, numbers, sheet, texts_are_apart};
use diagram::{Format, Layout, MAX_EVENTS, MAX_PROCESSES, Selection, Setting, Sheet, select, svg};
use history::{Header, System, What};
use roxmltree::Document;

pub(crate) const COMPACT: Setting = Setting {
    without_markers: false,
    is_compact: true,
};

/// How wide an image is.
fn width(image: &str) -> i32 {
    let document = Document::parse(image).unwrap();
    let width = document.root_element().attribute("width").unwrap();
    width.parse().unwrap()
}

/// Two processes that exchange nothing 50,000 times.
fn long() -> System {
    let mut text = "{\"history\":1}\n{\"event\":\"start\",\"line\":1}\n".to_owned();
    for process in 1..=2 {
        text +=
            &format!("{{\"event\":\"create\",\"process\":{process},\"amount\":9,\"line\":1}}\n");
    }
    for number in 1..=50_000 {
        text += &format!(
            "{{\"event\":\"send\",\"process\":1,\"from\":1,\"to\":2,\"amount\":0,\"number\":{number},\"line\":{line}}}\n\
             {{\"event\":\"receive\",\"process\":2,\"from\":1,\"to\":2,\"amount\":0,\"number\":{number},\"line\":{line}}}\n",
            line = number + 1
        );
    }
    read(&text).1.swap_remove(0)
}

#[test]
fn of_a_hundred_thousand_events_the_first_are_drawn_or_a_part_that_is_chosen() {
    let system = long();
    for format in [Format::Svg(Setting::WIDE), Format::Html] {
        let drawing = format
            .draw(&system, &Header::default(), Selection::All)
            .unwrap();
        let said = drawing.left_out.unwrap().to_string();
        assert_eq!(
            said,
            "a part is drawn: the first 4000 of 100003 events, up to line 2000; --from LINE and \
             --to LINE (lines of the script) or --snapshot N choose another"
        );
    }
    let first = sheet(&system, Setting::WIDE);
    let image = svg(&system, &Header::default(), &first);
    let document = Document::parse(&image).unwrap();
    let drawn: Vec<usize> = (0..MAX_EVENTS).collect();
    assert_eq!(numbers(&document, "data-event"), drawn);
    assert!(image.contains("a part of 100003 events"));

    let lines = |from, to| select(&system, Selection::Lines { from, to });
    let order = lines(Some(30_000), Some(30_099)).unwrap();
    assert_eq!(order.len(), 200);
    let part = Sheet::new(&system, &order, Setting::WIDE);
    assert_eq!(part.left_out, None);
    let image = svg(&system, &Header::default(), &part);
    let document = Document::parse(&image).unwrap();
    assert_eq!(numbers(&document, "data-event"), order);
    let error = lines(Some(60_000), None).unwrap_err().to_string();
    assert!(
        error.contains("line 60000 or later") && error.contains("1 to 50001"),
        "{error}"
    );
}

#[test]
fn of_too_many_processes_those_to_which_most_happens_are_drawn() {
    let params = testing::histories::Params {
        processes: 60,
        steps: 400,
        snapshots: 0,
        joins: 0,
        deaths: 0,
        restarts: false,
        refusals: false,
        capacity: 3,
        sparse: false,
    };
    let system = System::link(testing::histories::run(1, &params))
        .unwrap()
        .swap_remove(0);
    let sheet = sheet(&system, Setting::WIDE);
    let left_out = sheet.left_out.unwrap();
    let said = left_out.to_string();
    assert!(
        said.contains("the 30 of 60 processes to which most happens"),
        "{said}"
    );
    let mut happens: Vec<usize> = system
        .processes
        .keys()
        .map(|process| {
            let events = system.events.iter();
            events
                .filter(|event| event.what.process() == Some(*process))
                .count()
        })
        .collect();
    happens.sort_unstable_by(|a, b| b.cmp(a));
    let drawn = sheet.rows[0].events.iter();
    let drawn = drawn.filter(|placed| placed.lane.is_some()).count();
    assert_eq!(drawn, happens[..MAX_PROCESSES].iter().sum::<usize>());
    assert_eq!(sheet.rows[0].lanes.len(), MAX_PROCESSES);
    // A page scrolls, and leaves nobody out.
    let page = Format::Html.draw(&system, &Header::default(), Selection::All);
    assert_eq!(page.unwrap().left_out, None);
}

/// Ten processes that each send to the next, round after round.
fn rounds(count: u64) -> System {
    let mut text = "{\"history\":1}\n{\"event\":\"start\"}\n".to_owned();
    for process in 1..=10 {
        text += &format!("{{\"event\":\"create\",\"process\":{process},\"amount\":900}}\n");
    }
    for number in 1..=count {
        for kind in ["send", "receive"] {
            for from in 1..=10 {
                let to = from % 10 + 1;
                let process = if kind == "send" { from } else { to };
                text += &format!(
                    "{{\"event\":\"{kind}\",\"process\":{process},\"from\":{from},\"to\":{to},\
                     \"amount\":{from},\"number\":{number}}}\n"
                );
            }
        }
    }
    read(&text).1.swap_remove(0)
}

#[test]
fn a_compact_image_fits_a_page_however_long_the_run_is() {
    for (count, least) in [(10, 1_000), (180, 15_000)] {
        let system = rounds(count);
        let image = |setting| svg(&system, &Header::default(), &sheet(&system, setting));
        let [wide, compact] = [Setting::WIDE, COMPACT].map(|it| width(&image(it)));
        assert!(wide > least, "{wide}");
        assert!(compact <= 1_200, "{compact}");
    }
}

#[test]
fn in_a_compact_image_every_event_stands_once_and_after_what_it_needs() {
    for_all(|name, system, _, _| {
        let sheet = sheet(system, COMPACT);
        let mut places = BTreeMap::new();
        for (row, layout) in sheet.rows.iter().enumerate() {
            for placed in &layout.events {
                let place = (row, placed.at.x);
                assert_eq!(places.insert(placed.event, place), None, "{name}");
            }
            assert!(layout.width <= 980, "{name}: {}", layout.width);
        }
        assert_eq!(places.len(), system.events.len(), "{name}");
        let mut last = BTreeMap::new();
        for (event, place) in &places {
            let process = system.events[*event].what.process();
            if let Some(before) = process.and_then(|process| last.insert(process, *place)) {
                assert!(before <= *place, "{name}: event {event}");
            }
        }
        for message in &system.messages {
            if let Some(received) = message.received {
                assert!(places[&message.sent] < places[&received], "{name}");
            }
        }
        let image = svg(system, &Header::default(), &sheet);
        let document = Document::parse(&image).unwrap();
        texts_are_apart(&format!("{name}, compact"), &document);
    });
}

#[test]
fn without_markers_cuts_states_and_channel_states_stay() {
    for_all(|name, system, all, _| {
        let setting = Setting {
            without_markers: true,
            is_compact: false,
        };
        let sheet = sheet(system, setting);
        assert_eq!(sheet.left_out, None, "{name}");
        let layout = &sheet.rows[0];
        let is_marker = |what: &What| {
            matches!(
                what,
                What::MarkerSent { .. } | What::MarkerReceived { .. } | What::ChannelClosed { .. }
            )
        };
        let right = (0..system.events.len()).filter(|it| !is_marker(&system.events[*it].what));
        let drawn: Vec<usize> = layout.events.iter().map(|placed| placed.event).collect();
        assert_eq!(drawn, right.collect::<Vec<_>>(), "{name}");
        let crossing = |layout: &Layout| {
            let crossing = layout.arrows.iter().filter(|it| !it.crosses.is_empty());
            crossing
                .map(|it| (it.message, it.crosses.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(crossing(layout), crossing(all), "{name}");
        assert_eq!(layout.cuts.len(), all.cuts.len(), "{name}");
        let image = svg(system, &Header::default(), &sheet);
        assert!(!image.contains("class=\"marker "), "{name}");
        assert!(!image.contains("a part of"), "{name}");
    });
}
