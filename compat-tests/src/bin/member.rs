//! A member of a group with librdkafka: `member BOOTSTRAP JSON`; `src/member.rs` says what it is to do and prints.

use compat_tests::Result;
use compat_tests::member::Spec;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::util::Timeout;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// As many records are told and committed at once.
const BATCH: usize = 200;

fn config(bootstrap: &str, spec: &Spec) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", &spec.group);
    config.set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
    config.set("topic.metadata.refresh.interval.ms", "1000").set("reconnect.backoff.max.ms", "500");
    if let Some(instance) = &spec.instance {
        config.set("group.instance.id", instance);
    }
    if spec.protocol == "consumer" {
        config.set("group.protocol", "consumer").set("group.remote.assignor", &spec.assignor);
    } else {
        config.set("session.timeout.ms", spec.session_ms.to_string()).set("heartbeat.interval.ms", "500");
        config.set("partition.assignment.strategy", &spec.assignor);
    }
    config
}

fn print(event: serde_json::Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{event}")?;
    Ok(out.flush()?)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let spec: Spec = serde_json::from_str(&arguments[2])?;
    let ends = Arc::new(AtomicBool::new(false));
    let input_ended = Arc::clone(&ends);
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        while matches!(std::io::stdin().read(&mut bytes), Ok(1..)) {}
        input_ended.store(true, Ordering::Relaxed);
    });
    let consumer: BaseConsumer = config(&arguments[1], &spec).create()?;
    consumer.subscribe(&[spec.pattern.as_ref().unwrap_or(&spec.topic)])?;
    let mut assigned: Option<Vec<String>> = None;
    while !ends.load(Ordering::Relaxed) {
        let batch = batch(&consumer);
        let topics = consumer.assignment()?;
        let mut now: Vec<String> =
            topics.elements().iter().map(|e| format!("{}-{}", e.topic(), e.partition())).collect();
        now.sort();
        if assigned.as_ref() != Some(&now) && !(assigned.is_none() && now.is_empty()) {
            print(serde_json::json!({"e": "assigned", "p": now}))?;
            assigned = Some(now);
        }
        if !batch.is_empty() {
            print(serde_json::json!({"e": "records", "r": batch}))?;
            // While the broker is away, or a rebalance has taken a partition, a commit fails: the records come again.
            if let Err(error) = consumer.commit_consumer_state(CommitMode::Sync) {
                eprintln!("commit: {error}");
            }
        }
    }
    drop(consumer);
    print(serde_json::json!({"e": "left"}))
}

/// What is there within a moment. A rebalance is served inside of poll: a batch ends where one may have been.
fn batch(consumer: &BaseConsumer) -> Vec<String> {
    let mut batch = Vec::new();
    let mut wait = Duration::from_millis(100);
    while batch.len() < BATCH {
        match consumer.poll(Timeout::After(wait)) {
            Some(Ok(message)) => {
                batch.push(format!("{}-{}@{}", message.topic(), message.partition(), message.offset()));
                wait = Duration::ZERO;
            }
            Some(Err(error)) => eprintln!("poll: {error}"),
            None => break,
        }
    }
    batch
}
