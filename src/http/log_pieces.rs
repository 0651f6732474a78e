//! A partition's log, read piece by piece on a thread that may wait, never on a shard's.

use std::collections::BTreeMap;

use crate::model::Offset;
use crate::record::batches::{Batch, Batches};
use crate::replica::partition::Partition;
use crate::storage::log::AbortedTxn;

/// Bytes that are read at once; a larger batch is read whole.
const PIECE_BYTES: u64 = 1 << 20;

/// Shows the batches that have offsets of a range, in their order, each with whether its transaction was aborted; until `each`
/// has had enough and says so with `false`. An error is a sentence. Blocks.
pub(super) fn walk(
    partition: &Partition,
    from: i64,
    up_to: i64,
    mut each: impl FnMut(&Batch<'_>, bool) -> bool,
) -> Result<(), String> {
    let (mut next, mut piece) = (from, Vec::new());
    while next < up_to {
        let found = partition.log.read_committed(Offset(next), partition.high_watermark(), PIECE_BYTES, true);
        let Some(slice) = found.map_err(|error| error.to_string())? else { break };
        piece.resize(slice.length as usize, 0);
        match slice.memory() {
            Some(memory) => piece.copy_from_slice(memory),
            None => fill(&mut piece, |rest, done| slice.file.read_at(rest, slice.position.0 + done as u64))?,
        }
        let aborted = by_producer(&slice.aborted);
        let mut last = None;
        // The last batch may be cut, and the piece may reach beyond what is wanted.
        for batch in Batches::new(&piece).map_while(Result::ok) {
            last = Some(batch.header.last_offset().0);
            if batch.header.base_offset >= up_to || !each(&batch, is_aborted(&batch, &aborted)) {
                return Ok(());
            }
        }
        let last = last.ok_or_else(|| format!("the batch with the offset {next} cannot be read"))?;
        next = last.max(next) + 1;
    }
    Ok(())
}

type ByProducer<'a> = BTreeMap<i64, Vec<&'a AbortedTxn>>;

fn by_producer(aborted: &[AbortedTxn]) -> ByProducer<'_> {
    let mut found = ByProducer::new();
    for one in aborted {
        found.entry(one.producer_id).or_default().push(one);
    }
    found
}

fn is_aborted(batch: &Batch<'_>, aborted: &ByProducer<'_>) -> bool {
    let has = |one: &&AbortedTxn| (one.first_offset.0..=one.last_offset.0).contains(&batch.header.base_offset);
    batch.header.is_transactional() && aborted.get(&batch.header.producer_id).is_some_and(|of| of.iter().any(has))
}

fn fill(into: &mut [u8], read: impl Fn(&mut [u8], usize) -> std::io::Result<usize>) -> Result<(), String> {
    let mut done = 0;
    while done < into.len() {
        match read(&mut into[done..], done) {
            Ok(0) => return Err("the log ends before its batch does".into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(format!("the log cannot be read: {error}")),
        }
    }
    Ok(())
}
