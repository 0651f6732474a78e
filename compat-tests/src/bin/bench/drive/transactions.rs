//! As many transactions as the broker completes: each connection is a producer of transaction version 2, with one
//! transaction after the other. A transaction is one Produce, which adds its partitions, and one EndTxn, which gives the
//! producer its next epoch.
//!
//! A few threads wait for the answers of all producers, so that the generator leaves the broker most of the processors.

use super::frame::{Shape, find, read_answer, records, sign, with_length};
use super::{Order, Outcome, PATIENCE, Producers, Quantiles, Tally, histogram, note};
use bytes::Bytes;
use compat_tests::batch::TRANSACTIONAL;
use compat_tests::raw::{Raw, text, topic_name};
use compat_tests::transactional::{self, CONCURRENT_TRANSACTIONS, Identity};
use compat_tests::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{EndTxnResponse, ProduceRequest, ProduceResponse, ResponseHeader, TransactionalId};
use kafka_protocol::protocol::{Decodable, HeaderVersion};
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// The last version that names topics; from it on a Produce adds its partitions to the transaction.
const PRODUCE: i16 = 12;
/// The version that gives the producer its next epoch.
const END_TXN: i16 = 5;
/// The Java client's `retry.backoff.ms`.
const BACK_OFF: Duration = Duration::from_millis(100);
/// Clients' own default.
const TRANSACTION_TIMEOUT_MS: i32 = 60_000;
const PRODUCE_TIMEOUT_MS: i32 = 30_000;
/// Threads that wait for answers, at most.
const THREADS: usize = 2;

pub(super) fn run(order: &Order) -> Result<Outcome> {
    let producers = order.producers.as_ref().context("nobody produces")?;
    let begin = |number| Producer::begin(order, producers, number);
    let mut all = (0..producers.connections).map(begin).collect::<Result<Vec<_>>>()?;
    let each = producers.connections.div_ceil(THREADS);
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(order.seconds);
    let results: Vec<Result<Share>> = std::thread::scope(|scope| {
        let threads: Vec<_> = all.chunks_mut(each).map(|some| scope.spawn(move || drive(some, until))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut whole = Share::default();
    for share in results {
        whole.add(&share?)?;
    }
    let records = whole.transactions * producers.records_per_request as u64;
    let bytes = records * producers.value_bytes as u64;
    let produced = Tally { requests: whole.transactions, records, bytes };
    let acknowledged_us = Quantiles::of(&whole.commits);
    Ok(Outcome { seconds, produced, acknowledged_us, again: whole.again, ..Outcome::default() })
}

/// What the producers of one thread have done.
struct Share {
    transactions: u64,
    again: u64,
    commits: Histogram<u64>,
}

impl Default for Share {
    fn default() -> Share {
        Share { transactions: 0, again: 0, commits: histogram() }
    }
}

impl Share {
    fn add(&mut self, other: &Share) -> Result<()> {
        self.transactions += other.transactions;
        self.again += other.again;
        Ok(self.commits.add(&other.commits)?)
    }
}

/// Until the time is over and the last transaction of each has ended.
fn drive(producers: &mut [Producer], until: Instant) -> Result<Share> {
    let mut share = Share::default();
    producers.iter_mut().try_for_each(Producer::produce)?;
    loop {
        let entry = |producer: &Producer| libc::pollfd {
            // The kernel passes over a negative one.
            fd: if producer.awaits_answer() { producer.stream.as_raw_fd() } else { -1 },
            events: libc::POLLIN,
            revents: 0,
        };
        let mut entries: Vec<libc::pollfd> = producers.iter().map(entry).collect();
        let resting = producers.iter().filter_map(Producer::rests_until).min();
        if resting.is_none() && entries.iter().all(|entry| entry.fd < 0) {
            return Ok(share);
        }
        let patience = resting.map_or(PATIENCE, |due| due.saturating_duration_since(Instant::now()));
        let milliseconds = patience.as_millis() as i32 + i32::from(resting.is_some());
        // SAFETY: the kernel reads and writes exactly the entries of this vector.
        let found = unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, milliseconds) };
        ensure!(found >= 0, "poll: {}", std::io::Error::last_os_error());
        ensure!(found > 0 || resting.is_some(), "no answer within {PATIENCE:?}");
        let now = Instant::now();
        for (producer, entry) in producers.iter_mut().zip(&entries) {
            if entry.revents != 0 {
                producer.hear(&mut share, until)?;
            } else if producer.rests_until().is_some_and(|due| due <= now) {
                producer.go_on()?;
            }
        }
    }
}

/// What a producer has asked for.
#[derive(Clone, Copy)]
enum Step {
    Produce,
    End,
}

#[derive(Clone, Copy)]
enum State {
    Awaits(Step),
    /// It asks again at that time.
    Rests(Step, Instant),
    Done,
}

struct Producer {
    stream: TcpStream,
    identity: Identity,
    /// Transactions take them in turn.
    frames: Vec<Frame>,
    next: usize,
    state: State,
    /// When it asked for the end of its transaction first.
    ended: Instant,
    answer: Vec<u8>,
}

impl Producer {
    fn begin(order: &Order, producers: &Producers, number: usize) -> Result<Producer> {
        let mut raw = Raw::connect(order.port)?;
        let id = format!("{}-{number}", order.topic);
        let identity = transactional::Producer::init(&mut raw, &id, TRANSACTION_TIMEOUT_MS, true)?.identity;
        let frames = Frame::all(order, producers, &id)?;
        let (next, state, ended, answer) = (number, State::Done, Instant::now(), Vec::new());
        Ok(Producer { stream: raw.stream().try_clone()?, identity, frames, next, state, ended, answer })
    }

    fn awaits_answer(&self) -> bool {
        matches!(self.state, State::Awaits(_))
    }

    fn rests_until(&self) -> Option<Instant> {
        match self.state {
            State::Rests(_, due) => Some(due),
            _ => None,
        }
    }

    fn go_on(&mut self) -> Result<()> {
        match self.state {
            State::Rests(Step::Produce, _) => self.produce(),
            State::Rests(Step::End, _) => self.end(),
            _ => Ok(()),
        }
    }

    fn produce(&mut self) -> Result<()> {
        let at = self.next % self.frames.len();
        self.frames[at].sign(&self.identity);
        self.state = State::Awaits(Step::Produce);
        Ok(self.stream.write_all(&self.frames[at].bytes)?)
    }

    fn end(&mut self) -> Result<()> {
        let request = with_length(&transactional::end(&self.identity, true), END_TXN)?;
        self.state = State::Awaits(Step::End);
        Ok(self.stream.write_all(&request)?)
    }

    /// Takes an answer and goes on.
    fn hear(&mut self, share: &mut Share, until: Instant) -> Result<()> {
        read_answer(&mut self.stream, &mut self.answer)?;
        let mut answer = Bytes::copy_from_slice(&self.answer);
        let State::Awaits(step) = self.state else { bail!("an answer that nobody has asked for") };
        let error = match step {
            Step::Produce => {
                ResponseHeader::decode(&mut answer, ProduceResponse::header_version(PRODUCE))?;
                produced(&ProduceResponse::decode(&mut answer, PRODUCE)?)
            }
            Step::End => {
                ResponseHeader::decode(&mut answer, EndTxnResponse::header_version(END_TXN))?;
                let ended = EndTxnResponse::decode(&mut answer, END_TXN)?;
                if ended.error_code == 0 {
                    (self.identity.producer_id, self.identity.epoch) = (ended.producer_id.0, ended.producer_epoch);
                }
                ended.error_code
            }
        };
        match (error, step) {
            (0, Step::Produce) => {
                self.ended = Instant::now();
                self.end()
            }
            (0, Step::End) => {
                note(&mut share.commits, self.ended.elapsed().as_nanos() as u64, 1);
                share.transactions += 1;
                self.next += 1;
                self.state = State::Done;
                if Instant::now() < until { self.produce() } else { Ok(()) }
            }
            (CONCURRENT_TRANSACTIONS, _) => {
                share.again += 1;
                self.state = State::Rests(step, Instant::now() + BACK_OFF);
                Ok(())
            }
            (error, Step::Produce) => bail!("a produce was answered with error {error}"),
            (error, Step::End) => bail!("the end of a transaction was answered with error {error}"),
        }
    }
}

/// The first error of a Produce's answer, or 0.
fn produced(answer: &ProduceResponse) -> i16 {
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.map(|partition| partition.error_code).find(|error| *error != 0).unwrap_or(0)
}

/// One transaction's Produce, ready to be signed and sent again and again.
struct Frame {
    bytes: Vec<u8>,
    batches: Vec<std::ops::Range<usize>>,
}

impl Frame {
    /// A single record goes to one partition after the other; several are spread over all.
    fn all(order: &Order, producers: &Producers, id: &str) -> Result<Vec<Frame>> {
        let all: Vec<i32> = (0..order.partitions).collect();
        match producers.records_per_request {
            1 => all.iter().map(|partition| Frame::new(order, producers, id, &[*partition])).collect(),
            _ => Ok(vec![Frame::new(order, producers, id, &all)?]),
        }
    }

    fn new(order: &Order, producers: &Producers, id: &str, partitions: &[i32]) -> Result<Frame> {
        let (count, into) = (producers.records_per_request, partitions.len());
        let (mut data, mut batches) = (Vec::new(), Vec::new());
        for (at, partition) in partitions.iter().enumerate() {
            let records_here = count / into + usize::from(at < count % into);
            let shape = Shape {
                records: records_here,
                value_bytes: producers.value_bytes,
                codec: producers.codec,
                acks: producers.acks,
                has_keys: producers.has_keys,
            };
            // Each transaction has an epoch of its own, so that its sequences begin at 0.
            let mut batch = records(&shape);
            (batch.attributes, batch.base_sequence) = (TRANSACTIONAL, 0);
            // No two are the same, so that each can be found.
            batch.producer_id = i64::from(*partition);
            let batch = batch.encode()?;
            data.push(
                PartitionProduceData::default().with_index(*partition).with_records(Some(Bytes::from(batch.clone()))),
            );
            batches.push(batch);
        }
        let topic = TopicProduceData::default().with_name(topic_name(&order.topic)).with_partition_data(data);
        let request = ProduceRequest::default()
            .with_transactional_id(Some(TransactionalId(text(id))))
            .with_acks(producers.acks)
            .with_timeout_ms(PRODUCE_TIMEOUT_MS)
            .with_topic_data(vec![topic]);
        let bytes = with_length(&request, PRODUCE)?;
        let place = |batch: &Vec<u8>| find(&bytes, batch).map(|at| at..at + batch.len());
        let batches = batches.iter().map(place).collect::<Option<_>>().context("a batch is not in its request")?;
        Ok(Frame { bytes, batches })
    }

    fn sign(&mut self, Identity { producer_id, epoch, .. }: &Identity) {
        for batch in &self.batches {
            sign(&mut self.bytes[batch.clone()], *producer_id, *epoch);
        }
    }
}
