//! The name of a certificate's subject as Java writes it (`X500Principal.getName`, RFC 2253): the last part first, words for
//! nine types, the others by number with the bytes of their values.
//!
//! Java has its own mind in details (a carriage return at the ends is escaped as a blank is), so the table beside the tests
//! was printed by it.

use std::fmt::Write as _;

use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::parse_x509_certificate;
use x509_parser::x509::X509Name;

use crate::security::store::der;

const KEYWORDS: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];
const ESCAPED: &str = ",=+<>#;\"\\";

/// The subject of a certificate in DER; `None` if it cannot be read.
pub(crate) fn of_certificate(der: &[u8]) -> Option<String> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    Some(of_name(certificate.subject()))
}

/// A name in DER by itself.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn of_subject(der: &[u8]) -> Option<String> {
    <X509Name<'_> as x509_parser::prelude::FromDer<_>>::from_der(der).ok().map(|(_, name)| of_name(&name))
}

fn of_name(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|rdn| {
            let values = rdn.iter().map(|value| pair(&value.attr_type().to_id_string(), value.attr_value()));
            values.collect::<Vec<_>>().join("+")
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn pair(oid: &str, value: &Any<'_>) -> String {
    let keyword = KEYWORDS.iter().find(|(known, _)| *known == oid);
    match (keyword, text(value)) {
        (Some((_, keyword)), Some(text)) => format!("{keyword}={}", escaped(&text)),
        (keyword, _) => {
            let name = keyword.map_or(oid, |(_, keyword)| keyword);
            encoded(value).iter().fold(format!("{name}=#"), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        }
    }
}

/// What kinds of strings say; `None` of what is no string to Java.
fn text(value: &Any<'_>) -> Option<String> {
    match value.tag() {
        Tag::PrintableString | Tag::Utf8String | Tag::T61String | Tag::Ia5String | Tag::GeneralString => {}
        Tag::BmpString => {}
        _ => return None,
    }
    // Java takes the bytes of all of them for UTF-8.
    Some(String::from_utf8_lossy(value.data).into_owned())
}

fn escaped(text: &str) -> String {
    let is_blank = |letter: char| letter == ' ' || letter == '\r';
    let lead = text.chars().take_while(|letter| is_blank(*letter)).count();
    let length = text.chars().count();
    let trail = text.chars().rev().take_while(|letter| is_blank(*letter)).count();
    let mut out = String::new();
    for (at, letter) in text.chars().enumerate() {
        let is_at_an_end = at < lead || at + trail >= length;
        match letter {
            '\0' => out.push_str("\\00"),
            letter if ESCAPED.contains(letter) || is_at_an_end => out.extend(['\\', letter]),
            letter => out.push(letter),
        }
    }
    out
}

/// The value with its tag and length.
fn encoded(value: &Any<'_>) -> Vec<u8> {
    let tag = value.header.tag().0 as u8 | (u8::from(value.header.is_constructed()) << 5);
    der::value(tag, &[value.data])
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer;

    use super::*;

    /// Each line: a name in DER and what Java makes of it in UTF-8, both in hexadecimal.
    #[test]
    fn names_are_written_as_java_writes_them() {
        let bytes = |hex: &str| -> Vec<u8> {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        };
        let table = include_str!("testdata/names.tsv");
        for (number, line) in table.lines().enumerate() {
            let (der, wanted) = line.split_once('\t').unwrap();
            let der = bytes(der);
            let (_, name) = X509Name::from_der(&der).unwrap();
            assert_eq!(of_name(&name), String::from_utf8(bytes(wanted)).unwrap(), "line {}", number + 1);
        }
        assert!(table.lines().count() >= 200);
    }
}
