//! The options of `master`, its subcommands, and what it says of a command line that is wrong.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use serde_json::{Value, json};
use testing::{EXAMPLE, Folder, Master, SEED_LINE, master, mesh};

#[test]
fn version_and_help_are_results() {
    let place = Folder::new();
    let version = concat!("master ", env!("CARGO_PKG_VERSION"), "\n");
    place.run(&["--version"]).expect(0, version, "");
    place.run(&["-V"]).expect(0, version, "");

    let long = place.run(&["--help"]);
    for word in [
        "Usage: master",
        "StartMaster",
        "BeginSnapshot 2",
        "channel (1 → 2) = 300",
        "--seed <N>",
        "--strict",
        "--verbose",
        "--json",
        "--check",
        "--run-dir <DIR>",
        "--timeout <SECONDS>",
        "--ascii",
        "--color <WHEN>",
        "--bin-dir <DIR>",
        "tour",
        "completions",
        "man",
        "Exit status",
        "124",
    ] {
        assert!(long.out.contains(word), "--help does not say {word}");
    }
    long.expect(0, &long.out, "");
    let short = place.run(&["-h"]);
    assert!(short.out.contains("`master --help` shows an example"));
    assert!(short.out.len() < long.out.len());
    short.expect(0, &short.out, "");
}

#[test]
fn the_example_of_help_does_what_help_says() {
    let place = Folder::new();
    let help = place.run(&["--help"]).out;
    let (_, script) = help.split_once("$ cat two.txt\n").expect("an example");
    let (script, _) = script.split_once("$ master two.txt").expect("an example");
    let name = place.file("two.txt", script);
    let ended = place.run(&[name]);
    ended.expect(0, &ended.out, "");
    let (_, said) = script.split_once("PrintSnapshot").expect("a snapshot");
    let (_, said) = said.split_once('#').expect("what it shows");
    for line in said.trim().split(", ") {
        let is_shown = ended.out.lines().any(|shown| shown == line);
        assert!(is_shown, "help says `{line}`, master says:\n{}", ended.out);
    }
}

#[test]
fn a_malformed_command_line_is_status_2_and_starts_nothing() {
    let place = Folder::new();
    let name = place.file("s.txt", EXAMPLE);
    for wrong in [
        &["--sede", "1", name] as &[&str],
        &["--seed", "x", name],
        &["--seed", "-1", name],
        &["--seed", name],
        &["--timeout", "0", name],
        &["--timeout", "-1", name],
        &["--timeout", "nan", name],
        &["--timeout", "inf", name],
        &["--window", "0", name],
        &["--color", "blue", name],
        &["--run-dir"],
        &[name, name],
    ] {
        let ended = place.run(wrong);
        assert_eq!(ended.out, "", "{wrong:?}");
        assert!(ended.err.starts_with("error: "), "{wrong:?}: {ended:#?}");
        ended.expect_status(2);
    }
}

#[test]
fn a_script_that_cannot_be_read_is_told_with_its_path() {
    let place = Folder::new();
    let ended = place.run(&["missing/arg.txt"]);
    ended.expect(
        2,
        "",
        "missing/arg.txt: No such file or directory (os error 2)\n",
    );
    std::fs::create_dir(place.path("dir")).unwrap();
    let ended = place.run(&["dir"]);
    ended.expect(2, "", "dir: Is a directory (os error 21)\n");
    let ended = place.run(&["--check", "dir"]);
    ended.expect(2, "", "dir: Is a directory (os error 21)\n");
}

#[test]
fn a_script_named_like_a_subcommand_is_run_by_its_path() {
    let place = Folder::new();
    for name in ["man", "completions", "tour"] {
        place.file(name, EXAMPLE);
        let path = format!("./{name}");
        assert!(place.run(&[&path]).out.starts_with("Started by Node 1\n"));
        let ended = place.run(&["--seed", "1", &path]);
        assert!(ended.out.starts_with("Started by Node 1\n"));

        let ended = place.run(&["--seed", "1", name]);
        let right = format!(
            "`{name}` is a subcommand, and options come after it; a script of that name is run as \
             `./{name}`"
        );
        assert!(ended.err.contains(&right), "{ended:#?}");
        assert_eq!(ended.out, "");
        ended.expect_status(2);
    }
}

#[test]
fn words_that_are_surplus_or_mistyped_are_called_so() {
    let place = Folder::new();
    place.file("a.txt", "StartMaster\n");
    place.file("lead", "StartMaster\n");
    let cases = [
        (
            "a.txt extra",
            "surplus word `extra`: master runs one script, and that is `a.txt`",
        ),
        (
            "a.txt --seed 1 b.txt c.txt",
            "surplus word `b.txt`: master runs one script",
        ),
        ("a.txt verify", "surplus word `verify`"),
        (
            "laod",
            "`laod` is neither a subcommand nor a script; did you mean `master load`?",
        ),
        (
            "Verfy a.txt",
            "`Verfy` is neither a subcommand nor a script; did you mean `master verify`?",
        ),
        ("--seed 1 dagram", "did you mean `master diagram`?"),
        ("hlep", "did you mean `master help`?"),
        (
            "man laod",
            "there is no page on `laod`; did you mean `load`?",
        ),
        ("man nothing", "there is no page on `nothing`\n"),
        ("nothing", "nothing: No such file or directory"),
        ("./laod", "./laod: No such file or directory"),
    ];
    for (words, told) in cases {
        let arguments: Vec<&str> = words.split(' ').collect();
        let ended = place.run(&arguments);
        assert!(ended.err.contains(told), "{words}: {}", ended.err);
        ended.expect_status(2);
    }
    // A script is a script, whatever it is like.
    place.run(&["lead"]).expect(0, "", "");
}

#[test]
fn what_is_no_script_is_told_in_one_line() {
    let place = Folder::new();
    let script = "StartMaster\r\nCreateNode 1 5\r\nCreateNode 2 5\r\n";
    let wide: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
    place.file("wide.txt", wide);
    place.file("returns.txt", script.replace("\r\n", "\r"));
    place.file("run.jsonl", "{\"history\":1}\n{\"event\":\"start\"}\n");
    for (name, what) in [
        (
            "wide.txt",
            "it is UTF-16, as `>` in Windows PowerShell writes it; `iconv -f UTF-16LE -t UTF-8` makes it UTF-8",
        ),
        (
            "returns.txt",
            "its lines end in carriage returns alone; `tr '\\r' '\\n'` makes them line feeds",
        ),
        (
            "run.jsonl",
            "it is a history, and no script: `master verify FILE` judges it, `master diagram FILE` draws it",
        ),
    ] {
        place
            .run(&[name])
            .expect(2, "", &format!("{name}: {what}\n"));
        let input = std::fs::read_to_string(place.path(name)).unwrap();
        place
            .run_with(&["--check"], &input)
            .expect(2, "", &format!("-: {what}\n"));
        let ended = place.run_with(&["--seed", "1"], &input);
        ended.expect(1, "", &format!("-: {what}\n{SEED_LINE}\n"));
    }
}

#[test]
fn check_only_checks() {
    let place = Folder::new();
    let good = place.file("good.txt", EXAMPLE);
    let bad = place.file("bad.txt", "StartMaster\nSend 1 2 3\nReceive\n");
    // Programs that are missing, and a directory that stays away, show that nothing is started.
    let nothing = ["--bin-dir", "nowhere", "--run-dir", "run"];
    let check = |script| place.run(&[&["--check", script] as &[&str], &nothing].concat());
    check(good).expect(0, "", "");
    let ended = check(bad);
    ended.expect_status(2);
    let places: Vec<&str> = ended
        .err
        .lines()
        .filter_map(|line| line.strip_prefix("bad.txt:"))
        .filter_map(|line| line.split_once(": "))
        .map(|(place, _)| place)
        .collect();
    assert_eq!(places[0], "2:6", "{ended:#?}");
    assert!(places.last().unwrap().starts_with("3:"), "{ended:#?}");
    assert_eq!(ended.out, "");
    assert!(!place.path("run").exists());

    place.run_with(&["--check"], EXAMPLE).expect(0, "", "");
    place.run_with(&["--check", "-"], EXAMPLE).expect(0, "", "");
    let ended = place.run_with(&["--check"], "StartMaster\nfoo\n");
    assert!(
        ended.err.starts_with("-:2:1: unknown command `foo`\n"),
        "{ended:#?}"
    );
    ended.expect_status(2);
}

#[test]
fn json_has_one_object_a_line_with_the_documented_keys() {
    let place = Folder::new();
    let name = place.file("s.txt", EXAMPLE);
    let ended = place.run(&["--json", name]);
    let lines: Vec<Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let right = [
        json!({"schema": 1, "line": 5, "result": "started", "node": 1, "snapshot": 1}),
        json!({"schema": 1, "line": 6, "result": "refused", "from": 2, "to": 1,
               "amount": 9000, "balance": 500}),
        json!({"schema": 1, "line": 7, "result": "transfer", "node": 2, "from": 1,
               "amount": 300}),
        json!({"schema": 1, "line": 8, "result": "marker", "node": 2, "from": 1,
               "snapshot": 1}),
        json!({"schema": 1, "line": 11, "result": "snapshot", "snapshot": 1,
               "nodes": [{"node": 1, "balance": 700}, {"node": 2, "balance": 800}],
               "channels": [
                   {"from": 1, "to": 2, "sum": 0, "transfers": []},
                   {"from": 2, "to": 1, "sum": 0, "transfers": []},
               ],
               "total": 1500}),
    ];
    assert_eq!(lines, right);
    ended.expect(0, &ended.out, "");
}

#[test]
fn json_numbers_each_of_several_snapshots_that_begin_at_once() {
    let place = Folder::new();
    let script = mesh(2, 5) + "BeginSnapshot 1\nBeginSnapshot 2\n";
    let ended = place.run(&["--json", place.file("s.txt", script)]);
    let number = |line: &str| serde_json::from_str::<Value>(line).unwrap()["snapshot"].clone();
    let numbers: Vec<Value> = ended.out.lines().map(number).collect();
    assert_eq!(numbers, [json!(1), json!(2)]);
}

#[test]
fn json_tells_the_single_transfers_of_a_channel_and_amounts_to_the_last_digit() {
    let place = Folder::new();
    let script = "StartMaster\nCreateNode 0 18446744073709551615\nCreateNode 7 0\n\
                  Send 0 7 18446744073709551000\nSend 0 7 600\nBeginSnapshot 7\nReceive 0\n\
                  ReceiveAll\nCollectState\nPrintSnapshot\n";
    let name = place.file("s.txt", script);
    let ended = place.run(&["--json", name]);
    let last: Value = serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
    assert_eq!(
        last["channels"][0],
        json!({"from": 0, "to": 7, "sum": 18_446_744_073_709_551_600_u64,
               "transfers": [18_446_744_073_709_551_000_u64, 600]})
    );
    assert_eq!(last["nodes"][0], json!({"node": 0, "balance": 15}));
    assert_eq!(last["total"], json!(u64::MAX));
    ended.expect_status(0);
}

#[test]
fn ascii_writes_the_arrow_in_ascii_on_both_streams() {
    let place = Folder::new();
    let script = "StartMaster\nCreateNode 1 1\nCreateNode 2 2\nBeginSnapshot 1\nCollectState\n\
                  ReceiveAll\nCollectState\nPrintSnapshot\n";
    let name = place.file("s.txt", script);
    let ended = place.run(&["--seed", "1", "--ascii", name]);
    let right = "Started by Node 1\n---Node states\nnode 1 = 1\nnode 2 = 2\n---Channel states\n\
                 channel (1 -> 2) = 0\nchannel (2 -> 1) = 0\n";
    assert_eq!(ended.out, right);
    assert!(
        ended.err.contains("on 2 -> 1") && ended.err.is_ascii(),
        "{ended:#?}"
    );
    ended.expect_status(1);
}

#[test]
fn strict_stops_at_the_first_failure() {
    let place = Folder::new();
    let script =
        mesh(2, 5) + "Send 1 2 9\nSend 1 2 3\nReceive 2\nReceive 2\nSend 1 2 1\nReceive 2\n";
    let name = place.file("s.txt", script);
    place.run(&["--strict", "--seed", "1", name]).expect(
        1,
        "ERR_SEND\n1 Transfer 3\n",
        &format!(
            "s.txt:7: `Receive 2`: nothing to receive: nothing is on its way to node 2\n\
             master: stopped at the first failure (--strict)\n{SEED_LINE}\n"
        ),
    );
}

#[test]
fn verbose_tells_the_seed_and_what_every_process_does() {
    let place = Folder::new();
    let name = place.file("s.txt", EXAMPLE);
    let ended = place.run(&["--verbose", "--seed", "5", name]);
    for told in [
        "master: the seed is 5\n",
        "node 1: starts with 1000\n",
        "node 2: starts with 500\n",
        "node 1: sends 300 to node 2, balance 700\n",
        "node 2: receives 300 from node 1, balance 800\n",
        "observer: orders node 1 to begin snapshot 1\n",
        "observer: snapshot 1 is collected and has passed its audit\n",
    ] {
        assert!(ended.err.contains(told), "not told: {told}{ended:#?}");
    }
    let quiet = place.run(&["--seed", "5", name]);
    ended.expect(0, &quiet.out, &ended.err);
    quiet.expect(0, &quiet.out, "");

    let drawn = place.run(&["--verbose", name]);
    assert!(drawn.err.starts_with("master: the seed is "), "{drawn:#?}");
}

#[test]
fn completions_and_man_are_written_for_every_shell() {
    let place = Folder::new();
    for (shell, mark) in [
        ("bash", "complete "),
        ("zsh", "#compdef master"),
        ("fish", "complete -c master"),
    ] {
        let ended = place.run(&["completions", shell]);
        assert!(
            ended.out.contains(mark) && ended.out.contains("run-dir"),
            "{shell}"
        );
        ended.expect(0, &ended.out, "");
    }
    let ended = place.run(&["completions", "csh"]);
    ended.expect_status(2);
    let ended = place.run(&["man"]);
    assert!(ended.out.contains(".TH master 1"), "{ended:#?}");
    assert!(ended.out.contains("StartMaster"));
    ended.expect(0, &ended.out, "");
}

#[test]
fn every_page_of_the_manual_that_is_referred_to_is_printed() {
    let place = Folder::new();
    let main = place.run(&["man"]).out;
    let subcommands: Vec<&str> = main
        .lines()
        .filter_map(|line| line.strip_prefix("master\\-")?.strip_suffix("(1)"))
        .collect();
    assert!(subcommands.len() >= 6, "{main}");
    let import = place.run(&["man", "import"]).out;
    for subcommand in ["import-cos418", "import-shiviz"] {
        let reference = subcommand.replace('-', "\\-");
        assert!(import.contains(&format!("master\\-{reference}(1)")));
    }
    let of_import = ["import-cos418", "import-shiviz"];
    for subcommand in subcommands.into_iter().chain(of_import) {
        let words = subcommand.split('-');
        let page = place.run(&["man"].into_iter().chain(words).collect::<Vec<_>>());
        let title = format!(".TH master-{subcommand} 1");
        assert!(page.out.contains(&title), "{page:#?}");
        for section in ["SYNOPSIS", "OPTIONS", "\"EXIT STATUS\""] {
            let heading = format!("\n.SH {section}\n");
            assert!(page.out.contains(&heading), "{section}: {page:#?}");
        }
        page.expect(0, &page.out, "");
    }
    let right = "master: there is no page on `\\x1b`\n";
    place.run(&["man", "\u{1b}"]).expect(2, "", right);
}

#[test]
fn examples_in_the_manual_keep_their_lines() {
    let place = Folder::new();
    let page = place.run(&["man"]).out;
    let mut is_verbatim = false;
    for line in page.lines() {
        match line {
            ".nf" => is_verbatim = true,
            ".fi" => is_verbatim = false,
            _ => assert!(is_verbatim || !line.starts_with("  "), "filled: {line}"),
        }
    }
    assert!(
        page.contains("\n  StartMaster\n  CreateNode 1 1000\n"),
        "{page}"
    );
}

#[test]
fn completions_for_bash_are_a_script_that_bash_accepts() {
    let place = Folder::new();
    place.file("c.bash", place.run(&["completions", "bash"]).out);
    let mut command = Command::new("bash");
    command.args(["-n", "c.bash"]).current_dir(place.path("."));
    Master::spawn(command).end().expect(0, "", "");
}

#[test]
fn colour_is_as_it_was_asked_for() {
    let place = Folder::new();
    let bad = place.file("bad.txt", "StartMaster\nfoo\n");
    let failing = place.file("failing.txt", mesh(2, 1) + "Receive 1\n");
    for script in [bad, failing] {
        let always = place.run(&["--seed", "1", "--color", "always", script]);
        assert!(always.err.contains("\u{1b}["), "{always:#?}");
        assert!(!always.out.contains('\u{1b}'));
        let never = place.run(&["--seed", "1", "--color", "never", script]);
        assert!(!never.err.contains('\u{1b}'), "{never:#?}");
        assert_eq!(uncoloured(&always.err), never.err);
        let auto = place.run(&["--seed", "1", script]);
        assert_eq!(auto.err, never.err, "a pipe is no terminal");
        let mut command = Command::new(master());
        command
            .args(["--seed", "1", "--color", "always", script])
            .current_dir(place.path("."))
            .env("NO_COLOR", "1");
        let asked_for = Master::spawn(command).end();
        assert_eq!(asked_for.err, always.err, "the option decides");
    }
}

fn uncoloured(text: &str) -> String {
    let mut plain = String::new();
    for (index, part) in text.split("\u{1b}[").enumerate() {
        plain += match index {
            0 => part,
            _ => part.split_once('m').expect("an escape sequence").1,
        };
    }
    plain
}

#[test]
fn terminal_escapes_never_reach_stderr_raw() {
    let place = Folder::new();
    let bad = "StartMaster\n\u{1b}[31mCreateNode 1 2\nCreateNode \u{1b}]0;title\u{7} 5\n\
               CreateNode 1 5 \u{9b}31m\u{202e}\r\u{8}\n";
    let name = place.file("bad.txt", bad);
    let from_file = place.run(&["--seed", "1", name]);
    from_file.expect_status(2);
    let from_input = place.run_with(&["--seed", "1"], bad);
    from_input.expect_status(1);
    let missing = place.run(&["no\u{1b}[31m\u{7}such"]);
    missing.expect(
        2,
        "",
        "no\\x1b[31m\\x07such: No such file or directory (os error 2)\n",
    );
    let run_dir = place.run(&["--run-dir", "no\u{1b}[31m/such", name]);
    let bin_dir = place.run(&["--bin-dir", "no\u{1b}[31m\u{7}such"]);
    let good = place.file("good.txt", EXAMPLE);
    let odd_run_dir = place.run(&["--run-dir", "no\u{1b}[31m/such", good]);
    let option = place.run(&["--no\u{1b}[31mption"]);
    for ended in [
        from_file,
        from_input,
        missing,
        run_dir,
        bin_dir,
        odd_run_dir,
        option,
    ] {
        let raw = ended.err.chars().any(|c| c.is_control() && c != '\n');
        let hidden = ended.err.contains('\u{202e}');
        assert!(!raw && !hidden, "{ended:#?}");
        assert_eq!(ended.out, "");
    }
}

#[test]
fn a_command_line_is_quoted_without_terminal_escapes_also_where_colours_are_wanted() {
    let bad = "x\u{1b}]0;title\u{7}\u{1b}[31m\u{9b}31m\u{202e}";
    let not_utf8 = OsStr::from_bytes(b"x\xff\x1b[31m\x07");
    let words = |before: &str| [OsString::from(format!("{before}{bad}"))];
    let mut lines = vec![vec!["load".into(), not_utf8.into()], vec![not_utf8.into()]];
    for before in ["--", "--seed=", "--color=", "--timeout=", "-", ""] {
        lines.push(words(before).to_vec());
        lines.push(["load".into()].into_iter().chain(words(before)).collect());
    }
    lines.push(
        ["completions".into()]
            .into_iter()
            .chain(words(""))
            .collect(),
    );
    for line in lines {
        let mut command = Command::new(master());
        // As if at a terminal, where the library that colours does not take escapes away.
        command.args(&line).env("CLICOLOR_FORCE", "1");
        let ended = Master::spawn(command).end();
        ended.expect_status(2);
        let text = uncoloured(&ended.err);
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(acts), "{line:?}: {ended:#?}");
    }
}

#[test]
fn an_option_may_come_after_the_script() {
    let place = Folder::new();
    let name = place.file("s.txt", mesh(2, 1) + "Receive 1\n");
    place.run(&[name, "--seed", "1"]).expect_status(1);
    let ended = place.run(&["--", name]);
    ended.expect_status(1);
}
