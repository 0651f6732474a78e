//! Produce requests whose records are wrong in one place, with the error that Apache Kafka answers.

use crate::guard::Guard;
use compat_tests::broker::Broker;
use compat_tests::dump_log::UNJUDGED;
use compat_tests::raw::{self, Batch, PATIENCE, Raw};
use compat_tests::{Context, Result, bail, ensure};
use kafka_protocol::messages::{InitProducerIdRequest, ProducerId};
use std::time::{SystemTime, UNIX_EPOCH};

const NONE: i16 = 0;
const CORRUPT_MESSAGE: i16 = 2;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const MESSAGE_TOO_LARGE: i16 = 10;
const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const INVALID_REQUIRED_ACKS: i16 = 21;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
const INVALID_RECORD: i16 = 87;

fn good() -> Batch {
    Batch::of(&[b"one", b"two", b"three"])
}

/// What is wrong, the bytes, Apache Kafka's error.
type Case = (&'static str, Vec<u8>, i16);

/// Where refusing is as good as what Apache Kafka does: it takes a batch whose records number themselves differently than
/// the header says, and drops bytes behind the batch in silence; no client sends either.
const MAY_BE_REFUSED: &[&str] = &["a record's offset delta", "bytes behind the batch"];

fn cases() -> Vec<Case> {
    let with = |change: fn(&mut Batch)| {
        let mut batch = good();
        change(&mut batch);
        batch.encode()
    };
    let whole = good().encode();
    vec![
        ("nothing wrong", whole.clone(), NONE),
        ("wrong CRC", with(|b| b.crc_error = 1), CORRUPT_MESSAGE),
        ("length one too small", with(|b| b.length_error = -1), CORRUPT_MESSAGE),
        ("length one too large", with(|b| b.length_error = 1), INVALID_RECORD),
        ("length 2^31-1", with(|b| b.length_error = i32::MAX - 200), INVALID_RECORD),
        ("negative length", with(|b| b.length_error = -1_000_000), CORRUPT_MESSAGE),
        ("magic 0", with(|b| b.magic = 0), INVALID_RECORD),
        ("magic 1", with(|b| b.magic = 1), INVALID_RECORD),
        ("magic 3", with(|b| b.magic = 3), CORRUPT_MESSAGE),
        ("magic -1", with(|b| b.magic = -1), CORRUPT_MESSAGE),
        ("last offset delta too large", with(|b| b.last_offset_delta = Some(7)), INVALID_RECORD),
        ("last offset delta too small", with(|b| b.last_offset_delta = Some(1)), INVALID_RECORD),
        ("negative last offset delta", with(|b| b.last_offset_delta = Some(-1)), INVALID_RECORD),
        ("count too large", with(|b| b.count = Some(4)), INVALID_RECORD),
        ("count too small", with(|b| b.count = Some(2)), INVALID_RECORD),
        ("count 2^31-1", with(|b| b.count = Some(i32::MAX)), INVALID_RECORD),
        ("negative count", with(|b| b.count = Some(-1)), INVALID_RECORD),
        (
            "count 2^31-1 that adds up",
            with(|b| (b.count, b.last_offset_delta) = (Some(i32::MAX), Some(i32::MAX - 1))),
            INVALID_RECORD,
        ),
        ("base offset not 0", with(|b| b.base_offset = 5), INVALID_RECORD),
        ("a record's offset delta", with(|b| b.records[1].0 = 5), NONE),
        ("a control batch", with(|b| b.attributes = 0x20), INVALID_RECORD),
        ("transactional without producer", with(|b| b.attributes = 0x10), TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        ("producer without sequence", with(|b| (b.producer_id, b.producer_epoch) = (5, 0)), INVALID_RECORD),
        ("no records", Vec::new(), INVALID_RECORD),
        ("cut header", whole[..40].to_vec(), INVALID_RECORD),
        ("cut in the last record", whole[..whole.len() - 2].to_vec(), INVALID_RECORD),
        ("two batches", whole.repeat(2), INVALID_RECORD),
        ("bytes behind the batch", [whole.clone(), vec![0; 5]].concat(), NONE),
    ]
}

/// Codecs with what is no compressed data; an answer of either kind will do, a consumer must survive it.
fn compressed_garbage() -> Vec<Vec<u8>> {
    let garbage = |codec: i16| {
        let mut batch = good();
        batch.attributes = codec;
        batch.encode()
    };
    (1..8).map(garbage).collect()
}

pub fn batches(broker: &mut Broker) -> Result<()> {
    let mut guard = Guard::new(broker)?;
    let mut raw = Raw::connect(broker.port())?;
    // What is taken although it is odd goes to a topic that `kafka-dump-log` is not asked about.
    for topic in ["batches", UNJUDGED] {
        raw.create_topic(topic, 1, &[])?;
    }
    let mut wrong = Vec::new();
    for (what, bytes, expected) in cases() {
        let odd = MAY_BE_REFUSED.contains(&what);
        let topic = if odd { UNJUDGED } else { "batches" };
        let end = raw.end_offset(topic, 0)?;
        let found = raw.produce(topic, bytes)?.error_code;
        if found != expected && (found == NONE || !odd) {
            wrong.push(format!("{what}: expected error {expected}, found {found}"));
        }
        let added = raw.end_offset(topic, 0)? - end;
        if (added == 0) == (found == NONE) {
            wrong.push(format!("{what}: error {found}, but {added} records were added"));
        }
    }
    for bytes in compressed_garbage() {
        raw.produce(UNJUDGED, bytes)?;
    }
    no_such_partition(&mut raw)?;
    guard.check(broker)?;
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

fn no_such_partition(raw: &mut Raw) -> Result<()> {
    let found = raw.produce("absent", good().encode())?.error_code;
    ensure!(found == UNKNOWN_TOPIC_OR_PARTITION, "an absent topic: error {found}");
    for index in [1, -1, i32::MAX] {
        let mut request = raw::produce_request("batches", good().encode());
        request.topic_data[0].partition_data[0].index = index;
        let found = raw.call(&request, 7)?.responses[0].partition_responses[0].error_code;
        ensure!(found == UNKNOWN_TOPIC_OR_PARTITION, "partition {index}: error {found}");
    }
    let request = raw::produce_request("batches", good().encode()).with_acks(5);
    let found = raw.call(&request, 7)?.responses[0].partition_responses[0].error_code;
    ensure!(found == INVALID_REQUIRED_ACKS, "acks 5: error {found}");
    Ok(())
}

/// Apache Kafka says COORDINATOR_LOAD_IN_PROGRESS until it has its first block of ids.
fn producer_id(raw: &mut Raw) -> Result<(i64, i16)> {
    let deadline = std::time::Instant::now() + PATIENCE;
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let request = request.with_transaction_timeout_ms(60_000);
    loop {
        let response = raw.call(&request, 4)?;
        match response.error_code {
            NONE => return Ok((response.producer_id.0, response.producer_epoch)),
            COORDINATOR_LOAD_IN_PROGRESS if std::time::Instant::now() < deadline => {}
            error => bail!("InitProducerId: error {error}"),
        }
    }
}

/// Sequences and epochs of an idempotent producer.
pub fn producer_ids(broker: &mut Broker) -> Result<()> {
    let mut guard = Guard::new(broker)?;
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic("sequences", 1, &[])?;
    let (id, epoch) = producer_id(&mut raw)?;
    ensure!(producer_id(&mut raw)?.0 != id, "the same producer id twice");
    let steps = [
        (epoch, 0, NONE, 0),
        (epoch, 3, NONE, 3),
        (epoch, 3, NONE, 3),                          // a duplicate of the last batch
        (epoch, 0, NONE, 0),                          // a duplicate of the one before
        (epoch, 9, OUT_OF_ORDER_SEQUENCE_NUMBER, -1), // a gap
        (epoch, 5, OUT_OF_ORDER_SEQUENCE_NUMBER, -1), // an overlap
        (epoch, 6, NONE, 6),
        (epoch + 1, 4, OUT_OF_ORDER_SEQUENCE_NUMBER, -1), // a new epoch begins at 0
        (epoch + 1, 0, NONE, 9),
        (epoch, 9, INVALID_PRODUCER_EPOCH, -1), // the old epoch is over
    ];
    take(&mut raw, id, &steps)?;
    guard.check(broker)?;
    broker.kill9()?;
    broker.restart()?;
    // What the broker knows of a producer survives a crash.
    let steps = [
        (epoch, 9, INVALID_PRODUCER_EPOCH, -1),
        (epoch + 1, 7, OUT_OF_ORDER_SEQUENCE_NUMBER, -1),
        (epoch + 1, 0, NONE, 9),
        (epoch + 1, 3, NONE, 12),
    ];
    let mut raw = Raw::connect(broker.port())?;
    raw.await_leaders("sequences", 1)?;
    take(&mut raw, id, &steps).context("after the restart")?;
    let end = raw.end_offset("sequences", 0)?;
    ensure!(end == 15, "the log ends at {end}");
    Ok(())
}

/// Epoch, base sequence, expected error, base offset in the answer.
type Step = (i16, i32, i16, i64);

fn take(raw: &mut Raw, producer_id: i64, steps: &[Step]) -> Result<()> {
    // A broker forgets producers whose newest record is older than a day.
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    for (i, &(producer_epoch, base_sequence, error, offset)) in steps.iter().enumerate() {
        let batch = Batch { producer_id, producer_epoch, base_sequence, timestamp, ..good() };
        let found = raw.produce("sequences", batch.encode())?;
        let same = found.error_code == error && found.base_offset == offset;
        ensure!(same, "step {i}: error {} offset {}", found.error_code, found.base_offset);
    }
    Ok(())
}

/// A batch larger than the topic takes, and a request larger than the broker reads.
pub fn too_large(broker: &mut Broker) -> Result<()> {
    let mut guard = Guard::new(broker)?;
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic("default", 1, &[])?;
    raw.create_topic("small", 1, &[("max.message.bytes", "1000")])?;
    for (topic, size, expected) in [
        ("default", 90_000, NONE),
        ("default", 100_001, MESSAGE_TOO_LARGE),
        ("default", 900_000, MESSAGE_TOO_LARGE),
        ("small", 900, NONE),
        ("small", 1001, MESSAGE_TOO_LARGE),
        ("small", 99_000, MESSAGE_TOO_LARGE),
    ] {
        let found = raw.produce(topic, Batch::of(&[&vec![b'x'; size]]).encode())?.error_code;
        ensure!(found == expected, "{size} bytes to {topic}: expected error {expected}, found {found}");
    }
    for _ in 0..20 {
        let mut raw = Raw::connect(broker.port())?;
        raw.post(&raw::produce_request("default", vec![b'x'; 1_000_001]), 7)?;
        raw.expect_closed()?;
    }
    guard.check(broker)
}
