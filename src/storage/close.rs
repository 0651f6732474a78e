//! How a log ends: closed in order, so that the next opening reads nothing, or deleted.

use super::error::Error;
use super::flush::Flush;
use super::log::{Log, LogConfig};
use super::names;
use super::removal::Removal;
use super::writer::Writer;
use crate::model::{Offset, TimestampMs};
use std::sync::atomic::Ordering;

impl Log {
    /// Writes and syncs everything, so that the log can be opened as clean at the end offset returned. Takes nothing more
    /// afterwards. Blocks.
    pub fn close(&self, now: TimestampMs) -> Result<Offset, Error> {
        let flush = self.close_unsynced()?;
        flush.run()?;
        self.flushed(&flush, now);
        assert_eq!(flush.up_to, self.log_end_offset(), "nothing is appended to a closed log");
        Ok(flush.up_to)
    }

    /// As [`Log::close`], but what must be synced is left to the caller, who may do it for many logs at once.
    pub fn close_unsynced(&self) -> Result<Flush, Error> {
        let config = self.config.load();
        let mut writer = self.lock_writer()?;
        let finished = self.finish(&mut writer, &config);
        finished.map_err(|error| self.fail(&mut writer, error))?;
        let mut flush = self.flush_locked(&mut writer);
        flush.add_unopened(self.unflushed(&self.view.load()));
        self.set_offline();
        Ok(flush)
    }

    fn finish(&self, writer: &mut Writer, config: &LogConfig) -> Result<(), Error> {
        self.write_locked(writer, config)?;
        assert!(writer.pending.is_empty(), "a clean log lacks nothing that was appended");
        assert_eq!(writer.next_offset, self.log_end_offset(), "a clean log is read up to its last offset");
        // Where nothing was appended the files are as opening found or made them. An empty segment needs none: ten thousand
        // idle partitions would take a stop seconds for them, and Kafka makes them anew where they are missing.
        let is_empty = writer.active.size_bytes == 0;
        if writer.indexes_on_disk_to != Some(writer.next_offset) && !is_empty {
            let view = self.view.load_full();
            self.finish_active(writer, &view)?;
        }
        self.take_snapshot(writer)?;
        assert_eq!(writer.snapshot_offset, writer.next_offset, "the producers are those of the log's end");
        Ok(())
    }

    /// Takes the log's directory out of sight; the removal does the rest. `unique` distinguishes two deletions of the
    /// same name. Whoever reads at the moment still can.
    pub fn delete(&self, unique: [u8; 16]) -> Result<Removal, Error> {
        let _writer = self.writer.lock().map_err(|_| Error::Offline)?;
        self.set_offline();
        self.deleted.store(true, Ordering::Release);
        let name = names::deleted_directory(&self.identity.topic, self.identity.partition, unique);
        let aside = self.directory.with_file_name(name);
        self.disk.rename(&self.directory, &aside).map_err(Error::io("rename", &self.directory))?;
        Ok(Removal::of_directory(self.disk.clone(), aside))
    }
}
