//! What a batch that is read in an opening says of epochs, producers and transactions.

use crate::io::disk::File;
use crate::model::Offset;
use crate::record::header::HEADER_SIZE;
use crate::storage::append::marker_of;
use crate::storage::batches::BatchAt;
use crate::storage::epochs::{EpochStart, Epochs};
use crate::storage::producers::{Completed, Producers};
use crate::storage::transactions::AbortedTxn;
use std::io;

/// Enough of a transaction marker's batch to find its one record.
const MARKER_BYTES: usize = HEADER_SIZE + 128;
const _: () =
    assert!(MARKER_BYTES - HEADER_SIZE >= 2 * (4 + 6 + 7), "a key of 4 bytes, a value of 6, and room to grow");

pub(super) fn note_epoch(epochs: &mut Epochs, placed: &BatchAt) {
    let epoch = placed.header.leader_epoch();
    if epochs.latest().is_none_or(|latest| latest.epoch < epoch) {
        let start_offset = Offset(placed.header.base_offset);
        *epochs = epochs.with(EpochStart { epoch, start_offset }).unwrap_or_else(|| epochs.clone());
    }
}

/// Takes note of a batch that is in the log; the transaction that it ends, if that is aborted.
pub(super) fn note_producer(
    producers: &mut Producers,
    file: &dyn File,
    placed: &BatchAt,
) -> io::Result<Option<AbortedTxn>> {
    if !placed.header.has_producer_id() {
        return Ok(None);
    }
    if !placed.header.is_control() {
        producers.apply(&placed.header, Offset(placed.header.base_offset));
        return Ok(None);
    }
    let mut bytes = [0; MARKER_BYTES];
    let read = file.read_at(&mut bytes, placed.position)?;
    let marker = marker_of(&placed.header, &bytes[..read]);
    let ended = producers.apply_marker(&placed.header, placed.header.last_offset(), marker);
    Ok(ended.as_ref().and_then(Completed::aborted))
}
