//! Stories of transactions on the whole broker: however they are ended, and whatever the broker meets on the way, each ends
//! in all of its partitions as the coordinator's records say.

mod crashes;
mod disks;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::client::Client;
use super::cluster::{Cluster, SharedCluster};
use super::stories::{CREATE_TOPICS, TOPIC, alter_config};
use super::transactor::{Transactor, Way, described, find_coordinators, offset, read, settled, state, until_told};
use crate::codec::{Message, Reader};
use crate::coordinator::record::transaction::{Key, TransactionLogKey, TransactionLogValue, Value};
use crate::coordinator_runtime::{GROUPS_TOPIC, TRANSACTIONS_TOPIC};
use crate::io::simulated::NetworkConditions;
use crate::io::simulated_disk::Crash;
use crate::model::{ApiKey, ErrorCode, TimestampMs, java_hash};
use crate::record::builder::{Builder, Options, Record};
use crate::storage::log::Admission;
use crate::wire::api::{create_topics, delete_topics, write_txn_markers};

const PARTITIONS: [i32; 3] = [0, 1, 2];
const EVERY_WRITE_IS_SYNCED: (&str, &str) = ("log.flush.interval.messages", "1");
const OVERRIDES: [(&str, &str); 5] = [
    ("transaction.state.log.num.partitions", "3"),
    ("offsets.topic.num.partitions", "2"),
    ("transaction.state.log.replication.factor", "1"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"),
];
const ID: &str = "t";
/// The offset of the group before the story, and the one that its transaction commits.
const BEFORE: i64 = 5;
const WITHIN: i64 = 7;
/// Steps within which a transaction is ended on a machine that is well.
const ENDING_STEPS: u64 = 20_000;

fn start(seed: u64, shards: usize, more: &[(&str, &str)]) -> SharedCluster {
    let overrides: Vec<_> = OVERRIDES.iter().chain(more).copied().collect();
    let cluster = Rc::new(RefCell::new(Cluster::start(seed, shards, &overrides)));
    create(&cluster, &[]);
    cluster
}

fn create(cluster: &SharedCluster, configs: &[(&'static str, &'static str)]) {
    let mut client = Client::connect(&cluster.borrow());
    let config = |(name, value): &(&'static str, &'static str)| create_topics::CreatableTopicConfig {
        name: (*name).into(),
        value: Some((*value).into()),
    };
    let topic = create_topics::CreatableTopic {
        name: TOPIC.into(),
        num_partitions: PARTITIONS.len() as i32,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request = create_topics::Request { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    let answer = client.call(cluster, ApiKey::CreateTopics, CREATE_TOPICS, &request);
    let response = create_topics::Response::decode(&mut Reader::new(&answer), CREATE_TOPICS).unwrap();
    assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
}

fn delete(cluster: &SharedCluster) {
    let mut client = Client::connect(&cluster.borrow());
    let request = delete_topics::Request { topic_names: vec![TOPIC.into()], timeout_ms: 10_000, ..Default::default() };
    let answer = client.call(cluster, ApiKey::DeleteTopics, 5, &request);
    let response = delete_topics::Response::decode(&mut Reader::new(&answer), 5).unwrap();
    assert_eq!(response.responses[0].error_code, 0);
}

fn steps(cluster: &SharedCluster, count: u64) {
    (0..count).for_each(|_| cluster.borrow_mut().step());
}

fn committed(cluster: &SharedCluster) -> Vec<Vec<String>> {
    PARTITIONS.iter().map(|partition| read(cluster, *partition, true).values).collect()
}

fn uncommitted(cluster: &SharedCluster) -> Vec<Vec<String>> {
    PARTITIONS.iter().map(|partition| read(cluster, *partition, false).values).collect()
}

fn everywhere(values: &[&str]) -> Vec<Vec<String>> {
    PARTITIONS.iter().map(|_| values.iter().map(|value| value.to_string()).collect()).collect()
}

/// Nothing is open any more: readers of both levels come to the same end.
fn check_nothing_is_open(cluster: &SharedCluster) {
    for partition in PARTITIONS {
        let found = read(cluster, partition, true);
        assert_eq!(found.last_stable_offset, found.high_watermark, "partition {partition}");
    }
    offset(cluster, true).expect("no offset is pending");
}

/// A transaction that was committed, and one that is open: in all partitions, and with an offset.
fn with_open_transaction(cluster: &SharedCluster, way: Way) -> Transactor {
    let mut transactor = Transactor::started(cluster, ID, way);
    for (value, at) in [("first", BEFORE), ("second", WITHIN)] {
        transactor.write_all(&PARTITIONS, value);
        assert_eq!(until_told(cluster, || transactor.commit_offset(at)), ErrorCode::None);
        if at == BEFORE {
            assert_eq!(transactor.end(true), ErrorCode::None);
            assert_eq!(settled(cluster, ID).unwrap(), "CompleteCommit");
        }
    }
    transactor
}

/// The transaction has ended in this way, for every reader.
fn check_ended(cluster: &SharedCluster, commit: bool) {
    let (values, at): (&[_], _) = if commit { (&["first", "second"], WITHIN) } else { (&["first"], BEFORE) };
    assert_eq!(committed(cluster), everywhere(values));
    assert_eq!(uncommitted(cluster), everywhere(&["first", "second"]));
    assert_eq!((offset(cluster, true), offset(cluster, false)), (Ok(at), Ok(at)));
    check_nothing_is_open(cluster);
}

/// The producer goes on with its next transaction.
fn check_goes_on(cluster: &SharedCluster, transactor: &mut Transactor) {
    let before = committed(cluster);
    transactor.write_all(&PARTITIONS, "next");
    assert_eq!(committed(cluster), before);
    assert_eq!(transactor.end(true), ErrorCode::None);
    assert_eq!(settled(cluster, &transactor.id).unwrap(), "CompleteCommit");
    for (partition, mut expected) in PARTITIONS.into_iter().zip(before) {
        expected.push("next".into());
        assert_eq!(read(cluster, partition, true).values, expected);
    }
    check_nothing_is_open(cluster);
}

#[test]
fn a_transaction_is_seen_whole_when_it_is_committed_and_never_when_it_is_aborted() {
    for (seed, way) in (0..4).flat_map(|seed| Way::BOTH.map(|way| (seed, way))) {
        for commit in [true, false] {
            let cluster = start(seed, 3, &[]);
            let mut transactor = with_open_transaction(&cluster, way);
            assert_eq!(committed(&cluster), everywhere(&["first"]));
            assert_eq!(uncommitted(&cluster), everywhere(&["first", "second"]));
            assert_eq!(offset(&cluster, true), Err(ErrorCode::UnstableOffsetCommit));
            assert_eq!(offset(&cluster, false), Ok(BEFORE));
            assert_eq!(state(&cluster, ID).unwrap(), "Ongoing");
            assert_eq!(transactor.end(commit), ErrorCode::None);
            let ended = settled(&cluster, ID).unwrap();
            assert_eq!(ended, if commit { "CompleteCommit" } else { "CompleteAbort" });
            check_ended(&cluster, commit);
            check_goes_on(&cluster, &mut transactor);
        }
    }
}

/// The broker is back after it crashed in the end of a transaction: that has ended as its records say, and the client can
/// find out how. `answer` is what it was told.
fn check_after_crash(cluster: &SharedCluster, transactor: &mut Transactor, commit: bool, answer: Option<ErrorCode>) {
    let found = settled(cluster, ID).unwrap();
    if found == "Ongoing" {
        assert_ne!(answer, Some(ErrorCode::None), "what was answered is forgotten");
        assert_eq!(committed(cluster), everywhere(&["first"]));
        assert_eq!(offset(cluster, true), Err(ErrorCode::UnstableOffsetCommit));
    } else {
        check_ended(cluster, commit);
    }
    transactor.reconnect();
    // A client that was not told asks again, and is told the same.
    if answer != Some(ErrorCode::None) {
        assert_eq!(transactor.end(commit), ErrorCode::None, "it was {found}");
    }
    assert_eq!(settled(cluster, ID).unwrap(), if commit { "CompleteCommit" } else { "CompleteAbort" });
    check_ended(cluster, commit);
    check_goes_on(cluster, transactor);
}

/// Waits for the end of a transaction; steps and operations on the disk that it took.
fn measure(seed: u64, way: Way, commit: bool, more: &[(&str, &str)]) -> (u64, u64) {
    let cluster = start(seed, 2, more);
    let mut transactor = with_open_transaction(&cluster, way);
    let (steps, operations) = (cluster.borrow().steps, cluster.borrow().disk.operations());
    transactor.send_end(commit);
    let is_over = |cluster: &SharedCluster| {
        let stable = |partition: &i32| {
            let view = cluster.borrow().view().expect("it runs");
            let partition = view.partition_by_name(TOPIC, *partition).unwrap();
            partition.last_stable_offset() == partition.high_watermark()
        };
        PARTITIONS.iter().all(stable)
    };
    let mut is_answered = false;
    while !is_answered || !is_over(&cluster) {
        cluster.borrow_mut().step();
        is_answered |= transactor.take_end().is_some();
        assert!(cluster.borrow().steps < steps + ENDING_STEPS, "it does not end");
    }
    // The result of the transaction is written behind its markers.
    let took = cluster.borrow().steps - steps + 20;
    (0..20).for_each(|_| cluster.borrow_mut().step());
    (took, cluster.borrow().disk.operations() - operations)
}

/// Deleted while the transaction is open, and at every step of its end.
#[test]
fn a_topic_that_is_deleted_does_not_hold_a_transaction_up() {
    for way in Way::BOTH {
        let (took, _) = measure(40, way, true, &[]);
        for after in (0..took).map(Some).chain([None]) {
            let cluster = start(40, 2, &[]);
            let mut transactor = with_open_transaction(&cluster, way);
            match after {
                // Before its end is asked for.
                None => delete(&cluster),
                Some(after) => {
                    transactor.send_end(true);
                    steps(&cluster, after);
                    delete(&cluster);
                }
            }
            let answer = match after {
                None => transactor.end(true),
                Some(_) => {
                    let come = || {
                        cluster.borrow_mut().step();
                        transactor.take_end()
                    };
                    std::iter::repeat_with(come).take(ENDING_STEPS as usize).flatten().next().expect("it is answered")
                }
            };
            assert_eq!(answer, ErrorCode::None);
            assert_eq!(settled(&cluster, ID).unwrap(), "CompleteCommit");
            // A topic of the same name is another one, and takes the producer's next transaction from its beginning.
            create(&cluster, &[]);
            let mut transactor = Transactor::started(&cluster, ID, way);
            check_goes_on(&cluster, &mut transactor);
            assert_eq!(committed(&cluster), everywhere(&["next"]));
        }
    }
}

#[test]
fn a_twin_fences_the_producer_and_aborts_its_transaction() {
    for way in Way::BOTH {
        let cluster = start(41, 3, &[]);
        let mut transactor = with_open_transaction(&cluster, way);
        let mut twin = Transactor::started(&cluster, ID, way);
        assert_eq!(twin.producer.0, transactor.producer.0);
        assert!(twin.producer.1 > transactor.producer.1);
        check_ended(&cluster, false);
        assert_eq!(transactor.add(0), ErrorCode::ProducerFenced);
        assert_eq!(transactor.produce(0, "zombie"), ErrorCode::InvalidProducerEpoch);
        assert!(transactor.commit_offset(99).is_error());
        assert_eq!(transactor.end(true), ErrorCode::ProducerFenced);
        check_goes_on(&cluster, &mut twin);
        assert_eq!(committed(&cluster), everywhere(&["first", "next"]));
        assert_eq!(offset(&cluster, true), Ok(BEFORE));
    }
}

#[test]
fn a_transaction_whose_time_is_over_is_aborted() {
    for way in Way::BOTH {
        let cluster = start(42, 3, &[]);
        let mut transactor = Transactor::new(&cluster, ID, way);
        transactor.timeout_ms = 1000;
        find_coordinators(&cluster, ID);
        transactor.start();
        transactor.write_all(&PARTITIONS, "late");
        assert_eq!(until_told(&cluster, || transactor.commit_offset(WITHIN)), ErrorCode::None);
        cluster.borrow_mut().advance(Duration::from_millis(400));
        steps(&cluster, 100);
        assert_eq!(state(&cluster, ID).unwrap(), "Ongoing", "its time is not over");
        cluster.borrow_mut().advance(Duration::from_millis(1200));
        steps(&cluster, 5000);
        assert_eq!(state(&cluster, ID).unwrap(), "CompleteAbort");
        assert_eq!(committed(&cluster), everywhere(&[]));
        assert_eq!(offset(&cluster, true), Ok(-1));
        check_nothing_is_open(&cluster);
        // With transaction version 2 it looks like the repetition of a commit that was none.
        let refused = if way == Way::First { ErrorCode::ProducerFenced } else { ErrorCode::InvalidTxnState };
        assert_eq!(transactor.end(true), refused);
        assert_eq!(transactor.produce(0, "later"), ErrorCode::InvalidProducerEpoch);
        transactor.start();
        check_goes_on(&cluster, &mut transactor);
    }
}

/// The answer of an EndTxn is lost and the client asks again; the first request comes a second time when the next
/// transaction is open. Before transaction version 2 that ends the next one, as the protocol cannot tell them apart.
#[test]
fn a_late_end_does_not_end_the_next_transaction() {
    for commit in [true, false] {
        let cluster = start(43, 2, &[]);
        let mut transactor = with_open_transaction(&cluster, Way::Second);
        let mut late = Transactor::new(&cluster, ID, Way::Second);
        late.producer = transactor.producer;
        assert_eq!(late.end(commit), ErrorCode::None);
        assert_eq!(transactor.end(commit), ErrorCode::None, "the answer is repeated");
        assert_eq!(transactor.producer, late.producer);
        settled(&cluster, ID).unwrap();
        check_ended(&cluster, commit);
        transactor.write_all(&PARTITIONS, "third");
        late.producer.1 -= 1;
        assert_eq!(late.end(commit), ErrorCode::ProducerFenced);
        late.producer.1 -= 1;
        assert_eq!(late.end(!commit), ErrorCode::ProducerFenced);
        assert_eq!(state(&cluster, ID).unwrap(), "Ongoing");
        assert_eq!(transactor.end(true), ErrorCode::None);
        settled(&cluster, ID).unwrap();
        let mut expected = if commit { vec!["first", "second"] } else { vec!["first"] };
        expected.push("third");
        assert_eq!(committed(&cluster), everywhere(&expected));
    }
}

/// What the coordinator does not know of is not written, whatever the client says.
#[test]
fn a_partition_that_was_not_added_takes_nothing() {
    let cluster = start(44, 2, &[]);
    let mut transactor = Transactor::started(&cluster, ID, Way::First);
    assert_eq!(transactor.produce(0, "never"), ErrorCode::TransactionAbortable);
    assert_eq!(transactor.add(1), ErrorCode::None);
    assert_eq!(transactor.produce(0, "never"), ErrorCode::TransactionAbortable);
    assert_eq!(transactor.produce(1, "in"), ErrorCode::None);
    assert_eq!(transactor.end(true), ErrorCode::None);
    settled(&cluster, ID).unwrap();
    // The producer's epoch is the same, and its transaction is over.
    assert_eq!(transactor.produce(1, "behind"), ErrorCode::TransactionAbortable);
    assert_eq!(uncommitted(&cluster), [vec![], vec!["in".to_string()], vec![]]);
    check_nothing_is_open(&cluster);
}

/// A write is verified and waits for what the coordinator has to commit; until its shard has its next turn the transaction is
/// over, its marker written by another shard. It does not begin a transaction that no marker would end.
#[test]
fn a_write_that_comes_behind_its_marker_is_refused() {
    let cluster = start(46, 2, &[EVERY_WRITE_IS_SYNCED]);
    find_coordinators(&cluster, ID);
    let mut late = connected_to(&cluster, 0, ID);
    late.start();
    assert_eq!(late.add(1), ErrorCode::None);
    let mut ender = connected_to(&cluster, 1, ID);
    ender.producer = late.producer;
    let mut other = connected_to(&cluster, 1, &id_beside());
    let turn = |shard: usize| {
        cluster.borrow_mut().advance(Duration::from_micros(200));
        cluster.borrow_mut().turn_shard(shard);
    };
    let view = cluster.borrow().view().expect("it runs");
    let at = java_hash::partition_for(ID, view.topic(TRANSACTIONS_TOPIC).unwrap().partitions.len());
    let state = view.partition_by_name(TRANSACTIONS_TOPIC, at).unwrap();
    other.send_init();
    while state.log.log_end_offset() == state.high_watermark() {
        turn(1);
    }
    let parked = cluster.borrow().parked();
    late.send_produce(1, "late");
    while cluster.borrow().parked() == parked {
        assert_eq!(late.take_produced(), None);
        turn(0);
    }
    ender.send_end(true);
    let partition = view.partition_by_name(TOPIC, 1).unwrap();
    while partition.high_watermark().0 == 0 {
        assert_ne!(ender.take_end(), Some(ErrorCode::ConcurrentTransactions));
        turn(1);
    }
    let told = loop {
        cluster.borrow_mut().step();
        if let Some(told) = late.take_produced() {
            break told;
        }
    };
    assert_eq!(told, ErrorCode::TransactionAbortable);
    assert_eq!(uncommitted(&cluster), everywhere(&[]));
    check_nothing_is_open(&cluster);
}

/// The marker lies behind what another shard is syncing: the shard that has written it is told of that sync, and must be told
/// of the next one as well.
#[test]
fn a_marker_is_waited_for_until_its_own_sync() {
    let cluster = start(47, 2, &[EVERY_WRITE_IS_SYNCED]);
    find_coordinators(&cluster, ID);
    let (mut transactor, mut other) = (connected_to(&cluster, 1, ID), connected_to(&cluster, 0, &id_beside()));
    transactor.start();
    transactor.write_all(&[0], "in");
    other.start();
    assert_eq!(other.add(0), ErrorCode::None);
    let turn = |shard: usize| {
        cluster.borrow_mut().advance(Duration::from_micros(200));
        cluster.borrow_mut().turn_shard(shard);
    };
    let view = cluster.borrow().view().expect("it runs");
    let partition = view.partition_by_name(TOPIC, 0).unwrap();
    other.send_produce(0, "beside");
    while partition.log.log_end_offset() == partition.high_watermark() {
        turn(0);
    }
    let before = partition.log.log_end_offset();
    transactor.send_end(true);
    while partition.log.log_end_offset() == before {
        turn(1);
    }
    assert!(partition.high_watermark() < before, "the sync is under way");
    assert_eq!(settled(&cluster, ID).unwrap(), "CompleteCommit");
}

/// A client of the first way whose connection one of the shards has.
fn connected_to(cluster: &SharedCluster, shard: usize, id: &str) -> Transactor {
    loop {
        steps(cluster, 200);
        let before = cluster.borrow().connections()[shard];
        let transactor = Transactor::new(cluster, id, Way::First);
        steps(cluster, 200);
        if cluster.borrow().connections()[shard] > before {
            return transactor;
        }
    }
}

/// An id of the same coordinator.
fn id_beside() -> String {
    let partition = |id: &str| java_hash::partition_for(id, 3);
    let mut ids = (0..).map(|number| format!("u{number}"));
    ids.find(|id| partition(id) == partition(ID)).expect("each partition has ids")
}

/// Many producers on connections of all shards, whose coordinators and partitions lie on all of them, too.
#[test]
fn shards_do_not_stand_in_each_others_way() {
    for seed in 0..6 {
        let cluster = start(seed, 3, &[]);
        let names: Vec<String> = (0..6).map(|number| format!("t{number}")).collect();
        let mut all: Vec<Transactor> =
            names.iter().zip(0..).map(|(id, at)| Transactor::started(&cluster, id, Way::BOTH[at % 2])).collect();
        for round in 0..3 {
            for (number, transactor) in all.iter_mut().enumerate() {
                transactor.write_all(&PARTITIONS, &format!("{number}:{round}:{}", (number + round) % 3));
            }
            for (number, transactor) in all.iter_mut().enumerate() {
                transactor.send_end((number + round) % 3 != 0);
            }
            for transactor in &mut all {
                let come = || {
                    cluster.borrow_mut().step();
                    transactor.take_end()
                };
                let answer = std::iter::repeat_with(come).take(ENDING_STEPS as usize).flatten().next();
                assert_eq!(answer, Some(ErrorCode::None));
            }
            names.iter().for_each(|id| drop(settled(&cluster, id).unwrap()));
        }
        let expected: Vec<String> = (0..3)
            .flat_map(|round| (0..6).map(move |number| (number, round, (number + round) % 3)))
            .filter(|(_, _, kind)| *kind != 0)
            .map(|(number, round, kind)| format!("{number}:{round}:{kind}"))
            .collect();
        for values in committed(&cluster) {
            assert_eq!(values, expected, "seed {seed}");
        }
        check_nothing_is_open(&cluster);
    }
}

/// The epochs of a producer id are used up; the coordinator's records are written by hand, as a producer would need 32,766
/// transactions for it.
#[test]
fn a_producer_goes_on_with_another_id_when_its_epochs_are_used_up() {
    for way in Way::BOTH {
        let cluster = start(45, 2, &[]);
        let mut transactor = Transactor::started(&cluster, ID, way);
        let first = transactor.producer.0;
        write_state(&cluster, first, i16::MAX - 3);
        transactor.reconnect();
        transactor.start();
        assert_eq!(transactor.producer, (first, i16::MAX - 2));
        let mut expected: Vec<String> = Vec::new();
        for count in 0..5 {
            let (value, commit) = (format!("{count}"), count != 2);
            transactor.write_all(&PARTITIONS, &value);
            assert_eq!(transactor.end(commit), ErrorCode::None);
            settled(&cluster, ID).unwrap();
            expected.extend(commit.then_some(value));
            assert_eq!(committed(&cluster)[0], expected);
            // Before transaction version 2 the epoch rises with each start only.
            if way == Way::First {
                transactor.start();
            }
            cluster.borrow_mut().crash(Crash::Process);
            cluster.borrow_mut().restart();
            transactor.reconnect();
        }
        assert_ne!(transactor.producer.0, first);
        assert!(transactor.producer.1 < 5, "{:?}", transactor.producer);
        check_nothing_is_open(&cluster);
    }
}

/// What the coordinator finds at its next start: a producer of this epoch, without a transaction.
fn write_state(cluster: &SharedCluster, producer_id: i64, producer_epoch: i16) {
    let view = cluster.borrow().view().expect("it runs");
    let at = java_hash::partition_for(ID, view.topic(TRANSACTIONS_TOPIC).unwrap().partitions.len());
    let mut key = Vec::new();
    Key::TransactionLog(TransactionLogKey { transactional_id: ID.into() }).encode(&mut key).unwrap();
    let value = TransactionLogValue {
        producer_id,
        producer_epoch,
        transaction_timeout_ms: 60_000,
        transaction_status: 0,
        transaction_last_update_timestamp_ms: cluster.borrow().world.wall().0,
        ..Default::default()
    };
    let mut bytes = Vec::new();
    Value::TransactionLog(value).encode(&mut bytes, 1).unwrap();
    let mut builder = Builder::new(Options::default());
    let timestamp = TimestampMs(1_767_225_600_000);
    builder.append(&Record { timestamp, key: Some(&key), value: Some(&bytes), headers: &[] });
    let partition = view.partition_by_name(TRANSACTIONS_TOPIC, at).unwrap();
    partition.append_own(&builder.build(), timestamp, Admission::None).unwrap();
    partition.write_and_sync(timestamp);
    cluster.borrow_mut().crash(Crash::Process);
    cluster.borrow_mut().restart();
}
