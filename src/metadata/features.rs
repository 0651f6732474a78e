//! Features: the levels that a directory may have, and those that a fresh cluster starts with.

use super::levels::{METADATA_VERSION_LEVEL, METADATA_VERSION_MAX, METADATA_VERSION_MIN};
use super::registration::FeatureRange;

/// Eligible leader replicas (KIP-966).
pub const ELIGIBLE_LEADER_REPLICAS_VERSION: &str = "eligible.leader.replicas.version";

/// What `kafka-storage format` of 4.3.1 finalizes, in its order.
pub const FRESH_FEATURES: &[(&str, i16)] = &[
    (super::METADATA_VERSION, METADATA_VERSION_LEVEL),
    (ELIGIBLE_LEADER_REPLICAS_VERSION, 1),
    ("group.version", 1),
    ("share.version", 1),
    ("streams.version", 1),
    ("transaction.version", 2),
];

/// What the broker registers as supported, as one of 4.4 does: name, lowest and highest level.
pub const SUPPORTED_FEATURES: &[(&str, i16, i16)] = &[
    ("group.version", 0, 1),
    ("kraft.version", 0, 1),
    ("share.version", 0, 2),
    (super::METADATA_VERSION, METADATA_VERSION_MIN, METADATA_VERSION_MAX),
    (ELIGIBLE_LEADER_REPLICAS_VERSION, 0, 1),
    ("transaction.version", 0, 2),
    ("streams.version", 0, 1),
];

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
