//! `kafka-topics` (`TopicCommand`).

use std::process::ExitCode;

use super::options::{action, missing, refuse_together, require};
use super::{TIMEOUT_MS, connect, metadata, say};
use crate::cli::args::Given;
use crate::cli::client::{Client, check};
use crate::config;
use crate::model::{ApiKey, ErrorCode, Uuid};
use crate::wire::api::metadata::{MetadataResponsePartition, MetadataResponseTopic};
use crate::wire::api::{create_partitions, create_topics, delete_topics, describe_configs};

/// `ConfigResource.Type.TOPIC`
const TOPIC_TYPE: i8 = 2;
/// `ConfigEntry.ConfigSource.DEFAULT_CONFIG`
const DEFAULT_SOURCE: i8 = 5;

type Deed = fn(&Given, &mut Client) -> Result<(), String>;

const ACTIONS: [(&str, Deed); 5] =
    [("list", list), ("describe", describe), ("create", create), ("alter", alter), ("delete", delete)];

/// Options with the actions that they are for (`checkInvalidArgs`).
const FOR_SOME: [(&str, &[&str]); 6] = [
    ("config", &["alter", "create"]),
    ("partitions", &["alter", "create"]),
    ("replication-factor", &["create"]),
    ("if-exists", &["alter", "delete", "describe"]),
    ("if-not-exists", &["create"]),
    ("exclude-internal", &["list", "describe"]),
];

/// Errors behind the options are where Kafka's tool has them, on standard output.
pub(super) fn run(given: &Given) -> Result<ExitCode, String> {
    let deed = checked(given)?;
    Ok(match connect(given).and_then(|mut client| deed(given, &mut client)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            say(&format!("Error while executing topic command : {sentence}"));
            ExitCode::FAILURE
        }
    })
}

/// What is to be done, if the options fit it (`TopicCommandOptions.checkArgs`).
fn checked(given: &Given) -> Result<Deed, String> {
    let several = "Command must include exactly one action: --list, --describe, --create, --alter or --delete";
    let (name, deed) = action(given, &ACTIONS).ok_or(several)?;
    if !given.has("bootstrap-server") {
        return Err("--bootstrap-server must be specified".into());
    }
    match *name {
        "list" => {}
        "describe" if given.has("if-exists") && !given.has("topic") => {
            return Err("--topic is required to describe a topic".into());
        }
        "describe" => {}
        _ => require(given, "topic")?,
    }
    if *name == "alter" {
        if given.has("config") {
            return Err("Option combination \"[[bootstrap-server], [config]]\" can't be used with option \"[alter]\" (To alter \
                        topic configurations, the kafka-configs tool can be used.)"
                .into());
        }
        require(given, "partitions")?;
    }
    let mut others = FOR_SOME.iter().filter(|(_, actions)| !actions.contains(name));
    others.try_for_each(|(option, _)| refuse_together(given, option, &[*name]))?;
    Ok(*deed)
}

fn named(given: &Given) -> Result<String, String> {
    given.text("topic")?.ok_or_else(|| missing("topic"))
}

/// `TopicCommand.parseTopicConfigsToBeAdded`, which splits as Java does: what is empty at the end is nothing.
fn topic_config(text: &str) -> Result<(&str, &str), String> {
    match text.trim_end_matches('=').split('=').collect::<Vec<_>>()[..] {
        [key, value] => Ok((key.trim(), value.trim())),
        _ => {
            Err("requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\"."
                .into())
        }
    }
}

fn create(given: &Given, client: &mut Client) -> Result<(), String> {
    let name = named(given)?;
    let mut configs = Vec::new();
    for text in given.texts("config")? {
        let (key, value) = topic_config(&text)?;
        let value = Some(value.to_string().into());
        configs.push(create_topics::CreatableTopicConfig { name: key.to_string().into(), value });
    }
    if name.contains(['.', '_']) {
        say(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid issues it is best to use either, but not both.",
        );
    }
    let factor: Option<i32> = given.parsed("replication-factor")?;
    let factor = factor.map(|factor| i16::try_from(factor).ok().filter(|factor| *factor >= 1));
    if factor == Some(None) {
        return Err(format!("The replication factor must be between 1 and {} inclusive", i16::MAX));
    }
    let partitions: Option<i32> = given.parsed("partitions")?;
    if partitions.is_some_and(|count| count < 1) {
        return Err("The partitions must be greater than 0".into());
    }
    let topic = create_topics::CreatableTopic {
        name: name.clone().into(),
        num_partitions: partitions.unwrap_or(-1),
        replication_factor: factor.flatten().unwrap_or(-1),
        configs,
        ..Default::default()
    };
    let request = create_topics::Request { topics: vec![topic], timeout_ms: TIMEOUT_MS, ..Default::default() };
    let told: create_topics::Response<'_> = client.ask(ApiKey::CreateTopics, &request)?;
    let made = told.topics.first().ok_or("the broker says nothing about the topic")?;
    if made.error_code == ErrorCode::TopicAlreadyExists.code() && given.has("if-not-exists") {
        return Ok(());
    }
    check(made.error_code, made.error_message.as_deref())?;
    say(&format!("Created topic {name}."));
    Ok(())
}

/// An expression as `TopicFilter` reads it: with commas between several, and without blanks and the quotes around it.
fn expression(text: &str) -> Result<impl Fn(&str) -> bool + use<>, String> {
    let bare = text.trim().replace(',', "|").replace(' ', "");
    let bare = bare.trim_matches(['"', '\'']);
    // By itself as well, as a bracket of it could close the one around it.
    let whole = config::pattern(bare).and_then(|_| config::pattern(&format!("^(?:{bare})$")));
    let whole = whole.ok_or_else(|| format!("{bare} is an invalid regex."))?;
    Ok(move |name: &str| whole.is_match(name.as_bytes()))
}

/// The topics that the arguments mean, by name.
fn meant<'c>(given: &Given, client: &'c mut Client) -> Result<Vec<MetadataResponseTopic<'c>>, String> {
    let asked = given.text("topic")?;
    let fits = asked.as_deref().map(expression).transpose()?;
    let is_meant = |topic: &MetadataResponseTopic<'_>| {
        let is_hidden = topic.is_internal && given.has("exclude-internal");
        let fits = |name: &str| fits.as_ref().is_none_or(|fits| fits(name));
        topic.error_code == 0 && !is_hidden && topic.name.as_deref().is_some_and(fits)
    };
    let mut topics = metadata(client, None, false)?.topics;
    topics.retain(is_meant);
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    match asked.filter(|text| !text.is_empty()) {
        Some(text) if topics.is_empty() && !given.has("list") && !given.has("if-exists") => {
            Err(format!("Topic '{text}' does not exist as expected"))
        }
        _ => Ok(topics),
    }
}

fn names(given: &Given, client: &mut Client) -> Result<Vec<String>, String> {
    Ok(meant(given, client)?.iter().filter_map(|topic| topic.name.as_deref().map(str::to_string)).collect())
}

fn list(given: &Given, client: &mut Client) -> Result<(), String> {
    let names = names(given, client)?;
    match names.is_empty() {
        true => say(""),
        false => names.iter().for_each(|name| say(name)),
    }
    Ok(())
}

fn delete(given: &Given, client: &mut Client) -> Result<(), String> {
    let topics: Vec<_> = names(given, client)?
        .into_iter()
        .map(|name| delete_topics::DeleteTopicState { name: Some(name.into()), ..Default::default() })
        .collect();
    let request = delete_topics::Request { topics, timeout_ms: TIMEOUT_MS, ..Default::default() };
    let told: delete_topics::Response<'_> = client.ask(ApiKey::DeleteTopics, &request)?;
    told.responses.iter().try_for_each(|topic| check(topic.error_code, topic.error_message.as_deref()))
}

fn alter(given: &Given, client: &mut Client) -> Result<(), String> {
    let count = given.parsed("partitions")?.ok_or_else(|| missing("partitions"))?;
    let topics: Vec<_> = names(given, client)?
        .into_iter()
        .map(|name| create_partitions::CreatePartitionsTopic { name: name.into(), count, assignments: None })
        .collect();
    if topics.is_empty() {
        return Ok(());
    }
    let request = create_partitions::Request { topics, timeout_ms: TIMEOUT_MS, ..Default::default() };
    let told: create_partitions::Response<'_> = client.ask(ApiKey::CreatePartitions, &request)?;
    told.results.iter().try_for_each(|topic| check(topic.error_code, topic.error_message.as_deref()))
}

fn describe(given: &Given, client: &mut Client) -> Result<(), String> {
    let topics = meant(given, client)?.into_iter();
    let own = |topic: MetadataResponseTopic<'_>| {
        (topic.name.as_deref().unwrap_or_default().to_string(), topic.topic_id, topic.partitions)
    };
    let topics: Vec<(String, Uuid, Vec<MetadataResponsePartition>)> = topics.map(own).collect();
    for (name, id, mut partitions) in topics {
        let configs = configs(client, &name)?;
        let id = if id == Uuid::default() { String::new() } else { format!("\tTopicId: {id}") };
        let factor = partitions.first().map_or(0, |partition| partition.replica_nodes.len());
        let count = partitions.len();
        say(&format!("Topic: {name}{id}\tPartitionCount: {count}\tReplicationFactor: {factor}\tConfigs: {configs}"));
        partitions.sort_by_key(|partition| partition.partition_index);
        partitions.iter().for_each(|partition| say(&line(&name, partition)));
    }
    Ok(())
}

fn line(topic: &str, partition: &MetadataResponsePartition) -> String {
    let list = |ids: &[i32]| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    let leader = if partition.leader_id < 0 { "none".into() } else { partition.leader_id.to_string() };
    let (replicas, isr) = (list(&partition.replica_nodes), list(&partition.isr_nodes));
    format!(
        "\tTopic: {topic}\tPartition: {}\tLeader: {leader}\tReplicas: {replicas}\tIsr: {isr}\tElr: \tLastKnownElr: ",
        partition.partition_index
    )
}

/// Those that are not a default.
fn configs(client: &mut Client, topic: &str) -> Result<String, String> {
    let resource = describe_configs::DescribeConfigsResource {
        resource_type: TOPIC_TYPE,
        resource_name: topic.to_string().into(),
        configuration_keys: None,
    };
    let request = describe_configs::Request { resources: vec![resource], ..Default::default() };
    let told: describe_configs::Response<'_> = client.ask(ApiKey::DescribeConfigs, &request)?;
    let Some(found) = told.results.first() else { return Ok(String::new()) };
    check(found.error_code, found.error_message.as_deref())?;
    let set = found.configs.iter().filter(|config| config.config_source != DEFAULT_SOURCE);
    let set: Vec<_> =
        set.map(|config| format!("{}={}", config.name, config.value.as_deref().unwrap_or("null"))).collect();
    Ok(set.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::given_for_tests;

    #[test]
    fn options_are_for_their_actions() {
        let sentence = |line: &str| checked(&given_for_tests("topics", line)).err().unwrap_or_default();
        let cases = [
            ("--list", ""),
            ("--describe --exclude-internal", ""),
            ("--create --topic a --partitions 1 --replication-factor 1 --config a=b --if-not-exists", ""),
            ("--alter --topic a --partitions 1 --if-exists", ""),
            ("", "Command must include exactly one action: --list, --describe, --create, --alter or --delete"),
            (
                "--list --create",
                "Command must include exactly one action: --list, --describe, --create, --alter or --delete",
            ),
            ("--create", "Missing required argument \"[topic]\""),
            ("--alter --topic a", "Missing required argument \"[partitions]\""),
            ("--describe --if-exists", "--topic is required to describe a topic"),
            ("--list --partitions 3", "Option \"[partitions]\" can't be used with option \"[list]\""),
            ("--delete --topic a --config b=c", "Option \"[config]\" can't be used with option \"[delete]\""),
            ("--create --topic a --if-exists", "Option \"[if-exists]\" can't be used with option \"[create]\""),
            (
                "--delete --topic a --exclude-internal",
                "Option \"[exclude-internal]\" can't be used with option \"[delete]\"",
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(sentence(&format!("{line} --bootstrap-server a:1")), expected, "{line}");
        }
        assert_eq!(sentence("--list"), "--bootstrap-server must be specified");
        assert!(
            sentence("--alter --topic a --partitions 1 --config b=c --bootstrap-server a:1").contains("kafka-configs")
        );
    }

    #[test]
    fn expressions_are_read_as_by_the_filter_of_topics() {
        let fits = |text: &str, name: &str| expression(text).unwrap()(name);
        assert!(fits(" \"ord.*, a\\.b\" ", "orders") && fits(" \"ord.*, a\\.b\" ", "a.b"));
        assert!(!fits("ord", "orders") && !fits("a|b", "ab") && fits("'a b'", "ab"));
        assert!(!fits("", "a") && fits("\\w+", "a_1"));
        for wrong in ["[", "a)(b", "*", "a{99999}{99999}"] {
            assert_eq!(expression(wrong).err().unwrap(), format!("{wrong} is an invalid regex."), "{wrong}");
        }
    }

    #[test]
    fn configs_are_split_as_by_java() {
        assert_eq!(topic_config(" a = b "), Ok(("a", "b")));
        for wrong in ["a", "a=", "a=b=c", "=", ""] {
            assert!(topic_config(wrong).is_err(), "{wrong}");
        }
    }
}
