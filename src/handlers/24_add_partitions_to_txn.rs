//! AddPartitionsToTxn (key 24), versions 0–5: partitions in which a producer is about to write in its transaction.
//!
//! Up to version 3 a client asks for one transaction; from 4 on brokers ask for several at once, and may only ask whether the
//! partitions are in (KIP-890). A partition that is not there refuses the whole transaction: the others are
//! OPERATION_NOT_ATTEMPTED. So does an internal topic that a client names. Versions: 2 PRODUCER_FENCED instead of INVALID_PRODUCER_EPOCH; 3 flexible; 5
//! TRANSACTION_ABORTABLE. Source: `KafkaApis.handleAddPartitionsToTxnRequest`.
//!
//! Needs Write of the transactional id and of each topic, none of which is internal; of brokers ClusterAction of the cluster and
//! nothing else.

use std::collections::BTreeSet;

use super::{Outcome, Request, State};
use crate::codec::Str;
use crate::coordinator::machine::Producer;
use crate::coordinator::transactions::{EPOCH_BUMP_SINCE, TopicPartition, Transactions};
use crate::coordinator_runtime::Barrier;
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::add_partitions_to_txn::{
    self as message, AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult, AddPartitionsToTxnTransaction,
};

/// The first version that knows PRODUCER_FENCED, and the first of brokers.
const FENCED_SINCE: i16 = 2;
const BATCHED_SINCE: i16 = 4;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let version = request.head.version;
    let mut barriers = Vec::new();
    if version >= BATCHED_SINCE {
        if !request.may_cluster(context, AclOperation::ClusterAction) {
            let error_code = ErrorCode::ClusterAuthorizationFailed.code();
            return request.head.answer(&message::Response { error_code, ..Default::default() });
        }
        let results = body.transactions.iter().map(|of| add(context, request, of, &mut barriers));
        let response = message::Response { results_by_transaction: results.collect(), ..Default::default() };
        return request.head.answer_behind(context, barriers, &response);
    }
    let only = AddPartitionsToTxnTransaction {
        transactional_id: body.v3_and_below_transactional_id,
        producer_id: body.v3_and_below_producer_id,
        producer_epoch: body.v3_and_below_producer_epoch,
        verify_only: false,
        topics: body.v3_and_below_topics,
    };
    let result = match request.may(context, AclOperation::Write, AclResource::TransactionalId, &only.transactional_id) {
        true => add(context, request, &only, &mut barriers),
        false => {
            let count = only.topics.iter().map(|topic| topic.partitions.len()).sum();
            result(&only, vec![ErrorCode::TransactionalIdAuthorizationFailed; count])
        }
    };
    let response = message::Response { results_by_topic_v3_and_below: result.topic_results, ..Default::default() };
    request.head.answer_behind(context, barriers, &response)
}

fn add<'a>(
    context: &mut Context<'_>,
    request: &Request<'_>,
    asked: &AddPartitionsToTxnTransaction<'a>,
    barriers: &mut Vec<Barrier>,
) -> AddPartitionsToTxnResult<'a> {
    let version = request.head.version;
    let partitions: Vec<TopicPartition> = asked.topics.iter().flat_map(named).collect();
    let image = &context.view.image;
    let is_there =
        |(topic, index): &TopicPartition| image.topic(topic).is_some_and(|topic| topic.partition(*index).is_some());
    // Clients may not write to the broker's own topics.
    let may_write = |topic: &str| {
        !context.view.is_internal(topic) && request.may(context, AclOperation::Write, AclResource::Topic, topic)
    };
    let names = asked.topics.iter().filter(|_| version < BATCHED_SINCE).map(|topic| &*topic.name);
    let refused: BTreeSet<&str> = names.filter(|name| !may_write(name)).collect();
    let is_allowed = |(topic, _): &TopicPartition| !refused.contains(&**topic);
    let errors = if partitions.iter().all(|partition| is_there(partition) && is_allowed(partition)) {
        match step(context, version, asked, &partitions) {
            Ok((errors, barrier)) => {
                barriers.push(barrier);
                errors
            }
            Err(error) => vec![told(error, version); partitions.len()],
        }
    } else {
        let refuse = |partition: &TopicPartition| {
            if !is_allowed(partition) {
                ErrorCode::TopicAuthorizationFailed
            } else if is_there(partition) {
                ErrorCode::OperationNotAttempted
            } else {
                ErrorCode::UnknownTopicOrPartition
            }
        };
        partitions.iter().map(refuse).collect()
    };
    result(asked, errors)
}

fn step(
    context: &mut Context<'_>,
    version: i16,
    asked: &AddPartitionsToTxnTransaction<'_>,
    partitions: &[TopicPartition],
) -> Result<(Vec<ErrorCode>, Barrier), ErrorCode> {
    let (id, producer) = (&*asked.transactional_id, Producer { id: asked.producer_id, epoch: asked.producer_epoch });
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let coordinator = context.coordinator_of::<Transactions>(id)?;
    if asked.verify_only {
        let (verified, barrier) = coordinator.look(|machine| machine.verify_partitions(id, producer, partitions))?;
        return Ok((verified?.1, barrier));
    }
    let client_version = if version >= BATCHED_SINCE { EPOCH_BUMP_SINCE } else { 0 };
    let (added, barrier) = context
        .step(&coordinator, |machine, step| machine.add_partitions(step, id, producer, partitions, client_version))?;
    added?;
    Ok((vec![ErrorCode::None; partitions.len()], barrier))
}

fn told(error: ErrorCode, version: i16) -> ErrorCode {
    match error {
        ErrorCode::ProducerFenced if version < FENCED_SINCE => ErrorCode::InvalidProducerEpoch,
        error => error,
    }
}

fn named(topic: &AddPartitionsToTxnTopic<'_>) -> Vec<TopicPartition> {
    let name: std::sync::Arc<str> = (&*topic.name).into();
    topic.partitions.iter().map(|partition| (name.clone(), *partition)).collect()
}

/// The answer for one transaction; the errors stand in the order of its partitions.
fn result<'a>(asked: &AddPartitionsToTxnTransaction<'a>, errors: Vec<ErrorCode>) -> AddPartitionsToTxnResult<'a> {
    let mut errors = errors.into_iter();
    let topic_result = |topic: &AddPartitionsToTxnTopic<'a>| {
        let partitions = topic.partitions.iter().zip(errors.by_ref());
        let results = partitions.map(|(partition_index, error)| AddPartitionsToTxnPartitionResult {
            partition_index: *partition_index,
            partition_error_code: error.code(),
        });
        let name: Str<'a> = topic.name.clone();
        AddPartitionsToTxnTopicResult { name, results_by_partition: results.collect() }
    };
    let topic_results = asked.topics.iter().map(topic_result).collect();
    AddPartitionsToTxnResult { transactional_id: asked.transactional_id.clone(), topic_results }
}
