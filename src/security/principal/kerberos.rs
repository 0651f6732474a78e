//! `sasl.kerberos.principal.to.local.rules`: from Kerberos's name of a client to the name of a principal (`KerberosName`,
//! `KerberosShortNamer`, `KerberosRule`).
//!
//! The first rule that applies decides. A name without a realm is taken as it is.
//!
//! Deviations: what `java_regex` refuses stops the start, and so does a format with a `$` that names no part of the name; Kafka
//! fails each connection.

use regex::bytes::Regex as Bytes;
use regex::{Captures, Regex};

use super::java_regex::{self, Replacement, Times, Unknown};

/// `KerberosShortNamer.RULE_PARSER`: number of components, format, match, from, to, g, case.
const RULE: &str = r"^(?:DEFAULT|RULE:\[([0-9]*):([^\]]*)\](?:\(([^)]*)\))?(?:s/([^/]*)/([^/]*)/(g)?)?/?([LU])?)";
/// What a short name must not contain.
const OF_LONG_NAMES: [char; 2] = ['/', '@'];

/// The rules, with the realm whose names `DEFAULT` shortens.
#[derive(Debug)]
pub(crate) struct ShortNames {
    default_realm: String,
    rules: Vec<Rule>,
}

#[derive(Debug)]
enum Rule {
    Default,
    Form(Box<Form>),
}

#[derive(Debug)]
struct Form {
    /// As it is written, for those who read the log.
    text: String,
    /// How many components a name has that it applies to.
    components: usize,
    format: Vec<Part>,
    /// The formatted name must fit this, as a whole.
    fits: Option<Bytes>,
    substitution: Option<Substitution>,
    case: Case,
}

#[derive(Debug)]
struct Substitution {
    from: Bytes,
    to: Replacement,
    times: Times,
}

#[derive(Debug)]
enum Part {
    Text(String),
    /// 0: the realm.
    Component(usize),
}

#[derive(Clone, Copy, Debug)]
enum Case {
    Kept,
    Lower,
    Upper,
}

impl ShortNames {
    /// An error is a sentence for people. `default_realm` is empty where the machine has none.
    pub(crate) fn parse(default_realm: &str, rules: &[impl AsRef<str>]) -> Result<ShortNames, String> {
        let parser = Regex::new(RULE).map_err(|error| error.to_string())?;
        let rules = rules.iter().map(|rule| Rule::parse(&parser, rule.as_ref())).collect::<Result<_, _>>()?;
        Ok(ShortNames { default_realm: default_realm.into(), rules })
    }

    /// The short name of a client; an error is for the log.
    pub(crate) fn short_name(&self, name: &str) -> Result<String, String> {
        // Realm first, as rules count.
        let parts = match parts(name)? {
            Some(parts) => parts,
            None => return Ok(name.into()),
        };
        for rule in &self.rules {
            let found = match rule {
                Rule::Default => {
                    (parts[0] == self.default_realm).then(|| simple(parts[1].into(), "DEFAULT")).transpose()
                }
                Rule::Form(form) => form.apply(&parts),
            };
            if let Some(short) = found? {
                return Ok(short);
            }
        }
        Err(format!("No rules apply to {name}"))
    }
}

/// Realm and components of a name; `None`: it has no realm (`KerberosName.parse`).
fn parts(name: &str) -> Result<Option<Vec<&str>>, String> {
    let Some((components, realm)) = name.split_once('@') else { return Ok(None) };
    let parts: Vec<&str> = std::iter::once(realm).chain(components.split('/')).collect();
    match parts.len() > 3 || realm.contains(OF_LONG_NAMES) {
        true => Err(format!("Malformed Kerberos name: {name}")),
        false => Ok(Some(parts)),
    }
}

fn simple(name: String, rule: &str) -> Result<String, String> {
    match name.contains(OF_LONG_NAMES) {
        true => Err(format!("Non-simple name {name} after auth_to_local rule {rule}")),
        false => Ok(name),
    }
}

impl Rule {
    fn parse(parser: &Regex, text: &str) -> Result<Rule, String> {
        let found = parser.captures(text).ok_or_else(|| format!("Invalid rule: {text}"))?;
        let end = found.get(0).map_or(0, |whole| whole.end());
        if end != text.len() {
            return Err(format!("Invalid rule: `{text}`, unmatched substring: `{}`", &text[end..]));
        }
        match found.get(2) {
            None => Ok(Rule::Default),
            Some(format) => Form::parse(text, format.as_str(), &found).map(|form| Rule::Form(Box::new(form))),
        }
    }
}

impl Form {
    fn parse(text: &str, format: &str, found: &Captures<'_>) -> Result<Form, String> {
        let group = |number| found.get(number).map(|group| group.as_str());
        let components =
            group(1).and_then(|number| number.parse().ok()).ok_or_else(|| format!("Invalid rule: {text}"))?;
        let substitution = |from: &str| {
            let from = java_regex::compile(from)?;
            let to = Replacement::parse(group(5).unwrap_or_default(), &from, Unknown::Refused)?;
            let times = if group(6).is_some() { Times::All } else { Times::First };
            Ok::<_, String>(Substitution { from, to, times })
        };
        let whole = |pattern: &str| java_regex::compile(&format!(r"\A(?:{pattern})\z"));
        Ok(Form {
            text: text.into(),
            components,
            format: parsed_format(format, components)
                .ok_or_else(|| format!("Invalid rule: {text}: the format is bad"))?,
            fits: group(3).map(whole).transpose()?,
            substitution: group(4).map(substitution).transpose()?,
            case: match group(7) {
                Some("L") => Case::Lower,
                Some("U") => Case::Upper,
                _ => Case::Kept,
            },
        })
    }

    /// `None`: it does not apply.
    fn apply(&self, parts: &[&str]) -> Result<Option<String>, String> {
        if parts.len() - 1 != self.components {
            return Ok(None);
        }
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Component(number) => parts[*number].to_string(),
        };
        let base: String = self.format.iter().map(part).collect();
        if self.fits.as_ref().is_some_and(|fits| !fits.is_match(base.as_bytes())) {
            return Ok(None);
        }
        let name = match &self.substitution {
            Some(Substitution { from, to, times }) => to.apply(from, &base, *times),
            None => base,
        };
        let name = simple(name, &self.text)?;
        Ok(Some(match self.case {
            Case::Kept => name,
            Case::Lower => name.to_lowercase(),
            Case::Upper => name.to_uppercase(),
        }))
    }
}

/// `KerberosRule.replaceParameters`
fn parsed_format(format: &str, components: usize) -> Option<Vec<Part>> {
    let mut pieces = format.split('$');
    let mut parts = vec![Part::Text(pieces.next().unwrap_or_default().into())];
    for piece in pieces {
        let digits = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
        let number = piece[..digits].parse().ok().filter(|number| *number <= components)?;
        parts.extend([Part::Component(number), Part::Text(piece[digits..].into())]);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REALM: &str = "REALM.COM";

    fn short(rules: &[&str], name: &str) -> Result<String, String> {
        ShortNames::parse(REALM, rules).unwrap().short_name(name)
    }

    /// `KerberosNameTest`
    #[test]
    fn names_are_shortened_as_kafkas_test_says() {
        let plain = ["RULE:[1:$1](App\\..*)s/App\\.(.*)/$1/g", "RULE:[2:$1](App\\..*)s/App\\.(.*)/$1/g", "DEFAULT"];
        let in_case = |case: &str| {
            [
                "[1:$1]",
                "[2:$1](Test.*)s/ABC//",
                "[2:$1](ABC.*)s/ABC/XYZ/g",
                "[2:$1](App\\..*)s/App\\.(.*)/$1/g",
                "[2:$1]",
            ]
            .map(|rule| format!("RULE:{rule}/{case}"))
        };
        let (lower, upper) = (in_case("L"), in_case("U"));
        let (lower, upper) = (lower.each_ref().map(String::as_str), upper.each_ref().map(String::as_str));
        let cases: &[(&[&str], &str, &str)] = &[
            (&plain, "App.service-name/example.com@REALM.COM", "service-name"),
            (&plain, "App.service-name@REALM.COM", "service-name"),
            (&plain, "user/host@REALM.COM", "user"),
            (&lower, "User@REALM.COM", "user"),
            (&lower, "TestABC/host@FOO.COM", "test"),
            (&lower, "ABC_User_ABC/host@FOO.COM", "xyz_user_xyz"),
            (&lower, "App.SERVICE-name/example.com@REALM.COM", "service-name"),
            (&lower, "User/root@REALM.COM", "user"),
            (&upper, "User@REALM.COM", "USER"),
            (&upper, "TestABC/host@FOO.COM", "TEST"),
            (&upper, "ABC_User_ABC/host@FOO.COM", "XYZ_USER_XYZ"),
            (&upper, "App.SERVICE-name/example.com@REALM.COM", "SERVICE-NAME"),
            (&upper, "User/root@REALM.COM", "USER"),
        ];
        for (rules, name, wanted) in cases {
            assert_eq!(short(rules, name).as_deref(), Ok(*wanted), "{rules:?} {name}");
        }
    }

    /// `KerberosNameTest.testInvalidRules`, and what `KerberosRuleTest` says of formats.
    #[test]
    fn rules_that_are_none_are_refused() {
        let refused = [
            "default",
            "DEFAUL",
            "DEFAULT/L",
            "DEFAULT/g",
            "rule:[1:$1]",
            "rule:[1:$1]/L/U",
            "rule:[1:$1]/U/L",
            "rule:[1:$1]/LU",
            "RULE:[1:$1/L",
            "RULE:[1:$1]/l",
            "RULE:[2:$1](ABC.*)s/ABC/XYZ/L/g",
            "RULE:[:x]",
            "RULE:[1:$2]",
            "RULE:[1:$a]",
            "RULE:[1:$1](()",
            "RULE:[1:$1]s/a/$1/",
            "",
        ];
        for rule in refused {
            assert!(ShortNames::parse(REALM, &[rule]).is_err(), "{rule}");
        }
    }

    #[test]
    fn a_rule_applies_to_names_of_its_length_that_fit_as_a_whole() {
        let cases: &[(&[&str], &str, Result<&str, &str>)] = &[
            (&["DEFAULT"], "alice", Ok("alice")),
            (&["DEFAULT"], "kafka/host", Ok("kafka/host")),
            (&["DEFAULT"], "alice@REALM.COM", Ok("alice")),
            (&["DEFAULT"], "alice/admin@REALM.COM", Ok("alice")),
            (&["DEFAULT"], "alice@OTHER", Err("No rules apply to alice@OTHER")),
            (&["DEFAULT"], "a/b/c@REALM.COM", Err("Malformed Kerberos name: a/b/c@REALM.COM")),
            (&["DEFAULT"], "a@b@REALM.COM", Err("Malformed Kerberos name: a@b@REALM.COM")),
            (&["RULE:[2:$2-$1.$0]"], "a/b@C", Ok("b-a.C")),
            (&["RULE:[1:$1@$0]"], "a@C", Err("Non-simple name a@C after auth_to_local rule RULE:[1:$1@$0]")),
            (&["RULE:[1:$1@$0](.*@C)s/@.*//"], "a@C", Ok("a")),
            (&["RULE:[1:$1@$0](@C)s/@.*//"], "a@C", Err("No rules apply to a@C")),
            (&["RULE:[1:$1]s/a/b/"], "aa@C", Ok("ba")),
            (&["RULE:[1:$1]s/a/b/g"], "aa@C", Ok("bb")),
            (&["RULE:[1:hello]"], "a@C", Ok("hello")),
            (&["RULE:[3:$3]", "RULE:[1:]"], "a@C", Ok("")),
        ];
        for (rules, name, wanted) in cases {
            assert_eq!(short(rules, name).as_deref().map_err(String::as_str), *wanted, "{rules:?} {name}");
        }
    }
}
