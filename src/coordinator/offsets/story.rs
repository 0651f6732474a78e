//! Committed offsets in stories.

use super::{Commit, CommitPartition, CommitTopic, Fetch, FetchTopic};
use crate::coordinator::record::offsets::OffsetCommitValue;
use crate::coordinator::story::Command;
use crate::coordinator::world::World;
use crate::model::Uuid;

pub fn offset_commit(value: &OffsetCommitValue<'_>) -> String {
    let id = if value.topic_id.is_zero() { String::new() } else { format!(" topic_id={}", value.topic_id) };
    format!(
        "offset={} leader_epoch={} metadata={:?} committed={} expires={}{id}",
        value.offset, value.leader_epoch, value.metadata, value.commit_timestamp, value.expire_timestamp
    )
}

/// `t-0,t-1,u-0` by topic.
fn partitions(list: Vec<&str>) -> Vec<(&str, Vec<i32>)> {
    let mut topics: Vec<(&str, Vec<i32>)> = Vec::new();
    for one in list {
        let (topic, partition) = one.rsplit_once('-').unwrap_or_else(|| panic!("not topic-partition: {one}"));
        let partition = partition.parse().unwrap();
        match topics.last_mut() {
            Some((last, partitions)) if *last == topic => partitions.push(partition),
            _ => topics.push((topic, vec![partition])),
        }
    }
    topics
}

/// `commit`, `fetch`, `delete_offsets`, `expire`, `forget`.
pub fn run(world: &mut World, command: &Command) -> Option<String> {
    let group = command.text_or("group", "g");
    let topic_id = Uuid(command.number("topic_id", 0u128).to_be_bytes());
    Some(match command.name.as_str() {
        "commit" => commit(world, command, group, topic_id),
        "fetch" => {
            let topic = |(name, partitions)| FetchTopic { name, topic_id, partitions };
            let topics = command.optional("partitions").map(|_| partitions(command.list("partitions")));
            let request = Fetch {
                group_id: group,
                member_id: command.optional("member"),
                member_epoch: command.number("epoch", -1),
                topics: topics.map(|topics| topics.into_iter().map(topic).collect()),
                require_stable: false,
            };
            fetched(&world.groups.fetch_offsets(&request))
        }
        "delete_offsets" => {
            let topics = partitions(command.list("partitions"));
            format!("{:?}\n", world.step(|groups, step| groups.delete_offsets(step, group, &topics)))
        }
        "expire" => {
            world.step(|groups, step| groups.expire_offsets(step));
            String::new()
        }
        "forget" => {
            let gone = command.list("topics").into_iter().map(|topic| (topic.into(), topic_id)).collect();
            world.step(|groups, step| groups.forget_topics(step, &gone));
            String::new()
        }
        _ => return None,
    })
}

fn fetched(reply: &super::FetchReply<'_>) -> String {
    let topics = match reply {
        Ok(topics) => topics,
        Err(error) => return format!("{error:?}\n"),
    };
    let partitions = topics.iter().flat_map(|topic| topic.partitions.iter().map(move |of| (topic.name, of)));
    let line = |(name, of): (&str, &super::FetchedPartition<'_>)| {
        let error = if of.error.is_error() { format!(" {:?}", of.error) } else { String::new() };
        let (partition, offset, epoch, metadata) = (of.partition, of.offset, of.leader_epoch, &of.metadata);
        format!("{name}-{partition} offset={offset} leader_epoch={epoch} metadata={metadata:?}{error}\n")
    };
    partitions.map(line).collect()
}

/// `offsets=t-0:5,t-1:7`
fn commit(world: &mut World, command: &Command, group: &str, topic_id: Uuid) -> String {
    let offsets = command.list("offsets");
    let offsets = offsets.iter().map(|one| one.split_once(':').unwrap_or_else(|| panic!("no offset: {one}")));
    let (names, offsets): (Vec<_>, Vec<_>) = offsets.unzip();
    let mut offsets = offsets.into_iter().map(|offset| offset.parse().unwrap());
    let mut partition = |partition: i32| CommitPartition {
        partition,
        offset: offsets.next().unwrap(),
        leader_epoch: command.number("leader_epoch", -1),
        metadata: command.optional("metadata"),
    };
    let mut topics = Vec::new();
    for (name, partitions) in partitions(names) {
        topics.push(CommitTopic { name, topic_id, partitions: partitions.into_iter().map(&mut partition).collect() });
    }
    let request = Commit {
        api_version: command.number("v", 9),
        group_id: group,
        generation_id_or_member_epoch: command.number("generation", -1),
        member_id: command.text_or("member", ""),
        instance_id: command.optional("instance"),
        retention_time_ms: command.number("retention", -1),
        topics,
    };
    format!("{:?}\n", world.step(|groups, step| groups.commit_offsets(step, &request)))
}
