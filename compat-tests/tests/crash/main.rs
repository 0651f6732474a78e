//! What was acknowledged survives `kill -9`: a loader remembers every acknowledgement, the broker is killed at random
//! moments under load and started again, and everything acknowledged is looked for, at the offset that was promised.

mod kills;

use compat_tests::broker::Broker;
use compat_tests::clients::{self, Acks};
use compat_tests::raw::Raw;
use compat_tests::records::Bytes;
use compat_tests::suite::{ALL, BOTH, ONE, Suite};
use compat_tests::{Result, ensure, program};
use rdkafka::message::Message;
use rdkafka::producer::{Producer, ThreadedProducer};
use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;

const MESSAGES: usize = 200_000;
const KILLS: usize = 4;

fn main() -> ExitCode {
    Suite::new("crash")
        .test("idempotent", ALL, &[], |broker| load_and_kill(broker, true))
        .test("not_idempotent", BOTH, &[], |broker| load_and_kill(broker, false))
        .test("small_segments", BOTH, &[("log.segment.bytes", "1048576")], |broker| load_and_kill(broker, true))
        .test("metadata", BOTH, &[], metadata)
        .test("four_producers", ONE, &[], kills::four_producers)
        .run()
}

fn load_and_kill(broker: &mut Broker, idempotent: bool) -> Result<()> {
    Raw::connect(broker.port())?.create_topic("crash", 1, &[])?;
    let mut config = clients::librdkafka(broker);
    config.set("enable.idempotence", idempotent.to_string()).set("acks", "all").set("compression.type", "lz4");
    config.set("queue.buffering.max.messages", "10000").set("reconnect.backoff.max.ms", "200");
    let producer: Arc<ThreadedProducer<Acks>> = Arc::new(config.create_with_context(Acks::default())?);
    let loader = Arc::clone(&producer);
    let loading = std::thread::spawn(move || -> Result<()> {
        for i in 0..MESSAGES {
            clients::librdkafka_send(&loader, "crash", format!("{i}").as_bytes())?;
        }
        Ok(loader.flush(program::DEADLINE)?)
    });
    let mut random = Bytes::new(broker.pid() as u64);
    for kill in 0..KILLS {
        let step = MESSAGES / (KILLS + 1);
        producer.context().wait_for(kill * step + 1 + (random.draw() % step as u64) as usize)?;
        broker.kill9()?;
        broker.restart()?;
    }
    loading.join().expect("no panic")?;
    producer.context().wait_for(MESSAGES)?;
    check(broker, &producer.context().delivered(), idempotent)
}

/// Every acknowledged message is where its acknowledgement says; with idempotence the log holds nothing else, in order.
fn check(broker: &Broker, acknowledged: &[(i64, String)], idempotent: bool) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    raw.await_leaders("crash", 1)?;
    let end = raw.end_offset("crash", 0)? as usize;
    let mut log: HashMap<i64, String> = HashMap::new();
    let mut next = 0;
    clients::librdkafka_each(broker, "crash", end, |message| {
        let payload = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
        ensure!(message.offset() == next, "offset {} follows {}", message.offset(), next - 1);
        ensure!(!idempotent || payload == next.to_string(), "offset {next} holds message {payload}");
        next += 1;
        log.insert(message.offset(), payload);
        Ok(())
    })?;
    ensure!(!idempotent || end == MESSAGES, "{end} records for {MESSAGES} messages");
    for (offset, payload) in acknowledged {
        // librdkafka gives no offset for what was acknowledged as a duplicate of a lost answer.
        if *offset >= 0 {
            let found = log.get(offset);
            ensure!(found == Some(payload), "message {payload} was acknowledged at {offset}; there is {found:?}");
        }
    }
    let present: std::collections::HashSet<&String> = log.values().collect();
    let lost = acknowledged.iter().filter(|(_, payload)| !present.contains(payload)).count();
    ensure!(lost == 0, "{lost} acknowledged messages are lost");
    Ok(())
}

/// Topics that were created, grown and deleted are so after a crash.
fn metadata(broker: &mut Broker) -> Result<()> {
    let mut ids = Vec::new();
    for round in 0..5 {
        let mut raw = Raw::connect(broker.port())?;
        for i in 0..20 {
            let topic = format!("topic-{round}-{i}");
            raw.create_topic(&topic, 1 + i % 3, &[("retention.ms", "86400001")])?;
            ids.push((topic.clone(), raw.topic_id(&topic)?));
        }
        broker.kill9()?;
        broker.restart()?;
        let mut raw = Raw::connect(broker.port())?;
        for (topic, id) in &ids {
            raw.await_leaders(topic, 1)?;
            ensure!(raw.topic_id(topic)? == *id, "{topic} has another id after the crash");
        }
    }
    Ok(())
}
