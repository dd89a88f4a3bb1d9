//! How a session is brought to its end, whatever happens, and which exit status that makes.

use pipes::Patience;

use super::ending::Ending;
use super::session::Session;
use super::shared::{LAST_WORDS, Stop, status};

/// Has `run` drive the session, ends it, and returns its status.
pub(super) fn to_its_end<'p>(
    session: &mut Session<'p>,
    run: impl FnOnce(&mut Session<'p>) -> Result<(), Stop>,
) -> u8 {
    let seed = session.settings.seed;
    let ran = session.narrate(|| format!("the seed is {seed}"));
    let ran = ran.and_then(|()| session.tell_of_interruption());
    let ran = ran.and_then(|()| run(session));
    match ran.and_then(|()| session.finish()) {
        Ok(()) => standing(session),
        Err(stop) => end_early(session, stop),
    }
}

/// Tells the seed where the status says that somebody may want to see this again.
pub(super) fn tell_seed(session: &mut Session<'_>, status: u8) {
    if matches!(status, status::FAILED | status::BROKEN) {
        let seed = session.settings.seed;
        let told = format!("master: the seed was {seed} (--seed {seed} draws the same again)");
        last_words(session, &told);
    }
}

/// Tells something when the run is over: nobody is waited for any more.
pub(super) fn last_words(session: &mut Session<'_>, text: &str) {
    let _ = session.teller.tell(text, &Patience::brief(LAST_WORDS));
}

fn standing(session: &Session<'_>) -> u8 {
    match (session.broken, session.failed) {
        (true, _) => status::BROKEN,
        (false, true) => status::FAILED,
        (false, false) => status::DONE,
    }
}

fn end_early(session: &mut Session<'_>, stop: Stop) -> u8 {
    let patience = Patience::brief(LAST_WORDS);
    let _ = session.flush_results(&patience);
    session.results.give_up();
    // Whoever does not answer will not end by itself either.
    let ending = match stop {
        Stop::TimedOut { .. } => Ending::AtOnce,
        _ => Ending::Signalled,
    };
    let ended = session.end(ending, &patience);
    let lost = session.give_up_history(&patience);
    let status = match &stop {
        Stop::Strict => standing(session),
        stop => stop.status(),
    };
    if stop.is_silent() {
        return status;
    }
    last_words(session, &format!("master: {stop}"));
    if let Err(lost) = lost {
        last_words(session, &lost.to_string());
    }
    if let Err(error) = ended {
        last_words(session, &format!("master: {error}"));
    }
    status
}
