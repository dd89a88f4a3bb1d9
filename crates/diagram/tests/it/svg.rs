//! The images: golden ones (`testdata/diagrams/NAME.svg` of `NAME.history`; `PIPEBANK_BLESS=1`
//! rewrites them), and what a reader of XML finds in those and in random ones.

use std::collections::BTreeSet;
use std::fs;

use crate::common::{examples, overlapping, read};
use crate::sheet::COMPACT;
use diagram::{Layout, Rect, Selection, Setting, Sheet, select, svg, text_width};
use history::{Header, System, What};
use roxmltree::{Document, Node};

const RUNS: u64 = 40;

pub(crate) fn draw(system: &System, header: &Header) -> (Layout, String) {
    let mut sheet = sheet(system, Setting::WIDE);
    let image = svg(system, header, &sheet);
    assert_eq!(sheet.rows.len(), 1);
    (sheet.rows.swap_remove(0), image)
}

pub(crate) fn sheet(system: &System, setting: Setting) -> Sheet {
    let order = select(system, Selection::All).unwrap();
    Sheet::new(system, &order, setting)
}

#[test]
fn the_images_of_the_examples_are_as_they_were() {
    for example in examples() {
        let path = example.path.with_extension("svg");
        let (_, image) = draw(&example.system, &example.header);
        if std::env::var_os("PIPEBANK_BLESS").is_some() {
            fs::write(&path, &image).unwrap();
        }
        let right = fs::read_to_string(&path).unwrap_or_default();
        let name = path.display();
        assert!(
            right == image,
            "{name} differs: PIPEBANK_BLESS=1 rewrites it; look at it"
        );
    }
}

/// An example or a random run, as an image.
pub(crate) fn for_all(check: impl Fn(&str, &System, &Layout, &Document<'_>)) {
    let examples = examples().into_iter();
    let examples = examples.map(|it| (it.name, it.header, it.system));
    let random = testing::histories::seeds(RUNS)
        .into_iter()
        .flat_map(|seed| {
            let systems = testing::histories::systems(seed).into_iter();
            systems.map(move |system| (format!("PIPEBANK_SEED={seed}"), Header::default(), system))
        });
    for (name, header, system) in examples.chain(random) {
        let (layout, image) = draw(&system, &header);
        let document = Document::parse(&image).unwrap_or_else(|error| panic!("{name}: {error}"));
        check(&name, &system, &layout, &document);
    }
}

pub(crate) fn with<'a>(
    document: &'a Document<'_>,
    attribute: &'a str,
) -> impl Iterator<Item = Node<'a, 'a>> {
    document
        .descendants()
        .filter(move |node| node.has_attribute(attribute))
}

pub(crate) fn numbers(document: &Document<'_>, attribute: &str) -> Vec<usize> {
    let values = with(document, attribute).map(|node| node.attribute(attribute).unwrap());
    values.map(|value| value.parse().unwrap()).collect()
}

/// The points of a path that consists of straight lines between absolute points.
fn points(path: &str) -> Vec<(i32, i32)> {
    let points = path.trim_start_matches('M').split('L');
    let point = |text: &str| {
        let (x, y) = text.split_once(' ').unwrap();
        (x.parse().unwrap(), y.parse().unwrap())
    };
    points.map(point).collect()
}

#[test]
fn every_event_and_every_message_is_drawn_once_and_in_its_place() {
    for_all(|name, system, layout, document| {
        let all: Vec<usize> = (0..system.events.len()).collect();
        assert_eq!(numbers(document, "data-event"), all, "{name}");
        let all: Vec<usize> = (0..system.messages.len()).collect();
        assert_eq!(numbers(document, "data-message"), all, "{name}");
        for (node, arrow) in with(document, "data-message").zip(&layout.arrows) {
            let line = node.first_element_child().unwrap().attribute("d").unwrap();
            let ends = [arrow.from, arrow.to].map(|point| (point.x, point.y));
            assert_eq!(points(line), ends, "{name}");
        }
        for (node, cut) in with(document, "data-cut").zip(&layout.cuts) {
            let line = points(node.attribute("d").unwrap());
            let inner: Vec<_> = cut.points.iter().map(|point| (point.x, point.y)).collect();
            assert_eq!(line[1..line.len() - 1], inner, "{name}");
        }
        assert_eq!(
            with(document, "data-cut").count(),
            layout.cuts.len(),
            "{name}"
        );
    });
}

/// Where a text is, as far as the groups around it shift it.
fn area(text: &Node<'_, '_>) -> Rect {
    let number = |name| text.attribute(name).unwrap().parse::<i32>().unwrap();
    let class = text.attribute("class").unwrap_or_default();
    let size = match class {
        "title" => 20,
        "line" => 12,
        _ => 14,
    };
    let width = text_width(text.text().unwrap_or_default(), size);
    let mut area = Rect {
        x: number("x"),
        // From the top of a capital letter to the bottom of a descender.
        y: number("y") - size * 3 / 4,
        width,
        height: size,
    };
    if text.attribute("text-anchor") == Some("middle") {
        area.x -= width / 2;
    }
    for group in text.ancestors() {
        let shift = group
            .attribute("transform")
            .and_then(|it| it.strip_prefix("translate("));
        if let Some((x, y)) = shift.and_then(|it| it.trim_end_matches(')').split_once(' ')) {
            area.x += x.parse::<i32>().unwrap();
            area.y += y.parse::<i32>().unwrap();
        }
    }
    area
}

#[test]
fn no_two_texts_overlap_and_none_leaves_the_image() {
    for_all(|name, _, _, document| texts_are_apart(name, document));
}

pub(crate) fn texts_are_apart(name: &str, document: &Document<'_>) {
    {
        let is_text =
            |node: &Node<'_, '_>| node.has_tag_name(("http://www.w3.org/2000/svg", "text"));
        let texts: Vec<_> = document.descendants().filter(is_text).collect();
        let areas: Vec<Rect> = texts.iter().map(area).collect();
        if let Some((a, b)) = overlapping(&areas) {
            panic!("{name}: {:?} {:?}", texts[a].text(), texts[b].text());
        }
        let size = |side| {
            document
                .root_element()
                .attribute(side)
                .unwrap()
                .parse::<i32>()
                .unwrap()
        };
        let (width, height) = (size("width"), size("height"));
        for (area, text) in areas.iter().zip(&texts) {
            let is_inside = area.x >= 0
                && area.y >= 0
                && area.x + area.width <= width
                && area.y + area.height <= height;
            assert!(is_inside, "{name}: {:?} {area:?}", text.text());
        }
    }
}

/// Strings of a history are what somebody else wrote.
#[test]
fn what_a_history_says_cannot_break_out_of_the_image() {
    const EVIL: &str =
        "]]></style></title><script>alert(\"1\")</script>&amp;'\u{1}\u{1b}\u{ffff}\u{202e}";
    let text = r#"{"history":1}
{"event":"start"}
{"event":"create","process":1,"amount":5}
{"event":"begin","process":1,"snapshot":1}
{"event":"record","process":1,"snapshot":1,"amount":5}
{"event":"collect","snapshot":1,"states":[{"process":1,"amount":5}]}
{"event":"audit","snapshot":1,"passed":false,"reason":"EVIL"}
{"event":"death","process":1,"reason":"EVIL"}
{"event":"death","reason":"EVIL"}
"#;
    let evil = serde_json::to_string(EVIL).unwrap();
    let (mut header, systems) = read(&text.replace("\"EVIL\"", &evil));
    header.script = Some(EVIL.into());
    let (_, image) = draw(&systems[0], &header);
    assert!(!image.contains("<script"), "{image}");
    let document = Document::parse(&image).unwrap();
    let names: BTreeSet<&str> = document
        .descendants()
        .map(|node| node.tag_name().name())
        .collect();
    assert!(!names.contains("script"), "{names:?}");
    let texts: Vec<&str> = document
        .descendants()
        .filter_map(|node| node.text())
        .collect();
    let shown = texts
        .iter()
        .filter(|text| text.contains("<script>alert(\"1\")</script>&amp;'"));
    assert!(shown.count() >= 5, "{texts:?}");
    let is_odd = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{ffff}');
    assert!(!image.contains(is_odd), "{image:?}");
}

/// The marker that makes a process record runs where the cut does: it is seen on it.
#[test]
fn a_cut_is_a_broad_translucent_band_beneath_every_arrow() {
    for_all(|name, _, _, document| {
        let last_cut = with(document, "data-cut").map(|it| it.range().end).max();
        let first = with(document, "data-message").map(|it| it.range().start);
        if let (Some(cut), Some(first)) = (last_cut, first.min()) {
            assert!(cut < first, "{name}");
        }
        let style = document.descendants().find(|it| it.has_tag_name("style"));
        let style = style.and_then(|it| it.text()).unwrap_or_default();
        for (rule, property) in [
            (".cut {", "stroke-width: 12; stroke-opacity: 0.28;"),
            (".marker {", "stroke-width: 1.5; stroke-dasharray: 6 4"),
        ] {
            let rule = style.lines().find(|line| line.starts_with(rule)).unwrap();
            assert!(rule.contains(property), "{rule}");
        }
        let of_cuts = style.lines().filter(|line| line.contains(".cut"));
        assert!(!of_cuts.clone().any(|line| line.contains("dasharray")));
    });
}

/// What an event is drawn as, and what the key says of it.
fn explained(what: &What) -> Option<&'static str> {
    Some(match what {
        What::Start { .. } | What::End => return None,
        What::Create { .. } => "created",
        What::Connect { .. } => "opens a channel",
        What::Local { .. } => "something local",
        What::Send { .. } | What::Receive { .. } => "sent or received",
        What::Refuse { .. } => "refused: not enough money",
        What::Begin { .. } => "begins a snapshot",
        What::Record { .. } => "records its state",
        What::MarkerSent { .. } => "sends its markers",
        What::MarkerReceived { .. } => "receives a marker",
        What::ChannelClosed { .. } => "has a channel's whole state",
        What::Collect { .. } => "collected",
        What::Audit { verdict: Ok(_), .. } => "audit passed",
        What::Audit { .. } => return None,
        What::Death { .. } => "died",
        What::Restarted { .. } => "restarted",
    })
}

#[test]
fn the_key_explains_the_symbols_that_occur_and_no_others() {
    for_all(|name, system, layout, document| {
        let texts: BTreeSet<&str> = document.descendants().filter_map(|it| it.text()).collect();
        let events = system.events.iter().map(|event| &event.what);
        let occur: BTreeSet<&str> = events.filter_map(explained).collect();
        for name_of in [
            "created",
            "opens a channel",
            "something local",
            "sent or received",
            "refused: not enough money",
            "begins a snapshot",
            "records its state",
            "sends its markers",
            "receives a marker",
            "has a channel's whole state",
            "collected",
            "audit passed",
            "died",
            "restarted",
        ] {
            let is_there = texts.contains(name_of);
            assert_eq!(is_there, occur.contains(name_of), "{name}: {name_of}");
        }
        let crosses = layout.arrows.iter().any(|it| !it.crosses.is_empty());
        assert_eq!(texts.contains("in a channel's state"), crosses, "{name}");
        let has_cut = !layout.cuts.is_empty();
        assert_eq!(texts.contains("cut, through recorded states"), has_cut);
    });
}

/// Where events stand in another order, or several in a column, their lines would read like a mistake.
#[test]
fn the_script_s_lines_are_shown_only_where_they_ascend() {
    for example in examples() {
        let system = &example.system;
        let (_, image) = draw(system, &example.header);
        assert!(image.contains(">script line<"), "{}", example.name);
        let straight = system
            .snapshots
            .keys()
            .next()
            .map(|it| system.straighten(*it).unwrap());
        let straight = straight.map(|it| Sheet::new(system, &it.order, Setting::WIDE));
        for sheet in straight.into_iter().chain([sheet(system, COMPACT)]) {
            let image = svg(system, &example.header, &sheet);
            assert!(!image.contains(">script line<"), "{}", example.name);
            assert!(!image.contains("class=\"line\""), "{}", example.name);
        }
    }
}
