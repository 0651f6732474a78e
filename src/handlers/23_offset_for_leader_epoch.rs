//! OffsetForLeaderEpoch (key 23), versions 2–4 (KIP-320): where an epoch ends in our log, so that a client can find out
//! whether what it has read was truncated away. Version 4 is flexible. Needs ClusterAction of the cluster, or Describe of each
//! topic.

use super::{Outcome, Request, State};
use crate::model::{ErrorCode, LeaderEpoch};
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::offset_for_leader_epoch::{
    self as message, EpochEndOffset, OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let may_all = request.may_cluster_silently(context, AclOperation::ClusterAction);
    let may = |name: &str| may_all || request.may(context, AclOperation::Describe, AclResource::Topic, name);
    let refused = |asked: &OffsetForLeaderPartition| EpochEndOffset {
        partition: asked.partition,
        error_code: ErrorCode::TopicAuthorizationFailed.code(),
        ..Default::default()
    };
    let topics = body.topics.iter().map(|topic| {
        let is_told = may(&topic.topic);
        let respond = |asked| if is_told { respond(context, &topic.topic, asked) } else { refused(asked) };
        OffsetForLeaderTopicResult {
            topic: topic.topic.clone(),
            partitions: topic.partitions.iter().map(respond).collect(),
        }
    });
    request.head.answer(&message::Response { topics: topics.collect(), ..Default::default() })
}

fn respond(context: &Context<'_>, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let undefined = EpochEndOffset { partition: asked.partition, ..Default::default() };
    match end_of_epoch(context, topic, asked) {
        Ok(Some((epoch, end_offset))) => EpochEndOffset { leader_epoch: epoch.0, end_offset, ..undefined },
        Ok(None) => undefined,
        Err(error) => EpochEndOffset { error_code: error.code(), ..undefined },
    }
}

fn end_of_epoch(
    context: &Context<'_>,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(LeaderEpoch, i64)>, ErrorCode> {
    let partition = context.view.partition_by_name(topic, asked.partition)?;
    partition.check_leader_epoch(asked.current_leader_epoch)?;
    let found = partition.log.end_offset_for_epoch(LeaderEpoch(asked.leader_epoch));
    Ok(found.map(|(epoch, end)| (epoch, end.0)))
}
