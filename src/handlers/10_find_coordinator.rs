//! FindCoordinator (key 10), versions 0–6: the broker that a group or a transactional id belongs to.
//!
//! One node coordinates every group. Versions: 1 types of keys; 3 flexible; 4 several keys at once (KIP-699); 5
//! TRANSACTION_ABORTABLE may be answered (KIP-890), never used; 6 share groups' partitions (KIP-932).
//!
//! Not built yet: transactions and share groups. A transactional id is answered TRANSACTIONAL_ID_AUTHORIZATION_FAILED
//! with the reason in the message: librdkafka gives up on this and on no other code that would fit better
//! (`rd_kafka_txn_handle_FindCoordinator` repeats the rest for ever), the Java client gives up on it, too. A share key is
//! answered INVALID_REQUEST, as by a Kafka that has share groups turned off.

use super::{Outcome, Request, State};
use crate::codec::Str;
use crate::model::ErrorCode;
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
/// `Node.noNode`
const NO_NODE: (i32, i32) = (-1, -1);

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if request.head.version >= KEYS_SINCE {
        let find = |key: &Str<'_>| find(context, request, body.key_type, key.to_string());
        let coordinators = body.coordinator_keys.iter().map(find).collect();
        return request.head.answer(&message::Response { coordinators, ..Default::default() });
    }
    let found = find(context, request, body.key_type, String::new());
    request.head.answer(&message::Response {
        error_code: found.error_code,
        error_message: found.error_message,
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..Default::default()
    })
}

fn find<'c>(context: &'c Context<'_>, request: &Request<'_>, key_type: i8, key: String) -> Coordinator<'c> {
    let (error, message) = match key_type {
        GROUP => match request.this_node(context) {
            Some(node) => {
                let (node_id, host, port) = (node.id, node.host.into(), node.port);
                return Coordinator { key: key.into(), node_id, host, port, error_code: 0, error_message: None };
            }
            None => (ErrorCode::CoordinatorNotAvailable, "This listener has no address yet."),
        },
        TRANSACTION => (ErrorCode::TransactionalIdAuthorizationFailed, super::NO_TRANSACTIONS),
        SHARE if request.head.version >= SHARE_SINCE => {
            (ErrorCode::InvalidRequest, "Share groups are not supported by this version of Klamm.")
        }
        SHARE => (ErrorCode::InvalidRequest, "Share groups need version 6 of this request."),
        _ => (ErrorCode::InvalidRequest, "Unknown type of coordinator."),
    };
    let (node_id, port) = NO_NODE;
    Coordinator {
        key: key.into(),
        node_id,
        host: "".into(),
        port,
        error_code: error.code(),
        error_message: Some(message.into()),
    }
}
