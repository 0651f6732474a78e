//! What a hundred thousand transactional ids cost, each with one committed transaction: how long the broker takes after a
//! restart until the coordinators of all partitions of `__transaction_state` answer, and how much memory they take.

use bytes::Bytes;
use compat_tests::batch::TRANSACTIONAL;
use compat_tests::broker::{Broker, Setup};
use compat_tests::raw::{Batch, Raw, text, topic_name};
use compat_tests::transactional::{self, CONCURRENT_TRANSACTIONS, Identity, describe};
use compat_tests::{Result, bail, ensure};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    DescribeTransactionsResponse, InitProducerIdResponse, ProduceRequest, ResponseHeader, TransactionalId,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const IDS: usize = 100_000;
const CONNECTIONS: usize = 8;
/// Ids whose requests a connection has under way together.
const TOGETHER: usize = 50;
const TOPIC: &str = "data";
const PARTITIONS: i32 = 12;
/// An id is asked for in each of so many; the ids are spread over the partitions of the topic by their hashes, so that all
/// of these have some.
const ASKED_EVERY: usize = 97;
const LOADS_WITHIN: Duration = Duration::from_secs(120);
/// After which a broker's memory is looked at: Apache Kafka goes on for a while.
const SETTLE: Duration = Duration::from_secs(3);
const TIMEOUT_MS: i32 = 60_000;

const INIT_PRODUCER_ID: i16 = 5;
const PRODUCE: i16 = 12;
const END_TXN: i16 = 5;
const DESCRIBE: i16 = 0;
/// The coordinator is loading (or has no producer ids at the moment), not available, not this broker, or still ends the
/// transaction before.
const PASSING: [i16; 4] = [14, 15, 16, CONCURRENT_TRANSACTIONS];
const UNKNOWN: i16 = -1;
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(1);

pub fn measure(shards: u32, rounds: usize) -> Result<()> {
    println!("transactions: {IDS} transactional ids with a committed transaction each, {rounds} restarts");
    for setup in [Setup::klamm("uring", shards), Setup::klamm("epoll", shards), Setup::kafka()] {
        let mut broker = Broker::start(&setup)?;
        let name = broker.setup().name();
        std::thread::sleep(SETTLE);
        let empty = broker.resident_bytes()?;
        let mut raw = Raw::connect(broker.port())?;
        raw.create_topic(TOPIC, PARTITIONS, &[])?;
        transactional::await_coordinators(&mut raw)?;
        let took = commit_all(&broker)?;
        let full = broker.resident_bytes()?;
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "{name:>8}: made in {:.1} s ({:.0} transactions/s); memory {:.1} MB before, {:.1} MB with them",
            took.as_secs_f64(),
            IDS as f64 / took.as_secs_f64(),
            megabytes(empty),
            megabytes(full)
        );
        for _ in 0..rounds {
            broker.stop_patiently()?;
            broker.restart()?;
            let (served, loaded) = await_all(&broker)?;
            std::thread::sleep(SETTLE);
            println!(
                "{name:>8}: restarted: {:.0} ms to the first answer, all loaded {:.0} ms later; memory {:.1} MB",
                served.as_secs_f64() * 1e3,
                loaded.as_secs_f64() * 1e3,
                megabytes(broker.resident_bytes()?)
            );
        }
        broker.finish(None)?;
    }
    Ok(())
}

fn id(number: usize) -> String {
    format!("application-{number:06}")
}

fn commit_all(broker: &Broker) -> Result<Duration> {
    let began = Instant::now();
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let some = |connection| (connection..IDS).step_by(CONNECTIONS).collect::<Vec<_>>();
        let one = |connection| scope.spawn(move || commit(broker, &some(connection)));
        let threads: Vec<_> = (0..CONNECTIONS).map(one).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    results.into_iter().collect::<Result<()>>()?;
    Ok(began.elapsed())
}

/// The requests of several ids follow each other without waiting, kind by kind.
fn commit(broker: &Broker, numbers: &[usize]) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    for numbers in numbers.chunks(TOGETHER) {
        let request = |number: &usize| transactional::init_producer_id(Some(&id(*number)), TIMEOUT_MS, (-1, -1));
        let requests: Vec<_> = numbers.iter().map(request).collect();
        let given = exchange(&mut raw, &requests, INIT_PRODUCER_ID, |answer| answer.error_code)?;
        let identity = |(number, given): (&usize, &InitProducerIdResponse)| Identity {
            transactional_id: id(*number),
            producer_id: given.producer_id.0,
            epoch: given.producer_epoch,
        };
        let identities: Vec<Identity> = numbers.iter().zip(&given).map(identity).collect();
        let request = |(identity, number): (&Identity, &usize)| produce(identity, *number as i32 % PARTITIONS);
        let requests = identities.iter().zip(numbers).map(request).collect::<Result<Vec<_>>>()?;
        exchange(&mut raw, &requests, PRODUCE, |answer| {
            let found = answer.responses.first().and_then(|topic| topic.partition_responses.first());
            found.map_or(UNKNOWN, |partition| partition.error_code)
        })?;
        let requests: Vec<_> = identities.iter().map(|identity| transactional::end(identity, true)).collect();
        exchange(&mut raw, &requests, END_TXN, |answer| answer.error_code)?;
    }
    Ok(())
}

/// Sends all requests and reads their answers; those that shall come again do.
fn exchange<R: Request>(
    raw: &mut Raw,
    requests: &[R],
    version: i16,
    error: impl Fn(&R::Response) -> i16,
) -> Result<Vec<R::Response>> {
    let mut answers: Vec<Option<R::Response>> = requests.iter().map(|_| None).collect();
    let deadline = Instant::now() + ANSWERS_WITHIN;
    loop {
        let open: Vec<usize> = (0..requests.len()).filter(|at| answers[*at].is_none()).collect();
        open.iter().try_for_each(|at| raw.post(&requests[*at], version).map(drop))?;
        for at in &open {
            let mut frame = Bytes::from(raw.frame()?);
            ResponseHeader::decode(&mut frame, R::Response::header_version(version))?;
            let answer = R::Response::decode(&mut frame, version)?;
            match error(&answer) {
                0 => answers[*at] = Some(answer),
                error if PASSING.contains(&error) => {}
                error => bail!("request {} is answered with error {error}", R::KEY),
            }
        }
        if answers.iter().all(Option::is_some) {
            return Ok(answers.into_iter().flatten().collect());
        }
        ensure!(Instant::now() < deadline, "request {} is not answered within {ANSWERS_WITHIN:?}", R::KEY);
        std::thread::sleep(PAUSE);
    }
}

/// One record.
fn produce(identity: &Identity, partition: i32) -> Result<ProduceRequest> {
    let batch = Batch {
        attributes: TRANSACTIONAL,
        producer_id: identity.producer_id,
        producer_epoch: identity.epoch,
        base_sequence: 0,
        timestamp: SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64,
        ..Batch::of(&[b"one"])
    };
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch.encode().into()));
    let topic = TopicProduceData::default().with_name(topic_name(TOPIC)).with_partition_data(vec![data]);
    Ok(ProduceRequest::default()
        .with_transactional_id(Some(TransactionalId(text(&identity.transactional_id))))
        .with_acks(-1)
        .with_timeout_ms(TIMEOUT_MS)
        .with_topic_data(vec![topic]))
}

/// From exec to the first answer, and from then until every coordinator tells of its ids.
fn await_all(broker: &Broker) -> Result<(Duration, Duration)> {
    let mut raw = Raw::connect(broker.port())?;
    raw.api_versions()?;
    let (served, began) = (broker.age(), Instant::now());
    let ids: Vec<String> = (0..IDS).step_by(ASKED_EVERY).map(id).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    loop {
        let told: DescribeTransactionsResponse = raw.call(&describe(&ids), DESCRIBE)?;
        let errors = told.transaction_states.iter().map(|state| state.error_code);
        let bad = errors.clone().find(|error| *error != 0 && !PASSING.contains(error));
        ensure!(bad.is_none(), "DescribeTransactions: error {bad:?}");
        if errors.clone().count() == ids.len() && errors.clone().all(|error| error == 0) {
            return Ok((served, began.elapsed()));
        }
        ensure!(began.elapsed() < LOADS_WITHIN, "not all coordinators answer");
        std::thread::sleep(PAUSE);
    }
}
