//! The files of a journal: how they are called, how one is begun, grows and goes.

use std::path::PathBuf;

use crate::format::{HEADER, Header, WORD, block_end, block_word, put_record};
use crate::{Error, File, Files, Past, Settings, Survives};

/// How the name of a draft ends.
const DRAFT: &str = ".new";

/// The segment that is appended to.
#[derive(Debug)]
pub(crate) struct Segment<W> {
    pub(crate) number: u64,
    pub(crate) file: W,
    pub(crate) salt: u32,
    /// Where the next block begins.
    pub(crate) end: u64,
    /// Up to where the file can be written.
    pub(crate) reached: u64,
}

/// The names of all journals in a directory, those included of which there is no more than a draft.
///
/// # Errors
///
/// It cannot be read.
pub fn journals(files: &impl Files) -> Result<Vec<String>, Error> {
    let all = names(files)?;
    let segments = all
        .iter()
        .filter_map(|file| journal_of(file.strip_suffix(DRAFT).unwrap_or(file)));
    let mut names: Vec<String> = segments.map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Removes a journal, the oldest segment first.
///
/// # Errors
///
/// A file cannot be removed; those before it are.
pub fn remove(files: &impl Files, name: &str, survives: Survives) -> Result<(), Error> {
    remove_drafts(files, name)?;
    for (_, segment) in &segments(files, name)? {
        remove_file(files, segment, Settings::new(survives))?;
    }
    Ok(())
}

/// Removes what those who died while they began a segment have left behind: nobody has heard of it.
fn remove_drafts(files: &impl Files, name: &str) -> Result<(), Error> {
    for file in names(files)? {
        if file.strip_suffix(DRAFT).and_then(journal_of) == Some(name) {
            let removed = files.remove(&file);
            removed.map_err(|source| Error::system("remove", files.path(&file), source))?;
        }
    }
    Ok(())
}

/// Writes a segment that begins with an image, as a draft that takes its name when it is whole.
pub(crate) fn put_segment<F: Files>(
    files: &F,
    name: &str,
    header: Header,
    settings: Settings,
    image: &[u8],
) -> Result<Segment<F::File>, Error> {
    let (draft, segment) = (
        draft_of(name, header.segment),
        name_of(name, header.segment),
    );
    let path = || files.path(&segment);
    let failed = |doing| move |source| Error::system(doing, path(), source);
    let _ = files.remove(&draft);
    let mut begun = Segment {
        number: header.segment,
        file: files.create(&draft).map_err(failed("make"))?,
        salt: header.salt(),
        end: HEADER,
        reached: 0,
    };
    let not_synced = |source| Error::NotSynced {
        path: path(),
        source,
    };
    let mut write = || {
        let mut contents = Vec::with_capacity(image.len() + 10);
        put_record(&mut contents, image);
        reach(
            &mut begun,
            0,
            block_end(HEADER, contents.len()),
            settings,
            path,
        )?;
        begun.file.write(0, &header.to_bytes());
        put_block(&mut begun, &contents, settings, path)?;
        if settings.survives == Survives::Failure {
            begun.file.sync().map_err(not_synced)?;
        }
        files.rename(&draft, &segment).map_err(failed("make"))
    };
    if let Err(error) = write() {
        let _ = files.remove(&draft);
        return Err(error);
    }
    if settings.survives == Survives::Failure {
        files.sync().map_err(not_synced)?;
    }
    Ok(begun)
}

/// Appends a block; where that fails nothing has changed.
#[inline]
pub(crate) fn put_block<W: File>(
    segment: &mut Segment<W>,
    contents: &[u8],
    settings: Settings,
    path: impl Fn() -> PathBuf,
) -> Result<(), Error> {
    let (at, end) = (segment.end, block_end(segment.end, contents.len()));
    let word = block_word(segment.salt, at, contents).ok_or_else(|| Error::TooLong {
        path: path(),
        length: contents.len(),
    })?;
    if end > segment.reached {
        reach(segment, at, end, settings, path)?;
    }
    segment.file.write(at + WORD, contents);
    segment.file.store(at, word);
    segment.end = end;
    Ok(())
}

#[cold]
fn reach<W: File>(
    segment: &mut Segment<W>,
    from: u64,
    to: u64,
    settings: Settings,
    path: impl Fn() -> PathBuf,
) -> Result<(), Error> {
    let to = to.next_multiple_of(settings.step.max(1));
    let reached = segment.file.reach(from, to);
    reached.map_err(|source| Error::system("make room in", path(), source))?;
    segment.reached = to;
    Ok(())
}

/// Makes what was read survive a failure of the machine, whoever wrote it.
pub(crate) fn settle<F: Files>(
    files: &F,
    names: &[(u64, String)],
    past: &Past,
    newest: &mut F::File,
) -> Result<(), Error> {
    let sync = |file: &mut F::File, name: &str| {
        file.sync().map_err(|source| Error::NotSynced {
            path: files.path(name),
            source,
        })
    };
    let Some(((_, last), older)) = names.split_last() else {
        return Ok(());
    };
    for (_, name) in older {
        let file = files.open(name);
        let mut file = file.map_err(|source| Error::system("open", files.path(name), source))?;
        sync(&mut file, name)?;
    }
    if let Some(segment) = past.segments().last() {
        // The last block may be one that the disk has refused, which the kernel then forgets: it
        // has to be written again to be asked for again.
        let (from, to) = (segment.last_block, segment.end);
        let there = newest.reach(from, to);
        there.map_err(|source| Error::system("make room in", files.path(last), source))?;
        let block = { usize::try_from(from).ok() }.and_then(|from| segment.bytes.get(from..));
        newest.write(from, block.unwrap_or_default());
        sync(newest, last)?;
    }
    let names_synced = files.sync();
    names_synced.map_err(|source| Error::NotSynced {
        path: files.path(""),
        source,
    })
}

pub(crate) fn remove_file(files: &impl Files, name: &str, settings: Settings) -> Result<(), Error> {
    let path = || files.path(name);
    let removed = files.remove(name);
    removed.map_err(|source| Error::system("remove", path(), source))?;
    if settings.survives == Survives::Failure {
        // Each on its own: whichever of several the disk forgets first, a gap would be damage.
        files.sync().map_err(|source| Error::NotSynced {
            path: path(),
            source,
        })?;
    }
    Ok(())
}

/// The segments of a journal that are there, oldest first: their numbers and files.
pub(crate) fn segments(files: &impl Files, name: &str) -> Result<Vec<(u64, String)>, Error> {
    let mut found: Vec<(u64, String)> = names(files)?
        .into_iter()
        .filter_map(|file| Some((number_in(&file, name)?, file)))
        .collect();
    found.sort_unstable();
    for pair in found.windows(2) {
        let expected = pair[0].0 + 1;
        if pair[1].0 != expected {
            let path = files.path(&name_of(name, expected));
            return Err(Error::Missing { path });
        }
    }
    Ok(found)
}

pub(crate) fn name_of(journal: &str, segment: u64) -> String {
    format!("{journal}.{segment}")
}

pub(crate) fn draft_of(journal: &str, segment: u64) -> String {
    format!("{journal}.{segment}{DRAFT}")
}

/// The names of all files.
fn names(files: &impl Files) -> Result<Vec<String>, Error> {
    let all = files.names();
    all.map_err(|source| Error::system("list", files.path(""), source))
}

/// The journal of which a file is a segment, by its name.
fn journal_of(file: &str) -> Option<&str> {
    let (journal, _) = file.rsplit_once('.')?;
    number_in(file, journal).map(|_| journal)
}

/// The number of the segment of this journal that a file is by its name.
fn number_in(file: &str, journal: &str) -> Option<u64> {
    let number = file
        .strip_prefix(journal)?
        .strip_prefix('.')?
        .parse()
        .ok()?;
    (name_of(journal, number) == file).then_some(number)
}
