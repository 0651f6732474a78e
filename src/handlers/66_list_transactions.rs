//! ListTransactions (key 66), versions 0–2: the transactional ids that this broker coordinates (KIP-664).
//!
//! Names of states that do not exist are told, each once, and a pattern that is no regular expression is
//! INVALID_REGULAR_EXPRESSION. While one of the coordinators loads nothing is listed
//! (`TransactionStateManager.listTransactionStates`). Versions: 1 filters by duration (KIP-994); 2 by a pattern of ids
//! (KIP-1152).
//!
//! Ids that the client may not describe are left out.
//!
//! Deviation: of ids outside of ASCII an expression knows only what the crate `regex` knows without Unicode's tables.

use std::collections::HashSet;

use super::{Outcome, Request, State};
use crate::codec::Str;
use crate::coordinator::regex::IdPattern;
use crate::coordinator::transactions::{Filter, State as TransactionState};
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::list_transactions as message;

/// States that live in the memory of Kafka's coordinator only, and no id is listed in.
const TRANSIENT_STATES: [&str; 2] = ["Dead", "PrepareEpochFence"];

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let pattern = body.transactional_id_pattern.as_deref().filter(|pattern| !pattern.is_empty());
    let Ok(pattern) = pattern.map(IdPattern::compile).transpose() else {
        return refuse(request, ErrorCode::InvalidRegularExpression);
    };
    let named = |name: &Str<'_>| TransactionState::ALL.into_iter().find(|state| state.name() == &**name);
    let states: Vec<TransactionState> = body.state_filters.iter().filter_map(named).collect();
    let filter = Filter {
        producer_ids: body.producer_id_filters.iter().copied().collect(),
        states: (!body.state_filters.is_empty()).then_some(states),
        duration_ms: body.duration_filter,
        matches_id: &|id| pattern.as_ref().is_none_or(|pattern| pattern.matches(id)),
        now: context.wall,
    };
    let (mut listed, mut barriers) = (Vec::new(), Vec::new());
    for coordinator in context.shared.transactions().all(context.view) {
        match coordinator.and_then(|coordinator| coordinator.look(|machine| machine.list(&filter))) {
            Ok((of, barrier)) => {
                listed.extend(of);
                barriers.push(barrier);
            }
            Err(ErrorCode::CoordinatorLoadInProgress) => return refuse(request, ErrorCode::CoordinatorLoadInProgress),
            // It is not this broker's, or its directory has failed.
            Err(_) => {}
        }
    }
    let may = |id: &str| request.may(context, AclOperation::Describe, AclResource::TransactionalId, id);
    let shown = listed.iter().filter(|listed| may(&listed.transactional_id));
    let transaction_states = shown.map(|listed| message::TransactionState {
        transactional_id: (&*listed.transactional_id).into(),
        producer_id: listed.producer_id,
        transaction_state: listed.state.name().into(),
    });
    let mut seen = HashSet::new();
    let is_unknown = |name: &&Str<'_>| named(name).is_none() && !TRANSIENT_STATES.contains(&&***name);
    let unknown = body.state_filters.iter().filter(is_unknown).filter(|name| seen.insert(&***name));
    let response = message::Response {
        unknown_state_filters: unknown.cloned().collect(),
        transaction_states: transaction_states.collect(),
        ..Default::default()
    };
    request.head.answer_behind(context, barriers, &response)
}

fn refuse(request: &Request<'_>, error: ErrorCode) -> Outcome {
    request.head.answer(&message::Response { error_code: error.code(), ..Default::default() })
}
