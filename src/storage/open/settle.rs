//! The end of an opening: the start of the log, the files on disk and what is in memory are made to agree, and the log is
//! made of them.

use super::{Found, Opening, remove_segment};
use crate::io::disk::Open;
use crate::io::open_files::LazyFile;
use crate::model::{Offset, TimestampMs};
use crate::record::header::HEADER_SIZE;
use crate::storage::batches::Batches;
use crate::storage::epochs::Epochs;
use crate::storage::error::Error;
use crate::storage::health::Health;
use crate::storage::index::{IndexBuilder, MemoryIndex, replace_unsynced};
use crate::storage::log::{Checkpointed, Identity, Log};
use crate::storage::loss::{Loss, Removed};
use crate::storage::names::{self, Kind};
use crate::storage::producers::Producers;
use crate::storage::removal::ignore_missing;
use crate::storage::segment::Segment;
use crate::storage::transactions::Aborted;
use crate::storage::view::{Uncommitted, View};
use crate::storage::writer::{Active, Pending, Writer};
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, Weak};

impl Opening<'_> {
    /// Makes the start of the log, the files on disk and what is in memory agree; the end offset.
    pub(super) fn settle(&mut self, end_offset: Offset, checkpointed: &Checkpointed) -> Result<Offset, Error> {
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
        assert!(last_base <= end_offset && start <= end_offset, "the log ends behind its start and its segments");
        assert!(self.snapshot_offset <= end_offset, "the producers are those of an offset to come");
        Ok(end_offset)
    }

    fn settle_epochs(&mut self, start: Offset, end_offset: Offset) -> Result<(), Error> {
        self.epochs = self.epochs.cut_from_end(end_offset).cut_from_start(start);
        let latest = self.epochs.latest();
        assert!(latest.is_none_or(|latest| latest.start_offset <= end_offset), "an epoch begins behind the log");
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

    /// The last segment, as the writer goes on with it.
    fn active(&self, last: &Found) -> Result<Active, Error> {
        let mut active = Active::new(last.base_offset, self.now);
        active.size_bytes = last.size_bytes;
        active.allocated_bytes = last.size_bytes;
        if last.size_bytes > 0 {
            let mut first = Batches::new(last.file(&**self.disk)?, 0, last.size_bytes, HEADER_SIZE);
            let first = first.next_header().map_err(Error::io("read", last.log.path()))?;
            active.book.first_timestamp = first.map(|placed| TimestampMs(placed.header.max_timestamp));
        }
        if let Some(index) = &last.index {
            active.book.builder = IndexBuilder::resume(index, last.base_offset);
            active.book.index_lengths = index.lengths();
        }
        Ok(active)
    }

    pub(super) fn into_log(
        mut self,
        identity: Identity,
        checkpointed: &Checkpointed,
        end_offset: Offset,
        health: Arc<Health>,
    ) -> Result<Log, Error> {
        let last = self.segments.pop().expect("a settled log has a segment");
        let (base_offset, size_bytes) = (last.base_offset, last.size_bytes);
        let has_index_files = last.offset_index_bytes.is_some() && last.time_index_bytes.is_some();
        let active = self.active(&last)?;
        let index = last.index.expect("the last segment was looked at or made");
        let last_aborted = Aborted::new(&last.aborted.unwrap_or_default());
        let sealed = |s: Found| {
            let aborted = Aborted::new(&s.aborted.unwrap_or_default());
            Arc::new(Segment::sealed(self.directory, s.base_offset, s.log, s.size_bytes).with_aborted(aborted))
        };
        let mut segments: Vec<_> = self.segments.drain(..).map(sealed).collect();
        segments.push(Arc::new(Segment::active(base_offset, last.log, index).with_aborted(last_aborted)));
        let view = View {
            log_start_offset: checkpointed.log_start_offset.max(segments[0].base_offset),
            segments: segments.into(),
            end_offset,
            first_unstable_offset: self.producers.first_unstable_offset(),
            uncommitted: Uncommitted::default(),
            active_size_bytes: size_bytes,
            active_max_timestamp: active.book.builder.max_timestamp,
            recent: Weak::new(),
        };
        view.check();
        let loss = Loss::new(end_offset, self.cut, self.removed, checkpointed.recovery_point);
        let recovery_point = if checkpointed.clean { end_offset } else { checkpointed.recovery_point.min(end_offset) };
        let writer = Writer {
            next_offset: end_offset,
            producers: self.producers,
            epochs_on_disk: self.epochs_on_disk.unwrap_or_default(),
            snapshot_offset: self.snapshot_offset,
            pending: Pending::default(),
            active,
            // After a clean stop with nothing to mend, all names are durable already.
            names_version: u64::from(!checkpointed.clean || !self.unsynced.is_empty() || !has_index_files),
            indexes_on_disk_to: has_index_files.then_some(end_offset),
            rolled: false,
            retired: None,
            unsynced: self.unsynced,
        };
        writer.check(&view);
        assert!(recovery_point <= end_offset, "recovery would begin behind the log's end");
        Ok(Log {
            disk: self.disk.clone(),
            directory: self.directory.to_path_buf(),
            identity,
            view: ArcSwap::from_pointee(view),
            epochs: ArcSwap::from_pointee(self.epochs),
            config: ArcSwap::from_pointee(self.config.clone()),
            high_watermark: AtomicI64::new(0),
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
