//! DescribeAcls (key 29), versions 1–3: which ACLs there are (KIP-140).
//!
//! Needs Describe of the cluster. Without an authorizer SECURITY_DISABLED, also where the metadata log holds ACLs (`AclApis.handleDescribeAcls`).
//! Versions: 1 prefixed patterns (KIP-290); 2 flexible; 3 users as resources (KIP-373).

use super::{Outcome, Request, State, acls, code_and_message};
use crate::model::ErrorCode;
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::describe_acls as message;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let elements = [body.resource_type_filter, body.pattern_type_filter, body.operation, body.permission_type];
    if let Err(early) = acls::refuse_unknown(request, std::iter::once(elements)) {
        return early;
    }
    if let Err(refusal) = request.must_cluster(context, AclOperation::Describe) {
        let (error_code, error_message) = code_and_message::<()>(&Err(refusal));
        return request.head.answer(&message::Response { error_code, error_message, ..Default::default() });
    }
    request.head.answer(&message::Response {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: Some("No Authorizer is configured on the broker".into()),
        ..Default::default()
    })
}
