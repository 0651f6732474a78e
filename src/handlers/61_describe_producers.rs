//! DescribeProducers (key 61), version 0: what a partition remembers of its producers (KIP-664).
//!
//! By it `kafka-transactions` finds transactions that hang. Producers come in the order of their ids. As Kafka, a topic
//! that is not there has Kafka's sentence in each of its partitions, a partition that is not there has none
//! (`KafkaApis.handleDescribeProducersRequest`). Needs Read of each topic, which is asked of names that a topic can have.
//!
//! Deviations, so that a small request cannot ask for an answer of any size: what is named twice is answered once, and only
//! partitions have sentences only up to [`MOST_MESSAGE_BYTES`].

use std::collections::{HashMap, HashSet};

use super::access::TOPIC_REFUSED;
use super::{Outcome, Request, State};
use crate::codec::Str;
use crate::metadata::topic_name;
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::storage::log::Producer;
use crate::wire::api::describe_producers::{self as message, PartitionResponse, ProducerState, TopicResponse};

/// So long are all sentences of an answer together: an index takes 4 bytes of a request, a sentence takes 47 and more.
const MOST_MESSAGE_BYTES: usize = 1024 * 1024;
/// `ProducerState.CurrentTxnStartOffset` where no transaction is open.
const NO_TRANSACTION: i64 = -1;
/// `Errors.UNKNOWN_TOPIC_OR_PARTITION.message`
const UNKNOWN_TOPIC: &str = "This server does not host this topic-partition.";

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let mut seen: HashMap<&str, HashSet<i32>> = HashMap::new();
    let mut room = MOST_MESSAGE_BYTES;
    let mut topics = Vec::with_capacity(body.topics.len());
    for topic in &body.topics {
        let refused = refuse_topic(context, request, &topic.name);
        let seen = seen.entry(&topic.name).or_default();
        let indexes = topic.partition_indexes.iter().copied().filter(|index| seen.insert(*index));
        let partitions = indexes.map(|index| match &refused {
            Some((error, message)) => {
                let error_message = room.checked_sub(message.len()).map(|left| {
                    room = left;
                    message.clone()
                });
                PartitionResponse { error_code: error.code(), error_message, ..described(index) }
            }
            None => describe(context, &topic.name, index),
        });
        topics.push(TopicResponse { name: topic.name.clone(), partitions: partitions.collect() });
    }
    request.head.answer(&message::Response { topics, ..Default::default() })
}

/// Why nothing is told of any of a topic's partitions.
fn refuse_topic(context: &Context<'_>, request: &Request<'_>, name: &str) -> Option<(ErrorCode, Str<'static>)> {
    if let Err(message) = topic_name::validate(name) {
        return Some((ErrorCode::InvalidTopicException, message.into()));
    }
    if !request.may(context, AclOperation::Read, AclResource::Topic, name) {
        return Some((ErrorCode::TopicAuthorizationFailed, TOPIC_REFUSED.into()));
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
