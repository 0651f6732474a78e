//! The consumer protocol in stories. Topics are numbers: the id 1 is `1`.

use std::collections::BTreeMap;

use super::member::Partitions;
use super::{DescribedPartitions, Heartbeat};
use crate::coordinator::record::offsets::consumer_group_current_member_assignment_value::TopicPartitions;
use crate::coordinator::record::offsets::{ConsumerGroupMemberMetadataValue, Key, Value};
use crate::coordinator::settings::MigrationPolicy;
use crate::coordinator::step::Client;
use crate::coordinator::story::{Command, bytes};
use crate::coordinator::world::World;
use crate::model::{TopicId, Uuid};

/// `1:0+1,2:0`; nothing is `-`.
fn partitions<'p>(topics: impl IntoIterator<Item = (&'p TopicId, Vec<String>)>) -> String {
    let number = |id: &Uuid| u128::from_be_bytes(id.0);
    let mut topics: Vec<_> = topics.into_iter().map(|(id, of)| format!("{}:{}", number(id), of.join("+"))).collect();
    topics.sort();
    if topics.is_empty() { "-".into() } else { topics.join(",") }
}

fn numbers(partitions: &[i32]) -> Vec<String> {
    let mut sorted = partitions.to_vec();
    sorted.sort_unstable();
    sorted.iter().map(i32::to_string).collect()
}

fn with_epochs(partitions: &Partitions) -> String {
    let of = |of: &BTreeMap<i32, i32>| of.iter().map(|(partition, epoch)| format!("{partition}@{epoch}")).collect();
    self::partitions(partitions.iter().map(|(topic, partitions)| (topic, of(partitions))))
}

fn recorded(topics: &[TopicPartitions]) -> String {
    let topic = |of: &TopicPartitions| {
        let epochs = of.assignment_epochs.iter().flatten();
        (of.topic_id, of.partitions.iter().copied().zip(epochs.copied()).collect())
    };
    with_epochs(&topics.iter().map(topic).collect())
}

fn member(value: &ConsumerGroupMemberMetadataValue<'_>) -> String {
    let text = |name: &str, text: &Option<crate::codec::Str<'_>>| match text.as_deref() {
        None => String::new(),
        Some(text) => format!(" {name}={text:?}"),
    };
    let topics: Vec<&str> = value.subscribed_topic_names.iter().map(AsRef::as_ref).collect();
    let mut out = format!(
        "client={} host={} topics={} rebalance={}",
        value.client_id,
        value.client_host,
        topics.join("+"),
        value.rebalance_timeout_ms
    );
    out += &text("instance", &value.instance_id);
    out += &text("rack", &value.rack_id);
    out += &text("regex", &value.subscribed_topic_regex);
    out += &text("assignor", &value.server_assignor);
    if let Some(classic) = &value.classic_member_metadata {
        let protocols = classic.supported_protocols.iter();
        let protocols: Vec<_> = protocols.map(|of| format!("{}:{}", of.name, bytes(&of.metadata))).collect();
        out += &format!(" classic session={} protocols={}", classic.session_timeout_ms, protocols.join(","));
    }
    out
}

/// A record of this protocol.
pub fn record(key: &Key<'_>, value: Option<&Value<'_>>) -> Option<String> {
    let (group, what) = match key {
        Key::ConsumerGroupMetadata(key) => (&key.group_id, "epoch".to_string()),
        Key::ConsumerGroupPartitionMetadata(key) => (&key.group_id, "partitions".to_string()),
        Key::ConsumerGroupMemberMetadata(key) => (&key.group_id, format!("member {}", key.member_id)),
        Key::ConsumerGroupTargetAssignmentMetadata(key) => (&key.group_id, "target".to_string()),
        Key::ConsumerGroupTargetAssignmentMember(key) => (&key.group_id, format!("target of {}", key.member_id)),
        Key::ConsumerGroupCurrentMemberAssignment(key) => (&key.group_id, format!("current of {}", key.member_id)),
        Key::ConsumerGroupRegularExpression(key) => (&key.group_id, format!("regex {}", key.regular_expression)),
        _ => return None,
    };
    let Some(value) = value else { return Some(format!("tombstone {group} {what}")) };
    let value = match value {
        Value::ConsumerGroupMetadata(value) => format!("{} hash={}", value.epoch, value.metadata_hash),
        Value::ConsumerGroupMemberMetadata(value) => member(value),
        Value::ConsumerGroupTargetAssignmentMetadata(value) => {
            format!("{} at={}", value.assignment_epoch, value.assignment_timestamp)
        }
        Value::ConsumerGroupTargetAssignmentMember(value) => {
            partitions(value.topic_partitions.iter().map(|of| (&of.topic_id, numbers(&of.partitions))))
        }
        Value::ConsumerGroupCurrentMemberAssignment(value) => format!(
            "epoch={} previous={} state={} assigned={} revoking={}",
            value.member_epoch,
            value.previous_member_epoch,
            value.state,
            recorded(&value.assigned_partitions),
            recorded(&value.partitions_pending_revocation)
        ),
        Value::ConsumerGroupRegularExpression(value) => {
            let topics: Vec<&str> = value.topics.iter().map(AsRef::as_ref).collect();
            format!("topics={} version={} at={}", topics.join("+"), value.version, value.timestamp)
        }
        other => format!("{other:?}"),
    };
    Some(format!("record {group} {what} {value}"))
}

/// `beat`, `describe_consumer`, `consumer_settings`.
pub fn run(world: &mut World, command: &Command) -> Option<String> {
    match command.name.as_str() {
        "beat" => Some(beat(world, command)),
        "describe_consumer" => Some(describe(world, command.text_or("group", "g"))),
        "consumer_settings" => {
            let settings = &mut world.consumer_settings;
            let millis = |name, default: std::time::Duration| {
                std::time::Duration::from_millis(command.number(name, default.as_millis() as u64))
            };
            settings.assignment_interval = millis("assignment_interval_ms", settings.assignment_interval);
            settings.session_timeout = millis("session_ms", settings.session_timeout);
            world.settings.migration_policy = match command.text_or("migration", "bidirectional") {
                "upgrade" => MigrationPolicy::Upgrade,
                "downgrade" => MigrationPolicy::Downgrade,
                "disabled" => MigrationPolicy::Disabled,
                _ => MigrationPolicy::Bidirectional,
            };
            Some(String::new())
        }
        "drop_topic" => {
            world.cluster.version += 1;
            world.cluster.topics.remove(command.text("name"));
            Some(String::new())
        }
        _ => None,
    }
}

/// `owned=1:0+1,2:0`, `owned=-`.
fn owned(text: &str) -> Vec<(TopicId, Vec<i32>)> {
    let topic = |of: &str| {
        let (topic, partitions) = of.split_once(':').expect("owned=topic:partition+partition");
        let topic: u128 = topic.parse().expect("topics are numbers");
        let partitions = partitions.split('+').map(|partition| partition.parse().expect("a partition"));
        (Uuid(topic.to_be_bytes()), partitions.collect())
    };
    text.split(',').filter(|of| *of != "-" && !of.is_empty()).map(topic).collect()
}

fn beat(world: &mut World, command: &Command) -> String {
    let epoch = command.number("epoch", 0);
    let joins = epoch == 0;
    let request = Heartbeat {
        client: Client { id: command.text_or("client", "c"), host: "/127.0.0.1" },
        api_version: command.number("v", 1),
        group_id: command.text_or("group", "g"),
        member_id: command.text_or("member", ""),
        member_epoch: epoch,
        instance_id: command.optional("instance"),
        rack_id: command.optional("rack"),
        rebalance_timeout_ms: command.number("rebalance", if joins { 60_000 } else { -1 }),
        subscribed_topic_names: command.optional("topics").map(|_| command.list("topics")),
        subscribed_topic_regex: command.optional("regex"),
        server_assignor: command.optional("assignor"),
        topic_partitions: command.optional("owned").or(joins.then_some("-")).map(owned),
    };
    match world.step(|groups, step| groups.consumer_heartbeat(step, &request)) {
        Err(refusal) => format!("{:?} {}\n", refusal.error, refusal.message.unwrap_or_default()),
        Ok(reply) => {
            let assigned = reply.assignment.as_ref();
            let assigned = assigned.map(|of| partitions(of.iter().map(|(topic, of)| (topic, numbers(of)))));
            format!(
                "{} epoch={} interval={}{}\n",
                reply.member_id,
                reply.member_epoch,
                reply.heartbeat_interval_ms,
                assigned.map(|assigned| format!(" assignment={assigned}")).unwrap_or_default()
            )
        }
    }
}

fn describe(world: &World, group: &str) -> String {
    let description = match world.groups.describe_consumer(&world.cluster, &world.settings, group) {
        Ok(description) => description,
        Err(refusal) => return format!("{:?} {}\n", refusal.error, refusal.message.unwrap_or_default()),
    };
    let described =
        |of: &[DescribedPartitions]| partitions(of.iter().map(|of| (&of.topic_id, numbers(&of.partitions))));
    let mut out = format!(
        "{} epoch={} assignment_epoch={} assignor={}\n",
        description.state, description.group_epoch, description.assignment_epoch, description.assignor_name
    );
    for member in description.members {
        out += &format!(
            "  member {} epoch={} client={} host={} topics={} regex={:?} instance={:?} rack={:?} assigned={} target={}{}\n",
            member.member_id,
            member.member_epoch,
            member.client_id,
            member.client_host,
            member.subscribed_topic_names.join("+"),
            member.subscribed_topic_regex.unwrap_or_default(),
            member.instance_id.unwrap_or_default(),
            member.rack_id.unwrap_or_default(),
            described(&member.assignment),
            described(&member.target_assignment),
            if member.is_classic { " classic" } else { "" }
        );
    }
    out
}
