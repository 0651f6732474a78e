//! Steps of group coordinators, as a shard takes them: what they write is written at the end of its turn, whom they
//! answer is told wherever it waits, and the shard that minds a coordinator's timers hears of an earlier one.

use std::sync::Arc;

use crate::coordinator::groups::Groups;
use crate::coordinator::machine::Machine;
use crate::coordinator::step::Step;
use crate::coordinator_runtime::{Barrier, Coordinator, Moment};
use crate::model::ErrorCode;
use crate::shard::context::Context;

impl Context<'_> {
    /// The coordinator of a group.
    pub fn coordinator(&self, group_id: &str) -> Result<Arc<Coordinator>, ErrorCode> {
        self.shared.coordinators().of_group(self.view, group_id)
    }

    /// Lets a coordinator do something. What it gives back may leave when the barrier is passed.
    pub fn step<T>(
        &mut self,
        coordinator: &Arc<Coordinator>,
        work: impl FnOnce(&mut Groups, &mut Step<'_>) -> T,
    ) -> Result<(T, Barrier), ErrorCode> {
        let world = self.shared.coordinators().world(self.view);
        let moment = Moment { now: self.now, wall: self.wall };
        let stepped = coordinator.step(&world, moment, work).inspect_err(|_| {
            // Requests that wait for a coordinator that has ended must hear of it.
            if coordinator.has_ended() {
                self.shared.tell_progress(&coordinator.partition, None);
            }
        })?;
        if stepped.wrote {
            self.dirty.add(&coordinator.partition);
        }
        for (waiter, reply) in stepped.replies {
            self.tell(waiter, reply, stepped.barrier.clone());
        }
        let owner = coordinator.shard(self.shared.shards());
        if stepped.is_due_sooner && owner != self.shard {
            self.shared.mailbox(owner).nudge();
        }
        Ok((stepped.value, stepped.barrier))
    }

    /// Does what is due of the coordinators that this shard minds.
    pub fn run_coordinator_timers(&mut self) {
        for coordinator in self.shared.coordinators().due(self.shard, self.shared.shards(), self.now) {
            // A coordinator that cannot step has no timers any more.
            let _ = self.step(&coordinator, |groups, step| groups.handle_timers(step));
        }
    }
}
