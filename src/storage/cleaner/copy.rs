//! Copies a group of segments into one, without what is superfluous (`Cleaner.cleanInto`).
//!
//! The copy is a set of `.cleaned` files, synced, that recovery throws away; only `swap` makes it count.

use super::super::error::Error;
use super::super::index::{IndexBuilder, IndexFile, MemoryIndex, write_file};
use super::super::log::Log;
use super::super::names::{self, CLEANED_SUFFIX, Kind};
use super::super::segment::Segment;
use super::offset_map::OffsetMap;
use super::reader::{self, Reader, Unpack};
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

/// Aborted transactions are rare: more than this is no index of one segment (each entry has 34 bytes).
const MAX_TRANSACTION_INDEX_BYTES: u64 = 64 << 20;

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
            self.buffer.clear();
        }
        Ok(bytes)
    }
}

impl Log {
    /// Writes and syncs the copy of a group.
    pub(super) fn copy_group(
        &self,
        group: &[Arc<Segment>],
        round: &Round<'_>,
        reader: &mut Reader<'_>,
    ) -> Result<Copy, Stopped> {
        let base_offset = group[0].base_offset;
        self.remove_cleaned(base_offset)?;
        let last_offsets = self.last_offsets_of_producers()?;
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
            reader.each_batch(segment, 0, &source, |batch, unpack| {
                records_read += u64::try_from(batch.header.records_count).unwrap_or(0);
                records_written += copy_batch(batch, unpack, round, &last_offsets, &source, &mut output)?;
                let is_full = output.buffer.len() >= round.io_buffer_bytes;
                Ok(Some(if is_full { output.write()? } else { 0 }))
            })?;
        }
        output.write()?;
        let copy = self.finish_copy(group, output)?;
        Ok(Copy { records_read, records_written, ..copy })
    }

    /// The last offset of every producer that is still known. `None` in it: only a marker of it is left.
    fn last_offsets_of_producers(&self) -> Result<HashMap<i64, Option<Offset>>, Stopped> {
        let writer = self.lock_writer().map_err(|_| Stopped::Overtaken)?;
        Ok(writer.producers.iter().map(|(id, p)| (id, p.last_batch().map(|batch| batch.last_offset))).collect())
    }

    fn finish_copy(&self, group: &[Arc<Segment>], output: Output) -> Result<Copy, Error> {
        let base_offset = output.base_offset;
        output.index.push_time(base_offset, output.builder.max_timestamp);
        let write = |kind, content: Vec<u8>| {
            let path = self.cleaned(base_offset, kind);
            let file = write_file(&*self.disk, &path, &content).map_err(Error::io("write", &path))?;
            file.sync_data().map_err(Error::io("sync", &path))?;
            Ok::<_, Error>(IndexFile::held(names::file(&self.directory, base_offset, kind), file))
        };
        let (offsets, held_offsets) = write(Kind::OffsetIndex, output.index.encode_offsets())?;
        let (times, held_times) = write(Kind::TimeIndex, output.index.encode_times())?;
        let mut kinds = vec![Kind::Log, Kind::OffsetIndex, Kind::TimeIndex];
        let transactions = self.transaction_indexes(group)?;
        if !transactions.is_empty() {
            write(Kind::TransactionIndex, transactions)?;
            kinds.push(Kind::TransactionIndex);
        }
        output.file.sync_data().map_err(Error::io("sync", &output.path))?;
        let (log, held_log) = LazyFile::held(names::file(&self.directory, base_offset, Kind::Log), output.file);
        let segment = Segment::sealed_with(base_offset, log, output.written, offsets, times);
        let _held = [held_log, held_offsets, held_times];
        Ok(Copy { segment: Arc::new(segment), kinds, records_read: 0, records_written: 0, _held })
    }

    /// The aborted transactions of the whole group: their records and markers stay, so do the entries.
    fn transaction_indexes(&self, group: &[Arc<Segment>]) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        for segment in group {
            let path = names::file(&self.directory, segment.base_offset, Kind::TransactionIndex);
            match self.disk.read_small(&path, MAX_TRANSACTION_INDEX_BYTES) {
                Ok(content) => all.extend_from_slice(&content),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("read", &path)(error)),
            }
        }
        Ok(all)
    }

    pub(super) fn cleaned(&self, base_offset: Offset, kind: Kind) -> PathBuf {
        names::with_suffix(&names::file(&self.directory, base_offset, kind), CLEANED_SUFFIX)
    }

    /// Removes the files of a copy that was not finished.
    pub(super) fn remove_cleaned(&self, base_offset: Offset) -> Result<(), Error> {
        for kind in Kind::ALL {
            let path = self.cleaned(base_offset, kind);
            super::super::flush::ignore_missing(self.disk.remove_file(&path)).map_err(Error::io("remove", &path))?;
        }
        Ok(())
    }
}

/// Copies what stays of a batch; how many records that is.
fn copy_batch(
    batch: &Batch<'_>,
    unpack: Unpack<'_>,
    round: &Round<'_>,
    last_offsets: &HashMap<i64, Option<Offset>>,
    source: &Path,
    output: &mut Output,
) -> Result<u64, Stopped> {
    let header = &batch.header;
    let all = u64::try_from(header.records_count).unwrap_or(0);
    // Markers stay for good as long as nobody tracks which of their transactions still have records.
    if header.is_control() || header.base_offset > round.map.latest_offset.0 {
        output.push(batch.bytes)?;
        return Ok(all);
    }
    let unpacked = unpack(batch)?;
    let new_horizon = TimestampMs(round.now.0.saturating_add(round.policy.delete_retention_ms));
    let kept =
        filter::filter(batch, &unpacked, new_horizon, |offset, record| round.keeps(header, Offset(offset), record));
    match kept.map_err(|why| reader::unusable(source, why))? {
        Filtered::Whole => {
            output.push(batch.bytes)?;
            Ok(all)
        }
        Filtered::Rebuilt { batch, records_count } => {
            output.push(&batch)?;
            Ok(records_count as u64)
        }
        Filtered::Nothing => {
            let last = header.last_offset();
            let of_producer = header.has_producer_id() && last_offsets.get(&header.producer_id) == Some(&Some(last));
            if of_producer || last.next() == round.upper_bound {
                output.push(&filter::without_records(*header))?;
            }
            Ok(0)
        }
    }
}
