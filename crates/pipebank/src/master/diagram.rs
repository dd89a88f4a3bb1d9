//! `master diagram`: draws a history. [`Output`], [`read`] and [`draw`] are also for the pictures of
//! a run (`pictures.rs`).
//!
//! It only reads the history and writes files: what is drawn, and how, is in the crate `diagram`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use diagram::{Format, Selection};
use history::{Event, Header, Reader, SnapshotId, System};

use super::cli::Colour;
use super::paint::Painter;
use super::{status, write_out};
use bank::script::printable;

/// Why there is no picture of a history without events.
pub(super) const NO_SYSTEM: &str = "no system is started in it: there is nothing to draw";

const EXAMPLE: &str = "\
Example:

  $ master --history run.jsonl two.txt
  $ master diagram run.jsonl -o run.svg
  $ master diagram run.jsonl --snapshot 1 -o cut.svg

Formats, by the ending of the file's name: .svg an image; .html a page to explore; .shiviz a
  log for ShiViz; .trace.json a trace for Perfetto; .mmd a Mermaid sequence diagram and .dot
  a Graphviz graph, both of short runs.

Exit status: 0 everything is written; 2 the history cannot be read, or not be drawn so:
  nothing is written; 1 a file cannot be written.";

/// Options of `master diagram`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct DiagramOptions {
    /// The history, one JSON object an event; `-` reads standard input
    history: PathBuf,
    /// Where to: the ending says in which format; may be given several times [default: an SVG on
    /// standard output]
    #[arg(short, long, value_name = "FILE", value_parser = Output::parse)]
    output: Vec<Output>,
    /// Only from what this line of the script did
    #[arg(long, value_name = "LINE")]
    from: Option<u64>,
    /// Only to what this line of the script did
    #[arg(long, value_name = "LINE")]
    to: Option<u64>,
    /// Only this snapshot, from its beginning to its last marker, and a little around it
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "to"])]
    snapshot: Option<u64>,
    /// Which system, where the script started several, counted from 1 [default: the first]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    system: Option<u64>,
    /// When to colour messages
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Colour::Auto)]
    color: Colour,
}

/// A file to be written, and how.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) path: PathBuf,
    pub(super) format: Format,
}

impl Output {
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let path = PathBuf::from(name);
        let format = Format::of_name(name).ok_or_else(|| {
            let endings = Format::endings();
            format!("the ending says which format is meant, and must be one of {endings}")
        })?;
        Ok(Self { path, format })
    }
}

/// Runs `master diagram` and returns its exit status.
pub(super) fn run(options: &DiagramOptions) -> u8 {
    let painter = Painter::new(options.color);
    let name = printable(options.history.as_os_str().as_encoded_bytes()).to_string();
    let tell = |reason: &str| painter.tell(&format!("{name}: {}", printable(reason.as_bytes())));
    let drawn = open(&options.history)
        .and_then(|input| read(input, &tell))
        .and_then(|(header, events)| draw_selected(options, &header, events, &tell));
    let texts = match drawn {
        Ok(texts) => texts,
        Err(reason) => {
            tell(&reason);
            return status::MALFORMED;
        }
    };
    for (output, text) in options.output.iter().zip(&texts) {
        if let Err(error) = fs::write(&output.path, text) {
            let path = printable(output.path.as_os_str().as_encoded_bytes());
            painter.tell(&format!("{path}: it cannot be written: {error}"));
            return status::FAILED;
        }
    }
    match (&options.output[..], &texts[..]) {
        ([], [text]) => write_out(text.as_bytes()),
        _ => 0,
    }
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, String> {
    Ok(match path == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(BufReader::new(
            File::open(path).map_err(|error| error.to_string())?,
        )),
    })
}

/// A whole history; tells where its last line is cut off.
pub(super) fn read(
    input: impl BufRead,
    tell: &impl Fn(&str),
) -> Result<(Header, Vec<Event>), String> {
    let mut reader = Reader::new(input).map_err(|error| error.to_string())?;
    let mut events = Vec::new();
    while let Some(event) = reader.next_event().map_err(|error| error.to_string())? {
        events.push(event);
    }
    if reader.is_truncated() {
        let line = reader.line();
        tell(&format!(
            "line {line} is cut off, as when a run is killed; what comes before it is drawn"
        ));
    }
    Ok((reader.header().clone(), events))
}

/// One text for each output, or the SVG where there is none.
fn draw_selected(
    options: &DiagramOptions,
    header: &Header,
    events: Vec<Event>,
    tell: &impl Fn(&str),
) -> Result<Vec<String>, String> {
    let systems = link(events)?;
    let number = options.system.unwrap_or(1);
    let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
    let system = systems.get(index).ok_or_else(|| match systems.len() {
        0 => NO_SYSTEM.to_owned(),
        count => format!("there is no system {number}: it has {count}"),
    })?;
    if options.system.is_none() && systems.len() > 1 {
        let count = systems.len();
        tell(&format!(
            "this is the first of {count} systems; --system N draws another"
        ));
    }
    let selection = match (options.snapshot, options.from, options.to) {
        (Some(snapshot), ..) => Selection::Snapshot(SnapshotId(snapshot)),
        (None, None, None) => Selection::All,
        (None, from, to) => Selection::Lines { from, to },
    };
    let formats = options.output.iter().map(|output| output.format);
    let mut formats: Vec<Format> = formats.collect();
    if formats.is_empty() {
        formats.push(Format::Svg);
    }
    let drawn = formats.into_iter();
    let drawn = drawn.map(|format| draw(format, system, header, selection));
    drawn.collect()
}

pub(super) fn link(events: Vec<Event>) -> Result<Vec<System>, String> {
    System::link(events).map_err(|error| error.to_string())
}

pub(super) fn draw(
    format: Format,
    system: &System,
    header: &Header,
    selection: Selection,
) -> Result<String, String> {
    let drawn = format.draw(system, header, selection);
    drawn.map_err(|error| error.to_string())
}
