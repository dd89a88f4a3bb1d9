//! The scripts that people run first do what they say, and the README says what is so: its sample
//! output is what master prints, and no command and no option is missing from it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bank::script::COMMANDS;

#[test]
fn the_demo_runs_to_its_end() {
    let Some(told) = run_script("demo") else {
        return;
    };
    for line in [
        "> Receive 2 1",
        "1 Transfer 300",
        "channel (2 → 1) = 100",
        "channel (1 → 3) = 40",
        "> PrintSnapshot 2",
        "ERR_SEND",
        "node 2 died (killed by signal 9)",
        "That was all. The README explains the rest; `master` without a script gives you a prompt.",
    ] {
        assert!(
            told.lines().any(|told| told == line),
            "no `{line}` in:\n{told}"
        );
    }
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
    let readme = readme("README.md");
    let shown = block_after(&readme, |block| {
        block.contains("target/release/master testdata/arg.txt")
    });
    assert_eq!(shown, master(&["testdata/arg.txt"]));
}

#[test]
fn the_readme_shows_the_json_of_its_example() {
    let readme = readme("crates/pipebank/README.md");
    let shown = block_after(&readme, |block| {
        block.contains("master --json testdata/arg.txt")
    });
    assert_eq!(shown, master(&["--json", "testdata/arg.txt"]));
}

#[test]
fn the_readme_explains_every_command() {
    let readme = readme("crates/bank/README.md");
    for command in COMMANDS {
        let row = format!("| `{command}` |");
        assert!(readme.contains(&row), "no row begins with {row}");
    }
}

#[test]
fn the_readme_explains_every_option() {
    let help = master(&["--help"]);
    // `--seed <N>` and `-h, --help`, each at the beginning of a line of its own.
    let options = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let long = line.split_once(", ").map_or(line, |(_, long)| long);
        let is_option = line.starts_with('-') && long.starts_with("--");
        is_option.then(|| long.split(' ').next().unwrap_or_default())
    });
    let options: Vec<&str> = options.collect();
    assert!(
        options.len() >= 12 && options.contains(&"--seed"),
        "{options:?}"
    );
    let readme = readme("crates/pipebank/README.md");
    for option in options {
        let is_explained = readme.lines().any(|line| {
            let row = line.strip_prefix(&format!("| `{option}"));
            row.is_some_and(|rest| rest.starts_with(['`', ' ']))
        });
        assert!(is_explained, "no row begins with `{option}`");
    }
}

/// Runs a script from scripts/ with the programs under test. `None` where there is no bash.
fn run_script(name: &str) -> Option<String> {
    if Command::new("bash").arg("--version").output().is_err() {
        eprintln!("skipped: scripts/{name} needs bash, and there is no bash on the PATH");
        return None;
    }
    let output = Command::new("bash")
        .arg(root().join("scripts").join(name))
        .env("BIN_DIR", testing::programs())
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

fn readme(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("the README is there")
}

fn root() -> PathBuf {
    testing::root("")
}
