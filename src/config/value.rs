//! Types of configuration values: reading a text as one, checking its range, printing it as Kafka prints it.
//!
//! The rules are those of Kafka's `ConfigDef` (4.4): texts are trimmed, numbers are decimal, lists are separated by
//! commas. A value that is refused gives one sentence that says why and what is allowed.

use super::duration;
use crate::stdx::secret::Secret;
use regex::bytes::{Regex, RegexBuilder};
use std::fmt;

/// The most bytes that a compiled pattern may take: they come from users.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// `ConfigDef.Type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Boolean,
    Text,
    Int,
    Short,
    Long,
    Double,
    List,
    Class,
    Password,
}

impl Type {
    /// The number in DescribeConfigs answers (`DescribeConfigsResponse.ConfigType`).
    pub fn id(self) -> i8 {
        match self {
            Type::Boolean => 1,
            Type::Text => 2,
            Type::Int => 3,
            Type::Short => 4,
            Type::Long => 5,
            Type::Double => 6,
            Type::List => 7,
            Type::Class => 8,
            Type::Password => 9,
        }
    }

    fn kafka_name(self) -> &'static str {
        match self {
            Type::Int => "INT",
            Type::Short => "SHORT",
            Type::Long => "LONG",
            Type::Double => "DOUBLE",
            _ => "text",
        }
    }
}

/// What a value must satisfy beyond its type.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Valid {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    /// A range, or -1 for "the library's default" (gzip's level).
    BetweenOrMinusOne(i64, i64),
    Fraction(f64, f64),
    OneOf(&'static [&'static str]),
    OneOfIgnoringCase(&'static [&'static str]),
    /// A list of these.
    ListOf(&'static [&'static str]),
    NotEmpty,
    /// `*`, or `partition:broker` pairs.
    ThrottledReplicas,
    /// `earliest`, `latest` or a duration before now.
    ShareAutoOffsetReset,
}

/// A value that was read and found valid.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Boolean(bool),
    Int(i64),
    Double(f64),
    Text(String),
    List(Vec<String>),
    Secret(Secret),
}

/// Reads `text` as a value of this type. The error is the reason, without the key.
pub fn parse(text: &str, kind: Type, valid: Valid) -> Result<Value, String> {
    let value = parse_type(text.trim(), kind)?;
    check(&value, valid)?;
    Ok(value)
}

fn parse_type(text: &str, kind: Type) -> Result<Value, String> {
    let integer = |min: i64, max: i64| match text.strip_prefix('+').unwrap_or(text).parse::<i64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(Value::Int(number)),
        _ => Err(format!("Not a number of type {}", kind.kafka_name())),
    };
    match kind {
        Type::Boolean if text.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
        Type::Boolean if text.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
        Type::Boolean => Err("Expected value to be either true or false".into()),
        Type::Int => integer(i32::MIN.into(), i32::MAX.into()),
        Type::Short => integer(i16::MIN.into(), i16::MAX.into()),
        Type::Long => integer(i64::MIN, i64::MAX),
        Type::Double => {
            text.parse().map(Value::Double).map_err(|_| format!("Not a number of type {}", kind.kafka_name()))
        }
        Type::Text | Type::Class => Ok(Value::Text(text.to_string())),
        Type::Password => Ok(Value::Secret(Secret::new(text))),
        Type::List if text.is_empty() => Ok(Value::List(Vec::new())),
        Type::List => list(text),
    }
}

/// An expression of Java's, as far as the crate `regex` has the same: letters and classes are of ASCII, as there (and tables of
/// others are not built in). `None`: it is none, or takes more than is allowed.
pub fn pattern(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).unicode(false).size_limit(MAX_PATTERN_BYTES).build().ok()
}

/// An item that stands there twice counts once (KIP-1161).
fn list(text: &str) -> Result<Value, String> {
    let mut items: Vec<String> = Vec::new();
    for item in text.split(',').map(str::trim) {
        if item.is_empty() {
            return Err("The items of a list must not be empty".into());
        }
        if !items.iter().any(|i| i == item) {
            items.push(item.to_string());
        }
    }
    Ok(Value::List(items))
}

fn check(value: &Value, valid: Valid) -> Result<(), String> {
    let outcome = match (value, valid) {
        (Value::Int(n), Valid::AtLeast(min)) => at_least(*n, min),
        (Value::Int(n), Valid::Between(min, max)) => between(*n, min, max),
        (Value::Int(-1), Valid::BetweenOrMinusOne(..)) => None,
        (Value::Int(n), Valid::BetweenOrMinusOne(min, max)) => between(*n, min, max).map(|r| r + " or -1"),
        (Value::Double(n), Valid::Fraction(min, max)) => {
            (!(min..=max).contains(n)).then(|| format!("Value must be between {min} and {max}"))
        }
        (Value::Text(t), Valid::OneOf(all)) => (!all.contains(&t.as_str())).then(|| one_of(all)),
        (Value::Text(t), Valid::OneOfIgnoringCase(all)) => {
            (!all.iter().any(|a| a.eq_ignore_ascii_case(t))).then(|| one_of(all))
        }
        (Value::Text(t), Valid::NotEmpty) => t.is_empty().then(|| "String must be non-empty".to_string()),
        (Value::Text(t), Valid::ShareAutoOffsetReset) => offset_reset(t),
        (Value::List(items), Valid::ListOf(all)) => list_of(items, all),
        (Value::List(items), Valid::ThrottledReplicas) => throttled(items),
        _ => None,
    };
    outcome.map_or(Ok(()), Err)
}

fn at_least(number: i64, min: i64) -> Option<String> {
    (number < min).then(|| format!("Value must be at least {min}"))
}

fn between(number: i64, min: i64, max: i64) -> Option<String> {
    at_least(number, min).or_else(|| (number > max).then(|| format!("Value must be no more than {max}")))
}

fn one_of(all: &[&str]) -> String {
    format!("String must be one of: {}", all.join(", "))
}

fn list_of(items: &[String], all: &[&str]) -> Option<String> {
    (!items.iter().all(|item| all.contains(&item.as_str()))).then(|| one_of(all))
}

fn throttled(items: &[String]) -> Option<String> {
    let number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
    let pair = |item: &String| item.split_once(':').is_some_and(|(p, b)| number(p) && number(b));
    let fine = items.is_empty() || items == ["*"] || items.iter().all(pair);
    (!fine).then(|| "Value must be '*' or a list of [partitionId]:[brokerId]".to_string())
}

fn offset_reset(text: &str) -> Option<String> {
    let duration = |text: &str| text.strip_prefix("by_duration:").and_then(duration::parse_nanos);
    let fine = matches!(text, "earliest" | "latest") || duration(text).is_some_and(|nanos| nanos >= 0);
    (!fine).then(|| {
        format!(
            "Invalid value `{text}` for configuration share.auto.offset.reset. The value must be either 'earliest', \
             'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
        )
    })
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Boolean(b) => b.fmt(f),
            Value::Int(n) => n.fmt(f),
            Value::Double(d) => f.write_str(&java_double(*d)),
            Value::Text(t) => f.write_str(t),
            Value::List(items) => f.write_str(&items.join(",")),
            // `Password.toString`
            Value::Secret(_) => f.write_str("[hidden]"),
        }
    }
}

/// `Double.toString` of Java: plain from 10^-3 to 10^7, else with an exponent; always with a fraction.
fn java_double(d: f64) -> String {
    let size = d.abs();
    if d == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{d:?}");
    }
    let text = format!("{d:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_trimmed_and_printed_as_kafka_prints_them() {
        let table = [
            (" 12 ", Type::Int, "12"),
            ("+3", Type::Long, "3"),
            ("TRUE", Type::Boolean, "true"),
            (" a , b", Type::List, "a,b"),
            ("1", Type::Double, "1.0"),
            ("0.5", Type::Double, "0.5"),
            ("1.7976931348623157E308", Type::Double, "1.7976931348623157E308"),
            ("10000000", Type::Double, "1.0E7"),
            ("", Type::List, ""),
            ("a,b,a", Type::List, "a,b"),
        ];
        for (text, kind, printed) in table {
            assert_eq!(parse(text, kind, Valid::Any).unwrap().to_string(), printed, "{text:?}");
        }
    }

    #[test]
    fn bad_values_are_refused_with_a_reason() {
        let table = [
            ("2147483648", Type::Int, Valid::Any, "Not a number of type INT"),
            ("1e3", Type::Long, Valid::Any, "Not a number of type LONG"),
            ("", Type::Int, Valid::Any, "Not a number of type INT"),
            ("yes", Type::Boolean, Valid::Any, "Expected value to be either true or false"),
            ("-1", Type::Int, Valid::AtLeast(0), "Value must be at least 0"),
            ("11", Type::Int, Valid::Between(1, 10), "Value must be no more than 10"),
            ("0", Type::Int, Valid::BetweenOrMinusOne(1, 9), "Value must be at least 1 or -1"),
            ("1.5", Type::Double, Valid::Fraction(0.0, 1.0), "Value must be between 0 and 1"),
            ("NaN", Type::Double, Valid::Fraction(0.0, 1.0), "Value must be between 0 and 1"),
            ("x", Type::Text, Valid::OneOf(&["a", "b"]), "String must be one of: a, b"),
            ("a,x", Type::List, Valid::ListOf(&["a", "b"]), "String must be one of: a, b"),
            ("a,", Type::List, Valid::ListOf(&["a", "b"]), "The items of a list must not be empty"),
            ("0-1", Type::List, Valid::ThrottledReplicas, "Value must be '*' or a list of [partitionId]:[brokerId]"),
        ];
        for (text, kind, valid, reason) in table {
            assert_eq!(parse(text, kind, valid).unwrap_err(), reason, "{text:?}");
        }
        assert!(parse("-1", Type::Int, Valid::BetweenOrMinusOne(1, 9)).is_ok());
        assert!(parse("0:1,1:1", Type::List, Valid::ThrottledReplicas).is_ok());
    }
}
