//! The reference model is itself compared with the definition before anything is compared with it:
//! the worked example, the laws that every snapshot obeys, and mistakes planted in the model.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use reference::{Bug, Collected, Expected, Why, interpret, interpret_with, words};
use testing::generate::{Size, script};

const EXAMPLE: &str = "StartMaster\nCreateNode 1 1000\nCreateNode 2 500\nSend 1 2 300\n\
    Send 2 1 100\nSend 1 2 400\nReceive 2 1\nBeginSnapshot 1\nReceive 2\nReceive 2\nReceiveAll\n\
    CollectState\nPrintSnapshot\nSend 1 2 5000\n";

const EXAMPLE_PRINTS: &str = "1 Transfer 300\nStarted by Node 1\n1 Transfer 400\n\
    1 SnapshotToken -1\n---Node states\nnode 1 = 300\nnode 2 = 1100\n---Channel states\n\
    channel (1 → 2) = 0\nchannel (2 → 1) = 100\nERR_SEND\n";

#[test]
fn the_worked_example_prints_what_the_specification_says() {
    for seed in 0..20 {
        let expected = interpret(EXAMPLE, seed);
        assert_eq!(expected.stdout, EXAMPLE_PRINTS);
        assert_eq!(expected.exit_status(), 0);
    }
}

#[test]
fn what_happens_after_the_cut_does_not_change_the_snapshot() {
    let after = EXAMPLE.replace("CollectState", "Send 2 1 300\nReceive 1\nCollectState");
    let prints = EXAMPLE_PRINTS.replace("---Node", "2 Transfer 300\n---Node");
    assert_eq!(interpret(&after, 1).stdout, prints);

    let between = EXAMPLE.replace("2\nReceive 2\nRec", "2\nSend 1 2 100\nReceive 2\nRec");
    assert_ne!(between, EXAMPLE);
    assert_eq!(interpret(&between, 1).stdout, EXAMPLE_PRINTS);
}

#[test]
fn a_complete_snapshot_reopens_when_a_node_joins() {
    let text = "StartMaster\nCreateNode 1 5\nCreateNode 2 5\nBeginSnapshot 1\nReceiveAll\n\
        CreateNode 3 5\nCollectState\nReceiveAll\nCollectState\nPrintSnapshot 1\n";
    let expected = interpret(text, 1);
    let failures: Vec<_> = expected.failures.iter().map(|f| (f.line, f.why)).collect();
    assert_eq!(failures, [(7, Why::MarkersOnTheWay)]);
    assert_eq!(expected.collected[0].nodes.len(), 3);
}

#[test]
fn generated_scripts_obey_the_laws_and_reach_everything() {
    let (mut collected, mut deaths, mut failures) = (0, 0, Vec::new());
    for seed in 0..400 {
        let text = script(seed, Size::of(seed));
        let expected = interpret(&text, seed);
        if let Err(law) = laws(&text, &expected) {
            panic!("seed {seed}: {law}\n{text}");
        }
        collected += expected.collected.len();
        deaths += expected.deaths.len();
        failures.extend(expected.failures.iter().map(|failure| failure.why));
    }
    assert!(collected > 1_000, "only {collected} snapshots");
    assert!(deaths > 30, "only {deaths} deaths");
    for why in [
        Why::NothingToReceive,
        Why::NothingBegun,
        Why::MarkersOnTheWay,
        Why::NothingCollected,
        Why::NoSuchSnapshot,
        Why::NodeDied,
        Why::SnapshotsLost,
    ] {
        assert!(failures.contains(&why), "no script fails by {why:?}");
    }
}

#[test]
fn the_laws_notice_every_planted_mistake() {
    for bug in Bug::ALL {
        let noticed = (0..400).any(|seed| {
            let text = script(seed, Size::of(seed));
            laws(&text, &interpret_with(&text, seed, Some(bug))).is_err()
        });
        assert!(noticed, "{bug:?} breaks no law");
    }
}

/// Every snapshot is consistent and loses no money, and `ReceiveAll` completes those in progress.
fn laws(text: &str, expected: &Expected) -> Result<(), String> {
    for collected in &expected.collected {
        if total(collected) != collected.deposits {
            return Err(format!("money is not conserved: {collected:?}"));
        }
        for (channel, in_transit) in &collected.by_definition {
            if in_transit.as_ref() != Some(&collected.channels[channel]) {
                return Err(format!(
                    "channel {channel:?} is not consistent: {collected:?}"
                ));
            }
        }
    }
    let commands: Vec<_> = text.lines().map(words).collect();
    for failure in &expected.failures {
        let before = &commands[..failure.line - 1];
        // In a sparse system some may be out of the reach of any marker.
        let start = before.iter().rfind(|c| c.first() == Some(&"StartMaster"));
        if start.is_some_and(|c| c.len() > 1) {
            continue;
        }
        let before = before.iter().rfind(|c| !c.is_empty());
        if failure.why == Why::MarkersOnTheWay && before.is_some_and(|c| c[0] == "ReceiveAll") {
            let line = failure.line;
            return Err(format!("line {line}: incomplete after ReceiveAll"));
        }
    }
    Ok(())
}

fn total(collected: &Collected) -> u128 {
    let nodes = collected.nodes.values().map(|&amount| u128::from(amount));
    let channels = collected.channels.values().flatten();
    nodes.sum::<u128>() + channels.map(|&amount| u128::from(amount)).sum::<u128>()
}
