//! Several hosts. `scripts/hosts-check` runs what needs MPI, with `PIPEBANK_MASTER` a program that is
//! master on three hosts; it also runs tests of other files that way.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{SIGINT, SIGKILL, SIGSTOP};
use testing::{Folder, Master, PATIENCE, Process, gone, signal};

/// A variable that only processes of one job share, with its value.
fn job_of(pid: u32) -> Option<Vec<u8>> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let job = variables.find(|variable| variable.starts_with(b"PMIX_NAMESPACE="))?;
    Some(job.to_vec())
}

/// The processes of the job to which this one belongs, nodes and observer included.
fn all_of_the_job_of(pid: u32) -> Vec<Process> {
    let job = job_of(pid).expect("it was launched by mpirun");
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| job_of(*pid).as_ref() == Some(&job))
        .filter_map(Process::find)
        .collect()
}

fn name_of(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm"));
    name.unwrap_or_default().trim().to_owned()
}

fn parent_of(pid: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let behind_the_name = status.rsplit(") ").next().unwrap();
    behind_the_name.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Six nodes on three hosts; all processes of the job, and master's.
fn six_nodes() -> (Master, Vec<Process>, u32) {
    let mut running = Master::start(&[]);
    running.write("StartMaster\n");
    for id in 1..=6 {
        running.write(format!("CreateNode {id} 100\n"));
    }
    running.write("Send 2 1 5\nSend 3 5 7\n");
    let first = running.settle(6).master;
    let all = all_of_the_job_of(first);
    // Three times master, six nodes, the observer.
    assert_eq!(all.len(), 3 + 6 + 1, "{all:?}");
    (running, all, first)
}

/// Some process of the job that is neither master nor started by one.
fn agent_among(all: &[Process], first: u32) -> u32 {
    let is_agent = |process: &&Process| name_of(process.pid) == "master" && process.pid != first;
    all.iter().find(is_agent).expect("there is an agent").pid
}

#[test]
fn a_build_without_mpi_says_so_where_several_of_it_are_started() {
    let place = Folder::new();
    place.file("s.txt", "StartMaster\nCreateNode 1 5\n");
    let start = |rank: &str| {
        let mut command = Command::new(testing::programs().join("master"));
        command
            .arg("s.txt")
            .env("OMPI_COMM_WORLD_SIZE", "2")
            .env("OMPI_COMM_WORLD_RANK", rank)
            .current_dir(place.path("."))
            .stdin(Stdio::null());
        command.output().unwrap()
    };
    let (first, second) = (start("0"), start("1"));
    let said = String::from_utf8_lossy(&first.stderr);
    assert!(
        said.contains("it was built without MPI") && said.contains("--features mpi"),
        "{said}"
    );
    assert_eq!(
        (first.status.code(), second.status.code()),
        (Some(2), Some(2))
    );
    // Once is enough.
    assert!(first.stdout.is_empty() && second.stdout.is_empty() && second.stderr.is_empty());
}

#[test]
#[ignore = "scripts/hosts-check runs it"]
fn an_agent_that_is_killed_ends_the_job_on_all_hosts() {
    let (running, all, first) = six_nodes();
    let agent = agent_among(&all, first);
    signal(agent, SIGKILL);
    let ended = running.end();
    assert_eq!(ended.status.code(), Some(137), "{ended:#?}");
    gone(&all);
}

#[test]
#[ignore = "scripts/hosts-check runs it"]
fn master_that_is_killed_ends_the_job_on_all_hosts() {
    let (running, all, first) = six_nodes();
    signal(first, SIGKILL);
    let ended = running.end();
    assert_eq!(ended.status.code(), Some(137), "{ended:#?}");
    gone(&all);
}

#[test]
#[ignore = "scripts/hosts-check runs it"]
fn mpirun_that_is_killed_leaves_nothing_behind() {
    let (running, all, first) = six_nodes();
    signal(parent_of(first), SIGKILL);
    gone(&all);
    drop(running);
}

#[test]
#[ignore = "scripts/hosts-check runs it"]
fn an_interrupted_mpirun_ends_everything() {
    let (running, all, first) = six_nodes();
    signal(parent_of(first), SIGINT);
    gone(&all);
    assert!(!running.path("run").exists(), "the run directory is left");
    drop(running);
}

#[test]
#[ignore = "scripts/hosts-check runs it"]
fn nodes_of_all_hosts_that_are_killed_are_told_and_accounted_for() {
    let (mut running, all, _) = six_nodes();
    let pids = running.pids();
    for id in [1, 2, 3] {
        signal(pids.nodes[&id], SIGKILL);
        assert_eq!(
            running.err(),
            format!("node {id} died (killed by signal 9)")
        );
        let lost = running.err();
        let expected = match id {
            1 => "lost with node 1: its balance of 100, 1 transfer (5 in all) on the way to it",
            2 => "lost with node 2: its balance of 95",
            _ => "lost with node 3: its balance of 93",
        };
        assert_eq!(lost, expected);
    }
    running.write("Receive 5 3\nSend 4 5 50\nSend 5 6 80\nReceiveAll\nnodes\n");
    running.expect_out(&["3 Transfer 7"]);
    let rows: Vec<String> = (0..6).map(|_| running.err()).collect();
    for (row, balance) in rows[3..].iter().zip([50, 77, 180]) {
        let wanted = format!("running  balance {balance}  waiting: nothing");
        assert!(row.ends_with(&wanted), "{rows:#?}");
    }
    let ended = running.end();
    assert_eq!(ended.status.code(), Some(1));
    gone(&all);
}

#[test]
#[ignore = "scripts/hosts-check runs it"]
fn what_nobody_takes_stays_on_its_channel_and_holds_up_no_other() {
    const MESSAGES: usize = 100_000;
    let place = Folder::new();
    let mut script =
        "StartMaster\nCreateNode 1 200000\nCreateNode 2 5\nCreateNode 3 5\n".to_owned();
    script += &"Send 1 2 1\n".repeat(MESSAGES);
    script += "Send 3 2 4\nReceive 2 3\nSend 1 3 7\nReceive 3 1\n";
    script += "BeginSnapshot 1\nReceiveAll\nCollectState\nnodes\n";
    let script = place.file("s.txt", script);
    let ended = place.run(&["--seed", "1", script]);
    ended.expect_status(0);
    let mut lines = ended.out.lines();
    assert_eq!(lines.next(), Some("3 Transfer 4"));
    assert_eq!(lines.next(), Some("1 Transfer 7"));
    let all = format!("balance {}  waiting: nothing", 5 + 4 + MESSAGES);
    assert!(ended.err.contains(&all), "{ended:#?}");
}

#[test]
#[ignore = "scripts/hosts-check runs it"]
fn the_summary_of_a_load_counts_the_journals_of_all_hosts() {
    /// What a journal takes at first.
    const LEAST: u64 = 1 << 19;
    let place = Folder::new();
    let load = ["load", "--data", "bank", "--nodes", "3", "--json"];
    let ended = place.run(&[&load[..], &["--transfers", "3000"]].concat());
    ended.expect_status(0);
    let summary: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(summary["hosts"].as_array().unwrap().len(), 3, "{summary}");
    // Master's, and those of three nodes, of which one is on its host.
    let most = summary["journal_bytes"]["most"].as_u64().unwrap();
    assert!(most > 3 * LEAST, "{summary}");
}

/// Runs a command of the network's, where there is one.
fn network(link: &str, state: &str) -> bool {
    let Some(net) = std::env::var("PIPEBANK_NET")
        .ok()
        .filter(|net| !net.is_empty())
    else {
        let why = "skipped: these hosts have no network of their own that could be cut";
        let _ = writeln!(std::io::stderr(), "{why}");
        return false;
    };
    let link = format!("{net}.{link}");
    let set = Command::new("ip")
        .args(["link", "set", &link, state])
        .status();
    assert!(set.unwrap().success());
    true
}

#[test]
#[ignore = "scripts/hosts-check runs it"]
fn a_network_that_is_cut_for_a_while_is_waited_for() {
    let mut running = Master::start(&[]);
    running.lose_patience_after(Duration::from_secs(90));
    running.write("StartMaster\nCreateNode 1 100\nCreateNode 2 100\nCreateNode 3 100\n");
    running.settle(3);
    if !network("3", "down") {
        return;
    }
    running.write("Send 3 1 7\nSend 2 1 8\nReceive 1\nReceive 1\n");
    // As long as it takes TCP to try again a few times: nothing else can be seen of a cut.
    let give_up = Instant::now() + Duration::from_secs(4);
    while Instant::now() < give_up {
        thread::yield_now();
    }
    network("3", "up");
    let mut lines = [running.out(), running.out()];
    lines.sort();
    assert_eq!(lines, ["2 Transfer 8", "3 Transfer 7"]);
    assert_eq!(running.end().status.code(), Some(0));
}

#[test]
#[ignore = "scripts/hosts-check runs it"]
fn a_network_that_is_cut_for_good_ends_the_job_on_all_hosts_and_is_told() {
    let (mut running, all, _) = six_nodes();
    running.lose_patience_after(Duration::from_secs(90));
    if !network("2", "down") {
        return;
    }
    let ended = running.end();
    // A host by itself gives up after a while.
    let give_up = Instant::now() + PATIENCE;
    while all.iter().any(Process::runs) && Instant::now() < give_up {
        thread::yield_now();
    }
    network("2", "up");
    assert_ne!(ended.status.code(), Some(0));
    gone(&all);
}

#[test]
#[ignore = "scripts/hosts-check runs it"]
fn a_host_that_stands_still_holds_up_nothing_but_what_needs_it() {
    let (mut running, all, first) = six_nodes();
    let agent = agent_among(&all, first);
    signal(agent, SIGSTOP);
    // Nodes 1 and 4 are on the first host.
    running.write("Send 1 4 3\nReceive 4 1\n");
    running.expect_out(&["1 Transfer 3"]);
    signal(agent, nix::sys::signal::Signal::SIGCONT);
    running.write("ReceiveAll\nBeginSnapshot 2\nReceiveAll\nCollectState\n");
    let ended = running.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    gone(&all);
}
