//! `ssl.principal.mapping.rules`: from the name in a certificate to the name of a principal (`SslPrincipalMapper`).
//!
//! The first rule that the whole name fits is applied to it. Java's `replaceAll` then looks for the pattern again, anywhere and
//! more than once: a lazy group at the end takes less than it did, and the empty rest behind `.*` is replaced, too.
//!
//! Deviations: what the two kinds of regular expressions do not mean alike (looking around, back references, possessive
//! quantifiers, `\<`) is refused at the start, as are references in a replacement for which Kafka would fail each connection.

use regex::bytes::{Captures, Regex, RegexBuilder};

/// A list of rules between commas; `$` is its end.
const RULE: &str = r"(DEFAULT)|RULE:((?:\\.|[^\\/])*)/((?:\\.|[^\\/])*)/([LU]?).*?|(.*?)";
/// What takes more as a program is refused.
const MAX_PATTERN_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Rules(Vec<Rule>);

#[derive(Debug)]
enum Rule {
    /// The name as it is.
    Default,
    Replace {
        whole: Regex,
        anywhere: Regex,
        replacement: Vec<Piece>,
        case: Case,
    },
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Group(usize),
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
                let replaced = replace_all(anywhere, name, replacement);
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
    let other_meanings = ["*+", "++", "?+", "}+", r"\<", r"\>", r"\p", r"\P", r"\Q"];
    if let Some(word) = other_meanings.iter().find(|word| pattern.contains(*word)) {
        return Err(format!("Invalid rule: the pattern `{pattern}` has `{word}`, which is not supported"));
    }
    let anywhere = compile(pattern)?;
    let whole = compile(&format!(r"\A(?:{pattern})\z"))?;
    let replacement = pieces(replacement, anywhere.captures_len() - 1)?;
    Ok(Rule::Replace { whole, anywhere, replacement, case })
}

/// Letters are characters, and classes are of ASCII, as in Java. Letters in either case are, too, for which bytes must stand.
fn compile(pattern: &str) -> Result<Regex, String> {
    let is_unicode = !pattern.contains("(?i");
    let translated = with_classes_of_ascii(pattern);
    let built = RegexBuilder::new(&translated).unicode(is_unicode).size_limit(MAX_PATTERN_BYTES).build();
    built.map_err(|error| format!("Invalid rule: the pattern `{pattern}` is not supported: {error}"))
}

fn with_classes_of_ascii(pattern: &str) -> String {
    let mut out = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('w') => out.push_str("[0-9A-Za-z_]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            Some('s') => out.push_str(r"[\t\n\x0B\f\r ]"),
            Some('S') => out.push_str(r"[^\t\n\x0B\f\r ]"),
            Some('b') => out.push_str(r"(?-u:\b)"),
            other => out.extend(['\\'].into_iter().chain(other)),
        }
    }
    out
}

/// `Matcher.appendReplacement`, behind `SslPrincipalMapper.escapeLiteralBackReferences`.
fn pieces(replacement: &str, groups: usize) -> Result<Vec<Piece>, String> {
    let mut pieces = vec![Piece::Text(String::new())];
    let mut rest = replacement.chars().peekable();
    let add = |pieces: &mut Vec<Piece>, letter: char| match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push(letter),
        _ => pieces.push(Piece::Text(letter.into())),
    };
    let wrong = || format!("Invalid rule: the replacement `{replacement}` refers to no group");
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => add(&mut pieces, rest.next().ok_or_else(wrong)?),
            '$' => {
                let first = rest.peek().and_then(|digit| digit.to_digit(10)).ok_or_else(wrong)? as usize;
                if first > groups && groups == 0 {
                    return Err(wrong());
                }
                if first > groups {
                    // Of no group: it stands for itself.
                    add(&mut pieces, '$');
                    continue;
                }
                rest.next();
                let mut number = first;
                while let Some(digit) = rest.peek().and_then(|digit| digit.to_digit(10))
                    && number * 10 + digit as usize <= groups
                {
                    number = number * 10 + digit as usize;
                    rest.next();
                }
                pieces.push(Piece::Group(number));
            }
            letter => add(&mut pieces, letter),
        }
    }
    Ok(pieces)
}

/// As Java's: behind a match that has taken something, an empty one may follow at once.
fn replace_all(pattern: &Regex, name: &str, replacement: &[Piece]) -> String {
    let bytes = name.as_bytes();
    let (mut out, mut copied, mut from) = (Vec::new(), 0, 0);
    while from <= bytes.len()
        && let Some(found) = pattern.captures_at(bytes, from)
        && let Some(whole) = found.get(0)
    {
        out.extend_from_slice(&bytes[copied..whole.start()]);
        replacement.iter().for_each(|piece| append(&mut out, piece, &found));
        copied = whole.end();
        // Behind an empty match the next letter is passed over.
        let letter = name.get(whole.end()..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        from = if whole.is_empty() { whole.end() + letter } else { whole.end() };
    }
    out.extend_from_slice(&bytes[copied..]);
    string(&out)
}

fn append(out: &mut Vec<u8>, piece: &Piece, found: &Captures<'_>) {
    match piece {
        Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
        Piece::Group(number) => out.extend_from_slice(found.get(*number).map_or(b"", |group| group.as_bytes())),
    }
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
