//! The shards, as the controller sees them: requests that wait for it there, and for partitions.

use std::collections::BTreeSet;

use crate::metadata::Decided;
use crate::model::ErrorCode;

/// The request that waits for an answer: its shard, and its key there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplyTo {
    pub shard: u8,
    pub key: u64,
}

/// What a request is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Answered {
    Change(Decided),
    /// What came of each of the moves.
    Move(Vec<ErrorCode>),
}

/// The shards, as the controller sees them.
pub trait Audience: Send {
    /// What has become of a request, or why nothing has.
    fn answer(&self, to: ReplyTo, answer: Result<Answered, ErrorCode>);

    /// Something has changed of the partitions with these numbers, or they have gone; others may have come.
    fn tell_changed(&self, partitions: &BTreeSet<u64>);
}
