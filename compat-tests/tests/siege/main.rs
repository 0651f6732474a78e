//! The broker under siege: producers, readers and groups of two libraries at work while it is killed (`kill -9`), stopped for
//! longer than every timeout (SIGSTOP), stopped in order and started again, and while its disk is full; then everything
//! that they did and saw is judged by `src/history.rs`. Beside them are clients with transactions, of three libraries, whose
//! ledger is judged by `src/history/transactions.rs`.
//!
//! A round has each fault once, a kill twice, in an order drawn from its seed, and a topic of its own. One round in the
//! run of all suites; `KLAMM_SIEGE=3600` goes on with round after round for so many seconds, `KLAMM_SEED` says where to
//! begin.

mod book;
mod clients;
mod ledger;
mod transactions;

use clients::{Clients, PARTITIONS, REQUEST_MS, SESSION_MS, Watch, producers};
use compat_tests::broker::{self, Broker, Peer, Setup, signal};
use compat_tests::history::transactions::Ledger;
use compat_tests::history::{History, Outcome, Step};
use compat_tests::mount::{self, SmallDisk};
use compat_tests::raw::{self, Raw};
use compat_tests::records::Bytes;
use compat_tests::suite::{ONE, Suite};
use compat_tests::{Context, Result, bail, cache, ensure};
use kafka_protocol::messages::DeleteTopicsRequest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};
use transactions::Transactions;

const DISK_MIB: u64 = 512;
/// As many broken promises as a failure shows.
const SHOWN: usize = 10;

fn main() -> ExitCode {
    let overrides = [
        ("group.initial.rebalance.delay.ms", "100"),
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.session.timeout.ms", "6000"),
        ("group.consumer.min.heartbeat.interval.ms", "100"),
        ("group.consumer.heartbeat.interval.ms", "500"),
        ("log.segment.delete.delay.ms", "1000"),
        ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000"),
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
    /// By client: transactions committed, aborted, of unknown end.
    transactions: BTreeMap<String, [usize; 3]>,
    looks: usize,
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
        let mut round =
            Round { seed, broker, disk: disk.as_ref(), random: Bytes::new(seed), topic: format!("siege-{seed}") };
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

/// Where what went wrong can be looked at afterwards.
fn evidence(name: &str) -> Result<PathBuf> {
    let logs = cache::root().join("logs");
    std::fs::create_dir_all(&logs)?;
    Ok(logs.join(name))
}

/// Leaves the broker's files in the cache, to be looked at.
fn keep(broker: &mut Broker, data: &Path) -> Result<()> {
    let kept = evidence("siege.data")?;
    // It may have ended already: that may be what went wrong.
    let _ = broker.kill9();
    let _ = std::fs::remove_dir_all(&kept);
    mount::copy(data, &kept)?;
    println!("what the broker wrote is in {kept:?}");
    Ok(())
}

/// Fails where promises were broken, and leaves their history to be looked at.
fn report(findings: Vec<String>, history: &impl std::fmt::Debug) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let kept = evidence("siege.history")?;
    std::fs::write(&kept, format!("{history:#?}"))?;
    let shown = findings[..findings.len().min(SHOWN)].join("\n");
    bail!("{} broken promises, the history is in {kept:?}:\n{shown}", findings.len())
}

impl Tally {
    fn print(&self, after: Duration) {
        println!(
            "after {} s: {} rounds, {:?}, {} records acknowledged, {} of unknown end, {} polled, {} partitions gained, {} commits, \
             {} looks at ends, {:?}: transactions committed, aborted and of unknown end, {} looks at their offsets, \
             slowest start {:?}: no promise broken",
            after.as_secs(),
            self.rounds,
            self.faults,
            self.acknowledged,
            self.unknown,
            self.polled,
            self.starts,
            self.commits,
            self.ends,
            self.transactions,
            self.looks,
            self.slowest_start
        );
    }

    fn add(&mut self, history: &History) {
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

    fn add_transactions(&mut self, ledger: &Ledger) {
        self.looks += ledger.looks.len();
        for (client, ends) in ledger.ends() {
            let sums = self.transactions.entry(client.to_string()).or_default();
            sums.iter_mut().zip(ends).for_each(|(sum, n)| *sum += n);
        }
    }
}

struct Round<'a> {
    seed: u64,
    broker: Broker,
    disk: Option<&'a SmallDisk>,
    random: Bytes,
    topic: String,
}

impl Round<'_> {
    fn draw_ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.random.draw() % (to - from))
    }

    fn run(&mut self, tally: &mut Tally) -> Result<()> {
        let segment = ["1048576", "2097152", "1073741824"][self.random.draw() as usize % 3];
        let flush = ["1", "9223372036854775807"][self.random.draw() as usize % 2];
        let configs = [("segment.bytes", segment), ("flush.messages", flush)];
        let mut transactions = Transactions::new(&self.topic, self.seed);
        let mut raw = Raw::connect(self.broker.port())?;
        raw.create_topic(&self.topic, PARTITIONS as i32, &configs)?;
        for topic in [&transactions.names.input, &transactions.names.output] {
            raw.create_topic(topic, transactions::PARTITIONS, &configs)?;
        }
        let names = transactions.names.clone();
        let mut clients = Clients::new();
        clients.start(&self.broker, &self.topic)?;
        transactions.start(&self.broker)?;
        let watch = Watch::start(&self.broker, &self.topic, &clients.book);
        let offsets = transactions.watch(&self.broker);
        let attacked = self.attack(tally, &mut transactions);
        watch.end();
        offsets.end();
        attacked?;
        self.end_transactions(transactions, tally)?;
        clients.end_producers()?;
        let ends = self.ends()?;
        clients.await_reading(&ends).context("those who were there all the time")?;
        clients.start_readers(&self.broker, &self.topic)?;
        clients.await_reading(&ends).context("those who came at the end")?;
        let history = clients.end()?;
        self.judge(&history)?;
        tally.add(&history);
        [&self.topic, &names.input, &names.output].into_iter().try_for_each(|topic| self.delete_topic(topic))
    }

    fn end_transactions(&self, transactions: Transactions, tally: &mut Tally) -> Result<()> {
        let ledger = transactions.end(&self.broker)?;
        let findings = ledger.check().iter().map(|finding| finding.to_string()).collect();
        report(findings, &ledger)?;
        // The one that is killed may not have begun by then; of the loops, one can have done the work of all.
        let ends = ledger.ends();
        let must_work =
            ledger.clients.iter().filter(|client| client.group.is_none() && client.name != transactions::MORTAL);
        let idle: Vec<&str> = must_work.map(|client| &*client.name).filter(|name| ends[name] == [0; 3]).collect();
        ensure!(idle.is_empty(), "without any transaction: {idle:?}");
        tally.add_transactions(&ledger);
        Ok(())
    }

    /// Every fault, in any order.
    fn attack(&mut self, tally: &mut Tally, transactions: &mut Transactions) -> Result<()> {
        let mut faults = vec![Kill, Restart, Stall, Kill];
        if self.disk.is_some() {
            faults.extend([FullDisk, KillWithFullDisk]);
        }
        while !faults.is_empty() {
            thread::sleep(self.draw_ms(1000, 3500));
            if faults.len() == 3 {
                transactions.kill_one()?;
            }
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
        report(findings.iter().map(|finding| finding.to_string()).collect(), history)
    }

    fn delete_topic(&self, topic: &str) -> Result<()> {
        let names = vec![raw::topic_name(topic)];
        let request = DeleteTopicsRequest::default().with_topic_names(names).with_timeout_ms(30_000);
        let answer = Raw::connect(self.broker.port())?.call(&request, 5)?;
        let error = answer.responses.first().context("no topic in the answer")?.error_code;
        ensure!(error == 0, "DeleteTopics {topic}: error {error}");
        Ok(())
    }
}
