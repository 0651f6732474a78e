//! Answers that refuse a whole request, as each request of Kafka makes one for itself (`AbstractRequest.getErrorResponse`): for
//! any API, by a table of which elements of an answer stand for which of its request.
//!
//! Both are JSON with the names of the messages' fields. Not for answers in large numbers: those who refuse often have their
//! own code for it.

mod forms;

use serde_json::{Map, Value, json};

#[cfg(test)]
use self::forms::Form;
use self::forms::{Constant, Mirror, Words, form};
use crate::codec::{Reader, ToldErrors};
use crate::model::{ApiKey, ErrorCode};
use crate::wire::api::{self, Description};
use crate::wire::json::{self, Side};

/// A frame with more elements of arrays is not refused element by element: its client may have no rights here, and the answer is
/// larger than what it has sent.
const MOST_ELEMENTS: usize = 10_000;

/// Why all of a request is refused.
#[derive(Clone, Copy, Debug)]
pub struct WhyRefused<'a> {
    pub code: i16,
    /// What has gone wrong, where an answer tells that.
    pub told: Option<&'a str>,
    /// Kafka's text of the code (`Errors.message`), where an answer tells that instead.
    pub standard: Option<&'a str>,
}

/// Where an answer tells of the error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorPlace {
    /// Where Kafka's broker tells it: for all of the answer, or at each element, or both.
    AsKafka,
    /// The elements tell it where there are any, so that clients do about each what they do about a single error.
    AtElements,
}

/// The frame that refuses a request whose body stands before the reader, with the error codes in it. `None`: the client waits
/// for none. An error is a sentence.
pub fn frame(
    description: &Description,
    version: i16,
    correlation_id: i32,
    body: &mut Reader<'_>,
    refused: &WhyRefused<'_>,
) -> Result<Option<(Vec<u8>, ToldErrors)>, String> {
    let request = json::take_apart(description.key, Side::Request, version, body, MOST_ELEMENTS)?;
    let Some(answer) = refuse(description.key, version, &request, refused, ErrorPlace::AsKafka) else {
        return Ok(None);
    };
    json::response_frame(description, version, correlation_id, &answer).map(Some)
}

/// The answer that refuses all of a request; `None` if its client waits for none.
pub fn refuse(
    api: ApiKey,
    version: i16,
    request: &Value,
    refused: &WhyRefused<'_>,
    place: ErrorPlace,
) -> Option<Value> {
    if api == ApiKey::Produce && request["acks"] == 0 {
        return None;
    }
    let form = form(api);
    let mut answer = Map::new();
    for (ours, theirs) in form.fields {
        request.get(theirs).and_then(|value| answer.insert((*ours).into(), value.clone()));
    }
    for (name, constant) in form.constants {
        answer.insert((*name).into(), constant.value());
    }
    let mut is_told = false;
    // The elements of a Fetch have a place for it in all versions; those of an OffsetFetch are not there in some.
    let has_place = place == ErrorPlace::AtElements && api == ApiKey::Fetch;
    let is_wanted = |mirror: &&Mirror| has_place || version < mirror.until;
    for mirror in form.mirrors.iter().filter(is_wanted) {
        let elements: Vec<Value> = mirror.asked(request).map(|asked| mirror.element(asked, refused)).collect();
        is_told |= !elements.is_empty() && mirror.tells();
        let all = answer.entry(mirror.answer).or_insert_with(|| Value::Array(Vec::new()));
        all.as_array_mut().expect("mirrors make arrays").extend(elements);
    }
    if let (Some(name), Some(elements)) = (form.once_each, answer.get_mut("results").and_then(Value::as_array_mut)) {
        elements.sort_by(|a, b| a[name].as_str().cmp(&b[name].as_str()));
        elements.dedup_by(|a, b| a[name] == b[name]);
    }
    if form.has_code && !(is_told && place == ErrorPlace::AtElements) {
        answer.insert("errorCode".into(), refused.code.into());
        form.message.put(&mut answer, refused);
    }
    if api == ApiKey::ApiVersions && refused.code == ErrorCode::UnsupportedVersion.code() {
        answer.insert("apiKeys".into(), json!([own_versions()]));
    }
    Some(Value::Object(answer))
}

/// What a client is told that has asked for versions in one that there is not (`ApiVersionsRequest.getErrorResponse`).
fn own_versions() -> Value {
    let newest = api::describe(ApiKey::ApiVersions).map_or(0, Description::max_stable_version);
    json!({ "apiKey": ApiKey::ApiVersions.id(), "minVersion": 0, "maxVersion": newest })
}

impl Constant {
    fn value(self) -> Value {
        match self {
            Constant::Null => Value::Null,
            Constant::Number(number) => number.into(),
            Constant::Text(text) => text.into(),
        }
    }
}

impl Words {
    fn put(self, into: &mut Map<String, Value>, refused: &WhyRefused<'_>) {
        let text = match self {
            Words::None => None,
            Words::Told => refused.told,
            Words::Standard => refused.standard,
        };
        if let Some(text) = text {
            into.insert("errorMessage".into(), text.into());
        }
    }
}

impl Mirror {
    /// The elements of a request that this one stands for.
    fn asked<'r>(&self, request: &'r Value) -> impl Iterator<Item = &'r Value> + use<'r> {
        let mut found = vec![request];
        for step in self.request.split('/') {
            found = found.into_iter().filter_map(|at| at.get(step)?.as_array()).flatten().collect();
        }
        found.into_iter()
    }

    /// Whether elements of it, or within it, have codes.
    fn tells(&self) -> bool {
        !self.error.is_empty() || self.within.is_some_and(Mirror::tells)
    }

    fn element(&self, asked: &Value, refused: &WhyRefused<'_>) -> Value {
        let mut answered: Map<_, _> =
            self.constants.iter().map(|(name, constant)| ((*name).into(), constant.value())).collect();
        for (ours, theirs) in self.fields {
            let value = if theirs.is_empty() { Some(asked) } else { asked.get(theirs) };
            if let Some(value) = value.filter(|value| !value.is_null() || !answered.contains_key(*ours)) {
                answered.insert((*ours).into(), value.clone());
            }
        }
        if let Some(within) = self.within {
            let elements: Vec<Value> = within.asked(asked).map(|each| within.element(each, refused)).collect();
            answered.insert(within.answer.into(), elements.into());
        }
        if !self.error.is_empty() {
            answered.insert(self.error.into(), refused.code.into());
            self.message.put(&mut answered, refused);
        }
        Value::Object(answered)
    }
}

/// Whether an API's answer has a place for an error at all; every one has.
#[cfg(test)]
fn has_place(form: &Form) -> bool {
    form.has_code || form.mirrors.iter().any(Mirror::tells)
}

#[cfg(test)]
mod tests;
