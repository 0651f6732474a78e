//! `/v1/faults`: rules by which a broker in a test breaks on purpose (`klamm.faults=true`). What a rule is, is in `faults/`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::control::Control;
use super::reply::{self, Reply};
use super::routes::{Call, Parameter};
use crate::faults::FaultRule;

pub(super) const PARAMETERS: &[Parameter] =
    &[Parameter { name: "id", summary: "The rule's id; all rules where it is left out." }];

pub(super) const BODY: &str = "A rule or an array of them: match (api, versions, broker, client_id, principal, topic, partition, group, \
                               transactional_id, fields, nth, every, probability, seed), action (one of error, throttle_ms, \
                               delay_ms, close, hold, no_answer, truncate, corrupt, offer, stale and expire_member; delay_ms also \
                               beside another; and after: true where the request shall have its effect first), count, expires_ms.";

/// The id that stands in the request, if there is one.
fn id(call: &Call) -> Result<Option<u64>, Box<Reply>> {
    let Some((_, text)) = call.parameters.iter().find(|(name, _)| name == "id") else { return Ok(None) };
    let parsed = text.parse().map(Some);
    parsed.map_err(|_| Box::new(reply::bad_request("id is the number that adding the rule has answered")))
}

fn or_refused(answered: Result<Reply, Box<Reply>>) -> Reply {
    answered.unwrap_or_else(|refused| *refused)
}

pub(super) fn list(control: &Control) -> Reply {
    or_refused(
        control
            .of_a_test()
            .map(|(shared, board)| reply::ok(&json!({ "faults": board.show(shared.environment.now()) }))),
    )
}

pub(super) fn add(control: &Control, call: &Call) -> Reply {
    or_refused(control.of_a_test().map(|(shared, board)| {
        let now = shared.environment.now();
        let parsed = serde_json::from_slice::<Value>(&call.body).map_err(|_| "the body is no JSON".to_string());
        let rules = parsed.and_then(|body| match body {
            Value::Array(all) => all.iter().map(|rule| FaultRule::parse(rule, now)).collect(),
            one => FaultRule::parse(&one, now).map(|rule| vec![rule]),
        });
        match rules.and_then(|rules| board.add(rules, &shared.view.load_full(), now)) {
            Ok(ids) => reply::ok(&json!({ "ids": ids })),
            Err(sentence) => reply::bad_request(sentence),
        }
    }))
}

pub(super) fn remove(control: &Control, call: &Call) -> Reply {
    let removed = control.of_a_test().and_then(|(shared, board)| {
        let id = id(call)?;
        let count = board.remove(id);
        shared.nudge_all();
        Ok((id, count))
    });
    or_refused(removed.map(|(id, count)| match (id, count) {
        (Some(id), 0) => reply::refuse(StatusCode::NOT_FOUND, format!("there is no rule {id}")),
        _ => reply::ok(&json!({ "removed": count })),
    }))
}

pub(super) fn release(control: &Control, call: &Call) -> Reply {
    let released = control.of_a_test().and_then(|(shared, board)| {
        let id = id(call)?;
        let found = board.release(id);
        shared.nudge_all();
        Ok((id, found))
    });
    or_refused(released.map(|(id, found)| match id {
        Some(id) if !found => reply::refuse(StatusCode::NOT_FOUND, format!("there is no rule {id}")),
        _ => reply::ok(&json!({ "released": true })),
    }))
}
