//! What a partition knows of its producers, so that none writes twice, out of order or after it was fenced
//! (KIP-98, KIP-360; `ProducerStateManager`, `ProducerAppendInfo`).
//!
//! `check` reads only; `apply` records a batch that is certain to be appended, or was found in the log.

mod check;
#[cfg(test)]
mod model_tests;

pub use self::check::{Admission, Destination, Origin};
use super::transactions::AbortedTxn;
use crate::model::{Offset, TimestampMs};
use crate::record::control::EndTxnMarker;
use crate::record::header::Header;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many batches back a repetition is recognised; clients keep no more requests in flight.
pub const BATCHES_TO_RETAIN: usize = 5;
const NO_PRODUCER_EPOCH: i16 = -1;
const NO_SEQUENCE: i32 = -1;
const NO_COORDINATOR_EPOCH: i32 = -1;

/// Producers of which it is remembered what must come first, at most; until the next look for silent ones.
const MOST_REFUSED: usize = 10_000;

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

/// Whether a sequence follows another one, less than half of all sequences behind it.
fn comes_after(sequence: i32, other: i32) -> bool {
    sequence != other && (sequence.wrapping_sub(other) & i32::MAX) < 1 << 30
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

    /// The batch that this one repeats, if it is remembered.
    fn repeated(&self, batch: &Header) -> Option<Remembered> {
        let same = |known: &&Remembered| {
            known.first_sequence() == batch.base_sequence && known.last_sequence == batch.last_sequence()
        };
        self.batches.iter().flatten().find(same).copied().filter(|_| batch.producer_epoch == self.epoch)
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
    /// The epoch and the sequence that must come first, for each producer that is known only by batches that were taken
    /// back, or refused for now: what it sent behind them must not get in before they are sent again.
    taken_back: BTreeMap<i64, (i16, i32)>,
}

/// A transaction that a marker has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completed {
    pub producer_id: i64,
    pub first_offset: Offset,
    pub marker_offset: Offset,
    /// The last stable offset behind the marker, once this transaction is no longer open.
    pub last_stable_offset: Offset,
    is_aborted: bool,
}

impl Completed {
    /// What the transaction index says of it, if it was aborted.
    pub fn aborted(&self) -> Option<AbortedTxn> {
        self.is_aborted.then_some(AbortedTxn {
            producer_id: self.producer_id,
            first_offset: self.first_offset,
            last_offset: self.marker_offset,
            last_stable_offset: self.last_stable_offset,
        })
    }
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

    /// Restores a producer, so that the batches since then seem never to have come.
    pub fn put_back(&mut self, producer_id: i64, known: Option<Producer>) {
        assert!(producer_id >= 0, "a batch without a producer was noted");
        let gone = self.by_id.remove(&producer_id);
        if let Some(gone) = gone.as_ref().filter(|_| known.is_none()) {
            let first = gone.batches.iter().flatten().map(Remembered::first_sequence).next();
            self.taken_back.extend(first.map(|first| (producer_id, (gone.epoch, first))));
        }
        if let Some(first) = gone.and_then(|producer| producer.txn_first_offset) {
            let was_ongoing = self.ongoing.remove(&(first, producer_id));
            assert!(was_ongoing, "a transaction of producer {producer_id} is open that is not listed");
        }
        if let Some(producer) = known {
            self.insert(producer_id, producer);
        }
    }

    /// A batch was refused that may be appended later: it has found no room, or its transaction could not be verified
    /// (`VerificationStateEntry.maybeUpdateLowestSequenceAndEpoch`).
    pub fn note_refused(&mut self, batch: &Header) {
        // What the log has of a known producer says what comes next.
        if !batch.has_producer_id() || batch.is_control() || self.by_id.contains_key(&batch.producer_id) {
            return;
        }
        let refused = (batch.producer_epoch, batch.base_sequence);
        let has_room = self.taken_back.len() < MOST_REFUSED;
        match self.taken_back.get_mut(&batch.producer_id) {
            Some(known) if refused.0 > known.0 => *known = refused,
            Some(known) if refused.0 == known.0 && comes_after(known.1, refused.1) => *known = refused,
            None if has_room => _ = self.taken_back.insert(batch.producer_id, refused),
            _ => {}
        }
    }

    /// Adds to what a snapshot tells, which is only the last batch of each, the batches before it where `read` from the
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
            assert!(was_ongoing, "a transaction of producer {producer_id} is open that is not listed");
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
        // A producer that has not sent again by the next look has given up, or comes under another id.
        self.taken_back.clear();
        assert!(self.ongoing.len() <= self.by_id.len(), "a producer is forgotten whose transaction is open");
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

    /// Takes note of a control batch at this offset; the transaction that it ends, unless that is empty. Without its marker
    /// it is one that the cleaner has emptied.
    pub fn apply_marker(&mut self, batch: &Header, offset: Offset, marker: Option<EndTxnMarker>) -> Option<Completed> {
        let timestamp = TimestampMs(batch.max_timestamp);
        let new = || Producer::new(NO_PRODUCER_EPOCH, NO_COORDINATOR_EPOCH, timestamp);
        let producer = self.by_id.entry(batch.producer_id).or_insert_with(new);
        producer.enter_epoch(batch.producer_epoch);
        producer.last_timestamp = timestamp;
        producer.coordinator_epoch = marker.map_or(producer.coordinator_epoch, |marker| marker.coordinator_epoch);
        let first_offset = producer.txn_first_offset.take()?;
        let was_ongoing = self.ongoing.remove(&(first_offset, batch.producer_id));
        assert!(was_ongoing, "producer {} ends a transaction that is not listed", batch.producer_id);
        Some(Completed {
            producer_id: batch.producer_id,
            first_offset,
            marker_offset: offset,
            last_stable_offset: self.first_unstable_offset().unwrap_or(offset.next()),
            is_aborted: marker.is_some_and(|marker| !marker.commit),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::header::HEADER_SIZE;
    use crate::storage::error::AppendError;
    use crate::storage::testing;
    use proptest::prelude::*;

    const CLIENT: Origin = Origin::Client(Admission::None);
    const COORDINATOR: Origin = Origin::Coordinator(Admission::None);

    fn batch(epoch: i16, sequence: i32, records: i32) -> Header {
        let mut header = Header::parse(&[0; HEADER_SIZE]).unwrap();
        header.producer_id = 7;
        header.producer_epoch = epoch;
        header.base_sequence = sequence;
        header.last_offset_delta = records - 1;
        header.records_count = records;
        header
    }

    fn check(
        producers: &Producers,
        header: &Header,
        origin: Origin,
        at: i64,
    ) -> Result<Option<Remembered>, AppendError> {
        producers.check(header, origin, &Destination { identity: &testing::identity(), offset: Offset(at) })
    }

    fn append(producers: &mut Producers, header: Header, at: i64) -> Result<Option<i64>, AppendError> {
        append_as(producers, header, at, CLIENT)
    }

    fn append_as(
        producers: &mut Producers,
        header: Header,
        at: i64,
        origin: Origin,
    ) -> Result<Option<i64>, AppendError> {
        let known = check(producers, &header, origin, at)?;
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
        // What comes of an epoch before says nothing any more.
        producers.note_refused(&batch(0, 1, 1));
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
        assert!(check(&producers, &batch(4, -1, 1), COORDINATOR, 2).unwrap().is_none());
        assert!(check(&producers, &batch(3, -1, 1), COORDINATOR, 2).is_err());
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

    /// The lowest sequence of those that were not verified is the first, also where it comes behind others.
    #[test]
    fn the_lowest_of_what_was_refused_comes_first() {
        let mut producers = Producers::default();
        for sequence in [6, 5, 7] {
            producers.note_refused(&batch(0, sequence, 1));
        }
        assert_eq!(
            text(append(&mut producers, batch(0, 6, 1), 3)),
            "Out of order sequence number for producer 7 at offset 3 in partition t-0: 6 (incoming seq. number), 5 (earliest \
             seen sequence)"
        );
        producers.note_refused(&batch(0, i32::MAX, 1));
        assert!(append(&mut producers, batch(0, i32::MAX, 1), 3).is_ok(), "0 would follow it");
        let mut producers = Producers::default();
        producers.note_refused(&batch(0, 5, 1));
        producers.expire(TimestampMs(0), 100);
        assert!(append(&mut producers, batch(0, 6, 1), 3).is_ok(), "it has given up, or comes as another");
    }

    #[test]
    fn what_is_remembered_of_unknown_producers_has_a_bound() {
        let mut producers = Producers::default();
        for id in 0..MOST_REFUSED as i64 + 5 {
            producers.note_refused(&Header { producer_id: id, ..batch(0, 0, 1) });
        }
        assert_eq!(producers.taken_back.len(), MOST_REFUSED);
    }

    const MARKER: i16 = 0x30;

    fn inside(epoch: i16, sequence: i32) -> Header {
        Header { attributes: 0x10, ..batch(epoch, sequence, 1) }
    }

    fn marker(epoch: i16) -> Header {
        Header { attributes: MARKER, ..batch(epoch, -1, 1) }
    }

    fn of_coordinator(transaction_version: i16, coordinator_epoch: i32) -> Origin {
        Origin::Marker { transaction_version, coordinator_epoch }
    }

    fn commit(coordinator_epoch: i32) -> Option<EndTxnMarker> {
        Some(EndTxnMarker { commit: true, coordinator_epoch })
    }

    fn text<T: std::fmt::Debug>(refused: Result<T, AppendError>) -> String {
        refused.unwrap_err().to_string()
    }

    #[test]
    fn a_marker_ends_the_transaction_and_may_raise_the_epoch() {
        let mut producers = Producers::default();
        append_as(&mut producers, inside(0, 0), 0, Origin::Client(Admission::Verified)).unwrap();
        let outside = append(&mut producers, batch(0, 1, 1), 1);
        assert!(matches!(outside, Err(AppendError::InvalidTxnState(_))));
        assert_eq!(
            text(outside),
            "Expected transactional write from producer 7 at offset (offset=1, segment=[-1:-1]) in partition t-0"
        );
        assert_eq!(producers.first_unstable_offset(), Some(Offset(0)));
        let ended = producers.apply_marker(&marker(1), Offset(1), commit(4)).unwrap();
        assert_eq!((ended.first_offset, ended.last_stable_offset), (Offset(0), Offset(2)));
        assert_eq!(ended.aborted(), None);
        assert_eq!(producers.first_unstable_offset(), None);
        assert_eq!(producers.apply_marker(&marker(1), Offset(2), commit(4)), None, "an empty transaction");
        let fenced = check(&producers, &marker(1), of_coordinator(0, 3), 3);
        assert!(matches!(fenced, Err(AppendError::TransactionCoordinatorFenced(_))));
        assert_eq!(
            text(fenced),
            "Invalid coordinator epoch for producerId 7 at offset 3 in partition t-0: 3 (zombie), 4 (current)"
        );
        assert_eq!(producers.get(7).unwrap().coordinator_epoch, 4);
        assert_eq!(append(&mut producers, batch(1, 0, 1), 1).unwrap(), None);
    }

    /// `UnifiedLog.analyzeAndValidateProducerState`
    #[test]
    fn a_transaction_begins_only_where_it_is_admitted() {
        const NOT_ONGOING: &str = "Record was not part of an ongoing transaction";
        let mut producers = Producers::default();
        for origin in [CLIENT, COORDINATOR] {
            assert_eq!(text(check(&producers, &inside(1, 5), origin, 0)), NOT_ONGOING, "{origin:?}");
        }
        assert!(!producers.has_open_transaction(7, 1).unwrap());
        assert!(check(&producers, &inside(1, -1), Origin::Coordinator(Admission::Added), 0).is_ok());
        let added = check(&producers, &inside(1, 5), Origin::Client(Admission::Added), 0);
        assert_eq!(
            text(added),
            "Invalid sequence number for producer 7 at offset 0 in partition t-0: 5 (incoming seq. number). Expected \
             sequence 0 for transactions v2 idempotent producer with no existing state."
        );
        append_as(&mut producers, inside(1, 5), 0, Origin::Client(Admission::Verified)).unwrap();
        assert_eq!(append(&mut producers, inside(1, 6), 1).unwrap(), None, "it is open");
        assert_eq!(append(&mut producers, inside(1, 5), 2).unwrap(), Some(0), "the repetition");
        assert!(producers.has_open_transaction(7, 1).unwrap());
        // The epoch counts before the transaction.
        const OLDER: &str = "Epoch of producer 7 is 0, which is smaller than the last seen epoch 1";
        for origin in [CLIENT, COORDINATOR, Origin::Client(Admission::Verified)] {
            let refused = check(&producers, &inside(0, 7), origin, 2);
            assert!(matches!(refused, Err(AppendError::InvalidProducerEpoch(_))));
            assert_eq!(text(refused), OLDER);
        }
        assert_eq!(text(producers.has_open_transaction(7, 0)), OLDER);
        // In another epoch it is another transaction.
        assert!(!producers.has_open_transaction(7, 2).unwrap());
        assert_eq!(text(append(&mut producers, inside(2, 0), 2)), NOT_ONGOING);
        // A repetition is recognised when its transaction has ended.
        producers.apply_marker(&marker(1), Offset(2), commit(0));
        assert_eq!(append(&mut producers, inside(1, 6), 3).unwrap(), Some(1));
        assert_eq!(text(append(&mut producers, inside(1, 7), 3)), NOT_ONGOING);
    }

    /// After a marker that has raised the epoch nothing is known of the epoch (KAFKA-18202).
    #[test]
    fn an_added_producer_begins_each_epoch_with_zero() {
        let mut producers = Producers::default();
        producers.apply_marker(&marker(3), Offset(0), commit(0));
        let added = Origin::Client(Admission::Added);
        assert!(matches!(check(&producers, &inside(3, 2), added, 1), Err(AppendError::OutOfOrderSequence(_))));
        assert_eq!(append_as(&mut producers, inside(3, 0), 1, added).unwrap(), None);
        assert_eq!(append_as(&mut producers, inside(3, 1), 2, added).unwrap(), None, "it goes on");
    }

    /// `ProducerAppendInfo.checkProducerEpoch` for markers (KIP-1228, KAFKA-19999).
    #[test]
    fn markers_are_of_the_transaction_that_is_open() {
        // Known epoch, whether a transaction is open in it, the marker's epoch, and whether versions 0, 1 and 2 take it.
        let table = [
            (5, true, 4, [false; 3]),
            (5, true, 5, [true, true, false]),
            (5, true, 6, [true; 3]),
            (5, false, 4, [false; 3]),
            (5, false, 5, [true; 3]),
            (5, false, 6, [true; 3]),
            (i16::MAX, true, i16::MAX, [true; 3]),
            (i16::MAX, false, i16::MAX, [true; 3]),
        ];
        for (known, is_open, epoch, taken) in table {
            let mut producers = Producers::default();
            append_as(&mut producers, inside(known, 0), 0, Origin::Client(Admission::Verified)).unwrap();
            if !is_open {
                producers.apply_marker(&marker(known), Offset(1), commit(0));
            }
            let takes = |version| check(&producers, &marker(epoch), of_coordinator(version, 0), 9).is_ok();
            assert_eq!([takes(0), takes(1), takes(2)], taken, "known {known}, open {is_open}, marker {epoch}");
        }
        let mut producers = Producers::default();
        assert!(check(&producers, &marker(0), of_coordinator(2, 0), 0).is_ok(), "of a producer that is not known");
        append_as(&mut producers, inside(5, 0), 0, Origin::Client(Admission::Verified)).unwrap();
        let stale = check(&producers, &marker(5), of_coordinator(2, 0), 9);
        assert!(matches!(stale, Err(AppendError::InvalidProducerEpoch(_))));
        assert_eq!(text(stale), "Epoch of producer 7 at offset 9 in t-0 is 5, which is <= the last seen epoch 5 (TV2)");
    }

    #[test]
    fn clients_write_no_markers() {
        let refused = check(&Producers::default(), &marker(0), Origin::Client(Admission::Verified), 0);
        assert_eq!(text(refused), "Clients are not allowed to write control records in topic partition t-0");
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

    /// `ProducerStateManager.isProducerExpired`
    #[test]
    fn a_producer_with_an_open_transaction_never_expires() {
        let mut producers = Producers::default();
        append_as(&mut producers, inside(0, 0), 0, Origin::Client(Admission::Verified)).unwrap();
        producers.expire(TimestampMs(i64::MAX), 100);
        assert_eq!((producers.len(), producers.first_unstable_offset()), (1, Some(Offset(0))));
        producers.apply_marker(&Header { max_timestamp: 5, ..marker(1) }, Offset(1), commit(0));
        producers.expire(TimestampMs(104), 100);
        assert_eq!(producers.len(), 1, "the marker counts as its last sign");
        producers.expire(TimestampMs(105), 100);
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
