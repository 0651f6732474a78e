//! ConsumerGroupHeartbeat (`GroupMetadataManager.consumerGroupHeartbeat`): who may say what, and the three parts of
//! a heartbeat: the member and the group's epoch, the target assignment, the member's way to it.
//!
//! Everything that can be refused is refused before the first record is written.

use std::sync::Arc;

use super::member::{Current, LEAVE_EPOCH, LEAVE_STATIC_EPOCH, Member, MemberState, Metadata, Partitions};
use super::migration::Upgrade;
use super::{Group, Heartbeat, HeartbeatReply, Timer, refuse};
use crate::coordinator::groups::{self, Groups, TimerKey};
use crate::coordinator::regex::TopicPattern;
use crate::coordinator::settings::Settings;
use crate::coordinator::step::Step;
use crate::model::{ErrorCode, Instant, Refusal};

/// Clients make their member ids themselves from this version on.
const FIRST_VERSION_WITH_CLIENT_MADE_IDS: i16 = 1;
pub const JOIN_EPOCH: i32 = 0;

fn invalid(message: &str) -> Result<(), Refusal> {
    refuse(ErrorCode::InvalidRequest, message.into())
}

/// Java's `trim` takes away whatever is not above the space.
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c <= ' ')
}

/// What can be said without looking at the group (`throwIfConsumerGroupHeartbeatRequestIsInvalid`).
pub fn validate(request: &Heartbeat<'_>, settings: &Settings) -> Result<(), Refusal> {
    let needs_member_id = request.api_version >= FIRST_VERSION_WITH_CLIENT_MADE_IDS
        || request.member_epoch > JOIN_EPOCH
        || request.member_epoch == LEAVE_EPOCH;
    if needs_member_id && is_blank(request.member_id) {
        return invalid("MemberId can't be empty.");
    } else if is_blank(request.group_id) {
        return invalid("GroupId can't be empty.");
    } else if request.instance_id.is_some_and(is_blank) {
        return invalid("InstanceId can't be empty.");
    } else if request.rack_id.is_some_and(is_blank) {
        return invalid("RackId can't be empty.");
    }
    match request.member_epoch {
        JOIN_EPOCH if request.rebalance_timeout_ms == -1 => {
            return invalid("RebalanceTimeoutMs must be provided in first request.");
        }
        JOIN_EPOCH if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) => {
            return invalid("TopicPartitions must be empty when (re-)joining.");
        }
        JOIN_EPOCH if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() => {
            let message = "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.";
            return invalid(message);
        }
        LEAVE_STATIC_EPOCH if request.instance_id.is_none() => return invalid("InstanceId can't be null."),
        ..LEAVE_STATIC_EPOCH => return invalid("MemberEpoch is invalid."),
        _ => {}
    }
    let supported = &settings.consumer_assignors;
    match request.server_assignor {
        Some(name) if !supported.iter().any(|supported| supported == name) => {
            let all = supported.join(", ");
            let message = format!("ServerAssignor {name} is not supported. Supported assignors: {all}.");
            refuse(ErrorCode::UnsupportedAssignor, message)
        }
        _ => Ok(()),
    }
}

/// What the member owns is part of what it was given, so it may not have heard of its newest epoch yet.
fn is_subset(owned: Option<&[(crate::model::TopicId, Vec<i32>)]>, assigned: &Partitions) -> bool {
    let Some(owned) = owned else { return false };
    owned.iter().all(|(topic, partitions)| {
        let of = assigned.get(topic);
        of.is_some_and(|of| partitions.iter().all(|partition| of.contains_key(partition)))
    })
}

impl Member {
    fn validate_epoch(&self, request: &Heartbeat<'_>) -> Result<(), Refusal> {
        let (received, known) = (request.member_epoch, self.current.epoch);
        if received == JOIN_EPOCH || received == known {
            return Ok(());
        }
        let is_behind = received == self.current.previous_epoch
            && is_subset(request.topic_partitions.as_deref(), &self.current.assigned);
        if received < known && is_behind {
            return Ok(());
        }
        let relation = if received > known { "greater" } else { "smaller" };
        let message = format!(
            "The consumer group member has a {relation} member epoch ({received}) than the one known by the group \
             coordinator ({known}). The member must abandon all its partitions and rejoin."
        );
        refuse(ErrorCode::FencedMemberEpoch, message)
    }

    /// A state of a newer coordinator is left by beginning anew, without any partition.
    fn validate_state(&self, request: &Heartbeat<'_>) -> Result<(), Refusal> {
        let owns_nothing = request.topic_partitions.as_ref().is_some_and(Vec::is_empty);
        if self.current.state != MemberState::Unknown || owns_nothing {
            return Ok(());
        }
        let message =
            "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.";
        refuse(ErrorCode::FencedMemberEpoch, message.into())
    }
}

/// A static member that comes back under another id is fenced.
pub(super) fn validate_instance(member: &Member, member_id: &str, instance_id: &str) -> Result<(), Refusal> {
    if member.id.as_ref() == member_id {
        return Ok(());
    }
    let message =
        format!("Static member {member_id} with instance id {instance_id} was fenced by member {}.", member.id);
    refuse(ErrorCode::FencedInstanceId, message)
}

impl Group {
    pub(super) fn known_member(&self, member_id: &str) -> Result<&Member, Refusal> {
        let message = || format!("Member {member_id} is not a member of group {}.", self.id);
        self.member(member_id).ok_or_else(|| Refusal::new(ErrorCode::UnknownMemberId, message()))
    }

    pub(super) fn known_static_member(&self, instance_id: &str) -> Result<&Member, Refusal> {
        let message = || format!("Instance id {instance_id} is unknown.");
        self.static_member(instance_id).ok_or_else(|| Refusal::new(ErrorCode::UnknownMemberId, message()))
    }

    /// Whether the sender may be, or become, a member.
    fn validate_sender(&self, request: &Heartbeat<'_>) -> Result<(), Refusal> {
        let member = match request.instance_id {
            None if request.member_epoch == JOIN_EPOCH => self.member(request.member_id),
            None => Some(self.known_member(request.member_id)?),
            Some(instance_id) if request.member_epoch == JOIN_EPOCH => {
                let existing = self.static_member(instance_id);
                return match existing.filter(|old| !old.is_classic() && old.current.epoch != LEAVE_STATIC_EPOCH) {
                    None => Ok(()),
                    Some(old) => refuse(
                        ErrorCode::UnreleasedInstanceId,
                        format!(
                            "Static member {} with instance id {instance_id} cannot join the group because the \
                             instance id is owned by {} member.",
                            request.member_id, old.id
                        ),
                    ),
                };
            }
            Some(instance_id) => {
                let existing = self.known_static_member(instance_id)?;
                validate_instance(existing, request.member_id, instance_id)?;
                Some(existing)
            }
        };
        let Some(member) = member else { return Ok(()) };
        member.validate_epoch(request)?;
        member.validate_state(request)
    }

    /// A static member that comes back takes its own place, so that a full group has one for it
    /// (`throwIfConsumerGroupIsFull`).
    pub(super) fn validate_size(&self, member_id: &str, instance_id: Option<&str>, max: usize) -> Result<(), Refusal> {
        let has_place = instance_id.is_some_and(|instance_id| self.static_member(instance_id).is_some());
        validate_size(self.members.len(), has_place || self.members.contains_key(member_id), max)
    }

    /// Whether nothing about the member or the group has changed since the last heartbeat, which is nearly always, and the
    /// member's wish for an assignor asks for no new epoch.
    fn is_settled(&self, member: &Member, request: &Heartbeat<'_>, step: &Step<'_>) -> bool {
        member.current.is_reconciled_to(self.assignment_epoch)
            && self.epoch <= self.assignment_epoch
            && self.seen == Some(step.topics.version())
            && self.regex_refresh(step).is_none()
            && self.preferred_assignor_for(&member.id) == self.preferred_assignor()
            && request.member_epoch == member.current.epoch
            && member.metadata.is_as_told(request)
    }
}

pub(super) fn validate_size(size: usize, is_member: bool, max: usize) -> Result<(), Refusal> {
    if is_member || size < max {
        return Ok(());
    }
    let message = format!("The consumer group has reached its maximum capacity of {max} members.");
    refuse(ErrorCode::GroupMaxSizeReached, message)
}

impl Metadata {
    /// Whether the request brings nothing new. May say no where it takes a closer look to see that.
    fn is_as_told(&self, request: &Heartbeat<'_>) -> bool {
        fn same(told: Option<&str>, known: &Option<Arc<str>>) -> bool {
            told.is_none() || told == known.as_deref()
        }
        let topics = request.subscribed_topic_names.as_ref();
        same(request.instance_id, &self.instance_id)
            && same(request.rack_id, &self.rack_id)
            && same(request.subscribed_topic_regex, &self.regex)
            && same(request.server_assignor, &self.assignor)
            && (request.rebalance_timeout_ms == -1 || request.rebalance_timeout_ms == self.rebalance_timeout_ms)
            && topics.is_none_or(|topics| topics.iter().copied().eq(self.topics.iter().map(AsRef::as_ref)))
            && request.client.id == self.client_id.as_ref()
            && request.client.host == self.client_host.as_ref()
            && self.classic.is_none()
    }

    /// What is known of the member after this request.
    fn updated(&self, request: &Heartbeat<'_>) -> Metadata {
        let text = |told: Option<&str>, known: &Option<Arc<str>>| told.map(Arc::from).or_else(|| known.clone());
        let topics = request.subscribed_topic_names.as_ref();
        Metadata {
            instance_id: text(request.instance_id, &self.instance_id),
            rack_id: text(request.rack_id, &self.rack_id),
            client_id: request.client.id.into(),
            client_host: request.client.host.into(),
            topics: topics
                .map_or_else(|| self.topics.clone(), |names| names.iter().map(|name| (*name).into()).collect()),
            regex: text(request.subscribed_topic_regex, &self.regex),
            rebalance_timeout_ms: match request.rebalance_timeout_ms {
                -1 => self.rebalance_timeout_ms,
                timeout => timeout,
            },
            assignor: text(request.server_assignor, &self.assignor),
            classic: None,
        }
    }
}

/// What has to happen to what bears the group's name before a member can join it.
enum Arrival {
    /// There is a group of this protocol, or nothing.
    Join,
    /// There are only offsets, and maybe a classic group that once was.
    Replace,
    Upgrade(Box<Upgrade>),
}

impl Groups {
    /// ConsumerGroupHeartbeat.
    pub fn consumer_heartbeat(
        &mut self,
        step: &mut Step<'_>,
        request: &Heartbeat<'_>,
    ) -> Result<HeartbeatReply, Refusal> {
        validate(request, step.settings)?;
        if matches!(request.member_epoch, LEAVE_EPOCH | LEAVE_STATIC_EPOCH) {
            return self.consumer_leave(step, request);
        }
        if let Some(groups::Group::Consumer(group)) = self.groups.get(request.group_id)
            && let Some(member) = group.member(request.member_id)
            && group.is_settled(member, request, step)
            && group.validate_sender(request).is_ok()
        {
            let (group_id, member_id) = (group.id.clone(), member.id.clone());
            let reply = self.heartbeat_reply(step, request, &group_id, &member_id, None);
            self.begin_session(step, &group_id, &member_id);
            return Ok(reply);
        }
        self.consumer_heartbeat_with_changes(step, request)
    }

    fn consumer_heartbeat_with_changes(
        &mut self,
        step: &mut Step<'_>,
        request: &Heartbeat<'_>,
    ) -> Result<HeartbeatReply, Refusal> {
        let arrival = self.arrival(step, request)?;
        self.validate_regex(request)?;
        // What the leader of the classic protocol had assigned may not be all that there is by now. Kafka leaves it at that
        // where the one who comes subscribes to nothing.
        let wants_epoch = matches!(arrival, Arrival::Upgrade(_));
        match arrival {
            Arrival::Join => {}
            Arrival::Replace => self.delete_empty_group(step, request.group_id),
            Arrival::Upgrade(upgrade) => self.upgrade_group(step, request.group_id, *upgrade),
        }
        let group_id: Arc<str> = request.group_id.into();
        let member_id: Arc<str> = match request.member_id {
            "" => (step.new_id)().to_string().into(),
            id => id.into(),
        };
        let replaced = request.instance_id.filter(|_| request.member_epoch == JOIN_EPOCH);
        let before = self.find_or_replace_member(step, &group_id, &member_id, replaced);
        let updated = before.metadata.updated(request);

        let subscription_changed = self.update_member(step, &group_id, &before, &updated, wants_epoch);
        self.update_target(step, &group_id, &member_id)?;
        let reported = request.topic_partitions.as_deref();
        self.reconcile(step, &group_id, &member_id, &before.current, subscription_changed, reported);
        assert!(self.existing_consumer_group(&group_id).is_ok_and(|group| group.member(&member_id).is_some()));
        self.begin_session(step, &group_id, &member_id);
        Ok(self.heartbeat_reply(step, request, &group_id, &member_id, Some(&before.current)))
    }

    fn arrival(&self, step: &Step<'_>, request: &Heartbeat<'_>) -> Result<Arrival, Refusal> {
        let (group_id, max) = (request.group_id, step.settings.consumer_max_size);
        match self.groups.get(group_id) {
            None if request.member_epoch == JOIN_EPOCH => {
                validate_size(0, false, max)?;
                Ok(Arrival::Join)
            }
            None => refuse(ErrorCode::GroupIdNotFound, format!("Consumer group {group_id} not found.")),
            Some(groups::Group::Consumer(group)) => {
                group.validate_size(request.member_id, request.instance_id, max)?;
                group.validate_sender(request)?;
                Ok(Arrival::Join)
            }
            Some(groups::Group::Classic(_)) if request.member_epoch != JOIN_EPOCH => {
                refuse(ErrorCode::GroupIdNotFound, format!("Group {group_id} is not a consumer group."))
            }
            Some(groups::Group::Classic(group)) if group.is_empty() => {
                validate_size(0, false, max)?;
                Ok(Arrival::Replace)
            }
            Some(groups::Group::Classic(group)) => {
                let upgrade = Upgrade::of(group, step)?;
                let known = request.instance_id.and_then(|instance_id| group.static_member_id(instance_id));
                validate_size(group.size(), known.is_some() || group.member(request.member_id).is_some(), max)?;
                Ok(Arrival::Upgrade(Box::new(upgrade)))
            }
        }
    }

    /// An expression that a member subscribes to is valid already.
    fn validate_regex(&self, request: &Heartbeat<'_>) -> Result<(), Refusal> {
        let Some(regex) = request.subscribed_topic_regex.filter(|regex| !regex.is_empty()) else { return Ok(()) };
        if let Some(groups::Group::Consumer(group)) = self.groups.get(request.group_id)
            && group.subscribers_of_regex(regex) > 0
        {
            return Ok(());
        }
        let check = TopicPattern::compile(regex).map(drop);
        check.map_err(|invalid| Refusal::new(ErrorCode::InvalidRegularExpression, invalid.to_string()))
    }

    /// The member as it is, or as a new one begins. A member that comes back with an instance id takes the place of
    /// the one that had it, with its target and what it owned.
    pub(super) fn find_or_replace_member(
        &mut self,
        step: &mut Step<'_>,
        group_id: &Arc<str>,
        member_id: &Arc<str>,
        replaced: Option<&str>,
    ) -> Member {
        let Some(groups::Group::Consumer(group)) = self.groups.get(group_id) else {
            return Member::new(member_id.clone());
        };
        let Some(old) = replaced.and_then(|instance_id| group.static_member(instance_id)) else {
            return group.member(member_id).cloned().unwrap_or_else(|| Member::new(member_id.clone()));
        };
        let (old_id, target) = (old.id.clone(), group.target.get(&old.id).cloned().unwrap_or_default());
        let current = Current { epoch: 0, previous_epoch: 0, ..old.current.clone() };
        let new = Member { id: member_id.clone(), metadata: old.metadata.clone(), current };
        self.delete_member(step, group_id, &old_id);
        self.write_metadata(step, group_id, member_id, &new.metadata);
        self.write_target(step, group_id, member_id, &target);
        self.write_current(step, group_id, member_id, &new.current);
        new
    }

    fn heartbeat_reply(
        &self,
        step: &Step<'_>,
        request: &Heartbeat<'_>,
        group_id: &str,
        member_id: &str,
        before: Option<&Current>,
    ) -> HeartbeatReply {
        let current = match self.groups.get(group_id) {
            Some(groups::Group::Consumer(group)) => group.member(member_id).map(|member| &member.current),
            _ => None,
        };
        let interval = (step.group_settings)(group_id).heartbeat_interval;
        let is_full_request = request.rebalance_timeout_ms != -1
            && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some())
            && request.topic_partitions.is_some();
        let has_changed = before.zip(current).is_some_and(|(before, current)| before.assigned != current.assigned);
        let assigned = |current: &Current| {
            let topics = current.assigned.iter();
            topics.map(|(topic, partitions)| (*topic, partitions.keys().copied().collect())).collect()
        };
        HeartbeatReply {
            member_id: member_id.to_string(),
            member_epoch: current.map_or(LEAVE_EPOCH, |current| current.epoch),
            heartbeat_interval_ms: i32::try_from(interval.as_millis()).unwrap_or(i32::MAX),
            assignment: current
                .filter(|_| request.member_epoch == JOIN_EPOCH || is_full_request || has_changed)
                .map(assigned),
        }
    }

    fn begin_session(&mut self, step: &Step<'_>, group_id: &Arc<str>, member_id: &Arc<str>) {
        let timeout = (step.group_settings)(group_id).session_timeout;
        self.set_consumer_timer(group_id, Timer::Session(member_id.clone()), step.now + timeout);
    }

    pub(super) fn set_consumer_timer(&mut self, group_id: &Arc<str>, timer: Timer, at: Instant) {
        self.timers.set(TimerKey { group_id: group_id.clone(), timer: groups::Timer::Consumer(timer) }, at);
    }

    pub(super) fn cancel_consumer_timer(&mut self, group_id: &Arc<str>, timer: Timer) {
        self.timers.cancel(&TimerKey { group_id: group_id.clone(), timer: groups::Timer::Consumer(timer) });
    }

    /// Whether it has gone off or been set already decides nothing here: one that is set keeps its time.
    pub(super) fn set_consumer_timer_if_absent(&mut self, group_id: &Arc<str>, timer: Timer, at: Instant) {
        let key = TimerKey { group_id: group_id.clone(), timer: groups::Timer::Consumer(timer) };
        if self.timers.get(&key).is_none() {
            self.timers.set(key, at);
        }
    }
}
