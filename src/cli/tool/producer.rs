//! `kafka-console-producer` (`ConsoleProducer`, `LineMessageReader`): each line of standard input is a record.

use std::io::{self, BufRead, BufReader};
use std::time::Duration;

use super::{TIMEOUT_MS, connect, metadata};
use crate::cli::args::Given;
use crate::cli::client::{Client, check};
use crate::io::clock;
use crate::io::threads;
use crate::model::ApiKey;
use crate::model::java_hash::partition_of_key;
use crate::record::builder::{Builder, Options, Record};
use crate::wire::api::produce;

/// What goes into one request, as long as more lines are at hand.
const BATCH_BYTES: usize = 64 * 1024;
/// A longer line is none.
const MOST_LINE_BYTES: usize = 64 << 20;
/// Later versions name topics by their ids.
const BY_NAME: i16 = 12;
/// A new topic needs a moment before it has leaders.
const TRIES: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// How lines are read and sent.
struct Settings {
    topic: String,
    /// What stands between key and value; `None`: there are no keys.
    separator: Option<String>,
    acks: i16,
}

pub(super) fn run(given: &Given) -> Result<(), String> {
    let settings = settings(given)?;
    let mut client = connect(given)?;
    let count = partitions(&mut client, &settings.topic)?;
    let mut batches: Vec<Builder> = (0..count).map(|_| Builder::new(Options::default())).collect();
    let mut input = BufReader::new(io::stdin().lock());
    let (mut line, mut next, mut pending_bytes) = (Vec::new(), 0, 0);
    while read_line(&mut input, &mut line)? {
        let (key, value) = split(&line, settings.separator.as_deref())?;
        let partition = key.map_or(next, |key| of_key(key, count));
        batches[partition].append(&Record { timestamp: clock::wall(), key, value: Some(value), headers: &[] });
        pending_bytes += line.len();
        if pending_bytes >= BATCH_BYTES || input.buffer().is_empty() {
            send(&mut client, &settings, &mut batches)?;
            pending_bytes = 0;
            next = (next + 1) % count;
        }
    }
    send(&mut client, &settings, &mut batches)
}

fn settings(given: &Given) -> Result<Settings, String> {
    let properties = given.texts("property")?.into_iter().chain(given.texts("reader-property")?);
    let (mut has_key, mut separator) = (false, "\t".to_string());
    for property in properties {
        match property.split_once('=') {
            Some(("parse.key", value)) => has_key = value.trim().eq_ignore_ascii_case("true"),
            Some(("key.separator", value)) => separator = value.to_string(),
            _ => {}
        }
    }
    let acks = match given.text("request-required-acks")?.as_deref() {
        None | Some("all" | "-1") => -1,
        Some("0") => 0,
        Some("1") => 1,
        Some(other) => return Err(format!("--request-required-acks is 0, 1, -1 or all, not {other:?}")),
    };
    let topic = given.text("topic")?.ok_or("Missing required argument \"[topic]\"")?;
    Ok(Settings { topic, separator: has_key.then_some(separator), acks })
}

/// The next line without its end; `false`: there is none.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, String> {
    line.clear();
    let read = io::Read::take(&mut *input, MOST_LINE_BYTES as u64 + 1).read_until(b'\n', line);
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

/// Key and value.
fn split<'l>(line: &'l [u8], separator: Option<&str>) -> Result<(Option<&'l [u8]>, &'l [u8]), String> {
    let Some(separator) = separator.map(str::as_bytes).filter(|separator| !separator.is_empty()) else {
        return Ok((None, line));
    };
    match line.windows(separator.len()).position(|window| window == separator) {
        Some(at) => Ok((Some(&line[..at]), &line[at + separator.len()..])),
        None => Err("No key separator found on a line of the standard input".into()),
    }
}

/// How many partitions the topic has, which is made if the broker makes topics.
fn partitions(client: &mut Client, topic: &str) -> Result<usize, String> {
    let mut last = Ok(());
    for _ in 0..TRIES {
        let mut answer = Vec::new();
        let told = metadata(client, Some(&[topic]), true, &mut answer)?;
        let found = told.topics.first().ok_or("the broker says nothing about the topic")?;
        let has_leaders = found.partitions.iter().all(|partition| partition.leader_id >= 0);
        if found.error_code == 0 && !found.partitions.is_empty() && has_leaders {
            return Ok(found.partitions.len());
        }
        last = check(found.error_code, None);
        threads::wait(PAUSE);
    }
    last.and_then(|()| Err("the topic has no leaders".into())).map_err(|reason| format!("{topic}: {reason}"))
}

/// `BuiltInPartitioner.partitionForKey`
fn of_key(key: &[u8], count: usize) -> usize {
    partition_of_key(key, count)
}

/// Sends what there is, and waits for the acknowledgements that are asked for.
fn send(client: &mut Client, settings: &Settings, batches: &mut [Builder]) -> Result<(), String> {
    let full = batches.iter_mut().enumerate().filter(|(_, batch)| !batch.is_empty());
    let partition_data: Vec<_> = full
        .map(|(index, batch)| {
            let built = std::mem::replace(batch, Builder::new(Options::default())).build();
            produce::PartitionProduceData { index: index as i32, records: Some(built.into()) }
        })
        .collect();
    if partition_data.is_empty() {
        return Ok(());
    }
    let topic = produce::TopicProduceData { name: settings.topic.clone().into(), partition_data, ..Default::default() };
    let (acks, timeout_ms) = (settings.acks, TIMEOUT_MS);
    let request = produce::Request { acks, timeout_ms, topic_data: vec![topic], ..Default::default() };
    if acks == 0 {
        return client.send_only(ApiKey::Produce, BY_NAME, &request);
    }
    let mut answer = Vec::new();
    let told: produce::Response<'_> = client.ask_up_to((ApiKey::Produce, BY_NAME), &request, &mut answer)?;
    let mut partitions = told.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.try_for_each(|partition| check(partition.error_code, partition.error_message.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_records() {
        let mut input = &b"a\r\n\nkey\tvalue"[..];
        let mut line = Vec::new();
        let mut lines = Vec::new();
        while read_line(&mut input, &mut line).unwrap() {
            lines.push(line.clone());
        }
        assert_eq!(lines, [&b"a"[..], b"", b"key\tvalue"]);
        assert_eq!(split(b"key\tvalue\tx", Some("\t")).unwrap(), (Some(&b"key"[..]), &b"value\tx"[..]));
        assert_eq!(split(b"key::v", Some("::")).unwrap(), (Some(&b"key"[..]), &b"v"[..]));
        assert_eq!(split(b"key\tvalue", None).unwrap(), (None, &b"key\tvalue"[..]));
        assert!(split(b"value", Some("\t")).is_err());
    }
}
