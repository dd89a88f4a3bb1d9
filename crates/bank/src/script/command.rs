//! What can be said in a script: the commands, as values and as a table.

use std::fmt;

use crate::id::{NodeId, Place};

/// One command, its words checked.
///
/// Nodes are called by their ids, as people do, or by their places, as [`Statement`]s do: names are
/// looked up once. Printed with ids, it is a line of a script that reads back as the same command.
///
/// [`Statement`]: super::Statement
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<N = NodeId> {
    /// Start the master's side and the observer.
    StartMaster {
        /// No channels but those that `Connect` opens; otherwise there is one for every ordered pair of
        /// nodes.
        sparse: bool,
    },
    /// End every process of the system.
    KillAll,
    /// Start a node.
    CreateNode {
        /// The id no other node has had since `StartMaster`.
        id: NodeId,
        /// What its account holds at first.
        amount: u64,
    },
    /// Open the channel `from → to`, in a sparse system.
    Connect {
        /// Who will send on it.
        from: N,
        /// Who will receive from it; never `from`.
        to: N,
    },
    /// Enqueue a transfer on the channel `from → to`.
    Send {
        /// Who pays.
        from: N,
        /// Who will be paid; never `from`.
        to: N,
        /// How much.
        amount: u64,
    },
    /// Take the message at the head of a channel into `to`.
    Receive {
        /// The receiver.
        to: N,
        /// The sender, never `to`; `None` for one picked at random among those with something to
        /// take.
        from: Option<N>,
    },
    /// Take messages, from channels picked at random, until every channel is empty.
    ReceiveAll,
    /// Have a node begin a snapshot.
    BeginSnapshot {
        /// The initiator.
        id: N,
    },
    /// Collect every snapshot that has begun.
    CollectState,
    /// Print a collected snapshot.
    PrintSnapshot {
        /// Which, from 1; `None` for the newest of those collected last.
        number: Option<u64>,
    },
    /// Kill a node's process with SIGKILL.
    KillNode {
        /// Whose process.
        id: N,
    },
    /// Start a node again that was killed, as it was: in a bank that lasts.
    RestartNode {
        /// Which.
        id: N,
    },
    /// List the nodes on stderr.
    Nodes,
}

impl<N: Copy> Command<N> {
    /// The command with its nodes called otherwise.
    #[must_use]
    pub fn rename<M>(&self, name: impl Fn(N) -> M) -> Command<M> {
        match *self {
            Self::StartMaster { sparse } => Command::StartMaster { sparse },
            Self::KillAll => Command::KillAll,
            Self::CreateNode { id, amount } => Command::CreateNode { id, amount },
            Self::Connect { from, to } => Command::Connect {
                from: name(from),
                to: name(to),
            },
            Self::Send { from, to, amount } => Command::Send {
                from: name(from),
                to: name(to),
                amount,
            },
            Self::Receive { to, from } => Command::Receive {
                to: name(to),
                from: from.map(name),
            },
            Self::ReceiveAll => Command::ReceiveAll,
            Self::BeginSnapshot { id } => Command::BeginSnapshot { id: name(id) },
            Self::CollectState => Command::CollectState,
            Self::PrintSnapshot { number } => Command::PrintSnapshot { number },
            Self::KillNode { id } => Command::KillNode { id: name(id) },
            Self::RestartNode { id } => Command::RestartNode { id: name(id) },
            Self::Nodes => Command::Nodes,
        }
    }
}

impl<N: fmt::Display> fmt::Display for Command<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartMaster { sparse: false } => f.write_str("StartMaster"),
            Self::StartMaster { sparse: true } => f.write_str("StartMaster sparse"),
            Self::KillAll => f.write_str("KillAll"),
            Self::CreateNode { id, amount } => write!(f, "CreateNode {id} {amount}"),
            Self::Connect { from, to } => write!(f, "Connect {from} {to}"),
            Self::Send { from, to, amount } => write!(f, "Send {from} {to} {amount}"),
            Self::Receive { to, from: None } => write!(f, "Receive {to}"),
            Self::Receive {
                to,
                from: Some(from),
            } => write!(f, "Receive {to} {from}"),
            Self::ReceiveAll => f.write_str("ReceiveAll"),
            Self::BeginSnapshot { id } => write!(f, "BeginSnapshot {id}"),
            Self::CollectState => f.write_str("CollectState"),
            Self::PrintSnapshot { number: None } => f.write_str("PrintSnapshot"),
            Self::PrintSnapshot {
                number: Some(number),
            } => write!(f, "PrintSnapshot {number}"),
            Self::KillNode { id } => write!(f, "KillNode {id}"),
            Self::RestartNode { id } => write!(f, "RestartNode {id}"),
            Self::Nodes => f.write_str("nodes"),
        }
    }
}

/// Every command there is, in the order in which help lists them.
#[rustfmt::skip] // a table
pub const COMMANDS: &[CommandHelp] = {
    use Keyword as K;
    use Quantity::{Amount, Id, Snapshot, Sparse};
    &[
        entry(K::StartMaster, "StartMaster", "[sparse]", &[Sparse], 0,
            "start the master's side and the observer"),
        entry(K::KillAll, "KillAll", "", &[], 0,
            "end every process of the system"),
        entry(K::CreateNode, "CreateNode", "ID AMOUNT", &[Id, Amount], 2,
            "start node ID with that balance"),
        entry(K::Connect, "Connect", "FROM TO", &[Id, Id], 2,
            "open the channel FROM → TO, in a sparse system"),
        entry(K::Send, "Send", "FROM TO AMOUNT", &[Id, Id, Amount], 3,
            "enqueue a transfer on the channel FROM → TO"),
        entry(K::Receive, "Receive", "TO [FROM]", &[Id, Id], 1,
            "have TO take one message, from FROM or at random"),
        entry(K::ReceiveAll, "ReceiveAll", "", &[], 0,
            "take messages at random until every channel is empty"),
        entry(K::BeginSnapshot, "BeginSnapshot", "ID", &[Id], 1,
            "have node ID begin a snapshot"),
        entry(K::CollectState, "CollectState", "", &[], 0,
            "collect every snapshot that has begun"),
        entry(K::PrintSnapshot, "PrintSnapshot", "[N]", &[Snapshot], 0,
            "print snapshot N, or the newest collected"),
        entry(K::KillNode, "KillNode", "ID", &[Id], 1,
            "kill the process of node ID"),
        entry(K::RestartNode, "RestartNode", "ID", &[Id], 1,
            "start node ID again as it was, in a bank that lasts"),
        entry(K::Nodes, "nodes", "", &[], 0,
            "list nodes, balances and what waits in channels"),
    ]
};

/// A command as it is written and explained.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandHelp {
    /// Its first word.
    pub name: &'static str,
    /// The words after it, as in `TO [FROM]`; empty where there are none.
    pub arguments: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Which command it is.
    pub(super) keyword: Keyword,
    /// What each of its arguments counts, one for each word of `arguments`.
    pub(super) quantities: &'static [Quantity],
    /// How many of them must be there.
    pub(super) required: usize,
}

impl CommandHelp {
    /// Whether its argument at this place, counted from 0, names a node that is there already.
    #[must_use]
    pub fn takes_node(&self, place: usize) -> bool {
        let takes_id = self.quantities.get(place) == Some(&Quantity::Id);
        takes_id && self.keyword != Keyword::CreateNode
    }

    /// What can only be this word, if its argument at this place is one: for completion.
    #[must_use]
    pub fn takes_word(&self, place: usize) -> Option<&'static str> {
        let is_word = self.quantities.get(place) == Some(&Quantity::Sparse);
        let argument = self.arguments.split_whitespace().nth(place)?;
        is_word.then(|| argument.trim_matches(['[', ']']))
    }
}

/// `Send FROM TO AMOUNT`
impl fmt::Display for CommandHelp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if !self.arguments.is_empty() {
            write!(f, " {}", self.arguments)?;
        }
        Ok(())
    }
}

/// What an argument is: most are numbers, and count something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Nothing: it names a node.
    Id,
    /// Money.
    Amount,
    /// Snapshots, from 1 in the order of `BeginSnapshot`.
    Snapshot,
    /// Nothing: it is the word `sparse`.
    Sparse,
}

/// With its article: `an amount`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "an id",
            Self::Amount => "an amount",
            Self::Snapshot => "a snapshot number",
            Self::Sparse => "the word `sparse`",
        })
    }
}

/// A command without its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    StartMaster,
    KillAll,
    CreateNode,
    Connect,
    Send,
    Receive,
    ReceiveAll,
    BeginSnapshot,
    CollectState,
    PrintSnapshot,
    KillNode,
    RestartNode,
    Nodes,
}

/// As many arguments as any command takes.
pub(super) const MOST_ARGUMENTS: usize = 3;

/// The arguments of a line, by position, a word as 1; `None` where one is not there or is refused.
pub(super) type Values = [Option<u64>; MOST_ARGUMENTS];

/// The nodes that they name, where they name nodes that exist.
pub(super) type Places = [Option<Place>; MOST_ARGUMENTS];

impl Keyword {
    /// The command with those arguments, unless a required one is `None`.
    pub(super) fn with(
        self,
        &[first, second, third]: &Values,
        &[one, other, _]: &Places,
    ) -> Option<Command<Place>> {
        Some(match self {
            Self::StartMaster => Command::StartMaster {
                sparse: first.is_some(),
            },
            Self::KillAll => Command::KillAll,
            Self::CreateNode => Command::CreateNode {
                id: NodeId(first?),
                amount: second?,
            },
            Self::Connect => Command::Connect {
                from: one?,
                to: other?,
            },
            Self::Send => Command::Send {
                from: one?,
                to: other?,
                amount: third?,
            },
            Self::Receive => Command::Receive {
                to: one?,
                from: other,
            },
            Self::ReceiveAll => Command::ReceiveAll,
            Self::BeginSnapshot => Command::BeginSnapshot { id: one? },
            Self::CollectState => Command::CollectState,
            Self::PrintSnapshot => Command::PrintSnapshot { number: first },
            Self::KillNode => Command::KillNode { id: one? },
            Self::RestartNode => Command::RestartNode { id: one? },
            Self::Nodes => Command::Nodes,
        })
    }
}

/// The command of exactly that name.
pub(super) fn named(word: &[u8]) -> Option<&'static CommandHelp> {
    COMMANDS.iter().find(|help| help.name.as_bytes() == word)
}

/// The commands that may have been meant by a word that is none: the name that is one letter away;
/// otherwise those that the word begins; the nearest, if it is near; those that the word is a part of.
pub(super) fn meant(word: &str) -> Vec<&'static CommandHelp> {
    /// A part of a name has so many letters.
    const PART: usize = 3;
    let word = word.to_lowercase();
    let length = word.chars().count();
    let near = COMMANDS.iter().filter_map(|help| {
        let is_near = |distance: usize| distance * 3 <= help.name.len();
        // No smaller than the difference in length, and dear: the product of the lengths.
        let distance = is_near(help.name.len().abs_diff(length))
            .then(|| strsim::osa_distance(&help.name.to_lowercase(), &word))?;
        is_near(distance).then_some((distance, help))
    });
    let nearest = near.min_by_key(|(distance, _)| *distance);
    if let Some((0 | 1, nearest)) = nearest {
        return vec![nearest];
    }
    let named = |is_meant: fn(&str, &str) -> bool| -> Vec<&CommandHelp> {
        let names = COMMANDS.iter();
        names
            .filter(|help| is_meant(&help.name.to_lowercase(), &word))
            .collect()
    };
    let begun = named(|name, word| name.starts_with(word));
    match nearest {
        _ if length >= PART && !begun.is_empty() => begun,
        Some((_, nearest)) => vec![nearest],
        None if length >= PART => named(|name, word| name.contains(word)),
        None => Vec::new(),
    }
}

const fn entry(
    keyword: Keyword,
    name: &'static str,
    arguments: &'static str,
    quantities: &'static [Quantity],
    required: usize,
    summary: &'static str,
) -> CommandHelp {
    CommandHelp {
        name,
        arguments,
        summary,
        keyword,
        quantities,
        required,
    }
}
