//! The broker in this process, the crate `rdkafka` before it: produce and consume, a fault, a step of the clock, an assertion on
//! requests, fixtures, deeds, snapshots, brokers side by side.

use std::time::{Duration, Instant};

use klamm::test::Broker;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

/// How long anything here may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn client(broker: &Broker, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers()).set("client.id", "shop").set("retry.backoff.ms", "10");
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config
}

fn send(producer: &BaseProducer, topic: &str, values: &[&str]) -> Result<()> {
    for value in values {
        producer.send(BaseRecord::<(), str>::to(topic).payload(value)).map_err(|(error, _)| error)?;
    }
    producer.flush(DEADLINE).map_err(|error| format!("the records are not acknowledged: {error}").into())
}

fn reader(broker: &Broker, topic: &str) -> Result<BaseConsumer> {
    let settings = [("group.id", "readers"), ("auto.offset.reset", "earliest"), ("enable.auto.commit", "false")];
    let consumer: BaseConsumer = client(broker, &settings).create()?;
    consumer.subscribe(&[topic])?;
    Ok(consumer)
}

fn read(consumer: &BaseConsumer, count: usize) -> Result<Vec<String>> {
    let (mut values, late) = (Vec::new(), Instant::now() + DEADLINE);
    while values.len() < count {
        assert!(Instant::now() < late, "{} of {count} records in {DEADLINE:?}", values.len());
        // There may be none because it was about something else: it has joined the group.
        match consumer.poll(Duration::from_millis(100)) {
            // A broker is down: the consumer goes on with the others.
            None | Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::BrokerTransportFailure))) => {}
            Some(message) => values.push(String::from_utf8_lossy(message?.payload().unwrap_or_default()).into_owned()),
        }
    }
    Ok(values)
}

fn values(broker: &Broker, topic: &str) -> Result<Vec<Value>> {
    let records = broker.records(topic, 0)?;
    Ok(records.into_iter().filter(|record| record["control"].is_null()).map(|record| record["value"].clone()).collect())
}

#[test]
fn produce_and_consume() -> Result<()> {
    let broker = Broker::builder().topic("orders", 1).start()?;
    send(&client(&broker, &[]).create()?, "orders", &["a", "b", "c"])?;
    let consumer = reader(&broker, "orders")?;
    assert!(read(&consumer, 3)? == ["a", "b", "c"]);
    broker.wait_for("group=readers&members=1")?;
    consumer.commit_consumer_state(CommitMode::Sync)?;
    broker.wait_for("group=readers&lag=0")?;
    let groups = broker.groups()?;
    assert!(groups.len() == 1 && groups[0]["lag"] == 0, "{groups:?}");
    Ok(())
}

#[test]
fn a_refusal_is_retried() -> Result<()> {
    let broker = Broker::builder().topic("orders", 1).start()?;
    let refusal = json!({
        "match": { "api": "Produce", "topic": "orders" }, "action": { "error": "NOT_LEADER_OR_FOLLOWER" }, "count": 2,
    });
    broker.fault(&refusal)?;
    send(&client(&broker, &[]).create()?, "orders", &["a"])?;
    let rules = broker.faults()?;
    assert!(rules[0]["struck"] == 2 && rules[0]["over"] == true, "{rules:?}");
    broker.clear_faults()?;
    assert!(broker.faults()?.is_empty());
    Ok(())
}

#[test]
fn a_lost_acknowledgement_writes_once() -> Result<()> {
    let broker = Broker::builder().topic("orders", 1).start()?;
    broker.fault(&json!({ "match": { "api": "Produce" }, "action": { "close": true, "after": true }, "count": 1 }))?;
    send(&client(&broker, &[("enable.idempotence", "true")]).create()?, "orders", &["a"])?;
    assert!(values(&broker, "orders")? == ["a"]);
    broker.assert_requests(&json!({ "match": { "api": "Produce" }, "at_least": 2 }))?;
    Ok(())
}

#[test]
fn an_hour_passes() -> Result<()> {
    let broker = Broker::builder().topic_with("orders", 1, &[("retention.ms", "60000")]).start()?;
    broker.freeze(true)?;
    send(&client(&broker, &[]).create()?, "orders", &["a", "b"])?;
    assert!(values(&broker, "orders")? == ["a", "b"]);
    broker.advance(HOUR)?;
    assert!(values(&broker, "orders")?.is_empty());
    broker.freeze(false)?;
    Ok(())
}

#[test]
fn what_was_sent() -> Result<()> {
    let broker = Broker::builder().topic("orders", 1).start()?;
    send(&client(&broker, &[]).create()?, "orders", &["a"])?;
    let sent = broker.requests("api=Produce&topic=orders&client_id=shop&records=true")?;
    assert!(sent.len() == 1, "{sent:?}");
    let record = &sent[0]["request"]["topicData"][0]["partitionData"][0]["records"]["batches"][0]["records"][0];
    assert!(record["value"] == "a", "{record}");
    let refused = broker.assert_requests(&json!({ "match": { "api": "Produce" }, "at_most": 0 })).err();
    assert!(refused.as_ref().is_some_and(|sentence| sentence.contains("0 were expected")), "{refused:?}");
    Ok(())
}

#[test]
fn topics_and_records_in_and_out() -> Result<()> {
    let broker = Broker::builder().start()?;
    let lines = r#"{"topic":"orders","partitions":1,"configs":{"cleanup.policy":"compact"}}
{"topic":"orders","key":"k1","value":{"json":{"amount":5}},"headers":[["trace","a"]]}
"#;
    assert!(broker.load_fixtures(lines)? == json!({ "topics": 1, "records": 1 }));
    assert!(read(&reader(&broker, "orders")?, 1)? == [r#"{"amount":5}"#]);
    let dumped = broker.dump_fixtures(Some("orders"))?;
    broker.reset()?;
    assert!(broker.topics()?.is_empty());
    broker.load_fixtures(&dumped)?;
    assert!(broker.dump_fixtures(None)? == dumped);
    assert!(broker.metrics()?.contains("\nkafka_topic_partitions{topic=\"orders\"} 1\n"));
    Ok(())
}

fn member(broker: &Broker) -> Result<Option<String>> {
    let groups = broker.groups()?;
    Ok(groups[0]["members"][0]["member_id"].as_str().map(String::from))
}

#[test]
fn a_member_is_expired() -> Result<()> {
    let broker = Broker::builder().topic("orders", 1).start()?;
    send(&client(&broker, &[]).create()?, "orders", &["a"])?;
    let consumer = reader(&broker, "orders")?;
    read(&consumer, 1)?;
    broker.wait_for("group=readers&members=1")?;
    let before = member(&broker)?.ok_or("the group has no member")?;
    broker.expire_member("readers", &before)?;
    let late = Instant::now() + DEADLINE;
    while member(&broker)?.is_none_or(|now| now == before) {
        assert!(Instant::now() < late, "no member has joined again in {DEADLINE:?}");
        drop(consumer.poll(Duration::from_millis(10)));
    }
    broker.force_rebalance("readers")?;
    broker.expire_members("readers")?;
    Ok(())
}

#[test]
fn a_producer_is_fenced() -> Result<()> {
    let broker = Broker::builder().topic("orders", 1).start()?;
    let producer: BaseProducer = client(&broker, &[("transactional.id", "payments")]).create()?;
    producer.init_transactions(DEADLINE)?;
    producer.begin_transaction()?;
    send(&producer, "orders", &["a"])?;
    broker.fence_producer("payments")?;
    let refused = producer.commit_transaction(DEADLINE).err().and_then(|error| error.rdkafka_error_code());
    let fenced = [RDKafkaErrorCode::Fenced, RDKafkaErrorCode::ProducerFenced, RDKafkaErrorCode::InvalidProducerEpoch];
    assert!(refused.is_some_and(|code| fenced.contains(&code)), "{refused:?}");
    let records = broker.records("orders", 0)?;
    assert!(records[0]["transaction"] == "aborted", "{records:?}");
    Ok(())
}

#[test]
fn back_to_a_snapshot() -> Result<()> {
    let broker = Broker::builder().topic("orders", 1).start()?;
    let send = |value| send(&client(&broker, &[]).create()?, "orders", &[value]);
    send("a")?;
    broker.snapshot("seeded")?;
    send("b")?;
    broker.reset_to("seeded")?;
    assert!(values(&broker, "orders")? == ["a"]);
    assert!(broker.snapshots()?[0]["name"] == "seeded");
    broker.forget_snapshot("seeded")?;
    send("c")?;
    assert!(values(&broker, "orders")? == ["a", "c"]);
    broker.reset()?;
    assert!(values(&broker, "orders")?.is_empty());
    Ok(())
}

fn leader(broker: &Broker) -> Result<i32> {
    let leader = broker.topics()?[0]["partitions"][0]["leader"].as_i64().ok_or("orders-0 has no leader")?;
    Ok(i32::try_from(leader)?)
}

#[test]
fn consumers_are_sent_to_a_follower_and_told_of_other_brokers() -> Result<()> {
    let broker = Broker::builder().brokers(3).topic("orders", 1).start()?;
    send(&client(&broker, &[]).create()?, "orders", &["a"])?;
    let follower = leader(&broker)? % 3 + 1;
    broker.set_follower("orders", 0, Some(follower))?;
    assert!(read(&reader(&broker, "orders")?, 1)? == ["a"]);
    broker.assert_requests(&json!({ "match": { "api": "Fetch", "broker": follower }, "at_least": 1 }))?;
    broker.set_lagging_follower("orders", 0, follower, 0..1)?;
    broker.set_follower("orders", 0, None)?;
    broker.set_rack(1, Some("a"))?;
    broker.set_rack(2, None)?;
    broker.hide_broker(3, true)?;
    let told =
        || -> Result<Vec<_>> { Ok(broker.brokers()?.iter().map(|of| json!([of["rack"], of["hidden"]])).collect()) };
    assert!(told()? == [json!(["a", false]), json!([null, false]), json!(["rack-3", true])]);
    broker.hide_broker(3, false)?;
    assert!(told()?[2] == json!(["rack-3", false]));
    broker.tell_leader("orders", 0, Some((9, 7)))?;
    broker.tell_leader("orders", 0, None)?;
    broker.set_address(2, Some(("proxy.test", 9192)))?;
    broker.set_address(2, None)?;
    assert!(broker.set_address(4, None).unwrap_err().contains("there is no broker 4"));
    Ok(())
}

#[test]
fn leaders_and_coordinators_move_and_a_broker_goes_down() -> Result<()> {
    let broker = Broker::builder().brokers(3).topic("orders", 1).start()?;
    assert!(broker.bootstrap_servers().split(',').count() == 3);
    let send = |value| send(&client(&broker, &[]).create()?, "orders", &[value]);
    send("a")?;
    // The metadata of before are shown once more, and the one that leads now is asked.
    broker.fault(&json!({ "match": { "api": "Metadata" }, "action": { "stale": true }, "count": 1 }))?;
    let moved = leader(&broker)? % 3 + 1;
    let refusal = json!({ "error": "NOT_ENOUGH_REPLICAS" });
    broker.fault(&json!({ "match": { "api": "Produce", "broker": moved }, "action": refusal, "count": 1 }))?;
    broker.move_leader("orders", 0, moved)?;
    assert!(leader(&broker)? == moved);
    send("b")?;
    let rules = broker.faults()?;
    assert!(rules.len() == 2 && rules.iter().all(|rule| rule["struck"] == 1), "{rules:?}");
    let consumer = reader(&broker, "orders")?;
    assert!(read(&consumer, 2)? == ["a", "b"]);
    broker.move_group_coordinator("readers", moved)?;
    consumer.commit_consumer_state(CommitMode::Sync)?;
    broker.wait_for("group=readers&lag=0")?;

    broker.take_broker_down(moved)?;
    let down = broker.brokers()?.into_iter().find(|one| one["broker"] == moved).ok_or("it is in the list")?;
    assert!(down["up"] == false && down["leads"] == 0, "{down}");
    send("c")?;
    broker.bring_broker_up(moved)?;
    assert!(broker.brokers()?.iter().all(|one| one["up"] == true) && leader(&broker)? != moved);
    assert!(read(&consumer, 1)? == ["c"]);
    assert!(values(&broker, "orders")? == ["a", "b", "c"]);
    Ok(())
}

#[test]
fn the_coordinator_of_a_transaction_moves() -> Result<()> {
    let broker = Broker::builder().brokers(3).topic("orders", 1).start()?;
    let producer: BaseProducer = client(&broker, &[("transactional.id", "payments")]).create()?;
    producer.init_transactions(DEADLINE)?;
    producer.begin_transaction()?;
    send(&producer, "orders", &["a"])?;
    for to in 1..=3 {
        broker.move_transaction_coordinator("payments", to)?;
    }
    producer.commit_transaction(DEADLINE)?;
    broker.wait_for("transactional_id=payments")?;
    assert!(broker.records("orders", 0)?[0]["transaction"] == "committed");
    Ok(())
}

#[test]
fn brokers_side_by_side() -> Result<()> {
    let start = |_| Broker::builder().topic("orders", 1).start();
    let brokers = (0..4).map(start).collect::<std::result::Result<Vec<_>, _>>()?;
    for (number, broker) in brokers.iter().enumerate() {
        send(&client(broker, &[]).create()?, "orders", &[&number.to_string()])?;
    }
    for (number, broker) in brokers.iter().enumerate() {
        assert!(values(broker, "orders")? == [number.to_string()]);
    }
    Ok(())
}

#[test]
fn a_user_logs_in() -> Result<()> {
    let broker = Broker::builder().topic("orders", 1).user("alice", "a secret").start()?;
    let login = |password| {
        let names = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "PLAIN"), ("sasl.username", "alice")];
        client(&broker, &[&names[..], &[("sasl.password", password)]].concat())
    };
    send(&login("a secret").create()?, "orders", &["a"])?;
    broker.assert_requests(&json!({ "match": { "api": "Produce", "principal": "User:alice" }, "at_least": 1 }))?;
    let refused = Broker::builder().user("alice smith", "a secret").start().err();
    assert!(refused.as_ref().is_some_and(|sentence| !sentence.contains("secret")), "{refused:?}");
    Ok(())
}
