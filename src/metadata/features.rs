//! Features: the levels that a directory may have, and those that a fresh cluster starts with.

use super::levels::{IBP_4_0_IV1, METADATA_VERSION_LEVEL, METADATA_VERSION_MAX, METADATA_VERSION_MIN};
use super::registration::FeatureRange;

/// Eligible leader replicas (KIP-966).
pub const ELIGIBLE_LEADER_REPLICAS_VERSION: &str = "eligible.leader.replicas.version";
/// The version of the quorum that keeps the metadata log (KIP-853): told in control records of that log, not in the image.
pub const KRAFT_VERSION: &str = "kraft.version";

/// What `kafka-storage format` of 4.4.0 finalizes, in its order.
pub const FRESH_FEATURES: &[(&str, i16)] = &[
    (super::METADATA_VERSION, METADATA_VERSION_LEVEL),
    (ELIGIBLE_LEADER_REPLICAS_VERSION, 1),
    ("group.version", 1),
    ("share.version", 2),
    ("streams.version", 1),
    ("transaction.version", 2),
];

/// What the broker registers as supported, as one of 4.4 does: name, lowest and highest level.
pub const SUPPORTED_FEATURES: &[(&str, i16, i16)] = &[
    ("group.version", 0, 1),
    (KRAFT_VERSION, 0, 1),
    ("share.version", 0, 2),
    (super::METADATA_VERSION, METADATA_VERSION_MIN, METADATA_VERSION_MAX),
    (ELIGIBLE_LEADER_REPLICAS_VERSION, 0, 1),
    ("transaction.version", 0, 2),
    ("streams.version", 0, 1),
];

/// What clients and tools are told: name, lowest and highest level whose APIs are built. A directory may hold more, since
/// it begins as one of Kafka 4.4 does: a client must not take to what the cluster has and this broker does not speak.
pub const SPOKEN_FEATURES: &[(&str, i16, i16)] = &[
    (ELIGIBLE_LEADER_REPLICAS_VERSION, 0, 1),
    ("group.version", 0, 1),
    (KRAFT_VERSION, 0, 1),
    (super::METADATA_VERSION, METADATA_VERSION_MIN, METADATA_VERSION_MAX),
    ("share.version", 0, 0),
    ("streams.version", 0, 0),
    ("transaction.version", 0, 2),
];

/// Whether a cluster that goes back to an older `metadata.version` may lose metadata: a level between brought new records
/// or fields (`MetadataVersion.checkIfMetadataChanged`).
pub(super) fn is_metadata_lost(from: i16, to: i16) -> bool {
    /// The levels with `didMetadataChange`.
    const CHANGED: &[i16] = &[7, 8, 11, 13, 14, 15, 17, 23, 30, 32, 33];
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

/// Refuses a level that is not known here: what its records mean, and what they would have to say, is not either.
pub fn check_level(name: &str, level: i16) -> Result<(), String> {
    let known = SUPPORTED_FEATURES.iter().find(|(known, ..)| *known == name);
    match known {
        Some((_, min, max)) if (*min..=*max).contains(&level) => Ok(()),
        Some((_, min, max)) => Err(format!("the feature {name} has the level {level}, but Klamm knows {min} to {max}")),
        None => Err(format!("the feature {name} with the level {level} is not known to Klamm")),
    }
}
