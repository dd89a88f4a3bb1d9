//! Limits of the system that are too low for the nodes: told before anything starts.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::unistd::Uid;
use testing::{Ended, Folder, Master, SEED_LINE, master, mesh};

/// Nothing was started, and this is why.
#[track_caller]
fn expect_refused(ended: &Ended, why: &str) {
    assert_eq!((ended.out.as_str(), ended.err.trim_end()), ("", why));
    ended.expect_status(2);
}

#[test]
fn a_script_that_needs_too_many_descriptors_does_not_begin() {
    let place = Folder::new();
    // Of the second system 20 nodes live at once, which is what counts.
    let script = mesh(14, 1) + "KillAll\n" + &mesh(20, 1) + "KillNode 3\nCreateNode 21 1\n";
    let name = place.file("many.txt", script);
    let limited = |limit: u64| {
        let before = format!("ulimit -n {limit}");
        Master::spawn(place.under_shell(&before, &["--seed", "1", name])).end()
    };
    let why = "many.txt: the 20 nodes of this script need 84 open descriptors in one process, and \
               the limit is 83; `ulimit -n 84` raises it, where that is allowed";
    expect_refused(&limited(83), why);
    let check = place.under_shell("ulimit -n 83", &["--check", name]);
    Master::spawn(check).end().expect_status(0);
}

#[test]
fn a_load_that_needs_too_many_descriptors_does_not_begin() {
    let limited = |limit: u64| {
        let load = ["load", "--nodes", "9", "--transfers", "9"];
        let before = format!("ulimit -n {limit}");
        Master::spawn(Folder::new().under_shell(&before, &load)).end()
    };
    let why = "master: 9 nodes need 51 open descriptors in one process, and the limit is 50; \
               `ulimit -n 51` raises it, where that is allowed";
    expect_refused(&limited(50), why);
    limited(51).expect_status(0);
}

#[test]
fn in_a_session_the_nodes_that_there_is_room_for_are_created() {
    let nodes = 20;
    let script = mesh(nodes, 10) + "Send 1 2 3\nReceive 2\nReceive 1 20\nKillNode 20\n";
    let place = Folder::new();
    let mut master = Master::spawn(place.under_shell("ulimit -n 64", &["--seed", "1"]));
    master.write(script);
    let ended = master.end();
    ended.expect_status(1);
    assert_eq!(ended.out, "1 Transfer 3\n");
    let mut right: Vec<String> = (14..=nodes)
        .map(|id| {
            format!(
                "-:{}: `CreateNode {id} 10`: cannot start another node: it takes 66 open \
                 descriptors in one process, and the limit is 64; `ulimit -n 66` raises it, where \
                 that is allowed",
                id + 1
            )
        })
        .collect();
    for (line, command) in [(24, "Receive 1 20"), (25, "KillNode 20")] {
        let missing = "node 20 does not exist: its CreateNode on line 21 failed";
        right.push(format!("-:{line}: `{command}`: {missing}"));
    }
    right.push(SEED_LINE.to_owned());
    assert_eq!(ended.err.lines().collect::<Vec<_>>(), right);
}

/// Runs `master ARGUMENTS` with a number of processes allowed to its user: root, whom that limit does
/// not bind, as a user that runs nothing else. `None` where such a user may not run master.
fn with_processes(place: &Folder, limit: u64, arguments: &[&str]) -> Option<Ended> {
    // Some shells call it -p.
    let before = format!("ulimit -u {limit} 2>/dev/null || ulimit -p {limit}");
    let mut command = place.under_shell(&before, arguments);
    if Uid::effective().is_root() {
        let user = 200_000 + std::process::id();
        fs::set_permissions(place.path("."), Permissions::from_mode(0o755)).unwrap();
        let can_run = Command::new(master()).arg("--version").uid(user).output();
        if !can_run.is_ok_and(|output| output.status.success()) {
            return None;
        }
        command.uid(user);
    }
    Some(Master::spawn(command).end())
}

#[test]
fn too_few_processes_for_this_user_are_told_before_one_starts() {
    let place = Folder::new();
    let name = place.file("many.txt", mesh(4, 1));
    let load = ["load", "--nodes", "4", "--transfers", "9"];
    for (arguments, who) in [
        (&load[..], "master: 4 nodes need"),
        (&[name][..], "many.txt: the 4 nodes of this script need"),
    ] {
        let Some(ended) = with_processes(&place, 4, arguments) else {
            println!("skipped: another user may not run {}", master());
            return;
        };
        let begin = format!(
            "{who} 5 more processes, and this user's limit on processes (`ulimit -u`) is 4, with "
        );
        assert!(ended.err.starts_with(&begin), "{ended:#?}");
        assert_eq!((ended.out.as_str(), ended.err.lines().count()), ("", 1));
        ended.expect_status(2);
        // Who runs other things beside this test may reach any limit.
        if Uid::effective().is_root() {
            let remedy = "with 1 in use; `ulimit -u 6` raises it, where that is allowed\n";
            assert!(ended.err.ends_with(remedy), "{ended:#?}");
            let just_enough = with_processes(&place, 6, arguments).unwrap();
            just_enough.expect_status(0);
        }
    }
}
