//! A session: master, who decides and is a value, between people and processes.
//!
//! ```text
//!              statements           replies, answers, deaths
//!                   │                         ▲ │
//!            ┌──────▼──────┐  effects  ┌──────┴─▼──────┐
//!  results ◀─┤   Session   ◀───────────┤    Master     │
//! messages   └──────┬──────┘           └───────────────┘
//!                   ▼  commands, requests, pipe ends
//!               the Cluster
//! ```
//!
//! `session/effects.rs` does what master wants done; `session/moments.rs` notes how far a script is.
//!
//! Everything that has been read already is heard before anybody is waited for, and commands are
//! written only then: that way many of them, and many replies, share a system call.

mod effects;
mod moments;

use self::moments::Moments;
use history::What;
use pipes::{Input, Patience, Token};

use super::chronicle::Chronicle;
use super::cluster::{Cluster, INPUT, SIGNALS};
use super::ending::Ending;
use super::lasting::{DataDir, TILE};
use super::mesh;
use super::results::{Format, Results};
use super::shared::{
    Error, Stop, Teller,
    prompt::{Prompt, Typed},
};
use bank::Broken;
use bank::master::{Awaits, Effect, Failure, Fate, Master, Process};
use bank::script::{Command, Known, Statement};

/// What the command line says of a session.
#[derive(Debug)]
pub(super) struct Settings {
    /// How the script is called in messages; `None` at a prompt, where the line that is meant has just
    /// been typed.
    pub(super) path: Option<String>,
    pub(super) seed: u64,
    pub(super) strict: bool,
    pub(super) verbose: bool,
    pub(super) format: Format,
    pub(super) ascii: bool,
    /// How many steps may be in flight.
    pub(super) window: usize,
    /// After how many steps at least it is noted how far a script is, in a bank that lasts.
    pub(super) notes_every: u64,
    /// It is in a file, and so can be read again.
    pub(super) is_file: bool,
    /// How many nodes there will be at most, where that is known.
    pub(super) nodes: Option<u64>,
}

/// Executes statements.
pub(super) struct Session<'p> {
    pub(super) settings: Settings,
    pub(super) patience: &'p Patience,
    master: Master,
    /// What master wanted done when the run stopped, the last first; until then it is empty.
    effects: Vec<Effect>,
    /// With how many others a new node is connected at once.
    tile: usize,
    cluster: Cluster<'p>,
    pub(super) results: Results,
    /// When a note is made of how far the script is.
    moments: Moments,
    /// From which line on results are shown that may have been shown before.
    from_line: Option<u64>,
    /// The history begins where the script goes on.
    history_is_cut: bool,
    /// The history, where somebody wants it.
    pub(super) chronicle: Option<Chronicle>,
    /// A command failed, or a process died.
    pub(super) failed: bool,
    /// An audit failed, or another invariant broke.
    pub(super) broken: bool,
    pub(super) teller: Teller,
}

impl<'p> Session<'p> {
    pub(super) fn new(
        settings: Settings,
        mut cluster: Cluster<'p>,
        chronicle: Option<Chronicle>,
        teller: Teller,
    ) -> Result<Self, Stop> {
        cluster.publish()?;
        let past = cluster.data.as_mut().map(DataDir::take_past);
        let past = past.unwrap_or_default();
        let position = past.position.unwrap_or_default();
        let results = Results::new(settings.format, position.shown, past.shown);
        let tile = match cluster.data {
            Some(_) => TILE,
            None => mesh::tile(settings.nodes)?,
        };
        let mut master = Master::new(bank::master::Setup {
            seed: settings.seed,
            window: settings.window,
            tile,
            history: chronicle.is_some(),
            lasting: cluster.data.is_some(),
        });
        let mut opens = None;
        match past.bank {
            Some(image) if position.statements > 0 => {
                let history = position.history.map(|(_, history)| history);
                let history = history.filter(|_| chronicle.as_ref().is_some_and(|it| it.goes_on));
                opens = Some(master.go_on_from(image, position.draws, history));
            }
            Some(image) => master.reopen(image),
            None => {}
        }
        if let Some(outcomes) = past.outcomes {
            master.recall(outcomes);
        }
        let is_cut = |it: &Chronicle| position.statements > 0 && !it.goes_on;
        let history_is_cut = chronicle.as_ref().is_some_and(is_cut);
        let can_go_on = chronicle.as_ref().is_none_or(Chronicle::can_go_on);
        let are_wanted = cluster.data.is_some() && (can_go_on || !settings.is_file);
        let every = are_wanted.then_some(settings.notes_every);
        Ok(Self {
            moments: Moments::new((position.statements, opens), every),
            from_line: past.from_line,
            history_is_cut,
            patience: cluster.patience,
            master,
            effects: Vec::new(),
            tile,
            cluster,
            results,
            chronicle,
            failed: position.failed,
            broken: position.broken,
            teller,
            settings,
        })
    }

    /// Executes a statement, once master is ready for it.
    pub(super) fn execute(&mut self, statement: &Statement) -> Result<(), Stop> {
        while !self.master.is_ready() {
            self.advance()?;
        }
        let executed = self.master.execute(statement);
        // Not for every statement: a node is started, or the window is full, or nobody follows.
        match executed {
            Ok(()) if self.master.is_ready() => Ok(()),
            executed => self.carry_out(executed),
        }
    }

    /// Waits until everything that was issued is retired, and every death is settled.
    pub(super) fn drain(&mut self) -> Result<(), Stop> {
        let paused = self.master.pause();
        self.carry_out(paused)?;
        while !self.master.is_idle() {
            self.advance()?;
        }
        Ok(())
    }

    /// Has master hear what was read; where that is nothing, waits until something is.
    fn advance(&mut self) -> Result<(), Stop> {
        let mut has_heard = false;
        loop {
            let said = self.cluster.say(&mut self.master);
            if matches!(said, Ok(true)) {
                has_heard = true;
                continue;
            }
            self.carry_out(Ok(()))?;
            said?;
            if !self.take_news()? {
                break;
            }
        }
        match (has_heard, self.master.awaits()) {
            (true, _) => Ok(()),
            (false, Awaits::Word(_) | Awaits::Death(_)) => self.wait().map(drop),
            (false, Awaits::Nobody) => Err(Stop::Internal("nobody is waited for".to_owned())),
        }
    }

    /// Hands in the deaths that were noticed: whether there were any.
    fn take_news(&mut self) -> Result<bool, Stop> {
        let news = self.cluster.take_news();
        let is_any = !news.is_empty();
        for (process, fate) in news {
            self.cluster.publish()?;
            let left = self.cluster.last_words(process)?;
            let died = self.master.died(process, fate, left);
            self.carry_out(died)?;
        }
        Ok(is_any)
    }

    /// Does what master wants, also where something was found that cannot be.
    #[inline]
    fn carry_out(&mut self, outcome: Result<(), Broken>) -> Result<(), Stop> {
        loop {
            let mut effects = std::mem::take(&mut self.effects);
            self.master.swap_effects(&mut effects);
            if effects.is_empty() {
                self.effects = effects;
                return Ok(outcome?);
            }
            let done = self.do_all(&mut effects);
            self.effects = effects;
            done?;
        }
    }

    /// Does these, in order; where one cannot be done, the others are left, the last one first.
    #[inline]
    fn do_all(&mut self, effects: &mut Vec<Effect>) -> Result<(), Stop> {
        effects.reverse();
        while let Some(effect) = effects.last() {
            if self.do_where_it_is(effect)? {
                effects.truncate(effects.len() - 1);
            } else if let Some(effect) = effects.pop() {
                self.do_one(effect)?;
            }
        }
        Ok(())
    }

    /// Waits until input is there; deaths are reported and signals obeyed meanwhile.
    pub(super) fn wait_for_input(&mut self, input: &Input) -> Result<(), Stop> {
        self.show_everything()?;
        if self.cluster.poller.watch_bytes(input, INPUT)? {
            while !self.wait()?.contains(&INPUT) {
                // What a death left behind is settled, and reported, at once.
                self.cluster.poller.unwatch_bytes(input)?;
                self.show_everything()?;
                self.cluster.poller.watch_bytes(input, INPUT)?;
            }
            self.cluster.poller.unwatch_bytes(input)?;
        }
        Ok(())
    }

    /// Asks for a line at the prompt and waits for it, in the same way.
    pub(super) fn wait_for_line(
        &mut self,
        prompt: &mut Prompt,
        ids: Vec<String>,
    ) -> Result<Typed, Stop> {
        self.show_everything()?;
        prompt.ask(ids);
        prompt.watch(&self.cluster.poller, INPUT)?;
        while !self.wait()?.contains(&INPUT) {
            self.show_everything()?;
        }
        Ok(prompt.typed()?)
    }

    /// Everything that was issued is retired, and its results and history are written.
    pub(super) fn show_everything(&mut self) -> Result<(), Stop> {
        self.drain()?;
        self.write_history(self.patience)?;
        self.flush_results(self.patience)
    }

    /// Writes the results that are buffered; where that cannot be seen, notes how much was written.
    pub(super) fn flush_results(&mut self, patience: &Patience) -> Result<(), Stop> {
        let before = self.results.shown();
        let flushed = self.results.flush(patience);
        let shown = self.results.shown();
        if let Some(data) = self.cluster.data.as_mut().filter(|_| shown > before) {
            data.note_shown(shown.0, shown.1)?;
        }
        flushed
    }

    /// One wait: for replies, deaths, signals, input, the deadline.
    fn wait(&mut self) -> Result<Vec<Token>, Stop> {
        let own = self.cluster.wait(None)?;
        if own.contains(&SIGNALS)
            && let Some(caught) = self.patience.next_caught()?
        {
            return Err(Stop::Signal(caught.0));
        }
        self.take_news()?;
        match self.patience.is_late() {
            false => Ok(own),
            true => Err(Stop::TimedOut {
                waited_for: self.waited_for(),
            }),
        }
    }

    /// An error where a signal has come or the time is over: for what is done again and again without
    /// a wait.
    pub(super) fn heed(&self) -> Result<(), Stop> {
        Stop::heed(self.patience, "the end of the script")
    }

    /// Whether the bank lasts.
    pub(super) fn lasts(&self) -> bool {
        self.cluster.data.is_some()
    }

    /// Where a script that was interrupted is taken up, and standard output or the history is not the file that
    /// it was, says where they begin.
    pub(super) fn tell_of_interruption(&mut self) -> Result<(), Stop> {
        if let Some(line) = self.from_line {
            self.tell(&format!(
                "master: the script was interrupted, and goes on; results are shown from their line {line} on, \
                 and the last of those before may be among them"
            ))?;
        }
        match self.history_is_cut {
            false => Ok(()),
            true => self.tell(
                "master: the script was interrupted, and goes on; its history begins there, since what came \
                 before is not in its file",
            ),
        }
    }

    /// What is known of the bank that the first `StartMaster` opens.
    pub(super) fn known(&self) -> Option<Known> {
        self.cluster.data.as_ref().and_then(DataDir::known)
    }

    fn name_of(&self, process: Process) -> String {
        let id = |node| self.master.id(node);
        match process {
            Process::Node(node) => id(node).map_or("a node".to_owned(), |id| format!("node {id}")),
            Process::Observer => "the observer".to_owned(),
        }
    }

    fn waited_for(&self) -> String {
        let who = |process| self.name_of(process);
        match (self.master.awaits(), self.master.waits_for()) {
            (Awaits::Nobody, _) => "input".to_owned(),
            (Awaits::Death(process), _) => format!("{} to end", who(process)),
            (Awaits::Word(process), None) => {
                format!("{} to read what a dead node wrote", who(process))
            }
            (Awaits::Word(process), Some((line, command))) => {
                format!("{} to answer `{command}` on line {line}", who(process))
            }
        }
    }

    fn record(&mut self, line: Option<u64>, what: What) {
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.push(line, what);
        }
    }

    /// Writes what the history has gathered; where that cannot be done, says so, and the run goes on
    /// without it.
    fn write_history(&mut self, patience: &Patience) -> Result<(), Stop> {
        let Some(chronicle) = &mut self.chronicle else {
            return Ok(());
        };
        match chronicle.write_file(patience) {
            Ok(()) => Ok(()),
            Err(Error::Stop(stop)) => Err(stop),
            Err(lost) => {
                self.failed = true;
                self.tell_within(&lost.to_string(), patience)
            }
        }
    }

    /// Writes what there is of the history when nobody is waited for any more; an error where that
    /// cannot be done, and not where its reader is too slow.
    pub(super) fn give_up_history(&mut self, last_words: &Patience) -> Result<(), Error> {
        match &mut self.chronicle {
            None => Ok(()),
            Some(chronicle) => match chronicle.write_file(last_words) {
                Err(Error::Stop(_)) => Ok(()),
                written => written,
            },
        }
    }

    /// Tells something on stderr, after everything that was shown before it.
    pub(super) fn tell(&mut self, text: &str) -> Result<(), Stop> {
        self.tell_within(text, self.patience)
    }

    fn tell_within(&mut self, text: &str, patience: &Patience) -> Result<(), Stop> {
        self.write_history(patience)?;
        self.flush_results(patience)?;
        match self.settings.ascii {
            true => self.teller.tell(&text.replace('→', "->"), patience),
            false => self.teller.tell(text, patience),
        }
    }

    /// Shows on stderr, just as it is, what is no message; as `tell` after everything before it.
    pub(super) fn show(&mut self, text: &str) -> Result<(), Stop> {
        self.write_history(self.patience)?;
        self.flush_results(self.patience)?;
        self.teller.show(text, self.patience)
    }

    /// Tells what master does, where that was asked for (`--verbose`).
    pub(super) fn narrate(&mut self, what: impl FnOnce() -> String) -> Result<(), Stop> {
        match self.settings.verbose {
            true => self.tell(&format!("master: {}", what())),
            false => Ok(()),
        }
    }

    /// Tells that a command failed; the script goes on, unless it is strict.
    fn fail(&mut self, line: u64, command: &Command, failure: &Failure) -> Result<(), Stop> {
        self.heed()?;
        self.failed = true;
        self.broken |= failure.is_internal();
        let place = self.settings.path.as_ref();
        let place = place.map_or_else(String::new, |path| format!("{path}:{line}: "));
        self.tell(&format!("{place}`{command}`: {failure}"))?;
        match self.settings.strict {
            true => Err(Stop::Strict),
            false => Ok(()),
        }
    }

    /// Ends the script: everything is retired and shown, every process has ended.
    pub(super) fn finish(&mut self) -> Result<(), Stop> {
        if self.lasts() {
            while !self.master.is_ready() {
                self.advance()?;
            }
            let finished = self.master.finish();
            self.carry_out(finished)?;
        }
        self.show_everything()?;
        let image = self.lasts().then(|| self.master.image()).flatten();
        self.end(Ending::Script, self.patience)?;
        self.write_history(self.patience)?;
        match &mut self.cluster.data {
            // Last: from here on the same command is another script.
            Some(data) => Ok(data.finish(image)?),
            None => Ok(()),
        }
    }

    /// Ends the system, also in the middle of things; what there is to say of it is said as long as
    /// `patience` lasts.
    pub(super) fn end(&mut self, ending: Ending, patience: &Patience) -> Result<(), Stop> {
        // Who was told to be dead is so in the history.
        let undone = std::mem::take(&mut self.effects).into_iter().rev();
        let deaths = undone.filter(|effect| match effect {
            Effect::History(event) => matches!(event.1, What::Death { .. }),
            _ => false,
        });
        self.master.end(None);
        let mut effects = Vec::new();
        self.master.swap_effects(&mut effects);
        for effect in deaths.chain(effects) {
            if let Effect::History(event) = effect {
                self.record(event.0, event.1);
            }
        }
        self.end_processes(ending, patience)
    }

    fn end_processes(&mut self, ending: Ending, patience: &Patience) -> Result<(), Stop> {
        if self.cluster.observer.is_some() && self.settings.verbose {
            // Nobody hears it where the run ends because nobody listens.
            let _ = self.tell_within("master: ends every process", patience);
        }
        let ended = self.cluster.end_all(ending)?;
        let mut waited_for = None;
        for unclean in ended.unclean {
            match &unclean.fate {
                None => waited_for = Some(format!("{} to end", unclean.who)),
                // Who was killed has kept everything.
                Some(Fate::Signal(_)) if self.cluster.data.is_some() => continue,
                Some(fate) => {
                    self.failed = true;
                    self.broken |= fate.is_internal();
                }
            }
            self.tell_within(&unclean.to_string(), patience)?;
        }
        if ending != Ending::Script {
            return Ok(());
        }
        match (ended.caught, waited_for.filter(|_| self.patience.is_late())) {
            (Some(caught), _) => Err(Stop::Signal(caught.0)),
            (None, Some(waited_for)) => Err(Stop::TimedOut { waited_for }),
            (None, None) => Ok(()),
        }
    }
}
