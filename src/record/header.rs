//! The 61 bytes at the head of a record batch v2, read in place (KIP-98; `DefaultRecordBatch`).
//!
//! Knows the layout only: whether a batch is acceptable is decided in `validate`, what is inside it in `records`.

use crate::model::{CompressionType, LeaderEpoch, Offset, TimestampMs, TimestampType};

/// Bytes of `baseOffset` and `batchLength`, which `batchLength` does not count.
pub const LOG_OVERHEAD: usize = 12;
/// Bytes of the whole header; a batch without records is as long as this.
pub const HEADER_SIZE: usize = 61;
/// The one record format that Kafka writes since 4.0.
pub const MAGIC_V2: u8 = 2;

const BATCH_LENGTH: usize = 8;
const PARTITION_LEADER_EPOCH: usize = 12;
pub(crate) const MAGIC: usize = 16;
const CRC: usize = 17;
pub(crate) const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const BASE_TIMESTAMP: usize = 27;
const MAX_TIMESTAMP: usize = 35;
const PRODUCER_ID: usize = 43;
const PRODUCER_EPOCH: usize = 51;
const BASE_SEQUENCE: usize = 53;
const RECORDS_COUNT: usize = 57;
const _: () = {
    // Each field's place and size; together they are the header, without a gap.
    let fields = [
        (0, 8),
        (BATCH_LENGTH, 4),
        (PARTITION_LEADER_EPOCH, 4),
        (MAGIC, 1),
        (CRC, 4),
        (ATTRIBUTES, 2),
        (LAST_OFFSET_DELTA, 4),
        (BASE_TIMESTAMP, 8),
        (MAX_TIMESTAMP, 8),
        (PRODUCER_ID, 8),
        (PRODUCER_EPOCH, 2),
        (BASE_SEQUENCE, 4),
        (RECORDS_COUNT, 4),
    ];
    let (mut field, mut end) = (0, 0);
    while field < fields.len() {
        assert!(fields[field].0 == end, "a field begins where the one before it ends");
        end += fields[field].1;
        field += 1;
    }
    assert!(end == HEADER_SIZE, "the fields fill the header");
};
const _: () = assert!(LOG_OVERHEAD == PARTITION_LEADER_EPOCH, "the length counts what follows it");
const _: () =
    assert!(MAGIC <= CRC && CRC + 4 == ATTRIBUTES, "what `assign` writes and the checksum are not checksummed");

const COMPRESSION_MASK: i16 = 0x07;
const TIMESTAMP_TYPE_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;
const DELETE_HORIZON_BIT: i16 = 0x40;
const _: () = {
    let bits = [TIMESTAMP_TYPE_BIT, TRANSACTIONAL_BIT, CONTROL_BIT, DELETE_HORIZON_BIT];
    let (mut at, mut taken) = (0, COMPRESSION_MASK);
    while at < bits.len() {
        assert!(bits[at].count_ones() == 1 && taken & bits[at] == 0, "an attribute has a bit of its own");
        taken |= bits[at];
        at += 1;
    }
};
const _: () = assert!(CompressionType::Zstd as i16 <= COMPRESSION_MASK, "every codec has its number in the mask");

/// A batch header decoded into values. It is small and `Copy`; take it once per batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    pub base_offset: i64,
    /// Bytes after this field, so without [`LOG_OVERHEAD`]; as it was read, it may be nonsense.
    pub batch_length: i32,
    pub partition_leader_epoch: i32,
    pub magic: u8,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub records_count: i32,
}

/// The total length in bytes, with [`LOG_OVERHEAD`], that the first twelve bytes of a batch announce; `None` if they
/// are not there or announce less than a header. An announcement is not evidence: the bytes may be missing.
#[inline]
pub fn announced_size(bytes: &[u8]) -> Option<usize> {
    let length = i32::from_be_bytes(array(bytes, BATCH_LENGTH)?);
    let size = usize::try_from(length).ok()? + LOG_OVERHEAD;
    (size >= HEADER_SIZE).then_some(size)
}

#[inline]
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

impl Header {
    /// Reads the header at the front of `bytes`; `None` if fewer than [`HEADER_SIZE`] bytes are there.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<Header> {
        let h: &[u8; HEADER_SIZE] = bytes.first_chunk()?;
        Some(Header {
            base_offset: i64::from_be_bytes(array(h, 0)?),
            batch_length: i32::from_be_bytes(array(h, BATCH_LENGTH)?),
            partition_leader_epoch: i32::from_be_bytes(array(h, PARTITION_LEADER_EPOCH)?),
            magic: h[MAGIC],
            crc: u32::from_be_bytes(array(h, CRC)?),
            attributes: i16::from_be_bytes(array(h, ATTRIBUTES)?),
            last_offset_delta: i32::from_be_bytes(array(h, LAST_OFFSET_DELTA)?),
            base_timestamp: i64::from_be_bytes(array(h, BASE_TIMESTAMP)?),
            max_timestamp: i64::from_be_bytes(array(h, MAX_TIMESTAMP)?),
            producer_id: i64::from_be_bytes(array(h, PRODUCER_ID)?),
            producer_epoch: i16::from_be_bytes(array(h, PRODUCER_EPOCH)?),
            base_sequence: i32::from_be_bytes(array(h, BASE_SEQUENCE)?),
            records_count: i32::from_be_bytes(array(h, RECORDS_COUNT)?),
        })
    }

    /// Writes the header over the first bytes of `out`, which must hold [`HEADER_SIZE`] bytes.
    pub fn write_to(&self, out: &mut [u8; HEADER_SIZE]) {
        out[..BATCH_LENGTH].copy_from_slice(&self.base_offset.to_be_bytes());
        out[BATCH_LENGTH..PARTITION_LEADER_EPOCH].copy_from_slice(&self.batch_length.to_be_bytes());
        out[PARTITION_LEADER_EPOCH..MAGIC].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        out[MAGIC] = self.magic;
        out[CRC..ATTRIBUTES].copy_from_slice(&self.crc.to_be_bytes());
        out[ATTRIBUTES..LAST_OFFSET_DELTA].copy_from_slice(&self.attributes.to_be_bytes());
        out[LAST_OFFSET_DELTA..BASE_TIMESTAMP].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[BASE_TIMESTAMP..MAX_TIMESTAMP].copy_from_slice(&self.base_timestamp.to_be_bytes());
        out[MAX_TIMESTAMP..PRODUCER_ID].copy_from_slice(&self.max_timestamp.to_be_bytes());
        out[PRODUCER_ID..PRODUCER_EPOCH].copy_from_slice(&self.producer_id.to_be_bytes());
        out[PRODUCER_EPOCH..BASE_SEQUENCE].copy_from_slice(&self.producer_epoch.to_be_bytes());
        out[BASE_SEQUENCE..RECORDS_COUNT].copy_from_slice(&self.base_sequence.to_be_bytes());
        out[RECORDS_COUNT..HEADER_SIZE].copy_from_slice(&self.records_count.to_be_bytes());
    }

    /// Bytes of the whole batch as announced, [`LOG_OVERHEAD`] included.
    pub fn size_bytes(&self) -> usize {
        usize::try_from(self.batch_length).unwrap_or(0) + LOG_OVERHEAD
    }

    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.saturating_add(i64::from(self.last_offset_delta)))
    }

    /// The sequence number of the last record; sequences wrap from `i32::MAX` to 0.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            self.base_sequence
        } else {
            self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
        }
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.partition_leader_epoch)
    }

    /// `None` for the three codec numbers that are not defined.
    pub fn compression(&self) -> Option<CompressionType> {
        CompressionType::from_id((self.attributes & COMPRESSION_MASK) as u8)
    }

    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & TIMESTAMP_TYPE_BIT == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// When tombstones of this batch may go, for batches that the cleaner has marked (KIP-534).
    pub fn delete_horizon(&self) -> Option<TimestampMs> {
        (self.attributes & DELETE_HORIZON_BIT != 0).then_some(TimestampMs(self.base_timestamp))
    }

    pub fn has_producer_id(&self) -> bool {
        self.producer_id >= 0
    }

    pub fn set_compression(&mut self, kind: CompressionType) {
        self.attributes = (self.attributes & !COMPRESSION_MASK) | kind as i16;
        debug_assert_eq!(self.compression(), Some(kind));
    }

    pub fn set_timestamp_type(&mut self, kind: TimestampType) {
        self.set_bit(TIMESTAMP_TYPE_BIT, kind == TimestampType::LogAppendTime);
    }

    pub fn set_transactional(&mut self, is_transactional: bool) {
        self.set_bit(TRANSACTIONAL_BIT, is_transactional);
    }

    pub fn set_control(&mut self, is_control: bool) {
        self.set_bit(CONTROL_BIT, is_control);
    }

    /// Clears every attribute that says nothing about the records themselves: bits without a meaning, and the delete
    /// horizon. Kafka does so whenever it builds a batch anew.
    pub fn clear_other_attributes(&mut self) {
        self.attributes &= COMPRESSION_MASK | TIMESTAMP_TYPE_BIT | TRANSACTIONAL_BIT | CONTROL_BIT;
    }

    /// Says whether `baseTimestamp` is the delete horizon.
    pub fn set_delete_horizon(&mut self, is_horizon: bool) {
        self.set_bit(DELETE_HORIZON_BIT, is_horizon);
    }

    fn set_bit(&mut self, bit: i16, on: bool) {
        self.attributes = if on { self.attributes | bit } else { self.attributes & !bit };
    }
}

/// The checksum that belongs into the `crc` field of this whole batch: over everything from `attributes` to its end.
#[inline]
pub fn checksum(batch: &[u8]) -> u32 {
    crc32c::crc32c(batch.get(ATTRIBUTES..).unwrap_or_default())
}

/// Gives a batch its place in the log. Both fields lie before the checksummed bytes, so the checksum stays right.
pub fn assign(batch: &mut [u8], base_offset: Offset, epoch: LeaderEpoch) {
    assert!(batch.len() >= HEADER_SIZE, "a batch begins with a whole header");
    assert!(base_offset.0 >= 0, "a place in the log is not negative");
    batch[..BATCH_LENGTH].copy_from_slice(&base_offset.0.to_be_bytes());
    batch[PARTITION_LEADER_EPOCH..MAGIC].copy_from_slice(&epoch.0.to_be_bytes());
}

/// Sets the kind of timestamp and `maxTimestamp`, then the checksum anew.
pub fn stamp(batch: &mut [u8], kind: TimestampType, max_timestamp: TimestampMs) {
    debug_assert_eq!(announced_size(batch), Some(batch.len()), "the checksum is over the whole batch");
    let attributes = i16::from_be_bytes([batch[ATTRIBUTES], batch[ATTRIBUTES + 1]]) & !TIMESTAMP_TYPE_BIT;
    let attributes = if kind == TimestampType::LogAppendTime { attributes | TIMESTAMP_TYPE_BIT } else { attributes };
    batch[ATTRIBUTES..LAST_OFFSET_DELTA].copy_from_slice(&attributes.to_be_bytes());
    batch[MAX_TIMESTAMP..PRODUCER_ID].copy_from_slice(&max_timestamp.0.to_be_bytes());
    write_checksum(batch);
}

/// Computes the checksum of this whole batch and writes it into its header.
pub fn write_checksum(batch: &mut [u8]) {
    assert!(batch.len() >= HEADER_SIZE, "a batch begins with a whole header");
    let crc = checksum(batch);
    batch[CRC..ATTRIBUTES].copy_from_slice(&crc.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_parsed(bytes: [u8; HEADER_SIZE]) {
            let header = Header::parse(&bytes).unwrap();
            let mut again = [0; HEADER_SIZE];
            header.write_to(&mut again);
            prop_assert_eq!(bytes, again);
            let _ = (header.last_offset(), header.last_sequence(), header.compression(), header.size_bytes());
        }
    }

    #[test]
    fn announcements_below_a_header_are_refused() {
        let mut bytes = [0u8; HEADER_SIZE];
        for (length, size) in [(-1, None), (48, None), (49, Some(61)), (i32::MAX, Some(i32::MAX as usize + 12))] {
            bytes[8..12].copy_from_slice(&i32::to_be_bytes(length));
            assert_eq!(announced_size(&bytes), size);
        }
        assert_eq!(announced_size(&bytes[..11]), None);
        assert_eq!(Header::parse(&bytes[..60]), None);
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut header = Header::parse(&[0; HEADER_SIZE]).unwrap();
        header.base_sequence = i32::MAX;
        header.last_offset_delta = 1;
        assert_eq!(header.last_sequence(), 0);
    }
}
