//! The partitions of this broker on its log directories: opened at the start, made and removed as the image says,
//! closed at the end.
//!
//! Belongs to the metadata thread; the checkpoints of its directories are also written by the housekeeping thread. A
//! partition that cannot be opened is left out with a log line: it answers
//! KAFKA_STORAGE_ERROR, and the others serve. So do all partitions of a directory that cannot be used or is not there: a
//! partition whose log is nowhere to be found begins anew only where the metadata does not put it into such a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use log::{error, info, warn};

use crate::config::{Config, Settings, TopicConfig};
use crate::io::disk::Disk;
use crate::metadata::{self, Image, Topic};
use crate::model::{LeaderEpoch, NodeId, PartitionIndex, TimestampMs, TopicId, Uuid};
use crate::replication::controller::Surroundings;
use crate::replication::metadata_log;
use crate::replication::moving::FoundFuture;
use crate::replication::partition::Partition;
use crate::replication::topic_settings;
use crate::replication::view::{Hosted, View};
use crate::storage::Error;
use crate::storage::directory::{Checkpoint, LogDirectory, PartitionState};
use crate::storage::log::{Identity, Log, LogConfig, Removal};

/// How often a long recovery says how far it is.
const PROGRESS_MS: i64 = 5_000;

/// A partition of a topic, by number.
pub type Slot = (TopicId, i32);

/// See the module.
pub struct Hosting {
    pub(super) config: Config,
    cluster_id: String,
    pub(super) directories: Arc<[LogDirectory]>,
    /// `None` of those that cannot be used.
    pub(super) directory_ids: Vec<Option<Uuid>>,
    /// The directory of the metadata log, where it is none of the log directories (`metadata.log.dir`).
    metadata_apart: Option<LogDirectory>,
    /// Topics with partitions that could not be opened for want of room.
    pub(super) lacking_room: BTreeSet<TopicId>,
    /// Where partitions are to be made that are not there yet (`LogManager.preferredLogDirs`).
    pub(super) preferred: BTreeMap<(String, i32), usize>,
    /// Copies that nobody copies to: see there.
    pub(super) futures: Vec<FoundFuture>,
    /// Partitions that are not where they were listed at the start.
    pub(super) not_as_listed: BTreeSet<(String, PartitionIndex)>,
    next_number: u64,
}

impl Hosting {
    /// Locks the log directories and makes them this node's. `cluster_id` is for directories that have none. Blocks.
    pub fn open(
        disk: Arc<dyn Disk>,
        config: &Config,
        cluster_id: &str,
        random: fn() -> [u8; 16],
    ) -> Result<Hosting, Error> {
        let open = |path: &String| LogDirectory::open(disk.clone(), PathBuf::from(path));
        let open_if_usable = |path: &String| match open(path) {
            Err(failure) if failure.is_io() && *path != config.metadata_log_dir => {
                Ok(LogDirectory::unusable(disk.clone(), PathBuf::from(path), &failure))
            }
            opened => opened,
        };
        let mut directories = config.log_dirs.iter().map(open_if_usable).collect::<Result<Vec<_>, _>>()?;
        let apart = Some(&config.metadata_log_dir).filter(|path| !config.log_dirs.contains(path));
        let mut metadata_apart = apart.map(open).transpose()?;
        let known = metadata_apart.iter().chain(&directories).find_map(|directory| directory.meta());
        let cluster_id = known.map_or_else(|| cluster_id.to_string(), |meta| meta.cluster_id.clone());
        let node_id = NodeId(config.node_id);
        let claim = |d: &mut LogDirectory| d.claim(&cluster_id, node_id, Uuid::from_random_bytes(random()));
        let mut directory_ids = Vec::new();
        for directory in &mut directories {
            let id = if directory.is_offline() {
                None
            } else {
                claim_if_usable(directory, &config.metadata_log_dir, claim)?
            };
            directory_ids.push(id);
        }
        metadata_apart.iter_mut().try_for_each(|directory| claim(directory).map(|_| ()))?;
        if directories.iter().all(LogDirectory::is_offline) {
            let why = "none of the log directories can be used".to_string();
            return Err(Error::Unusable { path: config.log_dirs.join(", ").into(), why });
        }
        let mut futures = Vec::new();
        for (at, directory) in directories.iter_mut().enumerate() {
            for name in directory.unknown_directories() {
                warn!("{}: {name} is no partition and is left alone", directory.path().display());
            }
            for ((topic, partition), path) in directory.take_futures() {
                futures.push(FoundFuture { directory: at, topic, partition, path });
            }
            for removal in directory.take_leftovers() {
                if let Err(failure) = removal.run() {
                    directory.health().note(&failure);
                }
            }
        }
        let directories = directories.into();
        Ok(Hosting {
            config: config.clone(),
            cluster_id,
            directories,
            directory_ids,
            metadata_apart,
            lacking_room: BTreeSet::new(),
            preferred: BTreeMap::new(),
            futures,
            not_as_listed: BTreeSet::new(),
            next_number: 0,
        })
    }

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

    /// Of the directories that can be used.
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

    /// Refuses to go on with partitions whose metadata is gone: an image that has just been made knows none of them, and
    /// would have all of them set aside.
    pub fn refuse_partitions_without_metadata(&self) -> Result<(), Error> {
        for directory in self.directories.iter() {
            let mut found = directory.partitions().iter().filter(|(topic, index)| !is_metadata(topic, *index));
            let Some((topic, index)) = found.next() else { continue };
            let metadata = self.metadata_directory().path().display();
            let why = format!(
                "{topic}-{index} and {} more partitions lie here, but the metadata log in {metadata} is new and knows \
                 none of them: bring the directory of the old one back, or move the partitions away",
                found.count()
            );
            return Err(Error::Unusable { path: directory.path().to_path_buf(), why });
        }
        Ok(())
    }

    /// Finishes the moves that the metadata has committed, and sets aside what it does not know. Blocks.
    pub fn settle(&mut self, image: &Image, random: fn() -> [u8; 16]) -> Result<(), Error> {
        self.finish_moves(image, random);
        self.set_aside_strays(image, random)
    }

    /// Opens every partition that the image puts here, several at once. Blocks.
    pub fn host_all(&mut self, view: &mut View, surroundings: Surroundings) {
        let Surroundings { wall, random } = surroundings;
        view.lacks_directory = self.has_offline();
        self.tell_of_the_missing(&view.image);
        let mut opened = self.open_all(&view.image, wall);
        let topics: Vec<_> = view.image.topics().cloned().collect();
        for topic in topics {
            let config = self.topic_config(&view.image, &topic.name);
            let hosted = topic.partitions.iter().map(|described| {
                let log = opened.remove(&(topic.id, described.index))?;
                self.lead(&topic, described, log, &config)
            });
            let hosted: Vec<_> = hosted.collect();
            view.set_hosted(topic.id, Hosted::from(hosted));
        }
        self.resume_moves(view, wall(), random);
    }

    /// Sets aside what no topic claims, and what came back with its directory after the partition had moved away.
    fn set_aside_strays(&mut self, image: &Image, random: fn() -> [u8; 16]) -> Result<(), Error> {
        let directories = self.directories.clone();
        for (at, directory) in directories.iter().enumerate() {
            for (topic, index) in directory.partitions() {
                let described = image.topic(topic).and_then(|topic| topic.partition(index.0));
                let is_stray = match described {
                    Some(described) => self.is_superseded(at, topic, described),
                    None => !is_metadata(topic, *index),
                };
                if !is_stray {
                    continue;
                }
                self.not_as_listed.insert((topic.clone(), *index));
                if directory.is_offline() {
                    continue;
                }
                let aside = match directory.set_aside_stray(topic, *index, random()) {
                    Err(_) if directory.is_offline() => continue,
                    aside => aside?,
                };
                let why = if described.is_some() { "is in another directory by now" } else { "belongs to no topic" };
                warn!("{topic}-{index} {why} and is set aside as {}", aside.display());
            }
        }
        Ok(())
    }

    fn open_all(&self, image: &Image, wall: fn() -> TimestampMs) -> BTreeMap<Slot, Result<Log, Error>> {
        let now = wall();
        let mut wanted: Vec<Vec<(Slot, (Identity, LogConfig))>> = self.directories.iter().map(|_| Vec::new()).collect();
        let mut counts: Vec<usize> = self.directories.iter().map(|directory| directory.partitions().len()).collect();
        let mut opened = BTreeMap::new();
        for topic in image.topics() {
            let config = self.log_config(image, &self.topic_config(image, &topic.name));
            for described in &topic.partitions {
                let slot = (topic.id, described.index);
                let found = self.directory_at_start(topic, described);
                match found.or_else(|| self.place(image, topic, described, false, &mut counts)) {
                    Some(at) => wanted[at].push((slot, (identity(topic, described), config.clone()))),
                    None => drop(opened.insert(slot, Err(Error::Offline))),
                }
            }
        }
        let threads = self.config.num_recovery_threads_per_data_dir;
        let total: usize = wanted.iter().map(Vec::len).sum();
        // The directories are on disks of their own: all of them at once.
        std::thread::scope(|scope| {
            let open_in = |(directory, wanted): (_, Vec<_>)| {
                scope.spawn(move || {
                    let (slots, wanted): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
                    let progress = Progress::new(directory, wanted.len(), now);
                    let logs = directory.open_logs(&wanted, threads, now, &|| progress.note(wall()));
                    let opened = logs.into_iter().map(|log| log.and_then(|log| sync_recovered(log, now)));
                    slots.into_iter().zip(opened).collect::<Vec<_>>()
                })
            };
            let running: Vec<_> = self.directories.iter().zip(wanted).map(open_in).collect();
            for thread in running {
                opened.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
        });
        if total > 0 {
            let how = if self.was_clean_shutdown() { "after a clean stop" } else { "and recovered" };
            info!("{total} partitions opened {how} in {} ms", wall().0.saturating_sub(now.0));
        }
        let losses: Vec<_> = opened.values().flatten().filter_map(|log| Some(log.loss()?.bytes())).collect();
        if !losses.is_empty() {
            let bytes: u64 = losses.iter().sum();
            warn!("{} of {total} partitions were cut, {bytes} bytes in all: see above", losses.len());
        }
        opened
    }

    /// Makes, changes and removes what the changed topics ask for. The answer is what is left to be unlinked.
    pub fn follow(
        &mut self,
        view: &mut View,
        changed: &BTreeSet<TopicId>,
        now: TimestampMs,
        random: fn() -> [u8; 16],
    ) -> Vec<Removal> {
        let mut removals = Vec::new();
        self.finish_moves(&view.image, random);
        for topic_id in changed {
            match view.image.topic_by_id(*topic_id).cloned() {
                Some(topic) => self.host(view, &topic, now, random),
                None => removals.extend(self.remove(view, *topic_id, random)),
            }
        }
        removals
    }

    fn host(&mut self, view: &mut View, topic: &Topic, now: TimestampMs, random: fn() -> [u8; 16]) {
        let config = self.topic_config(&view.image, &topic.name);
        let before = view.hosted(topic.id).cloned();
        let mut counts = self.partition_counts(view);
        let mut hosted = Vec::with_capacity(topic.partitions.len());
        for described in &topic.partitions {
            let existing = before.as_ref().and_then(|before| before.get(described.index as usize)?.clone());
            let partition = match existing {
                Some(partition) => {
                    partition.log.set_config(self.log_config(&view.image, &config));
                    partition.set_rules(topic_settings::rules(&config));
                    Some(partition)
                }
                None => {
                    // One that could not be opened before must not begin anew in another directory.
                    let is_new = before.as_ref().is_none_or(|before| described.index as usize >= before.len());
                    let at = self.place(&view.image, topic, described, is_new, &mut counts);
                    let log_config = self.log_config(&view.image, &config);
                    let log = at
                        .ok_or(Error::Offline)
                        .and_then(|at| open_new(&self.directories[at], topic, described, log_config, now, random))
                        // One that found no room at the start is opened here, with all that it holds.
                        .and_then(|log| sync_recovered(log, now));
                    self.preferred.remove(&(topic.name.to_string(), described.index));
                    self.lead(topic, described, log, &config)
                }
            };
            hosted.push(partition);
        }
        view.set_hosted(topic.id, Hosted::from(hosted));
    }

    fn partition_counts(&self, view: &View) -> Vec<usize> {
        let mut counts = vec![0; self.directories.len()];
        // With one directory there is nothing to choose.
        if self.directories.len() > 1 {
            for partition in view.partitions() {
                if let Some(at) = self.at(partition) {
                    counts[at] += 1;
                }
            }
        }
        counts
    }

    /// Which directory a partition's log is in.
    fn at(&self, partition: &Partition) -> Option<usize> {
        self.directories.iter().position(|directory| directory.holds(&partition.log))
    }

    /// Takes the leadership of a partition whose log is open.
    pub(super) fn lead(
        &mut self,
        topic: &Topic,
        described: &metadata::Partition,
        log: Result<Log, Error>,
        config: &TopicConfig,
    ) -> Option<Arc<Partition>> {
        self.next_number += 1;
        self.lead_as(self.next_number, topic, described, log, config)
    }

    /// As [`Hosting::lead`], under a number that whoever waits for the partition knows it by.
    pub(super) fn lead_as(
        &mut self,
        number: u64,
        topic: &Topic,
        described: &metadata::Partition,
        log: Result<Log, Error>,
        config: &TopicConfig,
    ) -> Option<Arc<Partition>> {
        let epoch = LeaderEpoch(described.leader_epoch);
        match log.and_then(|log| log.assign_epoch(epoch).map(|()| log)) {
            Ok(log) => Some(Arc::new(Partition::new(number, log, epoch, topic_settings::rules(config)))),
            // Its directory is away, which was told for all of its partitions at once.
            Err(Error::Offline) => None,
            // Likewise; they are tried again when there is room.
            Err(failure) if failure.is_full() => {
                self.lacking_room.insert(topic.id);
                None
            }
            Err(failure) => {
                error!("partition {}-{} cannot be opened: {failure}", topic.name, described.index);
                None
            }
        }
    }

    fn remove(&mut self, view: &mut View, topic_id: TopicId, random: fn() -> [u8; 16]) -> Vec<Removal> {
        let moving: Vec<_> = view.futures().map(|(slot, _)| *slot).filter(|slot| slot.0 == topic_id).collect();
        let mut removals: Vec<_> = moving.into_iter().filter_map(|slot| self.drop_future(view, slot, random)).collect();
        let Some(hosted) = view.remove_hosted(topic_id) else { return removals };
        for partition in hosted.iter().flatten() {
            match partition.log.delete(random()) {
                Ok(removal) => removals.push(removal),
                Err(failure) => error!("{failure}"),
            }
            // Behind the deletion: whoever writes checkpoints at the moment leaves deleted logs out.
            self.directories.iter().for_each(|directory| directory.forget(&partition.topic, partition.index));
        }
        removals
    }

    pub(super) fn settings<'a>(&'a self, image: &'a Image) -> Settings<'a> {
        self.config.settings(image.default_broker_configs(), image.broker_configs(self.config.node_id))
    }

    /// How long the files of a deleted topic stay.
    pub fn delete_delay(&self, image: &Image) -> Duration {
        delete_delay(&TopicConfig::resolve(&self.settings(image), &BTreeMap::new()))
    }

    pub(super) fn node_id(&self) -> i32 {
        self.config.node_id
    }

    pub(super) fn log_config_of(&self, image: &Image, topic: &str) -> LogConfig {
        self.log_config(image, &self.topic_config(image, topic))
    }

    pub(super) fn topic_config(&self, image: &Image, topic: &str) -> TopicConfig {
        TopicConfig::resolve(&self.settings(image), image.topic_configs(topic))
    }

    fn log_config(&self, image: &Image, topic: &TopicConfig) -> LogConfig {
        topic_settings::log_config(topic, &self.settings(image))
    }

    /// Closes every log; `true` if all were closed and checkpointed, so that the directories may be marked as clean.
    /// Blocks.
    pub fn close(&mut self, view: &View, now: TimestampMs) -> bool {
        let mut all = true;
        for (_, future) in view.futures().filter(|(_, future)| !future.log.is_offline()) {
            // Nobody believes it without reading it again; Apache Kafka would like its files to be whole.
            if let Err(failure) = future.log.close(now) {
                warn!("{failure}");
            }
        }
        for directory in self.directories.iter().filter(|directory| !directory.is_offline()) {
            let here = |partition: &&Arc<Partition>| directory.holds(&partition.log);
            let partitions: Vec<_> = view.partitions().filter(here).collect();
            let logs: Vec<_> = partitions.iter().map(|partition| &partition.log).collect();
            for (partition, closed) in partitions.iter().zip(directory.close_logs(&logs, now)) {
                if let Err(failure) = closed {
                    error!("{}-{} was not closed in order: {failure}", partition.topic, partition.index);
                    all = false;
                }
            }
        }
        checkpoint(&self.directories, &Checkpoint::ALL, view) && all
    }

    /// Says that everything was closed in order. The last thing to be written. Blocks.
    pub fn mark_clean(&self, view: &View) {
        let epoch = view.image.broker(self.config.node_id).map_or(-1, |broker| broker.epoch);
        for directory in self.directories.iter().filter(|directory| !directory.is_offline()) {
            if let Err(failure) = directory.mark_clean(epoch) {
                error!("{failure}");
            }
        }
    }
}

/// Claims a directory; the broker goes on without one that cannot be written to, unless the metadata log is there.
fn claim_if_usable(
    directory: &mut LogDirectory,
    metadata_log_dir: &str,
    claim: impl Fn(&mut LogDirectory) -> Result<Uuid, Error>,
) -> Result<Option<Uuid>, Error> {
    match claim(directory) {
        Err(failure) if failure.is_io() && directory.path() != metadata_log_dir => {
            directory.health().fail(&failure);
            Ok(None)
        }
        claimed => claimed.map(Some),
    }
}

/// Says how far the opening of a directory's logs is, if that takes long.
struct Progress<'a> {
    directory: &'a LogDirectory,
    total: usize,
    done: AtomicUsize,
    told_ms: AtomicI64,
}

impl Progress<'_> {
    fn new(directory: &LogDirectory, total: usize, now: TimestampMs) -> Progress<'_> {
        let path = directory.path().display();
        if total > 0 && !directory.was_clean_shutdown() {
            info!("recovering {total} logs in {path}: it was not closed in order");
        }
        Progress { directory, total, done: AtomicUsize::new(0), told_ms: AtomicI64::new(now.0) }
    }

    /// One more is open.
    fn note(&self, now: TimestampMs) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let told_ms = self.told_ms.load(Ordering::Relaxed);
        let is_due = now.0.saturating_sub(told_ms) >= PROGRESS_MS && done < self.total;
        let (relaxed, now_ms) = (Ordering::Relaxed, now.0);
        if is_due && self.told_ms.compare_exchange(told_ms, now_ms, relaxed, relaxed).is_ok() {
            let path = self.directory.path().display();
            info!("{path}: {done} of {} logs are open, {} are left", self.total, self.total - done);
        }
    }
}

/// Writes these checkpoints of all directories, where they say something new; `true` if all took them. Blocks.
pub fn checkpoint(directories: &[LogDirectory], which: &[Checkpoint], view: &View) -> bool {
    let mut all = true;
    for directory in directories.iter().filter(|directory| !directory.is_offline()) {
        let is_here = |log: &Log| directory.holds(log) && !log.is_deleted();
        let here = view.partitions().filter(|partition| is_here(&partition.log));
        if let Err(failure) = directory.checkpoint(which, here.map(|partition| state(partition))) {
            // What the disk did was told once for the directory.
            if !failure.is_io() {
                error!("{failure}");
            }
            all = false;
        }
    }
    all
}

/// `file.delete.delay.ms` as a time to wait.
pub fn delete_delay(config: &TopicConfig) -> Duration {
    duration(config.file_delete_delay_ms)
}

pub fn duration(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn is_metadata(topic: &str, index: PartitionIndex) -> bool {
    format!("{topic}-{index}") == metadata_log::DIRECTORY
}

fn identity(topic: &Topic, described: &metadata::Partition) -> Identity {
    Identity { topic: topic.name.to_string(), partition: PartitionIndex(described.index), topic_id: topic.id }
}

/// Nobody knows whether all that a start has found is on the platter, and from here on it counts as committed: where the
/// topic asks for a sync of so much, there is one first. Blocks.
fn sync_recovered(log: Log, now: TimestampMs) -> Result<Log, Error> {
    if log.wants_sync(now) {
        let flush = log.flush()?;
        flush.run().inspect_err(|failure| log.fail_sync(&failure.to_string()))?;
        log.flushed(&flush, now);
    }
    Ok(log)
}

/// Opens the log of a partition that is new here. What lies there of an earlier topic of that name, which could not be
/// opened when the topic was deleted, is set aside.
fn open_new(
    directory: &LogDirectory,
    topic: &Topic,
    described: &metadata::Partition,
    config: LogConfig,
    now: TimestampMs,
    random: fn() -> [u8; 16],
) -> Result<Log, Error> {
    match directory.open_log(identity(topic, described), config.clone(), now) {
        Err(Error::NotOurs { .. }) => {
            let aside = directory.set_aside_stray(&topic.name, PartitionIndex(described.index), random())?;
            warn!("{}-{} of an earlier topic is set aside as {}", topic.name, described.index, aside.display());
            directory.open_log(identity(topic, described), config, now)
        }
        opened => opened,
    }
}

pub(super) fn state(partition: &Partition) -> PartitionState {
    PartitionState {
        topic: partition.topic.to_string(),
        partition: partition.index,
        recovery_point: partition.log.recovery_point(),
        log_start_offset: partition.log.log_start_offset(),
        high_watermark: partition.high_watermark(),
    }
}
