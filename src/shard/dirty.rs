//! The partitions that a shard has appended to in this turn, each once.

use std::sync::Arc;

use crate::replica::partition::Partition;
use crate::replica::watch::ShardId;
use crate::stdx::queue::Queue;

/// Belongs to one shard; the mark of membership is in the partition, so that adding costs one atomic operation.
pub struct Dirty {
    shard: ShardId,
    partitions: Queue<Arc<Partition>>,
}

impl Dirty {
    pub fn new(shard: ShardId) -> Dirty {
        Dirty { shard, partitions: Queue::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    pub fn add(&mut self, partition: &Arc<Partition>) {
        if partition.dirty.add(self.shard) {
            self.partitions.push(partition.clone());
        }
    }

    /// Takes all out. Appends from now on make a partition a member again. Give the list back once it is worked through.
    pub fn take(&mut self) -> Vec<Arc<Partition>> {
        let partitions = self.partitions.take();
        for partition in &partitions {
            partition.dirty.remove(self.shard);
        }
        partitions
    }

    pub fn give_back(&mut self, taken: Vec<Arc<Partition>>) {
        self.partitions.give_back(taken);
    }
}
