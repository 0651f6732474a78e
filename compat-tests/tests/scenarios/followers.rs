//! Consumers that read from followers (KIP-392): sent there by a leader, and sent back.

use crate::admin::create_on;
use crate::scenarios;
use crate::stage::{Reader, Stage, numbers};
use compat_tests::{Result, ensure};
use rdkafka::Offset;
use serde_json::{Value, json};

scenarios! { "librdkafka";
    a_follower_out_of_range_is_a_reset: "librdkafka 0104 `do_test_offset_reset` (follower)",
        "three brokers, `follower`, `error` OFFSET_OUT_OF_RANGE behind the effect of the second Fetch there, with the watermarks of the leader: all records once more, and what is written later";
    a_follower_that_lags_is_waited_for: "librdkafka 0104 `do_test_offset_reset_lag`",
        "three brokers, `follower` with an `end` of 7 of 10: seven records, and the others when it has caught up";
    a_follower_that_lost_records_is_left: "ours, beside librdkafka 0104 `do_test_offset_reset_lag`",
        "the same, and its `end` goes back to 5: OFFSET_OUT_OF_RANGE there is no reset, the leader serves the others";
    a_follower_that_begins_later_is_not_asked: "ours, beside franz-go kfake `TestIssue885`",
        "three brokers, `follower` with a `start` of 3: the leader serves what is before it";
    a_follower_that_is_not_there_is_waited_for: "librdkafka 0104 `do_test_unknown_follower`",
        "three brokers, `follower` 19 and no record; then `follower` 3, which serves all of them";
    an_error_of_a_replica_asks_for_the_leader: "librdkafka 0104 `do_test_replica_not_available`, `do_test_delegate_to_leader_on_error`",
        "three brokers, `error` REPLICA_NOT_AVAILABLE or OFFSET_NOT_AVAILABLE for each Fetch at the leader, `move_leader`: read from the new one";
    a_follower_that_is_none_any_more_is_left: "librdkafka 0104 `do_test_not_leader_or_follower`",
        "three brokers, a topic on one of them, `follower` another, then none: NOT_LEADER_OR_FOLLOWER, and the leader serves";
    a_follower_that_goes_down_is_left: "librdkafka 0104 `do_test_follower_down`",
        "three brokers, `follower` 2, `broker_down` 2, `follower` 3, which serves";
    a_rack_is_read_from: "ours (KIP-392)",
        "three brokers with RackAwareReplicaSelector, `client.rack=rack-2`; then the deed `rack` puts broker 3 in there and 2 elsewhere, for a second consumer";
    a_hidden_broker_goes_on_serving: "librdkafka mock `broker_remove_from_metadata`",
        "three brokers, `hide` for the leader of an open consumer: it reads on";
}

/// Three brokers, of which 1 leads `t`, with `0` to `count` in batches of their own.
fn led_by_one(count: usize) -> Result<Stage> {
    let stage = Stage::three()?;
    stage.move_leader("t", 1)?;
    numbers(count).iter().try_for_each(|value| stage.seed("t", &[value]))?;
    Ok(stage)
}

fn follow(stage: &Stage, follower: Value) -> Result<()> {
    let mut of = json!({ "topic": "t", "partition": 0 });
    for (name, value) in follower.as_object().into_iter().flatten() {
        of[name] = value.clone();
    }
    stage.deed(json!({ "follower": of })).map(drop)
}

/// A consumer of one batch a Fetch.
fn reader(stage: &Stage, more: &[(&str, &str)], offset: Offset) -> Result<Reader> {
    let own = [
        ("client.id", "reader"),
        ("client.rack", "anywhere"),
        ("fetch.message.max.bytes", "10"),
        ("topic.metadata.refresh.interval.ms", "60000"),
    ];
    stage.assigned(&[&own, more].concat(), offset)
}

fn fetches(stage: &Stage, broker: i32, more: &str) -> Result<usize> {
    stage.count(&format!("api=Fetch&client_id=reader&broker={broker}{more}"))
}

fn until_fetched(stage: &Stage, broker: i32, more: &str, count: usize) -> Result<()> {
    stage.until_asked(&format!("api=Fetch&client_id=reader&broker={broker}{more}"), count)
}

const OUT_OF_RANGE: &str = "&error=OFFSET_OUT_OF_RANGE";

fn a_follower_out_of_range_is_a_reset() -> Result<()> {
    for (reset, offset) in [("earliest", Offset::Beginning), ("latest", Offset::Offset(2))] {
        let stage = led_by_one(5)?;
        follow(&stage, json!({ "broker": 2 }))?;
        let fault = stage.fault(json!({
            "match": { "api": "Fetch", "client_id": "reader", "broker": 2, "nth": 2 },
            "action": { "error": "OFFSET_OUT_OF_RANGE", "after": true },
        }))?;
        let reader = reader(&stage, &[("auto.offset.reset", reset)], offset)?;
        match reset {
            "earliest" => reader.expect(&["0".into()])?,
            _ => reader.expect(&["2".into()])?,
        }
        fault.until_struck(1)?;
        if reset == "earliest" {
            reader.expect(&numbers(5))?;
        } else {
            reader.poll_until("it looks for the end", || Ok(stage.count("api=ListOffsets&client_id=reader")? > 0))?;
            let before = fetches(&stage, 2, "")?;
            reader.poll_until("it is there", || Ok(fetches(&stage, 2, "")? > before))?;
        }
        // It asks for offsets where they are told, and is not stuck at the follower.
        stage.seed("t", &["new"])?;
        reader.expect(&["new".into()])?;
    }
    Ok(())
}

/// A consumer that has read seven records of a follower which has no more.
fn behind_seven(stage: &Stage) -> Result<Reader> {
    follow(stage, json!({ "broker": 2, "end": 7 }))?;
    let reader = reader(stage, &[], Offset::Beginning)?;
    reader.expect(&numbers(7))?;
    let before = fetches(stage, 2, "")?;
    until_fetched(stage, 2, "", before + 2)?;
    Ok(reader)
}

fn a_follower_that_lags_is_waited_for() -> Result<()> {
    let stage = led_by_one(10)?;
    let reader = behind_seven(&stage)?;
    ensure!(fetches(&stage, 2, OUT_OF_RANGE)? == 0, "its end is no error");
    let before = fetches(&stage, 2, "")?;
    follow(&stage, json!({ "broker": 2 }))?;
    reader.expect(&numbers(10)[7..])?;
    ensure!(fetches(&stage, 2, "")? > before, "from the follower");
    Ok(())
}

fn a_follower_that_lost_records_is_left() -> Result<()> {
    let stage = led_by_one(10)?;
    let reader = behind_seven(&stage)?;
    follow(&stage, json!({ "broker": 2, "end": 5 }))?;
    reader.expect(&numbers(10)[7..])?;
    ensure!(fetches(&stage, 2, OUT_OF_RANGE)? >= 1, "it has told so");
    ensure!(stage.count("api=ListOffsets&client_id=reader")? <= 1, "no more than the first look for the beginning");
    Ok(())
}

fn a_follower_that_begins_later_is_not_asked() -> Result<()> {
    let stage = led_by_one(5)?;
    follow(&stage, json!({ "broker": 2, "start": 3 }))?;
    let reader = reader(&stage, &[], Offset::Offset(0))?;
    reader.expect(&numbers(5))?;
    ensure!(fetches(&stage, 2, OUT_OF_RANGE)? == 0, "the leader has served what is before it");
    ensure!(fetches(&stage, 2, "")? >= 1, "and the follower the rest");
    Ok(())
}

fn a_follower_that_is_not_there_is_waited_for() -> Result<()> {
    let stage = led_by_one(5)?;
    follow(&stage, json!({ "broker": 19 }))?;
    let reader = reader(&stage, &[], Offset::Beginning)?;
    until_fetched(&stage, 1, "", 3)?;
    follow(&stage, json!({ "broker": 3 }))?;
    reader.expect(&numbers(5))?;
    ensure!(fetches(&stage, 3, "")? >= 1, "from the follower");
    Ok(())
}

fn an_error_of_a_replica_asks_for_the_leader() -> Result<()> {
    for error in ["REPLICA_NOT_AVAILABLE", "OFFSET_NOT_AVAILABLE"] {
        let stage = led_by_one(5)?;
        let fault = stage.fault(json!({
            "match": { "api": "Fetch", "client_id": "reader", "broker": 1 },
            "action": { "error": error, "after": true },
        }))?;
        let reader = reader(&stage, &[], Offset::Beginning)?;
        fault.until_struck(1)?;
        stage.move_leader("t", 2)?;
        reader.expect(&numbers(5))?;
    }
    Ok(())
}

/// Three brokers, a topic that only 1 has, which 2 follows, and a consumer that waits there.
fn waiting_at_the_follower() -> Result<(Stage, Reader)> {
    let stage = Stage::with(&["--brokers", "3"])?;
    create_on(stage.port(), "t", 1)?;
    follow(&stage, json!({ "broker": 2 }))?;
    let reader = reader(&stage, &[], Offset::Beginning)?;
    until_fetched(&stage, 2, "", 1)?;
    Ok((stage, reader))
}

fn a_follower_that_is_none_any_more_is_left() -> Result<()> {
    let (stage, reader) = waiting_at_the_follower()?;
    follow(&stage, json!({ "broker": null }))?;
    until_fetched(&stage, 2, "&error=NOT_LEADER_OR_FOLLOWER", 1)?;
    numbers(5).iter().try_for_each(|value| stage.seed("t", &[value]))?;
    reader.expect(&numbers(5))?;
    Ok(())
}

fn a_follower_that_goes_down_is_left() -> Result<()> {
    let (stage, reader) = waiting_at_the_follower()?;
    stage.down(2)?;
    follow(&stage, json!({ "broker": 3 }))?;
    numbers(5).iter().try_for_each(|value| stage.seed("t", &[value]))?;
    reader.expect(&numbers(5))?;
    ensure!(fetches(&stage, 3, "")? >= 1, "from the other follower");
    Ok(())
}

fn a_rack_is_read_from() -> Result<()> {
    let selector = "replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector";
    let stage = Stage::with(&["--brokers", "3", "--topic", "t", "--override", selector])?;
    stage.move_leader("t", 1)?;
    stage.seed("t", &numbers(5))?;
    let read = |broker: i32| -> Result<()> {
        let reader = reader(&stage, &[("client.rack", "rack-2")], Offset::Beginning)?;
        reader.expect(&numbers(5))?;
        ensure!(fetches(&stage, broker, "")? >= 1, "from broker {broker}");
        Ok(())
    };
    read(2)?;
    ensure!(fetches(&stage, 3, "")? == 0, "which is in another rack");
    for (broker, rack) in [(3, "rack-2"), (2, "elsewhere")] {
        stage.deed(json!({ "rack": { "broker": broker, "rack": rack } }))?;
    }
    read(3)
}

fn a_hidden_broker_goes_on_serving() -> Result<()> {
    let stage = led_by_one(1)?;
    let reader = reader(&stage, &[], Offset::Beginning)?;
    reader.expect(&numbers(1))?;
    stage.deed(json!({ "hide": { "broker": 1, "hidden": true } }))?;
    let before = fetches(&stage, 1, "")?;
    until_fetched(&stage, 1, "", before + 2)?;
    // What it leads is told to a client that finds it in no list once another leads that.
    stage.move_leader("t", 2)?;
    stage.seed("t", &["1"])?;
    reader.expect(&["1".into()])
}
