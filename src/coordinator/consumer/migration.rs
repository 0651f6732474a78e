//! A group changes its protocol while its members go on (KIP-848, `group.consumer.migration.policy`): to the consumer
//! protocol when the first member comes that speaks it, back when the last one is gone.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::embedded;
use super::member::{Classic, Current, Member, MemberState, Metadata};
use super::{Group, Timer, refuse};
use crate::coordinator::assignor::Assignment;
use crate::coordinator::classic::{self, CONSUMER_PROTOCOL_TYPE};
use crate::coordinator::groups::{self, Groups};
use crate::coordinator::settings::Settings;
use crate::coordinator::step::Step;
use crate::model::{ErrorCode, Refusal};

/// What a group of the classic protocol becomes (`ConsumerGroup.fromClassicGroup`).
pub struct Upgrade {
    generation: i32,
    members: Vec<(Member, Assignment)>,
}

impl Upgrade {
    /// Whether the group can become one of the consumer protocol, and what it would be. Each member's target is what
    /// it owns; the one who comes brings about the next epoch.
    pub fn of(group: &classic::Group, step: &Step<'_>) -> Result<Upgrade, Refusal> {
        let cannot = |why: &str| {
            let message = format!("Cannot upgrade classic group {} to consumer group because {why}", group.id());
            refuse(ErrorCode::GroupIdNotFound, message)
        };
        if !step.settings.migration_policy.allows_upgrade() {
            return cannot("online upgrade is disabled.");
        } else if !group.uses_consumer_protocol() {
            return cannot("the group does not use the consumer embedded protocol.");
        } else if group.size() > step.settings.consumer_max_size {
            return cannot("the group size exceeds the consumer group maximum size.");
        }
        // Before its first generation a group has chosen no protocol yet; Kafka fails there.
        let protocol = group.protocol().map(str::to_string).or_else(|| group.select_protocol()).unwrap_or_default();
        let mut members = Vec::with_capacity(group.size());
        for member in group.members() {
            let assignment = embedded::assignment(&member.assignment, step.topics);
            let subscription = embedded::subscription(member.metadata(&protocol));
            let Some(((target, assignment), subscription)) = assignment.zip(subscription) else {
                return cannot("the embedded consumer protocol is malformed.");
            };
            if assignment.user_data.is_some_and(|data| !data.is_empty()) {
                return cannot(
                    "an unsupported custom assignor is in use. Please refer to the documentation or switch to a \
                     default assignor before re-attempting the upgrade.",
                );
            }
            let topics = subscription.topics.iter().map(|topic| Arc::from(topic.as_ref())).collect();
            let rack_id = subscription.rack_id.as_deref().filter(|rack| !rack.is_empty()).map(Arc::from);
            members.push((upgraded(member, group.generation(), topics, rack_id, &target), target));
        }
        Ok(Upgrade { generation: group.generation(), members })
    }
}

fn upgraded(
    member: &classic::Member,
    generation: i32,
    topics: BTreeSet<Arc<str>>,
    rack_id: Option<Arc<str>>,
    target: &Assignment,
) -> Member {
    let classic = Classic { session_timeout_ms: member.session_timeout_ms, protocols: member.protocols.clone() };
    let metadata = Metadata {
        instance_id: member.instance_id.clone(),
        rack_id,
        client_id: member.client_id.as_str().into(),
        client_host: member.client_host.as_str().into(),
        topics,
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        classic: Some(classic),
        ..Metadata::default()
    };
    let assigned = target.iter().map(|(topic, of)| (*topic, of.iter().map(|p| (*p, generation)).collect()));
    let current = Current {
        epoch: generation,
        previous_epoch: generation,
        state: MemberState::Stable,
        assigned: assigned.collect(),
        ..Current::default()
    };
    Member { id: member.id.clone(), metadata, current }
}

impl Group {
    /// Whether only members of the classic protocol are left without these, and the group may become one of theirs.
    fn can_downgrade(&self, leaving: &BTreeSet<Arc<str>>, size: usize, settings: &Settings) -> bool {
        let is_classic = |id: &&Arc<str>| self.member(id).is_some_and(Member::is_classic);
        assert!(leaving.len() <= self.members.len(), "only members leave");
        let classic_left = self.classic_members - leaving.iter().filter(is_classic).count();
        classic_left == self.members.len() - leaving.len()
            && settings.migration_policy.allows_downgrade()
            && size <= settings.max_size
    }

    pub(super) fn can_downgrade_without(&self, leaving: &BTreeSet<Arc<str>>, settings: &Settings) -> bool {
        let size = self.members.len() - leaving.len();
        size > 0 && self.can_downgrade(leaving, size, settings)
    }

    /// The same if a member of the classic protocol takes the place of this static one.
    pub(super) fn can_downgrade_replacing(&self, replaced: &Member, settings: &Settings) -> bool {
        !replaced.is_classic() && self.can_downgrade(&[replaced.id.clone()].into(), self.members.len(), settings)
    }

    /// The group as one of the classic protocol (`ClassicGroup.fromConsumerGroup`): stable, with the targets as
    /// assignments. The member that joins comes last, so that another one leads.
    fn downgraded(&self, leaving: &BTreeSet<Arc<str>>, joining: Option<&str>, step: &Step<'_>) -> classic::Group {
        let mut group = classic::Group::stable(self.id.clone(), self.epoch, CONSUMER_PROTOCOL_TYPE, Some(step.wall));
        let staying = self.members.values().filter(|member| !leaving.contains(&member.id));
        let (last, first): (Vec<_>, Vec<_>) = staying.partition(|member| joining == Some(member.id.as_ref()));
        for member in first.into_iter().chain(last) {
            let Some(classic) = &member.metadata.classic else { continue };
            let metadata = &member.metadata;
            let (id, instance_id) = (member.id.clone(), metadata.instance_id.clone());
            let mut member = classic::Member::new(id, instance_id, &metadata.client_id, &metadata.client_host);
            member.rebalance_timeout_ms = metadata.rebalance_timeout_ms;
            member.session_timeout_ms = classic.session_timeout_ms;
            member.protocols = classic.protocols.clone();
            group.add(member, CONSUMER_PROTOCOL_TYPE);
        }
        let protocol = group.select_protocol();
        for member in group.members_mut() {
            let target = self.target.get(&member.id).into_iter().flatten();
            let target = target.map(|(topic, partitions)| (*topic, partitions.iter().copied().collect()));
            let metadata = member.metadata(protocol.as_deref().unwrap_or_default());
            member.assignment = embedded::assignment_bytes(target, metadata, step.topics);
        }
        group.set_protocol(protocol);
        group
    }
}

impl Groups {
    /// Makes the group one of the consumer protocol (`convertToConsumerGroup`). Members that wait for a rebalance
    /// are told that there is another one.
    pub(super) fn upgrade_group(&mut self, step: &mut Step<'_>, group_id: &str, upgrade: Upgrade) {
        if let Some(mut live) = self.classic(step, group_id) {
            live.refuse_all(ErrorCode::RebalanceInProgress);
        }
        self.emit(step, classic::key(group_id), None);
        let Upgrade { generation, members } = upgrade;
        for (member, _) in &members {
            self.write_metadata(step, group_id, &member.id, &member.metadata);
        }
        let hash = self.metadata_hash(step, group_id);
        self.write_epoch(step, group_id, generation, hash);
        for (member, target) in &members {
            self.write_target(step, group_id, &member.id, target);
        }
        self.write_target_epoch(step, group_id, generation, 0);
        let group_id: Arc<str> = group_id.into();
        let upgraded = self.existing_consumer_group(&group_id).expect("the classic group has made room");
        assert_eq!(
            (upgraded.epoch, upgraded.assignment_epoch),
            (generation, generation),
            "the generation is the epoch"
        );
        assert_eq!(upgraded.members.len(), members.len(), "all members go with the group");
        for (member, _) in &members {
            self.write_current(step, &group_id, &member.id, &member.current);
            let timeout = member.metadata.classic.as_ref().map_or(0, |classic| classic.session_timeout_ms);
            let timer = Timer::Session(member.id.clone());
            self.set_consumer_timer(&group_id, timer, step.now + super::millis(timeout));
        }
    }

    /// Makes the group one of the classic protocol (`convertToClassicGroup`).
    pub(super) fn downgrade_group(
        &mut self,
        step: &mut Step<'_>,
        group_id: &str,
        leaving: &BTreeSet<Arc<str>>,
        joining: Option<&str>,
        rebalance: bool,
    ) {
        let Some(groups::Group::Consumer(group)) = self.groups.get(group_id) else { return };
        let (id, classic) = (group.id.clone(), group.downgraded(leaving, joining, step));
        assert_eq!(classic.size() + leaving.len(), group.members.len(), "only members of the classic protocol stay");
        self.delete_consumer_group(step, group_id);
        // The record knows less than the group: only the protocol that was chosen.
        classic.write(step);
        self.groups.insert(id, groups::Group::Classic(classic));
        let Some(mut live) = self.classic(step, group_id) else { return };
        live.touch_all();
        if rebalance {
            live.prepare_rebalance();
        }
    }
}
