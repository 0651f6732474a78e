//! Runs one cell against one broker.

use crate::clients::{self, Committed};
use crate::doors::Door;
use crate::drive::{Manner, Order, Outcome, Producers, Quantiles, Reading};
use crate::grid::{self, Beside, Cell, Filled, Load, Measure};
use crate::limits;
use crate::meter::{Meter, Used};
use crate::peer::{Kind, Peer};
use compat_tests::program::{self, Input};
use compat_tests::raw::Raw;
use compat_tests::{Context, Result, ensure, transactional};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than any order takes.
const DRIVE_DEADLINE: Duration = Duration::from_secs(300);
/// A JVM has compiled what matters when it has seen it for so long; the others get a moment.
const WARM_JVM_SECONDS: f64 = 12.0;
const WARM_SECONDS: f64 = 1.0;

pub struct Run {
    /// The processors of the broker and of the load; all, where none is named.
    pub broker: Vec<usize>,
    pub load: Vec<usize>,
}

/// What one run of a cell gave.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Sample {
    pub value: f64,
    /// What the costs are divided by: records, or transactions where these are counted.
    pub records: u64,
    pub used: Used,
    pub outcome: Option<Outcome>,
    /// What the machine itself gave just before and just after, in the same unit: the mean.
    pub machine: Option<f64>,
    /// How long one processor waits for a line of the other's cache, in nanoseconds: the mean of just before and just after.
    pub handover_ns: Option<f64>,
}

impl Run {
    pub fn warm_up(&self, kind: Kind, peer: &Peer, door: Door) -> Result<()> {
        let seconds = if kind == Kind::Kafka { WARM_JVM_SECONDS } else { WARM_SECONDS };
        let producers = Producers {
            connections: 16,
            value_bytes: 1024,
            records_per_request: 4,
            codec: 0,
            acks: -1,
            has_keys: false,
            at_most_records: None,
            manner: Manner::Open { records_per_second: 20_000.0 },
        };
        let consumers = Some(grid::consumers(4, Reading::Tail));
        let topic = self.topic(peer, 12, &[])?;
        let (producers, key) = (Some(producers), peer.key(door)?);
        let order = Order { producers, consumers, key, ..order(peer, topic, 12, seconds) };
        self.drive(&order).map(drop)
    }

    /// The same for the coordinators of transactions, which are made at their first use.
    pub fn warm_up_transactions(&self, kind: Kind, peer: &Peer) -> Result<()> {
        let seconds = if kind == Kind::Kafka { WARM_JVM_SECONDS } else { WARM_SECONDS };
        let producers = Producers {
            connections: 16,
            value_bytes: 100,
            records_per_request: 1,
            codec: 0,
            acks: -1,
            has_keys: false,
            at_most_records: None,
            manner: Manner::Transactional,
        };
        transactional::await_coordinators(&mut Raw::connect(peer.port())?)?;
        let topic = self.topic(peer, 12, &[])?;
        let order = Order { producers: Some(producers), ..order(peer, topic, 12, seconds) };
        self.drive(&order).map(drop)
    }

    /// What earlier cells have written is on the disk by then: a load pays for itself only.
    pub fn cell(&self, peer: &Peer, cell: &Cell) -> Result<Sample> {
        // SAFETY: it takes nothing and touches no memory of ours.
        unsafe { libc::sync() };
        let topic = self.topic(peer, cell.partitions, &cell.topic)?;
        let directory = tempfile::Builder::new().prefix("klamm-bench-").tempdir()?;
        let machine = || cell.beside_sendfile.then(|| limits::sendfile(directory.path())).transpose();
        let mean = |before: Option<f64>, after| before.zip(after).map(|(before, after)| f64::midpoint(before, after));
        let before = (machine()?, limits::handover());
        let mut sample = self.load(peer, cell, &topic)?;
        sample.handover_ns = mean(before.1, limits::handover());
        sample.machine = mean(before.0, machine()?);
        delete(peer, &topic)?;
        Ok(sample)
    }

    fn load(&self, peer: &Peer, cell: &Cell, topic: &str) -> Result<Sample> {
        let bootstrap = peer.bootstrap();
        let metered = |records: u64, load: &dyn Fn() -> Result<f64>| {
            let meter = Meter::start(peer.pid())?;
            let value = load()?;
            Ok(Sample { value, records, used: meter.stop()?, outcome: None, machine: None, handover_ns: None })
        };
        let fill = |records: &u64, value_bytes: &usize| {
            let bytes = records * *value_bytes as u64;
            self.fill(peer, topic, cell.partitions, &Filled { bytes, value_bytes: *value_bytes, is_cold: false })
        };
        match &cell.load {
            Load::Java(sending) => {
                metered(sending.records, &|| clients::java_produce(&bootstrap, topic, sending, &self.load))
            }
            Load::Rdkafka(sending) => {
                metered(sending.records, &|| clients::rdkafka_produce(&bootstrap, topic, sending, &self.load))
            }
            Load::JavaConsume { records, value_bytes } => {
                fill(records, value_bytes)?;
                metered(*records, &|| clients::java_consume(&bootstrap, topic, *records, &self.load))
            }
            Load::RdkafkaConsume { records, value_bytes } => {
                fill(records, value_bytes)?;
                metered(*records, &|| clients::rdkafka_consume(&bootstrap, topic, *records, &self.load))
            }
            Load::JavaTransactions(load) => {
                self.committed(peer, cell.measure, &|| clients::java_transactions(&bootstrap, topic, load, &self.load))
            }
            Load::JavaCopy { copying, filled } => {
                self.fill(peer, topic, cell.partitions, filled)?;
                let to = self.topic(peer, cell.partitions, &cell.topic)?;
                let sample = self.committed(peer, cell.measure, &|| {
                    clients::java_copy(&bootstrap, (topic, &to), copying, &self.load)
                });
                delete(peer, &to)?;
                sample
            }
            Load::Drive { seconds, producers, consumers, filled, beside } => {
                if let Some(filled) = filled {
                    self.fill(peer, topic, cell.partitions, filled)?;
                }
                let order = Order {
                    producers: producers.clone(),
                    consumers: consumers.clone(),
                    key: peer.key(cell.door)?,
                    ..order(peer, topic.to_string(), cell.partitions, *seconds)
                };
                self.driven(peer, cell.measure, &order, *beside)
            }
            Load::Handshakes { seconds, of } => {
                let (key, handshakes) = (peer.key(cell.door)?, Some(*of));
                let order = order(peer, topic.to_string(), cell.partitions, *seconds);
                self.driven(peer, cell.measure, &Order { key, handshakes, ..order }, Beside::Nothing)
            }
        }
    }

    fn driven(&self, peer: &Peer, measure: Measure, order: &Order, beside: Beside) -> Result<Sample> {
        let aside = self.drive_beside(peer, order, beside)?;
        let meter = Meter::start(peer.pid())?;
        let outcome = self.drive(order)?;
        if let Some(aside) = aside {
            aside.join().expect("no panic")?;
        }
        let used = meter.stop()?;
        ensure!(outcome.missing_records == 0, "{} records did not come", outcome.missing_records);
        let records = match measure.is_of_requests() {
            true => outcome.produced.requests,
            false => outcome.produced.records.max(outcome.consumed.records),
        };
        let (value, outcome, machine, handover_ns) = (value(measure, &outcome), Some(outcome), None, None);
        Ok(Sample { value, records, used, outcome, machine, handover_ns })
    }

    /// By a program that goes on for longer than what counts: the costs are those of all that it does.
    fn committed(&self, peer: &Peer, measure: Measure, load: &dyn Fn() -> Result<Committed>) -> Result<Sample> {
        let meter = Meter::start(peer.pid())?;
        let Committed { outcome, all_transactions, all_records } = load()?;
        let used = meter.stop()?;
        let records = if measure.is_of_requests() { all_transactions } else { all_records };
        let (value, outcome, machine, handover_ns) = (value(measure, &outcome), Some(outcome), None, None);
        Ok(Sample { value, records, used, outcome, machine, handover_ns })
    }

    fn fill(&self, peer: &Peer, topic: &str, partitions: i32, filled: &Filled) -> Result<()> {
        let producers = Producers {
            connections: 4,
            value_bytes: filled.value_bytes,
            records_per_request: 16,
            codec: 0,
            acks: -1,
            has_keys: false,
            at_most_records: Some(filled.bytes / filled.value_bytes as u64),
            manner: Manner::Closed { in_flight: 5 },
        };
        let order = order(peer, topic.to_string(), partitions, 120.0);
        self.drive(&Order { producers: Some(producers), ..order })?;
        match peer.data().filter(|_| filled.is_cold) {
            Some(data) => evict(&data),
            None => Ok(()),
        }
    }

    /// Starts what is to go on beside a load, as long as that takes.
    fn drive_beside(&self, peer: &Peer, order: &Order, beside: Beside) -> Result<Option<JoinHandle<Result<Outcome>>>> {
        let Some(producers) = beside.producers() else { return Ok(None) };
        let topic = self.topic(peer, 1, &[])?;
        let (producers, consumers) = (Some(producers), None);
        let order = Order { topic, partitions: 1, producers, consumers, ..order.clone() };
        let load = self.load.clone();
        Ok(Some(std::thread::spawn(move || drive(&order, &load))))
    }

    fn drive(&self, order: &Order) -> Result<Outcome> {
        drive(order, &self.load)
    }

    pub fn topic(&self, peer: &Peer, partitions: i32, configs: &[(&str, &str)]) -> Result<String> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("bench-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut raw = Raw::connect(peer.port())?;
        raw.create_topic(&name, partitions, configs)?;
        raw.await_all_leaders(&name, partitions)?;
        Ok(name)
    }
}

/// An order of nothing yet, by the plain listener.
fn order(peer: &Peer, topic: String, partitions: i32, seconds: f64) -> Order {
    let (producers, consumers, key, handshakes) = Default::default();
    Order { port: peer.port(), topic, partitions, seconds, producers, consumers, key, handshakes }
}

/// In a process of its own, held to these processors.
fn drive(order: &Order, processors: &[usize]) -> Result<Outcome> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("drive").arg(serde_json::to_string(order)?);
    program::hold_to(&mut command, processors);
    let output = program::run_within(command, Input::Nothing, DRIVE_DEADLINE)?;
    serde_json::from_str(&output.text()).context("the generator's answer")
}

impl Sample {
    /// Half of the records were faster than this, where it is about latency.
    pub fn median(&self, measure: Measure) -> Option<f64> {
        latencies(measure, self.outcome.as_ref()?).map(|latencies| latencies.p50)
    }

    /// In microseconds, where requests are counted: from the wish to end a transaction to its answer, or a whole handshake.
    pub fn request_p99(&self, measure: Measure) -> Option<f64> {
        let outcome = self.outcome.as_ref().filter(|_| measure.is_of_requests())?;
        Some(outcome.acknowledged_us.p99)
    }

    /// Of the broker's processors, in microseconds, where requests are counted.
    pub fn request_cost(&self, measure: Measure) -> Option<f64> {
        let cost = self.used.processor_s * 1e6 / self.records.max(1) as f64;
        measure.is_of_requests().then_some(cost)
    }
}

fn latencies(measure: Measure, outcome: &Outcome) -> Option<&Quantiles> {
    match measure {
        Measure::EndToEndP99 => Some(&outcome.end_to_end_us),
        Measure::AcknowledgedP99 => Some(&outcome.acknowledged_us),
        _ => None,
    }
}

fn value(measure: Measure, outcome: &Outcome) -> f64 {
    let seconds = outcome.seconds;
    if let Some(latencies) = latencies(measure, outcome) {
        return latencies.p99;
    }
    match measure {
        Measure::RecordsPerSecond => outcome.produced.records.max(outcome.consumed.records) as f64 / seconds,
        _ if measure.is_of_requests() => outcome.produced.requests as f64 / seconds,
        Measure::MegabytesPerSecond => outcome.produced.bytes.max(outcome.consumed.bytes) as f64 / 1e6 / seconds,
        _ => unreachable!("no load is measured so"),
    }
}

fn delete(peer: &Peer, topic: &str) -> Result<()> {
    Raw::connect(peer.port())?.delete_topic(topic)
}

/// Brings every segment to the disk and out of the page cache.
fn evict(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            evict(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "log") {
            let file = File::options().write(true).open(&path)?;
            file.sync_data()?;
            // SAFETY: the descriptor is open.
            let failed = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
            ensure!(failed == 0, "posix_fadvise of {}: {failed}", path.display());
        }
    }
    Ok(())
}
