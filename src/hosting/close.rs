//! A stop: closes every log, and says on the disk that it was done in order.

use std::sync::Arc;

use log::{error, warn};

use super::Hosting;
use super::slots::checkpoint;
use crate::model::TimestampMs;
use crate::replica::partition::Partition;
use crate::replica::view::View;
use crate::storage::directory::Checkpoint;

impl Hosting {
    /// Closes every log; `true` if all were closed and checkpointed, so that the directories may be marked as clean.
    /// Blocks.
    pub fn close(&mut self, view: &View, now: TimestampMs) -> bool {
        let mut all = true;
        for (_, future) in view.futures().filter(|(_, future)| !future.log.is_offline()) {
            // The next start reads it again in any case; Apache Kafka would like its files to be whole.
            if let Err(failure) = future.log.close(now) {
                warn!("{failure}");
            }
        }
        for directory in self.directories.iter().filter(|directory| !directory.is_offline()) {
            let here = |partition: &&Arc<Partition>| directory.holds(&partition.log);
            let partitions: Vec<_> = view.partitions().filter(here).collect();
            let logs: Vec<_> = partitions.iter().map(|partition| &partition.log).collect();
            for (partition, closed) in partitions.iter().zip(directory.close_logs(&logs, now)) {
                if let Err(failure) = closed {
                    error!("{}-{} was not closed in order: {failure}", partition.topic, partition.index);
                    all = false;
                }
            }
        }
        checkpoint(&self.directories, &Checkpoint::ALL, view) && all
    }

    /// Says that everything was closed in order. The last thing to be written. Blocks.
    pub fn mark_clean(&self, view: &View) {
        let epoch = view.image.broker(self.config.node_id).map_or(-1, |broker| broker.epoch);
        for directory in self.directories.iter().filter(|directory| !directory.is_offline()) {
            if let Err(failure) = directory.mark_clean(epoch) {
                error!("{failure}");
            }
        }
    }
}
