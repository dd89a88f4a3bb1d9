//! Every rule has a history that breaks it, and says so in words: `tests/it/verdicts.out`, which
//! PIPEBANK_BLESS=1 rewrites.

mod restarts;

use std::collections::BTreeSet;
use std::fmt::Write;

use history::{Event, Overall, Report, Rule, Verdict, Verifier};

/// Two processes and a snapshot: node 1 has sent 300 before, node 2's 100 is in transit.
const VALID: &str = "
    start
    create 1 1000
    create 2 500
    send 1 2 300 1
    send 2 1 100 1
    begin 1 1
    record 1 1 700 sent:2:1:300
    marker 1 2 1
    send 1 2 50 2
    receive 1 2 300 1
    marker 1 2 1 received
    record 2 1 700 sent:1:1:100 received:1:1:300
    marker 2 1 1
    closed 1 2 1
    receive 2 1 100 1
    marker 2 1 1 received
    closed 2 1 1
    receive 1 2 50 2
    refuse 1 2 5000
    collect 1 1=700 2=700 2>1:100
    audit 1 1500
    end
";

/// Snapshot 1 begun by node 1, snapshot 2 by node 2 before it knew of 1: the cuts cross.
const CROSSING: &str = "
    start
    create 1 10
    create 2 20
    begin 1 1
    record 1 1 10
    marker 1 2 1
    begin 2 2
    record 2 2 20
    marker 2 1 2
    marker 1 2 1 received
    record 2 1 20
    marker 2 1 1
    marker 2 1 2 received
    record 1 2 10
    marker 1 2 2
    marker 2 1 1 received
    marker 1 2 2 received
    collect 1 1=10 2=20
    collect 2 1=10 2=20
    audit 1 30
    audit 2 30
    end
";

type Case = (&'static str, &'static str, Edits);
type Edits = &'static [(&'static str, &'static str)];

/// What each case is about, the history it starts from, and what is replaced by what in it.
const CASES: &[Case] = &[
    ("valid: this one", VALID, &[]),
    ("valid: cuts that cross", CROSSING, &[]),
    (
        "order: a process that was never created",
        VALID,
        &[("create 2 500", "")],
    ),
    (
        "order: created twice",
        VALID,
        &[("create 2 500", "create 2 500\ncreate 1 1")],
    ),
    (
        "order: after its death",
        VALID,
        &[("create 2 500", "create 2 500\ndeath 1")],
    ),
    ("order: after the end", VALID, &[("refuse", "end\nrefuse")]),
    ("order: before the start", VALID, &[("start", "")]),
    (
        "order: two systems at once",
        VALID,
        &[("\n    end", "\nstart\nend")],
    ),
    (
        "account: it sends what it does not have",
        VALID,
        &[("create 1 1000", "create 1 299")],
    ),
    (
        "account: refused without reason",
        VALID,
        &[("refuse 1 2 5000", "refuse 1 2 750")],
    ),
    (
        "account: more than fits",
        VALID,
        &[("create 2 500", "create 2 18446744073709551615")],
    ),
    (
        "fifo: received before it was sent",
        VALID,
        &[("send 1 2 300 1", "receive 1 2 300 1")],
    ),
    (
        "fifo: another amount",
        VALID,
        &[("receive 1 2 300 1", "receive 1 2 301 1")],
    ),
    (
        "fifo: a message takes a marker over",
        VALID,
        &[
            ("marker 1 2 1 received", "receive 1 2 50 2"),
            ("receive 1 2 50 2\n    refuse", "refuse"),
        ],
    ),
    (
        "fifo: numbers are counted",
        VALID,
        &[("send 1 2 50 2", "send 1 2 50 3")],
    ),
    (
        "inferred: of one that lives",
        VALID,
        &[
            ("send 1 2 50 2", "send 1 2 50 2 inferred"),
            (
                "receive 2 1 100 1\n    marker 2 1 1 received\n    closed 2 1 1",
                "",
            ),
            ("refuse 1 2 5000", ""),
        ],
    ),
    (
        "one_record: a second time",
        VALID,
        &[(
            "refuse",
            "record 1 1 750 sent:2:2:350 received:2:1:100\nrefuse",
        )],
    ),
    (
        "recorded: not what it has",
        VALID,
        &[("record 1 1 700", "record 1 1 1000"), ("1=700", "1=1000")],
    ),
    (
        "recorded: a wrong tally",
        VALID,
        &[("received:1:1:300", "received:1:1:299")],
    ),
    (
        "valid: no tallies are kept",
        VALID,
        &[
            (" sent:2:1:300", ""),
            (" sent:1:1:100 received:1:1:300", ""),
        ],
    ),
    (
        "recorded: a tally is missing",
        VALID,
        &[(" sent:1:1:100", "")],
    ),
    (
        "consistent: sent after the cut, received before",
        VALID,
        &[
            (
                "marker 1 2 1\n    send 1 2 50 2\n    receive 1 2 300 1",
                "send 1 2 50 2\nmarker 1 2 1\nreceive 1 2 300 1\nreceive 1 2 50 2",
            ),
            (
                "record 2 1 700 sent:1:1:100 received:1:1:300",
                "record 2 1 750 sent:1:1:100 received:1:2:350",
            ),
            ("receive 1 2 50 2\n    refuse", "refuse"),
            ("2=700", "2=750"),
            ("audit 1 1500", "audit 1 1550"),
        ],
    ),
    (
        "complete: somebody never recorded",
        VALID,
        &[("create 2 500", "create 2 500\ncreate 3 7")],
    ),
    (
        "states: another one is collected",
        VALID,
        &[("collect 1 1=700", "collect 1 1=1700")],
    ),
    ("states: one is missing", VALID, &[(" 2=700", "")]),
    ("states: twice", VALID, &[(" 2=700", " 2=700 2=700")]),
    (
        "states: a second collection",
        VALID,
        &[(
            "audit 1 1500",
            "audit 1 1500\ncollect 1 1=700 2=700 2>1:100",
        )],
    ),
    (
        "in_transit: a message is missing",
        VALID,
        &[(" 2>1:100", "")],
    ),
    (
        "in_transit: a message from after the cut",
        VALID,
        &[(" 2>1:100", " 2>1:100 1>2:50")],
    ),
    (
        "in_transit: another order",
        VALID,
        &[
            ("send 2 1 100 1", "send 2 1 40 1\nsend 2 1 60 2"),
            ("receive 2 1 100 1", "receive 2 1 40 1\nreceive 2 1 60 2"),
            ("sent:1:1:100", "sent:1:2:100"),
            ("2>1:100", "2>1:60,40"),
        ],
    ),
    (
        "valid: channels that were empty are collected too",
        VALID,
        &[(" 2>1:100", " 2>1:100 1>2:")],
    ),
    (
        "in_transit: an empty channel from a process to itself",
        VALID,
        &[(" 2>1:100", " 2>1:100 1>1:")],
    ),
    (
        "in_transit: an empty channel from a process that was never created",
        VALID,
        &[(" 2>1:100", " 2>1:100 9>1:")],
    ),
    (
        "in_transit: an empty channel to a process that was never created",
        VALID,
        &[(" 2>1:100", " 2>1:100 2>9:")],
    ),
    (
        "in_transit: an empty channel to a process that was created afterwards",
        VALID,
        &[
            (" 2>1:100", " 2>1:100 2>3:"),
            ("audit 1 1500", "audit 1 1500\ncreate 3 5"),
        ],
    ),
    (
        "in_transit: it breaks off after a channel that there is not",
        VALID,
        &[(" 2>1:100", " 1>1:"), ("audit 1 1500\n    end", "")],
    ),
    ("moment: nobody asked for it", VALID, &[("begin 1 1", "")]),
    (
        "moment: a message between the marker and the record",
        VALID,
        &[(
            "receive 1 2 300 1\n    marker 1 2 1 received",
            "receive 1 2 300 1\nmarker 1 2 1 received\nrefuse 2 1 9999",
        )],
    ),
    (
        "moment: begun again",
        VALID,
        &[("refuse", "begin 1 1\nrefuse")],
    ),
    (
        "markers: sent too late",
        VALID,
        &[
            (
                "marker 1 2 1\n    send 1 2 50 2",
                "send 1 2 50 2\nmarker 1 2 1",
            ),
            ("marker 1 2 1 received", "begin 2 1"),
            (
                "receive 1 2 50 2\n    refuse",
                "receive 1 2 50 2\nmarker 1 2 1 received\nrefuse",
            ),
            ("closed 1 2 1", ""),
        ],
    ),
    (
        "markers: never sent",
        VALID,
        &[
            ("marker 1 2 1\n", "\n"),
            ("send 1 2 50 2", ""),
            ("receive 1 2 50 2", ""),
            ("marker 1 2 1 received", "begin 2 1"),
            ("closed 1 2 1", ""),
        ],
    ),
    (
        "markers: two of them",
        VALID,
        &[
            ("marker 1 2 1\n", "marker 1 2 1\nmarker 1 2 1\n"),
            ("send 1 2 50 2", ""),
            ("receive 1 2 50 2", ""),
        ],
    ),
    (
        "markers: before the record",
        VALID,
        &[
            ("begin 1 1", "marker 1 2 1\nbegin 1 1"),
            ("sent:2:1:300\n    marker 1 2 1\n", "sent:2:1:300\n"),
        ],
    ),
    (
        "markers: collected before it is received",
        VALID,
        &[("marker 2 1 1 received\n    closed 2 1 1", "")],
    ),
    (
        "markers: complete without a marker",
        VALID,
        &[("send 1 2 50 2", "closed 2 1 1\nsend 1 2 50 2")],
    ),
    (
        "cut_order: one snapshot overtakes another",
        CROSSING,
        &[
            ("begin 2 2\n    record 2 2 20\n    marker 2 1 2", ""),
            (
                "marker 1 2 1\n",
                "begin 1 2\nrecord 1 2 10\nmarker 1 2 2\nmarker 1 2 1\nmarker 1 2 2 received\nrecord 2 2 20\nmarker 2 1 2\n",
            ),
            (
                "record 1 2 10\n    marker 1 2 2\n    marker 2 1 1 received\n    marker 1 2 2 received",
                "marker 2 1 1 received",
            ),
        ],
    ),
    (
        "audit: another total",
        VALID,
        &[("audit 1 1500", "audit 1 1501")],
    ),
    (
        "audit: it found something that is not so",
        VALID,
        &[("audit 1 1500", "audit 1 node 1 lies")],
    ),
    (
        "unknown: begun and not collected",
        VALID,
        &[("collect 1 1=700 2=700 2>1:100\n    audit 1 1500", "")],
    ),
    (
        "unknown: broken off while it was collected",
        VALID,
        &[(" 2=700 2>1:100\n    audit 1 1500\n    end", "")],
    ),
    (
        "unknown: its audit failed",
        VALID,
        &[(
            "collect 1 1=700 2=700 2>1:100\n    audit 1 1500",
            "audit 1 money is missing\ncreate 3 5\nsend 1 3 1 1",
        )],
    ),
    (
        "valid: who dies afterwards does not matter",
        VALID,
        &[("\n    end", "\ndeath 1\nsend 1 2 9999 3 inferred\nend")],
    ),
];

fn verify(events: &[Event], verifier: Verifier) -> Report {
    let mut verifier = verifier;
    for (event, line) in events.iter().zip(2..) {
        verifier.on_event(event, line);
    }
    verifier.finish()
}

#[test]
fn every_rule_has_a_history_that_breaks_it_and_says_so() {
    let mut shown = String::new();
    let mut broken = BTreeSet::new();
    let mut wrong = Vec::new();
    for (title, text, edits) in CASES.iter().chain(restarts::CASES) {
        let mut text = (*text).to_owned();
        for (old, new) in *edits {
            assert!(text.contains(old), "{title}: {old} is not in it");
            text = text.replacen(old, new, 1);
        }
        let report = verify(&crate::short::events(&text), Verifier::new());
        writeln!(shown, "## {title}").unwrap();
        for violation in report.violations.values() {
            writeln!(shown, "history: invalid\n{violation}").unwrap();
            broken.insert(violation.rule);
        }
        for judged in &report.snapshots {
            write!(shown, "snapshot {}: ", judged.snapshot).unwrap();
            match &judged.verdict {
                Verdict::Invalid(violation) => {
                    writeln!(shown, "invalid\n{violation}").unwrap();
                    broken.insert(violation.rule);
                }
                verdict => writeln!(shown, "{verdict:?}").unwrap(),
            }
        }
        writeln!(shown).unwrap();
        let (expected, _) = title.split_once(':').unwrap();
        let found = match report.overall() {
            Overall::Valid => "valid",
            Overall::Unknown => "unknown",
            Overall::Invalid => {
                let violations = report.snapshots.iter().filter_map(|it| match &it.verdict {
                    Verdict::Invalid(violation) => Some(&**violation),
                    _ => None,
                });
                let mut violations = report.violations.values().chain(violations);
                violations.next().unwrap().rule.name()
            }
        };
        if found != expected {
            wrong.push(format!("{title}, found {found}"));
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/verdicts.out");
    if std::env::var_os("PIPEBANK_BLESS").is_some() {
        std::fs::write(path, &shown).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(shown, golden, "PIPEBANK_BLESS=1 rewrites {path}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    // The rest follow from the others, so that nothing breaks them alone; they are counted all the
    // same.
    let rest = Rule::ALL.into_iter().filter(|rule| !broken.contains(rule));
    assert_eq!(rest.collect::<Vec<_>>(), [Rule::Money, Rule::Reordered]);
}
