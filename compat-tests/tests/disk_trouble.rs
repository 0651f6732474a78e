//! Disks that fill up, turn read-only or vanish under a broker at work: nothing acknowledged is lost, what is not touched
//! goes on, and one line says what happened. The disks are small file systems of the tests' own.

use compat_tests::broker::{self, Broker, Peer, Setup};
use compat_tests::clients::{self, Acks};
use compat_tests::mount::{self, SmallDisk};
use compat_tests::raw::{Batch, Raw};
use compat_tests::suite::{ONE, Suite};
use compat_tests::{Result, bail, ensure};
use kafka_protocol::messages::DescribeLogDirsRequest;
use rdkafka::message::Message;
use rdkafka::producer::{Producer, ThreadedProducer};
use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const STORAGE_ERROR: i16 = 56;
const NOT_LEADER: i16 = 6;
/// How often the disk is full.
const ROUNDS: usize = 20;
/// Rounds in which the broker is killed while the disk is full.
const KILLED_IN: [usize; 2] = [6, 13];
const PATIENCE: Duration = Duration::from_secs(30);
const FULL: &str = "is full, writes are refused";
const ROOM: &str = "has room again";
const FAILED: &str = "has failed and is offline";
/// What a checkpoint that is written often finds out soon.
const SOON: &[(&str, &str)] =
    &[("replica.high.watermark.checkpoint.interval.ms", "200"), ("log.initial.task.delay.ms", "50")];

fn main() -> ExitCode {
    let mut suite = Suite::new("disk_trouble");
    // Apache Kafka ends when a disk is full: what is promised here, it does not promise.
    if broker::peer() == Peer::Klamm {
        suite = suite
            .own_start("directory_vanishes", ONE, SOON, directory_vanishes)
            .own_start("directory_left_out", ONE, SOON, directory_left_out)
            .own_start("flipped_byte", ONE, SOON, flipped_byte);
    }
    if broker::peer() == Peer::Klamm && mount::may_mount() {
        suite = suite
            .own_start("full_disk", ONE, &[("log.segment.bytes", "1048576")], full_disk)
            .own_start("read_only", ONE, SOON, read_only)
            .own_start("all_is_lost", ONE, SOON, all_is_lost);
    }
    suite.run()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so()? {
        ensure!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        // Between two looks, so that the broker gets the processor.
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn count(broker: &Broker, text: &str) -> usize {
    broker.log_text().matches(text).count()
}

/// A producer that never stops, and what was acknowledged to it.
struct Load {
    topic: &'static str,
    producer: Arc<ThreadedProducer<Acks>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<usize>>>,
}

impl Load {
    fn start(broker: &Broker, topic: &'static str, idempotent: bool) -> Result<Load> {
        let mut config = clients::librdkafka(broker);
        config.set("enable.idempotence", idempotent.to_string()).set("acks", "all");
        config.set("queue.buffering.max.messages", "500").set("message.timeout.ms", "120000");
        config.set("message.send.max.retries", "1000000");
        config.set("retry.backoff.ms", "20").set("retry.backoff.max.ms", "50").set("reconnect.backoff.max.ms", "100");
        let producer: Arc<ThreadedProducer<Acks>> = Arc::new(config.create_with_context(Acks::default())?);
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, stopped) = (producer.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let padding = "x".repeat(1000);
            let mut sent = 0;
            while !stopped.load(Ordering::Relaxed) {
                clients::librdkafka_send(&sender, topic, format!("{sent}:{padding}").as_bytes())?;
                sent += 1;
                // About two megabytes a second: enough to reach the end of the disk, few enough to read again.
                if sent % 10 == 0 {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            sender.flush(PATIENCE)?;
            Ok(sent)
        });
        Ok(Load { topic, producer, stop, thread: Some(thread) })
    }

    fn acknowledged(&self) -> usize {
        self.producer.context().delivered().len()
    }

    /// Ends it; everything that it sent was acknowledged. Answers offsets and numbers.
    fn end(mut self) -> Result<(usize, Vec<(i64, String)>)> {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.thread.take().map_or(Ok(0), |thread| thread.join().expect("no panic"))?;
        let failed = self.producer.context().failed();
        ensure!(failed.is_empty(), "{}: {} messages were given up: {}", self.topic, failed.len(), failed[0]);
        let number = |(offset, payload): (i64, String)| (offset, payload.split(':').next().unwrap_or("").to_string());
        Ok((sent, self.producer.context().delivered().into_iter().map(number).collect()))
    }
}

/// Everything acknowledged is where it was promised; with idempotence nothing else is there.
fn check(broker: &Broker, topic: &str, sent: usize, acknowledged: &[(i64, String)], idempotent: bool) -> Result<()> {
    let end = Raw::connect(broker.port())?.end_offset(topic, 0)? as usize;
    let mut found: HashMap<i64, String> = HashMap::new();
    clients::librdkafka_each(broker, topic, end, |message| {
        let payload = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
        let number = payload.split(':').next().unwrap_or("").to_string();
        ensure!(!idempotent || number == message.offset().to_string(), "offset {} has {number}", message.offset());
        found.insert(message.offset(), number);
        Ok(())
    })?;
    ensure!(acknowledged.len() == sent, "{} of {sent} were acknowledged", acknowledged.len());
    ensure!(!idempotent || end == sent, "{topic}: {end} records for {sent} messages");
    for (offset, number) in acknowledged.iter().filter(|(offset, _)| *offset >= 0) {
        ensure!(
            found.get(offset) == Some(number),
            "{topic}: {number} was acknowledged at {offset}, which has {:?}",
            found.get(offset)
        );
    }
    Ok(())
}

fn full_disk(setup: &Setup) -> Result<Broker> {
    let mut disk = SmallDisk::new(256)?;
    let mut broker =
        Broker::start(&setup.clone().with(&[("log.dirs", &disk.path().join("data").display().to_string())]))?;
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic("plain", 1, &[])?;
    raw.create_topic("idempotent", 1, &[])?;
    let (plain, idempotent) = (Load::start(&broker, "plain", false)?, Load::start(&broker, "idempotent", true)?);
    let mut created = Vec::new();
    let (mut full, mut room) = (0, 0);
    for round in 0..ROUNDS {
        disk.fill()?;
        full += 1;
        wait_until("the disk is full", || Ok(count(&broker, FULL) >= full))?;
        // Metadata is refused or taken, never neither.
        let topic = format!("round-{round}");
        match Raw::connect(broker.port())?.try_create_topic(&topic, 1, &[])? {
            0 => created.push(topic),
            error => ensure!(error == STORAGE_ERROR, "CreateTopics on a full disk: error {error}"),
        }
        if KILLED_IN.contains(&round) {
            broker.kill9()?;
            disk.free()?;
            broker.restart()?;
            (full, room) = (count(&broker, FULL), count(&broker, ROOM));
        } else {
            disk.free()?;
            room += 1;
            wait_until("there is room", || Ok(count(&broker, ROOM) >= room))?;
        }
        let before = (plain.acknowledged(), idempotent.acknowledged());
        wait_until("both go on", || {
            Ok(plain.acknowledged() > before.0 + 20 && idempotent.acknowledged() > before.1 + 20)
        })?;
        ensure!((count(&broker, FULL), count(&broker, ROOM)) == (full, room), "one line for each change, no more");
    }
    broker.assert_alive()?;
    let (sent_plain, acknowledged_plain) = plain.end()?;
    let (sent, acknowledged) = idempotent.end()?;
    check(&broker, "plain", sent_plain, &acknowledged_plain, false)?;
    check(&broker, "idempotent", sent, &acknowledged, true)?;
    let mut raw = Raw::connect(broker.port())?;
    // Also those whose logs found no room at first.
    for topic in &created {
        wait_until("the topic takes records", || Ok(produce(&mut raw, topic)? == 0))?;
    }
    println!(
        "{ROUNDS} times full: {sent_plain} plain and {sent} idempotent records, {} of {ROUNDS} topics",
        created.len()
    );
    broker.stop()?;
    mount::copy(&disk.path().join("data"), &broker.data())?;
    disk.unmount()?;
    Ok(broker)
}

fn produce(raw: &mut Raw, topic: &str) -> Result<i16> {
    Ok(raw.produce(topic, Batch::of(&[b"one more"]).encode())?.error_code)
}

const TOPICS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A broker on two directories, each with topics that have a record. Answers the topics of the second, too.
fn on_two(setup: &Setup, first: &Path, second: &Path) -> Result<(Broker, Vec<&'static str>)> {
    let both = format!("{},{}", first.display(), second.display());
    let broker = Broker::start(&setup.clone().with(&[("log.dirs", &both)]))?;
    let mut raw = Raw::connect(broker.port())?;
    for topic in TOPICS {
        raw.create_topic(topic, 1, &[])?;
        ensure!(produce(&mut raw, topic)? == 0, "{topic} takes nothing");
    }
    let in_second: Vec<_> = TOPICS.into_iter().filter(|topic| second.join(format!("{topic}-0")).exists()).collect();
    ensure!(in_second.len() == 3, "each directory gets as many: {in_second:?}");
    Ok((broker, in_second))
}

/// The second directory is offline, and nothing else is. `told` lines say so, those of earlier starts included.
fn check_second_is_offline(broker: &mut Broker, second: &Path, gone: &[&str], told: usize) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    for topic in TOPICS {
        let (error, is_gone) = (produce(&mut raw, topic)?, gone.contains(&topic));
        ensure!(error == if is_gone { STORAGE_ERROR } else { 0 }, "{topic}, gone: {is_gone}: error {error}");
    }
    let described = raw.call(&DescribeLogDirsRequest::default().with_topics(None), 4)?;
    for directory in &described.results {
        let expected = if directory.log_dir.as_str() == second.display().to_string() { STORAGE_ERROR } else { 0 };
        ensure!(directory.error_code == expected, "{}: error {}", directory.log_dir.as_str(), directory.error_code);
    }
    ensure!(described.results.len() == 2, "{} directories", described.results.len());
    let new = format!("new-{told}");
    ensure!(raw.try_create_topic(&new, 1, &[])? == 0 && produce(&mut raw, &new)? == 0, "a new topic finds its place");
    ensure!(count(broker, FAILED) == told, "one line says so\n{}", broker.log_text());
    broker.assert_alive()
}

/// After a restart with both in order everything is there: three records in each topic of the first directory, as many
/// as were taken in those of the second.
fn check_all_is_back(broker: &Broker, in_second: &[&str]) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    for topic in TOPICS {
        let (end, least) = (raw.end_offset(topic, 0)?, if in_second.contains(&topic) { 1 } else { 3 });
        ensure!(end >= least, "{topic} ends at {end}");
        ensure!(produce(&mut raw, topic)? == 0, "{topic} takes nothing");
    }
    ensure!(count(broker, FAILED) == 2, "nothing has failed any more");
    Ok(())
}

fn two_and_trouble(
    setup: &Setup,
    second: &Path,
    break_it: impl FnOnce(&Broker, &[&str]) -> Result<()>,
    mend_it: impl FnOnce() -> Result<()>,
) -> Result<Broker> {
    let first = tempfile::Builder::new().prefix("klamm-first-").tempdir()?;
    let (mut broker, in_second) = on_two(setup, &first.path().join("data"), second)?;
    break_it(&broker, &in_second)?;
    wait_until("the directory is offline", || Ok(count(&broker, FAILED) > 0))?;
    check_second_is_offline(&mut broker, second, &in_second, 1)?;
    // Once more from the start, with the directory as bad as it was.
    broker.stop()?;
    broker.restart()?;
    check_second_is_offline(&mut broker, second, &in_second, 2)?;
    broker.stop()?;
    mend_it()?;
    broker.restart()?;
    check_all_is_back(&broker, &in_second)?;
    broker.stop()?;
    std::fs::create_dir(broker.data())?;
    mount::copy(first.path(), &broker.data().join("first"))?;
    mount::copy(second, &broker.data().join("second"))?;
    Ok(broker)
}

fn read_only(setup: &Setup) -> Result<Broker> {
    let disk = std::cell::RefCell::new(SmallDisk::new(64)?);
    let second = disk.borrow().path().join("data");
    let break_it = |broker: &Broker, in_second: &[&str]| {
        disk.borrow().make_read_only()?;
        // A broker that has nothing to write does not find out.
        let mut raw = Raw::connect(broker.port())?;
        in_second.iter().try_for_each(|topic| produce(&mut raw, topic).map(|_| ()))
    };
    let mend_it = || {
        disk.borrow_mut().unmount()?;
        disk.borrow_mut().mount()
    };
    let broker = two_and_trouble(setup, &second, break_it, mend_it)?;
    disk.borrow_mut().unmount()?;
    Ok(broker)
}

fn directory_vanishes(setup: &Setup) -> Result<Broker> {
    let home = tempfile::Builder::new().prefix("klamm-second-").tempdir()?;
    let (second, aside) = (home.path().join("data"), home.path().join("aside"));
    let break_it = |broker: &Broker, in_second: &[&str]| {
        std::fs::rename(&second, &aside)?;
        // Without its directory nothing can be made in its place, either.
        std::fs::write(&second, b"not a directory")?;
        let mut raw = Raw::connect(broker.port())?;
        in_second.iter().try_for_each(|topic| produce(&mut raw, topic).map(|_| ()))
    };
    let mend_it = || {
        std::fs::remove_file(&second)?;
        Ok(std::fs::rename(&aside, &second)?)
    };
    two_and_trouble(setup, &second, break_it, mend_it)
}

/// Directories in another order or missing stop the start; one that is left out keeps its partitions for later, as with
/// Apache Kafka, which refuses the others likewise (`KafkaRaftServer.initializeLogDirs`).
fn directory_left_out(setup: &Setup) -> Result<Broker> {
    let home = tempfile::Builder::new().prefix("klamm-two-").tempdir()?;
    let (first, second) = (home.path().join("first"), home.path().join("second"));
    let (mut broker, in_second) = on_two(setup, &first, &second)?;
    broker.stop()?;
    let directories = |some: &[&Path]| some.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(",");
    broker.reconfigure("log.dirs", &directories(&[&second, &first]));
    broker.restart_refused("the metadata log lies here, but the metadata directory is")?;
    broker.reconfigure("log.dirs", &directories(&[&first, &second]));
    let away = home.path().join("away");
    std::fs::rename(&second, &away)?;
    broker.restart_refused("has no meta.properties, but the metadata directory")?;
    std::fs::create_dir(&second)?;
    broker.restart_refused("has no meta.properties, but the metadata directory")?;
    std::fs::remove_dir(&second)?;
    std::fs::rename(&away, &second)?;
    broker.reconfigure("log.dirs", &directories(&[&first]));
    broker.restart()?;
    let told = count(&broker, "3 partitions (");
    ensure!(told == 1 && count(&broker, "offline until their log directory is back") == 1, "{}", broker.log_text());
    let mut raw = Raw::connect(broker.port())?;
    for topic in TOPICS {
        let expected = if in_second.contains(&topic) { NOT_LEADER } else { 0 };
        let error = produce(&mut raw, topic)?;
        ensure!(error == expected, "{topic}: error {error}");
    }
    broker.stop()?;
    broker.reconfigure("log.dirs", &directories(&[&first, &second]));
    broker.restart()?;
    let mut raw = Raw::connect(broker.port())?;
    for topic in TOPICS {
        let (end, expected) = (raw.end_offset(topic, 0)?, if in_second.contains(&topic) { 1 } else { 2 });
        ensure!(end == expected && produce(&mut raw, topic)? == 0, "{topic} ends at {end}");
    }
    ensure!(count(&broker, "-stray") == 0, "{}", broker.log_text());
    broker.stop()?;
    std::fs::create_dir(broker.data())?;
    mount::copy(home.path(), &broker.data().join("both"))?;
    Ok(broker)
}

/// A byte of a sealed segment flips and the broker is killed: what recovery gives up is told, with file, offset and bytes.
fn flipped_byte(setup: &Setup) -> Result<Broker> {
    let mut broker = Broker::start(setup)?;
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic("t", 1, &[("segment.bytes", "1048576")])?;
    let value = vec![b'x'; 100_000];
    for _ in 0..30 {
        let error = raw.produce("t", Batch::of(&[&value]).encode())?.error_code;
        ensure!(error == 0, "error {error}");
    }
    broker.kill9()?;
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(broker.data().join("t-0"))? {
        segments.extend(Some(entry?.path()).filter(|path| path.extension().is_some_and(|it| it == "log")));
    }
    segments.sort();
    ensure!(segments.len() == 3, "{segments:?}");
    let mut bytes = std::fs::read(&segments[1])?;
    bytes[450_000] ^= 1;
    std::fs::write(&segments[1], &bytes)?;
    broker.restart()?;
    let end = Raw::connect(broker.port())?.end_offset("t", 0)?;
    ensure!((11..20).contains(&end), "the log ends at {end}");
    let name = segments[1].file_name().unwrap_or_default().to_string_lossy();
    let told = format!("t-0 was cut: the log ends at offset {end} now; {name} is damaged at byte ");
    ensure!(count(&broker, &told) == 1, "it is not told\n{}", broker.log_text());
    ensure!(count(&broker, "; 1 segments from base offset ") == 1, "{}", broker.log_text());
    ensure!(count(&broker, "1 of 1 partitions were cut") == 1, "{}", broker.log_text());
    Ok(broker)
}

/// Without the directory of the metadata log a broker cannot go on: it ends, and says why.
fn all_is_lost(setup: &Setup) -> Result<Broker> {
    let mut disk = SmallDisk::new(64)?;
    let data = disk.path().join("data");
    let mut broker = Broker::start(&setup.clone().with(&[("log.dirs", &data.display().to_string())]))?;
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic("a", 1, &[])?;
    ensure!(produce(&mut raw, "a")? == 0, "a takes nothing");
    disk.make_read_only()?;
    // A broker that has nothing to write does not find out. What becomes of it says nothing: the broker may be gone before it answers.
    drop(raw.produce("a", Batch::of(&[b"lost"]).encode()));
    let ended = || match broker.assert_alive() {
        Ok(()) => Ok(false),
        Err(error) if error.to_string().contains("exit status: 1") => Ok(true),
        Err(error) => bail!("{error}"),
    };
    wait_until("the broker ends", ended)?;
    ensure!(count(&broker, "the broker ends") == 1 && count(&broker, FAILED) == 1, "{}", broker.log_text());
    broker.kill9()?;
    disk.unmount()?;
    disk.mount()?;
    broker.restart()?;
    ensure!(Raw::connect(broker.port())?.end_offset("a", 0)? == 1, "what was acknowledged is there");
    broker.stop()?;
    mount::copy(&data, &broker.data())?;
    disk.unmount()?;
    Ok(broker)
}
