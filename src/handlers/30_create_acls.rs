//! CreateAcls (key 30), versions 1–3: new ACLs (KIP-140).
//!
//! Without an authorizer SECURITY_DISABLED for each of them (`AclApis.handleCreateAcls`). Versions: 1 prefixed patterns
//! (KIP-290); 2 flexible; 3 users as resources (KIP-373).

use super::{Outcome, Request, State, acls};
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::create_acls::{self as message, AclCreation, AclCreationResult};

pub(super) fn handle(_: &mut State, _: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let elements =
        |acl: &AclCreation<'_>| [acl.resource_type, acl.resource_pattern_type, acl.operation, acl.permission_type];
    if let Err(early) = acls::refuse_unknown(request, body.creations.iter().map(elements)) {
        return early;
    }
    let refused = |_: &AclCreation<'_>| AclCreationResult {
        error_code: ErrorCode::SecurityDisabled.code(),
        error_message: Some(acls::NO_AUTHORIZER.into()),
    };
    request
        .head
        .answer(&message::Response { results: body.creations.iter().map(refused).collect(), ..Default::default() })
}
