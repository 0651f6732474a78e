//! The coordinators of this broker, whatever they coordinate: one for each partition of a coordinators' topic that it leads.
//!
//! A coordinator is a machine ([`Kind`]) beside the log that it is written to. A shard that has a request takes the
//! machine's lock, lets it step, appends the records that the step asks for and lets go; nothing is waited for under the
//! lock. The machine shows a step's effect at once, and no answer leaves before everything that it has seen is committed
//! ([`Barrier`]), so that no client is told what a crash could take back. Where records cannot be written, the machine has
//! seen what the log never will: it is thrown away and loaded again. So is one whose records a full disk made the log
//! take back.
//!
//! A [`Registry`] holds the coordinators of one kind. Timers belong to one shard for each coordinator; the rest that goes
//! by the clock to the thread of [`keeper`].

mod append;
mod groups;
pub mod keeper;
mod kind;
pub mod lag;
mod load;
mod producer_ids;
mod registry;
mod settings;
#[cfg(test)]
mod tests;
mod transactions;
mod world;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use log::error;

use self::append::{How, Within};
pub use self::groups::{Coordinators, GROUPS_TOPIC};
pub use self::kind::Kind;
pub use self::producer_ids::ProducerIds;
pub use self::registry::Registry;
pub use self::settings::Resolved;
pub use self::transactions::{
    Marked, TRANSACTIONS_TOPIC, TransactionCoordinator, TransactionCoordinators, append_marker,
};
pub use self::world::World;
use crate::coordinator::groups::Groups;
use crate::coordinator::machine::{Output, Producer, Waiter};
use crate::model::{ErrorCode, Instant, LeaderEpoch, TimestampMs};
use crate::record::control::EndTxnMarker;
use crate::replica::partition::Partition;
use crate::replica::watch::ShardId;
use crate::stdx::inbox::Inbox;
use crate::storage::AppendError;
use crate::storage::log::{Admission, Mark};

/// What the world looks like at the moment of a step.
#[derive(Clone, Copy)]
pub struct Moment {
    pub now: Instant,
    pub wall: TimestampMs,
}

enum Stage<M> {
    /// Its log is not read yet.
    Loading,
    Active(Box<M>),
    /// The partition is not ours any more, or its log is broken.
    Ended,
}

struct State<M> {
    stage: Stage<M>,
    /// The end of what the machine has written or seen.
    end: Mark,
}

/// A machine with the partition that it is written to.
pub struct Coordinator<M: Kind = Groups> {
    pub partition: Arc<Partition>,
    state: Mutex<State<M>>,
    /// When a timer is due, in the nanoseconds of [`Instant`].
    deadline: AtomicU64,
    /// The leadership of its partition that it belongs to.
    epoch: LeaderEpoch,
    /// It answers no more; a request that waits for it must be asked again.
    ended: AtomicBool,
    /// Its log could not be read: no coordinator tries that again before, in the nanoseconds of [`Instant`].
    rests_until: AtomicU64,
    /// The keeper hears that this one has ended: what was begun here must go on, though no client asks for it.
    keeper: Inbox<keeper::Task<M>>,
}

/// A coordinator of any kind, as a barrier knows it.
trait AnyCoordinator: Send + Sync {
    fn partition(&self) -> &Arc<Partition>;
    fn end(&self);
}

impl<M: Kind> AnyCoordinator for Coordinator<M> {
    fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    fn end(&self) {
        Coordinator::end(self);
    }
}

/// When a log is read again that could not be: by then an operator may have mended what failed.
const LOAD_AGAIN: Duration = Duration::from_secs(30);

/// What must be committed before an answer may leave.
#[derive(Clone)]
pub struct Barrier {
    coordinator: Arc<dyn AnyCoordinator>,
    end: Mark,
}

impl Barrier {
    /// `Err` if it will never be.
    pub fn is_passed(&self) -> Result<bool, ErrorCode> {
        let passed = self.partition().is_committed(self.end);
        if passed.is_err() {
            self.coordinator.end();
        } else if passed == Ok(true) {
            let (end, high_watermark) = (self.end.end, self.partition().high_watermark());
            assert!(end <= high_watermark, "what is answered at {end} is committed only up to {high_watermark}");
        }
        passed
    }

    /// The partition whose progress passes it.
    pub fn partition(&self) -> &Partition {
        self.coordinator.partition()
    }
}

/// What came of a step.
pub struct Stepped<T, M: Kind = Groups> {
    pub value: T,
    pub barrier: Barrier,
    /// Requests that this step answers, when the barrier is passed.
    pub replies: Vec<(Waiter, M::Reply)>,
    /// What the step wants done when the barrier is passed.
    pub commands: Vec<M::Command>,
    /// Records wait in the log to be written: the caller sees to it.
    pub wrote: bool,
    /// A timer is due earlier than any was before.
    pub is_due_sooner: bool,
}

impl<M: Kind> Coordinator<M> {
    fn new(partition: Arc<Partition>, keeper: Inbox<keeper::Task<M>>) -> Coordinator<M> {
        let state = State { stage: Stage::Loading, end: partition.log.mark() };
        let deadline = AtomicU64::new(Instant::NEVER.0);
        let (epoch, ended) = (partition.leader_epoch(), AtomicBool::new(false));
        let rests_until = AtomicU64::new(0);
        Coordinator { partition, state: Mutex::new(state), deadline, epoch, ended, rests_until, keeper }
    }

    /// A panic inside of a step leaves a machine that cannot be trusted.
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = poisoned.into_inner();
            state.stage = Stage::Ended;
            state
        })
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Another leadership of its partition has begun, whose coordinator reads its log anew.
    fn is_outdated(&self) -> bool {
        self.epoch != self.partition.leader_epoch()
    }

    fn is_current(&self) -> bool {
        !self.has_ended() && !self.is_outdated()
    }

    /// It ends, as its log cannot be read, and has no successor for a while: what is damaged stays so, and a client that asks again
    /// would have the whole log read again. Kafka's coordinator stays away until its partition has another leader
    /// (`CoordinatorRuntime`, `FAILED`).
    fn rest(&self, now: Instant) {
        self.rests_until.store((now + LOAD_AGAIN).0, Ordering::Release);
        self.end();
    }

    /// Until when there is no successor; `None`: there may be one now.
    fn rest_ends(&self, now: Instant) -> Option<Instant> {
        let until = Instant(self.rests_until.load(Ordering::Acquire));
        (now < until && !self.is_outdated()).then_some(until)
    }

    /// When the machine's timers are due.
    pub fn deadline(&self) -> Instant {
        Instant(self.deadline.load(Ordering::SeqCst))
    }

    /// The shard that its timers belong to.
    pub fn shard(&self, shards: usize) -> ShardId {
        assert!(shards <= usize::from(u8::MAX), "shards are few: {shards}");
        ShardId((self.partition.index.0.unsigned_abs() as usize % shards.max(1)) as u8)
    }

    /// Lets the machine do something, and appends what it asks for.
    pub fn step<T>(
        self: &Arc<Self>,
        world: &World<'_>,
        moment: Moment,
        work: impl FnOnce(&mut M, &mut M::Step<'_>) -> T,
    ) -> Result<Stepped<T, M>, ErrorCode> {
        self.step_locked(self.lock(), world, moment, None, work)
    }

    /// The same within a transaction of a producer: what the step writes counts when the transaction is committed. The log
    /// is asked first: where the producer is fenced, or its transaction neither open in the log nor admitted, the machine
    /// does not step.
    pub fn step_in_transaction<T>(
        self: &Arc<Self>,
        world: &World<'_>,
        moment: Moment,
        producer: Producer,
        admission: Admission,
        work: impl FnOnce(&mut M, &mut M::Step<'_>) -> T,
    ) -> Result<Stepped<T, M>, ErrorCode> {
        self.step_locked(self.lock(), world, moment, Some(Within { producer, admission }), work)
    }

    fn step_locked<T>(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State<M>>,
        world: &World<'_>,
        moment: Moment,
        within: Option<Within>,
        work: impl FnOnce(&mut M, &mut M::Step<'_>) -> T,
    ) -> Result<Stepped<T, M>, ErrorCode> {
        let (machine, end) = self.active(&mut state)?;
        // Only this coordinator ends transactions in its log, and under this lock: what the log says holds for the append.
        within.map_or(Ok(()), |within| self.check_transaction(within))?;
        let (value, output) = machine.step(world, moment, within.map(|within| within.producer), work);
        if cfg!(debug_assertions) {
            machine.assert_sound();
        }
        let Output { records, is_divisible, replies, commands } = output;
        let wrote = !records.is_empty();
        if wrote {
            let how = How { is_divisible, within, codec: M::codec(&world.resolved) };
            match append::append(&self.partition, &records, how, moment.wall) {
                Ok(appended_to) => *end = appended_to,
                Err(failure) => return Err(self.fail(&mut state, &failure)),
            }
        }
        let deadline = machine.next_deadline();
        assert!(!self.has_ended(), "a coordinator that has ended has no machine");
        let is_due_sooner = self.deadline.swap(deadline.0, Ordering::SeqCst) > deadline.0;
        let barrier = self.barrier(*end);
        drop(state);
        Ok(Stepped { value, barrier, replies, commands, wrote, is_due_sooner })
    }

    fn check_transaction(&self, Within { producer, admission }: Within) -> Result<(), ErrorCode> {
        let checked = self.partition.check_transaction((producer.id, producer.epoch), admission);
        checked.map_err(|refused| match refused {
            // The log takes nothing more: its successor will.
            AppendError::Storage(_) => ErrorCode::NotCoordinator,
            _ => refused.code(),
        })
    }

    /// The log was read into a machine, up to this end: it answers from now on, unless the coordinator has ended meanwhile.
    fn begin(
        self: &Arc<Self>,
        world: &World<'_>,
        moment: Moment,
        machine: M,
        end: Mark,
    ) -> Result<Stepped<(), M>, ErrorCode> {
        let mut state = self.lock();
        if matches!(state.stage, Stage::Loading) {
            *state = State { stage: Stage::Active(Box::new(machine)), end };
        }
        // No request comes before the machine has its timers.
        self.step_locked(state, world, moment, None, |machine, step| machine.handle_loaded(step))
    }

    /// Appends the marker that ends a producer's transaction, and lets the machine know; the caller sees to it that it is
    /// written. Where the log refuses the marker nothing has happened. `transaction_version` is the one by which the
    /// transaction was made.
    pub fn end_transaction(
        self: &Arc<Self>,
        moment: Moment,
        producer: Producer,
        marker: EndTxnMarker,
        transaction_version: i16,
    ) -> Result<Barrier, ErrorCode> {
        let mut state = self.lock();
        let (machine, end) = self.active(&mut state)?;
        let of = (producer.id, producer.epoch);
        let appended = self.partition.append_marker(of, marker, transaction_version, moment.wall);
        let appended = appended.map_err(|failure| {
            error!("{} {}: {failure}", M::NAME, self.partition.index);
            failure.code()
        })?;
        *end = appended.mark();
        machine.end_transaction(producer, marker.commit);
        if cfg!(debug_assertions) {
            machine.assert_sound();
        }
        Ok(self.barrier(*end))
    }

    /// The machine and the end of what it has seen, if the coordinator can be asked.
    fn active<'s>(&self, state: &'s mut State<M>) -> Result<(&'s mut M, &'s mut Mark), ErrorCode> {
        if !self.partition.log.holds(state.end) {
            self.end_locked(state);
        }
        match &mut state.stage {
            Stage::Active(machine) => Ok((machine, &mut state.end)),
            Stage::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Stage::Ended => Err(ErrorCode::NotCoordinator),
        }
    }

    /// Records were not taken that the machine has seen.
    fn fail(&self, state: &mut State<M>, failure: &AppendError) -> ErrorCode {
        error!("{} {}: {failure}", M::NAME, self.partition.index);
        self.end_locked(state);
        match failure {
            // Asking again would not help. Kafka's answer for records that its log does not take.
            AppendError::LargerThanSegment { .. } => ErrorCode::UnknownServerError,
            _ => ErrorCode::NotCoordinator,
        }
    }

    fn barrier(self: &Arc<Self>, end: Mark) -> Barrier {
        Barrier { coordinator: self.clone(), end }
    }

    /// Looks at the machine.
    pub fn look<T>(self: &Arc<Self>, work: impl FnOnce(&M) -> T) -> Result<(T, Barrier), ErrorCode> {
        let state = self.lock();
        match &state.stage {
            Stage::Active(machine) => Ok((work(machine), self.barrier(state.end))),
            Stage::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Stage::Ended => Err(ErrorCode::NotCoordinator),
        }
    }

    /// It answers no more. A request that waits for it finds out when it looks.
    fn end(&self) {
        self.end_locked(&mut self.lock());
    }

    fn end_locked(&self, state: &mut State<M>) {
        state.stage = Stage::Ended;
        self.deadline.store(Instant::NEVER.0, Ordering::SeqCst);
        if !self.ended.swap(true, Ordering::AcqRel) {
            self.keeper.send(keeper::Task::Ended);
        }
    }
}
