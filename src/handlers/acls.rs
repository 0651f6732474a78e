//! What the requests for ACLs have in common: there is no authorizer, so none is described, created or deleted.
//!
//! Kafka looks for elements of the type UNKNOWN before it looks for an authorizer, and closes the connection of a client
//! that sends them (`DescribeAclsRequest.normalizeAndValidate` and its like). Numbers that it does not know pass.

use super::{Outcome, Request};

/// UNKNOWN as a resource's type, a pattern's type, an operation and a permission.
const UNKNOWN: i8 = 0;

/// What CreateAcls and DeleteAcls answer for each thing asked for (`AclApis`); DescribeAcls has a sentence of its own.
pub(super) const NO_AUTHORIZER: &str = "No Authorizer is configured.";

/// A resource's type, a pattern's type, an operation and a permission, as a request names them.
pub(super) type Elements = [i8; 4];

pub(super) fn refuse_unknown(request: &Request<'_>, mut all: impl Iterator<Item = Elements>) -> Result<(), Outcome> {
    if all.any(|elements| elements.contains(&UNKNOWN)) {
        return Err(Outcome::Close(format!("a {} request with UNKNOWN elements", request.head.description.key)));
    }
    Ok(())
}
