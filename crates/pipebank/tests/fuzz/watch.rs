//! A deadline for every input: where one is not done with in time, the program ends and says which.

use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// A thousand times what any input takes, so that a busy machine is no failure.
const LONGEST: Duration = Duration::from_secs(60);

/// Knows which input is being tried.
pub(super) struct Watch(Sender<Vec<u8>>);

impl Watch {
    /// Begins to watch.
    pub(super) fn over(target: &'static str) -> Self {
        let (begins, begun) = mpsc::channel::<Vec<u8>>();
        thread::spawn(move || {
            let mut input = Vec::new();
            loop {
                match begun.recv_timeout(LONGEST) {
                    Ok(next) => input = next,
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        // Not `eprintln!`, which the test harness keeps until the test ends.
                        let _ = writeln!(io::stderr(), "fuzz: {target}: {LONGEST:?} on {input:?}");
                        std::process::abort();
                    }
                }
            }
        });
        Self(begins)
    }

    /// This input is tried next; with the one before it is done.
    pub(super) fn begins(&self, input: &[u8]) {
        // The thread ends only with this, or with the program.
        let _ = self.0.send(input.to_vec());
    }
}
