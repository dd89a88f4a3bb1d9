//! The same systems on several hosts, with as little room between them as the longest frames allow.

use bank::member::Frame;

use crate::network::{Setup, Tag};
use crate::world::Disorder;
use crate::{
    a_massacre, crowd, disorder, each_seed, is_as_the_model_says, lasting, lasting_load,
    lasting_text, one_system, second_tag, shrunken, some_die, traffic, with_disorder,
};

/// Without deaths the longest frames are what a node has recorded.
const WINDOW: usize = 320;

/// With deaths they are what a dead one has left: all that was sent, perhaps. There is to be room for two.
fn window_with_deaths(text: &str) -> usize {
    const OF_A_TRANSFER: usize = 12;
    let sent = text.matches("Send").count();
    WINDOW.max(2 * (OF_A_TRANSFER * sent + 32))
}

#[test]
fn everything_is_as_on_one() {
    each_seed(150, |seed| {
        let text = match seed % 3 {
            0 => one_system(seed, false),
            1 => one_system(seed, true),
            _ => crowd(seed),
        };
        shrunken(&text, seed, |text, seed, schedule| {
            let window = match seed % 3 {
                1 => window_with_deaths(text),
                _ => WINDOW,
            };
            let disorder = Disorder {
                network: Setup::draw(seed, window),
                ..disorder(seed, 0)
            };
            is_as_the_model_says(text, seed, schedule, disorder)
        })
    });
}

#[test]
fn whoever_dies_the_money_adds_up() {
    each_seed(300, |seed| {
        let text = match seed % 4 {
            0 => one_system(seed, seed % 8 == 0),
            3 => crowd(seed),
            _ => traffic(seed),
        };
        shrunken(&text, seed, |text, seed, schedule| {
            let deaths = match seed % 4 {
                3 => a_massacre(text, seed),
                _ => some_die(seed),
            };
            let network = Setup::draw(seed, window_with_deaths(text));
            with_disorder(text, seed, schedule, Disorder { network, ..deaths })
        })
    });
}

#[test]
fn in_a_bank_that_lasts_nobody_notices_a_death() {
    each_seed(100, |seed| {
        let network = Setup::draw(seed, WINDOW);
        let run = |text: &str, seed, schedule| lasting(text, seed, schedule, network);
        shrunken(&lasting_text(seed), seed, run)
    });
}

#[test]
fn under_load_nothing_is_lost_whoever_dies() {
    // There is to be room for two parts of a snapshot, with what was on its way to a node.
    const WINDOW: usize = 16 * 1024;
    each_seed(20, |seed| {
        lasting_load::run(seed, Setup::draw(seed, WINDOW))
    });
}

#[test]
fn with_a_second_tag_snapshots_fail_their_audit() {
    each_seed(100, |seed| match second_tag::run(seed, None)? {
        None => Ok(()),
        Some(unsound) => Err(format!("with one tag: {unsound}")),
    });
    let markers_apart: Tag = |frame, _| usize::from(matches!(frame, Frame::Marker(_)));
    let at_random: Tag = |_, draw| draw.pick(2);
    for tag in [markers_apart, at_random] {
        let fails = |seed: &u64| second_tag::run(*seed, Some(tag)).unwrap().is_some();
        let failed = (1..=20).filter(fails).count();
        assert!(failed > 0, "nobody has noticed");
    }
}
