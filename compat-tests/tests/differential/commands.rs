//! The commands of a script, except `produce`, which has a file of its own, and those of `small.rs`, `transactions.rs`,
//! `offsets.rs` and `walk.rs`.
//!
//! | command | what it does, what it shows |
//! | --- | --- |
//! | `topic NAME [partitions=N] [CONFIG=VALUE ...]` | creates it, with one partition if nothing else is said |
//! | `delete-topic NAME` | deletes it |
//! | `producer NAME` | asks for a producer id, which the script then calls so |
//! | `list TOPIC WHAT ...` | ListOffsets in all versions; WHAT is a time, or -1 to -6. First `epoch=N`, `isolation=1` |
//! | `batches TOPIC` | fetches everything: each batch, each record |
//! | `fetch TOPIC OFFSET ...` | the errors and the log's ends in the answers to such fetches |
//! | `segments TOPIC` | the base offsets of the segments on disk |
//! | `clean TOPIC [OFFSET]` | lets the cleaner work up to that offset (all but the active segment) and stops it |
//! | `await-start TOPIC OFFSET` | waits until the log begins there |
//! | `await-segments TOPIC N` | waits until so many segments are left |
//! | `delete-records TOPIC OFFSET ...` | DeleteRecords |
//! | `epochs TOPIC EPOCH ...` | OffsetForLeaderEpoch in all versions; `current=N` first |
//! | `alter RESOURCE OP ...` | IncrementalAlterConfigs: `set:k=v`, `delete:k`, `append:k=v`, `subtract:k=v` |
//! | `replace RESOURCE k=v ...` | AlterConfigs |
//! | `describe RESOURCE KEY ...` | DescribeConfigs with sources and synonyms |
//!
//! A resource is a topic, `broker/1`, or `broker/` for all brokers' default.

use crate::produce::number;
use crate::session::{Session, show_bytes, show_error};
use compat_tests::batch::{Incoming, Record};
use compat_tests::broker::Peer;
use compat_tests::raw::{self, text};
use compat_tests::{Context, Result, bail};
use kafka_protocol::messages::alter_configs_request as replace;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::incremental_alter_configs_request as incremental;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{
    AlterConfigsRequest, BrokerId, CreateTopicsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    InitProducerIdRequest, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest, ProducerId,
};
use kafka_protocol::protocol::{Decodable, StrBytes};
use std::fs;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const UNKNOWN_OPERATION: i8 = 9;
const LIST_OFFSETS: i16 = 2;
/// The newest version of ListOffsets; the crate knows one less, which has the same fields.
const NEWEST_LIST_OFFSETS: i16 = 11;
/// The times that a partition waits for its leader.
const PASSING: &[i16] = &[3, 5, 6];

impl Session {
    pub fn command(&mut self, command: &str) -> Result<()> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let (verb, subject, rest) = match &words[..] {
            [verb, subject, rest @ ..] => (*verb, *subject, rest),
            _ => bail!("a command has two words"),
        };
        match verb {
            "topic" => self.topic(subject, rest),
            "delete-topic" => self.raw.delete_topic(subject),
            "producer" => self.producer(subject),
            "produce" => self.produce(subject, rest),
            "list" => self.list(subject, rest),
            "batches" => self.batches(subject),
            "fetch" => rest.iter().try_for_each(|offset| self.fetch_once(subject, number(offset)?)),
            "segments" => self.segments(subject),
            "clean" => self.clean(subject, rest.first().map(|offset| number(offset)).transpose()?),
            "await-start" => self.await_start(subject, number(rest.first().context("no offset")?)?),
            "await-segments" => self.await_segments(subject, number(rest.first().context("no number")?)?),
            "delete-records" => rest.iter().try_for_each(|offset| self.delete_records(subject, number(offset)?)),
            "epochs" => self.epochs(subject, rest),
            "alter" => self.alter(subject, rest),
            "replace" => self.replace(subject, rest),
            "describe" => self.describe(subject, rest),
            "cell" => self.cell(subject, rest),
            other => {
                let mut done = self.small(other, subject, rest);
                done = done.or_else(|| self.transaction(other, subject, rest));
                done = done.or_else(|| self.group(other, subject, rest));
                done.unwrap_or_else(|| bail!("no such command: {other}"))
            }
        }
    }

    fn topic(&mut self, name: &str, configs: &[&str]) -> Result<()> {
        let partitions = configs.iter().find_map(|word| word.strip_prefix("partitions="));
        let partitions = partitions.map_or(Ok(1), number)?;
        let configs = configs.iter().filter(|word| !word.starts_with("partitions="));
        let config = |word: &&str| {
            let (key, value) = word.split_once('=').context("no value")?;
            Ok(CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value))))
        };
        let topic = CreatableTopic::default()
            .with_name(raw::topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.map(config).collect::<Result<Vec<_>>>()?);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
        let response = self.raw.call(&request, 5)?;
        let found = response.topics.first().context("no topic in the answer")?;
        let (error, message) = (found.error_code, found.error_message.as_ref().map(|text| text.to_string()));
        self.say(with_message(error, message));
        if error != 0 {
            return Ok(());
        }
        self.until("a leader", |session| {
            for index in 0..partitions {
                if PASSING.contains(&session.raw.offset(name, index, -1)?.0) {
                    return Ok(None);
                }
            }
            Ok(session.raw.topic_id(name).is_ok().then_some(()))
        })
    }

    fn producer(&mut self, name: &str) -> Result<()> {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let response = self.until("a producer id", |session| {
            let response = session.raw.call(&request, 4)?;
            Ok((response.error_code == 0).then_some(response))
        })?;
        self.producers.insert(name.into(), response.producer_id.0);
        self.say(format!("epoch {}", response.producer_epoch));
        Ok(())
    }

    /// Each question in all versions; versions with the same answer share a line.
    fn list(&mut self, topic: &str, words: &[&str]) -> Result<()> {
        let (mut epoch, mut isolation) = (-1, 0);
        for word in words {
            match word.split_once('=') {
                Some(("epoch", value)) => epoch = number(value)?,
                Some(("isolation", value)) => isolation = number(value)?,
                _ => self.list_in_all_versions(topic, word, epoch, isolation)?,
            }
        }
        Ok(())
    }

    fn list_in_all_versions(&mut self, topic: &str, word: &str, epoch: i32, isolation: i8) -> Result<()> {
        let timestamp = if word.starts_with('@') { self.time(word)? } else { number(word)? };
        let mut answers: Vec<(i16, i16, String)> = Vec::new();
        for version in 1..=NEWEST_LIST_OFFSETS {
            // A field that a version does not have cannot be asked for in it.
            let epoch = if version < 4 { -1 } else { epoch };
            let isolation = if version < 2 { 0 } else { isolation };
            let found = self.ask_offset(topic, version, timestamp, epoch, isolation)?;
            let answer = match found.error_code {
                0 => {
                    let time = self.show_time(found.timestamp);
                    // Answers before version 4 have no epoch.
                    let epoch = if version < 4 { String::new() } else { format!(" epoch {}", found.leader_epoch) };
                    format!("offset {} time {time}{epoch}", found.offset)
                }
                error => format!("{} offset {} time {}", show_error(error), found.offset, found.timestamp),
            };
            match answers.last_mut().filter(|(_, _, last)| *last == answer) {
                Some((_, to, _)) => *to = version,
                None => answers.push((version, version, answer)),
            }
        }
        for (from, to, answer) in answers {
            self.say(format!("{word} v{from}-{to}: {answer}"));
        }
        Ok(())
    }

    fn ask_offset(
        &mut self,
        topic: &str,
        version: i16,
        timestamp: i64,
        epoch: i32,
        isolation: i8,
    ) -> Result<ListOffsetsPartitionResponse> {
        let asked = ListOffsetsPartition::default()
            .with_partition_index(0)
            .with_current_leader_epoch(epoch)
            .with_timestamp(timestamp);
        let named = ListOffsetsTopic::default().with_name(raw::topic_name(topic)).with_partitions(vec![asked]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_isolation_level(isolation)
            .with_topics(vec![named]);
        let known = version.min(NEWEST_LIST_OFFSETS - 1);
        let body = raw::body(&request, known)?;
        let id = self.raw.next_correlation_id();
        let header = if version >= 6 { 2 } else { 1 };
        self.raw.send_frame(&raw::frame(LIST_OFFSETS, version, id, header, &body));
        let frame = self.raw.frame()?;
        let mut body = bytes::Bytes::from(frame).split_off(if version >= 6 { 5 } else { 4 });
        let response = ListOffsetsResponse::decode(&mut body, known)?;
        let topic = response.topics.into_iter().next().context("no topic in the answer")?;
        topic.partitions.into_iter().next().context("no partition in the answer")
    }

    fn batches(&mut self, topic: &str) -> Result<()> {
        let start = self.raw.offset(topic, 0, -2)?.1;
        let end = self.raw.end_offset(topic, 0)?;
        self.say(format!("from {start} to {end}"));
        let mut next = start;
        while next < end {
            let found = self.raw.fetch(topic, next)?;
            if found.error_code != 0 {
                self.say(format!("at {next}: {}", show_error(found.error_code)));
                return Ok(());
            }
            let mut bytes = found.records.unwrap_or_default();
            let before = next;
            while let Some(batch) = Incoming::take(&mut bytes)? {
                next = batch.last_offset + 1;
                self.show_batch(&batch);
            }
            if next == before {
                self.say(format!("nothing at {next}"));
                return Ok(());
            }
        }
        Ok(())
    }

    fn show_batch(&mut self, batch: &Incoming) {
        let mut line = format!("batch {}-{} {}", batch.base_offset, batch.last_offset, batch.kind());
        line += &format!(" base {} max {}", self.show_time(batch.base_timestamp), self.show_time(batch.max_timestamp));
        line += &format!(" leader epoch {}", batch.leader_epoch);
        if batch.producer_id != -1 {
            let producer = self.show_producer(batch.producer_id);
            line += &format!(" producer {producer} epoch {} seq {}", batch.producer_epoch, batch.base_sequence);
        }
        if !batch.is_compressed() {
            line += &format!(" {} bytes", batch.size_bytes);
        }
        self.say(line);
        for (offset, record) in &batch.records {
            let line = format!("  {offset} {}", self.show_record(record));
            self.say(line);
        }
    }

    fn show_record(&self, record: &Record) -> String {
        let (key, value) = (show_bytes(record.key.as_deref()), show_bytes(record.value.as_deref()));
        let mut line = format!("{key}:{value} {}", self.show_time(record.timestamp));
        for (name, value) in &record.headers {
            line += &format!(" {name}={}", show_bytes(value.as_deref()));
        }
        line
    }

    fn fetch_once(&mut self, topic: &str, offset: i64) -> Result<()> {
        let found = self.raw.fetch(topic, offset)?;
        let (start, end, stable) = (found.log_start_offset, found.high_watermark, found.last_stable_offset);
        let mut bytes = found.records.unwrap_or_default();
        let first = Incoming::take(&mut bytes)?.map_or("nothing".into(), |batch| batch.base_offset.to_string());
        let error = show_error(found.error_code);
        self.say(format!("{offset}: {error}, log from {start} to {end}, stable to {stable}, first batch {first}"));
        Ok(())
    }

    /// Base offsets of the partition's segments, in order.
    fn base_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.place.data.join(format!("{topic}-0")))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(base) = name.strip_suffix(".log") {
                found.push(number(base)?);
            }
        }
        found.sort();
        Ok(found)
    }

    fn segments(&mut self, topic: &str) -> Result<()> {
        let found = self.base_offsets(topic)?;
        self.say(format!("{found:?}"));
        Ok(())
    }

    fn await_segments(&mut self, topic: &str, count: usize) -> Result<()> {
        self.until(&format!("{count} segments"), |session| {
            Ok((session.base_offsets(topic)?.len() == count).then_some(()))
        })?;
        self.segments(topic)
    }

    fn await_start(&mut self, topic: &str, offset: i64) -> Result<()> {
        self.until(&format!("a log that begins at {offset}"), |session| {
            Ok((session.raw.offset(topic, 0, -2)?.1 == offset).then_some(()))
        })
    }

    /// The cleaner takes a log of these scripts only while its ratio is 0: so each round sees all that was produced.
    fn clean(&mut self, topic: &str, to: Option<i64>) -> Result<()> {
        let to = match to {
            Some(to) => to,
            None => *self.base_offsets(topic)?.last().context("no segment")?,
        };
        self.alter_quietly(topic, "min.cleanable.dirty.ratio", "0.0")?;
        let name = format!("{topic} 0 {to}");
        self.until(&format!("cleaned to {to}"), |session| {
            let checkpoint = fs::read_to_string(session.place.data.join("cleaner-offset-checkpoint"));
            Ok(checkpoint.unwrap_or_default().lines().any(|line| line == name).then_some(()))
        })?;
        self.alter_quietly(topic, "min.cleanable.dirty.ratio", "1.0")
    }

    fn alter_quietly(&mut self, topic: &str, key: &str, value: &str) -> Result<()> {
        self.alter(topic, &[&format!("set:{key}={value}")])?;
        if self.lines.pop().is_none_or(|line| line != "ok") {
            bail!("{key} cannot be set");
        }
        Ok(())
    }

    fn delete_records(&mut self, topic: &str, offset: i64) -> Result<()> {
        for version in 0..=2 {
            let (error, low_watermark) = self.raw.delete_records(topic, offset, version)?;
            self.say(format!("{offset} v{version}: {} low watermark {low_watermark}", show_error(error)));
        }
        Ok(())
    }

    fn epochs(&mut self, topic: &str, words: &[&str]) -> Result<()> {
        let mut current = -1;
        for word in words {
            if let Some(value) = word.strip_prefix("current=") {
                current = number(value)?;
                continue;
            }
            let asked = OffsetForLeaderPartition::default()
                .with_partition(0)
                .with_current_leader_epoch(current)
                .with_leader_epoch(number(word)?);
            let named = OffsetForLeaderTopic::default().with_topic(raw::topic_name(topic)).with_partitions(vec![asked]);
            for version in 2..=4 {
                let replica_id = if version < 3 { -2 } else { -1 };
                let request = OffsetForLeaderEpochRequest::default()
                    .with_replica_id(BrokerId(replica_id))
                    .with_topics(vec![named.clone()]);
                let response = self.raw.call(&request, version)?;
                let found = response.topics.first().and_then(|topic| topic.partitions.first()).context("no answer")?;
                let error = show_error(found.error_code);
                let line =
                    format!("{word} v{version}: {error} epoch {} ends at {}", found.leader_epoch, found.end_offset);
                self.say(line);
            }
        }
        Ok(())
    }

    fn alter(&mut self, resource: &str, words: &[&str]) -> Result<()> {
        let (error, message) = self.alter_once(resource, words)?;
        self.say(with_message(error, message));
        if error == 0 { self.settle() } else { Ok(()) }
    }

    fn alter_once(&mut self, resource: &str, words: &[&str]) -> Result<(i16, Option<String>)> {
        let (resource_type, resource_name) = resource_of(resource);
        let config = |word: &&str| {
            let (operation, rest) = word.split_once(':').context("no operation")?;
            let operation = ["set", "delete", "append", "subtract"].iter().position(|known| *known == operation);
            let (key, value) = rest.split_once('=').map_or((rest, None), |(key, value)| (key, Some(text(value))));
            Ok(incremental::AlterableConfig::default()
                .with_name(text(key))
                .with_config_operation(operation.map_or(UNKNOWN_OPERATION, |at| at as i8))
                .with_value(value))
        };
        let resource = incremental::AlterConfigsResource::default()
            .with_resource_type(resource_type)
            .with_resource_name(resource_name)
            .with_configs(words.iter().map(config).collect::<Result<Vec<_>>>()?);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let response = self.raw.call(&request, 1)?;
        let found = response.responses.into_iter().next().context("no answer")?;
        Ok((found.error_code, found.error_message.map(|text| text.to_string())))
    }

    /// Apache Kafka answers a change before it obeys it. Changes are obeyed in their order, each with its image of the
    /// metadata: once a later change can be seen, an earlier one is in force. Klamm's is when it answers.
    fn settle(&mut self) -> Result<()> {
        if self.place.peer == Peer::Klamm {
            return Ok(());
        }
        let (topic, mut count) = self.sentinel.clone();
        if count == 0 {
            self.raw.try_create_topic(&topic, 1, &[])?;
        }
        // The first is seen while the change before may still be carried out, the second is not.
        for _ in 0..2 {
            count += 1;
            let change = format!("set:flush.ms={count}");
            self.until("a change that can be seen", |session| {
                session.alter_once(&topic, &[&change])?;
                let seen = session.describe_once(&topic, Some(vec![text("flush.ms")]))?;
                let value = seen.configs.first().and_then(|config| config.value.clone());
                Ok((value == Some(text(&count.to_string()))).then_some(()))
            })?;
        }
        self.sentinel = (topic, count);
        Ok(())
    }

    fn replace(&mut self, resource: &str, words: &[&str]) -> Result<()> {
        let (resource_type, resource_name) = resource_of(resource);
        let config = |word: &&str| {
            let (key, value) = word.split_once('=').map_or((*word, None), |(key, value)| (key, Some(text(value))));
            replace::AlterableConfig::default().with_name(text(key)).with_value(value)
        };
        let resource = replace::AlterConfigsResource::default()
            .with_resource_type(resource_type)
            .with_resource_name(resource_name)
            .with_configs(words.iter().map(config).collect());
        let request = AlterConfigsRequest::default().with_resources(vec![resource]);
        let response = self.raw.call(&request, 2)?;
        let found = response.responses.first().context("no answer")?;
        let (error, message) = (found.error_code, found.error_message.as_ref().map(|text| text.to_string()));
        self.say(with_message(error, message));
        if error == 0 { self.settle() } else { Ok(()) }
    }

    fn describe_once(&mut self, resource: &str, keys: Option<Vec<StrBytes>>) -> Result<DescribeConfigsResult> {
        let (resource_type, resource_name) = resource_of(resource);
        let resource = DescribeConfigsResource::default()
            .with_resource_type(resource_type)
            .with_resource_name(resource_name)
            .with_configuration_keys(keys);
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
        self.raw.call(&request, 4)?.results.into_iter().next().context("no answer")
    }

    fn describe(&mut self, resource: &str, keys: &[&str]) -> Result<()> {
        let found = self.describe_once(resource, Some(keys.iter().map(|key| text(key)).collect()))?;
        let shown = |value: Option<StrBytes>| value.map_or("null".into(), |value| value.to_string());
        self.say(with_message(found.error_code, found.error_message.map(|text| text.to_string())));
        let mut configs = found.configs;
        configs.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
        for config in configs {
            let synonym = |synonym: kafka_protocol::messages::describe_configs_response::DescribeConfigsSynonym| {
                format!("{}={} ({})", synonym.name.as_str(), shown(synonym.value), synonym.source)
            };
            let synonyms: Vec<String> = config.synonyms.into_iter().map(synonym).collect();
            let flag = if config.read_only { " read-only" } else { "" };
            let line = format!(
                "{}={} ({}){flag} {}",
                config.name.as_str(),
                shown(config.value),
                config.config_source,
                synonyms.join(", ")
            );
            self.say(line.trim_end());
        }
        Ok(())
    }
}

fn resource_of(resource: &str) -> (i8, StrBytes) {
    match resource.strip_prefix("broker/") {
        Some(id) => (BROKER, text(id)),
        None => (TOPIC, text(resource)),
    }
}

fn with_message(error: i16, message: Option<String>) -> String {
    let message = message.filter(|text| !text.is_empty()).map_or(String::new(), |text| format!(" \"{text}\""));
    format!("{}{message}", show_error(error))
}
