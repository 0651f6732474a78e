//! One run of the command against a broker of its own, and what the broker knows about it afterwards.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::arguments::ExploreArguments;
use super::moments::Asked;
use super::records::{self, Written};
use crate::broker::test_broker::TestBroker;
use crate::cli::test_broker::arguments::TestArguments;
use crate::cli::test_broker::{reachable, start};
use crate::io::command_group::{self, CommandRun};
use crate::io::{threads, web_client};

/// Variables that tell the command where its broker is. Frameworks read the last three.
pub(super) const ADDRESS_VARIABLES: [&str; 4] =
    ["KLAMM_BOOTSTRAP_SERVERS", "BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS", "SPRING_KAFKA_BOOTSTRAP_SERVERS"];
const HTTP_VARIABLE: &str = "KLAMM_HTTP";
/// What stands in an argument of the command for the same.
const ADDRESS_WORD: &str = "{bootstrap}";
const HTTP_WORD: &str = "{http}";

/// Requests of a run that are looked at: those that one list of the journal has.
pub(super) const MOST_REQUESTS: usize = 10_000;
/// How long the broker may take to read what the command has sent, when that has ended.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(2);

/// What one run leaves.
pub(super) struct Ran {
    pub(super) command: CommandRun,
    pub(super) written: Written,
    /// Topics whose records are too many to be compared.
    pub(super) unread: Vec<String>,
    /// How often each rule has struck.
    pub(super) struck: Vec<u64>,
    /// What the command has asked the broker, in the order in which it came; empty where that was not wanted.
    pub(super) asked: Vec<Asked>,
    /// Requests that came before those.
    pub(super) forgotten: u64,
}

/// What the broker is asked for when the command has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Requests,
    RecordsAlone,
}

/// Runs the command once, with rules by which its broker breaks. An error is a sentence: the run says nothing then. Blocks.
pub(super) fn run(
    arguments: &ExploreArguments,
    rules: &[Value],
    wanted: Wanted,
    is_stopped: &AtomicBool,
) -> Result<Ran, String> {
    let broker = start(
        &TestArguments {
            topics: arguments.topics.clone(),
            faults: rules.to_vec(),
            as_version: arguments.as_version.clone(),
            overrides: arguments.overrides.clone(),
            ..TestArguments::default()
        },
        None,
    )?;
    let ran = run_before(&broker, arguments, (rules.len(), wanted), is_stopped);
    // Its clients are gone, and what it says of its own end does not matter to them.
    let _ = broker.stop();
    ran
}

fn run_before(
    broker: &TestBroker,
    arguments: &ExploreArguments,
    (rules, wanted): (usize, Wanted),
    is_stopped: &AtomicBool,
) -> Result<Ran, String> {
    let bootstrap = reachable(broker.addresses()[0]).to_string();
    let http = broker.http_addresses().first().map(|address| reachable(*address).to_string());
    let http = http.ok_or("the explorer asks the broker's HTTP side, which a setting has switched off")?;
    let command = command(arguments, &bootstrap, &format!("http://{http}"));
    let program = arguments.command[0].to_string_lossy().into_owned();
    let command = command_group::run(command, arguments.limit, &|| is_stopped.load(Ordering::Relaxed))
        .map_err(|error| format!("cannot run {program:?}: {error}"))?;
    let side = Side(&http);
    side.wait_for_silence();
    let (topics, ids) = side.topics()?;
    let (mut written, mut unread) = (Written::new(), Vec::new());
    for topic in topics {
        match side.records(&topic)? {
            Some(lines) => drop(written.insert(topic, records::parse(&lines)?)),
            None => unread.push(topic),
        }
    }
    let (asked, forgotten) = match wanted {
        Wanted::Requests => side.asked(&ids)?,
        Wanted::RecordsAlone => (Vec::new(), 0),
    };
    Ok(Ran { command, written, unread, struck: side.struck(rules)?, asked, forgotten })
}

fn command(arguments: &ExploreArguments, bootstrap: &str, http: &str) -> Command {
    let mut words = arguments.command.iter().map(|word| match word.to_str() {
        Some(text) => text.replace(ADDRESS_WORD, bootstrap).replace(HTTP_WORD, http).into(),
        None => word.clone(),
    });
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).env(HTTP_VARIABLE, http);
    command.envs(ADDRESS_VARIABLES.map(|name| (name, bootstrap)));
    command
}

/// The broker's HTTP side.
struct Side<'a>(&'a str);

impl Side<'_> {
    fn ask(&self, path: &str) -> Result<(u16, String), String> {
        web_client::ask(self.0, "GET", path, "").map_err(|error| format!("GET {path}: {error}"))
    }

    fn json(&self, path: &str) -> Result<Value, String> {
        let (status, body) = self.ask(path)?;
        match serde_json::from_str::<Value>(&body) {
            Ok(value) if status == 200 => Ok(value),
            Ok(value) => Err(format!("GET {path}: {}", value["error"].as_str().unwrap_or_default())),
            Err(error) => Err(format!("GET {path}: {error}")),
        }
    }

    /// Waits until the command's connections have ended: what it has sent is read then.
    fn wait_for_silence(&self) {
        const COUNT: &str = "kafka_server_socket_server_metrics_connection_count";
        for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
            let Ok((_, page)) = self.ask("/metrics") else { return };
            let mut counts =
                page.lines().filter(|line| line.starts_with(COUNT)).filter_map(|line| line.split(' ').nth(1));
            if counts.all(|count| count.parse() == Ok(0.0)) {
                return;
            }
            threads::wait(LOOK);
        }
    }

    /// The topics of the command that have records, and the names of all topics by their ids.
    fn topics(&self) -> Result<(Vec<String>, BTreeMap<String, String>), String> {
        let told = self.json("/v1/topics")?;
        let (mut own, mut ids) = (Vec::new(), BTreeMap::new());
        for topic in told["topics"].as_array().into_iter().flatten() {
            let name = topic["topic"].as_str().unwrap_or_default().to_string();
            ids.insert(topic["id"].as_str().unwrap_or_default().to_string(), name.clone());
            if topic["internal"] != true && topic["records"].as_u64() > Some(0) {
                own.push(name);
            }
        }
        Ok((own, ids))
    }

    /// The committed records of a topic as JSON lines; `None`: they are too many.
    fn records(&self, topic: &str) -> Result<Option<String>, String> {
        let path = format!("/v1/fixtures?topic={topic}");
        match self.ask(&path)? {
            (200, lines) => Ok(Some(lines)),
            (413, _) => Ok(None),
            (_, refused) => Err(format!("GET {path}: {refused}")),
        }
    }

    /// How often each of the first rules has struck; others the command has added itself.
    fn struck(&self, first: usize) -> Result<Vec<u64>, String> {
        let told = self.json("/v1/faults")?;
        let rules = told["faults"].as_array().into_iter().flatten().take(first);
        Ok(rules.map(|rule| rule["struck"].as_u64().unwrap_or_default()).collect())
    }

    fn asked(&self, topics: &BTreeMap<String, String>) -> Result<(Vec<Asked>, u64), String> {
        let told = self.json(&format!("/v1/requests?limit={MOST_REQUESTS}"))?;
        let requests = told["requests"].as_array().into_iter().flatten();
        Ok((
            requests.filter_map(|exchange| Asked::of(exchange, topics)).collect(),
            told["forgotten"].as_u64().unwrap_or_default(),
        ))
    }
}
