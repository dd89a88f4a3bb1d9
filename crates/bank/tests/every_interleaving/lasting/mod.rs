//! Banks that last: whoever dies is started again from its journal, and nothing must show it.
//!
//! The nodes are the real ones: what they do, how they are restored, what they send again. A death comes at
//! any moment; what was not kept is lost, with all that has not gone out. `world.rs` is what is around them.

mod bounds;
mod process;
mod steps;
mod truth;
mod world;

use stateright::{Model, Property};

use self::bounds::{Bank, Bounds, Bug};
use self::steps::Step;
use self::world::{Collection, World};
use super::bounds::Shape::{Chain, Mesh, Ring};
use super::judge::Verdict;
use super::{shortest, visit};

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
            Property::always(RIGHT, |_, world: &World| {
                verdicts(world).all(Verdict::is_right)
            }),
            Property::always(NO_COMPLAINT, |_, world: &World| world.complaint.is_none()),
            Property::always(RECEIVED, Bank::receives_what_is_kept),
            Property::always(CONSERVES, Bank::money_is_there),
            Property::always(ONCE, Bank::does_everything_once),
            Property::eventually(COMPLETES, Bank::is_over),
            // Nothing above means much unless these come to pass.
            Property::sometimes(IN_TRANSIT, |bank: &Bank, world: &World| {
                let Bounds {
                    shape, transfers, ..
                } = bank.bounds;
                let can_be = shape != Chain && transfers > 0;
                !can_be || verdicts(world).any(|it| it.in_transit)
            }),
            Property::sometimes(AT_ONCE, |bank: &Bank, world: &World| {
                let dead = world.processes.iter().filter(|it| !it.is_alive()).count();
                dead == bank.bounds.deaths.min(bank.bounds.processes)
            }),
            Property::sometimes(ALL_DIE, |bank: &Bank, world: &World| {
                world.deaths == [0, 0] && bank.is_over(world)
            }),
        ]
    }
}

const RIGHT: &str = "a completed snapshot is right";
const NO_COMPLAINT: &str = "nobody complains";
const RECEIVED: &str = "what is received was sent and kept, in this order, none of it twice";
const CONSERVES: &str = "all the money is there";
const ONCE: &str = "every instruction is carried out once";
const COMPLETES: &str = "everything completes";
const IN_TRANSIT: &str = "a message crosses the cut";
const AT_ONCE: &str = "as many are dead at once as may be";
const ALL_DIE: &str = "as many die as may, and everything completes";

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

fn counterexample(bug: Bug, bounds: Bounds, property: &'static str) {
    let bank = Bank {
        bounds,
        bug: Some(bug),
    };
    let _ = shortest(bank, bug, property);
}

/// What takes a few seconds each, unoptimised.
#[test]
fn small_banks_that_last() {
    #[rustfmt::skip]
    let table = [
        (Bounds { shape: Mesh, processes: 2, transfers: 1, snapshots: 1, deaths: 1, observers: 0, window: 1, pipe: 1 }, 26_850),
        (Bounds { shape: Mesh, processes: 2, transfers: 0, snapshots: 1, deaths: 1, observers: 1, window: 1, pipe: 1 }, 7_948),
        (Bounds { shape: Chain, processes: 2, transfers: 1, snapshots: 1, deaths: 1, observers: 0, window: 1, pipe: 1 }, 3_743),
    ];
    for (bounds, states) in table {
        check(bounds, states);
    }
}

#[test]
#[ignore = "minutes: scripts/check --deep"]
fn larger_banks_that_last() {
    #[rustfmt::skip]
    let table = [
        (Bounds { shape: Mesh, processes: 2, transfers: 1, snapshots: 1, deaths: 2, observers: 1, window: 1, pipe: 1 }, 566_822),
        (Bounds { shape: Mesh, processes: 2, transfers: 1, snapshots: 1, deaths: 3, observers: 0, window: 1, pipe: 1 }, 1_056_992),
        (Bounds { shape: Mesh, processes: 2, transfers: 2, snapshots: 1, deaths: 2, observers: 0, window: 1, pipe: 2 }, 1_514_894),
        (Bounds { shape: Mesh, processes: 2, transfers: 2, snapshots: 1, deaths: 1, observers: 0, window: 2, pipe: 1 }, 404_481),
        (Bounds { shape: Mesh, processes: 2, transfers: 1, snapshots: 2, deaths: 1, observers: 0, window: 1, pipe: 1 }, 3_010_052),
        (Bounds { shape: Ring, processes: 3, transfers: 1, snapshots: 1, deaths: 1, observers: 0, window: 1, pipe: 1 }, 333_270),
        (Bounds { shape: Ring, processes: 3, transfers: 0, snapshots: 1, deaths: 2, observers: 0, window: 1, pipe: 1 }, 472_363),
        (Bounds { shape: Chain, processes: 3, transfers: 2, snapshots: 1, deaths: 2, observers: 0, window: 1, pipe: 1 }, 1_547_669),
    ];
    for (bounds, states) in table {
        check(bounds, states);
    }
}

/// Enough to get it wrong.
const SMALL: Bounds = Bounds {
    shape: Mesh,
    processes: 2,
    transfers: 1,
    snapshots: 1,
    deaths: 1,
    observers: 0,
    window: 1,
    pipe: 1,
};

#[test]
fn what_goes_out_before_it_is_kept_is_found() {
    counterexample(Bug::NothingHeldBack, SMALL, RECEIVED);
}

#[test]
fn a_sender_that_does_not_wait_for_its_receivers_count_is_found() {
    counterexample(Bug::NobodyAsksWhatWasReceived, SMALL, COMPLETES);
}

#[test]
fn a_receiver_that_goes_on_with_an_old_pipe_is_found() {
    counterexample(Bug::OldPipeRead, SMALL, RECEIVED);
}

#[test]
fn an_order_to_take_that_is_not_repeated_is_found() {
    counterexample(Bug::TakesNotRepeated, SMALL, COMPLETES);
}
