//! When a log begins a new segment for its age (`LogSegment.shouldRoll`): by the timestamps of the records, and only when
//! something is appended.

use crate::io::disk::Disk;
use crate::io::simulated_disk::SimulatedDisk;
use crate::model::{Offset, PartitionIndex, TimestampMs};
use crate::storage::log::{Admission, Origin};
use crate::storage::log::{Checkpointed, Deletion, Identity, Log, LogConfig, RetentionConfig};
use crate::storage::testing::{self, EPOCH, NOW, at, batch, open};
use std::collections::BTreeSet;
use std::sync::Arc;

const SEGMENT_MS: i64 = 1000;

fn config(segment_jitter_ms: i64) -> LogConfig {
    LogConfig { segment_ms: SEGMENT_MS, segment_jitter_ms, ..LogConfig::default() }
}

fn later(ms: i64) -> TimestampMs {
    TimestampMs(NOW.0 + ms)
}

/// Appends a batch with this timestamp at that moment; how many segments there are then.
fn put(log: &Log, timestamp: i64, now: TimestampMs) -> usize {
    log.append(&batch(&[timestamp], 0, None), Origin::Client(Admission::None), EPOCH, now).unwrap();
    log.write_pending().unwrap();
    log.segment_count()
}

fn new_log(config: &LogConfig) -> Log {
    open(&(Arc::new(SimulatedDisk::default()) as Arc<dyn Disk>), config, at(0, 0, true))
}

#[test]
fn the_records_time_counts_not_the_clocks() {
    let log = new_log(&config(0));
    assert_eq!(put(&log, NOW.0, NOW), 1);
    assert_eq!(put(&log, NOW.0, later(50 * SEGMENT_MS)), 1, "an old record arrives late");
    assert_eq!(put(&log, NOW.0 + SEGMENT_MS, NOW), 1, "exactly as old as allowed");
    assert_eq!(put(&log, NOW.0 - 10 * SEGMENT_MS, NOW), 1, "older than the first");
    assert_eq!(put(&log, NOW.0 + SEGMENT_MS + 1, NOW), 2);
    assert_eq!(put(&log, NOW.0 + SEGMENT_MS + 2, NOW), 2, "counted anew in the new segment");
}

#[test]
fn without_a_timestamp_the_segments_own_age_counts() {
    let log = new_log(&config(0));
    assert_eq!(put(&log, -1, NOW), 1);
    assert_eq!(put(&log, -1, later(SEGMENT_MS)), 1);
    assert_eq!(put(&log, -1, later(SEGMENT_MS + 1)), 2);
    assert_eq!(put(&log, -1, later(2 * SEGMENT_MS)), 2, "counted anew from the roll on");
}

#[test]
fn an_empty_segment_does_not_grow_old() {
    let log = new_log(&config(0));
    assert_eq!(put(&log, NOW.0, later(100 * SEGMENT_MS)), 1);
}

#[test]
fn an_idle_log_is_not_rolled_for_its_age() {
    let log = new_log(&config(0));
    put(&log, NOW.0, NOW);
    let retention = RetentionConfig { delete: true, retention_ms: 100 * SEGMENT_MS, retention_bytes: -1 };
    let looked = log.delete_old_segments(later(50 * SEGMENT_MS), Offset(1), &retention);
    assert!(matches!(looked, Ok(Deletion::Nothing)) && log.segment_count() == 1);
}

#[test]
fn a_start_does_not_make_a_segment_young() {
    for clean in [true, false] {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::default());
        let log = open(&disk, &config(0), at(0, 0, true));
        put(&log, NOW.0, NOW);
        put(&log, NOW.0 + 10, NOW);
        log.close(NOW).unwrap();
        drop(log);
        let log = open(&disk, &config(0), at(0, 0, clean));
        assert_eq!(put(&log, NOW.0 + SEGMENT_MS, NOW), 1);
        assert_eq!(put(&log, NOW.0 + SEGMENT_MS + 1, NOW), 2);
    }
}

/// Partitions that began at the same moment roll at different ones, none later than `segment.ms`, none earlier than the
/// jitter allows.
#[test]
fn jitter_spreads_the_rolls() {
    const JITTER_MS: i64 = 400;
    let rolls_at = |partition| {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::default());
        let identity = Identity { partition: PartitionIndex(partition), ..testing::identity() };
        let log = Log::open(disk, testing::directory(), config(JITTER_MS), identity, Checkpointed::default(), NOW);
        let log = log.unwrap();
        (0..=SEGMENT_MS + 1).find(|ms| put(&log, NOW.0 + ms, NOW) == 2).expect("it rolls after segment.ms")
    };
    let rolls: Vec<_> = (0..10).map(rolls_at).collect();
    assert!(rolls.iter().all(|ms| (SEGMENT_MS - JITTER_MS + 1..=SEGMENT_MS + 1).contains(ms)), "{rolls:?}");
    assert!(rolls.iter().collect::<BTreeSet<_>>().len() > 5, "{rolls:?}");
    assert_eq!(rolls_at(3), rolls[3], "the same whenever it is asked");
}
