//! A log directory (`log.dirs`): its lock, its identity, its checkpoints, and the logs in it.
//!
//! The order at the start matters: lock, identity, then the clean-shutdown marker is read and removed for good before
//! anything is written, so that it never vouches for what came after it. At the end: logs closed, checkpoints, marker.
//! A directory that cannot be used is there all the same, offline ([`LogDirectory::unusable`]): people ask for it.

mod aside;
mod checkpoints;
mod logs;
mod marker;
#[cfg(test)]
mod tests;

use self::checkpoints::Checkpoints;
pub use self::checkpoints::{Checkpoint, PartitionState};
use super::error::Error;
use super::health::Health;
use super::log::{Log, Removal};
use super::meta_properties::MetaProperties;
use super::names::{self, DirectoryName};
use crate::io::disk::{Disk, Lock, Space};
use crate::model::{NodeId, PartitionIndex, Uuid};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Who holds it has the directory, as with Kafka.
pub(crate) const LOCK_FILE: &str = ".lock";

/// A partition by name, as checkpoints and directories call it.
type Name = (String, PartitionIndex);

/// An open log directory, ours as long as this lives.
pub struct LogDirectory {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    meta: Option<MetaProperties>,
    clean: bool,
    checkpoints: Mutex<Checkpoints>,
    /// Held while checkpoint files are written, so that an older content never replaces a newer one.
    writing: Mutex<()>,
    partitions: Vec<Name>,
    futures: Vec<(Name, PathBuf)>,
    unknown: Vec<String>,
    leftovers: Vec<Removal>,
    /// Logs that could not be opened, so that it is not known whether they are in order.
    unopened: Mutex<BTreeSet<Name>>,
    health: Arc<Health>,
    /// `None` only of a directory that cannot be used.
    _lock: Option<Box<dyn Lock>>,
}

impl LogDirectory {
    /// Makes the directory if it is missing, takes its lock, and reads what is in it; opens no log yet. Blocks.
    pub fn open(disk: Arc<dyn Disk>, path: PathBuf) -> Result<LogDirectory, Error> {
        create_durably(&*disk, &path)?;
        let lock = disk.lock(&path.join(LOCK_FILE)).map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => {
                Error::NotOurs { path: path.clone(), why: "another process uses this log directory".into() }
            }
            _ => Error::io("lock", &path.join(LOCK_FILE))(error),
        })?;
        let meta = MetaProperties::read(&*disk, &path)?;
        let clean = marker::take(&*disk, &path)?;
        let health = Arc::new(Health::new(disk.clone(), &path));
        let mut directory = LogDirectory {
            checkpoints: Mutex::new(Checkpoints::read(&*disk, &path)),
            writing: Mutex::default(),
            disk,
            path,
            meta,
            clean,
            partitions: Vec::new(),
            futures: Vec::new(),
            unknown: Vec::new(),
            leftovers: Vec::new(),
            unopened: Mutex::default(),
            health,
            _lock: Some(lock),
        };
        directory.list()?;
        Ok(directory)
    }

    /// One that could not be opened: nothing is known of it but its path.
    pub fn unusable(disk: Arc<dyn Disk>, path: PathBuf, why: &Error) -> LogDirectory {
        let health = Arc::new(Health::new(disk.clone(), &path));
        health.fail(why);
        LogDirectory {
            checkpoints: Mutex::default(),
            writing: Mutex::default(),
            disk,
            path,
            meta: None,
            clean: true,
            partitions: Vec::new(),
            futures: Vec::new(),
            unknown: Vec::new(),
            leftovers: Vec::new(),
            unopened: Mutex::default(),
            health,
            _lock: None,
        }
    }

    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    pub fn is_offline(&self) -> bool {
        self.health.is_offline()
    }

    fn list(&mut self) -> Result<(), Error> {
        let entries = self.disk.list(&self.path).map_err(Error::io("list", &self.path))?;
        for entry in entries.into_iter().filter(|entry| entry.is_directory) {
            match names::parse_directory(&entry.name) {
                DirectoryName::Partition { topic, partition } => self.partitions.push((topic, partition)),
                DirectoryName::Deleted => {
                    self.leftovers.push(Removal::of_directory(self.disk.clone(), self.path.join(entry.name)));
                }
                DirectoryName::Future { topic, partition } => {
                    self.futures.push(((topic, partition), self.path.join(entry.name)));
                }
                DirectoryName::Aside => {}
                DirectoryName::Unknown => self.unknown.push(entry.name),
            }
        }
        self.partitions.sort_unstable();
        // What is written of a deleted partition must not be believed of a later one of the same name.
        let present = &self.partitions;
        let checkpoints = self.checkpoints.get_mut().unwrap_or_else(PoisonError::into_inner);
        checkpoints.retain(|name| present.binary_search(name).is_ok());
        Ok(())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn absolute_path(&self) -> PathBuf {
        self.disk.absolute(&self.path)
    }

    /// The space on the file system that the directory is on.
    pub fn space(&self) -> Result<Space, Error> {
        self.disk.space(&self.path).map_err(Error::io("ask for the space of", &self.path))
    }

    /// The same of a directory that is still in use.
    pub fn space_if_online(&self) -> Result<Space, Error> {
        if self.is_offline() { Err(Error::Offline) } else { self.space() }
    }

    pub fn holds(&self, log: &Log) -> bool {
        log.directory().parent() == Some(&self.path)
    }

    /// Whose directory it is; `None` if it is not formatted.
    pub fn meta(&self) -> Option<&MetaProperties> {
        self.meta.as_ref()
    }

    /// Makes the directory this node's, or checks that it is: the same cluster, the same node. A directory that has no
    /// identifier yet gets `new_id`. Blocks.
    pub fn claim(&mut self, cluster_id: &str, node_id: NodeId, new_id: Uuid) -> Result<Uuid, Error> {
        let refuse = |why: String| Err(Error::NotOurs { path: self.path.clone(), why });
        if let Some(meta) = &self.meta {
            if meta.cluster_id != cluster_id {
                return refuse(format!("belongs to the cluster {}, not to {cluster_id}", meta.cluster_id));
            }
            if meta.node_id != node_id {
                return refuse(format!("belongs to the node {}, but node.id is {node_id}", meta.node_id));
            }
            if let Some(id) = meta.directory_id {
                return Ok(id);
            }
        }
        let meta = MetaProperties { cluster_id: cluster_id.into(), node_id, directory_id: Some(new_id) };
        meta.write(&*self.disk, &self.path)?;
        self.meta = Some(meta);
        Ok(new_id)
    }

    /// Whether the broker that had the directory before stopped in order.
    pub fn was_clean_shutdown(&self) -> bool {
        self.clean
    }

    /// The partitions that have a directory here, in order.
    pub fn partitions(&self) -> &[(String, PartitionIndex)] {
        &self.partitions
    }

    /// Whether a partition has a directory here now.
    pub fn has_partition(&self, topic: &str, partition: PartitionIndex) -> bool {
        self.disk.exists(&self.path.join(names::partition_directory(topic, partition)))
    }

    /// Directories that belong to no partition. They do no harm here, but Apache Kafka would not start with them.
    pub fn unknown_directories(&self) -> &[String] {
        &self.unknown
    }

    /// What deletions left behind that the last process did not finish. To be run on a thread that may block.
    pub fn take_leftovers(&mut self) -> Vec<Removal> {
        std::mem::take(&mut self.leftovers)
    }

    /// Copies that were not in their place yet when the last process ended. They are the caller's from now on.
    pub fn take_futures(&mut self) -> Vec<((String, PartitionIndex), PathBuf)> {
        std::mem::take(&mut self.futures)
    }

    /// Makes the names in the directory durable. Blocks.
    pub fn sync_names(&self) -> Result<(), Error> {
        let synced = self.disk.sync_directory(&self.path).map_err(Error::io("sync", &self.path));
        synced.inspect_err(|failure| self.health.fail(failure))
    }
}

/// Makes a directory so that its name, and those of the directories above it that are new, survive a loss of power.
fn create_durably(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let missing: Vec<_> = path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !disk.exists(p)).collect();
    disk.create_directories(path).map_err(Error::io("create", path))?;
    missing.iter().try_for_each(|new| {
        let parent = new.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        disk.sync_directory(parent).map_err(Error::io("sync", parent))
    })
}
