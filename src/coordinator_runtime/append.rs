//! A step's records on their way into the log: one batch, so that they are there together or not at all.

use crate::coordinator::step::Record;
use crate::model::TimestampMs;
use crate::record::builder::{self, Builder, Codec, Options};
use crate::replica::partition::Partition;
use crate::storage::AppendError;
use crate::storage::log::Mark;

/// Puts the records behind what the log has; the end behind the last one.
pub(super) fn append(
    partition: &Partition,
    records: &[Record],
    codec: Codec,
    now: TimestampMs,
) -> Result<Mark, AppendError> {
    let mut builder = Builder::new(Options { codec, ..Options::default() });
    for record in records {
        builder.append(&builder::Record {
            timestamp: now,
            key: Some(&record.key),
            value: record.value.as_deref(),
            headers: &[],
        });
    }
    Ok(partition.append_own(&builder.build(), now)?.mark())
}
