//! Coordinators of groups beside a log on a simulated disk: what is loaded, what is refused, what a transaction leaves.

use std::sync::mpsc::{Sender, channel};

use arc_swap::ArcSwap;

use super::keeper::{Keeper, Reports, Task};
use super::*;
use crate::config::Config;
use crate::coordinator::machine;
use crate::coordinator::offsets::{Commit, CommitPartition, CommitTopic, Fetch, FetchTopic};
use crate::coordinator::step::Step;
use crate::coordinator::transactions::{InitProducerId, TransactionCommand, Transactions};
use crate::io::environment::fixed;
use crate::io::simulated_disk::SimulatedDisk;
use crate::model::Uuid;
use crate::model::{LeaderEpoch, Offset, PartitionIndex, TopicId};
use crate::record::validate::Rules;
use crate::replica::view::View;
use crate::stdx::inbox::Tasks;
use crate::storage::log::{Admission, Checkpointed, Identity, Log, LogConfig};

/// The coordinators, and the other end of their tasks.
fn registry() -> (Coordinators, Tasks<Task>) {
    Coordinators::new(Config::defaults(), fixed::environment(TimestampMs(0)), Arc::default())
}

const ADDED: Admission = Admission::Added;
const MOMENT: Moment = Moment { now: Instant(0), wall: TimestampMs(1_767_225_600_000) };

fn partition(config: LogConfig) -> Arc<Partition> {
    partition_of(GROUPS_TOPIC, config)
}

fn partition_of(topic: &str, config: LogConfig) -> Arc<Partition> {
    let identity = Identity { topic: topic.into(), partition: PartitionIndex(0), topic_id: Uuid::ONE };
    let (disk, checkpointed) = (Arc::new(SimulatedDisk::default()), Checkpointed::default());
    let log = Log::open(disk, format!("{topic}-0").into(), config, identity, checkpointed, MOMENT.wall).unwrap();
    Arc::new(Partition::new(1, log, LeaderEpoch(0), Rules::default()))
}

fn request(note: &str) -> Commit<'_> {
    let commit = CommitPartition { partition: 3, offset: 42, leader_epoch: -1, metadata: Some(note) };
    Commit {
        api_version: 9,
        group_id: "g",
        generation_id_or_member_epoch: -1,
        member_id: "",
        instance_id: None,
        retention_time_ms: -1,
        topics: vec![CommitTopic { name: "t", topic_id: TopicId::ZERO, partitions: vec![commit] }],
    }
}

fn commit(coordinator: &Arc<Coordinator>, world: &World<'_>, note: &str) -> Result<Vec<Vec<ErrorCode>>, ErrorCode> {
    let request = request(note);
    let stepped = coordinator.step(world, MOMENT, |groups, step| groups.commit_offsets(step, &request))?;
    stepped.value
}

/// What one coordinator has appended is loaded by the next one before it is written.
#[test]
fn a_successor_finds_what_waits_to_be_written() {
    let partition = partition(LogConfig::default());
    let (coordinators, tasks) = registry();
    let view = View::new("cluster");
    let world = coordinators.world(&view);

    let first = coordinators.of_partition(&partition).unwrap();
    assert_eq!(commit(&first, &world, ""), Ok(vec![vec![ErrorCode::None]]));
    first.end();
    assert_eq!(partition.log.log_end_offset(), Offset(0), "nothing is written");

    let second = coordinators.of_partition(&partition).unwrap();
    assert_eq!(second.look(|_| ()).err(), Some(ErrorCode::CoordinatorLoadInProgress));
    let mut told = tasks.take().into_iter();
    assert!(matches!(told.next(), Some(Task::Ended)), "its keeper hears that it has ended");
    let Some(Task::Load(asked)) = told.next() else { panic!("it is to be loaded") };
    load::load(&asked, &world, MOMENT);
    let (committed, barrier) = (committed(&second), second.look(|_| ()).unwrap().1);
    assert_eq!((committed, barrier.is_passed()), (vec![(3, 42)], Ok(true)));
}

/// Kafka refuses the one request, with this error.
#[test]
fn records_that_no_segment_takes_are_not_tried_again() {
    let partition = partition(LogConfig { segment_bytes: 1024, ..LogConfig::default() });
    let (coordinators, _tasks) = registry();
    let view = View::new("cluster");
    let world = coordinators.world(&view);
    let coordinator = coordinators.of_partition(&partition).unwrap();
    assert_eq!(commit(&coordinator, &world, &"x".repeat(2000)), Err(ErrorCode::UnknownServerError));
    assert!(coordinator.has_ended(), "it shows what is not in the log");
}

/// More tombstones than a segment holds: a sweep that wrote them as one batch would fail with every look.
#[test]
fn a_sweep_writes_as_many_batches_as_it_takes() {
    let partition = partition(LogConfig { segment_bytes: 1024, ..LogConfig::default() });
    let (coordinators, _tasks) = registry();
    let view = View::new("cluster");
    let world = coordinators.world(&view);
    let coordinator = coordinators.of_partition(&partition).unwrap();
    for number in 0..100 {
        let (group, mut request) = (format!("group-{number}"), request(""));
        request.group_id = &group;
        let stepped = coordinator.step(&world, MOMENT, |groups, step| groups.commit_offsets(step, &request)).unwrap();
        assert_eq!(stepped.value, Ok(vec![vec![ErrorCode::None]]));
        partition.write_and_sync(MOMENT.wall);
    }
    let before = partition.log.log_end_offset();
    let year = Duration::from_secs(366 * 24 * 3600);
    let later = Moment { now: MOMENT.now + year, wall: TimestampMs(MOMENT.wall.0 + year.as_millis() as i64) };
    let swept = coordinator.step(&world, later, Kind::sweep).unwrap();
    partition.write_and_sync(later.wall);
    assert_eq!((swept.wrote, swept.barrier.is_passed(), committed(&coordinator)), (true, Ok(true), vec![]));
    assert_eq!(partition.log.log_end_offset().0 - before.0, 200, "a tombstone for each offset and each group");
}

fn committed(coordinator: &Arc<Coordinator>) -> Vec<(i32, i64)> {
    let committed = |groups: &Groups| groups.committed().map(|(_, _, index, offset)| (index, offset)).collect();
    coordinator.look(committed).unwrap().0
}

fn errors(coordinator: &Arc<Coordinator>, require_stable: bool) -> Vec<ErrorCode> {
    let fetch = Fetch {
        group_id: "g",
        member_id: None,
        member_epoch: -1,
        topics: Some(vec![FetchTopic { name: "t", topic_id: TopicId::ZERO, partitions: vec![3] }]),
        require_stable,
    };
    let told = |groups: &Groups| {
        let fetched = groups.fetch_offsets(&fetch).unwrap();
        fetched.iter().flat_map(|topic| topic.partitions.iter().map(|of| of.error)).collect()
    };
    coordinator.look(told).unwrap().0
}

/// What is committed within a transaction waits for its marker, also while the coordinator is loaded anew in between.
#[test]
fn offsets_of_a_transaction_count_when_its_marker_is_there() {
    let producer = Producer { id: 4, epoch: 1 };
    for (reloads, commit, then) in
        [(false, true, vec![(3, 42)]), (true, true, vec![(3, 42)]), (false, false, vec![]), (true, false, vec![])]
    {
        let partition = partition(LogConfig::default());
        let (coordinators, tasks) = registry();
        let view = View::new("cluster");
        let world = coordinators.world(&view);
        let mut coordinator = coordinators.of_partition(&partition).unwrap();
        let request = request("");
        let within = coordinator
            .step_in_transaction(&world, MOMENT, producer, ADDED, |groups, step| groups.commit_offsets(step, &request));
        assert_eq!(within.map(|stepped| stepped.value), Ok(Ok(vec![vec![ErrorCode::None]])));
        if reloads {
            coordinator.end();
            coordinator = coordinators.of_partition(&partition).unwrap();
            let Some(Task::Load(asked)) = tasks.take().into_iter().nth(1) else { panic!("it is to be loaded") };
            load::load(&asked, &world, MOMENT);
        }
        assert_eq!(committed(&coordinator), []);
        assert_eq!(errors(&coordinator, true), [ErrorCode::UnstableOffsetCommit]);
        assert_eq!(errors(&coordinator, false), [ErrorCode::None]);

        let marker = EndTxnMarker { commit, coordinator_epoch: 0 };
        let barrier = coordinator.end_transaction(MOMENT, producer, marker, 0).unwrap();
        assert_eq!((committed(&coordinator), errors(&coordinator, true)), (then.clone(), vec![ErrorCode::None]));
        assert_eq!(barrier.is_passed(), Ok(false), "the marker is not written");
        partition.write_and_sync(MOMENT.wall);
        assert_eq!(barrier.is_passed(), Ok(true));
        coordinator.end();
        let coordinator = coordinators.of_partition(&partition).unwrap();
        load::load(&coordinator, &world, MOMENT);
        assert_eq!(committed(&coordinator), then, "loaded with the marker");
    }
}

/// The log refuses the marker of an older coordinator; the machine has not seen it.
#[test]
fn a_marker_that_is_refused_ends_nothing() {
    let partition = partition(LogConfig::default());
    let (coordinators, _tasks) = registry();
    let view = View::new("cluster");
    let world = coordinators.world(&view);
    let coordinator = coordinators.of_partition(&partition).unwrap();
    let producer = Producer { id: 4, epoch: 1 };
    let end = |epoch, coordinator_epoch| {
        let marker = EndTxnMarker { commit: true, coordinator_epoch };
        coordinator.end_transaction(MOMENT, Producer { epoch, ..producer }, marker, 0).map(drop)
    };
    assert_eq!(end(1, 7), Ok(()));
    let request = request("");
    let commit = |groups: &mut Groups, step: &mut Step<'_>| groups.commit_offsets(step, &request);
    coordinator.step_in_transaction(&world, MOMENT, producer, ADDED, commit).map(drop).unwrap();
    assert_eq!(end(1, 6), Err(ErrorCode::TransactionCoordinatorFenced));
    assert_eq!(end(0, 7), Err(ErrorCode::InvalidProducerEpoch));
    assert_eq!((committed(&coordinator), coordinator.has_ended()), (vec![], false));
    assert_eq!(end(1, 7), Ok(()));
    assert_eq!(committed(&coordinator), [(3, 42)]);
}

/// The log is asked before the machine steps: a refusal costs nothing, and the machine has not seen the commit.
#[test]
fn a_step_in_a_transaction_that_the_log_refuses_does_not_happen() {
    let partition = partition(LogConfig::default());
    let (coordinators, _tasks) = registry();
    let view = View::new("cluster");
    let world = coordinators.world(&view);
    let coordinator = coordinators.of_partition(&partition).unwrap();
    let request = request("");
    let commit = |epoch, admission| {
        let work = |groups: &mut Groups, step: &mut Step<'_>| groups.commit_offsets(step, &request);
        coordinator.step_in_transaction(&world, MOMENT, Producer { id: 4, epoch }, admission, work).map(|s| s.wrote)
    };
    let end = |epoch, version| {
        let marker = EndTxnMarker { commit: true, coordinator_epoch: 0 };
        coordinator.end_transaction(MOMENT, Producer { id: 4, epoch }, marker, version).map(drop)
    };
    assert_eq!(commit(1, Admission::None), Err(ErrorCode::InvalidTxnState));
    assert_eq!(
        (errors(&coordinator, true), coordinator.has_ended()),
        (vec![ErrorCode::None], false),
        "none is pending"
    );
    assert_eq!(commit(1, Admission::Verified), Ok(true));
    assert_eq!(commit(1, Admission::None), Ok(true), "it is open");
    for admission in [Admission::None, ADDED] {
        assert_eq!(commit(0, admission), Err(ErrorCode::InvalidProducerEpoch));
    }
    assert_eq!(commit(2, Admission::None), Err(ErrorCode::InvalidTxnState), "it is of another epoch");
    assert_eq!(end(1, 2), Err(ErrorCode::InvalidProducerEpoch), "the marker has an epoch of its own");
    assert_eq!((committed(&coordinator), coordinator.has_ended()), (vec![], false));
    assert_eq!(end(2, 2), Ok(()));
    assert_eq!((committed(&coordinator), coordinator.has_ended()), (vec![(3, 42)], false));
    assert_eq!(end(2, 2), Ok(()), "the marker comes again");
    assert_eq!(commit(2, Admission::None), Err(ErrorCode::InvalidTxnState), "it has ended");
    partition.log.set_offline();
    assert_eq!(commit(2, ADDED), Err(ErrorCode::NotCoordinator));
}

/// A keeper's reports, as far as they are of timers.
struct DueSooner(Sender<Instant>);

impl Reports<Transactions> for DueSooner {
    fn progress(&self, _: &Partition) {}

    fn due_sooner(&self, coordinator: &TransactionCoordinator) {
        self.0.send(coordinator.deadline()).unwrap();
    }

    fn command(&self, _: &Arc<TransactionCoordinator>, _: TransactionCommand, _: Barrier) {}
}

/// The shard that minds a coordinator's timers may sleep while the keeper loads it: no client need come.
#[test]
fn the_timers_of_what_is_loaded_are_told() {
    let partition = partition_of(TRANSACTIONS_TOPIC, LogConfig::default());
    let (environment, producer_ids) = (fixed::environment(MOMENT.wall), Arc::new(ProducerIds::default()));
    producer_ids.add(0..1);
    let (coordinators, _tasks) = TransactionCoordinators::new(Config::defaults(), environment.clone(), producer_ids);
    let (coordinators, view) = (Arc::new(coordinators), Arc::new(ArcSwap::from_pointee(View::new("cluster"))));
    let begin = |machine: &mut Transactions, step: &mut crate::coordinator::transactions::Step<'_>| {
        let (enable_two_phase, keep_prepared, expected) = (false, false, None);
        let timeout_ms = 60_000;
        let init = InitProducerId { transactional_id: "id", timeout_ms, enable_two_phase, keep_prepared, expected };
        let producer = machine.init_producer_id(step, &init).unwrap();
        machine.add_partitions(step, "id", producer, &[("t".into(), 3)], 2).map(drop)
    };
    let first = coordinators.of_partition(&partition).unwrap();
    let begun = first.step(&coordinators.world(&view.load()), MOMENT, begin);
    assert_eq!(begun.map(|stepped| stepped.value), Ok(Ok(())));
    first.end();

    let second = coordinators.of_partition(&partition).unwrap();
    let (told, heard) = channel();
    let mut keeper = Keeper::new(view, coordinators, environment, Box::new(DueSooner(told)));
    keeper.step(vec![Task::Load(second.clone())], MOMENT.now);
    assert_eq!(heard.try_recv(), Ok(second.deadline()));
    assert_ne!(second.deadline(), Instant::NEVER, "a transaction is open");
}

/// Each client that asks again would have the whole log read again.
#[test]
fn a_log_that_cannot_be_read_is_left_alone_for_a_while() {
    let partition = partition(LogConfig::default());
    let (coordinators, tasks) = registry();
    let view = View::new("cluster");
    let world = coordinators.world(&view);
    let cut = machine::Record { key: b"\0\x01\0".to_vec(), value: None };
    let how = How { is_divisible: false, within: None, codec: Groups::codec(&world.resolved) };
    append::append(&partition, &[cut], how, MOMENT.wall).unwrap();
    partition.write_and_sync(MOMENT.wall);

    let first = coordinators.of_partition(&partition).unwrap();
    assert!(load::load(&first, &world, MOMENT).is_none() && first.has_ended());
    assert_eq!(coordinators.of_partition(&partition).err(), Some(ErrorCode::NotCoordinator));
    let again = MOMENT.now + LOAD_AGAIN;
    assert_eq!(coordinators.next_rest_end(MOMENT.now), again, "its keeper comes then");
    assert_eq!(coordinators.next_rest_end(again), Instant::NEVER, "it may be read");
    let loads = tasks.take().into_iter().filter(|task| matches!(task, Task::Load(_))).count();
    assert_eq!(loads, 1);

    partition.lead_in(LeaderEpoch(1)).unwrap();
    let second = coordinators.of_partition(&partition).expect("another leadership begins anew");
    assert!(!Arc::ptr_eq(&first, &second));
}
