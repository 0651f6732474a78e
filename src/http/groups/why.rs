//! Why consumers of a group do not read, as sentences: what the group, its partitions, the last requests of its members and the
//! fault rules say. Pure: it is told what is known.

use std::fmt::Write;

use serde_json::Value;

use super::look::{GroupLook, LogLook, MemberLook, OpenTransaction, PlaceLook, Topics};
use super::seen::{OF_CONSUMERS, Seen};
use crate::http::requests;
use crate::model::{ApiKey, ErrorCode, TimestampMs};
use crate::shard::journal::{ExchangeEnd, RequestExchange};

/// Sentences about one group.
const MOST_SENTENCES: usize = 30;
/// A consumer that polls has sent a Fetch in this time, unless it has set a longer `fetch.max.wait.ms`.
const LATE_MS: i64 = 30_000;

/// What is known beside the group itself.
pub(super) struct Known<'a> {
    pub seen: Seen,
    /// The rules as the board shows them.
    pub faults: Vec<Value>,
    pub open: Vec<OpenTransaction>,
    pub wall: TimestampMs,
    pub partitions_of: &'a dyn Fn(&str) -> Option<usize>,
}

pub(super) fn sentences(group: &GroupLook, known: &Known<'_>) -> Vec<String> {
    let mut why = Vec::new();
    of_state(group, &mut why);
    group.members.iter().for_each(|member| of_member(group, member, known, &mut why));
    group.places.iter().for_each(|place| of_place(place, known, &mut why));
    known.faults.iter().for_each(|rule| why.extend(of_rule(group, rule)));
    if why.is_empty() {
        why.extend(of_lag(group));
    }
    let more = why.len().saturating_sub(MOST_SENTENCES);
    if more > 0 {
        why.truncate(MOST_SENTENCES);
        why.push(format!("There are {more} more such things."));
    }
    why.into_iter().map(begun).collect()
}

/// The sentence with a large letter in front. Names of partitions stay as they are.
fn begun(sentence: String) -> String {
    match sentence.strip_prefix("the ") {
        Some(rest) => format!("The {rest}"),
        None => sentence,
    }
}

fn of_state(group: &GroupLook, why: &mut Vec<String>) {
    let told = match group.state.as_str() {
        "PreparingRebalance" => {
            "A rebalance is pending: the group waits until its members have joined again. A member that does not poll holds it \
             up until its max.poll.interval.ms is over."
        }
        "CompletingRebalance" => "A rebalance is pending: the leader of the group has not sent the assignment yet.",
        "Assigning" => "A rebalance is pending: a new assignment is being computed.",
        "Reconciling" => "A rebalance is pending: members have not yet taken over or given up partitions.",
        _ if group.members.is_empty() => "The group has no members: no consumer has joined, or all have left.",
        _ => return,
    };
    why.push(told.into());
}

fn of_member(group: &GroupLook, member: &MemberLook, known: &Known<'_>, why: &mut Vec<String>) {
    let name = name_of(member);
    let has_none = |topics: &Topics| topics.iter().all(|(_, partitions)| partitions.is_empty());
    let is_settled = group.state == "Stable";
    match (&member.assigned, &member.target) {
        (Some(assigned), Some(target)) if sorted(assigned) != sorted(target) => {
            why.push(format!("{name} has {} and is to have {}.", list(assigned), list(target)));
        }
        (Some(assigned), _) if has_none(assigned) && is_settled => {
            why.push(format!("{name} has no partition: {}.", without_partition(group, member, known)));
        }
        _ => {}
    }
    for api in OF_CONSUMERS {
        if let Some(last) = known.seen.last(&member.client_id, &member.host, api) {
            why.extend(of_request(&name, last, known.wall));
        }
    }
    let reads = member.assigned.as_ref().is_some_and(|assigned| !has_none(assigned));
    if !reads || !known.seen.is_kept || !is_settled {
        return;
    }
    match known.seen.last(&member.client_id, &member.host, ApiKey::Fetch) {
        None => why.push(format!("{name} has not begun to read: no Fetch of it is among the requests that are kept.")),
        Some(last) if age_ms(last, known.wall) > LATE_MS => {
            let age = seconds(age_ms(last, known.wall));
            why.push(format!("{name} has sent no Fetch for {age}: it does not poll, or its partitions are paused."));
        }
        Some(_) => {}
    }
}

fn without_partition(group: &GroupLook, member: &MemberLook, known: &Known<'_>) -> String {
    if let Some(missing) = member.subscribed.iter().find(|topic| (known.partitions_of)(topic).is_none()) {
        return format!("it subscribes to {missing}, which does not exist");
    }
    if member.subscribed.is_empty() {
        return match &member.regex {
            Some(regex) => format!("no topic matches {regex:?}, or others have all partitions"),
            None => "it subscribes to nothing".into(),
        };
    }
    let partitions: usize = member.subscribed.iter().filter_map(|topic| (known.partitions_of)(topic)).sum();
    format!("what it subscribes to has {partitions} partitions, and the group has {} members", group.members.len())
}

/// What the last request of a kind tells, if it went wrong.
fn of_request(name: &str, last: &RequestExchange, wall: TimestampMs) -> Option<String> {
    let (api, age) = (last.api.name(), seconds(age_ms(last, wall)));
    if let ExchangeEnd::Closed(reason) = &last.end {
        return Some(format!("The last {api} of {name} has no answer, {age} ago: {reason}."));
    }
    let is_usual = |code: i16| {
        // A member is first told its id.
        code == ErrorCode::MemberIdRequired.code() || code == 0
    };
    let errors = last.errors.iter().map(|(code, _)| code).filter(|code| !is_usual(*code));
    let errors: Vec<_> =
        errors.map(|code| ErrorCode::from_code(code).map_or("an unknown error", |error| error.name())).collect();
    if !errors.is_empty() {
        return Some(format!("The last {api} of {name} was answered {}, {age} ago.", errors.join(", ")));
    }
    let throttled = requests::throttle_ms(last).filter(|ms| *ms > 0)?;
    Some(format!("{name} is throttled: its last {api} was told to wait {throttled} ms, {age} ago."))
}

fn of_place(place: &PlaceLook, known: &Known<'_>, why: &mut Vec<String>) {
    let name = place.name();
    let Some(LogLook { start, end, last_stable }) = place.log else {
        why.push(format!("{name} is not there: it was deleted, or its log directory is offline."));
        return;
    };
    match place.committed {
        Some(committed) if committed < start || committed > end => {
            why.push(format!(
                "The committed offset {committed} of {name} is not in its log, which has {start} to {end}: a consumer begins where \
                 its auto.offset.reset says."
            ));
        }
        None if end > start => {
            let there = end - start;
            why.push(format!(
                "Nothing is committed for {name}: a consumer begins where its auto.offset.reset says, and latest passes over the \
                 {there} records that were there."
            ));
        }
        _ => {}
    }
    if last_stable < end {
        let is_in =
            |open: &&OpenTransaction| open.topics.get(&place.topic).is_some_and(|of| of.contains(&place.partition));
        let mut of = String::new();
        for open in known.open.iter().filter(is_in) {
            let age = seconds(known.wall.0.saturating_sub(open.start_ms));
            let _ = write!(of, " ({}, {} for {age})", open.id, open.state);
        }
        why.push(format!(
            "An open transaction{of} holds {name} back: consumers with isolation.level=read_committed see it up to offset \
             {last_stable}, of {end}."
        ));
    }
}

/// A rule that has struck what consumers of a group ask, and may do so again or still holds it.
fn of_rule(group: &GroupLook, rule: &Value) -> Option<String> {
    let (wanted, action) = (&rule["match"], &rule["action"]);
    let keeps = ["hold", "no_answer"].iter().any(|deed| action.get(deed).is_some());
    let struck = rule["struck"].as_u64().filter(|struck| *struck > 0 && (keeps || rule["over"] != true))?;
    let one = std::slice::from_ref(&wanted["api"]);
    let apis = wanted["api"].as_array().map_or(one, Vec::as_slice);
    let is_of_consumers = |api: &Value| {
        let text = api.as_str().map_or_else(|| api.to_string(), str::to_string);
        ApiKey::parse(&text).is_some_and(|api| OF_CONSUMERS.contains(&api))
    };
    let is = |word: &str, found: &dyn Fn(&str) -> bool| wanted[word].as_str().is_none_or(found);
    let is_for_group = (wanted["api"].is_null() || apis.iter().any(is_of_consumers))
        && is("group", &|wanted| wanted == &*group.group)
        && is("topic", &|wanted| group.places.iter().any(|place| place.topic == wanted));
    is_for_group.then(|| format!("The fault rule {} has struck {struck} requests: {action}.", rule["id"]))
}

/// What is said where nothing else is.
fn of_lag(group: &GroupLook) -> Option<String> {
    match group.lag() {
        None if group.places.is_empty() => None,
        None => Some("There is nothing to read: its partitions have no records.".into()),
        Some(0) => Some("All is read: the committed offsets are at the ends of the logs.".into()),
        Some(lag) => Some(format!("It has {lag} records to read, and nothing is known that holds it back.")),
    }
}

/// A member as people know it. Most clients begin its id with their own.
fn name_of(member: &MemberLook) -> String {
    match member.id.starts_with(&member.client_id) {
        true => format!("the member {}", member.id),
        false => format!("the member {} ({})", member.id, member.client_id),
    }
}

fn sorted(topics: &Topics) -> Vec<(&str, i32)> {
    let pairs =
        topics.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (topic.as_str(), *partition)));
    let mut sorted: Vec<_> = pairs.collect();
    sorted.sort_unstable();
    sorted
}

fn list(topics: &Topics) -> String {
    const MOST: usize = 5;
    let all = sorted(topics);
    let named: Vec<_> = all.iter().take(MOST).map(|(topic, partition)| format!("{topic}-{partition}")).collect();
    match all.len() {
        0 => "no partition".into(),
        count if count > MOST => format!("{} and {} more", named.join(", "), count - MOST),
        _ => named.join(", "),
    }
}

fn age_ms(exchange: &RequestExchange, wall: TimestampMs) -> i64 {
    wall.0.saturating_sub(exchange.at.0).max(0)
}

fn seconds(ms: i64) -> String {
    match ms.max(0) {
        0..1000 => "less than a second".into(),
        ms => format!("{} s", ms / 1000),
    }
}

#[cfg(test)]
mod tests;
