//! Regular expressions of subscriptions (`SubscribedTopicRegex`): RE2 syntax, matched against whole topic names.
//!
//! Kafka takes the library RE2J for it. What RE2J 1.8 accepts, what it refuses and with which words, is decided by our own
//! parser (`parser.rs`), which follows RE2J's; what it makes of the expression is plain enough to mean the same to the
//! crate `regex`, which matches in linear time. Since topic names are ASCII, every class of characters is cut down to
//! ASCII on the way, so `\pL{1000}` is no larger than `[a-z]{1000}` and Unicode's tables stay out of the binary.
//!
//! The parser knows the differences of the two syntaxes, each held against RE2J by the suite `assignors`: `\pN`,
//! `\p{^Greek}` and the names of Unicode 6.0 only; `\C`, `\Z`, `\8`, `\b` in classes are errors; `\Q…\E` with or without
//! its end; octal `\123` and `\x{…}`; `(?U)`, `(?m)`, `(?s)`, `(?i)` alone, negated and for a group, no other flag;
//! `(?P<n>…)` and `(?<n>…)` with names of letters, digits and `_` in any place, no name twice; repetitions up to 1000,
//! `{,n}` and other braces as text, no repetition of a repetition; `[[:word:]]`; `&&`, `--`, `~~` and `[` as text in
//! classes; `(?i)` folding as in Unicode (U+017F is an s, U+212A a k).
//!
//! Deviations: RE2J has no limits; here an expression may be of [`MOST_PATTERN_BYTES`], may nest
//! [`parser::MOST_NESTED`] deep, and what it compiles to may take [`MOST_COMPILED_BYTES`].

mod class;
mod parser;
#[cfg(test)]
mod tests;

use ::regex::bytes;
use std::fmt;

/// Longest expression. Kafka's limit is the size of a record in `__consumer_offsets`, about a megabyte.
pub const MOST_PATTERN_BYTES: usize = 128 * 1024;
/// Largest compiled expression; nested repetitions could ask for any size.
pub const MOST_COMPILED_BYTES: usize = 8 * 1024 * 1024;

const TOO_LARGE: &str = "expression is too large";

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct TopicPattern(bytes::Regex);

/// An expression that is none; its text is that of Kafka's `INVALID_REGULAR_EXPRESSION` answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPattern {
    pub pattern: String,
    /// RE2J's word for what is wrong.
    pub description: &'static str,
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InvalidPattern { pattern, description } = self;
        write!(f, "SubscribedTopicRegex `{pattern}` is not a valid regular expression: {description}.")
    }
}

impl std::error::Error for InvalidPattern {}

impl TopicPattern {
    pub fn compile(pattern: &str) -> Result<TopicPattern, InvalidPattern> {
        let invalid = |description| InvalidPattern { pattern: pattern.to_string(), description };
        if pattern.len() > MOST_PATTERN_BYTES {
            return Err(invalid(TOO_LARGE));
        }
        let translated = parser::translate(pattern).map_err(invalid)?;
        bytes::RegexBuilder::new(&format!(r"\A(?:{translated})\z"))
            .unicode(false)
            .nest_limit(parser::MOST_NESTED_TRANSLATED)
            .size_limit(MOST_COMPILED_BYTES)
            .build()
            .map(TopicPattern)
            .map_err(|_| invalid(TOO_LARGE))
    }

    /// Whether the whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name.as_bytes())
    }
}

/// A compiled expression for names that need not be ASCII, such as transactional ids.
///
/// ASCII names are matched as topics are. For the others the expression goes to the crate `regex` as it stands: where that
/// cannot take it, or understands it otherwise (`&&` in a class), an id outside of ASCII is not listed, or is listed wrongly.
#[derive(Clone, Debug)]
pub struct IdPattern {
    ascii: TopicPattern,
    /// Without Unicode's tables.
    whole: Option<bytes::Regex>,
}

impl IdPattern {
    pub fn compile(pattern: &str) -> Result<IdPattern, InvalidPattern> {
        let ascii = TopicPattern::compile(pattern)?;
        let whole = bytes::RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
            .nest_limit(parser::MOST_NESTED_TRANSLATED)
            .size_limit(MOST_COMPILED_BYTES)
            .build();
        Ok(IdPattern { ascii, whole: whole.ok() })
    }

    /// Whether the whole id matches.
    pub fn matches(&self, id: &str) -> bool {
        match &self.whole {
            Some(whole) if !id.is_ascii() => whole.is_match(id.as_bytes()),
            _ => self.ascii.matches(id),
        }
    }
}
