//! Files that are read, their names in messages, and results on standard output.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::path::Path;

use bank::script::{looks_like_script, printable};

use super::error::{Error, Stop};
use super::files::Files;

/// A history that is being read.
pub(crate) type HistoryInput = Box<dyn BufRead>;

/// How a file is called in messages: without any power over a terminal.
pub(crate) fn name_of(path: &Path) -> String {
    printable(path.as_os_str().as_encoded_bytes()).to_string()
}

/// Opens a history, or standard input where it is `-`; nothing may be written into it meanwhile.
pub(crate) fn open(path: &Path, files: &mut Files) -> Result<HistoryInput, Error> {
    let name = name_of(path);
    let mut input: Box<dyn BufRead> = if path == Path::new("-") {
        files.add(io::stdin(), "the history (standard input)");
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path).map_err(|error| Error::Io(error).in_file(&name))?;
        files.add(&file, format!("the history {name}"));
        Box::new(BufReader::new(file))
    };
    files.add_streams()?;
    let beginning = input.fill_buf();
    let beginning = beginning.map_err(|error| Error::Io(error).in_file(&name))?;
    match looks_like_script(beginning) {
        true => Err(Error::IsScript.in_file(&name)),
        false => Ok(input),
    }
}

/// All of a file, or of standard input where the path is `-`; nothing may be written into it.
pub(crate) fn read_whole(path: &Path, what: &str, files: &mut Files) -> Result<Vec<u8>, io::Error> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        files.add(io::stdin(), format!("{what} (standard input)"));
        io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        let mut file = File::open(path)?;
        files.add(&file, format!("{what} {}", name_of(path)));
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// A script as text, if it is free of mistakes, whether its bank lasts or not.
pub(crate) fn checked_script(path: &Path, files: &mut Files) -> Result<String, Error> {
    let name = name_of(path);
    let text = read_whole(path, "the script", files);
    let text = text.map_err(|error| Error::Io(error).in_file(&name))?;
    bank::script::read_lasting_script(&text).map_err(|refusals| Error::Refused {
        path: name,
        refusals,
    })?;
    files.add_streams()?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Writes results that are there at once.
pub(crate) fn write_out(text: &[u8]) -> Result<(), Error> {
    Ok(io::stdout().write_all(text).map_err(Stop::stdout)?)
}
