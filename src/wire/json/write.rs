//! JSON as a frame: what [`show`](super::show) shows of an answer, and what is put together for a test, as bytes.
//!
//! A field that is not there has the value that the table gives it. Records are left out: the answers of tests that have
//! any are the broker's own.

use serde_json::{Map, Value};

use super::{Field, Kind, SHAPES, Shape};
use crate::codec::{Buffer, Sink, ToldErrors};
use crate::model::Uuid;
use crate::stdx::base64;
use crate::wire::api::Description;
use crate::wire::frame::Frame;

/// A response's frame with the error codes in it. An error is a sentence that names the field.
pub fn response_frame(
    description: &Description,
    version: i16,
    correlation_id: i32,
    body: &Value,
) -> Result<(Vec<u8>, ToldErrors), String> {
    let shapes = SHAPES.get(description.key as usize).and_then(Option::as_ref);
    let [_, shape] = shapes.ok_or_else(|| format!("{} has no message", description.key))?;
    if !shape.valid.has(version) {
        return Err(format!("{} has no version {version}", shape.name));
    }
    let mut out = Vec::new();
    let mut frame = Frame::begin(&mut out, correlation_id, description.response_header_version(version));
    Writing { shape, version, is_flexible: shape.flexible.has(version) }.structure(0, body, &mut frame)?;
    let errors = frame.finish(shape.name).map_err(|error| format!("{}: {:?}", error.field, error.kind))?;
    Ok((out, errors))
}

struct Writing {
    shape: &'static Shape,
    version: i16,
    is_flexible: bool,
}

impl Writing {
    fn structure(&self, at: usize, value: &Value, sink: &mut impl Sink) -> Result<(), String> {
        let empty = Map::new();
        let object = match value {
            Value::Object(object) => object,
            Value::Null => &empty,
            _ => return Err(format!("{}: an object is wanted, not {value}", self.shape.name)),
        };
        let fields = self.shape.structs[at];
        if let Some(unknown) = object.keys().find(|name| fields.iter().all(|field| field.name != name.as_str())) {
            return Err(format!("{} has no field {unknown:?}", self.shape.name));
        }
        let here = |field: &&Field| field.versions.has(self.version) && !field.tagged.has(self.version);
        for field in fields.iter().filter(here) {
            self.field(field, object.get(field.name), sink)?;
        }
        if self.is_flexible {
            self.tags(fields, object, sink)?;
        }
        Ok(())
    }

    /// The tagged fields that are there.
    fn tags(&self, fields: &[Field], object: &Map<String, Value>, sink: &mut impl Sink) -> Result<(), String> {
        let mut tagged: Vec<_> = fields.iter().filter(|field| field.tagged.has(self.version)).collect();
        tagged.retain(|field| object.get(field.name).is_some_and(|value| !value.is_null()));
        tagged.sort_unstable_by_key(|field| field.tag);
        sink.uvarint(tagged.len() as u32);
        for field in tagged {
            let mut content = Vec::new();
            let mut buffer = Buffer::new(&mut content);
            if matches!(field.kind, Kind::Struct(_)) && field.nullable.has(self.version) {
                buffer.uvarint(1);
                self.value(field, field.kind, object.get(field.name), &mut buffer)?;
            } else {
                self.field(field, object.get(field.name), &mut buffer)?;
            }
            sink.tag(field.tag, content.len(), field.name);
            sink.put(&content);
        }
        Ok(())
    }

    fn field(&self, field: &Field, value: Option<&Value>, sink: &mut impl Sink) -> Result<(), String> {
        let is_flexible = self.is_flexible && !field.never_flexible;
        let is_nullable = field.nullable.has(self.version);
        // Null by default, or because it says so.
        let value = value.filter(|value| !value.is_null() || is_nullable);
        let is_null = is_nullable && value.map_or(field.default == "null", Value::is_null);
        match field.kind {
            Kind::String if is_null => sink.nullable_str(is_flexible, true, None, field.name),
            Kind::Bytes if is_null => sink.nullable_bytes(is_flexible, true, None, field.name),
            Kind::Array(_) if is_null => sink.null(is_flexible, true, field.name),
            // An answer without records has empty ones, as Kafka's errors have.
            Kind::Records => sink.nullable_bytes(is_flexible, is_nullable, (!is_null).then_some(&[]), field.name),
            Kind::Struct(_) if is_nullable => {
                sink.i8(if is_null { -1 } else { 1 });
                if !is_null {
                    self.value(field, field.kind, value, sink)?;
                }
            }
            kind => self.value(field, kind, value, sink)?,
        }
        Ok(())
    }

    /// A value that is not null.
    fn value(&self, field: &Field, kind: Kind, value: Option<&Value>, sink: &mut impl Sink) -> Result<(), String> {
        let is_flexible = self.is_flexible && !field.never_flexible;
        let name = field.name;
        let wrong = |wanted: &str| Err(format!("{}.{name}: {wanted} is wanted", self.shape.name));
        match kind {
            Kind::Struct(inner) => self.structure(inner, value.unwrap_or(&Value::Null), sink)?,
            Kind::Array(element) => {
                let Some(elements) = value.map_or(Some(&[][..]), |value| value.as_array().map(Vec::as_slice)) else {
                    return wrong("an array");
                };
                sink.length(is_flexible, elements.len(), name);
                for each in elements {
                    self.value(field, *element, Some(each), sink)?;
                }
            }
            Kind::String => match value.map_or(Some(field.default), Value::as_str) {
                Some(text) => sink.str(is_flexible, text, name),
                None => return wrong("a text"),
            },
            Kind::Bytes | Kind::Records => match value.map_or(Some(Vec::new()), bytes) {
                Some(bytes) => sink.bytes(is_flexible, &bytes, name),
                None => return wrong("a text or {\"base64\": …}"),
            },
            Kind::Bool => match value.map_or(Some(field.default == "true"), Value::as_bool) {
                Some(is) => sink.bool(is),
                None => return wrong("true or false"),
            },
            Kind::Uuid => match value.map_or(Some(Uuid::ZERO), |value| value.as_str().and_then(Uuid::parse)) {
                Some(id) => sink.uuid(id),
                None => return wrong("an id"),
            },
            Kind::Float64 => match value.map_or(Some(0.0), Value::as_f64) {
                Some(number) => sink.f64(number),
                None => return wrong("a number"),
            },
            whole => {
                let number = value.map_or_else(|| Some(default_number(field)), Value::as_i64);
                if !number.is_some_and(|number| write_whole(whole, field, number, sink)) {
                    return wrong("a whole number that fits");
                }
            }
        }
        Ok(())
    }
}

fn default_number(field: &Field) -> i64 {
    if field.default.is_empty() { 0 } else { field.default.parse().unwrap_or_default() }
}

/// `false` if it does not fit.
fn write_whole(kind: Kind, field: &Field, number: i64, sink: &mut impl Sink) -> bool {
    match kind {
        Kind::Int8 => i8::try_from(number).map(|number| sink.i8(number)).is_ok(),
        Kind::Int16 if field.name.ends_with("rrorCode") => {
            i16::try_from(number).map(|number| sink.error_code(number)).is_ok()
        }
        Kind::Int16 => i16::try_from(number).map(|number| sink.i16(number)).is_ok(),
        Kind::Uint16 => u16::try_from(number).map(|number| sink.u16(number)).is_ok(),
        Kind::Int32 => i32::try_from(number).map(|number| sink.i32(number)).is_ok(),
        _ => {
            sink.i64(number);
            true
        }
    }
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Object(_) => base64::decode(value.get("base64")?.as_str()?.as_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{RecordsShown, Side, show};
    use super::*;
    use crate::codec::{Message, Reader};
    use crate::model::ApiKey;
    use crate::wire::api::{self, fetch, metadata, produce};
    use crate::wire::header::ResponseHeader;

    /// The body of a frame that is made of what is shown of a message.
    fn again<'m>(key: ApiKey, version: i16, message: &impl Message<'m>) -> (Vec<u8>, Vec<u8>) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes, version).unwrap();
        let shown = show(key, Side::Response, version, &mut Reader::new(&bytes), RecordsShown::LeftOut).unwrap();
        let description = api::describe(key).unwrap();
        let (frame, _) = response_frame(description, version, 7, &shown).unwrap();
        let mut reader = Reader::new(&frame[4..]);
        let header = ResponseHeader::decode(&mut reader, description.response_header_version(version)).unwrap();
        assert_eq!(header.correlation_id, 7);
        (bytes, frame[frame.len() - reader.remaining()..].to_vec())
    }

    #[test]
    fn what_is_shown_is_written_as_it_was() {
        let partition = metadata::MetadataResponsePartition {
            partition_index: 3,
            leader_id: 1,
            replica_nodes: vec![1, 2],
            ..Default::default()
        };
        let topic = metadata::MetadataResponseTopic {
            name: Some("t".into()),
            partitions: vec![partition],
            ..Default::default()
        };
        let broker = metadata::MetadataResponseBroker { node_id: 1, host: "h".into(), port: 9, rack: None };
        let response = metadata::Response { brokers: vec![broker], topics: vec![topic], ..Default::default() };
        for version in [1, 8, 9, 12] {
            let (before, after) = again(ApiKey::Metadata, version, &response);
            assert_eq!(before, after, "version {version}");
        }
        for version in [3, 9, 10] {
            // A tagged field since version 10.
            let leader = produce::LeaderIdAndEpoch { leader_id: 4, leader_epoch: 2 };
            let current_leader = if version < 10 { Default::default() } else { leader };
            let partition =
                produce::PartitionProduceResponse { index: 1, error_code: 6, current_leader, ..Default::default() };
            let topic = produce::TopicProduceResponse {
                name: "t".into(),
                partition_responses: vec![partition],
                ..Default::default()
            };
            let response = produce::Response { responses: vec![topic], ..Default::default() };
            let (before, after) = again(ApiKey::Produce, version, &response);
            assert_eq!(before, after, "version {version}");
        }
    }

    #[test]
    fn what_is_left_out_has_the_values_of_the_table() {
        let description = api::describe(ApiKey::Fetch).unwrap();
        let body = json!({ "responses": [{ "topic": "t", "partitions": [{ "partitionIndex": 2, "errorCode": 6 }] }] });
        let (frame, errors) = response_frame(description, 12, 1, &body).unwrap();
        assert_eq!(errors.iter().collect::<Vec<_>>(), [(6, 1)]);
        let mut reader = Reader::new(&frame[4..]);
        ResponseHeader::decode(&mut reader, 1).unwrap();
        let response = fetch::Response::decode(&mut reader, 12).unwrap();
        let partition = &response.responses[0].partitions[0];
        assert_eq!((partition.partition_index, partition.error_code), (2, 6));
        assert_eq!((partition.last_stable_offset, partition.preferred_read_replica), (-1, -1));
        assert_eq!(partition.records.as_deref(), Some(&b""[..]));
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_field() {
        let description = api::describe(ApiKey::Heartbeat).unwrap();
        let told = |body| response_frame(description, 4, 1, &body).unwrap_err();
        assert_eq!(told(json!({ "colour": 1 })), "HeartbeatResponse has no field \"colour\"");
        assert_eq!(
            told(json!({ "errorCode": 40_000 })),
            "HeartbeatResponse.errorCode: a whole number that fits is wanted"
        );
        assert_eq!(told(json!([])), "HeartbeatResponse: an object is wanted, not []");
        assert!(response_frame(description, 99, 1, &json!({})).is_err());
    }
}
