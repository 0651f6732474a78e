//! Producers: retries and the order of records, idempotence with lost acknowledgements, timeouts, backoff.

use crate::scenarios;
use crate::stage::{Stage, numbers};
use compat_tests::{Result, bail, ensure};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{Producer, PurgeConfig};
use serde_json::json;
use std::time::{Duration, Instant};

scenarios! { "librdkafka";
    storage_errors_are_retried: "librdkafka 0117 `do_test_producer_storage_error`",
        "`error` KAFKA_STORAGE_ERROR for three Produce: the fourth is the one that counts";
    too_few_retries_tell_the_error: "librdkafka 0117 `do_test_producer_storage_error` (too few retries)",
        "the same with `retries=1`: the report has the error, the log is empty";
    an_invalid_message_is_sent_again: "librdkafka 0076 `do_test_produce_retry_invalid_msg`",
        "`error` CORRUPT_MESSAGE once: two Produce in the journal";
    refused_batches_keep_their_order: "librdkafka 0090 `do_test_implicit_ack`, 0076 `do_test_produce_retries`",
        "idempotent, a record a batch; every third Produce is refused: the broker itself answers those behind it with OUT_OF_ORDER_SEQUENCE_NUMBER";
    lost_acknowledgements_write_nothing_twice: "librdkafka 0076 `do_test_produce_retries_disconnect`",
        "idempotent; `close` behind the effect of every fourth Produce";
    a_cut_answer_writes_nothing_twice: "librdkafka 0047",
        "idempotent; `truncate` of the answers to two Produce";
    possibly_persisted_records_are_not_fatal: "librdkafka 0144 `do_test_idempo_possibly_persisted_not_causing_fatal_error`",
        "for one to five records in flight: `hold` behind their effect, `broker_down` of the leader, NOT_ENOUGH_REPLICAS at the next, `broker_up`";
    a_duplicate_is_an_acknowledgement: "librdkafka 0144 `do_test_idempo_duplicate_sequence_number_after_possibly_persisted`",
        "`close` behind the effect, then DUPLICATE_SEQUENCE_NUMBER for the second attempt";
    an_error_that_is_late_writes_nothing_twice: "librdkafka 0144 `do_test_idempo_duplicate_sequence_number_after_possibly_persisted` (by its time)",
        "three brokers, `delay_ms` and `error` DUPLICATE_SEQUENCE_NUMBER behind the effect, `broker_down` of the leader meanwhile";
    an_error_behind_the_append_writes_nothing_twice: "librdkafka 0144 `do_test_idempo_success_after_possibly_persisted`",
        "`error` NOT_ENOUGH_REPLICAS_AFTER_APPEND behind the effect";
    an_unknown_producer_sends_again: "ours, beside librdkafka 0105 `do_test_txn_fatal_idempo_errors`",
        "`error` UNKNOWN_PRODUCER_ID for an idempotent producer with nothing else in flight: it goes on, each record once";
    an_invalid_epoch_is_told_at_its_record: "ours, beside librdkafka 0105 `do_test_txn_fenced_reinit`",
        "`error` INVALID_PRODUCER_EPOCH for an idempotent producer: the record has it, nothing is sent again";
    a_record_without_an_answer_times_out: "librdkafka 0068 `main_0068_produce_timeout`",
        "`no_answer` for Produce, `message.timeout.ms=1000`";
    a_flush_ends_the_linger: "librdkafka 0125 `do_test_flush_overrides_linger_ms_time`",
        "`linger.ms=10000`, and a flush whose Produce comes at once";
    a_first_flush_knows_all_leaders: "librdkafka 0125 `do_test_first_flush_immediate`",
        "three brokers, nine partitions, one bootstrap server: a flush within a second";
    purged_records_are_told_so: "librdkafka 0086",
        "`hold` for Produce; what is in flight and what is queued have reports of their own; nothing of it is in the log";
    retries_back_off_exponentially: "librdkafka 0143 `test_produce`",
        "`error` NOT_ENOUGH_REPLICAS six times: the times between the requests in the journal double up to the limit";
    other_partitions_are_not_held_up: "ours",
        "three brokers, `hold` for Produce to one of them: the records of another's partition are acknowledged";
}

const IDEMPOTENT: [(&str, &str); 3] = [("enable.idempotence", "true"), ("batch.num.messages", "1"), ("linger.ms", "0")];

fn storage_errors_are_retried() -> Result<()> {
    let stage = Stage::one()?;
    stage.errors("Produce", &["KAFKA_STORAGE_ERROR"; 3])?;
    let sender = stage.producer(&[("retries", "10")])?;
    sender.send("a")?;
    sender.delivered(1)?;
    ensure!(stage.count("api=Produce")? == 4, "four attempts");
    stage.expect(&["a".into()])
}

fn too_few_retries_tell_the_error() -> Result<()> {
    let stage = Stage::one()?;
    stage.errors("Produce", &["KAFKA_STORAGE_ERROR"; 3])?;
    let sender = stage.producer(&[("retries", "1")])?;
    sender.send("a")?;
    sender.wait(1)?;
    let deliveries = sender.told().deliveries();
    ensure!(deliveries[0].1 == Err(Code::KafkaStorageError), "{deliveries:?}");
    ensure!(stage.count("api=Produce")? == 2, "two attempts");
    stage.expect(&[])
}

fn an_invalid_message_is_sent_again() -> Result<()> {
    let stage = Stage::one()?;
    stage.errors("Produce", &["CORRUPT_MESSAGE"])?;
    let sender = stage.producer(&[])?;
    sender.send("a")?;
    sender.delivered(1)?;
    ensure!(stage.count("api=Produce")? == 2, "two attempts");
    stage.expect(&["a".into()])
}

fn refused_batches_keep_their_order() -> Result<()> {
    let stage = Stage::one()?;
    let rule =
        json!({ "match": { "api": "Produce", "every": 3 }, "action": { "error": "NOT_ENOUGH_REPLICAS" }, "count": 12 });
    let fault = stage.fault(rule)?;
    let sender = stage.producer(&IDEMPOTENT)?;
    let values = numbers(40);
    values.iter().try_for_each(|value| sender.send(value))?;
    sender.delivered(values.len())?;
    ensure!(fault.struck()? == 12, "it struck {} times", fault.struck()?);
    let acknowledged: Vec<String> = sender.told().deliveries().into_iter().map(|(value, _)| value).collect();
    ensure!(acknowledged == values, "acknowledged in order: {acknowledged:?}");
    stage.expect(&values)
}

fn lost_acknowledgements_write_nothing_twice() -> Result<()> {
    let stage = Stage::one()?;
    let rule =
        json!({ "match": { "api": "Produce", "every": 4 }, "action": { "close": true, "after": true }, "count": 5 });
    let fault = stage.fault(rule)?;
    let sender = stage.producer(&IDEMPOTENT)?;
    let values = numbers(30);
    values.iter().try_for_each(|value| sender.send(value))?;
    sender.delivered(values.len())?;
    ensure!(fault.struck()? == 5, "it struck {} times", fault.struck()?);
    stage.expect(&values)
}

fn a_cut_answer_writes_nothing_twice() -> Result<()> {
    let stage = Stage::one()?;
    let fault = stage.fault(json!({ "match": { "api": "Produce" }, "action": { "truncate": 7 }, "count": 2 }))?;
    let sender = stage.producer(&IDEMPOTENT)?;
    let values = numbers(10);
    values.iter().try_for_each(|value| sender.send(value))?;
    sender.delivered(values.len())?;
    ensure!(fault.struck()? == 2, "it struck {} times", fault.struck()?);
    stage.expect(&values)
}

fn possibly_persisted_records_are_not_fatal() -> Result<()> {
    let stage = Stage::three()?;
    let sender = stage.producer(&IDEMPOTENT)?;
    let (mut sent, per_round) = (0, 5);
    let mut send = |count: usize| -> Result<()> {
        (sent..sent + count).try_for_each(|number| sender.send(&number.to_string()))?;
        sent += count;
        Ok(())
    };
    for in_flight in 1..=per_round {
        send(per_round)?;
        sender.delivered((in_flight - 1) * 2 * per_round + per_round)?;
        let held =
            json!({ "match": { "api": "Produce" }, "action": { "hold": true, "after": true }, "count": in_flight });
        let held = stage.fault(held)?;
        send(in_flight)?;
        // A held answer holds up those behind it: one request may be seen alone.
        held.until_struck(1)?;
        let leader = stage.leader("t")?;
        stage.down(leader)?;
        held.remove()?;
        stage.errors("Produce", &["NOT_ENOUGH_REPLICAS"])?;
        send(per_round - in_flight)?;
        stage.up(leader)?;
        sender.delivered(in_flight * 2 * per_round)?;
    }
    stage.expect(&numbers(2 * per_round * per_round))
}

fn a_duplicate_is_an_acknowledgement() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.producer(&IDEMPOTENT)?;
    let values = numbers(10);
    values[..5].iter().try_for_each(|value| sender.send(value))?;
    sender.delivered(5)?;
    stage.fault(json!({ "match": { "api": "Produce" }, "action": { "close": true, "after": true }, "count": 1 }))?;
    let duplicate = json!({ "error": "DUPLICATE_SEQUENCE_NUMBER", "after": true });
    let fault = stage.fault(json!({ "match": { "api": "Produce" }, "action": duplicate, "count": 1 }))?;
    values[5..].iter().try_for_each(|value| sender.send(value))?;
    sender.delivered(10)?;
    ensure!(fault.struck()? == 1, "it was told of a duplicate");
    stage.expect(&values)
}

fn an_error_that_is_late_writes_nothing_twice() -> Result<()> {
    let stage = Stage::three()?;
    let sender = stage.producer(&IDEMPOTENT)?;
    let values = numbers(10);
    values[..5].iter().try_for_each(|value| sender.send(value))?;
    sender.delivered(5)?;
    let late = json!({ "delay_ms": 1000, "error": "DUPLICATE_SEQUENCE_NUMBER", "after": true });
    let fault = stage.fault(json!({ "match": { "api": "Produce" }, "action": late, "count": 1 }))?;
    values[5..].iter().try_for_each(|value| sender.send(value))?;
    fault.until_struck(1)?;
    let leader = stage.leader("t")?;
    stage.down(leader)?;
    sender.delivered(10)?;
    stage.up(leader)?;
    stage.expect(&values)
}

fn an_error_behind_the_append_writes_nothing_twice() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.producer(&IDEMPOTENT)?;
    let error = json!({ "error": "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "after": true });
    let fault = stage.fault(json!({ "match": { "api": "Produce" }, "action": error, "count": 1 }))?;
    let values = numbers(5);
    values.iter().try_for_each(|value| sender.send(value))?;
    sender.delivered(5)?;
    ensure!(fault.struck()? == 1, "it struck");
    stage.expect(&values)
}

fn an_unknown_producer_sends_again() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.producer(&IDEMPOTENT)?;
    sender.send("0")?;
    sender.delivered(1)?;
    stage.errors("Produce", &["UNKNOWN_PRODUCER_ID"])?;
    let values = numbers(4);
    values[1..].iter().try_for_each(|value| sender.send(value))?;
    sender.delivered(4)?;
    ensure!(sender.producer.client().fatal_error().is_none(), "it goes on");
    stage.expect(&values)
}

fn an_invalid_epoch_is_told_at_its_record() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.producer(&IDEMPOTENT)?;
    sender.send("0")?;
    sender.delivered(1)?;
    stage.errors("Produce", &["INVALID_PRODUCER_EPOCH"])?;
    sender.send("1")?;
    sender.wait(2)?;
    let last = sender.told().deliveries()[1].clone();
    ensure!(last.1 == Err(Code::InvalidProducerEpoch), "{last:?}");
    ensure!(stage.count("api=Produce")? == 2, "nothing is sent again");
    stage.expect(&["0".into()])
}

fn a_record_without_an_answer_times_out() -> Result<()> {
    let stage = Stage::one()?;
    let fault = stage.fault(json!({ "match": { "api": "Produce" }, "action": { "no_answer": true } }))?;
    let sender = stage.producer(&[("message.timeout.ms", "1000")])?;
    let began = Instant::now();
    sender.send("a")?;
    sender.wait(1)?;
    let deliveries = sender.told().deliveries();
    ensure!(deliveries[0].1 == Err(Code::MessageTimedOut), "{deliveries:?}");
    ensure!(began.elapsed() >= Duration::from_millis(900), "not before its time: {:?}", began.elapsed());
    ensure!(fault.struck()? >= 1, "it was sent");
    fault.remove()?;
    sender.send("b")?;
    sender.wait(2)?;
    let deliveries = sender.told().deliveries();
    ensure!(deliveries[1].1.is_ok(), "the connection that was left alone is another one: {deliveries:?}");
    stage.expect(&["b".into()])
}

fn a_flush_ends_the_linger() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.producer(&[("linger.ms", "10000")])?;
    let (began, values) = (Instant::now(), numbers(50));
    values.iter().try_for_each(|value| sender.send(value))?;
    sender.flush()?;
    ensure!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    sender.delivered(50)?;
    stage.expect(&values)
}

fn a_first_flush_knows_all_leaders() -> Result<()> {
    let stage = Stage::with(&["--brokers", "3", "--topic", "t:9"])?;
    let first = stage.bootstrap().split(',').next().unwrap_or_default().to_string();
    let sender = stage.producer(&[("bootstrap.servers", &first)])?;
    for partition in 0..9 {
        sender.send_at(partition, "a")?;
    }
    sender.flush()?;
    sender.delivered(9)?;
    let first = stage.requests("api=Metadata&topic=t")?.first().and_then(|first| first["at"].as_i64());
    let last = stage.requests("api=Produce")?.last().and_then(|last| last["at"].as_i64());
    let (Some(first), Some(last)) = (first, last) else { bail!("Metadata and Produce are kept") };
    // Leaders that one Metadata has not told would be asked for a second later.
    ensure!(last - first < 900, "{} ms", last - first);
    Ok(())
}

fn purged_records_are_told_so() -> Result<()> {
    let stage = Stage::one()?;
    let hold = stage.fault(json!({ "match": { "api": "Produce" }, "action": { "hold": true } }))?;
    let sender = stage.producer(&[("max.in.flight", "1"), ("batch.num.messages", "1")])?;
    let values = numbers(5);
    values.iter().try_for_each(|value| sender.send(value))?;
    hold.until_struck(1)?;
    sender.producer.purge(PurgeConfig::default().queue());
    sender.wait(4)?;
    sender.producer.purge(PurgeConfig::default().inflight());
    sender.wait(5)?;
    let deliveries = sender.told().deliveries();
    let purged = |error: Code| deliveries.iter().filter(|(_, result)| *result == Err(error)).count();
    ensure!(purged(Code::PurgeQueue) == 4 && purged(Code::PurgeInflight) == 1, "{deliveries:?}");
    ensure!(deliveries[4].0 == "0", "the first one was on its way: {deliveries:?}");
    stage.expect(&[])
}

fn retries_back_off_exponentially() -> Result<()> {
    const FIRST_MS: i64 = 50;
    const MOST_MS: i64 = 400;
    let stage = Stage::one()?;
    stage.errors("Produce", &["NOT_ENOUGH_REPLICAS"; 6])?;
    let sender = stage.producer(&[("retry.backoff.ms", "50"), ("retry.backoff.max.ms", "400")])?;
    sender.send("a")?;
    sender.delivered(1)?;
    let gaps = stage.gaps("api=Produce")?;
    ensure!(gaps.len() == 6, "{gaps:?}");
    for (retry, gap) in gaps.iter().enumerate() {
        let expected = (FIRST_MS << retry).min(MOST_MS);
        // A fifth of it is left to chance; a busy machine makes it longer, never shorter.
        ensure!(*gap >= expected * 8 / 10 - 10 && *gap <= expected * 12 / 10 + 500, "{expected} ms: {gaps:?}");
    }
    ensure!(gaps[5] > gaps[0] * 2, "{gaps:?}");
    Ok(())
}

fn other_partitions_are_not_held_up() -> Result<()> {
    let stage = Stage::with(&["--brokers", "3", "--topic", "t", "--topic", "u"])?;
    let slow = stage.leader("t")?;
    if stage.leader("u")? == slow {
        stage.move_leader("u", slow % 3 + 1)?;
    }
    let sender = stage.producer(&[])?;
    sender.send("first")?;
    sender.send_to("u", "first")?;
    sender.delivered(2)?;
    let held = stage.fault(json!({ "match": { "api": "Produce", "broker": slow }, "action": { "hold": true } }))?;
    sender.send("slow")?;
    held.until_struck(1)?;
    sender.send_to("u", "fast")?;
    sender.delivered(3)?;
    ensure!(sender.told().deliveries()[2].0 == "fast", "{:?}", sender.told().deliveries());
    held.release()?;
    sender.delivered(4)
}
