//! How much is under way: it decides when to look for more.

use std::time::{Duration, Instant};

/// What is carried is counted this long at a time.
const WHILE: Duration = Duration::from_millis(1);
/// More than this in that time is much, which is some 16 MB a second. Whoever waits for each answer never gets
/// there.
const MUCH: usize = 16 * 1024;

/// What was carried lately.
#[derive(Debug)]
pub(crate) struct Traffic {
    since: Instant,
    bytes: usize,
    is_heavy: bool,
}

impl Traffic {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            since: now,
            bytes: 0,
            is_heavy: false,
        }
    }

    /// So many bytes of frames were read, or came.
    pub(crate) fn carried(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Whether it was much in the last while.
    pub(crate) fn is_heavy(&mut self, now: Instant) -> bool {
        if now >= self.since + WHILE {
            self.is_heavy = self.bytes > MUCH;
            (self.since, self.bytes) = (now, 0);
        }
        self.is_heavy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_heavy_for_as_long_as_much_is_carried() {
        let start = Instant::now();
        let mut traffic = Traffic::new(start);
        traffic.carried(MUCH + 1);
        assert!(
            !traffic.is_heavy(start + WHILE / 2),
            "the while is not over"
        );
        assert!(traffic.is_heavy(start + WHILE));
        traffic.carried(MUCH);
        assert!(traffic.is_heavy(start + WHILE * 3 / 2), "still");
        assert!(!traffic.is_heavy(start + WHILE * 2));
    }
}
