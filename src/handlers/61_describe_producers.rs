//! DescribeProducers (key 61), version 0: what a partition remembers of its producers (KIP-664).
//!
//! By it `kafka-transactions` finds transactions that hang. Producers come in the order of their ids. As Kafka, a topic
//! that is not there has Kafka's sentence in each of its partitions, a partition that is not there has none
//! (`KafkaApis.handleDescribeProducersRequest`).
//!
//! Deviations, so that a small request cannot ask for an answer of any size: what is named twice is answered once, and only
//! the first [`MOST_MESSAGES`] partitions have sentences.

use std::collections::HashSet;

use super::{Outcome, Request, State};
use crate::codec::Str;
use crate::metadata::topic_name;
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::storage::log::Producer;
use crate::wire::api::describe_producers::{self as message, PartitionResponse, ProducerState, TopicResponse};

/// As many sentences are in one answer; an index takes 4 bytes of a request, a sentence takes 50 and more.
const MOST_MESSAGES: usize = 10_000;
/// `ProducerState.CurrentTxnStartOffset` where no transaction is open.
const NO_TRANSACTION: i64 = -1;
/// `Errors.UNKNOWN_TOPIC_OR_PARTITION.message`
const UNKNOWN_TOPIC: &str = "This server does not host this topic-partition.";

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let (mut seen, mut messages) = (HashSet::new(), 0);
    let mut topics = Vec::with_capacity(body.topics.len());
    for topic in &body.topics {
        let refused = refuse_topic(context, &topic.name);
        let mut partitions = Vec::new();
        for index in topic.partition_indexes.iter().copied().filter(|index| seen.insert((&*topic.name, *index))) {
            let mut partition = match &refused {
                Some((error, message)) => PartitionResponse {
                    error_code: error.code(),
                    error_message: Some(message.clone()),
                    ..described(index)
                },
                None => describe(context, &topic.name, index),
            };
            messages += usize::from(partition.error_message.is_some());
            if messages > MOST_MESSAGES {
                partition.error_message = None;
            }
            partitions.push(partition);
        }
        topics.push(TopicResponse { name: topic.name.clone(), partitions });
    }
    request.head.answer(&message::Response { topics, ..Default::default() })
}

/// Why nothing is told of any of a topic's partitions.
fn refuse_topic(context: &Context<'_>, name: &str) -> Option<(ErrorCode, Str<'static>)> {
    if let Err(message) = topic_name::validate(name) {
        return Some((ErrorCode::InvalidTopicException, message.into()));
    }
    let unknown = context.view.topic(name).is_none();
    unknown.then(|| (ErrorCode::UnknownTopicOrPartition, UNKNOWN_TOPIC.into()))
}

fn described(partition_index: i32) -> PartitionResponse<'static> {
    PartitionResponse { partition_index, ..Default::default() }
}

fn describe(context: &Context<'_>, topic: &str, index: i32) -> PartitionResponse<'static> {
    let partition = context.view.partition_by_name(topic, index);
    let active =
        partition.and_then(|partition| partition.log.active_producers().map_err(|_| ErrorCode::KafkaStorageError));
    match active {
        Ok(active) => PartitionResponse { active_producers: active.iter().map(state).collect(), ..described(index) },
        Err(error) => PartitionResponse { error_code: error.code(), ..described(index) },
    }
}

fn state((producer_id, producer): &(i64, Producer)) -> ProducerState {
    ProducerState {
        producer_id: *producer_id,
        producer_epoch: producer.epoch.into(),
        last_sequence: producer.last_sequence(),
        last_timestamp: producer.last_timestamp.0,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.txn_first_offset.map_or(NO_TRANSACTION, |offset| offset.0),
    }
}
