//! `master diagram`: draws a history.

use std::io::BufRead;
use std::path::PathBuf;

use clap::Args;
use diagram::{Format, Selection, Setting, Time};
use history::SnapshotId;
use pipes::Patience;

use crate::master::shared::{
    Colour, Drawable, Error, Files, ImageOptions, Output, OutputFile, Painter, Purpose, name_of,
    open, status, write_out,
};

/// Draw a history: every process, message, marker and cut
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:

  $ master --history run.jsonl two.txt
  $ master diagram run.jsonl -o run.svg
  $ master diagram run.jsonl --snapshot 1 -o cut.svg
  $ master diagram run.jsonl --compact --no-markers -o slide.svg

Formats:

  .svg         an image, on light and on dark ground
  .html        a page to explore the run; one file, which loads nothing else
  .shiviz      a log with vector clocks for ShiViz
  .trace.json  a trace for Perfetto, in which each step is a second; with --clock, in real time
  .mmd         a Mermaid sequence diagram, of up to 500 events
  .dot         a Graphviz graph, of up to 500 events

An image or a page has at most 4,000 events, an image at most 30 processes. Of a larger history
the first events are drawn, in an image those of the processes to which most happens; a message
says so, and --from and --to or --snapshot choose another part.

Exit status:

  0        everything is written
  1        a file cannot be written
  2        the history cannot be read, or not be drawn so; nothing is written
  141      standard output was closed by its reader")]
pub(crate) struct DiagramOptions {
    /// The history, one JSON object an event; `-` reads standard input
    history: PathBuf,
    /// Where to: the ending says in which format; may be given several times [default: an SVG on
    /// standard output]
    #[arg(short, long, value_name = "FILE", value_parser = Output::parse)]
    output: Vec<Output>,
    /// Only from what this line of the script did; arrows that cross the border are kept
    #[arg(long, value_name = "LINE")]
    from: Option<u64>,
    /// Only to what this line of the script did; arrows that cross the border are kept
    #[arg(long, value_name = "LINE")]
    to: Option<u64>,
    /// Only this snapshot, from its beginning to its last marker, and a little around it
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "to"])]
    snapshot: Option<u64>,
    /// Which system, where the script started several, counted from 1 [default: the first]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    system: Option<u64>,
    /// A .trace.json in real time, most of which is the start of processes [default: each step is a
    /// second]
    #[arg(long)]
    clock: bool,
    #[command(flatten)]
    image: ImageOptions,
    #[command(flatten)]
    pub(crate) color: Colour,
}

/// Draws a history.
pub(crate) fn run(options: &DiagramOptions) -> Result<u8, Error> {
    let mut formats = options.output.iter().map(|output| output.format);
    if options.clock && !formats.any(|format| matches!(format, Format::Trace(_))) {
        return Err(Error::ClockOfNoTrace);
    }
    let name = name_of(&options.history);
    let tell = |text: &str| Painter::new(options.color).tell(&format!("{name}: {text}"));
    let (mut files, patience) = (Files::default(), Patience::default());
    let input = open(&options.history, &mut files)?;
    let texts = draw(input, options, tell).map_err(|error| error.in_file(&name))?;
    let outputs = options.output.iter();
    let outputs = outputs.map(|output| files.open(&output.path, Purpose::OUTPUT, &patience));
    let outputs: Vec<OutputFile> = outputs.collect::<Result<_, Error>>().map_err(Error::lost)?;
    for (output, text) in outputs.iter().zip(&texts) {
        output.replace(text, &patience).map_err(Error::lost)?;
    }
    if let ([], [text]) = (&outputs[..], &texts[..]) {
        write_out(text.as_bytes())?;
    }
    Ok(status::DONE)
}

/// One text for each output, or the SVG where there is none.
fn draw(
    input: impl BufRead,
    options: &DiagramOptions,
    tell: impl Fn(&str),
) -> Result<Vec<String>, Error> {
    let history = Drawable::read(input, &tell)?;
    let number = options.system.unwrap_or(1);
    let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
    let count = history.systems.len();
    let system = history.systems.get(index).ok_or(match count {
        0 => Error::NoSystem,
        count => Error::NoSuchSystem { number, count },
    })?;
    if options.system.is_none() && count > 1 {
        tell(&format!(
            "this is the first of {count} systems; --system N draws another"
        ));
    }
    let selection = match (options.snapshot, options.from, options.to) {
        (Some(snapshot), ..) => Selection::Snapshot(SnapshotId(snapshot)),
        (None, None, None) => Selection::All,
        (None, from, to) => Selection::Lines { from, to },
    };
    let formats = options.output.iter().map(|output| match output.format {
        Format::Trace(_) if options.clock => Format::Trace(Time::Clock),
        format => format,
    });
    let mut formats: Vec<Format> = formats.collect();
    if formats.is_empty() {
        formats.push(Format::Svg(Setting::WIDE));
    }
    let mut told = None;
    let mut texts = Vec::new();
    for format in options.image.set(formats)? {
        let drawing = history.draw(format, system, selection)?;
        if let Some(left_out) = drawing.left_out.filter(|it| told.replace(*it) != Some(*it)) {
            tell(&left_out.to_string());
        }
        texts.push(drawing.text);
    }
    Ok(texts)
}
