//! Every version that is offered answers: with nothing asked, with real contents, and with errors. What a version
//! cannot carry must not be in its answer, or the connection would be closed for it.

use crate::handlers::HANDLERS;
use crate::handlers::testing::{Broker, batch};
use crate::model::{ApiKey, Uuid};
use crate::wire::api::{
    alter_configs, alter_partition_reassignments, alter_replica_log_dirs, api_versions, create_partitions,
    create_topics, delete_records, delete_topics, describe_cluster, describe_configs, describe_log_dirs,
    describe_quorum, describe_topic_partitions, elect_leaders, fetch, find_coordinator, incremental_alter_configs,
    init_producer_id, list_config_resources, list_offsets, list_partition_reassignments, metadata,
    offset_for_leader_epoch, produce, update_features,
};

pub(super) fn versions(key: ApiKey) -> impl Iterator<Item = i16> {
    let handler = HANDLERS.iter().find(|handler| handler.key == key).unwrap();
    handler.min_version..=handler.max_version
}

#[test]
fn every_version_answers_the_empty_request() {
    let mut broker = Broker::start(&[]);
    broker.create_topic("t", 1);
    macro_rules! ask_all {
        ($($key:ident $module:ident),* $(,)?) => {$(
            for version in versions(ApiKey::$key) {
                let _: $module::Response = broker.ask(ApiKey::$key, version, &$module::Request::default());
            }
        )*};
    }
    ask_all!(
        ListOffsets list_offsets,
        Metadata metadata,
        FindCoordinator find_coordinator,
        CreateTopics create_topics,
        DeleteTopics delete_topics,
        DeleteRecords delete_records,
        InitProducerId init_producer_id,
        OffsetForLeaderEpoch offset_for_leader_epoch,
        DescribeConfigs describe_configs,
        AlterConfigs alter_configs,
        AlterReplicaLogDirs alter_replica_log_dirs,
        DescribeLogDirs describe_log_dirs,
        CreatePartitions create_partitions,
        ElectLeaders elect_leaders,
        IncrementalAlterConfigs incremental_alter_configs,
        AlterPartitionReassignments alter_partition_reassignments,
        ListPartitionReassignments list_partition_reassignments,
        DescribeQuorum describe_quorum,
        UpdateFeatures update_features,
        DescribeCluster describe_cluster,
        ListConfigResources list_config_resources,
        DescribeTopicPartitions describe_topic_partitions,
    );
    for version in versions(ApiKey::ApiVersions) {
        let request = api_versions::Request {
            client_software_name: "test".into(),
            client_software_version: "1".into(),
            ..Default::default()
        };
        let response: api_versions::Response = broker.ask(ApiKey::ApiVersions, version, &request);
        assert_eq!(response.api_keys.len(), HANDLERS.len());
    }
}

/// What is there, and what is not.
const NAMES: [&str; 2] = ["t", "missing"];

fn produce_request(version: i16, id: Uuid, records: &[u8]) -> produce::Request<'_> {
    let topic = |(name, topic_id): (&'static str, Uuid)| produce::TopicProduceData {
        name: if version < 13 { name.into() } else { "".into() },
        topic_id: if version < 13 { Uuid::ZERO } else { topic_id },
        partition_data: vec![produce::PartitionProduceData { index: 0, records: Some(records.into()) }],
    };
    let topic_data = NAMES.into_iter().zip([id, Uuid::ONE]).map(topic).collect();
    produce::Request { acks: -1, timeout_ms: 1000, topic_data, ..Default::default() }
}

fn fetch_request(version: i16, id: Uuid, fetch_offset: i64) -> fetch::Request<'static> {
    let partition = fetch::FetchPartition { fetch_offset, partition_max_bytes: 1000, ..Default::default() };
    let topic = |(name, topic_id): (&'static str, Uuid)| fetch::FetchTopic {
        topic: if version < 13 { name.into() } else { "".into() },
        topic_id: if version < 13 { Uuid::ZERO } else { topic_id },
        partitions: vec![partition.clone()],
    };
    let topics = NAMES.into_iter().zip([id, Uuid::ONE]).map(topic).collect();
    let session_epoch = if version < 7 { -1 } else { 0 };
    fetch::Request { topics, session_epoch, ..Default::default() }
}

#[test]
fn every_version_of_the_data_path_answers_what_is_there() {
    let mut broker = Broker::start(&[]);
    let id = broker.create_topic("t", 1);
    let records = batch(b"value");
    let mut produced = 0;
    for version in versions(ApiKey::Produce) {
        let response: produce::Response = broker.ask(ApiKey::Produce, version, &produce_request(version, id, &records));
        let partition = |at: usize| &response.responses[at].partition_responses[0];
        assert_eq!((partition(0).error_code, partition(0).base_offset), (0, produced), "version {version}");
        assert_ne!(partition(1).error_code, 0);
        produced += 1;
    }
    for version in versions(ApiKey::Fetch) {
        let response: fetch::Response = broker.ask(ApiKey::Fetch, version, &fetch_request(version, id, produced));
        let partition = |at: usize| &response.responses[at].partitions[0];
        assert_eq!((partition(0).error_code, partition(0).high_watermark), (0, produced), "version {version}");
        assert_ne!(partition(1).error_code, 0);
    }
    for version in versions(ApiKey::ListOffsets) {
        let partitions = |timestamp| vec![list_offsets::ListOffsetsPartition { timestamp, ..Default::default() }];
        let topic = |name: &'static str, timestamp| list_offsets::ListOffsetsTopic {
            name: name.into(),
            partitions: partitions(timestamp),
        };
        for (timestamp, offset) in [(-1, produced), (-2, 0), (0, 0)] {
            let topics = NAMES.into_iter().map(|name| topic(name, timestamp)).collect();
            let request = list_offsets::Request { replica_id: -1, topics, ..Default::default() };
            let response: list_offsets::Response = broker.ask(ApiKey::ListOffsets, version, &request);
            let partition = &response.topics[0].partitions[0];
            assert_eq!((partition.error_code, partition.offset), (0, offset), "version {version} at {timestamp}");
        }
    }
    for version in versions(ApiKey::OffsetForLeaderEpoch) {
        let topic = |name: &'static str| offset_for_leader_epoch::OffsetForLeaderTopic {
            topic: name.into(),
            partitions: vec![offset_for_leader_epoch::OffsetForLeaderPartition::default()],
        };
        let topics = NAMES.into_iter().map(topic).collect();
        let request = offset_for_leader_epoch::Request { topics, ..Default::default() };
        let response: offset_for_leader_epoch::Response = broker.ask(ApiKey::OffsetForLeaderEpoch, version, &request);
        assert_eq!(response.topics[0].partitions[0].end_offset, produced, "version {version}");
    }
}

#[test]
fn every_version_of_metadata_answers_what_is_there() {
    let mut broker = Broker::start(&[]);
    broker.create_topic("t", 1);
    for version in versions(ApiKey::Metadata) {
        let all = metadata::Request { topics: (version == 0).then(Vec::new), ..Default::default() };
        let response: metadata::Response = broker.ask(ApiKey::Metadata, version, &all);
        assert_eq!(response.topics.len(), 1, "version {version}");
        let topic =
            |name: &'static str| metadata::MetadataRequestTopic { name: Some(name.into()), topic_id: Uuid::ZERO };
        let request = metadata::Request {
            topics: Some(vec![topic("t"), topic("bad name")]),
            allow_auto_topic_creation: true,
            include_cluster_authorized_operations: (8..=10).contains(&version),
            include_topic_authorized_operations: version >= 8,
        };
        let response: metadata::Response = broker.ask(ApiKey::Metadata, version, &request);
        assert_eq!(response.topics.len(), 2, "version {version}");
    }
    for version in versions(ApiKey::FindCoordinator).filter(|version| *version > 0) {
        for key_type in [0, 1, 2, 9] {
            let keys = if version < 4 { vec![] } else { vec!["k".into()] };
            let key = if version < 4 { "k".into() } else { "".into() };
            let request = find_coordinator::Request { key, key_type, coordinator_keys: keys };
            let _: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, version, &request);
        }
    }
    for version in versions(ApiKey::DescribeConfigs) {
        let resource = |resource_type, name: &'static str| describe_configs::DescribeConfigsResource {
            resource_type,
            resource_name: name.into(),
            configuration_keys: None,
        };
        let resources = vec![resource(2, "t"), resource(2, "missing"), resource(4, "1"), resource(8, "1")];
        let request = describe_configs::Request { resources, include_synonyms: true, ..Default::default() };
        let response: describe_configs::Response = broker.ask(ApiKey::DescribeConfigs, version, &request);
        assert_eq!(response.results.len(), 4, "version {version}");
    }
    for version in versions(ApiKey::InitProducerId) {
        for transactional_id in [None, Some("x".into())] {
            let request = init_producer_id::Request { transactional_id, ..Default::default() };
            let _: init_producer_id::Response = broker.ask(ApiKey::InitProducerId, version, &request);
        }
    }
}

#[test]
fn every_version_of_changing_topics_answers() {
    let mut broker = Broker::start(&[]);
    for version in versions(ApiKey::CreateTopics) {
        let topic = |name: &'static str| create_topics::CreatableTopic {
            name: name.into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        let request = create_topics::Request { topics: vec![topic("t"), topic("bad name")], ..Default::default() };
        let response: create_topics::Response = broker.ask(ApiKey::CreateTopics, version, &request);
        let errors: Vec<_> = response.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(errors, [if version == 2 { 0 } else { 36 }, 17], "version {version}");
    }
    for version in versions(ApiKey::CreatePartitions) {
        let topic = |name: &'static str| create_partitions::CreatePartitionsTopic {
            name: name.into(),
            count: i32::from(version) + 2,
            assignments: None,
        };
        let topics = NAMES.into_iter().map(topic).collect();
        let request = create_partitions::Request { topics, timeout_ms: 1000, validate_only: false };
        let response: create_partitions::Response = broker.ask(ApiKey::CreatePartitions, version, &request);
        assert_eq!((response.results[0].error_code, response.results[1].error_code), (0, 3), "version {version}");
    }
    for version in versions(ApiKey::DeleteTopics) {
        broker.create_topic(&format!("t{version}"), 1);
        let names = [format!("t{version}"), "missing".to_string()];
        let state =
            |name: &String| delete_topics::DeleteTopicState { name: Some(name.clone().into()), ..Default::default() };
        let request = delete_topics::Request {
            topics: if version < 6 { vec![] } else { names.iter().map(state).collect() },
            topic_names: if version < 6 { names.iter().map(|name| name.into()).collect() } else { vec![] },
            timeout_ms: 1000,
        };
        let response: delete_topics::Response = broker.ask(ApiKey::DeleteTopics, version, &request);
        let errors: Vec<_> = response.responses.iter().map(|topic| topic.error_code).collect();
        assert_eq!(errors.iter().filter(|error| **error == 0).count(), 1, "version {version}: {errors:?}");
    }
}
