//! `validate` against what Apache Kafka 4.3.1 answered to the same requests.
//!
//! The answers were recorded by `testdata/produce_answers.py` from a running broker; every difference is named in
//! [`is_accepted_difference`].

use crate::model::{CompressionType, TimestampMs, TimestampType};
use crate::record::batches::Batch;
use crate::record::builder::Codec;
use crate::record::header::Header;
use crate::record::validate::{Rules, validate};

const ANSWERS: &str = include_str!("../testdata/produce_answers.txt");

struct Answer {
    name: &'static str,
    topic: &'static str,
    version: i16,
    now: TimestampMs,
    code: Option<i16>,
    record_errors: Vec<i32>,
    /// Attributes, base timestamp, max timestamp and number of records of the batch as Kafka stored it.
    stored: Option<Vec<i64>>,
    bytes: Vec<u8>,
}

fn numbers<T: std::str::FromStr>(text: &str) -> Vec<T> {
    text.split(',').filter_map(|n| n.parse().ok()).collect()
}

fn answers() -> impl Iterator<Item = Answer> {
    ANSWERS.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let f: Vec<&'static str> = line.split(' ').collect();
        let hex = if matches!(f[7], "null" | "empty") { "" } else { f[7] };
        Answer {
            name: f[0],
            topic: f[1],
            version: f[2].parse().unwrap(),
            now: TimestampMs(f[3].parse().unwrap()),
            code: f[4].parse().ok(),
            record_errors: if f[5] == "-" { vec![] } else { numbers(f[5]) },
            stored: (f[6] != "-").then(|| numbers(f[6])),
            bytes: (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect(),
        }
    })
}

/// The topics that the script creates.
fn rules(topic: &str, deep: bool) -> Rules {
    let mut rules = Rules { deep, ..Rules::default() };
    if topic.starts_with("small") {
        rules.max_message_bytes = 200;
    }
    rules.compacted = topic.starts_with("compact");
    let codec = topic.rsplit_once("to-").or(topic.rsplit_once("small-")).map(|(_, name)| name);
    let kind = |name| (0..5).find_map(|id| CompressionType::from_id(id).filter(|kind| kind.name() == name)).unwrap();
    rules.codec = codec.map(|name| Codec { kind: kind(name), level: None });
    if topic == "append" {
        rules.timestamp_type = TimestampType::LogAppendTime;
    }
    if topic == "bounded" {
        rules.timestamp_before_max_ms = 3_600_000;
    }
    rules
}

fn ask(answer: &Answer, deep: bool) -> (i16, Vec<i32>, Option<Vec<i64>>) {
    let rules = rules(answer.topic, deep);
    match validate(&rules, answer.version, answer.now, &answer.bytes) {
        Ok(accepted) => {
            let mut stored = accepted.bytes().to_vec();
            accepted.stamp(&mut stored);
            let batch = Batch::first(&stored).unwrap();
            assert!(batch.is_intact(), "{}", answer.name);
            let h = batch.header;
            assert_eq!(Header { crc: 0, ..h }, Header { crc: 0, ..accepted.header }, "{}", answer.name);
            let stored = vec![i64::from(h.attributes), h.base_timestamp, h.max_timestamp, h.records_count.into()];
            (0, vec![], Some(stored))
        }
        Err(refused) => {
            assert!(!refused.message.is_empty());
            (refused.error.code(), refused.record_errors.iter().map(|e| e.batch_index).collect(), None)
        }
    }
}

/// Where our answer differs from Kafka's, on purpose.
fn is_accepted_difference(answer: &Answer, ours: i16) -> bool {
    let name = answer.name;
    match (answer.code, ours) {
        // Kafka never answers a null records field: an exception escapes it. We take it for an empty one.
        (None, 87) => name == "null",
        // The transactional id is the request's matter, not the batch's.
        (Some(53), 0) => name == "transactional-without-id",
        // Kafka's sum of length and overhead overflows; to us such a batch is cut, as every other one.
        (Some(-1), 87) if name == "length-2147483647" => true,
        // An exception that is not one of the protocol's, for a record that is invalid like its neighbours.
        (Some(-1), 87) => name == "inside-size-overlong",
        // Kafka cannot renumber what it did not unpack fully, or trips over its own builder.
        (Some(-1), 0) => name.starts_with("inside-delta") || name.starts_with("producer-") || name == "time-minus-5",
        // Kafka skips over compressed records without adding up their lengths; its consumers then fail on them.
        (Some(0), 87) => matches!(name, "inside-size-too-small-gzip" | "inside-size-too-large-gzip"),
        // Java's gzip stream ignores what follows it, its zstd stream takes nothing for an end.
        (Some(0), -1) => name == "inside-stream-trailing-gzip",
        (Some(87), -1) => name == "inside-empty-zstd",
        _ => false,
    }
}

#[test]
fn answers_are_kafkas() {
    let mut wrong = Vec::new();
    for mut answer in answers() {
        let (code, record_errors, mut stored) = ask(&answer, true);
        if answer.topic == "append" {
            // The script's clock and the broker's are not read at the same moment.
            for stored in [&mut stored, &mut answer.stored].into_iter().flatten() {
                stored[2] = 0;
            }
        }
        let same = (Some(code), &record_errors, &stored) == (answer.code, &answer.record_errors, &answer.stored);
        if !same && !is_accepted_difference(&answer, code) {
            wrong.push(format!(
                "{} {}: Kafka {:?} {:?} {:?}, ours {code} {record_errors:?} {stored:?}",
                answer.name, answer.topic, answer.code, answer.record_errors, answer.stored
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What only a look at every record finds.
const INSIDE: [&str; 4] = ["inside-", "time-max-hides", "three-counted-two", "delta-and-count-2"];

#[test]
fn the_shallow_path_differs_only_inside() {
    for answer in answers() {
        let (shallow, deep) = (ask(&answer, false), ask(&answer, true));
        if shallow != deep {
            assert_eq!(shallow.0, 0, "{}", answer.name);
            assert!(INSIDE.iter().any(|inside| answer.name.starts_with(inside)), "{}", answer.name);
            assert!(!answer.topic.starts_with("compact") && answer.topic != "bounded", "{}", answer.topic);
        }
    }
}
