//! Rules at random, and what clients may do by them: each round has its own rules, and each of its clients asks for
//! everything at once that tells of decisions and costs little.

use crate::brokers::{Clients, Guarded, all_zero};
use crate::cases::{self, CLUSTER, GROUP, TOPIC, TRANSACTIONAL_ID};
use crate::mask;
use compat_tests::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::thread;

pub const USERS: &[&str] = &["c0", "c1", "c2", "c3"];
const ROUNDS: usize = 130;
const MOST_RULES: u64 = 30;
const PRINCIPALS: &[&str] =
    &["User:c0", "User:c1", "User:c2", "User:c3", "User:*", "User:c", "Role:c0", "Role:*", "User:"];
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

/// The rules of a round and where each client comes from.
struct Round {
    rules: Vec<Value>,
    sources: Vec<Ipv4Addr>,
}

fn round(random: &mut Random, number: usize) -> Round {
    let rule = |random: &mut Random| {
        let kind = *random.pick(ALL_KINDS);
        let name = if kind == CLUSTER { "kafka-cluster" } else { random.pick(NAMES) };
        let permission = if random.below(4) == 0 { 2 } else { 3 };
        // Most rules speak of what is asked.
        let operation = if random.below(3) == 0 { 2 + random.below(14) } else { 2 + random.below(TWELVE) };
        json!({ "ResourceType": kind, "ResourceName": name, "ResourcePatternType": 3 + random.below(2),
                "Principal": *random.pick(PRINCIPALS), "Host": *random.pick(HOSTS), "Operation": operation,
                "PermissionType": permission })
    };
    let count = random.below(MOST_RULES);
    let mut rules: Vec<Value> = (0..count).map(|_| rule(random)).collect();
    // Shows that the rules of this round have come.
    rules.push(json!({ "ResourceType": 7, "ResourceName": format!("round-{number}"), "ResourcePatternType": 3,
                       "Principal": "User:x", "Host": "*", "Operation": 2, "PermissionType": 3 }));
    Round { rules, sources: USERS.iter().map(|_| *random.pick(SOURCES)).collect() }
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
    let distinct: BTreeSet<String> = theirs.iter().map(|(_, answer)| answer.to_string()).collect();
    println!(
        "seed {seed}: {} answers about {} sets of rules, {} of them distinct",
        theirs.len(),
        ROUNDS * USERS.len(),
        distinct.len()
    );
    ensure!(distinct.len() > ROUNDS, "these rules decide little");
    let mut found = Vec::new();
    for ((title, theirs), (_, ours)) in theirs.iter().zip(&ours) {
        for difference in mask::differences(theirs, ours) {
            found.push(format!(
                "{title}\n    {}\n    kafka: {}\n    klamm: {}",
                difference.path, difference.theirs, difference.ours
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

fn run(mut clients: Clients, seed: u64) -> Result<Vec<(String, Value)>> {
    for kind in [0, 1] {
        let request = json!({ "KeyType": kind, "CoordinatorKeys": ["a"] });
        clients.until("FindCoordinator", 4, &request, |answer| all_zero(&answer["Coordinators"], "ErrorCode"))?;
    }
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut trace = Vec::new();
    for number in 0..ROUNDS {
        let round = round(&mut random, number);
        replace(&mut clients, &round.rules, number)?;
        for (user, source) in USERS.iter().zip(&round.sources) {
            for (api, version, request) in questions() {
                let answer = clients.ask_from(*source, user, api, version, &request)?.context("closed")?;
                let answer = clients.masks.canonical(&answer);
                trace.push((format!("round {number} {api} {user} {source} {:?}", round.rules), answer));
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
