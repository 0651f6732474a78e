//! One rule: what it is for, what it does, how often and for how long.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::model::{ApiKey, ErrorCode, Instant};
use crate::replica::view::View;
use crate::stdx::random::Random;
use crate::wire::json::names;

/// A delay, a throttle time and a rule's life are no longer than this.
const MOST_MS: u64 = 24 * 3_600_000;
/// The compiled size of a pattern of client ids.
const MOST_PATTERN_BYTES: usize = 1 << 16;

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// It is told this error: instead of being handled, or though it has been.
    Error(i16),
    /// It is told to be throttled for so many milliseconds, and its connection is left alone for that time.
    Throttle(u32),
    /// It is handled, or answered, later, and that is all.
    Delay,
    /// Its connection is closed.
    Close,
    /// It is handled, or answered, when the rule is released.
    Hold,
    /// It is never handled, or never answered; its connection stays.
    NoAnswer,
    /// So many bytes of its answer are sent, then its connection is closed.
    Truncate(u32),
    /// The records of its answer do not have the checksums that stand in them.
    Corrupt,
    /// Its answer offers other versions of APIs than the broker has.
    Offer,
    /// It is answered as it would have been when the rule was added.
    Stale,
    /// The member that it names leaves its group first, as if its session had ended.
    ExpireMember,
}

impl Deed {
    /// Whether it may happen to requests of a login: the others are for requests that are handled.
    fn is_for_logins(self) -> bool {
        match self {
            Deed::Error(_) | Deed::Delay | Deed::Close | Deed::Hold | Deed::NoAnswer => true,
            Deed::Truncate(_) | Deed::Offer => true,
            Deed::Throttle(_) | Deed::Corrupt | Deed::Stale | Deed::ExpireMember => false,
        }
    }
}

/// The APIs that tell of the cluster, which may be told of what was.
const TELL_OF_THE_CLUSTER: [ApiKey; 4] =
    [ApiKey::Metadata, ApiKey::FindCoordinator, ApiKey::DescribeCluster, ApiKey::DescribeTopicPartitions];

/// What a rule may look at.
pub struct RequestFacts<'a> {
    pub api: ApiKey,
    /// The broker that is asked.
    pub broker: i32,
    pub version: i16,
    pub client_id: &'a str,
    /// `None`: the request is one of a login, whose client is not known yet.
    pub principal: Option<&'a str>,
    /// The body, decoded when it is asked for; `Null` if it cannot be.
    pub body: &'a dyn Fn() -> &'a Value,
    /// The name of a topic whose id stands in the body.
    pub topic_of: &'a dyn Fn(&str) -> Option<String>,
}

/// An API with its first and last version; `None`: it is not offered.
type OfferedVersions = (ApiKey, Option<(i16, i16)>);

/// A rule as it was asked for, with what it has done.
pub struct FaultRule {
    pub(super) deed: Deed,
    pub(super) is_after: bool,
    pub(super) delay_ms: u32,
    apis: Vec<ApiKey>,
    versions: Option<(i16, i16)>,
    broker: Option<i64>,
    client_id: Option<Regex>,
    principal: Option<String>,
    topic: Option<String>,
    partition: Option<i64>,
    group: Option<String>,
    transactional_id: Option<String>,
    /// Fields of the body, outside of any array, with what they must hold.
    fields: Map<String, Value>,
    nth: Option<u64>,
    every: Option<u64>,
    probability: Option<f64>,
    random: Random,
    /// [`Deed::Offer`] offers these versions; an API without any is not offered.
    offered: Vec<OfferedVersions>,
    /// [`Deed::Stale`] shows this.
    pub(super) as_of: Option<Arc<View>>,
    /// How often it may still strike.
    left: Option<u64>,
    until: Instant,
    matched: u64,
    struck: u64,
    released: u64,
    /// As it was asked for.
    text: Value,
}

/// The words of `match`.
const MATCHES: &[&str] = &[
    "api",
    "versions",
    "broker",
    "client_id",
    "principal",
    "topic",
    "partition",
    "group",
    "transactional_id",
    "fields",
    "nth",
    "every",
    "probability",
    "seed",
];
const ACTIONS: &str =
    "error, throttle_ms, delay_ms, close, hold, no_answer, truncate, corrupt, offer, stale or expire_member";
/// The actions that a delay may stand in front of.
const LATE: &str = "error, throttle_ms, close, truncate, corrupt, offer and stale";

impl FaultRule {
    /// Reads a rule. An error is a sentence for people.
    pub fn parse(text: &Value, now: Instant) -> Result<FaultRule, String> {
        let object = text.as_object().ok_or("a rule is an object with match and action")?;
        if let Some(unknown) =
            object.keys().find(|key| !["match", "action", "count", "expires_ms"].contains(&key.as_str()))
        {
            return Err(format!("a rule has match, action, count and expires_ms, but no {unknown:?}"));
        }
        let nothing = json!({});
        let matched = text.get("match").unwrap_or(&nothing);
        let words = matched.as_object().ok_or("match is an object")?;
        if let Some(unknown) = words.keys().find(|key| !MATCHES.contains(&key.as_str())) {
            return Err(format!("requests are matched by {}, but not by {unknown:?}", MATCHES.join(", ")));
        }
        let action = Action::parse(text.get("action").ok_or("a rule has an action")?)?;
        let apis = apis(matched.get("api"))?;
        check_apis(action.deed, &apis)?;
        let expires_ms = whole(text, "expires_ms")?;
        if expires_ms.is_some_and(|ms| ms > MOST_MS) {
            return Err(format!("expires_ms is {MOST_MS} at most"));
        }
        let expires = expires_ms.map(|ms| now + Duration::from_millis(ms));
        Ok(FaultRule {
            deed: action.deed,
            is_after: action.is_after,
            delay_ms: action.delay_ms,
            apis,
            versions: versions(matched.get("versions"))?,
            broker: whole(matched, "broker")?.map(|number| i64::try_from(number).unwrap_or(i64::MAX)),
            client_id: matched.get("client_id").map(pattern).transpose()?,
            principal: word(matched, "principal")?,
            topic: word(matched, "topic")?,
            partition: whole(matched, "partition")?.map(|number| i64::try_from(number).unwrap_or(i64::MAX)),
            group: word(matched, "group")?,
            transactional_id: word(matched, "transactional_id")?,
            fields: fields(matched.get("fields"))?,
            nth: counted(matched, "nth")?,
            every: counted(matched, "every")?,
            probability: probability(matched.get("probability"))?,
            offered: offered(&text["action"])?,
            as_of: None,
            random: Random::new(whole(matched, "seed")?.unwrap_or_default()),
            left: counted(text, "count")?,
            until: expires.unwrap_or(Instant::NEVER),
            matched: 0,
            struck: 0,
            released: 0,
            text: text.clone(),
        })
    }

    /// Looks whether it is for a request; if it strikes, the how many-th that is.
    pub(super) fn strike(&mut self, facts: &RequestFacts<'_>, now: Instant) -> Option<u64> {
        if self.is_over(now) || !self.is_for(facts) {
            return None;
        }
        self.matched += 1;
        let is_nth = self.nth.is_none_or(|nth| self.matched == nth);
        let is_every = self.every.is_none_or(|every| self.matched.is_multiple_of(every));
        if !is_nth || !is_every || !self.is_lucky() {
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        self.struck += 1;
        Some(self.struck)
    }

    fn is_lucky(&mut self) -> bool {
        let Some(probability) = self.probability else { return true };
        // The upper 53 bits are a number from 0 to below 1.
        ((self.random.next_u64() >> 11) as f64) < probability * (1u64 << 53) as f64
    }

    fn is_for(&self, facts: &RequestFacts<'_>) -> bool {
        let is_of_client = (self.apis.is_empty() || self.apis.contains(&facts.api))
            && self.versions.is_none_or(|(first, last)| (first..=last).contains(&facts.version))
            && self.broker.is_none_or(|broker| broker == i64::from(facts.broker))
            && self.client_id.as_ref().is_none_or(|pattern| pattern.is_match(facts.client_id))
            && self.principal.as_deref().is_none_or(|principal| facts.principal == Some(principal))
            && (facts.principal.is_some() || self.deed.is_for_logins());
        let looks_inside = self.topic.is_some()
            || self.partition.is_some()
            || self.group.is_some()
            || self.transactional_id.is_some()
            || !self.fields.is_empty();
        is_of_client && (!looks_inside || self.is_for_body(facts, (facts.body)()))
    }

    fn is_for_body(&self, facts: &RequestFacts<'_>, body: &Value) -> bool {
        let has_name =
            |wanted: &str, found: &str| found == wanted || (facts.topic_of)(found).as_deref() == Some(wanted);
        let is_topic = self.topic.as_ref().map(|wanted| move |found: &str| has_name(wanted, found));
        let is_topic = is_topic.as_ref().map(|is_topic| is_topic as &dyn Fn(&str) -> bool);
        let has_topic = match (is_topic, self.partition) {
            (None, None) => true,
            (Some(is_topic), None) => names::has_topic(body, is_topic),
            (is_topic, Some(partition)) => names::has_partition(body, is_topic, partition),
        };
        has_topic
            && self.fields.iter().all(|(name, value)| body.get(name) == Some(value))
            && self.group.as_ref().is_none_or(|group| names::has_group(facts.api, body, group))
            && self.transactional_id.as_ref().is_none_or(|id| names::has_transactional_id(facts.api, body, id))
    }

    /// It strikes no more.
    fn is_over(&self, now: Instant) -> bool {
        self.left == Some(0) || self.until <= now
    }

    /// It strikes no more and holds nothing, so that it is missed by no request.
    pub(super) fn is_done(&self, now: Instant) -> bool {
        self.is_over(now) && (self.deed != Deed::Hold || self.released == self.struck)
    }

    pub(super) fn release(&mut self) {
        self.released = self.struck;
    }

    pub(super) fn has_released(&self, nth: u64) -> bool {
        nth <= self.released
    }

    /// Puts into a list of ApiVersions what the rule offers.
    pub(super) fn offer(&self, api_keys: &mut Vec<Value>) {
        for (api, versions) in &self.offered {
            let own = api_keys.iter_mut().find(|offered| offered["apiKey"] == api.id());
            match (own, versions) {
                (Some(own), Some((first, last))) => {
                    (own["minVersion"], own["maxVersion"]) = ((*first).into(), (*last).into());
                }
                (None, Some((first, last))) => {
                    api_keys.push(json!({ "apiKey": api.id(), "minVersion": first, "maxVersion": last }));
                }
                (_, None) => api_keys.retain(|offered| offered["apiKey"] != api.id()),
            }
        }
    }

    pub(super) fn scope(&self) -> (Option<String>, Option<i64>) {
        (self.topic.clone(), self.partition)
    }

    pub(super) fn show(&self, id: u64, now: Instant) -> Value {
        let mut shown = self.text.clone();
        shown["id"] = id.into();
        shown["matched"] = self.matched.into();
        shown["struck"] = self.struck.into();
        shown["over"] = self.is_over(now).into();
        shown
    }
}

/// What a rule does, and when.
struct Action {
    deed: Deed,
    is_after: bool,
    /// How long the request, or its answer, waits before that.
    delay_ms: u32,
}

impl Action {
    fn parse(of: &Value) -> Result<Action, String> {
        let object = of.as_object().ok_or("an action is an object")?;
        let is_after = match object.get("after") {
            None => false,
            Some(after) => after.as_bool().ok_or("after is true or false")?,
        };
        let delay = object.get("delay_ms").map(|value| milliseconds("delay_ms", value)).transpose()?;
        let mut deeds = object.iter().filter(|(name, _)| !["after", "delay_ms"].contains(&name.as_str()));
        let deed = match (deeds.next(), deeds.next(), delay) {
            (None, _, Some(_)) => Deed::Delay,
            (Some((name, value)), None, None) => deed(name, value, is_after)?,
            (Some((name, value)), None, Some(_)) => match deed(name, value, is_after)? {
                Deed::Hold | Deed::NoAnswer | Deed::ExpireMember => {
                    return Err(format!("delay_ms goes with {LATE}, but not with {name}"));
                }
                deed => deed,
            },
            _ => return Err(format!("an action is one of {ACTIONS}, and perhaps after, or delay_ms beside it")),
        };
        // What happens to an answer happens when there is one.
        let is_of_answer = matches!(deed, Deed::Throttle(_) | Deed::Truncate(_) | Deed::Corrupt | Deed::Offer);
        Ok(Action { deed, is_after: is_after || is_of_answer, delay_ms: delay.unwrap_or(0) })
    }
}

fn milliseconds(name: &str, value: &Value) -> Result<u32, String> {
    match value.as_u64() {
        Some(ms) if ms <= MOST_MS => Ok(ms as u32),
        _ => Err(format!("{name} is a number of milliseconds up to {MOST_MS}")),
    }
}

fn deed(name: &str, value: &Value, is_after: bool) -> Result<Deed, String> {
    let flag = |deed| if *value == true { Ok(deed) } else { Err(format!("{name} is true")) };
    match name {
        "error" => error(value).map(Deed::Error),
        "throttle_ms" => milliseconds(name, value).map(Deed::Throttle),
        "close" => flag(Deed::Close),
        "hold" => flag(Deed::Hold),
        "no_answer" => flag(Deed::NoAnswer),
        "corrupt" => flag(Deed::Corrupt),
        "offer" => Ok(Deed::Offer),
        "stale" if is_after => Err("stale is what a request is answered by: it has no after".into()),
        "stale" => flag(Deed::Stale),
        "expire_member" if is_after => Err("expire_member happens before the effect, and not after it".into()),
        "expire_member" => flag(Deed::ExpireMember),
        "truncate" => {
            let bytes = value.as_u64().and_then(|bytes| u32::try_from(bytes).ok());
            bytes.map(Deed::Truncate).ok_or_else(|| "truncate is a number of bytes".into())
        }
        _ => Err(format!("there is no action {name:?}: it is one of {ACTIONS}")),
    }
}

/// Some deeds are for the answers of one API.
fn check_apis(deed: Deed, apis: &[ApiKey]) -> Result<(), String> {
    let (name, only) = match deed {
        Deed::Corrupt => ("corrupt", ApiKey::Fetch),
        Deed::Offer => ("offer", ApiKey::ApiVersions),
        Deed::Stale if apis.is_empty() || apis.iter().any(|api| !TELL_OF_THE_CLUSTER.contains(api)) => {
            let names = TELL_OF_THE_CLUSTER.map(ApiKey::name).join(", ");
            return Err(format!("stale is for {names}: match names one or more of them"));
        }
        _ => return Ok(()),
    };
    match apis == [only] {
        true => Ok(()),
        false => Err(format!("{name} is for {} alone: match names it", only.name())),
    }
}

/// `{"Produce": [3, 9], "AddOffsetsToTxn": null}`
fn offered(action: &Value) -> Result<Vec<OfferedVersions>, String> {
    const FORM: &str = "offer names APIs with their first and last version, or null for one that is not offered";
    let Some(offer) = action.get("offer") else { return Ok(Vec::new()) };
    let each = offer.as_object().ok_or(FORM)?.iter().map(|(name, versions)| {
        let api = apis(Some(&Value::String(name.clone())))?[0];
        let version = |at: usize| versions[at].as_i64().and_then(|version| i16::try_from(version).ok());
        match (versions, version(0), version(1)) {
            (Value::Null, ..) => Ok((api, None)),
            (Value::Array(both), Some(first), Some(last)) if both.len() == 2 => Ok((api, Some((first, last)))),
            _ => Err(FORM.to_string()),
        }
    });
    each.collect()
}

fn error(value: &Value) -> Result<i16, String> {
    let found = ErrorCode::parse(&text_of(value));
    found.filter(|code| *code != 0).ok_or_else(|| format!("there is no error {value}"))
}

fn apis(value: Option<&Value>) -> Result<Vec<ApiKey>, String> {
    let api = |word: &Value| ApiKey::parse(&text_of(word)).ok_or_else(|| format!("there is no API {word}"));
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(all)) if all.is_empty() => Err("api names an API at least: without one, leave it out".into()),
        Some(Value::Array(all)) => all.iter().map(api).collect(),
        Some(one) => Ok(vec![api(one)?]),
    }
}

/// A name or a number.
fn text_of(word: &Value) -> String {
    word.as_str().map_or_else(|| word.to_string(), str::to_string)
}

fn fields(value: Option<&Value>) -> Result<Map<String, Value>, String> {
    let Some(value) = value else { return Ok(Map::new()) };
    value.as_object().cloned().ok_or_else(|| "fields is an object of the body's fields with their values".into())
}

/// `3` or `"3-9"`.
fn versions(value: Option<&Value>) -> Result<Option<(i16, i16)>, String> {
    const FORM: &str = "versions is a number, or a range such as \"3-9\"";
    let Some(value) = value else { return Ok(None) };
    let range = match value {
        Value::String(text) => {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            (first.trim().parse().map_err(|_| FORM)?, last.trim().parse().map_err(|_| FORM)?)
        }
        number => {
            let number = number.as_i64().and_then(|number| i16::try_from(number).ok()).ok_or(FORM)?;
            (number, number)
        }
    };
    Ok(Some(range))
}

fn pattern(value: &Value) -> Result<Regex, String> {
    let text = value.as_str().ok_or("client_id is an expression that the whole id matches")?;
    let built = regex::RegexBuilder::new(&format!("^(?:{text})$")).size_limit(MOST_PATTERN_BYTES).build();
    built.map_err(|_| format!("client_id: {text:?} is no expression, or too large"))
}

fn probability(value: Option<&Value>) -> Result<Option<f64>, String> {
    match value.map(Value::as_f64) {
        None => Ok(None),
        Some(Some(number)) if (0.0..=1.0).contains(&number) => Ok(Some(number)),
        Some(_) => Err("probability is a number from 0 to 1".into()),
    }
}

fn whole(of: &Value, name: &str) -> Result<Option<u64>, String> {
    match of.get(name) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| format!("{name} is a whole number")),
    }
}

/// A number that counts from 1 on: with 0 the rule would never strike.
fn counted(of: &Value, name: &str) -> Result<Option<u64>, String> {
    match whole(of, name)? {
        Some(0) => Err(format!("{name} is 1 at least: with 0 the rule would never strike")),
        counted => Ok(counted),
    }
}

fn word(of: &Value, name: &str) -> Result<Option<String>, String> {
    match of.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(|text| Some(text.into())).ok_or_else(|| format!("{name} is a text")),
    }
}
