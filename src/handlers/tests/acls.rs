//! DescribeAcls, CreateAcls and DeleteAcls with an authorizer.

use super::versions::versions;
use crate::config::AuthorizerSettings;
use crate::handlers::testing::Broker;
use crate::model::{ApiKey, ErrorCode};
use crate::security::principal::Principal;
use crate::wire::api::create_acls::{self, AclCreation, AclCreationResult};
use crate::wire::api::delete_acls::{self, DeleteAclsFilter};
use crate::wire::api::describe_acls::{self, AclDescription, DescribeAclsResource};

/// Asked by a super user.
fn start() -> Broker {
    let super_users = vec!["User:admin".to_string()];
    let authorizer = AuthorizerSettings { super_users, allow_everyone_if_no_acl_found: false };
    let mut broker = Broker::start_with(&[], Some(authorizer));
    become_user(&mut broker, "admin");
    broker
}

fn become_user(broker: &mut Broker, name: &'static str) {
    broker.session.principal = Principal::new(Principal::USER, name);
}

fn creation(resource_type: i8, name: &'static str, principal: &'static str, operation: i8) -> AclCreation<'static> {
    AclCreation {
        resource_type,
        resource_name: name.into(),
        resource_pattern_type: 3,
        principal: principal.into(),
        host: "*".into(),
        operation,
        permission_type: 3,
    }
}

fn create(broker: &mut Broker, version: i16, creations: &[AclCreation<'_>]) -> Vec<AclCreationResult<'static>> {
    let request = create_acls::Request { creations: creations.to_vec() };
    broker.ask::<create_acls::Response>(ApiKey::CreateAcls, version, &request).results
}

fn describe(broker: &mut Broker, name: Option<&'static str>) -> describe_acls::Response<'static> {
    let request = describe_acls::Request {
        resource_type_filter: 1,
        resource_name_filter: name.map(Into::into),
        pattern_type_filter: 2,
        principal_filter: None,
        host_filter: None,
        operation: 1,
        permission_type: 1,
    };
    broker.ask(ApiKey::DescribeAcls, 3, &request)
}

fn delete(broker: &mut Broker, version: i16, filters: &[DeleteAclsFilter<'_>]) -> delete_acls::Response<'static> {
    broker.ask(ApiKey::DeleteAcls, version, &delete_acls::Request { filters: filters.to_vec() })
}

fn filter(name: Option<&'static str>) -> DeleteAclsFilter<'static> {
    DeleteAclsFilter {
        resource_type_filter: 1,
        resource_name_filter: name.map(Into::into),
        pattern_type_filter: 1,
        principal_filter: None,
        host_filter: None,
        operation: 1,
        permission_type: 1,
    }
}

#[test]
fn acls_are_created_described_and_deleted() {
    let mut broker = start();
    let done = AclCreationResult::default();
    let read = creation(2, "t", "User:a", 3);
    for version in versions(ApiKey::CreateAcls) {
        let creations = [creation(2, "*", "User:b", 8), read.clone(), read.clone(), creation(3, "t", "User:a", 3)];
        assert_eq!(create(&mut broker, version, &creations), vec![done.clone(); 4]);
    }
    let write = AclCreation { operation: 4, host: "10.0.0.0/8".into(), permission_type: 2, ..read.clone() };
    let bad = AclCreation { principal: "a".into(), ..read.clone() };
    let results = create(&mut broker, 3, &[write, bad, creation(4, "t", "User:a", 3)]);
    let said: Vec<_> = results.iter().map(|result| (result.error_code, result.error_message.as_deref())).collect();
    let no_colon = "Could not parse principal from `a` (no colon is present separating the principal type from the \
                    principal name)";
    let cluster = "The only valid name for the CLUSTER resource is kafka-cluster";
    assert_eq!(said, [(0, Some("")), (42, Some(no_colon)), (42, Some(cluster))]);

    let description = |principal: &'static str, host: &'static str, operation, permission_type| AclDescription {
        principal: principal.into(),
        host: host.into(),
        operation,
        permission_type,
    };
    let resource = |resource_type, name: &'static str, acls| DescribeAclsResource {
        resource_type,
        resource_name: name.into(),
        pattern_type: 3,
        acls,
    };
    let of_a = vec![description("User:a", "*", 3, 3), description("User:a", "10.0.0.0/8", 4, 2)];
    let (of_all, of_group) = (vec![description("User:b", "*", 8, 3)], vec![description("User:a", "*", 3, 3)]);
    let expected = [resource(2, "*", of_all), resource(2, "t", of_a), resource(3, "t", of_group)];
    assert_eq!(describe(&mut broker, Some("t")).resources, expected);
    assert_eq!(describe(&mut broker, None).resources, expected);

    let unknown = DeleteAclsFilter { resource_type_filter: 99, ..filter(None) };
    let answer = delete(&mut broker, 3, &[filter(Some("t")), unknown, filter(Some("absent")), filter(Some("t"))]);
    let said: Vec<_> = answer.filter_results.iter().map(|of| (of.error_code, of.matching_acls.len())).collect();
    assert_eq!(said, [(0, 3), (42, 0), (0, 0), (0, 3)]);
    assert_eq!(answer.filter_results[1].error_message.as_deref(), Some("Unknown patternFilter."));
    let first = &answer.filter_results[0].matching_acls[1];
    assert_eq!((&*first.resource_name, first.operation, &*first.host), ("t", 4, "10.0.0.0/8"));
    let of_success = [(answer.filter_results[0].error_code, &answer.filter_results[0].error_message)];
    assert_eq!([of_success, [(first.error_code, &first.error_message)]], [[(0, &None)]; 2]);
    assert_eq!(describe(&mut broker, None).resources, expected[..1]);
    for version in versions(ApiKey::DeleteAcls) {
        let gone = delete(&mut broker, version, &[filter(None)]).filter_results[0].matching_acls.len();
        assert_eq!(gone, usize::from(version == 1));
    }
}

/// `ResourcePattern` and `AccessControlEntry` throw in the middle of Kafka's handler.
#[test]
fn an_acl_that_is_a_filter_fails_its_whole_request() {
    let mut broker = start();
    let good = creation(2, "t", "User:a", 3);
    let (any, matching) = (1, 2);
    for vague in [
        AclCreation { resource_type: any, ..good.clone() },
        AclCreation { resource_pattern_type: matching, ..good.clone() },
        AclCreation { operation: any, ..good.clone() },
        AclCreation { permission_type: any, ..good.clone() },
    ] {
        let failed = AclCreationResult { error_code: -1, error_message: None };
        assert_eq!(create(&mut broker, 3, &[good.clone(), vague]), [failed.clone(), failed]);
    }
    assert_eq!(describe(&mut broker, None).resources, []);
}

#[test]
fn acls_are_for_those_who_may() {
    let mut broker = start();
    let (cluster, alter, describing) = ("kafka-cluster", 7, 8);
    let rules = [creation(4, cluster, "User:alters", alter), creation(4, cluster, "User:describes", describing)];
    assert_eq!(create(&mut broker, 3, &rules), vec![AclCreationResult::default(); 2]);
    let refused = ErrorCode::ClusterAuthorizationFailed.code();
    // Alter implies Describe.
    for (user, may_describe, may_alter) in [("alters", true, true), ("describes", true, false), ("none", false, false)]
    {
        become_user(&mut broker, user);
        let answer = describe(&mut broker, None);
        let message = if may_describe { "" } else { "The request needs DESCRIBE permission." };
        assert_eq!((answer.error_code == refused, answer.error_message.as_deref()), (!may_describe, Some(message)));
        assert_eq!(answer.resources.is_empty(), !may_describe);
        let message = (!may_alter).then_some("The request needs ALTER permission.");
        let new = creation(2, "t", "User:a", 3);
        let vague = AclCreation { operation: 1, ..new.clone() };
        for result in create(&mut broker, 3, &[new, if may_alter { rules[0].clone() } else { vague }]) {
            let message = message.unwrap_or_default();
            assert_eq!((result.error_code == refused, result.error_message.as_deref()), (!may_alter, Some(message)));
        }
        for result in delete(&mut broker, 3, &[filter(Some("t")), filter(Some("absent"))]).filter_results {
            assert_eq!((result.error_code == refused, result.error_message.as_deref()), (!may_alter, message));
            assert!(!may_alter || result.error_code == 0);
        }
    }
}
