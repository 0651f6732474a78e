//! Reading a log: ranges of segment files for Fetch, offsets for ListOffsets and OffsetForLeaderEpoch. No lock.

use super::batches::{Batches, LOOKUP_BUFFER_BYTES};
use super::error::Error;
use super::log::Log;
use super::names::{self, Kind};
use super::recent::Recent;
use super::segment::Segment;
use super::transactions::AbortedTxn;
use super::view::View;
use crate::io::disk::File;
use crate::model::{LeaderEpoch, Offset, Position};
use std::fmt;
use std::sync::Arc;

/// A part of a segment file that begins with a whole batch's header. The file stays readable after its segment has left
/// the log.
#[derive(Clone)]
pub struct Slice {
    pub file: Arc<dyn File>,
    pub position: Position,
    /// The last batch may be cut, as in Kafka. Zero only if not even the first batch fits and was not asked for whole.
    pub length: u64,
    /// Where the first batch begins, which may be below the offset asked for.
    pub base_offset: Offset,
    /// More that may be read lies in the next segment.
    pub is_followed: bool,
    /// The aborted transactions that reach into it; empty but for [`Log::read_committed`].
    pub aborted: Vec<AbortedTxn>,
    /// The write that it is a part of, while that is in memory.
    recent: Option<Arc<Recent>>,
}

impl Slice {
    /// Its bytes, where they are in memory.
    pub fn memory(&self) -> Option<&[u8]> {
        self.recent.as_ref()?.at(self.position.0, self.length)
    }

    /// Leaves the file only: a connection that cannot pass the bytes on at once holds no memory for them.
    pub fn forget_memory(&mut self) {
        self.recent = None;
    }

    /// So many bytes of its beginning are done with.
    pub fn advance(&mut self, length: u64) {
        assert!(length <= self.length, "more was sent than the slice has");
        self.position.0 += length;
        self.length -= length;
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at {} from offset {}", self.length, self.position, self.base_offset)
    }
}

/// The offset asked for is not in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfRange {
    pub log_start_offset: Offset,
    pub log_end_offset: Offset,
}

/// Why nothing was read.
#[derive(Debug)]
pub enum ReadError {
    OutOfRange(OutOfRange),
    Storage(Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::OutOfRange(range) => {
                write!(f, "the log has the offsets from {} to {}", range.log_start_offset, range.log_end_offset)
            }
            ReadError::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

impl Log {
    /// Where the batches from `from` on lie, up to but not including `up_to` (which must stand between two batches) and
    /// at most to the end of one segment. `None` if there are none (yet).
    pub fn read(
        &self,
        from: Offset,
        up_to: Offset,
        max_bytes: u64,
        at_least_one: bool,
    ) -> Result<Option<Slice>, ReadError> {
        let read = |view: &View| self.read_in(view, from, up_to, max_bytes, at_least_one);
        self.with_view(|view| Ok(read(view)?.map(|(slice, _)| slice)))
    }

    /// Does what [`Log::read`] does, with the aborted transactions whose records a `read_committed` consumer must leave out.
    pub fn read_committed(
        &self,
        from: Offset,
        up_to: Offset,
        max_bytes: u64,
        at_least_one: bool,
    ) -> Result<Option<Slice>, ReadError> {
        self.with_view(|view| {
            let Some((mut slice, at)) = self.read_in(view, from, up_to, max_bytes, at_least_one)? else {
                return Ok(None);
            };
            if slice.length > 0 && has_aborted_from(view, at) {
                let end = self.end_of_slice(view, at, &slice).map_err(|cause| self.cannot_read(view, at, cause))?;
                slice.aborted = collect(&view.segments[at..], from, end);
            }
            Ok(Some(slice))
        })
    }

    /// The first offset that is not in a slice of this segment.
    fn end_of_slice(&self, view: &View, at: usize, slice: &Slice) -> std::io::Result<Offset> {
        let segment = &view.segments[at];
        let end = slice.position.0 + slice.length;
        let from = segment.index.floor_before(&*self.disk, end);
        let size_bytes = view.segment_size_bytes(at);
        let mut batches = Batches::new(slice.file.clone(), from, size_bytes, LOOKUP_BUFFER_BYTES);
        while let Some(placed) = batches.next_header()? {
            if placed.position >= end {
                return Ok(Offset(placed.header.base_offset));
            }
        }
        Ok(view.segment_end_offset(at))
    }

    /// Reads from one picture of the log; again from the next where segments have left the log meanwhile: the files of
    /// those may have been out of reach, or their names may have been those of others.
    pub(super) fn with_view<T, E>(&self, mut look: impl FnMut(&View) -> Result<T, E>) -> Result<T, E> {
        loop {
            let view = self.view.load();
            let found = look(&view);
            if self.view.load().has_all_of(&view) {
                return found;
            }
        }
    }

    fn read_in(
        &self,
        view: &View,
        from: Offset,
        up_to: Offset,
        max_bytes: u64,
        at_least_one: bool,
    ) -> Result<Option<(Slice, usize)>, ReadError> {
        if from < view.log_start_offset || from > view.end_offset {
            let (log_start_offset, log_end_offset) = (view.log_start_offset, view.end_offset);
            return Err(ReadError::OutOfRange(OutOfRange { log_start_offset, log_end_offset }));
        }
        let up_to = up_to.min(view.end_offset);
        if from >= up_to {
            return Ok(None);
        }
        // The batches between a segment's last one and the next segment's first may have been compacted away: then the
        // search goes on in the next segment.
        assert!(view.segments[0].base_offset <= from, "the offset was in the log, but is in no segment");
        for at in view.floor(from)..view.segments.len() {
            let slice = self.read_segment(view, at, from, up_to, max_bytes, at_least_one);
            if let Some(slice) = slice.map_err(|cause| self.cannot_read(view, at, cause))? {
                return Ok(Some((slice, at)));
            }
        }
        Ok(None)
    }

    fn read_segment(
        &self,
        view: &View,
        at: usize,
        from: Offset,
        up_to: Offset,
        max_bytes: u64,
        at_least_one: bool,
    ) -> std::io::Result<Option<Slice>> {
        let segment = &view.segments[at];
        let size_bytes = view.segment_size_bytes(at);
        let in_memory = || view.recent.upgrade().filter(|recent| recent.begins_at_or_before(from));
        let recent = if view.is_active(at) { in_memory() } else { None };
        let locate = |offset| match &recent {
            Some(recent) => Ok(recent.locate(offset)),
            None => segment.locate(&*self.disk, offset, size_bytes),
        };
        let Some(first) = locate(from)? else { return Ok(None) };
        if first.header.base_offset >= up_to.0 {
            return Ok(None);
        }
        let limit = if up_to >= view.segment_end_offset(at) {
            size_bytes
        } else {
            locate(up_to)?.map_or(size_bytes, |behind| behind.position)
        };
        assert!(first.end() <= size_bytes, "the batch reaches behind what is published");
        assert!(limit <= size_bytes, "the slice reaches behind what is published");
        debug_assert!(first.header.last_offset() >= from, "the batch ends before the offset asked for");
        let available_bytes = limit.saturating_sub(first.position);
        let wanted = match (max_bytes, at_least_one) {
            (max, true) => max.max(first.size_bytes),
            (max, false) if max < first.size_bytes => 0,
            (max, false) => max,
        };
        Ok(Some(Slice {
            file: segment.file(&*self.disk)?,
            position: Position(first.position),
            length: wanted.min(available_bytes),
            base_offset: Offset(first.header.base_offset),
            is_followed: up_to > view.segment_end_offset(at),
            aborted: Vec::new(),
            recent,
        }))
    }

    fn cannot_read(&self, view: &View, at: usize, cause: std::io::Error) -> ReadError {
        // The files of a deleted log have other names: that is no failure of the disk.
        if self.is_deleted() {
            return ReadError::Storage(Error::Offline);
        }
        let path = names::file(&self.directory, view.segments[at].base_offset, Kind::Log);
        ReadError::Storage(Error::io("read", &path)(cause))
    }

    /// The epoch of the last leader that wrote, or took over.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.load().latest().map(|latest| latest.epoch)
    }

    /// The epoch of the first record, which goes with the log start offset in an answer.
    pub fn earliest_epoch(&self) -> Option<LeaderEpoch> {
        let start = self.log_start_offset();
        self.epochs.load().earliest().filter(|earliest| earliest.start_offset <= start).map(|earliest| earliest.epoch)
    }

    /// The largest epoch not above the asked one, and the offset behind its last record; `None` if it is unknown.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let end_offset = self.log_end_offset();
        self.epochs.load().end_offset_for(epoch, end_offset)
    }
}

/// The aborted transactions that reach into the offsets from `from` up to `up_to`, looked for from a segment on
/// (`LocalLog.collectAbortedTransactions`).
pub(super) fn collect(segments: &[Arc<Segment>], from: Offset, up_to: Offset) -> Vec<AbortedTxn> {
    let mut found = Vec::new();
    for segment in segments {
        let Some(all) = segment.aborted.load() else { continue };
        for txn in all.from(from) {
            if txn.first_offset < up_to {
                found.push(*txn);
            }
            // All that begins below was decided by then.
            if txn.last_stable_offset >= up_to {
                return found;
            }
        }
    }
    found
}

/// Whether a transaction was aborted in a segment or behind it.
fn has_aborted_from(view: &View, at: usize) -> bool {
    view.segments[at..].iter().any(|segment| segment.aborted.len() > 0)
}
