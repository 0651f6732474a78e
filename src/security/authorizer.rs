//! Who may do what (`StandardAuthorizer`), as far as no ACL is looked at: super users may do everything, and others what
//! `allow.everyone.if.no.acl.found` leaves them. ACLs themselves are not built yet.

use crate::security::access::{AclOperation, AclResource};
use crate::security::principal::Principal;

/// The name of the one resource of the kind [`AclResource::Cluster`].
pub const CLUSTER_NAME: &str = "kafka-cluster";

/// An operation on a resource.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    pub operation: AclOperation,
    pub resource: AclResource,
    pub name: &'a str,
}

/// Decides what clients may do.
pub struct Authorizer {
    /// As they are written, `Type:Name`.
    super_users: Vec<String>,
    allows_everyone: bool,
}

impl Authorizer {
    pub fn new(super_users: &[String], allows_everyone: bool) -> Authorizer {
        Authorizer { super_users: super_users.to_vec(), allows_everyone }
    }

    /// Whether a client may do this. No ACL names a resource.
    pub fn allows(&self, principal: &Principal, _: &Action<'_>) -> bool {
        self.is_super_user(principal) || self.allows_everyone
    }

    fn is_super_user(&self, principal: &Principal) -> bool {
        let name_of = |user: &str| Some(user.strip_prefix(principal.kind())?.strip_prefix(':')? == principal.name());
        self.super_users.iter().any(|user| name_of(user) == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn super_users_may_do_everything_and_others_what_no_rule_forbids() {
        let action = Action { operation: AclOperation::Alter, resource: AclResource::Cluster, name: CLUSTER_NAME };
        let users = ["User:admin".to_string(), "User:CN=a, O=b:c".to_string()];
        let may = |kind: &'static str, name: &'static str, everyone| {
            Authorizer::new(&users, everyone).allows(&Principal::new(kind, name), &action)
        };
        assert!(may("User", "admin", false) && may("User", "CN=a, O=b:c", false) && may("User", "bob", true));
        let others = [("User", "bob"), ("User", "admi"), ("User", "admin "), ("Use", "r:admin"), ("Role", "admin")];
        assert!(others.into_iter().all(|(kind, name)| !may(kind, name, false)));
        assert!(!may("User", "ANONYMOUS", false));
    }
}
