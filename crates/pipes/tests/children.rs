//! Real children, and the directory that they are handed. The program starts itself again as each of
//! them, so it has a `main` of its own: the standard output of a child is a pipe of frames.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, pause};
use pipes::{Child, Death, Directory, Error, Fill, Parent, Receiver, Sender, WaitSet};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The exit status of a child that was not started as one.
const NOT_A_CHILD: i32 = 3;

/// What a child has been handed, and what it has open beside the standard three.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    directory: Option<PathBuf>,
    is_close_on_exec: bool,
    open: Vec<PathBuf>,
}

/// What the parent asks for; its end is the child's.
#[derive(Debug, Serialize, Deserialize)]
enum Ask {
    Report,
    /// That of a child of the child's, which is handed nothing.
    ReportOfYourChild,
}

type Started = Child<Ask, Report>;

const TESTS: [(&str, fn()); 5] = [
    (
        "a child holds the directory that it is handed and passes it on to nobody",
        a_child_holds_the_directory_that_it_is_handed_and_passes_it_on_to_nobody,
    ),
    (
        "a child that is handed no directory has none open",
        a_child_that_is_handed_no_directory_has_none_open,
    ),
    (
        "children that are started at once get what is theirs and nothing else",
        children_that_are_started_at_once_get_what_is_theirs_and_nothing_else,
    ),
    (
        "a directory stays locked while a child lives although its parent was killed",
        a_directory_stays_locked_while_a_child_lives_although_its_parent_was_killed,
    ),
    (
        "what is no directory makes no child",
        what_is_no_directory_makes_no_child,
    ),
];

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["be", "child"] => be_child(),
        ["be", "survivor"] => be_survivor(),
        ["be", "parent", directory] => be_parent(Path::new(directory)),
        ref filters => {
            let filter = filters.iter().find(|word| !word.starts_with('-'));
            pipes::close_inherited_on_exec().unwrap();
            // Children whose parent has been killed are this process's to wait for.
            prctl::set_child_subreaper(true).unwrap();
            for (name, test) in TESTS {
                if filter.is_none_or(|filter| name.contains(filter)) {
                    println!("test {name} …");
                    test();
                }
            }
        }
    }
}

fn start(role: &str, held: Option<&Directory>) -> Started {
    let program = env::current_exe().unwrap();
    pipes::spawn(&program, ["be", role], held).unwrap()
}

fn send<T: Serialize>(to: &mut Sender<T>, what: &T) {
    to.push(what).unwrap();
    to.flush().unwrap();
}

/// The next frame; `None` at the end.
fn next<T: DeserializeOwned>(from: &mut Receiver<T>) -> Option<T> {
    loop {
        if let Some(frame) = from.next_frame().unwrap() {
            return Some(frame);
        }
        match from.fill().unwrap() {
            Fill::More => {}
            Fill::Ended => return None,
            Fill::Empty => {
                let mut set = WaitSet::new();
                set.read(from);
                set.wait().unwrap();
            }
        }
    }
}

fn ask(child: &mut Started, what: Ask) -> Report {
    send(&mut child.sender, &what);
    next(&mut child.receiver).expect("the child has ended")
}

fn end(mut child: Started) -> Death {
    child.sender.close();
    while next(&mut child.receiver).is_some() {}
    child.process.wait().unwrap()
}

/// The directories that a process has open.
fn directories(open: &[PathBuf]) -> Vec<&PathBuf> {
    open.iter().filter(|path| path.is_dir()).collect()
}

fn sockets(open: &[PathBuf]) -> usize {
    let is_socket = |path: &&PathBuf| path.to_string_lossy().starts_with("socket:");
    open.iter().filter(is_socket).count()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    (folder, path)
}

fn a_child_holds_the_directory_that_it_is_handed_and_passes_it_on_to_nobody() {
    let (_folder, path) = folder();
    let directory = Directory::open(&path).unwrap();
    directory.try_lock().unwrap();
    let mut child = start("child", Some(&directory));
    let report = ask(&mut child, Ask::Report);
    assert_eq!(report.directory.as_ref(), Some(&path));
    assert!(report.is_close_on_exec);
    assert_eq!(directories(&report.open), [&path]);
    let its_child = ask(&mut child, Ask::ReportOfYourChild);
    assert_eq!(its_child.directory, None);
    assert!(directories(&its_child.open).is_empty(), "{its_child:?}");
    assert_eq!(end(child), Death::Exit(0));
    let on_exec = fcntl(directory.as_fd(), FcntlArg::F_GETFD).unwrap();
    assert!(FdFlag::from_bits_retain(on_exec).contains(FdFlag::FD_CLOEXEC));
    drop(directory);
    let nobody_holds_it = Directory::open(&path).unwrap();
    nobody_holds_it.try_lock().unwrap();
}

fn a_child_that_is_handed_no_directory_has_none_open() {
    let (_folder, path) = folder();
    let directory = Directory::open(&path).unwrap();
    let other = start("child", Some(&directory));
    let mut child = start("child", None);
    let report = ask(&mut child, Ask::Report);
    assert_eq!(report.directory, None);
    assert!(directories(&report.open).is_empty(), "{report:?}");
    assert_eq!((end(other), end(child)), (Death::Exit(0), Death::Exit(0)));
}

fn children_that_are_started_at_once_get_what_is_theirs_and_nothing_else() {
    const THREADS: usize = 4;
    const CHILDREN: usize = 16;
    let start_some = || {
        let (_folder, path) = folder();
        let directory = Directory::open(&path).unwrap();
        for number in 0..CHILDREN {
            let is_handed_it = number % 2 == 0;
            let mut child = start("child", is_handed_it.then_some(&directory));
            let report = ask(&mut child, Ask::Report);
            let expected: &[&PathBuf] = if is_handed_it { &[&path] } else { &[] };
            assert_eq!(directories(&report.open), expected);
            assert_eq!(sockets(&report.open), 1, "its hatch: {report:?}");
            assert_eq!(end(child), Death::Exit(0));
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(start_some);
        }
    });
}

fn a_directory_stays_locked_while_a_child_lives_although_its_parent_was_killed() {
    let (_folder, path) = folder();
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["be", "parent"])
        .arg(&path)
        .stdout(Stdio::piped());
    let mut parent = command.spawn().unwrap();
    let mut pids = BufReader::new(parent.stdout.take().unwrap()).lines();
    let mut pid = || pids.next().unwrap().unwrap().parse::<u32>().unwrap();
    let (one, other) = (pid(), pid());
    parent.kill().unwrap();
    parent.wait().unwrap();

    let directory = Directory::open(&path).unwrap();
    let end = |pid: u32| {
        let pid = Pid::from_raw(pid.try_into().unwrap());
        kill(pid, Signal::SIGKILL).unwrap();
        waitpid(pid, None).unwrap();
    };
    let mut both = [one, other];
    both.sort_unstable();
    directory.try_lock().unwrap_err();
    assert_eq!(directory.holders(), both);
    end(one);
    directory.try_lock().unwrap_err();
    assert_eq!(directory.holders(), [other]);
    end(other);
    directory.try_lock().unwrap();
}

fn what_is_no_directory_makes_no_child() {
    let program = env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    let standard = ["0", "1", "2"];
    let hatch = "$PIPES_HATCH";
    for number in [hatch, "99", "-1", "x", ""].into_iter().chain(standard) {
        let script = format!("PIPES_DIRECTORY={number} exec '{program}' be child");
        let shell = Path::new("/bin/sh");
        let child: Started = pipes::spawn(shell, ["-c", &script], None).unwrap();
        assert_eq!(end(child), Death::Exit(NOT_A_CHILD), "{number:?}");
    }
    // A standard stream that is a directory is not one that was handed over.
    let script = format!("PIPES_DIRECTORY=2 exec '{program}' be child 2</");
    let child: Started = pipes::spawn(Path::new("/bin/sh"), ["-c", &script], None).unwrap();
    assert_eq!(end(child), Death::Exit(NOT_A_CHILD));
}

/// Answers until nobody asks any more.
fn be_child() {
    let mut parent = match pipes::parent::<Report, Ask>() {
        Ok(parent) => parent,
        Err(Error::NotAChild) => std::process::exit(NOT_A_CHILD),
        Err(error) => panic!("{error}"),
    };
    while let Some(asked) = next(&mut parent.receiver) {
        let report = match asked {
            Ask::Report => report(&parent),
            Ask::ReportOfYourChild => {
                let mut child = start("child", None);
                let report = ask(&mut child, Ask::Report);
                assert_eq!(end(child), Death::Exit(0));
                report
            }
        };
        send(&mut parent.sender, &report);
    }
}

fn report(parent: &Parent<Report, Ask>) -> Report {
    let is_close_on_exec = |held: &Directory| {
        let flags = fcntl(held.as_fd(), FcntlArg::F_GETFD).unwrap();
        FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC)
    };
    let listing = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let other =
        listing.filter(|entry| !["0", "1", "2"].map(Into::into).contains(&entry.file_name()));
    let open = other.filter_map(|entry| fs::read_link(entry.path()).ok());
    // The listing itself is open too.
    let own = Path::new("/proc").join(std::process::id().to_string());
    let held = parent.directory.as_ref();
    Report {
        directory: held.map(|held| held.path().unwrap()),
        is_close_on_exec: held.is_some_and(is_close_on_exec),
        open: open.filter(|path| !path.starts_with(&own)).collect(),
    }
}

/// A child that its parent's death does not end.
fn be_survivor() {
    let mut parent = pipes::parent::<Report, Ask>().unwrap();
    prctl::set_pdeathsig(None).unwrap();
    next(&mut parent.receiver);
    let report = report(&parent);
    send(&mut parent.sender, &report);
    loop {
        pause();
    }
}

/// Locks a directory, hands it to two children, says who these are, and waits to be killed.
fn be_parent(path: &Path) {
    let directory = Directory::open(path).unwrap();
    directory.try_lock().unwrap();
    let _children = [(); 2].map(|()| {
        let mut child = start("survivor", Some(&directory));
        ask(&mut child, Ask::Report);
        println!("{}", child.process.pid());
        child
    });
    loop {
        pause();
    }
}
