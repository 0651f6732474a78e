//! Copies of logs that are on their way to another log directory (Kafka's future logs, KIP-113), as values.

use std::path::PathBuf;

use crate::metadata::DirectoryAssignment;
use crate::model::{Offset, PartitionIndex, TimestampMs};
use crate::record::batches::Batches;
use crate::storage::log::{Log, ReadError};
use crate::storage::{AppendError, Error};

/// Copied at once; no other task waits longer for the thread that copies.
const SLICE_BYTES: u64 = 4 << 20;

/// What a client wants: a partition in a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    pub topic: String,
    pub partition: i32,
    /// As DescribeLogDirs names it.
    pub log_dir: String,
}

/// How far a copy is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Copied {
    More,
    All,
    /// The log begins behind the copy's end: it has to begin anew.
    Overtaken,
}

/// Copies one slice. Blocks.
pub fn copy(from: &Log, to: &Log, end: Offset, now: TimestampMs) -> Result<Copied, Error> {
    let next = to.log_end_offset();
    if next >= end {
        return Ok(Copied::All);
    }
    let slice = match from.read(next, end, SLICE_BYTES, true) {
        Ok(Some(slice)) => slice,
        // Compaction has left nothing up to the end.
        Ok(None) => return Ok(Copied::All),
        Err(ReadError::OutOfRange(_)) => return Ok(Copied::Overtaken),
        Err(ReadError::Storage(failure)) => return Err(failure),
    };
    let mut bytes = vec![0; usize::try_from(slice.length).unwrap_or(0)];
    let read = slice.file.read_at(&mut bytes, slice.position.0).map_err(Error::io("read", from.directory()))?;
    // The last batch may be cut.
    let whole: usize = Batches::new(&bytes[..read]).map_while(Result::ok).map(|batch| batch.bytes.len()).sum();
    if whole == 0 {
        let why = format!("no batch can be read at offset {next}");
        return Err(Error::Unusable { path: from.directory().to_path_buf(), why });
    }
    to.append_copy(&bytes[..whole], now).map_err(AppendError::into_error)?;
    Ok(if to.log_end_offset() >= end { Copied::All } else { Copied::More })
}

/// What came of the attempt to complete a copy.
pub enum Completed {
    /// It is to take the log's place.
    Ready(DirectoryAssignment),
    /// The housekeeping thread is to go on.
    NotYet,
    /// There is nothing to complete.
    Gone,
}

/// A copy that lies on the disk and to which no thread copies: found at the start, or kept by a failure from its place.
pub struct FoundFuture {
    pub directory: usize,
    pub topic: String,
    pub partition: PartitionIndex,
    pub path: PathBuf,
}
