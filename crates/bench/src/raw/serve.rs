//! Commands without a bank: a command goes to a node, bytes go into a channel or come out of it, a
//! reply goes back. A window of commands is written at once and answered before the next.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::unistd;

use super::mesh::{self, Channels, Handed};
use super::{FRAME, pipe::read_whole};
use crate::cpus::{Affinity, Cpus};
use crate::error::{Error, While};
use crate::plan::Layout;
use crate::scripts::Step;

/// As long as the bank's command to send, and its reply.
const COMMAND: usize = 22;
const REPLY: usize = 22;
const SEND: u8 = 1;
const RECEIVE: u8 = 2;
const READ: usize = 64 * 1024;
/// A window and its replies fit into the pipes.
pub(crate) const LARGEST_WINDOW: usize = 2048;

/// Commands a second, a number of them at once.
pub(crate) fn measure(
    cpus: &Cpus,
    nodes: usize,
    steps: &[Step],
    window: usize,
) -> Result<f64, Error> {
    let mut children = cpus.apart(Affinity::One, || mesh::build(Layout::mesh(nodes), "serve"))?;
    let mut commands: Vec<Vec<u8>> = vec![Vec::new(); nodes];
    let mut replies = vec![0; READ];
    let began = Instant::now();
    for part in steps.chunks(window.min(LARGEST_WINDOW)) {
        for step in part {
            let (node, operation, peer) = match *step {
                Step::Send { from, to } => (from, SEND, to),
                Step::Receive { to, from, .. } => (to, RECEIVE, from),
            };
            let mut command = [0; COMMAND];
            command[0] = operation;
            command[1] = peer as u8;
            commands[node].extend(command);
        }
        for (child, commands) in children.iter_mut().zip(&commands) {
            if !commands.is_empty() {
                child
                    .commands
                    .write_all(commands)
                    .while_("command a raw child")?;
            }
        }
        for (child, commands) in children.iter_mut().zip(&mut commands) {
            let mut left = commands.len() / COMMAND * REPLY;
            while left > 0 {
                match child.replies.read(&mut replies).while_("read replies")? {
                    0 => return Err(Error::RawChild),
                    count => left -= count.min(left),
                }
            }
            commands.clear();
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    mesh::end(children)?;
    cpus.anywhere()?;
    Ok(steps.len() as f64 / seconds)
}

/// Round trips a second between this process and one child, with nothing in between.
pub(crate) fn measure_echo(cpus: &Cpus, affinity: Affinity, trips: u64) -> Result<f64, Error> {
    let mut child = cpus.apart(affinity, || {
        Command::new(crate::own_path()?)
            .args(["child", "echo"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .while_("start a raw child")
    })?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(mut stdin), Some(mut stdout)) = (stdin, stdout) else {
        return Err(Error::RawChild);
    };
    let mut reply = [0; REPLY];
    let mut seconds = 0.0;
    // The first time it may not be there yet.
    for trips in [1, trips] {
        let began = Instant::now();
        for _ in 0..trips {
            stdin
                .write_all(&[0; COMMAND])
                .while_("command a raw child")?;
            read_whole(&mut stdout, &mut reply)?;
        }
        seconds = began.elapsed().as_secs_f64();
    }
    drop(stdin);
    child.wait().while_("wait for a raw child")?;
    cpus.anywhere()?;
    Ok(trips as f64 / seconds)
}

/// The child that only answers.
pub(crate) fn echo() -> Result<(), Error> {
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let mut command = [0; COMMAND];
    loop {
        if unistd::read(&stdin, &mut command).while_("read a command")? == 0 {
            return Ok(());
        }
        unistd::write(&stdout, &[0; REPLY]).while_("answer")?;
    }
}

/// Both directions to one peer, with what is not written or not taken yet.
struct Peer {
    write: File,
    read: File,
    out: Vec<u8>,
    come: usize,
}

/// The child: carries out one window after the other.
pub(crate) fn child(handed: &Handed) -> Result<(), Error> {
    let Channels { write, read } = handed.open(false)?;
    let both = |(write, read): (Option<File>, Option<File>)| {
        let (out, come) = (Vec::new(), 0);
        Some(Peer {
            write: write?,
            read: read?,
            out,
            come,
        })
    };
    let mut peers: Vec<Option<Peer>> = write.into_iter().zip(read).map(both).collect();
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let (mut buffer, mut filled) = (vec![0; READ], 0);
    let mut taken = vec![0; READ];
    let mut replies: Vec<u8> = Vec::new();
    loop {
        match unistd::read(&stdin, &mut buffer[filled..]).while_("read commands")? {
            0 => return Ok(()),
            count => filled += count,
        }
        let whole = filled / COMMAND * COMMAND;
        for command in buffer[..whole].chunks_exact(COMMAND) {
            let at = usize::from(command[1]);
            if command[0] == SEND {
                let peer = peers.get_mut(at).and_then(Option::as_mut);
                peer.ok_or(Error::NotAChild)?.out.extend([7; FRAME]);
            } else {
                receive(&mut peers, at, &mut taken)?;
            }
            replies.extend([7; REPLY]);
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
        flush(&mut peers)?;
        let mut rest = &replies[..];
        while !rest.is_empty() {
            let count = unistd::write(&stdout, rest).while_("answer")?;
            rest = &rest[count..];
        }
        replies.clear();
    }
}

/// Takes a frame; before it waits, everybody else has what this child owes them.
fn receive(peers: &mut [Option<Peer>], at: usize, buffer: &mut [u8]) -> Result<(), Error> {
    loop {
        let peer = peers.get_mut(at).and_then(Option::as_mut);
        let peer = peer.ok_or(Error::NotAChild)?;
        if peer.come >= FRAME {
            peer.come -= FRAME;
            return Ok(());
        }
        flush(peers)?;
        if let Some(Some(peer)) = peers.get_mut(at) {
            peer.come += read_some(&mut peer.read, buffer)?;
        }
    }
}

fn read_some(from: &mut File, buffer: &mut [u8]) -> Result<usize, Error> {
    match from.read(buffer).while_("read from a channel")? {
        0 => Err(Error::RawChild),
        count => Ok(count),
    }
}

fn flush(peers: &mut [Option<Peer>]) -> Result<(), Error> {
    for peer in peers.iter_mut().flatten() {
        if !peer.out.is_empty() {
            let written = peer.write.write_all(&peer.out);
            written.while_("write to a channel")?;
            peer.out.clear();
        }
    }
    Ok(())
}
