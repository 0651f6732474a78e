//! Random commands to a group of the consumer protocol: stories that are told to Apache Kafka, too
//! (`testdata/random_consumer_*.story`). No regular expressions: Kafka resolves them in a step of its own. No members of the
//! classic protocol: Kafka makes up their ids, and who gets what depends on their hashes. No restarts: all sessions would
//! end in one moment, in the order of a hash table.

use std::fmt::Write;

use super::Group;
use super::member::Partitions;
use crate::coordinator::classic::random::Random;
use crate::coordinator::groups;
use crate::coordinator::story::{check, execute, shorten, told};
use crate::coordinator::world::World;
use crate::model::TopicId;

const TOPICS: [&str; 3] = ["t", "u", "v"];
const MEMBERS: [&str; 5] = ["m", "n", "o", "p", "q"];

fn group(world: &World) -> Option<&Group> {
    match world.groups.groups.get("g") {
        Some(groups::Group::Consumer(group)) => Some(group),
        _ => None,
    }
}

fn owned(partitions: &Partitions, mut keeps: impl FnMut() -> bool) -> String {
    let mut topics = Vec::new();
    for (topic, of) in partitions {
        let kept: Vec<String> = of.keys().filter(|_| keeps()).map(i32::to_string).collect();
        if !kept.is_empty() {
            topics.push(format!("{}:{}", number(*topic), kept.join("+")));
        }
    }
    if topics.is_empty() { "-".into() } else { topics.join(",") }
}

fn number(topic: TopicId) -> u128 {
    u128::from_be_bytes(topic.0)
}

/// A heartbeat that makes sense, mostly.
fn beat(world: &World, random: &mut Random) -> String {
    let id = random.pick(&MEMBERS);
    // Two of them are static.
    let instance = if matches!(id, "p" | "q") { format!(" instance={id}") } else { String::new() };
    let rack = random.pick(&["", "", " rack=r1", " rack=r2"]);
    let topics = random.pick(&["t", "t", "t,u", "t,u,v", "u", "v"]);
    let assignor = random.pick(&["", "", "", " assignor=range", " assignor=uniform"]);
    let Some(member) = group(world).and_then(|group| group.members.get(id)).filter(|_| random.roll(12) > 0) else {
        return format!("beat member={id}{instance}{rack} topics={topics}{assignor}");
    };
    let epoch = match random.roll(24) {
        0 => -1,
        1 if !instance.is_empty() => -2,
        2 => member.current.previous_epoch,
        3 => member.current.epoch + 1,
        _ => member.current.epoch,
    };
    let report = match random.roll(4) {
        0 => String::new(),
        1 => format!(" owned={}", owned(&member.current.assigned, || random.roll(3) > 0)),
        _ => format!(" owned={}", owned(&member.current.assigned, || true)),
    };
    let subscription = if random.roll(8) == 0 { format!(" topics={topics}{assignor}") } else { String::new() };
    format!("beat member={id} epoch={epoch}{instance}{report}{subscription}")
}

fn topic(world: &World, random: &mut Random, seed: u32) -> String {
    let name = random.pick(&TOPICS);
    let (id, partitions) = match world.cluster.topics.get(name) {
        Some(topic) => (number(topic.id), topic.partitions.len() as u32),
        None => (u128::from(seed) + 100, 0),
    };
    let racks = |_| random.pick(&["r1+r2", "r2+r3", "r1+r3"]).to_string();
    let racks: Vec<String> = (0..partitions + 1 + seed % 3).map(racks).collect();
    format!("topic name={name} id={id} racks={}", racks.join(","))
}

fn command(world: &World, waiter: u64, seed: u32) -> String {
    let mut random = Random(seed);
    match random.roll(40) {
        0..=1 => topic(world, &mut random, seed),
        2 => match world.cluster.topics.keys().nth(random.roll(8) as usize) {
            Some(name) => format!("drop_topic name={name}"),
            None => topic(world, &mut random, seed),
        },
        3..=6 => format!("wait ms={}", random.roll(9000) + 1),
        7 => format!("wait ms={}", 10_000 + random.roll(50_000)),
        8..=9 => "describe_consumer".into(),
        10 => match group(world).and_then(|group| group.members.values().next()) {
            Some(member) => {
                let (id, epoch) = (shorten(&member.id), member.current.epoch);
                format!("commit member={id} generation={epoch} offsets=t-0:{waiter}")
            }
            None => "list".into(),
        },
        _ => beat(world, &mut random),
    }
}

/// How many stories are told, and how long they are.
const STORIES: u32 = 4;
const COMMANDS: u32 = 250;

fn story(number: u32) -> String {
    let mut world = World::default();
    let mut text = String::from("# Written by src/coordinator/consumer/random_stories.rs\n");
    let interval = [0, 1000][number as usize % 2];
    let begin = format!("consumer_settings assignment_interval_ms={interval}");
    let first = "topic name=t id=1 racks=r1+r2,r2+r3,r1+r3,r1+r2".to_string();
    for at in 0..COMMANDS {
        let command = match at {
            0 => begin.clone(),
            1 => first.clone(),
            // Sessions must not end in the same moment: Kafka's hash tables would say which ends first.
            _ if at.is_multiple_of(2) => "wait ms=1".into(),
            _ => command(&world, u64::from(at), number * COMMANDS + at),
        };
        execute(&mut world, &command);
        write!(text, "{command}\n\n").unwrap();
    }
    told(text.trim_end_matches('\n'))
}

#[test]
fn random_stories_are_the_same() {
    for number in 0..STORIES {
        let name = format!("src/coordinator/testdata/random_consumer_{number}.story");
        check(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name), &story(number));
    }
}
