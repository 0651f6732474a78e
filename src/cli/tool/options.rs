//! Options as Kafka's tools check them, with their sentences (`CommandLineUtils`, JOpt Simple).

use std::collections::BTreeMap;

use crate::cli::args::Given;

/// Options that may be given more than once.
const REPEATED: [&str; 6] = ["config", "delete-config", "formatter-property", "group", "property", "reader-property"];

/// An option that is given twice is refused, and not taken for its last value.
pub(super) fn refuse_repeated(given: &Given) -> Result<(), String> {
    match given.repeated().find(|option| !REPEATED.contains(option)) {
        Some(option) => Err(format!("Found multiple arguments for option {option}, but you asked for only one")),
        None => Ok(()),
    }
}

pub(super) fn missing(option: &str) -> String {
    format!("Missing required argument \"[{option}]\"")
}

/// `CommandLineUtils.checkRequiredArgs`
pub(super) fn require(given: &Given, option: &str) -> Result<(), String> {
    given.has(option).then_some(()).ok_or_else(|| missing(option))
}

/// `CommandLineUtils.checkInvalidArgs`
pub(super) fn refuse_together(given: &Given, option: &str, others: &[&str]) -> Result<(), String> {
    match others.iter().find(|other| given.has(option) && given.has(other)) {
        Some(other) => Err(format!("Option \"[{option}]\" can't be used with option \"[{other}]\"")),
        None => Ok(()),
    }
}

/// The one of these that is given.
pub(super) fn action<'a, T>(given: &Given, actions: &'a [(&'static str, T)]) -> Option<&'a (&'static str, T)> {
    let mut asked = actions.iter().filter(|(name, _)| given.has(name));
    asked.next().filter(|_| asked.next().is_none())
}

/// The properties of `--property` or, as it is called since Kafka 4.2, `newer` (`parseKeyValueArgs`). One that is not known is
/// refused, where Kafka's tools pass over it: what it asks for would not be done.
pub(super) fn properties(given: &Given, newer: &str, known: &[&str]) -> Result<BTreeMap<String, String>, String> {
    if given.has("property") && given.has(newer) {
        return Err(format!("Options --property and --{newer} cannot be specified together."));
    }
    let mut properties = BTreeMap::new();
    for text in given.texts("property")?.into_iter().chain(given.texts(newer)?) {
        let (key, value) = text.split_once('=').unwrap_or((&text, ""));
        if !known.contains(&key) {
            return Err(format!("the property {key:?} is not known here: there are {}", known.join(", ")));
        }
        properties.insert(key.to_string(), value.to_string());
    }
    Ok(properties)
}

/// Whether a property is set to `true`.
pub(super) fn is_true(properties: &BTreeMap<String, String>, key: &str) -> bool {
    properties.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// A property, or what holds without it.
pub(super) fn text(properties: &BTreeMap<String, String>, key: &str, default: &str) -> String {
    properties.get(key).map_or(default, String::as_str).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::given_for_tests;

    #[test]
    fn options_are_checked_as_by_kafka() {
        let topics = |line: &str| given_for_tests("topics", line);
        let twice = refuse_repeated(&topics("--topic a --topic b")).unwrap_err();
        assert_eq!(twice, "Found multiple arguments for option topic, but you asked for only one");
        assert_eq!(refuse_repeated(&topics("--config a=1 --config b=2 --list --list")), Ok(()));
        let sentence = refuse_together(&topics("--list --partitions 1"), "partitions", &["alter", "list"]);
        assert_eq!(sentence.unwrap_err(), "Option \"[partitions]\" can't be used with option \"[list]\"");
        assert_eq!(require(&topics("--list"), "topic").unwrap_err(), "Missing required argument \"[topic]\"");
        let actions = [("list", 1), ("create", 2)];
        assert_eq!(action(&topics("--create"), &actions), Some(&("create", 2)));
        assert_eq!([action(&topics(""), &actions), action(&topics("--list --create"), &actions)], [None; 2]);
    }

    #[test]
    fn a_property_that_is_not_known_is_refused() {
        let of = |line: &str| {
            properties(
                &given_for_tests("console-consumer", line),
                "formatter-property",
                &["print.key", "key.separator"],
            )
        };
        let found = of("--property print.key=TRUE --property key.separator==").unwrap();
        assert!(is_true(&found, "print.key") && !is_true(&found, "print.value"));
        assert_eq!([text(&found, "key.separator", "x"), text(&found, "none", "x")], ["=", "x"]);
        assert!(!is_true(&of("--formatter-property print.key").unwrap(), "print.key"));
        assert!(of("--property print.kei=true").unwrap_err().contains("\"print.kei\" is not known here"));
        assert!(of("--property print.key=true --formatter-property print.key=true").is_err());
    }
}
