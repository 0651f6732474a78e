//! Runs with two log directories: logs move from one to the other through crashes at every step, and one directory may
//! fail while the other serves.

use std::io::ErrorKind;
use std::path::Path;

use super::client::Client;
use super::cluster::{Cluster, SharedCluster};
use super::stories::{
    PRODUCE, TOPIC, alter_config, batch_at, cluster, create_topic, delete_records_before, produce_answer,
    produce_request, read_all, read_from,
};
use crate::codec::{Message, Reader};
use crate::io::disk::{Disk, Open};
use crate::io::simulated_disk::Crash;
use crate::model::{ApiKey, ErrorCode, TimestampMs};
use crate::wire::api::{alter_replica_log_dirs, describe_log_dirs};

const DIRECTORIES: [&str; 2] = ["data", "other"];
const TWO: (&str, &str) = ("log.dirs", "data,other");
const EVERY_WRITE_IS_SYNCED: (&str, &str) = ("log.flush.interval.messages", "1");
/// Steps in which everything here happens that is to happen.
const PATIENCE_STEPS: u64 = 50_000;
const RECORDS: i32 = 12;

fn produce(cluster: &SharedCluster, partition: i32, sequence: i32) -> i16 {
    let mut client = Client::connect(&cluster.borrow());
    let records = batch_at(TimestampMs(1_767_225_600_000), 5, sequence, 1, 300);
    produce_answer(&client.call(cluster, ApiKey::Produce, PRODUCE, &produce_request(partition, &records, -1))).0
}

fn move_to(cluster: &SharedCluster, directory: &str, topic: &str, partition: i32) -> i16 {
    let mut client = Client::connect(&cluster.borrow());
    let topics =
        vec![alter_replica_log_dirs::AlterReplicaLogDirTopic { name: topic.into(), partitions: vec![partition] }];
    let dirs = vec![alter_replica_log_dirs::AlterReplicaLogDir { path: directory.into(), topics }];
    let request = alter_replica_log_dirs::Request { dirs };
    let answer = client.call(cluster, ApiKey::AlterReplicaLogDirs, 2, &request);
    let response = alter_replica_log_dirs::Response::decode(&mut Reader::new(&answer), 2).unwrap();
    response.results[0].partitions[0].error_code
}

/// Changes nothing that matters.
fn alter_topic(cluster: &SharedCluster, max_bytes: &str) {
    let mut client = Client::connect(&cluster.borrow());
    alter_config(&mut client, cluster, (2, TOPIC), "max.message.bytes", Some(max_bytes));
}

/// Error of each directory, and its partitions of the topic: number and whether it is a future one.
fn describe(cluster: &SharedCluster) -> Vec<(i16, Vec<(i32, bool)>)> {
    let mut client = Client::connect(&cluster.borrow());
    let answer = client.call(cluster, ApiKey::DescribeLogDirs, 4, &describe_log_dirs::Request { topics: None });
    let response = describe_log_dirs::Response::decode(&mut Reader::new(&answer), 4).unwrap();
    let told = |result: &describe_log_dirs::DescribeLogDirsResult<'_>| {
        let partitions = result.topics.iter().flat_map(|topic| topic.partitions.iter());
        (result.error_code, partitions.map(|p| (p.partition_index, p.is_future_key)).collect())
    };
    response.results.iter().map(told).collect()
}

/// The one directory that has the partition.
fn home_of(cluster: &Cluster, partition: i32) -> usize {
    let has = |at: &usize| cluster.disk.exists(&Path::new(DIRECTORIES[*at]).join(format!("{TOPIC}-{partition}")));
    let homes: Vec<_> = (0..DIRECTORIES.len()).filter(has).collect();
    assert_eq!(homes.len(), 1, "the partition has one directory");
    homes[0]
}

fn is_moving(cluster: &Cluster) -> bool {
    cluster.view().is_some_and(|view| view.futures().next().is_some())
}

/// What the metadata says is what is on disk.
fn check_assignment(cluster: &Cluster, partition: i32) {
    let view = cluster.view().expect("it runs");
    let topic = view.topic(TOPIC).unwrap();
    let broker = view.image.brokers().next().unwrap();
    let assigned = topic.partition(partition).unwrap().directories[0];
    assert_eq!(assigned, broker.log_dirs[home_of(cluster, partition)]);
}

fn check_records(cluster: &SharedCluster, partition: i32, at_least: i32) {
    let values: Vec<String> = read_all(cluster, partition).into_iter().map(|(_, value)| value).collect();
    let numbers: Vec<i32> = values.iter().map(|value| value.split(':').nth(1).unwrap().parse().unwrap()).collect();
    assert!(numbers.len() as i32 >= at_least, "{} of {at_least} records", numbers.len());
    assert!(numbers.iter().enumerate().all(|(at, number)| at as i32 == *number), "{numbers:?}");
}

fn start(seed: u64) -> SharedCluster {
    let small = ("log.segment.bytes", "1048576");
    let cluster = cluster(seed, &[TWO, EVERY_WRITE_IS_SYNCED, small, ("log.initial.task.delay.ms", "100000")]);
    create_topic(&cluster, 1);
    (0..RECORDS).for_each(|sequence| assert_eq!(produce(&cluster, 0, sequence), 0));
    cluster
}

#[test]
fn a_log_moves_while_it_is_written_to() {
    let cluster = start(31);
    let from = home_of(&cluster.borrow(), 0);
    assert_eq!(move_to(&cluster, DIRECTORIES[1 - from], TOPIC, 0), 0);
    let mut sequence = RECORDS;
    while is_moving(&cluster.borrow()) {
        // A producer that is told to ask again does.
        if produce(&cluster, 0, sequence) == 0 {
            sequence += 1;
        }
    }
    assert_eq!(home_of(&cluster.borrow(), 0), 1 - from);
    check_assignment(&cluster.borrow(), 0);
    assert_eq!(produce(&cluster, 0, sequence), 0);
    check_records(&cluster, 0, sequence + 1);
    assert_eq!(produce(&cluster, 0, sequence), 0, "a repetition is known");
    check_records(&cluster, 0, sequence + 1);
    let told = describe(&cluster);
    assert_eq!((told[1 - from].1.as_slice(), told[from].1.len()), ([(0, false)].as_slice(), 0));
    assert_eq!(move_to(&cluster, DIRECTORIES[1 - from], TOPIC, 0), 0, "it is there");
    assert_eq!(move_to(&cluster, "elsewhere", TOPIC, 0), ErrorCode::LogDirNotFound.code());
    assert_eq!(move_to(&cluster, "data", "missing", 0), ErrorCode::UnknownTopicOrPartition.code());
    assert_eq!(move_to(&cluster, "data", &"t".repeat(240), 0), ErrorCode::InvalidTopicException.code());
    cluster.borrow_mut().crash(Crash::Power);
    cluster.borrow_mut().restart();
    check_records(&cluster, 0, sequence + 1);
}

/// The records of a producer are deleted before the copy has them: what it repeats is known for all that, also behind a
/// start.
#[test]
fn a_log_that_moves_takes_its_producers_along() {
    let cluster = start(35);
    let from = home_of(&cluster.borrow(), 0);
    assert_eq!(delete_records_before(&cluster, 0, RECORDS.into()), i64::from(RECORDS));
    assert_eq!(move_to(&cluster, DIRECTORIES[1 - from], TOPIC, 0), 0);
    cluster.borrow_mut().step_until(PATIENCE_STEPS, |cluster| !is_moving(cluster));
    assert_eq!(home_of(&cluster.borrow(), 0), 1 - from);
    assert_eq!(produce(&cluster, 0, RECORDS - 1), 0, "a repetition is known");
    assert!(read_from(&cluster, 0, RECORDS.into()).is_empty());
    cluster.borrow_mut().stop();
    cluster.borrow_mut().restart();
    assert_eq!(produce(&cluster, 0, RECORDS - 1), 0, "it is known behind a start");
    assert!(read_from(&cluster, 0, RECORDS.into()).is_empty());
    assert_eq!(produce(&cluster, 0, RECORDS), 0);
    assert_eq!(read_from(&cluster, 0, RECORDS.into()).len(), 1);
}

#[test]
fn a_partition_is_made_where_somebody_wanted_it() {
    let cluster = cluster(32, &[TWO]);
    assert_eq!(move_to(&cluster, "other", TOPIC, 0), ErrorCode::UnknownTopicOrPartition.code());
    assert_eq!(move_to(&cluster, "other", TOPIC, 1), ErrorCode::UnknownTopicOrPartition.code());
    create_topic(&cluster, 2);
    for partition in [0, 1] {
        assert_eq!(home_of(&cluster.borrow(), partition), 1);
        check_assignment(&cluster.borrow(), partition);
    }
}

/// The broker crashes after each single operation on the disk that a move takes, with and without the power.
#[test]
fn a_move_survives_a_crash_at_every_step() {
    let cluster = start(33);
    let from = home_of(&cluster.borrow(), 0);
    let before = cluster.borrow().disk.operations();
    assert_eq!(move_to(&cluster, DIRECTORIES[1 - from], TOPIC, 0), 0);
    cluster.borrow_mut().step_until(PATIENCE_STEPS, |cluster| !is_moving(cluster));
    let operations = cluster.borrow().disk.operations() - before;
    assert!(operations > 20, "{operations} operations");
    for left in 0..=operations {
        for crash in [Crash::Process, Crash::Power, Crash::Torn { seed: left + 1 }] {
            crash_in_a_move(left, crash);
        }
    }
}

fn crash_in_a_move(left: u64, crash: Crash) {
    let cluster = start(33);
    let from = home_of(&cluster.borrow(), 0);
    cluster.borrow().disk.limit_operations(Some(left));
    let code = move_to(&cluster, DIRECTORIES[1 - from], TOPIC, 0);
    for _ in 0..200 {
        cluster.borrow_mut().step();
    }
    cluster.borrow_mut().crash(crash);
    cluster.borrow().disk.limit_operations(None);
    cluster.borrow_mut().restart();
    check_records(&cluster, 0, RECORDS);
    cluster.borrow_mut().step_until(PATIENCE_STEPS, |cluster| !is_moving(cluster));
    check_records(&cluster, 0, RECORDS);
    check_assignment(&cluster.borrow(), 0);
    assert_eq!(produce(&cluster, 0, RECORDS), 0, "{left} operations, {crash:?}, {code}");
    check_records(&cluster, 0, RECORDS + 1);
    let home = home_of(&cluster.borrow(), 0);
    assert!(code != 0 || home == from || home == 1 - from);
}

/// A directory fails, or is full, for good or for a moment, at each single operation of a move from it or to it.
#[test]
fn a_move_survives_the_failure_of_a_directory_at_every_step() {
    for to in DIRECTORIES {
        let operations = {
            let cluster = start_in_other_than(to);
            let before = cluster.borrow().disk.operations();
            assert_eq!(move_to(&cluster, to, TOPIC, 0), 0);
            cluster.borrow_mut().step_until(PATIENCE_STEPS, |cluster| !is_moving(cluster));
            cluster.borrow().disk.operations() - before
        };
        assert!(operations > 20, "{operations} operations");
        let (full, once_or_twice) = (ErrorKind::StorageFull, [Some(1), Some(2)]);
        let manners = [(ErrorKind::ReadOnlyFilesystem, None), (full, None)];
        for (how, times) in manners.into_iter().chain(once_or_twice.map(|times| (full, times))) {
            for after in 0..=operations {
                fail_in_a_move(to, how, times, after);
            }
        }
    }
}

fn start_in_other_than(to: &str) -> SharedCluster {
    let cluster = start(33);
    if DIRECTORIES[home_of(&cluster.borrow(), 0)] == to {
        let from = if to == DIRECTORIES[0] { DIRECTORIES[1] } else { DIRECTORIES[0] };
        assert_eq!(move_to(&cluster, from, TOPIC, 0), 0);
        cluster.borrow_mut().step_until(PATIENCE_STEPS, |cluster| !is_moving(cluster));
    }
    cluster
}

fn fail_in_a_move(to: &str, how: ErrorKind, times: Option<u64>, after: u64) {
    let (cluster, other) = (start_in_other_than(to), Path::new("other"));
    cluster.borrow().disk.mend_after(times);
    cluster.borrow().disk.break_later(other, how, after);
    move_to(&cluster, to, TOPIC, 0);
    (0..200).for_each(|_| cluster.borrow_mut().step());
    // Whoever has nothing open of it looks at the topic again.
    alter_topic(&cluster, "1000001");
    let has_failed = cluster.borrow().has_failed_directory();
    if has_failed {
        cluster.borrow_mut().crash(Crash::Process);
        cluster.borrow_mut().restart();
        // With the other directory as bad as it was, it may be served by the one that is left.
        produce(&cluster, 0, RECORDS);
    }
    cluster.borrow().disk.break_below(other, None);
    if has_failed {
        cluster.borrow_mut().crash(Crash::Power);
        cluster.borrow_mut().restart();
    }
    // A checkpoint would find out after a minute that there is room.
    alter_topic(&cluster, "1000002");
    let is_served = |cluster: &Cluster| cluster.view().is_some_and(|view| view.partition_by_name(TOPIC, 0).is_ok());
    cluster.borrow_mut().step_until(PATIENCE_STEPS, |cluster| is_served(cluster) && !is_moving(cluster));
    check_records(&cluster, 0, RECORDS);
    assert_eq!(produce(&cluster, 0, RECORDS), 0, "to {to}, {how} {times:?} after {after} operations");
    check_records(&cluster, 0, RECORDS + 1);
    check_assignment(&cluster.borrow(), 0);
}

/// The names of a copy's files may reach the platter without what is in them.
#[test]
fn a_copy_that_was_torn_is_made_anew() {
    let cluster = cluster(36, &[TWO, EVERY_WRITE_IS_SYNCED, ("log.segment.bytes", "1048576")]);
    create_topic(&cluster, 1);
    let large = |sequence| batch_at(TimestampMs(1_767_225_600_000), 5, sequence, 1, 600_000);
    for sequence in 0..12 {
        let mut client = Client::connect(&cluster.borrow());
        let records = large(sequence);
        let answer = client.call(&cluster, ApiKey::Produce, PRODUCE, &produce_request(0, &records, -1));
        assert_eq!(produce_answer(&answer).0, 0);
    }
    let from = home_of(&cluster.borrow(), 0);
    assert_eq!(move_to(&cluster, DIRECTORIES[1 - from], TOPIC, 0), 0);
    let copy = |cluster: &Cluster| cluster.view().and_then(|view| view.futures().next().map(|(_, it)| it.clone()));
    let has_begun = |cluster: &Cluster| copy(cluster).is_some_and(|copy| copy.log.segment_count() > 1);
    cluster.borrow_mut().step_until(PATIENCE_STEPS, has_begun);
    let first = copy(&cluster.borrow()).expect("it is under way").log.directory().join(format!("{:020}.log", 0));
    cluster.borrow_mut().crash(Crash::Process);
    let disk = cluster.borrow().disk.clone();
    disk.open(&first, Open::ReadWrite).and_then(|file| file.set_size(0)).unwrap();
    cluster.borrow_mut().restart();
    cluster.borrow_mut().step_until(PATIENCE_STEPS, |cluster| !is_moving(cluster));
    assert_eq!(home_of(&cluster.borrow(), 0), 1 - from);
    check_records(&cluster, 0, 12);
}

#[test]
fn one_directory_fails_and_the_other_serves() {
    let cluster = cluster(34, &[TWO, EVERY_WRITE_IS_SYNCED]);
    create_topic(&cluster, 4);
    let gone: Vec<i32> = (0..4).filter(|partition| home_of(&cluster.borrow(), *partition) == 1).collect();
    assert_eq!(gone.len(), 2, "each directory gets as many");
    (0..4).for_each(|partition| assert_eq!(produce(&cluster, partition, 0), 0));
    let other = Path::new("other");
    cluster.borrow().disk.break_below(other, Some(ErrorKind::ReadOnlyFilesystem));
    let check = |sequence: i32| {
        for partition in 0..4 {
            let expected = if gone.contains(&partition) { ErrorCode::KafkaStorageError.code() } else { 0 };
            assert_eq!(produce(&cluster, partition, sequence), expected);
        }
        let told: Vec<i16> = describe(&cluster).into_iter().map(|(error, _)| error).collect();
        assert_eq!(told, [0, ErrorCode::KafkaStorageError.code()]);
        assert_eq!(move_to(&cluster, "other", TOPIC, 0), ErrorCode::KafkaStorageError.code());
        let view = cluster.borrow().view().expect("the rest goes on");
        assert_eq!(view.image.brokers().next().unwrap().log_dirs.len(), 1, "the cluster knows");
    };
    check(1);
    // Started with the directory as bad as it was.
    cluster.borrow_mut().crash(Crash::Power);
    cluster.borrow_mut().restart();
    check(2);
    cluster.borrow().disk.break_below(other, None);
    check(3);
    cluster.borrow_mut().crash(Crash::Power);
    cluster.borrow_mut().restart();
    for partition in 0..4 {
        let taken = if gone.contains(&partition) { 1 } else { 4 };
        check_records(&cluster, partition, taken);
        assert_eq!(produce(&cluster, partition, taken), 0);
        check_assignment(&cluster.borrow(), partition);
    }
}

#[test]
fn without_the_metadata_log_nothing_goes_on() {
    let cluster = cluster(35, &[TWO]);
    create_topic(&cluster, 2);
    cluster.borrow().disk.break_below(Path::new("data"), Some(ErrorKind::ReadOnlyFilesystem));
    let in_data = (0..2).find(|partition| home_of_before(&cluster, *partition) == 0).unwrap();
    assert_eq!(produce(&cluster, in_data, 0), ErrorCode::KafkaStorageError.code());
    cluster.borrow_mut().step_until(PATIENCE_STEPS, |cluster| cluster.view().is_none());
}

/// As [`home_of`], where a directory cannot be asked any more.
fn home_of_before(cluster: &SharedCluster, partition: i32) -> usize {
    let view = cluster.borrow().view().expect("it runs");
    let partition = view.partition_by_name(TOPIC, partition).unwrap();
    usize::from(partition.log.directory().starts_with("other"))
}

/// Started without a directory that the metadata knows, its partitions wait for it: they have no leader, nothing begins
/// anew, and all is back with the directory.
#[test]
fn partitions_of_a_directory_that_is_left_out_wait_for_it() {
    for crash in [None, Some(Crash::Process), Some(Crash::Power)] {
        let cluster = cluster(37, &[TWO, EVERY_WRITE_IS_SYNCED]);
        create_topic(&cluster, 4);
        (0..4).for_each(|partition| assert_eq!(produce(&cluster, partition, 0), 0));
        let gone: Vec<i32> = (0..4).filter(|partition| home_of(&cluster.borrow(), *partition) == 1).collect();
        assert_eq!(gone.len(), 2, "each directory gets as many");
        let end = |cluster: &SharedCluster| match crash {
            Some(crash) => cluster.borrow_mut().crash(crash),
            None => cluster.borrow_mut().stop(),
        };
        end(&cluster);
        cluster.borrow_mut().set_log_dirs("data");
        for sequence in 1..3 {
            cluster.borrow_mut().restart();
            for partition in 0..4 {
                let is_gone = gone.contains(&partition);
                let expected = if is_gone { ErrorCode::NotLeaderOrFollower.code() } else { 0 };
                assert_eq!(produce(&cluster, partition, sequence), expected, "{partition}");
                let view = cluster.borrow().view().unwrap();
                let leader = view.topic(TOPIC).unwrap().partition(partition).unwrap().leader;
                assert_eq!(leader, if is_gone { -1 } else { 1 });
            }
            end(&cluster);
        }
        cluster.borrow_mut().set_log_dirs("data,other");
        cluster.borrow_mut().restart();
        for partition in 0..4 {
            let taken = if gone.contains(&partition) { 1 } else { 3 };
            check_records(&cluster, partition, taken);
            assert_eq!(produce(&cluster, partition, taken), 0);
            check_assignment(&cluster.borrow(), partition);
        }
    }
}

/// A topic that is made while a directory is away goes to those that are left.
#[test]
fn a_new_topic_needs_no_directory_that_is_away() {
    let cluster = cluster(38, &[("log.dirs", "data,other,third")]);
    cluster.borrow().disk.break_below(Path::new("other"), Some(ErrorKind::ReadOnlyFilesystem));
    cluster.borrow_mut().crash(Crash::Process);
    cluster.borrow_mut().restart();
    create_topic(&cluster, 4);
    (0..4).for_each(|partition| assert_eq!(produce(&cluster, partition, 0), 0));
}

/// Directories in another order, an emptied one, a missing one, partitions whose metadata is gone: the start is refused and
/// nothing is set aside.
#[test]
fn directories_that_are_not_as_they_were_left_stop_the_start() {
    let cluster = cluster(39, &[TWO, EVERY_WRITE_IS_SYNCED]);
    create_topic(&cluster, 2);
    (0..2).for_each(|partition| assert_eq!(produce(&cluster, partition, 0), 0));
    cluster.borrow_mut().stop();
    let disk = cluster.borrow().disk.clone();
    let refused = |directories: &str, expected: &str| {
        cluster.borrow_mut().set_log_dirs(directories);
        let why = cluster.borrow_mut().try_restart().expect_err("it must not start");
        cluster.borrow_mut().forget_process();
        assert!(why.contains(expected), "{directories}: {why}");
        for directory in DIRECTORIES.iter().filter(|it| disk.exists(Path::new(it))) {
            let names = disk.list(Path::new(directory)).unwrap();
            assert!(names.iter().all(|entry| !entry.name.ends_with("-stray")), "{directories}: {names:?}");
        }
    };
    refused("other,data", "data/__cluster_metadata-0: the metadata log lies here");
    refused("data,other,new", "new: has no meta.properties");
    assert!(!disk.exists(Path::new("new")), "a refused start leaves nothing behind");
    disk.rename(Path::new("other"), Path::new("away")).unwrap();
    refused("data,other", "other: has no meta.properties");
    disk.rename(Path::new("away"), Path::new("other")).unwrap();
    disk.rename(Path::new("data"), Path::new("away")).unwrap();
    refused("data,other", "data: the metadata directory has no meta.properties, but other has one");
    disk.create_directories(Path::new("data")).unwrap();
    refused("data,other", "data: the metadata directory has no meta.properties, but other has one");
    disk.remove_directory_tree(Path::new("data")).unwrap();
    disk.rename(Path::new("away"), Path::new("data")).unwrap();
    let metadata = Path::new("data/__cluster_metadata-0");
    disk.rename(metadata, Path::new("metadata-away")).unwrap();
    refused("data,other", "but the metadata log in data is new and knows none of them");
    refused("data,other", "but the metadata log in data is new and knows none of them");
    disk.remove_directory_tree(metadata).unwrap();
    disk.rename(Path::new("metadata-away"), metadata).unwrap();
    cluster.borrow_mut().set_log_dirs("data,other");
    cluster.borrow_mut().restart();
    for partition in 0..2 {
        check_records(&cluster, partition, 1);
        check_assignment(&cluster.borrow(), partition);
    }
}

fn cordon(cluster: &SharedCluster, directories: Option<&str>) -> i16 {
    let mut client = Client::connect(&cluster.borrow());
    alter_config(&mut client, cluster, (4, "1"), "cordoned.log.dirs", directories).0
}

/// KIP-1066: new partitions go elsewhere, at once and after a restart, by the broker's own file and by a dynamic config.
#[test]
fn a_cordoned_directory_gets_no_new_partitions() {
    let cordoned = ("cordoned.log.dirs", "other");
    for at_start in [true, false] {
        let overrides = if at_start { vec![TWO, cordoned] } else { vec![TWO] };
        let cluster = cluster(40, &overrides);
        if !at_start {
            assert_eq!(cordon(&cluster, Some("other")), 0);
        }
        create_topic(&cluster, 4);
        let told = |cluster: &Cluster| {
            let view = cluster.view().unwrap();
            let broker = view.image.brokers().next().unwrap().clone();
            broker.cordoned_log_dirs.clone().unwrap_or_default() == broker.log_dirs[1..]
        };
        for _ in 0..2 {
            assert!((0..4).all(|partition| home_of(&cluster.borrow(), partition) == 0));
            assert!(told(&cluster.borrow()), "the registration says so");
            (0..4).for_each(|partition| check_assignment(&cluster.borrow(), partition));
            cluster.borrow_mut().crash(Crash::Process);
            cluster.borrow_mut().restart();
        }
        if !at_start {
            assert_eq!(cordon(&cluster, None), 0);
            cluster.borrow_mut().step();
            assert!(!told(&cluster.borrow()));
        }
    }
}
