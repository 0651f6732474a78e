//! What a client was seen to be allowed to do, so that the rules are not walked again for each request.
//!
//! Only permissions are kept: a denial is told to the audit log each time. They hold for one principal under one epoch of
//! the rules; another of either forgets them all. A client's address does not change, so it is in no key. The table has one
//! place for a hash: a client of many topics pushes out its own entries and no other client's.

use twox_hash::XxHash3_64;

use super::access::{AclOperation, AclResource, Action};
use super::principal::Principal;

/// Places of one client, 1.5 KiB of memory once it has been allowed anything.
const PLACES: usize = 64;
/// Bytes of a name that are kept at most, as long as a topic's may be: a longer one is decided each time.
const MOST_NAME_BYTES: usize = 249;

#[derive(Debug)]
struct Entry {
    operation: AclOperation,
    resource: AclResource,
    name: Box<str>,
}

impl Entry {
    fn is_for(&self, action: &Action<'_>) -> bool {
        (self.operation, self.resource) == (action.operation, action.resource) && *self.name == *action.name
    }
}

/// The permissions of one connection's client.
#[derive(Debug)]
pub struct Allowed {
    principal: Principal,
    rules_epoch: u64,
    /// Empty or [`PLACES`] long.
    places: Vec<Option<Entry>>,
}

impl Default for Allowed {
    fn default() -> Allowed {
        Allowed { principal: Principal::ANONYMOUS, rules_epoch: 0, places: Vec::new() }
    }
}

impl Allowed {
    /// Whether the client was seen to be allowed this under these rules.
    pub fn has(&self, principal: &Principal, rules_epoch: u64, action: &Action<'_>) -> bool {
        self.rules_epoch == rules_epoch
            && self.principal == *principal
            && self.places.get(place(action)).and_then(Option::as_ref).is_some_and(|entry| entry.is_for(action))
    }

    /// Keeps that the client is allowed this under these rules.
    pub fn keep(&mut self, principal: &Principal, rules_epoch: u64, action: &Action<'_>) {
        if action.name.len() > MOST_NAME_BYTES {
            return;
        }
        if (self.rules_epoch, &self.principal) != (rules_epoch, principal) {
            *self = Allowed { principal: principal.clone(), rules_epoch, places: Vec::new() };
        }
        self.places.resize_with(PLACES, || None);
        let Action { operation, resource, name } = *action;
        self.places[place(action)] = Some(Entry { operation, resource, name: name.into() });
    }
}

fn place(action: &Action<'_>) -> usize {
    let kind = action.operation as u64 * 8 + action.resource as u64;
    ((XxHash3_64::oneshot(action.name.as_bytes()) ^ kind) % PLACES as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(name: &str) -> Action<'_> {
        Action { operation: AclOperation::Write, resource: AclResource::Topic, name }
    }

    #[test]
    fn a_permission_is_for_one_principal_one_action_and_one_epoch() {
        let (alice, bob) = (Principal::new(Principal::USER, "alice"), Principal::new(Principal::USER, "bob"));
        let mut allowed = Allowed::default();
        assert!(!allowed.has(&alice, 0, &write("orders")));
        allowed.keep(&alice, 7, &write("orders"));
        assert!(allowed.has(&alice, 7, &write("orders")));
        assert!(!allowed.has(&bob, 7, &write("orders")));
        assert!(!allowed.has(&alice, 8, &write("orders")));
        assert!(!allowed.has(&alice, 7, &write("order")));
        let read = Action { operation: AclOperation::Read, ..write("orders") };
        let group = Action { resource: AclResource::Group, ..write("orders") };
        assert!(!allowed.has(&alice, 7, &read) && !allowed.has(&alice, 7, &group));

        // Another epoch, and another principal, forget all that was before.
        allowed.keep(&alice, 8, &write("invoices"));
        assert!(allowed.has(&alice, 8, &write("invoices")) && !allowed.has(&alice, 8, &write("orders")));
        allowed.keep(&bob, 8, &write("orders"));
        assert!(allowed.has(&bob, 8, &write("orders")) && !allowed.has(&bob, 8, &write("invoices")));
        assert!(!allowed.has(&alice, 8, &write("orders")));
    }

    /// Names that share a place are told apart by the name.
    #[test]
    fn what_shares_a_place_is_not_taken_for_the_other() {
        let (alice, mut allowed) = (Principal::new(Principal::USER, "alice"), Allowed::default());
        let names: Vec<String> = (0..10 * PLACES).map(|number| format!("topic-{number}")).collect();
        for (number, name) in names.iter().enumerate() {
            allowed.keep(&alice, 1, &write(name));
            assert!(allowed.has(&alice, 1, &write(name)));
            assert!(names[number + 1..].iter().all(|later| !allowed.has(&alice, 1, &write(later))));
        }
        let kept = names.iter().filter(|name| allowed.has(&alice, 1, &write(name))).count();
        assert!((PLACES / 2..=PLACES).contains(&kept), "{kept} of {} are kept", names.len());
        let long = "x".repeat(MOST_NAME_BYTES + 1);
        allowed.keep(&alice, 1, &write(&long));
        assert!(!allowed.has(&alice, 1, &write(&long)));
    }
}
