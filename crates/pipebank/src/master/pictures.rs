//! The pictures of a run (`--diagram FILE`, and that of a tour): what `master diagram` would draw of its
//! history, once every process has ended.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use diagram::{Format, Selection};
use pipes::Patience;

use super::chronicle::{KEPT_MIB, Kept};
use super::finish::last_words;
use super::session::Session;
use super::shared::{
    Drawable, Error, Files, ImageOptions, LAST_WORDS, Output, OutputFile, Purpose, Stop, status,
};

/// A file for a picture: what is in it stays until the picture is written.
pub(super) struct Picture {
    output: OutputFile,
    format: Format,
}

impl Picture {
    /// Opens the files.
    pub(super) fn open_all(
        outputs: &[Output],
        image: ImageOptions,
        files: &mut Files,
        patience: &Patience,
    ) -> Result<Vec<Self>, Error> {
        let formats = image.set(outputs.iter().map(|output| output.format))?;
        let pictures = outputs
            .iter()
            .zip(formats)
            .map(|(Output { path, .. }, format)| {
                Ok(Self {
                    output: files.open(path, Purpose::PICTURE, patience)?,
                    format,
                })
            });
        pictures.collect()
    }

    /// Writes it. Whoever reads it is not waited for any more; a file takes as long as it takes.
    fn write(&self, text: &str) -> Result<(), Error> {
        self.output.replace(text, &Patience::brief(LAST_WORDS))
    }
}

/// Draws the run, once it is over, and returns the status that it has then.
pub(super) fn draw(session: &mut Session<'_>, pictures: &[Picture], status: u8) -> u8 {
    let chronicle = session.chronicle.take();
    let Some(kept) = chronicle.and_then(|chronicle| chronicle.kept) else {
        return status;
    };
    let patience = session.patience;
    match write_all(pictures, kept, patience, &mut |text| {
        last_words(session, text)
    }) {
        Ok(false) if status == status::DONE => status::FAILED,
        Ok(_) => status,
        Err(stop) => {
            if !stop.is_silent() {
                last_words(session, &format!("master: {stop}"));
            }
            stop.status()
        }
    }
}

/// Writes the pictures of what was kept, and returns whether all of them are written; an error where
/// `patience` runs out meanwhile.
fn write_all(
    pictures: &[Picture],
    kept: Kept,
    patience: &Patience,
    tell: &mut impl FnMut(&str),
) -> Result<bool, Stop> {
    let [first, ..] = pictures else {
        return Ok(true);
    };
    let undrawn = |picture: &Picture, reason: &Error| {
        let name = &picture.output.name;
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
            first.output.name
        ));
    }
    let mut all = true;
    for picture in pictures {
        let (history, format) = (Arc::clone(&history), picture.format);
        let draw = move || history.draw(format, &history.systems[0], Selection::All);
        let drawn = patiently(patience, draw)?;
        let complaint = match drawn {
            Err(reason) => Some(undrawn(picture, &reason)),
            Ok(drawing) => {
                if let Some(left_out) = drawing.left_out {
                    tell(&format!(
                        "{}: {left_out}, where `master diagram FILE` draws what --history FILE leaves",
                        picture.output.name
                    ));
                }
                let written = picture.write(&drawing.text);
                written.err().map(|error| error.to_string())
            }
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
