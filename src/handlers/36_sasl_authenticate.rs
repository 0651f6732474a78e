//! SaslAuthenticate (key 36), versions 0–2: a token of a login.
//!
//! While a client has not logged in, [`authentication`](super::authentication) answers it. Here it comes too late, or on a
//! listener that asks for no login: ILLEGAL_SASL_STATE. Version 1 tells how long the session lasts, 2 is flexible.

use super::{Outcome, Request, State};
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::sasl_authenticate as message;

pub(super) fn handle(_: &mut State, _: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    match request.decode::<message::Request<'_>>() {
        Ok(_) => request.head.answer(&message::Response {
            error_code: ErrorCode::IllegalSaslState.code(),
            error_message: Some("SaslAuthenticate request received after successful authentication".into()),
            ..Default::default()
        }),
        Err(early) => early,
    }
}
