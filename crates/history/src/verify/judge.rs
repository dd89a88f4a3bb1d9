//! The verdict on a snapshot that was collected.

mod bare;

use std::collections::BTreeMap;

use super::log::Log;
use super::rule::{Location, Rule, Violation};
use super::running::{InProgress, Record};
use super::{Unjudged, Verdict};
use crate::event::{Amount, Channel, ChannelState, ProcessId, ProcessState};

/// What was collected, so far.
#[derive(Clone, Debug)]
pub(super) struct Collecting {
    at: Location,
    states: BTreeMap<ProcessId, Amount>,
    /// A process that comes twice.
    twice: Option<ProcessId>,
    channels: BTreeMap<Channel, Vec<Amount>>,
}

impl Collecting {
    pub(super) fn new(at: Location) -> Self {
        Self {
            at,
            states: BTreeMap::new(),
            twice: None,
            channels: BTreeMap::new(),
        }
    }

    pub(super) fn extend(&mut self, states: &[ProcessState], channels: &[ChannelState]) {
        for state in states {
            if self.states.insert(state.process, state.amount).is_some() {
                self.twice = Some(state.process);
            }
        }
        for state in channels {
            let amounts = self.channels.entry(state.channel()).or_default();
            amounts.extend(&state.amounts);
        }
    }

    fn total(&self) -> i128 {
        let in_transit = self.channels.values().flatten();
        let all = self.states.values().chain(in_transit);
        all.copied().sum()
    }
}

/// What it would have to be.
struct Expected {
    states: BTreeMap<ProcessId, Amount>,
    /// Channels that are not empty.
    channels: BTreeMap<Channel, Vec<Amount>>,
}

const BREAKS_OFF: &str = "the history breaks off while it is being collected";

/// Judges a snapshot by everything that is known of it. `is_cut_off`: the history ends here, and
/// perhaps not all of what was collected has been written.
pub(super) fn judge(
    log: &Log,
    open: &mut InProgress,
    collecting: &Collecting,
    is_cut_off: bool,
) -> Verdict {
    if open.is_bare() {
        return bare::judge(log, open, collecting, is_cut_off);
    }
    let expected = Expected {
        states: open
            .records
            .iter()
            .map(|(it, record)| (*it, record.amount))
            .collect(),
        channels: all_in_transit(log, open),
    };
    let no_channel = no_channel(log, open, collecting);
    let is_opaque = log.facts.is_opaque;
    let is_sound = open.violation(log).is_none() && no_channel.is_none();
    if is_cut_off && is_sound && is_beginning(collecting, &expected) {
        return Verdict::Unknown(BREAKS_OFF.to_owned());
    }
    let checks = [
        incomplete(log, open, collecting),
        wrong_state(log, open, collecting),
        no_channel,
        wrong_channel(log, open, collecting, &expected),
        wrong_total(log, open, collecting),
        wrong_marker(log, open, collecting, true),
    ];
    for violation in checks.into_iter().flatten() {
        open.blame(violation);
    }
    if let Some(violation) = open.violation(log) {
        return Verdict::Invalid(Box::new(violation.clone()));
    }
    let mut unjudged = Vec::new();
    if !open.has_markers(log) {
        unjudged.push(Unjudged::Markers);
    }
    let money = deposits(log, open);
    if is_opaque {
        unjudged.push(Unjudged::Contents);
    } else if money.is_none() {
        unjudged.push(Unjudged::Total);
    }
    Verdict::Valid {
        processes: expected.states.len(),
        messages: expected.channels.values().map(Vec::len).sum(),
        in_transit: (!is_opaque).then(|| sum(expected.channels.values().flatten())),
        total: money.map(|_| collecting.total()),
        unjudged,
    }
}

/// What its members were created with; `None` where there are no amounts, or messages passed between them and others, so that
/// what they have together is not known from that.
fn deposits(log: &Log, open: &InProgress) -> Option<i128> {
    if log.facts.is_opaque {
        return None;
    }
    let members = || log.processes.iter().filter(|(it, _)| open.has(**it));
    if open.members.is_some() {
        let mut peers = members().flat_map(|(_, it)| it.outgoing.iter().chain(&it.incoming));
        if peers.any(|peer| !open.has(*peer)) {
            return None;
        }
    }
    Some(members().map(|(_, it)| it.deposit).sum())
}

/// What was in transit at the cut, on each channel that was not empty.
fn all_in_transit(log: &Log, open: &InProgress) -> BTreeMap<Channel, Vec<Amount>> {
    let mut all = BTreeMap::new();
    for (&to, receiver) in &open.records {
        let peers = log.processes.get(&to).map(|account| &account.incoming);
        for &from in peers.into_iter().flatten().filter(|from| open.has(**from)) {
            let channel = Channel { from, to };
            let amounts = in_transit(log, channel, open.records.get(&from), receiver);
            if !amounts.is_empty() {
                all.insert(channel, amounts);
            }
        }
    }
    all
}

/// The messages sent before the sender's cut and received after the receiver's.
fn in_transit(
    log: &Log,
    channel: Channel,
    sender: Option<&Record>,
    receiver: &Record,
) -> Vec<Amount> {
    let Some(ends) = log.channels.get(&channel) else {
        return Vec::new();
    };
    let received = ends.received_before(receiver.place);
    let sent = sender.map(|record| ends.sent_before(record.place));
    let is_sent = |number: u64| sent.is_none_or(|sent| number <= sent);
    let late = ends.late.partition_point(|(number, _)| *number <= received);
    let late = ends.late.range(late..);
    let late = late.take_while(|(number, _)| is_sent(*number));
    let mut amounts: Vec<Amount> = late.map(|(_, amount)| *amount).collect();
    if sent.is_some_and(|sent| sent > ends.received.messages) {
        // Those that have not been received to this day.
        let queue = ends.queue.iter().take_while(|item| is_sent(item.number));
        amounts.extend(queue.filter_map(|item| item.content.amount()));
    }
    amounts
}

/// Whether something was collected rightly, but not everything.
fn is_beginning(collecting: &Collecting, expected: &Expected) -> bool {
    let has_states = collecting.states.iter();
    let states = has_states
        .clone()
        .all(|(it, amount)| expected.states.get(it) == Some(amount));
    let channels = collecting.channels.iter().all(|(channel, amounts)| {
        let expected = expected
            .channels
            .get(channel)
            .map_or(&[][..], Vec::as_slice);
        expected.starts_with(amounts)
    });
    let channels_left = expected.channels.iter();
    let is_all = collecting.states.len() == expected.states.len()
        && channels_left
            .clone()
            .all(|(it, all)| collecting.channels.get(it) == Some(all));
    states && channels && collecting.twice.is_none() && !is_all
}

pub(super) fn incomplete(
    log: &Log,
    open: &InProgress,
    collecting: &Collecting,
) -> Option<Violation> {
    let has_none = |process: &&ProcessId| !open.records.contains_key(process);
    let mut members: Box<dyn Iterator<Item = &ProcessId>> = match &open.members {
        Some(members) => Box::new(members.iter()),
        None => Box::new(log.processes.keys()),
    };
    let other = open.records.keys().find(|process| !open.has(**process));
    let reason = match (members.find(has_none), other) {
        (Some(process), _) => {
            format!(
                "process {} had not recorded its state when it was collected",
                log.called(*process)
            )
        }
        (None, Some(process)) => {
            format!(
                "process {} recorded its state, and does not take part in it",
                log.called(*process)
            )
        }
        (None, None) if log.processes.is_empty() => {
            "it is collected from no process at all".to_owned()
        }
        (None, None) => return None,
    };
    let violation = Violation::new(Rule::Complete, reason);
    Some(violation.seen("collected", collecting.at))
}

fn wrong_state(log: &Log, open: &InProgress, collecting: &Collecting) -> Option<Violation> {
    let wrong = |reason: String| Violation::new(Rule::States, reason);
    if let Some(process) = collecting.twice {
        let process = log.called(process);
        let reason = format!("the state of process {process} is collected twice");
        return Some(wrong(reason).seen("collected", collecting.at));
    }
    for (
        process,
        Record {
            amount: recorded,
            at,
            ..
        },
    ) in &open.records
    {
        let found = match collecting.states.get(process) {
            Some(collected) if collected == recorded => continue,
            Some(collected) => format!("{collected} was collected"),
            None => "nothing was collected".to_owned(),
        };
        let process = log.called(*process);
        let reason = format!("process {process} recorded {recorded}, and {found}");
        let violation = wrong(reason).seen("recorded", *at);
        return Some(violation.seen("collected", collecting.at));
    }
    let is_surplus = |process: &&ProcessId| !open.records.contains_key(process);
    let process = log.called(*collecting.states.keys().find(is_surplus)?);
    let reason = format!("a state of process {process} is collected, which never recorded one");
    Some(wrong(reason).seen("collected", collecting.at))
}

/// A state is collected, perhaps an empty one, of a channel that there is not.
fn no_channel(log: &Log, open: &InProgress, collecting: &Collecting) -> Option<Violation> {
    of_members(open, collecting).find_map(|&channel| {
        let is_unknown = |process: &ProcessId| !log.processes.contains_key(process);
        let reason = match [channel.from, channel.to].into_iter().find(is_unknown) {
            Some(process) => format!("process {} had not been created", log.called(process)),
            None if channel.from == channel.to => "no process has one to itself".to_owned(),
            None if log.opened(channel).is_none() => "it had not been opened".to_owned(),
            None => return None,
        };
        let reason = format!("there is no such channel, and a state of it is collected: {reason}");
        let violation = Violation::new(Rule::InTransit, reason).on(channel);
        Some(violation.seen("collected", collecting.at))
    })
}

/// The channels whose state was collected. What comes from others than its members, or goes to them,
/// is not judged.
fn of_members<'c>(
    open: &InProgress,
    collecting: &'c Collecting,
) -> impl Iterator<Item = &'c Channel> {
    let channels = collecting.channels.keys();
    channels.filter(|channel| open.has(channel.from) && open.has(channel.to))
}

fn wrong_channel(
    log: &Log,
    open: &InProgress,
    collecting: &Collecting,
    expected: &Expected,
) -> Option<Violation> {
    let of_both = expected.channels.keys().chain(of_members(open, collecting));
    let mut channels: Vec<Channel> = of_both.copied().collect();
    channels.sort_unstable_by_key(|channel| (channel.from, channel.to));
    for channel in channels {
        let nothing = Vec::new();
        let expected = expected.channels.get(&channel).unwrap_or(&nothing);
        let collected = collecting.channels.get(&channel).unwrap_or(&nothing);
        if expected == collected {
            continue;
        }
        let reason = format!(
            "in transit at the cut was {}, and {} was collected{}",
            listed(log, expected),
            listed(log, collected),
            money_too(log, open, collecting)
        );
        let mut violation = Violation::new(Rule::InTransit, reason).on(channel);
        for process in [channel.from, channel.to] {
            if let Some(record) = open.records.get(&process) {
                let process = log.called(process);
                violation = violation.seen(format!("process {process} recorded"), record.at);
            }
        }
        return Some(violation.seen("collected", collecting.at));
    }
    None
}

/// The amounts, as few as one wants to read.
fn listed(log: &Log, amounts: &[Amount]) -> String {
    const SHOWN: usize = 8;
    if amounts.is_empty() {
        return "nothing".to_owned();
    }
    if log.facts.is_opaque {
        let plural = if amounts.len() == 1 { "" } else { "s" };
        return format!("{} message{plural}", amounts.len());
    }
    let shown = amounts.iter().take(SHOWN).map(Amount::to_string);
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if amounts.len() > SHOWN {
        text += &format!(", … ({} messages, {} in all)", amounts.len(), sum(amounts));
    }
    text
}

fn money_too(log: &Log, open: &InProgress, collecting: &Collecting) -> String {
    match (collecting.total(), deposits(log, open)) {
        (total, Some(deposits)) if total != deposits => {
            format!(" (so {total} of {deposits} are accounted for)")
        }
        _ => String::new(),
    }
}

fn wrong_total(log: &Log, open: &InProgress, collecting: &Collecting) -> Option<Violation> {
    let (total, deposits) = (collecting.total(), deposits(log, open)?);
    let reason = format!("states and messages add up to {total}, and {deposits} were deposited");
    let violation = Violation::new(Rule::Money, reason).seen("collected", collecting.at);
    (total != deposits).then_some(violation)
}

/// A marker that should have come. `are_excused`: none has to on a channel that opened when one of its ends
/// was dead, as it still is.
pub(super) fn wrong_marker(
    log: &Log,
    open: &InProgress,
    collecting: &Collecting,
    are_excused: bool,
) -> Option<Violation> {
    let had_died = |process: ProcessId, opened: Location| {
        let died = log.processes.get(&process).and_then(|it| it.life.died);
        are_excused && died.is_some_and(|died| died.turn < opened.turn)
    };
    for (channel, opened) in log.channels_between(|process| open.has(process)) {
        if had_died(channel.from, opened) || had_died(channel.to, opened) {
            continue;
        }
        let wrong = |reason: &str| Violation::new(Rule::Markers, reason).on(channel);
        let markers = open.markers.get(&channel);
        let violation = match markers.map(|it| (it.sent, it.received)) {
            Some((_, Some(_))) => continue,
            Some((Some(sent), None)) => wrong(
                "it was collected before the marker was received: its state was not known to be \
                 complete",
            )
            .seen("the marker was sent", sent),
            _ => {
                let (from, wrong) = (channel.from, wrong("no marker was ever sent on it"));
                match open.records.get(&from) {
                    Some(record) => {
                        wrong.seen(format!("process {} recorded", log.called(from)), record.at)
                    }
                    None => wrong,
                }
            }
        };
        return Some(violation.seen("collected", collecting.at));
    }
    None
}

fn sum<'a>(amounts: impl IntoIterator<Item = &'a Amount>) -> i128 {
    amounts.into_iter().copied().sum()
}
