//! Members of the classic protocol in a group of the consumer protocol: their requests are translated
//! (`classicGroupJoinToConsumerGroup`, `classicGroupSyncToConsumerGroup`, ...).
//!
//! The coordinator computes their assignments as it does for all others: a join is a heartbeat that tells a subscription
//! and what the member owns, a sync fetches what it got, and a heartbeat tells it to join again when there is something
//! to give up or to get.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::embedded;
use super::heartbeat::validate_instance;
use super::member::{Classic, Member, MemberState, Metadata};
use super::{Group, Timer, millis};
use crate::coordinator::classic::{self, CONSUMER_PROTOCOL_TYPE, JoinReply, LeaveReply, Leaving, SyncReply};
use crate::coordinator::consumer_protocol::ConsumerProtocolSubscription;
use crate::coordinator::groups::{self, Groups};
use crate::coordinator::settings::{MigrationPolicy, Settings};
use crate::coordinator::step::{Reply, Step, Waiter};
use crate::model::{ErrorCode, Refusal};

/// A JoinGroup that is let in.
struct Joining<'r, 'a> {
    request: &'r classic::Join<'a>,
    protocols: Vec<(&'a str, &'a [u8])>,
    subscription: ConsumerProtocolSubscription<'r>,
    /// It takes the place of the last member of the consumer protocol.
    downgrade: bool,
}

impl Joining<'_, '_> {
    fn rebalance_timeout_ms(&self) -> i32 {
        match self.request.rebalance_timeout_ms {
            -1 => self.request.session_timeout_ms,
            timeout => timeout,
        }
    }

    /// What is known of the member after this request. It cannot subscribe by regular expressions.
    fn updated(&self, known: &Metadata) -> Metadata {
        let rack_id = self.subscription.rack_id.as_deref().filter(|rack| !rack.is_empty());
        let owned = |(name, metadata): &(&str, &[u8])| (name.to_string(), metadata.to_vec());
        Metadata {
            instance_id: self.request.instance_id.map(Arc::from).or_else(|| known.instance_id.clone()),
            rack_id: rack_id.map(Arc::from).or_else(|| known.rack_id.clone()),
            client_id: self.request.client.id.into(),
            client_host: self.request.client.host.into(),
            topics: self.subscription.topics.iter().map(|topic| Arc::from(topic.as_ref())).collect(),
            regex: Some("".into()),
            rebalance_timeout_ms: self.rebalance_timeout_ms(),
            assignor: known.assignor.clone(),
            classic: Some(Classic {
                session_timeout_ms: self.request.session_timeout_ms,
                protocols: self.protocols.iter().map(owned).collect(),
            }),
        }
    }
}

/// Kafka's answers to these requests have no message.
fn code(refusal: Refusal) -> ErrorCode {
    refusal.error
}

impl Member {
    /// The protocol that the member is told of: the one that it likes best.
    fn classic_protocol(&self) -> Option<&(String, Vec<u8>)> {
        self.metadata.classic.as_ref()?.protocols.first()
    }
}

impl Group {
    /// The member of the classic protocol who sends a request.
    fn classic_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<&Member, ErrorCode> {
        let member = match instance_id {
            None => self.known_member(member_id).map_err(code)?,
            Some(instance_id) => {
                let member = self.known_static_member(instance_id).map_err(code)?;
                validate_instance(member, member_id, instance_id).map_err(code)?;
                member
            }
        };
        if member.is_classic() { Ok(member) } else { Err(ErrorCode::UnknownMemberId) }
    }

    fn leaving_member(&self, leaving: &Leaving<'_>) -> Result<&Member, ErrorCode> {
        let Some(instance_id) = leaving.instance_id else {
            return self.known_member(leaving.member_id).map_err(code);
        };
        let member = self.known_static_member(instance_id).map_err(code)?;
        // An administrator removes a static member, whose member id is not known to him (KIP-345).
        if !leaving.member_id.is_empty() {
            validate_instance(member, leaving.member_id, instance_id).map_err(code)?;
        }
        Ok(member)
    }

    /// What is asked of a member that has no id yet, too: what it subscribes to is not read before it comes with one.
    fn validate_join(&self, request: &classic::Join<'_>, step: &Step<'_>) -> Result<(), ErrorCode> {
        let settings = step.settings;
        if settings.migration_policy == MigrationPolicy::Disabled {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        self.validate_size(request.member_id, request.instance_id, settings.consumer_max_size).map_err(code)?;
        let protocols = classic::distinct(&request.protocols);
        match self.supports_classic_protocols(request.protocol_type, &protocols) {
            true => Ok(()),
            false => Err(ErrorCode::InconsistentGroupProtocol),
        }
    }

    fn read_join<'r, 'a>(
        &self,
        request: &'r classic::Join<'a>,
        settings: &Settings,
    ) -> Result<Joining<'r, 'a>, ErrorCode> {
        let protocols = classic::distinct(&request.protocols);
        let existing = request.instance_id.and_then(|instance_id| self.static_member(instance_id));
        if let Some(instance_id) = request.instance_id
            && !request.member_id.is_empty()
        {
            let existing = self.known_static_member(instance_id).map_err(code)?;
            validate_instance(existing, request.member_id, instance_id).map_err(code)?;
        }
        let metadata = request.protocols.first().map_or(&[][..], |(_, metadata)| *metadata);
        let subscription = embedded::subscription(metadata).ok_or(ErrorCode::InconsistentGroupProtocol)?;
        let downgrade = existing.is_some_and(|existing| self.can_downgrade_replacing(existing, settings));
        Ok(Joining { request, protocols, subscription, downgrade })
    }
}

impl Groups {
    /// JoinGroup to a group of the consumer protocol that has members. It is answered at once.
    pub(in crate::coordinator) fn join_consumer_group(
        &mut self,
        step: &mut Step<'_>,
        request: &classic::Join<'_>,
        waiter: Waiter,
    ) {
        let reply = self.answer_join(step, request).unwrap_or_else(|error| JoinReply::refused("", error));
        step.out.replies.push((waiter, Reply::Join(reply)));
    }

    fn answer_join(&mut self, step: &mut Step<'_>, request: &classic::Join<'_>) -> Result<JoinReply, ErrorCode> {
        let Some(groups::Group::Consumer(group)) = self.groups.get(request.group_id) else {
            return Err(ErrorCode::UnknownMemberId);
        };
        group.validate_join(request, step)?;
        if request.requires_known_member_id && request.instance_id.is_none() && request.member_id.is_empty() {
            return Ok(JoinReply::refused(&(step.new_id)().to_string(), ErrorCode::MemberIdRequired));
        }
        let joining = group.read_join(request, step.settings)?;
        self.let_in(step, &joining).map_err(code)
    }

    fn let_in(&mut self, step: &mut Step<'_>, joining: &Joining<'_, '_>) -> Result<JoinReply, Refusal> {
        let request = joining.request;
        let group_id: Arc<str> = request.group_id.into();
        let member_id: Arc<str> = match request.member_id {
            "" => (step.new_id)().to_string().into(),
            id => id.into(),
        };
        let replaced = request.instance_id.filter(|_| request.member_id.is_empty());
        let before = self.find_or_replace_member(step, &group_id, &member_id, replaced);
        let updated = joining.updated(&before.metadata);
        let changed = self.update_member(step, &group_id, &before, &updated, false);
        let is_behind = |group: &Group| group.assignment_epoch < group.epoch;
        let rebalance = joining.downgrade && self.existing_consumer_group(&group_id).is_ok_and(is_behind);
        if !joining.downgrade {
            self.update_target(step, &group_id, &member_id)?;
        }
        if !rebalance {
            let owned = embedded::owned(&joining.subscription, step.topics);
            self.reconcile(step, &group_id, &member_id, &before.current, changed, Some(&owned));
        }
        let epoch = self.existing_consumer_group(&group_id)?.known_member(&member_id)?.current.epoch;
        self.cancel_consumer_timer(&group_id, Timer::Join(member_id.clone()));
        if joining.downgrade {
            self.downgrade_group(step, &group_id, &BTreeSet::new(), Some(&member_id), rebalance);
        } else {
            let (session, rebalance) = (millis(request.session_timeout_ms), millis(joining.rebalance_timeout_ms()));
            self.set_consumer_timer(&group_id, Timer::Session(member_id.clone()), step.now + session);
            self.set_consumer_timer(&group_id, Timer::Sync(member_id.clone()), step.now + rebalance);
        }
        Ok(JoinReply {
            error: ErrorCode::None,
            generation_id: epoch,
            protocol_type: Some(CONSUMER_PROTOCOL_TYPE.to_string()),
            protocol_name: joining.protocols.first().map(|(name, _)| name.to_string()),
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.to_string(),
            members: Vec::new(),
        })
    }

    /// SyncGroup to a group of the consumer protocol.
    pub(in crate::coordinator) fn sync_consumer_group(
        &mut self,
        step: &mut Step<'_>,
        request: &classic::Sync<'_>,
        waiter: Waiter,
    ) {
        let reply = self.sync_classic_member(step, request).unwrap_or_else(SyncReply::refused);
        step.out.replies.push((waiter, Reply::Sync(reply)));
    }

    fn sync_classic_member(&mut self, step: &Step<'_>, request: &classic::Sync<'_>) -> Result<SyncReply, ErrorCode> {
        let group = self.existing_consumer_group(request.group_id).map_err(|_| ErrorCode::UnknownMemberId)?;
        let member = group.classic_member(request.member_id, request.instance_id)?;
        let current = &member.current;
        let (name, metadata) = member.classic_protocol().ok_or(ErrorCode::InconsistentGroupProtocol)?;
        if request.generation_id != current.epoch {
            return Err(ErrorCode::IllegalGeneration);
        } else if request.protocol_type.is_some_and(|of| of != CONSUMER_PROTOCOL_TYPE)
            || request.protocol_name.is_some_and(|of| of != name)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let (group_id, member_id) = (group.id.clone(), member.id.clone());
        // Who has to give up partitions has joined already, and does that first.
        if group.assignment_epoch > current.epoch && current.state != MemberState::UnrevokedPartitions {
            let timeout = millis(member.metadata.rebalance_timeout_ms);
            self.set_consumer_timer_if_absent(&group_id, Timer::Join(member_id), step.now + timeout);
            return Err(ErrorCode::RebalanceInProgress);
        }
        let owned = current.assigned.iter();
        let owned = owned.map(|(topic, partitions)| (*topic, partitions.keys().copied().collect()));
        let reply = SyncReply {
            error: ErrorCode::None,
            protocol_type: request.protocol_type.map(str::to_string),
            protocol_name: request.protocol_name.map(str::to_string),
            assignment: embedded::assignment_bytes(owned, metadata, step.topics),
        };
        let session = member.metadata.classic.as_ref().map_or(0, |classic| classic.session_timeout_ms);
        self.cancel_consumer_timer(&group_id, Timer::Sync(member_id.clone()));
        self.set_consumer_timer(&group_id, Timer::Session(member_id), step.now + millis(session));
        Ok(reply)
    }

    /// Heartbeat to a group of the consumer protocol.
    pub(in crate::coordinator) fn heartbeat_consumer_group(
        &mut self,
        step: &mut Step<'_>,
        request: &classic::Heartbeat<'_>,
    ) -> ErrorCode {
        self.heartbeat_classic_member(step, request).err().unwrap_or(ErrorCode::None)
    }

    fn heartbeat_classic_member(&mut self, step: &Step<'_>, request: &classic::Heartbeat<'_>) -> Result<(), ErrorCode> {
        let group = self.existing_consumer_group(request.group_id).map_err(|_| ErrorCode::UnknownMemberId)?;
        let member = group.classic_member(request.member_id, request.instance_id)?;
        if request.generation_id != member.current.epoch {
            return Err(ErrorCode::IllegalGeneration);
        }
        let must_rejoin = group.must_rejoin(member);
        let (group_id, member_id) = (group.id.clone(), member.id.clone());
        let rebalance = millis(member.metadata.rebalance_timeout_ms);
        let session = millis(member.metadata.classic.as_ref().map_or(0, |classic| classic.session_timeout_ms));
        self.set_consumer_timer(&group_id, Timer::Session(member_id.clone()), step.now + session);
        if must_rejoin {
            self.set_consumer_timer_if_absent(&group_id, Timer::Join(member_id), step.now + rebalance);
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// LeaveGroup to a group of the consumer protocol; members of either protocol can be removed so.
    pub(in crate::coordinator) fn leave_consumer_group(
        &mut self,
        step: &mut Step<'_>,
        group_id: &str,
        members: &[Leaving<'_>],
    ) -> LeaveReply {
        let group = self.existing_consumer_group(group_id).map_err(|_| ErrorCode::UnknownMemberId)?;
        let mut left = BTreeSet::new();
        let mut answers = Vec::with_capacity(members.len());
        for leaving in members {
            answers.push(match group.leaving_member(leaving) {
                Ok(member) => {
                    left.insert(member.id.clone());
                    ErrorCode::None
                }
                Err(error) => error,
            });
        }
        let group_id = group.id.clone();
        self.remove_members(step, &group_id, &left);
        Ok(answers)
    }
}
