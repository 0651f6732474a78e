//! `/v1/deeds`: what a test wants to happen now. Members expire, a rebalance is forced, a producer is fenced: each is what a client
//! could have asked for, asked for through a shard's inlet, so that the coordinators know no other way. What happens to the brokers
//! that are played is in [`brokers`](super::brokers), what happens to what is stored in [`disk_deeds`](super::disk_deeds) and
//! [`log_deeds`](super::log_deeds).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::brokers::{self, CoordinatedKey};
use super::control::Control;
use super::disk_deeds::{BatchPlace, DiskDeed};
use super::log_deeds::{LogDeed, LogWork};
use super::reply::{self, Reply};
use crate::coordinator::classic;
use crate::coordinator::consumer::JOIN_EPOCH;
use crate::io::{threads, web};
use crate::metadata::Play;
use crate::model::{ApiKey, ErrorCode};
use crate::replica::played::Staging;
use crate::replica::watch::ShardId;
use crate::server::expiry::{self, HEARTBEAT, LEAVE_GROUP};
use crate::server::inlet::{self, Inlet};
use crate::shard::context::Shared;
use crate::wire::api::{consumer_group_heartbeat, init_producer_id, join_group, leave_group};

pub(super) const BODY: &str = "One of expire_member (group, and member; all members without one), rebalance (group), \
                               fence_producer (transactional_id), move_leader (topic, partition, to), move_coordinator (group or \
                               transactional_id, and to), broker_down (broker), broker_up (broker), follower (topic, partition, broker, \
                               and start and end), told_leader (topic, partition, leader, epoch), rack (broker, rack), hide (broker, hidden), address (broker, host, port; its own \
                               without the latter), disk (full, sync_ms, syncs_fail), \
                               corrupt (topic, partition, offset), compact and retain (topic; all topics without one).";

const JOIN_GROUP: i16 = 9;
const INIT_PRODUCER_ID: i16 = 4;
/// How long a passing member may take for a rebalance: no group waits for it, and no limit is below.
const PASSING_MS: i32 = 1;
/// Its session, within the broker's limits: the shortest one that these allow may end before it has left.
const PASSING_SESSION: Duration = Duration::from_secs(10);
/// How often it is asked whether what a producer had open is aborted, and how long it is waited before it is asked again.
const TRIES: usize = 500;
const PAUSE: Duration = Duration::from_millis(20);
const WHY: &str = "a test wants it";

/// What is done.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Deed {
    /// `None`: all of them.
    ExpireMember(String, Option<String>),
    Rebalance(String),
    FenceProducer(String),
    MoveCoordinator(CoordinatedKey, i32),
    Play(Play),
    Stage(Staging),
    Disk(DiskDeed),
    Corrupt(BatchPlace),
    Log(LogDeed),
}

/// What cannot be done, as a sentence, and the status that says so.
pub(super) type Refused = (StatusCode, String);

impl Deed {
    fn parse(body: &[u8]) -> Result<Deed, String> {
        const FORM: &str = r#"the body is one of {"expire_member":{"group":"g","member":"m"}}, {"rebalance":{"group":"g"}}, {"fence_producer":{"transactional_id":"x"}}, {"move_leader":{"topic":"t","partition":0,"to":2}}, {"move_coordinator":{"group":"g","to":2}}, {"broker_down":{"broker":2}}, {"broker_up":{"broker":2}}, {"follower":{"topic":"t","partition":0,"broker":2,"start":0,"end":7}}, {"told_leader":{"topic":"t","partition":0,"leader":2,"epoch":9}}, {"rack":{"broker":2,"rack":"a"}}, {"hide":{"broker":2,"hidden":true}}, {"address":{"broker":2,"host":"h","port":9092}}, {"disk":{"full":true,"sync_ms":100,"syncs_fail":true}}, {"corrupt":{"topic":"t","partition":0,"offset":5}}, {"compact":{"topic":"t"}} and {"retain":{"topic":"t"}}"#;
        let body: Value = serde_json::from_slice(body).map_err(|_| FORM)?;
        let object = body.as_object().filter(|object| object.len() == 1).ok_or(FORM)?;
        let (name, of) = object.iter().next().ok_or(FORM)?;
        let of = of.as_object().ok_or(FORM)?;
        let known = |names: &[&str]| of.keys().all(|key| names.contains(&key.as_str()));
        let text = |key: &str| text(of, key).map_err(|()| FORM.to_string());
        match name.as_str() {
            "expire_member" if known(&["group", "member"]) => {
                Ok(Deed::ExpireMember(text("group")?.ok_or(FORM)?, text("member")?))
            }
            "rebalance" if known(&["group"]) => Ok(Deed::Rebalance(text("group")?.ok_or(FORM)?)),
            "fence_producer" if known(&["transactional_id"]) => {
                Ok(Deed::FenceProducer(text("transactional_id")?.ok_or(FORM)?))
            }
            _ => of_brokers_or_storage(name, of).ok_or_else(|| FORM.into()),
        }
    }
}

/// What happens to the brokers that are played, and to what is stored.
fn of_brokers_or_storage(name: &str, of: &Map<String, Value>) -> Option<Deed> {
    let has = |names: &[&str]| of.len() == names.len() && names.iter().all(|name| of.contains_key(*name));
    let number = |key: &str| of.get(key)?.as_i64().and_then(|number| i32::try_from(number).ok());
    let text = |key: &str| text(of, key).ok().flatten();
    Some(match name {
        "move_leader" if has(&["topic", "partition", "to"]) => {
            let (topic, partition, to) = (text("topic")?, number("partition")?, number("to")?);
            Deed::Play(Play::MoveLeader { topic, partition, to })
        }
        "move_coordinator" if has(&["group", "to"]) => {
            Deed::MoveCoordinator(CoordinatedKey::Group(text("group")?), number("to")?)
        }
        "move_coordinator" if has(&["transactional_id", "to"]) => {
            Deed::MoveCoordinator(CoordinatedKey::TransactionalId(text("transactional_id")?), number("to")?)
        }
        "disk" => Deed::Disk(DiskDeed::parse(of)?),
        "compact" => Deed::Log(LogDeed::parse(LogWork::Compact, of)?),
        "retain" => Deed::Log(LogDeed::parse(LogWork::Retain, of)?),
        "corrupt" => Deed::Corrupt(BatchPlace::parse(of)?),
        "broker_down" if has(&["broker"]) => Deed::Play(Play::TakeDown(number("broker")?)),
        "broker_up" if has(&["broker"]) => Deed::Play(Play::BringUp(number("broker")?)),
        "rack" if has(&["broker", "rack"]) => {
            let rack = if of["rack"].is_null() { None } else { Some(text("rack")?) };
            Deed::Play(Play::SetRack(number("broker")?, rack))
        }
        _ => Deed::Stage(brokers::staging(name, of)?),
    })
}

fn text(of: &Map<String, Value>, key: &str) -> Result<Option<String>, ()> {
    match of.get(key) {
        None => Ok(None),
        Some(value) => value.as_str().filter(|text| !text.is_empty()).map(|text| Some(text.to_string())).ok_or(()),
    }
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn read_body(body: &[u8]) -> Option<String> {
    Deed::parse(body).err()
}

pub(super) async fn perform(control: Arc<Control>, body: Bytes) -> Reply {
    let (shared, _) = match control.of_a_test() {
        Ok(found) => found,
        Err(refused) => return *refused,
    };
    let deed = match Deed::parse(&body) {
        Ok(deed) => deed,
        Err(sentence) => return reply::bad_request(sentence),
    };
    let done = web::blocking(move || {
        let inlet = Inlet::new(&shared, ShardId(0));
        match deed {
            Deed::ExpireMember(group, member) => expire(&shared, &inlet, &group, member.as_deref()),
            Deed::Rebalance(group) => rebalance(&shared, &inlet, &group),
            Deed::FenceProducer(id) => fence(&inlet, &id),
            Deed::MoveCoordinator(key, to) => brokers::move_coordinator(&shared, &key, to),
            Deed::Disk(deed) => deed.perform(&control),
            Deed::Log(deed) => deed.perform(&shared),
            Deed::Corrupt(place) => place.corrupt(&shared),
            Deed::Play(play) => brokers::play(&shared, play).map(|()| json!({ "done": true })),
            Deed::Stage(staging) => brokers::stage(&shared, staging).map(|()| json!({ "done": true })),
        }
    });
    match done.await {
        Ok(told) => reply::ok(&told),
        Err((status, sentence)) => reply::refuse(status, sentence),
    }
}

/// A group as far as it matters here.
enum Found {
    Classic(classic::Description),
    /// The ids of its members, and what the first one reads.
    Consumer(Vec<String>, Vec<String>),
}

fn find(shared: &Shared, group: &str) -> Result<Found, Refused> {
    let view = shared.view.load_full();
    let none = || (StatusCode::NOT_FOUND, format!("there is no group {group}"));
    let coordinator = shared.coordinators().of_key(&view, group).map_err(|error| match error {
        // The topic of all groups is not there.
        ErrorCode::NotCoordinator => none(),
        error => refused(group, error.code()),
    })?;
    let classic = coordinator.look(|groups| groups.describe_classic(group));
    let (classic, _) = classic.map_err(|error| refused(group, error.code()))?;
    if let Ok(described) = classic {
        return if described.members.is_empty() { Err(none()) } else { Ok(Found::Classic(described)) };
    }
    let world = shared.coordinators().world(&view);
    let consumer = coordinator.look(|groups| groups.describe_consumer(&world, &world.resolved.groups, group));
    let (consumer, _) = consumer.map_err(|error| refused(group, error.code()))?;
    let described = consumer.map_err(|_| none())?;
    let reads = described.members.first().map(|member| member.subscribed_topic_names.clone()).unwrap_or_default();
    let members: Vec<_> = described.members.into_iter().map(|member| member.member_id).collect();
    if members.is_empty() { Err(none()) } else { Ok(Found::Consumer(members, reads)) }
}

fn refused(of: &str, code: i16) -> Refused {
    let name = ErrorCode::from_code(code).map_or_else(|| code.to_string(), |code| code.name().to_string());
    (StatusCode::CONFLICT, format!("{of}: the coordinator answers {name}"))
}

pub(super) fn failed(sentence: String) -> Refused {
    (StatusCode::SERVICE_UNAVAILABLE, sentence)
}

fn check(of: &str, code: i16) -> Result<(), Refused> {
    if code == 0 { Ok(()) } else { Err(refused(of, code)) }
}

/// Members leave without a word of their own: they hear of it with their next heartbeat, as when their session has ended.
fn expire(shared: &Shared, inlet: &Inlet, group: &str, member: Option<&str>) -> Result<Value, Refused> {
    let found = find(shared, group)?;
    let mut members = match &found {
        Found::Classic(described) => described.members.iter().map(|member| member.member_id.clone()).collect(),
        Found::Consumer(members, _) => members.clone(),
    };
    members.retain(|id| member.is_none_or(|wanted| wanted == id));
    if members.is_empty() {
        let wanted = member.unwrap_or_default();
        return Err((StatusCode::NOT_FOUND, format!("the group {group} has no member {wanted}")));
    }
    let mut expired = Vec::new();
    for id in &members {
        let code = match found {
            Found::Classic(_) => leave(inlet, group, id)?,
            Found::Consumer(..) => beat(inlet, &expiry::leave_heartbeat(group, id))?,
        };
        // Of all members one may leave by itself meanwhile.
        if member.is_some() || code != ErrorCode::UnknownMemberId.code() {
            check(group, code)?;
            expired.push(id);
        }
    }
    Ok(json!({ "expired": expired }))
}

/// Answers the error code.
fn leave(inlet: &Inlet, group: &str, member: &str) -> Result<i16, Refused> {
    let request = expiry::leave_request(group, member);
    let answer = inlet.call_as_broker(ApiKey::LeaveGroup, LEAVE_GROUP, &request).map_err(failed)?;
    let told: leave_group::Response<'_> = inlet::body(ApiKey::LeaveGroup, LEAVE_GROUP, &answer).map_err(failed)?;
    let of_members = told.members.iter().map(|member| member.error_code);
    Ok(std::iter::once(told.error_code).chain(of_members).find(|code| *code != 0).unwrap_or_default())
}

/// Answers the error code.
fn beat(inlet: &Inlet, request: &consumer_group_heartbeat::Request<'_>) -> Result<i16, Refused> {
    let answer = inlet.call_as_broker(ApiKey::ConsumerGroupHeartbeat, HEARTBEAT, request).map_err(failed)?;
    let told: consumer_group_heartbeat::Response<'_> =
        inlet::body(ApiKey::ConsumerGroupHeartbeat, HEARTBEAT, &answer).map_err(failed)?;
    Ok(told.error_code)
}

/// A member passes by: it joins, for which the others must join again, and leaves.
fn rebalance(shared: &Shared, inlet: &Inlet, group: &str) -> Result<Value, Refused> {
    match find(shared, group)? {
        Found::Classic(described) => pass_classic(shared, inlet, group, &described)?,
        Found::Consumer(_, topics) => {
            let member = shared.environment.new_id().to_string();
            let joining = consumer_group_heartbeat::Request {
                group_id: group.into(),
                member_id: member.as_str().into(),
                member_epoch: JOIN_EPOCH,
                rebalance_timeout_ms: PASSING_MS,
                subscribed_topic_names: Some(topics.iter().map(|topic| topic.as_str().into()).collect()),
                topic_partitions: Some(Vec::new()),
                ..Default::default()
            };
            check(group, beat(inlet, &joining)?)?;
            check(group, beat(inlet, &expiry::leave_heartbeat(group, &member))?)?;
        }
    }
    Ok(json!({ "rebalanced": group }))
}

fn pass_classic(shared: &Shared, inlet: &Inlet, group: &str, described: &classic::Description) -> Result<(), Refused> {
    if described.state != "Stable" {
        let sentence = format!("the group {group} is {}: it is being rebalanced", described.state);
        return Err((StatusCode::CONFLICT, sentence));
    }
    let Some(like) = described.members.first() else { return Ok(()) };
    let view = shared.view.load_full();
    let world = shared.coordinators().world(&view);
    let protocol = join_group::JoinGroupRequestProtocol {
        name: described.protocol.as_str().into(),
        metadata: like.metadata.as_slice().into(),
    };
    let groups = &world.resolved.groups;
    let session = PASSING_SESSION.max(groups.min_session_timeout).min(groups.max_session_timeout);
    let mut request = join_group::Request {
        group_id: group.into(),
        session_timeout_ms: session.as_millis() as i32,
        rebalance_timeout_ms: PASSING_MS,
        protocol_type: described.protocol_type.as_str().into(),
        protocols: vec![protocol],
        reason: Some(WHY.into()),
        ..Default::default()
    };
    // It is given an id first.
    let answer = inlet.call_as_broker(ApiKey::JoinGroup, JOIN_GROUP, &request).map_err(failed)?;
    let told: join_group::Response<'_> = inlet::body(ApiKey::JoinGroup, JOIN_GROUP, &answer).map_err(failed)?;
    if told.error_code != ErrorCode::MemberIdRequired.code() {
        check(group, told.error_code)?;
    }
    request.member_id = told.member_id.clone();
    // Answered when all have joined, which is not waited for.
    let joining = inlet.send_as_broker(ApiKey::JoinGroup, JOIN_GROUP, &request, Box::new(|_| {})).map_err(failed)?;
    let left = leave(inlet, group, &told.member_id)?;
    drop(joining);
    check(group, left)
}

/// A producer with the same transactional id begins: the one before is fenced, and its open transaction is aborted.
fn fence(inlet: &Inlet, id: &str) -> Result<Value, Refused> {
    let request = init_producer_id::Request {
        transactional_id: Some(id.into()),
        transaction_timeout_ms: PASSING_MS,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    // While what was open is aborted, the coordinator asks to be asked again.
    for _ in 0..TRIES {
        let answer = inlet.call_as_broker(ApiKey::InitProducerId, INIT_PRODUCER_ID, &request).map_err(failed)?;
        let told: init_producer_id::Response =
            inlet::body(ApiKey::InitProducerId, INIT_PRODUCER_ID, &answer).map_err(failed)?;
        if told.error_code != ErrorCode::ConcurrentTransactions.code() {
            check(id, told.error_code)?;
            return Ok(json!({ "producer_id": told.producer_id, "producer_epoch": told.producer_epoch }));
        }
        threads::wait(PAUSE);
    }
    Err(refused(id, ErrorCode::ConcurrentTransactions.code()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Offset;
    use crate::replica::played::{Extent, Follower, ToldLeader};

    #[test]
    fn a_body_is_one_deed() {
        let parse = |text: &str| Deed::parse(text.as_bytes());
        let (group, member) = ("g".to_string(), Some("m".to_string()));
        let expire = r#"{"expire_member":{"group":"g","member":"m"}}"#;
        assert_eq!(parse(expire), Ok(Deed::ExpireMember(group.clone(), member)));
        assert_eq!(parse(r#"{"expire_member":{"group":"g"}}"#), Ok(Deed::ExpireMember(group.clone(), None)));
        assert_eq!(parse(r#"{"rebalance":{"group":"g"}}"#), Ok(Deed::Rebalance(group)));
        let fence = r#"{"fence_producer":{"transactional_id":"x"}}"#;
        assert_eq!(parse(fence), Ok(Deed::FenceProducer("x".into())));
        let moved = Play::MoveLeader { topic: "t".into(), partition: 1, to: 2 };
        assert_eq!(parse(r#"{"move_leader":{"topic":"t","partition":1,"to":2}}"#), Ok(Deed::Play(moved)));
        let moved = Deed::MoveCoordinator(CoordinatedKey::TransactionalId("x".into()), 2);
        assert_eq!(parse(r#"{"move_coordinator":{"transactional_id":"x","to":2}}"#), Ok(moved));
        assert_eq!(parse(r#"{"broker_down":{"broker":2}}"#), Ok(Deed::Play(Play::TakeDown(2))));
        assert_eq!(parse(r#"{"broker_up":{"broker":2}}"#), Ok(Deed::Play(Play::BringUp(2))));
        assert_eq!(parse(r#"{"rack":{"broker":2,"rack":"a"}}"#), Ok(Deed::Play(Play::SetRack(2, Some("a".into())))));
        assert_eq!(parse(r#"{"rack":{"broker":2,"rack":null}}"#), Ok(Deed::Play(Play::SetRack(2, None))));
        let follow = |follower: Option<(i32, i64, i64)>| {
            let extent = |start, end| Extent { start: Offset(start), end: Offset(end) };
            let follower = follower.map(|(broker, start, end)| Follower { broker, extent: extent(start, end) });
            Ok(Deed::Stage(Staging::Follow { topic: "t".into(), partition: 0, follower }))
        };
        let follower = |more: &str| parse(&format!(r#"{{"follower":{{"topic":"t","partition":0,"broker":{more}}}}}"#));
        assert_eq!(follower("2"), follow(Some((2, 0, i64::MAX))));
        assert_eq!(follower(r#"2,"start":1,"end":7"#), follow(Some((2, 1, 7))));
        assert_eq!(follower("null"), follow(None));
        let tell = |leader| Ok(Deed::Stage(Staging::TellLeader { topic: "t".into(), partition: 0, leader }));
        let told = r#"{"told_leader":{"topic":"t","partition":0,"leader":9,"epoch":7}}"#;
        assert_eq!(parse(told), tell(Some(ToldLeader { id: 9, epoch: 7 })));
        assert_eq!(parse(r#"{"told_leader":{"topic":"t","partition":0}}"#), tell(None));
        let hide = r#"{"hide":{"broker":2,"hidden":true}}"#;
        assert_eq!(parse(hide), Ok(Deed::Stage(Staging::Hide { broker: 2, is_hidden: true })));
        let address = |address| Ok(Deed::Stage(Staging::Readdress { broker: 2, address }));
        assert_eq!(parse(r#"{"address":{"broker":2,"host":"h","port":9}}"#), address(Some(("h".into(), 9))));
        assert_eq!(parse(r#"{"address":{"broker":2}}"#), address(None));
        for wrong in [
            r#"{"follower":{"topic":"t","partition":0}}"#,
            r#"{"follower":{"topic":"t","partition":0,"broker":null,"end":3}}"#,
            r#"{"follower":{"topic":"t","partition":0,"broker":2,"start":3,"end":2}}"#,
            r#"{"follower":{"topic":"t","partition":0,"broker":-1}}"#,
            r#"{"told_leader":{"topic":"t","partition":0,"leader":9}}"#,
            r#"{"rack":{"broker":2}}"#,
            r#"{"rack":{"broker":2,"rack":""}}"#,
            r#"{"hide":{"broker":2}}"#,
            r#"{"address":{"broker":2,"host":"h","port":65536}}"#,
            r#"{"address":{"broker":2,"port":9}}"#,
            "",
            "{}",
            "5",
            r#"{"rebalance":{}}"#,
            r#"{"rebalance":{"group":""}}"#,
            r#"{"rebalance":{"group":"g","member":"m"}}"#,
            r#"{"expire_member":{"group":5}}"#,
            r#"{"explode":{}}"#,
            r#"{"move_leader":{"topic":"t","partition":0}}"#,
            r#"{"move_coordinator":{"group":"g","transactional_id":"x","to":2}}"#,
            r#"{"broker_down":{"broker":"2"}}"#,
            r#"{"broker_up":{"broker":3000000000}}"#,
            r#"{"disk":{}}"#,
            r#"{"disk":{"full":1}}"#,
            r#"{"disk":{"sync_ms":60001}}"#,
            r#"{"disk":{"full":true,"empty":true}}"#,
            r#"{"corrupt":{"topic":"t","partition":0}}"#,
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
