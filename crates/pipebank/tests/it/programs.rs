//! The programs `node` and `observer`: where they are looked for, what happens when they are not
//! what they should be, and what they say when they are run by hand.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use testing::{EXAMPLE, Folder, Master, master, mesh};

/// Runs a program without input.
fn run(program: &str, arguments: &[&str]) -> testing::Ended {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Master::spawn_as_is(command).ended()
}

/// Puts a program where it can be executed. Another process writes it: what this one has open for
/// writing may for a moment be open in a process that another test starts, and cannot be executed.
fn install(program: &Path, to: &Path) {
    let mut install = Command::new("install");
    install.args(["-m", "755"]).arg(program).arg(to);
    assert!(install.status().unwrap().success(), "{install:?}");
}

#[test]
fn programs_that_are_missing_are_told_with_what_to_build() {
    let place = Folder::new();
    let name = place.file("s.txt", EXAMPLE);
    let bin = place.path("bin");
    fs::create_dir(&bin).unwrap();
    let arguments = ["--bin-dir", "bin", "--run-dir", "run", name];
    for missing in ["node", "observer"] {
        let ended = place.run(&arguments);
        let right = format!(
            "master: there is no program `{missing}` in bin; `cargo build --release` builds all \
             three programs side by side, `--bin-dir DIR` says where they are\n"
        );
        ended.expect(2, "", &right);
        assert!(!place.path("run").exists(), "nothing was started");
        let built = Path::new(master()).with_file_name(missing);
        symlink(built, bin.join(missing)).unwrap();
    }
    let ended = place.run(&arguments);
    ended.expect(0, &ended.out, "");
}

#[test]
fn a_program_that_is_no_node_fails_the_creation_and_not_more() {
    let place = Folder::new();
    let bin = place.path("bin");
    fs::create_dir(&bin).unwrap();
    let observer = Path::new(master()).with_file_name("observer");
    symlink(observer, bin.join("observer")).unwrap();
    place.file("bin/node", "this cannot be executed");
    let name = place.file("s.txt", mesh(2, 5) + "Send 1 2 3\nKillAll\n");
    let ended = place.run(&["--bin-dir", "bin", "--seed", "1", name]);
    let told: Vec<&str> = ended.err.lines().collect();
    assert_eq!(told.len(), 4, "{ended:#?}");
    assert!(
        told[0].starts_with("s.txt:2: `CreateNode 1 5`: cannot start \"bin/node\": "),
        "{told:#?}"
    );
    assert!(
        told[1].starts_with("s.txt:3: `CreateNode 2 5`: cannot start \"bin/node\": "),
        "{told:#?}"
    );
    assert_eq!(
        told[2],
        "s.txt:4: `Send 1 2 3`: node 1 does not exist: its CreateNode on line 2 failed"
    );
    ended.expect_status(1);
}

#[test]
fn nodes_that_end_at_once_or_babble_are_told_as_dead() {
    let place = Folder::new();
    let bin = place.path("bin");
    fs::create_dir(&bin).unwrap();
    let observer = Path::new(master()).with_file_name("observer");
    symlink(observer, bin.join("observer")).unwrap();
    for (program, death) in [
        ("#!/bin/sh\nexit 0\n", "node 1 died (exited with status 0)"),
        ("#!/bin/sh\nexit 7\n", "node 1 died (exited with status 7)"),
        (
            // A frame shorter than its own header; then it lives until it is killed.
            "#!/bin/sh\nprintf '\\001\\000'\nexec sleep 60\n",
            "node 1 died (killed by master, which cannot read it: ",
        ),
    ] {
        place.file("program", program);
        install(&place.path("program"), &bin.join("node"));
        let name = place.file(
            "s.txt",
            "StartMaster\nCreateNode 1 5\nBeginSnapshot 1\nKillAll\n",
        );
        let ended = place.run(&["--bin-dir", "bin", "--seed", "1", "--timeout", "30", name]);
        assert!(ended.err.contains(death), "{program}: {ended:#?}");
        assert_eq!(ended.out, "");
        assert!(matches!(ended.status.code(), Some(1 | 3)), "{ended:#?}");
    }
}

#[test]
fn node_and_observer_run_by_hand_explain_themselves() {
    for program in ["node", "observer"] {
        let path = Path::new(master()).with_file_name(program);
        let path = path.to_str().unwrap();
        for arguments in [
            &[] as &[&str],
            &["--help"],
            &["1", "100"],
            &["1", "100", "--verbose"],
        ] {
            let ended = run(path, arguments);
            assert!(
                ended.err.starts_with(&format!("{program}: this program "))
                    && ended.err.contains("started by master")
                    && ended.err.contains("`master --help`"),
                "{ended:#?}"
            );
            assert_eq!(ended.out, "");
            ended.expect_status(2);
        }
    }
}

#[test]
fn node_by_hand_is_not_fooled_by_variables() {
    for (hatch, parent) in [
        ("3", "1"),
        ("0", "1"),
        ("-1", "1"),
        ("x", "1"),
        ("99999", "1"),
        ("2", ""),
    ] {
        let mut command = Command::new(Path::new(master()).with_file_name("node"));
        command
            .args(["1", "100"])
            .env("PIPES_HATCH", hatch)
            .env("PIPES_PARENT", parent);
        let ended = Master::spawn(command).end();
        assert!(ended.err.starts_with("node: this program "), "{ended:#?}");
        ended.expect_status(2);
    }
}
