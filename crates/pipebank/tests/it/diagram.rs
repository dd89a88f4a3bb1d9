//! `master diagram` from outside: which files it writes, and what it says where it cannot.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn diagrams() -> PathBuf {
    testing::root("testdata/diagrams")
}

/// In the folder of the examples, with this on standard input.
fn master(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(testing::master())
        .arg("diagram")
        .args(arguments)
        .current_dir(diagrams())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("master starts");
    // It may have ended without reading it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().expect("master ends")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn without_a_file_the_image_goes_to_standard_output() {
    let image = fs::read_to_string(diagrams().join("arg.svg")).unwrap();
    let history = fs::read_to_string(diagrams().join("arg.history")).unwrap();
    for (name, input) in [("arg.history", ""), ("-", &history)] {
        let output = master(&[name], input);
        assert_eq!(
            (stderr(&output), output.status.code()),
            (String::new(), Some(0))
        );
        assert!(output.stdout == image.as_bytes(), "{name}");
    }
}

#[test]
fn the_ending_chooses_the_format_and_there_may_be_several() {
    let folder = tempfile::tempdir().unwrap();
    let beginnings = [
        ("a.svg", "<svg "),
        ("a.html", "<!doctype html>"),
        ("a.shiviz", "(?<event>"),
        ("a.trace.json", "{\"displayTimeUnit\""),
        ("a.mmd", "sequenceDiagram"),
        ("a.dot", "digraph"),
    ];
    let paths = beginnings.map(|(name, _)| folder.path().join(name));
    let mut arguments = vec!["arg.history"];
    arguments.extend(paths.iter().flat_map(|path| ["-o", path.to_str().unwrap()]));
    let output = master(&arguments, "");
    assert_eq!(
        (stderr(&output), output.status.code()),
        (String::new(), Some(0))
    );
    assert!(output.stdout.is_empty());
    for ((name, beginning), path) in beginnings.iter().zip(&paths) {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.starts_with(beginning), "{name}: {text}");
    }
}

#[test]
fn what_cannot_be_drawn_is_refused_with_the_reason_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.svg");
    let file = file.to_str().unwrap();
    let header = "{\"history\":1}\n";
    let cases: [(&[&str], &str, &str); 9] = [
        (
            &["arg.history", "-o", "a.png"],
            "",
            ".svg, .html, .shiviz, .trace.json, .mmd, .dot",
        ),
        (&["nowhere", "-o", file], "", "nowhere: No such file"),
        (
            &["-", "-o", file],
            "{\"history\":1}\nnonsense\n",
            "-: line 2: ",
        ),
        (&["-", "-o", file], header, "-: no system is started in it"),
        (
            &["arg.history", "-o", file, "--snapshot", "2"],
            "",
            "numbered from 1 to 1",
        ),
        (
            &["arg.history", "-o", file, "--from", "90"],
            "",
            "the script's lines 2 to",
        ),
        (
            &["arg.history", "-o", file, "--system", "2"],
            "",
            "there is no system 2: it has 1",
        ),
        (
            &["arg.history", "-o", file, "-o", "x.mmd", "--to", "5"],
            "",
            "a .mmd file has the whole",
        ),
        (
            &["arg.history", "-o", "x.mmd", "--compact"],
            "",
            "--no-markers and --compact are for images, and no .svg is to be written",
        ),
    ];
    for (arguments, input, reason) in cases {
        let output = master(arguments, input);
        assert!(
            stderr(&output).contains(reason),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            0,
            "{arguments:?}"
        );
    }
    let nowhere = folder.path().join("none/a.svg");
    let output = master(&["arg.history", "-o", nowhere.to_str().unwrap()], "");
    assert!(
        stderr(&output).contains("a.svg: the picture cannot be written: "),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn parts_other_systems_and_histories_that_are_cut_off() {
    let text = "{\"history\":1}\n{\"event\":\"start\"}\n{\"event\":\"end\"}\n{\"event\":\"start\"}\n\
                {\"event\":\"create\",\"process\":77,\"amount\":1}\n{\"event\":\"cre";
    let output = master(&["-"], text);
    assert_eq!(output.status.code(), Some(0));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("process 77"));
    let said = stderr(&output);
    assert!(said.contains("-: line 6 is cut off"), "{said}");
    assert!(
        said.contains("-: this is the first of 2 systems; --system N draws another"),
        "{said}"
    );
    let output = master(&["-", "--system", "2"], text);
    assert!(String::from_utf8_lossy(&output.stdout).contains("process 77"));
    assert!(!stderr(&output).contains("systems"));
    let output = master(&["four-nodes-crossing.history", "--snapshot", "2"], "");
    let image = String::from_utf8(output.stdout).unwrap();
    assert!(
        image.contains("a part of 130 events") && image.contains(">S2<"),
        "{image}"
    );
}

#[test]
fn a_trace_has_steps_for_time_and_the_clock_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (file, image) = (
        folder.path().join("a.trace.json"),
        folder.path().join("a.svg"),
    );
    let history = folder.path().join("h");
    let timed = "{\"history\":1}\n{\"event\":\"start\",\"time\":7}\n\
                 {\"event\":\"create\",\"process\":1,\"amount\":5,\"time\":3456789}\n";
    let untimed = "{\"history\":1}\n{\"event\":\"start\"}\n";
    let starts = |history_is: &str, arguments: &[&str]| {
        fs::write(&history, history_is).unwrap();
        let mut all = vec![history.to_str().unwrap(), "-o", file.to_str().unwrap()];
        all.extend(arguments);
        let output = master(&all, "");
        if output.status.code() != Some(0) {
            return Err(stderr(&output));
        }
        let trace: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let slices = trace["traceEvents"].as_array().unwrap().clone().into_iter();
        let slices = slices.filter(|event| event["ph"] == "X");
        Ok(slices
            .map(|slice| slice["ts"].as_u64().unwrap())
            .collect::<Vec<_>>())
    };
    assert_eq!(starts(timed, &[]), Ok(vec![0, 0]));
    assert_eq!(starts(timed, &["--clock"]), Ok(vec![7, 3_456_789]));
    assert_eq!(starts(untimed, &[]), Ok(vec![0]));
    let refused = starts(untimed, &["--clock"]).unwrap_err();
    assert!(
        refused.contains("h: not every event in the history has a time"),
        "{refused}"
    );
    let output = master(
        &["arg.history", "--clock", "-o", image.to_str().unwrap()],
        "",
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("-o FILE.trace.json"),
        "{}",
        stderr(&output)
    );
    assert!(!image.exists());
}

#[test]
fn an_image_is_drawn_compact_and_without_markers_where_that_is_asked_for() {
    let drawn = |options: &[&str]| {
        let output = master(&[&["four-nodes-crossing.history"], options].concat(), "");
        assert_eq!(stderr(&output), "");
        String::from_utf8(output.stdout).unwrap()
    };
    let width = |image: &str| {
        let (_, rest) = image.split_once("width=\"").unwrap();
        let (width, _) = rest.split_once('"').unwrap();
        width.parse::<u32>().unwrap()
    };
    let [wide, compact, unmarked] = [
        drawn(&[]),
        drawn(&["--compact"]),
        drawn(&["--compact", "--no-markers"]),
    ];
    assert!(width(&wide) > 1_800, "{}", width(&wide));
    assert!(width(&compact) <= 1_200, "{}", width(&compact));
    assert!(width(&unmarked) <= width(&compact));
    let markers = |image: &str| image.contains("class=\"marker ");
    assert!(markers(&compact) && !markers(&unmarked));
    assert!(unmarked.contains("class=\"cut "), "{unmarked}");
}

#[test]
fn of_a_history_that_is_too_large_a_part_is_drawn_and_it_is_said_which() {
    let mut history = "{\"history\":1}\n{\"event\":\"start\",\"line\":1}\n".to_owned();
    for process in 1..=31 {
        let create = "{\"event\":\"create\",\"process\":PROCESS,\"amount\":1,\"line\":2}\n";
        history += &create.replace("PROCESS", &process.to_string());
    }
    for number in 1..=2_500 {
        for (event, process) in [("send", 30), ("receive", 31)] {
            history += &format!(
                "{{\"event\":\"{event}\",\"process\":{process},\"from\":30,\"to\":31,\
                 \"amount\":0,\"number\":{number},\"line\":{number}}}\n"
            );
        }
    }
    let output = master(&["-"], &history);
    assert_eq!(output.status.code(), Some(0));
    let said = stderr(&output);
    assert!(
        said.contains(
            "-: a part is drawn: the 30 of 31 processes to which most happens, the first 4000 of \
             5032 events, up to line 1985; --from LINE and --to LINE (lines of the script) or \
             --snapshot N choose another"
        ),
        "{said}"
    );
    let output = master(&["-", "--from", "2000", "--to", "2005"], &history);
    assert_eq!(
        (stderr(&output), output.status.code()),
        (String::new(), Some(0))
    );
}
