//! Groups of the classic protocol (JoinGroup, SyncGroup, Heartbeat, LeaveGroup): requests and answers.
//!
//! The member that the group elects as its leader computes the assignments; what subscriptions and assignments mean is
//! not known here (KIP-62, KIP-345, KIP-394, KIP-429, KIP-800).

mod group;
mod heartbeat;
mod invariants;
mod join;
mod leave;
#[cfg(test)]
pub(in crate::coordinator) mod random;
mod rebalance;
mod records;
#[cfg(test)]
pub(super) mod story;
mod sync;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;

pub use self::group::{CONSUMER_PROTOCOL_TYPE, Group, Member, State};
pub(super) use self::join::distinct;
#[cfg(test)]
pub(super) use self::join::uuid_text;
pub use self::join::validate_join;
pub(super) use self::rebalance::Live;
pub(super) use self::records::key;
pub use super::reply::{JoinReply, JoinedMember, SyncReply};
use super::step::Client;
use crate::model::ErrorCode;

/// JoinGroup.
#[derive(Clone, Debug)]
pub struct Join<'a> {
    pub client: Client<'a>,
    pub group_id: &'a str,
    /// Empty if the member has none yet.
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
    pub session_timeout_ms: i32,
    /// -1 in version 0: then it is the session timeout.
    pub rebalance_timeout_ms: i32,
    pub protocol_type: &'a str,
    /// Name and metadata, the preferred one first.
    pub protocols: Vec<(&'a str, &'a [u8])>,
    pub reason: Option<&'a str>,
    /// A member without an id is sent away with one first (KIP-394, version 4).
    pub requires_known_member_id: bool,
    /// A static leader that comes back is told to skip the assignment (KIP-814, version 9).
    pub supports_skipping_assignment: bool,
}

/// SyncGroup.
#[derive(Clone, Debug)]
pub struct Sync<'a> {
    pub group_id: &'a str,
    pub generation_id: i32,
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
    pub protocol_type: Option<&'a str>,
    pub protocol_name: Option<&'a str>,
    /// The leader sends each member's assignment, the others nothing.
    pub assignments: Vec<(&'a str, &'a [u8])>,
}

/// Heartbeat.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat<'a> {
    pub group_id: &'a str,
    pub generation_id: i32,
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
}

/// One member of a LeaveGroup.
#[derive(Clone, Copy, Debug)]
pub struct Leaving<'a> {
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
    pub reason: Option<&'a str>,
}

/// LeaveGroup: an error for all, or one for each member in the order of the request.
pub type LeaveReply = Result<Vec<ErrorCode>, ErrorCode>;

/// What DescribeGroups tells of a group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Description {
    /// `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable`, `Dead`.
    pub state: String,
    pub protocol_type: String,
    pub protocol: String,
    pub members: Vec<DescribedMember>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DescribedMember {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub metadata: Vec<u8>,
    pub assignment: Vec<u8>,
}

/// Timers of a group.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// A member's session, or how long a member may stay pending.
    Session(std::sync::Arc<str>),
    /// How long the members have for joining the next generation.
    Join,
    /// How long the members of a new generation have for asking for their assignments.
    Sync,
}
