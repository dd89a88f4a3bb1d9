//! What a line may refer to, given the lines before it.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::command::{Command, Keyword, Places, Quantity, Values};
use super::lines::LINE_LIMIT;
use super::parse::{Guess, Parsed, Transfer, Word, guess, no_script, parse, plain_transfer};
use super::refusal::{Problem, Problems, Refusal};
use crate::id::{NodeId, Place};

/// A bank that there is before the first line of a script: the first `StartMaster` opens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its nodes, by place, and what was deposited.
    pub nodes: Vec<(NodeId, u64)>,
    /// The channels that `Connect` has opened, by (from, to), where it is sparse.
    pub channels: Option<Vec<(Place, Place)>>,
}

/// Checks lines one after the other.
///
/// A line that is refused changes nothing: the next one is checked as if it had never come.
#[derive(Debug, Default)]
pub struct Checker {
    /// Whether nodes that were killed can be started again.
    lasts: bool,
    /// The bank that `StartMaster` opens, as long as it has not.
    opening: Option<Known>,
    master: Master,
    /// The line of the `KillAll` that last ended a master.
    killed: Option<u64>,
    /// The ids that exist since `StartMaster`.
    ids: FxHashMap<NodeId, Created>,
    /// How many `CreateNode`s were accepted since `StartMaster`: the place of the next.
    created: u32,
    /// The channels that `Connect` has opened since `StartMaster`, by (from, to), and on which line.
    channels: FxHashMap<(Place, Place), u64>,
    /// What those lines deposited, all together.
    deposits: u64,
    /// The line of the last `StartMaster`, also of a refused one in a file. Ids from before it are
    /// there only in a file with mistakes, and whether they will be there once it is repaired
    /// cannot be known: they may be referred to, and may be created again.
    doubtful_before: u64,
}

/// A node that a line has created.
#[derive(Clone, Copy, Debug)]
struct Created {
    line: u64,
    place: Place,
}

impl Checker {
    /// A checker before the first line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same for a bank that lasts, or for one that does not, as it is unless this says otherwise.
    #[must_use]
    pub fn lasting(self, lasts: bool) -> Self {
        Self { lasts, ..self }
    }

    /// The same where there is a bank already.
    #[must_use]
    pub fn opening(self, known: Known) -> Self {
        let opening = Some(known);
        Self { opening, ..self }
    }

    /// Checks the next line: its number, counted from 1 and above that of every line before, and
    /// its text without line feed. A carriage return at its end is skipped and, on line 1, a
    /// byte-order mark at its beginning. `None` for a line without a command.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the line, from left to right; at least one refusal. Just one where
    /// the line shows that the whole text is no script ([`Problem::is_of_the_whole`]).
    pub fn line(
        &mut self,
        number: u64,
        text: &[u8],
    ) -> Result<Option<Command<Place>>, Vec<Refusal>> {
        if let Some(command) = self.plain(text, |command| command) {
            return Ok(Some(command));
        }
        self.any_line(number, text)
    }

    /// A line that is a transfer as most are written, and right: what is made of the command, which is the
    /// same as that of [`Self::any_line`], sooner. `None`: it may be anything else.
    ///
    /// Made where it is to be, it need not be moved.
    #[inline]
    pub(super) fn plain<R>(
        &self,
        text: &[u8],
        make: impl FnOnce(Command<Place>) -> R,
    ) -> Option<R> {
        let Master::Running {
            sparse: Some(false),
            ..
        } = self.master
        else {
            return None;
        };
        let place = |id: u64| Some(self.ids.get(&NodeId(id))?.place);
        match plain_transfer(text)? {
            Transfer::Sent { from, to, amount } if from != to => {
                let (from, to) = (place(from)?, place(to)?);
                Some(make(Command::Send { from, to, amount }))
            }
            Transfer::Received { to, from } if to != from => {
                let (to, from) = (place(to)?, Some(place(from)?));
                Some(make(Command::Receive { to, from }))
            }
            _ => None,
        }
    }

    pub(super) fn any_line(
        &mut self,
        number: u64,
        text: &[u8],
    ) -> Result<Option<Command<Place>>, Vec<Refusal>> {
        let text = content(number, text);
        let mut problems = Problems::default();
        let (mut command, mut values) = (None, Values::default());
        if text.len() > LINE_LIMIT {
            problems.push(Word::default(), Problem::LineTooLong);
        } else if let Some(parsed) = parse(text, &mut values, &mut problems) {
            let places = self.check(&parsed, &mut problems);
            command = parsed.help.keyword.with(parsed.values, &places);
        }
        if (number == 1 || !problems.is_empty())
            && let Some(problem) = no_script(number, text)
        {
            return Err(vec![Refusal::of_the_whole(number, problem)]);
        }
        if !problems.is_empty() {
            return Err(problems.into_refusals(number, text));
        }
        if let Some(command) = command {
            self.accept(number, command);
        }
        Ok(command)
    }

    /// The ids that exist since `StartMaster`, in no particular order.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.ids.keys().copied()
    }

    /// Goes on from a line that was just refused as if it had been repaired, as far as it is plain
    /// what it was meant to be: mistakes that would go away with this one are not to be reported.
    #[cold]
    pub(super) fn assume_repaired(&mut self, number: u64, text: &[u8]) {
        let text = content(number, text);
        if text.len() > LINE_LIMIT {
            return;
        }
        let Some(Guess {
            keyword,
            values: [first, second, _],
            exact,
        }) = guess(text)
        else {
            return;
        };
        match (keyword, self.master) {
            (Keyword::StartMaster, Master::Running { since, .. }) => {
                self.begin_anew(number, since, None);
            }
            (Keyword::StartMaster, _) => self.start(number, None),
            (Keyword::Connect, _) => self.assume_connected(number, [first, second]),
            (Keyword::KillAll, _) => self.accept(number, Command::KillAll),
            // Where its name was no command, the missing StartMaster was not reported yet.
            (_, Master::Off) if exact => self.master = Master::Assumed,
            _ => {}
        }
        if let (Keyword::CreateNode, Some(id)) = (keyword, first.map(NodeId))
            && self.taken(id).is_none()
        {
            self.create(id, number);
            let deposits = second.and_then(|amount| self.deposits.checked_add(amount));
            self.deposits = deposits.unwrap_or(self.deposits);
        }
    }
}

/// Whether there is a master, and of what kind of system.
#[derive(Clone, Copy, Debug, Default)]
enum Master {
    #[default]
    Off,
    /// Since that line.
    Running {
        since: u64,
        /// Whether `Connect` opens the channels; unknown where a line about that was refused.
        sparse: Option<bool>,
    },
    /// `StartMaster` is missing, and that was reported.
    Assumed,
}

impl Checker {
    /// The nodes that the line names.
    fn check(&self, line: &Parsed<'_>, problems: &mut Problems) -> Places {
        let keyword = line.help.keyword;
        let mut ids_are_known = true;
        match (keyword, self.master) {
            (Keyword::StartMaster, Master::Running { since, .. }) => {
                problems.push(line.name(), Problem::AlreadyStarted { line: since });
            }
            (Keyword::StartMaster, _) => {
                let is_mesh = { self.opening.as_ref() }.is_some_and(|it| it.channels.is_none());
                if line.values[0].is_some() && is_mesh {
                    problems.push(line.argument(0), Problem::NotASparseBank);
                }
            }
            (Keyword::KillAll, _) => {}
            (_, Master::Off) => {
                let ended = self.killed.map(|line| Problem::Ended { line });
                problems.push(line.name(), ended.unwrap_or(Problem::NotStarted));
                ids_are_known = false;
            }
            (_, Master::Running { .. } | Master::Assumed) => {}
        }
        if keyword == Keyword::RestartNode && !self.lasts {
            problems.push(line.name(), Problem::NotLasting);
        }
        if keyword == Keyword::CreateNode {
            self.check_deposit(line, problems);
            return Places::default();
        }
        let places = self.check_ids(line, ids_are_known, problems);
        match (keyword, self.master) {
            (
                Keyword::Connect,
                Master::Running {
                    since,
                    sparse: Some(false),
                },
            ) => {
                problems.push(line.name(), Problem::NotASparseSystem { line: since });
            }
            (
                Keyword::Connect | Keyword::Send | Keyword::Receive,
                Master::Running {
                    sparse: Some(true), ..
                },
            ) => self.check_channel(line, &places, problems),
            _ => {}
        }
        places
    }

    fn check_deposit(&self, line: &Parsed<'_>, problems: &mut Problems) {
        let [id, amount, _] = *line.values;
        if let Some(id) = id.map(NodeId)
            && let Some(created) = self.taken(id)
        {
            let problem = match self.is_opened_on(created) {
                true => Problem::InTheBank { id, line: created },
                false => Problem::CreatedTwice { id, line: created },
            };
            problems.push(line.argument(0), problem);
        } else if amount.is_some_and(|amount| self.deposits.checked_add(amount).is_none()) {
            problems.push(line.argument(1), Problem::TooMuchMoney);
        }
    }

    fn check_ids(&self, line: &Parsed<'_>, ids_are_known: bool, problems: &mut Problems) -> Places {
        let mut places = Places::default();
        for (position, &quantity) in line.help.quantities.iter().enumerate() {
            let (Quantity::Id, Some(id)) = (quantity, line.values[position]) else {
                continue;
            };
            let id = NodeId(id);
            // Whichever command takes two ids takes the two ends of a channel.
            if position == 1 && line.values[0] == Some(id.0) {
                let problem = match line.help.keyword {
                    Keyword::Send => Problem::SendToItself { id },
                    Keyword::Connect => Problem::ConnectedToItself { id },
                    _ => Problem::ReceiveFromItself { id },
                };
                problems.push(line.argument(position), problem);
            } else if let Some(created) = self.ids.get(&id) {
                places[position] = Some(created.place);
            } else if ids_are_known {
                let forgotten = self
                    .killed
                    .map(|killed| Problem::ForgottenNode { id, killed });
                let problem = forgotten.unwrap_or(Problem::UnknownNode { id });
                problems.push(line.argument(position), problem);
            }
        }
        places
    }

    /// A refused `Connect` was to open that channel or, where its ends are not known, any: then of none
    /// it can be said that it is not there.
    fn assume_connected(&mut self, number: u64, ends: [Option<u64>; 2]) {
        let place = |end: Option<u64>| Some(self.ids.get(&NodeId(end?))?.place);
        match (ends.map(place), &mut self.master) {
            ([Some(from), Some(to)], _) => {
                self.channels.entry((from, to)).or_insert(number);
            }
            (_, Master::Running { sparse, .. }) => *sparse = None,
            _ => {}
        }
    }

    /// The channel that the line names is there, or is not there for a `Connect`.
    fn check_channel(&self, line: &Parsed<'_>, places: &Places, problems: &mut Problems) {
        let (&[Some(one), Some(other), _], &[Some(first), Some(second), _]) = (places, line.values)
        else {
            return;
        };
        let keyword = line.help.keyword;
        let (channel, [from, to]) = match keyword {
            Keyword::Receive => ((other, one), [second, first].map(NodeId)),
            _ => ((one, other), [first, second].map(NodeId)),
        };
        let opened = |channel| self.channels.get(&channel).copied();
        match (keyword, opened(channel)) {
            (Keyword::Connect, Some(line_of)) if line_of >= self.doubtful_before => {
                let problem = match self.is_opened_on(line_of) {
                    true => Problem::ConnectedInTheBank {
                        from,
                        to,
                        line: line_of,
                    },
                    false => Problem::ConnectedTwice {
                        from,
                        to,
                        line: line_of,
                    },
                };
                problems.push(line.argument(1), problem);
            }
            (Keyword::Send | Keyword::Receive, None)
                if [from, to].iter().all(|id| self.taken(*id).is_some()) =>
            {
                let back = opened((channel.1, channel.0));
                problems.push(line.argument(1), Problem::NoChannel { from, to, back });
            }
            _ => {}
        }
    }

    fn create(&mut self, id: NodeId, line: u64) {
        let place = Place(self.created);
        self.created += 1;
        self.ids.insert(id, Created { line, place });
    }

    /// Where the id was created, unless it may be created now.
    fn taken(&self, id: NodeId) -> Option<u64> {
        self.ids
            .get(&id)
            .map(|created| created.line)
            .filter(|&line| line >= self.doubtful_before)
    }

    fn accept(&mut self, number: u64, command: Command<Place>) {
        match command {
            Command::StartMaster { sparse } => self.start(number, Some(sparse)),
            Command::KillAll => {
                if !matches!(self.master, Master::Off) {
                    self.killed = Some(number);
                }
                self.master = Master::Off;
                self.opening = None;
                // Not cleared: that takes as long as the table is large, for every KillAll.
                self.ids = FxHashMap::default();
                self.channels = FxHashMap::default();
            }
            Command::Connect { from, to } => {
                self.channels.insert((from, to), number);
            }
            Command::CreateNode { id, amount } => {
                self.create(id, number);
                // Checked: the sum fits.
                self.deposits = self.deposits.saturating_add(amount);
            }
            _ => {}
        }
    }

    /// A `StartMaster` on this line begins a bank, or opens the one there is.
    fn start(&mut self, number: u64, sparse: Option<bool>) {
        let Some(known) = self.opening.take() else {
            return self.begin_anew(number, number, sparse);
        };
        self.begin_anew(number, number, Some(known.channels.is_some()));
        for (id, deposit) in known.nodes {
            self.create(id, number);
            self.deposits = self.deposits.saturating_add(deposit);
        }
        let channels = known.channels.into_iter().flatten();
        self.channels
            .extend(channels.map(|channel| (channel, number)));
    }

    /// Whether what that line has brought was in the bank that it opened.
    fn is_opened_on(&self, line: u64) -> bool {
        matches!(self.master, Master::Running { since, .. } if since == line)
    }

    /// A `StartMaster` on this line, where the one on line `since` counts.
    fn begin_anew(&mut self, number: u64, since: u64, sparse: Option<bool>) {
        self.master = Master::Running { since, sparse };
        self.doubtful_before = number;
        self.deposits = 0;
        self.created = 0;
    }
}

/// A line without what belongs to the file rather than to the line.
fn content(number: u64, text: &[u8]) -> &[u8] {
    const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let marked = if number == 1 {
        text.strip_prefix(BYTE_ORDER_MARK)
    } else {
        None
    };
    marked.unwrap_or(text)
}
