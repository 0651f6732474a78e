//! What a partition knows of its producers, so that none writes twice, out of order or after it was fenced
//! (KIP-98, KIP-360; `ProducerStateManager`, `ProducerAppendInfo`).
//!
//! `check` reads only; `apply` records a batch that is certain to be appended, or was found in the log.

use super::error::AppendError;
use crate::model::{Offset, TimestampMs};
use crate::record::header::Header;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many batches back a repetition is recognised; clients keep no more requests in flight.
pub const BATCHES_TO_RETAIN: usize = 5;
const NO_PRODUCER_EPOCH: i16 = -1;
const NO_SEQUENCE: i32 = -1;
const NO_COORDINATOR_EPOCH: i32 = -1;

/// Who appends, which decides how much is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A producer: epoch and sequence count.
    Client,
    /// A coordinator of ours: no sequences, only the epoch.
    Coordinator,
}

/// One batch as it is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remembered {
    pub last_sequence: i32,
    pub last_offset: Offset,
    pub offset_delta: i32,
    pub timestamp: TimestampMs,
}

impl Remembered {
    pub fn first_offset(&self) -> Offset {
        Offset(self.last_offset.0 - i64::from(self.offset_delta))
    }

    fn first_sequence(&self) -> i32 {
        decrement_sequence(self.last_sequence, self.offset_delta)
    }
}

/// Sequences wrap from `i32::MAX` to 0.
fn decrement_sequence(sequence: i32, by: i32) -> i32 {
    if sequence < 0 { sequence } else { sequence.wrapping_sub(by) & i32::MAX }
}

/// One producer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Producer {
    pub epoch: i16,
    pub coordinator_epoch: i32,
    pub last_timestamp: TimestampMs,
    /// Where the producer's open transaction began.
    pub txn_first_offset: Option<Offset>,
    /// The last batches of this epoch, oldest first, in the first `count` places.
    batches: [Option<Remembered>; BATCHES_TO_RETAIN],
}

impl Producer {
    pub fn new(epoch: i16, coordinator_epoch: i32, last_timestamp: TimestampMs) -> Producer {
        let batches = [None; BATCHES_TO_RETAIN];
        Producer { epoch, coordinator_epoch, last_timestamp, txn_first_offset: None, batches }
    }

    pub fn last_batch(&self) -> Option<Remembered> {
        self.batches.iter().flatten().last().copied()
    }

    pub fn last_sequence(&self) -> i32 {
        self.last_batch().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    pub fn remember(&mut self, batch: Remembered) {
        debug_assert!(self.batches.is_sorted_by_key(Option::is_none), "the known batches stand first");
        match self.batches.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(batch),
            None => {
                self.batches.rotate_left(1);
                self.batches[BATCHES_TO_RETAIN - 1] = Some(batch);
            }
        }
    }

    fn enter_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches = [None; BATCHES_TO_RETAIN];
        }
    }
}

/// All producers of a partition.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Producers {
    by_id: HashMap<i64, Producer>,
    /// Where open transactions began, and whose they are.
    ongoing: BTreeSet<(Offset, i64)>,
    /// Of those of whom only batches are known that were taken back or refused for want of room: the epoch and the sequence
    /// that must come first. What they sent behind must not get in before it is sent again, though nothing else is known
    /// of them.
    taken_back: BTreeMap<i64, (i16, i32)>,
}

/// A transaction that a marker has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completed {
    pub first_offset: Offset,
    /// Behind the marker, once this one is no longer open.
    pub last_stable_offset: Offset,
}

impl Producers {
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.by_id.iter().map(|(id, producer)| (*id, producer))
    }

    #[cfg(test)]
    pub fn get(&self, producer_id: i64) -> Option<&Producer> {
        self.by_id.get(&producer_id)
    }

    /// What is known of one producer, to be given back to [`Producers::put_back`].
    pub fn of(&self, producer_id: i64) -> Option<Producer> {
        self.by_id.get(&producer_id).cloned()
    }

    /// As if the batches since then had never been.
    pub fn put_back(&mut self, producer_id: i64, known: Option<Producer>) {
        assert!(producer_id >= 0, "a batch without a producer was noted");
        let gone = self.by_id.remove(&producer_id);
        if let Some(gone) = gone.as_ref().filter(|_| known.is_none()) {
            let first = gone.batches.iter().flatten().map(Remembered::first_sequence).next();
            self.taken_back.extend(first.map(|first| (producer_id, (gone.epoch, first))));
        }
        if let Some(first) = gone.and_then(|producer| producer.txn_first_offset) {
            let was_ongoing = self.ongoing.remove(&(first, producer_id));
            assert!(was_ongoing, "a transaction of producer {producer_id} is open that nobody knows of");
        }
        if let Some(producer) = known {
            self.insert(producer_id, producer);
        }
    }

    /// A batch that may be appended has found no room.
    pub fn note_refused(&mut self, batch: &Header) {
        if batch.has_producer_id() && !batch.is_control() && !self.by_id.contains_key(&batch.producer_id) {
            let refused = (batch.producer_epoch, batch.base_sequence);
            let first = self.taken_back.entry(batch.producer_id).or_insert(refused);
            if first.0 != batch.producer_epoch {
                *first = refused;
            }
        }
    }

    /// As a snapshot tells of them, who knows only the last batch of each, with the batches before it where `read` from the
    /// log tells of the same last one.
    pub fn with_batches(mut self, read: &Producers) -> Producers {
        for (id, producer) in &mut self.by_id {
            let same = |known: &&Producer| known.epoch == producer.epoch && known.last_batch() == producer.last_batch();
            if let Some(known) = read.by_id.get(id).filter(same) {
                producer.batches = known.batches;
            }
        }
        self
    }

    pub fn insert(&mut self, producer_id: i64, producer: Producer) {
        let begun = producer.txn_first_offset;
        let before = self.by_id.insert(producer_id, producer);
        // A damaged snapshot may name a producer twice.
        if let Some(first) = before.and_then(|before| before.txn_first_offset) {
            let was_ongoing = self.ongoing.remove(&(first, producer_id));
            assert!(was_ongoing, "a transaction of producer {producer_id} is open that nobody knows of");
        }
        self.ongoing.extend(begun.map(|first| (first, producer_id)));
        assert!(self.ongoing.len() <= self.by_id.len(), "a producer has one open transaction at most");
    }

    /// Where the first open transaction began.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        self.ongoing.first().map(|(first, _)| *first)
    }

    /// Forgets those that have been silent so long and have no transaction open.
    pub fn expire(&mut self, now: TimestampMs, expiration_ms: i64) {
        let silent = |p: &Producer| now.0.saturating_sub(p.last_timestamp.0) >= expiration_ms;
        self.by_id.retain(|_, producer| producer.txn_first_offset.is_some() || !silent(producer));
        // Whoever has not sent again by the next look has given up, or comes as somebody new.
        self.taken_back.clear();
        assert!(self.ongoing.len() <= self.by_id.len(), "a producer is forgotten whose transaction is open");
    }

    /// Whether a batch may be appended; the remembered batch if it is the repetition of one.
    pub fn check(&self, batch: &Header, origin: Origin) -> Result<Option<Remembered>, AppendError> {
        let Some(producer) = self.by_id.get(&batch.producer_id) else {
            return self.check_after_taking_back(batch, origin).map(|()| None);
        };
        if origin == Origin::Client && batch.producer_epoch == producer.epoch {
            let same = |known: &&Remembered| {
                known.first_sequence() == batch.base_sequence && known.last_sequence == batch.last_sequence()
            };
            if let Some(known) = producer.batches.iter().flatten().find(same) {
                return Ok(Some(*known));
            }
        }
        if batch.producer_epoch < producer.epoch {
            return Err(AppendError::InvalidProducerEpoch(format!(
                "producer {} comes with epoch {} after epoch {}",
                batch.producer_id, batch.producer_epoch, producer.epoch
            )));
        }
        if origin == Origin::Client && !batch.is_control() {
            check_sequence(producer, batch)?;
        }
        if producer.txn_first_offset.is_some() && !batch.is_transactional() {
            let why = format!("producer {} has a transaction open and sends a batch outside of it", batch.producer_id);
            return Err(AppendError::InvalidTxnState(why));
        }
        Ok(None)
    }

    fn check_after_taking_back(&self, batch: &Header, origin: Origin) -> Result<(), AppendError> {
        match self.taken_back.get(&batch.producer_id) {
            Some((epoch, first))
                if origin == Origin::Client && *epoch == batch.producer_epoch && *first != batch.base_sequence =>
            {
                let (id, sequence) = (batch.producer_id, batch.base_sequence);
                let why = format!("producer {id} sends sequence {sequence}, and {first} was not taken");
                Err(AppendError::OutOfOrderSequence(why))
            }
            _ => Ok(()),
        }
    }

    /// Whether a marker comes from the coordinator that is in office.
    pub fn check_marker(&self, batch: &Header, coordinator_epoch: Option<i32>) -> Result<(), AppendError> {
        let known = self.by_id.get(&batch.producer_id).map_or(NO_COORDINATOR_EPOCH, |known| known.coordinator_epoch);
        match coordinator_epoch.filter(|epoch| *epoch < known) {
            Some(epoch) => Err(AppendError::TransactionCoordinatorFenced(format!(
                "a marker for producer {} comes from coordinator epoch {epoch} after {known}",
                batch.producer_id
            ))),
            None => Ok(()),
        }
    }

    /// Takes note of a data batch that is in the log at `base_offset`.
    pub fn apply(&mut self, batch: &Header, base_offset: Offset) {
        let timestamp = TimestampMs(batch.max_timestamp);
        let new = || Producer::new(NO_PRODUCER_EPOCH, NO_COORDINATOR_EPOCH, timestamp);
        assert!(batch.has_producer_id() && !batch.is_control(), "only a producer's own batches count");
        self.taken_back.remove(&batch.producer_id);
        let producer = self.by_id.entry(batch.producer_id).or_insert_with(new);
        producer.enter_epoch(batch.producer_epoch);
        producer.last_timestamp = timestamp;
        producer.remember(Remembered {
            last_sequence: batch.last_sequence(),
            last_offset: Offset(base_offset.0.saturating_add(i64::from(batch.last_offset_delta))),
            offset_delta: batch.last_offset_delta,
            timestamp,
        });
        if batch.is_transactional() && producer.txn_first_offset.is_none() {
            producer.txn_first_offset = Some(base_offset);
            let is_new = self.ongoing.insert((base_offset, batch.producer_id));
            assert!(is_new, "producer {} begins a transaction twice", batch.producer_id);
        }
    }

    /// Takes note of a marker at this offset that ends the producer's transaction; that transaction, unless it is empty.
    pub fn apply_marker(
        &mut self,
        batch: &Header,
        offset: Offset,
        coordinator_epoch: Option<i32>,
    ) -> Option<Completed> {
        let timestamp = TimestampMs(batch.max_timestamp);
        let new = || Producer::new(NO_PRODUCER_EPOCH, NO_COORDINATOR_EPOCH, timestamp);
        let producer = self.by_id.entry(batch.producer_id).or_insert_with(new);
        producer.enter_epoch(batch.producer_epoch);
        producer.last_timestamp = timestamp;
        producer.coordinator_epoch = coordinator_epoch.unwrap_or(producer.coordinator_epoch);
        let first_offset = producer.txn_first_offset.take()?;
        let was_ongoing = self.ongoing.remove(&(first_offset, batch.producer_id));
        assert!(was_ongoing, "producer {} ends a transaction that nobody knows of", batch.producer_id);
        let last_stable_offset = self.first_unstable_offset().unwrap_or(offset.next());
        Some(Completed { first_offset, last_stable_offset })
    }
}

fn check_sequence(producer: &Producer, batch: &Header) -> Result<(), AppendError> {
    let first = batch.base_sequence;
    let wrong = |why: String| Err(AppendError::OutOfOrderSequence(why));
    if batch.producer_epoch != producer.epoch {
        if first != 0 && producer.epoch != NO_PRODUCER_EPOCH {
            return wrong(format!("producer {} begins an epoch with sequence {first}", batch.producer_id));
        }
        return Ok(());
    }
    let last = producer.last_sequence();
    let follows = i64::from(first) == i64::from(last) + 1 || (first == 0 && last == i32::MAX);
    // Without an epoch its records are gone from the log (retention, DeleteRecords): any sequence may follow.
    if producer.epoch == NO_PRODUCER_EPOCH || follows {
        return Ok(());
    }
    wrong(format!("producer {} sends sequence {first} after {last}", batch.producer_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::header::HEADER_SIZE;
    use proptest::prelude::*;

    fn batch(epoch: i16, sequence: i32, records: i32) -> Header {
        let mut header = Header::parse(&[0; HEADER_SIZE]).unwrap();
        header.producer_id = 7;
        header.producer_epoch = epoch;
        header.base_sequence = sequence;
        header.last_offset_delta = records - 1;
        header.records_count = records;
        header
    }

    fn append(producers: &mut Producers, header: Header, at: i64) -> Result<Option<i64>, AppendError> {
        let known = producers.check(&header, Origin::Client)?;
        if known.is_none() {
            producers.apply(&header, Offset(at));
        }
        Ok(known.map(|k| k.first_offset().0))
    }

    #[test]
    fn repetitions_are_known_for_five_batches() {
        let mut producers = Producers::default();
        for n in 0..6 {
            assert_eq!(append(&mut producers, batch(0, n * 2, 2), i64::from(n) * 10).unwrap(), None);
        }
        assert_eq!(append(&mut producers, batch(0, 10, 2), 99).unwrap(), Some(50));
        assert_eq!(append(&mut producers, batch(0, 2, 2), 99).unwrap(), Some(10));
        assert!(matches!(append(&mut producers, batch(0, 0, 2), 99), Err(AppendError::OutOfOrderSequence(_))));
        assert!(matches!(append(&mut producers, batch(0, 10, 1), 99), Err(AppendError::OutOfOrderSequence(_))));
    }

    /// A full disk takes back what a new producer sent first, and finds room for what it sent behind that.
    #[test]
    fn what_was_taken_back_comes_first_again() {
        let mut producers = Producers::default();
        append(&mut producers, batch(0, 0, 1), 0).unwrap();
        let after_first = producers.of(7);
        append(&mut producers, batch(0, 1, 1), 1).unwrap();
        producers.put_back(7, after_first);
        producers.put_back(7, None);
        assert!(matches!(append(&mut producers, batch(0, 1, 1), 0), Err(AppendError::OutOfOrderSequence(_))));
        assert_eq!(append(&mut producers, batch(0, 0, 1), 0).unwrap(), None);
        assert_eq!(append(&mut producers, batch(0, 1, 1), 1).unwrap(), None);
    }

    /// A full disk refuses a new producer's first batch, and finds room for what it sent behind that.
    #[test]
    fn what_found_no_room_comes_first() {
        let mut producers = Producers::default();
        producers.note_refused(&batch(0, 5, 1));
        producers.note_refused(&batch(0, 6, 1));
        assert!(matches!(append(&mut producers, batch(0, 6, 1), 0), Err(AppendError::OutOfOrderSequence(_))));
        // It begins anew in another epoch.
        producers.note_refused(&batch(1, 0, 1));
        assert!(matches!(append(&mut producers, batch(1, 1, 1), 0), Err(AppendError::OutOfOrderSequence(_))));
        assert_eq!(append(&mut producers, batch(1, 0, 1), 0).unwrap(), None);
        producers.note_refused(&batch(1, 1, 1));
        assert_eq!(append(&mut producers, batch(1, 1, 1), 0).unwrap(), None);
    }

    #[test]
    fn a_snapshot_is_joined_by_what_was_read() {
        let (mut read, mut snapshot) = (Producers::default(), Producers::default());
        for n in 0..3 {
            append(&mut read, batch(0, n, 1), i64::from(n)).unwrap();
        }
        append(&mut snapshot, batch(0, 2, 1), 2).unwrap();
        assert_eq!(snapshot.clone().with_batches(&read), read);
        // What was read is of another time.
        append(&mut snapshot, batch(0, 3, 1), 3).unwrap();
        assert_eq!(snapshot.clone().with_batches(&read), snapshot);
        assert_eq!(snapshot.clone().with_batches(&Producers::default()), snapshot);
    }

    #[test]
    fn epochs_fence_and_begin_at_zero() {
        let mut producers = Producers::default();
        append(&mut producers, batch(3, 5, 1), 0).unwrap();
        assert!(matches!(append(&mut producers, batch(2, 6, 1), 1), Err(AppendError::InvalidProducerEpoch(_))));
        assert!(matches!(append(&mut producers, batch(4, 6, 1), 1), Err(AppendError::OutOfOrderSequence(_))));
        assert_eq!(append(&mut producers, batch(4, 0, 1), 1).unwrap(), None);
        assert!(producers.check(&batch(4, -1, 1), Origin::Coordinator).unwrap().is_none());
        assert!(producers.check(&batch(3, -1, 1), Origin::Coordinator).is_err());
    }

    #[test]
    fn sequences_wrap() {
        let mut producers = Producers::default();
        append(&mut producers, batch(0, i32::MAX - 1, 3), 0).unwrap();
        assert_eq!(producers.get(7).unwrap().last_sequence(), 0);
        assert_eq!(append(&mut producers, batch(0, i32::MAX - 1, 3), 9).unwrap(), Some(0));
        assert_eq!(append(&mut producers, batch(0, 1, 1), 3).unwrap(), None);
        let mut producers = Producers::default();
        append(&mut producers, batch(0, i32::MAX, 1), 0).unwrap();
        assert_eq!(append(&mut producers, batch(0, 0, 1), 1).unwrap(), None);
    }

    #[test]
    fn a_marker_ends_the_transaction_and_may_raise_the_epoch() {
        let mut producers = Producers::default();
        let mut inside = batch(0, 0, 1);
        inside.attributes = 0x10;
        append(&mut producers, inside, 0).unwrap();
        assert!(matches!(append(&mut producers, batch(0, 1, 1), 1), Err(AppendError::InvalidTxnState(_))));
        assert_eq!(producers.first_unstable_offset(), Some(Offset(0)));
        let ended = producers.apply_marker(&batch(1, -1, 1), Offset(1), Some(4)).unwrap();
        assert_eq!((ended.first_offset, ended.last_stable_offset), (Offset(0), Offset(2)));
        assert_eq!(producers.first_unstable_offset(), None);
        assert_eq!(producers.apply_marker(&batch(1, -1, 1), Offset(2), Some(4)), None, "an empty transaction");
        let stale = producers.check_marker(&batch(1, -1, 1), Some(3));
        assert!(matches!(stale, Err(AppendError::TransactionCoordinatorFenced(_))));
        assert_eq!(producers.get(7).unwrap().coordinator_epoch, 4);
        assert_eq!(append(&mut producers, batch(1, 0, 1), 1).unwrap(), None);
    }

    #[test]
    fn silent_producers_are_forgotten() {
        let mut producers = Producers::default();
        append(&mut producers, batch(0, 0, 1), 0).unwrap();
        producers.expire(TimestampMs(99), 100);
        assert_eq!(producers.len(), 1);
        producers.expire(TimestampMs(100), 100);
        assert_eq!(producers.len(), 0);
    }

    proptest! {
        /// Whatever arrives, what was accepted has every sequence once and in order.
        #[test]
        fn accepted_sequences_are_gapless(attempts in proptest::collection::vec((0i32..30, 1i32..4), 0..200)) {
            let mut producers = Producers::default();
            let (mut next, mut offset) = (None, 0);
            for (sequence, records) in attempts {
                if let Ok(None) = append(&mut producers, batch(0, sequence, records), offset) {
                    prop_assert!(next.is_none_or(|n| n == sequence));
                    next = Some(sequence + records);
                    offset += i64::from(records);
                }
            }
        }
    }
}
