//! AddOffsetsToTxn (key 25), versions 0–4: the offsets of a group become part of a producer's transaction.
//!
//! It adds the group's partition of `__consumer_offsets`; clients of transaction version 2 do not ask for it. Versions: 2
//! PRODUCER_FENCED instead of INVALID_PRODUCER_EPOCH; 3 flexible; 4 TRANSACTION_ABORTABLE. Source:
//! `KafkaApis.handleAddOffsetsToTxnRequest`. Needs Write of the transactional id, then Read of the group.

use super::{Outcome, Request, State};
use crate::coordinator::machine::Producer;
use crate::coordinator::transactions::{TopicPartition, Transactions};
use crate::coordinator_runtime::{Barrier, GROUPS_TOPIC};
use crate::model::{ErrorCode, java_hash};
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::add_offsets_to_txn as message;

/// The first version that knows PRODUCER_FENCED.
const FENCED_SINCE: i16 = 2;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let (error, barrier) = match add(context, request, &body) {
        Ok(barrier) => (ErrorCode::None, Some(barrier)),
        Err(ErrorCode::ProducerFenced) if request.head.version < FENCED_SINCE => {
            (ErrorCode::InvalidProducerEpoch, None)
        }
        Err(error) => (error, None),
    };
    let response = message::Response { error_code: error.code(), ..Default::default() };
    request.head.answer_behind(context, barrier, &response)
}

fn add(context: &mut Context<'_>, request: &Request<'_>, body: &message::Request<'_>) -> Result<Barrier, ErrorCode> {
    if !request.may(context, AclOperation::Write, AclResource::TransactionalId, &body.transactional_id) {
        return Err(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    if !request.may(context, AclOperation::Read, AclResource::Group, &body.group_id) {
        return Err(ErrorCode::GroupAuthorizationFailed);
    }
    let (id, producer) = (&*body.transactional_id, Producer { id: body.producer_id, epoch: body.producer_epoch });
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let partition = offsets_partition(context, &body.group_id);
    let coordinator = context.coordinator_of::<Transactions>(id)?;
    let (added, barrier) =
        context.step(&coordinator, |machine, step| machine.add_partitions(step, id, producer, &[partition], 0))?;
    added.map(|_| barrier)
}

/// Where a group's offsets are; where they will be, if there are none yet.
pub(super) fn offsets_partition(context: &Context<'_>, group_id: &str) -> TopicPartition {
    let count = context.view.topic(GROUPS_TOPIC).map(|topic| topic.partitions.len());
    let count = count.unwrap_or_else(|| {
        let settings = context.shared.coordinators().settings(context.view);
        usize::try_from(settings.surroundings.topic_partitions).unwrap_or(1)
    });
    (GROUPS_TOPIC.into(), java_hash::partition_for(group_id, count))
}
