//! Features: the levels that we speak, those that a fresh cluster starts with, and the record versions they imply.

use super::record::Record;
use super::registration::FeatureRange;

/// 4.3-IV0: the newest that Apache Kafka 4.3 reads, so that a directory can move both ways; 4.4 reads it as well.
pub const METADATA_VERSION_LEVEL: i16 = 30;
/// 3.3-IV3, the oldest of KRaft.
const METADATA_VERSION_MIN: i16 = 7;
/// Eligible leader replicas (KIP-966).
pub const ELIGIBLE_LEADER_REPLICAS_VERSION: &str = "eligible.leader.replicas.version";
/// The version of the quorum that keeps the metadata log (KIP-853): told in control records of that log, not in the image.
pub const KRAFT_VERSION: &str = "kraft.version";

/// What `kafka-storage format` of 4.3.1 finalizes, in its order.
pub const FRESH_FEATURES: &[(&str, i16)] = &[
    (super::METADATA_VERSION, METADATA_VERSION_LEVEL),
    (ELIGIBLE_LEADER_REPLICAS_VERSION, 1),
    ("group.version", 1),
    ("share.version", 1),
    ("streams.version", 1),
    ("transaction.version", 2),
];

/// What a broker of 4.3.1 registers as supported: name, lowest and highest level.
pub const SUPPORTED_FEATURES: &[(&str, i16, i16)] = &[
    ("group.version", 0, 1),
    (KRAFT_VERSION, 0, 1),
    ("share.version", 0, 1),
    (super::METADATA_VERSION, METADATA_VERSION_MIN, METADATA_VERSION_LEVEL),
    (ELIGIBLE_LEADER_REPLICAS_VERSION, 0, 1),
    ("transaction.version", 0, 2),
    ("streams.version", 0, 1),
];

/// What clients and tools are told: name, lowest and highest level whose APIs are built. A directory may hold more, since
/// it begins as one of Kafka 4.3 does: a client must not take to what the cluster has and this broker does not speak.
pub const SPOKEN_FEATURES: &[(&str, i16, i16)] = &[
    (ELIGIBLE_LEADER_REPLICAS_VERSION, 0, 1),
    ("group.version", 0, 1),
    (KRAFT_VERSION, 0, 1),
    (super::METADATA_VERSION, METADATA_VERSION_MIN, METADATA_VERSION_LEVEL),
    ("share.version", 0, 0),
    ("streams.version", 0, 0),
    ("transaction.version", 0, 0),
];

/// Whether a cluster that goes back to an older `metadata.version` may lose metadata: a level between brought new records
/// or fields (`MetadataVersion.checkIfMetadataChanged`).
pub(super) fn is_metadata_lost(from: i16, to: i16) -> bool {
    /// The levels with `didMetadataChange`.
    const CHANGED: &[i16] = &[7, 8, 11, 13, 14, 15, 17, 23, 30];
    CHANGED.iter().any(|level| to < *level && *level <= from)
}

/// What a feature needs another one for, and does not find: its name and least level.
pub(super) fn missing_dependency(name: &str, level: i16, of: impl Fn(&str) -> i16) -> Option<(&'static str, i16)> {
    let needed = match (name, level) {
        (ELIGIBLE_LEADER_REPLICAS_VERSION, 1..) => (super::METADATA_VERSION, IBP_4_0_IV1),
        _ => return None,
    };
    (of(needed.0) < needed.1).then_some(needed)
}

pub fn supported_features() -> Vec<FeatureRange> {
    let range = |(name, min, max): &(&str, i16, i16)| FeatureRange { name: name.to_string(), min: *min, max: *max };
    SUPPORTED_FEATURES.iter().map(range).collect()
}

/// Eligible leader replicas.
const IBP_4_0_IV1: i16 = 23;
/// 3.7-IV2: from here on records tell the directories of replicas (KIP-858).
const IBP_3_7_IV2: i16 = 17;

/// Whether records can tell in which directory a replica is.
pub fn knows_directories(metadata_version: i16) -> bool {
    metadata_version >= IBP_3_7_IV2
}

/// The version in which a record is written at a level of `metadata.version` (`MetadataVersion`'s `*RecordVersion`).
/// An older reader of the same cluster must be able to read it.
pub fn record_version(record: &Record<'_>, metadata_version: i16) -> i16 {
    /// Cordoned log directories.
    const IBP_4_3_IV0: i16 = 30;
    /// ZooKeeper migration.
    const IBP_3_4_IV0: i16 = 8;
    match record {
        Record::RegisterBroker(_) if metadata_version >= IBP_4_3_IV0 => 4,
        Record::RegisterBroker(_) if metadata_version >= IBP_3_7_IV2 => 3,
        Record::RegisterBroker(_) if metadata_version >= IBP_3_4_IV0 => 2,
        Record::RegisterBroker(_) => 1,
        Record::BrokerRegistrationChange(_) if metadata_version >= IBP_4_3_IV0 => 3,
        Record::BrokerRegistrationChange(_) if metadata_version >= IBP_3_7_IV2 => 2,
        Record::BrokerRegistrationChange(_) => 1,
        Record::Partition(_) | Record::PartitionChange(_) if metadata_version >= IBP_4_0_IV1 => 2,
        Record::Partition(_) | Record::PartitionChange(_) if metadata_version >= IBP_3_7_IV2 => 1,
        _ => 0,
    }
}
