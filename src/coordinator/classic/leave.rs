//! LeaveGroup to a group of the classic protocol (`classicGroupLeave`).

use super::group::State;
use super::rebalance::Live;
use super::{LeaveReply, Leaving};
use crate::coordinator::groups::{Group, Groups};
use crate::coordinator::step::Step;
use crate::model::ErrorCode;

impl Groups {
    pub fn leave(&mut self, step: &mut Step<'_>, group_id: &str, members: &[Leaving<'_>]) -> LeaveReply {
        match self.groups.get(group_id) {
            _ if group_id.is_empty() => Err(ErrorCode::InvalidGroupId),
            Some(Group::Consumer(_)) => self.leave_consumer_group(step, group_id, members),
            _ => match self.classic(step, group_id) {
                Some(mut live) => Ok(live.leave(members)),
                None => Ok(vec![ErrorCode::UnknownMemberId; members.len()]),
            },
        }
    }
}

impl Live<'_, '_> {
    fn leave(&mut self, members: &[Leaving<'_>]) -> Vec<ErrorCode> {
        let errors: Vec<_> =
            members.iter().map(|leaving| self.leave_one(leaving).err().unwrap_or(ErrorCode::None)).collect();
        if errors.contains(&ErrorCode::None) {
            match self.group.state {
                State::Stable | State::CompletingRebalance => self.prepare_rebalance(),
                State::PreparingRebalance => self.maybe_complete_join(),
                State::Empty => {}
            }
        }
        errors
    }

    fn leave_one(&mut self, leaving: &Leaving<'_>) -> Result<(), ErrorCode> {
        if leaving.member_id.is_empty() {
            // An administrator removes a static member, whose member id is not known to him (KIP-345).
            let id = leaving.instance_id.and_then(|instance_id| self.group.static_member_id(instance_id)).cloned();
            self.remove(&id.ok_or(ErrorCode::UnknownMemberId)?);
            return Ok(());
        }
        if !self.group.pending_join.contains(leaving.member_id) {
            self.group.validate_member(leaving.member_id, leaving.instance_id)?;
        }
        self.remove(leaving.member_id);
        Ok(())
    }
}
