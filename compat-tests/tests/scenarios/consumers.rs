//! Consumers: fetch errors, offsets out of range, broken batches, validation of offsets behind a new leader epoch.

use crate::scenarios;
use crate::stage::{Stage, code, numbers, text};
use compat_tests::http::PATIENCE;
use compat_tests::{Result, ensure};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;
use std::time::Duration;

scenarios! { "librdkafka";
    an_offset_out_of_range_begins_at_the_start: "librdkafka 0104 `do_test_offset_reset` (earliest)",
        "`error` OFFSET_OUT_OF_RANGE for the third Fetch: all records once more";
    an_offset_out_of_range_begins_at_the_end: "librdkafka 0104 `do_test_offset_reset` (latest)",
        "the same with `latest`: only what is written later";
    an_offset_out_of_range_is_told: "librdkafka 0034 `offset_reset_errors`",
        "the same with `auto.offset.reset=error`; then errors of ListOffsets that are retried and one that is told";
    an_error_of_one_partition_leaves_the_others: "franz-go kfake `TestIncrementalFetchIncludesErrors`",
        "two partitions, `error` KAFKA_STORAGE_ERROR for one of them in each Fetch, until the rule goes";
    fetches_that_are_cut_are_made_again: "librdkafka 0049",
        "`truncate`, `close` and `no_answer` for one Fetch each";
    a_corrupt_answer_is_told: "ours, with librdkafka's `check.crcs`",
        "`corrupt` for one Fetch: an error is told, the same offset is asked for again, no record is wrong";
    a_corrupt_batch_can_be_passed_over: "ours, with librdkafka's `check.crcs`",
        "the deed `corrupt` for a stored batch in the middle: told until the application seeks past it";
    watermarks_that_take_too_long_time_out: "librdkafka 0031 `test_query_watermark_offsets_timeout`",
        "`hold` for ListOffsets and a call of 300 ms";
    watermarks_follow_a_leader: "librdkafka 0031 `test_query_watermark_offsets_leader_change`",
        "three brokers, `move_leader`: the call that hears NOT_LEADER_OR_FOLLOWER is the last one";
    a_validation_in_flight_reads_nothing_twice: "librdkafka 0139 `do_test_no_duplicates_during_offset_validation`",
        "`hold` for OffsetForLeaderEpoch while a record is written";
    a_validation_that_fails_is_no_reset: "librdkafka 0139 `do_test_permanent_error_retried`",
        "three brokers, `move_leader`, a seek, and OffsetForLeaderEpoch refused: read from there, not from the end";
    two_leaders_in_a_validation_are_no_loop: "librdkafka 0139 `do_test_two_leader_changes`",
        "three brokers, KAFKA_STORAGE_ERROR and a held answer for OffsetForLeaderEpoch, `move_leader` there and back";
    fetching_follows_each_leader_epoch: "librdkafka 0143 `test_fetch_fast_leader_query`",
        "three brokers of Kafka 3.6, whose refusals do not tell who leads instead, `move_leader`: Metadata follows the Fetch that was refused";
    a_resume_reads_nothing_twice: "librdkafka 0145 `test_no_duplicate_messages_unnecessary_resume`",
        "partitions that are resumed though they are not paused, and some that are";
}

fn small_fetches(reset: &str) -> [(&str, &str); 2] {
    [("auto.offset.reset", reset), ("fetch.message.max.bytes", "100")]
}

fn out_of_range(nth: u64) -> serde_json::Value {
    json!({ "match": { "api": "Fetch", "client_id": "reader", "nth": nth }, "action": { "error": "OFFSET_OUT_OF_RANGE", "after": true } })
}

fn an_offset_out_of_range_begins_at_the_start() -> Result<()> {
    let stage = Stage::one()?;
    let values = numbers(5);
    values.iter().try_for_each(|value| stage.seed("t", &[&value]))?;
    let fault = stage.fault(out_of_range(3))?;
    let reader =
        stage.assigned(&[&small_fetches("earliest")[..], &[("client.id", "reader")]].concat(), Offset::Beginning)?;
    let mut found = reader.read(7)?;
    ensure!(fault.struck()? == 1, "it struck");
    let first = found.split_off(found.iter().rposition(|value| value == "0").unwrap_or(0));
    ensure!(!found.is_empty() && values.starts_with(&found), "{found:?} and then {first:?}");
    ensure!(values.starts_with(&first), "{found:?} and then {first:?}");
    Ok(())
}

fn an_offset_out_of_range_begins_at_the_end() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(5))?;
    let fault = stage.fault(out_of_range(1))?;
    let reader =
        stage.assigned(&[&small_fetches("latest")[..], &[("client.id", "reader")]].concat(), Offset::Offset(2))?;
    reader.poll_until("it looks for the end", || Ok(fault.struck()? == 1 && stage.count("api=ListOffsets")? > 0))?;
    reader.poll_until("it is there", || Ok(stage.count("api=Fetch&client_id=reader")? > 1))?;
    stage.seed("t", &["new"])?;
    reader.expect(&["new".into()])
}

fn an_offset_out_of_range_is_told() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(2))?;
    stage.fault(out_of_range(1))?;
    let reader = stage.assigned(&[("auto.offset.reset", "error"), ("client.id", "reader")], Offset::Offset(1))?;
    let error = reader.error()?;
    ensure!(error.rdkafka_error_code() == Some(Code::AutoOffsetReset), "{error:?}");
    // Errors that pass are retried; one that does not is told.
    stage.errors("ListOffsets", &["LEADER_NOT_AVAILABLE", "NOT_LEADER_OR_FOLLOWER", "REQUEST_TIMED_OUT"])?;
    let reader = stage.assigned(&[("auto.offset.reset", "error")], Offset::Beginning)?;
    reader.expect(&numbers(2))?;
    stage.errors("ListOffsets", &["TOPIC_AUTHORIZATION_FAILED"])?;
    let reader = stage.assigned(&[("auto.offset.reset", "error")], Offset::Beginning)?;
    let error = reader.error()?;
    ensure!(error.rdkafka_error_code() == Some(Code::AutoOffsetReset), "{error:?}");
    Ok(())
}

fn an_error_of_one_partition_leaves_the_others() -> Result<()> {
    let stage = Stage::with(&["--topic", "t:2"])?;
    let sender = stage.producer(&[])?;
    for partition in 0..2 {
        let value = format!("of {partition}");
        sender.send_at(partition, &value)?;
    }
    sender.delivered(2)?;
    let action = json!({ "error": "KAFKA_STORAGE_ERROR", "after": true });
    let fault = stage.fault(json!({ "match": { "api": "Fetch", "topic": "t", "partition": 1 }, "action": action }))?;
    let reader = stage.consumer(&[])?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_range("t", 0, 1);
    assignment.set_all_offsets(Offset::Beginning)?;
    reader.consumer.assign(&assignment)?;
    reader.expect(&["of 0".into()])?;
    reader.poll_until("the other one is refused again and again", || Ok(fault.struck()? >= 3))?;
    fault.remove()?;
    reader.expect(&["of 1".into()])
}

fn fetches_that_are_cut_are_made_again() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(5))?;
    for (at, action) in
        [json!({ "truncate": 40 }), json!({ "close": true }), json!({ "no_answer": true })].iter().enumerate()
    {
        let rule = json!({ "match": { "api": "Fetch", "client_id": "reader" }, "action": action, "count": 1 });
        let fault = stage.fault(rule)?;
        let settings = [("client.id", "reader"), ("socket.timeout.ms", "1000"), ("socket.max.fails", "1")];
        let reader = stage.assigned(&settings, Offset::Beginning)?;
        reader.expect(&numbers(5))?;
        ensure!(fault.struck()? == 1, "rule {at} struck");
    }
    Ok(())
}

/// The values that are read until the last one is there, and the errors that are told; of the first one on it is passed over to
/// an offset.
fn told_of(stage: &Stage, over_to: Option<i64>) -> Result<(Vec<String>, Vec<Code>)> {
    let reader = stage.assigned(&[("check.crcs", "true"), ("client.id", "reader")], Offset::Beginning)?;
    let (began, mut values, mut errors) = (std::time::Instant::now(), Vec::new(), Vec::new());
    let last = stage.values_end("t")?;
    while values.len() < last - usize::from(over_to.is_some()) {
        ensure!(began.elapsed() < PATIENCE, "{values:?} {errors:?}");
        match reader.consumer.poll(Duration::from_millis(50)) {
            Some(Ok(message)) => values.push(text(&message)),
            Some(Err(error)) => {
                if let Some(offset) = over_to.filter(|_| errors.is_empty()) {
                    reader.consumer.seek("t", 0, Offset::Offset(offset), PATIENCE)?;
                }
                errors.extend(error.rdkafka_error_code());
            }
            None => {}
        }
    }
    Ok((values, errors))
}

fn a_corrupt_answer_is_told() -> Result<()> {
    let stage = Stage::one()?;
    for value in numbers(3) {
        stage.seed("t", &[value])?;
    }
    stage.fault(
        json!({ "match": { "api": "Fetch", "client_id": "reader" }, "action": { "corrupt": true }, "count": 1 }),
    )?;
    let (values, errors) = told_of(&stage, None)?;
    ensure!(values == numbers(3) && errors == [Code::BadMessage], "{values:?} {errors:?}");
    Ok(())
}

fn a_corrupt_batch_can_be_passed_over() -> Result<()> {
    let stage = Stage::one()?;
    for value in numbers(5) {
        stage.seed("t", &[value])?;
    }
    stage.deed(json!({ "corrupt": { "topic": "t", "partition": 0, "offset": 2 } }))?;
    let (values, errors) = told_of(&stage, Some(3))?;
    ensure!(values == ["0", "1", "3", "4"], "{values:?} {errors:?}");
    ensure!(!errors.is_empty() && errors.iter().all(|error| *error == Code::BadMessage), "{errors:?}");
    Ok(())
}

fn watermarks_that_take_too_long_time_out() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(2))?;
    let held = stage.fault(json!({ "match": { "api": "ListOffsets" }, "action": { "hold": true } }))?;
    let reader = stage.consumer(&[])?;
    let error = code(reader.consumer.fetch_watermarks("t", 0, Duration::from_millis(300)))?;
    ensure!(error == Code::OperationTimedOut, "{error:?}");
    held.remove()?;
    ensure!(reader.consumer.fetch_watermarks("t", 0, PATIENCE)? == (0, 2), "the offsets");
    Ok(())
}

fn watermarks_follow_a_leader() -> Result<()> {
    let stage = Stage::three()?;
    stage.seed("t", &numbers(2))?;
    let reader = stage.consumer(&[])?;
    ensure!(reader.consumer.fetch_watermarks("t", 0, PATIENCE)? == (0, 2), "the offsets");
    stage.move_leader("t", stage.leader("t")? % 3 + 1)?;
    let error = code(reader.consumer.fetch_watermarks("t", 0, PATIENCE))?;
    ensure!(error == Code::NotLeaderForPartition, "{error:?}");
    ensure!(reader.consumer.fetch_watermarks("t", 0, PATIENCE)? == (0, 2), "the offsets of the new one");
    Ok(())
}

/// Of a leader that has moved, the consumer asks where its epoch ended.
fn validates(stage: &Stage) -> Result<bool> {
    Ok(stage.count("api=OffsetForLeaderEpoch")? > 0)
}

fn a_validation_in_flight_reads_nothing_twice() -> Result<()> {
    let stage = Stage::three()?;
    stage.seed("t", &numbers(3))?;
    let reader = stage.assigned(&[("topic.metadata.refresh.interval.ms", "200")], Offset::Beginning)?;
    reader.expect(&numbers(3))?;
    let held = stage.fault(json!({ "match": { "api": "OffsetForLeaderEpoch" }, "action": { "hold": true } }))?;
    stage.move_leader("t", stage.leader("t")? % 3 + 1)?;
    reader.poll_until("it validates", || Ok(held.struck()? > 0))?;
    stage.seed("t", &["3"])?;
    held.remove()?;
    reader.expect(&["3".into()])?;
    stage.seed("t", &["4"])?;
    reader.expect(&["4".into()])
}

fn a_validation_that_fails_is_no_reset() -> Result<()> {
    for error in ["KAFKA_STORAGE_ERROR", "UNKNOWN_TOPIC_OR_PARTITION", "TOPIC_AUTHORIZATION_FAILED"] {
        let stage = Stage::three()?;
        stage.seed("t", &numbers(3))?;
        let settings = [("auto.offset.reset", "latest"), ("topic.metadata.refresh.interval.ms", "500")];
        let reader = stage.assigned(&settings, Offset::Beginning)?;
        reader.expect(&numbers(3))?;
        let fault = stage.errors("OffsetForLeaderEpoch", &[error])?;
        stage.move_leader("t", stage.leader("t")? % 3 + 1)?;
        reader.poll_until("it validates", || Ok(fault[0].struck()? > 0))?;
        stage.seed("t", &["3", "4"])?;
        reader.expect(&["3".into(), "4".into()])?;
    }
    Ok(())
}

fn two_leaders_in_a_validation_are_no_loop() -> Result<()> {
    let stage = Stage::three()?;
    stage.seed("t", &numbers(3))?;
    let reader = stage.assigned(&[("topic.metadata.refresh.interval.ms", "500")], Offset::Beginning)?;
    reader.expect(&numbers(3))?;
    let first = stage.leader("t")?;
    let second = first % 3 + 1;
    stage.errors("OffsetForLeaderEpoch", &["KAFKA_STORAGE_ERROR"])?;
    let held =
        stage.fault(json!({ "match": { "api": "OffsetForLeaderEpoch" }, "action": { "hold": true }, "count": 1 }))?;
    stage.move_leader("t", second)?;
    reader.poll_until("the second attempt is held", || Ok(held.struck()? > 0))?;
    stage.move_leader("t", first)?;
    held.release()?;
    stage.seed("t", &["3", "4"])?;
    reader.expect(&["3".into(), "4".into()])?;
    let asked = stage.count("api=OffsetForLeaderEpoch")?;
    ensure!(asked < 10, "it asked {asked} times");
    Ok(())
}

fn fetching_follows_each_leader_epoch() -> Result<()> {
    let stage = Stage::with(&["--brokers", "3", "--topic", "t", "--as-version", "3.6"])?;
    let reader = stage.assigned(&[("client.id", "reader")], Offset::Beginning)?;
    for (number, value) in numbers(3).into_iter().enumerate() {
        stage.seed("t", &[&value])?;
        reader.expect(&[value])?;
        // It is a follower now, and knows a later epoch than the client.
        let refused = "api=Fetch&client_id=reader&error=FENCED_LEADER_EPOCH";
        stage.move_leader("t", stage.leader("t")? % 3 + 1)?;
        reader.poll_until("the old leader refuses", || Ok(stage.count(refused)? > number))?;
        let at = stage.requests(refused)?[number]["at"].clone();
        let query = format!("api=Metadata&client_id=reader&since={at}");
        reader.poll_until("Metadata follows", || Ok(stage.count(&query)? > 0))?;
    }
    ensure!(validates(&stage)?, "it asks where the old epoch ended");
    Ok(())
}

fn a_resume_reads_nothing_twice() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(20))?;
    let reader = stage.assigned(&[("fetch.message.max.bytes", "100")], Offset::Beginning)?;
    let mut found = reader.read(5)?;
    let assignment = reader.consumer.assignment()?;
    reader.consumer.resume(&assignment)?;
    found.extend(reader.read(5)?);
    reader.consumer.pause(&assignment)?;
    reader.consumer.resume(&assignment)?;
    reader.consumer.resume(&assignment)?;
    found.extend(reader.read(10)?);
    ensure!(found == numbers(20), "{found:?}");
    match reader.consumer.poll(Duration::from_millis(200)) {
        None | Some(Err(KafkaError::PartitionEOF(_))) => Ok(()),
        more => compat_tests::bail!("{:?}", more.map(|more| more.map(|more| text(&more)))),
    }
}
