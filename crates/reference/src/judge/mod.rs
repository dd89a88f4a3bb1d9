//! Whether a right implementation of the language can print a given output for a given script.
//!
//! The serial model again, with the choices read from the output instead of drawn: every bare
//! `Receive` tells in its result which channel it chose. Only the order within a `ReceiveAll` is
//! hidden, and of that only what each node had received when it recorded matters: [`drain`].
//!
//! The verdict is exact. Where the search for an order takes too long it is "unknown", which needs
//! several snapshots in progress at once, recorded in the same `ReceiveAll`.

mod bank;
mod drain;
mod explain;
mod snapshot;
mod transcript;
mod verdict;

use bank::{Bank, Frame};
use transcript::Line;

pub use verdict::{Mismatch, Verdict};

use crate::{Statement, statements};

/// Whether `output` can be what a right implementation prints on standard output for `script`.
///
/// # Panics
///
/// If the static check would refuse the script.
#[must_use]
pub fn judge(script: &str, output: &str) -> Verdict {
    let lines = transcript::results(script, output);
    let mut walks = vec![Walk {
        bank: Bank::default(),
        lines: &lines,
        at: 0,
        unknown: None,
    }];
    for (line, statement) in statements(script) {
        let mut going = Vec::with_capacity(walks.len());
        let mut mismatch: Option<Box<Mismatch>> = None;
        for walk in walks {
            for mut walk in walk.ways(statement) {
                match walk.follow(line, statement) {
                    Ok(()) => going.push(walk),
                    Err(other) => {
                        mismatch = Some(match mismatch.take() {
                            Some(one) => one.or(other),
                            None => other,
                        });
                    }
                }
            }
        }
        if let (true, Some(mismatch)) = (going.is_empty(), mismatch) {
            return Verdict::Impossible(mismatch);
        }
        if going.len() > MOST_WALKS {
            return Verdict::Unknown(format!(
                "line {line} of the script: which of several snapshots in progress each node has \
                 recorded first was not found out within the limits"
            ));
        }
        walks = going;
    }
    let over = walks.iter().filter(|walk| walk.at == lines.len());
    let unknown: Vec<Option<String>> = over.map(|walk| walk.unknown.clone()).collect();
    if unknown.contains(&None) {
        return Verdict::Possible;
    }
    if let Some(why) = unknown.into_iter().flatten().next() {
        return Verdict::Unknown(why);
    }
    let most = walks.iter().map(|walk| walk.at).max().unwrap_or(0);
    Verdict::Impossible(Box::new(Mismatch {
        line: lines[most].number,
        found: Some(lines[most].text.clone()),
        command: None,
        possible: Vec::new(),
        why: "the script prints nothing more".into(),
        hint: None,
    }))
}

/// So many walks go on side by side at most.
const MOST_WALKS: usize = 256;

/// A script and an output side by side. There are several walks where a hidden order shows later: a
/// node has recorded two snapshots during a `ReceiveAll`, a channel was opened, and of the two markers
/// on it one is received and the other not.
#[derive(Clone)]
struct Walk<'l> {
    bank: Bank,
    lines: &'l [Line],
    /// How many results are accounted for.
    at: usize,
    /// What could not be decided.
    unknown: Option<String>,
}

impl Walk<'_> {
    /// The walks on which it is known whose marker the next command takes.
    fn ways(self, statement: Statement) -> Vec<Self> {
        let Statement::Receive { to, from } = statement else {
            return vec![self];
        };
        let channel = self
            .chosen(from)
            .and_then(|from| self.bank.channel(from, to));
        let head = channel.and_then(|channel| self.bank.head(channel));
        let Some(frame @ Frame::Nth { drain, node, .. }) = head else {
            return vec![self];
        };
        let numbers = self.bank.snapshots(frame);
        if numbers.len() == 1 {
            return vec![self];
        }
        let way = |number| {
            let mut walk = self.clone();
            let shown = &mut walk.bank.drains[drain].shown;
            shown.entry(node).or_default().push(number);
            walk
        };
        numbers.into_iter().map(way).collect()
    }

    /// From whom a `Receive` took a message, as the next result says unless the command does.
    fn chosen(&self, from: Option<u64>) -> Option<u64> {
        from.or_else(|| {
            self.lines
                .get(self.at)?
                .text
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
    }

    fn follow(&mut self, line: usize, statement: Statement) -> Result<(), Box<Mismatch>> {
        match statement {
            Statement::Start { sparse } => self.bank = Bank::start(sparse),
            Statement::KillAll => self.bank = Bank::default(),
            Statement::Create { id, deposit } => self.bank.create(id, deposit),
            Statement::Connect { from, to } => self.bank.connect(from, to),
            Statement::Kill { id } => self.bank.kill(id),
            Statement::Restart { id } => self.bank.restart(id),
            Statement::Send { from, to, amount } => {
                let possible = !self.bank.dead(from) && !self.bank.dead(to);
                if possible && !self.bank.send(from, to, amount) {
                    self.expect(line, "ERR_SEND", || {
                        format!("node {from} has less than {amount}")
                    })?;
                }
            }
            Statement::Receive { to, from } => self.receive(line, to, from)?,
            Statement::ReceiveAll => self.bank.receive_all(),
            Statement::Begin { id } => {
                if self.bank.begin(id) {
                    self.expect(line, &format!("Started by Node {id}"), String::new)?;
                }
            }
            Statement::Collect => self.bank.collect(),
            Statement::Print { number } => self.print(line, number)?,
            Statement::Nothing => {}
        }
        Ok(())
    }

    /// The next result must be this one.
    fn expect(
        &mut self,
        line: usize,
        text: &str,
        why: impl FnOnce() -> String,
    ) -> Result<(), Box<Mismatch>> {
        if self
            .lines
            .get(self.at)
            .is_some_and(|found| found.text == text)
        {
            self.at += 1;
            return Ok(());
        }
        Err(self.mismatch(self.at, line, vec![text.to_owned()], why()))
    }

    fn mismatch(
        &self,
        at: usize,
        command: usize,
        possible: Vec<String>,
        why: String,
    ) -> Box<Mismatch> {
        let found = self.lines.get(at);
        let after = || self.lines.last().map_or(1, |last| last.number + 1);
        Box::new(Mismatch {
            line: found.map_or_else(after, |line| line.number),
            found: found.map(|line| line.text.clone()),
            command: Some(command),
            possible,
            why,
            hint: None,
        })
    }

    fn receive(&mut self, line: usize, to: u64, from: Option<u64>) -> Result<(), Box<Mismatch>> {
        if self.bank.dead(to) || !self.bank.anything_for(to) {
            return Ok(());
        }
        let head = |from: u64| {
            let channel = self.bank.channel(from, to)?;
            Some((channel, self.bank.head(channel)?))
        };
        let result = |from: u64, frame: Frame| match frame {
            Frame::Transfer(amount) => format!("{from} Transfer {amount}"),
            Frame::Marker(_) | Frame::Nth { .. } => format!("{from} SnapshotToken -1"),
        };
        let found = self.lines.get(self.at).map_or("", |line| &line.text);
        let chosen = self.chosen(from);
        if let Some((from, (channel, frame))) = chosen.and_then(|from| Some((from, head(from)?)))
            && found == result(from, frame)
        {
            self.at += 1;
            self.bank.receive(channel);
            return Ok(());
        }
        let node = &self.bank.nodes[self.bank.node(to)];
        let mut senders: Vec<u64> = match from {
            Some(from) => vec![from],
            None => {
                let from = |&channel: &usize| self.bank.channels[channel].from;
                node.incoming
                    .iter()
                    .map(|one| self.bank.nodes[from(one)].id)
                    .collect()
            }
        };
        senders.sort_unstable();
        let heads = senders.iter().filter_map(|&one| Some((one, head(one)?.1)));
        let possible: Vec<String> = heads.map(|(one, frame)| result(one, frame)).collect();
        if possible.is_empty() {
            return Ok(()); // Nothing on the channel that was named: the command prints nothing.
        }
        let why = format!("that is what waits for node {to}");
        let mut mismatch = self.mismatch(self.at, line, possible, why);
        mismatch.hint = explain::receive(&self.bank, to, chosen, found);
        Err(mismatch)
    }
}
