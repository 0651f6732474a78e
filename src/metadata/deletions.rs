//! Decisions about the deletion of topics (`ControllerApis.deleteTopics`).
//!
//! What a request contradicts itself in is a decision of its own: it is made before the client's permissions and quotas are
//! looked at, which take single topics out of the request, and once more with the whole. Knows nothing of users.

use super::decision::{Decisions, Refusal};
use super::image::{Image, Topic};
use super::record::{Record, RemoveTopicRecord};
use super::topics::take_twice;
use crate::model::{ErrorCode, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// A topic to delete: by its name or by its id, not both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeleteTopic {
    pub name: Option<String>,
    /// Zero: by name.
    pub id: Uuid,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeletionResult {
    pub name: Option<String>,
    pub id: Uuid,
    pub result: Result<(), Refusal>,
}

/// What `Errors` says of a topic that is not there.
pub const UNKNOWN_NAME: &str = "This server does not host this topic-partition.";
pub const UNKNOWN_ID: &str = "This server does not host this topic ID.";

fn answer(name: Option<&str>, id: Uuid, refusal: Refusal) -> DeletionResult {
    DeletionResult { name: name.map(str::to_string), id, result: Err(refusal) }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}

/// What a request contradicts itself in.
pub struct Contradictions {
    pub results: Vec<DeletionResult>,
    ids_twice: BTreeSet<Uuid>,
}

impl Contradictions {
    /// Takes out of a request what is badly named, and what is named more than once in the same way. None of it is deleted.
    pub fn take(topics: &mut Vec<DeleteTopic>) -> Contradictions {
        let mut results = Vec::new();
        topics.retain(|topic| {
            let message = match (&topic.name, topic.id.is_zero()) {
                (None, true) => "Neither topic name nor id were specified.",
                (Some(_), false) => "You may not specify both topic name and topic id.",
                _ => return true,
            };
            results.push(answer(topic.name.as_deref(), topic.id, invalid(message)));
            false
        });
        let mut ids_twice = BTreeSet::new();
        for (name, id) in take_twice(topics, |topic| (topic.name.clone(), topic.id)) {
            match name {
                Some(name) => results.push(answer(Some(&name), id, invalid("Duplicate topic name."))),
                None => {
                    ids_twice.insert(id);
                    results.push(answer(None, id, invalid("Duplicate topic id.")));
                }
            }
        }
        Contradictions { results, ids_twice }
    }

    /// Takes out what is named by its name and by its id. The answer tells which id a name has: it is only for those who may
    /// delete the topic.
    pub fn take_known_by_id(&self, image: &Image, topics: &mut Vec<DeleteTopic>) -> Vec<DeletionResult> {
        let ids: BTreeSet<Uuid> = topics.iter().map(|topic| topic.id).filter(|id| !id.is_zero()).collect();
        if ids.is_empty() && self.ids_twice.is_empty() {
            return Vec::new();
        }
        let (mut results, mut met) = (Vec::new(), BTreeSet::new());
        topics.retain(|topic| {
            let Some(found) = topic.name.as_deref().and_then(|name| image.topic(name)) else { return true };
            let is_known = ids.contains(&found.id) || self.ids_twice.contains(&found.id);
            if is_known {
                let message = "The provided topic name maps to an ID that was already supplied.";
                results.push(answer(topic.name.as_deref(), found.id, invalid(message)));
                met.insert(found.id);
            }
            !is_known
        });
        topics.retain(|topic| !met.contains(&topic.id));
        results
    }
}

/// Deletes those of the topics that exist. What contradicts itself is found before anything is deleted, and is answered before
/// the others.
pub fn delete_topics(image: &Image, topics: &[DeleteTopic]) -> Decisions<DeletionResult> {
    let mut rest = topics.to_vec();
    let contradictions = Contradictions::take(&mut rest);
    let known_by_id = contradictions.take_known_by_id(image, &mut rest);
    let mut results = contradictions.results;
    results.extend(known_by_id);
    let (by_name, by_id): (Vec<_>, Vec<_>) = rest.into_iter().partition(|topic| topic.name.is_some());
    // The topics by id, with their places.
    let mut wanted: BTreeMap<Uuid, (usize, &Topic)> = BTreeMap::new();
    for (place, topic) in by_id.iter().chain(&by_name).enumerate() {
        let (found, unknown) = match &topic.name {
            Some(name) => (image.topic(name), Refusal::new(ErrorCode::UnknownTopicOrPartition, UNKNOWN_NAME)),
            None => (image.topic_by_id(topic.id), Refusal::new(ErrorCode::UnknownTopicId, UNKNOWN_ID)),
        };
        match found {
            Some(found) => {
                let other = wanted.insert(found.id, (place, found));
                assert!(other.is_none(), "what is named in two ways is not deleted");
            }
            None => results.push(answer(topic.name.as_deref(), topic.id, unknown)),
        }
    }
    let mut wanted: Vec<_> = wanted.into_values().collect();
    wanted.sort_by_key(|(place, _)| *place);
    let remove = |(_, topic): &(usize, &Topic)| Record::RemoveTopic(RemoveTopicRecord { topic_id: topic.id });
    let records: Vec<_> = wanted.iter().map(remove).collect();
    let deleted = |(_, topic): &(usize, &Topic)| DeletionResult {
        name: Some(topic.name.to_string()),
        id: topic.id,
        result: Ok(()),
    };
    results.extend(wanted.iter().map(deleted));
    assert!(results.len() <= topics.len(), "a topic that is named in two ways is answered once");
    Decisions { records, results }
}
