//! DeleteTopics (key 20), versions 1–6.
//!
//! By name; from 6 on also by id (KIP-516). With `delete.topic.enable=false` nothing is deleted: TOPIC_DELETION_DISABLED,
//! INVALID_REQUEST before version 3, which does not know it. Versions: 4 flexible; 5 messages (KIP-599). Deviation: the
//! results are not shuffled (there is nothing to hide without an authorizer).

use super::metadata_job::{self, Finish};
use super::mutations::Mutations;
use super::{Answer, Head, Outcome, Request, State, code_and_message};
use crate::metadata::{Change, Decided, DeleteTopic, DeletionResult, Refusal};
use crate::model::{ErrorCode, Uuid};
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
    let mut mutations = Mutations::of(context, request, STRICT_SINCE);
    let mut throttled = Vec::new();
    topics.retain(|topic| match mutations.take(partitions(context, topic)) {
        Ok(()) => true,
        Err(refusal) => {
            throttled.push(DeletionResult { name: topic.name.clone(), id: topic.id, result: Err(refusal) });
            false
        }
    });
    let finish = Finish::DeleteTopics(Waiting { head, topics: topics.clone(), throttled, mutations });
    metadata_job::submit(context, body.timeout_ms, Change::DeleteTopics { topics }, finish)
}

impl Waiting {
    pub(super) fn finish(self, context: &Context<'_>, decided: metadata_job::Result) -> Result<Answer, String> {
        let mut results = match decided {
            Ok(Decided::TopicsDeleted(results)) => results,
            other => refuse_all(self.topics, Refusal::of(metadata_job::why_not(other))),
        };
        results.extend(self.throttled);
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
