//! OffsetFetch of one group (`OffsetMetadataManager.fetchOffsets`, `fetchAllOffsets`).
//!
//! `require_stable` is about offsets that transactions have written and not yet committed: there are none.

use super::{Committed, Fetch, FetchReply, FetchTopic, FetchedPartition, FetchedTopic, GroupOffsets};
use crate::coordinator::groups::{Group, Groups};
use crate::model::{ErrorCode, TopicId};

impl Groups {
    pub fn fetch_offsets(&self, request: &Fetch<'_>) -> FetchReply {
        // A group that does not exist has committed nothing.
        if let Some(Group::Consumer(group)) = self.groups.get(request.group_id) {
            group.validate_offset_fetch(request)?;
        }
        let offsets = self.offsets.group(request.group_id);
        Ok(match &request.topics {
            None => offsets.map(all).unwrap_or_default(),
            Some(topics) => topics.iter().map(|topic| fetch(topic, offsets)).collect(),
        })
    }
}

fn fetch(topic: &FetchTopic<'_>, offsets: Option<&GroupOffsets>) -> FetchedTopic {
    let offsets = offsets.and_then(|topics| topics.get(topic.name));
    let matches = |id: TopicId| id.is_zero() || topic.topic_id.is_zero() || id == topic.topic_id;
    let fetch = |partition: &i32| {
        let committed = offsets.and_then(|partitions| partitions.get(partition));
        fetched(*partition, committed.filter(|committed| matches(committed.topic_id)))
    };
    FetchedTopic { name: topic.name.to_string(), partitions: topic.partitions.iter().map(fetch).collect() }
}

fn all(topics: &GroupOffsets) -> Vec<FetchedTopic> {
    let topic =
        |(name, partitions): (&std::sync::Arc<str>, &std::collections::BTreeMap<i32, Committed>)| FetchedTopic {
            name: name.to_string(),
            partitions: partitions.iter().map(|(partition, committed)| fetched(*partition, Some(committed))).collect(),
        };
    topics.iter().map(topic).collect()
}

fn fetched(partition: i32, committed: Option<&Committed>) -> FetchedPartition {
    FetchedPartition {
        partition,
        offset: committed.map_or(-1, |committed| committed.offset),
        leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
        metadata: committed.map(|committed| committed.metadata.to_string()).unwrap_or_default(),
        error: ErrorCode::None,
    }
}
