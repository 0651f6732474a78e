//! Decisions about dynamic configs of topics, brokers, groups and client metrics.
//!
//! As Kafka's `ConfigurationControlManager` and `ConfigAdminManager`. A resource is changed as a whole or not at all.
//! Values of topics, groups and client metrics are judged by `config`, those of brokers by their definitions and by
//! whether they may change while the broker runs.

use super::decision::{Decisions, MAX_RECORDS_PER_REQUEST, Refusal};
use super::features::ELIGIBLE_LEADER_REPLICAS_VERSION;
use super::image::{Configs, Image, ResourceType};
use super::levels::knows_cordoned_directories;
use super::record::{ConfigRecord, Record};
use super::topic_name;
use super::topics::twice;
use crate::config::definitions;
use crate::config::{self, Cast, Settings, Type};
use crate::model::ErrorCode;
use std::collections::BTreeSet;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Set,
    Delete,
    /// Adds items to a list.
    Append,
    /// Takes items from a list.
    Subtract,
}

impl Operation {
    /// `AlterConfigOp.OpType`
    pub fn from_id(id: i8) -> Option<Operation> {
        use Operation::*;
        [Set, Delete, Append, Subtract].get(usize::try_from(id).ok()?).copied()
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigChange {
    pub name: String,
    /// `None`: a number that is no operation.
    pub operation: Option<Operation>,
    pub value: Option<String>,
}

/// Changes to one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceChanges {
    pub resource_type: i8,
    pub resource_name: String,
    pub changes: Vec<ConfigChange>,
}

impl ResourceChanges {
    /// Type and name of what is changed.
    pub fn resource(&self) -> (i8, &str) {
        (self.resource_type, &self.resource_name)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceResult {
    pub resource_type: i8,
    pub resource_name: String,
    pub result: Result<(), Refusal>,
}

/// What is said of a resource that a request names more than once.
pub const RESOURCE_TWICE: &str = "Each resource must appear at most once.";

/// The longest value, in Java's characters (`DISALLOWED_CONFIG_VALUE_SIZE_ERROR`).
const MAX_VALUE_LENGTH: usize = 32_767;

/// IncrementalAlterConfigs.
pub fn incremental_alter_configs(
    image: &Image,
    settings: &Settings<'_>,
    cast: Cast,
    resources: &[ResourceChanges],
    validate_only: bool,
) -> Decisions<ResourceResult> {
    decide(image, settings, cast, resources, validate_only, |_, _| Vec::new())
}

/// AlterConfigs, the old API: what is not named is deleted.
pub fn alter_configs(
    image: &Image,
    settings: &Settings<'_>,
    cast: Cast,
    resources: &[ResourceChanges],
    validate_only: bool,
) -> Decisions<ResourceResult> {
    decide(image, settings, cast, resources, validate_only, |current, resource| {
        let named = |name: &String| resource.changes.iter().any(|change| change.name == *name);
        current.keys().filter(|name| !named(name)).cloned().collect()
    })
}

fn decide(
    image: &Image,
    settings: &Settings<'_>,
    cast: Cast,
    resources: &[ResourceChanges],
    validate_only: bool,
    implicitly_deleted: impl Fn(&Configs, &ResourceChanges) -> Vec<String>,
) -> Decisions<ResourceResult> {
    let mut decision = Decisions::default();
    let twice = twice(resources.iter().map(ResourceChanges::resource));
    for resource in resources {
        let result = if twice.contains(&resource.resource()) {
            Err(Refusal::new(ErrorCode::InvalidRequest, RESOURCE_TWICE))
        } else {
            let room = MAX_RECORDS_PER_REQUEST - decision.records.len();
            let deleted =
                implicitly_deleted(image.configs_of(resource.resource_type, &resource.resource_name), resource);
            change_resource(image, settings, cast, resource, &deleted, room)
        };
        let result = result.map(|records| decision.records.extend(records));
        let ResourceChanges { resource_type, resource_name, .. } = resource.clone();
        decision.results.push(ResourceResult { resource_type, resource_name, result });
    }
    let mut written = BTreeSet::new();
    let mut configs = decision.records.iter().filter_map(|record| match record {
        Record::Config(of) => Some((of.resource_type, &*of.resource_name, &*of.name)),
        _ => None,
    });
    assert!(configs.all(|config| written.insert(config)), "no request writes a config twice");
    assert!(decision.records.len() <= MAX_RECORDS_PER_REQUEST, "each resource has only the room that the others left");
    if validate_only {
        decision.records.clear();
    }
    decision
}

fn change_resource(
    image: &Image,
    settings: &Settings<'_>,
    cast: Cast,
    resource: &ResourceChanges,
    deleted: &[String],
    room: usize,
) -> Result<Vec<Record<'static>>, Refusal> {
    let kind = check_shape(resource)?;
    let current = image.configs_of(resource.resource_type, &resource.resource_name);
    let mut changes = Vec::new();
    for change in &resource.changes {
        let value = new_value(kind, change, current.get(&change.name).map(String::as_str))?;
        // A broker's setting is written again even if it is the same: it makes brokers read files anew (KAFKA-14136).
        if kind == ResourceType::Broker || current.get(&change.name) != value.as_ref() {
            changes.push((change.name.clone(), value));
        }
    }
    changes.extend(deleted.iter().map(|name| (name.clone(), None)));
    if changes.len() > room {
        return refuse(ErrorCode::PolicyViolation, "Unable to perform excessively large batch operation.");
    }
    let is_too_long = |value: &String| value.encode_utf16().count() > MAX_VALUE_LENGTH;
    if changes.iter().filter_map(|(_, value)| value.as_ref()).any(is_too_long) {
        let message = format!(
            "The configuration value cannot be added because it exceeds the maximum value size of {MAX_VALUE_LENGTH} bytes."
        );
        return refuse(ErrorCode::InvalidConfig, message);
    }
    match kind {
        ResourceType::Topic => check_topic(image, settings, &resource.resource_name, current, &changes)?,
        ResourceType::Group => check_group(settings, &resource.resource_name, current, &changes)?,
        ResourceType::ClientMetrics => {
            config::validate_client_metrics(&resource.resource_name, &changed(current, &changes))?;
        }
        _ => check_broker(image, settings, cast, &resource.resource_name, &changes)?,
    }
    let record = |(name, value): (String, Option<String>)| {
        Record::Config(ConfigRecord {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone().into(),
            name: name.into(),
            value: value.map(Into::into),
        })
    };
    Ok(changes.into_iter().map(record).collect())
}

fn refuse<T>(error: ErrorCode, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(error, message))
}

/// What is wrong with changes whatever they are about.
pub fn check_changes(changes: &[ConfigChange]) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    if !changes.iter().all(|change| seen.insert(change.name.as_str())) {
        return refuse(ErrorCode::InvalidRequest, "Error due to duplicate config keys");
    }
    let without = |change: &&ConfigChange| change.operation != Some(Operation::Delete) && change.value.is_none();
    let nulls: Vec<&str> = changes.iter().filter(without).map(|change| change.name.as_str()).collect();
    if !nulls.is_empty() {
        return refuse(ErrorCode::InvalidRequest, format!("Null value not supported for : {}", nulls.join(", ")));
    }
    Ok(())
}

/// Levels of loggers are not kept, so they are no matter of metadata.
fn check_shape(resource: &ResourceChanges) -> Result<ResourceType, Refusal> {
    check_changes(&resource.changes)?;
    match ResourceType::from_id(resource.resource_type) {
        Some(kind) if kind != ResourceType::BrokerLogger => Ok(kind),
        _ => refuse(ErrorCode::InvalidRequest, format!("Unknown resource type {}", resource.resource_type)),
    }
}

fn new_value(kind: ResourceType, change: &ConfigChange, current: Option<&str>) -> Result<Option<String>, Refusal> {
    let value = change.value.as_deref().unwrap_or_default();
    match change.operation {
        None => refuse(ErrorCode::InvalidRequest, format!("Unknown operation for config {}.", change.name)),
        Some(Operation::Set) => Ok(Some(value.to_string())),
        Some(Operation::Delete) => Ok(None),
        Some(operation) => {
            let Some(default) = list_default(kind, &change.name) else {
                let operation = if operation == Operation::Append { "APPEND" } else { "SUBTRACT" };
                let message = format!("Can't {operation} to key {} because its type is not LIST.", change.name);
                return refuse(ErrorCode::InvalidConfig, message);
            };
            Ok(Some(edited_list(current.unwrap_or(default), operation, value)))
        }
    }
}

/// The default of a config that is a list; `None` for every other one.
fn list_default(kind: ResourceType, name: &str) -> Option<&'static str> {
    let (kind, default) = match kind {
        ResourceType::Topic => definitions::topic_named(name).map(|d| (d.kind, d.default))?,
        ResourceType::Group | ResourceType::ClientMetrics => return None,
        _ => definitions::broker(name).map(|d| (d.kind, d.default))?,
    };
    (kind == Type::List).then_some(default.unwrap_or_default())
}

fn edited_list(current: &str, operation: Operation, items: &str) -> String {
    let mut list: Vec<&str> = current.split(',').filter(|item| !item.is_empty()).collect();
    match operation {
        Operation::Append => {
            let mut known: BTreeSet<&str> = list.iter().copied().collect();
            list.extend(items.split(',').filter(|item| known.insert(item)));
        }
        Operation::Subtract => {
            let gone: BTreeSet<&str> = items.split(',').collect();
            list.retain(|kept| !gone.contains(kept));
        }
        Operation::Set | Operation::Delete => {}
    }
    list.join(",")
}

fn check_topic(
    image: &Image,
    settings: &Settings<'_>,
    name: &str,
    current: &Configs,
    changes: &[(String, Option<String>)],
) -> Result<(), Refusal> {
    if name.is_empty() {
        return refuse(ErrorCode::InvalidRequest, "Default topic resources are not allowed.");
    }
    topic_name::validate(name).map_err(|message| Refusal::new(ErrorCode::InvalidTopicException, message))?;
    let refused = |message| Refusal::new(ErrorCode::InvalidConfig, message);
    config::validate_topic(settings, &changed(current, changes)).map_err(refused)?;
    match image.topic(name) {
        Some(_) => Ok(()),
        None => refuse(ErrorCode::UnknownTopicOrPartition, format!("The topic '{name}' does not exist.")),
    }
}

/// A group need not exist.
fn check_group(
    settings: &Settings<'_>,
    name: &str,
    current: &Configs,
    changes: &[(String, Option<String>)],
) -> Result<(), Refusal> {
    if name.is_empty() {
        return refuse(ErrorCode::InvalidRequest, "Default group resources are not allowed.");
    }
    let refused = |message| Refusal::new(ErrorCode::InvalidConfig, message);
    config::validate_group(settings, &changed(current, changes)).map_err(refused)
}

fn changed(current: &Configs, changes: &[(String, Option<String>)]) -> Configs {
    let mut configs = current.clone();
    for (key, value) in changes {
        match value {
            Some(value) => configs.insert(key.clone(), value.clone()),
            None => configs.remove(key),
        };
    }
    configs
}

/// `name` is empty for the defaults of all brokers, else this broker's id. What is deleted need not be anything that may
/// be set.
fn check_broker(
    image: &Image,
    settings: &Settings<'_>,
    cast: Cast,
    name: &str,
    changes: &[(String, Option<String>)],
) -> Result<(), Refusal> {
    let is_own = name.parse().is_ok_and(|id| cast.plays(id));
    if !name.is_empty() && !is_own {
        let message = match name.parse::<i32>() {
            Ok(_) => format!("Unexpected broker id, expected {}, but received {name}", cast.ids().start),
            Err(_) => format!("Node id must be an integer, but it is: {name}"),
        };
        return refuse(ErrorCode::InvalidRequest, message);
    }
    let refused = |message| Refusal::new(ErrorCode::InvalidRequest, message);
    config::validate_broker(settings, name.is_empty(), changes).map_err(refused)?;
    for (key, value) in changes {
        if key == "min.insync.replicas" && image.feature(ELIGIBLE_LEADER_REPLICAS_VERSION) > 0 {
            check_min_insync(name, value.is_some())?;
        }
        if key == "cordoned.log.dirs" && !knows_cordoned_directories(image.metadata_version()) {
            let message = "The cordoned.log.dirs configuration value cannot be set because it requires \
                           metadata.version >= 4.3-IV0";
            return refuse(ErrorCode::InvalidConfig, message);
        }
    }
    Ok(())
}

/// Eligible leader replicas are counted against one value for the whole cluster (KIP-966).
fn check_min_insync(broker: &str, is_set: bool) -> Result<(), Refusal> {
    match (broker.is_empty(), is_set) {
        (false, _) => {
            let message = "Broker-level min.insync.replicas cannot be altered while ELR is enabled.";
            refuse(ErrorCode::InvalidConfig, message)
        }
        (true, false) => {
            let message = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.";
            refuse(ErrorCode::InvalidConfig, message)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
