//! What tools ask of the controller, and the configurations that are no topic's, as a client sees them: elections,
//! reassignments, the quorum, features, client metrics, loggers.

use super::versions::versions;
use crate::handlers::testing::{Broker, NOW};
use crate::metadata::Record;
use crate::metadata::record::{FeatureLevelRecord, PartitionChangeRecord};
use crate::model::{ApiKey, ErrorCode};
use crate::wire::api::{
    alter_configs, alter_partition_reassignments, api_versions, consumer_group_describe, consumer_group_heartbeat,
    describe_configs, describe_quorum, elect_leaders, incremental_alter_configs, list_config_resources, metadata,
    update_features,
};

const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

#[test]
fn leaders_are_where_they_belong() {
    let mut broker = Broker::start(&[]);
    broker.create_topic("t", 2);
    let not_needed = ErrorCode::ElectionNotNeeded.code();
    for version in versions(ApiKey::ElectLeaders) {
        let topic = |topic: &'static str, partitions: &[i32]| elect_leaders::TopicPartitions {
            topic: topic.into(),
            partitions: partitions.to_vec(),
        };
        let topic_partitions = Some(vec![topic("t", &[0, 9]), topic("missing", &[0])]);
        let request = elect_leaders::Request { topic_partitions, ..Default::default() };
        let response: elect_leaders::Response = broker.ask(ApiKey::ElectLeaders, version, &request);
        let results: Vec<Vec<i16>> = response
            .replica_election_results
            .iter()
            .map(|topic| topic.partition_result.iter().map(|partition| partition.error_code).collect())
            .collect();
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        assert_eq!((response.error_code, results), (0, vec![vec![not_needed, unknown], vec![unknown]]));
        // All of them: nothing to tell.
        let request = elect_leaders::Request { topic_partitions: None, ..Default::default() };
        let response: elect_leaders::Response = broker.ask(ApiKey::ElectLeaders, version, &request);
        let told: Vec<_> =
            response.replica_election_results.iter().map(|t| (&*t.topic, t.partition_result.len())).collect();
        assert_eq!(told, [("t", 0)]);
    }
    let topics = vec![elect_leaders::TopicPartitions { topic: "t".into(), partitions: vec![0] }];
    let request = elect_leaders::Request { election_type: 7, topic_partitions: Some(topics), ..Default::default() };
    let response: elect_leaders::Response = broker.ask(ApiKey::ElectLeaders, 2, &request);
    let result = &response.replica_election_results[0].partition_result[0];
    let message = Some("Unknown election type 7");
    assert_eq!((response.error_code, result.error_message.as_deref()), (ErrorCode::InvalidRequest.code(), message));
}

/// A partition that lost its leader, as in a directory that another cluster has left behind.
#[test]
fn a_partition_without_a_leader_gets_one() {
    let mut broker = Broker::start(&[]);
    let topic_id = broker.create_topic("t", 1);
    let lost =
        PartitionChangeRecord { partition_id: 0, topic_id, leader: -1, isr: Some(Vec::new()), ..Default::default() };
    broker.commit(vec![Record::PartitionChange(lost)]);
    let mut elect = |election_type| {
        let topic_partitions = Some(vec![elect_leaders::TopicPartitions { topic: "t".into(), partitions: vec![0] }]);
        let request = elect_leaders::Request { election_type, topic_partitions, ..Default::default() };
        let response: elect_leaders::Response = broker.ask(ApiKey::ElectLeaders, 2, &request);
        let code = response.replica_election_results[0].partition_result[0].error_code;
        let request = metadata::Request { topics: None, ..Default::default() };
        let told: metadata::Response = broker.ask(ApiKey::Metadata, 9, &request);
        let partition = &told.topics[0].partitions[0];
        (ErrorCode::from_code(code).unwrap(), partition.leader_id, partition.leader_epoch, partition.isr_nodes.clone())
    };
    let (preferred, unclean) = (0, 1);
    assert_eq!(elect(preferred), (ErrorCode::PreferredLeaderNotAvailable, -1, 1, vec![]));
    assert_eq!(elect(unclean), (ErrorCode::None, 1, 2, vec![1]));
    assert_eq!(elect(unclean), (ErrorCode::ElectionNotNeeded, 1, 2, vec![1]));
}

#[test]
fn a_partition_can_be_moved_to_where_it_is() {
    let mut broker = Broker::start(&[]);
    broker.create_topic("t", 1);
    let before = broker.view().image.topic("t").unwrap().clone();
    for version in versions(ApiKey::AlterPartitionReassignments) {
        let mut ask = |name: &'static str, replicas: Option<&[i32]>| {
            use alter_partition_reassignments::{ReassignablePartition, ReassignableTopic, Request, Response};
            let replicas = replicas.map(<[i32]>::to_vec);
            let partitions = vec![ReassignablePartition { partition_index: 0, replicas }];
            let topics = vec![ReassignableTopic { name: name.into(), partitions }];
            let request = Request { topics, ..Default::default() };
            let response: Response = broker.ask(ApiKey::AlterPartitionReassignments, version, &request);
            let partition = &response.responses[0].partitions[0];
            assert_eq!(response.error_message, None);
            (
                ErrorCode::from_code(partition.error_code).unwrap(),
                partition.error_message.clone().map(|m| m.to_string()),
            )
        };
        assert_eq!(ask("t", Some(&[1])), (ErrorCode::None, None));
        let message = "The manual partition assignment includes broker 2, but no such broker is registered.";
        assert_eq!(ask("t", Some(&[2])), (ErrorCode::InvalidReplicaAssignment, Some(message.into())));
        assert_eq!(ask("t", None), (ErrorCode::NoReassignmentInProgress, None));
        let message = "Unable to find a topic named missing.";
        assert_eq!(ask("missing", Some(&[1])), (ErrorCode::UnknownTopicOrPartition, Some(message.into())));
    }
    assert_eq!(*broker.view().image.topic("t").unwrap(), before);
}

fn quorum_of(topic: &'static str, partitions: &[i32]) -> describe_quorum::Request<'static> {
    let partition = |index: &i32| describe_quorum::request::PartitionData { partition_index: *index };
    let partitions = partitions.iter().map(partition).collect();
    describe_quorum::Request {
        topics: vec![describe_quorum::request::TopicData { topic_name: topic.into(), partitions }],
    }
}

#[test]
fn the_quorum_is_this_node() {
    let mut broker = Broker::start(&[("node.id", "5")]);
    for version in versions(ApiKey::DescribeQuorum) {
        let response: describe_quorum::Response =
            broker.ask(ApiKey::DescribeQuorum, version, &quorum_of("__cluster_metadata", &[0]));
        let partition = &response.topics[0].partitions[0];
        assert_eq!((response.error_code, partition.error_code, partition.leader_id), (0, 0, 5));
        assert_eq!(partition.leader_epoch, 1, "the first start is the first epoch");
        assert_eq!(partition.high_watermark, broker.view().applied_offset().0 + 1);
        let [voter] = &partition.current_voters[..] else { panic!("one voter") };
        assert_eq!((voter.replica_id, voter.log_end_offset), (5, partition.high_watermark));
        let caught_up = if version == 0 { -1 } else { NOW.0 };
        assert_eq!((voter.last_fetch_timestamp, voter.last_caught_up_timestamp), (caught_up, caught_up));
        assert!(partition.observers.is_empty());
        assert_eq!(
            response.nodes.iter().map(|node| node.node_id).collect::<Vec<_>>(),
            if version < 2 { vec![] } else { vec![5] }
        );
    }
    let before = broker.view().applied_offset();
    broker.create_topic("t", 1);
    let asked = quorum_of("__cluster_metadata", &[0]);
    let response: describe_quorum::Response = broker.ask(ApiKey::DescribeQuorum, 2, &asked);
    assert!(response.topics[0].partitions[0].high_watermark > before.0 + 1);
    for asked in [quorum_of("t", &[0]), quorum_of("__cluster_metadata", &[1]), quorum_of("__cluster_metadata", &[0, 0])]
    {
        let response: describe_quorum::Response = broker.ask(ApiKey::DescribeQuorum, 2, &asked);
        let partition = &response.topics[0].partitions[0];
        assert_eq!((response.error_code, partition.error_code), (0, ErrorCode::UnknownTopicOrPartition.code()));
        assert_eq!(partition.error_message.as_deref(), Some("This server does not host this topic-partition."));
    }
}

fn update(name: &'static str, level: i16, upgrade_type: i8) -> update_features::FeatureUpdateKey<'static> {
    update_features::FeatureUpdateKey {
        feature: name.into(),
        max_version_level: level,
        upgrade_type,
        ..Default::default()
    }
}

#[test]
fn features_are_turned_off_and_on() {
    let mut broker = Broker::start(&[]);
    let off = |validate_only| update_features::Request {
        feature_updates: vec![update("group.version", 0, 2)],
        validate_only,
        ..Default::default()
    };
    let response: update_features::Response = broker.ask(ApiKey::UpdateFeatures, 2, &off(true));
    assert_eq!((response.error_code, broker.view().image.feature("group.version")), (0, 1), "only asked");
    let response: update_features::Response = broker.ask(ApiKey::UpdateFeatures, 2, &off(false));
    assert_eq!((response.error_code, &response.error_message), (0, &None));
    assert_eq!(broker.view().image.feature("group.version"), 0);

    // Without the feature the consumer protocol is not there.
    let heartbeat = consumer_group_heartbeat::Request { group_id: "g".into(), ..Default::default() };
    let response: consumer_group_heartbeat::Response = broker.ask(ApiKey::ConsumerGroupHeartbeat, 1, &heartbeat);
    let unsupported = ErrorCode::UnsupportedVersion.code();
    assert_eq!((response.error_code, response.error_message), (unsupported, None));
    let describe = consumer_group_describe::Request { group_ids: vec!["g".into(), "h".into()], ..Default::default() };
    let response: consumer_group_describe::Response = broker.ask(ApiKey::ConsumerGroupDescribe, 1, &describe);
    let told: Vec<_> = response.groups.iter().map(|group| (&*group.group_id, group.error_code)).collect();
    assert_eq!(told, [("g", unsupported), ("h", unsupported)]);
    let api_versions = api_versions::Request {
        client_software_name: "test".into(),
        client_software_version: "1".into(),
        ..Default::default()
    };
    let response: api_versions::Response = broker.ask(ApiKey::ApiVersions, 4, &api_versions);
    assert!(response.finalized_features.iter().all(|feature| feature.name != "group.version"));

    // A request of the first version can only raise a level, also where the client allows a downgrade.
    let feature_updates =
        vec![update_features::FeatureUpdateKey { allow_downgrade: true, ..update("group.version", 1, 1) }];
    for version in versions(ApiKey::UpdateFeatures) {
        let feature_updates = if version == 0 { feature_updates.clone() } else { vec![update("group.version", 1, 1)] };
        let request = update_features::Request { feature_updates, ..Default::default() };
        let response: update_features::Response = broker.ask(ApiKey::UpdateFeatures, version, &request);
        assert_eq!((response.error_code, response.results.len()), (0, usize::from(version < 2)));
        assert_eq!(broker.view().image.feature("group.version"), 1);
    }
    let wrong = update_features::Request {
        feature_updates: vec![update("group.version", 0, 2), update("group.version", 1, 1), update("no.such", 1, 1)],
        ..Default::default()
    };
    let response: update_features::Response = broker.ask(ApiKey::UpdateFeatures, 2, &wrong);
    let message = "The update failed for all features since the following feature had an error: Invalid update version \
                   1 for feature no.such. Local controller 1 does not support this feature.";
    let invalid = ErrorCode::InvalidUpdateVersion.code();
    assert_eq!((response.error_code, response.error_message.as_deref()), (invalid, Some(message)));
}

/// All that Kafka 4.4 has; what is not built can be had at level 0 only, so that no client takes to it.
#[test]
fn features_are_told_as_far_as_they_are_built() {
    let mut broker = Broker::start(&[]);
    let request = api_versions::Request {
        client_software_name: "test".into(),
        client_software_version: "1".into(),
        ..Default::default()
    };
    let response: api_versions::Response = broker.ask(ApiKey::ApiVersions, 4, &request);
    let supported: Vec<_> =
        response.supported_features.iter().map(|f| (&*f.name, f.min_version, f.max_version)).collect();
    assert_eq!(
        supported,
        [
            ("eligible.leader.replicas.version", 0, 1),
            ("group.version", 0, 1),
            ("kraft.version", 0, 1),
            ("metadata.version", 7, 33),
            ("share.version", 0, 0),
            ("streams.version", 0, 0),
            ("transaction.version", 0, 2),
        ]
    );
    let finalized: Vec<_> = response.finalized_features.iter().map(|f| (&*f.name, f.max_version_level)).collect();
    let levels = [
        ("eligible.leader.replicas.version", 1),
        ("group.version", 1),
        ("metadata.version", 33),
        ("transaction.version", 2),
    ];
    assert_eq!(finalized, levels);
    // Readers of before 4 take a least level of 0 for an error (KAFKA-17492).
    let response: api_versions::Response = broker.ask(ApiKey::ApiVersions, 3, &request);
    assert_eq!(response.supported_features.iter().map(|f| &*f.name).collect::<Vec<_>>(), ["metadata.version"]);
}

/// The level of `transaction.version` that ApiVersions tells of; none where it is off.
fn told_level_of_transactions(broker: &mut Broker) -> Option<i16> {
    let request = api_versions::Request {
        client_software_name: "test".into(),
        client_software_version: "1".into(),
        ..Default::default()
    };
    let response: api_versions::Response = broker.ask(ApiKey::ApiVersions, 4, &request);
    let finalized = response.finalized_features.iter().find(|feature| feature.name == "transaction.version");
    finalized.map(|feature| feature.max_version_level)
}

/// A directory of Apache Kafka before 4.0 has no level at all, and one that was downgraded keeps what it was brought to.
#[test]
fn the_level_of_transactions_is_the_directorys() {
    let mut broker = Broker::start(&[]);
    assert_eq!(told_level_of_transactions(&mut broker), Some(2), "a fresh cluster");
    for (level, told) in [(1, Some(1)), (0, None), (2, Some(2))] {
        let record = FeatureLevelRecord { name: "transaction.version".into(), feature_level: level };
        broker.commit(vec![Record::FeatureLevel(record)]);
        assert_eq!(told_level_of_transactions(&mut broker), told);
    }
}

#[test]
fn the_level_of_transactions_is_changed_in_every_version() {
    let (name, up, safe, unsafely) = ("transaction.version", 1, 2, 3);
    let refused = ErrorCode::InvalidUpdateVersion;
    for version in versions(ApiKey::UpdateFeatures) {
        let mut broker = Broker::start(&[]);
        let mut ask = |level, upgrade_type, validate_only| {
            // The first version has another word for a downgrade, which Kafka does not read, and cannot only ask.
            let update = match version {
                0 => update_features::FeatureUpdateKey { allow_downgrade: true, ..update(name, level, up) },
                _ => update(name, level, upgrade_type),
            };
            let request = update_features::Request {
                feature_updates: vec![update],
                validate_only: validate_only && version > 0,
                ..Default::default()
            };
            let response: update_features::Response = broker.ask(ApiKey::UpdateFeatures, version, &request);
            let results: Vec<_> = response.results.iter().map(|r| (&*r.feature, r.error_code)).collect();
            let has_result = response.error_code == 0 && version < 2;
            assert_eq!(results, if has_result { vec![(name, 0)] } else { vec![] }, "version {version}");
            let error = ErrorCode::from_code(response.error_code).unwrap();
            (error, broker.view().image.feature(name))
        };
        assert_eq!(ask(3, up, false), (refused, 2), "not known");
        assert_eq!(ask(1, up, false), (refused, 2), "an upgrade goes up");
        if version == 0 {
            assert_eq!(ask(0, safe, false), (refused, 2));
            continue;
        }
        assert_eq!(ask(1, safe, true), (ErrorCode::None, 2), "only asked");
        assert_eq!(ask(1, safe, false), (ErrorCode::None, 1));
        assert_eq!(ask(2, unsafely, false), (refused, 1), "a downgrade goes down");
        assert_eq!(ask(0, unsafely, false), (ErrorCode::None, 0));
        assert_eq!(ask(2, up, false), (ErrorCode::None, 2));
    }
}

type Alter<'a> = (i8, &'a str, i8, &'a str, Option<&'a str>);

/// Changes one key of a resource; the error and its message.
fn alter(broker: &mut Broker, change: Alter<'_>, validate_only: bool) -> (ErrorCode, Option<String>) {
    let (resource_type, resource_name, config_operation, name, value) = change;
    let configs = vec![incremental_alter_configs::AlterableConfig {
        name: name.into(),
        config_operation,
        value: value.map(Into::into),
    }];
    let resource =
        incremental_alter_configs::AlterConfigsResource { resource_type, resource_name: resource_name.into(), configs };
    let request = incremental_alter_configs::Request { resources: vec![resource], validate_only };
    let response: incremental_alter_configs::Response = broker.ask(ApiKey::IncrementalAlterConfigs, 1, &request);
    let result = &response.responses[0];
    assert_eq!((result.resource_type, &*result.resource_name), (resource_type, resource_name));
    (ErrorCode::from_code(result.error_code).unwrap(), result.error_message.clone().map(|message| message.to_string()))
}

fn describe(
    broker: &mut Broker,
    resource_type: i8,
    name: &'static str,
) -> describe_configs::DescribeConfigsResult<'static> {
    let resource = describe_configs::DescribeConfigsResource {
        resource_type,
        resource_name: name.into(),
        configuration_keys: None,
    };
    let request = describe_configs::Request { resources: vec![resource], include_synonyms: true, ..Default::default() };
    let mut response: describe_configs::Response = broker.ask(ApiKey::DescribeConfigs, 4, &request);
    response.results.remove(0)
}

fn listed(broker: &mut Broker, resource_type: i8) -> Vec<String> {
    let request = list_config_resources::Request { resource_types: vec![resource_type] };
    let response: list_config_resources::Response = broker.ask(ApiKey::ListConfigResources, 1, &request);
    response.config_resources.iter().map(|resource| resource.resource_name.to_string()).collect()
}

#[test]
fn subscriptions_of_client_metrics_are_kept() {
    let mut broker = Broker::start(&[]);
    assert_eq!(alter(&mut broker, (CLIENT_METRICS, "s", SET, "metrics", Some("*")), true), (ErrorCode::None, None));
    assert!(listed(&mut broker, CLIENT_METRICS).is_empty(), "only asked");
    assert_eq!(alter(&mut broker, (CLIENT_METRICS, "s", SET, "metrics", Some("*")), false), (ErrorCode::None, None));
    assert_eq!(alter(&mut broker, (CLIENT_METRICS, "s", SET, "interval.ms", Some("500")), false).0, ErrorCode::None);
    assert_eq!(listed(&mut broker, CLIENT_METRICS), ["s"]);
    let message = "Invalid value 5 for interval.ms, interval must be between 100 and 3600000 (1 hour)";
    let refused = (ErrorCode::InvalidRequest, Some(message.to_string()));
    assert_eq!(alter(&mut broker, (CLIENT_METRICS, "s", SET, "interval.ms", Some("5")), false), refused);
    let message = "Can't APPEND to key metrics because its type is not LIST.";
    let refused = (ErrorCode::InvalidConfig, Some(message.to_string()));
    assert_eq!(alter(&mut broker, (CLIENT_METRICS, "s", APPEND, "metrics", Some("a")), false), refused);

    let told: Vec<_> = describe(&mut broker, CLIENT_METRICS, "s")
        .configs
        .into_iter()
        .map(|config| (config.name.to_string(), config.value.unwrap_or_default().to_string(), config.config_source))
        .collect();
    let entry = |name: &str, value: &str, source| (name.to_string(), value.to_string(), source);
    assert_eq!(told, [entry("interval.ms", "500", 7), entry("match", "", 5), entry("metrics", "*", 7)]);
    for key in ["metrics", "interval.ms", "match"] {
        assert_eq!(alter(&mut broker, (CLIENT_METRICS, "s", DELETE, key, None), false), (ErrorCode::None, None));
    }
    assert!(listed(&mut broker, CLIENT_METRICS).is_empty());

    let configs = vec![alter_configs::AlterableConfig { name: "metrics".into(), value: Some("a.".into()) }];
    let resources =
        vec![alter_configs::AlterConfigsResource { resource_type: CLIENT_METRICS, resource_name: "s".into(), configs }];
    let request = alter_configs::Request { resources, ..Default::default() };
    let response: alter_configs::Response = broker.ask(ApiKey::AlterConfigs, 2, &request);
    assert_eq!((response.responses[0].error_code, listed(&mut broker, CLIENT_METRICS).len()), (0, 1));
}

/// What fits into a request can become too long by being added to.
#[test]
fn a_value_does_not_grow_without_bounds() {
    const TOPIC: i8 = 2;
    const KEY: &str = "leader.replication.throttled.replicas";
    let mut broker = Broker::start(&[]);
    broker.create_topic("t", 1);
    let pairs = |from: i32| (from..from + 2500).map(|n| format!("{n}:1")).collect::<Vec<_>>().join(",");
    let (first, second) = (pairs(10_000), pairs(20_000));
    assert_eq!(alter(&mut broker, (TOPIC, "t", SET, KEY, Some(&first)), false), (ErrorCode::None, None));
    let message = "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.";
    let refused = (ErrorCode::InvalidConfig, Some(message.to_string()));
    assert_eq!(alter(&mut broker, (TOPIC, "t", APPEND, KEY, Some(&second)), false), refused);
    assert_eq!(broker.view().image.topic_configs("t")[KEY], first);
}

/// One test for all that changes levels: they are of the whole process.
#[test]
fn loggers_take_levels_while_the_broker_runs() {
    const LOGGER: &str = "klamm.handlers.describe_log_dirs";
    let shows = |level| crate::io::loggers::shows("klamm::handlers::describe_log_dirs", level);
    let mut broker = Broker::start(&[]);
    let level = |broker: &mut Broker| {
        let described = describe(broker, BROKER_LOGGER, "1");
        assert!(described.configs.iter().all(|config| config.config_source == 6 && !config.read_only));
        described.configs.into_iter().find(|config| config.name == LOGGER).unwrap().value.unwrap().to_string()
    };
    assert_eq!((level(&mut broker).as_str(), shows(log::Level::Debug)), ("INFO", false));
    let offset = broker.view().applied_offset();
    assert_eq!(alter(&mut broker, (BROKER_LOGGER, "1", SET, LOGGER, Some("DEBUG")), true).0, ErrorCode::None);
    assert!(!shows(log::Level::Debug), "only asked");
    assert_eq!(alter(&mut broker, (BROKER_LOGGER, "1", SET, LOGGER, Some("DEBUG")), false), (ErrorCode::None, None));
    assert_eq!((level(&mut broker).as_str(), shows(log::Level::Debug)), ("DEBUG", true));
    assert!(log::max_level() >= log::LevelFilter::Debug, "the facade lets the lines through");
    assert_eq!(alter(&mut broker, (BROKER_LOGGER, "1", SET, LOGGER, Some("FATAL")), false).0, ErrorCode::None);
    assert_eq!((level(&mut broker).as_str(), shows(log::Level::Warn)), ("FATAL", false));
    assert_eq!(alter(&mut broker, (BROKER_LOGGER, "1", DELETE, LOGGER, None), false), (ErrorCode::None, None));
    assert_eq!((level(&mut broker).as_str(), shows(log::Level::Warn)), ("INFO", true));
    assert_eq!(broker.view().applied_offset(), offset, "nothing is written down");
    assert_eq!(listed(&mut broker, BROKER_LOGGER), ["1"]);

    let valid = "Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN";
    let wrong = format!("Cannot set the log level of {LOGGER} to LOUD as it is not a supported log level. {valid}");
    use ErrorCode::{InvalidConfig, InvalidRequest};
    let table = [
        (("1", SET, LOGGER, Some("LOUD")), InvalidConfig, wrong.as_str()),
        (("1", SET, "no.such", Some("INFO")), InvalidConfig, "Logger no.such does not exist!"),
        (("1", DELETE, "root", None), InvalidRequest, "Removing the log level of the root logger is not allowed"),
        (
            ("1", APPEND, LOGGER, Some("INFO")),
            InvalidRequest,
            "APPEND operation is not allowed for the BROKER_LOGGER resource",
        ),
        (("2", SET, LOGGER, Some("INFO")), InvalidRequest, "Unexpected node id. Expected 1, but received 2"),
        (("x", SET, LOGGER, Some("INFO")), InvalidRequest, "Node id must be an integer, but it is: x"),
        (("1", SET, LOGGER, None), InvalidRequest, &format!("Null value not supported for : {LOGGER}")),
    ];
    for ((id, operation, name, value), error, message) in table {
        let answer = alter(&mut broker, (BROKER_LOGGER, id, operation, name, value), false);
        assert_eq!(answer, (error, Some(message.to_string())));
    }
    let message = Some("Unexpected broker id, expected 1 but received 2");
    assert_eq!(describe(&mut broker, BROKER_LOGGER, "2").error_message.as_deref(), message);

    let configs = vec![alter_configs::AlterableConfig { name: LOGGER.into(), value: Some("INFO".into()) }];
    let resources =
        vec![alter_configs::AlterConfigsResource { resource_type: BROKER_LOGGER, resource_name: "1".into(), configs }];
    let request = alter_configs::Request { resources, ..Default::default() };
    let response: alter_configs::Response = broker.ask(ApiKey::AlterConfigs, 2, &request);
    let result = &response.responses[0];
    let message = Some("Unknown resource type 8");
    assert_eq!((result.error_code, result.error_message.as_deref()), (InvalidRequest.code(), message));
}

/// Loggers and what is written down in one request: each answer stands where its question stood.
#[test]
fn answers_stand_in_the_order_of_the_request() {
    let mut broker = Broker::start(&[]);
    let resource = |resource_type, name: &'static str, key: &'static str, value: &'static str| {
        let config = incremental_alter_configs::AlterableConfig {
            name: key.into(),
            config_operation: SET,
            value: Some(value.into()),
        };
        incremental_alter_configs::AlterConfigsResource {
            resource_type,
            resource_name: name.into(),
            configs: vec![config],
        }
    };
    let resources = vec![
        resource(BROKER_LOGGER, "7", "root", "INFO"),
        resource(CLIENT_METRICS, "s", "metrics", "*"),
        resource(BROKER_LOGGER, "8", "root", "INFO"),
        resource(BROKER_LOGGER, "7", "klamm", "INFO"),
        resource(CLIENT_METRICS, "r", "no.such", "*"),
    ];
    let request = incremental_alter_configs::Request { resources, validate_only: true };
    let response: incremental_alter_configs::Response = broker.ask(ApiKey::IncrementalAlterConfigs, 1, &request);
    let told: Vec<_> = response.responses.iter().map(|r| (r.resource_type, &*r.resource_name, r.error_code)).collect();
    let invalid = ErrorCode::InvalidRequest.code();
    let names = [(8, "7", invalid), (16, "s", 0), (8, "8", invalid), (8, "7", invalid), (16, "r", invalid)];
    assert_eq!(told, names);
    assert_eq!(response.responses[3].error_message.as_deref(), Some("Each resource must appear at most once."));
}
