//! A step's records on their way into the log: one batch, so that they are there together or not at all.

use crate::coordinator::machine::{Producer, Record};
use crate::model::TimestampMs;
use crate::record::builder::{self, Builder, Codec, Options};
use crate::replica::partition::Partition;
use crate::storage::AppendError;
use crate::storage::log::{Admission, Mark};

/// The transaction in which a step writes.
#[derive(Clone, Copy)]
pub(super) struct Within {
    pub producer: Producer,
    pub admission: Admission,
}

/// Puts the records behind what the log has, in a transaction if there is one; the end behind the last record.
pub(super) fn append(
    partition: &Partition,
    records: &[Record],
    within: Option<Within>,
    codec: Codec,
    now: TimestampMs,
) -> Result<Mark, AppendError> {
    assert!(!records.is_empty(), "a batch has records");
    let mut options = Options { codec, ..Options::default() };
    if let Some(Within { producer, .. }) = within {
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
    let admission = within.map_or(Admission::None, |within| within.admission);
    let appended = partition.append_own(&builder.build(), now, admission)?;
    let count = appended.last_offset.0 - appended.base_offset.0 + 1;
    assert_eq!(usize::try_from(count), Ok(records.len()), "each record has an offset");
    assert!(!appended.duplicate, "a coordinator has no sequence numbers that could repeat");
    Ok(appended.mark())
}
