//! What a test does to the brokers that one process plays: a leader moves, a broker goes down or comes back. All of them have the
//! same logs, so that a replica is in sync as soon as its broker is up.

use super::apply::NO_LEADER;
use super::bootstrap::lead;
use super::decision::{MAX_RECORDS_PER_REQUEST, Refusal, TOO_MANY};
use super::image::{Image, Partition, Topic};
use super::levels::knows_directories;
use super::partition_change::PartitionChange;
use super::placement::only_directory;
use super::record::{BrokerRegistrationChangeRecord, PartitionChangeRecord, Record, RegisterBrokerRecord};
use super::registration::Broker;
use crate::config::Settings;
use crate::model::ErrorCode;
use std::sync::Arc;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Play {
    /// A broker is to lead a partition. Where it has no replica, it takes over that of the leader.
    MoveLeader { topic: String, partition: i32, to: i32 },
    /// A broker is fenced, and leads nothing (`ReplicationControlManager.handleBrokerFenced`).
    TakeDown(i32),
    /// It is unfenced, in sync, and leads what has no leader (`ReplicationControlManager.handleBrokerUnfenced`).
    BringUp(i32),
    /// It is in another rack, or in none.
    SetRack(i32, Option<String>),
}

/// Decides about it. A broker that is as it shall be is left alone.
pub(super) fn play(image: &Image, settings: &Settings<'_>, play: &Play) -> Result<Vec<Record<'static>>, Refusal> {
    let records = match play {
        Play::MoveLeader { topic, partition, to } => move_leader(image, topic, *partition, *to)?,
        Play::TakeDown(id) => take_down(image, settings, broker(image, *id)?),
        Play::BringUp(id) => bring_up(image, broker(image, *id)?),
        Play::SetRack(id, rack) => set_rack(broker(image, *id)?, rack.as_deref()),
    };
    match records.len() {
        ..=MAX_RECORDS_PER_REQUEST => Ok(records),
        _ => Err(Refusal::new(ErrorCode::PolicyViolation, TOO_MANY)),
    }
}

fn broker(image: &Image, id: i32) -> Result<&Arc<Broker>, Refusal> {
    let unknown = || Refusal::new(ErrorCode::BrokerIdNotRegistered, format!("there is no broker {id}"));
    image.broker(id).ok_or_else(unknown)
}

fn move_leader(image: &Image, name: &str, index: i32, to: i32) -> Result<Vec<Record<'static>>, Refusal> {
    let found = image.topic(name).and_then(|topic| Some((topic, topic.partition(index)?)));
    let unknown = || Refusal::new(ErrorCode::UnknownTopicOrPartition, format!("there is no partition {name}-{index}"));
    let (topic, partition) = found.ok_or_else(unknown)?;
    if !broker(image, to)?.is_active() {
        return Err(Refusal::new(ErrorCode::BrokerNotAvailable, format!("the broker {to} is down")));
    }
    if partition.leader == to {
        return Ok(Vec::new());
    }
    let mut change = PartitionChangeRecord {
        partition_id: index,
        topic_id: topic.id,
        leader: to,
        isr: Some(in_sync_with(partition, to)),
        ..Default::default()
    };
    if !partition.replicas.contains(&to) {
        let gone = if partition.leader == NO_LEADER { partition.replicas[0] } else { partition.leader };
        let instead = |all: &[i32]| all.iter().map(|id| if *id == gone { to } else { *id }).collect::<Vec<_>>();
        change.replicas = Some(instead(&partition.replicas));
        change.isr = Some(instead(&in_sync_with(partition, gone)));
        if knows_directories(image.metadata_version()) {
            let mut directories = partition.directories.to_vec();
            let at = partition.replicas.iter().position(|id| *id == gone);
            at.and_then(|at| directories.get_mut(at)).into_iter().for_each(|of| *of = only_directory(image, to));
            change.directories = Some(directories);
        }
    }
    forget_eligible(partition, &mut change);
    Ok(vec![Record::PartitionChange(change)])
}

/// The ISR with a replica, in the order of the replicas.
fn in_sync_with(partition: &Partition, id: i32) -> Vec<i32> {
    let is_in_sync = |other: &i32| *other == id || partition.isr.contains(other);
    partition.replicas.iter().copied().filter(is_in_sync).collect()
}

/// A partition with a leader has no other eligible replicas than those in sync.
fn forget_eligible(partition: &Partition, change: &mut PartitionChangeRecord) {
    if !partition.eligible_leader_replicas.is_empty() {
        change.eligible_leader_replicas = Some(Vec::new());
    }
    if !partition.last_known_elr.is_empty() {
        change.last_known_elr = Some(Vec::new());
    }
}

fn fencing(broker: &Broker, is_fenced: bool) -> Record<'static> {
    Record::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
        broker_id: broker.id,
        broker_epoch: broker.epoch,
        fenced: if is_fenced { 1 } else { -1 },
        ..Default::default()
    })
}

fn take_down(image: &Image, settings: &Settings<'_>, broker: &Broker) -> Vec<Record<'static>> {
    if broker.fenced {
        return Vec::new();
    }
    let mut records = vec![fencing(broker, true)];
    // Its replicas may lead nothing from now on, the eligible ones neither.
    let mut without = image.clone();
    let ignored = without.apply(&records[0], image.offset() + 1);
    assert_eq!(ignored, None, "the broker is registered");
    let leave = |topic: &Topic, partition: &Arc<Partition>| {
        let mut change = PartitionChange::new(&without, settings, topic, partition);
        change.isr.retain(|replica| *replica != broker.id);
        let record = change.record()?;
        assert_ne!(record.leader, broker.id, "a broker that is down leads nothing");
        Some(Record::PartitionChange(record))
    };
    for topic in image.topics() {
        let in_sync = topic.partitions.iter().filter(|partition| partition.isr.contains(&broker.id));
        records.extend(in_sync.filter_map(|partition| leave(topic, partition)));
    }
    records
}

/// It registers anew, as a broker does that is started with another rack.
fn set_rack(broker: &Broker, rack: Option<&str>) -> Vec<Record<'static>> {
    if broker.rack.as_deref() == rack {
        return Vec::new();
    }
    let rack = rack.map(|rack| rack.to_string().into());
    vec![Record::RegisterBroker(RegisterBrokerRecord { rack, ..broker.to_record() })]
}

fn bring_up(image: &Image, broker: &Broker) -> Vec<Record<'static>> {
    if !broker.fenced {
        return Vec::new();
    }
    let mut records = vec![fencing(broker, false)];
    for topic in image.topics() {
        let of_it = topic.partitions.iter().filter(|partition| partition.replicas.contains(&broker.id));
        records.extend(of_it.filter_map(|partition| join(topic, partition, broker)).map(Record::PartitionChange));
    }
    records
}

/// It leads a partition without a leader, where it may; else it is in sync again.
fn join(topic: &Topic, partition: &Partition, broker: &Broker) -> Option<PartitionChangeRecord> {
    let leads = lead(topic.id, partition, broker, true);
    if leads.is_some() || partition.leader == NO_LEADER || partition.isr.contains(&broker.id) {
        return leads;
    }
    let mut change = PartitionChangeRecord {
        partition_id: partition.index,
        topic_id: topic.id,
        isr: Some(in_sync_with(partition, broker.id)),
        ..Default::default()
    };
    forget_eligible(partition, &mut change);
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::metadata::Configs;
    use crate::metadata::features::ELIGIBLE_LEADER_REPLICAS_VERSION;
    use crate::metadata::record::{FeatureLevelRecord, PartitionRecord, TopicRecord};
    use crate::model::Uuid;

    /// Brokers 1 to 3, and a topic with the replicas 1 and 2, and one with the replica 1 alone.
    fn image(has_elr: bool) -> Image {
        let mut records = Vec::new();
        if has_elr {
            let name = ELIGIBLE_LEADER_REPLICAS_VERSION.into();
            records.push(Record::FeatureLevel(FeatureLevelRecord { name, feature_level: 1 }));
        }
        records.extend([1, 2, 3].map(|broker_id| {
            let (broker_epoch, fenced) = (10, false);
            Record::RegisterBroker(RegisterBrokerRecord { broker_id, broker_epoch, fenced, ..Default::default() })
        }));
        for (name, topic_id, replicas) in [("two", Uuid::ONE, vec![1, 2]), ("one", Uuid([7; 16]), vec![1])] {
            records.push(Record::Topic(TopicRecord { name: name.into(), topic_id }));
            let isr = replicas.clone();
            records.push(Record::Partition(PartitionRecord {
                topic_id,
                partition_id: 0,
                replicas,
                isr,
                leader: 1,
                leader_epoch: 0,
                ..Default::default()
            }));
        }
        let mut image = Image::default();
        apply(&mut image, &records);
        image
    }

    fn apply(image: &mut Image, records: &[Record<'_>]) {
        for record in records {
            assert_eq!(image.apply(record, image.offset() + 1), None, "{record:?}");
        }
    }

    fn decided(image: &Image, wanted: &Play) -> Result<Vec<Record<'static>>, Refusal> {
        play(image, &Config::defaults().settings(&Configs::new(), &Configs::new()), wanted)
    }

    fn done(image: &mut Image, wanted: &Play) {
        let records = decided(image, wanted).unwrap();
        apply(image, &records);
        assert_eq!(decided(image, wanted), Ok(Vec::new()), "a second time there is nothing to do");
    }

    /// Replicas, ISR, leader, leader epoch.
    fn shown(image: &Image, topic: &str) -> String {
        let partition = &image.topic(topic).unwrap().partitions[0];
        format!("{:?} {:?} {} {}", partition.replicas, partition.isr, partition.leader, partition.leader_epoch)
    }

    fn to(topic: &str, to: i32) -> Play {
        Play::MoveLeader { topic: topic.into(), partition: 0, to }
    }

    #[test]
    fn a_leader_moves_to_a_replica_or_takes_its_replica_along() {
        let mut image = image(false);
        done(&mut image, &to("two", 2));
        assert_eq!(shown(&image, "two"), "[1, 2] [1, 2] 2 1");
        done(&mut image, &to("two", 3));
        assert_eq!(shown(&image, "two"), "[1, 3] [1, 3] 3 2");
        done(&mut image, &to("one", 3));
        assert_eq!(shown(&image, "one"), "[3] [3] 3 1");
        let code = |wanted: &Play| decided(&image, wanted).unwrap_err().error;
        assert_eq!(code(&to("two", 4)), ErrorCode::BrokerIdNotRegistered);
        assert_eq!(code(&to("three", 1)), ErrorCode::UnknownTopicOrPartition);
        assert_eq!(code(&Play::TakeDown(9)), ErrorCode::BrokerIdNotRegistered);
    }

    #[test]
    fn a_broker_moves_to_another_rack_and_is_else_what_it_was() {
        let mut image = image(false);
        let before = image.broker(2).unwrap().clone();
        for rack in [Some("a"), Some("b"), None] {
            done(&mut image, &Play::SetRack(2, rack.map(str::to_string)));
            let rack = rack.map(str::to_string);
            assert_eq!(**image.broker(2).unwrap(), Broker { rack, ..(*before).clone() });
        }
        assert_eq!(shown(&image, "two"), "[1, 2] [1, 2] 1 0");
        assert_eq!(decided(&image, &Play::SetRack(9, None)).unwrap_err().error, ErrorCode::BrokerIdNotRegistered);
    }

    #[test]
    fn a_broker_goes_down_and_comes_back() {
        for has_elr in [false, true] {
            let mut image = image(has_elr);
            done(&mut image, &Play::TakeDown(1));
            assert_eq!(shown(&image, "two"), "[1, 2] [2] 2 1");
            assert_eq!(image.topic("one").unwrap().partitions[0].leader, NO_LEADER);
            assert_eq!(decided(&image, &to("two", 1)).unwrap_err().error, ErrorCode::BrokerNotAvailable);
            done(&mut image, &Play::TakeDown(2));
            assert_eq!(image.topic("two").unwrap().partitions[0].leader, NO_LEADER, "it was the last in sync");
            done(&mut image, &Play::BringUp(2));
            assert_eq!(shown(&image, "two"), "[1, 2] [2] 2 3");
            done(&mut image, &Play::BringUp(1));
            assert_eq!(shown(&image, "two"), "[1, 2] [1, 2] 2 3");
            assert_eq!(shown(&image, "one"), "[1] [1] 1 2");
        }
    }
}
