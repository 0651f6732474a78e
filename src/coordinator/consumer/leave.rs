//! How members leave a group: by their own word, or because a timer ends it (`consumerGroupLeave`,
//! `consumerGroupFenceMembers`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::heartbeat::validate_instance;
use super::member::{Current, LEAVE_STATIC_EPOCH, Member, MemberState, Partitions};
use super::{Group, Heartbeat, HeartbeatReply, Timer};
use crate::coordinator::groups::{self, Groups};
use crate::coordinator::step::Step;
use crate::model::Refusal;

/// A static member's assignment while it is away. The member that comes back owns it since ever.
fn away(current: &Current) -> Current {
    let since_ever = |partition: &i32| (*partition, 0);
    let assigned = current.assigned.iter().map(|(topic, of)| (*topic, of.keys().map(since_ever).collect()));
    Current {
        epoch: LEAVE_STATIC_EPOCH,
        assigned: assigned.collect(),
        pending_revocation: Partitions::new(),
        ..current.clone()
    }
}

impl Groups {
    pub(super) fn consumer_leave(
        &mut self,
        step: &mut Step<'_>,
        request: &Heartbeat<'_>,
    ) -> Result<HeartbeatReply, Refusal> {
        let group = self.existing_consumer_group(request.group_id)?;
        let member = match request.instance_id {
            None => group.known_member(request.member_id)?,
            Some(instance_id) => {
                let member = group.known_static_member(instance_id)?;
                validate_instance(member, request.member_id, instance_id)?;
                member
            }
        };
        let (group_id, member_id) = (group.id.clone(), member.id.clone());
        // Without an instance id this is an ordinary farewell, whatever the epoch says.
        if request.instance_id.is_some() && request.member_epoch == LEAVE_STATIC_EPOCH {
            let away = away(&member.current);
            self.write_current(step, &group_id, &member_id, &away);
            self.cancel_consumer_timer(&group_id, Timer::Rebalance(member_id));
        } else {
            self.remove_members(step, &group_id, &[member_id].into());
        }
        let (member_id, member_epoch) = (request.member_id.to_string(), request.member_epoch);
        Ok(HeartbeatReply { member_id, member_epoch, heartbeat_interval_ms: 0, assignment: None })
    }

    /// Removes members from a group, which gets its next epoch or, if only members of the classic protocol are left,
    /// becomes one of theirs.
    pub(super) fn remove_members(&mut self, step: &mut Step<'_>, group_id: &Arc<str>, members: &BTreeSet<Arc<str>>) {
        let Some(groups::Group::Consumer(group)) = self.groups.get(group_id) else { return };
        if members.is_empty() {
            return;
        }
        if group.can_downgrade_without(members, step.settings) {
            return self.downgrade_group(step, group_id, members, None, true);
        }
        let (next, are_all) = (group.next_epoch(), members.len() == group.members.len());
        let regex = |id: &Arc<str>| group.member(id)?.metadata.subscribed_regex().cloned();
        let regexes: BTreeSet<Arc<str>> = members.iter().filter_map(regex).collect();
        members.iter().for_each(|id| self.delete_member(step, group_id, id));
        for regex in regexes {
            let Some(groups::Group::Consumer(group)) = self.groups.get(group_id) else { return };
            if group.subscribers_of_regex(&regex) == 0 {
                self.delete_resolved(step, group_id, &regex);
            }
        }
        let hash = self.metadata_hash(step, group_id);
        self.write_epoch(step, group_id, next, hash);
        // The target of an empty group is as old as the group, as that of a new one: no interval delays the next target.
        if are_all {
            self.write_target_epoch(step, group_id, next, 0);
        }
        let group = self.existing_consumer_group(group_id).expect("a group stays when its members leave");
        assert!(members.iter().all(|id| group.member(id).is_none() && !group.target.contains_key(id)), "they are gone");
        assert_eq!(group.epoch, next, "the members that are left get a new target");
        assert!(
            group.is_empty() == are_all && (!are_all || group.assignment_epoch == next),
            "nothing is left to assign"
        );
    }

    pub(in crate::coordinator) fn handle_consumer_timer(&mut self, step: &mut Step<'_>, group_id: &str, timer: &Timer) {
        let Some(groups::Group::Consumer(group)) = self.groups.get(group_id) else { return };
        let (Timer::Session(member_id) | Timer::Rebalance(member_id) | Timer::Join(member_id) | Timer::Sync(member_id)) =
            timer;
        if group.member(member_id).is_some() {
            let group_id = group.id.clone();
            self.remove_members(step, &group_id, &[member_id.clone()].into());
        }
    }

    /// Sessions begin anew, and who has to give up partitions gets the whole time for it (`onLoaded`).
    pub(in crate::coordinator) fn handle_consumer_loaded(&mut self, step: &mut Step<'_>, group_id: &str) {
        let Some(groups::Group::Consumer(group)) = self.groups.get(group_id) else { return };
        let session = (step.group_settings)(group_id).session_timeout;
        let group_id = group.id.clone();
        let mut timers = Vec::new();
        for member in group.members.values() {
            timers.push((Timer::Session(member.id.clone()), session));
            if member.current.state == MemberState::UnrevokedPartitions {
                let timeout = super::millis(member.metadata.rebalance_timeout_ms);
                timers.push((Timer::Rebalance(member.id.clone()), timeout));
            }
        }
        for (timer, timeout) in timers {
            self.set_consumer_timer(&group_id, timer, step.now + timeout);
        }
    }
}

impl Group {
    /// Whether a member of the classic protocol has to join again: there is a newer target, it has something to give
    /// up, or what it waits for is free.
    pub(super) fn must_rejoin(&self, member: &Member) -> bool {
        let current = &member.current;
        current.epoch < self.assignment_epoch
            || match current.state {
                MemberState::UnrevokedPartitions => true,
                MemberState::UnreleasedPartitions => !self.waits_for_partitions(member),
                MemberState::Stable | MemberState::Unknown => false,
            }
    }
}
