//! A script is given up, and another one follows, in the bank that it has left.

use std::collections::BTreeMap;

use bank::master::{Abandoned, Folds, Image};
use bank::node::{Record, Restoring};
use bank::script::Known;

use super::again::written_and_read;
use super::check::nothing_is_lost;
use super::journal::{Entry, Kept};
use super::{Complaint, Place, World, master};

/// What the nodes of a bank have kept, by place.
type Journals = BTreeMap<Place, Kept>;

impl World {
    /// Everybody has died, and nobody wants the script any more.
    pub(super) fn give_up(&mut self) -> Result<(), Complaint> {
        self.given_up += 1;
        self.shown.clear();
        self.earlier.clear();
        let (round, left) = self.what_is_left()?;
        let (image, journals) = left.map_or((None, Journals::new()), |(image, journals)| {
            (Some(image), journals)
        });
        self.kept.insert(round, journals);
        // Whoever gives it up may die meanwhile, and it is given up once more.
        let again = self.what_is_left()?.1.map(|(image, _)| image);
        if again != image {
            return Err(format!(
                "given up twice, it leaves\n{image:?}\nand\n{again:?}"
            ));
        }
        self.outcomes.clear();
        self.noted = None;
        self.kept.retain(|it, _| *it == round);
        self.ended = round - 1;
        self.next = [image
            .as_ref()
            .map_or_else(String::new, |it| following(&it.known()))]
        .into();
        self.image = image;
        self.begin()
    }

    /// When a script has come to its end, it is the same whether master says what the bank is, or what was
    /// kept of it.
    pub(super) fn image_is_what_is_left(&self) -> Result<(), Complaint> {
        let (round, left) = self.what_is_left()?;
        let (image, journals) = left.unzip();
        let master = self.master.image();
        if image != master {
            return Err(format!("master leaves\n{master:?}\nand others\n{image:?}"));
        }
        let length = |kept: &Journals| kept.values().map(|it| it.records().len()).sum();
        let before: usize = self.kept.get(&round).map_or(0, length);
        match journals.as_ref().map_or(before, length) == before {
            true => Ok(()),
            false => Err("in a bank at rest something was left to be done".to_owned()),
        }
    }

    /// The bank that a script leaves which is not run again, and the journals of its nodes.
    fn what_is_left(&self) -> Result<(u64, Option<(Image, Journals)>), Complaint> {
        let ended = self
            .outcomes
            .iter()
            .filter(|it| **it == master::Kept::Ended);
        let round = self.first_round() + ended.count() as u64;
        let outcomes = self.outcomes.iter().cloned();
        let Some(mut bank) = Abandoned::new(self.opened().cloned(), outcomes) else {
            return Ok((round, None));
        };
        let mut journals = self.kept.get(&round).cloned().unwrap_or_default();
        let mut nodes = Folds::new();
        for (place, id, deposit) in bank.nodes() {
            let kept = { journals.entry(place) }.or_insert_with(|| Kept::new(id, deposit));
            let folded = kept.fold(Restoring::ALL_HEARD);
            let folded = folded.map_err(|broken| broken.to_string())?;
            nodes.insert(place, folded.as_it_is());
        }
        bank.settle(&mut nodes).map_err(|it| it.to_string())?;
        for (place, node) in &mut nodes {
            let journal = &mut journals.get_mut(place).ok_or("no journal")?.journal;
            let mut done = Vec::new();
            node.take_unkept(|bytes| done.push(bytes.to_vec()));
            for record in Record::all_in(&done.concat()).map_err(|it| it.to_string())? {
                match record {
                    Record::Open(_) | Record::Begin { .. } | Record::Forget { .. } => {}
                    record => return Err(format!("node {place} has done {record:?}")),
                }
            }
            journal.extend(done.into_iter().map(Entry::Records));
        }
        let image = bank.image(&nodes, |place, wanted| {
            journals[&place]
                .sent(wanted)
                .map_err(|broken| broken.to_string())
        });
        Ok((round, Some((written_and_read(image?)?, journals))))
    }
}

/// A script for a bank of which nobody knows in what state it is.
fn following(known: &Known) -> String {
    let mut script = "StartMaster\n".to_owned();
    for (id, _) in &known.nodes {
        script += &format!("RestartNode {id}\n");
    }
    let is_new = |id: &u64| known.nodes.iter().all(|(node, _)| node.0 != *id);
    let new = (0..).find(is_new).expect("nobody has all numbers");
    script += &format!("CreateNode {new} 0\n");
    if let (Some((old, _)), Some(_)) = (known.nodes.first(), &known.channels) {
        script += &format!("Connect {old} {new}\nConnect {new} {old}\n");
    }
    script += "ReceiveAll\nCollectState\n";
    let channels = known.channels.clone().unwrap_or_else(|| {
        let places = || (0..known.nodes.len()).map(Place::at);
        let all = places().flat_map(|from| places().map(move |to| (from, to)));
        all.filter(|(from, to)| from != to).collect()
    });
    for (from, to) in channels {
        let id = |place: Place| known.nodes[place.index()].0;
        script += &format!("Send {} {} 7\n", id(from), id(to));
    }
    for (id, _) in known.nodes.iter().take(2) {
        script += &format!("BeginSnapshot {id}\n");
    }
    script + "ReceiveAll\nCollectState\n"
}

/// Whatever was given up: all the money is there and, in a full mesh, in a snapshot.
pub fn check_what_follows(world: &World) -> Result<(), Complaint> {
    if world.given_up == 0 {
        return Ok(());
    }
    let Some(image) = &world.image else {
        return Ok(());
    };
    let known = image.known();
    nothing_is_lost(world, &known.nodes)?;
    let may_fail = |line: u64| {
        // Who lives cannot be started again, and there need be no snapshot yet.
        line <= 4 + known.nodes.len() as u64 || known.channels.is_some() || known.nodes.is_empty()
    };
    match world.failures.iter().find(|(line, _)| !may_fail(*line)) {
        None => Ok(()),
        Some((line, why)) => {
            let script = following(&known);
            Err(format!("line {line} of\n{script}fails: {why}"))
        }
    }
}
