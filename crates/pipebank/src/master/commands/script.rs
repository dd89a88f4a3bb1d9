//! `master SCRIPT`: runs a script, from a file, from standard input, or typed at a prompt.
//!
//! * `script/options.rs`: the command line;
//! * `script/lines.rs`: the commands, one after the other;
//! * `script/show.rs`: the prompt's word `show`;
//! * `script/pictures.rs`: the pictures of the run, when it has ended.

mod lines;
mod options;
mod pictures;
mod show;

use std::fs::File;
use std::io::{self, BufReader, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

use bank::script::{self, Refusal, ScriptReader, Statement};
use history::Header;
use pipes::{Signals, Terminal};

use self::lines::Source;
use self::options::Placement;
use self::pictures::Picture;
use crate::master::chronicle::{Chronicle, HistoryFile, Kept, Sha256Reader};
use crate::master::cluster::Cluster;
use crate::master::ending::Ending;
use crate::master::results::Format;
use crate::master::session::{Session, Settings};
use crate::master::shared::{Error, Stop, Teller, inherit_little, name_of, prompt::Prompt, status};

pub(crate) use self::options::{HELP, ScriptOptions};

/// How long results that are ready may take to be written when the run is ended from outside.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A script is read in pieces of this many bytes.
const PIECE: usize = 64 * 1024;

/// Runs a script.
pub(crate) fn run(options: ScriptOptions) -> Result<u8, Error> {
    let file = options.script.clone();
    let file = file.as_deref().filter(|path| *path != Path::new("-"));
    let path = file.map_or_else(|| "-".to_owned(), name_of);
    // Of no use but for a history, and not for nothing.
    let is_recorded = options.history.is_some() || !options.diagram.is_empty();
    let (source, sha256) = read(file, &path, options.check, is_recorded)?;
    if options.check {
        return Ok(status::DONE);
    }
    let header = Header {
        seed: Some(options.system.seed()),
        script: Some(path.clone().into()),
        sha256: sha256.map(Into::into),
    };
    let (session, source, pictures) = prepare(options, path, source, header)?;
    Ok(to_its_end(session, source, &pictures))
}

/// Reads the script and checks it, unless it is to be read line by line; with the file's digest, if
/// that is wanted.
fn read(
    file: Option<&Path>,
    path: &str,
    is_whole: bool,
    is_digested: bool,
) -> Result<(Source, Option<String>), Error> {
    let Some(file) = file else {
        return Ok(match is_whole {
            true => (
                Source::Script(read_script(&mut io::stdin().lock(), path)?),
                None,
            ),
            false => (Source::Input, None),
        });
    };
    let opened = File::open(file).map_err(|error| Error::Io(error).in_file(path))?;
    if !is_digested {
        let script = read_script(&mut BufReader::with_capacity(PIECE, opened), path)?;
        return Ok((Source::Script(script), None));
    }
    let mut input = BufReader::with_capacity(PIECE, Sha256Reader::new(opened));
    let script = read_script(&mut input, path)?;
    let sha256 = input.into_inner().finish();
    Ok((Source::Script(script), Some(sha256)))
}

/// Reads and checks a script.
fn read_script(input: &mut dyn io::BufRead, path: &str) -> Result<Vec<Statement>, Error> {
    let refused = |refusals: Vec<Refusal>| Error::Refused {
        path: path.to_owned(),
        refusals,
    };
    let mut reader = ScriptReader::default();
    loop {
        let piece = match input.fill_buf() {
            Ok([]) => return reader.finish().map_err(refused),
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::Io(error).in_file(path)),
        };
        reader.push(piece).map_err(refused)?;
        let length = piece.len();
        input.consume(length);
    }
}

/// Everything else that can go wrong before anything is started.
fn prepare(
    options: ScriptOptions,
    path: String,
    mut source: Source,
    header: Header,
) -> Result<(Session, Source, Vec<Picture>), Error> {
    let programs = options.system.programs()?;
    // Before signals are held: what the path names may have to be waited for.
    let script = options.script.as_deref().filter(|_| path != "-");
    let history = options.history.as_deref();
    let file = history.map(|history| HistoryFile::create(history, script));
    let file = file.transpose()?;
    let pictures = Picture::open_all(&options.diagram, options.image, &[script, history])?;
    inherit_little()?;
    if let Source::Script(statements) = &source {
        let nodes = script::most_nodes(statements);
        Cluster::check_room(nodes, format!("{path}: the {nodes} nodes of this script"))?;
    }
    if options.cpus == Placement::One {
        // Where that is not allowed, it is only slower.
        let _ = pipes::stay_on_this_cpu();
    }
    let signals = Signals::hold().map_err(Error::not_started)?;
    let run_dir = options.system.run_dir()?;

    let mut teller = Teller::Stderr(options.system.painter());
    let at_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if matches!(source, Source::Input) && at_terminal {
        let (prompt, above) = Prompt::start()?;
        source = Source::Prompt(prompt);
        if io::stderr().is_terminal() {
            teller = Teller::Above(teller.painter(), above);
        }
    }

    let kept = (!pictures.is_empty()).then(Kept::new);
    let recent = matches!(source, Source::Prompt(_)).then(show::recent);
    let chronicle = Chronicle::begin(file, kept, recent, &header);
    let settings = Settings {
        path,
        seed: header.seed.unwrap_or_default(),
        strict: options.strict,
        verbose: options.system.verbose,
        format: match (options.json, options.ascii) {
            (true, _) => Format::Json,
            (false, true) => Format::Text { arrow: "->" },
            (false, false) => Format::Text { arrow: "→" },
        },
        ascii: options.ascii,
        timeout: options.system.timeout,
        window: options.window as usize,
        nodes: source.nodes(),
        programs,
    };
    let session = Session::new(settings, signals, run_dir, chronicle, teller);
    Ok((session.map_err(Error::NotStarted)?, source, pictures))
}

fn to_its_end(mut session: Session, source: Source, pictures: &[Picture]) -> u8 {
    // The line editor may be in the middle of a line when the run ends.
    let terminal = matches!(source, Source::Prompt(_)).then(Terminal::remember);
    let seed = session.settings.seed;
    let ran = session.narrate(|| format!("the seed is {seed}"));
    let ran = ran.and_then(|()| source.run(&mut session));
    let ended = ran.and_then(|()| session.finish());
    drop(terminal);
    let mut status = match ended {
        Ok(()) => standing(&session),
        Err(stop) => end_early(&mut session, stop),
    };
    if !draw(&mut session, pictures) && status == status::DONE {
        status = status::FAILED;
    }
    if matches!(status, status::FAILED | status::BROKEN) {
        last_words(
            &mut session,
            &format!("master: the seed was {seed} (--seed {seed} draws the same again)"),
        );
    }
    status
}

/// Draws the run, once it is over, and returns whether that has succeeded.
fn draw(session: &mut Session, pictures: &[Picture]) -> bool {
    let chronicle = session.chronicle.take();
    let Some(kept) = chronicle.and_then(|chronicle| chronicle.kept) else {
        return true;
    };
    pictures::write_all(pictures, &kept, &mut |text| last_words(session, text))
}

/// Tells something when the run is over: nobody is waited for any more.
fn last_words(session: &mut Session, text: &str) {
    let deadline = Some(Instant::now() + LAST_WORDS);
    let _ = session.teller.tell(text, None, deadline);
}

fn standing(session: &Session) -> u8 {
    match (session.broken, session.failed) {
        (true, _) => status::BROKEN,
        (false, true) => status::FAILED,
        (false, false) => status::DONE,
    }
}

fn end_early(session: &mut Session, stop: Stop) -> u8 {
    session.results.deadline = Some(Instant::now() + LAST_WORDS);
    let _ = session.results.flush(None);
    session.results.give_up();
    // Whoever does not answer will not end by itself either.
    let ending = match stop {
        Stop::TimedOut { .. } => Ending::AtOnce,
        _ => Ending::Signalled,
    };
    let ended = session.end(ending);
    let lost = session.give_up_history();
    let status = match &stop {
        Stop::Strict => standing(session),
        stop => stop.status(),
    };
    if stop.is_silent() {
        return status;
    }
    last_words(session, &format!("master: {stop}"));
    if let Err(lost) = lost {
        last_words(session, &lost.to_string());
    }
    if let Err(error) = ended {
        last_words(session, &format!("master: {error}"));
    }
    status
}
