//! An agent: the process of a host other than 0. It starts processes, lays the pipes of its host, and
//! carries frames, as host 0 says. It decides nothing.

use std::collections::VecDeque;
use std::path::PathBuf;

use pipes::{Deaths, Directory, HandOver, Hatch, Process, RawEnd, Token};
use rustc_hash::FxHashMap;

use crate::Error;
use crate::link::Link;
use crate::pump::Pump;
use crate::wire::{Control, EndOf, Introduction, Name, Side, Stream};

const DEATHS: Token = 0;

/// What an agent knows of its own host.
pub struct Setup<'a> {
    /// How it is called, of which build it is, and what is wrong with it.
    pub introduction: Introduction,
    /// Where programs are.
    pub programs: PathBuf,
    /// A directory for its processes to hold, which is locked meanwhile.
    pub held: Option<&'a Directory>,
    /// Runs errands, of which nothing is known here.
    pub run: Errands<'a>,
}

/// Whoever runs errands, and says what comes of them, or what is wrong.
pub type Errands<'a> = Box<dyn FnMut(&[u8]) -> Result<Vec<u8>, String> + 'a>;

/// A process of this host.
struct Running {
    process: Process,
    hatch: Hatch,
    /// The streams that begin with what it writes.
    written: Vec<Stream>,
    /// What could not be handed over yet, in order.
    later: VecDeque<(Vec<u8>, Vec<RawEnd>)>,
}

struct Agent<'a, L> {
    pump: Pump<L>,
    deaths: Deaths,
    /// Who has started this process.
    launcher: u32,
    setup: Setup<'a>,
    running: FxHashMap<Name, Running>,
    /// The other ends of pipes between processes of this host.
    halves: FxHashMap<Stream, RawEnd>,
}

/// Carries out what host 0 says, until that is that everything is over.
///
/// # Errors
///
/// Host 0, or the network, is gone; whatever ran here has ended.
pub fn serve<L: Link>(join: impl FnOnce() -> Result<L, Error>, setup: Setup) -> Result<(), Error> {
    // Threads that the network may start inherit what is held back.
    let deaths = Deaths::hold()?;
    let launcher = pipes::parent_pid();
    let mut pump = Pump::new(join()?)?;
    deaths.watch(&pump.poller, DEATHS)?;
    pump.say(0, Control::Hello(setup.introduction.clone()));
    let mut agent = Agent {
        pump,
        deaths,
        launcher,
        setup,
        running: FxHashMap::default(),
        halves: FxHashMap::default(),
    };
    let served = agent.run();
    for running in agent.running.values_mut() {
        running.process.kill();
    }
    for running in agent.running.values_mut() {
        running.process.wait()?;
    }
    match served {
        Ok(()) => agent.pump.link.end(),
        Err(_) => agent.pump.link.abandon(),
    }
    served
}

impl<L: Link> Agent<'_, L> {
    fn run(&mut self) -> Result<(), Error> {
        loop {
            let turn = self.pump.turn()?;
            for (from, said) in turn.said {
                if from == 0 && said == Control::Over {
                    return Ok(());
                }
                self.carry_out(said)?;
            }
            if !turn.ready.is_empty() {
                self.bury_the_dead()?;
            }
            self.hand_over_what_waits()?;
            let is_alone = turn.is_pulse && pipes::parent_pid() != self.launcher;
            if is_alone || !turn.silent.is_empty() {
                return Err(Error::Silent("0".to_owned()));
            }
        }
    }

    fn carry_out(&mut self, order: Control) -> Result<(), Error> {
        match order {
            Control::Start {
                name,
                program,
                arguments,
                input,
                output,
            } => {
                let started = self.start(name, &program, &arguments, input, output);
                let started = started.map_err(|error| error.to_string());
                self.pump.say(0, Control::Started(name, started));
            }
            Control::HandOver { to, what, ends } => {
                if let Err(error) = self.hand_over(to, what, &ends) {
                    self.pump.say(0, Control::Failed(error.to_string()));
                }
            }
            Control::Kill(name) => {
                if let Some(running) = self.running.get_mut(&name) {
                    running.process.kill();
                }
            }
            Control::Errand(what) => {
                let ran = (self.setup.run)(&what);
                self.pump.say(0, Control::Ran(ran));
            }
            _ => return Err(Error::Garbled),
        }
        Ok(())
    }

    fn start(
        &mut self,
        name: Name,
        program: &str,
        arguments: &[String],
        input: Stream,
        output: Stream,
    ) -> Result<u32, Error> {
        let path = self.setup.programs.join(program);
        let started = pipes::start(&path, arguments, self.setup.held)?;
        let pid = started.process.pid();
        self.pump.add_sink(input, 0, started.input)?;
        self.pump.add_source(output, 0, started.output)?;
        let running = Running {
            process: started.process,
            hatch: started.hatch,
            written: vec![output],
            later: VecDeque::new(),
        };
        self.running.insert(name, running);
        Ok(pid)
    }

    fn hand_over(&mut self, to: Option<Name>, what: Vec<u8>, ends: &[EndOf]) -> Result<(), Error> {
        let me = self.pump.link.me();
        let taken: Result<Vec<RawEnd>, Error> = ends.iter().map(|end| self.take(end)).collect();
        let taken = taken?;
        // Who is not there has died: the ends are closed, as if it had taken them.
        if let Some(running) = to.and_then(|to| self.running.get_mut(&to)) {
            let goes_out = |end: &&EndOf| end.side == Side::Write && end.other != me;
            let written = ends.iter().filter(goes_out).map(|end| end.stream);
            running.written.extend(written);
            running.later.push_back((what, taken));
        }
        Ok(())
    }

    /// Takes an end of a pipe. The first of both that is asked for has it made; the other one is kept, or
    /// it is where the stream comes from or goes to.
    fn take(&mut self, end: &EndOf) -> Result<RawEnd, Error> {
        if let Some(half) = self.halves.remove(&end.stream) {
            return Ok(half);
        }
        let pipe = pipes::pipe()?;
        let (wanted, other) = match end.side {
            Side::Write => (pipe.write, pipe.read),
            Side::Read => (pipe.read, pipe.write),
        };
        if end.other == self.pump.link.me() {
            self.halves.insert(end.stream, other);
        } else {
            match end.side {
                Side::Write => self.pump.add_source(end.stream, end.other, other)?,
                Side::Read => self.pump.add_sink(end.stream, end.other, other)?,
            }
        }
        Ok(wanted)
    }

    fn hand_over_what_waits(&mut self) -> Result<(), Error> {
        for running in self.running.values_mut() {
            while let Some((what, ends)) = running.later.pop_front() {
                if let HandOver::Later(back) = running.hatch.announce_frame(&what, ends)? {
                    running.later.push_front((what, back));
                    break;
                }
            }
        }
        Ok(())
    }

    fn bury_the_dead(&mut self) -> Result<(), Error> {
        while let Some(pid) = self.deaths.next()? {
            let found = self.running.iter().find(|(_, it)| it.process.pid() == pid);
            let Some(name) = found.map(|(name, _)| *name) else {
                self.deaths.forget(pid);
                continue;
            };
            if let Some(mut running) = self.running.remove(&name) {
                let death = running.process.wait()?;
                for stream in running.written {
                    self.pump.orphan(stream)?;
                }
                self.pump.say(0, Control::Died(name, death.into()));
            }
        }
        Ok(())
    }
}
