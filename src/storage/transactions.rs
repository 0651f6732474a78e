//! Aborted transactions of a segment: `.txnindex` (`TransactionIndex`, `AbortedTxn`).
//!
//! An entry stands in the segment that holds the transaction's marker, in the order of the markers, so its data may lie
//! in earlier segments. All entries are in memory: each costs less than the batches that it speaks of. Unlike the other
//! indexes this one is no hint: what it leaves out would be shown to `read_committed` consumers.

#[cfg(test)]
mod tests;

use super::index::write_file;
use super::names::{self, Kind};
use crate::io::disk::{Disk, Open};
use crate::model::Offset;
use arc_swap::ArcSwapOption;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const ENTRY_BYTES: usize = 34;
const _: () = assert!(ENTRY_BYTES == size_of::<i16>() + 4 * size_of::<i64>(), "a version and four numbers");
const VERSION: i16 = 0;
/// A batch with nothing but a marker.
const MARKER_BATCH_BYTES: u64 = 78;
/// No segment holds the markers of more entries.
const MAX_FILE_BYTES: u64 = i32::MAX as u64 / MARKER_BATCH_BYTES * ENTRY_BYTES as u64;
/// Entries of one piece: so many are copied at most when one is added.
const PIECE_ENTRIES: usize = 1024;

/// One aborted transaction of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTxn {
    pub producer_id: i64,
    pub first_offset: Offset,
    /// The offset of its marker.
    pub last_offset: Offset,
    /// The last stable offset as it was behind the marker.
    pub last_stable_offset: Offset,
}

impl AbortedTxn {
    fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut out = [0; ENTRY_BYTES];
        out[..2].copy_from_slice(&VERSION.to_be_bytes());
        let fields = [self.producer_id, self.first_offset.0, self.last_offset.0, self.last_stable_offset.0];
        for (place, field) in out[2..].chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_be_bytes());
        }
        out
    }

    fn decode(entry: &[u8; ENTRY_BYTES]) -> Option<AbortedTxn> {
        let field = |at: usize| entry[at..].first_chunk().map_or(-1, |bytes| i64::from_be_bytes(*bytes));
        let version = i16::from_be_bytes(*entry.first_chunk()?);
        let txn = AbortedTxn {
            producer_id: field(2),
            first_offset: Offset(field(10)),
            last_offset: Offset(field(18)),
            last_stable_offset: Offset(field(26)),
        };
        (version == VERSION).then_some(txn)
    }
}

/// The content of a `.txnindex`.
pub fn encode(aborted: &[AbortedTxn]) -> Vec<u8> {
    aborted.iter().flat_map(AbortedTxn::encode).collect()
}

/// Reads a `.txnindex` back; `None` unless it can be that of a segment with this base offset. Kafka's own check is of the
/// base offset alone; the order is what searching relies on.
pub fn decode(content: &[u8], base_offset: Offset) -> Option<Vec<AbortedTxn>> {
    let (entries, rest) = content.as_chunks::<ENTRY_BYTES>();
    let aborted = entries.iter().map(AbortedTxn::decode).collect::<Option<Vec<_>>>()?;
    let rises = aborted.is_sorted_by(|a, b| a.last_offset < b.last_offset);
    let is_of_segment = aborted.iter().all(|txn| txn.last_offset >= base_offset && txn.first_offset <= txn.last_offset);
    (rest.is_empty() && rises && is_of_segment).then_some(aborted)
}

/// The entries of the file; `None` if it is damaged.
pub fn read(disk: &dyn Disk, directory: &Path, base_offset: Offset) -> io::Result<Option<Vec<AbortedTxn>>> {
    let path = names::file(directory, base_offset, Kind::TransactionIndex);
    if disk.size_bytes(&path)? > MAX_FILE_BYTES {
        return Ok(None);
    }
    Ok(decode(&disk.read_small(&path, MAX_FILE_BYTES)?, base_offset))
}

/// Replaces the whole file; its path. The file that is there stays until the new one is whole and durable: one that is gone,
/// empty or cut between two entries would be taken for a sound one that knows of fewer transactions.
pub fn replace(disk: &dyn Disk, directory: &Path, base_offset: Offset, aborted: &[AbortedTxn]) -> io::Result<PathBuf> {
    let path = names::file(directory, base_offset, Kind::TransactionIndex);
    let temporary = names::with_suffix(&path, ".tmp");
    write_file(disk, &temporary, &encode(aborted))?.sync_data()?;
    disk.rename(&temporary, &path)?;
    Ok(path)
}

/// Writes entries behind the `known` ones, without syncing them; the file's path.
pub fn append(
    disk: &dyn Disk,
    directory: &Path,
    base_offset: Offset,
    known: usize,
    more: &[AbortedTxn],
) -> io::Result<PathBuf> {
    assert!(!more.is_empty(), "an index without entries is no file");
    assert!(more.iter().all(|txn| txn.last_offset >= base_offset), "a marker of an earlier segment");
    let path = names::file(directory, base_offset, Kind::TransactionIndex);
    let file = disk.open(&path, Open::Create)?;
    if known == 0 {
        file.set_size(0)?;
    }
    file.write_at(&[IoSlice::new(&encode(more))], (known * ENTRY_BYTES) as u64)?;
    Ok(path)
}

/// The entries of a segment at one moment, in pieces of which all but the last are full.
#[derive(Clone, Default)]
pub struct AbortedList {
    pieces: Vec<Arc<Vec<AbortedTxn>>>,
}

impl AbortedList {
    /// The entries whose markers have this offset or a higher one.
    pub fn from(&self, offset: Offset) -> impl Iterator<Item = &AbortedTxn> {
        let is_below = |txn: &AbortedTxn| txn.last_offset < offset;
        let at = self.pieces.partition_point(|piece| piece.last().is_some_and(is_below));
        let first = self.pieces.get(at).map_or(&[][..], |piece| &piece[piece.partition_point(is_below)..]);
        let rest = self.pieces.get(at + 1..).unwrap_or_default();
        first.iter().chain(rest.iter().flat_map(|piece| piece.iter()))
    }

    fn len(&self) -> usize {
        let last = self.pieces.last().map_or(0, |piece| piece.len());
        self.pieces.len().saturating_sub(1) * PIECE_ENTRIES + last
    }

    fn extend(&mut self, mut more: &[AbortedTxn]) {
        while !more.is_empty() {
            let last = self.pieces.pop_if(|piece| piece.len() < PIECE_ENTRIES);
            let mut piece = last.map_or_else(Vec::new, |piece| piece.to_vec());
            let (now, rest) = more.split_at(more.len().min(PIECE_ENTRIES - piece.len()));
            piece.extend_from_slice(now);
            self.pieces.push(Arc::new(piece));
            more = rest;
        }
    }
}

/// The entries of one segment: replaced as a whole by the log's one writer, read without a lock.
#[derive(Default)]
pub struct Aborted(ArcSwapOption<AbortedList>);

impl Aborted {
    pub fn new(all: &[AbortedTxn]) -> Aborted {
        let aborted = Aborted::default();
        if !all.is_empty() {
            aborted.extend(all);
        }
        aborted
    }

    pub fn load(&self) -> Option<Arc<AbortedList>> {
        self.0.load_full()
    }

    /// The same entries for another view of the segment.
    pub fn share(&self) -> Aborted {
        Aborted(ArcSwapOption::new(self.load()))
    }

    pub fn len(&self) -> usize {
        self.0.load().as_ref().map_or(0, |all| all.len())
    }

    pub fn extend(&self, more: &[AbortedTxn]) {
        assert!(!more.is_empty(), "none is told apart from an empty list");
        let mut all = self.load().map_or_else(AbortedList::default, |all| AbortedList::clone(&all));
        all.extend(more);
        self.0.store(Some(Arc::new(all)));
    }
}
