//! `master import cos418`. What is right was computed in Go, by a simulator with the same rules and Go's own
//! random numbers: `testdata/import/cos418`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use history::{Reader, What};
use reference::{Expected, interpret};
use testing::{Folder, root};

use super::assert_refused;

/// A snapshot as the assignment writes it: what each server has, and the messages on each link in order.
#[derive(Debug, Default, PartialEq)]
struct Snap {
    number: usize,
    tokens: BTreeMap<u64, u64>,
    messages: BTreeMap<(u64, u64), Vec<u64>>,
}

impl Snap {
    fn read(path: &Path, id: impl Fn(&str) -> u64) -> Self {
        let mut snap = Self::default();
        for line in fs::read_to_string(path).unwrap().lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                [number] => snap.number = number.parse().unwrap(),
                [server, tokens] => {
                    snap.tokens.insert(id(server), tokens.parse().unwrap());
                }
                [from, to, message] => {
                    let amount = message.strip_prefix("token(").unwrap();
                    let amount = amount.strip_suffix(')').unwrap().parse().unwrap();
                    let link = snap.messages.entry((id(from), id(to)));
                    link.or_default().push(amount);
                }
                _ => panic!("{}: {line}", path.display()),
            }
        }
        snap
    }

    fn of(number: usize, expected: &Expected) -> Self {
        let collected = &expected.collected[number];
        let channels = collected.channels.iter();
        let not_empty = channels.filter(|(_, amounts)| !amounts.is_empty());
        Self {
            number,
            tokens: collected.nodes.clone(),
            messages: not_empty
                .map(|(at, amounts)| (*at, amounts.clone()))
                .collect(),
        }
    }
}

/// The number that a server's name ends with.
fn numbered(name: &str) -> u64 {
    let digits = name.trim_start_matches(|char: char| !char.is_ascii_digit());
    digits.parse().unwrap()
}

/// The script of a case.
fn imported(folder: &Path, top: &str, events: &str) -> String {
    let file = |name: &str, ending: &str| {
        let path = folder.join(name).with_extension(ending);
        path.into_os_string().into_string().unwrap()
    };
    let files = [&*file(top, "top"), &*file(events, "events")];
    let ended = Folder::new().run(&[&["import", "cos418"], &files[..]].concat());
    ended.expect(0, &ended.out, "");
    ended.out
}

/// A case's script has the snapshots of its `.snap` files, message by message.
fn assert_right(folder: &Path, case: &str) {
    let script = imported(folder, case, case);
    let expected = interpret(&script, 1);
    assert_eq!(expected.failures.len(), 0, "{script}");
    for number in 0..expected.collected.len() {
        let snap = folder.join(format!("{case}{number}.snap"));
        let right = Snap::read(&snap, numbered);
        assert_eq!(Snap::of(number, &expected), right, "{}", snap.display());
    }
    let one_more = folder.join(format!("{case}{}.snap", expected.collected.len()));
    assert!(!one_more.exists(), "{script}");
}

#[test]
fn a_case_of_cos418_has_the_snapshots_of_the_simulator_in_go() {
    for case in ["ring", "text", "twelve"] {
        assert_right(&root("testdata/import/cos418"), case);
    }
}

#[test]
fn the_bank_itself_records_the_messages_of_a_case_one_by_one() {
    let folder = root("testdata/import/cos418");
    for case in ["ring", "text", "twelve"] {
        let script = imported(&folder, case, case);
        let place = Folder::new();
        place.file("script", &script);
        let ended = place.run(&["script", "--history", "run.jsonl", "--seed", "1"]);
        ended.expect(0, &interpret(&script, 1).stdout, "");

        let history = fs::read(place.path("run.jsonl")).unwrap();
        let mut reader = Reader::new(&history[..]).unwrap();
        let mut snaps: Vec<Snap> = Vec::new();
        while let Some(event) = reader.next_event().unwrap() {
            let What::Collect {
                snapshot,
                states,
                channels,
            } = event.what
            else {
                continue;
            };
            // Lines that follow each other are one.
            let number = snapshot.0 as usize - 1;
            if snaps.len() == number {
                snaps.push(Snap {
                    number,
                    ..Snap::default()
                });
            }
            let snap = &mut snaps[number];
            snap.tokens.extend(
                states
                    .iter()
                    .map(|state| (state.process.0, u64::try_from(state.amount).unwrap())),
            );
            let channels = channels.into_iter().map(|it| {
                (
                    (it.from.0, it.to.0),
                    it.amounts
                        .iter()
                        .map(|it| u64::try_from(*it).unwrap())
                        .collect(),
                )
            });
            snap.messages.extend(channels);
        }
        assert!(!snaps.is_empty(), "{case}");
        for snap in snaps {
            let file = folder.join(format!("{case}{}.snap", snap.number));
            assert_eq!(snap, Snap::read(&file, numbered), "{case}");
        }
    }
}

#[test]
fn another_seed_delivers_in_another_order() {
    let place = small_case();
    let script = place.run(&["import", "cos418", "top", "events"]).out;
    let same = [
        "import",
        "cos418",
        "top",
        "events",
        "--seed",
        "8053172852482175524",
    ];
    place.run(&same).expect(0, &script, "");
    let other = ["import", "cos418", "top", "events", "--seed", "-3"];
    let other = place.run(&other).out;
    let deliveries = |script: &str| {
        let lines = script.lines().filter(|line| line.starts_with("Receive"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_ne!(deliveries(&script), deliveries(&other));
}

/// Servers with other names than those of the assignment, blank lines, comments, CRLF, a byte-order mark.
fn small_case() -> Folder {
    let place = Folder::new();
    let top = "\u{feff}# three\r\n3\r\nann 5\r\n bob 0\r\n\r\nzoë 7\r\nann bob\r\nbob ann\r\nzoë ann\r\n\
               ann zoë\r\n";
    place.file("top", top);
    place.file(
        "events",
        "# begin\n\nsend ann bob 2\nsend zoë ann 3\nsnapshot bob\ntick 2\n  # wait\ntick\nsend ann bob 1",
    );
    place
}

#[test]
fn servers_with_other_names_are_numbered_in_order() {
    let place = small_case();
    let script = place.run(&["import", "cos418", "top", "events"]);
    let right = "\
# top and events, with the delays of the seed 8053172852482175524
StartMaster sparse
CreateNode 1 5  # ann
CreateNode 2 0  # bob
CreateNode 3 7  # zoë
Connect 1 2
Connect 2 1
Connect 3 1
Connect 1 3
# tick 0
Send 1 2 2
Send 3 1 3
BeginSnapshot 2  # snapshot 0
# tick 3
Receive 1 3  # 3
Send 1 2 1
# tick 4
Receive 2 1  # 2
Receive 1 2  # the marker of snapshot 0
";
    assert!(script.out.starts_with(right), "{}", script.out);
    let end = "# the end\nCollectState\nPrintSnapshot 1  # snapshot 0\n";
    assert!(script.out.ends_with(end), "{}", script.out);
    script.expect(0, &script.out, "");
    let expected = interpret(&script.out, 1);
    assert_eq!(expected.failures.len(), 0);
    assert_eq!(expected.collected.len(), 1);
}

#[test]
fn a_file_is_written_where_one_is_named_and_only_if_all_is_well() {
    let place = small_case();
    let script = place.run(&["import", "cos418", "top", "events"]).out;
    let written = ["import", "cos418", "top", "events", "-o", "script"];
    place.run(&written).expect(0, "", "");
    assert_eq!(fs::read_to_string(place.path("script")).unwrap(), script);

    place.file("wrong", "snapshot nobody\n");
    let wrong = ["import", "cos418", "top", "wrong", "--output", "other"];
    place.run(&wrong).expect_status(2);
    assert!(!place.path("other").exists());

    let lost = place.run(&["import", "cos418", "top", "events", "-o", "none/script"]);
    let told =
        "none/script: what is imported cannot be written: No such file or directory (os error 2)\n";
    lost.expect(1, "", told);
    let over = place.run(&["import", "cos418", "top", "events", "-o", "top"]);
    let told =
        "top: what is imported would overwrite the topology top; --output needs another file\n";
    over.expect(2, "", told);
}

#[test]
fn a_case_that_is_malformed_is_refused_with_its_place() {
    let digits = "decimal digits only, up to";
    let most = u64::MAX;
    let ticks = u32::MAX;
    let no_tokens = |word: &str| format!("`{word}` is not a number of tokens: {digits} {most}");
    let place = Folder::new();
    place.file("nothing", "");
    for (top, line, what, word) in [
        ("", 1, "missing the number of servers", ""),
        (
            "two",
            1,
            &format!("`two` is not a number of servers: {digits} {most}"),
            "two",
        ),
        ("2 3", 1, "surplus word `3`", "3"),
        ("2\nN1 5", 2, "missing a server and its tokens", ""),
        ("2\nN1 5\nN2", 3, "missing its tokens", ""),
        ("1\nN1 -5", 2, &no_tokens("-5"), "-5"),
        (
            &format!("2\nN1 {most}\nN2 1"),
            3,
            &format!("the servers have more than {most} tokens in all"),
            "1",
        ),
        (
            "2\nN1 5\nN1 5",
            3,
            "server N1 was already listed on line 2",
            "N1",
        ),
        ("1\nN1 5\nN1 N2", 3, "no server is called N2", "N2"),
    ] {
        place.file("top", format!("{top}\n"));
        let shown = top.lines().nth(line - 1).unwrap_or("");
        let at = [&format!("top:{line}"), what, shown, word];
        assert_refused(&place, &["import", "cos418", "top", "nothing"], at);
    }
    place.file("good", "2\nN1 5\nN2 0\nN1 N2\n");
    let unknown =
        "unknown event `sned`; there are `send FROM TO TOKENS`, `snapshot SERVER` and `tick [N]`";
    for (event, what, word) in [
        ("sned N1 N2 3", unknown, "sned"),
        ("send N1 N2", "missing the number of tokens", ""),
        ("send N1 N2 x", &no_tokens("x"), "x"),
        (
            "send N2 N1 0",
            "there is no link from N2 to N1: the topology has no line `N2 N1`",
            "send N2 N1 0",
        ),
        (
            "send N1 N2 6",
            "N1 has 5 tokens here, and cannot send 6",
            "send N1 N2 6",
        ),
        ("snapshot", "missing the server that begins it", ""),
        ("snapshot \u{1b}", "no server is called \\x1b", "\\x1b"),
        (
            "tick 4294967296",
            &format!("`4294967296` is not a number of ticks: {digits} {ticks}"),
            "4294967296",
        ),
        ("tick 1 2", "surplus word `2`", "2"),
    ] {
        place.file("events", format!("tick\n{event}\n"));
        let shown = event.replace('\u{1b}', "\\x1b");
        let at = ["events:2", what, &shown, word];
        assert_refused(&place, &["import", "cos418", "good", "events"], at);
    }
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let place = small_case();
    place.file("bytes", b"tick\ntick \xff\n");
    let at = ["bytes:2", "it is not UTF-8", "tick \u{fffd}", "\u{fffd}"];
    assert_refused(&place, &["import", "cos418", "top", "bytes"], at);
    let wide: Vec<u8> = "tick\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    place.file("wide", wide);
    let told = "wide: it is UTF-16, as `>` in Windows PowerShell writes it; `iconv -f UTF-16LE -t UTF-8` \
                makes it UTF-8\n";
    place
        .run(&["import", "cos418", "top", "wide"])
        .expect(2, "", told);
    let told = "none: No such file or directory (os error 2)\n";
    place
        .run(&["import", "cos418", "none", "events"])
        .expect(2, "", told);
}
