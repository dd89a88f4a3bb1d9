//! What is lost with a process that dies: every unit of money is with the living, on its way to
//! them, or told as lost.

use nix::sys::signal::Signal::{SIGCONT, SIGKILL};
use testing::{Loss, Master, idle, mesh, signal, stop};

#[test]
fn what_a_node_had_sent_is_received_or_told_as_lost() {
    let sends = 20_000;
    let mut master = Master::start(&[]);
    let mut script = format!("StartMaster\nCreateNode 1 {}\nCreateNode 2 0\n", u32::MAX);
    for amount in 1..=sends {
        script += &format!("Send 1 2 {amount}\n");
    }
    master.write(script);
    let pids = master.settle(2);
    signal(pids.nodes[&1], SIGKILL);
    master.expect_err(&["node 1 died (killed by signal 9)"]);
    let loss = Loss::parse(&master.err());
    let total = u64::from(u32::MAX);
    let sent = sends * (sends + 1) / 2;
    assert_eq!(loss.balance, total - sent);
    assert!(
        loss.own.count > 0,
        "more was sent than a pipe holds: {loss:?}"
    );

    let received = sends - loss.own.count;
    master.write("Receive 2 1\n".repeat(usize::try_from(received).unwrap()));
    for amount in 1..=received {
        assert_eq!(master.out(), format!("1 Transfer {amount}"));
    }
    master.write("Receive 2 1\nReceiveAll\nnodes\n");
    let line = 3 + sends + 1 + received + 1;
    let why = "nothing more to receive from node 1: node 1 died (killed by signal 9)";
    master.expect_err(&[&format!("-:{line}: `Receive 2 1`: {why}")]);
    assert!(master.err().contains("died"));
    let amount = received * (received + 1) / 2;
    assert!(master.err().contains(&format!("balance {amount} ")));
    assert_eq!(amount + loss.own.amount, sent);
    master.end().expect_status(1);
}

/// Reads stderr until every one of `dead` is told with its loss; what was lost in all.
#[track_caller]
fn losses(master: &mut Master, dead: usize) -> u64 {
    let (mut lost, mut told) = (0, 0);
    while told < dead {
        let line = master.err();
        if line.starts_with("lost with node ") {
            lost += Loss::parse(&line).total();
            told += 1;
        }
    }
    lost
}

/// What the living have after they have received everything.
#[track_caller]
fn balances(master: &mut Master, nodes: usize) -> u64 {
    master.write("ReceiveAll\nnodes\n");
    let mut found = Vec::new();
    while found.len() < nodes {
        let line = master.err();
        if line.contains("  pid ") {
            found.push(line);
        }
    }
    found
        .iter()
        .filter_map(|line| {
            let (_, rest) = line.split_once("  balance ")?;
            assert!(rest.ends_with("  waiting: nothing"), "{line}");
            rest.split(' ').next()?.parse::<u64>().ok()
        })
        .sum()
}

#[test]
fn several_deaths_at_once_account_for_all_money() {
    let nodes = 6;
    let mut master = Master::start(&[]);
    let mut script = mesh(nodes, 1_000_000);
    for round in 1..=400 {
        for from in 1..=nodes {
            let to = (from + round % (nodes - 1)) % nodes + 1;
            if from != to {
                script += &format!("Send {from} {to} {round}\n");
            }
        }
    }
    master.write(script);
    let pids = master.settle(nodes);
    for id in [2, 3, 5] {
        signal(pids.nodes[&id], SIGKILL);
    }
    let lost = losses(&mut master, 3);
    let left = balances(&mut master, nodes);
    assert_eq!(lost + left, 6_000_000);
    let ended = master.end();
    for id in [2, 3, 5] {
        let death = format!("node {id} died (killed by signal 9)\n");
        assert_eq!(ended.err.matches(&death).count(), 1, "{ended:#?}");
        let loss = format!("lost with node {id}: ");
        assert_eq!(ended.err.matches(&loss).count(), 1, "{ended:#?}");
    }
    ended.expect_status(1);
}

#[test]
fn sends_that_a_dead_node_never_carried_out_are_lost_with_its_balance_and_not_twice() {
    let mut master = Master::start(&["--verbose"]);
    master.write("StartMaster\nCreateNode 1 100\nCreateNode 2 200\nCreateNode 3 300\n");
    let pids = master.settle(3);
    stop(pids.nodes[&1]);
    master.write("Send 1 2 10\nSend 1 2 20\nSend 1 3 30\nSend 3 2 5\n");
    // Commands are issued in order: once node 3 carries out its own, the others are on their way.
    master.err_until("node 3: sends 5 to node 2, balance 295");
    signal(pids.nodes[&1], SIGKILL);
    let lost = losses(&mut master, 1);
    let left = balances(&mut master, 3);
    let ended = master.end();
    let why = "node 1 died (killed by signal 9)";
    for (line, send) in [(6, "Send 1 2 10"), (7, "Send 1 2 20"), (8, "Send 1 3 30")] {
        let failure = format!("-:{line}: `{send}`: {why}\n");
        assert!(ended.err.contains(&failure), "{ended:#?}");
    }
    assert_eq!((left, lost), (500, 100), "{}", ended.err);
    ended.expect_status(1);
}

#[test]
fn a_send_whose_failure_was_told_is_never_received() {
    let mut master = Master::start(&["--verbose"]);
    master.write("StartMaster\nCreateNode 1 100\nCreateNode 2 200\nCreateNode 3 300\n");
    let pids = master.settle(3);
    stop(pids.nodes[&3]);
    // Node 1 carries out its send, then waits for what node 3 has not sent.
    master.write("Send 3 1 5\nSend 1 2 10\nReceive 1 3\n");
    master.err_until("node 1: sends 10 to node 2, balance 90");
    idle(pids.nodes[&1]);
    signal(pids.nodes[&1], SIGKILL);
    signal(pids.nodes[&3], SIGCONT);
    let lost = losses(&mut master, 1);
    let left = balances(&mut master, 3);
    let ended = master.end();
    let failed = ended.err.contains("`Send 1 2 10`: node 1 died");
    let received = ended.err.contains("node 2: receives 10 from node 1");
    assert!(!(failed && received), "{}", ended.err);
    assert_eq!(lost + left, 600, "{}", ended.err);
    ended.expect_status(1);
}

#[test]
fn a_node_killed_in_the_middle_of_its_work_takes_no_more_money_than_there_was() {
    let mut master = Master::start(&[]);
    master.write("StartMaster\nCreateNode 1 1000000\nCreateNode 2 1000000\nCreateNode 3 0\n");
    let pids = master.settle(3);
    // Enough work that the death comes in the middle of it; where it does not, all the easier.
    let round = "Send 1 2 1\nSend 2 1 2\nSend 1 3 3\nReceive 2 1\nReceive 1 2\nReceive 3 1\n";
    master.write(round.repeat(100));
    master.write(round.repeat(3000));
    for _ in 0..150 {
        master.out();
    }
    signal(pids.nodes[&1], SIGKILL);
    let lost = losses(&mut master, 1);
    let left = balances(&mut master, 3);
    assert_eq!(lost + left, 2_000_000);
    master.end().expect_status(1);
}

#[test]
fn what_was_sent_to_a_dead_node_is_lost_also_where_its_receipt_was_under_way() {
    let mut master = Master::start(&["--verbose"]);
    master.write("StartMaster\nCreateNode 1 100\nCreateNode 2 200\nCreateNode 3 300\n");
    let pids = master.settle(3);
    stop(pids.nodes[&2]);
    master.write("Send 1 2 10\nSend 1 2 4\nReceive 2 1\nSend 3 1 5\n");
    // Commands are issued in order: the receipt is on its way too.
    master.err_until("node 3: sends 5 to node 1, balance 295");
    signal(pids.nodes[&2], SIGKILL);
    let lost = losses(&mut master, 1);
    let left = balances(&mut master, 3);
    let ended = master.end();
    let death = "node 2 died (killed by signal 9)";
    let failure = format!("-:8: `Receive 2 1`: {death}");
    for told in [death, &failure] {
        let times = ended.err.lines().filter(|line| *line == told).count();
        assert_eq!(times, 1, "{told}: {}", ended.err);
    }
    assert_eq!((left, lost), (386, 214), "{}", ended.err);
    ended.expect_status(1);
}

#[test]
fn what_was_under_way_between_two_that_die_together_is_lost_once() {
    let mut master = Master::start(&["--verbose"]);
    master.write("StartMaster\nCreateNode 1 100\nCreateNode 2 200\nCreateNode 3 300\n");
    let pids = master.settle(3);
    for id in [1, 2] {
        stop(pids.nodes[&id]);
    }
    // One transfer that is received, one that is not, one that comes from what was received.
    master.write("Send 1 2 10\nSend 1 2 20\nReceive 2 1\nSend 2 1 205\nSend 3 1 5\n");
    master.err_until("node 3: sends 5 to node 1, balance 295");
    for id in [1, 2] {
        signal(pids.nodes[&id], SIGKILL);
    }
    let lost = losses(&mut master, 2);
    let left = balances(&mut master, 3);
    let ended = master.end();
    assert_eq!((left, lost), (295, 305), "{}", ended.err);
    ended.expect_status(1);
}
