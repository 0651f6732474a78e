//! `kafka-topics` (`TopicCommand`).

use std::process::ExitCode;

use regex::Regex;

use super::{TIMEOUT_MS, connect, metadata, say};
use crate::cli::args::Given;
use crate::cli::client::{Client, check};
use crate::model::{ApiKey, ErrorCode, Uuid};
use crate::wire::api::metadata::MetadataResponseTopic;
use crate::wire::api::{create_partitions, create_topics, delete_topics, describe_configs};

/// `ConfigResource.Type.TOPIC`
const TOPIC_TYPE: i8 = 2;
/// `ConfigEntry.ConfigSource.DEFAULT_CONFIG`
const DEFAULT_SOURCE: i8 = 5;

/// Errors are where Kafka's tool has them, on standard output.
pub(super) fn run(given: &Given) -> ExitCode {
    match done(given) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            say(&format!("Error while executing topic command : {sentence}"));
            ExitCode::FAILURE
        }
    }
}

type Deed = fn(&Given, &mut Client) -> Result<(), String>;

fn done(given: &Given) -> Result<(), String> {
    const DEEDS: [(&str, Deed); 5] =
        [("create", create), ("alter", alter), ("list", list), ("describe", describe), ("delete", delete)];
    let mut asked = DEEDS.iter().filter(|(name, _)| given.has(name));
    match (asked.next(), asked.next()) {
        (Some((_, deed)), None) => deed(given, &mut connect(given)?),
        _ => Err("Command must include exactly one action: --list, --describe, --create, --alter or --delete".into()),
    }
}

fn named(given: &Given) -> Result<String, String> {
    given.text("topic")?.ok_or_else(|| "Missing required argument \"[topic]\"".to_string())
}

fn create(given: &Given, client: &mut Client) -> Result<(), String> {
    let name = named(given)?;
    if name.contains(['.', '_']) {
        say(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid issues it is best to use either, but not both.",
        );
    }
    let partitions: Option<i32> = given.parsed("partitions")?;
    if partitions.is_some_and(|count| count < 1) {
        return Err("The partitions must be greater than 0".into());
    }
    let factor: Option<i16> = given.parsed("replication-factor")?;
    if factor.is_some_and(|factor| factor < 1) {
        return Err(format!("The replication factor must be between 1 and {} inclusive", i16::MAX));
    }
    let mut configs = Vec::new();
    for text in given.texts("config")? {
        let (key, value) = text.split_once('=').ok_or(
            "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".",
        )?;
        configs.push(create_topics::CreatableTopicConfig {
            name: key.trim().to_string().into(),
            value: Some(value.trim().to_string().into()),
        });
    }
    let topic = create_topics::CreatableTopic {
        name: name.clone().into(),
        num_partitions: partitions.unwrap_or(-1),
        replication_factor: factor.unwrap_or(-1),
        configs,
        ..Default::default()
    };
    let request = create_topics::Request { topics: vec![topic], timeout_ms: TIMEOUT_MS, ..Default::default() };
    let mut answer = Vec::new();
    let told: create_topics::Response<'_> = client.ask(ApiKey::CreateTopics, &request, &mut answer)?;
    let made = told.topics.first().ok_or("the broker says nothing about the topic")?;
    if made.error_code == ErrorCode::TopicAlreadyExists.code() && given.has("if-not-exists") {
        return Ok(());
    }
    check(made.error_code, made.error_message.as_deref())?;
    say(&format!("Created topic {name}."));
    Ok(())
}

/// The topics that the arguments mean, by name. `--topic` is an expression, with commas between several
/// (`IncludeList`).
fn meant<'m>(
    given: &Given,
    all: &'m [MetadataResponseTopic<'_>],
) -> Result<Vec<&'m MetadataResponseTopic<'m>>, String> {
    let asked = given.text("topic")?;
    let expression = asked.as_ref().map(|text| {
        let whole = format!("^(?:{})$", text.trim().replace(',', "|"));
        Regex::new(&whole).map_err(|error| format!("{text} is an invalid regex: {error}"))
    });
    let expression = expression.transpose()?;
    let mut topics: Vec<_> = all
        .iter()
        .filter(|topic| topic.name.is_some() && topic.error_code == 0)
        .filter(|topic| !(topic.is_internal && given.has("exclude-internal")))
        .filter(|topic| expression.as_ref().is_none_or(|e| e.is_match(topic.name.as_deref().unwrap_or_default())))
        .collect();
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    match asked {
        Some(text) if topics.is_empty() && !given.has("list") && !given.has("if-exists") => {
            Err(format!("Topic '{text}' does not exist as expected"))
        }
        _ => Ok(topics),
    }
}

fn names(given: &Given, client: &mut Client) -> Result<Vec<String>, String> {
    let mut answer = Vec::new();
    let told = metadata(client, None, false, &mut answer)?;
    Ok(meant(given, &told.topics)?.iter().filter_map(|topic| topic.name.as_deref().map(str::to_string)).collect())
}

fn list(given: &Given, client: &mut Client) -> Result<(), String> {
    say(&names(given, client)?.join("\n"));
    Ok(())
}

fn delete(given: &Given, client: &mut Client) -> Result<(), String> {
    named(given)?;
    let topics: Vec<_> = names(given, client)?
        .into_iter()
        .map(|name| delete_topics::DeleteTopicState { name: Some(name.into()), ..Default::default() })
        .collect();
    let request = delete_topics::Request { topics, timeout_ms: TIMEOUT_MS, ..Default::default() };
    let mut answer = Vec::new();
    let told: delete_topics::Response<'_> = client.ask(ApiKey::DeleteTopics, &request, &mut answer)?;
    told.responses.iter().try_for_each(|topic| check(topic.error_code, topic.error_message.as_deref()))
}

fn alter(given: &Given, client: &mut Client) -> Result<(), String> {
    named(given)?;
    let count = given.parsed("partitions")?.ok_or("Missing required argument \"[partitions]\"")?;
    let topics: Vec<_> = names(given, client)?
        .into_iter()
        .map(|name| create_partitions::CreatePartitionsTopic { name: name.into(), count, assignments: None })
        .collect();
    let request = create_partitions::Request { topics, timeout_ms: TIMEOUT_MS, ..Default::default() };
    let mut answer = Vec::new();
    let told: create_partitions::Response<'_> = client.ask(ApiKey::CreatePartitions, &request, &mut answer)?;
    told.results.iter().try_for_each(|topic| check(topic.error_code, topic.error_message.as_deref()))
}

fn describe(given: &Given, client: &mut Client) -> Result<(), String> {
    let mut answer = Vec::new();
    let told = metadata(client, None, false, &mut answer)?;
    for topic in meant(given, &told.topics)? {
        let name = topic.name.as_deref().unwrap_or_default();
        let id =
            if topic.topic_id == Uuid::default() { String::new() } else { format!("\tTopicId: {}", topic.topic_id) };
        let factor = topic.partitions.first().map_or(0, |partition| partition.replica_nodes.len());
        let configs = configs(client, name)?;
        let count = topic.partitions.len();
        say(&format!("Topic: {name}{id}\tPartitionCount: {count}\tReplicationFactor: {factor}\tConfigs: {configs}"));
        let mut partitions: Vec<_> = topic.partitions.iter().collect();
        partitions.sort_by_key(|partition| partition.partition_index);
        let list = |ids: &[i32]| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
        for partition in partitions {
            let leader = if partition.leader_id < 0 { "none".into() } else { partition.leader_id.to_string() };
            let (replicas, isr) = (list(&partition.replica_nodes), list(&partition.isr_nodes));
            say(&format!(
                "\tTopic: {name}\tPartition: {}\tLeader: {leader}\tReplicas: {replicas}\tIsr: {isr}\tElr: \tLastKnownElr: ",
                partition.partition_index
            ));
        }
    }
    Ok(())
}

/// Those that are not a default.
fn configs(client: &mut Client, topic: &str) -> Result<String, String> {
    let resource = describe_configs::DescribeConfigsResource {
        resource_type: TOPIC_TYPE,
        resource_name: topic.to_string().into(),
        configuration_keys: None,
    };
    let request = describe_configs::Request { resources: vec![resource], ..Default::default() };
    let mut answer = Vec::new();
    let told: describe_configs::Response<'_> = client.ask(ApiKey::DescribeConfigs, &request, &mut answer)?;
    let Some(found) = told.results.first() else { return Ok(String::new()) };
    check(found.error_code, found.error_message.as_deref())?;
    let set = found.configs.iter().filter(|config| config.config_source != DEFAULT_SOURCE);
    let set: Vec<_> =
        set.map(|config| format!("{}={}", config.name, config.value.as_deref().unwrap_or("null"))).collect();
    Ok(set.join(","))
}
