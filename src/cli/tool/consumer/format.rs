//! How a record is written (`DefaultMessageFormatter`): the columns that `--formatter-property` asks for, as the bytes that they
//! are.

use crate::cli::args::Given;
use crate::cli::tool::options::{is_true, properties, text};
use crate::model::TimestampType;
use crate::record::records::Record;

const KNOWN: [&str; 15] = [
    "print.timestamp",
    "print.partition",
    "print.offset",
    "print.delivery",
    "print.epoch",
    "print.headers",
    "print.key",
    "print.value",
    "key.separator",
    "line.separator",
    "headers.separator",
    "null.literal",
    "key.deserializer",
    "value.deserializer",
    "headers.deserializer",
];
/// It shows bytes as they are, as long as they are text.
const OF_TEXT: &str = "org.apache.kafka.common.serialization.StringDeserializer";

/// A record with what its batch and its log say of it.
pub(super) struct Shown<'r> {
    pub(super) record: &'r Record<'r>,
    pub(super) offset: i64,
    pub(super) kind: TimestampType,
    pub(super) timestamp: i64,
}

pub(super) struct Format {
    timestamp: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key: bool,
    value: bool,
    key_separator: String,
    line_separator: String,
    headers_separator: String,
    null: String,
}

impl Format {
    pub(super) fn of(given: &Given) -> Result<Format, String> {
        let properties = properties(given, "formatter-property", &KNOWN)?;
        let deserializers = properties.iter().filter(|(key, _)| key.ends_with(".deserializer"));
        if let Some((key, class)) = deserializers.into_iter().find(|(_, class)| *class != OF_TEXT) {
            return Err(format!("{key}={class}: here is {OF_TEXT} only"));
        }
        let prints = |key: &str| is_true(&properties, key);
        Ok(Format {
            timestamp: prints("print.timestamp"),
            partition: prints("print.partition"),
            offset: prints("print.offset"),
            delivery: prints("print.delivery"),
            epoch: prints("print.epoch"),
            headers: prints("print.headers"),
            key: prints("print.key"),
            value: !properties.contains_key("print.value") || prints("print.value"),
            key_separator: text(&properties, "key.separator", "\t"),
            line_separator: text(&properties, "line.separator", "\n"),
            headers_separator: text(&properties, "headers.separator", ","),
            null: text(&properties, "null.literal", "null"),
        })
    }

    /// Writes a record behind others.
    pub(super) fn append(&self, out: &mut Vec<u8>, partition: i32, shown: &Shown<'_>) {
        let or_null = |bytes: Option<&[u8]>| bytes.unwrap_or(self.null.as_bytes()).to_vec();
        let kind = match shown.kind {
            TimestampType::CreateTime => "CreateTime",
            TimestampType::LogAppendTime => "LogAppendTime",
        };
        let columns = [
            self.timestamp.then(|| format!("{kind}:{}", shown.timestamp).into_bytes()),
            self.partition.then(|| format!("Partition:{partition}").into_bytes()),
            self.offset.then(|| format!("Offset:{}", shown.offset).into_bytes()),
            // Kafka's tool hands on neither to its formatter.
            self.delivery.then(|| b"Delivery:NOT_PRESENT".to_vec()),
            self.epoch.then(|| b"Epoch:NOT_PRESENT".to_vec()),
            self.headers.then(|| self.headers_of(shown.record)),
            self.key.then(|| or_null(shown.record.key)),
            self.value.then(|| or_null(shown.record.value)),
        ];
        let columns: Vec<Vec<u8>> = columns.into_iter().flatten().collect();
        if !columns.is_empty() {
            out.extend_from_slice(&columns.join(self.key_separator.as_bytes()));
            out.extend_from_slice(self.line_separator.as_bytes());
        }
    }

    fn headers_of(&self, record: &Record<'_>) -> Vec<u8> {
        let header = |(key, value): (&[u8], Option<&[u8]>)| [key, b":", value.unwrap_or(self.null.as_bytes())].concat();
        let headers: Vec<Vec<u8>> = record.headers.iter().map(header).collect();
        match headers.is_empty() {
            true => b"NO_HEADERS".to_vec(),
            false => headers.join(self.headers_separator.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::given_for_tests;
    use crate::model::TimestampMs;
    use crate::record::builder::{self, Builder, Options};

    type Pair<'p> = (&'p [u8], Option<&'p [u8]>);

    fn written(line: &str, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Pair<'_>]) -> String {
        let format = Format::of(&given_for_tests("console-consumer", line)).unwrap();
        let mut batch = Builder::new(Options::default());
        batch.append(&builder::Record { timestamp: TimestampMs(7), key, value, headers });
        let (mut out, mut next, mut left) = (Vec::new(), 0, 1);
        super::super::read(&batch.build(), &mut next, &mut left, |shown| format.append(&mut out, 3, &shown)).unwrap();
        assert_eq!((next, left), (1, 0));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_written_as_by_kafka() {
        let of = |line: &str| written(line, Some(b"k"), Some(b"v"), &[]);
        assert_eq!(of(""), "v\n");
        assert_eq!(of("--property print.key=true --property key.separator=:"), "k:v\n");
        assert_eq!(of("--formatter-property print.value=false"), "");
        assert_eq!(of("--formatter-property print.value=false --formatter-property print.offset=true"), "Offset:0\n");
        let all = "timestamp partition offset delivery epoch headers key".split(' ');
        let all: Vec<_> = all.map(|name| format!("--formatter-property print.{name}=true")).collect();
        let expected =
            "CreateTime:7\tPartition:3\tOffset:0\tDelivery:NOT_PRESENT\tEpoch:NOT_PRESENT\tNO_HEADERS\tk\tv\n";
        assert_eq!(of(&all.join(" ")), expected);
        let line = "--property print.headers=true --property print.key=true --property null.literal=- \
                    --property headers.separator=; --property line.separator=|";
        assert_eq!(written(line, None, None, &[(b"a", Some(b"1")), (b"b", None)]), "a:1;b:-\t-\t-|");
    }

    #[test]
    fn what_would_not_be_done_is_refused() {
        let refusal = |line: &str| Format::of(&given_for_tests("console-consumer", line)).err();
        assert_eq!(refusal(&format!("--property value.deserializer={OF_TEXT}")), None);
        assert!(refusal("--property value.deserializer=x.LongDeserializer").unwrap().contains("here is"));
        assert!(refusal("--property print.valu=false").unwrap().contains("print.value"));
    }
}
