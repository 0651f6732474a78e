//! The index beside a plain model (a list of rules, walked one by one by Kafka's rules), hosts and ranges beside what
//! Java and Apache Kafka said, filters and sentences as tables.

use super::filter::ANY;
use super::host::Cidr;
use super::model::Model;
use super::*;
use crate::model::ErrorCode;
use proptest::prelude::*;
use proptest::sample::select;

/// What Apache Kafka 4.4.0 said; `testdata/RecordDecisions.java` wrote it.
pub const SAID: &str = include_str!("../testdata/decisions-4.4.0.txt");

/// The fields behind the first of the lines that begin with it.
pub fn lines(first: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let fields = SAID.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    fields.filter_map(move |fields| (fields[0] == first).then(|| fields[1..].to_vec()))
}

pub fn host(text: &str) -> HostAddress {
    HostAddress::from(std::net::SocketAddr::new(text.parse().unwrap(), 9))
}

pub fn principal(text: &str) -> Principal {
    let (kind, name) = text.split_once(':').unwrap();
    Principal::new(kind.to_string(), name.to_string())
}

pub fn acl(fields: &[&str]) -> Acl {
    let [resource_type, name, pattern_type, principal, host, operation, permission_type] = fields[..] else {
        panic!("{fields:?}")
    };
    let number = |text: &str| text.parse().unwrap();
    Acl {
        resource_type: number(resource_type),
        resource_name: name.into(),
        pattern_type: number(pattern_type),
        principal: principal.into(),
        host: host.into(),
        operation: number(operation),
        permission_type: number(permission_type),
    }
}

#[test]
fn addresses_are_written_as_java_writes_them() {
    let mut count = 0;
    for fields in lines("address") {
        assert_eq!(host(fields[0]).to_string(), fields[1]);
        assert_eq!(HostPattern::parse(fields[1]), HostPattern::One(host(fields[0])));
        let is_javas = fields[0] == fields[1];
        assert_eq!(HostPattern::parse(fields[0]) == HostPattern::None, !is_javas, "{}", fields[0]);
        count += 1;
    }
    assert!(count > 15);
    let link_local = std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), 9, 0, 2);
    let link_local = HostAddress::from(std::net::SocketAddr::V6(link_local));
    assert_eq!(link_local.to_string(), "fe80:0:0:0:0:0:0:1%2");
    assert_eq!(HostPattern::parse("fe80:0:0:0:0:0:0:1%2"), HostPattern::One(link_local));
    assert!(!HostPattern::parse("fe80:0:0:0:0:0:0:1").matches(link_local));
    for never in ["", "example.com", "10.0.0.1%1", "10.0.0.01", "**", "10.0.0.0/33", "/"] {
        assert_eq!(HostPattern::parse(never), HostPattern::None, "{never}");
    }
}

#[test]
fn ranges_are_taken_and_hold_addresses_as_in_kafka() {
    let texts: Vec<_> = lines("range").collect();
    for fields in &texts {
        let said = Cidr::parse(fields[0]).err().unwrap_or_default();
        assert_eq!(said, fields[1], "{}", fields[0]);
    }
    for fields in lines("in") {
        let holding = texts.iter().map(|fields| fields[0]).filter(|text| text.contains('/'));
        let holding: Vec<_> = holding.filter(|text| HostPattern::parse(text).matches(host(fields[0]))).collect();
        assert_eq!(holding.join(" "), fields[1], "{}", fields[0]);
    }
    assert!(texts.len() > 60);
}

const TOPIC: AclResource = AclResource::Topic;
const NAMES: &[&str] = &["", "a", "aa", "ab", "abc", "*", "**", "é", "éa", "hardcode", "(", ")x"];
const PRINCIPALS: &[&str] = &["User:a", "User:b", "User:a:b", "Role:a", "User:*", "Role:*", "none"];
const HOSTS: &[&str] = &["*", "10.0.0.1", "10.0.0.0/30", "10.0.0.1/30", "0:0:0:0:0:0:0:1", "::1", "::/64", "nowhere"];
const PEERS: &[&str] = &["10.0.0.1", "10.0.0.2", "10.0.0.9", "::1", "::ffff:10.0.0.1"];

fn rule() -> impl Strategy<Value = Acl> {
    let resource_type = select(&[2, 2, 2, 3, 9][..]);
    let pattern_type = select(&[LITERAL, PREFIXED][..]);
    // 16 is an operation of a newer Kafka.
    let operation = prop_oneof![select(&[2i8, 3, 8, 10, 11][..]), 2i8..17];
    let permission = select(&[ALLOW, ALLOW, DENY][..]);
    (resource_type, select(NAMES), pattern_type, select(PRINCIPALS), select(HOSTS), operation, permission).prop_map(
        |(resource_type, name, pattern_type, principal, host, operation, permission_type)| Acl {
            resource_type,
            resource_name: name.into(),
            pattern_type,
            principal: principal.into(),
            host: host.into(),
            operation,
            permission_type,
        },
    )
}

fn index<'a>(rules: impl IntoIterator<Item = &'a Acl>) -> AclIndex {
    let mut index = AclIndex::default();
    rules.into_iter().for_each(|acl| index.insert(acl));
    index
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn it_decides_as_a_walk_over_all_rules(
        rules in prop::collection::btree_set(rule(), 0..14),
        asked in prop::collection::vec((select(PRINCIPALS), select(PEERS), select(NAMES)), 12),
    ) {
        let index = index(&rules);
        for (name, peer, resource) in asked {
            if name == "none" {
                continue;
            }
            let (principal, host) = (principal(name), host(peer));
            let who = Subject { principal: &principal, host };
            let model = Model { rules: &rules, who };
            prop_assert_eq!(index.names(TOPIC, resource), rules.iter().any(|acl| Model::names(acl, TOPIC, resource)));
            for operation in AclOperation::ALL {
                let action = Action { operation, resource: TOPIC, name: resource };
                let found = index.decide(&who, &action);
                prop_assert_eq!(found.map(|found| found.allows), model.decide(&action));
                let any = index.allows_any(&who, operation, TOPIC);
                prop_assert_eq!(any, model.allows_any(operation, TOPIC), "{:?}", operation);
                let Some(found) = found else { continue };
                // The rule that is named is there and applies.
                let is = |acl: &&Acl| {
                    let pattern = if found.is_prefixed { PREFIXED } else { LITERAL };
                    let parts = (&*acl.resource_name, acl.pattern_type, acl.host.clone(), acl.operation);
                    let permission = if found.allows { ALLOW } else { DENY };
                    parts == (found.name, pattern, found.host.to_string(), found.operation)
                        && (&*acl.principal, acl.permission_type) == (found.principal, permission)
                };
                let named = rules.iter().find(is);
                prop_assert!(named.is_some_and(|acl| Model::names(acl, TOPIC, resource) && model.is_for_client(acl)));
            }
        }
    }

    #[test]
    fn it_depends_on_the_rules_alone(rules in prop::collection::btree_set(rule(), 0..30), keep in any::<u32>()) {
        let mut changed = index(rules.iter().rev());
        prop_assert_eq!(&changed, &index(&rules));
        let kept = |at: usize| keep & (1 << at) != 0;
        rules.iter().enumerate().filter(|(at, _)| !kept(*at)).for_each(|(_, acl)| changed.remove(acl));
        let left = rules.iter().enumerate().filter(|(at, _)| kept(*at)).map(|(_, acl)| acl);
        prop_assert_eq!(changed, index(left));
    }
}

#[test]
fn a_rule_that_is_for_nothing_known_leaves_nothing_behind() {
    let mut all = index([]);
    let odd = acl(&["2", "t", "4", "User:a", "nowhere", "99", "2"]);
    let before = all.clone();
    all.insert(&odd);
    assert!(all.names(TOPIC, "topic") && !all.names(TOPIC, "o"));
    let between = all.epoch();
    all.remove(&odd);
    assert_eq!(all, before);
    // Who has asked before must ask again.
    assert!(before.epoch() < between && between < all.epoch());
}

fn filter(resource_type: i8, name: Option<&str>, pattern_type: i8) -> AclFilter {
    AclFilter {
        resource_type,
        resource_name: name.map(Into::into),
        pattern_type,
        principal: None,
        host: None,
        operation: ANY,
        permission_type: ANY,
    }
}

/// Kafka's `ResourcePatternFilterTest`.
#[test]
fn filters_match_patterns_as_kafkas_do() {
    let pattern = |name: &'static str, pattern: &'static str| ["2", name, pattern, "User:a", "*", "3", "3"];
    let patterns = [("foo", "3"), ("fo", "3"), ("*", "3"), ("foo", "4"), ("fo", "4"), ("f", "4"), ("foobar", "4")];
    let all: Vec<_> = patterns.into_iter().map(|(name, kind)| (name, kind, acl(&pattern(name, kind)))).collect();
    let cases: &[(Option<&str>, i8, &str)] = &[
        (None, 1, "foo3 fo3 *3 foo4 fo4 f4 foobar4"),
        (None, 2, "foo3 fo3 *3 foo4 fo4 f4 foobar4"),
        (None, 3, "foo3 fo3 *3"),
        (None, 4, "foo4 fo4 f4 foobar4"),
        (None, 9, ""),
        (Some("foo"), 1, "foo3 foo4"),
        (Some("foo"), 2, "foo3 *3 foo4 fo4 f4"),
        (Some("foo"), 3, "foo3"),
        (Some("foo"), 4, "foo4"),
        (Some("foo"), 9, ""),
        (Some("*"), 1, "*3"),
        (Some("*"), 2, "*3"),
        (Some("*"), 3, "*3"),
        (Some("*"), 4, ""),
        (Some(""), 2, "*3"),
        (Some("foobarbaz"), 2, "*3 foo4 fo4 f4 foobar4"),
    ];
    for (name, kind, expected) in cases {
        for resource_type in [ANY, 2, 3] {
            let filter = filter(resource_type, *name, *kind);
            let matched = all.iter().filter(|(_, _, acl)| filter.matches(acl));
            let matched: Vec<_> = matched.map(|(name, kind, _)| format!("{name}{kind}")).collect();
            let expected = if resource_type == 3 { "" } else { expected };
            assert_eq!(matched.join(" "), expected, "{filter:?}");
        }
    }
}

#[test]
fn filters_match_entries_by_equality() {
    let all = acl(&["2", "t", "3", "User:a", "10.0.0.0/8", "2", "3"]);
    let any = || filter(ANY, None, ANY);
    let text = |text: &str| Some(text.to_string());
    let matching = [
        any(),
        AclFilter { principal: text("User:a"), ..any() },
        AclFilter { host: text("10.0.0.0/8"), ..any() },
        AclFilter { operation: 2, permission_type: 3, ..any() },
    ];
    let not = [
        AclFilter { principal: text("User:*"), ..any() },
        AclFilter { principal: text(""), ..any() },
        AclFilter { host: text("10.0.0.1"), ..any() },
        AclFilter { host: text("*"), ..any() },
        AclFilter { operation: 3, ..any() },
        AclFilter { permission_type: 2, ..any() },
        AclFilter { operation: 99, ..any() },
    ];
    assert!(matching.iter().all(|filter| filter.matches(&all)));
    assert!(not.iter().all(|filter| !filter.matches(&all)));
    let message = |filter: &AclFilter| filter.validate().map_err(|refusal| refusal.message.unwrap());
    assert!(matching.iter().chain(&not[..6]).all(|filter| message(filter) == Ok(())));
    let of_entry = [AclFilter { operation: 99, ..any() }, AclFilter { permission_type: 4, ..any() }];
    assert!(of_entry.iter().all(|filter| message(filter) == Err("Unknown entryFilter.".into())));
    let of_pattern = [filter(8, None, ANY), filter(ANY, None, 5), AclFilter { operation: 99, ..filter(99, None, ANY) }];
    assert!(of_pattern.iter().all(|filter| message(filter) == Err("Unknown patternFilter.".into())));
}

#[test]
fn new_rules_are_refused_with_kafkas_sentences() {
    let said = |fields: [&str; 7], knows_ranges: bool| {
        let acl = acl(&fields);
        let refused = acl.validate_name().and_then(|()| acl.validate(knows_ranges)).err();
        refused.map(|refusal| (refusal.error, refusal.message.unwrap()))
    };
    let invalid = |fields, message: &str| {
        assert_eq!(said(fields, true), Some((ErrorCode::InvalidRequest, message.to_string())));
    };
    invalid(["4", "t", "9", "a", "", "99", "9"], "The only valid name for the CLUSTER resource is kafka-cluster");
    invalid(["4", "", "3", "User:a", "*", "3", "3"], "The only valid name for the CLUSTER resource is kafka-cluster");
    invalid(["99", "", "9", "a", "", "99", "9"], "Invalid empty resource name");
    invalid(["99", "t", "9", "a", "", "99", "9"], "Invalid resourceType UNKNOWN");
    invalid(["2", "t", "9", "a", "", "99", "9"], "Invalid patternType UNKNOWN");
    invalid(["2", "t", "4", "a", "", "99", "9"], "Invalid operation UNKNOWN");
    invalid(["2", "t", "3", "a", "", "15", "9"], "Invalid permissionType UNKNOWN");
    let no_colon = "Could not parse principal from `a` (no colon is present separating the principal type from the \
                    principal name)";
    invalid(["2", "t", "3", "a", "", "15", "2"], no_colon);
    invalid(["2", "t", "3", ":", "", "15", "2"], "Host pattern cannot be null or empty");
    let range = "Invalid CIDR notation '10.0.0.0/33': Value [33] not in range [0,32]";
    invalid(["2", "t", "3", "User:a", "10.0.0.0/33", "3", "3"], range);
    let (range, error) = (["2", "t", "3", "User:a", "10.0.0.0/33", "3", "3"], ErrorCode::UnsupportedVersion);
    let message = "CIDR-based ACL host patterns require metadata version 4.4-IV1 or higher.";
    assert_eq!(said(range, false), Some((error, message.to_string())));
    for fields in [
        ["2", "t", "3", "User:a", "*", "2", "3"],
        ["4", "kafka-cluster", "4", ":", "no address", "3", "2"],
        ["7", "*", "3", "Any:", "::1/128", "15", "2"],
    ] {
        assert_eq!(said(fields, true), None);
    }
    let vague = |fields| acl(fields).is_vague();
    assert!(vague(&["1", "t", "3", "a", "", "3", "3"]) && vague(&["2", "t", "1", "a", "", "3", "3"]));
    assert!(vague(&["2", "t", "2", "a", "", "3", "3"]) && vague(&["2", "t", "3", "a", "", "1", "3"]));
    assert!(vague(&["2", "t", "3", "a", "", "3", "1"]) && !vague(&["99", "t", "9", "a", "", "2", "2"]));
}
