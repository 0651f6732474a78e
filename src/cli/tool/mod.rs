//! The part of Kafka's command line tools that set-up scripts, Testcontainers' modules and health checks run, under their names
//! and with their output where scripts read it. For all the rest Kafka's own tools work with this broker.
//!
//! Deviations: options are spelled out (Kafka's tools take abbreviations), words that are no option are refused, a console
//! consumer joins no group, and the broker that is asked is the one that was reached, see `client`. Usage errors are one
//! sentence, without the list of options behind it.

mod configs;
mod consumer;
mod groups;
mod options;
mod producer;
mod topics;
mod versions;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::args::Given;
use super::client::{self, Client, check};
use super::printable::printable;
use crate::io::{clock, threads};
use crate::model::{ApiKey, ErrorCode};
use crate::wire::api::{metadata, metadata::MetadataRequestTopic};

/// How long a broker may work on a request of an administrator.
const TIMEOUT_MS: i32 = 60_000;
/// Between two requests for what is not there yet (`retry.backoff.ms`).
const PAUSE: Duration = Duration::from_millis(100);
/// Later versions of Produce and Fetch name topics by their ids.
const BY_NAME: i16 = 12;

/// Runs the tool that these arguments are for.
pub(super) fn run(given: &Given) -> Result<ExitCode, String> {
    options::refuse_repeated(given)?;
    match given.name {
        "topics" => return topics::run(given),
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

/// The addresses that the arguments name.
fn bootstrap(given: &Given) -> Result<String, String> {
    let named = given.text("bootstrap-server")?.map_or_else(|| given.text("broker-list"), |named| Ok(Some(named)))?;
    named.ok_or_else(|| options::missing("bootstrap-server"))
}

/// A connection to the broker that the arguments name.
fn connect(given: &Given) -> Result<Client, String> {
    let named = bootstrap(given)?;
    let configs = ["command-config", "producer.config", "consumer.config"];
    let config = configs.iter().find_map(|option| given.path(option));
    // `kafka-cluster` has it under this name, too.
    let config = config.or_else(|| given.path("config").filter(|_| given.name == "cluster"));
    let login = config.as_deref().map(client::login).transpose()?.flatten();
    Client::connect(&named, login.as_ref())
}

/// A line of output, which may have tabs. A reader that wants no more of it ends the tool, as the signal of a broken pipe would.
fn say(line: &str) {
    let mut shown = line.split('\t').map(printable).collect::<Vec<_>>().join("\t");
    shown.push('\n');
    put(shown.as_bytes());
}

/// The same of bytes as they are.
fn put(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

/// All topics, or these, made if they are not there and the broker makes such.
fn metadata<'c>(
    client: &'c mut Client,
    names: Option<&[&str]>,
    is_making: bool,
) -> Result<metadata::Response<'c>, String> {
    let topic = |name: &&str| MetadataRequestTopic { name: Some(name.to_string().into()), ..Default::default() };
    let request = metadata::Request {
        topics: names.map(|names| names.iter().map(topic).collect()),
        allow_auto_topic_creation: is_making,
        ..Default::default()
    };
    client.ask(ApiKey::Metadata, &request)
}

/// Whether an answer about a topic or a partition may be another one in a moment, so that Kafka's clients ask again.
fn is_passing(code: i16) -> bool {
    use ErrorCode::{
        FencedLeaderEpoch, KafkaStorageError, LeaderNotAvailable, NotLeaderOrFollower, UnknownLeaderEpoch,
        UnknownTopicOrPartition,
    };
    let passing = [
        FencedLeaderEpoch,
        KafkaStorageError,
        LeaderNotAvailable,
        NotLeaderOrFollower,
        UnknownLeaderEpoch,
        UnknownTopicOrPartition,
    ];
    passing.iter().any(|error| error.code() == code)
}

/// The partitions of a topic, which is made if the broker makes topics. `None`: it was not there with its leaders in this time;
/// without a limit it is waited for.
fn partitions(client: &mut Client, topic: &str, patience: Option<Duration>) -> Result<Option<Vec<i32>>, String> {
    let begun = clock::now();
    let mut is_said = false;
    loop {
        let told = metadata(client, Some(&[topic]), true)?;
        let found = told.topics.first().ok_or("the broker says nothing about the topic")?;
        let has_leaders = found.partitions.iter().all(|partition| partition.leader_id >= 0);
        if found.error_code == 0 && !found.partitions.is_empty() && has_leaders {
            return Ok(Some(found.partitions.iter().map(|partition| partition.partition_index).collect()));
        }
        let why = check(found.error_code, None).err().unwrap_or_else(|| "it has no leaders".into());
        if found.error_code != 0 && !is_passing(found.error_code) {
            return Err(format!("{topic}: {why}"));
        }
        if patience.is_some_and(|patience| clock::now().since(begun) >= patience) {
            return Ok(None);
        }
        if !is_said {
            eprintln!("klamm: waits for the topic {}: {why}", printable(topic));
            is_said = true;
        }
        threads::wait(PAUSE);
    }
}

/// `kafka-cluster cluster-id`
fn cluster(given: &Given) -> Result<(), String> {
    match given.words()?.as_slice() {
        [word] if word == "cluster-id" => {}
        other => return Err(format!("kafka-cluster does cluster-id, not {:?}", other.join(" "))),
    }
    let mut client = connect(given)?;
    let told = metadata(&mut client, Some(&[]), false)?;
    say(&format!("Cluster ID: {}", told.cluster_id.as_deref().ok_or("the broker tells no cluster id")?));
    Ok(())
}
