//! Groups of the consumer protocol (ConsumerGroupHeartbeat, KIP-848): requests and answers.

mod bridge;

use super::step::Client;
use crate::model::TopicId;

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

/// Timers of a group.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// A member's session.
    Session(std::sync::Arc<str>),
}

/// A group.
pub struct Group {}

impl super::groups::Groups {
    pub(super) fn handle_consumer_timer(&mut self, step: &mut super::step::Step<'_>, group_id: &str, timer: &Timer) {
        let _ = (step, group_id, timer);
    }
}
