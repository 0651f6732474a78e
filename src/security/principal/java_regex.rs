//! Java's regular expressions, as far as rules about names use them: `Pattern`, `Matcher.replaceAll` and `replaceFirst`.
//!
//! Deviations: what the two kinds of regular expressions do not mean alike (looking around, back references, possessive
//! quantifiers, `\<`) is refused, as are references in a replacement for which Java would fail each time.

use regex::bytes::{Captures, Regex, RegexBuilder};

/// What takes more as a program is refused.
const MAX_PATTERN_BYTES: usize = 1024 * 1024;
const OTHER_MEANINGS: &[&str] = &["*+", "++", "?+", "}+", r"\<", r"\>", r"\p", r"\P", r"\Q"];

/// What is put in the place of a match.
#[derive(Debug)]
pub(super) struct Replacement(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(String),
    Group(usize),
}

/// What becomes of a reference to a group that the pattern does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unknown {
    /// `SslPrincipalMapper.escapeLiteralBackReferences`
    StandsForItself,
    Refused,
}

/// How many matches are replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Times {
    First,
    All,
}

/// Letters are characters, and classes are of ASCII, as in Java. Letters in either case are, too, for which bytes must stand.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    if let Some(word) = OTHER_MEANINGS.iter().find(|word| pattern.contains(*word)) {
        return Err(format!("Invalid rule: the pattern `{pattern}` has `{word}`, which is not supported"));
    }
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

impl Replacement {
    /// `Matcher.appendReplacement`
    pub(super) fn parse(text: &str, pattern: &Regex, unknown: Unknown) -> Result<Replacement, String> {
        let groups = pattern.captures_len() - 1;
        let mut pieces = vec![Piece::Text(String::new())];
        let mut rest = text.chars().peekable();
        let add = |pieces: &mut Vec<Piece>, letter: char| match pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(letter),
            _ => pieces.push(Piece::Text(letter.into())),
        };
        let wrong = || format!("Invalid rule: the replacement `{text}` refers to no group");
        while let Some(letter) = rest.next() {
            match letter {
                '\\' => add(&mut pieces, rest.next().ok_or_else(wrong)?),
                '$' => {
                    let first = rest.peek().and_then(|digit| digit.to_digit(10)).ok_or_else(wrong)? as usize;
                    if first > groups && (groups == 0 || unknown == Unknown::Refused) {
                        return Err(wrong());
                    }
                    if first > groups {
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
        Ok(Replacement(pieces))
    }

    /// As Java's: behind a match that has taken something, an empty one may follow at once.
    pub(super) fn apply(&self, pattern: &Regex, name: &str, times: Times) -> String {
        let bytes = name.as_bytes();
        let (mut out, mut copied, mut from) = (Vec::new(), 0, 0);
        while from <= bytes.len()
            && let Some(found) = pattern.captures_at(bytes, from)
            && let Some(whole) = found.get(0)
        {
            out.extend_from_slice(&bytes[copied..whole.start()]);
            self.0.iter().for_each(|piece| append(&mut out, piece, &found));
            copied = whole.end();
            // Behind an empty match the next letter is passed over.
            let letter = name.get(whole.end()..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
            from = if whole.is_empty() { whole.end() + letter } else { whole.end() };
            if times == Times::First {
                break;
            }
        }
        out.extend_from_slice(&bytes[copied..]);
        String::from_utf8_lossy(&out).into_owned()
    }
}

fn append(out: &mut Vec<u8>, piece: &Piece, found: &Captures<'_>) {
    match piece {
        Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
        Piece::Group(number) => out.extend_from_slice(found.get(*number).map_or(b"", |group| group.as_bytes())),
    }
}
