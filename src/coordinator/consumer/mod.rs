//! Groups of the consumer protocol (ConsumerGroupHeartbeat, KIP-848): requests and answers.
//!
//! The coordinator computes what each member shall own (the target assignment, which belongs to an epoch of the group)
//! and leads every member there in its own time, heartbeat by heartbeat. State that is in the records changes in
//! `records.rs` alone.

mod classic_members;
mod describe;
pub mod embedded;
mod group;
mod heartbeat;
mod invariants;
mod leave;
mod member;
mod migration;
mod offsets;
mod progress;
#[cfg(test)]
mod random;
#[cfg(test)]
mod random_stories;
mod reconcile;
mod records;
#[cfg(test)]
pub(super) mod story;
#[cfg(test)]
mod table;

use std::sync::Arc;
use std::time::Duration;

pub use self::group::Group;
pub use self::heartbeat::{JOIN_EPOCH, validate};
pub use self::member::LEAVE_EPOCH;
pub(super) use self::progress::TopicHashes;
use super::step::Client;
use crate::model::{ErrorCode, Refusal, TopicId};

/// ConsumerGroupHeartbeat. `None` means: as before.
#[derive(Clone, Debug)]
pub struct Heartbeat<'a> {
    pub client: Client<'a>,
    pub api_version: i16,
    pub group_id: &'a str,
    pub member_id: &'a str,
    pub member_epoch: i32,
    pub instance_id: Option<&'a str>,
    pub rack_id: Option<&'a str>,
    /// -1: as before.
    pub rebalance_timeout_ms: i32,
    pub subscribed_topic_names: Option<Vec<&'a str>>,
    pub subscribed_topic_regex: Option<&'a str>,
    pub server_assignor: Option<&'a str>,
    pub topic_partitions: Option<Vec<(TopicId, Vec<i32>)>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeartbeatReply {
    pub member_id: String,
    pub member_epoch: i32,
    pub heartbeat_interval_ms: i32,
    /// `None`: unchanged.
    pub assignment: Option<Vec<(TopicId, Vec<i32>)>>,
}

/// What ConsumerGroupDescribe tells of a group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Description {
    /// `Empty`, `Assigning`, `Reconciling`, `Stable`, `Dead`.
    pub state: String,
    pub group_epoch: i32,
    pub assignment_epoch: i32,
    pub assignor_name: String,
    pub members: Vec<DescribedMember>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DescribedMember {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub rack_id: Option<String>,
    pub member_epoch: i32,
    pub client_id: String,
    pub client_host: String,
    pub subscribed_topic_names: Vec<String>,
    pub subscribed_topic_regex: Option<String>,
    pub assignment: Vec<DescribedPartitions>,
    pub target_assignment: Vec<DescribedPartitions>,
    /// It speaks the classic protocol.
    pub is_classic: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DescribedPartitions {
    pub topic_id: TopicId,
    pub topic_name: String,
    pub partitions: Vec<i32>,
}

/// Timers of a group, each of them of one member.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// A member's session.
    Session(Arc<str>),
    /// How long a member has for giving up partitions.
    Rebalance(Arc<str>),
    /// How long a member of the classic protocol has for joining again.
    Join(Arc<str>),
    /// How long a member of the classic protocol that has joined has for asking for its assignment.
    Sync(Arc<str>),
}

impl Timer {
    /// All that a member can have.
    fn all(member_id: &Arc<str>) -> [Timer; 4] {
        [Timer::Session, Timer::Rebalance, Timer::Join, Timer::Sync].map(|timer| timer(member_id.clone()))
    }
}

fn refuse<T>(error: ErrorCode, message: String) -> Result<T, Refusal> {
    Err(Refusal::new(error, message))
}

fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
