//! The word `show` of the prompt: the last steps of the run as a small diagram.

use anstyle::{Ansi256Color, AnsiColor, Color, Style};
use diagram::{Ink, Recent, TextOptions, text};

use crate::master::session::Session;
use crate::master::shared::Stop;

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

/// Carries out `show [N]`, if that is what was typed, and says whether it is.
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
    let options = TextOptions {
        width: columns.filter(|columns| *columns > 0).unwrap_or(COLUMNS),
        steps,
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
    session.show(&drawn)?;
    Ok(true)
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
