//! `kafka-configs` (`ConfigCommand`): configs of topics and brokers, and users of SCRAM.

use std::num::NonZeroU32;

use super::{connect, pairs, say};
use crate::broker::first::{FirstUser, upsertion};
use crate::cli::args::Given;
use crate::cli::client::{Client, check};
use crate::config::Source;
use crate::model::{ApiKey, ErrorCode};
use crate::security::crypto::Hash;
use crate::security::sasl::scram::mechanism_id;
use crate::stdx::secret::Secret;
use crate::wire::api::alter_user_scram_credentials as alter_scram;
use crate::wire::api::{describe_configs, describe_user_scram_credentials as scram, incremental_alter_configs};

/// What is meant: `ConfigResource.Type` and its name.
enum Entity {
    Topic(String),
    /// Empty: the default of all.
    Broker(String),
    User(String),
}

const SET: i8 = 0;
const DELETE: i8 = 1;

pub(super) fn run(given: &Given) -> Result<(), String> {
    let entity = entity(given)?;
    let mut client = connect(given)?;
    match (given.has("describe"), given.has("alter"), &entity) {
        (true, false, Entity::User(user)) => describe_user(&mut client, user),
        (true, false, _) => describe(&mut client, &entity, given.has("all")),
        (false, true, Entity::User(user)) => alter_user(&mut client, user, given),
        (false, true, _) => alter(&mut client, &entity, given),
        _ => Err("Command must include exactly one action: --describe, --alter".into()),
    }
}

fn entity(given: &Given) -> Result<Entity, String> {
    for (option, entity) in [("topic", Entity::Topic as fn(_) -> _), ("broker", Entity::Broker), ("user", Entity::User)]
    {
        if let Some(name) = given.text(option)? {
            return Ok(entity(name));
        }
    }
    let name = given.text("entity-name")?;
    match (given.text("entity-type")?.as_deref(), name) {
        (Some("topics"), Some(name)) => Ok(Entity::Topic(name)),
        (Some("brokers"), Some(name)) => Ok(Entity::Broker(name)),
        (Some("brokers"), None) if given.has("entity-default") => Ok(Entity::Broker(String::new())),
        (Some("users"), Some(name)) => Ok(Entity::User(name)),
        (Some("topics" | "brokers" | "users"), None) => Err("which one? --entity-name says it".into()),
        (Some(other), _) => {
            Err(format!("--entity-type is topics, brokers or users, not {other:?}; Kafka's own tool knows more"))
        }
        (None, _) => Err("At least one entity type must be specified".into()),
    }
}

impl Entity {
    fn resource(&self) -> (i8, &str) {
        match self {
            Entity::Topic(name) => (2, name),
            Entity::Broker(name) => (4, name),
            Entity::User(name) => (-1, name),
        }
    }

    /// As sentences call it.
    fn kind(&self) -> &'static str {
        match self {
            Entity::Topic(_) => "topic",
            Entity::Broker(_) => "broker",
            Entity::User(_) => "user",
        }
    }

    /// The source of what was set for this one.
    fn source(&self) -> Source {
        match self {
            Entity::Topic(_) => Source::DynamicTopic,
            Entity::Broker(name) if name.is_empty() => Source::DynamicDefaultBroker,
            Entity::Broker(_) | Entity::User(_) => Source::DynamicBroker,
        }
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

fn describe(client: &mut Client, entity: &Entity, is_all: bool) -> Result<(), String> {
    let (resource_type, name) = entity.resource();
    let resource = describe_configs::DescribeConfigsResource {
        resource_type,
        resource_name: name.to_string().into(),
        configuration_keys: None,
    };
    let request = describe_configs::Request { resources: vec![resource], include_synonyms: true, ..Default::default() };
    let mut answer = Vec::new();
    let told: describe_configs::Response<'_> = client.ask(ApiKey::DescribeConfigs, &request, &mut answer)?;
    let found = told.results.first().ok_or("the broker says nothing about it")?;
    check(found.error_code, found.error_message.as_deref())?;
    say(&match name {
        "" => "Default configs for brokers in the cluster are:".to_string(),
        name => format!("{} configs for {} {name} are:", if is_all { "All" } else { "Dynamic" }, entity.kind()),
    });
    let own = entity.source() as i8;
    let mut configs: Vec<_> = found.configs.iter().filter(|config| is_all || config.config_source == own).collect();
    configs.sort_by(|a, b| a.name.cmp(&b.name));
    for config in configs {
        let text = |value: &Option<crate::codec::Str<'_>>| value.as_deref().unwrap_or("null").to_string();
        let synonyms: Vec<_> = config
            .synonyms
            .iter()
            .map(|synonym| format!("{}:{}={}", source_name(synonym.source), synonym.name, text(&synonym.value)))
            .collect();
        let (value, is_sensitive) = (text(&config.value), config.is_sensitive);
        say(&format!("  {}={value} sensitive={is_sensitive} synonyms={{{}}}", config.name, synonyms.join(", ")));
    }
    Ok(())
}

/// What is added and what is deleted.
type Changes = (Vec<(String, String)>, Vec<String>);

/// There is at least one of either.
fn changes(given: &Given) -> Result<Changes, String> {
    let added = given.texts("add-config")?.iter().map(|text| pairs(text)).collect::<Result<Vec<_>, _>>()?.concat();
    let deleted = given.texts("delete-config")?.join(",");
    let deleted: Vec<_> = deleted.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_string).collect();
    match added.is_empty() && deleted.is_empty() {
        true => Err("At least one of --add-config or --delete-config must be specified with --alter".into()),
        false => Ok((added, deleted)),
    }
}

fn completed(entity: &Entity) {
    say(&match entity.resource().1 {
        "" => "Completed updating default config for brokers in the cluster.".to_string(),
        name => format!("Completed updating config for {} {name}.", entity.kind()),
    });
}

fn alter(client: &mut Client, entity: &Entity, given: &Given) -> Result<(), String> {
    let (added, deleted) = changes(given)?;
    let config = |name: String, config_operation, value: Option<String>| incremental_alter_configs::AlterableConfig {
        name: name.into(),
        config_operation,
        value: value.map(Into::into),
    };
    let deleted = deleted.into_iter().map(|key| config(key, DELETE, None));
    let configs = added.into_iter().map(|(key, value)| config(key, SET, Some(value))).chain(deleted).collect();
    let (resource_type, name) = entity.resource();
    let resource = incremental_alter_configs::AlterConfigsResource {
        resource_type,
        resource_name: name.to_string().into(),
        configs,
    };
    let request = incremental_alter_configs::Request { resources: vec![resource], validate_only: false };
    let mut answer = Vec::new();
    let told: incremental_alter_configs::Response<'_> =
        client.ask(ApiKey::IncrementalAlterConfigs, &request, &mut answer)?;
    told.responses.iter().try_for_each(|found| check(found.error_code, found.error_message.as_deref()))?;
    completed(entity);
    Ok(())
}

/// The hash of a mechanism, by its name.
fn mechanism(name: &str) -> Result<Hash, String> {
    match name {
        "SCRAM-SHA-256" => Ok(Hash::Sha256),
        "SCRAM-SHA-512" => Ok(Hash::Sha512),
        other => Err(format!(
            "{other} of a user is not changed here, SCRAM-SHA-256 and SCRAM-SHA-512 are; Kafka's own tool knows quotas"
        )),
    }
}

fn alter_user(client: &mut Client, user: &str, given: &Given) -> Result<(), String> {
    let (added, deleted) = changes(given)?;
    let mut request = alter_scram::Request::default();
    for (name, value) in added {
        let hash = mechanism(&name)?;
        let parts = pairs(&value)?;
        let part = |key: &str| parts.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        let password = part("password").ok_or("a user of SCRAM needs [password=…]")?;
        let iterations = part("iterations").map(|text| text.parse::<NonZeroU32>()).transpose();
        let iterations = iterations.map_err(|_| "iterations is a number")?;
        let first = FirstUser { name: user.to_string(), password: Secret::new(password) };
        request.upsertions.push(upsertion(&first, hash, iterations));
    }
    for name in deleted {
        let mechanism = mechanism_id(mechanism(&name)?);
        request.deletions.push(alter_scram::ScramCredentialDeletion { name: user.to_string().into(), mechanism });
    }
    let mut answer = Vec::new();
    let told: alter_scram::Response<'_> = client.ask(ApiKey::AlterUserScramCredentials, &request, &mut answer)?;
    told.results.iter().try_for_each(|found| check(found.error_code, found.error_message.as_deref()))?;
    completed(&Entity::User(user.to_string()));
    Ok(())
}

fn describe_user(client: &mut Client, user: &str) -> Result<(), String> {
    let request = scram::Request { users: Some(vec![scram::UserName { name: user.to_string().into() }]) };
    let mut answer = Vec::new();
    let told: scram::Response<'_> = client.ask(ApiKey::DescribeUserScramCredentials, &request, &mut answer)?;
    check(told.error_code, told.error_message.as_deref())?;
    for found in &told.results {
        if found.error_code == ErrorCode::ResourceNotFound.code() {
            continue;
        }
        check(found.error_code, found.error_message.as_deref())?;
        let name = |number: i8| if number == 1 { "SCRAM-SHA-256" } else { "SCRAM-SHA-512" };
        let each = found.credential_infos.iter();
        let each: Vec<_> =
            each.map(|info| format!("{}=iterations={}", name(info.mechanism), info.iterations)).collect();
        say(&format!("SCRAM credential configs for user-principal '{}' are {}", found.user, each.join(", ")));
    }
    Ok(())
}
