//! What surrounds a step of a machine: the time, the world that it may look at, and what it asks for.
//!
//! State that is in the records is changed by applying a record, in the step that writes it just as in a replay; what
//! is not in them (who waits for a rebalance, sessions) is changed directly. A step is not undone: if its records
//! cannot be written, the whole machine is thrown away and loaded again from its log.

use std::collections::BTreeSet;

use super::classic::{JoinReply, SyncReply};
use super::settings::{ConsumerSettings, Settings};
use crate::model::{Instant, TimestampMs, TopicId, Uuid};

/// Who waits for an answer that comes in a later step; means something to the runtime only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Waiter {
    pub shard: u8,
    pub key: u64,
}

/// An answer that was waited for.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    Join(JoinReply),
    Sync(SyncReply),
}

/// A record of `__consumer_offsets` as bytes; no value is a tombstone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// What a step asks for.
#[derive(Default, Debug)]
pub struct Output {
    /// To be appended in this order, as one batch.
    pub records: Vec<Record>,
    /// Whoever is answered now; not before the records of this step, and of all before it, are committed.
    pub replies: Vec<(Waiter, Reply)>,
}

/// The topics as the cluster's metadata has them.
pub trait Topics {
    /// Grows with every change of the metadata.
    fn version(&self) -> i64;
    fn id(&self, name: &str) -> Option<TopicId>;
    fn name(&self, id: TopicId) -> Option<&str>;
    /// How many partitions it has.
    fn partitions(&self, id: TopicId) -> Option<i32>;
    /// The racks of a partition's replicas; empty where none is known.
    fn racks(&self, id: TopicId, partition: i32) -> BTreeSet<String>;
    fn names(&self) -> Vec<&str>;
}

/// See the module.
pub struct Step<'a> {
    pub now: Instant,
    pub wall: TimestampMs,
    pub topics: &'a dyn Topics,
    pub settings: &'a Settings,
    /// The settings of one group, its dynamic configs included.
    pub group_settings: &'a dyn Fn(&str) -> ConsumerSettings,
    /// Something that nobody can guess.
    pub new_id: &'a mut dyn FnMut() -> Uuid,
    pub out: Output,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    pub id: &'a str,
    /// The address as Kafka prints it: `/127.0.0.1`.
    pub host: &'a str,
}
