//! The two sparse indexes of a segment, in memory while it is written and in Kafka's files afterwards.
//!
//! `.index`: `{offset − base: i32, position: i32}` for the *last* offset of the batch at that position. `.timeindex`:
//! `{timestamp: i64, offset − base: i32}`, both rising: no batch up to that offset has a larger timestamp. Both are hints
//! on where to begin reading: whoever uses one checks what it finds there, so that a damaged index costs time and
//! nothing else. Files are written once, when the segment is sealed or the log closed.

use super::error::Error;
use super::names::{self, Kind};
use crate::io::disk::{Disk, File, Open};
use crate::io::open_files::LazyFile;
use crate::model::{Offset, TimestampMs};
use crate::record::header::Header;
use crate::stdx::append_list::AppendList;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const OFFSET_ENTRY_BYTES: usize = 8;
pub const TIME_ENTRY_BYTES: usize = 12;
const _: () = assert!(OFFSET_ENTRY_BYTES == 2 * size_of::<u32>());
const _: () = assert!(TIME_ENTRY_BYTES == size_of::<i64>() + size_of::<u32>());
/// Below this many bytes a part of an index file is read at once instead of being searched by single reads.
const SEARCH_AT_ONCE_BYTES: u64 = 4096;
const _: () = assert!(SEARCH_AT_ONCE_BYTES > TIME_ENTRY_BYTES as u64, "a search by single reads ends");
/// `.timeindex` of a segment without timestamps (and Kafka's `RecordBatch.NO_TIMESTAMP`).
pub const NO_TIMESTAMP: i64 = -1;

/// The largest timestamp so far, and the last offset of the first batch that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampOffset {
    pub timestamp: TimestampMs,
    pub offset: Offset,
}

impl TimestampOffset {
    pub fn none(base_offset: Offset) -> TimestampOffset {
        TimestampOffset { timestamp: TimestampMs(NO_TIMESTAMP), offset: base_offset }
    }
}

/// What one batch adds to the indexes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexEntry {
    pub last_offset: Offset,
    pub position: u64,
    pub max_timestamp: TimestampOffset,
}

/// Decides which batches of a segment get index entries: the same for those appended and those found in recovery.
#[derive(Clone, Debug)]
pub struct IndexBuilder {
    /// Where the last batch with an entry begins.
    last_indexed: u64,
    pub max_timestamp: TimestampOffset,
}

impl IndexBuilder {
    pub fn new(base_offset: Offset) -> IndexBuilder {
        IndexBuilder { last_indexed: 0, max_timestamp: TimestampOffset::none(base_offset) }
    }

    /// Goes on where the entries of an index end.
    pub fn resume(index: &MemoryIndex, base_offset: Offset) -> IndexBuilder {
        let last_indexed = index.floor_position(u32::MAX).unwrap_or(0);
        let max_timestamp = index.last_time(base_offset).unwrap_or(TimestampOffset::none(base_offset));
        IndexBuilder { last_indexed, max_timestamp }
    }

    /// The entry for the batch at `position`, if it gets one (`LogSegment.append`).
    pub fn add(
        &mut self,
        position: u64,
        batch: &Header,
        last_offset: Offset,
        interval_bytes: u64,
    ) -> Option<IndexEntry> {
        assert!(position >= self.last_indexed, "batches are added in their order");
        if batch.max_timestamp > self.max_timestamp.timestamp.0 {
            self.max_timestamp = TimestampOffset { timestamp: TimestampMs(batch.max_timestamp), offset: last_offset };
        }
        if position.saturating_sub(self.last_indexed) <= interval_bytes {
            return None;
        }
        self.last_indexed = position;
        Some(IndexEntry { last_offset, position, max_timestamp: self.max_timestamp })
    }
}

/// The indexes of the segment that is being written: one writer, readers without a lock.
#[derive(Default)]
pub struct MemoryIndex {
    /// One word: offset − base in the upper half, position in the lower.
    offsets: AppendList<1>,
    /// Two words: timestamp, offset − base.
    times: AppendList<2>,
}

impl MemoryIndex {
    pub fn push(&self, base_offset: Offset, entry: IndexEntry) {
        let relative = relative(base_offset, entry.last_offset);
        self.offsets.push([u64::from(relative) << 32 | (entry.position & u64::from(u32::MAX))]);
        self.push_time(base_offset, entry.max_timestamp);
    }

    /// Adds a time entry if it says something new.
    pub fn push_time(&self, base_offset: Offset, max: TimestampOffset) {
        let last = self.times.last().map_or(NO_TIMESTAMP, |[timestamp, _]| timestamp as i64);
        if max.timestamp.0 > last {
            debug_assert!(max.timestamp.0 > NO_TIMESTAMP, "an entry says something");
            self.times.push([max.timestamp.0 as u64, u64::from(relative(base_offset, max.offset))]);
        }
    }

    /// How many entries the offset index and the time index have.
    pub fn lengths(&self) -> (usize, usize) {
        (self.offsets.len(), self.times.len())
    }

    fn floor_position(&self, relative: u32) -> Option<u64> {
        let [word] = self.offsets.last_where(|[word]| (word >> 32) as u32 <= relative)?;
        Some(word & u64::from(u32::MAX))
    }

    fn floor_time(&self, timestamp: i64) -> Option<(i64, u32)> {
        let [found, relative] = self.times.last_where(|[time, _]| time as i64 <= timestamp)?;
        Some((found as i64, relative as u32))
    }

    pub fn last_time(&self, base_offset: Offset) -> Option<TimestampOffset> {
        let [timestamp, relative] = self.times.last()?;
        Some(TimestampOffset {
            timestamp: TimestampMs(timestamp as i64),
            offset: Offset(base_offset.0 + relative as i64),
        })
    }

    /// The content of the `.index` file.
    pub fn encode_offsets(&self) -> Vec<u8> {
        let bytes: Vec<u8> = self.offsets.iter().flat_map(|[word]| word.to_be_bytes()).collect();
        assert!(bytes.len().is_multiple_of(OFFSET_ENTRY_BYTES), "a file of another size is rebuilt at each opening");
        bytes
    }

    /// The content of the `.timeindex` file.
    pub fn encode_times(&self) -> Vec<u8> {
        let entry = |[timestamp, relative]: [u64; 2]| {
            let mut bytes = [0; TIME_ENTRY_BYTES];
            bytes[..8].copy_from_slice(&timestamp.to_be_bytes());
            bytes[8..].copy_from_slice(&(relative as u32).to_be_bytes());
            bytes
        };
        let bytes: Vec<u8> = self.times.iter().flat_map(entry).collect();
        assert!(bytes.len().is_multiple_of(TIME_ENTRY_BYTES), "a file of another size is rebuilt at each opening");
        bytes
    }

    /// Reads both files back; `None` unless they are what an index of a segment of this size can be.
    pub fn decode(offsets: &[u8], times: &[u8], segment_bytes: u64) -> Option<MemoryIndex> {
        let (offset_entries, rest) = offsets.as_chunks::<OFFSET_ENTRY_BYTES>();
        let (time_entries, more) = times.as_chunks::<TIME_ENTRY_BYTES>();
        if !rest.is_empty() || !more.is_empty() {
            return None;
        }
        let index = MemoryIndex::default();
        let mut before: Option<u64> = None;
        for entry in offset_entries {
            let word = u64::from_be_bytes(*entry);
            let rises = before.is_none_or(|b| word >> 32 > b >> 32 && word & 0xffff_ffff > b & 0xffff_ffff);
            if !rises || word & 0xffff_ffff >= segment_bytes || word >> 63 == 1 || !index.offsets.push([word]) {
                return None;
            }
            before = Some(word);
        }
        for entry in time_entries {
            let (timestamp, relative) = split_time(entry);
            let (last_time, last_relative) =
                index.times.last().map_or((NO_TIMESTAMP, 0), |[t, r]| (t as i64, r as u32));
            if timestamp <= last_time || relative < last_relative || relative > i32::MAX as u32 {
                return None;
            }
            index.times.push([timestamp as u64, u64::from(relative)]);
        }
        Some(index)
    }
}

fn split_time(entry: &[u8; TIME_ENTRY_BYTES]) -> (i64, u32) {
    let (timestamp, relative) = entry.split_at(8);
    let timestamp = timestamp.first_chunk().map_or(NO_TIMESTAMP, |t| i64::from_be_bytes(*t));
    (timestamp, relative.first_chunk().map_or(0, |r| u32::from_be_bytes(*r)))
}

fn relative(base_offset: Offset, offset: Offset) -> u32 {
    u32::try_from(offset.0.saturating_sub(base_offset.0)).unwrap_or(u32::MAX)
}

/// An index file of a sealed segment.
pub struct IndexFile(LazyFile);

impl IndexFile {
    pub fn new(path: PathBuf) -> IndexFile {
        IndexFile(LazyFile::new(path))
    }

    /// One that is open and will have this path; the second part of the answer keeps it open until then.
    pub fn held(disk: &dyn Disk, path: PathBuf, file: Arc<dyn File>) -> (IndexFile, Arc<dyn File>) {
        let (lazy, held) = LazyFile::held(disk, path, file);
        (IndexFile(lazy), held)
    }

    fn file(&self, disk: &dyn Disk) -> io::Result<Arc<dyn File>> {
        self.0.get(disk)
    }

    /// The last entry of `WIDTH` bytes for which `below` holds.
    fn last_where<const WIDTH: usize>(
        &self,
        disk: &dyn Disk,
        below: impl Fn(&[u8; WIDTH]) -> bool,
    ) -> io::Result<Option<[u8; WIDTH]>> {
        let file = self.file(disk)?;
        let width = WIDTH as u64;
        let (mut low, mut high) = (0, file.size()? / width);
        let mut best = None;
        while (high - low) * width > SEARCH_AT_ONCE_BYTES {
            let middle = low + (high - low) / 2;
            debug_assert!(low <= middle && middle < high, "the search goes on");
            let mut entry = [0; WIDTH];
            if file.read_at(&mut entry, middle * width)? < WIDTH {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if below(&entry) {
                best = Some(entry);
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut rest = vec![0; ((high - low) * width) as usize];
        let read = file.read_at(&mut rest, low * width)?;
        let (entries, _) = rest[..read].as_chunks::<WIDTH>();
        Ok(entries[..entries.partition_point(below)].last().copied().or(best))
    }
}

/// A segment's indexes, wherever they are.
pub enum Index {
    Memory(Box<MemoryIndex>),
    Files { offsets: IndexFile, times: IndexFile },
}

impl Index {
    /// Bytes of the offset index and of the time index.
    pub fn sizes_bytes(&self, disk: &dyn Disk) -> io::Result<(u64, u64)> {
        match self {
            Index::Memory(memory) => {
                let (offsets, times) = memory.lengths();
                Ok(((offsets * OFFSET_ENTRY_BYTES) as u64, (times * TIME_ENTRY_BYTES) as u64))
            }
            // A file that is missing weighs nothing: the copy gets a new one.
            Index::Files { offsets, times } => {
                let size = |index: &IndexFile| match index.file(disk) {
                    Ok(file) => file.size(),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
                    Err(error) => Err(error),
                };
                Ok((size(offsets)?, size(times)?))
            }
        }
    }

    /// Where to begin looking for an offset: the position of a batch that ends at or below it, or the beginning. What
    /// cannot be read is no obstacle: then too the search begins at the beginning.
    pub fn floor_position(&self, disk: &dyn Disk, base_offset: Offset, offset: Offset) -> u64 {
        let relative = relative(base_offset, offset);
        match self {
            Index::Memory(memory) => memory.floor_position(relative),
            Index::Files { offsets, .. } => {
                let below = |entry: &[u8; OFFSET_ENTRY_BYTES]| (u64::from_be_bytes(*entry) >> 32) as u32 <= relative;
                let found = offsets.last_where(disk, below).ok().flatten();
                found.map(|entry| u64::from_be_bytes(entry) & u64::from(u32::MAX))
            }
        }
        .unwrap_or(0)
    }

    /// The last position below the given one at which a batch is known to begin, or the beginning.
    pub fn floor_before(&self, disk: &dyn Disk, position: u64) -> u64 {
        let place = |word: u64| word & u64::from(u32::MAX);
        match self {
            Index::Memory(memory) => memory.offsets.last_where(|[word]| place(word) < position).map(|[word]| word),
            Index::Files { offsets, .. } => {
                let below = |entry: &[u8; OFFSET_ENTRY_BYTES]| place(u64::from_be_bytes(*entry)) < position;
                offsets.last_where(disk, below).ok().flatten().map(u64::from_be_bytes)
            }
        }
        .map_or(0, place)
    }

    /// The last offset of which is known that no batch up to it has a timestamp above the given one.
    pub fn floor_time(&self, disk: &dyn Disk, base_offset: Offset, timestamp: TimestampMs) -> Offset {
        let relative = match self {
            Index::Memory(memory) => memory.floor_time(timestamp.0).map(|(_, relative)| relative),
            Index::Files { times, .. } => {
                let below = |entry: &[u8; TIME_ENTRY_BYTES]| split_time(entry).0 <= timestamp.0;
                times.last_where(disk, below).ok().flatten().map(|entry| split_time(&entry).1)
            }
        };
        Offset(base_offset.0 + i64::from(relative.unwrap_or(0)))
    }

    /// The last entry of the time index, which in a sealed segment is its largest timestamp.
    pub fn last_time(&self, disk: &dyn Disk, base_offset: Offset) -> io::Result<Option<TimestampOffset>> {
        match self {
            Index::Memory(memory) => Ok(memory.last_time(base_offset)),
            Index::Files { times, .. } => {
                let entry = times.last_where(disk, |_: &[u8; TIME_ENTRY_BYTES]| true)?;
                Ok(entry.map(|entry| {
                    let (timestamp, relative) = split_time(&entry);
                    let offset = Offset(base_offset.0 + i64::from(relative));
                    TimestampOffset { timestamp: TimestampMs(timestamp), offset }
                }))
            }
        }
    }
}

/// Writes a whole file anew, without syncing it; the file is given back so that somebody can.
pub fn write_file(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<Arc<dyn File>> {
    let file = disk.open(path, Open::Create)?;
    let write = || {
        file.set_size(0)?;
        file.write_at(&[IoSlice::new(content)], 0)
    };
    // Half a file would be taken for damage later, and holds space that there is none of.
    write().inspect_err(|_| drop(disk.remove_file(path)))?;
    Ok(file)
}

/// Replaces a small file as a whole without waiting for the platter: its path is given back for the next flush.
pub(super) fn replace_unsynced(disk: &dyn Disk, path: &Path, content: &[u8]) -> Result<PathBuf, Error> {
    let temporary = names::with_suffix(path, ".tmp");
    write_file(disk, &temporary, content).map_err(Error::io("write", &temporary))?;
    disk.rename(&temporary, path).map_err(Error::io("replace", path))?;
    Ok(path.to_path_buf())
}

/// Writes `.index` and `.timeindex`.
pub(super) fn write_index_files(
    disk: &dyn Disk,
    directory: &Path,
    base_offset: Offset,
    memory: &MemoryIndex,
) -> Result<[PathBuf; 2], Error> {
    let write = |kind, content: Vec<u8>| {
        let path = names::file(directory, base_offset, kind);
        write_file(disk, &path, &content).map_err(Error::io("write", &path))?;
        Ok(path)
    };
    Ok([write(Kind::OffsetIndex, memory.encode_offsets())?, write(Kind::TimeIndex, memory.encode_times())?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::simulated_disk::SimulatedDisk;
    use proptest::prelude::*;

    fn max(timestamp: i64, offset: i64) -> TimestampOffset {
        TimestampOffset { timestamp: TimestampMs(timestamp), offset: Offset(offset) }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn memory_and_file_answer_as_an_ordered_map(
            steps in proptest::collection::vec((1u32..9, 1u32..500, -1i64..50), 0..900),
            wanted in 0i64..5000,
            time in -2i64..60,
        ) {
            let base = Offset(1000);
            let memory = MemoryIndex::default();
            let mut positions = std::collections::BTreeMap::new();
            let mut times = std::collections::BTreeMap::new();
            let (mut offset, mut position, mut largest) = (999, 0u64, max(-1, 1000));
            for (step, size, timestamp) in steps {
                offset += i64::from(step);
                if timestamp > largest.timestamp.0 {
                    largest = max(timestamp, offset);
                    times.insert(timestamp, offset);
                }
                memory.push(base, IndexEntry { last_offset: Offset(offset), position, max_timestamp: largest });
                positions.insert(offset, position);
                position += u64::from(size);
            }
            let wanted = Offset(1000 + wanted);
            let expected = positions.range(..=wanted.0).next_back().map_or(0, |(_, p)| *p);
            let expected_time = times.range(..=time).next_back().map_or(base, |(_, o)| Offset(*o));
            let disk = SimulatedDisk::default();
            let (offsets, timestamps) = (memory.encode_offsets(), memory.encode_times());
            write_file(&disk, Path::new("/o"), &offsets).unwrap();
            write_file(&disk, Path::new("/t"), &timestamps).unwrap();
            let again = MemoryIndex::decode(&offsets, &timestamps, position.max(1)).expect("what was encoded");
            prop_assert_eq!(again.lengths(), (positions.len(), times.len()));
            let files =
                Index::Files { offsets: IndexFile::new("/o".into()), times: IndexFile::new("/t".into()) };
            for index in [Index::Memory(Box::new(memory)), Index::Memory(Box::new(again)), files] {
                prop_assert_eq!(index.floor_position(&disk, base, wanted), expected);
                prop_assert_eq!(index.floor_time(&disk, base, TimestampMs(time)), expected_time);
                let last = times.iter().next_back().map(|(t, o)| max(*t, *o));
                prop_assert_eq!(index.last_time(&disk, base).unwrap(), last);
            }
        }

        /// What is read are whole entries that rise and stay within the segment, and it is what stood there.
        #[test]
        fn any_bytes_are_an_index_or_not(
            offsets in proptest::collection::vec((1i32..4, -1i32..40), 0..4),
            times in proptest::collection::vec((0i64..4, -1i32..3), 0..4),
            rest: (bool, bool),
            size in 0u64..60,
        ) {
            let (mut relative, mut position) = (0, 0);
            let offsets: Vec<(i32, i32)> = offsets.into_iter().map(|(step, further)| {
                (relative, position) = (relative + step, position + further);
                (relative, position)
            }).collect();
            let (mut time, mut relative) = (-1, 0);
            let times: Vec<(i64, i32)> = times.into_iter().map(|(later, step)| {
                (time, relative) = (time + later, relative + step);
                (time, relative)
            }).collect();
            let mut offset_bytes: Vec<u8> =
                offsets.iter().flat_map(|(r, p)| [r.to_be_bytes(), p.to_be_bytes()].concat()).collect();
            let mut time_bytes: Vec<u8> =
                times.iter().flat_map(|(t, r)| [&t.to_be_bytes()[..], &r.to_be_bytes()].concat()).collect();
            offset_bytes.extend(rest.0.then_some(0));
            time_bytes.extend(rest.1.then_some(0));
            let is_sound = !rest.0
                && !rest.1
                && offsets.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1)
                && offsets.iter().all(|(_, position)| (0..size as i32).contains(position))
                && times.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1)
                && times.iter().all(|(time, relative)| *time >= 0 && *relative >= 0);
            let decoded = MemoryIndex::decode(&offset_bytes, &time_bytes, size);
            prop_assert_eq!(decoded.is_some(), is_sound);
            if let Some(index) = decoded {
                prop_assert_eq!((index.encode_offsets(), index.encode_times()), (offset_bytes, time_bytes));
            }
        }
    }
}
