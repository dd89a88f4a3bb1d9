//! The network is MPI: one process of it a host.
//!
//! Each lane is a communicator of its own with one tag, so that MPI's non-overtaking rule (MPI 4.0,
//! section 3.5) is the promise of [`Link::receive`]. Sends are nonblocking, and their messages are kept
//! until MPI says that it has no more use for them.

use std::collections::VecDeque;
use std::mem;

use mpi::environment::Universe;
use mpi::ffi;
use mpi::point_to_point::Status;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{AsRaw, Communicator, MatchedReceiveVec, Source};

use crate::Error;
use crate::link::Link;
use crate::wire::{Host, Lane};

const TAG: i32 = 0;
const LANES: [Lane; 2] = [Lane::Control, Lane::Frames];

/// A process of MPI among others.
pub struct Mpi {
    universe: Universe,
    /// As in [`LANES`].
    lanes: [SimpleCommunicator; 2],
    /// Messages that MPI still reads, in order.
    sending: VecDeque<Sending>,
}

/// A message on its way out. Its bytes must stay where they are until the request is complete.
struct Sending {
    request: ffi::MPI_Request,
    message: Vec<u8>,
}

impl Mpi {
    /// Joins the others. To be called once; what is returned stays in the thread that has called.
    ///
    /// # Errors
    ///
    /// MPI was joined before.
    pub fn join() -> Result<Self, Error> {
        let joined = mpi::initialize_with_threading(mpi::Threading::Funneled);
        let (universe, _) =
            joined.ok_or_else(|| Error::Network("MPI was joined before".to_owned()))?;
        let world = universe.world();
        let lanes = [world.duplicate(), world.duplicate()];
        Ok(Self {
            universe,
            lanes,
            sending: VecDeque::new(),
        })
    }

    /// Lets go of the messages that have left.
    fn forget_sent(&mut self) -> Result<(), Error> {
        while let Some(first) = self.sending.front_mut() {
            let mut is_complete = 0;
            // SAFETY: the request is one that MPI_Isend has begun and that is not known to be complete;
            // no status is asked for.
            let outcome = unsafe {
                ffi::MPI_Test(
                    &mut first.request,
                    &mut is_complete,
                    ffi::RSMPI_STATUS_IGNORE,
                )
            };
            check(outcome, "MPI_Test")?;
            if is_complete == 0 {
                break;
            }
            self.sending.pop_front();
        }
        Ok(())
    }
}

impl Link for Mpi {
    fn me(&self) -> Host {
        self.lanes[0].rank() as Host
    }

    fn hosts(&self) -> usize {
        self.lanes[0].size() as usize
    }

    fn send(&mut self, to: Host, lane: Lane, message: Vec<u8>) -> Result<(), Error> {
        let communicator = &self.lanes[usize::from(lane == Lane::Frames)];
        let length = i32::try_from(message.len());
        let length = length.map_err(|_| Error::Network("a message is too long".to_owned()))?;
        let mut sending = Sending {
            // SAFETY: a constant of the library's.
            request: unsafe { ffi::RSMPI_REQUEST_NULL },
            message,
        };
        // SAFETY: the bytes are on the heap, where they are neither moved nor changed nor freed until the
        // request is complete: `sending` is only dropped then, or leaked.
        let outcome = unsafe {
            ffi::MPI_Isend(
                sending.message.as_ptr().cast(),
                length,
                ffi::RSMPI_UINT8_T,
                to as i32,
                TAG,
                communicator.as_raw(),
                &mut sending.request,
            )
        };
        if let Err(error) = check(outcome, "MPI_Isend") {
            mem::forget(sending);
            return Err(error);
        }
        self.sending.push_back(sending);
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<(Host, Lane, Vec<u8>)>, Error> {
        self.forget_sent()?;
        for (lane, communicator) in LANES.iter().zip(&self.lanes) {
            let any = communicator.any_process();
            if let Some(found) = any.immediate_matched_probe_with_tag(TAG) {
                let (bytes, status): (Vec<u8>, Status) = found.matched_receive_vec();
                return Ok(Some((status.source_rank() as Host, *lane, bytes)));
            }
        }
        Ok(None)
    }

    fn is_sending(&self) -> bool {
        !self.sending.is_empty()
    }

    fn end(self) {
        let Self {
            universe,
            lanes,
            sending,
        } = self;
        // Whatever nobody has received by now, nobody will miss; MPI may still read it.
        mem::forget(sending);
        drop(lanes);
        drop(universe);
    }

    fn abandon(self) {
        mem::forget(self);
    }
}

fn check(outcome: i32, call: &str) -> Result<(), Error> {
    match outcome == ffi::MPI_SUCCESS as i32 {
        true => Ok(()),
        false => Err(Error::Network(format!("{call} failed ({outcome})"))),
    }
}
