//! What moves a group on (`updateSubscriptionMetadata`, `maybeUpdateRegularExpressions`, `maybeUpdateTargetAssignment`,
//! `maybeReconcile`): subscriptions change its epoch, a new epoch asks for a new target, a new target for reconciliation.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::group::{Look, Resolved};
use super::member::{Current, Member, MemberState, Metadata};
use super::reconcile::Reconciliation;
use super::{Group, Timer};
use crate::coordinator::assignor::{self, Assignment, Assignor, GroupSpec, MemberSpec, TopicDescriber};
use crate::coordinator::groups::{self, Groups};
use crate::coordinator::regex::TopicPattern;
use crate::coordinator::step::{Step, Topics};
use crate::coordinator::subscription_hash;
use crate::model::{ErrorCode, Refusal, TopicId};

/// A group's regular expressions are resolved together, and not more often than this.
const REGEX_BATCH_REFRESH_MIN_INTERVAL_MS: i64 = 10_000;

/// Hashes of topics, of one version of the metadata.
#[derive(Default)]
pub struct TopicHashes {
    version: Option<i64>,
    by_id: HashMap<TopicId, i64>,
}

impl TopicHashes {
    fn get(&mut self, topics: &dyn Topics, name: &str) -> Option<i64> {
        if self.version != Some(topics.version()) {
            self.by_id.clear();
            self.version = Some(topics.version());
        }
        let id = topics.id(name)?;
        Some(*self.by_id.entry(id).or_insert_with(|| {
            let partitions = 0..topics.partitions(id).unwrap_or(0);
            let racks: Vec<Vec<String>> =
                partitions.map(|partition| topics.racks(id, partition).into_iter().collect()).collect();
            subscription_hash::of_topic(id, name, &racks)
        }))
    }
}

struct Describer<'a>(&'a dyn Topics);

impl TopicDescriber for Describer<'_> {
    fn partitions(&self, topic: TopicId) -> Option<i32> {
        self.0.partitions(topic)
    }

    fn racks(&self, topic: TopicId, partition: i32) -> Vec<String> {
        self.0.racks(topic, partition).into_iter().collect()
    }
}

/// What makes it time to resolve regular expressions: new ones and age, or metadata that may hold new topics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refresh {
    Always,
    IfChanged,
}

fn regex_of(metadata: &Metadata) -> Option<&str> {
    metadata.subscribed_regex().map(AsRef::as_ref)
}

fn resolve(regex: &str, step: &Step<'_>) -> Resolved {
    let mut topics = BTreeSet::new();
    // Only valid ones are let in; one that another version took for valid matches nothing.
    if let Ok(pattern) = TopicPattern::compile(regex) {
        let is_seen = |name: &&str| pattern.matches(name) && step.topics.may_describe(name);
        topics.extend(step.topics.names().into_iter().filter(is_seen).map(Arc::from));
    }
    Resolved { topics, version: step.topics.version(), timestamp: step.wall.0 }
}

impl Group {
    /// Whether the group's regular expressions have to be resolved now.
    pub(super) fn regex_refresh(&self, step: &Step<'_>) -> Option<Refresh> {
        if self.subscribed_regexes.is_empty() {
            return None;
        }
        let last = self.resolved.values().next();
        let looked = self.looked.map(|look| look.wall_ms).into_iter().chain(last.map(|last| last.timestamp)).max();
        let is_over = |since: i64, ms: i64| step.wall.0 > since.saturating_add(ms);
        let all_resolved = self.subscribed_regexes.len() == self.resolved.len();
        if looked.is_some_and(|looked| !is_over(looked, REGEX_BATCH_REFRESH_MIN_INTERVAL_MS)) {
            return None;
        }
        let interval = i64::try_from(step.settings.regex_refresh_interval.as_millis()).unwrap_or(i64::MAX);
        if !all_resolved || last.is_some_and(|last| is_over(last.timestamp, interval)) {
            return Some(Refresh::Always);
        }
        let seen = self.looked.map(|look| look.version).into_iter().chain(last.map(|last| last.version)).max();
        (seen != Some(step.topics.version())).then_some(Refresh::IfChanged)
    }

    /// The members as the assignors see them. What the targets of two members hold is the first one's.
    ///
    /// Targets are disjoint, unless a loss of power took records out of the middle of the log: what took a partition from
    /// one member is gone, what gave it to another is not. Kafka's `uniform` then fails ("Partitions were left
    /// unassigned"), so that all heartbeats are answered with UNKNOWN_SERVER_ERROR, which ends a Java consumer, until
    /// enough sessions are over.
    fn member_specs(&self, topics: &dyn Topics) -> BTreeMap<String, MemberSpec> {
        let mut taken = HashSet::new();
        let mut not_taken = |target: &Assignment| -> Assignment {
            let of_topic = |(topic, partitions): (&TopicId, &BTreeSet<i32>)| {
                let free = partitions.iter().copied().filter(|partition| taken.insert((*topic, *partition)));
                (*topic, free.collect::<BTreeSet<i32>>())
            };
            target.iter().map(of_topic).filter(|(_, partitions)| !partitions.is_empty()).collect()
        };
        let spec = |(id, member): (&Arc<str>, &Member)| {
            let spec = MemberSpec {
                instance_id: member.metadata.instance_id.as_deref().map(str::to_string),
                rack_id: member.metadata.rack_id.as_deref().map(str::to_string),
                subscribed_topics: self.subscribed_topic_ids(&member.metadata, topics),
                current: self.target.get(id).map(&mut not_taken).unwrap_or_default(),
            };
            (id.to_string(), spec)
        };
        self.members.iter().map(spec).collect()
    }

    fn is_target_due(&self, step: &Step<'_>) -> bool {
        let interval = (step.group_settings)(&self.id).assignment_interval.as_millis();
        self.assignment_epoch < self.epoch
            && (self.assignment_timestamp == 0
                || interval == 0
                || step.wall.0 >= self.assignment_timestamp.saturating_add(i64::try_from(interval).unwrap_or(i64::MAX)))
    }
}

impl Groups {
    fn consumer_group(&self, group_id: &str) -> Option<&Group> {
        match self.groups.get(group_id)? {
            groups::Group::Consumer(group) => Some(group),
            groups::Group::Classic(_) => None,
        }
    }

    fn consumer_group_mut(&mut self, group_id: &str) -> Option<&mut Group> {
        match self.groups.get_mut(group_id)? {
            groups::Group::Consumer(group) => Some(group),
            groups::Group::Classic(_) => None,
        }
    }

    pub(super) fn metadata_hash(&mut self, step: &Step<'_>, group_id: &str) -> i64 {
        let Some(groups::Group::Consumer(group)) = self.groups.get(group_id) else { return 0 };
        let hashes = &mut self.topic_hashes;
        let topics = group.subscribed.keys();
        subscription_hash::of_group(topics.filter_map(|name| Some((name.as_ref(), hashes.get(step.topics, name)?))))
    }

    /// Writes what has changed of a member, and the group's next epoch if that, another assignor, the topics or the caller
    /// ask for one. Whether the member's subscription has changed.
    pub(super) fn update_member(
        &mut self,
        step: &mut Step<'_>,
        group_id: &Arc<str>,
        before: &Member,
        updated: &Metadata,
        wants_epoch: bool,
    ) -> bool {
        let group = self.consumer_group(group_id);
        let is_member = group.is_some_and(|group| group.members.contains_key(&before.id));
        let assignor = group.and_then(|group| group.preferred_assignor()).cloned();
        if !is_member || *updated != before.metadata {
            self.write_metadata(step, group_id, &before.id, updated);
        }
        let names_changed = updated.topics != before.metadata.topics;
        let regex_changed = updated.regex != before.metadata.regex;
        let mut bump = names_changed || wants_epoch;
        // A join of the classic protocol brings no wish, and Kafka does not look.
        if updated.classic.is_none()
            && let Some(group) = self.consumer_group(group_id)
        {
            let default = step.settings.consumer_assignors.first().map(String::as_str);
            let next = group.preferred_assignor_for(&before.id);
            bump |= assignor.as_deref().or(default) != next.map(AsRef::as_ref).or(default);
        }
        if regex_changed {
            bump |= self.follow_regex(step, group_id, regex_of(&before.metadata), regex_of(updated));
        }
        bump |= self.refresh_regexes(step, group_id);
        self.update_epoch(step, group_id, bump);
        names_changed || regex_changed
    }

    /// A member has changed its expression. Whether it is known already what that means.
    fn follow_regex(&mut self, step: &mut Step<'_>, group_id: &str, old: Option<&str>, new: Option<&str>) -> bool {
        let Some(group) = self.consumer_group(group_id) else { return false };
        let is_known = match new {
            Some(new) => group.resolved.contains_key(new),
            None => old.is_some(),
        };
        if let Some(old) = old
            && group.subscribers_of_regex(old) == 0
        {
            self.delete_resolved(step, group_id, old);
        }
        is_known
    }

    /// Resolves the group's regular expressions when it is time: there are new ones, or maybe new topics. Whether one
    /// matches something else now.
    ///
    /// Kafka does it in the background and writes the outcome in a step of its own. As that is a walk over all names,
    /// it happens here at once; and as only the metadata's version is known, not whether topics were created, an
    /// outcome that changes nothing is not written.
    fn refresh_regexes(&mut self, step: &mut Step<'_>, group_id: &str) -> bool {
        let Some(group) = self.consumer_group_mut(group_id) else { return false };
        let Some(refresh) = group.regex_refresh(step) else { return false };
        group.looked = Some(Look { version: step.topics.version(), wall_ms: step.wall.0 });
        let resolved: Vec<_> =
            group.subscribed_regexes.keys().map(|regex| (regex.clone(), resolve(regex, step))).collect();
        let nothing = BTreeSet::new();
        let changed = resolved
            .iter()
            .any(|(regex, new)| group.resolved.get(regex).map_or(&nothing, |old| &old.topics) != &new.topics);
        if refresh == Refresh::Always || changed {
            for (regex, resolved) in &resolved {
                self.write_resolved(step, group_id, regex, resolved);
            }
        }
        changed
    }

    /// The group's next epoch, if it is asked for or its topics have changed since the last one, or if what was loaded of
    /// the group cannot have been all.
    fn update_epoch(&mut self, step: &mut Step<'_>, group_id: &str, bump: bool) {
        let version = step.topics.version();
        let Some(group) = self.consumer_group(group_id) else { return };
        if !bump && group.seen == Some(version) {
            return;
        }
        let bump = bump || (group.seen.is_none() && group.is_torn(step.topics));
        let (next, old_hash, has_partition_metadata) =
            (group.next_epoch(), group.metadata_hash, group.has_partition_metadata);
        let hash = self.metadata_hash(step, group_id);
        if bump || hash != old_hash {
            self.write_epoch(step, group_id, next, hash);
        }
        if has_partition_metadata {
            self.delete_partition_metadata(step, group_id);
        }
        if let Some(group) = self.consumer_group_mut(group_id) {
            assert!(!bump || group.epoch == next, "the group is in its next epoch");
            assert_eq!(group.metadata_hash, hash, "the hash is that of the group's topics");
            group.seen = Some(version);
        }
    }

    /// Computes a new target assignment if the group's epoch is newer than the one there is, and the last one is not
    /// too recent.
    pub(super) fn update_target(&mut self, step: &mut Step<'_>, group_id: &str, asks: &str) -> Result<(), Refusal> {
        let Some(group) = self.consumer_group(group_id).filter(|group| group.is_target_due(step)) else {
            return Ok(());
        };
        let (epoch, size) = (group.epoch, group.members.len());
        assert!(group.assignment_epoch < epoch, "a target that is due is behind its group");
        let default = step.settings.consumer_assignors.first();
        let named = group.preferred_assignor_for(asks).and_then(|name| Assignor::parse(name));
        let assignor = named.or_else(|| Assignor::parse(default?)).unwrap_or(Assignor::Uniform);
        let members = group.member_specs(step.topics);
        let spec = GroupSpec { members: &members, homogeneous: group.is_homogeneous() };
        let targets = assignor::assign(assignor, &spec, &Describer(step.topics)).map_err(|error| {
            let message = format!("Failed to compute a new target assignment for epoch {epoch}: {error}");
            Refusal::new(ErrorCode::UnknownServerError, message)
        })?;
        assert_eq!(targets.len(), size, "each member has a target");
        for (member_id, target) in &targets {
            let old = self.consumer_group(group_id).and_then(|group| group.target.get(member_id.as_str()));
            if old != Some(target) {
                self.write_target(step, group_id, member_id, target);
            }
        }
        self.write_target_epoch(step, group_id, epoch, step.wall.0);
        let group = self.consumer_group(group_id);
        assert!(group.is_some_and(|group| group.assignment_epoch == group.epoch && group.members.len() == size));
        Ok(())
    }

    /// Moves a member on towards its target.
    pub(super) fn reconcile(
        &mut self,
        step: &mut Step<'_>,
        group_id: &Arc<str>,
        member_id: &Arc<str>,
        current: &Current,
        subscription_changed: bool,
        reported: Option<&[(TopicId, Vec<i32>)]>,
    ) {
        let Some(group) = self.consumer_group(group_id) else { return };
        let Some(member) = group.member(member_id) else { return };
        if !subscription_changed && current.is_reconciled_to(group.assignment_epoch) {
            return;
        }
        let nothing = Assignment::new();
        let matched = group.resolved_of(&member.metadata);
        let next = Reconciliation {
            target_epoch: group.assignment_epoch,
            target: group.target.get(member_id).unwrap_or(&nothing),
            is_subscribed: &|topic| {
                step.topics.name(topic).is_some_and(|name| group.subscribes(&member.metadata, name))
            },
            subscribes_to_nothing: member.metadata.topics.is_empty() && matched.is_none_or(|of| of.topics.is_empty()),
            subscription_changed,
            is_owned: &|topic, partition| group.is_owned(topic, partition),
            reported,
        }
        .next(current);
        if next == *current {
            return;
        }
        assert!(next.epoch == current.epoch || next.epoch == group.assignment_epoch, "a member goes to its target");
        let (is_classic, timeout_ms) = (member.is_classic(), member.metadata.rebalance_timeout_ms);
        self.write_current(step, group_id, member_id, &next);
        // Members of the classic protocol have other timers: for joining and for syncing.
        if !is_classic {
            let timer = Timer::Rebalance(member_id.clone());
            match next.state {
                MemberState::UnrevokedPartitions => {
                    self.set_consumer_timer(group_id, timer, step.now + super::millis(timeout_ms));
                }
                _ => self.cancel_consumer_timer(group_id, timer),
            }
        }
    }
}
