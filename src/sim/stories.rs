//! Runs of the whole broker on the simulated machine.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::client::Client;
use super::cluster::{Cluster, SharedCluster};
use crate::codec::{Message, Reader};
use crate::io::simulated::NetworkConditions;
use crate::io::simulated_disk::Crash;
use crate::model::{ApiKey, ErrorCode, TimestampMs};
use crate::record::batches::Batches;
use crate::record::builder::{Builder, Options, Record};
use crate::record::control::EndTxnMarker;
use crate::stdx::random::Random;
use crate::storage::log::Admission;
use crate::wire::api::{create_topics, delete_records, fetch, incremental_alter_configs, list_offsets, produce};

pub(super) const CREATE_TOPICS: i16 = 7;
pub(super) const PRODUCE: i16 = 9;
pub(super) const FETCH: i16 = 12;
pub(super) const LIST_OFFSETS: i16 = 7;
pub(super) const TOPIC: &str = "stream";

pub(super) fn cluster(seed: u64, overrides: &[(&str, &str)]) -> SharedCluster {
    Rc::new(RefCell::new(Cluster::start(seed, 2, overrides)))
}

pub(super) fn create_topic(cluster: &SharedCluster, partitions: i32) {
    let mut client = Client::connect(&cluster.borrow());
    create_topic_by(&mut client, cluster, partitions);
}

pub(super) fn create_topic_by(client: &mut Client, cluster: &SharedCluster, partitions: i32) {
    let topic = create_topics::CreatableTopic {
        name: TOPIC.into(),
        num_partitions: partitions,
        replication_factor: 1,
        ..Default::default()
    };
    let request = create_topics::Request { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    let answer = client.call(cluster, ApiKey::CreateTopics, CREATE_TOPICS, &request);
    let response = create_topics::Response::decode(&mut Reader::new(&answer), CREATE_TOPICS).unwrap();
    assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
}

/// A batch whose records say who wrote them: producer and count.
pub(super) fn batch(producer: i64, sequence: i32, records: i32, padding: usize) -> Vec<u8> {
    batch_at(TimestampMs(1_767_225_600_000), producer, sequence, records, padding)
}

pub(super) fn batch_at(timestamp: TimestampMs, producer: i64, sequence: i32, records: i32, padding: usize) -> Vec<u8> {
    let options = Options { producer_id: producer, producer_epoch: 0, base_sequence: sequence, ..Options::default() };
    let mut builder = Builder::new(options);
    for record in 0..records {
        let value = format!("{producer}:{}:{}", sequence + record, "x".repeat(padding));
        builder.append(&Record { timestamp, key: None, value: Some(value.as_bytes()), headers: &[] });
    }
    builder.build()
}

pub(super) fn produce_request(partition: i32, records: &[u8], acks: i16) -> produce::Request<'_> {
    let partition = produce::PartitionProduceData { index: partition, records: Some(records.into()) };
    let topic = produce::TopicProduceData { name: TOPIC.into(), partition_data: vec![partition], ..Default::default() };
    produce::Request { acks, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
}

pub(super) fn produce_answer(answer: &[u8]) -> (i16, i64) {
    let response = produce::Response::decode(&mut Reader::new(answer), PRODUCE).unwrap();
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

pub(super) fn fetch_request(partition: i32, offset: i64, max_wait_ms: i32) -> fetch::Request<'static> {
    let partition =
        fetch::FetchPartition { partition, fetch_offset: offset, partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = fetch::FetchTopic { topic: TOPIC.into(), partitions: vec![partition], ..Default::default() };
    fetch::Request {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}

/// Sets a config of a broker (type 4) or of a topic (2), or takes it away; the error's code and message.
pub(super) fn alter_config(
    client: &mut Client,
    cluster: &SharedCluster,
    (resource_type, resource_name): (i8, &str),
    name: &str,
    value: Option<&str>,
) -> (i16, String) {
    use incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
    let config_operation = i8::from(value.is_none());
    let config = AlterableConfig { name: name.into(), config_operation, value: value.map(Into::into) };
    let resource = AlterConfigsResource { resource_type, resource_name: resource_name.into(), configs: vec![config] };
    let request = incremental_alter_configs::Request { resources: vec![resource], validate_only: false };
    let answer = client.call(cluster, ApiKey::IncrementalAlterConfigs, 1, &request);
    let response = incremental_alter_configs::Response::decode(&mut Reader::new(&answer), 1).unwrap();
    let result = &response.responses[0];
    (result.error_code, result.error_message.as_deref().unwrap_or_default().to_string())
}

/// Deletes a partition's records before an offset; where its log begins then.
pub(super) fn delete_records_before(cluster: &SharedCluster, partition_index: i32, offset: i64) -> i64 {
    let partitions = vec![delete_records::DeleteRecordsPartition { partition_index, offset }];
    let topics = vec![delete_records::DeleteRecordsTopic { name: TOPIC.into(), partitions }];
    let request = delete_records::Request { topics, timeout_ms: 1000 };
    let mut client = Client::connect(&cluster.borrow());
    let answer = client.call(cluster, ApiKey::DeleteRecords, 2, &request);
    let response = delete_records::Response::decode(&mut Reader::new(&answer), 2).unwrap();
    response.topics[0].partitions[0].low_watermark
}

/// The records of a fetch's answer: offset and value.
fn fetched(answer: &[u8]) -> Vec<(i64, String)> {
    let response = fetch::Response::decode(&mut Reader::new(answer), FETCH).unwrap();
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    let mut found = Vec::new();
    for batch in Batches::new(partition.records.as_deref().unwrap_or_default()).map_while(Result::ok) {
        assert!(batch.is_intact());
        let unpacked = batch.unpack(1 << 30).unwrap();
        let mut records = batch.records(&unpacked);
        while let Some(record) = records.next() {
            let record = record.unwrap();
            let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
            found.push((records.offset(&record), value));
        }
    }
    found
}

pub(super) fn read_all(cluster: &SharedCluster, partition: i32) -> Vec<(i64, String)> {
    read_from(cluster, partition, 0)
}

pub(super) fn read_from(cluster: &SharedCluster, partition: i32, start: i64) -> Vec<(i64, String)> {
    let mut client = Client::connect(&cluster.borrow());
    let mut all: Vec<(i64, String)> = Vec::new();
    loop {
        let from = all.last().map_or(start, |(offset, _)| offset + 1);
        let found = fetched(&client.call(cluster, ApiKey::Fetch, FETCH, &fetch_request(partition, from, 0)));
        if found.is_empty() {
            return all;
        }
        // A fetch begins at the start of the batch that holds its offset.
        all.extend(found.into_iter().filter(|(offset, _)| *offset >= from));
    }
}

/// Several producers with requests under way on both shards, and one consumer that waits for each record.
fn produce_and_tail(seed: u64) -> u64 {
    const PRODUCERS: i64 = 3;
    const BATCHES: i32 = 20;
    let cluster = cluster(seed, &[]);
    create_topic(&cluster, 1);
    let mut random = Random::new(seed);
    let mut producers: Vec<_> = (0..PRODUCERS).map(|_| Client::connect(&cluster.borrow())).collect();
    for (number, client) in producers.iter_mut().enumerate() {
        for sequence in 0..BATCHES {
            let padding = random.below(3000) as usize;
            let records = batch(number as i64, sequence * 2, 2, padding);
            client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &records, -1));
        }
    }
    let mut consumer = Client::connect(&cluster.borrow());
    consumer.send(ApiKey::Fetch, FETCH, &fetch_request(0, 0, 60_000));
    let (mut seen, mut acknowledged) = (Vec::new(), Vec::new());
    let expected = (PRODUCERS as usize) * BATCHES as usize * 2;
    while seen.len() < expected || acknowledged.len() < expected / 2 {
        assert!(cluster.borrow().steps < 500_000, "the run stands still at {} records", seen.len());
        cluster.borrow_mut().step();
        for client in &mut producers {
            assert!(client.pump());
            while let Some(answer) = client.take_answer(ApiKey::Produce, PRODUCE) {
                acknowledged.push(produce_answer(&answer));
            }
        }
        assert!(consumer.pump());
        if let Some(answer) = consumer.take_answer(ApiKey::Fetch, FETCH) {
            let from = seen.len() as i64;
            seen.extend(fetched(&answer).into_iter().filter(|(offset, _)| *offset >= from));
            consumer.send(ApiKey::Fetch, FETCH, &fetch_request(0, seen.len() as i64, 60_000));
        }
    }
    assert!(acknowledged.iter().all(|(error, _)| *error == 0), "{acknowledged:?}");
    check_order(&seen, PRODUCERS, BATCHES * 2);
    assert_eq!(read_all(&cluster, 0), seen);
    cluster.borrow().steps
}

/// Offsets without gaps, and each producer's records in its order, each once.
fn check_order(seen: &[(i64, String)], producers: i64, per_producer: i32) {
    let mut next: BTreeMap<i64, i32> = (0..producers).map(|producer| (producer, 0)).collect();
    for (at, (offset, value)) in seen.iter().enumerate() {
        assert_eq!(*offset, at as i64);
        let mut parts = value.split(':');
        let mut number = || parts.next().unwrap().parse::<i64>().unwrap();
        let (producer, count) = (number(), number() as i32);
        assert_eq!(next.insert(producer, count + 1), Some(count), "records of producer {producer}");
    }
    assert!(next.values().all(|count| *count == per_producer));
}

#[test]
fn records_arrive_once_in_order_and_wake_who_waits() {
    for seed in 0..8 {
        produce_and_tail(seed);
    }
}

#[test]
fn a_seed_gives_the_same_run() {
    assert_eq!(produce_and_tail(42), produce_and_tail(42));
}

/// Produces until the crash, then looks for everything that was acknowledged.
fn crash_and_look(seed: u64, crash: Crash, overrides: &[(&str, &str)]) {
    let cluster = cluster(seed, overrides);
    create_topic(&cluster, 1);
    let mut random = Random::new(seed);
    let mut client = Client::connect(&cluster.borrow());
    let mut acknowledged = 0;
    for sequence in 0..200 {
        let records = batch(0, sequence, 1, random.below(2000) as usize);
        client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &records, -1));
    }
    let crash_after = random.below(400) + 20;
    for _ in 0..crash_after {
        client.pump();
        cluster.borrow_mut().step();
        while let Some(answer) = client.take_answer(ApiKey::Produce, PRODUCE) {
            let (error, base_offset) = produce_answer(&answer);
            assert_eq!((error, base_offset), (0, acknowledged), "acknowledged in order");
            acknowledged += 1;
        }
    }
    cluster.borrow_mut().crash(crash);
    cluster.borrow_mut().restart();
    let found = read_all(&cluster, 0);
    assert!(found.len() as i64 >= acknowledged, "seed {seed}: {acknowledged} acknowledged, {} found", found.len());
    for (at, (offset, value)) in found.iter().enumerate() {
        assert!(*offset == at as i64 && value.starts_with(&format!("0:{at}:")));
    }
    // The producer goes on where it was: what arrived before the crash is known as a repetition, what did not is new.
    let mut client = Client::connect(&cluster.borrow());
    for sequence in acknowledged..found.len() as i64 + 5 {
        let records = batch(0, sequence as i32, 1, 0);
        let answer = client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &records, -1));
        assert_eq!(produce_answer(&answer), (0, sequence), "seed {seed}");
    }
    assert_eq!(read_all(&cluster, 0).len(), found.len() + 5);
}

#[test]
fn nothing_acknowledged_is_lost_with_the_process() {
    for seed in 0..12 {
        crash_and_look(seed, Crash::Process, &[]);
    }
}

#[test]
fn with_a_sync_per_message_nothing_acknowledged_is_lost_with_the_power() {
    for seed in 0..12 {
        let crash = if seed % 2 == 0 { Crash::Power } else { Crash::Torn { seed } };
        crash_and_look(seed, crash, &[("log.flush.interval.messages", "1")]);
    }
}

/// A client that is not told sends again; what several batches of it were is not known any more after a clean start, whose
/// snapshot holds each producer's last batch only (as Kafka's).
#[test]
fn a_stop_answers_whatever_it_has_appended() {
    for seed in 0..4 {
        let cluster = cluster(seed, &[("log.flush.interval.messages", "1")]);
        create_topic(&cluster, 1);
        let mut clients: Vec<Client> = (0..100).map(|_| Client::connect(&cluster.borrow())).collect();
        (0..100).for_each(|_| cluster.borrow_mut().step());
        // Requests come all the time, and there is a sync under way at any moment.
        let (max_delay, max_operation) = (Duration::from_millis(800), Duration::from_millis(200));
        cluster.borrow().world.set_conditions(NetworkConditions {
            max_delay,
            max_operation,
            ..NetworkConditions::default()
        });
        for (producer, client) in (0..).zip(&mut clients) {
            client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &batch(producer, 0, 1, 0), -1));
            client.pump();
        }
        (0..1000).for_each(|_| cluster.borrow_mut().step());
        cluster.borrow_mut().stop();
        // What it has sent is still on its way.
        cluster.borrow().world.advance(max_delay);
        let mut acknowledged = 0;
        for client in &mut clients {
            client.pump();
            let answer = client.take_answer(ApiKey::Produce, PRODUCE);
            acknowledged += answer.is_some_and(|answer| produce_answer(&answer).0 == 0) as usize;
        }
        cluster.borrow_mut().restart();
        assert!((1..clients.len()).contains(&acknowledged), "seed {seed}: all or none came in time");
        assert_eq!(read_all(&cluster, 0).len(), acknowledged, "seed {seed}");
    }
}

/// Kafka keeps the last of them and drops the others without a word (`KafkaApis.handleProduceRequest`); nothing of a
/// client's is dropped here.
#[test]
fn every_batch_of_a_partition_that_is_named_twice_is_written() {
    let cluster = cluster(2, &[]);
    create_topic(&cluster, 1);
    let (first, second) = (batch(5, 0, 1, 0), batch(5, 1, 1, 0));
    let mut request = produce_request(0, &first, -1);
    let again = produce_request(0, &second, -1).topic_data.remove(0).partition_data;
    request.topic_data[0].partition_data.extend(again);
    let mut client = Client::connect(&cluster.borrow());
    let answer = client.call(&cluster, ApiKey::Produce, PRODUCE, &request);
    let response = produce::Response::decode(&mut Reader::new(&answer), PRODUCE).unwrap();
    let told: Vec<_> =
        response.responses[0].partition_responses.iter().map(|p| (p.index, p.error_code, p.base_offset)).collect();
    assert_eq!(told, [(0, 0, 0), (0, 0, 1)]);
    assert_eq!(read_all(&cluster, 0).len(), 2);
}

/// Clients that end together with their broker: what they ask right after it was told to stop is answered, as Kafka answers
/// it during its controlled shutdown.
#[test]
fn clients_may_say_goodbye_to_a_broker_that_stops() {
    let cluster = cluster(3, &[]);
    create_topic(&cluster, 1);
    let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(&cluster.borrow())).collect();
    (0..100).for_each(|_| cluster.borrow_mut().step());
    let max_delay = Duration::from_millis(100);
    cluster.borrow().world.set_conditions(NetworkConditions { max_delay, ..NetworkConditions::default() });
    for (producer, client) in (0..).zip(&mut clients) {
        client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &batch(producer, 0, 1, 0), -1));
        client.pump();
    }
    cluster.borrow_mut().stop();
    cluster.borrow().world.advance(max_delay);
    for client in &mut clients {
        client.pump();
        let answer = client.take_answer(ApiKey::Produce, PRODUCE).expect("it was served");
        assert_eq!(produce_answer(&answer).0, 0);
    }
    cluster.borrow_mut().restart();
    assert_eq!(read_all(&cluster, 0).len(), clients.len());
}

/// What was written before the process died was perhaps never synced. Whoever reads it, or sends it again and is told that
/// it is there, was promised that it stays.
#[test]
fn what_a_start_has_found_is_synced_before_it_is_shown() {
    let cluster = cluster(8, &[("log.flush.interval.messages", "1"), ("log.dirs", "data,other")]);
    create_topic(&cluster, 2);
    // The metadata log is in the first directory, whose failure ends the broker.
    let is_in_other = |index: &i32| {
        let view = cluster.borrow().view().expect("it runs");
        view.partition_by_name(TOPIC, *index).unwrap().log.directory().starts_with("other")
    };
    let partition = (0..2).find(is_in_other).expect("each directory has one");
    let mut client = Client::connect(&cluster.borrow());
    cluster.borrow().disk.fail_syncs(true);
    let records = batch(0, 0, 1, 0);
    let request = produce_request(partition, &records, -1);
    let answer = client.call(&cluster, ApiKey::Produce, PRODUCE, &request);
    assert_eq!(produce_answer(&answer).0, ErrorCode::KafkaStorageError.code());
    cluster.borrow_mut().crash(Crash::Process);
    cluster.borrow().disk.fail_syncs(false);
    cluster.borrow_mut().restart();
    let shown = read_all(&cluster, partition);
    assert_eq!(shown.len(), 1, "the kernel had it");
    cluster.borrow_mut().crash(Crash::Power);
    cluster.borrow_mut().restart();
    assert_eq!(read_all(&cluster, partition), shown);
}

#[test]
fn a_waiting_fetch_is_answered_at_its_time() {
    let cluster = cluster(5, &[]);
    create_topic(&cluster, 1);
    let mut client = Client::connect(&cluster.borrow());
    let before = cluster.borrow().world.now();
    let answer = client.call(&cluster, ApiKey::Fetch, FETCH, &fetch_request(0, 0, 500));
    let waited = cluster.borrow().world.now().since(before).as_millis();
    assert!(fetched(&answer).is_empty());
    assert!((500..520).contains(&waited), "waited {waited} ms");
}

/// Whichever shards the records, and those who wait for them, came to.
#[test]
fn a_waiting_fetch_is_answered_as_soon_as_there_is_something() {
    for seed in 0..8 {
        let cluster = cluster(seed, &[]);
        create_topic(&cluster, 1);
        let mut consumers: Vec<Client> = (0..4).map(|_| Client::connect(&cluster.borrow())).collect();
        for consumer in &mut consumers {
            consumer.send(ApiKey::Fetch, FETCH, &fetch_request(0, 0, 30_000));
            consumer.pump();
        }
        cluster.borrow_mut().step_until(10_000, |cluster| cluster.parked() == 4);
        let mut producer = Client::connect(&cluster.borrow());
        let before = cluster.borrow().world.now();
        producer.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &batch(0, 0, 1, 0), -1));
        for consumer in &mut consumers {
            let answer = loop {
                consumer.pump();
                if let Some(answer) = consumer.take_answer(ApiKey::Fetch, FETCH) {
                    break answer;
                }
                cluster.borrow_mut().step();
            };
            assert_eq!(fetched(&answer).len(), 1);
        }
        let took = cluster.borrow().world.now().since(before).as_millis();
        assert!(took < 1000, "seed {seed}: {took} ms");
    }
}

/// A fetch of what is committed waits for the last stable offset, which moves when a marker is committed: by a write, or by
/// the sync that the topic asks for. What waits to be written leaves with a produce to the same partition.
#[test]
fn a_marker_wakes_those_who_read_what_is_committed() {
    for (seed, flush_messages) in (0..8).flat_map(|seed| [(seed, "1"), (seed, "1000")]) {
        let cluster = cluster(seed, &[("log.flush.interval.messages", flush_messages)]);
        create_topic(&cluster, 1);
        let partition = cluster.borrow().view().unwrap().partition_by_name(TOPIC, 0).unwrap().clone();
        let now = TimestampMs(1_767_225_600_000);
        let mut producer = Client::connect(&cluster.borrow());
        let mut write = |sequence| {
            let batch = batch(0, sequence, 1, 0);
            let answer = producer.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &batch, -1));
            assert_eq!(produce_answer(&answer).0, 0);
        };
        let mut builder = Builder::new(Options {
            producer_id: 9,
            producer_epoch: 0,
            base_sequence: 0,
            is_transactional: true,
            ..Options::default()
        });
        builder.append(&Record { timestamp: now, value: Some(b"inside"), ..Record::default() });
        partition.append(PRODUCE, &builder.build(), now, Admission::Verified).unwrap();
        write(0);
        let mut consumer = Client::connect(&cluster.borrow());
        let committed = fetch::Request { isolation_level: 1, ..fetch_request(0, 0, 30_000) };
        consumer.send(ApiKey::Fetch, FETCH, &committed);
        consumer.pump();
        cluster.borrow_mut().step_until(10_000, |cluster| cluster.parked() == 1);
        write(1);
        assert_eq!((cluster.borrow().parked(), partition.last_stable_offset().0), (1, 0), "the transaction is open");
        let marker = EndTxnMarker { commit: true, coordinator_epoch: 0 };
        partition.append_marker((9, 0), marker, 0, now).unwrap();
        let before = cluster.borrow().world.now();
        write(2);
        let answer = loop {
            consumer.pump();
            if let Some(answer) = consumer.take_answer(ApiKey::Fetch, FETCH) {
                break answer;
            }
            cluster.borrow_mut().step();
        };
        assert_eq!(fetched(&answer).len(), 5, "the marker is a record, too");
        let took = cluster.borrow().world.now().since(before).as_millis();
        assert!(took < 1000, "seed {seed}: {took} ms");
    }
}

/// The others have their turns in between.
#[test]
fn a_large_answer_leaves_in_many_turns() {
    // Both read from files.
    let [in_many, at_once] = [3, 1].map(|seed| {
        let cluster = cluster(seed, &[]);
        create_topic(&cluster, 1);
        let mut client = Client::connect(&cluster.borrow());
        client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &batch(0, 0, 1, 40_000), -1));
        let before = cluster.borrow().steps;
        let answer = client.call(&cluster, ApiKey::Fetch, FETCH, &fetch_request(0, 0, 500));
        assert_eq!(fetched(&answer).len(), 1);
        cluster.borrow().steps - before
    });
    assert!(in_many >= at_once + 30, "{in_many} steps, and {at_once} at once");
}

#[test]
fn offsets_are_listed_from_every_special_timestamp() {
    let cluster = cluster(6, &[]);
    create_topic(&cluster, 1);
    let mut client = Client::connect(&cluster.borrow());
    let records = batch(0, 0, 5, 0);
    client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &records, 1));
    for (timestamp, expected) in [(-1, Ok(5)), (-2, Ok(0)), (-4, Err(ErrorCode::UnsupportedVersion))] {
        let partition = list_offsets::ListOffsetsPartition { partition_index: 0, timestamp, ..Default::default() };
        let topic = list_offsets::ListOffsetsTopic { name: TOPIC.into(), partitions: vec![partition] };
        let request = list_offsets::Request { replica_id: -1, topics: vec![topic], ..Default::default() };
        let answer = client.call(&cluster, ApiKey::ListOffsets, LIST_OFFSETS, &request);
        let response = list_offsets::Response::decode(&mut Reader::new(&answer), LIST_OFFSETS).unwrap();
        let partition = &response.topics[0].partitions[0];
        let found =
            ErrorCode::from_code(partition.error_code).filter(|e| e.is_error()).map_or(Ok(partition.offset), Err);
        assert_eq!(found, expected, "timestamp {timestamp}");
    }
}

#[test]
fn a_request_that_waits_goes_with_its_connection() {
    let cluster = cluster(7, &[]);
    create_topic(&cluster, 1);
    let mut client = Client::connect(&cluster.borrow());
    client.send(ApiKey::Fetch, FETCH, &fetch_request(0, 0, i32::MAX));
    let step_until = |parked: usize, client: Option<&mut Client>| {
        let mut client = client;
        for _ in 0..1000 {
            client.as_mut().map(|client| client.pump());
            cluster.borrow_mut().step();
            if cluster.borrow().parked() == parked {
                return;
            }
        }
        panic!("{} requests are parked instead of {parked}", cluster.borrow().parked());
    };
    step_until(1, Some(&mut client));
    drop(client);
    step_until(0, None);
}

/// What closes the connection came behind the request that waits.
#[test]
fn a_request_that_waits_goes_with_the_connection_that_the_broker_closes() {
    let cluster = cluster(7, &[]);
    create_topic(&cluster, 1);
    cluster.borrow().world.set_conditions(NetworkConditions { whole_one_in: 1, ..NetworkConditions::default() });
    let mut client = Client::connect(&cluster.borrow());
    client.send(ApiKey::Fetch, FETCH, &fetch_request(0, 0, i32::MAX));
    client.send_raw(&(-1i32).to_be_bytes());
    let until = cluster.borrow().steps + 10_000;
    while client.pump() {
        cluster.borrow_mut().step();
        assert!(cluster.borrow().steps < until, "it is still open");
    }
    assert_eq!(cluster.borrow().parked(), 0);
}
