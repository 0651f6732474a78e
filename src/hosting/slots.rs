//! What the files of this module have in common: a partition's log by name, its checkpoints, times of settings.

use std::time::Duration;

use log::error;

use crate::config::TopicConfig;
use crate::metadata::{self, Topic};
use crate::model::{PartitionIndex, TimestampMs};
use crate::replica::partition::Partition;
use crate::replica::view::View;
use crate::storage::Error;
use crate::storage::directory::{Checkpoint, LogDirectory, PartitionState};
use crate::storage::log::{Identity, Log};

/// Writes these checkpoints of all directories, where they say something new; `true` if all took them. Blocks.
pub fn checkpoint(directories: &[LogDirectory], which: &[Checkpoint], view: &View) -> bool {
    let mut all = true;
    for directory in directories.iter().filter(|directory| !directory.is_offline()) {
        let is_here = |log: &Log| directory.holds(log) && !log.is_deleted();
        let here = view.partitions().filter(|partition| is_here(&partition.log));
        if let Err(failure) = directory.checkpoint(which, here.map(|partition| state(partition))) {
            // What the disk did was told once for the directory.
            if !failure.is_io() {
                error!("{failure}");
            }
            all = false;
        }
    }
    all
}

pub fn state(partition: &Partition) -> PartitionState {
    PartitionState {
        topic: partition.topic.to_string(),
        partition: partition.index,
        recovery_point: partition.log.recovery_point(),
        log_start_offset: partition.log.log_start_offset(),
        high_watermark: partition.high_watermark(),
    }
}

/// `file.delete.delay.ms` as a time to wait.
pub fn delete_delay(config: &TopicConfig) -> Duration {
    duration(config.file_delete_delay_ms)
}

pub fn duration(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

pub fn identity(topic: &Topic, described: &metadata::Partition) -> Identity {
    Identity { topic: topic.name.to_string(), partition: PartitionIndex(described.index), topic_id: topic.id }
}

/// A start cannot know whether all that it has found is durable, and from here on it counts as committed: where the
/// topic asks for a sync of so much, there is one first. Blocks.
pub fn sync_recovered(log: Log, now: TimestampMs) -> Result<Log, Error> {
    if log.wants_sync(now) {
        let flush = log.flush()?;
        flush.run().inspect_err(|failure| log.fail_sync(&failure.to_string()))?;
        log.flushed(&flush, now);
    }
    Ok(log)
}
