//! Master's own value starts the nodes of a load and opens their channels, as for a script; and it has them
//! come back, in a bank that lasts.

use super::options::SnapshotEvery;
use super::run::{Run, id_of, who};
use crate::master::shared::{Error, Stop};
use bank::id::Place;
use bank::master::{Effect, Load, Part, Plan};
use bank::script::{self, Statement};
use bank::topology::Shape;

impl Run<'_> {
    /// Starts and connects everybody, as a script would.
    pub(super) fn set_up(&mut self) -> Result<(), Error> {
        let (shape, nodes) = (self.options.topology, self.options.nodes);
        let amount = self.options.balance;
        let create = |place| script::Command::CreateNode {
            id: id_of(place),
            amount,
        };
        // A mesh is laid many channels at a time.
        let sparse = shape != Shape::Mesh;
        let channels = match sparse {
            true => shape.channels(nodes, self.seed),
            false => Vec::new(),
        };
        let connect = |(from, to)| script::Command::Connect { from, to };
        let commands = [script::Command::StartMaster { sparse }].into_iter();
        let commands = commands.chain(self.places().map(create));
        for command in commands.chain(channels.into_iter().map(connect)) {
            Stop::heed(self.patience, "the nodes to start")?;
            self.master.execute(&Statement { line: 0, command })?;
            self.carry_out()?;
        }
        match self.cluster.data {
            Some(_) => self.master.finish()?,
            None => self.master.pause()?,
        }
        self.carry_out()?;
        self.cluster.publish()?;
        while !self.master.is_idle() {
            self.wait(None)?;
            while self.cluster.say(&mut self.master)? {
                self.carry_out()?;
            }
            self.check("the nodes to open their channels")?;
        }
        let part = |place: Place| Part {
            peers: self.master.outgoing(place).to_vec(),
            quota: self.options.quota(place.index()),
            pin: self.options.pin.then_some(place.0),
        };
        self.load = Some(Load::new(Plan {
            seed: self.seed,
            nodes: self.places().map(part).collect(),
            watch: match self.options.snapshot_every {
                SnapshotEvery::Millis(every_ms) => Some((every_ms, self.options.concurrent)),
                SnapshotEvery::Never => None,
            },
        }));
        match self.caught {
            Some(signal) => Err(Stop::Signal(signal).into()),
            None => Ok(()),
        }
    }

    /// Does what master wants: so that everybody is started or, in a bank that lasts, comes back. Who has
    /// come back is told what the load is.
    pub(super) fn carry_out(&mut self) -> Result<(), Error> {
        loop {
            let mut effects = Vec::new();
            self.master.swap_effects(&mut effects);
            if effects.is_empty() {
                // Before the load there is nothing to be told again: it begins with everybody.
                for process in std::mem::take(&mut self.restarted) {
                    if let Some(load) = &self.load {
                        load.restarted(process, &mut effects);
                    }
                }
            }
            if effects.is_empty() {
                return Ok(());
            }
            self.do_all(effects)?;
        }
    }

    pub(super) fn do_all(&mut self, effects: Vec<Effect>) -> Result<(), Error> {
        effects
            .into_iter()
            .try_for_each(|effect| self.do_one(effect))
    }

    fn do_one(&mut self, effect: Effect) -> Result<(), Error> {
        match effect {
            Effect::StartObserver => {
                if let Some(data) = &mut self.cluster.data {
                    data.begin();
                }
                self.cluster.start_observer()?;
            }
            Effect::StartNode { place, id, deposit } => {
                self.cluster.start_node(place, id, deposit)?;
                self.master.started(Ok(()))?;
            }
            Effect::Instruct(node, instruction) => self.cluster.instruct(node, &instruction)?,
            Effect::Request(request) => self.cluster.request(&request)?,
            Effect::Connect(channels) => self.cluster.connect(&channels)?,
            Effect::Open(node, opening) => self.cluster.open(node, opening)?,
            Effect::Restart {
                process,
                answered,
                account,
                incarnation,
                tries,
            } => {
                let which = (account, incarnation);
                self.cluster.restart(process, which, answered, tries)?;
                self.master.restarted(process)?;
                self.restarted.push(process);
            }
            Effect::GiveUp(process, fate) => {
                let who = who(process);
                return Err(Stop::GivenUp { who, fate }.into());
            }
            Effect::Introduce(place) => self.cluster.introduce(place)?,
            Effect::Lay { from, to, laying } => self.cluster.lay(from, to, laying)?,
            Effect::Attach { from, to, received } => self.cluster.attach(from, to, received)?,
            Effect::Notify(notice) => self.tell(&notice.to_string())?,
            // A load is never given up.
            Effect::Keep(_) => {}
            other => {
                let what = format!("under load master wants {other:?}");
                return Err(Stop::Internal(what).into());
            }
        }
        Ok(())
    }
}
