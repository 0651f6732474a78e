//! What a broker knows of a group: its members and their partitions, by either protocol, what it has committed and where the logs
//! end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::exception;
use crate::cli::client::{Client, check};
use crate::cli::tool::PAUSE;
use crate::coordinator::consumer::embedded;
use crate::io::{clock, threads};
use crate::model::{ApiKey, ErrorCode};
use crate::wire::api::{consumer_group_describe, describe_groups, find_coordinator, list_offsets, offset_fetch};

/// `ListOffsetsRequest.LATEST_TIMESTAMP`
const LATEST: i64 = -1;
/// Later versions name topics by their ids.
const OFFSETS_BY_NAME: i16 = 9;
/// Later versions ask for several groups.
const COORDINATOR_OF_ONE: i16 = 3;
/// How long a coordinator may take to be ready (`default.api.timeout.ms`).
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) type Place = (String, i32);

/// A member with its partitions, in their order.
#[derive(Clone, Default)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) host: String,
    pub(super) client_id: String,
    pub(super) places: Vec<Place>,
}

pub(super) struct Group {
    pub(super) name: String,
    pub(super) coordinator: String,
    pub(super) state: String,
    pub(super) assignor: String,
    pub(super) members: Vec<Member>,
}

/// A group of the consumer protocol, or else of the classic one.
pub(super) fn group(client: &mut Client, name: &str) -> Result<Group, String> {
    let coordinator = coordinator(client, name)?;
    let newer = match client.versions().contains_key(&ApiKey::ConsumerGroupDescribe.id()) {
        true => of_consumer_protocol(client, name)?,
        false => None,
    };
    let found = newer.map_or_else(|| of_classic_protocol(client, name), Ok)?;
    Ok(Group { coordinator, ..found })
}

/// `None`: the broker knows none of that protocol.
fn of_consumer_protocol(client: &mut Client, name: &str) -> Result<Option<Group>, String> {
    let request = consumer_group_describe::Request { group_ids: vec![name.to_string().into()], ..Default::default() };
    let told: consumer_group_describe::Response<'_> = client.ask(ApiKey::ConsumerGroupDescribe, &request)?;
    let Some(found) = told.groups.first() else { return Ok(None) };
    let is_another = [ErrorCode::GroupIdNotFound, ErrorCode::UnsupportedVersion].map(ErrorCode::code);
    if is_another.contains(&found.error_code) {
        return Ok(None);
    }
    exception(found.error_code, found.error_message.as_deref()).map_or(Ok(()), Err)?;
    let members = found.members.iter().map(|member| {
        let topics = member.assignment.topic_partitions.iter();
        let places = topics.flat_map(|topic| places(&topic.topic_name, &topic.partitions));
        of_member(&member.member_id, &member.client_host, &member.client_id, places.collect())
    });
    Ok(Some(Group {
        name: name.to_string(),
        coordinator: String::new(),
        state: found.group_state.to_string(),
        assignor: found.assignor_name.to_string(),
        members: members.collect(),
    }))
}

fn of_classic_protocol(client: &mut Client, name: &str) -> Result<Group, String> {
    let request = describe_groups::Request { groups: vec![name.to_string().into()], ..Default::default() };
    let told: describe_groups::Response<'_> = client.ask(ApiKey::DescribeGroups, &request)?;
    let found = told.groups.first().ok_or("the broker says nothing about the group")?;
    exception(found.error_code, found.error_message.as_deref()).map_or(Ok(()), Err)?;
    let members = found.members.iter().map(|member| {
        // What cannot be read is none: the group may be another protocol's.
        let assigned = embedded::assigned(&member.member_assignment).unwrap_or_default();
        let topics = assigned.assigned_partitions.iter();
        let places = topics.flat_map(|topic| places(&topic.topic, &topic.partitions));
        of_member(&member.member_id, &member.client_host, &member.client_id, places.collect())
    });
    Ok(Group {
        name: name.to_string(),
        coordinator: String::new(),
        state: found.group_state.to_string(),
        assignor: found.protocol_data.to_string(),
        members: members.collect(),
    })
}

fn of_member(id: &str, host: &str, client_id: &str, mut places: Vec<Place>) -> Member {
    places.sort();
    Member { id: id.into(), host: host.into(), client_id: client_id.into(), places }
}

fn places(topic: &str, partitions: &[i32]) -> Vec<Place> {
    partitions.iter().map(|partition| (topic.to_string(), *partition)).collect()
}

/// The broker that has the group, as a line shows it, when it is ready to be asked about the group. Being asked for it, a broker makes
/// the topic of the groups.
pub(super) fn coordinator(client: &mut Client, group: &str) -> Result<String, String> {
    let passing = [ErrorCode::CoordinatorLoadInProgress, ErrorCode::CoordinatorNotAvailable, ErrorCode::NotCoordinator];
    let begun = clock::now();
    loop {
        let request = find_coordinator::Request { key: group.to_string().into(), ..Default::default() };
        let told: find_coordinator::Response<'_> =
            client.ask_up_to((ApiKey::FindCoordinator, COORDINATOR_OF_ONE), &request)?;
        let shown = format!("{}:{}  ({})", told.host, told.port, told.node_id);
        let mut code = told.error_code;
        let refused = exception(code, told.error_message.as_deref());
        if code == 0 {
            let request = describe_groups::Request { groups: vec![group.to_string().into()], ..Default::default() };
            let told: describe_groups::Response<'_> = client.ask(ApiKey::DescribeGroups, &request)?;
            code = told.groups.first().map_or(0, |group| group.error_code);
        }
        if passing.iter().all(|error| error.code() != code) {
            return refused.map_or(Ok(shown), Err);
        }
        if clock::now().since(begun) >= PATIENCE {
            let why = check(code, None).err().unwrap_or_default();
            return Err(format!(
                "{why}: the group is asked for at the broker of --bootstrap-server, and {shown} has it"
            ));
        }
        threads::wait(PAUSE);
    }
}

pub(super) fn committed(client: &mut Client, group: &str) -> Result<BTreeMap<Place, i64>, String> {
    let of_group = offset_fetch::OffsetFetchRequestGroup {
        group_id: group.to_string().into(),
        topics: None,
        ..Default::default()
    };
    let request = offset_fetch::Request { groups: vec![of_group], ..Default::default() };
    let told: offset_fetch::Response<'_> = client.ask_up_to((ApiKey::OffsetFetch, OFFSETS_BY_NAME), &request)?;
    let mut committed = BTreeMap::new();
    for found in &told.groups {
        exception(found.error_code, None).map_or(Ok(()), Err)?;
        for topic in &found.topics {
            let known = topic.partitions.iter().filter(|partition| partition.committed_offset >= 0);
            committed.extend(known.map(|p| ((topic.name.to_string(), p.partition_index), p.committed_offset)));
        }
    }
    Ok(committed)
}

/// The ends of these logs; one that is gone has none.
pub(super) fn ends(client: &mut Client, places: &[&Place]) -> Result<BTreeMap<Place, i64>, String> {
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
    let told: list_offsets::Response<'_> = client.ask(ApiKey::ListOffsets, &request)?;
    let mut ends = BTreeMap::new();
    for topic in &told.topics {
        let known = topic.partitions.iter().filter(|partition| partition.error_code == 0);
        ends.extend(known.map(|p| ((topic.name.to_string(), p.partition_index), p.offset)));
    }
    Ok(ends)
}
