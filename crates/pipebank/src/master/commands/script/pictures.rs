//! The pictures of a run (`--diagram FILE`): what `master diagram` would draw of its history, once
//! every process has ended.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use diagram::{Format, Selection};
use pipes::Patience;

use crate::master::chronicle::{KEPT_MIB, Kept, is_same_file};
use crate::master::shared::{Drawable, Error, LAST_WORDS, Output, Stop, name_of};

/// A file for a picture. It is opened before anything starts, so that a place where nothing can be
/// written is known then; what is in it stays until the picture is written, and one that was not
/// there before goes again where it never is.
pub(super) struct Picture {
    path: PathBuf,
    name: String,
    is_new: bool,
    format: Format,
    file: File,
}

impl Picture {
    /// Opens the files; none of them may be one of `others`, which the run reads or writes.
    pub(super) fn open_all(
        outputs: &[Output],
        others: &[Option<&Path>],
        patience: &Patience,
    ) -> Result<Vec<Self>, Error> {
        let pictures = outputs.iter().map(|Output { path, format }| {
            let name = name_of(path);
            let is_other = |other: &&Path| is_same_file(path, other);
            if let Some(other) = others.iter().flatten().find(|other| is_other(other)) {
                return Err(Error::Overwrites {
                    picture: name,
                    other: name_of(other),
                });
            }
            let is_new = !path.exists();
            let mut options = File::options();
            options.create(true).truncate(false);
            let opened = pipes::open_to_write(path, &options, patience);
            let opened = opened.map_err(|source| Error::Picture {
                picture: name.clone(),
                source,
            })?;
            let Some(file) = opened else {
                return Err(Stop::interrupted(patience, &format!("a reader of {name}")).into());
            };
            Ok(Self {
                path: path.clone(),
                name,
                is_new,
                format: *format,
                file,
            })
        });
        pictures.collect()
    }

    /// Writes it. Whoever reads it is not waited for any more; a file takes as long as it takes. Half
    /// a picture is of no use: where the whole cannot be written, the file is empty.
    fn write(&self, text: &str) -> Result<(), Error> {
        let is_file = self.file.metadata().is_ok_and(|found| found.is_file());
        let lost = |source| {
            let _ = is_file.then(|| self.file.set_len(0));
            Error::Picture {
                picture: self.name.clone(),
                source,
            }
        };
        if is_file {
            let write = || {
                self.file.set_len(0)?;
                (&self.file).write_all(text.as_bytes())
            };
            return write().map_err(lost);
        }
        let last_words = Patience::brief(LAST_WORDS);
        let written = pipes::write_patiently(&self.file, text.as_bytes(), &last_words);
        match written.map_err(lost)? {
            count if count < text.len() => Err(Error::CutOff(self.name.clone())),
            _ => Ok(()),
        }
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        if self.is_new && self.file.metadata().is_ok_and(|found| found.len() == 0) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes the pictures of what was kept, and returns whether all of them are written; an error where
/// `patience` runs out meanwhile.
pub(super) fn write_all(
    pictures: &[Picture],
    kept: Kept,
    patience: &Patience,
    tell: &mut impl FnMut(&str),
) -> Result<bool, Stop> {
    let [first, ..] = pictures else {
        return Ok(true);
    };
    let undrawn = |picture: &Picture, reason: &Error| {
        let name = &picture.name;
        let remedy = match reason {
            Error::NoSystem => "",
            _ => {
                "; with --history FILE the run leaves a history, and `master diagram FILE` draws \
                 it, or a part of it"
            }
        };
        format!("{name}: there is no picture: {reason}{remedy}")
    };
    let history = match patiently(patience, move || read(&kept))? {
        Ok(history) => Arc::new(history),
        Err(reason) => {
            tell(&undrawn(first, &reason));
            return Ok(false);
        }
    };
    if history.systems.is_empty() {
        tell(&undrawn(first, &Error::NoSystem));
        return Ok(false);
    }
    let count = history.systems.len();
    if count > 1 {
        tell(&format!(
            "{}: this is the first of {count} systems; with --history FILE the run leaves a \
             history, and `master diagram FILE --system N` draws another",
            first.name
        ));
    }
    let mut all = true;
    for picture in pictures {
        let (history, format) = (Arc::clone(&history), picture.format);
        let draw = move || history.draw(format, &history.systems[0], Selection::All);
        let drawn = patiently(patience, draw)?;
        let complaint = match drawn {
            Err(reason) => Some(undrawn(picture, &reason)),
            Ok(text) => picture.write(&text).err().map(|error| error.to_string()),
        };
        if let Some(complaint) = complaint {
            all = false;
            tell(&complaint);
        }
    }
    Ok(all)
}

/// Does on a thread of its own what takes its time, and waits for it. A time that was over before
/// does not count: a run that it has ended is drawn as well.
fn patiently<T: Send + 'static>(
    patience: &Patience,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Stop> {
    const LOOK_UP: Duration = Duration::from_millis(20);
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    let was_late = patience.is_late();
    loop {
        match result.recv_timeout(LOOK_UP) {
            Ok(value) => return Ok(value),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Stop::Internal("a picture was given up".to_owned()));
            }
        }
        match patience.next_caught()? {
            Some(caught) => return Err(Stop::Signal(caught.0)),
            None if was_late => {}
            None => Stop::heed(patience, "the run to be drawn")?,
        }
    }
}

fn read(kept: &Kept) -> Result<Drawable, Error> {
    let lines = kept.lines().ok_or(Error::NotKept(KEPT_MIB))?;
    Drawable::read(lines, |_| {})
}

#[test]
fn what_takes_for_ever_is_waited_for_until_the_time_is_over() {
    let (_open, never) = mpsc::channel::<()>();
    let patience = Patience::brief(Duration::from_secs(1));
    let waited = patiently(&patience, move || never.recv());
    assert!(matches!(waited, Err(Stop::TimedOut { .. })));
}
