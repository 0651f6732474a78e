//! What the requests about ACLs have in common: who may make them, and whether there is an authorizer at all.
//!
//! Kafka looks for elements of the type UNKNOWN first, and closes the connection of a client that sends them
//! (`DescribeAclsRequest.normalizeAndValidate` and its like). Numbers that it does not know pass. Then it asks whether the
//! client may do it, and then whether there is an authorizer (`AclApis`).

use super::{Outcome, Request};
use crate::metadata::Refusal;
use crate::model::ErrorCode;
use crate::security::access::AclOperation;
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
pub(super) fn refuse(
    context: &Context<'_>,
    request: &Request<'_>,
    operation: AclOperation,
    without: &str,
) -> Result<(), Refusal> {
    request.must_cluster(context, operation)?;
    match context.shared.authorizer {
        Some(_) => Ok(()),
        None => Err(Refusal::new(ErrorCode::SecurityDisabled, without)),
    }
}
