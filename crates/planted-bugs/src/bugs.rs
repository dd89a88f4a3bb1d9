//! The bugs: each a small change of a source file that somebody might really make.

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
const NODE: &str = "crates/pipebank/src/node.rs";
const SNAPSHOTS: &str = "crates/pipebank/src/node/snapshots.rs";
const FRAME: &str = "crates/pipes/src/frame.rs";
const END: &str = "crates/pipes/src/end.rs";
const SESSION: &str = "crates/pipebank/src/master/session.rs";
const READY: &str = "crates/pipebank/src/master/ready.rs";
const ISSUE: &str = "crates/pipebank/src/master/issue.rs";
const RETIRE: &str = "crates/pipebank/src/master/retire.rs";
const AUDIT: &str = "crates/snapshot/src/audit.rs";

pub(crate) const BUGS: &[Bug] = &[
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
        before: "if self.recording(id).is_some() || self.handed_over.contains(id) {",
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
        before: "self.balance = left.ok_or(AccountError::TooSmall)?;",
        after: "left.ok_or(AccountError::TooSmall)?;",
    },
    Bug {
        name: "overdraft",
        breaks: "more can be sent than there is",
        file: ACCOUNT,
        before: "left.ok_or(AccountError::TooSmall)?;",
        after: "left.unwrap_or(0);",
    },
    Bug {
        name: "sent-not-counted",
        breaks: "the tally of what was sent is not kept, so a snapshot cannot be audited",
        file: ACCOUNT,
        before: "self.tally.extend(amount);\n        Ok(Transfer(amount))",
        after: "Ok(Transfer(amount))",
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
        before: "for slot in 0..self.channels.len() {",
        after: "for slot in 1..self.channels.len() {",
    },
    Bug {
        name: "marker-twice",
        breaks: "the marker is sent twice on every channel",
        file: SNAPSHOTS,
        before: "self.enqueue(Slot(slot), &Frame::Marker(snapshot))?;",
        after: "self.enqueue(Slot(slot), &Frame::Marker(snapshot))?;\n            self.enqueue(Slot(slot), &Frame::Marker(snapshot))?;",
    },
    Bug {
        name: "no-relay",
        breaks: "a process that records because a marker came does not send it on",
        file: NODE,
        before: "if let Some(markers) = relay {\n                    self.broadcast(markers)?;\n                }",
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
        file: SESSION,
        before: "self.going + u128::from(amount) <= u128::from(self.known)",
        after: "u128::from(amount) <= u128::from(self.known)",
    },
    Bug {
        name: "draws-from-the-wrong-end",
        breaks: "the choices of a draw are not in the order of ids, so a seed gives another run",
        file: READY,
        before: "places.sort_by_key(|place| ids[*place]);",
        after: "places.sort_by_key(|place| std::cmp::Reverse(ids[*place]));",
    },
    Bug {
        name: "overtakes-the-rest",
        breaks: "a command that concerns everybody does not wait for those before it",
        file: ISSUE,
        before: "if concerns_everybody && !goes_on_creating && !self.in_flight.is_empty() {",
        after: "if concerns_everybody && !goes_on_creating && self.in_flight.len() > 8 {",
    },
    Bug {
        name: "refusal-taken-for-a-send",
        breaks: "a send that was refused is held to be in its channel",
        file: RETIRE,
        before: "bank.channels.determine(node, to, was_sent);",
        after: "bank.channels.determine(node, to, true);",
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
