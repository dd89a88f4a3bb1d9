//! `master verify`: judges the snapshots of a history, ours or anybody's.
//!
//! It only reads the history and writes the verdicts: the checker itself is `history::Verifier`.

use std::fmt::Write;
use std::io::BufRead;
use std::path::PathBuf;

use clap::Args;
use history::{
    Judged, Moved, Overall, ProcessId, Reader, Report, Unjudged, Verdict, Verifier, Violation,
};
use serde::Serialize;

use crate::master::shared::{Colour, Error, Files, Painter, name_of, open, status, write_out};

/// Judge the snapshots of a history, whoever wrote it
///
/// Replays every account and every channel, and checks that what was collected is what was
/// recorded, that each channel's state is exactly what was in transit at the cut, and that no
/// money is made or lost. A snapshot that was not collected is unknown. A history that is cut off
/// is judged as far as it goes. Lines may be in any order in which each process has its own in order:
/// where the events cannot have happened as they are written, they are taken as they can have.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:

  $ master verify run.jsonl
  snapshot 1: valid — 2 processes, 1 message in transit (100), total 1500
  valid: 22 events, 1 snapshot valid, 0 invalid, 0 unknown

Exit status:

  0        every snapshot is valid
  1        something breaks a rule, or the verdicts cannot be written
  2        the history cannot be read, or a line of it is malformed
  4        unknown: no snapshot was collected
  141      standard output was closed by its reader")]
pub(crate) struct VerifyOptions {
    /// The history, one JSON object an event; `-` reads standard input
    history: PathBuf,
    /// Also construct the reordered run of every snapshot, and replay it [holds all events]
    ///
    /// It is the run of Chandy and Lamport's proof, in which the snapshot is the state at one
    /// instant: the state at that instant must be the snapshot, and the last state the real one.
    #[arg(long)]
    reorder: bool,
    /// Write every verdict as one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) color: Colour,
}

/// Judges a history; the verdict is the exit status.
pub(crate) fn run(options: &VerifyOptions) -> Result<u8, Error> {
    let name = name_of(&options.history);
    let tell = |text: &str| Painter::new(options.color).tell(&format!("{name}: {text}"));
    let input = open(&options.history, &mut Files::default())?;
    let report = read(input, options.reorder, tell).map_err(|error| error.in_file(&name))?;
    let text = match options.json {
        true => to_json(&report)?,
        false => to_text(&report, options.reorder),
    };
    write_out(text.as_bytes())?;
    Ok(match report.overall() {
        Overall::Valid => status::DONE,
        Overall::Invalid => status::FAILED,
        Overall::Unknown => status::UNKNOWN,
    })
}

fn read(input: impl BufRead, is_reordered: bool, tell: impl Fn(&str)) -> Result<Report, Error> {
    let mut reader = Reader::new(input)?;
    let verifier = match is_reordered {
        true => Verifier::reordering(),
        false => Verifier::new(),
    };
    let mut verifier = verifier.of(reader.header()).in_any_order();
    while let Some(event) = reader.next_event()? {
        verifier.on_event(&event, reader.line());
    }
    if reader.is_truncated() {
        let line = reader.line();
        tell(&format!(
            "line {line} is cut off, as when a run is killed; what comes before it is judged"
        ));
    }
    Ok(verifier.finish())
}

/// What is said of each snapshot, of each system that breaks a rule by itself, and of all together.
fn to_text(report: &Report, reordered: bool) -> String {
    let mut text = String::new();
    let is_one = report.systems <= 1;
    let mut snapshots = report.snapshots.iter().peekable();
    for system in 1..=report.systems {
        let of_it = match is_one {
            true => String::new(),
            false => format!("system {system}, "),
        };
        let broken = report.violations.get(&system);
        if let Some(violation) = broken {
            let whose = if is_one {
                "history"
            } else {
                of_it.trim_end_matches(", ")
            };
            let _ = writeln!(text, "{whose}: invalid\n{violation}");
        }
        if let Some(Moved { line, after }) = report.moved.get(&system) {
            let whose = if is_one { "history: " } else { &of_it };
            let _ = writeln!(
                text,
                "{whose}lines were taken in another order, in which all of it can have happened: line \
                 {after} before line {line}, for one"
            );
        }
        while let Some(judged) = snapshots.next_if(|it| it.system == system) {
            let _ = write!(text, "{of_it}snapshot {}: ", judged.snapshot);
            say(&mut text, judged, broken, reordered);
        }
    }
    let counts = Counts::new(report);
    let (overall, events) = (name(report.overall()), report.events);
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    let (of_events, of_valid) = (plural(events), plural(counts.valid as u64));
    let _ = writeln!(
        text,
        "{overall}: {events} event{of_events}, {} snapshot{of_valid} valid, {} invalid, {} unknown",
        counts.valid, counts.invalid, counts.unknown
    );
    text
}

fn say(text: &mut String, judged: &Judged, broken: Option<&Violation>, reordered: bool) {
    let _ = match &judged.verdict {
        Verdict::Valid {
            processes,
            messages,
            in_transit,
            total,
            unjudged,
        } => {
            let in_transit = in_transit.map_or(String::new(), |sum| format!(" ({sum})"));
            let total = total.map_or(String::new(), |total| format!(", total {total}"));
            let is_replayed = reordered && !unjudged.contains(&Unjudged::Reordered);
            let unjudged = match &worded(unjudged)[..] {
                [] => String::new(),
                unjudged => format!("; not judged: {}", unjudged.join("; ")),
            };
            let of_processes = if *processes == 1 { "" } else { "es" };
            let of_messages = if *messages == 1 { "" } else { "s" };
            let replayed = if is_replayed {
                ", reordered and replayed"
            } else {
                ""
            };
            writeln!(
                text,
                "valid — {processes} process{of_processes}, {messages} message{of_messages} in \
                 transit{in_transit}{total}{replayed}{unjudged}"
            )
        }
        Verdict::Invalid(violation) if broken == Some(&**violation) => {
            writeln!(
                text,
                "invalid, since what the history says before it cannot be so (above)"
            )
        }
        Verdict::Invalid(violation) => writeln!(text, "invalid\n{violation}"),
        Verdict::Unknown(reason) => writeln!(text, "unknown, since {reason}"),
    };
    if judged.audit == Some(true) && matches!(judged.verdict, Verdict::Invalid(_)) {
        text.push_str("  and the audit in the history had passed it\n");
    }
}

fn worded(unjudged: &[Unjudged]) -> Vec<String> {
    unjudged.iter().map(Unjudged::to_string).collect()
}

fn name(overall: Overall) -> &'static str {
    match overall {
        Overall::Valid => "valid",
        Overall::Invalid => "invalid",
        Overall::Unknown => "unknown",
    }
}

struct Counts {
    valid: usize,
    invalid: usize,
    unknown: usize,
}

impl Counts {
    fn new(report: &Report) -> Self {
        Self {
            valid: report.count(|it| matches!(it, Verdict::Valid { .. })),
            invalid: report.count(|it| matches!(it, Verdict::Invalid(_))),
            unknown: report.count(|it| matches!(it, Verdict::Unknown(_))),
        }
    }
}

/// A line of `--json`: a snapshot, or, without `snapshot`, a system whose log breaks a rule.
#[derive(Default, Serialize)]
struct Line<'a> {
    system: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<u64>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_transit: Option<i128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i128>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unjudged: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Called<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Called<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Seen<'a>>,
    /// Whether the audit in the history had passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<bool>,
}

/// A process: by its name, where it has one.
#[derive(Serialize)]
#[serde(untagged)]
enum Called<'a> {
    Number(u64),
    Name(&'a str),
}

impl<'a> Called<'a> {
    fn new(process: ProcessId, called: &'a str) -> Self {
        match process.to_string() == called {
            true => Self::Number(process.0),
            false => Self::Name(called),
        }
    }
}

/// An event that shows what is wrong.
#[derive(Serialize)]
struct Seen<'a> {
    what: &'a str,
    /// The line of the history.
    history: u64,
    /// The line of the script.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct Summary {
    verdict: &'static str,
    events: u64,
    systems: u64,
    valid: usize,
    invalid: usize,
    unknown: usize,
    /// The systems whose lines were taken in another order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    moved: Vec<Taken>,
}

/// A line that is taken after a later one.
#[derive(Serialize)]
struct Taken {
    system: u64,
    line: u64,
    after: u64,
}

fn to_json(report: &Report) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for (system, violation) in &report.violations {
        let line = Line {
            system: *system,
            ..invalid(violation)
        };
        text += &serde_json::to_string(&line)?;
        text.push('\n');
    }
    for judged in &report.snapshots {
        let line = match &judged.verdict {
            Verdict::Valid {
                processes,
                messages,
                in_transit,
                total,
                unjudged,
            } => Line {
                verdict: "valid",
                processes: Some(*processes),
                messages: Some(*messages),
                in_transit: *in_transit,
                total: *total,
                unjudged: worded(unjudged),
                ..Line::default()
            },
            Verdict::Invalid(violation) => invalid(violation),
            Verdict::Unknown(reason) => Line {
                verdict: "unknown",
                reason: Some(reason),
                ..Line::default()
            },
        };
        let line = Line {
            system: judged.system,
            snapshot: Some(judged.snapshot.0),
            audit: judged.audit,
            ..line
        };
        text += &serde_json::to_string(&line)?;
        text.push('\n');
    }
    let counts = Counts::new(report);
    let summary = Summary {
        verdict: name(report.overall()),
        events: report.events,
        systems: report.systems,
        valid: counts.valid,
        invalid: counts.invalid,
        unknown: counts.unknown,
        moved: report
            .moved
            .iter()
            .map(|(&system, &Moved { line, after })| Taken {
                system,
                line,
                after,
            })
            .collect(),
    };
    text += &serde_json::to_string(&summary)?;
    text.push('\n');
    Ok(text)
}

fn invalid(violation: &Violation) -> Line<'_> {
    let events = violation.events.iter().map(|event| Seen {
        what: &event.what,
        history: event.at.history,
        line: event.at.script,
    });
    let channel = violation.channel.zip(violation.ends.as_deref());
    Line {
        verdict: "invalid",
        rule: Some(violation.rule.name()),
        source: Some(violation.rule.source()),
        from: channel.map(|(channel, [from, _])| Called::new(channel.from, from)),
        to: channel.map(|(channel, [_, to])| Called::new(channel.to, to)),
        reason: Some(&violation.reason),
        events: events.collect(),
        ..Line::default()
    }
}
