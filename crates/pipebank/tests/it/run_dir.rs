//! The run directory: made for us alone, kept current, and left as it was found.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal::SIGKILL;
use testing::{Folder, Master, Pids, Process, master, mesh, signal, until};

const OPTIONS: [&str; 4] = ["--seed", "1", "--run-dir", "run"];

fn start(place: Folder) -> Master {
    let mut command = Command::new(master());
    command.args(OPTIONS);
    Master::start_in(place, command)
}

fn make(dir: &Path, mode: u32) {
    fs::DirBuilder::new().create(dir).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn it_is_made_for_us_alone_whatever_the_umask_and_removed_at_the_end() {
    for umask in ["000", "022", "077", "777", "300"] {
        let place = Folder::new();
        let command = place.under_shell(&format!("umask {umask}"), &OPTIONS);
        let mut master = Master::start_in(place, command);
        master.write(mesh(1, 5));
        master.settle(1);
        let dir = master.place().path("run");
        assert_eq!(mode(&dir), 0o700, "umask {umask}");
        assert_eq!(names(&dir), ["pids.json"]);
        let file = mode(&dir.join("pids.json"));
        assert_eq!(file & 0o077, 0, "umask {umask}: {file:o}");
        master.close_input();
        assert_eq!(master.wait().code(), Some(0));
        assert!(!dir.exists());
    }
}

#[test]
fn one_that_is_there_is_used_and_kept() {
    let place = Folder::new();
    make(&place.path("run"), 0o700);
    let mut master = start(place);
    master.write(mesh(2, 5));
    master.settle(2);
    let dir = master.place().path("run");
    assert_eq!(names(&dir), ["pids.json"]);
    master.close_input();
    assert_eq!(master.wait().code(), Some(0));
    assert_eq!(names(&dir), [] as [&str; 0]);
    assert_eq!(mode(&dir), 0o700);
}

#[test]
fn its_file_is_kept_current() {
    let mut master = start(Folder::new());
    let pid = master.pid();
    let only = Pids {
        master: pid,
        ..Pids::default()
    };
    master.write("nonsense\n");
    while !master.err().contains("^^^") {}
    assert_eq!(master.pids(), only, "before StartMaster");

    master.write("StartMaster\nnodes\n");
    master.err();
    let pids = master.pids();
    assert!(pids.observer.is_some() && pids.nodes.is_empty(), "{pids:?}");

    master.write("CreateNode 10 5\nCreateNode 0 5\nCreateNode 9 5\n");
    let all = master.settle(3);
    assert_eq!(all.nodes.keys().copied().collect::<Vec<_>>(), [0, 9, 10]);
    assert_eq!((all.master, all.observer), (pid, pids.observer));
    let comm = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(comm(all.observer.unwrap()), "observer\n");
    for pid in all.nodes.values() {
        assert_eq!(comm(*pid), "node\n");
    }

    master.write("KillNode 9\n");
    let after = master.settle(3);
    let mut right = all.clone();
    right.nodes.remove(&9);
    assert_eq!(after, right);

    master.write("KillAll\nnonsense\n");
    while !master.err().contains("^^^") {}
    assert_eq!(master.pids(), only, "after KillAll");

    master.write("StartMaster\nCreateNode 9 5\n");
    let again = master.settle(1);
    assert_eq!(again.nodes.len(), 1);
    assert_ne!(again.nodes[&9], all.nodes[&9]);
    master.end().expect_status(1);
}

#[test]
fn its_file_parses_at_any_moment() {
    let nodes = 30;
    let mut master = start(Folder::new());
    master.write("nonsense\n");
    master.err();
    let path = master.place().path("run/pids.json");
    master.write(mesh(nodes, 1));
    let mut most = 0;
    let seen = testing::until(|| {
        let text = fs::read(&path).expect("there always is a file");
        let pids: Pids = serde_json::from_slice(&text)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)));
        assert!(pids.nodes.len() >= most, "nodes vanished");
        most = pids.nodes.len();
        most == nodes
    });
    assert!(seen, "only {most} nodes were ever in the file");
    master.end().expect_status(1);
}

#[test]
fn what_is_not_ours_alone_is_refused_and_left_as_it_is() {
    let refused = |place: &Folder, why: &str| {
        let ended = place.run(&OPTIONS);
        let right = format!("run directory run: {why}\n");
        ended.expect(2, "", &right);
    };

    for (given, shown) in [(0o755, "0755"), (0o770, "0770"), (0o701, "0701")] {
        let place = Folder::new();
        make(&place.path("run"), given);
        let why = format!("it is open to others (mode {shown}); `chmod 700` would close it");
        refused(&place, &why);
        assert_eq!(mode(&place.path("run")), given);
        assert_eq!(names(&place.path("run")), [] as [&str; 0]);
    }

    let place = Folder::new();
    make(&place.path("real"), 0o700);
    symlink("real", place.path("run")).unwrap();
    refused(&place, "it is a symbolic link");
    for dir in ["run/", "run/.", "./run//"] {
        let ended = place.run(&["--run-dir", dir]);
        ended.expect_status(2);
        let why = "run: it is a symbolic link\n";
        assert!(ended.err.ends_with(why), "{dir}: {ended:#?}");
    }
    assert_eq!(names(&place.path("real")), [] as [&str; 0]);

    let place = Folder::new();
    symlink("nowhere", place.path("run")).unwrap();
    refused(&place, "it is a symbolic link");
    assert_eq!(names(&place.path(".")), ["run"]);

    let place = Folder::new();
    place.file("run", "mine");
    refused(&place, "it is not a directory");
    assert_eq!(fs::read(place.path("run")).unwrap(), b"mine");

    let place = Folder::new();
    make(&place.path("run"), 0o700);
    place.file("run/thesis.tex", "precious");
    refused(
        &place,
        "it is in use for something else: it holds `thesis.tex`",
    );
    assert_eq!(names(&place.path("run")), ["thesis.tex"]);

    let place = Folder::new();
    make(&place.path("run"), 0o700);
    fs::create_dir(place.path("run/pids.json")).unwrap();
    let ended = place.run(&OPTIONS);
    ended.expect_status(2);
    assert_eq!(names(&place.path("run")), ["pids.json"]);

    let place = Folder::new();
    let ended = place.run(&["--run-dir", "not/there"]);
    let why = "cannot create it: No such file or directory (os error 2)";
    ended.expect(2, "", &format!("run directory not/there: {why}\n"));
}

#[test]
fn the_directory_of_another_user_is_refused() {
    let place = Folder::new();
    make(&place.path("run"), 0o700);
    // Only root can give things away; and root, to whom all is open, must not take it either.
    if chown(place.path("run"), Some(65_534), None).is_err() {
        eprintln!("skipped: only root can make a directory that belongs to somebody else");
        return;
    }
    let ended = place.run(&OPTIONS);
    ended.expect(2, "", "run directory run: it is another user's\n");
    assert_eq!(names(&place.path("run")), [] as [&str; 0]);
}

#[test]
fn links_in_the_place_of_its_files_are_replaced_and_not_followed() {
    let place = Folder::new();
    make(&place.path("run"), 0o700);
    place.file("precious", "mine");
    for name in ["run/pids.json", "run/pids.json.new"] {
        symlink("../precious", place.path(name)).unwrap();
    }
    let mut master = start(place);
    master.write(mesh(1, 5));
    master.settle(1);
    let file = master.place().path("run/pids.json");
    assert!(fs::symlink_metadata(file).unwrap().is_file());
    let precious = fs::read(master.place().path("precious")).unwrap();
    assert_eq!(precious, b"mine");
    master.end().expect_status(0);
}

#[test]
fn a_directory_that_we_may_not_even_list_is_refused() {
    let place = Folder::new();
    fs::DirBuilder::new()
        .mode(0o700)
        .create(place.path("run"))
        .unwrap();
    fs::set_permissions(place.path("run"), fs::Permissions::from_mode(0o000)).unwrap();
    let ended = place.run(&OPTIONS);
    assert!(ended.err.starts_with("run directory run: "), "{ended:#?}");
    ended.expect_status(2);
    assert_eq!(mode(&place.path("run")), 0o000);
}

#[test]
fn what_a_killed_master_left_is_taken_over() {
    let mut first = start(Folder::new());
    first.write(mesh(2, 5));
    first.settle(2);
    signal(first.pid(), SIGKILL);
    first.wait();
    let stale = first.pids();
    assert_eq!(stale.master, first.pid());

    let dir = first.place().path("run");
    let mut command = Command::new(master());
    command.args(["--run-dir", dir.to_str().unwrap()]);
    let mut second = Master::spawn(command);
    second.write("StartMaster\nCreateNode 1 1\nnodes\n");
    assert!(second.err().starts_with("node 1  pid "));
    let pids: Pids = serde_json::from_slice(&fs::read(dir.join("pids.json")).unwrap()).unwrap();
    assert_eq!(pids.master, second.pid());
    second.end().expect_status(0);
    // It was there before.
    assert_eq!(names(&dir), [] as [&str; 0]);
}

#[test]
fn stale_files_of_any_content_are_taken_over() {
    let own = std::process::id();
    for stale in [
        String::new(),
        "{".to_owned(),
        "[1, 2]".to_owned(),
        r#"{"master": 1, "observer": null, "nodes": {}}"#.to_owned(),
        // Lives, but is no master.
        format!(r#"{{"master": {own}, "observer": null, "nodes": {{}}}}"#),
        r#"{"master": 4294967295, "observer": 3, "nodes": {"x": 1}}"#.to_owned(),
    ] {
        let place = Folder::new();
        make(&place.path("run"), 0o700);
        place.file("run/pids.json", &stale);
        place.file("run/pids.json.new", "half a fi");
        let ended = place.run_with(&OPTIONS, "StartMaster\nCreateNode 1 1\n");
        ended.expect(0, "", "");
        assert_eq!(names(&place.path("run")), [] as [&str; 0], "{stale}");
    }
}

#[test]
fn a_directory_that_a_child_of_a_dead_master_holds_for_a_moment_is_waited_for() {
    let place = Folder::new();
    make(&place.path("run"), 0o700);
    // As a process does between its fork and its exec.
    let held = fs::File::open(place.path("run")).unwrap();
    held.lock().unwrap();
    let second = start(place);
    // It sleeps between two tries (`clock_nanosleep`, as x86-64 and aarch64 number it), and nowhere else.
    let waits = until(|| {
        let call = fs::read_to_string(format!("/proc/{}/syscall", second.pid()));
        let call = call.unwrap_or_default();
        ["230 ", "115 "].iter().any(|sleep| call.starts_with(sleep))
    });
    drop(held);
    assert!(waits);
    second.end().expect(0, "", "");
}

#[test]
fn a_second_master_is_refused_while_the_first_lives() {
    let mut first = start(Folder::new());
    first.write(mesh(1, 5));
    let pids = first.settle(1);
    let ended = first.place().run(&OPTIONS);
    let why = "run directory run: it is in use by another master\n";
    ended.expect(2, "", why);
    assert_eq!(first.pids(), pids, "the file of the first is untouched");
    first.end().expect_status(0);
}

#[test]
fn masters_that_start_at_once_do_not_share_it() {
    // Whether they meet is chance; that they may, is not.
    for _ in 0..20 {
        let place = Folder::new();
        let dir = place.path("run");
        let start = |_| {
            let mut command = Command::new(master());
            command.args(["--run-dir", dir.to_str().unwrap()]);
            let mut master = Master::spawn(command);
            master.write("nonsense\n");
            master
        };
        let mut masters: Vec<Master> = (0..6).map(start).collect();
        let told: Vec<String> = masters.iter_mut().map(Master::err).collect();
        let running = |line: &&String| line.starts_with("-:1:1: ");
        assert_eq!(told.iter().filter(running).count(), 1, "{told:#?}");
    }
}

#[test]
fn one_that_is_removed_meanwhile_breaks_nothing_but_the_file() {
    let mut master = start(Folder::new());
    master.write(mesh(2, 5));
    let pids = master.settle(2);
    let family: Vec<Process> = pids
        .nodes
        .values()
        .filter_map(|pid| Process::find(*pid))
        .collect();
    fs::remove_dir_all(master.place().path("run")).unwrap();
    master.write("Send 1 2 3\nReceive 2\n");
    master.expect_out(&["1 Transfer 3"]);
    master.write("CreateNode 3 1\n");
    let ended = master.end();
    let why =
        "master: run directory run: cannot write pids.json: No such file or directory (os error 2)";
    assert!(ended.err.lines().any(|line| line == why), "{ended:#?}");
    ended.expect_status(1);
    testing::gone(&family);
}

#[test]
fn one_that_another_master_has_made_in_its_place_is_left_alone() {
    let mut first = start(Folder::new());
    first.write(mesh(2, 5));
    first.settle(2);
    let dir = first.place().path("run");
    fs::remove_dir_all(&dir).unwrap();
    let mut command = Command::new(master());
    command.args(["--run-dir", dir.to_str().unwrap()]);
    let mut second = Master::spawn(command);
    second.write("StartMaster\nCreateNode 1 1\nnodes\n");
    assert!(second.err().starts_with("node 1  pid "));
    let pids = || -> Pids {
        let text = fs::read(dir.join("pids.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let before = pids();
    assert_eq!(before.master, second.pid());
    first.write("CreateNode 3 1\n");
    first.close_input();
    assert_eq!(first.wait().code(), Some(1));
    assert_eq!(pids(), before, "the first has written over it");
    second.write("CreateNode 2 1\nnodes\n");
    assert!(second.err().starts_with("node 1  pid "));
    assert_eq!(pids().nodes.len(), 2);
    second.end().expect_status(0);
    assert!(!dir.exists());
}

#[test]
fn one_that_a_master_has_made_and_never_used_goes_with_the_next() {
    // As mkdir leaves it, before it is locked.
    let place = Folder::new();
    make(&place.path("run"), 0o1700);
    let mut master = start(place);
    master.write(mesh(1, 5));
    master.settle(1);
    let dir = master.place().path("run");
    assert_eq!(mode(&dir), 0o700);
    master.end().expect_status(0);
}

#[test]
fn masters_that_come_and_go_leave_nothing_behind_and_are_refused_for_no_other_reason() {
    for round in 0..40 {
        let place = Folder::new();
        let name = place.file("s.txt", "StartMaster\n");
        let dir = place.path("run");
        let mut masters: Vec<Master> = (0..5)
            .map(|number| {
                let mut command = Command::new(master());
                command.args(["--run-dir", dir.to_str().unwrap()]);
                // The others end as soon as they have begun.
                if number % 2 == 0 {
                    command.arg(place.path(name));
                }
                Master::spawn(command)
            })
            .collect();
        masters.iter_mut().for_each(Master::close_input);
        let mut used = 0;
        for master in masters {
            let ended = master.ended();
            used += usize::from(ended.status.success());
            let refused = format!(
                "run directory {}: it is in use by another master\n",
                dir.display()
            );
            let is_right = ended.err.is_empty() || ended.err == refused;
            assert!(is_right, "round {round}: {ended:#?}");
        }
        assert!(used > 0, "round {round}: somebody uses it");
        assert!(!dir.exists(), "round {round}: it stayed behind");
    }
}
