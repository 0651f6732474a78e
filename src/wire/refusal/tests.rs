//! Refusals of single requests; `compat-tests/tests/security/logins.rs` compares those of all APIs with Apache Kafka's.

use serde_json::json;

use super::*;
use crate::wire::api;

const REFUSED: WhyRefused<'_> = WhyRefused { code: 6, told: Some("why"), standard: Some("the code") };

fn refused(api: ApiKey, version: i16, request: &Value, place: ErrorPlace) -> Value {
    refuse(api, version, request, &REFUSED, place).unwrap()
}

#[test]
fn a_refusal_names_what_was_asked_for() {
    let request =
        json!({ "acks": -1, "topicData": [{ "name": "t", "partitionData": [{ "index": 1 }, { "index": 2 }] }] });
    let partition = |index| json!({ "index": index, "errorCode": 6, "errorMessage": "why", "baseOffset": -1 });
    let expected = json!({ "responses": [{ "name": "t", "partitionResponses": [partition(1), partition(2)] }] });
    assert_eq!(refused(ApiKey::Produce, 9, &request, ErrorPlace::AsKafka), expected);
    assert_eq!(refuse(ApiKey::Produce, 9, &json!({ "acks": 0 }), &REFUSED, ErrorPlace::AsKafka), None);
    let request = json!({ "v3AndBelowTopics": [{ "name": "t", "partitions": [4] }] });
    let told = refused(ApiKey::AddPartitionsToTxn, 3, &request, ErrorPlace::AtElements);
    let partition = json!({ "partitionIndex": 4, "partitionErrorCode": 6 });
    assert_eq!(told, json!({ "resultsByTopicV3AndBelow": [{ "name": "t", "resultsByPartition": [partition] }] }));
    let request = json!({ "dirs": [{ "topics": [{ "name": "t", "partitions": [0] }] }, { "topics": [] }] });
    let told = refused(ApiKey::AlterReplicaLogDirs, 2, &request, ErrorPlace::AsKafka);
    let partition = json!({ "partitionIndex": 0, "errorCode": 6 });
    assert_eq!(told, json!({ "results": [{ "topicName": "t", "partitions": [partition] }] }));
    assert_eq!(refused(ApiKey::Heartbeat, 4, &json!({}), ErrorPlace::AsKafka), json!({ "errorCode": 6 }));
}

/// A Fetch is refused as a whole, or at its partitions; a session that names none has no other place than the whole.
#[test]
fn a_fetch_is_refused_as_kafka_does_or_at_its_partitions() {
    let request = json!({ "sessionId": 7, "topics": [{ "topicId": "x", "partitions": [{ "partition": 3 }] }] });
    let partition = json!({ "partitionIndex": 3, "errorCode": 6, "highWatermark": -1 });
    let responses = json!([{ "topicId": "x", "partitions": [partition] }]);
    let whole = json!({ "sessionId": 7, "errorCode": 6 });
    assert_eq!(refused(ApiKey::Fetch, 13, &request, ErrorPlace::AsKafka), whole);
    let both = json!({ "sessionId": 7, "errorCode": 6, "responses": responses });
    assert_eq!(refused(ApiKey::Fetch, 12, &request, ErrorPlace::AsKafka), both);
    let partitions = json!({ "sessionId": 7, "responses": responses });
    assert_eq!(refused(ApiKey::Fetch, 13, &request, ErrorPlace::AtElements), partitions);
    let none = refused(ApiKey::Fetch, 13, &json!({ "sessionId": 7, "topics": [] }), ErrorPlace::AtElements);
    assert_eq!(none["errorCode"], 6);
}

/// OffsetFetch has had three shapes.
#[test]
fn offsets_are_refused_where_their_version_tells_it() {
    let topics = json!({ "topics": [{ "name": "t", "partitionIndexes": [4] }] });
    let of = |version, request| refused(ApiKey::OffsetFetch, version, request, ErrorPlace::AsKafka);
    let partition = json!({ "partitionIndex": 4, "errorCode": 6, "committedOffset": -1 });
    assert_eq!(of(1, &topics)["topics"], json!([{ "name": "t", "partitions": [partition] }]));
    assert_eq!(of(2, &topics), json!({ "errorCode": 6 }));
    assert_eq!(of(7, &topics), json!({ "errorCode": 6 }));
    let groups = json!({ "groups": [{ "groupId": "g", "topics": [] }] });
    assert_eq!(of(8, &groups)["groups"], json!([{ "groupId": "g", "errorCode": 6 }]));
}

/// The table names fields that there are: what it makes of a request with one element each can be written in every version.
#[test]
fn every_refusal_can_be_written_in_every_version() {
    let mut wrong = Vec::new();
    // Those of share and streams groups get their forms when they come.
    for key in ApiKey::ALL.iter().copied().filter(|key| key.id() < ApiKey::ShareGroupHeartbeat.id()) {
        assert!(has_place(&forms::form(key)), "{key}");
        let Some(description) = api::describe(key) else { continue };
        let mut request = Map::new();
        for mirror in forms::form(key).mirrors {
            request.insert(mirror.request.into(), json!([]));
        }
        let request = Value::Object(request);
        for version in (0..40).filter(|version| description.has_version(*version)) {
            let answer = refused(key, version, &request, ErrorPlace::AsKafka);
            let written = json::response_frame(description, version, 1, &answer);
            wrong.extend(written.err().map(|sentence| format!("{key} {version}: {sentence}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
