//! The deeds that do to logs now what the clock would do later.

use super::{PATIENCE, client, produce};
use compat_tests::broker::Broker;
use compat_tests::http::Http;
use compat_tests::raw::Raw;
use compat_tests::{Result, ensure};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

const NOON_OF_LONG_AGO_MS: i64 = 946_728_000_000;

fn keyed(broker: &Broker, records: &[(&str, Option<&str>)]) -> Result<()> {
    let producer: BaseProducer = client(broker).create()?;
    for (key, value) in records {
        let record = BaseRecord::to("accounts").key(*key).partition(0);
        let record = if let Some(value) = value { record.payload(*value) } else { record };
        producer.send(record).map_err(|(error, _)| error)?;
        producer.flush(PATIENCE)?;
    }
    Ok(())
}

fn stored(http: &Http) -> Result<Vec<(i64, String, Value)>> {
    let told = http.json("/v1/records?topic=accounts")?;
    let records = told["records"].as_array().into_iter().flatten().rev();
    let show = |record: &Value| {
        let key = record["key"].as_str().unwrap_or_default().to_string();
        (record["offset"].as_i64().unwrap_or(-1), key, record["value"].clone())
    };
    Ok(records.map(show).collect())
}

/// The last record of each key stays, also where it was in the active segment.
pub fn compact(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic("accounts", 2, &[("cleanup.policy", "compact")])?;
    raw.create_topic("t", 1, &[])?;
    keyed(broker, &[("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("b", None), ("a", Some("3"))])?;
    let told = http.change("/v1/deeds", &json!({ "compact": { "topic": "accounts" } }))?;
    let logs = told["compacted"].as_array().cloned().unwrap_or_default();
    ensure!(logs.len() == 1 && logs[0]["partition"] == 0, "one log had records: {told}");
    ensure!(logs[0]["records_read"] == 5 && logs[0]["records_written"] == 2, "{told}");
    let expected = vec![(3, "b".to_string(), Value::Null), (4, "a".to_string(), json!("3"))];
    ensure!(stored(&http)? == expected, "{:?}", stored(&http)?);
    let told = http.change("/v1/deeds", &json!({ "compact": {} }))?;
    let logs = told["compacted"].as_array().cloned().unwrap_or_default();
    ensure!(logs.iter().all(|log| log["topic"] != "accounts"), "it is clean: {told}");
    keyed(broker, &[("a", Some("4"))])?;
    http.change("/v1/deeds", &json!({ "compact": {} }))?;
    ensure!(stored(&http)?.last() == Some(&(5, "a".to_string(), json!("4"))), "{:?}", stored(&http)?);
    ensure!(stored(&http)?.len() == 2, "{:?}", stored(&http)?);
    for (topic, expected) in [("t", 409), ("none", 404)] {
        let (status, told) = http.post("/v1/deeds", &json!({ "compact": { "topic": topic } }))?;
        ensure!(status == expected, "{topic}: {status} {told}");
    }
    Ok(())
}

/// What is too old goes at once, the active segment among it.
pub fn retain(broker: &mut Broker) -> Result<()> {
    let http = Http::of(broker)?;
    let mut raw = Raw::connect(broker.port())?;
    for topic in ["old", "other"] {
        raw.create_topic(topic, 1, &[("retention.ms", "3600000")])?;
    }
    raw.create_topic("kept", 1, &[("retention.ms", "-1")])?;
    let producer: BaseProducer = client(broker).create()?;
    for topic in ["old", "other", "kept"] {
        for _ in 0..3 {
            let record = BaseRecord::<str, str>::to(topic).payload("x").partition(0).timestamp(NOON_OF_LONG_AGO_MS);
            producer.send(record).map_err(|(error, _)| error)?;
        }
    }
    producer.flush(PATIENCE)?;
    let retained = |of: Value| -> Result<Vec<(String, i64)>> {
        let told = http.change("/v1/deeds", &json!({ "retain": of }))?;
        let logs = told["retained"].as_array().cloned().unwrap_or_default();
        let show = |log: Value| (log["topic"].as_str().unwrap_or_default().into(), log["start"].as_i64().unwrap_or(-1));
        Ok(logs.into_iter().map(show).collect())
    };
    ensure!(retained(json!({ "topic": "old" }))? == [("old".to_string(), 3)], "three records are gone");
    ensure!(retained(json!({}))? == [("other".to_string(), 3)], "and those of the other topic");
    ensure!(retained(json!({}))?.is_empty(), "nothing is left");
    let kept = http.json("/v1/records?topic=kept")?;
    ensure!(kept["records"].as_array().is_some_and(|records| records.len() == 3), "{kept}");
    produce(broker, "old", 1)?;
    ensure!(retained(json!({}))?.is_empty(), "it is new");
    ensure!(http.post("/v1/deeds", &json!({ "retain": { "topic": "none" } }))?.0 == 404, "there is no such topic");
    Ok(())
}
