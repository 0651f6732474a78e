//! What a client sees when it acts: the machine, its time, its randomness, and the oracle to which it tells what it was promised.

use std::collections::BTreeMap;

use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::history::{History, Object};
use super::oracle::Oracle;
use super::plan::TopicPlan;
use super::wire::Wire;
use crate::io::simulated::World;
use crate::model::{Instant, TimestampMs};
use crate::stdx::random::Random;

/// A topic that stays, as clients know it.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) plan: TopicPlan,
    pub(super) id: Uuid,
    pub(super) partitions: i32,
}

impl Known {
    pub(super) fn object(&self, partition: i32) -> Object {
        Object::Partition(self.plan.name.clone(), partition)
    }
}

/// See the module.
pub(super) struct Scene<'w> {
    pub(super) world: &'w World,
    pub(super) now: Instant,
    pub(super) wall: TimestampMs,
    pub(super) random: &'w mut Random,
    pub(super) oracle: &'w mut Oracle,
    pub(super) history: &'w mut History,
    pub(super) topics: &'w mut Vec<Known>,
    /// The topics of transactional clients.
    pub(super) ledgers: &'w [Known],
    /// The broker speaks the null cipher.
    pub(super) is_layered: bool,
    /// Nobody begins anything new.
    pub(super) is_resting: bool,
}

impl Scene<'_> {
    /// Tells the oracle that a rule does not hold. Always `None`, for whoever must give up.
    pub(super) fn violated<T>(&mut self, rule: &'static str, objects: &[Object], text: String) -> Option<T> {
        self.oracle.violate(rule, objects, text);
        None
    }

    pub(super) fn in_ms(&self, ms: u64) -> Instant {
        self.now + std::time::Duration::from_millis(ms)
    }

    /// At some time from `least` on, within `spread`.
    pub(super) fn some_time(&mut self, least_ms: u64, spread_ms: u64) -> Instant {
        let ms = least_ms + self.random.below(spread_ms);
        self.in_ms(ms)
    }

    pub(super) fn topic_of(&self, id: Uuid) -> Option<&Known> {
        self.topics.iter().find(|topic| topic.id == id)
    }

    /// The partitions of some topics, with the names of the topics.
    pub(super) fn partitions_of(&self, topics: &[usize]) -> BTreeMap<String, i32> {
        topics.iter().map(|at| (self.topics[*at].plan.name.clone(), self.topics[*at].partitions)).collect()
    }
}

pub(super) fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// One that acts when it has its turn.
pub(super) trait Actor {
    fn act(&mut self, scene: &mut Scene<'_>);

    fn wire(&mut self) -> &mut Wire;

    /// At rest: it owes nothing and waits for nothing.
    fn is_settled(&self, topics: &[Known]) -> bool;

    /// For the report of who does not settle.
    fn name(&self) -> String;
}
