//! What Klamm's assignors, subscription hashes and topic patterns make of random inputs, written down for Kafka's own
//! classes to judge (`scripts/check-assignors.sh`, `compat-tests/clients/java/Assignors.java`).
//!
//! A line is a question with our answer, its words separated by spaces; texts are in hexadecimal behind an `x`. The inputs
//! are seeded: `KLAMM_SEED` draws others. The one argument is the file to write:
//!
//! ```text
//! cargo run --example assignors -- answers.txt
//! ```

use klamm::coordinator::assignor::{Assignment, Assignor, GroupSpec, MemberSpec, TopicDescriber, assign};
use klamm::coordinator::regex::TopicPattern;
use klamm::coordinator::subscription_hash;
use klamm::model::{TopicId, Uuid};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

mod patterns;

const SEED: u64 = 0x006b_6c61_6d6d;
const GROUPS: usize = 300;
const STEPS: usize = 20;
const HASHES: usize = 500;
const PATTERNS: usize = 8_000;

/// SplitMix64: small, seeded, good enough to draw groups.
pub struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.below(items.len())]
    }

    fn id(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.next().to_be_bytes());
        bytes[8..].copy_from_slice(&self.next().to_be_bytes());
        Uuid::from_random_bytes(bytes)
    }
}

fn hex(text: &str) -> String {
    text.bytes().fold("x".to_string(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn main() {
    let path = std::env::args_os().nth(1).expect("the argument is the file to write");
    let seed = std::env::var("KLAMM_SEED").map_or(SEED, |seed| seed.parse().expect("KLAMM_SEED is a number"));
    println!("KLAMM_SEED={seed}");
    let mut random = Random(seed);
    let mut lines = String::new();
    for _ in 0..GROUPS {
        life_of_a_group(&mut random, &mut lines);
    }
    large_groups(&mut random, &mut lines);
    for _ in 0..HASHES {
        hashes(&mut random, &mut lines);
    }
    for pattern in patterns::known() {
        match_names(&pattern, &patterns::EVERY_CHARACTER, &mut random, &mut lines);
    }
    for _ in 0..PATTERNS {
        match_names(&patterns::draw(&mut random), &[], &mut random, &mut lines);
    }
    std::fs::write(&path, lines).unwrap_or_else(|why| panic!("cannot write {}: {why}", path.display()));
}

// ---- Assignors -------------------------------------------------------------------------------------------------------

struct Topics(BTreeMap<TopicId, i32>);

impl TopicDescriber for Topics {
    fn partitions(&self, topic: TopicId) -> Option<i32> {
        self.0.get(&topic).copied()
    }

    fn racks(&self, _: TopicId, partition: i32) -> Vec<String> {
        vec![format!("rack-{}", partition % 3)]
    }
}

/// A group whose members and topics come and go. Its results become its current assignments.
fn life_of_a_group(random: &mut Random, lines: &mut String) {
    let most_topics = 1 + random.below(8);
    let most_partitions = *random.pick(&[1, 3, 8, 30, 200]);
    let most_members = *random.pick(&[1, 3, 8, 20, 70]);
    let mut assignor = *random.pick(&Assignor::ALL);
    let mut topics = Topics(BTreeMap::new());
    let mut members = BTreeMap::new();
    let mut same_wish = !random.one_in(3);
    for _ in 0..STEPS {
        change_topics(random, &mut topics, most_topics, most_partitions);
        // Sometimes the assignor or the kind of the group changes, and one finds what the other has left.
        if random.one_in(8) {
            assignor = *random.pick(&Assignor::ALL);
        }
        if random.one_in(6) {
            same_wish = !same_wish;
        }
        change_members(random, &mut members, most_members);
        change_wishes(random, &mut members, &topics, same_wish);
        let missing = random.one_in(40).then(|| random.id());
        for member in members.values_mut().take(usize::from(missing.is_some())) {
            member.subscribed_topics.extend(missing);
        }
        ask(assignor, &mut members, &topics, lines);
    }
}

fn change_topics(random: &mut Random, topics: &mut Topics, most_topics: usize, most_partitions: usize) {
    if random.one_in(10) {
        let gone = topics.0.keys().copied().nth(random.below(topics.0.len().max(1)));
        gone.map(|topic| topics.0.remove(&topic));
    }
    if topics.0.is_empty() || (topics.0.len() < most_topics && random.one_in(2)) {
        topics.0.insert(random.id(), random.below(most_partitions + 1) as i32);
    }
    for partitions in topics.0.values_mut() {
        if random.one_in(15) {
            *partitions += 1 + random.below(most_partitions) as i32;
        }
    }
}

fn change_members(random: &mut Random, members: &mut BTreeMap<String, MemberSpec>, most_members: usize) {
    for _ in 0..random.below(most_members.div_ceil(3) + 1) {
        let leaves = members.len() >= most_members || (!members.is_empty() && random.one_in(3));
        if leaves {
            let id = members.keys().nth(random.below(members.len())).unwrap().clone();
            let gone = members.remove(&id).unwrap();
            // A static member comes back under another id and takes over what it had.
            if gone.instance_id.is_some() && random.one_in(2) {
                members.insert(random.id().to_string(), gone);
            }
            continue;
        }
        let id = match random.below(10) {
            0 => format!("member-{}", random.below(1000)),
            1 => format!("客户-{}-\u{1f980}", random.below(1000)),
            _ => random.id().to_string(),
        };
        let instance_id = random.one_in(4).then(|| format!("instance-{}", random.next()));
        let rack_id = random.one_in(2).then(|| format!("rack-{}", random.below(3)));
        members.entry(id).or_insert(MemberSpec { instance_id, rack_id, ..MemberSpec::default() });
    }
}

fn change_wishes(random: &mut Random, members: &mut BTreeMap<String, MemberSpec>, topics: &Topics, same_wish: bool) {
    let wish = |random: &mut Random, share: usize| -> BTreeSet<TopicId> {
        topics.0.keys().copied().filter(|_| !random.one_in(share)).collect()
    };
    let all = wish(random, 20);
    for member in members.values_mut() {
        if same_wish {
            member.subscribed_topics = all.clone();
        } else if member.subscribed_topics.is_empty() || random.one_in(4) {
            member.subscribed_topics = wish(random, 2);
        }
        member.subscribed_topics.retain(|topic| topics.0.contains_key(topic));
    }
}

/// Few, but of a size where hash tables have grown often.
fn large_groups(random: &mut Random, lines: &mut String) {
    for assignor in Assignor::ALL {
        for same_wish in [true, false] {
            let topics = Topics((0..10).map(|_| (random.id(), 60 + random.below(60) as i32)).collect());
            let mut members = BTreeMap::new();
            for size in [1000, 700, 1000] {
                while members.len() < size {
                    members.insert(random.id().to_string(), MemberSpec::default());
                }
                while members.len() > size {
                    members.pop_first();
                }
                change_wishes(random, &mut members, &topics, same_wish);
                ask(assignor, &mut members, &topics, lines);
            }
        }
    }
}

fn ask(assignor: Assignor, members: &mut BTreeMap<String, MemberSpec>, topics: &Topics, lines: &mut String) {
    let mut wishes = members.values().map(|member| &member.subscribed_topics);
    let first = wishes.next();
    let homogeneous = wishes.all(|wish| Some(wish) == first);
    let known: Vec<String> = topics.0.iter().map(|(topic, partitions)| format!("{topic}={partitions}")).collect();
    let described: Vec<String> = members.iter().map(|(id, member)| describe(id, member)).collect();
    let result = assign(assignor, &GroupSpec { members, homogeneous }, topics);
    let answer = match &result {
        Ok(targets) => targets.values().map(assignment).collect::<Vec<_>>().join("|"),
        Err(error) => format!("!{}", hex(&error.to_string())),
    };
    let (known, described) = (known.join(","), described.join("|"));
    writeln!(lines, "assign {} {homogeneous} [{known}] [{described}] [{answer}]", assignor.name()).unwrap();
    for (id, target) in result.into_iter().flatten() {
        members.get_mut(&id).unwrap().current = target;
    }
}

fn describe(id: &str, member: &MemberSpec) -> String {
    let optional = |text: &Option<String>| text.as_deref().map(hex).unwrap_or_default();
    let wishes: Vec<String> = member.subscribed_topics.iter().map(Uuid::to_string).collect();
    let (instance, rack) = (optional(&member.instance_id), optional(&member.rack_id));
    format!("{};{instance};{rack};{};{}", hex(id), wishes.join(","), assignment(&member.current))
}

fn assignment(of: &Assignment) -> String {
    let topic = |(topic, partitions): (&TopicId, &BTreeSet<i32>)| {
        let partitions: Vec<String> = partitions.iter().map(i32::to_string).collect();
        format!("{topic}={}", partitions.join("."))
    };
    of.iter().map(topic).collect::<Vec<_>>().join(",")
}

// ---- Hashes ----------------------------------------------------------------------------------------------------------

fn hashes(random: &mut Random, lines: &mut String) {
    let mut group = BTreeMap::new();
    let mut topics = Vec::new();
    for _ in 0..random.below(4) {
        let id = random.id();
        let name = format!("{}{}", "long-".repeat(random.below(30)), random.next() >> random.below(64));
        let partitions: Vec<Vec<String>> = (0..random.below(12))
            .map(|_| {
                (0..random.below(4))
                    .map(|_| random.pick(&["", "a", "ab", "zone-ä", "\u{1f980}", "\u{ffff}"]).to_string())
                    .collect()
            })
            .collect();
        let hash = subscription_hash::of_topic(id, &name, &partitions);
        let racks: Vec<String> =
            partitions.iter().map(|racks| racks.iter().map(|rack| hex(rack)).collect::<Vec<_>>().join(".")).collect();
        topics.push(format!("{id};{};{};{};{hash}", hex(&name), partitions.len(), racks.join(",")));
        group.insert(name, hash);
    }
    let hash = subscription_hash::of_group(group.iter().map(|(name, hash)| (name.as_str(), *hash)));
    writeln!(lines, "hash [{}] {hash}", topics.join("|")).unwrap();
}

// ---- Patterns --------------------------------------------------------------------------------------------------------

fn match_names(pattern: &str, more_names: &[u8], random: &mut Random, lines: &mut String) {
    let compiled = TopicPattern::compile(pattern);
    let mut names = Vec::new();
    if compiled.is_ok() {
        names = patterns::names(pattern, random);
        names.extend(more_names.iter().map(|byte| char::from(*byte).to_string()));
    }
    let answer = match compiled {
        Ok(compiled) => names.iter().map(|name| if compiled.matches(name) { '1' } else { '0' }).collect(),
        Err(error) => hex(&error.to_string()),
    };
    let names: Vec<String> = names.iter().map(|name| hex(name)).collect();
    writeln!(lines, "match {} [{}] [{answer}]", hex(pattern), names.join(",")).unwrap();
}
