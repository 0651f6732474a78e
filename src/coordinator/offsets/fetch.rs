//! OffsetFetch of one group (`OffsetMetadataManager.fetchOffsets`, `fetchAllOffsets`).
//!
//! With `require_stable` a partition that an open transaction has committed an offset of is answered with an error, so that
//! the client asks again (KIP-447).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Committed, Fetch, FetchReply, FetchTopic, FetchedPartition, FetchedTopic, GroupOffsets};
use crate::coordinator::groups::{Group, Groups};
use crate::model::{ErrorCode, TopicId};

impl Groups {
    pub fn fetch_offsets<'a>(&'a self, request: &Fetch<'a>) -> FetchReply<'a> {
        // A group that does not exist has committed nothing.
        if let Some(Group::Consumer(group)) = self.groups.get(request.group_id) {
            group.validate_offset_fetch(request)?;
        }
        let offsets = self.offsets.group(request.group_id);
        let is_unstable = |topic: &str, partition: i32| {
            request.require_stable && self.offsets.pending.contains(request.group_id, topic, partition)
        };
        Ok(match &request.topics {
            None => offsets.map(|offsets| all(offsets, &is_unstable)).unwrap_or_default(),
            Some(topics) => topics.iter().map(|topic| fetch(topic, offsets, &is_unstable)).collect(),
        })
    }
}

fn fetch<'a>(
    topic: &FetchTopic<'a>,
    offsets: Option<&'a GroupOffsets>,
    is_unstable: &dyn Fn(&str, i32) -> bool,
) -> FetchedTopic<'a> {
    let offsets = offsets.and_then(|topics| topics.get(topic.name));
    let matches = |id: TopicId| id.is_zero() || topic.topic_id.is_zero() || id == topic.topic_id;
    let fetch = |partition: &i32| {
        if is_unstable(topic.name, *partition) {
            return unstable(*partition);
        }
        let committed = offsets.and_then(|partitions| partitions.get(partition));
        fetched(*partition, committed.filter(|committed| matches(committed.topic_id)))
    };
    FetchedTopic { name: topic.name, partitions: topic.partitions.iter().map(fetch).collect() }
}

fn all<'a>(topics: &'a GroupOffsets, is_unstable: &dyn Fn(&str, i32) -> bool) -> Vec<FetchedTopic<'a>> {
    let topic = |(name, partitions): (&'a Arc<str>, &'a BTreeMap<i32, Committed>)| {
        let fetch = |(partition, committed): (&i32, &'a Committed)| match is_unstable(name, *partition) {
            true => unstable(*partition),
            false => fetched(*partition, Some(committed)),
        };
        FetchedTopic { name, partitions: partitions.iter().map(fetch).collect() }
    };
    topics.iter().map(topic).collect()
}

fn unstable<'a>(partition: i32) -> FetchedPartition<'a> {
    FetchedPartition { error: ErrorCode::UnstableOffsetCommit, ..fetched(partition, None) }
}

fn fetched(partition: i32, committed: Option<&Committed>) -> FetchedPartition<'_> {
    FetchedPartition {
        partition,
        offset: committed.map_or(-1, |committed| committed.offset),
        leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
        metadata: committed.map_or("", |committed| &committed.metadata),
        error: ErrorCode::None,
    }
}
