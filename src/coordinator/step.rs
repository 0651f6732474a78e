//! What surrounds a step of a group's machine: the time, the world that it may look at, and what it asks for.

use std::collections::BTreeSet;

use super::machine;
pub use super::machine::{Producer, Record, Waiter};
pub use super::reply::Reply;
use super::settings::{ConsumerSettings, Settings};
use crate::model::{Instant, TimestampMs, TopicId, Uuid};
use crate::stdx::never::Never;

/// What a step of a group's machine asks for. Groups command nothing: all that they do is in their records and replies.
pub type Output = machine::Output<Reply, Never>;

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
    /// Whether the client whose request is the step may know of the topic. Every topic where nothing is forbidden.
    fn may_describe(&self, _topic: &str) -> bool {
        true
    }
}

/// One step, which the runtime takes for a request, a timer or a load.
pub struct Step<'a> {
    pub now: Instant,
    pub wall: TimestampMs,
    /// Given: what the step writes belongs to a transaction of this producer.
    pub producer: Option<Producer>,
    pub topics: &'a dyn Topics,
    pub settings: &'a Settings,
    /// The settings of one group, its dynamic configs included.
    pub group_settings: &'a dyn Fn(&str) -> ConsumerSettings,
    /// An id that cannot be guessed.
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
