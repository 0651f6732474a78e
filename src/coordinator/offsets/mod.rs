//! Committed offsets of one partition of `__consumer_offsets`: requests, answers and the store
//! (`OffsetMetadataManager`). The store changes only when records are applied.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

mod commit;
mod delete;
mod expire;
mod fetch;
mod pending;
#[cfg(test)]
pub(super) mod story;

use self::pending::Pending;
use super::groups::Groups;
use super::record::offsets::{LegacyOffsetCommitKey, LegacyOffsetCommitValue, OffsetCommitKey, OffsetCommitValue};
use crate::model::{ErrorCode, TopicId};

/// OffsetCommit.
#[derive(Clone, Debug)]
pub struct Commit<'a> {
    pub api_version: i16,
    pub group_id: &'a str,
    pub generation_id_or_member_epoch: i32,
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
    /// Versions 2–4; -1 is the broker's `offsets.retention.minutes`.
    pub retention_time_ms: i64,
    pub topics: Vec<CommitTopic<'a>>,
}

#[derive(Clone, Debug)]
pub struct CommitTopic<'a> {
    pub name: &'a str,
    /// Zero if the client did not name it by id.
    pub topic_id: TopicId,
    pub partitions: Vec<CommitPartition<'a>>,
}

#[derive(Clone, Copy, Debug)]
pub struct CommitPartition<'a> {
    pub partition: i32,
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: Option<&'a str>,
}

/// An error for all, or one for each partition of each topic in the order of the request.
pub type CommitReply = Result<Vec<Vec<ErrorCode>>, ErrorCode>;

/// OffsetFetch of one group.
#[derive(Clone, Debug)]
pub struct Fetch<'a> {
    pub group_id: &'a str,
    /// Members of consumer groups say it, from version 9 on.
    pub member_id: Option<&'a str>,
    pub member_epoch: i32,
    /// `None`: all that the group has committed.
    pub topics: Option<Vec<FetchTopic<'a>>>,
    pub require_stable: bool,
}

#[derive(Clone, Debug)]
pub struct FetchTopic<'a> {
    pub name: &'a str,
    /// Zero if the client did not name it by id. What was committed under another id is not told.
    pub topic_id: TopicId,
    pub partitions: Vec<i32>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedTopic<'a> {
    pub name: &'a str,
    pub partitions: Vec<FetchedPartition<'a>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedPartition<'a> {
    pub partition: i32,
    /// -1 where nothing is committed.
    pub offset: i64,
    pub leader_epoch: i32,
    /// That of the group itself: a request may name one partition so often that copies would take any memory.
    pub metadata: &'a str,
    pub error: ErrorCode,
}

pub type FetchReply<'a> = Result<Vec<FetchedTopic<'a>>, ErrorCode>;

/// OffsetDelete: an error for all, or one for each partition of each topic in the order of the request.
pub type DeleteReply = Result<Vec<Vec<ErrorCode>>, ErrorCode>;

/// What is committed for a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Committed {
    pub offset: i64,
    /// -1 if unknown.
    pub leader_epoch: i32,
    pub metadata: Box<str>,
    pub commit_timestamp: i64,
    /// -1 if the broker's retention decides.
    pub expire_timestamp: i64,
    /// Zero if unknown.
    pub topic_id: TopicId,
    /// How many offsets were committed before it: its place in the log, as far as other commits are concerned.
    pub order: u64,
}

/// What a group has committed for a partition, as those hear of it that only look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedOffset {
    pub group: Arc<str>,
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
}

/// The offsets of one group by topic and partition.
pub(super) type GroupOffsets = BTreeMap<Arc<str>, BTreeMap<i32, Committed>>;

/// All committed offsets.
#[derive(Default)]
pub struct Offsets {
    by_group: BTreeMap<Arc<str>, GroupOffsets>,
    pending: Pending,
    /// How many commits were applied.
    applied: u64,
}

impl Offsets {
    pub(super) fn group(&self, group_id: &str) -> Option<&GroupOffsets> {
        self.by_group.get(group_id)
    }

    fn contains(&self, group_id: &str, topic: &str, partition: i32) -> bool {
        let topics = self.by_group.get(group_id);
        topics.and_then(|topics| topics.get(topic)).is_some_and(|partitions| partitions.contains_key(&partition))
    }

    /// Asserts that no map is empty, and that every commit has been applied.
    pub(super) fn assert_sound(&self) {
        for (group, topics) in &self.by_group {
            assert!(!topics.is_empty() && topics.values().all(|of| !of.is_empty()), "{group:?} has empty maps");
            let mut all = topics.values().flat_map(BTreeMap::values);
            assert!(all.all(|committed| committed.order <= self.applied), "{group:?} has offsets of the future");
        }
        self.pending.assert_sound(self.applied);
    }

    fn put(&mut self, key: &OffsetCommitKey<'_>, value: Committed) {
        let (order, topics) = (value.order, entry(&mut self.by_group, &key.group));
        let replaced = entry(topics, &key.topic).insert(key.partition, value);
        assert!(replaced.is_none_or(|replaced| replaced.order < order), "commits are applied in their order");
    }
}

/// Takes out what a group has committed for a partition; no map is left empty.
fn remove(groups: &mut BTreeMap<Arc<str>, GroupOffsets>, key: &OffsetCommitKey<'_>) -> Option<Committed> {
    let topics = groups.get_mut(key.group.as_ref())?;
    let partitions = topics.get_mut(key.topic.as_ref())?;
    let removed = partitions.remove(&key.partition);
    if partitions.is_empty() {
        topics.remove(key.topic.as_ref());
        if topics.is_empty() {
            groups.remove(key.group.as_ref());
        }
    }
    removed
}

/// What a map holds for a name, which is copied only if it is new.
fn entry<'m, V: Default>(map: &'m mut BTreeMap<Arc<str>, V>, name: &str) -> &'m mut V {
    if !map.contains_key(name) {
        map.insert(name.into(), V::default());
    }
    map.get_mut(name).expect("it was put in where it was missing")
}

impl Groups {
    /// A committed offset, or its tombstone, which takes what transactions have committed as well. A group that exists
    /// only through its offsets is one of simple consumers.
    pub(super) fn apply_offset_commit(
        &mut self,
        key: &OffsetCommitKey<'_>,
        value: Option<&OffsetCommitValue<'_>>,
        producer_id: Option<i64>,
    ) {
        let Some(value) = value else {
            remove(&mut self.offsets.by_group, key);
            return self.offsets.pending.remove(key);
        };
        self.ensure_group(&key.group);
        self.offsets.applied += 1;
        let committed = Committed {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.as_ref().into(),
            commit_timestamp: value.commit_timestamp,
            expire_timestamp: value.expire_timestamp,
            topic_id: value.topic_id,
            order: self.offsets.applied,
        };
        assert!(self.groups.contains_key(key.group.as_ref()), "offsets belong to a group");
        match producer_id {
            None => self.offsets.put(key, committed),
            Some(producer_id) => self.offsets.pending.put(producer_id, key, committed),
        }
    }

    /// The same as a broker of before Kafka 0.9 wrote it.
    pub(super) fn apply_legacy_offset_commit(
        &mut self,
        key: &LegacyOffsetCommitKey<'_>,
        value: Option<&LegacyOffsetCommitValue<'_>>,
        producer_id: Option<i64>,
    ) {
        let (group, topic, partition) = (key.group.clone(), key.topic.clone(), key.partition);
        let value = value.map(|value| OffsetCommitValue {
            offset: value.offset,
            metadata: value.metadata.clone(),
            commit_timestamp: value.commit_timestamp,
            ..Default::default()
        });
        self.apply_offset_commit(&OffsetCommitKey { group, topic, partition }, value.as_ref(), producer_id);
    }

    /// Every committed offset with group, topic and partition.
    #[cfg(test)]
    pub fn committed(&self) -> impl Iterator<Item = (&str, &str, i32, i64)> {
        let groups = self.offsets.by_group.iter();
        let topics = groups.flat_map(|(group, topics)| topics.iter().map(move |(topic, of)| (group, topic, of)));
        topics.flat_map(|(group, topic, partitions)| {
            partitions.iter().map(move |(partition, of)| (group.as_ref(), topic.as_ref(), *partition, of.offset))
        })
    }

    /// The committed offsets behind a place, in the order of groups, topics and partitions; so many at most.
    pub fn committed_behind(&self, after: Option<&CommittedOffset>, most: usize) -> Vec<CommittedOffset> {
        let first = after.map_or(Bound::Unbounded, |place| Bound::Included(&*place.group));
        let groups = self.offsets.by_group.range::<str, _>((first, Bound::Unbounded));
        let topics = groups.flat_map(|(group, topics)| {
            let first = after.filter(|place| place.group == *group);
            let first = first.map_or(Bound::Unbounded, |place| Bound::Included(&*place.topic));
            topics.range::<str, _>((first, Bound::Unbounded)).map(move |(topic, of)| (group, topic, of))
        });
        let all = topics.flat_map(|(group, topic, partitions)| {
            let first = after.filter(|place| place.group == *group && place.topic == *topic);
            let first = first.map_or(Bound::Unbounded, |place| Bound::Excluded(place.partition));
            partitions
                .range((first, Bound::Unbounded))
                .map(move |(partition, of)| (group, topic, *partition, of.offset))
        });
        let offset = |(group, topic, partition, offset): (&Arc<str>, &Arc<str>, i32, i64)| CommittedOffset {
            group: group.clone(),
            topic: topic.clone(),
            partition,
            offset,
        };
        all.take(most).map(offset).collect()
    }
}
