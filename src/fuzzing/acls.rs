//! ACLs: rules come and go, and clients ask. Whatever their names and hosts, the index decides as a walk over all rules.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use crate::security::access::{AclOperation, AclResource, Action};
use crate::security::acl::model::Model;
use crate::security::acl::{Acl, AclIndex, HostAddress, HostPattern, Subject};
use crate::security::principal::Principal;

/// A line of fields as in `security/testdata/decisions-4.4.0.txt`; one that begins with `end` takes a rule out again.
pub fn acls(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (mut index, mut rules) = (AclIndex::default(), BTreeSet::new());
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match &fields[..] {
            ["rule", fields @ ..] => {
                if let Some(acl) = acl(fields).filter(|acl| rules.insert(acl.clone())) {
                    index.insert(&acl);
                }
            }
            ["end", fields @ ..] => {
                if let Some(acl) = acl(fields).filter(|acl| rules.remove(acl)) {
                    index.remove(&acl);
                }
            }
            ["ask", fields @ ..] => ask(&index, &rules, fields).unwrap_or_default(),
            ["range", text, ..] => drop(HostPattern::parse(text)),
            _ => {}
        }
    }
    let mut built = AclIndex::default();
    rules.iter().for_each(|acl| built.insert(acl));
    assert_eq!(index, built, "it does not depend on the order");
    rules.iter().for_each(|acl| index.remove(acl));
    assert_eq!(index, AclIndex::default(), "nothing is left");
}

fn acl(fields: &[&str]) -> Option<Acl> {
    let [resource_type, name, pattern_type, principal, host, operation, permission_type] = *fields else { return None };
    let number = |text: &str| text.parse().ok();
    Some(Acl {
        resource_type: number(resource_type)?,
        resource_name: name.into(),
        pattern_type: number(pattern_type).filter(|pattern| [3, 4].contains(pattern))?,
        principal: principal.into(),
        host: host.into(),
        operation: number(operation)?,
        permission_type: number(permission_type).filter(|permission| [2, 3].contains(permission))?,
    })
}

/// `None`: it is no question.
fn ask(index: &AclIndex, rules: &BTreeSet<Acl>, fields: &[&str]) -> Option<()> {
    let [principal, host, operation, resource, name, ..] = *fields else { return None };
    let (kind, user) = principal.split_once(':')?;
    let principal = Principal::new(kind.to_string(), user.to_string());
    let ip: IpAddr = host.parse().ok()?;
    let who = Subject { principal: &principal, host: HostAddress::from(SocketAddr::new(ip, 1)) };
    let operation: i8 = operation.parse().ok()?;
    let operation = AclOperation::ALL.into_iter().find(|known| *known as i8 == operation)?;
    let resource = AclResource::from_id(resource.parse().ok()?)?;
    let (action, model) = (Action { operation, resource, name }, Model { rules, who });
    assert_eq!(index.decide(&who, &action).map(|found| found.allows), model.decide(&action));
    assert_eq!(index.names(resource, name), rules.iter().any(|acl| Model::names(acl, resource, name)));
    assert_eq!(index.allows_any(&who, operation, resource), model.allows_any(operation, resource));
    Some(())
}
