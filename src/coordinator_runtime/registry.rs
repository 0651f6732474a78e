//! The coordinators of one kind: which there are, and which one is asked.

use std::cmp::Ordering::{Equal, Greater};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::keeper::Task;
use super::{Coordinator, Kind, ProducerIds, Resolved, Stage, State, World, settings};
use crate::config::Config;
use crate::io::environment::Environment;
use crate::model::{ErrorCode, Instant, java_hash};
use crate::replica::partition::Partition;
use crate::replica::view::View;
use crate::replica::watch::ShardId;
use crate::stdx::inbox::{Inbox, Tasks};

/// All coordinators of one kind, by partition. Readers take no lock.
pub struct Registry<M: Kind> {
    settings: settings::Current,
    environment: Environment,
    producer_ids: Arc<ProducerIds>,
    by_partition: ArcSwap<BTreeMap<i32, Arc<Coordinator<M>>>>,
    /// Taken to add or remove one.
    changing: Mutex<()>,
    tasks: Inbox<Task<M>>,
}

impl<M: Kind> Registry<M> {
    /// The other end of the channel is for the [`super::keeper::Keeper`].
    pub fn new(
        config: Config,
        environment: Environment,
        producer_ids: Arc<ProducerIds>,
    ) -> (Registry<M>, Tasks<Task<M>>) {
        let (tasks, tasks_left) = Inbox::new();
        let (by_partition, changing) = (ArcSwap::default(), Mutex::default());
        let settings = settings::Current::new(config);
        (Registry { settings, environment, producer_ids, by_partition, changing, tasks }, tasks_left)
    }

    /// What the coordinators obey at the moment.
    pub fn settings(&self, view: &View) -> Arc<Resolved> {
        self.settings.resolved(&view.image)
    }

    /// What a step may see of a view.
    pub fn world<'a>(&'a self, view: &'a View) -> World<'a> {
        World {
            image: &view.image,
            resolved: self.settings(view),
            settings: &self.settings,
            environment: &self.environment,
            producer_ids: &self.producer_ids,
            may_describe: None,
        }
    }

    /// The coordinator of a key. Before there is the topic, no broker coordinates it (`CoordinatorRuntime`).
    pub fn of_key(&self, view: &View, key: &str) -> Result<Arc<Coordinator<M>>, ErrorCode> {
        let topic = view.topic(M::TOPIC).ok_or(ErrorCode::NotCoordinator)?;
        let index = java_hash::partition_for(key, topic.partitions.len());
        let partition = view.partition_by_name(M::TOPIC, index).map_err(|_| ErrorCode::NotCoordinator)?;
        self.of_partition(partition)
    }

    /// All coordinators, in the order of their partitions.
    pub fn all(&self, view: &View) -> Vec<Result<Arc<Coordinator<M>>, ErrorCode>> {
        let topic = view.topic(M::TOPIC);
        let hosted = topic.and_then(|topic| view.hosted(topic.id)).into_iter().flat_map(|hosted| hosted.iter());
        let is_own = |partition: &&Arc<Partition>| {
            let described = topic.and_then(|topic| topic.partition(partition.index.0));
            described.is_some_and(|described| view.is_own(described))
        };
        hosted.flatten().filter(is_own).map(|partition| self.of_partition(partition)).collect()
    }

    pub(super) fn of_partition(&self, partition: &Arc<Partition>) -> Result<Arc<Coordinator<M>>, ErrorCode> {
        let known = self.by_partition.load();
        match known.get(&partition.index.0) {
            Some(known) if known.partition.number == partition.number && known.is_current() => Ok(known.clone()),
            Some(known) if self.rests(known, partition) => Err(ErrorCode::NotCoordinator),
            _ => self.add(partition),
        }
    }

    /// Whether the log of a partition could not be read, and it is too early to try again.
    fn rests(&self, known: &Coordinator<M>, partition: &Partition) -> bool {
        known.partition.number == partition.number && known.rest_ends(self.environment.now()).is_some()
    }

    /// When the first log is to be read again that could not be.
    pub(super) fn next_rest_end(&self, now: Instant) -> Instant {
        let ends = self.by_partition.load().values().filter_map(|known| known.rest_ends(now)).min();
        ends.unwrap_or(Instant::NEVER)
    }

    /// Makes the coordinator of a partition. Where nothing is to be read it works at once.
    fn add(&self, partition: &Arc<Partition>) -> Result<Arc<Coordinator<M>>, ErrorCode> {
        assert_eq!(&*partition.topic, M::TOPIC, "a coordinator's records are in its own topic");
        if partition.log.is_offline() {
            return Err(ErrorCode::NotCoordinator);
        }
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = BTreeMap::clone(&self.by_partition.load());
        // What the last one appended may not be written yet.
        let has_predecessor = all.contains_key(&partition.index.0);
        if let Some(known) = all.get(&partition.index.0) {
            // Another thread was faster, or has seen a later world than the caller.
            match known.partition.number.cmp(&partition.number) {
                Equal if known.is_current() => return Ok(known.clone()),
                Equal if self.rests(known, partition) => return Err(ErrorCode::NotCoordinator),
                Greater => return Err(ErrorCode::NotCoordinator),
                _ => known.end(),
            }
            assert!(known.has_ended(), "the coordinator before has ended");
        }
        let coordinator = Arc::new(Coordinator::<M>::new(partition.clone(), self.tasks.clone()));
        if !has_predecessor && partition.log.log_end_offset() == partition.log.log_start_offset() {
            let mut state = coordinator.lock();
            *state = State { stage: Stage::Active(Box::default()), end: partition.log.mark() };
        } else {
            self.send(Task::Load(coordinator.clone()));
        }
        all.insert(partition.index.0, coordinator.clone());
        self.by_partition.store(Arc::new(all));
        Ok(coordinator)
    }

    /// Makes the coordinators of partitions that came, and lets go of those whose partition is not this broker's any
    /// more.
    pub(super) fn follow(&self, view: &View) {
        let _ = self.all(view);
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = BTreeMap::clone(&self.by_partition.load());
        let is_here = |coordinator: &Coordinator<M>| {
            let partition = view.partition_by_name(M::TOPIC, coordinator.partition.index.0);
            let is_there = partition.is_ok_and(|partition| partition.number >= coordinator.partition.number);
            is_there && !coordinator.is_outdated()
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
    pub fn due(&self, shard: ShardId, shards: usize, now: Instant) -> Vec<Arc<Coordinator<M>>> {
        let all = self.by_partition.load();
        let due =
            all.values().filter(|coordinator| coordinator.shard(shards) == shard && coordinator.deadline() <= now);
        due.cloned().collect()
    }

    /// Leaves something to be done by the keeper's thread.
    pub fn send(&self, task: Task<M>) {
        // Fails only when the broker stops.
        self.tasks.send(task);
    }
}
