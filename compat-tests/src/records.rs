//! Records as the tests compare them, and as client programs exchange them: one JSON object per line, bytes in base64.

use crate::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes or null; base64 or null in JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blob(pub Option<Vec<u8>>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Blob, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let decode = |text: String| STANDARD.decode(text).map_err(serde::de::Error::custom);
        Ok(Blob(text.map(decode).transpose()?))
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Header {
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "v")]
    pub value: Blob,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    #[serde(rename = "t")]
    pub timestamp: Option<i64>,
    #[serde(rename = "k")]
    pub key: Blob,
    #[serde(rename = "v")]
    pub value: Blob,
    #[serde(rename = "h")]
    pub headers: Vec<Header>,
}

pub fn to_lines(records: &[Record]) -> Vec<u8> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record).expect("records are JSON");
        lines.push(b'\n');
    }
    lines
}

pub fn from_lines(bytes: &[u8]) -> Result<Vec<Record>> {
    let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).context("a client printed what is no record")).collect()
}

/// Deterministic bytes: xorshift, seeded.
pub struct Bytes(u64);

impl Bytes {
    pub fn new(seed: u64) -> Bytes {
        Bytes(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn take(&mut self, size: usize) -> Vec<u8> {
        (0..size).map(|_| (self.draw() >> 32) as u8).collect()
    }
}

/// Timestamps of sample records start here (November 2023): old enough to differ from "now". The brokers of the tests keep them.
pub const FIRST_TIMESTAMP: i64 = 1_700_000_000_000;

/// Records of all shapes: with and without key, null and empty and binary values, 0 to 3 headers, explicit timestamps.
pub fn samples(seed: u64, count: usize) -> Vec<Record> {
    let mut random = Bytes::new(seed);
    (0..count).map(|i| sample(&mut random, i)).collect()
}

fn sample(random: &mut Bytes, i: usize) -> Record {
    let key = match i % 4 {
        0 => None,
        1 => Some(format!("key {i}").into_bytes()),
        2 => Some(random.take(1 + i % 37)),
        _ => Some(random.take(16)),
    };
    let value = match i % 7 {
        0 if key.is_some() => None,
        1 => Some(Vec::new()),
        2 => Some(format!("text with ünïcode 日本 {i}").into_bytes()),
        3 => Some(vec![b'a'; 3000]),
        _ => Some(random.take(i % 500)),
    };
    let header = |n: usize, random: &mut Bytes| {
        let value = if n == 1 { Vec::new() } else { random.take(1 + n * 5) };
        Header { name: format!("header-{n}"), value: Blob(Some(value)) }
    };
    let headers = (0..i % 4).map(|n| header(n, random)).collect();
    Record { timestamp: Some(FIRST_TIMESTAMP + i as i64 * 10), key: Blob(key), value: Blob(value), headers }
}

/// Says where two lists of records part, if they do.
pub fn difference(expected: &[Record], found: &[Record]) -> Option<String> {
    let at = expected.iter().zip(found).position(|(a, b)| a != b);
    match at {
        Some(i) => Some(format!("record {i}: expected {:?}, found {:?}", expected[i], found[i])),
        None if expected.len() != found.len() => {
            Some(format!("expected {} records, found {}", expected.len(), found.len()))
        }
        None => None,
    }
}
