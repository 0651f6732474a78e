//! The bytes that the generator sends and reads: frames are built once, by the crate `kafka-protocol`, and sent many times.

use bytes::Bytes;
use compat_tests::batch::{Outgoing, Record};
use compat_tests::raw::{body, frame, topic_name};
use compat_tests::{Context, Result, ensure};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{BrokerId, FetchRequest, ProduceRequest, ProduceResponse, ResponseHeader};
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request};
use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

/// Versions that all brokers have that are measured.
const PRODUCE: i16 = 9;
pub(super) const FETCH: i16 = 11;
const PRODUCE_TIMEOUT_MS: i32 = 30_000;
/// What Kafka's consumers ask for.
pub(super) const FETCH_MAX_BYTES: i32 = 50 << 20;
pub(super) const PARTITION_MAX_BYTES: i32 = 1 << 20;
pub(super) const FETCH_MAX_WAIT_MS: i32 = 500;
/// No answer to a produce is larger.
const MAX_ANSWER: usize = 64 << 10;
/// What is looked at of each batch that a fetch brings: its header and the time in its first record.
pub(super) const HEAD_BYTES: usize = 128;

/// A batch's checksum covers what stands from here on.
const CHECKED_FROM: usize = 21;
const CHECKSUM_AT: usize = 17;
/// Where a batch has its producer's id, and the epoch behind it.
const PRODUCER_AT: usize = 43;
/// Marks the place of the time in the first record's value, to be found once in a new batch.
const MARK: [u8; 8] = *b"\xffKLAMM!\xff";

/// One produce request for one partition, ready to be sent again and again.
pub(super) struct ProduceFrame {
    pub(super) bytes: Vec<u8>,
    batch: std::ops::Range<usize>,
    time_at: Option<usize>,
}

/// What a request carries.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) records: usize,
    pub(super) value_bytes: usize,
    pub(super) codec: i16,
    pub(super) acks: i16,
    pub(super) has_keys: bool,
}

impl ProduceFrame {
    pub(super) fn new(topic: &str, partition: i32, shape: &Shape) -> Result<ProduceFrame> {
        let batch = records(shape).encode()?;
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(Bytes::from(batch.clone())));
        let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(shape.acks)
            .with_timeout_ms(PRODUCE_TIMEOUT_MS)
            .with_topic_data(vec![topic]);
        let bytes = with_length(&request, PRODUCE)?;
        let at = find(&bytes, &batch).context("the batch is not in its request")?;
        let time_at = find(&bytes, &MARK);
        ensure!(time_at.is_some() || shape.codec != 0, "values of less than eight bytes have no place for a time");
        ensure!(time_at.is_none_or(|time_at| time_at + 8 <= at + HEAD_BYTES), "nobody would look for the time there");
        Ok(ProduceFrame { bytes, batch: at..at + batch.len(), time_at })
    }

    /// Writes when it should have been sent into the first record. A compressed one has no such place.
    pub(super) fn stamp(&mut self, time_ns: u64) {
        let Some(at) = self.time_at else { return };
        self.bytes[at..at + 8].copy_from_slice(&time_ns.to_be_bytes());
        seal(&mut self.bytes[self.batch.clone()]);
    }

    #[cfg(test)]
    pub(super) fn batch(&self) -> &[u8] {
        &self.bytes[self.batch.clone()]
    }

    /// How far behind its batch's beginning the time stands, for who reads it.
    pub(super) fn time_in_batch(&self) -> Option<usize> {
        self.time_at.map(|at| at - self.batch.start)
    }
}

/// Says in whose name a batch is, and with that in which transaction.
pub(super) fn sign(batch: &mut [u8], producer_id: i64, epoch: i16) {
    batch[PRODUCER_AT..PRODUCER_AT + 8].copy_from_slice(&producer_id.to_be_bytes());
    batch[PRODUCER_AT + 8..PRODUCER_AT + 10].copy_from_slice(&epoch.to_be_bytes());
    seal(batch);
}

fn seal(batch: &mut [u8]) {
    let checksum = crc32c::crc32c(&batch[CHECKED_FROM..]);
    batch[CHECKSUM_AT..CHECKED_FROM].copy_from_slice(&checksum.to_be_bytes());
}

/// Values of text-like bytes, which a codec can make about a third of.
pub(super) fn records(shape: &Shape) -> Outgoing {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut letter = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b"etaoinshrdlu    "[(state >> 60) as usize]
    };
    // Of today, or retention takes it away while it is read.
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let record = |n: usize| {
        let mut value: Vec<u8> = (0..shape.value_bytes).map(|_| letter()).collect();
        if n == 0 && value.len() >= MARK.len() {
            value[..MARK.len()].copy_from_slice(&MARK);
        }
        let key = shape.has_keys.then(|| format!("key-{:06}", n % 1000).into_bytes());
        Record { timestamp, key, value: Some(value), headers: Vec::new() }
    };
    Outgoing { records: (0..shape.records).map(record).collect(), codec: shape.codec, ..Outgoing::default() }
}

pub(super) fn with_length<R: Request>(request: &R, version: i16) -> Result<Vec<u8>> {
    let frame = frame(R::KEY, version, 0, R::header_version(version), &body(request, version)?);
    let mut bytes = (frame.len() as u32).to_be_bytes().to_vec();
    bytes.extend(frame);
    Ok(bytes)
}

pub(super) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// A fetch of these partitions from these offsets, without a session.
pub(super) fn fetch_frame(topic: &str, partitions: &[(i32, i64)]) -> Result<Vec<u8>> {
    let asked = partitions.iter().map(|(partition, offset)| {
        FetchPartition::default()
            .with_partition(*partition)
            .with_current_leader_epoch(-1)
            .with_fetch_offset(*offset)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(PARTITION_MAX_BYTES)
    });
    let named = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(asked.collect());
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(FETCH_MAX_WAIT_MS)
        .with_min_bytes(1)
        .with_max_bytes(FETCH_MAX_BYTES)
        .with_session_epoch(-1)
        .with_topics(vec![named]);
    with_length(&request, FETCH)
}

/// Reads one answer into a buffer that is used again.
pub(super) fn read_answer(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<()> {
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let size = u32::from_be_bytes(size) as usize;
    ensure!(size <= MAX_ANSWER, "an answer of {size} bytes");
    buffer.resize(size, 0);
    stream.read_exact(buffer).context("the rest of an answer")
}

/// Fails on an answer that says anything but that the batch was taken.
pub(super) fn check_produced(answer: &[u8]) -> Result<()> {
    let mut bytes = Bytes::copy_from_slice(answer);
    ResponseHeader::decode(&mut bytes, ProduceResponse::header_version(PRODUCE))?;
    let response = ProduceResponse::decode(&mut bytes, PRODUCE)?;
    let answered = response.responses.first().and_then(|topic| topic.partition_responses.first());
    let code = answered.context("no partition in the answer")?.error_code;
    ensure!(code == 0, "a produce was answered with error {code}");
    Ok(())
}
