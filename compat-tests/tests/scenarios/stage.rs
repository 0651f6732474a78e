//! What the scenarios share: a broker or a cluster of a test with its control API, clients of librdkafka that settle quickly, and
//! what they tell. Every wait has an end.

use compat_tests::http::{Http, PATIENCE};
use compat_tests::test_process::TestProcess;
use compat_tests::{Context, Result, bail, ensure};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use serde_json::{Value, json};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// A broker of a test, or several.
pub struct Stage {
    process: TestProcess,
    pub http: Http,
}

/// The words by which a client is made, besides those of all.
pub type Settings<'a> = &'a [(&'a str, &'a str)];

impl Stage {
    /// One broker with a topic `t` of one partition.
    pub fn one() -> Result<Stage> {
        Stage::with(&["--topic", "t"])
    }

    /// Brokers 1 to 3, with a topic `t` of one partition that all of them have.
    pub fn three() -> Result<Stage> {
        Stage::with(&["--brokers", "3", "--topic", "t"])
    }

    pub fn with(arguments: &[&str]) -> Result<Stage> {
        let process = TestProcess::start(arguments)?;
        let http = Http::of_test(&process)?;
        Ok(Stage { process, http })
    }

    pub fn bootstrap(&self) -> &str {
        self.process.bootstrap()
    }

    /// Of the first broker.
    pub fn port(&self) -> u16 {
        let first = self.bootstrap().split(',').next().and_then(|first| first.rsplit(':').next());
        first.and_then(|port| port.parse().ok()).unwrap_or(0)
    }

    pub fn config(&self, settings: Settings) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap());
        config.set("reconnect.backoff.ms", "10").set("reconnect.backoff.max.ms", "100").set("retry.backoff.ms", "20");
        for (name, value) in settings {
            config.set(*name, *value);
        }
        config
    }

    pub fn producer(&self, settings: Settings) -> Result<Sender> {
        let producer = self.config(settings).create_with_context(Told::default())?;
        Ok(Sender { producer })
    }

    /// A producer with a transactional id, `x`, that has begun.
    pub fn transactional(&self, settings: Settings) -> Result<Sender> {
        let sender = self.producer(&[&[("transactional.id", "x")], settings].concat())?;
        sender.producer.init_transactions(PATIENCE)?;
        Ok(sender)
    }

    /// A consumer of the group `g` that begins where the log does, and commits when it is told to.
    pub fn consumer(&self, settings: Settings) -> Result<Reader> {
        let usual = [
            ("group.id", "g"),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
            ("heartbeat.interval.ms", "100"),
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "20"),
        ];
        let consumer = self.config(&[&usual, settings].concat()).create_with_context(Told::default())?;
        Ok(Reader { consumer })
    }

    /// A consumer of a subscription to `t`.
    pub fn subscriber(&self, settings: Settings) -> Result<Reader> {
        let reader = self.consumer(settings)?;
        reader.consumer.subscribe(&["t"])?;
        Ok(reader)
    }

    /// A consumer of partition 0 of `t` alone.
    pub fn assigned(&self, settings: Settings, offset: Offset) -> Result<Reader> {
        let reader = self.consumer(settings)?;
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset("t", 0, offset)?;
        reader.consumer.assign(&assignment)?;
        Ok(reader)
    }

    /// Adds a rule.
    pub fn fault(&self, rule: Value) -> Result<Fault<'_>> {
        let id = self.http.change("/v1/faults", &rule)?["ids"][0].as_u64().context("the id of a rule")?;
        Ok(Fault { stage: self, id })
    }

    /// The next requests of an API are refused with these errors, one with each.
    pub fn errors(&self, api: &str, names: &[&str]) -> Result<Vec<Fault<'_>>> {
        let rule = |name: &&str| json!({ "match": { "api": api }, "action": { "error": name }, "count": 1 });
        names.iter().map(|name| self.fault(rule(name))).collect()
    }

    /// The same in their answers, at the partitions.
    pub fn errors_within(&self, api: &str, names: &[&str]) -> Result<Vec<Fault<'_>>> {
        let action = |name: &str| json!({ "error": name, "after": true });
        let rule = |name: &&str| json!({ "match": { "api": api }, "action": action(name), "count": 1 });
        names.iter().map(|name| self.fault(rule(name))).collect()
    }

    pub fn deed(&self, deed: Value) -> Result<Value> {
        self.http.change("/v1/deeds", &deed)
    }

    pub fn move_leader(&self, topic: &str, to: i64) -> Result<()> {
        self.deed(json!({ "move_leader": { "topic": topic, "partition": 0, "to": to } })).map(drop)
    }

    pub fn leader(&self, topic: &str) -> Result<i64> {
        let told = self.http.json(&format!("/v1/topics?topic={topic}"))?;
        told["topics"][0]["partitions"][0]["leader"].as_i64().context("a leader")
    }

    pub fn down(&self, broker: i64) -> Result<()> {
        self.deed(json!({ "broker_down": { "broker": broker } })).map(drop)
    }

    pub fn up(&self, broker: i64) -> Result<()> {
        self.deed(json!({ "broker_up": { "broker": broker } })).map(drop)
    }

    /// What was asked, in the order in which it came: `api=Produce&client_id=…`.
    pub fn requests(&self, query: &str) -> Result<Vec<Value>> {
        let told = self.http.json(&format!("/v1/requests?{query}&bodies=false&limit=1000"))?;
        ensure!(told["forgotten"] == 0, "all requests are kept");
        Ok(told["requests"].as_array().context("requests")?.clone())
    }

    pub fn count(&self, query: &str) -> Result<usize> {
        Ok(self.requests(query)?.len())
    }

    /// Waits until so many have been asked.
    pub fn until_asked(&self, query: &str, count: usize) -> Result<()> {
        self.http.until(&format!("{count} of {query}"), |_| Ok((self.count(query)? >= count).then_some(())))
    }

    /// The milliseconds between each request and the next.
    pub fn gaps(&self, query: &str) -> Result<Vec<i64>> {
        let at: Vec<i64> = self.requests(query)?.iter().filter_map(|request| request["at"].as_i64()).collect();
        Ok(at.windows(2).map(|two| two[1] - two[0]).collect())
    }

    pub fn wait(&self, query: &str) -> Result<()> {
        let (status, told) = self.http.get(&format!("/v1/wait?{query}&timeout_ms=20000"))?;
        ensure!(status == 200, "{told}");
        Ok(())
    }

    /// All values of partition 0, as another client reads them.
    pub fn values(&self, topic: &str, isolation: &str) -> Result<Vec<String>> {
        let settings = [("group.id", "values"), ("isolation.level", isolation), ("enable.partition.eof", "true")];
        let reader = self.consumer(&settings)?;
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, 0, Offset::Beginning)?;
        reader.consumer.assign(&assignment)?;
        let (began, mut values) = (Instant::now(), Vec::new());
        loop {
            ensure!(began.elapsed() < PATIENCE, "no end of {topic} behind {values:?}");
            match reader.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => values.push(text(&message)),
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(values),
                Some(Err(error)) => return Err(error.into()),
                None => {}
            }
        }
    }

    /// How many offsets partition 0 has.
    pub fn values_end(&self, topic: &str) -> Result<usize> {
        let (_, end) = self.consumer(&[])?.consumer.fetch_watermarks(topic, 0, PATIENCE)?;
        Ok(end as usize)
    }

    /// `t` has exactly these values for a reader of committed records.
    pub fn expect(&self, expected: &[String]) -> Result<()> {
        let found = self.values("t", "read_committed")?;
        ensure!(found == expected, "{found:?} instead of {expected:?}");
        Ok(())
    }

    /// Writes values by a client of its own.
    pub fn seed(&self, topic: &str, values: &[impl AsRef<str>]) -> Result<()> {
        let sender = self.producer(&[("client.id", "seed")])?;
        values.iter().try_for_each(|value| sender.send_to(topic, value.as_ref()))?;
        sender.flush()
    }
}

/// A rule.
pub struct Fault<'s> {
    stage: &'s Stage,
    id: u64,
}

impl Fault<'_> {
    pub fn struck(&self) -> Result<u64> {
        let rules = self.stage.http.json("/v1/faults")?;
        let rules = rules["faults"].as_array().context("rules")?.clone();
        let own = rules.iter().find(|rule| rule["id"] == self.id).context("the rule")?;
        own["struck"].as_u64().context("how often it has struck")
    }

    pub fn until_struck(&self, count: u64) -> Result<()> {
        let what = format!("rule {} has struck {count} times", self.id);
        self.stage.http.until(&what, |_| Ok((self.struck()? >= count).then_some(())))
    }

    pub fn release(&self) -> Result<()> {
        self.stage.http.change(&format!("/v1/faults/release?id={}", self.id), &json!({})).map(drop)
    }

    pub fn remove(self) -> Result<()> {
        let (status, told) = self.stage.http.delete(&format!("/v1/faults?id={}", self.id))?;
        ensure!(status == 200, "{told}");
        Ok(())
    }
}

/// `0` to `count`, as texts.
pub fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

pub fn text(message: &impl Message) -> String {
    String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned()
}

/// What became of a record.
pub type Delivery = (String, Result<i64, RDKafkaErrorCode>);

/// What a client is told.
#[derive(Default)]
pub struct Told {
    state: Mutex<ToldState>,
    changed: Condvar,
}

#[derive(Default)]
struct ToldState {
    deliveries: Vec<Delivery>,
    errors: Vec<RDKafkaErrorCode>,
    assigned: usize,
    revoked: usize,
}

impl Told {
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state.lock().unwrap().deliveries.clone()
    }

    /// Errors of the client as a whole.
    pub fn errors(&self) -> Vec<RDKafkaErrorCode> {
        self.state.lock().unwrap().errors.clone()
    }

    /// How often partitions were assigned and revoked.
    pub fn rebalances(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.assigned, state.revoked)
    }

    fn wait(&self, what: &str, is_there: impl Fn(&ToldState) -> bool) -> Result<()> {
        let lacks = |state: &mut ToldState| !is_there(state);
        let (state, waited) = self.changed.wait_timeout_while(self.state.lock().unwrap(), PATIENCE, lacks).unwrap();
        ensure!(!waited.timed_out(), "{what}: not within {PATIENCE:?}, but {:?} {:?}", state.deliveries, state.errors);
        Ok(())
    }

    fn note(&self, change: impl FnOnce(&mut ToldState)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }
}

impl ClientContext for Told {
    fn error(&self, error: KafkaError, _reason: &str) {
        self.note(|state| state.errors.extend(error.rdkafka_error_code()));
    }
}

impl ProducerContext for Told {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        let delivery = match result {
            Ok(message) => (text(message), Ok(message.offset())),
            Err((error, message)) => {
                (text(message), Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)))
            }
        };
        self.note(|state| state.deliveries.push(delivery));
    }
}

impl ConsumerContext for Told {
    fn post_rebalance(&self, _: &BaseConsumer<Told>, rebalance: &Rebalance<'_>) {
        self.note(|state| match rebalance {
            Rebalance::Assign(_) => state.assigned += 1,
            Rebalance::Revoke(_) => state.revoked += 1,
            Rebalance::Error(error) => state.errors.extend(error.rdkafka_error_code()),
        });
    }
}

/// A producer of librdkafka.
pub struct Sender {
    pub producer: ThreadedProducer<Told>,
}

impl Sender {
    pub fn told(&self) -> &Told {
        self.producer.context()
    }

    /// To partition 0 of `t`.
    pub fn send(&self, value: &str) -> Result<()> {
        self.send_to("t", value)
    }

    pub fn send_to(&self, topic: &str, value: &str) -> Result<()> {
        self.try_send(topic, value).map_err(Into::into)
    }

    /// To another partition of `t`.
    pub fn send_at(&self, partition: i32, value: &str) -> Result<()> {
        let record = BaseRecord::<(), str>::to("t").partition(partition).payload(value);
        self.producer.send(record).map_err(|(error, _)| error.into())
    }

    pub fn try_send(&self, topic: &str, value: &str) -> Result<(), KafkaError> {
        self.producer.send(BaseRecord::<(), str>::to(topic).partition(0).payload(value)).map_err(|(error, _)| error)
    }

    pub fn flush(&self) -> Result<()> {
        Ok(self.producer.flush(PATIENCE)?)
    }

    /// Waits until so many records have a report.
    pub fn wait(&self, count: usize) -> Result<()> {
        self.told().wait(&format!("{count} reports"), |state| state.deliveries.len() >= count)
    }

    /// Waits until so many records are acknowledged, and none has failed.
    pub fn delivered(&self, count: usize) -> Result<()> {
        self.wait(count)?;
        let deliveries = self.told().deliveries();
        ensure!(deliveries.iter().all(|(_, result)| result.is_ok()), "{deliveries:?}");
        ensure!(self.producer.client().fatal_error().is_none(), "{:?}", self.producer.client().fatal_error());
        Ok(())
    }

    /// Waits until the client tells of an error of its own.
    pub fn until_told(&self, error: RDKafkaErrorCode) -> Result<()> {
        self.told().wait(&format!("{error:?}"), |state| state.errors.contains(&error))
    }

    /// One transaction, with one record in it.
    pub fn transaction(&self, value: &str) -> Result<()> {
        self.producer.begin_transaction()?;
        self.send(value)?;
        Ok(self.producer.commit_transaction(PATIENCE)?)
    }
}

/// A consumer of librdkafka.
pub struct Reader {
    pub consumer: BaseConsumer<Told>,
}

impl Reader {
    pub fn told(&self) -> &Told {
        self.consumer.context()
    }

    /// The next values; errors of the client that pass are none.
    pub fn read(&self, count: usize) -> Result<Vec<String>> {
        let (began, mut values) = (Instant::now(), Vec::new());
        while values.len() < count {
            ensure!(began.elapsed() < PATIENCE, "{values:?} came, {count} were to come: {:?}", self.told().errors());
            if let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(50)) {
                values.push(text(&message));
            }
        }
        Ok(values)
    }

    /// These values and no others are next.
    pub fn expect(&self, expected: &[String]) -> Result<()> {
        let found = self.read(expected.len())?;
        ensure!(found == expected, "{found:?} instead of {expected:?}");
        Ok(())
    }

    /// The next error that a poll answers.
    pub fn error(&self) -> Result<KafkaError> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.consumer.poll(Duration::from_millis(50)) {
                Some(Err(error)) => return Ok(error),
                Some(Ok(message)) => bail!("{} came instead of an error", text(&message)),
                None => {}
            }
        }
        bail!("no error within {PATIENCE:?}")
    }

    /// Polls until something holds; what comes meanwhile is passed over.
    pub fn poll_until(&self, what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
        let began = Instant::now();
        while !holds()? {
            ensure!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}, but {:?}", self.told().errors());
            drop(self.consumer.poll(Duration::from_millis(20)));
        }
        Ok(())
    }

    /// Waits for the assignment of so many partitions.
    pub fn until_assigned(&self, count: usize) -> Result<()> {
        self.poll_until("an assignment", || Ok(self.consumer.assignment()?.count() == count))
    }

    /// What the group has committed for partition 0 of `t`.
    pub fn committed(&self) -> Result<Offset> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition("t", 0);
        let told = self.consumer.committed_offsets(asked, PATIENCE)?;
        Ok(told.find_partition("t", 0).context("a partition")?.offset())
    }
}

/// The code of an error that had to come.
pub fn code<T>(result: Result<T, KafkaError>) -> Result<RDKafkaErrorCode> {
    match result {
        Ok(_) => bail!("an error had to come"),
        Err(error) => error.rdkafka_error_code().with_context(|| format!("{error:?} has no code")),
    }
}
