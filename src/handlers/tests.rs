//! Handlers as a client sees them: requests through the dispatch, answers decoded, on a broker without sockets.

mod access;
mod acls;
mod consumer_groups;
mod current_leaders;
mod delegation_tokens;
mod dynamic_configs;
mod features;
mod followers;
mod groups;
mod large_answers;
mod small_answers;
mod transactions;
mod versions;
mod very_many;

use super::testing::{Broker, NOW, batch};
use super::{Head, Outcome, Polled};
use crate::config::Type;
use crate::model::{ApiKey, ErrorCode, Uuid};
use crate::security::access::AclResource;
use crate::storage::log::Admission;
use crate::wire::api::{
    self, alter_configs, create_partitions, create_topics, delete_records, delete_topics, describe_cluster,
    describe_configs, describe_log_dirs, describe_topic_partitions, fetch, find_coordinator, incremental_alter_configs,
    init_producer_id, join_group, list_config_resources, list_offsets, metadata,
};

/// The client would wait for ever, and its next answer would carry another correlation id.
#[test]
fn an_answer_that_cannot_be_encoded_closes_the_connection_of_a_request_that_waited() {
    let description = api::describe(ApiKey::JoinGroup).unwrap();
    let head = Head { description, version: 0, correlation_id: 7, max_answer_bytes: 1000 };
    // Version 0 has no field for it, and it must not be left out.
    let response = join_group::Response { skip_assignment: true, ..Default::default() };
    let polled = head.polled(&response);
    assert!(matches!(&polled, Polled::Close(why) if why.starts_with("cannot encode the JoinGroup answer: ")));
    assert!(matches!(polled.or_wait(|| unreachable!()), Outcome::Close(_)));
}

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;

fn new_topic(name: &str, num_partitions: i32) -> create_topics::CreatableTopic<'_> {
    let replication_factor = -1;
    create_topics::CreatableTopic { name: name.into(), num_partitions, replication_factor, ..Default::default() }
}

fn create(broker: &mut Broker, name: &str, num_partitions: i32) -> create_topics::CreatableTopicResult<'static> {
    let request = create_topics::Request { topics: vec![new_topic(name, num_partitions)], ..Default::default() };
    let mut response: create_topics::Response = broker.ask(ApiKey::CreateTopics, 7, &request);
    assert_eq!(response.topics.len(), 1);
    response.topics.remove(0)
}

fn named(names: &[&'static str], allow_auto_topic_creation: bool) -> metadata::Request<'static> {
    let topic =
        |name: &&'static str| metadata::MetadataRequestTopic { name: Some((*name).into()), topic_id: Uuid::ZERO };
    let topics = Some(names.iter().map(topic).collect());
    metadata::Request { topics, allow_auto_topic_creation, ..Default::default() }
}

fn errors_of(response: &metadata::Response<'_>) -> Vec<(String, ErrorCode)> {
    let topic = |t: &metadata::MetadataResponseTopic<'_>| {
        (t.name.clone().unwrap_or_default().into_owned(), ErrorCode::from_code(t.error_code).unwrap())
    };
    response.topics.iter().map(topic).collect()
}

#[test]
fn metadata_tells_of_this_broker_and_its_topics() {
    let mut broker = Broker::start(&[("broker.rack", "r1"), ("node.id", "5")]);
    let id = create(&mut broker, "t", 2).topic_id;
    let request = metadata::Request {
        include_topic_authorized_operations: true,
        include_cluster_authorized_operations: true,
        ..named(&["t", "t"], false)
    };
    let response: metadata::Response = broker.ask(ApiKey::Metadata, 9, &request);
    assert_eq!(response.cluster_authorized_operations, AclResource::Cluster.operations());
    let response: metadata::Response = broker.ask(ApiKey::Metadata, 10, &request);
    let node = &response.brokers[0];
    assert_eq!((node.node_id, &*node.host, node.port, node.rack.as_deref()), (5, "broker.test", 9092, Some("r1")));
    assert_eq!((response.controller_id, response.cluster_id.as_deref()), (5, Some(broker.view().cluster_id())));
    let [topic] = &response.topics[..] else { panic!("a topic that is named twice is told once") };
    assert_eq!(
        (topic.error_code, topic.topic_id, topic.topic_authorized_operations),
        (0, id, AclResource::Topic.operations())
    );
    let partition = &topic.partitions[1];
    assert_eq!((partition.error_code, partition.partition_index, partition.leader_id), (0, 1, 5));
    assert_eq!((&partition.replica_nodes[..], &partition.offline_replicas[..]), (&[5][..], &[][..]));
}

#[test]
fn metadata_by_id() {
    let mut broker = Broker::start(&[]);
    let id = create(&mut broker, "t", 1).topic_id;
    let by_id = |topic_id| metadata::MetadataRequestTopic { name: None, topic_id };
    let request = metadata::Request { topics: Some(vec![by_id(id), by_id(Uuid::ONE)]), ..Default::default() };
    let response: metadata::Response = broker.ask(ApiKey::Metadata, 12, &request);
    assert_eq!(errors_of(&response), [("t".into(), ErrorCode::None), ("".into(), ErrorCode::UnknownTopicId)]);
    assert_eq!(response.topics[1].name, None);
    let response: metadata::Response = broker.ask(ApiKey::Metadata, 11, &request);
    assert!(errors_of(&response).iter().all(|(_, error)| *error == ErrorCode::InvalidRequest));
}

#[test]
fn metadata_creates_topics_where_it_may() {
    let mut broker = Broker::start(&[("num.partitions", "3")]);
    let names = ["new", "bad name", "__share_group_state"];
    let unknown = |name: &str| (name.to_string(), ErrorCode::UnknownTopicOrPartition);
    let bad = ("bad name".to_string(), ErrorCode::InvalidTopicException);
    let response: metadata::Response = broker.ask(ApiKey::Metadata, 12, &named(&names, false));
    assert_eq!(errors_of(&response), [unknown("new"), bad.clone(), unknown("__share_group_state")]);
    let response: metadata::Response = broker.ask(ApiKey::Metadata, 12, &named(&names, true));
    assert_eq!(errors_of(&response), [("new".into(), ErrorCode::None), bad, unknown("__share_group_state")]);
    assert_eq!(response.topics[0].partitions.len(), 3);
    assert!(response.topics[0].partitions.iter().all(|partition| partition.error_code == 0));
    for kept in ["__consumer_offsets", "__transaction_state"] {
        let response: metadata::Response = broker.ask(ApiKey::Metadata, 12, &named(&[kept], true));
        assert_eq!((response.topics[0].partitions.len(), response.topics[0].is_internal), (50, true), "{kept}");
    }
    create(&mut broker, "a.b", 1);
    let response: metadata::Response = broker.ask(ApiKey::Metadata, 12, &named(&["new", "a_b"], true));
    let collides = ("a_b".to_string(), ErrorCode::InvalidTopicException);
    assert_eq!(errors_of(&response), [("new".into(), ErrorCode::None), collides]);

    let mut broker = Broker::start(&[("auto.create.topics.enable", "false")]);
    let response: metadata::Response = broker.ask(ApiKey::Metadata, 12, &named(&["new"], true));
    assert_eq!(errors_of(&response), [unknown("new")]);
}

#[test]
fn topics_come_and_go() {
    let mut broker = Broker::start(&[]);
    let created = create(&mut broker, "t", 2);
    assert_eq!((created.error_code, created.num_partitions, created.replication_factor), (0, 2, 1));
    assert!(created.configs.unwrap().iter().any(|config| config.name == "retention.ms"));
    assert_eq!(create(&mut broker, "t", 2).error_code, ErrorCode::TopicAlreadyExists.code());
    assert!(broker.view().partition_by_name("t", 1).is_ok());

    let partition = |count| {
        let topic = create_partitions::CreatePartitionsTopic { name: "t".into(), count, assignments: None };
        create_partitions::Request { topics: vec![topic], ..Default::default() }
    };
    let more: create_partitions::Response = broker.ask(ApiKey::CreatePartitions, 3, &partition(3));
    assert_eq!((more.results[0].error_code, &more.results[0].error_message), (0, &None));
    let fewer: create_partitions::Response = broker.ask(ApiKey::CreatePartitions, 3, &partition(1));
    assert_eq!(fewer.results[0].error_code, ErrorCode::InvalidPartitions.code());
    assert!(broker.view().partition_by_name("t", 2).is_ok());

    let state = delete_topics::DeleteTopicState { name: None, topic_id: created.topic_id };
    let request = delete_topics::Request { topics: vec![state], ..Default::default() };
    let deleted: delete_topics::Response = broker.ask(ApiKey::DeleteTopics, 6, &request);
    assert_eq!((deleted.responses[0].error_code, deleted.responses[0].name.as_deref()), (0, Some("t")));
    assert!(broker.view().topic("t").is_none());
    let request = delete_topics::Request { topic_names: vec!["t".into()], ..Default::default() };
    let gone: delete_topics::Response = broker.ask(ApiKey::DeleteTopics, 5, &request);
    assert_eq!(gone.responses[0].error_code, ErrorCode::UnknownTopicOrPartition.code());
}

#[test]
fn a_validated_creation_leaves_nothing() {
    let mut broker = Broker::start(&[]);
    let topics = vec![new_topic("t", 1), new_topic("twice", 1), new_topic("twice", 1)];
    let request = create_topics::Request { topics, validate_only: true, ..Default::default() };
    let response: create_topics::Response = broker.ask(ApiKey::CreateTopics, 4, &request);
    let errors: Vec<_> = response.topics.iter().map(|topic| (&*topic.name, topic.error_code)).collect();
    assert_eq!(errors, [("t", 0), ("twice", ErrorCode::InvalidRequest.code())]);
    assert_eq!(broker.view().image.topics().count(), 0);
}

#[test]
fn deletion_can_be_turned_off() {
    let mut broker = Broker::start(&[("delete.topic.enable", "false")]);
    create(&mut broker, "t", 1);
    let request = delete_topics::Request { topic_names: vec!["t".into()], ..Default::default() };
    for (version, error) in [(2, ErrorCode::InvalidRequest), (3, ErrorCode::TopicDeletionDisabled)] {
        let response: delete_topics::Response = broker.ask(ApiKey::DeleteTopics, version, &request);
        assert_eq!(response.responses[0].error_code, error.code());
    }
    assert!(broker.view().topic("t").is_some());
}

#[test]
fn records_are_deleted_up_to_the_high_watermark() {
    let mut broker = Broker::start(&[]);
    create(&mut broker, "t", 1);
    let view = broker.view();
    let partition = view.partition_by_name("t", 0).unwrap();
    for value in [b"a", b"b", b"c"] {
        partition.append(9, &batch(value), NOW, Admission::None).unwrap();
        partition.write_pending(NOW);
    }
    assert_eq!(partition.high_watermark().0, 3);
    let mut delete = |offset| {
        let partition = |partition_index| delete_records::DeleteRecordsPartition { partition_index, offset };
        let partitions = vec![partition(0), partition(0), partition(1)];
        let topic = delete_records::DeleteRecordsTopic { name: "t".into(), partitions };
        let request = delete_records::Request { topics: vec![topic], ..Default::default() };
        let response: delete_records::Response = broker.ask(ApiKey::DeleteRecords, 2, &request);
        let [asked, unknown] = &response.topics[0].partitions[..] else { panic!("each partition once") };
        assert_eq!(unknown.error_code, ErrorCode::UnknownTopicOrPartition.code());
        (asked.low_watermark, ErrorCode::from_code(asked.error_code).unwrap())
    };
    assert_eq!(delete(4), (-1, ErrorCode::OffsetOutOfRange));
    assert_eq!(delete(-2), (-1, ErrorCode::OffsetOutOfRange));
    assert_eq!(delete(2), (2, ErrorCode::None));
    assert_eq!(delete(1), (2, ErrorCode::None), "the start never goes back");
    assert_eq!(delete(-1), (3, ErrorCode::None));
}

#[test]
fn producer_ids_are_never_given_twice() {
    let mut broker = Broker::start(&[]);
    let plain = init_producer_id::Request { transactional_id: None, ..Default::default() };
    let mut last = -1;
    for _ in 0..2500 {
        let response: init_producer_id::Response = broker.ask(ApiKey::InitProducerId, 5, &plain);
        assert_eq!((response.error_code, response.producer_epoch), (0, 0));
        assert!(response.producer_id > last);
        last = response.producer_id;
    }
    assert_eq!((last, broker.view().image.next_producer_id()), (2499, 3000), "a block at a time");

    let half = init_producer_id::Request { producer_id: 5, ..plain.clone() };
    let response: init_producer_id::Response = broker.ask(ApiKey::InitProducerId, 5, &half);
    assert_eq!((response.error_code, response.producer_id), (ErrorCode::InvalidRequest.code(), -1));
    let transactional = init_producer_id::Request { transactional_id: Some("x".into()), ..plain };
    let response: init_producer_id::Response = broker.ask(ApiKey::InitProducerId, 5, &transactional);
    assert_eq!(response.error_code, ErrorCode::NotCoordinator.code(), "before there is a topic, none coordinates");
}

#[test]
fn groups_belong_to_this_broker() {
    let mut broker = Broker::start(&[]);
    let keys = vec!["g".into(), "".into()];
    let mut request = find_coordinator::Request { key_type: 0, coordinator_keys: keys, ..Default::default() };
    let response: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 6, &request);
    let found: Vec<_> = response.coordinators.iter().map(|c| (&*c.key, c.error_code, c.node_id, c.port)).collect();
    assert_eq!(found, [("g", 0, 1, 9092), ("", 0, 1, 9092)]);
    for key_type in [2, 3] {
        request.key_type = key_type;
        let response: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 6, &request);
        let refused = &response.coordinators[0];
        let invalid = ErrorCode::InvalidRequest.code();
        assert_eq!((refused.error_code, refused.node_id, refused.port), (invalid, -1, -1));
        assert!(refused.error_message.is_some());
    }
    // A type that is not known has the error's standard text in each version, share groups before version 6 up to 3 only.
    for (key_type, version, is_said) in [(9, 1, true), (9, 4, true), (2, 3, true), (2, 4, false), (2, 5, false)] {
        let coordinator_keys = if version < 4 { Vec::new() } else { vec!["s".into()] };
        let key = if version < 4 { "s" } else { "" };
        let request = find_coordinator::Request { key: key.into(), key_type, coordinator_keys };
        let answer: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, version, &request);
        let said = answer.coordinators.first().map_or(&answer.error_message, |found| &found.error_message);
        let begins = said.as_deref().is_some_and(|said| said.starts_with("This most likely occurs"));
        assert_eq!((said.is_some(), begins), (true, is_said), "type {key_type} in version {version}: {said:?}");
    }
}

/// The first question makes `__transaction_state`, as `transaction.state.log.*` say; every transactional id is as good.
#[test]
fn transactional_ids_belong_to_this_broker() {
    const TOPIC: &str = "__transaction_state";
    let settings = [("transaction.state.log.num.partitions", "7"), ("transaction.state.log.segment.bytes", "2000000")];
    for version in versions::versions(ApiKey::FindCoordinator).filter(|version| (1..4).contains(version)) {
        let mut broker = Broker::start(&settings);
        for key in ["x", ""] {
            let request = find_coordinator::Request { key: key.into(), key_type: 1, ..Default::default() };
            let found: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, version, &request);
            let message = found.error_message.as_deref();
            assert_eq!((found.error_code, message, found.node_id, found.port), (0, Some("NONE"), 1, 9092));
            assert_eq!(broker.view().topic(TOPIC).unwrap().partitions.len(), 7);
        }
        assert!(broker.view().topic("__consumer_offsets").is_none(), "only what is asked for is made");
    }
    for version in versions::versions(ApiKey::FindCoordinator).filter(|version| *version >= 4) {
        let mut broker = Broker::start(&settings);
        let mut request = find_coordinator::Request { key_type: 1, ..Default::default() };
        let found: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, version, &request);
        assert!(found.coordinators.is_empty() && broker.view().topic(TOPIC).is_none(), "no key, no topic");
        request.coordinator_keys = vec!["x".into(), "".into(), "x".into()];
        let found: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, version, &request);
        let told: Vec<_> = found.coordinators.iter().map(|c| (&*c.key, c.error_code, c.node_id, c.port)).collect();
        assert_eq!(told, [("x", 0, 1, 9092), ("", 0, 1, 9092), ("x", 0, 1, 9092)]);
        let view = broker.view();
        assert_eq!((view.topic(TOPIC).unwrap().partitions.len(), view.is_internal(TOPIC)), (7, true));
    }
}

/// A topic that cannot be made is no coordinator, and the answer says why.
#[test]
fn a_coordinators_topic_that_cannot_be_made_is_told_of() {
    let mut broker = Broker::start(&[("transaction.state.log.segment.bytes", "1")]);
    let request = find_coordinator::Request { key: "x".into(), key_type: 1, ..Default::default() };
    let found: find_coordinator::Response = broker.ask(ApiKey::FindCoordinator, 3, &request);
    assert_eq!((found.error_code, found.node_id), (ErrorCode::CoordinatorNotAvailable.code(), -1));
    let message = found.error_message.unwrap();
    assert!(message.contains("segment.bytes"), "{message}");
}

fn describe(broker: &mut Broker, kind: i8, name: &'static str) -> describe_configs::DescribeConfigsResult<'static> {
    let resource = describe_configs::DescribeConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configuration_keys: None,
    };
    let resources = vec![resource.clone(), resource];
    let request = describe_configs::Request { resources, include_synonyms: true, ..Default::default() };
    let mut response: describe_configs::Response = broker.ask(ApiKey::DescribeConfigs, 4, &request);
    assert_eq!(response.results.len(), 1, "each resource once");
    assert!(response.results[0].error_message.is_some(), "where nothing is said the message is empty");
    response.results.remove(0)
}

#[test]
fn configs_are_changed_and_described() {
    let mut broker = Broker::start(&[]);
    create(&mut broker, "t", 1);
    let set = |resource_type, name: &'static str, key: &'static str, value: &'static str| {
        use incremental_alter_configs::{AlterConfigsResource, AlterableConfig, Request};
        let config = AlterableConfig { name: key.into(), config_operation: 0, value: Some(value.into()) };
        let configs = vec![config];
        let resource = AlterConfigsResource { resource_type, resource_name: name.into(), configs };
        Request { resources: vec![resource], validate_only: false }
    };
    let change = |broker: &mut Broker, request| {
        let response: incremental_alter_configs::Response = broker.ask(ApiKey::IncrementalAlterConfigs, 1, &request);
        ErrorCode::from_code(response.responses[0].error_code).unwrap()
    };
    assert_eq!(change(&mut broker, set(TOPIC, "t", "retention.ms", "5")), ErrorCode::None);
    assert_eq!(change(&mut broker, set(TOPIC, "t", "retention.ms", "x")), ErrorCode::InvalidConfig);
    assert_eq!(change(&mut broker, set(TOPIC, "u", "retention.ms", "5")), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(change(&mut broker, set(BROKER, "", "log.retention.ms", "7")), ErrorCode::None);
    assert_eq!(change(&mut broker, set(BROKER, "99", "log.retention.ms", "7")), ErrorCode::InvalidRequest);
    assert_eq!(change(&mut broker, set(3, "1", "root", "DEBUG")), ErrorCode::InvalidRequest);

    let topic = describe(&mut broker, TOPIC, "t");
    let retention = topic.configs.iter().find(|config| config.name == "retention.ms").unwrap();
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("5"), 1));
    assert_eq!(retention.config_type, Type::Long.id());
    let sources: Vec<_> = retention.synonyms.iter().map(|s| (&*s.name, s.value.as_deref(), s.source)).collect();
    assert_eq!(sources[..2], [("retention.ms", Some("5"), 1), ("log.retention.ms", Some("7"), 3)]);

    let defaults = describe(&mut broker, BROKER, "");
    assert!(defaults.configs.iter().any(|config| config.name == "log.retention.ms" && config.config_source == 3));
    assert!(describe(&mut broker, BROKER, "1").configs.iter().any(|config| config.name == "num.partitions"));
    for (kind, name, error) in [
        (TOPIC, "u", ErrorCode::UnknownTopicOrPartition),
        (TOPIC, "bad name", ErrorCode::InvalidTopicException),
        (BROKER, "2", ErrorCode::InvalidRequest),
        (BROKER, "x", ErrorCode::InvalidRequest),
        (3, "x", ErrorCode::InvalidRequest),
    ] {
        assert_eq!(describe(&mut broker, kind, name).error_code, error.code(), "{name}");
    }

    assert_eq!(change(&mut broker, set(GROUP, "g", "consumer.session.timeout.ms", "50000")), ErrorCode::None);
    assert_eq!(change(&mut broker, set(GROUP, "g", "consumer.session.timeout.ms", "1")), ErrorCode::InvalidConfig);
    assert_eq!(change(&mut broker, set(GROUP, "", "consumer.session.timeout.ms", "50000")), ErrorCode::InvalidRequest);
    assert_eq!(describe(&mut broker, GROUP, "").error_code, ErrorCode::InvalidRequest.code());
    let group = describe(&mut broker, GROUP, "g");
    let session = group.configs.iter().find(|config| config.name == "consumer.session.timeout.ms").unwrap();
    assert_eq!((session.value.as_deref(), session.config_source, session.synonyms.len()), (Some("50000"), 8, 2));
    let request = list_config_resources::Request { resource_types: vec![GROUP] };
    let listed: list_config_resources::Response = broker.ask(ApiKey::ListConfigResources, 1, &request);
    assert_eq!(listed.config_resources.iter().map(|r| &*r.resource_name).collect::<Vec<_>>(), ["g"]);

    let replaced = alter_configs::AlterConfigsResource {
        resource_type: TOPIC,
        resource_name: "t".into(),
        configs: vec![alter_configs::AlterableConfig { name: "segment.ms".into(), value: Some("9".into()) }],
    };
    let request = alter_configs::Request { resources: vec![replaced], validate_only: false };
    let response: alter_configs::Response = broker.ask(ApiKey::AlterConfigs, 2, &request);
    assert_eq!(response.responses[0].error_code, 0);
    let configs = broker.view().image.topic_configs("t").clone();
    assert_eq!(configs.into_iter().collect::<Vec<_>>(), [("segment.ms".to_string(), "9".to_string())]);
}

#[test]
fn only_the_keys_that_are_asked_for_are_described() {
    let mut broker = Broker::start(&[]);
    let resource = describe_configs::DescribeConfigsResource {
        resource_type: BROKER,
        resource_name: "1".into(),
        configuration_keys: Some(vec!["num.partitions".into(), "no.such.key".into()]),
    };
    let request = describe_configs::Request { resources: vec![resource], ..Default::default() };
    let response: describe_configs::Response = broker.ask(ApiKey::DescribeConfigs, 1, &request);
    let configs = &response.results[0].configs;
    assert_eq!(configs.iter().map(|config| &*config.name).collect::<Vec<_>>(), ["num.partitions"]);
    assert!(configs[0].synonyms.is_empty());
}

#[test]
fn the_cluster_is_one_broker() {
    let mut broker = Broker::start(&[]);
    let request = describe_cluster::Request { include_cluster_authorized_operations: true, ..Default::default() };
    let response: describe_cluster::Response = broker.ask(ApiKey::DescribeCluster, 2, &request);
    assert_eq!((response.error_code, response.controller_id, response.brokers.len()), (0, 1, 1));
    assert_eq!(response.cluster_authorized_operations, AclResource::Cluster.operations());
    for (endpoint_type, error) in [(2, ErrorCode::MismatchedEndpointType), (3, ErrorCode::UnsupportedEndpointType)] {
        let request = describe_cluster::Request { endpoint_type, ..Default::default() };
        let response: describe_cluster::Response = broker.ask(ApiKey::DescribeCluster, 1, &request);
        assert_eq!(response.error_code, error.code());
    }
}

#[test]
fn partitions_come_page_by_page() {
    use describe_topic_partitions::request::Cursor;
    let mut broker = Broker::start(&[("max.request.partition.size.limit", "4")]);
    for (name, partitions) in [("a", 3), ("b", 2), ("c", 1)] {
        create(&mut broker, name, partitions);
    }
    let mut cursor = None;
    let mut pages = Vec::new();
    for _ in 0..4 {
        let request = describe_topic_partitions::Request { cursor: cursor.take(), ..Default::default() };
        let response: describe_topic_partitions::Response = broker.ask(ApiKey::DescribeTopicPartitions, 0, &request);
        for topic in &response.topics {
            let indexes: Vec<i32> = topic.partitions.iter().map(|partition| partition.partition_index).collect();
            pages.push(format!("{}{indexes:?}", topic.name.as_deref().unwrap_or_default()));
        }
        let Some(next) = response.next_cursor else { break };
        pages.push("|".into());
        cursor = Some(Cursor { topic_name: next.topic_name, partition_index: next.partition_index });
    }
    assert_eq!(pages.join(" "), "a[0, 1, 2] b[0] | b[1] c[0]");

    let topic = |name: &'static str| describe_topic_partitions::TopicRequest { name: name.into() };
    let ask = |names: &[&'static str], limit, cursor: Option<(&'static str, i32)>| describe_topic_partitions::Request {
        topics: names.iter().map(|name| topic(name)).collect(),
        response_partition_limit: limit,
        cursor: cursor.map(|(name, partition_index)| Cursor { topic_name: name.into(), partition_index }),
    };
    let api = ApiKey::DescribeTopicPartitions;
    let full: describe_topic_partitions::Response = broker.ask(api, 0, &ask(&["c", "a", "no", "a"], -5, None));
    let next = full.next_cursor.unwrap();
    assert_eq!((full.topics.len(), &*next.topic_name, next.partition_index), (1, "a", 1), "one partition at least");
    let end: describe_topic_partitions::Response = broker.ask(api, 0, &ask(&["c", "no", "x y"], 9, Some(("c", 1))));
    let told: Vec<_> =
        end.topics.iter().map(|t| (t.name.as_deref().unwrap(), t.partitions.len(), t.error_code)).collect();
    assert_eq!(told, [("c", 0, 0), ("no", 0, 3), ("x y", 0, 17)]);
    for bad in [ask(&["a"], 9, Some(("b", 0))), ask(&["a"], 9, Some(("a", -1)))] {
        let refused: describe_topic_partitions::Response = broker.ask(api, 0, &bad);
        assert_eq!(refused.topics[0].error_code, ErrorCode::InvalidRequest.code());
    }
}

#[test]
fn resources_with_configs_are_listed() {
    let mut broker = Broker::start(&[]);
    create(&mut broker, "t", 1);
    let mut list = |version, resource_types: &[i8]| {
        let request = list_config_resources::Request { resource_types: resource_types.to_vec() };
        let response: list_config_resources::Response = broker.ask(ApiKey::ListConfigResources, version, &request);
        let resources = response.config_resources.iter();
        let names: Vec<_> = resources.map(|r| (r.resource_type, r.resource_name.to_string())).collect();
        (response.error_code, names)
    };
    assert_eq!(list(0, &[]), (0, vec![]));
    assert_eq!(list(1, &[]), (0, vec![(2, "t".into()), (4, "1".into()), (8, "1".into())]));
    assert_eq!(list(1, &[2]), (0, vec![(2, "t".into())]));
    assert_eq!(list(1, &[3]), (ErrorCode::UnsupportedVersion.code(), vec![]));
}

/// Kafka's dynamic broker configs: for all brokers, for one, and gone again; partitions that are open follow.
#[test]
fn broker_configs_reach_open_partitions() {
    let mut broker = Broker::start(&[("node.id", "5")]);
    broker.create_topic("t", 1);
    broker.create_topic("own", 1);
    let alter =
        |broker: &mut Broker, resource_type, resource_name: &'static str, name: &'static str, value: &'static str| {
            let operation = if value.is_empty() { 1 } else { 0 };
            let value = Some(value).filter(|value| !value.is_empty()).map(Into::into);
            let config =
                incremental_alter_configs::AlterableConfig { name: name.into(), config_operation: operation, value };
            let resource = incremental_alter_configs::AlterConfigsResource {
                resource_type,
                resource_name: resource_name.into(),
                configs: vec![config],
            };
            let request = incremental_alter_configs::Request { resources: vec![resource], ..Default::default() };
            let response: incremental_alter_configs::Response =
                broker.ask(ApiKey::IncrementalAlterConfigs, 1, &request);
            assert_eq!(response.responses[0].error_code, 0, "{:?}", response.responses[0].error_message);
        };
    let segment_bytes = |broker: &Broker, topic: &str| {
        let view = broker.view();
        view.partition_by_name(topic, 0).unwrap().log.config().segment_bytes
    };
    let takes = |broker: &Broker, size: usize| {
        let view = broker.view();
        view.partition_by_name("t", 0)
            .unwrap()
            .append(9, &batch(&vec![b'x'; size]), NOW, Admission::None)
            .map_err(|r| r.error)
    };
    alter(&mut broker, TOPIC, "own", "segment.bytes", "3000000");
    alter(&mut broker, BROKER, "", "log.segment.bytes", "2000000");
    assert_eq!((segment_bytes(&broker, "t"), segment_bytes(&broker, "own")), (2_000_000, 3_000_000));
    alter(&mut broker, BROKER, "5", "log.segment.bytes", "1500000");
    assert_eq!((segment_bytes(&broker, "t"), segment_bytes(&broker, "own")), (1_500_000, 3_000_000));
    alter(&mut broker, BROKER, "5", "log.segment.bytes", "");
    assert_eq!(segment_bytes(&broker, "t"), 2_000_000);

    assert!(takes(&broker, 500).is_ok());
    alter(&mut broker, BROKER, "", "message.max.bytes", "300");
    assert_eq!(takes(&broker, 500).unwrap_err(), ErrorCode::MessageTooLarge);
    alter(&mut broker, BROKER, "", "message.max.bytes", "");
    assert!(takes(&broker, 500).is_ok());

    alter(&mut broker, BROKER, "", "producer.id.expiration.ms", "1234");
    let view = broker.view();
    assert_eq!(view.partition_by_name("t", 0).unwrap().log.config().producer_id_expiration_ms, 1234);
}

#[test]
fn log_directories_are_described() {
    let mut broker = Broker::start(&[]);
    broker.create_topic("a", 2);
    broker.create_topic("b", 1);
    let view = broker.view();
    let partition = view.partition_by_name("a", 1).unwrap();
    partition.append(9, &batch(b"12345"), NOW, Admission::None).unwrap();
    partition.write_pending(NOW);
    let mut describe = |topics: Option<Vec<(&'static str, Vec<i32>)>>| {
        let topic = |(topic, partitions): (&'static str, Vec<i32>)| describe_log_dirs::DescribableLogDirTopic {
            topic: topic.into(),
            partitions,
        };
        let topics = topics.map(|topics| topics.into_iter().map(topic).collect());
        let request = describe_log_dirs::Request { topics };
        let response: describe_log_dirs::Response = broker.ask(ApiKey::DescribeLogDirs, 5, &request);
        let [directory] = &response.results[..] else { panic!("one directory") };
        assert_eq!((response.error_code, directory.error_code, &*directory.log_dir), (0, 0, "/data"));
        assert!(directory.usable_bytes > 0 && directory.usable_bytes <= directory.total_bytes);
        assert!(!directory.is_cordoned);
        let told = directory.topics.iter().flat_map(|topic| {
            let told = |p: &describe_log_dirs::DescribeLogDirsPartition| (p.partition_index, p.partition_size);
            topic.partitions.iter().map(move |partition| (topic.name.to_string(), told(partition)))
        });
        told.collect::<Vec<_>>()
    };
    let size = partition.log.size_bytes() as i64;
    let told = |name: &str, index, size| (name.to_string(), (index, size));
    assert_eq!(describe(None), [told("a", 0, 0), told("a", 1, size), told("b", 0, 0)]);
    assert_eq!(describe(Some(vec![("a", vec![1, 7]), ("missing", vec![0])])), [told("a", 1, size)]);
    assert_eq!(describe(Some(vec![])), []);
}

/// `FetchRequest.fetchData` is a map: where a partition is named twice, the last word counts, and there is one answer.
#[test]
fn a_partition_is_fetched_once() {
    let mut broker = Broker::start(&[]);
    let topic_id = broker.create_topic("t", 1);
    for (version, session_epoch) in [(12, -1), (12, 0), (16, -1), (16, 0)] {
        let partition = |fetch_offset| fetch::FetchPartition { partition: 0, fetch_offset, ..Default::default() };
        let topic = |offsets: &[i64]| fetch::FetchTopic {
            topic: "t".into(),
            topic_id,
            partitions: offsets.iter().map(|offset| partition(*offset)).collect(),
        };
        let request = |topics| fetch::Request { max_bytes: 1000, session_epoch, topics, ..Default::default() };
        // Beyond the end at first.
        for topics in [vec![topic(&[7, 0])], vec![topic(&[7]), topic(&[0])]] {
            let response: fetch::Response = broker.ask(ApiKey::Fetch, version, &request(topics));
            let errors: Vec<i16> =
                response.responses.iter().flat_map(|t| &t.partitions).map(|p| p.error_code).collect();
            assert_eq!((response.error_code, errors), (0, vec![0]), "version {version} session {session_epoch}");
        }
    }
}

/// `IsolationLevel.forId` throws, and the request fails as a whole.
#[test]
fn there_are_two_isolation_levels() {
    let mut broker = Broker::start(&[]);
    let topic_id = broker.create_topic("t", 1);
    let error = ErrorCode::UnknownServerError.code();
    for version in [4, 6, 7, 12, 13, 18] {
        let partition = fetch::FetchPartition { partition: 0, ..Default::default() };
        let topic = fetch::FetchTopic { topic: "t".into(), topic_id, partitions: vec![partition] };
        let request = fetch::Request { isolation_level: 9, topics: vec![topic], ..Default::default() };
        let response: fetch::Response = broker.ask(ApiKey::Fetch, version, &request);
        let errors: Vec<i16> = response.responses.iter().flat_map(|t| &t.partitions).map(|p| p.error_code).collect();
        let whole = if version < 7 { 0 } else { error };
        let each = if version < 13 { vec![error] } else { vec![] };
        assert_eq!((response.error_code, errors), (whole, each), "version {version}");
    }
    let partition = list_offsets::ListOffsetsPartition { partition_index: 0, timestamp: -1, ..Default::default() };
    let topic = list_offsets::ListOffsetsTopic { name: "t".into(), partitions: vec![partition] };
    let request =
        list_offsets::Request { replica_id: -1, isolation_level: -1, topics: vec![topic], ..Default::default() };
    let response: list_offsets::Response = broker.ask(ApiKey::ListOffsets, 7, &request);
    let answered = &response.topics[0].partitions[0];
    assert_eq!((answered.error_code, answered.offset, answered.timestamp), (error, -1, -1));
}

/// What was said last counts, in one place of the answer (`KafkaApis.handleDeleteRecordsRequest`).
#[test]
fn records_of_a_partition_are_deleted_once() {
    let mut broker = Broker::start(&[]);
    broker.create_topic("t", 2);
    let partition = |partition_index, offset| delete_records::DeleteRecordsPartition { partition_index, offset };
    let topic = |partitions| delete_records::DeleteRecordsTopic { name: "t".into(), partitions };
    let topics = vec![topic(vec![partition(0, 99), partition(1, 0)]), topic(vec![partition(0, 0), partition(1, 99)])];
    let request = delete_records::Request { topics, ..Default::default() };
    let response: delete_records::Response = broker.ask(ApiKey::DeleteRecords, 2, &request);
    let partitions = response.topics.iter().flat_map(|t| &t.partitions);
    let answered: Vec<_> = partitions.map(|p| (p.partition_index, p.error_code)).collect();
    assert_eq!((response.topics.len(), answered), (1, vec![(0, 0), (1, ErrorCode::OffsetOutOfRange.code())]));
}

/// The words of `AuthHelper.computeDescribeClusterResponse`.
#[test]
fn only_brokers_are_described() {
    let mut broker = Broker::start(&[]);
    let mut ask = |endpoint_type| {
        let request = describe_cluster::Request { endpoint_type, ..Default::default() };
        let response: describe_cluster::Response = broker.ask(ApiKey::DescribeCluster, 1, &request);
        (response.error_code, response.error_message.unwrap_or_default().to_string())
    };
    let mismatched = "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER";
    assert_eq!(ask(2), (ErrorCode::MismatchedEndpointType.code(), mismatched.into()));
    assert_eq!(ask(3), (ErrorCode::UnsupportedEndpointType.code(), "Unsupported endpoint type 3".into()));
}
