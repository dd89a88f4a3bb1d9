//! Who is silent, on a clock of its own.

use super::*;

/// Nothing comes through it; what is sent is lost.
struct Mute {
    me: Host,
}

impl Link for Mute {
    fn me(&self) -> Host {
        self.me
    }

    fn hosts(&self) -> usize {
        3
    }

    fn send(&mut self, _: Host, _: Lane, _: Vec<u8>) -> Result<(), Error> {
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<(Host, Lane, Vec<u8>)>, Error> {
        Ok(None)
    }

    fn is_sending(&self) -> bool {
        false
    }

    fn end(self) {}

    fn abandon(self) {}
}

/// Who is silent at this moment, and who was told that this host is there.
fn at(pump: &mut Pump<Mute>, now: Instant) -> (Vec<Host>, Vec<Host>) {
    let mut turn = Turn::default();
    pump.feel_pulses(now, &mut turn);
    let is_told = |host: &Host| {
        { pump.carrier.take_outbox(*host) }.is_some_and(|it| it.control == [Control::Alive])
    };
    (turn.silent, (0..3).filter(is_told).collect())
}

#[test]
fn who_says_nothing_for_long_is_silent_unless_nobody_could_have_heard_it() {
    let mut pump = Pump::new(Mute { me: 0 }).unwrap();
    let start = pump.next_pulse - PULSE;
    for second in 1..=20 {
        let now = start + PULSE * second;
        assert_eq!(at(&mut pump, now), (vec![], vec![1, 2]), "{second}");
        pump.heard[1] = now;
    }
    let late = start + PULSE * 21;
    assert_eq!(at(&mut pump, late).0, [2]);
    // This host was stopped: whatever was said meanwhile it has not heard.
    let back = late + 2 * SILENCE;
    assert_eq!(at(&mut pump, back).0, [0; 0]);
    assert_eq!(at(&mut pump, back + SILENCE / 2).0, [0; 0]);
}

#[test]
fn agents_listen_to_the_first_host_only() {
    let mut pump = Pump::new(Mute { me: 2 }).unwrap();
    let start = pump.next_pulse - PULSE;
    for second in 1..=20 {
        assert_eq!(at(&mut pump, start + PULSE * second), (vec![], vec![0]));
    }
    assert_eq!(at(&mut pump, start + PULSE * 21).0, [0]);
}
