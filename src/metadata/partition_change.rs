//! One change of a partition's replicas, ISR or leader as the record that makes it (Kafka's `PartitionChangeBuilder`).
//!
//! Pure: what is wanted goes in, and comes out as the record that leads there, or as nothing where all is so already. A
//! reassignment that the ISR allows to end is ended by the same record. Leaders come from the ISR, from the eligible
//! replicas where the ISR is empty (KIP-966), and from elsewhere only if the election may be unclean.

use super::apply::{NO_LEADER, NO_LEADER_CHANGE};
use super::features::ELIGIBLE_LEADER_REPLICAS_VERSION;
use super::image::{Image, Partition, Topic};
use super::levels::knows_directories;
use super::placement::only_directory;
use super::record::{PartitionChangeRecord, Record};
use super::registration::DIRECTORY_UNASSIGNED;
use crate::config::{Settings, TopicConfig};
use crate::model::Uuid;

/// Before 3.6 an ISR that shrinks must come with a new leader epoch (KAFKA-15021).
const IBP_3_6_IV0: i16 = 12;
/// `LeaderRecoveryState.RECOVERING`
const RECOVERING: i8 = 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Election {
    /// The first of the replicas, if it may lead; else as `Online`.
    Preferred,
    /// Who leads goes on; else the first that may lead.
    Online,
    /// As `Online`, and at last any replica that is there.
    Unclean,
    /// No replica leads for now.
    NoLeader,
}

/// A partition as it shall be.
pub(super) struct PartitionChange<'a> {
    image: &'a Image,
    topic: &'a Topic,
    partition: &'a Partition,
    min_insync_replicas: usize,
    has_elr: bool,
    pub(super) allows_unclean: bool,
    pub(super) election: Election,
    pub(super) replicas: Vec<i32>,
    pub(super) isr: Vec<i32>,
    pub(super) removing: Vec<i32>,
    pub(super) adding: Vec<i32>,
    elr: Vec<i32>,
}

impl<'a> PartitionChange<'a> {
    /// No change yet.
    pub(super) fn new(
        image: &'a Image,
        settings: &Settings<'_>,
        topic: &'a Topic,
        partition: &'a Partition,
    ) -> PartitionChange<'a> {
        let config = TopicConfig::resolve(settings, image.topic_configs(&topic.name));
        PartitionChange {
            image,
            topic,
            partition,
            min_insync_replicas: config.min_insync_replicas.max(0) as usize,
            has_elr: image.feature(ELIGIBLE_LEADER_REPLICAS_VERSION) > 0,
            allows_unclean: config.unclean_leader_election_enable,
            election: Election::Online,
            replicas: partition.replicas.to_vec(),
            isr: partition.isr.to_vec(),
            removing: partition.removing_replicas.to_vec(),
            adding: partition.adding_replicas.to_vec(),
            elr: partition.eligible_leader_replicas.to_vec(),
        }
    }

    /// The record that makes it so; `None` if nothing changes.
    pub(super) fn record(mut self) -> Option<PartitionChangeRecord> {
        let unchanged =
            PartitionChangeRecord { partition_id: self.partition.index, topic_id: self.topic.id, ..Default::default() };
        let mut record = unchanged.clone();
        self.end_reassignment();
        self.derive_elr();
        self.elect(&mut record);
        if record.leader == NO_LEADER_CHANGE && !contains_all(&self.replicas, &self.partition.replicas) {
            record.leader = self.partition.leader;
        }
        self.tell_isr(&mut record);
        self.tell_last_known_leader(&mut record);
        self.tell_assignment(&mut record);
        (record != unchanged).then_some(record)
    }

    /// Ends the reassignment if all replicas that are to stay are in the ISR
    /// (`PartitionReassignmentReplicas.maybeCompleteReassignment`).
    fn end_reassignment(&mut self) {
        let without_removing =
            |ids: &[i32]| -> Vec<i32> { ids.iter().copied().filter(|id| !self.removing.contains(id)).collect() };
        let (isr, replicas) = (without_removing(&self.isr), without_removing(&self.replicas));
        let is_shrinking = self.adding.len() < self.removing.len();
        let is_moving = !self.removing.is_empty() || !self.adding.is_empty();
        let is_left_alone = !self.removing.is_empty() && (isr.is_empty() || replicas.is_empty());
        let waits = !contains_all(&isr, &self.adding) || is_shrinking && !contains_all(&isr, &replicas);
        if is_moving && !is_left_alone && !waits {
            assert!(!self.removing.iter().any(|id| isr.contains(id)), "a replica that leaves is in sync no longer");
            (self.isr, self.replicas) = (isr, replicas);
            self.removing.clear();
            self.adding.clear();
        }
    }

    /// Who was in the ISR stays eligible as long as the ISR is too small for a commit.
    fn derive_elr(&mut self) {
        if !self.has_elr {
            return;
        }
        if self.isr.len() >= self.min_insync_replicas {
            return self.elr.clear();
        }
        self.elr.extend(self.partition.isr.iter().copied());
        self.elr.sort_unstable();
        self.elr.dedup();
        self.elr.retain(|id| !self.isr.contains(id));
        assert!(self.elr.windows(2).all(|pair| pair[0] < pair[1]), "an eligible replica is named once");
    }

    fn elect(&mut self, record: &mut PartitionChangeRecord) {
        let (leader, is_unclean) = self.leader();
        if leader == self.partition.leader {
            return;
        }
        record.leader = leader;
        if self.elr.contains(&leader) {
            self.isr = vec![leader];
            self.elr.retain(|id| *id != leader);
        }
        if is_unclean {
            record.isr = Some(vec![leader]);
            if self.partition.leader_recovery_state != RECOVERING {
                record.leader_recovery_state = RECOVERING;
            }
        }
    }

    /// Who shall lead, and whether records may be lost by it.
    fn leader(&self) -> (i32, bool) {
        if self.election == Election::NoLeader {
            return (NO_LEADER, false);
        }
        let current = self.partition.leader;
        let preferred = self.replicas.first().copied().filter(|_| self.election == Election::Preferred);
        let mut candidates = preferred.into_iter().chain([current]).chain(self.replicas.iter().copied());
        if let Some(leader) = candidates.find(|id| self.may_lead(*id)) {
            return (leader, false);
        }
        if let [last] = *self.partition.last_known_elr
            && self.has_elr
            && self.elr.is_empty()
            && self.isr.is_empty()
            && self.is_there(last)
        {
            return (last, true);
        }
        let any = self.replicas.iter().copied().find(|id| self.is_there(*id));
        match any {
            Some(leader) if self.election == Election::Unclean => (leader, true),
            _ => (NO_LEADER, false),
        }
    }

    fn may_lead(&self, id: i32) -> bool {
        (self.isr.contains(&id) || self.isr.is_empty() && self.elr.contains(&id)) && self.is_there(id)
    }

    /// Whether the broker runs and has the directory of its replica.
    fn is_there(&self, id: i32) -> bool {
        let Some(broker) = self.image.broker(id) else { return false };
        broker.is_active() && broker.has_online(self.directory(id).unwrap_or(DIRECTORY_UNASSIGNED))
    }

    fn directory(&self, id: i32) -> Option<Uuid> {
        let at = self.partition.replicas.iter().position(|replica| *replica == id)?;
        self.partition.directories.get(at).copied()
    }

    fn tell_isr(&mut self, record: &mut PartitionChangeRecord) {
        let is_clean = record.isr.is_none();
        if !is_clean || !self.has_elr {
            self.elr.clear();
        }
        if *self.elr != *self.partition.eligible_leader_replicas {
            record.eligible_leader_replicas = Some(self.elr.clone());
        }
        if is_clean && (!self.isr.is_empty() || self.has_elr) && *self.isr != *self.partition.isr {
            record.isr = Some(self.isr.clone());
        }
        let shrinks = record.isr.as_ref().is_some_and(|isr| !contains_all(isr, &self.partition.isr));
        if shrinks && record.leader == NO_LEADER_CHANGE && self.image.metadata_version() < IBP_3_6_IV0 {
            record.leader = self.partition.leader;
        }
    }

    fn tell_last_known_leader(&self, record: &mut PartitionChangeRecord) {
        let known = &self.partition.last_known_elr;
        if self.has_elr && record.leader == NO_LEADER && known.is_empty() {
            record.last_known_elr = Some(vec![self.partition.leader]);
        } else if self.has_elr && record.leader >= 0 && !known.is_empty() {
            record.last_known_elr = Some(Vec::new());
        }
    }

    fn tell_assignment(&self, record: &mut PartitionChangeRecord) {
        if !self.replicas.is_empty() && *self.replicas != *self.partition.replicas {
            record.replicas = Some(self.replicas.clone());
        }
        if !self.replicas.is_empty() && knows_directories(self.image.metadata_version()) {
            let of = |id: &i32| self.directory(*id).unwrap_or_else(|| only_directory(self.image, *id));
            let directories: Vec<Uuid> = self.replicas.iter().map(of).collect();
            if *directories != *self.partition.directories {
                record.directories = Some(directories);
            }
        }
        if *self.removing != *self.partition.removing_replicas {
            record.removing_replicas = Some(self.removing.clone());
        }
        if *self.adding != *self.partition.adding_replicas {
            record.adding_replicas = Some(self.adding.clone());
        }
    }
}

/// Whether a record makes a leader of a replica that was not in sync (`PartitionRegistration.electionWasClean`). A move that a
/// test asks for says nothing of a recovery: played brokers have the same logs, and nothing is lost by it.
pub fn is_unclean_election(record: &Record<'_>, image: &Image) -> bool {
    let Record::PartitionChange(change) = record else { return false };
    let Some(before) = image.partition(change.topic_id, change.partition_id) else { return false };
    let was_safe = |leader: &i32| before.isr.contains(leader) || before.eligible_leader_replicas.contains(leader);
    let is_recovering = [change.leader_recovery_state, before.leader_recovery_state].contains(&RECOVERING);
    change.leader >= 0 && is_recovering && !was_safe(&change.leader)
}

fn contains_all(all: &[i32], some: &[i32]) -> bool {
    some.iter().all(|id| all.contains(id))
}

#[cfg(test)]
mod tests;
