//! `kafka-console-consumer` (`ConsoleConsumer`): the records of a topic, written to standard output.

mod format;

use std::collections::BTreeMap;
use std::time::Duration;

use super::options::missing;
use super::{BY_NAME, PAUSE, connect, is_passing, partitions, put};
use crate::cli::args::Given;
use crate::cli::client::{Client, check};
use crate::cli::printable::printable;
use crate::io::{clock, threads};
use crate::model::{ApiKey, ErrorCode, Instant};
use crate::record::batches::Batches;
use crate::wire::api::{fetch, list_offsets};
use format::Format;

/// How long the broker waits for records, at most (`fetch.max.wait.ms`).
const WAIT: Duration = Duration::from_millis(500);
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
    /// How long it waits for a record; `None`: for ever.
    patience: Option<Duration>,
    format: Format,
}

pub(super) fn run(given: &Given) -> Result<(), String> {
    let settings = settings(given)?;
    let mut consumer = Consumer { client: connect(given)?, settings, places: BTreeMap::new(), shown: 0 };
    let consumed = consumer.consume();
    eprintln!("Processed a total of {} messages", consumer.shown);
    consumed
}

fn settings(given: &Given) -> Result<Settings, String> {
    if given.has("partition") && given.has("group") {
        return Err("Options group and partition cannot be specified together.".into());
    }
    let most_records: Option<i32> = given.parsed("max-messages")?;
    let patience: Option<i64> = given.parsed("timeout-ms")?;
    Ok(Settings {
        topic: given.text("topic")?.ok_or_else(|| missing("topic"))?,
        partition: given.parsed("partition")?,
        from_beginning: given.has("from-beginning"),
        most_records: most_records.filter(|most| *most != -1).map(|most| u64::try_from(most).unwrap_or(0)),
        patience: patience.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
        format: Format::of(given)?,
    })
}

struct Consumer {
    client: Client,
    settings: Settings,
    /// The offset of each partition that is read next.
    places: BTreeMap<i32, i64>,
    shown: u64,
}

impl Consumer {
    /// Until there are enough, or none has come for too long.
    fn consume(&mut self) -> Result<(), String> {
        let mut last = clock::now();
        let Some(found) = partitions(&mut self.client, &self.settings.topic, self.settings.patience)? else {
            return Ok(());
        };
        let is_meant = |index: &i32| self.settings.partition.is_none_or(|only| only == *index);
        let found: Vec<i32> = found.into_iter().filter(is_meant).collect();
        if found.is_empty() {
            return Err(format!("the topic {} has no such partition", printable(&self.settings.topic)));
        }
        self.begin(&found)?;
        while self.left() > 0 {
            let Some(wait) = self.wait(last) else { break };
            let before = self.shown;
            self.fetch(wait)?;
            if self.shown > before {
                last = clock::now();
            }
        }
        Ok(())
    }

    /// How many records are still to be shown.
    fn left(&self) -> u64 {
        self.settings.most_records.map_or(u64::MAX, |most| most.saturating_sub(self.shown))
    }

    /// How long the next fetch may wait; `None`: the time is over.
    fn wait(&self, last: Instant) -> Option<Duration> {
        let Some(patience) = self.settings.patience else { return Some(WAIT) };
        let left = patience.checked_sub(clock::now().since(last)).filter(|left| !left.is_zero());
        left.map(|left| left.min(WAIT))
    }

    /// Finds where these partitions are read from: their beginning or their end (`auto.offset.reset`).
    fn begin(&mut self, partitions: &[i32]) -> Result<(), String> {
        let partition = |index: &i32| list_offsets::ListOffsetsPartition {
            partition_index: *index,
            timestamp: if self.settings.from_beginning { EARLIEST } else { LATEST },
            ..Default::default()
        };
        let topic = list_offsets::ListOffsetsTopic {
            name: self.settings.topic.clone().into(),
            partitions: partitions.iter().map(partition).collect(),
        };
        let request = list_offsets::Request { replica_id: -1, topics: vec![topic], ..Default::default() };
        let told: list_offsets::Response<'_> = self.client.ask(ApiKey::ListOffsets, &request)?;
        for partition in told.topics.iter().flat_map(|topic| &topic.partitions) {
            check(partition.error_code, None)?;
            self.places.insert(partition.partition_index, partition.offset);
        }
        Ok(())
    }

    /// Shows what comes next, and moves the places on.
    fn fetch(&mut self, wait: Duration) -> Result<(), String> {
        let request = self.request(wait);
        let mut left = self.left();
        let told: fetch::Response<'_> = self.client.ask_up_to((ApiKey::Fetch, BY_NAME), &request)?;
        check(told.error_code, None)?;
        let (mut out, mut lost, mut is_troubled) = (Vec::new(), Vec::new(), false);
        for partition in told.responses.iter().flat_map(|topic| &topic.partitions) {
            let index = partition.partition_index;
            match partition.error_code {
                0 => {}
                code if code == ErrorCode::OffsetOutOfRange.code() => lost.push(index),
                code if is_passing(code) => is_troubled = true,
                code => check(code, None)?,
            }
            let Some(next) = self.places.get_mut(&index) else { continue };
            let records = partition.records.as_deref().unwrap_or_default();
            let before = left;
            read(records, next, &mut left, |shown| self.settings.format.append(&mut out, index, &shown))?;
            self.shown += before - left;
        }
        put(&out);
        if !lost.is_empty() {
            self.begin(&lost)?;
        }
        if is_troubled {
            threads::wait(PAUSE);
        }
        Ok(())
    }

    fn request(&self, wait: Duration) -> fetch::Request<'static> {
        let partition = |(partition, fetch_offset): (&i32, &i64)| fetch::FetchPartition {
            partition: *partition,
            fetch_offset: *fetch_offset,
            partition_max_bytes: FETCH_BYTES,
            ..Default::default()
        };
        let topic = fetch::FetchTopic {
            topic: self.settings.topic.clone().into(),
            partitions: self.places.iter().map(partition).collect(),
            ..Default::default()
        };
        fetch::Request {
            max_wait_ms: wait.as_millis() as i32,
            min_bytes: 1,
            max_bytes: FETCH_BYTES,
            session_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        }
    }
}

/// The records of these batches from `next` on, as long as any are `left`. Both are moved on.
fn read(bytes: &[u8], next: &mut i64, left: &mut u64, mut show: impl FnMut(format::Shown<'_>)) -> Result<(), String> {
    for batch in Batches::new(bytes) {
        let Ok(batch) = batch else { break };
        let unpacked = batch.unpack(UNPACKED_BYTES).map_err(|error| error.to_string())?;
        let mut records = batch.records(&unpacked);
        while let Some(record) = records.next() {
            let record = record.map_err(|error| error.to_string())?;
            let offset = records.offset(&record);
            if batch.header.is_control() || offset < *next {
                continue;
            }
            if *left == 0 {
                return Ok(());
            }
            let (kind, timestamp) = (batch.header.timestamp_type(), records.timestamp(&record));
            show(format::Shown { record: &record, offset, kind, timestamp });
            (*left, *next) = (*left - 1, offset + 1);
        }
        *next = (*next).max(batch.header.last_offset().0 + 1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::given_for_tests;

    #[test]
    fn numbers_below_zero_mean_what_they_do_in_kafka() {
        let of = |line: &str| {
            let settings = settings(&given_for_tests("console-consumer", &format!("--topic t {line}"))).unwrap();
            (settings.most_records, settings.patience)
        };
        assert_eq!(of(""), (None, None));
        assert_eq!(of("--max-messages -1 --timeout-ms -1"), (None, None));
        assert_eq!(of("--max-messages 3 --timeout-ms 0"), (Some(3), Some(Duration::ZERO)));
        assert_eq!(of("--max-messages -2 --timeout-ms -5"), (Some(0), None));
        let wrong = |line: &str| settings(&given_for_tests("console-consumer", line)).err().unwrap();
        assert_eq!(wrong(""), "Missing required argument \"[topic]\"");
        assert!(wrong("--topic t --partition 0 --group g").starts_with("Options group and partition"));
    }
}
