//! LeaveGroup (key 13), versions 0–5: members leave a group of the classic protocol.
//!
//! Versions: 3 several members at once, static ones by their instance id (KIP-345); 4 flexible; 5 reason (KIP-800).
//! Before 3 the one member's error is the answer's. Needs Read of the group.

use super::{Outcome, Request, State, group_job};
use crate::coordinator::classic::Leaving;
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::leave_group::{self as message, MemberResponse};

/// The first version with a list of members.
const MEMBERS_SINCE: i16 = 3;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if !request.may(context, AclOperation::Read, AclResource::Group, &body.group_id) {
        let error_code = ErrorCode::GroupAuthorizationFailed.code();
        return request.head.answer(&message::Response { error_code, ..Default::default() });
    }
    let members: Vec<_> = match request.head.version {
        MEMBERS_SINCE.. => body.members.iter().map(leaving).collect(),
        _ => vec![Leaving { member_id: &body.member_id, instance_id: None, reason: None }],
    };
    let stepped = group_job::named(&body.group_id)
        .and_then(|id| group_job::step(context, id, |groups, step| groups.leave(step, id, &members)));
    let (result, barrier) = match stepped {
        Ok((result, barrier)) => (result, Some(barrier)),
        Err(error) => (Err(error), None),
    };
    let mut response = message::Response::default();
    match result {
        Err(error) => response.error_code = error.code(),
        Ok(errors) if request.head.version < MEMBERS_SINCE => {
            response.error_code = errors.first().copied().unwrap_or(ErrorCode::None).code();
        }
        Ok(errors) => {
            let member = |(member, error): (&Leaving<'_>, ErrorCode)| MemberResponse {
                member_id: member.member_id.to_string().into(),
                group_instance_id: member.instance_id.map(|id| id.to_string().into()),
                error_code: error.code(),
            };
            response.members = members.iter().zip(errors).map(member).collect();
        }
    }
    request.head.answer_behind(context, barrier, &response)
}

fn leaving<'a>(member: &'a message::MemberIdentity<'_>) -> Leaving<'a> {
    Leaving {
        member_id: &member.member_id,
        instance_id: member.group_instance_id.as_deref(),
        reason: member.reason.as_deref(),
    }
}
