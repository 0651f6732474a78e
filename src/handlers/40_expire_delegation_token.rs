//! ExpireDelegationToken (key 40), versions 1–2: an earlier end for a token (KIP-48).
//!
//! As RenewDelegationToken. A period below 0 removes the token at once, also one that has expired. Version 2 is flexible.

use super::delegation_tokens::{self, NO_TIMESTAMP, TIMEOUT_MS};
use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State};
use crate::metadata::Change;
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::expire_delegation_token as message;

/// What the answer needs.
pub(super) struct Waiting(Head);

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if !delegation_tokens::are_allowed(context, request) {
        return request.head.answer(&response(ErrorCode::DelegationTokenRequestNotAllowed, NO_TIMESTAMP));
    }
    let change =
        Change::ExpireDelegationToken(delegation_tokens::period(request, &body.hmac, body.expiry_time_period_ms));
    metadata_job::submit(context, TIMEOUT_MS, change, Finish::ExpireToken(Waiting(request.head)))
}

impl Waiting {
    pub(super) fn finish(self, decided: metadata_job::Result) -> Result<Answer, String> {
        let (error, end) = delegation_tokens::end(decided);
        self.0.encode(&response(error, end))
    }
}

fn response(error: ErrorCode, expiry_timestamp_ms: i64) -> message::Response {
    message::Response { error_code: error.code(), expiry_timestamp_ms, ..Default::default() }
}
