//! DeleteTopics (key 20), versions 1–6.
//!
//! By name; from 6 on also by id (KIP-516). With `delete.topic.enable=false` nothing is deleted: TOPIC_DELETION_DISABLED,
//! INVALID_REQUEST before version 3, which does not know it. Versions: 4 flexible; 5 messages (KIP-599). Deviation: the
//! results are not shuffled (there is nothing to hide without an authorizer).

use super::{Outcome, Request, State, code_and_message, metadata_job};
use crate::metadata::{self, DeleteTopic, DeletionResult, Image, Refusal};
use crate::model::{ErrorCode, Uuid};
use crate::shard::context::Context;
use crate::wire::api::delete_topics::{self as message, DeletableTopicResult};

/// The first version that knows TOPIC_DELETION_DISABLED.
const DELETION_DISABLED_SINCE: i16 = 3;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let head = request.head;
    let topics = named(&body);
    if !context.shared.config.delete_topic_enable {
        let disabled = if head.version < DELETION_DISABLED_SINCE {
            Refusal::of(ErrorCode::InvalidRequest)
        } else {
            Refusal::of(ErrorCode::TopicDeletionDisabled)
        };
        return head.answer(&response(refuse_all(topics, disabled)));
    }
    let kept = topics.clone();
    let decide = move |image: &Image, _: &mut metadata_job::Inputs| {
        let decision = metadata::delete_topics(image, &topics);
        (decision.records, decision.results)
    };
    let finish = move |_: &mut State, _: &Context<'_>, decided: metadata_job::Decided<_>| {
        head.encode(&response(decided.unwrap_or_else(|error| refuse_all(kept, Refusal::of(error)))))
    };
    metadata_job::submit(context, body.timeout_ms, decide, finish)
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
