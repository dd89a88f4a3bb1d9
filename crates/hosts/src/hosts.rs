//! All hosts, as one who starts processes and lays pipes on them sees them: on host 0.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pipes::{Death, Deaths, Poller, RawEnd, Token};

use crate::Error;
use crate::front::Front;
use crate::link::Link;
use crate::pump::SILENCE;
use crate::wire::{Control, EndOf, Host, Introduction, Name, Side, Stream};

/// How often somebody who waits for a host looks whether the run is to end.
const LOOK_UP: Duration = Duration::from_millis(50);

/// All hosts. Where there is only this one, nothing leaves it.
#[derive(Debug, Default)]
pub struct Hosts {
    others: Option<Others>,
}

#[derive(Debug)]
struct Others {
    names: Vec<String>,
    next: u64,
    carrier: Carrying,
    thread: Option<JoinHandle<()>>,
    /// In the end nobody is waited for.
    in_a_hurry: bool,
    trouble: Receiver<Error>,
    /// Something is there to be read when there is trouble.
    bell: pipes::Receiver<()>,
}

/// The way to the thread that carries.
#[derive(Clone, Debug)]
struct Carrying {
    queue: Sender<Task>,
    /// Whatever is written into it wakes the thread.
    wake: std::sync::Arc<RawEnd>,
}

impl Carrying {
    fn ask(&self, task: Task) {
        // Where the thread is gone, so is everything else.
        let _ = self.queue.send(task);
        let _ = self.wake.write(&[0]);
    }
}

/// What the thread is asked to do.
pub(crate) enum Task {
    Say(Host, Control),
    Start(Host, Control, Name, Answers),
    Errand(Host, Vec<u8>, Sender<Ran>),
    Source(Stream, Host, RawEnd),
    Sink(Stream, Host, RawEnd),
    /// Everything is over; whether the others are waited for.
    Over {
        in_a_hurry: bool,
    },
}

/// What has come of an errand.
pub(crate) type Ran = Result<Vec<u8>, String>;

/// Where it is told what becomes of a process.
pub(crate) struct Answers {
    pub(crate) started: Sender<Result<u32, String>>,
    pub(crate) died: Sender<Death>,
}

/// An end of a pipe, on the host of whoever will use it.
#[derive(Debug)]
pub enum End {
    /// On this host.
    Here(RawEnd),
    /// On another one.
    There(EndThere),
}

impl End {
    /// The end, for a process of this host.
    ///
    /// # Errors
    ///
    /// [`Error::WrongHost`]: it is on another one.
    pub fn here(self) -> Result<RawEnd, Error> {
        match self {
            Self::Here(end) => Ok(end),
            Self::There(_) => Err(Error::WrongHost),
        }
    }
}

/// An end of a pipe on another host; where this is dropped, it is closed there.
#[derive(Debug)]
pub struct EndThere {
    host: Host,
    end: EndOf,
    /// Nothing once it was handed over.
    carrier: Option<Carrying>,
}

impl Drop for EndThere {
    fn drop(&mut self) {
        if let Some(carrier) = &self.carrier {
            let ends = vec![self.end];
            let what = Vec::new();
            let to = None;
            carrier.ask(Task::Say(self.host, Control::HandOver { to, what, ends }));
        }
    }
}

/// A process on another host, without its pipes.
#[derive(Debug)]
pub struct Away {
    host: Host,
    name: Name,
    pid: u32,
    carrier: Carrying,
    died: Receiver<Death>,
    death: Option<Death>,
}

impl Away {
    /// On which host it is.
    #[must_use]
    pub fn host(&self) -> Host {
        self.host
    }

    /// Its pid, which is that of its host.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Has it killed, if it still runs.
    pub fn kill(&self) {
        let kill = Control::Kill(self.name);
        self.carrier.ask(Task::Say(self.host, kill));
    }

    /// How it ended. To be called after the end of what it said, or after [`Away::kill`].
    ///
    /// # Errors
    ///
    /// [`Error::Silent`] where its host says nothing.
    pub fn wait(&mut self) -> Result<Death, Error> {
        if self.death.is_none() {
            let death = self.died.recv_timeout(2 * SILENCE);
            let rank = || Error::Silent(format!("rank {}", self.host));
            self.death = Some(death.map_err(|_| rank())?);
        }
        self.death.ok_or(Error::Garbled)
    }

    /// Hands ends over to it, with a frame that says what they are for.
    ///
    /// # Errors
    ///
    /// [`Error::WrongHost`]: an end is not on its host. All of them are closed.
    pub fn hand_over(&self, what: Vec<u8>, ends: Vec<End>) -> Result<(), Error> {
        let is_its_own = |end: &End| matches!(end, End::There(it) if it.host == self.host);
        if !ends.iter().all(is_its_own) {
            return Err(Error::WrongHost);
        }
        let ends = ends.into_iter().filter_map(|end| match end {
            End::Here(_) => None,
            End::There(mut it) => {
                it.carrier = None;
                Some(it.end)
            }
        });
        let ends = ends.collect();
        let to = Some(self.name);
        let hand_over = Control::HandOver { to, what, ends };
        self.carrier.ask(Task::Say(self.host, hand_over));
        Ok(())
    }
}

/// Sends the other hosts on errands.
#[derive(Clone, Debug, Default)]
pub struct Errand {
    names: Vec<String>,
    carrier: Option<Carrying>,
}

impl Errand {
    /// How many hosts there are.
    #[must_use]
    pub fn hosts(&self) -> usize {
        self.names.len().max(1)
    }

    /// Has all other hosts do this, and waits until they have: what each says of it, in their order.
    ///
    /// # Errors
    ///
    /// One of them cannot.
    pub fn run(&self, what: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let others = 1..self.hosts();
        let asked: Vec<_> = others.map(|host| (host, self.ask(host, what))).collect();
        let asked = asked.into_iter();
        asked.map(|(host, ran)| self.answer(host, &ran)).collect()
    }

    /// Has another host do this, and waits until it has: what it says of it.
    ///
    /// # Errors
    ///
    /// It cannot, or there is no such host.
    pub fn run_on(&self, host: Host, what: &[u8]) -> Result<Vec<u8>, Error> {
        if !(1..self.hosts()).contains(&host) {
            return Err(Error::WrongHost);
        }
        self.answer(host, &self.ask(host, what))
    }

    fn ask(&self, host: Host, what: &[u8]) -> Receiver<Ran> {
        let (ran, answer) = mpsc::channel();
        if let Some(carrier) = &self.carrier {
            carrier.ask(Task::Errand(host, what.to_vec(), ran));
        }
        answer
    }

    fn answer(&self, host: Host, ran: &Receiver<Ran>) -> Result<Vec<u8>, Error> {
        let host = || self.names[host].clone();
        let ran = ran.recv_timeout(2 * SILENCE);
        ran.map_err(|_| Error::Silent(host()))?.map_err(|trouble| {
            let host = host();
            Error::Trouble { host, trouble }
        })
    }
}

impl Hosts {
    /// Whoever may send the others on errands.
    #[must_use]
    pub fn errand(&self) -> Errand {
        match &self.others {
            None => Errand::default(),
            Some(others) => Errand {
                names: others.names.clone(),
                carrier: Some(others.carrier.clone()),
            },
        }
    }

    /// Meets the others, who must be of the same build and ready.
    ///
    /// # Errors
    ///
    /// They are not, or `goes_on` says no.
    pub fn join<L: Link>(
        join: impl FnOnce() -> Result<L, Error> + Send + 'static,
        me: Introduction,
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<Self, Error> {
        // Every thread inherits what is held back.
        Deaths::hold()?;
        let (queue, tasks) = mpsc::channel();
        let (tell, trouble) = mpsc::channel();
        let (met, meet) = mpsc::channel();
        let (wake, bell) = (pipes::pipe()?, pipes::pipe()?);
        let mut ring = bell.write.into_sender();
        let own = me.clone();
        let carry = move || {
            let ended = Front::begin(join, wake.read, tasks, own, met).and_then(Front::run);
            if let Err(error) = ended {
                let _ = tell.send(error);
                let _ = ring.push(&()).and_then(|()| ring.flush());
            }
        };
        let thread = thread::Builder::new().name("hosts".to_owned()).spawn(carry);
        let thread = thread.map_err(|error| Error::Network(error.to_string()))?;
        let carrier = Carrying {
            queue,
            wake: wake.write.into(),
        };
        let mut others = Others {
            names: Vec::new(),
            next: 1,
            carrier,
            thread: Some(thread),
            in_a_hurry: false,
            trouble,
            bell: bell.read.into_receiver(),
        };
        others.names = wait(&meet, &mut goes_on).map_err(|interrupted| match interrupted {
            Some(error) => error,
            None => others.why(),
        })?;
        Ok(Self {
            others: Some(others),
        })
    }

    /// How many hosts there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.others.as_ref().map_or(1, |others| others.names.len())
    }

    /// How the hosts are called; none where there is only one.
    #[must_use]
    pub fn names(&self) -> &[String] {
        self.others.as_ref().map_or(&[], |others| &others.names)
    }

    /// How a host is called; nothing where there is only one.
    #[must_use]
    pub fn name(&self, host: Host) -> Option<&str> {
        self.names().get(host).map(String::as_str)
    }

    /// The run is cut short: in the end, the other hosts are not waited for. Who launched them ends them.
    pub fn hurry(&mut self) {
        if let Some(others) = &mut self.others {
            others.in_a_hurry = true;
        }
    }

    /// Has a poller say when there is trouble.
    ///
    /// # Errors
    ///
    /// The kernel refused.
    pub fn watch(&mut self, poller: &Poller, token: Token) -> Result<(), Error> {
        match &mut self.others {
            Some(others) => Ok(others.bell.watch(poller, token, true)?),
            None => Ok(()),
        }
    }

    /// Why there is trouble, after the poller has said so.
    #[must_use]
    pub fn trouble(&mut self) -> Option<Error> {
        self.others.as_mut()?.trouble.try_recv().ok()
    }

    /// A pipe from a process on one host to one on another, or on the same.
    ///
    /// # Errors
    ///
    /// No pipes are left.
    pub fn pipe(&mut self, from: Host, to: Host) -> Result<(End, End), Error> {
        let others = match &mut self.others {
            Some(others) if (from, to) != (0, 0) => others,
            _ => {
                let ends = pipes::pipe()?;
                return Ok((End::Here(ends.write), End::Here(ends.read)));
            }
        };
        let stream = others.next_stream();
        let there = |host, side, other| {
            let end = EndOf {
                stream,
                side,
                other,
            };
            let carrier = Some(others.carrier.clone());
            End::There(EndThere { host, end, carrier })
        };
        Ok(match (from, to) {
            (0, _) => {
                let ends = pipes::pipe()?;
                others.carrier.ask(Task::Source(stream, to, ends.read));
                (End::Here(ends.write), there(to, Side::Read, from))
            }
            (_, 0) => {
                let ends = pipes::pipe()?;
                others.carrier.ask(Task::Sink(stream, from, ends.write));
                (there(from, Side::Write, to), End::Here(ends.read))
            }
            _ => (there(from, Side::Write, to), there(to, Side::Read, from)),
        })
    }

    /// Starts a program on another host: its input, its output, and the process.
    ///
    /// # Errors
    ///
    /// It cannot be started, or `goes_on` says no.
    pub fn start(
        &mut self,
        host: Host,
        program: &str,
        arguments: Vec<String>,
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<(RawEnd, RawEnd, Away), Error> {
        let others = self.others.as_mut().ok_or(Error::Garbled)?;
        let (input, output) = (others.next_stream(), others.next_stream());
        let name = Name(input.0);
        let (to_child, from_child) = (pipes::pipe()?, pipes::pipe()?);
        let (started, answer) = mpsc::channel();
        let (died, death) = mpsc::channel();
        let carrier = others.carrier.clone();
        carrier.ask(Task::Sink(output, host, from_child.write));
        carrier.ask(Task::Source(input, host, to_child.read));
        let start = Control::Start {
            name,
            program: program.to_owned(),
            arguments,
            input,
            output,
        };
        carrier.ask(Task::Start(host, start, name, Answers { started, died }));
        let answer = wait(&answer, &mut goes_on);
        let answer = answer.map_err(|why| why.unwrap_or_else(|| others.why()))?;
        let host_name = others.names[host].clone();
        let pid = answer.map_err(|trouble| Error::Trouble {
            host: host_name,
            trouble,
        })?;
        let away = Away {
            host,
            name,
            pid,
            carrier,
            died: death,
            death: None,
        };
        Ok((to_child.write, from_child.read, away))
    }
}

/// Waits for an answer of the thread: nothing where that is gone.
fn wait<T>(answer: &Receiver<T>, goes_on: &mut impl FnMut() -> bool) -> Result<T, Option<Error>> {
    loop {
        match answer.recv_timeout(LOOK_UP) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Disconnected) => return Err(None),
            Err(RecvTimeoutError::Timeout) if goes_on() => {}
            Err(RecvTimeoutError::Timeout) => return Err(Some(Error::Interrupted)),
        }
    }
}

impl Others {
    fn next_stream(&mut self) -> Stream {
        self.next += 1;
        Stream(self.next)
    }

    /// Why the thread is gone.
    fn why(&self) -> Error {
        self.trouble.recv().unwrap_or(Error::Interrupted)
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        let in_a_hurry = self.in_a_hurry;
        self.carrier.ask(Task::Over { in_a_hurry });
        if let Some(thread) = self.thread.take() {
            // What it had to say, it has said.
            let _ = thread.join();
        }
    }
}
