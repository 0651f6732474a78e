//! Moving a partition's log to another log directory of this broker (KIP-113, KIP-858; `ReplicaAlterLogDirsThread`).
//!
//! A copy grows beside the log (`<topic>-<n>.<id>-future`), made by the housekeeping thread in slices. When it has caught
//! up, the metadata thread completes it, and the copy takes the log's place. The order on disk, each step durable before
//! the next begins:
//!
//! 1. the log takes nothing more (producers are told to ask again), the rest is copied, the copy is closed and synced;
//! 2. the metadata log says that the replica is in the other directory: from here on the copy counts;
//! 3. the log becomes `-delete`, then the copy loses its suffix.
//!
//! So what is found at a start is decided by the metadata alone: where it puts the replica into the directory of a copy,
//! step 3 is finished (Kafka's `recoverAbandonedFutureLogs`); else the copy goes on where it was, or begins anew if it
//! has more than the log, which a loss of power may have cut. Apache Kafka decides alike.
//!
//! Where the disk fails in step 3, the copy still counts: the partition is served from it if it could take its name, and
//! else not at all until it can, never by a log that begins anew. A log that could not be taken away comes back with its
//! directory: then the one in the directory that the metadata names counts, and the other is set aside (Apache Kafka does
//! not start until one of the two is deleted).
//!
//! Deviation: what the cleaner knows of the log is not taken along, so the next round reads it from its beginning.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use log::{error, info, warn};

use super::Hosting;
use super::futures::{Completed, Copied, FoundFuture, Move, copy};
use super::slots;
use crate::io::environment::Environment;
use crate::metadata::{self, DirectoryAssignment, Image};
use crate::model::{ErrorCode, Offset, PartitionIndex, TimestampMs, TopicId, TopicIdPartition};
use crate::replica::partition::Partition;
use crate::replica::view::{Future, Hosted, View};
use crate::storage::Error;
use crate::storage::directory::{Checkpoint, LogDirectory};
use crate::storage::log::{Identity, Log, LogConfig, Removal};

/// Slices that may be left when a copy counts as caught up: so long producers are kept waiting at most.
const LAST_SLICES: usize = 4;

impl Hosting {
    /// Begins a move, or forgets one that leads elsewhere (`ReplicaManager.alterReplicaLogDirs`). Blocks.
    pub fn move_log(
        &mut self,
        view: &mut View,
        wanted: &Move,
        now: TimestampMs,
        environment: &Environment,
    ) -> (ErrorCode, Option<Removal>) {
        let mut removal = None;
        let moved = self.try_move(view, wanted, now, environment, &mut removal);
        (moved.err().unwrap_or(ErrorCode::None), removal)
    }

    fn try_move(
        &mut self,
        view: &mut View,
        wanted: &Move,
        now: TimestampMs,
        environment: &Environment,
        removal: &mut Option<Removal>,
    ) -> Result<(), ErrorCode> {
        let index = PartitionIndex(wanted.partition);
        if LogDirectory::cannot_move(&wanted.topic, index) {
            return Err(ErrorCode::InvalidTopicException);
        }
        let named = |directory: &LogDirectory| directory.absolute_path().to_string_lossy() == wanted.log_dir;
        let to = self.directories.iter().position(named).ok_or(ErrorCode::LogDirNotFound)?;
        if self.directories[to].is_offline() {
            return Err(ErrorCode::KafkaStorageError);
        }
        let Some(topic) = view.topic(&wanted.topic).cloned() else {
            self.preferred.insert((wanted.topic.clone(), wanted.partition), to);
            return Err(ErrorCode::UnknownTopicOrPartition);
        };
        if topic.partition(wanted.partition).is_none() {
            self.preferred.insert((wanted.topic.clone(), wanted.partition), to);
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        if !metadata::knows_directories(view.image.metadata_version()) {
            return Err(ErrorCode::UnsupportedVersion);
        }
        let key = TopicIdPartition { topic_id: topic.id, index: wanted.partition };
        let partition = view.partition_by_id(topic.id, wanted.partition)?.clone();
        if view.future(key).is_some_and(|future| !self.directories[to].holds(&future.log)) {
            *removal = self.drop_future(view, key, environment);
        }
        if self.directories[to].holds(&partition.log) || view.future(key).is_some() {
            return Ok(());
        }
        // With a directory away, a copy may be on it.
        if self.directories.iter().any(LogDirectory::is_offline) {
            return Err(ErrorCode::KafkaStorageError);
        }
        let future = self.new_future(&view.image, to, &partition, now, environment);
        let log = future.map_err(|failure| {
            warn!("cannot move {}-{}: {failure}", partition.topic, partition.index);
            ErrorCode::KafkaStorageError
        })?;
        info!("{}-{} is being moved to {}", partition.topic, partition.index, self.directories[to].path().display());
        self.set_future(view, key, &partition, log);
        Ok(())
    }

    fn set_future(&self, view: &mut View, key: TopicIdPartition, partition: &Partition, log: Log) {
        let (topic, is_announced) = (partition.topic.clone(), AtomicBool::new(false));
        view.set_future(key, Some(Arc::new(Future { topic, log, is_announced })));
    }

    /// Begins a copy, the only one of its partition there: a start could not tell an older one from it.
    fn new_future(
        &mut self,
        image: &Image,
        to: usize,
        partition: &Partition,
        now: TimestampMs,
        environment: &Environment,
    ) -> Result<Log, Error> {
        let log = &partition.log;
        let start = log.log_start_offset();
        // The log's start may stand within a batch, of which the copy gets the whole.
        let first = log.read(start, log.log_end_offset(), 1, true).ok().flatten();
        let start = first.map_or(start, |slice| slice.base_offset.min(start));
        self.directories[to].remove_futures(&partition.topic, partition.index)?;
        let is_other = |found: &FoundFuture| {
            (found.directory, &*found.topic, found.partition) != (to, &*partition.topic, partition.index)
        };
        self.futures.retain(is_other);
        let path = self.directories[to].future_path(&partition.topic, partition.index, environment.random_bytes());
        let config = self.log_config_of(image, &partition.topic);
        self.directories[to].open_future(&path, log.identity().clone(), config, start, now)
    }

    /// Lets go of a move; what is left is to be unlinked.
    pub fn drop_future(&self, view: &mut View, key: TopicIdPartition, environment: &Environment) -> Option<Removal> {
        let future = view.future(key).cloned()?;
        view.set_future(key, None);
        let deleted = future.log.delete(environment.random_bytes());
        deleted.inspect_err(|failure| warn!("{failure}")).ok()
    }

    /// Forgets the moves to directories that have failed; what they have written stays where it is.
    pub fn forget_failed_futures(&self, view: &mut View) {
        let failed = view.futures().filter(|(_, future)| future.log.is_offline());
        for key in failed.map(|(key, _)| *key).collect::<Vec<_>>() {
            view.set_future(key, None);
        }
    }

    /// Completes a copy that has caught up. Blocks.
    pub fn complete(
        &mut self,
        view: &mut View,
        key: TopicIdPartition,
        now: TimestampMs,
        environment: &Environment,
    ) -> (Completed, Option<Removal>) {
        let Some(future) = view.future(key).cloned() else { return (Completed::Gone, None) };
        let Ok(partition) = view.partition_by_id(key.topic_id, key.index).cloned() else {
            return (Completed::Gone, None);
        };
        match self.complete_log(&partition, &future.log, now) {
            Ok(Copied::All) => match self.assignment(&view.image, key, &future.log) {
                Some(assignment) => return (Completed::Ready(assignment), None),
                None => partition.log.unseal(),
            },
            Ok(Copied::More) => {
                future.is_announced.store(false, Ordering::Release);
                return (Completed::NotYet, None);
            }
            Ok(Copied::Overtaken) => {}
            Err(failure) if failure.is_full() => {
                future.is_announced.store(false, Ordering::Release);
                return (Completed::NotYet, None);
            }
            Err(failure) => error!("cannot move {}-{}: {failure}", partition.topic, partition.index),
        }
        // Anew, from where the log begins now.
        let to = self.directories.iter().position(|directory| directory.holds(&future.log));
        let removal = self.drop_future(view, key, environment);
        let again = to
            .filter(|to| !self.directories[*to].is_offline())
            .map(|to| self.new_future(&view.image, to, &partition, now, environment));
        if let Some(Ok(log)) = again {
            self.set_future(view, key, &partition, log);
        }
        (Completed::NotYet, removal)
    }

    /// Copies what is left, at the end with the log sealed, and makes the copy durable. It is unsealed unless all is well.
    fn complete_log(&self, partition: &Partition, future: &Log, now: TimestampMs) -> Result<Copied, Error> {
        let current = &partition.log;
        let mut copied = Copied::More;
        for _ in 0..LAST_SLICES {
            copied = copy(current, future, current.log_end_offset(), now)?;
            if copied != Copied::More {
                break;
            }
        }
        if copied != Copied::All {
            return Ok(copied);
        }
        current.seal()?;
        let finish = || {
            let end = current.log_end_offset();
            loop {
                match copy(current, future, end, now)? {
                    Copied::More => {}
                    Copied::Overtaken => return Ok(Copied::Overtaken),
                    Copied::All => break,
                }
            }
            future.take_over_producers(current)?;
            future.skip_to(end, now)?;
            future.delete_records_before(current.log_start_offset())?;
            let closed = future.close(now)?;
            assert_eq!(closed, end, "the copy ends where the log does");
            Ok(Copied::All)
        };
        let finished: Result<Copied, Error> = finish();
        match finished {
            Ok(Copied::All) => partition.note_durable(),
            _ => current.unseal(),
        }
        finished
    }

    /// What is to be told of this broker's replica: that it lies where a log is.
    fn assignment(&self, image: &Image, key: TopicIdPartition, log: &Log) -> Option<DirectoryAssignment> {
        let at = self.directories.iter().position(|directory| directory.holds(log))?;
        self.assignment_to(image, key, at)
    }

    fn assignment_to(&self, image: &Image, key: TopicIdPartition, at: usize) -> Option<DirectoryAssignment> {
        self.assigned(image.partition(key.topic_id, key.index)?)?;
        Some(DirectoryAssignment { partition: key, directory: self.directory_ids[at]? })
    }

    /// Where the logs of these topics' partitions are, where the metadata says something else (`AssignmentsManager`).
    pub fn assignments(&self, view: &View, topics: &[TopicId]) -> Vec<DirectoryAssignment> {
        if !metadata::knows_directories(view.image.metadata_version()) {
            return Vec::new();
        }
        let hosted = topics.iter().filter_map(|topic| view.hosted(*topic)).flat_map(|hosted| hosted.iter().flatten());
        let strange = hosted.filter(|partition| {
            let described = view.image.partition(partition.topic_id, partition.index.0);
            let at = self.directories.iter().position(|directory| directory.holds(&partition.log));
            let id = at.and_then(|at| self.directory_ids[at]);
            id.is_some() && described.is_some_and(|described| self.assigned(described) != id)
        });
        strange.filter_map(|partition| self.assignment(&view.image, partition.key(), &partition.log)).collect()
    }

    /// The logs that a start has found in another directory than the metadata says.
    pub fn found_elsewhere(&self, image: &Image) -> Vec<DirectoryAssignment> {
        if !metadata::knows_directories(image.metadata_version()) {
            return Vec::new();
        }
        let partitions =
            image.topics().flat_map(|topic| topic.partitions.iter().map(move |described| (topic, described)));
        let strange = partitions.filter_map(|(topic, described)| {
            let at = self.directory_at_start(topic, described)?;
            let id = self.directory_ids[at]?;
            let is_strange = self.assigned(described) != Some(id) && !self.awaits_its_copy(&topic.name, described);
            let key = TopicIdPartition { topic_id: topic.id, index: described.index };
            is_strange.then(|| self.assignment_to(image, key, at))?
        });
        strange.collect()
    }

    /// Puts a complete copy into its place, after the metadata has said so. Blocks.
    pub fn swap(
        &mut self,
        view: &mut View,
        key: TopicIdPartition,
        now: TimestampMs,
        environment: &Environment,
    ) -> Option<Removal> {
        let future = view.future(key).cloned()?;
        let partition = view.partition_by_id(key.topic_id, key.index).ok()?.clone();
        let topic = view.image.topic_by_id(key.topic_id)?.clone();
        let described = topic.partition(key.index)?.clone();
        let directories = self.directories.clone();
        let from = directories.iter().find(|directory| directory.holds(&partition.log))?;
        let at = directories.iter().position(|directory| directory.holds(&future.log))?;
        let to = &directories[at];
        let config = self.topic_config(&view.image, &topic.name);
        let log_config = self.log_config_of(&view.image, &topic.name);
        let deleted =
            partition.log.delete(environment.random_bytes()).inspect_err(|failure| from.health().note(failure));
        let removal = deleted.and_then(|removal| {
            from.forget(&topic.name, partition.index);
            from.sync_names().map(|()| removal)
        });
        let (removal, in_the_way) = match removal {
            Ok(removal) => (Some(removal), None),
            // What lies in a directory that has failed stands in the way of nothing.
            Err(failure) => (None, Some(failure).filter(|_| !from.is_offline())),
        };
        let promoted = in_the_way.map_or(Ok(()), Err);
        let promoted = promoted.and_then(|()| to.promote(future.log.directory(), &topic.name, partition.index));
        if promoted.is_err() {
            let path = future.log.directory().to_path_buf();
            self.futures.push(FoundFuture {
                directory: at,
                topic: topic.name.to_string(),
                partition: partition.index,
                path,
            });
        }
        let log = promoted.and_then(|()| {
            let (start, end) = (future.log.log_start_offset(), future.log.log_end_offset());
            to.open_closed_log(future.log.identity().clone(), log_config, (start, end), now)
        });
        view.set_future(key, None);
        let replaced = self.lead_as(partition.number, &topic, &described, log, &config);
        if let Some(partition) = &replaced {
            // Before a client writes: the new directory knows the log's start.
            let _ = to.checkpoint(&Checkpoint::ALL, [slots::state(partition)]);
            info!("{}-{} was moved to {}", partition.topic, partition.index, to.path().display());
        }
        let hosted: Vec<_> = view.hosted(key.topic_id)?.iter().cloned().collect();
        let place = usize::try_from(key.index).unwrap_or(0);
        let hosted = hosted.into_iter().enumerate().map(|(at, it)| if at == place { replaced.clone() } else { it });
        view.set_hosted(key.topic_id, Hosted::from(hosted.collect::<Vec<_>>()));
        removal
    }

    /// Whether the metadata has committed a copy that is not in its place yet: then no other log is the partition's.
    pub(super) fn awaits_its_copy(&self, topic: &str, described: &metadata::Partition) -> bool {
        let is_its = |found: &FoundFuture| found.topic == topic && found.partition.0 == described.index;
        self.futures.iter().any(|found| is_its(found) && self.is_assigned(described, found.directory))
    }

    /// Whether another directory has the partition's log, by what lies there and by the metadata.
    pub(super) fn is_superseded(&self, at: usize, topic: &str, described: &metadata::Partition) -> bool {
        let has_it = |at: usize| self.directories[at].has_partition(topic, PartitionIndex(described.index));
        let is_the_log = |other: usize| self.is_assigned(described, other) && has_it(other);
        !self.is_assigned(described, at) && has_it(at) && (0..self.directories.len()).any(is_the_log)
    }

    /// Finishes the moves that the metadata has committed; what else there is goes on later. Blocks.
    pub(super) fn finish_moves(&mut self, image: &Image, environment: &Environment) {
        for found in std::mem::take(&mut self.futures) {
            let topic = image.topic(&found.topic);
            match self.finish_move(image, &found, environment) {
                Ok(true) => {}
                Ok(false) => self.futures.push(found),
                Err(failure) => {
                    self.directories[found.directory].health().note(&failure);
                    warn!("the move of {}-{} is not finished: {failure}", found.topic, found.partition);
                    self.lacking_room.extend(topic.filter(|_| failure.is_full()).map(|topic| topic.id));
                    self.futures.push(found);
                }
            }
        }
    }

    /// Whether nothing more is to be done for a copy.
    fn finish_move(&mut self, image: &Image, found: &FoundFuture, environment: &Environment) -> Result<bool, Error> {
        let directory = &self.directories[found.directory];
        if directory.is_offline() {
            return Ok(false);
        }
        let described = image.topic(&found.topic).and_then(|topic| topic.partition(found.partition.0));
        let Some(described) = described else {
            directory.removal_of(found.path.clone()).run()?;
            return Ok(true);
        };
        let name = (found.topic.as_str(), found.partition);
        if !self.is_assigned(described, found.directory) || directory.has_partition(name.0, name.1) {
            return Ok(false);
        }
        let has_it = |other: &&LogDirectory| !other.is_offline() && other.has_partition(name.0, name.1);
        for current in self.directories.iter().filter(has_it) {
            let aside = current.set_aside_deleted(name.0, name.1, environment.random_bytes());
            match aside.and_then(|removal| removal.run()) {
                // What lies in a directory that has failed stands in the way of nothing.
                Err(_) if current.is_offline() => {}
                aside => aside?,
            }
        }
        directory.promote(&found.path, name.0, name.1)?;
        info!("{}-{}: its move to {} is finished", name.0, name.1, directory.path().display());
        self.not_as_listed.insert((found.topic.clone(), found.partition));
        Ok(true)
    }

    /// Goes on with the moves that were under way, now that the logs are open; after a crash from their beginning. Blocks.
    pub(super) fn resume_moves(&mut self, view: &mut View, now: TimestampMs, environment: &Environment) {
        for found in std::mem::take(&mut self.futures) {
            let partition = view.partition_by_name(&found.topic, found.partition.0).cloned();
            // The log is away: so is what could be copied.
            let Ok(partition) = partition else {
                self.futures.push(found);
                continue;
            };
            let directory = &self.directories[found.directory];
            let identity: Identity = partition.log.identity().clone();
            let config: LogConfig = self.log_config_of(&view.image, &found.topic);
            let opened = directory.open_future(&found.path, identity, config, Offset(0), now);
            // Of what was not synced a loss of power may leave later segments and not the earlier ones.
            let is_prefix =
                |log: &Log| directory.was_clean_shutdown() && log.log_end_offset() <= partition.log.log_end_offset();
            let log = match opened {
                Ok(log) if is_prefix(&log) && !directory.holds(&partition.log) => Ok(log),
                _ if directory.is_offline() => continue,
                _ => {
                    let removed = directory.removal_of(found.path).run();
                    if directory.holds(&partition.log) {
                        continue;
                    }
                    removed.and_then(|()| self.new_future(&view.image, found.directory, &partition, now, environment))
                }
            };
            match log {
                Ok(log) => self.set_future(view, partition.key(), &partition, log),
                Err(failure) => warn!("{}-{} is not moved: {failure}", found.topic, found.partition),
            }
        }
    }
}
