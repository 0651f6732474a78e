//! A member of a group, or a reader without one, with librdkafka: `member BOOTSTRAP JSON`; `src/member.rs` says what it is to
//! do and prints.

use compat_tests::Result;
use compat_tests::client_program::{now, print, until_input_ends};
use compat_tests::member::Spec;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::message::Message;
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// As many records are told and committed at once.
const BATCH: usize = 200;

fn config(bootstrap: &str, spec: &Spec) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", &spec.group);
    // A reader begins at 0 and is never lost; what a group has not committed begins at the earliest.
    let reset = if spec.reads.is_some() { "error" } else { "earliest" };
    config.set("enable.auto.commit", "false").set("auto.offset.reset", reset);
    config.set("topic.metadata.refresh.interval.ms", "1000").set("reconnect.backoff.max.ms", "500");
    if let Some(instance) = &spec.instance {
        config.set("group.instance.id", instance);
    }
    if let Some(isolation) = &spec.isolation {
        config.set("isolation.level", isolation);
    }
    if spec.request_ms > 0 {
        config.set("socket.timeout.ms", spec.request_ms.to_string());
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

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let spec: Spec = serde_json::from_str(&arguments[2])?;
    let ends = until_input_ends();
    let consumer: BaseConsumer<Teller> = config(&arguments[1], &spec).create_with_context(Teller)?;
    match spec.reads {
        Some(partitions) => {
            let mut all = TopicPartitionList::new();
            (0..partitions).try_for_each(|p| all.add_partition_offset(&spec.topic, p, Offset::Offset(0)))?;
            consumer.assign(&all)?;
        }
        None => consumer.subscribe(&[spec.pattern.as_ref().unwrap_or(&spec.topic)])?,
    }
    let mut assigned: Option<Vec<String>> = None;
    while !ends.load(Ordering::Relaxed) {
        let (batch, next) = batch(&consumer, &spec);
        let has = names(&consumer.assignment()?);
        if assigned.as_ref() != Some(&has) && !(assigned.is_none() && has.is_empty()) {
            print(serde_json::json!({"e": "assigned", "p": has}))?;
            assigned = Some(has);
        }
        if !batch.is_empty() {
            print(serde_json::json!({"e": "records", "r": batch, "at": now()}))?;
        }
        if !next.is_empty() && spec.reads.is_none() {
            commit(&consumer, &next)?;
        }
    }
    drop(consumer);
    print(serde_json::json!({"e": "left"}))
}

/// Behind the last record of each partition.
type Next = BTreeMap<(String, i32), i64>;

/// While the broker is away, or after a rebalance has taken a partition, a commit fails: then the records come again.
fn commit(consumer: &BaseConsumer<Teller>, next: &Next) -> Result<()> {
    let mut offsets = TopicPartitionList::new();
    for ((topic, partition), offset) in next {
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
fn batch(consumer: &BaseConsumer<Teller>, spec: &Spec) -> (Vec<String>, Next) {
    let (mut batch, mut next) = (Vec::new(), Next::new());
    let mut wait = Duration::from_millis(100);
    while batch.len() < BATCH {
        match consumer.poll(Timeout::After(wait)) {
            Some(Ok(message)) => {
                let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
                let mut told = format!("{topic}-{partition}@{offset}");
                if spec.values {
                    let value = String::from_utf8_lossy(message.payload().unwrap_or_default());
                    told += &format!("={}", value.split(':').next().unwrap_or_default());
                }
                batch.push(told);
                next.insert((topic.to_string(), partition), offset + 1);
                wait = Duration::ZERO;
            }
            Some(Err(error)) => eprintln!("poll: {error}"),
            None => break,
        }
    }
    (batch, next)
}
