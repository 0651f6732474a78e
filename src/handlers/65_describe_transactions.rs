//! DescribeTransactions (key 65), version 0: the state of transactional ids (KIP-664).
//!
//! Deviation: the partitions of a transaction that is ending are told until it is complete; Kafka leaves out those that have
//! their marker. Source: `TransactionCoordinator.handleDescribeTransactions`.
//!
//! Needs Describe of each transactional id. Topics that the client may not describe are left out.

use super::{Outcome, Request, State};
use crate::codec::Str;
use crate::coordinator::transactions::{Described, Transactions};
use crate::coordinator_runtime::Barrier;
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::describe_transactions::{self as message, TopicData, TransactionState};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let mut barriers = Vec::new();
    let states = body.transactional_ids.iter().map(|id| respond(context, request, id, &mut barriers));
    let transaction_states = match request.head.gather(states) {
        Ok(states) => states,
        Err(early) => return early,
    };
    request.head.answer_behind(context, barriers, &message::Response { transaction_states, ..Default::default() })
}

fn respond<'r>(
    context: &Context<'_>,
    request: &Request<'_>,
    id: &'r str,
    barriers: &mut Vec<Barrier>,
) -> TransactionState<'r> {
    let described = match request.may(context, AclOperation::Describe, AclResource::TransactionalId, id) {
        true => describe(context, id),
        false => Err(ErrorCode::TransactionalIdAuthorizationFailed),
    };
    match described {
        Ok((mut described, barrier)) => {
            let may = |topic: &str| request.may(context, AclOperation::Describe, AclResource::Topic, topic);
            described.topics.retain(|topic, _| may(topic));
            barriers.push(barrier);
            state(id.into(), described)
        }
        Err(error) => TransactionState { error_code: error.code(), transactional_id: id.into(), ..Default::default() },
    }
}

fn describe(context: &Context<'_>, id: &str) -> Result<(Described, Barrier), ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let (described, barrier) = context.coordinator_of::<Transactions>(id)?.look(|machine| machine.describe(id))?;
    Ok((described?, barrier))
}

fn state(transactional_id: Str<'_>, described: Described) -> TransactionState<'_> {
    let topics = described.topics.into_iter().map(|(topic, partitions)| TopicData { topic: topic.into(), partitions });
    TransactionState {
        error_code: 0,
        transactional_id,
        transaction_state: described.state.name().into(),
        transaction_timeout_ms: described.timeout_ms,
        transaction_start_time_ms: described.start_ms,
        producer_id: described.producer.id,
        producer_epoch: described.producer.epoch,
        topics: topics.collect(),
    }
}
