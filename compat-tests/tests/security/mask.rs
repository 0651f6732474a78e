//! Answers as they are compared: lists in an order, ids by the names of their topics, and words for what may differ between
//! two brokers for no reason.

use compat_tests::schema::ZERO_ID;
use regex::Regex;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub struct Masks {
    /// The ids of topics by their names.
    pub ids: BTreeMap<String, String>,
    cluster: Regex,
    uuid: Regex,
}

impl Default for Masks {
    fn default() -> Masks {
        let compile = |text: &str| Regex::new(text).expect("a good expression");
        Masks {
            ids: BTreeMap::new(),
            // Kafka's sentence has addresses of its memory.
            cluster: compile(r"^(?:Request Request\(.*\)|The request) needs ([A-Z_]+) permission\.$"),
            uuid: compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        }
    }
}

/// What each broker has of its own.
const MEASURED: &[&str] = &[
    "ThrottleTimeMs",
    "PartitionSize",
    "TotalBytes",
    "UsableBytes",
    "LogEndOffset",
    "LastFetchTimestamp",
    "LastCaughtUpTimestamp",
    "TransactionStartTimeMs",
    "FinalizedFeaturesEpoch",
    "SupportedFeatures",
    "FinalizedFeatures",
    "ApiKeys",
    "CurrentLeader",
    "NodeEndpoints",
    "IssueTimestampMs",
];
/// Whether they are given is all that counts.
const GIVEN: &[&str] = &[
    "ProducerId",
    "Port",
    "Timestamp",
    "ControllerId",
    "LogStartOffset",
    "HighWatermark",
    "BaseOffset",
    "LowWatermark",
    "LastStableOffset",
];
/// Kafka makes it when it is asked for the coordinator of a share group.
const SHARE_TOPIC: &str = "__share_group_state";
/// What goes by time and not by rights.
const NAMED: &[&str] = &["Host", "ClusterId", "ClientHost", "LogDir", "GroupState"];

impl Masks {
    pub fn canonical(&self, answer: &Value) -> Value {
        self.value("", answer)
    }

    fn value(&self, name: &str, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let kept = fields.iter().filter(|(name, _)| !MEASURED.contains(&name.as_str()));
                Value::Object(kept.map(|(name, value)| (name.clone(), self.value(name, value))).collect::<Map<_, _>>())
            }
            Value::Array(elements) => {
                let is_shown = |element: &&Value| NAMES.iter().all(|name| element[*name] != SHARE_TOPIC);
                let shown = elements.iter().filter(is_shown);
                let mut elements: Vec<Value> = shown.map(|element| self.value(name, element)).collect();
                elements.sort_by_cached_key(|element| (identity(element), element.to_string()));
                elements.into()
            }
            Value::Number(number) if GIVEN.contains(&name) && number.as_i64().is_some_and(|number| number >= 0) => {
                json!(format!("a {name}"))
            }
            Value::String(text) => self.text(name, text),
            other => other.clone(),
        }
    }

    fn text(&self, name: &str, text: &str) -> Value {
        if name == "Records" {
            return json!(format!("{} records", if text.is_empty() { "no" } else { "some" }));
        }
        if NAMED.contains(&name) && !text.is_empty() {
            return json!(format!("a {name}"));
        }
        let is_odd = text.starts_with("722d") || text.starts_with("662d"); // one of `other_id`
        let is_id = !is_odd && text.len() == ZERO_ID.len() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id && text != ZERO_ID {
            let known = self.ids.iter().find(|(_, id)| *id == text);
            return json!(known.map_or("an id".into(), |(name, _)| format!("the id of {name}")));
        }
        let text = self.cluster.replace(text, "needs $1");
        json!(self.uuid.replace_all(&text, "UUID"))
    }
}

/// What an element of a list is about, by which it is put beside the other broker's.
const NAMES: &[&str] = &[
    "Name",
    "Topic",
    "TopicName",
    "TopicId",
    "GroupId",
    "TransactionalId",
    "Key",
    "ResourceName",
    "PartitionIndex",
    "Partition",
    "ResourceType",
];

fn identity(element: &Value) -> String {
    NAMES.iter().filter_map(|name| element.get(name)).map(|value| format!("{value} ")).collect()
}

/// One place where two answers differ.
#[derive(Debug)]
pub struct Difference {
    /// The names of the fields that lead there.
    pub path: String,
    pub theirs: Value,
    pub ours: Value,
}

pub fn differences(theirs: &Value, ours: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", theirs, ours, &mut found);
    found
}

fn compare(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<Difference>) {
    let below = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) if theirs.keys().eq(ours.keys()) => {
            theirs.iter().zip(ours).for_each(|((name, theirs), (_, ours))| compare(&below(name), theirs, ours, found));
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
            theirs.iter().zip(ours).for_each(|(theirs, ours)| compare(path, theirs, ours, found));
        }
        _ if theirs == ours => {}
        _ => found.push(Difference { path: path.to_string(), theirs: theirs.clone(), ours: ours.clone() }),
    }
}
