//! Whole files: one mistake is reported once, and lines have a limit.

use super::super::{LINE_LIMIT, LineSplitter, MOST_REPORTED};
use super::{commands, rendered};

/// What is reported of a file, without the lines that are shown with it.
fn reported(script: &str) -> Vec<String> {
    let places = rendered(script.as_bytes());
    places.lines().step_by(3).map(str::to_owned).collect()
}

#[test]
fn one_mistake_is_not_told_again_by_the_lines_after_it() {
    let cases: [(&str, &[&str]); 10] = [
        (
            "CreateNode 1 5\nCreateNode 2 5\nSend 1 2 3\n",
            &["a:1:1: StartMaster comes first: put it on a line of its own before this one"],
        ),
        (
            "CreateNode 1 5\nStartMaster\nCreateNode 1 5\nSend 1 2 3\n",
            &[
                "a:1:1: StartMaster comes first: put it on a line of its own before this one",
                "a:4:8: node 2 is not created by any earlier line",
            ],
        ),
        (
            "startmaster\nCreateNode 1 5\nReceive 1\n",
            &["a:1:1: unknown command `startmaster`; commands are case-sensitive: `StartMaster`"],
        ),
        (
            "StartMaster x\nCreateNode 1 5\nReceive 1\n",
            &[
                "a:1:13: `x` is not `sparse`: `StartMaster` starts a full mesh, `StartMaster sparse` a system \
                 without channels",
            ],
        ),
        (
            "StartMaster\nCreateNode 1 -5\nReceive 1\nCreatNode 2 5\nReceive 2\nCreateNode 3\nReceive 3",
            &[
                "a:2:14: an amount cannot be negative",
                "a:4:1: unknown command `CreatNode`; did you mean `CreateNode`?",
                "a:6:13: missing AMOUNT: `CreateNode ID AMOUNT`",
            ],
        ),
        (
            "StartMaster\nCreateNode 1 5\nKilAll\nStartMaster\nCreateNode 1 5\n",
            &["a:3:1: unknown command `KilAll`; did you mean `KillAll`?"],
        ),
        (
            "StartMaster\nCreateNode 1 5\nKillAll x\nStartMaster\nCreateNode 1 5\n",
            &["a:3:9: surplus word `x`: `KillAll` takes none"],
        ),
        (
            "StartMaster\nCreateNode 1 18446744073709551615\nCreateNode 2 5\nReceive 1\n\
             StartMaster\nReceive 1\nCreateNode 1 18446744073709551615\nStartMaster\n",
            &[
                "a:3:14: deposits since StartMaster would exceed 18446744073709551615",
                "a:5:1: master is already started (line 1); KillAll would end it",
                "a:8:1: master is already started (line 1); KillAll would end it",
            ],
        ),
        (
            "StartMaster\nKillAll\nnodes\nCollectState\nKillAll\nnodes\n",
            &[
                "a:3:1: StartMaster comes first: KillAll ended the one before (line 2)",
                "a:6:1: StartMaster comes first: KillAll ended the one before (line 5)",
            ],
        ),
        (
            "Snd 1 2 3\nReceiveAll\nReceiveAll\n",
            &[
                "a:1:1: unknown command `Snd`; did you mean `Send`?",
                "a:2:1: StartMaster comes first: put it on a line of its own before this one",
            ],
        ),
    ];
    for (script, wanted) in cases {
        assert_eq!(reported(script), wanted, "{script}");
    }
}

#[test]
fn mistakes_that_stay_are_all_told() {
    let script = "StartMaster\nReceive 1\nReceive 1\nCreateNode 1 -5\nCreateNode 1 5\n";
    let wanted = [
        "a:2:9: node 1 is not created by any earlier line",
        "a:3:9: node 1 is not created by any earlier line",
        "a:4:14: an amount cannot be negative",
        "a:5:12: node 1 was already created on line 4",
    ];
    assert_eq!(reported(script), wanted);

    // A deposit counts although its line is refused for want of a master.
    let script = "CreateNode 1 18446744073709551615\nCreateNode 2 1\n";
    let wanted = [
        "a:1:1: StartMaster comes first: put it on a line of its own before this one",
        "a:2:14: deposits since StartMaster would exceed 18446744073709551615",
    ];
    assert_eq!(reported(script), wanted);
}

#[test]
fn a_line_has_a_limit_whatever_is_on_it() {
    let long = |length: usize| format!("KillAll #{}", "x".repeat(length - 9));
    let ends = ["", "\n", "\r\n"];
    for end in ends {
        let script = long(LINE_LIMIT) + end;
        assert_eq!(commands(script.as_bytes()).len(), 1, "{end:?}");
    }
    for length in [
        LINE_LIMIT + 1,
        LINE_LIMIT + 2,
        LINE_LIMIT + 3,
        10 * LINE_LIMIT,
    ] {
        for end in ends {
            let script = format!("\n{}{end}", long(length));
            let wanted = format!(
                "a:2:1: line is longer than 65536 bytes\n    KillAll #{}…\n    ^\n",
                "x".repeat(110)
            );
            assert_eq!(rendered(script.as_bytes()), wanted, "{length} {end:?}");
        }
    }
    let script = format!("{}\nx\n{}\nKillAll", long(100_000), long(200_000));
    let wanted = [
        "a:1:1: line is longer than 65536 bytes",
        "a:2:1: unknown command `x`",
        "a:3:1: line is longer than 65536 bytes",
    ];
    assert_eq!(reported(&script), wanted);
}

#[test]
fn so_many_mistakes_are_told_and_no_more() {
    let wrong = |lines: usize| reported(&"Sned 1 2 3\n".repeat(lines));
    assert_eq!(wrong(MOST_REPORTED).len(), MOST_REPORTED);
    for lines in [MOST_REPORTED + 1, 10 * MOST_REPORTED] {
        let reported = wrong(lines);
        assert_eq!(reported.len(), MOST_REPORTED + 1);
        assert_eq!(
            reported[MOST_REPORTED],
            "a:1001:1: more than 1000 mistakes: what follows was not checked"
        );
    }
}

#[test]
fn the_same_lines_come_out_whatever_the_pieces() {
    let long = "y".repeat(LINE_LIMIT);
    let input = format!("a\n\nb\r\n{long}\n{long}yyyyyyyy\n{long}\r\nc");
    let cut = format!("{long}yy");
    let ended = format!("{long}\r");
    let wanted: [(u64, &str); 7] = [
        (1, "a"),
        (2, ""),
        (3, "b\r"),
        (4, &long),
        (5, &cut),
        (6, &ended),
        (7, "c"),
    ];
    for size in [1, 2, 3, 4_096, LINE_LIMIT, LINE_LIMIT + 1, input.len()] {
        let mut splitter = LineSplitter::new();
        let mut lines = Vec::new();
        for piece in input.as_bytes().chunks(size) {
            splitter.push(piece);
            while let Some(line) = splitter.next_line() {
                lines.push((line.number, String::from_utf8(line.text.to_vec()).unwrap()));
            }
        }
        if let Some(line) = splitter.finish() {
            lines.push((line.number, String::from_utf8(line.text.to_vec()).unwrap()));
        }
        assert_eq!(splitter.finish(), None);
        let lines: Vec<_> = lines
            .iter()
            .map(|(number, text)| (*number, text.as_str()))
            .collect();
        assert!(lines == wanted, "pieces of {size}");
    }
}

#[test]
fn lines_may_also_be_taken_late() {
    let mut splitter = LineSplitter::new();
    let long = vec![b'y'; LINE_LIMIT];
    splitter.push(b"a\nb");
    for _ in 0..4 {
        splitter.push(&long);
    }
    splitter.push(b"\nc\n");
    let mut lengths = Vec::new();
    while let Some(line) = splitter.next_line() {
        lengths.push((line.number, line.text.len()));
    }
    assert_eq!(lengths, [(1, 1), (2, LINE_LIMIT + 2), (3, 1)]);
    assert_eq!(splitter.finish(), None);
}
