//! Bugs of a bank that lasts: what is kept, what is made again, what is said again.

use super::{Bug, COLLECT, GROW, ISSUE, NODE, SNAPSHOTS};

const LASTS: &str = "crates/bank/src/node/lasting.rs";
const FOLD: &str = "crates/bank/src/node/fold.rs";
const OBSERVER: &str = "crates/bank/src/observer/mod.rs";
const WATCH: &str = "crates/bank/src/observer/watch.rs";
const COMEBACKS: &str = "crates/bank/src/master/comebacks.rs";
const KEPT: &str = "crates/bank/src/master/kept.rs";
const IMAGE: &str = "crates/bank/src/master/image.rs";

pub(super) const LASTING: &[Bug] = &[
    // What is kept.
    Bug {
        name: "beginning-not-kept",
        breaks: "that a snapshot was begun is not in the journal",
        file: SNAPSHOTS,
        before: "self.keep(|| Record::Begin { snapshot });",
        after: "let _ = snapshot;",
    },
    Bug {
        name: "refusal-not-kept",
        breaks: "that a transfer was refused is not in the journal",
        file: "crates/bank/src/node/instructions.rs",
        before: "self.keep(|| Record::Send { to, amount });",
        after: "if amount <= self.member.account().balance() {\n            self.keep(|| Record::Send { to, amount });\n        }",
    },
    Bug {
        name: "marker-not-kept",
        breaks: "a marker that comes is not in the journal",
        file: NODE,
        before: "self.keep(|| Record::Receive { from: peer, frame });",
        after: "if let Frame::Message(_) = frame {\n            self.keep(|| Record::Receive { from: peer, frame });\n        }",
    },
    Bug {
        name: "part-gone-when-given",
        breaks: "a part is removed when it is given, not when it is with master",
        file: SNAPSHOTS,
        before: "Some(_) => self.member.part(snapshot),",
        after: "Some(_) => self.member.hand_over(snapshot),",
    },
    Bug {
        name: "nothing-forgotten",
        breaks: "parts of snapshots that are over stay for ever",
        file: LASTS,
        before: "drop(self.member.hand_over(SnapshotId(snapshot)));",
        after: "let _ = self.member.part(SnapshotId(snapshot));",
    },
    // What is made again.
    Bug {
        name: "received-markers-not-counted",
        breaks: "a receiver says how many transfers it has received, without the markers",
        file: NODE,
        before: "incoming()[from.0].tally.count + self.incoming[from.0].markers",
        after: "incoming()[from.0].tally.count",
    },
    Bug {
        name: "sent-markers-not-counted",
        breaks: "a sender counts its transfers, without the markers",
        file: NODE,
        before: "outgoing()[to.0].tally.count + self.outgoing[to.0].markers",
        after: "outgoing()[to.0].tally.count",
    },
    Bug {
        name: "last-received-sent-again",
        breaks: "the last frame that was received is sent again",
        file: FOLD,
        before: "*sent > unwanted",
        after: "*sent >= unwanted",
    },
    Bug {
        name: "everything-sent-again",
        breaks: "whoever has a new pipe sends everything again from the beginning",
        file: COMEBACKS,
        before: "self.effects.push(Effect::Attach { from, to, received });",
        after: "let received = received.min(1);\n            self.effects.push(Effect::Attach { from, to, received });",
    },
    Bug {
        name: "sender-does-not-wait",
        breaks: "a sender gets a new pipe at once, and goes on behind what it has sent",
        file: COMEBACKS,
        before: "self.effects.push(Effect::Lay { from, to, laying });",
        after: "self.effects.push(Effect::Lay { from, to, laying });\n            self.comebacks.layings.remove(&(from, to));\n            self.effects.push(Effect::Attach { from, to, received: 0 });",
    },
    Bug {
        name: "stale-laying-believed",
        breaks: "what was received is believed although the channel was laid anew since",
        file: COMEBACKS,
        before: "self.comebacks.layings.get(&(from, to)) == Some(&laying)",
        after: "{ let _ = laying; self.comebacks.layings.contains_key(&(from, to)) }",
    },
    Bug {
        name: "old-words-of-the-dead",
        breaks: "what somebody who died had said of its channels is taken for a reply",
        file: COMEBACKS,
        before: ".filter(|reply| !matches!(reply, Reply::Received { .. } | Reply::Restored));",
        after: ".filter(|reply| !matches!(reply, Reply::Restored));",
    },
    Bug {
        name: "laid-before-it-opens",
        breaks: "who has come back gets pipes for channels that get theirs when they open",
        file: COMEBACKS,
        before: "outgoing.chain(incoming).filter(is_open).collect();",
        after: "outgoing.chain(incoming).filter(|it| is_open(it) || true).collect();",
    },
    // What is said again.
    Bug {
        name: "carried-out-twice",
        breaks: "what somebody has done and not answered before its death is done once more",
        file: FOLD,
        before: "self.lasting.echoes.extend(echo);",
        after: "drop(echo);",
    },
    Bug {
        name: "answered-twice",
        breaks: "the last reply that master has heard is said again",
        file: FOLD,
        before: "self.lasting.answers > self.answered;",
        after: "self.lasting.answers >= self.answered;",
    },
    Bug {
        name: "unheard-not-counted",
        breaks: "what somebody had replied when it died, and is heard later, is not counted as answered",
        file: COMEBACKS,
        before: "- unheard + self.said_already(node) as u64",
        after: "- unheard",
    },
    Bug {
        name: "take-not-repeated",
        breaks: "who comes back waits for ever for an order that was lost with it",
        file: COMEBACKS,
        before: "self.request(request);\n            }\n            if let Some(instruction)",
        after: "let _ = request;\n            }\n            if let Some(instruction)",
    },
    Bug {
        name: "requests-not-repeated",
        breaks: "an observer that comes back does not know what it was to do",
        file: COMEBACKS,
        before: ".extend(requests.into_iter().map(Effect::Request));",
        after: ".extend(requests.into_iter().take(0).map(Effect::Request));",
    },
    Bug {
        name: "orders-only-in-turn",
        breaks: "an order that is given again is taken for the next one",
        file: SNAPSHOTS,
        before: "self.takes.swap(0, at);",
        after: "let _ = at;",
    },
    Bug {
        name: "half-a-part-believed",
        breaks: "what somebody was reporting when it died is added to what it reports when it is back",
        file: OBSERVER,
        before: "joined.part = Handed::default();",
        after: "let _ = &joined.part;",
    },
    Bug {
        name: "not-asked-again",
        breaks: "who comes back is not asked again for its part",
        file: OBSERVER,
        before: "effects.push(Effect::Order(place, order));\n        }\n        Ok(())",
        after: "let _ = order;\n        }\n        Ok(())",
    },
    Bug {
        name: "waited-for-twice",
        breaks: "what somebody has said it waits for is said twice when it has come back",
        file: OBSERVER,
        before: "waiting.remove(&(snapshot, id));",
        after: "let _ = (&waiting, id);",
    },
    // What is not needed any more.
    Bug {
        name: "forgotten-when-given",
        breaks: "a part is forgotten when it is handed over, before its snapshot is whole and audited",
        file: WATCH,
        before: "gathering.parts.insert(node, part);",
        after: "gathering.parts.insert(node, part);\n                    effects.push(Effect::Order(place, Order::Forget { last: id }));",
    },
    Bug {
        name: "segment-dropped-too-early",
        breaks: "a segment is removed one snapshot too early",
        file: LASTS,
        before: "&& snapshot <= last",
        after: "&& snapshot.0 <= last.0 + 1",
    },
    // Where a journal is begun with.
    Bug {
        name: "restored-from-the-newest",
        breaks: "a node is restored from its newest image, whatever master has not heard of what is before it",
        file: FOLD,
        before: "|(_, lasting)| lasting.answers <= answered",
        after: "|(_, lasting)| lasting.answers <= answered.max(lasting.answers)",
    },
    Bug {
        name: "made-again-from-too-late-on",
        breaks: "what is sent again is looked for behind an image before which one more was sent",
        file: FOLD,
        before: "open.all(|(to, received)| node.frames_sent(*to) <= *received)",
        after: "open.all(|(to, received)| node.frames_sent(*to) <= *received + 1)",
    },
    Bug {
        name: "snapshots-of-segments-forgotten",
        breaks: "who is restored through several segments does not know with which snapshots they began",
        file: FOLD,
        before: "self.lasting.begun = lasting.begun;",
        after: "",
    },
    Bug {
        name: "segment-in-the-middle-of-a-turn",
        breaks: "a segment begins before what was done is in the journal",
        file: "crates/pipebank/src/node/lasting.rs",
        before: "        node.take_unkept(|bytes| self.journal.append(bytes));\n        self.journal.commit()?;\n        if let Some(image) = node.next_segment() {\n            self.journal.begin_segment(&image)?;\n        }",
        after: "        if let Some(image) = node.next_segment() {\n            self.journal.begin_segment(&image)?;\n        }\n        node.take_unkept(|bytes| self.journal.append(bytes));\n        self.journal.commit()?;",
    },
    Bug {
        name: "removed-though-it-waits",
        breaks: "a segment is removed though something that was sent in it was not received",
        file: LASTS,
        before: "sent.is_none_or(|sent| sent <= received)",
        after: "sent.is_none_or(|sent| *sent <= received + 1)",
    },
    Bug {
        name: "removed-though-it-is-said-again",
        breaks: "a segment is removed though master may repeat instructions that were carried out in it",
        file: LASTS,
        before: "mark.answers <= self.instructions && ",
        after: "",
    },
    // The script is run again.
    Bug {
        name: "kept-after-forgetting",
        breaks: "how a collection ended is kept only after the nodes were told to forget their parts",
        file: COLLECT,
        before: "self.effects.insert(before, Effect::Keep(keep));",
        after: "let _ = before;\n                    self.effects.push(Effect::Keep(keep));",
    },
    Bug {
        name: "nothing-recalled",
        breaks: "how collections ended is asked once more of nodes that have gone on since",
        file: KEPT,
        before: "outcomes: outcomes.into_iter().collect(),",
        after: "outcomes: outcomes.into_iter().take(0).collect(),",
    },
    Bug {
        name: "connected-like-new",
        breaks: "when the script is run again, channels begin as if nothing had been sent on them",
        file: GROW,
        before: "true => pairs.into_iter().for_each(|(from, to)| self.lay(from, to)),",
        after: "true => self.effects.push(Effect::Connect(pairs)),",
    },
    Bug {
        name: "ahead-from-here",
        breaks: "how much is read ahead is counted from what was received, not from the beginning",
        file: ISSUE,
        before: "let frames = channels.end(node, reader);",
        after: "let frames = channels.len(node, reader) as u64;",
    },
    Bug {
        name: "answered-from-the-future",
        breaks: "a node that has gone on since is asked about a snapshot, and answers as it is now",
        file: SNAPSHOTS,
        before: "if self.is_ahead_of_master() =>",
        after: "if self.is_ahead_of_master() && snapshot.0 == 0 =>",
    },
    // A bank between two scripts.
    Bug {
        name: "taken-not-in-image",
        breaks: "how much was taken of a channel is forgotten between two scripts",
        file: IMAGE,
        before: "taken: bank.channels.taken(from, to),",
        after: "taken: 0,",
    },
    Bug {
        name: "recorded-not-in-image",
        breaks: "what a node has recorded is forgotten between two scripts",
        file: IMAGE,
        before: "recorded: bank.channels.recorded_by(place).collect(),",
        after: "recorded: bank.channels.recorded_by(place).take(0).collect(),",
    },
    Bug {
        name: "instructions-not-in-image",
        breaks: "how much a node was told is forgotten between two scripts",
        file: IMAGE,
        before: "instructions: it.instructions,",
        after: "instructions: 0,",
    },
    Bug {
        name: "dead-not-suspended",
        breaks: "what is on its way to a dead node is taken when its bank is opened",
        file: IMAGE,
        before: "bank.channels.suspend(node, true);",
        after: "",
    },
    Bug {
        name: "balance-not-in-image",
        breaks: "what is known of an account is its deposit when its bank is opened",
        file: IMAGE,
        before: "balance: it.balance.known,",
        after: "balance: it.deposit,",
    },
    Bug {
        name: "uncollected-not-in-image",
        breaks: "snapshots in progress are forgotten between two scripts",
        file: IMAGE,
        before: "let (begun, uncollected) = bank.snapshots.numbers();",
        after: "let (begun, _) = bank.snapshots.numbers();\n        let uncollected = begun + 1;",
    },
    Bug {
        name: "put-off-not-in-image",
        breaks: "channels that are to open when somebody comes back are forgotten between two scripts",
        file: IMAGE,
        before: "put_off: { bank.put_off.iter() }",
        after: "put_off: { bank.put_off.iter().take(0) }",
    },
    // A history that goes on.
    Bug {
        name: "restarts-counted-anew",
        breaks: "a history that goes on counts those who are started again from 1",
        file: "crates/bank/src/master/moment.rs",
        before: "self.comebacks.count_from(history.earlier);",
        after: "let _ = history.earlier;",
    },
    Bug {
        name: "history-behind-another",
        breaks: "a history goes on in any file that is long enough",
        file: "crates/pipebank/src/master/chronicle/file.rs",
        before: "digest: digest.clone().finish_128(),",
        after: "digest: mark.digest,",
    },
];
