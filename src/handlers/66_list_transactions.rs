//! ListTransactions (key 66), versions 0–2: the transactional ids that this broker coordinates (KIP-664).
//!
//! Not built yet: transactions, so there are none. Names of states that do not exist are told, each once, and a pattern
//! that is no regular expression is INVALID_REGULAR_EXPRESSION (`TransactionStateManager.listTransactionStates`).
//! Versions: 1 filters by duration (KIP-994); 2 by a pattern of ids (KIP-1152).

use std::collections::HashSet;

use super::{Outcome, Request, State};
use crate::coordinator::regex::TopicPattern;
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::list_transactions as message;

/// `TransactionState.stateName`
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

pub(super) fn handle(_: &mut State, _: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let pattern = body.transactional_id_pattern.as_deref().unwrap_or_default();
    if !pattern.is_empty() && TopicPattern::compile(pattern).is_err() {
        let error_code = ErrorCode::InvalidRegularExpression.code();
        return request.head.answer(&message::Response { error_code, ..Default::default() });
    }
    let mut seen = HashSet::new();
    let unknown = body.state_filters.iter().filter(|name| !STATES.contains(&&***name) && seen.insert(&***name));
    let unknown_state_filters = unknown.cloned().collect();
    request.head.answer(&message::Response { unknown_state_filters, ..Default::default() })
}
