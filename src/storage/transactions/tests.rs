//! Transactions in a log against a plain model: what `read_committed` consumers see, through rolls, restarts, recovery
//! and compaction.

use crate::io::disk::{Disk, Open};
use crate::io::simulated_disk::SimulatedDisk;
use crate::model::{LeaderEpoch, Offset, TimestampMs};
use crate::record::batches::Batches;
use crate::record::builder::{Builder, Options, Record};
use crate::record::control::EndTxnMarker;
use crate::storage::cleaner::{Means, Pace, Policy};
use crate::storage::log::{Log, LogConfig, Origin};
use crate::storage::names::{self, Kind};
use crate::storage::testing::{EPOCH, NOW, at, bytes, directory, open};
use crate::storage::transactions::{self, AbortedTxn};
use crate::storage::{AppendError, testing};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// What a producer does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Plain { key: u8 },
    Send { producer: i64, key: u8 },
    End { producer: i64, commit: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0u8..5).prop_map(|key| Step::Plain { key }),
        5 => (0i64..4, 0u8..5).prop_map(|(producer, key)| Step::Send { producer, key }),
        2 => (0i64..4, any::<bool>()).prop_map(|(producer, commit)| Step::End { producer, commit }),
    ]
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 500, index_interval_bytes: 60, ..LogConfig::default() }
}

/// A log and what must be in it.
struct Story {
    disk: SimulatedDisk,
    log: Log,
    open: BTreeMap<i64, Vec<(i64, u8)>>,
    /// Offset and key of what counts.
    committed: BTreeSet<(i64, u8)>,
}

impl Story {
    fn new() -> Story {
        let disk = SimulatedDisk::default();
        let log = open(&(Arc::new(disk.clone()) as Arc<dyn Disk>), &config(), at(0, 0, false));
        Story { disk, log, open: BTreeMap::new(), committed: BTreeSet::new() }
    }

    fn append(&self, batch: &[u8]) -> i64 {
        let appended = self.log.append(batch, Origin::Coordinator, EPOCH, NOW).unwrap();
        self.log.write_pending().unwrap();
        appended.base_offset.0
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Plain { key } => {
                let offset = self.append(&data(None, key));
                self.committed.insert((offset, key));
            }
            Step::Send { producer, key } => {
                let offset = self.append(&data(Some(producer), key));
                self.open.entry(producer).or_default().push((offset, key));
            }
            Step::End { producer, commit } => {
                self.append(&marker(producer, commit, 1));
                let records = self.open.remove(&producer).unwrap_or_default();
                self.committed.extend(records.into_iter().filter(|_| commit));
            }
        }
    }

    fn last_stable_offset(&self) -> i64 {
        let first = self.open.values().map(|records| records[0].0).min();
        first.unwrap_or(self.log.log_end_offset().0)
    }

    fn reopen(&mut self, recovery_point: i64, clean: bool) {
        if clean {
            self.log.close(NOW).unwrap();
        }
        self.log = open(&(Arc::new(self.disk.clone()) as Arc<dyn Disk>), &config(), at(0, recovery_point, clean));
    }

    fn check(&self, max_bytes: u64) {
        let stable = self.last_stable_offset();
        let known = self.log.first_unstable_offset().unwrap_or(self.log.log_end_offset());
        assert_eq!(known, Offset(stable));
        let expected: Vec<_> = self.committed.iter().copied().filter(|(offset, _)| *offset < stable).collect();
        for from in [0, stable / 2, (stable - 2).max(0)] {
            let seen = consume(&self.log, from, stable, max_bytes);
            let expected: Vec<_> = expected.iter().copied().filter(|(offset, _)| *offset >= from).collect();
            assert_eq!(seen, expected, "from {from} to {stable}");
        }
    }

    /// The transaction index files by name.
    fn indexes(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = self.disk.list(&directory()).unwrap();
        let named = entries.into_iter().filter(|entry| entry.name.ends_with(".txnindex"));
        let read = |name: String| (name.clone(), self.disk.read_small(&directory().join(name), 1 << 20).unwrap());
        named.map(|entry| read(entry.name)).filter(|(_, content)| !content.is_empty()).collect()
    }
}

fn data(producer: Option<i64>, key: u8) -> Vec<u8> {
    let mut builder = Builder::new(Options {
        producer_id: producer.unwrap_or(-1),
        producer_epoch: if producer.is_some() { 0 } else { -1 },
        is_transactional: producer.is_some(),
        ..Options::default()
    });
    builder.append(&Record { timestamp: NOW, key: Some(&[key]), value: Some(&[key; 20]), headers: &[] });
    builder.build()
}

fn marker(producer: i64, commit: bool, coordinator_epoch: i32) -> Vec<u8> {
    EndTxnMarker { commit, coordinator_epoch }.batch((producer, 0), NOW, Offset(0), LeaderEpoch(0))
}

/// What a consumer makes of the log up to an offset: the aborted transactions of each answer, in the order of their
/// first offsets, hide a producer's batches from there to its marker (`CompletedFetch.nextFetchedRecord`).
fn consume(log: &Log, from: i64, up_to: i64, max_bytes: u64) -> Vec<(i64, u8)> {
    let (mut seen, mut next) = (Vec::new(), Offset(from));
    while let Some(slice) = log.read_committed(next, Offset(up_to), max_bytes, true).unwrap() {
        let mut ahead: BTreeSet<_> = slice.aborted.iter().map(|txn| (txn.first_offset, txn.producer_id)).collect();
        let mut hidden = HashSet::new();
        let content = bytes(&slice);
        for batch in Batches::new(&content).map_while(Result::ok) {
            let header = batch.header;
            while let Some(first) = ahead.first().copied().filter(|first| first.0 <= header.last_offset()) {
                ahead.remove(&first);
                hidden.insert(first.1);
            }
            next = header.last_offset().next();
            if header.is_control() {
                hidden.remove(&header.producer_id);
                continue;
            }
            if header.is_transactional() && hidden.contains(&header.producer_id) {
                continue;
            }
            let unpacked = batch.unpack(1 << 20).unwrap();
            let mut records = batch.records(&unpacked);
            while let Some(record) = records.next().transpose().unwrap() {
                let offset = records.offset(&record);
                seen.extend((offset >= from).then(|| (offset, record.key.unwrap()[0])));
            }
        }
    }
    seen
}

struct Unhurried;

impl Pace for Unhurried {
    fn spend(&mut self, _: u64) -> bool {
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn consumers_see_what_was_committed(
        steps in proptest::collection::vec(step(), 1..60),
        max_bytes in 1u64..2000,
        recovery_point in 0i64..60,
        damage: prop::sample::Index,
    ) {
        let mut story = Story::new();
        for step in &steps {
            story.take(*step);
        }
        story.check(max_bytes);
        let written = story.indexes();
        story.reopen(0, false);
        story.check(max_bytes);
        prop_assert_eq!(&story.indexes(), &written, "recovery of everything");
        story.reopen(recovery_point.min(story.log.log_end_offset().0), false);
        story.check(max_bytes);
        story.reopen(0, true);
        story.check(max_bytes);
        prop_assert_eq!(&story.indexes(), &written, "a clean stop");
        // A damaged index is made anew.
        if !written.is_empty() {
            story.log.close(NOW).unwrap();
            let name = written.keys().nth(damage.index(written.len())).unwrap();
            let file = story.disk.open(&directory().join(name), Open::ReadWrite).unwrap();
            file.set_size(written[name].len() as u64 - 1).unwrap();
            let disk: Arc<dyn Disk> = Arc::new(story.disk.clone());
            story.log = open(&disk, &config(), at(0, 0, true));
            story.check(max_bytes);
            prop_assert_eq!(&story.indexes(), &written, "a damaged index");
        }
        story.take(Step::Send { producer: 9, key: 1 });
        story.check(max_bytes);
    }

    /// Of each key the last committed record stays; aborted records go at once, markers after their delete horizon.
    #[test]
    fn compaction_knows_what_was_aborted(
        steps in proptest::collection::vec(step(), 20..90),
        max_bytes in 1u64..2000,
    ) {
        let mut story = Story::new();
        for step in &steps {
            story.take(*step);
        }
        let policy = Policy {
            delete_retention_ms: 100,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.0,
        };
        let means = Means { dedupe_buffer_bytes: 1 << 20, load_factor: 0.9, io_buffer_bytes: 1 << 16, random: [1; 16] };
        let stable = story.last_stable_offset();
        let before = story.indexes().values().map(Vec::len).sum::<usize>();
        let mut cleaned_to = None;
        // The second look marks what is left of markers, the third is behind their delete horizon.
        for (round, now) in [0, 10, 1000].into_iter().enumerate() {
            let now = TimestampMs(NOW.0 + now);
            let mut dirty = story.log.dirtiness(cleaned_to, Offset(stable), &policy, now).unwrap();
            prop_assert!(dirty.first_uncleanable_offset.0 <= stable);
            dirty.first_dirty_offset = Offset(0);
            let end = story.log.clean(&dirty, &policy, &means, now, &mut Unhurried).unwrap().end_offset;
            cleaned_to = Some(end);
            let latest: BTreeMap<u8, i64> =
                story.committed.iter().filter(|(o, _)| *o < end.0).map(|(offset, key)| (*key, *offset)).collect();
            story.committed.retain(|(offset, key)| *offset >= end.0 || latest[key] == *offset);
            story.check(max_bytes);
            let all = consume_uncommitted(&story.log, end.0);
            prop_assert!(all.iter().all(|offset| story.committed.iter().any(|(o, _)| o == offset)), "aborted records");
            if round == 2 {
                prop_assert!(story.indexes().values().map(Vec::len).sum::<usize>() <= before);
            }
            story.reopen(story.log.log_end_offset().0, false);
            story.check(max_bytes);
        }
    }
}

/// The offsets of all data records below an offset.
fn consume_uncommitted(log: &Log, up_to: i64) -> Vec<i64> {
    let (mut seen, mut next) = (Vec::new(), Offset(0));
    while let Some(slice) = log.read(next, Offset(up_to), 1 << 20, true).unwrap() {
        let content = bytes(&slice);
        for batch in Batches::new(&content).map_while(Result::ok) {
            next = batch.header.last_offset().next();
            let unpacked = batch.unpack(1 << 20).unwrap();
            let mut records = batch.records(&unpacked);
            while let Some(record) = records.next().transpose().unwrap() {
                seen.extend((!batch.header.is_control()).then(|| records.offset(&record)));
            }
        }
    }
    seen
}

#[test]
fn entries_are_kafkas() {
    let txn =
        AbortedTxn { producer_id: 5, first_offset: Offset(6), last_offset: Offset(7), last_stable_offset: Offset(8) };
    let content = transactions::encode(&[txn]);
    assert_eq!(content.len(), transactions::ENTRY_BYTES);
    assert_eq!((content[9], content[17], content[25], content[33]), (5, 6, 7, 8));
    assert_eq!(transactions::decode(&content, Offset(7)), Some(vec![txn]));
    assert_eq!(transactions::decode(&content, Offset(8)), None, "of an earlier segment");
    assert_eq!(transactions::decode(&[&content[..], &content[..]].concat(), Offset(0)), None, "not in order");
    assert_eq!(transactions::decode(&content[1..], Offset(0)), None);
    assert_eq!(names::file(&directory(), Offset(3), Kind::TransactionIndex).extension().unwrap(), "txnindex");
}

#[test]
fn a_coordinator_of_the_past_and_a_batch_outside_are_refused() {
    let mut story = Story::new();
    story.take(Step::Send { producer: 1, key: 0 });
    let outside = testing::batch(&[NOW.0], 5, Some((1, 0, 0)));
    let refused = story.log.append(&outside, Origin::Coordinator, EPOCH, NOW);
    assert!(matches!(refused, Err(AppendError::InvalidTxnState(_))));
    story.append(&marker(1, true, 5));
    let refused = story.log.append(&marker(1, false, 4), Origin::Coordinator, EPOCH, NOW);
    assert!(matches!(refused, Err(AppendError::TransactionCoordinatorFenced(_))));
    assert_eq!(story.log.first_unstable_offset(), None);
}

#[test]
fn the_start_of_the_log_is_stable_whatever_was_open_below_it() {
    let mut story = Story::new();
    story.take(Step::Send { producer: 1, key: 0 });
    story.take(Step::Plain { key: 1 });
    story.log.delete_records_before(Offset(2)).unwrap();
    assert_eq!(story.log.first_unstable_offset(), Some(Offset(2)));
}

/// Not to have read a marker must not make records of an aborted transaction count.
#[test]
fn an_opening_that_cannot_read_is_refused_and_the_next_one_finds_everything() {
    let mut story = Story::new();
    for n in 0..12 {
        story.take(Step::Send { producer: n % 3, key: n as u8 });
        story.take(Step::Plain { key: 1 });
        story.take(Step::End { producer: n % 3, commit: n % 2 == 0 });
    }
    let (disk, written): (Arc<dyn Disk>, _) = (Arc::new(story.disk.clone()), story.indexes());
    let mut reads = 0;
    loop {
        story.disk.fail_a_read(Some(reads));
        let opened = Log::open(disk.clone(), directory(), config(), testing::identity(), at(0, 0, false), NOW);
        if story.disk.fail_a_read(None) {
            break;
        }
        assert!(opened.is_err(), "read {reads} has failed and nobody minds");
        story.reopen(0, false);
        story.check(500);
        assert_eq!(story.indexes(), written);
        reads += 1;
    }
    assert!(reads > story.log.segment_count() as u64, "{reads} reads");
}
