//! A start: locks the log directories, makes them this node's, opens every partition that the metadata puts here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use log::{info, warn};

use super::Hosting;
use super::futures::FoundFuture;
use super::slots::{identity, sync_recovered};
use crate::config::Config;
use crate::io::disk::Disk;
use crate::io::environment::Environment;
use crate::metadata::Image;
use crate::model::{NodeId, PartitionIndex, TimestampMs, TopicIdPartition, Uuid};
use crate::quorum::metadata_log;
use crate::replica::view::{Hosted, View};
use crate::storage::Error;
use crate::storage::directory::LogDirectory;
use crate::storage::log::{Identity, Log, LogConfig};

/// How often a long recovery says how far it is.
const PROGRESS_MS: i64 = 5_000;

impl Hosting {
    /// Locks the log directories and makes them this node's. `cluster_id` is for directories that have none. Blocks.
    pub fn open(
        disk: Arc<dyn Disk>,
        config: &Config,
        cluster_id: &str,
        environment: &Environment,
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
        let claim = |d: &mut LogDirectory| d.claim(&cluster_id, node_id, environment.new_id());
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
    pub fn settle(&mut self, image: &Image, environment: &Environment) -> Result<(), Error> {
        self.finish_moves(image, environment);
        self.set_aside_strays(image, environment)
    }

    /// Opens every partition that the image puts here, several at once. Blocks.
    pub fn host_all(&mut self, view: &mut View, environment: &Environment) {
        view.lacks_directory = self.has_offline();
        self.tell_of_the_missing(&view.image);
        let mut opened = self.open_all(&view.image, environment);
        let topics: Vec<_> = view.image.topics().cloned().collect();
        for topic in topics {
            let config = self.topic_config(&view.image, &topic.name);
            let hosted = topic.partitions.iter().map(|described| {
                let key = TopicIdPartition { topic_id: topic.id, index: described.index };
                let log = opened.remove(&key)?;
                self.lead(&topic, described, log, &config)
            });
            let hosted: Vec<_> = hosted.collect();
            view.set_hosted(topic.id, Hosted::from(hosted));
        }
        self.resume_moves(view, environment.wall(), environment);
    }

    /// Sets aside what no topic claims, and what came back with its directory after the partition had moved away.
    fn set_aside_strays(&mut self, image: &Image, environment: &Environment) -> Result<(), Error> {
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
                let aside = match directory.set_aside_stray(topic, *index, environment.random_bytes()) {
                    Err(_) if directory.is_offline() => continue,
                    aside => aside?,
                };
                let why = if described.is_some() { "is in another directory by now" } else { "belongs to no topic" };
                warn!("{topic}-{index} {why} and is set aside as {}", aside.display());
            }
        }
        Ok(())
    }

    fn open_all(&self, image: &Image, environment: &Environment) -> BTreeMap<TopicIdPartition, Result<Log, Error>> {
        let now = environment.wall();
        let mut wanted: Vec<Vec<(TopicIdPartition, (Identity, LogConfig))>> =
            self.directories.iter().map(|_| Vec::new()).collect();
        let mut counts: Vec<usize> = self.directories.iter().map(|directory| directory.partitions().len()).collect();
        let mut opened = BTreeMap::new();
        for topic in image.topics() {
            let config = self.log_config(image, &self.topic_config(image, &topic.name));
            for described in &topic.partitions {
                let key = TopicIdPartition { topic_id: topic.id, index: described.index };
                let found = self.directory_at_start(topic, described);
                match found.or_else(|| self.place(image, topic, described, false, &mut counts)) {
                    Some(at) => wanted[at].push((key, (identity(topic, described), config.clone()))),
                    None => drop(opened.insert(key, Err(Error::Offline))),
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
                    let logs = directory.open_logs(&wanted, threads, now, &|| progress.note(environment.wall()));
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
            info!("{total} partitions opened {how} in {} ms", environment.wall().0.saturating_sub(now.0));
        }
        let losses: Vec<_> = opened.values().flatten().filter_map(|log| Some(log.loss()?.bytes())).collect();
        if !losses.is_empty() {
            let bytes: u64 = losses.iter().sum();
            warn!("{} of {total} partitions were cut, {bytes} bytes in all: see above", losses.len());
        }
        opened
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

fn is_metadata(topic: &str, index: PartitionIndex) -> bool {
    format!("{topic}-{index}") == metadata_log::DIRECTORY
}
