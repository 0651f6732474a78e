//! A group of the consumer protocol as its records (`GroupCoordinatorRecordHelpers`), and what applying one does
//! (`GroupMetadataManager.replay`).
//!
//! A log that was compacted may hold any part of a group. A record about something that is not there makes it, a
//! tombstone about something that is not there changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::{NO_EPOCH, Resolved};
use super::member::{Classic, Current, LEAVE_EPOCH, MemberState, Metadata, Partitions};
use super::{Group, Timer};
use crate::codec::{Bytes, Str};
use crate::coordinator::assignor::Assignment;
use crate::coordinator::groups::{self, Groups, TimerKey};
use crate::coordinator::record::offsets::consumer_group_current_member_assignment_value::TopicPartitions;
use crate::coordinator::record::offsets::*;
use crate::coordinator::step::Step;

/// All values are written in this one.
const VALUE_VERSION: i16 = 0;

fn owned(text: &Option<Str<'_>>) -> Option<Arc<str>> {
    text.as_deref().map(Arc::from)
}

fn borrowed(text: &Option<Arc<str>>) -> Option<Str<'_>> {
    text.as_deref().map(Str::Borrowed)
}

fn metadata_value(metadata: &Metadata) -> Value<'_> {
    let protocol = |(name, metadata): &'_ (String, Vec<u8>)| ClassicProtocol {
        name: Str::Owned(name.clone()),
        metadata: Bytes::Owned(metadata.clone()),
    };
    let classic = |classic: &Classic| ClassicMemberMetadata {
        session_timeout_ms: classic.session_timeout_ms,
        supported_protocols: classic.protocols.iter().map(protocol).collect(),
    };
    Value::ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataValue {
        instance_id: borrowed(&metadata.instance_id),
        rack_id: borrowed(&metadata.rack_id),
        client_id: Str::Borrowed(&metadata.client_id),
        client_host: Str::Borrowed(&metadata.client_host),
        subscribed_topic_names: metadata.topics.iter().map(|topic| Str::Borrowed(topic.as_ref())).collect(),
        subscribed_topic_regex: borrowed(&metadata.regex),
        rebalance_timeout_ms: metadata.rebalance_timeout_ms,
        server_assignor: borrowed(&metadata.assignor),
        classic_member_metadata: metadata.classic.as_ref().map(classic),
    })
}

fn metadata(value: &ConsumerGroupMemberMetadataValue<'_>) -> Metadata {
    let protocol = |protocol: &ClassicProtocol<'_>| (protocol.name.to_string(), protocol.metadata.to_vec());
    let classic = |classic: &ClassicMemberMetadata<'_>| Classic {
        session_timeout_ms: classic.session_timeout_ms,
        protocols: classic.supported_protocols.iter().map(protocol).collect(),
    };
    Metadata {
        instance_id: owned(&value.instance_id),
        rack_id: owned(&value.rack_id),
        client_id: value.client_id.as_ref().into(),
        client_host: value.client_host.as_ref().into(),
        topics: value.subscribed_topic_names.iter().map(|name| Arc::from(name.as_ref())).collect(),
        regex: owned(&value.subscribed_topic_regex),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        assignor: owned(&value.server_assignor),
        classic: value.classic_member_metadata.as_ref().map(classic),
    }
}

fn partitions_value(partitions: &Partitions) -> Vec<TopicPartitions> {
    let topic = |(topic_id, partitions): (&_, &BTreeMap<i32, i32>)| TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
    };
    partitions.iter().map(topic).collect()
}

/// Records of before Kafka 4.3 do not say in which epoch a partition was assigned.
fn partitions(value: &[TopicPartitions], member_epoch: i32) -> Partitions {
    let topic = |topic: &TopicPartitions| {
        let epochs = topic.assignment_epochs.as_ref().filter(|epochs| epochs.len() == topic.partitions.len());
        let epoch = |at| epochs.map_or(member_epoch.max(0), |epochs| epochs[at]);
        let partitions = topic.partitions.iter().enumerate();
        (topic.topic_id, partitions.map(|(at, partition)| (*partition, epoch(at))).collect())
    };
    value.iter().map(topic).collect()
}

fn current(value: &ConsumerGroupCurrentMemberAssignmentValue) -> Current {
    Current {
        epoch: value.member_epoch,
        previous_epoch: value.previous_member_epoch,
        state: MemberState::from_id(value.state),
        assigned: partitions(&value.assigned_partitions, value.member_epoch),
        pending_revocation: partitions(&value.partitions_pending_revocation, value.member_epoch),
    }
}

fn current_value(current: &Current) -> Value<'static> {
    Value::ConsumerGroupCurrentMemberAssignment(ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: current.epoch,
        previous_member_epoch: current.previous_epoch,
        state: current.state.id(),
        assigned_partitions: partitions_value(&current.assigned),
        partitions_pending_revocation: partitions_value(&current.pending_revocation),
    })
}

fn metadata_key<'a>(group_id: &'a str, member_id: &'a str) -> Key<'a> {
    let (group_id, member_id) = (Str::Borrowed(group_id), Str::Borrowed(member_id));
    Key::ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataKey { group_id, member_id })
}

fn target_key<'a>(group_id: &'a str, member_id: &'a str) -> Key<'a> {
    let (group_id, member_id) = (Str::Borrowed(group_id), Str::Borrowed(member_id));
    Key::ConsumerGroupTargetAssignmentMember(ConsumerGroupTargetAssignmentMemberKey { group_id, member_id })
}

fn current_key<'a>(group_id: &'a str, member_id: &'a str) -> Key<'a> {
    let (group_id, member_id) = (Str::Borrowed(group_id), Str::Borrowed(member_id));
    Key::ConsumerGroupCurrentMemberAssignment(ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id })
}

fn resolved_key<'a>(group_id: &'a str, regex: &'a str) -> Key<'a> {
    let (group_id, regular_expression) = (Str::Borrowed(group_id), Str::Borrowed(regex));
    Key::ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey { group_id, regular_expression })
}

fn epoch_key(group_id: &str) -> Key<'_> {
    Key::ConsumerGroupMetadata(ConsumerGroupMetadataKey { group_id: Str::Borrowed(group_id) })
}

fn target_epoch_key(group_id: &str) -> Key<'_> {
    let group_id = Str::Borrowed(group_id);
    Key::ConsumerGroupTargetAssignmentMetadata(ConsumerGroupTargetAssignmentMetadataKey { group_id })
}

fn partition_metadata_key(group_id: &str) -> Key<'_> {
    let group_id = Str::Borrowed(group_id);
    Key::ConsumerGroupPartitionMetadata(ConsumerGroupPartitionMetadataKey { group_id })
}

/// Records that are written, each of them applied at once.
impl Groups {
    fn emit_value(&mut self, step: &mut Step<'_>, key: Key<'_>, value: Value<'_>) {
        self.emit(step, key, Some((value, VALUE_VERSION)));
    }

    pub(super) fn write_metadata(&mut self, step: &mut Step<'_>, group_id: &str, member_id: &str, of: &Metadata) {
        self.emit_value(step, metadata_key(group_id, member_id), metadata_value(of));
    }

    pub(super) fn write_current(&mut self, step: &mut Step<'_>, group_id: &str, member_id: &str, of: &Current) {
        self.emit_value(step, current_key(group_id, member_id), current_value(of));
    }

    pub(super) fn write_target(&mut self, step: &mut Step<'_>, group_id: &str, member_id: &str, of: &Assignment) {
        let topic = |(topic_id, partitions): (&_, &std::collections::BTreeSet<i32>)| {
            let partitions = partitions.iter().copied().collect();
            consumer_group_target_assignment_member_value::TopicPartition { topic_id: *topic_id, partitions }
        };
        let topic_partitions = of.iter().map(topic).collect();
        let value = ConsumerGroupTargetAssignmentMemberValue { topic_partitions };
        self.emit_value(step, target_key(group_id, member_id), Value::ConsumerGroupTargetAssignmentMember(value));
    }

    pub(super) fn write_target_epoch(&mut self, step: &mut Step<'_>, group_id: &str, epoch: i32, timestamp: i64) {
        let value =
            ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch: epoch, assignment_timestamp: timestamp };
        self.emit_value(step, target_epoch_key(group_id), Value::ConsumerGroupTargetAssignmentMetadata(value));
    }

    pub(super) fn write_epoch(&mut self, step: &mut Step<'_>, group_id: &str, epoch: i32, metadata_hash: i64) {
        let value = ConsumerGroupMetadataValue { epoch, metadata_hash };
        self.emit_value(step, epoch_key(group_id), Value::ConsumerGroupMetadata(value));
    }

    pub(super) fn write_resolved(&mut self, step: &mut Step<'_>, group_id: &str, regex: &str, of: &Resolved) {
        let topics = of.topics.iter().map(|topic| Str::Borrowed(topic.as_ref())).collect();
        let value = ConsumerGroupRegularExpressionValue { topics, version: of.version, timestamp: of.timestamp };
        self.emit_value(step, resolved_key(group_id, regex), Value::ConsumerGroupRegularExpression(value));
    }

    pub(super) fn delete_resolved(&mut self, step: &mut Step<'_>, group_id: &str, regex: &str) {
        self.emit(step, resolved_key(group_id, regex), None);
    }

    pub(super) fn delete_partition_metadata(&mut self, step: &mut Step<'_>, group_id: &str) {
        self.emit(step, partition_metadata_key(group_id), None);
    }

    /// The order matters to Kafka.
    pub(super) fn delete_member(&mut self, step: &mut Step<'_>, group_id: &str, member_id: &str) {
        self.emit(step, current_key(group_id, member_id), None);
        self.emit(step, target_key(group_id, member_id), None);
        self.emit(step, metadata_key(group_id, member_id), None);
        let group = self.existing(group_id);
        assert!(group.is_none_or(|group| group.member(member_id).is_none()), "a member goes with its metadata");
    }

    /// Tombstones of a group and of all of its members.
    pub(in crate::coordinator) fn delete_consumer_group(&mut self, step: &mut Step<'_>, group_id: &str) {
        let Some(groups::Group::Consumer(group)) = self.groups.get(group_id) else { return };
        let members: Vec<Arc<str>> = group.members.keys().cloned().collect();
        let regexes: Vec<Arc<str>> = group.resolved.keys().cloned().collect();
        members.iter().for_each(|id| self.emit(step, current_key(group_id, id), None));
        members.iter().for_each(|id| self.emit(step, target_key(group_id, id), None));
        self.emit(step, target_epoch_key(group_id), None);
        members.iter().for_each(|id| self.emit(step, metadata_key(group_id, id), None));
        regexes.iter().for_each(|regex| self.emit(step, resolved_key(group_id, regex), None));
        self.emit(step, partition_metadata_key(group_id), None);
        self.emit(step, epoch_key(group_id), None);
        assert!(!self.groups.contains_key(group_id), "the group {group_id:?} is gone");
    }
}

/// Records that are applied. A tombstone has no value.
impl Groups {
    pub(in crate::coordinator) fn apply_epoch(
        &mut self,
        key: &ConsumerGroupMetadataKey<'_>,
        value: Option<&ConsumerGroupMetadataValue>,
    ) {
        let Some(value) = value else { return self.forget_consumer_group(&key.group_id) };
        let Some(group) = self.created(&key.group_id) else { return };
        (group.epoch, group.metadata_hash) = (value.epoch, value.metadata_hash);
    }

    pub(in crate::coordinator) fn apply_partition_metadata(
        &mut self,
        key: &ConsumerGroupPartitionMetadataKey<'_>,
        is_there: bool,
    ) {
        let group = if is_there { self.created(&key.group_id) } else { self.existing(&key.group_id) };
        let Some(group) = group else { return };
        group.has_partition_metadata = is_there;
    }

    pub(in crate::coordinator) fn apply_metadata(
        &mut self,
        key: &ConsumerGroupMemberMetadataKey<'_>,
        value: Option<&ConsumerGroupMemberMetadataValue<'_>>,
    ) {
        let Some(value) = value else { return self.forget_member(&key.group_id, &key.member_id) };
        let Some(group) = self.created(&key.group_id) else { return };
        group.set_metadata(&key.member_id, metadata(value));
    }

    pub(in crate::coordinator) fn apply_resolved(
        &mut self,
        key: &ConsumerGroupRegularExpressionKey<'_>,
        value: Option<&ConsumerGroupRegularExpressionValue<'_>>,
    ) {
        let group = if value.is_some() { self.created(&key.group_id) } else { self.existing(&key.group_id) };
        let Some(group) = group else { return };
        let resolved = value.map(|value| {
            let topics = value.topics.iter().map(|topic| Arc::from(topic.as_ref())).collect();
            Resolved { topics, version: value.version, timestamp: value.timestamp }
        });
        group.set_resolved(&key.regular_expression, resolved);
    }

    pub(in crate::coordinator) fn apply_target_epoch(
        &mut self,
        key: &ConsumerGroupTargetAssignmentMetadataKey<'_>,
        value: Option<&ConsumerGroupTargetAssignmentMetadataValue>,
    ) {
        let group = if value.is_some() { self.created(&key.group_id) } else { self.existing(&key.group_id) };
        let Some(group) = group else { return };
        (group.assignment_epoch, group.assignment_timestamp) =
            value.map_or((NO_EPOCH, 0), |value| (value.assignment_epoch, value.assignment_timestamp));
    }

    pub(in crate::coordinator) fn apply_target(
        &mut self,
        key: &ConsumerGroupTargetAssignmentMemberKey<'_>,
        value: Option<&ConsumerGroupTargetAssignmentMemberValue>,
    ) {
        let Some(value) = value else {
            let Some(group) = self.existing(&key.group_id) else { return };
            group.target.remove(key.member_id.as_ref());
            return;
        };
        let Some(group) = self.created(&key.group_id) else { return };
        let topics = value.topic_partitions.iter();
        let target = topics.map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect()));
        group.set_target(&key.member_id, target.collect());
    }

    pub(in crate::coordinator) fn apply_current(
        &mut self,
        key: &ConsumerGroupCurrentMemberAssignmentKey<'_>,
        value: Option<&ConsumerGroupCurrentMemberAssignmentValue>,
    ) {
        if let Some(value) = value {
            let Some(group) = self.created(&key.group_id) else { return };
            return group.set_current(&key.member_id, current(value));
        }
        let Some(group) = self.existing(&key.group_id) else { return };
        if group.member(&key.member_id).is_some() {
            let gone = Current { epoch: LEAVE_EPOCH, previous_epoch: LEAVE_EPOCH, ..Current::default() };
            group.set_current(&key.member_id, gone);
        }
    }

    fn existing(&mut self, group_id: &str) -> Option<&mut Group> {
        match self.groups.get_mut(group_id)? {
            groups::Group::Consumer(group) => Some(group),
            groups::Group::Classic(_) => None,
        }
    }

    /// The group, made if it does not exist. One that only holds offsets of simple consumers has no record, so its
    /// place is taken.
    fn created(&mut self, group_id: &str) -> Option<&mut Group> {
        let taken = match self.groups.get(group_id) {
            None => false,
            Some(groups::Group::Classic(group)) => !group.is_simple(),
            Some(groups::Group::Consumer(_)) => true,
        };
        if !taken {
            let id: Arc<str> = group_id.into();
            self.groups.insert(id.clone(), groups::Group::Consumer(Group::new(id)));
        }
        self.existing(group_id)
    }

    fn forget_member(&mut self, group_id: &str, member_id: &str) {
        let Some(groups::Group::Consumer(group)) = self.groups.get_mut(group_id) else { return };
        let Some(id) = group.member(member_id).map(|member| member.id.clone()) else { return };
        group.remove_member(member_id);
        for timer in Timer::all(&id) {
            self.timers.cancel(&TimerKey { group_id: group.id.clone(), timer: groups::Timer::Consumer(timer) });
        }
    }

    fn forget_consumer_group(&mut self, group_id: &str) {
        let Some(group) = self.existing(group_id) else { return };
        let members: Vec<Arc<str>> = group.members.keys().cloned().collect();
        members.iter().for_each(|id| self.forget_member(group_id, id));
        self.groups.remove(group_id);
    }
}
