//! Batches and logs for the tests of this module.

use super::log::{Admission, Checkpointed, Identity, Log, LogConfig, Origin, Slice};
use crate::codec::varint;
use crate::io::disk::Disk;
use crate::model::{LeaderEpoch, Offset, PartitionIndex, TimestampMs, Uuid};
use crate::record::header::{self, HEADER_SIZE, Header, LOG_OVERHEAD, MAGIC_V2};
use std::path::PathBuf;
use std::sync::Arc;

pub const NOW: TimestampMs = TimestampMs(1_700_000_000_000);
pub const EPOCH: LeaderEpoch = LeaderEpoch(0);

/// A producer's place: id, epoch, first sequence.
pub type Sequence = (i64, i16, i32);

/// A batch with one record per timestamp, each with a value of so many bytes.
pub fn batch(timestamps: &[i64], value_bytes: usize, sequence: Option<Sequence>) -> Vec<u8> {
    let base_timestamp = timestamps[0];
    let mut records = Vec::new();
    for (n, timestamp) in timestamps.iter().enumerate() {
        let mut record = vec![0];
        varint::write_i64(&mut record, timestamp - base_timestamp);
        varint::write_i64(&mut record, n as i64);
        varint::write_i64(&mut record, -1);
        varint::write_i64(&mut record, value_bytes as i64);
        record.extend((0..value_bytes).map(|b| b'a' + ((b + n) % 26) as u8));
        varint::write_i64(&mut record, 0);
        varint::write_i64(&mut records, record.len() as i64);
        records.extend(record);
    }
    let (producer_id, producer_epoch, base_sequence) = sequence.unwrap_or((-1, -1, -1));
    let header = Header {
        base_offset: 0,
        batch_length: (HEADER_SIZE - LOG_OVERHEAD + records.len()) as i32,
        partition_leader_epoch: -1,
        magic: MAGIC_V2,
        crc: 0,
        attributes: 0,
        last_offset_delta: timestamps.len() as i32 - 1,
        base_timestamp,
        max_timestamp: timestamps.iter().copied().max().unwrap_or(-1),
        producer_id,
        producer_epoch,
        base_sequence,
        records_count: timestamps.len() as i32,
    };
    seal(header, &records)
}

/// A batch of this header and these bytes behind it, with the checksum put right.
pub fn seal(mut header: Header, records: &[u8]) -> Vec<u8> {
    let mut out = vec![0; HEADER_SIZE];
    out.extend_from_slice(records);
    let mut head = [0; HEADER_SIZE];
    header.write_to(&mut head);
    out[..HEADER_SIZE].copy_from_slice(&head);
    header.crc = header::checksum(&out);
    header.write_to(&mut head);
    out[..HEADER_SIZE].copy_from_slice(&head);
    out
}

pub fn identity() -> Identity {
    Identity { topic: "t".into(), partition: PartitionIndex(0), topic_id: Uuid([7; 16]) }
}

pub fn directory() -> PathBuf {
    PathBuf::from("/data/t-0")
}

pub fn open(disk: &Arc<dyn Disk>, config: &LogConfig, checkpointed: Checkpointed) -> Log {
    Log::open(disk.clone(), directory(), config.clone(), identity(), checkpointed, NOW).expect("the log opens")
}

pub fn at(log_start_offset: i64, recovery_point: i64, clean: bool) -> Checkpointed {
    Checkpointed { log_start_offset: Offset(log_start_offset), recovery_point: Offset(recovery_point), clean }
}

/// Appends and writes; the base offset.
pub fn put(log: &Log, batch: &[u8]) -> i64 {
    let appended = log.append(batch, Origin::Client(Admission::None), EPOCH, NOW).expect("the batch is taken");
    log.write_pending().expect("the disk takes it");
    appended.base_offset.0
}

/// The bytes of a slice.
pub fn bytes(slice: &Slice) -> Vec<u8> {
    let mut out = vec![0; slice.length as usize];
    let read = slice.file.read_at(&mut out, slice.position.0).expect("the file is readable");
    assert_eq!(read, out.len(), "a slice reaches behind its file");
    assert!(slice.memory().is_none_or(|memory| memory == out), "memory and file differ");
    out
}

/// The headers of the whole batches in `bytes`.
pub fn headers(mut bytes: &[u8]) -> Vec<Header> {
    let mut found = Vec::new();
    while let Some(size) = header::announced_size(bytes).filter(|size| *size <= bytes.len()) {
        found.push(Header::parse(bytes).expect("a header"));
        assert_eq!(header::checksum(&bytes[..size]), found.last().unwrap().crc, "a batch is damaged");
        bytes = &bytes[size..];
    }
    found
}

/// Everything in the log, read as a consumer would.
pub fn read_all(log: &Log) -> Vec<Header> {
    let mut found = Vec::new();
    let mut next = log.log_start_offset();
    while let Some(slice) = log.read(next, log.log_end_offset(), 1 << 20, true).expect("the log is readable") {
        let read = headers(&bytes(&slice));
        next = read.last().expect("at least one whole batch").last_offset().next();
        found.extend(read);
    }
    found
}
