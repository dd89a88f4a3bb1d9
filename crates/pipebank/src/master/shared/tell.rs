//! Messages of a session, on standard error or above the prompt.

use std::time::Instant;

use pipes::Signals;

use super::error::Stop;
use super::paint::Painter;
use super::prompt::Above;

/// Where a session's messages go.
pub(crate) enum Teller {
    /// To standard error.
    Stderr(Painter),
    /// Above the prompt, while somebody types.
    Above(Painter, Above),
}

impl Teller {
    pub(crate) fn painter(&self) -> Painter {
        match self {
            Self::Stderr(painter) | Self::Above(painter, _) => *painter,
        }
    }

    /// Tells a message, waiting while nobody reads it, but no longer than until a signal arrives
    /// or the deadline passes.
    pub(crate) fn tell(
        &mut self,
        text: &str,
        signals: Option<&Signals>,
        deadline: Option<Instant>,
    ) -> Result<(), Stop> {
        let painter = match self {
            Self::Above(painter, above) => {
                above(&painter.paint(text));
                return Ok(());
            }
            Self::Stderr(painter) => painter,
        };
        let line = painter.paint(text) + "\n";
        let stderr = std::io::stderr();
        match pipes::write_interruptibly(&stderr, line.as_bytes(), signals, deadline) {
            Ok(count) if count < line.len() => {
                Err(Stop::interrupted(signals, "the reader of standard error")?)
            }
            // Where nobody can hear it, that is nobody's failure.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
