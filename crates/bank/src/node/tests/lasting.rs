//! What a node of a bank that lasts keeps, how it comes back, and what it says and sends again then.

use super::*;

/// A node of a bank that lasts with channels to and from the nodes at the places 1 and 2, and its journal.
struct Lasting {
    driven: Driven,
    journal: Vec<Record>,
    /// How many of its replies master has heard.
    answered: u64,
}

impl Lasting {
    fn new() -> Self {
        let mut lasting = Self {
            driven: driven(Restoring::new(NodeId(10), 100, false, 0)),
            journal: Vec::new(),
            answered: 0,
        };
        lasting.instruct(opening());
        lasting
    }

    /// Whatever it does is kept, and heard by master. Returns what is to be done then.
    fn step(&mut self, input: Input) -> Vec<Effect> {
        let effects = self.driven.step(input);
        let journal = &mut self.journal;
        self.driven
            .node
            .take_unkept(|kept| journal.extend(Record::all_in(kept).unwrap()));
        for effect in &effects {
            self.answered += u64::from(matches!(effect, Effect::Reply(_)));
        }
        effects
    }

    fn instruct(&mut self, instruction: Instruction) -> Vec<Effect> {
        self.step(Input::Instruction(instruction))
    }

    fn receive(&mut self, from: u32, frame: Frame) -> Vec<Effect> {
        let from = Place(from);
        self.instruct(Instruction::Receive { from });
        self.step(Input::Frame(frame))
    }

    fn begin(&mut self, snapshot: SnapshotId) -> Vec<Effect> {
        self.step(Input::Order(Order::Take { snapshot }));
        self.instruct(Instruction::AwaitTake { snapshot })
    }

    /// It dies, and comes back; master has heard so many of its replies.
    fn comes_back(mut self, answered: u64) -> Self {
        let mut restoring = Restoring::new(NodeId(10), 100, false, answered);
        for record in &self.journal {
            restoring.redo(&record.to_bytes()).unwrap();
        }
        self.driven = driven(restoring);
        self.answered = answered;
        self
    }

    /// What goes out again on a channel of which so much was received.
    fn sent_again(&self, to: Outgoing, received: u64) -> Vec<Frame> {
        let mut resending = Resending::new(NodeId(10), 100, &[(to, received)]);
        let again = |record: &Record| {
            let mut frames = Vec::new();
            let again = resending.redo(&record.to_bytes(), |_, frame| frames.push(frame));
            again.unwrap();
            frames
        };
        self.journal.iter().flat_map(again).collect()
    }
}

fn driven(restoring: Restoring) -> Driven {
    Driven {
        node: restoring.done().unwrap(),
        effects: Vec::new(),
    }
}

fn opening() -> Instruction {
    let peers = vec![peer(1), peer(2)];
    let (outgoing, incoming, owing) = (peers.clone(), peers, true);
    Instruction::Open(Box::new(Opening {
        outgoing,
        incoming,
        owing,
    }))
}

fn send(to: u32, amount: u64) -> Instruction {
    let to = Place(to);
    Instruction::Send { to, amount }
}

/// One that has sent, refused, received, begun a snapshot and received a marker of it.
fn busy() -> Lasting {
    let mut node = Lasting::new();
    node.instruct(send(1, 30));
    node.instruct(send(2, 500));
    node.receive(1, transfer(7));
    node.begin(FIRST);
    node.instruct(send(1, 20));
    node.receive(2, transfer(5));
    node.receive(2, Frame::Marker(FIRST));
    node
}

#[test]
fn whatever_is_done_is_in_a_record_before_it() {
    let mut node = Lasting::new();
    let sent = Effect::Frame(Outgoing(0), transfer(30));
    let told = reply(Reply::Sent { balance: 70 });
    assert_eq!(node.instruct(send(1, 30)), [sent, told]);
    node.instruct(send(1, 500));
    node.receive(2, transfer(7));
    node.receive(1, Frame::Marker(FIRST));
    node.begin(SnapshotId(2));
    node.instruct(Instruction::Report);
    let (first, last) = (FIRST, FIRST);
    node.instruct(Instruction::Forget { first, last });
    let (from, frames) = (Place(1), 2);
    node.instruct(Instruction::ReadAhead { from, frames });
    node.step(Input::Ahead(1));
    assert_eq!(
        node.journal.len() as u64,
        node.answered,
        "one for each reply"
    );
    assert_eq!(node.answered, 9);
}

#[test]
fn only_a_bank_that_lasts_keeps_records() {
    let mut node = Driven::new(1);
    node.begin(FIRST);
    node.instruct(send(1, 1));
    node.node
        .take_unkept(|kept| panic!("{kept:?} is to be kept"));
}

#[test]
fn who_comes_back_is_as_before() {
    let node = busy();
    let (before, answered) = (node.driven.node.clone(), node.answered);
    let after = node.comes_back(answered).driven.node;
    assert_eq!(after.member(), before.member());
    assert_eq!(after.instructions(), before.instructions());
    for slot in 0..2 {
        let (to, from) = (Outgoing(slot), Incoming(slot));
        assert_eq!(after.frames_sent(to), before.frames_sent(to));
        assert_eq!(after.frames_received(from), before.frames_received(from));
    }
    assert_eq!(after.frames_sent(Outgoing(0)), 3, "the marker counts");
    assert_eq!(after.frames_received(Incoming(1)), 2, "the marker counts");
}

#[test]
fn what_master_has_not_heard_is_answered_again_and_not_done_again() {
    let node = busy();
    let (all, balance) = (node.answered, node.driven.node.member().account().balance());
    assert_eq!(balance, 62);
    // All but the last four: AwaitTake, Send, and twice Receive.
    let mut node = node.comes_back(all - 4);
    let snapshot = FIRST;
    let from = Place(2);
    let (amount, recorded) = (5, false);
    let again = [
        (Instruction::AwaitTake { snapshot }, Reply::Began),
        (send(1, 20), Reply::Sent { balance: 57 }),
        (
            Instruction::Receive { from },
            Reply::Transfer { amount, balance },
        ),
        (
            Instruction::Receive { from },
            Reply::Marker { snapshot, recorded },
        ),
    ];
    for (instruction, said) in again {
        assert_eq!(node.instruct(instruction), [reply(said)]);
    }
    assert_eq!(node.driven.node.member().account().balance(), balance);
    let new = node.instruct(send(1, 1));
    let frame = Effect::Frame(Outgoing(0), transfer(1));
    assert_eq!(new, [frame, reply(Reply::Sent { balance: 61 })]);
}

#[test]
fn who_is_to_do_something_else_than_it_has_done_complains() {
    let all = busy().answered;
    let last = |instruction| busy().comes_back(all - 1).driven.try_step(instruction);
    for other in [
        Instruction::Receive { from: Place(1) },
        send(1, 20),
        Instruction::Report,
    ] {
        let refused = last(Input::Instruction(other));
        assert!(matches!(refused, Err(Broken::OtherThanKept { .. })));
    }
    let amount = busy()
        .comes_back(all - 3)
        .driven
        .try_step(Input::Instruction(send(1, 21)));
    assert!(matches!(amount, Err(Broken::OtherThanKept { .. })));
}

#[test]
fn a_journal_that_has_lost_its_end_is_found_out() {
    let node = busy();
    let (found, known) = (node.answered, node.answered + 1);
    let mut restoring = Restoring::new(NodeId(10), 100, false, known);
    for record in &node.journal {
        restoring.redo(&record.to_bytes()).unwrap();
    }
    let lost = restoring.done().map(|node| node.instructions());
    assert_eq!(lost, Err(Broken::TailLost { found, known }));
}

#[test]
fn who_has_a_new_pipe_from_somebody_says_what_it_has_received() {
    let mut node = busy();
    let received = |from: u32, laying, frames| {
        let from = Place(from);
        [reply(Reply::Received {
            from,
            laying,
            frames,
        })]
    };
    assert_eq!(node.step(Input::Laid(Place(1), 3)), received(1, 3, 1));
    assert_eq!(node.step(Input::Laid(Place(2), 4)), received(2, 4, 2));
    let mut early = driven(Restoring::new(NodeId(10), 100, false, 0));
    let nothing = early.step(Input::Laid(Place(2), 1));
    assert_eq!(nothing, received(2, 1, 0), "the channel is not open yet");
    let from = Place(1);
    node.instruct(Instruction::Receive { from });
    let waiting = node.step(Input::Laid(from, 5));
    assert_eq!(waiting, received(1, 5, 1), "whatever it waits for");
}

#[test]
fn what_was_not_received_is_sent_again() {
    let mut node = busy();
    let to = Outgoing(0);
    let all = [transfer(30), Frame::Marker(FIRST), transfer(20)];
    for received in 0..3 {
        let again = node.step(Input::Attached(Place(1), received as u64));
        assert_eq!(again, [Effect::SendAgain(to, received as u64)]);
        assert_eq!(node.sent_again(to, received as u64), all[received..]);
    }
    assert_eq!(node.step(Input::Attached(Place(1), 3)), []);
    let (found, known) = (3, 4);
    let more = node.driven.try_step(Input::Attached(Place(1), known));
    assert_eq!(more, Err(Broken::TailLost { found, known }));
    let early =
        driven(Restoring::new(NodeId(10), 100, false, 0)).step(Input::Attached(Place(1), 0));
    assert_eq!(early, [], "the channel is not open yet");
}

#[test]
fn markers_that_were_relayed_or_owed_are_sent_again_too() {
    let mut node = Lasting::new();
    node.receive(1, Frame::Marker(FIRST));
    let (outgoing, incoming, owing) = (vec![peer(3)], vec![peer(3)], true);
    node.instruct(Instruction::Open(Box::new(Opening {
        outgoing,
        incoming,
        owing,
    })));
    for to in 0..3 {
        assert_eq!(node.sent_again(Outgoing(to), 0), [Frame::Marker(FIRST)]);
        assert_eq!(node.sent_again(Outgoing(to), 1), []);
    }
}

#[test]
fn a_part_is_given_as_often_as_it_is_asked_for_until_it_is_to_be_forgotten() {
    let mut node = busy();
    node.receive(1, Frame::Marker(FIRST));
    let snapshot = FIRST;
    let give = Input::Order(Order::Give { snapshot });
    let given = node.step(give.clone());
    assert_eq!(
        given.last(),
        Some(&Effect::Report(Report::Given { complete: true }))
    );
    assert_eq!(node.step(give.clone()), given, "once more");
    let answered = node.answered;
    let mut node = node.comes_back(answered);
    assert_eq!(node.step(give.clone()), given, "after a death");
    let (first, last) = (FIRST, FIRST);
    node.instruct(Instruction::Forget { first, last });
    let nothing = [Effect::Report(Report::Given { complete: false })];
    assert_eq!(node.step(give.clone()), nothing);
    let answered = node.answered;
    let mut node = node.comes_back(answered);
    assert_eq!(node.step(give), nothing, "after another");
}

#[test]
fn an_order_to_take_may_come_again_at_any_time_and_in_any_order() {
    let (snapshot, second) = (FIRST, SnapshotId(2));
    let take = |snapshot| Input::Order(Order::Take { snapshot });
    let mut node = Lasting::new();
    for again in [second, snapshot, second, snapshot] {
        assert_eq!(node.step(take(again)), []);
    }
    for snapshot in [snapshot, second] {
        let begun = node.instruct(Instruction::AwaitTake { snapshot });
        assert_eq!(begun.last(), Some(&reply(Reply::Began)));
        assert_eq!(node.step(take(snapshot)), [], "it has begun");
    }
    let third = SnapshotId(3);
    node.instruct(Instruction::AwaitTake { snapshot: third });
    assert_eq!(node.step(take(second)), []);
    assert!(node.driven.node.is_waiting(), "for the third");
    assert_eq!(node.step(take(third)).last(), Some(&reply(Reply::Began)));
}

#[test]
fn nobody_is_given_up_because_the_observer_is_gone() {
    let mut node = Lasting::new();
    let snapshot = FIRST;
    node.instruct(Instruction::AwaitTake { snapshot });
    assert_eq!(node.step(Input::ObserverGone), []);
    assert!(node.driven.node.is_waiting());
    let begun = node.step(Input::Order(Order::Take { snapshot }));
    assert_eq!(begun.last(), Some(&reply(Reply::Began)));
}

#[test]
fn what_was_read_ahead_is_read_again_and_kept_once() {
    let mut node = Lasting::new();
    let (from, frames) = (Place(2), 3);
    let ahead = Instruction::ReadAhead { from, frames };
    node.instruct(ahead.clone());
    node.step(Input::Ahead(3));
    let (kept, answered) = (node.journal.len(), node.answered - 1);
    let mut node = node.comes_back(answered);
    let read = [Effect::ReadAhead(Incoming(1), 3)];
    assert_eq!(node.instruct(ahead), read, "what was there is lost");
    let again = node.step(Input::Ahead(3));
    assert_eq!(again, [reply(Reply::Ahead { frames })]);
    assert_eq!(node.journal.len(), kept);
    let sent = node.instruct(send(1, 30));
    assert_eq!(sent.last(), Some(&reply(Reply::Sent { balance: 70 })));
}

/// Nobody wants anything that was before, but what waits for these, of whom each has received so much.
fn truncate(waiting: &[(u32, u64)]) -> Instruction {
    let waiting = waiting.iter().map(|(to, received)| (Place(*to), *received));
    Instruction::Truncate {
        waiting: waiting.collect(),
    }
}

#[test]
fn what_somebody_waits_for_stays_in_the_journal() {
    let mut node = Lasting::new();
    node.driven = driven(Restoring::new(NodeId(10), 100, false, 0).with_segments_of(1));
    node.instruct(opening());
    node.instruct(send(1, 30));
    node.driven.node.next_segment().expect("it is time");
    node.instruct(send(1, 20));
    let mut needed = |waiting: &[(u32, u64)]| {
        assert_eq!(node.instruct(truncate(waiting)), [], "nothing is said");
        node.driven.node.first_segment_needed()
    };
    assert_eq!(needed(&[(1, 0)]), 1, "the first transfer was not received");
    assert_eq!(needed(&[(2, 0), (1, 0)]), 1);
    assert_eq!(needed(&[(2, 0), (1, 1)]), 2, "only the second was not");
    assert_eq!(node.driven.node.instructions(), 3, "those are not counted");
}

#[test]
fn what_master_may_say_again_stays_in_the_journal() {
    let mut node = Lasting::new();
    node.instruct(send(1, 30));
    node.instruct(send(1, 20));
    let mut node = node.comes_back(2);
    let lasting = node.driven.node.lasting.as_mut();
    lasting.expect("it lasts").enough = 1;
    node.driven.node.next_segment().expect("it is time");
    node.instruct(truncate(&[]));
    assert_eq!(node.driven.node.first_segment_needed(), 1);
    node.instruct(send(1, 20));
    node.instruct(truncate(&[]));
    assert_eq!(node.driven.node.first_segment_needed(), 2);
}

#[test]
fn who_comes_back_knows_what_was_before_the_segment_it_began_with() {
    let mut node = Lasting::new();
    node.driven = driven(Restoring::new(NodeId(10), 100, false, 0).with_segments_of(1));
    node.instruct(opening());
    node.instruct(send(1, 30));
    let image = node.driven.node.next_segment().expect("it is time");
    let restoring = Restoring::from_image(&image, false, 2).unwrap();
    node.driven = driven(restoring);
    node.instruct(truncate(&[(1, 0)]));
    assert_eq!(node.driven.node.first_segment_needed(), 1);
    node.instruct(truncate(&[(1, 1)]));
    assert_eq!(node.driven.node.first_segment_needed(), 2);
}
