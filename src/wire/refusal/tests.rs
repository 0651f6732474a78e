//! Refusals of single requests; `compat-tests/tests/security/logins.rs` compares those of all APIs with Apache Kafka's.

use serde_json::json;

use super::*;
use crate::wire::api;
use crate::wire::frame::SIZE_BYTES;
use crate::wire::json::RecordsShown;

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

/// In versions whose answers do not name the elements, the error stands for all of it.
#[test]
fn an_offset_fetch_is_refused_where_its_version_has_a_place() {
    let request = json!({ "groupId": "g", "topics": [{ "name": "t", "partitionIndexes": [0] }] });
    for place in [ErrorPlace::AsKafka, ErrorPlace::AtElements] {
        for version in 2..=7 {
            let told = refused(ApiKey::OffsetFetch, version, &request, place);
            assert!(told["errorCode"] == 6 && told.get("topics").is_none(), "version {version}: {told}");
        }
        assert!(refused(ApiKey::OffsetFetch, 1, &request, place)["topics"][0]["partitions"][0].is_object());
    }
}

/// `ApiVersionsRequest.getErrorResponse`: a client that has asked in a version that there is not is told which there are.
#[test]
fn a_refusal_of_versions_says_in_which_to_ask() {
    let code = ErrorCode::UnsupportedVersion.code();
    let unsupported = WhyRefused { code, ..REFUSED };
    let told = refuse(ApiKey::ApiVersions, 0, &json!({}), &unsupported, ErrorPlace::AtElements).unwrap();
    assert_eq!((&told["errorCode"], &told["apiKeys"][0]["apiKey"]), (&json!(code), &json!(18)));
    assert!(refused(ApiKey::ApiVersions, 0, &json!({}), ErrorPlace::AsKafka).get("apiKeys").is_none());
}

/// One element for a mirror, of which all that is mirrored is there.
fn asked(mirror: &Mirror) -> Value {
    let mut element = Map::new();
    for (ours, theirs) in mirror.fields {
        match *theirs {
            "" if ours.starts_with("partition") => return json!(1),
            "" => return json!("x"),
            theirs if theirs.ends_with("Id") && theirs.starts_with("topic") => {
                element.insert(theirs.into(), json!("AAAAAAAAAAAAAAAAAAAAAQ"));
            }
            "partition" | "partitionIndex" | "index" | "producerId" | "resourceType" => {
                element.insert((*theirs).into(), json!(1));
            }
            theirs => drop(element.insert(theirs.into(), json!("x"))),
        }
    }
    if let Some(within) = mirror.within {
        element.insert(within.request.into(), json!([asked(within)]));
    }
    Value::Object(element)
}

/// A request with one element for each mirror.
fn request_for(form: &Form) -> Value {
    let mut request = Map::new();
    for mirror in form.mirrors {
        let mut steps = mirror.request.rsplit('/');
        let last = steps.next().unwrap();
        let element = json!({ last: [asked(mirror)] });
        let whole = steps.fold(element, |inner, step| json!({ step: [inner] }));
        request.extend(whole.as_object().unwrap().clone());
    }
    Value::Object(request)
}

/// How many codes of the refusal a message shows.
fn codes(shown: &Value) -> usize {
    match shown {
        Value::Object(fields) => {
            let is_code = |(name, value): &(&String, &Value)| name.ends_with("rrorCode") && **value == REFUSED.code;
            fields.iter().filter(is_code).count() + fields.values().map(codes).sum::<usize>()
        }
        Value::Array(elements) => elements.iter().map(codes).sum(),
        _ => 0,
    }
}

/// The table names fields that there are: what it makes of a request with one element for each mirror can be written in every
/// version, and a client reads its code there.
#[test]
fn every_refusal_can_be_written_in_every_version() {
    let mut wrong = Vec::new();
    // Those of share and streams groups get their forms when they come.
    for key in ApiKey::ALL.iter().copied().filter(|key| key.id() < ApiKey::ShareGroupHeartbeat.id()) {
        let form = forms::form(key);
        assert!(has_place(&form), "{key}");
        let Some(description) = api::describe(key) else { continue };
        let whole = request_for(&form);
        for version in (0..40).filter(|version| description.has_version(*version)) {
            let mut request = whole.clone();
            json::only_of_version(key, version, &mut request);
            for place in [ErrorPlace::AsKafka, ErrorPlace::AtElements] {
                let answer = refused(key, version, &request, place);
                for mirror in form.mirrors.iter().filter(|mirror| version < mirror.until) {
                    let is_asked = request.get(mirror.request.split('/').next().unwrap()).is_some();
                    assert!(!is_asked || answer[mirror.answer] != json!([]), "{key} {version}: {}", mirror.answer);
                }
                match json::response_frame(description, version, 1, &answer) {
                    Err(sentence) => wrong.push(format!("{key} {version}: {sentence}")),
                    Ok((frame, errors)) => {
                        let shown = json::show_response(key, version, &frame[SIZE_BYTES..], &[], RecordsShown::LeftOut);
                        let told = codes(&shown.unwrap());
                        // The first two have no place for an error of all of it, and Kafka tells none.
                        if key == ApiKey::DescribeLogDirs && version < 3 {
                            assert_eq!(told, 0);
                        } else if told == 0 || errors.iter().all(|(code, _)| code != REFUSED.code) {
                            wrong.push(format!("{key} {version} {place:?}: no code in {answer}"));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_refusal_is_kafkas_at_its_edges() {
    let metadata =
        refused(ApiKey::Metadata, 12, &json!({ "topics": [{ "name": null, "topicId": "x" }] }), ErrorPlace::AsKafka);
    assert_eq!(metadata["topics"][0]["name"], "");
    let names = |names: &[&str]| names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>();
    let request = json!({ "deletions": names(&["b", "a", "b"]), "upsertions": names(&["a", "c"]) });
    let told = refused(ApiKey::AlterUserScramCredentials, 0, &request, ErrorPlace::AsKafka);
    let users: Vec<_> = told["results"].as_array().unwrap().iter().map(|result| &result["user"]).collect();
    assert_eq!(users, ["a", "b", "c"]);
    let request = json!({ "groupId": "g", "topics": [{ "name": "t", "partitionIndexes": [3] }] });
    let partition = json!({ "partitionIndex": 3, "errorCode": 6, "committedOffset": -1 });
    let told = refused(ApiKey::OffsetFetch, 1, &request, ErrorPlace::AsKafka);
    assert_eq!(told["topics"], json!([{ "name": "t", "partitions": [partition] }]));
    assert_eq!(refused(ApiKey::OffsetFetch, 2, &request, ErrorPlace::AsKafka).get("topics"), None);
}
