//! SaslHandshake (key 17), versions 0–1: names the mechanism by which a client will log in.
//!
//! While a client has not logged in, and where it may do so again, [`authentication`](super::authentication) answers it. Here
//! it comes too late, or on a listener that asks for no login: ILLEGAL_SASL_STATE.

use super::{Outcome, Request, State};
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::sasl_handshake as message;

pub(super) fn handle(_: &mut State, _: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    match request.decode::<message::Request<'_>>() {
        Ok(_) => request
            .head
            .answer(&message::Response { error_code: ErrorCode::IllegalSaslState.code(), ..Default::default() }),
        Err(early) => early,
    }
}
