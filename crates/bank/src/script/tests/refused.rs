//! Every refusal, as it is shown.

use super::rendered;
use crate::script::{LINE_LIMIT, read_lasting_script};

/// Checks what is shown for the last line of a script whose lines before it are accepted.
#[track_caller]
fn check(before: &str, line: &str, wanted: &[&str]) {
    let number = before.lines().count() + 1;
    let prefix = if before.is_empty() { "" } else { "\n" };
    let script = format!("{before}{prefix}{line}");
    let wanted: String = wanted
        .chunks(2)
        .map(|reported| {
            format!(
                "a:{number}:{}\n    {line}\n    {}\n",
                reported[0], reported[1]
            )
        })
        .collect();
    assert_eq!(rendered(script.as_bytes()), wanted);
}

const TWO: &str = "StartMaster\nCreateNode 1 1000\nCreateNode 2 500";

#[test]
fn commands_that_are_none() {
    let cases = [
        (
            "Snd 1 2 3",
            "1: unknown command `Snd`; did you mean `Send`?",
            "^^^",
        ),
        (
            "  Recieve 1",
            "3: unknown command `Recieve`; did you mean `Receive`?",
            "  ^^^^^^^",
        ),
        (
            "createnod 1 2",
            "1: unknown command `createnod`; did you mean `CreateNode`?",
            "^^^^^^^^^",
        ),
        (
            "send 1 2 3",
            "1: unknown command `send`; commands are case-sensitive: `Send`",
            "^^^^",
        ),
        (
            "NODES",
            "1: unknown command `NODES`; commands are case-sensitive: `nodes`",
            "^^^^^",
        ),
        (
            "Transfer 1 2 3",
            "1: unknown command `Transfer`",
            "^^^^^^^^",
        ),
        (
            "Cre 1 5",
            "1: unknown command `Cre`; did you mean `CreateNode`?",
            "^^^",
        ),
        (
            "begin 1",
            "1: unknown command `begin`; did you mean `BeginSnapshot`?",
            "^^^^^",
        ),
        (
            "Snapshot 1",
            "1: unknown command `Snapshot`; did you mean `BeginSnapshot` or `PrintSnapshot`?",
            "^^^^^^^^",
        ),
        (
            "Kill 1",
            "1: unknown command `Kill`; did you mean `KillAll` or `KillNode`?",
            "^^^^",
        ),
        ("te", "1: unknown command `te`", "^^"),
        ("12", "1: unknown command `12`", "^^"),
        (
            "Sénd",
            "1: unknown command `Sénd`; did you mean `Send`?",
            "^^^^",
        ),
    ];
    for (line, reported, caret) in cases {
        check(TWO, line, &[reported, caret]);
    }
}

#[test]
fn missing_and_surplus_words() {
    let cases = [
        (
            "Send",
            "5: missing FROM TO AMOUNT: `Send FROM TO AMOUNT`",
            "    ^",
        ),
        (
            "Send 1",
            "7: missing TO AMOUNT: `Send FROM TO AMOUNT`",
            "      ^",
        ),
        (
            "Send 1 2",
            "9: missing AMOUNT: `Send FROM TO AMOUNT`",
            "        ^",
        ),
        (
            "Send 1 2  # 3",
            "9: missing AMOUNT: `Send FROM TO AMOUNT`",
            "        ^",
        ),
        (
            "Send 1 2#3",
            "9: missing AMOUNT: `Send FROM TO AMOUNT`",
            "        ^",
        ),
        (
            "CreateNode 3",
            "13: missing AMOUNT: `CreateNode ID AMOUNT`",
            "            ^",
        ),
        ("Receive", "8: missing TO: `Receive TO [FROM]`", "       ^"),
        (
            "BeginSnapshot",
            "14: missing ID: `BeginSnapshot ID`",
            "             ^",
        ),
        ("KillNode;1", "9: missing ID: `KillNode ID`", "        ^"),
        (
            "ReceiveAll x",
            "12: surplus word `x`: `ReceiveAll` takes none",
            "           ^",
        ),
        (
            "nodes  all of them",
            "8: surplus word `all`: `nodes` takes none",
            "       ^^^",
        ),
        (
            "Send 1 2 3 4",
            "12: surplus word `4`: `Send` takes FROM TO AMOUNT",
            "           ^",
        ),
        (
            "Receive 1 2 3",
            "13: surplus word `3`: `Receive` takes TO [FROM]",
            "            ^",
        ),
        (
            "PrintSnapshot 1 2",
            "17: surplus word `2`: `PrintSnapshot` takes [N]",
            "                ^",
        ),
    ];
    for (line, reported, caret) in cases {
        check(TWO, line, &[reported, caret]);
    }
}

#[test]
fn numbers_that_are_none() {
    let digits = "decimal digits only";
    for word in [
        "x", "+5", "1_000", "1.5", "0x10", "-", "--5", "5-", "1,5", "٣", "−5", "1e3", ":", "1/2",
    ] {
        let caret = format!("         {}", "^".repeat(word.chars().count()));
        let reported = format!("10: `{word}` is not an amount: {digits}");
        check(TWO, &format!("Send 1 2 {word}"), &[&reported, &caret]);
    }
    check(
        TWO,
        "Send 1 2 -5",
        &["10: an amount cannot be negative", "         ^^"],
    );
    check(
        TWO,
        "CreateNode 3 -0",
        &["14: an amount cannot be negative", "             ^^"],
    );
    check(
        TWO,
        "CreateNode -3 0",
        &["12: an id cannot be negative", "           ^^"],
    );
    check(
        TWO,
        "Receive 1 two",
        &[
            "11: `two` is not an id: decimal digits only",
            "          ^^^",
        ],
    );
    check(
        TWO,
        "PrintSnapshot 0",
        &["15: snapshots are numbered from 1", "              ^"],
    );
    check(
        TWO,
        "PrintSnapshot -1",
        &[
            "15: a snapshot number cannot be negative",
            "              ^^",
        ],
    );
    check(
        TWO,
        "PrintSnapshot newest",
        &[
            "15: `newest` is not a snapshot number: decimal digits only",
            "              ^^^^^^",
        ],
    );
    check(
        TWO,
        "Send 1 2 18446744073709551616",
        &[
            "10: an amount cannot be larger than 18446744073709551615",
            "         ^^^^^^^^^^^^^^^^^^^^",
        ],
    );
    check(
        TWO,
        "KillNode 00099999999999999999999",
        &[
            "10: an id cannot be larger than 18446744073709551615",
            "         ^^^^^^^^^^^^^^^^^^^^^^^",
        ],
    );
    check(
        TWO,
        "Send 1 2 18446744073709551616x",
        &[
            "10: `18446744073709551616x` is not an amount: decimal digits only",
            "         ^^^^^^^^^^^^^^^^^^^^^",
        ],
    );
}

#[test]
fn nodes_that_are_not_there_or_there_already() {
    check(
        TWO,
        "KillNode 7",
        &[
            "10: node 7 is not created by any earlier line",
            "         ^",
        ],
    );
    check(
        TWO,
        "BeginSnapshot 007",
        &[
            "15: node 7 is not created by any earlier line",
            "              ^^^",
        ],
    );
    check(
        TWO,
        "Send 1 1 5",
        &["8: node 1 cannot send to itself", "       ^"],
    );
    check(
        TWO,
        "Receive 2 02",
        &["11: node 2 cannot receive from itself", "          ^^"],
    );
    check(
        TWO,
        "CreateNode 2 5",
        &["12: node 2 was already created on line 3", "           ^"],
    );
    let killed = "StartMaster\nCreateNode 1 5\nKillNode 1";
    check(
        killed,
        "CreateNode 1 5",
        &["12: node 1 was already created on line 2", "           ^"],
    );
    check(
        "StartMaster\nCreateNode 1 5\nKillAll\nStartMaster",
        "Receive 1",
        &[
            "9: node 1 is not created by any line since KillAll (line 3)",
            "        ^",
        ],
    );
}

#[test]
fn nothing_is_started_again_in_a_bank_that_does_not_last() {
    let reported = "1: RestartNode needs a bank that lasts: give --data DIR";
    let killed = format!("{TWO}\nKillNode 1");
    check(&killed, "RestartNode 1", &[reported, "^^^^^^^^^^^"]);
    check(
        &killed,
        "RestartNode 3",
        &[
            reported,
            "^^^^^^^^^^^",
            "13: node 3 is not created by any earlier line",
            "            ^",
        ],
    );
    let lasting = |line: &str| read_lasting_script(format!("{TWO}\n{line}\n").as_bytes());
    // Whether it is dead is found out when its turn comes.
    assert!(lasting("RestartNode 1").is_ok());
    assert!(lasting("RestartNode 3").is_err());
}

#[test]
fn deposits_that_cannot_be_counted() {
    let reported = "14: deposits since StartMaster would exceed 18446744073709551615";
    let full = "StartMaster\nCreateNode 1 18446744073709551614\nCreateNode 2 1";
    check(full, "CreateNode 3 1", &[reported, "             ^"]);
    check(full, "CreateNode 3 0", &[]);
    check(
        &format!("{full}\nKillAll\nStartMaster"),
        "CreateNode 3 18446744073709551615",
        &[],
    );
}

#[test]
fn masters_that_are_missing_or_there_already() {
    check(
        "",
        "nodes",
        &[
            "1: StartMaster comes first: put it on a line of its own before this one",
            "^^^^^",
        ],
    );
    check(
        "KillAll",
        " ReceiveAll",
        &[
            "2: StartMaster comes first: put it on a line of its own before this one",
            " ^^^^^^^^^^",
        ],
    );
    check(
        "StartMaster\nKillAll\nKillAll",
        "CollectState",
        &[
            "1: StartMaster comes first: KillAll ended the one before (line 2)",
            "^^^^^^^^^^^^",
        ],
    );
    check(
        TWO,
        "StartMaster",
        &[
            "1: master is already started (line 1); KillAll would end it",
            "^^^^^^^^^^^",
        ],
    );
}

#[test]
fn everything_wrong_with_a_line_is_told_from_left_to_right() {
    check(
        TWO,
        "Send 7 8 -1 x",
        &[
            "6: node 7 is not created by any earlier line",
            "     ^",
            "8: node 8 is not created by any earlier line",
            "       ^",
            "10: an amount cannot be negative",
            "         ^^",
            "13: surplus word `x`: `Send` takes FROM TO AMOUNT",
            "            ^",
        ],
    );
    check(
        TWO,
        "Send 7 7",
        &[
            "6: node 7 is not created by any earlier line",
            "     ^",
            "8: node 7 cannot send to itself",
            "       ^",
            "9: missing AMOUNT: `Send FROM TO AMOUNT`",
            "        ^",
        ],
    );
    check(
        TWO,
        "CreateNode 2 x",
        &[
            "12: node 2 was already created on line 3",
            "           ^",
            "14: `x` is not an amount: decimal digits only",
            "             ^",
        ],
    );
    // Whether the ids exist depends on the StartMaster that is missing.
    check(
        "",
        "Send 1 2 x",
        &[
            "1: StartMaster comes first: put it on a line of its own before this one",
            "^^^^",
            "10: `x` is not an amount: decimal digits only",
            "         ^",
        ],
    );
}

#[test]
fn what_is_no_script_at_all_is_told_once_for_what_it_is() {
    let script = "# two accounts\r\nStartMaster\r\nCreateNode 1 5\r\nCreateNode 2 5\r\n";
    let wide =
        |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> { script.encode_utf16().flat_map(bytes).collect() };
    let (little, big) = (wide(u16::to_le_bytes), wide(u16::to_be_bytes));
    let marked = |mark: [u8; 2], text: &[u8]| [&mark[..], text].concat();
    let greek: Vec<u8> = "# \u{3b1}\u{3b2}\u{3b3}\u{3b4}\r\nStartMaster\r\nCreateNode 1 5\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let returns = script.replace("\r\n", "\r").into_bytes();
    let long = "CreateNode 1 5\r".repeat(LINE_LIMIT / 10).into_bytes();
    let history = b"{\"history\":1}\n{\"event\":\"start\"}\n".to_vec();
    let cases = [
        (marked([0xff, 0xfe], &little), "UTF-16LE"),
        (little, "UTF-16LE"),
        (marked([0xfe, 0xff], &big), "UTF-16BE"),
        (big, "UTF-16BE"),
        (greek, "UTF-16LE"),
        (returns, "carriage returns"),
        (long, "carriage returns"),
        (history, "a history, and no script"),
    ];
    for (bytes, what) in cases {
        let shown = rendered(&bytes);
        assert!(
            shown.starts_with("a: it") && shown.contains(what),
            "{shown}"
        );
        assert_eq!(shown.lines().count(), 1, "{shown}");
    }
    // A comment may hold anything, and one carriage return more is a mistake in its line.
    assert_eq!(rendered(b"# one\rtwo\nStartMaster # \r\n"), "");
    assert!(rendered(b"StartMaster\nnodes\rnodes\n").starts_with("a:2:1: unknown command"));
}
