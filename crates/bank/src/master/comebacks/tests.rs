//! How a death is undone, case by case.

use super::*;
use crate::master::{Awaits, Setup};
use crate::messages::Answer;
use crate::script::read_lasting_script;

#[test]
fn channels_that_are_not_open_yet_are_not_laid_when_somebody_is_back() {
    let mut master = Master::new(Setup {
        seed: 1,
        window: 100,
        tile: 4,
        history: false,
        lasting: true,
    });
    let script = b"StartMaster\nCreateNode 1 0\nCreateNode 2 0\nSend 1 2 0\n";
    let mut statements = read_lasting_script(script).unwrap().into_iter();
    for statement in statements.by_ref().take(3) {
        master.execute(&statement).unwrap();
        if matches!(statement.command, Command::CreateNode { .. }) {
            master.started(Ok(())).unwrap();
        }
        while master.awaits() == Awaits::Word(Process::Observer) {
            master.hear_observer(Answer::Joined).unwrap();
        }
    }
    // The nodes are there, and the next line connects them.
    let first = Process::Node(Place::at(0));
    let fall_and_come_back = |master: &mut Master| {
        master.swap_effects(&mut Vec::new());
        let killed = Fate::Signal(9);
        master.died(first, killed, LastWords::default()).unwrap();
        master.restarted(first).unwrap();
        let mut effects = Vec::new();
        master.swap_effects(&mut effects);
        let laid = |it: &Effect| matches!(it, Effect::Lay { .. });
        effects.iter().filter(|it| laid(it)).count()
    };
    assert_eq!(fall_and_come_back(&mut master), 0);
    master.execute(&statements.next().unwrap()).unwrap();
    assert_eq!(fall_and_come_back(&mut master), 2);
}
