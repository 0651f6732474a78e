//! Subscriptions of client metrics (KIP-714): what may stand in one, and what DescribeConfigs tells of it
//! (`ClientMetricsConfigs`).
//!
//! Deviation: a pattern that only Java's expressions can say (looking ahead or back, back references) is refused.

use super::Invalid;
use super::describe::{Entry, Source, Synonym};
use super::value::{self, Type, Valid, Value};
use crate::model::{ErrorCode, Refusal};
use std::collections::BTreeMap;

const INTERVAL_MS: &str = "interval.ms";
const MATCH: &str = "match";
/// Name, type and default, by name.
const KEYS: [(&str, Type, &str); 3] =
    [(INTERVAL_MS, Type::Int, "300000"), (MATCH, Type::List, ""), ("metrics", Type::List, "")];
/// The intervals that are allowed: 100 ms to an hour.
const INTERVALS_MS: std::ops::RangeInclusive<i64> = 100..=3_600_000;
/// What a client may be known by.
const MATCHED: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// Whether a subscription may be as it would be after a change.
pub fn validate_client_metrics(name: &str, configs: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    if name.is_empty() {
        return refuse("Subscription name can't be empty".into());
    }
    if let Some(unknown) = configs.keys().find(|key| kind_of(key).is_none()) {
        return refuse(format!("Unknown client metrics configuration: {unknown}"));
    }
    let mut values = Vec::new();
    for (key, text) in configs {
        let Some(kind) = kind_of(key) else { continue };
        values.push((key.as_str(), parse(key, kind, text)?));
    }
    for (key, value) in values {
        match value {
            Value::Int(interval) if key == INTERVAL_MS && !INTERVALS_MS.contains(&interval) => {
                return refuse(format!(
                    "Invalid value {interval} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
                ));
            }
            Value::List(patterns) if key == MATCH => patterns.iter().try_for_each(|pattern| check_pattern(pattern))?,
            _ => {}
        }
    }
    Ok(())
}

fn kind_of(key: &str) -> Option<Type> {
    KEYS.iter().find(|(name, ..)| *name == key).map(|(_, kind, _)| *kind)
}

fn parse(key: &str, kind: Type, text: &str) -> Result<Value, Refusal> {
    value::parse(text, kind, Valid::Any).map_err(|reason| {
        let message = match kind {
            Type::List => format!("Configuration '{key}' values must not be empty."),
            _ => Invalid::new(key, text, reason).to_string(),
        };
        Refusal::new(ErrorCode::InvalidConfig, message)
    })
}

/// `name=expression`
fn check_pattern(pattern: &str) -> Result<(), Refusal> {
    let mut parts: Vec<&str> = pattern.split('=').collect();
    // Java's `split` leaves out what is empty at the end.
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    let is_legal = match parts[..] {
        [name, expression] => MATCHED.contains(&name.trim()) && value::pattern(expression.trim()).is_some(),
        _ => false,
    };
    match is_legal {
        true => Ok(()),
        false => {
            let message = format!("Illegal client matching pattern: {pattern}");
            Err(Refusal::new(ErrorCode::InvalidConfig, message))
        }
    }
}

/// All configurations of a subscription, sorted by name: also of one that does not exist.
pub fn describe_client_metrics(overrides: &BTreeMap<String, String>) -> Vec<Entry> {
    let entry = |(name, kind, default): &(&str, Type, &str)| {
        let set = overrides.get(*name);
        let text = set.map_or(*default, String::as_str);
        let value = Some(value::parse(text, *kind, Valid::Any).map_or_else(|_| text.to_string(), |v| v.to_string()));
        let source = if set.is_some() { Source::ClientMetrics } else { Source::Default };
        let synonym = Synonym { name: name.to_string(), value: value.clone(), source };
        Entry {
            name: name.to_string(),
            value,
            source,
            kind: Some(*kind),
            is_sensitive: false,
            read_only: false,
            synonyms: set.map(|_| synonym).into_iter().collect(),
            documentation: None,
        }
    };
    KEYS.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configs(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn subscriptions_are_validated_as_by_apache_kafka() {
        use ErrorCode::{InvalidConfig, InvalidRequest};
        let interval = "interval must be between 100 and 3600000 (1 hour)";
        let table = [
            (("no.such", "1"), InvalidRequest, "Unknown client metrics configuration: no.such".to_string()),
            (("interval.ms", "99"), InvalidRequest, format!("Invalid value 99 for interval.ms, {interval}")),
            (("interval.ms", "3600001"), InvalidRequest, format!("Invalid value 3600001 for interval.ms, {interval}")),
            (
                ("interval.ms", "often"),
                InvalidConfig,
                "Invalid value often for configuration interval.ms: Not a number of type INT".into(),
            ),
            (("metrics", "a,,b"), InvalidConfig, "Configuration 'metrics' values must not be empty.".into()),
            (("match", "client_id"), InvalidConfig, "Illegal client matching pattern: client_id".into()),
            (("match", "client_id="), InvalidConfig, "Illegal client matching pattern: client_id=".into()),
            (("match", "client_id=a=b"), InvalidConfig, "Illegal client matching pattern: client_id=a=b".into()),
            (("match", "colour=red"), InvalidConfig, "Illegal client matching pattern: colour=red".into()),
            (("match", "client_id=a["), InvalidConfig, "Illegal client matching pattern: client_id=a[".into()),
        ];
        for ((key, value), error, message) in table {
            let refused = validate_client_metrics("s", &configs(&[(key, value)]));
            assert_eq!(refused, Err(Refusal::new(error, message)), "{key}={value}");
        }
        let empty = Refusal::new(InvalidRequest, "Subscription name can't be empty");
        assert_eq!(validate_client_metrics("", &configs(&[])), Err(empty));
        let fine =
            [("interval.ms", "100"), ("match", "client_software_name = apache.*, client_id=b="), ("metrics", "*")];
        assert_eq!(validate_client_metrics("s", &configs(&fine)), Ok(()));
        assert_eq!(validate_client_metrics("s", &configs(&[("metrics", ""), ("match", "")])), Ok(()));
    }

    #[test]
    fn a_subscription_is_described_whole() {
        let entries = describe_client_metrics(&configs(&[("metrics", "a. , b.")]));
        let told: Vec<_> = entries.iter().map(|e| (&*e.name, e.value.as_deref().unwrap(), e.source)).collect();
        let metrics = ("metrics", "a.,b.", Source::ClientMetrics);
        assert_eq!(told, [("interval.ms", "300000", Source::Default), ("match", "", Source::Default), metrics]);
        assert_eq!((entries[2].synonyms.len(), entries[0].synonyms.len()), (1, 0));
    }
}
