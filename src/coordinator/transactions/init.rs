//! InitProducerId with a transactional id (`TransactionCoordinator.handleInitProducerId`).

use std::time::Duration;

use super::state::{NO_TIMEOUT_MS, NOT_BEGUN, State, Transaction, is_exhausted};
use super::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Partitions, Step, Transactions};
use crate::coordinator::machine::Producer;
use crate::model::ErrorCode;

#[derive(Clone, Copy, Debug)]
pub struct InitProducerId<'a> {
    pub transactional_id: &'a str,
    pub timeout_ms: i32,
    /// KIP-939: an outside coordinator decides when the transaction ends.
    pub enable_two_phase: bool,
    pub keep_prepared: bool,
    /// What the producer believes to be (KIP-360).
    pub expected: Option<Producer>,
}

impl Transactions {
    /// A transaction that is open is aborted first, and the client asks again. COORDINATOR_LOAD_IN_PROGRESS where there is
    /// no producer id to be given.
    pub fn init_producer_id(
        &mut self,
        step: &mut Step<'_>,
        request: &InitProducerId<'_>,
    ) -> Result<Producer, ErrorCode> {
        let id = request.transactional_id;
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        if request.enable_two_phase && !step.settings.two_phase_commit {
            return Err(ErrorCode::TransactionalIdAuthorizationFailed);
        }
        if request.keep_prepared {
            // Kafka 4.4 does not build it either.
            return Err(ErrorCode::UnsupportedVersion);
        }
        let timeout = u64::try_from(request.timeout_ms).map(Duration::from_millis).unwrap_or_default();
        if !request.enable_two_phase && (timeout.is_zero() || timeout > step.settings.max_timeout) {
            return Err(ErrorCode::InvalidTransactionTimeout);
        }
        let timeout_ms = if request.enable_two_phase { NO_TIMEOUT_MS } else { request.timeout_ms };
        let Some(known) = self.by_id.get(id) else {
            let new = Transaction::new(new_producer_id(step, NO_PRODUCER_ID)?, timeout_ms, step.wall.0);
            let first = new.next_epoch(request.expected.map(|expected| expected.epoch))?;
            return Ok(self.begin_anew(step, id, first, timeout_ms));
        };
        // Its next state is decided already: nothing else is looked at.
        if known.state.is_prepared() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        if !request.expected.is_none_or(|expected| known.is_expected(expected)) {
            return Err(ErrorCode::ProducerFenced);
        }
        if known.state == State::Ongoing {
            self.fence(step, id)?;
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let is_current = request.expected.is_none_or(|expected| expected.epoch == known.epoch);
        let next = if known.is_exhausted() && is_current {
            known.rotated(new_producer_id(step, known.producer_id)?, request.expected.is_some())
        } else {
            known.next_epoch(request.expected.map(|expected| expected.epoch))?
        };
        Ok(self.begin_anew(step, id, next, timeout_ms))
    }

    fn begin_anew(&mut self, step: &mut Step<'_>, id: &str, next: Transaction, timeout_ms: i32) -> Producer {
        let mut next = next.to_empty(step.wall.0, timeout_ms);
        if let Some(known) = self.by_id.get(id) {
            next.previous_producer_id = known.producer_id;
        }
        let producer = next.producer();
        self.put(step, id, next);
        producer
    }
}

/// A producer id that was never given before; not this one, which a log from elsewhere may have.
pub(super) fn new_producer_id(step: &mut Step<'_>, known: i64) -> Result<i64, ErrorCode> {
    let mut ids = std::iter::from_fn(&mut *step.new_producer_id);
    ids.find(|id| *id != known).ok_or(ErrorCode::CoordinatorLoadInProgress)
}

impl Transaction {
    /// Whether a producer that believes to be this one is not fenced. One that comes back with a used up epoch of the id
    /// before may be repeating the request by which it got the new id.
    fn is_expected(&self, expected: Producer) -> bool {
        self.epoch == NO_PRODUCER_EPOCH
            || expected.id == self.producer_id
            || (expected.id == self.previous_producer_id && is_exhausted(expected.epoch))
    }

    /// The next epoch, or the same for a repeated request (`prepareIncrementProducerEpoch`).
    fn next_epoch(&self, expected: Option<i16>) -> Result<Transaction, ErrorCode> {
        if self.is_exhausted() {
            // Kafka throws an IllegalStateException.
            return Err(ErrorCode::UnknownServerError);
        }
        let (epoch, last_epoch) = match expected {
            None => (self.epoch + 1, NO_PRODUCER_EPOCH),
            Some(expected) if self.epoch == NO_PRODUCER_EPOCH || expected == self.epoch => (self.epoch + 1, self.epoch),
            Some(expected) if expected == self.last_epoch => (self.epoch, self.last_epoch),
            Some(_) => return Err(ErrorCode::ProducerFenced),
        };
        Ok(Transaction { epoch, last_epoch, ..self.clone() })
    }

    /// Another producer id, as the epochs of this one are used up (`prepareProducerIdRotation`).
    fn rotated(&self, producer_id: i64, keeps_last: bool) -> Transaction {
        let last_epoch = if keeps_last { self.epoch } else { NO_PRODUCER_EPOCH };
        Transaction { producer_id, epoch: 0, last_epoch, ..self.clone() }
    }

    fn to_empty(&self, now_ms: i64, timeout_ms: i32) -> Transaction {
        let (partitions, start_ms) = (Partitions::new(), NOT_BEGUN);
        Transaction { timeout_ms, partitions, start_ms, ..self.to(State::Empty, now_ms) }
    }
}
