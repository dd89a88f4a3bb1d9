//! Events in words: for tooltips, and for formats that show text; briefly, where there is little room.

use history::{System, What};

/// What an event is, in a few words that begin with its process.
#[must_use]
pub fn describe(system: &System, event: usize) -> String {
    match &system.events[event].what {
        What::Start { .. } => "the system starts".to_owned(),
        What::End => "the system ends".to_owned(),
        What::Create {
            process, amount, ..
        } => format!("{process} is created with {amount}"),
        What::Send {
            channel,
            amount,
            number,
            inferred,
        } => {
            let (from, to) = (channel.from, channel.to);
            let known = if *inferred {
                ", known by its channel"
            } else {
                ""
            };
            format!("{from} sends {amount} to {to} (message {number}{known})")
        }
        What::Receive {
            channel,
            amount,
            number,
        } => {
            let (from, to) = (channel.from, channel.to);
            format!("{to} receives {amount} from {from} (message {number})")
        }
        What::Refuse { channel, amount } => {
            let (from, to) = (channel.from, channel.to);
            format!("{from} refuses to send {amount} to {to}: it has less")
        }
        What::Connect { channel } => format!("{} opens channel {channel}", channel.from),
        What::Local { process, text } => format!("{process}: {text}"),
        What::Begin {
            process, snapshot, ..
        } => format!("{process} begins snapshot {snapshot}"),
        What::Record {
            process,
            snapshot,
            amount,
            ..
        } => format!("{process} records its state for snapshot {snapshot}: {amount}"),
        What::MarkerSent {
            channel, snapshot, ..
        } => {
            let (from, to) = (channel.from, channel.to);
            format!("{from} sends the marker of snapshot {snapshot} to {to}")
        }
        What::MarkerReceived { channel, snapshot } => {
            let (from, to) = (channel.from, channel.to);
            format!("{to} receives the marker of snapshot {snapshot} from {from}")
        }
        What::ChannelClosed { channel, snapshot } => format!(
            "{} has the whole state of channel {channel} for snapshot {snapshot}",
            channel.to
        ),
        What::Collect { snapshot, .. } => format!("snapshot {snapshot} is collected"),
        What::Audit { snapshot, verdict } => match verdict {
            Ok(total) => format!("the audit of snapshot {snapshot} passes: {total} in all"),
            Err(reason) => format!("the audit of snapshot {snapshot} fails: {reason}"),
        },
        What::Death { process, reason } => match process {
            Some(process) => format!("{process} died: {reason}"),
            None => format!("the observer died: {reason}"),
        },
    }
}

/// The same where it stands at its process, in as few words as are still understood.
pub(crate) fn brief(what: &What) -> String {
    match what {
        What::Start { .. } => "the system starts".to_owned(),
        What::End => "the system ends".to_owned(),
        What::Create { amount, .. } => format!("created with {amount}"),
        What::Send {
            channel, amount, ..
        } => format!("sends {amount} to {}", channel.to),
        What::Receive {
            channel, amount, ..
        } => format!("receives {amount} from {}", channel.from),
        What::Refuse { channel, amount } => format!("refuses to send {amount} to {}", channel.to),
        What::Connect { channel } => format!("opens {channel}"),
        What::Local { text, .. } => text.to_string(),
        What::Begin { snapshot, .. } => format!("begins snapshot {snapshot}"),
        What::Record {
            snapshot, amount, ..
        } => format!("records {amount} (S{snapshot})"),
        What::MarkerSent {
            channel, snapshot, ..
        } => format!("sends marker S{snapshot} to {}", channel.to),
        What::MarkerReceived { channel, snapshot } => {
            format!("marker S{snapshot} from {}", channel.from)
        }
        What::ChannelClosed { channel, snapshot } => {
            format!("has all of {channel} (S{snapshot})")
        }
        What::Collect { snapshot, .. } => format!("S{snapshot} is collected"),
        What::Audit { snapshot, verdict } => match verdict {
            Ok(total) => format!("S{snapshot} passes: {total} in all"),
            Err(reason) => format!("S{snapshot} fails: {reason}"),
        },
        What::Death { process, reason } => match process {
            Some(_) => format!("died: {reason}"),
            None => format!("the observer died: {reason}"),
        },
    }
}
