//! New ACLs and the end of old ones (`AclControlManager`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::decision::{Decisions, MAX_RECORDS_PER_REQUEST, Refusal, TOO_MANY};
use super::image::Image;
use super::levels;
use super::record::{Record, RemoveAccessControlEntryRecord};
use super::security;
use crate::model::{ErrorCode, Uuid};
use crate::security::acl::{Acl, AclFilter};

/// One answer names so many deleted ACLs at most, each as often as filters match it. Kafka counts those that go, but not how
/// often it tells of them: a filter of a few bytes that is repeated would take any memory.
const MOST_TOLD: usize = 10 * MAX_RECORDS_PER_REQUEST;

/// Creates each ACL that may be, unless it is there. More than one request may cause: none, but those that the broker
/// refuses by themselves have their own answers.
pub(super) fn create_acls(
    image: &Image,
    acls: &[Acl],
    new_id: &mut dyn FnMut() -> Uuid,
) -> Decisions<Result<(), Refusal>> {
    let knows_ranges = levels::knows_acl_ranges(image.metadata_version());
    let (mut new, mut named) = (Vec::new(), BTreeSet::new());
    let create = |acl| -> Result<(), Refusal> {
        Acl::validate_name(acl)?;
        acl.validate(knows_ranges)?;
        if !image.acl_ids.contains_key(acl) && named.insert(acl) {
            new.push(acl);
        }
        Ok(())
    };
    let results = acls.iter().map(create).collect();
    if new.len() > MAX_RECORDS_PER_REQUEST {
        let refuse = |acl: &Acl| acl.validate_name().and(Err(Refusal::new(ErrorCode::PolicyViolation, TOO_MANY)));
        return Decisions { records: Vec::new(), results: acls.iter().map(refuse).collect() };
    }
    let mut free_id = || loop {
        let id = new_id();
        if !image.acls.contains_key(&id) {
            return id;
        }
    };
    let record = |acl| Record::AccessControlEntry(security::acl_record(free_id(), acl));
    Decisions { records: new.into_iter().map(record).collect(), results }
}

/// Deletes the ACLs that each filter matches, and gives them. More than one request may cause: none of any filter.
pub(super) fn delete_acls(image: &Image, filters: &[AclFilter]) -> Decisions<Result<Vec<Arc<Acl>>, Refusal>> {
    let (mut gone, mut told) = (BTreeSet::new(), 0);
    let mut results = Vec::new();
    for filter in filters {
        if let Err(refusal) = filter.validate() {
            results.push(Err(refusal));
            continue;
        }
        let mut deleted = Vec::new();
        for (acl, id) in image.acl_ids.iter().filter(|(acl, _)| filter.matches(acl)) {
            // Kafka counts before it looks whether an earlier filter has deleted it.
            if gone.len() >= MAX_RECORDS_PER_REQUEST || told >= MOST_TOLD {
                let message =
                    format!("Cannot remove more than {MAX_RECORDS_PER_REQUEST} acls in a single delete operation.");
                let refusal = Refusal::new(ErrorCode::InvalidRequest, message);
                return Decisions { records: Vec::new(), results: vec![Err(refusal); filters.len()] };
            }
            gone.insert(*id);
            told += 1;
            deleted.push(acl.clone());
        }
        results.push(Ok(deleted));
    }
    let record = |id| Record::RemoveAccessControlEntry(RemoveAccessControlEntryRecord { id });
    Decisions { records: gone.into_iter().map(record).collect(), results }
}

#[cfg(test)]
mod tests;
