//! Compaction against plain models, and crashes at every step of it.

use super::super::error::Error;
use super::super::log::{Admission, Log, LogConfig, Origin};
use super::super::segment::Segment;
use super::super::testing::{self, EPOCH, NOW, at, open};
use super::super::view::View;
use super::{Dirtiness, Means, Pace, Policy, Stopped};
use crate::io::disk::{Disk, Entry, File, Lock, Open, Space};
use crate::io::simulated_disk::{Crash, SimulatedDisk};
use crate::model::{CompressionType, Offset, TimestampMs};
use crate::record::batches::Batches;
use crate::record::builder::{Builder, Codec, Options, Record};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const RETENTION_MS: i64 = 1000;

struct Unhurried;

impl Pace for Unhurried {
    fn spend(&mut self, _: u64) -> bool {
        true
    }
}

fn policy() -> Policy {
    Policy {
        delete_retention_ms: RETENTION_MS,
        min_compaction_lag_ms: 0,
        max_compaction_lag_ms: i64::MAX,
        min_cleanable_dirty_ratio: 0.0,
    }
}

fn means() -> Means {
    Means { dedupe_buffer_bytes: 1 << 20, load_factor: 0.9, io_buffer_bytes: 1 << 16, random: [3; 16] }
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 600, index_interval_bytes: 100, ..LogConfig::default() }
}

/// Key and value of each record, and how a producer sends them.
#[derive(Clone, Debug)]
struct Sent {
    records: Vec<(u8, Option<u8>)>,
    codec: u8,
    producer: Option<i64>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let record = (0u8..6, proptest::option::weighted(0.7, 0u8..100));
    let records = proptest::collection::vec(record, 1..6);
    (records, 0u8..5, proptest::option::of(0i64..3)).prop_map(|(records, codec, producer)| Sent {
        records,
        codec,
        producer,
    })
}

fn dirtiness(log: &Log, cleaned_to: Option<Offset>, now: TimestampMs) -> Dirtiness {
    log.dirtiness(cleaned_to, log.log_end_offset(), &policy(), now).unwrap()
}

/// A log on which much is written, and what was written.
struct Story {
    log: Log,
    sequences: HashMap<i64, i32>,
    written: Vec<(i64, u8, Option<u8>)>,
}

impl Story {
    fn on(disk: Arc<dyn Disk>) -> Story {
        let log = open(&disk, &config(), at(0, 0, false));
        Story { log, sequences: HashMap::new(), written: Vec::new() }
    }

    fn put(&mut self, sent: &Sent) -> Result<(), Error> {
        let base_offset = self.log.log_end_offset();
        let codec = Codec { kind: CompressionType::from_id(sent.codec).unwrap(), level: None };
        let mut options = Options { codec, ..Options::default() };
        if let Some(producer) = sent.producer {
            let sequence = self.sequences.entry(producer).or_default();
            (options.producer_id, options.producer_epoch, options.base_sequence) = (producer, 0, *sequence);
            *sequence += sent.records.len() as i32;
        }
        let mut builder = Builder::new(options);
        for (n, (key, value)) in sent.records.iter().enumerate() {
            let value = value.map(|value| vec![value; usize::from(value)]);
            builder.append(&Record {
                timestamp: TimestampMs(NOW.0 + n as i64),
                key: Some(&[*key]),
                value: value.as_deref(),
                headers: &[(b"h", None)],
            });
        }
        self.log.append(&builder.build(), Origin::Client(Admission::None), EPOCH, NOW).map_err(|e| e.into_error())?;
        self.log.write_pending()?;
        let records = sent.records.iter().enumerate();
        self.written.extend(records.map(|(n, (key, value))| (base_offset.0 + n as i64, *key, *value)));
        Ok(())
    }

    fn clean(&self, cleaned_to: Option<Offset>, now: TimestampMs) -> Result<Offset, Stopped> {
        let dirtiness = dirtiness(&self.log, cleaned_to, now);
        let cleaned = self.log.clean(&dirtiness, &policy(), &means(), now, &mut Unhurried)?;
        cleaned.removals.iter().try_for_each(|removal| removal.run())?;
        Ok(cleaned.end_offset)
    }

    /// What a reader sees, checked against what was written: offset, key, first byte of the value.
    fn read(&self) -> Vec<(i64, u8, Option<u8>)> {
        let seen = read(&self.log);
        let written: BTreeMap<_, _> = self.written.iter().map(|r| (r.0, (r.1, r.2))).collect();
        for (offset, key, value) in &seen {
            assert_eq!(written.get(offset), Some(&(*key, *value)), "a record has changed");
        }
        assert!(seen.is_sorted_by(|a, b| a.0 < b.0));
        seen
    }

    /// The last record of each key among those up to `end`.
    fn last_of_keys(&self, end: i64) -> BTreeMap<u8, (i64, Option<u8>)> {
        self.written.iter().filter(|r| r.0 < end).map(|r| (r.1, (r.0, r.2))).collect()
    }
}

/// Whether a segment reaches into the next one.
fn overlaps(log: &Log, disk: &dyn Disk) -> bool {
    let view = log.view.load();
    let reaches = |pair: &[Arc<Segment>]| {
        let size = pair[0].file(disk).unwrap().size().unwrap();
        pair[0].locate(disk, pair[1].base_offset, size).unwrap().is_some()
    };
    view.segments.windows(2).any(reaches)
}

fn read(log: &Log) -> Vec<(i64, u8, Option<u8>)> {
    let mut out = Vec::new();
    let mut next = log.log_start_offset();
    while let Some(slice) = log.read(next, log.log_end_offset(), 1 << 20, true).unwrap() {
        let bytes = testing::bytes(&slice);
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            assert!(batch.is_intact());
            assert!(batch.header.base_offset >= next.0 || batch.header.last_offset() >= next);
            next = batch.header.last_offset().next();
            let unpacked = batch.unpack(1 << 20).unwrap();
            let mut records = batch.records(&unpacked);
            while let Some(record) = records.next() {
                let record = record.unwrap();
                assert_eq!(record.headers.count(), 1);
                let value = record.value.map(|value| value.first().copied().unwrap_or(0));
                out.push((records.offset(&record), record.key.unwrap()[0], value));
            }
        }
    }
    out
}

fn later(ms: i64) -> TimestampMs {
    TimestampMs(NOW.0 + ms)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    /// Rounds of writing and cleaning: below the cleaned offset each key has its last record and no other, above it all
    /// is as it was; tombstones go in the first round that finds their horizon passed.
    #[test]
    fn of_each_key_the_last_record_stays(rounds in proptest::collection::vec(proptest::collection::vec(sent(), 1..12), 1..4)) {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::default());
        let mut story = Story::on(disk.clone());
        let mut cleaned_to = None;
        for batches in &rounds {
            batches.iter().for_each(|sent| story.put(sent).unwrap());
            let end = story.clean(cleaned_to, NOW).unwrap();
            prop_assert_eq!(end, dirtiness(&story.log, cleaned_to, NOW).first_uncleanable_offset.max(end));
            cleaned_to = Some(end);
            let last = story.last_of_keys(end.0);
            let expected: Vec<_> = story.written.iter()
                .filter(|(offset, key, _)| *offset >= end.0 || last.get(key).is_some_and(|(o, _)| o == offset))
                .copied().collect();
            prop_assert_eq!(&story.read(), &expected);
            // Again with nothing new, from the start and from the checkpoint: nothing changes.
            story.clean(None, NOW).unwrap();
            prop_assert_eq!(&story.read(), &expected);
        }
        let before = story.read();
        let end = story.clean(None, later(RETENTION_MS)).unwrap();
        let expected: Vec<_> = before.iter().filter(|r| r.0 >= end.0 || r.2.is_some()).copied().collect();
        prop_assert_eq!(story.read(), expected.clone());
        // The log opens again as it is, clean or not, and still knows its producers.
        let end = story.log.log_end_offset();
        let recovery_point = story.log.recovery_point();
        story.log.close(NOW).unwrap();
        for checkpointed in [at(0, end.0, true), at(0, recovery_point.0, false), at(0, 0, false)] {
            let log = open(&disk, &config(), checkpointed);
            prop_assert_eq!(log.log_end_offset(), end);
            prop_assert_eq!(read(&log), expected.clone());
            let writer = log.lock_writer().unwrap();
            for (producer, next) in &story.sequences {
                prop_assert_eq!(writer.producers.get(*producer).and_then(|p| p.last_batch()).map(|b| b.last_sequence + 1), Some(*next));
            }
        }
    }

    /// A map with little room cleans in several rounds, with the same result.
    #[test]
    fn little_memory_only_takes_more_rounds(batches in proptest::collection::vec(sent(), 1..30)) {
        let mut story = Story::on(Arc::new(SimulatedDisk::default()));
        batches.iter().for_each(|sent| story.put(sent).unwrap());
        let means = Means { dedupe_buffer_bytes: 0, load_factor: 0.4, ..means() };
        let mut cleaned_to = Offset(0);
        loop {
            let dirty = dirtiness(&story.log, Some(cleaned_to), NOW);
            if !dirty.wants_cleaning(&policy()) {
                break;
            }
            let end = story.log.clean(&dirty, &policy(), &means, NOW, &mut Unhurried).unwrap().end_offset;
            prop_assert!(end > cleaned_to);
            cleaned_to = end;
        }
        let last = story.last_of_keys(cleaned_to.0);
        let seen = story.read();
        prop_assert!(seen.iter().all(|(o, key, _)| *o >= cleaned_to.0 || last[key].0 == *o));
        prop_assert!(last.values().all(|(o, _)| seen.iter().any(|r| r.0 == *o)));
    }

}

/// A file is opened by its name when a reader wants it, and compaction gives the name to another file.
#[test]
fn a_reader_that_is_overtaken_by_a_round_looks_again() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::default());
    let mut story = Story::on(disk.clone());
    let sent = |n| Sent { records: vec![(n % 3, Some(n))], codec: 0, producer: None };
    (0..40).for_each(|n| story.put(&sent(n)).unwrap());
    let end = story.log.close(NOW).unwrap();
    story.log = open(&disk, &config(), at(0, end.0, true));
    let mut looks = 0;
    let look = |view: &View| {
        looks += 1;
        if looks == 1 {
            story.clean(None, NOW).unwrap();
            // As if too many files were open.
            view.segments.iter().for_each(|segment| segment.log.close());
        }
        let size = view.segments[0].file(&*disk).and_then(|file| file.size());
        Ok::<_, Error>((size.map_err(Error::io("read", Path::new("0")))?, view.segment_size_bytes(0)))
    };
    let (size, expected) = story.log.with_view(look).unwrap();
    assert_eq!((size, looks), (expected, 2));
    // Appending and rolling take nothing away: a look that takes long must come to its end.
    let mut looks = 0;
    let looked = story.log.with_view(|_| {
        looks += 1;
        let segments = story.log.segment_count();
        while story.log.segment_count() == segments {
            testing::put(&story.log, &testing::batch(&[NOW.0], 100, None));
        }
        Ok::<_, Error>(())
    });
    assert!(looked.is_ok() && looks == 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    /// The disk fails at every step in turn, then the machine crashes: what comes back has every key's last record,
    /// nothing that was not written, and a second try cleans it.
    #[test]
    fn a_crash_at_any_step_leaves_a_sound_log(
        batches in proptest::collection::vec(sent(), 8..20),
        crash in prop_oneof![
            Just(Crash::Process),
            Just(Crash::Power),
            any::<u64>().prop_map(|seed| Crash::Torn { seed }),
            any::<u64>().prop_map(|seed| Crash::Scattered { seed }),
        ],
        flushed: bool,
    ) {
        for step in 0.. {
            let disk = SimulatedDisk::default();
            let failing = Failing { disk: disk.clone(), left: Arc::new(AtomicI64::new(i64::MAX)) };
            let left = failing.left.clone();
            let mut story = Story::on(Arc::new(failing));
            // What a round has left is small, so that the next one makes one segment of several.
            let (before, behind) = batches.split_at(batches.len() / 2);
            before.iter().for_each(|sent| story.put(sent).unwrap());
            story.clean(None, NOW).unwrap();
            behind.iter().for_each(|sent| story.put(sent).unwrap());
            let flush = story.log.flush().unwrap();
            flush.run().unwrap();
            disk.sync_directory(Path::new("/")).unwrap();
            if flushed {
                story.log.flushed(&flush, NOW);
            }
            let end = story.log.log_end_offset();
            left.store(step, Ordering::Relaxed);
            let result = story.clean(None, NOW);
            let has_failed = left.load(Ordering::Relaxed) < 0;
            prop_assert!(has_failed || result.is_ok());
            disk.crash(crash);
            let again: Arc<dyn Disk> = Arc::new(disk);
            let recovery_point = story.log.recovery_point();
            story.log = open(&again, &config(), at(0, recovery_point.0, false));
            prop_assert_eq!(story.log.log_end_offset(), end);
            prop_assert!(!overlaps(&story.log, &*again), "step {}: a copy and an original of it are there", step);
            let last = story.last_of_keys(i64::MAX);
            let seen = story.read();
            prop_assert!(last.values().all(|(o, _)| seen.iter().any(|r| r.0 == *o)), "step {}: a key was lost", step);
            let cleaned_to = story.clean(None, NOW).unwrap();
            let last = story.last_of_keys(cleaned_to.0);
            prop_assert!(story.read().iter().all(|(o, key, _)| *o >= cleaned_to.0 || last[key].0 == *o));
            if !has_failed {
                break;
            }
        }
    }
}

/// Several segments that a first round has left almost empty become one in the second. The disk brings each change of a
/// name to the disk or not, whatever becomes of the others, unless they are synced.
#[test]
fn a_copy_is_never_there_beside_what_it_was_made_of() {
    let mut most_in_one = 0;
    for (step, seed) in (0..).flat_map(|step| (0..24).map(move |seed| (step, seed))) {
        let disk = SimulatedDisk::default();
        let failing = Failing { disk: disk.clone(), left: Arc::new(AtomicI64::new(i64::MAX)) };
        let left = failing.left.clone();
        let mut story = Story::on(Arc::new(failing));
        let sent = |key, size| Sent { records: vec![(key, Some(size))], codec: 0, producer: None };
        for key in 0..3 {
            let segments = story.log.segment_count();
            story.put(&sent(key, 10)).unwrap();
            while story.log.segment_count() == segments {
                story.put(&sent(9, 90)).unwrap();
            }
        }
        story.clean(None, NOW).unwrap();
        story.log.flush().unwrap().run().unwrap();
        disk.sync_directory(Path::new("/")).unwrap();
        let (segments, end) = (story.log.segment_count(), story.log.log_end_offset());
        left.store(step, Ordering::Relaxed);
        let is_done = story.clean(None, NOW).is_ok();
        most_in_one = most_in_one.max(segments - story.log.segment_count());
        disk.crash(Crash::Scattered { seed });
        let again: Arc<dyn Disk> = Arc::new(disk);
        story.log = open(&again, &config(), at(0, story.log.recovery_point().0, false));
        assert_eq!(story.log.log_end_offset(), end);
        assert!(!overlaps(&story.log, &*again), "step {step}, seed {seed}");
        let (last, seen) = (story.last_of_keys(i64::MAX), story.read());
        assert!(last.values().all(|(o, _)| seen.iter().any(|r| r.0 == *o)), "step {step}, seed {seed}: a key was lost");
        if is_done && seed == 23 {
            break;
        }
    }
    assert!(most_in_one >= 2, "several became one");
}

/// What is left of a producer in the cleaned segments is nothing, as it has gone on in the active one, which a loss of power
/// takes away: the snapshot that was written at the roll still knows it.
#[test]
fn a_producer_that_was_cleaned_away_is_known_after_the_active_segment_is_lost() {
    let disk = SimulatedDisk::default();
    let mut story = Story::on(Arc::new(disk.clone()));
    let sent = |key, producer| Sent { records: vec![(key, Some(50))], codec: 0, producer };
    story.put(&sent(1, Some(7))).unwrap();
    while story.log.view.load().segments.len() < 2 {
        story.put(&sent(1, None)).unwrap();
    }
    story.log.flush().unwrap().run().unwrap();
    disk.sync_directory(Path::new("/")).unwrap();
    story.put(&sent(2, Some(7))).unwrap();
    story.clean(None, NOW).unwrap();
    disk.crash(Crash::Power);
    let again: Arc<dyn Disk> = Arc::new(disk);
    story.log = open(&again, &config(), at(0, 0, false));
    let end = story.log.log_end_offset();
    story.sequences.insert(7, 0);
    story.put(&sent(1, Some(7))).unwrap();
    assert_eq!(story.log.log_end_offset(), end, "it is a repetition");
}

#[test]
fn deletion_overtakes_a_round() {
    // Files that are open can be read after their deletion, the others cannot.
    for are_closed in [false, true] {
        deletion_overtakes(are_closed);
    }
}

fn deletion_overtakes(are_closed: bool) {
    struct Deleting<'l>(&'l Log, bool);
    impl Pace for Deleting<'_> {
        fn spend(&mut self, _: u64) -> bool {
            let before = self.0.view.load_full();
            self.0.delete_records_before(Offset(30)).unwrap();
            self.0.unlink_below_start().unwrap();
            before.segments.iter().filter(|_| self.1).for_each(|segment| segment.log.close());
            true
        }
    }
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::default());
    let mut story = Story::on(disk.clone());
    (0..40u8).for_each(|n| {
        story.put(&Sent { records: vec![(n % 3, Some(n)), (n % 5, Some(50))], codec: 0, producer: None }).unwrap();
    });
    let dirty = dirtiness(&story.log, None, NOW);
    let stopped = story.log.clean(&dirty, &policy(), &means(), NOW, &mut Deleting(&story.log, are_closed));
    assert!(matches!(stopped, Err(Stopped::Overtaken)));
    let names = disk.list(&testing::directory()).unwrap();
    assert!(names.iter().all(|n| !n.name.ends_with(".cleaned") && !n.name.ends_with(".swap")));
    assert_eq!(story.read().len(), 50);
    // The next round begins at the new start.
    let end = story.clean(Some(Offset(2)), NOW).unwrap();
    assert!(end > Offset(30) && story.read().len() < 50);
}

#[test]
fn a_deleted_log_and_a_stop_end_a_round() {
    struct Stop;
    impl Pace for Stop {
        fn spend(&mut self, _: u64) -> bool {
            false
        }
    }
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::default());
    let mut story = Story::on(disk.clone());
    (0..20u8).for_each(|_| story.put(&Sent { records: vec![(1, Some(90))], codec: 0, producer: None }).unwrap());
    let dirty = dirtiness(&story.log, None, NOW);
    assert!(matches!(story.log.clean(&dirty, &policy(), &means(), NOW, &mut Stop), Err(Stopped::Asked)));
    story.log.delete([9; 16]).unwrap();
    assert!(matches!(story.log.clean(&dirty, &policy(), &means(), NOW, &mut Unhurried), Err(Stopped::Overtaken)));
}

#[test]
fn lags_and_the_ratio_choose_what_is_cleaned() {
    let mut story = Story::on(Arc::new(SimulatedDisk::default()));
    (0..20u8).for_each(|_| story.put(&Sent { records: vec![(1, Some(90))], codec: 0, producer: None }).unwrap());
    let active = Offset(story.log.view.load().active().base_offset.0);
    let all = dirtiness(&story.log, None, NOW);
    assert_eq!((all.first_dirty_offset, all.first_uncleanable_offset, all.ratio()), (Offset(0), active, 1.0));
    let with = |policy: Policy, now| story.log.dirtiness(None, active, &policy, now).unwrap();
    let young = with(Policy { min_compaction_lag_ms: 500, ..policy() }, NOW);
    assert_eq!((young.cleanable_bytes, young.first_uncleanable_offset), (0, Offset(0)));
    assert!(with(Policy { min_compaction_lag_ms: 500, ..policy() }, later(501)).cleanable_bytes > 0);
    let strict = Policy { max_compaction_lag_ms: 700, min_cleanable_dirty_ratio: 1.0, ..policy() };
    assert!(!with(strict, later(700)).wants_cleaning(&strict));
    assert!(with(strict, later(701)).wants_cleaning(&strict));
    // What is above the stable end may not be touched; a checkpoint out of range counts as none.
    let stable = story.log.dirtiness(Some(Offset(99)), Offset(7), &policy(), NOW).unwrap();
    assert!(stable.first_uncleanable_offset <= Offset(7) && stable.first_dirty_offset == Offset(0));
    assert!(!dirtiness(&story.log, Some(active), NOW).wants_cleaning(&policy()));
}

#[test]
fn a_damaged_batch_is_not_made_right() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::default());
    let mut story = Story::on(disk.clone());
    (0..20u8).for_each(|_| story.put(&Sent { records: vec![(1, Some(90))], codec: 0, producer: None }).unwrap());
    let path = testing::directory().join("00000000000000000000.log");
    disk.open(&path, Open::ReadWrite).unwrap().write_at(&[IoSlice::new(b"!")], 80).unwrap();
    assert!(matches!(story.clean(None, NOW), Err(Stopped::Failed(Error::Unusable { .. }))));
    assert!(!story.log.is_offline());
}

/// A disk that takes so many changes and then fails all.
#[derive(Clone)]
struct Failing {
    disk: SimulatedDisk,
    left: Arc<AtomicI64>,
}

struct FailingFile(Arc<dyn File>, Arc<AtomicI64>);

fn step(left: &AtomicI64) -> io::Result<()> {
    if left.fetch_sub(1, Ordering::Relaxed) > 0 { Ok(()) } else { Err(io::Error::other("the disk has died")) }
}

impl File for FailingFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.0.read_at(buffer, position)
    }
    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        step(&self.1)?;
        self.0.write_at(slices, position)
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn modified(&self) -> io::Result<TimestampMs> {
        self.0.modified()
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        step(&self.1)?;
        self.0.set_size(size)
    }
    fn allocate(&self, position: u64, length: u64) -> io::Result<()> {
        self.0.allocate(position, length)
    }
    fn sync_data(&self) -> io::Result<()> {
        step(&self.1)?;
        self.0.sync_data()
    }
    fn is_resident(&self, position: u64, length: u64) -> bool {
        self.0.is_resident(position, length)
    }
    fn descriptor(&self) -> Option<RawFd> {
        None
    }
}

impl Disk for Failing {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        if how == Open::Create {
            step(&self.left)?;
        }
        Ok(Arc::new(FailingFile(self.disk.open(path, how)?, self.left.clone())))
    }
    fn open_files(&self) -> &Arc<crate::io::file_pool::OpenFiles> {
        self.disk.open_files()
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        self.disk.list(directory)
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        self.disk.space(path)
    }
    fn create_directories(&self, path: &Path) -> io::Result<()> {
        self.disk.create_directories(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        step(&self.left)?;
        self.disk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        step(&self.left)?;
        self.disk.remove_file(path)
    }
    fn remove_directory_tree(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_directory_tree(path)
    }
    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        step(&self.left)?;
        self.disk.sync_directory(path)
    }
    fn sync_file_system(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_file_system(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.disk.lock(path)
    }
}
