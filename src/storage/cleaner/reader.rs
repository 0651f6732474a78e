//! Reads a sealed segment batch by batch, each whole and checked, at the caller's pace.
//!
//! Memory: one buffer that grows to the largest batch that really is in the file, and one batch unpacked. A batch that
//! is damaged ends the round: cleaning it would give it a right checksum.

use super::super::error::Error;
use super::super::segment::Segment;
use super::{Pace, Stopped};
use crate::io::disk::Disk;
use crate::record::batches::{self, Batch, Batches};
use crate::record::header;
use crate::record::validate::DEFAULT_MAX_UNPACKED_BYTES;
use std::borrow::Cow;
use std::path::Path;

const LEAST_BUFFER_BYTES: usize = 4096;
const _: () = assert!(LEAST_BUFFER_BYTES >= header::HEADER_SIZE, "the length of a batch that is cut can be read");
/// The most that one batch may unpack to. Far above what any broker accepts (`max.message.bytes` and its kin).
const MAX_UNPACKED_BYTES: usize = 512 << 20;
const _: () = assert!(MAX_UNPACKED_BYTES >= DEFAULT_MAX_UNPACKED_BYTES, "what was appended can be cleaned");

/// Gives the bytes of a batch's records.
pub(super) type Unpack<'u> = &'u dyn for<'b> Fn(&Batch<'b>) -> Result<Cow<'b, [u8]>, Stopped>;

pub(super) struct Reader<'p> {
    disk: &'p dyn Disk,
    buffer: Vec<u8>,
    pace: &'p mut dyn Pace,
}

pub(super) fn unusable(path: &Path, why: impl std::fmt::Display) -> Stopped {
    Stopped::Failed(Error::Unusable { path: path.to_path_buf(), why: format!("cannot be compacted: {why}") })
}

impl<'p> Reader<'p> {
    pub fn new(disk: &'p dyn Disk, buffer_bytes: usize, pace: &'p mut dyn Pace) -> Reader<'p> {
        Reader { disk, buffer: vec![0; buffer_bytes.max(LEAST_BUFFER_BYTES)], pace }
    }

    fn spend(&mut self, bytes: u64) -> Result<(), Stopped> {
        if self.pace.spend(bytes) { Ok(()) } else { Err(Stopped::Asked) }
    }

    /// Calls `visit` with every batch from a position on, which answers how many bytes it wrote, until it answers
    /// `None`; whether it came to the end.
    pub fn each_batch(
        &mut self,
        segment: &Segment,
        mut position: u64,
        path: &Path,
        mut visit: impl FnMut(&Batch<'_>, Unpack<'_>) -> Result<Option<u64>, Stopped>,
    ) -> Result<bool, Stopped> {
        let limit = segment.sealed_size_bytes;
        let file = segment.file(self.disk).map_err(Error::io("open", path))?;
        let unpack: Unpack<'_> = &|batch| {
            check(path, batch)?;
            batch.unpack(MAX_UNPACKED_BYTES).map_err(|why| unusable(path, why))
        };
        while position < limit {
            let left = usize::try_from(limit - position).unwrap_or(usize::MAX);
            let wanted = self.buffer.len().min(left);
            let read = file.read_at(&mut self.buffer[..wanted], position).map_err(Error::io("read", path))?;
            self.spend(read as u64)?;
            let (mut used, mut wrote) = (0, 0);
            for batch in Batches::new(&self.buffer[..read]) {
                match batch {
                    Ok(batch) => {
                        used += batch.size_bytes();
                        match visit(&batch, unpack)? {
                            Some(bytes) => wrote += bytes,
                            None => return Ok(false),
                        }
                    }
                    Err(batches::Error::Truncated) => break,
                    Err(why) => return Err(unusable(path, format!("at byte {}: {why}", position + used as u64))),
                }
            }
            if used == 0 {
                let size = header::announced_size(&self.buffer[..read]).filter(|s| *s > wanted && *s <= left);
                let size = size.ok_or_else(|| unusable(path, format!("no whole batch at byte {position}")))?;
                assert!(size > self.buffer.len(), "a batch that is cut would be read again and again");
                self.buffer.resize(size, 0);
            }
            assert!(used <= read, "batches are taken from what was read");
            position += used as u64;
            self.spend(wrote)?;
        }
        Ok(true)
    }
}

fn check(path: &Path, batch: &Batch<'_>) -> Result<(), Stopped> {
    if batch.is_intact() {
        return Ok(());
    }
    Err(unusable(path, format!("the checksum of the batch at offset {} is wrong", batch.header.base_offset)))
}
