//! What clients are told that may not do all: every row of the table with its needs, and the answers of each API as Kafka's
//! source has them.

mod cluster;
mod configs;
mod data;
mod groups;
mod topics;
mod transactions;
mod walk;

use crate::codec::Message;
use crate::handlers::testing::{Broker, EVERY, batch};
use crate::model::ApiKey;
use crate::security::access::{AclOperation, AclResource};
use crate::wire::api::{create_acls, describe_acls, find_coordinator, init_producer_id, offset_commit};

const TOPIC_REFUSED: i16 = 29;
const GROUP_REFUSED: i16 = 30;
const CLUSTER_REFUSED: i16 = 31;
const ID_REFUSED: i16 = 53;
/// What a schema says where a request has not asked for operations.
const NOT_ASKED: i32 = i32::MIN;

/// Asks for all ACLs.
fn all_acls() -> describe_acls::Request<'static> {
    describe_acls::Request {
        resource_type_filter: 1,
        pattern_type_filter: 1,
        operation: 1,
        permission_type: 1,
        ..Default::default()
    }
}

fn an_acl() -> create_acls::AclCreation<'static> {
    create_acls::AclCreation {
        resource_type: 2,
        resource_name: "seen".into(),
        resource_pattern_type: 3,
        principal: "User:a".into(),
        host: "*".into(),
        operation: 3,
        permission_type: 3,
    }
}

/// A guarded broker with the topics `seen` and `hidden` of one partition each, and those of the coordinators. The client may
/// do nothing yet.
fn start() -> Broker {
    start_with(&[])
}

fn start_with(overrides: &[(&str, &str)]) -> Broker {
    let own = [
        ("offsets.topic.num.partitions", "1"),
        ("transaction.state.log.num.partitions", "1"),
        ("group.initial.rebalance.delay.ms", "0"),
        ("group.consumer.assignment.interval.ms", "0"),
    ];
    let mut broker = Broker::guarded(&[&own[..], overrides].concat());
    broker.as_admin(|broker| {
        broker.create_topic("seen", 1);
        broker.create_topic("hidden", 1);
        for key_type in [0, 1] {
            let coordinator_keys = vec!["any".into()];
            let request = find_coordinator::Request { key_type, coordinator_keys, ..Default::default() };
            let found: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 4, &request);
            assert_eq!(found.coordinators[0].error_code, 0);
        }
    });
    broker
}

/// As the client, and then as a client that may do everything.
fn both<'m, R: Message<'static>>(broker: &mut Broker, key: ApiKey, version: i16, body: &impl Message<'m>) -> (R, R) {
    let answered = broker.ask(key, version, body);
    (answered, broker.as_admin(|broker| broker.ask(key, version, body)))
}

/// Commits the offset 7 of both topics, as a client that may.
fn commit(broker: &mut Broker, group_id: &'static str) {
    let topic = |name: &'static str| offset_commit::OffsetCommitRequestTopic {
        name: name.into(),
        partitions: vec![offset_commit::OffsetCommitRequestPartition { committed_offset: 7, ..Default::default() }],
        ..Default::default()
    };
    let request = offset_commit::Request {
        group_id: group_id.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic("seen"), topic("hidden")],
        ..Default::default()
    };
    let answer: offset_commit::Response = broker.as_admin(|broker| broker.ask(ApiKey::OffsetCommit, 8, &request));
    assert!(answer.topics.iter().all(|topic| topic.partitions[0].error_code == 0));
}

/// A producer of a transactional id, as a client that may.
fn init(broker: &mut Broker, id: &'static str) -> (i64, i16) {
    let request = init_producer_id::Request {
        transactional_id: Some(id.into()),
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    let given: init_producer_id::Response = broker.as_admin(|broker| broker.ask(ApiKey::InitProducerId, 5, &request));
    assert_eq!(given.error_code, 0);
    (given.producer_id, given.producer_epoch)
}
