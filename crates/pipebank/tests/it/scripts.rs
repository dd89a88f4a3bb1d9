//! The scripts that people run first do what they say, and so do the documents: their sample output
//! is what master prints, no command is missing from the language, no option and no exit status from
//! `--help`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bank::script::COMMANDS;
use testing::Folder;

#[test]
fn the_demo_is_the_tour() {
    let place = Folder::new();
    let Some(told) = run_script_in(&place, "demo") else {
        return;
    };
    for line in ["> Receive 2 1", "1 Transfer 300", "channel (2 → 1) = 100"] {
        assert!(
            told.lines().any(|told| told == line),
            "no `{line}` in:\n{told}"
        );
    }
    assert!(place.path("pipebank-tour.html").exists());
}

#[test]
fn a_shell_script_can_kill_a_node_and_be_told() {
    let Some(told) = run_script("launch-and-kill") else {
        return;
    };
    for line in [
        "node 2 died (killed by signal 9)",
        "lost with node 2: its balance of 185",
        "-:10: `Send 1 2 7`: node 2 died (killed by signal 9)",
        "1 Transfer 95",
        "master ended with status 1, because a process died",
        "all 5 processes are gone, and so is the run directory",
        "everything was as it should be",
    ] {
        assert!(
            told.lines().any(|told| told == line),
            "no `{line}` in:\n{told}"
        );
    }
}

#[test]
fn the_readme_shows_the_output_of_its_example() {
    let document = document("README.md");
    let shown = block_after(&document, |block| {
        block.contains("target/release/master testdata/arg.txt")
    });
    assert_eq!(shown, master(&["testdata/arg.txt"]));
}

#[test]
fn the_readme_of_the_programs_shows_the_json_of_its_example() {
    let document = document("crates/pipebank/README.md");
    let shown = block_after(&document, |block| {
        block.contains("master --json testdata/arg.txt")
    });
    assert_eq!(shown, master(&["--json", "testdata/arg.txt"]));
}

#[test]
fn the_language_is_explained_command_by_command() {
    let document = document("crates/bank/README.md");
    for command in COMMANDS {
        let row = format!("| `{command}` |");
        assert!(document.contains(&row), "no row begins with {row}");
    }
}

#[test]
fn help_explains_every_option() {
    for command in ["", "load", "verify", "diagram", "completions", "man"] {
        let help = help_of(command);
        let mut lines = help.lines().peekable();
        let mut options = Vec::new();
        while let Some(line) = lines.next() {
            // `--seed <N>` and `-h, --help`, each on a line of its own, and below what it does.
            let line = line.trim_start();
            if line.starts_with('-') && line.contains("--") {
                let below = lines.peek().map_or("", |line| line.trim_start());
                let is_explained = below.contains(' ') && !below.starts_with(['-', '[']);
                assert!(is_explained, "master {command}: `{line}` is not explained");
                options.push(line.split(' ').next().unwrap_or_default());
            }
        }
        let known = match command {
            "" => options.contains(&"--strict") && options.len() >= 16,
            "load" => options.contains(&"--nodes") && options.len() >= 14,
            _ => options.contains(&"-h,"),
        };
        assert!(known, "master {command}: {options:?}");
    }
}

#[test]
fn help_explains_every_exit_status() {
    let source = include_str!("../../src/status.rs");
    let constants = source.lines().filter_map(|line| {
        let value = line.strip_prefix("pub const ")?.split_once(" = ")?.1;
        let value = value.trim_end_matches(';');
        Some(value.replace("signalled(13)", "141"))
    });
    let statuses: Vec<String> = constants.chain(["128 + n".to_owned()]).collect();
    assert!(statuses.len() >= 8, "{statuses:?}");
    let help = help_of("");
    let (_, explained) = help.split_once("Exit status:").expect("a section");
    for status in statuses {
        let is_explained = explained.lines().any(|line| {
            let rest = line.trim_start().strip_prefix(&status);
            rest.is_some_and(|rest| rest.starts_with("  "))
        });
        assert!(is_explained, "status {status} in:\n{explained}");
    }
}

#[test]
fn help_speaks_plainly() {
    for command in ["", "load", "verify", "diagram", "completions", "man"] {
        let help = help_of(command).to_lowercase();
        for word in ["photograph", "of its own accord"] {
            assert!(!help.contains(word), "master {command}: `{word}`");
        }
    }
}

fn help_of(command: &str) -> String {
    match command {
        "" => master(&["--help"]),
        command => master(&[command, "--help"]),
    }
}

/// Runs a script from scripts/ with the programs under test. `None` where there is no bash.
fn run_script(name: &str) -> Option<String> {
    run_script_in(&Folder::new(), name)
}

fn run_script_in(place: &Folder, name: &str) -> Option<String> {
    if Command::new("bash").arg("--version").output().is_err() {
        eprintln!("skipped: scripts/{name} needs bash, and there is no bash on the PATH");
        return None;
    }
    let output = Command::new("bash")
        .arg(root().join("scripts").join(name))
        .env("BIN_DIR", testing::programs())
        .current_dir(place.path("."))
        .stdin(Stdio::null())
        .output()
        .expect("bash starts");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{name}: {}\n{stdout}\n{stderr}",
        output.status
    );
    Some(stdout)
}

/// What `master` prints, run from the project's root.
fn master(arguments: &[&str]) -> String {
    let output = Command::new(testing::master())
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .expect("master starts");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("results are UTF-8")
}

/// The fenced block that follows the first one that `is_it` accepts.
fn block_after(text: &str, is_it: impl Fn(&str) -> bool) -> &str {
    let inside = text.split("```").skip(1).step_by(2);
    let mut blocks = inside.map(|block| block.split_once('\n').map_or("", |(_, lines)| lines));
    blocks
        .find(|block| is_it(block))
        .expect("the command is there");
    blocks.next().expect("its output is there")
}

fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("the document is there")
}

fn root() -> PathBuf {
    testing::root("")
}
