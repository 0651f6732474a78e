//! Recovery: what is not known to be durable is read batch by batch with its checksums, and cut where it is torn.

use super::notes::{note_epoch, note_producer};
use super::{Opening, remove_segment};
use crate::model::Offset;
use crate::storage::batches::{Batches, SCAN_BUFFER_BYTES};
use crate::storage::error::Error;
use crate::storage::index::{self, IndexBuilder, MemoryIndex, write_index_files};
use crate::storage::loss::{self, Cut, Removed};
use crate::storage::names::{self, Kind};
use crate::storage::removal::ignore_missing;
use crate::storage::{snapshot, transactions};
use log::info;

/// Reading a segment of this size takes long enough to be told before it begins.
const TOLD_FROM_BYTES: u64 = 64 << 20;

impl Opening<'_> {
    /// Reads the segments from `first` on, batch by batch with checksums; cuts the log where it is torn.
    pub(super) fn recover(&mut self, first: usize, mut end_offset: Offset) -> Result<Offset, Error> {
        let mut at = first;
        while at < self.segments.len() {
            end_offset = end_offset.max(self.segments[at].base_offset);
            self.tell_recovery(first, at);
            let (next, torn) = self.recover_segment(at, end_offset)?;
            assert!(next >= end_offset, "a segment does not end before it begins");
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

    /// Tells of a segment that takes long, before it is read (`LogLoader.recoverLog`).
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
        // Written last: a recovery that does not come to its end is one that the next opening begins anew.
        let times = names::file(self.directory, base, Kind::TimeIndex);
        ignore_missing(self.disk.remove_file(&times)).map_err(Error::io("remove", &times))?;
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
            debug_assert!(last.next() > end_offset && placed.position == sound_bytes, "recovery goes on");
            end_offset = last.next();
            sound_bytes = placed.end();
        }
        if batches.is_at_legacy_message().map_err(Error::io("read", &path))? {
            let why = "holds messages of a format before Kafka 0.11, which Klamm does not read".to_string();
            return Err(Error::Unusable { path, why });
        }
        assert!(sound_bytes <= size_bytes, "recovery does not lengthen a file");
        if sound_bytes < size_bytes {
            let end = loss::end_of_data(&*log, sound_bytes, size_bytes).map_err(Error::io("read", &path))?;
            self.cut = Some(Cut { file: path.clone(), position: sound_bytes, bytes: end - sound_bytes });
        }
        // Also where nothing is cut: it gives back the space that was reserved ahead.
        log.set_size(sound_bytes).map_err(Error::io("cut", &path))?;
        index.push_time(base, builder.max_timestamp);
        if !aborted.is_empty() || self.segments[at].has_transaction_index {
            let written = transactions::replace(&**self.disk, self.directory, base, &aborted);
            self.unsynced.push(written.map_err(Error::io("write a transaction index in", self.directory))?);
        }
        self.unsynced.extend(write_index_files(&**self.disk, self.directory, base, &index)?);
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
}
