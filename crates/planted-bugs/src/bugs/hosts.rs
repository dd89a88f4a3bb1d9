//! Bugs of what carries frames between hosts.

use super::Bug;

const CARRIER: &str = "crates/hosts/src/carrier.rs";

pub(super) const HOSTS: &[Bug] = &[
    Bug {
        name: "dead-writer-awaited",
        breaks: "a stream ends only when whoever holds its pipe open has closed it, not with its writer",
        file: "crates/hosts/src/agent.rs",
        before: "self.pump.orphan(stream)?;",
        after: "let _ = stream;",
    },
    Bug {
        name: "unwanted-end-stays-open",
        breaks: "an end on another host that is dropped is not closed there",
        file: "crates/hosts/src/hosts.rs",
        before: "carrier.ask(Task::Say(self.host, Control::HandOver { to, what, ends }));",
        after: "let _ = (carrier, Control::HandOver { to, what, ends });",
    },
    Bug {
        name: "silence-of-the-deaf",
        breaks: "a host that was stopped itself takes the others for lost",
        file: "crates/hosts/src/pump.rs",
        before: "if was_away {",
        after: "if false && was_away {",
    },
    Bug {
        name: "credit-for-what-was-not-written",
        breaks: "credit is given as soon as something has come: a receiver that takes nothing is flooded",
        file: CARRIER,
        before: "incoming.waiting.extend_from_slice(bytes);",
        after: "incoming.waiting.extend_from_slice(bytes);\n                    let credit = Control::Credit(stream, bytes.len() as u64);\n                    self.outboxes[from].control.push(credit);",
    },
    Bug {
        name: "credit-never-back",
        breaks: "a stream stands still once its first credit is used up",
        file: CARRIER,
        before: "if incoming.untold >= self.window / 4 {",
        after: "if incoming.untold > self.window {",
    },
    Bug {
        name: "credit-not-used-up",
        breaks: "more is sent than there is credit for",
        file: CARRIER,
        before: "outgoing.credit = outgoing.credit.saturating_sub(bytes.len());",
        after: "",
    },
    Bug {
        name: "end-overtakes",
        breaks: "the end of a stream is sent before its last frames",
        file: CARRIER,
        before: "self.outboxes[outgoing.to].frames.push(stream, Piece::End);",
        after: "let frames = &mut self.outboxes[outgoing.to].frames;\n            let behind = std::mem::take(frames).into_bytes();\n            frames.push(stream, Piece::End);\n            for (stream, piece) in Pieces::read(&behind).flatten() {\n                frames.push(stream, piece);\n            }",
    },
    Bug {
        name: "part-of-a-frame-sent",
        breaks: "of a process that dies in the middle of a frame, the beginning of it is sent",
        file: CARRIER,
        before: "self.outboxes[outgoing.to].frames.push(stream, Piece::End);",
        after: "let frames = &mut self.outboxes[outgoing.to].frames;\n            frames.push(stream, Piece::Frames(&outgoing.part));\n            frames.push(stream, Piece::End);",
    },
    Bug {
        name: "ended-before-it-is-written",
        breaks: "a stream is over once its end has come, whatever waits to be written",
        file: CARRIER,
        before: "incoming.is_ended && incoming.written == incoming.waiting.len()",
        after: "incoming.is_ended",
    },
    Bug {
        name: "sender-not-told",
        breaks: "nobody reads a stream any more, and its sender is not told",
        file: CARRIER,
        before: "self.say(from, Control::NobodyReads(stream));",
        after: "let _ = from;",
    },
];
