//! What is compacted and what is deleted by one broker, and goes on with the next.

use crate::{create, new_producer_id};
use compat_tests::batch::{Incoming, Outgoing, Record};
use compat_tests::broker::Broker;
use compat_tests::raw::{PATIENCE, Raw};
use compat_tests::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const COMPACTED: &str = "compacted";
const SHORTENED: &str = "shortened";
/// Between two looks at a file.
const PAUSE: Duration = Duration::from_millis(20);
/// Of both topics: a few batches.
const SEGMENT_BYTES: (&str, &str) = ("internal.segment.bytes", "500");

/// A compacted topic that one idempotent producer fills: every record that it ever sent, by offset.
pub struct Compacted {
    producer_id: i64,
    timestamp: i64,
    sent: Vec<Record>,
    /// Where the last batch began.
    last_batch: usize,
}

const KEYS: usize = 7;
const RECORDS_PER_BATCH: usize = 3;
const BATCHES: usize = 12;

impl Compacted {
    pub fn begin(raw: &mut Raw) -> Result<Compacted> {
        let policy = [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.0"), SEGMENT_BYTES];
        create(raw, COMPACTED, &[&policy[..], &[("delete.retention.ms", "1000")]].concat())?;
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
        Ok(Compacted { producer_id: new_producer_id(raw)?, timestamp, sent: Vec::new(), last_batch: 0 })
    }

    pub fn producer_id(&self) -> i64 {
        self.producer_id
    }

    /// A key comes again after a few batches; each fourth batch is one of tombstones.
    fn record(&self, at: usize) -> Record {
        let is_tombstone = at / RECORDS_PER_BATCH % 4 == 3;
        Record {
            timestamp: self.timestamp + at as i64,
            key: Some(format!("key-{}", at % KEYS).into_bytes()),
            value: (!is_tombstone).then(|| format!("value {at}").into_bytes()),
            headers: vec![("at".into(), Some(at.to_string().into_bytes()))],
        }
    }

    fn send(&self, raw: &mut Raw, from: usize) -> Result<(i16, i64)> {
        let batch = Outgoing {
            records: (from..from + RECORDS_PER_BATCH).map(|at| self.record(at)).collect(),
            codec: (from / RECORDS_PER_BATCH % 5) as i16,
            producer_id: self.producer_id,
            producer_epoch: 0,
            base_sequence: from as i32,
            ..Outgoing::default()
        };
        let answer = raw.produce(COMPACTED, batch.encode()?)?;
        Ok((answer.error_code, answer.base_offset))
    }

    /// Sends more and waits until this broker has compacted all that it may.
    pub fn go_on(&mut self, broker: &Broker, raw: &mut Raw) -> Result<()> {
        for _ in 0..BATCHES {
            let from = self.sent.len();
            let found = self.send(raw, from)?;
            ensure!(found == (0, from as i64), "the batch at {from} was answered with {found:?}");
            let records: Vec<_> = (from..from + RECORDS_PER_BATCH).map(|at| self.record(at)).collect();
            self.sent.extend(records);
            self.last_batch = from;
        }
        let active = base_offsets(broker, COMPACTED)?.last().copied().context("no segment")?;
        await_checkpoint(broker, "cleaner-offset-checkpoint", &format!("{COMPACTED} 0 {active}"))
    }

    /// The last record of each key is there, below the checkpoint nothing else, and nothing has changed.
    pub fn check(&self, broker: &Broker, raw: &mut Raw) -> Result<()> {
        let cleaned_to = checkpointed(broker, "cleaner-offset-checkpoint", COMPACTED)?.unwrap_or(0);
        let end = raw.end_offset(COMPACTED, 0)?;
        ensure!(end == self.sent.len() as i64, "it ends at {end}, expected {}", self.sent.len());
        let mut latest: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
        for (offset, record) in read(raw, COMPACTED, 0, end)? {
            ensure!(record == self.sent[offset as usize], "offset {offset} holds {record:?}");
            let before = latest.insert(record.key.unwrap_or_default(), offset);
            ensure!(before.is_none() || offset >= cleaned_to, "{before:?} and {offset} have one key");
        }
        let mut wanted = BTreeMap::new();
        for (offset, record) in self.sent.iter().enumerate() {
            wanted.insert(record.key.clone().unwrap_or_default(), (offset as i64, record.value.is_none()));
        }
        for (key, (offset, is_tombstone)) in wanted {
            let found = latest.get(&key).copied();
            let may_be_gone = is_tombstone && offset < cleaned_to;
            ensure!(found == Some(offset) || may_be_gone, "the last of {key:?} is at {found:?}, not {offset}");
        }
        if end > 0 {
            let found = self.send(raw, self.last_batch)?;
            ensure!(found == (0, self.last_batch as i64), "the repeated batch was answered with {found:?}");
        }
        Ok(())
    }
}

/// A topic whose beginning was deleted, in the middle of a segment.
pub struct Shortened {
    end: i64,
    start: i64,
}

const SHORTENED_RECORDS: i64 = 40;

impl Shortened {
    pub fn begin(raw: &mut Raw) -> Result<Shortened> {
        create(raw, SHORTENED, &[SEGMENT_BYTES])?;
        Ok(Shortened { end: 0, start: 0 })
    }

    fn record(at: i64) -> Record {
        let value = Some(format!("value {at}").into_bytes());
        Record { timestamp: at, key: None, value, headers: Vec::new() }
    }

    pub fn go_on(&mut self, broker: &Broker, raw: &mut Raw) -> Result<()> {
        for at in self.end..self.end + SHORTENED_RECORDS {
            let batch = Outgoing { records: vec![Self::record(at)], ..Outgoing::default() };
            let answer = raw.produce(SHORTENED, batch.encode()?)?;
            ensure!((answer.error_code, answer.base_offset) == (0, at), "{answer:?}");
        }
        self.end += SHORTENED_RECORDS;
        let bases: BTreeSet<i64> = base_offsets(broker, SHORTENED)?.into_iter().collect();
        // Not at the edge of a segment: there no checkpoint would be needed.
        let inside = |start: &i64| !bases.contains(start);
        self.start = (self.end - SHORTENED_RECORDS / 2..self.end).find(inside).context("no such offset")?;
        let found = raw.delete_records(SHORTENED, self.start, 2)?;
        ensure!(found == (0, self.start), "DeleteRecords was answered with {found:?}");
        // What a kill may undo is only what no checkpoint holds.
        await_checkpoint(broker, "log-start-offset-checkpoint", &format!("{SHORTENED} 0 {}", self.start))
    }

    pub fn check(&self, raw: &mut Raw) -> Result<()> {
        let found = (raw.offset(SHORTENED, 0, -2)?, raw.end_offset(SHORTENED, 0)?);
        ensure!(found == ((0, self.start), self.end), "it goes from {found:?}, not {} to {}", self.start, self.end);
        let records = read(raw, SHORTENED, self.start, self.end)?;
        let wanted: Vec<_> = (self.start..self.end).map(|at| (at, Self::record(at))).collect();
        ensure!(records == wanted, "it holds {records:?}");
        if self.start > 0 {
            let error = raw.fetch(SHORTENED, self.start - 1)?.error_code;
            ensure!(error == 1, "a fetch below the start was answered with {error}");
        }
        Ok(())
    }
}

fn read(raw: &mut Raw, topic: &str, start: i64, end: i64) -> Result<Vec<(i64, Record)>> {
    let mut records = Vec::new();
    let mut next = start;
    while next < end {
        let found = raw.fetch(topic, next)?;
        ensure!(found.error_code == 0, "a fetch at {next} was answered with {}", found.error_code);
        let mut bytes = found.records.unwrap_or_default();
        let before = next;
        while let Some(batch) = Incoming::take(&mut bytes)? {
            ensure!(batch.last_offset >= next, "the batch at {} comes after {next}", batch.base_offset);
            next = batch.last_offset + 1;
            records.extend(batch.records.into_iter().filter(|(offset, _)| *offset >= start));
        }
        ensure!(next > before, "nothing at {next}");
    }
    Ok(records)
}

/// Base offsets of the partition's segments, in order.
fn base_offsets(broker: &Broker, topic: &str) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(broker.data().join(format!("{topic}-0")))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        found.extend(name.strip_suffix(".log").map(str::parse::<i64>).transpose()?);
    }
    found.sort();
    Ok(found)
}

fn checkpointed(broker: &Broker, file: &str, topic: &str) -> Result<Option<i64>> {
    let text = fs::read_to_string(broker.data().join(file)).unwrap_or_default();
    let name = format!("{topic} 0 ");
    Ok(text.lines().find_map(|line| line.strip_prefix(&name)).map(str::parse).transpose()?)
}

fn await_checkpoint(broker: &Broker, file: &str, wanted: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(broker.data().join(file)).unwrap_or_default();
        if text.lines().any(|line| line == wanted) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{file} never says {wanted}: {text}");
        std::thread::sleep(PAUSE);
    }
}
