//! What a node does when master says something: each instruction is carried out in one place.

use super::record::Record;
use super::{Broken, Effect, Neighbour, Node, Waiting};
use crate::account::{Incoming, Outgoing};
use crate::id::Place;
use crate::messages::{Instruction, Opening, Peer, Reply};

impl Node {
    /// Master's next instruction, as an [input](super::Input::Instruction) that need not be moved.
    ///
    /// # Errors
    ///
    /// A rule was broken: the node must not go on.
    #[inline]
    pub fn instruct(
        &mut self,
        instruction: &Instruction,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        match instruction {
            _ if self.waiting.is_some() => {
                return Err(Broken::NotAskedFor(format!("{instruction:?}")));
            }
            Instruction::Truncate { waiting } => {
                self.truncate(waiting);
                return Ok(());
            }
            Instruction::Resume if self.halted => {
                self.instructions += 1;
                self.halted = false;
                return self.go_on(effects);
            }
            _ => {}
        }
        self.instructions += 1;
        if self.lasting.as_ref().is_some_and(|it| it.is_said_again()) {
            return self.carry_out_once(instruction, effects);
        }
        if !self.halted {
            return self.carry_out(instruction, effects);
        }
        self.backlog.push_back(instruction.clone());
        Ok(())
    }

    /// Carries out what was kept until now, as far as nothing has to be waited for.
    pub(super) fn go_on(&mut self, effects: &mut Vec<Effect>) -> Result<(), Broken> {
        while self.waiting.is_none()
            && !self.halted
            && let Some(instruction) = self.backlog.pop_front()
        {
            self.carry_out(&instruction, effects)?;
        }
        Ok(())
    }

    pub(super) fn carry_out(
        &mut self,
        instruction: &Instruction,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        match *instruction {
            Instruction::Open(ref opening) => self.open(opening, effects),
            Instruction::Send { to, amount } => self.send(to, amount, effects)?,
            Instruction::Receive { from } => {
                let from = Incoming(self.from.get(from)?);
                self.waiting = Some(Waiting::Frame(from));
                effects.push(Effect::Take(from));
            }
            Instruction::AwaitTake { snapshot } => {
                self.waiting = Some(Waiting::Order(snapshot));
                self.go_on_taking(effects)?;
            }
            Instruction::Resume | Instruction::Truncate { .. } => {
                return Err(Broken::NotAskedFor(format!("{instruction:?}")));
            }
            Instruction::ReadAhead { from, frames } => {
                self.keep(|| Record::Ahead { from, frames });
                self.read_ahead(from, frames, effects)?;
            }
            Instruction::ReadToEnd { from } => {
                self.waiting = Some(Waiting::ToEnd);
                effects.push(Effect::ReadToEnd(Incoming(self.from.get(from)?)));
            }
            Instruction::Report => {
                self.keep(|| Record::Report);
                let balance = self.member.account().balance();
                effects.push(Effect::Reply(Reply::Balance { balance }));
            }
            Instruction::Forget { first, last } => self.forget(first, last, effects),
            Instruction::Load {
                seed,
                quota,
                others,
                pin,
            } => {
                self.start_load(seed, quota, effects);
                effects.push(Effect::RunFreely { others, pin });
                self.begin_what_was_ordered(effects)?;
            }
            Instruction::Rest => self.rest(),
            Instruction::Count => {
                let received = self.received_in_all();
                effects.push(Effect::Reply(Reply::Counted { received }));
            }
            Instruction::SentTo { ref peers } => {
                let transfers = self.sent_to(peers)?;
                effects.push(Effect::Reply(Reply::SentTo { transfers }));
            }
            Instruction::Settle { transfers } => self.settle(transfers),
        }
        Ok(())
    }

    pub(super) fn open(&mut self, opening: &Opening, effects: &mut Vec<Effect>) {
        self.keep(|| Record::Open(Box::new(opening.clone())));
        let Opening {
            outgoing,
            incoming,
            owing,
        } = opening;
        effects.push(Effect::Open {
            outgoing: outgoing.len(),
            incoming: incoming.len(),
        });
        for Peer { place, id } in outgoing {
            let to = Outgoing(self.outgoing.len());
            self.to.set(*place, to.0);
            self.outgoing.push(Neighbour::new(*id));
            for owed in self.member.open_out(*place) {
                if *owing {
                    self.send_frame(to, owed, effects);
                }
            }
            self.say(effects, |_| format!("opens its channel to node {id}"));
        }
        for Peer { place, id } in incoming {
            self.from.set(*place, self.incoming.len());
            self.incoming.push(Neighbour::new(*id));
            self.member.open_in(*place);
            self.say(effects, |_| format!("opens its channel from node {id}"));
        }
        effects.push(Effect::Reply(Reply::Opened));
    }

    /// Has a channel read ahead, as far as it was not received already.
    pub(super) fn read_ahead(
        &mut self,
        from: Place,
        frames: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        let from = Incoming(self.from.get(from)?);
        match frames.saturating_sub(self.frames_received(from)) {
            0 => effects.push(Effect::Reply(Reply::Ahead { frames: 0 })),
            wanted => {
                self.waiting = Some(Waiting::Ahead(wanted));
                effects.push(Effect::ReadAhead(from, wanted));
            }
        }
        Ok(())
    }

    pub(super) fn send(
        &mut self,
        to: Place,
        amount: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Broken> {
        self.keep(|| Record::Send { to, amount });
        let to = Outgoing(self.to.get(to)?);
        let sent = self.member.send(to, amount);
        let (balance, peer) = (self.member.account().balance(), self.outgoing[to.0].id);
        match sent {
            Some(frame) => {
                effects.push(Effect::Frame(to, frame));
                effects.push(Effect::Reply(Reply::Sent { balance }));
                self.say(effects, |_| {
                    format!("sends {amount} to node {peer}, balance {balance}")
                });
            }
            None => {
                effects.push(Effect::Reply(Reply::Refused { balance }));
                self.say(effects, |_| {
                    format!("refuses to send {amount} to node {peer}: the balance is too small")
                });
            }
        }
        Ok(())
    }
}
