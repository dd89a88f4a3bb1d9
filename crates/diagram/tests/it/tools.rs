//! The exports in the real programs that they are for, where those are there: Graphviz; Mermaid and
//! Perfetto in Chromium, whose regular expressions also divide a log for ShiViz.
//! `scripts/exports-check` fetches what is lacking, and runs this.

mod serve;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use diagram::{EXPRESSION, Time, describe, dot, mermaid, shiviz, trace};
use history::{Header, ProcessId, System};
use serde_json::{Value, json};
use testing::histories::{self, Params};

use crate::browser::Browser;
use crate::common::{examples, read};

/// A run of this many processes with one snapshot: what somebody would put on a page.
fn small(processes: u64) -> System {
    let params = Params {
        processes,
        steps: 12 * processes,
        snapshots: 1,
        joins: 0,
        deaths: 0,
        restarts: false,
        refusals: true,
        capacity: usize::MAX,
        sparse: false,
    };
    System::link(histories::run(processes, &params))
        .unwrap()
        .remove(0)
}

fn systems() -> Vec<(String, System)> {
    let examples = examples().into_iter().map(|it| (it.name, it.system));
    let small = [2, 3, 5, 10].map(|processes| (format!("{processes} processes"), small(processes)));
    let random = histories::seeds(20).into_iter().flat_map(|seed| {
        let systems = histories::systems(seed).into_iter();
        systems.map(move |system| (format!("PIPEBANK_SEED={seed}"), system))
    });
    let long = [("long".to_owned(), long())].into_iter();
    examples.chain(small).chain(long).chain(random).collect()
}

/// A node as Graphviz draws it, in points.
struct Drawn {
    name: String,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// What `dot` makes of a graph: its width, and its nodes. It has nothing to complain about.
fn graphviz(name: &str, graph: &str) -> Option<(f64, Vec<Drawn>)> {
    let mut dot = Command::new("dot")
        .arg("-Tplain")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    dot.stdin
        .take()
        .unwrap()
        .write_all(graph.as_bytes())
        .unwrap();
    let output = dot.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{name}: {output:?}\n{graph}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let points = |inches: &str| inches.parse::<f64>().unwrap() * 72.0;
    let mut width = 0.0;
    let mut nodes = Vec::new();
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["graph", _, wide, _] => width = points(wide),
            ["node", name, x, y, w, h, ..] => nodes.push(Drawn {
                name: name.to_owned(),
                x: points(x),
                y: points(y),
                width: points(w),
                height: points(h),
            }),
            _ => {}
        }
    }
    Some((width, nodes))
}

#[test]
fn graphviz_draws_processes_as_straight_rows_in_order_and_time_to_the_right() {
    for (name, system) in systems() {
        let Some((width, nodes)) = graphviz(&name, &dot(&system)) else {
            return skip("there is no Graphviz (Debian: apt-get install graphviz)");
        };
        let at = |name: &str| nodes.iter().find(|node| node.name == name);
        // Rows from top to bottom in the order of ids.
        let rows: Vec<f64> = system
            .processes
            .keys()
            .map(|process| at(&format!("p{process}")).unwrap().y)
            .collect();
        assert!(rows.is_sorted_by(|a, b| a - b > 40.0), "{name}: {rows:?}");
        // Moments stand on their process's row, in the order of the history.
        let mut last = f64::MIN;
        let mut drawn = 0;
        for (event, what) in system.events.iter().map(|event| &event.what).enumerate() {
            let Some(node) = at(&format!("e{event}")) else {
                continue;
            };
            let process = what.process().unwrap();
            let row = rows[system.processes.range(..process).count()];
            assert!((node.y - row).abs() < 1.0, "{name}: {event}");
            assert!(
                node.x >= last - 0.1,
                "{name}: {event} stands before what came before"
            );
            last = node.x;
            drawn += 1;
        }
        assert!(drawn >= system.processes.len(), "{name}");
        for message in &system.messages {
            let sent = at(&format!("e{}", message.sent));
            let received = message.received.and_then(|it| at(&format!("e{it}")));
            if let (Some(sent), Some(received)) = (sent, received) {
                assert!(sent.x + 20.0 < received.x, "{name}: {message:?}");
            }
        }
        // Nothing covers anything else, so that it can be read.
        for (index, a) in nodes.iter().enumerate() {
            for b in &nodes[..index] {
                let overlap = (a.x - b.x).abs() < (a.width + b.width) / 2.0 - 0.1
                    && (a.y - b.y).abs() < (a.height + b.height) / 2.0 - 0.1;
                let is_lost = [a, b].iter().any(|it| it.name.starts_with("lost"));
                assert!(!overlap || is_lost, "{name}: {} and {}", a.name, b.name);
            }
        }
        // As wide as a page in landscape format, at the most a little more.
        if !name.starts_with("PIPEBANK_SEED") {
            assert!(width < 1_100.0, "{name}: {width}");
        }
    }
}

/// What has numbers and texts as long as they can be.
fn long() -> System {
    let text = r#"{"history":1}
{"event":"start"}
{"event":"create","process":18446744073709551614,"amount":8888888888888888888}
{"event":"create","process":18446744073709551615,"amount":8888888888888888888}
{"event":"send","process":18446744073709551614,"from":18446744073709551614,"to":18446744073709551615,"amount":8888888888888888888,"number":1}
{"event":"refuse","process":18446744073709551614,"from":18446744073709551614,"to":18446744073709551615,"amount":8888888888888888888}
{"event":"begin","process":18446744073709551614,"snapshot":1}
{"event":"record","process":18446744073709551614,"snapshot":1,"amount":0}
{"event":"audit","snapshot":1,"passed":false,"reason":"WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW MMMMMMMMM MMMMMMMM WWWW"}
{"event":"death","process":18446744073709551615,"reason":"WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW MMMMMMMMM MMMMMMMM WWWW"}
"#;
    read(text).1.remove(0)
}

#[test]
fn mermaid_draws_every_statement_and_every_text_lies_in_its_note() {
    let Some(program) = std::env::var_os("PIPEBANK_MERMAID") else {
        return skip("PIPEBANK_MERMAID names no mermaid.min.js (scripts/exports-check fetches it)");
    };
    let Some(mut browser) = Browser::start("mermaid") else {
        return skip("there is no Chromium (Debian: apt-get install chromium)");
    };
    let program = fs::canonicalize(program).unwrap();
    let html = format!(
        "<!doctype html><meta charset=utf-8><script src=\"file://{}\"></script>\
         <script>mermaid.initialize({{startOnLoad: false}})</script><div id=place></div>",
        program.display()
    );
    open(&mut browser, "mermaid", &html);
    for (name, system) in systems() {
        let text = mermaid(&system);
        let drawn = browser.evaluate(&format!(
            "mermaid.render('drawn', {}).then(({{svg}}) => {{
                place.innerHTML = svg;
                const box = it => it.getBoundingClientRect();
                const groups = [...place.querySelectorAll('g')].filter(it => it.querySelector(':scope > .note'));
                const sticksOut = groups.flatMap(group => {{
                    const note = box(group.querySelector('.note'));
                    return [...group.querySelectorAll('text')].filter(it => {{
                        const text = box(it);
                        return text.left < note.left || text.right > note.right
                            || text.top < note.top || text.bottom > note.bottom;
                    }}).map(it => it.textContent);
                }});
                const lines = groups.flatMap(it => [...it.querySelectorAll('text')]);
                const actors = [...place.querySelectorAll('text.actor')];
                return {{
                    notes: groups.length,
                    lines: lines.map(it => it.textContent.trim()),
                    arrows: place.querySelectorAll('.messageText').length,
                    actors: actors.sort((a, b) => box(a).left - box(b).left).map(it => it.textContent),
                    sticksOut,
                }};
            }})",
            json!(text)
        ));
        let statements = |what: &str| text.lines().filter(|it| it.contains(what)).count();
        assert_eq!(drawn["sticksOut"], json!([]), "{name}: {text}");
        assert_eq!(drawn["notes"], statements("Note over "), "{name}: {text}");
        let arrows = text.lines().skip(1).count() - statements("Note over ");
        let arrows = arrows - statements("participant ");
        assert_eq!(drawn["arrows"], arrows, "{name}: {text}");
        // Above and below, from left to right.
        let actors = system.processes.keys().map(|id| format!("process {id}"));
        let actors: Vec<String> = actors.flat_map(|it| [it.clone(), it]).collect();
        assert_eq!(drawn["actors"], json!(actors), "{name}: {text}");
        if name == "long" {
            let lines = drawn["lines"].as_array().unwrap();
            assert!(lines.contains(&json!("8888888888888888888")), "{lines:?}");
        }
    }
    browser.assert_quiet();
}

#[test]
fn perfetto_takes_every_moment_and_message_of_a_trace_and_shows_steps_as_seconds() {
    let Some(folder) = std::env::var_os("PIPEBANK_PERFETTO") else {
        return skip("PIPEBANK_PERFETTO names no folder (scripts/exports-check fetches one)");
    };
    let Some(mut browser) = Browser::start("perfetto") else {
        return skip("there is no Chromium (Debian: apt-get install chromium)");
    };
    browser.doing("perfetto");
    let port = serve::serve(Path::new(&folder).to_owned());
    browser.go(&format!("http://127.0.0.1:{port}/"), 1280, 800);
    browser.until("window.app && !app.isLoadingTrace");
    // A few: the page takes its time.
    for (index, (name, system)) in systems().into_iter().take(15).enumerate() {
        let header = Header::default();
        let text = trace(&system, &header, Time::Steps).unwrap();
        let taken = browser.evaluate(&format!(
            "(async () => {{
                const title = {};
                const buffer = new TextEncoder().encode({}).buffer;
                app.openTraceFromBuffer({{title, buffer}});
                while (app.isLoadingTrace || !app.trace?.traceInfo.traceTitle.startsWith(title)) {{
                    await new Promise(done => setTimeout(done, 4));
                }}
                const rows = async (sql, columns) => {{
                    const found = [];
                    const result = await app.trace.engine.query(sql);
                    for (const row = result.iter(columns); row.valid(); row.next()) {{
                        found.push(Object.keys(columns).map(key => row[key]));
                    }}
                    return found;
                }};
                return {{
                    tracks: await rows(
                        'select tid, name from thread where name is not null order by tid',
                        {{tid: 0, name: 'str'}}),
                    slices: await rows(
                        'select tid, slice.name, cast(ts / 1e9 as int) as step, cast(dur / 1e9 as int) as long '
                            + 'from slice join thread_track on track_id = thread_track.id '
                            + 'join thread using (utid)',
                        {{tid: 0, name: 'str', step: 0, long: 0}}),
                    flows: await rows('select count() as n from flow', {{n: 0}}),
                    wrong: await rows(
                        \"select name from stats where severity != 'info' and value > 0\",
                        {{name: 'str'}}),
                }};
            }})()",
            json!(format!("{index}: {name} ")),
            json!(text)
        ));
        let told: Value = serde_json::from_str(&text).unwrap();
        let told = told["traceEvents"].as_array().unwrap();
        let of = |phase: &'static str| told.iter().filter(move |event| event["ph"] == phase);
        let seconds = |value: &Value| value.as_u64().unwrap() / 1_000_000;
        let slices = of("X")
            .map(|it| {
                json!([
                    it["tid"],
                    it["name"],
                    seconds(&it["ts"]),
                    seconds(&it["dur"])
                ])
            })
            .collect();
        let sorted = |mut slices: Vec<Value>| {
            slices.sort_by_key(Value::to_string);
            slices
        };
        let shown = taken["slices"].as_array().unwrap().clone();
        assert_eq!(sorted(shown), sorted(slices), "{name}: {text}");
        let tracks = of("M").filter(|it| it["name"] == "thread_name");
        let tracks = tracks.map(|it| json!([it["tid"], it["args"]["name"]]));
        let shown = taken["tracks"].as_array().unwrap();
        assert!(
            shown.iter().eq(&tracks.collect::<Vec<_>>()),
            "{name}: {shown:?}"
        );
        let received = system.messages.iter().filter(|it| it.received.is_some());
        assert_eq!(
            taken["flows"],
            json!([[received.count()]]),
            "{name}: {text}"
        );
        assert_eq!(taken["wrong"], json!([]), "{name}");
    }
}

/// As ShiViz does it: the expression is JavaScript's, and a clock is JSON.
#[test]
fn a_browser_takes_every_event_of_a_shiviz_log() {
    let Some(mut browser) = Browser::start("shiviz") else {
        return skip("there is no Chromium (Debian: apt-get install chromium)");
    };
    open(&mut browser, "shiviz", "<!doctype html>");
    for (name, system) in systems() {
        let log = shiviz(&system);
        let taken = browser.evaluate(&format!(
            "(log => [...log.matchAll(new RegExp({}, 'gm'))]
                .map(({{groups}}) => [groups.event, groups.host, JSON.parse(groups.clock)[groups.host]])
            )({}.trim())",
            json!(EXPRESSION),
            json!(log)
        ));
        let mut times: BTreeMap<ProcessId, u64> = BTreeMap::new();
        let mut all = Vec::new();
        for (event, what) in system.events.iter().map(|event| &event.what).enumerate() {
            if let Some(process) = what.process() {
                let time = times.entry(process).or_default();
                *time += 1;
                all.push(json!([
                    describe(&system, event),
                    format!("p{process}"),
                    *time
                ]));
            }
        }
        assert_eq!(taken, json!(all), "{name}: {log}");
    }
    browser.assert_quiet();
}

/// Opens a page that consists of this text.
fn open(browser: &mut Browser, name: &'static str, html: &str) {
    browser.doing(name);
    let page = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let page = page.join(format!("{name}-{}.html", std::process::id()));
    fs::write(&page, html).unwrap();
    browser.open(&page, 1280, 800);
    fs::remove_file(&page).unwrap();
}

fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
