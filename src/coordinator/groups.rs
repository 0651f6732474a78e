//! The groups of one partition of `__consumer_offsets`, whatever their protocol: where requests come in and records are
//! applied (`GroupCoordinatorShard`, `GroupMetadataManager`).
//!
//! This file knows which machine a group belongs to; what the machine does stands in `classic`, `consumer` and
//! `offsets`, each of which adds its own requests to [`Groups`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::machine::Machine;
use super::offsets::Offsets;
use super::record::Unreadable;
use super::record::offsets::{Entry, Key, Value};
use super::step::{Producer, Record, Reply, Step};
use super::timers::Timers;
use super::{classic, consumer};
use crate::model::{ErrorCode, Instant, Refusal};
use crate::stdx::never::Never;

/// One line of ListGroups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    pub group_id: String,
    pub protocol_type: String,
    /// The state as Kafka spells it: `Stable`, `Empty`, ...
    pub state: &'static str,
    /// The protocol as Kafka spells it: `classic` or `consumer`.
    pub group_type: &'static str,
}

/// A group, as those hear of it that only look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupSummary {
    pub group: Arc<str>,
    pub state: &'static str,
    pub group_type: &'static str,
    pub members: usize,
}

pub(super) enum Group {
    Classic(classic::Group),
    Consumer(consumer::Group),
}

impl Group {
    pub fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.is_empty(),
            Group::Consumer(group) => group.is_empty(),
        }
    }

    fn summary(&self, id: &Arc<str>) -> GroupSummary {
        let (state, group_type, members) = match self {
            Group::Classic(group) => (group.state().name(), "classic", group.size()),
            Group::Consumer(group) => (group.state_name(), "consumer", group.size()),
        };
        GroupSummary { group: id.clone(), state, group_type, members }
    }

    fn listed(&self, id: &str) -> Listed {
        let (protocol_type, state, group_type) = match self {
            Group::Classic(group) => (group.protocol_type().unwrap_or_default(), group.state().name(), "classic"),
            Group::Consumer(group) => (classic::CONSUMER_PROTOCOL_TYPE, group.state_name(), "consumer"),
        };
        Listed { group_id: id.to_string(), protocol_type: protocol_type.to_string(), state, group_type }
    }
}

fn not_found(message: String) -> Refusal {
    Refusal::new(ErrorCode::GroupIdNotFound, message)
}

/// What a timer is for; one of each at a time.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct TimerKey {
    pub group_id: Arc<str>,
    pub timer: Timer,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    Classic(classic::Timer),
    Consumer(consumer::Timer),
}

/// All groups of one partition, with their offsets and timers.
#[derive(Default)]
pub struct Groups {
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    pub(super) offsets: Offsets,
    pub(super) timers: Timers<TimerKey>,
    pub(super) topic_hashes: consumer::TopicHashes,
}

/// Which groups ListGroups tells of: words in small letters, of which a client may send very many. A filter without words
/// lets everything through.
#[derive(Default)]
pub struct ListFilter {
    states: BTreeSet<String>,
    types: BTreeSet<String>,
}

impl ListFilter {
    pub fn new<'w>(states: impl Iterator<Item = &'w str>, types: impl Iterator<Item = &'w str>) -> ListFilter {
        let states = states.map(|state| state.to_lowercase().trim().to_string()).collect();
        ListFilter { states, types: types.map(str::to_lowercase).collect() }
    }

    fn lets_through(&self, line: &Listed) -> bool {
        let is_wanted = |words: &BTreeSet<String>, name: &str| words.is_empty() || words.contains(&name.to_lowercase());
        is_wanted(&self.states, line.state) && is_wanted(&self.types, line.group_type)
    }
}

impl Groups {
    fn ids(&self) -> Vec<Arc<str>> {
        self.groups.keys().cloned().collect()
    }

    /// A group of the classic protocol, to do something with it.
    pub(super) fn classic<'a, 's>(
        &'a mut self,
        step: &'a mut Step<'s>,
        group_id: &str,
    ) -> Option<classic::Live<'a, 's>> {
        match self.groups.get_mut(group_id)? {
            Group::Classic(group) => Some(classic::Live { group, timers: &mut self.timers, step }),
            Group::Consumer(_) => None,
        }
    }

    /// A commit of offsets to a group that does not exist makes it exist.
    pub(super) fn ensure_group(&mut self, group_id: &str) {
        if !self.groups.contains_key(group_id) {
            let id: Arc<str> = group_id.into();
            self.groups.insert(id.clone(), Group::Classic(classic::Group::new(id, None)));
        }
    }

    /// DescribeGroups: of groups of the classic protocol only.
    pub fn describe_classic(&self, group_id: &str) -> Result<classic::Description, Refusal> {
        match self.groups.get(group_id) {
            Some(Group::Classic(group)) => Ok(group.describe()),
            Some(Group::Consumer(_)) => Err(not_found(format!("Group {group_id} is not a classic group."))),
            None => Err(not_found(format!("Group {group_id} not found."))),
        }
    }

    /// ListGroups.
    pub fn list(&self, filter: &ListFilter) -> Vec<Listed> {
        let listed = self.groups.iter().map(|(id, group)| group.listed(id));
        listed.filter(|line| filter.lets_through(line)).collect()
    }

    /// The groups behind one, in the order of their names; so many at most.
    pub fn summaries_behind(&self, after: Option<&str>, most: usize) -> Vec<GroupSummary> {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        self.groups.range::<str, _>(behind).take(most).map(|(id, group)| group.summary(id)).collect()
    }

    /// One group.
    pub fn summary(&self, group_id: &str) -> Option<GroupSummary> {
        self.groups.get_key_value(group_id).map(|(id, group)| group.summary(id))
    }

    /// DeleteGroups: a group without members, with its offsets.
    pub fn delete_group(&mut self, step: &mut Step<'_>, group_id: &str) -> Result<(), ErrorCode> {
        let group = self.groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
        if !group.is_empty() {
            return Err(ErrorCode::NonEmptyGroup);
        }
        self.delete_all_offsets(step, group_id);
        self.delete_empty_group(step, group_id);
        assert!(!self.groups.contains_key(group_id), "the group {group_id:?} is gone");
        assert!(self.offsets.group(group_id).is_none(), "the offsets of {group_id:?} went with it");
        Ok(())
    }

    /// Writes the tombstones of a group without members.
    pub(super) fn delete_empty_group(&mut self, step: &mut Step<'_>, group_id: &str) {
        match self.groups.get(group_id) {
            Some(Group::Classic(_)) => self.emit(step, classic::key(group_id), None),
            Some(Group::Consumer(_)) => self.delete_consumer_group(step, group_id),
            None => {}
        }
    }

    /// Deletes offsets whose time is over, and groups that have neither members nor offsets
    /// (`cleanupGroupMetadata`).
    pub fn expire_offsets(&mut self, step: &mut Step<'_>) {
        step.out.is_divisible = true;
        for id in self.ids() {
            let all_expired = self.expire_group_offsets(step, &id);
            if all_expired && self.groups.get(&id).is_some_and(Group::is_empty) {
                self.delete_empty_group(step, &id);
            }
        }
    }

    /// Writes a record and applies it. The value with the version that it is written in.
    pub(super) fn emit(&mut self, step: &mut Step<'_>, key: Key<'_>, value: Option<(Value<'_>, i16)>) {
        write(step, &key, value.as_ref().map(|(value, version)| (value, *version)));
        let entry = Entry::of(key, value.map(|(value, _)| value)).expect("a key is written with its own value");
        let applied = self.apply(&entry, step.producer.map(|producer| producer.id));
        assert!(applied.is_ok(), "groups write only records that they know: {applied:?}");
    }
}

impl Machine for Groups {
    type Entry<'a> = Entry<'a>;
    type Reply = Reply;
    type Command = Never;
    type Step<'s> = Step<'s>;

    fn decode<'a>(key: &'a [u8], value: Option<&'a [u8]>) -> Result<Entry<'a>, Unreadable> {
        Entry::decode(key, value)
    }

    fn apply(&mut self, entry: &Entry<'_>, producer_id: Option<i64>) -> Result<(), Unreadable> {
        use Entry::*;
        match entry {
            LegacyOffsetCommit(key, value) => self.apply_legacy_offset_commit(key, value.as_ref(), producer_id),
            OffsetCommit(key, value) => self.apply_offset_commit(key, value.as_ref(), producer_id),
            GroupMetadata(key, value) => self.apply_group_metadata(key, value.as_ref()),
            ConsumerGroupMetadata(key, value) => self.apply_epoch(key, value.as_ref()),
            ConsumerGroupPartitionMetadata(key, value) => self.apply_partition_metadata(key, value.is_some()),
            ConsumerGroupMemberMetadata(key, value) => self.apply_metadata(key, value.as_ref()),
            ConsumerGroupTargetAssignmentMetadata(key, value) => self.apply_target_epoch(key, value.as_ref()),
            ConsumerGroupTargetAssignmentMember(key, value) => self.apply_target(key, value.as_ref()),
            ConsumerGroupCurrentMemberAssignment(key, value) => self.apply_current(key, value.as_ref()),
            ConsumerGroupRegularExpression(key, value) => self.apply_resolved(key, value.as_ref()),
            // Share groups and streams groups are not built yet.
            ShareGroupMemberMetadata(..)
            | ShareGroupMetadata(..)
            | ShareGroupTargetAssignmentMetadata(..)
            | ShareGroupTargetAssignmentMember(..)
            | ShareGroupCurrentMemberAssignment(..)
            | ShareGroupStatePartitionMetadata(..)
            | StreamsGroupMetadata(..)
            | StreamsGroupMemberMetadata(..)
            | StreamsGroupTargetAssignmentMetadata(..)
            | StreamsGroupTargetAssignmentMember(..)
            | StreamsGroupCurrentMemberAssignment(..)
            | StreamsGroupTopology(..) => return Err(Unreadable::Type(entry.type_id())),
        }
        Ok(())
    }

    fn end_transaction(&mut self, producer: Producer, commit: bool) {
        self.end_offset_transaction(producer.id, commit);
    }

    /// Sessions begin anew, as no member is known to be gone (`onLoaded`).
    fn handle_loaded(&mut self, step: &mut Step<'_>) {
        for id in self.ids() {
            match self.groups.get(&id) {
                Some(Group::Classic(_)) => self.handle_classic_loaded(step, &id),
                Some(Group::Consumer(_)) => self.handle_consumer_loaded(step, &id),
                None => {}
            }
        }
    }

    fn handle_timers(&mut self, step: &mut Step<'_>) {
        while let Some(key) = self.timers.pop(step.now) {
            assert!(self.groups.contains_key(&key.group_id), "the timers of a group go with it: {key:?}");
            match &key.timer {
                Timer::Classic(timer) => self.handle_classic_timer(step, &key.group_id, timer),
                Timer::Consumer(timer) => self.handle_consumer_timer(step, &key.group_id, timer),
            }
        }
    }

    fn next_deadline(&self) -> Instant {
        self.timers.next().unwrap_or(Instant::NEVER)
    }

    fn assert_sound(&self) {
        self.assert_groups_sound();
    }
}

/// Writes a record whose meaning the state shows already.
pub(super) fn write(step: &mut Step<'_>, key: &Key<'_>, value: Option<(&Value<'_>, i16)>) {
    let mut record = Record { key: Vec::new(), value: None };
    key.encode(&mut record.key).expect("keys are made of what fits into requests");
    if let Some((value, version)) = value {
        let bytes = record.value.insert(Vec::new());
        value.encode(bytes, version).expect("values are made of what fits into requests");
    }
    step.out.records.push(record);
}
