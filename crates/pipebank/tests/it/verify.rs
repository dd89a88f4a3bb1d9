//! `master verify`: its verdicts, its exit statuses, and what it says of files that are no histories.

use serde_json::Value;
use testing::Folder;

/// The worked example's run.
const RUN: &str = r#"{"history":1,"seed":1,"script":"testdata/arg.txt"}
{"event":"start","line":2}
{"event":"create","process":1,"amount":1000,"line":3}
{"event":"create","process":2,"amount":500,"line":4}
{"event":"send","process":1,"from":1,"to":2,"amount":300,"number":1,"line":5}
{"event":"send","process":2,"from":2,"to":1,"amount":100,"number":1,"line":6}
{"event":"send","process":1,"from":1,"to":2,"amount":400,"number":2,"line":7}
{"event":"receive","process":2,"from":1,"to":2,"amount":300,"number":1,"line":8}
{"event":"begin","process":1,"snapshot":1,"line":9}
{"event":"record","process":1,"snapshot":1,"amount":300,"sent":[{"process":2,"messages":2,"sum":700}],"line":9}
{"event":"marker_sent","process":1,"from":1,"to":2,"snapshot":1,"line":9}
{"event":"receive","process":2,"from":1,"to":2,"amount":400,"number":2,"line":10}
{"event":"marker_received","process":2,"from":1,"to":2,"snapshot":1,"line":11}
{"event":"record","process":2,"snapshot":1,"amount":1100,"sent":[{"process":1,"messages":1,"sum":100}],"received":[{"process":1,"messages":2,"sum":700}],"line":11}
{"event":"marker_sent","process":2,"from":2,"to":1,"snapshot":1,"line":11}
{"event":"channel_closed","process":2,"from":1,"to":2,"snapshot":1,"line":11}
{"event":"receive","process":1,"from":2,"to":1,"amount":100,"number":1,"line":12}
{"event":"marker_received","process":1,"from":2,"to":1,"snapshot":1,"line":12}
{"event":"channel_closed","process":1,"from":2,"to":1,"snapshot":1,"line":12}
{"event":"collect","snapshot":1,"states":[{"process":1,"amount":300},{"process":2,"amount":1100}],"channels":[{"from":2,"to":1,"amounts":[100]}],"line":13}
{"event":"audit","snapshot":1,"amount":1500,"passed":true,"line":13}
{"event":"refuse","process":1,"from":1,"to":2,"amount":5000,"line":15}
{"event":"end"}
"#;

const VALID: &str = "\
snapshot 1: valid — 2 processes, 1 message in transit (100), total 1500
valid: 22 events, 1 snapshot valid, 0 invalid, 0 unknown
";

/// What is written where the message in transit was collected as 10.
const INVALID: &str = "\
snapshot 1: invalid
  channel 2 → 1: in transit at the cut was 100, and 10 was collected (so 1410 of 1500 are accounted \
for)
  process 1 recorded: line 10 of the history (line 9 of the script)
  process 2 recorded: line 14 of the history (line 11 of the script)
  collected: line 20 of the history (line 13 of the script)
  rule `in_transit`: a channel's state is the messages sent before the cut and received after it, in \
order (Kshemkalyani & Singhal 2008, chapter 4, condition C1; Lai & Yang 1987)
  and the audit in the history had passed it
invalid: 22 events, 0 snapshots valid, 1 invalid, 0 unknown
";

fn wrong() -> String {
    RUN.replace("\"amounts\":[100]", "\"amounts\":[10]")
}

fn not_collected() -> String {
    let lines = RUN.split_inclusive('\n');
    let lines = lines.filter(|line| !line.contains("collect") && !line.contains("audit"));
    lines.collect()
}

#[test]
fn the_exit_status_is_the_verdict() {
    let place = Folder::new();
    let valid = place.file("valid.jsonl", RUN);
    place.run(&["verify", valid]).expect(0, VALID, "");
    place.run_with(&["verify", "-"], RUN).expect(0, VALID, "");
    let replayed = VALID.replacen("1500\n", "1500, reordered and replayed\n", 1);
    place
        .run(&["verify", "--reorder", valid])
        .expect(0, &replayed, "");

    let invalid = place.file("invalid.jsonl", wrong());
    place.run(&["verify", invalid]).expect(1, INVALID, "");
    place
        .run(&["verify", "--reorder", invalid])
        .expect(1, INVALID, "");

    let unknown = place.file("unknown.jsonl", not_collected());
    place.run(&["verify", unknown]).expect(
        4,
        "snapshot 1: unknown, since it was not collected\n\
         unknown: 20 events, 0 snapshots valid, 0 invalid, 1 unknown\n",
        "",
    );
    let nothing = place.file("nothing.jsonl", "{\"history\":1}\n");
    place.run(&["verify", nothing]).expect(
        4,
        "unknown: 0 events, 0 snapshots valid, 0 invalid, 0 unknown\n",
        "",
    );
}

#[test]
fn a_log_that_cannot_be_so_is_invalid_without_any_snapshot() {
    let place = Folder::new();
    let history = "{\"history\":1}\n{\"event\":\"start\"}\n\
        {\"event\":\"create\",\"process\":1,\"amount\":5}\n\
        {\"event\":\"create\",\"process\":2,\"amount\":5}\n\
        {\"event\":\"receive\",\"process\":2,\"from\":1,\"to\":2,\"amount\":3,\"number\":1}\n";
    let name = place.file("never.jsonl", history);
    place.run(&["verify", name]).expect(
        1,
        "history: invalid\n  channel 1 → 2: message 1 (of 3) is received, and nothing is in transit: \
         everything that was ever sent has been received already\n  \
         received message 1 (of 3): line 5 of the history\n  \
         rule `fifo`: what is received from a channel is what was sent on it, in the same order \
         (Chandy & Lamport 1985, section 2)\n\
         invalid: 4 events, 0 snapshots valid, 0 invalid, 0 unknown\n",
        "",
    );
}

#[test]
fn several_systems_are_told_apart() {
    let place = Folder::new();
    let (header, events) = RUN.split_once('\n').unwrap();
    let (_, wrong_events) = wrong()
        .split_once('\n')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let name = place.file("two.jsonl", format!("{header}\n{events}{wrong_events}"));
    let ended = place.run(&["verify", name]);
    ended.expect(1, &ended.out, "");
    let first =
        "system 1, snapshot 1: valid — 2 processes, 1 message in transit (100), total 1500\n";
    assert!(ended.out.starts_with(first), "{}", ended.out);
    assert!(
        ended.out.contains("\nsystem 2, snapshot 1: invalid\n"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("line 42 of the history"),
        "{}",
        ended.out
    );
}

#[test]
fn verdicts_as_json() {
    let place = Folder::new();
    let run = |history: &str, status| {
        let ended = place.run_with(&["verify", "--json", "-"], history);
        ended.expect(status, &ended.out, "");
        let lines = ended
            .out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<Value>>()
    };
    let valid = serde_json::json!([
        {"system": 1, "snapshot": 1, "verdict": "valid", "processes": 2, "messages": 1,
         "in_transit": 100, "total": 1500, "audit": true},
        {"verdict": "valid", "events": 22, "systems": 1, "valid": 1, "invalid": 0, "unknown": 0},
    ]);
    assert_eq!(Value::from(run(RUN, 0)), valid);
    let invalid = &run(&wrong(), 1)[0];
    assert_eq!(invalid["rule"], "in_transit");
    assert_eq!([&invalid["from"], &invalid["to"]], [2, 1]);
    assert_eq!(invalid["audit"], true);
    assert_eq!(invalid["events"][0]["history"], 10);
    assert_eq!(invalid["events"][0]["line"], 9);
    assert_eq!(run(&not_collected(), 4)[0]["verdict"], "unknown");
    let broken = &run(&RUN.replace("\"amount\":1000", "\"amount\":1"), 1)[0];
    assert_eq!(
        [&broken["rule"], &broken["snapshot"]],
        [&Value::from("account"), &Value::Null]
    );
}

#[test]
fn what_is_no_history_is_status_2() {
    let place = Folder::new();
    std::fs::create_dir(place.path("folder")).unwrap();
    let garbage: Vec<u8> = (0..4000_u32).map(|n| (n * 7919 % 251) as u8).collect();
    let cases: [(&str, Option<&[u8]>, &str); 10] = [
        ("missing.jsonl", None, "No such file or directory"),
        ("folder", None, "Is a directory"),
        ("empty.jsonl", Some(b""), "there is no history in it"),
        ("garbage.jsonl", Some(&garbage), "line 1: "),
        (
            "script.txt",
            Some(b"# two\n\nStartMaster\nCreateNode 1 5\n"),
            "it looks like a script, and not like a history: `master --history RUN.jsonl FILE` runs",
        ),
        (
            "dialect.txt",
            Some(b"CreateNode 1 5\r\n"),
            "it looks like a script",
        ),
        (
            "wide.jsonl",
            Some(b"\xff\xfe{\0\"\0h\0i\0"),
            "it is UTF-16, as `>` in Windows PowerShell writes it; `iconv -f UTF-16LE -t UTF-8`",
        ),
        (
            "returns.jsonl",
            Some(b"{\"history\":1}\r{\"event\":\"start\"}\r"),
            "its lines end in carriage returns alone; `tr '\\r' '\\n'`",
        ),
        ("newer.jsonl", Some(b"{\"history\":3}\n"), "is of version 3"),
        (
            "typo.jsonl",
            Some(b"{\"history\":1}\n{\"event\":\"start\"}\n{\"event\":\"\\u001b[31m\"}\n"),
            "line 3: unknown variant",
        ),
    ];
    for (name, content, expected) in cases {
        if let Some(content) = content {
            place.file(name, content);
        }
        // The same is said by whoever else reads it.
        let drawn = place.run(&["diagram", name]);
        let ended = place.run(&["verify", name]);
        ended.expect(2, "", &drawn.err);
        drawn.expect_status(2);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        let is_told = ended.err.starts_with(name) && ended.err.contains(expected);
        assert!(
            is_told && !ended.err.contains('\x1b'),
            "{name}: {}",
            ended.err
        );
    }
    let ended = place.run(&["verify"]);
    ended.expect(2, "", &ended.err);
}

#[test]
fn a_history_that_is_cut_off_is_judged_as_far_as_it_goes() {
    let place = Folder::new();
    let told = "cut.jsonl: line 23 is cut off, as when a run is killed; what comes before it is \
                judged\n";
    let name = place.file("cut.jsonl", &RUN[..RUN.len() - 3]);
    let valid = VALID.replace("22 events", "21 events");
    place.run(&["verify", name]).expect(0, &valid, told);
    // Between the lines, it is not told: nothing is missing that was begun.
    let at = RUN.find("{\"event\":\"collect\"").unwrap();
    let name = place.file("between.jsonl", &RUN[..at]);
    let ended = place.run(&["verify", name]);
    ended.expect(4, &ended.out, "");
}

#[test]
fn foreign_text_has_no_power_over_the_terminal() {
    let place = Folder::new();
    let audit = "\"passed\":false,\"reason\":\"\\u001b[2J\\nsnapshot 9: valid\"";
    let lied = RUN.replace("\"amount\":1500,\"passed\":true", audit);
    let name = place.file("lied.jsonl", lied);
    let ended = place.run(&["verify", name]);
    ended.expect(1, &ended.out, "");
    assert!(
        ended
            .out
            .contains(r#"the audit failed ("\x1b[2J\x0asnapshot 9: valid"), "#),
        "{}",
        ended.out
    );
    assert!(!ended.out.contains("\nsnapshot 9"), "{}", ended.out);
}
