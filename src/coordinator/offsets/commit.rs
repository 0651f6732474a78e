//! OffsetCommit (`OffsetMetadataManager.commitOffset`).

use super::{Commit, CommitPartition, CommitReply};
use crate::codec::Str;
use crate::coordinator::classic::State;
use crate::coordinator::groups::{Group, Groups};
use crate::coordinator::record::offsets::{Key, OffsetCommitKey, OffsetCommitValue, Value};
use crate::coordinator::step::Step;
use crate::model::{ErrorCode, TopicId};

/// The version in which Kafka 4.3 writes the value, and the one that can say when an offset expires.
const VALUE_VERSION: i16 = 4;
const VALUE_VERSION_WITH_EXPIRY: i16 = 1;

/// Clients know from this version on that a group may not exist.
const FIRST_VERSION_WITH_GROUP_ID_NOT_FOUND: i16 = 9;

/// The same of TxnOffsetCommit (KIP-1319).
const FIRST_TRANSACTIONAL_VERSION_WITH_GROUP_ID_NOT_FOUND: i16 = 6;

/// The broker decides how long the offset is kept.
const DEFAULT_RETENTION: i64 = -1;

impl Groups {
    pub fn commit_offsets(&mut self, step: &mut Step<'_>, request: &Commit<'_>) -> CommitReply {
        self.validate_commit(step, request)?;
        Ok(self.commit_all(step, request))
    }

    /// Commits what is valid, and says of each partition what became of it.
    fn commit_all(&mut self, step: &mut Step<'_>, request: &Commit<'_>) -> Vec<Vec<ErrorCode>> {
        let mut reply = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let commit = |partition| self.commit_offset(step, request, (topic.name, topic.topic_id), partition);
            reply.push(topic.partitions.iter().map(commit).collect());
        }
        assert_eq!(reply.len(), request.topics.len(), "each topic has its answers");
        reply
    }

    fn validate_commit(&mut self, step: &mut Step<'_>, request: &Commit<'_>) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        match self.groups.get(request.group_id) {
            None if generation < 0 => Ok(()),
            None if request.api_version >= FIRST_VERSION_WITH_GROUP_ID_NOT_FOUND => Err(ErrorCode::GroupIdNotFound),
            None => Err(ErrorCode::IllegalGeneration),
            Some(Group::Consumer(group)) => {
                group.validate_offset_commit(request, step.settings.offset_metadata_max_bytes)
            }
            Some(Group::Classic(group)) => {
                group.validate_offset_commit(request.member_id, request.instance_id, generation)?;
                // A commit shows that the member is alive.
                if matches!(group.state(), State::Stable | State::PreparingRebalance)
                    && let Some(mut live) = self.classic(step, request.group_id)
                {
                    live.touch(request.member_id);
                }
                Ok(())
            }
        }
    }

    /// TxnOffsetCommit: what the step writes counts when the transaction of its producer is committed
    /// (`commitTransactionalOffset`).
    pub fn commit_offsets_in_transaction(&mut self, step: &mut Step<'_>, request: &Commit<'_>) -> CommitReply {
        assert!(step.producer.is_some(), "such a commit has a producer");
        self.validate_transactional_commit(step, request)?;
        Ok(self.commit_all(step, request))
    }

    fn validate_transactional_commit(&self, step: &Step<'_>, request: &Commit<'_>) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        let knows = request.api_version >= FIRST_TRANSACTIONAL_VERSION_WITH_GROUP_ID_NOT_FOUND;
        let valid = match self.groups.get(request.group_id) {
            None if generation < 0 => Ok(()),
            None => Err(ErrorCode::GroupIdNotFound),
            Some(Group::Consumer(group)) => {
                group.validate_transactional_commit(request, step.settings.offset_metadata_max_bytes)
            }
            Some(Group::Classic(group)) => {
                group.validate_transactional_commit(request.member_id, request.instance_id, generation)
            }
        };
        valid.map_err(|error| match error {
            ErrorCode::GroupIdNotFound | ErrorCode::StaleMemberEpoch if !knows => ErrorCode::IllegalGeneration,
            error => error,
        })
    }

    fn commit_offset(
        &mut self,
        step: &mut Step<'_>,
        request: &Commit<'_>,
        (topic, topic_id): (&str, TopicId),
        commit: &CommitPartition<'_>,
    ) -> ErrorCode {
        if commit.is_metadata_too_long(step.settings.offset_metadata_max_bytes) {
            return ErrorCode::OffsetMetadataTooLarge;
        }
        let expires = request.retention_time_ms != DEFAULT_RETENTION;
        let mut value = OffsetCommitValue {
            offset: commit.offset,
            leader_epoch: commit.leader_epoch,
            metadata: Str::Borrowed(commit.metadata.unwrap_or_default()),
            commit_timestamp: step.wall.0,
            expire_timestamp: -1,
            topic_id,
        };
        let version = if expires { VALUE_VERSION_WITH_EXPIRY } else { VALUE_VERSION };
        if expires {
            // That version of the record cannot hold them, and the requests that ask for it do not have them.
            (value.leader_epoch, value.topic_id) = (-1, TopicId::ZERO);
            value.expire_timestamp = step.wall.0.wrapping_add(request.retention_time_ms);
        }
        let (group, topic) = (Str::Borrowed(request.group_id), Str::Borrowed(topic));
        let key = Key::OffsetCommit(OffsetCommitKey { group, topic, partition: commit.partition });
        self.emit(step, key, Some((Value::OffsetCommit(value), version)));
        ErrorCode::None
    }
}

impl CommitPartition<'_> {
    /// Whether the offset is refused for its metadata. Kafka counts what Java counts: UTF-16 units, of which there are never
    /// more than bytes.
    pub(in crate::coordinator) fn is_metadata_too_long(&self, max: usize) -> bool {
        let metadata = self.metadata.unwrap_or_default();
        metadata.len() > max && metadata.encode_utf16().count() > max
    }
}
