//! `/v1/brokers`: the brokers that one process plays, and what a test does to them: a leader or a coordinator moves, a broker goes
//! down or comes back, consumers are sent to a follower, clients are told another rack or address. The metadata thread decides it, and
//! clients hear of it as they would in a cluster.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::control::Control;
use super::deeds::{Refused, failed};
use super::reply::{self, Reply};
use crate::controller::{Task, TellPlayed};
use crate::coordinator_runtime::GROUPS_TOPIC;
use crate::metadata::topic_name::TRANSACTIONS_TOPIC;
use crate::metadata::{Play, Refusal};
use crate::model::{ApiKey, ErrorCode, Offset, java_hash};
use crate::replica::played::{Extent, Follower, Staging, ToldLeader};
use crate::replica::watch::ShardId;
use crate::server::inlet::Inlet;
use crate::shard::context::Shared;
use crate::wire::api::api_versions;

/// How long the metadata thread may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A key whose coordinator is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum CoordinatedKey {
    Group(String),
    TransactionalId(String),
}

pub(super) fn list(control: &Control) -> Reply {
    let shared = match control.ready() {
        Ok(shared) => shared,
        Err(refused) => return *refused,
    };
    let (view, cast) = (shared.view.load_full(), shared.config.cast());
    let show = |id: i32| -> Value {
        let registered = view.image.broker(id);
        let listeners = cast.listeners_of(id).filter_map(|listener| shared.endpoint(listener));
        let listeners = listeners.map(|of| json!({ "listener": of.listener, "host": of.host, "port": of.port }));
        let leads = view.image.topics().flat_map(|topic| topic.partitions.iter()).filter(|of| of.leader == id).count();
        json!({
            "broker": id,
            "rack": registered.and_then(|broker| broker.rack.clone()),
            "up": registered.is_some_and(|broker| broker.is_active()),
            "hidden": view.played.is_hidden(id),
            "leads": leads,
            "listeners": listeners.collect::<Vec<_>>(),
        })
    };
    reply::ok(&json!({ "brokers": cast.ids().map(show).collect::<Vec<_>>() }))
}

/// Has the metadata thread do it; the shards know of it when this answers. Blocks.
pub(super) fn play(shared: &Arc<Shared>, play: Play) -> Result<(), Refused> {
    ask(shared, |tell| Task::Play { play, tell })
}

/// The same for what is no metadata. Blocks.
pub(super) fn stage(shared: &Arc<Shared>, staging: Staging) -> Result<(), Refused> {
    ask(shared, |tell| Task::Stage { staging, tell })
}

fn ask(shared: &Arc<Shared>, task: impl FnOnce(TellPlayed) -> Task) -> Result<(), Refused> {
    if shared.config.cast().is_one() {
        let sentence = "this process plays one broker: `klamm test --brokers` plays several";
        return Err((StatusCode::CONFLICT, sentence.into()));
    }
    let (sender, told) = channel();
    let tell: TellPlayed = Box::new(move |result| drop(sender.send(result)));
    shared.send_to_controller(task(tell));
    let result = told.recv_timeout(PATIENCE).map_err(|_| failed("the metadata thread does not answer".into()))?;
    result.map_err(refused)?;
    await_shards(shared)
}

/// Waits until each shard has turned: a broker that went down has no connection any more, one that came up can be reached.
fn await_shards(shared: &Shared) -> Result<(), Refused> {
    for shard in 0..shared.shards() {
        let inlet = Inlet::new(shared, ShardId(shard as u8));
        inlet.call_as_broker(ApiKey::ApiVersions, 0, &api_versions::Request::default()).map_err(failed)?;
    }
    Ok(())
}

fn refused(refusal: Refusal) -> Refused {
    let status = match refusal.error {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::BrokerIdNotRegistered => StatusCode::NOT_FOUND,
        _ => StatusCode::CONFLICT,
    };
    (status, refusal.message.unwrap_or_else(|| refusal.error.to_string()))
}

/// Moves the coordinator of a key, and with it those of all keys of its partition. Answers the partition. Blocks.
pub(super) fn move_coordinator(shared: &Arc<Shared>, key: &CoordinatedKey, to: i32) -> Result<Value, Refused> {
    let (topic, key) = match key {
        CoordinatedKey::Group(group) => (GROUPS_TOPIC, group),
        CoordinatedKey::TransactionalId(id) => (TRANSACTIONS_TOPIC, id),
    };
    let count = shared.view.load().topic(topic).map(|topic| topic.partitions.len());
    let count =
        count.ok_or_else(|| (StatusCode::NOT_FOUND, format!("there is no {topic} yet: no client has asked")))?;
    let partition = java_hash::partition_for(key, count);
    play(shared, Play::MoveLeader { topic: topic.into(), partition, to })?;
    Ok(json!({ "topic": topic, "partition": partition, "leader": to }))
}

/// What a test wants clients to be told of a broker, beside the metadata: `follower`, `told_leader`, `hide` and `address`.
pub(super) fn staging(name: &str, of: &Map<String, Value>) -> Option<Staging> {
    let known = |names: &[&str]| of.keys().all(|key| names.contains(&key.as_str()));
    let number = |key: &str| of.get(key)?.as_i64().and_then(|number| i32::try_from(number).ok());
    let text = |key: &str| of.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_string);
    Some(match name {
        "follower" if known(&["topic", "partition", "broker", "start", "end"]) => {
            let (topic, partition) = (text("topic")?, number("partition")?);
            let extent = extent(of)?;
            let follower = match of.get("broker")? {
                Value::Null if extent == Extent::WHOLE => None,
                _ => Some(Follower { broker: number("broker").filter(|id| *id >= 0)?, extent }),
            };
            Staging::Follow { topic, partition, follower }
        }
        "told_leader" if known(&["topic", "partition"]) => {
            Staging::TellLeader { topic: text("topic")?, partition: number("partition")?, leader: None }
        }
        "told_leader" if known(&["topic", "partition", "leader", "epoch"]) => {
            let leader = Some(ToldLeader { id: number("leader")?, epoch: number("epoch")? });
            Staging::TellLeader { topic: text("topic")?, partition: number("partition")?, leader }
        }
        "hide" if known(&["broker", "hidden"]) => {
            Staging::Hide { broker: number("broker")?, is_hidden: of.get("hidden")?.as_bool()? }
        }
        "address" if known(&["broker"]) => Staging::Readdress { broker: number("broker")?, address: None },
        "address" if known(&["broker", "host", "port"]) => {
            let port = of.get("port")?.as_u64().and_then(|port| u16::try_from(port).ok())?;
            Staging::Readdress { broker: number("broker")?, address: Some((text("host")?, port)) }
        }
        _ => return None,
    })
}

/// What a follower has of a log, where that is said: `start` and `end`.
fn extent(of: &Map<String, Value>) -> Option<Extent> {
    let offset = |key: &str, else_it_is: Offset| match of.get(key) {
        None => Some(else_it_is),
        Some(value) => value.as_i64().filter(|offset| *offset >= 0).map(Offset),
    };
    let whole = Extent::WHOLE;
    let extent = Extent { start: offset("start", whole.start)?, end: offset("end", whole.end)? };
    (extent.start <= extent.end).then_some(extent)
}
