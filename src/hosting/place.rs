//! In which log directory a partition's log is, or is to be made (`LogManager.getOrCreateLog`, KIP-858, KIP-1066).
//!
//! A log is never begun anew beside one that may be in a directory which is away: what the metadata puts into a directory
//! that is not here waits for it.

use std::collections::BTreeMap;
use std::fmt;

use log::warn;

use super::Hosting;
use crate::metadata::{self, Image, Topic};
use crate::model::{PartitionIndex, Uuid};
use crate::storage::directory::LogDirectory;

impl Hosting {
    /// The directory that a partition's log is in, or is to be made in; `None` if it may be in one that is away
    /// (`LogManager.getOrCreateLog`). One that the metadata did not know before (`is_new`) is in none.
    pub(super) fn place(
        &self,
        image: &Image,
        topic: &Topic,
        described: &metadata::Partition,
        is_new: bool,
        counts: &mut [usize],
    ) -> Option<usize> {
        if let Some(at) = self.directory_of(topic, described) {
            return Some(at);
        }
        if self.awaits_its_copy(&topic.name, described) {
            return None;
        }
        let preferred = self.preferred.get(&(topic.name.to_string(), described.index)).copied();
        let named = self.named(described);
        let chosen = preferred.filter(|at| !self.directories[*at].is_offline());
        let chosen = chosen.or_else(|| self.online_with(named?));
        let may_be_away = !is_new && (named.is_some() || self.has_offline());
        let at = chosen.or_else(|| if may_be_away { None } else { self.emptiest(image, counts) })?;
        counts[at] += 1;
        Some(at)
    }

    pub(super) fn has_offline(&self) -> bool {
        self.directories.iter().any(LogDirectory::is_offline)
    }

    /// The directory with this identifier, if it can be used.
    fn online_with(&self, id: Uuid) -> Option<usize> {
        (0..self.directories.len())
            .find(|at| self.directory_ids[*at] == Some(id) && !self.directories[*at].is_offline())
    }

    /// The directory with the fewest partitions that is not cordoned, or else any (`LogManager.nextLogDirs`).
    fn emptiest(&self, image: &Image, counts: &[usize]) -> Option<usize> {
        let cordoned = self.settings(image).cordoned_log_dirs();
        let online = || (0..counts.len()).filter(|at| !self.directories[*at].is_offline());
        let open = online().filter(|at| !cordoned.contains(&self.config.log_dirs[*at]));
        open.min_by_key(|at| counts[*at]).or_else(|| online().next())
    }

    /// The directories that get no new logs (KIP-1066), of those that can be used.
    pub fn cordoned_ids(&self, image: &Image) -> Vec<Uuid> {
        let cordoned = self.settings(image).cordoned_log_dirs();
        let is_cordoned =
            |at: &usize| cordoned.contains(&self.config.log_dirs[*at]) && !self.directories[*at].is_offline();
        (0..self.directories.len()).filter(is_cordoned).filter_map(|at| self.directory_ids[at]).collect()
    }

    /// The directory in which the metadata puts this broker's replica, if it names one.
    fn named(&self, described: &metadata::Partition) -> Option<Uuid> {
        self.assigned(described).filter(|id| !metadata::is_open_assignment(*id))
    }

    /// The directory in which the metadata puts this broker's replica.
    pub(super) fn assigned(&self, described: &metadata::Partition) -> Option<Uuid> {
        described.directory_of(self.config.node_id)
    }

    /// Whether the metadata puts this broker's replica into this directory, and it can be used.
    pub(super) fn is_assigned(&self, described: &metadata::Partition, at: usize) -> bool {
        let id = self.directory_ids[at].filter(|_| !self.directories[at].is_offline());
        id.is_some() && id == self.assigned(described)
    }

    /// The directory that had the partition when it was opened.
    pub(super) fn directory_at_start(&self, topic: &Topic, described: &metadata::Partition) -> Option<usize> {
        let name = (topic.name.to_string(), PartitionIndex(described.index));
        if self.not_as_listed.contains(&name) {
            return self.directory_of(topic, described);
        }
        self.directories.iter().position(|directory| directory.partitions().binary_search(&name).is_ok())
    }

    /// The directory that has the partition already; of two the one that the metadata names.
    fn directory_of(&self, topic: &Topic, described: &metadata::Partition) -> Option<usize> {
        let has_it = |at: &usize| self.directories[*at].has_partition(&topic.name, PartitionIndex(described.index));
        let all = || (0..self.directories.len()).filter(has_it);
        all().find(|at| self.is_assigned(described, *at)).or_else(|| all().next())
    }

    /// Says which partitions have no log here at a start: of those whose directory is away nothing is lost, the others
    /// begin anew.
    pub(super) fn tell_of_the_missing(&self, image: &Image) {
        let (mut away, mut anew) = (BTreeMap::<Uuid, Names>::new(), Names::default());
        for topic in image.topics() {
            for described in &topic.partitions {
                if self.directory_at_start(topic, described).is_some() || self.awaits_its_copy(&topic.name, described) {
                    continue;
                }
                let named = self.named(described);
                match named.filter(|id| self.online_with(*id).is_none()) {
                    Some(id) => away.entry(id).or_default().add(&topic.name, described.index),
                    None if named.is_none() && self.has_offline() => {}
                    None => anew.add(&topic.name, described.index),
                }
            }
        }
        for (id, names) in &away {
            warn!("{names}: offline until their log directory is back, whose directory.id is {id}");
        }
        if anew.count > 0 {
            warn!("{anew}: no log in any log directory, they begin anew and empty");
        }
    }
}

/// Partitions for a log line: how many, and the first of them.
#[derive(Default)]
struct Names {
    count: usize,
    first: Vec<String>,
}

impl Names {
    /// So many are named; a broker may have thousands.
    const NAMED: usize = 10;

    fn add(&mut self, topic: &str, index: i32) {
        self.count += 1;
        if self.first.len() < Names::NAMED {
            self.first.push(format!("{topic}-{index}"));
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.count > self.first.len() { ", …" } else { "" };
        write!(f, "{} partitions ({}{more})", self.count, self.first.join(", "))
    }
}
