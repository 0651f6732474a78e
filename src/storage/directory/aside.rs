//! Logs under other names than a partition's: copies that are to replace one, and deleted and stray ones.

use super::LogDirectory;
use crate::model::{Offset, PartitionIndex, TimestampMs};
use crate::storage::error::Error;
use crate::storage::log::{Checkpointed, Identity, Log, LogConfig};
use crate::storage::names::{self, DirectoryName};
use crate::storage::removal::Removal;
use std::path::{Path, PathBuf};

impl LogDirectory {
    /// Whether the name of a copy would be too long for a file system.
    pub fn cannot_move(topic: &str, partition: PartitionIndex) -> bool {
        names::is_too_long_to_move(topic, partition)
    }

    /// Where a new copy of a partition's log is to be made.
    pub fn future_path(&self, topic: &str, partition: PartitionIndex, unique: [u8; 16]) -> PathBuf {
        self.path.join(names::future_directory(topic, partition, unique))
    }

    /// Removes the copies of a partition's log that nobody wants any more. Blocks.
    pub fn remove_futures(&self, topic: &str, partition: PartitionIndex) -> Result<(), Error> {
        let entries = self.disk.list(&self.path).map_err(Error::io("list", &self.path))?;
        let unwanted = DirectoryName::Future { topic: topic.to_string(), partition };
        let unwanted = entries.into_iter().filter(|entry| names::parse_directory(&entry.name) == unwanted);
        unwanted.map(|entry| self.removal_of(self.path.join(entry.name))).try_for_each(|removal| removal.run())
    }

    /// Opens or makes a copy that is to replace a partition's log. One that is new begins at `start`. Blocks.
    pub fn open_future(
        &self,
        path: &Path,
        identity: Identity,
        config: LogConfig,
        start: Offset,
        now: TimestampMs,
    ) -> Result<Log, Error> {
        if self.is_offline() {
            return Err(Error::Offline);
        }
        // Whether its process ended in order is not known of it: what it has is read again.
        let checkpointed = Checkpointed { log_start_offset: start, ..Checkpointed::default() };
        let opened =
            Log::open_in(&self.health, self.disk.clone(), path.to_path_buf(), config, identity, checkpointed, now);
        opened.inspect_err(|failure| self.health.note(failure))
    }

    /// Gives a complete copy the partition's name, durably. Blocks.
    pub fn promote(&self, future: &Path, topic: &str, partition: PartitionIndex) -> Result<(), Error> {
        let path = self.path.join(names::partition_directory(topic, partition));
        let renamed = self.disk.rename(future, &path).map_err(Error::io("rename", future));
        renamed.inspect_err(|failure| self.health.note(failure))?;
        self.sync_names()
    }

    /// Takes a partition's directory out of sight that nobody has open, durably. Blocks.
    pub fn set_aside_deleted(
        &self,
        topic: &str,
        partition: PartitionIndex,
        unique: [u8; 16],
    ) -> Result<Removal, Error> {
        let from = self.path.join(names::partition_directory(topic, partition));
        let to = self.path.join(names::deleted_directory(topic, partition, unique));
        let renamed = self.disk.rename(&from, &to).map_err(Error::io("rename", &from));
        renamed.inspect_err(|failure| self.health.note(failure))?;
        self.forget(topic, partition);
        self.sync_names()?;
        Ok(Removal::of_directory(self.disk.clone(), to))
    }

    /// What is left of a copy that nobody wants.
    pub fn removal_of(&self, path: PathBuf) -> Removal {
        Removal::of_directory(self.disk.clone(), path)
    }

    /// Renames the directory of a partition that no topic claims, as Kafka does; its content stays for the operator.
    pub fn set_aside_stray(&self, topic: &str, partition: PartitionIndex, unique: [u8; 16]) -> Result<PathBuf, Error> {
        let from = self.path.join(names::partition_directory(topic, partition));
        let to = self.path.join(names::stray_directory(topic, partition, unique));
        let renamed = self.disk.rename(&from, &to).map_err(Error::io("rename", &from));
        renamed.inspect_err(|failure| self.health.note(failure))?;
        self.forget(topic, partition);
        Ok(to)
    }
}
