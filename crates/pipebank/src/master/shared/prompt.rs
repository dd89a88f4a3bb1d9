//! The prompt at a terminal: line editing, history, completion, and a hint of what comes next.
//!
//! The editor blocks while somebody types, so it has a thread of its own, which reads a line only
//! when the session has shown everything that came before.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use pipes::{Poller, Receiver, Sender, Token};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, ExternalPrinter, Helper};

use super::error::Error;
use bank::script::COMMANDS;

/// What the prompt understands beside the language itself.
const OWN_WORDS: [&str; 3] = ["help", "quit", "show"];

/// What came from the prompt.
#[derive(Debug)]
pub(crate) enum Typed {
    /// A line, without its end, and how wide the terminal is.
    Line(String, Option<usize>),
    /// Ctrl-D.
    End,
    /// Ctrl-C.
    Interrupt,
    /// The terminal failed.
    Failed(String),
}

/// The editor's thread, seen from the session.
pub(crate) struct Prompt {
    /// Asks for a line; the ids are for completion.
    ask: mpsc::Sender<Vec<String>>,
    typed: mpsc::Receiver<Typed>,
    /// Becomes readable when a line was typed.
    wake: Receiver<()>,
}

/// Prints above the prompt while somebody types.
pub(crate) type Above = Box<dyn FnMut(&str)>;

impl Prompt {
    /// Starts the editor.
    pub(crate) fn start() -> Result<(Self, Above), Error> {
        let config = Config::builder().auto_add_history(true).build();
        let mut editor: Editor<Words, MemHistory> =
            Editor::with_history(config, MemHistory::new())?;
        let words = Words::default();
        let ids = Arc::clone(&words.ids);
        editor.set_helper(Some(words));
        let mut printer = editor.create_external_printer()?;
        let above: Above = Box::new(move |text: &str| {
            let _ = printer.print(format!("{text}\n"));
        });

        let (ask, asked) = mpsc::channel::<Vec<String>>();
        let (say, typed) = mpsc::channel();
        let ends = pipes::pipe().map_err(Error::not_started)?;
        let mut waker: Sender<()> = ends.write.into_sender();
        thread::spawn(move || {
            for known in asked {
                if let Ok(mut ids) = ids.lock() {
                    *ids = known;
                }
                let line = match editor.readline("pipebank> ") {
                    Ok(line) => {
                        let size = editor.dimensions();
                        Typed::Line(line, size.map(|(columns, _)| usize::from(columns)))
                    }
                    Err(ReadlineError::Eof) => Typed::End,
                    Err(ReadlineError::Interrupted) => Typed::Interrupt,
                    Err(error) => Typed::Failed(error.to_string()),
                };
                let told =
                    say.send(line).is_ok() && waker.push(&()).is_ok() && waker.flush().is_ok();
                if !told {
                    return;
                }
            }
        });
        let wake = ends.read.into_receiver();
        Ok((Self { ask, typed, wake }, above))
    }

    /// Asks for a line.
    pub(crate) fn ask(&self, ids: Vec<String>) {
        // Where the thread is gone, `typed` says so.
        let _ = self.ask.send(ids);
    }

    /// Watches for a line.
    pub(crate) fn watch(&mut self, poller: &Poller, token: Token) -> Result<(), pipes::Error> {
        self.wake.watch(poller, token, true)
    }

    /// What was typed, once the poller has said that something was.
    pub(crate) fn typed(&mut self) -> Result<Typed, pipes::Error> {
        self.wake.fill()?;
        while self.wake.next_frame()?.is_some() {}
        let gone = |_| Typed::Failed("the line editor ended".to_owned());
        Ok(self.typed.recv().unwrap_or_else(gone))
    }
}

/// The text of `help`.
pub(crate) fn help() -> String {
    let mut text = String::from("Commands (case-sensitive):\n");
    for command in COMMANDS {
        text += &format!("  {:<22} {}\n", command.to_string(), command.summary);
    }
    text += "  show [N]               draws the last N steps of the run (20)\n";
    text += "  help                   shows this\n";
    text += "  quit                   ends everything, as the end of input (Ctrl-D) does\n";
    text += "Everything after # or ; is a comment. Tab completes commands and node ids.";
    text
}

/// What can be typed.
#[derive(Default)]
struct Words {
    ids: Arc<Mutex<Vec<String>>>,
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = &line[..position];
        let start = typed.rfind([' ', '\t']).map_or(0, |space| space + 1);
        let word = &typed[start..];
        let candidates: Vec<String> = if typed[..start].trim().is_empty() {
            let names = COMMANDS.iter().map(|command| command.name);
            let matching = names
                .chain(OWN_WORDS)
                .filter(|name| name.to_lowercase().starts_with(&word.to_lowercase()));
            matching.map(|name| format!("{name} ")).collect()
        } else {
            let ids = self.ids.lock().map(|ids| ids.clone()).unwrap_or_default();
            let matching = ids.into_iter().filter(|id| id.starts_with(word));
            matching.map(|id| format!("{id} ")).collect()
        };
        Ok((start, candidates))
    }
}

impl Hinter for Words {
    type Hint = String;

    /// The arguments that a command still lacks.
    fn hint(&self, line: &str, position: usize, _: &Context<'_>) -> Option<String> {
        if position < line.len() || !line.ends_with(' ') {
            return None;
        }
        let mut words = line.split_whitespace();
        let name = words.next()?;
        let command = COMMANDS.iter().find(|command| command.name == name)?;
        let missing: Vec<&str> = command
            .arguments
            .split_whitespace()
            .skip(words.count())
            .collect();
        (!missing.is_empty()).then(|| missing.join(" "))
    }
}

impl Highlighter for Words {
    fn highlight_hint<'h>(&self, hint: &'h str) -> std::borrow::Cow<'h, str> {
        format!("\x1b[2m{hint}\x1b[0m").into()
    }
}

impl Validator for Words {}
impl Helper for Words {}
