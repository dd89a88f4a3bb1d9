//! Topologies and events, as text.

use std::collections::BTreeMap;

use bank::script::Printable;

use crate::master::commands::import::names::numbers;
use crate::master::commands::import::source::{Line, Source, Word};
use crate::master::shared::{Error, Mistake};

/// Servers and links.
pub(super) struct Topology<'a> {
    /// In the order of the file.
    pub(super) servers: Vec<Server<'a>>,
    by_name: BTreeMap<&'a str, usize>,
    /// Whoever is linked with whom; never with itself.
    pub(super) links: BTreeMap<(usize, usize), Line<'a>>,
}

/// A server.
pub(super) struct Server<'a> {
    pub(super) name: &'a str,
    /// The id of its node.
    pub(super) id: u64,
    pub(super) tokens: u64,
}

/// What a line of the events says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Send { from: usize, to: usize, tokens: u64 },
    Snapshot { server: usize },
    Tick { times: u64 },
}

impl<'a> Topology<'a> {
    pub(super) fn read(source: &'a Source) -> Result<Self, Error> {
        let mut lines = source.lines().filter(|line| !is_blank(*line));
        let end = || source.end();
        let missing = |what| end().lacks(Mistake::Missing(what));
        let first = lines
            .next()
            .ok_or_else(|| missing("the number of servers"))?;
        let [count] = words(first, ["the number of servers"])?;
        let count = number(count, "a number of servers", u64::MAX)?;

        let mut by_name = BTreeMap::new();
        let mut listed: Vec<(Line, &str, u64)> = Vec::new();
        let mut sum = 0_u64;
        for _ in 0..count {
            let line = lines
                .next()
                .ok_or_else(|| missing("a server and its tokens"))?;
            let [name, tokens] = words(line, ["a server", "its tokens"])?;
            let amount = number(tokens, "a number of tokens", u64::MAX)?;
            let all = sum.checked_add(amount);
            sum = all.ok_or_else(|| tokens.wrong(Mistake::TooManyTokens))?;
            if let Some(before) = by_name.insert(name.text, listed.len()) {
                return Err(name.wrong(Mistake::Twice {
                    name: Printable::new(name.text.as_bytes()),
                    line: listed[before].0.number,
                }));
            }
            listed.push((line, name.text, amount));
        }
        let ids = numbers(listed.iter().map(|(_, name, _)| *name));
        let servers = listed.iter().zip(ids);
        let mut topology = Self {
            servers: servers
                .map(|(&(_, name, tokens), id)| Server { name, id, tokens })
                .collect(),
            by_name,
            links: BTreeMap::new(),
        };
        for line in lines {
            let [from, to] = words(
                line,
                ["the server that a link leaves", "the one it leads to"],
            )?;
            let (from, to) = (topology.server(from)?, topology.server(to)?);
            if from != to {
                topology.links.entry((from, to)).or_insert(line);
            }
        }
        Ok(topology)
    }

    /// None is a comment, or a blank line.
    pub(super) fn event(&self, line: Line<'_>) -> Result<Option<Event>, Error> {
        if is_blank(line) {
            return Ok(None);
        }
        let mut given = line.words();
        let Some(name) = given.next() else {
            return Ok(None);
        };
        Ok(Some(match name.text {
            "send" => {
                let wanted = ["", "the sender", "the receiver", "the number of tokens"];
                let [_, from, to, tokens] = words(line, wanted)?;
                let channel = (self.server(from)?, self.server(to)?);
                if !self.links.contains_key(&channel) {
                    let [from, to] = [from, to].map(|it| Printable::new(it.text.as_bytes()));
                    return Err(line.all_wrong(Mistake::NoLink { from, to }));
                }
                Event::Send {
                    from: channel.0,
                    to: channel.1,
                    tokens: number(tokens, "a number of tokens", u64::MAX)?,
                }
            }
            "snapshot" => {
                let [_, server] = words(line, ["", "the server that begins it"])?;
                let server = self.server(server)?;
                Event::Snapshot { server }
            }
            "tick" => {
                let times = match given.next() {
                    None => 1,
                    Some(_) => {
                        let [_, times] = words(line, ["", ""])?;
                        number(times, "a number of ticks", u32::MAX.into())?
                    }
                };
                Event::Tick { times }
            }
            other => {
                let unknown = Mistake::UnknownEvent(Printable::new(other.as_bytes()));
                return Err(name.wrong(unknown));
            }
        }))
    }

    fn server(&self, name: Word<'_>) -> Result<usize, Error> {
        let found = self.by_name.get(name.text).copied();
        found.ok_or_else(|| name.wrong(Mistake::NoServer(Printable::new(name.text.as_bytes()))))
    }
}

impl Server<'_> {
    pub(super) fn printable(&self) -> Printable {
        Printable::new(self.name.as_bytes())
    }
}

fn is_blank(line: Line<'_>) -> bool {
    let text = line.text.trim_start();
    text.is_empty() || text.starts_with('#')
}

/// The words of a line, which must be as many as these are called.
fn words<'a, const COUNT: usize>(
    line: Line<'a>,
    wanted: [&'static str; COUNT],
) -> Result<[Word<'a>; COUNT], Error> {
    let words: Vec<Word> = line.words().collect();
    if let Some(word) = words.get(COUNT) {
        return Err(word.wrong(Mistake::Surplus(Printable::new(word.text.as_bytes()))));
    }
    let count = words.len();
    let words = <[Word; COUNT]>::try_from(words);
    words.map_err(|_| line.lacks(Mistake::Missing(wanted[count])))
}

fn number(word: Word<'_>, what: &'static str, most: u64) -> Result<u64, Error> {
    let is_number = word.text.bytes().all(|byte| byte.is_ascii_digit());
    let number = word.text.parse().ok();
    let number = number.filter(|number| is_number && *number <= most);
    number.ok_or_else(|| {
        word.wrong(Mistake::Number {
            word: Printable::new(word.text.as_bytes()),
            what,
            most,
        })
    })
}
