//! Elections and reassignments: what is refused, with Apache Kafka's sentences, and which records come of the rest.

use crate::config::Config;
use crate::metadata::bootstrap::{fence_broker, register_broker};
use crate::metadata::decision::Decisions;
use crate::metadata::elections::{ElectionType, elect_leaders};
use crate::metadata::reassignments::{Reassignment, alter_partition_reassignments};
use crate::metadata::record::PartitionChangeRecord;
use crate::metadata::tests::{DIRECTORIES, assigned, commit, create, fresh, registration, topic};
use crate::metadata::topics::create_partitions;
use crate::metadata::*;
use crate::model::ErrorCode;

/// Brokers 1 to 3, and a topic `t` whose partition 0 is on 1, 2 and 3, partition 1 on broker 1.
fn cluster() -> Image {
    let mut image = fresh();
    for id in [2, 3] {
        let next = image.offset() + 1;
        let records = register_broker(&image, &registration(id, &DIRECTORIES[1..]), next, true);
        commit(&mut image, &records);
    }
    let created = create(&image, &[assigned("t", &[(0, &[1, 2, 3]), (1, &[1, 2, 3])])], false);
    commit(&mut image, &created.records);
    let alone = PartitionChangeRecord {
        replicas: Some(vec![1]),
        isr: Some(vec![1]),
        directories: Some(vec![DIRECTORIES[0]]),
        ..Default::default()
    };
    change(&mut image, 1, alone);
    image
}

fn partition(image: &Image, index: i32) -> Partition {
    (**image.topic("t").unwrap().partition(index).unwrap()).clone()
}

fn change(image: &mut Image, index: i32, change: PartitionChangeRecord) {
    let topic_id = image.topic("t").unwrap().id;
    commit(image, &[Record::PartitionChange(PartitionChangeRecord { partition_id: index, topic_id, ..change })]);
}

fn fence(image: &mut Image, id: i32) {
    let records = fence_broker(image, id);
    commit(image, &records);
}

/// How many of them are unclean, as the broker counts them.
fn unclean_elections(image: &Image, records: &[Record<'_>]) -> usize {
    records.iter().filter(|record| is_unclean_election(record, image)).count()
}

fn settle<T>(image: &mut Image, decision: Decisions<T>) -> Vec<T> {
    commit(image, &decision.records);
    decision.results
}

fn elect(image: &mut Image, election: ElectionType, index: i32) -> Result<(), Refusal> {
    let (config, none) = (Config::defaults(), Configs::new());
    let asked = [("t".to_string(), vec![index])];
    let decision = elect_leaders(image, &config.settings(&none, &none), election, Some(&asked));
    settle(image, decision).remove(0).partitions.remove(0).1
}

fn assign(image: &mut Image, index: i32, replicas: Option<&[i32]>, allows_other_factor: bool) -> Result<(), Refusal> {
    let (config, none) = (Config::defaults(), Configs::new());
    let wanted = vec![Reassignment { partition: index, replicas: replicas.map(<[i32]>::to_vec) }];
    let asked = [("t".to_string(), wanted)];
    let decision = alter_partition_reassignments(image, &config.settings(&none, &none), &asked, allows_other_factor);
    settle(image, decision).remove(0).partitions.remove(0).1
}

fn refused(error: ErrorCode, message: &str) -> Result<(), Refusal> {
    Err(Refusal::new(error, message))
}

#[test]
fn the_preferred_replica_is_elected_if_it_is_there() {
    let mut image = cluster();
    let not_needed = refused(ErrorCode::ElectionNotNeeded, "Leader election not needed for topic partition.");
    assert_eq!(elect(&mut image, ElectionType::Preferred, 0), not_needed);
    change(&mut image, 0, PartitionChangeRecord { leader: 2, ..Default::default() });
    assert_eq!(elect(&mut image, ElectionType::Preferred, 0), Ok(()));
    assert_eq!(partition(&image, 0).leader, 1);

    change(&mut image, 0, PartitionChangeRecord { leader: 2, ..Default::default() });
    fence(&mut image, 1);
    let not_available = refused(ErrorCode::PreferredLeaderNotAvailable, "The preferred leader was not available.");
    assert_eq!(elect(&mut image, ElectionType::Preferred, 0), not_available);
    assert_eq!(partition(&image, 0).leader, 2, "who leads goes on");
    // A replica that has fallen behind may not lead either.
    let mut image = cluster();
    change(&mut image, 0, PartitionChangeRecord { leader: 2, isr: Some(vec![2, 3]), ..Default::default() });
    assert_eq!(elect(&mut image, ElectionType::Preferred, 0), not_available);
}

#[test]
fn an_unclean_election_takes_who_is_there() {
    let mut image = cluster();
    let not_needed = refused(ErrorCode::ElectionNotNeeded, "Leader election not needed for topic partition.");
    assert_eq!(elect(&mut image, ElectionType::Unclean, 0), not_needed);
    // Broker 3 had everything, and is gone.
    fence(&mut image, 3);
    change(&mut image, 0, PartitionChangeRecord { leader: NO_LEADER, isr: Some(vec![3]), ..Default::default() });
    let (config, none) = (Config::defaults(), Configs::new());
    let asked = [("t".to_string(), vec![0])];
    let decided = elect_leaders(&image, &config.settings(&none, &none), ElectionType::Unclean, Some(&asked));
    assert_eq!(unclean_elections(&image, &decided.records), 1);
    let not_available = refused(ErrorCode::PreferredLeaderNotAvailable, "The preferred leader was not available.");
    assert_eq!(elect(&mut image, ElectionType::Preferred, 0), not_available, "nothing is lost by a clean election");
    assert_eq!(elect(&mut image, ElectionType::Unclean, 0), Ok(()));
    let after = partition(&image, 0);
    assert_eq!((after.leader, &*after.isr, after.leader_recovery_state), (1, &[1][..], 1));

    let mut image = cluster();
    for id in [1, 2, 3] {
        fence(&mut image, id);
    }
    change(&mut image, 0, PartitionChangeRecord { leader: NO_LEADER, ..Default::default() });
    let message = "Eligible topic partition leaders are not available.";
    assert_eq!(elect(&mut image, ElectionType::Unclean, 0), refused(ErrorCode::EligibleLeadersNotAvailable, message));
}

#[test]
fn an_eligible_replica_is_elected_where_the_isr_is_empty() {
    let mut image = cluster();
    let lost = PartitionChangeRecord {
        leader: NO_LEADER,
        isr: Some(Vec::new()),
        eligible_leader_replicas: Some(vec![2]),
        ..Default::default()
    };
    change(&mut image, 0, lost);
    let (config, none) = (Config::defaults(), Configs::new());
    let decided = elect_leaders(&image, &config.settings(&none, &none), ElectionType::Unclean, None);
    assert_eq!((decided.records.len(), unclean_elections(&image, &decided.records)), (1, 0), "it has every record");
    assert_eq!(elect(&mut image, ElectionType::Unclean, 0), Ok(()));
    let after = partition(&image, 0);
    assert_eq!((after.leader, &*after.isr, after.leader_recovery_state), (2, &[2][..], 0), "no record is lost");
    assert!(after.eligible_leader_replicas.is_empty());
}

#[test]
fn elections_of_what_is_not_there() {
    let mut image = cluster();
    let unknown = |message: &str| refused(ErrorCode::UnknownTopicOrPartition, message);
    assert_eq!(elect(&mut image, ElectionType::Preferred, 9), unknown("No such partition as t-9"));
    let (config, none) = (Config::defaults(), Configs::new());
    let settings = config.settings(&none, &none);
    let asked = [("missing".to_string(), vec![0])];
    let elected = elect_leaders(&image, &settings, ElectionType::Unclean, Some(&asked)).results;
    assert_eq!(elected[0].partitions, [(0, unknown("No such topic as missing"))]);
    // Of all partitions those are told that have changed, or could not.
    let elected = elect_leaders(&image, &settings, ElectionType::Preferred, None);
    assert_eq!((elected.records, elected.results), (vec![], vec![Elected { topic: "t".into(), partitions: vec![] }]));
}

#[test]
fn assignments_that_may_not_be_are_refused() {
    let mut image = cluster();
    use ErrorCode::{
        InvalidReplicaAssignment, InvalidReplicationFactor, NoReassignmentInProgress, UnknownTopicOrPartition,
    };
    let table: [(i32, Option<&[i32]>, ErrorCode, &str); 6] = [
        (
            1,
            Some(&[9]),
            InvalidReplicaAssignment,
            "The manual partition assignment includes broker 9, but no such broker is registered.",
        ),
        (
            1,
            Some(&[1, 1]),
            InvalidReplicaAssignment,
            "The manual partition assignment includes the broker 1 more than once.",
        ),
        (1, Some(&[]), InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list."),
        (1, Some(&[1, 2]), InvalidReplicationFactor, "The replication factor is changed from 1 to 2"),
        (9, Some(&[1]), UnknownTopicOrPartition, "Unable to find partition t:9."),
        (9, None, UnknownTopicOrPartition, "Unable to find partition t:9."),
    ];
    let before = image.clone();
    for (index, replicas, error, message) in table {
        assert_eq!(assign(&mut image, index, replicas, false), refused(error, message), "{replicas:?}");
    }
    assert_eq!(assign(&mut image, 1, None, true), Err(Refusal::of(NoReassignmentInProgress)));
    assert_eq!(assign(&mut image, 1, Some(&[1]), false), Ok(()), "what is so already");
    assert_eq!(image, before);
}

#[test]
fn replicas_are_given_up_and_reordered_at_once() {
    let mut image = cluster();
    assert_eq!(assign(&mut image, 0, Some(&[3, 1, 2]), false), Ok(()));
    let after = partition(&image, 0);
    assert_eq!((&*after.replicas, after.leader, after.leader_epoch), (&[3, 1, 2][..], 1, 0));
    assert_eq!(&*after.directories, [DIRECTORIES[1], DIRECTORIES[0], DIRECTORIES[1]], "each replica stays where it is");
    assert_eq!(assign(&mut image, 0, Some(&[2]), true), Ok(()));
    let after = partition(&image, 0);
    assert_eq!((&*after.replicas, &*after.isr, after.leader, after.leader_epoch), (&[2][..], &[2][..], 2, 1));
    assert_eq!((&*after.removing_replicas, &*after.directories), (&[][..], &DIRECTORIES[1..]));
}

#[test]
fn a_reassignment_waits_for_its_replicas_and_can_be_given_up() {
    let mut image = cluster();
    let before = partition(&image, 1);
    assert_eq!(assign(&mut image, 1, Some(&[2]), false), Ok(()));
    let moving = partition(&image, 1);
    assert_eq!((&*moving.replicas, &*moving.adding_replicas), (&[2, 1][..], &[2][..]));
    assert_eq!((&*moving.removing_replicas, moving.leader, &*moving.isr), (&[1][..], 1, &[1][..]));
    assert_eq!(assign(&mut image, 1, Some(&[3]), false), Ok(()), "the factor is counted without what is moved");
    assert_eq!(assign(&mut image, 1, None, true), Ok(()));
    let after = partition(&image, 1);
    assert!(after.adding_replicas.is_empty() && after.removing_replicas.is_empty());
    assert_eq!((&after.isr, after.leader), (&before.isr, 1));
}

/// With only replicas left that are being added, giving up would lose records.
#[test]
fn a_reassignment_is_not_given_up_at_the_price_of_records() {
    let mut image = cluster();
    assert_eq!(assign(&mut image, 1, Some(&[2]), false), Ok(()));
    change(&mut image, 1, PartitionChangeRecord { isr: Some(vec![2]), leader: 2, ..Default::default() });
    let message = "Unable to revert partition assignment for t:1 because it would require an unclean leader election.";
    assert_eq!(assign(&mut image, 1, None, true), refused(ErrorCode::InvalidReplicaAssignment, message));
}

fn refusal<T: std::fmt::Debug>(mut decision: Decisions<TopicResult<T>>) -> (ErrorCode, String) {
    let refusal = decision.results.remove(0).result.unwrap_err();
    (refusal.error, refusal.message.unwrap())
}

/// Apache Kafka 4.3.1's sentences about brokers that new partitions cannot have.
#[test]
fn new_partitions_are_refused_in_kafkas_words() {
    use ErrorCode::{InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor};
    let image = cluster();
    let new = |topics: NewTopic| refusal(create(&image, &[topics], false));
    let cannot = |why: &str| (InvalidReplicationFactor, format!("Unable to replicate the partition {why}"));
    let too_few = "4 time(s): The target replication factor of 4 cannot be reached because only 3 broker(s) are \
                   registered or some brokers have all their log directories cordoned.";
    assert_eq!(new(topic("u", 1, 4)), cannot(too_few));
    let invalid = |why: &str| (InvalidReplicaAssignment, format!("The manual partition assignment includes {why}"));
    assert_eq!(new(assigned("u", &[(0, &[1, 9])])), invalid("broker 9, but no such broker is registered."));
    assert_eq!(new(assigned("u", &[(0, &[2, 1, 2])])), invalid("the broker 2 more than once."));
    let inconsistent = "a partition with 1 replica(s), but this is not consistent with previous partitions, which have 2 \
                        replica(s).";
    assert_eq!(new(assigned("u", &[(0, &[1, 2]), (1, &[1])])), invalid(inconsistent));

    let more = |image: &Image, count, assignments: Option<Vec<Vec<i32>>>| {
        let wanted = NewPartitions { name: "t".into(), count, assignments };
        refusal(create_partitions(image, &[wanted], false))
    };
    let fewer = "The topic t currently has 2 partition(s); 1 would not be an increase.";
    assert_eq!(more(&image, 1, None), (InvalidPartitions, fewer.into()));
    assert_eq!(more(&image, 2, None), (InvalidPartitions, "Topic already has 2 partition(s).".into()));
    let counted = "Attempted to add 1 additional partition(s), but only 2 assignment(s) were specified.";
    assert_eq!(more(&image, 3, Some(vec![vec![1], vec![2]])), (InvalidReplicaAssignment, counted.into()));

    let mut away = cluster();
    fence(&mut away, 3);
    let fenced = "All brokers specified in the manual partition assignment for partition 0 are fenced or in controlled \
                  shutdown.";
    assert_eq!(
        refusal(create(&away, &[assigned("u", &[(0, &[3])])], false)),
        (InvalidReplicaAssignment, fenced.into())
    );
    fence(&mut away, 1);
    fence(&mut away, 2);
    let none = "All brokers are currently fenced, or have all their log directories cordoned.";
    assert_eq!(refusal(create(&away, &[topic("u", 1, 1)], false)), cannot(&format!("1 time(s): {none}")));
    assert_eq!(more(&away, 3, None), (InvalidReplicationFactor, none.into()));
}

/// A broker whose log directories are all cordoned gets no new partitions.
#[test]
fn cordoned_brokers_get_no_partitions() {
    let mut image = cluster();
    for id in [2, 3] {
        let broker = image.broker(id).unwrap();
        let cordon = record::BrokerRegistrationChangeRecord {
            broker_id: id,
            broker_epoch: broker.epoch,
            cordoned_log_dirs: Some(broker.log_dirs.clone()),
            ..Default::default()
        };
        commit(&mut image, &[Record::BrokerRegistrationChange(cordon)]);
    }
    let message = "The manual partition assignment includes broker 2, but all its log directories are cordoned.";
    let refused = refusal(create(&image, &[assigned("u", &[(0, &[2])])], false));
    assert_eq!(refused, (ErrorCode::InvalidReplicaAssignment, message.into()));
    let created = create(&image, &[topic("u", 6, 1)], false);
    let replicas = created.records.iter().filter_map(|record| match record {
        Record::Partition(partition) => Some(partition.replicas.as_slice()),
        _ => None,
    });
    assert!(replicas.into_iter().all(|replicas| replicas == [1]));
    assert_eq!(refusal(create(&image, &[topic("v", 1, 2)], false)).0, ErrorCode::InvalidReplicationFactor);
}
