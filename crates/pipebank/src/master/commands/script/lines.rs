//! The commands of a script, one after the other, to the session: from a file, from standard input, or
//! from the prompt.

use std::io;

use bank::script::{Checker, Command, Line, LineSplitter, Problem, Statement};
use pipes::{Input, Read};

use crate::master::session::Session;
use crate::master::shared::{
    Stop,
    prompt::{self, Prompt, Typed},
};
use crate::master::show;

/// Where the commands come from.
pub(super) enum Source {
    /// A script that has been read and checked whole.
    Script(Vec<Statement>),
    /// Standard input, line by line.
    Input,
    /// A terminal.
    Prompt(Prompt),
}

impl Source {
    /// How many nodes will be created, where that is known.
    pub(super) fn nodes(&self) -> Option<u64> {
        let Self::Script(statements) = self else {
            return None;
        };
        let creates = |it: &&Statement| matches!(it.command, Command::CreateNode { .. });
        Some(statements.iter().filter(creates).count() as u64)
    }

    /// Executes them all.
    pub(super) fn run(self, session: &mut Session) -> Result<(), Stop> {
        match self {
            Self::Script(statements) => session.execute_script(statements),
            Self::Input => run_input(session),
            Self::Prompt(prompt) => run_prompt(session, prompt),
        }
    }
}

/// The lines so far.
struct Before {
    checker: Checker,
    /// What was said of one of them and is so of those after it too: that is said once.
    said: Option<Problem>,
}

impl Before {
    fn new(session: &Session) -> Self {
        Self {
            checker: match session.known() {
                Some(known) => Checker::new().lasting(session.lasts()).opening(known),
                None => Checker::new().lasting(session.lasts()),
            },
            said: None,
        }
    }
}

/// Whether there is more to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum More {
    Perhaps,
    /// The whole text is no script.
    No,
}

fn run_input(session: &mut Session) -> Result<(), Stop> {
    let input = Input::standard();
    let mut before = Before::new(session);
    let mut lines = LineSplitter::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while let Some(line) = lines.next_line() {
            if run_line(session, &mut before, &line)? == More::No {
                return Ok(());
            }
        }
        if !input.is_ready()? {
            session.wait_for_input(&input)?;
        }
        session.heed()?;
        match input.read(&mut buffer)? {
            Read::Bytes(count) => lines.push(&buffer[..count]),
            Read::End => break,
        }
    }
    match lines.finish() {
        Some(line) => run_line(session, &mut before, &line).map(drop),
        None => Ok(()),
    }
}

fn run_prompt(session: &mut Session, mut prompt: Prompt) -> Result<(), Stop> {
    let mut before = Before::new(session);
    let mut number = 0;
    session.tell(prompt::GREETING)?;
    loop {
        let mut ids: Vec<_> = before.checker.ids().collect();
        ids.sort();
        let ids = ids.iter().map(ToString::to_string).collect();
        match session.wait_for_line(&mut prompt, ids)? {
            Typed::End => return Ok(()),
            Typed::Interrupt { is_second: true } => return Err(Stop::Signal(2)),
            Typed::Interrupt { is_second: false } => session.tell(prompt::HOW_TO_LEAVE)?,
            Typed::NotUtf8 => session.tell(prompt::NOT_UTF_8)?,
            Typed::Failed(reason) => {
                return Err(Stop::Stdout(io::Error::other(reason)));
            }
            // What was pasted may be several lines.
            Typed::Line(lines, columns) => {
                for text in lines.split(['\n', '\r']) {
                    number += 1;
                    match text.trim() {
                        "help" => session.show(&prompt::help(columns))?,
                        "quit" => return Ok(()),
                        typed if show::obey(session, typed, columns)? => {}
                        _ => {
                            let text = text.as_bytes();
                            // Whoever types wants an answer to every line.
                            before.said = None;
                            run_line(session, &mut before, &Line { number, text })?;
                        }
                    }
                }
            }
        }
    }
}

/// One line of a session: refused, or executed.
fn run_line(session: &mut Session, before: &mut Before, line: &Line<'_>) -> Result<More, Stop> {
    let refusals = match before.checker.line(line.number, line.text) {
        Ok(None) => return Ok(More::Perhaps),
        Ok(Some(command)) => {
            before.said = None;
            session.execute_next(&Statement {
                line: line.number,
                command,
            })?;
            return Ok(More::Perhaps);
        }
        Err(refusals) => refusals,
    };
    session.heed()?;
    session.drain()?;
    session.failed = true;
    let mut more = More::Perhaps;
    for refusal in refusals {
        if refusal.problem.is_of_the_whole() {
            more = More::No;
        }
        if refusal.problem.stays() {
            if before.said.as_ref() == Some(&refusal.problem) {
                continue;
            }
            before.said = Some(refusal.problem.clone());
        }
        let told = match session.settings.path.as_deref() {
            Some(path) => refusal.display(path).to_string(),
            None => refusal.without_place().to_string(),
        };
        session.tell(&told)?;
    }
    match session.settings.strict {
        true => Err(Stop::Strict),
        false => Ok(more),
    }
}
