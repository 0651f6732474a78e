//! JoinGroup (key 11), versions 0–9: a member joins its group, or joins it again for a rebalance (classic protocol).
//!
//! Versions: 1 rebalance timeout; 4 a member gets its id first and joins with it (KIP-394); 5 static members (KIP-345);
//! 6 flexible; 7 protocol type and name may be null; 8 reason (KIP-800); 9 a static leader may be told to skip the
//! assignment (KIP-814). Needs Read of the group.

use std::sync::Arc;

use super::rebalance::{self, Form};
use super::{Head, Outcome, Polled, Request, State, group_job};
use crate::coordinator::classic::{self, Join, JoinReply, JoinedMember};
use crate::coordinator::step::Reply;
use crate::coordinator_runtime::Coordinator;
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::join_group::{self as message, JoinGroupResponseMember};

/// The first version in which a member must come with an id.
const MEMBER_ID_REQUIRED_SINCE: i16 = 4;
/// The first version with a rebalance timeout of its own.
const REBALANCE_TIMEOUT_SINCE: i16 = 1;
/// The first version whose protocol name may be null.
const NULL_PROTOCOL_SINCE: i16 = 7;
/// The first version that can be told to skip the assignment.
const SKIP_ASSIGNMENT_SINCE: i16 = 9;
const NO_GENERATION: i32 = -1;

const FORM: Form = Form { answer, refuse };

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if !request.may(context, AclOperation::Read, AclResource::Group, &body.group_id) {
        return request.head.answer(&refusal(request.head.version, ErrorCode::GroupAuthorizationFailed, ""));
    }
    let settings = context.shared.coordinators().settings(context.view);
    if let Err(error) = classic::validate_join(&settings.groups, &body.group_id, body.session_timeout_ms) {
        return request.head.answer(&refusal(request.head.version, error, &body.member_id));
    }
    let asked = context.coordinator(&body.group_id).and_then(|coordinator| {
        ask(context, request, &body, &coordinator)?;
        Ok(coordinator)
    });
    match asked {
        Ok(coordinator) => rebalance::wait(context, request.head, coordinator, &FORM),
        Err(error) => request.head.answer(&refusal(request.head.version, error, "")),
    }
}

/// Lets the coordinator have the request.
fn ask(
    context: &mut Context<'_>,
    request: &Request<'_>,
    body: &message::Request<'_>,
    coordinator: &Arc<Coordinator>,
) -> Result<(), ErrorCode> {
    let version = request.head.version;
    let host = group_job::host(request.session.peer);
    let join = Join {
        client: request.client(&host),
        group_id: &body.group_id,
        member_id: &body.member_id,
        instance_id: body.group_instance_id.as_deref(),
        session_timeout_ms: body.session_timeout_ms,
        rebalance_timeout_ms: match version {
            REBALANCE_TIMEOUT_SINCE.. => body.rebalance_timeout_ms,
            _ => body.session_timeout_ms,
        },
        protocol_type: &body.protocol_type,
        protocols: body.protocols.iter().map(|protocol| (&*protocol.name, &*protocol.metadata)).collect(),
        reason: body.reason.as_deref(),
        requires_known_member_id: version >= MEMBER_ID_REQUIRED_SINCE,
        supports_skipping_assignment: version >= SKIP_ASSIGNMENT_SINCE,
    };
    let waiter = context.waiter();
    request.step_of(context, coordinator, |groups, step| groups.join(step, &join, waiter)).map(drop)
}

/// Where there is no coordinator, Kafka's answer names no member.
fn refusal(version: i16, error: ErrorCode, member_id: &str) -> message::Response<'static> {
    message::Response {
        error_code: error.code(),
        generation_id: NO_GENERATION,
        protocol_name: (version < NULL_PROTOCOL_SINCE).then(|| "".into()),
        member_id: member_id.to_string().into(),
        ..Default::default()
    }
}

fn answer(head: Head, reply: Reply) -> Polled {
    match reply {
        Reply::Join(reply) => head.polled(&respond(head.version, &reply)),
        Reply::Sync(_) => Polled::Close("a JoinGroup was answered as a SyncGroup".into()),
    }
}

fn refuse(head: Head, error: ErrorCode) -> Polled {
    head.polled(&refusal(head.version, error, ""))
}

fn respond(version: i16, reply: &JoinReply) -> message::Response<'_> {
    let name = reply.protocol_name.as_deref().unwrap_or_default();
    message::Response {
        error_code: reply.error.code(),
        generation_id: reply.generation_id,
        protocol_type: reply.protocol_type.as_deref().map(Into::into),
        // No name is null in versions that have it, and empty before (`JoinGroupResponse`).
        protocol_name: (version < NULL_PROTOCOL_SINCE || !name.is_empty()).then(|| name.into()),
        leader: reply.leader.as_str().into(),
        skip_assignment: reply.skip_assignment,
        member_id: reply.member_id.as_str().into(),
        members: reply.members.iter().map(member).collect(),
        ..Default::default()
    }
}

fn member(member: &JoinedMember) -> JoinGroupResponseMember<'_> {
    JoinGroupResponseMember {
        member_id: member.member_id.as_str().into(),
        group_instance_id: member.instance_id.as_deref().map(Into::into),
        metadata: member.metadata.as_slice().into(),
    }
}
