//! OffsetCommit (key 8), versions 2–10: how far a group, or a consumer without one, has come.
//!
//! Topics that the cluster does not have are answered here and never reach the coordinator. Versions: 5 no retention
//! time of the client's own any more; 6 leader epochs (KIP-320); 7 static members (KIP-345); 8 flexible; 9 member epochs
//! of consumer groups (KIP-848); 10 topic ids.

use super::{Outcome, Request, State, group_job};
use crate::coordinator::offsets::{Commit, CommitPartition, CommitTopic};
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::offset_commit::{self as message, OffsetCommitRequestTopic, OffsetCommitResponsePartition};

/// The first version that names topics by id.
const TOPIC_ID_SINCE: i16 = 10;

type Responses<'a> = Vec<message::OffsetCommitResponseTopic<'a>>;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let view = context.view.clone();
    let (mut topics, mut responses) = (Vec::new(), Vec::new());
    // For each topic that is asked about: where its partitions stand in the answer.
    let mut places: Vec<Vec<(usize, usize)>> = Vec::new();
    for topic in &body.topics {
        let found = if request.head.version >= TOPIC_ID_SINCE {
            view.image.topic_by_id(topic.topic_id).ok_or(ErrorCode::UnknownTopicId)
        } else {
            view.topic(&topic.name).ok_or(ErrorCode::UnknownTopicOrPartition)
        };
        let at = responses.len();
        responses.push(respond(topic, found.as_ref().err().copied().unwrap_or(ErrorCode::None)));
        let Ok(found) = found else { continue };
        let (mut known, mut stand) = (Vec::new(), Vec::new());
        for (place, partition) in topic.partitions.iter().enumerate() {
            if found.partition(partition.partition_index).is_none() {
                responses[at].partitions[place].error_code = ErrorCode::UnknownTopicOrPartition.code();
                continue;
            }
            stand.push((at, place));
            known.push(CommitPartition {
                partition: partition.partition_index,
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.as_deref(),
            });
        }
        if !known.is_empty() {
            topics.push(CommitTopic { name: &found.name, topic_id: found.id, partitions: known });
            places.push(stand);
        }
    }
    if topics.is_empty() {
        return answer(request, context, responses, None);
    }
    let commit = Commit {
        api_version: request.head.version,
        group_id: &body.group_id,
        generation_id_or_member_epoch: body.generation_id_or_member_epoch,
        member_id: &body.member_id,
        instance_id: body.group_instance_id.as_deref(),
        retention_time_ms: body.retention_time_ms,
        topics,
    };
    let stepped = group_job::step(context, &body.group_id, |groups, step| groups.commit_offsets(step, &commit));
    let (result, barrier) = match stepped {
        Ok((result, barrier)) => (result, Some(barrier)),
        Err(error) => (Err(error), None),
    };
    for (topic, stand) in places.iter().enumerate() {
        for (partition, (at, place)) in stand.iter().enumerate() {
            let error = result.as_ref().map_or_else(|error| *error, |errors| errors[topic][partition]);
            responses[*at].partitions[*place].error_code = error.code();
        }
    }
    answer(request, context, responses, barrier)
}

fn respond<'a>(topic: &OffsetCommitRequestTopic<'a>, error: ErrorCode) -> message::OffsetCommitResponseTopic<'a> {
    let partition = |partition: &message::OffsetCommitRequestPartition<'_>| OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: error.code(),
    };
    message::OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(partition).collect(),
    }
}

fn answer(
    request: &Request<'_>,
    context: &Context<'_>,
    topics: Responses<'_>,
    barrier: Option<crate::coordinator_runtime::Barrier>,
) -> Outcome {
    request.head.answer_behind(context, barrier, &message::Response { topics, ..Default::default() })
}
