//! A broker for tests of Rust programs, in their own process.
//!
//! It is the broker of `klamm test`: in memory, on a free port, with the timings of a test. The HTTP side's paths
//! (`docs/http.md`) are reached by [`Broker::get`] and [`Broker::post`], the most common ones by their own names. It ends when it
//! is dropped.
//!
//! ```
//! use serde_json::json;
//!
//! let broker = klamm::test::Broker::builder().topic("orders", 3).start()?;
//! // For any client: rdkafka, rskafka, a JVM that the test starts.
//! let _bootstrap: &str = broker.bootstrap_servers();
//! broker.wait_for("topic=orders")?;
//! let rule = json!({ "match": { "api": "Produce" }, "action": { "close": true, "after": true }, "count": 1 });
//! broker.fault(&rule)?;
//! broker.advance(std::time::Duration::from_secs(45))?;
//! broker.assert_requests(&json!({ "match": { "api": "Produce" }, "at_most": 0 }))?;
//! broker.reset()?;
//! # Ok::<(), String>(())
//! ```

use std::time::Duration;

use serde_json::{Value, json};

use crate::broker::first::{FirstTopic, FirstUser};
use crate::broker::test_broker::TestBroker;
use crate::cli::test_broker;
use crate::cli::test_broker::arguments::TestArguments;
use crate::io::web_client;
use crate::stdx::secret::Secret;

/// What a broker begins with.
#[derive(Clone, Default, Debug)]
pub struct BrokerBuilder(TestArguments);

impl BrokerBuilder {
    /// A topic that is there from the beginning.
    pub fn topic(self, name: &str, partitions: i32) -> BrokerBuilder {
        self.topic_with(name, partitions, &[])
    }

    /// The same with configs, by Kafka's names.
    pub fn topic_with(mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> BrokerBuilder {
        let configs = configs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        self.0.topics.push(FirstTopic { name: name.into(), partitions, configs });
        self
    }

    /// A user: clients log in, by PLAIN or SCRAM.
    pub fn user(mut self, name: &str, password: &str) -> BrokerBuilder {
        self.0.users.push(FirstUser { name: name.into(), password: Secret::new(password) });
        self
    }

    /// APIs and features as of a release of Apache Kafka, `2.8` to `4.4`.
    pub fn as_version(mut self, release: &str) -> BrokerBuilder {
        self.0.as_version = Some(release.into());
        self
    }

    /// The most bytes that its data take in memory.
    pub fn memory(mut self, bytes: u64) -> BrokerBuilder {
        self.0.memory_bytes = bytes;
        self
    }

    /// Any setting, by Kafka's name or Klamm's.
    pub fn set(mut self, key: &str, value: &str) -> BrokerBuilder {
        self.0.overrides.push((key.into(), value.into()));
        self
    }

    /// Starts it. An error is a sentence.
    pub fn start(self) -> Result<Broker, String> {
        let broker = test_broker::start(&self.0, None)?;
        let text = |address| test_broker::reachable(address).to_string();
        let bootstrap_servers = text(broker.addresses()[0]);
        let http = broker.http_addresses().first().map(|address| text(*address));
        Ok(Broker { broker: Some(broker), bootstrap_servers, http })
    }
}

/// A broker in this process. Dropped, it ends.
pub struct Broker {
    /// `None` while it is dropped.
    broker: Option<TestBroker>,
    bootstrap_servers: String,
    http: Option<String>,
}

impl Broker {
    /// A broker without topics and users. An error is a sentence.
    pub fn start() -> Result<Broker, String> {
        Broker::builder().start()
    }

    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::default()
    }

    /// What clients are given as `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// The address of its HTTP side, as `http://127.0.0.1:38011`; empty if a setting has switched it off.
    pub fn http(&self) -> String {
        self.http.as_ref().map_or(String::new(), |address| format!("http://{address}"))
    }

    /// What a path of the HTTP side answers. An error is its sentence.
    pub fn get(&self, path: &str) -> Result<Value, String> {
        self.ask("GET", path, "")
    }

    /// The same with a body.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.ask("POST", path, &body.to_string())
    }

    /// Adds a rule by which the broker breaks; answers its id.
    pub fn fault(&self, rule: &Value) -> Result<u64, String> {
        let told = self.post("/v1/faults", rule)?;
        told["ids"][0].as_u64().ok_or_else(|| format!("no id of a rule: {told}"))
    }

    /// Takes all rules away; what they hold goes on.
    pub fn clear_faults(&self) -> Result<(), String> {
        self.ask("DELETE", "/v1/faults", "").map(drop)
    }

    /// Moves its clock ahead; back when all that became due has been done.
    pub fn advance(&self, by: Duration) -> Result<(), String> {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.post("/v1/clock", &json!({ "advance_ms": ms })).map(drop)
    }

    /// Its clock stands still, or goes on.
    pub fn freeze(&self, frozen: bool) -> Result<(), String> {
        self.post("/v1/clock", &json!({ "frozen": frozen })).map(drop)
    }

    /// The last requests that match the words, as `api=Produce&topic=orders`.
    pub fn requests(&self, words: &str) -> Result<Vec<Value>, String> {
        let told = self.get(&format!("/v1/requests?{words}"))?;
        Ok(told["requests"].as_array().cloned().unwrap_or_default())
    }

    /// Judges the requests so far, as `{"match":{"api":"Produce"},"at_most":3}`. An error says what was otherwise.
    pub fn assert_requests(&self, expected: &Value) -> Result<(), String> {
        self.post("/v1/requests/assert", expected).map(drop)
    }

    /// Waits for what the words say, as `group=readers&members=2`. An error says what was missing when the time was over.
    pub fn wait_for(&self, words: &str) -> Result<(), String> {
        self.get(&format!("/v1/wait?{words}")).map(drop)
    }

    /// Back to the beginning.
    pub fn reset(&self) -> Result<(), String> {
        self.post("/v1/reset", &json!({})).map(drop)
    }

    /// Keeps what there is under a name.
    pub fn snapshot(&self, name: &str) -> Result<(), String> {
        self.post("/v1/snapshots", &json!({ "name": name })).map(drop)
    }

    /// Back to what was kept.
    pub fn reset_to(&self, snapshot: &str) -> Result<(), String> {
        self.post("/v1/reset", &json!({ "snapshot": snapshot })).map(drop)
    }

    /// One request to its own HTTP side, by a connection of its own.
    fn ask(&self, verb: &str, path: &str, body: &str) -> Result<Value, String> {
        let address = self.http.as_deref().ok_or("this broker has no HTTP side")?;
        let failed = |error: std::io::Error| format!("{verb} {path}: {error}");
        let (status, body) = web_client::ask(address, verb, path, body).map_err(failed)?;
        let value: Value = serde_json::from_str(&body).map_err(|error| format!("{verb} {path}: {error}: {body}"))?;
        match status {
            200 => Ok(value),
            _ => Err(value["error"].as_str().unwrap_or(&body).to_string()),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(Err(reason)) = self.broker.take().map(TestBroker::stop) {
            log::error!("the broker of a test: {reason}");
        }
    }
}
