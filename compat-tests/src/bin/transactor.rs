//! Transactions with librdkafka: `transactor BOOTSTRAP JSON`; `src/transactor.rs` says what it is to do and prints.

use compat_tests::client_program::{now, print, until_input_ends};
use compat_tests::records::Bytes;
use compat_tests::transactor::Job;
use compat_tests::{Context, Result, bail};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, ConsumerGroupMetadata, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Far beyond what the broker may be away.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
/// One call's; it is made again.
const CALL: Duration = Duration::from_secs(5);

/// How an attempt came out.
enum Outcome {
    Committed,
    Aborted,
    /// The client is of no use any more, or its transaction is left open: another one takes its place.
    Broken(String),
}

/// What one transaction consists of.
#[derive(Default)]
struct Work {
    /// Partition and value.
    writes: Vec<(i32, String)>,
    offsets: BTreeMap<i32, i64>,
}

type Inner = ThreadedProducer<DefaultProducerContext>;

struct Transactor {
    bootstrap: String,
    job: Job,
    random: Bytes,
    number: u64,
    producer: Option<Inner>,
    due: Instant,
}

fn tell(event: &str, rest: serde_json::Value) -> Result<()> {
    let mut told = serde_json::json!({"e": event, "at": now()});
    if let (Some(told), serde_json::Value::Object(rest)) = (told.as_object_mut(), rest) {
        told.extend(rest);
    }
    print(told)
}

/// Makes a call again for as long as librdkafka says that this helps.
fn persist(call: impl Fn() -> KafkaResult<()>) -> KafkaResult<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => sleep(PAUSE),
            result => return result,
        }
    }
}

fn is_abortable(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.txn_requires_abort(),
        // A transaction that has failed takes no records any more, and says the rest when it is to be committed.
        KafkaError::MessageProduction(_) => true,
        _ => false,
    }
}

impl Transactor {
    fn draw(&mut self, below: u64) -> u64 {
        self.random.draw() % below.max(1)
    }

    fn open(&mut self) -> Result<()> {
        let job = &self.job;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("transactional.id", &job.transactional_id);
        config.set("transaction.timeout.ms", job.timeout_ms.to_string());
        config.set("message.timeout.ms", job.timeout_ms.to_string());
        config.set("socket.timeout.ms", job.request_ms.to_string());
        config.set("request.timeout.ms", job.request_ms.to_string()).set("reconnect.backoff.max.ms", "200");
        config.set("linger.ms", "2");
        let producer: Inner = config.create_with_context(DefaultProducerContext)?;
        // Where a twin has fenced it meanwhile, it is for the next client to try.
        match persist(|| producer.init_transactions(CALL)) {
            Ok(()) => self.producer = Some(producer),
            Err(error) => self.rest(&format!("initTransactions: {error}")),
        }
        Ok(())
    }

    /// Before another client takes this one's place.
    fn rest(&mut self, why: &str) {
        eprintln!("{}: begins anew: {why}", self.job.name);
        self.producer = None;
        let rest = 50 + self.draw(self.job.rest_ms);
        sleep(Duration::from_millis(rest));
    }

    /// Until the next transaction may begin.
    fn pace(&mut self) {
        sleep(self.due.saturating_duration_since(Instant::now()));
        self.due = Instant::now() + Duration::from_millis(1000 / self.job.per_second.max(1));
    }

    fn run(&mut self, work: &Work, group: Option<&ConsumerGroupMetadata>) -> Result<bool> {
        self.pace();
        while self.producer.is_none() {
            self.open()?;
        }
        let outcome = self.attempt(work, group)?;
        self.number += 1;
        match outcome {
            Outcome::Committed => return Ok(true),
            Outcome::Aborted => tell("aborted", serde_json::json!({}))?,
            Outcome::Broken(why) => self.rest(&why),
        }
        Ok(false)
    }

    fn attempt(&mut self, work: &Work, group: Option<&ConsumerGroupMetadata>) -> Result<Outcome> {
        let (fate, pause) = (self.draw(100), self.draw(40));
        let (job, producer) = (&self.job, self.producer.as_ref().expect("it was opened"));
        tell("begins", serde_json::json!({"n": self.number}))?;
        if let Err(error) = producer.begin_transaction() {
            return Ok(Outcome::Broken(format!("begin: {error}")));
        }
        let shown: Vec<String> = work.writes.iter().map(|(p, value)| format!("{}-{p}={value}", job.topic)).collect();
        tell("writes", serde_json::json!({"r": shown}))?;
        let padding = "x".repeat(job.padding);
        for (partition, value) in &work.writes {
            let payload = format!("{value}:{padding}");
            let record = BaseRecord::<(), str>::to(&job.topic).partition(*partition).payload(&payload);
            if let Err((error, _)) = producer.send(record) {
                return Ok(abort(producer, &error));
            }
        }
        sleep(Duration::from_millis(pause));
        if let Some(group) = group
            && let Err(error) = send_offsets(job, producer, work, group)?
        {
            return Ok(abort(producer, &error));
        }
        if fate < job.abandons {
            return Ok(Outcome::Broken("as told".into()));
        }
        if fate < job.abandons + job.aborts {
            return Ok(abort_well(producer));
        }
        tell("commits", serde_json::json!({}))?;
        match persist(|| producer.commit_transaction(CALL)) {
            Ok(()) => tell("committed", serde_json::json!({})).map(|()| Outcome::Committed),
            Err(error) => Ok(abort(producer, &error)),
        }
    }
}

fn send_offsets(job: &Job, producer: &Inner, work: &Work, group: &ConsumerGroupMetadata) -> Result<KafkaResult<()>> {
    let input = job.input.as_deref().context("a group without an input")?;
    let mut offsets = TopicPartitionList::new();
    for (partition, offset) in &work.offsets {
        offsets.add_partition_offset(input, *partition, Offset::Offset(*offset))?;
    }
    let shown: Vec<String> = work.offsets.iter().map(|(p, offset)| format!("{input}-{p}@{offset}")).collect();
    tell("offsets", serde_json::json!({"r": shown}))?;
    Ok(persist(|| producer.send_offsets_to_transaction(&offsets, group, CALL)))
}

/// After an error: where it says so, the transaction can be aborted and the client goes on.
fn abort(producer: &Inner, error: &KafkaError) -> Outcome {
    match is_abortable(error) {
        true => abort_well(producer),
        false => Outcome::Broken(error.to_string()),
    }
}

fn abort_well(producer: &Inner) -> Outcome {
    match persist(|| producer.abort_transaction(CALL)) {
        Ok(()) => Outcome::Aborted,
        Err(error) => Outcome::Broken(format!("abort: {error}")),
    }
}

fn produce(transactor: &mut Transactor, ends: &AtomicBool) -> Result<()> {
    while !ends.load(Ordering::Relaxed) {
        let (count, mut work) = (1 + transactor.draw(transactor.job.records), Work::default());
        for n in 0..count {
            let partition = transactor.draw(transactor.job.partitions as u64) as i32;
            work.writes.push((partition, format!("{}.{}.{n}", transactor.job.name, transactor.number)));
        }
        transactor.run(&work, None)?;
    }
    Ok(())
}

/// Knows by which membership the partitions came, for offsets to be refused when it is over.
#[derive(Default)]
struct Watcher {
    changes: AtomicU64,
    group: Mutex<Option<ConsumerGroupMetadata>>,
}

impl ClientContext for Watcher {}

impl ConsumerContext for Watcher {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Watcher>, rebalance: &Rebalance<'_>) {
        self.changes.fetch_add(1, Ordering::Relaxed);
        let is_gain = matches!(rebalance, Rebalance::Assign(_));
        *self.group.lock().unwrap() = consumer.group_metadata().filter(|_| is_gain);
    }
}

fn join(bootstrap: &str, job: &Job) -> Result<BaseConsumer<Watcher>> {
    let (Some(group), Some(input)) = (&job.group, &job.input) else { bail!("no loop") };
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", group).set("isolation.level", "read_committed");
    config.set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
    config.set("session.timeout.ms", job.session_ms.to_string()).set("heartbeat.interval.ms", "500");
    config.set("partition.assignment.strategy", "range").set("socket.timeout.ms", job.request_ms.to_string());
    config.set("reconnect.backoff.max.ms", "500");
    let consumer: BaseConsumer<Watcher> = config.create_with_context(Watcher::default())?;
    consumer.subscribe(&[input])?;
    Ok(consumer)
}

/// What has come within a moment, as one transaction's work; nothing where a rebalance lies between.
fn read(consumer: &BaseConsumer<Watcher>, transactor: &Transactor) -> Option<Work> {
    let changes = || consumer.context().changes.load(Ordering::Relaxed);
    let (job, before, mut work) = (&transactor.job, changes(), Work::default());
    let mut wait = PAUSE;
    while (work.writes.len() as u64) < job.records {
        match consumer.poll(wait) {
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                let source = format!("{}-{partition}@{offset}", message.topic());
                let value = format!("{}.{}.{}<{source}", job.name, transactor.number, work.writes.len());
                work.writes.push((partition % job.partitions, value));
                work.offsets.insert(partition, offset + 1);
                wait = Duration::ZERO;
            }
            Some(Err(error)) => eprintln!("poll: {error}"),
            None => break,
        }
    }
    (changes() == before).then_some(work)
}

/// Goes on where the group has committed.
fn rewind(consumer: &BaseConsumer<Watcher>) -> KafkaResult<()> {
    let deadline = Instant::now() + PATIENCE;
    let committed = loop {
        match consumer.committed_offsets(consumer.assignment()?, CALL) {
            Err(_) if Instant::now() < deadline => sleep(PAUSE),
            result => break result?,
        }
    };
    let mut places = TopicPartitionList::new();
    for element in committed.elements() {
        element.error()?;
        let offset = match element.offset() {
            Offset::Offset(offset) => Offset::Offset(offset),
            _ => Offset::Beginning,
        };
        places.add_partition_offset(element.topic(), element.partition(), offset)?;
    }
    let sought = consumer.seek_partitions(places, CALL)?;
    sought.elements().iter().try_for_each(|element| element.error())
}

fn process(transactor: &mut Transactor, ends: &AtomicBool) -> Result<()> {
    let mut consumer = join(&transactor.bootstrap, &transactor.job)?;
    while !ends.load(Ordering::Relaxed) {
        let work = read(&consumer, transactor);
        if work.as_ref().is_some_and(|work| work.writes.is_empty()) {
            continue;
        }
        let group = consumer.context().group.lock().unwrap().take();
        let is_committed = match (&work, &group) {
            (Some(work), Some(group)) => transactor.run(work, Some(group))?,
            _ => false,
        };
        *consumer.context().group.lock().unwrap() = group;
        // Another consumer where this one cannot: a seek is refused while a partition is about to begin.
        if !is_committed && let Err(error) = rewind(&consumer) {
            eprintln!("rewind: {error}");
            drop(consumer);
            consumer = join(&transactor.bootstrap, &transactor.job)?;
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let job: Job = serde_json::from_str(&arguments[2])?;
    let (ends, random) = (until_input_ends(), Bytes::new(job.seed));
    let (bootstrap, due) = (arguments[1].clone(), Instant::now());
    let mut transactor = Transactor { bootstrap, random, number: 0, producer: None, due, job };
    match transactor.job.group {
        Some(_) => process(&mut transactor, &ends)?,
        None => produce(&mut transactor, &ends)?,
    }
    print(serde_json::json!({"e": "left"}))
}
