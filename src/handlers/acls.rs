//! What the requests about ACLs have in common: who may make them, and whether there is an authorizer at all.
//!
//! Kafka looks for elements of the type UNKNOWN first, and closes the connection of a client that sends them
//! (`DescribeAclsRequest.normalizeAndValidate` and its like). Numbers that it does not know pass. Then it asks whether the
//! client may do it, and then whether there is an authorizer (`AclApis`).

use super::{Outcome, Request};
use crate::metadata::Refusal;
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::security::acl::{CLUSTER_NAME, Subject};
use crate::security::authorizer::Audited;
use crate::shard::context::Context;

/// UNKNOWN as a resource's type, a pattern's type, an operation and a permission.
const UNKNOWN: i8 = 0;

/// What CreateAcls and DeleteAcls answer for each thing asked for (`AclApis`); DescribeAcls has a sentence of its own.
pub(super) const NO_AUTHORIZER: &str = "No Authorizer is configured.";

/// How long a request waits for its records; then the client shall ask again.
pub(super) const TIMEOUT_MS: i32 = 30_000;

/// A resource's type, a pattern's type, an operation and a permission, as a request names them.
pub(super) type Elements = [i8; 4];

pub(super) fn refuse_unknown(request: &Request<'_>, mut all: impl Iterator<Item = Elements>) -> Result<(), Outcome> {
    if all.any(|elements| elements.contains(&UNKNOWN)) {
        return Err(Outcome::Close(format!("a {} request with UNKNOWN elements", request.head.description.key)));
    }
    Ok(())
}

/// Whether the client may do this with ACLs. `without` is what is said where there is no authorizer.
///
/// Deviation: Kafka's sentence for a client that may not holds the whole request as Java prints it, with the addresses of
/// objects.
pub(super) fn refuse(
    context: &mut Context<'_>,
    request: &Request<'_>,
    operation: AclOperation,
    without: &str,
) -> Result<(), Refusal> {
    let Some(authorizer) = &context.shared.authorizer else {
        return Err(Refusal::new(ErrorCode::SecurityDisabled, without));
    };
    let who = Subject { principal: &request.session.principal, host: request.session.peer.into() };
    let (resource, name) = (AclResource::Cluster, CLUSTER_NAME);
    let grounds = authorizer.authorize(context.view.image.acl_index(), &who, operation, resource, name);
    let asked_by = request.head.description.key.name();
    let listener = context.shared.endpoint(request.session.listener).map_or("", |endpoint| &endpoint.listener);
    let audited = Audited { who, operation, resource, name, request: asked_by, references: 1, listener, grounds };
    context.audit.tell(&audited, context.now);
    if grounds.allow() {
        return Ok(());
    }
    let message = format!("The request needs {} permission.", operation.name());
    Err(Refusal::new(ErrorCode::ClusterAuthorizationFailed, message))
}
