//! Which descriptors every process has open: exactly those that it needs.

use std::collections::BTreeMap;

use testing::{Descriptor, Folder, Master, Pids, Way, descriptors, idle, mesh, own_descriptors};

/// How many descriptors there are of each kind and way.
fn count(descriptors: &[Descriptor]) -> BTreeMap<(&str, Way), usize> {
    let mut counts = BTreeMap::new();
    for descriptor in descriptors {
        *counts
            .entry((descriptor.kind(), descriptor.way))
            .or_insert(0) += 1;
    }
    counts
}

fn mesh_of_five() -> (Master, Pids) {
    let mut master = Master::start(&[]);
    master.write(mesh(5, 100));
    let pids = master.settle(5);
    // What it writes to is open once more while it writes.
    idle(master.pid());
    (master, pids)
}

#[test]
fn a_node_has_its_pipes_its_hatch_and_its_channels_and_nothing_else() {
    let (master, pids) = mesh_of_five();
    let peers = 4;
    for (id, pid) in &pids.nodes {
        let open = descriptors(*pid);
        let right = BTreeMap::from([
            // Commands, orders, channels.
            (("pipe", Way::Reads), 1 + 1 + peers),
            // Replies, standard error (a pipe in this test), reports, channels.
            (("pipe", Way::Writes), 1 + 1 + 1 + peers),
            // The hatch.
            (("socket", Way::Both), 1),
        ]);
        assert_eq!(count(&open), right, "node {id}: {open:#?}");
        assert_standard_three(&open);
    }
    master.end().expect_status(0);
}

#[test]
fn the_observer_has_two_pipes_to_every_node_and_no_channels() {
    let (master, pids) = mesh_of_five();
    let open = descriptors(pids.observer.unwrap());
    let nodes = 5;
    let right = BTreeMap::from([
        // Requests, reports.
        (("pipe", Way::Reads), 1 + nodes),
        // Answers, standard error, orders.
        (("pipe", Way::Writes), 1 + 1 + nodes),
        (("socket", Way::Both), 1),
        (("anon_inode", Way::Both), 1),
    ]);
    assert_eq!(count(&open), right, "{open:#?}");
    assert_standard_three(&open);
    master.end().expect_status(0);
}

#[test]
fn master_has_two_pipes_and_a_hatch_to_every_child_and_no_channels() {
    let (master, pids) = mesh_of_five();
    let mut open = own_descriptors(master.pid());
    // The run directory, which is locked as long as it is open.
    let run_dir = |fd: &Descriptor| fd.target.ends_with("/run");
    assert_eq!(open.iter().filter(|fd| run_dir(fd)).count(), 1, "{open:#?}");
    open.retain(|fd| !run_dir(fd));
    let children = 6;
    let right = BTreeMap::from([
        // Standard input, replies.
        (("pipe", Way::Reads), 1 + children),
        // Standard output and error, commands.
        (("pipe", Way::Writes), 2 + children),
        (("socket", Way::Both), children),
        // The poller, the signals, and one for the deaths of all children.
        (("anon_inode", Way::Both), 3),
    ]);
    assert_eq!(count(&open), right, "{open:#?}");
    assert_standard_three(&open);

    let ours: Vec<&str> = open.iter().map(|fd| fd.target.as_str()).collect();
    for (from, to, pipe) in channels(&pids) {
        assert!(!ours.contains(&pipe.as_str()), "master holds {from} → {to}");
    }
    master.end().expect_status(0);
}

#[test]
fn every_ordered_pair_of_nodes_is_connected_by_one_pipe_of_their_own() {
    let (master, pids) = mesh_of_five();
    let mut connected = BTreeMap::new();
    for (from, to, _) in channels(&pids) {
        *connected.entry((from, to)).or_insert(0) += 1;
    }
    let mut right = BTreeMap::new();
    for from in 1..=5 {
        for to in (1..=5).filter(|to| *to != from) {
            right.insert((from, to), 1);
        }
    }
    assert_eq!(connected, right);
    master.end().expect_status(0);
}

/// Every pipe that one node writes to and another reads from.
fn channels(pids: &Pids) -> Vec<(u64, u64, String)> {
    let mut writers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut readers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (id, pid) in &pids.nodes {
        for fd in descriptors(*pid) {
            let ends = match (fd.kind(), fd.way) {
                ("pipe", Way::Writes) => &mut writers,
                ("pipe", Way::Reads) => &mut readers,
                _ => continue,
            };
            ends.entry(fd.target).or_default().push(*id);
        }
    }
    let mut found = Vec::new();
    for (pipe, from) in writers {
        if let Some(to) = readers.get(&pipe) {
            assert_eq!((from.len(), to.len()), (1, 1), "{pipe} is shared");
            found.push((from[0], to[0], pipe));
        }
    }
    found
}

/// Standard streams are open in every process, and all others are closed on exec.
#[track_caller]
fn assert_standard_three(open: &[Descriptor]) {
    let numbers: Vec<u32> = open.iter().take(3).map(|fd| fd.number).collect();
    assert_eq!(numbers, [0, 1, 2]);
    for fd in &open[3..] {
        assert!(fd.close_on_exec, "{fd:?} would pass on");
    }
}

#[test]
fn children_inherit_nothing_that_master_inherited() {
    let place = Folder::new();
    place.file("extra", "");
    // 7 is a file; 8 is a second copy of master's standard input, a pipe; 9 of its output.
    let before = "exec 7<extra 8<&0 9>&1";
    let command = place.under_shell(before, &["--seed", "1", "--run-dir", "run"]);
    let mut master = Master::start_in(place, command);
    master.write(mesh(3, 1));
    let pids = master.settle(3);
    let inherited: Vec<String> = descriptors(master.pid())
        .into_iter()
        .filter(|fd| [0, 1, 7, 8, 9].contains(&fd.number))
        .map(|fd| fd.target)
        .collect();
    assert_eq!(inherited.len(), 5);
    for pid in pids.nodes.values().copied().chain(pids.observer) {
        for fd in descriptors(pid) {
            assert!(!inherited.contains(&fd.target), "{pid} holds {fd:?}");
        }
    }
    master.end().expect_status(0);
}

#[test]
fn the_output_of_a_killed_node_ends_although_later_nodes_were_started() {
    // Whoever started later must not hold the ends of those before it, or no death is noticed.
    let (mut master, pids) = mesh_of_five();
    for id in 1..=5 {
        testing::signal(pids.nodes[&id], nix::sys::signal::Signal::SIGKILL);
        assert_eq!(master.err(), format!("node {id} died (killed by signal 9)"));
        assert_eq!(
            master.err(),
            format!("lost with node {id}: its balance of 100")
        );
    }
    master.end().expect_status(1);
}

#[test]
fn sixty_nodes_work_under_a_low_soft_limit() {
    let place = Folder::new();
    let mut script = mesh(61, 1000);
    for id in 2..=61 {
        script += &format!("Send 1 {id} 10\nSend {id} 1 {id}\n");
    }
    script += "Receive 61 1\nReceive 1 61\nBeginSnapshot 61\nReceiveAll\nCollectState\n";
    script += "PrintSnapshot\n";
    let name = place.file("sixty.txt", script);
    let command = place.under_shell("ulimit -S -n 256", &["--seed", "1", name]);
    let ended = Master::spawn(command).end();
    assert_eq!(ended.err, "");
    ended.expect_status(0);
    assert!(
        ended
            .out
            .starts_with("1 Transfer 10\n61 Transfer 61\nStarted by Node 61\n---Node states\n")
    );
    assert_eq!(ended.out.lines().count(), 3 + 1 + 61 + 1 + 61 * 60);
}

#[test]
fn master_has_as_many_descriptors_after_kill_all_as_before() {
    let mut master = Master::start(&[]);
    let once = mesh(6, 100) + "Send 1 2 3\nBeginSnapshot 1\nReceive 2\nKillNode 3\n";
    master.write(&once);
    assert_eq!(master.out(), "Started by Node 1");
    master.out();
    master.write("KillAll\nnonsense\n");
    while !master.err().contains("^^^") {}
    idle(master.pid());
    let before = descriptors(master.pid());
    for _ in 0..20 {
        master.write(once.clone() + "KillAll\n");
    }
    master.write("nonsense\n");
    while !master.err().contains("^^^") {}
    idle(master.pid());
    let after = descriptors(master.pid());
    assert_eq!(count(&after), count(&before), "{after:#?}");
    master.end().expect_status(1);
}
