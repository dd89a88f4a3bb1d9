//! What is given to master has no power: a script reaches no shell and no command line, and only
//! programs of ours are started. (Terminal escapes: command_line.rs; descriptors: descriptors.rs;
//! the run directory: run_dir.rs.)

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
