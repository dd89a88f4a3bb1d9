//! The assignment's simulator: time goes in ticks, and every message has a random delay.
//!
//! At a tick each server, in the order of their names as text, has the first of its links, in the same
//! order, whose head has come deliver that one message. A delay is drawn when a message is sent; markers
//! are sent in the order of their links. What the servers do with markers is Chandy and Lamport's rule
//! and nothing else, so that any right solution of the assignment sends the same.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use bank::script::Printable;

use super::go_rand::GoRand;
use super::read::{Event, Topology};
use super::shown;
use crate::master::shared::Mistake;

/// A message takes from 1 to this many ticks, and longer where others are delivered before it.
const MOST_DELAY: u32 = 5;

pub(super) struct Simulator<'a> {
    topology: &'a Topology<'a>,
    rand: GoRand,
    time: u64,
    /// Each server's links in the order in which they are looked at: servers by name, then links by name.
    order: Vec<Vec<Link>>,
    /// Where a server is in that order.
    place: Vec<usize>,
    tokens: Vec<u64>,
    in_transit: usize,
    /// Who has recorded, for each snapshot.
    recorded: Vec<BTreeSet<usize>>,
    script: String,
    /// The time that was last noted in the script.
    noted: Option<u64>,
}

struct Link {
    from: usize,
    to: usize,
    queue: VecDeque<Message>,
}

struct Message {
    due: u64,
    content: Content,
}

#[derive(Clone, Copy)]
enum Content {
    Tokens(u64),
    Marker { snapshot: usize },
}

/// A server has fewer tokens than it is to send.
pub(super) struct TooFew {
    server: usize,
    has: u64,
    tokens: u64,
}

impl TooFew {
    pub(super) fn mistake(self, name: impl Fn(usize) -> Printable) -> Mistake {
        Mistake::TooFewTokens {
            name: name(self.server),
            has: self.has,
            tokens: self.tokens,
        }
    }
}

impl<'a> Simulator<'a> {
    pub(super) fn new(topology: &'a Topology<'a>, seed: i64) -> Self {
        let name = |server: usize| topology.servers[server].name;
        let mut by_name: Vec<usize> = (0..topology.servers.len()).collect();
        by_name.sort_by_key(|server| name(*server));
        let mut place = vec![0; by_name.len()];
        (0..)
            .zip(&by_name)
            .for_each(|(at, server)| place[*server] = at);
        let mut peers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &(from, to) in topology.links.keys() {
            peers.entry(from).or_default().push(to);
        }
        let links = |from: &usize| {
            let mut to = peers.remove(from).unwrap_or_default();
            to.sort_by_key(|server| name(*server));
            let link = |to| Link {
                from: *from,
                to,
                queue: VecDeque::new(),
            };
            to.into_iter().map(link).collect()
        };
        let mut script = "StartMaster sparse\n".to_owned();
        for server in &topology.servers {
            let (id, tokens, name) = (server.id, server.tokens, shown(server.name));
            let _ = writeln!(script, "CreateNode {id} {tokens}  # {name}");
        }
        let id = |server: usize| topology.servers[server].id;
        let mut links_in_file: Vec<_> = topology.links.iter().collect();
        links_in_file.sort_by_key(|(_, line)| line.number);
        for (&(from, to), _) in links_in_file {
            let _ = writeln!(script, "Connect {} {}", id(from), id(to));
        }
        Self {
            topology,
            rand: GoRand::from_seed(seed),
            time: 0,
            order: by_name.iter().map(links).collect(),
            place,
            tokens: topology.servers.iter().map(|it| it.tokens).collect(),
            in_transit: 0,
            recorded: Vec::new(),
            script,
            noted: None,
        }
    }

    pub(super) fn inject(&mut self, event: Event) -> Result<(), TooFew> {
        match event {
            Event::Send { from, to, tokens } => {
                let has = self.tokens[from];
                let left = has.checked_sub(tokens);
                self.tokens[from] = left.ok_or(TooFew {
                    server: from,
                    has,
                    tokens,
                })?;
                self.note(&format!("Send {} {} {tokens}", self.id(from), self.id(to)));
                let links = &self.order[self.place[from]];
                if let Some(link) = links.iter().position(|link| link.to == to) {
                    self.send(from, link, Content::Tokens(tokens));
                }
            }
            Event::Snapshot { server } => {
                let snapshot = self.recorded.len();
                self.recorded.push(BTreeSet::new());
                let id = self.id(server);
                self.note(&format!("BeginSnapshot {id}  # snapshot {snapshot}"));
                self.record(server, snapshot);
            }
            Event::Tick { times } => {
                let end = self.time + times;
                while self.time < end && self.in_transit > 0 {
                    self.tick();
                }
                self.time = end;
            }
        }
        Ok(())
    }

    /// Delivers the rest, and collects. Returns the script.
    pub(super) fn finish(mut self) -> String {
        while self.in_transit > 0 {
            self.tick();
        }
        if !self.recorded.is_empty() {
            self.script += "# the end\nCollectState\n";
        }
        for snapshot in 0..self.recorded.len() {
            let number = snapshot + 1;
            let _ = writeln!(self.script, "PrintSnapshot {number}  # snapshot {snapshot}");
        }
        self.script
    }

    fn tick(&mut self) {
        self.time += 1;
        for server in 0..self.order.len() {
            let is_due = |link: &Link| link.queue.front().is_some_and(|it| it.due <= self.time);
            let Some(link) = self.order[server].iter_mut().find(|link| is_due(link)) else {
                continue;
            };
            let (from, to) = (link.from, link.to);
            if let Some(message) = link.queue.pop_front() {
                self.in_transit -= 1;
                self.deliver(from, to, message.content);
            }
        }
    }

    fn deliver(&mut self, from: usize, to: usize, content: Content) {
        let receive = format!("Receive {} {}", self.id(to), self.id(from));
        match content {
            Content::Tokens(tokens) => {
                self.note(&format!("{receive}  # {tokens}"));
                self.tokens[to] += tokens;
            }
            Content::Marker { snapshot } => {
                self.note(&format!("{receive}  # the marker of snapshot {snapshot}"));
                self.record(to, snapshot);
            }
        }
    }

    /// Unless it has already.
    fn record(&mut self, server: usize, snapshot: usize) {
        if self.recorded[snapshot].insert(server) {
            for link in 0..self.order[self.place[server]].len() {
                self.send(server, link, Content::Marker { snapshot });
            }
        }
    }

    fn send(&mut self, from: usize, link: usize, content: Content) {
        let due = self.time + 1 + u64::from(self.rand.below(MOST_DELAY));
        let link = &mut self.order[self.place[from]][link];
        link.queue.push_back(Message { due, content });
        self.in_transit += 1;
    }

    fn id(&self, server: usize) -> u64 {
        self.topology.servers[server].id
    }

    /// Adds a line to the script.
    fn note(&mut self, line: &str) {
        if self.noted.replace(self.time) != Some(self.time) {
            let _ = writeln!(self.script, "# tick {}", self.time);
        }
        self.script += line;
        self.script.push('\n');
    }
}
