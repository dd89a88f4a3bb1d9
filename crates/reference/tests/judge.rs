//! The judge against enumeration: it says "possible" of exactly those outputs that some order prints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use reference::judge::{Verdict, judge};
use reference::outcomes::{What, outcomes};
use reference::{Bug, Draw, interpret, interpret_lasting, interpret_with};
use testing::generate::{Size, lasting_script, script};

/// A script that is small enough for every order to be tried; in a bank that lasts, nodes die and come
/// back.
fn small(seed: u64, lasts: bool) -> String {
    let mut draw = Draw::from_seed(seed);
    let mut dead = Vec::new();
    let nodes = [2, 3, 3, 3][draw.pick(4)];
    let sparse = draw.pick(2) == 0;
    let mut text = String::from(if sparse {
        "StartMaster sparse\n"
    } else {
        "StartMaster\n"
    });
    let mut ends = Vec::new();
    let mut created = 0;
    let create = |text: &mut String, created: &mut usize, ends: &mut Vec<(usize, usize)>| {
        *created += 1;
        let new = *created;
        writeln!(text, "CreateNode {new} 10").unwrap();
        if !sparse {
            ends.extend((1..new).flat_map(|old| [(old, new), (new, old)]));
        }
    };
    let connect = |text: &mut String, ends: &mut Vec<(usize, usize)>, pair: (usize, usize)| {
        if sparse && pair.0 != pair.1 && !ends.contains(&pair) {
            ends.push(pair);
            writeln!(text, "Connect {} {}", pair.0, pair.1).unwrap();
        }
    };
    for _ in 0..nodes {
        create(&mut text, &mut created, &mut ends);
    }
    for at in 1..=nodes {
        connect(&mut text, &mut ends, (at, at % nodes + 1));
    }
    for _ in 0..2 {
        let (from, to) = (1 + draw.pick(created), 1 + draw.pick(created));
        connect(&mut text, &mut ends, (from, to));
    }
    for _ in 0..1 + draw.pick(2) {
        let sends = 3 + draw.pick(3);
        for at in 0..sends + draw.pick(6) {
            if lasts && at >= sends {
                death_or_restart(&mut draw, created, &mut dead, &mut text);
            }
            let pair = ends[draw.pick(ends.len())];
            match draw.pick(12) {
                _ if at < sends => {
                    let amount = [1, 2, 4, 8, 1, 0][draw.pick(6)];
                    writeln!(text, "Send {} {} {amount}", pair.0, pair.1).unwrap();
                }
                0..=1 => writeln!(text, "BeginSnapshot {}", pair.0).unwrap(),
                5 => writeln!(text, "Receive {}", pair.1).unwrap(),
                6..=7 => writeln!(text, "Receive {} {}", pair.1, pair.0).unwrap(),
                8 if created < 4 => {
                    create(&mut text, &mut created, &mut ends);
                    let new = created;
                    connect(&mut text, &mut ends, (1, new));
                    connect(&mut text, &mut ends, (new, 1));
                }
                9 => {
                    let (from, to) = (1 + draw.pick(created), 1 + draw.pick(created));
                    connect(&mut text, &mut ends, (from, to));
                }
                _ => {}
            }
        }
        text += [
            "ReceiveAll\n",
            "",
            "ReceiveAll\nCollectState\nPrintSnapshot\n",
        ][draw.pick(3)];
    }
    for id in dead {
        writeln!(text, "RestartNode {id}").unwrap();
    }
    text + "ReceiveAll\nCollectState\nPrintSnapshot 1\nPrintSnapshot 2\nPrintSnapshot\n"
}

fn death_or_restart(draw: &mut Draw, created: usize, dead: &mut Vec<usize>, text: &mut String) {
    match draw.pick(6) {
        0 | 1 => {
            let id = 1 + draw.pick(created);
            if !dead.contains(&id) {
                dead.push(id);
                writeln!(text, "KillNode {id}").unwrap();
            }
        }
        2 if !dead.is_empty() => {
            let id = dead.swap_remove(draw.pick(dead.len()));
            writeln!(text, "RestartNode {id}").unwrap();
        }
        // While somebody is dead, what is delivered to the living only.
        3 if !dead.is_empty() => text.push_str("ReceiveAll\n"),
        _ => {}
    }
}

/// Outputs that are nearly `output`: a number changed, a line dropped, doubled or swapped, and lines
/// of `other` in their places.
fn changed(draw: &mut Draw, output: &str, other: &str) -> String {
    let mut lines: Vec<String> = output.lines().map(str::to_owned).collect();
    let others: Vec<&str> = other.lines().collect();
    if lines.is_empty() {
        return "ERR_SEND\n".into();
    }
    for _ in 0..1 + draw.pick(3) {
        let at = draw.pick(lines.len());
        match draw.pick(8) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines.swap(at, 0),
            3 | 4 => {
                let line = &mut lines[at];
                if let Some((before, number)) = line.rsplit_once(' ')
                    && let Ok(number) = number.parse::<u64>()
                {
                    let near = (number + 3).saturating_sub(draw.pick(7) as u64);
                    *line = format!("{before} {near}");
                }
            }
            5 => {
                // Money moved between a balance and a channel, so that the total stays.
                let to = draw.pick(lines.len());
                for (at, by) in [(at, 1), (to, -1)] {
                    if let Some((before, number)) = lines[at].rsplit_once(" = ")
                        && let Ok(number) = number.parse::<i64>()
                    {
                        lines[at] = format!("{before} = {}", number + by);
                    }
                }
            }
            _ => {
                if let Some(line) = others.get(at) {
                    lines[at] = (*line).to_owned();
                }
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}

#[test]
fn exactly_what_some_order_prints_is_possible() {
    exactly(0..40, false);
}

#[test]
fn exactly_what_some_order_prints_is_possible_in_a_bank_that_lasts() {
    exactly(0..20, true);
}

#[test]
#[ignore = "minutes: scripts/check --deep"]
fn exactly_what_some_order_prints_is_possible_in_many_scripts() {
    exactly(1_000..3_000, false);
}

#[test]
#[ignore = "minutes: scripts/check --deep"]
fn exactly_what_some_order_prints_is_possible_in_many_banks_that_last() {
    exactly(1_000..3_000, true);
}

fn exactly(seeds: Range<u64>, lasts: bool) {
    let scripts = seeds.clone().count();
    let (mut possible, mut impossible, mut hidden, mut left_out) = (0, 0, 0, 0);
    for seed in seeds {
        let text = small(seed, lasts);
        let all = outcomes(&text, What::Everything, 20_000);
        if !all.complete {
            left_out += 1;
            continue;
        }
        let all: Vec<String> = all.outcomes.into_keys().collect();
        hidden += usize::from(all.len() > 1);
        for output in &all {
            let verdict = judge(&text, output);
            assert_eq!(verdict, Verdict::Possible, "seed {seed}\n{text}\n{output}");
            possible += 1;
        }
        let set: BTreeSet<&str> = all.iter().map(|output| output.trim_end()).collect();
        let mut draw = Draw::from_seed(seed);
        for _ in 0..60 {
            let (one, other) = (draw.pick(all.len()), draw.pick(all.len()));
            let output = changed(&mut draw, &all[one], &all[other]);
            let verdict = judge(&text, &output);
            let right = match &verdict {
                Verdict::Possible => set.contains(output.trim_end()),
                Verdict::Impossible(mismatch) => {
                    impossible += 1;
                    first_wrong(&all, &output) == mismatch.line
                        && mismatch_is_right(&all, mismatch, &output)
                }
                Verdict::Unknown(_) => false,
            };
            assert!(right, "seed {seed}: {verdict:?}\n{text}\n{output}");
        }
    }
    let seen = format!(
        "{hidden} of {scripts} with several outcomes, {possible} possible outputs, \
        {impossible} impossible ones, {left_out} scripts too large"
    );
    assert!(
        hidden > scripts / 10 && possible > scripts && left_out < scripts / 6,
        "{seen}"
    );
    assert!(impossible > 20 * scripts, "{seen}");
    eprintln!("{seen}");
}

/// The first line that no output has after the lines before it.
fn first_wrong(all: &[String], output: &str) -> usize {
    let lines: Vec<&str> = output.lines().collect();
    let agrees = |count: usize| {
        all.iter().any(|one| {
            let mut one = one.lines();
            lines[..count].iter().all(|line| one.next() == Some(*line))
        })
    };
    (1..=lines.len())
        .find(|&count| !agrees(count))
        .unwrap_or(lines.len() + 1)
}

/// What could have stood there is what stands there in some output that begins alike.
fn mismatch_is_right(all: &[String], mismatch: &reference::judge::Mismatch, output: &str) -> bool {
    let before: Vec<&str> = output.lines().take(mismatch.line - 1).collect();
    let possible: BTreeSet<&str> = all
        .iter()
        .filter_map(|one| {
            let lines: Vec<&str> = one.lines().collect();
            lines
                .starts_with(&before)
                .then(|| lines.get(mismatch.line - 1).copied())?
        })
        .collect();
    let said: BTreeSet<&str> = mismatch.possible.iter().map(String::as_str).collect();
    possible == said
}

#[test]
fn what_the_reference_prints_is_possible() {
    for seed in 0..300 {
        let text = script(seed, Size::of(seed));
        let output = interpret(&text, seed).stdout;
        assert_eq!(judge(&text, &output), Verdict::Possible, "seed {seed}");
        let text = lasting_script(seed, Size::of(seed));
        let output = interpret_lasting(&text, seed).stdout;
        assert_eq!(
            judge(&text, &output),
            Verdict::Possible,
            "seed {seed}, in a bank that lasts"
        );
    }
}

#[test]
fn every_wrong_implementation_is_caught() {
    for bug in Bug::ALL {
        let caught = (0..200).any(|seed| {
            let text = script(seed, Size::of(seed));
            let output = interpret_with(&text, seed, Some(bug)).stdout;
            matches!(judge(&text, &output), Verdict::Impossible(_))
        });
        assert!(caught, "{bug:?}");
    }
}
