//! `.snapshot` files: the producers of a partition as of the offset in the file's name (`ProducerSnapshot` version 1).
//!
//! Of each producer only the last batch is kept, as Kafka does.

use super::producers::{Producer, Producers, Remembered};
use crate::model::{Offset, TimestampMs};

const VERSION: i16 = 1;
/// Version (2), checksum (4).
const HEAD_BYTES: usize = 6;
const COUNT_BYTES: usize = 4;
const ENTRY_BYTES: usize = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;
const _: () = assert!(HEAD_BYTES == size_of::<i16>() + size_of::<u32>() && COUNT_BYTES == size_of::<u32>());
/// A snapshot larger than this is not read: about twenty million producers.
pub const MAX_FILE_BYTES: u64 = 1 << 30;
const _: () = assert!(MAX_FILE_BYTES / (ENTRY_BYTES as u64) < u32::MAX as u64, "the count holds what a file can");

pub fn encode(producers: &Producers) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES + COUNT_BYTES + producers.len() * ENTRY_BYTES);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(producers.len() as u32).to_be_bytes());
    // By rising id, so that the same producers always give the same bytes.
    let mut ordered: Vec<_> = producers.iter().collect();
    ordered.sort_unstable_by_key(|(id, _)| *id);
    for (id, producer) in ordered {
        let batch = producer.last_batch();
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&producer.epoch.to_be_bytes());
        out.extend_from_slice(&batch.map_or(-1, |b| b.last_sequence).to_be_bytes());
        out.extend_from_slice(&batch.map_or(-1, |b| b.last_offset.0).to_be_bytes());
        out.extend_from_slice(&batch.map_or(0, |b| b.offset_delta).to_be_bytes());
        out.extend_from_slice(&producer.last_timestamp.0.to_be_bytes());
        out.extend_from_slice(&producer.coordinator_epoch.to_be_bytes());
        out.extend_from_slice(&producer.txn_first_offset.map_or(-1, |o| o.0).to_be_bytes());
    }
    let size_bytes = HEAD_BYTES + COUNT_BYTES + producers.len() * ENTRY_BYTES;
    assert_eq!(out.len(), size_bytes, "a snapshot of another size could not be read back");
    let checksum = crc32c::crc32c(&out[HEAD_BYTES..]);
    out[2..HEAD_BYTES].copy_from_slice(&checksum.to_be_bytes());
    out
}

/// The producers in a snapshot; `None` if it is not a sound one.
pub fn decode(bytes: &[u8]) -> Option<Producers> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
    let version = i16::from_be_bytes(*head.first_chunk()?);
    let checksum = u32::from_be_bytes(*head[2..].first_chunk()?);
    if version != VERSION || crc32c::crc32c(rest) != checksum {
        return None;
    }
    let (count, entries) = rest.split_at_checked(COUNT_BYTES)?;
    let (entries, more) = entries.as_chunks::<ENTRY_BYTES>();
    let count = u32::from_be_bytes(*count.first_chunk()?);
    if count as usize != entries.len() || !more.is_empty() {
        return None;
    }
    let mut producers = Producers::default();
    for entry in entries {
        let (id, producer) = decode_entry(entry)?;
        producers.insert(id, producer);
    }
    assert!(producers.len() <= entries.len(), "an entry is one producer");
    Some(producers)
}

fn decode_entry(entry: &[u8; ENTRY_BYTES]) -> Option<(i64, Producer)> {
    let id = i64::from_be_bytes(*entry.first_chunk()?);
    let epoch = i16::from_be_bytes(*entry[8..].first_chunk()?);
    let last_sequence = i32::from_be_bytes(*entry[10..].first_chunk()?);
    let last_offset = i64::from_be_bytes(*entry[14..].first_chunk()?);
    let offset_delta = i32::from_be_bytes(*entry[22..].first_chunk()?);
    let timestamp = TimestampMs(i64::from_be_bytes(*entry[26..].first_chunk()?));
    let coordinator_epoch = i32::from_be_bytes(*entry[34..].first_chunk()?);
    let txn_first_offset = i64::from_be_bytes(*entry[38..].first_chunk()?);
    let mut producer = Producer::new(epoch, coordinator_epoch, timestamp);
    producer.txn_first_offset = (txn_first_offset >= 0).then_some(Offset(txn_first_offset));
    if last_offset >= 0 {
        let last_offset = Offset(last_offset);
        producer.remember(Remembered { last_sequence, last_offset, offset_delta, timestamp });
    }
    Some((id, producer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn layout_is_kafkas() {
        assert_eq!(encode(&Producers::default()).len(), 10);
        let mut producers = Producers::default();
        producers.insert(1, Producer::new(2, 3, TimestampMs(4)));
        assert_eq!(encode(&producers).len(), 10 + 46);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            entries in proptest::collection::vec((any::<i64>(), any::<i16>(), 0i32.., 0i64.., 0i32..9, -1i64..9), 0..9),
            flip: prop::sample::Index,
        ) {
            let mut producers = Producers::default();
            for (id, epoch, last_sequence, last_offset, offset_delta, txn) in entries {
                let mut producer = Producer::new(epoch, -1, TimestampMs(5));
                producer.txn_first_offset = (txn >= 0).then_some(Offset(txn));
                let timestamp = TimestampMs(5);
                producer.remember(Remembered { last_sequence, last_offset: Offset(last_offset), offset_delta, timestamp });
                producers.insert(id, producer);
            }
            let mut bytes = encode(&producers);
            prop_assert_eq!(decode(&bytes), Some(producers));
            let at = flip.index(bytes.len());
            bytes[at] ^= 0x10;
            prop_assert_eq!(decode(&bytes), None);
        }

        /// A snapshot is what has the version, the checksum and as many whole entries as it says, whatever they say; and
        /// what was read of it is read again from what is written of it.
        #[test]
        fn any_bytes_are_a_snapshot_or_not(
            version in prop_oneof![9 => Just(VERSION), 1 => 0i16..3],
            is_intact in prop::bool::weighted(0.9),
            miscounted in prop::bool::weighted(0.1),
            entries in proptest::collection::vec((0i64..3, any::<[u8; ENTRY_BYTES - 8]>()), 0..4),
            has_rest in prop::bool::weighted(0.1),
        ) {
            let count = entries.len() as u32 + u32::from(miscounted);
            let mut body = count.to_be_bytes().to_vec();
            entries.iter().for_each(|(id, entry)| body.extend([&id.to_be_bytes()[..], entry].concat()));
            body.extend(has_rest.then_some(0));
            let checksum = crc32c::crc32c(&body) ^ u32::from(!is_intact);
            let bytes = [&version.to_be_bytes()[..], &checksum.to_be_bytes(), &body].concat();
            let is_sound = version == VERSION && is_intact && !miscounted && !has_rest;
            let decoded = decode(&bytes);
            prop_assert_eq!(decoded.is_some(), is_sound);
            if let Some(producers) = decoded {
                prop_assert!(producers.len() <= entries.len());
                prop_assert_eq!(decode(&encode(&producers)), Some(producers));
            }
        }
    }
}
