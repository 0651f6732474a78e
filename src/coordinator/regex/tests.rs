//! Expressions as users write them, and what must not cost more than its limit. RE2J itself is asked by the suite
//! `assignors`.

use super::*;

fn matching<'n>(pattern: &str, names: &[&'n str]) -> Vec<&'n str> {
    let pattern = TopicPattern::compile(pattern).unwrap();
    names.iter().copied().filter(|name| pattern.matches(name)).collect()
}

fn description(pattern: &str) -> &'static str {
    TopicPattern::compile(pattern).unwrap_err().description
}

#[test]
fn whole_names_match() {
    let names = ["orders", "orders-eu", "Orders", "audit.orders", "o"];
    assert_eq!(matching("orders", &names), ["orders"]);
    assert_eq!(matching("orders.*", &names), ["orders", "orders-eu"]);
    assert_eq!(matching("o|orders", &names), ["orders", "o"]);
    assert_eq!(matching("(?i)orders", &names), ["orders", "Orders"]);
    assert_eq!(matching(r"\pL+\.\p{Ll}+", &names), ["audit.orders"]);
    assert_eq!(matching(r"[^\P{Lu}].*", &names), ["Orders"]);
    assert_eq!(matching(r"\Qaudit.\E.*", &names), ["audit.orders"]);
    assert_eq!(matching("", &names), Vec::<&str>::new());
}

#[test]
fn an_error_has_kafkas_words() {
    let error = TopicPattern::compile("foo[").unwrap_err();
    assert_eq!(error.to_string(), "SubscribedTopicRegex `foo[` is not a valid regular expression: missing closing ].",);
    assert_eq!(description("a**"), "invalid nested repetition operator");
    assert_eq!(description("a{1001}"), "invalid repeat count");
    assert_eq!(description(r"\C"), "invalid escape sequence");
    assert_eq!(description("(?<a>x)(?P<a>y)"), "duplicate capture group name");
    assert_eq!(description("a)"), "regexp/syntax: internal error");
}

#[test]
fn what_nests_or_multiplies_too_much_is_refused() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(matching(&nested(parser::MOST_NESTED), &["a"]), ["a"]);
    assert_eq!(description(&nested(parser::MOST_NESTED + 1)), "expression nests too deeply");
    assert_eq!(description(&"(".repeat(MOST_PATTERN_BYTES)), "expression nests too deeply");
    // (?i) in between makes a repetition of a repetition lawful.
    let stacked = |depth: usize| format!("a{}", "*(?i)".repeat(depth));
    assert_eq!(matching(&stacked(parser::MOST_NESTED), &["aa"]), ["aa"]);
    assert_eq!(description(&stacked(parser::MOST_NESTED + 1)), "expression nests too deeply");
    assert_eq!(description(&"a".repeat(MOST_PATTERN_BYTES + 1)), "expression is too large");
    assert_eq!(description("((a{1000}){1000}){1000}"), "expression is too large");
    assert!(TopicPattern::compile(&r"(\pL{10}|x){100}".repeat(10)).is_ok());
}

#[test]
fn a_long_list_of_topics_is_a_fine_expression() {
    let topics: Vec<String> = (0..2000).map(|number| format!("some.company.department.topic-{number}")).collect();
    let pattern = TopicPattern::compile(&topics.join("|")).unwrap();
    assert!(topics.iter().step_by(100).all(|topic| pattern.matches(topic)));
    assert!(!pattern.matches("some.company.department.topic-2000"));
}

/// ASCII ids are matched as RE2J does it, also where the crate reads the expression otherwise.
#[test]
fn ids_outside_of_ascii_are_matched_as_well() {
    let matches = |pattern: &str, id: &str| IdPattern::compile(pattern).unwrap().matches(id);
    assert!(matches("[a&&b]*", "a&b") && matches(r"\pN+", "7"));
    assert!(matches(".", "ü") && matches("[^a]", "ü") && matches(".*ü", "xü") && !matches("ü", "u"));
    assert!(IdPattern::compile("(").is_err());
}
