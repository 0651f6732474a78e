//! Groups of the classic protocol on the whole broker: members on connections of both shards join, commit, leave and
//! fall silent while the broker crashes and comes back.
//!
//! What must hold: nobody shares a partition with another member of the same generation, a group that settles covers all
//! partitions, and an acknowledged commit is never forgotten.

use std::collections::{BTreeMap, BTreeSet};

use super::client::Client;
use super::cluster::{Cluster, SharedCluster};
use super::stories::{TOPIC, cluster, create_topic};
use crate::codec::{Message, Reader};
use crate::io::simulated_disk::Crash;
use crate::model::{ApiKey, ErrorCode, Instant};
use crate::stdx::random::Random;
use crate::wire::api::{find_coordinator, heartbeat, join_group, leave_group, offset_commit, offset_fetch, sync_group};

const FIND: i16 = 3;
const JOIN: i16 = 5;
const SYNC: i16 = 3;
const HEARTBEAT: i16 = 3;
const LEAVE: i16 = 3;
const COMMIT: i16 = 7;
const FETCH: i16 = 7;
const GROUP: &str = "group";
const PARTITIONS: u8 = 6;
const SESSION_MS: i32 = 6000;
const HEARTBEAT_MS: u64 = 500;
/// Steps within which a group settles: several session timeouts.
const SETTLING_STEPS: u64 = 200_000;

const OVERRIDES: &[(&str, &str)] = &[("group.initial.rebalance.delay.ms", "100"), ("log.flush.interval.messages", "1")];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    Nothing,
    Find,
    Join,
    Sync,
    Heartbeat,
    Commit(u8, i64),
}

/// One member and its connection.
struct Member {
    client: Client,
    asked: Asked,
    id: String,
    generation: i32,
    /// What the last assignment gave it; `None` while it rebalances.
    owned: Option<BTreeSet<u8>>,
    due: Instant,
    commits: i64,
    /// It does nothing and answers nothing.
    is_silent: bool,
}

/// What all members were told, and what must hold of it.
#[derive(Default)]
struct Oracle {
    owners: BTreeMap<(i32, u8), String>,
    /// By partition: the largest offset whose commit was acknowledged, and the largest that was sent.
    acknowledged: BTreeMap<u8, i64>,
    sent: BTreeMap<u8, i64>,
    next_offset: i64,
}

impl Oracle {
    fn assigned(&mut self, generation: i32, member: &str, partitions: &BTreeSet<u8>) {
        for partition in partitions {
            let owner = self.owners.insert((generation, *partition), member.to_string());
            let other = owner.filter(|owner| owner != member);
            assert_eq!(other, None, "partition {partition} of generation {generation} has two owners");
        }
    }

    /// Offsets are unique, so that a later one is never mistaken for an earlier.
    fn next_commit(&mut self, partition: u8) -> i64 {
        self.next_offset += 1;
        self.sent.insert(partition, self.next_offset);
        self.next_offset
    }
}

impl Member {
    fn new(cluster: &Cluster) -> Member {
        Member {
            client: Client::connect(cluster),
            asked: Asked::Nothing,
            id: String::new(),
            generation: -1,
            owned: None,
            due: Instant(0),
            commits: 0,
            is_silent: false,
        }
    }

    /// Takes answers in and sends what is next. A cut connection is replaced.
    fn act(&mut self, cluster: &Cluster, oracle: &mut Oracle, random: &mut Random) {
        if self.is_silent {
            return;
        }
        if !self.client.pump() {
            self.client = Client::connect(cluster);
            self.asked = Asked::Nothing;
            return;
        }
        let now = cluster.world.now();
        match self.asked {
            Asked::Nothing if now >= self.due => self.ask(now, oracle, random),
            Asked::Nothing => {}
            Asked::Find => self.found(now),
            Asked::Join => self.joined(now),
            Asked::Sync => self.synced(now, oracle),
            Asked::Heartbeat => self.heard(),
            Asked::Commit(partition, offset) => self.committed(oracle, partition, offset),
        }
        self.client.pump();
    }

    fn ask(&mut self, now: Instant, oracle: &mut Oracle, random: &mut Random) {
        self.due = now + std::time::Duration::from_millis(HEARTBEAT_MS / 2 + random.below(HEARTBEAT_MS));
        let Some(owned) = &self.owned else {
            self.asked = Asked::Find;
            let request = find_coordinator::Request { key: GROUP.into(), key_type: 0, ..Default::default() };
            return self.client.send(ApiKey::FindCoordinator, FIND, &request);
        };
        let partition = owned.iter().nth(random.below(PARTITIONS.into()) as usize).copied();
        if let Some(partition) = partition {
            return self.commit(partition, oracle);
        }
        self.asked = Asked::Heartbeat;
        let request = heartbeat::Request {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.as_str().into(),
            ..Default::default()
        };
        self.client.send(ApiKey::Heartbeat, HEARTBEAT, &request);
    }

    fn commit(&mut self, partition: u8, oracle: &mut Oracle) {
        let offset = oracle.next_commit(partition);
        self.asked = Asked::Commit(partition, offset);
        let committed = offset_commit::OffsetCommitRequestPartition {
            partition_index: partition.into(),
            committed_offset: offset,
            ..Default::default()
        };
        let topic = offset_commit::OffsetCommitRequestTopic {
            name: TOPIC.into(),
            partitions: vec![committed],
            ..Default::default()
        };
        let request = offset_commit::Request {
            group_id: GROUP.into(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.id.as_str().into(),
            topics: vec![topic],
            ..Default::default()
        };
        self.client.send(ApiKey::OffsetCommit, COMMIT, &request);
    }

    fn join(&mut self) {
        self.asked = Asked::Join;
        let protocol = join_group::JoinGroupRequestProtocol { name: "turns".into(), metadata: b"m"[..].into() };
        let request = join_group::Request {
            group_id: GROUP.into(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: SESSION_MS,
            member_id: self.id.as_str().into(),
            protocol_type: "sim".into(),
            protocols: vec![protocol],
            ..Default::default()
        };
        self.client.send(ApiKey::JoinGroup, JOIN, &request);
    }

    fn rest(&mut self) {
        self.asked = Asked::Nothing;
    }

    /// Back to the beginning, as who it is or as somebody new.
    fn lose(&mut self, error: ErrorCode) {
        self.owned = None;
        self.rest();
        match error {
            ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration => self.id.clear(),
            ErrorCode::RebalanceInProgress
            | ErrorCode::NotCoordinator
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::CoordinatorLoadInProgress => {}
            other => panic!("a member was told {other}"),
        }
    }

    fn found(&mut self, _now: Instant) {
        let Some(answer) = self.client.take_answer(ApiKey::FindCoordinator, FIND) else { return };
        let response = find_coordinator::Response::decode(&mut Reader::new(&answer), FIND).unwrap();
        assert_eq!(response.error_code, 0, "{:?}", response.error_message);
        self.join();
    }

    fn joined(&mut self, _now: Instant) {
        let Some(answer) = self.client.take_answer(ApiKey::JoinGroup, JOIN) else { return };
        let response = join_group::Response::decode(&mut Reader::new(&answer), JOIN).unwrap();
        match ErrorCode::from_code(response.error_code).unwrap() {
            ErrorCode::None => {}
            ErrorCode::MemberIdRequired => {
                self.id = response.member_id.to_string();
                return self.join();
            }
            error => return self.lose(error),
        }
        self.id = response.member_id.to_string();
        self.generation = response.generation_id;
        let mut assigned: BTreeMap<String, Vec<u8>> =
            response.members.iter().map(|member| (member.member_id.to_string(), Vec::new())).collect();
        let members: Vec<String> = assigned.keys().cloned().collect();
        if !members.is_empty() {
            for partition in 0..PARTITIONS {
                assigned.get_mut(&members[usize::from(partition) % members.len()]).unwrap().push(partition);
            }
        }
        let assignment = |(member_id, partitions): (String, Vec<u8>)| sync_group::SyncGroupRequestAssignment {
            member_id: member_id.into(),
            assignment: partitions.into(),
        };
        let request = sync_group::Request {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.clone().into(),
            assignments: assigned.into_iter().map(assignment).collect(),
            ..Default::default()
        };
        self.asked = Asked::Sync;
        self.client.send(ApiKey::SyncGroup, SYNC, &request);
    }

    fn synced(&mut self, _now: Instant, oracle: &mut Oracle) {
        let Some(answer) = self.client.take_answer(ApiKey::SyncGroup, SYNC) else { return };
        let response = sync_group::Response::decode(&mut Reader::new(&answer), SYNC).unwrap();
        match ErrorCode::from_code(response.error_code).unwrap() {
            ErrorCode::None => {
                let partitions: BTreeSet<u8> = response.assignment.iter().copied().collect();
                oracle.assigned(self.generation, &self.id, &partitions);
                self.owned = Some(partitions);
                self.rest();
            }
            error => self.lose(error),
        }
    }

    fn heard(&mut self) {
        let Some(answer) = self.client.take_answer(ApiKey::Heartbeat, HEARTBEAT) else { return };
        let response = heartbeat::Response::decode(&mut Reader::new(&answer), HEARTBEAT).unwrap();
        match ErrorCode::from_code(response.error_code).unwrap() {
            ErrorCode::None => self.rest(),
            error => self.lose(error),
        }
    }

    fn committed(&mut self, oracle: &mut Oracle, partition: u8, offset: i64) {
        let Some(answer) = self.client.take_answer(ApiKey::OffsetCommit, COMMIT) else { return };
        let response = offset_commit::Response::decode(&mut Reader::new(&answer), COMMIT).unwrap();
        match ErrorCode::from_code(response.topics[0].partitions[0].error_code).unwrap() {
            ErrorCode::None => {
                self.commits += 1;
                let known = oracle.acknowledged.entry(partition).or_default();
                *known = (*known).max(offset);
                self.rest();
            }
            error => self.lose(error),
        }
    }

    fn leave(mut self, cluster: &SharedCluster) {
        if self.asked != Asked::Nothing || self.is_silent {
            return;
        }
        let member = leave_group::MemberIdentity { member_id: self.id.as_str().into(), ..Default::default() };
        let request = leave_group::Request { group_id: GROUP.into(), members: vec![member], ..Default::default() };
        self.client.call(cluster, ApiKey::LeaveGroup, LEAVE, &request);
    }
}

struct Run {
    cluster: SharedCluster,
    members: Vec<Member>,
    oracle: Oracle,
    random: Random,
}

impl Run {
    fn start(seed: u64, members: usize) -> Run {
        let cluster = cluster(seed, OVERRIDES);
        create_topic(&cluster, PARTITIONS.into());
        let members = (0..members).map(|_| Member::new(&cluster.borrow())).collect();
        Run { cluster, members, oracle: Oracle::default(), random: Random::new(seed) }
    }

    fn step(&mut self) {
        self.cluster.borrow_mut().step();
        for member in &mut self.members {
            member.act(&self.cluster.borrow(), &mut self.oracle, &mut self.random);
        }
    }

    fn settle(&mut self) {
        for _ in 0..SETTLING_STEPS {
            if self.is_settled() {
                return;
            }
            self.step();
        }
        panic!("the group does not settle");
    }

    /// All who are not silent are of one generation and own everything together.
    fn is_settled(&self) -> bool {
        let awake = || self.members.iter().filter(|member| !member.is_silent);
        let owned: Vec<u8> = awake().flat_map(|member| member.owned.iter().flatten()).copied().collect();
        let generations: BTreeSet<i32> = awake().map(|member| member.generation).collect();
        let all = awake().all(|member| member.owned.is_some());
        all && generations.len() == 1 && owned.len() == usize::from(PARTITIONS)
    }

    /// Everything that was acknowledged is there, or something that was committed later.
    fn check_commits(&self) {
        let mut client = Client::connect(&self.cluster.borrow());
        let topic = offset_fetch::OffsetFetchRequestTopic {
            name: TOPIC.into(),
            partition_indexes: (0..PARTITIONS.into()).collect(),
        };
        let request = offset_fetch::Request { group_id: GROUP.into(), topics: Some(vec![topic]), ..Default::default() };
        let answer = client.call(&self.cluster, ApiKey::OffsetFetch, FETCH, &request);
        let response = offset_fetch::Response::decode(&mut Reader::new(&answer), FETCH).unwrap();
        assert_eq!(response.error_code, 0);
        for partition in &response.topics[0].partitions {
            let index = partition.partition_index as u8;
            let least = self.oracle.acknowledged.get(&index).copied().unwrap_or(-1);
            let most = self.oracle.sent.get(&index).copied().unwrap_or(-1);
            let found = partition.committed_offset;
            assert!((least..=most).contains(&found), "partition {index}: {found} is not in {least}..={most}");
        }
    }

    fn crash(&mut self, crash: Crash) {
        self.cluster.borrow_mut().crash(crash);
        self.cluster.borrow_mut().restart();
        self.step();
    }
}

#[test]
fn a_group_settles_through_joins_leaves_and_silence() {
    for seed in 0..6 {
        let mut run = Run::start(seed, 3);
        run.settle();
        let newcomer = Member::new(&run.cluster.borrow());
        run.members.push(newcomer);
        run.settle();
        run.members.remove(0).leave(&run.cluster);
        run.settle();
        run.members[0].is_silent = true;
        run.settle();
        run.check_commits();
    }
}

#[test]
fn commits_and_groups_survive_crashes() {
    for seed in 0..6 {
        let mut run = Run::start(seed, 3);
        run.settle();
        for crash in [Crash::Process, Crash::Power, Crash::Torn { seed }] {
            for _ in 0..5_000 + run.random.below(20_000) {
                run.step();
            }
            run.crash(crash);
            run.check_commits();
            run.settle();
        }
        assert!(run.members.iter().any(|member| member.commits > 0), "nobody has committed anything");
    }
}
