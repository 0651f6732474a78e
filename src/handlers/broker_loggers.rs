//! The levels of loggers as configurations of a resource (KIP-412): `RuntimeLoggerManager` and `ConfigHelper`.
//!
//! They take effect at once and are never written down: after a restart every logger is as the start says.

use std::collections::BTreeMap;

use crate::io::loggers::{self, Level};
use crate::metadata::{self, ConfigChange, Operation, Refusal, ResourceChanges, ResourceResult, ResourceType};
use crate::model::ErrorCode;

/// `LogLevelConfig.VALID_LOG_LEVELS`
const SETTABLE: [Level; 6] = [Level::Debug, Level::Error, Level::Fatal, Level::Info, Level::Trace, Level::Warn];

/// Takes the changes of loggers out of a request and makes them, if the client `may`, before anything is written for the others. The answers
/// stand with their places in the request.
pub(super) fn take_and_alter(
    node_id: i32,
    resources: &mut Vec<ResourceChanges>,
    validate_only: bool,
    may: impl Fn() -> bool,
) -> Vec<(usize, ResourceResult)> {
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    let is_logger = |resource: &ResourceChanges| resource.resource_type == ResourceType::BrokerLogger as i8;
    for resource in resources.iter().filter(|resource| is_logger(resource)) {
        *named.entry(resource.resource_name.clone()).or_default() += 1;
    }
    let mut answers = Vec::new();
    let mut place = 0;
    resources.retain(|resource| {
        let here = place;
        place += 1;
        if !is_logger(resource) {
            return true;
        }
        let result = match named.get(&resource.resource_name) {
            Some(2..) => refuse(ErrorCode::InvalidRequest, metadata::RESOURCE_TWICE),
            _ => check(node_id, resource, &may),
        };
        if result.is_ok() && !validate_only {
            resource.changes.iter().for_each(apply);
        }
        let ResourceChanges { resource_type, resource_name, .. } = resource.clone();
        answers.push((here, ResourceResult { resource_type, resource_name, result }));
        false
    });
    answers
}

fn refuse<T>(error: ErrorCode, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(error, message))
}

fn check(node_id: i32, resource: &ResourceChanges, may: impl Fn() -> bool) -> Result<(), Refusal> {
    metadata::check_changes(&resource.changes)?;
    if !may() {
        return Err(Refusal::of(ErrorCode::ClusterAuthorizationFailed));
    }
    let name = &resource.resource_name;
    match name.parse::<i32>() {
        Ok(id) if id == node_id => {}
        Ok(id) => {
            let message = format!("Unexpected node id. Expected {node_id}, but received {id}");
            return refuse(ErrorCode::InvalidRequest, message);
        }
        Err(_) => {
            return refuse(ErrorCode::InvalidRequest, format!("Node id must be an integer, but it is: {name}"));
        }
    }
    resource.changes.iter().try_for_each(check_change)
}

fn check_change(change: &ConfigChange) -> Result<(), Refusal> {
    let name = &change.name;
    let not_allowed = |what: &str| {
        let message = format!("{what} is not allowed for the BROKER_LOGGER resource");
        refuse(ErrorCode::InvalidRequest, message)
    };
    match change.operation {
        Some(Operation::Append) => return not_allowed("APPEND operation"),
        Some(Operation::Subtract) => return not_allowed("SUBTRACT operation"),
        None => return not_allowed("Unknown operation type"),
        Some(Operation::Set | Operation::Delete) if !loggers::exists(name) => {
            return refuse(ErrorCode::InvalidConfig, format!("Logger {name} does not exist!"));
        }
        Some(Operation::Delete) if name == loggers::ROOT => {
            return refuse(ErrorCode::InvalidRequest, "Removing the log level of the root logger is not allowed");
        }
        Some(Operation::Delete) => return Ok(()),
        Some(Operation::Set) => {}
    }
    let value = change.value.as_deref().unwrap_or_default();
    match Level::from_name(value).filter(|level| SETTABLE.contains(level)) {
        Some(_) => Ok(()),
        None => {
            let valid = SETTABLE.map(Level::name).join(", ");
            let message = format!(
                "Cannot set the log level of {name} to {value} as it is not a supported log level. Valid log levels are \
                 {valid}"
            );
            refuse(ErrorCode::InvalidConfig, message)
        }
    }
}

fn apply(change: &ConfigChange) {
    let name = &change.name;
    let level = change.value.as_deref().and_then(Level::from_name);
    if change.operation == Some(Operation::Delete) {
        loggers::set(name, None);
        log::warn!("unset the log level of {name}");
    } else if let Some(level) = level {
        loggers::set(name, Some(level));
        log::warn!("the log level of {name} is {}", level.name());
    }
}

/// Every logger of this node with the level that holds for it.
pub(super) fn describe(node_id: i32, name: &str) -> Result<Vec<(&'static str, Level)>, Refusal> {
    if name.is_empty() {
        return refuse(ErrorCode::InvalidRequest, "Broker id must not be empty");
    }
    match name.parse::<i32>() {
        Ok(id) if id == node_id => Ok(loggers::all()),
        Ok(_) => {
            let message = format!("Unexpected broker id, expected {node_id} but received {name}");
            refuse(ErrorCode::InvalidRequest, message)
        }
        Err(_) => refuse(ErrorCode::InvalidRequest, format!("Broker id must be an integer, but it is: {name}")),
    }
}
