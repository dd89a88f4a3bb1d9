//! Events in words: for tooltips, and for formats that show text; briefly, where there is little room.

use history::{Channel, System, What};

/// What an event is, in a few words that begin with its process.
#[must_use]
pub fn describe(system: &System, event: usize) -> String {
    let what = &system.events[event].what;
    let at = what.process().map_or(String::new(), |it| system.called(it));
    let ends = |channel: &Channel| [channel.from, channel.to].map(|end| system.called(end));
    match what {
        What::Start { .. } => "the system starts".to_owned(),
        What::End => "the system ends".to_owned(),
        What::Create { amount, .. } => format!("{at} is created with {amount}"),
        What::Send {
            channel,
            amount,
            number,
            inferred,
        } => {
            let [from, to] = ends(channel);
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
            let [from, to] = ends(channel);
            format!("{to} receives {amount} from {from} (message {number})")
        }
        What::Refuse { channel, amount } => {
            let [from, to] = ends(channel);
            format!("{from} refuses to send {amount} to {to}: it has less")
        }
        What::Connect { channel } => format!("{at} opens channel {}", ends(channel).join(" → ")),
        What::Local { text, .. } => format!("{at}: {text}"),
        What::Begin { snapshot, .. } => format!("{at} begins snapshot {snapshot}"),
        What::Record {
            snapshot, amount, ..
        } => format!("{at} records its state for snapshot {snapshot}: {amount}"),
        What::MarkerSent {
            channel, snapshot, ..
        } => {
            let [from, to] = ends(channel);
            format!("{from} sends the marker of snapshot {snapshot} to {to}")
        }
        What::MarkerReceived { channel, snapshot } => {
            let [from, to] = ends(channel);
            format!("{to} receives the marker of snapshot {snapshot} from {from}")
        }
        What::ChannelClosed { channel, snapshot } => format!(
            "{at} has the whole state of channel {} for snapshot {snapshot}",
            ends(channel).join(" → ")
        ),
        What::Collect { snapshot, .. } => format!("snapshot {snapshot} is collected"),
        What::Audit { snapshot, verdict } => match verdict {
            Ok(total) => format!("the audit of snapshot {snapshot} passes: {total} in all"),
            Err(reason) => format!("the audit of snapshot {snapshot} fails: {reason}"),
        },
        What::Death { process, reason } => match process {
            Some(_) => format!("{at} died: {reason}"),
            None => format!("the observer died: {reason}"),
        },
        What::Restarted {
            process,
            incarnation,
        } => match process {
            Some(_) => format!("{at} is restarted: incarnation {incarnation}"),
            None => format!("the observer is restarted: incarnation {incarnation}"),
        },
    }
}

/// The same where it stands at its process, in as few words as are still understood.
pub(crate) fn brief(system: &System, what: &What) -> String {
    let called = |process| system.called(process);
    let channel_of = |channel: &Channel| {
        let Channel { from, to } = *channel;
        format!("{} → {}", called(from), called(to))
    };
    match what {
        What::Start { .. } => "the system starts".to_owned(),
        What::End => "the system ends".to_owned(),
        What::Create { amount, .. } => format!("created with {amount}"),
        What::Send {
            channel, amount, ..
        } => format!("sends {amount} to {}", called(channel.to)),
        What::Receive {
            channel, amount, ..
        } => format!("receives {amount} from {}", called(channel.from)),
        What::Refuse { channel, amount } => {
            format!("refuses to send {amount} to {}", called(channel.to))
        }
        What::Connect { channel } => format!("opens {}", channel_of(channel)),
        What::Local { text, .. } => text.to_string(),
        What::Begin { snapshot, .. } => format!("begins snapshot {snapshot}"),
        What::Record {
            snapshot, amount, ..
        } => format!("records {amount} (S{snapshot})"),
        What::MarkerSent {
            channel, snapshot, ..
        } => format!("sends marker S{snapshot} to {}", called(channel.to)),
        What::MarkerReceived { channel, snapshot } => {
            format!("marker S{snapshot} from {}", called(channel.from))
        }
        What::ChannelClosed { channel, snapshot } => {
            format!("has all of {} (S{snapshot})", channel_of(channel))
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
        What::Restarted {
            process,
            incarnation,
        } => match process {
            Some(_) => format!("restarted: incarnation {incarnation}"),
            None => format!("the observer is restarted: incarnation {incarnation}"),
        },
    }
}
