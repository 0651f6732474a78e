//! The image against Apache Kafka's own log, decisions against tables, and both against each other with random requests.

use super::bootstrap::{fence_broker, register_broker};
use super::configs::{alter_configs, incremental_alter_configs};
use super::decision::Decisions;
use super::deletions::delete_topics;
use super::producer_ids::allocate_producer_ids;
use super::topics::TopicDefaults;
use super::topics::{create_partitions, create_topics};
use super::*;
use crate::config::Config;
use crate::model::{ErrorCode, LeaderEpoch, Offset, TimestampMs, Uuid};
use crate::record::batches::{Batch, Batches};
use proptest::prelude::*;
use record::Record;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The metadata log of a combined Apache Kafka 4.4.0 that was started twice: topics created, extended and deleted;
/// configs, ACLs, SCRAM credentials, quotas set and removed; one block of producer ids in each life
/// (`testdata/RecordMetadata.java`).
const RECORDED: &[u8] = include_bytes!("testdata/cluster-metadata-4.4.0.log");
/// That of a 4.3.1 which was asked for the same.
const RECORDED_BEFORE: &[u8] = include_bytes!("testdata/cluster-metadata-4.3.1.log");

fn replay(log: &[u8]) -> (Image, Vec<(i64, Ignored)>) {
    let (mut image, mut ignored) = (Image::default(), Vec::new());
    for batch in Batches::new(log) {
        ignored.extend(image.apply_batch(&batch.unwrap()));
    }
    (image, ignored)
}

fn configs(all: &[(&str, &str)]) -> Configs {
    all.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
}

#[test]
fn apache_kafkas_log_is_replayed() {
    let mut features: BTreeMap<_, _> = FRESH_FEATURES.iter().copied().collect();
    assert_recorded(RECORDED, &features);
    features.extend([(METADATA_VERSION, IBP_4_3_IV0), ("share.version", 1)]);
    assert_recorded(RECORDED_BEFORE, &features);
}

const IBP_4_3_IV0: i16 = 30;

fn assert_recorded(log: &[u8], features: &BTreeMap<&str, i16>) {
    let (image, ignored) = replay(log);
    assert_eq!(ignored, []);
    assert_eq!(image.metadata_version(), features[METADATA_VERSION]);
    assert_eq!(image.features().collect::<BTreeMap<_, _>>(), *features);
    let names: Vec<(&str, usize)> = image.topics().map(|t| (&*t.name, t.partitions.len())).collect();
    assert_eq!(names, [("alpha", 5), ("bc", 1), ("beta.x", 1), ("manual", 2)]);
    assert_eq!(image.topic_configs("beta.x"), &configs(&[("retention.ms", "1000"), ("segment.bytes", "2000000")]));
    assert_eq!(image.topic_configs("alpha"), &configs(&[("cleanup.policy", "compact")]));
    assert_eq!(image.topic_configs("gone"), &Configs::new());
    assert_eq!(image.broker_configs(1), &configs(&[("log.retention.ms", "77")]));
    let defaults = configs(&[("log.retention.ms", "88"), ("min.insync.replicas", "1")]);
    assert_eq!(image.default_broker_configs(), &defaults);
    assert_eq!(image.next_producer_id(), 2 * PRODUCER_ID_BLOCK_SIZE);
    let broker = image.broker(1).unwrap();
    assert!(broker.in_controlled_shutdown);
    assert_eq!(broker.endpoints[0].port, 19092);
    assert_eq!(image.controllers.values().count(), 1);
    assert_eq!(image.acls().map(|acl| acl.resource_name.as_str()).collect::<Vec<_>>(), ["alpha"]);
    // It lets one client read, or do everything.
    let name = image.acls().next().unwrap().principal.strip_prefix("User:").unwrap().to_string();
    let principal = Principal::new(Principal::USER, name);
    let who = Subject { principal: &principal, host: SocketAddr::from(([10, 0, 0, 1], 9)).into() };
    let (operation, resource) = (AclOperation::Describe, AclResource::Topic);
    let allows = |name| image.acl_index().decide(&who, &Action { operation, resource, name }).map(|found| found.allows);
    assert_eq!([allows("alpha"), allows("beta.x")], [Some(true), None], "one was deleted in the second life");
    assert!(image.scram_credential("u1", 1).is_some() && image.scram_credential("u2", 2).is_none());
    let quotas: Vec<usize> = image.quotas().map(|(_, values)| values.len()).collect();
    assert_eq!(quotas, [1, 1]);
}

/// Apache Kafka leaves its partitions without a leader when it stops; a start here takes them over.
#[test]
fn a_directory_of_apache_kafka_gets_its_leaders_back() {
    [RECORDED, RECORDED_BEFORE].into_iter().for_each(assert_leaders_come_back);
}

fn assert_leaders_come_back(log: &[u8]) {
    let (mut image, _) = replay(log);
    let before = image.partition(image.topic("alpha").unwrap().id, 0).unwrap().clone();
    assert_eq!((before.leader, &*before.isr, &*before.eligible_leader_replicas), (NO_LEADER, &[][..], &[1][..]));
    start(&mut image, true);
    let after = image.partition(image.topic("alpha").unwrap().id, 0).unwrap();
    assert_eq!((after.leader, after.leader_epoch), (1, before.leader_epoch + 1));
    assert_eq!((&*after.isr, &*after.eligible_leader_replicas), (&[1][..], &[][..]));
    assert!(image.broker(1).unwrap().is_active());
    let unchanged = image.clone();
    start(&mut image, true);
    assert!(image.topics().eq(unchanged.topics()), "a clean restart changes no partition");
    start(&mut image, false);
    let shaken = image.partition(image.topic("alpha").unwrap().id, 0).unwrap();
    assert_eq!(shaken.leader_epoch, before.leader_epoch + 2);
}

/// Appends the records as the metadata log does, in Kafka's bytes.
pub(super) fn commit(image: &mut Image, records: &[Record<'_>]) {
    if records.is_empty() {
        return;
    }
    let next = Offset(image.offset() + 1);
    let bytes = image.encode_batch(records, next, LeaderEpoch(1), TimestampMs(1));
    let ignored = image.apply_batch(&Batch::first(&bytes).unwrap());
    assert_eq!(ignored, []);
}

pub(super) const DIRECTORIES: [Uuid; 2] = [Uuid([7; 16]), Uuid([8; 16])];

pub(super) fn registration(id: i32, log_dirs: &[Uuid]) -> Registration {
    let endpoint = Endpoint { name: "PLAINTEXT".into(), host: "h".into(), port: 9092, security_protocol: 0 };
    let (incarnation_id, endpoints) = (Uuid([9; 16]), vec![endpoint]);
    Registration {
        id,
        incarnation_id,
        endpoints,
        rack: Some("r".into()),
        log_dirs: log_dirs.to_vec(),
        cordoned_log_dirs: Vec::new(),
    }
}

/// A start with the directories that the broker had before.
fn start(image: &mut Image, was_clean_shutdown: bool) {
    let before = image.broker(1).map(|broker| broker.log_dirs.clone());
    start_with(image, &before.unwrap_or_else(|| DIRECTORIES[..1].to_vec()), was_clean_shutdown);
}

fn start_with(image: &mut Image, log_dirs: &[Uuid], was_clean_shutdown: bool) {
    let next = image.offset() + 1;
    let records = register_broker(image, &registration(1, log_dirs), next, was_clean_shutdown);
    commit(image, &records);
}

/// `DirectoryId.isOnline`: what is in a directory that the broker does not register has no leader until it is back.
#[test]
fn a_replica_in_a_directory_that_is_not_registered_leads_nothing() {
    let (mut image, _) = replay(RECORDED);
    start(&mut image, true);
    let home = image.broker(1).unwrap().log_dirs.clone();
    let epoch = |image: &Image| {
        let partition = image.partition(image.topic("alpha").unwrap().id, 0).unwrap();
        (partition.leader, partition.leader_epoch, partition.isr.to_vec())
    };
    let (_, led, _) = epoch(&image);
    for was_clean in [true, false] {
        start_with(&mut image, &DIRECTORIES[..1], was_clean);
        assert_eq!(epoch(&image), (NO_LEADER, led + 1, vec![1]), "it stays in sync with itself");
    }
    start_with(&mut image, &home, true);
    assert_eq!(epoch(&image), (1, led + 2, vec![1]));
}

pub(super) fn fresh() -> Image {
    let mut image = Image::default();
    commit(&mut image, &fresh_cluster(None, 1));
    start(&mut image, true);
    image
}

pub(super) fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> NewTopic {
    let (assignments, configs) = (Vec::new(), Vec::new());
    NewTopic { name: name.into(), num_partitions, replication_factor, assignments, configs }
}

pub(super) fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> NewTopic {
    let assignments = assignments.iter().map(|(p, brokers)| (*p, brokers.to_vec())).collect();
    NewTopic { assignments, ..topic(name, -1, -1) }
}

fn configured(name: &str, key: &str, value: Option<&str>) -> NewTopic {
    NewTopic { configs: vec![(key.into(), value.map(str::to_string))], ..topic(name, 1, 1) }
}

fn ids() -> impl FnMut() -> Uuid {
    let mut next = 0u32;
    move || {
        next += 1;
        let mut bytes = [3; 16];
        bytes[12..].copy_from_slice(&next.to_be_bytes());
        Uuid(bytes)
    }
}

pub(super) fn create(image: &Image, topics: &[NewTopic], validate_only: bool) -> Decisions<TopicResult<CreatedTopic>> {
    let (config, none) = (Config::defaults(), Configs::new());
    let defaults = TopicDefaults { num_partitions: 3, replication_factor: 1, settings: config.settings(&none, &none) };
    create_topics(image, &defaults, topics, ids(), validate_only)
}

fn error_of<T>(result: &Result<T, Refusal>) -> ErrorCode {
    result.as_ref().err().map_or(ErrorCode::None, |refusal| refusal.error)
}

#[test]
fn a_fresh_cluster_begins_as_apache_kafkas() {
    let (theirs, _) = replay(RECORDED);
    let ours = fresh();
    assert!(ours.features().eq(theirs.features()));
    assert_eq!(ours.default_broker_configs(), &configs(&[("min.insync.replicas", "1")]));
    let (our_broker, their_broker) = (ours.broker(1).unwrap(), theirs.broker(1).unwrap());
    let sorted = |broker: &Broker| {
        let mut features = broker.features.clone();
        features.sort_by(|a, b| a.name.cmp(&b.name));
        features
    };
    assert_eq!(sorted(our_broker), sorted(their_broker));
    assert_eq!(our_broker.epoch, 9, "the epoch is the offset of the registration");
    assert!(our_broker.is_active());
}

#[test]
fn topics_are_created_with_defaults_and_overrides() {
    let mut image = fresh();
    let wanted =
        [topic("a", -1, -1), configured("b", "retention.ms", Some("5")), assigned("c", &[(1, &[1]), (0, &[1])])];
    let decision = create(&image, &wanted, false);
    let created: Vec<_> = decision.results.iter().map(|r| r.result.as_ref().unwrap()).collect();
    assert_eq!(
        created.iter().map(|c| (c.num_partitions, c.replication_factor)).collect::<Vec<_>>(),
        [(3, 1), (1, 1), (2, 1)]
    );
    assert_eq!(created[1].configs, configs(&[("retention.ms", "5")]));
    assert_eq!(create(&image, &wanted, true), Decisions { records: Vec::new(), ..decision.clone() });
    commit(&mut image, &decision.records);
    let topic = image.topic("a").unwrap();
    assert_eq!(topic.id, created[0].id);
    assert_eq!(image.topic_by_id(topic.id).unwrap().name, topic.name);
    let partition = topic.partition(2).unwrap();
    assert_eq!((partition.leader, partition.leader_epoch, &*partition.isr), (1, 0, [1].as_slice()));
    assert_eq!(&*partition.directories, &DIRECTORIES[..1]);
    assert_eq!(image.topic_configs("b"), &configs(&[("retention.ms", "5")]));
}

/// Codes and messages as Apache Kafka 4.3.1 gave them to the same requests.
#[test]
fn topics_that_may_not_be_are_refused() {
    let mut image = fresh();
    let first = create(&image, &[topic("alpha", 1, 1), topic("beta.x", 1, 1)], false);
    commit(&mut image, &first.records);
    use ErrorCode::*;
    let table = [
        (topic("beta_x", 1, 1), InvalidTopicException),
        (topic("alpha", 1, 1), TopicAlreadyExists),
        (topic("a b", 1, 1), InvalidTopicException),
        (topic("..", 1, 1), InvalidTopicException),
        (topic("", 1, 1), InvalidTopicException),
        (topic("t", 1, 3), InvalidReplicationFactor),
        (topic("t", 1, 0), InvalidReplicationFactor),
        (topic("t", 1, -2), InvalidReplicationFactor),
        (topic("t", 0, 1), InvalidPartitions),
        (topic("t", -2, 1), InvalidPartitions),
        (topic("t", 9_999, 1), None),
        (topic("t", 10_000, 1), PolicyViolation),
        (topic("t", 10_001, 1), PolicyViolation),
        (topic("t", i32::MAX, 1), PolicyViolation),
        (configured("t", "segment.bytes", Some("5")), InvalidConfig),
        (configured("t", "no.such", Some("5")), InvalidConfig),
        (configured("t", "retention.ms", Option::None), InvalidConfig),
        (configured("t", "cleanup.policy", Some("squash")), InvalidConfig),
        (configured("t", "cleanup.policy", Some("delete,delete")), None),
        (configured("t", "cleanup.policy", Some("")), None),
        (topic("__cluster_metadata", 1, 1), InvalidRequest),
        (assigned("t", &[(0, &[7])]), InvalidReplicaAssignment),
        (assigned("t", &[(0, &[1, 1])]), InvalidReplicaAssignment),
        (assigned("t", &[(0, &[1]), (2, &[1])]), InvalidReplicaAssignment),
        (assigned("t", &[(0, &[1]), (0, &[1])]), InvalidReplicaAssignment),
        (assigned("t", &[(0, &[])]), InvalidReplicaAssignment),
        (NewTopic { num_partitions: 1, ..assigned("t", &[(0, &[1])]) }, InvalidRequest),
        (NewTopic { replication_factor: 1, ..assigned("t", &[(0, &[1])]) }, InvalidRequest),
    ];
    for (wanted, error) in table {
        let decision = create(&image, std::slice::from_ref(&wanted), false);
        assert_eq!(error_of(&decision.results[0].result), error, "{wanted:?}");
        assert_eq!(decision.records.is_empty(), error.is_error());
    }
    let twice = create(&image, &[topic("t", 1, 1), topic("u", 1, 1), topic("t", 1, 1)], false);
    let errors: Vec<_> = twice.results.iter().map(|r| (r.name.as_str(), error_of(&r.result))).collect();
    assert_eq!(errors, [("u", None), ("t", InvalidRequest)]);
    let colliding = create(&image, &[topic("t.u", 1, 1), topic("t_u", 1, 1)], false);
    assert_eq!(
        colliding.results.iter().map(|r| error_of(&r.result)).collect::<Vec<_>>(),
        [None, InvalidTopicException]
    );
    let together = create(&image, &[topic("t", 6000, 1), topic("u", 6000, 1)], false);
    assert!(together.results.iter().all(|r| error_of(&r.result) == PolicyViolation) && together.records.is_empty());
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    let mut image = fresh();
    let decision = create(&image, &[topic("a", 1, 1), topic("b", 1, 1), topic("c", 1, 1)], false);
    commit(&mut image, &decision.records);
    let id = |name: &str| image.topic(name).unwrap().id;
    let by = |name: Option<&str>, id: Uuid| DeleteTopic { name: name.map(str::to_string), id };
    let unknown = Uuid([5; 16]);
    let asked = [
        by(Some("a"), Uuid::ZERO),
        by(Option::None, id("b")),
        by(Some("b"), Uuid::ZERO),
        by(Option::None, unknown),
        by(Some("nope"), Uuid::ZERO),
        by(Option::None, Uuid::ZERO),
        by(Some("c"), id("c")),
        by(Some("x"), Uuid::ZERO),
        by(Some("x"), Uuid::ZERO),
    ];
    let decision = delete_topics(&image, &asked);
    let mut answers: Vec<_> =
        decision.results.iter().map(|r| (r.name.as_deref().unwrap_or("-"), error_of(&r.result))).collect();
    answers.sort();
    use ErrorCode::*;
    let mut expected = [
        ("a", None),
        ("b", InvalidRequest),
        ("-", UnknownTopicId),
        ("nope", UnknownTopicOrPartition),
        ("-", InvalidRequest),
        ("c", InvalidRequest),
        ("x", InvalidRequest),
    ];
    expected.sort();
    assert_eq!(answers, expected);
    assert!(decision.results.iter().filter_map(|r| r.result.as_ref().err()).all(|refusal| refusal.message.is_some()));
    commit(&mut image, &decision.records);
    assert_eq!(image.topics().map(|t| &*t.name).collect::<Vec<_>>(), ["b", "c"], "a contradiction deletes nothing");
}

#[test]
fn partitions_are_added_behind_the_others() {
    let mut image = fresh();
    let decision = create(&image, &[topic("a", 2, 1)], false);
    commit(&mut image, &decision.records);
    let more = |name: &str, count, assignments: Option<&[&[i32]]>| NewPartitions {
        name: name.into(),
        count,
        assignments: assignments.map(|all| all.iter().map(|brokers| brokers.to_vec()).collect()),
    };
    use ErrorCode::*;
    let table = [
        (more("a", 2, Option::None), InvalidPartitions),
        (more("a", 1, Option::None), InvalidPartitions),
        (more("a", -1, Option::None), InvalidPartitions),
        (more("nope", 3, Option::None), UnknownTopicOrPartition),
        (more("a", i32::MAX, Option::None), PolicyViolation),
        (more("a", 4, Some(&[&[1]])), InvalidReplicaAssignment),
        (more("a", 3, Some(&[&[2]])), InvalidReplicaAssignment),
        (more("a", 3, Some(&[&[1, 1]])), InvalidReplicaAssignment),
        (more("a", 3, Some(&[&[1]])), None),
        (more("a", 4, Option::None), None),
    ];
    for (wanted, error) in &table {
        let decision = create_partitions(&image, std::slice::from_ref(wanted), false);
        assert_eq!(error_of(&decision.results[0].result), *error, "{wanted:?}");
    }
    let decision = create_partitions(&image, &[more("a", 4, Option::None)], false);
    commit(&mut image, &decision.records);
    let indexes: Vec<i32> = image.topic("a").unwrap().partitions.iter().map(|p| p.index).collect();
    assert_eq!(indexes, [0, 1, 2, 3]);
}

#[test]
fn leaders_and_directories_are_spread() {
    let mut image = fresh();
    for id in [2, 3] {
        let next = image.offset() + 1;
        let records = register_broker(&image, &registration(id, &DIRECTORIES), next, true);
        commit(&mut image, &records);
    }
    let decision = create(&image, &[topic("a", 6, 2)], false);
    commit(&mut image, &decision.records);
    let partitions = &image.topic("a").unwrap().partitions;
    let led = |id| partitions.iter().filter(|p| p.leader == id).count();
    assert_eq!([led(1), led(2), led(3)], [2, 2, 2]);
    let on = |dir| partitions.iter().flat_map(|p| p.directories.iter()).filter(|d| **d == dir).count();
    assert_eq!(on(DIRECTORIES[0]) + on(DIRECTORIES[1]), 12);
    assert!(on(DIRECTORIES[1]) >= 4);
    assert!(partitions.iter().all(|p| p.replicas[0] != p.replicas[1]));
}

/// What Apache Kafka leaves after a crash and a start that did not come far (KIP-966).
#[test]
fn the_last_known_leader_leads_again() {
    let mut image = fresh();
    let decision = create(&image, &[topic("a", 1, 1)], false);
    commit(&mut image, &decision.records);
    let topic_id = image.topic("a").unwrap().id;
    let abandoned = record::PartitionChangeRecord {
        partition_id: 0,
        topic_id,
        leader: NO_LEADER,
        isr: Some(vec![]),
        eligible_leader_replicas: Some(vec![]),
        last_known_elr: Some(vec![1]),
        leader_recovery_state: 1,
        ..Default::default()
    };
    commit(&mut image, &[Record::PartitionChange(abandoned)]);
    start(&mut image, false);
    let partition = image.partition(topic_id, 0).unwrap();
    assert_eq!((partition.leader, &*partition.isr, partition.leader_recovery_state), (1, &[1][..], 0));
    assert!(partition.last_known_elr.is_empty() && partition.eligible_leader_replicas.is_empty());
}

#[test]
fn a_broker_that_stops_is_fenced_once() {
    let mut image = fresh();
    let records = fence_broker(&image, 1);
    commit(&mut image, &records);
    assert!(image.broker(1).unwrap().fenced);
    assert!(fence_broker(&image, 1).is_empty() && fence_broker(&image, 7).is_empty());
}

#[test]
fn producer_ids_come_in_blocks_until_there_are_none() {
    let mut image = fresh();
    let (record, block) = allocate_producer_ids(&image, 1).unwrap();
    assert_eq!(block, 0..1000);
    commit(&mut image, &[record]);
    assert_eq!(allocate_producer_ids(&image, 1).unwrap().1, 1000..2000);
    let last = record::ProducerIdsRecord { broker_id: 1, broker_epoch: 0, next_producer_id: i64::MAX - 10 };
    commit(&mut image, &[Record::ProducerIds(last)]);
    assert!(allocate_producer_ids(&image, 1).is_err());
}

/// Codes as Apache Kafka 4.3.1 gave them to the same requests.
#[test]
fn configs_are_altered_or_refused() {
    let mut image = fresh();
    let decision = create(&image, &[topic("alpha", 1, 1)], false);
    commit(&mut image, &decision.records);
    let (topic_type, broker_type) = (ResourceType::Topic as i8, ResourceType::Broker as i8);
    use {ErrorCode::*, Operation::*};
    let table = [
        (topic_type, "alpha", "cleanup.policy", Append, Some("compact"), None),
        (topic_type, "alpha", "cleanup.policy", Subtract, Some("delete"), None),
        (topic_type, "alpha", "retention.ms", Append, Some("5"), InvalidConfig),
        (topic_type, "alpha", "retention.ms", Set, Some("x"), InvalidConfig),
        (topic_type, "alpha", "what", Set, Some("x"), InvalidConfig),
        (topic_type, "alpha", "retention.ms", Set, Option::None, InvalidRequest),
        (topic_type, "nope", "retention.ms", Set, Some("1"), UnknownTopicOrPartition),
        (topic_type, "", "retention.ms", Set, Some("1"), InvalidRequest),
        (broker_type, "1", "log.retention.ms", Set, Some("77"), None),
        (broker_type, "", "log.retention.ms", Set, Some("88"), None),
        (broker_type, "1", "num.partitions", Set, Some("77"), InvalidRequest),
        (broker_type, "1", "log.retention.ms", Set, Some("x"), InvalidRequest),
        (broker_type, "2", "log.retention.ms", Set, Some("7"), InvalidRequest),
        (broker_type, "1", "my.key", Set, Some("7"), None),
        (broker_type, "", "listener.security.protocol.map", Set, Some("A:PLAINTEXT"), InvalidRequest),
        (broker_type, "1", "ssl.keystore.type", Set, Some("JKS"), InvalidRequest),
        (broker_type, "1", "listener.name.a.ssl.keystore.type", Set, Some("JKS"), None),
        (broker_type, "1", "min.insync.replicas", Set, Some("2"), InvalidConfig),
        (broker_type, "", "min.insync.replicas", Delete, Option::None, InvalidConfig),
        (broker_type, "", "min.insync.replicas", Set, Some("2"), None),
        (1, "alpha", "a", Set, Some("2"), InvalidRequest),
    ];
    let (config, none) = (Config::defaults(), Configs::new());
    let settings = config.settings(&none, &none);
    for (resource_type, resource, key, operation, value, error) in table {
        let change = ConfigChange { name: key.into(), operation: Some(operation), value: value.map(str::to_string) };
        let asked = ResourceChanges { resource_type, resource_name: resource.into(), changes: vec![change] };
        let decision = incremental_alter_configs(&image, &settings, config.cast(), &[asked], false);
        assert_eq!(error_of(&decision.results[0].result), error, "{resource} {key} {value:?}");
        commit(&mut image, &decision.records);
    }
    assert_eq!(image.topic_configs("alpha"), &configs(&[("cleanup.policy", "compact")]));
    let change = ConfigChange { name: "retention.ms".into(), operation: Some(Set), value: Some("9".into()) };
    let asked =
        ResourceChanges { resource_type: topic_type, resource_name: "alpha".into(), changes: vec![change.clone()] };
    let old_way = alter_configs(&image, &settings, config.cast(), std::slice::from_ref(&asked), false);
    commit(&mut image, &old_way.records);
    assert_eq!(image.topic_configs("alpha"), &configs(&[("retention.ms", "9")]));
    let twice = incremental_alter_configs(&image, &settings, config.cast(), &[asked.clone(), asked.clone()], false);
    assert!(twice.records.is_empty() && twice.results.iter().all(|r| error_of(&r.result) == InvalidRequest));
    let same_key = ResourceChanges { changes: vec![change.clone(), change], ..asked };
    assert_eq!(
        error_of(&incremental_alter_configs(&image, &settings, config.cast(), &[same_key], false).results[0].result),
        InvalidRequest
    );
}

#[test]
fn a_transaction_shows_at_its_end_or_not_at_all() {
    let begin = || Record::BeginTransaction(record::BeginTransactionRecord::default());
    let add = |name: &'static str| Record::Topic(record::TopicRecord { name: name.into(), topic_id: Uuid([1; 16]) });
    let end = Record::EndTransaction(record::EndTransactionRecord {});
    let abort = Record::AbortTransaction(record::AbortTransactionRecord::default());
    let mut image = fresh();
    commit(&mut image, &[begin(), add("a")]);
    assert!(image.in_transaction() && image.topic("a").is_none());
    let offset = image.offset();
    assert_eq!(image.apply(&begin(), offset + 1), Some(Ignored::TransactionOutOfPlace));
    commit(&mut image, std::slice::from_ref(&end));
    assert!(!image.in_transaction() && image.topic("a").is_some());
    commit(&mut image, &[begin(), add("b"), abort.clone()]);
    assert!(!image.in_transaction() && image.topic("b").is_none());
    let offset = image.offset() + 1;
    assert_eq!(image.apply(&end, offset), Some(Ignored::TransactionOutOfPlace));
    assert_eq!(image.apply(&abort, offset), Some(Ignored::TransactionOutOfPlace));
}

#[test]
fn records_about_nothing_change_nothing() {
    let image = fresh();
    let id = Uuid([5; 16]);
    let strange = [
        Record::RemoveTopic(record::RemoveTopicRecord { topic_id: id }),
        Record::Partition(record::PartitionRecord { topic_id: id, partition_id: i32::MAX, ..Default::default() }),
        Record::PartitionChange(record::PartitionChangeRecord { topic_id: id, ..Default::default() }),
        Record::FenceBroker(record::FenceBrokerRecord { id: 1, epoch: 77 }),
        Record::UnregisterBroker(record::UnregisterBrokerRecord { broker_id: 9, broker_epoch: 0 }),
        Record::UnregisterController(record::UnregisterControllerRecord { controller_id: 9 }),
        Record::ClearElr(record::ClearElrRecord { topic_name: "nope".into() }),
        Record::RemoveAccessControlEntry(record::RemoveAccessControlEntryRecord { id }),
        Record::RemoveDelegationToken(record::RemoveDelegationTokenRecord { token_id: "t".into() }),
    ];
    for record in strange {
        let mut after = image.clone();
        assert!(after.apply(&record, image.offset()).is_some(), "{record:?}");
        assert_eq!(after, image);
    }
}

/// Replaying the records of an image gives the image; the offset is not part of them.
fn assert_snapshot_gives_the_image_back(image: &Image) {
    let mut again = Image::default();
    for record in image.to_records() {
        assert_eq!(again.apply(&record, image.offset()), None, "{record:?}");
    }
    assert_eq!(&again, image);
}

#[test]
fn a_snapshot_of_apache_kafkas_log_loses_nothing() {
    assert_snapshot_gives_the_image_back(&replay(RECORDED).0);
    assert_snapshot_gives_the_image_back(&replay(RECORDED_BEFORE).0);
}

#[derive(Clone, Debug)]
enum Step {
    Create(Vec<(u8, i32, i16)>),
    Delete(u8),
    Extend(u8, i32),
    Configure(u8, Option<i64>),
    ProducerIds,
    Restart(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        prop::collection::vec((0..6u8, -2..5i32, -2..3i16), 1..4).prop_map(Step::Create),
        (0..6u8).prop_map(Step::Delete),
        (0..6u8, -1..8i32).prop_map(|(name, count)| Step::Extend(name, count)),
        (0..6u8, prop::option::of(-3..100i64)).prop_map(|(name, value)| Step::Configure(name, value)),
        Just(Step::ProducerIds),
        any::<bool>().prop_map(Step::Restart),
    ];
    prop::collection::vec(step, 0..25)
}

/// Some of these collide, one is not allowed.
fn name(number: u8) -> &'static str {
    ["a", "b", "x.y", "x_y", "c", "not allowed"][usize::from(number)]
}

fn decide(image: &Image, step: &Step, new_id: &mut dyn FnMut() -> Uuid) -> Vec<Record<'static>> {
    let (config, none) = (Config::defaults(), Configs::new());
    let settings = config.settings(&none, &none);
    match step {
        Step::Create(wanted) => {
            let defaults = TopicDefaults { num_partitions: 2, replication_factor: 1, settings };
            let wanted: Vec<_> = wanted.iter().map(|(n, count, factor)| topic(name(*n), *count, *factor)).collect();
            create_topics(image, &defaults, &wanted, new_id, false).records
        }
        Step::Delete(n) => delete_topics(image, &[DeleteTopic { name: Some(name(*n).into()), id: Uuid::ZERO }]).records,
        Step::Extend(n, count) => {
            let wanted = NewPartitions { name: name(*n).into(), count: *count, assignments: None };
            create_partitions(image, &[wanted], false).records
        }
        Step::Configure(n, value) => {
            let operation = Some(if value.is_some() { Operation::Set } else { Operation::Delete });
            let change = ConfigChange { name: "retention.ms".into(), operation, value: value.map(|v| v.to_string()) };
            let resource_type = ResourceType::Topic as i8;
            let asked = ResourceChanges { resource_type, resource_name: name(*n).into(), changes: vec![change] };
            incremental_alter_configs(image, &settings, config.cast(), &[asked], false).records
        }
        Step::ProducerIds => vec![allocate_producer_ids(image, 1).unwrap().0],
        Step::Restart(clean) => register_broker(image, &registration(1, &DIRECTORIES[..1]), image.offset() + 1, *clean),
    }
}

fn assert_invariants(image: &Image) {
    let mut names: Vec<String> = image.topics().map(|t| t.name.replace('.', "_")).collect();
    assert_eq!(names.len(), image.topics.size());
    for topic in image.topics() {
        assert!(topic_name::validate(&topic.name).is_ok());
        assert_eq!(image.topic_by_id(topic.id).map(|t| &t.name), Some(&topic.name));
        assert!(topic.partitions.iter().map(|p| p.index).eq(0..topic.partitions.len() as i32));
        for partition in &topic.partitions {
            assert_eq!(partition.replicas.len(), partition.directories.len());
            assert!(partition.isr.contains(&partition.leader) && partition.replicas.contains(&partition.leader));
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), image.topics.size(), "names collide");
    for name in image.config_resources(ResourceType::Topic) {
        assert!(image.topic(name).is_some(), "configs of {name}, which is gone");
    }
}

proptest! {
    #[test]
    fn every_decision_leaves_a_sound_image_and_its_log_gives_it_back(steps in steps()) {
        let (mut image, mut log, mut new_id) = (Image::default(), Vec::new(), ids());
        let mut append = |image: &mut Image, records: Vec<Record<'static>>| {
            if !records.is_empty() {
                let next = Offset(image.offset() + 1);
                log.extend(image.encode_batch(&records, next, LeaderEpoch(1), TimestampMs(1)));
            }
            commit(image, &records);
        };
        append(&mut image, fresh_cluster(None, 1));
        append(&mut image, register_broker(&Image::default(), &registration(1, &DIRECTORIES[..1]), 9, true));
        for step in &steps {
            let before = image.clone();
            let records = decide(&image, step, &mut new_id);
            prop_assert_eq!(&before, &image);
            append(&mut image, records);
            assert_invariants(&image);
        }
        prop_assert_eq!(&replay(&log).0, &image);
        assert_snapshot_gives_the_image_back(&image);
    }
}
