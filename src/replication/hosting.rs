//! The partitions of this broker on its log directories: opened at the start, made and removed as the image says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log::error;

use crate::config::{Config, TopicConfig};
use crate::io::disk::Disk;
use crate::metadata::{Image, Topic};
use crate::model::{LeaderEpoch, PartitionIndex, TimestampMs, TopicId, Uuid};
use crate::replication::partition::Partition;
use crate::replication::topic_settings;
use crate::replication::view::{Hosted, View};
use crate::storage::Error;
use crate::storage::log::{Checkpointed, Identity, Log, Removal};

/// See the module.
pub struct Hosting {
    disk: Arc<dyn Disk>,
    config: Config,
    directory: PathBuf,
    cluster_id: String,
    id: Uuid,
    next_number: u64,
}

impl Hosting {
    pub fn open(
        disk: Arc<dyn Disk>,
        config: &Config,
        cluster_id: &str,
        random: fn() -> [u8; 16],
    ) -> Result<Hosting, Error> {
        let directory = PathBuf::from(&config.log_dirs[0]);
        disk.create_directories(&directory).map_err(Error::io("create", &directory))?;
        Ok(Hosting {
            disk,
            config: config.clone(),
            directory,
            cluster_id: cluster_id.into(),
            id: Uuid::from_random_bytes(random()),
            next_number: 0,
        })
    }

    pub fn metadata_directory(&self) -> &Path {
        &self.directory
    }

    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    pub fn directory_ids(&self) -> Vec<Uuid> {
        vec![self.id]
    }

    pub fn was_clean_shutdown(&self) -> bool {
        false
    }

    pub fn host_all(&mut self, view: &mut View, now: TimestampMs) -> Result<(), Error> {
        let all: BTreeSet<TopicId> = view.image.topics().map(|topic| topic.id).collect();
        self.follow(view, &all, now, || [0; 16]);
        Ok(())
    }

    /// Opens, changes and removes what the changed topics ask for. The answer is what is left to be unlinked.
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
                Some(topic) => self.host(view, &topic, now),
                None => removals.extend(self.remove(view, *topic_id, random)),
            }
        }
        removals
    }

    fn host(&mut self, view: &mut View, topic: &Topic, now: TimestampMs) {
        let config = self.topic_config(&view.image, &topic.name);
        let before = view.hosted(topic.id).cloned();
        let mut hosted = Vec::with_capacity(topic.partitions.len());
        for described in &topic.partitions {
            let existing = before.as_ref().and_then(|before| before.get(described.index as usize)?.clone());
            let partition = match existing {
                Some(partition) => {
                    partition.log.set_config(self.log_config(&config));
                    partition.set_rules(topic_settings::rules(&config));
                    Some(partition)
                }
                None => self.open_partition(topic, described, &config, now),
            };
            hosted.push(partition);
        }
        view.set_hosted(topic.id, Hosted::from(hosted));
    }

    fn topic_config(&self, image: &Image, topic: &str) -> TopicConfig {
        let node = self.config.node_id;
        let settings = self.config.settings(image.default_broker_configs(), image.broker_configs(node));
        TopicConfig::resolve(&settings, image.topic_configs(topic))
    }

    fn log_config(&self, topic: &TopicConfig) -> crate::storage::log::LogConfig {
        topic_settings::log_config(topic, self.config.producer_id_expiration_ms)
    }

    fn open_partition(
        &mut self,
        topic: &Topic,
        described: &crate::metadata::Partition,
        config: &TopicConfig,
        now: TimestampMs,
    ) -> Option<Arc<Partition>> {
        let index = PartitionIndex(described.index);
        let identity = Identity { topic: topic.name.to_string(), partition: index, topic_id: topic.id };
        let directory = self.directory.join(format!("{}-{index}", topic.name));
        let log_config = self.log_config(config);
        let epoch = LeaderEpoch(described.leader_epoch);
        let opened = Log::open(self.disk.clone(), directory, log_config, identity, Checkpointed::default(), now);
        let log = opened.and_then(|log| log.assign_epoch(epoch).map(|()| log));
        match log {
            Ok(log) => {
                self.next_number += 1;
                Some(Arc::new(Partition::new(self.next_number, log, epoch, topic_settings::rules(config))))
            }
            Err(failure) => {
                error!("partition {}-{index} cannot be opened: {failure}", topic.name);
                None
            }
        }
    }

    fn remove(&mut self, view: &mut View, topic_id: TopicId, random: fn() -> [u8; 16]) -> Vec<Removal> {
        let Some(hosted) = view.remove_hosted(topic_id) else { return Vec::new() };
        let removed = hosted.iter().flatten().map(|partition| partition.log.delete(random()));
        removed.filter_map(|result| result.inspect_err(|failure| error!("{failure}")).ok()).collect()
    }

    pub fn checkpoint(&mut self, _view: &View) {}

    pub fn close(&mut self, view: &View, now: TimestampMs) -> bool {
        view.partitions().all(|partition| partition.log.close(now).is_ok())
    }

    pub fn mark_clean(&mut self, _view: &View) {}
}
