//! Laying the channels of new nodes: a pipe for every ordered pair, handed over in tiles.

use std::time::{Duration, Instant};

use pipes::{HandOver, RawEnd};

use super::channels::Place;
use super::cluster::{Cluster, Member, OTHER_DESCRIPTORS, SIGNALS};
use bank::messages::Command;

/// The side of a tile of the mesh: so many nodes are connected with so many others at once. The
/// more, the fewer hand-overs; master holds four descriptors a pair meanwhile.
const LARGEST_TILE: usize = 16;

/// How long other processes of the user may keep the kernel from handing descriptors over.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(10);

impl Cluster {
    /// Makes the channels between every two of which at least one is new, and has them opened at
    /// both ends: the mesh is laid in tiles, so that one hand-over carries many ends. `owing`: see
    /// [`Command::Open`]. Calls `opening` for each command that will be answered.
    pub(super) fn connect(
        &mut self,
        old: &[Place],
        new: &[Place],
        owing: bool,
        mut opening: impl FnMut(Place),
    ) -> Result<(), pipes::Error> {
        let side = self.tile_side()?;
        let mut before: Vec<&[Place]> = old.chunks(side).collect();
        for block in new.chunks(side) {
            for other in before.iter().copied() {
                self.connect_tile(other, block, owing, &mut opening)?;
            }
            for (index, node) in block.iter().enumerate() {
                self.connect_tile(&block[..index], &[*node], owing, &mut opening)?;
            }
            before.push(block);
            self.flush()?;
        }
        Ok(())
    }

    /// Connects each of `rows` with each of `columns`; no node is in both.
    fn connect_tile(
        &mut self,
        rows: &[Place],
        columns: &[Place],
        owing: bool,
        opening: &mut impl FnMut(Place),
    ) -> Result<(), pipes::Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut to_columns: Vec<Vec<RawEnd>> = columns.iter().map(|_| Vec::new()).collect();
        for row in rows {
            let mut to_row = Vec::new();
            for to_column in &mut to_columns {
                let (forth, back) = (pipes::pipe()?, pipes::pipe()?);
                to_row.extend([forth.write, back.read]);
                to_column.extend([back.write, forth.read]);
            }
            self.open(*row, columns, to_row, owing)?;
            opening(*row);
        }
        for (column, ends) in columns.iter().zip(to_columns) {
            self.open(*column, rows, ends, owing)?;
            opening(*column);
        }
        Ok(())
    }

    /// Has a node open its channels to and from some peers.
    fn open(
        &mut self,
        node: Place,
        peers: &[Place],
        ends: Vec<RawEnd>,
        owing: bool,
    ) -> Result<(), pipes::Error> {
        self.hand_over(Member::Node(node), ends)?;
        let peers = peers.iter().map(|peer| self.ids[*peer]).collect();
        self.command(node, &Command::Open { peers, owing })
    }

    /// Hands pipe ends over; where too many are on their way, has those that were told to take
    /// theirs do so first.
    pub(super) fn hand_over(
        &mut self,
        to: Member,
        mut ends: Vec<RawEnd>,
    ) -> Result<(), pipes::Error> {
        let give_up = Instant::now() + HAND_OVER_TIMEOUT;
        let give_up = self
            .deadline
            .map_or(give_up, |deadline| deadline.min(give_up));
        let mut ready = Vec::new();
        loop {
            let hatch = match to {
                Member::Node(place) => &self.nodes[place].child.hatch,
                Member::Observer => match &self.observer {
                    Some(observer) => &observer.child.hatch,
                    None => return Ok(()),
                },
            };
            match hatch.hand_over(ends)? {
                HandOver::Later(back) if Instant::now() < give_up => ends = back,
                HandOver::Later(_) => return Err(pipes::Error::TooManyOnTheirWay),
                HandOver::Done | HandOver::Gone => return Ok(()),
            }
            self.flush()?;
            // Nothing tells when descriptors have arrived; but a signal ends the waiting.
            let pause = Instant::now() + Duration::from_millis(1);
            self.poller.wait(&mut ready, Some(pause))?;
            if ready.contains(&SIGNALS) {
                return Err(pipes::Error::TooManyOnTheirWay);
            }
            while Instant::now() < pause {
                std::thread::yield_now();
            }
        }
    }

    /// The side of a tile that leaves master enough descriptors.
    fn tile_side(&self) -> Result<usize, pipes::Error> {
        let limit = pipes::descriptor_limit()?.soft;
        let used = 3 * self.nodes.len() as u64 + OTHER_DESCRIPTORS;
        let pairs = limit.saturating_sub(used) / 4;
        Ok((pairs.isqrt() as usize).clamp(1, LARGEST_TILE))
    }
}
