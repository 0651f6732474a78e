//! Answers that refuse a whole request, as each request of Kafka makes one for itself (`AbstractRequest.getErrorResponse`),
//! and answers that are changed to refuse what has been done.
//!
//! Both are JSON of the messages' own fields. Which elements of an answer stand for which of its request is a table.

use serde_json::{Map, Value, json};

use crate::model::ApiKey;

/// Elements of an answer that stand for elements of its request: where both are, fields that are taken over (the answer's
/// name first; an empty name of the request's is the element itself), and the same within.
struct Mirror {
    answer: &'static str,
    request: &'static str,
    fields: &'static [(&'static str, &'static str)],
    within: Option<&'static Mirror>,
    error: &'static str,
}

const fn mirror(
    answer: &'static str,
    request: &'static str,
    fields: &'static [(&'static str, &'static str)],
    within: Option<&'static Mirror>,
) -> Mirror {
    Mirror { answer, request, fields, within, error: "errorCode" }
}

const TOPIC: &[(&str, &str)] = &[("name", "name"), ("topicId", "topicId")];
const PARTITIONS: Mirror = mirror("partitions", "partitions", &[("partitionIndex", "partitionIndex")], None);

const PRODUCED: Mirror = mirror("partitionResponses", "partitionData", &[("index", "index")], None);
const FETCHED: Mirror = mirror("partitions", "partitions", &[("partitionIndex", "partition")], None);
const ADDED: Mirror = Mirror {
    error: "partitionErrorCode",
    ..mirror("resultsByPartition", "partitions", &[("partitionIndex", "")], None)
};
const RESOURCES: Mirror =
    mirror("responses", "resources", &[("resourceType", "resourceType"), ("resourceName", "resourceName")], None);

/// The elements of an API's answer; none where the answer has one error for all of it.
fn mirrors(api: ApiKey) -> Option<&'static [Mirror]> {
    const TOPICS: &[Mirror] = &[mirror("topics", "topics", TOPIC, Some(&PARTITIONS))];
    Some(match api {
        ApiKey::Produce => &const { [mirror("responses", "topicData", TOPIC, Some(&PRODUCED))] },
        ApiKey::Fetch => {
            const OF_TOPIC: &[(&str, &str)] = &[("topic", "topic"), ("topicId", "topicId")];
            &const { [mirror("responses", "topics", OF_TOPIC, Some(&FETCHED))] }
        }
        ApiKey::ListOffsets | ApiKey::OffsetCommit | ApiKey::TxnOffsetCommit | ApiKey::DeleteRecords => TOPICS,
        ApiKey::AddPartitionsToTxn => {
            const OLD: Mirror =
                mirror("resultsByTopicV3AndBelow", "v3AndBelowTopics", &[("name", "name")], Some(&ADDED));
            &const { [OLD] }
        }
        ApiKey::CreateTopics => &const { [mirror("topics", "topics", &[("name", "name")], None)] },
        ApiKey::CreatePartitions => &const { [mirror("results", "topics", &[("name", "name")], None)] },
        ApiKey::DeleteTopics => {
            const BY_NAME: Mirror = mirror("responses", "topicNames", &[("name", "")], None);
            &const { [mirror("responses", "topics", TOPIC, None), BY_NAME] }
        }
        ApiKey::DeleteGroups => &const { [mirror("results", "groupsNames", &[("groupId", "")], None)] },
        ApiKey::AlterConfigs | ApiKey::IncrementalAlterConfigs => &const { [RESOURCES] },
        ApiKey::FindCoordinator => &const { [mirror("coordinators", "coordinatorKeys", &[("key", "")], None)] },
        ApiKey::OffsetFetch => &const { [mirror("groups", "groups", &[("groupId", "groupId")], None)] },
        ApiKey::JoinGroup
        | ApiKey::SyncGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::ConsumerGroupHeartbeat
        | ApiKey::InitProducerId
        | ApiKey::AddOffsetsToTxn
        | ApiKey::EndTxn
        | ApiKey::OffsetDelete => &[],
        _ => return None,
    })
}

/// Whether a request changes nothing, so that its answer can be changed as if it had not been handled.
fn only_asks(api: ApiKey) -> bool {
    use ApiKey::*;
    matches!(
        api,
        Metadata
            | ApiVersions
            | DescribeGroups
            | ListGroups
            | DescribeConfigs
            | DescribeLogDirs
            | DescribeCluster
            | DescribeProducers
            | DescribeTransactions
            | ListTransactions
            | DescribeTopicPartitions
            | ConsumerGroupDescribe
            | OffsetForLeaderEpoch
            | DescribeAcls
            | DescribeQuorum
            | ListConfigResources
            | DescribeClientQuotas
            | ListPartitionReassignments
    )
}

/// How a request of an API can be refused before it has an effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusable {
    /// [`refuse`] makes its answer, and it is not handled.
    Instead,
    /// It has no effect, and [`accuse`] changes its own answer.
    Afterwards,
    No,
}

pub fn refusable(api: ApiKey) -> Refusable {
    match mirrors(api) {
        Some(_) => Refusable::Instead,
        None if only_asks(api) => Refusable::Afterwards,
        None => Refusable::No,
    }
}

/// The answer that refuses all of a request; `None` if there is none for the API, or the client waits for no answer.
pub fn refuse(api: ApiKey, request: &Value, code: i16) -> Option<Value> {
    if api == ApiKey::Produce && request["acks"] == 0 {
        return None;
    }
    let mut answer = Map::new();
    for mirror in mirrors(api)? {
        let Some(elements) = request.get(mirror.request).and_then(Value::as_array).filter(|all| !all.is_empty()) else {
            continue;
        };
        answer.insert(mirror.answer.into(), elements.iter().map(|element| mirror.element(element, code)).collect());
    }
    if answer.is_empty() {
        answer.insert("errorCode".into(), code.into());
    }
    Some(Value::Object(answer))
}

impl Mirror {
    fn element(&self, asked: &Value, code: i16) -> Value {
        let mut answered = Map::new();
        for (ours, theirs) in self.fields {
            match (theirs.is_empty(), asked.get(theirs)) {
                (true, _) => drop(answered.insert((*ours).into(), asked.clone())),
                (false, Some(value)) => drop(answered.insert((*ours).into(), value.clone())),
                (false, None) => {}
            }
        }
        match self.within {
            Some(within) => {
                let elements = asked[within.request].as_array().into_iter().flatten();
                let elements: Vec<_> = elements.map(|element| within.element(element, code)).collect();
                answered.insert(within.answer.into(), elements.into());
            }
            None => drop(answered.insert(self.error.into(), code.into())),
        }
        Value::Object(answered)
    }
}

/// Makes an answer say that what was asked has failed: its innermost error codes become `code`, those of the topic and the
/// partition alone where they are named.
pub fn accuse(answer: &mut Value, code: i16, topic: Option<&dyn Fn(&str) -> bool>, partition: Option<i64>) {
    if !accuse_within(answer, code, topic, partition) && answer.get("errorCode").is_some() {
        answer["errorCode"] = code.into();
    }
}

/// Names of fields that say which topic an element is about, and which partition.
const TOPIC_FIELDS: [&str; 4] = ["name", "topic", "topicName", "topicId"];
const PARTITION_FIELDS: [&str; 3] = ["partitionIndex", "index", "partition"];
const ERROR_FIELDS: [&str; 2] = ["errorCode", "partitionErrorCode"];

/// Whether there are elements with codes of their own.
fn accuse_within(of: &mut Value, code: i16, topic: Option<&dyn Fn(&str) -> bool>, partition: Option<i64>) -> bool {
    let Value::Object(fields) = of else { return false };
    let mut has_codes = false;
    for elements in fields.values_mut().filter_map(Value::as_array_mut) {
        for element in elements {
            let of_topic = TOPIC_FIELDS.iter().filter_map(|name| element.get(name)?.as_str());
            let is_other_topic = {
                let mut named = of_topic.filter(|text| !text.is_empty()).peekable();
                topic.is_some_and(|is_it| named.peek().is_some() && !named.any(is_it))
            };
            let of_partition = PARTITION_FIELDS.iter().find_map(|name| element.get(name)?.as_i64());
            let is_other_partition = partition.is_some_and(|wanted| of_partition.is_some_and(|found| found != wanted));
            let own = ERROR_FIELDS.into_iter().find(|name| element.get(name).is_some());
            if is_other_topic || is_other_partition {
                has_codes |= own.is_some() || element.is_object();
                continue;
            }
            if element.get("isInternal").is_some() {
                // Metadata refuses a topic as a whole.
                element["errorCode"] = code.into();
                element["partitions"] = json!([]);
                has_codes = true;
                continue;
            }
            let is_deeper = accuse_within(element, code, topic, partition);
            if let Some(own) = own.filter(|_| !is_deeper) {
                element[own] = code.into();
                if element.get("records").is_some() {
                    element["records"] = Value::Null;
                }
            }
            has_codes |= is_deeper || own.is_some();
        }
    }
    has_codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_was_asked_for() {
        let request =
            json!({ "acks": -1, "topicData": [{ "name": "t", "partitionData": [{ "index": 1 }, { "index": 2 }] }] });
        let expected = json!({ "responses": [{ "name": "t", "partitionResponses": [
            { "index": 1, "errorCode": 6 },
            { "index": 2, "errorCode": 6 },
        ] }] });
        assert_eq!(refuse(ApiKey::Produce, &request, 6), Some(expected));
        assert_eq!(refuse(ApiKey::Produce, &json!({ "acks": 0 }), 6), None, "no answer is waited for");
        let request = json!({ "v3AndBelowTopics": [{ "name": "t", "partitions": [4] }] });
        let expected = json!({ "resultsByTopicV3AndBelow": [{ "name": "t", "resultsByPartition": [
            { "partitionIndex": 4, "partitionErrorCode": 51 },
        ] }] });
        assert_eq!(refuse(ApiKey::AddPartitionsToTxn, &request, 51), Some(expected));
        assert_eq!(refuse(ApiKey::Heartbeat, &json!({}), 27), Some(json!({ "errorCode": 27 })));
        // A session of fetches that names nothing is refused as a whole.
        assert_eq!(refuse(ApiKey::Fetch, &json!({ "topics": [] }), 70), Some(json!({ "errorCode": 70 })));
        assert_eq!(refuse(ApiKey::DescribeConfigs, &json!({}), 1), None);
    }

    #[test]
    fn an_answer_is_changed_where_its_innermost_codes_are() {
        let mut answer = json!({ "errorCode": 0, "responses": [
            { "topic": "t", "partitions": [
                { "partitionIndex": 0, "errorCode": 0, "records": { "bytes": 7 } },
                { "partitionIndex": 1, "errorCode": 0, "records": { "bytes": 7 } },
            ] },
            { "topic": "u", "partitions": [{ "partitionIndex": 0, "errorCode": 0 }] },
        ] });
        accuse(&mut answer, 6, Some(&|name| name == "t"), Some(1));
        assert_eq!(answer["errorCode"], 0);
        let codes = |answer: &Value, at: usize| {
            let partitions = answer["responses"][at]["partitions"].as_array().unwrap().clone();
            partitions.iter().map(|partition| partition["errorCode"].as_i64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!((codes(&answer, 0), codes(&answer, 1)), (vec![0, 6], vec![0]));
        assert_eq!(answer["responses"][0]["partitions"][1]["records"], Value::Null);
        accuse(&mut answer, 3, None, None);
        assert_eq!((codes(&answer, 0), codes(&answer, 1)), (vec![3, 3], vec![3]));
        let mut plain = json!({ "errorCode": 0, "memberId": "m" });
        accuse(&mut plain, 25, None, None);
        assert_eq!(plain["errorCode"], 25);
    }
}
