//! The images: golden ones (`testdata/diagrams/NAME.svg` of `NAME.history`; `PIPEBANK_BLESS=1`
//! rewrites them), and what a reader of XML finds in those and in random ones.

use std::collections::BTreeSet;
use std::fs;

use crate::common::{examples, overlapping, read};
use diagram::{Error, Layout, Rect, Selection, select, svg, text_width};
use history::{Header, System};
use roxmltree::{Document, Node};

const RUNS: u64 = 40;

fn draw(system: &System, header: &Header) -> (Layout, String) {
    let order = select(system, Selection::All).unwrap();
    let layout = Layout::new(system, &order);
    let image = svg(system, header, &layout);
    (layout, image)
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
fn for_all(check: impl Fn(&str, &System, &Layout, &Document<'_>)) {
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

fn with<'a>(document: &'a Document<'_>, attribute: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    document
        .descendants()
        .filter(move |node| node.has_attribute(attribute))
}

fn numbers(document: &Document<'_>, attribute: &str) -> Vec<usize> {
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
    for_all(|name, _, _, document| {
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
    });
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

#[test]
fn a_hundred_thousand_events_are_refused_and_a_part_of_them_is_drawn() {
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
    let system = read(&text).1.swap_remove(0);
    let error = select(&system, Selection::All).unwrap_err();
    assert!(matches!(
        error,
        Error::TooMuch {
            events: 100_003,
            processes: 2
        }
    ));
    assert!(
        error.to_string().contains("--from LINE and --to LINE"),
        "{error}"
    );
    let lines = |from, to| select(&system, Selection::Lines { from, to });
    let order = lines(Some(30_000), Some(30_099)).unwrap();
    assert_eq!(order.len(), 200);
    let image = svg(&system, &Header::default(), &Layout::new(&system, &order));
    let document = Document::parse(&image).unwrap();
    assert_eq!(numbers(&document, "data-event"), order);
    let error = lines(Some(60_000), None).unwrap_err().to_string();
    assert!(
        error.contains("line 60000 or later") && error.contains("1 to 50001"),
        "{error}"
    );
}
