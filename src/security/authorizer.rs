//! Who may do what: super users, rules, and what holds where there is none (`StandardAuthorizer`).

use std::collections::BTreeSet;
use std::fmt;

pub use super::access::Action;
use super::access::{AclOperation, AclResource};
pub use super::acl::CLUSTER_NAME;
use super::acl::{AclIndex, Found, Subject};
use super::shown::Shown;

/// What the configuration says of access; the rules come with the metadata.
pub struct Authorizer {
    /// As they are written, `Type:Name`.
    super_users: BTreeSet<String>,
    allows_everyone: bool,
}

/// What is decided, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict<'a> {
    SuperUser,
    Rule(Found<'a>),
    /// No rule is for the resource, and that is enough.
    DefaultAllow,
    DefaultDeny,
}

impl Verdict<'_> {
    pub fn allows(&self) -> bool {
        match self {
            Verdict::SuperUser | Verdict::DefaultAllow => true,
            Verdict::Rule(found) => found.allows,
            Verdict::DefaultDeny => false,
        }
    }
}

impl Authorizer {
    pub fn new(super_users: &[String], allows_everyone: bool) -> Authorizer {
        Authorizer { super_users: super_users.iter().cloned().collect(), allows_everyone }
    }

    /// Whether a client may do this by the rules of an index.
    pub fn authorize<'a>(&self, index: &'a AclIndex, who: &Subject<'a>, action: &Action<'a>) -> Verdict<'a> {
        if self.super_users.contains(who.principal.text()) {
            return Verdict::SuperUser;
        }
        match index.decide(who, action) {
            Some(found) => Verdict::Rule(found),
            None if self.allows_everyone && !index.names(action.resource, action.name) => Verdict::DefaultAllow,
            None => Verdict::DefaultDeny,
        }
    }

    /// Whether the operation is allowed on any resource of the type. Kafka asks for a certain name first: a client that may
    /// use all resources may use this one. It follows that a rule for just this name is enough, and Kafka has it so.
    pub fn authorize_any(
        &self,
        index: &AclIndex,
        who: &Subject<'_>,
        operation: AclOperation,
        resource: AclResource,
    ) -> bool {
        const HARD_CODED: &str = "hardcode";
        self.authorize(index, who, &Action { operation, resource, name: HARD_CODED }).allows()
            || index.allows_any(who, operation, resource)
    }
}

/// A decision as the audit log tells it, in Kafka's words (`StandardAuthorizerData.buildAuditMessage`), and the listener.
pub struct Audited<'a> {
    pub who: Subject<'a>,
    pub action: Action<'a>,
    /// Kafka's name of the API.
    pub request: &'a str,
    pub listener: &'a str,
    pub verdict: Verdict<'a>,
}

impl fmt::Display for Audited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Action { operation, resource, name } = self.action;
        let verdict = if self.verdict.allows() { "Allowed" } else { "Denied" };
        let (principal, host) = (Shown(self.who.principal.text()), self.who.host);
        write!(f, "Principal = {principal} is {verdict} operation = {} from host = {host}", operation.name())?;
        write!(f, " on resource = {}:LITERAL:{} for request = {}", resource.name(), Shown(name), self.request)?;
        write!(f, " based on rule {} on listener = {}", self.verdict, self.listener)
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::SuperUser => f.write_str("SuperUser"),
            Verdict::DefaultAllow => f.write_str("DefaultAllow"),
            Verdict::DefaultDeny => f.write_str("DefaultDeny"),
            Verdict::Rule(found) => write!(f, "MatchingAcl(acl={found})"),
        }
    }
}

#[cfg(test)]
mod tests;
