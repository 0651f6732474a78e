//! The partitions of this broker on its log directories: opened at the start, made and removed as the image says,
//! closed at the end.
//!
//! Belongs to the metadata thread; the checkpoints of its directories are also written by the housekeeping thread. A
//! partition that cannot be opened is left out with a log line: it answers
//! KAFKA_STORAGE_ERROR, and the others serve. So do all partitions of a directory that cannot be used or is not there: a
//! partition whose log is nowhere to be found begins anew only where the metadata does not put it into such a directory.

pub mod cleaning;
mod close;
pub mod doors;
mod follow;
pub mod formatted;
pub mod futures;
pub mod housekeeping;
pub mod kerberos;
mod moving;
mod open;
mod place;
mod slots;
pub mod token_keys;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Settings, TopicConfig};
use crate::metadata::Image;
use crate::model::{PartitionIndex, TopicId, Uuid};
use crate::replica::topic_settings;
use crate::storage::directory::LogDirectory;
use crate::storage::log::LogConfig;
use futures::FoundFuture;

/// The log directories, and which partition's log is in which.
pub struct Hosting {
    config: Config,
    cluster_id: String,
    directories: Arc<[LogDirectory]>,
    /// `None` of those that cannot be used.
    directory_ids: Vec<Option<Uuid>>,
    /// The directory of the metadata log, where it is none of the log directories (`metadata.log.dir`).
    metadata_apart: Option<LogDirectory>,
    /// Topics with partitions that could not be opened for want of room.
    lacking_room: BTreeSet<TopicId>,
    /// Where partitions are to be made that are not there yet (`LogManager.preferredLogDirs`).
    preferred: BTreeMap<(String, i32), usize>,
    /// Copies to which no thread copies: see there.
    futures: Vec<FoundFuture>,
    /// Partitions that are not where they were listed at the start.
    not_as_listed: BTreeSet<(String, PartitionIndex)>,
    next_number: u64,
}

impl Hosting {
    pub fn directories(&self) -> &Arc<[LogDirectory]> {
        &self.directories
    }

    /// Where the metadata log is.
    pub fn metadata_directory(&self) -> &LogDirectory {
        let here = self.config.log_dirs.iter().position(|path| *path == self.config.metadata_log_dir);
        self.metadata_apart.as_ref().unwrap_or(&self.directories[here.unwrap_or(0)])
    }

    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The identifiers of the directories that can be used.
    pub fn directory_ids(&self) -> Vec<Uuid> {
        let all = self.directories.iter().zip(&self.directory_ids);
        all.filter_map(|(directory, id)| id.filter(|_| !directory.is_offline())).collect()
    }

    /// The topics to look at again now that a directory may have room.
    pub fn take_lacking_room(&mut self) -> BTreeSet<TopicId> {
        let some_full = self.directories.iter().any(|directory| directory.health().is_full());
        if some_full { BTreeSet::new() } else { std::mem::take(&mut self.lacking_room) }
    }

    /// Why the broker cannot go on, if it cannot (`ReplicaManager.handleLogDirFailure`).
    pub fn why_all_is_lost(&self) -> Option<String> {
        let metadata = self.metadata_directory();
        if metadata.is_offline() {
            return Some(format!("the directory of the metadata log, {}, has failed", metadata.path().display()));
        }
        let all = self.directories.iter().all(LogDirectory::is_offline);
        all.then(|| format!("all log directories have failed: {}", self.config.log_dirs.join(", ")))
    }

    pub fn was_clean_shutdown(&self) -> bool {
        self.directories.iter().all(LogDirectory::was_clean_shutdown)
    }

    fn settings<'a>(&'a self, image: &'a Image) -> Settings<'a> {
        self.config.settings(image.default_broker_configs(), image.broker_configs(self.config.node_id))
    }

    /// How long the files of a deleted topic stay.
    pub fn delete_delay(&self, image: &Image) -> Duration {
        slots::delete_delay(&TopicConfig::resolve(&self.settings(image), &BTreeMap::new()))
    }

    fn log_config_of(&self, image: &Image, topic: &str) -> LogConfig {
        self.log_config(image, &self.topic_config(image, topic))
    }

    fn topic_config(&self, image: &Image, topic: &str) -> TopicConfig {
        TopicConfig::resolve(&self.settings(image), image.topic_configs(topic))
    }

    fn log_config(&self, image: &Image, topic: &TopicConfig) -> LogConfig {
        topic_settings::log_config(topic, &self.settings(image))
    }
}
