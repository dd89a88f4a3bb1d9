//! The whole system in one test: master, observer and nodes as values, joined by queues, compared with
//! the reference model and against what must hold whoever dies.
//!
//! A failure says the seed that repeats it, and the script, shrunken:
//! `PIPEBANK_SEED=n cargo test -p pipebank-bank --test whole_system`. `scripts/whole-system` runs a
//! million of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs
)]

mod checks;
mod lasting;
mod lasting_load;
mod network;
mod pipe;
mod second_tag;
mod several_hosts;
mod world;

use std::cell::Cell;
use std::collections::BTreeSet;

use bank::draw::Draw;
use bank::id::NodeId;
use bank::script::{Command, Statement, read_lasting_script, read_script};

use reference::interpret;
use testing::generate::{Size, lasting_script, pieces_of, script};

use self::checks::check;
use self::network::ONE_HOST;
use self::world::{Complaint, Disorder, World};

/// An unoptimised build, which is what `scripts/check` tests, runs one seed of this many: it takes
/// ten times as long for each.
const THINNED: u64 = 3;

/// Runs so many seeds, or those that are asked for; returns how many. A few need not show everything.
fn each_seed(runs: u64, run: impl Fn(u64) -> Result<(), Complaint>) -> u64 {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|it| it.parse::<u64>().ok())
    };
    let only = number("PIPEBANK_SEED");
    let first = only.unwrap_or(1);
    let runs = match cfg!(debug_assertions) {
        true => runs.div_ceil(THINNED),
        false => runs,
    };
    let runs = number("PIPEBANK_RUNS").unwrap_or(only.map_or(runs, |_| 1));
    for seed in first..first + runs {
        if let Err(complaint) = run(seed) {
            panic!(
                "{complaint}\nagain: PIPEBANK_SEED={seed} cargo test -p pipebank-bank --test whole_system"
            );
        }
    }
    runs
}

/// As many runs as show whatever is to be seen in some of them.
const ENOUGH: u64 = 7;

/// Those of the last bank.
fn deposits(statements: &[Statement]) -> Vec<(NodeId, u64)> {
    let is_start = |it: &Statement| matches!(it.command, Command::StartMaster { .. });
    let start = statements.iter().rposition(is_start).unwrap_or(0);
    let statements = &statements[start..];
    let created = statements
        .iter()
        .filter_map(|statement| match statement.command {
            Command::CreateNode { id, amount } => Some((id, amount)),
            _ => None,
        });
    created.collect()
}

fn disorder(seed: u64, deaths: u32) -> Disorder {
    let mut draw = Draw::from_seed(seed ^ 0x057e_a7e8);
    Disorder {
        deaths,
        from_move: 40 + draw.pick(300),
        one_in: [2, 5, 20, 100][draw.pick(4)],
        window: [1, 4, 16, 64, 1024, 1024][draw.pick(6)],
        tile: 1 + draw.pick(4),
        lazy: [4, 2, 4].map(|one_in| draw.pick(one_in) == 0),
        withholding: draw.pick(2) == 0,
        network: ONE_HOST,
    }
}

const ONE_SYSTEM: Size = Size {
    nodes: 4,
    commands: 60,
    rounds: 1,
    deaths: true,
    sparse_one_in: 3,
};

/// A script without `KillAll` in the middle: what is looked at in the end is one system.
fn one_system(seed: u64, deaths: bool) -> String {
    let size = Size {
        deaths,
        ..ONE_SYSTEM
    };
    without_an_end(&script(seed, size))
}

/// The same for a bank that lasts: who is killed is mostly started again.
fn lasting_system(seed: u64) -> String {
    without_an_end(&lasting_script(seed, ONE_SYSTEM))
}

fn without_an_end(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("KillAll"))
        .fold(String::new(), |text, line| text + line + "\n")
}

/// A script in which much is on the way at once, and little fails.
fn traffic(seed: u64) -> String {
    traffic_of(seed, 60)
}

fn traffic_of(seed: u64, steps: usize) -> String {
    let mut draw = Draw::from_seed(seed ^ 0x007a_ff1c);
    let nodes = 2 + draw.pick(3);
    let sparse = draw.pick(3) == 0;
    let mut text = "StartMaster".to_owned() + if sparse { " sparse\n" } else { "\n" };
    let (mut sent, mut channels) = (Vec::new(), BTreeSet::new());
    for node in 0..nodes {
        text += &format!("CreateNode {node} {}\n", [0, 50, 1000][draw.pick(3)]);
    }
    let mut ids = nodes;
    for _ in 0..steps {
        let from = draw.pick(ids);
        let to = (from + 1 + draw.pick(ids - 1)) % ids;
        let step = draw.pick(42);
        // In a sparse system most channels open when they are first used, whatever is in flight then.
        if sparse && step >= 4 && channels.insert((from, to)) {
            text += &format!("Connect {from} {to}\n");
        }
        text += &match step {
            0 => format!("BeginSnapshot {from}\n"),
            1 => "ReceiveAll\n".to_owned(),
            2 => format!("Receive {to}\n"),
            3 => "CollectState\n".to_owned(),
            40 => "nodes\n".to_owned(),
            41 if draw.pick(4) == 0 => format!("KillNode {from}\n"),
            4 if ids < 6 => {
                ids += 1;
                format!("CreateNode {} 100\n", ids - 1)
            }
            5..20 if !sent.is_empty() => {
                let (from, to) = sent.remove(draw.pick(sent.len()));
                format!("Receive {to} {from}\n")
            }
            _ => {
                sent.push((from, to));
                format!("Send {from} {to} {}\n", [1, 3, 20, 60, 400][draw.pick(5)])
            }
        };
    }
    text + "ReceiveAll\nCollectState\n"
}

/// A script in which some send hundreds of transfers to one that has nothing else, and is told to
/// send on what it has: how much that is can be seen by what it refuses.
fn crowd(seed: u64) -> String {
    let mut draw = Draw::from_seed(seed ^ 0x00c2_0ed5);
    let [rich, poor] = [2 + draw.pick(2), 1 + draw.pick(2)];
    let mut text = "StartMaster\n".to_owned();
    for node in 0..rich + poor + 1 {
        text += &format!("CreateNode {node} {}\n", if node < rich { 9000 } else { 0 });
    }
    let many = 10 + draw.pick(150);
    let sent = (0..many).map(|_| (draw.pick(rich), rich + draw.pick(poor)));
    let sent: Vec<_> = sent.collect();
    for (from, to) in &sent {
        text += &format!("Send {from} {to} {}\n", 1 + draw.pick(3));
    }
    for (from, to) in &sent {
        text += &format!("Receive {to} {from}\n");
    }
    for exponent in (0..11).rev() {
        for from in rich..rich + poor {
            text += &format!("Send {from} {} {}\n", rich + poor, 1 << exponent);
        }
    }
    text + "ReceiveAll\n"
}

/// Removes lines from a script as long as it still fails.
fn shrink(text: &str, fails: impl Fn(&str) -> bool) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let mut piece = lines.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < lines.len() {
            let mut fewer = lines.clone();
            fewer.drain(at..(at + piece).min(lines.len()));
            let text = fewer.join("\n");
            if read_lasting_script(text.as_bytes()).is_ok() && fails(&text) {
                lines = fewer;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    lines.join("\n")
}

fn without_deaths(text: &str, seed: u64, schedule: u64) -> Result<(), Complaint> {
    is_as_the_model_says(text, seed, schedule, disorder(seed, 0))
}

fn is_as_the_model_says(
    text: &str,
    seed: u64,
    schedule: u64,
    disorder: Disorder,
) -> Result<(), Complaint> {
    let statements = read_script(text.as_bytes()).unwrap();
    let schedule = seed.wrapping_add(schedule);
    let mut world = World::new(statements.clone(), seed, schedule, disorder);
    world.run()?;
    let expected = interpret(text, seed);
    if world.stdout != expected.stdout {
        return Err(format!(
            "stdout is\n{}and must be\n{}",
            world.stdout, expected.stdout
        ));
    }
    let failed: Vec<usize> = world
        .failures
        .iter()
        .map(|(line, _)| *line as usize)
        .collect();
    let must: Vec<usize> = expected
        .failures
        .iter()
        .map(|failure| failure.line)
        .collect();
    if failed != must {
        return Err(format!("lines {failed:?} failed, and lines {must:?} must"));
    }
    check(&world, &statements, &deposits(&statements))
}

fn with_deaths(text: &str, seed: u64, schedule: u64) -> Result<(), Complaint> {
    with_disorder(text, seed, schedule, some_die(seed))
}

fn some_die(seed: u64) -> Disorder {
    disorder(seed, 1 + (seed % 4) as u32)
}

fn with_a_massacre(text: &str, seed: u64, schedule: u64) -> Result<(), Complaint> {
    with_disorder(text, seed, schedule, a_massacre(text, seed))
}

/// All but one die, most of them before master has heard of the first.
fn a_massacre(text: &str, seed: u64) -> Disorder {
    let mut draw = Draw::from_seed(seed ^ 0x0dea_d5ea);
    let lines = text.lines().count();
    Disorder {
        deaths: 3 + draw.pick(2) as u32,
        from_move: 3 * lines / 2 + draw.pick(lines),
        one_in: [10, 20, 50, 100][draw.pick(4)],
        window: 4096,
        tile: 16,
        lazy: [true; 3],
        withholding: draw.pick(2) == 0,
        network: ONE_HOST,
    }
}

fn with_disorder(
    text: &str,
    seed: u64,
    schedule: u64,
    disorder: Disorder,
) -> Result<(), Complaint> {
    let statements = read_script(text.as_bytes()).unwrap();
    let schedule = seed.wrapping_mul(31).wrapping_add(schedule);
    let mut world = World::new(statements.clone(), seed, schedule, disorder);
    world.run()?;
    check(&world, &statements, &deposits(&statements))
}

/// Runs a script; where that fails, looks for the shortest that still does, by some schedule.
fn shrunken(
    text: &str,
    seed: u64,
    run: impl Fn(&str, u64, u64) -> Result<(), Complaint>,
) -> Result<(), Complaint> {
    let Err(complaint) = run(text, seed, 0) else {
        return Ok(());
    };
    let complains = |text: &str| (0..50).find_map(|schedule| run(text, seed, schedule).err());
    let small = shrink(text, |text| complains(text).is_some());
    let says = complains(&small).unwrap_or_default();
    Err(format!("{complaint}\nshrunken:\n{small}\n{says}"))
}

fn lasting_disorder(draw: &mut Draw) -> lasting::Disorder {
    lasting::Disorder {
        deaths: 1 + draw.pick(20) as u32,
        one_in: [3, 10, 30, 100][draw.pick(4)],
        window: [1, 4, 16, 64, 1024, 1024][draw.pick(6)],
        tile: 1 + draw.pick(4),
        is_noticed_late: draw.pick(3) == 0,
        withholding: draw.pick(2) == 0,
        ends: [0, 1, 2, 6][draw.pick(4)],
        life: [30, 300, 1000][draw.pick(3)],
        notes_every: [None, Some(1), Some(2 + draw.pick(10))][draw.pick(3)],
        is_fickle: false,
        segment: [None, Some(1), Some(20), Some(200)][draw.pick(4)],
        network: ONE_HOST,
    }
}

/// A bank that lasts, in which people die all the time.
fn lasting(text: &str, seed: u64, schedule: u64, network: network::Setup) -> Result<(), Complaint> {
    let statements = read_lasting_script(text.as_bytes()).unwrap();
    let mut draw = Draw::from_seed(seed ^ 0x1a57_1a57);
    let pieces = [1, 1, 2, 4][draw.pick(4)];
    let scripts = pieces_of(text, pieces, seed);
    let disorder = lasting::Disorder {
        network,
        ..lasting_disorder(&mut draw)
    };
    let schedule = seed.wrapping_mul(31).wrapping_add(schedule);
    let mut world = lasting::World::new(&scripts, seed, schedule, disorder);
    world.run()?;
    lasting::check(&world, &scripts, seed, &deposits(&statements))?;
    let in_peace = lasting::Disorder {
        deaths: 0,
        ends: 0,
        window: [1, 4, 1024][draw.pick(3)],
        ..disorder
    };
    let mut peace = lasting::World::new(&scripts, seed, schedule ^ 1, in_peace);
    peace.run()?;
    lasting::are_told_the_same(&world, &peace)
}

/// Everybody is killed again and again, always before the script could have been run from its beginning.
/// Returns how many segments of journals were removed meanwhile.
fn hardly_living(text: &str, seed: u64, schedule: u64) -> Result<u64, Complaint> {
    let statements = read_lasting_script(text.as_bytes()).unwrap();
    let mut draw = Draw::from_seed(seed ^ 0x5150_beef);
    let scripts = pieces_of(text, 1 + draw.pick(2), seed);
    let disorder = lasting::Disorder {
        deaths: draw.pick(20) as u32,
        ends: u32::MAX,
        life: 600,
        notes_every: Some(1 + draw.pick(3)),
        ..lasting_disorder(&mut draw)
    };
    let schedule = seed.wrapping_mul(31).wrapping_add(schedule);
    let mut world = lasting::World::new(&scripts, seed, schedule, disorder);
    world.run()?;
    lasting::check(&world, &scripts, seed, &deposits(&statements))?;
    Ok(world.removed)
}

/// The same, but scripts are given up when everybody has died.
fn given_up(text: &str, seed: u64, schedule: u64) -> Result<(), Complaint> {
    let mut draw = Draw::from_seed(seed ^ 0x91fe_0b0b);
    let scripts = pieces_of(text, 1 + draw.pick(2), seed);
    let disorder = lasting::Disorder {
        ends: 1 + draw.pick(6) as u32,
        is_fickle: true,
        ..lasting_disorder(&mut draw)
    };
    let schedule = seed.wrapping_mul(31).wrapping_add(schedule);
    let mut world = lasting::World::new(&scripts, seed, schedule, disorder);
    world.run()?;
    lasting::check_what_follows(&world)
}

fn lasting_text(seed: u64) -> String {
    match seed % 8 {
        0 => crowd(seed),
        1..4 => traffic(seed),
        4..6 => lasting_script(
            seed,
            Size {
                rounds: 3,
                ..ONE_SYSTEM
            },
        ),
        _ => lasting_system(seed),
    }
}

#[test]
fn in_a_bank_that_lasts_nobody_notices_a_death() {
    each_seed(2_000, |seed| {
        let run = |text: &str, seed, schedule| lasting(text, seed, schedule, ONE_HOST);
        shrunken(&lasting_text(seed), seed, run)
    });
}

#[test]
fn a_bank_gets_on_however_soon_everybody_is_killed() {
    let removed = Cell::new(0);
    let run = |text: &str, seed, schedule| {
        let segments = hardly_living(text, seed, schedule)?;
        removed.set(removed.get() + segments);
        Ok(())
    };
    let runs = each_seed(20, |seed| shrunken(&traffic_of(seed, 600), seed, run));
    assert!(
        removed.get() > 0 || runs < ENOUGH,
        "no journal was ever shortened"
    );
}

#[test]
fn a_script_that_is_given_up_leaves_a_bank_with_all_the_money() {
    each_seed(2_000, |seed| shrunken(&lasting_text(seed), seed, given_up));
}

#[test]
fn under_load_nothing_is_lost_whoever_dies_and_journals_stay_short() {
    each_seed(300, |seed| lasting_load::run(seed, network::ONE_HOST));
}

#[test]
fn without_deaths_everything_is_as_the_model_says() {
    each_seed(2_000, |seed| {
        shrunken(&one_system(seed, seed % 4 == 2), seed, without_deaths)
    });
}

#[test]
fn whoever_dies_the_money_adds_up_and_everybody_says_the_same() {
    each_seed(2_000, |seed| {
        let text = match seed % 3 {
            0 => one_system(seed, seed % 2 == 0),
            _ => traffic(seed),
        };
        shrunken(&text, seed, with_deaths)
    });
}

#[test]
fn many_may_die_at_once_with_much_on_the_way_among_them() {
    each_seed(500, |seed| shrunken(&crowd(seed), seed, with_a_massacre));
}
