//! Random members of both protocols, topics that come, grow and go, timers that go off, restarts. What must hold after
//! each step: no partition has two owners, and a replay of the log gives the same group. And when all members who are
//! left do what they shall, the group settles, with every partition at a member that wants it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::group::State;
use super::member::Current;
use super::{Group, Heartbeat};
use crate::codec::{Buffer, Message, Str};
use crate::coordinator::classic::{self, Leaving};
use crate::coordinator::consumer_protocol::ConsumerProtocolSubscription;
use crate::coordinator::consumer_protocol::consumer_protocol_subscription::TopicPartition;
use crate::coordinator::groups::{self, Groups};
use crate::coordinator::settings::MigrationPolicy;
use crate::coordinator::step::{Client, Reply, Topics, Waiter};
use crate::coordinator::story::execute;
use crate::coordinator::world::World;
use crate::model::{ErrorCode, TopicId};

type Owned = Vec<(TopicId, Vec<i32>)>;

/// A consumer and what it knows.
#[derive(Clone, Debug, Default)]
struct Consumer {
    id: String,
    instance: Option<String>,
    is_classic: bool,
    topics: Vec<&'static str>,
    regex: Option<&'static str>,
    epoch: i32,
    is_in: bool,
    /// What it was told last, and what it has not given up yet.
    assigned: Owned,
    owned: Owned,
    /// Members of the classic protocol: who waits for an answer, and whether it has to join or to sync.
    waits: Option<u64>,
    must_join: bool,
    must_sync: bool,
}

const CLIENT: Client<'static> = Client { id: "c", host: "/127.0.0.1" };

impl Consumer {
    fn joins_anew(&mut self) {
        (self.epoch, self.is_in, self.must_join, self.must_sync) = (0, false, true, false);
        (self.assigned, self.owned, self.waits) = Default::default();
    }

    fn beat(&mut self, world: &mut World, epoch: i32) {
        let joins = epoch == 0;
        let request = Heartbeat {
            client: CLIENT,
            api_version: 1,
            group_id: "g",
            member_id: &self.id,
            member_epoch: epoch,
            instance_id: self.instance.as_deref(),
            rack_id: None,
            rebalance_timeout_ms: if joins { 20_000 } else { -1 },
            subscribed_topic_names: Some(self.topics.clone()),
            subscribed_topic_regex: Some(self.regex.unwrap_or("")),
            server_assignor: None,
            topic_partitions: Some(if joins { Vec::new() } else { self.owned.clone() }),
        };
        match world.step(|groups, step| groups.consumer_heartbeat(step, &request)) {
            Ok(reply) if epoch < 0 => assert_eq!(reply.member_epoch, epoch),
            Ok(reply) => {
                (self.epoch, self.is_in) = (reply.member_epoch, true);
                if let Some(assignment) = reply.assignment {
                    self.assigned = assignment;
                }
            }
            Err(refusal) => {
                assert_ne!(refusal.error, ErrorCode::UnknownServerError, "{refusal:?}");
                self.joins_anew();
            }
        }
    }

    fn metadata(&self, world: &World) -> Vec<u8> {
        let topic = |(id, partitions): &(TopicId, Vec<i32>)| {
            let topic = Str::Owned(world.cluster.name(*id)?.to_string());
            Some(TopicPartition { topic, partitions: partitions.clone() })
        };
        let subscription = ConsumerProtocolSubscription {
            topics: self.topics.iter().map(|topic| Str::Borrowed(*topic)).collect(),
            owned_partitions: self.owned.iter().filter_map(topic).collect(),
            ..Default::default()
        };
        let mut bytes = vec![0, 1];
        subscription.write(&mut Buffer::new(&mut bytes), 1);
        bytes
    }

    fn join(&mut self, world: &mut World, waiter: u64) {
        let metadata = self.metadata(world);
        let request = classic::Join {
            client: CLIENT,
            group_id: "g",
            member_id: if self.is_in { &self.id } else { "" },
            instance_id: self.instance.as_deref(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 20_000,
            protocol_type: "consumer",
            protocols: vec![("range", &metadata)],
            reason: None,
            requires_known_member_id: false,
            supports_skipping_assignment: false,
        };
        self.waits = Some(waiter);
        world.step(|groups, step| groups.join(step, &request, Waiter { shard: 0, key: waiter }));
    }

    fn sync(&mut self, world: &mut World, waiter: u64, members: &[String]) {
        let assignments = members.iter().map(|id| (id.as_str(), &[][..])).collect();
        let request = classic::Sync {
            group_id: "g",
            generation_id: self.epoch,
            member_id: &self.id,
            instance_id: self.instance.as_deref(),
            protocol_type: None,
            protocol_name: None,
            assignments,
        };
        self.waits = Some(waiter);
        world.step(|groups, step| groups.sync(step, &request, Waiter { shard: 0, key: waiter }));
    }

    /// Takes the answers that have come.
    fn hear(&mut self, world: &mut World) {
        let Some(waits) = self.waits else { return };
        let Some(at) = world.replies.iter().position(|(waiter, _)| waiter.key == waits) else { return };
        self.waits = None;
        match world.replies.remove(at).1 {
            Reply::Join(reply) if reply.error == ErrorCode::None => {
                (self.id, self.epoch, self.is_in) = (reply.member_id, reply.generation_id, true);
                (self.must_join, self.must_sync) = (false, true);
                let members: Vec<String> = reply.members.into_iter().map(|member| member.member_id).collect();
                if !members.is_empty() {
                    self.must_sync = false;
                    self.sync(world, waits + 500_000, &members);
                }
            }
            Reply::Sync(reply) if reply.error == ErrorCode::None => {
                self.must_sync = false;
                let assignment = super::embedded::assignment(&reply.assignment, &world.cluster).unwrap().0;
                self.assigned = assignment.into_iter().map(|(topic, of)| (topic, of.into_iter().collect())).collect();
                self.owned = self.assigned.clone();
            }
            Reply::Join(classic::JoinReply { error: ErrorCode::RebalanceInProgress, .. })
            | Reply::Sync(classic::SyncReply { error: ErrorCode::RebalanceInProgress, .. }) => self.must_join = true,
            _ => self.joins_anew(),
        }
    }

    fn act_classic(&mut self, world: &mut World, waiter: u64) {
        self.hear(world);
        if self.waits.is_some() {
            return;
        }
        if self.must_join {
            self.owned = self.assigned.clone();
            self.join(world, waiter);
        } else if self.must_sync {
            self.sync(world, waiter, &[]);
        } else {
            let request = classic::Heartbeat {
                group_id: "g",
                generation_id: self.epoch,
                member_id: &self.id,
                instance_id: self.instance.as_deref(),
            };
            match world.step(|groups, step| groups.heartbeat(step, &request)) {
                ErrorCode::None => {}
                // It gives up what the coordinator wants by asking for its assignment first.
                ErrorCode::RebalanceInProgress => {
                    self.must_join = true;
                    if let Some(group) = group(&world.groups)
                        && let Some(member) = group.member(&self.id)
                    {
                        let assigned = member.current.assigned.iter();
                        self.assigned = assigned.map(|(topic, of)| (*topic, of.keys().copied().collect())).collect();
                    }
                }
                _ => self.joins_anew(),
            }
        }
        self.hear(world);
    }

    /// What a consumer does when it is its turn; `at_once`: it gives up what it shall.
    fn act(&mut self, world: &mut World, waiter: u64, at_once: bool) {
        if self.is_classic {
            return self.act_classic(world, waiter);
        }
        if at_once {
            self.owned = self.assigned.clone();
        }
        let epoch = self.epoch;
        self.beat(world, epoch);
    }

    fn leave(&mut self, world: &mut World, forever: bool) {
        match (self.is_classic, &self.instance) {
            (true, instance) => {
                let leaving = Leaving { member_id: &self.id, instance_id: instance.as_deref(), reason: None };
                let _ = world.step(|groups, step| groups.leave(step, "g", &[leaving]));
            }
            (false, Some(_)) if !forever => self.beat(world, -2),
            (false, _) => self.beat(world, -1),
        }
        self.joins_anew();
    }
}

fn group(groups: &Groups) -> Option<&Group> {
    match groups.groups.get("g") {
        Some(groups::Group::Consumer(group)) => Some(group),
        _ => None,
    }
}

fn check(world: &World) {
    let replayed = World::replay(&world.log);
    let (Some(live), Some(replayed)) = (group(&world.groups), group(&replayed)) else {
        return assert_eq!(group(&world.groups).is_some(), group(&replayed).is_some());
    };
    let persistent = |group: &Group| {
        let mut group = group.clone();
        (group.seen, group.looked) = (None, None);
        group
    };
    assert_eq!(persistent(live), persistent(replayed));
    let mut owners: BTreeMap<(TopicId, i32), &str> = BTreeMap::new();
    for member in live.members.values() {
        for (topic, partitions) in member.current.assigned.iter().chain(&member.current.pending_revocation) {
            for partition in partitions.keys() {
                let other = owners.insert((*topic, *partition), &member.id);
                assert_eq!(other, None, "{topic}-{partition} has two owners: {live:#?}");
                assert!(live.is_owned(*topic, *partition));
            }
        }
    }
    for key in world.timers().keys() {
        let groups::Timer::Consumer(timer) = &key.timer else { panic!("{key:?} in a group of this protocol") };
        let known = live.members.keys().any(|id| super::Timer::all(id).contains(timer));
        assert!(known, "{timer:?} of a member that is gone");
    }
}

/// Everybody does what it shall until nothing moves any more.
fn settle(world: &mut World, consumers: &mut Vec<Consumer>, waiter: &mut u64) {
    // Two with the same instance id would fence each other for ever.
    let mut instances = BTreeSet::new();
    consumers.retain(|consumer| consumer.instance.as_ref().is_none_or(|id| instances.insert(id.clone())));
    // Who has crashed is out after its session.
    for _ in 0..60 {
        for consumer in consumers.iter_mut() {
            *waiter += 1;
            consumer.act(world, *waiter, true);
        }
        world.wait(Duration::from_millis(1500));
        check(world);
    }
    let Some(group) = group(&world.groups) else { return };
    if group.members.is_empty() {
        return;
    }
    assert_eq!(group.state(), State::Stable, "{group:#?} {consumers:#?}");
    let mut wanted = BTreeSet::new();
    let mut owned = BTreeSet::new();
    for member in group.members.values() {
        let topics = group.subscribed_topic_ids(&member.metadata, &world.cluster);
        assert!(member.current.assigned.keys().all(|topic| topics.contains(topic)), "more than it wants");
        for topic in topics {
            wanted.extend((0..world.cluster.partitions(topic).unwrap()).map(|partition| (topic, partition)));
        }
        for (topic, partitions) in &member.current.assigned {
            owned.extend(partitions.keys().map(|partition| (*topic, *partition)));
        }
    }
    assert_eq!(owned, wanted, "{group:#?}");
}

const SUBSCRIPTIONS: [&[&str]; 5] = [&["t"], &["t", "u"], &["u"], &[], &["t", "u", "v"]];

fn turn(world: &mut World, consumers: &mut Vec<Consumer>, seed: u32, waiter: u64) {
    let (action, who, what) = (seed % 32, (seed >> 8) as usize, (seed >> 16) as usize);
    let count = consumers.len();
    let topics = SUBSCRIPTIONS[what % SUBSCRIPTIONS.len()].to_vec();
    match action {
        0..=3 if count < 8 => {
            let is_classic = what % 3 == 0;
            let instance = (what % 5 == 0).then(|| format!("i{}", who % 3));
            let regex = (!is_classic && what % 7 == 0).then_some("[tv]");
            let id = if is_classic { String::new() } else { format!("m{waiter}") };
            let mut new = Consumer { id, instance, is_classic, topics, regex, must_join: true, ..Default::default() };
            new.act(world, waiter, true);
            consumers.push(new);
        }
        4 if count > 0 => consumers.swap_remove(who % count).leave(world, what % 2 == 0),
        // It crashes.
        5 if count > 0 => drop(consumers.swap_remove(who % count)),
        6 if count > 0 => {
            let consumer = &mut consumers[who % count];
            (consumer.topics, consumer.must_join) = (topics, true);
            consumer.act(world, waiter, what % 2 == 0);
        }
        7 => {
            let name = ["t", "u", "v"][who % 3];
            let old = world.cluster.topics.get(name);
            let (id, partitions) = old.map_or((1000 + u128::from(waiter), 0), |topic| {
                (u128::from_be_bytes(topic.id.0), topic.partitions.len())
            });
            execute(world, &format!("topic name={name} id={id} partitions={}", partitions + 1 + what % 3));
        }
        8 => drop(execute(world, &format!("drop_topic name={}", ["t", "u", "v"][who % 3]))),
        9 => world.wait(Duration::from_millis(100 * (what % 200) as u64)),
        10 if what % 4 == 0 && group(&world.groups).is_some() => {
            check(world);
            world.restart();
            consumers.iter_mut().for_each(|consumer| consumer.waits = None);
        }
        _ if count > 0 => consumers[who % count].act(world, waiter, what % 3 != 0),
        _ => {}
    }
}

/// A loss of power: later records were durable, earlier ones not. No member is refused for it, and in the end
/// everything is as if nothing had happened.
fn lose(world: &mut World, consumers: &mut [Consumer], waiter: &mut u64, (from, count): (usize, usize)) {
    let from = from % (world.log.len() + 1);
    let until = world.log.len().min(from + count);
    world.log.drain(from..until);
    world.restart();
    consumers.iter_mut().for_each(|consumer| consumer.waits = None);
    // The session of who has crashed is over then, too.
    for _ in 0..40 {
        for consumer in consumers.iter_mut() {
            *waiter += 1;
            consumer.act(world, *waiter, true);
        }
        world.wait(Duration::from_millis(1500));
    }
}

/// `lost`: which part of the log is gone in the end.
fn run(seeds: Vec<u32>, migration: MigrationPolicy, lost: Option<(usize, usize)>) {
    let mut world = World::default();
    (world.settings.migration_policy, world.settings.initial_rebalance_delay) = (migration, Duration::ZERO);
    execute(&mut world, "topic name=t partitions=4");
    let (mut consumers, mut waiter) = (Vec::new(), 0);
    for seed in seeds {
        waiter += 1;
        turn(&mut world, &mut consumers, seed, waiter);
        if group(&world.groups).is_some() {
            check(&world);
        }
    }
    if let Some(lost) = lost {
        lose(&mut world, &mut consumers, &mut waiter, lost);
    }
    settle(&mut world, &mut consumers, &mut waiter);
}

/// One that takes a partition from a member and gives it to another is lost in part: the target of both holds it.
#[test]
fn targets_that_are_not_disjoint_become_so() {
    let mut world = World::default();
    execute(&mut world, "topic name=t partitions=4");
    let new = |id: &str| Consumer { id: id.into(), topics: vec!["t"], must_join: true, ..Default::default() };
    let (mut consumers, mut waiter) = (vec![new("a"), new("b")], 0);
    consumers[0].act(&mut world, 1, true);
    let first = group(&world.groups).unwrap().target["a"].clone();
    consumers[1].act(&mut world, 2, true);
    world.wait(Duration::from_secs(2));
    consumers[1].act(&mut world, 3, true);
    world.step(|groups, step| groups.write_target(step, "g", "a", &first));
    world.restart();

    let target = &group(&world.groups).unwrap().target;
    let both = target["b"].values().next().expect("it has been given some");
    assert!(target["a"].values().next().unwrap().is_superset(both), "{target:?}");
    consumers.push(new("c"));
    settle(&mut world, &mut consumers, &mut waiter);
}

/// A member's target and what it was given are lost, and the epochs that were written with them are not: the ones of
/// before hold a topic that the member no longer subscribes to.
#[test]
fn a_target_that_was_made_for_another_subscription_is_made_anew() {
    let mut world = World::default();
    execute(&mut world, "topic name=t partitions=4");
    execute(&mut world, "topic name=u partitions=2");
    let a = Consumer { id: "a".into(), topics: vec!["t", "u"], must_join: true, ..Default::default() };
    let (mut consumers, mut waiter) = (vec![a], 0);
    settle(&mut world, &mut consumers, &mut waiter);
    let before = group(&world.groups).unwrap().clone();
    consumers[0].topics = vec!["t"];
    settle(&mut world, &mut consumers, &mut waiter);
    let (epoch, old) = (group(&world.groups).unwrap().epoch, before.member("a").unwrap());
    let current = Current { epoch, ..old.current.clone() };
    world.step(|groups, step| {
        groups.write_target(step, "g", "a", &before.target["a"]);
        groups.write_current(step, "g", "a", &current);
    });
    world.restart();

    assert_eq!(group(&world.groups).unwrap().target["a"].len(), 2);
    settle(&mut world, &mut consumers, &mut waiter);
}

/// A group's epoch is lost and its target's is not: a member that comes gets something, though the group is behind its target.
#[test]
fn an_epoch_that_was_lost_is_made_up_for() {
    let mut world = World::default();
    execute(&mut world, "topic name=t partitions=4");
    let new = |id: &str| Consumer { id: id.into(), topics: vec!["t"], must_join: true, ..Default::default() };
    let (mut consumers, mut waiter) = (vec![new("a"), new("b"), new("c")], 0);
    settle(&mut world, &mut consumers, &mut waiter);
    let hash = group(&world.groups).unwrap().metadata_hash;
    world.step(|groups, step| groups.write_epoch(step, "g", 1, hash));
    world.restart();
    consumers.push(new("d"));
    settle(&mut world, &mut consumers, &mut waiter);
    let group = group(&world.groups).unwrap();
    assert!(group.members.values().all(|member| member.current.assigned.len() == 1), "{group:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(seeds in prop::collection::vec(any::<u32>(), 1..120)) {
        run(seeds, MigrationPolicy::Bidirectional, None);
    }

    #[test]
    fn whatever_happens_without_migration(seeds in prop::collection::vec(any::<u32>(), 1..120)) {
        run(seeds, MigrationPolicy::Disabled, None);
    }

    #[test]
    fn whatever_is_lost(
        seeds in prop::collection::vec(any::<u32>(), 1..120),
        from in any::<usize>(),
        count in 1usize..60,
    ) {
        run(seeds, MigrationPolicy::Disabled, Some((from, count)));
    }
}
