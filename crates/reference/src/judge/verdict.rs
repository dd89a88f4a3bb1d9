//! What a judge says.

use std::cmp::Ordering;
use std::fmt;

/// Whether an output is possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Some run prints exactly this.
    Possible,
    /// No run does.
    Impossible(Box<Mismatch>),
    /// The search was given up; why.
    Unknown(String),
}

/// The first line that no run can print after those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The line of the output, counted from 1; one behind the last where the output ends too early.
    pub line: usize,
    /// What stands there.
    pub found: Option<String>,
    /// The line of the script whose result should stand there.
    pub command: Option<usize>,
    /// What could have stood there: all of it, or nothing where that is too much to find out.
    pub possible: Vec<String>,
    /// Which rule it breaks.
    pub why: String,
    /// The mistake that it looks like.
    pub hint: Option<&'static str>,
}

impl Mismatch {
    /// Of two ways in which an output is impossible, the one that explains more of it; both, where
    /// they come to the same line.
    pub(super) fn or(mut self: Box<Self>, other: Box<Self>) -> Box<Self> {
        match self.line.cmp(&other.line) {
            Ordering::Less => other,
            Ordering::Greater => self,
            Ordering::Equal => {
                for one in other.possible {
                    if !self.possible.contains(&one) {
                        self.possible.push(one);
                    }
                }
                self
            }
        }
    }
}

impl Mismatch {
    /// What could have stood there, the first few of it.
    #[must_use]
    pub fn some_possible(&self, between: &str) -> String {
        let shown = self
            .possible
            .iter()
            .take(MOST_SHOWN)
            .map(|one| format!("`{one}`"));
        let mut text = shown.collect::<Vec<_>>().join(between);
        let more = self.possible.len().saturating_sub(MOST_SHOWN);
        if more > 0 {
            text += &format!(" and {more} more");
        }
        text
    }
}

/// So many possibilities are shown.
const MOST_SHOWN: usize = 8;

impl fmt::Display for Mismatch {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "line {}: ", self.line)?;
        match &self.found {
            Some(found) => write!(to, "`{found}`")?,
            None => to.write_str("the output ends")?,
        }
        if let Some(command) = self.command {
            write!(to, " as a result of line {command} of the script")?;
        }
        if !self.possible.is_empty() {
            write!(to, "; possible: {}", self.some_possible(", "))?;
        }
        if !self.why.is_empty() {
            write!(to, ": {}", self.why)?;
        }
        if let Some(hint) = self.hint {
            write!(to, " (hint: {hint})")?;
        }
        Ok(())
    }
}
