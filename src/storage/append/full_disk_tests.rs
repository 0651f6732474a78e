//! A disk that fills up and gets room again: what is refused leaves no trace, what was acknowledged stays.

use crate::io::disk::Disk;
use crate::io::simulated_disk::{Crash, SimulatedDisk};
use crate::model::{Offset, TimestampMs};
use crate::storage::log::{Admission, Appended, Deletion, Log, LogConfig, Mark, Origin, RetentionConfig};
use crate::storage::testing::{EPOCH, NOW, at, batch, open, put, read_all};
use crate::storage::{AppendError, Error};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// The size of a batch with one record with a value of 100 bytes.
const BATCH_BYTES: u64 = 170;

fn config(segment_batches: u64) -> LogConfig {
    LogConfig { segment_bytes: BATCH_BYTES * segment_batches, index_interval_bytes: 200, ..LogConfig::default() }
}

fn log_on(disk: &SimulatedDisk, config: &LogConfig) -> Log {
    open(&(Arc::new(disk.clone()) as Arc<dyn Disk>), config, at(0, 0, false))
}

fn append(log: &Log, sequence: i32) -> Result<Appended, AppendError> {
    log.append(&batch(&[NOW.0], 100, Some((7, 0, sequence))), Origin::Client(Admission::None), EPOCH, NOW)
}

#[test]
fn what_found_no_room_is_taken_back_and_its_offsets_are_given_anew() {
    let disk = SimulatedDisk::default();
    let log = log_on(&disk, &config(100));
    append(&log, 0).unwrap();
    log.write_pending().unwrap();
    let refused = append(&log, 1).unwrap().mark();
    disk.limit_space(Some(BATCH_BYTES / 2));
    assert!(matches!(log.write_pending(), Err(Error::Io { .. })));
    assert!(!log.is_offline() && log.health().is_full());
    assert!(!log.holds(refused));
    assert_eq!((log.log_end_offset(), log.size_bytes()), (Offset(1), BATCH_BYTES), "nothing half-written is left");
    let file = disk.open(Path::new("/data/t-0/00000000000000000000.log"), crate::io::disk::Open::Read).unwrap();
    assert_eq!(file.size().unwrap(), BATCH_BYTES);
    disk.limit_space(None);
    // The producer comes again with the same batch: it is no repetition, and not out of order.
    let accepted = append(&log, 1).unwrap();
    assert_eq!((accepted.base_offset, accepted.duplicate), (Offset(1), false));
    log.write_pending().unwrap();
    assert!(log.holds(accepted.mark()) && !log.holds(refused), "the end is reached, but not by the refused one");
    assert!(append(&log, 1).unwrap().duplicate);
    assert!(!log.health().is_full());
    assert_eq!(read_all(&log).len(), 2);
}

/// It is refused at once, with what was pending before it.
#[test]
fn a_large_batch_that_finds_no_room_is_taken_back() {
    for room in [0, BATCH_BYTES / 2, BATCH_BYTES, BATCH_BYTES + 61, 2 * BATCH_BYTES - 1] {
        let disk = SimulatedDisk::default();
        let log = log_on(&disk, &LogConfig { copy_max_bytes: BATCH_BYTES as usize, ..config(100) });
        let large = batch(&[NOW.0], 200, Some((7, 0, 1)));
        let append_large = || log.append(&large, Origin::Client(Admission::None), EPOCH, NOW);
        let before = append(&log, 0).unwrap().mark();
        disk.limit_space(Some(room));
        assert!(append_large().is_err());
        assert!(!log.is_offline() && log.health().is_full() && !log.holds(before));
        assert_eq!((log.log_end_offset(), log.size_bytes()), (Offset(0), 0));
        disk.limit_space(None);
        assert_eq!(append(&log, 0).unwrap().base_offset, Offset(0));
        assert_eq!(append_large().unwrap().base_offset, Offset(1));
        assert!(append_large().unwrap().duplicate);
        assert_eq!((read_all(&log).len(), log.size_bytes()), (2, BATCH_BYTES + large.len() as u64));
    }
}

#[test]
fn what_was_published_before_stays_promised() {
    let disk = SimulatedDisk::default();
    let log = log_on(&disk, &config(100));
    let kept = append(&log, 0).unwrap().mark();
    log.write_pending().unwrap();
    disk.limit_space(Some(0));
    for _ in 0..100 {
        append(&log, 1).unwrap();
        assert!(log.write_pending().is_err());
        assert!(log.holds(kept) || log.mark() != kept, "only what is long past is forgotten");
    }
    let latest: Mark = log.mark();
    append(&log, 1).unwrap();
    assert!(log.write_pending().is_err());
    assert!(log.holds(latest));
}

#[test]
fn a_roll_that_finds_no_room_is_tried_again() {
    // Room for so much of what a roll writes: the indexes, the snapshot of producers.
    for room in [0, 5, 12, 40, 60, 90] {
        let disk = SimulatedDisk::default();
        let log = log_on(&disk, &config(3));
        for sequence in 0..3 {
            append(&log, sequence).unwrap();
            log.write_pending().unwrap();
        }
        disk.limit_space(Some(room));
        for _ in 0..3 {
            assert!(append(&log, 3).and_then(|_| Ok(log.write_pending()?)).is_err(), "room {room}");
        }
        disk.limit_space(None);
        for sequence in 3..9 {
            assert!(!append(&log, sequence).unwrap().duplicate);
            log.write_pending().unwrap();
        }
        assert_eq!((log.log_end_offset(), log.segment_count()), (Offset(9), 3));
        drop(log);
        disk.crash(Crash::Process);
        let log = log_on(&disk, &config(3));
        assert_eq!(read_all(&log).len(), 9);
        assert!(append(&log, 8).unwrap().duplicate);
    }
}

/// Its first batch asks for a new segment, which finds no room.
#[test]
fn what_a_new_producer_sent_behind_a_refused_batch_waits_for_it() {
    let disk = SimulatedDisk::default();
    let log = log_on(&disk, &config(3));
    for _ in 0..3 {
        put(&log, &batch(&[NOW.0], 100, None));
    }
    disk.limit_space(Some(0));
    assert!(matches!(append(&log, 0), Err(AppendError::Storage(_))));
    disk.limit_space(None);
    assert!(matches!(append(&log, 1), Err(AppendError::OutOfOrderSequence(_))));
    (0..2).for_each(|sequence| assert!(!append(&log, sequence).unwrap().duplicate));
}

#[test]
fn retention_makes_room_on_a_full_disk() {
    let disk = SimulatedDisk::default();
    let log = log_on(&disk, &config(2));
    for epoch in 0..3 {
        for _ in 0..2 {
            let bytes = batch(&[NOW.0], 100, None);
            log.append(&bytes, Origin::Client(Admission::None), crate::model::LeaderEpoch(epoch), NOW).unwrap();
            log.write_pending().unwrap();
        }
    }
    let flush = log.flush().unwrap();
    flush.run().unwrap();
    log.flushed(&flush, NOW);
    disk.limit_space(Some(0));
    let retention = RetentionConfig { delete: true, retention_ms: -1, retention_bytes: 2 * BATCH_BYTES as i64 };
    let Ok(Deletion::Removed(removal)) = log.delete_old_segments(NOW, Offset(6), &retention) else {
        panic!("old segments go though the epochs cannot be written");
    };
    removal.run().unwrap();
    assert_eq!((log.log_start_offset(), log.is_offline()), (Offset(4), false));
    disk.limit_space(None);
    put(&log, &batch(&[NOW.0], 100, None));
    drop(log);
    let again = open(&(Arc::new(disk.clone()) as Arc<dyn Disk>), &config(2), at(4, 0, false));
    assert_eq!((again.log_start_offset(), again.log_end_offset()), (Offset(4), Offset(7)));
    assert_eq!(again.earliest_epoch(), Some(crate::model::LeaderEpoch(2)));
}

/// The active segment is as old as the others, and there is no room for the one that would follow it.
#[test]
fn old_segments_go_though_the_active_one_finds_no_successor() {
    let disk = SimulatedDisk::default();
    let log = log_on(&disk, &config(2));
    for sequence in 0..5 {
        append(&log, sequence).unwrap();
        log.write_pending().unwrap();
    }
    let flush = log.flush().unwrap();
    flush.run().unwrap();
    log.flushed(&flush, NOW);
    disk.limit_space(Some(0));
    let later = TimestampMs(NOW.0 + 10_000);
    let retention = RetentionConfig { delete: true, retention_ms: 1000, retention_bytes: -1 };
    let delete = || log.delete_old_segments(later, Offset(5), &retention);
    let Ok(Deletion::Removed(removal)) = delete() else { panic!("no segment goes") };
    removal.run().unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.is_offline()), (Offset(4), Offset(5), false));
    disk.limit_space(None);
    assert!(matches!(delete(), Ok(Deletion::SyncFirst)), "the new segment's name comes first");
    let flush = log.flush().unwrap();
    flush.run().unwrap();
    log.flushed(&flush, later);
    let Ok(Deletion::Removed(removal)) = delete() else { panic!("the last segment stays") };
    removal.run().unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(5), Offset(5)));
    append(&log, 5).unwrap();
    log.write_pending().unwrap();
    assert_eq!(read_all(&log).len(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Write,
    Room(Option<u64>),
    Restart,
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1usize..200).prop_map(Step::Append),
        5 => Just(Step::Write),
        3 => (0u64..600).prop_map(|bytes| Step::Room(Some(bytes))),
        2 => Just(Step::Room(None)),
        1 => Just(Step::Restart),
        1 => Just(Step::Expire),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    /// Against the plainest model: a vector of what was acknowledged, where each write is all or nothing.
    #[test]
    fn every_acknowledged_batch_is_there_once(
        steps in proptest::collection::vec(step(), 1..80),
        copy_max_bytes in prop::sample::select(vec![0, 170, usize::MAX]),
    ) {
        let disk = SimulatedDisk::default();
        let config = LogConfig { copy_max_bytes, ..config(4) };
        let mut log = log_on(&disk, &config);
        let mut acknowledged: Vec<i32> = Vec::new();
        let mut pending: Vec<(i32, Mark)> = Vec::new();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Append(bytes) => {
                    match log.append(&batch(&[NOW.0], bytes, Some((7, 0, next))), Origin::Client(Admission::None), EPOCH, NOW) {
                        Ok(appended) => {
                            prop_assert!(!appended.duplicate);
                            pending.push((next, appended.mark()));
                            next += 1;
                        }
                        Err(AppendError::Storage(failure)) => prop_assert!(failure.is_full()),
                        Err(other) => panic!("{other}"),
                    }
                }
                Step::Write => drop(log.write_pending()),
                Step::Room(room) => disk.limit_space(room),
                Step::Restart => {
                    disk.limit_space(None);
                    drop(log);
                    disk.crash(Crash::Process);
                    log = log_on(&disk, &config);
                    pending.clear();
                    next = acknowledged.last().map_or(0, |last| last + 1);
                }
                Step::Expire => log.expire_producers(TimestampMs(NOW.0 + 1)).unwrap(),
            }
            // As a parked produce looks: taken back is refused, below the end is acknowledged.
            let end = log.log_end_offset();
            for (sequence, mark) in std::mem::take(&mut pending) {
                if !log.holds(mark) {
                    next = next.min(sequence);
                } else if end >= mark.end {
                    acknowledged.push(sequence);
                } else {
                    pending.push((sequence, mark));
                }
            }
            prop_assert!(!log.is_offline());
        }
        let sequences: Vec<i32> = read_all(&log).iter().map(|header| header.base_sequence).collect();
        prop_assert_eq!(sequences, acknowledged);
    }
}
