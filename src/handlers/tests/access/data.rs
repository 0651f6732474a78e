//! Produce, Fetch, ListOffsets, DeleteRecords, OffsetForLeaderEpoch, DescribeProducers.

use super::*;
use crate::model::Uuid;
use crate::security::principal::Principal;
use crate::wire::api::{delete_records, describe_producers, fetch, list_offsets, offset_for_leader_epoch, produce};

const TOPICS: [&str; 3] = ["seen", "hidden", "gone"];

fn produce_to(topics: &[(&'static str, Uuid)], acks: i16, records: &'static [u8]) -> produce::Request<'static> {
    let topic = |&(name, topic_id): &(&'static str, Uuid)| produce::TopicProduceData {
        name: name.into(),
        topic_id,
        partition_data: vec![produce::PartitionProduceData { index: 0, records: Some(records.into()) }],
    };
    let topic_data = topics.iter().map(topic).collect();
    produce::Request { transactional_id: None, acks, timeout_ms: 1000, topic_data }
}

fn by_name() -> Vec<(&'static str, Uuid)> {
    TOPICS.iter().map(|name| (*name, Uuid::ZERO)).collect()
}

/// The errors of the first partitions.
fn errors_of(answer: &produce::Response<'_>) -> Vec<i16> {
    answer.responses.iter().map(|topic| topic.partition_responses[0].error_code).collect()
}

#[test]
fn what_may_be_written_is_written_beside_what_may_not() {
    let mut broker = start();
    let records: &'static [u8] = batch(b"x").leak();
    broker.allow(AclOperation::Write, AclResource::Topic, "seen");
    for version in 3..=12 {
        let answer: produce::Response = broker.ask(ApiKey::Produce, version, &produce_to(&by_name(), 1, records));
        // Of what may not be written to it is not told whether it is there.
        assert_eq!(errors_of(&answer), [0, TOPIC_REFUSED, TOPIC_REFUSED]);
        let refused = &answer.responses[1];
        let partition = &refused.partition_responses[0];
        assert_eq!((&*refused.name, partition.index, partition.error_message.as_deref()), ("hidden", 0, None));
        assert_eq!((partition.base_offset, partition.log_append_time_ms, partition.log_start_offset), (-1, -1, -1));
    }
    let view = broker.view();
    let ids = ["seen", "hidden"].map(|name| view.topic(name).unwrap().id);
    let request = produce_to(&[("", ids[0]), ("", ids[1]), ("", Uuid([9; 16]))], 1, records);
    let answer: produce::Response = broker.ask(ApiKey::Produce, 13, &request);
    assert_eq!(errors_of(&answer), [0, TOPIC_REFUSED, 100]);
    assert_eq!(answer.responses[1].topic_id, ids[1]);
    // Without an answer the end of the connection tells.
    assert!(broker.closes(ApiKey::Produce, 9, &produce_to(&[("hidden", Uuid::ZERO)], 0, records)));
    assert!(!broker.closes(ApiKey::Produce, 9, &produce_to(&[("seen", Uuid::ZERO)], 0, records)));
    let all: produce::Response =
        broker.as_admin(|broker| broker.ask(ApiKey::Produce, 9, &produce_to(&by_name(), 1, records)));
    assert_eq!(errors_of(&all), [0, 0, 3]);
}

fn fetch_of(topics: &[(&'static str, Uuid)], session: (i32, i32), replica_id: i32) -> fetch::Request<'static> {
    let topic = |&(name, topic_id): &(&'static str, Uuid)| fetch::FetchTopic {
        topic: name.into(),
        topic_id,
        partitions: vec![fetch::FetchPartition {
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            partition_max_bytes: 1000,
            ..Default::default()
        }],
    };
    fetch::Request {
        replica_id,
        max_bytes: 1000,
        session_id: session.0,
        session_epoch: session.1,
        topics: topics.iter().map(topic).collect(),
        ..Default::default()
    }
}

/// The errors that an answer tells, by topic.
fn told(answer: &fetch::Response<'_>) -> Vec<(String, i16)> {
    let topic = |t: &fetch::FetchableTopicResponse<'_>| (t.topic.to_string(), t.partitions[0].error_code);
    answer.responses.iter().map(topic).collect()
}

fn expected(all: &[(&str, i16)]) -> Vec<(String, i16)> {
    all.iter().map(|(name, error)| (name.to_string(), *error)).collect()
}

#[test]
fn what_may_be_read_is_read_beside_what_may_not() {
    let mut broker = start();
    broker.allow(AclOperation::Read, AclResource::Topic, "seen");
    for version in 4..=12 {
        let answer: fetch::Response = broker.ask(ApiKey::Fetch, version, &fetch_of(&by_name(), (0, -1), -1));
        let refused = [("seen", 0), ("hidden", TOPIC_REFUSED), ("gone", TOPIC_REFUSED)];
        assert_eq!((answer.error_code, told(&answer)), (0, expected(&refused)));
        let partition = &answer.responses[1].partitions[0];
        let offsets = (partition.high_watermark, partition.last_stable_offset, partition.log_start_offset);
        assert_eq!((offsets, partition.preferred_read_replica), ((-1, -1, -1), -1));
        assert_eq!(partition.records.as_deref(), Some(&[][..]));
        let aborted = |place: usize| &answer.responses[place].partitions[0].aborted_transactions;
        assert_eq!([aborted(0), aborted(1), aborted(2)], [&None, &Some(Vec::new()), &Some(Vec::new())]);
    }
    let view = broker.view();
    let ids = ["seen", "hidden"].map(|name| view.topic(name).unwrap().id);
    let request = fetch_of(&[("", ids[0]), ("", ids[1]), ("", Uuid([9; 16]))], (0, -1), -1);
    let answer: fetch::Response = broker.ask(ApiKey::Fetch, 13, &request);
    let errors: Vec<i16> = told(&answer).into_iter().map(|(_, error)| error).collect();
    assert_eq!(errors, [0, TOPIC_REFUSED, 100]);
}

#[test]
fn a_session_hears_of_other_rules_with_its_next_fetch() {
    let mut broker = start();
    broker.allow(AclOperation::Read, AclResource::Topic, "seen");
    broker.allow(AclOperation::Read, AclResource::Topic, "hidden");
    let both = [("seen", Uuid::ZERO), ("hidden", Uuid::ZERO)];
    let first: fetch::Response = broker.ask(ApiKey::Fetch, 12, &fetch_of(&both, (0, 0), -1));
    assert_eq!(told(&first), expected(&[("seen", 0), ("hidden", 0)]));
    let id = first.session_id;
    assert_ne!(id, 0);
    // Both are at rest now, and passed over.
    let next: fetch::Response = broker.ask(ApiKey::Fetch, 12, &fetch_of(&[], (id, 1), -1));
    assert_eq!(told(&next), []);
    broker.deny(AclOperation::Read, AclResource::Topic, "hidden");
    // As long as it is refused it is told again.
    for epoch in [2, 3] {
        let next: fetch::Response = broker.ask(ApiKey::Fetch, 12, &fetch_of(&[], (id, epoch), -1));
        assert_eq!(told(&next), expected(&[("hidden", TOPIC_REFUSED)]));
    }
    broker.forget_rules();
    broker.allow(AclOperation::Read, AclResource::Topic, "hidden");
    let next: fetch::Response = broker.ask(ApiKey::Fetch, 12, &fetch_of(&[], (id, 4), -1));
    let mut now = told(&next);
    now.sort();
    assert_eq!(now, expected(&[("hidden", 0), ("seen", TOPIC_REFUSED)]));
}

/// The partitions are at rest and passed over, but for a client for whom they were not asked about.
#[test]
fn a_session_shows_nothing_to_a_client_that_has_its_id() {
    let both = [("seen", Uuid::ZERO), ("hidden", Uuid::ZERO)];
    for changes in ["principal", "host"] {
        let mut broker = start();
        broker.allow(AclOperation::Read, AclResource::Topic, "seen");
        broker.allow(AclOperation::Read, AclResource::Topic, "hidden");
        let first: fetch::Response = broker.ask(ApiKey::Fetch, 12, &fetch_of(&both, (0, 0), -1));
        let id = first.session_id;
        let next: fetch::Response = broker.ask(ApiKey::Fetch, 12, &fetch_of(&[], (id, 1), -1));
        assert_eq!((next.error_code, told(&next)), (0, vec![]));
        let still_may = match changes {
            "principal" => {
                broker.session.principal = Principal::new(Principal::USER, "mallory");
                false
            }
            _ => {
                broker.session.peer = ([10, 0, 0, 1], 1).into();
                true
            }
        };
        let taken: fetch::Response = broker.ask(ApiKey::Fetch, 12, &fetch_of(&[], (id, 2), -1));
        let refused = [("seen", TOPIC_REFUSED), ("hidden", TOPIC_REFUSED)];
        assert_eq!(told(&taken), if still_may { vec![] } else { expected(&refused) });
    }
}

#[test]
fn a_broker_that_may_not_act_as_one_is_told_so_by_topic() {
    let mut broker = start();
    broker.allow(AclOperation::Read, AclResource::Topic, EVERY);
    let one = [("seen", Uuid::ZERO)];
    let (answer, admin): (fetch::Response, fetch::Response) =
        both(&mut broker, ApiKey::Fetch, 12, &fetch_of(&one, (0, -1), 1));
    assert_eq!((answer.error_code, told(&answer)), (0, expected(&[("seen", TOPIC_REFUSED)])));
    assert_eq!(answer.responses[0].partitions[0].aborted_transactions, Some(Vec::new()));
    // There are no other brokers yet.
    assert_eq!(admin.error_code, CLUSTER_REFUSED);
}

#[test]
fn offsets_are_listed_of_what_may_be_described() {
    let mut broker = start();
    broker.allow(AclOperation::Describe, AclResource::Topic, "seen");
    let topic = |name: &&'static str| list_offsets::ListOffsetsTopic {
        name: (*name).into(),
        partitions: vec![list_offsets::ListOffsetsPartition { timestamp: -1, ..Default::default() }],
    };
    let request = list_offsets::Request { topics: TOPICS.iter().map(topic).collect(), ..Default::default() };
    for version in 1..=10 {
        let answer: list_offsets::Response = broker.ask(ApiKey::ListOffsets, version, &request);
        let errors: Vec<i16> = answer.topics.iter().map(|topic| topic.partitions[0].error_code).collect();
        assert_eq!(errors, [0, TOPIC_REFUSED, TOPIC_REFUSED]);
        let partition = &answer.topics[1].partitions[0];
        assert_eq!((partition.timestamp, partition.offset, partition.leader_epoch), (-1, -1, -1));
    }
}

#[test]
fn records_are_deleted_where_a_client_may_delete() {
    let mut broker = start();
    broker.allow(AclOperation::Delete, AclResource::Topic, "seen");
    let topic = |name: &&'static str| delete_records::DeleteRecordsTopic {
        name: (*name).into(),
        partitions: vec![delete_records::DeleteRecordsPartition { partition_index: 0, offset: -1 }],
    };
    let request = delete_records::Request { topics: TOPICS.iter().map(topic).collect(), timeout_ms: 1000 };
    let answer: delete_records::Response = broker.ask(ApiKey::DeleteRecords, 2, &request);
    let results: Vec<_> =
        answer.topics.iter().map(|t| (t.partitions[0].error_code, t.partitions[0].low_watermark)).collect();
    assert_eq!(results, [(0, 0), (TOPIC_REFUSED, -1), (TOPIC_REFUSED, -1)]);
}

#[test]
fn ends_of_epochs_are_told_to_those_who_may_describe() {
    let mut broker = start();
    broker.allow(AclOperation::Describe, AclResource::Topic, "seen");
    let topic = |name: &&'static str| offset_for_leader_epoch::OffsetForLeaderTopic {
        topic: (*name).into(),
        partitions: vec![offset_for_leader_epoch::OffsetForLeaderPartition {
            current_leader_epoch: -1,
            ..Default::default()
        }],
    };
    let request = offset_for_leader_epoch::Request { topics: TOPICS.iter().map(topic).collect(), ..Default::default() };
    let errors = |answer: &offset_for_leader_epoch::Response<'_>| -> Vec<(i16, i32, i64)> {
        let partitions = answer.topics.iter().map(|topic| &topic.partitions[0]);
        partitions.map(|partition| (partition.error_code, partition.leader_epoch, partition.end_offset)).collect()
    };
    let answer: offset_for_leader_epoch::Response = broker.ask(ApiKey::OffsetForLeaderEpoch, 4, &request);
    assert_eq!(errors(&answer)[1..], [(TOPIC_REFUSED, -1, -1), (TOPIC_REFUSED, -1, -1)]);
    assert_eq!(errors(&answer)[0].0, 0);
    broker.allow(AclOperation::ClusterAction, AclResource::Cluster, EVERY);
    let answer: offset_for_leader_epoch::Response = broker.ask(ApiKey::OffsetForLeaderEpoch, 4, &request);
    assert_eq!(errors(&answer).iter().map(|(error, ..)| *error).collect::<Vec<_>>(), [0, 0, 3]);
}

#[test]
fn producers_are_told_of_names_that_can_be_and_may_be_read() {
    let mut broker = start();
    broker.allow(AclOperation::Read, AclResource::Topic, "seen");
    let names = ["seen", "hidden", "gone", "no/name"];
    let topic =
        |name: &&'static str| describe_producers::TopicRequest { name: (*name).into(), partition_indexes: vec![0] };
    let request = describe_producers::Request { topics: names.iter().map(topic).collect() };
    let answer: describe_producers::Response = broker.ask(ApiKey::DescribeProducers, 0, &request);
    let partitions = || answer.topics.iter().map(|topic| &topic.partitions[0]);
    assert_eq!(partitions().map(|p| p.error_code).collect::<Vec<_>>(), [0, TOPIC_REFUSED, TOPIC_REFUSED, 17]);
    assert_eq!(partitions().nth(1).unwrap().error_message.as_deref(), Some("Topic authorization failed."));
}
