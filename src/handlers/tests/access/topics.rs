//! Metadata, DescribeTopicPartitions, CreateTopics, CreatePartitions, DeleteTopics.

use super::*;
use crate::model::Uuid;
use crate::wire::api::alter_client_quotas::{self, request as quotas};
use crate::wire::api::{create_partitions, create_topics, delete_topics};
use crate::wire::api::{describe_topic_partitions, metadata};

fn named(names: &[&'static str]) -> metadata::Request<'static> {
    let topic =
        |name: &&'static str| metadata::MetadataRequestTopic { name: Some((*name).into()), ..Default::default() };
    let topics = Some(names.iter().map(topic).collect());
    metadata::Request { topics, allow_auto_topic_creation: false, ..Default::default() }
}

fn told(answer: &metadata::Response<'_>) -> Vec<(i16, Option<String>)> {
    answer.topics.iter().map(|topic| (topic.error_code, topic.name.as_deref().map(str::to_string))).collect()
}

fn with(error: i16, name: &str) -> (i16, Option<String>) {
    (error, Some(name.to_string()))
}

#[test]
fn all_topics_are_those_that_may_be_described() {
    let mut broker = start();
    for version in 0..=13 {
        let topics = if version > 0 { None } else { Some(Vec::new()) };
        let request = metadata::Request { topics, ..Default::default() };
        let answer: metadata::Response = broker.ask(ApiKey::Metadata, version, &request);
        // Brokers and the controller are told to all.
        assert_eq!((answer.topics.len(), answer.brokers.len()), (0, 1));
        broker.allow(AclOperation::Describe, AclResource::Topic, "seen");
        let answer: metadata::Response = broker.ask(ApiKey::Metadata, version, &request);
        assert_eq!(told(&answer), [with(0, "seen")]);
        broker.forget_rules();
    }
}

#[test]
fn of_a_name_that_is_hidden_it_is_not_told_whether_it_is_there() {
    let mut broker = start();
    broker.allow(AclOperation::Describe, AclResource::Topic, "seen");
    broker.allow(AclOperation::Describe, AclResource::Topic, "new");
    broker.allow(AclOperation::Describe, AclResource::Topic, "no/name");
    let names = ["seen", "hidden", "gone", "__consumer_offsets", "new", "no/name"];
    for version in 4..=13 {
        let request = metadata::Request { include_topic_authorized_operations: version >= 8, ..named(&names) };
        let answer: metadata::Response = broker.ask(ApiKey::Metadata, version, &request);
        let hidden = ["hidden", "gone", "__consumer_offsets"].map(|name| with(TOPIC_REFUSED, name));
        assert_eq!(told(&answer)[1..4], hidden);
        assert_eq!(
            [&told(&answer)[..1], &told(&answer)[4..]].concat(),
            [with(0, "seen"), with(3, "new"), with(17, "no/name")]
        );
        for topic in &answer.topics[1..4] {
            assert_eq!((topic.topic_id, topic.is_internal, topic.partitions.len()), (Uuid::ZERO, false, 0));
            assert_eq!(topic.topic_authorized_operations, NOT_ASKED);
        }
        let describe = if version >= 8 { 1 << AclOperation::Describe as i8 } else { NOT_ASKED };
        for topic in answer.topics[..1].iter().chain(&answer.topics[4..]) {
            assert_eq!(topic.topic_authorized_operations, describe, "{:?}", topic.name);
        }
    }
}

#[test]
fn an_id_is_no_secret_and_its_name_is() {
    let mut broker = start();
    broker.allow(AclOperation::Describe, AclResource::Topic, "seen");
    let view = broker.view();
    let [seen, hidden] = ["seen", "hidden"].map(|name| view.topic(name).unwrap().id);
    let unknown = Uuid([9; 16]);
    let topic = |topic_id| metadata::MetadataRequestTopic { name: None, topic_id };
    let topics = Some([seen, hidden, unknown].map(topic).to_vec());
    let request = metadata::Request { topics, ..Default::default() };
    let answer: metadata::Response = broker.ask(ApiKey::Metadata, 12, &request);
    assert_eq!(told(&answer), [with(0, "seen"), (TOPIC_REFUSED, None), (100, None)]);
    assert_eq!(answer.topics.iter().map(|topic| topic.topic_id).collect::<Vec<_>>(), [seen, hidden, unknown]);
}

#[test]
fn a_topic_is_made_at_its_first_use_by_those_who_may() {
    let mut broker = start();
    broker.allow(AclOperation::Describe, AclResource::Topic, EVERY);
    let request = metadata::Request {
        allow_auto_topic_creation: true,
        include_topic_authorized_operations: true,
        ..named(&["seen", "first", "second", "__transaction_state_"])
    };
    broker.allow(AclOperation::Create, AclResource::Topic, "first");
    let answer: metadata::Response = broker.ask(ApiKey::Metadata, 12, &request);
    let refused = [with(TOPIC_REFUSED, "second"), with(TOPIC_REFUSED, "__transaction_state_")];
    assert_eq!(told(&answer), [&[with(0, "seen"), with(0, "first")][..], &refused].concat());
    let second = &answer.topics[2];
    assert_eq!((second.topic_id, second.topic_authorized_operations), (Uuid::ZERO, NOT_ASKED));
    assert!(broker.view().topic("second").is_none());
    // The name of an internal topic is told to be one where it is only not created.
    let internal: metadata::Response = broker.ask(
        ApiKey::Metadata,
        12,
        &metadata::Request { allow_auto_topic_creation: true, ..named(&["__share_group_state"]) },
    );
    assert_eq!(internal.topics[0].error_code, TOPIC_REFUSED);
    assert!(internal.topics[0].is_internal);
    broker.allow(AclOperation::Create, AclResource::Cluster, EVERY);
    let answer: metadata::Response = broker.ask(ApiKey::Metadata, 12, &request);
    assert!(answer.topics.iter().all(|topic| topic.error_code == 0));
}

#[test]
fn what_may_be_done_with_the_cluster_is_told_to_those_who_may_describe_it() {
    let mut broker = start();
    let request = metadata::Request { include_cluster_authorized_operations: true, ..named(&[]) };
    for version in 8..=10 {
        let (denied, all): (metadata::Response, metadata::Response) =
            both(&mut broker, ApiKey::Metadata, version, &request);
        assert_eq!((denied.cluster_authorized_operations, all.cluster_authorized_operations), (0, 8096));
    }
    broker.allow(AclOperation::Alter, AclResource::Cluster, EVERY);
    let answer: metadata::Response = broker.ask(ApiKey::Metadata, 8, &request);
    assert_eq!(answer.cluster_authorized_operations, 1 << 7 | 1 << 8);
}

#[test]
fn pages_of_partitions_leave_out_what_is_hidden() {
    let mut broker = start();
    broker.allow(AclOperation::Describe, AclResource::Topic, "seen");
    let told = |answer: &describe_topic_partitions::Response<'_>| -> Vec<(i16, String, i32)> {
        let topic = |t: &describe_topic_partitions::response::DescribeTopicPartitionsResponseTopic<'_>| {
            (t.error_code, t.name.as_deref().unwrap_or_default().to_string(), t.topic_authorized_operations)
        };
        answer.topics.iter().map(topic).collect()
    };
    let request = describe_topic_partitions::Request { response_partition_limit: 10, ..Default::default() };
    let answer: describe_topic_partitions::Response = broker.ask(ApiKey::DescribeTopicPartitions, 0, &request);
    let seen = (0, "seen".to_string(), 1 << 8);
    assert_eq!(told(&answer), std::slice::from_ref(&seen));
    let topic = |name: &'static str| describe_topic_partitions::TopicRequest { name: name.into() };
    let request = describe_topic_partitions::Request {
        topics: ["hidden", "seen", "gone"].map(topic).to_vec(),
        response_partition_limit: 10,
        ..Default::default()
    };
    let answer: describe_topic_partitions::Response = broker.ask(ApiKey::DescribeTopicPartitions, 0, &request);
    let hidden = ["gone", "hidden"].map(|name| (TOPIC_REFUSED, name.to_string(), NOT_ASKED));
    assert_eq!(told(&answer), [&[seen][..], &hidden].concat());
    let refused = &answer.topics[1];
    assert_eq!((refused.topic_id, refused.is_internal, refused.partitions.len()), (Uuid::ZERO, false, 0));
}

fn creation(names: &[&'static str]) -> create_topics::Request<'static> {
    let topic = |name: &&'static str| create_topics::CreatableTopic {
        name: (*name).into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    create_topics::Request { topics: names.iter().map(topic).collect(), timeout_ms: 1000, validate_only: false }
}

#[test]
fn topics_are_created_by_those_who_may_create_them() {
    let mut broker = start();
    broker.allow(AclOperation::Create, AclResource::Topic, "new");
    broker.allow(AclOperation::Create, AclResource::Topic, "bare");
    broker.allow(AclOperation::DescribeConfigs, AclResource::Topic, "new");
    let names = ["hidden", "new", "other", "bare", "twice", "twice", "__cluster_metadata"];
    let answer: create_topics::Response = broker.ask(ApiKey::CreateTopics, 7, &creation(&names));
    let results: Vec<_> = answer.topics.iter().map(|t| (&*t.name, t.error_code, t.error_message.as_deref())).collect();
    let refused = Some("Authorization failed.");
    let prohibited = Some("Creation of internal topic __cluster_metadata is prohibited.");
    let expected = [
        ("new", 0, None),
        ("bare", 0, None),
        ("twice", 42, Some("Duplicate topic name.")),
        // There is one already, which is not told.
        ("hidden", TOPIC_REFUSED, refused),
        ("other", TOPIC_REFUSED, refused),
        ("__cluster_metadata", 42, prohibited),
    ];
    assert_eq!(results, expected);
    let [new, bare, _, none, ..] = &answer.topics[..] else { panic!() };
    assert_eq!((none.topic_id, none.num_partitions, none.replication_factor), (Uuid::ZERO, -1, -1));
    assert_eq!((new.topic_config_error_code, new.num_partitions, new.replication_factor), (0, 1, 1));
    assert!(new.configs.as_ref().is_some_and(|configs| configs.len() > 10));
    assert_eq!((bare.topic_config_error_code, bare.num_partitions, bare.replication_factor), (TOPIC_REFUSED, -1, -1));
    assert!(bare.configs.as_ref().is_none_or(Vec::is_empty) && bare.topic_id != Uuid::ZERO);
    assert!(broker.view().topic("other").is_none());
    broker.allow(AclOperation::Create, AclResource::Cluster, EVERY);
    let answer: create_topics::Response = broker.ask(ApiKey::CreateTopics, 2, &creation(&["other", "hidden"]));
    assert_eq!(answer.topics.iter().map(|topic| topic.error_code).collect::<Vec<_>>(), [0, 36]);
}

#[test]
fn partitions_are_added_by_those_who_may_alter() {
    let mut broker = start();
    broker.allow(AclOperation::Alter, AclResource::Topic, "seen");
    let topic = |name: &'static str| create_partitions::CreatePartitionsTopic {
        name: name.into(),
        count: 2,
        assignments: None,
    };
    let topics = ["hidden", "seen", "gone", "twice", "twice"].map(topic).to_vec();
    let request = create_partitions::Request { topics, timeout_ms: 1000, validate_only: false };
    let answer: create_partitions::Response = broker.ask(ApiKey::CreatePartitions, 3, &request);
    let mut results: Vec<_> =
        answer.results.iter().map(|t| (&*t.name, t.error_code, t.error_message.as_deref())).collect();
    results.sort();
    let expected = [
        ("gone", TOPIC_REFUSED, None),
        ("hidden", TOPIC_REFUSED, None),
        ("seen", 0, None),
        ("twice", 42, Some("Duplicate topic name.")),
    ];
    assert_eq!(results, expected);
    assert_eq!(broker.view().topic("hidden").unwrap().partitions.len(), 1);
}

fn deletion(topics: &[(Option<&'static str>, Uuid)]) -> delete_topics::Request<'static> {
    let topic = |(name, topic_id): &(Option<&'static str>, Uuid)| delete_topics::DeleteTopicState {
        name: name.map(Into::into),
        topic_id: *topic_id,
    };
    let topics = topics.iter().map(topic).collect();
    delete_topics::Request { topics, timeout_ms: 1000, ..Default::default() }
}

type Deleted = (Option<String>, Uuid, i16);

fn delete(broker: &mut Broker, topics: &[(Option<&'static str>, Uuid)]) -> Vec<Deleted> {
    let answer: delete_topics::Response = broker.ask(ApiKey::DeleteTopics, 6, &deletion(topics));
    let result = |r: &delete_topics::DeletableTopicResult<'_>| {
        if r.error_code == TOPIC_REFUSED {
            assert_eq!(r.error_message.as_deref(), Some("Topic authorization failed."));
        }
        (r.name.as_deref().map(str::to_string), r.topic_id, r.error_code)
    };
    answer.responses.iter().map(result).collect()
}

#[test]
fn what_may_not_be_deleted_is_told_as_far_as_it_may_be_described() {
    let mut broker = start();
    let view = broker.view();
    let [seen, hidden] = ["seen", "hidden"].map(|name| view.topic(name).unwrap().id);
    let name = |name: &str| Some(name.to_string());
    for described in ["seen", "gone"] {
        broker.allow(AclOperation::Describe, AclResource::Topic, described);
    }
    let all = [(Some("seen"), Uuid::ZERO), (Some("hidden"), Uuid::ZERO), (Some("gone"), Uuid::ZERO)];
    let expected = [
        (name("seen"), Uuid::ZERO, TOPIC_REFUSED),
        (name("hidden"), Uuid::ZERO, TOPIC_REFUSED),
        (name("gone"), Uuid::ZERO, 3),
    ];
    assert_eq!(delete(&mut broker, &all), expected);
    let unknown = Uuid([9; 16]);
    let expected = [(name("seen"), seen, TOPIC_REFUSED), (None, hidden, TOPIC_REFUSED), (None, unknown, 100)];
    assert_eq!(delete(&mut broker, &[(None, seen), (None, hidden), (None, unknown)]), expected);
    // What contradicts itself is told to all, before anything is asked.
    let bad =
        [(None, Uuid::ZERO), (Some("hidden"), hidden), (Some("hidden"), Uuid::ZERO), (Some("hidden"), Uuid::ZERO)];
    assert!(delete(&mut broker, &bad).iter().all(|(.., error)| *error == 42));
    let view = broker.view();
    assert!(view.topic("seen").is_some() && view.topic("hidden").is_some());
}

#[test]
fn topics_are_deleted_by_those_who_may() {
    let mut broker = start();
    let view = broker.view();
    let [seen, hidden] = ["seen", "hidden"].map(|name| view.topic(name).unwrap().id);
    broker.allow(AclOperation::Delete, AclResource::Topic, "seen");
    // Both ways to name it, which only those are told that may.
    let twice = delete(&mut broker, &[(Some("seen"), Uuid::ZERO), (None, seen)]);
    assert!(twice.iter().any(|(.., error)| *error == 42), "{twice:?}");
    let view = broker.view();
    if view.topic("seen").is_some() {
        assert_eq!(delete(&mut broker, &[(None, seen)]), [(Some("seen".to_string()), seen, 0)]);
    }
    broker.allow(AclOperation::Delete, AclResource::Cluster, EVERY);
    assert_eq!(delete(&mut broker, &[(None, hidden)]), [(Some("hidden".to_string()), hidden, 0)]);
    let mut off = start_with(&[("delete.topic.enable", "false")]);
    assert_eq!(delete(&mut off, &[(Some("hidden"), Uuid::ZERO)])[0].2, 73, "whatever the client may do");
}

/// A broker on which the client has a budget that the first change of many partitions spends.
fn start_with_budget() -> Broker {
    let mut broker = start();
    let entity = vec![quotas::EntityData { entity_type: "user".into(), entity_name: Some("alice".into()) }];
    let op = quotas::OpData { key: "controller_mutation_rate".into(), value: 1.0, remove: false };
    let entries = vec![quotas::EntryData { entity, ops: vec![op] }];
    let request = alter_client_quotas::Request { entries, validate_only: false };
    broker.as_admin(|broker| {
        let answer: alter_client_quotas::Response = broker.ask(ApiKey::AlterClientQuotas, 1, &request);
        assert_eq!(answer.entries[0].error_code, 0);
        broker.create_topic("wide", MANY);
    });
    broker
}

/// More partitions than the budget has.
const MANY: i32 = 50;

/// The quota takes a topic out of a request, and leaves the other copy of it: then the controller would see no contradiction.
#[test]
fn a_name_that_comes_twice_is_not_let_in_by_a_quota() {
    for may in [false, true] {
        let mut broker = start_with_budget();
        if may {
            broker.allow(AclOperation::Delete, AclResource::Topic, "wide");
            broker.allow(AclOperation::Create, AclResource::Topic, "new");
            broker.allow(AclOperation::Alter, AclResource::Topic, "wide");
        }
        let mut request = creation(&["new", "new"]);
        request.topics.iter_mut().for_each(|topic| topic.num_partitions = MANY);
        let answer: create_topics::Response = broker.ask(ApiKey::CreateTopics, 7, &request);
        assert_eq!(answer.topics.iter().map(|topic| topic.error_code).collect::<Vec<_>>(), [42]);
        let topic =
            create_partitions::CreatePartitionsTopic { name: "wide".into(), count: 2 * MANY, assignments: None };
        let topics = vec![topic.clone(), topic];
        let request = create_partitions::Request { topics, timeout_ms: 1000, validate_only: false };
        let answer: create_partitions::Response = broker.ask(ApiKey::CreatePartitions, 3, &request);
        assert_eq!(answer.results.iter().map(|topic| topic.error_code).collect::<Vec<_>>(), [42]);
        let id = broker.view().topic("wide").unwrap().id;
        for name in [(Some("wide"), Uuid::ZERO), (None, id)] {
            let answer = delete(&mut broker, &[name, name]);
            assert_eq!(answer.iter().map(|(.., error)| *error).collect::<Vec<_>>(), [42]);
        }
        // An id that is given twice counts as given where its name is as well.
        let answer = delete(&mut broker, &[(None, id), (Some("wide"), Uuid::ZERO), (None, id)]);
        let by_name = if may { 42 } else { TOPIC_REFUSED };
        assert_eq!(answer.iter().map(|(.., error)| *error).collect::<Vec<_>>(), [42, by_name]);
        // Both ways: the name is told that it has been supplied, and of the id nothing is said.
        let answer = delete(&mut broker, &[(None, id), (Some("wide"), Uuid::ZERO)]);
        assert!(answer.iter().all(|(.., error)| *error == by_name), "{answer:?}");
        let view = broker.view();
        assert!(view.topic("new").is_none());
        assert_eq!(view.topic("wide").unwrap().partitions.len(), MANY as usize);
        if may {
            // Nothing of it has spent the budget.
            assert_eq!(delete(&mut broker, &[(None, id)]), [(Some("wide".to_string()), id, 0)]);
        }
    }
}
