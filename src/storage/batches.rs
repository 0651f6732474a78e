//! Walks the batches of a segment file, header by header, with or without looking at the checksums.
//!
//! Trusts nothing: a batch that is cut, implausible or reaches over the limit ends the walk, and the buffer has a fixed
//! size whatever length a batch announces.

use crate::io::disk::File;
use crate::record::header::{self, HEADER_SIZE, Header, LOG_OVERHEAD, MAGIC_V2};
use std::io;
use std::sync::Arc;

/// For a look between two index entries (`index.interval.bytes` is 4096).
pub const LOOKUP_BUFFER_BYTES: usize = 4096;
/// For reading a file from end to end.
pub const SCAN_BUFFER_BYTES: usize = 256 * 1024;
const _: () = assert!(HEADER_SIZE <= LOOKUP_BUFFER_BYTES && LOOKUP_BUFFER_BYTES <= SCAN_BUFFER_BYTES);

/// Bytes before those that the checksum covers: all up to `attributes`.
const UNCHECKED_BYTES: u64 = 21;
const _: () = assert!(UNCHECKED_BYTES as usize == header::ATTRIBUTES, "the checksum covers all from `attributes` on");
/// The least that a message of formats 0 and 1 takes behind its overhead (`LegacyRecord`).
const LEGACY_LEAST_BYTES: i32 = 14;
const LEGACY_CRC_AT: usize = 12;
const LEGACY_CHECKED_FROM: u64 = 16;
const _: () = assert!(LEGACY_CRC_AT == LOG_OVERHEAD && LEGACY_CHECKED_FROM as usize == LEGACY_CRC_AT + 4);
const _: () =
    assert!(LOG_OVERHEAD + LEGACY_LEAST_BYTES as usize > header::MAGIC, "the least message has its magic byte");

/// A batch's place in its file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    pub position: u64,
    pub size_bytes: u64,
    pub header: Header,
}

impl Placed {
    pub fn end(&self) -> u64 {
        self.position + self.size_bytes
    }
}

/// The walk. After it has ended, [`position`](Batches::position) is the end of the last good batch.
pub struct Batches {
    file: Arc<dyn File>,
    position: u64,
    limit: u64,
    buffer: Vec<u8>,
    /// What part of the file the buffer holds.
    held_from: u64,
    held: usize,
}

impl Batches {
    pub fn new(file: Arc<dyn File>, position: u64, limit: u64, buffer_bytes: usize) -> Batches {
        let buffer_bytes = buffer_bytes.max(HEADER_SIZE);
        Batches { file, position, limit, buffer: vec![0; buffer_bytes], held_from: 0, held: 0 }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next batch by its header; `None` at the limit, or where no whole batch follows.
    pub fn next_header(&mut self) -> io::Result<Option<Placed>> {
        let found = self.look()?;
        if let Some(placed) = found {
            debug_assert!(placed.position == self.position && placed.end() > self.position, "the walk goes on");
            self.position = placed.end();
        }
        Ok(found)
    }

    /// As [`next_header`](Batches::next_header); a batch whose checksum is wrong ends the walk too.
    pub fn next_checked(&mut self) -> io::Result<Option<Placed>> {
        let Some(placed) = self.look()? else { return Ok(None) };
        debug_assert!(placed.end() <= self.limit, "a batch reaches over the limit");
        let from = placed.position + UNCHECKED_BYTES;
        let checksum = self.fold(from, placed.end(), 0, crc32c::crc32c_append)?;
        if checksum != Some(placed.header.crc) {
            return Ok(None);
        }
        self.position = placed.end();
        Ok(Some(placed))
    }

    /// Whether a sound message of the formats before Kafka 0.11 stands here: a log that must not be cut at it.
    pub fn is_at_legacy_message(&mut self) -> io::Result<bool> {
        let at = self.position;
        let head = self.window(at, HEADER_SIZE)?;
        let Some((length, magic)) = head.get(8..12).zip(head.get(16)) else { return Ok(false) };
        let length = i32::from_be_bytes(length.try_into().unwrap_or_default());
        let crc = head[LEGACY_CRC_AT..].first_chunk().map_or(0, |crc| u32::from_be_bytes(*crc));
        let end = at + LOG_OVERHEAD as u64 + u64::try_from(length).unwrap_or(0);
        if *magic >= MAGIC_V2 || length < LEGACY_LEAST_BYTES || end > self.limit {
            return Ok(false);
        }
        Ok(self.fold(at + LEGACY_CHECKED_FROM, end, 0, crc32_append)? == Some(crc))
    }

    fn look(&mut self) -> io::Result<Option<Placed>> {
        let (position, limit) = (self.position, self.limit);
        let head = self.window(position, HEADER_SIZE)?;
        let (Some(header), Some(size)) = (Header::parse(head), header::announced_size(head)) else { return Ok(None) };
        let size_bytes = size as u64;
        let whole = position.checked_add(size_bytes).is_some_and(|end| end <= limit);
        let sound = header.magic == MAGIC_V2 && header.last_offset_delta >= 0 && header.base_offset >= 0;
        let fits = header.base_offset.checked_add(i64::from(header.last_offset_delta)).is_some_and(|o| o < i64::MAX);
        Ok((whole && sound && fits).then_some(Placed { position, size_bytes, header }))
    }

    /// Folds a checksum over a part of the file; `None` if the file ends before.
    fn fold(&mut self, from: u64, to: u64, start: u32, step: fn(u32, &[u8]) -> u32) -> io::Result<Option<u32>> {
        let (mut at, mut sum) = (from, start);
        while at < to {
            let part = self.window(at, 1)?;
            let part = &part[..part.len().min(usize::try_from(to - at).unwrap_or(usize::MAX))];
            if part.is_empty() {
                return Ok(None);
            }
            sum = step(sum, part);
            at += part.len() as u64;
        }
        debug_assert!(at == to.max(from), "a checksum covers its range and no more");
        Ok(Some(sum))
    }

    /// What the buffer holds from `at` on: at least `wanted` bytes if the file below the limit has them.
    fn window(&mut self, at: u64, wanted: usize) -> io::Result<&[u8]> {
        debug_assert!(wanted <= self.buffer.len(), "the buffer holds what is asked for");
        let wanted = wanted.min(usize::try_from(self.limit.saturating_sub(at)).unwrap_or(usize::MAX));
        let held_to = self.held_from + self.held as u64;
        if at < self.held_from || at + wanted as u64 > held_to {
            let most = self.buffer.len().min(usize::try_from(self.limit.saturating_sub(at)).unwrap_or(usize::MAX));
            self.held = 0;
            self.held = self.file.read_at(&mut self.buffer[..most], at)?;
            self.held_from = at;
        }
        let from = usize::try_from(at - self.held_from).unwrap_or(usize::MAX);
        Ok(self.buffer[..self.held].get(from..).unwrap_or_default())
    }
}

/// CRC-32 (IEEE) of the old message formats, bit by bit: it runs only over what may be such a message.
fn crc32_append(sum: u32, bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |s, _| if s & 1 == 1 { (s >> 1) ^ POLYNOMIAL } else { s >> 1 })
    };
    !bytes.iter().fold(!sum, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_is_the_common_one() {
        assert_eq!(crc32_append(crc32_append(0, b"1234"), b"56789"), 0xcbf4_3926);
    }
}
