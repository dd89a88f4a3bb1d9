//! The bugs: each a small change of a source file that somebody might really make.

mod hosts;
mod journals;
mod lasting;

use self::hosts::HOSTS;
use self::journals::JOURNALS;
use self::lasting::LASTING;

/// A change that must not go unnoticed.
#[derive(Debug)]
pub(crate) struct Bug {
    pub(crate) name: &'static str,
    /// What it breaks.
    pub(crate) breaks: &'static str,
    pub(crate) file: &'static str,
    /// What stands there once, and only once, …
    pub(crate) before: &'static str,
    /// … and what takes its place.
    pub(crate) after: &'static str,
}

const RECORDER: &str = "crates/snapshot/src/recorder.rs";
const ACCOUNT: &str = "crates/bank/src/account.rs";
const MEMBER: &str = "crates/bank/src/member.rs";
const NODE: &str = "crates/bank/src/node/mod.rs";
const SNAPSHOTS: &str = "crates/bank/src/node/snapshots.rs";
const FRAME: &str = "crates/pipes/src/frame.rs";
const END: &str = "crates/pipes/src/end.rs";
const NODES: &str = "crates/bank/src/master/nodes.rs";
const READY: &str = "crates/bank/src/master/ready.rs";
const SHAPE: &str = "crates/bank/src/topology/shape.rs";
const GROW: &str = "crates/bank/src/master/grow.rs";
const COLLECT: &str = "crates/bank/src/master/collect.rs";
const EVENTS: &str = "crates/bank/src/master/events.rs";
const CHECK: &str = "crates/bank/src/script/check.rs";
const ISSUE: &str = "crates/bank/src/master/issue.rs";
const RETIRE: &str = "crates/bank/src/master/retire.rs";
const CHANNELS: &str = "crates/bank/src/master/channels.rs";
const DEATHS: &str = "crates/bank/src/master/deaths.rs";
const REPLAY: &str = "crates/bank/src/master/deaths/replay.rs";
const LOSSES: &str = "crates/bank/src/master/deaths/losses.rs";
const AUDIT: &str = "crates/snapshot/src/audit.rs";

/// All of them.
pub(crate) fn bugs() -> impl Iterator<Item = &'static Bug> {
    [EVERYWHERE, LASTING, JOURNALS, HOSTS].into_iter().flatten()
}

const EVERYWHERE: &[Bug] = &[
    // The recorder.
    Bug {
        name: "nothing-recorded",
        breaks: "a message that crosses the cut is not recorded: its money is lost",
        file: RECORDER,
        before: "messages.push(message.clone());",
        after: "let _ = (messages, message);",
    },
    Bug {
        name: "recorded-twice",
        breaks: "a message that crosses the cut is recorded twice: money is made",
        file: RECORDER,
        before: "messages.push(message.clone());",
        after: "messages.extend([message.clone(), message.clone()]);",
    },
    Bug {
        name: "recorded-in-reverse",
        breaks: "a channel's messages are recorded in another order than they were sent in",
        file: RECORDER,
        before: "messages.push(message.clone());",
        after: "messages.insert(0, message.clone());",
    },
    Bug {
        name: "only-the-oldest-records",
        breaks: "of two snapshots in progress only the older one records messages",
        file: RECORDER,
        before: "for recording in &mut self.recordings {\n            if let Some(messages)",
        after: "for recording in self.recordings.iter_mut().take(1) {\n            if let Some(messages)",
    },
    Bug {
        name: "markers-confused",
        breaks: "a marker closes its channel for the oldest snapshot instead of its own",
        file: RECORDER,
        before: ".find(|recording| recording.id == id);\n        match",
        after: ".next();\n        match",
    },
    Bug {
        name: "one-marker-closes-all",
        breaks: "the first marker after the cut ends the recording of all channels",
        file: RECORDER,
        before: "self.closed.insert(from, messages);",
        after: "self.closed.insert(from, messages);\n        self.closed.append(&mut self.waiting);",
    },
    Bug {
        name: "first-marker-does-not-close",
        breaks: "the channel that brought the first marker is recorded for ever",
        file: RECORDER,
        before: "recording.and_then(|recording| recording.close(from))",
        after: "recording.and_then(|recording| if markers.is_some() { Some(()) } else { recording.close(from) })",
    },
    Bug {
        name: "joiner-gets-no-marker",
        breaks: "whoever has recorded owes a marker on a channel that opens later, and forgets it",
        file: RECORDER,
        before: "self.recorded().collect()\n        } else {",
        after: "Vec::new()\n        } else {",
    },
    Bug {
        name: "joiner-not-recorded",
        breaks: "a channel that opens after the cut is not recorded",
        file: RECORDER,
        before: "recording.waiting.insert(from, Vec::new());",
        after: "let _ = &recording.waiting;",
    },
    Bug {
        name: "begins-twice",
        breaks: "a snapshot that a process has recorded can be begun there again",
        file: RECORDER,
        before: "if self.has_recorded(id) {",
        after: "if self.handed_over.contains(id) {",
    },
    Bug {
        name: "handed-over-early",
        breaks: "a part is handed over while markers are still awaited",
        file: RECORDER,
        before: "recording.id == id && recording.waiting.is_empty();",
        after: "recording.id == id;",
    },
    // The account and the member.
    Bug {
        name: "nothing-withdrawn",
        breaks: "a transfer is sent and the sender keeps the money",
        file: ACCOUNT,
        before: "self.balance = self.balance.checked_sub(amount)?;",
        after: "self.balance.checked_sub(amount)?;",
    },
    Bug {
        name: "overdraft",
        breaks: "more can be sent than there is",
        file: ACCOUNT,
        before: "self.balance.checked_sub(amount)?;",
        after: "self.balance.checked_sub(amount).unwrap_or(0);",
    },
    Bug {
        name: "sent-not-counted",
        breaks: "the tally of what was sent is not kept, so a snapshot cannot be audited",
        file: ACCOUNT,
        before: "self.tally.extend(amount);\n        Some(Transfer(amount))",
        after: "Some(Transfer(amount))",
    },
    Bug {
        name: "recorder-not-told",
        breaks: "messages pass by the recorder",
        file: MEMBER,
        before: "recorder.on_message(peer, &transfer);",
        after: "",
    },
    Bug {
        name: "recorded-too-late",
        breaks: "the recorder is shown a message twice when it brings nothing",
        file: MEMBER,
        before: "books.deposit(transfer)?;",
        after: "books.deposit(transfer)?;\n                        if transfer.0 == 0 {\n                            recorder.on_message(peer, &transfer);\n                        }",
    },
    // The node: when markers go out.
    Bug {
        name: "one-channel-gets-no-marker",
        breaks: "the marker is not sent on the first channel",
        file: SNAPSHOTS,
        before: "for to in 0..self.outgoing.len() {",
        after: "for to in 1..self.outgoing.len() {",
    },
    Bug {
        name: "marker-twice",
        breaks: "the marker is sent twice on every channel",
        file: SNAPSHOTS,
        before: "self.send_frame(Outgoing(to), Frame::Marker(snapshot), effects);",
        after: "self.send_frame(Outgoing(to), Frame::Marker(snapshot), effects);\n            self.send_frame(Outgoing(to), Frame::Marker(snapshot), effects);",
    },
    Bug {
        name: "no-relay",
        breaks: "a process that records because a marker came does not send it on",
        file: NODE,
        before: "if let Some(markers) = relay {\n                    self.broadcast(markers, effects);\n                }",
        after: "let _ = relay;",
    },
    Bug {
        name: "transit-cut-short",
        breaks: "of what was in transit only the first piece is handed over",
        file: SNAPSHOTS,
        before: "for transfers in transfers.chunks(CHUNK) {",
        after: "for transfers in transfers.chunks(1).take(1) {",
    },
    // Frames and outboxes.
    Bug {
        name: "leftover-bytes-accepted",
        breaks: "a frame with bytes left over passes for a whole one",
        file: FRAME,
        before: "if used != body.len() {",
        after: "if used > body.len() {",
    },
    Bug {
        name: "any-length-accepted",
        breaks: "a stranger's length is believed beyond the limit",
        file: FRAME,
        before: "if length > MAX_FRAME {\n        return Err(Error::FrameTooLong { length });\n    }\n    if length < HEADER",
        after: "if length < HEADER",
    },
    Bug {
        name: "partial-write-forgotten",
        breaks: "what a full pipe did not take is not written again",
        file: END,
        before: "Ok(count) => self.written += count,",
        after: "Ok(_) => self.written = self.end,",
    },
    Bug {
        name: "outbox-not-moved",
        breaks: "an outbox that is moved to its front sends old bytes again",
        file: END,
        before: "self.outbox.copy_within(self.written..self.end, 0);",
        after: "",
    },
    Bug {
        name: "partial-frame-dropped",
        breaks: "half a frame at the end of a read is forgotten",
        file: END,
        before: "if self.start == self.end {\n            (self.start, self.end) = (0, 0);\n            if",
        after: "if self.end - self.start < 8 {\n            (self.start, self.end) = (0, 0);\n            if",
    },
    // Scheduling.
    Bug {
        name: "sends-in-flight-not-counted",
        breaks: "a send is held for certain although others on their way have spent the money",
        file: NODES,
        before: "self.going <= u128::from(self.known)",
        after: "u128::from(amount) <= u128::from(self.known)",
    },
    Bug {
        name: "draws-from-the-wrong-end",
        breaks: "the choices of a draw are not in the order of ids, so a seed gives another run",
        file: READY,
        before: "places.sort_by_key(|place| ids[place.index()]);",
        after: "places.sort_by_key(|place| std::cmp::Reverse(ids[place.index()]));",
    },
    Bug {
        name: "overtakes-the-rest",
        breaks: "a command that concerns everybody does not wait for those before it",
        file: ISSUE,
        before: "if concerns_everybody && !self.in_flight.is_empty() {",
        after: "if concerns_everybody && self.in_flight.len() > 8 {",
    },
    Bug {
        name: "refusal-taken-for-a-send",
        breaks: "a send that was refused is held to be in its channel",
        file: RETIRE,
        before: "self.bank.channels.determine(node, to, false);",
        after: "self.bank.channels.determine(node, to, true);",
    },
    // Master's window.
    Bug {
        name: "marker-taken-for-certain",
        breaks: "a node is told to receive a marker whose sender may never come to send it",
        file: ISSUE,
        before: "if self.retired < certain_after =>",
        after: "if self.retired < certain_after && certain_after == 0 =>",
    },
    Bug {
        name: "refused-send-leaves-a-gap",
        breaks: "after a refused send, another one is taken for the next that may be refused",
        file: CHANNELS,
        before: "*later -= 1;",
        after: "let _ = later;",
    },
    Bug {
        name: "who-joins-is-owed-nothing",
        breaks: "master does not know of the markers that go out first on a new channel",
        file: CHANNELS,
        before: "let owed = sender.recorded.iter().filter(|_| owing);",
        after: "let owed = sender.recorded.iter().filter(|_| owing && done == 0);",
    },
    // Deaths.
    // Sparse systems.
    Bug {
        name: "random-graph-without-its-ring",
        breaks: "in a load on a random graph somebody may be out of reach, and no snapshot completes",
        file: SHAPE,
        before: "let steps = [1].into_iter().chain(others);",
        after: "let steps = [].into_iter().chain(others);",
    },
    Bug {
        name: "opposite-channel",
        breaks: "Connect opens the channel in the other direction in what master knows",
        file: GROW,
        before: "self.bank.topology.open(from, to);",
        after: "self.bank.topology.open(to, from);",
    },
    Bug {
        name: "connected-with-the-dead",
        breaks: "Connect to a dead node does not fail",
        file: GROW,
        before: "        self.bank.nodes.lives(from)?;\n        self.bank.nodes.lives(to)?;",
        after: "        self.bank.nodes.lives(from)?;\n        self.bank.nodes.exists(to)?;",
    },
    Bug {
        name: "printed-as-a-mesh",
        breaks: "PrintSnapshot prints channels that there are not",
        file: COLLECT,
        before: "snapshot.sparse.clone_from(&channels);",
        after: "let _ = (&channels, &mut snapshot);",
    },
    Bug {
        name: "unreachable-are-on-their-way",
        breaks: "CollectState says that ReceiveAll would deliver a marker that can never come",
        file: COLLECT,
        before: "self.bank.leave_out_the_unreachable(&mut waiting);",
        after: "let _ = &mut waiting;",
    },
    Bug {
        name: "missing-channel-accepted",
        breaks: "a Receive along a channel that no line opens is accepted",
        file: CHECK,
        before: "(Keyword::Send | Keyword::Receive, None)",
        after: "(Keyword::Send, None)",
    },
    Bug {
        name: "markers-to-everybody",
        breaks: "the history has markers on channels that there are not",
        file: EVENTS,
        before: "(leads_there && comes_back).then_some(*peer)",
        after: "(leads_there | comes_back).then_some(*peer)",
    },
    Bug {
        name: "relayed-marker-struck-out",
        breaks: "a marker that a dead node has relayed is not counted: the transfer behind it is neither receivable nor lost",
        file: DEATHS,
        before: "self.bank.channels.truncate(*from, *to, found.len());",
        after: "let found = found.iter().filter(|frame| matches!(frame, Frame::Message(_)));\n            self.bank.channels.truncate(*from, *to, found.count());",
    },
    Bug {
        name: "refused-send-taken-as-carried-out",
        breaks: "what a dead node must have refused is held to be sent, and what it sent behind it is not",
        file: REPLAY,
        before: "None => Reply::Refused { balance: *balance },",
        after: "None => {\n                        replay.channels.send(*node, *to, *amount, true);\n                        self.was_enqueued(replay, Some(index), *node, *to)?;\n                        Reply::Sent { balance: 0 }\n                    }",
    },
    Bug {
        name: "the-dead-have-done-nothing",
        breaks: "what dead nodes have not answered they are held not to have done, whatever was seen",
        file: REPLAY,
        before: "known.replay(Some(&known.prefixes(&whole)))",
        after: "known.replay(Some(&BTreeMap::new()).filter(|_| whole.replies.len() > 0))",
    },
    Bug {
        name: "unwritten-not-lost",
        breaks: "what a dead node had sent and not written is not reported as lost",
        file: LOSSES,
        before: "loss.unwritten.add(lost);",
        after: "let _ = lost;",
    },
    Bug {
        name: "on-the-way-not-lost",
        breaks: "what was on the way to a dead node is not reported as lost",
        file: LOSSES,
        before: "if !known.has_ended(*from, node) {",
        after: "if false && !known.has_ended(*from, node) {",
    },
    Bug {
        name: "channel-of-the-dead-not-shortened",
        breaks: "master counts on what a dead node had not written",
        file: DEATHS,
        before: "self.bank.channels.truncate(*from, *to, found.len());",
        after: "let _ = (from, to, found);",
    },
    Bug {
        name: "second-death-not-asked-about",
        breaks: "who dies while a death is being settled leaves channels that nobody reads",
        file: DEATHS,
        before: "settling.dead[settling.asked..]",
        after: "settling.dead[settling.asked.min(1) * settling.dead.len()..]",
    },
    Bug {
        name: "early-word-forgotten",
        breaks: "a reply that told of a death before master had heard of it is lost, and waited for",
        file: DEATHS,
        before: "settling.said.extend(self.held.take().map(|(said, _)| said));",
        after: "self.held = None;",
    },
    Bug {
        name: "settled-too-early",
        breaks: "deaths are settled although a reply tells of another one",
        file: DEATHS,
        before: "if settling.unheard_of.is_some() {",
        after: "if settling.unheard_of.take().is_some() && self.in_flight.is_empty() {",
    },
    Bug {
        name: "undone-but-for-the-record",
        breaks: "coming back to what is certain, master keeps the markers of a record that is undone",
        file: CHANNELS,
        before: "                self.undo_record(to, snapshot);\n",
        after: "",
    },
    Bug {
        name: "draw-outlives-a-death",
        breaks: "a draw is kept although what it has chosen went with a dead node",
        file: DEATHS,
        before: "self.retired = self.issued;\n        self.drawn = None;",
        after: "self.retired = self.issued;",
    },
    Bug {
        name: "goes-on-behind-an-end",
        breaks: "a node that has found the end of a channel goes on before master has heard of it",
        file: NODE,
        before: "self.halted = is_new;",
        after: "self.halted = is_new && reply == Reply::ObserverGone;",
    },
    Bug {
        name: "goes-on-without-the-observer",
        breaks: "a node that has found the observer gone goes on before master has heard of it",
        file: NODE,
        before: "self.halted = is_new;",
        after: "self.halted = is_new && reply == Reply::Ended;",
    },
    Bug {
        name: "found-behind-a-known-end",
        breaks: "of two dead nodes one is held to have received what the other had sent, although it had said that nothing was there",
        file: REPLAY,
        before: "Step::Receive { node, from, .. } if self.has_ended(*from, *node) => Reply::Ended,",
        after: "",
    },
    // The audit itself: a watchman who sleeps.
    Bug {
        name: "audit-takes-what-is-missing",
        breaks: "the audit lets a snapshot pass that has lost what crosses its cut",
        file: AUDIT,
        before: "(Some(sent), Some(arrived)) if sent == arrived => None,",
        after: "(Some(sent), Some(arrived)) if sent.count >= arrived.count => None,",
    },
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::bugs;

    #[test]
    fn what_a_bug_changes_stands_once_in_the_sources_of_today() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for bug in bugs() {
            let text = std::fs::read_to_string(workspace.join(bug.file)).expect("it is there");
            let places = text.matches(bug.before).count();
            assert_eq!(places, 1, "bug {}, in {}", bug.name, bug.file);
        }
    }
}
