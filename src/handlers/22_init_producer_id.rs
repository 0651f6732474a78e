//! InitProducerId (key 22), versions 0–5: an identity for an idempotent producer (KIP-98).
//!
//! Ids come from blocks of 1000 that the metadata log gives out; each shard has its own block, so that no id is given
//! twice and most requests are answered at once. Versions: 2 flexible; 3 the producer's former id (KIP-360), which
//! without a transactional id has no meaning: there is always a new id with epoch 0, as in Kafka
//! (`TransactionCoordinator.handleInitProducerId`); 4 PRODUCER_FENCED; 5 TRANSACTION_ABORTABLE (KIP-890). 6 (KIP-939) is
//! not for clients yet and not offered.
//!
//! Not built yet: transactions. A transactional id is refused as FindCoordinator refuses it, and for the same reason.

use std::ops::Range;

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State, no_transactions};
use crate::metadata::{Change, Decided};
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::init_producer_id as message;

/// "None" as an id and as an epoch.
const NO_PRODUCER_ID: i64 = -1;
const NO_PRODUCER_EPOCH: i16 = -1;
/// How long a request waits for a new block; then the client shall ask again.
const BLOCK_TIMEOUT_MS: i32 = 5_000;

/// The ids that one shard may give out.
#[derive(Default)]
pub(super) struct Block(Range<i64>);

impl Block {
    fn take(&mut self) -> Option<i64> {
        self.0.next()
    }

    /// Two requests may have asked for a block each: what is left of the first is used up before the second is; if
    /// there is something left, the second block is given up.
    fn refill(&mut self, block: Range<i64>) {
        if self.0.is_empty() {
            self.0 = block;
        }
    }
}

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
}

pub(super) fn handle(state: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let head = request.head;
    if (body.producer_id == NO_PRODUCER_ID) != (body.producer_epoch == NO_PRODUCER_EPOCH) {
        return head.answer(&response(Err(ErrorCode::InvalidRequest)));
    }
    match body.transactional_id.as_deref() {
        Some("") => head.answer(&response(Err(ErrorCode::InvalidRequest))),
        Some(id) => {
            no_transactions::warn(context, request, id);
            head.answer(&response(Err(ErrorCode::TransactionalIdAuthorizationFailed)))
        }
        None => match state.producer_ids.take() {
            Some(id) => head.answer(&response(Ok(id))),
            None => ask_for_block(context, head),
        },
    }
}

fn ask_for_block(context: &Context<'_>, head: Head) -> Outcome {
    let change = Change::AllocateProducerIds { broker_id: context.shared.config.node_id };
    metadata_job::submit(context, BLOCK_TIMEOUT_MS, change, Finish::InitProducerId(Waiting { head }))
}

impl Waiting {
    pub(super) fn finish(self, state: &mut State, decided: metadata_job::Result) -> Result<Answer, String> {
        let id = match decided {
            Ok(Decided::ProducerIds(Ok(block))) => {
                state.producer_ids.refill(block);
                state.producer_ids.take().ok_or(ErrorCode::CoordinatorLoadInProgress)
            }
            Ok(Decided::ProducerIds(Err(refusal))) => Err(refusal.error),
            // What all clients try again.
            Err(ErrorCode::RequestTimedOut) => Err(ErrorCode::CoordinatorLoadInProgress),
            other => Err(metadata_job::why_not(other)),
        };
        self.head.encode(&response(id))
    }
}

fn response(id: Result<i64, ErrorCode>) -> message::Response {
    let (error_code, producer_id, producer_epoch) = match id {
        Ok(id) => (0, id, 0),
        Err(error) => (error.code(), NO_PRODUCER_ID, NO_PRODUCER_EPOCH),
    };
    message::Response { error_code, producer_id, producer_epoch, ..Default::default() }
}
