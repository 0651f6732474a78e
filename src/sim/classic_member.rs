//! A member of the classic protocol: it joins, as leader it divides by ranges, it commits, leaves and comes again.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::member::{self, Member, group_id};
use super::oracle::groups::Owned;
use super::oracle::offsets::{Before, Slot};
use super::plan::{GroupPlan, HEARTBEAT_MS, REBALANCE_MS, SESSION_MS};
use super::scene::{Actor, Known, Scene, text};
use super::wire::{Got, Wire, decode};
use crate::model::{ErrorCode, Instant};

const JOIN: i16 = 9;
const SYNC: i16 = 5;
const HEARTBEAT: i16 = 4;
const LEAVE: i16 = 5;
/// A JoinGroup waits for the others.
const PATIENCE_MS: u64 = REBALANCE_MS + 15_000;
const BACKOFF_MS: u64 = 100;
const AWAY_MS: u64 = 2000;

#[derive(PartialEq, Debug)]
enum Asked {
    Nothing,
    Find,
    Join,
    Sync,
    Heartbeat,
    Commit(Slot, i64),
    Look(Slot, Before),
    Leave,
}

/// What a leader has divided: how many partitions each topic had then.
///
/// A leader divides a generation once. The answer to its SyncGroup may be lost on the way while the request is not: it
/// then joins again, gets the same generation for an answer, and syncs a second time; where the first SyncGroup comes
/// only now it is the one that counts, as the second one finds the group stable and is answered with what there is.
/// This is Apache Kafka's way too (`classicGroupJoinExistingMember`, `classicGroupSyncToClassicGroup`). A leader that had
/// seen new partitions in between and believed to have divided them, as Java's may, would not come back for them.
struct Divided {
    id: String,
    generation: i32,
    partitions: BTreeMap<String, i32>,
}

/// See the module.
pub(super) struct ClassicMember {
    plan: GroupPlan,
    number: usize,
    wire: Wire,
    asked: Asked,
    has_found: bool,
    id: String,
    generation: i32,
    owned: Option<Owned>,
    divided: Option<Divided>,
    due: Instant,
}

impl ClassicMember {
    pub(super) fn new(plan: GroupPlan, number: usize) -> ClassicMember {
        ClassicMember {
            plan,
            number,
            wire: Wire::default(),
            asked: Asked::Nothing,
            has_found: false,
            id: String::new(),
            generation: -1,
            owned: None,
            divided: None,
            due: Instant(0),
        }
    }

    fn ask(&mut self, scene: &mut Scene<'_>) {
        self.due = scene.some_time(HEARTBEAT_MS / 2, HEARTBEAT_MS);
        // A leader that sees more partitions than it has divided joins again, as real ones do.
        let seen = scene.partitions_of(&self.plan.topics);
        if self.divided.as_ref().is_some_and(|divided| divided.partitions != seen) {
            self.owned = None;
        }
        let asked = if !self.has_found {
            member::find(scene, &mut self.wire, &self.plan.name).map(|_| Asked::Find)
        } else if self.owned.is_none() {
            self.join(scene)
        } else {
            self.live(scene)
        };
        self.asked = asked.unwrap_or(Asked::Nothing);
    }

    /// A stable member's choice.
    fn live(&mut self, scene: &mut Scene<'_>) -> Option<Asked> {
        let owned = self.owned.clone().unwrap_or_default();
        match scene.random.below(if scene.is_resting { 3 } else { 40 }) {
            2 if !owned.is_empty() => {
                let slot = owned.first()?.clone();
                let before = member::look(scene, &mut self.wire, &self.plan.name, &slot)?;
                Some(Asked::Look(slot, before))
            }
            3 => self.leave(scene),
            4.. if !owned.is_empty() => {
                let as_who = (self.id.as_str(), self.generation);
                let (slot, offset) = member::commit(scene, &mut self.wire, &self.plan.name, as_who, &owned)?;
                Some(Asked::Commit(slot, offset))
            }
            _ => self.heartbeat(scene),
        }
    }

    fn heartbeat(&mut self, scene: &mut Scene<'_>) -> Option<Asked> {
        let request = HeartbeatRequest::default()
            .with_group_id(group_id(&self.plan.name))
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id));
        self.wire.post(scene, HEARTBEAT, &request).map(|_| Asked::Heartbeat)
    }

    fn leave(&mut self, scene: &mut Scene<'_>) -> Option<Asked> {
        let who = MemberIdentity::default().with_member_id(text(&self.id));
        let request = LeaveGroupRequest::default().with_group_id(group_id(&self.plan.name)).with_members(vec![who]);
        member::note(scene, &self.plan.name, || format!("{} leaves", self.id));
        self.owned = None;
        self.wire.post(scene, LEAVE, &request).map(|_| Asked::Leave)
    }

    fn join(&mut self, scene: &mut Scene<'_>) -> Option<Asked> {
        let topics = scene.partitions_of(&self.plan.topics).into_keys().map(text).collect();
        let subscription = ConsumerProtocolSubscription::default().with_topics(topics);
        let protocol =
            JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(versioned(&subscription));
        let request = JoinGroupRequest::default()
            .with_group_id(group_id(&self.plan.name))
            .with_session_timeout_ms(SESSION_MS as i32)
            .with_rebalance_timeout_ms(REBALANCE_MS as i32)
            .with_member_id(text(&self.id))
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        self.wire.post(scene, JOIN, &request).map(|_| Asked::Join)
    }

    fn joined(&mut self, scene: &mut Scene<'_>, body: Bytes) {
        let Some(response) = decode::<JoinGroupRequest>(scene, JOIN, body) else { return };
        let asked = || format!("JoinGroup of {} (in {})", self.id, response.generation_id);
        match member::error(scene, &self.plan.name, asked, response.error_code) {
            ErrorCode::None => {}
            ErrorCode::MemberIdRequired => {
                self.id = response.member_id.to_string();
                self.asked = self.join(scene).unwrap_or(Asked::Nothing);
                return;
            }
            error => return self.lose(scene, error),
        }
        self.id = response.member_id.to_string();
        self.generation = response.generation_id;
        let assignments = if response.leader == response.member_id {
            self.divide(scene, &response)
        } else {
            self.divided = None;
            Vec::new()
        };
        let request = SyncGroupRequest::default()
            .with_group_id(group_id(&self.plan.name))
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id))
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
            .with_assignments(assignments);
        if self.wire.post(scene, SYNC, &request).is_some() {
            self.asked = Asked::Sync;
        }
    }

    /// `RangeAssignor`, of members that all subscribe to the same.
    fn divide(&mut self, scene: &Scene<'_>, response: &JoinGroupResponse) -> Vec<SyncGroupRequestAssignment> {
        let mut members: Vec<_> = response.members.iter().map(|member| member.member_id.to_string()).collect();
        members.sort();
        let mut shares: BTreeMap<&String, Vec<TopicPartition>> = members.iter().map(|id| (id, Vec::new())).collect();
        let divided = self.divided.take().filter(|one| one.id == self.id && one.generation == self.generation);
        let divided = divided.unwrap_or_else(|| Divided {
            id: self.id.clone(),
            generation: self.generation,
            partitions: scene.partitions_of(&self.plan.topics),
        });
        for (topic, partitions) in &divided.partitions {
            let mut share: BTreeMap<&String, Vec<i32>> = BTreeMap::new();
            for partition in 0..*partitions {
                let at = partition as usize * members.len() / *partitions as usize;
                share.entry(&members[at]).or_default().push(partition);
            }
            for (member, partitions) in share {
                let some = TopicPartition::default().with_topic(TopicName(text(topic))).with_partitions(partitions);
                shares.entry(member).or_default().push(some);
            }
        }
        self.divided = Some(divided);
        let assignment = |(member, share): (&String, Vec<TopicPartition>)| {
            let assignment = ConsumerProtocolAssignment::default().with_assigned_partitions(share);
            SyncGroupRequestAssignment::default().with_member_id(text(member)).with_assignment(versioned(&assignment))
        };
        shares.into_iter().map(assignment).collect()
    }

    fn synced(&mut self, scene: &mut Scene<'_>, body: Bytes) {
        let Some(response) = decode::<SyncGroupRequest>(scene, SYNC, body) else { return };
        let asked = || format!("SyncGroup of {} in {}", self.id, self.generation);
        match member::error(scene, &self.plan.name, asked, response.error_code) {
            ErrorCode::None => {}
            error => return self.lose(scene, error),
        }
        let owned = owned_by(response.assignment);
        let (generation, id) = (self.generation, &self.id);
        member::note(scene, &self.plan.name, || format!("{id} owns {owned:?} in {generation}"));
        scene.oracle.judge_group(&self.plan.name, |group| group.assigned(generation, id, &owned));
        self.owned = Some(owned);
    }

    /// Back to the beginning, as who it is or as somebody new.
    fn lose(&mut self, scene: &Scene<'_>, error: ErrorCode) {
        match error {
            ErrorCode::None => return,
            ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration | ErrorCode::GroupIdNotFound => self.id.clear(),
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => self.has_found = false,
            _ => {}
        }
        // Where only the storage has trouble it is still a member.
        if !matches!(error, ErrorCode::KafkaStorageError | ErrorCode::RequestTimedOut) {
            self.owned = None;
        }
        self.due = scene.in_ms(BACKOFF_MS);
    }

    fn take_in(&mut self, scene: &mut Scene<'_>, body: Bytes) {
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Nothing => {}
            Asked::Find => self.has_found = member::found(scene, &self.plan.name, body),
            Asked::Join => self.joined(scene, body),
            Asked::Sync => self.synced(scene, body),
            Asked::Heartbeat => {
                let Some(response) = decode::<HeartbeatRequest>(scene, HEARTBEAT, body) else { return };
                let asked = || format!("Heartbeat of {} in {}", self.id, self.generation);
                let error = member::error(scene, &self.plan.name, asked, response.error_code);
                self.lose(scene, error);
            }
            Asked::Commit(slot, offset) => {
                let error = member::committed(scene, &self.plan.name, &slot, offset, body);
                self.lose(scene, error);
            }
            Asked::Look(slot, before) => {
                member::looked(scene, &self.plan.name, &slot, before, body);
            }
            Asked::Leave => {
                decode::<LeaveGroupRequest>(scene, LEAVE, body);
                self.id.clear();
                self.due = scene.some_time(0, AWAY_MS);
            }
        }
    }
}

/// A message of the consumer protocol behind its version.
fn versioned(message: &impl Encodable) -> Bytes {
    let mut bytes = BytesMut::from(&[0, 0][..]);
    message.encode(&mut bytes, 0).expect("it can be encoded");
    bytes.freeze()
}

fn owned_by(mut assignment: Bytes) -> Owned {
    if assignment.len() < 2 {
        return Owned::new();
    }
    let _version = assignment.split_to(2);
    let decoded = ConsumerProtocolAssignment::decode(&mut assignment, 0).unwrap_or_default();
    let of_topic = |topic: TopicPartition| {
        let name = topic.topic.to_string();
        topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
    };
    decoded.assigned_partitions.into_iter().flat_map(of_topic).collect()
}

impl Actor for ClassicMember {
    fn act(&mut self, scene: &mut Scene<'_>) {
        loop {
            match self.wire.poll(scene) {
                Got::Nothing => break,
                Got::Answer(_, body) => self.take_in(scene, body),
                Got::Lost => self.asked = Asked::Nothing,
            }
        }
        self.wire.lose_patience(scene.now, PATIENCE_MS);
        if !self.wire.is_waiting() {
            self.asked = Asked::Nothing;
        }
        if self.asked == Asked::Nothing && scene.now >= self.due {
            self.ask(scene);
        }
    }

    fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn is_settled(&self, _: &[Known]) -> bool {
        self.owned.is_some()
    }

    fn name(&self) -> String {
        format!("classic member {} of {}", self.number, self.plan.name)
    }
}

impl Member for ClassicMember {
    fn group(&self) -> &str {
        &self.plan.name
    }

    fn standing(&self) -> Option<(String, i32, Owned)> {
        self.owned.clone().map(|owned| (self.id.clone(), self.generation, owned))
    }
}
