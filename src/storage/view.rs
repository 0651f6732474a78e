//! What readers see of a log: one immutable picture, replaced as a whole at each write.

use super::index::TimestampOffset;
use super::recent::Recent;
use super::segment::Segment;
use crate::model::Offset;
use std::sync::{Arc, Weak};

/// A log at one moment. Offsets below `end_offset`, and no others, are in the segments below their sizes.
#[derive(Clone)]
pub struct View {
    /// Never empty, by rising base offset; the last one is the active segment.
    pub segments: Arc<[Arc<Segment>]>,
    pub log_start_offset: Offset,
    pub end_offset: Offset,
    /// Where the first transaction began that no marker has ended.
    pub first_unstable_offset: Option<Offset>,
    /// Published bytes of the active segment.
    pub active_size_bytes: u64,
    /// The largest timestamp in the active segment.
    pub active_max_timestamp: TimestampOffset,
    /// The last write to the active segment, while somebody keeps it in memory.
    pub recent: Weak<Recent>,
}

impl View {
    /// Whether no segment of an earlier picture is missing in this one.
    pub fn has_all_of(&self, earlier: &View) -> bool {
        if Arc::ptr_eq(&self.segments, &earlier.segments) {
            return true;
        }
        let from = self.segments.partition_point(|segment| segment.base_offset < earlier.segments[0].base_offset);
        let pairs = self.segments[from..].iter().zip(&*earlier.segments);
        pairs.filter(|(a, b)| a.log.is(&b.log)).count() == earlier.segments.len()
    }

    pub fn active(&self) -> &Arc<Segment> {
        &self.segments[self.segments.len() - 1]
    }

    pub fn is_active(&self, at: usize) -> bool {
        at + 1 == self.segments.len()
    }

    pub fn segment_size_bytes(&self, at: usize) -> u64 {
        if self.is_active(at) { self.active_size_bytes } else { self.segments[at].sealed_size_bytes }
    }

    /// The segment that has the offset, if any has: the last one whose base offset is not above it, else the first.
    pub fn floor(&self, offset: Offset) -> usize {
        self.segments.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1)
    }

    /// The first offset behind a segment's batches, as far as the next segment's name tells.
    pub fn segment_end_offset(&self, at: usize) -> Offset {
        self.segments.get(at + 1).map_or(self.end_offset, |next| next.base_offset)
    }

    pub fn size_bytes(&self) -> u64 {
        (0..self.segments.len()).map(|at| self.segment_size_bytes(at)).sum()
    }
}
