//! DeleteTopics (key 20), versions 1–6.
//!
//! By name; from 6 on also by id (KIP-516). With `delete.topic.enable=false` nothing is deleted: TOPIC_DELETION_DISABLED,
//! INVALID_REQUEST before version 3, which does not know it. Versions: 4 flexible; 5 messages (KIP-599).
//!
//! Needs Delete of the cluster, or Describe and Delete of each topic: of a name that may not be described it is not told whether
//! there is such a topic, of an id that may not be described the name is not told. Deviation: the results are not shuffled. What
//! is answered before the controller is asked comes last, so that no place tells anything. What is named twice is taken out
//! before permissions and the quota are looked at.

use super::access::TOPIC_REFUSED;
use super::metadata_job::{self, Finish};
use super::mutations::Mutations;
use super::{Answer, Head, Outcome, Request, State, code_and_message};
use crate::metadata::{self, Change, Contradictions, Decided, DeleteTopic, DeletionResult, Refusal};
use crate::model::{ErrorCode, Uuid};
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::delete_topics::{self as message, DeletableTopicResult};

/// The first version that knows TOPIC_DELETION_DISABLED.
const DELETION_DISABLED_SINCE: i16 = 3;
/// The first version that can be told of too many changes.
const STRICT_SINCE: i16 = 5;

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    topics: Vec<DeleteTopic>,
    /// What is refused already.
    refused: Vec<DeletionResult>,
    /// The results of those that are too many for the client's quota.
    throttled: Vec<DeletionResult>,
    mutations: Mutations,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let head = request.head;
    let mut topics = named(&body);
    if !context.shared.config.delete_topic_enable {
        let disabled = if head.version < DELETION_DISABLED_SINCE {
            Refusal::of(ErrorCode::InvalidRequest)
        } else {
            Refusal::of(ErrorCode::TopicDeletionDisabled)
        };
        return head.answer(&response(refuse_all(topics, disabled)));
    }
    let mut contradictions = Contradictions::take(&mut topics);
    let mut refused = std::mem::take(&mut contradictions.results);
    refused.extend(refuse(context, request, &mut topics));
    refused.extend(contradictions.take_known_by_id(&context.view.image, &mut topics));
    let mut mutations = Mutations::of(context, request, STRICT_SINCE);
    let mut throttled = Vec::new();
    topics.retain(|topic| match mutations.take(partitions(context, topic)) {
        Ok(()) => true,
        Err(refusal) => {
            throttled.push(DeletionResult { name: topic.name.clone(), id: topic.id, result: Err(refusal) });
            false
        }
    });
    let finish = Finish::DeleteTopics(Waiting { head, topics: topics.clone(), refused, throttled, mutations });
    metadata_job::submit(context, body.timeout_ms, Change::DeleteTopics { topics }, finish)
}

impl Waiting {
    pub(super) fn finish(self, context: &Context<'_>, decided: metadata_job::Result) -> Result<Answer, String> {
        let mut results = match decided {
            Ok(Decided::TopicsDeleted(results)) => results,
            other => refuse_all(self.topics, Refusal::of(metadata_job::why_not(other))),
        };
        results.extend(self.throttled);
        results.extend(self.refused);
        let answer = self.head.encode(&response(results))?;
        Ok(self.mutations.throttle(context.now, answer))
    }
}

/// How many partitions go with a topic; none if there is no such.
fn partitions(context: &Context<'_>, topic: &DeleteTopic) -> usize {
    let image = &context.view.image;
    let found = match &topic.name {
        Some(name) => image.topic(name),
        None => image.topic_by_id(topic.id),
    };
    found.map_or(0, |found| found.partitions.len())
}

fn named(body: &message::Request<'_>) -> Vec<DeleteTopic> {
    let by_name = body.topic_names.iter().map(|name| DeleteTopic { name: Some(name.to_string()), id: Uuid::ZERO });
    let states = body
        .topics
        .iter()
        .map(|topic| DeleteTopic { name: topic.name.as_ref().map(|name| name.to_string()), id: topic.topic_id });
    by_name.chain(states).collect()
}

/// Takes out the topics that the client may not delete. What it may not delete and is not there is answered here as well: the
/// controller might see it by then.
fn refuse(context: &Context<'_>, request: &Request<'_>, topics: &mut Vec<DeleteTopic>) -> Vec<DeletionResult> {
    let mut refused = Vec::new();
    if request.may_cluster_silently(context, AclOperation::Delete) {
        return refused;
    }
    topics.retain(|topic| {
        let result = refuse_one(context, request, topic);
        let is_refused = result.is_some();
        refused.extend(result);
        !is_refused
    });
    refused
}

/// Why the client may not delete a topic; `None` if it may.
fn refuse_one(context: &Context<'_>, request: &Request<'_>, topic: &DeleteTopic) -> Option<DeletionResult> {
    let may = |operation, name: &str| request.may(context, operation, AclResource::Topic, name);
    let result = |name: Option<String>, error, message: &str| {
        Some(DeletionResult { name, id: topic.id, result: Err(Refusal::new(error, message)) })
    };
    let Some(name) = &topic.name else {
        let Some(found) = context.view.image.topic_by_id(topic.id) else {
            return result(None, ErrorCode::UnknownTopicId, metadata::UNKNOWN_ID);
        };
        let is_shown = may(AclOperation::Describe, &found.name);
        if is_shown && may(AclOperation::Delete, &found.name) {
            return None;
        }
        let name = is_shown.then(|| found.name.to_string());
        return result(name, ErrorCode::TopicAuthorizationFailed, TOPIC_REFUSED);
    };
    if !may(AclOperation::Describe, name) {
        return result(Some(name.clone()), ErrorCode::TopicAuthorizationFailed, TOPIC_REFUSED);
    }
    match context.view.topic(name) {
        None => result(Some(name.clone()), ErrorCode::UnknownTopicOrPartition, metadata::UNKNOWN_NAME),
        Some(_) if may(AclOperation::Delete, name) => None,
        Some(_) => result(Some(name.clone()), ErrorCode::TopicAuthorizationFailed, TOPIC_REFUSED),
    }
}

fn refuse_all(topics: Vec<DeleteTopic>, refusal: Refusal) -> Vec<DeletionResult> {
    let refused = |topic: DeleteTopic| DeletionResult { name: topic.name, id: topic.id, result: Err(refusal.clone()) };
    topics.into_iter().map(refused).collect()
}

fn response(results: Vec<DeletionResult>) -> message::Response<'static> {
    let result = |deletion: DeletionResult| {
        let (error_code, error_message) = code_and_message(&deletion.result);
        let name = deletion.name.map(Into::into);
        DeletableTopicResult { name, topic_id: deletion.id, error_code, error_message }
    };
    message::Response { responses: results.into_iter().map(result).collect(), ..Default::default() }
}
