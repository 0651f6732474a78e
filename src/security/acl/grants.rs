//! What the rules of one principal and one name allow and deny, by host.

use std::fmt;
use std::sync::Arc;

use super::host::{Cidr, EVERY_HOST, HostAddress, HostPattern};
use crate::security::access::AclOperation;

/// The operation that stands for all of them.
pub const ALL_OPERATIONS: i8 = 2;
pub const ALLOW: i8 = 3;

/// A set of operations, one bit each, by their numbers.
type Operations = u16;

const fn bit(operation: i8) -> Operations {
    1 << operation
}

const fn bits(operations: &[AclOperation]) -> Operations {
    let (mut all, mut at) = (bit(ALL_OPERATIONS), 0);
    while at < operations.len() {
        all |= bit(operations[at] as i8);
        at += 1;
    }
    all
}

/// What a client asks to do, as the operations of the rules that say something of it.
#[derive(Clone, Copy)]
pub struct Decisive {
    pub denying: Operations,
    pub allowing: Operations,
}

impl Decisive {
    /// Rules that allow one operation allow what it implies, too; rules that deny it do not
    /// (`StandardAuthorizerData.findResult`).
    pub const fn of(operation: AclOperation) -> Decisive {
        use AclOperation::*;
        let allowing = match operation {
            Describe => bits(&[Describe, Read, Write, Delete, Alter]),
            DescribeConfigs => bits(&[DescribeConfigs, AlterConfigs]),
            other => bits(&[other]),
        };
        Decisive { denying: bits(&[operation]), allowing }
    }

    /// Without what other operations imply, as `Authorizer.authorizeByResourceType` looks at rules.
    pub const fn plain(operation: AclOperation) -> Decisive {
        Decisive { denying: bits(&[operation]), allowing: bits(&[operation]) }
    }
}

/// Which operations rules allow and deny.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Bits {
    allowed: Operations,
    denied: Operations,
}

impl Bits {
    /// The number of an operation that decides, and whether it allows. What denies comes first.
    pub fn decide(self, asked: Decisive) -> Option<(i8, bool)> {
        let first = |operations: Operations| (operations != 0).then(|| operations.trailing_zeros() as i8);
        let denied = first(self.denied & asked.denying).map(|operation| (operation, false));
        denied.or_else(|| first(self.allowed & asked.allowing).map(|operation| (operation, true)))
    }
}

/// The hosts of a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NamedHost<'a> {
    Every,
    One(HostAddress),
    Range(&'a str),
}

impl fmt::Display for NamedHost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NamedHost::Every => f.write_str(EVERY_HOST),
            NamedHost::One(address) => write!(f, "{address}"),
            NamedHost::Range(text) => f.write_str(text),
        }
    }
}

/// The rules of one principal for one pattern. Rules that can match no client are not in it.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Grants {
    everywhere: Bits,
    /// Sorted by address.
    hosts: Vec<(HostAddress, Bits)>,
    /// Sorted by text: one range can be written in several ways, each of which is a rule of its own.
    ranges: Vec<(Arc<str>, Cidr, Bits)>,
}

impl Grants {
    pub fn is_empty(&self) -> bool {
        self.everywhere == Bits::default() && self.hosts.is_empty() && self.ranges.is_empty()
    }

    /// What holds for a host.
    pub fn at(&self, host: HostAddress) -> impl Iterator<Item = (NamedHost<'_>, Bits)> {
        let one = self.hosts.binary_search_by_key(&host, |(address, _)| *address).ok();
        let one = one.map(|at| (NamedHost::One(host), self.hosts[at].1));
        let ranges = self.ranges.iter().filter(move |(_, range, _)| range.contains(host));
        let ranges = ranges.map(|(text, _, bits)| (NamedHost::Range(text), *bits));
        std::iter::once((NamedHost::Every, self.everywhere)).chain(one).chain(ranges)
    }

    /// Adds a rule, or takes it out. Numbers that are no operation's say nothing; what does not allow denies, as in Kafka.
    pub fn set(&mut self, host: &str, operation: i8, permission: i8, is_there: bool) {
        if !(ALL_OPERATIONS..=AclOperation::TwoPhaseCommit as i8).contains(&operation) {
            return;
        }
        self.change(host, |bits| {
            let operations = if permission == ALLOW { &mut bits.allowed } else { &mut bits.denied };
            *operations = if is_there { *operations | bit(operation) } else { *operations & !bit(operation) };
        });
    }

    fn change(&mut self, host: &str, change: impl FnOnce(&mut Bits)) {
        match HostPattern::parse(host) {
            HostPattern::Every => change(&mut self.everywhere),
            HostPattern::None => {}
            HostPattern::One(address) => {
                let found = self.hosts.binary_search_by_key(&address, |(address, _)| *address);
                let at = found.unwrap_or_else(|at| {
                    self.hosts.insert(at, (address, Bits::default()));
                    at
                });
                change(&mut self.hosts[at].1);
                if self.hosts[at].1 == Bits::default() {
                    self.hosts.remove(at);
                }
            }
            HostPattern::Range(range) => {
                let found = self.ranges.binary_search_by_key(&host, |(text, _, _)| text);
                let at = found.unwrap_or_else(|at| {
                    self.ranges.insert(at, (host.into(), range, Bits::default()));
                    at
                });
                change(&mut self.ranges[at].2);
                if self.ranges[at].2 == Bits::default() {
                    self.ranges.remove(at);
                }
            }
        }
    }
}
