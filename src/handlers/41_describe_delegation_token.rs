//! DescribeDelegationToken (key 41), versions 1–3: which tokens there are (KIP-48).
//!
//! DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as CreateDelegationToken, also where the metadata log holds tokens. Versions: 2
//! flexible; 3 who asked for a token beside whose it is (KIP-373).

use super::{Outcome, Request, State};
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::describe_delegation_token as message;

pub(super) fn handle(_: &mut State, _: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    if let Err(early) = request.decode::<message::Request>() {
        return early;
    }
    let error_code = ErrorCode::DelegationTokenRequestNotAllowed.code();
    request.head.answer(&message::Response { error_code, ..Default::default() })
}
