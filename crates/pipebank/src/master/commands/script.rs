//! `master SCRIPT`: runs a script, from a file, from standard input, or typed at a prompt.
//!
//! * `script/options.rs`: the command line;
//! * `script/lines.rs`: the commands, one after the other.

mod lines;
mod options;

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;

use bank::script::{self, Refusal, ScriptReader};
use history::Header;
use hosts::Hosts;
use journal::Survives;
use pipes::{Patience, Read, Terminal};
use sha2::{Digest as _, Sha256};
use twox_hash::XxHash3_128;

use self::lines::Source;
use self::options::Placement;
use crate::master::chronicle::{Chronicle, HistoryFile, Kept};
use crate::master::cluster::Cluster;
use crate::master::finish;
use crate::master::lasting::{DataDir, Opened, Script, StandardOutput};
use crate::master::pictures::{self, Picture};
use crate::master::results::Format;
use crate::master::session::{Session, Settings};
use crate::master::several;
use crate::master::shared::{
    Error, Files, Stop, Teller, inherit_little, name_of, prompt::Prompt, status,
};
use crate::master::show;

pub(crate) use self::options::{HELP, ScriptOptions};

/// A script is read in pieces of this many bytes.
const PIECE: usize = 64 * 1024;

/// Runs a script.
pub(crate) fn run(options: ScriptOptions) -> Result<u8, Error> {
    let (painter, timeout) = (options.system.painter(), options.system.timeout);
    let patience = Patience::hold(timeout).map_err(Error::not_started)?;
    let ran = run_within(options, &patience);
    Ok(ran.unwrap_or_else(|error| error.tell(painter, &patience)))
}

fn run_within(options: ScriptOptions, patience: &Patience) -> Result<u8, Error> {
    let hosts = match options.check {
        true => Hosts::default(),
        false => several::meet(&options.system, patience)?,
    };
    let file = options.script.clone();
    let file = file.as_deref().filter(|path| *path != Path::new("-"));
    let path = file.map_or_else(|| "-".to_owned(), name_of);
    let is_recorded = options.history.is_some() || !options.diagram.is_empty();
    let digests = Digests::new(is_recorded, options.data.is_some());
    let lasts = options.data.as_deref();
    let survives = Survives::if_synced(options.sync);
    // Where only the script is checked, nothing is made.
    let lives = lasts.filter(|path| !options.check || path.exists());
    let mut data = lives
        .map(|path| Opened::at(path, survives, hosts.errand()))
        .transpose()?;
    if let Some(data) = data.as_mut().filter(|_| options.abandon) {
        let told = match data.abandon()? {
            Some((script, true)) => format!("{script} is given up, and the bank is kept as it is"),
            Some((script, false)) => format!("{script} is given up, and has left no bank"),
            None => "no script was interrupted, so there is none to give up".to_owned(),
        };
        let painter = options.system.painter();
        painter.tell_within(&format!("master: {told}"), patience)?;
        if options.script.is_none() {
            return Ok(status::DONE);
        }
    }
    let mut reader = ScriptReader::default().lasting(lasts.is_some());
    if let Some(known) = data.as_ref().and_then(Opened::known) {
        reader = reader.opening(known);
    }
    let mut files = Files::default();
    let (source, digest) = match file {
        None => {
            files.add(io::stdin(), "the script (standard input)");
            files.add_streams()?;
            match options.check {
                true => read_script(io::stdin(), &path, digests, reader, patience)?,
                false => (Source::Input, Digest::default()),
            }
        }
        Some(file) => {
            let opened = pipes::open_to_read(file);
            let opened = opened.map_err(|error| Error::Io(error).in_file(&path))?;
            files.add(&opened, format!("the script {path}"));
            files.add_streams()?;
            let read = read_script(opened, &path, digests, reader, patience);
            if let (Err(Error::Refused { .. }), Some(data)) = (&read, &data) {
                // It may be meant for the bank that another script is to leave.
                data.is_free()?;
            }
            read?
        }
    };
    if options.check {
        return Ok(status::DONE);
    }
    let header = Header {
        seed: Some(options.system.seed()),
        script: Some(path.clone().into()),
        sha256: digest.sha256.map(Into::into),
        ..Header::default()
    };
    let (session, source, pictures) = prepare(
        options,
        (path, digest.xxh3),
        source,
        header,
        (files, data, hosts),
        patience,
    )?;
    Ok(to_its_end(session, source, &pictures))
}

/// What is the same of a script wherever it is, in hexadecimal digits.
#[derive(Default)]
struct Digest {
    /// For a history: whoever reads that can compute it too.
    sha256: Option<String>,
    /// For a bank that lasts, which knows by it a script again that was interrupted: that nobody has written
    /// another one with the same digest on purpose need not be proven, and this is computed four times as fast.
    xxh3: Option<String>,
}

/// Those that are of any use, as the text comes.
struct Digests {
    sha256: Option<Sha256>,
    xxh3: Option<XxHash3_128>,
}

impl Digests {
    fn new(is_recorded: bool, lasts: bool) -> Self {
        Self {
            sha256: is_recorded.then(Sha256::new),
            xxh3: lasts.then(XxHash3_128::new),
        }
    }

    fn update(&mut self, text: &[u8]) {
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(text);
        }
        if let Some(xxh3) = &mut self.xxh3 {
            xxh3.write(text);
        }
    }

    fn finish(self) -> Digest {
        let digits = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Digest {
            sha256: self.sha256.map(|it| digits(&it.finalize())),
            xxh3: self.xxh3.map(|it| digits(&it.finish_128().to_be_bytes())),
        }
    }
}

/// Reads and checks a script.
fn read_script(
    input: impl AsFd,
    path: &str,
    mut digests: Digests,
    mut reader: ScriptReader,
    patience: &Patience,
) -> Result<(Source, Digest), Error> {
    let refused = |refusals: Vec<Refusal>| Error::Refused {
        path: path.to_owned(),
        refusals,
    };
    let mut buffer = vec![0; PIECE];
    loop {
        let read = pipes::read_patiently(&input, &mut buffer, patience);
        match read.map_err(|error| Error::Io(error).in_file(path))? {
            None => {
                let input = if path == "-" { "standard input" } else { path };
                return Err(Stop::interrupted(patience, &format!("the end of {input}")).into());
            }
            Some(Read::End) => break,
            Some(Read::Bytes(count)) => {
                digests.update(&buffer[..count]);
                reader.push(&buffer[..count]).map_err(refused)?;
            }
        }
    }
    let statements = reader.finish().map_err(refused)?;
    Ok((Source::Script(statements), digests.finish()))
}

/// Everything else that can go wrong before anything is started.
fn prepare(
    options: ScriptOptions,
    (path, known_by): (String, Option<String>),
    mut source: Source,
    mut header: Header,
    (mut files, data, hosts): (Files, Option<Opened>, Hosts),
    patience: &Patience,
) -> Result<(Session<'_>, Source, Vec<Picture>), Error> {
    let programs = options.system.programs()?;
    let history = options.history.as_deref();
    let file = history.map(|history| HistoryFile::open(history, &mut files, patience));
    let file = file.transpose()?;
    let pictures = Picture::open_all(&options.diagram, options.image, &mut files, patience)?;
    inherit_little()?;
    let mut most = None;
    if let Source::Script(statements) = &source {
        let known = data.as_ref().and_then(Opened::known);
        for size in script::largest(statements, known.as_ref()) {
            let who = match size.nodes {
                1 => format!("{path}: this script and its node"),
                nodes => format!("{path}: the {nodes} nodes of this script"),
            };
            Cluster::check_room(size, hosts.count(), who)?;
            most = most.max(Some(size.nodes));
        }
    }
    if options.cpus == Placement::One {
        // Where that is not allowed, it is only slower.
        let _ = pipes::stay_on_this_cpu();
    }
    // Before the prompt, whose editor has a thread of its own.
    let script = Script {
        name: path.clone(),
        known_by,
        seed: options.system.given_seed(),
        drawn_seed: header.seed.unwrap_or_default(),
        is_load: false,
    };
    let out = StandardOutput::of_this_process();
    let data = data.map(|data| data.take_up(script, &out)).transpose()?;
    header.seed = data.as_ref().map(DataDir::seed).or(header.seed);
    let cluster = Cluster::new(programs, hosts, options.system.run_dir()?, patience);
    let cluster = cluster.map_err(Error::NotStarted)?.lasting(data);

    let mut teller = Teller::Stream(options.system.painter());
    let at_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if matches!(source, Source::Input) && at_terminal {
        let (prompt, above) = Prompt::start(teller.painter())?;
        source = Source::Prompt(prompt);
        if io::stderr().is_terminal() {
            teller = Teller::Above(teller.painter(), above);
        }
    }
    let is_typed = matches!(source, Source::Prompt(_));

    let kept = (!pictures.is_empty()).then(Kept::new);
    let recent = is_typed.then(show::recent);
    let reached = cluster.data.as_ref().and_then(DataDir::history_reached);
    let chronicle = Chronicle::begin(file, kept, recent, &header, reached);
    let surplus = most.and_then(|nodes| several::surplus(&cluster.hosts, nodes));
    let settings = Settings {
        path: (!is_typed).then_some(path),
        seed: header.seed.unwrap_or_default(),
        strict: options.strict,
        verbose: options.system.verbose,
        format: match (options.json, options.ascii) {
            (true, _) => Format::Json,
            (false, true) => Format::Text { arrow: "->" },
            (false, false) => Format::Text { arrow: "→" },
        },
        ascii: options.ascii,
        window: options.window as usize,
        notes_every: options.notes_every,
        is_file: matches!(source, Source::Script(_)),
        nodes: source.nodes(),
    };
    let session = Session::new(settings, cluster, chronicle, teller);
    let mut session = session.map_err(Error::NotStarted)?;
    if let Some(chronicle) = &session.chronicle {
        chronicle.cut_file()?;
    }
    surplus.map_or(Ok(()), |surplus| session.tell(&surplus))?;
    Ok((session, source, pictures))
}

fn to_its_end(mut session: Session<'_>, source: Source, pictures: &[Picture]) -> u8 {
    let status = finish::to_its_end(&mut session, |session| {
        // The line editor may be in the middle of a line when the run ends.
        let _terminal = matches!(source, Source::Prompt(_)).then(Terminal::remember);
        source.run(session)
    });
    let status = pictures::draw(&mut session, pictures, status);
    finish::tell_seed(&mut session, status);
    status
}
