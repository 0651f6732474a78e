//! Producers against a plain model: what a log has of a producer, one after the other, says what may come next.

use super::{Admission, BATCHES_TO_RETAIN, Destination, Origin, Producers, Remembered};
use crate::model::{ErrorCode, Offset};
use crate::record::control::EndTxnMarker;
use crate::record::header::{HEADER_SIZE, Header};
use crate::storage::{AppendError, snapshot, testing};
use proptest::prelude::*;
use std::collections::BTreeMap;

const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// What a log has of one producer.
#[derive(Clone, Copy, Debug)]
enum Event {
    Data { epoch: i16, first: i32, last: i32, offset: i64, is_transactional: bool },
    Marker { epoch: i16, coordinator_epoch: i32 },
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A sequence that is not given is the one that comes next.
    Send { producer: i64, epoch: i16, sequence: Option<i32>, records: i32, is_transactional: bool, origin: Origin },
    /// The coordinator's epoch is relative to the one that is known, too.
    End { producer: i64, epoch: i16, version: i16, coordinator_epoch: i32, commit: bool },
    /// The transaction could not be verified.
    Refuse { producer: i64, epoch: i16, sequence: i32 },
}

fn admission() -> impl Strategy<Value = Admission> {
    prop_oneof![Just(Admission::None), Just(Admission::Verified), Just(Admission::Added)]
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![4 => admission().prop_map(Origin::Client), 1 => admission().prop_map(Origin::Coordinator)]
}

/// Epochs are relative to the one that is known.
fn epoch() -> impl Strategy<Value = i16> {
    prop_oneof![1 => Just(-1), 6 => Just(0), 2 => Just(1)]
}

fn step() -> impl Strategy<Value = Step> {
    let sequence = prop_oneof![3 => Just(None), 2 => (0..6).prop_map(Some)];
    let send = (0i64..2, epoch(), sequence, 1..3, prop::bool::weighted(0.8), origin()).prop_map(
        |(producer, epoch, sequence, records, is_transactional, origin)| Step::Send {
            producer,
            epoch,
            sequence,
            records,
            is_transactional,
            origin,
        },
    );
    let end = (0i64..2, epoch(), 0i16..3, -1..2, any::<bool>()).prop_map(
        |(producer, epoch, version, coordinator_epoch, commit)| Step::End {
            producer,
            epoch,
            version,
            coordinator_epoch,
            commit,
        },
    );
    let refuse =
        (0i64..2, epoch(), 0..6).prop_map(|(producer, epoch, sequence)| Step::Refuse { producer, epoch, sequence });
    prop_oneof![6 => send, 3 => end, 1 => refuse]
}

/// The log of one producer, with what must come first while there is nothing.
#[derive(Default, Debug)]
struct History {
    events: Vec<Event>,
    refused: Option<(i16, i32)>,
}

#[derive(PartialEq, Eq, Debug)]
enum Expected {
    Taken,
    /// The batch at this offset is repeated.
    Repeats(i64),
    Refused(ErrorCode),
}

impl History {
    fn epoch(&self) -> Option<i16> {
        self.events.last().map(|event| match event {
            Event::Data { epoch, .. } | Event::Marker { epoch, .. } => *epoch,
        })
    }

    /// First and last sequence and offset of each batch of the known epoch that is remembered.
    fn batches(&self) -> Vec<(i32, i32, i64)> {
        let known = self.epoch();
        let of_epoch = self.events.iter().filter_map(|event| match event {
            Event::Data { epoch, first, last, offset, .. } if Some(*epoch) == known => Some((*first, *last, *offset)),
            _ => None,
        });
        let all: Vec<_> = of_epoch.collect();
        all[all.len().saturating_sub(BATCHES_TO_RETAIN)..].to_vec()
    }

    fn begun(&self) -> Option<i64> {
        let ended = self.events.iter().rposition(|event| matches!(event, Event::Marker { .. }));
        let behind = &self.events[ended.map_or(0, |at| at + 1)..];
        behind.iter().find_map(|event| match event {
            Event::Data { offset, is_transactional: true, .. } => Some(*offset),
            _ => None,
        })
    }

    fn coordinator_epoch(&self) -> i32 {
        let epochs = self.events.iter().rev().filter_map(|event| match event {
            Event::Marker { coordinator_epoch, .. } => Some(*coordinator_epoch),
            Event::Data { .. } => None,
        });
        epochs.into_iter().next().unwrap_or(-1)
    }

    fn next_sequence(&self) -> i32 {
        self.batches().last().map_or(0, |(_, last, _)| last + 1)
    }

    fn expect_data(&self, batch: &Header, origin: Origin) -> Expected {
        let (epoch, first, last) = (batch.producer_epoch, batch.base_sequence, batch.last_sequence());
        let is_client = matches!(origin, Origin::Client(_));
        let (Origin::Client(admission) | Origin::Coordinator(admission)) = origin else { unreachable!() };
        let batches = self.batches();
        let repeated = batches.iter().find(|known| (known.0, known.1) == (first, last));
        if let Some((.., offset)) = repeated.filter(|_| is_client && self.epoch() == Some(epoch)) {
            return Expected::Repeats(*offset);
        }
        if self.epoch().is_some_and(|known| epoch < known) {
            return Expected::Refused(ErrorCode::InvalidProducerEpoch);
        }
        let is_inside = self.begun().is_some() && self.epoch() == Some(epoch);
        if batch.is_transactional() && !is_inside && admission == Admission::None {
            return Expected::Refused(ErrorCode::InvalidTxnState);
        }
        let is_next = match self.epoch() {
            None => !self.refused.is_some_and(|(of, earliest)| of == epoch && first > earliest),
            Some(known) if known == epoch => first == self.next_sequence(),
            Some(_) => first == 0,
        };
        let begins_wrong = admission == Admission::Added && batches.is_empty() && first != 0;
        if is_client && (!is_next || begins_wrong) {
            return Expected::Refused(ErrorCode::OutOfOrderSequenceNumber);
        }
        if self.begun().is_some() && !batch.is_transactional() {
            return Expected::Refused(ErrorCode::InvalidTxnState);
        }
        Expected::Taken
    }

    fn expect_marker(&self, epoch: i16, version: i16, coordinator_epoch: i32) -> Expected {
        let is_older = self.epoch().is_some_and(|known| epoch < known);
        let is_of_the_next = version == 2 && self.epoch() == Some(epoch) && self.begun().is_some();
        if is_older || is_of_the_next {
            Expected::Refused(ErrorCode::InvalidProducerEpoch)
        } else if coordinator_epoch < self.coordinator_epoch() {
            Expected::Refused(ErrorCode::TransactionCoordinatorFenced)
        } else {
            Expected::Taken
        }
    }

    fn refuse(&mut self, epoch: i16, sequence: i32) {
        match self.refused {
            _ if !self.events.is_empty() => {}
            Some((of, earliest)) if epoch < of || (epoch == of && sequence >= earliest) => {}
            _ => self.refused = Some((epoch, sequence)),
        }
    }
}

fn header(producer: i64, epoch: i16, sequence: i32, records: i32) -> Header {
    let mut header = Header::parse(&[0; HEADER_SIZE]).unwrap();
    (header.producer_id, header.producer_epoch) = (producer, epoch);
    (header.base_sequence, header.last_offset_delta, header.records_count) = (sequence, records - 1, records);
    header
}

fn outcome(checked: Result<Option<Remembered>, AppendError>) -> Expected {
    match checked {
        Ok(None) => Expected::Taken,
        Ok(Some(known)) => Expected::Repeats(known.first_offset().0),
        Err(refused) => Expected::Refused(refused.code()),
    }
}

/// Both sides, and the end of the log.
#[derive(Default)]
struct Pair {
    model: BTreeMap<i64, History>,
    producers: Producers,
    end: i64,
}

impl Pair {
    fn check(&self, header: &Header, origin: Origin) -> Expected {
        let identity = testing::identity();
        outcome(self.producers.check(header, origin, &Destination { identity: &identity, offset: Offset(self.end) }))
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Send { producer, epoch, sequence, records, is_transactional, origin } => {
                let history = self.model.entry(producer).or_default();
                let epoch = history.epoch().unwrap_or(1) + epoch;
                let sequence = match origin {
                    Origin::Client(_) => sequence.unwrap_or(history.next_sequence()),
                    _ => -1,
                };
                let mut header = header(producer, epoch, sequence, records);
                header.attributes = if is_transactional { TRANSACTIONAL } else { 0 };
                let expected = history.expect_data(&header, origin);
                assert_eq!(self.check(&header, origin), expected, "{step:?} after {:?}", self.model[&producer]);
                if expected == Expected::Taken {
                    self.producers.apply(&header, Offset(self.end));
                    let (first, last, offset) = (sequence, header.last_sequence(), self.end);
                    let data = Event::Data { epoch, first, last, offset, is_transactional };
                    self.model.get_mut(&producer).unwrap().events.push(data);
                    self.end += i64::from(records);
                }
            }
            Step::End { producer, epoch, version, coordinator_epoch, commit } => {
                let history = self.model.entry(producer).or_default();
                let epoch = history.epoch().unwrap_or(1) + epoch;
                let coordinator_epoch = (history.coordinator_epoch() + coordinator_epoch).max(0);
                let mut header = header(producer, epoch, -1, 1);
                header.attributes = TRANSACTIONAL | CONTROL;
                let expected = history.expect_marker(epoch, version, coordinator_epoch);
                let begun = history.begun();
                let origin = Origin::Marker { transaction_version: version, coordinator_epoch };
                assert_eq!(self.check(&header, origin), expected, "{step:?} after {:?}", self.model[&producer]);
                if expected == Expected::Taken {
                    let marker = EndTxnMarker { commit, coordinator_epoch };
                    let ended = self.producers.apply_marker(&header, Offset(self.end), Some(marker));
                    assert_eq!(ended.map(|ended| ended.first_offset.0), begun);
                    let aborted = ended.and_then(|ended| ended.aborted()).map(|aborted| aborted.first_offset.0);
                    assert_eq!(aborted, begun.filter(|_| !commit));
                    self.model.get_mut(&producer).unwrap().events.push(Event::Marker { epoch, coordinator_epoch });
                    self.end += 1;
                }
            }
            Step::Refuse { producer, epoch, sequence } => {
                let history = self.model.entry(producer).or_default();
                let epoch = history.epoch().unwrap_or(1) + epoch;
                history.refuse(epoch, sequence);
                self.producers.note_refused(&header(producer, epoch, sequence, 1));
            }
        }
    }

    fn compare(&self) {
        let begun: Vec<_> = self.model.values().filter_map(History::begun).collect();
        assert_eq!(self.producers.first_unstable_offset(), begun.iter().min().map(|first| Offset(*first)));
        // A snapshot forgets only the batches before the last one.
        let read = snapshot::decode(&snapshot::encode(&self.producers)).unwrap();
        for (id, history) in &self.model {
            for producers in [&self.producers, &read] {
                let known = producers.get(*id);
                assert_eq!(known.map(|known| known.epoch), history.epoch());
                let Some(known) = known else { continue };
                assert_eq!(known.txn_first_offset.map(|first| first.0), history.begun());
                assert_eq!(known.coordinator_epoch, history.coordinator_epoch());
                assert_eq!(known.last_sequence() + 1, history.next_sequence());
            }
        }
        assert_eq!(read.first_unstable_offset(), self.producers.first_unstable_offset());
    }
}

proptest! {
    #[test]
    fn what_the_log_has_says_what_may_come(steps in proptest::collection::vec(step(), 0..80)) {
        let mut pair = Pair::default();
        for step in steps {
            pair.take(step);
            pair.compare();
        }
    }
}
