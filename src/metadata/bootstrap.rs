//! The first records of a fresh cluster, and those of each start: the broker's registration and its leaderships.

use super::apply::NO_LEADER;
use super::features::{ELIGIBLE_LEADER_REPLICAS_VERSION, FRESH_FEATURES, supported_features};
use super::image::{Image, Partition, ResourceType};
use super::levels::{knows_cordoned_directories, knows_directories};
use super::record::{
    BeginTransactionRecord, BrokerRegistrationChangeRecord, ConfigRecord, EndTransactionRecord, FeatureLevelRecord,
    PartitionChangeRecord, Record,
};
use super::registration::{Broker, Endpoint};
use crate::model::Uuid;
use std::sync::Arc;

/// `LeaderRecoveryState.RECOVERED`
const RECOVERED: i8 = 0;

/// The records that a fresh cluster begins with, as Kafka 4.4.0 writes them: the features in one metadata transaction.
/// `formatted` is what `kafka-storage format` has left for it (features, SCRAM credentials), if it was formatted so.
/// With eligible leader replicas the cluster-wide `min.insync.replicas` becomes a dynamic config (KIP-966), so its
/// value is taken from the broker's configuration.
pub fn fresh_cluster(formatted: Option<Vec<Record<'static>>>, min_insync_replicas: i32) -> Vec<Record<'static>> {
    let feature = |(name, level): &(&'static str, i16)| {
        Record::FeatureLevel(FeatureLevelRecord { name: (*name).into(), feature_level: *level })
    };
    let first = formatted.unwrap_or_else(|| FRESH_FEATURES.iter().map(feature).collect());
    let elects_eligible = first.iter().any(|record| {
        matches!(record, Record::FeatureLevel(f) if f.name == ELIGIBLE_LEADER_REPLICAS_VERSION && f.feature_level > 0)
    });
    let name = Some("Bootstrap records".into());
    let mut records = vec![Record::BeginTransaction(BeginTransactionRecord { name })];
    records.extend(first);
    if elects_eligible {
        records.push(Record::Config(ConfigRecord {
            resource_type: ResourceType::Broker as i8,
            resource_name: "".into(),
            name: "min.insync.replicas".into(),
            value: Some(min_insync_replicas.to_string().into()),
        }));
    }
    records.push(Record::EndTransaction(EndTransactionRecord {}));
    let is_begin = |record: &Record<'_>| matches!(record, Record::BeginTransaction(_));
    assert!(records.iter().skip(1).all(|record| !is_begin(record)), "the first records are one transaction");
    records
}

/// The last record of a broker that stops: no controller must wait for the end of its session.
pub fn fence_broker(image: &Image, id: i32) -> Vec<Record<'static>> {
    let unfenced = image.broker(id).filter(|broker| !broker.fenced);
    let fence = |broker: &Arc<Broker>| BrokerRegistrationChangeRecord {
        broker_id: id,
        broker_epoch: broker.epoch,
        fenced: 1,
        ..Default::default()
    };
    unfenced.map(|broker| Record::BrokerRegistrationChange(fence(broker))).into_iter().collect()
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
    /// Those of them that get no new partitions.
    pub cordoned_log_dirs: Vec<Uuid>,
}

/// Registers this broker, which is its own controller, and makes it the leader where it can be.
///
/// `next_offset` is where the first record will stand in the log: it becomes the broker's epoch. Partitions without a
/// leader get one (Apache Kafka leaves them so at its last shutdown). A partition whose directory is not among those of
/// the registration loses its leader until the directory is back. After a stop that was not clean every leadership
/// gets a new epoch: records may have been cut off, and consumers learn from the epoch that offsets were given anew.
pub fn register_broker(
    image: &Image,
    broker: &Registration,
    next_offset: i64,
    was_clean_shutdown: bool,
) -> Vec<Record<'static>> {
    assert!(next_offset > image.offset(), "an epoch is an offset that no record has yet");
    let level = image.metadata_version();
    let registered = Broker {
        id: broker.id,
        epoch: next_offset,
        incarnation_id: broker.incarnation_id,
        endpoints: broker.endpoints.clone(),
        features: supported_features(),
        rack: broker.rack.clone(),
        fenced: true,
        in_controlled_shutdown: false,
        // A reader that knows no directories takes all of them to be there.
        log_dirs: if knows_directories(level) { broker.log_dirs.clone() } else { Vec::new() },
        cordoned_log_dirs: knows_cordoned_directories(level).then(|| broker.cordoned_log_dirs.clone()),
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
        let changed = topic.partitions.iter().filter_map(|p| lead(topic.id, p, &registered, was_clean_shutdown));
        records.extend(changed.map(Record::PartitionChange));
    }
    records
}

/// The change that tells which log directories a broker has left, and which of them are cordoned; nothing where that is
/// known.
pub fn change_log_dirs(image: &Image, broker_id: i32, left: &[Uuid], cordoned: &[Uuid]) -> Vec<Record<'static>> {
    let level = image.metadata_version();
    let Some(broker) = image.broker(broker_id) else { return Vec::new() };
    // An empty list says that nothing has changed.
    let has_lost = broker.log_dirs != left && !left.is_empty() && knows_directories(level);
    let is_told = broker.cordoned_log_dirs.as_deref().unwrap_or_default() == cordoned;
    let is_cordoned = !is_told && knows_cordoned_directories(level);
    if !has_lost && !is_cordoned {
        return Vec::new();
    }
    let change = BrokerRegistrationChangeRecord {
        broker_id,
        broker_epoch: broker.epoch,
        log_dirs: if has_lost { left.to_vec() } else { Vec::new() },
        cordoned_log_dirs: is_cordoned.then(|| cordoned.to_vec()),
        ..Default::default()
    };
    vec![Record::BrokerRegistrationChange(change)]
}

/// The change that makes this broker the leader, where it may be one and is not, or is one after a crash; or that takes
/// the leadership away, where its replica cannot be reached (`ReplicationControlManager.isAcceptableLeader`).
pub(super) fn lead(
    topic_id: Uuid,
    partition: &Partition,
    broker: &Broker,
    was_clean_shutdown: bool,
) -> Option<PartitionChangeRecord> {
    let id = broker.id;
    let change =
        |leader| PartitionChangeRecord { partition_id: partition.index, topic_id, leader, ..Default::default() };
    if partition.directory_of(id).is_some_and(|directory| !broker.has_online(directory)) {
        return (partition.leader == id).then(|| change(NO_LEADER));
    }
    // After a crash Apache Kafka trusts no replica; the last leader is then the one to begin with (KIP-966).
    let none_may_lead = partition.isr.is_empty() && partition.eligible_leader_replicas.is_empty();
    let last_known = none_may_lead && *partition.last_known_elr == [id];
    let eligible = partition.isr.contains(&id) || partition.eligible_leader_replicas.contains(&id) || last_known;
    let vacant = partition.leader == NO_LEADER;
    let shaken = partition.leader == id && (!was_clean_shutdown || partition.leader_recovery_state != RECOVERED);
    if !eligible || !(vacant || shaken) {
        return None;
    }
    let mut change = change(id);
    if !partition.isr.contains(&id) {
        change.isr = Some(vec![id]);
        let others = partition.eligible_leader_replicas.iter().copied().filter(|other| *other != id);
        change.eligible_leader_replicas = Some(others.collect());
    }
    if !partition.last_known_elr.is_empty() {
        change.last_known_elr = Some(Vec::new());
    }
    if partition.leader_recovery_state != RECOVERED {
        // The log is recovered when its partition is opened; there is no other replica to wait for.
        change.leader_recovery_state = RECOVERED;
    }
    Some(change)
}
