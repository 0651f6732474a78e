//! ACLs in the image and the decisions about them (Kafka's `AclControlManagerTest`).

use super::*;
use crate::metadata::record::FeatureLevelRecord;
use crate::metadata::tests::{commit, fresh};
use crate::metadata::{Ignored, METADATA_VERSION};
use crate::security::access::{AclOperation, AclResource, Action};
use crate::security::acl::AclIndex;
use crate::security::acl::tests::{acl, host, principal};
use crate::security::acl::{NamedHost, Subject};

const ANY: i8 = 1;

fn topic_rule(name: &str, host: &str) -> Acl {
    acl(&["2", name, "3", "User:a", host, "3", "3"])
}

fn ids() -> impl FnMut() -> Uuid {
    let mut given = 0u32;
    move || {
        given += 1;
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&given.to_be_bytes());
        Uuid(bytes)
    }
}

fn filter(name: Option<&str>) -> AclFilter {
    AclFilter {
        resource_type: ANY,
        resource_name: name.map(Into::into),
        pattern_type: ANY,
        principal: None,
        host: None,
        operation: ANY,
        permission_type: ANY,
    }
}

/// What an index must be that was made from the image's ACLs.
fn index_of(image: &Image) -> AclIndex {
    let mut index = AclIndex::default();
    image.acls().for_each(|acl| index.insert(acl));
    index
}

#[test]
fn rules_are_created_once_and_deleted_by_filters() {
    let (mut image, mut new_id) = (fresh(), ids());
    let (a, b, bad) = (topic_rule("a", "*"), topic_rule("b", "10.0.0.0/8"), topic_rule("", "*"));
    let created = create_acls(&image, &[b.clone(), a.clone(), bad.clone(), a.clone()], &mut new_id);
    let message = |result: &Result<(), Refusal>| result.as_ref().err().and_then(|refusal| refusal.message.clone());
    let messages: Vec<_> = created.results.iter().map(message).collect();
    assert_eq!(messages, [None, None, Some("Invalid empty resource name".into()), None]);
    let names = created.records.iter().map(|record| match record {
        Record::AccessControlEntry(record) => (&*record.resource_name, record.id != Uuid::ZERO),
        other => panic!("{other:?}"),
    });
    assert_eq!(names.collect::<Vec<_>>(), [("b", true), ("a", true)], "in the order of the request");
    commit(&mut image, &created.records);
    assert_eq!(create_acls(&image, &[a.clone(), b.clone()], &mut new_id).records, []);
    assert_eq!(image.acls().map(|acl| &**acl).collect::<Vec<_>>(), [&a, &b]);
    let (principal, host) = (principal("User:a"), host("10.1.2.3"));
    let who = Subject { principal: &principal, host };
    let action = Action { operation: AclOperation::Describe, resource: AclResource::Topic, name: "b" };
    let found = image.acl_index().decide(&who, &action).unwrap();
    assert!(found.allows && found.host == NamedHost::Range("10.0.0.0/8"));

    let unknown = AclFilter { operation: 99, ..filter(None) };
    let deleted = delete_acls(&image, &[filter(Some("a")), unknown, filter(None), filter(Some("c"))]);
    assert_eq!(deleted.records.len(), 2);
    let refusal = Refusal::new(ErrorCode::InvalidRequest, "Unknown entryFilter.");
    let (a, b) = (Arc::new(a), Arc::new(b));
    assert_eq!(deleted.results, [Ok(vec![a.clone()]), Err(refusal), Ok(vec![a, b]), Ok(vec![])]);
    commit(&mut image, &deleted.records);
    assert_eq!((image.acls().count(), image.acl_index()), (0, &AclIndex::default()));
}

#[test]
fn ranges_need_a_level_that_has_them() {
    let mut image = fresh();
    let ranges = [topic_rule("a", "10.0.0.0/8")];
    for (feature_level, errors) in [(31, [Some(ErrorCode::UnsupportedVersion)]), (32, [None])] {
        let name = METADATA_VERSION.into();
        commit(&mut image, &[Record::FeatureLevel(FeatureLevelRecord { name, feature_level })]);
        let created = create_acls(&image, &ranges, &mut ids());
        let error = |result: &Result<(), Refusal>| result.as_ref().err().map(|refusal| refusal.error);
        assert_eq!(created.results.iter().map(error).collect::<Vec<_>>(), errors);
    }
}

#[test]
fn one_request_changes_so_many_at_most() {
    let (mut image, most) = (fresh(), MAX_RECORDS_PER_REQUEST);
    let mut rules: Vec<_> = (0..=most).map(|number| topic_rule(&format!("t-{number}"), "*")).collect();
    rules.insert(0, topic_rule("", "*"));
    let refused = create_acls(&image, &rules, &mut ids());
    assert_eq!((refused.records.len(), refused.results.len()), (0, most + 2));
    let error = |result: &Result<(), Refusal>| result.as_ref().unwrap_err().error;
    assert_eq!(error(&refused.results[0]), ErrorCode::InvalidRequest);
    assert!(refused.results[1..].iter().all(|result| error(result) == ErrorCode::PolicyViolation));
    // One that is there already counts for nothing.
    rules.truncate(most + 1);
    rules.push(rules[1].clone());
    let created = create_acls(&image, &rules, &mut ids());
    assert_eq!(created.records.len(), most);
    commit(&mut image, &created.records);
    assert_eq!(image.acl_index(), &index_of(&image));

    let all = delete_acls(&image, &[filter(Some("none")), filter(None)]);
    assert_eq!((all.records.len(), all.results[1].as_ref().map(Vec::len)), (most, Ok(most)));
    // Kafka counts the records of earlier filters, also where a filter would add none.
    let refused = delete_acls(&image, &[filter(None), filter(Some("t-1"))]);
    let message = "Cannot remove more than 10000 acls in a single delete operation.";
    let refusal = Refusal::new(ErrorCode::InvalidRequest, message);
    assert_eq!(refused, Decisions { records: vec![], results: vec![Err(refusal.clone()), Err(refusal)] });
}

#[test]
fn filters_that_match_the_same_rules_are_told_so_often_at_most() {
    let mut image = fresh();
    let rules: Vec<_> = (0..10).map(|number| topic_rule(&format!("t-{number}"), "*")).collect();
    let created = create_acls(&image, &rules, &mut ids());
    commit(&mut image, &created.records);
    let mut filters = vec![filter(None); MOST_TOLD / rules.len()];
    let most = delete_acls(&image, &filters);
    assert_eq!((most.records.len(), most.results.iter().flatten().flatten().count()), (10, MOST_TOLD));
    filters.push(filter(None));
    let refused = delete_acls(&image, &filters);
    assert_eq!((refused.records.len(), refused.results.len()), (0, filters.len()));
    assert!(refused.results.iter().all(Result::is_err));
}

/// Neither Kafka nor Klamm writes such a log.
#[test]
fn a_strange_log_leaves_no_rule_without_its_index() {
    let (mut image, mut new_id) = (Image::default(), ids());
    let (first, second) = (new_id(), new_id());
    let (a, b) = (topic_rule("a", "*"), topic_rule("b", "*"));
    let put = |id, acl: &Acl| Record::AccessControlEntry(security::acl_record(id, acl));
    let remove = |id| Record::RemoveAccessControlEntry(RemoveAccessControlEntryRecord { id });
    let twice = Ignored::Unknown("ACL that is not there under another id");
    let steps = [
        (put(first, &a), None, vec![&a]),
        (put(second, &a), Some(twice), vec![&a]),
        (remove(second), Some(Ignored::Unknown("ACL")), vec![&a]),
        (put(first, &b), None, vec![&b]),
        (put(second, &a), None, vec![&a, &b]),
        (remove(first), None, vec![&a]),
        (remove(first), Some(Ignored::Unknown("ACL")), vec![&a]),
        (remove(second), None, vec![]),
    ];
    for (offset, (record, ignored, left)) in steps.into_iter().enumerate() {
        assert_eq!(image.apply(&record, offset as i64), ignored, "{record:?}");
        assert_eq!(image.acls().map(|acl| &**acl).collect::<Vec<_>>(), left);
        assert_eq!((image.acl_index(), image.acls.size()), (&index_of(&image), left.len()));
    }
}
