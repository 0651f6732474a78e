//! Heartbeat (key 12), versions 0–4: a member of a classic group is alive, and hears of a rebalance.
//!
//! Versions: 3 static members (KIP-345); 4 flexible. A group that is being loaded is answered as if all were well, so
//! that its members stay (`GroupCoordinatorService.heartbeat`). Needs Read of the group.

use super::{Outcome, Request, State, group_job};
use crate::coordinator::classic::Heartbeat;
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::heartbeat as message;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if !request.may(context, AclOperation::Read, AclResource::Group, &body.group_id) {
        let error_code = ErrorCode::GroupAuthorizationFailed.code();
        return request.head.answer(&message::Response { error_code, ..Default::default() });
    }
    let heartbeat = Heartbeat {
        group_id: &body.group_id,
        generation_id: body.generation_id,
        member_id: &body.member_id,
        instance_id: body.group_instance_id.as_deref(),
    };
    let stepped = group_job::named(&body.group_id)
        .and_then(|id| group_job::step(context, id, |groups, step| groups.heartbeat(step, &heartbeat)));
    let (error, barrier) = match stepped {
        Ok((error, barrier)) => (error, Some(barrier)),
        Err(ErrorCode::CoordinatorLoadInProgress) => (ErrorCode::None, None),
        Err(error) => (error, None),
    };
    let response = message::Response { error_code: error.code(), ..Default::default() };
    request.head.answer_behind(context, barrier, &response)
}
