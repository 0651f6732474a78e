//! Metadata: topics that come late, leaders that are not there, have moved or are told wrongly, brokers that go and come back,
//! older versions and broken beginnings of connections.

use crate::scenarios;
use crate::stage::{Sender, Stage, numbers};
use compat_tests::http::PATIENCE;
use compat_tests::{Result, ensure, raw::Raw};
use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;
use serde_json::json;
use std::time::{Duration, Instant};

scenarios! { "librdkafka";
    a_topic_that_appears_late_is_written: "librdkafka 0111 `do_test_producer`",
        "no topic for some Metadata, then it is made: the record that waited is there";
    a_topic_that_never_appears_is_told: "librdkafka 0111 `do_test_producer`",
        "no topic: UNKNOWN_TOPIC_OR_PARTITION when `topic.metadata.propagation.max.ms` is over";
    subscriptions_by_expression_find_new_topics: "librdkafka 0045 `do_test_regex_many_mock`",
        "an expression; topics are made one after the other; the assignment grows, with each assignor";
    metadata_before_a_join_is_no_error: "librdkafka 0146 `do_test_metadata_call_before_join`",
        "Metadata asked for behind a subscription: the poll tells no error";
    metadata_stays_known: "librdkafka 0146 `do_test_metadata_persists_in_cache`",
        "a topic's Metadata, then those of all topics: the subscription finds it, each assignor";
    a_refresh_ends_when_the_leader_is_known: "librdkafka 0146 `do_test_fast_metadata_refresh` (stops)",
        "`error` KAFKA_STORAGE_ERROR for one Produce, no other leader: one Metadata more, not one after the other";
    a_refresh_goes_on_while_there_is_an_error: "librdkafka 0146 `do_test_fast_metadata_refresh` (retries)",
        "the same, and the topic's Metadata has an error until the rule goes";
    a_leader_is_asked_for_more_and_more_rarely: "librdkafka 0143 `test_produce_fast_leader_query`",
        "`error` NOT_LEADER_OR_FOLLOWER for a Produce, and LEADER_NOT_AVAILABLE for the topic's Metadata: the times between those in the journal grow to the limit";
    stale_metadata_move_no_partition_back: "librdkafka 0146 `do_test_stale_metadata_doesnt_migrate_partition`",
        "three brokers, `move_leader`, OffsetForLeaderEpoch refused again and again, and Metadata of the time before: no Fetch goes to the old leader";
    producers_follow_two_leaders_at_once: "librdkafka 0146 `do_test_metadata_update_operation` (producer)",
        "three brokers, `move_leader` of two partitions: written within half a refresh, to the new brokers";
    consumers_follow_two_leaders_at_once: "librdkafka 0146 `do_test_metadata_update_operation` (consumer)",
        "the same for a consumer; `broker` in the journal says who was asked";
    a_partition_without_a_leader_is_waited_for: "franz-go kfake `TestIssue1331`",
        "three brokers, a topic on one of them, which goes down and comes back";
    all_brokers_go_and_come_back: "librdkafka 0151 `do_test_down_then_up_no_rebootstrap_loop`, 0095",
        "three brokers, all of them down: the client tells it, and goes on when they are back";
    a_cluster_rolls: "librdkafka 0151 `do_test_cluster_roll`",
        "three brokers, one after the other down and up, with a producer and a consumer";
    a_connection_that_is_not_answered_is_given_up: "librdkafka 0131",
        "`no_answer` for ApiVersions, `socket.connection.setup.timeout.ms=1000`";
    a_broken_beginning_is_begun_anew: "librdkafka 0035, franz-go kfake `TestAuditApiVersionsDowngradeLoopTerminates`",
        "`truncate`, `close` and `error` UNSUPPORTED_VERSION for ApiVersions";
    older_versions_are_spoken: "ours, beside librdkafka 0035",
        "`offer` of the oldest versions that carry record batches: those are what the journal shows";
    a_throttled_client_waits: "ours (KIP-219)",
        "`throttle_ms` for a Produce: the connection is left alone for that time";
}

fn create(stage: &Stage, topic: &str, partitions: i32) -> Result<()> {
    Raw::connect(stage.port())?.create_topic(topic, partitions, &[])
}

fn a_topic_that_appears_late_is_written() -> Result<()> {
    let stage = Stage::with(&["--override", "auto.create.topics.enable=false"])?;
    let sender = stage.producer(&[("topic.metadata.refresh.fast.interval.ms", "100")])?;
    sender.send("0")?;
    stage.until_asked("api=Metadata&topic=t", 3)?;
    ensure!(sender.told().deliveries().is_empty(), "it waits");
    create(&stage, "t", 1)?;
    sender.delivered(1)?;
    stage.expect(&numbers(1))
}

fn a_topic_that_never_appears_is_told() -> Result<()> {
    let stage = Stage::with(&["--override", "auto.create.topics.enable=false"])?;
    let sender = stage
        .producer(&[("topic.metadata.propagation.max.ms", "700"), ("topic.metadata.refresh.interval.ms", "200")])?;
    let began = Instant::now();
    sender.send("0")?;
    sender.wait(1)?;
    let deliveries = sender.told().deliveries();
    ensure!(matches!(deliveries[0].1, Err(Code::UnknownTopic | Code::UnknownTopicOrPartition)), "{deliveries:?}");
    ensure!(began.elapsed() >= Duration::from_millis(600), "not before: {:?}", began.elapsed());
    Ok(())
}

fn subscriptions_by_expression_find_new_topics() -> Result<()> {
    for assignor in ["range", "roundrobin", "cooperative-sticky"] {
        let stage = Stage::with(&[])?;
        let settings = [("partition.assignment.strategy", assignor), ("topic.metadata.refresh.interval.ms", "200")];
        let reader = stage.consumer(&settings)?;
        reader.consumer.subscribe(&["^topic.*"])?;
        for number in 0..4 {
            create(&stage, &format!("topic-{number}"), 2)?;
            reader.until_assigned(2 * number + 2)?;
        }
    }
    Ok(())
}

fn metadata_before_a_join_is_no_error() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(1))?;
    let reader = stage.subscriber(&[("topic.metadata.refresh.interval.ms", "-1")])?;
    reader.consumer.fetch_metadata(None, PATIENCE)?;
    let (began, mut found) = (Instant::now(), None);
    while found.is_none() && began.elapsed() < PATIENCE {
        found = reader.consumer.poll(Duration::from_millis(50));
    }
    ensure!(matches!(found, Some(Ok(_))), "{:?}", found.map(|found| found.map(|message| crate::stage::text(&message))));
    Ok(())
}

fn metadata_stays_known() -> Result<()> {
    for assignor in ["range", "cooperative-sticky"] {
        let stage = Stage::one()?;
        stage.seed("t", &numbers(1))?;
        let reader = stage.consumer(&[("partition.assignment.strategy", assignor)])?;
        ensure!(reader.consumer.fetch_metadata(Some("t"), PATIENCE)?.topics()[0].partitions().len() == 1, "one");
        reader.consumer.subscribe(&["t"])?;
        reader.consumer.fetch_metadata(None, PATIENCE)?;
        reader.expect(&numbers(1))?;
        ensure!(reader.told().errors().is_empty(), "{:?}", reader.told().errors());
    }
    Ok(())
}

fn a_refresh_ends_when_the_leader_is_known() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.producer(&[])?;
    sender.send("0")?;
    sender.delivered(1)?;
    let before = stage.count("api=Metadata")?;
    stage.errors("Produce", &["KAFKA_STORAGE_ERROR"])?;
    sender.send("1")?;
    sender.delivered(2)?;
    // A record behind that: time in which more would have come.
    sender.send("2")?;
    sender.delivered(3)?;
    let more = stage.count("api=Metadata")? - before;
    ensure!((1..=2).contains(&more), "{more} more");
    Ok(())
}

fn a_refresh_goes_on_while_there_is_an_error() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.producer(&[])?;
    sender.send("0")?;
    sender.delivered(1)?;
    let action = json!({ "error": "LEADER_NOT_AVAILABLE", "after": true });
    let fault = stage.fault(json!({ "match": { "api": "Metadata", "topic": "t" }, "action": action }))?;
    stage.errors("Produce", &["NOT_LEADER_OR_FOLLOWER"])?;
    sender.send("1")?;
    fault.until_struck(4)?;
    fault.remove()?;
    sender.delivered(2)?;
    stage.expect(&numbers(2))
}

fn a_leader_is_asked_for_more_and_more_rarely() -> Result<()> {
    let stage = Stage::one()?;
    let settings = [("retry.backoff.ms", "50"), ("retry.backoff.max.ms", "500"), ("client.id", "writer")];
    let sender = stage.producer(&settings)?;
    sender.send("0")?;
    sender.delivered(1)?;
    let action = json!({ "error": "LEADER_NOT_AVAILABLE", "after": true });
    let fault = stage.fault(json!({ "match": { "api": "Metadata", "topic": "t" }, "action": action }))?;
    let before = stage.count("api=Metadata&client_id=writer")?;
    stage.errors("Produce", &["NOT_LEADER_OR_FOLLOWER"])?;
    sender.send("1")?;
    fault.until_struck(7)?;
    fault.remove()?;
    sender.delivered(2)?;
    let gaps = stage.gaps("api=Metadata&client_id=writer")?[before..].to_vec();
    ensure!(gaps[..6].iter().sum::<i64>() >= 900, "they grow: {gaps:?}");
    ensure!(gaps[..6].iter().all(|gap| *gap <= 2000), "to a limit: {gaps:?}");
    stage.expect(&numbers(2))
}

fn stale_metadata_move_no_partition_back() -> Result<()> {
    let stage = Stage::three()?;
    stage.seed("t", &numbers(1))?;
    let first = stage.leader("t")?;
    let settings =
        [("client.id", "reader"), ("topic.metadata.refresh.interval.ms", "500"), ("fetch.error.backoff.ms", "10")];
    let reader = stage.assigned(&settings, Offset::Beginning)?;
    reader.expect(&numbers(1))?;
    // Refused again and again, not held: a request for Metadata on the same connection would wait behind it.
    let refused = json!({ "match": { "api": "OffsetForLeaderEpoch" }, "action": { "error": "KAFKA_STORAGE_ERROR" } });
    let refused = stage.fault(refused)?;
    let second = first % 3 + 1;
    // What is told is as it was before the move, as long as the rule stands.
    let stale = stage.fault(json!({ "match": { "api": "Metadata", "nth": 2 }, "action": { "stale": true } }))?;
    stage.move_leader("t", second)?;
    reader.poll_until("it validates", || Ok(refused.struck()? > 0))?;
    reader.poll_until("it was told what is old", || Ok(stale.struck()? > 0))?;
    let since =
        stage.requests("api=Metadata&client_id=reader")?.last().map(|last| last["at"].clone()).unwrap_or_default();
    refused.remove()?;
    stage.seed("t", &["1"])?;
    reader.expect(&["1".into()])?;
    let back = stage.count(&format!("api=Fetch&client_id=reader&broker={first}&since={since}"))?;
    ensure!(back == 0, "{back} went to the old leader");
    Ok(())
}

/// Leaders of the two partitions of `t`, and others.
fn two_partitions() -> Result<Stage> {
    let stage = Stage::with(&["--brokers", "3", "--topic", "t:2"])?;
    stage.deed(json!({ "move_leader": { "topic": "t", "partition": 0, "to": 1 } }))?;
    stage.deed(json!({ "move_leader": { "topic": "t", "partition": 1, "to": 2 } }))?;
    Ok(stage)
}

fn send_both(sender: &Sender, value: &str) -> Result<()> {
    for partition in 0..2 {
        sender.send_at(partition, value)?;
    }
    sender.flush()
}

fn move_both(stage: &Stage) -> Result<()> {
    stage.deed(json!({ "move_leader": { "topic": "t", "partition": 0, "to": 3 } }))?;
    stage.deed(json!({ "move_leader": { "topic": "t", "partition": 1, "to": 1 } })).map(drop)
}

fn producers_follow_two_leaders_at_once() -> Result<()> {
    let stage = two_partitions()?;
    let sender = stage.producer(&[("client.id", "writer")])?;
    send_both(&sender, "0")?;
    move_both(&stage)?;
    let began = Instant::now();
    send_both(&sender, "1")?;
    sender.delivered(4)?;
    ensure!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    for (partition, broker) in [(0, 3), (1, 1)] {
        let last = stage.requests(&format!("api=Produce&client_id=writer&broker={broker}"))?;
        ensure!(last.last().is_some_and(|last| last["errors"] == json!({})), "partition {partition}: {last:?}");
    }
    Ok(())
}

fn consumers_follow_two_leaders_at_once() -> Result<()> {
    let stage = two_partitions()?;
    let sender = stage.producer(&[])?;
    send_both(&sender, "0")?;
    let reader = stage.subscriber(&[("client.id", "reader")])?;
    reader.expect(&["0".into(), "0".into()])?;
    move_both(&stage)?;
    send_both(&sender, "1")?;
    reader.expect(&["1".into(), "1".into()])?;
    ensure!(stage.count("api=Fetch&client_id=reader&broker=3")? > 0, "the new leader was asked");
    Ok(())
}

fn a_partition_without_a_leader_is_waited_for() -> Result<()> {
    let stage = Stage::with(&["--brokers", "3"])?;
    crate::admin::create_on(stage.port(), "t", 2)?;
    let sender = stage.producer(&[("enable.idempotence", "true")])?;
    let reader =
        stage.assigned(&[("client.id", "reader"), ("topic.metadata.refresh.interval.ms", "200")], Offset::Beginning)?;
    sender.send("0")?;
    sender.delivered(1)?;
    reader.expect(&numbers(1))?;
    stage.down(2)?;
    ensure!(stage.leader("t")? == -1, "nothing leads");
    sender.send("1")?;
    let before = stage.count("api=Metadata&client_id=reader")?;
    reader.poll_until("they ask and ask", || Ok(stage.count("api=Metadata&client_id=reader")? > before + 5))?;
    ensure!(sender.told().deliveries().len() == 1, "it waits");
    stage.up(2)?;
    sender.delivered(2)?;
    reader.expect(&["1".into()])
}

fn all_brokers_go_and_come_back() -> Result<()> {
    let stage = Stage::three()?;
    let sender = stage.producer(&[])?;
    sender.send("0")?;
    sender.delivered(1)?;
    (1..=3).try_for_each(|broker| stage.down(broker))?;
    sender.send("1")?;
    sender.until_told(Code::AllBrokersDown)?;
    (1..=3).try_for_each(|broker| stage.up(broker))?;
    sender.delivered(2)?;
    stage.expect(&numbers(2))
}

fn a_cluster_rolls() -> Result<()> {
    let stage = Stage::three()?;
    let sender = stage.producer(&[("enable.idempotence", "true")])?;
    // Without a group: `groups.rs` has its coordinator move.
    let reader = stage.assigned(&[], Offset::Beginning)?;
    for (number, broker) in [1, 2, 3, 1, 2, 3].into_iter().enumerate() {
        stage.down(broker)?;
        sender.send(&(2 * number).to_string())?;
        sender.delivered(2 * number + 1)?;
        stage.up(broker)?;
        sender.send(&(2 * number + 1).to_string())?;
        sender.delivered(2 * number + 2)?;
    }
    reader.expect(&numbers(12))
}

fn a_connection_that_is_not_answered_is_given_up() -> Result<()> {
    let stage = Stage::one()?;
    let fault =
        stage.fault(json!({ "match": { "api": "ApiVersions" }, "action": { "no_answer": true }, "count": 1 }))?;
    let began = Instant::now();
    let sender = stage.producer(&[("socket.connection.setup.timeout.ms", "1000")])?;
    sender.send("0")?;
    sender.delivered(1)?;
    ensure!(fault.struck()? == 1 && began.elapsed() >= Duration::from_millis(900), "after {:?}", began.elapsed());
    Ok(())
}

fn a_broken_beginning_is_begun_anew() -> Result<()> {
    let stage = Stage::one()?;
    let actions = [json!({ "truncate": 9 }), json!({ "close": true }), json!({ "error": "UNSUPPORTED_VERSION" })];
    for (number, action) in actions.into_iter().enumerate() {
        let client = format!("writer-{number}");
        let fault = stage.fault(json!({ "match": { "api": "ApiVersions" }, "action": action, "count": 1 }))?;
        let sender = stage.producer(&[("client.id", &client)])?;
        sender.send(&number.to_string())?;
        sender.delivered(1)?;
        ensure!(fault.struck()? == 1, "action {number} struck");
    }
    let last = stage.requests("api=ApiVersions&client_id=writer-2")?;
    ensure!(last.len() >= 2 && last[1]["version"].as_i64() < last[0]["version"].as_i64(), "an older version: {last:?}");
    stage.expect(&numbers(3))
}

fn older_versions_are_spoken() -> Result<()> {
    const OLD: [(&str, [i16; 2]); 8] = [
        ("Produce", [3, 3]),
        ("Fetch", [4, 4]),
        ("Metadata", [1, 2]),
        ("ListOffsets", [1, 1]),
        ("FindCoordinator", [0, 0]),
        ("JoinGroup", [0, 0]),
        ("OffsetCommit", [2, 2]),
        ("OffsetFetch", [1, 1]),
    ];
    let stage = Stage::one()?;
    let offer: serde_json::Map<_, _> = OLD.iter().map(|(api, both)| (api.to_string(), json!(both))).collect();
    stage.fault(json!({ "match": { "api": "ApiVersions" }, "action": { "offer": offer } }))?;
    let sender = stage.producer(&[])?;
    numbers(3).iter().try_for_each(|value| sender.send(value))?;
    sender.delivered(3)?;
    let reader = stage.subscriber(&[])?;
    reader.expect(&numbers(3))?;
    reader.consumer.commit_consumer_state(rdkafka::consumer::CommitMode::Sync)?;
    ensure!(reader.committed()? == Offset::Offset(3), "committed");
    for (api, [_, last]) in OLD {
        let versions: Vec<_> = stage.requests(&format!("api={api}"))?.iter().map(|of| of["version"].clone()).collect();
        ensure!(!versions.is_empty() && versions.iter().all(|version| *version == last), "{api}: {versions:?}");
    }
    Ok(())
}

fn a_throttled_client_waits() -> Result<()> {
    let stage = Stage::one()?;
    let sender = stage.producer(&[("max.in.flight", "1"), ("batch.num.messages", "1")])?;
    sender.send("0")?;
    sender.delivered(1)?;
    stage.fault(json!({ "match": { "api": "Produce" }, "action": { "throttle_ms": 700 }, "count": 1 }))?;
    sender.send("1")?;
    sender.delivered(2)?;
    sender.send("2")?;
    sender.delivered(3)?;
    let gaps = stage.gaps("api=Produce")?;
    ensure!(gaps[1] >= 650, "{gaps:?}");
    stage.expect(&numbers(3))
}
