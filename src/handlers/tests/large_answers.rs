//! Small requests with large answers: those that a request could multiply are made as far as `klamm.answer.max.bytes` allows,
//! and no further.

use crate::codec::Message;
use crate::handlers::testing::Broker;
use crate::model::ApiKey;
use crate::wire::api::{
    consumer_group_describe, consumer_group_heartbeat, describe_configs, describe_groups, describe_transactions,
    find_coordinator, init_producer_id, join_group, metadata, offset_commit, offset_fetch, sync_group,
};

const LIMIT: &[(&str, &str)] = &[
    ("klamm.answer.max.bytes", "100000"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("offsets.topic.num.partitions", "1"),
    ("transaction.state.log.num.partitions", "1"),
];
const NAME: &str = "n";
/// It is told in each answer about the group or the offset.
const LONG: &[u8] = &[b'l'; 1000];
/// How often an answer has room for it, and a number for which there is none.
const FEW: usize = 80;
const TOO_MANY: usize = 100;

fn start() -> Broker {
    let mut broker = Broker::start(LIMIT);
    broker.create_topic("t", 1);
    for key_type in [0, 1] {
        let coordinator_keys = vec![NAME.into()];
        let request = find_coordinator::Request { key_type, coordinator_keys, ..Default::default() };
        let found: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 4, &request);
        assert_eq!(found.coordinators[0].error_code, 0);
    }
    broker
}

/// What is asked about once, or so often, is answered as often; not what is asked about more often.
fn bounds<'m, R: Message<'m>>(
    broker: &mut Broker,
    (key, version): (ApiKey, i16),
    (few, too_many): (usize, usize),
    request: impl Fn(usize) -> R,
) {
    let one = broker.answer(key, version, &request(1)).len();
    let several = broker.answer(key, version, &request(few)).len();
    assert!(several > one * few / 2, "{key} version {version}: {one} and {several} bytes");
    assert!(broker.closes(key, version, &request(too_many)), "{key} version {version}");
    // The next client is served.
    assert_eq!(broker.answer(key, version, &request(1)).len(), one, "{key} version {version}");
}

#[test]
fn a_group_that_is_named_again_and_again() {
    let mut broker = start();
    let protocols = vec![join_group::JoinGroupRequestProtocol { name: "p".into(), metadata: b"m"[..].into() }];
    let request = join_group::Request {
        group_id: NAME.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "test".into(),
        protocols,
        ..Default::default()
    };
    let joined: join_group::Response = broker.ask(ApiKey::JoinGroup, 3, &request);
    assert_eq!(joined.error_code, 0);
    let member_id = joined.member_id.to_string();
    let assignment = LONG.into();
    let assignments = vec![sync_group::SyncGroupRequestAssignment { member_id: member_id.clone().into(), assignment }];
    let generation_id = joined.generation_id;
    let member_id = member_id.into();
    let request =
        sync_group::Request { group_id: NAME.into(), generation_id, member_id, assignments, ..Default::default() };
    let synced: sync_group::Response = broker.ask(ApiKey::SyncGroup, 3, &request);
    assert_eq!(synced.error_code, 0);
    bounds(&mut broker, (ApiKey::DescribeGroups, 5), (FEW, TOO_MANY), |times| describe_groups::Request {
        groups: vec![NAME.into(); times],
        ..Default::default()
    });
}

#[test]
fn a_consumer_group_that_is_named_again_and_again() {
    let mut broker = start();
    let request = consumer_group_heartbeat::Request {
        group_id: NAME.into(),
        member_id: "m".into(),
        rebalance_timeout_ms: 10_000,
        subscribed_topic_names: Some(vec!["t".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    let joined: consumer_group_heartbeat::Response = broker.ask(ApiKey::ConsumerGroupHeartbeat, 1, &request);
    assert_eq!(joined.error_code, 0);
    bounds(&mut broker, (ApiKey::ConsumerGroupDescribe, 1), (400, 2000), |times| consumer_group_describe::Request {
        group_ids: vec![NAME.into(); times],
        ..Default::default()
    });
}

fn commit(broker: &mut Broker) {
    let metadata = str::from_utf8(LONG).expect("letters");
    let partition = offset_commit::OffsetCommitRequestPartition {
        committed_offset: 1,
        committed_metadata: Some(metadata.into()),
        ..Default::default()
    };
    let partitions = vec![partition];
    let topic = offset_commit::OffsetCommitRequestTopic { name: "t".into(), partitions, ..Default::default() };
    let request = offset_commit::Request { group_id: NAME.into(), topics: vec![topic], ..Default::default() };
    let answer: offset_commit::Response = broker.ask(ApiKey::OffsetCommit, 8, &request);
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
}

#[test]
fn offsets_with_metadata_that_are_asked_for_again_and_again() {
    let mut broker = start();
    commit(&mut broker);
    bounds(&mut broker, (ApiKey::OffsetFetch, 7), (FEW, TOO_MANY), |times| {
        let partition_indexes = vec![0; times];
        let topic = offset_fetch::OffsetFetchRequestTopic { name: "t".into(), partition_indexes };
        offset_fetch::Request { group_id: NAME.into(), topics: Some(vec![topic]), ..Default::default() }
    });
    bounds(&mut broker, (ApiKey::OffsetFetch, 8), (FEW, TOO_MANY), |times| {
        let topic = offset_fetch::OffsetFetchRequestTopics {
            name: "t".into(),
            partition_indexes: vec![0; times],
            ..Default::default()
        };
        let topics = Some(vec![topic]);
        let group = offset_fetch::OffsetFetchRequestGroup { group_id: NAME.into(), topics, ..Default::default() };
        offset_fetch::Request { groups: vec![group], ..Default::default() }
    });
    // All that the group has committed.
    bounds(&mut broker, (ApiKey::OffsetFetch, 9), (FEW, TOO_MANY), |times| {
        let group =
            || offset_fetch::OffsetFetchRequestGroup { group_id: NAME.into(), topics: None, ..Default::default() };
        offset_fetch::Request { groups: (0..times).map(|_| group()).collect(), ..Default::default() }
    });
}

#[test]
fn configs_of_groups_that_are_not_there() {
    const GROUP: i8 = 32;
    let resource = |number: usize| describe_configs::DescribeConfigsResource {
        resource_type: GROUP,
        resource_name: number.to_string().into(),
        configuration_keys: None,
    };
    let mut broker = start();
    bounds(&mut broker, (ApiKey::DescribeConfigs, 4), (20, 1000), |count| describe_configs::Request {
        resources: (0..count).map(resource).collect(),
        ..Default::default()
    });
}

#[test]
fn a_transaction_that_is_named_again_and_again() {
    let mut broker = start();
    let request = init_producer_id::Request {
        transactional_id: Some(NAME.into()),
        transaction_timeout_ms: 60_000,
        ..Default::default()
    };
    let made: init_producer_id::Response = broker.ask(ApiKey::InitProducerId, 2, &request);
    assert_eq!(made.error_code, 0);
    bounds(&mut broker, (ApiKey::DescribeTransactions, 0), (1000, 10_000), |times| describe_transactions::Request {
        transactional_ids: vec![NAME.into(); times],
    });
}

/// What no request multiplies is counted before it is written.
#[test]
fn a_cluster_that_is_too_large_for_an_answer() {
    let mut broker = start();
    let all = metadata::Request { topics: None, ..Default::default() };
    assert!(!broker.closes(ApiKey::Metadata, 12, &all));
    broker.create_topic("many", 5000);
    assert!(broker.closes(ApiKey::Metadata, 12, &all));
}
