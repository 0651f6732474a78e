//! Which segments a log lets go, and in what order (`UnifiedLog.deleteOldSegments`).
//!
//! Segments go from the oldest on, whole, and never one that reaches to the high watermark or beyond. Decided without a
//! lock on one picture of the log; done under the writer's lock, where only "all up to this offset" counts, so that what
//! happened in between does no harm. Does not know when it is due, nor what else a topic's configuration says.

use super::error::Error;
use super::log::Log;
use super::removal::Removal;
use super::view::View;
use crate::model::{Offset, TimestampMs};
use std::sync::atomic::Ordering;

/// The part of a topic's configuration that retention obeys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetentionConfig {
    /// `cleanup.policy` contains `delete`. Without it only what is below the log's start goes.
    pub delete: bool,
    /// `retention.ms`; negative is no limit.
    pub retention_ms: i64,
    /// `retention.bytes`; negative is no limit.
    pub retention_bytes: i64,
}

/// What came of a look for old segments.
pub enum Deletion {
    Nothing,
    /// Names in the log's directory are not durable yet: without them a loss of power could leave neither the
    /// old segments nor the new one. To be asked again after a flush.
    SyncFirst,
    Removed(Removal),
}

impl Log {
    /// Takes segments out of the log that are older, or more, than retention allows, or below the log's start. An active
    /// segment that must go is sealed first. The files have Kafka's `.deleted` behind their names when this returns.
    pub fn delete_old_segments(
        &self,
        now: TimestampMs,
        high_watermark: Offset,
        retention: &RetentionConfig,
    ) -> Result<Deletion, Error> {
        let view = self.view.load_full();
        let old = OldSegments { log: self, view: &view, now, high_watermark }.count(retention)?;
        if old == 0 {
            return Ok(Deletion::Nothing);
        }
        let mut end = view.segment_end_offset(old - 1);
        assert!(end <= high_watermark, "records that are not committed would go");
        assert!(end <= view.end_offset, "the log would start behind its end");
        let mut writer = self.lock_writer()?;
        if old == view.segments.len() {
            if writer.next_offset != end || self.view.load().segments.len() != old {
                // A batch was appended since: the active segment is not old any more.
                return Ok(Deletion::Nothing);
            }
            if let Err(error) = self.roll(&mut writer, now) {
                let error = self.fail(&mut writer, error);
                // Where there is no room for a new segment the others make some, and the active one goes with the next look.
                if !error.is_full() || old == 1 {
                    return Err(error);
                }
                end = view.segments[old - 1].base_offset;
            }
        }
        if writer.names_version > self.names_synced.load(Ordering::Acquire) {
            return Ok(Deletion::SyncFirst);
        }
        self.drop_segments_below(&mut writer, end).map(Deletion::Removed)
    }

    /// Takes out and unlinks what lies below the log's start, for the one user of a log of its own. Blocks.
    pub fn unlink_below_start(&self) -> Result<(), Error> {
        const NOTHING_ELSE: RetentionConfig = RetentionConfig { delete: false, retention_ms: -1, retention_bytes: -1 };
        // Nothing here goes by the clock.
        let now = TimestampMs(0);
        loop {
            match self.delete_old_segments(now, self.log_end_offset(), &NOTHING_ELSE)? {
                Deletion::Nothing => return Ok(()),
                Deletion::SyncFirst => {
                    let flush = self.flush()?;
                    flush.run()?;
                    self.flushed(&flush, now);
                }
                Deletion::Removed(removal) => removal.run()?,
            }
        }
    }
}

/// One look at a log.
struct OldSegments<'a> {
    log: &'a Log,
    view: &'a View,
    now: TimestampMs,
    high_watermark: Offset,
}

impl OldSegments<'_> {
    /// How many segments, from the oldest on, must go: first for the log's start, then for the size, then for the time.
    fn count(&self, retention: &RetentionConfig) -> Result<usize, Error> {
        let mut old = 0;
        while self.may_go(old) && self.is_below_start(old) {
            old += 1;
        }
        if !retention.delete {
            return Ok(old);
        }
        if retention.retention_bytes >= 0 {
            let kept_bytes = (old..self.view.segments.len()).map(|at| self.size_bytes(at)).sum::<i64>();
            let mut excess_bytes = kept_bytes - retention.retention_bytes;
            while self.may_go(old) && excess_bytes >= self.size_bytes(old) {
                excess_bytes -= self.size_bytes(old);
                old += 1;
            }
        }
        if retention.retention_ms >= 0 {
            while self.may_go(old) && self.age_ms(old)? > retention.retention_ms {
                old += 1;
            }
        }
        assert!(old <= self.view.segments.len(), "there are not so many segments");
        Ok(old)
    }

    /// There is such a segment, all of it is committed, and it is not the empty end of the log.
    fn may_go(&self, at: usize) -> bool {
        at < self.view.segments.len()
            && self.view.segment_end_offset(at) <= self.high_watermark
            && !(self.view.is_active(at) && self.view.active_size_bytes == 0)
    }

    fn is_below_start(&self, at: usize) -> bool {
        !self.view.is_active(at) && self.view.segment_end_offset(at) <= self.view.log_start_offset
    }

    fn size_bytes(&self, at: usize) -> i64 {
        self.view.segment_size_bytes(at) as i64
    }

    /// Since the largest timestamp, or since the last write where no record has one (`LogSegment.largestTimestamp`).
    fn age_ms(&self, at: usize) -> Result<i64, Error> {
        let segment = &self.view.segments[at];
        let read = || {
            let largest = match self.view.is_active(at) {
                true => self.view.active_max_timestamp,
                false => segment.sealed_max_timestamp(&*self.log.disk)?,
            };
            if largest.timestamp.0 >= 0 { Ok(largest.timestamp) } else { segment.file(&*self.log.disk)?.modified() }
        };
        let largest = read().map_err(Error::io("read timestamps in", &self.log.directory))?;
        Ok(self.now.0.saturating_sub(largest.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::disk::Disk;
    use crate::io::simulated_disk::{Crash, SimulatedDisk};
    use crate::storage::log::LogConfig;
    use crate::storage::testing::{self, NOW, at, batch, open, put};
    use proptest::prelude::*;
    use std::path::Path;
    use std::sync::Arc;

    const KEEP_ALL: RetentionConfig = RetentionConfig { delete: true, retention_ms: -1, retention_bytes: -1 };
    const DAY_MS: i64 = 86_400_000;
    /// The size of a batch with one record without a value.
    const BATCH_BYTES: i64 = 68;

    fn later(ms: i64) -> TimestampMs {
        TimestampMs(NOW.0 + ms)
    }

    /// A log with one segment for each of these timestamps, all synced.
    fn log_of(disk: &SimulatedDisk, timestamps: &[i64]) -> Log {
        let config = LogConfig { segment_bytes: BATCH_BYTES as u64, ..LogConfig::default() };
        let log = open(&(Arc::new(disk.clone()) as Arc<dyn Disk>), &config, at(0, 0, true));
        for timestamp in timestamps {
            put(&log, &batch(&[*timestamp], 0, None));
        }
        sync(&log);
        disk.sync_directory(Path::new("/")).unwrap();
        log
    }

    fn sync(log: &Log) {
        let flush = log.flush().unwrap();
        flush.run().unwrap();
        log.flushed(&flush, NOW);
    }

    /// Deletes as a caller does, unlinks at once, and answers the log's start.
    fn delete_to(log: &Log, now: TimestampMs, high_watermark: i64, retention: &RetentionConfig) -> i64 {
        loop {
            match log.delete_old_segments(now, Offset(high_watermark), retention).unwrap() {
                Deletion::Nothing => return log.log_start_offset().0,
                Deletion::SyncFirst => sync(log),
                Deletion::Removed(removal) => removal.run().unwrap(),
            }
        }
    }

    fn files(disk: &SimulatedDisk) -> Vec<String> {
        let mut names: Vec<_> = disk.list(&testing::directory()).unwrap().into_iter().map(|entry| entry.name).collect();
        names.sort();
        names
    }

    #[test]
    fn time_counts_from_the_largest_timestamp() {
        let disk = SimulatedDisk::default();
        let log = log_of(&disk, &[NOW.0, NOW.0 + DAY_MS, NOW.0 + 2, NOW.0 + 3]);
        let retention = RetentionConfig { retention_ms: 1000, ..KEEP_ALL };
        assert_eq!(delete_to(&log, later(1000), 4, &retention), 0, "exactly as old as allowed");
        assert_eq!(delete_to(&log, later(5000), 4, &retention), 1, "a young segment keeps all behind it");
        assert_eq!(delete_to(&log, later(5000), 4, &KEEP_ALL), 1);
        assert_eq!(delete_to(&log, later(2 * DAY_MS), 3, &retention), 3, "not past the high watermark");
    }

    #[test]
    fn an_old_active_segment_is_sealed_and_goes() {
        let disk = SimulatedDisk::default();
        let log = log_of(&disk, &[NOW.0, NOW.0]);
        let retention = RetentionConfig { retention_ms: 1000, ..KEEP_ALL };
        assert!(matches!(log.delete_old_segments(later(5000), Offset(2), &retention), Ok(Deletion::SyncFirst)));
        assert_eq!(delete_to(&log, later(5000), 2, &retention), 2);
        assert_eq!((log.segment_count(), log.size_bytes(), log.log_end_offset()), (1, 0, Offset(2)));
        assert_eq!(delete_to(&log, later(9000), 2, &retention), 2, "an empty log stays");
        drop(log);
        // The old names were not synced away, so they are back; what matters is that the log ends where it did.
        disk.crash(Crash::Power);
        let log = open(&(Arc::new(disk.clone()) as Arc<dyn Disk>), &LogConfig::default(), at(0, 0, false));
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(0), Offset(2)));
        assert_eq!(delete_to(&log, later(5000), 2, &retention), 2);
        drop(log);
        disk.sync_directory(&testing::directory()).unwrap();
        disk.crash(Crash::Power);
        let log = open(&(Arc::new(disk) as Arc<dyn Disk>), &LogConfig::default(), at(0, 0, false));
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(2), Offset(2)));
        assert_eq!(put(&log, &batch(&[NOW.0], 0, None)), 2);
    }

    #[test]
    fn without_timestamps_the_files_age_counts() {
        let disk = SimulatedDisk::default();
        disk.set_time(NOW);
        let log = log_of(&disk, &[-1, -1]);
        let retention = RetentionConfig { retention_ms: 1000, ..KEEP_ALL };
        assert_eq!(delete_to(&log, later(900), 2, &retention), 0);
        assert_eq!(delete_to(&log, later(1100), 2, &retention), 2);
    }

    #[test]
    fn size_counts_whole_segments() {
        let disk = SimulatedDisk::default();
        let log = log_of(&disk, &[NOW.0; 5]);
        assert_eq!(log.size_bytes() as i64, 5 * BATCH_BYTES);
        let keep = |retention_bytes| RetentionConfig { retention_bytes, ..KEEP_ALL };
        assert_eq!(delete_to(&log, NOW, 5, &keep(5 * BATCH_BYTES)), 0);
        assert_eq!(delete_to(&log, NOW, 5, &keep(4 * BATCH_BYTES + 1)), 0, "a segment more would be too much");
        assert_eq!(delete_to(&log, NOW, 5, &keep(4 * BATCH_BYTES)), 1);
        assert_eq!(delete_to(&log, NOW, 3, &keep(0)), 3, "not past the high watermark");
        assert_eq!(delete_to(&log, NOW, 5, &keep(0)), 5);
    }

    #[test]
    fn without_delete_only_what_is_below_the_start_goes() {
        let disk = SimulatedDisk::default();
        let log = log_of(&disk, &[NOW.0; 3]);
        let retention = RetentionConfig { delete: false, retention_ms: 0, retention_bytes: 0 };
        assert_eq!(delete_to(&log, later(DAY_MS), 3, &retention), 0);
        drop(log);
        // A checkpoint whose segments are still there.
        let log = open(&(Arc::new(disk) as Arc<dyn Disk>), &LogConfig::default(), at(2, 3, false));
        sync(&log);
        assert_eq!(delete_to(&log, later(DAY_MS), 3, &retention), 2);
        assert_eq!(testing::read_all(&log).len(), 1);
    }

    #[test]
    fn deleted_records_leave_with_the_next_look_when_their_successor_is_safe() {
        let disk = SimulatedDisk::default();
        let config = LogConfig { segment_bytes: BATCH_BYTES as u64, ..LogConfig::default() };
        let log = open(&(Arc::new(disk.clone()) as Arc<dyn Disk>), &config, at(0, 0, true));
        for _ in 0..3 {
            put(&log, &batch(&[NOW.0], 0, None));
        }
        log.delete_records_before(Offset(3)).unwrap();
        assert_eq!((log.log_start_offset(), log.segment_count()), (Offset(3), 3), "no file is touched");
        let keep_all = RetentionConfig { delete: false, ..KEEP_ALL };
        assert!(matches!(log.delete_old_segments(NOW, Offset(3), &keep_all), Ok(Deletion::SyncFirst)));
        sync(&log);
        disk.sync_directory(Path::new("/")).unwrap();
        assert_eq!(delete_to(&log, NOW, 3, &keep_all), 3);
        assert_eq!(log.segment_count(), 1, "the active segment stays");
        disk.sync_directory(&testing::directory()).unwrap();
        drop(log);
        // The checkpoint of starts was not written: the log ends where it did all the same.
        disk.crash(Crash::Power);
        let log = open(&(Arc::new(disk) as Arc<dyn Disk>), &config, at(0, 0, false));
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(2), Offset(3)));
    }

    #[test]
    fn files_wait_as_deleted_and_do_not_come_back() {
        let disk = SimulatedDisk::default();
        let log = log_of(&disk, &[NOW.0; 3]);
        let retention = RetentionConfig { retention_bytes: BATCH_BYTES, ..KEEP_ALL };
        let before = log.read(Offset(0), Offset(3), 1 << 20, true).unwrap().unwrap();
        let Ok(Deletion::Removed(removal)) = log.delete_old_segments(NOW, Offset(3), &retention) else { panic!() };
        assert!(files(&disk).contains(&"00000000000000000000.log.deleted".to_string()));
        assert!(!files(&disk).contains(&"00000000000000000000.index".to_string()));
        assert_eq!(testing::headers(&testing::bytes(&before)).len(), 1, "a reader still can");
        drop(log);
        drop(removal);
        drop(open(&(Arc::new(disk.clone()) as Arc<dyn Disk>), &LogConfig::default(), at(2, 3, true)));
        assert!(!files(&disk).iter().any(|name| name.ends_with(".deleted")), "a start finishes the work");
        assert!(!disk.exists(Path::new("/data/t-0/00000000000000000001.log")));
    }

    proptest! {
        /// Against the rule said plainly: drop from the left while size, then time, say so.
        #[test]
        fn what_stays_is_what_the_rule_says(
            ages in prop::collection::vec(0i64..100, 1..8),
            retention_ms in -1i64..100,
            kept in -1i64..8,
            high_watermark in 0i64..8,
        ) {
            let log = log_of(&SimulatedDisk::default(), &ages.iter().map(|age| NOW.0 - age).collect::<Vec<_>>());
            let high_watermark = high_watermark.min(ages.len() as i64);
            let retention_bytes = if kept < 0 { -1 } else { kept * BATCH_BYTES };
            let retention = RetentionConfig { delete: true, retention_ms, retention_bytes };
            let mut expected = 0;
            while kept >= 0 && expected < high_watermark && ages.len() as i64 - expected > kept {
                expected += 1;
            }
            while retention_ms >= 0 && expected < high_watermark && ages[expected as usize] > retention_ms {
                expected += 1;
            }
            prop_assert_eq!(delete_to(&log, NOW, high_watermark, &retention), expected);
            prop_assert_eq!(log.log_end_offset().0, ages.len() as i64);
        }
    }
}
