//! `master judge`: whether outputs can be what a right implementation prints for a script.
//!
//! The judge itself is `reference::judge`, which shares nothing with the system that is run here.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use bank::script::printable;
use clap::Args;
use diagram::escape;
use pipes::Patience;
use reference::judge::{Mismatch, Verdict, judge};
use serde::Serialize;

use crate::master::shared::{
    Colour, Error, Files, Purpose, checked_script, name_of, read_whole, status, write_out,
};

/// Judge outputs of a script, whoever printed them
///
/// Says of each whether a right implementation of the language can print it: in some order of
/// delivery, with some choices where the script leaves them open. If not, it names the first line
/// that no run can print, what could have stood there, and why. `->` counts as `→`; blank lines,
/// blanks at the end of a line and line ends of any kind do not matter. An output may be a
/// transcript, in which the commands stand before their results.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:

  $ master judge arg.txt mine.txt
  mine.txt: impossible, line 6: `node 2 = 1200` …

Grade sixty outputs in one line:

  $ master judge arg.txt outputs/*.txt
  $ master judge --junit grades.xml arg.txt outputs/*.txt

Exit status:

  0        every output is possible
  1        one is impossible, or the verdicts cannot be written
  2        the script is malformed, or a file cannot be read
  4        of one it could not be decided within the limits
  141      standard output was closed by its reader")]
pub(crate) struct JudgeOptions {
    /// The script, which must be free of mistakes
    script: PathBuf,
    /// What an implementation printed on standard output; `-` reads standard input
    #[arg(required = true)]
    outputs: Vec<PathBuf>,
    /// Write every verdict as one JSON object a line
    #[arg(long)]
    json: bool,
    /// Also write the verdicts as JUnit XML, which course graders read
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) color: Colour,
}

/// What is said of one output.
struct Judged {
    file: String,
    /// Or why it cannot be read.
    verdict: Result<Verdict, io::Error>,
}

/// Judges outputs; the verdict is the exit status.
pub(crate) fn run(options: &JudgeOptions) -> Result<u8, Error> {
    let mut files = Files::default();
    let script = checked_script(&options.script, &mut files)?;
    let outputs = options.outputs.iter();
    let outputs: Vec<_> = outputs
        .map(|path| (name_of(path), read_whole(path, "the output", &mut files)))
        .collect();
    let junit = options.junit.as_deref();
    let junit = junit.map(|path| files.open(path, Purpose::VERDICTS, &Patience::default()));
    let junit = junit.transpose()?;
    let judged = outputs.into_iter().map(|(file, output)| {
        let verdict = output.map(|output| judge(&script, &String::from_utf8_lossy(&output)));
        Judged { file, verdict }
    });
    let judged: Vec<Judged> = judged.collect();
    let counts = Counts::of(&judged);
    if let Some(junit) = junit {
        let text = to_junit(&name_of(&options.script), &judged, &counts);
        junit.replace(&text, &Patience::default())?;
    }
    let text = match options.json {
        true => to_json(&judged, &counts)?,
        false => to_text(&judged, &counts),
    };
    write_out(text.as_bytes())?;
    Ok(match counts {
        Counts {
            unreadable: 1.., ..
        } => status::MALFORMED,
        Counts {
            impossible: 1.., ..
        } => status::FAILED,
        Counts { unknown: 1.., .. } => status::UNKNOWN,
        Counts { .. } => status::DONE,
    })
}

#[derive(Default)]
struct Counts {
    possible: usize,
    impossible: usize,
    unknown: usize,
    unreadable: usize,
}

impl Counts {
    fn of(judged: &[Judged]) -> Self {
        let mut counts = Self::default();
        for one in judged {
            *match &one.verdict {
                Ok(Verdict::Possible) => &mut counts.possible,
                Ok(Verdict::Impossible(_)) => &mut counts.impossible,
                Ok(Verdict::Unknown(_)) => &mut counts.unknown,
                Err(_) => &mut counts.unreadable,
            } += 1;
        }
        counts
    }
}

/// One output is explained at length; of several each has a line, and at the end they are counted.
fn to_text(judged: &[Judged], counts: &Counts) -> String {
    let mut text = String::new();
    for one in judged {
        let _ = write!(text, "{}: ", one.file);
        let _ = match &one.verdict {
            Ok(Verdict::Possible) => writeln!(text, "possible"),
            Ok(Verdict::Impossible(mismatch)) if judged.len() == 1 => {
                writeln!(text, "impossible{}", at_length(mismatch))
            }
            Ok(Verdict::Impossible(mismatch)) => {
                writeln!(text, "impossible, {}", harmless(&mismatch.to_string()))
            }
            Ok(Verdict::Unknown(why)) => writeln!(text, "unknown: {why}"),
            Err(error) => writeln!(text, "cannot be read: {error}"),
        };
    }
    if judged.len() > 1 {
        let Counts {
            possible,
            impossible,
            unknown,
            unreadable,
        } = counts;
        let _ = write!(
            text,
            "{} outputs: {possible} possible, {impossible} impossible, {unknown} unknown",
            judged.len()
        );
        if *unreadable > 0 {
            let _ = write!(text, ", {unreadable} not read");
        }
        text.push('\n');
    }
    text
}

fn at_length(mismatch: &Mismatch) -> String {
    let mut text = String::new();
    let found = mismatch.found.as_deref().map(harmless);
    let mut row = |what: &str, says: &str| {
        if !says.is_empty() {
            let _ = write!(text, "\n  {what:<9} {says}");
        }
    };
    let line = format!("line {} of the output", mismatch.line);
    row(
        "where",
        &match mismatch.command {
            Some(command) => format!("{line}, the result of line {command} of the script"),
            None => line,
        },
    );
    row(
        "found",
        found.as_deref().unwrap_or("nothing: the output ends"),
    );
    row("possible", &mismatch.some_possible(" or "));
    row("why", &mismatch.why);
    row("hint", mismatch.hint.unwrap_or(""));
    text
}

/// Without any power over a terminal.
fn harmless(text: &str) -> String {
    printable(text.as_bytes()).to_string()
}

/// A line of `--json`: an output or, without `output`, all of them.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Output {
        output: &'a str,
        verdict: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        command: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        found: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        possible: Option<&'a [String]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<&'a str>,
    },
    Summary {
        outputs: usize,
        possible: usize,
        impossible: usize,
        unknown: usize,
        unreadable: usize,
    },
}

fn to_json(judged: &[Judged], counts: &Counts) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for one in judged {
        let mismatch = match &one.verdict {
            Ok(Verdict::Impossible(mismatch)) => Some(mismatch),
            _ => None,
        };
        let (verdict, why) = match &one.verdict {
            Ok(Verdict::Possible) => ("possible", None),
            Ok(Verdict::Impossible(mismatch)) => ("impossible", Some(mismatch.why.clone())),
            Ok(Verdict::Unknown(why)) => ("unknown", Some(why.clone())),
            Err(error) => ("unreadable", Some(error.to_string())),
        };
        let line = Line::Output {
            output: &one.file,
            verdict,
            line: mismatch.map(|it| it.line),
            command: mismatch.and_then(|it| it.command),
            found: mismatch.and_then(|it| it.found.as_deref()),
            possible: mismatch.map(|it| it.possible.as_slice()),
            why,
            hint: mismatch.and_then(|it| it.hint),
        };
        text += &serde_json::to_string(&line)?;
        text.push('\n');
    }
    let summary = Line::Summary {
        outputs: judged.len(),
        possible: counts.possible,
        impossible: counts.impossible,
        unknown: counts.unknown,
        unreadable: counts.unreadable,
    };
    text += &serde_json::to_string(&summary)?;
    text.push('\n');
    Ok(text)
}

/// As <https://github.com/testmoapp/junitxml> describes what graders have in common.
fn to_junit(script: &str, judged: &[Judged], counts: &Counts) -> String {
    let script = escape(script);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites>\n<testsuite name=\"{script}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" \
         errors=\"{}\">\n",
        judged.len(),
        counts.impossible,
        counts.unknown,
        counts.unreadable
    );
    for one in judged {
        let _ = write!(
            text,
            "<testcase classname=\"{script}\" name=\"{}\"",
            escape(&one.file)
        );
        let _ = match &one.verdict {
            Ok(Verdict::Possible) => writeln!(text, "/>"),
            Ok(Verdict::Impossible(mismatch)) => writeln!(
                text,
                "><failure message=\"{}\"/></testcase>",
                escape(&mismatch.to_string())
            ),
            Ok(Verdict::Unknown(why)) => {
                writeln!(text, "><skipped message=\"{}\"/></testcase>", escape(why))
            }
            Err(error) => writeln!(
                text,
                "><error message=\"{}\"/></testcase>",
                escape(&error.to_string())
            ),
        };
    }
    text + "</testsuite>\n</testsuites>\n"
}
