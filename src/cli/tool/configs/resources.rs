//! Configs of topics and brokers (`describeResourceConfig`, `alterResourceConfig`).

use super::{Changes, Entity, Kind, tell_missing};
use crate::cli::client::{Client, check};
use crate::cli::tool::{metadata, say};
use crate::codec::Str;
use crate::config::Source;
use crate::model::ApiKey;
use crate::wire::api::{describe_configs, incremental_alter_configs};

/// `AlterConfigOp.OpType`
const SET: i8 = 0;
const DELETE: i8 = 1;

/// `ConfigResource.Type`
fn resource_type(kind: Kind) -> i8 {
    match kind {
        Kind::Topics => 2,
        Kind::Brokers => 4,
        Kind::Users => unreachable!("users have no configs of their own"),
    }
}

/// The source of what was set for this one.
fn source(kind: Kind, name: &str) -> Source {
    match kind {
        Kind::Topics => Source::DynamicTopic,
        _ if name.is_empty() => Source::DynamicDefaultBroker,
        _ => Source::DynamicBroker,
    }
}

/// `ConfigEntry.ConfigSource`
fn source_name(source: i8) -> &'static str {
    const NAMES: [(i8, &str); 6] = [
        (1, "DYNAMIC_TOPIC_CONFIG"),
        (2, "DYNAMIC_BROKER_CONFIG"),
        (3, "DYNAMIC_DEFAULT_BROKER_CONFIG"),
        (4, "STATIC_BROKER_CONFIG"),
        (5, "DEFAULT_CONFIG"),
        (6, "DYNAMIC_BROKER_LOGGER_CONFIG"),
    ];
    NAMES.iter().find(|(number, _)| *number == source).map_or("UNKNOWN", |(_, name)| name)
}

/// The names of all topics.
pub(super) fn topics(client: &mut Client) -> Result<Vec<String>, String> {
    let told = metadata(client, None, false)?;
    Ok(told.topics.iter().filter_map(|topic| topic.name.as_deref().map(str::to_string)).collect())
}

/// The ids of all brokers.
pub(super) fn brokers(client: &mut Client) -> Result<Vec<String>, String> {
    Ok(metadata(client, Some(&[]), false)?.brokers.iter().map(|broker| broker.node_id.to_string()).collect())
}

pub(super) fn describe(client: &mut Client, entity: &Entity, is_all: bool) -> Result<(), String> {
    let kind = entity.kind;
    let names = match (&entity.name, kind) {
        (Some(name), _) if !is_all && !name.is_empty() && tell_missing(client, kind, name)? => return Ok(()),
        (Some(name), _) => vec![name.clone()],
        (None, Kind::Topics) => topics(client)?,
        // And the default of all.
        (None, _) => brokers(client)?.into_iter().chain([String::new()]).collect(),
    };
    names.iter().try_for_each(|name| describe_one(client, kind, name, is_all))
}

fn describe_one(client: &mut Client, kind: Kind, name: &str, is_all: bool) -> Result<(), String> {
    let resource = describe_configs::DescribeConfigsResource {
        resource_type: resource_type(kind),
        resource_name: name.to_string().into(),
        configuration_keys: None,
    };
    let request = describe_configs::Request { resources: vec![resource], include_synonyms: true, ..Default::default() };
    say(&match name {
        "" => format!("Default configs for {}s in the cluster are:", kind.singular()),
        name => format!("{} configs for {} {name} are:", if is_all { "All" } else { "Dynamic" }, kind.singular()),
    });
    let told: describe_configs::Response<'_> = client.ask(ApiKey::DescribeConfigs, &request)?;
    let found = told.results.first().ok_or("the broker says nothing about it")?;
    check(found.error_code, found.error_message.as_deref())?;
    let own = source(kind, name) as i8;
    let mut configs: Vec<_> = found.configs.iter().filter(|config| is_all || config.config_source == own).collect();
    configs.sort_by(|a, b| a.name.cmp(&b.name));
    let text = |value: &Option<Str<'_>>| value.as_deref().unwrap_or("null").to_string();
    for config in configs {
        let synonyms = config.synonyms.iter();
        let synonyms: Vec<_> = synonyms
            .map(|synonym| format!("{}:{}={}", source_name(synonym.source), synonym.name, text(&synonym.value)))
            .collect();
        let (value, is_sensitive) = (text(&config.value), config.is_sensitive);
        say(&format!("  {}={value} sensitive={is_sensitive} synonyms={{{}}}", config.name, synonyms.join(", ")));
    }
    Ok(())
}

pub(super) fn alter(client: &mut Client, entity: &Entity, changes: Changes) -> Result<(), String> {
    let config = |name: String, config_operation, value: Option<String>| incremental_alter_configs::AlterableConfig {
        name: name.into(),
        config_operation,
        value: value.map(Into::into),
    };
    let deleted = changes.deleted.into_iter().map(|key| config(key, DELETE, None));
    let set = changes.added.into_iter().map(|(key, value)| config(key, SET, Some(value)));
    let resource = incremental_alter_configs::AlterConfigsResource {
        resource_type: resource_type(entity.kind),
        resource_name: entity.name.clone().unwrap_or_default().into(),
        configs: deleted.chain(set).collect(),
    };
    let request = incremental_alter_configs::Request { resources: vec![resource], validate_only: false };
    let told: incremental_alter_configs::Response<'_> = client.ask(ApiKey::IncrementalAlterConfigs, &request)?;
    told.responses.iter().try_for_each(|found| check(found.error_code, found.error_message.as_deref()))
}
