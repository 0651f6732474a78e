//! Loads by programs of others: Kafka's own performance tools and librdkafka's, and Java's clients in a program of ours.

use crate::drive::{Outcome, Quantiles, Tally};
use compat_tests::program::{self, Input};
use compat_tests::{Context, Result, cache, ensure};
use serde::Deserialize;
use std::process::Command;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(300);

/// What a program is to send.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    pub records: u64,
    pub value_bytes: usize,
    pub acks: &'static str,
    pub codec: &'static str,
}

/// `kafka-producer-perf-test`, with its defaults; records per second.
pub fn java_produce(bootstrap: &str, topic: &str, sending: &Sending, processors: &[usize]) -> Result<f64> {
    let Sending { records, value_bytes, acks, codec } = sending;
    let (records, size) = (records.to_string(), value_bytes.to_string());
    let mut command = java("org.apache.kafka.tools.ProducerPerformance", processors);
    command.args(["--topic", topic, "--num-records", &records, "--record-size", &size, "--throughput", "-1"]);
    let properties = [
        format!("bootstrap.servers={bootstrap}"),
        format!("acks={acks}"),
        format!("compression.type={codec}"),
        format!("enable.idempotence={}", *acks == "all"),
    ];
    command.arg("--producer-props").args(properties);
    let text = program::run_within(command, Input::Nothing, DEADLINE)?.text();
    let last = text.lines().rfind(|line| line.contains("99.9th")).with_context(|| text.clone())?;
    let words: Vec<&str> = last.split(", ").collect();
    ensure!(last.starts_with(&format!("{records} records sent")), "{last}");
    number_before(words.get(1).copied().unwrap_or_default(), " records/sec")
}

/// `kafka-consumer-perf-test`, with its defaults, in a group; records per second while it fetches.
pub fn java_consume(bootstrap: &str, topic: &str, records: u64, processors: &[usize]) -> Result<f64> {
    let mut command = java("org.apache.kafka.tools.ConsumerPerformance", processors);
    let count = records.to_string();
    command.args(["--bootstrap-server", bootstrap, "--topic", topic, "--num-records", &count]);
    command.args(["--timeout", "60000", "--hide-header"]);
    let text = program::run_within(command, Input::Nothing, DEADLINE)?.text();
    let last = text.lines().rfind(|line| line.matches(", ").count() == 9).with_context(|| text.clone())?;
    let fields: Vec<&str> = last.split(", ").collect();
    ensure!(fields[4].parse::<u64>()? >= records, "only {} records came", fields[4]);
    Ok(fields[9].parse()?)
}

/// What Java's producers are to do; what they do in the first seconds does not count.
#[derive(Clone, Copy, Debug)]
pub struct Transacting {
    pub producers: usize,
    /// Of each transaction.
    pub records: usize,
    pub warm_seconds: f64,
    pub seconds: f64,
}

/// What a loop that reads, processes and writes is to do.
#[derive(Clone, Copy, Debug)]
pub struct Copying {
    /// Of each transaction, at most.
    pub records: usize,
    pub warm_seconds: f64,
    pub seconds: f64,
}

/// What `TransactionLoad` prints.
#[derive(Deserialize)]
struct Transacted {
    seconds: f64,
    transactions: u64,
    records: u64,
    all_transactions: u64,
    all_records: u64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    max_us: f64,
}

/// What came of a load of transactions, and all that was done with the seconds that do not count.
pub struct Committed {
    pub outcome: Outcome,
    pub all_transactions: u64,
    pub all_records: u64,
}

/// Transactions of Java's producer, with its defaults. A commit is a call of `commitTransaction` behind a `flush`.
pub fn java_transactions(bootstrap: &str, topic: &str, load: &Transacting, processors: &[usize]) -> Result<Committed> {
    let Transacting { producers, records, warm_seconds, seconds } = load;
    let timing = [warm_seconds.to_string(), seconds.to_string()];
    let (producers, records) = (producers.to_string(), records.to_string());
    transaction_load(["produce", bootstrap, topic, &timing[0], &timing[1], &producers, &records], processors)
}

/// A loop of Java's consumer and producer, with their defaults: what is read, where it is written and the offsets of a
/// transaction belong together.
pub fn java_copy(bootstrap: &str, (from, to): (&str, &str), load: &Copying, processors: &[usize]) -> Result<Committed> {
    let Copying { records, warm_seconds, seconds } = load;
    let timing = [warm_seconds.to_string(), seconds.to_string()];
    transaction_load(["copy", bootstrap, from, &timing[0], &timing[1], to, &records.to_string()], processors)
}

fn transaction_load(arguments: [&str; 7], processors: &[usize]) -> Result<Committed> {
    let mut command = java("TransactionLoad", processors);
    command.args(arguments);
    let text = program::run_within(command, Input::Nothing, DEADLINE)?.text();
    let last = text.lines().rfind(|line| line.starts_with('{')).with_context(|| text.clone())?;
    let found: Transacted = serde_json::from_str(last).with_context(|| text.clone())?;
    let (count, p50, p99) = (found.transactions, found.p50_us, found.p99_us);
    let acknowledged_us = Quantiles { count, p50, p99, p999: found.p999_us, max: found.max_us };
    let produced = Tally { requests: found.transactions, records: found.records, bytes: 0 };
    let outcome = Outcome { seconds: found.seconds, produced, acknowledged_us, ..Outcome::default() };
    Ok(Committed { outcome, all_transactions: found.all_transactions, all_records: found.all_records })
}

fn java(class: &str, processors: &[usize]) -> Command {
    let mut command = Command::new("java");
    // As Kafka's scripts start it.
    command.args(["-Xmx512M", "-XX:+UseG1GC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"]);
    command.arg(cache::java_class_path()).arg(class);
    program::hold_to(&mut command, processors);
    command
}

/// `rdkafka_performance -P`; records per second that were delivered. It lingers for the library's own 5 ms: the program's
/// second, which it waits for its last batch, would be most of the time.
pub fn rdkafka_produce(bootstrap: &str, topic: &str, sending: &Sending, processors: &[usize]) -> Result<f64> {
    let Sending { records, value_bytes, acks, codec } = sending;
    let mut command = rdkafka(processors)?;
    let (records, size) = (records.to_string(), value_bytes.to_string());
    let acks = if *acks == "all" { "-1" } else { acks };
    command.args(["-P", "-t", topic, "-b", bootstrap, "-c", &records, "-s", &size, "-a", acks, "-z", codec, "-q"]);
    let queue = ["queue.buffering.max.kbytes=1048576", "queue.buffering.max.messages=500000"];
    for property in queue.into_iter().chain(["message.max.bytes=2000000", "linger.ms=5"]) {
        command.args(["-X", property]);
    }
    let text = program::run_within(command, Input::Nothing, DEADLINE)?.text();
    let last = text.lines().rfind(|line| line.contains(" msgs/s and ")).with_context(|| text.clone())?;
    ensure!(last.contains(&format!(" {records} delivered ")), "{last}");
    number_before(last, " msgs/s")
}

/// `rdkafka_performance -C` of one partition; records per second.
pub fn rdkafka_consume(bootstrap: &str, topic: &str, records: u64, processors: &[usize]) -> Result<f64> {
    let mut command = rdkafka(processors)?;
    let count = records.to_string();
    command.args(["-C", "-t", topic, "-p", "0", "-b", bootstrap, "-o", "beginning", "-c", &count, "-q"]);
    let text = program::run_within(command, Input::Nothing, DEADLINE)?.text();
    let last = text.lines().rfind(|line| line.contains(" consumed in ")).with_context(|| text.clone())?;
    number_before(last, " msgs/s")
}

fn rdkafka(processors: &[usize]) -> Result<Command> {
    let program = std::env::var_os("KLAMM_RDKAFKA_PERFORMANCE").context("KLAMM_RDKAFKA_PERFORMANCE names nothing")?;
    let mut command = Command::new(program);
    program::hold_to(&mut command, processors);
    Ok(command)
}

/// The number that stands before some words.
fn number_before(text: &str, words: &str) -> Result<f64> {
    let end = text.find(words).with_context(|| format!("no `{words}` in `{text}`"))?;
    let start = text[..end].rfind(' ').map_or(0, |at| at + 1);
    text[start..end].parse().with_context(|| format!("no number in `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found() {
        assert_eq!(number_before("a 12.5 msgs/s and", " msgs/s").unwrap(), 12.5);
        assert_eq!(number_before("7 msgs/s", " msgs/s").unwrap(), 7.0);
        assert!(number_before("x", " msgs/s").is_err());
    }
}
