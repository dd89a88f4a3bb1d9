//! Script and seed determine what a run writes, whatever the scheduler does.

use testing::{EXAMPLE, Folder, SEED_LINE, mesh};

/// A script with draws, failures and snapshots.
fn drawing_script() -> String {
    let nodes = 5;
    let mut script = mesh(nodes, 1000);
    for round in 0..12 {
        for from in 1..=nodes {
            let to = (from + round % (nodes - 1)) % nodes + 1;
            if from != to {
                script += &format!("Send {from} {to} {}\n", round * 37 + from);
            }
            script += &format!("Receive {from}\nReceive {from} {}\n", from % nodes + 1);
        }
        script += &format!("BeginSnapshot {}\n", round % nodes + 1);
        if round % 3 == 2 {
            script += "CollectState\nReceiveAll\nCollectState\nPrintSnapshot\n";
        }
    }
    script + "KillNode 3\nReceiveAll\nReceive 1\nSend 1 3 1\n"
}

#[test]
fn script_and_seed_determine_both_streams() {
    let place = Folder::new();
    let name = place.file("draws.txt", drawing_script());
    let first = place.run(&["--seed", "7", name]);
    first.expect_status(1);
    assert!(first.err.contains("nothing to receive"), "{first:#?}");
    for _ in 0..29 {
        place
            .run(&["--seed", "7", name])
            .expect(1, &first.out, &first.err);
    }
    let other = place.run(&["--seed", "8", name]);
    assert_ne!(other.out, first.out, "the seed makes a difference");
}

#[test]
fn the_window_changes_nothing_that_is_seen() {
    let place = Folder::new();
    let name = place.file("draws.txt", drawing_script());
    let serial = place.run(&["--seed", "7", "--window", "1", name]);
    serial.expect_status(1);
    for window in ["2", "7", "4096"] {
        let ended = place.run(&["--seed", "7", "--window", window, name]);
        ended.expect(1, &serial.out, &serial.err);
    }
}

#[test]
fn the_seed_that_a_failing_run_tells_repeats_it() {
    let place = Folder::new();
    let name = place.file("draws.txt", drawing_script());
    let ended = place.run(&[name]);
    let told = ended.err.lines().last().unwrap();
    let seed = told
        .strip_prefix("master: the seed was ")
        .and_then(|rest| rest.split_once(" ("))
        .expect(told)
        .0;
    assert_eq!(
        told,
        format!("master: the seed was {seed} (--seed {seed} draws the same again)")
    );
    place
        .run(&["--seed", seed, name])
        .expect(1, &ended.out, &ended.err);
}

#[test]
fn the_seed_is_told_only_where_a_run_failed() {
    let place = Folder::new();
    let good = place.file("good.txt", EXAMPLE);
    let ended = place.run(&[good]);
    ended.expect(0, &ended.out, "");
    let bad = place.file("bad.txt", "StartMaster\nfoo\n");
    let ended = place.run(&[bad]);
    assert!(!ended.err.contains("seed"), "nothing was run: {ended:#?}");
    let failing = place.file("failing.txt", mesh(2, 1) + "Receive 1\n");
    let ended = place.run(&["--seed", "1", failing]);
    let right = format!(
        "failing.txt:4: `Receive 1`: nothing to receive: nothing is on its way to node 1\n\
         {SEED_LINE}\n"
    );
    ended.expect(1, "", &right);
}
