//! Which channels there are: one from each process to each other, or in a sparse system those that are
//! opened.

use super::Log;
use crate::event::{Channel, ProcessId};
use crate::verify::rule::{Location, Rule, Violation};

impl Log {
    /// There are only the channels that are opened.
    pub(in crate::verify) fn be_sparse(&mut self) {
        self.opened.get_or_insert_default();
    }

    /// A channel opens.
    pub(in crate::verify) fn connect(
        &mut self,
        channel: Channel,
        at: Location,
    ) -> Result<(), Violation> {
        let wrong = |reason: String| Violation::new(Rule::Order, reason).on(channel);
        let has_none = |process: &ProcessId| !self.processes.contains_key(process);
        if let Some(process) = [channel.from, channel.to].into_iter().find(has_none) {
            let reason = format!("process {process} was never created");
            return Err(wrong(reason).seen("opened", at));
        }
        let Some(opened) = &mut self.opened else {
            let reason = "it is opened, and there is one from each process to each other already: \
                          the system does not start as a sparse one";
            return Err(wrong(reason.to_owned()).seen("opened", at));
        };
        match opened.insert(channel, at) {
            None => Ok(()),
            Some(first) => Err(wrong("it is opened a second time".to_owned())
                .seen("opened", first)
                .seen("opened again", at)),
        }
    }

    /// Since when there is a channel; `None` where there is none.
    pub(in crate::verify) fn opened(&self, channel: Channel) -> Option<Location> {
        let Channel { from, to } = channel;
        match &self.opened {
            Some(opened) => opened.get(&channel).copied(),
            None if from == to => None,
            None => {
                let [from, to] = [from, to].map(|process| self.processes.get(&process));
                let (from, to) = (from?.created, to?.created);
                Some(if from.turn > to.turn { from } else { to })
            }
        }
    }

    /// All channels there are between these processes, in their order.
    pub(in crate::verify) fn channels_between(
        &self,
        is_one: impl Fn(ProcessId) -> bool,
    ) -> impl Iterator<Item = (Channel, Location)> {
        let opened = self.opened.iter().flatten();
        let opened = opened.map(|(channel, at)| (*channel, *at));
        let of_all = match self.opened {
            None => Some(&self.processes),
            Some(_) => None,
        };
        let pairs = of_all.into_iter().flat_map(|all| {
            let from = all.iter();
            from.flat_map(move |from| all.iter().map(move |to| (from, to)))
        });
        let pairs = pairs.filter(|((from, _), (to, _))| from != to);
        let pairs = pairs.map(|((&from, sender), (&to, receiver))| {
            let is_later = sender.created.turn > receiver.created.turn;
            let since = if is_later { sender } else { receiver };
            (Channel { from, to }, since.created)
        });
        let all = opened.chain(pairs);
        all.filter(move |(channel, _)| is_one(channel.from) && is_one(channel.to))
    }

    /// That the process at the far end of a channel was ever created, and the channel opened.
    pub(super) fn must_exist(&self, channel: Channel, at: Location) -> Result<(), Violation> {
        match self.processes.contains_key(&channel.to) {
            true => self.must_be_open(channel, "sent on it", at),
            false => {
                let reason = format!("process {} was never created", channel.to);
                Err(Violation::new(Rule::Order, reason)
                    .on(channel)
                    .seen("sent to it", at))
            }
        }
    }

    /// That a channel was ever opened, where channels are.
    pub(in crate::verify) fn must_be_open(
        &self,
        channel: Channel,
        what: &str,
        at: Location,
    ) -> Result<(), Violation> {
        match &self.opened {
            Some(opened) if !opened.contains_key(&channel) => {
                let reason = "it was never opened";
                let violation = Violation::new(Rule::Order, reason).on(channel);
                Err(violation.seen(what, at))
            }
            _ => Ok(()),
        }
    }
}
