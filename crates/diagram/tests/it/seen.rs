//! What is seen of the page: styles as they are computed, boxes, and what lies under a point. An
//! element that is there and cannot be seen is no help to anybody.

use crate::browser::Browser;
use crate::page::with_browser;
use crate::shown::Shown;

/// Something that a reader looks at, and on which run.
type Check<'a> = (&'static str, fn(&mut Browser, &Shown), &'a Shown);

/// What the checks share, in the page's own language.
const HELPERS: &str = "
    window.all = selector => [...document.querySelectorAll(selector)];
    window.middle = element => {
        const box = element.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];
    };
    // How much of an element is let through by itself and everything around it.
    window.opacity = element => element === null ? 1
        : Number(getComputedStyle(element).opacity) * opacity(element.parentElement);
    // It can be seen: there is something of it on the screen, and nothing lies above it.
    window.isSeen = element => {
        element.scrollIntoView({block: 'nearest'});
        const box = element.getBoundingClientRect();
        const top = document.elementFromPoint(...middle(element));
        return box.width > 0 && opacity(element) > 0.9 && element.contains(top);
    };
    window.isInFrame = element => {
        const [x, y] = middle(element);
        const box = frame.getBoundingClientRect();
        return x > box.left + view.gutter && x < box.right && y > box.top && y < box.bottom;
    };
    window.style = (element, name) => getComputedStyle(element).getPropertyValue(name);
    window.faint = element => Number(style(element, 'stroke-opacity')) < 0.3;
    0";

#[test]
fn what_the_page_says_is_seen() {
    with_browser("seen", |browser| {
        let example = Shown::named("seen-example");
        let small = Shown::small_as("seen-small");
        let large = Shown::large_as("seen-large");
        let checks: [Check; 13] = [
            ("causes", past_and_future_are_counted_visibly, &small),
            ("cut", cuts_are_bands_in_their_own_colours, &small),
            ("both", a_marker_along_the_cut_is_seen_on_it, &example),
            ("menu", the_menu_has_room_for_its_text, &small),
            ("heads", arrows_end_at_their_receivers, &large),
            ("opening", a_large_run_opens_on_its_snapshot, &large),
            ("in a hand", a_small_run_opens_whole, &example),
            ("deselect", nothing_stays_selected, &small),
            ("tooltip", the_tooltip_follows_the_keys, &small),
            ("choice", a_snapshot_is_chosen_with_its_step, &small),
            ("folded", the_state_of_many_is_not_tall, &large),
            ("stepping", what_is_to_come_is_faded, &small),
            ("fast", a_step_touches_little_of_a_large_run, &large),
        ];
        for (name, check, run) in checks {
            browser.doing(name);
            run.open(browser);
            browser.evaluate(HELPERS);
            check(browser, run);
            browser.assert_quiet();
        }
    });
}

#[test]
fn it_fits_on_a_desk_and_in_a_hand() {
    with_browser("fits", |browser| {
        let pages = [
            Shown::named("fits-example"),
            Shown::hostile_as("fits-hostile"),
            Shown::large_as("fits-large"),
        ];
        fits(browser, &pages);
    });
}

#[test]
fn a_part_says_which_part_it_is() {
    with_browser("part", |browser| {
        let (part, shown) = Shown::middle_as("part-middle");
        part.open(browser);
        browser.evaluate(HELPERS);
        assert_eq!(browser.evaluate("isSeen(byId('part'))"), true);
        let events = format!(
            "events {} to {} of {}",
            shown[0] + 1,
            shown[shown.len() - 1] + 1,
            part.system.events.len()
        );
        let about = browser.text("#about");
        assert!(about.contains(&events), "{about}");
        let said = browser.text("#part");
        for option in ["--from LINE", "--to LINE", "--snapshot N"] {
            assert!(said.contains(option), "{said}");
        }
        let whole = Shown::named("part-whole");
        whole.open(browser);
        browser.evaluate(HELPERS);
        assert_eq!(browser.evaluate("style(byId('part'), 'display')"), "none");
    });
}

/// A list of things that are not as they should be, which is empty.
fn assert_none(browser: &mut Browser, expression: &str) {
    let found = browser.evaluate(expression);
    assert_eq!(found, serde_json::json!([]), "{expression}");
}

fn past_and_future_are_counted_visibly(browser: &mut Browser, _: &Shown) {
    browser.evaluate("select({moment: 20})");
    let counts = browser.text("#causes ul");
    for kind in ["in its past", "in its future", "concurrent with it"] {
        assert!(counts.contains(kind), "{counts}");
    }
    let hidden = "all('#causes li, #legend li, #now td').filter(it => !isSeen(it)).map(it => it.textContent)";
    assert_none(browser, hidden);
}

/// Wide, solid, translucent, and in the colour of their snapshots, whichever is chosen.
fn cuts_are_bands_in_their_own_colours(browser: &mut Browser, run: &Shown) {
    assert!(run.system.snapshots.len() > 1);
    for index in 0..run.system.snapshots.len() {
        browser.evaluate(&format!("chooseSnapshot({index})"));
        assert_none(
            browser,
            "drawn.cuts.filter(({line, index}) => {
                const probe = document.createElement('i');
                probe.style.color = colourOf(index);
                document.body.append(probe);
                const colour = style(probe, 'color');
                probe.remove();
                return style(line, 'stroke') !== colour || style(line, 'stroke-dasharray') !== 'none'
                    || parseFloat(style(line, 'stroke-width')) < 10
                    || !(Number(style(line, 'stroke-opacity')) < 0.5);
            }).map(({index}) => index)",
        );
    }
}

/// Under the middle of the marker there is the marker and the cut; beside it, the cut alone.
fn a_marker_along_the_cut_is_seen_on_it(browser: &mut Browser, _: &Shown) {
    let seen = browser.evaluate(
        "(() => {
            const [a, b] = RUN.snapshots[0].cut.map(event => drawn.moments[momentOf[event]].group).map(middle);
            const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
            // Points along the way, as the marker is dashed, and one 4 px beside it.
            const along = part => [a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part];
            const kinds = ([x, y]) => document.elementsFromPoint(x, y).map(it => it.getAttribute('class'));
            const on = [0.6, 0.62, 0.64, 0.66, 0.68].map(part => kinds(along(part))).find(it => it.includes('line')) ?? [];
            const [x, y] = along(0.65);
            const beside = kinds([x - 4 * (b[1] - a[1]) / length, y + 4 * (b[0] - a[0]) / length]);
            const marker = drawn.messages.find((_, index) => RUN.messages[index].snapshot === 0).line;
            return [on.indexOf('line') >= 0 && on.indexOf('line') < on.indexOf('cut chosen'),
                beside.includes('cut chosen') && !beside.includes('line'),
                style(marker, 'stroke-dasharray') !== 'none'];
        })()",
    );
    assert_eq!(seen, serde_json::json!([true, true, true]));
}

fn the_menu_has_room_for_its_text(browser: &mut Browser, _: &Shown) {
    for (width, height) in [(1280, 800), (390, 844)] {
        browser.resize(width, height);
        browser.until(&format!("innerWidth === {width}"));
        let room = browser.evaluate(
            "(() => {
                const choice = byId('choice');
                const pen = document.createElement('canvas').getContext('2d');
                pen.font = style(choice, 'font');
                // The arrow takes some of it.
                const room = choice.clientWidth - 2 * parseFloat(style(choice, 'padding-left')) - 20;
                return room - pen.measureText('snapshot 88').width;
            })()",
        );
        assert!(room.as_f64().unwrap() > 0.0, "{room} at {width}");
    }
}

/// However far it is zoomed out, heads are drawn, and close to where the message is received.
fn arrows_end_at_their_receivers(browser: &mut Browser, _: &Shown) {
    browser.evaluate("showWhole(); place()");
    assert_eq!(browser.evaluate("view.column < DENSE"), true);
    let received = "drawn.messages.map((it, index) => ({...it, ...RUN.messages[index]}))
        .filter(it => it.received !== undefined)";
    assert!(browser.evaluate(&format!("{received}.length")).as_u64() > Some(300));
    assert_none(
        browser,
        &format!(
            "{received}.filter(({{head, line, received}}) => {{
                const at = xOf(momentOf[received]);
                const y = yOf(moments[momentOf[received]].row);
                const box = head.getBBox();
                const away = Math.hypot(Math.max(box.x - at, 0, at - box.x - box.width),
                    Math.max(box.y - y, 0, y - box.y - box.height));
                const end = line.getPointAtLength(line.getTotalLength());
                const joined = Math.hypot(Math.max(box.x - end.x, 0, end.x - box.x - box.width),
                    Math.max(box.y - end.y, 0, end.y - box.y - box.height));
                return style(head, 'display') === 'none' || away > 7 || joined > 1;
            }}).length || []"
        ),
    );
}

fn a_large_run_opens_on_its_snapshot(browser: &mut Browser, run: &Shown) {
    for (width, height) in [(1280, 800), (390, 844)] {
        browser.open(&run.file, width, height);
        browser.evaluate(HELPERS);
        browser.until("drawn.cuts.every(({line}) => line.getAttribute('points'))");
        let status = browser.text("#status");
        assert!(status.contains("begins snapshot"), "{status}");
        let begin = "document.querySelector('.moment.current.begins')";
        browser.until(&format!("isInFrame({begin})"));
        assert_eq!(browser.evaluate("view.column >= LEGIBLE"), true);
    }
}

fn a_small_run_opens_whole(browser: &mut Browser, run: &Shown) {
    browser.open(&run.file, 390, 844);
    browser.evaluate(HELPERS);
    assert_none(
        browser,
        "drawn.moments.filter(({group}) => !isInFrame(group)).length || []",
    );
    assert!(browser.text("#status").starts_with("Step 1 of"));
}

/// Neither Escape nor a click on empty ground leaves a ring, or anything faint.
fn nothing_stays_selected(browser: &mut Browser, _: &Shown) {
    let rings = "all('.ring').filter(it => style(it, 'display') !== 'none').length";
    let faint = "all('.moment, .message').filter(faint).length";
    let before = browser.evaluate(rings).as_u64().unwrap();
    browser.evaluate("view.column = 60; reveal(0); place()");
    for way in ["Escape", "empty ground"] {
        let event = browser.middle(".moment.create .glyph");
        browser.click(event);
        assert!(browser.evaluate(faint).as_u64().unwrap() > 0, "{way}");
        assert_eq!(browser.evaluate(rings), before + 1, "{way}");
        if way == "Escape" {
            browser.key("Escape");
        }
        let corner = browser
            .evaluate("(box => [box.right - 8, box.bottom - 8])(svg.getBoundingClientRect())");
        let corner = (corner[0].as_f64().unwrap(), corner[1].as_f64().unwrap());
        match way {
            "Escape" => browser.mouse("mouseMoved", corner),
            _ => browser.click(corner),
        }
        assert_eq!(browser.evaluate(faint), 0, "{way}");
        // What has the focus after a key may show it.
        browser.evaluate("document.activeElement.blur()");
        assert_eq!(browser.evaluate(rings), before, "{way}");
    }
}

fn the_tooltip_follows_the_keys(browser: &mut Browser, _: &Shown) {
    browser.evaluate("view.column = 60; place(); chooseLabels(); reveal(0); place()");
    let event = browser.middle(".moment.create .glyph");
    browser.click(event);
    assert!(browser.text("#tooltip").contains("begins with"));
    browser.key("End");
    browser.until("isInFrame(document.querySelector('.moment.current'))");
    let tooltip = browser.text("#tooltip");
    assert!(tooltip.starts_with("the system ends"), "{tooltip}");
    assert_eq!(
        browser.evaluate("document.activeElement === document.querySelector('.moment.current')"),
        true
    );
    let away = browser.evaluate(
        "(() => {
            const tip = byId('tooltip').getBoundingClientRect();
            const [x, y] = middle(document.querySelector('.moment.current .glyph'));
            return Math.hypot(Math.max(tip.left - x, 0, x - tip.right), Math.max(tip.top - y, 0, y - tip.bottom));
        })()",
    );
    assert!(away.as_f64().unwrap() < 40.0, "{away}");
    // Where the diagram has not the focus, no key leaves an old one behind.
    browser.evaluate("document.activeElement.blur()");
    let event = browser.middle(".moment.end .glyph");
    browser.mouse("mouseMoved", event);
    assert_eq!(browser.evaluate("byId('tooltip').hidden"), false);
    browser.key("Home");
    assert_eq!(browser.evaluate("byId('tooltip').hidden"), true);
}

/// The view and the step go to the cut; without a snapshot nothing is in transit at one.
fn a_snapshot_is_chosen_with_its_step(browser: &mut Browser, run: &Shown) {
    for (index, id) in run.system.snapshots.keys().enumerate() {
        browser.evaluate(&format!("chooseSnapshot({index})"));
        let status = browser.text("#status");
        assert!(
            status.contains(&format!("begins snapshot {id};")),
            "{status}"
        );
        browser.until("isInFrame(document.querySelector('.moment.current'))");
    }
    let pens = "all('#diagram .pen').filter(it => style(it, 'display') !== 'none').length";
    browser.evaluate("chooseSnapshot(RUN.snapshots.findIndex(it => it.crossing.size > 0))");
    assert!(browser.evaluate(pens).as_u64().unwrap() > 0);
    browser.evaluate("chooseSnapshot(undefined)");
    assert_eq!(browser.evaluate(pens), 0);
}

/// Thirty processes, hundreds of markers on their way: they take a line for each snapshot.
fn the_state_of_many_is_not_tall(browser: &mut Browser, _: &Shown) {
    let tallest = browser.evaluate(
        "(() => {
            let [height, markers] = [0, 0];
            for (let step = 0; step < state.order.length; step += 25) {
                goTo(step, false);
                const sum = list => list.reduce((sum, it) => sum + it.offsetHeight, 0);
                const rows = all('#now table:last-of-type tbody tr');
                height = Math.max(height, sum(rows.filter(it => it.cells[0].textContent.startsWith('marker'))));
                markers = Math.max(markers, all('.marker.in-flight').length);
            }
            return [height, markers];
        })()",
    );
    assert!(tallest[1].as_u64().unwrap() > 100, "{tallest}");
    assert!(tallest[0].as_u64().unwrap() > 10, "{tallest}");
    assert!(tallest[0].as_u64().unwrap() < 150, "{tallest}");
}

/// What a step costs is what it touches, on whatever machine: a few elements of ten thousand, none of
/// which is a layer of its own.
fn a_step_touches_little_of_a_large_run(browser: &mut Browser, _: &Shown) {
    let touched = browser.evaluate(
        "(async () => {
            const drawn = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
            showWhole();
            goTo(300, false);
            await drawn();
            let touched = 0;
            const watch = new MutationObserver(list => touched += list.length);
            watch.observe(svg, {attributes: true, subtree: true, childList: true});
            const most = [];
            for (const act of [() => goTo(301, false), () => goTo(300, false), () => panBy(1, 0)]) {
                touched = 0;
                act();
                await drawn();
                most.push(touched);
            }
            watch.disconnect();
            const layers = all('#diagram *').filter(it => !['0', '1'].includes(style(it, 'opacity')));
            return [Math.max(...most), layers.length, all('#diagram *').length];
        })()",
    );
    assert!(touched[2].as_u64().unwrap() > 5000, "{touched}");
    assert!(touched[0].as_u64().unwrap() < 400, "{touched}");
    assert!(touched[1].as_u64().unwrap() < 20, "{touched}");
}

/// At every step: what is to come is faint, what is in transit is bold, until Escape.
fn what_is_to_come_is_faded(browser: &mut Browser, _: &Shown) {
    browser.evaluate("showWhole(); place()");
    let faint = "all('.moment, .message').filter(faint).length";
    assert_eq!(browser.evaluate(faint), 0);
    let wrong = "(() => {
        const wrong = [];
        const [now] = [state.position];
        drawn.moments.forEach(({group}, index) => {
            if (faint(group) !== state.order.indexOf(index) > now) wrong.push(`moment ${index}`);
        });
        const at = event => event === undefined ? undefined : state.order.indexOf(momentOf[event]);
        drawn.messages.forEach(({group, line, labels}, index) => {
            const {sent, received} = RUN.messages[index];
            const isLater = at(sent) > now;
            const isInFlight = !isLater && !(at(received) <= now);
            if (faint(group) !== isLater || faint(line) !== isLater) wrong.push(`message ${index}`);
            const isBold = parseFloat(style(line, 'stroke-width')) > 2 && !group.matches('.crossing');
            if (isBold !== (isInFlight && !group.matches('.crossing'))) wrong.push(`width of ${index}`);
            if (labels.some(it => Number(style(it, 'fill-opacity')) < 0.3 !== isLater)) wrong.push(`label of ${index}`);
        });
        return wrong;
    })()";
    for key in ["ArrowRight", "ArrowRight", "End", "ArrowLeft", "ArrowLeft"] {
        browser.key(key);
        assert_none(browser, wrong);
    }
    for _ in 0..12 {
        browser.key("ArrowLeft");
        assert_none(browser, wrong);
    }
    assert!(browser.evaluate(faint).as_u64().unwrap() > 0);
    browser.key("Escape");
    assert_eq!(browser.evaluate(faint), 0);
}

fn fits(browser: &mut Browser, pages: &[Shown]) {
    for page in pages {
        for (width, height) in [(1280, 800), (375, 800)] {
            browser.open(&page.file, width, height);
            for scheme in ["light", "dark"] {
                browser.prefer(&[
                    ("prefers-color-scheme", scheme),
                    ("prefers-reduced-motion", "reduce"),
                ]);
                let sizes = "[document.documentElement.scrollWidth, innerWidth]";
                let sizes = browser.evaluate(sizes);
                assert_eq!(sizes, serde_json::json!([width, width]), "{scheme}");
                let colours = browser.evaluate(
                    "(style => [style.backgroundColor, style.color])(getComputedStyle(document.body))",
                );
                let is_light = colours[0] == "rgb(255, 255, 255)";
                assert_eq!(is_light, scheme == "light", "{colours}");
            }
        }
    }
}
