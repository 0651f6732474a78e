//! Transactions on disks that are full, slow to sync, or fail.

use super::*;

/// The disk is full before any byte of what the end of a transaction writes: under the coordinator's records, under each of
/// the markers, under the result. It only takes longer.
#[test]
fn a_full_disk_delays_the_end_of_a_transaction() {
    for (seed, way) in [(20, Way::First), (21, Way::Second)] {
        for bytes in (0..1600).step_by(19) {
            let cluster = start(seed, 2, &[]);
            let mut transactor = with_open_transaction(&cluster, way);
            cluster.borrow().disk.limit_space(Some(bytes));
            transactor.send_end(true);
            let mut answer = None;
            for _ in 0..1000 {
                cluster.borrow_mut().step();
                answer = answer.or_else(|| transactor.take_end());
            }
            let before = committed(&cluster);
            assert!(before.iter().all(|values| values.len() == 1 || answer == Some(ErrorCode::None)), "{bytes}");
            cluster.borrow().disk.limit_space(None);
            check_after_failure(&cluster, &mut transactor, answer);
        }
    }
}

/// The machine is well again.
fn check_after_failure(cluster: &SharedCluster, transactor: &mut Transactor, answer: Option<ErrorCode>) {
    let answer = answer.or_else(|| {
        (0..ENDING_STEPS).find_map(|_| {
            cluster.borrow_mut().step();
            transactor.take_end()
        })
    });
    let answer = answer.expect("each request is answered");
    if answer != ErrorCode::None {
        transactor.reconnect();
        assert_eq!(transactor.end(true), ErrorCode::None, "at first it was {answer}");
    }
    assert_eq!(settled(cluster, ID).unwrap(), "CompleteCommit");
    check_ended(cluster, true);
    check_goes_on(cluster, transactor);
}

/// The end was answered, and no client asks for the transaction any more. The full disk has made the coordinator throw its
/// machine away, as it could not write what another client wanted: the one that follows it does the rest by itself.
#[test]
fn an_answered_end_needs_no_client_to_be_done() {
    let mut answered = 0;
    for bytes in (0..1600).step_by(41) {
        let cluster = start(22, 2, &[]);
        let mut transactor = with_open_transaction(&cluster, Way::Second);
        let mut other = Transactor::new(&cluster, &id_beside(), Way::Second);
        cluster.borrow().disk.limit_space(Some(bytes));
        let is_told = transactor.end_once(true) == ErrorCode::None;
        other.init();
        cluster.borrow().disk.limit_space(None);
        steps(&cluster, ENDING_STEPS / 2);
        if is_told {
            answered += 1;
            assert_eq!(committed(&cluster), everywhere(&["first", "second"]), "{bytes} bytes were left");
        }
    }
    assert!(answered > 10, "{answered} were answered");
}

/// The directories of one of the transaction's logs.
fn directories(cluster: &SharedCluster, topic: &str, partitions: &[i32]) -> Vec<PathBuf> {
    let view = cluster.borrow().view().expect("it runs");
    let directory = |index: &i32| view.partition_by_name(topic, *index).unwrap().log.directory().to_path_buf();
    partitions.iter().map(directory).collect()
}

/// The logs that take part in the transaction, each in the directory that may fail: what a partition has there, by topic.
fn in_other(cluster: &SharedCluster) -> Vec<PathBuf> {
    let view = cluster.borrow().view().expect("it runs");
    let count = |topic: &str| view.topic(topic).unwrap().partitions.len();
    let state_at = java_hash::partition_for(ID, count(TRANSACTIONS_TOPIC));
    let group_at = java_hash::partition_for(crate::sim::transactor::GROUP, count(GROUPS_TOPIC));
    let all = [(TRANSACTIONS_TOPIC, vec![state_at]), (GROUPS_TOPIC, vec![group_at]), (TOPIC, PARTITIONS.to_vec())];
    let all = all.iter().flat_map(|(topic, partitions)| directories(cluster, topic, partitions));
    all.filter(|directory| directory.starts_with("other")).collect()
}

/// The second of two directories fails at each operation of a transaction's end: those of its logs that lie there are away
/// until the next start.
#[test]
fn a_failing_directory_delays_the_end_of_a_transaction() {
    let two = [("log.dirs", "data,other"), EVERY_WRITE_IS_SYNCED];
    let mut concerned = BTreeSet::new();
    for seed in [30, 31, 32] {
        let (took, operations) = measure(seed, Way::Second, true, &two);
        for after in 0..=operations {
            let cluster = start(seed, 2, &two);
            let mut transactor = with_open_transaction(&cluster, Way::Second);
            concerned.extend(in_other(&cluster).into_iter().filter_map(|directory| {
                let name = directory.file_name()?.to_str()?.rsplit_once('-')?.0.to_string();
                Some(name)
            }));
            cluster.borrow().disk.break_later(Path::new("other"), ErrorKind::ReadOnlyFilesystem, after);
            transactor.send_end(true);
            let mut answer = None;
            for _ in 0..took + 200 {
                cluster.borrow_mut().step();
                answer = answer.or_else(|| transactor.take_end());
            }
            cluster.borrow_mut().crash(Crash::Power);
            // Also where it has not come to that yet.
            cluster.borrow().disk.break_later(Path::new("nowhere"), ErrorKind::ReadOnlyFilesystem, 0);
            cluster.borrow().disk.break_below(Path::new("other"), None);
            cluster.borrow_mut().restart();
            check_after_crash(&cluster, &mut transactor, true, answer.filter(|answer| *answer == ErrorCode::None));
        }
    }
    assert!(concerned.contains(TOPIC) && concerned.len() > 1, "{concerned:?}");
}

/// The directory of some of its partitions fails under their markers, and the coordinator's does not: the transaction is not
/// complete before these partitions are back and have them.
#[test]
fn a_marker_whose_write_has_failed_is_not_forgotten() {
    for (seed, way) in [(33, Way::First), (34, Way::Second)] {
        let cluster = start(seed, 2, &[("log.dirs", "data,other")]);
        find_coordinators(&cluster, ID);
        let view = cluster.borrow().view().expect("it runs");
        let count = view.topic(TRANSACTIONS_TOPIC).unwrap().partitions.len();
        let is_in_other = |id: &String| {
            let at = java_hash::partition_for(id, count);
            directories(&cluster, TRANSACTIONS_TOPIC, &[at])[0].starts_with("other")
        };
        // The metadata lie in the first one, which must not fail.
        let id = (0..).map(|number| format!("t{number}")).find(|id| !is_in_other(id)).expect("both have partitions");
        let concerned = directories(&cluster, TOPIC, &PARTITIONS).iter().filter(|at| at.starts_with("other")).count();
        assert!((1..PARTITIONS.len()).contains(&concerned), "{concerned} of the partitions");
        let mut transactor = Transactor::started(&cluster, &id, way);
        transactor.write_all(&PARTITIONS, "in");
        cluster.borrow().disk.break_below(Path::new("other"), Some(ErrorKind::ReadOnlyFilesystem));
        assert_eq!(transactor.end(true), ErrorCode::None);
        steps(&cluster, ENDING_STEPS);
        assert_eq!(state(&cluster, &id).unwrap(), "PrepareCommit", "partitions without a marker are left");
        cluster.borrow_mut().crash(Crash::Process);
        cluster.borrow().disk.break_below(Path::new("other"), None);
        cluster.borrow_mut().restart();
        assert_eq!(settled(&cluster, &id).unwrap(), "CompleteCommit");
        assert_eq!(committed(&cluster), everywhere(&["in"]));
        check_nothing_is_open(&cluster);
    }
}
