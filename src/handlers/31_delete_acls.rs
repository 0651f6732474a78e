//! DeleteAcls (key 31), versions 1–3: ends the ACLs that match filters (KIP-140).
//!
//! Needs Alter of the cluster. Without an authorizer SECURITY_DISABLED for each filter (`AclApis.handleDeleteAcls`). Versions: 1 prefixed patterns
//! (KIP-290); 2 flexible; 3 users as resources (KIP-373).

use super::{Outcome, Request, State, acls, code_and_message};
use crate::model::{ErrorCode, Refusal};
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::delete_acls::{self as message, DeleteAclsFilter, DeleteAclsFilterResult};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
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
    let disabled = |()| Err(Refusal::new(ErrorCode::SecurityDisabled, acls::NO_AUTHORIZER));
    let result = request.must_cluster(context, AclOperation::Alter).and_then(disabled);
    let refused = |_: &DeleteAclsFilter<'_>| {
        let (error_code, error_message) = code_and_message::<()>(&result);
        DeleteAclsFilterResult { error_code, error_message, ..Default::default() }
    };
    let filter_results = body.filters.iter().map(refused).collect();
    request.head.answer(&message::Response { filter_results, ..Default::default() })
}
