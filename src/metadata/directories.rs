//! What a broker tells about its log directories: where its replicas lie (`ReplicationControlManager.handleAssignReplicasToDirs`,
//! KIP-858).

use super::image::Image;
use super::record::{PartitionChangeRecord, Record};
use crate::model::{TopicIdPartition, Uuid};

/// A replica of the broker that tells it, and the directory that it lies in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirectoryAssignment {
    pub partition: TopicIdPartition,
    pub directory: Uuid,
}

/// The changes that put the broker's replicas into these directories. What it has no replica of is passed over, and what
/// the image says already.
pub(super) fn assign_replicas_to_dirs(
    image: &Image,
    broker_id: i32,
    assignments: &[DirectoryAssignment],
) -> Vec<Record<'static>> {
    let change = |assignment: &DirectoryAssignment| {
        let TopicIdPartition { topic_id, index: partition_id } = assignment.partition;
        let partition = image.partition(topic_id, partition_id)?;
        let replica = partition.replicas.iter().position(|replica| *replica == broker_id)?;
        let mut directories = partition.directories.to_vec();
        let known = std::mem::replace(directories.get_mut(replica)?, assignment.directory);
        let directories = Some(directories).filter(|_| known != assignment.directory)?;
        let directories = Some(directories);
        Some(PartitionChangeRecord { partition_id, topic_id, directories, ..Default::default() })
    };
    let records: Vec<_> = assignments.iter().filter_map(change).map(Record::PartitionChange).collect();
    assert!(records.len() <= assignments.len(), "a replica lies in one directory");
    records
}
