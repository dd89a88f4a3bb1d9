//! A child that lies: the real program does the work, and one frame of what it says is spoilt.
//!
//! Master starts this program where it thinks that it starts `node` or `observer`. Commands and
//! pipe ends go straight to the real one, a child of this process; what the real one answers comes
//! through here.

use std::env;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use nix::sys::prctl;
use nix::sys::signal::Signal;

use super::plan::{Rogue, TAMPERINGS, Tampering};
use testing::master;

/// Tells this program, by way of master, who lies: see [`order`].
pub const VARIABLE: &str = "PIPEBANK_ROGUE";

/// `observer` or the id of a node, the number of the frame, and how it is spoilt.
pub fn order(rogue: &Rogue, ids: &[u64]) -> String {
    let who = match rogue.node {
        Some(at) => ids[at % ids.len()].to_string(),
        None => "observer".to_owned(),
    };
    let how = TAMPERINGS.iter().position(|how| *how == rogue.how);
    format!("{who} {} {}", rogue.frame, how.unwrap())
}

pub fn run(name: &str, arguments: &[String]) -> ExitCode {
    let order = env::var(VARIABLE).expect("a run of torture says who lies");
    let order: Vec<&str> = order.split(' ').collect();
    let me = if name == "node" { &arguments[0] } else { name };
    let mut real = Command::new(Path::new(master()).with_file_name(name));
    real.args(arguments);
    if me != order[0] {
        panic!("the real {name} cannot start: {}", real.exec());
    }
    // Whoever is killed takes the real one along, and master takes this one.
    prctl::set_pdeathsig(Signal::SIGKILL).unwrap();
    let mut real = real
        .env("PIPES_PARENT", std::process::id().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the real program starts");
    let (frame, how) = (order[1].parse().unwrap(), order[2].parse::<usize>());
    let replies = real.stdout.take().unwrap();
    // Master has gone: nothing is left to do.
    let _ = forward(replies, frame, TAMPERINGS[how.unwrap()]);
    let _ = real.kill();
    let _ = real.wait();
    ExitCode::SUCCESS
}

/// Copies frames (a length of two bytes, which counts itself), and spoils number `nth`.
fn forward(mut from: impl Read, nth: usize, how: Tampering) -> io::Result<()> {
    let mut to = io::stdout();
    let mut kept = Vec::new();
    for number in 0.. {
        let mut frame = vec![0; 2];
        if from.read_exact(&mut frame).is_err() {
            return Ok(());
        }
        let length = usize::from(u16::from_le_bytes([frame[0], frame[1]]));
        frame.resize(length, 0);
        from.read_exact(&mut frame[2..])?;
        if number == nth {
            match how {
                Tampering::Garbage => frame.fill(0xa5),
                Tampering::Oversized => frame = [&[0xff, 0xff][..], &[7; 70_000]].concat(),
                Tampering::Undersized => frame = vec![1, 0],
                Tampering::Truncated | Tampering::Stuck => frame.truncate(length / 2),
                Tampering::Replayed => frame = frame.repeat(2),
                // As much at once as a pipe takes.
                Tampering::Flood => frame = frame.repeat(1 + (64 << 10) / length),
                Tampering::Dropped => frame.clear(),
                Tampering::Swapped => std::mem::swap(&mut kept, &mut frame),
            }
        } else if number == nth + 1 {
            frame.append(&mut kept);
        }
        to.write_all(&frame)?;
        to.flush()?;
        if number == nth {
            match how {
                Tampering::Truncated => return Ok(()),
                // Until master kills this process, or has gone.
                Tampering::Flood => loop {
                    to.write_all(&frame)?;
                },
                Tampering::Stuck => loop {
                    thread::park();
                },
                _ => {}
            }
        }
    }
    Ok(())
}
