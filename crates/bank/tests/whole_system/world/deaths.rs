//! Who dies, what has got through before, and who notices it when.

use bank::id::Place;
use bank::master::{Fate, LastWords, Process};

use super::processes::Life;
use super::{Complaint, World};
use crate::pipe::AnyPipe;

impl World {
    pub(super) fn pick_victim(&mut self) -> Option<Process> {
        let nodes = self.nodes.iter();
        let living = nodes.filter(|(_, node)| node.life != Life::Dead);
        let mut victims: Vec<_> = living.map(|(place, _)| Process::Node(*place)).collect();
        let observer = self.observer.as_ref();
        if observer.is_some_and(|observer| observer.life != Life::Dead) {
            victims.push(Process::Observer);
        }
        let stopped: Vec<_> = victims
            .iter()
            .filter(|victim| *self.life(**victim) == Life::Stopped)
            .copied()
            .collect();
        let victims = if stopped.is_empty() { victims } else { stopped };
        (!victims.is_empty()).then(|| victims[self.draw.pick(victims.len())])
    }

    /// Somebody is killed from outside.
    pub(super) fn kill_somebody(&mut self) {
        self.disorder.deaths = self.disorder.deaths.saturating_sub(1);
        match self.pick_victim() {
            Some(Process::Node(place)) => self.kill(place),
            Some(Process::Observer) => {
                for process in self.nodes.values_mut() {
                    process.orders.cut_off(&mut self.draw);
                    process.reports.leave_unread();
                }
                if let Some(observer) = &mut self.observer {
                    observer.life = Life::Dead;
                    observer.answers.cut_off(&mut self.draw);
                }
            }
            None => {}
        }
    }

    pub(super) fn kill(&mut self, place: Place) {
        let Some(process) = self.nodes.get_mut(&place) else {
            return;
        };
        if process.life == Life::Dead {
            return;
        }
        process.life = Life::Dead;
        process.replies.cut_off(&mut self.draw);
        process.reports.cut_off(&mut self.draw);
        process.instructions.leave_unread();
        process.orders.leave_unread();
        self.close_channels(place);
    }

    /// The ends that a dead node has are closed, or those that it is handed now.
    pub(super) fn close_channels(&mut self, place: Place) {
        for ((from, to), channel) in &mut self.channels {
            if *from == place {
                channel.cut_off(&mut self.draw);
            }
            if *to == place {
                channel.leave_unread();
            }
        }
    }

    pub(super) fn notice(&mut self, process: Process) -> Result<(), Complaint> {
        match process {
            Process::Node(place) => self.process(place).noticed[0] = true,
            Process::Observer => self.observer.as_mut().ok_or("no observer")?.noticed = true,
        }
        let heard = self
            .master
            .died(process, Fate::Signal(9), LastWords::default());
        self.after(heard)
    }
}
