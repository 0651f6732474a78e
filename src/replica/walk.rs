//! All batches of a log in order, for who replays one.

use crate::model::Offset;
use crate::record::batches::{Batch, Batches};
use crate::storage::Error;
use crate::storage::log::Log;

/// Read at once; a batch that is larger is read whole.
const WALK_BYTES: u64 = 1024 * 1024;

/// Shows the batches from `from` up to `end`, which stands between two batches. The first one may begin below `from`.
/// Why one cannot be used ends the walk. Blocks.
pub fn walk(
    log: &Log,
    mut from: Offset,
    end: Offset,
    mut visit: impl FnMut(&Batch<'_>) -> Result<(), String>,
) -> Result<(), Error> {
    let unreadable = |why: String| Error::Unusable { path: log.directory().to_path_buf(), why };
    while from < end {
        let slice = log.read(from, end, WALK_BYTES, true).map_err(|error| unreadable(error.to_string()))?;
        let Some(slice) = slice else { break };
        let mut bytes = vec![0; slice.length as usize];
        let read = slice.file.read_at(&mut bytes, slice.position.0).map_err(Error::io("read", log.directory()))?;
        let mut next = Offset(-1);
        // What is no batch may be one that was cut by the reading.
        for batch in Batches::new(&bytes[..read]).map_while(Result::ok) {
            visit(&batch).map_err(unreadable)?;
            next = batch.header.last_offset().next();
        }
        if next <= from {
            return Err(unreadable(format!("no batch can be read at offset {from}")));
        }
        from = next;
    }
    Ok(())
}
