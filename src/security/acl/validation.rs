//! Which ACLs are taken, in Kafka's order and with its sentences (`AclApis`, `AclControlManager.validateNewAcl`).

use super::filter::{ANY, MATCH};
use super::host::Cidr;
use super::{Acl, is_operation, is_pattern, is_permission, is_resource};
use crate::model::{ErrorCode, Refusal};
use crate::security::access::AclResource;

/// The only resource of its type (`Resource.CLUSTER_NAME`).
pub const CLUSTER_NAME: &str = "kafka-cluster";

fn refused(message: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal::new(ErrorCode::InvalidRequest, message))
}

impl Acl {
    /// Whether a number stands for more than one thing, as only those of filters may. `ResourcePattern` and
    /// `AccessControlEntry` throw then, and the whole request fails with UNKNOWN_SERVER_ERROR.
    pub fn is_vague(&self) -> bool {
        let numbers = [self.resource_type, self.pattern_type, self.operation, self.permission_type];
        numbers.contains(&ANY) || self.pattern_type == MATCH
    }

    /// The broker's part: it refuses these by themselves, whatever becomes of the others of the request.
    pub fn validate_name(&self) -> Result<(), Refusal> {
        if self.resource_type == AclResource::Cluster as i8 && self.resource_name != CLUSTER_NAME {
            return refused(format!("The only valid name for the CLUSTER resource is {CLUSTER_NAME}"));
        }
        // The controller's sentence for it is never seen: `Resource name should not be empty`.
        if self.resource_name.is_empty() { refused("Invalid empty resource name") } else { Ok(()) }
    }

    /// The controller's part.
    pub fn validate(&self, knows_ranges: bool) -> Result<(), Refusal> {
        if !is_resource(self.resource_type) {
            return refused("Invalid resourceType UNKNOWN");
        }
        if !is_pattern(self.pattern_type) {
            return refused("Invalid patternType UNKNOWN");
        }
        if !is_operation(self.operation) {
            return refused("Invalid operation UNKNOWN");
        }
        if !is_permission(self.permission_type) {
            return refused("Invalid permissionType UNKNOWN");
        }
        if !self.principal.contains(':') {
            return refused(format!(
                "Could not parse principal from `{}` (no colon is present separating the principal type from the \
                 principal name)",
                self.principal
            ));
        }
        self.validate_host(knows_ranges)
    }

    fn validate_host(&self, knows_ranges: bool) -> Result<(), Refusal> {
        if self.host.is_empty() {
            return refused("Host pattern cannot be null or empty");
        }
        if !self.host.contains('/') {
            return Ok(());
        }
        if !knows_ranges {
            let message = "CIDR-based ACL host patterns require metadata version 4.4-IV1 or higher.";
            return Err(Refusal::new(ErrorCode::UnsupportedVersion, message));
        }
        Cidr::parse(&self.host)
            .map(drop)
            .or_else(|why| refused(format!("Invalid CIDR notation '{}': {why}", self.host)))
    }
}
