//! What groups of the consumer protocol answer to requests that know no protocol, or the classic one. The one place
//! where `classic`, `offsets` and `groups` call into this module.
//!
//! A group of the consumer protocol cannot exist yet, as nobody can join one: what is here is what Kafka answers for a
//! type of group that it does not know how to handle.

use super::Group;
use crate::coordinator::classic::{self, JoinReply, LeaveReply, Leaving, SyncReply};
use crate::coordinator::groups::Groups;
use crate::coordinator::offsets::{Commit, Fetch};
use crate::coordinator::record::offsets::{Key, Value};
use crate::coordinator::step::{Reply, Step, Waiter};
use crate::model::ErrorCode;

impl Group {
    pub fn is_empty(&self) -> bool {
        true
    }

    /// As ListGroups tells it.
    pub fn state_name(&self) -> &'static str {
        "Empty"
    }

    pub fn is_subscribed_to_topic(&self, topic: &str) -> bool {
        let _ = topic;
        false
    }

    /// What holds for the whole request, and what for each partition.
    pub fn validate_offset_commit(&self, request: &Commit<'_>) -> Result<(), ErrorCode> {
        let _ = request;
        Err(ErrorCode::UnknownMemberId)
    }

    pub fn validate_offset_fetch(&self, request: &Fetch<'_>) -> Result<(), ErrorCode> {
        let _ = request;
        Err(ErrorCode::UnknownMemberId)
    }
}

impl Groups {
    pub(in crate::coordinator) fn apply_consumer_group(&mut self, key: &Key<'_>, value: Option<&Value<'_>>) {
        let _ = (key, value);
    }

    pub(in crate::coordinator) fn handle_consumer_loaded(&mut self, step: &mut Step<'_>, group_id: &str) {
        let _ = (step, group_id);
    }

    /// Writes the tombstones of a group without members.
    pub(in crate::coordinator) fn delete_consumer_group(&mut self, step: &mut Step<'_>, group_id: &str) {
        let _ = (step, group_id);
    }

    pub(in crate::coordinator) fn join_consumer_group(
        &mut self,
        step: &mut Step<'_>,
        request: &classic::Join<'_>,
        waiter: Waiter,
    ) {
        let _ = request;
        let reply = JoinReply::refused("", ErrorCode::InconsistentGroupProtocol);
        step.out.replies.push((waiter, Reply::Join(reply)));
    }

    pub(in crate::coordinator) fn sync_consumer_group(
        &mut self,
        step: &mut Step<'_>,
        request: &classic::Sync<'_>,
        waiter: Waiter,
    ) {
        let _ = request;
        step.out.replies.push((waiter, Reply::Sync(SyncReply::refused(ErrorCode::UnknownMemberId))));
    }

    pub(in crate::coordinator) fn heartbeat_consumer_group(
        &mut self,
        step: &mut Step<'_>,
        request: &classic::Heartbeat<'_>,
    ) -> ErrorCode {
        let _ = (step, request);
        ErrorCode::UnknownMemberId
    }

    pub(in crate::coordinator) fn leave_consumer_group(
        &mut self,
        step: &mut Step<'_>,
        group_id: &str,
        members: &[Leaving<'_>],
    ) -> LeaveReply {
        let _ = (step, group_id);
        Ok(vec![ErrorCode::UnknownMemberId; members.len()])
    }
}
