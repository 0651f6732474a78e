//! One request as JSON, its bodies decoded when they are asked for.

use serde_json::{Map, Value, json};

use super::Shown;
use crate::config::definitions;
use crate::model::ErrorCode;
use crate::shard::context::Shared;
use crate::shard::journal::{Bodies, ExchangeEnd, RequestExchange};
use crate::wire::json::{self as frames, RecordsShown};

pub(super) fn exchange(shared: &Shared, exchange: &RequestExchange, shown: Shown) -> Value {
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let listener = shared.config.listeners.get(exchange.listener).map(|listener| listener.name.as_str());
    let errors = exchange.errors.iter().map(|(code, count)| {
        let name = ErrorCode::from_code(code).map_or_else(|| code.to_string(), |code| code.name().to_string());
        (name, Value::from(count))
    });
    let (end, reason) = match &exchange.end {
        ExchangeEnd::Answered => ("answered", None),
        ExchangeEnd::Silent => ("silent", None),
        ExchangeEnd::Closed(reason) => ("closed", Some(reason)),
    };
    let mut value = json!({
        "id": format!("{}-{}", exchange.shard, exchange.number),
        "at": exchange.at.0,
        "shard": exchange.shard,
        "connection": exchange.connection,
        "broker": shared.config.cast().broker_of(exchange.listener),
        "listener": listener,
        "peer": exchange.peer.to_string(),
        "principal": exchange.principal,
        "client_id": exchange.client_id,
        "software": exchange.software.as_ref().map(|software| json!({
            "name": software.name,
            "version": software.version,
        })),
        "api": exchange.api.name(),
        "key": exchange.api.id(),
        "version": exchange.version,
        "request_bytes": exchange.request_bytes,
        "answer_bytes": exchange.answer_bytes,
        "micros": {
            "queued": micros(exchange.queued),
            "handled": micros(exchange.handled),
            "waited": micros(exchange.waited),
            "total": micros(exchange.queued + exchange.handled + exchange.waited),
        },
        "errors": errors.collect::<Map<_, _>>(),
        "end": end,
    });
    if let Some(reason) = reason {
        value["reason"] = reason.as_str().into();
    }
    if shown.bodies {
        let bodies = exchange.bodies.upgrade();
        let show = |show: fn(&RequestExchange, &Bodies, RecordsShown) -> Result<Value, String>| {
            let Some(bodies) = &bodies else { return json!({ "not_kept": true }) };
            show(exchange, bodies, shown.records).unwrap_or_else(|reason| json!({ "not_shown": reason }))
        };
        value["request"] = show(request);
        if exchange.end == ExchangeEnd::Answered {
            value["answer"] = show(answer);
        }
    }
    value
}

/// The body of a request, if it is kept and can be read.
pub(super) fn request_body(exchange: &RequestExchange) -> Option<Value> {
    let bodies = exchange.bodies.upgrade()?;
    request(exchange, &bodies, RecordsShown::LeftOut).ok()
}

/// The body of an answer, if it is kept and can be read.
pub(super) fn answer_body(exchange: &RequestExchange) -> Option<Value> {
    let bodies = exchange.bodies.upgrade()?;
    answer(exchange, &bodies, RecordsShown::LeftOut).ok()
}

fn request(exchange: &RequestExchange, bodies: &Bodies, records: RecordsShown) -> Result<Value, String> {
    let mut shown = frames::show_request(exchange.api, exchange.version, &bodies.request, records)?;
    hide_secrets(&mut shown);
    Ok(shown)
}

fn answer(exchange: &RequestExchange, bodies: &Bodies, records: RecordsShown) -> Result<Value, String> {
    if bodies.answer.is_empty() {
        return Ok(json!({ "not_kept": true }));
    }
    let mut shown = frames::show_response(exchange.api, exchange.version, &bodies.answer, &bodies.holes, records)?;
    hide_secrets(&mut shown);
    Ok(shown)
}

/// Values of configs that are passwords.
fn hide_secrets(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let is_secret = map.get("name").and_then(Value::as_str).is_some_and(is_secret_config);
            if let Some(value) = map.get_mut("value").filter(|value| is_secret && value.is_string()) {
                *value = "[hidden]".into();
            }
            map.values_mut().for_each(hide_secrets);
        }
        Value::Array(elements) => elements.iter_mut().for_each(hide_secrets),
        _ => {}
    }
}

/// Whether a config holds a secret, as far as its name tells: an unknown one may.
fn is_secret_config(name: &str) -> bool {
    const WORDS: [&str; 5] = ["password", "secret", "token", "jaas", "keystore.key"];
    let known = definitions::broker(name).or_else(|| definitions::listener_override(name));
    known.is_some_and(|known| known.is_sensitive()) || WORDS.iter().any(|word| name.contains(word))
}
