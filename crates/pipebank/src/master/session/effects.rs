//! What master wants done is done.

use super::Session;
use crate::master::chronicle::Chronicle;
use crate::master::cluster::Cluster;
use crate::master::ending::Ending;
use crate::master::shared::{Stop, fit};
use crate::master::table::table;
use bank::id::{NodeId, Place};
use bank::master::{Effect, NotStarted, Notice};

impl Session<'_> {
    /// Does what comes a million times a second, and is not moved for that; whether it is that.
    #[inline]
    pub(super) fn do_where_it_is(&mut self, effect: &Effect) -> Result<bool, Stop> {
        match effect {
            Effect::Instruct(node, instruction) => self.cluster.instruct(*node, instruction)?,
            Effect::Show { line, shown } => {
                if self.results.show(*line, shown)? {
                    self.flush_results(self.patience)?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn do_one(&mut self, effect: Effect) -> Result<(), Stop> {
        match effect {
            Effect::Instruct(..) | Effect::Show { .. } => {
                self.do_where_it_is(&effect)?;
            }
            Effect::Request(request) => self.cluster.request(&request)?,
            Effect::History(event) => {
                let (line, what) = *event;
                self.record(line, what);
                if self.chronicle.as_ref().is_some_and(Chronicle::is_full) {
                    self.write_history(self.patience)?;
                }
            }
            Effect::Fail { line, failed } => self.fail(line, &failed.0, &failed.1)?,
            Effect::Notify(notice) => {
                if let Notice::NodeDied(_, fate) | Notice::ObserverDied(fate) = &*notice
                    && self.cluster.data.is_none()
                {
                    self.failed = true;
                    self.broken |= fate.is_internal();
                }
                self.tell(&notice.to_string())?;
            }
            Effect::Table(rows) => {
                let rows = rows.iter().map(|row| (row, self.cluster.pid(row.place)));
                let text = table(rows);
                self.show(&fit(&text, self.teller.painter().columns()))?;
            }
            Effect::StartObserver => {
                if let Some(data) = &mut self.cluster.data {
                    data.begin();
                }
                self.cluster.start_observer()?;
                self.narrate(|| "starts the observer".to_owned())?;
            }
            Effect::StartNode { place, id, deposit } => self.start_node(place, id, deposit)?,
            Effect::Connect(channels) => {
                self.cluster.connect(&channels)?;
            }
            Effect::Open(node, opening) => {
                self.cluster.open(node, opening)?;
            }
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
            }
            Effect::GiveUp(process, fate) => {
                let who = self.name_of(process);
                return Err(Stop::GivenUp { who, fate });
            }
            Effect::Keep(kept) => {
                if let Some(data) = &mut self.cluster.data {
                    data.keep(*kept)?;
                }
            }
            Effect::Introduce(place) => self.cluster.introduce(place)?,
            Effect::Lay { from, to, laying } => self.cluster.lay(from, to, laying)?,
            Effect::Attach { from, to, received } => self.cluster.attach(from, to, received)?,
            Effect::Kill(node) => {
                if let Some(id) = self.master.id(node) {
                    self.narrate(|| format!("kills node {id}"))?;
                }
                self.cluster.kill(node);
            }
            Effect::EndAll => {
                self.heed()?;
                self.end_processes(Ending::Script, self.patience)?;
                if let Some(data) = &mut self.cluster.data {
                    data.remove()?;
                }
            }
        }
        Ok(())
    }

    /// Starts a node; where there is no room for it, nothing has changed.
    fn start_node(&mut self, place: Place, id: NodeId, deposit: u64) -> Result<(), Stop> {
        self.heed()?;
        let (present, size) = (self.cluster.size(), self.master.size());
        let needs = {
            let hosts = self.cluster.hosts.count();
            Cluster::needs(Some(present), size, hosts, self.tile as u64)
        };
        let outcome = match needs.shortage() {
            Some(shortage) => Err(NotStarted(format!(
                "cannot start another node: it takes {shortage}"
            ))),
            None => match self.cluster.start_node(place, id, deposit) {
                Err(Stop::Pipes(error)) if !matches!(error, pipes::Error::TooManyOnTheirWay) => {
                    Err(NotStarted(error.to_string()))
                }
                started => Ok(started?),
            },
        };
        if outcome.is_ok() {
            self.cluster.publish()?;
            let pid = self.cluster.pid(place);
            self.narrate(|| format!("starts node {id} (pid {pid})"))?;
        }
        Ok(self.master.started(outcome)?)
    }
}
