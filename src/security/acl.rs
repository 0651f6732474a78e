//! ACLs: the rules by which an authorizer decides, and the index that finds those that speak of a resource.
//!
//! Semantics are those of Kafka's `StandardAuthorizerData` and `Authorizer.authorizeByResourceType`. What a rule says of
//! names is in [`PrefixMap`]s, what it says of hosts and operations in `grants`. A check allocates nothing, and costs the
//! length of the name however many rules there are, but for those with ranges of hosts: the ranges that the rules of one
//! principal name for one pattern are compared with the host one after the other. Kafka compares all rules of a pattern. What
//! was allowed is kept for a connection (`allowed`), a denial is not: it is told each time, and costs a check each time.
//!
//! Deviation: names that begin with a character below `*` are decided as all others. Kafka's walk over its sorted rules
//! fails with some of those, or does not end.

mod filter;
mod grants;
mod host;
#[cfg(any(test, feature = "fuzzing"))]
pub mod model;
mod validation;

use std::fmt;
use std::ops::ControlFlow;

pub use filter::AclFilter;
pub use grants::NamedHost;
use grants::{ALL_OPERATIONS, ALLOW, Decisive, Grants};
pub use host::HostAddress;
#[cfg(any(test, feature = "fuzzing"))]
pub use host::HostPattern;
pub use validation::CLUSTER_NAME;

use super::access::{AclOperation, AclResource, Action};
use super::principal::Principal;
use super::shown::Shown;
use crate::stdx::prefix_map::PrefixMap;

/// Numbers of the kinds of patterns (`PatternType`).
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
const DENY: i8 = 2;
/// A literal rule of this name is for every resource of its type, but for those that [`is_beyond_wildcard`].
const WILDCARD: &str = "*";
/// Rules for it are for every client. No other type of principal has such a name.
const EVERY_USER: &str = "User:*";

fn is_resource(number: i8) -> bool {
    AclResource::from_id(number).is_some()
}

fn is_pattern(number: i8) -> bool {
    [LITERAL, PREFIXED].contains(&number)
}

fn is_operation(number: i8) -> bool {
    (ALL_OPERATIONS..=AclOperation::TwoPhaseCommit as i8).contains(&number)
}

fn is_permission(number: i8) -> bool {
    [DENY, ALLOW].contains(&number)
}

/// One rule, with numbers as they stand in records and requests: some may be those of a newer Kafka. In the order of
/// resources, so that rules for one pattern stand together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Acl {
    pub resource_type: i8,
    pub resource_name: String,
    pub pattern_type: i8,
    /// Type and name, with a colon between them.
    pub principal: String,
    pub host: String,
    pub operation: i8,
    pub permission_type: i8,
}

/// Who asks, and where from.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub principal: &'a Principal,
    pub host: HostAddress,
}

/// The rule that decides, in its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found<'a> {
    pub resource: AclResource,
    pub name: &'a str,
    pub is_prefixed: bool,
    pub principal: &'a str,
    pub host: NamedHost<'a>,
    pub operation: i8,
    pub allows: bool,
}

/// As a rule of Kafka's prints itself (`StandardAcl`).
impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = match self.resource {
            AclResource::Topic => "TOPIC",
            AclResource::Group => "GROUP",
            AclResource::Cluster => "CLUSTER",
            AclResource::TransactionalId => "TRANSACTIONAL_ID",
            AclResource::DelegationToken => "DELEGATION_TOKEN",
            AclResource::User => "USER",
        };
        let pattern = if self.is_prefixed { "PREFIXED" } else { "LITERAL" };
        let operation = AclOperation::ALL.into_iter().find(|operation| *operation as i8 == self.operation);
        let operation = operation.map_or("ALL", AclOperation::name);
        let permission = if self.allows { "ALLOW" } else { "DENY" };
        let (name, principal, host) = (Shown(self.name), Shown(self.principal), self.host);
        write!(f, "StandardAcl[resourceType={resource}, resourceName={name}, patternType={pattern}, ")?;
        write!(f, "principal={principal}, host={host}, operation={operation}, permissionType={permission}]")
    }
}

/// What is said of a name, and of all names that begin with it.
#[derive(Clone, Default, PartialEq, Debug)]
struct Named<T> {
    literal: T,
    prefixed: T,
}

impl<T> Named<T> {
    /// Kafka takes every pattern for a prefix that is not literal.
    fn of(&mut self, pattern_type: i8) -> &mut T {
        if pattern_type == LITERAL { &mut self.literal } else { &mut self.prefixed }
    }
}

type ByName<T> = PrefixMap<Named<T>>;

/// What is said of the name of a resource: the part of it that a rule names, whether that is a prefix, and what it says.
fn said_of<'a, T>(names: &'a ByName<T>, name: &'a str) -> impl Iterator<Item = (&'a str, bool, &'a T)> {
    let along = names.along(name.as_bytes()).flat_map(move |(rest, named)| {
        let literal = (rest == 0).then_some((name, false, &named.literal));
        literal.into_iter().chain([(&name[..name.len() - rest], true, &named.prefixed)])
    });
    let wildcard = names.get(WILDCARD.as_bytes()).filter(|_| !is_beyond_wildcard(name));
    along.chain(wildcard.map(|named| (WILDCARD, false, &named.literal)))
}

/// Kafka takes the wildcard for a name like any other where a longer name begins with it (`checkSection`). Topics are never
/// called like that.
fn is_beyond_wildcard(name: &str) -> bool {
    name.len() > WILDCARD.len() && name.starts_with(WILDCARD)
}

/// The rules of one principal, by the types of resources.
#[derive(Clone, Default, PartialEq, Debug)]
struct Rules {
    kinds: [ByName<Grants>; AclResource::ALL.len()],
}

impl Rules {
    fn is_empty(&self) -> bool {
        self.kinds.iter().all(PrefixMap::is_empty)
    }
}

fn place(resource: AclResource) -> usize {
    resource as usize - AclResource::Topic as usize
}

/// All rules. A clone costs nothing. Rules for types of resources that are not known here are in none: no request is about
/// such a resource.
#[derive(Clone, Default, Debug)]
pub struct AclIndex {
    by_principal: PrefixMap<Rules>,
    /// How many rules there are for a pattern, whosever they are.
    counts: [ByName<usize>; AclResource::ALL.len()],
    epoch: u64,
}

/// The rules are the same, however they came to be.
impl PartialEq for AclIndex {
    fn eq(&self, other: &AclIndex) -> bool {
        (&self.by_principal, &self.counts) == (&other.by_principal, &other.counts)
    }
}

impl AclIndex {
    /// Adds a rule that is not there.
    pub fn insert(&mut self, acl: &Acl) {
        self.set(acl, true);
    }

    /// Takes out a rule that is there.
    pub fn remove(&mut self, acl: &Acl) {
        self.set(acl, false);
    }

    /// Another one after each change: what was decided holds while it is the same.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    fn set(&mut self, acl: &Acl, is_there: bool) {
        self.epoch += 1;
        let Some(resource) = AclResource::from_id(acl.resource_type) else { return };
        let (at, name) = (place(resource), acl.resource_name.as_bytes());
        self.counts[at].update(name, |named| {
            let counts = named.get_or_insert_default();
            let count = counts.of(acl.pattern_type);
            assert!(is_there || *count > 0, "a rule is taken out that is there");
            *count = if is_there { *count + 1 } else { *count - 1 };
            if counts.literal + counts.prefixed == 0 {
                *named = None;
            }
        });
        self.by_principal.update(acl.principal.as_bytes(), |rules| {
            let kinds = &mut rules.get_or_insert_default().kinds;
            kinds[at].update(name, |named| {
                let grants = named.get_or_insert_default();
                grants.of(acl.pattern_type).set(&acl.host, acl.operation, acl.permission_type, is_there);
                if grants.literal.is_empty() && grants.prefixed.is_empty() {
                    *named = None;
                }
            });
            if rules.as_ref().is_some_and(Rules::is_empty) {
                *rules = None;
            }
        });
    }

    /// The rule that decides: one that denies, if any does, else one that allows.
    pub fn decide<'a>(&'a self, who: &Subject<'a>, action: &Action<'a>) -> Option<Found<'a>> {
        let Action { operation, resource, name } = *action;
        let (asked, at) = (Decisive::of(operation), place(resource));
        let mut allowed = None;
        for (principal, rules) in self.rules_of(who) {
            for (name, is_prefixed, grants) in said_of(&rules.kinds[at], name) {
                for (host, bits) in grants.at(who.host) {
                    let Some((operation, allows)) = bits.decide(asked) else { continue };
                    let found = Found { resource, name, is_prefixed, principal, host, operation, allows };
                    if !allows {
                        return Some(found);
                    }
                    allowed.get_or_insert(found);
                }
            }
        }
        allowed
    }

    /// Whether any rule is for this resource, whosever it is and whatever it says.
    pub fn names(&self, resource: AclResource, name: &str) -> bool {
        said_of(&self.counts[place(resource)], name).any(|(_, _, count)| *count > 0)
    }

    /// The rules for the client itself and those for everyone, with their principals.
    fn rules_of<'a>(&'a self, who: &Subject<'a>) -> impl Iterator<Item = (&'a str, &'a Rules)> + Clone {
        let principals = [who.principal.text(), EVERY_USER].into_iter();
        principals.filter_map(move |principal| Some((principal, self.by_principal.get(principal.as_bytes())?)))
    }

    /// Whether rules allow an operation on any resource of a type: it is allowed on some name or prefix, and nothing denies
    /// it for all that this stands for.
    pub fn allows_any(&self, who: &Subject<'_>, operation: AclOperation, resource: AclResource) -> bool {
        let (asked, at) = (Decisive::plain(operation), place(resource));
        let kinds = self.rules_of(who).map(|(_, rules)| &rules.kinds[at]);
        let is = |grants: &Grants, allows: bool| {
            // A rule that denies hides one that allows in the same place, but both count here.
            let asked = if allows { Decisive { denying: 0, ..asked } } else { Decisive { allowing: 0, ..asked } };
            grants.at(who.host).any(|(_, bits)| bits.decide(asked).is_some())
        };
        let literally = |name: &[u8], allows: bool| {
            kinds.clone().filter_map(|kind| kind.get(name)).any(|named| is(&named.literal, allows))
        };
        if literally(WILDCARD.as_bytes(), false) {
            return false;
        }
        if literally(WILDCARD.as_bytes(), true) {
            return true;
        }
        let is_denied_with_all =
            |name: &[u8]| kinds.clone().flat_map(|kind| kind.along(name)).any(|(_, named)| is(&named.prefixed, false));
        let is_open = |name: &[u8], named: &Named<Grants>| {
            let literal = is(&named.literal, true) && !literally(name, false);
            (literal || is(&named.prefixed, true)) && !is_denied_with_all(name)
        };
        let mut all = kinds.clone();
        let found = all.try_for_each(|kind| {
            kind.walk(
                |name, named| if is_open(name, named) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) },
            )
        });
        found.is_break()
    }
}

#[cfg(test)]
pub mod tests;
