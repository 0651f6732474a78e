//! DeleteAcls (key 31), versions 1–3: ends the ACLs that match filters (KIP-140).
//!
//! Without an authorizer SECURITY_DISABLED for each filter (`AclApis.handleDeleteAcls`). Versions: 1 prefixed patterns
//! (KIP-290); 2 flexible; 3 users as resources (KIP-373).

use super::{Outcome, Request, State, acls};
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::delete_acls::{self as message, DeleteAclsFilter, DeleteAclsFilterResult};

pub(super) fn handle(_: &mut State, _: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let elements = |filter: &DeleteAclsFilter<'_>| {
        [filter.resource_type_filter, filter.pattern_type_filter, filter.operation, filter.permission_type]
    };
    if let Err(early) = acls::refuse_unknown(request, body.filters.iter().map(elements)) {
        return early;
    }
    let refused = |_: &DeleteAclsFilter<'_>| DeleteAclsFilterResult {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: Some(acls::NO_AUTHORIZER.into()),
        ..Default::default()
    };
    let filter_results = body.filters.iter().map(refused).collect();
    request.head.answer(&message::Response { filter_results, ..Default::default() })
}
