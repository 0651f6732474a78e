//! `kafka-consumer-groups` (`ConsumerGroupCommand`): lists groups, shows their offsets and their lag, deletes them.

use std::collections::BTreeMap;

use super::{connect, say};
use crate::cli::args::Given;
use crate::cli::client::{Client, check};
use crate::codec::{Message, Reader};
use crate::coordinator::consumer_protocol::ConsumerProtocolAssignment;
use crate::model::{ApiKey, ErrorCode};
use crate::wire::api::{
    consumer_group_describe, delete_groups, describe_groups, list_groups, list_offsets, offset_fetch,
};

/// `ListOffsetsRequest.LATEST_TIMESTAMP`
const LATEST: i64 = -1;
/// Later versions name topics by their ids.
const OFFSETS_BY_NAME: i16 = 9;
const MISSING: &str = "-";

type Place = (String, i32);

/// Who has a partition: the ids and the host of a member.
#[derive(Clone, Default)]
struct Member {
    id: String,
    host: String,
    client_id: String,
}

struct Group {
    state: String,
    members: Vec<(Member, Vec<Place>)>,
}

pub(super) fn run(given: &Given) -> Result<(), String> {
    let mut client = connect(given)?;
    match (given.has("list"), given.has("describe"), given.has("delete")) {
        (true, false, false) => {
            listed(&mut client)?.iter().for_each(|group| say(group));
            Ok(())
        }
        (false, true, false) => {
            asked(given, &mut client)?.iter().try_for_each(|group| describe(&mut client, group, given.has("state")))
        }
        (false, false, true) => {
            let groups = asked(given, &mut client)?;
            delete(&mut client, &groups)
        }
        _ => Err("Command must include exactly one action: --list, --describe, --delete".into()),
    }
}

fn listed(client: &mut Client) -> Result<Vec<String>, String> {
    let mut answer = Vec::new();
    let told: list_groups::Response<'_> =
        client.ask(ApiKey::ListGroups, &list_groups::Request::default(), &mut answer)?;
    check(told.error_code, None)?;
    let is_of_consumers = |kind: &str| kind.is_empty() || kind == "consumer";
    let groups = told.groups.iter().filter(|group| is_of_consumers(&group.protocol_type));
    Ok(groups.map(|group| group.group_id.to_string()).collect())
}

fn asked(given: &Given, client: &mut Client) -> Result<Vec<String>, String> {
    match given.texts("group")? {
        groups if !groups.is_empty() => Ok(groups),
        _ if given.has("all-groups") => listed(client),
        _ => Err("which group? --group and --all-groups say it".into()),
    }
}

fn delete(client: &mut Client, groups: &[String]) -> Result<(), String> {
    let request = delete_groups::Request { groups_names: groups.iter().map(|group| group.clone().into()).collect() };
    let mut answer = Vec::new();
    let told: delete_groups::Response<'_> = client.ask(ApiKey::DeleteGroups, &request, &mut answer)?;
    let failed = told.results.iter().filter_map(|group| {
        let reason = check(group.error_code, group.error_message.as_deref()).err()?;
        Some(format!("* Group '{}' could not be deleted due to: {reason}", group.group_id))
    });
    let failed: Vec<_> = failed.collect();
    if failed.is_empty() {
        let names: Vec<_> = groups.iter().map(|group| format!("'{group}'")).collect();
        say(&format!("Deletion of requested consumer groups ({}) was successful.", names.join(", ")));
        return Ok(());
    }
    Err(format!("Deletion of some consumer groups failed:\n{}", failed.join("\n")))
}

/// A group of the consumer protocol, or else of the classic one.
fn found(client: &mut Client, group: &str) -> Result<Group, String> {
    let mut answer = Vec::new();
    if client.versions().contains_key(&ApiKey::ConsumerGroupDescribe.id()) {
        let request =
            consumer_group_describe::Request { group_ids: vec![group.to_string().into()], ..Default::default() };
        let told: consumer_group_describe::Response<'_> =
            client.ask(ApiKey::ConsumerGroupDescribe, &request, &mut answer)?;
        if let Some(found) = told.groups.first().filter(|found| found.error_code == 0) {
            let members = found.members.iter().map(|member| {
                let topics = member.assignment.topic_partitions.iter();
                let places = topics.flat_map(|topic| places(&topic.topic_name, &topic.partitions)).collect();
                (of_member(&member.member_id, &member.client_host, &member.client_id), places)
            });
            return Ok(Group { state: found.group_state.to_string(), members: members.collect() });
        }
    }
    let request = describe_groups::Request { groups: vec![group.to_string().into()], ..Default::default() };
    let told: describe_groups::Response<'_> = client.ask(ApiKey::DescribeGroups, &request, &mut answer)?;
    let found = told.groups.first().ok_or("the broker says nothing about the group")?;
    if found.error_code == ErrorCode::GroupIdNotFound.code() || found.group_state == "Dead" {
        return Err(format!("Consumer group '{group}' does not exist."));
    }
    check(found.error_code, found.error_message.as_deref())?;
    let members = found.members.iter().map(|member| {
        (of_member(&member.member_id, &member.client_host, &member.client_id), assigned(&member.member_assignment))
    });
    Ok(Group { state: found.group_state.to_string(), members: members.collect() })
}

fn of_member(id: &str, host: &str, client_id: &str) -> Member {
    Member { id: id.into(), host: host.into(), client_id: client_id.into() }
}

fn places(topic: &str, partitions: &[i32]) -> Vec<Place> {
    partitions.iter().map(|partition| (topic.to_string(), *partition)).collect()
}

/// What the leader of a classic group gave to a member; nothing where it cannot be read.
fn assigned(bytes: &[u8]) -> Vec<Place> {
    let mut reader = Reader::new(bytes);
    let Ok(version) = reader.i16("ConsumerProtocolAssignment.version") else { return Vec::new() };
    let Ok(assignment) = ConsumerProtocolAssignment::decode(&mut reader, version.clamp(0, 3)) else {
        return Vec::new();
    };
    assignment.assigned_partitions.iter().flat_map(|topic| places(&topic.topic, &topic.partitions)).collect()
}

fn describe(client: &mut Client, group: &str, is_state: bool) -> Result<(), String> {
    let found = found(client, group)?;
    if is_state {
        say(&format!("\n{:<15} {:<10} {}", "GROUP", "STATE", "#MEMBERS"));
        say(&format!("{group:<15} {:<10} {}", found.state, found.members.len()));
        return Ok(());
    }
    match found.state.as_str() {
        "Empty" => eprintln!("\nConsumer group '{group}' has no active members."),
        "Stable" => {}
        _ => eprintln!("\nWarning: Consumer group '{group}' is rebalancing."),
    }
    let committed = committed(client, group)?;
    let mut owners: BTreeMap<Place, Member> = BTreeMap::new();
    for (member, places) in &found.members {
        owners.extend(places.iter().map(|place| (place.clone(), member.clone())));
    }
    let mut all: Vec<Place> = committed.keys().chain(owners.keys()).cloned().collect();
    all.sort();
    all.dedup();
    let ends = ends(client, &all)?;
    let rows: Vec<[String; 9]> = all
        .iter()
        .map(|place| {
            let (offset, end) = (committed.get(place), ends.get(place));
            let lag = offset.zip(end).map(|(offset, end)| end - offset);
            let shown = |number: Option<i64>| number.map_or(MISSING.to_string(), |number| number.to_string());
            let owner = owners.get(place).cloned();
            let of = |text: fn(Member) -> String| owner.clone().map_or(MISSING.to_string(), text);
            let (offset, end, lag) = (shown(offset.copied()), shown(end.copied()), shown(lag));
            let member = [of(|member| member.id), of(|member| member.host), of(|member| member.client_id)];
            let [id, host, client_id] = member;
            [group.to_string(), place.0.clone(), place.1.to_string(), offset, end, lag, id, host, client_id]
        })
        .collect();
    if !rows.is_empty() {
        say(&table(&rows));
    }
    Ok(())
}

/// `ConsumerGroupCommand.printOffsets`
fn table(rows: &[[String; 9]]) -> String {
    let head =
        ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"];
    let widest = |at: usize| rows.iter().map(|row| row[at].len()).max().unwrap_or(0).max(15);
    let widths = [widest(0), widest(1), 10, 15, 15, 15, widest(6), widest(7)];
    let mut out = String::new();
    for row in [head.map(String::from)].iter().chain(rows) {
        out.push('\n');
        widths.iter().zip(row).for_each(|(width, text)| out += &format!("{text:<width$} "));
        out += &row[8];
    }
    out
}

fn committed(client: &mut Client, group: &str) -> Result<BTreeMap<Place, i64>, String> {
    let of_group = offset_fetch::OffsetFetchRequestGroup {
        group_id: group.to_string().into(),
        topics: None,
        ..Default::default()
    };
    let request = offset_fetch::Request { groups: vec![of_group], ..Default::default() };
    let mut answer = Vec::new();
    let told: offset_fetch::Response<'_> =
        client.ask_up_to((ApiKey::OffsetFetch, OFFSETS_BY_NAME), &request, &mut answer)?;
    let mut committed = BTreeMap::new();
    for found in &told.groups {
        check(found.error_code, None)?;
        for topic in &found.topics {
            let known = topic.partitions.iter().filter(|partition| partition.committed_offset >= 0);
            committed.extend(known.map(|p| ((topic.name.to_string(), p.partition_index), p.committed_offset)));
        }
    }
    Ok(committed)
}

/// The ends of these logs; one that is gone has none.
fn ends(client: &mut Client, places: &[Place]) -> Result<BTreeMap<Place, i64>, String> {
    let mut topics: BTreeMap<&str, Vec<list_offsets::ListOffsetsPartition>> = BTreeMap::new();
    for (topic, partition) in places {
        topics.entry(topic).or_default().push(list_offsets::ListOffsetsPartition {
            partition_index: *partition,
            timestamp: LATEST,
            ..Default::default()
        });
    }
    let topics = topics
        .into_iter()
        .map(|(topic, partitions)| list_offsets::ListOffsetsTopic { name: topic.to_string().into(), partitions });
    let request = list_offsets::Request { replica_id: -1, topics: topics.collect(), ..Default::default() };
    let mut answer = Vec::new();
    let told: list_offsets::Response<'_> = client.ask(ApiKey::ListOffsets, &request, &mut answer)?;
    let mut ends = BTreeMap::new();
    for topic in &told.topics {
        let known = topic.partitions.iter().filter(|partition| partition.error_code == 0);
        ends.extend(known.map(|p| ((topic.name.to_string(), p.partition_index), p.offset)));
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_as_kafkas() {
        let row = ["g", "orders", "0", "3", "5", "2", "-", "-", "-"].map(String::from);
        let expected = "\nGROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID\ng               orders          0          3               5               2               -               -               -";
        assert_eq!(table(&[row]), expected);
    }

    #[test]
    fn assignments_that_cannot_be_read_are_none() {
        assert!(assigned(b"").is_empty() && assigned(b"\0\0\x7f\xff\xff\xff").is_empty());
    }
}
