//! ListPartitionReassignments (key 46), version 0: partitions whose replicas are being moved (KIP-455).
//!
//! One node moves nothing, so the answer is empty, unless the metadata log came from a cluster that was about to. What
//! is asked for and is not being moved, or does not exist, is left out, as in Kafka
//! (`ReplicationControlManager.listPartitionReassignments`). Needs Describe of the cluster.

use std::collections::BTreeSet;

use super::{Outcome, Request, State};
use crate::metadata::{Partition, Refusal, Topic};
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::list_partition_reassignments::{
    self as message, OngoingPartitionReassignment, OngoingTopicReassignment,
};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if let Err(refusal) = request.must_cluster(context, AclOperation::Describe) {
        return request.head.answer(&refuse(&body, &refusal));
    }
    let image = &context.view.image;
    let topics = match &body.topics {
        None => request.head.gather(image.topics().filter_map(|topic| ongoing(topic, |_| true))),
        Some(asked) => {
            let of_topic = |asked: &message::ListPartitionReassignmentsTopics<'_>| {
                let indexes: BTreeSet<i32> = asked.partition_indexes.iter().copied().collect();
                ongoing(image.topic(&asked.name)?, |partition| indexes.contains(&partition.index))
            };
            request.head.gather(asked.iter().filter_map(of_topic))
        }
    };
    let topics = match topics {
        Ok(topics) => topics,
        Err(early) => return early,
    };
    request.head.answer(&message::Response { error_message: None, topics, ..Default::default() })
}

/// What is asked for is named in the answer (`ListPartitionReassignmentsRequest.getErrorResponse`).
fn refuse<'r>(body: &'r message::Request<'_>, refusal: &'r Refusal) -> message::Response<'r> {
    let partition = |partition_index: &i32| OngoingPartitionReassignment {
        partition_index: *partition_index,
        ..Default::default()
    };
    let topics = body.topics.iter().flatten().map(|topic| OngoingTopicReassignment {
        name: (&*topic.name).into(),
        partitions: topic.partition_indexes.iter().map(partition).collect(),
    });
    message::Response {
        error_code: refusal.error.code(),
        error_message: refusal.message.as_deref().map(Into::into),
        topics: topics.collect(),
        ..Default::default()
    }
}

fn ongoing<'r>(topic: &'r Topic, is_asked: impl Fn(&Partition) -> bool) -> Option<OngoingTopicReassignment<'r>> {
    let is_moving = |p: &&Partition| !p.adding_replicas.is_empty() || !p.removing_replicas.is_empty();
    let moving = topic.partitions.iter().map(|partition| &**partition).filter(is_moving);
    let partitions: Vec<_> = moving.filter(|partition| is_asked(partition)).map(reassignment).collect();
    (!partitions.is_empty()).then(|| OngoingTopicReassignment { name: (&*topic.name).into(), partitions })
}

fn reassignment(partition: &Partition) -> OngoingPartitionReassignment {
    OngoingPartitionReassignment {
        partition_index: partition.index,
        replicas: partition.replicas.to_vec(),
        adding_replicas: partition.adding_replicas.to_vec(),
        removing_replicas: partition.removing_replicas.to_vec(),
    }
}
