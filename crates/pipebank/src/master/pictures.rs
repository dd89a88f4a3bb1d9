//! The pictures of a run (`--diagram FILE`): what `master diagram` would draw of its history, once
//! every process has ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use diagram::{Format, Selection};
use history::{Header, System};

use super::LAST_WORDS;
use super::chronicle::{KEPT_MIB, Kept, is_same_file};
use super::diagram::{NO_SYSTEM, Output, draw, link, read};
use bank::script::printable;

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
    ///
    /// # Errors
    ///
    /// Why that cannot be, ready to be shown.
    pub(super) fn open_all(
        outputs: &[Output],
        others: &[Option<&Path>],
    ) -> Result<Vec<Self>, String> {
        let pictures = outputs.iter().map(|Output { path, format }| {
            let name = printable(path.as_os_str().as_encoded_bytes()).to_string();
            let is_other = |other: &&Path| is_same_file(path, other);
            if let Some(other) = others.iter().flatten().find(|other| is_other(other)) {
                let other = printable(other.as_os_str().as_encoded_bytes());
                return Err(format!(
                    "{name}: the picture would overwrite {other}; --diagram needs another file"
                ));
            }
            let is_new = !path.exists();
            let mut options = File::options();
            let opened = options.write(true).create(true).truncate(false).open(path);
            let file = opened
                .map_err(|error| format!("{name}: the picture cannot be written: {error}"))?;
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

    /// Writes it. Nobody is waited for any more.
    fn write(&self, text: &str) -> Result<(), String> {
        let told = |error| format!("{}: the picture cannot be written: {error}", self.name);
        if self.file.metadata().is_ok_and(|found| found.is_file()) {
            self.file.set_len(0).map_err(told)?;
        }
        let deadline = Some(Instant::now() + LAST_WORDS);
        let written = pipes::write_interruptibly(&self.file, text.as_bytes(), None, deadline);
        match written.map_err(told)? {
            count if count < text.len() => Err(format!(
                "{}: the picture is cut off: nobody read the rest of it",
                self.name
            )),
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

/// Writes the pictures of what was kept, and returns whether all of them are written.
pub(super) fn write_all(pictures: &[Picture], kept: &Kept, tell: &mut impl FnMut(&str)) -> bool {
    let [first, ..] = pictures else {
        return true;
    };
    let refuse = |tell: &mut dyn FnMut(&str), picture: &Picture, reason: &str| {
        tell(&format!(
            "{}: there is no picture: {reason}; with --history FILE the run leaves a history, and \
             `master diagram FILE` draws it, or a part of it",
            picture.name
        ));
    };
    let systems = match parse(kept) {
        Ok((header, systems)) => systems.map(|first| (header, first)),
        Err(reason) => {
            refuse(tell, first, &reason);
            return false;
        }
    };
    let Some((header, Systems { system, count })) = systems else {
        tell(&format!("{}: there is no picture: {NO_SYSTEM}", first.name));
        return false;
    };
    if count > 1 {
        tell(&format!(
            "{}: this is the first of {count} systems; with --history FILE the run leaves a \
             history, and `master diagram FILE --system N` draws another",
            first.name
        ));
    }
    let mut all = true;
    for picture in pictures {
        match draw(picture.format, &system, &header, Selection::All) {
            Err(reason) => {
                all = false;
                refuse(tell, picture, &reason);
            }
            Ok(text) => {
                if let Err(complaint) = picture.write(&text) {
                    all = false;
                    tell(&complaint);
                }
            }
        }
    }
    all
}

/// The first system, and how many there are.
struct Systems {
    system: System,
    count: usize,
}

fn parse(kept: &Kept) -> Result<(Header, Option<Systems>), String> {
    let lines = kept.lines().ok_or_else(|| {
        format!("the history of this run is longer than {KEPT_MIB} MiB, and no more is kept")
    })?;
    let (header, events) = read(lines, &|_| {})?;
    let systems = link(events)?;
    let count = systems.len();
    let first = systems.into_iter().next();
    Ok((header, first.map(|system| Systems { system, count })))
}
