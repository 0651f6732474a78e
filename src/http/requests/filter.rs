//! Which requests are wanted.

use serde_json::Value;

use super::show;
use crate::model::{ApiKey, ErrorCode, Uuid};
use crate::shard::context::Shared;
use crate::shard::journal::RequestExchange;

/// Words that a request must answer to, all of them.
#[derive(Default)]
pub(super) struct Filter {
    api: Option<ApiKey>,
    client_id: Option<String>,
    topic: Option<String>,
    group: Option<String>,
    principal: Option<String>,
    error: Option<i16>,
    since: Option<i64>,
}

/// Fields that hold names or ids of topics, those of groups, and arrays whose elements do.
const TOPICS: &[&str] = &["topic", "topicName", "topicId"];
const GROUPS: &[&str] = &["groupId", "group"];
const OF_TOPICS: &[&str] =
    &["topics", "topicData", "topicNames", "topicIds", "subscribedTopicNames", "topicPartitions"];
const OF_GROUPS: &[&str] = &["groups", "groupsNames", "groupIds"];

impl Filter {
    /// An error is a sentence for people.
    pub(super) fn new<'w>(words: impl Iterator<Item = (&'w str, &'w str)>) -> Result<Filter, String> {
        let mut filter = Filter::default();
        for (name, value) in words {
            let text = || Some(value.to_string());
            match name {
                "api" => filter.api = Some(api(value).ok_or_else(|| format!("there is no API {value:?}"))?),
                "client_id" => filter.client_id = text(),
                "topic" => filter.topic = text(),
                "group" => filter.group = text(),
                "principal" => filter.principal = text(),
                "error" => filter.error = Some(error(value).ok_or_else(|| format!("there is no error {value:?}"))?),
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
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        self.api.is_none_or(|api| api == exchange.api)
            && is(&self.client_id, &exchange.client_id)
            && is(&self.principal, &exchange.principal)
            && self.since.is_none_or(|since| exchange.at.0 >= since)
            && self.error.is_none_or(|error| exchange.errors.iter().any(|(code, _)| code == error))
            && self.names_match(shared, exchange)
    }

    /// Names are in the body, which is decoded for them.
    fn names_match(&self, shared: &Shared, exchange: &RequestExchange) -> bool {
        if self.topic.is_none() && self.group.is_none() {
            return true;
        }
        let Some(body) = show::request_body(exchange) else { return false };
        let view = shared.view.load();
        self.topic.as_ref().is_none_or(|topic| {
            let named = |found: &str| {
                let by_id = || Uuid::parse(found).and_then(|id| view.image.topic_by_id(id));
                found == topic || by_id().is_some_and(|known| *known.name == **topic)
            };
            names(&body, TOPICS, OF_TOPICS, &named)
        }) && self.group.as_ref().is_none_or(|group| {
            // FindCoordinator says in another field what its keys are.
            let is_group = exchange.api == ApiKey::FindCoordinator && body["keyType"].as_i64().unwrap_or(0) == 0;
            let keys: (&[&str], &[&str]) =
                if is_group { (&["key"], &["coordinatorKeys"]) } else { (GROUPS, OF_GROUPS) };
            names(&body, keys.0, keys.1, &|found| found == group)
        })
    }
}

/// Whether a field of such a name, or an element of such an array, is wanted.
fn names(body: &Value, fields: &[&str], arrays: &[&str], is_wanted: &dyn Fn(&str) -> bool) -> bool {
    match body {
        Value::Object(map) => map.iter().any(|(name, value)| {
            let is_text = |value: &Value| value.as_str().is_some_and(is_wanted);
            let is_element = |element: &Value| is_text(element) || is_text(&element["name"]);
            let is_field = fields.contains(&name.as_str()) && is_text(value);
            let elements = value.as_array().filter(|_| arrays.contains(&name.as_str()));
            is_field
                || elements.is_some_and(|elements| elements.iter().any(is_element))
                || names(value, fields, arrays, is_wanted)
        }),
        Value::Array(elements) => elements.iter().any(|element| names(element, fields, arrays, is_wanted)),
        _ => false,
    }
}

fn api(word: &str) -> Option<ApiKey> {
    let key = word.parse::<i16>().ok();
    ApiKey::ALL.iter().copied().find(|api| Some(api.id()) == key || api.name().eq_ignore_ascii_case(word))
}

fn error(word: &str) -> Option<i16> {
    let by_name = || ErrorCode::ALL.iter().find(|code| code.name().eq_ignore_ascii_case(word)).map(|code| code.code());
    word.parse().ok().or_else(by_name)
}
