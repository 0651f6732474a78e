//! ConsumerGroupDescribe (key 69), versions 0–1: groups of the consumer protocol, their members and targets (KIP-848).
//!
//! Version 1: which protocol each member speaks (KIP-1099).
//!
//! Needs Describe of each group. A group with a topic in an assignment that the client may not describe is not told at all.

use std::collections::BTreeSet;

use super::{Outcome, Request, State, group_job};
use crate::codec::Str;
use crate::coordinator::consumer::{DescribedMember, DescribedPartitions, Description};
use crate::model::{ErrorCode, Refusal};
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::consumer_group_describe::{self as message, Assignment, DescribedGroup, Member, TopicPartitions};

/// `MemberType`: of a member that speaks the classic protocol, and the consumer protocol.
const CLASSIC: i8 = 0;
const CONSUMER: i8 = 1;
/// What is said of a group with topics that the client may not describe.
const HIDDEN_TOPIC: &str = "The group has described topic(s) that the client is not authorized to describe.";

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let is_spoken = context.shared.coordinators().speaks_consumer_protocol(context.view);
    let mut barriers = Vec::new();
    let mut respond = |group_id: &Str<'_>| {
        let world = context.shared.coordinators().world(context.view);
        let looked = match is_spoken {
            true if !request.may(context, AclOperation::Describe, AclResource::Group, group_id) => {
                Err(ErrorCode::GroupAuthorizationFailed)
            }
            true => group_job::named(group_id).and_then(|id| {
                group_job::look(context, id, |groups| groups.describe_consumer(&world, &world.resolved.groups, id))
            }),
            false => Err(ErrorCode::UnsupportedVersion),
        };
        let result = match looked {
            Ok((result, barrier)) => {
                barriers.push(barrier);
                result
            }
            Err(error) => Err(Refusal::of(error)),
        };
        let mut group = match result {
            Ok(description) => shown(context, request, describe(description)),
            Err(refusal) => DescribedGroup {
                error_code: refusal.error.code(),
                error_message: refusal.message.map(Into::into),
                ..Default::default()
            },
        };
        group.group_id = group_id.to_string().into();
        if body.include_authorized_operations && group.error_code == 0 {
            group.authorized_operations = request.operations(context, AclResource::Group, group_id);
        }
        group
    };
    let groups = match request.head.gather(body.group_ids.iter().map(&mut respond)) {
        Ok(groups) => groups,
        Err(early) => return early,
    };
    request.head.answer_behind(context, barriers, &message::Response { groups, ..Default::default() })
}

/// The group, if the client may describe all topics that are assigned in it.
fn shown<'g>(context: &Context<'_>, request: &Request<'_>, group: DescribedGroup<'g>) -> DescribedGroup<'g> {
    if !request.is_judged(context) {
        return group;
    }
    let assignments = group.members.iter().flat_map(|member| [&member.assignment, &member.target_assignment]);
    let topics: BTreeSet<&str> =
        assignments.flat_map(|assignment| &assignment.topic_partitions).map(|topic| &*topic.topic_name).collect();
    if topics.into_iter().all(|topic| request.may(context, AclOperation::Describe, AclResource::Topic, topic)) {
        return group;
    }
    DescribedGroup {
        error_code: ErrorCode::TopicAuthorizationFailed.code(),
        error_message: Some(HIDDEN_TOPIC.into()),
        ..Default::default()
    }
}

fn describe(group: Description) -> DescribedGroup<'static> {
    DescribedGroup {
        group_state: group.state.into(),
        group_epoch: group.group_epoch,
        assignment_epoch: group.assignment_epoch,
        assignor_name: group.assignor_name.into(),
        members: group.members.into_iter().map(member).collect(),
        ..Default::default()
    }
}

fn member(member: DescribedMember) -> Member<'static> {
    Member {
        member_id: member.member_id.into(),
        instance_id: member.instance_id.map(Into::into),
        rack_id: member.rack_id.map(Into::into),
        member_epoch: member.member_epoch,
        client_id: member.client_id.into(),
        client_host: member.client_host.into(),
        subscribed_topic_names: member.subscribed_topic_names.into_iter().map(Into::into).collect(),
        subscribed_topic_regex: member.subscribed_topic_regex.map(Into::into),
        assignment: assignment(member.assignment),
        target_assignment: assignment(member.target_assignment),
        member_type: if member.is_classic { CLASSIC } else { CONSUMER },
    }
}

fn assignment(topics: Vec<DescribedPartitions>) -> Assignment<'static> {
    let topic = |topic: DescribedPartitions| TopicPartitions {
        topic_id: topic.topic_id,
        topic_name: topic.topic_name.into(),
        partitions: topic.partitions,
    };
    Assignment { topic_partitions: topics.into_iter().map(topic).collect() }
}
