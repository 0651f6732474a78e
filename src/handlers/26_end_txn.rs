//! EndTxn (key 26), versions 0–5: commits or aborts a producer's transaction.
//!
//! The answer says that the decision is committed; the markers follow (`markers`). Versions: 2 PRODUCER_FENCED instead of
//! INVALID_PRODUCER_EPOCH; 3 flexible; 4 TRANSACTION_ABORTABLE; 5 the producer's epoch rises with each end, and the answer
//! says what it is (KIP-890, transaction version 2). Source: `TransactionCoordinator.endTransaction`.
//! Needs Write of the transactional id.

use super::metadata_job::{self, Finish};
use super::{Head, Outcome, Request, State, producer_ids};
use crate::coordinator::machine::Producer;
use crate::coordinator::transactions::{EPOCH_BUMP_SINCE, Transactions};
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::end_txn as message;

/// The first version that knows PRODUCER_FENCED, and the first of transaction version 2.
const FENCED_SINCE: i16 = 2;
const EPOCH_BUMP_VERSION: i16 = 5;

/// What is asked for.
pub(super) struct Waiting {
    head: Head,
    transactional_id: String,
    producer: Producer,
    commit: bool,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let asked = Waiting {
        head: request.head,
        transactional_id: body.transactional_id.to_string(),
        producer: Producer { id: body.producer_id, epoch: body.producer_epoch },
        commit: body.committed,
    };
    if !request.may(context, AclOperation::Write, AclResource::TransactionalId, &asked.transactional_id) {
        return asked.answer(context, Err(ErrorCode::TransactionalIdAuthorizationFailed));
    }
    match asked.step(context) {
        // The epochs of the producer id are used up, and there is no other id yet.
        Err(ErrorCode::CoordinatorLoadInProgress) if context.shared.producer_ids.is_empty() => {
            producer_ids::ask(context, Finish::EndTxn(asked))
        }
        stepped => asked.answer(context, stepped),
    }
}

type Stepped = Result<(Producer, crate::coordinator_runtime::Barrier), ErrorCode>;

impl Waiting {
    fn step(&self, context: &mut Context<'_>) -> Stepped {
        let Waiting { head, transactional_id: id, producer, commit } = self;
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let version = if head.version >= EPOCH_BUMP_VERSION { EPOCH_BUMP_SINCE } else { 0 };
        let coordinator = context.coordinator_of::<Transactions>(id)?;
        let (ended, barrier) = context
            .step(&coordinator, |machine, step| machine.end_transaction(step, id, *producer, *commit, version))?;
        Ok((ended?, barrier))
    }

    fn answer(&self, context: &Context<'_>, stepped: Stepped) -> Outcome {
        let (producer, barrier) = match stepped {
            Ok((producer, barrier)) => (Ok(producer), Some(barrier)),
            Err(ErrorCode::ProducerFenced) if self.head.version < FENCED_SINCE => {
                (Err(ErrorCode::InvalidProducerEpoch), None)
            }
            Err(error) => (Err(error), None),
        };
        let response = match producer {
            Ok(Producer { id, epoch }) => {
                message::Response { producer_id: id, producer_epoch: epoch, ..Default::default() }
            }
            Err(error) => message::Response { error_code: error.code(), ..Default::default() },
        };
        self.head.answer_behind(context, barrier, &response)
    }

    /// There are producer ids now, or there will be none.
    pub(super) fn finish(self, context: &mut Context<'_>, decided: metadata_job::Result) -> Outcome {
        let stepped = producer_ids::given(decided).and_then(|()| self.step(context));
        self.answer(context, stepped)
    }
}
