//! The last steps of a run as a small diagram: the word `show` of the prompt, and the screens of a tour.

use anstyle::{Ansi256Color, AnsiColor, Color, Style};
use diagram::{Ink, Recent, TextOptions, text};

use super::session::Session;
use super::shared::Stop;

/// How many steps are drawn where no number is typed.
const STEPS: usize = 20;
/// The width of a terminal that does not say how wide it is.
const COLUMNS: usize = 80;

/// The snapshots' colours, which can be told apart on light and on dark ground: those of the images,
/// as near as a terminal of 256 colours has them.
const SNAPSHOTS: [u8; 6] = [32, 166, 36, 169, 172, 74];

/// What `show` draws from.
pub(super) fn recent() -> Recent {
    Recent::default()
}

/// Carries out `show [N]` at the prompt, if that is what was typed, and says whether it is.
pub(super) fn obey(
    session: &mut Session,
    typed: &str,
    columns: Option<usize>,
) -> Result<bool, Stop> {
    let words: Vec<&str> = typed.split_whitespace().collect();
    let steps = match words[..] {
        ["show"] => Ok(STEPS),
        ["show", steps] => steps.parse().ok().filter(|steps| *steps > 0).ok_or(steps),
        _ => return Ok(false),
    };
    session.drain()?;
    let steps = match steps {
        Ok(steps) => steps,
        Err(word) => {
            session.failed = true;
            let word = bank::script::printable(word.as_bytes());
            session.tell(&format!(
                "`show {word}`: `show N` draws the last N steps, and N must be a number from 1"
            ))?;
            return Ok(true);
        }
    };
    let columns = columns.filter(|columns| *columns > 0).unwrap_or(COLUMNS);
    draw(session, steps, columns, true)?;
    Ok(true)
}

/// Shows the last steps, in so many columns; where there are `earlier` ones, may say so.
pub(super) fn draw(
    session: &mut Session<'_>,
    steps: usize,
    width: usize,
    earlier: bool,
) -> Result<(), Stop> {
    let options = TextOptions {
        width,
        steps,
        earlier,
        ascii: session.settings.ascii,
    };
    let recent = session.chronicle.as_ref();
    let recent = recent.and_then(|chronicle| chronicle.recent.as_ref());
    let drawn = match recent.filter(|recent| !recent.is_empty()) {
        None => "nothing has happened yet that could be drawn".to_owned(),
        Some(recent) => {
            let painter = session.teller.painter();
            text(recent, &options, |ink, text| {
                painter.style(style(ink), text)
            })
        }
    };
    session.show(&drawn)
}

fn style(ink: Ink) -> Style {
    match ink {
        Ink::Plain => Style::new(),
        Ink::Faint => Style::new().dimmed(),
        Ink::Name => Style::new().bold(),
        Ink::Bad => AnsiColor::Red.on_default(),
        Ink::Snapshot(snapshot) => {
            let index = snapshot.0.wrapping_sub(1) % SNAPSHOTS.len() as u64;
            let colour = Ansi256Color(SNAPSHOTS[index as usize]);
            Style::new().fg_color(Some(Color::Ansi256(colour)))
        }
    }
}
