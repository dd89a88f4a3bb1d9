//! A limit on the size of files (`ulimit -f`) is to every program what a full disk is: a write that
//! fails, which is reported where somebody has asked for what was to be written, and never the end of
//! a process.

use std::fs;

use testing::{EXAMPLE, Ended, Folder, Master, SEED_LINE, mesh};

const TOO_LARGE: &str = "File too large (os error 27)";

/// `master ARGUMENTS` with no more than this many blocks of 512 or 1,024 bytes (shells differ) a file,
/// after what else the shell is to do.
fn limited(place: &Folder, blocks: u32, before: &str, arguments: &[&str]) -> Ended {
    let before = format!("ulimit -f {blocks}; {before}");
    Master::spawn(place.under_shell(&before, arguments)).end()
}

#[test]
fn results_beyond_it_are_reported_and_end_the_run() {
    let place = Folder::new();
    let turns = "Send 1 2 1\nReceive 2 1\n".repeat(2_000);
    let name = place.file("s.txt", mesh(2, 5_000) + &turns);
    let ended = limited(&place, 1, "exec >out", &["--seed", "1", name]);
    let why = format!("master: cannot write results: {TOO_LARGE}\n{SEED_LINE}\n");
    ended.expect(1, "", &why);
    let written = fs::read_to_string(place.path("out")).unwrap();
    assert!(written.starts_with("1 Transfer 1\n") && written.len() >= 512);
}

#[test]
fn messages_beyond_it_are_lost_and_the_run_goes_on() {
    let place = Folder::new();
    let name = place.file("s.txt", EXAMPLE);
    let right = place.run(&["--seed", "1", name]);
    // The children say what they do on the same stream.
    for blocks in [0, 1] {
        let verbose = ["--verbose", "--seed", "1", name];
        let ended = limited(&place, blocks, "exec 2>messages", &verbose);
        ended.expect(0, &right.out, "");
    }
}

#[test]
fn a_picture_beyond_it_is_reported_and_none_is_left() {
    let place = Folder::new();
    let name = place.file("s.txt", EXAMPLE);
    place.file("old.svg", "what was there before");
    let arguments = [
        "--seed",
        "1",
        "--diagram",
        "new.svg",
        "--diagram",
        "old.svg",
    ];
    let ended = limited(&place, 1, ":", &[&arguments[..], &[name]].concat());
    let why = format!(
        "new.svg: the picture cannot be written: {TOO_LARGE}\n\
         old.svg: the picture cannot be written: {TOO_LARGE}\n{SEED_LINE}\n"
    );
    ended.expect(1, &place.run(&["--seed", "1", name]).out, &why);
    assert!(!place.path("new.svg").exists());
    assert_eq!(fs::read(place.path("old.svg")).unwrap(), b"");
}

#[test]
fn pids_beyond_it_are_reported_and_the_run_directory_is_removed() {
    let place = Folder::new();
    let name = place.file("s.txt", EXAMPLE);
    let arguments = ["--seed", "1", "--run-dir", "run", name];
    let ended = limited(&place, 0, ":", &arguments);
    let why = format!("master: run directory run: cannot write pids.json: {TOO_LARGE}\n");
    ended.expect(2, "", &why);
    assert!(!place.path("run").exists());
}

#[test]
fn every_subcommand_outlives_it() {
    let place = Folder::new();
    let name = place.file("s.txt", EXAMPLE);
    place.run(&["--history", "h", name]).expect_status(0);
    let cannot = format!("master: cannot write results: {TOO_LARGE}\n");
    for arguments in [
        "verify h",
        "verify --json h",
        "diagram h",
        "man",
        "completions bash",
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        limited(&place, 0, "exec >out", &arguments).expect(1, "", &cannot);
    }
    let why = format!("p.svg: the picture cannot be written: {TOO_LARGE}\n");
    limited(&place, 0, ":", &["diagram", "h", "-o", "p.svg"]).expect(1, "", &why);

    let load = ["load", "--nodes", "2", "--transfers", "10", "--seed", "1"];
    let ended = limited(&place, 0, "exec >out", &load);
    let why = format!("master: cannot write the summary: {TOO_LARGE}\n");
    assert!(ended.err.starts_with(&why), "{ended:#?}");
    ended.expect_status(1);
    let verbose = [&load[..], &["--verbose"]].concat();
    limited(&place, 0, "exec 2>messages", &verbose).expect_status(0);
}
