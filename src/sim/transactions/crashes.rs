//! Crashes of the process and losses of power, at every step and every operation of what a transaction goes through.

use super::*;

/// The process or the power goes after each single operation on the disk that the end of a transaction takes.
#[test]
fn a_transaction_survives_a_crash_at_every_operation_of_its_end() {
    for (way, commit) in Way::BOTH.into_iter().flat_map(|way| [(way, true), (way, false)]) {
        let (took, operations) = measure(11, way, commit, &[EVERY_WRITE_IS_SYNCED]);
        assert!(operations > 8, "{operations} operations");
        for left in 0..=operations {
            let torn = Crash::Torn { seed: left + 1 };
            let crashes: &[Crash] = if commit { &[Crash::Process, Crash::Power, torn] } else { &[torn] };
            for crash in crashes {
                let cluster = start(11, 2, &[EVERY_WRITE_IS_SYNCED]);
                let mut transactor = with_open_transaction(&cluster, way);
                cluster.borrow().disk.limit_operations(Some(left));
                let answer = crash_in_the_end(&cluster, &mut transactor, commit, took, Some(*crash));
                cluster.borrow().disk.limit_operations(None);
                cluster.borrow_mut().restart();
                check_after_crash(&cluster, &mut transactor, commit, answer);
            }
        }
    }
}

/// What a client adds to its transaction by one request: a partition by AddPartitionsToTxn, a group by AddOffsetsToTxn, an
/// offset by TxnOffsetCommit, which adds the group as well if the client is of the second way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Addition {
    Partition,
    Group,
    Offset,
}

impl Addition {
    fn send(self, transactor: &mut Transactor) {
        match self {
            Addition::Partition => transactor.send_add(1),
            Addition::Group => transactor.send_add_offsets(),
            Addition::Offset => transactor.send_commit_offset(WITHIN),
        }
    }

    fn key(self) -> ApiKey {
        match self {
            Addition::Partition => ApiKey::AddPartitionsToTxn,
            Addition::Group => ApiKey::AddOffsetsToTxn,
            Addition::Offset => ApiKey::TxnOffsetCommit,
        }
    }

    /// Whether the coordinator has it among the partitions of the transaction.
    fn is_known(self, cluster: &SharedCluster) -> bool {
        let (_, partitions) = described(cluster, ID).expect("the id is known");
        match self {
            Addition::Partition => partitions.contains(&(TOPIC.to_string(), 1)),
            Addition::Group | Addition::Offset => partitions.iter().any(|(topic, _)| topic == GROUPS_TOPIC),
        }
    }
}

/// A transaction that was committed, and perhaps one that is open with a record; the request is the next.
fn before_addition(cluster: &SharedCluster, way: Way, addition: Addition, is_open: bool) -> Transactor {
    let mut transactor = Transactor::started(cluster, ID, way);
    transactor.write_all(&PARTITIONS, "first");
    assert_eq!(until_told(cluster, || transactor.commit_offset(BEFORE)), ErrorCode::None);
    assert_eq!(transactor.end(true), ErrorCode::None);
    assert_eq!(settled(cluster, ID).unwrap(), "CompleteCommit");
    if is_open {
        transactor.write_all(&[0], "second");
    }
    if way == Way::First && addition == Addition::Offset {
        assert_eq!(wait_for_addition(cluster, &mut transactor, Addition::Group), ErrorCode::None);
    }
    transactor
}

fn wait_for_addition(cluster: &SharedCluster, transactor: &mut Transactor, addition: Addition) -> ErrorCode {
    addition.send(transactor);
    let come = || {
        cluster.borrow_mut().step();
        transactor.take_added(addition.key())
    };
    std::iter::repeat_with(come).take(ENDING_STEPS as usize).flatten().next().expect("it is answered")
}

/// The broker is back: what was answered is there, what was not is there or not, and the client goes on either way.
fn check_addition(
    cluster: &SharedCluster,
    transactor: &mut Transactor,
    addition: Addition,
    is_open: bool,
    answer: Option<ErrorCode>,
) {
    let is_known = addition.is_known(cluster);
    let is_pending = offset(cluster, true) == Err(ErrorCode::UnstableOffsetCommit);
    if answer == Some(ErrorCode::None) {
        assert!(is_known, "what was answered is forgotten");
        assert_eq!(is_pending, addition == Addition::Offset);
    }
    assert!(is_known || !is_pending, "an offset that no marker will end");
    let is_ongoing = is_open || is_known || (transactor.way == Way::First && addition == Addition::Offset);
    assert_eq!(state(cluster, ID).unwrap(), if is_ongoing { "Ongoing" } else { "CompleteCommit" });
    assert_eq!(committed(cluster), everywhere(&["first"]));
    assert_eq!(offset(cluster, false), Ok(BEFORE));
    transactor.reconnect();
    // What the client has asked for it asks for again.
    let again = until_told(cluster, || wait_for_addition(cluster, transactor, addition));
    assert_eq!((again, addition.is_known(cluster)), (ErrorCode::None, true));
    transactor.write_all(if is_open { &[1, 2] } else { &PARTITIONS }, "second");
    assert_eq!(until_told(cluster, || transactor.commit_offset(WITHIN)), ErrorCode::None);
    assert_eq!(transactor.end(true), ErrorCode::None);
    assert_eq!(settled(cluster, ID).unwrap(), "CompleteCommit");
    check_ended(cluster, true);
    check_goes_on(cluster, transactor);
}

/// The process or the power goes after each single operation on the disk that a request takes by which a transaction grows.
#[test]
fn a_transaction_survives_a_crash_at_every_operation_of_what_is_added_to_it() {
    use Addition::*;
    let requests =
        [(Way::First, Partition), (Way::First, Group), (Way::First, Offset), (Way::Second, Offset)].into_iter();
    for ((way, addition), is_open) in requests.flat_map(|request| [(request, false), (request, true)]) {
        let begin = || {
            let cluster = start(18, 2, &[EVERY_WRITE_IS_SYNCED]);
            let transactor = before_addition(&cluster, way, addition, is_open);
            (cluster, transactor)
        };
        let (cluster, mut transactor) = begin();
        let (steps, operations) = (cluster.borrow().steps, cluster.borrow().disk.operations());
        assert_eq!(wait_for_addition(&cluster, &mut transactor, addition), ErrorCode::None);
        let (took, operations) = (cluster.borrow().steps - steps, cluster.borrow().disk.operations() - operations);
        assert!(operations > 0, "{way:?}, {addition:?}");
        for left in 0..=operations {
            for crash in [Crash::Process, Crash::Power, Crash::Torn { seed: left + 1 }] {
                let (cluster, mut transactor) = begin();
                cluster.borrow().disk.limit_operations(Some(left));
                addition.send(&mut transactor);
                let mut answer = None;
                for _ in 0..took + 20 {
                    cluster.borrow_mut().step();
                    answer = answer.or_else(|| transactor.take_added(addition.key()));
                }
                cluster.borrow_mut().crash(crash);
                cluster.borrow().disk.limit_operations(None);
                cluster.borrow_mut().restart();
                check_addition(&cluster, &mut transactor, addition, is_open, answer);
            }
        }
    }
}

/// Asks for the end, lets some steps pass and ends the broker; what the client was told.
fn crash_in_the_end(
    cluster: &SharedCluster,
    transactor: &mut Transactor,
    commit: bool,
    after: u64,
    crash: Option<Crash>,
) -> Option<ErrorCode> {
    transactor.send_end(commit);
    let mut answer = None;
    for _ in 0..after {
        cluster.borrow_mut().step();
        answer = answer.or_else(|| transactor.take_end());
    }
    match crash {
        Some(crash) => cluster.borrow_mut().crash(crash),
        None => cluster.borrow_mut().stop(),
    }
    // What was sent before still arrives, but where the broker's machine is gone.
    answer.or_else(|| transactor.take_end())
}

/// The same at moments all along its time, where nothing has failed before and syncs take their time; and with an orderly stop.
#[test]
fn a_transaction_survives_a_crash_or_a_stop_at_every_step_of_its_end() {
    for (seed, way) in [(12, Way::First), (15, Way::Second)] {
        for crash in [Some(Crash::Power), None] {
            // The markers and the result come behind the answer.
            let (mut after, mut answered) = (0, 0);
            while answered < 30 {
                // Another seed each time: how long a sync takes beside an answer's way is another, too.
                let cluster = start(seed + after, 2, &[EVERY_WRITE_IS_SYNCED]);
                let mut transactor = with_open_transaction(&cluster, way);
                cluster.borrow().world.set_conditions(slow_disk());
                let answer = crash_in_the_end(&cluster, &mut transactor, true, after, crash);
                answered += u64::from(answer == Some(ErrorCode::None));
                cluster.borrow_mut().restart();
                check_after_crash(&cluster, &mut transactor, true, answer);
                after += 2;
            }
        }
    }
}

/// Each sync takes its time, and is done only at the end of it.
fn slow_disk() -> NetworkConditions {
    let max_operation = Duration::from_millis(4);
    NetworkConditions { whole_one_in: 1, max_operation, late_operations: true, ..NetworkConditions::default() }
}

/// The first write of a transaction adds its partition: what is in the partition's log the coordinator knows of, whenever the
/// power goes, and so it can be ended.
#[test]
fn a_write_is_known_to_its_coordinator_whenever_the_power_goes() {
    let mut is_written = false;
    for after in 0.. {
        let cluster = start(17, 2, &[EVERY_WRITE_IS_SYNCED]);
        let mut transactor = Transactor::started(&cluster, ID, Way::Second);
        cluster.borrow().world.set_conditions(slow_disk());
        transactor.send_produce(0, "open");
        let mut answer = None;
        for _ in 0..after {
            cluster.borrow_mut().step();
            answer = answer.or_else(|| transactor.take_produced());
        }
        cluster.borrow_mut().crash(Crash::Power);
        cluster.borrow_mut().restart();
        is_written |= !uncommitted(&cluster)[0].is_empty();
        transactor.reconnect();
        transactor.start();
        check_nothing_is_open(&cluster);
        assert_eq!(committed(&cluster), everywhere(&[]));
        if answer.is_some() {
            assert_eq!(answer, Some(ErrorCode::None));
            assert!(is_written && after > 20, "{after} steps");
            return;
        }
    }
}

/// Without syncs the power takes what it takes; what is left of the transaction does not hang, and the id can be used.
#[test]
fn without_syncs_the_power_takes_transactions_and_leaves_none_hanging() {
    for way in Way::BOTH {
        let (took, _) = measure(13, way, true, &[]);
        for after in 0..took {
            let cluster = start(13, 2, &[]);
            let mut transactor = with_open_transaction(&cluster, way);
            crash_in_the_end(&cluster, &mut transactor, true, after, Some(Crash::Power));
            cluster.borrow_mut().restart();
            let mut transactor = Transactor::started(&cluster, ID, way);
            settled(&cluster, ID).unwrap();
            check_nothing_is_open(&cluster);
            check_goes_on(&cluster, &mut transactor);
        }
    }
}

/// Only the coordinator's records are synced: what it has decided it does, though the records of the data are lost.
#[test]
fn what_is_decided_is_done_though_the_data_are_lost() {
    for way in Way::BOTH {
        let (took, _) = measure(14, way, true, &[]);
        for after in 0..took {
            let cluster = start(14, 2, &[]);
            find_coordinators(&cluster, ID);
            sync_writes(&cluster, TRANSACTIONS_TOPIC);
            let mut transactor = with_open_transaction(&cluster, way);
            let answer = crash_in_the_end(&cluster, &mut transactor, true, after, Some(Crash::Power));
            cluster.borrow_mut().restart();
            let found = settled(&cluster, ID).unwrap();
            assert!(answer != Some(ErrorCode::None) || found == "CompleteCommit", "answered, and {found}");
            transactor.reconnect();
            if answer != Some(ErrorCode::None) {
                assert_eq!(transactor.end(true), ErrorCode::None);
            }
            assert_eq!(settled(&cluster, ID).unwrap(), "CompleteCommit");
            check_nothing_is_open(&cluster);
            let mut transactor = Transactor::started(&cluster, ID, way);
            check_goes_on(&cluster, &mut transactor);
        }
    }
}

fn sync_writes(cluster: &SharedCluster, topic: &str) {
    let mut client = Client::connect(&cluster.borrow());
    assert_eq!(alter_config(&mut client, cluster, (2, topic), "flush.messages", Some("1")).0, 0);
}

/// Only the data are synced: the coordinator has forgotten the transaction, which hangs until an operator ends it, as
/// `kafka-transactions abort` does.
#[test]
fn a_transaction_that_the_coordinator_has_lost_is_ended_by_an_operator() {
    let cluster = start(16, 2, &[]);
    sync_writes(&cluster, TOPIC);
    let mut transactor = Transactor::started(&cluster, ID, Way::Second);
    transactor.write_all(&PARTITIONS, "lost");
    cluster.borrow_mut().crash(Crash::Power);
    cluster.borrow_mut().restart();
    assert_eq!(settled(&cluster, ID), Err(ErrorCode::TransactionalIdNotFound));
    assert_eq!(uncommitted(&cluster), everywhere(&["lost"]));
    let mut next = Transactor::started(&cluster, ID, Way::Second);
    assert_ne!(next.producer.0, transactor.producer.0, "the id is given once");
    next.write_all(&PARTITIONS, "next");
    assert_eq!(next.end(true), ErrorCode::None);
    assert_eq!(settled(&cluster, ID).unwrap(), "CompleteCommit");
    assert_eq!(committed(&cluster), everywhere(&[]), "readers wait for the one before");
    transactor.reconnect();
    assert_eq!(transactor.end(true), ErrorCode::InvalidProducerIdMapping);
    assert_eq!(write_markers(&cluster, transactor.producer, false), [0, 0, 0]);
    assert_eq!(committed(&cluster), everywhere(&["next"]));
    check_nothing_is_open(&cluster);
}

fn write_markers(cluster: &SharedCluster, (producer_id, producer_epoch): (i64, i16), commit: bool) -> Vec<i16> {
    let mut client = Client::connect(&cluster.borrow());
    let topic =
        write_txn_markers::WritableTxnMarkerTopic { name: TOPIC.into(), partition_indexes: PARTITIONS.to_vec() };
    let marker = write_txn_markers::WritableTxnMarker {
        producer_id,
        producer_epoch,
        transaction_result: commit,
        topics: vec![topic],
        coordinator_epoch: 0,
        transaction_version: 0,
    };
    let answer =
        client.call(cluster, ApiKey::WriteTxnMarkers, 1, &write_txn_markers::Request { markers: vec![marker] });
    let response = write_txn_markers::Response::decode(&mut Reader::new(&answer), 1).unwrap();
    response.markers[0].topics[0].partitions.iter().map(|partition| partition.error_code).collect()
}
