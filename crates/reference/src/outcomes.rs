//! Everything that a small script can print, by trying every order.
//!
//! Breadth first: all states that the bank can be in after a step, each with the number of orders that
//! lead to it. Orders that lead to the same state are followed as one, so that what is tried is the
//! number of states, which grows with the messages that wait at once, and not with their orders.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::rc::Rc;

use crate::model::{Bank, Frame};
use crate::{Draw, Statement, statements, words};

/// What a script can print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcomes {
    /// By what is printed.
    pub outcomes: BTreeMap<String, Outcome>,
    /// Whether these are all. If not, orders were left out once there were too many states, and the
    /// numbers of orders are too small.
    pub complete: bool,
    /// Lines of the script, counted from 1, at which different orders lead to different states: on
    /// them the output can depend.
    pub depends_on: BTreeSet<usize>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How many orders lead to it; `u128::MAX` if they are at least so many.
    pub orders: u128,
    /// One of these orders: by line of the script, the sender and the receiver of every message that
    /// is taken there.
    pub order: Order,
}

/// What was taken, by line of the script: senders and receivers.
pub type Order = BTreeMap<usize, Vec<(u64, u64)>>;

/// What counts as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// All of standard output.
    Everything,
    /// What `PrintSnapshot` prints.
    Snapshots,
}

/// A message that was taken, and all that were taken before.
struct Taken {
    line: usize,
    ends: (u64, u64),
    before: Option<Rc<Taken>>,
}

/// The ways to one state.
#[derive(Clone)]
struct Ways {
    orders: u128,
    one: Option<Rc<Taken>>,
}

/// By state of the bank and by what was printed. Hashed without a random key, so that what is found,
/// and where the search ends, is the same each time.
type States = HashMap<(Bank, String), Ways, BuildHasherDefault<DefaultHasher>>;

/// Everything that `script` can print, if no more than `most` messages are taken on the way, in all
/// states together. Once it is more, a few states are followed to the end.
///
/// # Panics
///
/// If the static check would refuse the script.
#[must_use]
pub fn outcomes(script: &str, what: What, most: usize) -> Outcomes {
    let mut all = Search {
        left: most,
        complete: true,
    };
    let mut depends_on = BTreeSet::new();
    let mut states = States::default();
    let start = Ways {
        orders: 1,
        one: None,
    };
    states.insert((Bank::new(None, true), String::new()), start);
    for (line, statement) in statements(script) {
        let drawn = match statement {
            Statement::ReceiveAll => true,
            Statement::Receive { from, .. } => from.is_none(),
            _ => false,
        };
        let before = std::mem::take(&mut states);
        if drawn {
            states = all.take(before.clone(), line, statement, what);
            if all.matters(&before, &states, line, statement) {
                depends_on.insert(line);
            }
            continue;
        }
        for ((mut bank, mut printed), ways) in before {
            let said = bank.execute(statement, &mut |_| 0).unwrap_or_default();
            if what == What::Everything || matches!(statement, Statement::Print { .. }) {
                printed += &said;
            }
            all.add(&mut states, bank, printed, ways);
        }
    }
    let mut outcomes = BTreeMap::<String, Outcome>::new();
    for ((_, printed), ways) in states {
        let outcome = outcomes.entry(printed).or_insert_with(|| Outcome {
            orders: 0,
            order: ways.order(),
        });
        outcome.orders = outcome.orders.saturating_add(ways.orders);
    }
    Outcomes {
        outcomes,
        complete: all.complete,
        depends_on,
    }
}

struct Search {
    /// How many messages may still be taken.
    left: usize,
    complete: bool,
}

/// So many states are followed when nothing is left.
const FEW: usize = 8;

impl Search {
    fn add(&mut self, states: &mut States, bank: Bank, printed: String, ways: Ways) {
        let full = self.left == 0 && states.len() >= FEW;
        let key = (bank, printed);
        if let Some(known) = states.get_mut(&key) {
            known.orders = known.orders.saturating_add(ways.orders);
        } else if full {
            self.complete = false;
        } else {
            states.insert(key, ways);
        }
    }

    /// All states after a `Receive` or `ReceiveAll`, in every order.
    fn take(&mut self, before: States, line: usize, statement: Statement, what: What) -> States {
        let mut after = States::default();
        let mut going = before;
        while !going.is_empty() {
            let mut next = States::default();
            for ((bank, printed), ways) in going {
                let choices = match statement {
                    Statement::Receive { to, .. } if bank.dead(to) => Vec::new(),
                    _ => bank.choices(statement),
                };
                if choices.is_empty() {
                    self.add(&mut after, bank, printed, ways);
                    continue;
                }
                for (from, to) in choices {
                    self.left = self.left.saturating_sub(1);
                    let mut bank = bank.clone();
                    let said = match bank.deliver(from, to) {
                        Frame::Transfer(amount) => format!("{from} Transfer {amount}\n"),
                        Frame::Marker(_) => format!("{from} SnapshotToken -1\n"),
                    };
                    let taken = Taken {
                        line,
                        ends: (from, to),
                        before: ways.one.clone(),
                    };
                    let ways = Ways {
                        orders: ways.orders,
                        one: Some(Rc::new(taken)),
                    };
                    let mut printed = printed.clone();
                    if statement == Statement::ReceiveAll {
                        self.add(&mut next, bank, printed, ways);
                        continue;
                    }
                    if what == What::Everything {
                        printed += &said;
                    }
                    self.add(&mut after, bank, printed, ways);
                }
            }
            going = next;
        }
        after
    }

    /// Whether what is taken there matters: whether from one of these states it leads to several.
    fn matters(&self, before: &States, after: &States, line: usize, statement: Statement) -> bool {
        if after.len() > before.len() {
            return true;
        }
        let mut alone = Self {
            left: self.left,
            complete: true,
        };
        // States that merge hide what each leads to; a few are looked at one by one.
        before.iter().take(MOST_ONE_BY_ONE).any(|(state, ways)| {
            let one = States::from_iter([(state.clone(), ways.clone())]);
            alone.take(one, line, statement, What::Everything).len() > 1
        })
    }
}

/// See [`Search::matters`].
const MOST_ONE_BY_ONE: usize = 16;

impl Ways {
    fn order(&self) -> Order {
        let mut order = Order::new();
        let mut next = self.one.as_ref();
        while let Some(taken) = next {
            order.entry(taken.line).or_default().push(taken.ends);
            next = taken.before.as_ref();
        }
        order.values_mut().for_each(|taken| taken.reverse());
        order
    }
}

/// The script with every message that is drawn named: `Receive TO FROM` instead. It prints a line for
/// each message that a `ReceiveAll` took, and is the same otherwise.
#[must_use]
pub fn determined(script: &str, order: &Order) -> String {
    let mut text = String::new();
    for (index, line) in script.lines().enumerate() {
        let named = words(line);
        let drawn = named == ["ReceiveAll"] || (named.len() == 2 && named[0] == "Receive");
        match order.get(&(index + 1)) {
            Some(taken) if drawn => {
                for (from, to) in taken {
                    text += &format!("Receive {to} {from}\n");
                }
            }
            _ if named == ["ReceiveAll"] => {}
            _ => {
                text += line;
                text.push('\n');
            }
        }
    }
    text
}

/// The order that `seed` draws.
///
/// # Panics
///
/// If the static check would refuse the script.
#[must_use]
pub fn drawn(script: &str, seed: u64) -> Order {
    let mut draw = Draw::from_seed(seed);
    let mut bank = Bank::new(None, true);
    let mut order = Order::new();
    for (line, statement) in statements(script) {
        let (all, open) = match statement {
            Statement::ReceiveAll => (true, true),
            Statement::Receive { to, from: None } => (false, !bank.dead(to)),
            _ => (false, false),
        };
        if !open {
            // What fails changes nothing.
            let _ = bank.execute(statement, &mut |_| 0);
            continue;
        }
        loop {
            let choices = bank.choices(statement);
            if choices.is_empty() {
                break;
            }
            let (from, to) = choices[draw.pick(choices.len())];
            bank.deliver(from, to);
            order.entry(line).or_default().push((from, to));
            if !all {
                break;
            }
        }
    }
    order
}
