//! The definition of a consistent snapshot, checked on one that was collected.
//!
//! The recorder is an *algorithm*: it is right if markers travel and are counted as they should.
//! This is the *definition*, and nothing of the algorithm is in it: no marker, no order of events,
//! no recorder. It takes what every process says of its cut, and asks of each channel i → j
//! whether the two ends tell the same story.
//!
//! A channel is FIFO, so what has been received on it is always a beginning of what has been sent.
//! The cut divides both sequences:
//!
//! ```text
//!   sent by i          m1  m2  m3  m4  m5 ┆ m6  m7        ┆ the cut at i
//!   received by j      m1  m2  m3 ┆ m4  m5  …             ┆ the cut at j
//!                                  └─────┘
//!                              in transit at the cut
//! ```
//!
//! The snapshot is consistent when, on every channel, all that was received before the cut had
//! been sent before it (else there is an effect without its cause), and the recorded channel state
//! is the rest of what was sent. As sequences, both at once:
//!
//! > received before j's cut, followed by the recorded channel state = sent before i's cut
//!
//! Nothing is lost, doubled, invented, changed or out of order exactly when this holds. The
//! sequences themselves are long gone; a [`Tally`] of each stands for it, which the process keeps
//! as it goes and records together with its state. So the audit costs nothing while the system
//! runs but a tally a message, and is cheap enough to be made of every snapshot.
//!
//! What it cannot see: that a process changed its state without a message. That is for the caller,
//! who knows what a state means, and can check a state against its tallies.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::tally::Tally;

/// What one process reports of its cut. A channel without an entry is one without a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "P: Deserialize<'de> + Ord, M: Deserialize<'de>"))]
pub struct Part<P, M> {
    /// What it had sent at its cut, by destination.
    pub sent: BTreeMap<P, Tally>,
    /// What it had received at its cut, by source.
    pub received: BTreeMap<P, Tally>,
    /// What it recorded as in transit to it, by source, in order of arrival.
    pub channels: BTreeMap<P, Vec<M>>,
}

/// The part of a process that has neither sent nor received.
impl<P, M> Default for Part<P, M> {
    fn default() -> Self {
        Self {
            sent: BTreeMap::new(),
            received: BTreeMap::new(),
            channels: BTreeMap::new(),
        }
    }
}

/// Checks that the parts, by process, make up one consistent snapshot.
///
/// `value` is what the tallies were extended by for a message.
///
/// # Errors
///
/// The first channel, by source and then by destination, whose two ends disagree.
///
/// ```
/// use std::collections::BTreeMap;
/// use snapshot::{Part, Tally, audit};
///
/// // Process 1 had sent 300 and 400; process 2 had received the 300.
/// let mut one = Part::<u32, u64>::default();
/// one.sent.insert(2, Tally::default().extended_by([300, 400]));
/// let mut two = Part::default();
/// two.received.insert(1, Tally::default().extended_by([300]));
///
/// let lost = BTreeMap::from([(1, one.clone()), (2, two.clone())]);
/// let violation = audit(&lost, |&amount| amount).unwrap_err();
/// assert_eq!((violation.from, violation.to), (1, 2));
///
/// two.channels.insert(1, vec![400]); // recorded as in transit, the 400 is accounted for
/// assert!(audit(&BTreeMap::from([(1, one), (2, two)]), |&amount| amount).is_ok());
/// ```
pub fn audit<P: Ord + Copy, M>(
    parts: &BTreeMap<P, Part<P, M>>,
    value: impl Fn(&M) -> u64,
) -> Result<(), Violation<P>> {
    for (from, to) in channels(parts) {
        let sent = parts.get(&from).map(|sender| tally_of(&sender.sent, to));
        let arrived = parts.get(&to).map(|receiver| {
            let in_transit = receiver.channels.get(&from).into_iter().flatten();
            tally_of(&receiver.received, from).extended_by(in_transit.map(&value))
        });
        if let Some(reason) = disagreement(sent, arrived) {
            return Err(Violation { from, to, reason });
        }
    }
    Ok(())
}

/// The channel on which a snapshot is not consistent, and how.
///
/// Its text is a sentence for people: ``channel 1 → 2: 3 messages (700 in all) sent before the
/// cut, but 2 messages (400 in all) received before it or recorded as in transit: …``
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[error("channel {from} → {to}: {reason}")]
pub struct Violation<P> {
    /// The sender of the channel.
    pub from: P,
    /// The receiver of the channel.
    pub to: P,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What can be wrong with a channel. Everywhere, `sent` is what the sender sent before its cut;
/// `arrived` is what the receiver received before its cut or recorded as in transit.
///
/// It names the difference that the tallies show. Two faults on one channel may look like a third:
/// one message lost and another doubled is [`Reason::Different`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Reason {
    /// Fewer arrived than were sent: one that crosses the cut was not recorded.
    #[error(
        "{sent} sent before the cut, but {arrived} received before it or recorded as in \
         transit: the snapshot has lost what crosses the cut"
    )]
    Lost {
        /// Sent before the cut.
        sent: Tally,
        /// Received before the cut or recorded.
        arrived: Tally,
    },
    /// More arrived than were sent: an effect without its cause, or a message recorded twice.
    #[error(
        "{arrived} received before the cut or recorded as in transit, but {sent} sent before \
         it: the snapshot shows an effect without its cause, or a message twice"
    )]
    Extra {
        /// Sent before the cut.
        sent: Tally,
        /// Received before the cut or recorded.
        arrived: Tally,
    },
    /// As many arrived as were sent, but their sum is another.
    #[error(
        "{sent} sent before the cut, but {arrived} received before it or recorded as in transit: \
         as many, and yet not the same ones"
    )]
    Different {
        /// Sent before the cut.
        sent: Tally,
        /// Received before the cut or recorded.
        arrived: Tally,
    },
    /// As many arrived as were sent, with the same sum, but not in the same order, or not the same.
    #[error(
        "{sent} sent before the cut, and as many with the same sum received before it or recorded \
         as in transit, but in another order or of other values"
    )]
    Reordered {
        /// Sent before the cut.
        sent: Tally,
        /// Received before the cut or recorded.
        arrived: Tally,
    },
    /// Something arrived from a process that has no part in the snapshot.
    #[error(
        "{arrived} received before the cut or recorded as in transit, but the sender has no part \
         in the snapshot"
    )]
    SenderNotAMember {
        /// Received before the cut or recorded.
        arrived: Tally,
    },
    /// Something was sent to a process that has no part in the snapshot.
    #[error("{sent} sent before the cut, but the receiver has no part in the snapshot")]
    ReceiverNotAMember {
        /// Sent before the cut.
        sent: Tally,
    },
}

/// Every channel (from, to) that any part mentions.
fn channels<P: Ord + Copy, M>(parts: &BTreeMap<P, Part<P, M>>) -> BTreeSet<(P, P)> {
    let mut channels = BTreeSet::new();
    for (&process, part) in parts {
        channels.extend(part.sent.keys().map(|&to| (process, to)));
        channels.extend(part.received.keys().map(|&from| (from, process)));
        channels.extend(part.channels.keys().map(|&from| (from, process)));
    }
    channels
}

fn tally_of<P: Ord>(tallies: &BTreeMap<P, Tally>, end: P) -> Tally {
    tallies.get(&end).copied().unwrap_or_default()
}

/// Compares the ends of one channel; `None` for an end whose process has no part.
fn disagreement(sent: Option<Tally>, arrived: Option<Tally>) -> Option<Reason> {
    match (sent, arrived) {
        (Some(sent), Some(arrived)) if sent == arrived => None,
        (Some(sent), Some(arrived)) if arrived.count < sent.count => {
            Some(Reason::Lost { sent, arrived })
        }
        (Some(sent), Some(arrived)) if arrived.count > sent.count => {
            Some(Reason::Extra { sent, arrived })
        }
        (Some(sent), Some(arrived)) if arrived.sum != sent.sum => {
            Some(Reason::Different { sent, arrived })
        }
        (Some(sent), Some(arrived)) => Some(Reason::Reordered { sent, arrived }),
        (Some(sent), None) if sent != Tally::default() => Some(Reason::ReceiverNotAMember { sent }),
        (None, Some(arrived)) if arrived != Tally::default() => {
            Some(Reason::SenderNotAMember { arrived })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec;

    use super::*;

    /// The audit of one channel, 1 → 2: sent before the cut, received before it, recorded.
    fn audited(sent: &[u64], received: &[u64], recorded: &[u64]) -> Result<(), Violation<u32>> {
        let mut one = Part::default();
        one.sent
            .insert(2, Tally::default().extended_by(sent.iter().copied()));
        let mut two = Part::default();
        two.received
            .insert(1, Tally::default().extended_by(received.iter().copied()));
        two.channels.insert(1, recorded.to_vec());
        audit(&BTreeMap::from([(1, one), (2, two)]), |&amount| amount)
    }

    fn sentence(sent: &[u64], received: &[u64], recorded: &[u64]) -> String {
        audited(sent, received, recorded).unwrap_err().to_string()
    }

    #[test]
    fn received_and_recorded_together_are_what_was_sent() {
        assert_eq!(audited(&[], &[], &[]), Ok(()));
        assert_eq!(audited(&[1, 2, 3], &[1], &[2, 3]), Ok(()));
        assert_eq!(audited(&[1, 2, 3], &[], &[1, 2, 3]), Ok(()));
        assert_eq!(audited(&[1, 2, 3], &[1, 2, 3], &[]), Ok(()));
    }

    #[test]
    fn a_message_that_crosses_the_cut_unrecorded_is_lost() {
        assert_eq!(
            sentence(&[300, 400], &[300], &[]),
            "channel 1 → 2: 2 messages (700 in all) sent before the cut, but 1 message (300 \
             in all) received before it or recorded as in transit: the snapshot has lost what \
             crosses the cut"
        );
    }

    #[test]
    fn a_message_received_before_the_cut_but_sent_after_it_is_an_effect_without_its_cause() {
        assert_eq!(
            sentence(&[300], &[300, 400], &[]),
            "channel 1 → 2: 2 messages (700 in all) received before the cut or recorded as in \
             transit, but 1 message (300 in all) sent before it: the snapshot shows an \
             effect without its cause, or a message twice"
        );
        assert!(matches!(
            audited(&[300], &[], &[300, 300]).unwrap_err().reason,
            Reason::Extra { .. }
        ));
    }

    #[test]
    fn a_changed_message_is_found_by_the_sum() {
        assert_eq!(
            sentence(&[300, 400], &[300], &[401]),
            "channel 1 → 2: 2 messages (700 in all) sent before the cut, but 2 messages (701 in \
             all) received before it or recorded as in transit: as many, and yet not the same ones"
        );
    }

    #[test]
    fn swapped_messages_are_found_by_the_digest() {
        assert_eq!(
            sentence(&[300, 400], &[], &[400, 300]),
            "channel 1 → 2: 2 messages (700 in all) sent before the cut, and as many with the \
             same sum received before it or recorded as in transit, but in another order or of \
             other values"
        );
    }

    #[test]
    fn a_message_from_or_to_a_process_without_a_part_is_a_violation() {
        let tally = Tally::default().extended_by([7]);
        let audit_one = |part: Part<u32, u64>| audit(&BTreeMap::from([(1, part)]), |&value| value);

        let part = Part {
            sent: BTreeMap::from([(9, tally)]),
            ..Part::default()
        };
        let reason = Reason::ReceiverNotAMember { sent: tally };
        assert_eq!(
            audit_one(part),
            Err(Violation {
                from: 1,
                to: 9,
                reason
            })
        );

        let part = Part {
            received: BTreeMap::from([(9, tally)]),
            ..Part::default()
        };
        let reason = Reason::SenderNotAMember { arrived: tally };
        assert_eq!(
            audit_one(part),
            Err(Violation {
                from: 9,
                to: 1,
                reason
            })
        );

        let part = Part {
            channels: BTreeMap::from([(9, vec![7])]),
            ..Part::default()
        };
        assert_eq!(
            audit_one(part),
            Err(Violation {
                from: 9,
                to: 1,
                reason
            })
        );
    }

    #[test]
    fn an_unused_channel_to_a_process_without_a_part_is_none() {
        let part = Part::<u32, u64> {
            sent: BTreeMap::from([(9, Tally::default())]),
            received: BTreeMap::from([(9, Tally::default())]),
            channels: BTreeMap::from([(9, vec![])]),
        };
        assert_eq!(audit(&BTreeMap::from([(1, part)]), |&value| value), Ok(()));
    }

    #[test]
    fn each_direction_between_two_processes_is_a_channel_of_its_own() {
        let tally = Tally::default().extended_by([7]);
        let part = |other| Part::<u32, u64> {
            sent: BTreeMap::from([(other, tally)]),
            ..Part::default()
        };
        let mut parts = BTreeMap::from([(1, part(2)), (2, part(1))]);
        parts.get_mut(&2).unwrap().received.insert(1, tally);
        let reason = Reason::Lost {
            sent: tally,
            arrived: Tally::default(),
        };
        assert_eq!(
            audit(&parts, |&value| value),
            Err(Violation {
                from: 2,
                to: 1,
                reason
            })
        );
    }
}
