//! What stories do not show well: many members, records that Kafka would not write, names that are too long.

use super::{Join, JoinReply, State, Sync};
use crate::codec::Bytes;
use crate::coordinator::groups::{Group, ListFilter};
use crate::coordinator::machine::Machine;
use crate::coordinator::record::offsets::{Entry, GroupMetadataKey, GroupMetadataValue, MemberMetadata};
use crate::coordinator::step::{Client, Reply, Waiter};
use crate::coordinator::story::execute;
use crate::coordinator::world::World;
use crate::model::ErrorCode;
use std::time::Duration;

fn join<'a>(client: &'a str, member_id: &'a str, protocols: &[(&'a str, &'a [u8])]) -> Join<'a> {
    Join {
        client: Client { id: client, host: "/127.0.0.1" },
        group_id: "g",
        member_id,
        instance_id: None,
        session_timeout_ms: 45_000,
        rebalance_timeout_ms: 300_000,
        protocol_type: "consumer",
        protocols: protocols.to_vec(),
        reason: None,
        requires_known_member_id: true,
        supports_skipping_assignment: true,
    }
}

/// Joins, and gives the answer if there is one.
fn ask(world: &mut World, request: &Join<'_>, key: u64) -> Option<JoinReply> {
    let before = world.replies.len();
    world.step(|groups, step| groups.join(step, request, Waiter { shard: 0, key }));
    world.replies[before..].iter().find_map(|(waiter, reply)| match reply {
        Reply::Join(reply) if waiter.key == key => Some(reply.clone()),
        _ => None,
    })
}

fn state(world: &World) -> State {
    match world.groups.groups.get("g") {
        Some(Group::Classic(group)) => group.state(),
        _ => panic!("there is no such group"),
    }
}

#[test]
fn a_thousand_members_settle() {
    const MEMBERS: u64 = 1000;
    let mut world = World::default();
    let mut ids = Vec::new();
    for at in 0..MEMBERS {
        let reply = ask(&mut world, &join("c", "", &[("range", b"t")]), at).unwrap();
        assert_eq!(reply.error, ErrorCode::MemberIdRequired);
        ids.push(reply.member_id);
    }
    for (at, id) in (MEMBERS..).zip(&ids) {
        assert_eq!(ask(&mut world, &join("c", id, &[("range", b"t")]), at), None);
    }
    world.wait(Duration::from_secs(6));
    assert_eq!(world.replies.len() as u64, 2 * MEMBERS);
    let assignments: Vec<_> = ids.iter().map(|id| (id.as_str(), id.as_bytes())).collect();
    let leaders = world.replies.iter().filter(|(_, reply)| matches!(reply, Reply::Join(r) if !r.members.is_empty()));
    assert_eq!(leaders.count(), 1);
    for (at, id) in (2 * MEMBERS..).zip(&ids) {
        let request = Sync {
            group_id: "g",
            generation_id: 1,
            member_id: id,
            instance_id: None,
            protocol_type: None,
            protocol_name: None,
            assignments: assignments.clone(),
        };
        world.step(|groups, step| groups.sync(step, &request, Waiter { shard: 0, key: at }));
    }
    assert_eq!(state(&world), State::Stable);
    for (waiter, reply) in &world.replies[2 * MEMBERS as usize..] {
        let Reply::Sync(reply) = reply else { panic!("{reply:?}") };
        assert_eq!(reply.assignment, ids[(waiter.key - 2 * MEMBERS) as usize].as_bytes());
    }
    assert_eq!(world.log.len(), 2, "the new group and the settled one");
    world.restart();
    assert_eq!(state(&world), State::Stable);
    assert_eq!(world.timers().len() as u64, MEMBERS);
}

/// The record of a group holds strings of 32,767 bytes at most.
#[test]
fn an_id_that_does_not_fit_into_the_record() {
    let mut world = World::default();
    let client = "c".repeat(i16::MAX as usize - 37);
    let reply = ask(&mut world, &join(&client, "", &[("range", b"t")]), 1).unwrap();
    assert_eq!((reply.error, reply.member_id.len()), (ErrorCode::MemberIdRequired, i16::MAX as usize));
    let client = "c".repeat(i16::MAX as usize - 36);
    let reply = ask(&mut world, &join(&client, "", &[("range", b"t")]), 2).unwrap();
    assert_eq!((reply.error, reply.member_id.as_str()), (ErrorCode::UnknownServerError, ""));
}

#[test]
fn a_protocol_that_is_named_twice_counts_once() {
    let mut world = World::default();
    let protocols: [(&str, &[u8]); 3] = [("x", b"1"), ("y", b"2"), ("x", b"3")];
    for key in [1, 2] {
        let request = Join { requires_known_member_id: false, ..join("c", "", &protocols) };
        assert_eq!(ask(&mut world, &request, key), None);
    }
    world.wait(Duration::from_secs(6));
    let Some((_, Reply::Join(reply))) = world.replies.first() else { panic!("no request is answered") };
    assert_eq!(reply.protocol_name.as_deref(), Some("x"));
    assert_eq!(reply.members[0].metadata, b"1");
}

/// Consumers whose metadata cannot be read may subscribe to anything.
#[test]
fn metadata_that_cannot_be_read() {
    let mut world = World::default();
    execute(&mut world, "join as=1 protocols=range:!garbage v=3");
    world.wait(Duration::from_secs(3));
    execute(&mut world, "sync as=2 member=c#1 generation=1");
    execute(&mut world, "commit member=c#1 generation=1 offsets=t-0:1");
    assert_eq!(execute(&mut world, "delete_offsets partitions=t-0"), "Ok([[GroupSubscribedToTopic]])\n");
    world.settings.offsets_retention = Duration::ZERO;
    execute(&mut world, "expire");
    assert_eq!(world.groups.committed().count(), 1, "nothing is known to be out of use");
}

/// In a group of the consumer protocol a member gets its id before what it subscribes to is read: else it would be told of
/// the bad subscription at its first attempt and come without an id for ever. Kafka's ids are random, so that no story can
/// tell this.
#[test]
fn a_member_gets_its_id_before_its_subscription_is_read() {
    let mut world = World::default();
    execute(&mut world, "topic name=t partitions=1");
    execute(&mut world, "beat member=m topics=t");
    let request = join("c", "", &[("range", b"garbage")]);
    let told = ask(&mut world, &request, 1).unwrap();
    assert_eq!((told.error, told.member_id.is_empty()), (ErrorCode::MemberIdRequired, false));
    // With its id, and before version 4, in which there is no such answer.
    let with_id = Join { member_id: &told.member_id, ..request.clone() };
    let old = Join { requires_known_member_id: false, ..request };
    for request in [with_id, old] {
        assert_eq!(ask(&mut world, &request, 2).unwrap().error, ErrorCode::InconsistentGroupProtocol);
    }
}

fn apply(world: &mut World, value: GroupMetadataValue<'_>) {
    let entry = Entry::GroupMetadata(GroupMetadataKey { group: "g".into() }, Some(value));
    world.groups.apply(&entry, None).unwrap();
}

/// Members twice, no protocol, a leader who is not there: such a group lives until its members join again.
#[test]
fn records_that_kafka_would_not_write() {
    let mut world = World::default();
    let member = MemberMetadata {
        member_id: "m".into(),
        group_instance_id: Some("i".into()),
        session_timeout: 6000,
        rebalance_timeout: -1,
        subscription: Bytes::Borrowed(b"s"),
        ..Default::default()
    };
    let value = GroupMetadataValue {
        generation: i32::MAX,
        protocol: None,
        leader: Some("gone".into()),
        members: vec![member.clone(), member],
        ..Default::default()
    };
    apply(&mut world, value.clone());
    apply(&mut world, GroupMetadataValue { protocol_type: "consumer".into(), ..value });
    assert_eq!(state(&world), State::Stable);
    execute(&mut world, "describe");
    execute(&mut world, "restart");
    apply(&mut world, GroupMetadataValue { protocol_type: "consumer".into(), ..Default::default() });
    assert_eq!(state(&world), State::Empty);
    execute(&mut world, "delete group=g");
    assert!(world.groups.list(&Default::default()).is_empty());
}

/// A value whose leader is not among its members: the rebalance elects one who is.
#[test]
fn a_leader_who_is_not_there() {
    let mut world = World::default();
    let member =
        MemberMetadata { member_id: "m".into(), session_timeout: 6000, rebalance_timeout: 6000, ..Default::default() };
    let value = GroupMetadataValue {
        protocol_type: "consumer".into(),
        generation: i32::MAX,
        protocol: Some("range".into()),
        leader: Some("gone".into()),
        members: vec![member],
        ..Default::default()
    };
    apply(&mut world, value);
    world.step(crate::coordinator::groups::Groups::handle_loaded);
    let reply = ask(&mut world, &join("c", "m", &[("range", b"new")]), 1).unwrap();
    assert_eq!((reply.leader.as_str(), reply.generation_id), ("m", i32::MIN));
}

/// A filter has as many words as a client likes: to compare each group with each word would hold the lock for minutes.
#[test]
fn groups_are_listed_by_very_many_words() {
    const GROUPS: usize = 10_000;
    let mut world = World::default();
    (0..GROUPS).for_each(|number| world.groups.ensure_group(&format!("g{number}")));
    let words: Vec<String> = (0..100_000).map(|number| format!("state-{number}")).collect();
    let listed = |more: &[&str]| {
        let states = words.iter().map(String::as_str).chain(more.iter().copied());
        world.groups.list(&ListFilter::new(states, ["Classic"].into_iter())).len()
    };
    assert_eq!((listed(&[]), listed(&[" eMPTY "])), (0, GROUPS));
    assert_eq!(world.groups.list(&ListFilter::default()).len(), GROUPS);
}
