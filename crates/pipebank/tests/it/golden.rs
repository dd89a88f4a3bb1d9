//! Every `testdata/NAME.txt` through the real `master --seed 1`, compared with `NAME.out`,
//! `NAME.err` (no such file: nothing on stderr) and the exit status in its comment `# exit: N`
//! (none: 0); with `--data` where it has a comment `# --data`. What the static check accepts is
//! compared with the model as well.
//!
//! `PIPEBANK_BLESS=1` rewrites `.out` and `.err`; read the diff.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

const SEED: u64 = 1;
const REFUSED: i32 = 2;

#[test]
fn every_script_prints_what_is_written_beneath_it() {
    let bless = std::env::var_os("PIPEBANK_BLESS").is_some();
    // Most of the time of a run is waiting.
    let scripts = scripts();
    let complaints: Vec<String> = thread::scope(|scope| {
        let parts = scripts.chunks(scripts.len().div_ceil(4));
        let run = |part| scope.spawn(move || Vec::from_iter(part_of(part, bless)));
        let running: Vec<_> = parts.map(run).collect();
        let done = running.into_iter().map(|part| part.join().unwrap());
        done.flatten().collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

fn part_of(scripts: &[PathBuf], bless: bool) -> impl Iterator<Item = String> {
    scripts.iter().flat_map(move |path| check(path, bless))
}

#[test]
fn what_is_written_beneath_a_script_agrees_with_the_model() {
    for path in scripts() {
        let bytes = fs::read(&path).unwrap();
        let exit = exit_status(&bytes);
        let out = fs::read_to_string(path.with_extension("out")).unwrap_or_default();
        let name = path.display();
        if exit == REFUSED {
            assert_eq!(out, "", "{name}: nothing is started");
            continue;
        }
        let lasts = lasts(&bytes);
        let text = String::from_utf8(bytes).expect("a script is UTF-8");
        let expected = match lasts {
            true => reference::interpret_lasting(&text, SEED),
            false => reference::interpret(&text, SEED),
        };
        assert_eq!(out, expected.stdout, "{name}");
        assert_eq!(exit, expected.exit_status(), "{name}");
    }
}

#[test]
fn a_file_of_no_bytes_is_a_script_too() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(testing::master())
        .args(["--timeout", "60", "--seed", "1"])
        .arg(file.path())
        .output()
        .expect("master starts");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}

#[test]
fn there_are_enough_scripts_and_no_strays() {
    let scripts = scripts();
    assert!(scripts.len() >= 25, "only {} scripts", scripts.len());
    for script in &scripts {
        let text = fs::read(script).unwrap();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        let name = script.display();
        assert!(
            text.starts_with(b"# "),
            "{name}: say in line 1 what it shows"
        );
    }
    for extension in ["out", "err"] {
        for path in files(extension) {
            let script = path.with_extension("txt");
            assert!(scripts.contains(&script), "{} is a stray", path.display());
        }
    }
}

fn check(path: &Path, bless: bool) -> Vec<String> {
    let name = path.file_name().unwrap().to_str().unwrap();
    let bank = tempfile::tempdir().unwrap();
    let mut master = Command::new(testing::master());
    if lasts(&fs::read(path).unwrap()) {
        master.arg("--data").arg(bank.path());
    }
    let output = master
        .args(["--timeout", "60", "--seed", &SEED.to_string(), name])
        .current_dir(testdata())
        .output()
        .expect("master starts");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = without_pids(&String::from_utf8_lossy(&output.stderr));
    let mut complaints = Vec::new();
    let (out, err) = (path.with_extension("out"), path.with_extension("err"));
    if bless {
        fs::write(&out, &stdout).unwrap();
        if stderr.is_empty() {
            let _ = fs::remove_file(&err);
        } else {
            fs::write(&err, &stderr).unwrap();
        }
    } else {
        match fs::read_to_string(&out) {
            Ok(right) => complaints.extend(difference(name, "stdout", &right, &stdout)),
            Err(_) => complaints.push(format!(
                "{name}: no .out beneath it; PIPEBANK_BLESS=1 writes it"
            )),
        }
        let right = fs::read_to_string(&err).unwrap_or_default();
        complaints.extend(difference(name, "stderr", &right, &stderr));
    }
    let (right, real) = (exit_status(&fs::read(path).unwrap()), output.status.code());
    if real != Some(right) {
        complaints.push(format!("{name}: exit status {real:?}, must be {right}"));
    }
    complaints
}

fn difference(name: &str, stream: &str, right: &str, real: &str) -> Option<String> {
    (right != real).then(|| {
        format!("{name}: {stream} differs (PIPEBANK_BLESS=1 rewrites)\n--- must be\n{right}--- is\n{real}---")
    })
}

/// The number after `# exit:` among the comments that the script begins with.
fn exit_status(script: &[u8]) -> i32 {
    let comments = comments(script);
    let mut statuses = comments
        .iter()
        .filter_map(|line| line.strip_prefix("# exit:"));
    statuses
        .next()
        .map_or(0, |status| status.trim().parse().expect("a number"))
}

/// Whether it is one for a bank that lasts.
fn lasts(script: &[u8]) -> bool {
    comments(script).iter().any(|line| line == "# --data")
}

/// The comments that the script begins with.
fn comments(script: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(script);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let comments = text.lines().take_while(|line| line.starts_with('#'));
    comments.map(str::to_owned).collect()
}

/// Digits that follow `pid ` differ from run to run.
fn without_pids(text: &str) -> String {
    let mut parts = text.split("pid ");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        masked.push_str(if rest.len() < part.len() {
            "pid PID"
        } else {
            "pid "
        });
        masked.push_str(rest);
    }
    masked
}

fn scripts() -> Vec<PathBuf> {
    files("txt")
}

fn files(extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(testdata()).expect("testdata is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths
}

fn testdata() -> PathBuf {
    testing::root("testdata")
}
