//! The end of a broker's registration (`ReplicationControlManager.unregisterBroker`).

use super::apply::NO_LEADER;
use super::decision::{MAX_RECORDS_PER_REQUEST, Refusal};
use super::features::ELIGIBLE_LEADER_REPLICAS_VERSION;
use super::image::{Image, Partition, Topic};
use super::record::{PartitionChangeRecord, Record, UnregisterBrokerRecord};
use crate::model::{ErrorCode, Uuid};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Takes a broker out of the partitions that it was in sync with, and out of the cluster. `running` is this broker, which
/// serves while it decides and is not unregistered.
///
/// Partitions that the broker led are without a leader until this broker starts again and takes those that it may
/// ([`super::register_broker`]).
pub fn unregister_broker(
    image: &Image,
    running: i32,
    id: i32,
    min_insync: impl Fn(&Topic) -> i32,
) -> Result<Vec<Record<'static>>, Refusal> {
    let Some(broker) = image.broker(id) else {
        let message = format!("Broker ID {id} is not currently registered");
        return Err(Refusal::new(ErrorCode::BrokerIdNotRegistered, message));
    };
    if id == running {
        let message = format!("Broker ID {id} is the broker that was asked and is running; it cannot be unregistered");
        return Err(Refusal::new(ErrorCode::InvalidRequest, message));
    }
    let elects_eligible = image.feature(ELIGIBLE_LEADER_REPLICAS_VERSION) > 0;
    let mut records = Vec::new();
    for topic in image.topics() {
        let in_sync = topic.partitions.iter().filter(|partition| partition.isr.contains(&id));
        let mut in_sync = in_sync.peekable();
        if in_sync.peek().is_none() {
            continue;
        }
        // More than there are replicas cannot be asked for (`getTopicEffectiveMinIsr`).
        let replicas = topic.partitions.first().map_or(0, |first| first.replicas.len());
        let min_insync = usize::try_from(min_insync(topic)).unwrap_or(0).min(replicas);
        let leave = |partition: &Arc<Partition>| {
            Record::PartitionChange(leave_partition(topic.id, partition, id, elects_eligible.then_some(min_insync)))
        };
        records.extend(in_sync.map(leave));
    }
    let record = UnregisterBrokerRecord { broker_id: id, broker_epoch: broker.epoch };
    records.push(Record::UnregisterBroker(record));
    if records.len() > MAX_RECORDS_PER_REQUEST {
        let message = "Unable to perform excessively large batch operation.";
        return Err(Refusal::new(ErrorCode::PolicyViolation, message));
    }
    Ok(records)
}

/// The change of a partition whose in-sync replicas the broker is among (`PartitionChangeBuilder`). `min_insync` is given
/// where replicas that leave the in-sync ones stay eligible for leadership (KIP-966).
fn leave_partition(topic_id: Uuid, partition: &Partition, id: i32, min_insync: Option<usize>) -> PartitionChangeRecord {
    let isr: Vec<i32> = partition.isr.iter().copied().filter(|replica| *replica != id).collect();
    let eligible: Vec<i32> = match min_insync {
        Some(min_insync) if isr.len() < min_insync => {
            let known: BTreeSet<i32> =
                partition.eligible_leader_replicas.iter().chain(&*partition.isr).copied().collect();
            known.into_iter().filter(|replica| !isr.contains(replica)).collect()
        }
        _ => Vec::new(),
    };
    let mut change = PartitionChangeRecord { topic_id, partition_id: partition.index, ..Default::default() };
    if eligible != *partition.eligible_leader_replicas {
        change.eligible_leader_replicas = Some(eligible);
    }
    if partition.leader == id {
        change.leader = NO_LEADER;
        if min_insync.is_some() && partition.last_known_elr.is_empty() {
            change.last_known_elr = Some(vec![id]);
        }
    }
    // Without eligible replicas the last in-sync replica stays, so that it is known who has the records.
    if !isr.is_empty() || min_insync.is_some() {
        change.isr = Some(isr);
    }
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::record::{FeatureLevelRecord, PartitionRecord, RegisterBrokerRecord, TopicRecord};

    /// Brokers 1 and 2, and a topic with a partition for each of these: its replicas in sync, its eligible ones, its leader.
    fn image(eligible: bool, partitions: &[(&[i32], &[i32], i32)]) -> Image {
        let mut image = Image::default();
        let mut records = vec![Record::Topic(TopicRecord { name: "t".into(), topic_id: Uuid::ONE })];
        if eligible {
            let name = ELIGIBLE_LEADER_REPLICAS_VERSION.into();
            records.push(Record::FeatureLevel(FeatureLevelRecord { name, feature_level: 1 }));
        }
        records.extend([1, 2].map(|broker_id| {
            Record::RegisterBroker(RegisterBrokerRecord { broker_id, broker_epoch: 10, ..Default::default() })
        }));
        for (index, (isr, eligible, leader)) in partitions.iter().enumerate() {
            records.push(Record::Partition(PartitionRecord {
                topic_id: Uuid::ONE,
                partition_id: index as i32,
                replicas: vec![1, 2],
                isr: isr.to_vec(),
                eligible_leader_replicas: (!eligible.is_empty()).then(|| eligible.to_vec()),
                leader: *leader,
                ..Default::default()
            }));
        }
        for (offset, record) in records.iter().enumerate() {
            assert_eq!(image.apply(record, offset as i64), None);
        }
        image
    }

    /// What is left of each partition without broker 2: in sync, eligible, last known, leader.
    fn without(eligible: bool, min_insync: i32, partitions: &[(&[i32], &[i32], i32)]) -> Vec<String> {
        let mut image = image(eligible, partitions);
        let records = unregister_broker(&image, 1, 2, |_| min_insync).unwrap();
        for record in &records {
            assert_eq!(image.apply(record, image.offset() + 1), None);
        }
        assert!(image.broker(2).is_none() && image.broker(1).is_some());
        let show = |p: &Arc<Partition>| {
            format!("{:?} {:?} {:?} {}", p.isr, p.eligible_leader_replicas, p.last_known_elr, p.leader)
        };
        image.topic("t").unwrap().partitions.iter().map(show).collect()
    }

    #[test]
    fn it_leaves_the_replicas_in_sync() {
        let partitions: &[(&[i32], &[i32], i32)] =
            &[(&[1, 2], &[], 1), (&[1, 2], &[], 2), (&[1], &[], 1), (&[2], &[], 2)];
        // Who was the last in sync stays known.
        let without_eligible = ["[1] [] [] 1", "[1] [] [] -1", "[1] [] [] 1", "[2] [] [] -1"];
        assert_eq!(without(false, 1, partitions), without_eligible);
        // Apache Kafka 4.3.1 left `[] [1] [1] -1` of the partition of its only broker.
        assert_eq!(without(true, 1, partitions), ["[1] [] [] 1", "[1] [] [2] -1", "[1] [] [] 1", "[] [2] [2] -1"]);
    }

    #[test]
    fn below_the_minimum_it_stays_eligible() {
        let partitions: &[(&[i32], &[i32], i32)] = &[(&[1, 2], &[], 1), (&[2], &[1], 2), (&[1], &[2], 1)];
        let expected = ["[1] [2] [] 1", "[] [1, 2] [2] -1", "[1] [2] [] 1"];
        assert_eq!(without(true, 2, partitions), expected);
        // More than there are replicas cannot be asked for.
        assert_eq!(without(true, 9, partitions), expected);
    }

    #[test]
    fn only_a_registered_broker_that_does_not_run_can_go() {
        let image = image(true, &[]);
        for (id, error) in [(3, ErrorCode::BrokerIdNotRegistered), (1, ErrorCode::InvalidRequest)] {
            assert_eq!(unregister_broker(&image, 1, id, |_| 1).unwrap_err().error, error);
        }
    }

    #[test]
    fn one_request_changes_so_much_at_most() {
        let partitions = vec![(&[1, 2][..], &[][..], 1); MAX_RECORDS_PER_REQUEST];
        let refused = unregister_broker(&image(true, &partitions), 1, 2, |_| 1).unwrap_err();
        assert_eq!(refused.error, ErrorCode::PolicyViolation);
        assert!(unregister_broker(&image(true, &partitions[1..]), 1, 2, |_| 1).is_ok());
    }
}
