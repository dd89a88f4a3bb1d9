//! What a channel has brought, as far as somebody wants to know it.

use pipes::{Fill, Receiver};

use bank::member::Frame;
use bank::node::Input;

pub(super) fn next_frame(incoming: &mut Receiver<Frame>) -> Result<Option<Input>, pipes::Error> {
    loop {
        if let Some(frame) = incoming.next_frame()? {
            return Ok(Some(Input::Frame(frame)));
        }
        match incoming.fill()? {
            Fill::More => {}
            Fill::Empty => return Ok(None),
            Fill::Ended => return Ok(Some(Input::End)),
        }
    }
}

pub(super) fn read_ahead(
    incoming: &mut Receiver<Frame>,
    frames: u64,
) -> Result<Option<Input>, pipes::Error> {
    /// What every frame between nodes takes at least: they are counted only where there are enough.
    const SMALLEST_FRAME: u64 = 14;
    while incoming.fill()? == Fill::More {}
    let there_may_be = incoming.buffered() as u64 / SMALLEST_FRAME;
    if there_may_be < frames && !incoming.is_ended() {
        return Ok(None);
    }
    let there_are = incoming.frames_ahead()?.len() as u64;
    let is_over = there_are >= frames || incoming.is_ended();
    Ok(is_over.then_some(Input::Ahead(there_are)))
}

/// Reads what a dead node has left: all of that is in the pipe, whose end of file may never come, where
/// somebody else holds it open. From another host it may still be on its way, and then its end is, too. A
/// part of a frame at the end was never sent.
pub(super) fn read_to_end(
    incoming: &mut Receiver<Frame>,
    may_be_far: bool,
) -> Result<Option<Input>, pipes::Error> {
    while incoming.fill()? == Fill::More {}
    if may_be_far && !incoming.is_ended() {
        return Ok(None);
    }
    Ok(Some(Input::Found(incoming.frames_ahead()?)))
}
