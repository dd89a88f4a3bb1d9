//! Events are written as lines and read back.

use history::{Error, Event, Header, Reader, System, write_event, write_header};

const RUN: &str = r#"{"history":2,"seed":7,"script":"two.txt"}
{"event":"start","line":1,"time":5}
{"event":"create","process":1,"amount":1000,"line":2,"time":9}
{"event":"create","process":2,"amount":18446744073709550615,"line":3,"time":9}
{"event":"send","process":1,"from":1,"to":2,"amount":300,"number":1,"line":4}
{"event":"refuse","process":1,"from":1,"to":2,"amount":701,"line":5}
{"event":"begin","process":2,"snapshot":1,"line":6}
{"event":"record","process":2,"snapshot":1,"amount":18446744073709550615,"received":[{"process":1,"messages":9,"sum":170141183460469231731687303715884105727}],"line":6}
{"event":"marker_sent","process":2,"from":2,"to":1,"snapshot":1,"line":6}
{"event":"marker_received","process":1,"from":2,"to":1,"snapshot":1,"line":7}
{"event":"record","process":1,"snapshot":1,"amount":700,"sent":[{"process":2,"messages":1,"sum":300}],"line":7}
{"event":"marker_sent","process":1,"from":1,"to":2,"snapshot":1,"line":7}
{"event":"channel_closed","process":1,"from":2,"to":1,"snapshot":1,"line":7}
{"event":"receive","process":2,"from":1,"to":2,"amount":300,"number":1,"line":7}
{"event":"marker_received","process":2,"from":1,"to":2,"snapshot":1,"line":7}
{"event":"channel_closed","process":2,"from":1,"to":2,"snapshot":1,"line":7}
{"event":"collect","snapshot":1,"states":[{"process":1,"amount":700},{"process":2,"amount":18446744073709550615}],"channels":[{"from":1,"to":2,"amounts":[300]}],"line":8}
{"event":"audit","snapshot":1,"amount":18446744073709551615,"passed":true,"line":8}
{"event":"send","process":1,"from":1,"to":2,"amount":0,"number":2,"inferred":true}
{"event":"death","process":1,"reason":"killed by signal 9"}
{"event":"death","reason":"the <observer> \"ended\""}
{"event":"audit","snapshot":2,"passed":false,"reason":"money is missing"}
{"event":"end","x-note":{"event":[1,"two"]}}
{"event":"start","sparse":true}
{"event":"create","process":1,"name":"till","amount":5}
{"event":"create","process":2,"amount":0}
{"event":"connect","process":1,"from":1,"to":2}
{"event":"local","process":1,"text":"opens at nine"}
{"event":"begin","process":1,"snapshot":1,"members":[1,2]}
"#;

fn read(text: &str) -> Result<(Header, Vec<Event>, bool), Error> {
    let mut reader = Reader::new(text.as_bytes())?;
    let events = reader.by_ref().collect::<Result<_, _>>()?;
    Ok((reader.header().clone(), events, reader.is_truncated()))
}

#[test]
fn what_is_written_is_what_was_read() {
    let (header, events, is_truncated) = read(RUN).unwrap();
    let mut written = Vec::new();
    write_header(&mut written, &header);
    for event in &events {
        write_event(&mut written, event);
    }
    assert_eq!(String::from_utf8(written).unwrap(), RUN);
    assert!(!is_truncated);
}

/// What the first version could say means the same today.
#[test]
fn a_history_of_the_first_version_is_read_as_one_of_today() {
    let old = RUN.replace("{\"history\":2,", "{\"history\":1,");
    assert_eq!(read(&old).unwrap(), read(RUN).unwrap());
}

#[test]
fn blank_lines_and_a_byte_order_mark_say_nothing() {
    let blank = RUN.replace('\n', "\r\n \t\n\n");
    let (header, events, is_truncated) = read(&format!("\u{feff}\n\n{blank}  ")).unwrap();
    let (expected, all, _) = read(RUN).unwrap();
    assert_eq!((header, events, is_truncated), (expected, all, false));
}

#[test]
fn processes_may_have_names_beside_their_numbers_or_instead_of_them() {
    let text = |processes: [&str; 2], create: [&str; 2]| {
        let ([one, two], [first, second]) = (processes, create);
        format!(
            r#"{{"history":2}}
{{"event":"start","sparse":true}}
{{"event":"create","process":{first},"amount":5}}
{{"event":"create","process":{second},"amount":0}}
{{"event":"connect","process":{one},"from":{one},"to":{two}}}
{{"event":"begin","process":{one},"snapshot":1,"members":[{one},{two}]}}
{{"event":"record","process":{one},"snapshot":1,"amount":5,"sent":[{{"process":{two},"messages":1,"sum":36893488147419103232}}]}}
{{"event":"collect","snapshot":1,"states":[{{"process":{one},"amount":5}}],"channels":[{{"from":{one},"to":{two},"amounts":[1]}}]}}
{{"event":"death","process":{two},"reason":"gone"}}
"#
        )
    };
    let named = [r#"1,"name":"till""#, r#"2,"name":"vault""#];
    let (_, expected, _) = read(&text(["1", "2"], named)).unwrap();
    let names = [r#""till""#, r#""vault""#];
    assert_eq!(read(&text(names, names)).unwrap().1, expected);
    assert_eq!(read(&text(names, named)).unwrap().1, expected);
    for (text, reason) in [
        (
            text(["1", "2"], names),
            "line 5: a process is called by a number, and those before it by names",
        ),
        (
            text([r#""till""#, r#""safe""#], named),
            "line 5: no process is called \"safe\"",
        ),
    ] {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.starts_with(reason), "{error}");
    }
}

#[test]
fn what_is_opaque_may_be_anything_and_is_read_as_0() {
    let text = r#"{"history":2,"states":"opaque"}
{"event":"create","process":1}
{"event":"create","process":2,"amount":{"balance":[1]}}
{"event":"send","process":1,"from":1,"to":2,"amount":"token","number":1}
{"event":"record","process":2,"snapshot":1,"received":[{"process":1,"messages":0,"sum":7}]}
{"event":"collect","snapshot":1,"states":[{"process":1},{"process":2,"amount":"red"}],"channels":[{"from":1,"to":2,"amounts":["token",null]}]}
{"event":"audit","snapshot":1,"passed":true}
"#;
    let (header, events, _) = read(text).unwrap();
    assert!(header.is_opaque);
    let mut written = Vec::new();
    write_header(&mut written, &header);
    for event in &events {
        write_event(&mut written, event);
    }
    let expected = r#"{"history":2,"states":"opaque"}
{"event":"create","process":1,"amount":0}
{"event":"create","process":2,"amount":0}
{"event":"send","process":1,"from":1,"to":2,"amount":0,"number":1}
{"event":"record","process":2,"snapshot":1,"amount":0,"received":[{"process":1,"messages":0,"sum":0}]}
{"event":"collect","snapshot":1,"states":[{"process":1,"amount":0},{"process":2,"amount":0}],"channels":[{"from":1,"to":2,"amounts":[0,0]}]}
{"event":"audit","snapshot":1,"amount":0,"passed":true}
"#;
    assert_eq!(String::from_utf8(written).unwrap(), expected);
}

#[test]
fn keys_of_somebody_else_s_are_kept_wherever_they_stand() {
    let text = r#"{"x-by":"me","history":2}
{"event":"start","x-a":[1, 2.50],"line":3,"x-\"":null}
"#;
    let (header, events, _) = read(text).unwrap();
    let mut written = Vec::new();
    write_header(&mut written, &header);
    write_event(&mut written, &events[0]);
    let expected = r#"{"history":2,"x-by":"me"}
{"event":"start","line":3,"x-a":[1, 2.50],"x-\"":null}
"#;
    assert_eq!(String::from_utf8(written).unwrap(), expected);
    for wrong in [
        r#"{"event":"start","x":1}"#,
        r#"{"event":"start","x-a":1,"colour":2}"#,
        r#"{"event":"create","process":1,"amount":"\"x-a"}"#,
    ] {
        let error = read(&format!("{{\"history\":2}}\n{wrong}\n")).unwrap_err();
        assert!(error.to_string().starts_with("line 2: "), "{error}");
    }
}

#[test]
fn a_history_cut_off_anywhere_is_what_came_before() {
    let all = read(RUN).unwrap().1;
    let first = RUN.find('\n').unwrap();
    for end in first..RUN.len() {
        let whole = RUN[..end].matches('\n').count().saturating_sub(1);
        let is_between = RUN[..end].ends_with('\n') || RUN[end..].starts_with('\n');
        let (_, events, is_truncated) = read(&RUN[..end]).unwrap();
        assert_eq!(is_truncated, !is_between, "{}", &RUN[..end]);
        assert_eq!(events, all[..events.len()]);
        assert!(events.len() >= whole, "{}", &RUN[..end]);
    }
}

#[test]
fn anything_else_malformed_is_an_error_with_its_line() {
    let refused = r#"{"event":"refuse","process":2,"from":1,"to":2,"amount":1}"#;
    let negative = r#"{"event":"create","process":1,"amount":-1}"#;
    let cases = [
        (r#"{"event":"send"}"#, "line 2: the key `from` is missing"),
        (r#"{"event":"end","amount":1}"#, "belong to it: amount"),
        (r#"{"event":"end","colour":1}"#, "unknown field `colour`"),
        (r#"{"event":"bend"}"#, "unknown variant `bend`"),
        (
            r#"{"event":"end"]"#,
            "line 2: expected `,` or `}` (column 15)",
        ),
        (
            refused,
            "line 2: `process` is 2, and must be 1, as in `from`",
        ),
        (
            negative,
            "line 2: -1 is negative: that is for histories whose header has `\"negative\":true`",
        ),
        (
            r#"{"event":"create","process":1,"amount":18446744073709551616}"#,
            "line 2: 18446744073709551616 is too large: amounts fit in 64 bits",
        ),
    ];
    for (line, expected) in cases {
        let error = read(&format!("{{\"history\":1}}\n{line}\n")).unwrap_err();
        assert!(error.to_string().contains(expected), "{line}\n{error}");
    }
    let signed = "{\"history\":2,\"negative\":true}\n";
    assert!(read(&format!("{signed}{negative}\n")).is_ok());
    let error = read(&format!(
        "{signed}{}\n",
        negative.replace("-1", "-18446744073709551616")
    ));
    assert!(error.unwrap_err().to_string().contains("too large"));
    let nothing = Error::Empty.to_string();
    for (text, expected) in [
        ("", &nothing[..]),
        ("{\"hist", &nothing),
        (
            "{\"history\":3,\"novel\":1}\n",
            "line 1: the history is of version 3",
        ),
        ("{\"event\":\"start\"}\n", "line 1: missing field `history`"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n{error}");
    }
    let long = "9".repeat(history::MAX_LINE + 1);
    let error = read(&format!("{{\"history\":1}}\n{long}\n")).unwrap_err();
    assert!(matches!(error, Error::TooLong { line: 2 }));
}

#[test]
fn a_line_that_is_wrong_has_one_place() {
    for line in [
        "x",
        "{\"event\":\"bend\"}",
        "{\"event\":1}",
        "{\"event\":\"end\"",
        "[]",
        "{} {}",
    ] {
        for text in [format!("{line}\n"), format!("{{\"history\":1}}\n{line}\n")] {
            let error = read(&text).unwrap_err().to_string();
            assert_eq!(error.matches("line").count(), 1, "{error}");
            assert!(error.contains("(column "), "{error}");
        }
    }
}

#[test]
fn what_other_systems_make_of_a_history_is_known_for_what_it_is() {
    let text = "{\"history\":1}\n{\"event\":\"start\"}\n";
    let units = || text.encode_utf16();
    let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
    let with_mark = |mark: &[u8], text: &[u8]| [mark, text].concat();
    let returns = |count: usize| {
        let line = "{\"event\":\"start\"}\r".repeat(count);
        format!("{{\"history\":1}}\r{line}").into_bytes()
    };
    let cases = [
        (little.clone(), "iconv -f UTF-16LE -t UTF-8"),
        (
            with_mark(&[0xff, 0xfe], &little),
            "iconv -f UTF-16LE -t UTF-8",
        ),
        (big.clone(), "iconv -f UTF-16BE -t UTF-8"),
        (with_mark(&[0xfe, 0xff], &big), "iconv -f UTF-16BE -t UTF-8"),
        (returns(1), "tr '\\r' '\\n'"),
        // Longer than any line.
        (returns(10_000), "tr '\\r' '\\n'"),
    ];
    for (bytes, remedy) in cases {
        let error = Reader::new(&bytes[..]).unwrap_err().to_string();
        assert!(error.contains(remedy), "{error}");
        assert!(!error.contains("line 1"), "{error}");
    }
    let marked = with_mark("\u{feff}".as_bytes(), text.replace('\n', "\r\n").as_bytes());
    assert_eq!(Reader::new(&marked[..]).unwrap().count(), 1);
}

#[test]
fn a_system_knows_what_belongs_together() {
    let (_, events, _) = read(RUN).unwrap();
    let systems = System::link(events).unwrap();
    let [system, _] = &systems[..] else {
        panic!("{systems:?}")
    };
    assert_eq!(system.messages.len(), 4);
    assert_eq!(system.messages[0].received, Some(12));
    assert_eq!(system.line_of(12), 14);
    let snapshot = &system.snapshots[&history::SnapshotId(1)];
    assert_eq!(snapshot.cut.len(), 2);
    assert_eq!(snapshot.collected.as_ref().unwrap().channels.len(), 1);

    let received = "\"to\":2,\"amount\":300,\"number\":1,\"line\":7";
    let wrong = RUN.replace(received, &received.replace("300", "301"));
    let error = System::link(read(&wrong).unwrap().1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 14: a message of 301 is received from channel 1 → 2, where a message of 300 is next \
         (line 5)"
    );

    // Whoever is named was created.
    for named in ["connect", "refuse"] {
        let amount = if named == "refuse" {
            ",\"amount\":1"
        } else {
            ""
        };
        let text = format!(
            r#"{{"history":2}}
{{"event":"start","sparse":true}}
{{"event":"create","process":1,"amount":1}}
{{"event":"{named}","process":1,"from":1,"to":2{amount}}}
"#
        );
        let error = System::link(read(&text).unwrap().1)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("line 4: "), "{error}");
    }
}
