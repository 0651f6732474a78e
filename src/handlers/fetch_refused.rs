//! Fetches that are refused as a whole.

use super::fetch::TOPIC_ID_SINCE;
use super::{Head, Outcome};
use crate::model::ErrorCode;
use crate::wire::api::fetch::{self as message, FetchableTopicResponse, PartitionData};

/// What Kafka answers where it fails as a whole (`FetchRequest.getErrorResponse`): clients before topic ids look for the
/// error at the partitions.
pub(super) fn refuse_all(head: Head, body: &message::Request<'_>, error: ErrorCode) -> Outcome {
    let responses = if head.version < TOPIC_ID_SINCE { refused(body, error) } else { Vec::new() };
    head.answer(&message::Response {
        error_code: error.code(),
        session_id: body.session_id,
        responses,
        ..Default::default()
    })
}

/// What a broker is told that may not act as one. It gets no session.
pub(super) fn refuse_follower(head: Head, body: &message::Request<'_>) -> Outcome {
    let responses = refused(body, ErrorCode::TopicAuthorizationFailed);
    head.answer(&message::Response { responses, ..Default::default() })
}

/// Every partition with an error.
fn refused<'r>(body: &message::Request<'_>, error: ErrorCode) -> Vec<FetchableTopicResponse<'r>> {
    let partition = |asked: &message::FetchPartition| PartitionData {
        partition_index: asked.partition,
        error_code: error.code(),
        high_watermark: -1,
        aborted_transactions: Some(Vec::new()),
        records: Some((&[][..]).into()),
        ..Default::default()
    };
    let topic = |topic: &message::FetchTopic<'_>| FetchableTopicResponse {
        topic: topic.topic.to_string().into(),
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(partition).collect(),
    };
    body.topics.iter().map(topic).collect()
}

/// An answer that only says what is wrong with the session.
pub(super) fn whole_error(head: Head, error: ErrorCode) -> Outcome {
    head.answer(&message::Response { error_code: error.code(), ..Default::default() })
}
