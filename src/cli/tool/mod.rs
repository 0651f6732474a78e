//! The part of Kafka's command line tools that set-up scripts, Testcontainers' modules and health checks run, under their names
//! and with their output where scripts read it. For all the rest Kafka's own tools work with this broker.
//!
//! Deviations: options are spelled out (Kafka's tools take abbreviations), a console consumer joins no group, and the broker
//! that is asked is the one that was reached, see `client`.

mod configs;
mod consumer;
mod groups;
mod producer;
mod topics;
mod versions;

use std::io::{self, Write};
use std::process::ExitCode;

use super::args::Given;
use super::client::{self, Client};
use crate::model::ApiKey;
use crate::wire::api::{metadata, metadata::MetadataRequestTopic};

/// How long a broker may work on a request of an administrator.
const TIMEOUT_MS: i32 = 60_000;

/// Runs the tool that these arguments are for.
pub(super) fn run(given: &Given) -> Result<ExitCode, String> {
    match given.name {
        "topics" => return Ok(topics::run(given)),
        "console-producer" => producer::run(given)?,
        "console-consumer" => consumer::run(given)?,
        "configs" => configs::run(given)?,
        "consumer-groups" => groups::run(given)?,
        "broker-api-versions" => versions::run(given)?,
        "cluster" => cluster(given)?,
        other => return Err(format!("there is no tool {other:?}")),
    }
    Ok(ExitCode::SUCCESS)
}

/// A connection to the broker that the arguments name.
fn connect(given: &Given) -> Result<Client, String> {
    let named = given.text("bootstrap-server")?.map_or_else(|| given.text("broker-list"), |named| Ok(Some(named)))?;
    let named = named.ok_or("Missing required argument \"[bootstrap-server]\"")?;
    let configs = ["command-config", "producer.config", "consumer.config"];
    let config = configs.iter().find_map(|option| given.path(option));
    // `kafka-cluster` has it under this name, too.
    let config = config.or_else(|| given.path("config").filter(|_| given.name == "cluster"));
    let login = config.as_deref().map(client::login).transpose()?.flatten();
    Client::connect(&named, login.as_ref())
}

/// A line of output. A reader that wants no more of it ends the tool, as the signal of a broken pipe would.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    if out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).is_err() {
        std::process::exit(1);
    }
}

/// All topics, or these, made if they are not there and the broker makes such.
fn metadata<'a>(
    client: &mut Client,
    names: Option<&[&str]>,
    is_making: bool,
    answer: &'a mut Vec<u8>,
) -> Result<metadata::Response<'a>, String> {
    let topic = |name: &&str| MetadataRequestTopic { name: Some(name.to_string().into()), ..Default::default() };
    let request = metadata::Request {
        topics: names.map(|names| names.iter().map(topic).collect()),
        allow_auto_topic_creation: is_making,
        ..Default::default()
    };
    client.ask(ApiKey::Metadata, &request, answer)
}

/// `kafka-cluster cluster-id`
fn cluster(given: &Given) -> Result<(), String> {
    match given.argument().and_then(|word| word.to_str()) {
        Some("cluster-id") => {}
        other => return Err(format!("kafka-cluster does cluster-id, not {:?}", other.unwrap_or_default())),
    }
    let (mut client, mut answer) = (connect(given)?, Vec::new());
    let told = metadata(&mut client, Some(&[]), false, &mut answer)?;
    say(&format!("Cluster ID: {}", told.cluster_id.as_deref().ok_or("the broker tells no cluster id")?));
    Ok(())
}

/// The pairs of a text `key=value,key=[value,value]` (`ConfigCommand.parseConfigsToBeAdded`).
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut depth = 0usize;
    let is_between = |c: char| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    for pair in text.split(is_between).filter(|pair| !pair.trim().is_empty()) {
        let (key, value) = pair
            .split_once('=')
            .ok_or("Invalid entity config: all configs to be added must be in the format \"key=val\".")?;
        let value = value.trim();
        let inside = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')).unwrap_or(value);
        pairs.push((key.trim().to_string(), inside.to_string()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_may_have_lists_as_values() {
        let of = |text| pairs(text).map(|pairs| pairs.into_iter().map(|(k, v)| format!("{k}|{v}")).collect::<Vec<_>>());
        assert_eq!(of("a=1,b=[c,d], e=").unwrap(), ["a|1", "b|c,d", "e|"]);
        assert_eq!(
            of("SCRAM-SHA-256=[password=x,iterations=4096]").unwrap(),
            ["SCRAM-SHA-256|password=x,iterations=4096"]
        );
        assert_eq!(of("").unwrap(), [""; 0]);
        assert!(of("a").is_err() && of("a=[,b").is_ok());
    }
}
