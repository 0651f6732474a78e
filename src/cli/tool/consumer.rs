//! `kafka-console-consumer` (`ConsoleConsumer`, `DefaultMessageFormatter`): the records of a topic, each on a line.

use std::io::{self, Write};
use std::time::Duration;

use super::{connect, metadata};
use crate::cli::args::Given;
use crate::cli::client::{Client, check};
use crate::io::clock;
use crate::model::ApiKey;
use crate::record::batches::Batches;
use crate::wire::api::{fetch, list_offsets};

/// Later versions name topics by their ids.
const BY_NAME: i16 = 12;
/// How long the broker waits for records.
const WAIT_MS: i32 = 500;
const FETCH_BYTES: i32 = 8 << 20;
/// What a batch may come to when it is unpacked.
const UNPACKED_BYTES: usize = 256 << 20;
/// `ListOffsetsRequest.EARLIEST_TIMESTAMP`, `LATEST_TIMESTAMP`
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

struct Settings {
    topic: String,
    partition: Option<i32>,
    from_beginning: bool,
    most_records: Option<u64>,
    patience: Option<Duration>,
    has_key: bool,
    separator: String,
}

pub(super) fn run(given: &Given) -> Result<(), String> {
    let settings = settings(given)?;
    let mut client = connect(given)?;
    let mut places = places(&mut client, &settings)?;
    let (mut shown, mut last) = (0, clock::now());
    let is_enough = |shown: u64| settings.most_records.is_some_and(|most| shown >= most);
    while !is_enough(shown) {
        let before = shown;
        shown += fetch(&mut client, &settings, &mut places, shown)?;
        let now = clock::now();
        if shown > before {
            last = now;
        } else if settings.patience.is_some_and(|patience| now.since(last) >= patience) {
            break;
        }
    }
    eprintln!("Processed a total of {shown} messages");
    Ok(())
}

fn settings(given: &Given) -> Result<Settings, String> {
    let (mut has_key, mut separator) = (false, "\t".to_string());
    for property in given.texts("property")?.into_iter().chain(given.texts("formatter-property")?) {
        match property.split_once('=') {
            Some(("print.key", value)) => has_key = value.trim().eq_ignore_ascii_case("true"),
            Some(("key.separator", value)) => separator = value.to_string(),
            _ => {}
        }
    }
    Ok(Settings {
        topic: given.text("topic")?.ok_or("Missing required argument \"[topic]\"")?,
        partition: given.parsed("partition")?,
        from_beginning: given.has("from-beginning"),
        most_records: given.parsed::<i64>("max-messages")?.and_then(|most| u64::try_from(most).ok()),
        patience: given.parsed("timeout-ms")?.map(Duration::from_millis),
        has_key,
        separator,
    })
}

/// Each partition with the offset that is read next.
fn places(client: &mut Client, settings: &Settings) -> Result<Vec<(i32, i64)>, String> {
    let mut answer = Vec::new();
    let told = metadata(client, Some(&[&settings.topic]), true, &mut answer)?;
    let found = told.topics.first().ok_or("the broker says nothing about the topic")?;
    check(found.error_code, None).map_err(|reason| format!("{}: {reason}", settings.topic))?;
    let partitions = found.partitions.iter().map(|partition| partition.partition_index);
    let partitions: Vec<i32> =
        partitions.filter(|index| settings.partition.is_none_or(|only| only == *index)).collect();
    if partitions.is_empty() {
        return Err(format!("the topic {} has no such partition", settings.topic));
    }
    let partition = |index: &i32| list_offsets::ListOffsetsPartition {
        partition_index: *index,
        timestamp: if settings.from_beginning { EARLIEST } else { LATEST },
        ..Default::default()
    };
    let topic = list_offsets::ListOffsetsTopic {
        name: settings.topic.clone().into(),
        partitions: partitions.iter().map(partition).collect(),
    };
    let request = list_offsets::Request { replica_id: -1, topics: vec![topic], ..Default::default() };
    let mut answer = Vec::new();
    let told: list_offsets::Response<'_> = client.ask(ApiKey::ListOffsets, &request, &mut answer)?;
    let mut places = Vec::new();
    for partition in told.topics.iter().flat_map(|topic| &topic.partitions) {
        check(partition.error_code, None)?;
        places.push((partition.partition_index, partition.offset));
    }
    Ok(places)
}

/// Shows what comes next, and moves the places on; `shown` is how many records were shown before. Answers how many were now.
fn fetch(client: &mut Client, settings: &Settings, places: &mut [(i32, i64)], shown: u64) -> Result<u64, String> {
    let partition = |(partition, fetch_offset): &(i32, i64)| fetch::FetchPartition {
        partition: *partition,
        fetch_offset: *fetch_offset,
        partition_max_bytes: FETCH_BYTES,
        ..Default::default()
    };
    let topic = fetch::FetchTopic {
        topic: settings.topic.clone().into(),
        partitions: places.iter().map(partition).collect(),
        ..Default::default()
    };
    let request = fetch::Request {
        max_wait_ms: WAIT_MS,
        min_bytes: 1,
        max_bytes: FETCH_BYTES,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let mut answer = Vec::new();
    let told: fetch::Response<'_> = client.ask_up_to((ApiKey::Fetch, BY_NAME), &request, &mut answer)?;
    check(told.error_code, None)?;
    let mut count = 0;
    for partition in told.responses.iter().flat_map(|topic| &topic.partitions) {
        check(partition.error_code, None)?;
        let place = places.iter_mut().find(|(index, _)| *index == partition.partition_index);
        let Some((_, next)) = place else { continue };
        for batch in Batches::new(partition.records.as_deref().unwrap_or_default()) {
            let Ok(batch) = batch else { break };
            let unpacked = batch.unpack(UNPACKED_BYTES).map_err(|error| error.to_string())?;
            let mut records = batch.records(&unpacked);
            while let Some(record) = records.next() {
                let record = record.map_err(|error| error.to_string())?;
                let offset = records.offset(&record);
                if batch.header.is_control() || offset < *next {
                    continue;
                }
                if settings.most_records.is_some_and(|most| shown + count >= most) {
                    return Ok(count);
                }
                show(settings, record.key, record.value);
                (count, *next) = (count + 1, offset + 1);
            }
            *next = (*next).max(batch.header.last_offset().0 + 1);
        }
    }
    Ok(count)
}

fn show(settings: &Settings, key: Option<&[u8]>, value: Option<&[u8]>) {
    let mut line = Vec::new();
    if settings.has_key {
        line.extend_from_slice(key.unwrap_or(b"null"));
        line.extend_from_slice(settings.separator.as_bytes());
    }
    line.extend_from_slice(value.unwrap_or(b"null"));
    line.push(b'\n');
    let mut out = io::stdout().lock();
    // A reader that wants no more of it ends the tool, as the signal of a broken pipe would.
    if out.write_all(&line).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
