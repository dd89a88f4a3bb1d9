//! Files that are read, their names in messages, and results on standard output.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use bank::script::printable;

use super::error::{Error, Stop};
use super::files::Files;

/// How a file is called in messages: without any power over a terminal.
pub(crate) fn name_of(path: &Path) -> String {
    printable(path.as_os_str().as_encoded_bytes()).to_string()
}

/// Opens a history, or standard input where it is `-`; nothing may be written into it meanwhile.
pub(crate) fn open(path: &Path, files: &mut Files) -> Result<Box<dyn BufRead>, Error> {
    if path == Path::new("-") {
        files.add(io::stdin(), "the history (standard input)");
        files.add_streams()?;
        return Ok(Box::new(io::stdin().lock()));
    }
    let name = name_of(path);
    let file = File::open(path).map_err(|error| Error::Io(error).in_file(&name))?;
    files.add(&file, format!("the history {name}"));
    files.add_streams()?;
    Ok(Box::new(BufReader::new(file)))
}

/// Writes results that are there at once.
pub(crate) fn write_out(text: &[u8]) -> Result<(), Error> {
    Ok(io::stdout().write_all(text).map_err(Stop::stdout)?)
}
