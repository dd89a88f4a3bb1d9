//! The program `master`: reads a script, starts the other processes, has them carry it out.
//!
//! ```text
//!  script ──▶ Session ──▶ results (stdout), messages (stderr)
//!               │ ▲
//!     commands  ▼ │ replies
//!             Cluster ⇄ the processes
//! ```
//!
//! [`cli`] parses the command line, [`session`] stands between [`bank::master::Master`], who
//! decides, and everybody else; [`cluster`] holds the processes and the pipes to them, [`mesh`] lays
//! channels, [`results`] is standard output. [`load`] runs the bank by itself, without a script;
//! [`verify`] judges a history. Never here: what is to be done for a command.

mod chronicle;
mod cli;
mod cluster;
mod diagram;
mod ending;
mod failure;
mod load;
mod mesh;
mod paint;
mod pictures;
mod process;
mod prompt;
mod results;
mod run_dir;
mod session;
mod show;
mod table;
mod verify;

use std::env;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::CommandFactory;
use history::Header;
use pipes::{Input, Read, Signals, Terminal};

use self::chronicle::{Chronicle, HistoryFile, Kept, Sha256Reader};
use self::cli::{Cli, Placement, RunOptions, Sub};
use self::cluster::{Cluster, Programs};
use self::ending::Ending;
use self::failure::Stop;
use self::paint::{Painter, Teller};
use self::pictures::Picture;
use self::prompt::{Prompt, Typed};
use self::results::Format;
use self::run_dir::RunDir;
use self::session::{Session, Settings};
use bank::script::{self, Checker, Command, Line, LineSplitter, Refusal, ScriptReader, Statement};

pub use self::results::JSON_SCHEMA;
pub use self::run_dir::RunDirError;

/// The exit statuses beside 0.
mod status {
    pub(super) const FAILED: u8 = 1;
    pub(super) const MALFORMED: u8 = 2;
    pub(super) const BROKEN: u8 = 3;
    pub(super) const UNKNOWN: u8 = 4;
    pub(super) const TIMED_OUT: u8 = 124;
    pub(super) const SIGNALLED: u8 = 128;
    pub(super) const STDOUT_CLOSED: u8 = 141;
}

/// How long results that are ready may take to be written when the run is ended from outside.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Runs `master` and returns its exit status.
#[must_use]
pub fn run() -> u8 {
    let cli = Cli::from_command_line();
    match cli.subcommand {
        None => run_bank(cli.run),
        Some(Sub::Load(options)) => load::run(options),
        Some(Sub::Verify(options)) => verify::run(&options),
        Some(Sub::Diagram(options)) => diagram::run(&options),
        Some(Sub::Completions { shell }) => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "master", &mut text);
            write_out(&text)
        }
        Some(Sub::Man) => {
            let mut text = Vec::new();
            match clap_mangen::Man::new(Cli::command()).render(&mut text) {
                Ok(()) => write_out(&text),
                Err(_) => status::BROKEN,
            }
        }
    }
}

fn write_out(text: &[u8]) -> u8 {
    match io::stdout().write_all(text) {
        Ok(()) => 0,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => status::STDOUT_CLOSED,
        Err(_) => status::FAILED,
    }
}

/// Where statements come from.
enum Source {
    /// A script that has been read and checked whole.
    Script(Vec<Statement>),
    /// Standard input, line by line.
    Input,
    /// A terminal.
    Prompt(Prompt),
}

/// A run that can begin.
type Prepared = (Session, Source, Vec<Picture>);

fn run_bank(options: RunOptions) -> u8 {
    let painter = Painter::new(options.color);
    match prepare(options, painter) {
        Ok(None) => 0,
        Ok(Some((session, source, pictures))) => run_session(session, source, &pictures),
        Err(reason) => {
            painter.tell(&reason);
            status::MALFORMED
        }
    }
}

/// Everything that can go wrong before anything is started. `None` where there is nothing to do.
fn prepare(options: RunOptions, painter: Painter) -> Result<Option<Prepared>, String> {
    let script = options
        .script
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let path = match script {
        Some(path) => script::printable(path.as_os_str().as_encoded_bytes()).to_string(),
        None => "-".to_owned(),
    };
    let mut sha256 = None;
    let mut source = match script {
        Some(file) => {
            let opened = File::open(file).map_err(|error| format!("{path}: {error}"))?;
            let mut input = BufReader::new(Sha256Reader::new(opened));
            let script = Source::Script(read_script(&mut input, &path)?);
            sha256 = Some(input.into_inner().finish());
            script
        }
        None if options.check => Source::Script(read_script(&mut io::stdin().lock(), &path)?),
        None => Source::Input,
    };
    if options.check {
        return Ok(None);
    }

    let programs = find_programs(options.bin_dir.as_deref(), options.verbose)?;
    // Before signals are held: what the path names may have to be waited for.
    let history = options.history.as_deref();
    let file = history.map(|path| HistoryFile::create(path, script));
    let file = file.transpose()?;
    let pictures = Picture::open_all(&options.diagram, &[script, history])?;
    inherit_little().map_err(|error| format!("master: {error}"))?;
    if let Source::Script(statements) = &source {
        let nodes = script::most_nodes(statements);
        if let Some(shortage) = Cluster::needs(None, nodes, 1).shortage() {
            return Err(format!(
                "{path}: the {nodes} nodes of this script need {shortage}"
            ));
        }
    }
    if options.cpus == Placement::One {
        // Where that is not allowed, it is only slower.
        let _ = pipes::stay_on_this_cpu();
    }
    let signals = Signals::hold().map_err(|error| format!("master: {error}"))?;
    let run_dir = options.run_dir.as_deref().map(RunDir::open);
    let run_dir = run_dir.transpose().map_err(|error| error.to_string())?;

    let mut teller = Teller::Stderr(painter);
    let at_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if matches!(source, Source::Input) && at_terminal {
        let (prompt, above) = Prompt::start()?;
        source = Source::Prompt(prompt);
        if io::stderr().is_terminal() {
            teller = Teller::Above(painter, above);
        }
    }

    let seed = options.seed.unwrap_or_else(any_seed);
    let header = Header {
        seed: Some(seed),
        script: Some(script.map_or_else(|| path.clone(), |path| path.to_string_lossy().into())),
        sha256,
    };
    let kept = (!pictures.is_empty()).then(Kept::new);
    let recent = matches!(source, Source::Prompt(_)).then(show::recent);
    let chronicle = Chronicle::begin(file, kept, recent, &header);
    let arrow = if options.ascii { "->" } else { "→" };
    let settings = Settings {
        path,
        seed,
        strict: options.strict,
        verbose: options.verbose,
        format: match options.json {
            true => Format::Json,
            false => Format::Text { arrow },
        },
        ascii: options.ascii,
        timeout: options.timeout,
        window: options.window as usize,
        nodes: match &source {
            Source::Script(statements) => {
                let creates = |it: &&Statement| matches!(it.command, Command::CreateNode { .. });
                Some(statements.iter().filter(creates).count() as u64)
            }
            Source::Input | Source::Prompt(_) => None,
        },
        programs,
    };
    Session::new(settings, signals, run_dir, chronicle, teller)
        .map(|session| Some((session, source, pictures)))
        .map_err(|stop| format!("master: {stop}"))
}

/// What is to be done before the first child starts, and holds for the children too.
fn inherit_little() -> Result<(), pipes::Error> {
    pipes::close_inherited_on_exec()?;
    pipes::raise_descriptor_limit(u64::MAX)?;
    Ok(())
}

/// Reads and checks a script; what is refused comes back as one text, ready to be shown.
fn read_script(input: &mut dyn io::BufRead, path: &str) -> Result<Vec<Statement>, String> {
    let told = |refusals: Vec<Refusal>| {
        let shown = refusals
            .iter()
            .map(|refusal| refusal.display(path).to_string());
        shown.collect::<Vec<_>>().join("\n")
    };
    let mut reader = ScriptReader::default();
    loop {
        let piece = match input.fill_buf() {
            Ok([]) => return reader.finish().map_err(told),
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("{path}: {error}")),
        };
        reader.push(piece).map_err(told)?;
        let length = piece.len();
        input.consume(length);
    }
}

/// A seed that is short enough to be typed.
fn any_seed() -> u64 {
    RandomState::new().hash_one(std::process::id()) >> 32
}

fn find_programs(bin_dir: Option<&Path>, verbose: bool) -> Result<Programs, String> {
    let dir = match bin_dir {
        Some(dir) => dir.to_owned(),
        None => env::current_exe()
            .ok()
            .and_then(|exe| exe.parent().map(Path::to_owned))
            .unwrap_or_else(|| PathBuf::from(".")),
    };
    let find = |name: &str| {
        let path = dir.join(name);
        match path.is_file() {
            true => Ok(path),
            false => Err(format!(
                "master: there is no program `{name}` in {}; `cargo build --release` builds all \
                 three programs side by side, `--bin-dir DIR` says where they are",
                script::printable(dir.as_os_str().as_encoded_bytes())
            )),
        }
    };
    Ok(Programs {
        node: find("node")?,
        observer: find("observer")?,
        verbose,
    })
}

fn run_session(mut session: Session, source: Source, pictures: &[Picture]) -> u8 {
    // The line editor may be in the middle of a line when the run ends.
    let terminal = matches!(source, Source::Prompt(_)).then(Terminal::remember);
    let seed = session.settings.seed;
    let ran = session.narrate(|| format!("the seed is {seed}"));
    let ran = ran.and_then(|()| match source {
        Source::Script(statements) => run_script(&mut session, &statements),
        Source::Input => run_input(&mut session),
        Source::Prompt(prompt) => run_prompt(&mut session, prompt),
    });
    let ended = ran.and_then(|()| session.finish());
    drop(terminal);
    let mut status = match ended {
        Ok(()) => standing(&session),
        Err(stop) => end_early(&mut session, stop),
    };
    if !draw(&mut session, pictures) && status == 0 {
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
        (false, false) => 0,
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
        Stop::Signal(number) => {
            return status::SIGNALLED.saturating_add(u8::try_from(*number).unwrap_or(0));
        }
        Stop::StdoutClosed => return status::STDOUT_CLOSED,
        Stop::TimedOut { .. } => status::TIMED_OUT,
        Stop::Internal(_) => status::BROKEN,
        Stop::Strict => standing(session),
        Stop::Stdout(_) | Stop::Pipes(_) | Stop::RunDir(_) => status::FAILED,
    };
    last_words(session, &format!("master: {stop}"));
    if let Some(complaint) = lost {
        last_words(session, &complaint);
    }
    if let Err(error) = ended {
        last_words(session, &format!("master: {error}"));
    }
    status
}

fn run_script(session: &mut Session, statements: &[Statement]) -> Result<(), Stop> {
    for statement in statements {
        session.execute(*statement)?;
    }
    Ok(())
}

fn run_input(session: &mut Session) -> Result<(), Stop> {
    let input = Input::standard();
    let mut checker = Checker::new();
    let mut lines = LineSplitter::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while let Some(line) = lines.next_line() {
            run_line(session, &mut checker, &line)?;
        }
        if !input.is_ready()? {
            session.wait_for_input(&input)?;
        }
        match input.read(&mut buffer)? {
            Read::Bytes(count) => lines.push(&buffer[..count]),
            Read::End => break,
        }
    }
    match lines.finish() {
        Some(line) => run_line(session, &mut checker, &line),
        None => Ok(()),
    }
}

fn run_prompt(session: &mut Session, mut prompt: Prompt) -> Result<(), Stop> {
    let mut checker = Checker::new();
    let mut number = 0;
    loop {
        let mut ids: Vec<_> = checker.ids().collect();
        ids.sort();
        let ids = ids.iter().map(ToString::to_string).collect();
        match session.wait_for_line(&mut prompt, ids)? {
            Typed::End => return Ok(()),
            Typed::Interrupt => return Err(Stop::Signal(2)),
            Typed::Failed(reason) => {
                return Err(Stop::Stdout(io::Error::other(reason)));
            }
            // What was pasted may be several lines.
            Typed::Line(lines, columns) => {
                for text in lines.split(['\n', '\r']) {
                    number += 1;
                    match text.trim() {
                        "help" => session.tell(&prompt::help())?,
                        "quit" => return Ok(()),
                        typed if show::obey(session, number, typed, columns)? => {}
                        _ => {
                            let text = text.as_bytes();
                            run_line(session, &mut checker, &Line { number, text })?;
                        }
                    }
                }
            }
        }
    }
}

/// One line of a session: refused, or executed.
fn run_line(session: &mut Session, checker: &mut Checker, line: &Line<'_>) -> Result<(), Stop> {
    match checker.line(line.number, line.text) {
        Ok(None) => Ok(()),
        Ok(Some(command)) => session.execute(Statement {
            line: line.number,
            command,
        }),
        Err(refusals) => {
            session.drain()?;
            session.failed = true;
            for refusal in refusals {
                session.tell(&refusal.display("-").to_string())?;
            }
            match session.settings.strict {
                true => Err(Stop::Strict),
                false => Ok(()),
            }
        }
    }
}
