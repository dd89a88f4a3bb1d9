//! The thread of host 0 that carries. It is told what to do through a queue, and wakes at once.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use pipes::{Death, RawEnd, Token};
use rustc_hash::FxHashMap;

use crate::Error;
use crate::hosts::{Answers, Ran, Task};
use crate::link::Link;
use crate::pump::Pump;
use crate::wire::{Control, Host, Introduction, Name};

/// How long what is on its way out may take, at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// The same where nobody is waited for.
const HASTE: Duration = Duration::from_millis(50);

const WAKE: Token = 0;

/// The thread that carries.
pub(crate) struct Front<L> {
    pump: Pump<L>,
    wake: RawEnd,
    tasks: Receiver<Task>,
    names: Vec<String>,
    running: FxHashMap<Name, (Host, Answers)>,
    /// Who waits for an errand, by host, in order.
    errands: Vec<VecDeque<Sender<Ran>>>,
}

impl<L: Link> Front<L> {
    /// Joins the others and hears who they are.
    pub(crate) fn begin(
        join: impl FnOnce() -> Result<L, Error>,
        wake: RawEnd,
        tasks: Receiver<Task>,
        me: Introduction,
        met: Sender<Vec<String>>,
    ) -> Result<Self, Error> {
        let pump = Pump::new(join()?)?;
        wake.watch_to_read(&pump.poller, WAKE)?;
        let mut front = Self {
            pump,
            wake,
            tasks,
            names: Vec::new(),
            running: FxHashMap::default(),
            errands: Vec::new(),
        };
        let hosts = front.pump.link.hosts();
        front.errands.resize_with(hosts, VecDeque::new);
        let mut known: Vec<Option<Introduction>> = vec![None; hosts];
        known[0] = Some(me);
        while known.iter().any(Option::is_none) {
            let turn = front.pump.turn()?;
            for (from, said) in turn.said {
                match said {
                    Control::Hello(introduction) => known[from] = Some(introduction),
                    _ => return Err(Error::Garbled),
                }
            }
            if let Some(silent) = turn.silent.first() {
                return Err(Error::Silent(format!("rank {silent}")));
            }
        }
        let known: Vec<Introduction> = known.into_iter().flatten().collect();
        let names = known.iter().enumerate();
        front.names = names
            .map(|(rank, it)| format!("{} (rank {rank})", it.host))
            .collect();
        let fit = front.check(&known);
        if let Err(error) = fit {
            front.end(false)?;
            return Err(error);
        }
        let _ = met.send(front.names.clone());
        Ok(front)
    }

    /// Whether all of them can work together.
    fn check(&self, known: &[Introduction]) -> Result<(), Error> {
        for (host, name) in known.iter().zip(&self.names) {
            if let Some(trouble) = &host.trouble {
                return Err(Error::Trouble {
                    host: name.clone(),
                    trouble: trouble.clone(),
                });
            }
            if host.build != known[0].build {
                return Err(Error::Builds(name.clone(), self.names[0].clone()));
            }
        }
        Ok(())
    }

    pub(crate) fn run(mut self) -> Result<(), Error> {
        let went = self.carry();
        match went {
            Ok(in_a_hurry) => self.end(in_a_hurry),
            Err(error) => {
                self.lose_everybody();
                self.pump.link.abandon();
                Err(error)
            }
        }
    }

    /// Until everything is over: whether nobody is to be waited for.
    fn carry(&mut self) -> Result<bool, Error> {
        loop {
            while let Ok(task) = self.tasks.try_recv() {
                match task {
                    Task::Over { in_a_hurry } => return Ok(in_a_hurry),
                    task => self.carry_out(task)?,
                }
            }
            let turn = self.pump.turn()?;
            for (from, said) in turn.said {
                self.hear(from, said)?;
            }
            if !turn.ready.is_empty() {
                let mut room = [0; 512];
                self.wake.read(&mut room)?;
            }
            if let Some(silent) = turn.silent.first() {
                return Err(Error::Silent(self.names[*silent].clone()));
            }
        }
    }

    fn carry_out(&mut self, task: Task) -> Result<(), Error> {
        match task {
            Task::Say(host, what) => self.pump.say(host, what),
            Task::Start(host, start, name, answers) => {
                self.running.insert(name, (host, answers));
                self.pump.say(host, start);
            }
            Task::Errand(host, what, ran) => {
                self.errands[host].push_back(ran);
                self.pump.say(host, Control::Errand(what));
            }
            Task::Source(stream, to, end) => self.pump.add_source(stream, to, end)?,
            Task::Sink(stream, from, end) => self.pump.add_sink(stream, from, end)?,
            Task::Over { .. } => {}
        }
        Ok(())
    }

    fn hear(&mut self, from: Host, said: Control) -> Result<(), Error> {
        match said {
            // Who has asked may have stopped waiting.
            Control::Started(name, outcome) => {
                let is_there = outcome.is_ok();
                if let Some((_, answers)) = self.running.get(&name) {
                    let _ = answers.started.send(outcome);
                }
                if !is_there {
                    self.running.remove(&name);
                }
            }
            Control::Died(name, ended) => {
                if let Some((_, answers)) = self.running.remove(&name) {
                    let _ = answers.died.send(ended.into());
                }
            }
            Control::Ran(outcome) => {
                if let Some(ran) = self.errands[from].pop_front() {
                    let _ = ran.send(outcome);
                }
            }
            Control::Failed(trouble) => {
                let host = self.names[from].clone();
                return Err(Error::Trouble { host, trouble });
            }
            _ => return Err(Error::Garbled),
        }
        Ok(())
    }

    /// Everything ends: whatever runs elsewhere is as good as killed, and has nothing more to say.
    fn lose_everybody(&mut self) {
        for (_, answers) in self.running.values() {
            let _ = answers.died.send(Death::Signal(9));
        }
        for host in 1..self.pump.link.hosts() {
            // A pipe that fails now is closed with all the others.
            let _ = self.pump.lose(host);
        }
    }

    /// Tells everybody that it is over.
    fn end(mut self, in_a_hurry: bool) -> Result<(), Error> {
        for host in 1..self.pump.link.hosts() {
            self.pump.say(host, Control::Over);
        }
        self.pump.send()?;
        let patience = if in_a_hurry { HASTE } else { LAST_WORDS };
        let give_up = Instant::now() + patience;
        while self.pump.link.is_sending() && Instant::now() < give_up {
            self.pump.turn()?;
        }
        match in_a_hurry {
            true => self.pump.link.abandon(),
            false => self.pump.link.end(),
        }
        Ok(())
    }
}
