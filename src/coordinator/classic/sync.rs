//! SyncGroup to a group of the classic protocol (`classicGroupSync`).

use std::collections::HashMap;

use super::group::State;
use super::rebalance::Live;
use super::{Sync, SyncReply};
use crate::coordinator::groups::{Group, Groups};
use crate::coordinator::step::{Reply, Step, Waiter};
use crate::model::ErrorCode;

impl Groups {
    /// SyncGroup. The answer comes now or, when the leader's assignments are waited for, in a later step.
    pub fn sync(&mut self, step: &mut Step<'_>, request: &Sync<'_>, waiter: Waiter) {
        let error = match self.groups.get(request.group_id) {
            _ if request.group_id.is_empty() => ErrorCode::InvalidGroupId,
            Some(Group::Consumer(group)) if !group.is_empty() => {
                return self.sync_consumer_group(step, request, waiter);
            }
            Some(Group::Classic(group)) if !group.is_empty() => match group.validate_sync(request) {
                Ok(()) => ErrorCode::None,
                Err(error) => error,
            },
            _ => ErrorCode::UnknownMemberId,
        };
        if !error.is_error()
            && let Some(mut live) = self.classic(step, request.group_id)
        {
            return live.sync(request, waiter);
        }
        step.out.replies.push((waiter, Reply::Sync(SyncReply::refused(error))));
    }
}

impl super::Group {
    fn validate_sync(&self, request: &Sync<'_>) -> Result<(), ErrorCode> {
        self.validate_member(request.member_id, request.instance_id)?;
        let inconsistent = |theirs: Option<&str>, ours: Option<&str>| theirs.zip(ours).is_some_and(|(a, b)| a != b);
        if request.generation_id != self.generation {
            Err(ErrorCode::IllegalGeneration)
        } else if inconsistent(request.protocol_type, self.protocol_type())
            || inconsistent(request.protocol_name, self.protocol())
        {
            Err(ErrorCode::InconsistentGroupProtocol)
        } else if self.state == State::PreparingRebalance {
            Err(ErrorCode::RebalanceInProgress)
        } else {
            Ok(())
        }
    }
}

impl Live<'_, '_> {
    fn sync(&mut self, request: &Sync<'_>, waiter: Waiter) {
        self.remove_pending_sync(request.member_id);
        let completing = self.group.state == State::CompletingRebalance;
        let Some(member) = self.group.member_mut(request.member_id) else { return };
        if !completing {
            let assignment = member.assignment.clone();
            let reply = self.sync_reply(assignment);
            return self.reply_sync(waiter, reply);
        }
        // The member asks again, so it has given up the request before; Kafka never answers that one.
        if let Some(superseded) = member.awaiting_sync.replace(waiter) {
            self.reply_sync(superseded, SyncReply::refused(ErrorCode::RebalanceInProgress));
        }
        if self.group.is_leader(request.member_id) {
            self.assign(request);
        }
    }

    /// The leader's word: the group is stable. Whom it has forgotten gets nothing.
    fn assign(&mut self, request: &Sync<'_>) {
        let assignments: HashMap<&str, &[u8]> = request.assignments.iter().copied().collect();
        for member in self.group.members_mut() {
            member.assignment = assignments.get(member.id.as_ref()).map_or_else(Vec::new, |bytes| bytes.to_vec());
        }
        self.write_group();
        self.group.transition(State::Stable, self.step.wall);
        self.propagate_assignments(ErrorCode::None);
        assert!(self.group.members().all(|member| member.awaiting_sync.is_none()), "each member has its assignment");
    }
}
