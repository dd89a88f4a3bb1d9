//! Two hosts in one process, joined by queues: processes of the other host, and pipes to it.
//!
//! Without the harness, whose threads would take the signals by which deaths are known.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::{env, fs, io};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal::SIGKILL;
use pipebank_hosts::{Away, End, Error, Host, Hosts, Introduction, Lane, Link, Setup, serve};
use pipes::{Death, Deaths, Moved, RawEnd};
use testing::{Folder, signal, until};

type Message = (Host, Lane, Vec<u8>);

/// A network of two hosts.
struct Queues {
    me: Host,
    /// To each host.
    to: Vec<Sender<Message>>,
    come: Receiver<Message>,
}

impl Link for Queues {
    fn me(&self) -> Host {
        self.me
    }

    fn hosts(&self) -> usize {
        self.to.len()
    }

    fn send(&mut self, to: Host, lane: Lane, message: Vec<u8>) -> Result<(), Error> {
        // Who has left misses nothing.
        let _ = self.to[to].send((self.me, lane, message));
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<Message>, Error> {
        Ok(self.come.try_recv().ok())
    }

    fn is_sending(&self) -> bool {
        false
    }

    fn end(self) {}

    fn abandon(self) {}
}

fn introduction(host: &str) -> Introduction {
    Introduction {
        host: host.to_owned(),
        build: 1,
        trouble: None,
    }
}

/// Both hosts. The only program there is is this one.
fn two_hosts() -> (Hosts, JoinHandle<Result<(), Error>>) {
    let (to_first, first) = channel();
    let (to_second, second) = channel();
    let to = vec![to_first, to_second];
    let [here, there] = [(0, first), (1, second)].map(|(me, come)| {
        let to = to.clone();
        Queues { me, to, come }
    });
    let programs = env::current_exe().unwrap().parent().unwrap().to_owned();
    let agent = thread::spawn(move || {
        let setup = Setup {
            introduction: introduction("there"),
            programs,
            held: None,
            run: Box::new(|what| match what {
                b"what nobody can" => Err("nobody can".to_owned()),
                what => Ok(what.iter().rev().copied().collect()),
            }),
        };
        serve(|| Ok(there), setup)
    });
    let hosts = Hosts::join(|| Ok(here), introduction("here"), || true);
    (hosts.unwrap(), agent)
}

/// A frame of three bytes: how long it is, these two bytes included, and they.
const FRAME: &[u8] = &[5, 0, b'a', b'b', b'c'];

/// Starts this program on the other host.
fn start(hosts: &mut Hosts, arguments: &[&str]) -> (RawEnd, RawEnd, Away) {
    let program = env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_str().unwrap();
    let arguments = arguments.iter().map(|it| (*it).to_owned()).collect();
    hosts.start(1, program, arguments, || true).unwrap()
}

/// What it does there: says what it hears.
fn echo() {
    // The pipes of processes of this project do not block.
    fcntl(io::stdin(), FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    fcntl(io::stdout(), FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    io::copy(&mut io::stdin().lock(), &mut io::stdout().lock()).unwrap();
}

/// The same, once there is somebody beside it who holds its output open, and whose pid is in this file.
#[allow(clippy::zombie_processes)] // It is to outlive this one.
fn echo_with_a_stray(told: &str) {
    let stray = Command::new("sleep").arg("60").spawn().unwrap();
    let draft = format!("{told}.new");
    fs::write(&draft, stray.id().to_string()).unwrap();
    fs::rename(draft, told).unwrap();
    echo();
}

/// Everything that comes, until so much is there or nothing more will come; whether it has ended.
fn read(end: &RawEnd, enough: usize) -> (Vec<u8>, bool) {
    let (mut all, mut has_ended) = (Vec::new(), false);
    let is_read = until(|| {
        let mut room = [0; 64];
        match end.read(&mut room).unwrap() {
            Moved::Bytes(count) => all.extend_from_slice(&room[..count]),
            Moved::Nothing => {}
            Moved::Ended => has_ended = true,
        }
        has_ended || all.len() >= enough
    });
    assert!(is_read, "{all:?} came, and no end");
    (all, has_ended)
}

fn a_process_hears_and_is_heard_and_its_death_is_told() {
    let (mut hosts, agent) = two_hosts();
    let (input, output, mut echo) = start(&mut hosts, &["echo"]);
    assert_eq!(input.write(FRAME).unwrap(), Moved::Bytes(FRAME.len()));
    assert_eq!(read(&output, FRAME.len()), (FRAME.to_vec(), false));
    echo.kill();
    assert_eq!(echo.wait().unwrap(), Death::Signal(9));
    assert_eq!(read(&output, 1), (Vec::new(), true));
    let missing = hosts.start(1, "no such program", Vec::new(), || true);
    assert!(matches!(missing, Err(Error::Trouble { .. })));
    drop(hosts);
    agent.join().unwrap().unwrap();
}

/// Somebody whom nobody knows holds open what a process wrote into: when that is dead, it ends all the same.
fn what_the_dead_have_written_ends_whoever_holds_it_open() {
    let folder = Folder::new();
    let (mut hosts, agent) = two_hosts();
    let told = folder.path("pid");
    let (input, output, mut echo) = start(&mut hosts, &["stray", told.to_str().unwrap()]);
    assert!(until(|| told.exists()), "the stray never began");
    assert_eq!(input.write(FRAME).unwrap(), Moved::Bytes(FRAME.len()));
    assert_eq!(read(&output, FRAME.len()), (FRAME.to_vec(), false));
    echo.kill();
    let after = read(&output, 1);
    let stray = fs::read_to_string(&told).unwrap().parse().unwrap();
    signal(stray, SIGKILL);
    assert_eq!(after, (Vec::new(), true));
    assert_eq!(echo.wait().unwrap(), Death::Signal(9));
    drop(hosts);
    agent.join().unwrap().unwrap();
}

fn an_end_that_nobody_wants_is_closed_where_it_is() {
    let (mut hosts, agent) = two_hosts();
    let (there, here) = hosts.pipe(1, 0).unwrap();
    assert!(matches!(there, End::There(_)));
    drop(there);
    assert_eq!(read(&here.here().unwrap(), 1), (Vec::new(), true));

    let (here, there) = hosts.pipe(0, 1).unwrap();
    let here = here.here().unwrap();
    assert_eq!(here.write(FRAME).unwrap(), Moved::Bytes(FRAME.len()));
    drop(there);
    let is_told = until(|| here.write(FRAME).unwrap() == Moved::Ended);
    assert!(is_told, "who writes is not told that nobody reads");
    drop(hosts);
    agent.join().unwrap().unwrap();
}

fn what_comes_of_an_errand_is_told() {
    let (hosts, agent) = two_hosts();
    let errand = hosts.errand();
    assert_eq!(errand.run(b"abc").unwrap(), [b"cba"]);
    assert_eq!(errand.run_on(1, b"de").unwrap(), b"ed");
    let [trouble, nobody] = [errand.run_on(1, b"what nobody can"), errand.run_on(2, b"")];
    let is_told = |error: &Error| error.to_string() == "on there (rank 1): nobody can";
    assert!(trouble.as_ref().is_err_and(is_told), "{trouble:?}");
    assert!(matches!(nobody, Err(Error::WrongHost)), "{nobody:?}");
    drop(hosts);
    agent.join().unwrap().unwrap();
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments[..] {
        [what] if what == "echo" => return echo(),
        [what, told] if what == "stray" => return echo_with_a_stray(told),
        _ => {}
    }
    let _held = Deaths::hold().unwrap();
    let tests: [(&str, fn()); 4] = [
        (
            "what_comes_of_an_errand_is_told",
            what_comes_of_an_errand_is_told,
        ),
        (
            "a_process_hears_and_is_heard_and_its_death_is_told",
            a_process_hears_and_is_heard_and_its_death_is_told,
        ),
        (
            "what_the_dead_have_written_ends_whoever_holds_it_open",
            what_the_dead_have_written_ends_whoever_holds_it_open,
        ),
        (
            "an_end_that_nobody_wants_is_closed_where_it_is",
            an_end_that_nobody_wants_is_closed_where_it_is,
        ),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
}
