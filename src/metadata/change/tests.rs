//! Every kind of change: the same question gives the same decision, and what is decided fits the image.

use super::*;
use crate::config::Config;
use crate::metadata::configs::{ConfigChange, Operation};
use crate::metadata::feature_updates::UpgradeType;
use crate::metadata::image::ResourceType;
use crate::metadata::tests::{DIRECTORIES, commit, fresh, registration, topic};
use crate::metadata::tokens::tests as tokens;
use crate::metadata::topic_name::{GROUPS_TOPIC, TRANSACTIONS_TOPIC};
use crate::model::{Offset, TimestampMs, TopicIdPartition};
use crate::security::sasl::scram::Credential;
use crate::stdx::secret::Secret;

fn ask(image: &Image, change: &Change) -> Decision {
    let mut drawn = 0;
    let mut new_id = || {
        drawn += 1;
        Uuid([drawn; 16])
    };
    let config = tokens::with_key(Config::defaults());
    let next_offset = Offset(image.offset() + 1);
    let now = TimestampMs(1_000);
    decide(
        image,
        change,
        &mut Inputs { config: &config, kraft_version: 0, next_offset, now, new_id: &mut new_id, stores: None },
    )
}

fn acl(name: &str) -> Acl {
    crate::security::acl::tests::acl(&["2", name, "3", "User:a", "*", "3", "3"])
}

/// Topic `a` with two partitions on broker 1, and an ACL for it; broker 2 has stopped.
fn cluster() -> Image {
    let mut image = fresh();
    let registration = Box::new(registration(2, &DIRECTORIES));
    let register = Change::RegisterBroker { registration, was_clean_shutdown: true };
    let assignments = vec![(0, vec![1]), (1, vec![1])];
    let a = NewTopic { assignments, ..topic("a", -1, -1) };
    let create = Change::CreateTopics { topics: vec![a], validate_only: false };
    let allow = Change::CreateAcls { acls: vec![acl("a")] };
    for change in [register, Change::FenceBroker { broker_id: 2 }, create, allow] {
        let decision = ask(&image, &change);
        commit(&mut image, &decision.records);
    }
    commit(&mut image, &[tokens::until("old", 999), tokens::until("young", 1_000)]);
    image
}

fn changes(image: &Image) -> Vec<Change> {
    let config = |name: &str, value: &str| {
        let change = ConfigChange { name: name.into(), operation: Some(Operation::Set), value: Some(value.into()) };
        let (resource_type, resource_name) = (ResourceType::Topic as i8, "a".into());
        vec![ResourceChanges { resource_type, resource_name, changes: vec![change] }]
    };
    let a = image.topic("a").unwrap().id;
    let partition = TopicIdPartition { topic_id: a, index: 1 };
    let elsewhere = Reassignment { partition: 0, replicas: Some(vec![2]) };
    let update =
        FeatureUpdate { name: "group.version".into(), level: 0, upgrade_type: Some(UpgradeType::SafeDowngrade) };
    let all = AclFilter {
        resource_type: 1,
        resource_name: None,
        pattern_type: 1,
        principal: None,
        host: None,
        operation: 1,
        permission_type: 1,
    };
    let key = || Secret::new("key");
    let credential = Credential { salt: vec![1], stored_key: key(), server_key: key(), iterations: 4096 };
    let of_alice =
        ScramUpsertion { user: "alice".into(), mechanism: 1, iterations: 4096, credential: Some(credential) };
    vec![
        Change::CreateTopics { topics: vec![topic("b", 2, 1)], validate_only: false },
        Change::AutoCreateTopics { names: vec![GROUPS_TOPIC.into(), "c".into()] },
        Change::DeleteTopics { topics: vec![DeleteTopic { name: Some("a".into()), id: Uuid::ZERO }] },
        Change::CreatePartitions {
            topics: vec![NewPartitions { name: "a".into(), count: 3, assignments: None }],
            validate_only: false,
        },
        Change::AlterConfigs { resources: config("retention.ms", "1"), validate_only: false },
        Change::IncrementalAlterConfigs { resources: config("retention.ms", "2"), validate_only: false },
        Change::AlterPartitionReassignments { topics: vec![("a".into(), vec![elsewhere])], allows_other_factor: true },
        Change::UpdateFeatures { updates: vec![update], validate_only: false },
        Change::AlterUserScramCredentials { deletions: Vec::new(), upsertions: vec![of_alice] },
        Change::CreateDelegationToken(tokens::of_alice()),
        Change::RenewDelegationToken(tokens::period("young", "alice", 1)),
        Change::ExpireDelegationToken(tokens::period("young", "alice", -1)),
        Change::SweepDelegationTokens,
        Change::UnregisterBroker { id: 2 },
        Change::CreateAcls { acls: vec![acl("b"), acl("c")] },
        Change::DeleteAcls { filters: vec![all] },
        Change::AllocateProducerIds { broker_id: 1 },
        Change::RegisterBroker { registration: Box::new(registration(2, &DIRECTORIES)), was_clean_shutdown: false },
        Change::ChangeLogDirs { broker_id: 1, left: DIRECTORIES[1..].to_vec(), cordoned: Vec::new() },
        Change::AssignReplicasToDirs {
            broker_id: 1,
            assignments: vec![DirectoryAssignment { partition, directory: DIRECTORIES[1] }],
        },
        Change::FenceBroker { broker_id: 1 },
    ]
}

#[test]
fn a_decision_depends_on_nothing_else_and_fits_its_image() {
    let image = cluster();
    for change in changes(&image) {
        let decision = ask(&image, &change);
        assert_eq!(ask(&image, &change), decision);
        assert!(!decision.records.is_empty(), "{change:?}");
        let mut changed = image.clone();
        commit(&mut changed, &decision.records);
        assert_ne!(changed, image, "{change:?}");
    }
}

#[test]
fn what_has_only_to_be_asked_changes_nothing() {
    let image = cluster();
    for change in changes(&image) {
        let asked = match change.clone() {
            Change::CreateTopics { topics, .. } => Change::CreateTopics { topics, validate_only: true },
            Change::CreatePartitions { topics, .. } => Change::CreatePartitions { topics, validate_only: true },
            Change::AlterConfigs { resources, .. } => Change::AlterConfigs { resources, validate_only: true },
            Change::IncrementalAlterConfigs { resources, .. } => {
                Change::IncrementalAlterConfigs { resources, validate_only: true }
            }
            Change::UpdateFeatures { updates, .. } => Change::UpdateFeatures { updates, validate_only: true },
            _ => continue,
        };
        let answer = ask(&image, &change).answer;
        assert_eq!(ask(&image, &asked), Decision { records: Vec::new(), answer });
    }
}

#[test]
fn what_is_so_already_is_not_written_again() {
    let mut image = cluster();
    let first = Change::AutoCreateTopics { names: vec!["c".into()] };
    let decision = ask(&image, &first);
    commit(&mut image, &decision.records);
    let told = Change::ChangeLogDirs { broker_id: 1, left: DIRECTORIES[..1].to_vec(), cordoned: Vec::new() };
    let partition = TopicIdPartition { topic_id: image.topic("a").unwrap().id, index: 0 };
    let lies = DirectoryAssignment { partition, directory: DIRECTORIES[0] };
    let gone = DirectoryAssignment { partition: TopicIdPartition { index: 9, ..partition }, ..lies };
    let assigned = Change::AssignReplicasToDirs { broker_id: 1, assignments: vec![lies, gone] };
    for change in [told, assigned, Change::FenceBroker { broker_id: 2 }] {
        assert_eq!(ask(&image, &change).records, [], "{change:?}");
    }
    let again = ask(&image, &first);
    assert_eq!(again, Decision { records: Vec::new(), answer: Decided::TopicsCreated(Vec::new()) });
}

/// `GroupCoordinator.groupMetadataTopicConfigs`, `TransactionCoordinator.transactionStateTopicConfigs`. One broker is left.
#[test]
fn coordinators_topics_are_made_as_kafka_makes_them() {
    let mut image = cluster();
    let change = Change::AutoCreateTopics { names: vec![GROUPS_TOPIC.into(), TRANSACTIONS_TOPIC.into()] };
    let decision = ask(&image, &change);
    commit(&mut image, &decision.records);
    let segment_bytes = ("segment.bytes", "104857600");
    let of_groups = [("cleanup.policy", "compact"), ("compression.type", "producer"), segment_bytes];
    let of_transactions = [
        ("cleanup.policy", "compact"),
        ("compression.type", "uncompressed"),
        ("min.insync.replicas", "2"),
        segment_bytes,
        ("unclean.leader.election.enable", "false"),
    ];
    for (name, expected) in [(GROUPS_TOPIC, &of_groups[..]), (TRANSACTIONS_TOPIC, &of_transactions)] {
        let partitions = &image.topic(name).unwrap().partitions;
        assert!(partitions.len() == 50 && partitions.iter().all(|partition| *partition.replicas == [1]), "{name}");
        let configs = image.topic_configs(name).iter().map(|(key, value)| (key.as_str(), value.as_str()));
        assert_eq!(configs.collect::<Vec<_>>(), expected, "{name}");
    }
}
