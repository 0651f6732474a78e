//! The command `produce`: one request to one partition, with everything that can be wrong about it.
//!
//! `produce TOPIC [NAME=VALUE ...] RECORD ... [| [NAME=VALUE ...] RECORD ...]`, where a bar begins another batch. Names
//! before the first record that concern the request: `v` (version), `acks`, `id=wrong` (topic id), `partition`, `records=none`
//! or `empty`, `tail` (bytes behind the batches), `cut` (bytes that are missing). Names that concern a batch are those of
//! [`Outgoing`]. A record is `key:value[@time][;header=value ...]`; `-` is null, `a*1000` a thousand letters, nothing an
//! empty text.

use crate::session::{Session, show_error};
use bytes::Bytes;
use compat_tests::batch::{CODECS, Outgoing, Record};
use compat_tests::raw;
use compat_tests::{Context, Result, bail};
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use std::str::FromStr;

struct Asked {
    version: i16,
    acks: i16,
    partition: i32,
    wrong_id: bool,
    records: Option<&'static [u8]>,
    no_records: bool,
    tail: usize,
    cut: usize,
    repeat: usize,
}

impl Session {
    pub fn produce(&mut self, topic: &str, words: &[&str]) -> Result<()> {
        let mut asked = Asked {
            version: 9,
            acks: -1,
            partition: 0,
            wrong_id: false,
            records: None,
            no_records: false,
            tail: 0,
            cut: 0,
            repeat: 1,
        };
        let mut bytes = Vec::new();
        for part in words.split(|word| *word == "|") {
            let batch = self.batch(&mut asked, part)?;
            bytes.extend(batch.encode()?);
        }
        bytes.truncate(bytes.len() - asked.cut);
        bytes.extend(std::iter::repeat_n(7, asked.tail));
        let bytes = asked.records.map_or(bytes, <[u8]>::to_vec);
        for _ in 0..asked.repeat {
            self.send(topic, &asked, bytes.clone())?;
        }
        Ok(())
    }

    fn send(&mut self, topic: &str, asked: &Asked, bytes: Vec<u8>) -> Result<()> {
        let records = (!asked.no_records).then(|| Bytes::from(bytes));
        let data = PartitionProduceData::default().with_index(asked.partition).with_records(records);
        let mut named = TopicProduceData::default().with_partition_data(vec![data]);
        if asked.version >= 13 {
            let mut id = self.raw.topic_id(topic)?;
            id[3] ^= u8::from(asked.wrong_id);
            named = named.with_topic_id(uuid::Uuid::from_bytes(id));
        } else {
            named = named.with_name(raw::topic_name(topic));
        }
        let request =
            ProduceRequest::default().with_acks(asked.acks).with_timeout_ms(30_000).with_topic_data(vec![named]);
        let line = match self.raw.call(&request, asked.version) {
            Ok(response) => {
                let topic = response.responses.into_iter().next().context("no topic in the answer")?;
                let found = topic.partition_responses.into_iter().next().context("no partition in the answer")?;
                self.show_produced(&found)
            }
            Err(_) => {
                self.reconnect()?;
                "the connection was closed".into()
            }
        };
        self.say(line);
        Ok(())
    }

    pub fn show_produced(&self, found: &PartitionProduceResponse) -> String {
        let mut line = show_error(found.error_code);
        if found.error_code == 0 {
            line += &format!(" offset {} start {}", found.base_offset, found.log_start_offset);
        } else if (found.base_offset, found.log_start_offset) != (-1, -1) {
            line += &format!(" though offset {} start {}", found.base_offset, found.log_start_offset);
        }
        if found.log_append_time_ms != -1 {
            line += &format!(" append time {}", self.show_time(found.log_append_time_ms));
        }
        for error in &found.record_errors {
            let message = error.batch_index_error_message.as_ref().map(|text| text.as_str());
            line += &format!(" [{} \"{}\"]", error.batch_index, self.without_numbers(message.unwrap_or("null")));
        }
        if let Some(message) = &found.error_message {
            line += &format!(" \"{}\"", self.without_numbers(message));
        }
        line
    }

    /// A message without the long numbers in it, which are times and ids.
    pub fn without_numbers(&self, message: &str) -> String {
        let mut shown = String::new();
        let mut digits = String::new();
        for letter in message.chars().chain(['\0']) {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            let number = digits.parse::<i64>().ok();
            let known = number.filter(|id| self.producers.values().any(|known| known == id));
            shown += &match known {
                Some(id) => self.show_producer(id),
                None if digits.len() > 12 => "#".into(),
                None => digits.clone(),
            };
            digits.clear();
            shown.push(letter);
        }
        shown.pop();
        shown
    }

    fn batch(&self, asked: &mut Asked, words: &[&str]) -> Result<Outgoing> {
        let mut batch = Outgoing::default();
        for word in words {
            match word.split_once('=').filter(|(name, _)| name.chars().all(|c| c.is_ascii_alphabetic() || c == '-')) {
                Some((name, value)) => self.set(asked, &mut batch, name, value)?,
                None => batch.records.push(self.record(word)?),
            }
        }
        Ok(batch)
    }

    fn set(&self, asked: &mut Asked, batch: &mut Outgoing, name: &str, value: &str) -> Result<()> {
        match name {
            "v" => asked.version = number(value)?,
            "acks" => asked.acks = number(value)?,
            "partition" => asked.partition = number(value)?,
            "id" => asked.wrong_id = value == "wrong",
            "records" if value == "none" => asked.no_records = true,
            "records" => asked.records = Some(&[]),
            "tail" => asked.tail = number(value)?,
            "cut" => asked.cut = number(value)?,
            "repeat" => asked.repeat = number(value)?,
            "codec" => match CODECS.iter().position(|codec| *codec == value) {
                Some(codec) => batch.codec = codec as i16,
                None => batch.codec = number(value)?,
            },
            "attributes" => batch.attributes = number(value)?,
            "pid" => batch.producer_id = self.producers.get(value).map_or_else(|| number(value), |id| Ok(*id))?,
            "epoch" => batch.producer_epoch = number(value)?,
            "seq" => batch.base_sequence = number(value)?,
            "magic" => batch.magic = number(value)?,
            "base" => batch.base_offset = number(value)?,
            "crc" => batch.crc_error = number(value)?,
            "length" => batch.length_error = number(value)?,
            "count" => batch.count = Some(number(value)?),
            "last" => batch.last_offset_delta = Some(number(value)?),
            "max" => batch.max_timestamp = Some(if value == "-1" { -1 } else { self.time(value)? }),
            "payload" => batch.payload = Some(value.as_bytes().to_vec()),
            // So many records in one word: `n=100`.
            "n" => {
                let filled = |n| self.record(&format!("k{n}:v{n}"));
                batch.records.extend((0..number::<usize>(value)?).map(filled).collect::<Result<Vec<_>>>()?);
            }
            other => bail!("no such name: {other}"),
        }
        Ok(())
    }

    fn record(&self, word: &str) -> Result<Record> {
        let (word, headers) = word.split_once(';').unwrap_or((word, ""));
        let (key, rest) = word.split_once(':').with_context(|| format!("no record: {word}"))?;
        let (value, time) = rest.split_once('@').map_or((rest, "@0".into()), |(value, t)| (value, format!("@{t}")));
        let timestamp = if time == "@none" { -1 } else { self.time(&time)? };
        let mut named = Vec::new();
        for header in headers.split(';').filter(|header| !header.is_empty()) {
            let (name, value) = header.split_once('=').context("a header without a value")?;
            named.push((name.to_string(), bytes_of(value)?));
        }
        Ok(Record { timestamp, key: bytes_of(key)?, value: bytes_of(value)?, headers: named })
    }
}

fn bytes_of(word: &str) -> Result<Option<Vec<u8>>> {
    Ok(match word.split_once('*') {
        _ if word == "-" => None,
        Some((letter, count)) => Some(letter.repeat(number(count)?).into_bytes()),
        None => Some(word.as_bytes().to_vec()),
    })
}

pub fn number<T: FromStr>(word: &str) -> Result<T> {
    word.parse().ok().with_context(|| format!("no number: {word}"))
}
