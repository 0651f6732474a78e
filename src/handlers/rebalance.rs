//! Requests that wait for other members of their group: JoinGroup and SyncGroup.
//!
//! The coordinator answers in the step that the request asks for, or in a later one, of any shard. The answer leaves when
//! what the answering step has seen is committed.

use std::sync::Arc;

use super::{Head, Outcome, Parked, Polled};
use crate::coordinator::step::Reply;
use crate::coordinator_runtime::{Barrier, Coordinator};
use crate::model::{ErrorCode, Instant};
use crate::shard::context::Context;

/// How one of the two requests is answered.
pub(super) struct Form {
    pub(super) answer: fn(Head, Reply) -> Polled,
    pub(super) refuse: fn(Head, ErrorCode) -> Polled,
}

/// A request that its group's coordinator knows of.
pub struct Waiting {
    head: Head,
    coordinator: Arc<Coordinator>,
    form: &'static Form,
    answered: Option<(Reply, Barrier)>,
}

/// Waits for the answer of a coordinator that has been given this request as a [`Context::waiter`].
pub(super) fn wait(
    context: &mut Context<'_>,
    head: Head,
    coordinator: Arc<Coordinator>,
    form: &'static Form,
) -> Outcome {
    let watched = vec![coordinator.partition.number];
    let mut waiting = Waiting { head, coordinator, form, answered: context.take_answer() };
    waiting.poll(context, false, true).or_wait(|| Outcome::Wait {
        parked: Parked::Rebalance(Box::new(waiting)),
        // The coordinator's timers see to it that every member is answered.
        deadline: Instant::NEVER,
        watched,
    })
}

impl Waiting {
    pub(super) fn receive(&mut self, reply: Reply, barrier: Barrier) {
        self.answered = Some((reply, barrier));
    }

    pub(super) fn poll(&mut self, context: &Context<'_>, expired: bool, asks: bool) -> Polled {
        // Before the barrier is asked, so that its passing is heard of; and before a coordinator may end unheard.
        if asks {
            self.coordinator.partition.waiting.add(context.shard);
        }
        let passed = self.answered.as_ref().map(|(_, barrier)| barrier.is_passed());
        let not_coordinator = || (self.form.refuse)(self.head, ErrorCode::NotCoordinator);
        match passed {
            Some(Ok(true)) => {}
            Some(Err(_)) => return not_coordinator(),
            // A shard that stops, or a client that has gone.
            _ if expired => return not_coordinator(),
            None if self.coordinator.has_ended() => return not_coordinator(),
            _ => return Polled::Wait,
        }
        match self.answered.take() {
            Some((reply, _)) => (self.form.answer)(self.head, reply),
            None => Polled::Wait,
        }
    }
}
