//! What is given to master has no power: a script reaches no shell and no command line, and only
//! programs of ours are started. (Terminal escapes: command_line.rs; descriptors: descriptors.rs;
//! the run directory: run_dir.rs.) What comes from outside is seen where it is shown, and does nothing.

use std::fs;
use std::path::{Path, PathBuf};

use testing::{Folder, Master, mesh};

use crate::source::{Source, has_word};

#[test]
fn nothing_in_a_script_is_carried_out_by_a_shell() {
    let place = Folder::new();
    let words = [
        "; touch owned",
        "& touch owned",
        "| touch owned",
        "$(touch owned)",
        "`touch owned`",
        "\"; touch owned #",
        "> owned",
        "!touch owned",
        "${IFS}touch${IFS}owned",
    ];
    let mut script = mesh(2, 5);
    for word in words {
        script += &format!("{word}\nCreateNode 3{word} 1\nSend 1 2 {word}\nReceive 1 {word}\n");
    }
    let name = place.file("$(touch owned); `touch owned`", &script);
    place.run(&[name]).expect_status(2);
    place.run_with(&["--seed", "1"], &script).expect_status(1);
    let dir = "$(touch owned)";
    place.run_with(&["--run-dir", dir], "StartMaster\nCreateNode 1 1\n");
    place.run(&["--bin-dir", dir]).expect_status(2);
    let mut names: Vec<_> = fs::read_dir(place.path(".")).unwrap().collect();
    names.retain(|entry| entry.as_ref().unwrap().file_name() != *name);
    assert!(names.is_empty(), "something was carried out: {names:?}");
}

/// What acts on a terminal, turns the direction of what follows it, or is not seen: of every kind one,
/// and those that stood raw in a file once.
const ODD: &str = "\u{1b}[7m\u{9b}\u{7f}\u{202e}\u{2066}\u{200f}\u{61c}\u{200b}\u{200d}\u{feff}\u{ad}\u{a0}\u{3164}\u{e0041}";

fn assert_nothing_odd(place: &str, text: &str) {
    let odd = ODD.chars().filter(|odd| !odd.is_ascii_graphic());
    let found: Vec<char> = odd.filter(|odd| text.contains(*odd)).collect();
    assert!(found.is_empty(), "{place}: {found:?} in {text:?}");
}

#[test]
fn names_and_words_from_outside_are_seen_and_do_nothing_wherever_they_are_shown() {
    let place = Folder::new();
    let word = format!("x{ODD}x");
    let name = format!("{word}.txt");
    place.file(
        &name,
        "StartMaster\nCreateNode 1 5\nCreateNode 2 5\nSend 1 2 3\nKillNode 2\n",
    );
    let bad = format!("bad{ODD}.txt");
    place.file(
        &bad,
        format!("{word}\nStartMaster\nSend 1 {word}\nCreateNode 1 5 {word}\nreceive{ODD} 1\n"),
    );
    let outputs = [
        "h",
        "d.svg",
        "d.html",
        "d.shiviz",
        "d.trace.json",
        "d.mmd",
        "d.dot",
    ]
    .map(|it| format!("{word}{it}"));
    let mut recorded = vec!["--verbose", "--history", &outputs[0]];
    recorded.extend(outputs[1..].iter().flat_map(|output| ["--diagram", output]));
    recorded.push(&name);
    // Nobody escapes what he writes himself.
    let raw = format!(
        "{{\"history\":1,\"script\":\"{word}\",\"sha256\":\"{word}\"}}\n{{\"event\":\"start\"}}\n\
         {{\"event\":\"create\",\"process\":1,\"amount\":5}}\n{{\"event\":\"begin\",\"process\":1,\"snapshot\":1}}\n\
         {{\"event\":\"record\",\"process\":1,\"snapshot\":1,\"amount\":5}}\n\
         {{\"event\":\"collect\",\"snapshot\":1,\"states\":[{{\"process\":1,\"amount\":5}}]}}\n\
         {{\"event\":\"audit\",\"snapshot\":1,\"passed\":false,\"reason\":\"{word}\"}}\n\
         {{\"event\":\"death\",\"process\":1,\"reason\":\"{word}\"}}\n{{\"event\":\"death\",\"reason\":\"{word}\"}}\n"
    ).replace('\u{1b}', "\\u001b");
    let history = format!("{word}.history");
    place.file(&history, &raw);
    let drawn = outputs[1..]
        .iter()
        .map(|output| output.replace("xd", "xe"))
        .collect::<Vec<_>>();
    let mut draw = vec!["diagram", &history];
    draw.extend(drawn.iter().flat_map(|output| ["-o", output]));
    place.file(
        "key",
        raw.replace("\"reason\"", &format!("\"{word}\"").replace('\u{1b}', "")),
    );
    place.file(
        "event",
        raw.replace("\"death\"", &format!("\"{word}\"").replace('\u{1b}', "")),
    );
    let seed = format!("--seed={word}");
    let cases: [(&[&str], i32); 17] = [
        (&recorded, 1),
        (&["--check", &bad], 2),
        (&["--json", &bad], 2),
        (&["--strict", "-"], 1),
        (&["--run-dir", &name, &name], 2),
        (&["--bin-dir", &word, &name], 2),
        (&["--history", &format!("{word}/h"), &name], 2),
        (&[&word], 2),
        (&[&seed], 2),
        (&["man", &word], 2),
        (&["completions", &word], 2),
        (&["load", &format!("--{word}")], 2),
        (&["verify", &history], 1),
        (&["verify", "--json", &history], 1),
        (&["verify", "key"], 2),
        (&["diagram", "event"], 2),
        (&draw, 0),
    ];
    for (arguments, status) in cases {
        let input = format!("StartMaster\nCreateNode 1 5\n{word} 1\nshow {word}\nhelp {word}\n");
        let ended = place.run_with(arguments, &input);
        assert_nothing_odd(&format!("{arguments:?}"), &ended.out);
        assert_nothing_odd(&format!("{arguments:?}"), &ended.err);
        ended.expect_status(status);
    }
    for file in outputs.iter().chain(&drawn) {
        let text = fs::read_to_string(place.path(file)).unwrap();
        assert_nothing_odd(file, &text);
        // Nor written so that whoever reads it makes it odd again.
        if let Ok(json) = serde_json::from_str::<serde_json::Value>(&text) {
            assert_nothing_odd(file, &json.to_string());
        }
        let has_name =
            !file.ends_with(".shiviz") && !file.ends_with(".dot") && !file.ends_with(".mmd");
        assert!(!has_name || text.contains("u{202e}"), "{file}: {text}");
    }
}

#[test]
fn the_command_lines_of_children_hold_numbers_only() {
    let mut master = Master::start(&[]);
    master.write("StartMaster\nCreateNode 007 0042 # $(x)\nCreateNode 8 18446744073709551573\n");
    let pids = master.settle(2);
    let command_line = |pid: u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        let mut words = text.split_terminator('\0').map(str::to_owned);
        let program = PathBuf::from(words.next().unwrap());
        let name = program.file_name().unwrap().to_str().unwrap().to_owned();
        [name].into_iter().chain(words).collect::<Vec<_>>()
    };
    assert_eq!(command_line(pids.nodes[&7]), ["node", "7", "42"]);
    assert_eq!(
        command_line(pids.nodes[&8]),
        ["node", "8", "18446744073709551573"]
    );
    assert_eq!(command_line(pids.observer.unwrap()), ["observer"]);
    master.end().expect_status(0);
}

/// What is for tests and tools only, and never installed.
const TOOLS: [&str; 3] = ["testing", "bench", "planted-bugs"];

/// Programs are started in one place, by their path, with words that are given one by one.
#[test]
fn programs_are_started_in_one_place_and_never_by_a_shell() {
    let mut sources = Vec::new();
    for entry in fs::read_dir(testing::root("crates")).unwrap() {
        let folder = entry.unwrap().path();
        if !TOOLS.iter().any(|tool| folder.ends_with(tool)) {
            rust_files(&folder.join("src"), &mut sources);
        }
    }
    assert!(sources.len() > 40, "the sources were not found");
    let mut starting = Vec::new();
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        let source = Source::new(path.to_str().unwrap(), &text);
        let starts = [
            "Command::new",
            "CommandExt",
            "execv",
            "execve",
            "execvp",
            "fork",
        ];
        if source
            .code
            .lines()
            .any(|line| starts.iter().any(|word| has_word(line, word)))
        {
            starting.push(path.clone());
        }
        for shell in ["\"sh\"", "\"bash\"", "/sh\"", "\"-c\"", "$SHELL"] {
            assert!(!text.contains(shell), "{}: {shell}", source.path);
        }
    }
    let only: Vec<_> = starting
        .iter()
        .filter(|path| !path.ends_with("pipes/src/child.rs"))
        .collect();
    assert!(only.is_empty() && starting.len() == 1, "{starting:?}");
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
