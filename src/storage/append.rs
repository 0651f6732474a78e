//! The way of a batch into a log: order, write, publish; and the roll from one segment to the next.

#[cfg(test)]
mod full_disk_tests;
#[cfg(test)]
mod rolling_tests;

use super::config::MAX_SEGMENT_BYTES;
use super::error::{AppendError, Error};
use super::index::{self, MemoryIndex};
use super::log::{Log, LogConfig};
use super::names::{self, Kind};
use super::producers::{Completed, Destination, Origin};
use super::recent::{self, Recent};
use super::segment::Segment;
use super::snapshot;
use super::transactions;
use super::view::View;
use super::writer::{Active, Writer};
use crate::io::disk::Open;
use crate::io::open_files::LazyFile;
use crate::model::{LeaderEpoch, Offset, TimestampMs, TimestampType};
use crate::record::control::EndTxnMarker;
use crate::record::header::{self, HEADER_SIZE, Header, MAGIC_V2};
use crate::record::records::Records;
use std::io::IoSlice;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// What is pending beyond this is written at once instead of at the end of the turn, as is a batch that is large by itself.
const MAX_PENDING_BYTES: usize = 8 << 20;
const _: () = assert!((MAX_PENDING_BYTES as u64) < MAX_SEGMENT_BYTES, "what is pending fits into one segment");

/// The answer to an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    pub base_offset: Offset,
    pub last_offset: Offset,
    /// -1 unless the batches carry the broker's time, or were appended before.
    pub log_append_time: TimestampMs,
    pub log_start_offset: Offset,
    /// The batch is a repetition: the offsets are those of the first time, nothing was appended.
    pub duplicate: bool,
    generation: u32,
}

impl Appended {
    /// What it promised, to be looked at again when the records should be committed.
    pub fn mark(&self) -> Mark {
        Mark { end: self.last_offset.next(), generation: self.generation }
    }
}

/// The end of a log as a request has seen it. A log that could not write takes back what was pending and gives its offsets
/// anew, in another generation: an offset alone does not say whose record has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    pub end: Offset,
    pub(super) generation: u32,
}

/// What a write made visible.
pub struct Written {
    /// A segment was sealed. A flush is due that no request waits for: it keeps recovery short where no topic asks for syncs.
    pub rolled: bool,
    /// What was written, where it was wanted in memory.
    pub recent: Option<Arc<Recent>>,
}

impl Log {
    /// Takes batches into the log's order. `bytes` are whole batches that `record::validate` has accepted. Readers
    /// see them after [`Log::write_pending`].
    pub fn append(
        &self,
        bytes: &[u8],
        origin: Origin,
        epoch: LeaderEpoch,
        now: TimestampMs,
    ) -> Result<Appended, AppendError> {
        let config = self.config.load();
        let batches = || Split { rest: bytes, segment_bytes: config.segment_bytes() };
        let (mut count, mut added, mut log_append_time) = (0, 0, NO_APPEND_TIME);
        for batch in batches() {
            let (header, _) = batch?;
            added += i64::from(header.last_offset_delta) + 1;
            (count, log_append_time) = (count + 1, append_time(&header));
        }
        if count == 0 {
            return Err(AppendError::NotBatches("no batch at all"));
        }
        let mut writer = self.lock_writer()?;
        if self.sealed.load(Ordering::Acquire) {
            return Err(Error::Moving.into());
        }
        for batch in batches() {
            let (header, _) = batch?;
            if let Some(repeated) = self.check_producer(&writer, &header, count, origin)? {
                return Ok(repeated);
            }
        }
        let base_offset = writer.next_offset;
        assert!(base_offset >= self.log_end_offset(), "offsets are given once");
        assert!(added >= count as i64, "every batch takes an offset");
        let end = base_offset.0.checked_add(added).filter(|end| *end < i64::MAX);
        let end = end.ok_or_else(|| AppendError::InvalidRecord("the partition has no offsets left".into()))?;
        for batch in batches() {
            let (header, batch) = batch?;
            let placed = self.place(&mut writer, &header, batch, epoch, now, &config);
            if let Err(error) = placed {
                let error = self.fail(&mut writer, error);
                writer.producers.note_refused(&header);
                return Err(error.into());
            }
        }
        assert_eq!(writer.next_offset.0, end, "the offsets that are answered are those in the log");
        let (last_offset, log_start_offset) = (Offset(end - 1), self.log_start_offset());
        let generation = self.generation.load(Ordering::Relaxed);
        Ok(Appended { base_offset, last_offset, log_append_time, log_start_offset, duplicate: false, generation })
    }

    /// Takes the marker that ends a producer's transaction into the log's order.
    pub fn append_marker(
        &self,
        producer: (i64, i16),
        marker: EndTxnMarker,
        transaction_version: i16,
        epoch: LeaderEpoch,
        now: TimestampMs,
    ) -> Result<Appended, AppendError> {
        assert!(producer.0 >= 0, "a marker is of a producer");
        // The log gives the offset.
        let batch = marker.batch(producer, now, Offset(0), epoch);
        let origin = Origin::Marker { transaction_version, coordinator_epoch: marker.coordinator_epoch };
        let appended = self.append(&batch, origin, epoch, now)?;
        assert!(appended.last_offset == appended.base_offset && !appended.duplicate, "a marker is one record");
        Ok(appended)
    }

    /// Puts batches of another log of this partition behind what there is, with the offsets and epochs that they have,
    /// and writes them. They may leave offsets out, as compacted logs do, but never go back.
    pub fn append_copy(&self, bytes: &[u8], now: TimestampMs) -> Result<(), AppendError> {
        let config = self.config.load();
        let mut writer = self.lock_writer()?;
        let batches = || Split { rest: bytes, segment_bytes: u64::MAX };
        // Of a source that is damaged, before the first batch is pending.
        let mut next = writer.next_offset.0;
        for batch in batches() {
            let (header, _) = batch?;
            let end = header.base_offset.checked_add(i64::from(header.last_offset_delta) + 1);
            let end = end.filter(|end| *end < i64::MAX && header.base_offset >= next);
            next = end.ok_or(AppendError::NotBatches("a copy may not go back, nor beyond all offsets"))?;
        }
        for batch in batches() {
            let (header, batch) = batch?;
            writer.next_offset = Offset(header.base_offset);
            let placed = self.place(&mut writer, &header, batch, header.leader_epoch(), now, &config);
            placed.map_err(|error| self.fail(&mut writer, error))?;
        }
        let written = self.write_locked(&mut writer, &config);
        written.map_err(|error| self.fail(&mut writer, error))?;
        assert!(writer.pending.is_empty(), "a copy is written as it comes");
        // It is committed in the log that it comes from.
        self.advance_high_watermark(writer.next_offset);
        Ok(())
    }

    /// Lets the log end at an offset that it has not reached, which the name of a new segment keeps.
    pub fn skip_to(&self, end: Offset, now: TimestampMs) -> Result<(), Error> {
        let mut writer = self.lock_writer()?;
        if writer.next_offset >= end {
            return Ok(());
        }
        writer.next_offset = end;
        self.roll(&mut writer, now).map_err(|error| self.fail(&mut writer, error))?;
        assert_eq!(self.log_end_offset(), end, "the new segment's name is the end");
        Ok(())
    }

    fn check_producer(
        &self,
        writer: &Writer,
        batch: &Header,
        batches: usize,
        origin: Origin,
    ) -> Result<Option<Appended>, AppendError> {
        if !batch.has_producer_id() {
            return Ok(None);
        }
        if matches!(origin, Origin::Client(_)) && batches > 1 {
            return Err(AppendError::InvalidRecord("a producer sends one batch per partition".into()));
        }
        let to = Destination { identity: &self.identity, offset: writer.next_offset };
        let known = writer.producers.check(batch, origin, &to)?;
        Ok(known.map(|known| Appended {
            base_offset: known.first_offset(),
            last_offset: known.last_offset,
            log_append_time: known.timestamp,
            log_start_offset: self.log_start_offset(),
            duplicate: true,
            generation: self.generation.load(Ordering::Relaxed),
        }))
    }

    /// Puts one batch behind what is pending, in a new segment if it must be; a large one is written with it.
    fn place(
        &self,
        writer: &mut Writer,
        batch: &Header,
        bytes: &[u8],
        epoch: LeaderEpoch,
        now: TimestampMs,
        config: &LogConfig,
    ) -> Result<(), Error> {
        assert_eq!(batch.size_bytes(), bytes.len(), "a batch is as long as its header says");
        let base_offset = writer.next_offset;
        let last_offset = Offset(base_offset.0 + i64::from(batch.last_offset_delta));
        let size = writer.active.size_bytes + writer.pending.bytes.len() as u64;
        if writer.active.should_roll(config, size, batch, last_offset, now, &self.identity) {
            self.write_locked(writer, config)?;
            self.roll(writer, now)?;
        } else if writer.pending.bytes.len() + bytes.len() > MAX_PENDING_BYTES {
            self.write_locked(writer, config)?;
        }
        let position = writer.active.size_bytes + writer.pending.bytes.len() as u64;
        assert!(position < MAX_SEGMENT_BYTES, "the index cannot name position {position}");
        assert!(base_offset >= writer.active.base_offset, "the batch belongs into an earlier segment");
        writer.pending.before.get_or_insert_with(|| writer.active.book.clone());
        let entry = writer.active.note(position, batch, last_offset, config);
        writer.pending.entries.extend(entry);
        writer.pending.note_epoch(epoch, base_offset, &self.epochs.load());
        // Of a large batch only the header, which gets its offset, is copied. The rest is written from where it lies.
        let is_large = bytes.len() > config.copy_max_bytes;
        let (copied, rest) = bytes.split_at(if is_large { HEADER_SIZE } else { bytes.len() });
        writer.pending.place(copied, base_offset, epoch);
        if batch.has_producer_id() {
            let known = writer.producers.of(batch.producer_id);
            writer.pending.producers_before.push((batch.producer_id, known));
        }
        if batch.has_producer_id() && !batch.is_control() {
            writer.producers.apply(batch, base_offset);
        } else if batch.has_producer_id() {
            let ended = writer.producers.apply_marker(batch, last_offset, marker_of(batch, bytes));
            writer.pending.completed.extend(ended);
        }
        writer.next_offset = last_offset.next();
        if rest.is_empty() { Ok(()) } else { self.write_kept(writer, config, rest, false).map(|_| ()) }
    }

    /// Writes what is pending and seals the active segment, so that all of it can be compacted; whether there was anything to
    /// seal. Blocks.
    pub fn seal_active(&self, now: TimestampMs) -> Result<bool, Error> {
        let config = self.config.load();
        let mut writer = self.lock_writer()?;
        let written = self.write_locked(&mut writer, &config);
        written.map_err(|error| self.fail(&mut writer, error))?;
        let has_records = writer.next_offset > writer.active.base_offset;
        if has_records {
            self.roll(&mut writer, now).map_err(|error| self.fail(&mut writer, error))?;
        }
        Ok(has_records)
    }

    /// Writes all that is pending with one call and makes it visible; `None` if nothing is pending.
    pub fn write_pending(&self) -> Result<Option<Written>, Error> {
        self.write_and_keep(false)
    }

    /// Does what [`Log::write_pending`] does. Where it is wanted in memory the answer holds what was written, if it is small enough,
    /// and readers find it there as long as that is kept.
    pub fn write_and_keep(&self, is_wanted: bool) -> Result<Option<Written>, Error> {
        let config = self.config.load();
        let mut writer = self.lock_writer()?;
        if writer.pending.is_empty() && !writer.rolled {
            return Ok(None);
        }
        let done = self.write_kept(&mut writer, &config, &[], is_wanted);
        let recent = done.map_err(|error| self.fail(&mut writer, error))?;
        assert!(writer.pending.is_empty(), "all that was pending is written with one call");
        assert_eq!(writer.next_offset, self.log_end_offset(), "all that has an offset can be read");
        let rolled = std::mem::take(&mut writer.rolled);
        Ok(Some(Written { rolled, recent }))
    }

    pub(super) fn write_locked(&self, writer: &mut Writer, config: &LogConfig) -> Result<(), Error> {
        self.write_kept(writer, config, &[], false).map(|_| ())
    }

    /// Writes what is pending, and the rest of its last batch behind it.
    fn write_kept(
        &self,
        writer: &mut Writer,
        config: &LogConfig,
        rest: &[u8],
        is_wanted: bool,
    ) -> Result<Option<Arc<Recent>>, Error> {
        let length = (writer.pending.bytes.len() + rest.len()) as u64;
        if length == 0 {
            return Ok(None);
        }
        let view = self.view.load_full();
        writer.check(&view);
        writer.pending.check(&writer.active, &view, length, writer.next_offset);
        assert!(rest.is_empty() || !is_wanted, "a batch that is not copied cannot be kept in memory");
        let segment = view.active();
        let active = &mut writer.active;
        // Where all goes well the file's name is not asked for.
        let (directory, base_offset) = (&self.directory, active.base_offset);
        let failed = |doing| move |error| Error::io(doing, &names::file(directory, base_offset, Kind::Log))(error);
        let file = segment.file(&*self.disk).map_err(failed("open"))?;
        if let Some((position, bytes)) = active.reserve(length, config) {
            assert_eq!(position, active.size_bytes, "the reserved space begins where the write does");
            assert!(bytes >= length, "the reserved space holds the write");
            file.allocate(position, bytes).map_err(failed("reserve space for"))?;
            active.allocated_bytes = position + bytes;
        }
        let slices = [IoSlice::new(&writer.pending.bytes), IoSlice::new(rest)];
        let slices = if rest.is_empty() { &slices[..1] } else { &slices };
        file.write_at(slices, active.size_bytes).map_err(failed("write to"))?;
        let epochs = std::mem::take(&mut writer.pending.epochs);
        self.add_epochs(writer, &epochs)?;
        self.write_aborted(writer, segment)?;
        // From here on nothing can fail: what was written counts.
        let active = &mut writer.active;
        let position = active.size_bytes;
        active.size_bytes += length;
        if let Some(memory) = segment.memory() {
            writer.pending.entries.iter().for_each(|entry| memory.push(active.base_offset, *entry));
        }
        let (active_size_bytes, active_max_timestamp) = (active.size_bytes, active.book.builder.max_timestamp);
        let counted = active.book.index_lengths.0;
        assert!(segment.memory().is_none_or(|memory| memory.lengths().0 <= counted), "an entry was not counted");
        let is_kept = is_wanted && length as usize <= recent::MOST_BYTES;
        let recent = is_kept.then(|| Arc::new(Recent::new(view.end_offset, position, writer.pending.take_bytes())));
        let uncommitted = view.uncommitted.with(&writer.pending.completed, self.high_watermark());
        writer.pending.clear();
        self.health.note_written();
        let end_offset = writer.next_offset;
        let first_unstable_offset = writer.producers.first_unstable_offset();
        self.publish(
            writer,
            View {
                end_offset,
                first_unstable_offset,
                uncommitted,
                active_size_bytes,
                active_max_timestamp,
                recent: recent.as_ref().map_or_else(Weak::new, Arc::downgrade),
                ..(*view).clone()
            },
        );
        writer.check(&self.view.load());
        Ok(recent)
    }

    /// Writes the entries of aborted transactions before their markers can be seen: a reader must never see an aborted record without its entry.
    fn write_aborted(&self, writer: &mut Writer, segment: &Segment) -> Result<(), Error> {
        if writer.pending.completed.is_empty() {
            return Ok(());
        }
        let more: Vec<_> = writer.pending.completed.iter().filter_map(Completed::aborted).collect();
        if more.is_empty() {
            return Ok(());
        }
        let known = segment.aborted.len();
        let written = transactions::append(&*self.disk, &self.directory, segment.base_offset, known, &more);
        let path = written.map_err(Error::io("write a transaction index in", &self.directory))?;
        segment.aborted.extend(&more);
        if !writer.unsynced.contains(&path) {
            writer.unsynced.push(path);
        }
        writer.names_version += u64::from(known == 0);
        Ok(())
    }

    /// Seals the active segment and begins a new one at the next offset. Nothing may be pending.
    pub(super) fn roll(&self, writer: &mut Writer, now: TimestampMs) -> Result<(), Error> {
        let view = self.view.load_full();
        assert!(writer.pending.is_empty(), "what is pending belongs to the segment that is sealed");
        assert!(writer.next_offset > view.active().base_offset, "a segment without records would be overwritten");
        writer.check(&view);
        self.finish_active(writer, &view)?;
        self.take_snapshot(writer)?;
        let base_offset = writer.next_offset;
        let path = names::file(&self.directory, base_offset, Kind::Log);
        let file = self.disk.open(&path, Open::Create).map_err(Error::io("create", &path))?;
        file.set_size(0).map_err(Error::io("empty", &path))?;
        let log = LazyFile::opened(&*self.disk, path, file);
        let sealed = view.active();
        let aborted = sealed.aborted.share();
        let sealed = Segment::sealed(&self.directory, sealed.base_offset, sealed.log.clone(), writer.active.size_bytes);
        let mut segments = view.segments.to_vec();
        segments.pop();
        segments.push(Arc::new(sealed.with_aborted(aborted)));
        segments.push(Arc::new(Segment::active(base_offset, log, MemoryIndex::default())));
        writer.active = Active::new(base_offset, now);
        writer.names_version += 1;
        writer.rolled = true;
        self.publish(
            writer,
            View {
                segments: segments.into(),
                // The name of a segment keeps the end of a log whose last offsets are left out.
                end_offset: base_offset,
                active_size_bytes: 0,
                active_max_timestamp: writer.active.book.builder.max_timestamp,
                recent: Weak::new(),
                ..(*view).clone()
            },
        );
        writer.check(&self.view.load());
        Ok(())
    }

    /// Gives back the space reserved ahead and writes the index files of the active segment.
    pub(super) fn finish_active(&self, writer: &mut Writer, view: &View) -> Result<(), Error> {
        let segment = view.active();
        assert!(writer.pending.is_empty(), "the segment is not complete");
        assert_eq!(writer.active.size_bytes, view.active_size_bytes, "published bytes would be cut off");
        let path = names::file(&self.directory, segment.base_offset, Kind::Log);
        let file = segment.file(&*self.disk).map_err(Error::io("open", &path))?;
        file.set_size(writer.active.size_bytes).map_err(Error::io("trim", &path))?;
        if let Some(memory) = segment.memory() {
            memory.push_time(segment.base_offset, writer.active.book.builder.max_timestamp);
            let files = index::write_index_files(&*self.disk, &self.directory, segment.base_offset, memory)?;
            writer.unsynced.extend(files);
            writer.names_version += 1;
        }
        Ok(())
    }

    /// Writes the producers as of the next offset, if they were not written at it before. Nothing may be pending.
    pub(super) fn take_snapshot(&self, writer: &mut Writer) -> Result<(), Error> {
        assert!(writer.pending.is_empty(), "the producers would be ahead of the log");
        if writer.next_offset <= writer.snapshot_offset {
            return Ok(());
        }
        let path = names::file(&self.directory, writer.next_offset, Kind::ProducerSnapshot);
        let content = snapshot::encode(&writer.producers);
        index::write_file(&*self.disk, &path, &content).map_err(Error::io("write", &path))?;
        writer.unsynced.push(path);
        writer.names_version += 1;
        writer.snapshot_offset = writer.next_offset;
        Ok(())
    }
}

const NO_APPEND_TIME: TimestampMs = TimestampMs(-1);

fn append_time(batch: &Header) -> TimestampMs {
    match batch.timestamp_type() {
        TimestampType::LogAppendTime => TimestampMs(batch.max_timestamp),
        TimestampType::CreateTime => NO_APPEND_TIME,
    }
}

/// The batches that stand one behind the other in `bytes`.
struct Split<'a> {
    rest: &'a [u8],
    segment_bytes: u64,
}

impl<'a> Split<'a> {
    fn cut(&mut self) -> Result<(Header, &'a [u8]), AppendError> {
        let segment_bytes = self.segment_bytes;
        let header = Header::parse(self.rest).filter(|h| h.magic == MAGIC_V2 && h.last_offset_delta >= 0);
        let header = header.ok_or(AppendError::NotBatches("not a record batch of format 2"))?;
        let size_bytes =
            header::announced_size(self.rest).ok_or(AppendError::NotBatches("an impossible batch length"))?;
        if size_bytes as u64 > segment_bytes {
            return Err(AppendError::LargerThanSegment { size_bytes, segment_bytes });
        }
        let cut = self.rest.split_at_checked(size_bytes).ok_or(AppendError::NotBatches("a batch is cut short"))?;
        self.rest = cut.1;
        Ok((header, cut.0))
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = Result<(Header, &'a [u8]), AppendError>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.rest.is_empty()).then(|| self.cut())
    }
}

/// The one record of a transaction marker; `bytes` is the beginning of its batch.
pub(super) fn marker_of(batch: &Header, bytes: &[u8]) -> Option<EndTxnMarker> {
    let record = Records::new(batch, bytes.get(HEADER_SIZE..)?).next()?.ok()?;
    EndTxnMarker::parse(record.key?, record.value?)
}
