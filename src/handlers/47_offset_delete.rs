//! OffsetDelete (key 47), version 0: committed offsets of topics that a group does not consume any more (KIP-496).
//!
//! Partitions that the cluster does not have are answered here. Needs Delete of the group, and Read of each topic, which is asked
//! before the topic is looked for.

use std::collections::BTreeSet;

use super::{Outcome, Request, State, group_job};
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::offset_delete::{self as message, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if !request.may(context, AclOperation::Delete, AclResource::Group, &body.group_id) {
        let error_code = ErrorCode::GroupAuthorizationFailed.code();
        return request.head.answer(&message::Response { error_code, ..Default::default() });
    }
    let view = context.view.clone();
    let names = body.topics.iter().map(|topic| &*topic.name);
    let refused: BTreeSet<&str> =
        names.filter(|name| !request.may(context, AclOperation::Read, AclResource::Topic, name)).collect();
    let is_known = |topic: &str, partition: i32| {
        !refused.contains(topic) && view.topic(topic).is_some_and(|t| t.partition(partition).is_some())
    };
    let mut topics: Vec<(&str, Vec<i32>)> = Vec::new();
    for topic in &body.topics {
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        let known: Vec<i32> = indexes.filter(|index| is_known(&topic.name, *index)).collect();
        if !known.is_empty() {
            topics.push((&topic.name, known));
        }
    }
    let stepped = group_job::named(&body.group_id)
        .and_then(|id| group_job::step(context, id, |groups, step| groups.delete_offsets(step, id, &topics)));
    let (result, barrier) = match stepped {
        Ok((result, barrier)) => (result, Some(barrier)),
        Err(error) => (Err(error), None),
    };
    let errors = match result {
        Ok(errors) => errors,
        Err(error) => {
            let response = message::Response { error_code: error.code(), ..Default::default() };
            return request.head.answer_behind(context, barrier, &response);
        }
    };
    let mut known = errors.into_iter().flatten();
    let topic = |topic: &message::OffsetDeleteRequestTopic<'_>| {
        let partition = |index: i32| OffsetDeleteResponsePartition {
            partition_index: index,
            error_code: match is_known(&topic.name, index) {
                true => known.next().unwrap_or(ErrorCode::UnknownServerError).code(),
                false if refused.contains(&*topic.name) => ErrorCode::TopicAuthorizationFailed.code(),
                false => ErrorCode::UnknownTopicOrPartition.code(),
            },
        };
        let partitions = topic.partitions.iter().map(|partition| partition.partition_index).map(partition).collect();
        OffsetDeleteResponseTopic { name: topic.name.to_string().into(), partitions }
    };
    let topics = body.topics.iter().map(topic).collect();
    request.head.answer_behind(context, barrier, &message::Response { topics, ..Default::default() })
}
