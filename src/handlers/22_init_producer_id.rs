//! InitProducerId (key 22), versions 0–5: an identity for an idempotent or transactional producer (KIP-98).
//!
//! Ids come from blocks of 1000 that the metadata log gives out, so that no id is given twice and most requests are answered
//! at once. With a transactional id, its coordinator decides: a producer that comes back gets the next epoch, which fences
//! the one before; a transaction that this one has left open is aborted first, and the client asks again
//! (`TransactionCoordinator.handleInitProducerId`). Versions: 2 flexible; 3 the producer's former id (KIP-360), which
//! without a transactional id has no meaning; 4 PRODUCER_FENCED; 5 TRANSACTION_ABORTABLE (KIP-890); 6, with
//! `unstable.api.versions.enable` only, two-phase commit (KIP-939), of which Kafka 4.4 refuses to keep what is prepared.
//!
//! Needs Write of the transactional id, and TwoPhaseCommit of it for that; without one IdempotentWrite of the cluster, or Write of
//! any topic. An idempotent producer that may not is told so of the cluster.

use super::metadata_job::{self, Finish};
use super::{Head, Outcome, Request, State, producer_ids};
use crate::coordinator::machine::Producer;
use crate::coordinator::transactions::{InitProducerId, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Transactions};
use crate::coordinator_runtime::Barrier;
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::init_producer_id as message;

/// The first version that knows PRODUCER_FENCED.
const FENCED_SINCE: i16 = 4;

/// What is asked for.
pub(super) struct Waiting {
    head: Head,
    transactional_id: Option<String>,
    timeout_ms: i32,
    enable_two_phase: bool,
    keep_prepared: bool,
    expected: Option<Producer>,
}

type Given = Result<(Producer, Option<Barrier>), ErrorCode>;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if let Some(error) = refuse(context, request, &body) {
        return request.head.answer(&response(request.head, Err(error)));
    }
    let has_id = body.producer_id != NO_PRODUCER_ID;
    if has_id != (body.producer_epoch != NO_PRODUCER_EPOCH) {
        return request.head.answer(&response(request.head, Err(ErrorCode::InvalidRequest)));
    }
    let asked = Waiting {
        head: request.head,
        transactional_id: body.transactional_id.as_deref().map(str::to_string),
        timeout_ms: body.transaction_timeout_ms,
        enable_two_phase: body.enable2_pc,
        keep_prepared: body.keep_prepared_txn,
        expected: has_id.then_some(Producer { id: body.producer_id, epoch: body.producer_epoch }),
    };
    match asked.give(context) {
        Err(ErrorCode::CoordinatorLoadInProgress) if context.shared.producer_ids.is_empty() => {
            producer_ids::ask(context, Finish::InitProducerId(asked))
        }
        given => asked.answer(context, given),
    }
}

/// Why the client may not have an id.
fn refuse(context: &Context<'_>, request: &Request<'_>, body: &message::Request<'_>) -> Option<ErrorCode> {
    let Some(id) = body.transactional_id.as_deref() else {
        let may = request.may_cluster_silently(context, AclOperation::IdempotentWrite)
            || request.may_any(context, AclOperation::Write, AclResource::Topic);
        return (!may).then_some(ErrorCode::ClusterAuthorizationFailed);
    };
    let may = |operation| request.may(context, operation, AclResource::TransactionalId, id);
    let may_all = may(AclOperation::Write) && (!body.enable2_pc || may(AclOperation::TwoPhaseCommit));
    (!may_all).then_some(ErrorCode::TransactionalIdAuthorizationFailed)
}

impl Waiting {
    fn give(&self, context: &mut Context<'_>) -> Given {
        let Some(id) = self.transactional_id.as_deref() else {
            let id = context.shared.producer_ids.take().ok_or(ErrorCode::CoordinatorLoadInProgress)?;
            return Ok((Producer { id, epoch: 0 }, None));
        };
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let request = InitProducerId {
            transactional_id: id,
            timeout_ms: self.timeout_ms,
            enable_two_phase: self.enable_two_phase,
            keep_prepared: self.keep_prepared,
            expected: self.expected,
        };
        let coordinator = context.coordinator_of::<Transactions>(id)?;
        let (given, barrier) = context.step(&coordinator, |machine, step| machine.init_producer_id(step, &request))?;
        Ok((given?, Some(barrier)))
    }

    fn answer(&self, context: &Context<'_>, given: Given) -> Outcome {
        let (producer, barrier) = match given {
            Ok((producer, barrier)) => (Ok(producer), barrier),
            Err(error) => (Err(error), None),
        };
        self.head.answer_behind(context, barrier, &response(self.head, producer))
    }

    /// There are producer ids now, or there will be none.
    pub(super) fn finish(self, context: &mut Context<'_>, decided: metadata_job::Result) -> Outcome {
        let given = producer_ids::given(decided).and_then(|()| self.give(context));
        self.answer(context, given)
    }
}

fn response(head: Head, producer: Result<Producer, ErrorCode>) -> message::Response {
    let error = match producer {
        Ok(_) => ErrorCode::None,
        Err(ErrorCode::ProducerFenced) if head.version < FENCED_SINCE => ErrorCode::InvalidProducerEpoch,
        Err(error) => error,
    };
    let none = Producer { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH };
    let Producer { id, epoch } = producer.unwrap_or(none);
    message::Response { error_code: error.code(), producer_id: id, producer_epoch: epoch, ..Default::default() }
}
