//! `master tour`: a small bank is run before your eyes, and explained, a screen at a time.
//!
//! It is a session like that of a script. Only, everything goes to standard output, as all of it is what
//! was asked for: what is typed, what comes of it, what is told, what is drawn.
//!
//! `tour/screens.rs`: what is told.

mod screens;

use std::io::{self, IsTerminal};
use std::path;

use anstyle::{AnsiColor, Style};
use bank::script::{Checker, Statement};
use bank::topology::Size;
use clap::Args;
use history::Header;
use pipes::{Input, Patience, Read, Terminal};

use self::screens::{LAST, NODES, SCREENS, Screen};
use crate::master::chronicle::{Chronicle, Kept};
use crate::master::cluster::Cluster;
use crate::master::finish;
use crate::master::pictures::{self, Picture};
use crate::master::results::Format;
use crate::master::session::{Session, Settings};
use crate::master::shared::{
    Error, Files, ImageOptions, LAST_WORDS, Output, Painter, Stop, SystemOptions, Teller,
    inherit_little, name_of, prose, status,
};
use crate::master::show;

const TITLE: Style = Style::new().bold();
const TYPED: Style = AnsiColor::Cyan.on_default().bold();
const FAINT: Style = Style::new().dimmed();

/// The width of a terminal that does not say how wide it is, and of what is no terminal.
const COLUMNS: usize = 80;

/// The cursor to the upper left corner, and everything behind it away.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Show what this is, on a small bank, a screen at a time
///
/// Accounts, transfers, snapshots and a death, as they happen, with a drawing after each step. At a
/// terminal, Enter or the space bar goes on and q leaves; elsewhere it is played through. At its end,
/// the whole run is a page to explore.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:

  $ master tour
  $ master tour --ascii | less

Exit status:

  0        it was shown to its end, or left
  1        the page cannot be written
  2        the command line is malformed, the page could not be written, or
           a limit of the system is too low; nothing was started
  3        an internal invariant broke
  124      the time (--timeout) ran out
  128 + n  ended by signal n (SIGHUP, SIGINT, SIGTERM)
  141      standard output was closed by its reader")]
pub(crate) struct TourOptions {
    /// Where to write the page, in place of what is there; the ending says in which format, as for
    /// `master diagram`
    #[arg(short, long, value_name = "FILE", value_parser = Output::parse,
          default_value = "pipebank-tour.html")]
    output: Output,
    /// Write and draw in ASCII
    #[arg(long)]
    ascii: bool,
    #[command(flatten)]
    pub(crate) system: SystemOptions,
}

/// Shows the tour.
pub(crate) fn run(options: TourOptions) -> Result<u8, Error> {
    let (painter, timeout) = (options.system.painter(), options.system.timeout);
    let patience = Patience::hold(timeout).map_err(Error::not_started)?;
    let ran = run_within(&options, &patience);
    Ok(ran.unwrap_or_else(|error| error.tell(painter, &patience)))
}

fn run_within(options: &TourOptions, patience: &Patience) -> Result<u8, Error> {
    let programs = options.system.programs()?;
    let mut files = Files::default();
    files.add_streams()?;
    let outputs = std::slice::from_ref(&options.output);
    let pictures = Picture::open_all(outputs, ImageOptions::default(), &mut files, patience)?;
    inherit_little()?;
    Cluster::check_room(
        Size::mesh(NODES),
        1,
        format!("master: the {NODES} nodes of the tour"),
    )?;
    let cluster = Cluster::new(
        programs,
        hosts::Hosts::default(),
        options.system.run_dir()?,
        patience,
    );
    let cluster = cluster.map_err(Error::NotStarted)?;
    let seed = options.system.seed();
    let header = Header {
        seed: Some(seed),
        script: Some("master tour".to_owned().into()),
        ..Header::default()
    };
    let chronicle = Chronicle::begin(None, Some(Kept::new()), Some(show::recent()), &header, None);
    let painter = Painter::on_stdout(options.system.color);
    let settings = Settings {
        path: None,
        seed,
        strict: false,
        verbose: options.system.verbose,
        format: Format::Text {
            arrow: if options.ascii { "->" } else { "→" },
        },
        ascii: options.ascii,
        window: 1,
        notes_every: u64::MAX,
        is_file: false,
        nodes: Some(NODES),
    };
    let teller = Teller::Stream(painter);
    let mut session =
        Session::new(settings, cluster, chronicle, teller).map_err(Error::NotStarted)?;

    let mut tour = Tour::new(painter, patience);
    let status = finish::to_its_end(&mut session, |session| {
        tour.play(session)?;
        // Failures and a death are part of it.
        session.failed = false;
        Ok(())
    });
    let is_over = status == status::DONE && !tour.is_left;
    let status = match is_over {
        true => pictures::draw(&mut session, &pictures, status),
        false => status,
    };
    finish::tell_seed(&mut session, status);
    if status != status::DONE || tour.is_left {
        return Ok(status);
    }
    let end = tour.end(&options.output, options.ascii);
    painter.write(&(end + "\n"), patience)?;
    Ok(status)
}

/// How the screens are shown.
struct Tour<'p> {
    painter: Painter,
    patience: &'p Patience,
    /// Somebody sits there, who goes on when they like.
    is_at_terminal: bool,
    /// They have left.
    is_left: bool,
    /// How many commands there were.
    line: u64,
}

impl<'p> Tour<'p> {
    fn new(painter: Painter, patience: &'p Patience) -> Self {
        Self {
            painter,
            patience,
            is_at_terminal: io::stdin().is_terminal() && io::stdout().is_terminal(),
            is_left: false,
            line: 0,
        }
    }

    /// Shows all screens but the last.
    fn play(&mut self, session: &mut Session<'_>) -> Result<(), Stop> {
        let input = self.is_at_terminal.then(Input::standard);
        let _terminal = self.is_at_terminal.then(Terminal::key_by_key);
        let mut checker = Checker::new();
        for (number, screen) in SCREENS.iter().enumerate() {
            self.show(session, &mut checker, number + 1, screen)?;
            if let Some(input) = &input
                && !self.goes_on(session, input)?
            {
                self.is_left = true;
                break;
            }
        }
        Ok(())
    }

    fn show(
        &mut self,
        session: &mut Session<'_>,
        checker: &mut Checker,
        number: usize,
        screen: &Screen,
    ) -> Result<(), Stop> {
        let columns = self.columns();
        let title = self.title(number, screen.title, session.settings.ascii);
        session.show(&title)?;
        session.show(&(prose(screen.why, "", "", columns) + "\n"))?;
        for line in screen.commands {
            session.show(&format!("> {}", self.painter.style(TYPED, line)))?;
            self.line += 1;
            let command = checker.line(self.line, line.as_bytes());
            let Ok(Some(command)) = command else {
                return Err(Stop::Internal(format!("the tour cannot say `{line}`")));
            };
            session.execute(&Statement {
                line: self.line,
                command,
            })?;
            session.show_everything()?;
        }
        if screen.steps > 0 {
            session.show("")?;
            show::draw(session, screen.steps, columns, false)?;
        }
        Ok(())
    }

    /// What is shown when everything has ended, and the page is written.
    fn end(&self, page: &Output, is_ascii: bool) -> String {
        let columns = self.columns();
        let title = self.title(SCREENS.len() + 1, LAST, is_ascii);
        let path = path::absolute(&page.path).unwrap_or_else(|_| page.path.clone());
        let page = self.painter.style(TYPED, &name_of(&path));
        let text = prose(
            "Every process has ended. This page has the run to explore in a browser: step through it, \
             see what caused what, and draw the cut of a snapshot straight:",
            "",
            "",
            columns,
        );
        let more = [
            ("master", "a prompt: try it yourself"),
            ("master SCRIPT", "carries out a script"),
            ("master load", "the bank under full load"),
            ("master --help", "everything else"),
        ];
        let more = more.map(|(what, why)| {
            let typed = self.painter.style(TYPED, &format!("{what:<15}"));
            format!("  {typed}{why}")
        });
        format!(
            "{title}\n{text}\n\n  {page}\n\nWhere to go on:\n\n{}",
            more.join("\n")
        )
    }

    /// Where a screen begins.
    fn title(&self, number: usize, title: &str, is_ascii: bool) -> String {
        let count = SCREENS.len() + 1;
        let before = match (self.is_at_terminal, number) {
            (true, _) => CLEAR,
            (false, 1) => "",
            (false, _) => "\n",
        };
        let place = format!("{number}/{count}");
        let taken = title.len() + place.len() + 2;
        let line = if is_ascii { "-" } else { "─" };
        let line = line.repeat(self.columns().saturating_sub(taken));
        let title = self.painter.style(TITLE, title);
        let line = self.painter.style(FAINT, &format!("{line} {place}"));
        format!("{before}{title} {line}\n")
    }

    fn columns(&self) -> usize {
        self.painter.columns().unwrap_or(COLUMNS).min(100)
    }

    /// Waits for a key, and says whether it goes on.
    fn goes_on(&self, session: &mut Session<'_>, input: &Input) -> Result<bool, Stop> {
        let footer = self.painter.style(FAINT, "Enter goes on, q leaves ");
        session.show_everything()?;
        self.painter.write(&format!("\n{footer}"), self.patience)?;
        let went_on = Self::wait_for_key(session, input);
        // Whatever comes next begins in a line of its own.
        let _ = self.painter.write("\n", &Patience::brief(LAST_WORDS));
        went_on
    }

    fn wait_for_key(session: &mut Session<'_>, input: &Input) -> Result<bool, Stop> {
        let mut key = [0];
        loop {
            session.wait_for_input(input)?;
            match (input.read(&mut key)?, key) {
                (Read::Bytes(1..), [b'\r' | b'\n' | b' ']) => return Ok(true),
                // Ctrl-D, too.
                (Read::Bytes(1..), [b'q' | b'Q' | 4]) | (Read::End, _) => return Ok(false),
                (Read::Bytes(_), _) => {}
            }
        }
    }
}
