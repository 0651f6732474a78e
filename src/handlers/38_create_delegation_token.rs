//! CreateDelegationToken (key 38), versions 1–3: a token that stands for a user (KIP-48).
//!
//! A connection without authentication gets none: on a listener of the protocol PLAINTEXT Kafka answers
//! DELEGATION_TOKEN_REQUEST_NOT_ALLOWED before it asks whether tokens are turned on (`KafkaApis.allowTokenRequests`), with
//! the owner that was asked for. Versions: 2 flexible; 3 tokens for other users (KIP-373).
//!
//! Deviation: where an owner has a name and no type Kafka fails with UNKNOWN_SERVER_ERROR; here the requester is the owner.

use super::{Outcome, Request, State};
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::create_delegation_token as message;

/// `KafkaPrincipal.ANONYMOUS`, its type and its name: everyone who comes without authentication.
const ANONYMOUS: (&str, &str) = ("User", "ANONYMOUS");
/// `DelegationTokenManager.ERROR_TIMESTAMP`
pub(super) const NO_TIMESTAMP: i64 = -1;
/// The first version that names the requester beside the owner.
const REQUESTER_SINCE: i16 = 3;

pub(super) fn handle(_: &mut State, _: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let (owner_type, owner_name) = match (body.owner_principal_type.as_deref(), body.owner_principal_name.as_deref()) {
        (Some(owner_type), Some(owner_name)) if !owner_name.is_empty() => (owner_type, owner_name),
        _ => ANONYMOUS,
    };
    let mut response = message::Response {
        error_code: ErrorCode::DelegationTokenRequestNotAllowed.code(),
        principal_type: owner_type.into(),
        principal_name: owner_name.into(),
        issue_timestamp_ms: NO_TIMESTAMP,
        expiry_timestamp_ms: NO_TIMESTAMP,
        max_timestamp_ms: NO_TIMESTAMP,
        ..Default::default()
    };
    if request.head.version >= REQUESTER_SINCE {
        let (requester_type, requester_name) = ANONYMOUS;
        response.token_requester_principal_type = requester_type.into();
        response.token_requester_principal_name = requester_name.into();
    }
    request.head.answer(&response)
}
