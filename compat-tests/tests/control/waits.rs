//! `/v1/wait`: what is waited for, and the sentences of what is missing.

use super::{PATIENCE, client, produce};
use compat_tests::broker::Broker;
use compat_tests::clients::{self, group_member};
use compat_tests::http::Http;
use compat_tests::raw::Raw;
use compat_tests::{Result, ensure};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

pub fn is_there(http: &Http, query: &str) -> Result<()> {
    let (status, body) = http.get(&format!("/v1/wait?{query}"))?;
    ensure!(status == 200, "{query}: {status} {body}");
    Ok(())
}

pub fn is_missing(http: &Http, query: &str, reason: &str) -> Result<()> {
    let (status, body) = http.get(&format!("/v1/wait?timeout_ms=20&{query}"))?;
    let told: Value = serde_json::from_str(&body)?;
    ensure!(status == 408 && told["error"] == format!("after 20 ms {reason}"), "{query}: {status} {body}");
    Ok(())
}

pub fn wait(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    Raw::connect(broker.port())?.create_topic("t", 1, &[])?;
    let is_there = |query: &str| is_there(&http, query);
    let is_missing = |query: &str, reason: &str| is_missing(&http, query, reason);
    is_missing("topic=t&records=3", "the topic t has 0 records")?;
    is_missing("group=readers&members=1", "there is no group readers")?;
    is_missing("transactional_id=x", "there is no transactional id x")?;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| is_there("topic=t&records=3"));
        produce(broker, "t", 3)?;
        waiting.join().expect("no panic")
    })?;
    let reader = group_member(&client(broker), "readers", "t")?;
    clients::read(&reader, 3, |_| Ok(()))?;
    is_there("group=readers&members=1")?;
    is_missing("group=readers&lag=0", "the group readers has committed nothing")?;
    let mut at = TopicPartitionList::new();
    at.add_partition_offset("t", 0, Offset::Offset(2))?;
    reader.commit(&at, CommitMode::Sync)?;
    is_missing("group=readers&lag=0", "the group readers is 1 records behind")?;
    is_there("group=readers&lag=1&members=1&topic=t")?;
    let producer: BaseProducer = client(broker).set("transactional.id", "x").create()?;
    producer.init_transactions(PATIENCE)?;
    is_missing("transactional_id=x", "no transaction of x has begun since its producer began")?;
    producer.begin_transaction()?;
    producer.send(BaseRecord::<str, str>::to("t").payload("in").partition(0)).map_err(|(error, _)| error)?;
    producer.flush(PATIENCE)?;
    is_missing("transactional_id=x", "the transaction of x is Ongoing")?;
    producer.commit_transaction(PATIENCE)?;
    is_there("transactional_id=x")?;
    let (status, body) = http.get("/v1/wait?members=1")?;
    ensure!(status == 400, "{status} {body}");
    Ok(())
}

/// Markers, aborted records and those of open transactions are no records.
pub fn committed(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    Raw::connect(broker.port())?.create_topic("t", 2, &[])?;
    let producer: BaseProducer = client(broker).set("transactional.id", "x").create()?;
    producer.init_transactions(PATIENCE)?;
    let transaction = |records: i32| -> Result<()> {
        producer.begin_transaction()?;
        for number in 0..records {
            let record = BaseRecord::<str, str>::to("t").payload("x").partition(number % 2);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        Ok(producer.flush(PATIENCE)?)
    };
    transaction(5)?;
    is_missing(
        &http,
        "topic=t&records=1",
        "the topic t has 0 records, and 5 offsets that wait for the end of a transaction",
    )?;
    producer.abort_transaction(PATIENCE)?;
    is_missing(&http, "topic=t&records=1", "the topic t has 0 records")?;
    transaction(3)?;
    producer.commit_transaction(PATIENCE)?;
    is_there(&http, "topic=t&records=3")?;
    is_missing(&http, "topic=t&records=4", "the topic t has 3 records")?;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| is_there(&http, "topic=t&records=6"));
        transaction(2)?;
        produce(broker, "t", 1)?;
        is_missing(
            &http,
            "topic=t&records=6",
            "the topic t has 3 records, and 3 offsets that wait for the end of a transaction",
        )?;
        producer.commit_transaction(PATIENCE)?;
        waiting.join().expect("no panic")
    })?;
    let offsets = http.json("/v1/topics?topic=t")?;
    ensure!(offsets["topics"][0]["records"] == 17, "11 records and 6 markers: {offsets}");
    Ok(())
}

/// What a member was assigned and nothing is committed for is not read.
pub fn lag(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    Raw::connect(broker.port())?.create_topic("t", 3, &[])?;
    let producer: BaseProducer = client(broker).create()?;
    for partition in [0, 1, 1] {
        let record = BaseRecord::<str, str>::to("t").payload("x").partition(partition);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(PATIENCE)?;
    let reader = group_member(&client(broker), "readers", "t")?;
    clients::read(&reader, 3, |_| Ok(()))?;
    is_missing(&http, "group=readers&lag=0", "the group readers has committed nothing")?;
    let commit = |partition: i32, offset: i64| -> Result<()> {
        let mut at = TopicPartitionList::new();
        at.add_partition_offset("t", partition, Offset::Offset(offset))?;
        Ok(reader.commit(&at, CommitMode::Sync)?)
    };
    commit(0, 1)?;
    let behind = "the group readers is 2 records behind; of its members' partitions 2 have no commit";
    is_missing(&http, "group=readers&lag=1", behind)?;
    is_there(&http, "group=readers&lag=2")?;
    commit(1, 1)?;
    let behind = "the group readers is 1 records behind; of its members' partitions 1 have no commit";
    is_missing(&http, "group=readers&lag=0", behind)?;
    commit(1, 2)?;
    // The third partition has no records, and needs no commit.
    is_there(&http, "group=readers&lag=0")?;
    // Another member joins: until both have their partitions it is not known what is to be read.
    let second: BaseConsumer = group_member(&client(broker), "readers", "t")?;
    let _ = second.poll(std::time::Duration::from_millis(100));
    http.until("a rebalance", |http| {
        let _ = second.poll(std::time::Duration::from_millis(20));
        let (_, body) = http.get("/v1/wait?group=readers&lag=0&timeout_ms=1")?;
        Ok(body.contains("the group readers has members and is").then_some(()))
    })?;
    drop((reader, second));
    is_there(&http, "group=readers&members=0&lag=0")
}

/// How far a client has read is known by what it asks for next.
pub fn fetched(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    Raw::connect(broker.port())?.create_topic("t", 2, &[])?;
    produce(broker, "t", 3)?;
    is_missing(&http, "topic=t&fetched=1", "no Fetch of t-0 by any client is in the journal")?;
    let reader = |id: &str| -> Result<BaseConsumer> {
        let consumer: BaseConsumer = client(broker).set("client.id", id).set("group.id", "none").create()?;
        let mut at = TopicPartitionList::new();
        at.add_partition_offset("t", 0, Offset::Beginning)?;
        consumer.assign(&at)?;
        Ok(consumer)
    };
    let first = reader("first")?;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| is_there(&http, "topic=t&fetched=3"));
        clients::read(&first, 3, |_| Ok(()))?;
        waiting.join().expect("no panic")
    })?;
    is_there(&http, "topic=t&fetched=3&partition=0&client_id=first&records=3")?;
    is_missing(
        &http,
        "topic=t&fetched=4&client_id=first",
        "t-0 was fetched from the offset 3 on by the client first, no further",
    )?;
    is_missing(&http, "topic=t&fetched=0&partition=1", "no Fetch of t-1 by any client is in the journal")?;
    is_missing(&http, "topic=t&fetched=3&client_id=x", "no Fetch of t-0 by the client x is in the journal")
}
