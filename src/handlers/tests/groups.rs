//! One member of a group through every version of the requests that groups are made of, and what is refused before a
//! coordinator hears of it.

use super::versions::versions;
use crate::coordinator_runtime::lag::Lag;
use crate::handlers::testing::{Broker, batch};
use crate::model::{ApiKey, ErrorCode, Uuid};
use crate::wire::api::{
    consumer_group_describe, consumer_group_heartbeat, delete_groups, describe_groups, find_coordinator, heartbeat,
    join_group, leave_group, list_groups, offset_commit, offset_delete, offset_fetch, produce, sync_group,
};

const GROUP: &str = "group";

fn start() -> (Broker, Uuid) {
    let mut broker = Broker::start(&[("group.initial.rebalance.delay.ms", "0")]);
    let id = broker.create_topic("t", 2);
    let request = find_coordinator::Request { key: GROUP.into(), ..Default::default() };
    let response: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 3, &request);
    assert_eq!((response.error_code, response.node_id), (0, 1), "{:?}", response.error_message);
    (broker, id)
}

fn join(broker: &mut Broker, version: i16, member_id: &str) -> join_group::Response<'static> {
    let protocol = join_group::JoinGroupRequestProtocol { name: "p".into(), metadata: b"m"[..].into() };
    let request = join_group::Request {
        group_id: GROUP.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: if version > 0 { 10_000 } else { -1 },
        member_id: member_id.to_string().into(),
        protocol_type: "test".into(),
        protocols: vec![protocol],
        ..Default::default()
    };
    broker.ask(ApiKey::JoinGroup, version, &request)
}

/// A member with its assignment; its id and generation.
fn settle(broker: &mut Broker, join_version: i16, sync_version: i16) -> (String, i32) {
    let mut joined = join(broker, join_version, "");
    if joined.error_code == ErrorCode::MemberIdRequired.code() {
        let member_id = joined.member_id.to_string();
        joined = join(broker, join_version, &member_id);
    }
    assert_eq!((joined.error_code, joined.members.len()), (0, 1), "version {join_version}");
    assert_eq!((joined.protocol_name.as_deref(), &joined.leader), (Some("p"), &joined.member_id));
    let (member_id, generation_id) = (joined.member_id.to_string(), joined.generation_id);
    let assignment =
        sync_group::SyncGroupRequestAssignment { member_id: member_id.clone().into(), assignment: b"all"[..].into() };
    let request = sync_group::Request {
        group_id: GROUP.into(),
        generation_id,
        member_id: member_id.clone().into(),
        protocol_type: (sync_version >= 5).then(|| "test".into()),
        protocol_name: (sync_version >= 5).then(|| "p".into()),
        assignments: vec![assignment],
        ..Default::default()
    };
    let synced: sync_group::Response = broker.ask(ApiKey::SyncGroup, sync_version, &request);
    assert_eq!((synced.error_code, &*synced.assignment), (0, &b"all"[..]), "version {sync_version}");
    (member_id, generation_id)
}

fn leave(broker: &mut Broker, version: i16, member_id: &str) -> leave_group::Response<'static> {
    let member = leave_group::MemberIdentity { member_id: member_id.to_string().into(), ..Default::default() };
    let request = leave_group::Request {
        group_id: GROUP.into(),
        member_id: if version < 3 { member_id.to_string().into() } else { "".into() },
        members: if version < 3 { Vec::new() } else { vec![member] },
    };
    broker.ask(ApiKey::LeaveGroup, version, &request)
}

#[test]
fn every_version_joins_syncs_and_leaves() {
    let (mut broker, _) = start();
    for (at, join_version) in versions(ApiKey::JoinGroup).enumerate() {
        let of = |key| versions(key).nth(at % versions(key).count()).unwrap();
        let (member_id, generation_id) = settle(&mut broker, join_version, of(ApiKey::SyncGroup));
        let beat = |generation_id| heartbeat::Request {
            group_id: GROUP.into(),
            generation_id,
            member_id: member_id.clone().into(),
            ..Default::default()
        };
        let version = of(ApiKey::Heartbeat);
        let response: heartbeat::Response = broker.ask(ApiKey::Heartbeat, version, &beat(generation_id));
        assert_eq!(response.error_code, 0);
        let response: heartbeat::Response = broker.ask(ApiKey::Heartbeat, version, &beat(generation_id + 1));
        assert_eq!(response.error_code, ErrorCode::IllegalGeneration.code());
        let version = of(ApiKey::LeaveGroup);
        let response = leave(&mut broker, version, &member_id);
        let of_member = response.members.first().map_or(response.error_code, |member| member.error_code);
        assert_eq!((response.error_code, of_member), (0, 0));
        let response = leave(&mut broker, version, &member_id);
        let of_member = response.members.first().map_or(response.error_code, |member| member.error_code);
        assert_eq!(of_member, ErrorCode::UnknownMemberId.code());
    }
}

fn commit(version: i16, id: Uuid, offset: i64) -> offset_commit::Request<'static> {
    let partition = |partition_index| offset_commit::OffsetCommitRequestPartition {
        partition_index,
        committed_offset: offset,
        committed_metadata: Some("note".into()),
        ..Default::default()
    };
    let topic = |name: &'static str, topic_id| offset_commit::OffsetCommitRequestTopic {
        name: if version < 10 { name.into() } else { "".into() },
        topic_id: if version < 10 { Uuid::ZERO } else { topic_id },
        partitions: vec![partition(1), partition(7)],
    };
    offset_commit::Request {
        group_id: GROUP.into(),
        topics: vec![topic("t", id), topic("missing", Uuid::ONE)],
        ..Default::default()
    }
}

#[test]
fn every_version_commits_what_every_version_fetches() {
    let (mut broker, id) = start();
    for version in versions(ApiKey::OffsetCommit) {
        let response: offset_commit::Response =
            broker.ask(ApiKey::OffsetCommit, version, &commit(version, id, version.into()));
        let errors: Vec<i16> = response.topics.iter().flat_map(|t| &t.partitions).map(|p| p.error_code).collect();
        let missing = if version < 10 { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::UnknownTopicId }.code();
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        assert_eq!(errors, [0, unknown, missing, missing], "version {version}");
    }
    for version in versions(ApiKey::OffsetFetch) {
        for everything in [false, true] {
            if everything && version < 2 {
                continue;
            }
            assert_eq!(fetch(&mut broker, version, id, everything), [(1, 10, "note".to_string())], "version {version}");
        }
    }
}

#[test]
fn the_broker_knows_how_far_groups_are_behind() {
    let (mut broker, id) = start();
    let records = batch(b"value");
    for _ in 0..5 {
        let data = produce::PartitionProduceData { index: 1, records: Some(records.as_slice().into()) };
        let topic = produce::TopicProduceData { name: "t".into(), partition_data: vec![data], ..Default::default() };
        let request = produce::Request { acks: -1, timeout_ms: 1000, topic_data: vec![topic], ..Default::default() };
        let _: produce::Response = broker.ask(ApiKey::Produce, 9, &request);
    }
    for (committed_offset, lag) in [(2, 3), (5, 0), (9, 0)] {
        let _: offset_commit::Response = broker.ask(ApiKey::OffsetCommit, 9, &commit(9, id, committed_offset));
        let lags = broker.shared.coordinators().lags(&broker.view());
        let (group, topic) = (GROUP.into(), "t".into());
        assert_eq!(lags, [Lag { group, topic, partition: 1, committed_offset, lag: Some(lag) }]);
    }
}

/// Partitions with something committed: index, offset, metadata.
fn fetch(broker: &mut Broker, version: i16, id: Uuid, everything: bool) -> Vec<(i32, i64, String)> {
    if version < 8 {
        let topic = offset_fetch::OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0, 1] };
        let topics = (!everything).then(|| vec![topic]);
        let request = offset_fetch::Request { group_id: GROUP.into(), topics, ..Default::default() };
        let response: offset_fetch::Response = broker.ask(ApiKey::OffsetFetch, version, &request);
        assert_eq!(response.error_code, 0);
        let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
        let found = partitions.map(|p| (p.partition_index, p.committed_offset, p.metadata.unwrap().to_string()));
        return found.filter(|(_, offset, _)| *offset >= 0).collect();
    }
    let topic = offset_fetch::OffsetFetchRequestTopics {
        name: if version < 10 { "t".into() } else { "".into() },
        topic_id: if version < 10 { Uuid::ZERO } else { id },
        partition_indexes: vec![0, 1],
    };
    let group = offset_fetch::OffsetFetchRequestGroup {
        group_id: GROUP.into(),
        topics: (!everything).then(|| vec![topic]),
        ..Default::default()
    };
    let request = offset_fetch::Request { groups: vec![group], ..Default::default() };
    let response: offset_fetch::Response = broker.ask(ApiKey::OffsetFetch, version, &request);
    let group = response.groups.into_iter().next().unwrap();
    assert_eq!((group.error_code, group.topics[0].topic_id.is_zero()), (0, version < 10));
    let partitions = group.topics.into_iter().flat_map(|topic| topic.partitions);
    let found = partitions.map(|p| (p.partition_index, p.committed_offset, p.metadata.unwrap().to_string()));
    found.filter(|(_, offset, _)| *offset >= 0).collect()
}

#[test]
fn every_version_lists_describes_and_deletes() {
    let (mut broker, id) = start();
    let _: offset_commit::Response = broker.ask(ApiKey::OffsetCommit, 9, &commit(9, id, 5));
    let (member_id, _) = settle(&mut broker, 9, 5);
    for version in versions(ApiKey::ListGroups) {
        let response: list_groups::Response = broker.ask(ApiKey::ListGroups, version, &list_groups::Request::default());
        let group = &response.groups[0];
        let state = if version < 4 { "" } else { "Stable" };
        assert_eq!((&*group.group_id, &*group.protocol_type, &*group.group_state), (GROUP, "test", state));
    }
    for version in versions(ApiKey::DescribeGroups) {
        let request = describe_groups::Request {
            groups: vec![GROUP.into(), "missing".into()],
            include_authorized_operations: version >= 3,
        };
        let response: describe_groups::Response = broker.ask(ApiKey::DescribeGroups, version, &request);
        let (group, missing) = (&response.groups[0], &response.groups[1]);
        assert_eq!((&*group.group_state, &*group.protocol_data, group.members.len()), ("Stable", "p", 1));
        assert_eq!(&*group.members[0].client_host, "/127.0.0.1");
        assert_eq!(group.authorized_operations, if version < 3 { i32::MIN } else { 3400 }, "version {version}");
        let error = if version < 6 { 0 } else { ErrorCode::GroupIdNotFound.code() };
        assert_eq!((missing.error_code, &*missing.group_state), (error, "Dead"));
    }
    let topic = offset_delete::OffsetDeleteRequestTopic {
        name: "t".into(),
        partitions: [9, 1]
            .map(|partition_index| offset_delete::OffsetDeleteRequestPartition { partition_index })
            .into(),
    };
    let request = offset_delete::Request { group_id: GROUP.into(), topics: vec![topic] };
    let delete = delete_groups::Request { groups_names: vec![GROUP.into(), "missing".into()] };
    for version in versions(ApiKey::DeleteGroups) {
        let response: delete_groups::Response = broker.ask(ApiKey::DeleteGroups, version, &delete);
        let errors: Vec<i16> = response.results.iter().map(|result| result.error_code).collect();
        assert_eq!(errors, [ErrorCode::NonEmptyGroup.code(), ErrorCode::GroupIdNotFound.code()]);
    }
    leave(&mut broker, 5, &member_id);
    let response: offset_delete::Response = broker.ask(ApiKey::OffsetDelete, 0, &request);
    let errors: Vec<i16> = response.topics[0].partitions.iter().map(|p| p.error_code).collect();
    assert_eq!(errors, [ErrorCode::UnknownTopicOrPartition.code(), 0]);
    let response: delete_groups::Response = broker.ask(ApiKey::DeleteGroups, 2, &delete);
    assert_eq!(response.results[0].error_code, 0);
    let response: list_groups::Response = broker.ask(ApiKey::ListGroups, 5, &list_groups::Request::default());
    assert!(response.groups.is_empty());
}

/// Before there is `__consumer_offsets` no broker coordinates any group (`CoordinatorRuntime`); what is wrong with a request
/// itself is said first.
#[test]
fn without_their_topic_groups_have_no_coordinator() {
    let mut broker = Broker::start(&[]);
    broker.create_topic("t", 2);
    let (nowhere, nameless) = (ErrorCode::NotCoordinator.code(), ErrorCode::InvalidGroupId.code());
    let joined = join(&mut broker, 9, "known");
    assert_eq!((joined.error_code, &*joined.member_id, joined.protocol_name), (nowhere, "", None));
    let joined = join(&mut broker, 6, "known");
    assert_eq!((joined.error_code, joined.protocol_name.as_deref()), (nowhere, Some("")));
    let request = join_group::Request { group_id: GROUP.into(), member_id: "known".into(), ..Default::default() };
    let joined: join_group::Response = broker.ask(ApiKey::JoinGroup, 9, &request);
    assert_eq!((joined.error_code, &*joined.member_id), (ErrorCode::InvalidSessionTimeout.code(), "known"));
    for (name, expected) in [(GROUP, nowhere), ("", nameless)] {
        let request = sync_group::Request { group_id: name.into(), ..Default::default() };
        let synced: sync_group::Response = broker.ask(ApiKey::SyncGroup, 4, &request);
        let request = heartbeat::Request { group_id: name.into(), ..Default::default() };
        let beaten: heartbeat::Response = broker.ask(ApiKey::Heartbeat, 4, &request);
        let request = leave_group::Request { group_id: name.into(), ..Default::default() };
        let left: leave_group::Response = broker.ask(ApiKey::LeaveGroup, 5, &request);
        let request = offset_delete::Request { group_id: name.into(), ..Default::default() };
        let deleted: offset_delete::Response = broker.ask(ApiKey::OffsetDelete, 0, &request);
        let request = consumer_group_describe::Request { group_ids: vec![name.into()], ..Default::default() };
        let described: consumer_group_describe::Response = broker.ask(ApiKey::ConsumerGroupDescribe, 1, &request);
        let described = described.groups[0].error_code;
        let errors = [synced.error_code, beaten.error_code, left.error_code, deleted.error_code, described];
        assert_eq!(errors, [expected; 5], "{name:?}");
        // These may do without a name.
        let group = offset_fetch::OffsetFetchRequestGroup { group_id: name.into(), ..Default::default() };
        let request = offset_fetch::Request { groups: vec![group], ..Default::default() };
        let fetched: offset_fetch::Response = broker.ask(ApiKey::OffsetFetch, 9, &request);
        let request = offset_commit::Request { group_id: name.into(), ..commit(9, Uuid::ONE, 1) };
        let committed: offset_commit::Response = broker.ask(ApiKey::OffsetCommit, 9, &request);
        let request = describe_groups::Request { groups: vec![name.into()], ..Default::default() };
        let described: describe_groups::Response = broker.ask(ApiKey::DescribeGroups, 5, &request);
        let request = delete_groups::Request { groups_names: vec![name.into(), name.into()] };
        let deleted: delete_groups::Response = broker.ask(ApiKey::DeleteGroups, 2, &request);
        assert_eq!(deleted.results.len(), 1, "named twice, answered once");
        let committed = committed.topics[0].partitions[0].error_code;
        let others = [fetched.groups[0].error_code, committed, described.groups[0].error_code];
        assert_eq!((others, deleted.results[0].error_code), ([nowhere; 3], nowhere), "{name:?}");
    }
    let listed: list_groups::Response = broker.ask(ApiKey::ListGroups, 5, &list_groups::Request::default());
    assert_eq!((listed.error_code, listed.groups.len()), (0, 0));
    for (member_id, expected) in [("m", nowhere), ("", ErrorCode::InvalidRequest.code())] {
        let request = consumer_group_heartbeat::Request {
            group_id: GROUP.into(),
            member_id: member_id.into(),
            member_epoch: 3,
            ..Default::default()
        };
        let beaten: consumer_group_heartbeat::Response = broker.ask(ApiKey::ConsumerGroupHeartbeat, 1, &request);
        assert_eq!(beaten.error_code, expected, "{member_id:?}");
    }
}

#[test]
fn a_coordinator_that_is_found_comes_with_kafkas_message() {
    let (mut broker, _) = start();
    let request = find_coordinator::Request { key: GROUP.into(), ..Default::default() };
    let found: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 3, &request);
    assert_eq!(found.error_message.as_deref(), Some("NONE"));
    let request = find_coordinator::Request { coordinator_keys: vec![GROUP.into()], ..Default::default() };
    let found: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 4, &request);
    assert_eq!(found.coordinators[0].error_message.as_deref(), Some(""));
}

/// In versions that have null, a refusal has no name of a protocol (`JoinGroupResponse`).
#[test]
fn a_refused_join_names_no_protocol() {
    let (mut broker, _) = start();
    for version in versions(ApiKey::JoinGroup) {
        let refused = join(&mut broker, version, "unknown");
        assert_eq!(refused.error_code, ErrorCode::UnknownMemberId.code());
        let expected = (version < 7).then_some("");
        assert_eq!((refused.protocol_name.as_deref(), refused.protocol_type), (expected, None), "version {version}");
    }
}
