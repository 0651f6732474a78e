//! `ssl.principal.mapping.rules`: from the name in a certificate to the name of a principal (`SslPrincipalMapper`).
//!
//! The first rule that the whole name fits is applied to it. Java's `replaceAll` then looks for the pattern again, anywhere and
//! more than once: a lazy group at the end takes less than it did, and the empty rest behind `.*` is replaced, too.
//!
//! Deviations: what `java_regex` refuses stops the start; Kafka fails each connection.

use regex::bytes::{Regex, RegexBuilder};

use super::java_regex::{self, Replacement, Times, Unknown};

/// A list of rules between commas; `$` is its end.
const RULE: &str = r"(DEFAULT)|RULE:((?:\\.|[^\\/])*)/((?:\\.|[^\\/])*)/([LU]?).*?|(.*?)";

#[derive(Debug)]
pub(crate) struct Rules(Vec<Rule>);

#[derive(Debug)]
enum Rule {
    /// The name as it is.
    Default,
    Replace {
        whole: Regex,
        anywhere: Regex,
        replacement: Replacement,
        case: Case,
    },
}

#[derive(Clone, Copy, Debug)]
enum Case {
    Kept,
    Lower,
    Upper,
}

impl Rules {
    /// An error is a sentence for people.
    pub(crate) fn parse(text: &str) -> Result<Rules, String> {
        let built_in = |pattern: &str| RegexBuilder::new(pattern).unicode(false).build().map_err(|e| e.to_string());
        let splitter = built_in(&format!(r"\s*({RULE})\s*(?:,\s*|$)"))?;
        let parser = built_in(&format!("^(?:{RULE})"))?;
        let text = text.trim();
        let mut rules = Vec::new();
        for part in splitter.captures_iter(text.as_bytes()) {
            let rule = string(part.get(1).map_or(b"", |group| group.as_bytes()));
            let found = parser.captures(rule.as_bytes()).ok_or_else(|| format!("Invalid rule: {rule}"))?;
            let end = found.get(0).map_or(0, |whole| whole.end());
            if end != rule.len() {
                return Err(format!("Invalid rule: `{rule}`, unmatched substring: `{}`", &rule[end..]));
            }
            let group = |number| found.get(number).map(|group| string(group.as_bytes()));
            match (group(1), group(2)) {
                (Some(_), _) => rules.push(Rule::Default),
                (None, Some(pattern)) => {
                    let case = match group(4).as_deref() {
                        Some("L") => Case::Lower,
                        Some("U") => Case::Upper,
                        _ => Case::Kept,
                    };
                    rules.push(replace(&pattern, &group(3).unwrap_or_default(), case)?);
                }
                // Nothing between two commas.
                (None, None) => {}
            }
        }
        Ok(Rules(rules))
    }

    /// The name of the principal; `None` if no rule fits.
    pub(crate) fn apply(&self, name: &str) -> Option<String> {
        self.0.iter().find_map(|rule| match rule {
            Rule::Default => Some(name.to_string()),
            Rule::Replace { whole, anywhere, replacement, case } => whole.is_match(name.as_bytes()).then(|| {
                let replaced = replacement.apply(anywhere, name, Times::All);
                match case {
                    Case::Kept => replaced,
                    Case::Lower => replaced.to_lowercase(),
                    Case::Upper => replaced.to_uppercase(),
                }
            }),
        })
    }
}

fn replace(pattern: &str, replacement: &str, case: Case) -> Result<Rule, String> {
    let anywhere = java_regex::compile(pattern)?;
    let whole = java_regex::compile(&format!(r"\A(?:{pattern})\z"))?;
    let replacement = Replacement::parse(replacement, &anywhere, Unknown::StandsForItself)?;
    Ok(Rule::Replace { whole, anywhere, replacement, case })
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line of the table: rules, name, and what Kafka 4.4.0 makes of it; `!` where it fails.
    #[test]
    fn names_are_mapped_as_kafka_maps_them() {
        let table = include_str!("testdata/mappings.tsv");
        let mut refused = Vec::new();
        for line in table.lines() {
            let [rules, name, wanted] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let made = Rules::parse(rules).map(|rules| rules.apply(name));
            match (wanted, made) {
                ("!", Ok(None) | Err(_)) => {}
                (wanted, Ok(Some(made))) => assert_eq!(wanted, format!("={made}"), "{rules} {name}"),
                // Said above: such patterns stop the start.
                (_, Err(_)) => refused.push(rules),
                (wanted, Ok(None)) => panic!("{rules} {name}: {wanted}"),
            }
        }
        assert!(table.lines().count() >= 200);
        refused.dedup();
        assert!(
            refused.iter().all(|rules| ["(?=", "\\1", "++", "\\<"].iter().any(|word| rules.contains(word))),
            "{refused:?}"
        );
    }
}
