//! The controller without shards: what it shows, and whom it tells.

use std::collections::BTreeSet;
use std::mem;
use std::sync::{Arc, Mutex};

use super::*;
use crate::config::Layers;
use crate::io::environment::fixed;
use crate::io::simulated_disk::SimulatedDisk;
use crate::metadata::{ConfigChange, DeleteTopic, NewPartitions, NewTopic, Operation, ResourceChanges, ResourceType};
use crate::model::{TimestampMs, Uuid};

const REPLY: ReplyTo = ReplyTo { shard: 3, key: 7 };

/// Everything that the shards were told.
#[derive(Default)]
struct Told {
    answers: Vec<(ReplyTo, Result<Answered, ErrorCode>)>,
    changed: Vec<BTreeSet<u64>>,
}

#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Told>>);

impl Audience for Listener {
    fn answer(&self, to: ReplyTo, answer: Result<Answered, ErrorCode>) {
        self.0.lock().unwrap().answers.push((to, answer));
    }

    fn tell_changed(&self, partitions: &BTreeSet<u64>) {
        self.0.lock().unwrap().changed.push(partitions.clone());
    }
}

struct Broker {
    controller: Controller,
    told: Listener,
}

impl Broker {
    fn start(disk: &SimulatedDisk) -> Broker {
        let overrides = [("log.dirs", "/data,/other"), ("metadata.log.dir", "/data")];
        let overrides = overrides.map(|(key, value)| (key.to_string(), value.to_string())).into();
        let (config, _) = Config::load(&Layers { overrides, ..Layers::default() }).unwrap();
        let environment = fixed::environment(TimestampMs(1_700_000_000_000));
        let mut controller = Controller::open(Arc::new(disk.clone()), &config, "test", environment).unwrap();
        controller.register(&config, Vec::new()).unwrap();
        let told = Listener::default();
        controller.announce_to(Box::new(told.clone()));
        Broker { controller, told }
    }

    fn view(&self) -> Arc<View> {
        self.controller.published().load_full()
    }

    fn take_answers(&self) -> Vec<Result<Answered, ErrorCode>> {
        let answers = mem::take(&mut self.told.0.lock().unwrap().answers);
        assert!(answers.iter().all(|(to, _)| *to == REPLY));
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Makes a change, which succeeds; the numbers of the partitions that were told of it.
    fn change(&mut self, change: Change) -> BTreeSet<u64> {
        self.controller.step(vec![Task::Change { change, reply: REPLY }]);
        assert!(matches!(self.take_answers().as_slice(), [Ok(Answered::Change(_))]));
        self.take_changed()
    }

    fn take_changed(&self) -> BTreeSet<u64> {
        mem::take(&mut self.told.0.lock().unwrap().changed).into_iter().flatten().collect()
    }

    /// The numbers of a topic's partitions.
    fn numbers(&self, topic: &str) -> BTreeSet<u64> {
        let view = self.view();
        let hosted = view.hosted(view.topic(topic).unwrap().id).unwrap();
        hosted.iter().flatten().map(|partition| partition.number).collect()
    }
}

fn create(name: &str, num_partitions: i32) -> Change {
    let (name, assignments, configs) = (name.into(), Vec::new(), Vec::new());
    let topic = NewTopic { name, num_partitions, replication_factor: 1, assignments, configs };
    Change::CreateTopics { topics: vec![topic], validate_only: false }
}

/// Moves `a-0` to the directory where it is not.
fn move_away(broker: &Broker) -> Task {
    let view = broker.view();
    let partition = view.partition_by_name("a", 0).unwrap();
    let elsewhere = broker.controller.directories();
    let to = elsewhere.iter().find(|directory| !directory.holds(&partition.log)).unwrap();
    let log_dir = to.absolute_path().to_string_lossy().into_owned();
    Task::Move { moves: vec![Move { topic: "a".into(), partition: 0, log_dir }], reply: REPLY }
}

/// Whatever makes the controller publish again.
#[test]
fn what_is_not_committed_is_never_shown() {
    let disk = SimulatedDisk::default();
    let mut broker = Broker::start(&disk);
    broker.change(create("a", 1));
    let shown = broker.view().image.clone();
    let create_b = || Task::Change { change: create("b", 1), reply: REPLY };
    let (first, second) = (move_away(&broker), move_away(&broker));
    disk.fail_syncs(true);
    // The move publishes in the same step, after the failure.
    assert!(!broker.controller.step(vec![create_b(), first]));
    assert_eq!(broker.take_answers()[0], Err(ErrorCode::KafkaStorageError));
    assert_eq!(broker.view().image, shown);
    disk.fail_syncs(false);
    let key = TopicIdPartition { topic_id: shown.topic("a").unwrap().id, index: 0 };
    broker.controller.step(vec![create_b(), second, Task::Copied(key), Task::DirectoryChanged]);
    assert_eq!(broker.take_answers()[0], Err(ErrorCode::KafkaStorageError), "a sync is never tried again");
    assert_eq!(broker.view().image, shown);
}

/// A request that waits for a topic is not polled because of another one.
#[test]
fn a_change_is_told_to_those_who_wait_for_its_topic() {
    let mut broker = Broker::start(&SimulatedDisk::default());
    broker.change(create("a", 2));
    let a = broker.numbers("a");
    assert_eq!(a.len(), 2);
    assert_eq!(broker.change(create("b", 3)), BTreeSet::new(), "nothing can wait for what was not there");
    let config = ConfigChange { name: "retention.ms".into(), operation: Some(Operation::Set), value: Some("1".into()) };
    let change_configs = |resource_type: ResourceType, resource_name: &str| {
        let (resource_name, changes) = (resource_name.into(), vec![config.clone()]);
        let changes = ResourceChanges { resource_type: resource_type as i8, resource_name, changes };
        Change::IncrementalAlterConfigs { resources: vec![changes], validate_only: false }
    };
    assert_eq!(broker.change(change_configs(ResourceType::Topic, "a")), a);
    let more = NewPartitions { name: "a".into(), count: 3, assignments: None };
    assert_eq!(broker.change(Change::CreatePartitions { topics: vec![more], validate_only: false }), a);
    let a = broker.numbers("a");
    assert_eq!(a.len(), 3);
    assert_eq!(broker.change(Change::AllocateProducerIds { broker_id: 1 }), BTreeSet::new());
    let delete = DeleteTopic { name: Some("a".into()), id: Uuid::ZERO };
    assert_eq!(broker.change(Change::DeleteTopics { topics: vec![delete] }), a, "a fetch of it must be answered");
}

#[test]
fn a_directory_that_fails_is_told_to_those_who_wait_for_what_is_in_it() {
    let mut broker = Broker::start(&SimulatedDisk::default());
    broker.change(create("a", 4));
    let directories = broker.controller.directories();
    let view = broker.view();
    let in_it: BTreeSet<u64> =
        view.partitions().filter(|partition| directories[1].holds(&partition.log)).map(|p| p.number).collect();
    assert_eq!(in_it.len(), 2);
    directories[1].health().fail(&"it is broken");
    assert!(broker.controller.step(vec![Task::DirectoryChanged]));
    assert_eq!(broker.take_changed(), in_it);
}
