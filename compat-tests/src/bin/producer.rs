//! A producer with librdkafka: `producer BOOTSTRAP JSON`; `src/member.rs` says what it is to do and prints.

use compat_tests::client_program::{print, until_input_ends};
use compat_tests::member::Load;
use compat_tests::{Context, Result};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Between two looks at what is due and what has been answered.
const PACE: Duration = Duration::from_millis(20);
/// Far beyond what any record may take.
const FLUSH_WITHIN: Duration = Duration::from_secs(300);

/// What librdkafka has told of each record, to be printed.
#[derive(Default)]
struct Told(Mutex<(Vec<String>, Vec<String>)>);

impl ClientContext for Told {}

impl ProducerContext for Told {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<u64>) {
        let mut told = self.0.lock().unwrap();
        match result {
            Ok(message) => told.0.push(format!("{number}@{}", message.offset())),
            Err(_) => told.1.push(number.to_string()),
        }
    }
}

impl Told {
    fn print(&self) -> Result<()> {
        let (acked, failed) = std::mem::take(&mut *self.0.lock().unwrap());
        if !acked.is_empty() {
            print(serde_json::json!({"e": "acked", "r": acked}))?;
        }
        if !failed.is_empty() {
            print(serde_json::json!({"e": "failed", "r": failed}))?;
        }
        Ok(())
    }
}

fn config(bootstrap: &str, load: &Load) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("enable.idempotence", load.is_idempotent.to_string());
    config.set("acks", &load.acks).set("compression.type", &load.codec);
    config.set("max.in.flight.requests.per.connection", load.in_flight.to_string());
    config.set("socket.timeout.ms", load.request_ms.to_string()).set("request.timeout.ms", load.request_ms.to_string());
    config.set("message.timeout.ms", load.delivery_ms.to_string()).set("message.send.max.retries", "1000000");
    config.set("retry.backoff.ms", "20").set("retry.backoff.max.ms", "100").set("reconnect.backoff.max.ms", "200");
    config
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let load: Load = serde_json::from_str(&arguments[2])?;
    let ends = until_input_ends();
    let producer: ThreadedProducer<Told> = config(&arguments[1], &load).create_with_context(Told::default())?;
    let padding = "x".repeat(load.padding);
    let (began, mut sent) = (Instant::now(), 0);
    while !ends.load(Ordering::Relaxed) {
        let due = began.elapsed().as_millis() as u64 * load.per_second / 1000;
        if due > sent {
            print(serde_json::json!({"e": "sends", "n": due}))?;
        }
        while sent < due {
            send(&producer, &load, sent, &padding)?;
            sent += 1;
        }
        producer.context().print()?;
        std::thread::sleep(PACE);
    }
    producer.flush(FLUSH_WITHIN)?;
    producer.context().print()?;
    print(serde_json::json!({"e": "left"}))
}

/// Waits while librdkafka's queue is full.
fn send(producer: &ThreadedProducer<Told>, load: &Load, number: u64, padding: &str) -> Result<()> {
    let payload = format!("{}-{number}:{padding}", load.name);
    let partition = (number % load.partitions) as i32;
    let record = BaseRecord::<(), str, Box<u64>>::with_opaque_to(&load.topic, Box::new(number));
    let mut record = record.partition(partition).payload(&payload);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                record = again;
                std::thread::sleep(PACE);
            }
            Err((error, _)) => {
                let fatal = producer.client().fatal_error().map(|(_, text)| text);
                return Err(error).with_context(|| format!("record {number}: {fatal:?}"));
            }
        }
    }
}
