//! Requests that need a producer id when this broker has none to give: the metadata log gives it a block of 1000
//! (`RPCProducerIdManager`).

use super::Outcome;
use super::metadata_job::{self, Finish};
use crate::metadata::{Change, Decided};
use crate::model::ErrorCode;
use crate::shard::context::Context;

/// How long a request waits for a new block; then the client shall ask again.
const BLOCK_TIMEOUT_MS: i32 = 5_000;

/// Asks for a block; the request goes on when it is there.
pub(super) fn ask(context: &Context<'_>, finish: Finish) -> Outcome {
    let change = Change::AllocateProducerIds { broker_id: context.shared.config.node_id };
    metadata_job::submit(context, BLOCK_TIMEOUT_MS, change, finish)
}

/// Whether a block was given; it is in the broker's pool already.
pub(super) fn given(decided: metadata_job::Result) -> Result<(), ErrorCode> {
    match decided {
        Ok(Decided::ProducerIds(Ok(_))) => Ok(()),
        Ok(Decided::ProducerIds(Err(refusal))) => Err(refusal.error),
        // What all clients try again.
        Err(ErrorCode::RequestTimedOut) => Err(ErrorCode::CoordinatorLoadInProgress),
        other => Err(metadata_job::why_not(other)),
    }
}
