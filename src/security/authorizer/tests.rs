//! Decisions beside those of Apache Kafka's `StandardAuthorizer` on the same rules.

use super::*;
use crate::security::acl::tests::{SAID, acl, host, principal};

fn authorizer(allows_everyone: bool) -> Authorizer {
    Authorizer::new(&["User:root".to_string()], allows_everyone)
}

/// A cluster's rules and super users as `RecordDecisions.java` has them.
struct World {
    authorizer: Authorizer,
    index: AclIndex,
}

fn operation(number: &str) -> AclOperation {
    let number: i8 = number.parse().unwrap();
    AclOperation::ALL.into_iter().find(|operation| *operation as i8 == number).unwrap()
}

fn resource(number: &str) -> AclResource {
    AclResource::from_id(number.parse().unwrap()).unwrap()
}

#[test]
fn it_decides_as_kafkas_standard_authorizer() {
    let mut world = World { authorizer: Authorizer::new(&[], false), index: AclIndex::default() };
    let mut counts = [0, 0];
    for line in SAID.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        match fields[0] {
            "world" => {
                let authorizer = authorizer(fields[1] == "true");
                world = World { authorizer, index: AclIndex::default() };
            }
            "rule" => world.index.insert(&acl(&fields[1..])),
            "ask" | "any" => {
                let principal = principal(fields[1]);
                let who = Subject { principal: &principal, host: host(fields[2]) };
                let (operation, resource) = (operation(fields[3]), resource(fields[4]));
                let World { authorizer, index } = &world;
                let allowed = match fields[0] {
                    "ask" => {
                        let action = Action { operation, resource, name: fields[5] };
                        authorizer.authorize(index, &who, &action).allows()
                    }
                    _ => authorizer.authorize_any(index, &who, operation, resource),
                };
                assert_eq!(Some(&&*allowed.to_string()), fields.last(), "{line}: {index:?}");
                counts[usize::from(allowed)] += 1;
            }
            _ => {}
        }
    }
    assert!(counts.iter().all(|count| *count > 1000), "{counts:?}");
}

fn rules(all: &[[&str; 7]]) -> AclIndex {
    let mut index = AclIndex::default();
    all.iter().for_each(|fields| index.insert(&acl(fields)));
    index
}

#[test]
fn super_users_may_do_what_is_denied_to_everyone() {
    let users = ["User:admin", "User:CN=a, O=b:c", "Role:x:y", "User:"].map(str::to_string);
    let authorizer = Authorizer::new(&users, true);
    let index = rules(&[["2", "*", "3", "User:*", "*", "2", "2"]]);
    let is_super = |text: &str| {
        let principal = principal(text);
        let who = Subject { principal: &principal, host: host("10.0.0.1") };
        let action = Action { operation: AclOperation::Read, resource: AclResource::Topic, name: "t" };
        authorizer.authorize(&index, &who, &action) == Verdict::SuperUser
    };
    assert!(users.iter().all(|user| is_super(user)));
    let others = ["User:admi", "User:admin ", "Role:admin", "User:CN=a", "Role:x", "user:admin", "User:ANONYMOUS"];
    assert!(!others.into_iter().any(is_super));
}

/// Rules for others, too, end that everyone may do everything with a resource.
#[test]
fn audit_lines_name_what_decided() {
    let index = rules(&[
        ["2", "a", "4", "User:b", "10.0.0.0/8", "3", "2"],
        ["2", "a", "3", "User:*", "*", "2", "3"],
        ["3", "g", "3", "User:c", "10.0.0.1", "3", "3"],
    ]);
    let authorizer = authorizer(true);
    let line = |name: &str, resource: AclResource, asked: &str| {
        let principal = principal(name);
        let who = Subject { principal: &principal, host: host("10.0.0.1") };
        let action = Action { operation: AclOperation::Read, resource, name: asked };
        let verdict = authorizer.authorize(&index, &who, &action);
        let line = Audited { who, action, request: "Fetch", listener: "L", verdict };
        line.to_string().strip_suffix(" on listener = L").unwrap().to_string()
    };
    let begin = |name: &str, verdict: &str, asked: &str| {
        format!(
            "Principal = {name} is {verdict} operation = READ from host = 10.0.0.1 on resource = {asked} for request = \
             Fetch based on rule "
        )
    };
    let denied = "MatchingAcl(acl=StandardAcl[resourceType=TOPIC, resourceName=a, patternType=PREFIXED, principal=User:b, \
                  host=10.0.0.0/8, operation=READ, permissionType=DENY])";
    let topic = AclResource::Topic;
    assert_eq!(line("User:b", topic, "a"), begin("User:b", "Denied", "Topic:LITERAL:a") + denied);
    let allowed = "MatchingAcl(acl=StandardAcl[resourceType=TOPIC, resourceName=a, patternType=LITERAL, principal=User:*, \
                   host=*, operation=ALL, permissionType=ALLOW])";
    assert_eq!(line("User:c", topic, "a"), begin("User:c", "Allowed", "Topic:LITERAL:a") + allowed);
    assert_eq!(line("User:c", topic, "ab"), begin("User:c", "Denied", "Topic:LITERAL:ab") + "DefaultDeny");
    assert_eq!(line("User:c", topic, "b"), begin("User:c", "Allowed", "Topic:LITERAL:b") + "DefaultAllow");
    assert_eq!(line("User:b", AclResource::Group, "g"), begin("User:b", "Denied", "Group:LITERAL:g") + "DefaultDeny");
    let of_id = AclResource::TransactionalId;
    let root = begin("User:root", "Allowed", "TransactionalId:LITERAL:x") + "SuperUser";
    assert_eq!(line("User:root", of_id, "x"), root);
}
