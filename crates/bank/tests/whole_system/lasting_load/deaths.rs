//! Who dies, what he had kept and what had got through.

use bank::id::Place;
use bank::master::{Fate, LastWords, Process};
use bank::messages::{Announcement, Answer, Reply};

use super::World;
use crate::pipe::AnyPipe;
use crate::world::Complaint;

impl World {
    /// Somebody is killed from outside; or, now and then, everybody.
    pub(super) fn kill_somebody(&mut self) -> Result<(), Complaint> {
        let deaths = &mut self.disorder.deaths[usize::from(self.is_resting)];
        *deaths = deaths.saturating_sub(1);
        self.watched = 0;
        let living = self.nodes.iter().filter(|(_, node)| !node.is_dead);
        let mut victims: Vec<_> = living.map(|(place, _)| Process::Node(*place)).collect();
        if self.observer.as_ref().is_some_and(|it| !it.is_dead) {
            victims.push(Process::Observer);
        }
        if victims.is_empty() {
            return Ok(());
        }
        if self.draw.pick(8) > 0 {
            victims = vec![victims[self.draw.pick(victims.len())]];
        }
        for victim in victims {
            match victim {
                Process::Node(place) => self.kill(place, true)?,
                Process::Observer => self.kill_observer(),
            }
        }
        Ok(())
    }

    fn kill_observer(&mut self) {
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
            self.close_observers_line(line);
        }
    }

    /// `is_whole`: not in the middle of the beginning of a segment.
    pub(super) fn kill(&mut self, place: Place, is_whole: bool) -> Result<(), Complaint> {
        let Some(process) = self.nodes.get_mut(&place).filter(|it| !it.is_dead) else {
            return Ok(());
        };
        process.is_dead = true;
        let keeps = process.unkept.is_empty() || self.draw.pick(2) == 0;
        if keeps {
            self.keep(place);
            if is_whole {
                self.compare_with_journal(place)?;
            }
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
        if let Some(line) = line {
            self.close_nodes_line(line);
        }
        for pipe in read_ends.into_values() {
            self.pipes[pipe].leave_unread();
        }
        for (announcement, end) in unseen {
            self.refuse(announcement, end);
        }
        Ok(())
    }

    /// Nobody takes an end that was announced.
    pub(super) fn refuse(&mut self, announcement: Announcement, end: usize) {
        match announcement {
            Announcement::Observer => self.close_nodes_line(end),
            Announcement::Incoming { .. } => self.pipes[end].leave_unread(),
            Announcement::Outgoing { .. } => self.pipes[end].lose(),
        }
    }

    fn close_nodes_line(&mut self, line: usize) {
        self.lines[line].orders.leave_unread();
        self.lines[line].reports.lose();
    }

    pub(super) fn close_observers_line(&mut self, line: usize) {
        self.lines[line].orders.lose();
        self.lines[line].reports.leave_unread();
    }

    pub(super) fn notice(&mut self, process: Process) -> Result<(), Complaint> {
        let mut left = LastWords {
            replies: Vec::new(),
            has_spoken: true,
        };
        match process {
            Process::Node(place) => {
                let process = self.process(place);
                process.is_noticed = true;
                let replies: Vec<Reply> = process.replies.written.drain(..).collect();
                if self.load.is_none() {
                    left.replies = replies;
                } else {
                    for reply in replies {
                        self.hear(place, reply)?;
                    }
                }
            }
            Process::Observer => {
                let observer = self.observer.as_mut().ok_or("no observer")?;
                // What was written and not read is read to its end, or lost.
                let answers: Vec<Answer> = observer.answers.written.drain(..).collect();
                if self.load.is_some() && self.draw.pick(2) == 0 {
                    for answer in answers {
                        self.hear_observer(answer)?;
                    }
                }
                // Then the next one is not told to watch.
                let load = self.load.as_ref();
                self.forgets &= !load.is_some_and(|load| load.has_rested());
            }
        }
        let heard = self.master.died(process, Fate::Signal(9), left);
        self.after(heard)
    }
}
