//! A broker for tests of Rust programs, in their own process.
//!
//! It is the broker of `klamm test`: in memory, on a free port, with the timings of a test. The HTTP side's paths
//! (`docs/http.md`) have methods of their own here; those that say and take JSON are also reached by [`Broker::get`],
//! [`Broker::post`] and [`Broker::delete`], those of texts by [`Broker::get_text`] and [`Broker::post_text`]. It ends when it is
//! dropped. `packages/rust` has tests with the crate `rdkafka` before it.
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
//! broker.load_fixtures(r#"{"topic":"orders","key":"k1","value":{"json":{"amount":5}}}"#)?;
//! broker.wait_for("topic=orders&records=1")?;
//! broker.reset()?;
//! # Ok::<(), String>(())
//! ```

use std::time::Duration;

use serde_json::{Value, json};

use crate::broker::Halts;
use crate::broker::first::{FirstTopic, FirstUser};
use crate::broker::test_broker::TestBroker;
use crate::cli::test_broker;
use crate::cli::test_broker::arguments::{self, TestArguments};
use crate::io::web_client;
use crate::stdx::secret::Secret;

/// How many records the HTTP side shows at most.
const MOST_RECORDS: usize = 1000;

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

    /// A user: clients log in, by PLAIN or SCRAM. A name has letters, digits, `-`, `_` and `.`, and a password is not empty: else
    /// the start is refused.
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

    /// So many brokers in this process, with ids from 1, each on a port and in a rack of its own: 1 where it is not said.
    pub fn brokers(mut self, number: usize) -> BrokerBuilder {
        self.0.brokers = number;
        self
    }

    /// Any setting, by Kafka's name or Klamm's.
    pub fn set(mut self, key: &str, value: &str) -> BrokerBuilder {
        self.0.overrides.push((key.into(), value.into()));
        self
    }

    /// Starts it. An error is a sentence.
    pub fn start(self) -> Result<Broker, String> {
        for user in &self.0.users {
            arguments::check_user(user)?;
        }
        let brokers = self.0.brokers;
        if !(1..=arguments::MOST_BROKERS).contains(&brokers) {
            return Err(format!(
                "a process plays one broker or more, {} at most, not {brokers}",
                arguments::MOST_BROKERS
            ));
        }
        let broker = test_broker::start(&self.0, None, Halts::Broker)?;
        let text = |address| test_broker::reachable(address).to_string();
        let bootstrap_servers = broker.bootstrap_servers().map(text).collect::<Vec<_>>().join(",");
        let http = broker.http_addresses().first().map(|address| text(*address));
        Ok(Broker { broker: Some(broker), bootstrap_servers, http })
    }
}

/// A broker, or several, in this process. Dropped, it ends.
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

    /// What clients are given as `bootstrap.servers`: an address of each broker, with commas between them.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// The address of its HTTP side, as `http://127.0.0.1:38011`; empty if a setting has switched it off.
    pub fn http(&self) -> String {
        self.http.as_ref().map_or(String::new(), |address| format!("http://{address}"))
    }

    /// What a path of the HTTP side answers that answers JSON. An error is its sentence.
    pub fn get(&self, path: &str) -> Result<Value, String> {
        self.ask("GET", path, "")
    }

    /// The same with a body.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.ask("POST", path, &body.to_string())
    }

    /// The same for what takes something away.
    pub fn delete(&self, path: &str) -> Result<Value, String> {
        self.ask("DELETE", path, "")
    }

    /// What a path answers that answers a text, as `/metrics` and `/v1/fixtures` do.
    pub fn get_text(&self, path: &str) -> Result<String, String> {
        self.ask_text("GET", path, "")
    }

    /// The same with a body that is no JSON, as `/v1/fixtures` takes it.
    pub fn post_text(&self, path: &str, body: &str) -> Result<String, String> {
        self.ask_text("POST", path, body)
    }

    /// Adds a rule by which the broker breaks; answers its id.
    pub fn fault(&self, rule: &Value) -> Result<u64, String> {
        let told = self.post("/v1/faults", rule)?;
        told["ids"][0].as_u64().ok_or_else(|| format!("no id of a rule: {told}"))
    }

    /// Takes all rules away; what they hold goes on.
    pub fn clear_faults(&self) -> Result<(), String> {
        self.delete("/v1/faults").map(drop)
    }

    /// The rules, with `matched` and `struck` of each.
    pub fn faults(&self) -> Result<Vec<Value>, String> {
        self.list("/v1/faults", "faults")
    }

    /// Takes one rule away; what it holds goes on.
    pub fn remove_fault(&self, id: u64) -> Result<(), String> {
        self.delete(&format!("/v1/faults?id={id}")).map(drop)
    }

    /// Lets go on what a rule holds; what comes behind is held again.
    pub fn release_fault(&self, id: u64) -> Result<(), String> {
        self.ask("POST", &format!("/v1/faults/release?id={id}"), "").map(drop)
    }

    /// Moves its clock ahead; back when all that became due has been done.
    pub fn advance(&self, by: Duration) -> Result<(), String> {
        self.post("/v1/clock", &json!({ "advance_ms": milliseconds(by) })).map(drop)
    }

    /// Its clock stands still, or goes on.
    pub fn freeze(&self, frozen: bool) -> Result<(), String> {
        self.post("/v1/clock", &json!({ "frozen": frozen })).map(drop)
    }

    /// The last requests that match the words, as `api=Produce&topic=orders`.
    pub fn requests(&self, words: &str) -> Result<Vec<Value>, String> {
        self.list(&format!("/v1/requests?{words}"), "requests")
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

    /// The snapshots, with their `name` and `bytes`.
    pub fn snapshots(&self) -> Result<Vec<Value>, String> {
        self.list("/v1/snapshots", "snapshots")
    }

    /// Forgets a snapshot.
    pub fn forget_snapshot(&self, name: &str) -> Result<(), String> {
        self.delete(&format!("/v1/snapshots?name={}", quoted(name))).map(drop)
    }

    /// Makes topics and writes records, a line of JSON for each; answers how many `topics` and `records`.
    pub fn load_fixtures(&self, lines: &str) -> Result<Value, String> {
        self.ask("POST", "/v1/fixtures", lines)
    }

    /// Topics and their committed records as such lines: one topic, or all but internal ones.
    pub fn dump_fixtures(&self, topic: Option<&str>) -> Result<String, String> {
        let words = topic.map_or(String::new(), |topic| format!("?topic={}", quoted(topic)));
        self.get_text(&format!("/v1/fixtures{words}"))
    }

    /// Expires a member of a group, as when its session had ended.
    pub fn expire_member(&self, group: &str, member: &str) -> Result<(), String> {
        self.deed(json!({ "expire_member": { "group": group, "member": member } }))
    }

    /// Expires all members of a group.
    pub fn expire_members(&self, group: &str) -> Result<(), String> {
        self.deed(json!({ "expire_member": { "group": group } }))
    }

    /// Lets all members of a group join again.
    pub fn force_rebalance(&self, group: &str) -> Result<(), String> {
        self.deed(json!({ "rebalance": { "group": group } }))
    }

    /// Fences the producer of a transactional id; what it had open is aborted.
    pub fn fence_producer(&self, transactional_id: &str) -> Result<(), String> {
        self.deed(json!({ "fence_producer": { "transactional_id": transactional_id } }))
    }

    /// Compacts a topic now, its active segment as well; without one, all that are compacted.
    pub fn compact(&self, topic: Option<&str>) -> Result<(), String> {
        self.deed(json!({ "compact": of_topic(topic) }))
    }

    /// Deletes now what a topic keeps no longer; without one, what all do.
    pub fn apply_retention(&self, topic: Option<&str>) -> Result<(), String> {
        self.deed(json!({ "retain": of_topic(topic) }))
    }

    /// Lets another broker lead a partition, by its id; a new leader epoch begins.
    pub fn move_leader(&self, topic: &str, partition: i32, to: i32) -> Result<(), String> {
        self.deed(json!({ "move_leader": { "topic": topic, "partition": partition, "to": to } }))
    }

    /// Lets another broker coordinate a group, and all that share its partition.
    pub fn move_group_coordinator(&self, group: &str, to: i32) -> Result<(), String> {
        self.deed(json!({ "move_coordinator": { "group": group, "to": to } }))
    }

    /// Lets another broker coordinate a transactional id, and all that share its partition.
    pub fn move_transaction_coordinator(&self, transactional_id: &str, to: i32) -> Result<(), String> {
        self.deed(json!({ "move_coordinator": { "transactional_id": transactional_id, "to": to } }))
    }

    /// Takes a broker down: its connections are closed, new ones are refused, and others lead what it has led.
    pub fn take_broker_down(&self, id: i32) -> Result<(), String> {
        self.deed(json!({ "broker_down": { "broker": id } }))
    }

    /// Brings it back. It leads what has no leader; other leaders stay where they are.
    pub fn bring_broker_up(&self, id: i32) -> Result<(), String> {
        self.deed(json!({ "broker_up": { "broker": id } }))
    }

    /// Lets the leader of a partition send consumers to a broker, which serves them; `None`: as before.
    pub fn set_follower(&self, topic: &str, partition: i32, broker: Option<i32>) -> Result<(), String> {
        self.deed(json!({ "follower": { "topic": topic, "partition": partition, "broker": broker } }))
    }

    /// Does the same with a broker that has the records of these offsets only.
    pub fn set_lagging_follower(
        &self,
        topic: &str,
        partition: i32,
        broker: i32,
        has: std::ops::Range<i64>,
    ) -> Result<(), String> {
        let (start, end) = (has.start, has.end);
        let of = json!({ "topic": topic, "partition": partition, "broker": broker, "start": start, "end": end });
        self.deed(json!({ "follower": of }))
    }

    /// Puts a broker into a rack, or into none.
    pub fn set_rack(&self, id: i32, rack: Option<&str>) -> Result<(), String> {
        self.deed(json!({ "rack": { "broker": id, "rack": rack } }))
    }

    /// Takes a broker out of the lists that clients are told, or puts it back; its connections stay.
    pub fn hide_broker(&self, id: i32, hidden: bool) -> Result<(), String> {
        self.deed(json!({ "hide": { "broker": id, "hidden": hidden } }))
    }

    /// Tells clients this leader of a partition and its epoch, whether there are such or not; `None`: what is so.
    pub fn tell_leader(&self, topic: &str, partition: i32, leader: Option<(i32, i32)>) -> Result<(), String> {
        self.deed(match leader {
            Some((id, epoch)) => {
                let of = json!({ "topic": topic, "partition": partition, "leader": id, "epoch": epoch });
                json!({ "told_leader": of })
            }
            None => json!({ "told_leader": { "topic": topic, "partition": partition } }),
        })
    }

    /// Tells clients another host and port of a broker; `None`: its own.
    pub fn set_address(&self, id: i32, address: Option<(&str, u16)>) -> Result<(), String> {
        self.deed(match address {
            Some((host, port)) => json!({ "address": { "broker": id, "host": host, "port": port } }),
            None => json!({ "address": { "broker": id } }),
        })
    }

    /// Fills the disk, or makes room again, as a reset does. While it is full, no log of records grows.
    pub fn set_disk_full(&self, full: bool) -> Result<(), String> {
        self.deed(json!({ "disk": { "full": full } }))
    }

    /// How long each sync takes, until a reset.
    pub fn set_disk_sync_time(&self, time: Duration) -> Result<(), String> {
        self.deed(json!({ "disk": { "sync_ms": milliseconds(time) } }))
    }

    /// The next sync finds that the device has failed: the broker ends, as Kafka does that has lost all of its log directories. Its
    /// listeners and connections close; this process goes on. [`Broker::reset`] starts it again.
    pub fn set_disk_syncs_fail(&self, fail: bool) -> Result<(), String> {
        self.deed(json!({ "disk": { "syncs_fail": fail } }))
    }

    /// Breaks the stored batch that has this offset: its checksum is wrong. Answers the batch's first offset.
    pub fn corrupt_batch(&self, topic: &str, partition: i32, offset: i64) -> Result<i64, String> {
        let deed = json!({ "corrupt": { "topic": topic, "partition": partition, "offset": offset } });
        let told = self.post("/v1/deeds", &deed)?;
        told["base_offset"].as_i64().ok_or_else(|| format!("no offset of a batch: {told}"))
    }

    /// The brokers of this process, with racks, listeners and how many partitions each leads.
    pub fn brokers(&self) -> Result<Vec<Value>, String> {
        self.list("/v1/brokers", "brokers")
    }

    /// Topics with their configs and partitions.
    pub fn topics(&self) -> Result<Vec<Value>, String> {
        self.list("/v1/topics", "topics")
    }

    /// The newest records of a partition, in the order of their offsets, 1000 at most.
    pub fn records(&self, topic: &str, partition: i32) -> Result<Vec<Value>, String> {
        let (mut newest_first, mut next) = (Vec::new(), Some(i64::MAX));
        // A page has fewer where they are large, or where a compacted log has few among its offsets.
        while let Some(before) = next.filter(|_| newest_first.len() < MOST_RECORDS) {
            let (topic, limit) = (quoted(topic), MOST_RECORDS - newest_first.len());
            let path = format!("/v1/records?topic={topic}&partition={partition}&limit={limit}&before={before}");
            let page = self.get(&path)?;
            newest_first.extend(page["records"].as_array().into_iter().flatten().cloned());
            next = page["next"].as_i64();
        }
        newest_first.reverse();
        Ok(newest_first)
    }

    /// Groups with members, committed offsets, lag, and why their consumers do not read.
    pub fn groups(&self) -> Result<Vec<Value>, String> {
        self.list("/v1/groups", "groups")
    }

    /// What the broker counts, in Prometheus's text format.
    pub fn metrics(&self) -> Result<String, String> {
        self.get_text("/metrics")
    }

    fn deed(&self, deed: Value) -> Result<(), String> {
        self.post("/v1/deeds", &deed).map(drop)
    }

    fn list(&self, path: &str, name: &str) -> Result<Vec<Value>, String> {
        let told = self.get(path)?;
        told[name].as_array().cloned().ok_or_else(|| format!("GET {path}: no {name} in {told}"))
    }

    fn ask(&self, verb: &str, path: &str, body: &str) -> Result<Value, String> {
        let told = self.ask_text(verb, path, body)?;
        serde_json::from_str(&told).map_err(|error| format!("{verb} {path}: {error}: {told}"))
    }

    /// One request to its own HTTP side, by a connection of its own.
    fn ask_text(&self, verb: &str, path: &str, body: &str) -> Result<String, String> {
        let address = self.http.as_deref().ok_or("this broker has no HTTP side")?;
        let failed = |error: std::io::Error| format!("{verb} {path}: {error}");
        let (status, told) = web_client::ask(address, verb, path, body).map_err(failed)?;
        if status == 200 {
            return Ok(told);
        }
        let said: Option<Value> = serde_json::from_str(&told).ok();
        let sentence = said.as_ref().and_then(|said| said["error"].as_str()).map(String::from);
        Err(sentence.unwrap_or_else(|| format!("{verb} {path}: status {status}: {told}")))
    }
}

fn of_topic(topic: Option<&str>) -> Value {
    topic.map_or(json!({}), |topic| json!({ "topic": topic }))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A text as it stands behind a question mark.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(Err(reason)) = self.broker.take().map(TestBroker::stop) {
            log::error!("the broker of a test: {reason}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::net::TcpStream;
    use std::thread;
    use std::time::Instant;

    #[test]
    fn paths_of_texts_have_methods() {
        let broker = Broker::builder().topic("orders", 1).start().unwrap();
        let lines = "{\"topic\":\"orders\",\"key\":\"k\",\"value\":\"a\"}\n{\"topic\":\"orders\",\"key\":\"k\",\"value\":\"b\"}\n";
        assert_eq!(broker.load_fixtures(lines), Ok(json!({ "records": 2, "topics": 0 })));
        let values: Vec<Value> = broker.records("orders", 0).unwrap().iter().map(|one| one["value"].clone()).collect();
        assert_eq!(values, ["a", "b"]);
        let dumped = broker.dump_fixtures(Some("orders")).unwrap();
        assert_eq!(dumped.lines().count(), 3, "{dumped}");
        broker.reset().unwrap();
        assert_eq!(broker.post_text("/v1/fixtures", &dumped).map(|told| told.contains("\"records\":2")), Ok(true));
        assert_eq!(broker.dump_fixtures(None), Ok(dumped));
        assert!(broker.metrics().unwrap().contains("\nkafka_topic_partitions{topic=\"orders\"} 1\n"));
        assert_eq!(broker.get_text("/v1/fixtures?topic=none"), Err("there is no topic none".into()));
        assert!(broker.load_fixtures("{}").unwrap_err().contains("line 1"));
        let topics: Vec<Value> = broker.topics().unwrap().iter().map(|one| one["topic"].clone()).collect();
        assert_eq!((topics, broker.groups()), (vec![json!("orders")], Ok(Vec::new())));
    }

    #[test]
    fn snapshots_have_any_name() {
        let broker = Broker::start().unwrap();
        broker.snapshot("a & b").unwrap();
        assert_eq!(broker.snapshots().unwrap()[0]["name"], "a & b");
        broker.forget_snapshot("a & b").unwrap();
        assert_eq!(broker.snapshots(), Ok(Vec::new()));
        assert_eq!(broker.reset_to("a & b"), Err("there is no such snapshot".into()));
    }

    #[test]
    fn rules_are_released_and_taken_away_one_by_one() {
        let broker = Broker::start().unwrap();
        let rule = json!({ "match": { "api": "Fetch" }, "action": { "hold": true } });
        let ids = [broker.fault(&rule).unwrap(), broker.fault(&rule).unwrap()];
        broker.release_fault(ids[0]).unwrap();
        broker.remove_fault(ids[0]).unwrap();
        assert!(broker.remove_fault(ids[0]).is_err());
        let left: Vec<Option<u64>> = broker.faults().unwrap().iter().map(|rule| rule["id"].as_u64()).collect();
        assert_eq!(left, [Some(ids[1])]);
        assert!(broker.fence_producer("").is_err() && broker.force_rebalance("none").is_err());
    }

    #[test]
    fn each_broker_has_an_address_and_can_be_taken_down() {
        let broker = Broker::builder().brokers(3).topic("orders", 1).start().unwrap();
        let played = broker.brokers().unwrap();
        let address = |of: &Value| {
            format!("{}:{}", of["listeners"][0]["host"].as_str().unwrap_or_default(), of["listeners"][0]["port"])
        };
        let addresses: Vec<String> = played.iter().map(address).collect();
        assert_eq!((addresses.len(), addresses.join(",").as_str()), (3, broker.bootstrap_servers()));
        let leader = || broker.topics().unwrap()[0]["partitions"][0]["leader"].as_i64();
        for to in [2, 3] {
            broker.move_leader("orders", 0, to).unwrap();
            assert_eq!(leader(), Some(i64::from(to)));
        }
        let connects = || TcpStream::connect(&addresses[2]).map(drop).map_err(|error| error.kind());
        assert_eq!(connects(), Ok(()));
        broker.take_broker_down(3).unwrap();
        assert_eq!(connects(), Err(ErrorKind::ConnectionRefused));
        assert!(broker.brokers().unwrap()[2]["up"] == false && leader().is_some_and(|id| id != 3));
        assert!(broker.move_leader("orders", 0, 3).unwrap_err().contains("the broker 3 is down"));
        broker.bring_broker_up(3).unwrap();
        assert_eq!(connects(), Ok(()));
        assert_eq!(broker.brokers().unwrap()[2]["up"], true);
        assert!(broker.move_group_coordinator("g", 2).is_err() && broker.move_transaction_coordinator("t", 2).is_err());
        for wrong in [0, 101] {
            let refused = Broker::builder().brokers(wrong).start().err();
            assert!(refused.is_some_and(|sentence| sentence.contains("one broker or more, 100 at most")));
        }
    }

    #[test]
    fn what_is_stored_is_troubled_and_shown_page_by_page() {
        let broker = Broker::builder().topic("orders", 1).start().unwrap();
        let line = json!({ "topic": "orders", "value": "x".repeat(16_000) }).to_string() + "\n";
        broker.set_disk_full(true).unwrap();
        assert!(broker.load_fixtures(&line).is_err());
        broker.set_disk_full(false).unwrap();
        broker.set_disk_sync_time(Duration::from_millis(1)).unwrap();
        broker.set_disk_syncs_fail(false).unwrap();
        // More than one answer shows.
        broker.load_fixtures(&line.repeat(400)).unwrap();
        let offsets = broker.records("orders", 0).unwrap().into_iter().map(|record| record["offset"].as_i64());
        assert!(offsets.eq((0..400).map(Some)));
        assert_eq!(broker.corrupt_batch("orders", 0, 1).map(|base| base <= 1), Ok(true));
        assert!(broker.corrupt_batch("orders", 0, 400).unwrap_err().contains("no batch with the offset 400"));
    }

    #[test]
    fn logs_are_compacted_and_retained_now() {
        let broker = Broker::builder().start().unwrap();
        let lines = [
            json!({ "topic": "accounts", "partitions": 1, "configs": { "cleanup.policy": "compact,delete", "retention.ms": "1000" } }),
            json!({ "topic": "accounts", "key": "a", "value": "1", "timestamp": 1 }),
            json!({ "topic": "accounts", "key": "a", "value": "2", "timestamp": 1 }),
        ];
        broker.load_fixtures(&lines.map(|line| line.to_string()).join("\n")).unwrap();
        let values = || -> Vec<Value> {
            broker.records("accounts", 0).unwrap().into_iter().map(|record| record["value"].clone()).collect()
        };
        broker.compact(Some("accounts")).unwrap();
        assert_eq!(values(), ["2"]);
        broker.apply_retention(None).unwrap();
        assert!(values().is_empty() && broker.compact(None).is_ok());
        assert_eq!(broker.apply_retention(Some("none")), Err("there is no topic none".into()));
    }

    #[test]
    fn a_device_that_fails_ends_the_broker_and_not_its_process() {
        const PATIENCE: Duration = Duration::from_secs(20);
        let broker = Broker::builder().topic("orders", 1).start().unwrap();
        let line = |topic: &str| json!({ "topic": topic, "value": "x" }).to_string();
        let connects = || TcpStream::connect(broker.bootstrap_servers());
        for _ in 0..2 {
            assert!(connects().is_ok());
            broker.set_disk_syncs_fail(true).unwrap();
            // A new topic is a change of the metadata, which is synced.
            assert!(broker.load_fixtures(&line("new")).is_err());
            let began = Instant::now();
            while connects().is_ok() {
                assert!(began.elapsed() < PATIENCE, "it still listens");
                thread::sleep(Duration::from_millis(1));
            }
            assert!(broker.load_fixtures(&line("orders")).is_err());
            broker.reset().unwrap();
            assert_eq!(broker.load_fixtures(&line("orders")), Ok(json!({ "records": 1, "topics": 0 })));
        }
        // Without a reset it can still be dropped.
        broker.set_disk_syncs_fail(true).unwrap();
        assert!(broker.load_fixtures(&line("new")).is_err());
    }

    #[test]
    fn a_name_that_no_setting_could_carry_is_refused() {
        for (name, password) in [("", "secret"), ("a b", "secret"), ("a\"; user_root", "secret"), ("alice", "")] {
            let refused = Broker::builder().user(name, password).start().err().unwrap();
            assert!(refused.contains("a user has a name of letters") && !refused.contains("secret"), "{refused}");
        }
    }
}
