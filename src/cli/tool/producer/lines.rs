//! Lines as records (`LineMessageReader`): headers, key and value, with what `--reader-property` says between them.
//!
//! Deviations: a line's bytes are taken as they are, which Java makes text of first; `headers.separator` is text, in Kafka an
//! expression.

use std::io::{BufRead, Read};

use crate::cli::args::Given;
use crate::cli::tool::options::{is_true, properties, text};
use crate::model::TimestampMs;
use crate::record::builder::{Builder, Record};

const KNOWN: [&str; 8] = [
    "parse.key",
    "key.separator",
    "parse.headers",
    "headers.delimiter",
    "headers.separator",
    "headers.key.separator",
    "ignore.error",
    "null.marker",
];
/// A longer line is none.
const MOST_LINE_BYTES: usize = 64 << 20;

pub(super) struct LineFormat {
    /// What stands between key and value; `None`: there are no keys.
    key: Option<String>,
    headers: Option<HeaderFormat>,
    /// What cannot be found is not there, and is no error.
    is_lenient: bool,
    /// What is equal to it is no value.
    null: Option<String>,
}

struct HeaderFormat {
    /// Behind all of them.
    delimiter: String,
    separator: String,
    key_separator: String,
}

type Header<'l> = (&'l [u8], Option<&'l [u8]>);

/// A line that was read.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct LineRecord<'l> {
    pub(super) key: Option<&'l [u8]>,
    value: Option<&'l [u8]>,
    headers: Vec<Header<'l>>,
}

impl LineRecord<'_> {
    pub(super) fn append_to(&self, batch: &mut Builder, timestamp: TimestampMs) {
        batch.append(&Record { timestamp, key: self.key, value: self.value, headers: &self.headers });
    }
}

impl LineFormat {
    pub(super) fn of(given: &Given) -> Result<LineFormat, String> {
        let properties = properties(given, "reader-property", &KNOWN)?;
        let names = ["key.separator", "headers.delimiter", "headers.separator", "headers.key.separator"];
        let [key, delimiter, separator, key_separator] =
            [0, 1, 2, 3].map(|at| (names[at], text(&properties, names[at], ["\t", "\t", ",", ":"][at])));
        let null = properties.get("null.marker").map(|marker| ("null.marker", marker.clone()));
        let of_headers = [(&delimiter, &separator), (&delimiter, &key_separator), (&separator, &key_separator)];
        let of_null =
            null.iter().flat_map(|null| [&key, &separator, &delimiter, &key_separator].map(|one| (null, one)));
        if let Some((one, other)) = of_headers.into_iter().chain(of_null).find(|(one, other)| one.1 == other.1) {
            return Err(format!("{} and {} may not be equal", one.0, other.0));
        }
        let headers = HeaderFormat { delimiter: delimiter.1, separator: separator.1, key_separator: key_separator.1 };
        Ok(LineFormat {
            key: is_true(&properties, "parse.key").then_some(key.1),
            headers: is_true(&properties, "parse.headers").then_some(headers),
            is_lenient: is_true(&properties, "ignore.error"),
            null: null.map(|(_, marker)| marker),
        })
    }

    /// A sentence has the number of its line and not the line, which may be secret.
    pub(super) fn read<'l>(&self, line: &'l [u8], number: u64) -> Result<LineRecord<'l>, String> {
        let (headers, rest) = match &self.headers {
            None => (None, line),
            Some(format) => self.split(line, &format.delimiter, "headers delimiter", number)?,
        };
        let (key, value) = match &self.key {
            None => (None, rest),
            Some(separator) => self.split(rest, separator, "key separator", number)?,
        };
        let headers = match (&self.headers, headers.and_then(|headers| self.or_null(headers))) {
            (Some(format), Some(headers)) => self.headers(headers, format, number)?,
            _ => Vec::new(),
        };
        Ok(LineRecord { key: key.and_then(|key| self.or_null(key)), value: self.or_null(value), headers })
    }

    fn or_null<'l>(&self, bytes: &'l [u8]) -> Option<&'l [u8]> {
        Some(bytes).filter(|bytes| self.null.as_deref().map(str::as_bytes) != Some(*bytes))
    }

    /// What is in front of a separator, and the rest.
    fn split<'l>(
        &self,
        bytes: &'l [u8],
        separator: &str,
        name: &str,
        number: u64,
    ) -> Result<(Option<&'l [u8]>, &'l [u8]), String> {
        match find(bytes, separator.as_bytes()) {
            Some(at) => Ok((Some(&bytes[..at]), &bytes[at + separator.len()..])),
            None if self.is_lenient => Ok((None, bytes)),
            None => Err(format!("No {name} found on line number {number}")),
        }
    }

    fn headers<'l>(&self, bytes: &'l [u8], format: &HeaderFormat, number: u64) -> Result<Vec<Header<'l>>, String> {
        let pair = |pair: &'l [u8]| match find(pair, format.key_separator.as_bytes()) {
            None if self.is_lenient => Ok((pair, None)),
            None => Err(format!("No header key separator found in a pair on line number {number}")),
            Some(at) if self.or_null(&pair[..at]).is_none() => {
                Err("Header keys should not be equal to the null marker as they can't be null".to_string())
            }
            Some(at) => Ok((&pair[..at], self.or_null(&pair[at + format.key_separator.len()..]))),
        };
        let mut pairs = pieces(bytes, format.separator.as_bytes());
        // As with Java's `split`, what is empty at the end is nothing.
        while pairs.len() > 1 && pairs.last().is_some_and(|pair| pair.is_empty()) {
            pairs.pop();
        }
        pairs.into_iter().map(pair).collect()
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    if what.is_empty() { Some(0) } else { bytes.windows(what.len()).position(|window| window == what) }
}

fn pieces<'l>(mut bytes: &'l [u8], separator: &[u8]) -> Vec<&'l [u8]> {
    let mut pieces = Vec::new();
    while let Some(at) = find(bytes, separator).filter(|_| !separator.is_empty()) {
        pieces.push(&bytes[..at]);
        bytes = &bytes[at + separator.len()..];
    }
    pieces.push(bytes);
    pieces
}

/// The next line without its end; `false`: there is none.
pub(super) fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, String> {
    line.clear();
    let read = Read::take(&mut *input, MOST_LINE_BYTES as u64 + 1).read_until(b'\n', line);
    if read.map_err(|error| format!("cannot read the standard input: {error}"))? == 0 {
        return Ok(false);
    }
    if line.len() > MOST_LINE_BYTES {
        return Err(format!("a line has more than {MOST_LINE_BYTES} bytes"));
    }
    for end in [b'\n', b'\r'] {
        if line.last() == Some(&end) {
            line.pop();
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::given_for_tests;

    fn format(properties: &[&str]) -> Result<LineFormat, String> {
        let line: Vec<_> = properties.iter().map(|property| format!("--reader-property {property}")).collect();
        LineFormat::of(&given_for_tests("console-producer", &line.join(" ")))
    }

    fn shown(bytes: Option<&[u8]>) -> String {
        bytes.map_or("<null>".into(), |bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// Key, value and headers of a line.
    fn read(properties: &[&str], line: &str) -> Result<String, String> {
        let format = format(properties)?;
        let LineRecord { key, value, headers } = format.read(line.as_bytes(), 7)?;
        let headers = headers.iter().map(|(key, value)| format!(" {}={}", shown(Some(key)), shown(*value)));
        Ok(format!("{}|{}|{}", shown(key), shown(value), headers.collect::<String>()))
    }

    #[test]
    fn lines_are_read() {
        let mut input = &b"a\r\n\nkey\tvalue"[..];
        let (mut line, mut lines) = (Vec::new(), Vec::new());
        while read_line(&mut input, &mut line).unwrap() {
            lines.push(line.clone());
        }
        assert_eq!(lines, [&b"a"[..], b"", b"key\tvalue"]);
    }

    /// `ConsoleProducerTest`, `LineMessageReaderTest`
    #[test]
    fn lines_are_records() {
        let headers = "parse.headers=true";
        for (properties, line, expected) in [
            (&[][..], "key\tvalue", "<null>|key\tvalue|"),
            (&["parse.key=true"], "key\tvalue\tx", "key|value\tx|"),
            (&["parse.key=true", "key.separator=::"], "key::v", "key|v|"),
            (&["parse.key=true", "key.separator="], "v", "|v|"),
            (&["parse.key=true", "ignore.error=true"], "v", "<null>|v|"),
            (&["parse.key=true", headers], "h1:a,h2:b:c\tk\tv", "k|v| h1=a h2=b:c"),
            (&[headers], "h:,:\tv", "<null>|v| h= ="),
            (&[headers, "ignore.error=true"], "h,i:1,\tv", "<null>|v| h=<null> i=1"),
            (&[headers, "ignore.error=true"], "no headers", "<null>|no headers|"),
            (&[headers, "parse.key=true", "null.marker=N"], "N\tN\tN", "<null>|<null>|"),
            (&[headers, "null.marker=N"], "h:N\tv", "<null>|v| h=<null>"),
            (
                &[headers, "headers.delimiter=!", "headers.separator=&", "headers.key.separator=:"],
                "a:1&b:2!v",
                "<null>|v| a=1 b=2",
            ),
        ] {
            assert_eq!(read(properties, line).unwrap(), expected, "{properties:?} {line:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_line() {
        for (properties, expected) in [
            (&["parse.key=true"][..], "No key separator found on line number 7"),
            (&["parse.headers=true"], "No headers delimiter found on line number 7"),
            (
                &["parse.headers=true", "headers.delimiter=t"],
                "No header key separator found in a pair on line number 7",
            ),
            (&["headers.separator=:"], "headers.separator and headers.key.separator may not be equal"),
            (&["null.marker=,"], "null.marker and headers.separator may not be equal"),
        ] {
            assert_eq!(read(properties, "secret").unwrap_err(), expected, "{properties:?}");
        }
        assert!(format(&["parse.kei=true"]).err().unwrap().contains("\"parse.kei\" is not known here"));
    }
}
