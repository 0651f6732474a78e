//! What a request is about, by the names of its fields: topics, partitions, groups and transactional ids, however deep they are.

use serde_json::Value;

use crate::model::ApiKey;

/// Fields that hold names or ids of topics, and arrays whose elements do, as a text or as their `name`.
const TOPICS: &[&str] = &["topic", "topicName", "topicId"];
const OF_TOPICS: &[&str] =
    &["topics", "topicData", "v3AndBelowTopics", "topicNames", "topicIds", "subscribedTopicNames", "topicPartitions"];
/// What a topic's element calls itself, and where it has its partitions.
const NAMES_OF_TOPIC: &[&str] = &["topic", "topicName", "name", "topicId"];
const PARTITIONS: &[&str] = &["partition", "partitionIndex", "index", "partitions", "partitionIndexes"];
/// Fields that hold a group or a transactional id, alone or in an array.
const GROUPS: &[&str] = &["groupId", "group", "groups", "groupsNames", "groupIds"];
const TRANSACTIONS: &[&str] = &["transactionalId", "v3AndBelowTransactionalId", "transactionalIds"];
/// `FindCoordinatorRequest.CoordinatorType`
const GROUP_KEY: i64 = 0;
const TRANSACTION_KEY: i64 = 1;

fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Whether a body names a topic that is wanted.
pub fn has_topic(body: &Value, is_wanted: &dyn Fn(&str) -> bool) -> bool {
    match body {
        Value::Object(map) => map.iter().any(|(name, value)| {
            let is_text = |value: &Value| value.as_str().is_some_and(is_wanted);
            let is_element = |element: &Value| is_text(element) || is_text(&element["name"]);
            (TOPICS.contains(&name.as_str()) && is_text(value))
                || (OF_TOPICS.contains(&name.as_str()) && elements(value).any(is_element))
                || has_topic(value, is_wanted)
        }),
        Value::Array(all) => all.iter().any(|each| has_topic(each, is_wanted)),
        _ => false,
    }
}

/// Whether a body names a partition, of a topic that is wanted; without one, of any.
pub fn has_partition(body: &Value, topic: Option<&dyn Fn(&str) -> bool>, partition: i64) -> bool {
    match body {
        Value::Object(map) => {
            let is_topic = |is_wanted: &dyn Fn(&str) -> bool| {
                let mut names = NAMES_OF_TOPIC.iter().filter_map(|name| map.get(*name)?.as_str());
                names.any(is_wanted)
            };
            (topic.is_none_or(is_topic) && lists_partition(body, partition))
                || map.values().any(|value| has_partition(value, topic, partition))
        }
        Value::Array(all) => all.iter().any(|each| has_partition(each, topic, partition)),
        _ => false,
    }
}

fn lists_partition(of: &Value, wanted: i64) -> bool {
    match of {
        Value::Object(map) => map.iter().any(|(name, value)| {
            let is_it = |value: &Value| value.as_i64() == Some(wanted);
            (PARTITIONS.contains(&name.as_str()) && (is_it(value) || elements(value).any(is_it)))
                || lists_partition(value, wanted)
        }),
        Value::Array(all) => all.iter().any(|each| lists_partition(each, wanted)),
        _ => false,
    }
}

pub fn has_group(api: ApiKey, body: &Value, group: &str) -> bool {
    has_text(body, GROUPS, group) || is_looked_for(api, body, GROUP_KEY, group)
}

pub fn has_transactional_id(api: ApiKey, body: &Value, id: &str) -> bool {
    has_text(body, TRANSACTIONS, id) || is_looked_for(api, body, TRANSACTION_KEY, id)
}

/// FindCoordinator says in another field what its keys are.
fn is_looked_for(api: ApiKey, body: &Value, kind: i64, key: &str) -> bool {
    let is_it = |found: &Value| found.as_str() == Some(key);
    api == ApiKey::FindCoordinator
        && body["keyType"].as_i64().unwrap_or_default() == kind
        && (is_it(&body["key"]) || elements(&body["coordinatorKeys"]).any(is_it))
}

fn has_text(body: &Value, fields: &[&str], wanted: &str) -> bool {
    match body {
        Value::Object(map) => map.iter().any(|(name, value)| {
            let is_it = |value: &Value| value.as_str() == Some(wanted);
            (fields.contains(&name.as_str()) && (is_it(value) || elements(value).any(is_it)))
                || has_text(value, fields, wanted)
        }),
        Value::Array(all) => all.iter().any(|each| has_text(each, fields, wanted)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_found_where_messages_have_them() {
        let topic = |body: &Value| has_topic(body, &|found| found == "t");
        assert!(topic(&json!({ "topicData": [{ "name": "t", "partitionData": [] }] })));
        assert!(topic(&json!({ "topics": [{ "topicId": "t", "partitions": [] }] })));
        assert!(topic(&json!({ "v3AndBelowTopics": [{ "name": "t", "partitions": [0] }] })));
        assert!(topic(&json!({ "groups": [{ "topics": [{ "name": "t" }] }] })));
        assert!(topic(&json!({ "subscribedTopicNames": ["s", "t"] })));
        assert!(!topic(&json!({ "protocols": [{ "name": "t" }], "groupId": "t" })), "other things have names too");
        let of = |topic: Option<&dyn Fn(&str) -> bool>, partition| {
            let topics = json!({ "topics": [
                { "name": "t", "partitions": [{ "partitionIndex": 1 }] },
                { "name": "u", "partitionIndexes": [2] },
            ] });
            has_partition(&topics, topic, partition)
        };
        assert!(of(Some(&|found| found == "t"), 1) && !of(Some(&|found| found == "t"), 2));
        assert!(of(None, 2) && !of(None, 3));
        assert!(has_group(ApiKey::OffsetFetch, &json!({ "groups": [{ "groupId": "g" }] }), "g"));
        let find = json!({ "keyType": 1, "coordinatorKeys": ["k"] });
        assert!(has_transactional_id(ApiKey::FindCoordinator, &find, "k"));
        assert!(!has_group(ApiKey::FindCoordinator, &find, "k"));
    }
}
