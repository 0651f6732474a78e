//! What readers see of a log: one immutable picture, replaced as a whole at each write.

use super::index::TimestampOffset;
use super::producers::Completed;
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
    pub uncommitted: Uncommitted,
    /// Published bytes of the active segment.
    pub active_size_bytes: u64,
    /// The largest timestamp in the active segment.
    pub active_max_timestamp: TimestampOffset,
    /// The last write to the active segment, while a shard keeps it in memory.
    pub recent: Weak<Recent>,
}

/// Transactions whose markers are in the log and were not committed yet when the picture was made
/// (`ProducerStateManager.unreplicatedTxns`). Nearly always none, which costs nothing.
#[derive(Clone, Default)]
pub struct Uncommitted(Option<Arc<[Completed]>>);

impl Uncommitted {
    /// These and more, without those that are committed by now.
    pub fn with(&self, more: &[Completed], high_watermark: Offset) -> Uncommitted {
        if self.0.is_none() && more.is_empty() {
            return Uncommitted(None);
        }
        let all: Arc<[_]> = self.behind(high_watermark).chain(more).copied().collect();
        Uncommitted((!all.is_empty()).then_some(all))
    }

    fn behind(&self, high_watermark: Offset) -> impl Iterator<Item = &Completed> {
        self.0.iter().flat_map(|all| &**all).filter(move |completed| completed.marker_offset >= high_watermark)
    }
}

impl View {
    /// The first offset that is not decided for readers that know this high watermark
    /// (`UnifiedLog.fetchLastStableOffsetMetadata`). It may be older than the picture, not newer.
    pub fn last_stable_offset(&self, high_watermark: Offset) -> Offset {
        let uncommitted = self.uncommitted.behind(high_watermark).map(|completed| completed.first_offset);
        let first = uncommitted.chain(self.first_unstable_offset).min();
        // What was open below the log's start is not in the log.
        first.map_or(high_watermark, |first| first.max(self.log_start_offset).min(high_watermark))
    }

    /// Whether no segment of an earlier picture is missing in this one.
    pub fn has_all_of(&self, earlier: &View) -> bool {
        if Arc::ptr_eq(&self.segments, &earlier.segments) {
            return true;
        }
        let from = self.segments.partition_point(|segment| segment.base_offset < earlier.segments[0].base_offset);
        let pairs = self.segments[from..].iter().zip(&*earlier.segments);
        pairs.filter(|(a, b)| a.log.is(&b.log)).count() == earlier.segments.len()
    }

    /// What holds of every picture. A damaged directory cannot break it: opening mends what it finds, or refuses.
    pub fn check(&self) {
        assert!(!self.segments.is_empty(), "a log has an active segment");
        assert!(self.segments[0].base_offset <= self.log_start_offset, "the log starts before its first segment");
        assert!(self.log_start_offset <= self.end_offset, "the log starts behind its end");
        assert!(self.active().base_offset <= self.end_offset, "the active segment begins behind the log's end");
        let is_active_empty = self.active().base_offset == self.end_offset;
        assert!(self.active_size_bytes == 0 || !is_active_empty, "bytes are published that have no offset");
        assert!(self.active().memory().is_some(), "the index of the active segment is in memory");
        let sealed = &self.segments[..self.segments.len() - 1];
        debug_assert!(sealed.iter().all(|segment| segment.memory().is_none()), "a sealed segment's index is in files");
        debug_assert!(self.segments.is_sorted_by(|a, b| a.base_offset < b.base_offset), "segments overlap");
    }

    /// What holds between a picture and the one that it replaces.
    pub fn check_follows(&self, before: &View) {
        assert!(self.log_start_offset >= before.log_start_offset, "deleted records come back");
        assert!(self.end_offset >= before.end_offset, "published records are gone");
        if Arc::ptr_eq(self.active(), before.active()) {
            assert!(self.active_size_bytes >= before.active_size_bytes, "published bytes are gone");
            let (has_bytes, has_offsets) =
                (self.active_size_bytes > before.active_size_bytes, self.end_offset > before.end_offset);
            assert_eq!(has_bytes, has_offsets, "bytes and offsets are published together");
        } else {
            assert!(self.active().base_offset >= before.end_offset, "a new segment begins where the log ends");
            assert_eq!(self.active_size_bytes, 0, "a new segment has no bytes");
        }
    }

    pub fn active(&self) -> &Arc<Segment> {
        &self.segments[self.segments.len() - 1]
    }

    pub fn is_active(&self, at: usize) -> bool {
        at + 1 == self.segments.len()
    }

    pub fn segment_size_bytes(&self, at: usize) -> u64 {
        debug_assert!(at < self.segments.len(), "no segment {at}");
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
