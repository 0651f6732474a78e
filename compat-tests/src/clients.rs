//! The clients whose data is compared, each behind the same two verbs: produce these records to partition 0 of a topic,
//! read so many records from its beginning.

use crate::broker::Broker;
use crate::program::{self, Input};
use crate::records::{self, Blob, Header, Record};
use crate::{Context, Result, bail, cache};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header as KafkaHeader, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use std::process::Command;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Client {
    Kcat,
    Librdkafka,
    Java,
    FranzGo,
    Kafkajs,
    KafkaPython,
}

use Client::{FranzGo, Java, KafkaPython, Kafkajs, Kcat, Librdkafka};

pub const CLIENTS: &[Client] = &[Kcat, Librdkafka, Java, FranzGo, Kafkajs, KafkaPython];

impl Client {
    pub fn name(self) -> &'static str {
        match self {
            Kcat => "kcat",
            Librdkafka => "librdkafka",
            Java => "java",
            FranzGo => "franz-go",
            Kafkajs => "kafkajs",
            KafkaPython => "kafka-python",
        }
    }

    /// The codecs that the client brings along.
    pub fn codecs(self) -> &'static [&'static str] {
        match self {
            Kafkajs => &["none", "gzip"],
            _ => &["none", "gzip", "snappy", "lz4", "zstd"],
        }
    }

    /// Of these records, what this client is able to send: kcat sets no timestamps, gives all records of one call the same
    /// headers, and takes a line for a record.
    pub fn sendable(self, samples: Vec<Record>) -> Vec<Record> {
        if self != Kcat {
            return samples;
        }
        let plain = |i: usize, record: Record| {
            let key = Blob(record.key.0.map(|_| format!("key-{i}").into_bytes()));
            let value =
                Blob(record.value.0.filter(|value| !value.is_empty()).map(|_| format!("value {i} ü").into_bytes()));
            Record { timestamp: None, key, value, headers: kcat_headers() }
        };
        samples.into_iter().enumerate().map(|(i, record)| plain(i, record)).collect()
    }

    pub fn produce(self, broker: &Broker, topic: &str, codec: &str, records: &[Record]) -> Result<()> {
        match self {
            Librdkafka => librdkafka_produce(broker, topic, codec, records),
            Kcat => {
                let input = records.iter().flat_map(kcat_line).collect();
                let mut command = kcat(broker, topic);
                command.args(["-P", "-K", "\t", "-Z", "-z", codec, "-H", "one=1", "-H", "two=zwei"]);
                program::run(command, Input::Bytes(input)).map(drop)
            }
            _ => {
                let command = self.program(&["produce", &broker.bootstrap(), topic, codec]);
                program::run(command, Input::Bytes(records::to_lines(records))).map(drop)
            }
        }
        .with_context(|| format!("{} produces", self.name()))
    }

    pub fn consume(self, broker: &Broker, topic: &str, count: usize) -> Result<Vec<Record>> {
        match self {
            Librdkafka => librdkafka_consume(broker, topic, count),
            Kcat => {
                let mut command = kcat(broker, topic);
                command.args(["-C", "-q", "-e", "-o", "beginning", "-f", "%R%s%K %k%T\n"]);
                from_kcat(&program::run(command, Input::Nothing)?.stdout)
            }
            _ => {
                let command = self.program(&["consume", &broker.bootstrap(), topic, &count.to_string()]);
                records::from_lines(&program::run(command, Input::Nothing)?.stdout)
            }
        }
        .with_context(|| format!("{} consumes", self.name()))
    }

    /// Whether this client shows headers as bytes; kcat prints them as text between commas, which binary bytes break.
    pub fn shows_headers(self) -> bool {
        self != Kcat
    }

    fn program(self, arguments: &[&str]) -> Command {
        let root = cache::root();
        let script = |path: &str| cache::package().join("clients").join(path);
        let mut command = match self {
            Java => return program::java("Records", arguments),
            FranzGo => Command::new(root.join("go/franz")),
            Kafkajs => {
                let mut node = Command::new("node");
                node.env("NODE_PATH", root.join("js/node_modules")).arg(script("js/main.js"));
                // kafkajs 2.2.4 computes a negative timeout now and then, and newer runtimes remark on it.
                node.env("NODE_NO_WARNINGS", "1").env("KAFKAJS_NO_PARTITIONER_WARNING", "1");
                node
            }
            KafkaPython => {
                let mut python = Command::new(root.join("venv/bin/python"));
                python.arg("-B").arg(script("python/main.py"));
                python
            }
            Kcat | Librdkafka => unreachable!("these have ways of their own"),
        };
        command.args(arguments);
        command
    }
}

fn kcat(broker: &Broker, topic: &str) -> Command {
    program::command("kcat", &["-b", &broker.bootstrap(), "-t", topic, "-p", "0"])
}

fn kcat_headers() -> Vec<Header> {
    let header = |name: &str, value: &str| Header { name: name.into(), value: Blob(Some(value.as_bytes().to_vec())) };
    vec![header("one", "1"), header("two", "zwei")]
}

/// With -Z, kcat takes an empty key or value for null.
fn kcat_line(record: &Record) -> Vec<u8> {
    let part = |blob: &Blob| blob.0.clone().unwrap_or_default();
    [part(&record.key), b"\t".to_vec(), part(&record.value), b"\n".to_vec()].concat()
}

/// Parses `%R%s%K %k%T\n`: value length in binary, value, key length in text, key, timestamp.
fn from_kcat(mut bytes: &[u8]) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let (size, rest) = bytes.split_at_checked(4).context("kcat's output ends early")?;
        let size = i32::from_be_bytes(size.try_into().expect("four bytes"));
        let (value, rest) = take(rest, size)?;
        let (size, rest) = number(rest, b' ')?;
        let (key, rest) = take(rest, size as i32)?;
        let (timestamp, rest) = number(rest, b'\n')?;
        records.push(Record { timestamp: Some(timestamp), key, value, headers: Vec::new() });
        bytes = rest;
    }
    Ok(records)
}

fn take(bytes: &[u8], size: i32) -> Result<(Blob, &[u8])> {
    if size < 0 {
        return Ok((Blob(None), bytes));
    }
    let (taken, rest) = bytes.split_at_checked(size as usize).context("kcat's output ends early")?;
    Ok((Blob(Some(taken.to_vec())), rest))
}

/// A number in text and the byte that ends it.
fn number(bytes: &[u8], last: u8) -> Result<(i64, &[u8])> {
    let end = bytes.iter().position(|b| *b == last).context("kcat's output ends early")?;
    Ok((std::str::from_utf8(&bytes[..end])?.parse()?, &bytes[end + 1..]))
}

/// librdkafka with what every test sets.
pub fn librdkafka(broker: &Broker) -> ClientConfig {
    librdkafka_at(&broker.bootstrap())
}

/// The same for a broker of which only the address is known.
pub fn librdkafka_at(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

/// A member of a group that reads a topic from its beginning.
pub fn group_member(config: &ClientConfig, group: &str, topic: &str) -> Result<BaseConsumer> {
    let mut config = config.clone();
    config.set("group.id", group).set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create()?;
    consumer.subscribe(&[topic])?;
    Ok(consumer)
}

/// Hands over the next `count` messages of what a consumer is assigned or has subscribed to.
pub fn read(
    consumer: &BaseConsumer,
    count: usize,
    mut each: impl FnMut(&rdkafka::message::BorrowedMessage) -> Result<()>,
) -> Result<()> {
    let deadline = Instant::now() + program::DEADLINE;
    let mut seen = 0;
    while seen < count {
        match consumer.poll(Duration::from_millis(100)) {
            Some(message) => {
                each(&message?)?;
                seen += 1;
            }
            None if Instant::now() > deadline => bail!("only {seen} of {count} messages came"),
            None => {}
        }
    }
    Ok(())
}

/// The values of the next `count` messages.
pub fn read_values(consumer: &BaseConsumer, count: usize) -> Result<Vec<Vec<u8>>> {
    let mut values = Vec::new();
    read(consumer, count, |message| {
        values.push(message.payload().context("a value")?.to_vec());
        Ok(())
    })?;
    Ok(values)
}

fn librdkafka_produce(broker: &Broker, topic: &str, codec: &str, records: &[Record]) -> Result<()> {
    let mut config = librdkafka(broker);
    config.set("compression.type", codec).set("enable.idempotence", "true");
    let producer: ThreadedProducer<Acks> = config.create_with_context(Acks::default())?;
    for record in records {
        let mut headers = OwnedHeaders::new();
        for header in &record.headers {
            headers = headers.insert(KafkaHeader { key: &header.name, value: header.value.0.as_ref() });
        }
        let mut out = BaseRecord::<[u8], [u8]>::to(topic).partition(0).headers(headers);
        out.key = record.key.0.as_deref();
        out.payload = record.value.0.as_deref();
        out.timestamp = record.timestamp;
        producer.send(out).map_err(|(error, _)| error)?;
    }
    producer.flush(program::DEADLINE)?;
    let failed = producer.context().failed();
    if let Some(error) = failed.first() {
        bail!("{} records were not delivered: {error}", failed.len());
    }
    Ok(())
}

fn librdkafka_consume(broker: &Broker, topic: &str, count: usize) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    librdkafka_each(broker, topic, count, |message| {
        let headers = message
            .headers()
            .into_iter()
            .flat_map(|h| h.iter())
            .map(|header| Header { name: header.key.to_string(), value: Blob(header.value.map(<[u8]>::to_vec)) });
        records.push(Record {
            timestamp: message.timestamp().to_millis(),
            key: Blob(message.key().map(<[u8]>::to_vec)),
            value: Blob(message.payload().map(<[u8]>::to_vec)),
            headers: headers.collect(),
        });
        Ok(())
    })?;
    Ok(records)
}

/// Reads `count` messages of partition 0 from its beginning.
pub fn librdkafka_each(
    broker: &Broker,
    topic: &str,
    count: usize,
    each: impl FnMut(&rdkafka::message::BorrowedMessage) -> Result<()>,
) -> Result<()> {
    let mut config = librdkafka(broker);
    // librdkafka wants a group's name even where no group is used.
    config.set("group.id", "none").set("enable.auto.commit", "false").set("fetch.message.max.bytes", "10000000");
    let consumer: BaseConsumer = config.create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    read(&consumer, count, each)
}

/// Collects what librdkafka reports about each message.
#[derive(Default)]
pub struct Acks {
    state: Mutex<AckState>,
    changed: Condvar,
}

#[derive(Default)]
struct AckState {
    delivered: Vec<(i64, String)>,
    failed: Vec<String>,
}

impl Acks {
    /// Offset and payload of every acknowledged message, in the order of the acknowledgements.
    pub fn delivered(&self) -> Vec<(i64, String)> {
        self.state.lock().unwrap().delivered.clone()
    }

    pub fn failed(&self) -> Vec<String> {
        self.state.lock().unwrap().failed.clone()
    }

    /// Waits until so many messages were acknowledged.
    pub fn wait_for(&self, count: usize) -> Result<()> {
        let state = self.state.lock().unwrap();
        let lacking = |state: &mut AckState| state.delivered.len() < count && state.failed.is_empty();
        let (state, _) = self.changed.wait_timeout_while(state, program::DEADLINE, lacking).unwrap();
        match state.failed.first() {
            Some(error) => bail!("a message was not delivered: {error}"),
            None if state.delivered.len() < count => bail!("only {} of {count} acknowledged", state.delivered.len()),
            None => Ok(()),
        }
    }
}

impl rdkafka::ClientContext for Acks {}

impl rdkafka::producer::ProducerContext for Acks {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &rdkafka::message::DeliveryResult<'_>, _: ()) {
        let mut state = self.state.lock().unwrap();
        match result {
            Ok(message) => {
                let payload = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
                state.delivered.push((message.offset(), payload));
            }
            Err((error, _)) => state.failed.push(error.to_string()),
        }
        self.changed.notify_all();
    }
}

/// Sends one message to partition 0; waits while librdkafka's queue is full.
pub fn librdkafka_send(producer: &ThreadedProducer<Acks>, topic: &str, payload: &[u8]) -> Result<()> {
    let mut record = BaseRecord::<(), [u8]>::to(topic).partition(0).payload(payload);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                record = again;
                producer.poll(Duration::from_millis(100));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}
