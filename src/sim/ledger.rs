//! The topics of transactional clients, and their readers of both isolation levels.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{BrokerId, FetchRequest, TopicName};
use kafka_protocol::records::RecordBatchDecoder;

use super::history::Object;
use super::oracle::transactions::{Read, Shown, Write};
use super::scene::{Actor, Known, Scene, text};
use super::wire::{Got, Wire, decode};
use crate::model::{ErrorCode, Instant};

/// What loops read, and what they write.
pub(super) const INPUT: usize = 0;
pub(super) const OUTPUT: usize = 1;
pub(super) const FETCH: i16 = 12;
const PATIENCE_MS: u64 = 15_000;
const BACKOFF_MS: u64 = 50;
const MAX_WAIT_MS: i32 = 300;
const BATCH_HEADER_BYTES: usize = 61;

/// What the lines of the history are about.
pub(super) fn object() -> Object {
    Object::Topic("transactions".into())
}

/// A Fetch without a session.
pub(super) fn fetch(ledger: &Known, from: &[(i32, i64)], is_committed: bool, max_bytes: i32) -> FetchRequest {
    let partition = |(partition, offset): &(i32, i64)| {
        let wanted = FetchPartition::default().with_partition(*partition).with_fetch_offset(*offset);
        wanted.with_partition_max_bytes(max_bytes)
    };
    let topic = FetchTopic::default()
        .with_topic(TopicName(text(&ledger.plan.name)))
        .with_partitions(from.iter().map(partition).collect());
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(MAX_WAIT_MS)
        .with_min_bytes(1)
        .with_max_bytes(max_bytes * 2)
        .with_isolation_level(i8::from(is_committed))
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

/// The partitions of an answer that can be read at the moment.
pub(super) fn take(scene: &mut Scene<'_>, ledger: usize, body: Bytes) -> Option<Vec<PartitionData>> {
    let response = decode::<FetchRequest>(scene, FETCH, body)?;
    let mut partitions = Vec::new();
    for data in response.responses.into_iter().flat_map(|topic| topic.partitions) {
        match ErrorCode::from_code(data.error_code) {
            Some(ErrorCode::None) => partitions.push(data),
            Some(ErrorCode::KafkaStorageError | ErrorCode::NotLeaderOrFollower) => {}
            error => {
                let object = scene.ledgers[ledger].object(data.partition_index);
                return scene.violated("a good fetch is answered", &[object], format!("{error:?}"));
            }
        }
    }
    Some(partitions)
}

/// What the reader's application is given, and where the next fetch begins. The last batch may be cut off. What was aborted
/// is left out, up to each marker (`CompletedFetch` of Kafka's client).
pub(super) fn unpack(
    scene: &mut Scene<'_>,
    data: &PartitionData,
    from: i64,
    is_committed: bool,
) -> Option<(i64, Vec<Read>)> {
    let mut records = data.records.clone().unwrap_or_default();
    let aborted = data.aborted_transactions.iter().flatten().filter(|_| is_committed);
    let mut aborted: BTreeSet<(i64, i64)> = aborted.map(|one| (one.first_offset, one.producer_id.0)).collect();
    let (mut next, mut seen, mut skipped) = (from, Vec::new(), BTreeSet::new());
    while records.len() >= BATCH_HEADER_BYTES {
        let size = 12 + i32::from_be_bytes(records[8..12].try_into().unwrap_or_default()) as usize;
        if records.len() < size {
            break;
        }
        let base = i64::from_be_bytes(records[..8].try_into().unwrap_or_default());
        let last = base + i64::from(i32::from_be_bytes(records[23..27].try_into().unwrap_or_default()));
        let mut batch = records.split_to(size);
        let decoded = match RecordBatchDecoder::decode(&mut batch) {
            Ok(decoded) => decoded,
            Err(error) => return scene.violated("what is served is whole", &[object()], format!("at {base}: {error}")),
        };
        while aborted.first().is_some_and(|(first, _)| *first <= last) {
            skipped.extend(aborted.pop_first().map(|(_, producer)| producer));
        }
        for record in &decoded.records {
            if record.control {
                // Version and type: an abort is 0.
                if record.key.as_deref().is_some_and(|key| key.get(2..4) == Some(&[0, 0])) {
                    skipped.remove(&record.producer_id);
                }
            } else if record.offset >= from && !skipped.contains(&record.producer_id) {
                let Some(write) = record.value.as_deref().and_then(parse) else {
                    return scene.violated("what is read was sent", &[object()], format!("at {}", record.offset));
                };
                seen.push((record.offset, write));
            }
        }
        next = next.max(last + 1);
    }
    Some((next, seen))
}

fn parse(value: &[u8]) -> Option<Write> {
    let (transaction, nth) = std::str::from_utf8(value).ok()?.split_once(':')?;
    Some(Write { transaction: transaction.parse().ok()?, nth: nth.parse().ok()? })
}

/// A reader of all partitions of one ledger, from the beginning on.
pub(super) struct Ledger {
    number: u32,
    ledger: usize,
    is_committed: bool,
    wire: Wire,
    positions: BTreeMap<i32, i64>,
    /// Partitions of which it has seen the end at rest, and nothing open before it. What it saw before says nothing: a
    /// throttled reader may wait for its next answer for longer than all others take to settle.
    ended: BTreeSet<i32>,
    is_asking: bool,
    due: Instant,
}

impl Ledger {
    pub(super) const MOST_PARTITIONS: u64 = 3;

    pub(super) fn new(number: u32, ledger: usize, is_committed: bool) -> Ledger {
        let (wire, positions, ended) = (Wire::default(), BTreeMap::new(), BTreeSet::new());
        Ledger { number, ledger, is_committed, wire, positions, ended, is_asking: false, due: Instant(0) }
    }

    /// It has read everything, and nothing is open.
    pub(super) fn has_ended(&self, partitions: i32) -> bool {
        self.ended.len() == partitions as usize
    }

    fn ask(&mut self, scene: &mut Scene<'_>) {
        let known = scene.ledgers[self.ledger].clone();
        let from: Vec<_> = (0..known.partitions).map(|at| (at, *self.positions.entry(at).or_default())).collect();
        let max_bytes = [150, 3000, 100_000][scene.random.below(3) as usize];
        let request = fetch(&known, &from, self.is_committed, max_bytes);
        self.is_asking = self.wire.post(scene, FETCH, &request).is_some();
        if !self.is_asking {
            self.due = scene.in_ms(BACKOFF_MS);
        }
    }

    fn take_in(&mut self, scene: &mut Scene<'_>, body: Bytes) {
        for data in take(scene, self.ledger, body).unwrap_or_default() {
            let partition = data.partition_index;
            let from = self.positions.get(&partition).copied().unwrap_or_default();
            let Some((next, records)) = unpack(scene, &data, from, self.is_committed) else { return };
            let known = scene.ledgers[self.ledger].clone();
            let (number, is_committed) = (self.number, self.is_committed);
            let (high_watermark, last_stable_offset) = (data.high_watermark, data.last_stable_offset);
            scene.history.note(object, || {
                let at = known.object(partition);
                format!("reader {number} of {at}, committed {is_committed}: {from} to {next} of {last_stable_offset}, {high_watermark}: {records:?}")
            });
            let shown = Shown { reader: number, is_committed, high_watermark, last_stable_offset, records: &records };
            let objects = [known.object(partition), object()];
            scene.oracle.judge_transactions(&objects, |known_of| known_of.shown((known.id, partition), &shown));
            self.positions.insert(partition, next);
            if scene.is_resting && next == high_watermark && last_stable_offset == high_watermark {
                self.ended.insert(partition);
            } else {
                self.ended.remove(&partition);
            }
        }
    }
}

impl Actor for Ledger {
    fn act(&mut self, scene: &mut Scene<'_>) {
        loop {
            match self.wire.poll(scene) {
                Got::Nothing => break,
                Got::Lost => self.is_asking = false,
                Got::Answer(_, body) => {
                    self.is_asking = false;
                    self.take_in(scene, body);
                }
            }
        }
        if self.wire.lose_patience(scene.now, PATIENCE_MS) || !self.wire.is_waiting() {
            self.is_asking = false;
        }
        if !self.is_asking && scene.now >= self.due {
            self.ask(scene);
        }
    }

    fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn is_settled(&self, _: &[Known]) -> bool {
        !self.positions.is_empty() && self.has_ended(self.positions.len() as i32)
    }

    fn name(&self) -> String {
        format!("reader {} of ledger {}", self.number, self.ledger)
    }
}
