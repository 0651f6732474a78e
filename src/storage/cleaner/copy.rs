//! Copies a group of segments into one, without what is superfluous (`Cleaner.cleanInto`).
//!
//! The copy is a set of `.cleaned` files, synced, that recovery throws away; only `swap` makes it count.

use super::super::error::Error;
use super::super::index::{IndexBuilder, IndexFile, MemoryIndex, write_file};
use super::super::log::Log;
use super::super::names::{self, CLEANED_SUFFIX, Kind};
use super::super::producers::Producer;
use super::super::read::collect;
use super::super::removal::ignore_missing;
use super::super::segment::Segment;
use super::super::transactions::{self, Aborted, AbortedTxn};
use super::super::view::View;
use super::offset_map::OffsetMap;
use super::reader::{self, Reader, Unpack};
use super::transactions::Transactions;
use super::{Policy, Stopped};
use crate::io::disk::{File, Open};
use crate::io::open_files::LazyFile;
use crate::model::{Offset, TimestampMs};
use crate::record::batches::Batch;
use crate::record::filter::{self, Filtered};
use crate::record::header::Header;
use crate::record::records::Record;
use std::collections::HashMap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A producer's last batch: where its data ends, or, where only a marker is left of it, the epoch of that.
enum Last {
    Data(Offset),
    Marker(i16),
}

type LastBatches = HashMap<i64, Last>;

/// What holds for a whole round.
pub(super) struct Round<'m> {
    pub map: &'m OffsetMap,
    pub policy: Policy,
    pub now: TimestampMs,
    /// The batch that ends here stays, so that the log does not seem to end earlier.
    pub upper_bound: Offset,
    pub io_buffer_bytes: usize,
}

/// A finished copy, under its `.cleaned` names.
pub(super) struct Copy {
    pub segment: Arc<Segment>,
    /// The kinds of files that it has.
    pub kinds: Vec<Kind>,
    pub records_read: u64,
    pub records_written: u64,
    /// Keeps its files open until they have their names.
    _held: [Arc<dyn File>; 3],
}

impl Round<'_> {
    /// Whether a record stays (`Cleaner.shouldRetainRecord`).
    fn keeps(&self, batch: &Header, offset: Offset, record: &Record<'_>) -> bool {
        if offset > self.map.latest_offset {
            return true;
        }
        // Compacted topics take no records without a key; from before the topic was one they go, as in Kafka.
        let Some(key) = record.key else { return false };
        let is_latest = self.map.get(key).is_none_or(|latest| offset >= latest);
        let is_due = record.value.is_none() && batch.delete_horizon().is_some_and(|horizon| self.now >= horizon);
        is_latest && !is_due
    }
}

/// The copy being written.
struct Output {
    path: PathBuf,
    file: Arc<dyn File>,
    base_offset: Offset,
    written: u64,
    buffer: Vec<u8>,
    index: MemoryIndex,
    builder: IndexBuilder,
    interval_bytes: u64,
}

impl Output {
    fn push(&mut self, batch: &[u8]) -> Result<(), Stopped> {
        let position = self.written + self.buffer.len() as u64;
        let header = Header::parse(batch).ok_or_else(|| reader::unusable(&self.path, "a batch without a header"))?;
        // Deltas that grow can make a batch longer than it was; an index cannot point beyond 31 bits.
        if position + batch.len() as u64 > i32::MAX as u64 {
            return Err(reader::unusable(&self.path, "the copy would be longer than a segment can be"));
        }
        assert_eq!(header.size_bytes(), batch.len(), "a batch is as long as its header says");
        let entry = self.builder.add(position, &header, header.last_offset(), self.interval_bytes);
        entry.into_iter().for_each(|entry| self.index.push(self.base_offset, entry));
        self.buffer.extend_from_slice(batch);
        Ok(())
    }

    /// Writes what has gathered; how much it was.
    fn write(&mut self) -> Result<u64, Error> {
        let bytes = self.buffer.len() as u64;
        if bytes > 0 {
            let written = self.file.write_at(&[IoSlice::new(&self.buffer)], self.written);
            written.map_err(Error::io("write to", &self.path))?;
            self.written += bytes;
            assert!(self.written <= i32::MAX as u64, "the copy is longer than a segment can be");
            self.buffer.clear();
        }
        Ok(bytes)
    }
}

impl Log {
    /// Writes and syncs the copy of a group.
    pub(super) fn copy_group(
        &self,
        view: &View,
        group: &[Arc<Segment>],
        round: &Round<'_>,
        transactions: &mut Transactions,
        reader: &mut Reader<'_>,
    ) -> Result<Copy, Stopped> {
        assert!(!group.iter().any(|segment| segment.memory().is_some()), "the active segment is never copied");
        let base_offset = group[0].base_offset;
        self.remove_cleaned(base_offset)?;
        let producers = self.last_batches_of_producers()?;
        let path = self.cleaned(base_offset, Kind::Log);
        let mut output = Output {
            file: self.disk.open(&path, Open::Create).map_err(Error::io("create", &path))?,
            path,
            base_offset,
            written: 0,
            buffer: Vec::new(),
            index: MemoryIndex::default(),
            builder: IndexBuilder::new(base_offset),
            interval_bytes: self.config.load().index_interval_bytes,
        };
        let (mut records_read, mut records_written) = (0, 0);
        for segment in group {
            let source = names::file(&self.directory, segment.base_offset, Kind::Log);
            let at = view.floor(segment.base_offset);
            let end = view.segment_end_offset(at);
            transactions.add(collect(&view.segments[at..], view.log_start_offset, end));
            reader.each_batch(segment, 0, &source, |batch, unpack| {
                records_read += u64::try_from(batch.header.records_count).unwrap_or(0);
                records_written += copy_batch(batch, unpack, round, transactions, &producers, &source, &mut output)?;
                let is_full = output.buffer.len() >= round.io_buffer_bytes;
                Ok(Some(if is_full { output.write()? } else { 0 }))
            })?;
        }
        output.write()?;
        let copy = self.finish_copy(output, transactions.take_kept())?;
        if self.is_deleted() {
            // The directory's name may be that of another log by now, which must find no part of a copy.
            return Err(Stopped::Overtaken);
        }
        assert!(records_written <= records_read, "a copy has no records of its own");
        Ok(Copy { records_read, records_written, ..copy })
    }

    /// What is known of every producer's last batch.
    fn last_batches_of_producers(&self) -> Result<LastBatches, Stopped> {
        let writer = self.lock_writer().map_err(|_| Stopped::Overtaken)?;
        let last = |p: &Producer| p.last_batch().map_or(Last::Marker(p.epoch), |batch| Last::Data(batch.last_offset));
        Ok(writer.producers.iter().map(|(id, producer)| (id, last(producer))).collect())
    }

    fn finish_copy(&self, output: Output, aborted: Vec<AbortedTxn>) -> Result<Copy, Error> {
        assert!(output.buffer.is_empty(), "the copy is written to its end");
        let base_offset = output.base_offset;
        output.index.push_time(base_offset, output.builder.max_timestamp);
        let write = |kind, content: Vec<u8>| {
            let path = self.cleaned(base_offset, kind);
            let file = write_file(&*self.disk, &path, &content).map_err(Error::io("write", &path))?;
            file.sync_data().map_err(Error::io("sync", &path))?;
            Ok::<_, Error>(IndexFile::held(&*self.disk, names::file(&self.directory, base_offset, kind), file))
        };
        let (offsets, held_offsets) = write(Kind::OffsetIndex, output.index.encode_offsets())?;
        let (times, held_times) = write(Kind::TimeIndex, output.index.encode_times())?;
        let mut kinds = vec![Kind::Log, Kind::OffsetIndex, Kind::TimeIndex];
        if !aborted.is_empty() {
            write(Kind::TransactionIndex, transactions::encode(&aborted))?;
            kinds.push(Kind::TransactionIndex);
        }
        output.file.sync_data().map_err(Error::io("sync", &output.path))?;
        let (log, held_log) =
            LazyFile::held(&*self.disk, names::file(&self.directory, base_offset, Kind::Log), output.file);
        let segment = Segment::sealed_with(base_offset, log, output.written, offsets, times);
        let segment = segment.with_aborted(Aborted::new(&aborted));
        let _held = [held_log, held_offsets, held_times];
        Ok(Copy { segment: Arc::new(segment), kinds, records_read: 0, records_written: 0, _held })
    }

    pub(super) fn cleaned(&self, base_offset: Offset, kind: Kind) -> PathBuf {
        names::with_suffix(&names::file(&self.directory, base_offset, kind), CLEANED_SUFFIX)
    }

    /// Removes the files of a copy that was not finished.
    pub(super) fn remove_cleaned(&self, base_offset: Offset) -> Result<(), Error> {
        for kind in Kind::ALL {
            let path = self.cleaned(base_offset, kind);
            ignore_missing(self.disk.remove_file(&path)).map_err(Error::io("remove", &path))?;
        }
        Ok(())
    }
}

/// Whether a batch stays as a header though none of its records does: it is all that is known of its producer, or the
/// end of the round.
fn stays_as_header(header: &Header, producers: &LastBatches, upper_bound: Offset) -> bool {
    let is_last = match producers.get(&header.producer_id) {
        Some(Last::Data(offset)) => *offset == header.last_offset(),
        Some(Last::Marker(epoch)) => header.is_control() && *epoch == header.producer_epoch,
        None => false,
    };
    header.has_producer_id() && is_last || header.last_offset().next() == upper_bound
}

/// Copies what stays of a batch; how many records that is (`Cleaner.cleanInto`).
fn copy_batch(
    batch: &Batch<'_>,
    unpack: Unpack<'_>,
    round: &Round<'_>,
    transactions: &mut Transactions,
    producers: &LastBatches,
    source: &Path,
    output: &mut Output,
) -> Result<u64, Stopped> {
    let header = &batch.header;
    let is_control = header.is_control();
    let is_void = if is_control { transactions.read_control(batch) } else { transactions.read_data(header) };
    // A marker without a transaction waits for its delete horizon, as tombstones do.
    let is_due = !is_control || header.delete_horizon().is_some_and(|horizon| round.now >= horizon);
    let is_discarded = is_void && is_due;
    let is_kept_whole = if is_control { !is_void } else { header.base_offset > round.map.latest_offset.0 };
    if !is_discarded && is_kept_whole {
        output.push(batch.bytes)?;
        return Ok(u64::try_from(header.records_count).unwrap_or(0));
    }
    let unpacked = unpack(batch)?;
    let new_horizon = TimestampMs(round.now.0.saturating_add(round.policy.delete_retention_ms));
    let keeps =
        |offset: i64, record: &Record<'_>| !is_discarded && (is_control || round.keeps(header, Offset(offset), record));
    let kept = filter::filter(batch, &unpacked, new_horizon, is_control && is_void, keeps);
    match kept.map_err(|why| reader::unusable(source, why))? {
        Filtered::Whole => {
            output.push(batch.bytes)?;
            Ok(u64::try_from(header.records_count).unwrap_or(0))
        }
        Filtered::Rebuilt { batch, records_count } => {
            output.push(&batch)?;
            Ok(records_count as u64)
        }
        Filtered::Nothing => {
            if stays_as_header(header, producers, round.upper_bound) {
                output.push(&filter::without_records(*header))?;
            }
            Ok(0)
        }
    }
}
