//! Deaths: for good, or until a restart, after which it is as if nothing had been.

use history::{Channel, ProcessId, What};

use super::{Life, Run};

impl Run {
    /// Somebody dies; what they did last may only be known by what is on their channels.
    pub(super) fn die(&mut self) {
        if self.params.restarts {
            return self.stop();
        }
        let Some(process) = self.draw.pick(&self.alive()) else {
            return;
        };
        self.is_lost = true;
        let mut inferred = Vec::new();
        for peer in self.alive() {
            let (from, to) = (process, peer);
            let channel = Channel { from, to };
            if self.channels.contains_key(&channel) && self.draw.one_in(3) {
                let state = self.processes[&process].state;
                let amount = self.draw.up_to(state.min(300));
                let number = self.put(channel, amount);
                inferred.push(What::Send {
                    channel,
                    amount,
                    number,
                    inferred: true,
                });
            }
        }
        let life = Life {
            is_dead: true,
            is_gone: true,
            restarts: 0,
        };
        self.processes.get_mut(&process).expect("a process").life = life;
        self.tell(What::Death {
            process: Some(process),
            reason: "killed by signal 9".into(),
        });
        inferred.into_iter().for_each(|what| self.tell(what));
    }

    /// Somebody dies, or the observer, who will be restarted.
    fn stop(&mut self) {
        let whom = match self.draw.one_in(4) {
            true => None,
            false => self.draw.pick(&self.alive()),
        };
        if !self.life(whom).is_dead {
            self.life(whom).is_dead = true;
            self.note_death(whom);
        }
    }

    /// Somebody who is dead is restarted; whether anybody was.
    pub(super) fn restart(&mut self) -> bool {
        let dead = self.those(|life| life.is_dead && !life.is_gone);
        let dead = dead.into_iter().map(Some);
        let observer = self.observer.is_dead.then_some(None);
        let Some(whom) = self.draw.pick(&dead.chain(observer).collect::<Vec<_>>()) else {
            return false;
        };
        self.note_restart(whom);
        let process = whom.and_then(|process| Some((process, self.processes.get_mut(&process)?)));
        if let Some((process, it)) = process {
            for (peer, snapshot) in std::mem::take(&mut it.owed) {
                self.send_marker(process, peer, snapshot);
            }
        }
        true
    }

    /// Now and then a process dies in the middle of whatever it does, and goes on with that.
    pub(super) fn interrupt(&mut self, next: &What) {
        let is_created = matches!(next, What::Create { .. });
        let Some(process) = next
            .process()
            .filter(|_| self.params.restarts && !is_created)
        else {
            return;
        };
        if self.draw.one_in(40) && !self.life(Some(process)).is_dead {
            self.note_death(Some(process));
            self.note_restart(Some(process));
        }
    }

    fn note_death(&mut self, process: Option<ProcessId>) {
        self.note(What::Death {
            process,
            reason: "killed by signal 9".into(),
        });
    }

    fn note_restart(&mut self, process: Option<ProcessId>) {
        let life = self.life(process);
        life.is_dead = false;
        life.restarts += 1;
        let incarnation = life.restarts + 1;
        self.note(What::Restarted {
            process,
            incarnation,
        });
    }

    fn life(&mut self, process: Option<ProcessId>) -> &mut Life {
        match process {
            Some(process) => &mut self.processes.get_mut(&process).expect("a process").life,
            None => &mut self.observer,
        }
    }
}
