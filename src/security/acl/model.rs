//! Kafka's decision rule by rule, which the index is compared with by tests and fuzzers.

use std::collections::BTreeSet;

use super::grants::{ALL_OPERATIONS, ALLOW};
use super::host::HostPattern;
use super::{Acl, DENY, LITERAL, PREFIXED, Subject};
use crate::security::access::{AclOperation, AclResource, Action};

/// All rules, and who asks.
pub struct Model<'a> {
    pub rules: &'a BTreeSet<Acl>,
    pub who: Subject<'a>,
}

impl Model<'_> {
    /// Whether a rule is for a resource.
    pub fn names(acl: &Acl, resource: AclResource, name: &str) -> bool {
        acl.resource_type == resource as i8
            && match acl.pattern_type {
                LITERAL if acl.resource_name == "*" => name == "*" || !name.starts_with('*'),
                LITERAL => acl.resource_name == name,
                _ => name.starts_with(&acl.resource_name),
            }
    }

    /// Whether a rule is for the client.
    pub fn is_for_client(&self, acl: &Acl) -> bool {
        let host = acl.host == "*" || HostPattern::parse(&acl.host).matches(self.who.host);
        host && (acl.principal == self.who.principal.text() || acl.principal == "User:*")
    }

    fn speaks_of(acl: &Acl, operation: AclOperation) -> bool {
        use AclOperation::*;
        let is = |all: &[AclOperation]| all.iter().any(|operation| *operation as i8 == acl.operation);
        let is_allow = acl.permission_type == ALLOW;
        acl.operation == ALL_OPERATIONS
            || match operation {
                Describe if is_allow => is(&[Describe, Read, Write, Delete, Alter]),
                DescribeConfigs if is_allow => is(&[DescribeConfigs, AlterConfigs]),
                other => acl.operation == other as i8,
            }
    }

    /// Whether it is allowed; `None`: no rule says.
    pub fn decide(&self, action: &Action<'_>) -> Option<bool> {
        let Action { operation, resource, name } = *action;
        let applies = |acl: &&Acl| {
            Model::names(acl, resource, name) && self.is_for_client(acl) && Model::speaks_of(acl, operation)
        };
        let applying: Vec<_> = self.rules.iter().filter(applies).collect();
        (!applying.is_empty()).then(|| applying.iter().all(|acl| acl.permission_type == ALLOW))
    }

    /// `Authorizer.authorizeByResourceType` behind its first question.
    pub fn allows_any(&self, operation: AclOperation, resource: AclResource) -> bool {
        let of = |permission: i8, pattern: i8| -> BTreeSet<&str> {
            let is = |acl: &&Acl| {
                let kind = (acl.resource_type, acl.permission_type, acl.pattern_type);
                let says = acl.operation == operation as i8 || acl.operation == ALL_OPERATIONS;
                kind == (resource as i8, permission, pattern) && says && self.is_for_client(acl)
            };
            self.rules.iter().filter(is).map(|acl| acl.resource_name.as_str()).collect()
        };
        let (denied, denied_with_all) = (of(DENY, LITERAL), of(DENY, PREFIXED));
        let (allowed, allowed_with_all) = (of(ALLOW, LITERAL), of(ALLOW, PREFIXED));
        if denied.contains("*") || allowed.contains("*") {
            return !denied.contains("*");
        }
        let is_open = |name: &&str| !denied_with_all.iter().any(|prefix| name.starts_with(prefix));
        allowed.difference(&denied).any(is_open) || allowed_with_all.iter().any(is_open)
    }
}
