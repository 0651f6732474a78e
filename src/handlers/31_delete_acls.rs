//! DeleteAcls (key 31), versions 1–3: ends the ACLs that match filters (KIP-140).
//!
//! Needs Alter of the cluster. Without an authorizer SECURITY_DISABLED for each filter (`AclApis.handleDeleteAcls`).
//! Decided by `metadata::delete_acls`; an ACL that several filters match is told with each. Versions: 1 prefixed patterns
//! (KIP-290); 2 flexible; 3 users as resources (KIP-373).

use std::sync::Arc;

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State, acls, code_and_message};
use crate::metadata::{Change, Decided, Refusal};
use crate::security::access::AclOperation;
use crate::security::acl::{Acl, AclFilter};
use crate::shard::context::Context;
use crate::wire::api::delete_acls::{self as message, DeleteAclsFilter, DeleteAclsFilterResult, DeleteAclsMatchingAcl};

/// What became of a filter.
type Deleted = Result<Vec<Arc<Acl>>, Refusal>;

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    count: usize,
}

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
    let waiting = Waiting { head: request.head, count: body.filters.len() };
    if let Err(refusal) = acls::refuse(context, request, AclOperation::Alter, acls::NO_AUTHORIZER) {
        return waiting.answer(Err(refusal)).map_or_else(Outcome::Close, Outcome::Answer);
    }
    let filters = body.filters.iter().map(filter).collect();
    metadata_job::submit(context, acls::TIMEOUT_MS, Change::DeleteAcls { filters }, Finish::DeleteAcls(waiting))
}

fn filter(filter: &DeleteAclsFilter<'_>) -> AclFilter {
    AclFilter {
        resource_type: filter.resource_type_filter,
        resource_name: filter.resource_name_filter.as_ref().map(|name| name.to_string()),
        pattern_type: filter.pattern_type_filter,
        principal: filter.principal_filter.as_ref().map(|principal| principal.to_string()),
        host: filter.host_filter.as_ref().map(|host| host.to_string()),
        operation: filter.operation,
        permission_type: filter.permission_type,
    }
}

impl Waiting {
    pub(super) fn finish(self, decided: metadata_job::Result) -> Result<Answer, String> {
        match decided {
            Ok(Decided::AclsDeleted(results)) => self.answer(Ok(results)),
            other => self.answer(Err(Refusal::of(metadata_job::why_not(other)))),
        }
    }

    /// What became of each filter, or why all of them are refused.
    fn answer(self, results: Result<Vec<Deleted>, Refusal>) -> Result<Answer, String> {
        let results = results.unwrap_or_else(|refusal| vec![Err(refusal); self.count]);
        let filter_results = results.iter().map(respond).collect();
        self.head.encode(&message::Response { filter_results, ..Default::default() })
    }
}

fn respond(deleted: &Deleted) -> DeleteAclsFilterResult<'_> {
    let (error_code, error_message) = code_and_message(deleted);
    let matching_acls = deleted.iter().flatten().map(|acl| matching(acl)).collect();
    DeleteAclsFilterResult { error_code, error_message, matching_acls }
}

fn matching(acl: &Acl) -> DeleteAclsMatchingAcl<'_> {
    DeleteAclsMatchingAcl {
        resource_type: acl.resource_type,
        resource_name: acl.resource_name.as_str().into(),
        pattern_type: acl.pattern_type,
        principal: acl.principal.as_str().into(),
        host: acl.host.as_str().into(),
        operation: acl.operation,
        permission_type: acl.permission_type,
        error_code: 0,
        error_message: None,
    }
}
