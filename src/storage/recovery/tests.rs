//! Every combination of what may be found on disk, opened: the records that are kept, the indexes, what was read.
//!
//! The log has four segments of three batches, each with its snapshot of producers. What is expected is told here in the
//! plainest way, without the tables of `recovery`.

use crate::io::disk::{Disk, Open};
use crate::io::simulated_disk::SimulatedDisk;
use crate::model::Offset;
use crate::storage::log::{Checkpointed, LogConfig};
use crate::storage::names::{self, Kind};
use crate::storage::testing::{self, NOW, at, batch, identity, open, put, read_all};
use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SEGMENTS: usize = 4;
const BATCHES: usize = 3;
const END: i64 = (SEGMENTS * BATCHES) as i64;
/// The size of a batch with one record with a value of 100 bytes.
const BATCH_BYTES: usize = 170;
const LAST: usize = SEGMENTS - 1;
/// The sealed segment to which something happens.
const DAMAGED: usize = 1;

/// Base offset of a segment.
fn base(segment: usize) -> Offset {
    Offset((segment * BATCHES) as i64)
}

fn config() -> LogConfig {
    let segment_bytes = (BATCHES * BATCH_BYTES) as u64;
    LogConfig { segment_bytes, index_interval_bytes: 100, ..LogConfig::default() }
}

fn path(segment: usize, kind: Kind) -> PathBuf {
    names::file(&testing::directory(), base(segment), kind)
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files(disk: &SimulatedDisk) -> Files {
    let names =
        disk.list(&testing::directory()).unwrap().into_iter().map(|entry| testing::directory().join(entry.name));
    names.map(|path| (path.clone(), disk.read_small(&path, 1 << 20).unwrap())).collect()
}

/// The directory as a clean stop leaves it.
fn closed() -> Files {
    let disk = SimulatedDisk::default();
    let log = open(&(Arc::new(disk.clone()) as Arc<dyn Disk>), &config(), at(0, 0, false));
    for n in 0..END {
        put(&log, &batch(&[NOW.0 + n], 100, Some((7, 0, n as i32))));
    }
    assert_eq!(log.segment_count(), SEGMENTS);
    log.close(NOW).unwrap();
    files(&disk)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Index {
    Sound,
    Missing,
    WrongSize,
    /// Whole entries that rise, of batches that are not there.
    Contradicting,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum File {
    Sound,
    Missing,
    Damaged,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Transit {
    None,
    Deleted,
    Cleaned,
    Swap,
    /// With a `.cleaned` below it.
    SwapOfIncompleteSet,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Batches {
    Whole,
    /// Half a batch behind the last.
    Torn,
    /// A bit of the second batch of a sealed segment has turned over.
    Flipped,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    clean: bool,
    recovery_point: i64,
    sealed_index: Index,
    active_index: Index,
    snapshots: File,
    epochs: File,
    metadata: File,
    transit: Transit,
    batches: Batches,
}

/// A broker was killed before it had flushed anything; every file is as it was.
const SOUND: Case = Case {
    clean: false,
    recovery_point: 0,
    sealed_index: Index::Sound,
    active_index: Index::Sound,
    snapshots: File::Sound,
    epochs: File::Sound,
    metadata: File::Sound,
    transit: Transit::None,
    batches: Batches::Whole,
};

fn each(mut visit: impl FnMut(Case)) {
    use Index::*;
    let files = [File::Sound, File::Missing, File::Damaged];
    for clean in [true, false] {
        // At the beginning, within the damaged segment, behind it, within the last, at the end.
        for recovery_point in [0, 4, 6, 10, END] {
            for sealed_index in [Sound, Missing, WrongSize] {
                for active_index in [Sound, Missing, WrongSize, Contradicting] {
                    for snapshots in files {
                        for epochs in files {
                            for metadata in [File::Sound, File::Missing] {
                                for transit in TRANSITS {
                                    for batches in [Batches::Whole, Batches::Torn, Batches::Flipped] {
                                        visit(Case {
                                            clean,
                                            recovery_point,
                                            sealed_index,
                                            active_index,
                                            snapshots,
                                            epochs,
                                            metadata,
                                            transit,
                                            batches,
                                        });
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

const TRANSITS: [Transit; 5] =
    [Transit::None, Transit::Deleted, Transit::Cleaned, Transit::Swap, Transit::SwapOfIncompleteSet];

impl Case {
    fn checkpointed(&self) -> Checkpointed {
        Checkpointed { log_start_offset: Offset(0), recovery_point: Offset(self.recovery_point), clean: self.clean }
    }

    fn lay_out(&self, closed: &Files) -> SimulatedDisk {
        let mut files = closed.clone();
        for (segment, state) in [(DAMAGED, self.sealed_index), (LAST, self.active_index)] {
            match state {
                Index::Sound => {}
                Index::Missing => drop(files.remove(&path(segment, Kind::OffsetIndex))),
                Index::WrongSize => files.get_mut(&path(segment, Kind::TimeIndex)).unwrap().push(0),
                Index::Contradicting => {
                    *files.get_mut(&path(segment, Kind::OffsetIndex)).unwrap() = vec![0, 0, 0, 1, 0, 0, 0, 99];
                }
            }
        }
        let snapshots = files.iter_mut().filter(|(path, _)| path.extension().is_some_and(|e| e == "snapshot"));
        match self.snapshots {
            File::Sound => {}
            File::Damaged => snapshots.for_each(|(_, content)| content.truncate(9)),
            File::Missing => files.retain(|path, _| path.extension().is_none_or(|e| e != "snapshot")),
        }
        spoil(&mut files, names::LEADER_EPOCH_CHECKPOINT, self.epochs);
        spoil(&mut files, names::PARTITION_METADATA, self.metadata);
        let log = |segment| path(segment, Kind::Log);
        match self.batches {
            Batches::Whole => {}
            Batches::Torn => {
                let half = files[&log(LAST)][..BATCH_BYTES / 2].to_vec();
                files.get_mut(&log(LAST)).unwrap().extend(half);
            }
            Batches::Flipped => files.get_mut(&log(DAMAGED)).unwrap()[2 * BATCH_BYTES - 1] ^= 1,
        }
        let mut with = |segment, kind, suffix| {
            let content = closed[&path(segment, kind)].clone();
            files.insert(names::with_suffix(&path(segment, kind), suffix), content);
        };
        match self.transit {
            Transit::None => {}
            Transit::Deleted => with(0, Kind::Log, names::DELETED_SUFFIX),
            Transit::Cleaned => with(0, Kind::Log, names::CLEANED_SUFFIX),
            Transit::Swap | Transit::SwapOfIncompleteSet => {
                for kind in [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex] {
                    with(2, kind, names::SWAP_SUFFIX);
                }
                if self.transit == Transit::SwapOfIncompleteSet {
                    with(0, Kind::Log, names::CLEANED_SUFFIX);
                }
            }
        }
        let disk = SimulatedDisk::default();
        disk.create_directories(&testing::directory()).unwrap();
        for (path, content) in files {
            disk.open(&path, Open::Create).unwrap().write_at(&[IoSlice::new(&content)], 0).unwrap();
        }
        disk
    }

    /// The first segment that is read by checksum, if any.
    fn recovered_from(&self) -> usize {
        let unclean = self.recovery_point as usize / BATCHES;
        let contradicts = self.active_index != Index::Sound || self.batches == Batches::Torn;
        match self.clean {
            false => unclean.min(LAST),
            true => {
                if contradicts {
                    LAST
                } else {
                    SEGMENTS
                }
            }
        }
    }

    fn expected_end(&self) -> i64 {
        let finds = self.batches == Batches::Flipped && self.recovered_from() <= DAMAGED;
        if finds { base(DAMAGED).0 + 1 } else { END }
    }

    /// Sealed segments of which nothing may be read: trusted, with indexes in order, and nothing to learn from them.
    fn is_unread(&self, segment: usize) -> bool {
        let has_index = segment != DAMAGED || self.sealed_index == Index::Sound;
        let swapped = segment == swapped_to(self);
        // The swap takes the snapshot of its base offset along, as Kafka's does: the older one is the next to begin from.
        let lacks_snapshot = self.snapshots != File::Sound || swapped_to(self) == self.recovered_from();
        let learns = self.epochs != File::Sound || lacks_snapshot;
        segment < self.recovered_from().min(LAST) && has_index && !swapped && !learns
    }
}

/// The segment that a finished swap has put there; behind all of them where there was none.
fn swapped_to(case: &Case) -> usize {
    if case.transit == Transit::Swap { 2 } else { usize::MAX }
}

fn spoil(files: &mut Files, name: &str, state: File) {
    let path = testing::directory().join(name);
    match state {
        File::Sound => {}
        File::Missing => drop(files.remove(&path)),
        File::Damaged => files.get_mut(&path).unwrap().truncate(3),
    }
}

fn check(case: Case, closed: &Files) {
    let disk = case.lay_out(closed);
    disk.take_reads();
    let log = open(&(Arc::new(disk.clone()) as Arc<dyn Disk>), &config(), case.checkpointed());
    let reads = disk.take_reads();
    let end = case.expected_end();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(0), Offset(end)), "{case:?}");
    let is_cut = end < END || case.batches == Batches::Torn;
    let loss = log.loss().map(|loss| (loss.end_offset, loss.bytes() > 0));
    assert_eq!(loss, is_cut.then_some((Offset(end), true)), "{case:?}");
    for segment in 0..SEGMENTS {
        let read = reads.get(&path(segment, Kind::Log)).copied().unwrap_or(0);
        let is_there = base(segment).0 < end;
        assert!(!case.is_unread(segment) || read == 0, "{case:?}: {read} bytes of segment {segment} were read");
        let whole = (BATCHES * BATCH_BYTES) as u64;
        let is_recovered = segment >= case.recovered_from() && is_there;
        assert!(!is_recovered || read >= whole.min(read + 1), "{case:?}: segment {segment} was not read");
    }
    assert_eq!(log.latest_epoch(), Some(testing::EPOCH), "{case:?}");
    // The producer goes on where the log ends, and is known for what it wrote last.
    let again = |sequence: i64| batch(&[NOW.0 + sequence], 100, Some((7, 0, sequence as i32)));
    assert_eq!(put(&log, &again(end - 1)), end - 1, "{case:?}: a repetition");
    assert_eq!(log.log_end_offset(), Offset(end), "{case:?}");
    let kept: Vec<i64> = (0..end).collect();
    let is_flipped = case.batches == Batches::Flipped && end == END;
    if !is_flipped {
        let found: Vec<i64> = read_all(&log).iter().map(|header| header.base_offset).collect();
        assert_eq!(found, kept, "{case:?}");
    }
    log.close(NOW).unwrap();
    check_files(case, &files(&disk), closed, end);
}

/// Nothing in transit is left, and all indexes of whole segments are as they were written first.
fn check_files(case: Case, found: &Files, closed: &Files, end: i64) {
    let strange = |path: &&PathBuf| {
        let name = path.to_string_lossy();
        [names::DELETED_SUFFIX, names::CLEANED_SUFFIX, names::SWAP_SUFFIX].iter().any(|s| name.ends_with(s))
    };
    assert_eq!(found.keys().find(strange), None, "{case:?}");
    for segment in (0..SEGMENTS).filter(|segment| base(*segment).0 + BATCHES as i64 <= end) {
        for kind in [Kind::OffsetIndex, Kind::TimeIndex] {
            let path = path(segment, kind);
            assert_eq!(found.get(&path), closed.get(&path), "{case:?}: {}", path.display());
        }
    }
    let metadata = testing::directory().join(names::PARTITION_METADATA);
    assert_eq!(found.get(&metadata), closed.get(&metadata), "{case:?}");
}

#[test]
fn every_combination_of_what_may_be_found() {
    let closed = closed();
    let mut cases = Vec::new();
    each(|case| cases.push(case));
    assert_eq!(cases.len(), 2 * 5 * 3 * 4 * 3 * 3 * 2 * 5 * 3);
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    check(*case, &closed);
                }
            });
        }
    });
}

#[test]
fn a_log_of_another_topic_is_refused_and_one_behind_its_start_begins_anew() {
    let disk = SimulatedDisk::default();
    disk.create_directories(&testing::directory()).unwrap();
    for (path, content) in closed() {
        disk.open(&path, Open::Create).unwrap().write_at(&[IoSlice::new(&content)], 0).unwrap();
    }
    let shared = Arc::new(disk.clone()) as Arc<dyn Disk>;
    let other = crate::storage::log::Identity { topic_id: crate::model::Uuid([9; 16]), ..identity() };
    let before = files(&disk);
    let refused =
        crate::storage::log::Log::open(shared.clone(), testing::directory(), config(), other, at(0, 0, false), NOW);
    assert!(matches!(refused, Err(crate::storage::Error::NotOurs { .. })));
    assert_eq!(files(&disk), before, "nothing was touched");
    let log = open(&shared, &config(), at(END + 5, 0, true));
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(END + 5), Offset(END + 5)));
    assert!(!disk.exists(Path::new("/data/t-0/00000000000000000000.log")));
    let loss = log.loss().expect("all of it is gone");
    assert_eq!(loss.removed.map(|removed| (removed.first_base_offset, removed.count)), Some((Offset(0), SEGMENTS)));
}

/// A sealed segment with a flipped byte, and a last one that lost its end although the broker had stopped in order.
#[test]
fn what_is_given_up_is_told_with_file_offset_and_bytes() {
    let told = |case: Case, spoil: &dyn Fn(&SimulatedDisk)| {
        let disk = case.lay_out(&closed());
        spoil(&disk);
        let log = open(&(Arc::new(disk) as Arc<dyn Disk>), &config(), case.checkpointed());
        log.loss().expect("something is lost").to_string()
    };
    assert_eq!(
        told(Case { batches: Batches::Flipped, ..SOUND }, &|_| ()),
        "the log ends at offset 4 now; 00000000000000000003.log is damaged at byte 170, 340 bytes from there on are cut \
         off; 2 segments from base offset 6 on, 1020 bytes, are removed"
    );
    let shorten = |disk: &SimulatedDisk| {
        let last = disk.open(&path(LAST, Kind::Log), Open::ReadWrite).unwrap();
        last.set_size(BATCH_BYTES as u64).unwrap();
    };
    assert_eq!(
        told(Case { clean: true, recovery_point: END, ..SOUND }, &shorten),
        "the log ends at offset 10 now; it was known to be durable up to offset 12"
    );
}

/// The time to recover goes with what was not flushed, not with what the log holds.
#[test]
fn what_is_read_goes_with_what_was_not_flushed() {
    let closed = closed();
    let mut before = u64::MAX;
    for recovery_point in [0, 3, 6, 9] {
        let case = Case { recovery_point, ..SOUND };
        let disk = case.lay_out(&closed);
        disk.take_reads();
        open(&(Arc::new(disk.clone()) as Arc<dyn Disk>), &config(), case.checkpointed());
        let logs = disk.take_reads().into_iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "log"));
        let read: u64 = logs.map(|(_, bytes)| bytes).sum();
        let unflushed = (END - recovery_point) as u64 * BATCH_BYTES as u64;
        // Once by checksum; a header more here and there.
        assert!(read >= unflushed && read < unflushed + 2 * BATCH_BYTES as u64, "{read} bytes for {unflushed}");
        assert!(read < before);
        before = read;
    }
}
