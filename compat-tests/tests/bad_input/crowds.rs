//! Many connections, and connections that only take.

use crate::guard::{FLAT_BYTES, Guard};
use compat_tests::broker::{Broker, Setup};
use compat_tests::raw::{self, Batch, PATIENCE, Raw};
use compat_tests::records::Bytes;
use compat_tests::{Result, ensure};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 5000;
/// As many are open at a time.
const AT_ONCE: usize = 500;

/// 5,000 connections opened and dropped: unused, in the middle of a frame, after a request whose answer nobody reads, with
/// an orderly end and with a reset.
pub fn many_connections(broker: &mut Broker) -> Result<()> {
    let mut guard = Guard::new(broker)?;
    let files = open_files(broker)?;
    for round in 0..CONNECTIONS / AT_ONCE {
        let mut open = Vec::with_capacity(AT_ONCE);
        for i in 0..AT_ONCE {
            let mut raw = Raw::connect(broker.port())?;
            match i % 4 {
                0 => {}
                1 => raw.send(&[0, 0, 1]),
                2 => raw.send(&[0, 0, 1, 0, 0, 18]),
                _ => drop(raw.post(&kafka_protocol::messages::MetadataRequest::default(), 5)),
            }
            if (i + round) % 2 == 0 {
                reset_on_close(&raw)?;
            }
            open.push(raw);
        }
        guard.check_within(broker, 2 * FLAT_BYTES)?;
    }
    let deadline = Instant::now() + PATIENCE;
    while open_files(broker)? > files {
        ensure!(Instant::now() < deadline, "{} files stay open; before it were {files}", open_files(broker)?);
    }
    guard.check(broker)
}

/// Of the broker; its clients have more.
const DESCRIPTORS: u32 = 256;

/// More connections than the broker has descriptors, and all of them stay: it has enough left for the files of new topics,
/// and whoever was there before is served.
pub fn more_connections_than_descriptors(setup: &Setup) -> Result<Broker> {
    let mut broker = Broker::start(&Setup { descriptors: Some(DESCRIPTORS), ..setup.clone() })?;
    let mut guard = Guard::new(&mut broker)?;
    let mut early = Raw::connect(broker.port())?;
    early.create_topic("before", 50, &[])?;
    let mut crowd = Vec::new();
    for _ in 0..2 * DESCRIPTORS {
        crowd.push(TcpStream::connect(("127.0.0.1", broker.port()))?);
    }
    for topic in ["first", "second"] {
        early.create_topic(topic, 50, &[])?;
        let found = early.produce(topic, Batch::of(&[b"hello"]).encode())?;
        ensure!(found.error_code == 0, "{topic}: error {}", found.error_code);
    }
    guard.check(&mut broker)?;
    let told = broker.log_text().matches("new ones are closed").count();
    ensure!(told == 1, "one line says that there are too many, not {told}");
    drop(crowd);
    let deadline = Instant::now() + PATIENCE;
    while Raw::connect(broker.port()).and_then(|mut raw| raw.api_versions()).is_err() {
        ensure!(Instant::now() < deadline, "nobody is taken any more");
        std::thread::sleep(Duration::from_millis(5));
    }
    guard.check(&mut broker)?;
    Ok(broker)
}

fn open_files(broker: &Broker) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{}/fd", broker.pid()))?.count())
}

fn reset_on_close(raw: &Raw) -> Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: the pointer is to a live `linger` of the size that is passed, and the descriptor is open.
    let result = unsafe {
        libc::setsockopt(raw.stream().as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), size)
    };
    ensure!(result == 0, "SO_LINGER: {}", std::io::Error::last_os_error());
    Ok(())
}

const TAKERS: usize = 20;
const FETCHES: usize = 500;
const VALUE_BYTES: usize = 500_000;
const VALUES: usize = 16;

fn fetch() -> FetchRequest {
    let partition = FetchPartition::default().with_current_leader_epoch(-1).with_partition_max_bytes(64 << 20);
    let topic = FetchTopic::default().with_topic(raw::topic_name("large")).with_partitions(vec![partition]);
    let request = FetchRequest::default().with_replica_id(BrokerId(-1)).with_max_wait_ms(100).with_min_bytes(1);
    request.with_max_bytes(64 << 20).with_session_epoch(-1).with_topics(vec![topic])
}

/// Clients that ask for 8 MB five hundred times without reading one answer. One of them reads in the end, and finds its
/// answers complete and in order.
pub fn never_reads(broker: &mut Broker) -> Result<()> {
    let mut guard = Guard::new(broker)?;
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic("large", 1, &[])?;
    let mut random = Bytes::new(3);
    for _ in 0..VALUES {
        let found = raw.produce("large", Batch::of(&[&random.take(VALUE_BYTES)]).encode())?;
        ensure!(found.error_code == 0, "a batch was refused: {}", found.error_code);
    }
    let mut takers = Vec::new();
    for _ in 0..TAKERS {
        let mut taker = Raw::connect(broker.port())?;
        // The broker stops reading once it may not queue more answers; then this client's requests stop, too.
        taker.stream().set_write_timeout(Some(Duration::from_millis(500)))?;
        for _ in 0..FETCHES {
            taker.post(&fetch(), 5)?;
        }
        takers.push(taker);
    }
    // What is in memory of the log's newest part is shared by all of them.
    guard.check_within(broker, 64 << 20)?;
    for id in 1..=10_i32 {
        let frame = takers[0].frame()?;
        ensure!(frame.starts_with(&id.to_be_bytes()), "the answer to {id} is missing");
        ensure!(frame.len() > VALUES * VALUE_BYTES, "the answer to {id} has {} bytes", frame.len());
    }
    drop(takers);
    guard.check_within(broker, 64 << 20)
}
