//! Who may do what: super users, rules, and what holds where there is none (`StandardAuthorizer`).

use std::collections::BTreeSet;
use std::fmt;

use super::access::{AclOperation, AclResource};
use super::acl::{AclIndex, Found, Subject};
use super::shown::Shown;

/// What the configuration says of access; the rules come with the metadata.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authorizer {
    super_users: BTreeSet<String>,
    allows_without_rules: bool,
}

/// Why a request is allowed or denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grounds<'a> {
    SuperUser,
    Rule(Found<'a>),
    /// No rule is for the resource, and that is enough.
    DefaultAllow,
    DefaultDeny,
}

impl Grounds<'_> {
    pub fn allow(&self) -> bool {
        match self {
            Grounds::SuperUser | Grounds::DefaultAllow => true,
            Grounds::Rule(found) => found.allows,
            Grounds::DefaultDeny => false,
        }
    }
}

impl Authorizer {
    /// `super_users` and `allows_without_rules` are the texts of `super.users` and `allow.everyone.if.no.acl.found`. An error
    /// is Kafka's sentence.
    pub fn new(super_users: &str, allows_without_rules: &str) -> Result<Authorizer, String> {
        let names = super_users.split(';').map(str::trim).filter(|name| !name.is_empty());
        let named = |name: &str| match name.contains(':') {
            true => Ok(name.to_string()),
            false => Err(format!("expected a string in format principalType:principalName but got {name}")),
        };
        let super_users = names.map(named).collect::<Result<BTreeSet<String>, String>>()?;
        let allows_without_rules = allows_without_rules.trim().eq_ignore_ascii_case("true");
        Ok(Authorizer { super_users, allows_without_rules })
    }

    pub fn authorize<'a>(
        &self,
        index: &'a AclIndex,
        who: &Subject<'a>,
        operation: AclOperation,
        resource: AclResource,
        name: &'a str,
    ) -> Grounds<'a> {
        if self.super_users.contains(who.principal.text()) {
            return Grounds::SuperUser;
        }
        match index.decide(who, operation, resource, name) {
            Some(found) => Grounds::Rule(found),
            None if self.allows_without_rules && !index.names(resource, name) => Grounds::DefaultAllow,
            None => Grounds::DefaultDeny,
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
        self.authorize(index, who, operation, resource, HARD_CODED).allow()
            || index.allows_any(who, operation, resource)
    }
}

/// A decision as the audit log tells it, in Kafka's words (`StandardAuthorizerData.buildAuditMessage`), and the listener.
pub struct Audited<'a> {
    pub who: Subject<'a>,
    pub operation: AclOperation,
    pub resource: AclResource,
    pub name: &'a str,
    /// Kafka's name of the API.
    pub request: &'a str,
    /// How often the request names the resource.
    pub references: usize,
    pub listener: &'a str,
    pub grounds: Grounds<'a>,
}

impl fmt::Display for Audited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.grounds.allow() { "Allowed" } else { "Denied" };
        let (principal, host) = (Shown(self.who.principal.text()), self.who.host);
        write!(f, "Principal = {principal} is {verdict} operation = {} from host = {host}", self.operation.name())?;
        write!(f, " on resource = {}:LITERAL:{}", self.resource.name(), Shown(self.name))?;
        write!(f, " for request = {} with resourceRefCount = {}", self.request, self.references)?;
        write!(f, " based on rule {} on listener = {}", self.grounds, self.listener)
    }
}

impl fmt::Display for Grounds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Grounds::SuperUser => f.write_str("SuperUser"),
            Grounds::DefaultAllow => f.write_str("DefaultAllow"),
            Grounds::DefaultDeny => f.write_str("DefaultDeny"),
            Grounds::Rule(found) => write!(f, "MatchingAcl(acl={found})"),
        }
    }
}

#[cfg(test)]
mod tests;
