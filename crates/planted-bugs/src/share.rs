//! A share of the bugs: all of them take longer than continuous integration may.

use std::str::FromStr;

use thiserror::Error;

/// Every Nth bug from the Kth on, written `K/N`. The shares `1/N` to `N/N` are all of them, each once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Share {
    /// From 1 on.
    which: usize,
    of: usize,
}

/// Why something is no share.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum NoShare {
    #[error("a share is two numbers with a slash between them, such as 3/9")]
    Form,
    #[error("the shares are numbered from 1 to the number behind the slash")]
    Range,
}

impl Share {
    pub(crate) fn of<T>(self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        all.skip(self.which - 1).step_by(self.of)
    }
}

impl FromStr for Share {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Self, NoShare> {
        let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse().map_err(|_| NoShare::Form),
            // What `parse` takes beyond digits, such as a sign, is more likely a slip.
            false => Err(NoShare::Form),
        };
        let (which, of) = text.split_once('/').ok_or(NoShare::Form)?;
        let share = Self {
            which: number(which)?,
            of: number(of)?,
        };
        match (1..=share.of).contains(&share.which) {
            true => Ok(share),
            false => Err(NoShare::Range),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NoShare, Share};

    #[test]
    fn the_shares_together_are_everything_once() {
        for of in 1..12 {
            let mut seen: Vec<usize> = Vec::new();
            for which in 1..=of {
                let share: Share = format!("{which}/{of}").parse().unwrap();
                let part: Vec<usize> = share.of(0..10).collect();
                assert!(part.len() <= 10_usize.div_ceil(of));
                seen.extend(part);
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..10).collect::<Vec<_>>(), "shares of {of}");
        }
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in [
            "",
            "3",
            "/",
            "3/",
            "/9",
            "a/9",
            "3/9/1",
            "+3/9",
            "-1/9",
            "3 / 9",
            "99999999999999999999/1",
        ] {
            assert_eq!(text.parse::<Share>(), Err(NoShare::Form), "{text}");
        }
        for text in ["0/9", "10/9", "0/0", "1/0"] {
            assert_eq!(text.parse::<Share>(), Err(NoShare::Range), "{text}");
        }
    }
}
