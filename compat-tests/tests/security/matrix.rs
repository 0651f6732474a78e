//! Every case before both brokers: each version, each client, each name, first without any rule and then with the rules that
//! give each client just what it is to have.

use crate::accepted::ACCEPTED;
use crate::brokers::{ADMIN, ANONYMOUS, Clients, Guarded, all_zero};
use crate::cases::{self, CLUSTER, Case, GROUP, NEEDS, Need, TOPIC, TRANSACTIONAL_ID, USER};
use crate::mask::{self, Difference};
use crate::needs;
use compat_tests::broker::{self, Peer};
use compat_tests::raw::Raw;
use compat_tests::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// A client that no rule names.
pub const NONE: &str = "none";
pub const WITH_RULES: &str = "with rules";
const ALL_OPERATIONS: i8 = 2;
const DENY: i8 = 2;
pub const ALLOW: i8 = 3;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
/// As many differences as a failure shows.
const SHOWN: usize = 150;

/// What was asked and what was answered.
pub struct Asked {
    pub case: String,
    pub version: i16,
    pub phase: &'static str,
    pub user: String,
    pub names: Vec<String>,
    pub answer: Value,
}

impl Asked {
    fn title(&self) -> String {
        format!("{} v{} {} {} {:?}", self.case, self.version, self.phase, self.user, self.names)
    }
}

/// Every user that can log in.
pub fn users() -> Vec<String> {
    let own = NEEDS.iter().flat_map(|(api, _)| rules_of(api)).map(|(user, _)| user);
    own.chain([NONE.to_string()]).collect()
}

/// Every client of an API that has rules, with them. `all` may do what the API needs; `only` one of it; to `deny` everything
/// is allowed and one of it denied.
fn rules_of(api: &str) -> Vec<(String, Vec<Value>)> {
    let needs = needs(api);
    if needs.is_empty() {
        return Vec::new();
    }
    let allowed = |user: &str, needs: &[Need]| needs.iter().flat_map(|need| rules(user, *need, ALLOW)).collect();
    let all = format!("all-{api}");
    let mut users = vec![(all.clone(), allowed(&all, needs))];
    for (at, need) in needs.iter().enumerate() {
        if needs.len() > 1 {
            let only = format!("only-{api}-{at}");
            users.push((only.clone(), allowed(&only, &[*need])));
        }
        let denied = format!("deny-{api}-{at}");
        let everything = [TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID, USER].map(|kind| (ALL_OPERATIONS, kind));
        let mut rules_of: Vec<Value> = allowed(&denied, &everything);
        rules_of.extend(rules(&denied, *need, DENY));
        users.push((denied, rules_of));
    }
    users
}

fn needs(api: &str) -> &'static [Need] {
    NEEDS.iter().find(|(known, _)| *known == api).map_or(&[], |(_, needs)| needs)
}

/// For the names that have rules.
pub fn rules(user: &str, (operation, kind): Need, permission: i8) -> Vec<Value> {
    let patterns: &[(i8, &str)] = match kind {
        TOPIC => &[(PREFIXED, "r-"), (LITERAL, "__consumer_offsets")],
        GROUP | TRANSACTIONAL_ID => &[(PREFIXED, "r-")],
        CLUSTER => &[(LITERAL, "kafka-cluster")],
        USER => &[(LITERAL, "User:other")],
        _ => &[(LITERAL, "x")],
    };
    let rule = |(pattern, name): &(i8, &str)| {
        json!({ "ResourceType": kind, "ResourceName": name, "ResourcePatternType": pattern,
                "Principal": format!("User:{user}"), "Host": "*", "Operation": operation, "PermissionType": permission })
    };
    patterns.iter().map(rule).collect()
}

/// The versions that both speak, by key.
pub type Spoken = BTreeMap<i16, (i16, i16)>;

pub fn spoken(guarded: &Guarded) -> Result<Spoken> {
    let ask = |port: u16| -> Result<Spoken> {
        let answer = Raw::connect(port)?.api_versions_in(4)?;
        Ok(answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect())
    };
    let [theirs, ours] = guarded.listeners();
    let (theirs, ours) = (ask(theirs.plaintext)?, ask(ours.plaintext)?);
    // What Apache Kafka advertises of Produce it refuses.
    let least = |key: i16, version: i16| if key == 0 { version.max(3) } else { version };
    let both = ours.into_iter().filter_map(|(key, (from, to))| {
        let (their_from, their_to) = theirs.get(&key)?;
        Some((key, (least(key, from.max(*their_from)), to.min(*their_to))))
    });
    Ok(both.collect())
}

pub fn versions(case: &Case, (from, to): (i16, i16)) -> BTreeSet<i16> {
    let (from, to) = (from.max(case.from), to.min(case.to));
    let named = case.also.iter().copied().filter(|version| (from..=to).contains(version));
    if from > to { BTreeSet::new() } else { named.chain([from, to]).collect() }
}

/// Two runs that begin each case together, as long as both go on.
pub struct Pace {
    other: Sender<()>,
    mine: Receiver<()>,
}

impl Pace {
    pub fn two() -> [Pace; 2] {
        let ((to_first, first), (to_second, second)) = (channel(), channel());
        [Pace { other: to_second, mine: first }, Pace { other: to_first, mine: second }]
    }

    pub fn keep(&self) {
        // Without the other run there is nothing to wait for.
        if self.other.send(()).is_ok() {
            let _ = self.mine.recv();
        }
    }
}

pub fn compare(guarded: &Guarded) -> Result<()> {
    let spoken = spoken(guarded)?;
    // Apache Kafka has more than Klamm.
    if broker::peer() == Peer::Klamm {
        ensure_all_are_asked(guarded, &spoken)?;
    }
    // Neither is far ahead of the other, so that time has the same effect on both.
    let [their_pace, our_pace] = Pace::two();
    let [of_theirs, of_ours] = guarded.listeners();
    let runs = [(of_theirs, their_pace), (of_ours, our_pace)].map(|(listeners, pace)| {
        let (clients, spoken, schemas) =
            (Clients::new(listeners, &guarded.schemas), spoken.clone(), guarded.schemas.clone());
        thread::spawn(move || run(clients, &spoken, &|api| schemas.key(api), &pace))
    });
    let [theirs, ours] = runs.map(|run| run.join().expect("no panic"));
    let (theirs, ours) = (theirs.context("Apache Kafka")?, ours.context("the broker under test")?);
    let is_whole = std::env::var_os("KLAMM_CASE").is_none();
    if is_whole {
        needs::ensure_all_count(&theirs)?;
    }
    judge(&theirs, &ours, is_whole)
}

/// No API that both have is left out.
fn ensure_all_are_asked(guarded: &Guarded, spoken: &Spoken) -> Result<()> {
    let keys = |names: &mut dyn Iterator<Item = &'static str>| {
        names.map(|api| guarded.schemas.key(api)).collect::<Result<BTreeSet<i16>>>()
    };
    let asked = keys(&mut cases::all().iter().map(|case| case.api))?;
    let missing: Vec<&i16> = spoken.keys().filter(|key| !asked.contains(key)).collect();
    ensure!(missing.is_empty(), "no case asks the APIs {missing:?}");
    let known = keys(&mut NEEDS.iter().map(|(api, _)| *api))?;
    ensure!(asked.is_subset(&known), "the needs of these are not known: {:?}", asked.difference(&known));
    Ok(())
}

fn run(mut clients: Clients, spoken: &Spoken, key: &dyn Fn(&str) -> Result<i16>, pace: &Pace) -> Result<Vec<Asked>> {
    prepare(&mut clients)?;
    let mut trace = Vec::new();
    for phase in ["without rules", WITH_RULES] {
        if phase == WITH_RULES {
            let rules: Vec<Value> =
                NEEDS.iter().flat_map(|(api, _)| rules_of(api)).flat_map(|(_, rules)| rules).collect();
            add_rules(&mut clients, &rules, &rules_of("CreatePartitions").remove(0).0)?;
        }
        for case in &chosen() {
            let Some(range) = spoken.get(&key(case.api)?) else { continue };
            pace.keep();
            for version in versions(case, *range) {
                for user in users_of(case, phase) {
                    for names in case.about.names() {
                        trace.push(ask(&mut clients, case, version, phase, &user, names)?);
                    }
                }
            }
        }
    }
    Ok(trace)
}

/// All, or those that `KLAMM_CASE` begins the name of.
fn chosen() -> Vec<Case> {
    let wanted = std::env::var("KLAMM_CASE").unwrap_or_default();
    cases::all().into_iter().filter(|case| format!("{} {}", case.api, case.label).starts_with(&wanted)).collect()
}

fn users_of(case: &Case, phase: &str) -> Vec<String> {
    let own = rules_of(case.api).into_iter().map(|(user, _)| user).filter(|_| phase == WITH_RULES);
    [ADMIN, NONE, ANONYMOUS].map(str::to_string).into_iter().chain(own).collect()
}

pub fn ask(
    clients: &mut Clients,
    case: &Case,
    version: i16,
    phase: &'static str,
    user: &str,
    names: &[&str],
) -> Result<Asked> {
    clients.fresh += 1;
    let fresh = clients.fresh.to_string();
    let names: Vec<String> = names.iter().map(|name| name.replace("NEW", &fresh)).collect();
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    let topics = (case.topics)(&words);
    if !topics.is_empty() {
        clients.create_topics(&topics.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    for (api, version, request) in (case.before)(&words) {
        clients.admin(api, version, &request)?;
    }
    let answer = clients.ask(user, case.api, version, &(case.request)(&words))?;
    let answer = answer.map_or(json!("the connection was closed"), |answer| clients.masks.canonical(&answer));
    Ok(Asked { case: format!("{} {}", case.api, case.label), version, phase, user: user.to_string(), names, answer })
}

/// Topics, the coordinators, groups with offsets, producers.
pub fn prepare(clients: &mut Clients) -> Result<()> {
    clients.create_topics(&["r-seen", "f-seen"])?;
    for (kind, names) in [(0, ["r-group", "f-group"]), (1, ["r-txn", "f-txn"])] {
        let request = json!({ "KeyType": kind, "CoordinatorKeys": names });
        clients.until("FindCoordinator", 4, &request, |answer| all_zero(&answer["Coordinators"], "ErrorCode"))?;
    }
    for group in ["r-group", "f-group"] {
        let request = cases::committed(group, &["r-seen", "f-seen"]);
        clients.until("OffsetCommit", 8, &request, |answer| {
            let partitions = answer["Topics"][0]["Partitions"].as_array();
            partitions.into_iter().flatten().any(|partition| partition["ErrorCode"] == 0)
        })?;
    }
    for id in ["r-txn", "f-txn", "r-open"] {
        let request = json!({ "TransactionalId": id, "TransactionTimeoutMs": 900_000 });
        let given = clients.until("InitProducerId", 4, &request, |answer| answer["ErrorCode"] == 0)?;
        if id == "r-open" {
            open_transaction(clients, &given)?;
        }
    }
    let told = clients.admin("Metadata", 12, &json!({ "Topics": [{ "Name": "__consumer_offsets" }] }))?;
    let id = told["Topics"][0]["TopicId"].as_str().context("its id")?.to_string();
    clients.masks.ids.insert("__consumer_offsets".into(), id);
    Ok(())
}

fn open_transaction(clients: &mut Clients, producer: &Value) -> Result<()> {
    let topics = json!([{ "Name": "r-seen", "Partitions": [0] }, { "Name": "f-seen", "Partitions": [0] }]);
    let request = json!({ "V3AndBelowTransactionalId": "r-open", "V3AndBelowProducerId": producer["ProducerId"],
                          "V3AndBelowProducerEpoch": producer["ProducerEpoch"], "V3AndBelowTopics": topics });
    let is_added =
        |answer: &Value| answer["ResultsByTopicV3AndBelow"][0]["ResultsByPartition"][0]["PartitionErrorCode"] == 0;
    clients.until("AddPartitionsToTxn", 3, &request, is_added).map(|_| ())
}

/// `probe`: a client that may make partitions by these rules.
pub fn add_rules(clients: &mut Clients, rules: &[Value], probe: &str) -> Result<()> {
    let made = clients.admin("CreateAcls", 3, &json!({ "Creations": rules }))?;
    ensure!(all_zero(&made["Results"], "ErrorCode"), "{made}");
    // One of the clients may do it when all rules have come to the broker, and to its controller.
    let request = json!({ "Topics": [{ "Name": "r-seen", "Count": 2, "Assignments": null }], "TimeoutMs": 10_000, "ValidateOnly": true });
    let count = |answer: &Value| {
        let resources = answer["Resources"].as_array().into_iter().flatten();
        resources.map(|resource| resource["Acls"].as_array().map_or(0, Vec::len)).sum::<usize>()
    };
    clients.until("DescribeAcls", 3, &cases::any_rule(&Value::Null), |answer| count(answer) >= rules.len())?;
    for _ in 0..1000 {
        let answer = clients.ask(probe, "CreatePartitions", 3, &request)?.context("closed")?;
        if all_zero(&answer["Results"], "ErrorCode") {
            return Ok(());
        }
        thread::sleep(std::time::Duration::from_millis(10));
    }
    bail!("the rules do not come to the controller")
}

/// `is_whole`: what is accepted and does not happen is a failure, too.
pub fn judge(theirs: &[Asked], ours: &[Asked], is_whole: bool) -> Result<()> {
    ensure!(theirs.len() == ours.len(), "{} and {} answers", theirs.len(), ours.len());
    let is_peer = broker::peer() == Peer::Klamm;
    let accepted: Vec<_> = ACCEPTED.iter().filter(|_| is_peer).collect();
    let mut used = vec![0; accepted.len()];
    let (mut found, mut count) = (BTreeMap::<String, Vec<String>>::new(), 0);
    for (theirs, ours) in theirs.iter().zip(ours) {
        ensure!(theirs.title() == ours.title(), "{} and {}", theirs.title(), ours.title());
        for difference in mask::differences(&theirs.answer, &ours.answer) {
            match accepted.iter().position(|accepted| accepted.is_for(&theirs.case, &difference)) {
                Some(at) => used[at] += 1,
                None => {
                    count += 1;
                    found.entry(show(&theirs.case, &difference)).or_default().push(theirs.title());
                }
            }
        }
    }
    println!("{} requests, {count} differences, {} accepted: {used:?}", theirs.len(), used.iter().sum::<usize>());
    if std::env::var_os("KLAMM_TRACE").is_some() {
        theirs.iter().for_each(|asked| println!("{}\n    {}", asked.title(), asked.answer));
    }
    let mut lines: Vec<String> = found.into_iter().map(|(shown, titles)| summary(&shown, &titles)).collect();
    for (accepted, _) in accepted.iter().zip(&used).filter(|(_, used)| is_whole && **used == 0) {
        lines.push(format!("no difference any more at `{}` ({})", accepted.case, accepted.reason));
    }
    if !lines.is_empty() {
        lines.truncate(SHOWN);
        bail!("{count} differences\n{}", lines.join("\n"));
    }
    Ok(())
}

fn show(case: &str, difference: &Difference) -> String {
    let Difference { path, theirs, ours } = difference;
    format!("{case}: {path}\n    kafka: {theirs}\n    klamm: {ours}")
}

/// One kind of difference, and a few of the requests that showed it.
fn summary(shown: &str, titles: &[String]) -> String {
    let examples: Vec<String> =
        titles.iter().step_by(titles.len().div_ceil(3)).map(|title| format!("\n    in {title}")).collect();
    format!("{} times {shown}{}", titles.len(), examples.concat())
}
