//! A member of the consumer protocol (KIP-848): heartbeats that say what it has, and an assignment that it follows.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::consumer_group_heartbeat_response::Assignment;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, TopicName};

use super::history::Object;
use super::member::{self, Member, group_id};
use super::oracle::groups::Owned;
use super::oracle::offsets::{Before, Slot};
use super::plan::{GroupPlan, HEARTBEAT_MS, REBALANCE_MS, SESSION_MS};
use super::scene::{Actor, Known, Scene, text};
use super::wire::{Got, Wire, decode};
use crate::model::{ErrorCode, Instant};

const HEARTBEAT: i16 = 1;
const LEAVE_EPOCH: i32 = -1;
const PATIENCE_MS: u64 = 15_000;
const BACKOFF_MS: u64 = 100;
const AWAY_MS: u64 = 2000;

#[derive(PartialEq)]
enum Asked {
    Nothing,
    Find,
    /// When it was sent.
    Heartbeat(Instant),
    Commit(Slot, i64),
    Look(Slot, Before),
    Leave,
}

/// See the module.
pub(super) struct ConsumerMember {
    plan: GroupPlan,
    number: usize,
    wire: Wire,
    asked: Asked,
    has_found: bool,
    /// How often it has begun: each time as somebody new.
    lives: u32,
    epoch: i32,
    owned: Owned,
    /// The next heartbeat says everything.
    says_all: bool,
    /// The next heartbeat says what it owns.
    says_owned: bool,
    due: Instant,
}

impl ConsumerMember {
    pub(super) fn new(plan: GroupPlan, number: usize) -> ConsumerMember {
        ConsumerMember {
            plan,
            number,
            wire: Wire::default(),
            asked: Asked::Nothing,
            has_found: false,
            lives: 0,
            epoch: 0,
            owned: Owned::new(),
            says_all: true,
            says_owned: false,
            due: Instant(0),
        }
    }

    fn id(&self) -> String {
        format!("member-{}-{}", self.number, self.lives)
    }

    fn ask(&mut self, scene: &mut Scene<'_>) {
        self.due = scene.some_time(HEARTBEAT_MS / 2, HEARTBEAT_MS);
        let choice = scene.random.below(if scene.is_resting { 8 } else { 40 });
        let is_in = self.epoch > 0;
        let asked = if !self.has_found {
            member::find(scene, &mut self.wire, &self.plan.name).map(|_| Asked::Find)
        } else if is_in && choice == 8 {
            self.leave(scene)
        } else if is_in && choice < 3 && !self.owned.is_empty() {
            let (id, epoch) = (self.id(), self.epoch);
            let committed = member::commit(scene, &mut self.wire, &self.plan.name, (&id, epoch), &self.owned);
            committed.map(|(slot, offset)| Asked::Commit(slot, offset))
        } else if is_in && choice == 3 && !self.owned.is_empty() {
            self.look(scene)
        } else {
            self.heartbeat(scene)
        };
        self.asked = asked.unwrap_or(Asked::Nothing);
    }

    fn look(&mut self, scene: &mut Scene<'_>) -> Option<Asked> {
        let slot = self.owned.first()?.clone();
        let before = member::look(scene, &mut self.wire, &self.plan.name, &slot)?;
        Some(Asked::Look(slot, before))
    }

    fn request(&self, epoch: i32) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group_id(&self.plan.name))
            .with_member_id(text(self.id()))
            .with_member_epoch(epoch)
            .with_rebalance_timeout_ms(-1)
            .with_subscribed_topic_names(None)
            .with_topic_partitions(None)
    }

    fn heartbeat(&mut self, scene: &mut Scene<'_>) -> Option<Asked> {
        let mut request = self.request(self.epoch);
        let says_all = self.says_all || self.epoch == 0;
        if says_all {
            let topics = scene.partitions_of(&self.plan.topics).into_keys();
            let names = topics.map(|topic| TopicName(text(topic))).collect();
            request = request.with_rebalance_timeout_ms(REBALANCE_MS as i32).with_subscribed_topic_names(Some(names));
        }
        if says_all || self.says_owned {
            request = request.with_topic_partitions(Some(by_topic(scene, &self.owned)));
        }
        let says_owned = request.topic_partitions.is_some();
        let (id, epoch, owned) = (self.id(), self.epoch, &self.owned);
        member::note(scene, &self.plan.name, || {
            format!("{id} in {epoch} beats, owns {owned:?}, says so: {says_owned}")
        });
        self.wire.post(scene, HEARTBEAT, &request)?;
        scene.oracle.judge_group(&self.plan.name, |group| {
            group.speaks(&id);
            if epoch == 0 {
                group.joins(&id);
            }
            Ok(())
        });
        Some(Asked::Heartbeat(scene.now))
    }

    fn leave(&mut self, scene: &mut Scene<'_>) -> Option<Asked> {
        let request = self.request(LEAVE_EPOCH);
        self.let_go(scene);
        self.wire.post(scene, HEARTBEAT, &request).map(|_| Asked::Leave)
    }

    fn let_go(&mut self, scene: &mut Scene<'_>) {
        let id = self.id();
        member::note(scene, &self.plan.name, || format!("{id} lets go of everything"));
        scene.oracle.judge_group(&self.plan.name, |group| {
            group.released(&id);
            Ok(())
        });
        self.owned.clear();
        self.epoch = 0;
        self.says_all = true;
    }

    fn heard(&mut self, scene: &mut Scene<'_>, sent: Instant, body: Bytes) {
        let Some(response) = decode::<ConsumerGroupHeartbeatRequest>(scene, HEARTBEAT, body) else { return };
        let asked = || format!("heartbeat of {} in {}", self.id(), self.epoch);
        let error = member::error(scene, &self.plan.name, asked, response.error_code);
        if error != ErrorCode::None {
            return self.lose(scene, error);
        }
        (self.says_all, self.says_owned) = (false, false);
        self.epoch = response.member_epoch;
        if let Some(assignment) = response.assignment {
            let Some(target) = self.target(scene, assignment) else { return };
            self.says_owned = target != self.owned;
            self.owned = target;
            if self.says_owned {
                self.due = scene.now;
            }
        }
        let (id, epoch, owned) = (self.id(), self.epoch, &self.owned);
        member::note(scene, &self.plan.name, || format!("{id} owns {owned:?} in {epoch}"));
        let times = (scene.now, sent + Duration::from_millis(SESSION_MS));
        scene.oracle.judge_group(&self.plan.name, |group| group.holds(&id, epoch, owned, times));
    }

    fn target(&self, scene: &mut Scene<'_>, assignment: Assignment) -> Option<Owned> {
        let mut target = Owned::new();
        for topic in assignment.topic_partitions {
            let Some(name) = scene.topic_of(topic.topic_id).map(|known| known.plan.name.clone()) else {
                let object = Object::Group(self.plan.name.clone());
                let text = format!("{} of {}", topic.topic_id, self.id());
                return scene.violated("a member is given topics of its subscription", &[object], text);
            };
            target.extend(topic.partitions.into_iter().map(|partition| (name.clone(), partition)));
        }
        Some(target)
    }

    fn lose(&mut self, scene: &mut Scene<'_>, error: ErrorCode) {
        self.due = scene.in_ms(BACKOFF_MS);
        self.says_all = true;
        match error {
            ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch | ErrorCode::GroupIdNotFound => {
                self.let_go(scene);
                self.lives += 1;
            }
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => self.has_found = false,
            _ => {}
        }
    }

    fn take_in(&mut self, scene: &mut Scene<'_>, body: Bytes) {
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Nothing => {}
            Asked::Find => self.has_found = member::found(scene, &self.plan.name, body),
            Asked::Heartbeat(sent) => self.heard(scene, sent, body),
            Asked::Commit(slot, offset) => {
                let error = member::committed(scene, &self.plan.name, &slot, offset, body);
                // An epoch that is not the coordinator's is settled by the next heartbeat.
                if !matches!(error, ErrorCode::None | ErrorCode::StaleMemberEpoch) {
                    self.lose(scene, error);
                }
            }
            Asked::Look(slot, before) => {
                member::looked(scene, &self.plan.name, &slot, before, body);
            }
            Asked::Leave => {
                decode::<ConsumerGroupHeartbeatRequest>(scene, HEARTBEAT, body);
                self.lives += 1;
                self.due = scene.some_time(0, AWAY_MS);
            }
        }
    }
}

fn by_topic(scene: &Scene<'_>, owned: &Owned) -> Vec<TopicPartitions> {
    let of_topic = |known: &Known| {
        let name = &known.plan.name;
        let partitions: Vec<i32> = owned.iter().filter(|(topic, _)| topic == name).map(|(_, p)| *p).collect();
        let topic = TopicPartitions::default().with_topic_id(known.id).with_partitions(partitions);
        (!topic.partitions.is_empty()).then_some(topic)
    };
    scene.topics.iter().filter_map(of_topic).collect()
}

impl Actor for ConsumerMember {
    fn act(&mut self, scene: &mut Scene<'_>) {
        loop {
            match self.wire.poll(scene) {
                Got::Nothing => break,
                Got::Answer(_, body) => self.take_in(scene, body),
                Got::Lost => {}
            }
        }
        self.wire.lose_patience(scene.now, PATIENCE_MS);
        if !self.wire.is_waiting() && self.asked != Asked::Nothing {
            // Nobody knows what became of it.
            if self.asked == Asked::Leave {
                self.lives += 1;
            }
            (self.asked, self.says_all) = (Asked::Nothing, true);
        }
        if self.asked == Asked::Nothing && scene.now >= self.due {
            self.ask(scene);
        }
    }

    fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn is_settled(&self, _: &[Known]) -> bool {
        self.epoch > 0
    }

    fn name(&self) -> String {
        format!("member {} of {}", self.number, self.plan.name)
    }
}

impl Member for ConsumerMember {
    fn group(&self) -> &str {
        &self.plan.name
    }

    fn standing(&self) -> Option<(String, i32, Owned)> {
        (self.epoch > 0 && !self.says_owned).then(|| (self.id(), self.epoch, self.owned.clone()))
    }
}
