//! A sequence diagram in Mermaid's language, which Markdown on GitHub shows: for small runs.
//!
//! Mermaid draws a message as one arrow at one moment; here it is drawn where it is received, since
//! that is when it has an effect, and a note says where it was sent in the meantime. Notes are
//! narrow, because Mermaid makes them no wider than two processes are apart without guessing, often
//! wrongly, how wide their texts are.

use std::fmt::Write;

use history::{Channel, Content, System, What};

use crate::describe::brief;
use crate::legend::wrap;
use crate::moment::moments;

/// How many characters certainly fit into a line of a note.
const LINE: usize = 18;
/// What is longer is divided even if it is one word; a number is not.
const WORD: usize = 20;

/// The diagram. Writing to a string cannot fail.
#[must_use]
pub fn mermaid(system: &System) -> String {
    let mut diagram = Diagram::default();
    for process in system.processes.keys() {
        let name = plain(&system.called(*process));
        diagram.write(&format!("participant p{process} as process {name}"));
    }
    for events in moments(system) {
        for event in events {
            diagram.event(system, event);
        }
    }
    diagram.end_note();
    format!("sequenceDiagram\n{}", diagram.out)
}

#[derive(Default)]
struct Diagram {
    out: String,
    /// A note to which more may be added: what it is over, and its lines.
    note: Option<(String, Vec<String>)>,
}

impl Diagram {
    fn event(&mut self, system: &System, event: usize) {
        let what = &system.events[event].what;
        let over = match what.process() {
            Some(process) => format!("p{process}"),
            None => all(system),
        };
        match what {
            What::Start { .. } | What::End | What::ChannelClosed { .. } => {}
            What::Receive {
                channel, amount, ..
            } => self.arrow(*channel, "->>", &amount.to_string()),
            What::MarkerReceived { channel, snapshot } => {
                self.arrow(*channel, "-->>", &format!("marker S{snapshot}"));
            }
            What::MarkerSent { .. } => self.lost(system, event),
            What::Send { .. } if is_next(system, event) => {}
            What::Send { .. } => {
                self.note(over, &brief(system, what));
                self.lost(system, event);
            }
            _ => self.note(over, &brief(system, what)),
        }
    }

    /// What is never received has an arrow that ends in a cross.
    fn lost(&mut self, system: &System, event: usize) {
        let message = system.message_at(event);
        let Some(message) = message.filter(|message| message.received.is_none()) else {
            return;
        };
        match message.content {
            Content::Amount(amount) => {
                self.arrow(message.channel, "-x", &format!("{amount}, not received"));
            }
            Content::Marker(id) => {
                let text = format!("marker S{id}, not received");
                self.arrow(message.channel, "--x", &text);
            }
        }
    }

    fn arrow(&mut self, channel: Channel, arrow: &str, text: &str) {
        let Channel { from, to } = channel;
        self.end_note();
        self.write(&format!("p{from}{arrow}p{to}: {text}"));
    }

    fn note(&mut self, over: String, text: &str) {
        if self.note.as_ref().is_none_or(|note| note.0 != over) {
            self.end_note();
        }
        let (_, lines) = self.note.get_or_insert_with(|| (over, Vec::new()));
        lines.extend(wrap(text, LINE).iter().flat_map(|line| pieces(line)));
    }

    fn end_note(&mut self) {
        // Without processes there is nothing that it could be over.
        if let Some((over, lines)) = self.note.take().filter(|note| !note.0.is_empty()) {
            let lines: Vec<String> = lines.iter().map(|line| plain(line)).collect();
            self.write(&format!("Note over {over}: {}", lines.join("<br/>")));
        }
    }

    fn write(&mut self, statement: &str) {
        let _ = writeln!(self.out, "    {statement}");
    }
}

/// Whether a message is received at once, so that its arrow alone says everything.
fn is_next(system: &System, event: usize) -> bool {
    let message = system.message_at(event);
    message.is_some_and(|message| message.received == Some(event + 1))
}

/// Over all processes.
fn all(system: &System) -> String {
    let mut ids = system.processes.keys();
    match (ids.next(), ids.next_back()) {
        (Some(first), Some(last)) => format!("p{first},p{last}"),
        (Some(only), None) => format!("p{only}"),
        _ => String::new(),
    }
}

/// The line; in pieces, where it is a word that is too long.
fn pieces(line: &str) -> Vec<String> {
    let characters: Vec<char> = line.chars().collect();
    let pieces = characters.chunks(WORD);
    pieces.map(|piece| piece.iter().collect()).collect()
}

/// Only what has no meaning in Mermaid, or in the HTML that it makes: the rest as entities, which
/// are written there with `#`.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for character in text.chars() {
        match character {
            ' ' | ',' | '.' | ':' | '(' | ')' | '→' => plain.push(character),
            character if character.is_alphanumeric() => plain.push(character),
            character => {
                let _ = write!(plain, "#{};", u32::from(character));
            }
        }
    }
    plain
}
