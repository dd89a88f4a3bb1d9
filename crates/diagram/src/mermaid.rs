//! A sequence diagram in Mermaid's language, which Markdown on GitHub shows: for small runs.
//!
//! Mermaid draws a message as one arrow at one moment; here it is drawn where it is received, since
//! that is when it has an effect, and a note says where it was sent in the meantime.

use std::fmt::Write;

use history::{Content, System, What};

use crate::describe::describe;

/// The diagram. Writing to a string cannot fail.
#[must_use]
pub fn mermaid(system: &System) -> String {
    let mut out = String::from("sequenceDiagram\n");
    for process in system.processes.keys() {
        let _ = writeln!(out, "    participant p{process} as process {process}");
    }
    for (index, event) in system.events.iter().enumerate() {
        let text = plain(&describe(system, index));
        let _ = match (&event.what, event.what.process()) {
            (
                What::Receive {
                    channel, amount, ..
                },
                _,
            ) => {
                writeln!(out, "    p{}->>p{}: {amount}", channel.from, channel.to)
            }
            (What::MarkerReceived { channel, snapshot }, _) => {
                let (from, to) = (channel.from, channel.to);
                writeln!(out, "    p{from}-->>p{to}: marker S{snapshot}")
            }
            (What::Send { .. }, _) if is_next(system, index) => Ok(()),
            (What::MarkerSent { .. } | What::ChannelClosed { .. } | What::Begin { .. }, _) => {
                lost(&mut out, system, index)
            }
            (What::Send { .. }, Some(process)) => {
                let _ = writeln!(out, "    Note over p{process}: {text}");
                lost(&mut out, system, index)
            }
            (_, Some(process)) => writeln!(out, "    Note over p{process}: {text}"),
            (What::Start | What::End, None) => Ok(()),
            (_, None) => across(&mut out, system, &text),
        };
    }
    out
}

/// Whether a message is received at once, so that its arrow alone says everything.
fn is_next(system: &System, event: usize) -> bool {
    let message = system.message_at(event);
    message.is_some_and(|message| message.received == Some(event + 1))
}

/// What is never received has an arrow that ends in a cross.
fn lost(out: &mut String, system: &System, event: usize) -> std::fmt::Result {
    let message = system.message_at(event);
    let Some(message) = message.filter(|message| message.received.is_none()) else {
        return Ok(());
    };
    let (from, to) = (message.channel.from, message.channel.to);
    match message.content {
        Content::Amount(amount) => writeln!(out, "    p{from}-xp{to}: {amount}, not received"),
        Content::Marker(id) => writeln!(out, "    p{from}--xp{to}: marker S{id}, not received"),
    }
}

/// A note over all processes.
fn across(out: &mut String, system: &System, text: &str) -> std::fmt::Result {
    let mut ids = system.processes.keys();
    match (ids.next(), ids.next_back()) {
        (Some(first), Some(last)) => writeln!(out, "    Note over p{first},p{last}: {text}"),
        (Some(only), None) => writeln!(out, "    Note over p{only}: {text}"),
        _ => Ok(()),
    }
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
