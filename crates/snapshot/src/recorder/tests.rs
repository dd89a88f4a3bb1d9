//! The rules one by one.

use alloc::string::ToString;
use alloc::vec;

use super::*;

type Three = Recorder<u32, &'static str, u64>;

const A: SnapshotId = SnapshotId(1);
const B: SnapshotId = SnapshotId(2);

/// A process with channels from and to processes 2 and 3.
fn process() -> Three {
    let mut recorder = Three::new();
    for other in [2, 3] {
        recorder.open_in(other);
        assert_eq!(recorder.open_out(other), []);
    }
    recorder
}

fn waiting(recorder: &Three, id: SnapshotId) -> Option<Vec<u32>> {
    recorder.waiting_for(id).map(Iterator::collect)
}

/// Closes the recording of these channels.
fn close(recorder: &mut Three, id: SnapshotId, channels: &[u32]) {
    for &from in channels {
        assert_eq!(recorder.on_marker(from, id, &"later"), Ok(None));
    }
}

fn channels<const N: usize>(states: [(u32, &[u64]); N]) -> BTreeMap<u32, Vec<u64>> {
    states
        .map(|(from, messages)| (from, messages.to_vec()))
        .into()
}

#[test]
fn the_initiator_records_its_state_and_waits_for_every_incoming_channel() {
    let mut recorder = process();
    assert_eq!(recorder.begin(A, &"now"), Ok(Markers(A)));
    assert_eq!(waiting(&recorder, A), Some(vec![2, 3]));
    assert!(!recorder.is_complete(A));
    close(&mut recorder, A, &[3, 2]);
    let part = recorder.hand_over(A).unwrap();
    assert_eq!(part.state, "now");
    assert_eq!(part.channels, channels([(2, &[]), (3, &[])]));
}

#[test]
fn the_first_marker_records_the_state_and_its_channel_as_empty() {
    let mut recorder = process();
    recorder.on_message(2, &10); // before the cut: in the state, not in the channel
    assert_eq!(recorder.on_marker(2, A, &"now"), Ok(Some(Markers(A))));
    assert_eq!(waiting(&recorder, A), Some(vec![3]));
    recorder.on_message(2, &20); // behind the marker: sent after the sender's cut
    close(&mut recorder, A, &[3]);
    let part = recorder.hand_over(A).unwrap();
    assert_eq!(
        (part.state, part.channels),
        ("now", channels([(2, &[]), (3, &[])]))
    );
}

#[test]
fn a_later_marker_closes_its_channel_with_what_came_since_the_cut_in_order() {
    let mut recorder = process();
    assert!(recorder.begin(A, &"now").is_ok());
    for message in [7, 5, 7] {
        recorder.on_message(2, &message);
    }
    recorder.on_message(3, &1);
    close(&mut recorder, A, &[2]);
    recorder.on_message(2, &9); // behind the marker
    recorder.on_message(3, &2);
    close(&mut recorder, A, &[3]);
    let part = recorder.hand_over(A).unwrap();
    assert_eq!(part.channels, channels([(2, &[7, 5, 7]), (3, &[1, 2])]));
}

#[test]
fn a_process_without_incoming_channels_is_complete_at_once() {
    let mut alone = Three::new();
    assert_eq!(alone.begin(A, &"alone"), Ok(Markers(A)));
    let part = alone.hand_over(A).unwrap();
    assert_eq!((part.state, part.channels), ("alone", BTreeMap::new()));
}

#[test]
fn channels_are_directed() {
    let mut recorder = Three::new();
    recorder.open_in(2);
    assert_eq!(recorder.open_out(3), []);
    assert!(recorder.begin(A, &"now").is_ok());
    assert_eq!(waiting(&recorder, A), Some(vec![2]));
    assert_eq!(recorder.outgoing().collect::<Vec<_>>(), [3]);
}

#[test]
fn snapshots_in_progress_at_once_are_recorded_apart() {
    let mut recorder = process();
    assert!(recorder.begin(B, &"first").is_ok());
    recorder.on_message(2, &1);
    assert_eq!(recorder.on_marker(3, A, &"second"), Ok(Some(Markers(A))));
    recorder.on_message(2, &2);
    close(&mut recorder, B, &[2]);
    recorder.on_message(2, &3);
    close(&mut recorder, A, &[2]);
    recorder.on_message(3, &4);
    close(&mut recorder, B, &[3]);

    assert_eq!(recorder.recorded().collect::<Vec<_>>(), [B, A]);
    let (a, b) = (
        recorder.hand_over(A).unwrap(),
        recorder.hand_over(B).unwrap(),
    );
    assert_eq!(
        (a.state, a.channels),
        ("second", channels([(2, &[2, 3]), (3, &[])]))
    );
    assert_eq!(
        (b.state, b.channels),
        ("first", channels([(2, &[1, 2]), (3, &[4])]))
    );
}

#[test]
fn a_new_outgoing_channel_is_owed_the_markers_in_the_order_of_recording() {
    let mut recorder = process();
    assert!(recorder.begin(B, &"b").is_ok());
    assert!(recorder.begin(A, &"a").is_ok());
    assert_eq!(recorder.open_out(4), [B, A]);
    assert_eq!(recorder.outgoing().collect::<Vec<_>>(), [2, 3, 4]);
    close(&mut recorder, B, &[2, 3]);
    assert_eq!(recorder.open_out(5), [B, A], "also of a complete one");
    assert!(recorder.hand_over(B).is_some());
    assert_eq!(recorder.open_out(6), [A], "but of none that is over");
}

#[test]
fn a_channel_that_opens_while_recording_is_waited_for() {
    let mut recorder = process();
    assert!(recorder.begin(A, &"now").is_ok());
    recorder.open_in(4);
    recorder.on_message(4, &8);
    assert_eq!(waiting(&recorder, A), Some(vec![2, 3, 4]));
    close(&mut recorder, A, &[2, 3, 4]);
    let part = recorder.hand_over(A).unwrap();
    assert_eq!(part.channels, channels([(2, &[]), (3, &[]), (4, &[8])]));
}

#[test]
fn a_channel_that_opens_reopens_a_complete_part() {
    let mut recorder = process();
    assert!(recorder.begin(A, &"now").is_ok());
    close(&mut recorder, A, &[2, 3]);
    assert!(recorder.is_complete(A));
    recorder.open_in(4);
    assert!(!recorder.is_complete(A));
    assert!(recorder.hand_over(A).is_none());
    close(&mut recorder, A, &[4]);
    assert!(recorder.hand_over(A).is_some());
}

#[test]
fn opening_an_open_end_again_changes_nothing() {
    let mut recorder = process();
    assert!(recorder.begin(A, &"now").is_ok());
    recorder.on_message(2, &1);
    close(&mut recorder, A, &[3]);
    let before = recorder.clone();
    recorder.open_in(2);
    recorder.open_in(3);
    assert_eq!(recorder.open_out(2), []);
    assert_eq!(recorder, before);
}

#[test]
fn only_a_complete_part_is_handed_over_and_only_once() {
    let mut recorder = process();
    assert!(recorder.hand_over(A).is_none());
    assert_eq!(waiting(&recorder, A), None);
    assert!(recorder.begin(A, &"now").is_ok());
    close(&mut recorder, A, &[2]);
    assert!(recorder.hand_over(A).is_none());
    close(&mut recorder, A, &[3]);
    assert_eq!(waiting(&recorder, A), Some(vec![]));
    assert!(recorder.hand_over(A).is_some());
    assert!(recorder.hand_over(A).is_none());
    assert_eq!(waiting(&recorder, A), None);
    assert!(!recorder.is_complete(A));
}

#[test]
fn a_snapshot_is_begun_at_most_once_at_a_process() {
    let mut recorder = process();
    let refused = Err(Error::AlreadyRecorded { id: A });
    assert!(recorder.on_marker(2, A, &"now").is_ok());
    assert_eq!(recorder.begin(A, &"again"), refused);
    close(&mut recorder, A, &[3]);
    let part = recorder.hand_over(A).unwrap();
    assert_eq!(part.state, "now");
    assert_eq!(
        recorder.begin(A, &"again"),
        refused,
        "also after it was handed over"
    );
}

#[test]
fn a_marker_that_cannot_be_is_refused_and_changes_nothing() {
    let mut recorder = process();
    assert!(recorder.on_marker(2, A, &"now").is_ok());
    assert!(recorder.begin(B, &"b").is_ok());
    close(&mut recorder, B, &[2, 3]);
    assert!(recorder.hand_over(B).is_some());
    let before = recorder.clone();
    for (from, id, error) in [
        (9, A, Error::UnknownChannel { from: 9, id: A }),
        (9, B, Error::UnknownChannel { from: 9, id: B }),
        (2, A, Error::SecondMarker { from: 2, id: A }),
        (3, B, Error::HandedOver { from: 3, id: B }),
    ] {
        assert_eq!(recorder.on_marker(from, id, &"later"), Err(error));
        assert_eq!(recorder, before);
    }
}

#[test]
fn errors_say_which_snapshot_and_which_channel() {
    let error = Error::SecondMarker { from: 2, id: A }.to_string();
    assert!(
        error.starts_with("second marker of snapshot 1 from process 2: "),
        "{error}"
    );
}

#[test]
fn what_is_over_leaves_no_trace_but_its_number() {
    let mut recorder = process();
    for id in (1..=1000).map(SnapshotId) {
        assert!(recorder.begin(id, &"now").is_ok());
        recorder.on_message(2, &id.0);
        close(&mut recorder, id, &[2, 3]);
        assert!(recorder.hand_over(id).is_some());
    }
    let mut at_once = process();
    at_once.handed_over.insert_all(1..=1000);
    assert_eq!(recorder, at_once);
}
