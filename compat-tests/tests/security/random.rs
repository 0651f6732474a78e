//! Rules at random, and what clients may do by them. Each round has its own rules and its own principals, which no broker
//! has seen before: they show unsecured tokens, whose subject may be any name. Each asks for everything at once that tells
//! of decisions and costs little. The rules of a round come at once, because Apache Kafka takes longer for a change than for
//! all questions of a principal.

use crate::brokers::{Clients, Guarded, all_zero};
use crate::cases::{self, CLUSTER, GROUP, TOPIC, TRANSACTIONAL_ID};
use crate::mask;
use compat_tests::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;

/// They are there in every round, and stay connected from each of their addresses while the rules change.
pub const USERS: &[&str] = &["c0", "c1"];
const ROUNDS: usize = 125;
/// Principals that only one round knows.
const FRESH_A_ROUND: usize = 8;
const FRESH: usize = ROUNDS * FRESH_A_ROUND;
const MOST_RULES: u64 = 11;
/// How the names of fresh principals begin: no letter means anything in them.
const STEMS: &[&str] = &["u", "u", "u", "Ab", "é", "*", "a b", "User:", "CN=u,O=", "\"", "\u{65e5}"];
const SOURCES: &[Ipv4Addr] = &[Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 6)];
const HOSTS: &[&str] = &[
    "*",
    "*",
    "*",
    "127.0.0.1",
    "127.0.0.6",
    "127.0.0.0/30",
    "127.0.0.4/30",
    "127.0.0.6/32",
    "127.0.0.0/8",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "127.0.0.7/0",
    "::1",
    "::1/128",
    "::/0",
    "127.0.0.1 ",
    "localhost",
];
/// Those of rules; each is also asked for.
const NAMES: &[&str] = &["a", "aa", "ab", "aab", "b", "*", "a*", "é", "éa", "hardcode", "h", "A"];
/// No rule names these.
const OTHERS: &[&str] = &["aaa", "abc", "ba", "**", "e", "z", "hard", "aabb"];
const ALL_KINDS: &[i8] = &[TOPIC, TOPIC, GROUP, TRANSACTIONAL_ID, CLUSTER];
const TWELVE: u64 = 12;
/// Fewer different answers than this compare little.
const LEAST_DISTINCT: usize = ROUNDS;

/// `xorshift64*`
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}

/// A principal and where it comes from.
struct Asker {
    user: String,
    source: Ipv4Addr,
}

/// The rules of all of them stand at the same time: those of the one must not be the other's.
struct Round {
    rules: Vec<Value>,
    askers: Vec<Asker>,
}

/// For whom a rule is that was made for this user: itself mostly, and what must not be taken for it.
fn principal(random: &mut Random, user: &str) -> String {
    let mut shorter = user.to_string();
    shorter.pop();
    let is_lower = user == user.to_lowercase();
    let other_case = if is_lower { user.to_uppercase() } else { user.to_lowercase() };
    match random.below(20) {
        0..10 => format!("User:{user}"),
        10..12 => "User:*".into(),
        12..14 => format!("User:{shorter}"),
        14 => format!("User:{user}0"),
        15 => format!("User:{other_case}"),
        16 => format!("Role:{user}"),
        17 => "Role:*".into(),
        18 => format!("user:{user}"),
        _ => "User:".into(),
    }
}

fn rule(random: &mut Random, user: &str) -> Value {
    let kind = *random.pick(ALL_KINDS);
    let name = if kind == CLUSTER { "kafka-cluster" } else { random.pick(NAMES) };
    let permission = if random.below(4) == 0 { 2 } else { 3 };
    // Most rules speak of what is asked.
    let operation = if random.below(3) == 0 { 2 + random.below(14) } else { 2 + random.below(TWELVE) };
    json!({ "ResourceType": kind, "ResourceName": name, "ResourcePatternType": 3 + random.below(2),
            "Principal": principal(random, user), "Host": *random.pick(HOSTS), "Operation": operation,
            "PermissionType": permission })
}

fn round(random: &mut Random, number: usize) -> Round {
    let numbers = number * FRESH_A_ROUND..(number + 1) * FRESH_A_ROUND;
    let fresh = numbers.map(|number| format!("{}{number}", random.pick(STEMS)));
    let users: Vec<String> = fresh.chain(USERS.iter().map(ToString::to_string)).collect();
    let mut rules = Vec::new();
    for user in &users {
        let count = random.below(MOST_RULES);
        rules.extend((0..count).map(|_| rule(random, user)));
    }
    // Shows that the rules of this round have come.
    rules.push(json!({ "ResourceType": 7, "ResourceName": format!("round-{number}"), "ResourcePatternType": 3,
                       "Principal": "User:x", "Host": "*", "Operation": 2, "PermissionType": 3 }));
    let askers = users.into_iter().map(|user| Asker { user, source: *random.pick(SOURCES) });
    Round { rules, askers: askers.collect() }
}

/// What a broker said.
struct Answered {
    question: String,
    /// Those of its round.
    rules: Arc<str>,
    answer: Value,
}

pub fn compare(guarded: &Guarded) -> Result<()> {
    let seed = match std::env::var("KLAMM_SEED") {
        Ok(text) => text.parse::<u64>().context("KLAMM_SEED is a number")?,
        Err(_) => 20,
    };
    let runs = guarded.listeners().map(|listeners| {
        let clients = Clients::new(listeners, &guarded.schemas);
        thread::spawn(move || run(clients, seed))
    });
    let [theirs, ours] = runs.map(|run| run.join().expect("no panic"));
    let (theirs, ours) = (theirs.context("Apache Kafka")?, ours.context("the broker under test")?);
    ensure!(theirs.len() == ours.len(), "{} and {} answers", theirs.len(), ours.len());
    let distinct: BTreeSet<String> = theirs.iter().map(|answered| answered.answer.to_string()).collect();
    println!(
        "seed {seed}: {} answers to {FRESH} fresh principals and {} others, {} of them distinct",
        theirs.len(),
        USERS.len(),
        distinct.len()
    );
    ensure!(distinct.len() > LEAST_DISTINCT, "these rules decide little");
    let mut found = Vec::new();
    for (theirs, ours) in theirs.iter().zip(&ours) {
        for difference in mask::differences(&theirs.answer, &ours.answer) {
            found.push(format!(
                "{}\n    {}\n    kafka: {}\n    klamm: {}\n    by {}",
                theirs.question, difference.path, difference.theirs, difference.ours, theirs.rules
            ));
        }
    }
    if !found.is_empty() {
        let count = found.len();
        found.truncate(20);
        bail!("seed {seed}: {count} differences\n{}", found.join("\n"));
    }
    Ok(())
}

fn run(mut clients: Clients, seed: u64) -> Result<Vec<Answered>> {
    for kind in [0, 1] {
        let request = json!({ "KeyType": kind, "CoordinatorKeys": ["a"] });
        clients.until("FindCoordinator", 4, &request, |answer| all_zero(&answer["Coordinators"], "ErrorCode"))?;
    }
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut trace = Vec::new();
    for number in 0..ROUNDS {
        let round = round(&mut random, number);
        replace(&mut clients, &round.rules, number)?;
        clients.with_tokens(round.askers.iter().map(|asker| asker.user.clone()).take(FRESH_A_ROUND));
        let rules: Arc<str> = json!(round.rules).to_string().into();
        for Asker { user, source } in &round.askers {
            for (api, version, request) in questions() {
                let answer = clients.ask_from(*source, user, api, version, &request)?.context("closed")?;
                let answer = clients.masks.canonical(&answer);
                let question = format!("round {number} {api} {user} {source}");
                trace.push(Answered { question, rules: rules.clone(), answer });
            }
        }
    }
    remove_all(&mut clients)?;
    Ok(trace)
}

fn everything() -> Value {
    cases::any_rule(&Value::Null)
}

pub fn remove_all(clients: &mut Clients) -> Result<()> {
    clients.admin("DeleteAcls", 3, &json!({ "Filters": [everything()] }))?;
    let is_empty = |answer: &Value| answer["Resources"].as_array().is_some_and(Vec::is_empty);
    clients.until("DescribeAcls", 3, &everything(), is_empty).map(|_| ())
}

/// Puts the round's rules in the place of all others, and waits until the broker obeys them.
fn replace(clients: &mut Clients, rules: &[Value], number: usize) -> Result<()> {
    clients.admin("DeleteAcls", 3, &json!({ "Filters": [everything()] }))?;
    let made = clients.admin("CreateAcls", 3, &json!({ "Creations": rules }))?;
    let wrong = made["Results"].as_array().into_iter().flatten().find(|result| result["ErrorCode"] != 0);
    ensure!(wrong.is_none(), "{wrong:?}: {rules:?}");
    let wanted = rules.iter().map(Value::to_string).collect::<BTreeSet<_>>().len();
    let sentinel = format!("round-{number}");
    let is_there = |answer: &Value| {
        let resources = answer["Resources"].as_array().into_iter().flatten();
        let (mut count, mut has_sentinel) = (0, false);
        for resource in resources {
            count += resource["Acls"].as_array().map_or(0, Vec::len);
            has_sentinel |= resource["ResourceName"] == sentinel.as_str();
        }
        has_sentinel && count == wanted
    };
    clients.until("DescribeAcls", 3, &everything(), is_there).map(|_| ())
}

fn questions() -> Vec<(&'static str, i16, Value)> {
    let names: Vec<&str> = NAMES.iter().chain(OTHERS).copied().collect();
    let topics: Vec<Value> = names.iter().map(|name| json!({ "Name": name })).collect();
    vec![
        (
            "Metadata",
            8,
            json!({ "Topics": topics, "AllowAutoTopicCreation": false, "IncludeTopicAuthorizedOperations": true,
                    "IncludeClusterAuthorizedOperations": true }),
        ),
        ("DescribeGroups", 5, json!({ "Groups": names, "IncludeAuthorizedOperations": true })),
        ("FindCoordinator", 4, json!({ "KeyType": 0, "CoordinatorKeys": names })),
        ("FindCoordinator", 4, json!({ "KeyType": 1, "CoordinatorKeys": names })),
        ("DescribeTransactions", 0, json!({ "TransactionalIds": names })),
        ("DescribeCluster", 0, json!({ "IncludeClusterAuthorizedOperations": true })),
        ("InitProducerId", 2, json!({ "TransactionalId": null, "TransactionTimeoutMs": 1000 })),
    ]
}
