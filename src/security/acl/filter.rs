//! Filters of ACLs, as DescribeAcls and DeleteAcls have them (`ResourcePatternFilter`, `AccessControlEntryFilter`).

use super::{Acl, LITERAL, PREFIXED, WILDCARD, is_operation, is_pattern, is_permission, is_resource};
use crate::model::{ErrorCode, Refusal};

/// Matches everything, where a number is asked for.
pub const ANY: i8 = 1;
/// Patterns that a resource with the filter's name would match.
pub const MATCH: i8 = 2;

/// Which ACLs are meant; numbers as on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclFilter {
    pub resource_type: i8,
    /// `None`: all names. Likewise below.
    pub resource_name: Option<String>,
    pub pattern_type: i8,
    pub principal: Option<String>,
    pub host: Option<String>,
    pub operation: i8,
    pub permission_type: i8,
}

impl AclFilter {
    /// A filter with a number that stands for nothing matches nothing, and DeleteAcls says so
    /// (`AclControlManager.validateFilter`).
    pub fn validate(&self) -> Result<(), Refusal> {
        let refused = |message| Err(Refusal::new(ErrorCode::InvalidRequest, message));
        let knows_pattern = [ANY, MATCH].contains(&self.pattern_type) || is_pattern(self.pattern_type);
        if !knows_pattern || !(self.resource_type == ANY || is_resource(self.resource_type)) {
            return refused("Unknown patternFilter.");
        }
        let knows_operation = self.operation == ANY || is_operation(self.operation);
        if !knows_operation || !(self.permission_type == ANY || is_permission(self.permission_type)) {
            return refused("Unknown entryFilter.");
        }
        Ok(())
    }

    pub fn matches(&self, acl: &Acl) -> bool {
        let number = |filter: i8, number: i8| filter == ANY || filter == number;
        let text = |filter: &Option<String>, text: &str| filter.as_ref().is_none_or(|filter| filter == text);
        number(self.resource_type, acl.resource_type)
            && self.matches_name(acl)
            && text(&self.principal, &acl.principal)
            && text(&self.host, &acl.host)
            && number(self.operation, acl.operation)
            && number(self.permission_type, acl.permission_type)
    }

    fn matches_name(&self, acl: &Acl) -> bool {
        let Some(name) = &self.resource_name else {
            return [ANY, MATCH, acl.pattern_type].contains(&self.pattern_type);
        };
        match (self.pattern_type, acl.pattern_type) {
            (MATCH, LITERAL) => *name == acl.resource_name || acl.resource_name == WILDCARD,
            (MATCH, PREFIXED) => name.starts_with(&acl.resource_name),
            (filter, pattern) => (filter == ANY || filter == pattern) && *name == acl.resource_name,
        }
    }
}
