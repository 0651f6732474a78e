//! The moments of a run: which requests of a client are worth a harm, each named so that a fault rule finds it again in the next
//! run. Pure.
//!
//! Connections, ids of members and times are others in each run. So a moment is the nth request of an API by a client that names
//! a topic, a group or a transactional id, and its number is counted as a rule counts it. Names that only one of two runs of the
//! same command has are made anew by each run, and name nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use regex::escape;
use serde_json::{Map, Value, json};

use crate::model::ApiKey;
use crate::wire::json::names;

/// What has an effect: each such request is a moment.
const EFFECTS: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::OffsetCommit,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::LeaveGroup,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::InitProducerId,
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::TxnOffsetCommit,
    ApiKey::EndTxn,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::CreatePartitions,
    ApiKey::DeleteRecords,
    ApiKey::AlterConfigs,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::DeleteGroups,
    ApiKey::OffsetDelete,
    ApiKey::CreateAcls,
    ApiKey::DeleteAcls,
];
/// What only looks: the first of each kind is a moment.
const LOOKS: &[ApiKey] = &[ApiKey::FindCoordinator, ApiKey::OffsetFetch, ApiKey::ListOffsets];
/// Fields of a body that tell requests of one API apart which mean something else.
const FIELDS: &[(ApiKey, &str)] = &[(ApiKey::ConsumerGroupHeartbeat, "memberEpoch"), (ApiKey::EndTxn, "committed")];

/// A request as the journal has it, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    api: ApiKey,
    client: String,
    topics: Vec<String>,
    group: Option<String>,
    transactional_id: Option<String>,
    /// One of [`FIELDS`] with its value.
    field: Option<(&'static str, Value)>,
    /// It names a member of its group.
    has_member: bool,
    /// It was answered without an error, or wants no answer.
    is_done: bool,
}

impl Asked {
    /// Reads an exchange of `/v1/requests`; `topic_of` knows topics by their ids. `None`: its API is not known.
    pub(super) fn of(exchange: &Value, topic_of: &BTreeMap<String, String>) -> Option<Asked> {
        let api = ApiKey::parse(exchange["api"].as_str()?)?;
        let body = &exchange["request"];
        let text = |field: &str| body[field].as_str().filter(|text| !text.is_empty()).map(str::to_string);
        let seen = RefCell::new(BTreeSet::new());
        names::has_topic(body, &|found| {
            seen.borrow_mut().insert(topic_of.get(found).cloned().unwrap_or_else(|| found.to_string()));
            false
        });
        let field =
            FIELDS.iter().find(|(of, _)| *of == api).and_then(|(_, name)| Some((*name, body.get(name)?.clone())));
        let has_no_error = exchange["errors"].as_object().is_none_or(Map::is_empty);
        Some(Asked {
            api,
            client: exchange["client_id"].as_str().unwrap_or_default().to_string(),
            topics: seen.into_inner().into_iter().collect(),
            group: group_of(api, body),
            transactional_id: text("transactionalId"),
            field,
            has_member: text("memberId").is_some(),
            is_done: exchange["end"] != "closed" && has_no_error,
        })
    }

    /// Whether it is one that harms are for. Heartbeats that only go on are none.
    fn is_moment(&self, only: &[ApiKey]) -> bool {
        let goes_on =
            self.field.as_ref().is_some_and(|(name, epoch)| *name == "memberEpoch" && epoch.as_i64() > Some(0));
        apis(only).contains(&self.api) && self.is_done && !goes_on
    }
}

/// The group that a request is about.
fn group_of(api: ApiKey, body: &Value) -> Option<String> {
    let is_keyed = api == ApiKey::FindCoordinator && body["keyType"].as_i64().unwrap_or_default() == 0;
    let key = || is_keyed.then(|| body["key"].as_str().or(body["coordinatorKeys"][0].as_str())).flatten();
    let named = body["groupId"].as_str().or(body["groups"][0]["groupId"].as_str()).or_else(key);
    named.filter(|group| !group.is_empty()).map(str::to_string)
}

/// The names that two runs of a command have in common.
pub(super) struct Names {
    clients: BTreeSet<String>,
    topics: BTreeSet<String>,
    groups: BTreeSet<String>,
    transactional_ids: BTreeSet<String>,
}

impl Names {
    pub(super) fn of(first: &[Asked], second: &[Asked]) -> Names {
        fn common<'a, I: Iterator<Item = &'a String>>(
            runs: [&'a [Asked]; 2],
            names: impl Fn(&'a Asked) -> I,
        ) -> BTreeSet<String> {
            let [first, second] = runs.map(|run| run.iter().flat_map(&names).collect::<BTreeSet<_>>());
            first.intersection(&second).map(|name| (*name).clone()).collect()
        }
        let runs = [first, second];
        Names {
            clients: common(runs, |asked| Some(&asked.client).filter(|client| !client.is_empty()).into_iter()),
            topics: common(runs, |asked| asked.topics.iter()),
            groups: common(runs, |asked| asked.group.iter()),
            transactional_ids: common(runs, |asked| asked.transactional_id.iter()),
        }
    }
}

/// Which requests a rule takes for the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Kind {
    api: ApiKey,
    client: Option<String>,
    topic: Option<String>,
    group: Option<String>,
    transactional_id: Option<String>,
    field: Option<(&'static str, Value)>,
}

impl Kind {
    fn of(asked: &Asked, names: &Names) -> Kind {
        let known = |name: &Option<String>, of: &BTreeSet<String>| name.clone().filter(|name| of.contains(name));
        Kind {
            api: asked.api,
            client: known(&Some(asked.client.clone()), &names.clients),
            topic: asked.topics.iter().find(|topic| names.topics.contains(*topic)).cloned(),
            group: known(&asked.group, &names.groups),
            transactional_id: known(&asked.transactional_id, &names.transactional_ids),
            field: asked.field.clone(),
        }
    }

    /// Whether a rule that is made of it is for a request.
    pub(super) fn is_for(&self, asked: &Asked) -> bool {
        let has = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        self.api == asked.api
            && self.client.as_ref().is_none_or(|client| *client == asked.client)
            && self.topic.as_ref().is_none_or(|topic| asked.topics.contains(topic))
            && has(&self.group, &asked.group)
            && has(&self.transactional_id, &asked.transactional_id)
            && (self.field.is_none() || self.field == asked.field)
    }

    /// The words of a rule's `match`.
    pub(super) fn to_match(&self, nth: u64) -> Value {
        let mut words = json!({ "api": self.api.name() });
        let pattern = self.client.as_deref().map(escape);
        let texts = [
            ("client_id", &pattern),
            ("topic", &self.topic),
            ("group", &self.group),
            ("transactional_id", &self.transactional_id),
        ];
        for (word, text) in texts {
            if let Some(text) = text {
                words[word] = text.as_str().into();
            }
        }
        if let Some((name, value)) = &self.field {
            words["fields"] = json!({ *name: value });
        }
        words["nth"] = nth.into();
        words
    }
}

/// A request that is found again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    pub(super) kind: Kind,
    /// The how many-th of its kind, from 1 on.
    pub(super) nth: u64,
    pub(super) asked: Asked,
}

impl Moment {
    pub(super) fn has_effect(&self) -> bool {
        !LOOKS.contains(&self.kind.api)
    }

    /// Whether the session of a member can end in front of it.
    pub(super) fn is_of_member(&self) -> bool {
        let is_leaving =
            self.kind.api == ApiKey::LeaveGroup || self.kind.field.as_ref().is_some_and(|(_, is)| *is == -1);
        self.asked.has_member && self.asked.group.is_some() && self.has_effect() && !is_leaving
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = &self.kind;
        let word = match &kind.field {
            Some(("committed", value)) if *value == true => " (commit)".to_string(),
            Some(("committed", _)) => " (abort)".to_string(),
            Some((_, value)) if *value == 0 => " (join)".to_string(),
            Some((_, value)) if value.as_i64() < Some(0) => " (leave)".to_string(),
            _ => String::new(),
        };
        write!(f, "{} {}{word}", ordinal(self.nth), kind.api.name())?;
        let texts = [("to", &kind.topic), ("of", &kind.transactional_id), ("of the group", &kind.group)];
        for (word, text) in texts {
            if let Some(text) = text {
                write!(f, " {word} {text}")?;
            }
        }
        kind.client.as_ref().map_or(Ok(()), |client| write!(f, " by {client:?}"))
    }
}

/// `1st`, `2nd`, `11th`
fn ordinal(number: u64) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// The APIs that moments are of.
pub(super) fn apis(only: &[ApiKey]) -> Vec<ApiKey> {
    let all: BTreeSet<ApiKey> = match only.is_empty() {
        true => EFFECTS.iter().chain(LOOKS).copied().collect(),
        false => only.iter().copied().collect(),
    };
    all.into_iter().collect()
}

/// What two runs of a command have in common.
pub(super) struct Common {
    /// They stand in the order of the first run.
    pub(super) moments: Vec<Moment>,
    /// Those of the first run that the second has not had.
    pub(super) unsteady: usize,
}

/// The moments that both runs of a command have had; only those of some APIs, where any are named.
pub(super) fn common(first: &[Asked], second: &[Asked], only: &[ApiKey]) -> Common {
    let names = Names::of(first, second);
    let [first, second] = [first, second].map(|run| of_run(run, &names, only));
    let others: BTreeSet<String> = second.iter().map(|moment| moment.kind.to_match(moment.nth).to_string()).collect();
    let came = |moment: &Moment| others.contains(&moment.kind.to_match(moment.nth).to_string());
    let count = first.len();
    let moments: Vec<_> = first.into_iter().filter(came).collect();
    Common { unsteady: count - moments.len(), moments }
}

fn of_run(run: &[Asked], names: &Names, only: &[ApiKey]) -> Vec<Moment> {
    /// How many requests of a kind there are in front of a place of the run.
    #[derive(Default)]
    struct Counted {
        place: usize,
        requests: u64,
        /// Whether one of it is a moment already.
        is_seen: bool,
    }
    let (mut kinds, mut moments) = (BTreeMap::<String, Counted>::new(), Vec::new());
    for (at, asked) in run.iter().enumerate().filter(|(_, asked)| asked.is_moment(only)) {
        let kind = Kind::of(asked, names);
        let counted = kinds.entry(kind.to_match(0).to_string()).or_default();
        counted.requests += run[counted.place..at].iter().filter(|before| kind.is_for(before)).count() as u64;
        counted.place = at;
        if std::mem::replace(&mut counted.is_seen, true) && LOOKS.contains(&kind.api) && only.is_empty() {
            continue;
        }
        moments.push(Moment { nth: 1 + counted.requests, kind, asked: asked.clone() });
    }
    moments
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An exchange as the journal shows it.
    pub(in crate::cli::explore) fn asked(api: &str, client: &str, body: Value) -> Asked {
        let exchange = json!({ "api": api, "client_id": client, "request": body, "errors": {}, "end": "answered" });
        Asked::of(&exchange, &BTreeMap::from([("ID".to_string(), "orders".to_string())])).unwrap()
    }

    pub(in crate::cli::explore) fn produce(client: &str, topic: &str) -> Asked {
        asked("Produce", client, json!({ "topicData": [{ "name": topic }] }))
    }

    fn commit(group: &str) -> Asked {
        asked("OffsetCommit", "c", json!({ "groupId": group, "memberId": "m", "topics": [{ "topicId": "ID" }] }))
    }

    fn told(first: &[Asked], second: &[Asked], only: &[ApiKey]) -> Vec<String> {
        common(first, second, only).moments.iter().map(Moment::to_string).collect()
    }

    #[test]
    fn moments_are_counted_as_rules_count() {
        let fetch = asked("Fetch", "c", json!({}));
        let run = [produce("p", "a"), fetch, produce("p", "b"), produce("q", "a"), produce("p", "a"), commit("g")];
        let expected = [
            r#"1st Produce to a by "p""#,
            r#"1st Produce to b by "p""#,
            r#"1st Produce to a by "q""#,
            r#"2nd Produce to a by "p""#,
            r#"1st OffsetCommit to orders of the group g by "c""#,
        ];
        assert_eq!(told(&run, &run, &[]), expected);
        assert_eq!(told(&run, &run, &[ApiKey::Fetch]), [r#"1st Fetch by "c""#]);
        let moment = &common(&run, &run, &[]).moments[4];
        let words = json!({ "api": "OffsetCommit", "client_id": "c", "topic": "orders", "group": "g", "nth": 1 });
        assert_eq!(moment.kind.to_match(moment.nth), words);
        assert!(moment.is_of_member() && moment.has_effect());
    }

    /// Names of one run alone name nothing; then what a rule counts is more.
    #[test]
    fn names_that_each_run_makes_anew_are_left_out() {
        let run = |id: &str| {
            let own = format!("client-{id}");
            [produce(&own, "a"), produce("p", "a"), produce(&own, "a"), commit(&format!("group-{id}"))]
        };
        let expected = [
            "1st Produce to a",
            r#"1st Produce to a by "p""#,
            "3rd Produce to a",
            r#"1st OffsetCommit to orders by "c""#,
        ];
        assert_eq!(told(&run("1"), &run("2"), &[]), expected);
        assert_eq!(common(&run("1"), &run("1")[..3], &[]).unsteady, 1);
    }

    #[test]
    fn what_had_no_effect_or_only_goes_on_is_no_moment_but_is_counted() {
        let refused = |errors: Value, end: &str| {
            let body = json!({ "topicData": [{ "name": "a" }] });
            let exchange = json!({ "api": "Produce", "client_id": "p", "request": body, "errors": errors, "end": end });
            Asked::of(&exchange, &BTreeMap::new()).unwrap()
        };
        let beat = |epoch: i64| {
            asked("ConsumerGroupHeartbeat", "c", json!({ "groupId": "g", "memberId": "m", "memberEpoch": epoch }))
        };
        let find = || asked("FindCoordinator", "c", json!({ "keyType": 0, "coordinatorKeys": ["g"] }));
        let run = [
            refused(json!({ "NOT_LEADER_OR_FOLLOWER": 1 }), "answered"),
            refused(json!({}), "closed"),
            produce("p", "a"),
            beat(0),
            beat(3),
            beat(-1),
            find(),
            find(),
        ];
        let expected = [
            r#"3rd Produce to a by "p""#,
            r#"1st ConsumerGroupHeartbeat (join) of the group g by "c""#,
            r#"1st ConsumerGroupHeartbeat (leave) of the group g by "c""#,
            r#"1st FindCoordinator of the group g by "c""#,
        ];
        assert_eq!(told(&run, &run, &[]), expected);
        let moments = common(&run, &run, &[]).moments;
        assert_eq!(moments.iter().map(Moment::is_of_member).collect::<Vec<_>>(), [false, true, false, false]);
        assert_eq!(moments[1].kind.to_match(1)["fields"], json!({ "memberEpoch": 0 }));
    }

    #[test]
    fn numbers_have_their_endings() {
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal).join(" "),
            "1st 2nd 3rd 4th 11th 12th 13th 21st 112th"
        );
    }
}
