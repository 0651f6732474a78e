//! One segment: a `.log` file with its indexes, and how to find a batch in it.
//!
//! A segment does not know how long it is while it is written: that is part of the [`View`](super::view::View), so that
//! a reader has one consistent picture.

use super::batches::{Batches, LOOKUP_BUFFER_BYTES, Placed};
use super::index::{Index, IndexFile, MemoryIndex, TimestampOffset};
use super::names::{self, Kind};
use super::transactions::Aborted;
use crate::io::disk::{Disk, File};
use crate::io::open_files::LazyFile;
use crate::model::Offset;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

pub struct Segment {
    pub base_offset: Offset,
    pub log: LazyFile,
    pub index: Index,
    /// The length of a sealed segment; of the active one what is published counts.
    pub sealed_size_bytes: u64,
    pub aborted: Aborted,
    /// The largest timestamp of a sealed segment, once somebody wanted it.
    max_timestamp: OnceLock<TimestampOffset>,
}

impl Segment {
    pub fn active(base_offset: Offset, log: LazyFile, index: MemoryIndex) -> Segment {
        Segment {
            base_offset,
            log,
            index: Index::Memory(Box::new(index)),
            sealed_size_bytes: 0,
            aborted: Aborted::default(),
            max_timestamp: OnceLock::new(),
        }
    }

    pub fn sealed(directory: &Path, base_offset: Offset, log: LazyFile, size_bytes: u64) -> Segment {
        let file = |kind| IndexFile::new(names::file(directory, base_offset, kind));
        let index = Index::Files { offsets: file(Kind::OffsetIndex), times: file(Kind::TimeIndex) };
        let (aborted, max_timestamp) = (Aborted::default(), OnceLock::new());
        Segment { base_offset, log, index, sealed_size_bytes: size_bytes, aborted, max_timestamp }
    }

    /// A sealed segment whose index files are open already, under whatever name.
    pub fn sealed_with(
        base_offset: Offset,
        log: LazyFile,
        size_bytes: u64,
        offsets: IndexFile,
        times: IndexFile,
    ) -> Segment {
        let index = Index::Files { offsets, times };
        let (aborted, max_timestamp) = (Aborted::default(), OnceLock::new());
        Segment { base_offset, log, index, sealed_size_bytes: size_bytes, aborted, max_timestamp }
    }

    pub fn with_aborted(self, aborted: Aborted) -> Segment {
        Segment { aborted, ..self }
    }

    /// The `.log` file, opened if it is not.
    pub fn file(&self, disk: &dyn Disk) -> io::Result<Arc<dyn File>> {
        self.log.get(disk)
    }

    /// The index in memory, which the active segment has.
    pub fn memory(&self) -> Option<&MemoryIndex> {
        match &self.index {
            Index::Memory(memory) => Some(memory),
            Index::Files { .. } => None,
        }
    }

    /// The first batch, below `size_bytes`, that ends at or after the offset.
    pub fn locate(&self, disk: &dyn Disk, offset: Offset, size_bytes: u64) -> io::Result<Option<Placed>> {
        assert!(self.memory().is_some() || size_bytes == self.sealed_size_bytes, "a sealed segment has one size");
        let file = self.file(disk)?;
        let hint = self.index.floor_position(disk, self.base_offset, offset);
        if hint > 0 {
            let mut batches = Batches::new(file.clone(), hint, size_bytes, LOOKUP_BUFFER_BYTES);
            let first = batches.next_header()?;
            // An entry names the last offset of its batch. Where a batch above the wanted one, or none, stands instead,
            // the index is damaged: then the file is searched from its beginning.
            if let Some(first) = first.filter(|f| f.header.base_offset <= offset.0) {
                return find(&mut batches, Some(first), offset);
            }
        }
        let mut batches = Batches::new(file, 0, size_bytes, LOOKUP_BUFFER_BYTES);
        find(&mut batches, None, offset)
    }

    /// The largest timestamp of a sealed segment.
    pub fn sealed_max_timestamp(&self, disk: &dyn Disk) -> io::Result<TimestampOffset> {
        if let Some(known) = self.max_timestamp.get() {
            return Ok(*known);
        }
        assert!(self.memory().is_none(), "the largest timestamp of the active segment is the view's");
        let found = match self.index.last_time(disk, self.base_offset) {
            Ok(Some(found)) => found,
            // No entry: no batch has a timestamp, or the file is gone; only the batches can tell.
            Ok(None) | Err(_) => self.scan_max_timestamp(disk)?,
        };
        Ok(*self.max_timestamp.get_or_init(|| found))
    }

    fn scan_max_timestamp(&self, disk: &dyn Disk) -> io::Result<TimestampOffset> {
        let mut largest = TimestampOffset::none(self.base_offset);
        let mut batches = Batches::new(self.file(disk)?, 0, self.sealed_size_bytes, LOOKUP_BUFFER_BYTES);
        while let Some(placed) = batches.next_header()? {
            if placed.header.max_timestamp > largest.timestamp.0 {
                largest.timestamp = crate::model::TimestampMs(placed.header.max_timestamp);
                largest.offset = placed.header.last_offset();
            }
        }
        Ok(largest)
    }
}

fn find(batches: &mut Batches, first: Option<Placed>, offset: Offset) -> io::Result<Option<Placed>> {
    let mut next = match first {
        Some(first) => Some(first),
        None => batches.next_header()?,
    };
    while let Some(placed) = next {
        debug_assert!(placed.end() <= batches.position(), "the walk has passed the batch");
        if placed.header.last_offset() >= offset {
            return Ok(Some(placed));
        }
        next = batches.next_header()?;
    }
    Ok(None)
}
