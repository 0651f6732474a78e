//! Opening a log: finishing what was interrupted, loading what is sound, recovering what may be torn (`LogLoader`).
//!
//! What is done about what is found is decided in [`recovery`](super::recovery); here it is looked at and done. Nothing
//! below the recovery point is ever cut.

use super::append::{marker_of, note_marker};
use super::batches::{Batches, Placed, SCAN_BUFFER_BYTES};
use super::checkpoint;
use super::epochs::{EpochStart, Epochs};
use super::error::Error;
use super::flush::ignore_missing;
use super::health::Health;
use super::index::{
    self, IndexBuilder, MemoryIndex, OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES, replace_unsynced, write_index_files,
};
use super::interrupted::list_settled;
use super::log::{Checkpointed, Identity, Log, LogConfig};
use super::loss::{self, Cut, Loss, Removed};
use super::names::{self, Kind};
use super::producers::Producers;
use super::recovery::{self, Indexes, MetadataPlan, Plan, SegmentFound, SnapshotPlan};
use super::segment::Segment;
use super::snapshot;
use super::transactions::{self, Aborted, AbortedTxn};
use super::view::View;
use super::writer::{Active, Pending, Writer};
use crate::io::disk::{Disk, File, Open};
use crate::io::open_files::LazyFile;
use crate::model::{Offset, TimestampMs};
use crate::record::header::HEADER_SIZE;
use arc_swap::ArcSwap;
use log::{info, warn};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, Weak};

/// No index file of Kafka's is larger (`segment.index.bytes` is a 32-bit number).
const MAX_INDEX_FILE_BYTES: u64 = i32::MAX as u64;
/// Enough of a transaction marker's batch to find its one record.
const MARKER_BYTES: usize = HEADER_SIZE + 128;

/// Reading a segment of this size takes long enough to be told before it begins.
const TOLD_FROM_BYTES: u64 = 64 << 20;

/// A segment as it was found, then as it was made.
struct Found {
    base_offset: Offset,
    log: LazyFile,
    size_bytes: u64,
    offset_index_bytes: Option<u64>,
    time_index_bytes: Option<u64>,
    /// The entries of its `.txnindex`; `None` if there is no such file, or one that is damaged.
    aborted: Option<Vec<AbortedTxn>>,
    has_transaction_index: bool,
    /// In memory if it was rebuilt or belongs to the active segment.
    index: Option<MemoryIndex>,
}

struct Opening<'a> {
    disk: &'a Arc<dyn Disk>,
    directory: &'a Path,
    config: &'a LogConfig,
    now: TimestampMs,
    segments: Vec<Found>,
    /// Offsets of the producer snapshots on disk.
    snapshots: Vec<Offset>,
    epochs: Epochs,
    /// As the file has them, if there is a sound one.
    epochs_on_disk: Option<Epochs>,
    producers: Producers,
    snapshot_offset: Offset,
    unsynced: Vec<PathBuf>,
    cut: Option<Cut>,
    removed: Option<Removed>,
}

impl Log {
    /// As [`Log::open_in`], for a log that shares its directory's state with no other.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: PathBuf,
        config: LogConfig,
        identity: Identity,
        checkpointed: Checkpointed,
        now: TimestampMs,
    ) -> Result<Log, Error> {
        let health = Health::new(disk.clone(), directory.parent().unwrap_or(Path::new("/")));
        Log::open_in(&Arc::new(health), disk, directory, config, identity, checkpointed, now)
    }

    /// Opens a partition's log, or makes it. Reads all that is not known to be on the platter. Blocks.
    pub fn open_in(
        health: &Arc<Health>,
        disk: Arc<dyn Disk>,
        directory: PathBuf,
        config: LogConfig,
        identity: Identity,
        checkpointed: Checkpointed,
        now: TimestampMs,
    ) -> Result<Log, Error> {
        if !disk.exists(&directory) {
            disk.create_directories(&directory).map_err(Error::io("create", &directory))?;
        }
        let metadata = claim(&*disk, &directory, &identity)?;
        let mut opening = Opening::find(&disk, &directory, &config, now)?;
        opening.unsynced.extend(metadata);
        let end_offset = opening.load(&checkpointed)?;
        let end_offset = opening.settle(end_offset, &checkpointed)?;
        opening.into_log(identity, &checkpointed, end_offset, health.clone())
    }
}

/// Checks or writes `partition.metadata`; its path if it was written.
fn claim(disk: &dyn Disk, directory: &Path, identity: &Identity) -> Result<Option<PathBuf>, Error> {
    let path = directory.join(names::PARTITION_METADATA);
    let found = checkpoint::read_partition_metadata(disk, &path)?;
    match recovery::metadata_plan(found, identity.topic_id) {
        MetadataPlan::Refuse => {
            let found = found.unwrap_or_default();
            let why = format!("holds the topic id {found}, but the topic's is {}", identity.topic_id);
            Err(Error::NotOurs { path, why })
        }
        MetadataPlan::Keep => Ok(None),
        MetadataPlan::Write => {
            let content = checkpoint::encode_partition_metadata(identity.topic_id);
            replace_unsynced(disk, &path, content.as_bytes()).map(Some)
        }
    }
}

impl<'a> Opening<'a> {
    fn find(
        disk: &'a Arc<dyn Disk>,
        directory: &'a Path,
        config: &'a LogConfig,
        now: TimestampMs,
    ) -> Result<Self, Error> {
        let mut files: BTreeMap<Offset, BTreeSet<Kind>> = BTreeMap::new();
        for name in list_settled(&**disk, directory)? {
            if let Some((offset, kind)) = names::parse_file(&name) {
                files.entry(offset).or_default().insert(kind);
            }
        }
        let size_of = |offset, kind| {
            let path = names::file(directory, offset, kind);
            disk.size_bytes(&path).map_err(Error::io("ask for the size of", &path))
        };
        let mut segments = Vec::new();
        let mut snapshots = Vec::new();
        for (base_offset, kinds) in files {
            snapshots.extend(kinds.get(&Kind::ProducerSnapshot).map(|_| base_offset));
            if !kinds.contains(&Kind::Log) {
                continue;
            }
            let path = names::file(directory, base_offset, Kind::Log);
            let log = LazyFile::new(path);
            let index_bytes = |kind| kinds.contains(&kind).then(|| size_of(base_offset, kind)).transpose();
            segments.push(Found {
                base_offset,
                log,
                size_bytes: size_of(base_offset, Kind::Log)?,
                offset_index_bytes: index_bytes(Kind::OffsetIndex)?,
                time_index_bytes: index_bytes(Kind::TimeIndex)?,
                aborted: None,
                has_transaction_index: kinds.contains(&Kind::TransactionIndex),
                index: None,
            });
        }
        Ok(Opening {
            disk,
            directory,
            config,
            now,
            segments,
            snapshots,
            epochs: Epochs::default(),
            epochs_on_disk: None,
            producers: Producers::default(),
            snapshot_offset: Offset(-1),
            unsynced: Vec::new(),
            cut: None,
            removed: None,
        })
    }

    /// Brings segments, epochs and producers up to the end of the log, which is returned.
    fn load(&mut self, checkpointed: &Checkpointed) -> Result<Offset, Error> {
        let known = Epochs::read(&**self.disk, &self.directory.join(names::LEADER_EPOCH_CHECKPOINT));
        let known = match known {
            Err(failure @ Error::Unusable { .. }) => {
                warn!("{failure}: the leader epochs are read from the batches");
                Epochs::default()
            }
            other => {
                let known = other?;
                self.epochs_on_disk = Some(known.clone());
                known
            }
        };
        let (mut sound, mut end_offset) = (self.segments.len(), None);
        for (at, plan) in self.plans(checkpointed).into_iter().enumerate() {
            match plan {
                Plan::Trust => {}
                Plan::RebuildIndexes => self.rebuild_index(at)?,
                Plan::CheckThenTrust => {
                    end_offset = self.load_active()?;
                    sound -= usize::from(end_offset.is_none());
                }
                Plan::Recover => sound = sound.min(at),
            }
        }
        for at in 0..sound {
            self.load_aborted(at)?;
        }
        let scan_from = self.segments.get(sound).map(|segment| segment.base_offset);
        let state_at = end_offset.or(scan_from).unwrap_or(checkpointed.log_start_offset);
        self.epochs = if known.entries().is_empty() { self.epochs_from_batches(sound)? } else { known };
        self.load_producers(state_at, sound, checkpointed.log_start_offset)?;
        match end_offset {
            Some(end_offset) => Ok(end_offset),
            None => self.recover(sound, state_at),
        }
    }

    fn plans(&self, checkpointed: &Checkpointed) -> Vec<Plan> {
        let with_recovery_point =
            self.segments.partition_point(|segment| segment.base_offset <= checkpointed.recovery_point);
        let plan = |(at, segment): (usize, &Found)| {
            let found = SegmentFound {
                clean: checkpointed.clean,
                is_below: at + 1 < with_recovery_point,
                is_last: at + 1 == self.segments.len(),
                indexes: segment.indexes(),
            };
            found.plan()
        };
        self.segments.iter().enumerate().map(plan).collect()
    }

    /// Believes the files of the last segment after a clean stop; the end offset, or `None` if they contradict each
    /// other and the segment must be recovered.
    fn load_active(&mut self) -> Result<Option<Offset>, Error> {
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

    /// Reads a `.txnindex`, or makes it anew from the segment's batches where it is damaged.
    fn load_aborted(&mut self, at: usize) -> Result<(), Error> {
        let found = &self.segments[at];
        if !found.has_transaction_index {
            return Ok(());
        }
        let path = names::file(self.directory, found.base_offset, Kind::TransactionIndex);
        let read = transactions::read(&**self.disk, self.directory, found.base_offset);
        let aborted = match read.map_err(Error::io("read", &path))? {
            Some(aborted) => aborted,
            None => {
                let aborted = self.aborted_from_batches(at)?;
                let written = transactions::write(&**self.disk, self.directory, found.base_offset, &aborted);
                self.unsynced.push(written.map_err(Error::io("write", &path))?);
                aborted
            }
        };
        self.segments[at].aborted = Some(aborted);
        Ok(())
    }

    /// The transactions that end aborted in a segment, with those that were open before as the snapshot tells them.
    fn aborted_from_batches(&self, at: usize) -> Result<Vec<AbortedTxn>, Error> {
        let found = &self.segments[at];
        let path = names::file(self.directory, found.base_offset, Kind::ProducerSnapshot);
        let snapshot = match self.disk.read_small(&path, snapshot::MAX_FILE_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            read => Some(read.map_err(Error::io("read", &path))?),
        };
        let mut producers = snapshot.and_then(|content| snapshot::decode(&content)).unwrap_or_default();
        let file = found.file(&**self.disk)?;
        let mut batches = Batches::new(file.clone(), 0, found.size_bytes, SCAN_BUFFER_BYTES);
        let mut aborted = Vec::new();
        while let Some(placed) = batches.next_header().map_err(Error::io("read", found.log.path()))? {
            let noted = note_producer(&mut producers, &*file, &placed);
            aborted.extend(noted.map_err(Error::io("read", found.log.path()))?);
        }
        Ok(aborted)
    }

    /// Makes the indexes of a sealed segment anew from its batches, which are on the platter and not questioned.
    fn rebuild_index(&mut self, at: usize) -> Result<(), Error> {
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
    fn epochs_from_batches(&self, segments: usize) -> Result<Epochs, Error> {
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

    /// The producers as of `offset`: from the newest sound snapshot, and the batches behind it.
    fn load_producers(&mut self, offset: Offset, segments: usize, log_start_offset: Offset) -> Result<(), Error> {
        let mut from = log_start_offset;
        self.snapshot_offset = from;
        let snapshot_plan = |snapshot| recovery::snapshot_plan(snapshot, offset, log_start_offset);
        let usable: Vec<_> =
            self.snapshots.iter().filter(|s| snapshot_plan(**s) == SnapshotPlan::LoadOrRemove).copied().collect();
        for candidate in usable.into_iter().rev() {
            let path = names::file(self.directory, candidate, Kind::ProducerSnapshot);
            let content = self.disk.read_small(&path, snapshot::MAX_FILE_BYTES).map_err(Error::io("read", &path))?;
            if let Some(producers) = snapshot::decode(&content) {
                (self.producers, self.snapshot_offset, from) = (producers, candidate, candidate);
                self.producers.expire(self.now, self.config.producer_id_expiration_ms);
                break;
            }
            warn!("{} is damaged and removed: producers are read from the batches", path.display());
            self.disk.remove_file(&path).map_err(Error::io("remove", &path))?;
            self.snapshots.retain(|s| *s != candidate);
        }
        let first = self.segments.partition_point(|segment| segment.base_offset <= from).saturating_sub(1);
        for at in first..segments.max(first) {
            if from >= offset {
                break;
            }
            let found = &self.segments[at];
            let path = names::file(self.directory, found.base_offset, Kind::Log);
            let file = found.file(&**self.disk)?;
            let mut batches = Batches::new(file.clone(), 0, found.size_bytes, SCAN_BUFFER_BYTES);
            while let Some(placed) = batches.next_header().map_err(Error::io("read", &path))? {
                if placed.header.base_offset >= from.0 && placed.header.base_offset < offset.0 {
                    let noted = note_producer(&mut self.producers, &*file, &placed);
                    noted.map_err(Error::io("read", &path))?;
                }
            }
        }
        Ok(())
    }

    /// Reads the segments from `first` on, batch by batch with checksums; cuts the log where it is torn.
    fn recover(&mut self, first: usize, mut end_offset: Offset) -> Result<Offset, Error> {
        let mut at = first;
        while at < self.segments.len() {
            end_offset = end_offset.max(self.segments[at].base_offset);
            self.tell_recovery(first, at);
            let (next, torn) = self.recover_segment(at, end_offset)?;
            end_offset = next;
            if torn {
                for gone in self.segments.drain(at + 1..) {
                    Removed::add(&mut self.removed, gone.base_offset, gone.size_bytes);
                    remove_segment(&**self.disk, self.directory, gone.base_offset)?;
                }
                // At once: where the cut is at the recovery point, no later flush would come past these files, and a
                // loss of power would bring back what was cut below what is then the recovery point.
                let path = names::file(self.directory, self.segments[at].base_offset, Kind::Log);
                self.segments[at].file(&**self.disk)?.sync_data().map_err(Error::io("sync", &path))?;
                self.disk.sync_directory(self.directory).map_err(Error::io("sync", self.directory))?;
            }
            at += 1;
        }
        Ok(end_offset)
    }

    /// Before a segment that takes long is read (`LogLoader.recoverLog`).
    fn tell_recovery(&self, first: usize, at: usize) {
        let (base, size_bytes) = (self.segments[at].base_offset, self.segments[at].size_bytes);
        if size_bytes >= TOLD_FROM_BYTES {
            let (log, number, all) = (self.directory.display(), at - first + 1, self.segments.len() - first);
            info!("{log}: recovering segment {number} of {all}, at offset {base} with {size_bytes} bytes");
        }
    }

    fn recover_segment(&mut self, at: usize, mut end_offset: Offset) -> Result<(Offset, bool), Error> {
        self.begin_segment(end_offset)?;
        let found = &mut self.segments[at];
        if found.is_empty() {
            found.index = Some(MemoryIndex::default());
            return Ok((end_offset, false));
        }
        let (base, log, size_bytes) = (found.base_offset, found.file(&**self.disk)?, found.size_bytes);
        let path = names::file(self.directory, base, Kind::Log);
        let mut batches = Batches::new(log.clone(), 0, size_bytes, SCAN_BUFFER_BYTES);
        let (index, mut builder) = (MemoryIndex::default(), IndexBuilder::new(base));
        let (mut sound_bytes, mut aborted) = (0, Vec::new());
        while let Some(placed) = batches.next_checked().map_err(Error::io("read", &path))? {
            let last = placed.header.last_offset();
            if placed.header.base_offset < end_offset.0 || last.0 - base.0 > i64::from(i32::MAX) {
                break;
            }
            let entry = builder.add(placed.position, &placed.header, last, self.config.index_interval_bytes);
            entry.into_iter().for_each(|entry| index.push(base, entry));
            note_epoch(&mut self.epochs, &placed);
            let noted = note_producer(&mut self.producers, &*log, &placed);
            aborted.extend(noted.map_err(Error::io("read", &path))?);
            end_offset = last.next();
            sound_bytes = placed.end();
        }
        if batches.is_at_legacy_message().map_err(Error::io("read", &path))? {
            let why = "holds messages of a format before Kafka 0.11, which Klamm does not read".to_string();
            return Err(Error::Unusable { path, why });
        }
        if sound_bytes < size_bytes {
            let end = loss::end_of_data(&*log, sound_bytes, size_bytes).map_err(Error::io("read", &path))?;
            self.cut = Some(Cut { file: path.clone(), position: sound_bytes, bytes: end - sound_bytes });
        }
        // Also where nothing is cut: it gives back the space that was reserved ahead.
        log.set_size(sound_bytes).map_err(Error::io("cut", &path))?;
        index.push_time(base, builder.max_timestamp);
        self.unsynced.extend(write_index_files(&**self.disk, self.directory, base, &index)?);
        if !aborted.is_empty() || self.segments[at].has_transaction_index {
            let written = transactions::write(&**self.disk, self.directory, base, &aborted);
            self.unsynced.push(written.map_err(Error::io("write a transaction index in", self.directory))?);
        }
        let found = &mut self.segments[at];
        found.aborted = Some(aborted);
        (found.size_bytes, found.index) = (sound_bytes, Some(index));
        (found.offset_index_bytes, found.time_index_bytes) = (Some(0), Some(0));
        Ok((end_offset, sound_bytes < size_bytes))
    }

    /// The producers as of where a segment begins. A sound snapshot that is there knows more than the batches before it: of
    /// a producer that has gone on in the active segment compaction may have left none, and the active segment may be what
    /// was lost (`UnifiedLog.rebuildProducerState` reloads for each segment, too).
    fn begin_segment(&mut self, offset: Offset) -> Result<(), Error> {
        if self.snapshot_offset >= offset {
            return Ok(());
        }
        let path = names::file(self.directory, offset, Kind::ProducerSnapshot);
        if self.snapshots.contains(&offset) {
            let content = self.disk.read_small(&path, snapshot::MAX_FILE_BYTES).map_err(Error::io("read", &path))?;
            if let Some(producers) = snapshot::decode(&content) {
                (self.producers, self.snapshot_offset) = (producers.with_batches(&self.producers), offset);
                self.producers.expire(self.now, self.config.producer_id_expiration_ms);
                return Ok(());
            }
            self.snapshots.retain(|snapshot| *snapshot != offset);
        }
        let content = snapshot::encode(&self.producers);
        index::write_file(&**self.disk, &path, &content).map_err(Error::io("write", &path))?;
        self.unsynced.push(path);
        self.snapshots.push(offset);
        self.snapshot_offset = offset;
        Ok(())
    }

    /// Makes the start of the log, the files on disk and what is in memory agree; the end offset.
    fn settle(&mut self, end_offset: Offset, checkpointed: &Checkpointed) -> Result<Offset, Error> {
        let start = checkpointed.log_start_offset;
        let mut end_offset = end_offset;
        if end_offset < start {
            // The segments were lost or removed behind our back: nothing that is left is part of the log any more.
            for gone in self.segments.drain(..) {
                Removed::add(&mut self.removed, gone.base_offset, gone.size_bytes);
                remove_segment(&**self.disk, self.directory, gone.base_offset)?;
            }
            (self.producers, self.epochs, end_offset) = (Producers::default(), Epochs::default(), start);
        }
        let below = self.segments.partition_point(|segment| segment.base_offset <= start).saturating_sub(1);
        for gone in self.segments.drain(..below) {
            remove_segment(&**self.disk, self.directory, gone.base_offset)?;
        }
        if self.segments.is_empty() {
            let path = names::file(self.directory, end_offset, Kind::Log);
            let file = self.disk.open(&path, Open::Create).map_err(Error::io("create", &path))?;
            let log = LazyFile::opened(&**self.disk, path, file);
            let index = Some(MemoryIndex::default());
            let (offset_index_bytes, time_index_bytes) = (None, None);
            let base_offset = end_offset;
            self.segments.push(Found {
                base_offset,
                log,
                size_bytes: 0,
                offset_index_bytes,
                time_index_bytes,
                aborted: None,
                has_transaction_index: false,
                index,
            });
        }
        let last_base = self.segments.last().map_or(start, |segment| segment.base_offset);
        let newest = self.snapshots.iter().filter(|s| **s > last_base && **s <= end_offset).max().copied();
        for snapshot in std::mem::take(&mut self.snapshots) {
            let wanted = newest == Some(snapshot) || self.segments.iter().any(|s| s.base_offset == snapshot);
            if !wanted {
                let path = names::file(self.directory, snapshot, Kind::ProducerSnapshot);
                ignore_missing(self.disk.remove_file(&path)).map_err(Error::io("remove", &path))?;
            }
        }
        self.settle_epochs(start, end_offset)?;
        Ok(end_offset)
    }

    fn settle_epochs(&mut self, start: Offset, end_offset: Offset) -> Result<(), Error> {
        self.epochs = self.epochs.cut_from_end(end_offset).cut_from_start(start);
        // What is cut off would be cut off at each start: an epoch without records needs no new file each time.
        let is_told = |on_disk: &Epochs| on_disk.cut_from_end(end_offset).cut_from_start(start) == self.epochs;
        if self.epochs_on_disk.as_ref().is_some_and(is_told) {
            return Ok(());
        }
        let path = self.directory.join(names::LEADER_EPOCH_CHECKPOINT);
        self.epochs_on_disk = Some(self.epochs.clone());
        self.unsynced.push(replace_unsynced(&**self.disk, &path, self.epochs.encode().as_bytes())?);
        Ok(())
    }

    fn into_log(
        mut self,
        identity: Identity,
        checkpointed: &Checkpointed,
        end_offset: Offset,
        health: Arc<Health>,
    ) -> Result<Log, Error> {
        let Some(last) = self.segments.pop() else { return Err(Error::Offline) };
        let (base_offset, size_bytes) = (last.base_offset, last.size_bytes);
        let has_index_files = last.offset_index_bytes.is_some() && last.time_index_bytes.is_some();
        let mut active = Active::new(base_offset, self.now);
        active.size_bytes = size_bytes;
        active.allocated_bytes = size_bytes;
        let path = names::file(self.directory, base_offset, Kind::Log);
        if size_bytes > 0 {
            let mut first = Batches::new(last.file(&**self.disk)?, 0, size_bytes, HEADER_SIZE);
            let first = first.next_header().map_err(Error::io("read", &path))?;
            active.book.first_timestamp = first.map(|placed| TimestampMs(placed.header.max_timestamp));
        }
        let index = last.index.unwrap_or_default();
        let last_aborted = Aborted::new(last.aborted.unwrap_or_default());
        active.book.builder = IndexBuilder::resume(&index, base_offset);
        active.book.index_lengths = index.lengths();
        let sealed = |s: Found| {
            let aborted = Aborted::new(s.aborted.unwrap_or_default());
            Arc::new(Segment::sealed(self.directory, s.base_offset, s.log, s.size_bytes).with_aborted(aborted))
        };
        let mut segments: Vec<_> = self.segments.drain(..).map(sealed).collect();
        segments.push(Arc::new(Segment::active(base_offset, last.log, index).with_aborted(last_aborted)));
        let view = View {
            log_start_offset: checkpointed.log_start_offset.max(segments[0].base_offset),
            segments: segments.into(),
            end_offset,
            first_unstable_offset: self.producers.first_unstable_offset(),
            active_size_bytes: size_bytes,
            active_max_timestamp: active.book.builder.max_timestamp,
            recent: Weak::new(),
        };
        let loss = Loss::new(end_offset, self.cut, self.removed, checkpointed.recovery_point);
        let recovery_point = if checkpointed.clean { end_offset } else { checkpointed.recovery_point.min(end_offset) };
        let writer = Writer {
            next_offset: end_offset,
            producers: self.producers,
            epochs_on_disk: self.epochs_on_disk.unwrap_or_default(),
            snapshot_offset: self.snapshot_offset,
            pending: Pending::default(),
            active,
            // After a clean stop with nothing to mend, all names are on the platter already.
            names_version: u64::from(!checkpointed.clean || !self.unsynced.is_empty() || !has_index_files),
            indexes_on_disk_to: has_index_files.then_some(end_offset),
            rolled: false,
            unsynced: self.unsynced,
        };
        Ok(Log {
            disk: self.disk.clone(),
            directory: self.directory.to_path_buf(),
            identity,
            view: ArcSwap::from_pointee(view),
            epochs: ArcSwap::from_pointee(self.epochs),
            config: ArcSwap::from_pointee(self.config.clone()),
            recovery_point: AtomicI64::new(recovery_point.0),
            last_flush_ms: AtomicI64::new(self.now.0),
            names_synced: AtomicU64::new(0),
            offline: AtomicBool::new(false),
            sealed: AtomicBool::new(false),
            health,
            loss,
            generation: AtomicU32::new(0),
            taken_back: Mutex::default(),
            deleted: AtomicBool::new(false),
            writer: Mutex::new(writer),
        })
    }
}

impl Found {
    /// As most partitions of a broker with many: nothing in it to be read, mended or written.
    fn is_empty(&self) -> bool {
        let index_bytes = self.offset_index_bytes.unwrap_or(0) + self.time_index_bytes.unwrap_or(0);
        self.size_bytes == 0 && index_bytes == 0 && !self.has_transaction_index
    }

    fn file(&self, disk: &dyn Disk) -> Result<Arc<dyn File>, Error> {
        self.log.get(disk).map_err(Error::io("open", self.log.path()))
    }

    fn indexes(&self) -> Indexes {
        let (Some(offsets), Some(times)) = (self.offset_index_bytes, self.time_index_bytes) else {
            return Indexes::Missing;
        };
        let are_whole = offsets % OFFSET_ENTRY_BYTES as u64 == 0 && times % TIME_ENTRY_BYTES as u64 == 0;
        if are_whole { Indexes::Plausible } else { Indexes::WrongSize }
    }
}

fn note_epoch(epochs: &mut Epochs, placed: &Placed) {
    let epoch = placed.header.leader_epoch();
    if epochs.latest().is_none_or(|latest| latest.epoch < epoch) {
        let start_offset = Offset(placed.header.base_offset);
        *epochs = epochs.with(EpochStart { epoch, start_offset }).unwrap_or_else(|| epochs.clone());
    }
}

/// Takes note of a batch that is in the log; the transaction that it ends, if that is aborted.
fn note_producer(producers: &mut Producers, file: &dyn File, placed: &Placed) -> io::Result<Option<AbortedTxn>> {
    if !placed.header.has_producer_id() {
        return Ok(None);
    }
    if !placed.header.is_control() {
        producers.apply(&placed.header, Offset(placed.header.base_offset));
        return Ok(None);
    }
    let mut bytes = [0; MARKER_BYTES];
    let read = file.read_at(&mut bytes, placed.position)?;
    let marker = marker_of(&placed.header, &bytes[..read]);
    Ok(note_marker(producers, &placed.header, placed.header.last_offset(), marker))
}

fn remove_segment(disk: &dyn Disk, directory: &Path, base_offset: Offset) -> Result<(), Error> {
    for kind in Kind::ALL {
        let path = names::file(directory, base_offset, kind);
        ignore_missing(disk.remove_file(&path)).map_err(Error::io("remove", &path))?;
    }
    Ok(())
}
