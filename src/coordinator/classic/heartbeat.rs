//! Heartbeat to a group of the classic protocol (`classicGroupHeartbeat`).

use super::Heartbeat;
use super::group::State;
use crate::coordinator::groups::{Group, Groups};
use crate::coordinator::step::Step;
use crate::model::ErrorCode;

impl Groups {
    pub fn heartbeat(&mut self, step: &mut Step<'_>, request: &Heartbeat<'_>) -> ErrorCode {
        match self.groups.get(request.group_id) {
            _ if request.group_id.is_empty() => ErrorCode::InvalidGroupId,
            Some(Group::Consumer(_)) => self.heartbeat_consumer_group(step, request),
            Some(Group::Classic(_)) => self.heartbeat_classic_group(step, request),
            None => ErrorCode::UnknownMemberId,
        }
    }

    fn heartbeat_classic_group(&mut self, step: &mut Step<'_>, request: &Heartbeat<'_>) -> ErrorCode {
        let Some(mut live) = self.classic(step, request.group_id) else { return ErrorCode::UnknownMemberId };
        if let Err(error) = live.group.validate_member(request.member_id, request.instance_id) {
            return error;
        }
        if request.generation_id != live.group.generation {
            return ErrorCode::IllegalGeneration;
        }
        live.touch(request.member_id);
        match live.group.state {
            State::Empty => ErrorCode::UnknownMemberId,
            State::PreparingRebalance => ErrorCode::RebalanceInProgress,
            State::CompletingRebalance | State::Stable => ErrorCode::None,
        }
    }
}
