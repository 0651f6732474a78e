//! Fetches that wait: who is told of progress and who is not; sessions that do not look at all of their partitions.

use std::time::Duration;

use super::client::Client;
use super::stories::{
    FETCH, PRODUCE, TOPIC, batch, cluster, create_topic, delete_records_before, fetch_request, produce_answer,
    produce_request,
};
use crate::codec::{Message, Reader};
use crate::model::{ApiKey, ErrorCode};
use crate::wire::api::{create_topics, delete_topics, fetch, produce};

const CREATE_TOPICS: i16 = 7;
const DELETE_TOPICS: i16 = 5;

/// A session passes over partitions that are at rest, and misses nothing that happens in them.
#[test]
fn a_session_is_told_of_whatever_its_silent_partitions_do() {
    for seed in 1..10 {
        let cluster = cluster(seed, &[]);
        create_topic(&cluster, 3);
        let mut consumer = Client::connect(&cluster.borrow());
        let mut producer = Client::connect(&cluster.borrow());
        let mut write = |partition: i32, padding: usize| {
            let records = batch(-1, -1, 1, padding);
            producer.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(partition, &records, -1));
        };
        let asked = |partitions: &[(i32, i64)]| {
            let of = |(partition, offset): &(i32, i64)| {
                fetch_request(*partition, *offset, 0).topics[0].partitions[0].clone()
            };
            let partitions = partitions.iter().map(of).collect();
            vec![fetch::FetchTopic { topic: TOPIC.into(), partitions, ..Default::default() }]
        };
        let all = fetch_request(0, 0, 400);
        let first = fetch::Request { session_epoch: 0, topics: asked(&[(0, 0), (1, 0), (2, 0)]), ..all.clone() };
        let answer = consumer.call(&cluster, ApiKey::Fetch, FETCH, &first);
        let session_id = fetch::Response::decode(&mut Reader::new(&answer), FETCH).unwrap().session_id;
        assert_ne!(session_id, 0);
        // What an answer tells: partition, high watermark, start, whether there are records.
        let told = |answer: &[u8]| -> Vec<_> {
            let response = fetch::Response::decode(&mut Reader::new(answer), FETCH).unwrap();
            assert_eq!((response.error_code, response.session_id), (0, session_id));
            let of = |p: &fetch::PartitionData<'_>| {
                let has_records = p.records.as_ref().is_some_and(|records| !records.is_empty());
                (p.partition_index, p.high_watermark, p.log_start_offset, has_records)
            };
            response.responses.iter().flat_map(|topic| topic.partitions.iter().map(of)).collect()
        };
        let next = |epoch, min_bytes, topics| fetch::Request {
            session_id,
            session_epoch: epoch,
            min_bytes,
            topics,
            max_wait_ms: 60_000,
            ..all.clone()
        };
        let began = cluster.borrow().world.now();
        let waits = || {
            cluster.borrow_mut().step_until(1000, |cluster| cluster.parked() == 1);
        };
        consumer.send(ApiKey::Fetch, FETCH, &next(1, 1, Vec::new()));
        assert!(consumer.pump());
        waits();
        write(1, 10);
        assert_eq!(told(&consumer.wait(&cluster, ApiKey::Fetch, FETCH)), [(1, 1, 0, true)]);
        // Two of them are not enough, the third is.
        consumer.send(ApiKey::Fetch, FETCH, &next(2, 500, asked(&[(1, 1)])));
        assert!(consumer.pump());
        waits();
        write(2, 10);
        write(2, 10);
        write(2, 500);
        assert_eq!(told(&consumer.wait(&cluster, ApiKey::Fetch, FETCH)), [(2, 3, 0, true)]);
        // While no fetch waits; and the start of a log, which nobody waits for.
        write(0, 10);
        assert_eq!(delete_records_before(&cluster, 1, 1), 1);
        consumer.send(ApiKey::Fetch, FETCH, &next(3, 1, asked(&[(2, 3)])));
        assert_eq!(told(&consumer.wait(&cluster, ApiKey::Fetch, FETCH)), [(0, 1, 0, true), (1, 1, 1, false)]);
        let waited = cluster.borrow().world.now().since(began);
        assert!(waited < Duration::from_secs(30), "nothing waits to its end: {waited:?}");
    }
}

/// A shard that has asked to be told of progress is woken by the next write, whoever makes it.
#[test]
fn only_who_waits_asks_to_be_told() {
    for (seed, flush_messages) in [(1, "1"), (2, "1"), (3, "1000"), (4, "1000")] {
        let cluster = cluster(seed, &[("log.flush.interval.messages", flush_messages)]);
        create_topic(&cluster, 1);
        let is_asked_for = || {
            let view = cluster.borrow().view().unwrap();
            !view.partition_by_name(TOPIC, 0).unwrap().waiting.is_empty()
        };
        let records = batch(-1, -1, 1, 1);
        let mut producer = Client::connect(&cluster.borrow());
        let mut consumer = Client::connect(&cluster.borrow());
        for offset in 0..3 {
            producer.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &records, -1));
            assert!(!is_asked_for(), "a produce that is answered waits for nothing");
            consumer.send(ApiKey::Fetch, FETCH, &fetch_request(0, 2 * offset + 1, 60_000));
            assert!(consumer.pump());
            cluster.borrow_mut().step_until(1000, |cluster| cluster.parked() == 1);
            assert!(is_asked_for());
            producer.send(ApiKey::Produce, PRODUCE, &produce_request(0, &records, -1));
            assert!(producer.pump());
            consumer.wait(&cluster, ApiKey::Fetch, FETCH);
            producer.wait(&cluster, ApiKey::Produce, PRODUCE);
            assert!(!is_asked_for(), "nor does a fetch");
        }
    }
}

/// A produce whose time ends before its sync does is not told that its records are safe. They stay in the log.
#[test]
fn a_produce_that_is_not_committed_in_its_time_is_told_so() {
    for seed in 1..5 {
        let cluster = cluster(seed, &[("log.flush.interval.messages", "1")]);
        create_topic(&cluster, 1);
        let records = batch(-1, -1, 1, 1);
        let mut producer = Client::connect(&cluster.borrow());
        let in_no_time = produce::Request { timeout_ms: 0, ..produce_request(0, &records, -1) };
        let answer = producer.call(&cluster, ApiKey::Produce, PRODUCE, &in_no_time);
        assert_eq!(produce_answer(&answer), (ErrorCode::RequestTimedOut.code(), -1), "seed {seed}");
        let answer = producer.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &records, -1));
        let (error, base_offset) = produce_answer(&answer);
        assert_eq!((error, base_offset > 0), (0, true), "seed {seed}: behind what is not lost");
    }
}

/// A change of one topic leaves the fetches of the others alone: a fetch that is polled and waits on asks to be told again.
#[test]
fn a_topic_change_wakes_no_fetch_of_another_topic() {
    for seed in 1..5 {
        let cluster = cluster(seed, &[]);
        create_topic(&cluster, 1);
        let mut consumer = Client::connect(&cluster.borrow());
        consumer.send(ApiKey::Fetch, FETCH, &fetch_request(0, 0, 60_000));
        assert!(consumer.pump());
        cluster.borrow_mut().step_until(1000, |cluster| cluster.parked() == 1);
        let view = cluster.borrow().view().unwrap();
        let waiting = &view.partition_by_name(TOPIC, 0).unwrap().waiting;
        assert!(!waiting.take().is_empty());
        let mut admin = Client::connect(&cluster.borrow());
        let topic = create_topics::CreatableTopic {
            name: "other".into(),
            num_partitions: 2,
            replication_factor: -1,
            ..Default::default()
        };
        let create = create_topics::Request { topics: vec![topic], timeout_ms: 1000, ..Default::default() };
        admin.call(&cluster, ApiKey::CreateTopics, CREATE_TOPICS, &create);
        let delete = |name: &'static str| delete_topics::Request {
            topic_names: vec![name.into()],
            timeout_ms: 1000,
            ..Default::default()
        };
        admin.call(&cluster, ApiKey::DeleteTopics, DELETE_TOPICS, &delete("other"));
        (0..100).for_each(|_| cluster.borrow_mut().step());
        assert!(waiting.is_empty(), "the fetch was polled");
        // Its own topic is another matter.
        admin.call(&cluster, ApiKey::DeleteTopics, DELETE_TOPICS, &delete(TOPIC));
        let answer = consumer.wait(&cluster, ApiKey::Fetch, FETCH);
        let response = fetch::Response::decode(&mut Reader::new(&answer), FETCH).unwrap();
        let error = response.responses[0].partitions[0].error_code;
        assert_eq!(error, ErrorCode::UnknownTopicOrPartition.code());
    }
}
