//! Where new partitions go: brokers for their replicas, a log directory for each.
//!
//! Deterministic for an image and a start. Replicas are dealt round the brokers, active ones first, so that leaders
//! spread evenly; directories by the fewest partitions.

use super::decision::Refusal;
use super::image::{Image, Partition};
use super::registration::{Broker, DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED};
use crate::model::{ErrorCode, Uuid};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Chooses brokers and directories within one decision.
pub(super) struct Placer<'a> {
    image: &'a Image,
    /// Partitions per directory, once there was a choice between directories.
    load: Option<BTreeMap<Uuid, usize>>,
}

impl<'a> Placer<'a> {
    pub(super) fn new(image: &'a Image) -> Placer<'a> {
        Placer { image, load: None }
    }

    /// The brokers of each of `count` partitions; the first of each is active and is to lead. The error says why there
    /// are none, as `StripedReplicaPlacer` does.
    pub(super) fn place(&self, count: usize, factor: usize, start: usize) -> Result<Vec<Vec<i32>>, String> {
        let usable = self.image.brokers().filter(|b| !b.in_controlled_shutdown && b.has_uncordoned_dirs());
        let (mut ring, fenced): (Vec<&Arc<Broker>>, Vec<_>) = usable.partition(|b| !b.fenced);
        let active = ring.len();
        ring.extend(fenced);
        if active == 0 {
            return Err("All brokers are currently fenced, or have all their log directories cordoned.".into());
        }
        if factor > ring.len() {
            return Err(format!(
                "The target replication factor of {factor} cannot be reached because only {} broker(s) are registered \
                 or some brokers have all their log directories cordoned.",
                ring.len()
            ));
        }
        let replicas = |p: usize| {
            let leader = (start % active + p) % active;
            assert!(!ring[leader].fenced, "the first of the replicas is to lead");
            (0..factor).map(|k| ring[(leader + k) % ring.len()].id).collect()
        };
        Ok((0..count).map(replicas).collect())
    }

    /// A new partition on these brokers, which are all registered. The error is that none of them is active.
    pub(super) fn partition(&mut self, index: i32, replicas: &[i32]) -> Option<Partition> {
        let isr: Vec<i32> = replicas.iter().copied().filter(|id| self.is_active(*id)).collect();
        let leader = *isr.first()?;
        let directories: Box<[Uuid]> = replicas.iter().map(|id| self.directory(*id)).collect();
        assert_eq!(directories.len(), replicas.len(), "each replica lies in a directory");
        Some(Partition {
            index,
            replicas: replicas.into(),
            directories,
            isr: isr.into(),
            removing_replicas: Box::default(),
            adding_replicas: Box::default(),
            eligible_leader_replicas: Box::default(),
            last_known_elr: Box::default(),
            leader,
            leader_epoch: 0,
            partition_epoch: 0,
            leader_recovery_state: 0,
        })
    }

    fn is_active(&self, id: i32) -> bool {
        self.image.broker(id).is_some_and(|broker| broker.is_active())
    }

    fn directory(&mut self, id: i32) -> Uuid {
        let image = self.image;
        let Some(broker) = image.broker(id) else { return DIRECTORY_UNASSIGNED };
        let open: Vec<Uuid> = broker.open_log_dirs().collect();
        match open.as_slice() {
            [] => DIRECTORY_UNASSIGNED,
            [only] => *only,
            several => {
                let load = self.load.get_or_insert_with(|| count_by_directory(image));
                let of = |dir: &Uuid| load.get(dir).copied().unwrap_or(0);
                let chosen = several.iter().copied().min_by_key(of).unwrap_or(DIRECTORY_UNASSIGNED);
                *load.entry(chosen).or_default() += 1;
                chosen
            }
        }
    }
}

/// The directory of a new replica on this broker where there is no choice (`ClusterDescriber.defaultDir`).
pub(super) fn only_directory(image: &Image, id: i32) -> Uuid {
    match image.broker(id).map(|broker| &*broker.log_dirs) {
        Some([]) => DIRECTORY_MIGRATING,
        Some([only]) => *only,
        _ => DIRECTORY_UNASSIGNED,
    }
}

fn count_by_directory(image: &Image) -> BTreeMap<Uuid, usize> {
    let mut load = BTreeMap::new();
    for directory in image.topics().flat_map(|t| t.partitions.iter()).flat_map(|p| p.directories.iter()) {
        *load.entry(*directory).or_default() += 1;
    }
    load
}

/// Checks the brokers that a user chose for one partition (`ReplicationControlManager`).
pub(super) fn check_assignment(image: &Image, brokers: &[i32], factor: Option<usize>) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    if brokers.is_empty() {
        return refuse("The manual partition assignment includes an empty replica list.".into());
    }
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    for (at, id) in sorted.iter().enumerate() {
        let Some(broker) = image.broker(*id) else {
            return refuse(format!(
                "The manual partition assignment includes broker {id}, but no such broker is registered."
            ));
        };
        if !broker.has_uncordoned_dirs() {
            return refuse(format!(
                "The manual partition assignment includes broker {id}, but all its log directories are cordoned."
            ));
        }
        if at > 0 && sorted[at - 1] == *id {
            return refuse(format!("The manual partition assignment includes the broker {id} more than once."));
        }
    }
    match factor {
        Some(factor) if factor != brokers.len() => refuse(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with \
             previous partitions, which have {factor} replica(s).",
            brokers.len()
        )),
        _ => Ok(()),
    }
}
