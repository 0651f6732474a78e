//! Answers that are changed to say that what was done has failed, as JSON of the messages' own fields.

use serde_json::{Value, json};

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
        accuse(&mut answer, 3, None, None);
        assert_eq!((codes(&answer, 0), codes(&answer, 1)), (vec![3, 3], vec![3]));
        let mut plain = json!({ "errorCode": 0, "memberId": "m" });
        accuse(&mut plain, 25, None, None);
        assert_eq!(plain["errorCode"], 25);
    }
}
