//! CreateAcls (key 30), versions 1–3: new ACLs (KIP-140).
//!
//! Needs Alter of the cluster. Without an authorizer SECURITY_DISABLED for each of them (`AclApis.handleCreateAcls`). Versions: 1 prefixed patterns
//! (KIP-290); 2 flexible; 3 users as resources (KIP-373).

use super::{Outcome, Request, State, acls, code_and_message};
use crate::model::{ErrorCode, Refusal};
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::create_acls::{self as message, AclCreation, AclCreationResult};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let elements =
        |acl: &AclCreation<'_>| [acl.resource_type, acl.resource_pattern_type, acl.operation, acl.permission_type];
    if let Err(early) = acls::refuse_unknown(request, body.creations.iter().map(elements)) {
        return early;
    }
    let disabled = |()| Err(Refusal::new(ErrorCode::SecurityDisabled, acls::NO_AUTHORIZER));
    let result = request.must_cluster(context, AclOperation::Alter).and_then(disabled);
    let refused = |_: &AclCreation<'_>| {
        let (error_code, error_message) = code_and_message::<()>(&result);
        AclCreationResult { error_code, error_message }
    };
    request
        .head
        .answer(&message::Response { results: body.creations.iter().map(refused).collect(), ..Default::default() })
}
