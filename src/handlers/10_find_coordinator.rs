//! FindCoordinator (key 10), versions 0–6: the broker that a group or a transactional id belongs to.
//!
//! One node coordinates every group. The first question for a group makes `__consumer_offsets`, and is answered when it
//! is there; Kafka answers COORDINATOR_NOT_AVAILABLE meanwhile. Versions: 1 types of keys; 3 flexible; 4 several keys at once (KIP-699); 5
//! TRANSACTION_ABORTABLE may be answered (KIP-890), never used; 6 share groups' partitions (KIP-932).
//!
//! Not built yet: transactions and share groups. A transactional id is answered TRANSACTIONAL_ID_AUTHORIZATION_FAILED
//! with the reason in the message: librdkafka gives up on this and on no other code that would fit better
//! (`rd_kafka_txn_handle_FindCoordinator` repeats the rest for ever), the Java client gives up on it, too. A share key is
//! answered INVALID_REQUEST, as by a Kafka that has share groups turned off.

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State, cluster_state, no_transactions};
use crate::codec::Str;
use crate::coordinator_runtime::GROUPS_TOPIC;
use crate::metadata::{Change, Decided};
use crate::model::{ErrorCode, Refusal};
use crate::shard::context::Context;
use crate::wire::api::find_coordinator::{self as message, Coordinator};

/// The first version with several keys.
const KEYS_SINCE: i16 = 4;
/// The first version that may ask for share groups.
const SHARE_SINCE: i16 = 6;
/// `CoordinatorType`
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// How long an answer waits for the topic of the groups to be made.
const CREATE_TIMEOUT_MS: i32 = 30_000;
/// `Node.noNode`
const NO_NODE: (i32, i32) = (-1, -1);

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let (head, listener) = (request.head, request.session.listener);
    let asked =
        Asked { key_type: body.key_type, keys: body.coordinator_keys.iter().map(|key| key.to_string()).collect() };
    if body.key_type == TRANSACTION {
        let wanted = if head.version >= KEYS_SINCE { body.coordinator_keys.first() } else { Some(&body.key) };
        no_transactions::warn(context, request, wanted.map_or("", |id| id));
    }
    if body.key_type != GROUP || context.view.topic(GROUPS_TOPIC).is_some() {
        return head.answer(&respond(context, head, listener, &asked, None));
    }
    let finish = Finish::FindCoordinator(Waiting { head, listener, asked });
    let change = Change::AutoCreateTopics { names: vec![GROUPS_TOPIC.into()] };
    metadata_job::submit(context, CREATE_TIMEOUT_MS, change, finish)
}

impl Waiting {
    pub(super) fn finish(self, context: &Context<'_>, decided: metadata_job::Result) -> Result<Answer, String> {
        let failed = match decided {
            Ok(Decided::TopicsCreated(results)) => results.into_iter().find_map(|topic| topic.result.err()),
            other => Some(Refusal::of(metadata_job::why_not(other))),
        };
        let failed = failed.map(|refusal| refusal.message.unwrap_or_else(|| refusal.error.to_string()));
        self.head.encode(&respond(context, self.head, self.listener, &self.asked, failed))
    }
}

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    listener: usize,
    asked: Asked,
}

/// What is asked for.
struct Asked {
    key_type: i8,
    keys: Vec<String>,
}

/// `failed` says why there can be no coordinator of groups. Where nothing is wrong, the message is what Kafka sends: `NONE`
/// up to version 3, empty after it, never null.
fn respond<'c>(
    context: &'c Context<'_>,
    head: Head,
    listener: usize,
    asked: &Asked,
    failed: Option<String>,
) -> message::Response<'c> {
    let find = |key: String| find(context, head, listener, asked.key_type, key, failed.clone());
    if head.version >= KEYS_SINCE {
        let coordinators = asked.keys.iter().cloned().map(find).collect();
        return message::Response { coordinators, ..Default::default() };
    }
    let mut found = find(String::new());
    if found.error_code == 0 {
        found.error_message = Some("NONE".into());
    }
    message::Response {
        error_code: found.error_code,
        error_message: found.error_message,
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..Default::default()
    }
}

fn find<'c>(
    context: &'c Context<'_>,
    head: Head,
    listener: usize,
    key_type: i8,
    key: String,
    failed: Option<String>,
) -> Coordinator<'c> {
    let (error, message) = match key_type {
        GROUP if failed.is_some() => (ErrorCode::CoordinatorNotAvailable, failed.unwrap_or_default().into()),
        GROUP => match cluster_state::this_node(context, listener) {
            Some(node) => {
                let (node_id, host, port) = (node.id, node.host.into(), node.port);
                return Coordinator {
                    key: key.into(),
                    node_id,
                    host,
                    port,
                    error_code: 0,
                    error_message: Some("".into()),
                };
            }
            None => (ErrorCode::CoordinatorNotAvailable, Str::from("This listener has no address yet.")),
        },
        TRANSACTION => (ErrorCode::TransactionalIdAuthorizationFailed, no_transactions::REASON.into()),
        SHARE if head.version >= SHARE_SINCE => {
            (ErrorCode::InvalidRequest, "Share groups are not supported by this version of Klamm.".into())
        }
        SHARE => (ErrorCode::InvalidRequest, "Share groups need version 6 of this request.".into()),
        _ => (ErrorCode::InvalidRequest, "Unknown type of coordinator.".into()),
    };
    let (node_id, port) = NO_NODE;
    Coordinator {
        key: key.into(),
        node_id,
        host: "".into(),
        port,
        error_code: error.code(),
        error_message: Some(message),
    }
}
