//! Apache Kafka's `TransactionalMessageCopier`, which its system tests run: it copies records and commits their offsets in
//! the same transactions, a third of which it aborts at random. Copiers and broker are killed in the middle.

use crate::PATIENCE;
use compat_tests::application::{self, Application};
use compat_tests::broker::Broker;
use compat_tests::clients::{self, Acks};
use compat_tests::raw::Raw;
use compat_tests::reader::{Reader, Seen};
use compat_tests::{Context, Result, ensure, program};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};

const CLASS: &str = "org.apache.kafka.tools.TransactionalMessageCopier";
/// In each partition.
const RECORDS: usize = 6000;

/// Two topics, the first with its records.
fn fill(broker: &Broker, partitions: i32) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    ["in", "out"].iter().try_for_each(|topic| raw.create_topic(topic, partitions, &[]))?;
    let mut config = clients::librdkafka(broker);
    config.set("enable.idempotence", "true");
    let producer: ThreadedProducer<Acks> = config.create_with_context(Acks::default())?;
    for n in 0..RECORDS {
        for partition in 0..partitions {
            let value = format!("{partition}-{n}");
            let record = BaseRecord::to("in").partition(partition).key(&value).payload(&value);
            producer.send(record).map_err(|(error, _)| error)?;
        }
    }
    producer.flush(program::DEADLINE)?;
    producer.context().wait_for(RECORDS * partitions as usize)
}

fn start(broker: &Broker, id: &str, more: &[&str]) -> Result<Application> {
    let bootstrap = broker.bootstrap();
    let mut arguments = vec!["--broker-list", &bootstrap, "--input-topic", "in", "--output-topic", "out"];
    arguments.extend(["--input-partition", "0", "--consumer-group", "copiers", "--transactional-id", id]);
    // It asks for its group's offsets before it ends what its predecessor left open: these may have to time out first.
    arguments.extend(["--transaction-timeout", "5000", "--transaction-size", "50", "--enable-random-aborts"]);
    arguments.extend(more);
    Application::start(application::java(CLASS, &arguments))
}

/// Each record once, in order, and more than these were written: what was aborted.
fn check(broker: &Broker, partitions: i32) -> Result<()> {
    let committed = Reader::committed(broker, "out", partitions)?.to_end(PATIENCE)?;
    for partition in 0..partitions {
        let mine = committed.iter().filter(|seen| seen.partition == partition);
        let expected = (0..RECORDS).map(|n| format!("{partition}-{n}"));
        let same = |(seen, expected): (&Seen, &String)| seen.key == *expected && seen.value == *expected;
        let (mine, expected): (Vec<&Seen>, Vec<String>) = (mine.collect(), expected.collect());
        let differs = mine.iter().zip(&expected).position(|(seen, expected)| !same((seen, expected)));
        ensure!(differs.is_none(), "partition {partition} differs first at {:?}", differs.map(|at| mine[at]));
        ensure!(mine.len() == RECORDS, "{} records of {RECORDS} in partition {partition}", mine.len());
    }
    let all = Reader::uncommitted(broker, "out", partitions)?.to_end(PATIENCE)?;
    ensure!(all.len() > committed.len(), "nothing was aborted");
    println!("    {} records copied, {} aborted", committed.len(), all.len() - committed.len());
    Ok(())
}

pub fn one_partition(broker: &mut Broker) -> Result<()> {
    fill(broker, 1)?;
    let mut live = Reader::committed(broker, "out", 1)?;
    let mut first = start(broker, "one", &[])?;
    live.wait_for(RECORDS / 4, PATIENCE).with_context(|| first.tail())?;
    first.kill9()?;
    let mut second = start(broker, "one", &[])?;
    live.wait_for(RECORDS / 2, PATIENCE).with_context(|| second.tail())?;
    broker.kill9()?;
    broker.restart()?;
    live.wait_for(RECORDS, PATIENCE).with_context(|| second.tail())?;
    second.wait()?;
    check(broker, 1)
}

/// Two in one group, whose offsets are committed with the group's generation (KIP-447): after the death of one the other
/// takes its partition over, and what the dead one left open is aborted when its transactional id comes back.
pub fn group(broker: &mut Broker) -> Result<()> {
    fill(broker, 2)?;
    let mode = ["--group-mode", "--use-group-metadata"];
    let mut live = Reader::committed(broker, "out", 2)?;
    let mut first = start(broker, "first", &mode)?;
    let mut second = start(broker, "second", &mode)?;
    live.wait_for(RECORDS / 2, PATIENCE).with_context(|| format!("{}{}", first.tail(), second.tail()))?;
    first.kill9()?;
    let mut first = start(broker, "first", &mode)?;
    live.wait_for(2 * RECORDS, PATIENCE).with_context(|| format!("{}{}", first.tail(), second.tail()))?;
    first.wait()?;
    second.wait()?;
    check(broker, 2)
}
