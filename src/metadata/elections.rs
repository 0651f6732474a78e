//! Decisions about leaders that a user asks for (`ReplicationControlManager.electLeaders`).

use super::apply::NO_LEADER;
use super::decision::{Decisions, MAX_RECORDS_PER_REQUEST, Refusal, TOO_MANY};
use super::image::{Image, Partition, Topic};
use super::partition_change::{Election, PartitionChange};
use super::record::Record;
use crate::config::Settings;
use crate::model::ErrorCode;

/// `ElectionType`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElectionType {
    /// The first of its replicas shall lead a partition.
    Preferred,
    /// A partition without a leader shall have one, even if records are lost by it.
    Unclean,
}

impl ElectionType {
    pub fn from_id(id: i8) -> Option<ElectionType> {
        match id {
            0 => Some(ElectionType::Preferred),
            1 => Some(ElectionType::Unclean),
            _ => None,
        }
    }
}

/// What became of the partitions of one topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Elected {
    pub topic: String,
    pub partitions: Vec<(i32, Result<(), Refusal>)>,
}

/// Elects leaders of these partitions; of all with `None`, where the answer leaves out those that have the right one.
pub fn elect_leaders(
    image: &Image,
    settings: &Settings<'_>,
    election: ElectionType,
    partitions: Option<&[(String, Vec<i32>)]>,
) -> Decisions<Elected> {
    let mut decision = Decisions::default();
    let mut answer =
        |topic: &str, indexes: &mut dyn Iterator<Item = i32>, is_told: fn(&Result<(), Refusal>) -> bool| {
            let mut elected = Elected { topic: topic.to_string(), partitions: Vec::new() };
            for index in indexes {
                let result = match decision.records.len() {
                    ..MAX_RECORDS_PER_REQUEST => elect(image, settings, election, topic, index),
                    _ => Err(Refusal::new(ErrorCode::PolicyViolation, TOO_MANY)),
                };
                let result = result.map(|record| decision.records.push(record));
                if is_told(&result) {
                    elected.partitions.push((index, result));
                }
            }
            decision.results.push(elected);
        };
    match partitions {
        Some(asked) => asked.iter().for_each(|(topic, indexes)| answer(topic, &mut indexes.iter().copied(), |_| true)),
        None => image.topics().for_each(|topic| {
            answer(
                &topic.name,
                &mut topic.partitions.iter().map(|partition| partition.index),
                |result| !matches!(result, Err(refusal) if refusal.error == ErrorCode::ElectionNotNeeded),
            );
        }),
    }
    assert!(decision.records.len() <= MAX_RECORDS_PER_REQUEST, "what is too much is refused");
    decision
}

fn elect(
    image: &Image,
    settings: &Settings<'_>,
    election: ElectionType,
    topic_name: &str,
    index: i32,
) -> Result<Record<'static>, Refusal> {
    let unknown = |message: String| Refusal::new(ErrorCode::UnknownTopicOrPartition, message);
    let topic: &Topic = image.topic(topic_name).ok_or_else(|| unknown(format!("No such topic as {topic_name}")))?;
    let missing = || unknown(format!("No such partition as {topic_name}-{index}"));
    let partition: &Partition = topic.partition(index).ok_or_else(missing)?;
    let (is_met, wanted, not_available) = match election {
        ElectionType::Preferred => {
            let is_met = partition.replicas.first() == Some(&partition.leader);
            let message = "The preferred leader was not available.";
            (is_met, Election::Preferred, Refusal::new(ErrorCode::PreferredLeaderNotAvailable, message))
        }
        ElectionType::Unclean => {
            let message = "Eligible topic partition leaders are not available.";
            let not_available = Refusal::new(ErrorCode::EligibleLeadersNotAvailable, message);
            (partition.leader != NO_LEADER, Election::Unclean, not_available)
        }
    };
    if is_met {
        let message = "Leader election not needed for topic partition.";
        return Err(Refusal::new(ErrorCode::ElectionNotNeeded, message));
    }
    let mut change = PartitionChange::new(image, settings, topic, partition);
    change.election = wanted;
    change.record().map(Record::PartitionChange).ok_or(not_available)
}
