//! `kafka-console-producer` (`ConsoleProducer`): each line of standard input is a record.

mod lines;

use std::io::{self, BufReader, Read};
use std::time::Duration;

use super::options::missing;
use super::{BY_NAME, TIMEOUT_MS, connect, partitions};
use crate::cli::args::Given;
use crate::cli::client::{Client, check};
use crate::cli::printable::printable;
use crate::io::clock;
use crate::model::ApiKey;
use crate::model::java_hash::partition_of_key;
use crate::record::builder::{Builder, Options};
use crate::wire::api::produce;
use lines::LineFormat;

/// What goes into one request, as long as more lines are at hand.
const BATCH_BYTES: usize = 64 * 1024;
/// How long a topic is waited for (`max.block.ms`).
const PATIENCE: Duration = Duration::from_secs(60);

struct Settings {
    topic: String,
    acks: i16,
    format: LineFormat,
}

pub(super) fn run(given: &Given) -> Result<(), String> {
    let settings = settings(given)?;
    let mut client = connect(given)?;
    let Some(found) = partitions(&mut client, &settings.topic, Some(PATIENCE))? else {
        let (topic, ms) = (printable(&settings.topic), PATIENCE.as_millis());
        return Err(format!("Topic {topic} not present in metadata after {ms} ms."));
    };
    let mut batches =
        Batches { partitions: (0..found.len()).map(|_| Builder::new(Options::default())).collect(), next: 0 };
    let read = produce(&mut client, &settings, &mut batches, BufReader::new(io::stdin().lock()));
    // A line that cannot be read ends it behind the ones in front of it.
    let sent = send(&mut client, &settings, &mut batches);
    read.and(sent)
}

fn settings(given: &Given) -> Result<Settings, String> {
    let acks = match given.text("request-required-acks")?.as_deref() {
        None | Some("all" | "-1") => -1,
        Some("0") => 0,
        Some("1") => 1,
        Some(other) => return Err(format!("--request-required-acks is 0, 1, -1 or all, not {other:?}")),
    };
    let topic = given.text("topic")?.ok_or_else(|| missing("topic"))?;
    Ok(Settings { topic, acks, format: LineFormat::of(given)? })
}

/// What is to be sent to each partition.
struct Batches {
    partitions: Vec<Builder>,
    /// Where records without a key go.
    next: usize,
}

/// Sends the lines of the input, as many at a time as are at hand. What was read last may still be in the batches.
fn produce(
    client: &mut Client,
    settings: &Settings,
    batches: &mut Batches,
    mut input: BufReader<impl Read>,
) -> Result<(), String> {
    let (mut line, mut number, mut pending_bytes) = (Vec::new(), 0, 0);
    while lines::read_line(&mut input, &mut line)? {
        number += 1;
        let record = settings.format.read(&line, number)?;
        let partition = record.key.map_or(batches.next, |key| of_key(key, batches.partitions.len()));
        record.append_to(&mut batches.partitions[partition], clock::wall());
        pending_bytes += line.len();
        if pending_bytes >= BATCH_BYTES || input.buffer().is_empty() {
            send(client, settings, batches)?;
            pending_bytes = 0;
            batches.next = (batches.next + 1) % batches.partitions.len();
        }
    }
    Ok(())
}

/// `BuiltInPartitioner.partitionForKey`
fn of_key(key: &[u8], count: usize) -> usize {
    partition_of_key(key, count)
}

/// Sends what there is, and waits for the acknowledgements that are asked for.
fn send(client: &mut Client, settings: &Settings, batches: &mut Batches) -> Result<(), String> {
    let full = batches.partitions.iter_mut().enumerate().filter(|(_, batch)| !batch.is_empty());
    let partition_data: Vec<_> = full
        .map(|(index, batch)| {
            let built = std::mem::replace(batch, Builder::new(Options::default())).build();
            produce::PartitionProduceData { index: index as i32, records: Some(built.into()) }
        })
        .collect();
    if partition_data.is_empty() {
        return Ok(());
    }
    let topic = produce::TopicProduceData { name: settings.topic.clone().into(), partition_data, ..Default::default() };
    let (acks, timeout_ms) = (settings.acks, TIMEOUT_MS);
    let request = produce::Request { acks, timeout_ms, topic_data: vec![topic], ..Default::default() };
    if acks == 0 {
        return client.post((ApiKey::Produce, BY_NAME), &request).map(drop);
    }
    let told: produce::Response<'_> = client.ask_up_to((ApiKey::Produce, BY_NAME), &request)?;
    let mut partitions = told.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.try_for_each(|partition| check(partition.error_code, partition.error_message.as_deref()))
}
