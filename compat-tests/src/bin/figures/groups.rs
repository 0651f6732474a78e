//! What groups cost: how long a group of a thousand members takes to share a thousand partitions, from nothing, with each
//! protocol, and how many offset commits a second the broker takes at what price. One thread speaks for all members, each on
//! a connection of its own, and says what a client says, as soon as it may: the broker is what is measured.

use crate::median;
use bytes::Bytes;
use compat_tests::broker::{Broker, Setup};
use compat_tests::raw::{Raw, text, topic_name};
use compat_tests::{Context, Result, bail, ensure};
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, FindCoordinatorRequest, GroupId, HeartbeatRequest,
    HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, OffsetCommitRequest, OffsetCommitResponse, ResponseHeader,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion, StrBytes};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

const MEMBERS: usize = 1000;
const PARTITIONS: usize = 1000;
const SETTLES_WITHIN: Duration = Duration::from_secs(300);
/// As clients do by default.
const HEARTBEAT: Duration = Duration::from_secs(3);
const COMMITS: usize = 40_000;
const COMMITTERS: usize = 8;
/// Commits that a connection has under way.
const IN_FLIGHT: usize = 8;
/// As many partitions each commit names.
const PER_COMMIT: i32 = 10;

const JOIN: i16 = 9;
const SYNC: i16 = 5;
const BEAT: i16 = 4;
const CONSUMER_BEAT: i16 = 1;
const COMMIT: i16 = 8;
const MEMBER_ID_REQUIRED: i16 = 79;
const REBALANCE_IN_PROGRESS: i16 = 27;

pub fn measure(shards: u32, rounds: usize) -> Result<()> {
    println!("groups: {MEMBERS} members, {PARTITIONS} partitions, default configuration, {rounds} rounds");
    let setups = [Setup::klamm("uring", shards), Setup::klamm("epoll", shards), Setup::kafka()];
    for setup in setups {
        // All members of one group at once, and room for the first of them to wait for the last.
        let broker = Broker::start(&setup.with(&[("group.consumer.max.size", "1000")]))?;
        let mut raw = Raw::connect(broker.port())?;
        raw.create_topic("wide", PARTITIONS as i32, &[])?;
        await_coordinator(&mut raw)?;
        let name = broker.setup().name();
        for protocol in [Protocol::Classic, Protocol::Consumer] {
            let mut found = Vec::new();
            for round in 0..rounds {
                let used = broker.processor_time()?;
                let took = settle(&broker, &mut raw, protocol, &format!("{protocol:?}-{round}"))?;
                found.push((took.as_secs_f64(), (broker.processor_time()? - used).as_secs_f64()));
            }
            let (times, costs): (Vec<f64>, Vec<f64>) = found.into_iter().unzip();
            println!(
                "{name:>8}: {protocol:?}: settled after {:.2} s, {:.2} s of the broker's processors (medians of {rounds}; {times:.2?})",
                median(&times),
                median(&costs)
            );
        }
        let mut found = Vec::new();
        // The JVM compiles what it has seen often: the first two rounds do not count.
        for round in 0..rounds + 2 {
            let (speed, cost) = commits(&broker)?;
            if round >= 2 {
                found.push((speed, cost));
            }
        }
        let (speeds, costs): (Vec<f64>, Vec<f64>) = found.into_iter().unzip();
        println!(
            "{name:>8}: {:.0} offset commits/s of {PER_COMMIT} partitions, {:.1} us of the broker's processors per commit (medians)",
            median(&speeds),
            median(&costs)
        );
        broker.finish(None)?;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Protocol {
    Classic,
    Consumer,
}

/// `__consumer_offsets` is made at its first use; Apache Kafka takes a while for it.
fn await_coordinator(raw: &mut Raw) -> Result<()> {
    let deadline = Instant::now() + SETTLES_WITHIN;
    loop {
        let request = FindCoordinatorRequest::default().with_key(text("any")).with_key_type(0);
        if raw.call(&request, 3)?.error_code == 0 && commit_once(raw)? == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "no coordinator");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

/// What a member waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaits {
    Join,
    Sync,
    Beat,
    Nothing,
}

struct Member {
    raw: Raw,
    id: StrBytes,
    /// Generation or member epoch.
    epoch: i32,
    owned: Vec<i32>,
    awaits: Awaits,
    next_beat: Instant,
    interval: Duration,
}

/// One group from nothing until every member has its share.
fn settle(broker: &Broker, raw: &mut Raw, protocol: Protocol, name: &str) -> Result<Duration> {
    let topic_id = uuid::Uuid::from_bytes(raw.topic_id("wide")?);
    let mut members = Vec::new();
    for i in 0..MEMBERS {
        let id = if protocol == Protocol::Consumer { format!("member-{i:04}") } else { String::new() };
        members.push(Member {
            raw: Raw::connect(broker.port())?,
            id: text(&id),
            epoch: 0,
            owned: Vec::new(),
            awaits: Awaits::Nothing,
            next_beat: Instant::now(),
            interval: HEARTBEAT,
        });
    }
    let began = Instant::now();
    let speech = Speech { name: group(name), protocol, topic_id };
    members.iter_mut().try_for_each(|member| speech.begin(member))?;
    while !is_settled(&members) {
        ensure!(began.elapsed() < SETTLES_WITHIN, "{name} has not settled: {}", shown(&members));
        for i in readable(&members)? {
            speech.hear(&mut members[i])?;
        }
        let now = Instant::now();
        for member in members.iter_mut().filter(|m| m.awaits == Awaits::Nothing && m.next_beat <= now) {
            speech.beat(member)?;
        }
    }
    Ok(began.elapsed())
}

/// Everybody has one partition of the thousand, none is there twice, and all are in one generation.
fn is_settled(members: &[Member]) -> bool {
    if members.iter().any(|m| m.owned.len() != PARTITIONS / MEMBERS || m.epoch != members[0].epoch) {
        return false;
    }
    let mut all: Vec<i32> = members.iter().flat_map(|m| m.owned.iter().copied()).collect();
    all.sort();
    all.dedup();
    all.len() == PARTITIONS
}

fn shown(members: &[Member]) -> String {
    let owned: usize = members.iter().map(|m| m.owned.len()).sum();
    let epochs = (members.iter().map(|m| m.epoch).min(), members.iter().map(|m| m.epoch).max());
    format!("{owned} partitions owned, epochs {epochs:?}")
}

/// The members that have an answer, or none after a moment.
fn readable(members: &[Member]) -> Result<Vec<usize>> {
    ready(members.iter().map(|member| &member.raw))
}

fn ready<'a>(connections: impl Iterator<Item = &'a Raw>) -> Result<Vec<usize>> {
    let entry = |raw: &Raw| libc::pollfd { fd: raw.stream().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut entries: Vec<libc::pollfd> = connections.map(entry).collect();
    // SAFETY: the kernel reads and writes exactly the entries of this vector.
    let found = unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, 20) };
    ensure!(found >= 0, "poll: {}", std::io::Error::last_os_error());
    Ok(entries.iter().enumerate().filter(|(_, entry)| entry.revents != 0).map(|(i, _)| i).collect())
}

fn decoded<R: Decodable + HeaderVersion>(raw: &mut Raw, version: i16) -> Result<R> {
    let mut frame = Bytes::from(raw.frame()?);
    ResponseHeader::decode(&mut frame, R::header_version(version))?;
    R::decode(&mut frame, version)
}

/// What members of one group say.
struct Speech {
    name: GroupId,
    protocol: Protocol,
    topic_id: uuid::Uuid,
}

impl Speech {
    fn begin(&self, member: &mut Member) -> Result<()> {
        match self.protocol {
            Protocol::Classic => self.join(member),
            Protocol::Consumer => self.beat(member),
        }
    }

    fn join(&self, member: &mut Member) -> Result<()> {
        let offered = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(subscription());
        let request = JoinGroupRequest::default()
            .with_group_id(self.name.clone())
            .with_session_timeout_ms(45_000)
            .with_rebalance_timeout_ms(300_000)
            .with_member_id(member.id.clone())
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![offered]);
        member.owned.clear();
        member.awaits = Awaits::Join;
        member.raw.post(&request, JOIN).map(drop)
    }

    fn beat(&self, member: &mut Member) -> Result<()> {
        member.awaits = Awaits::Beat;
        if self.protocol == Protocol::Classic {
            let request = HeartbeatRequest::default()
                .with_group_id(self.name.clone())
                .with_generation_id(member.epoch)
                .with_member_id(member.id.clone());
            return member.raw.post(&request, BEAT).map(drop);
        }
        let mut request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(self.name.clone())
            .with_member_id(member.id.clone())
            .with_member_epoch(member.epoch)
            .with_rebalance_timeout_ms(300_000)
            .with_subscribed_topic_names(Some(vec![topic_name("wide")]));
        let owned = match member.owned.is_empty() {
            true => Vec::new(),
            false => {
                vec![TopicPartitions::default().with_topic_id(self.topic_id).with_partitions(member.owned.clone())]
            }
        };
        request.topic_partitions = Some(owned);
        member.raw.post(&request, CONSUMER_BEAT).map(drop)
    }

    fn hear(&self, member: &mut Member) -> Result<()> {
        match member.awaits {
            Awaits::Join => self.hear_join(member),
            Awaits::Sync => self.hear_sync(member),
            Awaits::Beat if self.protocol == Protocol::Classic => self.hear_beat(member),
            Awaits::Beat => self.hear_consumer_beat(member),
            Awaits::Nothing => bail!("an answer that nobody has asked for, or a closed connection"),
        }
    }

    fn hear_join(&self, member: &mut Member) -> Result<()> {
        let answer: JoinGroupResponse = decoded(&mut member.raw, JOIN)?;
        member.id = answer.member_id.clone();
        if answer.error_code == MEMBER_ID_REQUIRED {
            return self.join(member);
        }
        ensure!(answer.error_code == 0, "JoinGroup: error {}", answer.error_code);
        member.epoch = answer.generation_id;
        let share = |(i, other): (usize, &kafka_protocol::messages::join_group_response::JoinGroupResponseMember)| {
            let mine = (i..PARTITIONS).step_by(answer.members.len()).flat_map(|p| (p as i32).to_be_bytes());
            SyncGroupRequestAssignment::default()
                .with_member_id(other.member_id.clone())
                .with_assignment(mine.collect::<Vec<u8>>().into())
        };
        let request = SyncGroupRequest::default()
            .with_group_id(self.name.clone())
            .with_generation_id(member.epoch)
            .with_member_id(member.id.clone())
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
            .with_assignments(answer.members.iter().enumerate().map(share).collect());
        member.awaits = Awaits::Sync;
        member.raw.post(&request, SYNC).map(drop)
    }

    fn hear_sync(&self, member: &mut Member) -> Result<()> {
        let answer: SyncGroupResponse = decoded(&mut member.raw, SYNC)?;
        if answer.error_code == REBALANCE_IN_PROGRESS {
            return self.join(member);
        }
        ensure!(answer.error_code == 0, "SyncGroup: error {}", answer.error_code);
        let partitions = answer.assignment.chunks_exact(4).map(|p| i32::from_be_bytes(p.try_into().expect("four")));
        member.owned = partitions.collect();
        self.rest(member);
        Ok(())
    }

    fn rest(&self, member: &mut Member) {
        member.awaits = Awaits::Nothing;
        member.next_beat = Instant::now() + member.interval;
    }

    fn hear_beat(&self, member: &mut Member) -> Result<()> {
        let answer: HeartbeatResponse = decoded(&mut member.raw, BEAT)?;
        match answer.error_code {
            0 => self.rest(member),
            REBALANCE_IN_PROGRESS => return self.join(member),
            error => bail!("Heartbeat: error {error}"),
        }
        Ok(())
    }

    /// A member takes what it is given, gives up what it is not given any more, and says so at once.
    fn hear_consumer_beat(&self, member: &mut Member) -> Result<()> {
        let answer: ConsumerGroupHeartbeatResponse = decoded(&mut member.raw, CONSUMER_BEAT)?;
        ensure!(answer.error_code == 0, "ConsumerGroupHeartbeat: error {}", answer.error_code);
        member.epoch = answer.member_epoch;
        member.interval = Duration::from_millis(answer.heartbeat_interval_ms as u64);
        let Some(assignment) = answer.assignment else {
            self.rest(member);
            return Ok(());
        };
        let given: Vec<i32> = assignment.topic_partitions.iter().flat_map(|t| t.partitions.iter().copied()).collect();
        let is_new = given != member.owned;
        member.owned = given;
        if is_new {
            return self.beat(member);
        }
        self.rest(member);
        Ok(())
    }
}

/// `ConsumerProtocolSubscription` version 0 of the one topic.
fn subscription() -> Bytes {
    let mut bytes = vec![0, 0, 0, 0, 0, 1, 0, 4];
    bytes.extend_from_slice(b"wide");
    bytes.extend_from_slice(&(-1i32).to_be_bytes());
    bytes.into()
}

fn commit_request(at: i64) -> OffsetCommitRequest {
    let partition = |index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(at)
            .with_committed_metadata(Some(StrBytes::new()))
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name("wide"))
        .with_partitions((0..PER_COMMIT).map(partition).collect());
    OffsetCommitRequest::default().with_group_id(group("commits")).with_topics(vec![topic])
}

fn commit_once(raw: &mut Raw) -> Result<i16> {
    let answer = raw.call(&commit_request(0), COMMIT)?;
    error_of(&answer)
}

fn error_of(answer: &OffsetCommitResponse) -> Result<i16> {
    let topic = answer.topics.first().context("no topic in the answer")?;
    Ok(topic.partitions.iter().map(|p| p.error_code).find(|error| *error != 0).unwrap_or(0))
}

/// Commits per second, and microseconds of the broker's processors per commit.
fn commits(broker: &Broker) -> Result<(f64, f64)> {
    let mut connections: Vec<Raw> = (0..COMMITTERS).map(|_| Raw::connect(broker.port())).collect::<Result<_>>()?;
    let (began, used) = (Instant::now(), broker.processor_time()?);
    let mut sent = 0;
    for raw in &mut connections {
        for _ in 0..IN_FLIGHT {
            raw.post(&commit_request(sent), COMMIT)?;
            sent += 1;
        }
    }
    let mut answered = 0;
    while answered < COMMITS {
        for i in ready(connections.iter())? {
            let raw = &mut connections[i];
            let answer: OffsetCommitResponse = decoded(raw, COMMIT)?;
            ensure!(error_of(&answer)? == 0, "OffsetCommit: error {}", error_of(&answer)?);
            answered += 1;
            if (sent as usize) < COMMITS {
                raw.post(&commit_request(sent), COMMIT)?;
                sent += 1;
            }
        }
    }
    let (took, used) = (began.elapsed(), broker.processor_time()? - used);
    Ok((COMMITS as f64 / took.as_secs_f64(), used.as_secs_f64() * 1e6 / COMMITS as f64))
}
