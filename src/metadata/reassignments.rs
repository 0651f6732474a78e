//! Decisions about moving partitions to other brokers (`ReplicationControlManager.alterPartitionReassignments`, KIP-455).
//!
//! What the ISR allows is done at once: another order of the same replicas, replicas that are given up. Replicas on other
//! brokers are written down as being added, and the reassignment goes on when they are there.

use super::decision::{Decisions, MAX_RECORDS_PER_REQUEST, Refusal, TOO_MANY};
use super::image::{Image, Partition, Topic};
use super::partition_change::{Election, PartitionChange};
use super::placement::check_assignment;
use super::record::{PartitionChangeRecord, Record};
use crate::config::Settings;
use crate::model::ErrorCode;
use std::collections::BTreeSet;

/// Where a partition is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reassignment {
    pub partition: i32,
    /// `None`: the reassignment that is under way shall be given up.
    pub replicas: Option<Vec<i32>>,
}

/// What became of the partitions of one topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reassigned {
    pub topic: String,
    pub partitions: Vec<(i32, Result<(), Refusal>)>,
}

/// `allows_other_factor`: whether a partition may get more or fewer replicas than it has (KIP-860).
pub fn alter_partition_reassignments(
    image: &Image,
    settings: &Settings<'_>,
    topics: &[(String, Vec<Reassignment>)],
    allows_other_factor: bool,
) -> Decisions<Reassigned> {
    let mut decision = Decisions::default();
    for (topic, wanted) in topics {
        let mut reassigned = Reassigned { topic: topic.clone(), partitions: Vec::new() };
        for one in wanted {
            let result = if decision.records.len() < MAX_RECORDS_PER_REQUEST {
                alter(image, settings, topic, one, allows_other_factor)
            } else {
                Err(Refusal::new(ErrorCode::PolicyViolation, TOO_MANY))
            };
            let result = result.map(|record| decision.records.extend(record.map(Record::PartitionChange)));
            reassigned.partitions.push((one.partition, result));
        }
        decision.results.push(reassigned);
    }
    assert!(decision.records.len() <= MAX_RECORDS_PER_REQUEST, "what is too much is refused");
    decision
}

fn alter(
    image: &Image,
    settings: &Settings<'_>,
    name: &str,
    wanted: &Reassignment,
    allows_other_factor: bool,
) -> Result<Option<PartitionChangeRecord>, Refusal> {
    let unknown = |message: String| Refusal::new(ErrorCode::UnknownTopicOrPartition, message);
    let topic = image.topic(name).ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
    let partition = topic
        .partition(wanted.partition)
        .ok_or_else(|| unknown(format!("Unable to find partition {name}:{}.", wanted.partition)))?;
    let change = PartitionChange::new(image, settings, topic, partition);
    match &wanted.replicas {
        None => cancel(change, topic, partition),
        Some(replicas) => {
            check_assignment(image, replicas, None)?;
            if !allows_other_factor {
                check_same_factor(partition, replicas.len())?;
            }
            Ok(reassign(change, partition, replicas))
        }
    }
}

fn reassign(mut change: PartitionChange<'_>, partition: &Partition, replicas: &[i32]) -> Option<PartitionChangeRecord> {
    let only_in = |these: &[i32], others: &[i32]| -> Vec<i32> {
        let these: BTreeSet<i32> = these.iter().copied().collect();
        these.into_iter().filter(|id| !others.contains(id)).collect()
    };
    let removing = only_in(&partition.replicas, replicas);
    let adding = only_in(replicas, &partition.replicas);
    change.replicas = replicas.iter().chain(&removing).copied().collect();
    let distinct: BTreeSet<i32> = change.replicas.iter().copied().collect();
    assert_eq!(distinct.len(), change.replicas.len(), "a broker that is named twice was refused");
    // Where neither is to be done, what an earlier reassignment wanted stays.
    if !removing.is_empty() {
        change.removing = removing;
    }
    if !adding.is_empty() {
        change.adding = adding;
    }
    change.record()
}

fn check_same_factor(partition: &Partition, wanted: usize) -> Result<(), Refusal> {
    let all: BTreeSet<i32> = partition.replicas.iter().chain(&partition.adding_replicas).copied().collect();
    let current = match is_under_way(partition) {
        true => all.iter().filter(|id| !partition.removing_replicas.contains(id)).count(),
        false => partition.replicas.len(),
    };
    if current == wanted {
        return Ok(());
    }
    let message = format!("The replication factor is changed from {current} to {wanted}");
    Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message))
}

fn is_under_way(partition: &Partition) -> bool {
    !partition.removing_replicas.is_empty() || !partition.adding_replicas.is_empty()
}

/// Back to the replicas of before (`PartitionReassignmentRevert`).
fn cancel(
    mut change: PartitionChange<'_>,
    topic: &Topic,
    partition: &Partition,
) -> Result<Option<PartitionChangeRecord>, Refusal> {
    if !is_under_way(partition) {
        return Err(Refusal::of(ErrorCode::NoReassignmentInProgress));
    }
    let kept = |ids: &[i32]| -> Vec<i32> {
        ids.iter().copied().filter(|id| !partition.adding_replicas.contains(id)).collect()
    };
    let (replicas, mut isr) = (kept(&partition.replicas), kept(&partition.isr));
    let invalid = |message: String| Refusal::new(ErrorCode::InvalidReplicaAssignment, message);
    let first = *replicas
        .first()
        .ok_or_else(|| invalid("Invalid replica assignment: addingReplicas contains all replicas.".into()))?;
    if isr.is_empty() {
        if !change.allows_unclean {
            return Err(invalid(format!(
                "Unable to revert partition assignment for {}:{} because it would require an unclean leader election.",
                topic.name, partition.index
            )));
        }
        isr.push(first);
    }
    if change.allows_unclean {
        change.election = Election::Unclean;
    }
    assert!(!replicas.is_empty() && !isr.is_empty(), "a partition keeps a replica");
    (change.replicas, change.isr) = (replicas, isr);
    change.removing.clear();
    change.adding.clear();
    Ok(change.record())
}
