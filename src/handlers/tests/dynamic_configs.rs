//! Tests of dynamic configs of brokers: each key that a running broker may be given and obeys is seen to be obeyed, and
//! what it cannot be given is refused in Kafka's words.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::definitions::{Effect, Mode, broker_all};
use crate::config::{ConnectionLimits, TopicConfig};
use crate::handlers::effective;
use crate::handlers::testing::{Broker, NOW};
use crate::hosting::cleaning::Cleaner;
use crate::io::disk::Disk;
use crate::io::environment::fixed;
use crate::io::simulated_disk::SimulatedDisk;
use crate::model::{ApiKey, ErrorCode};
use crate::replica::topic_settings;
use crate::wire::api::alter_replica_log_dirs::{self, AlterReplicaLogDir, AlterReplicaLogDirTopic};
use crate::wire::api::describe_configs::{DescribeConfigsResource, DescribeConfigsResourceResult};
use crate::wire::api::{create_topics, describe_configs, describe_log_dirs, incremental_alter_configs};

const BROKER: i8 = 4;

/// Sets a config of the broker `name`, or of all for an empty name.
fn alter(broker: &mut Broker, name: &'static str, key: &'static str, value: &'static str) -> (ErrorCode, String) {
    alter_all(broker, name, &[(key, Some(value))])
}

/// `None` deletes.
fn alter_all(
    broker: &mut Broker,
    name: &'static str,
    changes: &[(&'static str, Option<&'static str>)],
) -> (ErrorCode, String) {
    let config = |(key, value): &(&'static str, Option<&'static str>)| incremental_alter_configs::AlterableConfig {
        name: (*key).into(),
        config_operation: i8::from(value.is_none()),
        value: value.map(Into::into),
    };
    let resource = incremental_alter_configs::AlterConfigsResource {
        resource_type: BROKER,
        resource_name: name.into(),
        configs: changes.iter().map(config).collect(),
    };
    let request = incremental_alter_configs::Request { resources: vec![resource], ..Default::default() };
    let response: incremental_alter_configs::Response = broker.ask(ApiKey::IncrementalAlterConfigs, 1, &request);
    let answer = &response.responses[0];
    (ErrorCode::from_code(answer.error_code).unwrap(), answer.error_message.as_deref().unwrap_or_default().to_string())
}

/// A topic with the name of its codec.
fn create_compressed_topic(broker: &mut Broker, codec: &'static str) {
    let config = create_topics::CreatableTopicConfig { name: "compression.type".into(), value: Some(codec.into()) };
    let topic = create_topics::CreatableTopic {
        name: codec.into(),
        num_partitions: 1,
        replication_factor: 1,
        configs: vec![config],
        ..Default::default()
    };
    let request = create_topics::Request { topics: vec![topic], ..Default::default() };
    let response: create_topics::Response = broker.ask(ApiKey::CreateTopics, 7, &request);
    assert_eq!(response.topics[0].error_code, 0);
}

/// What the parts of the broker go by.
type Observe = fn(&mut Broker) -> String;

/// The log of the topic.
fn log(broker: &mut Broker) -> String {
    format!("{:?}", broker.view().partition_by_name("plain", 0).unwrap().log.config())
}

/// What is accepted into the topic, and how it is stored.
fn rules(broker: &mut Broker) -> String {
    format!("{:?}", broker.view().partition_by_name("plain", 0).unwrap().rules())
}

fn rules_of_gzip(broker: &mut Broker) -> String {
    format!("{:?}", broker.view().partition_by_name("gzip", 0).unwrap().rules())
}

fn rules_of_lz4(broker: &mut Broker) -> String {
    format!("{:?}", broker.view().partition_by_name("lz4", 0).unwrap().rules())
}

fn rules_of_zstd(broker: &mut Broker) -> String {
    format!("{:?}", broker.view().partition_by_name("zstd", 0).unwrap().rules())
}

/// What housekeeping resolves from the published view at each of its rounds.
fn retention(broker: &mut Broker) -> String {
    let view = broker.view();
    let config = TopicConfig::resolve(&effective::settings(&broker.shared, &view.image), &BTreeMap::new());
    format!("{:?} {}", topic_settings::retention(&config), config.file_delete_delay_ms)
}

/// What the cleaner goes by at each of its rounds.
fn cleaner(broker: &mut Broker) -> String {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::default());
    let environment = fixed::environment(NOW);
    let shared = &broker.shared;
    let view = shared.view.clone();
    let cleaner = Cleaner::open(&disk, &shared.config, view, environment, Box::new(|_| ())).unwrap();
    let view = broker.view();
    let none = BTreeMap::new();
    format!("{:?} {:?} {:?}", cleaner.means(&view), cleaner.backoff(&view), cleaner.policy(&view, &none))
}

/// What the coordinator of a consumer group goes by.
fn groups(broker: &mut Broker) -> String {
    format!("{:?}", broker.shared.coordinators().consumer_settings(&broker.view(), "g"))
}

/// What the coordinators of transactions go by.
fn transactions(broker: &mut Broker) -> String {
    format!("{:?}", broker.shared.coordinators().settings(&broker.view()).transactions)
}

/// What new connections are judged by.
fn connections(broker: &mut Broker) -> String {
    let view = broker.view();
    let settings = effective::settings(&broker.shared, &view.image);
    format!("{:?}", ConnectionLimits::resolve(&settings, ["PLAINTEXT"].into_iter()))
}

fn log_dirs(broker: &mut Broker) -> String {
    let request = describe_log_dirs::Request { topics: None };
    let response: describe_log_dirs::Response = broker.ask(ApiKey::DescribeLogDirs, 5, &request);
    let told = response.results.iter().map(|directory| format!("{} {}", directory.log_dir, directory.is_cordoned));
    told.collect::<Vec<_>>().join(", ")
}

/// What a topic is said to have. Of `min.insync.replicas` there is nothing else to see on one node, in Kafka either
/// (`Partition.effectiveMinIsr`).
fn described(broker: &mut Broker) -> String {
    let resource = DescribeConfigsResource {
        resource_type: 2,
        resource_name: "plain".into(),
        configuration_keys: Some(vec!["min.insync.replicas".into()]),
    };
    let request = describe_configs::Request { resources: vec![resource], ..Default::default() };
    let response: describe_configs::Response = broker.ask(ApiKey::DescribeConfigs, 4, &request);
    format!("{:?}", response.results[0].configs[0].value)
}

/// Each dynamic key that is effective: a value that is not its default, and where that is seen.
const OBEYED: &[(&str, &str, Observe)] = &[
    ("compression.gzip.level", "2", rules_of_gzip),
    ("compression.lz4.level", "2", rules_of_lz4),
    ("compression.type", "zstd", rules),
    ("compression.zstd.level", "2", rules_of_zstd),
    ("cordoned.log.dirs", "/data", log_dirs),
    ("group.consumer.assignment.interval.ms", "1", groups),
    ("log.cleaner.backoff.ms", "1", cleaner),
    ("log.cleaner.dedupe.buffer.size", "2000000", cleaner),
    ("log.cleaner.delete.retention.ms", "1", cleaner),
    ("log.cleaner.io.buffer.load.factor", "0.5", cleaner),
    ("log.cleaner.io.buffer.size", "1000", cleaner),
    ("log.cleaner.io.max.bytes.per.second", "5", cleaner),
    ("log.cleaner.max.compaction.lag.ms", "5", cleaner),
    ("log.cleaner.min.cleanable.ratio", "0.1", cleaner),
    ("log.cleaner.min.compaction.lag.ms", "1", cleaner),
    ("log.cleanup.policy", "compact", rules),
    ("log.flush.interval.messages", "7", log),
    ("log.flush.interval.ms", "7", log),
    ("log.index.interval.bytes", "7", log),
    ("log.index.size.max.bytes", "700", log),
    ("log.message.timestamp.after.max.ms", "7", rules),
    ("log.message.timestamp.before.max.ms", "7", rules),
    ("log.message.timestamp.type", "LogAppendTime", rules),
    ("log.preallocate", "true", log),
    ("log.retention.bytes", "7", retention),
    ("log.retention.ms", "7", retention),
    ("log.roll.jitter.ms", "7", log),
    ("log.roll.ms", "700", log),
    ("log.segment.bytes", "2000000", log),
    ("log.segment.delete.delay.ms", "7", retention),
    ("max.connection.creation.rate", "7", connections),
    ("max.connections", "7", connections),
    ("max.connections.per.ip", "7", connections),
    ("max.connections.per.ip.overrides", "10.0.0.1:7", connections),
    ("max.decompressed.message.bytes", "700", rules),
    ("message.max.bytes", "700", rules),
    ("min.insync.replicas", "2", described),
    ("producer.id.expiration.ms", "7", log),
    ("transaction.partition.verification.enable", "false", transactions),
];

#[test]
fn every_dynamic_key_that_is_effective_takes_effect_at_once() {
    // Config providers are asked at the start only; a change of them is refused (`dynamic`).
    let is_asked_at_the_start = |name: &str| name == "config.providers";
    let may_change = broker_all().iter().filter(|d| d.mode != Mode::ReadOnly && d.effect == Effect::Effective);
    let may_change = may_change.filter(|d| !is_asked_at_the_start(d.name));
    assert!(may_change.map(|d| d.name).eq(OBEYED.iter().map(|(key, _, _)| *key)), "a key without an observation");
    let mut broker = Broker::start(&[("node.id", "5")]);
    broker.create_topic("plain", 1);
    ["gzip", "lz4", "zstd"].into_iter().for_each(|codec| create_compressed_topic(&mut broker, codec));
    for (key, value, observe) in OBEYED {
        let before = observe(&mut broker);
        let per_broker = broker_all().iter().any(|d| d.name == *key && d.mode == Mode::PerBroker);
        let name = if per_broker { "5" } else { "" };
        assert_eq!(alter(&mut broker, name, key, value), (ErrorCode::None, String::new()), "{key}");
        let after = observe(&mut broker);
        assert_ne!(before, after, "{key} is accepted and has no effect");
        // Eligible leader replicas need this one.
        if *key != "min.insync.replicas" {
            assert_eq!(alter_all(&mut broker, name, &[(key, None)]), (ErrorCode::None, String::new()), "{key}");
            assert_eq!(observe(&mut broker), before, "{key}");
        }
    }
}

type Changes = &'static [(&'static str, Option<&'static str>)];

const NOT_DYNAMIC: &str = "Cannot update these configs dynamically: ";
const NEEDS_ID: &str = "Cannot update these configs at default cluster level, broker id must be specified: ";
const BY_LISTENER: &str =
    "These security configs can be dynamically updated only per-listener using the listener prefix: ";
const MISSING: &str = "requirement failed: All entries in cordoned.log.dirs must be present in log.dirs or log.dir. \
                       Missing entries : ";
const FAILED: &str = "requirement failed: ";
const INVALID: &str = "Invalid value ";

/// For which broker, what, and the refusal in two parts. Answers of Apache Kafka 4.3.1 with one PLAINTEXT listener, but
/// for what comes after the word "deviation".
const REFUSED: &[(&str, Changes, [&str; 2])] = &[
    ("5", &[("advertised.listeners", Some("A://a:1"))], [NOT_DYNAMIC, "[advertised.listeners]"]),
    (
        "5",
        &[("advertised.listeners", Some("a")), ("log.dirs", Some("/x"))],
        [NOT_DYNAMIC, "[advertised.listeners, log.dirs]"],
    ),
    ("", &[("log.retention.hours", Some("5"))], [NOT_DYNAMIC, "[log.retention.hours]"]),
    ("5", &[("ssl.keystore.location", Some("/k"))], [BY_LISTENER, "[ssl.keystore.location]"]),
    ("", &[("ssl.client.auth", Some("required"))], [NEEDS_ID, "[ssl.client.auth]"]),
    (
        "",
        &[("listener.name.plaintext.ssl.keystore.location", Some("/nowhere"))],
        [NEEDS_ID, "[listener.name.plaintext.ssl.keystore.location]"],
    ),
    (
        "5",
        &[("listener.name.plaintext.ssl.client.auth", Some("nonsense"))],
        [INVALID, "nonsense for configuration ssl.client.auth: String must be one of: required, requested, none"],
    ),
    (
        "5",
        &[("listener.name.plaintext.max.connections", Some("x"))],
        [INVALID, "x for configuration max.connections: Not a number of type INT"],
    ),
    ("5", &[("cordoned.log.dirs", Some("/nowhere,/there"))], [MISSING, "/nowhere, /there"]),
    (
        "5",
        &[("cordoned.log.dirs", Some("*,/data"))],
        [FAILED, "When cordoned.log.dirs is set to *, it must not contain other values"],
    ),
    ("", &[("cordoned.log.dirs", Some("/nowhere"))], [NEEDS_ID, "[cordoned.log.dirs]"]),
    (
        "",
        &[("log.cleaner.dedupe.buffer.size", Some("5"))],
        [FAILED, "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread."],
    ),
    ("", &[("log.roll.ms", Some("0"))], [FAILED, "log.roll.ms must be greater than or equal to 1"]),
    ("", &[("log.roll.jitter.ms", Some("-1"))], [FAILED, "log.roll.jitter.ms must be greater than or equal to 0"]),
    (
        "",
        &[("log.retention.ms", Some("0"))],
        [FAILED, "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"],
    ),
    // Deviation: Kafka opens and closes sockets, and changes the number of threads.
    ("5", &[("listeners", Some("PLAINTEXT://127.0.0.1:1"))], [NOT_DYNAMIC, "[listeners]"]),
    ("5", &[("listener.security.protocol.map", Some("A:SSL"))], [NOT_DYNAMIC, "[listener.security.protocol.map]"]),
    ("", &[("num.recovery.threads.per.data.dir", Some("3"))], [NOT_DYNAMIC, "[num.recovery.threads.per.data.dir]"]),
    // Deviation: it would protect in Kafka, and does nothing here.
    (
        "",
        &[("max.connections.per.ip", Some("0"))],
        [FAILED, "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."],
    ),
];

/// Apache Kafka 4.3.1 takes these, too.
const ACCEPTED: &[(&str, Changes)] = &[
    ("5", &[("advertised.listeners", None)]),
    ("5", &[("ssl.client.auth", Some("required"))]),
    ("5", &[("sasl.enabled.mechanisms", Some("PLAIN"))]),
    ("5", &[("listener.name.plaintext.ssl.keystore.location", Some("/nowhere"))]),
    ("5", &[("listener.name.plaintext.nothing.known", Some("x"))]),
    ("5", &[("listener.name.plaintext.scram-sha-256.sasl.jaas.config", Some("x"))]),
    ("5", &[("cordoned.log.dirs", Some("*"))]),
    ("5", &[("cordoned.log.dirs", Some(""))]),
    ("", &[("unknown.thing", Some("x"))]),
    ("", &[("log.retention.ms", Some("-2"))]),
    ("", &[("log.flush.interval.ms", Some("-1"))]),
    ("", &[("log.cleaner.io.buffer.size", Some("1")), ("log.cleaner.io.buffer.load.factor", Some("7"))]),
    ("", &[("log.cleaner.min.compaction.lag.ms", Some("100")), ("log.cleaner.max.compaction.lag.ms", Some("5"))]),
];

#[test]
fn what_a_running_broker_cannot_be_given_is_refused() {
    let mut broker = Broker::start(&[("node.id", "5")]);
    for (name, changes, message) in REFUSED {
        let expected = (ErrorCode::InvalidRequest, message.concat());
        assert_eq!(alter_all(&mut broker, name, changes), expected, "{name} {changes:?}");
    }
    for (name, changes) in ACCEPTED {
        assert_eq!(alter_all(&mut broker, name, changes), (ErrorCode::None, String::new()), "{name} {changes:?}");
    }
}

#[test]
fn nothing_is_moved_to_a_cordoned_directory() {
    let mut broker = Broker::start(&[("node.id", "5")]);
    broker.create_topic("t", 1);
    let move_to_data = |broker: &mut Broker| {
        let topic = AlterReplicaLogDirTopic { name: "t".into(), partitions: vec![0] };
        let dirs = vec![AlterReplicaLogDir { path: "/data".into(), topics: vec![topic] }];
        let request = alter_replica_log_dirs::Request { dirs };
        let response: alter_replica_log_dirs::Response = broker.ask(ApiKey::AlterReplicaLogDirs, 2, &request);
        ErrorCode::from_code(response.results[0].partitions[0].error_code).unwrap()
    };
    assert_eq!(move_to_data(&mut broker), ErrorCode::None);
    alter(&mut broker, "5", "cordoned.log.dirs", "*");
    assert_eq!(move_to_data(&mut broker), ErrorCode::InvalidReplicaAssignment);
}

#[test]
fn documentation_comes_where_it_is_asked_for() {
    let mut broker = Broker::start(&[("node.id", "5")]);
    broker.create_topic("t", 1);
    for (resource_type, resource_name) in [(2, "t"), (BROKER, "5"), (32, "g")] {
        for include_documentation in [false, true] {
            let configuration_keys = None;
            let resource =
                DescribeConfigsResource { resource_type, resource_name: resource_name.into(), configuration_keys };
            let request =
                describe_configs::Request { resources: vec![resource], include_documentation, ..Default::default() };
            let response: describe_configs::Response = broker.ask(ApiKey::DescribeConfigs, 4, &request);
            let configs = &response.results[0].configs;
            let is_right = |c: &DescribeConfigsResourceResult<'_>| c.documentation.is_some() == include_documentation;
            assert!(!configs.is_empty() && configs.iter().all(is_right), "{resource_name} {include_documentation}");
        }
    }
}
