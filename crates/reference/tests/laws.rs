//! The reference model is itself compared with the definition before anything is compared with it:
//! the worked example, the laws that every snapshot obeys, and mistakes planted in the model.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use reference::{
    Bug, Collected, Expected, Failure, Why, interpret, interpret_in_turn, interpret_lasting,
    interpret_with, words,
};
use testing::generate::{Size, lasting_script, pieces_of, script};

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

#[test]
fn a_bank_that_lasts_obeys_the_laws_too_and_reaches_everything() {
    let (mut restarts, mut survived, mut failures) = (0, 0, Vec::new());
    for seed in 0..400 {
        let text = lasting_script(seed, Size::of(seed));
        let expected = interpret_lasting(&text, seed);
        if let Err(law) = laws(&text, &expected) {
            panic!("seed {seed}: {law}\n{text}");
        }
        restarts += expected.restarts.len();
        survived += survivors(&text, &expected);
        failures.extend(expected.failures.iter().map(|failure| failure.why));
    }
    assert!(restarts > 400, "only {restarts} restarts");
    assert!(survived > 100, "only {survived} snapshots survived a death");
    for why in [Why::NodeDied, Why::NodeAlive, Why::MarkersOnTheWay] {
        assert!(failures.contains(&why), "no script fails by {why:?}");
    }
    assert!(!failures.contains(&Why::SnapshotsLost));
}

#[test]
fn a_node_comes_back_as_it_was_and_so_does_everything_around_it() {
    // Node 2 has recorded, owes node 3 a marker, and has taken nothing of what is on the way to it.
    let text = "StartMaster\nCreateNode 1 10\nCreateNode 2 20\nSend 2 1 5\nSend 1 2 3\nBeginSnapshot 2\n\
        KillNode 2\nKillNode 2\nSend 1 2 1\nSend 2 1 1\nReceive 2 1\nBeginSnapshot 1\nCollectState\n\
        Receive 1 2\nCreateNode 3 30\nReceive 3 2\nReceive 1\nReceive 3 1\nReceiveAll\nSend 3 2 1\n\
        RestartNode 3\nRestartNode 2\nRestartNode 2\nReceive 3 2\nReceive 2 3\nReceive 2 1\nReceive 2 1\n\
        Receive 1 3\nReceiveAll\nCollectState\nPrintSnapshot\nSend 2 3 18\nSend 2 3 1\n";
    let expected = interpret_lasting(text, 1);
    let failures: Vec<_> = expected.failures.iter().map(|f| (f.line, f.why)).collect();
    let died = [8, 9, 10, 11, 12, 13, 16, 20].map(|line| (line, Why::NodeDied));
    let alive = [21, 23].map(|line| (line, Why::NodeAlive));
    // The ReceiveAll had taken it.
    let nothing = [(28, Why::NothingToReceive)];
    assert_eq!(failures, [&died[..], &alive, &nothing].concat());
    assert_eq!(
        expected.stdout,
        "Started by Node 2\n2 Transfer 5\n2 SnapshotToken -1\n1 SnapshotToken -1\n\
         2 SnapshotToken -1\n3 SnapshotToken -1\n1 Transfer 3\n1 SnapshotToken -1\n\
         ---Node states\nnode 1 = 12\nnode 2 = 15\nnode 3 = 30\n---Channel states\n\
         channel (1 → 2) = 3\nchannel (1 → 3) = 0\nchannel (2 → 1) = 0\nchannel (2 → 3) = 0\n\
         channel (3 → 1) = 0\nchannel (3 → 2) = 0\nERR_SEND\n"
    );
    assert_eq!((expected.deaths, expected.restarts), (vec![7], vec![22]));
}

#[test]
fn who_was_created_while_both_were_dead_meets_both() {
    let text = "StartMaster\nCreateNode 1 10\nCreateNode 2 20\nKillNode 1\nCreateNode 3 30\nKillNode 3\n\
        RestartNode 1\nRestartNode 3\nSend 1 3 1\nSend 3 1 2\nReceive 3 1\nReceive 1 3\n";
    let expected = interpret_lasting(text, 1);
    assert_eq!(expected.stdout, "1 Transfer 1\n3 Transfer 2\n");
    assert_eq!(expected.exit_status(), 0, "nothing is lost");
}

#[test]
fn nobody_notices_a_death_by_what_is_printed() {
    let mut compared = 0;
    for seed in 0..400 {
        let text = lasting_script(seed, Size::of(seed));
        // What takes whatever there is takes less while some are dead.
        let text = text.replace("ReceiveAll", "nodes");
        let expected = interpret_lasting(&text, seed);
        let idle = |line: &usize| {
            let failed = |why| expected.failures.contains(&Failure { line: *line, why });
            let word = text
                .lines()
                .nth(*line - 1)
                .and_then(|line| words(line).first().copied());
            failed(Why::NodeDied) || matches!(word, Some("KillNode" | "RestartNode"))
        };
        if is_anything_opened_among_the_dead(&text, &expected) {
            continue;
        }
        let lines = (1..).zip(text.lines()).filter(|(line, _)| !idle(line));
        let undisturbed: String = lines.map(|(_, text)| format!("{text}\n")).collect();
        assert_eq!(
            interpret(&undisturbed, seed).stdout,
            expected.stdout,
            "seed {seed}"
        );
        compared += expected.restarts.len();
    }
    assert!(compared > 100, "only {compared} restarts");
}

/// Channels to the dead open when these are back, with the markers that are owed then.
fn is_anything_opened_among_the_dead(text: &str, expected: &Expected) -> bool {
    let mut dead = 0;
    let mut created = (1..).zip(text.lines()).filter(|(line, text)| {
        dead += usize::from(expected.deaths.contains(line));
        dead -= usize::from(expected.restarts.contains(line));
        match words(text).first() {
            Some(&"KillAll") => dead = 0,
            Some(&("CreateNode" | "Connect")) => return dead > 0,
            _ => {}
        }
        false
    });
    created.next().is_some()
}

#[test]
fn a_bank_that_is_kept_between_scripts_goes_on_as_if_they_were_one() {
    let (mut opened, mut failed) = (0, 0);
    for seed in 0..400 {
        let text = lasting_script(seed, Size::of(seed));
        // Every script draws anew: where nothing is drawn, that is no difference.
        let is_drawn = |line: &&str| matches!(words(line)[..], ["ReceiveAll"] | ["Receive", _]);
        let lines = text.lines().filter(|line| !is_drawn(line));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        let scripts = pieces_of(&text, 3, seed);
        let whole = interpret_lasting(&text, seed);
        let parts = interpret_in_turn(&scripts, seed);
        let said = |parts: &[Expected]| parts.iter().map(|it| &it.stdout[..]).collect::<String>();
        assert_eq!(said(&parts), whole.stdout, "seed {seed}");
        let whys = |one: &Expected| one.failures.iter().map(|it| it.why).collect::<Vec<_>>();
        let whys_of_parts: Vec<Why> = parts.iter().flat_map(whys).collect();
        assert_eq!(whys_of_parts, whys(&whole), "seed {seed}");
        let starts = |text: &str| text.lines().filter(|it| it.starts_with("Start")).count();
        opened += scripts.iter().map(|it| starts(it)).sum::<usize>() - starts(&text);
        failed += whys_of_parts.len();
    }
    assert!(
        opened > 400 && failed > 400,
        "{opened} opened, {failed} failed"
    );
}

#[test]
fn whether_a_bank_lasts_is_not_seen_where_nobody_is_started_again() {
    let mut deaths = 0;
    for seed in (0..400).filter(|seed| seed % 4 == 2) {
        let text = script(seed, Size::of(seed));
        let (lasting, ordinary) = (interpret_lasting(&text, seed), interpret(&text, seed));
        assert_eq!(lasting.stdout, ordinary.stdout, "seed {seed}");
        // But channels to the dead are put off rather than refused.
        let failed = |one: &Expected| {
            let lines = one.failures.iter().map(|failure| failure.line);
            let is_connect =
                |line: &usize| text.lines().nth(line - 1).unwrap().starts_with("Connect");
            lines.filter(|line| !is_connect(line)).collect::<Vec<_>>()
        };
        assert_eq!(failed(&lasting), failed(&ordinary), "seed {seed}");
        deaths += ordinary.deaths.len();
    }
    assert!(deaths > 30, "only {deaths} deaths");
}

#[test]
#[should_panic(expected = "does not last")]
fn an_ordinary_bank_starts_nobody_again() {
    let text = "StartMaster\nCreateNode 1 5\nKillNode 1\nRestartNode 1\n";
    let _ = interpret(text, 1);
}

/// How many snapshots were in progress when somebody died, and were collected.
fn survivors(text: &str, expected: &Expected) -> usize {
    let failed: Vec<usize> = expected
        .failures
        .iter()
        .map(|failure| failure.line)
        .collect();
    let (mut begun, mut disturbed, mut survived) = (0, 0, 0);
    for (line, text) in (1..).zip(text.lines()) {
        match words(text).first() {
            _ if failed.contains(&line) => {}
            Some(&"BeginSnapshot") => begun += 1,
            Some(&"KillNode") => disturbed = begun,
            Some(&"CollectState") => {
                survived += disturbed;
                (begun, disturbed) = (0, 0);
            }
            Some(&"KillAll") => (begun, disturbed) = (0, 0),
            _ => {}
        }
    }
    survived
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
