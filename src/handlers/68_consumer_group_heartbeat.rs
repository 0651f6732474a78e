//! ConsumerGroupHeartbeat (key 68), versions 0–1: everything that a member of the consumer protocol does (KIP-848).
//!
//! Version 1: subscription by a regular expression, and member ids that the client makes (KIP-1082).
//!
//! Needs Read of the group, and Describe of each topic that is named; one that is refused refuses the heartbeat. A regular
//! expression finds the topics that the member may describe by whose heartbeat it is resolved (`TopicRegexResolver`).

use std::collections::BTreeSet;

use super::{Outcome, Request, State, group_job};
use crate::coordinator::consumer::{self, Heartbeat, HeartbeatReply};
use crate::model::{ErrorCode, Refusal, TopicId};
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::consumer_group_heartbeat::{self as message, response};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if !context.shared.coordinators().speaks_consumer_protocol(context.view) {
        let refusal = Refusal::of(ErrorCode::UnsupportedVersion);
        return request.head.answer(&respond(Err(refusal)));
    }
    if let Some(error) = refuse(context, request, &body) {
        return request.head.answer(&respond(Err(Refusal::of(error))));
    }
    let host = group_job::host(request.session.peer);
    let partitions = body.topic_partitions.as_ref();
    let heartbeat = Heartbeat {
        client: request.client(&host),
        api_version: request.head.version,
        group_id: &body.group_id,
        member_id: &body.member_id,
        member_epoch: body.member_epoch,
        instance_id: body.instance_id.as_deref(),
        rack_id: body.rack_id.as_deref(),
        rebalance_timeout_ms: body.rebalance_timeout_ms,
        subscribed_topic_names: body.subscribed_topic_names.as_ref().map(|names| names.iter().map(|n| &**n).collect()),
        subscribed_topic_regex: body.subscribed_topic_regex.as_deref(),
        server_assignor: body.server_assignor.as_deref(),
        topic_partitions: partitions.map(|all| all.iter().map(|t| (t.topic_id, t.partitions.clone())).collect()),
    };
    let stepped = group_job::step_for(context, request, &body.group_id, |groups, step| {
        groups.consumer_heartbeat(step, &heartbeat)
    });
    let (result, barrier) = match stepped {
        Ok((result, barrier)) => (result, Some(barrier)),
        // What is wrong with the request itself is said first.
        Err(error) => {
            let settings = context.shared.coordinators().settings(context.view);
            let wrong = consumer::validate(&heartbeat, &settings.groups).err();
            (Err(wrong.unwrap_or(Refusal::of(error))), None)
        }
    };
    request.head.answer_behind(context, barrier, &respond(result))
}

/// Why the client may not be a member of this group with these topics.
fn refuse(context: &Context<'_>, request: &Request<'_>, body: &message::Request<'_>) -> Option<ErrorCode> {
    if !request.may(context, AclOperation::Read, AclResource::Group, &body.group_id) {
        return Some(ErrorCode::GroupAuthorizationFailed);
    }
    let names: BTreeSet<&str> = body.subscribed_topic_names.iter().flatten().map(|name| &**name).collect();
    let may = |name: &&str| request.may(context, AclOperation::Describe, AclResource::Topic, name);
    (!names.iter().all(may)).then_some(ErrorCode::TopicAuthorizationFailed)
}

fn respond(result: Result<HeartbeatReply, Refusal>) -> message::Response<'static> {
    match result {
        Err(refusal) => message::Response {
            error_code: refusal.error.code(),
            error_message: refusal.message.map(Into::into),
            ..Default::default()
        },
        Ok(reply) => message::Response {
            member_id: Some(reply.member_id.into()),
            member_epoch: reply.member_epoch,
            heartbeat_interval_ms: reply.heartbeat_interval_ms,
            assignment: reply.assignment.map(assignment),
            ..Default::default()
        },
    }
}

fn assignment(partitions: Vec<(TopicId, Vec<i32>)>) -> response::Assignment {
    let topic = |(topic_id, partitions)| response::TopicPartitions { topic_id, partitions };
    response::Assignment { topic_partitions: partitions.into_iter().map(topic).collect() }
}
