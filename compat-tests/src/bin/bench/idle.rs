//! What a broker costs when nobody wants anything: after its start, with many partitions, with many connections.

use crate::doors::{Certificates, Door, Doors};
use crate::drive::Idle;
use crate::grid::{Beside, Measure, modest};
use crate::meter::{Meter, anonymous_bytes};
use crate::peer::{Kind, Peer};
use crate::report::Report;
use crate::run::Run;
use compat_tests::raw::{Raw, topic_name};
use compat_tests::{Context, Result, ensure};
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 10_000;
/// Of these, those that stay while a load is measured.
const CONNECTIONS_BESIDE: usize = 5_000;
const PARTITIONS: i32 = 10_000;
const PARTITIONS_OF_A_TOPIC: i32 = 1_000;
/// Before the processor is looked at, and for how long it is.
const SETTLE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_secs(3);

/// The last version that names topics.
const FETCH_VERSION: i16 = 12;

pub const GROUP: &str = "idle";
pub const SECURED: &str = "secured: idle";

/// Once, as a first round.
const ROUND: usize = 0;

pub fn measure(run: &Run, kind: Kind, report: &mut Report) -> Result<()> {
    let began = Instant::now();
    let peer = Peer::start(kind, &run.broker, &[])?;
    Raw::connect(peer.port())?.api_versions()?;
    let start = began.elapsed();
    report.note(
        kind,
        GROUP,
        "from exec to the first ApiVersions answer",
        Measure::Milliseconds,
        start.as_secs_f64() * 1e3,
    );
    std::thread::sleep(SETTLE);
    let empty = anonymous_bytes(peer.pid())?;
    report.note(kind, GROUP, "memory after the start", Measure::Megabytes, empty as f64 / 1e6);
    let connections: Result<Vec<TcpStream>> = (0..CONNECTIONS).map(|_| connect(&peer)).collect();
    let mut connections = connections?;
    std::thread::sleep(SETTLE);
    let each = anonymous_bytes(peer.pid())?.saturating_sub(empty) as f64 / CONNECTIONS as f64 / 1e3;
    report.note(kind, GROUP, "memory of each of 10,000 connections", Measure::Kilobytes, each);
    report.note(kind, GROUP, "processor with 10,000 connections", Measure::PerMille, busy(&peer)?);
    connections.truncate(CONNECTIONS_BESIDE);
    loaded(run, kind, &peer, "while 5,000 connections are idle", report)?;
    drop(connections);
    peer.finish()?;
    if kind == Kind::Tansu {
        return Ok(());
    }
    partitions(run, kind, report)
}

fn connect(peer: &Peer) -> Result<TcpStream> {
    let mut raw = Raw::connect(peer.port())?;
    raw.api_versions()?;
    Ok(raw.stream().try_clone()?)
}

/// What each connection with TLS costs a broker while its client asks for nothing.
pub fn measure_secured(run: &Run, kind: Kind, certificates: &Certificates, report: &mut Report) -> Result<()> {
    let peer = Peer::start_with_doors(kind, &run.broker, &[], Some(Doors::new(certificates)))?;
    Raw::connect(peer.port())?.api_versions()?;
    let key = peer.key(Door::Tls)?.context("there is a listener with TLS")?;
    // The first ones pay for what all share.
    let first = Idle::open(&key, CONNECTIONS / 100)?;
    std::thread::sleep(SETTLE);
    let empty = anonymous_bytes(peer.pid())?;
    let connections = Idle::open(&key, CONNECTIONS)?;
    std::thread::sleep(SETTLE);
    let each = anonymous_bytes(peer.pid())?.saturating_sub(empty) as f64 / CONNECTIONS as f64 / 1e3;
    report.note(kind, SECURED, "memory of each of 10,000 connections with TLS", Measure::Kilobytes, each);
    report.note(kind, SECURED, "processor with 10,000 connections with TLS", Measure::PerMille, busy(&peer)?);
    ensure!(first.len() + connections.len() > CONNECTIONS, "they are still open");
    drop((first, connections));
    peer.finish()
}

/// A broker that is away in between comes back with all its partitions.
fn partitions(run: &Run, kind: Kind, report: &mut Report) -> Result<()> {
    let mut peer = Peer::start(kind, &run.broker, &[])?;
    let topics = (0..PARTITIONS / PARTITIONS_OF_A_TOPIC).map(|_| run.topic(&peer, PARTITIONS_OF_A_TOPIC, &[]));
    let topics = topics.collect::<Result<Vec<_>>>()?;
    let took = peer.restart()?;
    report.note(kind, GROUP, "start with 10,000 partitions", Measure::Milliseconds, took.as_secs_f64() * 1e3);
    std::thread::sleep(SETTLE);
    let memory = anonymous_bytes(peer.pid())? as f64 / 1e6;
    report.note(kind, GROUP, "memory with 10,000 partitions", Measure::Megabytes, memory);
    report.note(kind, GROUP, "processor with 10,000 partitions", Measure::PerMille, busy(&peer)?);
    let what = "processor with a consumer that waits for 10,000 partitions";
    report.note(kind, GROUP, what, Measure::PerMille, waiting(&peer, &topics)?);
    loaded(run, kind, &peer, "among 10,000 partitions", report)?;
    peer.finish()
}

/// What a modest load sees in such a situation.
fn loaded(run: &Run, kind: Kind, peer: &Peer, situation: &str, report: &mut Report) -> Result<()> {
    run.warm_up(kind, peer, Door::Plain)?;
    let cell = modest(situation, Beside::Nothing);
    report.add(kind, ROUND, &cell, run.cell(peer, &cell));
    Ok(())
}

/// One consumer with a fetch session waits for records that do not come, as Kafka's own does: half a second each time.
fn waiting(peer: &Peer, topics: &[String]) -> Result<f64> {
    let mut raw = Raw::connect(peer.port())?;
    let partition = |number| {
        let partition = FetchPartition::default().with_partition(number).with_current_leader_epoch(-1);
        partition.with_partition_max_bytes(1 << 20)
    };
    let partitions: Vec<_> = (0..PARTITIONS_OF_A_TOPIC).map(partition).collect();
    let topic = |name: &String| FetchTopic::default().with_topic(topic_name(name)).with_partitions(partitions.clone());
    let request = FetchRequest::default().with_max_wait_ms(500).with_min_bytes(1).with_max_bytes(50 << 20);
    let first = request.clone().with_session_epoch(0).with_topics(topics.iter().map(topic).collect());
    let session = raw.call(&first, FETCH_VERSION)?.session_id;
    ensure!(session != 0, "no session was given");
    let meter = Meter::start(peer.pid())?;
    let (began, mut epoch) = (Instant::now(), 0);
    while began.elapsed() < LOOK {
        epoch += 1;
        let answer = raw.call(&request.clone().with_session_id(session).with_session_epoch(epoch), FETCH_VERSION)?;
        ensure!(answer.error_code == 0, "the fetch was refused with {}", answer.error_code);
    }
    Ok(meter.stop()?.processor_s / began.elapsed().as_secs_f64() * 1e3)
}

/// Thousandths of one processor.
fn busy(peer: &Peer) -> Result<f64> {
    let meter = Meter::start(peer.pid())?;
    std::thread::sleep(LOOK);
    Ok(meter.stop()?.processor_s / LOOK.as_secs_f64() * 1e3)
}
