//! FindCoordinator (key 10), versions 0–6: the broker that a group or a transactional id belongs to.
//!
//! The leader of the key's partition coordinates it, also the empty group. The first question for either kind
//! makes its topic (`__consumer_offsets`, `__transaction_state`), and is answered when that is there; Kafka answers
//! COORDINATOR_NOT_AVAILABLE meanwhile. Versions: 1 types of keys; 3 flexible; 4 several keys at once (KIP-699); 5
//! TRANSACTION_ABORTABLE may be answered (KIP-890), never used; 6 share groups' partitions (KIP-932).
//!
//! Needs Describe of the group or of the transactional id, which is asked before a topic is made; for share groups ClusterAction
//! of the cluster, of the whole request.
//!
//! Not built yet: share groups. A share key is answered INVALID_REQUEST, as by a Kafka that has them turned off.

use super::access::{CLUSTER_REFUSED, GROUP_REFUSED, INVALID_REQUEST, TRANSACTIONAL_ID_REFUSED};
use super::cluster_state::{self, Node};
use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State};
use crate::codec::Str;
use crate::coordinator_runtime::GROUPS_TOPIC;
use crate::metadata::topic_name::TRANSACTIONS_TOPIC;
use crate::metadata::{Change, Decided};
use crate::model::{ErrorCode, Refusal};
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::shard::session::Route;
use crate::wire::api::find_coordinator::{self as message, Coordinator};

/// The first version with several keys.
const KEYS_SINCE: i16 = 4;
/// The first version that may ask for share groups.
const SHARE_SINCE: i16 = 6;
/// `CoordinatorType`
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// How long an answer waits for the coordinators' topic to be made.
const CREATE_TIMEOUT_MS: i32 = 30_000;
/// `Node.noNode`
const NO_NODE: (i32, i32) = (-1, -1);

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let (head, route) = (request.head, &request.session.route);
    let asked = Asked::of(context, request, &body);
    let is_there = |topic: &&str| context.view.topic(topic).is_some();
    let missing =
        topic_of(body.key_type).filter(|topic| asked.keys.iter().any(|key| key.refused.is_none()) && !is_there(topic));
    let Some(topic) = missing else {
        return head.answer(&respond(context, head, route, &asked, None));
    };
    let finish = Finish::FindCoordinator(Waiting { head, route: route.clone(), asked });
    let change = Change::AutoCreateTopics { names: vec![topic.into()] };
    metadata_job::submit(context, CREATE_TIMEOUT_MS, change, finish)
}

/// The topic in whose partitions the keys of this type lie.
fn topic_of(key_type: i8) -> Option<&'static str> {
    match key_type {
        GROUP => Some(GROUPS_TOPIC),
        TRANSACTION => Some(TRANSACTIONS_TOPIC),
        _ => None,
    }
}

impl Waiting {
    pub(super) fn finish(self, context: &Context<'_>, decided: metadata_job::Result) -> Result<Answer, String> {
        let failed = match decided {
            Ok(Decided::TopicsCreated(results)) => results.into_iter().find_map(|topic| topic.result.err()),
            other => Some(Refusal::of(metadata_job::why_not(other))),
        };
        let failed = failed.map(|refusal| refusal.message.unwrap_or_else(|| refusal.error.to_string()));
        self.head.encode(&respond(context, self.head, &self.route, &self.asked, failed.as_deref()))
    }
}

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    route: Route,
    asked: Asked,
}

/// What is asked for.
struct Asked {
    key_type: i8,
    keys: Vec<Key>,
}

struct Key {
    text: String,
    /// Why the client is told nothing of it.
    refused: Option<Refused>,
}

/// An error and its standard text.
type Refused = (ErrorCode, &'static str);

impl Asked {
    /// Before there were several keys there was always one.
    fn of(context: &Context<'_>, request: &Request<'_>, body: &message::Request<'_>) -> Asked {
        let key = |text: &Str<'_>| {
            let refused = refuse(context, request, body.key_type, text);
            Key { text: text.to_string(), refused }
        };
        let keys = match request.head.version {
            KEYS_SINCE.. => body.coordinator_keys.iter().map(key).collect(),
            _ => vec![key(&body.key)],
        };
        Asked { key_type: body.key_type, keys }
    }
}

fn refuse(context: &Context<'_>, request: &Request<'_>, key_type: i8, key: &str) -> Option<Refused> {
    let (resource, refused) = match key_type {
        GROUP => (AclResource::Group, (ErrorCode::GroupAuthorizationFailed, GROUP_REFUSED)),
        TRANSACTION => {
            let refused = (ErrorCode::TransactionalIdAuthorizationFailed, TRANSACTIONAL_ID_REFUSED);
            (AclResource::TransactionalId, refused)
        }
        SHARE if request.head.version >= SHARE_SINCE => {
            let may = request.may_cluster(context, AclOperation::ClusterAction);
            return (!may).then_some((ErrorCode::ClusterAuthorizationFailed, CLUSTER_REFUSED));
        }
        _ => return None,
    };
    (!request.may(context, AclOperation::Describe, resource, key)).then_some(refused)
}

/// `failed` says why there can be no coordinator. Where nothing is wrong, the message is what Kafka sends: `NONE`
/// up to version 3, empty after it, never null.
fn respond<'c>(
    context: &'c Context<'_>,
    head: Head,
    route: &'c Route,
    asked: &'c Asked,
    failed: Option<&'c str>,
) -> message::Response<'c> {
    let find = |key: &'c Key| match key.refused {
        Some((error, text)) => {
            // Of groups and transactional ids there is the code alone where there may be several.
            let text = if head.version >= KEYS_SINCE && asked.key_type != SHARE { "" } else { text };
            none(&key.text, error, text.into())
        }
        None => find(context, head, route, asked.key_type, &key.text, failed),
    };
    if head.version >= KEYS_SINCE {
        let coordinators = asked.keys.iter().map(find).collect();
        return message::Response { coordinators, ..Default::default() };
    }
    let Some(mut found) = asked.keys.first().map(find) else { return message::Response::default() };
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
    route: &'c Route,
    key_type: i8,
    key: &'c str,
    failed: Option<&'c str>,
) -> Coordinator<'c> {
    let (error, message) = match (key_type, failed) {
        (GROUP | TRANSACTION, Some(failed)) => (ErrorCode::CoordinatorNotAvailable, failed.into()),
        (GROUP | TRANSACTION, None) => match coordinator(context, route, key_type, key) {
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
            None => (ErrorCode::CoordinatorNotAvailable, Str::from("The coordinator is not available.")),
        },
        (SHARE, _) if head.version >= SHARE_SINCE => {
            (ErrorCode::InvalidRequest, "Share groups are not supported by this version of Klamm.".into())
        }
        (SHARE, _) if head.version >= KEYS_SINCE => (ErrorCode::InvalidRequest, "".into()),
        // The type is not known, or no version before 6 may ask for it.
        _ => (ErrorCode::InvalidRequest, INVALID_REQUEST.into()),
    };
    none(key, error, message)
}

fn coordinator<'c>(context: &'c Context<'_>, route: &'c Route, key_type: i8, key: &str) -> Option<Node<'c>> {
    cluster_state::coordinator(context, route, (topic_of(key_type)?, key))
}

fn none<'c>(key: &'c str, error: ErrorCode, message: Str<'c>) -> Coordinator<'c> {
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
