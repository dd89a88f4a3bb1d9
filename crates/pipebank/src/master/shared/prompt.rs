//! The prompt at a terminal: line editing, history, completion, and a hint of what comes next.
//!
//! The editor blocks while somebody types, so it has a thread of its own, which reads a line only
//! when the session has shown everything that came before.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use pipes::{Poller, Receiver, Sender, Terminal, Token};
use rustyline::completion::Completer;
use rustyline::config::BellStyle;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{ColorMode, CompletionType, Config, Context, Editor, ExternalPrinter, Helper};

use super::error::Error;
use super::fit::prose;
use super::paint::Painter;
use bank::script::COMMANDS;

/// What is said before the first line is asked for.
pub(crate) const GREETING: &str =
    "`help` lists the commands, Tab completes them, Ctrl-D ends the session";

/// What is said at a Ctrl-C.
pub(crate) const HOW_TO_LEAVE: &str =
    "Ctrl-C once more ends the session, and so do Ctrl-D and `quit`";

/// What is said where something was typed that is not UTF-8.
pub(crate) const NOT_UTF_8: &str =
    "what was typed is not UTF-8: `\u{fffd}` stands for it, and what followed at once is left out";

/// What the prompt understands beside the language itself.
const OWN_WORDS: [&str; 3] = ["help", "quit", "show"];

/// What came from the prompt.
#[derive(Debug)]
pub(crate) enum Typed {
    /// A line, without its end, and how wide the terminal is.
    Line(String, Option<usize>),
    /// Ctrl-D.
    End,
    /// Ctrl-C. What stood in the line is gone.
    Interrupt {
        /// Right after another one, with nothing typed in between.
        is_second: bool,
    },
    /// A byte that is not UTF-8. The line is to be asked for again, and goes on with U+FFFD in it.
    NotUtf8,
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
    pub(crate) fn start(painter: Painter) -> Result<(Self, Above), Error> {
        let config = Config::builder()
            .auto_add_history(true)
            // As shells do: as far as it is certain, and then a list.
            .completion_type(CompletionType::List)
            .completion_show_all_if_ambiguous(true)
            .bell_style(BellStyle::None)
            .color_mode(match painter.is_colourful() {
                true => ColorMode::Enabled,
                false => ColorMode::Disabled,
            })
            .build();
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
            let mut before = Before::default();
            for known in asked {
                if let Ok(mut ids) = ids.lock() {
                    *ids = known;
                }
                let line = read_line(&mut editor, &mut before);
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

/// What the line before leaves for the next one.
#[derive(Default)]
struct Before {
    /// It ended with Ctrl-C.
    was_interrupted: bool,
    /// What stands before and after the cursor at first.
    left: String,
    right: String,
}

fn read_line(editor: &mut Editor<Words, MemHistory>, before: &mut Before) -> Typed {
    let was = std::mem::take(before);
    let read = editor.readline_with_initial("pipebank> ", (&was.left, &was.right));
    let (left, right) = match editor.helper() {
        Some(words) => words.edited.take(),
        None => Default::default(),
    };
    match read {
        Ok(line) => {
            let size = editor.dimensions();
            Typed::Line(line, size.map(|(columns, _)| usize::from(columns)))
        }
        Err(ReadlineError::Eof) => Typed::End,
        Err(ReadlineError::Interrupted) => {
            before.was_interrupted = true;
            Typed::Interrupt {
                is_second: was.was_interrupted && left.is_empty() && right.is_empty(),
            }
        }
        // The editor forgets what it had read ahead; the rest of that must not look like a line.
        Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Terminal::forget_typed();
            (before.left, before.right) = (left + "\u{fffd}", right);
            Typed::NotUtf8
        }
        Err(error) => Typed::Failed(error.to_string()),
    }
}

/// The text of `help`, for a terminal of so many columns.
pub(crate) fn help(columns: Option<usize>) -> String {
    let own = [
        ("show [N]", "draw the last N steps of the run (20)"),
        ("help", "show this"),
        ("quit", "end everything, as the end of input (Ctrl-D) does"),
    ];
    let own = own.map(|(word, summary)| (word.to_owned(), summary));
    let language = COMMANDS
        .iter()
        .map(|command| (command.to_string(), command.summary));
    let columns = columns.unwrap_or(80);
    let mut lines = vec!["Commands (case-sensitive):".to_owned()];
    for (word, summary) in language.chain(own) {
        // Beside each other where there is room, else one below the other.
        let (first, next) = match columns >= 60 {
            true => (format!("  {word:<22} "), " ".repeat(25)),
            false => (format!("  {word}\n      "), " ".repeat(6)),
        };
        let (before, first) = first.rsplit_once('\n').unwrap_or(("", &first));
        lines.extend((!before.is_empty()).then(|| before.to_owned()));
        lines.push(prose(summary, first, &next, columns));
    }
    let last = "Everything after # or ; is a comment. Tab completes commands and node ids.";
    lines.push(prose(last, "", "", columns));
    lines.join("\n")
}

/// What can be typed, and what stands in the line.
#[derive(Default)]
struct Words {
    ids: Arc<Mutex<Vec<String>>>,
    /// Before and after the cursor: the editor does not say when it gives up.
    edited: RefCell<(String, String)>,
}

impl Words {
    fn remember(&self, line: &str, position: usize) {
        let (left, right) = line.split_at(position);
        *self.edited.borrow_mut() = (left.to_owned(), right.to_owned());
    }
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
        let mut before = typed[..start].split_whitespace();
        let Some(name) = before.next() else {
            let names = COMMANDS.iter().map(|command| command.name);
            let matching = names
                .chain(OWN_WORDS)
                .filter(|name| name.to_lowercase().starts_with(&word.to_lowercase()));
            return Ok((start, matching.map(|name| format!("{name} ")).collect()));
        };
        let given: Vec<&str> = before.collect();
        let command = COMMANDS.iter().find(|command| command.name == name);
        if !command.is_some_and(|command| command.takes_node(given.len())) {
            let only = command.and_then(|command| command.takes_word(given.len()));
            let only = only.filter(|only| only.starts_with(word));
            return Ok((
                start,
                only.map(|only| format!("{only} ")).into_iter().collect(),
            ));
        }
        let ids = self.ids.lock().map(|ids| ids.clone()).unwrap_or_default();
        // Nobody sends to themselves, nor receives from themselves.
        let matching = ids
            .iter()
            .filter(|id| id.starts_with(word) && !given.contains(&id.as_str()));
        Ok((start, matching.map(|id| format!("{id} ")).collect()))
    }
}

impl Hinter for Words {
    type Hint = String;

    /// The arguments that a command still lacks.
    fn hint(&self, line: &str, position: usize, _: &Context<'_>) -> Option<String> {
        self.remember(line, position);
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
    /// Asked whenever the cursor moves.
    fn highlight_char(&self, line: &str, position: usize, _: CmdKind) -> bool {
        self.remember(line, position);
        false
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> std::borrow::Cow<'h, str> {
        format!("\x1b[2m{hint}\x1b[0m").into()
    }
}

impl Validator for Words {}
impl Helper for Words {}
