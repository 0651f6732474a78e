//! Logins that go wrong on their way to the broker, of clients with the right password.

use crate::scenarios;
use crate::stage::{Stage, numbers};
use compat_tests::{Result, ensure};
use rdkafka::error::RDKafkaErrorCode as Code;
use serde_json::json;

scenarios! { "librdkafka";
    a_login_that_is_refused_once_is_made_again: "ours",
        "`--user`, `error` SASL_AUTHENTICATION_FAILED for one SaslAuthenticate: told, and the next login lets it in";
    a_login_that_hangs_is_begun_anew: "ours, beside librdkafka 0131",
        "`--user`, `hold` for one SaslAuthenticate, `socket.connection.setup.timeout.ms=1000`: given up, and another connection is made";
    each_step_of_a_login_can_break: "ours",
        "`--user`, `close`, `truncate` and `delay_ms` for ApiVersions, SaslHandshake and SaslAuthenticate, one after the other";
}

const LOGIN: [(&str, &str); 4] = [
    ("security.protocol", "SASL_PLAINTEXT"),
    ("sasl.mechanism", "PLAIN"),
    ("sasl.username", "alice"),
    ("sasl.password", "secret"),
];

fn secured() -> Result<Stage> {
    Stage::with(&["--topic", "t", "--user", "alice:secret"])
}

fn a_login_that_is_refused_once_is_made_again() -> Result<()> {
    let stage = secured()?;
    let action = json!({ "error": "SASL_AUTHENTICATION_FAILED" });
    let fault = stage.fault(json!({ "match": { "api": "SaslAuthenticate" }, "action": action, "count": 1 }))?;
    let sender = stage.producer(&LOGIN)?;
    numbers(2).iter().try_for_each(|value| sender.send(value))?;
    sender.delivered(2)?;
    sender.until_told(Code::Authentication)?;
    ensure!(fault.struck()? == 1, "it struck");
    Ok(())
}

fn a_login_that_hangs_is_begun_anew() -> Result<()> {
    let stage = secured()?;
    let rule = json!({ "match": { "api": "SaslAuthenticate" }, "action": { "hold": true }, "count": 1 });
    let fault = stage.fault(rule)?;
    let sender = stage.producer(&[&LOGIN[..], &[("socket.connection.setup.timeout.ms", "1000")]].concat())?;
    numbers(2).iter().try_for_each(|value| sender.send(value))?;
    sender.delivered(2)?;
    ensure!(fault.struck()? == 1, "it struck");
    Ok(())
}

fn each_step_of_a_login_can_break() -> Result<()> {
    let stage = secured()?;
    let actions = [json!({ "close": true }), json!({ "truncate": 6 }), json!({ "delay_ms": 20 })];
    let mut faults = Vec::new();
    for api in ["ApiVersions", "SaslHandshake", "SaslAuthenticate"] {
        for action in &actions {
            let rule = json!({ "match": { "api": api, "client_id": "writer" }, "action": action, "count": 1 });
            faults.push(stage.fault(rule)?);
        }
    }
    let sender = stage.producer(&[&LOGIN[..], &[("client.id", "writer")]].concat())?;
    numbers(2).iter().try_for_each(|value| sender.send(value))?;
    sender.delivered(2)?;
    for (at, fault) in faults.iter().enumerate() {
        ensure!(fault.struck()? == 1, "rule {at} struck");
    }
    Ok(())
}
