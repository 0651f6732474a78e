//! The broker under siege: producers, readers and groups of two libraries at work while it is killed (`kill -9`), stopped for
//! longer than every timeout (SIGSTOP), stopped in order and started again, and while its disk is full; then everything
//! that they did and saw is judged by `src/history.rs`.
//!
//! A round has each fault once, in an order drawn from its seed, and a topic of its own. One round in the run of all suites;
//! `KLAMM_SIEGE=3600` goes on with round after round for so many seconds, `KLAMM_SEED` says where to begin.

mod book;

use book::Book;
use compat_tests::broker::{self, Broker, Peer, Setup, signal};
use compat_tests::history::{History, Outcome, Promise};
use compat_tests::member::{Crowd, Event, Library, Load, Spec, ask_until};
use compat_tests::mount::{self, SmallDisk};
use compat_tests::raw::{self, Raw};
use compat_tests::records::Bytes;
use compat_tests::suite::{ONE, Suite};
use compat_tests::{Context, Result, cache, ensure};
use kafka_protocol::messages::DeleteTopicsRequest;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const PARTITIONS: u64 = 4;
const DISK_MIB: u64 = 512;
/// How long a client waits for an answer.
const REQUEST_MS: u32 = 3000;
const SESSION_MS: u32 = 6000;
/// Nothing is given up, for those that are patient.
const PATIENT_MS: u32 = 300_000;
const IMPATIENT_MS: u32 = 2500;
const PER_SECOND: u64 = 150;
/// Records, and all groups' reading of them, after the last fault.
const CALMS_WITHIN: Duration = Duration::from_secs(120);
/// As many broken promises as a failure shows.
const SHOWN: usize = 10;
/// Between two questions for the ends of the partitions.
const ASKS_EVERY: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let overrides = [
        ("group.initial.rebalance.delay.ms", "100"),
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.session.timeout.ms", "6000"),
        ("group.consumer.min.heartbeat.interval.ms", "100"),
        ("group.consumer.heartbeat.interval.ms", "500"),
        ("log.segment.delete.delay.ms", "1000"),
    ];
    Suite::new("siege").own_start("siege", ONE, &overrides, siege).run()
}

fn setting(name: &str, default: u64) -> Result<u64> {
    std::env::var(name).map_or(Ok(default), |text| text.parse().with_context(|| format!("{name} is no number")))
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fault {
    Kill,
    Restart,
    Stall,
    FullDisk,
    KillWithFullDisk,
}

use Fault::{FullDisk, Kill, KillWithFullDisk, Restart, Stall};

/// The figures of all rounds.
#[derive(Default)]
struct Tally {
    rounds: usize,
    faults: BTreeMap<Fault, usize>,
    acknowledged: usize,
    unknown: usize,
    polled: usize,
    starts: usize,
    commits: usize,
    ends: usize,
    slowest_start: Duration,
}

fn siege(setup: &Setup) -> Result<Broker> {
    let (seconds, seed) = (setting("KLAMM_SIEGE", 0)?, setting("KLAMM_SEED", 1)?);
    // Apache Kafka ends when its disk is full: what is promised here, it does not promise.
    let is_klamm = broker::peer() == Peer::Klamm;
    let disk = (is_klamm && mount::may_mount()).then(|| SmallDisk::new(DISK_MIB)).transpose()?;
    let on_disk = disk.as_ref().map(|disk| disk.path().join("data").display().to_string());
    let place: Vec<(&str, &str)> = on_disk.iter().map(|data| ("log.dirs", data.as_str())).collect();
    let mut broker = Broker::start(&setup.clone().with(&place))?;
    let (began, mut tally) = (Instant::now(), Tally::default());
    loop {
        let seed = seed + tally.rounds as u64;
        let mut round = Round { broker, disk: disk.as_ref(), random: Bytes::new(seed), topic: format!("siege-{seed}") };
        let ended = round.run(&mut tally).with_context(|| format!("the round of seed {seed}"));
        broker = round.broker;
        if ended.is_err() {
            let data = disk.as_ref().map_or(broker.data(), |disk| disk.path().join("data"));
            keep(&mut broker, &data)?;
        }
        ended?;
        tally.rounds += 1;
        tally.print(began.elapsed());
        if began.elapsed().as_secs() >= seconds {
            break;
        }
    }
    broker.stop()?;
    if let Some(mut disk) = disk {
        mount::copy(&disk.path().join("data"), &broker.data())?;
        disk.unmount()?;
    }
    Ok(broker)
}

/// Leaves the broker's files in the cache, to be looked at.
fn keep(broker: &mut Broker, data: &Path) -> Result<()> {
    let kept = cache::root().join("logs/siege.data");
    // It may have ended already: that may be what went wrong.
    let _ = broker.kill9();
    let _ = std::fs::remove_dir_all(&kept);
    mount::copy(data, &kept)?;
    println!("what the broker wrote is in {kept:?}");
    Ok(())
}

impl Tally {
    fn print(&self, after: Duration) {
        println!(
            "after {} s: {} rounds, {:?}, {} records acknowledged, {} of unknown end, {} polled, {} partitions gained, {} commits, \
             {} looks at ends, slowest start {:?}: no promise broken",
            after.as_secs(),
            self.rounds,
            self.faults,
            self.acknowledged,
            self.unknown,
            self.polled,
            self.starts,
            self.commits,
            self.ends,
            self.slowest_start
        );
    }

    fn add(&mut self, history: &History) {
        use compat_tests::history::Step;
        let is_acknowledged = |outcome: &Outcome| matches!(outcome, Outcome::Acknowledged(_));
        let acknowledged = history.sends.iter().filter(|send| is_acknowledged(&send.outcome)).count();
        self.acknowledged += acknowledged;
        self.unknown += history.sends.len() - acknowledged;
        self.ends += history.ends.len();
        for step in history.ways.iter().flat_map(|way| &way.steps) {
            match step {
                Step::Start { .. } => self.starts += 1,
                Step::Poll { records } => self.polled += records.len(),
                Step::Commit { .. } => self.commits += 1,
            }
        }
    }
}

/// Who sends, and what it is promised.
fn producers(topic: &str) -> [(Library, Load, Promise); 5] {
    let load = |name: &str, is_idempotent, acks: &str, codec: &str, in_flight, delivery_ms| Load {
        name: name.into(),
        topic: topic.into(),
        partitions: PARTITIONS,
        per_second: PER_SECOND,
        padding: 300,
        is_idempotent,
        acks: acks.into(),
        codec: codec.into(),
        in_flight,
        request_ms: REQUEST_MS,
        delivery_ms,
    };
    let (rdkafka, franz) = (Library::Librdkafka, Library::FranzGo);
    let all = Promise { durable: true, once: true, ordered: true };
    let durable = Promise { durable: true, ..Promise::default() };
    // When a record's time is over, or a sequence is refused, librdkafka 2.12 goes on with a new epoch, and sends with it
    // what the broker may have under the old one: the same record, numbered anew, which no broker can know. It does so with
    // Apache Kafka, too. `crash` looks for what comes twice where this does not happen.
    let but_twice = Promise { once: false, ..all };
    [
        (rdkafka, load("rdkafka", true, "all", "lz4", 5, PATIENT_MS), but_twice),
        // Without idempotence, what is sent again may come twice, and behind what was sent later.
        (rdkafka, load("rdkafka-plain", false, "all", "none", 5, PATIENT_MS), durable),
        (rdkafka, load("rdkafka-impatient", true, "all", "zstd", 5, IMPATIENT_MS), but_twice),
        (franz, load("franz", true, "all", "snappy", 5, PATIENT_MS), all),
        (franz, load("franz-impatient", false, "1", "gzip", 5, IMPATIENT_MS), durable),
    ]
}

/// Whose assignment each group has, and its members.
fn groups(topic: &str) -> [(Spec, [Library; 3]); 2] {
    let (rdkafka, franz) = (Library::Librdkafka, Library::FranzGo);
    let of = |spec: Spec| Spec {
        group: format!("{topic}-{}", spec.protocol),
        topic: topic.into(),
        session_ms: SESSION_MS,
        request_ms: REQUEST_MS,
        values: true,
        ..spec
    };
    [(of(Spec::classic("range")), [rdkafka, rdkafka, franz]), (of(Spec::consumer("uniform")), [rdkafka, franz, franz])]
}

struct Round<'a> {
    broker: Broker,
    disk: Option<&'a SmallDisk>,
    random: Bytes,
    topic: String,
}

/// The clients of a round and what they tell.
struct Clients {
    crowd: Crowd,
    book: Arc<Mutex<Book>>,
    producers: Vec<usize>,
    consumers: Vec<usize>,
}

impl Clients {
    fn new() -> Clients {
        let book = Arc::new(Mutex::new(Book::new(PARTITIONS)));
        let written = Arc::clone(&book);
        let crowd = Crowd::tapped(Arc::new(move |client, event: &Event| written.lock().unwrap().write(client, event)));
        Clients { crowd, book, producers: Vec::new(), consumers: Vec::new() }
    }

    fn start(&mut self, broker: &Broker, topic: &str) -> Result<()> {
        for (library, load, _) in producers(topic) {
            self.book.lock().unwrap().add_producer(&load.name);
            self.producers.push(self.crowd.produce(broker, library, &load)?);
        }
        self.start_readers(broker, topic)?;
        for (spec, members) in groups(topic) {
            for library in members {
                self.book.lock().unwrap().add_consumer(Some(&spec.group));
                self.consumers.push(self.crowd.join(broker, library, &spec)?);
            }
        }
        Ok(())
    }

    /// One of each library, from the beginning.
    fn start_readers(&mut self, broker: &Broker, topic: &str) -> Result<()> {
        let (reads, topic) = (Some(PARTITIONS as i32), topic.to_string());
        let spec = Spec { topic, reads, request_ms: REQUEST_MS, values: true, ..Spec::classic("range") };
        for library in [Library::Librdkafka, Library::FranzGo] {
            self.book.lock().unwrap().add_consumer(None);
            self.consumers.push(self.crowd.join(broker, library, &spec)?);
        }
        Ok(())
    }

    /// Producers end when all of their records have ended.
    fn end_producers(&mut self) -> Result<()> {
        let producers = self.producers.clone();
        producers.iter().for_each(|&number| self.crowd.ask_to_leave(number));
        let all_left = |told: &[compat_tests::member::Told]| producers.iter().all(|&number| told[number].has_ended);
        self.crowd.wait_within(CALMS_WITHIN, "the producers end", all_left)?;
        producers.into_iter().try_for_each(|number| self.crowd.leave(number))
    }

    fn await_reading(&self, ends: &[i64]) -> Result<()> {
        let missing = || self.book.lock().unwrap().missing(ends);
        ask_until("everybody has read everything", CALMS_WITHIN, || Ok(missing().is_empty()))
            .with_context(|| missing().join("; "))
    }

    fn end(mut self) -> Result<History> {
        self.consumers.clone().into_iter().try_for_each(|number| self.crowd.leave(number))?;
        drop(self.crowd);
        let book = Arc::into_inner(self.book).context("somebody still writes")?;
        book.into_inner().expect("no panic").close()
    }
}

impl Round<'_> {
    fn draw_ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.random.draw() % (to - from))
    }

    fn run(&mut self, tally: &mut Tally) -> Result<()> {
        let segment = ["1048576", "2097152", "1073741824"][self.random.draw() as usize % 3];
        let flush = ["1", "9223372036854775807"][self.random.draw() as usize % 2];
        let configs = [("segment.bytes", segment), ("flush.messages", flush)];
        Raw::connect(self.broker.port())?.create_topic(&self.topic, PARTITIONS as i32, &configs)?;
        let mut clients = Clients::new();
        clients.start(&self.broker, &self.topic)?;
        let watch = Watch::start(&self.broker, &self.topic, &clients.book);
        let attacked = self.attack(tally);
        watch.end();
        attacked?;
        clients.end_producers()?;
        let ends = self.ends()?;
        clients.await_reading(&ends).context("those who were there all the time")?;
        clients.start_readers(&self.broker, &self.topic)?;
        clients.await_reading(&ends).context("those who came at the end")?;
        let history = clients.end()?;
        self.judge(&history)?;
        tally.add(&history);
        self.delete_topic()
    }

    /// Every fault once, in any order.
    fn attack(&mut self, tally: &mut Tally) -> Result<()> {
        let mut faults = vec![Kill, Restart, Stall, Kill];
        if self.disk.is_some() {
            faults.extend([FullDisk, KillWithFullDisk]);
        }
        while !faults.is_empty() {
            thread::sleep(self.draw_ms(1000, 3500));
            let fault = faults.swap_remove(self.random.draw() as usize % faults.len());
            self.commit(fault, tally).with_context(|| format!("{fault:?}"))?;
            *tally.faults.entry(fault).or_default() += 1;
            self.broker.assert_alive()?;
        }
        thread::sleep(self.draw_ms(500, 2000));
        Ok(())
    }

    fn commit(&mut self, fault: Fault, tally: &mut Tally) -> Result<()> {
        match fault {
            Kill => {
                self.broker.kill9()?;
                thread::sleep(self.draw_ms(1, 2000));
                self.start(tally)
            }
            Restart => {
                self.broker.stop_patiently()?;
                thread::sleep(self.draw_ms(1, 2000));
                self.start(tally)
            }
            Stall => {
                // Longer than requests and sessions may take.
                let longer = u64::from(REQUEST_MS.max(SESSION_MS)) + 500;
                signal(self.broker.pid(), libc::SIGSTOP);
                thread::sleep(self.draw_ms(longer, longer + 3000));
                signal(self.broker.pid(), libc::SIGCONT);
                Ok(())
            }
            FullDisk => {
                let disk = self.disk.context("no disk")?;
                disk.fill()?;
                thread::sleep(self.draw_ms(500, 4000));
                disk.free()
            }
            KillWithFullDisk => {
                let disk = self.disk.context("no disk")?;
                disk.fill()?;
                thread::sleep(self.draw_ms(1, 1500));
                self.broker.kill9()?;
                disk.free()?;
                self.start(tally)
            }
        }
    }

    fn start(&mut self, tally: &mut Tally) -> Result<()> {
        let began = Instant::now();
        self.broker.restart()?;
        tally.slowest_start = tally.slowest_start.max(began.elapsed());
        Ok(())
    }

    fn ends(&self) -> Result<Vec<i64>> {
        let mut raw = Raw::connect(self.broker.port())?;
        (0..PARTITIONS as i32).map(|partition| raw.end_offset(&self.topic, partition)).collect()
    }

    fn judge(&self, history: &History) -> Result<()> {
        let promises = producers(&self.topic).map(|(_, _, promise)| promise);
        // Producers are the first clients of a round, in this order.
        let findings = history.check(|producer| promises[producer]);
        if findings.is_empty() {
            return Ok(());
        }
        let kept = cache::root().join("logs/siege.history");
        std::fs::write(&kept, format!("{history:#?}"))?;
        let shown: Vec<String> = findings.iter().take(SHOWN).map(|finding| finding.to_string()).collect();
        ensure!(false, "{} broken promises, the history is in {kept:?}:\n{}", findings.len(), shown.join("\n"));
        Ok(())
    }

    fn delete_topic(&self) -> Result<()> {
        let names = vec![raw::topic_name(&self.topic)];
        let request = DeleteTopicsRequest::default().with_topic_names(names).with_timeout_ms(30_000);
        let answer = Raw::connect(self.broker.port())?.call(&request, 5)?;
        let error = answer.responses.first().context("no topic in the answer")?.error_code;
        ensure!(error == 0, "DeleteTopics {}: error {error}", self.topic);
        Ok(())
    }
}

/// Asks for the ends of the partitions again and again, with a connection of its own.
struct Watch {
    ends: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Watch {
    fn start(broker: &Broker, topic: &str, book: &Arc<Mutex<Book>>) -> Watch {
        let ends = Arc::new(AtomicBool::new(false));
        let (is_over, book, topic, port) = (Arc::clone(&ends), Arc::clone(book), topic.to_string(), broker.port());
        let thread = thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                // Whatever ends it, the broker has gone: it comes again.
                let _ = look(port, &topic, &book, &is_over);
                thread::sleep(ASKS_EVERY);
            }
        });
        Watch { ends, thread }
    }

    fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic");
    }
}

fn look(port: u16, topic: &str, book: &Mutex<Book>, is_over: &AtomicBool) -> Result<()> {
    let mut raw = Raw::connect(port)?;
    while !is_over.load(Ordering::Relaxed) {
        for partition in 0..PARTITIONS as i32 {
            let began = book.lock().unwrap().now();
            let end = raw.end_offset(topic, partition)?;
            book.lock().unwrap().add_end(partition, end, began);
        }
        thread::sleep(ASKS_EVERY);
    }
    Ok(())
}
