//! Decisions beside those of Apache Kafka's `StandardAuthorizer` on the same rules.

use super::*;
use crate::security::acl::tests::{SAID, acl, host, principal};
use crate::security::principal::Principal;

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

/// Rules, and what is asked: who, where from, operation, topic, and whether it is allowed.
type Case<'a> = (&'a [[&'a str; 7]], &'a [(&'a str, &'a str, i8, &'a str, bool)]);

const READ: i8 = AclOperation::Read as i8;
const WRITE: i8 = AclOperation::Write as i8;
const DESCRIBE: i8 = AclOperation::Describe as i8;
const DESCRIBE_CONFIGS: i8 = AclOperation::DescribeConfigs as i8;

/// The worlds of Kafka's `StandardAuthorizerTest`.
const KAFKAS_CASES: &[Case<'_>] = &[
    // What allows implies more than it says, what denies does not.
    (
        &[
            ["2", "implied", "3", "User:bob", "*", "3", "3"],
            ["2", "implied", "3", "User:bob", "*", "11", "3"],
            ["2", "denied", "3", "User:bob", "*", "3", "2"],
            ["2", "denied", "3", "User:bob", "*", "11", "2"],
            ["2", "denied", "3", "User:bob", "*", "8", "3"],
            ["2", "denied", "3", "User:bob", "*", "10", "3"],
        ],
        &[
            ("bob", "10.0.0.1", DESCRIBE, "implied", true),
            ("bob", "10.0.0.1", DESCRIBE_CONFIGS, "implied", true),
            ("bob", "10.0.0.1", WRITE, "implied", false),
            ("bob", "10.0.0.1", DESCRIBE, "denied", true),
            ("bob", "10.0.0.1", DESCRIBE_CONFIGS, "denied", true),
            ("bob", "10.0.0.1", READ, "denied", false),
        ],
    ),
    (
        &[
            ["2", "foo", "3", "User:alice", "*", "2", "2"],
            ["2", "foo", "4", "User:alice", "*", "3", "3"],
            ["2", "foo", "3", "User:*", "*", "2", "2"],
            ["2", "foo", "4", "User:*", "*", "8", "3"],
        ],
        &[
            ("alice", "10.0.0.1", WRITE, "foo", false),
            ("alice", "10.0.0.1", READ, "foo", false),
            ("alice", "10.0.0.1", DESCRIBE, "foo", false),
            ("alice", "10.0.0.1", READ, "foobar", true),
            ("bob", "10.0.0.1", DESCRIBE, "foo", false),
            ("bob", "10.0.0.1", DESCRIBE, "foobaz", true),
            ("bob", "10.0.0.1", READ, "foobaz", false),
        ],
    ),
    (
        &[
            ["2", "foo", "3", "User:*", "*", "2", "3"],
            ["2", "bar", "4", "User:alice", "*", "2", "3"],
            ["2", "baz", "3", "User:bob", "*", "2", "3"],
        ],
        &[
            ("alice", "10.0.0.1", WRITE, "foo", true),
            ("alice", "10.0.0.1", DESCRIBE_CONFIGS, "bar", true),
            ("alice", "10.0.0.1", DESCRIBE, "baz", false),
            ("bob", "10.0.0.1", READ, "bar", false),
            ("bob", "10.0.0.1", DESCRIBE, "baz", true),
            ("malory", "10.0.0.1", WRITE, "bar", false),
        ],
    ),
    (
        &[
            ["2", "foo", "3", "User:alice", "192.168.1.1", "3", "2"],
            ["2", "foo", "3", "User:alice", "*", "3", "3"],
            ["2", "bar", "3", "User:bob", "192.168.1.2", "3", "3"],
            ["2", "bar", "3", "User:*", "127.0.0.1", "8", "3"],
        ],
        &[
            ("alice", "127.0.0.1", READ, "foo", true),
            ("alice", "127.0.0.1", READ, "bar", false),
            ("alice", "127.0.0.1", DESCRIBE, "bar", true),
            ("alice", "192.168.1.1", READ, "foo", false),
            ("alice", "192.168.1.2", DESCRIBE, "bar", false),
            ("bob", "192.168.1.1", READ, "bar", false),
            ("bob", "192.168.1.2", READ, "bar", true),
            ("bob", "192.168.1.2", DESCRIBE, "bar", true),
        ],
    ),
    (
        &[
            ["2", "green2", "3", "User:*", "*", "3", "3"],
            ["2", "green", "4", "User:bob", "*", "3", "3"],
            ["2", "alpha", "4", "User:*", "*", "3", "3"],
            ["2", "alp", "4", "User:bob", "*", "3", "2"],
            ["2", "f", "4", "User:bob", "*", "2", "3"],
            ["2", "fooa", "4", "User:alice", "*", "2", "3"],
        ],
        &[
            ("bob", "10.0.0.1", READ, "green1", true),
            ("bob", "10.0.0.1", READ, "alpha", false),
            ("bob", "10.0.0.1", READ, "ala", false),
            ("bob", "10.0.0.1", WRITE, "foobarr", true),
            ("bob", "10.0.0.1", READ, "goobar", false),
            ("alice", "10.0.0.1", DESCRIBE, "fooa", true),
            ("alice", "10.0.0.1", READ, "foo", false),
        ],
    ),
    (
        &[
            ["2", "v4", "3", "User:bob", "192.168.1.0/24", "3", "3"],
            ["2", "v6", "3", "User:bob", "2001:db8::/120", "3", "3"],
            ["2", "narrow", "3", "User:bob", "10.0.0.0/8", "3", "3"],
            ["2", "narrow", "3", "User:bob", "10.0.1.0/24", "3", "2"],
            ["2", "wide", "3", "User:bob", "10.0.0.0/8", "3", "2"],
            ["2", "wide", "3", "User:bob", "10.0.1.0/24", "3", "3"],
            ["2", "all", "3", "User:bob", "*", "3", "3"],
            ["2", "all", "3", "User:bob", "10.0.1.0/24", "3", "2"],
        ],
        &[
            ("bob", "192.168.1.0", READ, "v4", true),
            ("bob", "192.168.1.255", READ, "v4", true),
            ("bob", "192.168.0.255", READ, "v4", false),
            ("bob", "192.168.2.0", READ, "v4", false),
            ("bob", "2001:db8::0", READ, "v6", true),
            ("bob", "2001:db8::ff", READ, "v6", true),
            ("bob", "2001:db8::100", READ, "v6", false),
            ("bob", "2001:db7::1", READ, "v6", false),
            ("bob", "10.0.1.5", READ, "narrow", false),
            ("bob", "10.0.2.1", READ, "narrow", true),
            ("bob", "10.0.1.5", READ, "wide", false),
            ("bob", "10.0.2.1", READ, "wide", false),
            ("bob", "10.0.1.100", READ, "all", false),
            ("bob", "10.0.2.100", READ, "all", true),
        ],
    ),
];

#[test]
fn kafkas_own_cases_hold() {
    let authorizer = authorizer(false);
    for (given, asked) in KAFKAS_CASES {
        let index = rules(given);
        for (name, peer, number, topic, allowed) in *asked {
            let principal = Principal::new(Principal::USER, *name);
            let who = Subject { principal: &principal, host: host(peer) };
            let action =
                Action { operation: operation(&number.to_string()), resource: AclResource::Topic, name: topic };
            assert_eq!(
                authorizer.authorize(&index, &who, &action).allows(),
                *allowed,
                "{name} {peer} {number} {topic}"
            );
        }
    }
}
