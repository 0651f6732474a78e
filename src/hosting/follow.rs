//! Partitions made, changed and removed as the metadata says, while the broker runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use log::{error, warn};

use super::Hosting;
use super::slots::{identity, sync_recovered};
use crate::config::TopicConfig;
use crate::io::environment::Environment;
use crate::metadata::{self, Topic};
use crate::model::{LeaderEpoch, PartitionIndex, TimestampMs, TopicId};
use crate::replica::partition::Partition;
use crate::replica::topic_settings;
use crate::replica::view::{Hosted, View};
use crate::storage::Error;
use crate::storage::directory::LogDirectory;
use crate::storage::log::{Log, LogConfig, Removal};

impl Hosting {
    /// Makes, changes and removes what the changed topics ask for. The answer is what is left to be unlinked.
    pub fn follow(
        &mut self,
        view: &mut View,
        changed: &BTreeSet<TopicId>,
        now: TimestampMs,
        environment: &Environment,
    ) -> Vec<Removal> {
        let mut removals = Vec::new();
        self.finish_moves(&view.image, environment);
        for topic_id in changed {
            match view.image.topic_by_id(*topic_id).cloned() {
                Some(topic) => self.host(view, &topic, now, environment),
                None => removals.extend(self.remove(view, *topic_id, environment)),
            }
        }
        removals
    }

    fn host(&mut self, view: &mut View, topic: &Topic, now: TimestampMs, environment: &Environment) {
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
                    let led = partition.lead_in(LeaderEpoch(described.leader_epoch));
                    led.unwrap_or_else(|failure| error!("{}-{}: {failure}", topic.name, described.index));
                    Some(partition)
                }
                None => {
                    // One that could not be opened before must not begin anew in another directory.
                    let is_new = before.as_ref().is_none_or(|before| described.index as usize >= before.len());
                    let at = self.place(&view.image, topic, described, is_new, &mut counts);
                    let log_config = self.log_config(&view.image, &config);
                    let log = at
                        .ok_or(Error::Offline)
                        .and_then(|at| open_new(&self.directories[at], topic, described, log_config, now, environment))
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

    /// As [`Hosting::lead`], under the number by which requests wait for the partition already.
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

    fn remove(&mut self, view: &mut View, topic_id: TopicId, environment: &Environment) -> Vec<Removal> {
        let moving: Vec<_> = view.futures().map(|(key, _)| *key).filter(|key| key.topic_id == topic_id).collect();
        let mut removals: Vec<_> =
            moving.into_iter().filter_map(|key| self.drop_future(view, key, environment)).collect();
        let Some(hosted) = view.remove_hosted(topic_id) else { return removals };
        for partition in hosted.iter().flatten() {
            match partition.log.delete(environment.random_bytes()) {
                Ok(removal) => removals.push(removal),
                Err(failure) => error!("{failure}"),
            }
            // Behind the deletion: a thread that writes checkpoints at the moment leaves deleted logs out.
            self.directories.iter().for_each(|directory| directory.forget(&partition.topic, partition.index));
        }
        removals
    }
}

/// Opens the log of a partition that is new here. What lies there of an earlier topic of that name, which could not be
/// opened when the topic was deleted, is set aside.
fn open_new(
    directory: &LogDirectory,
    topic: &Topic,
    described: &metadata::Partition,
    config: LogConfig,
    now: TimestampMs,
    environment: &Environment,
) -> Result<Log, Error> {
    match directory.open_log(identity(topic, described), config.clone(), now) {
        Err(Error::NotOurs { .. }) => {
            let aside =
                directory.set_aside_stray(&topic.name, PartitionIndex(described.index), environment.random_bytes())?;
            warn!("{}-{} of an earlier topic is set aside as {}", topic.name, described.index, aside.display());
            directory.open_log(identity(topic, described), config, now)
        }
        opened => opened,
    }
}
