//! Producers' ids and transactions, and FindCoordinator.

use super::*;
use crate::handlers::testing::NOW;
use crate::model::ErrorCode;
use crate::record::builder::{Builder, Options, Record};
use crate::wire::api::{
    add_offsets_to_txn, add_partitions_to_txn, describe_transactions, end_txn, list_transactions, produce,
    txn_offset_commit, write_txn_markers,
};

#[test]
fn coordinators_are_told_of_what_may_be_described() {
    let mut broker = start();
    broker.allow(AclOperation::Describe, AclResource::Group, "mine");
    broker.allow(AclOperation::Describe, AclResource::TransactionalId, "mine");
    let texts = ["Group authorization failed.", "Transactional Id authorization failed."];
    for (key_type, refused, text) in [(0, GROUP_REFUSED, texts[0]), (1, ID_REFUSED, texts[1])] {
        for version in 4..=6 {
            let coordinator_keys = vec!["other".into(), "mine".into()];
            let request = find_coordinator::Request { key_type, coordinator_keys, ..Default::default() };
            let answer: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, version, &request);
            let [other, mine] = &answer.coordinators[..] else { panic!() };
            assert_eq!((&*other.key, other.error_code, other.error_message.as_deref()), ("other", refused, Some("")));
            assert_eq!((other.node_id, &*other.host, other.port), (-1, "", -1));
            assert_eq!((mine.error_code, mine.node_id), (0, 1));
        }
        for version in i16::from(key_type)..=3 {
            let request = find_coordinator::Request { key_type, key: "other".into(), ..Default::default() };
            let answer: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, version, &request);
            assert_eq!((answer.error_code, answer.node_id, &*answer.host, answer.port), (refused, -1, "", -1));
            if version > 0 {
                assert_eq!(answer.error_message.as_deref(), Some(text));
            }
        }
    }
    let request = find_coordinator::Request { key_type: 2, coordinator_keys: vec!["s".into()], ..Default::default() };
    let answer: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 6, &request);
    let of_share = &answer.coordinators[0];
    let text = Some("Cluster authorization failed.");
    assert_eq!((of_share.error_code, of_share.error_message.as_deref()), (CLUSTER_REFUSED, text));
    let answer: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 4, &request);
    assert_eq!(answer.coordinators[0].error_code, ErrorCode::InvalidRequest.code(), "before anything is asked");
}

/// The topic of a coordinator is not made for a client that may not know of it.
#[test]
fn who_is_refused_causes_nothing() {
    let mut broker = Broker::guarded(&[]);
    let request = find_coordinator::Request { coordinator_keys: vec!["g".into()], ..Default::default() };
    let answer: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 4, &request);
    assert_eq!(answer.coordinators[0].error_code, GROUP_REFUSED);
    assert!(broker.view().topic("__consumer_offsets").is_none());
}

fn give(broker: &mut Broker, version: i16, id: Option<&'static str>, two_phase: bool) -> (i16, i64, i16) {
    let request = init_producer_id::Request {
        transactional_id: id.map(Into::into),
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
        enable2_pc: two_phase,
        ..Default::default()
    };
    let given: init_producer_id::Response = broker.ask(ApiKey::InitProducerId, version, &request);
    (given.error_code, given.producer_id, given.producer_epoch)
}

#[test]
fn producers_get_ids_who_may_write_anything() {
    let mut broker = start();
    // An idempotent producer is told that it may not do it with the cluster.
    assert_eq!(give(&mut broker, 5, None, false), (CLUSTER_REFUSED, -1, -1));
    broker.allow(AclOperation::Write, AclResource::Topic, "seen");
    assert_eq!(give(&mut broker, 5, None, false).0, 0);
    broker.deny(AclOperation::Write, AclResource::Topic, EVERY);
    assert_eq!(give(&mut broker, 5, None, false).0, CLUSTER_REFUSED);
    broker.allow(AclOperation::IdempotentWrite, AclResource::Cluster, EVERY);
    assert_eq!(give(&mut broker, 5, None, false).0, 0);
}

#[test]
fn transactional_producers_get_ids_who_may_write_in_their_name() {
    let two_phase = [("unstable.api.versions.enable", "true"), ("transaction.two.phase.commit.enable", "true")];
    let mut broker = start_with(&two_phase);
    // It is asked before what contradicts itself is looked at.
    let bad = init_producer_id::Request {
        transactional_id: Some("x".into()),
        producer_id: 7,
        producer_epoch: -1,
        ..Default::default()
    };
    let (refused, told): (init_producer_id::Response, init_producer_id::Response) =
        both(&mut broker, ApiKey::InitProducerId, 4, &bad);
    assert_eq!((refused.error_code, told.error_code), (ID_REFUSED, ErrorCode::InvalidRequest.code()));
    assert_eq!(give(&mut broker, 5, Some("x"), false), (ID_REFUSED, -1, -1));
    broker.allow(AclOperation::Write, AclResource::TransactionalId, "x");
    assert_eq!(give(&mut broker, 5, Some("x"), false).0, 0);
    assert_eq!(give(&mut broker, 6, Some("x"), true).0, ID_REFUSED);
    broker.allow(AclOperation::TwoPhaseCommit, AclResource::TransactionalId, "x");
    assert_eq!(give(&mut broker, 6, Some("x"), true).0, 0);
}

fn adding((id, epoch): (i64, i16), topics: &[&'static str]) -> add_partitions_to_txn::Request<'static> {
    let topic = |name: &&'static str| add_partitions_to_txn::AddPartitionsToTxnTopic {
        name: (*name).into(),
        partitions: vec![0],
    };
    add_partitions_to_txn::Request {
        v3_and_below_transactional_id: "x".into(),
        v3_and_below_producer_id: id,
        v3_and_below_producer_epoch: epoch,
        v3_and_below_topics: topics.iter().map(topic).collect(),
        ..Default::default()
    }
}

fn added(broker: &mut Broker, request: &add_partitions_to_txn::Request<'_>) -> Vec<i16> {
    let answer: add_partitions_to_txn::Response = broker.ask(ApiKey::AddPartitionsToTxn, 3, request);
    let topics = answer.results_by_topic_v3_and_below.iter();
    topics.map(|topic| topic.results_by_partition[0].partition_error_code).collect()
}

#[test]
fn one_bad_partition_keeps_all_out_of_a_transaction() {
    let mut broker = start();
    let request = adding(init(&mut broker, "x"), &["seen", "hidden", "gone", "__consumer_offsets"]);
    assert_eq!(added(&mut broker, &request), [ID_REFUSED; 4]);
    broker.allow(AclOperation::Write, AclResource::TransactionalId, "x");
    broker.allow(AclOperation::Write, AclResource::Topic, "seen");
    let not_attempted = ErrorCode::OperationNotAttempted.code();
    assert_eq!(added(&mut broker, &request), [not_attempted, TOPIC_REFUSED, TOPIC_REFUSED, TOPIC_REFUSED]);
    broker.allow(AclOperation::Write, AclResource::Topic, EVERY);
    // A topic of the broker's own is never asked about.
    assert_eq!(added(&mut broker, &request), [not_attempted, not_attempted, 3, TOPIC_REFUSED]);
    let fine = adding((request.v3_and_below_producer_id, request.v3_and_below_producer_epoch), &["seen", "hidden"]);
    assert_eq!(added(&mut broker, &fine), [0, 0]);
    let (refused, told): (add_partitions_to_txn::Response, add_partitions_to_txn::Response) =
        both(&mut broker, ApiKey::AddPartitionsToTxn, 4, &add_partitions_to_txn::Request::default());
    assert_eq!((refused.error_code, refused.results_by_transaction.len()), (CLUSTER_REFUSED, 0));
    assert_eq!(told.error_code, 0);
}

#[test]
fn the_transactional_id_is_asked_before_the_group() {
    let mut broker = start();
    let (producer_id, producer_epoch) = init(&mut broker, "x");
    let (transactional_id, group_id) = ("x".into(), "g".into());
    let adding = add_offsets_to_txn::Request { transactional_id, producer_id, producer_epoch, group_id };
    let add = |broker: &mut Broker| {
        broker.ask::<add_offsets_to_txn::Response>(ApiKey::AddOffsetsToTxn, 4, &adding).error_code
    };
    let topic = |name: &'static str| txn_offset_commit::TxnOffsetCommitRequestTopic {
        name: name.into(),
        partitions: vec![txn_offset_commit::TxnOffsetCommitRequestPartition::default()],
        ..Default::default()
    };
    let committing = txn_offset_commit::Request {
        transactional_id: "x".into(),
        group_id: "g".into(),
        producer_id,
        producer_epoch,
        generation_id_or_member_epoch: -1,
        topics: ["seen", "hidden", "gone"].map(topic).to_vec(),
        ..Default::default()
    };
    let commit = |broker: &mut Broker, version| -> Vec<i16> {
        let answer: txn_offset_commit::Response = broker.ask(ApiKey::TxnOffsetCommit, version, &committing);
        answer.topics.iter().map(|topic| topic.partitions[0].error_code).collect()
    };
    for version in [3, 5] {
        assert_eq!(commit(&mut broker, version), [ID_REFUSED; 3]);
    }
    assert_eq!(add(&mut broker), ID_REFUSED);
    broker.allow(AclOperation::Write, AclResource::TransactionalId, "x");
    assert_eq!((add(&mut broker), commit(&mut broker, 5)), (GROUP_REFUSED, vec![GROUP_REFUSED; 3]));
    broker.allow(AclOperation::Read, AclResource::Group, "g");
    broker.allow(AclOperation::Read, AclResource::Topic, "seen");
    assert_eq!((add(&mut broker), commit(&mut broker, 5)), (0, vec![0, TOPIC_REFUSED, TOPIC_REFUSED]));
}

#[test]
fn transactions_are_ended_and_written_by_those_who_may() {
    let mut broker = start();
    let (producer_id, producer_epoch) = init(&mut broker, "x");
    let options =
        Options { producer_id, producer_epoch, base_sequence: 0, is_transactional: true, ..Options::default() };
    let mut builder = Builder::new(options);
    builder.append(&Record { timestamp: NOW, value: Some(b"value"), ..Record::default() });
    let batch = builder.build();
    let partition = produce::PartitionProduceData { index: 0, records: Some(batch.as_slice().into()) };
    let topic = |name: &'static str| produce::TopicProduceData {
        name: name.into(),
        partition_data: vec![partition.clone()],
        ..Default::default()
    };
    let topic_data = vec![topic("seen"), topic("hidden")];
    let transactional_id = Some("x".into());
    let request = produce::Request { transactional_id, acks: -1, timeout_ms: 1000, topic_data };
    let write = |broker: &mut Broker| -> Vec<i16> {
        let answer: produce::Response = broker.ask(ApiKey::Produce, 12, &request);
        answer.responses.iter().map(|topic| topic.partition_responses[0].error_code).collect()
    };
    broker.allow(AclOperation::Write, AclResource::Topic, "seen");
    assert_eq!(write(&mut broker), [ID_REFUSED; 2]);
    let end = end_txn::Request { transactional_id: "x".into(), producer_id, producer_epoch, committed: true };
    let ended: end_txn::Response = broker.ask(ApiKey::EndTxn, 5, &end);
    assert_eq!((ended.error_code, ended.producer_id, ended.producer_epoch), (ID_REFUSED, -1, -1));
    broker.allow(AclOperation::Write, AclResource::TransactionalId, "x");
    assert_eq!(write(&mut broker), [0, TOPIC_REFUSED]);
    let ended: end_txn::Response = broker.ask(ApiKey::EndTxn, 5, &end);
    assert_eq!(ended.error_code, 0);
}

#[test]
fn markers_are_for_brokers_and_administrators() {
    let mut broker = start();
    let topic = write_txn_markers::WritableTxnMarkerTopic { name: "gone".into(), partition_indexes: vec![0, 1] };
    let marker = write_txn_markers::WritableTxnMarker { producer_id: 5, topics: vec![topic], ..Default::default() };
    let request = write_txn_markers::Request { markers: vec![marker] };
    let write = |broker: &mut Broker| -> Vec<i16> {
        let answer: write_txn_markers::Response = broker.ask(ApiKey::WriteTxnMarkers, 1, &request);
        assert_eq!((answer.markers[0].producer_id, answer.markers.len()), (5, 1));
        answer.markers[0].topics[0].partitions.iter().map(|partition| partition.error_code).collect()
    };
    assert_eq!(write(&mut broker), [CLUSTER_REFUSED; 2]);
    for operation in [AclOperation::Alter, AclOperation::ClusterAction] {
        broker.allow(operation, AclResource::Cluster, EVERY);
        assert_eq!(write(&mut broker), [3; 2]);
        broker.forget_rules();
    }
}

#[test]
fn transactions_are_told_as_far_as_they_may_be_described() {
    let mut broker = start();
    let request = adding(init(&mut broker, "x"), &["seen", "hidden"]);
    assert_eq!(broker.as_admin(|broker| added(broker, &request)), [0, 0]);
    init(&mut broker, "y");
    let list = |broker: &mut Broker| -> Vec<String> {
        let answer: list_transactions::Response = broker.ask(
            ApiKey::ListTransactions,
            2,
            &list_transactions::Request { duration_filter: -1, ..Default::default() },
        );
        answer.transaction_states.iter().map(|state| state.transactional_id.to_string()).collect()
    };
    assert_eq!(list(&mut broker), [""; 0]);
    broker.allow(AclOperation::Describe, AclResource::TransactionalId, "x");
    broker.allow(AclOperation::Describe, AclResource::Topic, "seen");
    assert_eq!(list(&mut broker), ["x"]);
    let transactional_ids = vec!["x".into(), "y".into()];
    let answer: describe_transactions::Response =
        broker.ask(ApiKey::DescribeTransactions, 0, &describe_transactions::Request { transactional_ids });
    let [x, y] = &answer.transaction_states[..] else { panic!() };
    assert_eq!((x.error_code, x.topics.iter().map(|t| &*t.topic).collect::<Vec<_>>()), (0, vec!["seen"]));
    assert_eq!((y.error_code, &*y.transaction_state, y.producer_id, y.topics.len()), (ID_REFUSED, "", 0, 0));
}
