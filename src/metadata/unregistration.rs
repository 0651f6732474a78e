//! The end of a broker's registration (`ReplicationControlManager.unregisterBroker`).

use super::apply::NO_LEADER;
use super::decision::{MAX_RECORDS_PER_REQUEST, Refusal, TOO_MANY};
use super::image::{Image, Partition, Topic};
use super::partition_change::{Election, PartitionChange};
use super::record::{Record, UnregisterBrokerRecord};
use crate::config::{Cast, Settings};
use crate::model::ErrorCode;
use std::sync::Arc;

/// Takes a broker out of the partitions that it was in sync with, and out of the cluster. `running` are the brokers of
/// this process, which serve while it decides and are not unregistered.
///
/// Partitions that the broker led are without a leader until this broker starts again and takes those that it may
/// ([`super::register_broker`]).
pub fn unregister_broker(
    image: &Image,
    settings: &Settings<'_>,
    running: Cast,
    id: i32,
) -> Result<Vec<Record<'static>>, Refusal> {
    let Some(broker) = image.broker(id) else {
        let message = format!("Broker ID {id} is not currently registered");
        return Err(Refusal::new(ErrorCode::BrokerIdNotRegistered, message));
    };
    if running.plays(id) {
        let message = format!("Broker ID {id} is the broker that was asked and is running; it cannot be unregistered");
        return Err(Refusal::new(ErrorCode::InvalidRequest, message));
    }
    let leave = |topic: &Topic, partition: &Arc<Partition>| {
        let mut change = PartitionChange::new(image, settings, topic, partition);
        change.isr.retain(|replica| *replica != id);
        if partition.leader == id {
            change.election = Election::NoLeader;
        }
        let record = change.record();
        let is_left = record.as_ref().is_some_and(|of| of.leader == NO_LEADER);
        assert!(partition.leader != id || is_left, "a broker that has gone leads nothing");
        record.map(Record::PartitionChange)
    };
    let in_sync = |topic: &'_ Arc<Topic>| {
        let partitions = topic.partitions.iter().filter(|partition| partition.isr.contains(&id));
        partitions.filter_map(|partition| leave(topic, partition)).collect::<Vec<_>>()
    };
    let mut records: Vec<_> = image.topics().flat_map(in_sync).collect();
    let record = UnregisterBrokerRecord { broker_id: id, broker_epoch: broker.epoch };
    records.push(Record::UnregisterBroker(record));
    if records.len() > MAX_RECORDS_PER_REQUEST {
        return Err(Refusal::new(ErrorCode::PolicyViolation, TOO_MANY));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::metadata::Configs;
    use crate::metadata::features::ELIGIBLE_LEADER_REPLICAS_VERSION;
    use crate::metadata::record::{FeatureLevelRecord, PartitionRecord, RegisterBrokerRecord, TopicRecord};
    use crate::model::Uuid;

    /// Brokers 1 and 2, and a topic with a partition for each of these: its replicas in sync, its eligible ones, its leader.
    fn image(eligible: bool, partitions: &[(&[i32], &[i32], i32)]) -> Image {
        let mut image = Image::default();
        let mut records = vec![Record::Topic(TopicRecord { name: "t".into(), topic_id: Uuid::ONE })];
        if eligible {
            let name = ELIGIBLE_LEADER_REPLICAS_VERSION.into();
            records.push(Record::FeatureLevel(FeatureLevelRecord { name, feature_level: 1 }));
        }
        records.extend([1, 2].map(|broker_id| {
            let (broker_epoch, fenced) = (10, false);
            Record::RegisterBroker(RegisterBrokerRecord { broker_id, broker_epoch, fenced, ..Default::default() })
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

    fn unregister(image: &Image, id: i32, min_insync: i32) -> Result<Vec<Record<'static>>, Refusal> {
        let config = Config { node_id: 1, ..Config::defaults() };
        let set = Configs::from([("min.insync.replicas".to_string(), min_insync.to_string())]);
        unregister_broker(image, &config.settings(&set, &Configs::new()), config.cast(), id)
    }

    /// What is left of each partition without broker 2: in sync, eligible, last known, leader.
    fn without(eligible: bool, min_insync: i32, partitions: &[(&[i32], &[i32], i32)]) -> Vec<String> {
        let mut image = image(eligible, partitions);
        let records = unregister(&image, 2, min_insync).unwrap();
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
            assert_eq!(unregister(&image, id, 1).unwrap_err().error, error);
        }
    }

    #[test]
    fn one_request_changes_so_much_at_most() {
        let partitions = vec![(&[1, 2][..], &[][..], 1); MAX_RECORDS_PER_REQUEST];
        let refused = unregister(&image(true, &partitions), 2, 1).unwrap_err();
        assert_eq!(refused.error, ErrorCode::PolicyViolation);
        assert!(unregister(&image(true, &partitions[1..]), 2, 1).is_ok());
    }
}
