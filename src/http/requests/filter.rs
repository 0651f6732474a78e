//! Which requests are wanted.

use super::show;
use crate::model::{ApiKey, ErrorCode, TimestampMs};
use crate::shard::context::Shared;
use crate::shard::journal::{Lost, RequestExchange};
use crate::wire::json::names;

/// Words that a request must answer to, all of them.
#[derive(Default)]
pub(super) struct Filter {
    /// Its shard and its number there, as `id` is written.
    id: Option<(u8, u64)>,
    api: Option<ApiKey>,
    broker: Option<i32>,
    client_id: Option<String>,
    topic: Option<String>,
    group: Option<String>,
    principal: Option<String>,
    error: Option<i16>,
    since: Option<i64>,
}

impl Filter {
    /// An error is a sentence for people.
    pub(super) fn new<'w>(words: impl Iterator<Item = (&'w str, &'w str)>) -> Result<Filter, String> {
        let mut filter = Filter::default();
        for (name, value) in words {
            let text = || Some(value.to_string());
            match name {
                "id" => {
                    let id = value
                        .split_once('-')
                        .and_then(|(shard, number)| Some((shard.parse().ok()?, number.parse().ok()?)));
                    filter.id = Some(id.ok_or_else(|| format!("no request has the id {value:?}"))?);
                }
                "api" => filter.api = Some(ApiKey::parse(value).ok_or_else(|| format!("there is no API {value:?}"))?),
                "broker" => {
                    let broker = value.parse().map_err(|_| "broker is the id of a broker".to_string())?;
                    filter.broker = Some(broker);
                }
                "client_id" => filter.client_id = text(),
                "topic" => filter.topic = text(),
                "group" => filter.group = text(),
                "principal" => filter.principal = text(),
                "error" => {
                    filter.error = Some(ErrorCode::parse(value).ok_or_else(|| format!("there is no error {value:?}"))?)
                }
                "since" => {
                    let since = value.parse().map_err(|_| "since is a number of milliseconds".to_string())?;
                    filter.since = Some(since);
                }
                unknown => return Err(format!("requests cannot be looked for by {unknown:?}")),
            }
        }
        Ok(filter)
    }

    pub(super) fn matches(&self, shared: &Shared, exchange: &RequestExchange) -> bool {
        self.heads_match(shared, exchange) && self.names_match(shared, exchange)
    }

    /// Whether a request may be meant whose body is not kept, so that it cannot be known.
    pub(super) fn is_in_doubt(&self, shared: &Shared, exchange: &RequestExchange) -> bool {
        let looks_inside = self.topic.is_some() || self.group.is_some();
        looks_inside
            && exchange.keeps_bodies
            && self.heads_match(shared, exchange)
            && exchange.bodies.upgrade().is_none()
    }

    /// The requests that are not kept and may have been meant.
    pub(super) fn lost(&self, shared: &Shared) -> Lost {
        let since = self.since.map(TimestampMs);
        shared.journals.iter().map(|ring| ring.lost(self.api, since)).fold(Lost::NONE, Lost::and)
    }

    /// All but what is in the body.
    fn heads_match(&self, shared: &Shared, exchange: &RequestExchange) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        self.id.is_none_or(|id| id == (exchange.shard, exchange.number))
            && self.api.is_none_or(|api| api == exchange.api)
            && self.broker.is_none_or(|broker| broker == shared.config.cast().broker_of(exchange.listener))
            && is(&self.client_id, &exchange.client_id)
            && is(&self.principal, &exchange.principal)
            && self.since.is_none_or(|since| exchange.at.0 >= since)
            && self.error.is_none_or(|error| exchange.errors.iter().any(|(code, _)| code == error))
    }

    /// Names are in the body, which is decoded for them.
    fn names_match(&self, shared: &Shared, exchange: &RequestExchange) -> bool {
        if self.topic.is_none() && self.group.is_none() {
            return true;
        }
        let Some(body) = show::request_body(exchange) else { return false };
        let view = shared.view.load();
        let is_topic = |topic: &String| names::has_topic(&body, &|found| view.image.is_topic(found, topic));
        self.topic.as_ref().is_none_or(is_topic)
            && self.group.as_ref().is_none_or(|group| names::has_group(exchange.api, &body, group))
    }
}
