//! A load of a bank that lasts.

use serde_json::Value;

use super::command::Runner;
use super::plan::{Load, Plan};

/// What is in each account at first.
const BALANCE: u64 = 1000;

pub fn run(plan: &Plan, load: &Load) -> String {
    let mut options = format!(
        "load --json --nodes {} --topology {} --snapshot-every {} --concurrent {}",
        load.nodes, load.topology, load.snapshot_every, load.concurrent
    );
    options += &match load.transfers {
        Some(transfers) => format!(" --transfers {transfers}"),
        None => format!(" --duration {}", load.milliseconds as f64 / 1000.0),
    };
    let arguments: Vec<&str> = options.split(' ').collect();
    let mut runner = Runner::new(plan);
    let mut run = runner.run(&arguments, true);
    while run.is_interrupted() {
        run = runner.run(&arguments, true);
    }
    assert_eq!(run.status.code(), Some(0), "stderr:\n{}", run.err);
    let summary: Value = serde_json::from_str(&run.out).expect("the summary is JSON");
    assert_eq!(summary["total"], load.nodes * BALANCE, "{summary}");
    assert_eq!(summary["audited"], summary["snapshots"], "{summary}");
    if let Some(transfers) = load.transfers {
        assert_eq!(summary["transfers"], transfers, "{summary}");
    }
    assert_eq!(runner.journals(), [""; 0], "the load has left something");
    format!("{} masters", runner.masters)
}
