//! What rules of a test do to requests: what their clients are told, and whether they had their effect.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::cluster::SharedCluster;
use super::stories::{
    FETCH, PRODUCE, TOPIC, batch, cluster, create_topic, fetch_request, produce_answer, produce_request, read_all,
};
use crate::codec::{Message, Reader};
use crate::faults::FaultRule;
use crate::model::{ApiKey, ErrorCode};
use crate::record::batches::Batches;
use crate::replica::view::View;
use crate::wire::api::{api_versions, consumer_group_heartbeat, fetch, find_coordinator, join_group, offset_commit};

const DELAY_MS: u64 = 2000;
/// Steps after which what has not come does not come.
const PATIENCE_STEPS: u64 = 2000;

/// What became of a produce by its client's knowledge.
#[derive(PartialEq, Eq, Debug)]
enum Told {
    /// The error and the throttle time.
    Answer(i16, i32),
    Closed,
    /// Nothing, while the connection stays.
    Nothing,
}

fn start() -> SharedCluster {
    let cluster = cluster(7, &[("klamm.faults", "true")]);
    create_topic(&cluster, 2);
    cluster
}

fn add(cluster: &SharedCluster, rule: &Value) -> u64 {
    let cluster = cluster.borrow();
    let rule = FaultRule::parse(rule, cluster.world.now()).unwrap();
    cluster.board().unwrap().add(vec![rule], &Arc::new(View::new("test")), cluster.world.now()).unwrap()[0]
}

fn produce_rule(action: &Value) -> Value {
    json!({ "match": { "api": "Produce", "topic": TOPIC, "partition": 0 }, "action": action, "count": 1 })
}

fn records(cluster: &SharedCluster) -> usize {
    read_all(cluster, 0).len()
}

/// Waits for what becomes of the request that a client has sent.
fn told(cluster: &SharedCluster, client: &mut Client) -> Told {
    for _ in 0..PATIENCE_STEPS {
        let is_open = client.pump();
        if let Some(answer) = client.take_answer(ApiKey::Produce, PRODUCE) {
            let throttle_ms = i32::from_be_bytes(*answer[..answer.len() - 1].last_chunk().unwrap());
            return Told::Answer(produce_answer(&answer).0, throttle_ms);
        }
        if !is_open {
            return Told::Closed;
        }
        cluster.borrow_mut().step();
    }
    Told::Nothing
}

/// What is told of a produce that a rule strikes, and whether its record is there.
fn strike(action: &Value) -> (Told, bool) {
    let cluster = start();
    let id = add(&cluster, &produce_rule(action));
    let mut client = Client::connect(&cluster.borrow());
    client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 1, 0), -1));
    let told = told(&cluster, &mut client);
    let struck = cluster.borrow().board().unwrap().show(cluster.borrow().world.now())[0]["struck"].clone();
    assert_eq!(struck, 1, "rule {id} strikes once: {action}");
    // Neighbours are not hurt, and the rule is over.
    let mut other = Client::connect(&cluster.borrow());
    let answer = other.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(1, &batch(-1, -1, 1, 0), -1));
    assert_eq!(produce_answer(&answer).0, 0);
    (told, records(&cluster) == 1)
}

#[test]
fn each_deed_is_told_and_has_its_effect_or_none() {
    let (moved, none) = (ErrorCode::NotLeaderOrFollower.code(), 0);
    let cases = [
        (json!({ "error": "NOT_LEADER_OR_FOLLOWER" }), Told::Answer(moved, 0), false),
        (json!({ "error": 6, "after": true }), Told::Answer(moved, 0), true),
        (json!({ "throttle_ms": 300 }), Told::Answer(none, 300), true),
        (json!({ "close": true }), Told::Closed, false),
        (json!({ "close": true, "after": true }), Told::Closed, true),
        (json!({ "no_answer": true }), Told::Nothing, false),
        (json!({ "no_answer": true, "after": true }), Told::Nothing, true),
        (json!({ "truncate": 7 }), Told::Closed, true),
        (json!({ "delay_ms": 5 }), Told::Answer(none, 0), true),
        (json!({ "delay_ms": 5, "after": true }), Told::Answer(none, 0), true),
        (json!({ "delay_ms": 5, "error": 6 }), Told::Answer(moved, 0), false),
        (json!({ "delay_ms": 5, "error": 6, "after": true }), Told::Answer(moved, 0), true),
        (json!({ "delay_ms": 5, "close": true }), Told::Closed, false),
        (json!({ "delay_ms": 5, "close": true, "after": true }), Told::Closed, true),
        (json!({ "delay_ms": 5, "throttle_ms": 300 }), Told::Answer(none, 300), true),
        (json!({ "delay_ms": 5, "truncate": 7 }), Told::Closed, true),
        (json!({ "delay_ms": 0, "error": 6 }), Told::Answer(moved, 0), false),
    ];
    for (action, told, has_effect) in cases {
        assert_eq!(strike(&action), (told, has_effect), "{action}");
    }
}

/// A delay goes by the clock, and what comes behind it on the connection waits, too.
#[test]
fn what_is_delayed_holds_up_its_own_connection_alone() {
    for after in [false, true] {
        let cluster = start();
        add(&cluster, &produce_rule(&json!({ "delay_ms": DELAY_MS, "after": after })));
        let mut client = Client::connect(&cluster.borrow());
        let began = cluster.borrow().world.now();
        for _ in 0..2 {
            client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 1, 0), -1));
        }
        for _ in 0..200 {
            client.pump();
            cluster.borrow_mut().step();
        }
        assert!(client.take_answer(ApiKey::Produce, PRODUCE).is_none());
        // A produce behind a delayed answer is appended, and its answer waits for its turn.
        assert_eq!(records(&cluster), if after { 2 } else { 0 });
        cluster.borrow_mut().advance(Duration::from_millis(DELAY_MS));
        let offsets = [(); 2].map(|()| produce_answer(&client.wait(&cluster, ApiKey::Produce, PRODUCE)));
        assert_eq!(offsets, [(0, 0), (0, 1)], "in their order");
        assert!(cluster.borrow().world.now().since(began) >= Duration::from_millis(DELAY_MS));
    }
}

/// Of a delay and an error the delay comes first: the client hears nothing before it is over.
#[test]
fn what_else_a_rule_wants_comes_behind_its_delay() {
    let moved = ErrorCode::NotLeaderOrFollower.code();
    let cases = [
        (json!({ "error": moved }), Told::Answer(moved, 0), 0),
        (json!({ "error": moved, "after": true }), Told::Answer(moved, 0), 1),
        (json!({ "close": true }), Told::Closed, 0),
        (json!({ "close": true, "after": true }), Told::Closed, 1),
        (json!({ "truncate": 7 }), Told::Closed, 1),
        (json!({ "throttle_ms": 300 }), Told::Answer(0, 300), 1),
    ];
    for (mut action, expected, count) in cases {
        let cluster = start();
        action["delay_ms"] = DELAY_MS.into();
        add(&cluster, &produce_rule(&action));
        let mut client = Client::connect(&cluster.borrow());
        client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 1, 0), -1));
        for _ in 0..200 {
            assert!(client.pump(), "{action}: the connection stays");
            cluster.borrow_mut().step();
        }
        assert!(client.take_answer(ApiKey::Produce, PRODUCE).is_none(), "{action}");
        assert_eq!(records(&cluster), count, "{action}");
        cluster.borrow_mut().advance(Duration::from_millis(DELAY_MS));
        assert_eq!((told(&cluster, &mut client), records(&cluster)), (expected, count), "{action}");
    }
}

#[test]
fn what_is_held_goes_on_when_its_rule_is_released_or_gone() {
    for (after, is_removed) in [(false, false), (true, false), (false, true), (true, true)] {
        let cluster = start();
        let id = add(&cluster, &json!({ "match": { "api": "Produce" }, "action": { "hold": true, "after": after } }));
        let mut client = Client::connect(&cluster.borrow());
        client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 1, 0), -1));
        assert_eq!((told(&cluster, &mut client), records(&cluster)), (Told::Nothing, usize::from(after)));
        let board = cluster.borrow().board().unwrap();
        match is_removed {
            true => assert_eq!(board.remove(Some(id)), 1),
            false => assert!(board.release(Some(id))),
        }
        cluster.borrow().nudge_all();
        assert_eq!((told(&cluster, &mut client), records(&cluster)), (Told::Answer(0, 0), 1));
    }
    // A client that has gone does not take back what has come of it.
    let cluster = start();
    let id = add(&cluster, &json!({ "match": { "api": "Produce" }, "action": { "hold": true } }));
    let mut client = Client::connect(&cluster.borrow());
    client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 1, 0), -1));
    assert_eq!(told(&cluster, &mut client), Told::Nothing);
    drop(client);
    (0..100).for_each(|_| cluster.borrow_mut().step());
    assert!(cluster.borrow().board().unwrap().release(Some(id)));
    cluster.borrow().nudge_all();
    (0..100).for_each(|_| cluster.borrow_mut().step());
    assert_eq!((records(&cluster), connections(&cluster)), (1, 1), "the one that reads them");
}

fn connections(cluster: &SharedCluster) -> usize {
    cluster.borrow().connections().iter().sum()
}

/// A connection whose request is never answered ends with its client.
#[test]
fn what_is_never_answered_is_not_kept_for_a_client_that_has_gone() {
    for after in [false, true] {
        let cluster = start();
        add(&cluster, &produce_rule(&json!({ "no_answer": true, "after": after })));
        let mut client = Client::connect(&cluster.borrow());
        client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 1, 0), -1));
        assert_eq!(told(&cluster, &mut client), Told::Nothing);
        let before = connections(&cluster);
        drop(client);
        (0..100).for_each(|_| cluster.borrow_mut().step());
        assert_eq!(connections(&cluster), before - 1);
    }
}

/// An error of a fetch stands at the partitions that the rule names, and comes at once.
#[test]
fn a_fetch_is_refused_where_its_rule_says() {
    let cluster = start();
    let mut client = Client::connect(&cluster.borrow());
    client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 3, 100), -1));
    let mut codes = |after: bool| {
        let rule = json!({
            "match": { "api": "Fetch", "topic": TOPIC, "partition": 0 },
            "action": { "error": "OFFSET_OUT_OF_RANGE", "after": after },
            "count": 1,
        });
        add(&cluster, &rule);
        let mut request = fetch_request(0, 0, 60_000);
        let other = fetch::FetchPartition { partition: 1, ..request.topics[0].partitions[0].clone() };
        request.topics[0].partitions.push(other);
        let answer = client.call(&cluster, ApiKey::Fetch, FETCH, &request);
        let response = fetch::Response::decode(&mut Reader::new(&answer), FETCH).unwrap();
        let of = |p: &fetch::PartitionData<'_>| {
            (p.partition_index, p.error_code, p.records.as_ref().is_some_and(|records| !records.is_empty()))
        };
        response.responses[0].partitions.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(codes(false), [(0, 1, false), (1, 1, false)], "instead: all that was asked");
    assert_eq!(codes(true), [(0, 1, false), (1, 0, false)], "behind: what the rule names");
}

/// What a consumer finds by the checksum is only in the answer.
#[test]
fn the_records_of_an_answer_are_corrupted_and_not_those_of_the_log() {
    let cluster = start();
    let mut client = Client::connect(&cluster.borrow());
    for _ in 0..2 {
        client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 1, 0), -1));
    }
    let rule = json!({ "match": { "api": "Fetch" }, "action": { "corrupt": true }, "count": 1 });
    add(&cluster, &rule);
    let mut checksums = || {
        let answer = client.call(&cluster, ApiKey::Fetch, FETCH, &fetch_request(0, 0, 0));
        let response = fetch::Response::decode(&mut Reader::new(&answer), FETCH).unwrap();
        let records = response.responses[0].partitions[0].records.as_ref().unwrap().to_vec();
        Batches::new(&records).map(|batch| batch.unwrap().is_intact()).collect::<Vec<_>>()
    };
    assert_eq!([checksums(), checksums()], [[false, true], [true, true]]);
}

#[test]
fn other_versions_are_offered_where_a_rule_says_so() {
    let cluster = start();
    let rule = json!({
        "match": { "api": "ApiVersions" },
        "action": { "offer": { "Produce": [3, 7], "EndTxn": null } },
        "count": 1,
    });
    add(&cluster, &rule);
    let mut client = Client::connect(&cluster.borrow());
    let mut offered = || {
        let answer = client.call(&cluster, ApiKey::ApiVersions, 2, &api_versions::Request::default());
        let response = api_versions::Response::decode(&mut Reader::new(&answer), 2).unwrap();
        let of = |api: ApiKey| {
            let found = response.api_keys.iter().find(|offered| offered.api_key == api.id());
            found.map(|offered| (offered.min_version, offered.max_version))
        };
        [ApiKey::Produce, ApiKey::EndTxn, ApiKey::Heartbeat].map(of)
    };
    let (changed, own) = (offered(), offered());
    assert_eq!((changed[0], changed[1], changed[2]), (Some((3, 7)), None, own[2]));
    assert!(own[1].is_some() && own[0] != changed[0]);
}

/// An answer with records, which are in a file, is cut where the rule says, before them and within them.
#[test]
fn an_answer_with_records_is_cut_where_its_rule_says() {
    let cluster = start();
    let mut client = Client::connect(&cluster.borrow());
    client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 50, 0), -1));
    let whole = client.call(&cluster, ApiKey::Fetch, FETCH, &fetch_request(0, 0, 0)).len();
    for bytes in [0, 1, 4, 30, whole / 2, whole - 200, whole - 1] {
        let rule = json!({ "match": { "api": "Fetch" }, "action": { "truncate": bytes }, "count": 1 });
        add(&cluster, &rule);
        let mut client = Client::connect(&cluster.borrow());
        client.send(ApiKey::Fetch, FETCH, &fetch_request(0, 0, 0));
        let patience = cluster.borrow().steps + PATIENCE_STEPS;
        while client.pump() {
            assert!(cluster.borrow().steps < patience, "the connection ends: {bytes}");
            cluster.borrow_mut().step();
        }
        assert_eq!(client.part().len(), bytes, "of {whole}");
    }
}

/// What is asked behind it is not answered: it would be taken for the rest of what was cut.
#[test]
fn nothing_leaves_behind_an_answer_that_is_cut() {
    let cluster = start();
    add(&cluster, &json!({ "match": { "api": "Produce" }, "action": { "truncate": 7 }, "count": 1 }));
    let mut client = Client::connect(&cluster.borrow());
    for _ in 0..3 {
        client.send(ApiKey::Produce, PRODUCE, &produce_request(0, &batch(-1, -1, 1, 0), -1));
    }
    let patience = cluster.borrow().steps + PATIENCE_STEPS;
    while client.pump() {
        assert!(cluster.borrow().steps < patience, "the connection ends");
        cluster.borrow_mut().step();
    }
    assert_eq!(client.part().len(), 7);
}

#[test]
fn rules_are_only_where_they_were_asked_for() {
    assert!(cluster(7, &[]).borrow().board().is_none());
    assert!(start().borrow().board().is_some_and(|board| !board.is_on()));
}

/// A commit of a member, and what it is told.
fn commit(cluster: &SharedCluster, client: &mut Client, group: &str, member: &str, epoch: i32) -> i16 {
    const COMMIT: i16 = 9;
    let partition = offset_commit::OffsetCommitRequestPartition { committed_offset: 1, ..Default::default() };
    let topic = offset_commit::OffsetCommitRequestTopic {
        name: TOPIC.into(),
        partitions: vec![partition],
        ..Default::default()
    };
    let request = offset_commit::Request {
        group_id: group.into(),
        generation_id_or_member_epoch: epoch,
        member_id: member.into(),
        topics: vec![topic],
        ..Default::default()
    };
    let answer = client.call(cluster, ApiKey::OffsetCommit, COMMIT, &request);
    let response = offset_commit::Response::decode(&mut Reader::new(&answer), COMMIT).unwrap();
    response.topics[0].partitions[0].error_code
}

/// A broker that coordinates groups by now, with a client.
fn start_with_groups() -> (SharedCluster, Client) {
    const FIND: i16 = 3;
    let cluster = start();
    let mut client = Client::connect(&cluster.borrow());
    let find = find_coordinator::Request { key: "first".into(), ..Default::default() };
    client.call(&cluster, ApiKey::FindCoordinator, FIND, &find);
    while commit(&cluster, &mut client, "first", "", -1) != 0 {
        cluster.borrow_mut().step();
    }
    (cluster, client)
}

/// A member of either protocol hears with its commit that its session has ended, and not before.
#[test]
fn a_member_is_expired_in_front_of_the_request_that_a_rule_strikes() {
    const JOIN: i16 = 3;
    const HEARTBEAT: i16 = 1;
    let expire = json!({ "match": { "api": "OffsetCommit", "nth": 2 }, "action": { "expire_member": true } });
    let unknown = ErrorCode::UnknownMemberId.code();
    // Without a member there is none to expire.
    let (cluster, mut client) = start_with_groups();
    add(&cluster, &expire);
    assert_eq!([(); 3].map(|()| commit(&cluster, &mut client, "simple", "", -1)), [0; 3]);

    let (cluster, mut client) = start_with_groups();
    add(&cluster, &expire);
    let protocol = join_group::JoinGroupRequestProtocol { name: "range".into(), ..Default::default() };
    let join = join_group::Request {
        group_id: "classic".into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..Default::default()
    };
    let answer = client.call(&cluster, ApiKey::JoinGroup, JOIN, &join);
    let joined = join_group::Response::decode(&mut Reader::new(&answer), JOIN).unwrap();
    let (member, generation) = (joined.member_id.to_string(), joined.generation_id);
    let told = [(); 3].map(|()| commit(&cluster, &mut client, "classic", &member, generation));
    // Its leader has not told the assignment yet, which is no matter of the session.
    assert_eq!(told, [ErrorCode::RebalanceInProgress.code(), unknown, unknown]);

    let (cluster, mut client) = start_with_groups();
    add(&cluster, &expire);
    let beat = consumer_group_heartbeat::Request {
        group_id: "modern".into(),
        member_id: "m".into(),
        rebalance_timeout_ms: 30_000,
        subscribed_topic_names: Some(vec![TOPIC.into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    let answer = client.call(&cluster, ApiKey::ConsumerGroupHeartbeat, HEARTBEAT, &beat);
    let joined = consumer_group_heartbeat::Response::decode(&mut Reader::new(&answer), HEARTBEAT).unwrap();
    let told = [(); 3].map(|()| commit(&cluster, &mut client, "modern", "m", joined.member_epoch));
    assert_eq!((joined.error_code, told), (0, [0, unknown, unknown]));
}
