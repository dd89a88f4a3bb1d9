//! An event and its line, each made of the other.

use super::Malformed;
use super::line::{Line, Name, take};
use crate::event::What;

pub(super) fn read_what(line: &mut Line) -> Result<What, Malformed> {
    Ok(match line.event {
        Name::Start => What::Start {
            sparse: line.sparse.take().unwrap_or(false),
        },
        Name::End => What::End,
        Name::Create => What::Create {
            process: line.process()?,
            name: line.name.take(),
            amount: line.amount()?,
        },
        Name::Connect => What::Connect {
            channel: line.channel("from")?,
        },
        Name::Local => What::Local {
            process: line.process()?,
            text: take(&mut line.text, "text")?,
        },
        Name::Send => What::Send {
            channel: line.channel("from")?,
            amount: line.amount()?,
            number: line.number()?,
            inferred: line.inferred.take().unwrap_or(false),
        },
        Name::Receive => What::Receive {
            channel: line.channel("to")?,
            amount: line.amount()?,
            number: line.number()?,
        },
        Name::Refuse => What::Refuse {
            channel: line.channel("from")?,
            amount: line.amount()?,
        },
        Name::Begin => What::Begin {
            process: line.process()?,
            snapshot: line.snapshot()?,
            members: line.members.take().unwrap_or_default(),
        },
        Name::Record => What::Record {
            process: line.process()?,
            snapshot: line.snapshot()?,
            amount: line.amount()?,
            sent: line.sent.take().unwrap_or_default(),
            received: line.received.take().unwrap_or_default(),
        },
        Name::MarkerSent => What::MarkerSent {
            channel: line.channel("from")?,
            snapshot: line.snapshot()?,
            inferred: line.inferred.take().unwrap_or(false),
        },
        Name::MarkerReceived => What::MarkerReceived {
            channel: line.channel("to")?,
            snapshot: line.snapshot()?,
        },
        Name::ChannelClosed => What::ChannelClosed {
            channel: line.channel("to")?,
            snapshot: line.snapshot()?,
        },
        Name::Collect => What::Collect {
            snapshot: line.snapshot()?,
            states: line.states.take().unwrap_or_default(),
            channels: line.channels.take().unwrap_or_default(),
        },
        Name::Audit => What::Audit {
            snapshot: line.snapshot()?,
            verdict: match take(&mut line.passed, "passed")? {
                true => Ok(line.amount()?),
                false => Err(take(&mut line.reason, "reason")?),
            },
        },
        Name::Death => What::Death {
            process: line.process.take(),
            reason: take(&mut line.reason, "reason")?,
        },
        Name::Restarted => What::Restarted {
            process: line.process.take(),
            incarnation: take(&mut line.incarnation, "incarnation")?,
        },
    })
}

impl From<&What> for Line {
    fn from(what: &What) -> Self {
        match *what {
            What::Start { sparse } => Self::new(Name::Start).sparse(sparse),
            What::End => Self::new(Name::End),
            What::Create {
                process,
                ref name,
                amount,
            } => Self::new(Name::Create)
                .at(process)
                .called(name.as_ref())
                .with(amount),
            What::Connect { channel } => Self::new(Name::Connect).leaving(channel),
            What::Local { process, ref text } => Self::new(Name::Local).at(process).saying(text),
            What::Send {
                channel,
                amount,
                number,
                inferred,
            } => Self::new(Name::Send)
                .leaving(channel)
                .with(amount)
                .numbered(number)
                .inferred(inferred),
            What::Receive {
                channel,
                amount,
                number,
            } => Self::new(Name::Receive)
                .arriving(channel)
                .with(amount)
                .numbered(number),
            What::Refuse { channel, amount } => {
                Self::new(Name::Refuse).leaving(channel).with(amount)
            }
            What::Begin {
                process,
                snapshot,
                ref members,
            } => Self::new(Name::Begin)
                .at(process)
                .of(snapshot)
                .among(members),
            What::Record {
                process,
                snapshot,
                amount,
                ref sent,
                ref received,
            } => Self {
                sent: Some(sent.clone()).filter(|sent| !sent.is_empty()),
                received: Some(received.clone()).filter(|received| !received.is_empty()),
                ..Self::new(Name::Record)
                    .at(process)
                    .of(snapshot)
                    .with(amount)
            },
            What::MarkerSent {
                channel,
                snapshot,
                inferred,
            } => Self::new(Name::MarkerSent)
                .leaving(channel)
                .of(snapshot)
                .inferred(inferred),
            What::MarkerReceived { channel, snapshot } => Self::new(Name::MarkerReceived)
                .arriving(channel)
                .of(snapshot),
            What::ChannelClosed { channel, snapshot } => Self::new(Name::ChannelClosed)
                .arriving(channel)
                .of(snapshot),
            What::Collect {
                snapshot,
                ref states,
                ref channels,
            } => Self::new(Name::Collect)
                .of(snapshot)
                .holding(states, channels),
            What::Audit {
                snapshot,
                ref verdict,
            } => Self {
                passed: Some(verdict.is_ok()),
                amount: verdict.as_ref().ok().copied(),
                reason: verdict.as_ref().err().cloned(),
                ..Self::new(Name::Audit).of(snapshot)
            },
            What::Death {
                process,
                ref reason,
            } => Self::new(Name::Death).of_whom(process).because(reason),
            What::Restarted {
                process,
                incarnation,
            } => Self::new(Name::Restarted)
                .of_whom(process)
                .living(incarnation),
        }
    }
}
