//! Messages of a session, on a stream or above the prompt.

use std::time::Duration;

use pipes::Patience;

use super::error::Stop;
use super::paint::Painter;
use super::prompt::Above;

/// How long what is ready to be said may take to be written when a run has ended.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(200);

/// Where a session's messages go.
pub(crate) enum Teller {
    /// To where the painter paints.
    Stream(Painter),
    /// Above the prompt, while somebody types.
    Above(Painter, Above),
}

impl Teller {
    pub(crate) fn painter(&self) -> Painter {
        match self {
            Self::Stream(painter) | Self::Above(painter, _) => *painter,
        }
    }

    /// Tells a message, as [`Painter::tell_within`] does.
    pub(crate) fn tell(&mut self, text: &str, patience: &Patience) -> Result<(), Stop> {
        match self {
            Self::Above(painter, above) => {
                above(&painter.message(text));
                Ok(())
            }
            Self::Stream(painter) => painter.tell_within(text, patience),
        }
    }

    /// Shows what is no message, just as it is: a drawing, a table.
    pub(crate) fn show(&mut self, text: &str, patience: &Patience) -> Result<(), Stop> {
        match self {
            Self::Above(_, above) => {
                above(text);
                Ok(())
            }
            Self::Stream(painter) => painter.write(&format!("{text}\n"), patience),
        }
    }
}
