//! What opening believes without checksums: the segments below the recovery point, and all of them after a clean stop.

use super::Opening;
use super::notes::note_epoch;
use crate::model::Offset;
use crate::storage::batches::{Batches, SCAN_BUFFER_BYTES};
use crate::storage::epochs::Epochs;
use crate::storage::error::Error;
use crate::storage::index::{self, IndexBuilder, MemoryIndex, write_index_files};
use crate::storage::names::{self, Kind};
use crate::storage::segment::Segment;

/// No index file of Kafka's is larger (`segment.index.bytes` is a 32-bit number).
const MAX_INDEX_FILE_BYTES: u64 = i32::MAX as u64;
impl Opening<'_> {
    /// Believes the files of the last segment after a clean stop; the end offset, or `None` if they contradict each
    /// other and the segment must be recovered.
    pub(super) fn load_active(&mut self) -> Result<Option<Offset>, Error> {
        let Some(last) = self.segments.last_mut() else { return Ok(None) };
        let read = |kind| {
            let path = names::file(self.directory, last.base_offset, kind);
            self.disk.read_small(&path, MAX_INDEX_FILE_BYTES).map_err(Error::io("read", &path))
        };
        if last.is_empty() {
            last.index = Some(MemoryIndex::default());
            return Ok(Some(last.base_offset));
        }
        let index = MemoryIndex::decode(&read(Kind::OffsetIndex)?, &read(Kind::TimeIndex)?, last.size_bytes);
        let Some(index) = index else { return Ok(None) };
        let segment = Segment::active(last.base_offset, last.log.clone(), index);
        let from = segment.index.floor_position(&**self.disk, last.base_offset, Offset(i64::MAX));
        let mut batches =
            Batches::new(last.file(&**self.disk)?, from, last.size_bytes, SCAN_BUFFER_BYTES.min(64 << 10));
        let mut end_offset = last.base_offset;
        let path = names::file(self.directory, last.base_offset, Kind::Log);
        while let Some(placed) = batches.next_header().map_err(Error::io("read", &path))? {
            let reaches = placed.header.last_offset().0 - last.base_offset.0;
            if placed.header.base_offset < end_offset.0 || reaches > i64::from(i32::MAX) {
                return Ok(None);
            }
            debug_assert!(placed.end() <= last.size_bytes, "a batch reaches behind its file");
            end_offset = placed.header.last_offset().next();
        }
        if batches.position() != last.size_bytes {
            return Ok(None);
        }
        if let index::Index::Memory(index) = segment.index {
            last.index = Some(*index);
        }
        Ok(Some(end_offset))
    }

    /// Makes the indexes of a sealed segment anew from its batches, which are on the platter and not questioned.
    pub(super) fn rebuild_index(&mut self, at: usize) -> Result<(), Error> {
        let found = &self.segments[at];
        let path = names::file(self.directory, found.base_offset, Kind::Log);
        let mut batches = Batches::new(found.file(&**self.disk)?, 0, found.size_bytes, SCAN_BUFFER_BYTES);
        let (index, mut builder) = (MemoryIndex::default(), IndexBuilder::new(found.base_offset));
        while let Some(placed) = batches.next_header().map_err(Error::io("read", &path))? {
            let last = placed.header.last_offset();
            if last.0 - found.base_offset.0 > i64::from(i32::MAX) || last < found.base_offset {
                break;
            }
            let entry = builder.add(placed.position, &placed.header, last, self.config.index_interval_bytes);
            entry.into_iter().for_each(|entry| index.push(found.base_offset, entry));
        }
        index.push_time(found.base_offset, builder.max_timestamp);
        self.unsynced.extend(write_index_files(&**self.disk, self.directory, found.base_offset, &index)?);
        Ok(())
    }

    /// The leader epochs as the batches of the first segments tell them.
    pub(super) fn epochs_from_batches(&self, segments: usize) -> Result<Epochs, Error> {
        let mut epochs = Epochs::default();
        for found in &self.segments[..segments] {
            let path = names::file(self.directory, found.base_offset, Kind::Log);
            let mut batches = Batches::new(found.file(&**self.disk)?, 0, found.size_bytes, SCAN_BUFFER_BYTES);
            while let Some(placed) = batches.next_header().map_err(Error::io("read", &path))? {
                note_epoch(&mut epochs, &placed);
            }
        }
        Ok(epochs)
    }
}
