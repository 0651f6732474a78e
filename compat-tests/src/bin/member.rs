//! A member of a group with librdkafka: `member BOOTSTRAP JSON`; `src/member.rs` says what it is to do and prints.

use compat_tests::Result;
use compat_tests::member::Spec;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::message::Message;
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
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

/// Tells what a rebalance brings before librdkafka asks where to begin.
struct Teller;

impl ClientContext for Teller {}

impl ConsumerContext for Teller {
    fn pre_rebalance(&self, _: &BaseConsumer<Teller>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            let event = serde_json::json!({"e": "gained", "p": names(partitions), "at": now()});
            // Whoever cannot be told has gone, and takes this process with it.
            let _ = print(event);
        }
    }
}

fn names(partitions: &TopicPartitionList) -> Vec<String> {
    let mut names: Vec<String> =
        partitions.elements().iter().map(|e| format!("{}-{}", e.topic(), e.partition())).collect();
    names.sort();
    names
}

/// Nanoseconds on the clock that all processes of this machine share.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec into ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
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
    let consumer: BaseConsumer<Teller> = config(&arguments[1], &spec).create_with_context(Teller)?;
    consumer.subscribe(&[spec.pattern.as_ref().unwrap_or(&spec.topic)])?;
    let mut assigned: Option<Vec<String>> = None;
    while !ends.load(Ordering::Relaxed) {
        let batch = batch(&consumer);
        let has = names(&consumer.assignment()?);
        if assigned.as_ref() != Some(&has) && !(assigned.is_none() && has.is_empty()) {
            print(serde_json::json!({"e": "assigned", "p": has}))?;
            assigned = Some(has);
        }
        if !batch.is_empty() {
            print(serde_json::json!({"e": "records", "r": batch}))?;
            commit(&consumer, &batch)?;
        }
    }
    drop(consumer);
    print(serde_json::json!({"e": "left"}))
}

/// Commits behind the last record of each partition. While the broker is away, or after a rebalance has taken a partition, a
/// commit fails: then the records come again.
fn commit(consumer: &BaseConsumer<Teller>, batch: &[String]) -> Result<()> {
    let mut next: BTreeMap<(&str, i32), i64> = BTreeMap::new();
    for record in batch {
        let (name, offset) = record.rsplit_once('@').expect("made above");
        let (topic, partition) = name.rsplit_once('-').expect("made above");
        next.insert((topic, partition.parse()?), offset.parse::<i64>()? + 1);
    }
    let mut offsets = TopicPartitionList::new();
    for ((topic, partition), offset) in &next {
        offsets.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    match consumer.commit(&offsets, CommitMode::Sync) {
        Ok(()) => {
            let told: Vec<String> = next.iter().map(|((t, p), offset)| format!("{t}-{p}@{offset}")).collect();
            print(serde_json::json!({"e": "committed", "r": told, "at": now()}))
        }
        Err(error) => {
            eprintln!("commit: {error}");
            Ok(())
        }
    }
}

/// What is there within a moment. A rebalance is served inside of poll: a batch ends where one may have been.
fn batch(consumer: &BaseConsumer<Teller>) -> Vec<String> {
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
