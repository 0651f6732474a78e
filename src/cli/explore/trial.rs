//! One run of the command against a broker of its own, and what the broker knows about it afterwards.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::arguments::ExploreArguments;
use super::moments::{self, Asked};
use super::records::{self, Written};
use crate::broker::Halts;
use crate::broker::test_broker::TestBroker;
use crate::cli::test_broker::arguments::TestArguments;
use crate::cli::test_broker::{reachable, start};
use crate::io::command_group::{self, CommandRun};
use crate::io::{threads, web_client};
use crate::model::ApiKey;

/// Variables that tell the command where its broker is. Frameworks read the last three.
pub(super) const ADDRESS_VARIABLES: [&str; 4] =
    ["KLAMM_BOOTSTRAP_SERVERS", "BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS", "SPRING_KAFKA_BOOTSTRAP_SERVERS"];
const HTTP_VARIABLE: &str = "KLAMM_HTTP";
/// What stands in an argument of the command for the same.
const ADDRESS_WORD: &str = "{bootstrap}";
const HTTP_WORD: &str = "{http}";

/// Requests of one API that are looked at: as many as one list of the journal has.
const MOST_REQUESTS: usize = 10_000;
/// What the broker keeps of a run, unless an override says otherwise: requests, and bytes of their bodies.
const JOURNAL: [(&str, &str); 2] = [("klamm.http.requests", "100000"), ("klamm.http.requests.bytes", "134217728")];
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
    pub(super) requests: Requests,
}

/// What the command has asked the broker; nothing where that was not wanted.
#[derive(Default)]
pub(super) struct Requests {
    /// Those of the APIs that were wanted, in the order in which they came.
    pub(super) asked: Vec<Asked>,
    /// All of them, whatever they are.
    pub(super) count: u64,
    /// APIs whose requests are too many or too large to be kept, so that they cannot be counted as a rule counts them.
    pub(super) uncounted: Vec<ApiKey>,
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
    let journal = JOURNAL.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    let broker = start(
        &TestArguments {
            topics: arguments.topics.clone(),
            faults: rules.to_vec(),
            as_version: arguments.as_version.clone(),
            overrides: journal.chain(arguments.overrides.iter().cloned()).collect(),
            ..TestArguments::default()
        },
        None,
        Halts::Broker,
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
    let requests = match wanted {
        Wanted::Requests => side.requests(&moments::apis(&arguments.only), &ids)?,
        Wanted::RecordsAlone => Requests::default(),
    };
    Ok(Ran { command, written, unread, struck: side.struck(rules)?, requests })
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
        read(path, self.ask(path)?)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let answer = web_client::ask(self.0, "POST", path, &body.to_string());
        read(path, answer.map_err(|error| format!("POST {path}: {error}"))?)
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

    /// How many requests were sent, and how many of those are not kept.
    fn count(&self, words: &Value) -> Result<(u64, u64), String> {
        let told = self.post("/v1/requests/assert", &json!({ "match": words, "at_least": 0 }))?;
        let number = |name: &str| told[name].as_u64().unwrap_or_default();
        Ok((number("matched"), number("forgotten")))
    }

    fn requests(&self, apis: &[ApiKey], topics: &BTreeMap<String, String>) -> Result<Requests, String> {
        let (count, forgotten) = self.count(&json!({}))?;
        if forgotten > 0 {
            return Err(format!("the command asks the broker more than {count} times: its moments cannot be counted"));
        }
        let (mut exchanges, mut uncounted) = (Vec::new(), Vec::new());
        for api in apis {
            let (count, _) = self.count(&json!({ "api": api.name() }))?;
            let told = self.json(&format!("/v1/requests?limit={MOST_REQUESTS}&api={}", api.name()))?;
            let listed = told["requests"].as_array().map_or(&[][..], Vec::as_slice);
            let is_whole = |exchange: &Value| exchange["request"]["not_kept"] != true;
            match listed.len() as u64 == count && listed.iter().all(is_whole) {
                true => exchanges.extend_from_slice(listed),
                false => uncounted.push(*api),
            }
        }
        exchanges.sort_by_key(|exchange| (exchange["at"].as_i64(), number_of(exchange)));
        let asked = exchanges.iter().filter_map(|exchange| Asked::of(exchange, topics)).collect();
        Ok(Requests { asked, count, uncounted })
    }
}

/// The how many-th request of its shard one is, by its id, `0-17`.
fn number_of(exchange: &Value) -> Option<u64> {
    exchange["id"].as_str()?.split_once('-')?.1.parse().ok()
}

fn read(path: &str, (status, body): (u16, String)) -> Result<Value, String> {
    match serde_json::from_str::<Value>(&body) {
        Ok(value) if status == 200 => Ok(value),
        Ok(value) => Err(format!("{path}: {}", value["error"].as_str().unwrap_or_default())),
        Err(error) => Err(format!("{path}: {error}")),
    }
}
