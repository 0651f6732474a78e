//! Each reason alone, and what is said where there is none.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::codec::ToldErrors;
use crate::model::Instant;

const WALL: TimestampMs = TimestampMs(1_000_000);

fn member(assigned: &[i32]) -> MemberLook {
    MemberLook {
        id: "app-1".into(),
        instance: None,
        client_id: "app".into(),
        host: "/127.0.0.1".into(),
        subscribed: vec!["t".into()],
        regex: None,
        assigned: Some(vec![("t".into(), assigned.to_vec())]),
        target: None,
    }
}

fn place(committed: Option<i64>, (start, end, last_stable): (i64, i64, i64)) -> PlaceLook {
    let log = Some(LogLook { start, end, last_stable });
    PlaceLook { topic: "t".into(), partition: 0, member: Some(0), committed, log }
}

fn group(state: &str, members: Vec<MemberLook>, places: Vec<PlaceLook>) -> GroupLook {
    GroupLook {
        group: "g".into(),
        group_type: "classic",
        state: state.into(),
        protocol: "range".into(),
        members,
        more_members: 0,
        places,
        more_places: 0,
    }
}

/// A group of one member that has read and committed all.
fn well(places: Vec<PlaceLook>) -> GroupLook {
    group("Stable", vec![member(&[0])], places)
}

fn request(api: ApiKey, age_ms: i64) -> RequestExchange {
    RequestExchange {
        number: 0,
        shard: 0,
        came: Instant(1),
        at: TimestampMs(WALL.0 - age_ms),
        connection: 0,
        peer: "127.0.0.1:5000".parse().unwrap(),
        listener: 0,
        principal: "User:ANONYMOUS".into(),
        client_id: "app".into(),
        software: None,
        api,
        version: 4,
        request_bytes: 0,
        answer_bytes: 0,
        queued: Duration::ZERO,
        handled: Duration::ZERO,
        waited: Duration::ZERO,
        errors: ToldErrors::default(),
        keeps_bodies: true,
        end: ExchangeEnd::Answered,
        bodies: Weak::new(),
    }
}

struct Situation {
    seen: Vec<RequestExchange>,
    faults: Vec<Value>,
    open: Vec<OpenTransaction>,
}

impl Situation {
    fn quiet() -> Situation {
        Situation { seen: vec![request(ApiKey::Fetch, 10)], faults: Vec::new(), open: Vec::new() }
    }

    fn why(self, group: &GroupLook) -> Vec<String> {
        let known = Known {
            seen: Seen::with(self.seen),
            faults: self.faults,
            open: self.open,
            wall: WALL,
            partitions_of: &|topic| (topic == "t").then_some(1),
        };
        sentences(group, &known)
    }
}

fn why(group: &GroupLook) -> String {
    Situation::quiet().why(group).join("\n")
}

#[test]
fn a_group_that_reads_is_told_how_far_it_is() {
    let read = |committed, end| why(&well(vec![place(committed, (0, end, end))]));
    assert_eq!(read(Some(5), 5), "All is read: the committed offsets are at the ends of the logs.");
    assert_eq!(read(Some(2), 5), "It has 3 records to read, and nothing is known that holds it back.");
    assert_eq!(read(None, 0), "There is nothing to read: its partitions have no records.");
}

#[test]
fn states_and_assignments_have_their_sentences() {
    let empty = why(&group("Empty", Vec::new(), Vec::new()));
    assert_eq!(empty, "The group has no members: no consumer has joined, or all have left.");
    for state in ["PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling"] {
        let told = why(&group(state, vec![member(&[])], Vec::new()));
        assert!(told.starts_with("A rebalance is pending: "), "{told}");
    }
    let two = || vec![member(&[0]), MemberLook { id: "other".into(), ..member(&[]) }];
    assert_eq!(
        why(&group("Stable", two(), Vec::new())),
        "The member other (app) has no partition: what it subscribes to has 1 partitions, and the group has 2 members."
    );
    let mut lost = two();
    lost[1].subscribed = vec!["nowhere".into()];
    assert!(why(&group("Stable", lost, Vec::new())).contains("it subscribes to nowhere, which does not exist"));
    let moving = MemberLook { target: Some(vec![("t".into(), vec![0, 1])]), ..member(&[0]) };
    let told = why(&group("Reconciling", vec![moving], Vec::new()));
    assert!(told.ends_with("The member app-1 has t-0 and is to have t-0, t-1."), "{told}");
}

#[test]
fn places_in_the_log_have_their_sentences() {
    let told = |place| why(&well(vec![place]));
    assert!(told(place(None, (0, 3, 3))).starts_with("Nothing is committed for t-0"));
    for committed in [1, 9] {
        assert!(told(place(Some(committed), (2, 8, 8))).contains("is not in its log, which has 2 to 8"));
    }
    assert!(told(PlaceLook { log: None, ..place(None, (0, 0, 0)) }).starts_with("t-0 is not there"));
    let topics = BTreeMap::from([("t".to_string(), vec![0])]);
    let open = vec![OpenTransaction { id: "x".into(), state: "Ongoing", start_ms: WALL.0 - 5000, topics }];
    let told = Situation { open, ..Situation::quiet() }.why(&well(vec![place(Some(2), (0, 8, 2))]));
    assert_eq!(
        told,
        [
            "An open transaction (x, Ongoing for 5 s) holds t-0 back: consumers with isolation.level=read_committed see it up to \
          offset 2, of 8."
        ]
    );
}

#[test]
fn requests_that_went_wrong_have_their_sentences() {
    let of = |seen| Situation { seen, ..Situation::quiet() }.why(&well(vec![place(Some(5), (0, 5, 5))])).join("\n");
    let wrong = |api, code| {
        let mut wrong = request(api, 2500);
        wrong.errors.note(code);
        wrong
    };
    assert_eq!(
        of(vec![request(ApiKey::Fetch, 0), wrong(ApiKey::Heartbeat, ErrorCode::UnknownMemberId.code())]),
        "The last Heartbeat of the member app-1 was answered UNKNOWN_MEMBER_ID, 2 s ago."
    );
    let first = wrong(ApiKey::JoinGroup, ErrorCode::MemberIdRequired.code());
    assert!(of(vec![request(ApiKey::Fetch, 0), first]).starts_with("All is read"));
    assert!(of(Vec::new()).starts_with("The member app-1 has not begun to read"));
    assert!(of(vec![request(ApiKey::Fetch, 31_000)]).contains("has sent no Fetch for 31 s"));
    let closed = ExchangeEnd::Closed("fault rule 3: the connection is closed".into());
    let told = of(vec![RequestExchange { end: closed, ..request(ApiKey::Fetch, 0) }]);
    assert!(told.ends_with("has no answer, less than a second ago: fault rule 3: the connection is closed."), "{told}");
}

#[test]
fn rules_that_struck_its_requests_are_named() {
    let rule = |wanted: Value, more: Value| {
        let mut rule = json!({ "id": 7, "match": wanted, "action": { "error": "NONE" }, "struck": 2, "over": false });
        more.as_object().unwrap().iter().for_each(|(name, value)| rule[name] = value.clone());
        let faults = vec![rule];
        Situation { faults, ..Situation::quiet() }.why(&well(vec![place(Some(5), (0, 5, 5))])).join("\n")
    };
    let is_named = |told: String| told == "The fault rule 7 has struck 2 requests: {\"error\":\"NONE\"}.";
    assert!(is_named(rule(json!({ "api": "Fetch" }), json!({}))));
    assert!(is_named(rule(json!({ "api": ["Produce", 1], "topic": "t", "group": "g" }), json!({}))));
    assert!(is_named(rule(json!({}), json!({}))));
    for other in [json!({ "api": "Produce" }), json!({ "group": "h" }), json!({ "topic": "u" })] {
        assert!(!is_named(rule(other, json!({}))));
    }
    assert!(!is_named(rule(json!({}), json!({ "struck": 0 }))) && !is_named(rule(json!({}), json!({ "over": true }))));
    let holds = rule(json!({}), json!({ "over": true, "action": { "hold": true } }));
    assert_eq!(holds, "The fault rule 7 has struck 2 requests: {\"hold\":true}.");
}
