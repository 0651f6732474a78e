//! The first records of a fresh cluster, and those of each start: the broker's registration and its leaderships.

use super::apply::NO_LEADER;
use super::features::{ELIGIBLE_LEADER_REPLICAS_VERSION, FRESH_FEATURES, supported_features};
use super::image::{Image, Partition, ResourceType};
use super::record::{
    BeginTransactionRecord, BrokerRegistrationChangeRecord, ConfigRecord, EndTransactionRecord, FeatureLevelRecord,
    PartitionChangeRecord, Record,
};
use super::registration::{Broker, Endpoint};
use crate::model::Uuid;

/// The records that a fresh cluster begins with, as Kafka 4.3.1 writes them: the features in one metadata transaction.
/// With eligible leader replicas the cluster-wide `min.insync.replicas` becomes a dynamic config (KIP-966), so its
/// value is taken from the broker's configuration.
pub fn fresh_cluster(min_insync_replicas: i32) -> Vec<Record<'static>> {
    let name = Some("Bootstrap records".into());
    let mut records = vec![Record::BeginTransaction(BeginTransactionRecord { name })];
    for (name, level) in FRESH_FEATURES {
        records.push(Record::FeatureLevel(FeatureLevelRecord { name: (*name).into(), feature_level: *level }));
    }
    debug_assert!(FRESH_FEATURES.iter().any(|(name, _)| *name == ELIGIBLE_LEADER_REPLICAS_VERSION));
    records.push(Record::Config(ConfigRecord {
        resource_type: ResourceType::Broker as i8,
        resource_name: "".into(),
        name: "min.insync.replicas".into(),
        value: Some(min_insync_replicas.to_string().into()),
    }));
    records.push(Record::EndTransaction(EndTransactionRecord {}));
    records
}

/// What a broker says about itself at a start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    pub id: i32,
    /// Random, new at every start.
    pub incarnation_id: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<String>,
    pub log_dirs: Vec<Uuid>,
}

/// Registers this broker, which is its own controller, and makes it the leader where it can be.
///
/// `next_offset` is where the first record will stand in the log: it becomes the broker's epoch. Partitions without a
/// leader get one (Apache Kafka leaves them so at its last shutdown). After a stop that was not clean every leadership
/// gets a new epoch: records may have been cut off, and consumers learn from the epoch that offsets were given anew.
pub fn register_broker(
    image: &Image,
    broker: &Registration,
    next_offset: i64,
    was_clean_shutdown: bool,
) -> Vec<Record<'static>> {
    let registered = Broker {
        id: broker.id,
        epoch: next_offset,
        incarnation_id: broker.incarnation_id,
        endpoints: broker.endpoints.clone(),
        features: supported_features(),
        rack: broker.rack.clone(),
        fenced: true,
        in_controlled_shutdown: false,
        log_dirs: broker.log_dirs.clone(),
        cordoned_log_dirs: Some(Vec::new()),
        is_migrating_zk_broker: false,
    };
    let unfence = BrokerRegistrationChangeRecord {
        broker_id: broker.id,
        broker_epoch: next_offset,
        fenced: -1,
        ..Default::default()
    };
    let mut records = vec![Record::RegisterBroker(registered.to_record()), Record::BrokerRegistrationChange(unfence)];
    for topic in image.topics() {
        let changed = topic.partitions.iter().filter_map(|p| lead(topic.id, p, broker.id, was_clean_shutdown));
        records.extend(changed.map(Record::PartitionChange));
    }
    records
}

/// The change that makes this broker the leader, where it may be one and is not, or is one after a crash.
fn lead(topic_id: Uuid, partition: &Partition, id: i32, was_clean_shutdown: bool) -> Option<PartitionChangeRecord> {
    let eligible = partition.isr.contains(&id) || partition.eligible_leader_replicas.contains(&id);
    let vacant = partition.leader == NO_LEADER;
    let shaken = partition.leader == id && !was_clean_shutdown;
    if !eligible || !(vacant || shaken) {
        return None;
    }
    let mut change =
        PartitionChangeRecord { partition_id: partition.index, topic_id, leader: id, ..Default::default() };
    if !partition.isr.contains(&id) {
        change.isr = Some(vec![id]);
        let others = partition.eligible_leader_replicas.iter().copied().filter(|other| *other != id);
        change.eligible_leader_replicas = Some(others.collect());
    }
    Some(change)
}
