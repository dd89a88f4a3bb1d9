//! What a process writes, line by line, with a deadline for each.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Instant;

/// Lines of one stream, as they come.
pub(crate) struct Stream {
    lines: mpsc::Receiver<Vec<u8>>,
    pub(crate) seen: Vec<u8>,
}

impl Stream {
    pub(crate) fn read(source: impl Read + Send + 'static) -> Self {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            loop {
                let mut line = Vec::new();
                match source.read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) if sender.send(line).is_err() => return,
                    Ok(_) => {}
                }
            }
        });
        Self {
            lines,
            seen: Vec::new(),
        }
    }

    /// A stream that ended before it began.
    pub(crate) fn none() -> Self {
        Self::read(std::io::empty())
    }

    pub(crate) fn next(&mut self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = self.lines.recv_timeout(left)?;
        self.seen.extend(&line);
        Ok(String::from_utf8_lossy(&line)
            .trim_end_matches('\n')
            .to_owned())
    }

    /// Reads to the end of file, which comes when nobody holds the stream open any more.
    #[track_caller]
    pub(crate) fn finish(&mut self, name: &str, deadline: Instant) {
        loop {
            match self.next(deadline) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{name} never ended: somebody holds it open")
                }
            }
        }
    }
}
