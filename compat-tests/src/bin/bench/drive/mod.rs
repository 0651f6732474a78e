//! The load generator: a process of its own, so that it can be held to processors of its own and never shares an allocator
//! or a runtime with what measures.
//!
//! Three manners. *Closed*: each connection keeps so many requests under way, as many as the broker can answer: throughput,
//! and what a record costs. *Transactional*: each connection is a producer that begins a transaction when the one before has
//! ended. *Open*: requests leave by the clock at a rate that the answers have no influence on, and each
//! record's time counts from when it should have been sent (no coordinated omission), to when a consumer has it.

mod closed;
mod consume;
mod fetched;
mod frame;
mod handshakes;
mod open;
mod stream;
mod transactions;

use compat_tests::{Context, Result};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use stream::{Lock, Stream};

/// The longest latency that is told apart, and how finely.
const LONGEST: Duration = Duration::from_secs(120);
const SIGNIFICANT_DIGITS: u8 = 3;
/// An answer that takes longer ends the run.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to do; one line of JSON on the command line.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Order {
    pub port: u16,
    pub topic: String,
    pub partitions: i32,
    pub seconds: f64,
    pub producers: Option<Producers>,
    pub consumers: Option<Consumers>,
    /// Where the load's own connections come in, if not by the port above.
    pub key: Option<Key>,
    /// Instead of records: connections that come and go.
    pub handshakes: Option<Handshakes>,
}

/// How a client comes in by a listener with TLS.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Key {
    pub port: u16,
    /// The file of the certificate that has signed the broker's.
    pub authority: PathBuf,
    /// Whether sessions of TLS are resumed.
    pub resumes: bool,
    pub login: Option<Login>,
}

/// By SASL/PLAIN.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Login {
    pub user: String,
    pub password: String,
}

#[derive(Clone, Copy, Serialize, Deserialize, Debug)]
pub struct Handshakes {
    pub at_once: usize,
    pub are_resumed: bool,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Producers {
    pub connections: usize,
    pub value_bytes: usize,
    pub records_per_request: usize,
    pub codec: i16,
    pub acks: i16,
    pub has_keys: bool,
    /// Closed: how many all together send at most, whatever the time.
    pub at_most_records: Option<u64>,
    pub manner: Manner,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub enum Manner {
    /// So many requests under way on each connection.
    Closed { in_flight: usize },
    /// So many records each second from all together.
    Open { records_per_second: f64 },
    /// One transaction after the other on each connection, each with as many records as a request has.
    Transactional,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Consumers {
    pub connections: usize,
    pub manner: Reading,
    /// What each connection takes at most, however much it could be given.
    pub bytes_per_second: Option<f64>,
}

#[derive(Clone, Serialize, Deserialize, PartialEq, Eq, Debug)]
pub enum Reading {
    /// From the end on, everything that comes; together the connections read each partition once.
    Tail,
    /// The same, and each connection reads all partitions.
    TailEach,
    /// From the beginning to the end that was there, again and again; each connection all partitions.
    Whole,
    /// The same, once; the time is what it takes.
    Once,
}

/// What came of it; one line of JSON.
#[derive(Clone, Serialize, Deserialize, Default, Debug)]
pub struct Outcome {
    pub seconds: f64,
    /// Acknowledged within the time. Transactional: committed, and each transaction is a request.
    pub produced: Tally,
    pub consumed: Tally,
    /// Closed: of a request. Transactional: of an EndTxn. Open: from when it should have been sent to its acknowledgement.
    pub acknowledged_us: Quantiles,
    /// From when a record should have been sent to when a consumer had it.
    pub end_to_end_us: Quantiles,
    /// Of what should have been sent in the time and did not come through.
    pub missing_records: u64,
    /// Transactional: requests that had to be sent again, because the transaction before had not ended yet.
    pub again: u64,
}

#[derive(Clone, Copy, Serialize, Deserialize, Default, Debug)]
pub struct Tally {
    pub requests: u64,
    pub records: u64,
    pub bytes: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.requests += other.requests;
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

#[derive(Clone, Copy, Serialize, Deserialize, Default, Debug)]
pub struct Quantiles {
    pub count: u64,
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Quantiles {
    fn of(histogram: &Histogram<u64>) -> Quantiles {
        let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Quantiles {
            count: histogram.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1e3,
        }
    }
}

/// Runs the order on the command line and prints what came of it.
pub fn main(order: &str) -> Result<()> {
    let order: Order = serde_json::from_str(order).context("no order")?;
    println!("{}", serde_json::to_string(&run(&order)?)?);
    Ok(())
}

fn run(order: &Order) -> Result<Outcome> {
    if let Some(handshakes) = &order.handshakes {
        return handshakes::run(order, handshakes);
    }
    match order.producers.as_ref().map(|producers| &producers.manner) {
        Some(Manner::Open { records_per_second }) => open::run(order, *records_per_second),
        Some(Manner::Closed { in_flight }) => closed::run(order, *in_flight),
        Some(Manner::Transactional) => transactions::run(order),
        None => consume::run_alone(order),
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, SIGNIFICANT_DIGITS).expect("such bounds are allowed")
}

/// Longer than the longest counts as the longest.
fn note(histogram: &mut Histogram<u64>, nanoseconds: u64, count: u64) {
    histogram.saturating_record_n(nanoseconds.max(1), count);
}

fn connect(order: &Order) -> Result<Stream> {
    match &order.key {
        None => Ok(Stream::Plain(stream::plain(order.port)?)),
        Some(key) => Lock::new(key)?.open(key),
    }
}

/// Opens so many connections with TLS, which are in use as long as they are kept.
pub struct Idle(Vec<Stream>);

impl Idle {
    pub fn open(key: &Key, count: usize) -> Result<Idle> {
        let lock = Lock::new(key)?;
        let all = (0..count).map(|_| {
            let mut stream = lock.open(key)?;
            handshakes::ask(&mut stream)?;
            Ok(stream)
        });
        Ok(Idle(all.collect::<Result<Vec<_>>>()?))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}
