//! One partition's log: appended to by one writer at a time, read by anybody without a lock.
//!
//! Life of a batch: [`Log::append`] gives it its offset and copies it behind what is pending; [`Log::write_pending`]
//! writes all that is pending with one call and publishes the new end; [`Log::flush`] says what must be synced, and
//! [`Log::flushed`] notes that it was. Only published offsets are ever read. Once the disk has failed, the log takes
//! nothing more ([`Error::Offline`]): what was pending was never published and never acknowledged.

use super::epochs::{EpochStart, Epochs};
use super::error::{AppendError, Error};
use super::index;
use super::names::{self, Kind};
pub use super::producers::Origin;
pub use super::read::{OutOfRange, ReadError, Slice};
pub use super::search::TimedOffset;
use super::segment::Segment;
use super::snapshot;
use super::view::View;
use super::writer::{Active, Writer};
use crate::io::disk::{Disk, File, Open};
use crate::model::{LeaderEpoch, Offset, PartitionIndex, TimestampMs, TopicId};
use crate::record::control::EndTxnMarker;
use crate::record::header::{self, HEADER_SIZE, Header, MAGIC_V2};
use crate::record::records::Records;
use arc_swap::ArcSwap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Positions in `.index` are 31 bits wide.
const MAX_SEGMENT_BYTES: u64 = i32::MAX as u64;
/// What is pending beyond this is written at once instead of at the end of the turn.
const MAX_PENDING_BYTES: usize = 8 << 20;

/// The part of a topic's configuration that a log obeys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// `segment.bytes`
    pub segment_bytes: u64,
    /// `segment.ms`
    pub segment_ms: i64,
    /// `segment.jitter.ms`
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`
    pub segment_index_bytes: u64,
    /// `index.interval.bytes`
    pub index_interval_bytes: u64,
    /// `flush.messages`
    pub flush_messages: i64,
    /// `flush.ms`
    pub flush_ms: i64,
    /// `producer.id.expiration.ms`
    pub producer_id_expiration_ms: i64,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            producer_id_expiration_ms: 24 * 3_600_000,
        }
    }
}

impl LogConfig {
    pub(super) fn segment_bytes(&self) -> u64 {
        self.segment_bytes.min(MAX_SEGMENT_BYTES)
    }

    pub(super) fn max_offset_entries(&self) -> usize {
        (self.segment_index_bytes as usize / index::OFFSET_ENTRY_BYTES).max(1)
    }

    /// One place stays free for the entry that sealing adds (`TimeIndex.isFull`).
    pub(super) fn max_time_entries(&self) -> usize {
        (self.segment_index_bytes as usize / index::TIME_ENTRY_BYTES).saturating_sub(1).max(1)
    }

    /// Spreads the rolling of many partitions; the same for a segment whenever it is asked.
    pub(super) fn jitter_ms(&self, base_offset: Offset) -> i64 {
        /// A multiplier that mixes well (2^64 divided by the golden ratio).
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        let bound = self.segment_jitter_ms.min(self.segment_ms).max(0) as u64;
        let mixed = (base_offset.0 as u64 ^ 0x5bd1).wrapping_mul(MIX) >> 16;
        if bound == 0 { 0 } else { (mixed % bound) as i64 }
    }
}

/// Whose log it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    pub topic: String,
    pub partition: PartitionIndex,
    pub topic_id: TopicId,
}

/// What the checkpoints of the log directory say about a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checkpointed {
    pub log_start_offset: Offset,
    /// Everything below is on the platter.
    pub recovery_point: Offset,
    /// The broker that had the log before stopped in order.
    pub clean: bool,
}

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
}

/// What a write made visible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    pub end_offset: Offset,
    pub bytes: u64,
    /// `flush.messages` or `flush.ms` asks for a flush now.
    pub wants_sync: bool,
    /// A segment was sealed. A flush is due that nobody waits for: it keeps recovery short where nobody asks for syncs.
    pub rolled: bool,
}

/// What must be synced so that everything below `up_to` survives a loss of power.
pub struct Flush {
    pub up_to: Offset,
    pub files: Vec<Arc<dyn File>>,
    /// Directories in which names are new.
    pub directories: Vec<PathBuf>,
    names_version: u64,
    disk: Arc<dyn Disk>,
    /// Of the log, for messages.
    directory: PathBuf,
}

impl Flush {
    /// Syncs all of it. Blocks.
    pub fn run(&self) -> Result<(), Error> {
        for file in &self.files {
            file.sync_data().map_err(Error::io("sync a file in", &self.directory))?;
        }
        self.sync_directories()
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.directories.is_empty()
    }

    /// The sync of the directories, for a caller that syncs the files itself; `None` if no name is new. It blocks.
    pub fn directories_sync(&self) -> Option<Box<dyn FnOnce() -> std::io::Result<()> + Send>> {
        if self.directories.is_empty() {
            return None;
        }
        let (disk, directories) = (self.disk.clone(), self.directories.clone());
        Some(Box::new(move || directories.iter().try_for_each(|path| disk.sync_directory(path))))
    }

    /// For a caller that has synced the files itself. Blocks.
    pub fn sync_directories(&self) -> Result<(), Error> {
        self.directories.iter().try_for_each(|path| self.disk.sync_directory(path).map_err(Error::io("sync", path)))
    }
}

/// Files that nobody needs any more; unlinking large ones takes time.
pub struct Removal {
    disk: Arc<dyn Disk>,
    files: Vec<PathBuf>,
    directory: Option<PathBuf>,
}

impl Removal {
    pub(super) fn of_directory(disk: Arc<dyn Disk>, directory: PathBuf) -> Removal {
        Removal { disk, files: Vec::new(), directory: Some(directory) }
    }

    /// Unlinks them. What is gone already is fine. Blocks.
    pub fn run(&self) -> Result<(), Error> {
        for path in &self.files {
            ignore_missing(self.disk.remove_file(path)).map_err(Error::io("remove", path))?;
        }
        match &self.directory {
            Some(path) => ignore_missing(self.disk.remove_directory_tree(path)).map_err(Error::io("remove", path)),
            None => Ok(()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.directory.is_none()
    }
}

pub(super) fn ignore_missing(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// A partition's log; shared by reference between all that append and read.
pub struct Log {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) directory: PathBuf,
    pub(super) identity: Identity,
    pub(super) view: ArcSwap<View>,
    pub(super) epochs: ArcSwap<Epochs>,
    pub(super) config: ArcSwap<LogConfig>,
    pub(super) recovery_point: AtomicI64,
    pub(super) last_flush_ms: AtomicI64,
    /// The version of the directory's names that is on the platter.
    pub(super) names_synced: AtomicU64,
    pub(super) offline: AtomicBool,
    pub(super) writer: Mutex<Writer>,
}

impl Log {
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn log_start_offset(&self) -> Offset {
        self.view.load().log_start_offset
    }

    /// The offset behind the last record that can be read.
    pub fn log_end_offset(&self) -> Offset {
        self.view.load().end_offset
    }

    pub fn size_bytes(&self) -> u64 {
        self.view.load().size_bytes()
    }

    pub fn segment_count(&self) -> usize {
        self.view.load().segments.len()
    }

    /// Everything below is on the platter.
    pub fn recovery_point(&self) -> Offset {
        Offset(self.recovery_point.load(Ordering::Acquire))
    }

    pub fn unflushed_messages(&self) -> i64 {
        (self.log_end_offset().0 - self.recovery_point().0).max(0)
    }

    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    pub fn config(&self) -> Arc<LogConfig> {
        self.config.load_full()
    }

    pub fn set_config(&self, config: LogConfig) {
        self.config.store(Arc::new(config));
    }

    /// Takes batches into the log's order. `bytes` are whole batches that `record::validate` has accepted; they are read
    /// by nobody before [`Log::write_pending`].
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
        for batch in batches() {
            if let Some(repeated) = self.check_producer(&writer, &batch?.0, count, origin)? {
                return Ok(repeated);
            }
        }
        let base_offset = writer.next_offset;
        let end = base_offset.0.checked_add(added).filter(|end| *end < i64::MAX);
        let end = end.ok_or_else(|| AppendError::InvalidRecord("the partition has no offsets left".into()))?;
        for batch in batches() {
            let (header, batch) = batch?;
            let placed = self.place(&mut writer, &header, batch, epoch, now, &config);
            placed.map_err(|error| self.fail(&mut writer, error))?;
        }
        let (last_offset, log_start_offset) = (Offset(end - 1), self.log_start_offset());
        Ok(Appended { base_offset, last_offset, log_append_time, log_start_offset, duplicate: false })
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
        if origin == Origin::Client && batches > 1 {
            return Err(AppendError::InvalidRecord("a producer sends one batch per partition".into()));
        }
        let known = writer.producers.check(batch, origin)?;
        Ok(known.map(|known| Appended {
            base_offset: known.first_offset(),
            last_offset: known.last_offset,
            log_append_time: known.timestamp,
            log_start_offset: self.log_start_offset(),
            duplicate: true,
        }))
    }

    /// Puts one batch behind what is pending, in a new segment if it must be.
    fn place(
        &self,
        writer: &mut Writer,
        batch: &Header,
        bytes: &[u8],
        epoch: LeaderEpoch,
        now: TimestampMs,
        config: &LogConfig,
    ) -> Result<(), Error> {
        let base_offset = writer.next_offset;
        let last_offset = Offset(base_offset.0 + i64::from(batch.last_offset_delta));
        let size = writer.active.size_bytes + writer.pending.bytes.len() as u64;
        if writer.active.should_roll(config, size, batch, last_offset, now) {
            self.write_locked(writer, config)?;
            self.roll(writer, now)?;
        } else if writer.pending.bytes.len() + bytes.len() > MAX_PENDING_BYTES {
            self.write_locked(writer, config)?;
        }
        let position = writer.active.size_bytes + writer.pending.bytes.len() as u64;
        let entry = writer.active.note(position, batch, last_offset, config);
        writer.pending.entries.extend(entry);
        writer.pending.note_epoch(epoch, base_offset, &self.epochs.load());
        writer.pending.place(bytes, base_offset, epoch);
        if batch.has_producer_id() && !batch.is_control() {
            writer.producers.apply(batch, base_offset);
        } else if batch.has_producer_id() {
            let marker = marker_coordinator_epoch(batch, bytes.get(HEADER_SIZE..).unwrap_or_default());
            writer.producers.apply_marker(batch, marker);
        }
        writer.next_offset = last_offset.next();
        Ok(())
    }

    /// Writes all that is pending with one call and makes it visible; `None` if nothing is pending.
    pub fn write_pending(&self, now: TimestampMs) -> Result<Option<Written>, Error> {
        let config = self.config.load();
        let mut writer = self.lock_writer()?;
        let bytes = writer.pending.bytes.len() as u64;
        if bytes == 0 {
            return Ok(None);
        }
        let done = self.write_locked(&mut writer, &config);
        done.map_err(|error| self.fail(&mut writer, error))?;
        let rolled = std::mem::take(&mut writer.rolled);
        let end_offset = self.log_end_offset();
        Ok(Some(Written { end_offset, bytes, wants_sync: self.wants_sync(now), rolled }))
    }

    /// Whether `flush.messages` or `flush.ms` asks for a flush.
    pub fn wants_sync(&self, now: TimestampMs) -> bool {
        let config = self.config.load();
        let unflushed = self.unflushed_messages();
        let waited_ms = now.0.saturating_sub(self.last_flush_ms.load(Ordering::Relaxed));
        unflushed > 0 && (unflushed >= config.flush_messages || waited_ms >= config.flush_ms)
    }

    fn write_locked(&self, writer: &mut Writer, config: &LogConfig) -> Result<(), Error> {
        let length = writer.pending.bytes.len() as u64;
        if length == 0 {
            return Ok(());
        }
        let view = self.view.load_full();
        let segment = view.active();
        let active = &mut writer.active;
        let path = names::file(&self.directory, active.base_offset, Kind::Log);
        if let Some((position, bytes)) = active.reserve(length, config) {
            segment.log.allocate(position, bytes).map_err(Error::io("reserve space for", &path))?;
            active.allocated_bytes = position + bytes;
        }
        let slices = [IoSlice::new(&writer.pending.bytes)];
        segment.log.write_at(&slices, active.size_bytes).map_err(Error::io("write to", &path))?;
        active.size_bytes += length;
        if let Some(memory) = segment.memory() {
            writer.pending.entries.iter().for_each(|entry| memory.push(active.base_offset, *entry));
        }
        let (active_size_bytes, active_max_timestamp) = (active.size_bytes, active.builder.max_timestamp);
        let epochs = std::mem::take(&mut writer.pending.epochs);
        self.add_epochs(writer, &epochs)?;
        writer.pending.clear();
        let end_offset = writer.next_offset;
        self.view.store(Arc::new(View { end_offset, active_size_bytes, active_max_timestamp, ..(*view).clone() }));
        Ok(())
    }

    /// Notes that this replica leads in the epoch from the end of its log on.
    pub fn assign_epoch(&self, epoch: LeaderEpoch) -> Result<(), Error> {
        let mut writer = self.lock_writer()?;
        let start_offset = writer.next_offset;
        let added = self.add_epochs(&mut writer, &[EpochStart { epoch, start_offset }]);
        added.map_err(|error| self.fail(&mut writer, error))
    }

    fn add_epochs(&self, writer: &mut Writer, added: &[EpochStart]) -> Result<(), Error> {
        for entry in added {
            if let Some(epochs) = self.epochs.load().with(*entry) {
                self.store_epochs(writer, epochs)?;
            }
        }
        Ok(())
    }

    fn store_epochs(&self, writer: &mut Writer, epochs: Epochs) -> Result<(), Error> {
        let path = self.directory.join(names::LEADER_EPOCH_CHECKPOINT);
        let file = replace_unsynced(&*self.disk, &path, epochs.encode().as_bytes())?;
        writer.unsynced.push(file);
        writer.names_version += 1;
        self.epochs.store(Arc::new(epochs));
        Ok(())
    }

    /// Seals the active segment and begins a new one at the next offset. Nothing may be pending.
    fn roll(&self, writer: &mut Writer, now: TimestampMs) -> Result<(), Error> {
        let view = self.view.load_full();
        self.finish_active(writer, &view)?;
        self.take_snapshot(writer)?;
        let base_offset = writer.next_offset;
        let path = names::file(&self.directory, base_offset, Kind::Log);
        let log = self.disk.open(&path, Open::Create).map_err(Error::io("create", &path))?;
        log.set_size(0).map_err(Error::io("empty", &path))?;
        let sealed = view.active();
        let sealed = Segment::sealed(&self.directory, sealed.base_offset, sealed.log.clone(), writer.active.size_bytes);
        let mut segments = view.segments.to_vec();
        segments.pop();
        segments.push(Arc::new(sealed));
        segments.push(Arc::new(Segment::active(base_offset, log, index::MemoryIndex::default())));
        writer.active = Active::new(base_offset, now);
        writer.names_version += 1;
        writer.rolled = true;
        self.view.store(Arc::new(View {
            segments: segments.into(),
            active_size_bytes: 0,
            active_max_timestamp: writer.active.builder.max_timestamp,
            ..(*view).clone()
        }));
        Ok(())
    }

    /// Gives back the space reserved ahead and writes the index files of the active segment.
    fn finish_active(&self, writer: &mut Writer, view: &View) -> Result<(), Error> {
        let segment = view.active();
        let path = names::file(&self.directory, segment.base_offset, Kind::Log);
        segment.log.set_size(writer.active.size_bytes).map_err(Error::io("trim", &path))?;
        if let Some(memory) = segment.memory() {
            memory.push_time(segment.base_offset, writer.active.builder.max_timestamp);
            let files = write_index_files(&*self.disk, &self.directory, segment.base_offset, memory)?;
            writer.unsynced.extend(files);
            writer.names_version += 1;
        }
        Ok(())
    }

    /// Writes the producers as of the next offset, if they were not written at it before. Nothing may be pending.
    fn take_snapshot(&self, writer: &mut Writer) -> Result<(), Error> {
        if writer.next_offset <= writer.snapshot_offset {
            return Ok(());
        }
        let path = names::file(&self.directory, writer.next_offset, Kind::ProducerSnapshot);
        let content = snapshot::encode(&writer.producers);
        let file = index::write_file(&*self.disk, &path, &content).map_err(Error::io("write", &path))?;
        writer.unsynced.push(file);
        writer.names_version += 1;
        writer.snapshot_offset = writer.next_offset;
        Ok(())
    }

    /// What must be synced so that everything published so far survives.
    pub fn flush(&self) -> Result<Flush, Error> {
        let mut writer = self.lock_writer()?;
        Ok(self.flush_locked(&mut writer))
    }

    fn flush_locked(&self, writer: &mut Writer) -> Flush {
        let view = self.view.load();
        let up_to = view.end_offset;
        let first = if up_to > self.recovery_point() { view.floor(self.recovery_point()) } else { view.segments.len() };
        let mut files: Vec<_> = view.segments[first..].iter().map(|segment| segment.log.clone()).collect();
        files.append(&mut writer.unsynced);
        let mut directories = Vec::new();
        if writer.names_version > self.names_synced.load(Ordering::Acquire) {
            directories.push(self.directory.clone());
            // The directory itself may be new.
            directories.extend(self.directory.parent().map(Path::to_path_buf));
        }
        let (names_version, disk, directory) = (writer.names_version, self.disk.clone(), self.directory.clone());
        Flush { up_to, files, directories, names_version, disk, directory }
    }

    /// Notes that a flush has succeeded. One that failed is told to [`Log::set_offline`] instead: after a failed sync
    /// nobody knows what is on the platter, and trying again would not find out.
    pub fn flushed(&self, flush: &Flush, now: TimestampMs) {
        self.recovery_point.fetch_max(flush.up_to.0, Ordering::AcqRel);
        self.names_synced.fetch_max(flush.names_version, Ordering::AcqRel);
        self.last_flush_ms.fetch_max(now.0, Ordering::Relaxed);
    }

    /// Takes nothing more from now on. What was published stays readable as far as the disk lets it.
    pub fn set_offline(&self) {
        self.offline.store(true, Ordering::Release);
    }

    /// Moves the start of the log up, never down, and never behind its end; whole segments below it leave the log. The
    /// caller keeps it below the high watermark.
    pub fn delete_records_before(&self, offset: Offset) -> Result<Removal, Error> {
        let mut writer = self.lock_writer()?;
        let view = self.view.load_full();
        let offset = offset.min(view.end_offset);
        let mut removal = Removal { disk: self.disk.clone(), files: Vec::new(), directory: None };
        if offset <= view.log_start_offset {
            return Ok(removal);
        }
        let keep_from = view.floor(offset);
        let (gone, kept) = view.segments.split_at(keep_from);
        self.view.store(Arc::new(View { segments: kept.into(), log_start_offset: offset, ..(*view).clone() }));
        for (segment, kind) in gone.iter().flat_map(|s| Kind::ALL.map(|kind| (s, kind))) {
            let path = names::file(&self.directory, segment.base_offset, kind);
            let aside = names::with_suffix(&path, names::DELETED_SUFFIX);
            ignore_missing(self.disk.rename(&path, &aside)).map_err(Error::io("rename", &path))?;
            removal.files.push(aside);
        }
        let epochs = self.epochs.load().cut_from_start(offset);
        if epochs != **self.epochs.load() {
            let stored = self.store_epochs(&mut writer, epochs);
            stored.map_err(|error| self.fail(&mut writer, error))?;
        }
        Ok(removal)
    }

    /// Forgets producers that have been silent for `producer.id.expiration.ms`.
    pub fn expire_producers(&self, now: TimestampMs) -> Result<(), Error> {
        let expiration_ms = self.config.load().producer_id_expiration_ms;
        self.lock_writer()?.producers.expire(now, expiration_ms);
        Ok(())
    }

    /// Writes and syncs everything, so that the log can be opened as clean at the end offset returned. Takes nothing more
    /// afterwards. Blocks.
    pub fn close(&self, now: TimestampMs) -> Result<Offset, Error> {
        let flush = self.close_unsynced()?;
        flush.run()?;
        self.flushed(&flush, now);
        Ok(flush.up_to)
    }

    /// As [`Log::close`], but what must be synced is left to the caller, who may do it for many logs at once.
    pub fn close_unsynced(&self) -> Result<Flush, Error> {
        let config = self.config.load();
        let mut writer = self.lock_writer()?;
        let finished = self.finish(&mut writer, &config);
        finished.map_err(|error| self.fail(&mut writer, error))?;
        let flush = self.flush_locked(&mut writer);
        self.set_offline();
        Ok(flush)
    }

    fn finish(&self, writer: &mut Writer, config: &LogConfig) -> Result<(), Error> {
        self.write_locked(writer, config)?;
        // Where nothing was appended the files are as opening found or made them.
        if writer.indexes_on_disk_to != Some(writer.next_offset) {
            let view = self.view.load_full();
            self.finish_active(writer, &view)?;
        }
        self.take_snapshot(writer)
    }

    /// Takes the log's directory out of sight; the removal does the rest. `unique` distinguishes two deletions of the
    /// same name. Whoever reads at the moment still can.
    pub fn delete(&self, unique: [u8; 16]) -> Result<Removal, Error> {
        let _writer = self.writer.lock().map_err(|_| Error::Offline)?;
        self.set_offline();
        let name = names::deleted_directory(&self.identity.topic, self.identity.partition, unique);
        let aside = self.directory.with_file_name(name);
        self.disk.rename(&self.directory, &aside).map_err(Error::io("rename", &self.directory))?;
        Ok(Removal::of_directory(self.disk.clone(), aside))
    }

    fn lock_writer(&self) -> Result<MutexGuard<'_, Writer>, Error> {
        // A poisoned lock means a bug struck in the middle of a change: the state behind it cannot be trusted.
        let writer = self.writer.lock().map_err(|_| Error::Offline)?;
        if self.is_offline() { Err(Error::Offline) } else { Ok(writer) }
    }

    /// The disk has failed the writer.
    fn fail(&self, writer: &mut Writer, error: Error) -> Error {
        self.set_offline();
        writer.pending.clear();
        error
    }
}

const NO_APPEND_TIME: TimestampMs = TimestampMs(-1);

fn append_time(batch: &Header) -> TimestampMs {
    match batch.timestamp_type() {
        crate::model::TimestampType::LogAppendTime => TimestampMs(batch.max_timestamp),
        crate::model::TimestampType::CreateTime => NO_APPEND_TIME,
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

/// Replaces a small file as a whole without waiting for the platter: the file is given back for the next flush.
pub(super) fn replace_unsynced(disk: &dyn Disk, path: &Path, content: &[u8]) -> Result<Arc<dyn File>, Error> {
    let temporary = names::with_suffix(path, ".tmp");
    let file = index::write_file(disk, &temporary, content).map_err(Error::io("write", &temporary))?;
    disk.rename(&temporary, path).map_err(Error::io("replace", path))?;
    Ok(file)
}

/// Writes `.index` and `.timeindex`.
pub(super) fn write_index_files(
    disk: &dyn Disk,
    directory: &Path,
    base_offset: Offset,
    memory: &index::MemoryIndex,
) -> Result<[Arc<dyn File>; 2], Error> {
    let write = |kind, content: Vec<u8>| {
        let path = names::file(directory, base_offset, kind);
        index::write_file(disk, &path, &content).map_err(Error::io("write", &path))
    };
    Ok([write(Kind::OffsetIndex, memory.encode_offsets())?, write(Kind::TimeIndex, memory.encode_times())?])
}

/// The coordinator's epoch in the one record of a transaction marker.
pub(super) fn marker_coordinator_epoch(batch: &Header, records: &[u8]) -> Option<i32> {
    let record = Records::new(batch, records).next()?.ok()?;
    EndTxnMarker::parse(record.key?, record.value?).map(|marker| marker.coordinator_epoch)
}
