//! `/v1/clock`: shows, freezes, moves and sets the clock of a broker that has one for tests (`klamm.clock=settable`).
//!
//! A move is answered when all that became due has been done, so that a test can look at once. It waits for the broker's
//! threads on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::control::Control;
use super::reply::{self, Reply};
use crate::io::settable_clock::{ClockRefusal, SettableClock};
use crate::io::web;
use crate::model::TimestampMs;

const FORM: &str =
    "the body is one of {\"frozen\": true or false}, {\"advance_ms\": how far}, {\"wall_ms\": the time since 1970}";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    Freeze,
    GoOn,
    Advance(Duration),
    Set(TimestampMs),
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn read_body(body: &[u8]) -> Option<String> {
    Deed::parse(body).err()
}

impl Deed {
    fn parse(body: &[u8]) -> Result<Deed, String> {
        let body: Value = serde_json::from_slice(body).map_err(|_| FORM)?;
        let object = body.as_object().filter(|object| object.len() == 1).ok_or(FORM)?;
        let (name, value) = object.iter().next().ok_or(FORM)?;
        match (name.as_str(), value) {
            ("frozen", Value::Bool(true)) => Ok(Deed::Freeze),
            ("frozen", Value::Bool(false)) => Ok(Deed::GoOn),
            ("advance_ms", value) => match value.as_u64() {
                Some(ms) => Ok(Deed::Advance(Duration::from_millis(ms))),
                None => Err(FORM.into()),
            },
            ("wall_ms", value) => match value.as_i64().filter(|ms| *ms >= 0) {
                Some(ms) => Ok(Deed::Set(TimestampMs(ms))),
                None => Err(FORM.into()),
            },
            _ => Err(FORM.into()),
        }
    }

    /// How many deadlines were met.
    fn of(self, clock: &SettableClock) -> Result<usize, ClockRefusal> {
        match self {
            Deed::Freeze => clock.freeze().map(|()| 0),
            Deed::GoOn => clock.go_on().map(|()| 0),
            Deed::Advance(by) => clock.advance(by).map(|moved| moved.steps),
            Deed::Set(wall) => clock.set_wall(wall).map(|moved| moved.steps),
        }
    }
}

/// The clock of a broker that has one for tests.
fn settable(control: &Control) -> Result<Arc<SettableClock>, Box<Reply>> {
    control.clock().ok_or_else(|| {
        if let Some(why) = control.why_not_ready().filter(|_| control.has_settable_clock) {
            return Box::new(reply::refuse(StatusCode::SERVICE_UNAVAILABLE, why));
        }
        let sentence = "this broker goes by the machine's clock: klamm.clock=settable gives it one of its own";
        Box::new(reply::refuse(StatusCode::CONFLICT, sentence))
    })
}

fn shown(clock: &SettableClock) -> Value {
    json!({ "wall_ms": clock.wall().0, "frozen": clock.is_frozen() })
}

pub(super) fn show(control: &Control) -> Reply {
    settable(control).map_or_else(|refused| *refused, |clock| reply::ok(&shown(&clock)))
}

pub(super) async fn change(control: Arc<Control>, body: Bytes) -> Reply {
    let clock = match settable(&control) {
        Ok(clock) => clock,
        Err(refused) => return *refused,
    };
    let deed = match Deed::parse(&body) {
        Ok(deed) => deed,
        Err(sentence) => return reply::bad_request(sentence),
    };
    let moved = clock.clone();
    match web::blocking(move || deed.of(&moved)).await {
        Ok(deadlines) => {
            let mut told = shown(&clock);
            told["deadlines"] = deadlines.into();
            reply::ok(&told)
        }
        Err(refused) => {
            let status = match refused {
                ClockRefusal::TooFar => StatusCode::BAD_REQUEST,
                ClockRefusal::Moving => StatusCode::CONFLICT,
                ClockRefusal::Ended | ClockRefusal::Unsettled { .. } => StatusCode::SERVICE_UNAVAILABLE,
            };
            reply::refuse(status, refused.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_deed() {
        let parse = |body: &str| Deed::parse(body.as_bytes());
        assert_eq!(parse(r#"{"frozen":true}"#), Ok(Deed::Freeze));
        assert_eq!(parse(r#"{"frozen":false}"#), Ok(Deed::GoOn));
        assert_eq!(parse(r#"{"advance_ms":1500}"#), Ok(Deed::Advance(Duration::from_millis(1500))));
        assert_eq!(parse(r#"{"wall_ms":1700000000000}"#), Ok(Deed::Set(TimestampMs(1_700_000_000_000))));
        for wrong in
            ["", "{}", "[]", r#"{"frozen":1}"#, r#"{"advance_ms":-1}"#, r#"{"advance_ms":1.5}"#, r#"{"wall_ms":-1}"#]
        {
            assert_eq!(parse(wrong).unwrap_err(), FORM, "{wrong}");
        }
        assert_eq!(parse(r#"{"frozen":true,"advance_ms":1}"#).unwrap_err(), FORM, "one at a time");
    }
}
