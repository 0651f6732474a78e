//! `/v1/wait`: answers when what is waited for is there, or says why it is not when the time is over. So that tests need not
//! sleep.
//!
//! The broker is looked at in a short interval. What holds at one look is answered, though it may not hold any more. What was
//! learned of a broker is kept from look to look, and forgotten when it was reset.

mod counted;
mod fetched;

use std::mem::take;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use self::counted::Counted;
use self::fetched::{Fetched, FetchedWanted};
use super::control::Control;
use super::groups::{self, GroupBehind};
use super::reply::{self, Reply};
use super::requests;
use super::routes::Parameter;
use crate::coordinator::groups::GroupSummary;
use crate::coordinator::transactions::State;
use crate::model::ErrorCode;
use crate::replica::view::View;
use crate::shard::context::Shared;

const LOOK_INTERVAL: Duration = Duration::from_millis(5);
const USUAL_TIMEOUT_MS: u64 = 10_000;
const MOST_TIMEOUT_MS: u64 = 300_000;

const fn parameter(name: &'static str, summary: &'static str) -> Parameter {
    Parameter { name, summary }
}

pub(super) const PARAMETERS: &[Parameter] = &[
    parameter("group", "A group: with members it is waited for them, with lag for what it commits."),
    parameter("members", "The group has so many members and is stable, or has none and is empty."),
    parameter(
        "lag",
        "The group has committed offsets, is stable where it has members, and is so many records behind at most; a partition of a member without a commit counts with all its records.",
    ),
    parameter("topic", "A topic; with records it is waited for them, else for the topic."),
    parameter("records", "The topic has so many records at least that a reader of committed records gets."),
    parameter("fetched", "A client has asked for the topic's partition from this offset on: it has got what is below."),
    parameter("partition", "With fetched: the partition; 0 where it is not said."),
    parameter("client_id", "With fetched: the client; any where it is not said."),
    parameter("transactional_id", "A transactional id whose last transaction has ended, since its producer began."),
    parameter("timeout_ms", "How long it is waited at most; 10,000 where it is not said, 300,000 at most."),
];

/// What one wait has learned of a broker.
#[derive(Default)]
struct Learned {
    broker: Weak<Shared>,
    counted: Counted,
    fetched: Fetched,
}

/// What is waited for; all of it.
#[derive(Default)]
struct Wanted {
    group: Option<String>,
    members: Option<usize>,
    lag: Option<u64>,
    topic: Option<String>,
    records: Option<u64>,
    fetched: Option<FetchedWanted>,
    transactional_id: Option<String>,
}

pub(super) async fn wait(control: Arc<Control>, parameters: Vec<(String, String)>) -> Reply {
    let (wanted, timeout_ms) = match parse(&parameters) {
        Ok(parsed) => parsed,
        Err(sentence) => return reply::bad_request(sentence),
    };
    if wanted.fetched.is_some() && control.settings.requests == 0 {
        return reply::not_found(requests::NOT_KEPT);
    }
    let _place = match control.stay() {
        Ok(place) => place,
        Err(refused) => return *refused,
    };
    let time = tokio::time::sleep(Duration::from_millis(timeout_ms));
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    // A look may take longer than the interval: the next one is later then.
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks.tick().await;
    tokio::pin!(time);
    let (mut learned, mut is_last) = (Learned::default(), false);
    loop {
        let missing = match control.shared() {
            Some(shared) => {
                let broker = Arc::downgrade(&shared);
                if !learned.broker.ptr_eq(&broker) {
                    learned = Learned { broker, ..Learned::default() };
                }
                wanted.missing(&control, &shared, &mut learned, is_last).await
            }
            None => Some(control.why_nothing_is_shared()),
        };
        let Some(why) = missing else { return reply::ok(&json!({ "waited": true })) };
        if is_last {
            return reply::refuse(StatusCode::REQUEST_TIMEOUT, format!("after {timeout_ms} ms {why}"));
        }
        tokio::select! {
            biased;
            () = &mut time => is_last = true,
            _ = looks.tick() => {}
        }
    }
}

fn parse(parameters: &[(String, String)]) -> Result<(Wanted, u64), String> {
    let (mut wanted, mut timeout_ms) = (Wanted::default(), USUAL_TIMEOUT_MS);
    let (mut fetched, mut partition, mut client_id) = (None, None, None);
    for (name, value) in parameters {
        let number = || value.parse::<u64>().map_err(|_| format!("{name} is a number"));
        match name.as_str() {
            "group" => wanted.group = Some(value.clone()),
            "topic" => wanted.topic = Some(value.clone()),
            "transactional_id" => wanted.transactional_id = Some(value.clone()),
            "client_id" => client_id = Some(value.clone()),
            "members" => wanted.members = Some(number()? as usize),
            "lag" => wanted.lag = Some(number()?),
            "records" => wanted.records = Some(number()?),
            "fetched" => fetched = Some(i64::try_from(number()?).map_err(|_| "fetched is an offset")?),
            "partition" => partition = Some(i32::try_from(number()?).map_err(|_| "there is no such partition")?),
            _ => timeout_ms = number()?.min(MOST_TIMEOUT_MS),
        }
    }
    let of_group = wanted.members.is_some() || wanted.lag.is_some();
    if of_group != wanted.group.is_some() {
        return Err("a group is waited for with members, lag or both".into());
    }
    if (wanted.records.is_some() || fetched.is_some()) && wanted.topic.is_none() {
        return Err("records are those of a topic, and what is fetched is".into());
    }
    if (partition.is_some() || client_id.is_some()) && fetched.is_none() {
        return Err("partition and client_id say what fetched is about".into());
    }
    if wanted.group.is_none() && wanted.topic.is_none() && wanted.transactional_id.is_none() {
        return Err("it is waited for a group, a topic or a transactional_id".into());
    }
    if let (Some(topic), Some(offset)) = (wanted.topic.clone(), fetched) {
        let partition = partition.unwrap_or_default();
        wanted.fetched = Some(FetchedWanted { topic, partition, offset, client_id });
    }
    Ok((wanted, timeout_ms))
}

impl Wanted {
    /// The first thing that is not there, as the end of a sentence.
    async fn missing(
        &self,
        control: &Control,
        shared: &Arc<Shared>,
        learned: &mut Learned,
        is_last: bool,
    ) -> Option<String> {
        let view = shared.view.load_full();
        let of_topic = self.topic.as_ref().filter(|topic| view.topic(topic).is_none());
        let of_topic = of_topic.map(|topic| format!("there is no topic {topic}"));
        let of_members = || missing_members(shared, &view, self.group.as_ref()?, self.members?);
        let of_transaction = || open_transaction(shared, &view, self.transactional_id.as_ref()?);
        let missing = of_topic.or_else(of_members).or_else(of_transaction);
        if missing.is_some() {
            return missing;
        }
        if let (Some(group), Some(most)) = (self.group.clone(), self.lag) {
            let (shared, view) = (shared.clone(), view.clone());
            // All members are copied, on a thread that may wait.
            let behind = control.looks.run(move || too_much_lag(&shared, &view, &group, most)).await;
            if behind.is_some() {
                return behind;
            }
        }
        if let (Some(topic), Some(least)) = (&self.topic, self.records) {
            let missing = missing_records(control, view, topic, least, learned, is_last).await;
            if missing.is_some() {
                return missing;
            }
        }
        match &self.fetched {
            Some(wanted) => learned.fetched.look(shared, wanted).await,
            None => None,
        }
    }
}

/// What is known of a group at first sight; `None`: there is no such group. An error is the end of a sentence.
fn find(shared: &Shared, view: &View, group: &str) -> Result<Option<GroupSummary>, String> {
    let found = shared.coordinators().of_key(view, group);
    match found.and_then(|coordinator| Ok(coordinator.look(|groups| groups.summary(group))?.0)) {
        Err(ErrorCode::NotCoordinator) => Ok(None),
        found => found.map_err(|error| format!("the coordinator of the group {group} answers {error}")),
    }
}

fn missing_members(shared: &Shared, view: &View, group: &str, members: usize) -> Option<String> {
    let wanted = if members == 0 { "Empty" } else { "Stable" };
    match find(shared, view, group) {
        Ok(Some(GroupSummary { state, members: has, .. })) if has != members || state != wanted => {
            Some(format!("the group {group} has {has} members and is {state}"))
        }
        Ok(Some(_)) => None,
        Ok(None) if members == 0 => None,
        Ok(None) => Some(format!("there is no group {group}")),
        Err(sentence) => Some(sentence),
    }
}

/// While members are being assigned their partitions, it is not known what is to be read.
fn too_much_lag(shared: &Shared, view: &View, group: &str, most: u64) -> Option<String> {
    let summary = match find(shared, view, group) {
        Ok(Some(summary)) => summary,
        Ok(None) => return Some(format!("the group {group} has committed nothing")),
        Err(sentence) => return Some(sentence),
    };
    let behind = groups::behind(shared, view, summary);
    if behind.has_members && behind.state != "Stable" {
        return Some(format!("the group {group} has members and is {}", behind.state));
    }
    if !behind.has_committed {
        return Some(format!("the group {group} has committed nothing"));
    }
    let GroupBehind { records, without_commit, .. } = behind;
    let without = match without_commit {
        0 => String::new(),
        count => format!("; of its members' partitions {count} have no commit"),
    };
    (records > most).then(|| format!("the group {group} is {records} records behind{without}"))
}

/// Batches are read when there are offsets enough, and at the last look, which tells how many records there are.
async fn missing_records(
    control: &Control,
    view: Arc<View>,
    name: &str,
    least: u64,
    learned: &mut Learned,
    is_last: bool,
) -> Option<String> {
    let topic = view.topic(name)?.clone();
    if counted::upper_bound(&view, &topic) < least && !is_last {
        return Some(format!("the records of the topic {name} were not counted"));
    }
    let mut counted = take(&mut learned.counted);
    let look = move || {
        let found = counted.look(&view, &topic, least);
        (counted, found)
    };
    let (counted, found) = control.looks.run(look).await;
    learned.counted = counted;
    match found {
        Err(sentence) => Some(format!("the records of the topic {name} cannot be counted: {sentence}")),
        Ok(found) if found.records >= least => None,
        Ok(found) => {
            let among = if found.is_cut { " among those that were counted in this time" } else { "" };
            let open = match found.open {
                0 => String::new(),
                open => format!(", and {open} offsets that wait for the end of a transaction"),
            };
            Some(format!("the topic {name} has {} records{among}{open}", found.records))
        }
    }
}

fn open_transaction(shared: &Shared, view: &View, id: &str) -> Option<String> {
    let found = shared.transactions().of_key(view, id);
    let found = found.and_then(|coordinator| Ok(coordinator.look(|transactions| transactions.describe(id))?.0));
    match found {
        Ok(Ok(described)) => match described.state {
            State::CompleteCommit | State::CompleteAbort => None,
            // So it stands right behind InitProducerId: what a test waits for may be still to come.
            State::Empty => Some(format!("no transaction of {id} has begun since its producer began")),
            state => Some(format!("the transaction of {id} is {}", state.name())),
        },
        Ok(Err(_)) | Err(ErrorCode::NotCoordinator) => Some(format!("there is no transactional id {id}")),
        Err(error) => Some(format!("the coordinator of {id} answers {error}")),
    }
}
