//! Who dies, what he had kept and what had got through.

use super::*;

impl World {
    /// Somebody is killed from outside; or, now and then, everybody.
    pub(super) fn kill_somebody(&mut self) {
        self.disorder.deaths = self.disorder.deaths.saturating_sub(1);
        let living = self.nodes.iter().filter(|(_, node)| !node.is_dead);
        let mut victims: Vec<_> = living.map(|(place, _)| Process::Node(*place)).collect();
        if self.observer.as_ref().is_some_and(|it| !it.is_dead) {
            victims.push(Process::Observer);
        }
        if victims.is_empty() {
            return;
        }
        if self.draw.pick(8) > 0 {
            victims = vec![victims[self.draw.pick(victims.len())]];
        }
        for victim in victims {
            match victim {
                Process::Node(place) => self.kill(place),
                Process::Observer => self.kill_observer(),
            }
        }
    }

    pub(super) fn kill_observer(&mut self) {
        let Some(observer) = &mut self.observer else {
            return;
        };
        observer.is_dead = true;
        observer.answers.cut_off(&mut self.draw);
        let lines: Vec<usize> = observer.lines.values().copied().collect();
        let unseen = std::mem::take(&mut observer.hatch);
        for line in &lines {
            self.lines[*line].orders.cut_off(&mut self.draw);
        }
        for line in lines.into_iter().chain(unseen) {
            self.close_observers_line(Some(line));
        }
    }

    pub(super) fn kill(&mut self, place: Place) {
        let Some(process) = self.nodes.get_mut(&place).filter(|it| !it.is_dead) else {
            return;
        };
        process.is_dead = true;
        let keeps = process.unkept.is_empty() || self.draw.pick(2) == 0;
        if keeps {
            self.keep(place);
        }
        // What was not kept has had no effect, nor has anything that was enqueued with it.
        let mut cut_off = |pipe: &mut dyn AnyPipe| match keeps {
            true => pipe.cut_off(&mut self.draw),
            false => pipe.lose(),
        };
        let process = self.nodes.get_mut(&place).expect("it was started");
        process.unkept.clear();
        cut_off(&mut process.replies);
        if let Some(line) = process.line {
            cut_off(&mut self.lines[line].reports);
        }
        for pipe in process.write_ends.values() {
            cut_off(&mut self.pipes[*pipe]);
        }
        process.instructions.leave_unread();
        let (line, read_ends) = (process.line, process.read_ends.clone());
        let unseen = std::mem::take(&mut process.announced);
        self.close_nodes_line(line);
        for pipe in read_ends.into_values() {
            self.close_read_end(Some(pipe));
        }
        for (announcement, end) in unseen {
            self.refuse(announcement, end);
        }
    }

    /// Nobody takes an end that was announced.
    pub(super) fn refuse(&mut self, announcement: Announcement, end: usize) {
        match announcement {
            Announcement::Observer => self.close_nodes_line(Some(end)),
            Announcement::Incoming { .. } => self.close_read_end(Some(end)),
            Announcement::Outgoing { .. } => self.close_write_end(Some(end)),
        }
    }

    pub(super) fn close_write_end(&mut self, pipe: Option<usize>) {
        if let Some(pipe) = pipe {
            self.pipes[pipe].lose();
        }
    }

    pub(super) fn close_read_end(&mut self, pipe: Option<usize>) {
        if let Some(pipe) = pipe {
            self.pipes[pipe].leave_unread();
        }
    }

    pub(super) fn close_nodes_line(&mut self, line: Option<usize>) {
        if let Some(line) = line {
            self.lines[line].orders.leave_unread();
            self.lines[line].reports.lose();
        }
    }

    pub(super) fn close_observers_line(&mut self, line: Option<usize>) {
        if let Some(line) = line {
            self.lines[line].orders.lose();
            self.lines[line].reports.leave_unread();
        }
    }

    pub(super) fn notice(&mut self, process: Process) -> Result<(), Complaint> {
        let replies = match process {
            Process::Node(place) => {
                let process = self.process(place);
                process.is_noticed = true;
                process.replies.written.drain(..).collect()
            }
            Process::Observer => Vec::new(),
        };
        let has_spoken = true;
        let left = LastWords {
            replies,
            has_spoken,
        };
        let heard = self.master.died(process, Fate::Signal(9), left);
        self.after(heard)
    }
}
