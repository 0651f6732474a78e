//! Prints what storage costs: recovery after kill -9 next to Apache Kafka on the same files, a start with ten thousand
//! partitions, acknowledged syncs next to the disk's own rate, compaction and what producers feel of it.
//! `scripts/figures.sh storage [GIGABYTES]` calls it; everything it writes is gone when it ends.

use compat_tests::broker::{Broker, Peer, Quorum, Setup};
use compat_tests::raw::{Batch, Raw};
use compat_tests::{Result, ensure};
use std::fs::{File, read_dir};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const TOPIC: &str = "figures";
const GIGABYTE: u64 = 1_000_000_000;
const VALUE_BYTES: usize = 1024;
/// Of a batch, below the default `max.message.bytes`.
const BATCH_RECORDS: usize = 900;
const PARTITIONS: usize = 10_000;
const PARTITIONS_OF_TOPIC: i32 = 1000;
const SYNC_FOR: Duration = Duration::from_secs(5);
const KEYS: u64 = 50_000;
/// Apache Kafka's broker learns of its new partitions a moment after the client.
const PASSING: &[i16] = &[3, 5, 6];

fn main() -> Result<()> {
    let gigabytes: f64 = std::env::args().nth(1).map_or(Ok(10.0), |n| n.parse())?;
    let bytes = (gigabytes * GIGABYTE as f64) as u64;
    recoveries(bytes)?;
    partitions()?;
    syncs()?;
    compaction(bytes / 10)
}

fn shards() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u32)
}

fn klamm(overrides: &[(&str, &str)]) -> Setup {
    Setup::klamm("uring", shards()).with(overrides)
}

fn percentile(sorted: &[Duration], part: f64) -> f64 {
    let at = ((sorted.len() as f64 * part) as usize).min(sorted.len() - 1);
    sorted[at].as_secs_f64() * 1e3
}

/// Values of text that no codec and no file system folds together.
fn batch(seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut value = || {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        (0..VALUE_BYTES / 8).flat_map(|_| next()).collect::<Vec<u8>>()
    };
    let values: Vec<_> = (0..BATCH_RECORDS).map(|_| value()).collect();
    Batch::of(&values.iter().map(Vec::as_slice).collect::<Vec<_>>()).encode()
}

/// What a process has asked the kernel to read, from the disk or the page cache.
fn bytes_read(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    Ok(line.unwrap_or("0").trim().parse()?)
}

/// Fills a topic, kills the broker, and lets each peer recover the same files; `flushes` moves the recovery point along.
fn recoveries(bytes: u64) -> Result<()> {
    // Far: nothing is ever synced by the clock and rolls are rarer than the load. Near: the checkpoint follows the rolls.
    let far: &[(&str, &str)] = &[("log.segment.bytes", "2147483647"), ("log.retention.ms", "-1")];
    let near: &[(&str, &str)] = &[
        ("log.segment.bytes", "104857600"),
        ("log.retention.ms", "-1"),
        ("log.flush.offset.checkpoint.interval.ms", "100"),
        ("log.initial.task.delay.ms", "0"),
    ];
    for (name, overrides) in [("far behind", far), ("near", near)] {
        let mut broker = Broker::start_shared(&klamm(overrides), Quorum::Static)?;
        let end = fill(&broker, bytes)?;
        broker.kill9()?;
        // The second one finds what the first has mended, unless it is given what the first found: so both are killed
        // again before they have done anything, and the checkpoint is put back.
        let checkpoint = broker.data().join("recovery-point-offset-checkpoint");
        let found = std::fs::read(&checkpoint).unwrap_or_default();
        for peer in [klamm(overrides), Setup::kafka().with(overrides)] {
            std::fs::write(&checkpoint, &found)?;
            evict(&broker.data())?;
            let began = Instant::now();
            broker.hand_over(&peer)?;
            await_end(&broker, end)?;
            let took = began.elapsed();
            println!(
                "recovery of {:.1} GB, recovery point {name}: {} {:.2} s, {:.1} GB read",
                bytes as f64 / 1e9,
                broker.setup().name(),
                took.as_secs_f64(),
                bytes_read(broker.pid())? as f64 / 1e9,
            );
            broker.kill9()?;
        }
        broker.finish(None)?;
    }
    Ok(())
}

fn fill(broker: &Broker, bytes: u64) -> Result<i64> {
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic(TOPIC, 1, &[])?;
    raw.await_leaders(TOPIC, 1)?;
    let records = batch(7);
    for _ in 0..bytes.div_ceil(records.len() as u64).max(1) {
        let answer = raw.produce(TOPIC, records.clone())?;
        ensure!(answer.error_code == 0, "produce: error {}", answer.error_code);
    }
    raw.end_offset(TOPIC, 0)
}

/// Waits until the whole log can be read again: Apache Kafka says that it has started before its partitions lead.
fn await_end(broker: &Broker, end: i64) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    let deadline = Instant::now() + Duration::from_secs(600);
    loop {
        let (error, offset) = raw.offset(TOPIC, 0, -1)?;
        if error == 0 {
            ensure!(offset == end, "the log ends at {offset}, expected {end}");
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "no leader: error {error}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Takes the files out of the page cache, as after a start of the machine.
fn evict(directory: &Path) -> Result<()> {
    for entry in read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            evict(&entry.path())?;
            continue;
        }
        let file = File::open(entry.path())?;
        file.sync_all()?;
        // SAFETY: the descriptor is open for the whole call, which takes integers only.
        let refused =
            unsafe { libc::posix_fadvise(std::os::fd::AsRawFd::as_raw_fd(&file), 0, 0, libc::POSIX_FADV_DONTNEED) };
        ensure!(refused == 0, "posix_fadvise: error {refused}");
    }
    Ok(())
}

fn partitions() -> Result<()> {
    let mut broker = Broker::start(&klamm(&[]))?;
    let mut raw = Raw::connect(broker.port())?;
    let began = Instant::now();
    for n in 0..PARTITIONS / PARTITIONS_OF_TOPIC as usize {
        raw.create_topic(&format!("many-{n}"), PARTITIONS_OF_TOPIC, &[])?;
    }
    println!("{PARTITIONS} partitions: created in {:.2} s", began.elapsed().as_secs_f64());
    println!("{PARTITIONS} partitions: stopped in {:.2} s", broker.stop_patiently()?.as_secs_f64());
    for how in ["a clean stop", "a second clean stop", "a kill"] {
        broker.restart()?;
        Raw::connect(broker.port())?.api_versions()?;
        let age = broker.age();
        let before = broker.processor_time()?;
        std::thread::sleep(Duration::from_secs(10));
        let idle = broker.processor_time()? - before;
        println!(
            "{PARTITIONS} partitions: start after {how} {:.2} s, resident {} MiB, {} descriptors, idle processor {:.2} %",
            age.as_secs_f64(),
            broker.rss_bytes()? >> 20,
            read_dir(format!("/proc/{}/fd", broker.pid()))?.count(),
            idle.as_secs_f64() * 10.0,
        );
        match how {
            "a second clean stop" => broker.kill9()?,
            _ => drop(broker.stop_patiently()?),
        }
    }
    broker.finish(None)
}

/// How often the disk under the brokers' directories takes a small write and a sync.
fn disk_syncs() -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let mut file = File::create(directory.path().join("synced"))?;
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < SYNC_FOR {
        file.write_all(&[7; VALUE_BYTES])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

fn syncs() -> Result<()> {
    println!("the disk itself: {:.0} syncs a second behind 1 KiB each", disk_syncs()?);
    for producers in [1, 32] {
        for setup in [klamm(&[]), Setup::kafka()] {
            let broker = Broker::start(&setup)?;
            let mut raw = Raw::connect(broker.port())?;
            raw.create_topic(TOPIC, 1, &[("flush.messages", "1")])?;
            raw.await_leaders(TOPIC, 1)?;
            let count = produce_beside(&broker, producers, SYNC_FOR)?.len();
            let rate = count as f64 / SYNC_FOR.as_secs_f64();
            println!("flush.messages=1, {producers} producers: {} {rate:.0} acknowledged a second", setup.name());
            broker.finish(None)?;
        }
    }
    Ok(())
}

/// Producers side by side, each with one small request in flight; how long each answer took, sorted.
fn produce_beside(broker: &Broker, producers: usize, time: Duration) -> Result<Vec<Duration>> {
    let port = broker.port();
    let work = move || -> Result<Vec<Duration>> {
        let mut raw = Raw::connect(port)?;
        let records = Batch::of(&[&[9; VALUE_BYTES]]).encode();
        let (began, mut took) = (Instant::now(), Vec::new());
        while began.elapsed() < time {
            let sent = Instant::now();
            match raw.produce(TOPIC, records.clone())?.error_code {
                0 => took.push(sent.elapsed()),
                error => ensure!(PASSING.contains(&error), "produce: error {error}"),
            }
        }
        Ok(took)
    };
    let running: Vec<_> = (0..producers).map(|_| std::thread::spawn(work)).collect();
    let mut all = Vec::new();
    for thread in running {
        all.extend(thread.join().expect("a producer panicked")?);
    }
    all.sort_unstable();
    Ok(all)
}

/// A topic full of old values of few keys; the time that a round takes, and what a producer beside it feels.
fn compaction(bytes: u64) -> Result<()> {
    let slow = [("log.cleaner.backoff.ms", "100")];
    let broker = Broker::start(&klamm(&slow))?;
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic(TOPIC, 1, &[])?;
    let alone = produce_beside(&broker, 4, SYNC_FOR)?;
    println!("produce beside nothing: p50 {:.2} ms, p99 {:.2} ms", percentile(&alone, 0.5), percentile(&alone, 0.99));
    let segment_bytes = (bytes / 10).clamp(2 << 20, 100 << 20).to_string();
    // Nothing is old enough until all is there: records have the times that the batches of tests have.
    let configs =
        [("cleanup.policy", "compact"), ("segment.bytes", &*segment_bytes), ("min.compaction.lag.ms", "3153600000000")];
    raw.create_topic("compacted", 1, &configs)?;
    let mut sent = 0;
    let mut key = 0;
    while sent < bytes {
        let records = keyed(&mut key);
        sent += records.len() as u64;
        let answer = raw.produce("compacted", records)?;
        ensure!(answer.error_code == 0, "produce: error {}", answer.error_code);
    }
    raw.alter_topic("compacted", "min.compaction.lag.ms", "0")?;
    let (began, read) = (Instant::now(), bytes_read(broker.pid())?);
    let mut beside = Vec::new();
    while !broker.log_text().contains("compacted-0 compacted") {
        beside.extend(produce_beside(&broker, 4, Duration::from_millis(500))?);
        ensure!(began.elapsed() < Duration::from_secs(600), "nothing was compacted");
    }
    beside.sort_unstable();
    let took = began.elapsed().as_secs_f64();
    println!(
        "compaction of {:.1} GB: at most {took:.1} s, {:.0} MB a second; produce beside it: p50 {:.2} ms, p99 {:.2} ms",
        sent as f64 / 1e9,
        (bytes_read(broker.pid())? - read) as f64 / 1e6 / took,
        percentile(&beside, 0.5),
        percentile(&beside, 0.99),
    );
    ensure!(broker.setup().peer == Peer::Klamm, "only Klamm's log is read");
    broker.finish(None)
}

fn keyed(next: &mut u64) -> Vec<u8> {
    let values: Vec<Vec<u8>> = (0..BATCH_RECORDS).map(|n| vec![n as u8; VALUE_BYTES]).collect();
    let mut keys = Vec::new();
    for _ in 0..BATCH_RECORDS {
        keys.push((*next % KEYS).to_be_bytes().to_vec());
        *next += 1;
    }
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    Batch::of(&values).encode_keyed(&keys)
}
