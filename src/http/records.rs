//! `/v1/records`: the newest records of a partition, read from its log on a thread that may wait, never on a shard's.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::control::Control;
use super::log_pieces;
use super::reply::{self, Reply};
use super::routes::Parameter;
use crate::replica::partition::Partition;
use crate::wire::json::records::{RecordsWanted, show_newest};

/// Records that one answer shows, where it does not say, and at most.
const USUAL_SHOWN: usize = 50;
const MOST_SHOWN: usize = 1000;
/// Bytes of a log that are read for one answer.
const MOST_READ_BYTES: u64 = 16 << 20;

const fn parameter(name: &'static str, summary: &'static str) -> Parameter {
    Parameter { name, summary }
}

pub(super) const PARAMETERS: &[Parameter] = &[
    parameter("topic", "The topic."),
    parameter("partition", "The partition; 0 where it is not said."),
    parameter("before", "Only records with lower offsets: what next says goes on from there."),
    parameter("limit", "How many are shown at most; 50 where it is not said, 1000 at most."),
    parameter("json", "true shows keys, values and headers that are JSON objects or arrays as {\"json\": …}."),
];

struct Asked {
    topic: String,
    partition: i32,
    before: i64,
    limit: usize,
    as_json: bool,
}

impl Asked {
    fn parse(parameters: &[(String, String)]) -> Result<Asked, String> {
        let mut asked =
            Asked { topic: String::new(), partition: 0, before: i64::MAX, limit: USUAL_SHOWN, as_json: false };
        for (name, value) in parameters {
            let number =
                || value.parse::<i64>().ok().filter(|number| *number >= 0).ok_or(format!("{name} is a number"));
            match name.as_str() {
                "topic" => asked.topic = value.clone(),
                "partition" => asked.partition = i32::try_from(number()?).map_err(|_| "there is no such partition")?,
                "before" => asked.before = number()?,
                "json" => asked.as_json = !value.eq_ignore_ascii_case("false"),
                _ => match usize::try_from(number()?) {
                    Ok(limit) if (1..=MOST_SHOWN).contains(&limit) => asked.limit = limit,
                    _ => return Err(format!("limit is a number from 1 to {MOST_SHOWN}")),
                },
            }
        }
        if asked.topic.is_empty() { Err("records are those of a topic".into()) } else { Ok(asked) }
    }
}

pub(super) async fn list(control: Arc<Control>, parameters: Vec<(String, String)>) -> Reply {
    let shared = match control.ready() {
        Ok(shared) => shared,
        Err(refused) => return *refused,
    };
    let asked = match Asked::parse(&parameters) {
        Ok(asked) => asked,
        Err(sentence) => return reply::bad_request(sentence),
    };
    let partition = match shared.view.load().partition_by_name(&asked.topic, asked.partition) {
        Ok(partition) => partition.clone(),
        Err(error) => return reply::not_found(format!("{}-{} answers {error}", asked.topic, asked.partition)),
    };
    control.looks.run(move || show(&partition, &asked)).await
}

fn show(partition: &Partition, asked: &Asked) -> Reply {
    let (start, end) = (partition.log.log_start_offset().0, partition.high_watermark().0);
    // Before the batches are read: what is decided below it is known by then.
    let last_stable = partition.last_stable_offset().0;
    let up_to = asked.before.clamp(start, end.max(start));
    let read = match newest(partition, start, up_to, asked.limit) {
        Ok(read) => read,
        Err(sentence) => return reply::refuse(StatusCode::SERVICE_UNAVAILABLE, sentence),
    };
    let transaction = |offset: i64| match read.aborted.iter().any(|aborted| aborted.contains(&offset)) {
        true => "aborted",
        false if offset >= last_stable => "open",
        false => "committed",
    };
    let wanted = RecordsWanted {
        offsets: read.from..up_to,
        limit: asked.limit,
        as_json: asked.as_json,
        transaction: &transaction,
    };
    let (records, is_cut) = show_newest(&read.batches, &wanted);
    reply::ok(&json!({
        "topic": asked.topic,
        "partition": asked.partition,
        "start": start,
        "end": end,
        "last_stable": last_stable,
        "next": next(&records, is_cut, &read, start),
        "records": records,
    }))
}

/// What `before` is to be for the records below; `None`: there are none. Where a compacted log has few records among its offsets,
/// an answer may have none, and the next one some.
fn next(shown: &[Value], is_cut: bool, read: &ReadBatches, start: i64) -> Option<i64> {
    let last = shown.iter().rev().find_map(|record| record["offset"].as_i64());
    let next = last.filter(|_| is_cut).unwrap_or(read.from);
    (next > start).then_some(next)
}

/// Whole batches of a log, with the records from an offset on.
struct ReadBatches {
    from: i64,
    batches: Vec<u8>,
    /// The offsets of batches whose transactions were aborted.
    aborted: Vec<RangeInclusive<i64>>,
}

/// The batches of the last offsets below `up_to`: so many as records are wanted, fewer where these are large. Blocks.
fn newest(partition: &Partition, start: i64, up_to: i64, wanted: usize) -> Result<ReadBatches, String> {
    let mut back = wanted as i64;
    loop {
        let from = up_to.saturating_sub(back).max(start);
        if let Some(read) = read(partition, from, up_to)? {
            return Ok(read);
        }
        if back == 1 {
            return Err(format!("the batch with the offset {from} is larger than {MOST_READ_BYTES} bytes"));
        }
        back = (back / 4).max(1);
    }
}

/// `None`: these are too many bytes.
fn read(partition: &Partition, from: i64, up_to: i64) -> Result<Option<ReadBatches>, String> {
    let mut read = ReadBatches { from, batches: Vec::new(), aborted: Vec::new() };
    let mut fits = true;
    log_pieces::walk(partition, from, up_to, |batch, is_aborted| {
        fits = (read.batches.len() + batch.size_bytes()) as u64 <= MOST_READ_BYTES;
        if fits {
            read.batches.extend_from_slice(batch.bytes);
        }
        if is_aborted {
            read.aborted.push(batch.header.base_offset..=batch.header.last_offset().0);
        }
        fits
    })?;
    Ok(fits.then_some(read))
}
