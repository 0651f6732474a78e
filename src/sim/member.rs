//! What members of both protocols have in common: they commit offsets of what they own and look at what is committed.

use bytes::Bytes;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{FindCoordinatorRequest, GroupId, OffsetCommitRequest, OffsetFetchRequest, TopicName};

use super::history::Object;
use super::oracle::groups::Owned;
use super::oracle::offsets::{Before, Slot};
use super::scene::{Actor, Scene, text};
use super::wire::{Wire, decode};
use crate::model::ErrorCode;

const COMMIT: i16 = 9;
const FETCH: i16 = 7;
pub(super) const FIND: i16 = 4;

/// One of a group.
pub(super) trait Member: Actor {
    fn group(&self) -> &str;

    /// Id, generation or epoch, and what it owns; `None` while it is on its way.
    fn standing(&self) -> Option<(String, i32, Owned)>;
}

pub(super) fn group_id(group: &str) -> GroupId {
    GroupId(text(group))
}

pub(super) fn note(scene: &mut Scene<'_>, group: &str, what: impl FnOnce() -> String) {
    scene.history.note(|| Object::Group(group.to_string()), what);
}

/// What an answer's code means to a member that asked for something sensible.
pub(super) fn error(scene: &mut Scene<'_>, group: &str, asked: impl Fn() -> String, code: i16) -> ErrorCode {
    use ErrorCode::*;
    let error = ErrorCode::from_code(code).unwrap_or(UnknownServerError);
    note(scene, group, || format!("{} -> {error}", asked()));
    let is_usual = matches!(
        error,
        None | MemberIdRequired
            | UnknownMemberId
            | GroupIdNotFound
            | IllegalGeneration
            | RebalanceInProgress
            | NotCoordinator
            | CoordinatorNotAvailable
            | CoordinatorLoadInProgress
            | FencedMemberEpoch
            | StaleMemberEpoch
            | KafkaStorageError
            | RequestTimedOut
    );
    if !is_usual {
        let text = format!("{}: {error}", asked());
        scene.violated::<()>("a good request of a member is answered", &[Object::Group(group.to_string())], text);
    }
    error
}

pub(super) fn find(scene: &mut Scene<'_>, wire: &mut Wire, group: &str) -> Option<i32> {
    let request = FindCoordinatorRequest::default().with_key_type(0).with_coordinator_keys(vec![text(group)]);
    wire.post(scene, FIND, &request)
}

/// Whether the coordinator was found.
pub(super) fn found(scene: &mut Scene<'_>, group: &str, body: Bytes) -> bool {
    let Some(response) = decode::<FindCoordinatorRequest>(scene, FIND, body) else { return false };
    let code = response.coordinators.first().map_or(-1, |found| found.error_code);
    error(scene, group, || "FindCoordinator".into(), code) == ErrorCode::None
}

/// Commits the next offset of one of the owned partitions.
pub(super) fn commit(
    scene: &mut Scene<'_>,
    wire: &mut Wire,
    group: &str,
    (member, epoch): (&str, i32),
    owned: &Owned,
) -> Option<(Slot, i64)> {
    let slot = owned.iter().nth(scene.random.below(owned.len().max(1) as u64) as usize)?.clone();
    let offset = scene.oracle.offsets(group).next(&slot);
    let partition = OffsetCommitRequestPartition::default().with_partition_index(slot.1).with_committed_offset(offset);
    let topic =
        OffsetCommitRequestTopic::default().with_name(TopicName(text(&slot.0))).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id_or_member_epoch(epoch)
        .with_member_id(text(member))
        .with_topics(vec![topic]);
    note(scene, group, || format!("{member} in {epoch} commits {slot:?} = {offset}"));
    if wire.post(scene, COMMIT, &request).is_none() {
        scene.oracle.offsets(group).refused(&slot, offset);
        return None;
    }
    Some((slot, offset))
}

pub(super) fn committed(scene: &mut Scene<'_>, group: &str, slot: &Slot, offset: i64, body: Bytes) -> ErrorCode {
    let Some(response) = decode::<OffsetCommitRequest>(scene, COMMIT, body) else { return ErrorCode::None };
    let code = response.topics.first().and_then(|topic| topic.partitions.first()).map_or(-1, |p| p.error_code);
    let error = error(scene, group, || format!("OffsetCommit of {slot:?} = {offset}"), code);
    let offsets = scene.oracle.offsets(group);
    match error {
        ErrorCode::None => offsets.acknowledged(slot, offset),
        // It may have been written all the same.
        ErrorCode::KafkaStorageError
        | ErrorCode::RequestTimedOut
        | ErrorCode::NotCoordinator
        | ErrorCode::CoordinatorNotAvailable => {}
        _ => offsets.refused(slot, offset),
    }
    error
}

/// Asks what is committed for one partition; answers with what was known when it asked.
pub(super) fn look(scene: &mut Scene<'_>, wire: &mut Wire, group: &str, slot: &Slot) -> Option<Before> {
    let topic =
        OffsetFetchRequestTopic::default().with_name(TopicName(text(&slot.0))).with_partition_indexes(vec![slot.1]);
    let request = OffsetFetchRequest::default().with_group_id(group_id(group)).with_topics(Some(vec![topic]));
    let before = scene.oracle.offsets(group).before(slot);
    wire.post(scene, FETCH, &request).map(|_| before)
}

/// Whether it was told.
pub(super) fn looked(scene: &mut Scene<'_>, group: &str, slot: &Slot, before: Before, body: Bytes) -> bool {
    let Some(response) = decode::<OffsetFetchRequest>(scene, FETCH, body) else { return false };
    let found = response.topics.first().and_then(|topic| topic.partitions.first());
    let code = if response.error_code != 0 { response.error_code } else { found.map_or(-1, |found| found.error_code) };
    if error(scene, group, || "OffsetFetch".into(), code) != ErrorCode::None {
        return false;
    }
    let offset = found.map_or(-1, |found| found.committed_offset);
    note(scene, group, || format!("{slot:?} is committed up to {offset}"));
    scene.oracle.judge_offsets(group, |offsets| offsets.fetched(slot, before, offset));
    true
}
