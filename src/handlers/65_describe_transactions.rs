//! DescribeTransactions (key 65), version 0: the state of transactional ids (KIP-664).
//!
//! Not built yet: transactions. This broker coordinates no transactional id, which is NOT_COORDINATOR; so answers a broker
//! of Kafka that leads no partition of `__transaction_state`, as each does before the first transactional id comes
//! (`TransactionCoordinator.handleDescribeTransactions`).

use super::{Outcome, Request, State};
use crate::codec::Str;
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::describe_transactions::{self as message, TransactionState};

pub(super) fn handle(_: &mut State, _: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let transaction_states = body.transactional_ids.into_iter().map(refuse).collect();
    request.head.answer(&message::Response { transaction_states, ..Default::default() })
}

fn refuse(transactional_id: Str<'_>) -> TransactionState<'_> {
    let error = if transactional_id.is_empty() { ErrorCode::InvalidRequest } else { ErrorCode::NotCoordinator };
    TransactionState { error_code: error.code(), transactional_id, ..Default::default() }
}
