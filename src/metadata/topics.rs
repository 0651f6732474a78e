//! Decisions about topics: create, more partitions (Kafka's `ReplicationControlManager` and `ControllerApis`).
//!
//! Reads the image and writes nothing. Ids come in as an argument, so the same call gives the same records. Whether a
//! user may do it at all (authorization, `delete.topic.enable`) has been asked before.

use super::decision::{Decisions, MAX_RECORDS_PER_REQUEST, Refusal};
use super::image::{Configs, Image, Partition, ResourceType};
use super::placement::{Placer, check_assignment};
use super::record::{ConfigRecord, Record, TopicRecord};
use super::topic_name::{self, CLUSTER_METADATA_TOPIC};
use crate::config::{self, Settings};
use crate::model::{ErrorCode, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// A topic that a client wants. -1 asks for the broker's default.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewTopic {
    pub name: String,
    pub num_partitions: i32,
    pub replication_factor: i16,
    /// Partition and its brokers; empty lets the broker choose.
    pub assignments: Vec<(i32, Vec<i32>)>,
    pub configs: Vec<(String, Option<String>)>,
}

/// What a topic gets where the request leaves it open.
#[derive(Clone, Copy, Debug)]
pub struct TopicDefaults<'a> {
    pub num_partitions: i32,
    pub replication_factor: i16,
    /// The settings by which the topic's configs are judged.
    pub settings: Settings<'a>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreatedTopic {
    pub id: Uuid,
    pub num_partitions: i32,
    pub replication_factor: i16,
    /// Its overrides, for `config::describe_topic`.
    pub configs: Configs,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicResult<T> {
    pub name: String,
    pub result: Result<T, Refusal>,
}

/// Creates those of the topics that may be created. With `validate_only` the answers are the same and no records come.
pub fn create_topics<'a>(
    image: &'a Image,
    defaults: &TopicDefaults<'_>,
    topics: &'a [NewTopic],
    mut new_id: impl FnMut() -> Uuid,
    validate_only: bool,
) -> Decisions<TopicResult<CreatedTopic>> {
    let mut decision = Decisions::default();
    let (mut placer, mut names) = (Placer::new(image), Names::new(image));
    let twice = twice(topics.iter().map(|t| t.name.as_str()));
    let too_many = total_partitions(defaults, topics) > MAX_PARTITIONS_PER_REQUEST;
    for topic in topics.iter().filter(|t| !twice.contains(t.name.as_str())) {
        let result = if too_many {
            let message = "Excessively large number of partitions per request.";
            Err(Refusal::new(ErrorCode::PolicyViolation, message))
        } else {
            names.check(&topic.name).and_then(|()| {
                let room = MAX_RECORDS_PER_REQUEST - decision.records.len();
                create_topic(image, defaults, topic, &mut placer, new_id(), room)
            })
        };
        let result = result.map(|(records, created)| {
            decision.records.extend(records);
            names.add(&topic.name);
            created
        });
        decision.results.push(TopicResult { name: topic.name.clone(), result });
    }
    decision.results.extend(twice.into_iter().map(duplicate_name));
    assert!(decision.records.len() <= MAX_RECORDS_PER_REQUEST, "each topic has only the room that the others left");
    assert!(decision.results.len() <= topics.len(), "each topic is answered once");
    if validate_only {
        decision.records.clear();
    }
    decision
}

/// The most partitions that one request may create (`ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`).
const MAX_PARTITIONS_PER_REQUEST: u64 = 10_000;
const _: () = assert!(MAX_PARTITIONS_PER_REQUEST <= MAX_RECORDS_PER_REQUEST as u64, "a partition is a record");

fn total_partitions(defaults: &TopicDefaults<'_>, topics: &[NewTopic]) -> u64 {
    let of = |topic: &NewTopic| match (topic.assignments.len(), topic.num_partitions) {
        (0, -1) => defaults.num_partitions.max(0) as u64,
        (0, count) => count.max(0) as u64,
        (assigned, _) => assigned as u64,
    };
    topics.iter().map(of).sum()
}

/// What comes more than once.
pub fn twice<T: Ord + Copy>(named: impl Iterator<Item = T>) -> BTreeSet<T> {
    let mut seen = BTreeSet::new();
    named.filter(|one| !seen.insert(*one)).collect()
}

/// Takes out of a request what it names more than once; the answer is the names. A request is thinned item by item, by
/// permissions and by quotas: if only one of two copies were taken out, the other would be done.
pub fn take_twice<T, K: Ord + Clone>(asked: &mut Vec<T>, name: impl Fn(&T) -> K) -> BTreeSet<K> {
    let names: Vec<K> = asked.iter().map(name).collect();
    let twice: BTreeSet<K> = twice(names.iter()).into_iter().cloned().collect();
    if !twice.is_empty() {
        let mut names = names.iter();
        asked.retain(|_| names.next().is_some_and(|name| !twice.contains(name)));
    }
    twice
}

/// What is answered of a topic that a request names more than once.
pub fn duplicate_name<T>(name: &str) -> TopicResult<T> {
    let refusal = Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name.");
    TopicResult { name: name.to_string(), result: Err(refusal) }
}

fn create_topic(
    image: &Image,
    defaults: &TopicDefaults<'_>,
    topic: &NewTopic,
    placer: &mut Placer<'_>,
    id: Uuid,
    room: usize,
) -> Result<(Vec<Record<'static>>, CreatedTopic), Refusal> {
    let configs = check_configs(&defaults.settings, &topic.configs)?;
    let other_records = 1 + configs.len();
    let partitions = new_partitions(image, defaults, topic, placer, room.saturating_sub(other_records), id)?;
    let mut records = vec![Record::Topic(TopicRecord { name: topic.name.clone().into(), topic_id: id })];
    records.extend(configs.iter().map(|(name, value)| config_record(&topic.name, name, value)));
    records.extend(partitions.iter().map(|p| Record::Partition(p.to_record(id))));
    let replication_factor = partitions.first().map_or(0, |p| p.replicas.len() as i16);
    let num_partitions = partitions.len() as i32;
    assert!(partitions.iter().map(|p| p.index).eq(0..num_partitions), "partitions are numbered from 0");
    assert_eq!(records.len(), other_records + partitions.len(), "all of a topic is counted before it is made");
    Ok((records, CreatedTopic { id, num_partitions, replication_factor, configs }))
}

/// The names that a new topic may not have.
struct Names<'a> {
    image: &'a Image,
    /// Names by what metrics make of them, collected when the first new name needs it: a request may have very many names, and
    /// may not have all topics walked for each. Those of the same request are among them: unlike Kafka, which compares with
    /// existing ones only, two colliding names are not created together either.
    unified: Option<BTreeMap<String, &'a str>>,
}

impl<'a> Names<'a> {
    fn new(image: &'a Image) -> Names<'a> {
        Names { image, unified: None }
    }

    fn unified(&mut self) -> &mut BTreeMap<String, &'a str> {
        let existing = || self.image.topics().filter_map(|t| Some((topic_name::unified(&t.name)?, &*t.name)));
        self.unified.get_or_insert_with(|| existing().collect())
    }

    fn check(&mut self, name: &str) -> Result<(), Refusal> {
        if name == CLUSTER_METADATA_TOPIC {
            return Err(prohibited_name());
        }
        if self.image.topic(name).is_some() {
            return Err(Refusal::new(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
        }
        topic_name::validate(name).map_err(|message| Refusal::new(ErrorCode::InvalidTopicException, message))?;
        match topic_name::unified(name).and_then(|unified| self.unified().get(&unified).copied()) {
            Some(existing) => {
                let message = format!("Topic '{name}' collides with existing topic: {existing}");
                Err(Refusal::new(ErrorCode::InvalidTopicException, message))
            }
            None => Ok(()),
        }
    }

    /// It will be a topic.
    fn add(&mut self, name: &'a str) {
        if let Some(unified) = topic_name::unified(name) {
            self.unified().insert(unified, name);
        }
    }
}

/// Why the topic of the metadata log is not created.
pub fn prohibited_name() -> Refusal {
    let message = format!("Creation of internal topic {CLUSTER_METADATA_TOPIC} is prohibited.");
    Refusal::new(ErrorCode::InvalidRequest, message)
}

fn check_configs(settings: &Settings<'_>, configs: &[(String, Option<String>)]) -> Result<Configs, Refusal> {
    let nulls: Vec<&str> = configs.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err(Refusal::new(ErrorCode::InvalidConfig, message));
    }
    let configs: Configs = configs.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    let refused = |message| Refusal::new(ErrorCode::InvalidConfig, message);
    config::validate_topic(settings, &configs).map_err(refused)?;
    Ok(configs)
}

fn config_record(topic: &str, name: &str, value: &str) -> Record<'static> {
    Record::Config(ConfigRecord {
        resource_type: ResourceType::Topic as i8,
        resource_name: topic.to_string().into(),
        name: name.to_string().into(),
        value: Some(value.to_string().into()),
    })
}

fn new_partitions(
    image: &Image,
    defaults: &TopicDefaults<'_>,
    topic: &NewTopic,
    placer: &mut Placer<'_>,
    room: usize,
    id: Uuid,
) -> Result<Vec<Partition>, Refusal> {
    if !topic.assignments.is_empty() {
        check_room(topic.assignments.len(), room)?;
        return assigned_partitions(image, topic, placer);
    }
    let factor = match topic.replication_factor {
        -1 => defaults.replication_factor,
        factor => factor,
    };
    let count = match topic.num_partitions {
        -1 => defaults.num_partitions,
        count => count,
    };
    if factor <= 0 {
        let message = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message));
    }
    if count <= 0 {
        let message = "Number of partitions was set to an invalid non-positive value.";
        return Err(Refusal::new(ErrorCode::InvalidPartitions, message));
    }
    check_room(count as usize, room)?;
    let placed = placer.place(count as usize, factor as usize, start_of(id));
    let brokers = placed.map_err(|reason| cannot_replicate(factor.into(), &reason))?;
    build(placer, 0, &brokers, |_| cannot_replicate(factor.into(), NONE_ACTIVE))
}

/// Why a replication factor cannot be had (`ReplicationControlManager`).
fn cannot_replicate(factor: i64, reason: &str) -> Refusal {
    let message = format!("Unable to replicate the partition {factor} time(s): {reason}");
    Refusal::new(ErrorCode::InvalidReplicationFactor, message)
}

const NONE_ACTIVE: &str = "All brokers are currently fenced or in controlled shutdown.";

/// Why a partition cannot be on the brokers that a user chose.
fn none_active(index: i32) -> Refusal {
    let message = format!(
        "All brokers specified in the manual partition assignment for partition {index} are fenced or in controlled \
         shutdown."
    );
    Refusal::new(ErrorCode::InvalidReplicaAssignment, message)
}

/// Topics begin at different brokers; the id is random.
fn start_of(id: Uuid) -> usize {
    usize::from(u16::from_be_bytes([id.0[0], id.0[1]]))
}

fn check_room(count: usize, room: usize) -> Result<(), Refusal> {
    if count <= room {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::PolicyViolation, "Unable to perform excessively large batch operation."))
}

/// The partitions of a topic whose brokers the user chose.
fn assigned_partitions(image: &Image, topic: &NewTopic, placer: &mut Placer<'_>) -> Result<Vec<Partition>, Refusal> {
    for (given, what) in
        [(i32::from(topic.replication_factor), "replication factor"), (topic.num_partitions, "numPartitions")]
    {
        if given != -1 {
            let message = format!("A manual partition assignment was specified, but {what} was not set to -1.");
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
    }
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    let mut by_index = BTreeMap::new();
    let mut factor = None;
    for (index, brokers) in &topic.assignments {
        if by_index.insert(*index, brokers.clone()).is_some() {
            return refuse(format!("Found multiple manual partition assignments for partition {index}"));
        }
        check_assignment(image, brokers, factor)?;
        factor = Some(brokers.len());
    }
    if !by_index.keys().copied().eq(0..by_index.len() as i32) {
        return refuse("partitions should be a consecutive 0-based integer sequence".into());
    }
    let brokers: Vec<Vec<i32>> = by_index.into_values().collect();
    build(placer, 0, &brokers, none_active)
}

fn build(
    placer: &mut Placer<'_>,
    first: i32,
    brokers: &[Vec<i32>],
    none_active: impl Fn(i32) -> Refusal,
) -> Result<Vec<Partition>, Refusal> {
    let mut partitions = Vec::with_capacity(brokers.len());
    for (index, replicas) in (first..).zip(brokers) {
        partitions.push(placer.partition(index, replicas).ok_or_else(|| none_active(index))?);
    }
    assert_eq!(partitions.len(), brokers.len(), "each partition is placed or none");
    Ok(partitions)
}

/// More partitions for a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPartitions {
    pub name: String,
    /// How many the topic shall have in all.
    pub count: i32,
    /// The brokers of each new partition; `None` lets the broker choose.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// Adds those of the partitions that may be added. With `validate_only` the answers are the same and no records come.
pub fn create_partitions(image: &Image, topics: &[NewPartitions], validate_only: bool) -> Decisions<TopicResult<()>> {
    let mut decision = Decisions::default();
    let mut placer = Placer::new(image);
    let twice = twice(topics.iter().map(|t| t.name.as_str()));
    decision.results.extend(twice.iter().copied().map(duplicate_name));
    for topic in topics.iter().filter(|t| !twice.contains(t.name.as_str())) {
        let room = MAX_RECORDS_PER_REQUEST - decision.records.len();
        let result = additional_partitions(image, topic, &mut placer, room);
        let result = result.map(|(id, partitions)| {
            decision.records.extend(partitions.iter().map(|p| Record::Partition(p.to_record(id))));
        });
        decision.results.push(TopicResult { name: topic.name.clone(), result });
    }
    assert!(decision.records.len() <= MAX_RECORDS_PER_REQUEST, "each topic has only the room that the others left");
    if validate_only {
        decision.records.clear();
    }
    decision
}

fn additional_partitions(
    image: &Image,
    wanted: &NewPartitions,
    placer: &mut Placer<'_>,
    room: usize,
) -> Result<(Uuid, Vec<Partition>), Refusal> {
    let topic = image.topic(&wanted.name).ok_or(Refusal::of(ErrorCode::UnknownTopicOrPartition))?;
    let current = topic.partitions.len();
    let additional = check_increase(&wanted.name, current, wanted.count)?;
    let factor = topic.partitions.first().map_or(1, |p| p.replicas.len());
    if let Some(given) = wanted.assignments.as_ref().filter(|given| given.len() != additional) {
        let message = format!(
            "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
            given.len()
        );
        return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    }
    check_room(additional, room)?;
    let first = current as i32;
    let partitions = match &wanted.assignments {
        Some(assignments) => {
            for brokers in assignments {
                check_assignment(image, brokers, Some(factor))?;
            }
            build(placer, first, assignments, none_active)?
        }
        None => {
            let refused = |reason| Refusal::new(ErrorCode::InvalidReplicationFactor, reason);
            let brokers = placer.place(additional, factor, start_of(topic.id) + current).map_err(refused)?;
            build(placer, first, &brokers, |_| cannot_replicate(factor as i64, NONE_ACTIVE))?
        }
    };
    assert_eq!(partitions.len(), additional, "as many as were asked for");
    Ok((topic.id, partitions))
}

fn check_increase(name: &str, current: usize, count: i32) -> Result<usize, Refusal> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidPartitions, message));
    match usize::try_from(count).ok().and_then(|count| count.checked_sub(current)) {
        Some(0) => refuse(format!("Topic already has {current} partition(s).")),
        Some(additional) => Ok(additional),
        None => {
            refuse(format!("The topic {name} currently has {current} partition(s); {count} would not be an increase."))
        }
    }
}
