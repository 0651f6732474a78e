//! Rules before requests.

use serde_json::json;
use std::time::Duration;

use super::*;
use crate::model::{ApiKey, ErrorCode};

const NOW: Instant = Instant(1_000_000_000);
const ID: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

fn nothing() -> Arc<View> {
    Arc::new(View::new("test"))
}

fn rule(text: Value) -> FaultRule {
    FaultRule::parse(&text, NOW).unwrap_or_else(|sentence| panic!("{text}: {sentence}"))
}

fn board(rules: &[Value]) -> Board {
    let board = Board::default();
    board.add(rules.iter().cloned().map(rule).collect(), &nothing(), NOW).unwrap();
    board
}

/// The ids of the rules that strike requests of a client, one after the other.
fn struck(board: &Board, requests: &[(ApiKey, Value)]) -> Vec<Option<u64>> {
    let strike = |(api, body): &(ApiKey, Value)| {
        let facts = RequestFacts {
            broker: 1,
            api: *api,
            version: 9,
            client_id: "client-7",
            principal: Some("User:alice"),
            body: &|| body,
            topic_of: &|id| (id == ID).then(|| "t".to_string()),
        };
        board.strike(&facts, NOW).map(|struck| struck.rule)
    };
    requests.iter().map(strike).collect()
}

fn produce(topic: &str, partition: i32) -> (ApiKey, Value) {
    let data = json!([{ "name": topic, "partitionData": [{ "index": partition }] }]);
    (ApiKey::Produce, json!({ "acks": -1, "transactionalId": null, "topicData": data }))
}

#[test]
fn each_word_of_a_match_is_looked_at() {
    let close = |matched: Value| json!({ "match": matched, "action": { "close": true } });
    let fetch = (ApiKey::Fetch, json!({ "topics": [{ "topicId": ID, "partitions": [{ "partition": 3 }] }] }));
    let heartbeat = (ApiKey::Heartbeat, json!({ "groupId": "g", "memberId": "m" }));
    let find = (ApiKey::FindCoordinator, json!({ "keyType": 1, "coordinatorKeys": ["tx"] }));
    let requests = [produce("t", 0), produce("u", 3), fetch, heartbeat, find];
    let hits = |matched: Value| {
        let found = struck(&board(&[close(matched)]), &requests);
        found.iter().map(Option::is_some).collect::<Vec<_>>()
    };
    assert_eq!(hits(json!({})), [true; 5]);
    assert_eq!(hits(json!({ "api": "produce" })), [true, true, false, false, false]);
    assert_eq!(hits(json!({ "api": [1, "Heartbeat"] })), [false, false, true, true, false]);
    assert_eq!(hits(json!({ "topic": "t" })), [true, false, true, false, false]);
    assert_eq!(hits(json!({ "partition": 3 })), [false, true, true, false, false]);
    assert_eq!(hits(json!({ "topic": "t", "partition": 3 })), [false, false, true, false, false]);
    assert_eq!(hits(json!({ "group": "g" })), [false, false, false, true, false]);
    assert_eq!(hits(json!({ "group": "tx" })), [false; 5], "the key is no group");
    assert_eq!(hits(json!({ "transactional_id": "tx" })), [false, false, false, false, true]);
    assert_eq!(hits(json!({ "client_id": "client-[0-9]" })), [true; 5]);
    assert_eq!(hits(json!({ "client_id": "client" })), [false; 5], "the whole id matches");
    assert_eq!(hits(json!({ "principal": "User:bob" })), [false; 5]);
    assert_eq!(hits(json!({ "versions": "3-8" })), [false; 5]);
    assert_eq!(hits(json!({ "versions": 9 })), [true; 5]);
    assert_eq!(hits(json!({ "fields": { "acks": -1, "transactionalId": null } })), [true, true, false, false, false]);
    assert_eq!(hits(json!({ "fields": { "groupId": "g", "memberId": "n" } })), [false; 5], "all of them hold");
    assert_eq!(hits(json!({ "nth": 2 })), [false, true, false, false, false]);
    assert_eq!(hits(json!({ "every": 2 })), [false, true, false, true, false]);
    assert_eq!(hits(json!({ "probability": 0 })), [false; 5]);
    assert_eq!(hits(json!({ "probability": 1 })), [true; 5]);
    let requests = vec![produce("t", 0); 1000];
    let half = json!({ "match": { "probability": 0.5, "seed": 7 }, "action": { "close": true } });
    let found = struck(&board(std::slice::from_ref(&half)), &requests);
    assert_eq!(found, struck(&board(&[half]), &requests), "a seed gives the same again");
    assert!((400..600).contains(&found.iter().flatten().count()));
}

#[test]
fn a_rule_strikes_a_login_where_its_action_is_for_one_and_no_principal_is_asked_for() {
    let is_struck = |principal: Option<&str>, matched: Value, action: Value| {
        let board = board(&[json!({ "match": matched, "action": action })]);
        let facts = RequestFacts {
            broker: 1,
            api: ApiKey::ApiVersions,
            version: 3,
            client_id: "c",
            principal,
            body: &|| &Value::Null,
            topic_of: &|_| None,
        };
        board.strike(&facts, NOW).is_some()
    };
    let both = |matched: Value, action: Value| {
        [Some("User:a"), None].map(|principal| is_struck(principal, matched.clone(), action.clone()))
    };
    let named = || json!({ "api": "ApiVersions", "client_id": "c", "versions": 3, "broker": 1 });
    for action in [
        json!({ "error": 58 }),
        json!({ "delay_ms": 5 }),
        json!({ "close": true }),
        json!({ "hold": true, "after": true }),
        json!({ "no_answer": true }),
        json!({ "truncate": 3 }),
        json!({ "offer": {} }),
    ] {
        assert_eq!(both(named(), action.clone()), [true, true], "{action}");
    }
    assert_eq!(both(json!({}), json!({ "throttle_ms": 5 })), [true, false]);
    assert_eq!(both(json!({}), json!({ "expire_member": true })), [true, false]);
    assert_eq!(both(json!({ "principal": "User:a" }), json!({ "close": true })), [true, false]);
}

#[test]
fn the_first_rule_that_is_for_it_strikes_until_its_count_is_reached() {
    let once = json!({ "match": { "topic": "t" }, "action": { "error": "NOT_LEADER_OR_FOLLOWER" , "after": true }, "count": 1 });
    let always = json!({ "match": { "api": "Produce" }, "action": { "delay_ms": 5 } });
    let board = board(&[once, always]);
    let requests = [produce("t", 0), produce("t", 0), produce("u", 0)];
    assert_eq!(struck(&board, &requests), [Some(1), Some(2), Some(2)]);
    let shown = board.show(NOW);
    assert_eq!((&shown[0]["struck"], &shown[0]["over"]), (&json!(1), &json!(true)));
    assert_eq!((&shown[1]["matched"], &shown[1]["over"]), (&json!(2), &json!(false)));
    assert_eq!((board.remove(Some(1)), board.remove(Some(1)), board.is_on()), (1, 0, true));
    assert_eq!((board.remove(None), board.is_on()), (1, false));
    assert_eq!(struck(&board, &requests), [None; 3]);
}

#[test]
fn a_rule_ends_with_its_time_and_what_it_holds_goes_on_when_it_is_released() {
    let hold = json!({ "action": { "hold": true }, "expires_ms": 10 });
    let board = board(&[hold]);
    let facts = RequestFacts {
        broker: 1,
        api: ApiKey::Fetch,
        version: 1,
        client_id: "",
        principal: Some(""),
        body: &|| &Value::Null,
        topic_of: &|_| None,
    };
    let held = board.strike(&facts, NOW).unwrap();
    let later = NOW + std::time::Duration::from_millis(10);
    assert_eq!((board.strike(&facts, later), board.show(later)[0]["over"].clone()), (None, json!(true)));
    assert!(!board.is_released(&held));
    assert!(board.release(Some(held.rule)) && board.is_released(&held) && !board.release(Some(9)));
    let again = board.strike(&facts, NOW).unwrap();
    assert!(!board.is_released(&again), "what comes behind is held again");
    board.remove(None);
    assert!(board.is_released(&again), "nothing is held by a rule that is gone");
}

#[test]
fn what_is_no_rule_is_told_in_a_sentence() {
    let wrong = |text: Value| FaultRule::parse(&text, NOW).err().unwrap();
    assert!(wrong(json!([])).contains("an object"));
    assert!(wrong(json!({ "action": { "close": true }, "colour": 1 })).contains("\"colour\""));
    assert!(wrong(json!({ "match": { "colour": 1 }, "action": { "close": true } })).contains("\"colour\""));
    assert!(wrong(json!({ "match": {} })).contains("an action"));
    assert!(wrong(json!({ "action": {} })).contains("one of error"));
    assert!(wrong(json!({ "action": { "close": true, "hold": true } })).contains("one of error"));
    for other in ["hold", "no_answer", "expire_member"] {
        assert!(wrong(json!({ "action": { "delay_ms": 5, other: true } })).contains(other), "{other}");
    }
    assert!(wrong(json!({ "action": { "delay_ms": 5, "close": true, "error": 6 } })).contains("one of error"));
    assert!(wrong(json!({ "action": { "delay_ms": 86_400_001, "error": 6 } })).contains("milliseconds"));
    assert!(wrong(json!({ "action": { "explode": true } })).contains("\"explode\""));
    assert!(wrong(json!({ "action": { "close": false } })).contains("close is true"));
    assert!(wrong(json!({ "action": { "delay_ms": -1 } })).contains("milliseconds"));
    assert!(wrong(json!({ "action": { "error": "NO_SUCH" } })).contains("NO_SUCH"));
    assert!(wrong(json!({ "action": { "error": 0 } })).contains("no error"));
    assert!(wrong(json!({ "action": { "expire_member": true, "after": true } })).contains("before the effect"));
    assert!(wrong(json!({ "match": { "fields": 1 }, "action": { "close": true } })).contains("fields is an object"));
    let offer = |api: &str, offer: Value| json!({ "match": { "api": api }, "action": { "offer": offer } });
    assert!(wrong(offer("Fetch", json!({}))).contains("ApiVersions alone"));
    assert!(wrong(offer("ApiVersions", json!({ "Nothing": [1, 2] }))).contains("Nothing"));
    assert!(wrong(offer("ApiVersions", json!({ "Fetch": [1] }))).contains("first and last version"));
    assert!(wrong(json!({ "action": { "corrupt": true } })).contains("Fetch alone"));
    for (word, value) in
        [("api", json!("Nothing")), ("versions", json!("x")), ("client_id", json!("(")), ("every", json!(0))]
    {
        let text = json!({ "match": { word: value }, "action": { "close": true } });
        assert!(!wrong(text).is_empty(), "{word}");
    }
    let board = Board::default();
    let many = || (0..=MOST_RULES).map(|_| rule(json!({ "action": { "close": true } }))).collect();
    assert!(board.add(many(), &nothing(), NOW).unwrap_err().contains("at most") && !board.is_on(), "all or none");
    assert_eq!(ErrorCode::NotLeaderOrFollower.code(), 6);
}

#[test]
fn rules_that_are_over_make_room_for_others() {
    let board = Board::default();
    let add = |count: usize, text: Value, now: Instant| {
        board.add((0..count).map(|_| rule(text.clone())).collect(), &nothing(), now)
    };
    let close = || json!({ "action": { "close": true } });
    add(1, json!({ "action": { "hold": true }, "count": 1 }), NOW).unwrap();
    add(1, json!({ "action": { "close": true }, "count": 1 }), NOW).unwrap();
    assert_eq!(struck(&board, &[produce("t", 0), produce("t", 0)]), [Some(1), Some(2)]);
    add(MOST_RULES - 2, json!({ "action": { "close": true }, "expires_ms": 5 }), NOW).unwrap();
    assert_eq!(add(1, close(), NOW), Ok(vec![1001]), "the second has gone");
    assert!(add(1, close(), NOW).is_err(), "the first holds a request");
    assert!(board.release(Some(1)) && !board.release(Some(2)));
    assert_eq!(add(1, close(), NOW), Ok(vec![1002]));
    let later = NOW + Duration::from_millis(6);
    assert_eq!(add(MOST_RULES - 2, close(), later).map(|ids| ids.len()), Ok(MOST_RULES - 2));
    assert!(add(1, close(), later).is_err());
}

#[test]
fn rules_that_could_never_strike_are_refused() {
    let refused = |text: Value| FaultRule::parse(&text, NOW).err().unwrap_or_default();
    let action = json!({ "close": true });
    assert!(refused(json!({ "match": { "api": [] }, "action": action })).contains("api"));
    assert!(refused(json!({ "match": { "nth": 0 }, "action": action })).contains("nth is 1 at least"));
    assert!(refused(json!({ "match": { "every": 0 }, "action": action })).contains("every is 1 at least"));
    assert!(refused(json!({ "count": 0, "action": action })).contains("count is 1 at least"));
    assert!(refused(json!({ "expires_ms": 86_400_001, "action": action })).contains("expires_ms is 86400000 at most"));
    assert_eq!(refused(json!({ "expires_ms": 86_400_000, "action": action })), "");
}
