//! `/v1/groups`: groups with their members, what they have committed, how far they are behind, and why their consumers do not read.
//!
//! [`look`] collects what the coordinators and logs know, [`seen`] what the journal of requests does, [`why`] makes sentences of
//! both. All of it runs on a thread that may wait; coordinators are held as long as by a request that describes a group.

mod look;
mod seen;
mod why;

use std::sync::Arc;

use serde_json::{Value, json};

use self::look::{GroupLook, MemberLook, PlaceLook};
use super::control::Control;
use super::reply::{self, Reply};
use super::routes::Parameter;
use crate::coordinator::groups::GroupSummary;
use crate::replica::view::View;
use crate::shard::context::Shared;

/// Groups that one answer shows, where it does not say, and at most.
const USUAL_SHOWN: usize = 100;
const MOST_SHOWN: usize = 1000;
/// Partitions that one answer shows, of all groups together.
const MOST_PLACES: usize = 20_000;

const fn parameter(name: &'static str, summary: &'static str) -> Parameter {
    Parameter { name, summary }
}

pub(super) const PARAMETERS: &[Parameter] = &[
    parameter("group", "One group; all where it is left out."),
    parameter("limit", "How many are shown at most; 100 where it is not said, 1000 at most."),
];

/// How far a group is behind, as one waits for it who knows nothing but that its consumers are to read all.
pub(super) struct GroupBehind {
    pub state: String,
    pub has_members: bool,
    pub has_committed: bool,
    /// A partition that a member has and for which nothing is committed is behind by all its records.
    pub records: u64,
    /// How many of those there are.
    pub without_commit: usize,
}

/// Blocks for as long as a request that describes the group.
pub(super) fn behind(shared: &Shared, view: &View, summary: GroupSummary) -> GroupBehind {
    let look = look::whole(shared, view, summary);
    let all = |place: &PlaceLook| place.log.map_or(0, |log| log.end.saturating_sub(log.start).max(0));
    let without_commit = look.without_commit().count();
    let unread = look.without_commit().map(all).fold(look.lag().unwrap_or_default(), i64::saturating_add);
    GroupBehind {
        has_members: !look.members.is_empty(),
        has_committed: look.places.iter().any(|place| place.committed.is_some()),
        records: u64::try_from(unread).unwrap_or_default(),
        without_commit,
        state: look.state,
    }
}

pub(super) async fn list(control: Arc<Control>, parameters: Vec<(String, String)>) -> Reply {
    let shared = match control.ready() {
        Ok(shared) => shared,
        Err(refused) => return *refused,
    };
    let (mut wanted, mut limit) = (None, USUAL_SHOWN);
    for (name, value) in parameters {
        match (name.as_str(), value.parse()) {
            ("group", _) => wanted = Some(value),
            (_, Ok(number)) if (1..=MOST_SHOWN).contains(&number) => limit = number,
            _ => return reply::bad_request(format!("limit is a number from 1 to {MOST_SHOWN}")),
        }
    }
    // One at a time, so that coordinators are not asked by many threads at once.
    control.looks.run(move || show_all(&shared, wanted.as_deref(), limit)).await
}

fn show_all(shared: &Shared, wanted: Option<&str>, limit: usize) -> Reply {
    let view = shared.view.load_full();
    let mut summaries: Vec<GroupSummary> = match wanted {
        None => shared.coordinators().summaries(&view),
        Some(group) => {
            let found = shared.coordinators().of_key(&view, group);
            let found = found.and_then(|coordinator| Ok(coordinator.look(|groups| groups.summary(group))?.0));
            match found {
                Ok(Some(summary)) => vec![summary],
                Ok(None) | Err(crate::model::ErrorCode::NotCoordinator) => {
                    return reply::not_found(format!("there is no group {group}"));
                }
                Err(error) => {
                    let sentence = format!("the coordinator of the group {group} answers {error}");
                    return reply::refuse(axum::http::StatusCode::SERVICE_UNAVAILABLE, sentence);
                }
            }
        }
    };
    let all = summaries.len();
    summaries.truncate(limit);
    let (mut looks, mut left) = (Vec::new(), MOST_PLACES);
    for summary in summaries {
        let look = look::group(shared, &view, summary);
        // The list shows the first group, whatever that has.
        if look.places.len() > left && !looks.is_empty() {
            break;
        }
        left = left.saturating_sub(look.places.len());
        looks.push(look);
    }
    let more = all - looks.len();
    let known = why::Known {
        seen: seen::Seen::of(&shared.journals),
        faults: shared.faults.as_ref().map(|board| board.show(shared.environment.now())).unwrap_or_default(),
        open: if looks.iter().any(GroupLook::is_held_back) {
            look::open_transactions(shared, &view)
        } else {
            Vec::new()
        },
        wall: shared.environment.wall(),
        partitions_of: &|topic| view.topic(topic).map(|topic| topic.partitions.len()),
    };
    let shown: Vec<Value> = looks.iter().map(|group| show(group, &why::sentences(group, &known))).collect();
    reply::ok(&json!({ "groups": shown, "more": more }))
}

fn show(group: &GroupLook, why: &[String]) -> Value {
    json!({
        "group": &*group.group,
        "type": group.group_type,
        "state": group.state,
        "protocol": group.protocol,
        "members": group.members.iter().map(show_member).collect::<Vec<_>>(),
        "partitions": group.places.iter().map(|place| show_place(group, place)).collect::<Vec<_>>(),
        "more_members": group.more_members,
        "more_partitions": group.more_places,
        "lag": group.lag(),
        "why": why,
    })
}

fn show_member(member: &MemberLook) -> Value {
    let topics = |all: &[(String, Vec<i32>)]| -> Vec<Value> {
        all.iter().map(|(topic, partitions)| json!({ "topic": topic, "partitions": partitions })).collect()
    };
    json!({
        "member_id": member.id,
        "instance_id": member.instance,
        "client_id": member.client_id,
        "host": member.host,
        "subscribed": member.subscribed,
        "subscribed_regex": member.regex,
        "assignment": member.assigned.as_deref().map(topics),
        "target": member.target.as_deref().map(topics),
    })
}

fn show_place(group: &GroupLook, place: &PlaceLook) -> Value {
    json!({
        "topic": place.topic,
        "partition": place.partition,
        "member_id": place.member.and_then(|at| group.members.get(at)).map(|member| member.id.as_str()),
        "committed": place.committed,
        "start": place.log.map(|log| log.start),
        "end": place.log.map(|log| log.end),
        "last_stable": place.log.map(|log| log.last_stable),
        "lag": place.lag(),
    })
}
