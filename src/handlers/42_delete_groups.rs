//! DeleteGroups (key 42), versions 0–3: empty groups go, with their offsets.
//!
//! Versions: 2 flexible; 3 a message for each group (4.4), of which there is none to tell. Needs Delete of each group.

use std::collections::BTreeSet;

use super::{Outcome, Request, State, group_job};
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::delete_groups::{self as message, DeletableGroupResult};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let (mut results, mut barriers) = (Vec::new(), Vec::new());
    // A group that is named twice is deleted, and answered, once (`KafkaApis.handleDeleteGroupsRequest`).
    let mut seen = BTreeSet::new();
    for group_id in body.groups_names.iter().filter(|group_id| seen.insert(&***group_id)) {
        let may = request.may(context, AclOperation::Delete, AclResource::Group, group_id);
        let stepped = match may {
            true => group_job::step(context, group_id, |groups, step| groups.delete_group(step, group_id)),
            false => Err(ErrorCode::GroupAuthorizationFailed),
        };
        let error = match stepped {
            Ok((result, barrier)) => {
                barriers.push(barrier);
                result.err().unwrap_or(ErrorCode::None)
            }
            Err(error) => error,
        };
        let group_id = group_id.to_string().into();
        results.push(DeletableGroupResult { group_id, error_code: error.code(), ..Default::default() });
    }
    request.head.answer_behind(context, barriers, &message::Response { results, ..Default::default() })
}
