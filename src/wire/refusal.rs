//! Answers that refuse a whole request, as each request of Kafka makes one for itself (`AbstractRequest.getErrorResponse`): for
//! any API, by a table of which elements of an answer stand for which of its request.
//!
//! Both are JSON with the names of the messages' fields. Not for answers in large numbers: those who refuse often have their
//! own code for it.

mod forms;

use std::ops::Range;

use serde_json::{Map, Value};

#[cfg(test)]
use self::forms::Form;
use self::forms::{Constant, Mirror, Words, form};
use crate::codec::Reader;
use crate::model::ApiKey;
use crate::wire::api::Description;
use crate::wire::json::{self, RecordsShown, Side};

/// The first version of Fetch whose refusal names no partitions.
const FETCH_WITHOUT_PARTITIONS: i16 = 13;
/// The versions of OffsetFetch that are refused as a whole: partitions tell it in older ones, groups in newer ones.
const OFFSETS_REFUSED_AS_A_WHOLE: Range<i16> = 2..8;

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

/// The frame that refuses a request whose body stands before the reader. `None`: the client waits for none. An error is a
/// sentence.
pub fn frame(
    description: &Description,
    version: i16,
    correlation_id: i32,
    body: &mut Reader<'_>,
    refused: &WhyRefused<'_>,
) -> Result<Option<Vec<u8>>, String> {
    let request = json::show(description.key, Side::Request, version, body, RecordsShown::LeftOut);
    let request = request.map_err(|error| error.to_string())?;
    let Some(answer) = refuse(description.key, version, &request, refused, ErrorPlace::AsKafka) else {
        return Ok(None);
    };
    json::response_frame(description, version, correlation_id, &answer).map(|(bytes, _)| Some(bytes))
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
    let has_elements = match api {
        ApiKey::Fetch => place == ErrorPlace::AtElements || version < FETCH_WITHOUT_PARTITIONS,
        ApiKey::OffsetFetch => !OFFSETS_REFUSED_AS_A_WHOLE.contains(&version),
        _ => true,
    };
    let mut is_told = false;
    for mirror in form.mirrors.iter().filter(|_| has_elements) {
        let elements: Vec<Value> = mirror.asked(request).map(|asked| mirror.element(asked, refused)).collect();
        is_told |= !elements.is_empty() && mirror.tells();
        let all = answer.entry(mirror.answer).or_insert_with(|| Value::Array(Vec::new()));
        all.as_array_mut().expect("mirrors make arrays").extend(elements);
    }
    if form.has_code && !(is_told && place == ErrorPlace::AtElements) {
        answer.insert("errorCode".into(), refused.code.into());
        form.message.put(&mut answer, refused);
    }
    Some(Value::Object(answer))
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
        let mut answered = Map::new();
        for (ours, theirs) in self.fields {
            let value = if theirs.is_empty() { Some(asked) } else { asked.get(theirs) };
            value.and_then(|value| answered.insert((*ours).into(), value.clone()));
        }
        for (name, constant) in self.constants {
            answered.insert((*name).into(), constant.value());
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
