//! The journal of requests: the last ones as a list, new ones as they come, and a judgement of them for tests.

mod filter;
mod follow;
mod show;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use serde_json::{Value, json};

use self::filter::Filter;
use self::follow::Follow;
use super::control::Control;
use super::reply::{self, JSON, Reply};
use super::routes::Parameter;
use crate::shard::context::Shared;
use crate::shard::journal::RequestExchange;
use crate::wire::json::RecordsShown;

/// Pointers that are copied under a ring's lock at once.
pub(super) const SLICE: usize = 256;
/// Requests that are decoded for a filter in one turn of the HTTP thread.
pub(super) const FEW: usize = 16;
/// Requests that one answer lists, where it does not say, and at most.
const USUAL_LISTED: usize = 100;
const MOST_LISTED: usize = 10_000;
/// Bytes of one list; the newest that fit.
const MOST_LIST_BYTES: usize = 32 << 20;
/// Requests that a failed judgement shows.
const MOST_EXAMPLES: usize = 10;

/// What a broker says that keeps none.
pub(super) const NOT_KEPT: &str = "no requests are kept: klamm.http.requests says how many each shard keeps";

pub(super) const EVENTS: &str = "text/event-stream";

const fn parameter(name: &'static str, summary: &'static str) -> Parameter {
    Parameter { name, summary }
}

pub(super) const PARAMETERS: &[Parameter] = &[
    parameter("id", "One request, by its id."),
    parameter("api", "The API, by name or key."),
    parameter("broker", "The broker that was asked, by its id."),
    parameter("client_id", "The client's id."),
    parameter("topic", "A topic that the request names, by name or id."),
    parameter("group", "A group that the request names."),
    parameter("principal", "The client's principal, as in User:alice."),
    parameter("error", "An error code in the answer, by name or number."),
    parameter("since", "Milliseconds since 1970: requests that came then or later."),
    parameter("limit", "How many are listed at most, the newest; 100 where it is not said."),
    parameter("bodies", "false leaves the bodies out."),
    parameter("records", "true shows the records of batches as well."),
    parameter("follow", "Goes on with what comes, as server-sent events."),
];

/// What is shown of each request.
#[derive(Clone, Copy)]
struct Shown {
    bodies: bool,
    records: RecordsShown,
}

/// Lists requests, or begins to follow them.
pub(super) async fn list(control: Arc<Control>, parameters: Vec<(String, String)>) -> Reply {
    let shared = match kept(&control) {
        Ok(shared) => shared,
        Err(refused) => return *refused,
    };
    let (mut wanted, mut limit, mut is_followed) = (Vec::new(), USUAL_LISTED, false);
    let mut shown = Shown { bodies: true, records: RecordsShown::Batches };
    for (name, value) in &parameters {
        let is_on = !value.eq_ignore_ascii_case("false");
        match name.as_str() {
            "limit" => match value.parse() {
                Ok(number) if number <= MOST_LISTED => limit = number,
                _ => return reply::bad_request(format!("limit is a number up to {MOST_LISTED}")),
            },
            "bodies" => shown.bodies = is_on,
            "records" if is_on => shown.records = RecordsShown::Whole,
            "records" => {}
            "follow" => is_followed = is_on,
            name => wanted.push((name, value.as_str())),
        }
    }
    let filter = match Filter::new(wanted.into_iter()) {
        Ok(filter) => filter,
        Err(sentence) => return reply::bad_request(sentence),
    };
    if is_followed {
        return match control.stay() {
            Ok(place) => {
                reply::text(StatusCode::OK, EVENTS, Body::new(Follow::new(control, shared, filter, shown, place)))
            }
            Err(refused) => *refused,
        };
    }
    let Matching { found, .. } = matching(&shared, &filter).await;
    let (mut newest, mut size_bytes) = (Vec::new(), 0);
    for exchange in found.iter().rev().take(limit) {
        let text = show::exchange(&shared, exchange, shown).to_string();
        size_bytes += text.len();
        if size_bytes > MOST_LIST_BYTES && !newest.is_empty() {
            break;
        }
        newest.push(text);
        // Others have their turn between two that are decoded.
        tokio::task::yield_now().await;
    }
    newest.reverse();
    let forgotten = forgotten(&shared);
    let list = format!("{{\"requests\":[{}],\"forgotten\":{forgotten}}}\n", newest.join(",\n"));
    reply::text(StatusCode::OK, JSON, list)
}

/// Judges what was asked so far.
pub(super) async fn assert(control: Arc<Control>, body: Bytes) -> Reply {
    let shared = match kept(&control) {
        Ok(shared) => shared,
        Err(refused) => return *refused,
    };
    let wanted = match Judgement::parse(&body) {
        Ok(wanted) => wanted,
        Err(sentence) => return reply::bad_request(sentence),
    };
    let Matching { found, in_doubt } = matching(&shared, &wanted.filter).await;
    let (count, lost) = (found.len() as u64, wanted.filter.lost(&shared));
    let forgotten = lost.count;
    let why = match (wanted.at_most, wanted.at_least) {
        (Some(most), _) if count > most => format!("{count} requests match, not more than {most} were expected"),
        (_, Some(least)) if count < least => format!("{count} requests match, at least {least} were expected"),
        (Some(_), _) if forgotten > 0 => {
            let newest = lost.newest.0;
            format!(
                "{forgotten} requests that may match are not kept: a larger klamm.http.requests is needed to judge them, or a since \
                 that is later than {newest}"
            )
        }
        (Some(_), _) if in_doubt > 0 => {
            format!(
                "the bodies of {in_doubt} requests that may match are not kept: klamm.http.requests.bytes says how many are"
            )
        }
        _ => return reply::ok(&json!({ "matched": count, "forgotten": forgotten })),
    };
    let shown = Shown { bodies: true, records: RecordsShown::Batches };
    let examples =
        found.iter().rev().take(MOST_EXAMPLES).rev().map(|exchange| show::exchange(&shared, exchange, shown));
    let examples: Vec<Value> = examples.collect();
    let told = json!({ "error": why, "matched": count, "forgotten": forgotten, "requests": examples });
    reply::json(StatusCode::CONFLICT, &told)
}

/// What is expected of the requests that match.
struct Judgement {
    filter: Filter,
    at_most: Option<u64>,
    at_least: Option<u64>,
}

impl Judgement {
    fn parse(body: &[u8]) -> Result<Judgement, String> {
        const FORM: &str = r#"the body is {"match":{"api":"Produce"},"at_most":3}, with at_most, at_least or both"#;
        let body: Value = serde_json::from_slice(body).map_err(|_| FORM.to_string())?;
        let body = body.as_object().ok_or(FORM)?;
        if let Some(unknown) = body.keys().find(|key| !["match", "at_most", "at_least"].contains(&key.as_str())) {
            return Err(format!("{unknown:?} is not known: {FORM}"));
        }
        let bound = |name: &str| body.get(name).map(|bound| bound.as_u64().ok_or(FORM)).transpose();
        let (at_most, at_least) = (bound("at_most")?, bound("at_least")?);
        if at_most.is_none() && at_least.is_none() {
            return Err(FORM.into());
        }
        let matched = match body.get("match") {
            None => Vec::new(),
            Some(matched) => {
                let words = matched.as_object().ok_or(FORM)?.iter();
                let word = |(name, value): (&String, &Value)| match value {
                    Value::String(text) => Some((name.clone(), text.clone())),
                    Value::Number(number) => Some((name.clone(), number.to_string())),
                    _ => None,
                };
                words.map(word).collect::<Option<Vec<_>>>().ok_or(FORM)?
            }
        };
        let filter = Filter::new(matched.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
        Ok(Judgement { filter, at_most, at_least })
    }
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn read_body(body: &[u8]) -> Option<String> {
    Judgement::parse(body).err()
}

/// What the shards share, of a broker that keeps requests.
fn kept(control: &Control) -> Result<Arc<Shared>, Box<Reply>> {
    if control.settings.requests == 0 {
        return Err(Box::new(reply::not_found(NOT_KEPT)));
    }
    control.ready()
}

/// The body of a request, if it is kept and can be read.
pub(super) fn request_body(exchange: &RequestExchange) -> Option<Value> {
    show::request_body(exchange)
}

/// How long a client was told to wait by an answer that is kept.
pub(super) fn throttle_ms(exchange: &RequestExchange) -> Option<i64> {
    show::answer_body(exchange)?["throttleTimeMs"].as_i64()
}

/// How many requests are not kept.
pub(super) fn forgotten(shared: &Shared) -> u64 {
    shared.journals.iter().map(|ring| ring.counts().1).sum()
}

/// What a filter has found among the requests that are kept.
struct Matching {
    /// The requests in the order in which they came.
    found: Vec<Arc<RequestExchange>>,
    /// How many more may match, whose bodies are not kept.
    in_doubt: usize,
}

async fn matching(shared: &Arc<Shared>, filter: &Filter) -> Matching {
    let (mut found, mut in_doubt) = (Vec::new(), 0);
    for ring in &shared.journals {
        // Not what comes meanwhile: a shard may be faster than this look.
        let (mut next, (end, _)) = (0, ring.counts());
        while next < end {
            let slice = ring.starting_at(next, SLICE);
            let Some(last) = slice.last() else { break };
            next = last.number + 1;
            // Others have their turn between a few that are decoded.
            for few in slice.chunks(FEW) {
                found.extend(few.iter().filter(|exchange| filter.matches(shared, exchange)).cloned());
                in_doubt += few.iter().filter(|exchange| filter.is_in_doubt(shared, exchange)).count();
                tokio::task::yield_now().await;
            }
        }
    }
    found.sort_by_key(|exchange| (exchange.came, exchange.shard, exchange.number));
    Matching { found, in_doubt }
}
