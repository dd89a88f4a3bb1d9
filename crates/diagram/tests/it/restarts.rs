//! Who dies and is restarted has one line, which is interrupted between; in every format.

use std::collections::BTreeMap;

use diagram::{Edge, Layout, Recent, Setting, Sheet, TextOptions, Time, dot, svg, text, trace};
use history::{Death, Event, Header, ProcessId, System, What};
use serde_json::Value;
use testing::histories::{seeds, systems};

use crate::browser::Browser;
use crate::common::{Example, examples};
use crate::page::with_browser;
use crate::shown::Shown;

/// Closer to each other, the two symbols would cover one another.
const APART: i32 = 20;

fn example() -> Example {
    let mut examples = examples();
    let index = examples.iter().position(|it| it.name == "restarts");
    examples.swap_remove(index.unwrap())
}

fn order(system: &System) -> Vec<usize> {
    (0..system.events.len()).collect()
}

/// All deaths that ended, and whose.
fn ended(system: &System) -> impl Iterator<Item = (Option<ProcessId>, usize, usize)> {
    let all = system.deaths.iter();
    let all = all.flat_map(|(process, deaths)| deaths.iter().map(move |it| (*process, it)));
    all.filter_map(|(process, &Death { died, restarted })| Some((process, died, restarted?)))
}

#[test]
fn a_line_is_interrupted_from_each_death_to_its_restart() {
    let mut seen = 0;
    for seed in seeds(150) {
        for system in systems(seed) {
            for is_compact in [false, true] {
                let setting = Setting {
                    is_compact,
                    ..Setting::WIDE
                };
                let sheet = Sheet::new(&system, &order(&system), setting);
                let [layout] = &sheet.rows[..] else {
                    continue;
                };
                seen += check(&system, layout, &format!("PIPEBANK_SEED={seed}"));
            }
        }
    }
    assert!(seen > 150 || seeds(2).len() == 1, "{seen}");
}

/// Returns how many restarts were seen.
fn check(system: &System, layout: &Layout, name: &str) -> usize {
    let events = layout.events.iter();
    let x_of: BTreeMap<usize, i32> = events.map(|it| (it.event, it.at.x)).collect();
    for lane in &layout.lanes {
        let own = ended(system).filter(|(process, ..)| *process == lane.process);
        let gaps: Vec<[i32; 2]> = own
            .map(|(_, died, back)| [x_of[&died], x_of[&back]])
            .collect();
        assert_eq!(lane.dead, gaps, "{name}: {:?}", lane.process);
        for [died, restarted] in gaps {
            assert!(restarted - died >= APART, "{name}: {died}, {restarted}");
        }
        if lane.process.is_some() {
            let stays_dead = system.stays_dead(lane.process);
            assert_eq!(lane.ends == Edge::Died, stays_dead, "{name}");
            assert_eq!(lane.after.is_none(), stays_dead, "{name}");
        }
    }
    // Nothing else happens where there is no line.
    for placed in &layout.events {
        let Some(lane) = placed.lane.map(|lane| &layout.lanes[lane]) else {
            continue;
        };
        let is_process = lane.process.is_some();
        let mut dead = lane.dead.iter();
        let is_within = dead.any(|[from, to]| *from < placed.at.x && placed.at.x < *to);
        assert!(!(is_within && is_process), "{name}: {placed:?}");
    }
    ended(system).count()
}

/// Where its death is in a row and its restart in another, or outside of what is drawn.
#[test]
fn a_line_that_is_interrupted_at_a_border_begins_or_ends_there() {
    let Example { system, header, .. } = example();
    for (process, died, restarted) in ended(&system) {
        let Some(process) = process else { continue };
        let lane = |events: &[usize]| {
            let layout = Layout::new(&system, events);
            let found = layout.lanes.iter().find(|it| it.process == Some(process));
            found.cloned().unwrap()
        };
        let order = order(&system);
        let until = lane(&order[..restarted]);
        assert_eq!((until.ends, until.after), (Edge::Died, None));
        let since = lane(&order[died + 1..]);
        assert_eq!(since.dead[0][0], 0);
        assert_eq!(since.before, None);
    }
    let image = svg(
        &system,
        &header,
        &Sheet::new(&system, &order(&system), Setting::WIDE),
    );
    let lifelines = image.lines().filter(|line| line.contains("data-lane"));
    let parts: Vec<usize> = lifelines.map(|line| line.matches('M').count()).collect();
    assert_eq!(parts, [1, 4, 2, 2]);
}

/// What a text draws of its last steps does not depend on how many came before those.
#[test]
fn in_a_text_who_is_dead_has_no_line() {
    let Example { system, .. } = example();
    let mut recent = Recent::default();
    system.events.iter().cloned().for_each(|it| recent.push(it));
    let drawn = |steps| {
        let options = TextOptions {
            width: 60,
            steps,
            earlier: false,
            ascii: false,
        };
        text(&recent, &options, |_, text| text.to_owned())
    };
    // The columns of processes; what is on arrows has other letters.
    let columns = |text: &str| -> Vec<[bool; 3]> {
        let mut lines = text.lines();
        let heads: Vec<usize> = {
            let head: Vec<char> = lines.next().unwrap().chars().collect();
            let is_name = |it: &usize| !head[*it].is_whitespace();
            (0..head.len()).filter(is_name).collect()
        };
        let lives = lines.map(|line| {
            let line: Vec<char> = line.chars().collect();
            [0, 1, 2].map(|nth: usize| matches!(line.get(heads[nth]), Some('│')))
        });
        lives.collect()
    };
    let all = columns(&drawn(usize::MAX));
    for steps in 1..all.len() - 2 {
        let last = columns(&drawn(steps));
        assert_eq!(last, all[all.len() - last.len()..], "{steps} steps");
    }
}

#[test]
fn a_graph_has_a_dotted_line_from_death_to_restart() {
    for seed in seeds(60) {
        for system in systems(seed) {
            let graph = dot(&system);
            let dotted: Vec<&str> = graph
                .lines()
                .filter(|it| it.contains("style=dotted"))
                .collect();
            let mut expected: Vec<String> = Vec::new();
            for (process, died, back) in ended(&system).filter(|it| it.0.is_some()) {
                let own = |event: &usize| system.events[*event].what.process() == process;
                assert!((died + 1..back).all(|event| !own(&event)));
                expected.push(format!("  e{died} -> e{back} [dir=none, "));
            }
            expected.sort();
            let mut found = dotted.clone();
            found.sort_unstable();
            assert_eq!(found.len(), expected.len(), "PIPEBANK_SEED={seed}\n{graph}");
            for (found, expected) in found.iter().zip(&expected) {
                assert!(found.starts_with(expected), "PIPEBANK_SEED={seed}: {found}");
            }
        }
    }
}

#[test]
fn in_a_trace_a_death_lasts_until_its_restart() {
    let Example { system, .. } = example();
    let trace = trace(&system, &Header::default(), Time::Steps).unwrap();
    let trace: Value = serde_json::from_str(&trace).unwrap();
    let slices = trace["traceEvents"].as_array().unwrap().iter();
    let slices: Vec<&Value> = slices.filter(|it| it["ph"] == "X").collect();
    let is = |slice: &Value, what: &str| slice["name"].as_str().unwrap().contains(what);
    let mut ends = 0;
    for restart in slices.iter().filter(|it| is(it, "restarted: ")) {
        let start = restart["ts"].as_u64().unwrap();
        let own = slices.iter().filter(|it| it["tid"] == restart["tid"]);
        let deaths = own.filter(|it| is(it, "died: "));
        let mut ended = deaths.map(|it| it["ts"].as_u64().unwrap() + it["dur"].as_u64().unwrap());
        ends += usize::from(ended.any(|end| end == start));
    }
    assert_eq!(ends, ended(&system).count());
}

/// A restart without a death, or two deaths, make no system of another kind: a picture ends well.
#[test]
fn what_cannot_have_been_is_drawn_all_the_same() {
    let Example { system, header, .. } = example();
    let is_restart = |it: &Event| matches!(it.what, What::Restarted { .. });
    let is_death = |it: &Event| matches!(it.what, What::Death { .. });
    for is_left_out in [is_restart, is_death] {
        let rest = system.events.iter().filter(|it| !is_left_out(it)).cloned();
        let system = System::link(rest).unwrap().remove(0);
        for format in diagram::Format::ALL {
            let drawing = format.draw(&system, &header, diagram::Selection::All);
            assert!(!drawing.unwrap().text.is_empty());
        }
    }
}

#[test]
fn the_page_shows_who_is_dead_until_the_restart() {
    with_browser("restarts", |browser| {
        let run = Shown::restarts_as("restarts");
        run.open(browser);
        lines_are_interrupted(browser, &run.system);
        every_step_says_who_is_dead(browser, &run);
        assert!(browser.text("#legend").contains("is restarted"));
        browser.evaluate("goTo(0, false); byId('speed').value = 4; play()");
        browser.until("drawn.lanes[1].group.classList.contains('dead')");
        browser.until("!drawn.lanes[1].group.classList.contains('dead')");
    });
}

fn lines_are_interrupted(browser: &mut Browser, system: &System) {
    for (lane, process) in system.processes.keys().map(Some).chain([None]).enumerate() {
        let parts = browser.evaluate(&format!(
            "drawn.lanes[{lane}].line.getAttribute('d').split('M').slice(1).map(it => it.split(/[ H]/).map(Number))"
        ));
        let parts: Vec<[f64; 3]> = serde_json::from_value(parts).unwrap();
        let own = ended(system).filter(|it| it.0.as_ref() == process);
        let own: Vec<_> = own.collect();
        assert_eq!(parts.len(), own.len() + 1, "{process:?}: {parts:?}");
        for ((_, died, restarted), pair) in own.into_iter().zip(parts.windows(2)) {
            let x = |event| {
                let x = browser_x(event);
                format!("round({x})")
            };
            let expected = browser.evaluate(&format!("[{}, {}]", x(died), x(restarted)));
            let expected: [f64; 2] = serde_json::from_value(expected).unwrap();
            assert_eq!([pair[0][2], pair[1][0]], expected, "{process:?}");
            assert!(expected[1] - expected[0] > 20.0, "{expected:?}");
        }
    }
}

fn browser_x(event: usize) -> String {
    format!("xOf(momentOf[{event}])")
}

fn every_step_says_who_is_dead(browser: &mut Browser, run: &Shown) {
    let processes: Vec<ProcessId> = run.system.processes.keys().copied().collect();
    let mut replay = history::Replay::default();
    let mut restarts = 0;
    for (step, events) in run.moments(browser).iter().enumerate() {
        if step > 0 {
            browser.key("ArrowRight");
        }
        for event in events {
            let what = &run.system.events[*event].what;
            replay.apply(what);
            if let What::Restarted { incarnation, .. } = what {
                restarts += 1;
                let status = browser.text("#status");
                let said = format!("is restarted: incarnation {incarnation}");
                assert!(status.contains(&said), "{status}");
            }
        }
        let struck = browser.evaluate(
            "drawn.lanes.slice(0, RUN.processes.length).map(({name}) => \
             getComputedStyle(name).textDecorationLine === 'line-through')",
        );
        let now = |id: &ProcessId| replay.processes().get(id).is_some_and(|it| it.is_dead);
        let dead: Vec<bool> = processes.iter().map(now).collect();
        assert_eq!(struck, serde_json::json!(dead), "step {step}");
        let said = browser.text("#now").matches("died").count();
        assert_eq!(said, dead.iter().filter(|it| **it).count(), "step {step}");
    }
    assert_eq!(restarts, ended(&run.system).count());
}
