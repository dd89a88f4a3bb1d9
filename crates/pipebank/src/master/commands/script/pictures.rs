//! The pictures of a run (`--diagram FILE`): what `master diagram` would draw of its history, once
//! every process has ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

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

    /// Writes it. Nobody is waited for any more. Half a picture is of no use: where the whole cannot
    /// be written, the file is empty.
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
            self.file.set_len(0).map_err(lost)?;
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

/// Writes the pictures of what was kept, and returns whether all of them are written.
pub(super) fn write_all(pictures: &[Picture], kept: &Kept, tell: &mut impl FnMut(&str)) -> bool {
    let [first, ..] = pictures else {
        return true;
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
    let history = match read(kept) {
        Ok(history) => history,
        Err(reason) => {
            tell(&undrawn(first, &reason));
            return false;
        }
    };
    let Some(system) = history.systems.first() else {
        tell(&undrawn(first, &Error::NoSystem));
        return false;
    };
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
        let drawn = history.draw(picture.format, system, Selection::All);
        let complaint = match drawn {
            Err(reason) => Some(undrawn(picture, &reason)),
            Ok(text) => picture.write(&text).err().map(|error| error.to_string()),
        };
        if let Some(complaint) = complaint {
            all = false;
            tell(&complaint);
        }
    }
    all
}

fn read(kept: &Kept) -> Result<Drawable, Error> {
    let lines = kept.lines().ok_or(Error::NotKept(KEPT_MIB))?;
    Drawable::read(lines, |_| {})
}
