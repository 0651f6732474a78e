//! What `--add-config` and `--delete-config` say (`ConfigCommand.parseConfigsToBeAdded`, `parseConfigsToBeDeleted`).

use std::collections::BTreeMap;

use crate::cli::args::Given;

/// What is set and what goes back to its default.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Changes {
    pub(super) added: BTreeMap<String, String>,
    pub(super) deleted: Vec<String>,
}

impl Changes {
    pub(super) fn of(given: &Given) -> Result<Changes, String> {
        let added = given.text("add-config")?.map(|text| added(&text)).transpose()?.unwrap_or_default();
        let deleted = given.texts("delete-config")?.join(",");
        let deleted = deleted.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_string);
        Ok(Changes { added, deleted: deleted.collect() })
    }
}

/// The pairs of a text `key=value,key=[value,value]`. What is within brackets is not taken apart, and brackets are no part of a
/// value. No value is in a sentence: it may be a password.
fn added(text: &str) -> Result<BTreeMap<String, String>, String> {
    let wrong = "Invalid entity config: all configs to be added must be in the format \"key=val\" or  \"key=[val1,val2]\" to \
                 group values which contain commas.";
    let mut parts = outside(text, ',');
    // As with Java's `split`, what is empty at the end is nothing.
    while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    let mut pairs = BTreeMap::new();
    for part in parts {
        let [key, value] = outside(part, '=')[..] else { return Err(wrong.into()) };
        let key = key.trim();
        if !key.chars().all(|c| c.is_ascii_alphanumeric() || "$._-".contains(c)) {
            return Err(format!("Invalid character found for config key: {key}"));
        }
        pairs.insert(key.to_string(), value.replace(['[', ']'], "").trim().to_string());
    }
    Ok(pairs)
}

/// The parts between separators that are not within brackets: the next bracket behind one opens, if there is any.
fn outside(text: &str, separator: char) -> Vec<&str> {
    let is_outside = |at: usize| text[at..].chars().find(|c| "[]".contains(*c)) != Some(']');
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, found) in text.match_indices(separator).filter(|(at, _)| is_outside(*at)) {
        parts.push(&text[from..at]);
        from = at + found.len();
    }
    parts.push(&text[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::given_for_tests;

    #[test]
    fn values_in_brackets_stay_whole() {
        let of =
            |text: &str| added(text).map(|pairs| pairs.iter().map(|(k, v)| format!("{k}|{v}")).collect::<Vec<_>>());
        let cases = [
            ("a=1,b=[c,d], e=", &["a|1", "b|c,d", "e|"][..]),
            ("b=[c,d],a=1,", &["a|1", "b|c,d"]),
            ("a = [b=c, d] ", &["a|b=c, d"]),
            ("a=[x]y[z]", &["a|xyz"]),
            ("a=1,a=2", &["a|2"]),
            ("$x.Y_-1=v", &["$x.Y_-1|v"]),
            ("S=[iterations=8192,password=a,b=c]", &["S|iterations=8192,password=a,b=c"]),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text).unwrap(), expected, "{text}");
        }
        for wrong in ["", "a", "a=b=secret", ",a=secret", "a=secret,,b=2", "a=[b],c", "S=[password=[secret]"] {
            let sentence = of(wrong).unwrap_err();
            assert!(
                sentence.starts_with("Invalid entity config: ") && !sentence.contains("secret"),
                "{wrong}: {sentence}"
            );
        }
        assert_eq!(of("a b=secret").unwrap_err(), "Invalid character found for config key: a b");
    }

    #[test]
    fn keys_that_are_deleted_stand_between_commas() {
        let of = |line: &str| Changes::of(&given_for_tests("configs", line)).unwrap().deleted;
        assert_eq!(of("--delete-config a,b --delete-config c,"), ["a", "b", "c"]);
    }
}
