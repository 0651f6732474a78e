//! An administrator: topics that come and go, partitions that are added, records that are deleted, configs that change,
//! logs that move; and looks at the metadata, which must say what the administrator was told.
//!
//! Each has topics of its own to make and to delete, and is the only one that changes some of those that stay: so it knows
//! what must be.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    AlterReplicaLogDirsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest,
    DeleteTopicsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, MetadataRequest, TopicName,
};
use uuid::Uuid;

use super::history::Object;
use super::scene::{Actor, Known, Scene, text};
use super::wire::{Got, Wire, decode};
use crate::model::{ErrorCode, Instant};

pub(super) const CREATE_TOPICS: i16 = 7;
const DELETE_TOPICS: i16 = 6;
const CREATE_PARTITIONS: i16 = 3;
const DELETE_RECORDS: i16 = 2;
pub(super) const ALTER_CONFIGS: i16 = 1;
const DESCRIBE_CONFIGS: i16 = 4;
const ALTER_LOG_DIRS: i16 = 2;
const METADATA: i16 = 12;
const TOPIC_RESOURCE: i8 = 2;
/// What is changed and looked at again.
const CONFIG: &str = "max.message.bytes";
const PATIENCE_MS: u64 = 15_000;
const MAX_PARTITIONS: i32 = 6;
const TOPICS_OF_ITS_OWN: u64 = 3;

/// What is known of a topic that comes and goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Absent,
    There(Uuid),
    /// A request had no clear answer.
    Unknown,
}

#[derive(Clone, Debug)]
enum Asked {
    Create(String),
    Delete(String),
    Grow(usize, i32),
    DeleteRecords(usize, i32, i64),
    Alter(usize, String),
    DescribeConfig(usize),
    Move,
    /// How many partitions each topic that stays had when it was asked.
    Metadata(Vec<i32>),
}

/// See the module.
pub(super) struct Admin {
    number: usize,
    admins: usize,
    may_move: bool,
    wire: Wire,
    asked: Option<Asked>,
    fates: BTreeMap<String, Fate>,
    /// Requests that were lost on their way or on the way back: they may still come, at any time, once.
    ghosts: Vec<Asked>,
    /// The config of each topic as it was set, `None` where a request had no clear answer.
    configs: BTreeMap<usize, Option<String>>,
    due: Instant,
}

/// A topic to be created.
pub(super) fn creatable(name: &str, partitions: i32, configs: &[(String, String)]) -> CreatableTopic {
    let config = |(name, value): &(String, String)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(configs.iter().map(config).collect())
}

/// A config of a topic to be set.
pub(super) fn alteration(topic: &str, config: &str, value: &str) -> IncrementalAlterConfigsRequest {
    let config = AlterableConfig::default().with_name(text(config)).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(TOPIC_RESOURCE)
        .with_resource_name(text(topic))
        .with_configs(vec![config]);
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
}

impl Admin {
    pub(super) fn new(number: usize, admins: usize, may_move: bool) -> Admin {
        let fates = (0..TOPICS_OF_ITS_OWN).map(|n| (format!("of-admin-{number}-{n}"), Fate::Absent)).collect();
        let (wire, ghosts, configs) = (Wire::default(), Vec::new(), BTreeMap::new());
        Admin { number, admins, may_move, wire, asked: None, fates, ghosts, configs, due: Instant(0) }
    }

    fn note(&self, scene: &mut Scene<'_>, name: &str, what: impl FnOnce() -> String) {
        scene.history.note(|| Object::Topic(name.to_string()), || format!("admin {}: {}", self.number, what()));
    }

    fn ask(&mut self, scene: &mut Scene<'_>) {
        self.due = scene.some_time(0, 400);
        let topic = scene.random.below(scene.topics.len() as u64) as usize;
        let is_mine = topic % self.admins == self.number;
        self.asked = match scene.random.below(10) {
            _ if scene.is_resting => self.ask_metadata(scene),
            0 | 1 => self.come_or_go(scene),
            2 if is_mine => self.grow(scene, topic),
            3 | 4 if !scene.topics[topic].plan.is_compacted => self.delete_records(scene, topic),
            5 if is_mine => self.alter(scene, topic),
            6 if is_mine => self.describe(scene, topic),
            7 if self.may_move => self.move_log(scene, topic),
            _ => self.ask_metadata(scene),
        };
    }

    fn come_or_go(&mut self, scene: &mut Scene<'_>) -> Option<Asked> {
        let at = scene.random.below(self.fates.len() as u64) as usize;
        let (name, fate) = self.fates.iter().nth(at).map(|(name, fate)| (name.clone(), *fate))?;
        self.note(scene, &name, || format!("{fate:?}, asks to change that"));
        if let Fate::There(_) = fate {
            let state = DeleteTopicState::default().with_name(Some(TopicName(text(&name))));
            let request = DeleteTopicsRequest::default().with_timeout_ms(5000).with_topics(vec![state]);
            return self.wire.post(scene, DELETE_TOPICS, &request).map(|_| Asked::Delete(name));
        }
        let topics = vec![creatable(&name, 1 + scene.random.below(3) as i32, &[])];
        let request = CreateTopicsRequest::default().with_timeout_ms(5000).with_topics(topics);
        self.wire.post(scene, CREATE_TOPICS, &request).map(|_| Asked::Create(name))
    }

    fn grow(&mut self, scene: &mut Scene<'_>, topic: usize) -> Option<Asked> {
        let known = scene.topics[topic].clone();
        let count = known.partitions + 1;
        if count > MAX_PARTITIONS {
            return None;
        }
        let name = TopicName(text(&known.plan.name));
        let wanted = CreatePartitionsTopic::default().with_name(name).with_count(count).with_assignments(None);
        let request = CreatePartitionsRequest::default().with_timeout_ms(5000).with_topics(vec![wanted]);
        self.wire.post(scene, CREATE_PARTITIONS, &request).map(|_| Asked::Grow(topic, count))
    }

    fn delete_records(&mut self, scene: &mut Scene<'_>, topic: usize) -> Option<Asked> {
        let known = scene.topics[topic].clone();
        let partition = scene.random.below(known.partitions as u64) as i32;
        let records = scene.oracle.records((known.id, partition));
        let (from, end) = (records.deleted_up_to(), records.promised_end());
        if from >= end {
            return None;
        }
        let offset = from + scene.random.below((end - from) as u64 + 1) as i64;
        scene.oracle.records((known.id, partition)).wants_deletion(offset);
        let wanted = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
        let name = TopicName(text(&known.plan.name));
        let wanted = DeleteRecordsTopic::default().with_name(name).with_partitions(vec![wanted]);
        let request = DeleteRecordsRequest::default().with_timeout_ms(5000).with_topics(vec![wanted]);
        scene.history.note(|| known.object(partition), || format!("deletion up to {offset} is asked for"));
        self.wire.post(scene, DELETE_RECORDS, &request).map(|_| Asked::DeleteRecords(topic, partition, offset))
    }

    fn alter(&mut self, scene: &mut Scene<'_>, topic: usize) -> Option<Asked> {
        let value = (1_000_000 + scene.random.below(1000)).to_string();
        let request = alteration(&scene.topics[topic].plan.name, CONFIG, &value);
        self.wire.post(scene, ALTER_CONFIGS, &request).map(|_| Asked::Alter(topic, value))
    }

    fn describe(&mut self, scene: &mut Scene<'_>, topic: usize) -> Option<Asked> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC_RESOURCE)
            .with_resource_name(text(&scene.topics[topic].plan.name))
            .with_configuration_keys(Some(vec![text(CONFIG)]));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        self.wire.post(scene, DESCRIBE_CONFIGS, &request).map(|_| Asked::DescribeConfig(topic))
    }

    fn move_log(&mut self, scene: &mut Scene<'_>, topic: usize) -> Option<Asked> {
        let known = scene.topics[topic].clone();
        let partition = scene.random.below(known.partitions as u64) as i32;
        let name = TopicName(text(&known.plan.name));
        let wanted = AlterReplicaLogDirTopic::default().with_name(name).with_partitions(vec![partition]);
        let path = ["data", "other"][scene.random.below(2) as usize];
        let wanted = AlterReplicaLogDir::default().with_path(text(path)).with_topics(vec![wanted]);
        let request = AlterReplicaLogDirsRequest::default().with_dirs(vec![wanted]);
        scene.history.note(|| known.object(partition), || format!("a move to {path} is asked for"));
        self.wire.post(scene, ALTER_LOG_DIRS, &request).map(|_| Asked::Move)
    }

    fn ask_metadata(&mut self, scene: &mut Scene<'_>) -> Option<Asked> {
        let topic = |name: &String| MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
        let names = scene.topics.iter().map(|known| &known.plan.name).chain(self.fates.keys());
        let topics = names.map(topic).collect();
        let request = MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false);
        let counts = scene.topics.iter().map(|known| known.partitions).collect();
        self.wire.post(scene, METADATA, &request).map(|_| Asked::Metadata(counts))
    }

    /// Whoever has asked something that was not answered cannot know what became of it.
    fn lose(&mut self) {
        let Some(asked) = self.asked.take() else { return };
        match &asked {
            Asked::Create(name) | Asked::Delete(name) => drop(self.fates.insert(name.clone(), Fate::Unknown)),
            Asked::Alter(topic, _) => drop(self.configs.insert(*topic, None)),
            _ => return,
        }
        self.ghosts.push(asked);
    }

    /// Whether a lost request explains what is shown.
    fn is_ghost(&self, is_it: impl Fn(&Asked) -> bool) -> bool {
        self.ghosts.iter().any(is_it)
    }

    fn take_in(&mut self, scene: &mut Scene<'_>, body: Bytes) {
        match self.asked.take() {
            None => {}
            Some(Asked::Create(name)) => self.created(scene, name, body),
            Some(Asked::Delete(name)) => self.deleted(scene, name, body),
            Some(Asked::Grow(topic, count)) => grown(scene, topic, count, body),
            Some(Asked::DeleteRecords(topic, partition, up_to)) => {
                records_deleted(scene, (topic, partition), up_to, body)
            }
            Some(Asked::Alter(topic, value)) => self.altered(scene, topic, value, body),
            Some(Asked::DescribeConfig(topic)) => self.described(scene, topic, body),
            Some(Asked::Move) => drop(decode::<AlterReplicaLogDirsRequest>(scene, ALTER_LOG_DIRS, body)),
            Some(Asked::Metadata(counts)) => {
                let Some(response) = decode::<MetadataRequest>(scene, METADATA, body) else { return };
                for topic in response.topics {
                    let name = topic.name.map(|name| name.0.to_string()).unwrap_or_default();
                    let (id, partitions) = (topic.topic_id, topic.partitions.len() as i32);
                    match self.fates.get(&name).copied() {
                        Some(fate) => self.look(scene, &name, fate, (topic.error_code, id)),
                        None => look(scene, &name, (topic.error_code, id, partitions), &counts),
                    }
                }
            }
        }
    }

    fn created(&mut self, scene: &mut Scene<'_>, name: String, body: Bytes) {
        let Some(response) = decode::<CreateTopicsRequest>(scene, CREATE_TOPICS, body) else { return };
        let Some(topic) = response.topics.first() else { return };
        let fate = self.fates.get(&name).copied();
        let next = match ErrorCode::from_code(topic.error_code) {
            Some(ErrorCode::None) => Fate::There(topic.topic_id),
            Some(ErrorCode::TopicAlreadyExists) if fate == Some(Fate::Absent) && !self.may_come(&name) => {
                scene.violated::<()>("a deleted topic is gone", &[Object::Topic(name.clone())], String::new());
                Fate::Unknown
            }
            _ => {
                self.ghosts.push(Asked::Create(name.clone()));
                Fate::Unknown
            }
        };
        self.note(scene, &name, || format!("creation -> {} {next:?}", topic.error_code));
        self.fates.insert(name, next);
    }

    fn deleted(&mut self, scene: &mut Scene<'_>, name: String, body: Bytes) {
        let Some(response) = decode::<DeleteTopicsRequest>(scene, DELETE_TOPICS, body) else { return };
        let code = response.responses.first().map_or(-1, |topic| topic.error_code);
        let next = match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => Fate::Absent,
            Some(ErrorCode::UnknownTopicOrPartition) if !self.may_go(&name) => {
                scene.violated::<()>(
                    "a topic stays until it is deleted",
                    &[Object::Topic(name.clone())],
                    String::new(),
                );
                Fate::Unknown
            }
            _ => {
                self.ghosts.push(Asked::Delete(name.clone()));
                Fate::Unknown
            }
        };
        self.note(scene, &name, || format!("deletion -> {code} {next:?}"));
        self.fates.insert(name, next);
    }

    fn may_come(&self, name: &str) -> bool {
        self.is_ghost(|asked| matches!(asked, Asked::Create(other) if other == name))
    }

    fn may_go(&self, name: &str) -> bool {
        self.is_ghost(|asked| matches!(asked, Asked::Delete(other) if other == name))
    }

    fn look(&mut self, scene: &mut Scene<'_>, name: &str, fate: Fate, (code, id): (i16, Uuid)) {
        let found = match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => Fate::There(id),
            Some(ErrorCode::UnknownTopicOrPartition) => Fate::Absent,
            _ => return,
        };
        self.note(scene, name, || format!("looks: {found:?}"));
        let is_explained = match found {
            Fate::Absent => self.may_go(name),
            _ => self.may_come(name) && (fate == Fate::Absent || self.may_go(name)),
        };
        if fate != Fate::Unknown && fate != found && !is_explained {
            let text = format!("{fate:?} was told, {found:?} is shown");
            scene.violated::<()>("the metadata show what was told", &[Object::Topic(name.to_string())], text);
        }
        self.fates.insert(name.to_string(), found);
    }

    fn altered(&mut self, scene: &mut Scene<'_>, topic: usize, value: String, body: Bytes) {
        let Some(response) = decode::<IncrementalAlterConfigsRequest>(scene, ALTER_CONFIGS, body) else { return };
        let is_done = response.responses.first().is_some_and(|resource| resource.error_code == 0);
        if !is_done {
            self.ghosts.push(Asked::Alter(topic, value.clone()));
        }
        self.configs.insert(topic, is_done.then_some(value));
    }

    fn described(&mut self, scene: &mut Scene<'_>, topic: usize, body: Bytes) {
        let Some(response) = decode::<DescribeConfigsRequest>(scene, DESCRIBE_CONFIGS, body) else { return };
        let found = response.results.first().and_then(|result| result.configs.first()).and_then(|c| c.value.clone());
        let found = found.map(|value| value.to_string());
        match self.configs.get(&topic) {
            Some(Some(told))
                if found.as_ref() != Some(told)
                    && !self.is_ghost(|asked| matches!(asked, Asked::Alter(at, value) if *at == topic && found.as_ref() == Some(value))) =>
            {
                let object = Object::Topic(scene.topics[topic].plan.name.clone());
                scene.violated::<()>("a config that was set is shown", &[object], format!("{told}, {found:?} is shown"));
            }
            Some(_) => drop(self.configs.insert(topic, found)),
            None => {}
        }
    }
}

fn grown(scene: &mut Scene<'_>, topic: usize, count: i32, body: Bytes) {
    let Some(response) = decode::<CreatePartitionsRequest>(scene, CREATE_PARTITIONS, body) else { return };
    if response.results.first().is_some_and(|result| result.error_code == 0) {
        let known = &mut scene.topics[topic];
        known.partitions = known.partitions.max(count);
    }
}

fn records_deleted(scene: &mut Scene<'_>, (topic, partition): (usize, i32), up_to: i64, body: Bytes) {
    let Some(response) = decode::<DeleteRecordsRequest>(scene, DELETE_RECORDS, body) else { return };
    let result = response.topics.first().and_then(|topic| topic.partitions.first());
    let Some((code, low)) = result.map(|result| (result.error_code, result.low_watermark)) else { return };
    let known = scene.topics[topic].clone();
    let object = known.object(partition);
    scene.history.note(|| object.clone(), || format!("deletion up to {up_to} -> {code}, begins at {low}"));
    let records = scene.oracle.records((known.id, partition));
    let (deleted_up_to, has_lost) = (records.deleted_up_to(), records.has_lost());
    match ErrorCode::from_code(code) {
        Some(ErrorCode::None) if low < up_to || low > deleted_up_to => {
            scene.violated::<()>("records are deleted up to where it was asked", &[object], low.to_string());
        }
        Some(ErrorCode::OffsetOutOfRange) if !has_lost => {
            scene.violated::<()>("what nobody deleted is in range", &[object], up_to.to_string());
        }
        _ => {}
    }
}

/// A topic that stays.
fn look(scene: &mut Scene<'_>, name: &str, (code, id, partitions): (i16, Uuid, i32), counts: &[i32]) {
    let Some(at) = scene.topics.iter().position(|known| known.plan.name == name) else { return };
    let known = &mut scene.topics[at];
    known.partitions = known.partitions.max(partitions);
    let (told, at_least) = (known.id, counts[at]);
    if code != 0 || id != told || partitions < at_least {
        let text = format!("code {code}, id {id}, {partitions} partitions; told were id {told}, {at_least} partitions");
        scene.violated::<()>("the metadata show what was told", &[Object::Topic(name.to_string())], text);
    }
}

impl Actor for Admin {
    fn act(&mut self, scene: &mut Scene<'_>) {
        loop {
            match self.wire.poll(scene) {
                Got::Nothing => break,
                Got::Answer(_, body) => self.take_in(scene, body),
                Got::Lost => self.lose(),
            }
        }
        self.wire.lose_patience(scene.now, PATIENCE_MS);
        if !self.wire.is_waiting() {
            self.lose();
        }
        if self.asked.is_none() && scene.now >= self.due {
            self.ask(scene);
        }
    }

    fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn is_settled(&self, _: &[Known]) -> bool {
        self.fates.values().all(|fate| *fate != Fate::Unknown)
    }

    fn name(&self) -> String {
        format!("admin {}", self.number)
    }
}
