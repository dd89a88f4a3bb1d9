//! The driver: gives every run a process of its own, two runs at a time, and hears how it went.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::lasting::deadline;

/// A run has deadlines for everything that it waits for; this is the last one.
const LAST_DEADLINE: Duration = Duration::from_secs(300);

/// Ways to become process 1 of a PID namespace, the best first.
const NAMESPACES: [&[&str]; 2] = [
    &["--pid", "--fork", "--kill-child", "--mount-proc"],
    &[
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ],
];

/// A kind of runs.
pub struct Kind {
    /// How one is asked of this program, and many of the script.
    run: &'static str,
    many: &'static str,
}

pub const FAULTS: Kind = Kind {
    run: "--run",
    many: "scripts/torture",
};
pub const LASTING: Kind = Kind {
    run: "--run-data",
    many: "scripts/torture --data",
};
pub const LASTING_ON_SEVERAL_HOSTS: Kind = Kind {
    many: "scripts/hosts-check --torture",
    ..LASTING
};

/// Runs a number of seeds. A failure is one line that reproduces it, after what went wrong.
pub fn all(kind: &Kind, seeds: impl IntoIterator<Item = u64>, tell_each: bool) -> ExitCode {
    let namespace = NAMESPACES.into_iter().find(|options| works(options));
    match namespace {
        Some(_) => println!("torture: each run in a PID namespace of its own"),
        None => println!(
            "torture: no PID namespace is allowed here; each run in a process that inherits orphans"
        ),
    }
    let began = Instant::now();
    let seeds: Vec<u64> = seeds.into_iter().collect();
    let next = AtomicUsize::new(0);
    let (failures, kinds) = (Mutex::new(0), Mutex::new(BTreeMap::<String, u64>::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)).copied()
                    else {
                        return;
                    };
                    let began = Instant::now();
                    match one(namespace, kind, seed) {
                        Ok(told) => {
                            let what = told.split(':').next().unwrap_or_default().to_owned();
                            *kinds.lock().unwrap().entry(what).or_default() += 1;
                            if tell_each {
                                println!("{seed}: {told} ({} ms)", began.elapsed().as_millis());
                            }
                        }
                        Err(why) => {
                            *failures.lock().unwrap() += 1;
                            println!("{why}\nagain: {} {seed} 1", kind.many);
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let count = seeds.len();
    println!("torture: {count} runs in {seconds:.1} s, {failures} failed");
    for (what, runs) in kinds.into_inner().unwrap() {
        println!("    {runs:5} {what}");
    }
    ExitCode::from(u8::from(failures > 0))
}

fn works(namespace: &[&str]) -> bool {
    let output = command(Some(namespace), &["--probe"]).output();
    output.is_ok_and(|output| output.status.success() && output.stdout == b"1\n")
}

fn command(namespace: Option<&[&str]>, words: &[&str]) -> Command {
    let own = std::env::current_exe().expect("the path of this program");
    let mut command = match namespace {
        Some(options) => {
            let mut command = Command::new("unshare");
            command.args(options).arg(own);
            command
        }
        None => Command::new(own),
    };
    command.args(words);
    // What a run says when it fails is to be read.
    command.stdin(Stdio::null()).env("RUST_BACKTRACE", "0");
    command
}

/// One run: what it tells, or why it failed.
fn one(namespace: Option<&[&str]>, kind: &Kind, seed: u64) -> Result<String, String> {
    let mut command = command(namespace, &[kind.run, &seed.to_string()]);
    // Its directories go even where it is killed; everybody may pass through.
    let place = tempfile::tempdir().expect("a directory for the run");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o711)).expect("it is ours");
    command.env("TMPDIR", place.path());
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| format!("seed {seed}: the run cannot start: {error}"))?;
    let outputs = (read(child.stdout.take()), read(child.stderr.take()));
    let ended = wait(&mut child);
    let (out, err) = (outputs.0.join().unwrap(), outputs.1.join().unwrap());
    match ended {
        Some(true) => Ok(out.trim_end().to_owned()),
        Some(false) => Err(format!("seed {seed}: {out}{err}")),
        None => Err(format!(
            "seed {seed}: waited for the end of the whole run: it did not come in time\n{out}{err}"
        )),
    }
}

fn read(source: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    let mut source = source.expect("a pipe");
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = source.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// Whether it ended well; `None` where it had to be killed, with everybody in its namespace.
fn wait(child: &mut Child) -> Option<bool> {
    let pid = child.id();
    let (over, patience) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let guard = scope.spawn(move || {
            let late = patience.recv_timeout(deadline(LAST_DEADLINE))
                == Err(mpsc::RecvTimeoutError::Timeout);
            if late {
                testing::signal(pid, nix::sys::signal::Signal::SIGKILL);
            }
            late
        });
        let success = child.wait().expect("the run is ours").success();
        drop(over);
        (!guard.join().unwrap()).then_some(success)
    })
}
