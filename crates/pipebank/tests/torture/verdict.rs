//! What must hold of a run that is over, whatever happened in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::os::unix::process::ExitStatusExt;

use history::{Overall, Reader, Verifier};
use serde_json::Value;

use super::plan::{Plan, Surroundings};
use super::subject::ending;
use reference::{Expected, interpret, words};
use testing::{Ended, Loss};

const SIGKILL: i32 = 9;

/// What every node of a script of one round is given.
pub fn deposits(script: &str) -> BTreeMap<u64, u64> {
    let number = |word: &str| word.parse().expect("a generated number");
    let lines = script.lines().map(words);
    lines
        .filter(|words| words.first() == Some(&"CreateNode"))
        .map(|words| (number(words[1]), number(words[2])))
        .collect()
}

/// Nothing was seen of what happened.
pub fn as_expected(expected: &Expected, ended: &Ended) -> String {
    let mut lines = (ended.out.lines(), expected.stdout.lines());
    let differs = (1..).find_map(|line| match (lines.0.next(), lines.1.next()) {
        (None, None) => Some(None),
        (real, right) if real == right => None,
        (real, right) => Some(Some((line, real, right))),
    });
    if let Some(Some((line, real, right))) = differs {
        let err = &ended.err;
        panic!("stdout differs in line {line}: {real:?}, must be {right:?}; stderr:\n{err}");
    }
    ended.expect_status(expected.exit_status());
    ending(ended)
}

/// Whatever happened, the history that tells it is one that can have happened, and its snapshots are
/// what they should be.
pub fn of_history(file: File) {
    let mut reader = Reader::new(BufReader::new(file)).expect("a history");
    let mut verifier = Verifier::new();
    while let Some(event) = reader.next_event().expect("a line of a history") {
        verifier.on_event(&event, reader.line());
    }
    let report = verifier.finish();
    assert!(report.overall() != Overall::Invalid, "{report:#?}");
}

/// Some died; what was reported is consistent all the same.
pub fn of_the_living(plan: &Plan, script: &str, ended: &Ended, killed: bool) -> String {
    snapshots_are_consistent(script, ended, killed);
    let status = ended.status.code();
    let may = match plan.has_lies() {
        true => &[0, 1, 3, 124][..],
        false => &[0, 1],
    };
    match ended.status.signal() {
        Some(signal) => assert!(killed && signal == SIGKILL, "{ended:#?}"),
        None => assert!(may.contains(&status.unwrap()), "{ended:#?}"),
    }
    why_is_told(ended);
    ending(ended)
}

/// The machine gave less than usual, or somebody lied.
pub fn in_surroundings(plan: &Plan, script: &str, ended: &Ended) -> String {
    let expected = interpret(script, plan.seed);
    let right = expected.exit_status();
    let status = ended.status.code().expect("master exits, whatever happens");
    match plan.surroundings {
        Surroundings::StdoutClosed => assert_eq!((status, &*ended.out), (right, ""), "{ended:#?}"),
        Surroundings::StdoutFull if !expected.stdout.is_empty() => {
            assert_eq!(status, 1, "{ended:#?}");
            assert!(ended.err.contains("cannot write results"), "{ended:#?}");
        }
        Surroundings::StdoutFull => assert_eq!(status, right, "{ended:#?}"),
        Surroundings::StdoutLeft(_) => {
            assert!([141, right].contains(&status), "{ended:#?}");
        }
        Surroundings::StderrFull => assert_eq!(status, right, "{ended:#?}"),
        Surroundings::HistoryFull => {
            assert!([1, 2].contains(&status), "{ended:#?}");
            assert!(ended.err.contains("No space left on device"), "{ended:#?}");
        }
        Surroundings::Rogue(_) => assert!([0, 1, 3, 124].contains(&status), "{ended:#?}"),
        _ => assert!([0, 1, 2].contains(&status), "{ended:#?}"),
    }
    if matches!(plan.surroundings, Surroundings::Processes(_)) {
        let (failures, helped) = ("cannot start \"", "`ulimit -u` shows the limit");
        let count = |what| ended.err.matches(what).count();
        assert_eq!(count(failures), count(helped), "{ended:#?}");
    }
    snapshots_are_consistent(script, ended, false);
    if !matches!(plan.surroundings, Surroundings::StderrFull) && status != 141 {
        why_is_told(ended);
    }
    ending(ended)
}

/// A load that ended well is right in every number.
pub fn of_a_load(plan: &Plan, deposits: u64, ended: &Ended) -> String {
    let lies = plan.has_lies();
    match (ended.status.code(), ended.status.signal()) {
        (Some(0), _) => {
            let summary: Value = serde_json::from_str(&ended.out).expect("the summary is JSON");
            assert_eq!(summary["total"], deposits, "{summary}");
            assert_eq!(summary["audited"], summary["snapshots"], "{summary}");
        }
        (Some(status @ (1..=3 | 124)), _) => {
            assert!(!plan.is_harmless(), "{ended:#?}");
            assert!(lies || ![3, 124].contains(&status), "{ended:#?}");
            // Nothing that sounds like success; but where a process died, what was measured until then.
            if !ended.out.is_empty() {
                let summary: Value = serde_json::from_str(&ended.out).expect("the summary is JSON");
                assert_eq!(status, 1, "{ended:#?}");
                let died = summary["died"].as_str().expect("it says who died");
                assert!(ended.err.contains(died), "{ended:#?}");
                assert_eq!(summary["total"], deposits, "{summary}");
                assert_eq!(summary["audited"], summary["snapshots"], "{summary}");
            }
        }
        (None, Some(SIGKILL)) if plan.kills_master() => {}
        _ => panic!("{ended:#?}"),
    }
    why_is_told(ended);
    ending(ended)
}

/// Whoever fails says why, and nobody panics.
fn why_is_told(ended: &Ended) {
    let fails = ended.status.code().is_some_and(|status| status != 0);
    assert!(!fails || !ended.err.is_empty(), "{ended:#?}");
    assert!(!ended.err.contains("panicked"), "{ended:#?}");
}

/// Every snapshot that was shown names all nodes and channels that it must, and holds exactly the
/// money that these nodes were given.
fn snapshots_are_consistent(script: &str, ended: &Ended, killed: bool) {
    let deposits = deposits(script);
    let sum = |values: &[Value], key: &str| -> u128 {
        let amounts = values.iter().map(|value| value[key].as_u64().unwrap());
        amounts.map(u128::from).sum()
    };
    for line in ended.out.split_inclusive('\n') {
        let result: Value = match serde_json::from_str(line) {
            Ok(result) => result,
            // Killed in the middle of a line.
            Err(_) if killed && !line.ends_with('\n') => continue,
            Err(error) => panic!("{error}: {line}"),
        };
        if result["result"] != "snapshot" {
            continue;
        }
        let array = |key: &str| result[key].as_array().unwrap().clone();
        let (nodes, channels) = (array("nodes"), array("channels"));
        let ids: BTreeSet<u64> = nodes.iter().map(|n| n["node"].as_u64().unwrap()).collect();
        let given: u128 = ids.iter().map(|id| u128::from(deposits[id])).sum();
        let total = sum(&nodes, "balance") + sum(&channels, "sum");
        assert_eq!(total, given, "{line}{ended:#?}");
        assert_eq!(
            u128::from(result["total"].as_u64().unwrap()),
            given,
            "{line}"
        );
        match script.contains("StartMaster sparse") {
            false => assert_eq!(channels.len(), ids.len() * (ids.len() - 1), "{line}"),
            true => assert!(
                channels.len() <= script.matches("Connect ").count(),
                "{line}"
            ),
        }
        for channel in &channels {
            let transfers = channel["transfers"].as_array().unwrap();
            let sent: u64 = transfers
                .iter()
                .map(|amount| amount.as_u64().unwrap())
                .sum();
            assert_eq!(channel["sum"], sent, "{line}");
        }
    }
}

/// What the nodes have at the end and what was told as lost is what they were given. `told` is what
/// master said up to the end of a script of one round, and its last `nodes`.
pub fn account(script: &str, told: &[String]) {
    let mut given = deposits(script);
    let mut balances = BTreeMap::new();
    let mut lost = 0;
    for line in told {
        if line.starts_with("lost with node ") {
            lost += u128::from(Loss::parse(line).total());
        }
        if let Some((_, failed)) = line.split_once(": `CreateNode ") {
            let id = failed.split(' ').next().unwrap().parse().unwrap();
            given.remove(&id);
        }
        let Some((node, rest)) = line.split_once("  pid ") else {
            continue;
        };
        let id: u64 = node["node ".len()..].parse().unwrap();
        let balance = rest.split_once("  balance ").map(|(_, rest)| {
            let (balance, waiting) = rest.split_once("  ").unwrap();
            (
                balance.parse::<u64>().unwrap(),
                waiting == "waiting: nothing",
            )
        });
        balances.insert(id, balance);
    }
    let told = told.join("\n");
    assert!(
        balances.values().flatten().all(|(_, empty)| *empty),
        "something waits after ReceiveAll:\n{told}"
    );
    let living: u128 = balances
        .values()
        .flatten()
        .map(|(b, _)| u128::from(*b))
        .sum();
    let given: u128 = given.values().map(|deposit| u128::from(*deposit)).sum();
    assert_eq!(
        living + lost,
        given,
        "{living} live, {lost} are lost:\n{told}"
    );
}
