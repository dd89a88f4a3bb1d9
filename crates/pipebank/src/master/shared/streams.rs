//! Files that are read, their names in messages, and results on standard output.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::path::Path;

use bank::script::printable;

use super::error::{Error, Stop};

/// How a file is called in messages: without any power over a terminal.
pub(crate) fn name_of(path: &Path) -> String {
    printable(path.as_os_str().as_encoded_bytes()).to_string()
}

/// Opens a history, or standard input where it is `-`.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead>, io::Error> {
    Ok(match path == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(BufReader::new(File::open(path)?)),
    })
}

/// A script as text, if it is free of mistakes; standard input where the path is `-`.
pub(crate) fn checked_script(path: &Path) -> Result<String, Error> {
    let name = name_of(path);
    let mut text = Vec::new();
    open(path)
        .and_then(|mut file| file.read_to_end(&mut text))
        .map_err(|error| Error::Io(error).in_file(&name))?;
    bank::script::read_script(&text).map_err(|refusals| Error::Refused {
        path: name,
        refusals,
    })?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Writes results that are there at once.
pub(crate) fn write_out(text: &[u8]) -> Result<(), Error> {
    Ok(io::stdout().write_all(text).map_err(Stop::stdout)?)
}
