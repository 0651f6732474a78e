//! A member of a group of the consumer protocol (`ConsumerGroupMember`).
//!
//! It is two values, each of which is one record: what the member says of itself ([`Metadata`]), and how far it has come
//! towards its target assignment ([`Current`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::TopicId;

/// Partitions, each with the epoch in which the member got it.
pub type Partitions = BTreeMap<TopicId, BTreeMap<i32, i32>>;

/// The member has left; a static one (-2) is expected back.
pub const LEAVE_EPOCH: i32 = -1;
pub const LEAVE_STATIC_EPOCH: i32 = -2;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MemberState {
    /// It owns what its epoch's target assignment wants.
    Stable,
    /// It has to give up partitions before it may go on to the next epoch.
    UnrevokedPartitions,
    /// It is in the target's epoch, but others have not yet given up what it shall own.
    UnreleasedPartitions,
    /// Written by a coordinator that knows more states than this one.
    Unknown,
}

impl MemberState {
    pub fn from_id(id: i8) -> MemberState {
        match id {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        }
    }

    pub fn id(self) -> i8 {
        match self {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
            MemberState::Unknown => 127,
        }
    }
}

/// What only members have that use the classic protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Classic {
    pub session_timeout_ms: i32,
    /// Names and metadata, the preferred one first.
    pub protocols: Vec<(String, Vec<u8>)>,
}

/// What a member says of itself (`ConsumerGroupMemberMetadataValue`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metadata {
    pub instance_id: Option<Arc<str>>,
    pub rack_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub topics: BTreeSet<Arc<str>>,
    /// Empty, or none: no regular expression. Kafka tells the two apart.
    pub regex: Option<Arc<str>>,
    pub rebalance_timeout_ms: i32,
    pub assignor: Option<Arc<str>>,
    pub classic: Option<Classic>,
}

impl Default for Metadata {
    fn default() -> Metadata {
        Metadata {
            instance_id: None,
            rack_id: None,
            client_id: "".into(),
            client_host: "".into(),
            topics: BTreeSet::new(),
            regex: Some("".into()),
            rebalance_timeout_ms: -1,
            assignor: None,
            classic: None,
        }
    }
}

impl Metadata {
    /// The regular expression that it subscribes to.
    pub fn subscribed_regex(&self) -> Option<&Arc<str>> {
        self.regex.as_ref().filter(|regex| !regex.is_empty())
    }
}

/// How far a member has come (`ConsumerGroupCurrentMemberAssignmentValue`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Current {
    pub epoch: i32,
    /// The member may still be in this one if it has not heard of the newer one.
    pub previous_epoch: i32,
    pub state: MemberState,
    pub assigned: Partitions,
    pub pending_revocation: Partitions,
}

impl Default for Current {
    fn default() -> Current {
        Current {
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            assigned: Partitions::new(),
            pending_revocation: Partitions::new(),
        }
    }
}

impl Current {
    pub fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }

    /// The epoch in which it got a partition that it owns, or has yet to give up.
    pub fn assignment_epoch(&self, topic: TopicId, partition: i32) -> Option<i32> {
        let of = |partitions: &Partitions| partitions.get(&topic)?.get(&partition).copied();
        of(&self.assigned).or_else(|| of(&self.pending_revocation))
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    pub id: Arc<str>,
    pub metadata: Metadata,
    pub current: Current,
}

impl Member {
    pub fn new(id: Arc<str>) -> Member {
        Member { id, metadata: Metadata::default(), current: Current::default() }
    }

    pub fn is_classic(&self) -> bool {
        self.metadata.classic.is_some()
    }
}
