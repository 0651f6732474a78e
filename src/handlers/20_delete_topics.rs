//! DeleteTopics (key 20), versions 1–6.
//!
//! By name; from 6 on also by id (KIP-516). With `delete.topic.enable=false` nothing is deleted: TOPIC_DELETION_DISABLED,
//! INVALID_REQUEST before version 3, which does not know it. Versions: 4 flexible; 5 messages (KIP-599). Deviation: the
//! results are not shuffled (there is nothing to hide without an authorizer).

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State, code_and_message};
use crate::metadata::{Change, Decided, DeleteTopic, DeletionResult, Refusal};
use crate::model::{ErrorCode, Uuid};
use crate::shard::context::Context;
use crate::wire::api::delete_topics::{self as message, DeletableTopicResult};

/// The first version that knows TOPIC_DELETION_DISABLED.
const DELETION_DISABLED_SINCE: i16 = 3;

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    topics: Vec<DeleteTopic>,
}

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
    let finish = Finish::DeleteTopics(Waiting { head, topics: topics.clone() });
    metadata_job::submit(context, body.timeout_ms, Change::DeleteTopics { topics }, finish)
}

impl Waiting {
    pub(super) fn finish(self, decided: metadata_job::Result) -> Result<Answer, String> {
        let results = match decided {
            Ok(Decided::TopicsDeleted(results)) => results,
            other => refuse_all(self.topics, Refusal::of(metadata_job::why_not(other))),
        };
        self.head.encode(&response(results))
    }
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
