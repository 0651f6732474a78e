//! A batch with fewer records: what compaction leaves of it (`MemoryRecords.filterTo`).
//!
//! Invariant: base offset, last offset, sequence numbers and producer stay, so that offsets never move and a producer's
//! last sequence is never forgotten. Which records stay is the caller's decision.

use crate::model::{TimestampMs, TimestampType};
use crate::record::batches::Batch;
use crate::record::builder::{self, Codec, pack, write_record};
use crate::record::header::{HEADER_SIZE, Header};
use crate::record::records::{Error, Record};

/// `RecordBatch.NO_TIMESTAMP`
const NO_TIMESTAMP: i64 = -1;

/// What is left of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Filtered {
    /// The batch as it stands.
    Whole,
    /// A new batch with so many records.
    Rebuilt { batch: Vec<u8>, records_count: i32 },
    /// Not one record.
    Nothing,
}

/// Keeps the records for which `keep` (offset, record) says so. A batch that keeps its first tombstone and has no
/// delete horizon yet gets `new_horizon` (KIP-534), and so does a marker of whose transaction nothing is left. `unpacked` is what [`Batch::unpack`] gave.
pub fn filter<'p>(
    batch: &Batch<'_>,
    unpacked: &'p [u8],
    new_horizon: TimestampMs,
    is_empty_marker: bool,
    mut keep: impl FnMut(i64, &Record<'p>) -> bool,
) -> Result<Filtered, Error> {
    let mut kept = Vec::new();
    let (mut total, mut has_tombstone) = (0, false);
    let mut records = batch.records(unpacked);
    while let Some(record) = records.next() {
        let record = record?;
        total += 1;
        if keep(records.offset(&record), &record) {
            has_tombstone |= record.value.is_none();
            kept.push((records.timestamp(&record), record));
        }
    }
    let horizon = batch.header.delete_horizon();
    let needs_horizon = (has_tombstone || is_empty_marker) && horizon.is_none();
    if kept.is_empty() {
        return Ok(Filtered::Nothing);
    }
    if kept.len() == total && !needs_horizon {
        return Ok(Filtered::Whole);
    }
    let horizon = horizon.or(needs_horizon.then_some(new_horizon));
    let records_count = kept.len() as i32;
    Ok(Filtered::Rebuilt { batch: rebuild(batch.header, &kept, horizon), records_count })
}

fn rebuild(mut header: Header, kept: &[(i64, Record<'_>)], horizon: Option<TimestampMs>) -> Vec<u8> {
    let base_timestamp = horizon.map_or(kept[0].0, |horizon| horizon.0);
    let mut payload = Vec::new();
    let mut headers = Vec::new();
    for (timestamp, record) in kept {
        headers.clear();
        headers.extend(record.headers.iter());
        let copy = builder::Record {
            timestamp: TimestampMs(*timestamp),
            key: record.key,
            value: record.value,
            headers: &headers,
        };
        write_record(&mut payload, record.offset_delta, timestamp.wrapping_sub(base_timestamp), &copy);
    }
    assert!(!kept.is_empty(), "a batch without records is a bare header");
    header.base_timestamp = base_timestamp;
    header.records_count = kept.len() as i32;
    if header.timestamp_type() == TimestampType::CreateTime {
        header.max_timestamp = kept.iter().map(|(timestamp, _)| *timestamp).max().unwrap_or(header.max_timestamp);
    }
    let codec = Codec { kind: header.compression().unwrap_or(Codec::NONE.kind), level: None };
    header.clear_other_attributes();
    header.set_delete_horizon(horizon.is_some());
    assert_eq!(header.delete_horizon(), horizon, "the horizon is the base of the timestamps");
    pack(header, &payload, codec)
}

/// The bare header of a batch whose records are all gone: it keeps the place and the producer's last sequence
/// (`DefaultRecordBatch.writeEmptyHeader`).
pub fn without_records(mut header: Header) -> Vec<u8> {
    header.base_timestamp = NO_TIMESTAMP;
    header.records_count = 0;
    header.clear_other_attributes();
    let bare = pack(header, &[], Codec::NONE);
    assert_eq!(bare.len(), HEADER_SIZE, "nothing but the header is left");
    bare
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CompressionType, Offset};
    use crate::record::builder::{Builder, Options};
    use proptest::prelude::*;

    type Plain = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

    /// Offset, then the record.
    fn read(bytes: &[u8]) -> Vec<(i64, Plain)> {
        let batch = Batch::first(bytes).unwrap();
        assert!(batch.is_intact() && batch.bytes.len() == bytes.len());
        let unpacked = batch.unpack(1 << 20).unwrap();
        let mut records = batch.records(&unpacked);
        let mut out = Vec::new();
        while let Some(record) = records.next() {
            let record = record.unwrap();
            let bytes = |b: Option<&[u8]>| b.map(<[u8]>::to_vec);
            let plain = (records.timestamp(&record), bytes(record.key), bytes(record.value));
            out.push((records.offset(&record), plain));
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn what_is_kept_is_as_it_was(
            records in proptest::collection::vec((0i64..5000, any::<Option<Vec<u8>>>(), any::<Option<Vec<u8>>>()), 1..20),
            codec in 0u8..5,
            log_append_time in proptest::option::of(0i64..9000),
            keep: u32,
        ) {
            let records: Vec<Plain> = records;
            let codec = Codec { kind: CompressionType::from_id(codec).unwrap(), level: None };
            let mut builder = Builder::new(Options {
                base_offset: Offset(70), codec, producer_id: 9, producer_epoch: 1, base_sequence: 5,
                log_append_time: log_append_time.map(TimestampMs), ..Options::default()
            });
            for (timestamp, key, value) in &records {
                let (key, value) = (key.as_deref(), value.as_deref());
                builder.append(&builder::Record { timestamp: TimestampMs(*timestamp), key, value, headers: &[] });
            }
            let bytes = builder.build();
            let before = Batch::first(&bytes).unwrap();
            let is_kept = |offset: i64| keep >> (offset - 70) & 1 == 1;
            let unpacked = before.unpack(1 << 20).unwrap();
            let expected: Vec<_> = read(&bytes).into_iter().filter(|r| is_kept(r.0)).collect();
            let after = match filter(&before, &unpacked, TimestampMs(123_456), false, |o, _| is_kept(o)).unwrap() {
                Filtered::Whole => bytes.clone(),
                Filtered::Rebuilt { batch, .. } => batch,
                Filtered::Nothing => without_records(before.header),
            };
            prop_assert_eq!(&read(&after), &expected);
            let (old, new) = (before.header, Batch::first(&after).unwrap().header);
            prop_assert_eq!((old.base_offset, old.last_offset()), (new.base_offset, new.last_offset()));
            prop_assert_eq!((old.producer_id, old.producer_epoch), (new.producer_id, new.producer_epoch));
            prop_assert_eq!((old.base_sequence, old.last_sequence()), (new.base_sequence, new.last_sequence()));
            prop_assert_eq!(old.timestamp_type(), new.timestamp_type());
            if expected.is_empty() {
                // Kafka's own empty batches, byte for byte.
                prop_assert_eq!((new.base_timestamp, new.max_timestamp), (NO_TIMESTAMP, old.max_timestamp));
            }
            let has_tombstone = expected.iter().any(|(_, r)| r.2.is_none());
            prop_assert_eq!(new.delete_horizon(), has_tombstone.then_some(TimestampMs(123_456)));
            if !expected.is_empty() {
                prop_assert_eq!(old.compression(), new.compression());
            }
            // Once more with the same decision: nothing is left to do.
            let again = Batch::first(&after).unwrap();
            let unpacked = again.unpack(1 << 20).unwrap();
            let again = filter(&again, &unpacked, TimestampMs(999_999), false, |o, _| is_kept(o)).unwrap();
            let settled = if expected.is_empty() { Filtered::Nothing } else { Filtered::Whole };
            prop_assert_eq!(again, settled);
        }
    }
}
