//! The partitions that a shard has appended to in this turn, each once.

use std::sync::Arc;

use crate::replica::partition::Partition;
use crate::replica::watch::ShardId;

/// Belongs to one shard; the mark of membership is in the partition, so that adding costs one atomic operation.
pub struct Dirty {
    shard: ShardId,
    partitions: Vec<Arc<Partition>>,
}

impl Dirty {
    pub fn new(shard: ShardId) -> Dirty {
        Dirty { shard, partitions: Vec::new() }
    }

    pub fn add(&mut self, partition: &Arc<Partition>) {
        if partition.dirty.add(self.shard) {
            self.partitions.push(partition.clone());
        }
    }

    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Takes all out. Appends from now on make a partition a member again.
    pub fn take(&mut self) -> Vec<Arc<Partition>> {
        let partitions = std::mem::take(&mut self.partitions);
        for partition in &partitions {
            partition.dirty.remove(self.shard);
        }
        partitions
    }
}
