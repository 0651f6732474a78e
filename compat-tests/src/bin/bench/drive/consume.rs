//! The generator's consumers: fetches without sessions and without groups, of fixed partitions.

use super::fetched::{Answers, Fetched};
use super::frame::fetch_frame;
use super::{Consumers, Order, Outcome, Quantiles, Reading, Stream, Tally, connect, histogram, note};
use compat_tests::raw::Raw;
use compat_tests::{Context, Result, ensure};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Tells the consumers that nothing more is wanted.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How the time at which a record should have been sent is read out of its batch.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) start: Instant,
    pub(super) time_in_batch: usize,
    /// Records that should have been sent earlier do not count.
    pub(super) from_ns: u64,
}

/// What consumers have seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) tally: Tally,
    pub(super) latencies: Option<Histogram<u64>>,
}

/// The running consumers.
pub(super) struct Crowd {
    threads: Vec<JoinHandle<Result<Seen>>>,
    /// Records that have come to all of them together.
    records: Arc<AtomicU64>,
}

impl Crowd {
    pub(super) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    pub(super) fn join(self) -> Result<Seen> {
        let mut all = Seen { tally: Tally::default(), latencies: Some(histogram()) };
        for thread in self.threads {
            let one = thread.join().expect("no panic")?;
            all.tally.add(one.tally);
            if let (Some(all), Some(one)) = (&mut all.latencies, one.latencies) {
                all.add(one)?;
            }
        }
        Ok(all)
    }
}

/// Starts them, from where the partitions end now, or from their beginning.
pub(super) fn start(order: &Order, stop: &Stop, clock: Option<Clock>) -> Result<Crowd> {
    let records = Arc::new(AtomicU64::new(0));
    let Some(consumers) = &order.consumers else { return Ok(Crowd { threads: Vec::new(), records }) };
    let mut raw = Raw::connect(order.port)?;
    let ends = (0..order.partitions).map(|partition| Ok((partition, raw.end_offset(&order.topic, partition)?)));
    let ends: BTreeMap<i32, i64> = ends.collect::<Result<_>>()?;
    let threads = (0..consumers.connections).map(|number| {
        let reader = Reader {
            answers: Answers::new(connect(order)?),
            topic: order.topic.clone(),
            ends: partitions_of(order, consumers, number).into_iter().map(|p| (p, ends[&p])).collect(),
            manner: consumers.manner.clone(),
            bytes_per_second: consumers.bytes_per_second,
            stop: stop.clone(),
            clock,
            records: records.clone(),
        };
        Ok(std::thread::spawn(move || reader.run()))
    });
    Ok(Crowd { threads: threads.collect::<Result<_>>()?, records })
}

fn partitions_of(order: &Order, consumers: &Consumers, number: usize) -> Vec<i32> {
    let all = 0..order.partitions;
    match consumers.manner {
        Reading::Tail => all.filter(|partition| *partition as usize % consumers.connections == number).collect(),
        Reading::TailEach | Reading::Whole | Reading::Once => all.collect(),
    }
}

/// Only reads, for so long as the order says.
pub(super) fn run_alone(order: &Order) -> Result<Outcome> {
    let stop = Stop::default();
    let began = Instant::now();
    let crowd = start(order, &stop, None)?;
    if order.consumers.as_ref().is_some_and(|consumers| consumers.manner != Reading::Once) {
        std::thread::sleep(Duration::from_secs_f64(order.seconds));
        stop.now();
    }
    let seen = crowd.join()?;
    let consumed = seen.tally;
    ensure!(consumed.records > 0, "nothing was read");
    let acknowledged_us = seen.latencies.as_ref().map(Quantiles::of).unwrap_or_default();
    Ok(Outcome { seconds: began.elapsed().as_secs_f64(), consumed, acknowledged_us, ..Outcome::default() })
}

struct Reader {
    answers: Answers<Stream>,
    topic: String,
    ends: BTreeMap<i32, i64>,
    manner: Reading,
    bytes_per_second: Option<f64>,
    stop: Stop,
    clock: Option<Clock>,
    records: Arc<AtomicU64>,
}

impl Reader {
    fn run(mut self) -> Result<Seen> {
        let mut seen = Seen { tally: Tally::default(), latencies: Some(histogram()) };
        let mut next = self.beginning();
        let mut batches = Vec::new();
        let began = Instant::now();
        while !self.stop.is_set() {
            let partitions: Vec<(i32, i64)> = next.iter().map(|(p, offset)| (*p, *offset)).collect();
            if partitions.is_empty() && self.manner == Reading::Once {
                break;
            }
            if partitions.is_empty() {
                next = self.beginning();
                ensure!(!next.is_empty(), "there is nothing to read");
                continue;
            }
            let asked = Instant::now();
            self.answers.stream().write_all(&fetch_frame(&self.topic, &partitions)?)?;
            let bytes = self.answers.read(&mut batches)? as u64;
            let arrived = Instant::now();
            let histogram = seen.latencies.as_mut().context("it has one")?;
            if self.clock.is_none() {
                note(histogram, arrived.duration_since(asked).as_nanos() as u64, 1);
            }
            for batch in &batches {
                let wanted = next.insert(batch.partition, batch.next_offset);
                let (partition, found) = (batch.partition, batch.base_offset);
                ensure!(wanted == Some(found), "partition {partition} was asked for {wanted:?} and has {found} there");
                self.take(batch, arrived, histogram);
            }
            let records = batches.iter().map(|batch| batch.records).sum();
            seen.tally.add(Tally { requests: 1, records, bytes });
            if self.reads_whole() {
                next.retain(|partition, offset| *offset < self.ends[partition]);
            }
            self.records.fetch_add(records, Ordering::Relaxed);
            if let Some(rate) = self.bytes_per_second {
                let due = Duration::from_secs_f64(seen.tally.bytes as f64 / rate);
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
        }
        Ok(seen)
    }

    fn reads_whole(&self) -> bool {
        matches!(self.manner, Reading::Whole | Reading::Once)
    }

    fn beginning(&self) -> BTreeMap<i32, i64> {
        if !self.reads_whole() {
            return self.ends.clone();
        }
        self.ends.iter().filter(|(_, end)| **end > 0).map(|(partition, _)| (*partition, 0)).collect()
    }

    fn take(&self, batch: &Fetched, arrived: Instant, histogram: &mut Histogram<u64>) {
        let Some(clock) = self.clock else { return };
        let stamp = batch.head.get(clock.time_in_batch..).and_then(|rest| rest.first_chunk());
        let due = stamp.map_or(0, |stamp| u64::from_be_bytes(*stamp));
        if due >= clock.from_ns {
            let now = arrived.duration_since(clock.start).as_nanos() as u64;
            note(histogram, now.saturating_sub(due), batch.records);
        }
    }
}
