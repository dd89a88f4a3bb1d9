//! Shortages, on a system made up of files.

use tempfile::TempDir;

use super::*;

/// Two processes of user 7 with four threads, one of user 8, and no limit that is too low.
fn roomy() -> (TempDir, Machine) {
    let dir = TempDir::new().unwrap();
    let system = Machine {
        root: dir.path().to_owned(),
        descriptors: 1000,
        processes: RLIM_INFINITY,
        user: 7,
        is_privileged: false,
    };
    for (path, text) in [
        ("proc/loadavg", "0.1 0.2 0.3 2/60 4711\n"),
        (
            "proc/meminfo",
            "MemTotal: 9 kB\nMemAvailable:   4000000 kB\n",
        ),
        (
            "proc/11/status",
            "Name:\ta\nUid:\t7\t7\t7\t7\nThreads:\t3\n",
        ),
        (
            "proc/12/status",
            "Name:\tb\nUid:\t7\t7\t7\t7\nThreads:\t1\n",
        ),
        (
            "proc/13/status",
            "Name:\tc\nUid:\t8\t7\t7\t7\nThreads:\t1\n",
        ),
        ("proc/self/status", "Uid:\t7\t7\t7\t7\nThreads:\t3\n"),
        ("proc/self/cgroup", "0::/user/mine\n"),
        ("proc/sys/kernel/threads-max", "5000\n"),
        ("proc/sys/kernel/pid_max", "5000\n"),
        ("proc/sys/fs/pipe-user-pages-hard", "0\n"),
        ("proc/sys/fs/pipe-user-pages-soft", "16384\n"),
        ("proc/sys/fs/file-nr", "100 0 9000\n"),
        ("proc/sys/fs/file-max", "9000\n"),
        ("sys/fs/cgroup/user/pids.max", "max\n"),
        ("sys/fs/cgroup/user/mine/pids.max", "max\n"),
    ] {
        write(&system, path, text);
    }
    (dir, system)
}

fn write(system: &Machine, path: &str, text: &str) {
    let path = system.root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Four processes, each joined with each.
const FOUR: Needs = Needs {
    descriptors: 36,
    processes: 5,
    pipes: 30,
    pipes_in_all: 30,
};

#[track_caller]
fn told(needs: &Needs, system: &Machine) -> String {
    needs.shortage_in(system).expect("a shortage").to_string()
}

#[test]
fn where_there_is_room_and_where_nothing_is_known_nothing_is_short() {
    let (_dir, system) = roomy();
    assert_eq!(FOUR.shortage_in(&system), None);
    let (dir, system) = roomy();
    drop(dir);
    assert_eq!(FOUR.shortage_in(&system), None);
}

#[test]
fn a_limit_that_is_just_reached_suffices() {
    let (_dir, mut system) = roomy();
    system.descriptors = 36;
    system.processes = 4 + 5;
    write(&system, "proc/sys/fs/pipe-user-pages-hard", "480");
    write(&system, "proc/sys/fs/file-max", "160");
    write(&system, "sys/fs/cgroup/user/pids.max", "20");
    write(&system, "sys/fs/cgroup/user/pids.current", "15");
    write(&system, "proc/sys/kernel/threads-max", "65");
    assert_eq!(FOUR.shortage_in(&system), None);
}

#[test]
fn each_limit_is_named_with_its_value_and_what_would_help() {
    let (_dir, mut system) = roomy();
    system.descriptors = 35;
    assert_eq!(
        told(&FOUR, &system),
        "36 open descriptors in one process, and the limit is 35; `ulimit -n 36` raises it, \
         where that is allowed"
    );
    let (_dir, mut system) = roomy();
    system.processes = 8;
    assert_eq!(
        told(&FOUR, &system),
        "5 more processes, and this user's limit on processes (`ulimit -u`) is 8, with 4 in use; \
         `ulimit -u 9` raises it, where that is allowed"
    );
    for (path, text, right) in [
        (
            "proc/sys/kernel/pid_max",
            "9",
            "5 more processes, and the system's limit `kernel.pid_max` is 9, with 5 in use; \
             `sysctl kernel.pid_max=10` (as root) raises it",
        ),
        (
            "proc/sys/fs/pipe-user-pages-hard",
            "479",
            "480 pages of pipe memory, and a user's limit `fs.pipe-user-pages-hard` is 479; \
             `sysctl fs.pipe-user-pages-hard=480` (as root) raises it",
        ),
        (
            "proc/sys/fs/file-max",
            "159",
            "60 more open files, and the system's limit `fs.file-max` is 159, with 100 in use; \
             `sysctl fs.file-max=160` (as root) raises it",
        ),
        (
            "sys/fs/cgroup/user/pids.max",
            "4",
            "5 more processes, and the control group's limit /sys/fs/cgroup/user/pids.max is 4; \
             whoever has set it can raise it (systemd: TasksMax)",
        ),
        (
            "proc/meminfo",
            "MemAvailable: 900 kB",
            "1 MB of memory, and what is available of it (`MemAvailable` in /proc/meminfo) is 0; \
             fewer processes, or fewer pipes between them, take less",
        ),
    ] {
        let (_dir, system) = roomy();
        write(&system, path, text);
        assert_eq!(told(&FOUR, &system), right);
    }
}

#[test]
fn root_and_the_privileged_have_fewer_limits() {
    let (_dir, mut system) = roomy();
    system.processes = 1;
    system.user = 0;
    assert_eq!(FOUR.shortage_in(&system), None);
    system.user = 7;
    assert!(FOUR.shortage_in(&system).is_some());
    for (capabilities, exempt) in [("0000000000000001", false), ("0000000001000000", true)] {
        let status = format!("Name:\tx\nCapEff:\t{capabilities}\n");
        write(&system, "proc/self/status", &status);
        system.is_privileged = system.has_privileges();
        write(&system, "proc/sys/fs/pipe-user-pages-hard", "1");
        write(&system, "proc/sys/fs/file-max", "1");
        assert_eq!(FOUR.shortage_in(&system).is_none(), exempt);
    }
}

#[test]
fn groups_of_the_first_kind_are_found_too() {
    let (_dir, system) = roomy();
    write(
        &system,
        "proc/self/cgroup",
        "8:pids:/a/b\n4:memory:/c\n0::/\n",
    );
    write(&system, "sys/fs/cgroup/pids/a/pids.max", "100");
    write(&system, "sys/fs/cgroup/pids/a/pids.current", "96");
    let told = told(&FOUR, &system);
    assert!(told.contains("/sys/fs/cgroup/pids/a/pids.max is 100, with 96 in use"));
}

#[test]
fn pipes_are_small_above_the_soft_limit() {
    assert_eq!(pages(0, 16384), 0);
    assert_eq!(pages(1024, 16384), 16384);
    assert_eq!(pages(1025, 16384), 16386);
    assert_eq!(pages(1025, 0), 16400);
    assert_eq!(pages(u64::MAX, 0), u64::MAX);
}

#[test]
fn a_mesh_far_beyond_everything_is_short_of_memory_and_does_not_overflow() {
    let (_dir, mut system) = roomy();
    system.is_privileged = true;
    let all = u64::MAX;
    for (processes, pipes) in [(0, 10_000 * 9_999), (4900, 0), (0, all)] {
        let needs = Needs {
            descriptors: 0,
            processes,
            pipes,
            pipes_in_all: pipes,
        };
        let shortage = needs.shortage_in(&system);
        let is_short = shortage.is_some_and(|shortage| shortage.unit == "MB of memory");
        assert_eq!(is_short, pipes > 0, "{needs:?}");
    }
}
