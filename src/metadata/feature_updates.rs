//! Decisions about the levels of features (`FeatureControlManager`, KIP-584 and KIP-778).
//!
//! A request is done whole or not at all. What this broker does not speak yet stays at the level that the directory has:
//! that one may be asked for again, every other is refused as Kafka refuses a feature that it does not know.

use super::decision::Refusal;
use super::features::{
    ELIGIBLE_LEADER_REPLICAS_VERSION, KRAFT_VERSION, SPOKEN_FEATURES, is_metadata_lost, missing_dependency,
};
use super::image::{Image, METADATA_VERSION, ResourceType};
use super::record::{ConfigRecord, FeatureLevelRecord, Record};
use crate::model::ErrorCode;
use std::collections::BTreeMap;

/// `FeatureUpdate.UpgradeType`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpgradeType {
    Upgrade,
    /// Only if no metadata is lost by it.
    SafeDowngrade,
    UnsafeDowngrade,
}

impl UpgradeType {
    pub fn from_id(id: i8) -> Option<UpgradeType> {
        match id {
            1 => Some(UpgradeType::Upgrade),
            2 => Some(UpgradeType::SafeDowngrade),
            3 => Some(UpgradeType::UnsafeDowngrade),
            _ => None,
        }
    }
}

/// A level that a user wants for a feature; 0 turns it off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeatureUpdate {
    pub name: String,
    pub level: i16,
    /// `None`: a number that is no type.
    pub upgrade_type: Option<UpgradeType>,
}

/// The node that decides, and what of it the decision needs.
#[derive(Clone, Copy, Debug)]
pub struct Decider {
    pub node_id: i32,
    /// Stands in the metadata log beside the image.
    pub kraft_version: i16,
    pub static_min_insync_replicas: i32,
}

/// The records that bring all features to these levels, or why one of them cannot have its level.
pub fn update_features(
    image: &Image,
    decider: Decider,
    updates: &[FeatureUpdate],
) -> Result<Vec<Record<'static>>, Refusal> {
    // Of a feature that is named twice the last word counts.
    let by_name: BTreeMap<&str, &FeatureUpdate> = updates.iter().map(|update| (&*update.name, update)).collect();
    let proposed = |name: &str| by_name.get(name).map_or_else(|| image.feature(name), |update| update.level);
    let mut records = Vec::new();
    for update in by_name.values() {
        check(image, decider, update, proposed)?;
        if update.name != KRAFT_VERSION {
            records.push(Record::FeatureLevel(FeatureLevelRecord {
                name: update.name.clone().into(),
                feature_level: update.level,
            }));
        }
    }
    assert!(records.len() <= by_name.len(), "each feature gets one level");
    if by_name.get(ELIGIBLE_LEADER_REPLICAS_VERSION).is_some_and(|update| update.level > 0) {
        records.splice(0..0, min_insync_for_all(image, decider.static_min_insync_replicas));
    }
    Ok(records)
}

fn check(
    image: &Image,
    decider: Decider,
    update: &FeatureUpdate,
    proposed: impl Fn(&str) -> i16,
) -> Result<(), Refusal> {
    let (name, level) = (update.name.as_str(), update.level);
    let refuse = |reason: &str| {
        let message = format!("Invalid update version {level} for feature {name}. {reason}");
        Err(Refusal::new(ErrorCode::InvalidUpdateVersion, message))
    };
    let Some(upgrade_type) = update.upgrade_type else {
        return refuse("The controller does not support the given upgrade type.");
    };
    let is_kraft = name == KRAFT_VERSION;
    let current = if is_kraft { decider.kraft_version } else { image.feature(name) };
    if level < 0 {
        return refuse("A feature version cannot be less than 0.");
    }
    if let Some(reason) = reason_not_spoken(decider, name, level).filter(|_| level != current) {
        return refuse(&reason);
    }
    let is_upgrade = upgrade_type == UpgradeType::Upgrade;
    if level < current && is_upgrade {
        return refuse(
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
             downgrade.",
        );
    }
    if level > current && !is_upgrade {
        return refuse("Can't downgrade to a newer version.");
    }
    if name == METADATA_VERSION {
        return check_metadata_version(current, level, upgrade_type);
    }
    if is_kraft && level < current {
        return refuse("Can't downgrade the version of this feature.");
    }
    if is_kraft && level > current {
        // The voters that it needs in the log have endpoints of controllers, and this one has none.
        let message =
            format!("Invalid upgrade of {name} from version KRAFT_VERSION_{current} to KRAFT_VERSION_{level}");
        return Err(Refusal::new(ErrorCode::InvalidUpdateVersion, message));
    }
    if !SPOKEN_FEATURES.iter().any(|(spoken, ..)| *spoken == name) {
        return refuse(&format!("Feature {name} not found."));
    }
    match missing_dependency(name, level, proposed) {
        Some((on, least)) => {
            refuse(&format!("{name} could not be set to {level} because it depends on {on} level {least}"))
        }
        None => Ok(()),
    }
}

/// `QuorumFeatures.reasonNotSupported`
fn reason_not_spoken(decider: Decider, name: &str, level: i16) -> Option<String> {
    let spoken = SPOKEN_FEATURES.iter().find(|(spoken, _, _)| *spoken == name);
    let (min, max) = spoken.map_or((0, 0), |(_, min, max)| (*min, *max));
    let who = format!("Local controller {}", decider.node_id);
    match (min..=max).contains(&level) {
        true => None,
        false if max == 0 => Some(format!("{who} does not support this feature.")),
        false => Some(format!("{who} only supports versions {min}-{max}")),
    }
}

fn check_metadata_version(current: i16, level: i16, upgrade_type: UpgradeType) -> Result<(), Refusal> {
    if level >= current || !is_metadata_lost(current, level) {
        return Ok(());
    }
    let reason = match upgrade_type {
        UpgradeType::UnsafeDowngrade => "Unsafe metadata downgrade is not supported in this version.",
        _ => "Refusing to perform the requested downgrade because it might delete metadata information.",
    };
    let message = format!("Unsupported metadata.version downgrade from {current} to {level}. {reason}");
    Err(Refusal::new(ErrorCode::InvalidUpdateVersion, message))
}

/// Eligible leader replicas are counted against one value for the whole cluster
/// (`ConfigurationControlManager.maybeGenerateElrSafetyRecords`).
fn min_insync_for_all(image: &Image, static_value: i32) -> Vec<Record<'static>> {
    const KEY: &str = "min.insync.replicas";
    let record = |resource_name: &str, value: Option<String>| {
        Record::Config(ConfigRecord {
            resource_type: ResourceType::Broker as i8,
            resource_name: resource_name.to_string().into(),
            name: KEY.into(),
            value: value.map(Into::into),
        })
    };
    let mut records = Vec::new();
    if !image.default_broker_configs().contains_key(KEY) {
        records.push(record("", Some(static_value.to_string())));
    }
    let of_brokers = image.config_resources(ResourceType::Broker).filter(|name| !name.is_empty());
    let with_own = of_brokers.filter(|name| image.configs(ResourceType::Broker, name).contains_key(KEY));
    records.extend(with_own.map(|name| record(name, None)));
    records
}

#[cfg(test)]
mod tests;
