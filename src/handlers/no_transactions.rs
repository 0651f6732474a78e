//! What people are told who use a transactional id, until transactions are built.
//!
//! The error code of the answer, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, is one on which clients give up, and misleads; so
//! the log says what is the matter, once for each client.

use super::Request;
use crate::shard::context::Context;
use crate::stdx::seen::shorten;

/// Why a transactional id is refused.
pub(super) const REASON: &str = "Transactions are not supported by this version of Klamm.";

pub(super) fn warn(context: &Context<'_>, request: &Request<'_>, transactional_id: &str) {
    let seen = &context.shared.refused_transactions;
    let is_new = seen.lock().is_new(request.client_id);
    if is_new {
        let (client, id, peer) = (shorten(request.client_id), shorten(transactional_id), request.session.peer.ip());
        log::warn!("client {client:?} from {peer} with transactional id {id:?} was refused: {REASON}");
    }
}
