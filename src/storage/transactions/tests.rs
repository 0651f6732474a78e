//! Transactions in a log against a plain model: what `read_committed` consumers see, through rolls, restarts, recovery
//! and compaction.

use crate::io::disk::{Disk, Open};
use crate::io::simulated_disk::{Crash, SimulatedDisk};
use crate::model::{Offset, TimestampMs};
use crate::record::batches::Batches;
use crate::record::builder::{Builder, Options, Record};
use crate::record::control::EndTxnMarker;
use crate::storage::cleaner::{Means, Pace, Policy};
use crate::storage::log::{Admission, Appended, Log, LogConfig, Origin};
use crate::storage::names::{self, Kind};
use crate::storage::testing::{EPOCH, NOW, at, bytes, directory, open};
use crate::storage::transactions::{self, AbortedTxn};
use crate::storage::{AppendError, testing};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
        Story::with(&config())
    }

    fn with(config: &LogConfig) -> Story {
        let disk = SimulatedDisk::default();
        let log = open(&(Arc::new(disk.clone()) as Arc<dyn Disk>), config, at(0, 0, false));
        Story { disk, log, open: BTreeMap::new(), committed: BTreeSet::new() }
    }

    fn append(&self, batch: &[u8]) -> i64 {
        let origin = Origin::Coordinator(Admission::Verified);
        let appended = self.log.append(batch, origin, EPOCH, NOW).unwrap();
        self.write();
        appended.base_offset.0
    }

    fn end(&self, producer: i64, commit: bool, coordinator_epoch: i32) -> Result<Appended, AppendError> {
        let marker = EndTxnMarker { commit, coordinator_epoch };
        let appended = self.log.append_marker((producer, 0), marker, 0, EPOCH, NOW)?;
        self.write();
        Ok(appended)
    }

    fn write(&self) {
        self.log.write_pending().unwrap();
        self.log.advance_high_watermark(self.log.log_end_offset());
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
                self.end(producer, commit, 1).unwrap();
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
        self.log.advance_high_watermark(self.log.log_end_offset());
    }

    fn check(&self, max_bytes: u64) {
        let stable = self.last_stable_offset();
        assert_eq!(self.log.last_stable_offset(), Offset(stable));
        let expected: Vec<_> = self.committed.iter().copied().filter(|(offset, _)| *offset < stable).collect();
        for from in [0, stable / 2, (stable - 2).max(0)] {
            let seen = consume(&self.log, from, stable, max_bytes);
            let expected: Vec<_> = expected.iter().copied().filter(|(offset, _)| *offset >= from).collect();
            assert_eq!(seen, expected, "from {from} to {stable}");
        }
    }

    fn lose_snapshots(&self) {
        let entries = self.disk.list(&directory()).unwrap();
        for entry in entries.iter().filter(|entry| entry.name.ends_with(".snapshot")) {
            self.disk.remove_file(&directory().join(&entry.name)).unwrap();
        }
    }

    fn indexes(&self) -> BTreeMap<String, Vec<u8>> {
        indexes(&self.disk)
    }
}

/// The transaction index files by name.
fn indexes(disk: &SimulatedDisk) -> BTreeMap<String, Vec<u8>> {
    let entries = disk.list(&directory()).unwrap();
    let named = entries.into_iter().filter(|entry| entry.name.ends_with(".txnindex"));
    let read = |name: String| (name.clone(), disk.read_small(&directory().join(name), 1 << 20).unwrap());
    named.map(|entry| read(entry.name)).filter(|(_, content)| !content.is_empty()).collect()
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

fn policy() -> Policy {
    Policy {
        delete_retention_ms: 100,
        min_compaction_lag_ms: 0,
        max_compaction_lag_ms: i64::MAX,
        min_cleanable_dirty_ratio: 0.0,
    }
}

fn means() -> Means {
    Means { dedupe_buffer_bytes: 1 << 20, load_factor: 0.9, io_buffer_bytes: 1 << 16, random: [1; 16] }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn consumers_see_what_was_committed(
        steps in proptest::collection::vec(step(), 1..60),
        max_bytes in 1u64..2000,
        recovery_point in 0i64..60,
        damage: prop::sample::Index,
        loses_snapshots: bool,
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
            if loses_snapshots {
                story.lose_snapshots();
            }
            let disk: Arc<dyn Disk> = Arc::new(story.disk.clone());
            story.log = open(&disk, &config(), at(0, 0, true));
            story.log.advance_high_watermark(story.log.log_end_offset());
            story.check(max_bytes);
            prop_assert_eq!(&story.indexes(), &written, "a damaged index");
        }
        story.take(Step::Send { producer: 9, key: 1 });
        story.check(max_bytes);
    }

    /// Of each key the last committed record stays; aborted records go at once, markers after their delete horizon. A round may
    /// begin anywhere, also behind markers whose entries are still there: then older records go for those of the dirty part alone.
    #[test]
    fn compaction_knows_what_was_aborted(
        steps in proptest::collection::vec(step(), 20..90),
        max_bytes in 1u64..2000,
        quarters in 0i64..4,
    ) {
        let mut story = Story::new();
        for step in &steps {
            story.take(*step);
        }
        let (policy, means) = (policy(), means());
        let stable = story.last_stable_offset();
        let before = story.indexes().values().map(Vec::len).sum::<usize>();
        let mut cleaned_to = None;
        // The second look marks what is left of markers, the third is behind their delete horizon.
        for (round, now) in [0, 10, 1000].into_iter().enumerate() {
            let now = TimestampMs(NOW.0 + now);
            let mut dirty = story.log.dirtiness(cleaned_to, Offset(stable), &policy, now).unwrap();
            prop_assert!(dirty.first_uncleanable_offset.0 <= stable);
            let from = dirty.first_uncleanable_offset.0 * quarters / 4;
            dirty.first_dirty_offset = Offset(from);
            let end = story.log.clean(&dirty, &policy, &means, now, &mut Unhurried).unwrap().end_offset;
            cleaned_to = Some(end);
            let is_dirty = |offset: i64| (from..end.0).contains(&offset);
            let dirty = story.committed.iter().filter(|(offset, _)| is_dirty(*offset));
            let latest: BTreeMap<u8, i64> = dirty.map(|(offset, key)| (*key, *offset)).collect();
            story.committed.retain(|(offset, key)| {
                *offset >= end.0 || latest.get(key).is_none_or(|latest| offset >= latest)
            });
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

/// A round begins behind the marker of an aborted transaction in the same segment, of a producer that goes on.
#[test]
fn an_abort_below_the_dirty_part_hides_nothing_of_it() {
    let mut story = Story::new();
    story.take(Step::Plain { key: 0 });
    story.take(Step::Send { producer: 1, key: 1 });
    story.take(Step::End { producer: 1, commit: false });
    let from = story.log.log_end_offset();
    story.take(Step::Send { producer: 1, key: 0 });
    story.take(Step::End { producer: 1, commit: true });
    (0..10).for_each(|_| story.take(Step::Plain { key: 3 }));
    let now = NOW;
    let mut dirty = story.log.dirtiness(None, story.log.log_end_offset(), &policy(), now).unwrap();
    assert!(dirty.first_uncleanable_offset > from);
    dirty.first_dirty_offset = from;
    story.log.clean(&dirty, &policy(), &means(), now, &mut Unhurried).unwrap();
    let all = consume_uncommitted(&story.log, from.0);
    assert_eq!(all, Vec::<i64>::new(), "the older record of the key has gone");
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

/// Each entry is found from any offset, however many pieces there are.
#[test]
fn entries_are_kept_in_pieces() {
    let txn = |n: i64| AbortedTxn {
        producer_id: n,
        first_offset: Offset(2 * n),
        last_offset: Offset(2 * n + 1),
        last_stable_offset: Offset(2 * n + 2),
    };
    let all: Vec<AbortedTxn> = (0..5000).map(txn).collect();
    for step in [1, 7, 1024, 1025, 5000] {
        let aborted = transactions::Aborted::default();
        all.chunks(step).for_each(|more| aborted.extend(more));
        let shared = aborted.share();
        aborted.extend(&[txn(5000)]);
        assert_eq!((aborted.len(), shared.len()), (5001, 5000));
        let list = shared.load().unwrap();
        for from in [0, 1, 2, 2046, 2047, 2048, 2049, 2050, 5000, 9999] {
            let expected: Vec<_> = all.iter().filter(|txn| txn.last_offset.0 >= from).copied().collect();
            assert_eq!(list.from(Offset(from)).copied().collect::<Vec<_>>(), expected, "from {from} by {step}");
        }
        assert_eq!(list.from(Offset(10_000)).count(), 0);
    }
}

#[test]
fn a_coordinator_of_the_past_and_a_batch_outside_are_refused() {
    let mut story = Story::new();
    story.take(Step::Send { producer: 1, key: 0 });
    let outside = testing::batch(&[NOW.0], 5, Some((1, 0, 0)));
    let refused = story.log.append(&outside, Origin::Coordinator(Admission::None), EPOCH, NOW);
    assert!(matches!(refused, Err(AppendError::InvalidTxnState(_))));
    story.end(1, true, 5).unwrap();
    assert!(matches!(story.end(1, false, 4), Err(AppendError::TransactionCoordinatorFenced(_))));
    assert_eq!(story.log.last_stable_offset(), story.log.log_end_offset());
}

#[test]
fn the_start_of_the_log_is_stable_whatever_was_open_below_it() {
    let mut story = Story::new();
    story.take(Step::Send { producer: 1, key: 0 });
    story.take(Step::Plain { key: 1 });
    story.log.delete_records_before(Offset(2)).unwrap();
    assert_eq!(story.log.last_stable_offset(), Offset(2));
    story.take(Step::Plain { key: 1 });
    assert_eq!(story.log.last_stable_offset(), Offset(2), "it is open still");
}

/// `ProducerStateManager.unreplicatedTxns`: the marker of a transaction must be below the high watermark, whatever comes
/// behind it.
#[test]
fn a_transaction_is_not_stable_before_its_marker_is_committed() {
    let mut story = Story::new();
    story.take(Step::Plain { key: 0 });
    story.take(Step::Send { producer: 1, key: 1 });
    story.take(Step::Send { producer: 2, key: 2 });
    let (log, stable) = (&story.log, || story.log.last_stable_offset().0);
    let mark = |producer, commit| {
        let marker = EndTxnMarker { commit, coordinator_epoch: 0 };
        log.append_marker((producer, 0), marker, 0, EPOCH, NOW).unwrap();
        log.write_pending().unwrap();
    };
    assert_eq!(stable(), 1);
    mark(1, false);
    assert_eq!((stable(), log.high_watermark()), (1, Offset(3)), "its marker is at the high watermark");
    mark(2, true);
    log.append(&data(Some(1), 3), Origin::Coordinator(Admission::Added), EPOCH, NOW).unwrap();
    log.write_pending().unwrap();
    assert_eq!(stable(), 1, "none is open at the beginning any more");
    log.advance_high_watermark(Offset(4));
    assert_eq!(stable(), 2, "the second one waits");
    log.advance_high_watermark(Offset(5));
    assert_eq!(stable(), 5);
    log.advance_high_watermark(Offset(6));
    assert_eq!(stable(), 5, "the third one is open");
    // The next write forgets what is committed, and keeps what is not.
    mark(1, true);
    assert_eq!(stable(), 5);
    assert_eq!(log.append(&data(None, 4), Origin::Client(Admission::None), EPOCH, NOW).unwrap().base_offset.0, 7);
    log.write_pending().unwrap();
    assert_eq!(stable(), 5);
    log.advance_high_watermark(Offset(8));
    assert_eq!(stable(), 8);
}

/// Readers take no lock: between a marker's write and its commit they must see the transaction as open.
#[test]
fn no_reader_sees_half_a_transaction_as_stable() {
    let (story, is_done) = (Story::new(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut before = Offset(0);
            while !is_done.load(Ordering::Acquire) {
                let stable = story.log.last_stable_offset();
                // Each transaction has two offsets. Whose first one is stable has its marker, the second, committed by now.
                let is_decided = stable.0 % 2 == 0 || story.log.high_watermark() > stable;
                assert!(stable >= before && is_decided, "{stable} after {before}");
                before = stable;
            }
        });
        for n in 0..1000 {
            story.append(&data(Some(1), 0));
            story.end(1, n % 3 == 0, 0).unwrap();
        }
        is_done.store(true, Ordering::Release);
    });
    assert_eq!(story.log.last_stable_offset(), Offset(2000));
}

/// What was aborted stays so from wherever a consumer begins, through every kind of start, though the transaction began
/// segments before its marker and others ended in between.
#[test]
fn an_aborted_transaction_over_many_segments_is_hidden_from_each_offset() {
    let mut story = Story::new();
    let send = |producer, key| Step::Send { producer, key };
    let end = |producer, commit| Step::End { producer, commit };
    story.take(send(1, 0));
    for n in 0..20 {
        for step in [send(2, 1), send(1, 2), send(3, 3), end(2, n % 2 == 0), Step::Plain { key: 4 }] {
            story.take(step);
        }
    }
    for step in [end(1, false), end(3, true), send(2, 5), send(1, 6), Step::Plain { key: 4 }] {
        story.take(step);
    }
    assert!(story.log.segment_count() > 10);
    let (written, stable) = (story.indexes(), story.last_stable_offset());
    let last = written.keys().last().unwrap().clone();
    let starts: [&dyn Fn(&mut Story); 5] = [
        &|_| {},
        &|story| story.reopen(0, false),
        &|story| story.reopen(stable / 2, false),
        &|story| story.reopen(0, true),
        &|story| {
            story.log.close(NOW).unwrap();
            story.lose_snapshots();
            story.disk.open(&directory().join(&last), Open::ReadWrite).unwrap().set_size(5).unwrap();
            story.log = open(&(Arc::new(story.disk.clone()) as Arc<dyn Disk>), &config(), at(0, 0, true));
            story.log.advance_high_watermark(story.log.log_end_offset());
        },
    ];
    for start in starts {
        start(&mut story);
        assert_eq!((story.log.last_stable_offset(), story.indexes()), (Offset(stable), written.clone()));
        for from in 0..stable {
            let expected: Vec<_> =
                story.committed.iter().copied().filter(|(offset, _)| (from..stable).contains(offset)).collect();
            assert_eq!(consume(&story.log, from, stable, 400), expected, "from {from}");
        }
        assert!(story.log.has_open_transaction(1, 0).unwrap() && story.log.has_open_transaction(2, 0).unwrap());
        assert!(!story.log.has_open_transaction(3, 0).unwrap());
    }
}

/// A full disk takes back a marker that waits to be written: its transaction is open again, and has not ended twice.
#[test]
fn a_marker_that_was_taken_back_ends_nothing() {
    let mut story = Story::new();
    story.take(Step::Send { producer: 1, key: 0 });
    let marker = EndTxnMarker { commit: false, coordinator_epoch: 0 };
    story.log.append_marker((1, 0), marker, 0, EPOCH, NOW).unwrap();
    story.disk.limit_space(Some(0));
    assert!(story.log.write_pending().is_err());
    story.disk.limit_space(None);
    story.check(1000);
    assert!(story.log.has_open_transaction(1, 0).unwrap());
    story.take(Step::End { producer: 1, commit: false });
    story.check(1000);
}

/// A client's batch begins no transaction without the coordinator's word, and a marker ends it.
#[test]
fn what_is_not_admitted_is_not_taken() {
    let story = Story::new();
    let send = |admission| {
        let appended = story.log.append(&data(Some(1), 0), Origin::Client(admission), EPOCH, NOW);
        appended.map(|at| at.base_offset.0).map_err(|refused| refused.to_string())
    };
    let not_ongoing = Err("Record was not part of an ongoing transaction".to_string());
    assert!(!story.log.has_open_transaction(1, 0).unwrap());
    assert_eq!(send(Admission::None), not_ongoing);
    assert_eq!(send(Admission::Verified), Ok(0));
    assert!(story.log.has_open_transaction(1, 0).unwrap());
    story.end(1, false, 0).unwrap();
    assert!(!story.log.has_open_transaction(1, 0).unwrap());
    assert_eq!(story.log.log_end_offset(), Offset(2));
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
        assert!(opened.is_err(), "read {reads} has failed and the log was opened");
        story.reopen(0, false);
        story.check(500);
        assert_eq!(story.indexes(), written);
        reads += 1;
    }
    assert!(reads > story.log.segment_count() as u64, "{reads} reads");
}

/// What an opening mends is never worse for its not coming to its end, whether the disk has no room, or the power fails: the
/// next one finds what was there, or begins anew.
#[test]
fn an_opening_that_is_cut_off_loses_no_aborted_transaction() {
    // Few entries: the index does not tell that a batch is gone.
    let config = LogConfig { index_interval_bytes: 4096, ..config() };
    let mut story = Story::with(&config);
    for n in 0..8 {
        story.take(Step::Send { producer: n % 3, key: n as u8 });
        story.take(Step::Plain { key: 1 });
        story.take(Step::End { producer: n % 3, commit: n % 3 == 0 });
    }
    story.log.close(NOW).unwrap();
    let end = story.log.log_end_offset().0;
    let try_to_open = |disk: &SimulatedDisk, clean| {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        Log::open(disk, directory(), config.clone(), testing::identity(), at(0, end, clean), NOW)
    };
    let found = |disk: &SimulatedDisk, clean| {
        let log = try_to_open(disk, clean).unwrap();
        log.advance_high_watermark(log.log_end_offset());
        let stable = log.last_stable_offset();
        (log.log_end_offset(), stable, consume(&log, 0, stable.0, 500), indexes(disk))
    };
    let mut cut_off = 0;
    let damages = damages(&story.disk);
    for damaged in &damages {
        for (how, clean) in
            [(Crash::Process, true), (Crash::Process, false), (Crash::Power, false), (Crash::Torn { seed: 7 }, false)]
        {
            let undisturbed = found(&damaged.copy(), clean);
            let mut cut_off_by = |limit: &dyn Fn(&SimulatedDisk)| {
                let disk = damaged.copy();
                limit(&disk);
                let is_cut_off = try_to_open(&disk, clean).is_err();
                disk.limit_operations(None);
                disk.limit_space(None);
                disk.crash(how);
                assert_eq!(found(&disk, clean), undisturbed, "{how:?}, clean: {clean}");
                cut_off += usize::from(is_cut_off);
                is_cut_off
            };
            let _ = (0..).find(|left| !cut_off_by(&|disk| disk.limit_operations(Some(*left))));
            let _ = (0..).find(|room| !cut_off_by(&|disk| disk.limit_space(Some(*room))));
        }
    }
    assert!(cut_off > 4 * damages.len(), "{cut_off} openings failed");
}

/// The disk once for each index file with a flipped bit, and once with the last batch torn, which is the marker of an aborted
/// transaction.
fn damages(disk: &SimulatedDisk) -> Vec<SimulatedDisk> {
    let names: BTreeSet<_> = disk.list(&directory()).unwrap().into_iter().map(|entry| entry.name).collect();
    let indexes = names.iter().filter(|name| name.ends_with("index")).map(|name| (name, 1));
    let last = names.iter().rfind(|name| name.ends_with(".log")).unwrap();
    let length_of_marker = disk.size_bytes(&directory().join(last)).unwrap() as usize - MARKER_BATCH_BYTES + 11;
    let damaged = |(name, position): (&String, usize)| {
        let damaged = disk.copy();
        damaged.flip_bit(&directory().join(name), position, 4);
        damaged
    };
    indexes.chain([(last, length_of_marker)]).map(damaged).collect()
}

/// An end marker's whole batch.
const MARKER_BATCH_BYTES: usize = 78;
