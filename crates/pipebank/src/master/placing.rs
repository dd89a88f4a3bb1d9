//! Where processes are: on this host or on another. Whoever wants a pipe between two of them, or a node,
//! need not know.

use hosts::{End, Host};

use super::cluster::Cluster;
use super::lasting::DataDir;
use super::process::{Body, Started};
use super::shared::Stop;
use bank::id::{NodeId, Place};
use bank::master::Process;

/// On which of so many hosts a node is: they are dealt out in the order of their creation.
pub(super) fn host_of(node: Place, hosts: usize) -> Host {
    node.index() % hosts
}

impl Cluster<'_> {
    fn host_of(&self, process: Process) -> Host {
        match process {
            Process::Observer => 0,
            Process::Node(place) => host_of(place, self.hosts.count()),
        }
    }

    /// A pipe from one process to another.
    pub(super) fn pipe(&mut self, from: Process, to: Process) -> Result<(End, End), hosts::Error> {
        let (from, to) = (self.host_of(from), self.host_of(to));
        self.hosts.pipe(from, to)
    }

    /// Starts the process of a node.
    pub(super) fn spawn_node(
        &mut self,
        place: Place,
        id: NodeId,
        deposit: u64,
        answered: Option<u64>,
    ) -> Result<Started, Stop> {
        let mut arguments = vec![id.to_string(), deposit.to_string()];
        arguments.extend(self.verbosity());
        if let Some(data) = &self.data {
            arguments.extend(data.arguments(place, answered));
        }
        let host = self.host_of(Process::Node(place));
        if self.hosts.count() > 1 {
            arguments.push("--hosts".to_owned());
        }
        if host == 0 {
            let held = self.data.as_ref().map(DataDir::held);
            return Ok(pipes::start(&self.programs.node, arguments, held)?.into());
        }
        let goes_on = || self.patience.is_left();
        match self.hosts.start(host, "node", arguments, goes_on) {
            Ok((input, output, away)) => Ok(Started {
                input,
                output,
                body: Body::There(away),
            }),
            Err(hosts::Error::Interrupted) => {
                Err(Stop::interrupted(self.patience, "a process to start"))
            }
            Err(error) => Err(error.into()),
        }
    }
}
