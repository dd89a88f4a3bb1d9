//! MPI by itself, beside which the bank on several hosts is measured (`scripts/hosts-check --measure`):
//! the same messages through the same calls, and nothing else.
//!
//! `mpirun -n 2 raw` prints the bytes a second of messages of 60 KiB from rank 0 to rank 1, and the
//! microseconds of a round trip of 24 bytes.
#![allow(clippy::expect_used)]

use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use pipebank_hosts::{Error, Lane, Link, Mpi};

const MESSAGE: usize = 60 * 1024;
const PING: usize = 24;
/// So many messages are on their way at most.
const AHEAD: u64 = 16;
const TIME: Duration = Duration::from_secs(3);
const ROUNDS: u32 = 20_000;

fn main() -> Result<(), Error> {
    let mut link = Mpi::join()?;
    match link.me() {
        0 => {
            let rate = stream(&mut link)?;
            let round_trip = ping(&mut link)?;
            let micros = round_trip.as_secs_f64() * 1e6;
            writeln!(
                stdout(),
                "stream {:.0} MB/s, round trip {micros:.1} µs",
                rate / 1e6
            )
            .expect("somebody reads");
        }
        _ => answer(&mut link)?,
    }
    link.end();
    Ok(())
}

fn next(link: &mut Mpi) -> Result<Vec<u8>, Error> {
    loop {
        if let Some((_, _, message)) = link.receive()? {
            return Ok(message);
        }
        std::thread::yield_now();
    }
}

/// Bytes a second.
fn stream(link: &mut Mpi) -> Result<f64, Error> {
    let start = Instant::now();
    let (mut sent, mut heard) = (0, 0);
    while start.elapsed() < TIME || heard < sent {
        if sent - heard < AHEAD && start.elapsed() < TIME {
            link.send(1, Lane::Frames, vec![7; MESSAGE])?;
            sent += 1;
        } else {
            next(link)?;
            heard += 1;
        }
    }
    Ok((sent as usize * MESSAGE) as f64 / start.elapsed().as_secs_f64())
}

fn ping(link: &mut Mpi) -> Result<Duration, Error> {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        link.send(1, Lane::Frames, vec![7; PING])?;
        next(link)?;
    }
    link.send(1, Lane::Frames, Vec::new())?;
    Ok(start.elapsed() / ROUNDS)
}

fn answer(link: &mut Mpi) -> Result<(), Error> {
    loop {
        match next(link)?.len() {
            0 => return Ok(()),
            MESSAGE => link.send(0, Lane::Control, vec![1])?,
            _ => link.send(0, Lane::Frames, vec![7; PING])?,
        }
    }
}
