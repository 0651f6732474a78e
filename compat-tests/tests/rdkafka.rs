//! librdkafka through the crate `rdkafka`: acknowledgements, idempotence, codecs, large messages, order, admin calls.

use compat_tests::broker::Broker;
use compat_tests::clients::{self, Acks};
use compat_tests::raw::Raw;
use compat_tests::records::Bytes;
use compat_tests::suite::{ALL, BOTH, Suite};
use compat_tests::{Context, Result, ensure, program};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, Producer, ThreadedProducer};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const MESSAGES: usize = 10_000;
const CODECS: &[&str] = &["none", "gzip", "snappy", "lz4", "zstd"];
/// acks and idempotence
const PROMISES: &[(&str, &str)] = &[("0", "false"), ("1", "false"), ("all", "false"), ("all", "true")];

fn main() -> ExitCode {
    Suite::new("rdkafka")
        .test("in_order", ALL, &[], in_order)
        .test("one_mebibyte", ALL, &[("message.max.bytes", "10485760")], one_mebibyte)
        .test("small_segments", BOTH, &[("log.segment.bytes", "1048576")], small_segments)
        .test("admin", BOTH, &[], admin)
        .run()
}

fn payload(i: usize) -> String {
    format!("message {i} {}", "x".repeat(i % 97))
}

/// 10,000 messages with each codec and each promise come out complete and in order.
fn in_order(broker: &mut Broker) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    for codec in CODECS {
        for (acks, idempotence) in PROMISES {
            let topic = format!("{codec}-{acks}-{idempotence}");
            raw.create_topic(&topic, 1, &[])?;
            let mut config = clients::librdkafka(broker);
            config.set("compression.type", *codec).set("acks", *acks).set("enable.idempotence", *idempotence);
            let producer: ThreadedProducer<Acks> = config.create_with_context(Acks::default())?;
            for i in 0..MESSAGES {
                clients::librdkafka_send(&producer, &topic, payload(i).as_bytes())?;
            }
            producer.flush(program::DEADLINE)?;
            producer.context().wait_for(MESSAGES)?;
            check_order(broker, &topic).context(topic)?;
        }
    }
    Ok(())
}

fn check_order(broker: &Broker, topic: &str) -> Result<()> {
    let mut next = 0;
    clients::librdkafka_each(broker, topic, MESSAGES, |message| {
        let found = message.payload().unwrap_or_default();
        ensure!(found == payload(next).as_bytes(), "message {next} is {}", String::from_utf8_lossy(found));
        ensure!(message.offset() == next as i64, "message {next} has the offset {}", message.offset());
        next += 1;
        Ok(())
    })?;
    // With acks=0 nobody else would notice messages too many.
    let end = Raw::connect(broker.port())?.end_offset(topic, 0)?;
    ensure!(end == MESSAGES as i64, "the log ends at {end}");
    Ok(())
}

/// Messages of a mebibyte and more, with the limits raised as a user would raise them.
fn one_mebibyte(broker: &mut Broker) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    for codec in CODECS {
        raw.create_topic(codec, 1, &[])?;
        let mut config = clients::librdkafka(broker);
        config.set("message.max.bytes", "10000000").set("compression.type", *codec).set("enable.idempotence", "true");
        let producer: ThreadedProducer<Acks> = config.create_with_context(Acks::default())?;
        let sizes: Vec<usize> = (0..12).map(|i| if i % 4 == 3 { 5 << 20 } else { 1 << 20 }).collect();
        let mut random = Bytes::new(7);
        for size in &sizes {
            clients::librdkafka_send(&producer, codec, &random.take(*size))?;
        }
        producer.flush(program::DEADLINE)?;
        producer.context().wait_for(sizes.len())?;
        let (mut random, mut next) = (Bytes::new(7), 0);
        clients::librdkafka_each(broker, codec, sizes.len(), |message| {
            let expected = random.take(sizes[next]);
            ensure!(message.payload() == Some(&expected[..]), "message {next} with {codec} came back changed");
            next += 1;
            Ok(())
        })?;
    }
    Ok(())
}

/// The same over many small segments, read before and after a restart.
fn small_segments(broker: &mut Broker) -> Result<()> {
    Raw::connect(broker.port())?.create_topic("rolled", 1, &[])?;
    let producer: ThreadedProducer<Acks> = clients::librdkafka(broker).create_with_context(Acks::default())?;
    let mut random = Bytes::new(11);
    let sent: Vec<Vec<u8>> = (0..5000).map(|i| random.take(100 + i % 3000)).collect();
    for payload in &sent {
        clients::librdkafka_send(&producer, "rolled", payload)?;
    }
    producer.flush(program::DEADLINE)?;
    producer.context().wait_for(sent.len())?;
    drop(producer);
    let segments = std::fs::read_dir(broker.data().join("rolled-0"))?.flatten();
    let logs = segments.filter(|entry| entry.path().extension().is_some_and(|e| e == "log")).count();
    ensure!(logs >= 5, "only {logs} segments");
    check_payloads(broker, "rolled", &sent)?;
    broker.stop()?;
    broker.restart()?;
    check_payloads(broker, "rolled", &sent)
}

fn check_payloads(broker: &Broker, topic: &str, sent: &[Vec<u8>]) -> Result<()> {
    let mut next = 0;
    clients::librdkafka_each(broker, topic, sent.len(), |message| {
        ensure!(message.payload() == Some(&sent[next][..]), "message {next} came back changed");
        next += 1;
        Ok(())
    })
}

fn partitions(broker: &Broker, topic: &str) -> Result<usize> {
    let client: BaseProducer = clients::librdkafka(broker).create()?;
    // All topics: asking for one by name would create it.
    let metadata = client.client().fetch_metadata(None, Duration::from_secs(10))?;
    Ok(metadata.topics().iter().find(|t| t.name() == topic).map_or(0, |t| t.partitions().len()))
}

/// Apache Kafka answers admin calls before its metadata cache knows of them.
fn await_partitions(broker: &Broker, topic: &str, count: usize) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = partitions(broker, topic)?;
        if found == count {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{topic} has {found} partitions instead of {count}");
    }
}

fn admin(broker: &mut Broker) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = clients::librdkafka(broker).create()?;
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    let topic = NewTopic::new("admin", 2, TopicReplication::Fixed(1)).set("retention.ms", "86400001");
    let created = pollster::block_on(admin.create_topics([&topic], &options))?;
    ensure!(created == [Ok("admin".to_string())], "{created:?}");
    let again = pollster::block_on(admin.create_topics([&topic], &options))?;
    let exists = rdkafka::types::RDKafkaErrorCode::TopicAlreadyExists;
    ensure!(again == [Err(("admin".to_string(), exists))], "{again:?}");
    await_partitions(broker, "admin", 2)?;
    let more = pollster::block_on(admin.create_partitions([&NewPartitions::new("admin", 6)], &options))?;
    ensure!(more == [Ok("admin".to_string())], "{more:?}");
    await_partitions(broker, "admin", 6)?;
    let deleted = pollster::block_on(admin.delete_topics(&["admin"], &options))?;
    ensure!(deleted == [Ok("admin".to_string())], "{deleted:?}");
    await_partitions(broker, "admin", 0)
}
