//! The group coordinators of this broker: one for each partition of `__consumer_offsets` that it leads.
//!
//! A coordinator is a machine ([`Groups`]) beside the log that it is written to. Whoever has a request takes the
//! machine's lock, lets it step, appends the records that the step asks for and lets go; nothing is waited for under the
//! lock. The machine shows a step's effect at once, and no answer leaves before everything that it has seen is committed
//! ([`Barrier`]), so that nobody is told what a crash could take back. Where records cannot be written, the machine has
//! seen what the log never will: it is thrown away and loaded again. So is one whose records a full disk made the log
//! take back.
//!
//! Timers belong to one shard for each coordinator; the rest that goes by the clock to the thread of [`keeper`].

mod append;
pub mod keeper;
pub mod lag;
mod load;
mod settings;
mod world;

use std::cmp::Ordering::{Equal, Greater};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use log::error;

use self::keeper::Task;
pub use self::settings::Resolved;
pub use self::world::World;
use crate::config::Config;
use crate::coordinator::groups::Groups;
use crate::coordinator::step::{Output, Reply, Step, Waiter};
use crate::io::environment::Environment;
use crate::model::{ErrorCode, Instant, TimestampMs, java_hash};
use crate::replica::partition::Partition;
use crate::replica::view::View;
use crate::replica::watch::ShardId;
use crate::stdx::inbox::Inbox;
use crate::storage::AppendError;
use crate::storage::log::Mark;

/// The topic of the groups (`Topic.GROUP_METADATA_TOPIC_NAME`).
pub use crate::metadata::topic_name::GROUPS_TOPIC;

/// What the world looks like at the moment of a step.
#[derive(Clone, Copy)]
pub struct Moment {
    pub now: Instant,
    pub wall: TimestampMs,
}

enum Machine {
    /// Its log is not read yet.
    Loading,
    Active(Box<Groups>),
    /// The partition is not ours any more, or its log is broken.
    Ended,
}

struct State {
    machine: Machine,
    /// The end of what the machine has written or seen.
    end: Mark,
}

/// See the module.
pub struct Coordinator {
    pub partition: Arc<Partition>,
    state: Mutex<State>,
    /// When a timer is due, in the nanoseconds of [`Instant`].
    deadline: AtomicU64,
    /// It answers nobody any more; whoever waited for it must ask again.
    ended: AtomicBool,
}

/// What must be committed before an answer may leave.
#[derive(Clone)]
pub struct Barrier {
    pub coordinator: Arc<Coordinator>,
    end: Mark,
}

impl Barrier {
    /// `Err` if it will never be.
    pub fn is_passed(&self) -> Result<bool, ErrorCode> {
        let passed = self.coordinator.partition.is_committed(self.end);
        if passed.is_err() {
            self.coordinator.end();
        }
        passed
    }
}

/// What came of a step.
pub struct Stepped<T> {
    pub value: T,
    pub barrier: Barrier,
    /// Whoever is answered by this step, when the barrier is passed.
    pub replies: Vec<(Waiter, Reply)>,
    /// Records wait in the log to be written: the caller sees to it.
    pub wrote: bool,
    /// A timer is due earlier than any was before.
    pub is_due_sooner: bool,
}

impl Coordinator {
    fn new(partition: Arc<Partition>) -> Coordinator {
        let state = State { machine: Machine::Loading, end: partition.log.mark() };
        let deadline = AtomicU64::new(Instant::NEVER.0);
        Coordinator { partition, state: Mutex::new(state), deadline, ended: AtomicBool::new(false) }
    }

    /// A panic inside of a step leaves a machine that cannot be trusted.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = poisoned.into_inner();
            state.machine = Machine::Ended;
            state
        })
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// When [`Groups::handle_timers`] is due.
    pub fn deadline(&self) -> Instant {
        Instant(self.deadline.load(Ordering::SeqCst))
    }

    /// The shard that its timers belong to.
    pub fn shard(&self, shards: usize) -> ShardId {
        ShardId((self.partition.index.0.unsigned_abs() as usize % shards.max(1)) as u8)
    }

    /// Lets the machine do something, and appends what it asks for.
    pub fn step<T>(
        self: &Arc<Self>,
        world: &World<'_>,
        moment: Moment,
        work: impl FnOnce(&mut Groups, &mut Step<'_>) -> T,
    ) -> Result<Stepped<T>, ErrorCode> {
        let mut state = self.lock();
        if !self.partition.log.holds(state.end) {
            self.end_locked(&mut state);
            return Err(ErrorCode::NotCoordinator);
        }
        let State { machine, end } = &mut *state;
        let groups = match machine {
            Machine::Active(groups) => groups,
            Machine::Loading => return Err(ErrorCode::CoordinatorLoadInProgress),
            Machine::Ended => return Err(ErrorCode::NotCoordinator),
        };
        let group_settings = |group: &str| world.group(group);
        let mut new_id = || world.environment.new_id();
        let mut step = Step {
            now: moment.now,
            wall: moment.wall,
            topics: world,
            settings: &world.resolved.groups,
            group_settings: &group_settings,
            new_id: &mut new_id,
            out: Output::default(),
        };
        let value = work(groups, &mut step);
        let Output { records, replies } = step.out;
        let wrote = !records.is_empty();
        if wrote {
            match append::append(&self.partition, &records, world.codec(), moment.wall) {
                Ok(appended_to) => *end = appended_to,
                Err(failure) => {
                    error!("group coordinator {}: {failure}", self.partition.index);
                    self.end_locked(&mut state);
                    return Err(match failure {
                        // Asking again would not help. Kafka's answer for records that its log does not take.
                        AppendError::LargerThanSegment { .. } => ErrorCode::UnknownServerError,
                        _ => ErrorCode::NotCoordinator,
                    });
                }
            }
        }
        let deadline = groups.next_deadline();
        let is_due_sooner = self.deadline.swap(deadline.0, Ordering::SeqCst) > deadline.0;
        let barrier = Barrier { coordinator: self.clone(), end: *end };
        Ok(Stepped { value, barrier, replies, wrote, is_due_sooner })
    }

    /// Looks at the machine.
    pub fn look<T>(self: &Arc<Self>, work: impl FnOnce(&Groups) -> T) -> Result<(T, Barrier), ErrorCode> {
        let state = self.lock();
        match &state.machine {
            Machine::Active(groups) => Ok((work(groups), Barrier { coordinator: self.clone(), end: state.end })),
            Machine::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Machine::Ended => Err(ErrorCode::NotCoordinator),
        }
    }

    /// It answers nobody any more. Whoever waits finds out when it looks.
    fn end(&self) {
        self.end_locked(&mut self.lock());
    }

    fn end_locked(&self, state: &mut State) {
        state.machine = Machine::Ended;
        self.deadline.store(Instant::NEVER.0, Ordering::SeqCst);
        self.ended.store(true, Ordering::Release);
    }
}

/// All coordinators of this broker, by partition. Readers take no lock.
pub struct Coordinators {
    settings: settings::Current,
    environment: Environment,
    by_partition: ArcSwap<BTreeMap<i32, Arc<Coordinator>>>,
    /// Taken to add or remove one.
    changing: Mutex<()>,
    tasks: Inbox<Task>,
}

impl Coordinators {
    /// The other end of the channel is for the [`keeper::Keeper`].
    pub fn new(config: Config, environment: Environment) -> (Coordinators, Receiver<Task>) {
        let (tasks, tasks_left) = Inbox::new();
        let (by_partition, changing) = (ArcSwap::default(), Mutex::default());
        let settings = settings::Current::new(config);
        (Coordinators { settings, environment, by_partition, changing, tasks }, tasks_left)
    }

    #[cfg(test)]
    pub fn consumer_settings(&self, view: &View, group: &str) -> crate::coordinator::settings::ConsumerSettings {
        self.settings.of_group(&view.image, &self.settings(view), group)
    }

    /// What holds for all groups at the moment.
    pub fn settings(&self, view: &View) -> Arc<Resolved> {
        self.settings.resolved(&view.image)
    }

    /// Whether the cluster has the consumer protocol (`group.version`), and this broker is told to speak it.
    pub fn speaks_consumer_protocol(&self, view: &View) -> bool {
        view.image.feature("group.version") > 0 && self.settings(view).surroundings.consumer_protocol
    }

    /// What a step may see of a view.
    pub fn world<'a>(&'a self, view: &'a View) -> World<'a> {
        World {
            image: &view.image,
            resolved: self.settings(view),
            settings: &self.settings,
            environment: &self.environment,
        }
    }

    /// The coordinator of a group. Before there is the topic, no broker coordinates it (`CoordinatorRuntime`).
    pub fn of_group(&self, view: &View, group_id: &str) -> Result<Arc<Coordinator>, ErrorCode> {
        let topic = view.topic(GROUPS_TOPIC).ok_or(ErrorCode::NotCoordinator)?;
        let index = java_hash::partition_for(group_id, topic.partitions.len());
        let partition = view.partition_by_name(GROUPS_TOPIC, index).map_err(|_| ErrorCode::NotCoordinator)?;
        self.of_partition(partition)
    }

    /// All coordinators, in the order of their partitions.
    pub fn all(&self, view: &View) -> Vec<Result<Arc<Coordinator>, ErrorCode>> {
        let topic = view.topic(GROUPS_TOPIC);
        let hosted = topic.and_then(|topic| view.hosted(topic.id)).into_iter().flat_map(|hosted| hosted.iter());
        hosted.flatten().map(|partition| self.of_partition(partition)).collect()
    }

    fn of_partition(&self, partition: &Arc<Partition>) -> Result<Arc<Coordinator>, ErrorCode> {
        let known = self.by_partition.load();
        match known.get(&partition.index.0) {
            Some(known) if known.partition.number == partition.number && !known.has_ended() => Ok(known.clone()),
            _ => self.add(partition),
        }
    }

    /// Makes the coordinator of a partition. Where nothing is to be read it works at once.
    fn add(&self, partition: &Arc<Partition>) -> Result<Arc<Coordinator>, ErrorCode> {
        if partition.log.is_offline() {
            return Err(ErrorCode::NotCoordinator);
        }
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = BTreeMap::clone(&self.by_partition.load());
        // What the last one appended may not be written yet.
        let has_predecessor = all.contains_key(&partition.index.0);
        if let Some(known) = all.get(&partition.index.0) {
            // Somebody else was faster, or has seen a later world than the caller.
            match known.partition.number.cmp(&partition.number) {
                Equal if !known.has_ended() => return Ok(known.clone()),
                Greater => return Err(ErrorCode::NotCoordinator),
                _ => known.end(),
            }
        }
        let coordinator = Arc::new(Coordinator::new(partition.clone()));
        if !has_predecessor && partition.log.log_end_offset() == partition.log.log_start_offset() {
            let mut state = coordinator.lock();
            *state = State { machine: Machine::Active(Box::default()), end: partition.log.mark() };
        } else {
            self.send(Task::Load(coordinator.clone()));
        }
        all.insert(partition.index.0, coordinator.clone());
        self.by_partition.store(Arc::new(all));
        Ok(coordinator)
    }

    /// Makes the coordinators of partitions that came, and lets go of those whose partition is not this broker's any
    /// more.
    fn follow(&self, view: &View) {
        let _ = self.all(view);
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = BTreeMap::clone(&self.by_partition.load());
        let is_here = |coordinator: &Coordinator| {
            let partition = view.partition_by_name(GROUPS_TOPIC, coordinator.partition.index.0);
            partition.is_ok_and(|partition| partition.number >= coordinator.partition.number)
        };
        let gone: Vec<i32> = all.iter().filter(|(_, c)| !is_here(c)).map(|(index, _)| *index).collect();
        for index in &gone {
            all.remove(index).iter().for_each(|coordinator| coordinator.end());
        }
        if !gone.is_empty() {
            self.by_partition.store(Arc::new(all));
        }
    }

    /// The earliest timer of the coordinators that belong to a shard.
    pub fn next_deadline(&self, shard: ShardId, shards: usize) -> Instant {
        let all = self.by_partition.load();
        let ours = all.values().filter(|coordinator| coordinator.shard(shards) == shard);
        ours.map(|coordinator| coordinator.deadline()).min().unwrap_or(Instant::NEVER)
    }

    /// The coordinators of a shard with a timer that is due.
    pub fn due(&self, shard: ShardId, shards: usize, now: Instant) -> Vec<Arc<Coordinator>> {
        let all = self.by_partition.load();
        let due =
            all.values().filter(|coordinator| coordinator.shard(shards) == shard && coordinator.deadline() <= now);
        due.cloned().collect()
    }

    /// Leaves something to be done by the keeper's thread.
    pub fn send(&self, task: Task) {
        // Fails only when the broker stops.
        self.tasks.send(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::offsets::{Commit, CommitPartition, CommitTopic};
    use crate::io::environment::fixed;
    use crate::io::simulated_disk::SimulatedDisk;
    use crate::model::Uuid;
    use crate::model::{LeaderEpoch, Offset, PartitionIndex, TopicId};
    use crate::record::validate::Rules;
    use crate::storage::log::{Checkpointed, Identity, Log, LogConfig};

    const MOMENT: Moment = Moment { now: Instant(0), wall: TimestampMs(1_767_225_600_000) };

    fn partition(config: LogConfig) -> Arc<Partition> {
        let identity = Identity { topic: GROUPS_TOPIC.into(), partition: PartitionIndex(0), topic_id: Uuid::ONE };
        let (disk, checkpointed) = (Arc::new(SimulatedDisk::default()), Checkpointed::default());
        let log = Log::open(disk, "__consumer_offsets-0".into(), config, identity, checkpointed, MOMENT.wall).unwrap();
        Arc::new(Partition::new(1, log, LeaderEpoch(0), Rules::default()))
    }

    fn commit(coordinator: &Arc<Coordinator>, world: &World<'_>, note: &str) -> Result<Vec<Vec<ErrorCode>>, ErrorCode> {
        let commit = CommitPartition { partition: 3, offset: 42, leader_epoch: -1, metadata: Some(note) };
        let request = Commit {
            api_version: 9,
            group_id: "g",
            generation_id_or_member_epoch: -1,
            member_id: "",
            instance_id: None,
            retention_time_ms: -1,
            topics: vec![CommitTopic { name: "t", topic_id: TopicId::ZERO, partitions: vec![commit] }],
        };
        let stepped = coordinator.step(world, MOMENT, |groups, step| groups.commit_offsets(step, &request))?;
        stepped.value
    }

    /// Appended by one coordinator, loaded by the next one before anybody has written it.
    #[test]
    fn a_successor_finds_what_waits_to_be_written() {
        let partition = partition(LogConfig::default());
        let (coordinators, tasks) = Coordinators::new(Config::defaults(), fixed::environment(TimestampMs(0)));
        let view = View::new("cluster");
        let world = coordinators.world(&view);

        let first = coordinators.of_partition(&partition).unwrap();
        assert_eq!(commit(&first, &world, ""), Ok(vec![vec![ErrorCode::None]]));
        first.end();
        assert_eq!(partition.log.log_end_offset(), Offset(0), "nothing is written");

        let second = coordinators.of_partition(&partition).unwrap();
        assert_eq!(second.look(|_| ()).err(), Some(ErrorCode::CoordinatorLoadInProgress));
        let Ok(Task::Load(asked)) = tasks.try_recv() else { panic!("it is to be loaded") };
        load::load(&asked, &world, MOMENT);
        let committed = |groups: &Groups| groups.committed().map(|(_, _, index, offset)| (index, offset)).collect();
        let (committed, barrier): (Vec<(i32, i64)>, _) = second.look(committed).unwrap();
        assert_eq!((committed, barrier.is_passed()), (vec![(3, 42)], Ok(true)));
    }

    /// Kafka refuses the one request, with this error.
    #[test]
    fn records_that_no_segment_takes_are_not_tried_again() {
        let partition = partition(LogConfig { segment_bytes: 1024, ..LogConfig::default() });
        let (coordinators, _errands) = Coordinators::new(Config::defaults(), fixed::environment(TimestampMs(0)));
        let view = View::new("cluster");
        let world = coordinators.world(&view);
        let coordinator = coordinators.of_partition(&partition).unwrap();
        assert_eq!(commit(&coordinator, &world, &"x".repeat(2000)), Err(ErrorCode::UnknownServerError));
        assert!(coordinator.has_ended(), "it shows what is not in the log");
    }
}
