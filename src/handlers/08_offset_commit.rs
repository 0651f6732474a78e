//! OffsetCommit (key 8), versions 2–10: how far a group, or a consumer without one, has come.
//!
//! Topics that the cluster does not have are answered here and never reach the coordinator; neither do those that the client
//! may not read. Needs Read of the group, and of each topic. Versions: 5 no retention
//! time of the client's own any more; 6 leader epochs (KIP-320); 7 static members (KIP-345); 8 flexible; 9 member epochs
//! of consumer groups (KIP-848); 10 topic ids.

use super::committed_topics::{self, Named, Topics};
use super::{Outcome, Request, State, group_job};
use crate::coordinator::offsets::{Commit, CommitPartition};
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::offset_commit::{
    self as message, OffsetCommitRequestTopic, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

/// The first version that names topics by id.
const TOPIC_ID_SINCE: i16 = 10;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if !request.may(context, AclOperation::Read, AclResource::Group, &body.group_id) {
        return refuse_all(request, &body);
    }
    let view = context.view.clone();
    let by_id = request.head.version >= TOPIC_ID_SINCE;
    let names = body.topics.iter().map(|topic| (&*topic.name, topic.topic_id));
    let denied = committed_topics::denied(context, request, by_id, names);
    let mut topics = Topics::find(&view, by_id, &denied, body.topics.iter().map(named));
    let mut barrier = None;
    if !topics.known.is_empty() {
        let commit = Commit {
            api_version: request.head.version,
            group_id: &body.group_id,
            generation_id_or_member_epoch: body.generation_id_or_member_epoch,
            member_id: &body.member_id,
            instance_id: body.group_instance_id.as_deref(),
            retention_time_ms: body.retention_time_ms,
            topics: std::mem::take(&mut topics.known),
        };
        match group_job::step(context, &body.group_id, |groups, step| groups.commit_offsets(step, &commit)) {
            Ok((reply, passes)) => {
                topics.answer(&reply);
                barrier = Some(passes);
            }
            Err(error) => topics.answer(&Err(error)),
        }
    }
    let topics = body.topics.iter().zip(&topics.errors).map(respond).collect();
    request.head.answer_behind(context, barrier, &message::Response { topics, ..Default::default() })
}

fn refuse_all(request: &Request<'_>, body: &message::Request<'_>) -> Outcome {
    let refused =
        |topic: &OffsetCommitRequestTopic<'_>| vec![ErrorCode::GroupAuthorizationFailed; topic.partitions.len()];
    let errors: Vec<Vec<ErrorCode>> = body.topics.iter().map(refused).collect();
    let topics = body.topics.iter().zip(&errors).map(respond).collect();
    request.head.answer(&message::Response { topics, ..Default::default() })
}

fn named<'a>(topic: &'a OffsetCommitRequestTopic<'_>) -> Named<'a> {
    let partitions = topic.partitions.iter().map(|partition| CommitPartition {
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.as_deref(),
    });
    Named { name: &topic.name, topic_id: topic.topic_id, partitions: partitions.collect() }
}

fn respond<'a>((topic, errors): (&OffsetCommitRequestTopic<'a>, &Vec<ErrorCode>)) -> OffsetCommitResponseTopic<'a> {
    let partitions = topic.partitions.iter().zip(errors);
    let partitions = partitions.map(|(partition, error)| OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: error.code(),
    });
    let (name, topic_id) = (topic.name.clone(), topic.topic_id);
    OffsetCommitResponseTopic { name, topic_id, partitions: partitions.collect() }
}
