//! Histories in shorthand, one event a line: `send 1 2 300 1` is message 1, of 300, on 1 → 2.

use history::{Channel, ChannelState, Event, ProcessId, ProcessState, SnapshotId, Tally, What};

/// The events, as if line 2 of the history came from line 1 of a script, and so on.
pub(crate) fn events(text: &str) -> Vec<Event> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let events = lines.zip(1..).map(|(line, number)| Event {
        line: Some(number),
        time: None,
        what: what(line),
        extra: Vec::new(),
    });
    events.collect()
}

fn what(line: &str) -> What {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap();
    let rest: Vec<&str> = words.collect();
    let number = |index: usize| -> u64 {
        let word = rest
            .get(index)
            .unwrap_or_else(|| panic!("{line}: too short"));
        word.parse().unwrap_or_else(|_| panic!("{line}: {word}?"))
    };
    let process = |index| ProcessId(number(index));
    let snapshot = |index| SnapshotId(number(index));
    let channel = || Channel {
        from: process(0),
        to: process(1),
    };
    let inferred = rest.last() == Some(&"inferred");
    match name {
        "start" => What::Start {
            sparse: rest.last() == Some(&"sparse"),
        },
        "end" => What::End,
        "create" => What::Create {
            process: process(0),
            name: None,
            amount: number(1).into(),
        },
        "send" => What::Send {
            channel: channel(),
            amount: number(2).into(),
            number: number(3),
            inferred,
        },
        "receive" => What::Receive {
            channel: channel(),
            amount: number(2).into(),
            number: number(3),
        },
        "connect" => What::Connect { channel: channel() },
        "refuse" => What::Refuse {
            channel: channel(),
            amount: number(2).into(),
        },
        "begin" => What::Begin {
            process: process(0),
            snapshot: snapshot(1),
            members: (2..rest.len()).map(process).collect(),
        },
        "record" => What::Record {
            process: process(0),
            snapshot: snapshot(1),
            amount: number(2).into(),
            sent: tallies(&rest, "sent"),
            received: tallies(&rest, "received"),
        },
        "marker" if !inferred && rest.len() == 4 => What::MarkerReceived {
            channel: channel(),
            snapshot: snapshot(2),
        },
        "marker" => What::MarkerSent {
            channel: channel(),
            snapshot: snapshot(2),
            inferred,
        },
        "closed" => What::ChannelClosed {
            channel: channel(),
            snapshot: snapshot(2),
        },
        "collect" => What::Collect {
            snapshot: snapshot(0),
            states: pairs(&rest, '='),
            channels: channels(&rest),
        },
        "audit" => What::Audit {
            snapshot: snapshot(0),
            verdict: match rest[1].parse() {
                Ok(total) => Ok(total),
                Err(_) => Err(rest[1..].join(" ").into()),
            },
        },
        "death" => What::Death {
            process: rest.first().map(|_| process(0)),
            reason: "killed by signal 9".into(),
        },
        "restarted" => What::Restarted {
            process: (rest.len() > 1).then(|| process(0)),
            incarnation: number(rest.len() - 1),
        },
        _ => panic!("{line}: no such event"),
    }
}

/// `sent:2:1:300`: one message of 300 to 2.
fn tallies(rest: &[&str], which: &str) -> Vec<Tally> {
    let parts = rest.iter().map(|word| word.split(':').collect::<Vec<_>>());
    let tallies = parts.filter(|parts| parts[0] == which).map(|parts| Tally {
        process: ProcessId(parts[1].parse().unwrap()),
        messages: parts[2].parse().unwrap(),
        sum: parts[3].parse().unwrap(),
    });
    tallies.collect()
}

/// `1=700`
fn pairs(rest: &[&str], sign: char) -> Vec<ProcessState> {
    let pairs = rest.iter().filter_map(|word| word.split_once(sign));
    let pairs = pairs.map(|(process, amount)| ProcessState {
        process: ProcessId(process.parse().unwrap()),
        amount: amount.parse().unwrap(),
    });
    pairs.collect()
}

/// `2>1:100,50`, or `2>1:` where it is empty.
fn channels(rest: &[&str]) -> Vec<ChannelState> {
    let channels = rest.iter().filter_map(|word| word.split_once('>'));
    let channels = channels.map(|(from, rest)| {
        let (to, amounts) = rest.split_once(':').unwrap();
        let amounts = amounts.split(',').filter(|amount| !amount.is_empty());
        let amounts = amounts.map(|amount| amount.parse().unwrap());
        ChannelState {
            from: ProcessId(from.parse().unwrap()),
            to: ProcessId(to.parse().unwrap()),
            amounts: amounts.collect(),
        }
    });
    channels.collect()
}
