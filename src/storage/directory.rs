//! A log directory (`log.dirs`): its lock, its identity, its checkpoints, and the logs in it.
//!
//! The order at the start matters: lock, identity, then the clean-shutdown marker is read and removed for good before
//! anything is written, so that it never vouches for what came after it. At the end: logs closed, checkpoints, marker.
//! A directory that cannot be used is there all the same, offline ([`LogDirectory::unusable`]): people ask for it.

use super::checkpoint;
use super::error::Error;
use super::health::Health;
use super::log::{Checkpointed, Flush, Identity, Log, LogConfig, Removal};
use super::meta_properties::MetaProperties;
use super::names::{self, DirectoryName};
use crate::io::disk::{Disk, Lock, Open, Space};
use crate::model::{NodeId, Offset, PartitionIndex, TimestampMs, Uuid};
use log::warn;
use std::collections::{BTreeMap, BTreeSet};
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const LOCK_FILE: &str = ".lock";
const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const LOG_START_OFFSETS: &str = "log-start-offset-checkpoint";
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
const MAX_MARKER_BYTES: u64 = 4096;
/// From so many logs on that have something to be synced, the whole file system is: each log takes some seven syncs.
const SYNC_AT_ONCE_FROM: usize = 4;

/// A partition by name, as checkpoints and directories call it.
type Name = (String, PartitionIndex);
type Offsets = BTreeMap<Name, Offset>;

/// What the checkpoints keep of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionState {
    pub topic: String,
    pub partition: PartitionIndex,
    pub recovery_point: Offset,
    pub log_start_offset: Offset,
    pub high_watermark: Offset,
}

/// The files that keep an offset of each partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checkpoint {
    LogStartOffsets,
    RecoveryPoints,
    HighWatermarks,
}

impl Checkpoint {
    /// In the order in which they are written: a recovery point without its start offset would bring deleted records
    /// back.
    pub const ALL: [Checkpoint; 3] =
        [Checkpoint::LogStartOffsets, Checkpoint::RecoveryPoints, Checkpoint::HighWatermarks];

    fn file_name(self) -> &'static str {
        match self {
            Checkpoint::LogStartOffsets => LOG_START_OFFSETS,
            Checkpoint::RecoveryPoints => RECOVERY_POINTS,
            Checkpoint::HighWatermarks => HIGH_WATERMARKS,
        }
    }

    /// What follows where the file cannot be read.
    fn without(self) -> &'static str {
        match self {
            Checkpoint::LogStartOffsets => "every log begins with its first segment, deleted records may come back",
            Checkpoint::RecoveryPoints => "every log is read from its beginning",
            Checkpoint::HighWatermarks => "every log counts as committed up to its end",
        }
    }

    fn offset_of(self, state: &PartitionState) -> Offset {
        match self {
            Checkpoint::LogStartOffsets => state.log_start_offset,
            Checkpoint::RecoveryPoints => state.recovery_point,
            Checkpoint::HighWatermarks => state.high_watermark,
        }
    }
}

/// What one checkpoint file should say.
#[derive(Default)]
struct Kept {
    offsets: Offsets,
    /// The file says something else, so that an idle broker writes nothing.
    is_changed: bool,
}

#[derive(Default)]
struct Checkpoints {
    kept: [Kept; Checkpoint::ALL.len()],
    /// The files may name partitions that are gone.
    has_forgotten: bool,
}

impl Checkpoints {
    fn of(&self, which: Checkpoint) -> &Kept {
        &self.kept[which as usize]
    }

    fn retain(&mut self, keep: impl Fn(&Name) -> bool) {
        for kept in &mut self.kept {
            let before = kept.offsets.len();
            kept.offsets.retain(|name, _| keep(name));
            if kept.offsets.len() < before {
                kept.is_changed = true;
                self.has_forgotten = true;
            }
        }
    }

    fn note(&mut self, which: Checkpoint, state: &PartitionState) {
        let kept = &mut self.kept[which as usize];
        let offset = which.offset_of(state);
        let name = (state.topic.clone(), state.partition);
        kept.is_changed |= kept.offsets.insert(name, offset) != Some(offset);
    }

    /// The new content of the file, if it is another than before.
    fn take_changed(&mut self, which: Checkpoint) -> Option<String> {
        let kept = &mut self.kept[which as usize];
        if !std::mem::take(&mut kept.is_changed) {
            return None;
        }
        let is_told = |offset: Offset| which != Checkpoint::LogStartOffsets || offset.0 > 0;
        let lines = kept.offsets.iter().filter(|(_, offset)| is_told(**offset));
        let lines: Vec<_> = lines.map(|((topic, n), offset)| format!("{topic} {n} {offset}")).collect();
        Some(checkpoint::encode(lines.into_iter()))
    }
}

/// An open log directory, ours as long as this lives.
pub struct LogDirectory {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    meta: Option<MetaProperties>,
    clean: bool,
    clean_broker_epoch: Option<i64>,
    checkpoints: Mutex<Checkpoints>,
    /// Held while checkpoint files are written, so that an older content never replaces a newer one.
    writing: Mutex<()>,
    partitions: Vec<Name>,
    futures: Vec<(Name, PathBuf)>,
    unknown: Vec<String>,
    leftovers: Vec<Removal>,
    /// Logs that could not be opened, so nobody knows whether they are in order.
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
        let (clean, clean_broker_epoch) = take_clean_marker(&*disk, &path)?;
        // A damaged checkpoint is no reason to stop: recovery then reads more than it would have to.
        let read = |which: Checkpoint| match read_offsets(&*disk, &path.join(which.file_name())) {
            Ok(offsets) => Kept { offsets, is_changed: false },
            Err(failure) => {
                warn!("{failure}: {}", which.without());
                Kept { is_changed: true, ..Kept::default() }
            }
        };
        let health = Arc::new(Health::new(disk.clone(), &path));
        let mut directory = LogDirectory {
            checkpoints: Mutex::new(Checkpoints { kept: Checkpoint::ALL.map(read), has_forgotten: false }),
            writing: Mutex::default(),
            disk,
            path,
            meta,
            clean,
            clean_broker_epoch,
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
            clean_broker_epoch: None,
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

    /// Of the file system that the directory is on.
    pub fn space(&self) -> Result<Space, Error> {
        self.disk.space(&self.path).map_err(Error::io("ask for the space of", &self.path))
    }

    /// As [`LogDirectory::space`], of a directory that is still in use.
    pub fn space_if_online(&self) -> Result<Space, Error> {
        if self.is_offline() { Err(Error::Offline) } else { self.space() }
    }

    pub fn holds(&self, log: &Log) -> bool {
        log.directory().parent() == Some(&self.path)
    }

    /// Whose directory it is; `None` if nobody has formatted it.
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

    /// The broker epoch that it had then, for the next registration (KIP-966).
    pub fn clean_broker_epoch(&self) -> Option<i64> {
        self.clean_broker_epoch
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

    /// What deletions left behind that the last process did not finish. To be run by somebody who may block.
    pub fn take_leftovers(&mut self) -> Vec<Removal> {
        std::mem::take(&mut self.leftovers)
    }

    /// What the checkpoints say of a partition. One that was not here at the start has nothing to be recovered.
    fn checkpointed(&self, identity: &Identity) -> Checkpointed {
        let name = (identity.topic.clone(), identity.partition);
        let clean = self.clean && self.partitions.binary_search(&name).is_ok();
        let checkpoints = self.checkpoints();
        let of = |which| checkpoints.of(which).offsets.get(&name).copied().unwrap_or_default();
        let (log_start_offset, recovery_point) = (of(Checkpoint::LogStartOffsets), of(Checkpoint::RecoveryPoints));
        Checkpointed { log_start_offset, recovery_point, clean }
    }

    /// The high watermark as it was last written down.
    pub fn high_watermark(&self, topic: &str, partition: PartitionIndex) -> Option<Offset> {
        let name = (topic.to_string(), partition);
        self.checkpoints().of(Checkpoint::HighWatermarks).offsets.get(&name).copied()
    }

    /// Opens or makes one partition's log. Blocks.
    pub fn open_log(&self, identity: Identity, config: LogConfig, now: TimestampMs) -> Result<Log, Error> {
        if self.is_offline() {
            return Err(Error::Offline);
        }
        if self.checkpoints().has_forgotten {
            // The new log may bear the name of one that is gone but still stands in the files.
            self.checkpoint(&Checkpoint::ALL, [])?;
        }
        let directory = self.path.join(names::partition_directory(&identity.topic, identity.partition));
        let checkpointed = self.checkpointed(&identity);
        let name = (identity.topic.clone(), identity.partition);
        let opened = Log::open_in(&self.health, self.disk.clone(), directory, config, identity, checkpointed, now);
        let mut unopened = self.unopened.lock().unwrap_or_else(PoisonError::into_inner);
        match &opened {
            Ok(log) => {
                log.tell_loss();
                unopened.remove(&name);
            }
            Err(failure) => {
                unopened.insert(name);
                self.health.note(failure);
            }
        }
        opened
    }

    /// Copies that were not in their place yet when the last process ended. They are the caller's from now on.
    pub fn take_futures(&mut self) -> Vec<((String, PartitionIndex), PathBuf)> {
        std::mem::take(&mut self.futures)
    }

    /// Whether the name of a copy would be too long for a file system.
    pub fn cannot_move(topic: &str, partition: PartitionIndex) -> bool {
        names::is_too_long_to_move(topic, partition)
    }

    /// Opens a log that was closed in order a moment ago, with these offsets of its start and its end. Blocks.
    pub fn open_closed_log(
        &self,
        identity: Identity,
        config: LogConfig,
        (log_start_offset, recovery_point): (Offset, Offset),
        now: TimestampMs,
    ) -> Result<Log, Error> {
        let directory = self.path.join(names::partition_directory(&identity.topic, identity.partition));
        let checkpointed = Checkpointed { log_start_offset, recovery_point, clean: true };
        let opened = Log::open_in(&self.health, self.disk.clone(), directory, config, identity, checkpointed, now);
        opened.inspect(Log::tell_loss).inspect_err(|failure| self.health.note(failure))
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

    /// Makes the names in the directory durable. Blocks.
    pub fn sync_names(&self) -> Result<(), Error> {
        let synced = self.disk.sync_directory(&self.path).map_err(Error::io("sync", &self.path));
        synced.inspect_err(|failure| self.health.fail(failure))
    }

    /// What is left of a copy that nobody wants.
    pub fn removal_of(&self, path: PathBuf) -> Removal {
        Removal::of_directory(self.disk.clone(), path)
    }

    /// Opens many logs on so many threads at once; the answers in the same order, each for itself. `progress` is called
    /// after each. Blocks.
    pub fn open_logs(
        &self,
        wanted: &[(Identity, LogConfig)],
        threads: usize,
        now: TimestampMs,
        progress: &(dyn Fn() + Sync),
    ) -> Vec<Result<Log, Error>> {
        let open = |at: usize| {
            let opened = self.open_log(wanted[at].0.clone(), wanted[at].1.clone(), now);
            progress();
            opened
        };
        if threads <= 1 || wanted.len() <= 1 {
            return (0..wanted.len()).map(open).collect();
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut opened = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= wanted.len() {
                    return opened;
                }
                opened.push((at, open(at)));
            }
        };
        let mut all: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads.min(wanted.len())).map(|_| scope.spawn(work)).collect();
            // A panic there is a bug of ours and goes on here.
            running
                .into_iter()
                .flat_map(|thread| thread.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
                .collect()
        });
        all.sort_unstable_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, result)| result).collect()
    }

    /// Closes logs of this directory, for a stop: many are synced with one call. The answers in the same order. Blocks.
    pub fn close_logs(&self, logs: &[&Log], now: TimestampMs) -> Vec<Result<Offset, Error>> {
        let closed: Vec<_> = logs.iter().map(|log| log.close_unsynced()).collect();
        let unsynced = closed.iter().flatten().filter(|flush| !flush.is_empty()).count();
        let at_once = unsynced >= SYNC_AT_ONCE_FROM && self.disk.sync_file_system(&self.path).is_ok();
        let finish = |(log, closed): (&&Log, Result<Flush, Error>)| {
            let flush = closed?;
            if !at_once {
                flush.run()?;
            }
            log.flushed(&flush, now);
            Ok(flush.up_to)
        };
        logs.iter().zip(closed).map(finish).collect()
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

    /// Drops a deleted partition from the checkpoints; they are written before the next log is made.
    pub fn forget(&self, topic: &str, partition: PartitionIndex) {
        self.checkpoints().retain(|(t, p)| (t.as_str(), *p) != (topic, partition));
    }

    /// Writes these checkpoints, where they say something new. Partitions that are not named keep what was known of them;
    /// `states` is looked at when no partition can be forgotten at the same time. Blocks.
    pub fn checkpoint(
        &self,
        which: &[Checkpoint],
        states: impl IntoIterator<Item = PartitionState>,
    ) -> Result<(), Error> {
        if self.is_offline() {
            return Err(Error::Offline);
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut checkpoints = self.checkpoints();
        for state in states {
            which.iter().for_each(|which| checkpoints.note(*which, &state));
        }
        let has_forgotten = std::mem::take(&mut checkpoints.has_forgotten);
        drop(checkpoints);
        // A partition that is gone leaves all the files.
        for which in Checkpoint::ALL.iter().filter(|some| has_forgotten || which.contains(some)) {
            let Some(text) = self.checkpoints().take_changed(*which) else { continue };
            let path = self.path.join(which.file_name());
            self.disk.replace(&path, text.as_bytes()).map_err(|failure| {
                let mut checkpoints = self.checkpoints();
                checkpoints.kept[*which as usize].is_changed = true;
                checkpoints.has_forgotten |= has_forgotten;
                let failure = Error::io("write", &path)(failure);
                self.health.note(&failure);
                failure
            })?;
        }
        self.health.note_written();
        Ok(())
    }

    /// Says that all logs were closed and checkpointed. The last thing to be written. Blocks.
    pub fn mark_clean(&self, broker_epoch: i64) -> Result<(), Error> {
        let path = self.path.join(CLEAN_SHUTDOWN_FILE);
        if !self.unopened.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            let why = "is not marked as clean, because a log in it could not be opened".to_string();
            return Err(Error::Unusable { path: self.path.clone(), why });
        }
        let content = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
        let write = || {
            let file = self.disk.open(&path, Open::Create)?;
            file.set_size(0)?;
            file.write_at(&[IoSlice::new(content.as_bytes())], 0)?;
            file.sync_data()?;
            self.disk.sync_directory(&self.path)
        };
        write().map_err(Error::io("write", &path))
    }

    fn checkpoints(&self) -> MutexGuard<'_, Checkpoints> {
        // A map of offsets is whole at every step: poisoned or not, it can be used.
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Reads and removes the marker: whether it was there, and the broker epoch in it.
fn take_clean_marker(disk: &dyn Disk, directory: &Path) -> Result<(bool, Option<i64>), Error> {
    let path = directory.join(CLEAN_SHUTDOWN_FILE);
    let content = match disk.read_small(&path, MAX_MARKER_BYTES) {
        Ok(content) => content,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((false, None)),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    disk.remove_file(&path).map_err(Error::io("remove", &path))?;
    disk.sync_directory(directory).map_err(Error::io("sync", directory))?;
    Ok((true, broker_epoch(&String::from_utf8_lossy(&content))))
}

/// The one number wanted out of `{"version":0,"brokerEpoch":N}`; older brokers wrote an empty file.
fn broker_epoch(json: &str) -> Option<i64> {
    let (_, rest) = json.split_once("\"brokerEpoch\"")?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = value.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(value.len());
    value[..end].parse().ok()
}

fn read_offsets(disk: &dyn Disk, path: &Path) -> Result<Offsets, Error> {
    let entry = |words: &[&str]| match words {
        [topic, partition, offset] => {
            let name = (topic.to_string(), PartitionIndex(partition.parse().ok()?));
            Some((name, Offset(offset.parse().ok().filter(|offset| *offset >= 0)?)))
        }
        _ => None,
    };
    Ok(checkpoint::read(disk, path, entry)?.unwrap_or_default().into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::simulated_disk::{Crash, SimulatedDisk};
    use crate::storage::testing::{self, NOW};

    const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

    fn directory(disk: &SimulatedDisk) -> LogDirectory {
        LogDirectory::open(Arc::new(disk.clone()), "/data".into()).unwrap()
    }

    fn identity(partition: i32) -> Identity {
        Identity { partition: PartitionIndex(partition), ..testing::identity() }
    }

    fn state(log: &Log) -> PartitionState {
        PartitionState {
            topic: log.identity().topic.clone(),
            partition: log.identity().partition,
            recovery_point: log.recovery_point(),
            log_start_offset: log.log_start_offset(),
            high_watermark: log.log_end_offset(),
        }
    }

    #[test]
    fn one_process_one_cluster_one_node() {
        let disk = SimulatedDisk::default();
        let mut ours = directory(&disk);
        let again = LogDirectory::open(Arc::new(disk.clone()), "/data".into());
        assert!(matches!(again, Err(Error::NotOurs { .. })));
        assert_eq!(ours.meta(), None);
        let id = ours.claim(CLUSTER, NodeId(1), Uuid([5; 16])).unwrap();
        drop(ours);
        let mut ours = directory(&disk);
        assert_eq!(ours.claim(CLUSTER, NodeId(1), Uuid([6; 16])).unwrap(), id);
        assert!(matches!(ours.claim("other", NodeId(1), id), Err(Error::NotOurs { .. })));
        assert!(matches!(ours.claim(CLUSTER, NodeId(2), id), Err(Error::NotOurs { .. })));
    }

    #[test]
    fn logs_come_back_as_they_were_left() {
        let disk = SimulatedDisk::default();
        let ours = directory(&disk);
        let wanted: Vec<_> = (0..20).map(|n| (identity(n), LogConfig::default())).collect();
        let logs: Vec<_> = ours.open_logs(&wanted, 4, NOW, &|| ()).into_iter().map(Result::unwrap).collect();
        for (n, log) in logs.iter().enumerate() {
            for _ in 0..n {
                testing::put(log, &testing::batch(&[1, 2], 10, None));
            }
            log.delete_records_before(Offset(n as i64 / 2)).unwrap();
        }
        let ends = ours.close_logs(&logs.iter().collect::<Vec<_>>(), NOW);
        assert!(ends.iter().enumerate().all(|(n, end)| end.as_ref().is_ok_and(|end| end.0 == 2 * n as i64)));
        ours.checkpoint(&Checkpoint::ALL, logs.iter().map(state)).unwrap();
        ours.mark_clean(77).unwrap();
        drop((ours, logs));
        disk.crash(Crash::Power);
        let ours = directory(&disk);
        assert_eq!((ours.was_clean_shutdown(), ours.clean_broker_epoch()), (true, Some(77)));
        assert_eq!(ours.partitions().len(), 20);
        for (n, log) in ours.open_logs(&wanted, 3, NOW, &|| ()).into_iter().map(Result::unwrap).enumerate() {
            assert_eq!(log.identity().partition.0, n as i32);
            let expected = (Offset(n as i64 / 2), Offset(2 * n as i64));
            assert_eq!((log.log_start_offset(), log.log_end_offset()), expected);
            assert_eq!(ours.high_watermark("t", PartitionIndex(n as i32)), Some(expected.1));
        }
        drop(ours);
        assert!(!directory(&disk).was_clean_shutdown(), "the marker counts once");
    }

    #[test]
    fn one_bad_log_does_not_keep_the_others_closed() {
        let disk = SimulatedDisk::default();
        let ours = directory(&disk);
        drop(ours.open_log(identity(1), LogConfig::default(), NOW).unwrap());
        let mut wanted: Vec<_> = (0..3).map(|n| (identity(n), LogConfig::default())).collect();
        wanted[1].0.topic_id = Uuid([1; 16]);
        let opened: Vec<_> = ours.open_logs(&wanted, 2, NOW, &|| ()).iter().map(Result::is_ok).collect();
        assert_eq!(opened, [true, false, true]);
        assert!(ours.mark_clean(1).is_err(), "the next start must look at what this one could not");
    }

    #[test]
    fn leftovers_strays_and_damaged_checkpoints() {
        let disk = SimulatedDisk::default();
        let ours = directory(&disk);
        let log = ours.open_log(identity(0), LogConfig::default(), NOW).unwrap();
        drop(ours.open_log(identity(1), LogConfig::default(), NOW).unwrap());
        ours.checkpoint(&Checkpoint::ALL, [state(&log)]).unwrap();
        drop(log.delete([3; 16]).unwrap());
        disk.create_directories(Path::new("/data/remote")).unwrap();
        ours.set_aside_stray("t", PartitionIndex(1), [4; 16]).unwrap();
        disk.replace(Path::new("/data/recovery-point-offset-checkpoint"), b"7\n").unwrap();
        drop(ours);
        let mut ours = directory(&disk);
        assert!(ours.partitions().is_empty());
        assert_eq!(ours.unknown_directories(), ["remote"]);
        let leftovers = ours.take_leftovers();
        assert_eq!(leftovers.len(), 1);
        leftovers.iter().for_each(|leftover| leftover.run().unwrap());
        assert_eq!(disk.list(Path::new("/data")).unwrap().iter().filter(|e| e.is_directory).count(), 2);
    }

    #[test]
    fn nothing_of_a_deleted_partition_is_believed_of_its_successor() {
        for restart in [false, true] {
            let disk = SimulatedDisk::default();
            let mut ours = directory(&disk);
            let log = ours.open_log(identity(0), LogConfig::default(), NOW).unwrap();
            for _ in 0..9 {
                testing::put(&log, &testing::batch(&[1], 10, None));
            }
            log.delete_records_before(Offset(5)).unwrap();
            ours.checkpoint(&Checkpoint::ALL, [state(&log)]).unwrap();
            drop(log.delete([3; 16]).unwrap());
            if restart {
                drop(ours);
                ours = directory(&disk);
            } else {
                ours.forget("t", PartitionIndex(0));
            }
            let log = ours.open_log(identity(0), LogConfig::default(), NOW).unwrap();
            testing::put(&log, &testing::batch(&[1], 10, None));
            drop((log, ours));
            let log = directory(&disk).open_log(identity(0), LogConfig::default(), NOW).unwrap();
            assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(0), Offset(1)));
        }
    }

    #[test]
    fn checkpoints_are_written_where_they_say_something_new() {
        let disk = SimulatedDisk::default();
        let ours = directory(&disk);
        let log = ours.open_log(identity(0), LogConfig::default(), NOW).unwrap();
        testing::put(&log, &testing::batch(&[1], 10, None));
        let syncs = || disk.writes_and_syncs().1;
        ours.checkpoint(&[Checkpoint::HighWatermarks], [state(&log)]).unwrap();
        assert!(disk.exists(Path::new("/data/replication-offset-checkpoint")));
        assert!(!disk.exists(Path::new("/data/recovery-point-offset-checkpoint")));
        let before = syncs();
        ours.checkpoint(&[Checkpoint::HighWatermarks], [state(&log)]).unwrap();
        assert_eq!(syncs(), before, "nothing is new");
        disk.limit_space(Some(0));
        let moved = PartitionState { high_watermark: Offset(7), ..state(&log) };
        assert!(ours.checkpoint(&[Checkpoint::HighWatermarks], [moved]).is_err());
        disk.limit_space(None);
        ours.checkpoint(&[Checkpoint::HighWatermarks], []).unwrap();
        drop((log, ours));
        assert_eq!(
            directory(&disk).high_watermark("t", PartitionIndex(0)),
            Some(Offset(7)),
            "what failed is made up for"
        );
    }

    #[test]
    fn a_disk_that_fails_takes_all_logs_of_its_directory_along_and_those_of_no_other() {
        let disk = SimulatedDisk::default();
        let (ours, other) = (directory(&disk), LogDirectory::open(Arc::new(disk.clone()), "/other".into()).unwrap());
        let log = |directory: &LogDirectory, n| directory.open_log(identity(n), LogConfig::default(), NOW).unwrap();
        let (first, second, elsewhere) = (log(&ours, 0), log(&ours, 1), log(&other, 2));
        for log in [&first, &second, &elsewhere] {
            testing::put(log, &testing::batch(&[1], 10, None));
        }
        disk.fail_syncs(true);
        let flush = first.flush().unwrap();
        first.fail_sync(&flush.run().unwrap_err().to_string());
        disk.fail_syncs(false);
        assert!(ours.is_offline() && first.is_offline() && second.is_offline());
        assert!(matches!(second.flush(), Err(Error::Offline)), "never tried again");
        assert!(matches!(ours.checkpoint(&Checkpoint::ALL, [state(&second)]), Err(Error::Offline)));
        assert!(ours.open_log(identity(3), LogConfig::default(), NOW).is_err());
        assert_eq!(testing::read_all(&second).len(), 1, "what was published can be read");
        testing::put(&elsewhere, &testing::batch(&[1], 10, None));
        let unusable = LogDirectory::unusable(Arc::new(disk), "/gone".into(), &Error::Offline);
        assert!(unusable.is_offline() && unusable.partitions().is_empty());
    }

    #[test]
    fn a_damaged_log_does_not_take_its_directory_offline() {
        let disk = SimulatedDisk::default();
        let ours = directory(&disk);
        drop(ours.open_log(identity(0), LogConfig::default(), NOW).unwrap());
        disk.replace(Path::new("/data/t-0/partition.metadata"), &[b' '; 5000]).unwrap();
        assert!(matches!(ours.open_log(identity(0), LogConfig::default(), NOW), Err(Error::Unusable { .. })));
        assert!(!ours.is_offline(), "the disk has done nothing wrong");
        assert!(ours.open_log(identity(1), LogConfig::default(), NOW).is_ok());
    }

    #[test]
    fn the_markers_epoch_is_found() {
        assert_eq!(broker_epoch("{\"version\":0,\"brokerEpoch\":12}"), Some(12));
        assert_eq!(broker_epoch("{ \"brokerEpoch\" : -1 }"), Some(-1));
        assert_eq!(broker_epoch(""), None);
        assert_eq!(broker_epoch("{\"brokerEpoch\":null}"), None);
    }
}
