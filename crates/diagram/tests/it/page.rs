//! The page in a real browser: what a reader does with mouse, fingers and keys, and what is seen.
//! Skipped, with a message, where there is no Chromium.

use std::collections::BTreeMap;
use std::io::Write;

use crate::browser::Browser;
use crate::shown::{HOSTILE, Replay, Shown, happened_before};
use history::{Content, ProcessId, Snapshot, System};

/// Something that a reader does, and what must be seen then.
type Check<'a> = (&'static str, &'a dyn Fn(&mut Browser));

#[test]
fn the_page_does_in_a_browser_what_it_promises() {
    with_browser("page", explored);
}

/// Has a test done by a browser, where there is one; nothing may go wrong in its pages.
pub(crate) fn with_browser(name: &str, test: impl FnOnce(&mut Browser)) {
    let Some(mut browser) = Browser::start(name) else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: there is no Chromium (Debian: apt-get install chromium)"
        );
        return;
    };
    test(&mut browser);
    browser.assert_quiet();
}

fn explored(browser: &mut Browser) {
    let example = Shown::example();
    let hostile = Shown::hostile();
    let large = Shown::large();
    let small = Shown::small();
    let middle = Shown::middle();
    let checks: [Check; 10] = [
        ("hover", &|it| hovering_tells_details(it, &example)),
        ("causes", &|it| a_click_shows_past_and_future(it, &small)),
        ("steps", &|it| every_step_shows_the_state_then(it, &small)),
        ("part", &|it| {
            a_part_begins_in_the_state_of_then(it, &middle.0, &middle.1)
        }),
        (
            "sparse",
            &a_process_records_only_the_channels_that_there_are,
        ),
        ("straight", &|it| cuts_are_straightened(it, &small)),
        ("animated", &|it| {
            the_way_to_a_straight_cut_is_seen(it, &example)
        }),
        ("keys", &|it| everything_can_be_done_with_keys(it, &example)),
        ("hostile", &|it| texts_are_never_markup(it, &hostile)),
        ("view", &|it| the_view_is_zoomed_and_panned(it, &large)),
    ];
    for (name, check) in checks {
        browser.doing(name);
        check(browser);
        browser.assert_quiet();
    }
}

fn hovering_tells_details(browser: &mut Browser, example: &Shown) {
    example.open(browser);
    assert_eq!(browser.text("h1"), "arg.txt");
    let message = browser.middle(".message:nth-child(1) .line");
    browser.mouse("mouseMoved", message);
    let tooltip = browser.text("#tooltip");
    assert!(
        tooltip.contains("message of 300 on channel 1 → 2"),
        "{tooltip}"
    );
    let event = browser.middle(".moment.record .glyph");
    browser.mouse("mouseMoved", event);
    let tooltip = browser.text("#tooltip");
    assert!(
        tooltip.contains("process 1 records its state: 300"),
        "{tooltip}"
    );
    assert!(tooltip.contains("line 9"), "{tooltip}");
    browser.mouse("mouseMoved", (1000.0, 20.0));
    browser.until("document.querySelector('#tooltip').hidden");
}

/// In a ring each has but one incoming channel; a part of the run knows those of before.
fn a_process_records_only_the_channels_that_there_are(browser: &mut Browser) {
    for ring in Shown::ring() {
        ring.open(browser);
        browser.key("End");
        let said = browser.text("#now");
        assert!(said.contains("S1 records from 3"), "{said}");
        assert!(!said.contains("from 2"), "{said}");
        let key = browser.text("#legend");
        assert!(key.contains("opens a channel"), "{key}");
    }
}

/// Of several events, those that are lit are the ones from which they are reached, or which they
/// reach, by the processes' own orders and the messages.
fn a_click_shows_past_and_future(browser: &mut Browser, run: &Shown) {
    run.open(browser);
    let whole = browser.middle("#whole");
    browser.click(whole);
    let groups = run.moments(browser);
    let system = &run.system;
    let before = happened_before(system);
    for clicked in (0..groups.len()).step_by(9) {
        browser.evaluate(&format!("select({{moment: {clicked}}})"));
        let lit = browser.evaluate(
            "drawn.moments.map(({group}) => ['in-past', 'in-future']
                .map(name => group.classList.contains(name)))",
        );
        for (moment, events) in groups.iter().enumerate().filter(|it| it.0 != clicked) {
            let led = |from: &[usize], to: &[usize]| {
                from.iter()
                    .any(|from| to.iter().any(|to| before[*to].contains(from)))
            };
            let is_past = led(events, &groups[clicked]);
            let is_future = led(&groups[clicked], events);
            let found = &lit[moment];
            assert_eq!(found[0], is_past, "{clicked} {moment}");
            assert_eq!(found[1], is_future, "{clicked} {moment}");
        }
        browser.evaluate(&format!("select({{moment: {clicked}}})"));
        assert_eq!(
            browser.evaluate("svg.classList.contains('highlighting')"),
            false
        );
    }
}

/// Stepping with the keys from the first to the last step, the tables say what a replay says.
fn every_step_shows_the_state_then(browser: &mut Browser, run: &Shown) {
    run.open(browser);
    let groups = run.moments(browser);
    let mut replay = Replay::default();
    for (step, events) in groups.iter().enumerate() {
        if step > 0 {
            browser.key("ArrowRight");
        }
        for event in events {
            replay.event(&run.system, *event);
        }
        assert_eq!(
            table(browser, "#now", 0, 2),
            replay.balances(),
            "step {step}"
        );
        assert_eq!(
            table(browser, "#now", 1, 2),
            replay.in_transit(),
            "step {step}"
        );
    }
    let status = browser.text("#status");
    assert!(status.contains("the system ends"), "{status}");
    browser.key("Home");
    assert!(browser.text("#status").starts_with("Step 1 of"));
}

/// What is not shown has happened all the same.
fn a_part_begins_in_the_state_of_then(browser: &mut Browser, run: &Shown, shown: &[usize]) {
    run.open(browser);
    let lanes = browser.evaluate("RUN.processes.map(process => process.id)");
    let lanes: Vec<String> = serde_json::from_value(lanes).unwrap();
    let moments = browser.evaluate("moments.map(moment => moment.events.length)");
    let moments: Vec<usize> = serde_json::from_value(moments).unwrap();
    let mut replay = Replay::default();
    (0..shown[0]).for_each(|event| replay.event(&run.system, event));
    assert!(!replay.channels().is_empty());
    let mut next = shown[0];
    for (step, events) in moments.iter().enumerate() {
        if step > 0 {
            browser.key("ArrowRight");
        }
        for event in next..next + events {
            replay.event(&run.system, event);
        }
        next += events;
        let mut balances = replay.balances();
        balances.retain(|row| lanes.contains(&row[0]));
        assert_eq!(table(browser, "#now", 0, 2), balances, "step {step}");
        assert_eq!(
            table(browser, "#now", 1, 2),
            replay.in_transit(),
            "step {step}"
        );
    }
    assert_eq!(next, shown.len() + shown[0]);
    let explanation =
        browser.evaluate("chooseSnapshot(0); document.querySelector('#explanation').textContent");
    assert!(
        explanation
            .as_str()
            .unwrap()
            .contains("outside of what is shown"),
        "{explanation}"
    );
}

/// Every cut of the run becomes a vertical line, with what was before it to its left and the rest to
/// its right; every process keeps its order, and the state at the line is the snapshot.
fn cuts_are_straightened(browser: &mut Browser, run: &Shown) {
    run.open(browser);
    let groups = run.moments(browser);
    let mut straightened = 0;
    let whole = browser.middle("#whole");
    browser.click(whole);
    let as_it_happened = positions(browser);
    for (index, (id, snapshot)) in run.system.snapshots.iter().enumerate() {
        let choice = format!(
            "(() => {{
                const choice = document.querySelector('#choice');
                choice.value = {index};
                choice.dispatchEvent(new Event('change'));
                return choice.selectedOptions[0].textContent;
            }})()"
        );
        assert_eq!(browser.evaluate(&choice), format!("snapshot {id}"));
        let button = browser.middle("#straighten");
        browser.click(button);
        if run.system.straighten(*id).is_err() {
            let explanation = browser.text("#explanation");
            assert!(
                explanation.contains("cannot be straightened"),
                "{explanation}"
            );
            continue;
        }
        straightened += 1;
        browser.until("svg.classList.contains('straight')");
        assert!(browser.text("#explanation").contains("at one instant"));
        let x = positions(browser);
        assert_straight(&run.system, snapshot, &groups, &x);
        let Some(collected) = &snapshot.collected else {
            continue;
        };
        let states: Vec<Vec<String>> = collected
            .states
            .iter()
            .map(|(process, state)| vec![process.to_string(), state.to_string()])
            .collect();
        assert_eq!(table(browser, "#recorded", 0, 2), states);
        assert_eq!(table(browser, "#now", 0, 2), states);
        let channels: Vec<Vec<String>> = collected
            .channels
            .iter()
            .filter(|(_, amounts)| !amounts.is_empty())
            .map(|(channel, amounts)| {
                let amounts: Vec<String> = amounts.iter().map(i128::to_string).collect();
                vec![channel.to_string(), amounts.join(", ")]
            })
            .collect();
        assert_eq!(table(browser, "#recorded", 1, 2), channels);
        // Markers apart, that is what is in transit.
        let mut in_transit = table(browser, "#now", 1, 2);
        in_transit.retain(|row| !row[0].starts_with("marker"));
        for row in &mut in_transit {
            let amounts = row[1].split(", ").filter(|it| !it.starts_with("marker"));
            row[1] = amounts.collect::<Vec<_>>().join(", ");
        }
        in_transit.sort();
        let mut channels = channels;
        channels.sort();
        assert_eq!(in_transit, channels);
        let button = browser.middle("#straighten");
        browser.click(button);
    }
    assert!(straightened > 1);
    let whole = browser.middle("#whole");
    browser.click(whole);
    browser.until("String(view.columns) === String(arrange().columns)");
    assert_eq!(positions(browser), as_it_happened);
}

fn assert_straight(system: &System, snapshot: &Snapshot, groups: &[Vec<usize>], x: &[f64]) {
    let mut x_of = vec![0.0; system.events.len()];
    for (moment, events) in groups.iter().enumerate() {
        for event in events {
            x_of[*event] = x[moment];
        }
    }
    let line = x_of[*snapshot.cut.values().next().unwrap()];
    let moment_of = |event: usize| groups.iter().position(|it| it.contains(&event)).unwrap();
    let mut last: BTreeMap<ProcessId, f64> = BTreeMap::new();
    for (index, event) in system.events.iter().enumerate() {
        let Some(process) = event.what.process() else {
            continue;
        };
        let here = x_of[index];
        let before = last.insert(process, here).unwrap_or(f64::MIN);
        assert!(before <= here, "event {index} is left of one before it");
        let Some(record) = snapshot.cut.get(&process) else {
            continue;
        };
        if moment_of(index) == moment_of(*record) {
            assert_eq!(here, line, "the record of process {process}");
        } else {
            assert_eq!(index < *record, here < line, "event {index}");
            assert_ne!(here, line, "event {index}");
        }
    }
    for message in &system.messages {
        if let (Content::Amount(_), Some(received)) = (message.content, message.received) {
            assert!(x_of[message.sent] < x_of[received], "{message:?}");
        }
    }
}

/// Without the wish for calm, the events are seen between where they were and where they go.
fn the_way_to_a_straight_cut_is_seen(browser: &mut Browser, example: &Shown) {
    example.open(browser);
    browser.prefer(&[("prefers-reduced-motion", "no-preference")]);
    let button = browser.middle("#straighten");
    let from = positions(browser);
    browser.evaluate(
        "window.seen = [];
         new MutationObserver(() => seen.push(drawn.moments[5].group.getAttribute('transform')))
             .observe(drawn.moments[5].group, {attributes: true, attributeFilter: ['transform']});",
    );
    browser.click(button);
    browser.until("svg.classList.contains('straight') && !svg.classList.contains('moving')");
    assert_ne!(positions(browser), from);
    let seen = browser.evaluate("new Set(seen).size").as_u64().unwrap();
    assert!(seen > 2, "{seen} places were seen");
}

fn everything_can_be_done_with_keys(browser: &mut Browser, example: &Shown) {
    example.open(browser);
    let tab_to = |browser: &mut Browser, condition: &str| {
        for _ in 0..30 {
            browser.key("Tab");
            if browser.evaluate(&format!("document.activeElement.matches({condition:?})")) == true {
                return;
            }
        }
        panic!("{condition} is not reached with Tab");
    };
    tab_to(browser, ".moment.start:focus-visible");
    for _ in 0..4 {
        browser.key("ArrowRight");
    }
    let label = browser.evaluate("document.activeElement.getAttribute('aria-label')");
    assert_eq!(label, "process 2 sends 100 to 1, line 6");
    assert!(
        browser
            .text("#tooltip")
            .contains("process 2 sends 100 to 1")
    );
    assert_eq!(
        browser.evaluate("svg.querySelectorAll('[tabindex=\"0\"]').length"),
        1
    );
    browser.key("Enter");
    assert_eq!(
        browser.evaluate("svg.classList.contains('highlighting')"),
        true
    );
    assert!(browser.text("#causes").contains("in its future"));
    browser.key("Escape");
    assert_eq!(
        browser.evaluate("svg.classList.contains('highlighting')"),
        false
    );
    browser.key("m");
    let label = browser.evaluate("document.activeElement.getAttribute('aria-label')");
    let expected = "message of 100 on channel 2 → 1, number 1 on its channel, \
                    in transit at the cut of snapshot 1";
    assert_eq!(label, expected);
    browser.key("Enter");
    assert_eq!(
        browser.evaluate("svg.classList.contains('highlighting')"),
        true
    );
    browser.key("m");
    assert!(
        browser
            .text("#status")
            .contains("process 1 receives 100 from 2")
    );
    browser.key("ArrowDown");
    let label = browser.evaluate("document.activeElement.getAttribute('aria-label')");
    assert!(label.as_str().unwrap().contains("process 2"), "{label}");
    let column = browser.evaluate("view.column").as_f64().unwrap();
    browser.key("+");
    assert!(browser.evaluate("view.column").as_f64().unwrap() > column);
    browser.key("0");
    tab_to(browser, "#choice:focus-visible");
    browser.key("ArrowUp");
    browser.until("state.snapshot === undefined");
    browser.key("ArrowDown");
    browser.until("state.snapshot === 0");
    tab_to(browser, "#straighten:focus-visible");
    browser.key("Enter");
    browser.until("svg.classList.contains('straight')");
    browser.key("Enter");
    browser.until("!svg.classList.contains('straight')");
    // What a screen reader says of everything that is drawn or can be pressed.
    let unnamed = browser.evaluate(
        "[...document.querySelectorAll('button, select, input, svg [role], table, [role=application]')]
            .filter(it => !(it.getAttribute('aria-label') || it.textContent.trim()
                || document.querySelector(`label[for=${it.id}]`))).length",
    );
    assert_eq!(unnamed, 0);
    assert_eq!(browser.evaluate("svg.getAttribute('role')"), "application");
    assert_eq!(
        browser.evaluate("document.querySelector('#status').ariaLive"),
        "polite"
    );
    let headless = "document.querySelectorAll('th:not([scope])').length";
    assert_eq!(browser.evaluate(headless), 0);
}

fn texts_are_never_markup(browser: &mut Browser, hostile: &Shown) {
    hostile.open(browser);
    let shown = history::Text::from(HOSTILE);
    assert_eq!(
        browser.evaluate("document.querySelector('h1').textContent"),
        &*shown
    );
    assert_eq!(
        browser.evaluate("document.title").as_str().unwrap().trim(),
        shown.trim()
    );
    for _ in 0..12 {
        browser.key("ArrowRight");
        browser.evaluate("showTooltip({moment: state.order[state.position]}, 100, 100)");
        browser.evaluate("select({moment: state.order[state.position]})");
    }
    let foreign = "document.querySelectorAll('script, img, iframe, link').length";
    assert_eq!(
        browser.evaluate(foreign),
        2,
        "only the data and the page's own script"
    );
    assert!(browser.text("#now").contains("18428729675200069626"));
    let choose = "chooseSnapshot(0); document.querySelector('#recorded').textContent";
    let recorded = browser.evaluate(choose);
    assert!(recorded.as_str().unwrap().contains(&*shown), "{recorded}");
    // Nor would it run if it were: the page's policy knows its own script only.
    let injected = "(() => {
        const script = document.createElement('script');
        script.textContent = 'window.injected = true';
        document.body.append(script);
        return window.injected === undefined;
    })()";
    assert_eq!(browser.evaluate(injected), true);
    browser.forgive("Content Security Policy");
}

fn the_view_is_zoomed_and_panned(browser: &mut Browser, large: &Shown) {
    large.open(browser);
    let look = |browser: &mut Browser| {
        let seen = browser.evaluate("[view.column, view.pan]");
        (seen[0].as_f64().unwrap(), seen[1].as_f64().unwrap())
    };
    let middle = browser.middle("#scroll");
    let (column, pan) = look(browser);
    browser.wheel(middle, -200.0);
    browser.until(&format!("view.column > {column}"));
    assert!(look(browser).1 > pan);
    let (column, pan) = look(browser);
    browser.drag(middle, (middle.0 - 150.0, middle.1));
    assert_eq!(look(browser), (column, pan + 150.0));
    for (button, is_wider) in [("#out", false), ("#in", true)] {
        let (column, _) = look(browser);
        let button = browser.middle(button);
        browser.click(button);
        assert_eq!(look(browser).0 > column, is_wider);
    }
    let whole = browser.middle("#whole");
    browser.click(whole);
    assert_eq!(browser.evaluate("widthOfRun() <= view.width + 1"), true);
    browser.resize(375, 800);
    browser.until("innerWidth === 375");
    let (x, y) = browser.middle("#scroll");
    let (column, _) = look(browser);
    browser.touch("touchStart", &[(x - 20.0, y), (x + 20.0, y)]);
    browser.touch("touchMove", &[(x - 90.0, y), (x + 90.0, y)]);
    browser.touch("touchEnd", &[]);
    browser.until(&format!("view.column > {column}"));
}

/// How far to the right each moment is drawn, in the picture's own measure.
fn positions(browser: &mut Browser) -> Vec<f64> {
    // What is out of sight is not moved.
    browser.evaluate("showWhole(); place()");
    let positions = browser.evaluate(
        "drawn.moments.map(({group}) => Number(/translate\\(([-0-9.]+)/.exec(group.getAttribute('transform'))[1]))",
    );
    serde_json::from_value(positions).unwrap()
}

/// The first cells of every row of a table.
pub(crate) fn table(
    browser: &mut Browser,
    within: &str,
    index: usize,
    cells: usize,
) -> Vec<Vec<String>> {
    let rows = browser.evaluate(&format!(
        "[...(document.querySelectorAll('{within} table')[{index}]?.tBodies[0].rows ?? [])]
            .map(row => [...row.cells].slice(0, {cells}).map(cell => cell.textContent))"
    ));
    serde_json::from_value(rows).unwrap()
}
