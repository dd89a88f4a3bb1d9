//! Model checking: not some schedules of a small bank but all of them.
//!
//! The members are the real ones, with the real recorder and the real account. What is around them
//! is a model (`world.rs`), in which one step is one frame put into a pipe, one frame taken from
//! one, a transfer or a snapshot begun, a process that starts, opens its ends of two channels, hands
//! its part over, or crashes. So a broadcast of markers can be interrupted between any two channels.
//! stateright visits every state that any order of steps leads to. `judge.rs` decides whether a
//! snapshot is right.
//!
//! The counts of states are pinned: a change to recorder, account or member that leads to other
//! states is to be noticed. Where it is meant, copy the number that the failure shows into the
//! table. The deep bounds take minutes: `scripts/check --deep`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod bounds;
mod judge;
mod lasting;
mod world;

use std::fmt::Debug;
use std::fs;
use std::hash::Hash;
use std::thread;
use std::time::Instant;

use bounds::Shape::{Chain, ChainBack, LateRing, Mesh, Ring};
use bounds::{Bounds, Bug};
use judge::Verdict;
use stateright::{Checker, HasDiscoveries, Model, Property};
use world::{Bank, Collection, Step, World};

impl Model for Bank {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![self.beginning()]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        self.steps(world, steps);
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        Some(self.take(world, step))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(WHOLE, |_, world| verdicts(world).all(|it| it.whole)),
            Property::always(AS_DEFINED, |_, world| {
                verdicts(world).all(|it| it.as_defined)
            }),
            Property::always(REACHABLE, |_, world| verdicts(world).all(|it| it.reachable)),
            Property::always(CONSERVES, |_, world| verdicts(world).all(|it| it.conserves)),
            Property::always(AGREES, |_, world| {
                verdicts(world).all(|it| it.audited == (it.whole && it.as_defined))
            }),
            Property::always(NO_REFUSAL, |_, world: &World| !world.refused),
            // stateright looks at such a property along one path to each state only. That is enough
            // here: once it holds it holds for ever, so the last state of a path tells.
            Property::eventually(COMPLETES, |bank: &Bank, world: &World| {
                let complete = verdicts(world).count() == bank.bounds.snapshots;
                complete || world.somebody_crashed()
            }),
            // Nothing above means much unless these come to pass.
            // Whoever has but one incoming channel records when the marker comes, behind everything; in a
            // chain that is everybody.
            Property::sometimes(IN_TRANSIT, |bank: &Bank, world: &World| {
                bank.bounds.shape == Chain || verdicts(world).any(|it| it.in_transit)
            }),
            Property::sometimes(CONCURRENT, |bank: &Bank, world: &World| {
                let begun = |it: &&Collection| !matches!(it, Collection::Judged(_));
                world.snapshots.iter().filter(begun).count() == bank.bounds.snapshots
            }),
            Property::sometimes(DESPITE_A_CRASH, |bank: &Bank, world: &World| {
                bank.bounds.crashes == 0
                    || world.somebody_crashed() && verdicts(world).next().is_some()
            }),
        ]
    }
}

/// Enough to get it wrong.
const SMALL: Bounds = Bounds {
    shape: Mesh,
    founders: 2,
    joiners: 0,
    transfers: 1,
    snapshots: 1,
    crashes: 0,
    pipe: Some(1),
};

const WHOLE: &str = "a completed snapshot has a part of every process, with every channel to it";
const AS_DEFINED: &str = "a completed snapshot is what the definition says";
const REACHABLE: &str = "a recorded state can be reached by reordering, and the end from it";
const CONSERVES: &str = "a completed snapshot holds the money that was deposited";
const AGREES: &str = "the audit comes to the result of the definition";
const NO_REFUSAL: &str = "no member refuses what the algorithm has it do";
const COMPLETES: &str = "every snapshot completes unless somebody crashes";
const IN_TRANSIT: &str = "a message crosses the cut";
const CONCURRENT: &str = "all snapshots are in progress at once";
const DESPITE_A_CRASH: &str = "a process crashes and a snapshot completes";

fn verdicts(world: &World) -> impl Iterator<Item = &Verdict> {
    world
        .snapshots
        .iter()
        .filter_map(|collection| match collection {
            Collection::Judged(verdict) => Some(verdict),
            _ => None,
        })
}

fn check(bounds: Bounds, states: usize) {
    visit(Bank { bounds, bug: None }, &bounds.to_string(), states);
}

/// Visits every state of a bank; as many as were counted when they were last looked at.
fn visit<B>(bank: B, called: &str, states: usize)
where
    B: Model + Send + Sync + 'static,
    B::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    B::Action: Clone + Debug + PartialEq + Send + Sync,
{
    // Forgets the peak so far; where that is not allowed, the figure is that of all banks so far.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let begun = Instant::now();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let checker = bank.checker().threads(threads).spawn_dfs().join();
    let seconds = begun.elapsed().as_secs_f64();
    let (found, depth) = (checker.unique_state_count(), checker.max_depth());
    let memory = peak_memory();
    println!("{called}: {found} states, up to {depth} steps, {seconds:.1} s, {memory}");
    checker.assert_properties();
    assert_eq!(found, states, "states within these bounds: {called}");
}

/// The most memory that this process has had since that was last forgotten.
fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.map_or("memory unknown".to_owned(), |kb| {
        format!("{} MB", kb / 1024)
    })
}

/// What takes a second or so each, unoptimised.
#[test]
fn small_banks() {
    #[rustfmt::skip]
    let table = [
        (Bounds { shape: Mesh, founders: 2, joiners: 0, transfers: 2, snapshots: 2, crashes: 1, pipe: Some(1) }, 11_581),
        (Bounds { shape: Mesh, founders: 2, joiners: 0, transfers: 3, snapshots: 1, crashes: 0, pipe: Some(2) }, 1_065),
        (Bounds { shape: Mesh, founders: 3, joiners: 0, transfers: 1, snapshots: 1, crashes: 0, pipe: Some(1) }, 8_009),
        (Bounds { shape: Mesh, founders: 3, joiners: 0, transfers: 2, snapshots: 1, crashes: 0, pipe: None }, 12_859),
        (Bounds { shape: Mesh, founders: 1, joiners: 1, transfers: 2, snapshots: 2, crashes: 0, pipe: Some(2) }, 12_193),
        (Bounds { shape: Mesh, founders: 1, joiners: 1, transfers: 1, snapshots: 2, crashes: 1, pipe: Some(1) }, 5_924),
    ];
    for (bounds, states) in table {
        check(bounds, states);
    }
}

#[test]
#[ignore = "minutes: scripts/check --deep"]
fn larger_banks() {
    #[rustfmt::skip]
    let table = [
        (Bounds { shape: Mesh, founders: 2, joiners: 0, transfers: 3, snapshots: 2, crashes: 1, pipe: Some(1) }, 53_102),
        (Bounds { shape: Mesh, founders: 3, joiners: 0, transfers: 3, snapshots: 1, crashes: 0, pipe: Some(2) }, 1_518_540),
        (Bounds { shape: Mesh, founders: 3, joiners: 0, transfers: 1, snapshots: 2, crashes: 0, pipe: Some(1) }, 1_316_537),
        (Bounds { shape: Mesh, founders: 3, joiners: 0, transfers: 2, snapshots: 1, crashes: 2, pipe: Some(1) }, 342_452),
        (Bounds { shape: Mesh, founders: 3, joiners: 0, transfers: 1, snapshots: 2, crashes: 1, pipe: Some(1) }, 2_989_951),
        (Bounds { shape: Mesh, founders: 2, joiners: 1, transfers: 2, snapshots: 1, crashes: 0, pipe: Some(1) }, 1_062_657),
        (Bounds { shape: Mesh, founders: 2, joiners: 1, transfers: 1, snapshots: 1, crashes: 1, pipe: Some(1) }, 271_500),
        (Bounds { shape: Mesh, founders: 1, joiners: 2, transfers: 1, snapshots: 1, crashes: 0, pipe: Some(1) }, 584_089),
        (Bounds { shape: Mesh, founders: 2, joiners: 0, transfers: 3, snapshots: 3, crashes: 0, pipe: None }, 249_246),
        (Bounds { shape: Mesh, founders: 3, joiners: 0, transfers: 4, snapshots: 1, crashes: 0, pipe: None }, 1_463_487),
        (Bounds { shape: Mesh, founders: 3, joiners: 0, transfers: 2, snapshots: 2, crashes: 0, pipe: None }, 1_662_769),
        (Bounds { shape: Mesh, founders: 2, joiners: 1, transfers: 1, snapshots: 2, crashes: 0, pipe: None }, 2_925_002),
        (Bounds { shape: Mesh, founders: 4, joiners: 0, transfers: 2, snapshots: 1, crashes: 0, pipe: None }, 3_471_509),
        (Bounds { shape: Mesh, founders: 3, joiners: 1, transfers: 1, snapshots: 1, crashes: 0, pipe: None }, 23_282_738),
    ];
    for (bounds, states) in table {
        check(bounds, states);
    }
}

#[test]
fn small_sparse_banks() {
    #[rustfmt::skip]
    let table = [
        (Bounds { shape: Ring, founders: 3, joiners: 0, transfers: 2, snapshots: 1, crashes: 0, pipe: Some(1) }, 1_196),
        (Bounds { shape: Ring, founders: 3, joiners: 0, transfers: 2, snapshots: 2, crashes: 0, pipe: None }, 22_945),
        (Bounds { shape: Ring, founders: 3, joiners: 0, transfers: 1, snapshots: 1, crashes: 1, pipe: Some(1) }, 684),
        (Bounds { shape: LateRing, founders: 3, joiners: 0, transfers: 2, snapshots: 1, crashes: 0, pipe: None }, 1_660),
        (Bounds { shape: Chain, founders: 3, joiners: 0, transfers: 2, snapshots: 2, crashes: 0, pipe: Some(1) }, 1_236),
    ];
    for (bounds, states) in table {
        check(bounds, states);
    }
}

#[test]
#[ignore = "minutes: scripts/check --deep"]
fn larger_sparse_banks() {
    #[rustfmt::skip]
    let table = [
        (Bounds { shape: Ring, founders: 4, joiners: 0, transfers: 3, snapshots: 2, crashes: 0, pipe: None }, 825_117),
        (Bounds { shape: Ring, founders: 3, joiners: 0, transfers: 3, snapshots: 2, crashes: 1, pipe: Some(1) }, 1_033_623),
        (Bounds { shape: LateRing, founders: 3, joiners: 0, transfers: 3, snapshots: 2, crashes: 0, pipe: Some(1) }, 950_718),
        (Bounds { shape: Chain, founders: 4, joiners: 0, transfers: 3, snapshots: 2, crashes: 1, pipe: Some(1) }, 106_346),
    ];
    for (bounds, states) in table {
        check(bounds, states);
    }
}

/// Where no channel leads on from the initiator, nothing is wrong, and nothing ever completes.
#[test]
fn a_snapshot_of_which_nobody_can_hear_never_completes() {
    let shape = ChainBack;
    let bounds = Bounds {
        shape,
        transfers: 2,
        founders: 3,
        ..SMALL
    };
    let checker = Bank { bounds, bug: None }.checker().spawn_dfs().join();
    checker.assert_any_discovery(COMPLETES);
    checker.assert_no_discovery(IN_TRANSIT);
    for never in [WHOLE, AS_DEFINED, REACHABLE, CONSERVES, AGREES, NO_REFUSAL] {
        checker.assert_no_discovery(never);
    }
}

fn counterexample(bug: Bug, bounds: Bounds, property: &'static str) {
    let bank = Bank {
        bounds,
        bug: Some(bug),
    };
    let checker = shortest(bank, bug, property);
    checker.assert_no_discovery(AGREES);
}

/// The shortest way to a state that breaks the property, or to an end without it.
fn shortest<B, D: Debug>(bank: B, bug: D, property: &'static str) -> impl Checker<B>
where
    B: Model + Send + Sync + 'static,
    B::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    B::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let stop = HasDiscoveries::AnyOf([property].into());
    let checker = bank.checker().finish_when(stop).spawn_bfs().join();
    let path = checker.assert_any_discovery(property);
    println!("{bug:?}: not true that {property}:");
    for step in path.into_actions() {
        println!("    {step:?}");
    }
    checker
}

#[test]
fn a_marker_that_is_not_sent_before_anything_else_is_found() {
    counterexample(Bug::MarkersLater, SMALL, AS_DEFINED);
}

#[test]
fn a_marker_that_is_not_sent_at_all_is_found() {
    counterexample(Bug::OneMarkerMissing, SMALL, COMPLETES);
}

#[test]
fn markers_that_are_owed_to_who_joins_and_forgotten_are_found() {
    let joiner = Bounds {
        founders: 1,
        joiners: 1,
        ..SMALL
    };
    counterexample(Bug::OwedMarkersForgotten, joiner, COMPLETES);
}

#[test]
fn markers_that_are_owed_on_a_late_channel_and_forgotten_are_found() {
    let late = Bounds {
        shape: LateRing,
        founders: 3,
        ..SMALL
    };
    counterexample(Bug::OwedMarkersForgotten, late, COMPLETES);
}
