//! RenewDelegationToken (key 39), versions 1–2: a later end for a token (KIP-48).
//!
//! DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as CreateDelegationToken. Version 2 is flexible.

use super::create_delegation_token::NO_TIMESTAMP;
use super::{Outcome, Request, State};
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::renew_delegation_token as message;

pub(super) fn handle(_: &mut State, _: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    if let Err(early) = request.decode::<message::Request>() {
        return early;
    }
    request.head.answer(&message::Response {
        error_code: ErrorCode::DelegationTokenRequestNotAllowed.code(),
        expiry_timestamp_ms: NO_TIMESTAMP,
        ..Default::default()
    })
}
