//! Writes a batch: what the broker itself appends (internal topics, the metadata log, markers), and what has to be
//! packed anew.
//!
//! Invariant: what is built here passes the walk of `records` and has the right checksum. It does not know limits:
//! the caller asks [`Builder::size_bytes`] before the batch grows too large.

use crate::codec::varint;
use crate::model::{CompressionType, LeaderEpoch, Offset, TimestampMs, TimestampType};
use crate::record::compression;
use crate::record::header::{self, HEADER_SIZE, Header, LOG_OVERHEAD, MAGIC_V2};

const NO_TIMESTAMP: i64 = -1;
const NO_PRODUCER_ID: i64 = -1;
const NO_PRODUCER_EPOCH: i16 = -1;
const NO_SEQUENCE: i32 = -1;

/// A codec and its level; `None` is the codec's default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Codec {
    pub kind: CompressionType,
    pub level: Option<i32>,
}

impl Codec {
    pub const NONE: Codec = Codec { kind: CompressionType::None, level: None };
}

/// What stands in the header of the batch to be built.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub base_offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub codec: Codec,
    /// Given: the batch is stamped with it (`LogAppendTime`). Not given: each record's own timestamp counts.
    pub log_append_time: Option<TimestampMs>,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub is_transactional: bool,
    pub is_control: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            base_offset: Offset(0),
            leader_epoch: LeaderEpoch(-1),
            codec: Codec::NONE,
            log_append_time: None,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            is_transactional: false,
            is_control: false,
        }
    }
}

/// A record to be appended. The default one is empty and has no timestamp.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub timestamp: TimestampMs,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

impl Default for Record<'_> {
    fn default() -> Self {
        Record { timestamp: TimestampMs(NO_TIMESTAMP), key: None, value: None, headers: &[] }
    }
}

/// Collects records, then seals them into a batch.
#[derive(Debug)]
pub struct Builder {
    options: Options,
    payload: Vec<u8>,
    records_count: i32,
    next_offset_delta: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl Builder {
    pub fn new(options: Options) -> Builder {
        Builder {
            options,
            payload: Vec::new(),
            records_count: 0,
            next_offset_delta: 0,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.records_count == 0
    }

    /// Bytes of the batch if it were built now without compression.
    pub fn size_bytes(&self) -> usize {
        HEADER_SIZE + self.payload.len()
    }

    /// Appends a record behind the last one.
    pub fn append(&mut self, record: &Record<'_>) {
        self.append_at(self.next_offset_delta, record);
    }

    /// Appends a record at a given distance from the base offset, which may leave a gap but not go back.
    pub fn append_at(&mut self, offset_delta: i32, record: &Record<'_>) {
        assert!(offset_delta >= self.next_offset_delta, "offsets within a batch only grow");
        assert!(offset_delta < i32::MAX, "the batch has no offsets left");
        if self.is_empty() {
            self.base_timestamp = record.timestamp.0;
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp.0);
        let timestamp_delta = record.timestamp.0.wrapping_sub(self.base_timestamp);
        write_record(&mut self.payload, offset_delta, timestamp_delta, record);
        self.records_count += 1;
        self.next_offset_delta = offset_delta + 1;
        debug_assert!(self.records_count <= self.next_offset_delta, "a record has an offset of its own");
    }

    /// The finished batch. Without records it is a bare header, which Kafka reads as an empty batch.
    pub fn build(self) -> Vec<u8> {
        let o = self.options;
        assert!(self.is_empty() == self.payload.is_empty(), "a record has bytes");
        assert!(o.base_offset.0 >= 0, "a place in the log is not negative");
        let mut header = Header {
            base_offset: o.base_offset.0,
            batch_length: 0,
            partition_leader_epoch: o.leader_epoch.0,
            magic: MAGIC_V2,
            crc: 0,
            attributes: 0,
            last_offset_delta: (self.next_offset_delta - 1).max(0),
            base_timestamp: self.base_timestamp,
            max_timestamp: o.log_append_time.map_or(self.max_timestamp, |time| time.0),
            producer_id: o.producer_id,
            producer_epoch: o.producer_epoch,
            base_sequence: o.base_sequence,
            records_count: self.records_count,
        };
        header.set_transactional(o.is_transactional);
        header.set_control(o.is_control);
        if o.log_append_time.is_some() {
            header.set_timestamp_type(TimestampType::LogAppendTime);
        }
        pack(header, &self.payload, o.codec)
    }
}

/// A whole batch of this header and these unpacked records, packed with `codec`. Length, codec and checksum of the
/// header are set here, whatever they were.
pub fn pack(mut header: Header, unpacked: &[u8], codec: Codec) -> Vec<u8> {
    assert_eq!(header.magic, MAGIC_V2, "batches of older formats are not written");
    let compressed;
    let payload = match codec.kind {
        CompressionType::None => unpacked,
        kind => {
            compressed = compression::compress(kind, codec.level, unpacked);
            &compressed
        }
    };
    let mut batch = Vec::with_capacity(HEADER_SIZE + payload.len());
    batch.resize(HEADER_SIZE, 0);
    batch.extend_from_slice(payload);
    header.set_compression(codec.kind);
    header.batch_length = i32::try_from(batch.len() - LOG_OVERHEAD).expect("callers bound their batches");
    header.write_to(batch.first_chunk_mut().expect("it was made that long"));
    header::write_checksum(&mut batch);
    debug_assert_eq!(header::announced_size(&batch), Some(batch.len()), "a batch is as long as its header says");
    debug_assert_eq!(Header::parse(&batch).map(|packed| packed.crc), Some(header::checksum(&batch)));
    batch
}

/// Writes one record, its timestamp as the given distance from the batch's base.
pub(super) fn write_record(out: &mut Vec<u8>, offset_delta: i32, timestamp_delta: i64, record: &Record<'_>) {
    let body_bytes = body_size(offset_delta, timestamp_delta, record);
    out.reserve(varint::size_i64(body_bytes as i64) + body_bytes);
    varint::write_i64(out, body_bytes as i64);
    let body_from = out.len();
    out.push(0);
    varint::write_i64(out, timestamp_delta);
    varint::write_i64(out, i64::from(offset_delta));
    write_nullable(out, record.key);
    write_nullable(out, record.value);
    varint::write_i64(out, record.headers.len() as i64);
    for (key, value) in record.headers {
        write_nullable(out, Some(key));
        write_nullable(out, *value);
    }
    debug_assert_eq!(out.len() - body_from, body_bytes, "a record is as long as it says");
}

fn body_size(offset_delta: i32, timestamp_delta: i64, record: &Record<'_>) -> usize {
    let headers: usize = record.headers.iter().map(|(k, v)| nullable_size(Some(k)) + nullable_size(*v)).sum();
    1 + varint::size_i64(timestamp_delta)
        + varint::size_i64(i64::from(offset_delta))
        + nullable_size(record.key)
        + nullable_size(record.value)
        + varint::size_i64(record.headers.len() as i64)
        + headers
}

fn nullable_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint::size_i64(bytes.len() as i64) + bytes.len())
}

fn write_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    varint::write_i64(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::batches::Batches;
    use proptest::prelude::*;

    type Bytes = Option<Vec<u8>>;
    type Plain = (i64, Bytes, Bytes, Vec<(Vec<u8>, Bytes)>);

    fn any_codec() -> impl Strategy<Value = Codec> {
        (0..5u8, proptest::option::of(1..6))
            .prop_map(|(id, level)| Codec { kind: CompressionType::from_id(id).unwrap(), level })
    }

    fn any_records() -> impl Strategy<Value = Vec<Plain>> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..20);
        let nullable = move || proptest::option::of(bytes());
        let headers = proptest::collection::vec((bytes(), nullable()), 0..3);
        proptest::collection::vec((any::<i64>(), nullable(), nullable(), headers), 0..20)
    }

    fn build(options: Options, records: &[Plain]) -> Vec<u8> {
        let mut builder = Builder::new(options);
        for (timestamp, key, value, headers) in records {
            let headers: Vec<_> = headers.iter().map(|(k, v)| (k.as_slice(), v.as_deref())).collect();
            let timestamp = TimestampMs(*timestamp);
            builder.append(&Record { timestamp, key: key.as_deref(), value: value.as_deref(), headers: &headers });
        }
        builder.build()
    }

    proptest! {
        #[test]
        fn what_is_built_is_read(codec in any_codec(), records in any_records(), base_offset in 0..i64::MAX / 2) {
            let options = Options { codec, base_offset: Offset(base_offset), ..Options::default() };
            let bytes = build(options, &records);
            let batch = Batches::new(&bytes).next().unwrap().unwrap();
            prop_assert!(batch.is_intact());
            prop_assert_eq!(batch.size_bytes(), bytes.len());
            prop_assert_eq!(batch.header.records_count as usize, records.len());
            let unpacked = batch.unpack(1 << 20).unwrap();
            let walk = batch.records(&unpacked);
            let mut read = Vec::new();
            for (expected_offset, record) in (base_offset..).zip(walk.clone()) {
                let record = record.unwrap();
                prop_assert_eq!(walk.offset(&record), expected_offset);
                let headers = record.headers.iter().map(|(k, v)| (k.to_vec(), v.map(<[u8]>::to_vec))).collect();
                let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
                read.push((walk.timestamp(&record), key, value, headers));
            }
            prop_assert_eq!(read, records);
        }
    }

    /// Batches that the Java client wrote.
    fn java_batches() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
        let lines = include_str!("testdata/java_batches.txt").lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| {
            let (name, hex) = line.split_once(' ').unwrap();
            let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (name, (0..hex.len()).step_by(2).map(byte).collect())
        })
    }

    #[test]
    fn batches_are_those_of_the_java_client() {
        let bytes = |text: &str| Some(text.as_bytes().to_vec());
        let records = [
            (1000, bytes("k"), bytes("v"), vec![]),
            (999, None, bytes("a longer value, a longer value, a longer value"), vec![]),
            (1005, bytes(""), None, vec![(b"h".to_vec(), bytes("1")), (b"g".to_vec(), None)]),
        ];
        let ours = build(Options::default(), &records);
        let mut names = Vec::new();
        for (name, theirs) in java_batches() {
            let batch = Batches::new(&theirs).next().unwrap().unwrap();
            assert!(batch.is_intact());
            assert_eq!(format!("{:?}", batch.header.compression().unwrap()).to_lowercase(), name);
            assert_eq!(batch.unpack(1 << 20).unwrap(), &ours[HEADER_SIZE..], "{name}");
            assert!(name != "none" || theirs == ours);
            names.push(name);
        }
        assert_eq!(names, ["none", "gzip", "snappy", "lz4", "zstd"]);
    }

    #[test]
    fn stamped_and_flagged() {
        let options = Options {
            log_append_time: Some(TimestampMs(77)),
            is_transactional: true,
            is_control: true,
            ..Options::default()
        };
        let bytes = build(options, &[(1000, None, None, vec![])]);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(header.max_timestamp, 77);
        assert!(header.is_transactional() && header.is_control());
    }

    #[test]
    fn gaps_are_kept() {
        let mut builder = Builder::new(Options::default());
        builder.append_at(3, &Record::default());
        builder.append_at(9, &Record::default());
        let bytes = builder.build();
        let batch = Batches::new(&bytes).next().unwrap().unwrap();
        let deltas: Vec<i32> = batch.records(batch.packed_records()).map(|r| r.unwrap().offset_delta).collect();
        assert_eq!(deltas, [3, 9]);
        assert_eq!((batch.header.last_offset_delta, batch.header.records_count), (9, 2));
    }
}
