//! A step's records on their way into the log: one batch, so that they are there together or not at all, except where the step
//! says that each of them counts alone.

use crate::coordinator::machine::{Producer, Record};
use crate::model::TimestampMs;
use crate::record::builder::{self, Builder, Codec, Options};
use crate::replica::partition::Partition;
use crate::storage::AppendError;
use crate::storage::log::{Admission, Mark};

/// The bytes of a record besides its key and value: attributes, no headers, and five varints at their longest.
const MOST_OVERHEAD: usize = 2 + 5 * 10;

/// The transaction in which a step writes.
#[derive(Clone, Copy)]
pub(super) struct Within {
    pub producer: Producer,
    pub admission: Admission,
}

/// How a step's records are written.
#[derive(Clone, Copy)]
pub(super) struct How {
    /// [`Output::is_divisible`](crate::coordinator::machine::Output)
    pub is_divisible: bool,
    pub within: Option<Within>,
    pub codec: Codec,
}

/// Puts the records behind what the log has, in a transaction if there is one; the end behind the last record.
pub(super) fn append(
    partition: &Partition,
    records: &[Record],
    how: How,
    now: TimestampMs,
) -> Result<Mark, AppendError> {
    assert!(!records.is_empty(), "a batch has records");
    assert!(!how.is_divisible || how.within.is_none(), "what is written in a transaction is one batch");
    let most = if how.is_divisible { largest_batch(partition) } else { usize::MAX };
    let mut rest = records;
    loop {
        let (batch, count) = build(rest, how, most, now);
        let admission = how.within.map_or(Admission::None, |within| within.admission);
        let appended = partition.append_own(&batch, now, admission)?;
        let offsets = appended.last_offset.0 - appended.base_offset.0 + 1;
        assert_eq!(usize::try_from(offsets), Ok(count), "each record has an offset");
        assert!(!appended.duplicate, "a coordinator has no sequence numbers that could repeat");
        rest = &rest[count..];
        if rest.is_empty() {
            return Ok(appended.mark());
        }
    }
}

/// The bytes of a batch that its readers and segments take.
fn largest_batch(partition: &Partition) -> usize {
    let segment_bytes = usize::try_from(partition.log.config().segment_bytes).unwrap_or(usize::MAX);
    partition.rules().max_message_bytes.min(segment_bytes)
}

/// A batch of as many of the records as fit into `most` bytes, of one at least, and how many they are.
fn build(records: &[Record], How { within, codec, .. }: How, most: usize, now: TimestampMs) -> (Vec<u8>, usize) {
    let mut options = Options { codec, ..Options::default() };
    if let Some(Within { producer, .. }) = within {
        (options.producer_id, options.producer_epoch, options.is_transactional) = (producer.id, producer.epoch, true);
    }
    let (mut builder, mut count) = (Builder::new(options), 0);
    for record in records {
        let value = record.value.as_deref();
        let bytes = MOST_OVERHEAD + record.key.len() + value.map_or(0, <[u8]>::len);
        if count > 0 && builder.size_bytes() + bytes > most {
            break;
        }
        builder.append(&builder::Record { timestamp: now, key: Some(&record.key), value, headers: &[] });
        count += 1;
    }
    (builder.build(), count)
}
