//! What only the one writer of a log touches: the place of the next batch, what was appended and not written yet, the
//! producers, the active segment's bookkeeping. The lock of [`Log`](super::log::Log) guards it.

use super::config::{Identity, LogConfig, MAX_SEGMENT_BYTES};
use super::epochs::{EpochStart, Epochs};
use super::index::{IndexBuilder, IndexEntry};
use super::producers::{Completed, Producer, Producers};
use super::recent;
use super::view::View;
use crate::model::{LeaderEpoch, Offset, TimestampMs};
use crate::record::header::{self, Header};
use crate::stdx::spare;
use std::path::PathBuf;
use std::sync::Arc;

/// Space is reserved ahead in steps as large as the segment already is, within these bounds: a small partition reserves
/// little, a large one seldom.
const LEAST_STEP_BYTES: u64 = 256 << 10;
const MOST_STEP_BYTES: u64 = 16 << 20;
const _: () = assert!(LEAST_STEP_BYTES.is_power_of_two() && MOST_STEP_BYTES.is_power_of_two());
const _: () = assert!(LEAST_STEP_BYTES <= MOST_STEP_BYTES && MOST_STEP_BYTES < MAX_SEGMENT_BYTES);
/// More room than this is not kept behind a write that stays in memory.
const ROOM_BYTES: usize = 4096;
const _: () = assert!(2 * recent::MOST_BYTES + ROOM_BYTES <= spare::BATCH_BYTES, "a kept write's buffer is used again");

pub struct Writer {
    /// The offset of the next batch to be appended, so behind what is pending.
    pub next_offset: Offset,
    pub producers: Producers,
    /// What `leader-epoch-checkpoint` says.
    pub epochs_on_disk: Epochs,
    /// There is a snapshot of the producers at this offset.
    pub snapshot_offset: Offset,
    pub pending: Pending,
    pub active: Active,
    /// Small files that were written and are made durable by the next flush.
    pub unsynced: Vec<PathBuf>,
    /// Counts the changes of names in the directory.
    pub names_version: u64,
    /// The index files of the active segment are those of the log's end at this offset.
    pub indexes_on_disk_to: Option<Offset>,
    /// A segment was sealed since the last write was answered.
    pub rolled: bool,
    /// The picture before the one that is shown, for the next one; none if it has other segments.
    pub retired: Option<Arc<View>>,
}

/// Batches that have their offsets and are not in the file yet.
#[derive(Default)]
pub struct Pending {
    pub bytes: Vec<u8>,
    pub entries: Vec<IndexEntry>,
    pub epochs: Vec<EpochStart>,
    /// The active segment before the first of them.
    pub before: Option<Bookkeeping>,
    /// What was known of each batch's producer before it, in their order.
    pub producers_before: Vec<(i64, Option<Producer>)>,
    /// Transactions that a marker among them ends.
    pub completed: Vec<Completed>,
}

/// The active segment, as the writer knows it.
pub struct Active {
    pub base_offset: Offset,
    /// The end of what is written.
    pub size_bytes: u64,
    /// The end of the space reserved.
    pub allocated_bytes: u64,
    pub book: Bookkeeping,
    pub created: TimestampMs,
}

/// What the batches of a segment add up to, those pending included.
#[derive(Clone, Debug)]
pub struct Bookkeeping {
    pub builder: IndexBuilder,
    /// Entries of both indexes.
    pub index_lengths: (usize, usize),
    /// The largest timestamp of the first batch.
    pub first_timestamp: Option<TimestampMs>,
}

impl Writer {
    /// What holds between the writer and what readers see, before each write and after it, failed or not.
    pub fn check(&self, view: &View) {
        assert_eq!(self.active.base_offset, view.active().base_offset, "the writer and the readers see one segment");
        assert_eq!(self.active.size_bytes, view.active_size_bytes, "what is written is what is published");
        assert!(self.next_offset >= view.end_offset, "the next batch would get an offset that is taken");
        let has_pending = self.next_offset > view.end_offset;
        assert!(has_pending || self.pending.is_empty(), "batches are pending that have no offset");
        assert!(self.snapshot_offset <= self.next_offset, "the producers were written as of an offset to come");
    }

    /// Forgets what is pending, so that it seems never to have come. `end` is where the log ends without it.
    pub fn take_back(&mut self, end: Offset) {
        assert!(end <= self.next_offset, "taking back does not give offsets");
        for (producer_id, known) in std::mem::take(&mut self.pending.producers_before).into_iter().rev() {
            self.producers.put_back(producer_id, known);
        }
        if let Some(before) = self.pending.before.take() {
            assert!(before.index_lengths.0 <= self.active.book.index_lengths.0, "index entries were not counted");
            self.active.book = before;
        }
        if self.snapshot_offset > end {
            // It was written for a segment that could not be begun behind offsets that are left out.
            self.snapshot_offset = Offset(-1);
        }
        self.next_offset = end;
        self.pending.clear();
    }
}

impl Pending {
    /// Whether no batch waits to be written; then nothing else does that belongs to one.
    pub fn is_empty(&self) -> bool {
        let is_empty = self.bytes.is_empty();
        assert!(!is_empty || self.before.is_none(), "the segment is to be restored after no write");
        assert!(!is_empty || self.entries.is_empty(), "index entries without a batch");
        assert!(!is_empty || self.producers_before.is_empty(), "producers are to be restored after no write");
        assert!(!is_empty || self.completed.is_empty(), "transactions end without a marker");
        is_empty
    }

    /// What holds of what is about to be written at a position, with as many bytes as there are in all.
    pub fn check(&self, active: &Active, view: &View, length: u64, next_offset: Offset) {
        assert!(self.before.is_some(), "a failed write could not be taken back");
        assert!(next_offset > view.end_offset, "what is pending has offsets");
        let first = Header::parse(&self.bytes).map(|header| Offset(header.base_offset));
        assert!(first.is_some_and(|first| first >= view.end_offset), "a batch would be written twice");
        let place = active.size_bytes..active.size_bytes + length;
        debug_assert!(self.entries.iter().all(|entry| place.contains(&entry.position)), "an entry of another write");
        debug_assert!(self.entries.is_sorted_by(|a, b| a.last_offset < b.last_offset), "index entries rise");
        debug_assert!(self.entries.iter().all(|entry| entry.last_offset < next_offset), "an entry behind the write");
        debug_assert!(self.completed.is_sorted_by(|a, b| a.marker_offset < b.marker_offset), "markers rise");
        assert!(self.completed.iter().all(|t| t.marker_offset >= active.base_offset), "a marker of another segment");
    }

    /// Copies a batch behind the others and gives it its offset and epoch.
    pub fn place(&mut self, batch: &[u8], base_offset: Offset, epoch: LeaderEpoch) {
        if self.bytes.capacity() == 0 {
            self.bytes = spare::take(&spare::BATCHES);
        }
        assert!(batch.len() >= header::HEADER_SIZE, "a batch begins with a whole header");
        let at = self.bytes.len();
        self.bytes.extend_from_slice(batch);
        header::assign(&mut self.bytes[at..], base_offset, epoch);
    }

    pub fn note_epoch(&mut self, epoch: LeaderEpoch, start_offset: Offset, published: &Epochs) {
        let latest = self.epochs.last().copied().or(published.latest());
        if epoch.0 >= 0 && latest.is_none_or(|latest| latest.epoch != epoch) {
            let last_start = self.epochs.last().map(|last| last.start_offset);
            assert!(last_start.is_none_or(|last| last < start_offset), "an epoch begins behind the one before it");
            self.epochs.push(EpochStart { epoch, start_offset });
        }
    }

    /// What is to be written, out of here, in a buffer not much larger than it.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        let is_roomy = self.bytes.capacity() > 2 * self.bytes.len() + ROOM_BYTES;
        if is_roomy { self.bytes.to_vec() } else { std::mem::take(&mut self.bytes) }
    }

    /// Empties it and gives the buffer back for the next partition that appends.
    pub fn clear(&mut self) {
        spare::give_back(&spare::BATCHES, std::mem::take(&mut self.bytes));
        self.entries.clear();
        self.epochs.clear();
        self.before = None;
        self.producers_before = Vec::new();
        self.completed.clear();
    }
}

impl Active {
    pub fn new(base_offset: Offset, created: TimestampMs) -> Active {
        Active {
            base_offset,
            size_bytes: 0,
            allocated_bytes: 0,
            book: Bookkeeping { builder: IndexBuilder::new(base_offset), index_lengths: (0, 0), first_timestamp: None },
            created,
        }
    }

    /// Whether a new segment must begin before this batch (`LogSegment.shouldRoll`); `size_bytes` counts what is pending.
    pub fn should_roll(
        &self,
        config: &LogConfig,
        size_bytes: u64,
        batch: &Header,
        last: Offset,
        now: TimestampMs,
        identity: &Identity,
    ) -> bool {
        // Rolling an empty segment would make one of the same name.
        if size_bytes == 0 {
            return false;
        }
        let waited_ms = match self.book.first_timestamp {
            Some(first) if first.0 >= 0 => batch.max_timestamp.saturating_sub(first.0),
            _ => now.0.saturating_sub(self.created.0),
        };
        let (offset_entries, time_entries) = self.book.index_lengths;
        size_bytes + batch.size_bytes() as u64 > config.segment_bytes()
            || waited_ms > config.roll_after_ms(identity, self.base_offset)
            || offset_entries >= config.max_offset_entries()
            || time_entries >= config.max_time_entries()
            || last.0 - self.base_offset.0 > i64::from(i32::MAX)
    }

    /// Takes note of a batch that begins at `position`; its index entry, if it gets one.
    pub fn note(&mut self, position: u64, batch: &Header, last: Offset, config: &LogConfig) -> Option<IndexEntry> {
        assert!(position >= self.size_bytes, "the batch would be written over another");
        assert!(last >= self.base_offset, "the batch belongs into an earlier segment");
        let book = &mut self.book;
        book.first_timestamp.get_or_insert(TimestampMs(batch.max_timestamp));
        let entry = book.builder.add(position, batch, last, config.index_interval_bytes)?;
        book.index_lengths.0 += 1;
        book.index_lengths.1 += 1;
        Some(entry)
    }

    /// The range to reserve before so many bytes are written, if any.
    pub fn reserve(&self, more_bytes: u64, config: &LogConfig) -> Option<(u64, u64)> {
        let end = self.size_bytes + more_bytes;
        if config.preallocate {
            let to = config.segment_bytes().max(end);
            return (to > self.allocated_bytes).then(|| (self.size_bytes, to - self.size_bytes));
        }
        // A file that is synced at every write is faster without (extents must be converted at each sync), and a small
        // one does not pay for the call.
        if end <= self.allocated_bytes || end < LEAST_STEP_BYTES || config.flush_messages <= 1 {
            return None;
        }
        let step = end.next_power_of_two().clamp(LEAST_STEP_BYTES, MOST_STEP_BYTES);
        let to = (end + step).min(config.segment_bytes()).max(end);
        Some((self.size_bytes, to - self.size_bytes))
    }
}
