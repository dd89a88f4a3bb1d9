//! `--diagram FILE`: a run draws what `master diagram` draws of its history, however it ends.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::sys::signal::Signal::SIGINT;
use testing::{Folder, Master, SEED_LINE, signal};

const SCRIPT: &str = "StartMaster\nCreateNode 1 100\nCreateNode 2 50\nSend 1 2 30\nBeginSnapshot 2\n\
                      ReceiveAll\nCollectState\n";

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn every_format_is_what_master_diagram_draws_of_the_history() {
    let place = Folder::new();
    place.file("s.txt", SCRIPT);
    // What was in the file before does not stay.
    place.file("a.mmd", "before\n".repeat(1000));
    let names = [
        "a.svg",
        "a.html",
        "a.shiviz",
        "a.trace.json",
        "a.mmd",
        "a.dot",
    ];
    let mut arguments = vec!["--seed", "1", "--history", "h", "s.txt"];
    arguments.extend(names.iter().flat_map(|name| ["--diagram", name]));
    let ended = place.run(&arguments);
    assert_eq!((ended.status.code(), &ended.err[..]), (Some(0), ""));
    fs::create_dir(place.path("right")).unwrap();
    for name in names {
        let right = place.path("right").join(name);
        let right = right.to_str().unwrap();
        place.run(&["diagram", "h", "-o", right]).expect(0, "", "");
        assert_eq!(text(place.path(name)), text(right), "{name}");
    }
}

#[test]
fn a_run_that_fails_or_is_interrupted_is_drawn_too() {
    let place = Folder::new();
    place.file("s.txt", SCRIPT.to_owned() + "Receive 1\n");
    let ended = place.run(&["s.txt", "--diagram", "a.svg"]);
    ended.expect_status(1);
    assert!(text(place.path("a.svg")).ends_with("</svg>\n"));

    let mut master = Master::start(&["--diagram", "b.mmd"]);
    master.write(SCRIPT);
    master.expect_out(&["Started by Node 2"]);
    signal(master.pid(), SIGINT);
    assert_eq!(master.wait().code(), Some(128 + SIGINT as i32));
    let picture = text(master.place().path("b.mmd"));
    let recorded = "Note over p2: begins snapshot 1<br/>records ";
    assert!(picture.contains(recorded), "{picture}");
}

#[test]
fn what_cannot_be_a_picture_is_refused_before_anything_starts() {
    let place = Folder::new();
    place.file("s.txt", SCRIPT);
    place.file("s.dot", SCRIPT);
    let known = ".svg, .html, .shiviz, .trace.json, .mmd, .dot";
    let cases: [(&[&str], &str); 8] = [
        (
            &["s.txt", "--diagram", "a.dot", "--compact"],
            "--no-markers and --compact are for images",
        ),
        (&["s.txt", "--diagram", "a.png"], known),
        (&["s.txt", "--diagram", "a.svg", "--diagram", "-"], known),
        (
            &["s.txt", "--diagram", "a.svg", "--bin-dir", "none"],
            "there is no program",
        ),
        (
            &["s.txt", "--diagram", "a.svg", "--diagram", "none/b.svg"],
            "none/b.svg: the picture cannot be written",
        ),
        (
            &["s.txt", "--diagram", "none/a.svg"],
            "none/a.svg: the picture cannot be written: No such file",
        ),
        (
            &["s.dot", "--diagram", "s.dot"],
            "s.dot: the picture would overwrite the script s.dot;",
        ),
        (
            &["s.txt", "--history", "h.svg", "--diagram", "./h.svg"],
            "./h.svg: the picture would overwrite the history h.svg;",
        ),
    ];
    for (arguments, reason) in cases {
        let ended = place.run(arguments);
        assert!(ended.err.contains(reason), "{arguments:?}: {}", ended.err);
        assert_eq!((ended.status.code(), &ended.out[..]), (Some(2), ""));
    }
    assert_eq!(text(place.path("s.dot")), SCRIPT);
    assert!(!place.path("a.svg").exists());
}

#[test]
fn a_picture_that_cannot_be_written_or_drawn_is_told_and_the_others_are_written() {
    let place = Folder::new();
    let turns = "Send 1 2 1\nReceive 2 1\nSend 2 1 1\nReceive 1 2\n".repeat(150);
    place.file(
        "s.txt",
        SCRIPT.to_owned() + &turns + "KillAll\nStartMaster\n",
    );
    symlink("/dev/full", place.path("full.svg")).unwrap();
    let arguments = [
        "--diagram",
        "full.svg",
        "--diagram",
        "a.dot",
        "--diagram",
        "a.svg",
    ];
    let ended = place.run(&[&["--seed", "1", "s.txt"][..], &arguments].concat());
    ended.expect_status(1);
    let lines: Vec<&str> = ended.err.lines().collect();
    let [systems, full, many, seed] = lines[..] else {
        panic!("{lines:#?}");
    };
    assert!(
        systems.starts_with("full.svg: this is the first of 2 systems; with --history FILE"),
        "{systems}"
    );
    assert!(
        full.starts_with("full.svg: the picture cannot be written: No space left"),
        "{full}"
    );
    assert!(
        many.starts_with("a.dot: there is no picture: 6") && many.contains("are too many"),
        "{many}"
    );
    assert!(
        many.ends_with("`master diagram FILE` draws it, or a part of it"),
        "{many}"
    );
    assert_eq!(seed, SEED_LINE);
    assert!(!place.path("a.dot").exists());
    assert!(text(place.path("a.svg")).ends_with("</svg>\n"));

    place.file("empty.txt", "");
    let ended = place.run(&["empty.txt", "--diagram", "b.svg"]);
    ended.expect_status(1);
    assert!(
        ended
            .err
            .contains("b.svg: there is no picture: no system is started"),
        "{}",
        ended.err
    );
}

#[test]
fn a_run_s_image_is_set_as_master_diagram_sets_it() {
    let place = Folder::new();
    place.file("s.txt", SCRIPT);
    let setting = ["--compact", "--no-markers"];
    let run = [
        "--seed",
        "1",
        "--history",
        "h",
        "s.txt",
        "--diagram",
        "a.svg",
    ];
    place.run(&[&run[..], &setting].concat()).expect_status(0);
    let drawn = place.run(&[&["diagram", "h"][..], &setting].concat());
    assert_eq!(text(place.path("a.svg")), drawn.out);
    assert!(drawn.out.contains("without markers"), "{}", drawn.out);
}
