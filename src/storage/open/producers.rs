//! The producers of a log that is opened, and the transactions of theirs that were aborted: from snapshots and indexes
//! where those are sound, and from the batches behind them.

use super::Opening;
use super::notes::note_producer;
use crate::model::Offset;
use crate::storage::batches::{Batches, SCAN_BUFFER_BYTES};
use crate::storage::error::Error;
use crate::storage::names::{self, Kind};
use crate::storage::producers::Producers;
use crate::storage::recovery::{self, SnapshotPlan};
use crate::storage::snapshot;
use crate::storage::transactions::{self, AbortedTxn};
use log::warn;

impl Opening<'_> {
    /// The producers as of `offset`: from the newest sound snapshot, and the batches behind it.
    pub(super) fn load_producers(
        &mut self,
        offset: Offset,
        segments: usize,
        log_start_offset: Offset,
    ) -> Result<(), Error> {
        let mut from = log_start_offset;
        self.snapshot_offset = from;
        let snapshot_plan = |snapshot| recovery::snapshot_plan(snapshot, offset, log_start_offset);
        let usable: Vec<_> =
            self.snapshots.iter().filter(|s| snapshot_plan(**s) == SnapshotPlan::LoadOrRemove).copied().collect();
        for candidate in usable.into_iter().rev() {
            let path = names::file(self.directory, candidate, Kind::ProducerSnapshot);
            let content = self.disk.read_small(&path, snapshot::MAX_FILE_BYTES).map_err(Error::io("read", &path))?;
            if let Some(producers) = snapshot::decode(&content) {
                assert!(log_start_offset <= candidate && candidate <= offset, "a snapshot of another time");
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

    /// Reads a `.txnindex`, or makes it anew from the segment's batches where it is damaged.
    pub(super) fn load_aborted(&mut self, at: usize) -> Result<(), Error> {
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
                let written = transactions::replace(&**self.disk, self.directory, found.base_offset, &aborted);
                self.unsynced.push(written.map_err(Error::io("write", &path))?);
                aborted
            }
        };
        self.segments[at].aborted = Some(aborted);
        Ok(())
    }

    /// The transactions that end aborted in a segment. They may have begun in any segment before it: where its snapshot of
    /// the producers is lost, too, the segments before it are read.
    fn aborted_from_batches(&self, at: usize) -> Result<Vec<AbortedTxn>, Error> {
        let (from, mut producers) = self.newest_snapshot(at)?;
        assert!(from <= at, "a snapshot of a later segment");
        let mut aborted = Vec::new();
        for found in &self.segments[from..=at] {
            aborted.clear();
            let file = found.file(&**self.disk)?;
            let mut batches = Batches::new(file.clone(), 0, found.size_bytes, SCAN_BUFFER_BYTES);
            while let Some(placed) = batches.next_header().map_err(Error::io("read", found.log.path()))? {
                let noted = note_producer(&mut producers, &*file, &placed);
                aborted.extend(noted.map_err(Error::io("read", found.log.path()))?);
            }
        }
        Ok(aborted)
    }

    /// The newest segment, not behind this one, whose beginning has a sound snapshot, and the producers in it; else the first
    /// segment, where none is known.
    fn newest_snapshot(&self, at: usize) -> Result<(usize, Producers), Error> {
        for from in (0..=at).rev() {
            let base_offset = self.segments[from].base_offset;
            if !self.snapshots.contains(&base_offset) {
                continue;
            }
            let path = names::file(self.directory, base_offset, Kind::ProducerSnapshot);
            let content = self.disk.read_small(&path, snapshot::MAX_FILE_BYTES).map_err(Error::io("read", &path))?;
            if let Some(producers) = snapshot::decode(&content) {
                return Ok((from, producers));
            }
        }
        Ok((0, Producers::default()))
    }
}
