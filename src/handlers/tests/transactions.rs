//! Transactions through the dispatch, on one broker: what is written, who sees it, and what is refused.

use super::super::testing::{Broker, NOW};
use crate::codec::Str;
use crate::model::{ApiKey, ErrorCode};
use crate::record::builder::{Builder, Options, Record};
use crate::wire::api::{
    add_offsets_to_txn, add_partitions_to_txn, api_versions, describe_producers, describe_transactions, end_txn,
    find_coordinator, incremental_alter_configs, init_producer_id, list_offsets, list_transactions, offset_fetch,
    produce, txn_offset_commit, write_txn_markers,
};

const ID: &str = "t";

/// A producer with its transactional id, as the broker knows it.
#[derive(Clone, Copy)]
struct Producer {
    id: i64,
    epoch: i16,
    sequence: i32,
    /// Of the client: 2 adds partitions as it writes.
    version: i16,
}

/// A broker with the topic `a` of two partitions, and the topics of coordinators.
fn start() -> Broker {
    start_with(&[])
}

fn start_with(overrides: &[(&str, &str)]) -> Broker {
    let small = [("offsets.topic.num.partitions", "1"), ("transaction.state.log.num.partitions", "2")];
    let mut broker = Broker::start(&[&small[..], overrides].concat());
    broker.create_topic("a", 2);
    for key_type in [0, 1] {
        let keys = vec![ID.into()];
        let request = find_coordinator::Request { key_type, coordinator_keys: keys, ..Default::default() };
        let found: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 4, &request);
        assert_eq!(found.coordinators[0].error_code, 0);
    }
    broker
}

fn init_as(broker: &mut Broker, version: i16) -> Result<Producer, i16> {
    let request = init_producer_id::Request {
        transactional_id: Some(ID.into()),
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    let given: init_producer_id::Response = broker.ask(ApiKey::InitProducerId, 5, &request);
    let Some(error) = Some(given.error_code).filter(|code| *code != 0) else {
        return Ok(Producer { id: given.producer_id, epoch: given.producer_epoch, sequence: 0, version });
    };
    Err(error)
}

fn init(broker: &mut Broker, version: i16) -> Producer {
    init_as(broker, version).unwrap()
}

fn batch(producer: &Producer) -> Vec<u8> {
    let mut builder = Builder::new(Options {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        base_sequence: producer.sequence,
        is_transactional: true,
        ..Options::default()
    });
    builder.append(&Record { timestamp: NOW, value: Some(b"value"), ..Record::default() });
    builder.build()
}

/// Produces one record to a partition of `a`; the error, and what the broker says of it.
fn produce_in(
    broker: &mut Broker,
    api_version: i16,
    id: Option<&str>,
    producer: &Producer,
    index: i32,
) -> (i16, String) {
    let records = batch(producer);
    let partition = produce::PartitionProduceData { index, records: Some(records.as_slice().into()) };
    let topic = produce::TopicProduceData { name: "a".into(), partition_data: vec![partition], ..Default::default() };
    let request = produce::Request {
        transactional_id: id.map(|id| Str::from(id.to_string())),
        acks: -1,
        timeout_ms: 1000,
        topic_data: vec![topic],
    };
    let answer: produce::Response = broker.ask(ApiKey::Produce, api_version, &request);
    let partition = &answer.responses[0].partition_responses[0];
    (partition.error_code, partition.error_message.as_deref().unwrap_or_default().to_string())
}

fn write(broker: &mut Broker, producer: &mut Producer, index: i32) {
    if producer.version < 2 {
        assert_eq!(add(broker, producer, &[index]), vec![0]);
    }
    let api_version = if producer.version < 2 { 11 } else { 12 };
    assert_eq!(produce_in(broker, api_version, Some(ID), producer, index), (0, String::new()));
}

fn add(broker: &mut Broker, producer: &Producer, partitions: &[i32]) -> Vec<i16> {
    let topic = add_partitions_to_txn::AddPartitionsToTxnTopic { name: "a".into(), partitions: partitions.to_vec() };
    let request = add_partitions_to_txn::Request {
        v3_and_below_transactional_id: ID.into(),
        v3_and_below_producer_id: producer.id,
        v3_and_below_producer_epoch: producer.epoch,
        v3_and_below_topics: vec![topic],
        ..Default::default()
    };
    let answer: add_partitions_to_txn::Response = broker.ask(ApiKey::AddPartitionsToTxn, 3, &request);
    let results = answer.results_by_topic_v3_and_below.iter().flat_map(|topic| &topic.results_by_partition);
    results.map(|result| result.partition_error_code).collect()
}

fn end(broker: &mut Broker, producer: &mut Producer, commit: bool) -> i16 {
    let request = end_txn::Request {
        transactional_id: ID.into(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        committed: commit,
    };
    let api_version = if producer.version < 2 { 4 } else { 5 };
    let answer: end_txn::Response = broker.ask(ApiKey::EndTxn, api_version, &request);
    if answer.error_code == 0 && producer.version >= 2 {
        (producer.id, producer.epoch, producer.sequence) = (answer.producer_id, answer.producer_epoch, 0);
    }
    answer.error_code
}

/// The ends of a partition for readers of both isolation levels.
fn ends(broker: &mut Broker, index: i32) -> (i64, i64) {
    let mut ask = |isolation_level| {
        let partition =
            list_offsets::ListOffsetsPartition { partition_index: index, timestamp: -1, ..Default::default() };
        let topic = list_offsets::ListOffsetsTopic { name: "a".into(), partitions: vec![partition] };
        let request =
            list_offsets::Request { replica_id: -1, isolation_level, topics: vec![topic], ..Default::default() };
        let answer: list_offsets::Response = broker.ask(ApiKey::ListOffsets, 7, &request);
        answer.topics[0].partitions[0].offset
    };
    (ask(0), ask(1))
}

fn state(broker: &mut Broker) -> String {
    let request = describe_transactions::Request { transactional_ids: vec![ID.into()] };
    let answer: describe_transactions::Response = broker.ask(ApiKey::DescribeTransactions, 0, &request);
    let state = &answer.transaction_states[0];
    let partitions: usize = state.topics.iter().map(|topic| topic.partitions.len()).sum();
    format!("{} {}/{} with {partitions}", state.transaction_state, state.producer_id, state.producer_epoch)
}

#[test]
fn what_is_committed_is_seen_whole_and_what_is_aborted_never() {
    for version in [0, 2] {
        let mut broker = start();
        let mut producer = init(&mut broker, version);
        let mut written = 0;
        for (turn, commit) in [true, false, true].into_iter().enumerate() {
            for index in [0, 1] {
                write(&mut broker, &mut producer, index);
            }
            // A record and a marker for each transaction.
            assert_eq!((ends(&mut broker, 0), ends(&mut broker, 1)), ((written + 1, written), (written + 1, written)));
            assert!(state(&mut broker).starts_with("Ongoing") && state(&mut broker).ends_with("with 2"));
            assert_eq!(end(&mut broker, &mut producer, commit), 0);
            written += 2;
            assert_eq!((ends(&mut broker, 0), ends(&mut broker, 1)), ((written, written), (written, written)));
            let name = if commit { "CompleteCommit" } else { "CompleteAbort" };
            let epoch = if version < 2 { 0 } else { turn as i16 + 1 };
            assert_eq!(state(&mut broker), format!("{name} {}/{epoch} with 0", producer.id));
            producer.sequence = if version < 2 { turn as i32 + 1 } else { 0 };
        }
    }
}

#[test]
fn a_partition_takes_nothing_that_the_coordinator_does_not_know_of() {
    let mut broker = start();
    let producer = init(&mut broker, 0);
    let code = |error: ErrorCode| error.code();
    let refused = |broker: &mut Broker, api_version, id| produce_in(broker, api_version, id, &producer, 0);
    let not_added = "Partition was not added to the transaction".to_string();
    assert_eq!(refused(&mut broker, 10, Some(ID)), (code(ErrorCode::InvalidTxnState), not_added));
    assert_eq!(refused(&mut broker, 11, Some(ID)), (code(ErrorCode::TransactionAbortable), String::new()));
    let nameless = (code(ErrorCode::TransactionalIdAuthorizationFailed), String::new());
    assert_eq!(refused(&mut broker, 11, None), nameless);
    assert_eq!(ends(&mut broker, 0), (0, 0));
    // What was refused comes first.
    let second = Producer { sequence: 1, ..producer };
    assert_eq!(add(&mut broker, &producer, &[0]), [0]);
    let out_of_order = code(ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(produce_in(&mut broker, 11, Some(ID), &second, 0).0, out_of_order);
    let stranger = Producer { id: producer.id + 5, ..producer };
    for api_version in [11, 12] {
        let mapping = (code(ErrorCode::InvalidProducerIdMapping), String::new());
        assert_eq!(produce_in(&mut broker, api_version, Some(ID), &stranger, 0), mapping);
        let ahead = Producer { epoch: 3, ..producer };
        let fenced = (code(ErrorCode::InvalidProducerEpoch), String::new());
        assert_eq!(produce_in(&mut broker, api_version, Some(ID), &ahead, 0), fenced);
    }
    // Not the first record of the producer.
    let later = Producer { sequence: 4, ..producer };
    assert_eq!(produce_in(&mut broker, 12, Some(ID), &later, 0).0, out_of_order);
    assert_eq!(produce_in(&mut broker, 12, Some(ID), &producer, 0).0, 0);
    assert_eq!(add(&mut broker, &producer, &[0, 7]), [code(ErrorCode::OperationNotAttempted), 3]);
}

/// `transaction.partition.verification.enable`
#[test]
fn partitions_are_not_verified_where_that_is_turned_off() {
    let mut broker = start_with(&[("transaction.partition.verification.enable", "false")]);
    let mut producer = init(&mut broker, 0);
    assert_eq!(produce_in(&mut broker, 11, Some(ID), &producer, 0).0, 0);
    producer.sequence = 1;
    assert_eq!(produce_in(&mut broker, 9, Some(ID), &producer, 1).0, 0);
    assert_eq!((ends(&mut broker, 0), ends(&mut broker, 1)), ((1, 0), (1, 0)), "they hang");
    for impossible in [Producer { id: -1, ..producer }, Producer { epoch: -1, ..producer }] {
        assert_eq!(commit_offset(&mut broker, 3, &impossible, 5), ErrorCode::UnknownServerError.code());
    }
    let asked = describe_producers::TopicRequest { name: "a".into(), partition_indexes: vec![0] };
    let request = describe_producers::Request { topics: vec![asked] };
    let answer: describe_producers::Response = broker.ask(ApiKey::DescribeProducers, 0, &request);
    let found = &answer.topics[0].partitions[0].active_producers[0];
    assert_eq!((found.current_txn_start_offset, found.coordinator_epoch), (0, -1));
    // What `kafka-transactions abort` does.
    let marker = |epoch, version| write_txn_markers::WritableTxnMarker {
        producer_id: producer.id,
        producer_epoch: epoch,
        transaction_result: false,
        topics: vec![write_txn_markers::WritableTxnMarkerTopic { name: "a".into(), partition_indexes: vec![0, 1, 5] }],
        coordinator_epoch: 0,
        transaction_version: version,
    };
    let mut ask = |marker| {
        let request = write_txn_markers::Request { markers: vec![marker] };
        let answer: write_txn_markers::Response = broker.ask(ApiKey::WriteTxnMarkers, 2, &request);
        answer.markers[0].topics[0].partitions.iter().map(|of| of.error_code).collect::<Vec<_>>()
    };
    let fenced = ErrorCode::InvalidProducerEpoch.code();
    assert_eq!(ask(marker(0, 2)), [fenced, fenced, 3], "with version 2 the epoch rises");
    assert_eq!(ask(marker(0, 0)), [0, 0, 3]);
    assert_eq!((ends(&mut broker, 0), ends(&mut broker, 1)), ((2, 2), (2, 2)));
}

/// The same key while the broker runs (`DynamicProducerStateManagerConfig`, `ReplicaManager.transactionPartitionVerificationEnable`):
/// the next request is judged by what is set then.
#[test]
fn the_verification_of_partitions_is_turned_off_and_on_while_the_broker_runs() {
    let mut broker = start();
    let alter = |broker: &mut Broker, name: &'static str, value: Option<&'static str>| {
        let config = incremental_alter_configs::AlterableConfig {
            name: "transaction.partition.verification.enable".into(),
            config_operation: i8::from(value.is_none()),
            value: value.map(Str::from),
        };
        let resource = incremental_alter_configs::AlterConfigsResource {
            resource_type: 4,
            resource_name: name.into(),
            configs: vec![config],
        };
        let request = incremental_alter_configs::Request { resources: vec![resource], ..Default::default() };
        let answer: incremental_alter_configs::Response = broker.ask(ApiKey::IncrementalAlterConfigs, 1, &request);
        assert_eq!(answer.responses[0].error_code, 0);
    };
    let refused = [ErrorCode::InvalidTxnState, ErrorCode::TransactionAbortable].map(|error| error.code());
    let (mut written, invalid_epoch) = (0, ErrorCode::InvalidProducerEpoch.code());
    // Cluster-wide, and for this broker alone.
    for name in ["", "1"] {
        for (value, is_verified) in [(Some("true"), true), (Some("false"), false), (None, true)] {
            alter(&mut broker, name, value);
            let producer = init(&mut broker, 0);
            let sent = [(10, 0), (11, 1)]
                .map(|(version, index)| produce_in(&mut broker, version, Some(ID), &producer, index).0);
            assert_eq!(sent, if is_verified { refused } else { [0, 0] }, "{name:?}: {value:?}");
            written += i64::from(!is_verified);
            assert_eq!((ends(&mut broker, 0).0, ends(&mut broker, 1).0), (written, written));
            // Later clients add what they write to, whatever is set; the coordinator knows of nothing else.
            assert_eq!(produce_in(&mut broker, 12, Some(ID), &Producer { epoch: 9, ..producer }, 0).0, invalid_epoch);
            let offset = commit_offset(&mut broker, 3, &producer, 5);
            assert_eq!(offset, if is_verified { refused[0] } else { 0 });
            assert!(state(&mut broker).starts_with("Empty"));
        }
    }
}

#[test]
fn a_producer_that_comes_back_fences_and_aborts() {
    for version in [0, 2] {
        let mut broker = start();
        let mut first = init(&mut broker, version);
        write(&mut broker, &mut first, 0);
        assert_eq!(init_as(&mut broker, version).err(), Some(ErrorCode::ConcurrentTransactions.code()));
        // The answer says that the client shall ask again; the markers were written meanwhile.
        let second = init(&mut broker, version);
        assert_eq!((second.id, second.epoch), (first.id, 2));
        assert_eq!(ends(&mut broker, 0), (2, 2));
        let fenced = ErrorCode::InvalidProducerEpoch.code();
        assert_eq!(produce_in(&mut broker, 12, Some(ID), &Producer { sequence: 1, ..first }, 0).0, fenced);
        assert_eq!(end(&mut broker, &mut first, true), ErrorCode::ProducerFenced.code());
    }
}

fn commit_offset(broker: &mut Broker, version: i16, producer: &Producer, offset: i64) -> i16 {
    let partition = txn_offset_commit::TxnOffsetCommitRequestPartition {
        partition_index: 1,
        committed_offset: offset,
        committed_leader_epoch: -1,
        committed_metadata: None,
    };
    let topic_id = broker.view().image.topic("a").unwrap().id;
    let (name, topic_id) = if version < 6 { ("a".into(), Default::default()) } else { ("".into(), topic_id) };
    let topic = txn_offset_commit::TxnOffsetCommitRequestTopic { name, topic_id, partitions: vec![partition] };
    let request = txn_offset_commit::Request {
        transactional_id: ID.into(),
        group_id: "g".into(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let answer: txn_offset_commit::Response = broker.ask(ApiKey::TxnOffsetCommit, version, &request);
    answer.topics[0].partitions[0].error_code
}

/// What a consumer is told that asks for stable offsets.
fn committed(broker: &mut Broker) -> Result<i64, i16> {
    let topic =
        offset_fetch::OffsetFetchRequestTopics { name: "a".into(), partition_indexes: vec![1], ..Default::default() };
    let group = offset_fetch::OffsetFetchRequestGroup {
        group_id: "g".into(),
        member_epoch: -1,
        topics: Some(vec![topic]),
        ..Default::default()
    };
    let request = offset_fetch::Request { groups: vec![group], require_stable: true, ..Default::default() };
    let answer: offset_fetch::Response = broker.ask(ApiKey::OffsetFetch, 9, &request);
    let partition = &answer.groups[0].topics[0].partitions[0];
    if partition.error_code == 0 { Ok(partition.committed_offset) } else { Err(partition.error_code) }
}

#[test]
fn offsets_count_when_the_transaction_is_committed() {
    for version in 0..=6 {
        let mut broker = start();
        let mut producer = init(&mut broker, if version < 5 { 0 } else { 2 });
        for (commit, offset, then) in [(true, 5, Ok(5)), (false, 8, Ok(5)), (true, 9, Ok(9))] {
            if version < 5 {
                let not_added = commit_offset(&mut broker, version, &producer, offset);
                let expected = if version < 4 { ErrorCode::InvalidTxnState } else { ErrorCode::TransactionAbortable };
                assert_eq!(not_added, expected.code());
                let request = add_offsets_to_txn::Request {
                    transactional_id: ID.into(),
                    producer_id: producer.id,
                    producer_epoch: producer.epoch,
                    group_id: "g".into(),
                };
                let added: add_offsets_to_txn::Response = broker.ask(ApiKey::AddOffsetsToTxn, 3, &request);
                assert_eq!(added.error_code, 0);
            }
            assert_eq!(commit_offset(&mut broker, version, &producer, offset), 0, "version {version}");
            assert_eq!(committed(&mut broker), Err(ErrorCode::UnstableOffsetCommit.code()));
            assert_eq!(end(&mut broker, &mut producer, commit), 0);
            assert_eq!(committed(&mut broker), then);
        }
    }
}

#[test]
fn offsets_of_a_group_that_is_not_there_need_no_member() {
    let mut broker = start();
    let producer = init(&mut broker, 2);
    let topic = txn_offset_commit::TxnOffsetCommitRequestTopic {
        name: "a".into(),
        partitions: vec![Default::default()],
        ..Default::default()
    };
    let request = txn_offset_commit::Request {
        transactional_id: ID.into(),
        group_id: "g".into(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        generation_id_or_member_epoch: 3,
        member_id: "m".into(),
        topics: vec![topic],
        ..Default::default()
    };
    let answer: txn_offset_commit::Response = broker.ask(ApiKey::TxnOffsetCommit, 5, &request);
    assert_eq!(answer.topics[0].partitions[0].error_code, ErrorCode::IllegalGeneration.code());
    let nameless = txn_offset_commit::Request { group_id: "".into(), ..request };
    let answer: txn_offset_commit::Response = broker.ask(ApiKey::TxnOffsetCommit, 5, &nameless);
    assert_eq!(answer.topics[0].partitions[0].error_code, ErrorCode::InvalidGroupId.code());
}

#[test]
fn transactions_are_listed() {
    let mut broker = start();
    let mut producer = init(&mut broker, 2);
    write(&mut broker, &mut producer, 0);
    let mut list = |state: &str, pattern: &str| {
        let request = list_transactions::Request {
            state_filters: (!state.is_empty()).then(|| state.to_string().into()).into_iter().collect(),
            duration_filter: -1,
            transactional_id_pattern: Some(pattern.to_string().into()),
            ..Default::default()
        };
        let answer: list_transactions::Response = broker.ask(ApiKey::ListTransactions, 2, &request);
        let states = answer.transaction_states.iter().map(|of| (of.transactional_id.to_string(), of.producer_id));
        (states.collect::<Vec<_>>(), answer.unknown_state_filters.len(), answer.error_code)
    };
    let all = vec![(ID.to_string(), producer.id)];
    assert_eq!(list("", ""), (all.clone(), 0, 0));
    assert_eq!(list("Ongoing", "^t.*"), (all, 0, 0));
    assert_eq!(list("Empty", ""), (vec![], 0, 0));
    assert_eq!(list("Nix", ""), (vec![], 1, 0));
    assert_eq!(list("", "u"), (vec![], 0, 0));
    assert_eq!(list("", "[^ü]"), (vec![(ID.to_string(), producer.id)], 0, 0));
    assert_eq!(list("", "("), (vec![], 0, ErrorCode::InvalidRegularExpression.code()));
}

/// Two-phase commit (KIP-939) is in a version that Kafka may still change.
#[test]
fn unstable_versions_are_offered_where_that_is_asked_for() {
    let newest = |broker: &mut Broker| {
        let answer: api_versions::Response = broker.ask(ApiKey::ApiVersions, 3, &software());
        answer.api_keys.iter().find(|of| of.api_key == ApiKey::InitProducerId.id()).unwrap().max_version
    };
    let request = init_producer_id::Request {
        transactional_id: Some(ID.into()),
        enable2_pc: true,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    let mut broker = start();
    assert_eq!(newest(&mut broker), 5);
    assert!(broker.closes(ApiKey::InitProducerId, 6, &request));
    let mut broker = start_with(&[("unstable.api.versions.enable", "true")]);
    assert_eq!(newest(&mut broker), 6);
    let given: init_producer_id::Response = broker.ask(ApiKey::InitProducerId, 6, &request);
    assert_eq!(given.error_code, ErrorCode::TransactionalIdAuthorizationFailed.code());
    let two_phase = [("unstable.api.versions.enable", "true"), ("transaction.two.phase.commit.enable", "true")];
    let mut broker = start_with(&two_phase);
    let given: init_producer_id::Response = broker.ask(ApiKey::InitProducerId, 6, &request);
    assert_eq!((given.error_code, given.ongoing_txn_producer_id), (0, -1));
    let keeps = init_producer_id::Request { keep_prepared_txn: true, ..request };
    let given: init_producer_id::Response = broker.ask(ApiKey::InitProducerId, 6, &keeps);
    assert_eq!(given.error_code, ErrorCode::UnsupportedVersion.code());
}

fn software() -> api_versions::Request<'static> {
    let (client_software_name, client_software_version) = ("test".into(), "1".into());
    api_versions::Request { client_software_name, client_software_version, node_id: -1, ..Default::default() }
}
