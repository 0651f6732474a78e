//! Kafka Streams with `exactly_once_v2` (`clients/java/apps/Totals.java`): a repartition, a join with a table and a store, in
//! two processes. They and the broker are killed (`kill -9`) while orders keep coming. In the end a reader of committed
//! records finds one named order for each order, and each customer's total counted up one by one, to the right sum.

use compat_tests::application::{self, Application};
use compat_tests::broker::Broker;
use compat_tests::clients::{self, Acks};
use compat_tests::raw::Raw;
use compat_tests::reader::{Reader, Seen};
use compat_tests::suite::{ONE, Suite};
use compat_tests::{Context, Result, ensure, program};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const TOPICS: [&str; 4] = ["customers", "orders", "named", "totals"];
const PARTITIONS: i32 = 4;
const CUSTOMERS: usize = 23;
const ORDERS: usize = 3000;
const ORDERS_PER_SECOND: usize = 120;
/// A session, the timeout of a transaction (ten seconds) and the restoring of a store may have to pass.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    Suite::new("streams").test("exactly_once_v2", ONE, &[("group.initial.rebalance.delay.ms", "0")], totals).run()
}

fn customer_of(order: usize) -> usize {
    order * 7 % CUSTOMERS
}

fn amount_of(order: usize) -> usize {
    order * 31 % 997
}

/// A producer that chooses partitions as Java's does: a join needs both sides' keys in the same place.
fn producer(broker: &Broker) -> Result<ThreadedProducer<Acks>> {
    let mut config = clients::librdkafka(broker);
    config.set("enable.idempotence", "true").set("partitioner", "murmur2_random");
    config.set("reconnect.backoff.max.ms", "200").set("linger.ms", "20");
    Ok(config.create_with_context(Acks::default())?)
}

fn send(producer: &ThreadedProducer<Acks>, topic: &str, key: &str, value: &str) -> Result<()> {
    producer.send(BaseRecord::to(topic).key(key).payload(value)).map_err(|(error, _)| error)?;
    Ok(())
}

/// Sends the orders at a steady pace; the broker may go away in between.
fn take_orders(broker: &Broker) -> Result<thread::JoinHandle<Result<()>>> {
    let producer = producer(broker)?;
    Ok(thread::spawn(move || {
        let began = Instant::now();
        for order in 0..ORDERS {
            let due = Duration::from_millis((order * 1000 / ORDERS_PER_SECOND) as u64);
            thread::sleep(due.saturating_sub(began.elapsed()));
            send(&producer, "orders", &order.to_string(), &format!("c{} {}", customer_of(order), amount_of(order)))?;
        }
        producer.flush(program::DEADLINE)?;
        producer.context().wait_for(ORDERS)
    }))
}

/// One process of the application; the second start of one finds its state, and its transactions, again.
fn start(broker: &Broker, name: &str) -> Result<Application> {
    let state = broker.scratch(name).display().to_string();
    Application::start(application::java("Totals", &[&broker.bootstrap(), &state]))
}

fn totals(broker: &mut Broker) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    TOPICS.iter().try_for_each(|topic| raw.create_topic(topic, PARTITIONS, &[]))?;
    let table = producer(broker)?;
    (0..CUSTOMERS).try_for_each(|n| send(&table, "customers", &format!("c{n}"), &format!("name{n}")))?;
    table.flush(program::DEADLINE)?;
    table.context().wait_for(CUSTOMERS)?;

    let orders = take_orders(broker)?;
    let mut live = Reader::committed(broker, "totals", PARTITIONS)?;
    let (mut first, mut second) = (start(broker, "first")?, start(broker, "second")?);
    let ended = trouble(broker, &mut live, &mut first, &mut second);
    let applications = || format!("first:\n{}second:\n{}", first.tail(), second.tail());
    ended.with_context(applications)?;
    orders.join().expect("no panic")?;
    first.end().context("the first process")?;
    second.end().context("the second process")?;

    let named = Reader::committed(broker, "named", PARTITIONS)?.to_end(PATIENCE)?;
    let totals = Reader::committed(broker, "totals", PARTITIONS)?.to_end(PATIENCE)?;
    check_named(&named)?;
    check_totals(&totals)?;
    ensure!(live.to_end(PATIENCE)? == totals, "who read along has seen other records than who read in the end");
    let all = Reader::uncommitted(broker, "totals", PARTITIONS)?.to_end(PATIENCE)?;
    println!("    {ORDERS} orders, {} records of aborted transactions", all.len() - totals.len());
    Ok(())
}

/// Kills, each in the middle of work, until every order has its total.
fn trouble(broker: &mut Broker, live: &mut Reader, first: &mut Application, second: &mut Application) -> Result<()> {
    live.wait_for(ORDERS / 10, PATIENCE)?;
    first.kill9()?;
    *first = start(broker, "first")?;
    live.wait_for(ORDERS * 3 / 10, PATIENCE).context("after a process was killed")?;
    broker.kill9()?;
    broker.restart()?;
    live.wait_for(ORDERS * 5 / 10, PATIENCE).context("after the broker was killed")?;
    first.kill9()?;
    second.kill9()?;
    (*first, *second) = (start(broker, "first")?, start(broker, "second")?);
    live.wait_for(ORDERS, PATIENCE).context("after both processes were killed")
}

/// Each order once, with its customer's name.
fn check_named(named: &[Seen]) -> Result<()> {
    ensure!(named.len() == ORDERS, "{} named orders of {ORDERS}", named.len());
    let by_order: BTreeMap<&str, &str> = named.iter().map(|seen| (seen.key.as_str(), seen.value.as_str())).collect();
    for order in 0..ORDERS {
        let expected = format!("name{} {}", customer_of(order), amount_of(order));
        let found = by_order.get(order.to_string().as_str());
        ensure!(found == Some(&expected.as_str()), "order {order} should be `{expected}`, is {found:?}");
    }
    Ok(())
}

/// Of each customer the totals of 1, 2, … orders, in this order, and the right sum in the end.
fn check_totals(totals: &[Seen]) -> Result<()> {
    ensure!(totals.len() == ORDERS, "{} totals of {ORDERS} orders", totals.len());
    for customer in 0..CUSTOMERS {
        let key = format!("c{customer}");
        let mine = || (0..ORDERS).filter(|order| customer_of(*order) == customer);
        let values: Vec<&str> = totals.iter().filter(|seen| seen.key == key).map(|seen| seen.value.as_str()).collect();
        let counts: Vec<&str> = values.iter().filter_map(|value| value.split(' ').next()).collect();
        let expected: Vec<String> = (1..=mine().count()).map(|n| n.to_string()).collect();
        ensure!(counts == expected, "{key}: the totals count {counts:?}");
        let sum = format!("{} {}", mine().count(), mine().map(amount_of).sum::<usize>());
        ensure!(values.last() == Some(&sum.as_str()), "{key}: {:?}, not {sum}", values.last());
    }
    Ok(())
}
