//! Random commands to one group of the classic protocol, and what must hold after each of them. The same commands, as
//! stories, are told to Apache Kafka (`testdata/random_*.story`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use proptest::prelude::*;

use super::group::State;
use super::{Group, Timer};
use crate::coordinator::groups::{self, Groups, TimerKey};
use crate::coordinator::step::{Reply, Waiter};
use crate::coordinator::story::{check, execute, shorten, told};
use crate::coordinator::world::World;

/// One number that decides all of a command.
pub struct Random(pub u32);

impl Random {
    pub fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        let word = ((self.0 >> ((self.0 >> 28) + 4)) ^ self.0).wrapping_mul(277_803_737);
        ((word >> 22) ^ word) % sides
    }

    pub fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len() as u32) as usize]
    }
}

fn group(groups: &Groups) -> Option<&Group> {
    match groups.groups.get("g") {
        Some(groups::Group::Classic(group)) => Some(group),
        _ => None,
    }
}

/// A member id that the group knows, or knew, with its instance id.
fn member(world: &World, random: &mut Random) -> String {
    let mut known = vec!["member=s#1 instance=s".to_string(), "member=x".to_string()];
    if let Some(group) = group(&world.groups) {
        for _ in 0..4 {
            known.extend(group.members().map(|member| match &member.instance_id {
                Some(instance) => format!("member={} instance={instance}", shorten(&member.id)),
                None => format!("member={}", shorten(&member.id)),
            }));
            known.extend(group.pending_join.iter().map(|id| format!("member={}", shorten(id))));
        }
    }
    known[random.roll(known.len() as u32) as usize].clone()
}

/// A command that makes sense, mostly. `few`: never more than two members, as a third one would let Kafka's hash tables
/// decide who leads.
fn command(world: &World, waiter: u64, few: bool, seed: u32) -> String {
    let mut random = Random(seed);
    let group = group(&world.groups);
    let size = group.map_or(0, |group| group.size() + group.pending_join.len());
    let generation = group.map_or(0, |group| group.generation) + [0, 0, 0, 0, 0, 0, -1, 1][random.roll(8) as usize];
    let protocols = random.pick(&["x:t,y:t", "x:t,y:t", "x:t,y:t", "y:t+u,x:t", "x:u", "z:t"]);
    let times = format!("session={} rebalance={}", 6007 + random.roll(4000), 9001 + random.roll(20_000));
    let room = !few || size < 2 || group.is_some_and(|group| group.static_member_id("s").is_some());
    match random.roll(if few { 24 } else { 26 }) {
        0..=4 if !few || size < 2 => {
            let who = random.pick(&["client=a v=3", "client=b", "client=s instance=s", "client=r instance=r"]);
            format!("join as={waiter} {who} protocols={protocols} {times}")
        }
        2 if room => format!("join as={waiter} client=s instance=s protocols={protocols} v=8 {times}"),
        3..=8 => format!("join as={waiter} {} protocols={protocols} {times}", member(world, &mut random)),
        9..=13 => {
            let ids = group.map(|group| group.members().map(|member| shorten(&member.id)).collect::<Vec<_>>());
            let assignments: Vec<_> = ids.unwrap_or_default().iter().map(|id| format!("{id}:{id}")).collect();
            let assignments = assignments.join(",");
            let member = member(world, &mut random);
            format!("sync as={waiter} {member} generation={generation} assignments={assignments}")
        }
        14..=15 => format!("heartbeat {} generation={generation}", member(world, &mut random)),
        16..=17 => format!("wait ms={}", random.roll(9000) + 1),
        18 => {
            let member = member(world, &mut random).replace("member=", "").replace(" instance=", "/");
            format!("leave members={}", random.pick(&[&member, &member, &member, "/s"]))
        }
        19..=20 => {
            format!("commit {} generation={generation} offsets=t-0:{waiter},u-1:2", member(world, &mut random))
        }
        21 => random.pick(&["describe", "fetch", "list", "commit offsets=t-0:1"]).to_string(),
        22 => random.pick(&["restart", "expire", "delete group=g", "delete_offsets partitions=t-0,u-1"]).to_string(),
        24 => format!("settings max_size={}", random.roll(4) + 1),
        25 => "wait ms=60000".to_string(),
        _ => random.pick(&["heartbeat member=x", "wait ms=3001", "wait ms=30011"]).to_string(),
    }
}

/// What must hold whenever nothing is being done.
#[derive(Default)]
struct Invariants {
    asked: BTreeSet<u64>,
    leaders: BTreeMap<i32, String>,
    seen: usize,
}

impl Invariants {
    fn check(&mut self, world: &World) {
        self.check_answers(world);
        let Some(group) = group(&world.groups) else {
            assert!(world.timers().is_empty(), "timers of a group that is gone");
            self.leaders.clear();
            return;
        };
        check_group(group);
        check_timers(world, group);
    }

    /// Everybody who has asked is answered once, or waits as one member; a generation has one leader.
    fn check_answers(&mut self, world: &World) {
        let mut answered = BTreeSet::new();
        for (waiter, _) in &world.replies {
            assert!(answered.insert(waiter.key), "{} is answered twice", waiter.key);
        }
        let mut open: Vec<u64> = Vec::new();
        for member in group(&world.groups).into_iter().flat_map(Group::members) {
            open.extend(member.awaiting_join.iter().chain(&member.awaiting_sync).map(|Waiter { key, .. }| *key));
        }
        open.sort_unstable();
        assert_eq!(open, self.asked.difference(&answered).copied().collect::<Vec<_>>(), "who waits");
        for (_, reply) in &world.replies[self.seen..] {
            if let Reply::Join(reply) = reply
                && !reply.members.is_empty()
                && !reply.skip_assignment
            {
                let leader = self.leaders.entry(reply.generation_id).or_insert_with(|| reply.member_id.clone());
                assert_eq!(*leader, reply.member_id, "two leaders of generation {}", reply.generation_id);
            }
        }
        self.seen = world.replies.len();
    }
}

fn check_group(group: &Group) {
    let initial = group.state == State::PreparingRebalance && group.initial.is_some();
    match group.state {
        State::Empty => assert_eq!(group.size(), 0),
        // All may have left while a pending member is waited for.
        State::PreparingRebalance => {}
        State::CompletingRebalance | State::Stable => assert_ne!(group.size(), 0),
    }
    assert_eq!(group.initial.is_some(), initial);
    assert!(group.leader.as_ref().is_none_or(|leader| group.member(leader).is_some()), "the leader is a member");
    assert_eq!(group.leader.is_some(), group.size() > 0, "members have a leader");
    assert_eq!(group.awaiting_join(), group.members().filter(|member| member.awaiting_join.is_some()).count());
    for member in group.members() {
        assert!(member.awaiting_join.is_none() || group.state == State::PreparingRebalance);
        assert!(member.awaiting_sync.is_none() || group.state == State::CompletingRebalance);
        assert!(!group.pending_join.contains(&member.id));
        if let Some(instance) = &member.instance_id {
            assert_eq!(group.static_member_id(instance), Some(&member.id));
        }
    }
    assert!(group.pending_sync.iter().all(|id| group.member(id).is_some()), "only members can sync");
}

fn check_timers(world: &World, group: &Group) {
    let timer = |key: TimerKey| match key.timer {
        groups::Timer::Classic(timer) => timer,
        groups::Timer::Consumer(timer) => panic!("a timer of another protocol: {timer:?}"),
    };
    let timers: BTreeSet<Timer> = world.timers().into_keys().map(timer).collect();
    for timer in &timers {
        match timer {
            Timer::Session(id) => {
                assert!(group.member(id).is_some() || group.pending_join.contains(id), "{id} is gone")
            }
            Timer::Join => {}
            Timer::Sync => assert!(!group.pending_sync.is_empty()),
        }
    }
    assert_eq!(timers.contains(&Timer::Join), group.state == State::PreparingRebalance, "a rebalance ends");
    for member in group.members().filter(|member| !member.has_satisfied_heartbeat()) {
        assert!(timers.contains(&Timer::Session(member.id.clone())), "{} would stay forever", member.id);
    }
}

/// A machine that has read the log knows what this one knows, as far as it is in the log.
fn check_replay(world: &World) {
    let replayed = World::replay(&world.log);
    assert!(replayed.committed().eq(world.groups.committed()));
    assert!(replayed.groups.keys().eq(world.groups.groups.keys()));
    let (Some(live), Some(replayed)) = (group(&world.groups), group(&replayed)) else { return };
    if !matches!(live.state, State::Stable | State::Empty) {
        return assert!(replayed.generation <= live.generation);
    }
    let persistent = |group: &Group| {
        let member = |member: &super::Member| {
            let metadata = member.metadata(group.protocol().unwrap_or_default()).to_vec();
            (member.id.clone(), member.instance_id.clone(), metadata, member.assignment.clone())
        };
        let members: Vec<_> = group.members().map(member).collect();
        (
            group.state,
            group.generation,
            group.protocol.clone(),
            group.protocol_type.clone(),
            group.leader.clone(),
            members,
        )
    };
    assert_eq!(persistent(live), persistent(replayed));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(seeds in prop::collection::vec(any::<u32>(), 1..150)) {
        let mut world = World::default();
        let mut invariants = Invariants::default();
        for (waiter, seed) in seeds.into_iter().enumerate() {
            let command = command(&world, waiter as u64, false, seed);
            if command.contains(" as=") {
                invariants.asked.insert(waiter as u64);
            }
            if command == "restart" {
                // A process that is gone answers no request, and it may give a generation's number out again.
                check_replay(&world);
                invariants = Invariants { seen: world.replies.len(), ..Invariants::default() };
                world.replies.clear();
                invariants.seen = 0;
            }
            execute(&mut world, &command);
            invariants.check(&world);
        }
        check_replay(&world);
    }
}

/// How many stories are told to Kafka, and how long they are.
const STORIES: u32 = 3;
const COMMANDS: u32 = 250;

#[test]
fn random_stories_are_the_same() {
    for story in 0..STORIES {
        let mut world = World::default();
        let mut text = String::from("# Written by src/coordinator/classic/random.rs\n");
        for at in 0..COMMANDS {
            let command = command(&world, u64::from(at), true, story * COMMANDS + at);
            execute(&mut world, &command);
            write!(text, "{command}\n\n").unwrap();
        }
        let name = format!("src/coordinator/testdata/random_{story}.story");
        check(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name), &told(text.trim_end_matches('\n')));
    }
}
