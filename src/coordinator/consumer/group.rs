//! What a group of the consumer protocol is (`ConsumerGroup`, `ModernGroup`): its members, their targets, and what is
//! counted over them so that a heartbeat need not look at all of them.
//!
//! Everything but `seen` and `regexes` follows from the records and changes only when one is applied.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::member::{Current, Member, Metadata};
use crate::coordinator::assignor::Assignment;
use crate::coordinator::classic::CONSUMER_PROTOCOL_TYPE;
use crate::coordinator::step::Topics;
use crate::model::TopicId;

/// A group begins in this epoch, with a target assignment of the same.
const FIRST_EPOCH: i32 = 1;
/// The epoch of a target assignment that was deleted.
pub const NO_EPOCH: i32 = -1;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    Empty,
    /// The target assignment is older than the group.
    Assigning,
    /// Members are not yet where the target assignment wants them.
    Reconciling,
    Stable,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::Assigning => "Assigning",
            State::Reconciling => "Reconciling",
            State::Stable => "Stable",
        }
    }
}

/// The topics that a regular expression matches (`ResolvedRegularExpression`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    pub topics: BTreeSet<Arc<str>>,
    /// The metadata that it was resolved with had this one.
    pub version: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

/// Who subscribes to a topic: members by its name, and the group's regular expressions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Subscribers {
    pub by_name: usize,
    pub by_regex: usize,
}

/// When the group's regular expressions were last looked at, beyond what is in the records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    pub version: i64,
    pub wall_ms: i64,
}

/// A group.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    pub(super) id: Arc<str>,
    pub(super) epoch: i32,
    /// The hash of the topics that the members subscribe to, as they were when the epoch began.
    pub(super) metadata_hash: i64,
    pub(super) assignment_epoch: i32,
    /// When the target was computed, in milliseconds since 1970; 0 if that is not known.
    pub(super) assignment_timestamp: i64,
    pub(super) members: BTreeMap<Arc<str>, Member>,
    pub(super) target: BTreeMap<Arc<str>, Assignment>,
    pub(super) resolved: BTreeMap<Arc<str>, Resolved>,
    /// A record of before Kafka 4.1 that has to be removed.
    pub(super) has_partition_metadata: bool,
    static_members: HashMap<Arc<str>, Arc<str>>,
    pub(super) subscribed: BTreeMap<Arc<str>, Subscribers>,
    pub(super) subscribed_regexes: BTreeMap<Arc<str>, usize>,
    pub(super) assignors: BTreeMap<Arc<str>, usize>,
    pub(super) classic_members: usize,
    pub(super) classic_protocols: BTreeMap<String, usize>,
    /// How many own a partition or have yet to give it up: one, unless a loss of power took records out of the middle of the
    /// log.
    pub(super) owners: HashMap<(TopicId, i32), usize>,
    /// The version of the metadata that the hash was last compared with. Not in the records.
    pub(super) seen: Option<i64>,
    /// Not in the records.
    pub(super) looked: Option<Look>,
}

fn add<K: Ord + Clone>(counts: &mut BTreeMap<K, usize>, key: &K) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => drop(counts.insert(key.clone(), 1)),
    }
}

fn subtract<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    let count = counts.get_mut(key).filter(|count| **count > 0).expect("what is subtracted was added");
    *count -= 1;
    if *count == 0 {
        counts.remove(key);
    }
}

impl Group {
    pub fn new(id: Arc<str>) -> Group {
        Group {
            id,
            epoch: FIRST_EPOCH,
            metadata_hash: 0,
            assignment_epoch: FIRST_EPOCH,
            assignment_timestamp: 0,
            members: BTreeMap::new(),
            target: BTreeMap::new(),
            resolved: BTreeMap::new(),
            has_partition_metadata: false,
            static_members: HashMap::new(),
            subscribed: BTreeMap::new(),
            subscribed_regexes: BTreeMap::new(),
            assignors: BTreeMap::new(),
            classic_members: 0,
            classic_protocols: BTreeMap::new(),
            owners: HashMap::new(),
            seen: None,
            looked: None,
        }
    }

    pub fn size(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn state(&self) -> State {
        if self.members.is_empty() {
            State::Empty
        } else if self.epoch > self.assignment_epoch {
            State::Assigning
        } else if self.members.values().all(|member| member.current.is_reconciled_to(self.assignment_epoch)) {
            State::Stable
        } else {
            State::Reconciling
        }
    }

    /// The name that ListGroups tells.
    pub fn state_name(&self) -> &'static str {
        self.state().name()
    }

    pub fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        self.subscribed.contains_key(topic)
    }

    pub(super) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    pub(super) fn static_member(&self, instance_id: &str) -> Option<&Member> {
        self.members.get(self.static_members.get(instance_id)?)
    }

    /// How many members subscribe to a regular expression.
    pub(super) fn subscribers_of_regex(&self, regex: &str) -> usize {
        self.subscribed_regexes.get(regex).copied().unwrap_or(0)
    }

    /// What assigns when a member asks: what most members want. Between two that one member each wants it is the asking
    /// one's, which Kafka has put in front of its hash map's bin (`ConsumerGroup.computePreferredServerAssignor`).
    pub(super) fn preferred_assignor_for(&self, member_id: &str) -> Option<&Arc<str>> {
        let own = self.members.get(member_id).and_then(|member| member.metadata.assignor.as_ref());
        own.filter(|_| self.assignors.values().all(|count| *count == 1)).or_else(|| self.preferred_assignor())
    }

    /// What most members want, if any of them wants something; between equals, what comes first in Kafka's hash table,
    /// where `uniform` stands before `range`.
    pub(super) fn preferred_assignor(&self) -> Option<&Arc<str>> {
        self.assignors.iter().max_by_key(|(name, count)| (**count, *name)).map(|(name, _)| name)
    }

    /// Whether all members subscribe to the same topics, as far as can be told without comparing them
    /// (`ConsumerGroup.subscriptionType`).
    pub(super) fn is_homogeneous(&self) -> bool {
        let all = self.members.len();
        match self.subscribed_regexes.first_key_value() {
            None => self.subscribed.values().all(|of| of.by_name == all),
            Some((_, count)) if *count == all => self.subscribed.values().all(|of| of.by_regex == 1 && of.by_name == 0),
            Some(_) => false,
        }
    }

    /// Whether a member owns the partition or has yet to give it up.
    pub(super) fn is_owned(&self, topic: TopicId, partition: i32) -> bool {
        self.owners.contains_key(&(topic, partition))
    }

    /// Whether a member's subscription covers the topic of this name.
    pub(super) fn subscribes(&self, metadata: &Metadata, topic: &str) -> bool {
        metadata.topics.contains(topic) || self.resolved_of(metadata).is_some_and(|of| of.topics.contains(topic))
    }

    /// What the member's regular expression matches, if that is known yet.
    pub(super) fn resolved_of(&self, metadata: &Metadata) -> Option<&Resolved> {
        self.resolved.get(metadata.subscribed_regex()?)
    }

    pub(super) fn subscribed_topic_ids(&self, metadata: &Metadata, topics: &dyn Topics) -> BTreeSet<TopicId> {
        let matched = self.resolved_of(metadata).into_iter().flat_map(|resolved| &resolved.topics);
        metadata.topics.iter().chain(matched).filter_map(|name| topics.id(name)).collect()
    }

    /// Whether a member with these protocols can be in the group.
    pub(super) fn supports_classic_protocols(&self, protocol_type: &str, protocols: &[(&str, &[u8])]) -> bool {
        if protocol_type != CONSUMER_PROTOCOL_TYPE {
            return false;
        }
        let supporting = |name: &str| self.classic_protocols.get(name).copied().unwrap_or(0);
        protocols.iter().any(|(name, _)| self.is_empty() || supporting(name) == self.classic_members)
    }

    /// The group's epoch, unless a loss of power took records out of the middle of the log: what stands behind them may
    /// be of a later one.
    fn latest_epoch(&self) -> i32 {
        let members = self.members.values().map(|member| member.current.epoch);
        members.fold(self.epoch.max(self.assignment_epoch), i32::max)
    }

    pub(super) fn next_epoch(&self) -> i32 {
        let (latest, next) = (self.latest_epoch(), self.latest_epoch().wrapping_add(1));
        assert!(next > latest || latest == i32::MAX, "epochs grow, but for one that only a foreign record can have");
        assert!(latest >= self.epoch && latest >= self.assignment_epoch, "the latest epoch is the latest one");
        next
    }

    /// Whether the log must have lost something: no group comes to this by itself, and none would leave it, as everybody
    /// seems to be where the target wants them. Kafka does not look.
    pub(super) fn is_torn(&self, topics: &dyn Topics) -> bool {
        let is_sound = |member| self.has_target(member) && self.wants_target(member, topics);
        let is_sound = || self.is_target_whole(topics) && self.members.values().all(is_sound);
        self.latest_epoch() > self.epoch || (self.epoch == self.assignment_epoch && !is_sound())
    }

    /// Whether a member that is where its target wants it has just that.
    fn has_target(&self, member: &Member) -> bool {
        let nothing = Assignment::new();
        let target = self.target.get(&member.id).unwrap_or(&nothing);
        let assigned = &member.current.assigned;
        !member.current.is_reconciled_to(self.assignment_epoch)
            || (assigned.len() == target.len()
                && assigned
                    .iter()
                    .all(|(topic, of)| target.get(topic).is_some_and(|target| target.iter().eq(of.keys()))))
    }

    /// Whether the member subscribes to all that its target holds, apart from topics that are gone: a subscription and the
    /// target that was made for it may not both have been lost.
    fn wants_target(&self, member: &Member, topics: &dyn Topics) -> bool {
        let Some(target) = self.target.get(&member.id) else { return true };
        let wanted = self.subscribed_topic_ids(&member.metadata, topics);
        target.keys().all(|topic| wanted.contains(topic) || topics.partitions(*topic).is_none())
    }

    /// Whether the members' targets hold every partition of the group's topics, and none twice.
    fn is_target_whole(&self, topics: &dyn Topics) -> bool {
        let mut taken = HashSet::new();
        let targets = self.members.keys().filter_map(|id| self.target.get(id)).flatten();
        let mut slots = targets.flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)));
        let slots_of = |id: TopicId| (0..topics.partitions(id).unwrap_or(0)).map(move |partition| (id, partition));
        slots.all(|slot| taken.insert(slot))
            && self
                .subscribed
                .keys()
                .filter_map(|name| topics.id(name))
                .flat_map(slots_of)
                .all(|slot| taken.contains(&slot))
    }

    /// Whether what the member still has to get is owned by others.
    pub(super) fn waits_for_partitions(&self, member: &Member) -> bool {
        let target = self.target.get(&member.id);
        target.into_iter().flatten().any(|(topic, partitions)| {
            let own = member.current.assigned.get(topic);
            let is_own = |partition: &i32| own.is_some_and(|own| own.contains_key(partition));
            partitions.iter().any(|partition| !is_own(partition) && self.is_owned(*topic, *partition))
        })
    }

    fn member_mut(&mut self, id: &str) -> &mut Member {
        if !self.members.contains_key(id) {
            let id: Arc<str> = id.into();
            self.members.insert(id.clone(), Member::new(id));
        }
        self.members.get_mut(id).expect("it was put in where it was missing")
    }

    pub(super) fn set_metadata(&mut self, member_id: &str, metadata: Metadata) {
        let member = self.member_mut(member_id);
        let (id, old) = (member.id.clone(), std::mem::replace(&mut member.metadata, metadata.clone()));
        // It may have another instance id from now on, or none (`ConsumerGroup.updateStaticMember`).
        self.release_instance(&old, &id);
        self.uncount(&old);
        self.count(&metadata);
        if let Some(instance_id) = metadata.instance_id {
            self.static_members.insert(instance_id, id);
        }
    }

    pub(super) fn set_current(&mut self, member_id: &str, current: Current) {
        let member = self.member_mut(member_id);
        let old = std::mem::replace(&mut member.current, current.clone());
        self.disown(&old);
        self.own(&current);
    }

    pub(super) fn set_target(&mut self, member_id: &str, target: Assignment) {
        let id = self.members.get(member_id).map_or_else(|| member_id.into(), |member| member.id.clone());
        self.target.insert(id, target);
    }

    pub(super) fn remove_member(&mut self, member_id: &str) {
        let Some(member) = self.members.remove(member_id) else { return };
        self.uncount(&member.metadata);
        self.disown(&member.current);
        assert!(self.classic_members <= self.members.len(), "members of the classic protocol are members");
        assert!(!self.members.is_empty() || self.owners.is_empty(), "what has no members owns nothing");
        self.release_instance(&member.metadata, &member.id);
    }

    /// The instance id of a member is free, unless another member has it.
    fn release_instance(&mut self, metadata: &Metadata, member_id: &Arc<str>) {
        if let Some(instance_id) = &metadata.instance_id
            && self.static_members.get(instance_id) == Some(member_id)
        {
            self.static_members.remove(instance_id);
        }
    }

    pub(super) fn set_resolved(&mut self, regex: &str, resolved: Option<Resolved>) {
        for topic in self.resolved.remove(regex).into_iter().flat_map(|old| old.topics) {
            self.unsubscribe(&topic, |subscribers| &mut subscribers.by_regex);
        }
        if let Some(resolved) = resolved {
            for topic in &resolved.topics {
                self.subscribed.entry(topic.clone()).or_default().by_regex += 1;
            }
            self.resolved.insert(regex.into(), resolved);
        }
    }

    fn unsubscribe(&mut self, topic: &Arc<str>, of: impl Fn(&mut Subscribers) -> &mut usize) {
        let subscribers = self.subscribed.get_mut(topic).expect("a topic is subscribed to before it is given up");
        let count = of(subscribers);
        assert!(*count > 0, "each subscriber is counted");
        *count -= 1;
        if *subscribers == Subscribers::default() {
            self.subscribed.remove(topic);
        }
    }

    fn count(&mut self, metadata: &Metadata) {
        for topic in &metadata.topics {
            self.subscribed.entry(topic.clone()).or_default().by_name += 1;
        }
        if let Some(regex) = metadata.subscribed_regex() {
            add(&mut self.subscribed_regexes, regex);
        }
        if let Some(assignor) = &metadata.assignor {
            add(&mut self.assignors, assignor);
        }
        if let Some(classic) = &metadata.classic {
            self.classic_members += 1;
            classic.protocols.iter().for_each(|(name, _)| add(&mut self.classic_protocols, name));
        }
    }

    fn uncount(&mut self, metadata: &Metadata) {
        for topic in &metadata.topics {
            self.unsubscribe(topic, |subscribers| &mut subscribers.by_name);
        }
        if let Some(regex) = metadata.subscribed_regex() {
            subtract(&mut self.subscribed_regexes, regex);
        }
        if let Some(assignor) = &metadata.assignor {
            subtract(&mut self.assignors, assignor);
        }
        if let Some(classic) = &metadata.classic {
            assert!(self.classic_members > 0, "each member of the classic protocol is counted");
            self.classic_members -= 1;
            classic.protocols.iter().for_each(|(name, _)| subtract(&mut self.classic_protocols, name));
        }
    }

    fn own(&mut self, current: &Current) {
        for partition in owned(current) {
            *self.owners.entry(partition).or_default() += 1;
        }
    }

    fn disown(&mut self, current: &Current) {
        for partition in owned(current) {
            let count = self.owners.get_mut(&partition).filter(|count| **count > 0);
            let count = count.expect("a partition is owned before it is given up");
            *count -= 1;
            if *count == 0 {
                self.owners.remove(&partition);
            }
        }
    }
}

/// What a member owns or has yet to give up.
pub(super) fn owned(current: &Current) -> impl Iterator<Item = (TopicId, i32)> {
    let all = current.assigned.iter().chain(&current.pending_revocation);
    all.flat_map(|(topic, partitions)| partitions.keys().map(|partition| (*topic, *partition)))
}
