//! The partitions of this broker on its log directories: opened at the start, made and removed as the image says,
//! closed at the end.
//!
//! Belongs to the metadata thread; the checkpoints of its directories are also written by the housekeeping thread. A
//! partition that cannot be opened is left out with a log line: it answers
//! KAFKA_STORAGE_ERROR, and the others serve.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use log::{error, info, warn};

use crate::config::{Config, Settings, TopicConfig};
use crate::io::disk::Disk;
use crate::metadata::{self, Image, Topic};
use crate::model::{LeaderEpoch, NodeId, PartitionIndex, TimestampMs, TopicId, Uuid};
use crate::replication::metadata_log;
use crate::replication::partition::Partition;
use crate::replication::topic_settings;
use crate::replication::view::{Hosted, View};
use crate::storage::Error;
use crate::storage::directory::{Checkpoint, LogDirectory, PartitionState};
use crate::storage::log::{Identity, Log, LogConfig, Removal};

/// A partition of a topic, by number.
type Slot = (TopicId, i32);

/// See the module.
pub struct Hosting {
    config: Config,
    cluster_id: String,
    directories: Arc<[LogDirectory]>,
    directory_ids: Vec<Uuid>,
    /// The directory of the metadata log, where it is none of the log directories (`metadata.log.dir`).
    metadata_apart: Option<LogDirectory>,
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
        let mut directories = config.log_dirs.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let apart = Some(&config.metadata_log_dir).filter(|path| !config.log_dirs.contains(path));
        let mut metadata_apart = apart.map(open).transpose()?;
        let known = metadata_apart.iter().chain(&directories).find_map(|directory| directory.meta());
        let cluster_id = known.map_or_else(|| cluster_id.to_string(), |meta| meta.cluster_id.clone());
        let node_id = NodeId(config.node_id);
        let claim = |d: &mut LogDirectory| d.claim(&cluster_id, node_id, Uuid::from_random_bytes(random()));
        let directory_ids = directories.iter_mut().map(claim).collect::<Result<Vec<_>, _>>()?;
        metadata_apart.iter_mut().try_for_each(|directory| claim(directory).map(|_| ()))?;
        for directory in &mut directories {
            for name in directory.unknown_directories() {
                warn!("{}: {name} is no partition and is left alone", directory.path().display());
            }
            for removal in directory.take_leftovers() {
                removal.run()?;
            }
        }
        let directories = directories.into();
        let (config, next_number) = (config.clone(), 0);
        Ok(Hosting { config, cluster_id, directories, directory_ids, metadata_apart, next_number })
    }

    pub fn directories(&self) -> &Arc<[LogDirectory]> {
        &self.directories
    }

    /// Where the metadata log is.
    pub fn metadata_directory(&self) -> &Path {
        let here = self.config.log_dirs.iter().position(|path| *path == self.config.metadata_log_dir);
        self.metadata_apart.as_ref().unwrap_or(&self.directories[here.unwrap_or(0)]).path()
    }

    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    pub fn directory_ids(&self) -> Vec<Uuid> {
        self.directory_ids.clone()
    }

    pub fn was_clean_shutdown(&self) -> bool {
        self.directories.iter().all(LogDirectory::was_clean_shutdown)
    }

    /// Opens every partition that the image puts here, several at once, and sets aside what it does not know. Blocks.
    pub fn host_all(&mut self, view: &mut View, now: TimestampMs, random: fn() -> [u8; 16]) -> Result<(), Error> {
        self.set_aside_strays(&view.image, random)?;
        let mut opened = self.open_all(&view.image, now);
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
        Ok(())
    }

    fn set_aside_strays(&self, image: &Image, random: fn() -> [u8; 16]) -> Result<(), Error> {
        for directory in self.directories.iter() {
            for (topic, index) in directory.partitions() {
                let is_known = image.topic(topic).is_some_and(|topic| topic.partition(index.0).is_some());
                if !is_known && !is_metadata(topic, *index) {
                    let aside = directory.set_aside_stray(topic, *index, random())?;
                    warn!("{topic}-{index} belongs to no topic and is set aside as {}", aside.display());
                }
            }
        }
        Ok(())
    }

    fn open_all(&self, image: &Image, now: TimestampMs) -> BTreeMap<Slot, Result<Log, Error>> {
        let mut wanted: Vec<Vec<(Slot, (Identity, LogConfig))>> = self.directories.iter().map(|_| Vec::new()).collect();
        let mut counts: Vec<usize> = self.directories.iter().map(|directory| directory.partitions().len()).collect();
        for topic in image.topics() {
            let config = self.log_config(image, &self.topic_config(image, &topic.name));
            for described in &topic.partitions {
                let at = self.directory_at_start(topic, described).unwrap_or_else(|| emptiest(&mut counts));
                wanted[at].push(((topic.id, described.index), (identity(topic, described), config.clone())));
            }
        }
        let threads = self.config.num_recovery_threads_per_data_dir;
        let total: usize = wanted.iter().map(Vec::len).sum();
        let mut opened = BTreeMap::new();
        for (directory, wanted) in self.directories.iter().zip(wanted) {
            let (slots, wanted): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
            opened.extend(slots.into_iter().zip(directory.open_logs(&wanted, threads, now)));
        }
        if total > 0 {
            let how = if self.was_clean_shutdown() { "after a clean stop" } else { "and recovered" };
            info!("{total} partitions opened {how}");
        }
        opened
    }

    /// The directory that had the partition when it was opened.
    fn directory_at_start(&self, topic: &Topic, described: &metadata::Partition) -> Option<usize> {
        let name = (topic.name.to_string(), PartitionIndex(described.index));
        self.directories.iter().position(|directory| directory.partitions().binary_search(&name).is_ok())
    }

    /// The directory that has the partition already.
    fn directory_of(&self, topic: &Topic, described: &metadata::Partition) -> Option<usize> {
        let name = (topic.name.to_string(), PartitionIndex(described.index));
        self.directories.iter().position(|directory| directory.has_partition(&name.0, name.1))
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
                    let at = self.directory_of(topic, described).unwrap_or_else(|| emptiest(&mut counts));
                    let log_config = self.log_config(&view.image, &config);
                    let log = open_new(&self.directories[at], topic, described, log_config, now, random);
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
    fn lead(
        &mut self,
        topic: &Topic,
        described: &metadata::Partition,
        log: Result<Log, Error>,
        config: &TopicConfig,
    ) -> Option<Arc<Partition>> {
        let epoch = LeaderEpoch(described.leader_epoch);
        match log.and_then(|log| log.assign_epoch(epoch).map(|()| log)) {
            Ok(log) => {
                self.next_number += 1;
                Some(Arc::new(Partition::new(self.next_number, log, epoch, topic_settings::rules(config))))
            }
            Err(failure) => {
                error!("partition {}-{} cannot be opened: {failure}", topic.name, described.index);
                None
            }
        }
    }

    fn remove(&mut self, view: &mut View, topic_id: TopicId, random: fn() -> [u8; 16]) -> Vec<Removal> {
        let Some(hosted) = view.remove_hosted(topic_id) else { return Vec::new() };
        let mut removals = Vec::new();
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

    fn settings<'a>(&'a self, image: &'a Image) -> Settings<'a> {
        self.config.settings(image.default_broker_configs(), image.broker_configs(self.config.node_id))
    }

    /// How long the files of a deleted topic stay.
    pub fn delete_delay(&self, image: &Image) -> Duration {
        delete_delay(&TopicConfig::resolve(&self.settings(image), &BTreeMap::new()))
    }

    fn topic_config(&self, image: &Image, topic: &str) -> TopicConfig {
        TopicConfig::resolve(&self.settings(image), image.topic_configs(topic))
    }

    fn log_config(&self, image: &Image, topic: &TopicConfig) -> LogConfig {
        topic_settings::log_config(topic, self.settings(image).long("producer.id.expiration.ms"))
    }

    /// Closes every log; `true` if all were closed and checkpointed, so that the directories may be marked as clean.
    /// Blocks.
    pub fn close(&mut self, view: &View, now: TimestampMs) -> bool {
        let mut all = true;
        for directory in self.directories.iter() {
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
        for directory in self.directories.iter() {
            if let Err(failure) = directory.mark_clean(epoch) {
                error!("{failure}");
            }
        }
    }
}

/// Writes these checkpoints of all directories, where they say something new; `true` if all took them. Blocks.
pub fn checkpoint(directories: &[LogDirectory], which: &[Checkpoint], view: &View) -> bool {
    let mut all = true;
    for directory in directories {
        let is_here = |log: &Log| directory.holds(log) && !log.is_deleted();
        let here = view.partitions().filter(|partition| is_here(&partition.log));
        if let Err(failure) = directory.checkpoint(which, here.map(|partition| state(partition))) {
            error!("{failure}");
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

/// The directory with the fewest partitions (`LogManager.nextLogDirs`), which gets one more.
fn emptiest(counts: &mut [usize]) -> usize {
    let at = (0..counts.len()).min_by_key(|at| counts[*at]).unwrap_or(0);
    counts[at] += 1;
    at
}

fn state(partition: &Partition) -> PartitionState {
    PartitionState {
        topic: partition.topic.to_string(),
        partition: partition.index,
        recovery_point: partition.log.recovery_point(),
        log_start_offset: partition.log.log_start_offset(),
        high_watermark: partition.high_watermark(),
    }
}
