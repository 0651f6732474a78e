//! SyncGroup (key 14), versions 0–5: the leader brings the assignments, everyone gets its own (classic protocol).
//!
//! Versions: 3 static members (KIP-345); 4 flexible; 5 protocol type and name, to be compared (KIP-559).
//! Needs Read of the group; that type and name are there is looked at before.

use std::sync::Arc;

use super::rebalance::{self, Form};
use super::{Head, Outcome, Polled, Request, State, group_job};
use crate::coordinator::classic::Sync;
use crate::coordinator::step::Reply;
use crate::coordinator_runtime::Coordinator;
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::sync_group as message;

/// The first version that must say the protocol's type and name.
const PROTOCOL_SINCE: i16 = 5;

const FORM: Form = Form { answer, refuse };

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    // `SyncGroupRequest.areMandatoryProtocolTypeAndNamePresent`
    if request.head.version >= PROTOCOL_SINCE && (body.protocol_type.is_none() || body.protocol_name.is_none()) {
        return request.head.answer(&refusal(ErrorCode::InconsistentGroupProtocol));
    }
    if !request.may(context, AclOperation::Read, AclResource::Group, &body.group_id) {
        return request.head.answer(&refusal(ErrorCode::GroupAuthorizationFailed));
    }
    let coordinator = group_job::named(&body.group_id).and_then(|id| context.coordinator(id));
    let asked = coordinator.and_then(|coordinator| {
        ask(context, &body, &coordinator)?;
        Ok(coordinator)
    });
    match asked {
        Ok(coordinator) => rebalance::wait(context, request.head, coordinator, &FORM),
        Err(error) => request.head.answer(&refusal(loading(error))),
    }
}

/// Lets the coordinator have the request.
fn ask(
    context: &mut Context<'_>,
    body: &message::Request<'_>,
    coordinator: &Arc<Coordinator>,
) -> Result<(), ErrorCode> {
    let sync = Sync {
        group_id: &body.group_id,
        generation_id: body.generation_id,
        member_id: &body.member_id,
        instance_id: body.group_instance_id.as_deref(),
        protocol_type: body.protocol_type.as_deref(),
        protocol_name: body.protocol_name.as_deref(),
        assignments: body.assignments.iter().map(|member| (&*member.member_id, &*member.assignment)).collect(),
    };
    let waiter = context.waiter();
    context.step(coordinator, |groups, step| groups.sync(step, &sync, waiter)).map(drop)
}

/// A group that is being loaded is answered as one that rebalances: the member joins again. So did Kafka's coordinator before
/// 4.0; today's sends the error itself, which is a fatal one to the Java client (`SyncGroupResponseHandler`).
fn loading(error: ErrorCode) -> ErrorCode {
    if error == ErrorCode::CoordinatorLoadInProgress { ErrorCode::RebalanceInProgress } else { error }
}

fn refusal(error: ErrorCode) -> message::Response<'static> {
    message::Response { error_code: error.code(), ..Default::default() }
}

fn answer(head: Head, reply: Reply) -> Polled {
    match reply {
        Reply::Sync(reply) => head.polled(&message::Response {
            error_code: reply.error.code(),
            protocol_type: reply.protocol_type.as_deref().map(Into::into),
            protocol_name: reply.protocol_name.as_deref().map(Into::into),
            assignment: reply.assignment.as_slice().into(),
            ..Default::default()
        }),
        Reply::Join(_) => Polled::Close("a SyncGroup was answered as a JoinGroup".into()),
    }
}

fn refuse(head: Head, error: ErrorCode) -> Polled {
    head.polled(&refusal(loading(error)))
}
