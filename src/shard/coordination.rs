//! Steps of coordinators, as a shard takes them: what they write is written at the end of its turn, whom they answer is
//! told wherever it waits, what they command begins on this shard, and the shard that minds a coordinator's timers hears
//! of an earlier one.

use std::sync::Arc;

use crate::controller::{ReplyTo, Task};
use crate::coordinator::groups::Groups;
use crate::coordinator::machine::{Producer, Waiter};
use crate::coordinator::step::Reply;
use crate::coordinator::transactions::{Markers, TransactionCommand, Transactions};
use crate::coordinator_runtime::{
    Barrier, Coordinator, Kind, Moment, Registry, Stepped, TransactionCoordinator, World, keeper,
};
use crate::metadata::Change;
use crate::model::ErrorCode;
use crate::replica::partition::Partition;
use crate::shard::context::{Context, Note, Shared};
use crate::stdx::never::Never;
use crate::stdx::slab::Key;
use crate::storage::log::Admission;

/// Where no request waits: what is changed is seen without an answer.
const NO_REQUEST: ReplyTo = ReplyTo { shard: 0, key: Key::LAST.to_u64() };

/// A transaction whose end is decided: its markers are to be written when the barrier is passed.
pub struct MarkerJob {
    pub coordinator: Arc<TransactionCoordinator>,
    pub markers: Markers,
    pub decided: Barrier,
}

/// A kind of coordinators as the shards serve it.
pub trait Served: Kind {
    fn registry(shared: &Shared) -> &Arc<Registry<Self>>;

    /// Gives an answer to the request that waits for it.
    fn answer(context: &mut Context<'_>, waiter: Waiter, reply: Self::Reply, barrier: Barrier);

    /// Does what a step commands; what a shard must see to is given back.
    fn obey(
        shared: &Shared,
        coordinator: &Arc<Coordinator<Self>>,
        command: Self::Command,
        barrier: Barrier,
    ) -> Option<MarkerJob>;
}

impl Served for Groups {
    fn registry(shared: &Shared) -> &Arc<Registry<Groups>> {
        shared.coordinators()
    }

    fn answer(context: &mut Context<'_>, waiter: Waiter, reply: Reply, barrier: Barrier) {
        context.tell(waiter, reply, barrier);
    }

    fn obey(_: &Shared, _: &Arc<Coordinator<Groups>>, command: Never, _: Barrier) -> Option<MarkerJob> {
        match command {}
    }
}

impl Served for Transactions {
    fn registry(shared: &Shared) -> &Arc<Registry<Transactions>> {
        shared.transactions()
    }

    fn answer(_: &mut Context<'_>, _: Waiter, reply: Never, _: Barrier) {
        match reply {}
    }

    fn obey(
        shared: &Shared,
        coordinator: &Arc<TransactionCoordinator>,
        command: TransactionCommand,
        decided: Barrier,
    ) -> Option<MarkerJob> {
        match command {
            TransactionCommand::Markers(markers) => {
                Some(MarkerJob { coordinator: coordinator.clone(), markers, decided })
            }
            TransactionCommand::MoreProducerIds => {
                let change = Change::AllocateProducerIds { broker_id: shared.config.node_id };
                shared.send_to_controller(Task::Change { change, reply: NO_REQUEST });
                None
            }
        }
    }
}

impl Context<'_> {
    /// The coordinator of a group, or of a transactional id.
    pub fn coordinator_of<M: Served>(&self, key: &str) -> Result<Arc<Coordinator<M>>, ErrorCode> {
        M::registry(self.shared).of_key(self.view, key)
    }

    /// The same of whichever broker it belongs to, for what one broker asks another.
    pub fn coordinator_anywhere<M: Served>(&self, key: &str) -> Result<Arc<Coordinator<M>>, ErrorCode> {
        M::registry(self.shared).of_key(self.whole, key)
    }

    /// The coordinator of a group.
    pub fn coordinator(&self, group_id: &str) -> Result<Arc<Coordinator>, ErrorCode> {
        self.coordinator_of::<Groups>(group_id)
    }

    pub fn moment(&self) -> Moment {
        Moment { now: self.now, wall: self.wall }
    }

    /// Lets a coordinator do something. What it gives back may leave when the barrier is passed.
    pub fn step<M: Served, T>(
        &mut self,
        coordinator: &Arc<Coordinator<M>>,
        work: impl FnOnce(&mut M, &mut M::Step<'_>) -> T,
    ) -> Result<(T, Barrier), ErrorCode> {
        self.take_step(coordinator, |world, moment| coordinator.step(world, moment, work))
    }

    /// The same for a client that may describe some topics only.
    pub fn step_for<M: Served, T>(
        &mut self,
        coordinator: &Arc<Coordinator<M>>,
        may_describe: &dyn Fn(&str) -> bool,
        work: impl FnOnce(&mut M, &mut M::Step<'_>) -> T,
    ) -> Result<(T, Barrier), ErrorCode> {
        self.take_step(coordinator, |world, moment| coordinator.step(&world.seen_by(may_describe), moment, work))
    }

    /// The same within a transaction of a producer, as far as the log of the coordinator admits it.
    pub fn step_in_transaction<M: Served, T>(
        &mut self,
        coordinator: &Arc<Coordinator<M>>,
        producer: Producer,
        admission: Admission,
        work: impl FnOnce(&mut M, &mut M::Step<'_>) -> T,
    ) -> Result<(T, Barrier), ErrorCode> {
        self.take_step(coordinator, |world, moment| {
            coordinator.step_in_transaction(world, moment, producer, admission, work)
        })
    }

    fn take_step<M: Served, T>(
        &mut self,
        coordinator: &Arc<Coordinator<M>>,
        step: impl FnOnce(&World<'_>, Moment) -> Result<Stepped<T, M>, ErrorCode>,
    ) -> Result<(T, Barrier), ErrorCode> {
        let registry = M::registry(self.shared);
        let stepped = step(&registry.world(self.view), self.moment()).inspect_err(|_| {
            // Requests that wait for a coordinator that has ended must hear of it.
            if coordinator.has_ended() {
                self.shared.tell_progress(&coordinator.partition, None);
            }
        })?;
        if stepped.wrote {
            self.dirty.add(&coordinator.partition);
        }
        for (waiter, reply) in stepped.replies {
            M::answer(self, waiter, reply, stepped.barrier.clone());
        }
        for command in stepped.commands {
            let job = M::obey(self.shared, coordinator, command, stepped.barrier.clone());
            self.marker_jobs.extend(job);
        }
        let owner = coordinator.shard(self.shared.shards());
        if stepped.is_due_sooner && owner != self.shard {
            self.shared.mailbox(owner).nudge();
        }
        Ok((stepped.value, stepped.barrier))
    }

    /// Does what is due of the coordinators that this shard minds.
    pub fn run_coordinator_timers(&mut self) {
        self.run_timers::<Groups>();
        self.run_timers::<Transactions>();
    }

    fn run_timers<M: Served>(&mut self) {
        for coordinator in M::registry(self.shared).due(self.shard, self.shared.shards(), self.now) {
            // A coordinator that cannot step has no timers any more.
            let _ = self.step(&coordinator, |machine, step| machine.handle_timers(step));
        }
    }
}

impl<M: Served> keeper::Reports<M> for Arc<Shared> {
    fn progress(&self, partition: &Partition) {
        self.tell_progress(partition, None);
    }

    fn due_sooner(&self, coordinator: &Coordinator<M>) {
        self.mailbox(coordinator.shard(self.shards())).nudge();
    }

    fn command(&self, coordinator: &Arc<Coordinator<M>>, command: M::Command, barrier: Barrier) {
        if let Some(job) = M::obey(self, coordinator, command, barrier) {
            self.mailbox(coordinator.shard(self.shards())).note(Note::Markers(job));
        }
    }
}
