//! What a replay says after each event is what the events of random runs say.

use history::{Channel, Content, ProcessId, Replay, Tally, What};
use testing::histories::{history, seeds, systems};

#[test]
fn a_replay_knows_what_processes_record() {
    let mut recorded = 0;
    for seed in seeds(500) {
        let mut replay = Replay::default();
        for event in history(seed) {
            if let What::Record {
                process,
                snapshot,
                amount,
                ref sent,
                ref received,
            } = event.what
            {
                let before = &replay.processes()[&process];
                assert_eq!(before.balance, amount, "PIPEBANK_SEED={seed}");
                assert!(!before.recorded.contains(&snapshot));
                assert_eq!(tallies(&replay, process), (sent.clone(), received.clone()));
                replay.apply(&event.what);
                let after = &replay.processes()[&process];
                assert_eq!(after.recorded.last(), Some(&snapshot));
                recorded += 1;
            } else {
                replay.apply(&event.what);
            }
            if let What::Audit { snapshot, .. } = event.what {
                let mut processes = replay.processes().values();
                assert!(processes.all(|process| !process.recorded.contains(&snapshot)));
            }
        }
        assert!(!replay.is_running());
    }
    assert!(recorded > 1_000 || seeds(2).len() == 1);
}

fn tallies(replay: &Replay, process: ProcessId) -> (Vec<Tally>, Vec<Tally>) {
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for &peer in replay.processes().keys().filter(|peer| **peer != process) {
        let (to, from) = (peer, process);
        let outgoing = replay.channel(Channel { from, to }).sent;
        let (to, from) = (process, peer);
        let incoming = replay.channel(Channel { from, to }).received;
        for (tallies, passed) in [(&mut sent, outgoing), (&mut received, incoming)] {
            if passed.messages > 0 {
                tallies.push(Tally {
                    process: peer,
                    messages: passed.messages,
                    sum: passed.sum,
                });
            }
        }
    }
    (sent, received)
}

#[test]
fn a_replay_pairs_what_is_received_with_what_was_sent() {
    for seed in seeds(500) {
        for system in systems(seed) {
            let mut replay = Replay::default();
            for (index, event) in system.events.iter().enumerate() {
                assert_eq!(replay.events(), index as u64);
                let taken = replay.apply(&event.what);
                let message = system.message_of.get(&index);
                let message = message.map(|message| system.messages[*message]);
                let received = message.filter(|message| message.received == Some(index));
                let received = received.map(|message| (message.content, message.sent as u64));
                assert_eq!(
                    taken.map(|taken| (taken.content, taken.sent)),
                    received,
                    "PIPEBANK_SEED={seed}"
                );
            }
            let left = system.messages.iter().filter(|it| it.received.is_none());
            let mut left: Vec<(Channel, Content)> =
                left.map(|it| (it.channel, it.content)).collect();
            let channels = replay.channels();
            let mut in_transit: Vec<(Channel, Content)> = channels
                .flat_map(|(channel, now)| {
                    now.in_transit.iter().map(move |it| (channel, it.content))
                })
                .collect();
            // Stable: what is on one channel stays in its order.
            left.sort_by_key(|(channel, _)| *channel);
            in_transit.sort_by_key(|(channel, _)| *channel);
            assert_eq!(in_transit, left, "PIPEBANK_SEED={seed}");
            for (process, now) in replay.processes() {
                assert_eq!(now.is_dead, system.stays_dead(Some(*process)));
            }
        }
    }
}
