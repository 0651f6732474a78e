//! Requests that wait for other members of their group: JoinGroup and SyncGroup.
//!
//! The request goes to the coordinator when it is known under which key it waits; the answer comes in this step or in a
//! later one, of any shard. It leaves when what the answering step has seen is committed.

use std::sync::Arc;

use super::{Head, Outcome, Parked, Polled};
use crate::coordinator::step::{Reply, Waiter};
use crate::coordinator_runtime::{Barrier, Coordinator};
use crate::model::{ErrorCode, Instant};
use crate::shard::context::Context;
use crate::stdx::slab::Key;

/// What is asked, with everything that it needs until it is sent.
pub(super) trait Ask: Send {
    /// Lets the coordinator have it.
    fn ask(&self, context: &mut Context<'_>, coordinator: &Arc<Coordinator>, waiter: Waiter) -> Result<(), ErrorCode>;
    /// The answer's bytes.
    fn answer(&self, head: Head, reply: Reply) -> Polled;
    fn refuse(&self, head: Head, error: ErrorCode) -> Polled;
}

/// See the module.
pub struct Waiting {
    head: Head,
    coordinator: Arc<Coordinator>,
    ask: Box<dyn Ask>,
    answered: Option<(Reply, Barrier)>,
    refused: Option<ErrorCode>,
}

/// Sends a request to the coordinator of its group.
pub(super) fn submit(head: Head, coordinator: Arc<Coordinator>, ask: Box<dyn Ask>) -> Outcome {
    let watched = vec![coordinator.partition.number];
    let waiting = Waiting { head, coordinator, ask, answered: None, refused: None };
    // The coordinator's timers see to it that everybody is answered.
    Outcome::Wait { parked: Parked::Rebalance(Box::new(waiting)), deadline: Instant::NEVER, watched }
}

impl Waiting {
    pub(super) fn start(&mut self, context: &mut Context<'_>, key: Key) {
        let waiter = Waiter { shard: context.shard.0, key: key.to_u64() };
        self.refused = self.ask.ask(context, &self.coordinator, waiter).err();
    }

    pub(super) fn receive(&mut self, reply: Reply, barrier: Barrier) {
        self.answered = Some((reply, barrier));
    }

    pub(super) fn poll(&mut self, context: &Context<'_>, expired: bool, asks: bool) -> Polled {
        if let Some(error) = self.refused {
            return self.ask.refuse(self.head, error);
        }
        // Before the barrier is asked, so that its passing is heard of; and before a coordinator may end unheard.
        if asks {
            self.coordinator.partition.waiting.add(context.shard);
        }
        let passed = self.answered.as_ref().map(|(_, barrier)| barrier.is_passed());
        match passed {
            Some(Ok(true)) => {}
            Some(Err(_)) => return self.ask.refuse(self.head, ErrorCode::NotCoordinator),
            // A shard that stops, or a client that has gone.
            _ if expired => return self.ask.refuse(self.head, ErrorCode::NotCoordinator),
            None if self.coordinator.has_ended() => return self.ask.refuse(self.head, ErrorCode::NotCoordinator),
            _ => return Polled::Wait,
        }
        match self.answered.take() {
            Some((reply, _)) => self.ask.answer(self.head, reply),
            None => Polled::Wait,
        }
    }
}
