//! A coordinator with a clock that stands still, for tests: a machine, its log, and the topics that it sees.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::groups::{Groups, TimerKey};
use super::machine::Machine;
use super::record::offsets::Entry;
use super::settings::{ConsumerSettings, Settings};
use super::step::{Output, Producer, Record, Reply, Step, Topics, Waiter};
use crate::model::{Instant, TimestampMs, TopicId, Uuid};

/// When the clock on the wall starts.
pub const EPOCH_MS: i64 = 1_000_000;

#[derive(Clone, Default)]
pub struct Topic {
    pub id: TopicId,
    /// The racks of each partition's replicas.
    pub partitions: Vec<BTreeSet<String>>,
}

#[derive(Default)]
pub struct Cluster {
    pub topics: BTreeMap<String, Topic>,
    pub version: i64,
}

impl Cluster {
    fn by_id(&self, id: TopicId) -> Option<(&String, &Topic)> {
        self.topics.iter().find(|(_, topic)| topic.id == id)
    }
}

impl Topics for Cluster {
    fn version(&self) -> i64 {
        self.version
    }

    fn id(&self, name: &str) -> Option<TopicId> {
        self.topics.get(name).map(|topic| topic.id)
    }

    fn name(&self, id: TopicId) -> Option<&str> {
        self.by_id(id).map(|(name, _)| name.as_str())
    }

    fn partitions(&self, id: TopicId) -> Option<i32> {
        self.by_id(id).map(|(_, topic)| topic.partitions.len() as i32)
    }

    fn racks(&self, id: TopicId, partition: i32) -> BTreeSet<String> {
        let racks = self.by_id(id).and_then(|(_, topic)| topic.partitions.get(partition as usize));
        racks.cloned().unwrap_or_default()
    }

    fn names(&self) -> Vec<&str> {
        self.topics.keys().map(String::as_str).collect()
    }
}

/// The whole small world of a test.
#[derive(Default)]
pub struct World {
    pub groups: Groups,
    pub now: Instant,
    pub cluster: Cluster,
    pub settings: Settings,
    pub consumer_settings: ConsumerSettings,
    /// What is written belongs to its transaction.
    pub producer: Option<Producer>,
    /// Ids that were given out are 1, 2, 3, ...
    pub ids: u64,
    /// All that was written.
    pub log: Vec<Record>,
    /// Who was answered, in this order.
    pub replies: Vec<(Waiter, Reply)>,
}

impl World {
    pub fn wall(&self) -> i64 {
        EPOCH_MS + (self.now.0 / 1_000_000) as i64
    }

    /// Does something in a step, and keeps what the step asks for.
    pub fn step<R>(&mut self, body: impl FnOnce(&mut Groups, &mut Step<'_>) -> R) -> R {
        let (wall, settings) = (TimestampMs(self.wall()), self.consumer_settings);
        let ids = &mut self.ids;
        let mut new_id = || {
            *ids += 1;
            Uuid(u128::from(*ids).to_be_bytes())
        };
        let mut step = Step {
            now: self.now,
            wall,
            producer: self.producer,
            topics: &self.cluster,
            settings: &self.settings,
            group_settings: &|_| settings,
            new_id: &mut new_id,
            out: Output::default(),
        };
        let result = body(&mut self.groups, &mut step);
        self.groups.assert_sound();
        let Output { records, replies, .. } = step.out;
        self.log.extend(records);
        self.replies.extend(replies);
        result
    }

    /// Lets time go by; every timer goes off at its moment.
    pub fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.groups.next_deadline() <= end {
            self.now = self.groups.next_deadline().max(self.now);
            self.step(Groups::handle_timers);
        }
        self.now = end;
    }

    /// What a machine is that has read this much of the log.
    pub fn replay(log: &[Record]) -> Groups {
        let mut groups = Groups::default();
        for record in log {
            let entry = Entry::decode(&record.key, record.value.as_deref()).unwrap();
            groups.apply(&entry, None).unwrap();
        }
        groups
    }

    /// Throws the machine away and loads it from the log.
    pub fn restart(&mut self) {
        self.groups = World::replay(&self.log);
        self.step(Groups::handle_loaded);
    }

    pub fn timers(&self) -> BTreeMap<TimerKey, Instant> {
        self.groups.timers.iter().map(|(key, at)| (key.clone(), at)).collect()
    }
}
