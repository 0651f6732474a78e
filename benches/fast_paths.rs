//! Each fast path of the data path beside what is done without it, in one run: what it is worth on this machine.
//!
//! The switches are the broker's own where it has them (`klamm.spin.us`, `klamm.io`, `klamm.tail.buffer.bytes`,
//! `klamm.copy.max.bytes`); where a path has replaced another for good, what it replaced is written out here.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use klamm::handlers::fetch_session::{Answering, Asked, Cache, Judging, Name, Seen, Slots, Told, Wanted};
use klamm::io::disk::Disk;
use klamm::io::driver::{ConnectionKey, Driver, Event, Listening};
use klamm::io::machine::{self, Backend, Preference};
use klamm::io::real_disk::RealDisk;
use klamm::metadata::{
    Acl, AclIndex, AclOperation, AclResource, Action, Allowed, Authorizer, HostAddress, Principal, Subject,
};
use klamm::model::{Instant, IsolationLevel, LeaderEpoch, Offset, PartitionIndex, TimestampMs, TopicId, Uuid};
use klamm::record::builder::{Builder, Options, Record};
use klamm::storage::log::{Admission, Checkpointed, Identity, Log, LogConfig, Origin};
use klamm::storage::recent::Kept;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);
/// A log of such a size makes room for the next: a small machine's page cache holds it.
const MAX_LOG_BYTES: u64 = 512 << 20;
/// `klamm.tail.buffer.bytes` of one shard is larger; one write is all that is read here.
const TAIL_BYTES: usize = 1 << 20;
const SPIN: Duration = Duration::from_micros(50);
const HOT_BUFFER_BYTES: usize = 256 * 1024;
const FRAME_BYTES: usize = 1 << 20;
/// Less than a loopback socket takes without a reader.
const PIECE_BYTES: usize = 64 * 1024;
const PARTITIONS: i32 = 10_000;

/// A log in a directory of its own, which goes with it.
struct TemporaryLog {
    log: Log,
    _directory: tempfile::TempDir,
}

impl TemporaryLog {
    fn open() -> TemporaryLog {
        TemporaryLog::with(LogConfig::default())
    }

    fn with(config: LogConfig) -> TemporaryLog {
        let directory = tempfile::tempdir().expect("a directory");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::default());
        let identity = Identity { topic: "stream".into(), partition: PartitionIndex(0), topic_id: Uuid::ONE };
        let path = directory.path().join("stream-0");
        let log = Log::open(disk, path, config, identity, Checkpointed::default(), NOW);
        TemporaryLog { log: log.expect("a new log opens"), _directory: directory }
    }

    /// This one, or an empty one if it has become too large.
    fn make_room(&mut self) {
        if self.log.size_bytes() > MAX_LOG_BYTES {
            *self = TemporaryLog::with((*self.log.config()).clone());
        }
    }

    fn append(&self, bytes: &[u8]) {
        self.log.append(bytes, Origin::Client(Admission::None), LeaderEpoch(0), NOW).expect("the log takes it");
    }
}

fn batch(records: usize) -> Vec<u8> {
    let mut builder = Builder::new(Options::default());
    for _ in 0..records {
        builder.append(&Record { timestamp: NOW, value: Some(&[7; 1024]), ..Record::default() });
    }
    builder.build()
}

/// Sixteen requests that come in one turn: one write behind them, or one behind each.
fn one_write_a_turn(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("16_batches_of_1KiB");
    let bytes = batch(1);
    for (name, at_once) in [("one_write", 16), ("a_write_each", 1)] {
        let mut current = TemporaryLog::open();
        group.bench_function(name, |bench| {
            bench.iter(|| {
                current.make_room();
                for _ in 0..16 / at_once {
                    (0..at_once).for_each(|_| current.append(black_box(&bytes)));
                    current.log.write_pending().expect("the disk takes it");
                }
            });
        });
    }
    group.finish();
}

/// A batch of a megabyte: written from where it lies, or copied first.
fn large_batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch_of_1MB_written");
    let bytes = batch(950);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    for (name, copy_max_bytes) in [("from_where_it_lies", 0), ("copied", usize::MAX)] {
        let mut current = TemporaryLog::with(LogConfig { copy_max_bytes, ..LogConfig::default() });
        group.bench_function(name, |bench| {
            bench.iter(|| {
                current.make_room();
                current.append(black_box(&bytes));
                current.log.write_pending().expect("the disk takes it");
            });
        });
    }
    group.finish();
}

/// A write of 1 KiB, and the read of it by who waits at the end.
fn tail(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("1KiB_written_and_read_at_the_end");
    let bytes = batch(1);
    for (name, budget_bytes) in [("from_memory", TAIL_BYTES), ("from_the_file", 0)] {
        let (mut current, mut kept) = (TemporaryLog::open(), Kept::new(budget_bytes));
        let mut answer = vec![0; bytes.len()];
        group.bench_function(name, |bench| {
            bench.iter(|| {
                current.make_room();
                let from = current.log.log_end_offset();
                current.append(black_box(&bytes));
                let written = current.log.write_and_keep(kept.keeps_anything()).expect("the disk takes it");
                written.and_then(|written| written.recent).into_iter().for_each(|recent| kept.keep(recent));
                let slice = current.log.read(from, Offset(from.0 + 1), FRAME_BYTES as u64, true).expect("in the log");
                let slice = slice.expect("records");
                match slice.memory() {
                    Some(memory) => answer[..memory.len()].copy_from_slice(memory),
                    None => assert!(slice.file.read_at(&mut answer, slice.position.0).is_ok()),
                }
                answer[0]
            });
        });
    }
    group.finish();
}

/// What a fetch asks of its session, where nothing has happened in its partitions: those at rest are passed over, else
/// each is looked at and found to be no news.
fn session(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fetch_of_10000_partitions");
    let told = Told { high_watermark: 5, log_start_offset: 0, is_error: false };
    for (name, rests) in [("passed_over", true), ("each_looked_at", false)] {
        let mut cache = Cache::new(Slots { all: 1, taken: Arc::default() }, 0, 1, 7);
        let topic: Arc<str> = "stream".into();
        let partition = |partition: i32| {
            let wanted = Wanted {
                current_leader_epoch: -1,
                fetch_offset: 5,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                partition_max_bytes: 1 << 20,
            };
            (Name { topic_id: TopicId::ONE, topic: topic.clone(), partition }, wanted)
        };
        let asked = |session_id, session_epoch| Asked {
            session_id,
            session_epoch,
            uses_topic_ids: true,
            isolation: IsolationLevel::ReadUncommitted,
            judging: Judging::local_anonymous(),
        };
        let answer = |answering: Answering, covered: Vec<(Name, Wanted)>, cache: &mut Cache| {
            let seen = |name: &Name| Seen { told, records_bytes: 0, at_rest: rests.then_some(name.partition as u64) };
            covered.iter().filter(|(name, _)| cache.tell(answering, name, seen(name))).count()
        };
        let all = (0..PARTITIONS).map(partition).collect();
        let (first, covered) = cache.begin(Instant(0), asked(0, 0), all, &[]).expect("a new session");
        assert_eq!(answer(first, covered, &mut cache), PARTITIONS as usize);
        let mut epoch = 0;
        group.bench_function(name, |bench| {
            bench.iter(|| {
                epoch += 1;
                let next = asked(first.session_id(), epoch);
                let (answering, covered) = cache.begin(Instant(0), next, Vec::new(), &[]).expect("the session");
                answer(answering, covered, &mut cache)
            });
        });
    }
    group.finish();
}

/// A driver with one connection, and the client's end of it.
fn connected(backend: Backend, spin: Duration) -> (Box<dyn Driver>, ConnectionKey, TcpStream) {
    let mut driver = machine::open(backend, spin, Arc::default(), Arc::default()).expect("a driver");
    let (_, address) =
        driver.listen("127.0.0.1:0".parse().expect("an address"), &Listening::default()).expect("it listens");
    let client = TcpStream::connect(address).expect("a connection");
    client.set_nodelay(true).expect("an option");
    let mut events = Vec::new();
    loop {
        driver.wait(None, &mut events).expect("events");
        for event in events.drain(..) {
            if let Event::Accepted { connection, .. } = event {
                return (driver, connection, client);
            }
        }
    }
}

/// Appends what has come to the buffer; nothing if nothing has.
fn receive(driver: &mut dyn Driver, connection: ConnectionKey, buffer: &mut Vec<u8>, most: usize) {
    if driver.receive(connection, buffer, most).is_err() {
        driver.wait(None, &mut Vec::new()).expect("events");
    }
}

/// A frame of a mebibyte that the client has sent, into the connection's own buffer: straight, or by way of the hot one.
fn large_frame(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame_of_1MiB_received");
    group.throughput(Throughput::Bytes(FRAME_BYTES as u64));
    let backend = machine::choose(Preference::Auto).expect("a machine").backend;
    for (name, is_straight) in [("where_it_is_collected", true), ("by_the_hot_buffer", false)] {
        let (mut driver, connection, mut client) = connected(backend, Duration::ZERO);
        let (mut hot, mut frame) = (Vec::with_capacity(HOT_BUFFER_BYTES), Vec::with_capacity(FRAME_BYTES));
        let piece = vec![7; PIECE_BYTES];
        group.bench_function(name, |bench| {
            bench.iter_custom(|frames| {
                let mut took = Duration::ZERO;
                for _ in 0..frames {
                    frame.clear();
                    while frame.len() < FRAME_BYTES {
                        let wanted = frame.len() + PIECE_BYTES;
                        client.write_all(&piece).expect("it is sent");
                        let began = std::time::Instant::now();
                        while frame.len() < wanted {
                            if is_straight {
                                receive(&mut *driver, connection, &mut frame, HOT_BUFFER_BYTES);
                            } else {
                                hot.clear();
                                receive(&mut *driver, connection, &mut hot, HOT_BUFFER_BYTES);
                                frame.extend_from_slice(&hot);
                            }
                        }
                        took += began.elapsed();
                    }
                }
                took
            });
        });
    }
    group.finish();
}

/// Answers each byte until the client has gone.
fn echo(driver: &mut dyn Driver, connection: ConnectionKey) {
    let (mut events, mut buffer) = (Vec::new(), Vec::with_capacity(1));
    loop {
        buffer.clear();
        match driver.receive(connection, &mut buffer, 1) {
            Ok(0) => return,
            Ok(_) => assert!(driver.send(connection, &[std::io::IoSlice::new(&buffer)], false).is_ok()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                events.clear();
                driver.wait(None, &mut events).expect("events");
            }
            Err(_) => return,
        }
    }
}

/// A question and its answer, of one client that waits for it: the shard looks for the next one, or sleeps until then.
fn question_and_answer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("question_and_answer");
    let is_there = machine::choose(Preference::Uring).is_ok();
    let ring = [("looks_50us", Backend::Uring, SPIN), ("sleeps", Backend::Uring, Duration::ZERO)];
    let epoll = [("epoll_sleeps", Backend::Readiness, Duration::ZERO)];
    for (name, backend, spin) in ring.into_iter().filter(|_| is_there).chain(epoll) {
        let (sender, opened) = std::sync::mpsc::channel();
        let server = std::thread::spawn(move || {
            let (mut driver, connection, client) = connected(backend, spin);
            sender.send(client).expect("the measuring thread waits for it");
            echo(&mut *driver, connection);
        });
        let mut client = opened.recv().expect("a connection");
        group.bench_function(name, |bench| {
            bench.iter(|| {
                client.write_all(&[7]).expect("it is sent");
                client.read_exact(&mut [0]).expect("an answer");
            });
        });
        drop(client);
        server.join().expect("it ended well");
    }
    group.finish();
}

/// A rule that lets one of a thousand clients write topics of its own.
fn rule(number: usize) -> Acl {
    Acl {
        resource_type: AclResource::Topic as i8,
        resource_name: format!("team-{}.orders-{number}", number % 1000),
        pattern_type: if number.is_multiple_of(2) { 3 } else { 4 },
        principal: format!("User:client-{}", number % 1000),
        host: if number.is_multiple_of(10) { "10.0.0.0/8".into() } else { "*".into() },
        operation: AclOperation::Write as i8,
        permission_type: 3,
    }
}

/// What a Produce asks of the authorizer for each topic, among few rules and many: one that a rule allows, and one that
/// none does.
fn decision(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision");
    let authorizer = Authorizer::new(&["User:admin".to_string()], false);
    let principal = Principal::new(Principal::USER, "client-7");
    let who = Subject { principal: &principal, host: HostAddress::from(SocketAddr::from(([10, 0, 0, 1], 9092))) };
    for count in [10, 1_000, 100_000] {
        let mut index = AclIndex::default();
        (0..count).for_each(|number| index.insert(&rule(number)));
        for (name, topic, expected) in [("allowed", "team-7.orders-7", true), ("denied", "team-8.orders-8", false)] {
            group.bench_function(format!("{count}_rules/{name}"), |bench| {
                bench.iter(|| {
                    let (operation, resource) = (AclOperation::Write, AclResource::Topic);
                    let action = Action { operation, resource, name: black_box(topic) };
                    assert_eq!(authorizer.authorize(black_box(&index), &who, &action).allows(), expected);
                });
            });
        }
    }
    // The same where the connection has seen it, which does not look at the rules.
    let mut seen = Allowed::default();
    let action = |name| Action { operation: AclOperation::Write, resource: AclResource::Topic, name };
    seen.keep(&principal, 1, &action("team-7.orders-7"));
    group.bench_function("seen", |bench| {
        bench.iter(|| assert!(seen.has(&principal, 1, &action(black_box("team-7.orders-7")))));
    });
    group.finish();
}

/// What a request asks of the authorizer that names a hundred topics, each by a rule of its own or by one prefix for all.
fn decisions(criterion: &mut Criterion) {
    const TOPICS: usize = 100;
    let mut group = criterion.benchmark_group("decisions_of_100_topics");
    let authorizer = Authorizer::new(&["User:admin".to_string()], false);
    let principal = Principal::new(Principal::USER, "client");
    let who = Subject { principal: &principal, host: HostAddress::from(SocketAddr::from(([10, 0, 0, 1], 9092))) };
    let topics: Vec<String> = (0..TOPICS).map(|number| format!("own-{number}")).collect();
    for (request, operation) in [("produce", AclOperation::Write), ("fetch", AclOperation::Read)] {
        for count in [10, 1_000, 100_000] {
            for (name, own) in [("literal", TOPICS), ("prefixed", 1)] {
                let mut index = AclIndex::default();
                (0..count).for_each(|number| index.insert(&rule(number)));
                let allowed = |resource_name: &str, pattern_type| Acl {
                    resource_name: resource_name.into(),
                    pattern_type,
                    principal: "User:client".into(),
                    operation: operation as i8,
                    ..rule(1)
                };
                match own {
                    1 => index.insert(&allowed("own-", 4)),
                    _ => topics.iter().for_each(|topic| index.insert(&allowed(topic, 3))),
                }
                group.bench_function(format!("{request}/{count}_rules/{name}"), |bench| {
                    bench.iter(|| {
                        let may = |name: &String| {
                            let action = Action { operation, resource: AclResource::Topic, name: black_box(name) };
                            authorizer.authorize(black_box(&index), &who, &action).allows()
                        };
                        assert!(topics.iter().all(may));
                    });
                });
            }
        }
    }
    group.finish();
}

criterion_group!(
    paths,
    one_write_a_turn,
    large_batch,
    tail,
    session,
    large_frame,
    question_and_answer,
    decision,
    decisions
);
criterion_main!(paths);
