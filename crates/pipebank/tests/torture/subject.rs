//! One run: starts it, gives it its work, has the faults injected, and sees how it ends.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, PipeReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use super::faults;
use super::plan::{Plan, Surroundings, Work};
use super::rogue;
use super::verdict;
use reference::interpret;
use testing::{Descriptor, Ended, Folder, Master, Pids, idle, master, own_descriptors, until};

/// How long anything may take in a run.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a run's history is, in its folder.
const HISTORY: &str = "history.jsonl";

/// The id and group of the user without rights.
const NOBODY: u32 = 65_534;

/// What comes before a script whose master is to survive, and what comes after it: the same small
/// bank, in which master must have the same descriptors open.
const BEFORE: &str = "StartMaster\nCreateNode 1 5\nnodes\n";
const AFTER: &str = "ReceiveAll\nnodes\nKillAll\nStartMaster\nnodes\nCreateNode 1 5\nnodes\n";
const NO_NODES: &str = "there are no nodes; CreateNode ID AMOUNT would start one";

/// Runs a seed; what it was and how it ended. Panics where something is wrong.
pub fn run(seed: u64) -> String {
    prctl::set_child_subreaper(true).expect("orphans are inherited");
    let plan = Plan::of(seed);
    let told = plan.to_string();
    // Stays where this panics, and says what was tried.
    let outcome = std::panic::catch_unwind(|| match &plan.work {
        Work::Script(text) => script(&plan, text),
        Work::Load { .. } => load(&plan),
    });
    match outcome {
        Ok(ended) => format!("{told} → {ended}"),
        Err(cause) => {
            println!("{told}");
            std::panic::resume_unwind(cause)
        }
    }
}

fn script(plan: &Plan, text: &str) -> String {
    let ids = verdict::deposits(text).keys().copied().collect::<Vec<_>>();
    let seed = plan.seed.to_string();
    let mut arguments = vec!["--seed", &seed, "--run-dir", "run"];
    let window = plan.window.to_string();
    arguments.extend(["--window", &window]);
    if plan.any_cpu {
        arguments.extend(["--cpus", "any"]);
    }
    if !plan.is_harmless() {
        arguments.push("--json");
    }
    if plan.surroundings == Surroundings::Plain {
        arguments.extend(["--history", HISTORY]);
    }
    let (mut master, reader) = match start(plan, &arguments, &ids) {
        Ok(started) => started,
        Err(skipped) => return skipped,
    };
    if plan.surroundings != Surroundings::Plain {
        master.write(text);
        master.close_input();
        if let Surroundings::StdoutLeft(lines) = plan.surroundings {
            leave_after(lines, reader);
        }
        let ended = master.ended();
        nobody_is_left(!plan.has_lies());
        return verdict::in_surroundings(plan, text, &ended);
    }

    master.write(BEFORE);
    master.err();
    let before = open_in(&master);
    let history = File::open(master.place().path(HISTORY)).expect("master writes a history");
    let first = master.pids();
    master.write(format!("KillAll\n{text}"));
    faults::inject(&master, &first, plan);
    if plan.kills_master() || plan.has_lies() {
        // It is not known whether master lives.
        let killed = plan.kills_master();
        let ended = master.end();
        nobody_is_left(!killed);
        if !plan.has_lies() {
            verdict::of_history(history);
        }
        return verdict::of_the_living(plan, text, &ended, killed);
    }
    master.write(AFTER);
    let told = master.err_until(NO_NODES);
    while !master.err().starts_with("node 1  pid ") {}
    let after = open_in(&master);
    assert_eq!(before, after, "master leaked descriptors, or lost some");
    let ended = master.end();
    nobody_is_left(true);
    verdict::of_history(history);
    verdict::account(text, &told);
    match plan.is_harmless() {
        true => {
            let whole = format!("{BEFORE}KillAll\n{text}{AFTER}");
            verdict::as_expected(&interpret(&whole, plan.seed), &ended)
        }
        false => verdict::of_the_living(plan, text, &ended, false),
    }
}

/// What master has open, in the same words at any time.
fn open_in(master: &Master) -> Vec<String> {
    // What it writes to is open once more while it writes.
    idle(master.pid());
    let kind = |fd: &Descriptor| format!("{} {:?}", fd.kind(), fd.way);
    let mut open: Vec<String> = own_descriptors(master.pid()).iter().map(kind).collect();
    open.sort();
    open
}

fn load(plan: &Plan) -> String {
    let Work::Load {
        nodes,
        topology,
        milliseconds,
        snapshot_every,
        concurrent,
    } = plan.work
    else {
        unreachable!("asked by the work");
    };
    let options = format!(
        "load --json --run-dir run --nodes {nodes} --topology {topology} --duration {} \
         --snapshot-every {snapshot_every} --concurrent {concurrent} --seed {}",
        milliseconds as f64 / 1000.0,
        plan.seed
    );
    let arguments: Vec<&str> = options.split(' ').filter(|word| !word.is_empty()).collect();
    let (master, _) = match start(plan, &arguments, &[]) {
        Ok(started) => started,
        Err(skipped) => return skipped,
    };
    if !plan.faults.is_empty() {
        let all = || faults::who_lives(&master).map(|pids| pids.nodes.len() as u64);
        let (mut began, mut over) = (false, false);
        until(|| {
            let living = all();
            over = began && living.is_none();
            began |= living.is_some();
            over || living == Some(nodes)
        });
        faults::inject(&master, &Pids::default(), plan);
    }
    let ended = master.end();
    nobody_is_left(!plan.kills_master());
    verdict::of_a_load(plan, nodes * 1000, &ended)
}

/// Starts master in its surroundings; the reader of its output where that is not to be read here.
/// `Err` says what is not possible on this machine.
fn start(
    plan: &Plan,
    arguments: &[&str],
    ids: &[u64],
) -> Result<(Master, Option<PipeReader>), String> {
    let place = Folder::new();
    let mut arguments = arguments.to_vec();
    let mut reader = None;
    let mut out = Stdio::piped();
    let mut before = "true".to_owned();
    match plan.surroundings {
        Surroundings::Plain | Surroundings::Processes(_) => {}
        Surroundings::Descriptors(limit) => before = format!("ulimit -n {limit}"),
        Surroundings::StdoutClosed => before = "exec 1>&-".to_owned(),
        Surroundings::StderrFull => before = "exec 2>/dev/full".to_owned(),
        Surroundings::StdoutFull => {
            let full = OpenOptions::new().write(true).open("/dev/full");
            out = full.expect("there is /dev/full").into();
        }
        Surroundings::StdoutLeft(_) => {
            let (read, write) = std::io::pipe().unwrap();
            (reader, out) = (Some(read), write.into());
        }
        Surroundings::HistoryFull => {
            arguments.extend(["--history", "/dev/full"]);
        }
        Surroundings::Rogue(_) => {
            let own = std::env::current_exe().unwrap();
            fs::create_dir(place.path("bin")).unwrap();
            for name in ["node", "observer"] {
                symlink(&own, place.path("bin").join(name)).unwrap();
            }
            arguments.extend(["--bin-dir", "bin"]);
        }
    }
    if plan.has_lies() {
        // Whoever says half of something, and is silent, is waited for.
        arguments.extend(["--timeout", "1"]);
    }
    let mut command = match plan.surroundings {
        Surroundings::Processes(limit) => few_processes(&place, limit, &arguments)?,
        _ => place.under_shell(&before, &arguments),
    };
    if let Surroundings::Rogue(rogue) = plan.surroundings {
        command.env(rogue::VARIABLE, rogue::order(&rogue, ids));
    }
    command
        .stdin(Stdio::piped())
        .stdout(out)
        .stderr(Stdio::piped());
    let mut master = Master::start_as_is_in(place, command);
    master.lose_patience_after(PATIENCE);
    Ok((master, reader))
}

/// The limit on processes does not hold for root, so master runs as nobody, who has none else.
fn few_processes(place: &Folder, limit: usize, arguments: &[&str]) -> Result<Command, String> {
    let as_nobody = |command: &mut Command| {
        command.uid(NOBODY).gid(NOBODY);
    };
    let mut probe = Command::new(master());
    probe.arg("--version").stdout(Stdio::null());
    as_nobody(&mut probe);
    if !probe.status().is_ok_and(|status| status.success()) {
        return Err("skipped: master cannot be run as nobody here".to_owned());
    }
    let mut command = place.under_shell(&format!("ulimit -u {limit}"), arguments);
    as_nobody(&mut command);
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(place.path("."), open).unwrap();
    Ok(command)
}

/// Reads a number of lines of the results, and leaves.
fn leave_after(lines: usize, reader: Option<PipeReader>) {
    let reader = BufReader::with_capacity(16, reader.expect("a reader"));
    for line in reader.lines().take(lines) {
        let _ = line;
    }
}

/// Master has ended. Whoever it had started must have ended before, or `at_once` being false, ends
/// now: whoever it left behind is a child of this process.
pub fn nobody_is_left(at_once: bool) {
    let mut outlived = Vec::new();
    let alone = until(|| {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Err(Errno::ECHILD) => return true,
                Ok(WaitStatus::StillAlive) if at_once => panic!("left behind: {:?}", children()),
                Ok(WaitStatus::StillAlive) => return false,
                Ok(ended) => outlived.push(ended),
                Err(error) => panic!("cannot wait for orphans: {error}"),
            }
        }
    });
    assert!(
        alone,
        "waited for the end of orphans: {:?} live",
        children()
    );
    assert!(
        !at_once || outlived.is_empty(),
        "they outlived master: {outlived:?}"
    );
}

/// The children of this process, with their names.
fn children() -> Vec<String> {
    let own = format!("PPid:\t{}", std::process::id());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        if status.lines().any(|line| line == own) {
            let facts = status.lines().filter(|line| {
                ["Name:", "State:", "Pid:"]
                    .iter()
                    .any(|name| line.starts_with(name))
            });
            found.push(facts.collect::<Vec<_>>().join(" "));
        }
    }
    found
}

/// How it ended, in a word.
pub fn ending(ended: &Ended) -> String {
    match ended.status.code() {
        Some(code) => format!("status {code}"),
        None => "killed".to_owned(),
    }
}
