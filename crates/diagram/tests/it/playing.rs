//! Playing a run: what is seen in every frame. The frames and their times are the test's own.

use serde_json::Value;

use crate::browser::Browser;
use crate::page::with_browser;
use crate::shown::Shown;

#[test]
fn a_run_is_played() {
    let (example, small) = (Shown::named("play-example"), Shown::small_as("play-small"));
    let large = Shown::large_as("play-large");
    with_browser("play", |browser| {
        money_is_never_lost_on_its_way(browser, &small);
        money_travels_along_its_arrow(browser, &example);
        what_is_recorded_lights_up(browser, &small);
        it_is_played_without_motion(browser, &small);
        it_stops_and_goes_on(browser, &example);
        most_frames_of_a_large_run_move_only_what_travels(browser, &large);
    });
}

/// In every frame what is written on the screen adds up, and once all processes are there, to the
/// same.
fn money_is_never_lost_on_its_way(browser: &mut Browser, run: &Shown) {
    begin(browser, run, "no-preference");
    let frames = frames(
        browser,
        90,
        "(() => {
            const isSeen = element => {
                const box = element.getBoundingClientRect();
                return box.width > 0 && getComputedStyle(element).opacity > 0.5;
            };
            const texts = selector => [...document.querySelectorAll(selector)].filter(isSeen)
                .map(it => BigInt(it.textContent));
            const sum = amounts => amounts.reduce((a, b) => a + b, 0n);
            const [held, moving] = [texts('.purse text'), texts('.coin:not(.of-marker) text')];
            return [String(sum(held)), String(sum(moving)), moving.length, byId('total').innerText];
        })()",
    );
    let mut sums = Vec::new();
    let mut moved = 0;
    for (nth, seen) in frames.iter().enumerate() {
        let number = |index: usize| seen[index].as_str().unwrap().parse::<u128>().unwrap();
        let (held, moving) = (number(0), number(1));
        let words = format!(
            "In all {} = {held} in balances + {moving} in transit",
            held + moving
        );
        assert_eq!(seen[3], words, "frame {nth}");
        sums.push(held + moving);
        moved = moved.max(seen[2].as_u64().unwrap());
    }
    sums.dedup();
    // It grows as processes begin, three at the start and one that joins, and then no more.
    let begun = ["288230376151711743", "0", "647", "850"].map(|it| it.parse::<u128>().unwrap());
    assert_eq!(sums.last().copied(), Some(begun.iter().sum()));
    assert!(
        sums.is_sorted() && sums.len() <= begun.len() + 1,
        "{sums:?}"
    );
    assert!(moved > 3 && frames.len() > 200, "{moved}");
}

/// What is under way is where the line crosses its arrow, and gets on.
fn money_travels_along_its_arrow(browser: &mut Browser, run: &Shown) {
    begin(browser, run, "no-preference");
    let frames = frames(
        browser,
        50,
        "(() => {
            const coin = [...document.querySelectorAll('.coin')]
                .find(it => it.textContent === '300' && it.style.display !== 'none');
            const middle = box => [box.x + box.width / 2, box.y + box.height / 2];
            const arrow = drawn.messages[0].line.getBoundingClientRect();
            return coin && [
                ...middle(coin.getBoundingClientRect()),
                middle(document.querySelector('.now').getBoundingClientRect())[0],
                arrow.x, arrow.y, arrow.width, arrow.height,
            ];
        })()",
    );
    let mut places: Vec<(f64, f64)> = Vec::new();
    for seen in frames.into_iter().filter(|seen| !seen.is_null()) {
        let [x, y, now, left, top, width, height]: [f64; 7] = serde_json::from_value(seen).unwrap();
        assert!((x - now).abs() < 1.0, "{x} is not on the line at {now}");
        let on_arrow = top + (x - left) * height / width;
        assert!(
            (y - on_arrow).abs() < 2.0,
            "{y} is not on the arrow at {on_arrow}"
        );
        places.push((x, y));
    }
    assert!(places.len() > 10, "{places:?}");
    assert!(places.is_sorted(), "{places:?}");
}

/// At the end everything that was recorded is lit, and before that nothing that is to come.
fn what_is_recorded_lights_up(browser: &mut Browser, run: &Shown) {
    begin(browser, run, "no-preference");
    let lit = |browser: &mut Browser| {
        let seen = browser.evaluate(
            "[[...document.querySelectorAll('.light')].filter(it => getComputedStyle(it).opacity > 0.2).length,
              [...document.querySelectorAll('#diagram .pen')].filter(it => getComputedStyle(it).display !== 'none').length,
              drawn.cuts.filter(({line}) => getComputedStyle(line).opacity > 0.1).length]",
        );
        [0, 1, 2].map(|index: usize| seen[index].as_u64().unwrap())
    };
    browser.until("drawn.cuts.every(({line}) => getComputedStyle(line).opacity === '0')");
    browser.evaluate("byId('speed').value = 4");
    assert_eq!(lit(browser), [0, 0, 0]);
    let growing = frames(browser, 90, "document.querySelectorAll('.light').length");
    let growing: Vec<u64> = growing.iter().map(|it| it.as_u64().unwrap()).collect();
    assert!(growing.is_sorted());
    let snapshots = run.system.snapshots.values();
    let is_in_state = |snapshot: &history::Snapshot| {
        let messages = run.system.messages.iter();
        let crossing =
            messages.filter(|message| snapshot.crosses(message) && message.received.is_some());
        snapshot.cut.len() + crossing.count()
    };
    let recorded: usize = snapshots.map(is_in_state).sum();
    browser.until("drawn.cuts.every(({line}) => getComputedStyle(line).opacity > 0.1)");
    let [now, pens, cuts] = lit(browser);
    assert_eq!(usize::try_from(now).unwrap(), recorded);
    assert_eq!(pens, 0);
    assert_eq!(cuts, 2);
}

/// Who does not want motion sees a step after the other, at the same pace.
fn it_is_played_without_motion(browser: &mut Browser, run: &Shown) {
    begin(browser, run, "reduce");
    let columns = browser.evaluate("[...new Set(view.columns)].sort((a, b) => a - b)");
    let columns: Vec<f64> = serde_json::from_value(columns).unwrap();
    let first = browser.evaluate("played.column");
    let later = frames(browser, 100, "played.column");
    let seen = [first].into_iter().chain(later);
    let mut seen: Vec<f64> = seen.map(|it| it.as_f64().unwrap()).collect();
    let frames = seen.len();
    seen.dedup();
    assert_eq!(seen, columns);
    assert!(frames > 7 * (columns.len() - 2), "{frames} frames");
}

fn it_stops_and_goes_on(browser: &mut Browser, run: &Shown) {
    begin(browser, run, "no-preference");
    let now = |browser: &mut Browser| browser.middle(".now").0;
    assert_eq!(browser.text("#play"), "Pause");
    for _ in 0..30 {
        assert!(frame(browser, 100.0));
    }
    // Space stops it where it is, and goes on from there.
    browser.key(" ");
    assert_eq!(browser.text("#play"), "Play");
    assert!(!frame(browser, 100.0));
    let paused = now(browser);
    browser.key(" ");
    frame(browser, 100.0);
    frame(browser, 100.0);
    let gone = now(browser) - paused;
    assert!(gone > 0.0 && gone < 30.0, "{gone}");
    // Twice the speed, twice the way.
    browser.evaluate("byId('speed').value = 2");
    let before = now(browser);
    frame(browser, 100.0);
    let fast = now(browser) - before;
    assert!((fast - 2.0 * gone).abs() < 1.0, "{fast} {gone}");
    // After a step of the reader's own it plays from that one.
    browser.key("ArrowRight");
    assert_eq!(browser.text("#play"), "Play");
    let coins = browser.evaluate("document.querySelector('.played').getBoundingClientRect().width");
    assert_eq!(coins, 0);
    let place = browser.middle(".moment.current").0;
    browser.key(" ");
    assert!((now(browser) - place).abs() < 1.0);
    frames(browser, 100, "0");
    assert_eq!(browser.text("#play"), "Play");
    assert!(browser.text("#status").contains("the system ends"));
    // From the end it begins anew.
    browser.key(" ");
    assert!(browser.text("#status").starts_with("Step 1 of"));
    // What is to come is faint, until Escape ends it.
    let faintness = "getComputedStyle(drawn.moments.at(-1).group).fillOpacity < 0.5";
    browser.key("Escape");
    assert_eq!(browser.evaluate(faintness), false);
    browser.key(" ");
    assert_eq!(browser.evaluate(faintness), true);
}

/// The whole picture is placed anew only now and then, and no frame asks for a layout.
fn most_frames_of_a_large_run_move_only_what_travels(browser: &mut Browser, run: &Shown) {
    run.open(browser);
    browser.evaluate("goTo(400, false)");
    start(browser, "no-preference");
    browser.evaluate(
        "(() => {
            window.placed = 0;
            window.measured = 0;
            const [placing, measuring] = [schedule, Element.prototype.getBoundingClientRect];
            schedule = isZoomed => { placed += 1; placing(isZoomed); };
            Element.prototype.getBoundingClientRect = function () {
                measured += 1;
                return measuring.call(this);
            };
        })()",
    );
    let start = browser.evaluate("view.pan").as_f64().unwrap();
    for _ in 0..200 {
        assert!(frame(browser, 16.0));
    }
    let panned = browser.evaluate("view.pan").as_f64().unwrap() - start;
    let placed = browser.evaluate("placed").as_u64().unwrap();
    assert!(
        panned > 50.0 && placed > 0 && placed < 10,
        "{panned} {placed}"
    );
    assert_eq!(browser.evaluate("measured"), 0);
}

/// Opens a run, and plays it.
fn begin(browser: &mut Browser, run: &Shown, motion: &str) {
    run.open(browser);
    browser.key("Home");
    start(browser, motion);
}

/// Plays from the step reached, in frames that come when `frame` calls for them.
fn start(browser: &mut Browser, motion: &str) {
    browser.prefer(&[("prefers-reduced-motion", motion)]);
    browser.evaluate(
        "ticker.ask = frame => { window.asked = frame; };
         ticker.cancel = () => { window.asked = undefined; };
         window.clock = 0;",
    );
    let button = browser.middle("#play");
    browser.click(button);
    browser.evaluate("document.activeElement.blur()");
    frame(browser, 0.0);
}

/// Plays to the end; what is found after each frame. They are some milliseconds apart.
fn frames(browser: &mut Browser, apart: u32, look: &str) -> Vec<Value> {
    let found = browser.evaluate(&format!(
        "(() => {{
            const found = [];
            while (asked) {{
                const frame = asked;
                asked = undefined;
                frame(clock += {apart});
                found.push({look});
            }}
            return found;
        }})()"
    ));
    serde_json::from_value(found).unwrap()
}

/// Some milliseconds later, the next frame; false where none is wanted.
fn frame(browser: &mut Browser, later: f64) -> bool {
    let is_wanted = browser.evaluate(&format!(
        "(() => {{
            const frame = window.asked;
            window.asked = undefined;
            clock += {later};
            frame?.(clock);
            return frame !== undefined;
        }})()"
    ));
    is_wanted == Value::Bool(true)
}
