//! What is in a file: chunks on the heap.

use std::io::{self, ErrorKind};

use crate::model::TimestampMs;

/// Large enough that a send of several costs nothing, small enough that the last one of a log may be half empty.
const CHUNK_BYTES: usize = 64 * 1024;
/// What the smallest file takes. The last chunk of a file has the next power of two of what is in it.
pub(super) const LEAST_BYTES: usize = 64;

/// All chunks but the last are full.
#[derive(Default)]
pub(super) struct Content {
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) modified: TimestampMs,
}

/// What a file of so many bytes takes.
pub(super) fn charge(size: u64) -> u64 {
    let (full, rest) = (size / CHUNK_BYTES as u64 * CHUNK_BYTES as u64, (size % CHUNK_BYTES as u64) as usize);
    full + if rest == 0 { 0 } else { capacity_of(rest) as u64 }
}

/// The room of a chunk with so many bytes.
fn capacity_of(length: usize) -> usize {
    length.next_power_of_two().max(LEAST_BYTES)
}

fn place(position: u64) -> (usize, usize) {
    ((position / CHUNK_BYTES as u64) as usize, (position % CHUNK_BYTES as u64) as usize)
}

impl Content {
    pub(super) fn size(&self) -> u64 {
        let last = self.chunks.last().map_or(0, Vec::len);
        (self.chunks.len().saturating_sub(1) * CHUNK_BYTES + last) as u64
    }

    /// The parts of a range, as far as there is a file, up to the end of a chunk each.
    pub(super) fn pieces(&self, position: u64, length: usize) -> impl Iterator<Item = &[u8]> {
        let (first, mut skip) = place(position);
        let mut left = length;
        self.chunks.iter().skip(first).map_while(move |chunk| {
            let piece = chunk.get(skip..)?;
            let piece = &piece[..piece.len().min(left)];
            skip = 0;
            left -= piece.len();
            (!piece.is_empty()).then_some(piece)
        })
    }

    /// Puts bytes where there are some already, or right behind the end. The room for them is counted.
    pub(super) fn put(&mut self, mut position: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (number, at) = place(position);
            if number == self.chunks.len() {
                self.chunks.push(Vec::new());
            }
            let chunk = &mut self.chunks[number];
            let (piece, rest) = bytes.split_at(bytes.len().min(CHUNK_BYTES - at));
            let over = piece.len().min(chunk.len() - at);
            chunk[at..at + over].copy_from_slice(&piece[..over]);
            let capacity = capacity_of(at + piece.len());
            if capacity > chunk.capacity() {
                chunk.try_reserve_exact(capacity - chunk.len()).map_err(|_| ErrorKind::StorageFull)?;
            }
            chunk.extend_from_slice(&piece[over..]);
            position += piece.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    /// Zeros up to this size.
    pub(super) fn fill(&mut self, size: u64) -> io::Result<()> {
        const ZEROS: &[u8] = &[0; 4096];
        while self.size() < size {
            let step = (size - self.size()).min(ZEROS.len() as u64) as usize;
            self.put(self.size(), &ZEROS[..step])?;
        }
        Ok(())
    }

    pub(super) fn cut(&mut self, size: u64) {
        if size >= self.size() {
            return;
        }
        let (full, rest) = place(size);
        self.chunks.truncate(full + usize::from(rest > 0));
        if let Some(last) = self.chunks.last_mut().filter(|_| rest > 0) {
            last.truncate(rest);
            last.shrink_to(capacity_of(rest));
        }
    }
}
