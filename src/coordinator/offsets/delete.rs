//! OffsetDelete, and offsets that go with their group or their topic (`OffsetMetadataManager.deleteOffsets`,
//! `deleteAllOffsets`, `onTopicsDeleted`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::DeleteReply;
use crate::codec::Str;
use crate::coordinator::groups::{Group, Groups};
use crate::coordinator::record::offsets::{Key, OffsetCommitKey};
use crate::coordinator::step::Step;
use crate::model::{ErrorCode, TopicId};

impl Groups {
    /// OffsetDelete: not while the group's members read the topic.
    pub fn delete_offsets(&mut self, step: &mut Step<'_>, group_id: &str, topics: &[(&str, Vec<i32>)]) -> DeleteReply {
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let group = self.groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
        if let Group::Classic(group) = group
            && !group.is_empty()
            && !group.uses_consumer_protocol()
        {
            return Err(ErrorCode::NonEmptyGroup);
        }
        let subscribed = |(topic, _): &(&str, Vec<i32>)| group.is_subscribed_to_topic(topic);
        let subscribed: Vec<bool> = topics.iter().map(subscribed).collect();
        let mut reply = Vec::with_capacity(topics.len());
        for ((topic, partitions), subscribed) in topics.iter().zip(subscribed) {
            if subscribed {
                reply.push(vec![ErrorCode::GroupSubscribedToTopic; partitions.len()]);
                continue;
            }
            for partition in partitions {
                let is_pending = self.offsets.pending.contains(group_id, topic, *partition);
                if is_pending || self.offsets.contains(group_id, topic, *partition) {
                    self.delete_offset(step, group_id, topic, *partition);
                }
            }
            reply.push(vec![ErrorCode::None; partitions.len()]);
        }
        assert_eq!(reply.len(), topics.len(), "each topic has its answers");
        Ok(reply)
    }

    /// Deletes the offsets of topics that are gone. What was committed for another topic of the same name stays; where the id was
    /// not committed, the name decides.
    pub fn forget_topics(&mut self, step: &mut Step<'_>, gone: &BTreeMap<Arc<str>, TopicId>) {
        step.out.is_divisible = true;
        let is_gone =
            |name: &str, committed: TopicId| gone.get(name).is_some_and(|id| committed.is_zero() || committed == *id);
        let groups: BTreeSet<Arc<str>> =
            self.offsets.by_group.keys().chain(self.offsets.pending.groups()).cloned().collect();
        for id in groups {
            self.delete_offsets_if(step, &id, &is_gone);
        }
    }

    pub(in crate::coordinator) fn delete_all_offsets(&mut self, step: &mut Step<'_>, group_id: &str) {
        self.delete_offsets_if(step, group_id, &|_, _| true);
    }

    fn delete_offsets_if(&mut self, step: &mut Step<'_>, group_id: &str, deleted: &dyn Fn(&str, TopicId) -> bool) {
        let topics = self.offsets.group(group_id).into_iter().flatten();
        let committed =
            topics.flat_map(|(topic, of)| of.iter().map(move |(partition, of)| (topic, *partition, of.topic_id)));
        // One tombstone is enough for what is committed and pending.
        let all: BTreeSet<(Arc<str>, i32)> = committed
            .chain(self.offsets.pending.of_group(group_id))
            .filter(|(topic, _, topic_id)| deleted(topic, *topic_id))
            .map(|(topic, partition, _)| (topic.clone(), partition))
            .collect();
        for (topic, partition) in all {
            self.delete_offset(step, group_id, &topic, partition);
        }
    }

    pub(super) fn delete_offset(&mut self, step: &mut Step<'_>, group_id: &str, topic: &str, partition: i32) {
        let (group, topic) = (Str::Borrowed(group_id), Str::Borrowed(topic));
        self.emit(step, Key::OffsetCommit(OffsetCommitKey { group, topic: topic.clone(), partition }), None);
        assert!(!self.offsets.contains(group_id, &topic, partition), "the offset is deleted");
        assert!(!self.offsets.pending.contains(group_id, &topic, partition), "also for transactions");
    }
}

impl Group {
    pub(super) fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) => group.is_subscribed_to_topic(topic),
            Group::Consumer(group) => group.is_subscribed_to_topic(topic),
        }
    }
}
