//! A step's records on their way into the log: one batch, so that they are there together or not at all.

use crate::coordinator::machine::{Producer, Record};
use crate::model::{Offset, TimestampMs};
use crate::record::builder::{self, Builder, Codec, Options};
use crate::record::control::EndTxnMarker;
use crate::replica::partition::Partition;
use crate::storage::AppendError;
use crate::storage::log::Mark;

/// Puts the records behind what the log has, in the transaction of a producer if there is one; the end behind the last
/// record.
pub(super) fn append(
    partition: &Partition,
    records: &[Record],
    producer: Option<Producer>,
    codec: Codec,
    now: TimestampMs,
) -> Result<Mark, AppendError> {
    assert!(!records.is_empty(), "a batch has records");
    let mut options = Options { codec, ..Options::default() };
    if let Some(producer) = producer {
        (options.producer_id, options.producer_epoch, options.is_transactional) = (producer.id, producer.epoch, true);
    }
    let mut builder = Builder::new(options);
    for record in records {
        builder.append(&builder::Record {
            timestamp: now,
            key: Some(&record.key),
            value: record.value.as_deref(),
            headers: &[],
        });
    }
    let appended = partition.append_own(&builder.build(), now)?;
    let count = appended.last_offset.0 - appended.base_offset.0 + 1;
    assert_eq!(usize::try_from(count), Ok(records.len()), "each record has an offset");
    assert!(!appended.duplicate, "a coordinator has no sequence numbers that could repeat");
    Ok(appended.mark())
}

/// Puts a marker behind what the log has; the end behind it.
pub(super) fn append_marker(
    partition: &Partition,
    producer: Producer,
    marker: EndTxnMarker,
    now: TimestampMs,
) -> Result<Mark, AppendError> {
    // The log gives the offset.
    let batch = marker.batch((producer.id, producer.epoch), now, Offset(0), partition.leader_epoch());
    let appended = partition.append_own(&batch, now)?;
    assert_eq!(appended.last_offset, appended.base_offset, "a marker is one record");
    Ok(appended.mark())
}
