//! Histories as others write them: their words stand in every format.

use crate::common::read;
use diagram::{Format, Recent, Selection, Setting, TextOptions, Time, text};
use history::Reader;

const RUN: &str = r#"{"history":2}
{"event":"start","sparse":true}
{"event":"create","process":"till","amount":10}
{"event":"create","process":"vault","amount":20}
{"event":"connect","process":"till","from":"till","to":"vault"}
{"event":"local","process":"till","text":"opens at nine"}
{"event":"send","process":"till","from":"till","to":"vault","amount":3,"number":1}
{"event":"receive","process":"vault","from":"till","to":"vault","amount":3,"number":1}
{"event":"end"}
"#;

#[test]
fn processes_have_their_names_and_local_events_their_texts_in_every_format() {
    let (header, systems) = read(RUN);
    let formats = [
        Format::Svg(Setting::WIDE),
        Format::Html,
        Format::Dot,
        Format::Mermaid,
        Format::Trace(Time::Steps),
        Format::Shiviz,
    ];
    for format in formats {
        let drawing = format.draw(&systems[0], &header, Selection::All);
        let text = drawing.unwrap().text;
        for word in ["till", "vault", "opens at nine"] {
            assert!(text.contains(word), "{word} in {}: {text}", format.ending());
        }
    }
    let mut recent = Recent::default();
    for event in Reader::new(RUN.as_bytes()).unwrap() {
        recent.push(event.unwrap());
    }
    let options = TextOptions {
        width: 100,
        steps: usize::MAX,
        earlier: true,
        ascii: false,
    };
    let drawn = text(&recent, &options, |_, text| text.to_owned());
    for word in ["till", "vault", "opens at nine", "opens till → vault"] {
        assert!(drawn.contains(word), "{word} in {drawn}");
    }
}
