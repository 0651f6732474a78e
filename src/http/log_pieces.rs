//! A partition's log, read piece by piece on a thread that may wait, never on a shard's.

use crate::model::Offset;
use crate::record::batches::{Batch, Batches};
use crate::replica::partition::Partition;
use crate::storage::log::AbortedTxn;

/// Bytes that are read at once; a larger batch is read whole.
const PIECE_BYTES: u64 = 1 << 20;

/// Shows the batches that have offsets of a range, in their order, each with the aborted transactions that reach into its piece;
/// until `each` has had enough and says so with `false`. An error is a sentence. Blocks.
pub(super) fn walk(
    partition: &Partition,
    from: i64,
    up_to: i64,
    mut each: impl FnMut(&Batch<'_>, &[AbortedTxn]) -> bool,
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
        let mut last = None;
        // The last batch may be cut, and the piece may reach beyond what is wanted.
        for batch in Batches::new(&piece).map_while(Result::ok) {
            last = Some(batch.header.last_offset().0);
            if batch.header.base_offset >= up_to || !each(&batch, &slice.aborted) {
                return Ok(());
            }
        }
        let last = last.ok_or_else(|| format!("the batch with the offset {next} cannot be read"))?;
        next = last.max(next) + 1;
    }
    Ok(())
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
