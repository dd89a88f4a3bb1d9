//! Setting up a load: master's own value starts the nodes and opens their channels, as for a script.

use super::run::{Run, id_of};
use crate::master::mesh;
use crate::master::shared::{Error, Stop};
use bank::master::{Effect, Master, Setup};
use bank::script::{self, Statement};
use bank::topology::Shape;

impl Run<'_> {
    /// Starts and connects everybody, as a script would.
    pub(super) fn set_up(&mut self) -> Result<(), Error> {
        let mut master = Master::new(Setup {
            seed: self.seed,
            window: usize::MAX,
            tile: mesh::tile(Some(self.nodes as u64))?,
            history: false,
            lasting: false,
        });
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
            master.execute(Statement { line: 0, command })?;
            self.carry_out(&mut master)?;
        }
        master.pause()?;
        self.carry_out(&mut master)?;
        self.cluster.publish()?;
        while !master.is_idle() {
            self.wait(None)?;
            while self.cluster.say(&mut master)? {
                self.carry_out(&mut master)?;
            }
            self.check("the nodes to open their channels")?;
        }
        let peers = self.places().map(|place| master.outgoing(place).to_vec());
        self.peers = peers.collect();
        match self.caught {
            Some(signal) => Err(Stop::Signal(signal).into()),
            None => Ok(()),
        }
    }

    /// Does what master wants while everybody is started.
    fn carry_out(&mut self, master: &mut Master) -> Result<(), Error> {
        loop {
            let mut effects = Vec::new();
            master.swap_effects(&mut effects);
            if effects.is_empty() {
                return Ok(());
            }
            for effect in effects {
                match effect {
                    Effect::StartObserver => self.cluster.start_observer()?,
                    Effect::StartNode { place, id, deposit } => {
                        self.cluster.start_node(place, id, deposit)?;
                        master.started(Ok(()))?;
                    }
                    Effect::Request(request) => self.cluster.request(&request)?,
                    Effect::Connect(channels) => self.cluster.connect(&channels)?,
                    Effect::Open(node, opening) => self.cluster.open(node, opening)?,
                    other => {
                        let what = format!("before the load master wants {other:?}");
                        return Err(Stop::Internal(what).into());
                    }
                }
            }
        }
    }
}
