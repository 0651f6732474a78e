//! Who may commit and fetch the offsets of a group of the consumer protocol (`ConsumerGroup.validateOffsetCommit`,
//! `validateOffsetFetch`).

use super::Group;
use super::member::Member;
use crate::coordinator::offsets::{Commit, Fetch};
use crate::model::ErrorCode;

/// Clients understand from this version on the errors that members of the consumer protocol get.
const FIRST_VERSION_WITH_MEMBER_EPOCH: i16 = 9;

impl Member {
    /// The epoch is not one in which the member may do this.
    fn stale(&self) -> ErrorCode {
        if self.is_classic() { ErrorCode::IllegalGeneration } else { ErrorCode::StaleMemberEpoch }
    }
}

impl Group {
    /// The member's epoch has to be its current one or, for each partition, not older than the member has the
    /// partition (KIP-1251). Topics are known by their ids, also where the client named them. A partition whose metadata is
    /// too long is refused by itself, whosever it is.
    pub fn validate_offset_commit(&self, request: &Commit<'_>, metadata_max: usize) -> Result<(), ErrorCode> {
        let epoch = request.generation_id_or_member_epoch;
        // An administrator, or a consumer that manages its partitions itself.
        if epoch < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self.member(request.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if !member.is_classic() && request.api_version < FIRST_VERSION_WITH_MEMBER_EPOCH {
            return Err(ErrorCode::UnsupportedVersion);
        }
        validate_epoch(member, request, metadata_max)
    }

    /// The same for a producer in its transaction, which need not say whose offsets they are.
    pub fn validate_transactional_commit(&self, request: &Commit<'_>, metadata_max: usize) -> Result<(), ErrorCode> {
        let epoch = request.generation_id_or_member_epoch;
        let says_nothing = epoch == -1 && request.member_id.is_empty() && request.instance_id.is_none();
        if says_nothing || (epoch < 0 && self.is_empty()) {
            return Ok(());
        }
        validate_epoch(self.member(request.member_id).ok_or(ErrorCode::UnknownMemberId)?, request, metadata_max)
    }

    pub fn validate_offset_fetch(&self, request: &Fetch<'_>) -> Result<(), ErrorCode> {
        // An administrator, or a client that does not say who it is.
        if request.member_id.is_none() && request.member_epoch < 0 {
            return Ok(());
        }
        let member = request.member_id.and_then(|id| self.member(id)).ok_or(ErrorCode::UnknownMemberId)?;
        if request.member_epoch == member.current.epoch { Ok(()) } else { Err(member.stale()) }
    }
}

/// The epoch must be the member's current one or, for each partition, not older than the member has the partition.
fn validate_epoch(member: &Member, request: &Commit<'_>, metadata_max: usize) -> Result<(), ErrorCode> {
    let epoch = request.generation_id_or_member_epoch;
    if epoch == member.current.epoch {
        return Ok(());
    }
    let mut topics = request.topics.iter();
    let is_allowed = epoch < member.current.epoch
        && topics.all(|topic| {
            let mut partitions = topic.partitions.iter().filter(|of| !of.is_metadata_too_long(metadata_max));
            partitions.all(|of| {
                let since = member.current.assignment_epoch(topic.topic_id, of.partition);
                since.is_some_and(|since| epoch >= since)
            })
        });
    if is_allowed { Ok(()) } else { Err(member.stale()) }
}
