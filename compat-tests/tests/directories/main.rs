//! A data directory moves between Klamm and Apache Kafka and back, under one server.properties: no record, offset, topic id
//! or sequence of an idempotent producer, no group and no committed offset is lost, whether a broker stopped or was killed.
//!
//! With `KLAMM_PEER=kafka` the directory moves from Apache Kafka to Apache Kafka: what the test asks then is what any
//! restart must give.

mod cleaning;
mod groups;
mod transaction_state;

use cleaning::{Compacted, Shortened};
use compat_tests::broker::{Broker, Peer, Quorum, Setup};
use compat_tests::clients::Client;
use compat_tests::program::{self, Input};
use compat_tests::raw::{self, Batch, PATIENCE, Raw};
use compat_tests::records::{self, Record};
use compat_tests::suite::{BOTH, ONE, Suite};
use compat_tests::{Context, Result, bail, ensure};
use groups::Groups;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::ProducerState;
use kafka_protocol::messages::{DescribeProducersRequest, InitProducerIdRequest, ProducerId};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const CODECS: &[&str] = &["none", "gzip", "snappy", "lz4", "zstd"];
const RECORDS: usize = 50;
/// Apache Kafka lets nobody register while it takes the last one for alive: not longer than it must be. What goes by the
/// clock goes quickly.
const SHORT_SESSION: &[(&str, &str)] = &[
    ("broker.session.timeout.ms", "2000"),
    ("broker.heartbeat.interval.ms", "500"),
    ("log.cleaner.backoff.ms", "100"),
    ("log.initial.task.delay.ms", "100"),
    ("log.retention.check.interval.ms", "500"),
    ("log.flush.start.offset.checkpoint.interval.ms", "100"),
    ("group.initial.rebalance.delay.ms", "0"),
];
/// A snapshot after every few changes.
const SNAPSHOTS: &[(&str, &str)] = &[
    ("broker.session.timeout.ms", "2000"),
    ("broker.heartbeat.interval.ms", "500"),
    ("log.cleaner.backoff.ms", "100"),
    ("log.initial.task.delay.ms", "100"),
    ("log.retention.check.interval.ms", "500"),
    ("log.flush.start.offset.checkpoint.interval.ms", "100"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("metadata.log.max.record.bytes.between.snapshots", "1000"),
];
/// Several segments, and a coordinator whose topic one broker can hold.
const TRANSACTIONS: &[(&str, &str)] = &[
    ("broker.session.timeout.ms", "2000"),
    ("broker.heartbeat.interval.ms", "500"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("transaction.state.log.num.partitions", "1"),
];
const TRANSACTIONAL: &str = "transactional";
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
/// INVALID_REPLICATION_FACTOR: fewer brokers than replicas.
const NO_BROKER_FOR_IT: i16 = 38;
/// The times that a broker waits to be led again: not leader, not available yet.
const PASSING: &[i16] = &[3, 5, 6];

#[derive(Clone, Copy)]
enum End {
    Stop,
    Kill,
}

fn main() -> ExitCode {
    let kafka_first = |quorum, end| move |setup: &Setup| there_and_back(setup, &Setup::kafka(), quorum, end);
    let klamm_first = |end| move |setup: &Setup| there_and_back(setup, setup, Quorum::Static, end);
    Suite::new("directories")
        .own_start("kafka_first_static", ONE, SHORT_SESSION, kafka_first(Quorum::Static, End::Stop))
        .own_start("kafka_first_static_killed", ONE, SHORT_SESSION, kafka_first(Quorum::Static, End::Kill))
        .own_start("kafka_first_dynamic", BOTH, SNAPSHOTS, kafka_first(Quorum::Dynamic, End::Stop))
        .own_start("kafka_first_dynamic_killed", ONE, SNAPSHOTS, kafka_first(Quorum::Dynamic, End::Kill))
        .own_start("klamm_first", ONE, SNAPSHOTS, klamm_first(End::Stop))
        .own_start("klamm_first_killed", ONE, SHORT_SESSION, klamm_first(End::Kill))
        .own_start("transactions", ONE, TRANSACTIONS, |setup| transactions(setup, End::Stop))
        .own_start("transactions_killed", ONE, TRANSACTIONS, |setup| transactions(setup, End::Kill))
        .own_start("coordinator_kafka_first", ONE, TRANSACTIONS, transaction_state::kafka_first(End::Stop))
        .own_start("coordinator_kafka_first_killed", ONE, TRANSACTIONS, transaction_state::kafka_first(End::Kill))
        .own_start("coordinator_klamm_first", ONE, TRANSACTIONS, transaction_state::klamm_first(End::Stop))
        .own_start("coordinator_klamm_first_killed", ONE, TRANSACTIONS, transaction_state::klamm_first(End::Kill))
        .own_start("only_formatted", ONE, SHORT_SESSION, |setup| only_formatted(setup, Quorum::Dynamic, None))
        .own_start("formatted_for_3.3", ONE, SHORT_SESSION, |setup| formatted_for(setup, "3.3-IV3"))
        .own_start("formatted_for_3.9", ONE, SHORT_SESSION, |setup| formatted_for(setup, "3.9"))
        .own_start("formatted_for_4.2", ONE, SHORT_SESSION, |setup| formatted_for(setup, "4.2"))
        .own_start("formatted_for_4.3", ONE, SHORT_SESSION, |setup| formatted_for(setup, "4.3"))
        .run()
}

/// Four brokers one after the other; each finds what the earlier ones left and adds to it.
fn there_and_back(setup: &Setup, first: &Setup, quorum: Quorum, end: End) -> Result<Broker> {
    let with_overrides = |peer: Setup| Setup { overrides: setup.overrides.clone(), ..peer };
    let (subject, kafka) = (with_overrides(setup.clone()), with_overrides(Setup::kafka()));
    let starts_with_kafka = first.peer == Peer::Kafka;
    let mut broker = Broker::start_shared(&with_overrides(first.clone()), quorum)?;
    let mut story = Story::begin(&broker, true)?;
    for at in 0..4 {
        story.check(&broker).with_context(|| format!("broker {at}, {}", broker.setup().name()))?;
        story.go_on(&broker).with_context(|| format!("broker {at}, {}", broker.setup().name()))?;
        if at == 3 {
            break;
        }
        match end {
            End::Stop => broker.stop()?,
            End::Kill => broker.kill9()?,
        }
        let kafka_is_next = (at % 2 == 0) != starts_with_kafka;
        broker.hand_over(if kafka_is_next { &kafka } else { &subject })?;
    }
    story.check(&broker)?;
    let asked = setup.overrides.iter().any(|(key, _)| key == "metadata.log.max.record.bytes.between.snapshots");
    ensure!(!asked || has_snapshot(&broker)?, "no broker made a snapshot: the test does not test what it says");
    Ok(broker)
}

/// Whether a snapshot stands for a part of the metadata log.
fn has_snapshot(broker: &Broker) -> Result<bool> {
    let mut found = false;
    for entry in std::fs::read_dir(broker.data().join("__cluster_metadata-0"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        found |= name.ends_with(".checkpoint") && !name.starts_with("00000000000000000000-");
    }
    Ok(found)
}

/// Apache Kafka writes transactions: committed, aborted, one left open. The other broker shows consumers of both levels the
/// same, and knows the same of producers and has the same transaction indexes after a recovery.
fn transactions(setup: &Setup, end: End) -> Result<Broker> {
    let kafka = Setup { overrides: setup.overrides.clone(), ..Setup::kafka() };
    let mut broker = Broker::start_shared(&kafka, Quorum::Static)?;
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic(TRANSACTIONAL, 1, &[("segment.bytes", "1048576")])?;
    await_leader(&mut raw, TRANSACTIONAL)?;
    program::run(program::java("Transactions", &["write", &broker.bootstrap(), TRANSACTIONAL]), Input::Nothing)?;
    let seen = |broker: &Broker| {
        let read = |level| program::java("Transactions", &["read", &broker.bootstrap(), TRANSACTIONAL, level]);
        ["read_committed", "read_uncommitted"].map(|level| program::run(read(level), Input::Nothing).map(|o| o.text()))
    };
    let [committed, uncommitted] = seen(&broker);
    let (committed, uncommitted) = (committed?, uncommitted?);
    ensure!(committed.lines().count() > 50 && committed.lines().count() < uncommitted.lines().count(), "{committed}");
    let known = active_producers(&mut raw)?;
    ensure!(known.iter().any(|producer| producer.current_txn_start_offset >= 0), "no transaction is open: {known:?}");
    match end {
        End::Stop => broker.stop()?,
        End::Kill => broker.kill9()?,
    }
    let indexes = transaction_indexes(&broker)?;
    ensure!(!indexes.is_empty(), "Apache Kafka wrote no transaction index");
    broker.hand_over(setup)?;
    let mut raw = Raw::connect(broker.port())?;
    await_leader(&mut raw, TRANSACTIONAL)?;
    let [here, all_here] = seen(&broker);
    let (here, all_here) = (here?, all_here?);
    ensure!(here == committed, "read_committed saw\n{here}\ninstead of\n{committed}");
    ensure!(all_here == uncommitted, "read_uncommitted saw\n{all_here}\ninstead of\n{uncommitted}");
    ensure!(transaction_indexes(&broker)? == indexes, "the transaction indexes are not Kafka's");
    let known_here = active_producers(&mut raw)?;
    ensure!(known_here == known, "DescribeProducers told\n{known_here:?}\ninstead of\n{known:?}");
    Ok(broker)
}

/// What the partition remembers of its producers, by id.
fn active_producers(raw: &mut Raw) -> Result<Vec<ProducerState>> {
    let topic = TopicRequest::default().with_name(raw::topic_name(TRANSACTIONAL)).with_partition_indexes(vec![0]);
    let response = raw.call(&DescribeProducersRequest::default().with_topics(vec![topic]), 0)?;
    let topic = response.topics.into_iter().next().context("no topic in the answer")?;
    let partition = topic.partitions.into_iter().next().context("no partition in the answer")?;
    ensure!(partition.error_code == 0, "DescribeProducers: error {}", partition.error_code);
    let mut active = partition.active_producers;
    active.sort_by_key(|producer| producer.producer_id);
    Ok(active)
}

/// The transaction indexes of the topic that hold something, by name.
fn transaction_indexes(broker: &Broker) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(broker.data().join(format!("{TRANSACTIONAL}-0")))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".txnindex") {
            found.extend(Some((name, std::fs::read(path)?)).filter(|(_, content)| !content.is_empty()));
        }
    }
    Ok(found)
}

/// A directory that `kafka-storage` has formatted and nobody has used.
fn only_formatted(setup: &Setup, quorum: Quorum, release: Option<&str>) -> Result<Broker> {
    let kafka = Setup { overrides: setup.overrides.clone(), ..Setup::kafka() };
    let mut broker = Broker::start_formatted(setup, quorum, release)?;
    let has_consumer_protocol = release.is_none_or(|release| release >= "4");
    let mut story = Story::begin(&broker, has_consumer_protocol)?;
    story.go_on(&broker)?;
    broker.stop()?;
    broker.hand_over(&kafka)?;
    story.check(&broker)?;
    story.go_on(&broker)?;
    story.check(&broker)?;
    Ok(broker)
}

/// One of an older release's metadata.version, which stays what it is.
fn formatted_for(setup: &Setup, release: &str) -> Result<Broker> {
    only_formatted(setup, Quorum::Static, Some(release))
}

/// What must be there: everything that was ever acknowledged.
struct Story {
    /// Topic, codec, id, records.
    topics: Vec<(String, &'static str, [u8; 16], Vec<Record>)>,
    /// Topics whose records are not looked at.
    created: Vec<(String, [u8; 16])>,
    sequence: Sequence,
    producer_ids: Vec<i64>,
    compacted: Compacted,
    shortened: Shortened,
    groups: Groups,
}

/// An idempotent producer that outlives every broker, with batches of one record.
struct Sequence {
    producer_id: i64,
    /// A producer whose records are older than a day is forgotten at a restart.
    timestamp: i64,
    next: i32,
}

const SEQUENCE: &str = "sequence";
/// Two brokers' records fill one.
const SEGMENTS: &[(&str, &str)] = &[("internal.segment.bytes", "100000")];

impl Story {
    fn begin(broker: &Broker, has_consumer_protocol: bool) -> Result<Story> {
        let mut raw = Raw::connect(broker.port())?;
        let mut topics = Vec::new();
        for codec in CODECS {
            let topic = format!("records-{codec}");
            topics.push((topic.clone(), *codec, create(&mut raw, &topic, SEGMENTS)?, Vec::new()));
        }
        create(&mut raw, SEQUENCE, &[])?;
        let producer_id = new_producer_id(&mut raw)?;
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
        let sequence = Sequence { producer_id, timestamp, next: 0 };
        let compacted = Compacted::begin(&mut raw)?;
        let shortened = Shortened::begin(&mut raw)?;
        let producer_ids = vec![producer_id, compacted.producer_id()];
        let groups = Groups::begin(has_consumer_protocol);
        Ok(Story { topics, created: Vec::new(), sequence, producer_ids, compacted, shortened, groups })
    }

    /// Adds to everything that is there.
    fn go_on(&mut self, broker: &Broker) -> Result<()> {
        let mut raw = Raw::connect(broker.port())?;
        for (topic, codec, _, records) in &mut self.topics {
            let more = records::samples(records.len() as u64, RECORDS);
            Client::Librdkafka.produce(broker, topic, codec, &more)?;
            records.extend(more);
        }
        (0..7).try_for_each(|_| self.sequence.append(&mut raw))?;
        let topic = format!("created-{}", self.created.len());
        let id = create(&mut raw, &topic, &[])?;
        self.created.push((topic, id));
        self.compacted.go_on(broker, &mut raw)?;
        self.shortened.go_on(broker, &mut raw)?;
        self.groups.go_on(&mut raw).context("the groups")?;
        let id = new_producer_id(&mut raw)?;
        ensure!(!self.producer_ids.contains(&id), "the producer id {id} was given to two");
        self.producer_ids.push(id);
        Ok(())
    }

    fn check(&self, broker: &Broker) -> Result<()> {
        let mut raw = Raw::connect(broker.port())?;
        let known = self.topics.iter().map(|(topic, _, id, _)| (topic, id));
        for (topic, id) in known.chain(self.created.iter().map(|(topic, id)| (topic, id))) {
            await_leader(&mut raw, topic)?;
            ensure!(raw.topic_id(topic)? == *id, "{topic} has another id");
        }
        for (topic, _, _, records) in &self.topics {
            let end = raw.end_offset(topic, 0)?;
            ensure!(end == records.len() as i64, "{topic} ends at {end}, expected {}", records.len());
            ensure!(raw.offset(topic, 0, -2)? == (0, 0), "{topic} does not begin at 0");
            let found = Client::Librdkafka.consume(broker, topic, records.len())?;
            let difference = records::difference(records, &found);
            ensure!(difference.is_none(), "{topic}: {}", difference.unwrap_or_default());
        }
        await_leader(&mut raw, SEQUENCE)?;
        self.sequence.check(&mut raw)?;
        self.compacted.check(broker, &mut raw).context("the compacted topic")?;
        self.shortened.check(&mut raw).context("the topic with deleted records")?;
        self.groups.check(&mut raw).context("the groups")
    }
}

impl Sequence {
    fn batch(&self, sequence: i32) -> Vec<u8> {
        let value = format!("record {sequence}");
        let (producer_id, timestamp) = (self.producer_id, self.timestamp);
        let batch = Batch { producer_id, producer_epoch: 0, timestamp, ..Batch::of(&[value.as_bytes()]) };
        Batch { base_sequence: sequence, ..batch }.encode()
    }

    fn append(&mut self, raw: &mut Raw) -> Result<()> {
        let answer = raw.produce(SEQUENCE, self.batch(self.next))?;
        let found = (answer.error_code, answer.base_offset);
        ensure!(found == (0, i64::from(self.next)), "sequence {} was answered with {found:?}", self.next);
        self.next += 1;
        Ok(())
    }

    /// The last batch is known again, which is what a producer snapshot keeps, and no sequence may be left out.
    fn check(&self, raw: &mut Raw) -> Result<()> {
        for sequence in (self.next - 1).max(0)..self.next {
            let answer = raw.produce(SEQUENCE, self.batch(sequence))?;
            let found = (answer.error_code, answer.base_offset);
            ensure!(found == (0, i64::from(sequence)), "the repeated sequence {sequence} was answered with {found:?}");
        }
        let end = raw.end_offset(SEQUENCE, 0)?;
        ensure!(end == i64::from(self.next), "{SEQUENCE} ends at {end}, expected {}", self.next);
        if self.next > 0 {
            let error = raw.produce(SEQUENCE, self.batch(self.next + 1))?.error_code;
            ensure!(error == OUT_OF_ORDER_SEQUENCE_NUMBER, "a gap in the sequence was answered with {error}");
        }
        Ok(())
    }
}

/// Creates a topic that keeps everything, whatever its records' timestamps say.
fn create(raw: &mut Raw, topic: &str, configs: &[(&str, &str)]) -> Result<[u8; 16]> {
    let configs = [&[("retention.ms", "-1")], configs].concat();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match raw.try_create_topic(topic, 1, &configs)? {
            0 => break,
            // Apache Kafka's controller has just fenced its broker for want of heartbeats: the machine is busy.
            NO_BROKER_FOR_IT if Instant::now() < deadline => {}
            error => bail!("CreateTopics {topic}: error {error}"),
        }
    }
    await_leader(raw, topic)?;
    raw.topic_id(topic)
}

/// Any of the brokers may be Apache Kafka, which serves before its partitions have leaders.
fn await_leader(raw: &mut Raw, topic: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match raw.offset(topic, 0, -1)?.0 {
            0 if raw.topic_id(topic).is_ok() => return Ok(()),
            error => ensure!(PASSING.contains(&error) || error == 0, "{topic}: error {error}"),
        }
        ensure!(Instant::now() < deadline, "{topic} gets no leader");
    }
}

fn new_producer_id(raw: &mut Raw) -> Result<i64> {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let response = raw.call(&request, 4)?;
        if response.error_code == 0 {
            return Ok(response.producer_id.0);
        }
        ensure!(Instant::now() < deadline, "InitProducerId: error {}", response.error_code);
    }
}
