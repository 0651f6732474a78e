//! Committed offsets of one partition of `__consumer_offsets`: requests and answers (`OffsetMetadataManager`).

use crate::model::{ErrorCode, TopicId};

/// OffsetCommit.
#[derive(Clone, Debug)]
pub struct Commit<'a> {
    pub api_version: i16,
    pub group_id: &'a str,
    pub generation_id_or_member_epoch: i32,
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
    /// Versions 2–4; -1 is the broker's `offsets.retention.minutes`.
    pub retention_time_ms: i64,
    pub topics: Vec<CommitTopic<'a>>,
}

#[derive(Clone, Debug)]
pub struct CommitTopic<'a> {
    pub name: &'a str,
    /// Zero if the client did not name it by id.
    pub topic_id: TopicId,
    pub partitions: Vec<CommitPartition<'a>>,
}

#[derive(Clone, Copy, Debug)]
pub struct CommitPartition<'a> {
    pub partition: i32,
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: Option<&'a str>,
}

/// An error for all, or one for each partition of each topic in the order of the request.
pub type CommitReply = Result<Vec<Vec<ErrorCode>>, ErrorCode>;

/// OffsetFetch of one group.
#[derive(Clone, Debug)]
pub struct Fetch<'a> {
    pub group_id: &'a str,
    /// From version 9 on.
    pub member_id: Option<&'a str>,
    pub member_epoch: i32,
    /// `None`: all that the group has committed.
    pub topics: Option<Vec<(&'a str, Vec<i32>)>>,
    pub require_stable: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedTopic {
    pub name: String,
    pub partitions: Vec<FetchedPartition>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedPartition {
    pub partition: i32,
    /// -1 where nothing is committed.
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: String,
    pub error: ErrorCode,
}

pub type FetchReply = Result<Vec<FetchedTopic>, ErrorCode>;

/// OffsetDelete: an error for all, or one for each partition of each topic in the order of the request.
pub type DeleteReply = Result<Vec<Vec<ErrorCode>>, ErrorCode>;

/// All committed offsets.
#[derive(Default)]
pub struct Offsets {}
