//! The classic protocol in stories.

use super::{Heartbeat, Join, JoinReply, Leaving, Sync, SyncReply};
use crate::codec::{Buffer, Message, Reader, Str};
use crate::coordinator::consumer_protocol::ConsumerProtocolSubscription;
use crate::coordinator::record::offsets::GroupMetadataValue;
use crate::coordinator::step::Client;
use crate::coordinator::story::{Command, bytes};
use crate::coordinator::world::World;

/// A consumer's metadata, version 0.
pub fn subscribe(topics: &[&str]) -> Vec<u8> {
    let topics = topics.iter().map(|topic| Str::Borrowed(*topic)).collect();
    let mut out = vec![0, 0];
    let subscription = ConsumerProtocolSubscription { topics, ..Default::default() };
    subscription.write(&mut Buffer::new(&mut out), 0);
    out
}

/// The topics of a consumer's metadata; `None` if it is none.
pub fn subscription(bytes: &[u8]) -> Option<Vec<String>> {
    let mut reader = Reader::new(bytes);
    reader.i16("version").ok().filter(|version| *version >= 0)?;
    let subscription = ConsumerProtocolSubscription::decode(&mut reader, 0).ok()?;
    Some(subscription.topics.into_iter().map(Str::into_owned).collect())
}

pub fn group_metadata(value: &GroupMetadataValue<'_>) -> String {
    let name = |name: &Option<Str<'_>>| name.as_deref().unwrap_or("null").to_string();
    let mut out = format!(
        "type={:?} generation={} protocol={} leader={} since={}",
        value.protocol_type,
        value.generation,
        name(&value.protocol),
        name(&value.leader),
        value.current_state_timestamp
    );
    for member in &value.members {
        let instance = member.group_instance_id.as_deref().map(|id| format!(" instance={id}")).unwrap_or_default();
        out += &format!(
            "\n  member {}{instance} client={} host={} rebalance={} session={} metadata={} assignment={}",
            member.member_id,
            member.client_id,
            member.client_host,
            member.rebalance_timeout,
            member.session_timeout,
            bytes(&member.subscription),
            bytes(&member.assignment)
        );
    }
    out
}

pub fn join_reply(reply: &JoinReply) -> String {
    let mut out = format!("join {:?} member={}", reply.error, reply.member_id);
    if !reply.error.is_error() {
        let name = |name: &Option<String>| name.as_deref().unwrap_or("null").to_string();
        out += &format!(
            " generation={} type={} protocol={} leader={}{}",
            reply.generation_id,
            name(&reply.protocol_type),
            name(&reply.protocol_name),
            reply.leader,
            if reply.skip_assignment { " skip_assignment" } else { "" }
        );
    }
    for member in &reply.members {
        let instance = member.instance_id.as_ref().map(|id| format!(" instance={id}")).unwrap_or_default();
        out += &format!("\n  member {}{instance} metadata={}", member.member_id, bytes(&member.metadata));
    }
    out
}

pub fn sync_reply(reply: &SyncReply) -> String {
    let name = |name: &Option<String>| name.as_deref().unwrap_or("null").to_string();
    format!(
        "sync {:?} type={} protocol={} assignment={}",
        reply.error,
        name(&reply.protocol_type),
        name(&reply.protocol_name),
        bytes(&reply.assignment)
    )
}

/// `join`, `sync`, `heartbeat`, `leave`, `describe`.
pub fn run(world: &mut World, command: &Command) -> Option<String> {
    match command.name.as_str() {
        "join" => join(world, command),
        "sync" => sync(world, command),
        "heartbeat" => return Some(heartbeat(world, command)),
        "leave" => return Some(leave(world, command)),
        "describe" => return Some(describe(world, command.text_or("group", "g"))),
        _ => return None,
    }
    Some(String::new())
}

fn describe(world: &World, group: &str) -> String {
    let description = match world.groups.describe_classic(group) {
        Ok(description) => description,
        Err(refusal) => return format!("{refusal:?}\n"),
    };
    let super::Description { state, protocol_type, protocol, members } = description;
    let mut out = format!("{state} type={protocol_type:?} protocol={protocol:?}\n");
    for member in members {
        let instance = member.instance_id.map(|id| format!(" instance={id}")).unwrap_or_default();
        let (metadata, assignment) = (bytes(&member.metadata), bytes(&member.assignment));
        out += &format!(
            "  member {}{instance} client={} host={} metadata={metadata} assignment={assignment}\n",
            member.member_id, member.client_id, member.client_host
        );
    }
    out
}

/// `protocols=range:a+b,roundrobin:a`: what consumers subscribe to, or bytes for other types.
fn join(world: &mut World, command: &Command) {
    let protocol_type = command.text_or("type", "consumer");
    let protocols: Vec<_> = command
        .list("protocols")
        .into_iter()
        .map(|protocol| {
            let (name, metadata) = protocol.split_once(':').unwrap_or((protocol, ""));
            let topics: Vec<_> = metadata.split('+').filter(|topic| !topic.is_empty()).collect();
            let is_consumer = protocol_type == "consumer" && !metadata.starts_with('!');
            (name, if is_consumer { subscribe(&topics) } else { metadata.as_bytes().to_vec() })
        })
        .collect();
    let version = command.number("v", 9);
    let request = Join {
        client: Client { id: command.text_or("client", "c"), host: "/127.0.0.1" },
        group_id: command.text_or("group", "g"),
        member_id: command.text_or("member", ""),
        instance_id: command.optional("instance"),
        session_timeout_ms: command.number("session", 10_000),
        rebalance_timeout_ms: command.number("rebalance", 60_000),
        protocol_type,
        protocols: protocols.iter().map(|(name, metadata)| (*name, metadata.as_slice())).collect(),
        reason: None,
        requires_known_member_id: version >= 4,
        supports_skipping_assignment: version >= 9,
    };
    world.step(|groups, step| groups.join(step, &request, command.waiter()));
}

/// `assignments=c#1:text,c#2:text`
fn sync(world: &mut World, command: &Command) {
    let assignments = command.list("assignments");
    let assignments = assignments.iter().filter_map(|one| one.split_once(':')).map(|(id, of)| (id, of.as_bytes()));
    let request = Sync {
        group_id: command.text_or("group", "g"),
        generation_id: command.number("generation", -1),
        member_id: command.text("member"),
        instance_id: command.optional("instance"),
        protocol_type: command.optional("type"),
        protocol_name: command.optional("protocol"),
        assignments: assignments.collect(),
    };
    world.step(|groups, step| groups.sync(step, &request, command.waiter()));
}

fn heartbeat(world: &mut World, command: &Command) -> String {
    let request = Heartbeat {
        group_id: command.text_or("group", "g"),
        generation_id: command.number("generation", -1),
        member_id: command.text("member"),
        instance_id: command.optional("instance"),
    };
    format!("{:?}\n", world.step(|groups, step| groups.heartbeat(step, &request)))
}

/// `members=c#1,/instance,c#2/instance,-`: one without a name is a dash.
fn leave(world: &mut World, command: &Command) -> String {
    let members = command.list("members");
    let leaving = |member: &&'_ str| {
        let (id, instance) = member.split_once('/').map_or((*member, None), |(id, instance)| (id, Some(instance)));
        (id.trim_matches('-').to_string(), instance.map(str::to_string))
    };
    let members: Vec<_> = members.iter().map(leaving).collect();
    let members: Vec<_> = members
        .iter()
        .map(|(id, instance)| Leaving { member_id: id, instance_id: instance.as_deref(), reason: None })
        .collect();
    let group = command.text_or("group", "g");
    format!("{:?}\n", world.step(|groups, step| groups.leave(step, group, &members)))
}
