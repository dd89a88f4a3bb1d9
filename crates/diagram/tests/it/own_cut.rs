//! The reader's own cut: what the page says of it, by the definition, and how it is drawn.

use std::collections::BTreeSet;

use history::{Content, ProcessId, System, What};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::page::{table, with_browser};
use crate::shown::{Shown, happened_before};

/// Every cut of the worked example, and many of a run of four processes.
#[test]
fn a_cut_is_judged_as_by_definition() {
    let (example, small) = (Shown::named("cut-example"), Shown::small_as("cut-small"));
    with_browser("judge", |browser| {
        judged(browser, &example, |steps| {
            (0..=steps[0])
                .flat_map(|first| (0..=steps[1]).map(move |second| vec![first, second]))
                .collect()
        });
        judged(browser, &small, |steps| {
            let mut state = 7_u64;
            let mut below = |limit: usize| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                usize::try_from(state >> 33).unwrap() % limit
            };
            let any = (0..200).map(|_| steps.iter().map(|all| below(all + 1)).collect());
            any.collect()
        });
    });
}

fn judged(browser: &mut Browser, run: &Shown, cuts: impl FnOnce(&[usize]) -> Vec<Vec<usize>>) {
    run.open(browser);
    let definition = Definition::new(browser, run);
    let steps: Vec<usize> = definition.lanes.iter().map(Vec::len).collect();
    let cuts = cuts(&steps);
    let found = browser.evaluate(&format!(
        "{}.map(cut => {{
            const {{ broken, across, balances, total, surplus }} = judge(cut);
            return {{
                broken, across, total: String(total), surplus: String(surplus),
                balances: balances.map(balance => balance === undefined ? null : String(balance)),
                causes: withCauses(cut), effects: withoutEffects(cut),
            }};
        }})",
        json!(cuts)
    ));
    let mut consistent = 0;
    for (cut, found) in cuts.iter().zip(found.as_array().unwrap()) {
        assert_eq!(*found, definition.of(cut), "{cut:?}");
        consistent += usize::from(definition.is_consistent(cut));
    }
    assert!(consistent > 5 && consistent + 5 < cuts.len());
}

/// What is true of a cut, from the events and from what happened before what.
struct Definition<'a> {
    system: &'a System,
    /// The events of each step of each process.
    lanes: Vec<Vec<Vec<usize>>>,
    before: Vec<BTreeSet<usize>>,
}

impl<'a> Definition<'a> {
    fn new(browser: &mut Browser, run: &'a Shown) -> Self {
        let system = &run.system;
        let moments = run.moments(browser);
        let processes: BTreeSet<ProcessId> = system
            .events
            .iter()
            .filter_map(|event| event.what.process())
            .collect();
        let steps_of = |process: &ProcessId| {
            let own =
                |events: &&Vec<usize>| system.events[events[0]].what.process() == Some(*process);
            moments.iter().filter(own).cloned().collect()
        };
        Self {
            system,
            lanes: processes.iter().map(steps_of).collect(),
            before: happened_before(system),
        }
    }

    fn inside(&self, cut: &[usize]) -> BTreeSet<usize> {
        let lanes = self.lanes.iter().zip(cut);
        lanes
            .flat_map(|(steps, count)| steps[..*count].concat())
            .collect()
    }

    /// Of what is inside, everything that led to it is inside too.
    fn is_consistent(&self, cut: &[usize]) -> bool {
        let inside = self.inside(cut);
        inside
            .iter()
            .all(|event| self.past(*event).is_subset(&inside))
    }

    /// What led to an event at a process. What the system itself does is not in any cut.
    fn past(&self, event: usize) -> BTreeSet<usize> {
        let past = self.before[event].iter().copied();
        past.filter(|it| self.system.events[*it].what.process().is_some())
            .collect()
    }

    /// For each process the steps of which all events are among these.
    fn cut_of(
        &self,
        events: &BTreeSet<usize>,
        count: impl Fn(&[usize], &BTreeSet<usize>) -> bool,
    ) -> Vec<usize> {
        let steps_in =
            |steps: &Vec<Vec<usize>>| steps.iter().take_while(|step| count(step, events)).count();
        self.lanes.iter().map(steps_in).collect()
    }

    fn of(&self, cut: &[usize]) -> Value {
        let inside = self.inside(cut);
        let mut grown = inside.clone();
        grown.extend(inside.iter().flat_map(|event| self.past(*event)));
        let shrunk: BTreeSet<usize> = inside
            .iter()
            .copied()
            .filter(|event| self.past(*event).is_subset(&inside))
            .collect();
        let (mut broken, mut across) = (Vec::new(), Vec::new());
        for (index, message) in self.system.messages.iter().enumerate() {
            let is_sent = inside.contains(&message.sent);
            let is_received = message
                .received
                .is_some_and(|event| inside.contains(&event));
            if is_received && !is_sent {
                broken.push(index);
            }
            if is_sent && !is_received {
                across.push(index);
            }
        }
        let amount = |index: &usize| match self.system.messages[*index].content {
            Content::Amount(amount) => amount,
            Content::Marker(_) => 0,
        };
        let balances: Vec<Option<i128>> = self
            .lanes
            .iter()
            .zip(cut)
            .map(|(steps, count)| {
                let events = steps[..*count].concat();
                (*count > 0).then(|| {
                    events
                        .iter()
                        .map(|event| match self.system.events[*event].what {
                            What::Create { amount, .. } | What::Receive { amount, .. } => amount,
                            What::Send { amount, .. } => -amount,
                            _ => 0,
                        })
                        .sum()
                })
            })
            .collect();
        let total =
            balances.iter().flatten().sum::<i128>() + across.iter().map(amount).sum::<i128>();
        json!({
            "surplus": broken.iter().map(amount).sum::<i128>().to_string(),
            "total": total.to_string(),
            "broken": broken,
            "across": across,
            "balances": balances.iter().map(|it| it.map(|it| it.to_string())).collect::<Vec<_>>(),
            "causes": self.cut_of(&grown, |step, events| step.iter().any(|event| events.contains(event))),
            "effects": self.cut_of(&shrunk, |step, events| step.iter().all(|event| events.contains(event))),
        })
    }
}

/// In the worked example, process 2 receives at line 7 what process 1 sends at line 5.
#[test]
fn a_cut_is_drawn_with_mouse_fingers_and_keys() {
    let example = Shown::named("cut-drawn");
    with_browser("draw", |browser| {
        example.open(browser);
        the_mouse_breaks_and_mends_a_cut(browser);
        keys_move_its_handles(browser);
        browser.open(&example.file, 390, 844);
        browser.prefer(&[("prefers-reduced-motion", "reduce")]);
        fingers_move_its_handles(browser);
        browser.open(&example.file, 1280, 800);
        it_stays_where_it_is_when_a_cut_is_straightened(browser);
    });
}

fn the_mouse_breaks_and_mends_a_cut(browser: &mut Browser) {
    assert!(!is_seen(browser, ".handle") && !is_seen(browser, "#own-verdict"));
    let button = browser.middle("#draw-cut");
    browser.click(button);
    // It begins as the cut of the snapshot: each handle on its line, after the record.
    for lane in 0..2 {
        let (x, y) = handle(browser, lane);
        let record = browser.evaluate(&format!(
            "xOf(momentOf[RUN.snapshots[0].cut[{lane}]]) + svg.getBoundingClientRect().x"
        ));
        assert!(x > record.as_f64().unwrap(), "{x} {record}");
        let line = browser
            .middle(&format!(".grid .lane:nth-child({})", lane + 1))
            .1;
        assert!((y - line).abs() < 1.0, "{y} {line}");
    }
    assert!(is_seen(browser, "#own-verdict") && !is_seen(browser, "#own-repair"));
    let words = browser.text("#own-words");
    assert!(
        words.contains("✓ Consistent")
            && words.contains("1500 = 1400 in balances + 100 in transit"),
        "{words}"
    );
    assert_eq!(
        table(browser, "#own-tables", 0, 2),
        [["1", "300"], ["2", "1100"]]
    );
    assert_eq!(
        table(browser, "#own-tables", 1, 2),
        [["2 → 1", "100, marker S1"]]
    );
    let calm = stroke(browser, 0);
    // Process 1 is dragged back to before it has sent anything.
    let from = handle(browser, 0);
    let to = browser.middle(".moment:nth-child(2) .glyph");
    browser.drag(from, (to.0 + 30.0, from.1));
    let words = browser.text("#own-words");
    for part in [
        "✗ Not consistent",
        "The message of 300 was received by 2 inside the cut but sent by 1 after it: an effect without its cause.",
        "So were 2 others",
        "2200 = 2100 in balances + 100 in transit, which is 700 too much",
    ] {
        assert!(words.contains(part), "{words}");
    }
    // What breaks it is lit: the line itself, and wide beneath it.
    assert_ne!(stroke(browser, 0), calm);
    assert_eq!(
        stroke(browser, 0),
        browser.evaluate("getComputedStyle(document.querySelector('.own-line')).stroke")
    );
    let lit = browser.evaluate("document.querySelectorAll('.breaking').length");
    assert_eq!(lit, 3);
    assert!(is_seen(browser, ".breaking") && is_seen(browser, "#own-repair"));
    let own = browser.evaluate("own.steps");
    let button = browser.middle("#own-effects");
    browser.click(button);
    assert!(browser.text("#own-words").contains("✓ Consistent"));
    assert_eq!(stroke(browser, 0), calm);
    assert!(!is_seen(browser, ".breaking"));
    browser.evaluate(&format!("setOwnCut({own})"));
    let button = browser.middle("#own-causes");
    browser.click(button);
    let words = browser.text("#own-words");
    assert!(
        words.contains("✓ Consistent") && words.contains("1500 ="),
        "{words}"
    );
}

fn keys_move_its_handles(browser: &mut Browser) {
    browser.key("c");
    assert!(!is_seen(browser, ".handle"));
    browser.key("c");
    assert!(is_seen(browser, ".handle"));
    let focused = "document.activeElement.getAttribute('aria-label')";
    assert_eq!(browser.evaluate(focused), "Your cut at process 1");
    assert_eq!(
        browser.evaluate("document.activeElement.getAttribute('role')"),
        "slider"
    );
    let value = "document.activeElement.getAttribute('aria-valuetext')";
    browser.key("Home");
    assert_eq!(
        browser.evaluate(value),
        "before all 7 steps; the cut is not consistent"
    );
    browser.key("ArrowRight");
    browser.key("ArrowRight");
    let text = "after step 2 of 7: process 1 sends 300 to 2; the cut is not consistent";
    assert_eq!(browser.evaluate(value), text);
    assert_eq!(
        browser.evaluate("document.activeElement.getAttribute('aria-valuenow')"),
        "2"
    );
    let before = handle(browser, 0).0;
    browser.key("ArrowRight");
    assert!(handle(browser, 0).0 > before);
    browser.key("ArrowDown");
    assert_eq!(browser.evaluate(focused), "Your cut at process 2");
    browser.key("Home");
    assert!(browser.text("#own-words").contains("✓ Consistent"));
    // The step was not moved by them.
    assert!(browser.text("#status").starts_with("Step 1 of"));
}

fn fingers_move_its_handles(browser: &mut Browser) {
    let button = browser.middle("#draw-cut");
    browser.click(button);
    let (x, y) = handle(browser, 0);
    let pan = browser.evaluate("view.pan");
    browser.touch("touchStart", &[(x, y)]);
    // A finger is never quite level; neither the page nor the diagram goes with it.
    browser.touch("touchMove", &[(x - 2.0, y - 40.0)]);
    browser.touch("touchMove", &[(x - 40.0, y - 60.0)]);
    browser.touch("touchMove", &[(x - 60.0, y - 60.0)]);
    browser.touch("touchEnd", &[]);
    let now = handle(browser, 0).0;
    assert!((now - (x - 60.0)).abs() < 20.0, "{x} {now}");
    assert_eq!(browser.evaluate("view.pan"), pan, "the diagram was dragged");
    assert_eq!(
        browser.evaluate("document.documentElement.scrollWidth"),
        390
    );
}

fn it_stays_where_it_is_when_a_cut_is_straightened(browser: &mut Browser) {
    let button = browser.middle("#draw-cut");
    browser.click(button);
    assert_ne!(handle(browser, 0).0, handle(browser, 1).0);
    let words = browser.text("#own-words");
    browser.evaluate("toggleStraight()");
    browser.until("!svg.classList.contains('moving')");
    assert_eq!(browser.text("#own-words"), words);
    assert_eq!(
        handle(browser, 0).0,
        handle(browser, 1).0,
        "the cut of the snapshot is upright"
    );
}

/// Where a handle is seen.
fn handle(browser: &mut Browser, lane: usize) -> (f64, f64) {
    browser.middle(&format!(".handle:nth-child({}) .knob", lane + 1))
}

/// The colour of a message's line.
fn stroke(browser: &mut Browser, message: usize) -> Value {
    browser.evaluate(&format!(
        "getComputedStyle(drawn.messages[{message}].line).stroke"
    ))
}

/// Whether an element is there, has a size, and is not transparent.
fn is_seen(browser: &mut Browser, selector: &str) -> bool {
    let seen = browser.evaluate(&format!(
        "(() => {{
            const element = document.querySelector({selector:?});
            const box = element?.getBoundingClientRect();
            return element !== null && box.width + box.height > 0 && getComputedStyle(element).opacity > 0.1;
        }})()"
    ));
    seen == true
}
