//! What time ends: transactions that are open for too long, and ids that are not used any more.

use std::sync::Arc;

use super::state::{NO_TIMEOUT_MS, Transaction};
use super::{Step, TransactionCommand, Transactions, record};

impl Transactions {
    /// Aborts the transactions whose time is over (`abortTimedOutTransactions`). One that needs a producer id which is not
    /// there waits for the next look, and the broker is asked for more.
    pub(super) fn abort_timed_out(&mut self, step: &mut Step<'_>) {
        let now = step.wall.0;
        let is_late = |transaction: &Transaction| {
            transaction.timeout_ms != NO_TIMEOUT_MS
                && transaction.start_ms.saturating_add(i64::from(transaction.timeout_ms)) < now
        };
        let late = self.ongoing.iter().filter(|id| self.by_id.get(*id).is_some_and(is_late));
        let late: Vec<Arc<str>> = late.cloned().collect();
        let mut lacks_ids = false;
        for id in late {
            // The only refusal is that there is no producer id.
            lacks_ids |= self.fence(step, &id).is_err();
        }
        step.out.commands.extend(lacks_ids.then_some(TransactionCommand::MoreProducerIds));
    }

    /// Removes the ids whose last change is too long ago and that have no transaction
    /// (`removeExpiredTransactionalIds`).
    pub fn expire(&mut self, step: &mut Step<'_>) {
        let expiration_ms = i64::try_from(step.settings.id_expiration.as_millis()).unwrap_or(i64::MAX);
        let before = step.wall.0.saturating_sub(expiration_ms);
        let is_old = |transaction: &Transaction| transaction.state.is_over() && transaction.update_ms <= before;
        step.out.is_divisible = true;
        let old = self.by_id.iter().filter(|(_, transaction)| is_old(transaction)).map(|(id, _)| id.clone());
        for id in old.collect::<Vec<_>>() {
            step.out.records.push(record(&id, None));
            self.remove(&id);
        }
    }
}
