//! Frames as JSON, for people: walks the bytes by the table of messages, without the messages' types.
//!
//! Fields have Kafka's names. Records are shown as their batches; what is long is cut and says so. Nothing here is on the way
//! of a request.

use std::cell::Cell;

use serde_json::{Map, Value, json};

use crate::codec::{DecodeError, DecodeErrorKind, Reader};
use crate::model::{ApiKey, CompressionType, TimestampType};
use crate::record::batches::{Batch, Batches};
use crate::stdx::base64;

/// Elements of arrays that are shown of one frame, and batches or records of one field.
const MOST_ELEMENTS: usize = 10_000;
const MOST_RECORDS: usize = 1000;
/// Bytes of a field that are shown.
const MOST_BYTES: usize = 4096;
/// Bytes that one batch may unpack to for being shown.
const MOST_UNPACKED_BYTES: usize = 16 << 20;

/// Versions from the first to the last; none if they stand the other way round.
#[derive(Clone, Copy, Debug)]
struct Range(i16, i16);

impl Range {
    fn has(self, version: i16) -> bool {
        self.0 <= version && version <= self.1
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Int64,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(usize),
    Array(&'static Kind),
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    kind: Kind,
    versions: Range,
    nullable: Range,
    tag: u32,
    tagged: Range,
    never_flexible: bool,
}

#[derive(Debug)]
struct Shape {
    name: &'static str,
    valid: Range,
    flexible: Range,
    /// The first one is the message itself.
    structs: &'static [&'static [Field]],
}

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));

/// Which of an API's messages a body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Request,
    Response,
}

/// How records are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordsShown {
    /// They are not there: so many bytes of them were left out.
    LeftOut,
    Batches,
    /// Keys, values and headers as well.
    Whole,
}

/// Shows the body that a reader stands before.
pub fn show(
    api: ApiKey,
    side: Side,
    version: i16,
    reader: &mut Reader<'_>,
    records: RecordsShown,
) -> Result<Value, DecodeError> {
    let shapes = SHAPES.get(api as usize).and_then(Option::as_ref);
    let Some([request, response]) = shapes else { return Err(reader.error(DecodeErrorKind::Version, "body")) };
    let shape = if side == Side::Request { request } else { response };
    reader.check_version(version, shape.valid.0, shape.valid.1, shape.name)?;
    let (is_flexible, left) = (shape.flexible.has(version), Cell::new(MOST_ELEMENTS));
    Walk { shape, version, is_flexible, records, left }.structure(0, reader)
}

struct Walk {
    shape: &'static Shape,
    version: i16,
    is_flexible: bool,
    records: RecordsShown,
    /// Elements that may still be shown.
    left: Cell<usize>,
}

impl Walk {
    fn structure(&self, at: usize, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
        let fields = self.shape.structs[at];
        let mut shown = Map::new();
        let here = |field: &&Field| field.versions.has(self.version) && !field.tagged.has(self.version);
        for field in fields.iter().filter(here) {
            shown.insert(field.name.into(), self.field(field, reader, false)?);
        }
        if self.is_flexible {
            for _ in 0..reader.tag_count(self.shape.name)? {
                let (tag, mut content) = reader.tag(self.shape.name)?;
                let is_it = |field: &&Field| field.tag == tag && field.tagged.has(self.version);
                if let Some(field) = fields.iter().find(is_it) {
                    shown.insert(field.name.into(), self.field(field, &mut content, true)?);
                }
            }
        }
        Ok(Value::Object(shown))
    }

    fn field(&self, field: &Field, reader: &mut Reader<'_>, in_tag: bool) -> Result<Value, DecodeError> {
        let is_flexible = self.is_flexible && !field.never_flexible;
        let is_nullable = field.nullable.has(self.version);
        let name = field.name;
        Ok(match field.kind {
            Kind::String => reader.nullable_str(is_flexible, is_nullable, name)?.into(),
            Kind::Bytes => reader.nullable_bytes(is_flexible, is_nullable, name)?.map_or(Value::Null, bytes),
            Kind::Records => {
                let found = reader.nullable_bytes(is_flexible, is_nullable, name)?;
                found.map_or(Value::Null, |found| self.batches(found))
            }
            Kind::Array(element) => self.array(field, element, is_flexible, is_nullable, reader)?,
            Kind::Struct(at) => {
                let is_present = match (is_nullable, in_tag) {
                    (false, _) => true,
                    (true, false) => reader.is_present(name)?,
                    (true, true) => reader.is_present_in_tag(name)?,
                };
                if is_present { self.structure(at, reader)? } else { Value::Null }
            }
            plain => primitive(plain, name, reader)?,
        })
    }

    fn array(
        &self,
        field: &Field,
        element: &'static Kind,
        is_flexible: bool,
        is_nullable: bool,
        reader: &mut Reader<'_>,
    ) -> Result<Value, DecodeError> {
        let Some(count) = reader.count(is_flexible, 1, field.name)? else {
            return if is_nullable { Ok(Value::Null) } else { Err(reader.error(DecodeErrorKind::Null, field.name)) };
        };
        let (mut shown, mut hidden) = (Vec::new(), 0);
        for _ in 0..count {
            let value = match *element {
                Kind::Struct(inner) => self.structure(inner, reader)?,
                Kind::String => reader.str(is_flexible, field.name)?.into(),
                Kind::Bytes | Kind::Records => bytes(reader.bytes(is_flexible, field.name)?),
                plain => primitive(plain, field.name, reader)?,
            };
            match self.left.get().checked_sub(1) {
                Some(left) => {
                    self.left.set(left);
                    shown.push(value);
                }
                None => hidden += 1,
            }
        }
        if hidden > 0 {
            shown.push(json!({ "more": hidden }));
        }
        Ok(Value::Array(shown))
    }

    fn batches(&self, records: &[u8]) -> Value {
        if self.records == RecordsShown::LeftOut {
            return json!({ "bytes": records.len() });
        }
        let batches = Batches::new(records).map_while(Result::ok).take(MOST_RECORDS);
        let shown: Vec<Value> = batches.map(|found| batch(&found, self.records)).collect();
        json!({ "bytes": records.len(), "batches": shown })
    }
}

fn primitive(kind: Kind, name: &'static str, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    Ok(match kind {
        Kind::Bool => reader.bool(name)?.into(),
        Kind::Int8 => reader.i8(name)?.into(),
        Kind::Int16 => reader.i16(name)?.into(),
        Kind::Uint16 => reader.u16(name)?.into(),
        Kind::Int32 => reader.i32(name)?.into(),
        Kind::Int64 => reader.i64(name)?.into(),
        Kind::Float64 => reader.f64(name)?.into(),
        Kind::Uuid => reader.uuid(name)?.to_string().into(),
        other => unreachable!("{other:?} has no fixed size"),
    })
}

/// A text where the bytes are one.
fn bytes(of: &[u8]) -> Value {
    if of.len() > MOST_BYTES {
        return json!({ "bytes": of.len() });
    }
    match str::from_utf8(of) {
        Ok(text) if !text.contains('\0') => text.into(),
        _ => json!({ "base64": base64::encode(of) }),
    }
}

fn batch(of: &Batch<'_>, records: RecordsShown) -> Value {
    let header = &of.header;
    let codec = header.compression().map(|codec| match codec {
        CompressionType::None => "none",
        CompressionType::Gzip => "gzip",
        CompressionType::Snappy => "snappy",
        CompressionType::Lz4 => "lz4",
        CompressionType::Zstd => "zstd",
    });
    let mut shown = json!({
        "baseOffset": header.base_offset,
        "lastOffset": header.last_offset().0,
        "count": header.records_count,
        "bytes": of.size_bytes(),
        "codec": codec,
        "baseTimestamp": header.base_timestamp,
        "maxTimestamp": header.max_timestamp,
        "isTransactional": header.is_transactional(),
        "isControl": header.is_control(),
    });
    if header.has_producer_id() {
        shown["producerId"] = header.producer_id.into();
        shown["producerEpoch"] = header.producer_epoch.into();
        shown["baseSequence"] = header.base_sequence.into();
    }
    if records == RecordsShown::Whole {
        shown["records"] = match of.unpack(MOST_UNPACKED_BYTES) {
            Ok(unpacked) => {
                let all = of.records(&unpacked).map_while(Result::ok).take(MOST_RECORDS);
                all.map(|record| {
                    let timestamp = match header.timestamp_type() {
                        TimestampType::CreateTime => header.base_timestamp.wrapping_add(record.timestamp_delta),
                        TimestampType::LogAppendTime => header.max_timestamp,
                    };
                    let headers = record.headers.iter().map(|(key, value)| json!([bytes(key), value.map(bytes)]));
                    json!({
                        "offset": header.base_offset.wrapping_add(record.offset_delta.into()),
                        "timestamp": timestamp,
                        "key": record.key.map(bytes),
                        "value": record.value.map(bytes),
                        "headers": headers.collect::<Vec<_>>(),
                    })
                })
                .collect()
            }
            Err(error) => json!({ "error": error.to_string() }),
        };
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Message;
    use crate::record::builder::{Builder, Options, Record};
    use crate::wire::api::{metadata, produce};

    #[test]
    fn a_frame_is_shown_with_kafkas_names_and_its_batches() {
        let mut builder = Builder::new(Options::default());
        builder.append(&Record { key: Some(b"k"), value: Some(b"\xff\x00"), ..Record::default() });
        let batch = builder.build();
        let data = produce::PartitionProduceData { index: 3, records: Some(batch.as_slice().into()) };
        let topic = produce::TopicProduceData { name: "t".into(), partition_data: vec![data], ..Default::default() };
        let request = produce::Request { acks: -1, timeout_ms: 5, topic_data: vec![topic], ..Default::default() };
        let mut bytes = Vec::new();
        request.encode(&mut bytes, 9).unwrap();
        let shown = |records| show(ApiKey::Produce, Side::Request, 9, &mut Reader::new(&bytes), records).unwrap();
        let whole = shown(RecordsShown::Whole);
        assert_eq!((&whole["acks"], &whole["transactionalId"]), (&json!(-1), &Value::Null));
        let partition = &whole["topicData"][0]["partitionData"][0];
        assert_eq!((&whole["topicData"][0]["name"], &partition["index"]), (&json!("t"), &json!(3)));
        let of_batch = &partition["records"]["batches"][0];
        assert_eq!((&of_batch["count"], &of_batch["codec"]), (&json!(1), &json!("none")));
        let record = &of_batch["records"][0];
        assert_eq!((&record["key"], &record["value"]), (&json!("k"), &json!({ "base64": "/wA=" })));
        let plain = shown(RecordsShown::Batches);
        assert!(plain["topicData"][0]["partitionData"][0]["records"]["batches"][0].get("records").is_none());
        let left_out = shown(RecordsShown::LeftOut);
        let records = &left_out["topicData"][0]["partitionData"][0]["records"];
        assert_eq!(*records, json!({ "bytes": batch.len() }));
    }

    #[test]
    fn what_is_long_is_cut_and_what_is_short_is_an_error() {
        let topic = metadata::MetadataRequestTopic { name: Some("t".into()), ..Default::default() };
        let topics = Some(vec![topic; MOST_ELEMENTS + 5]);
        let request = metadata::Request { topics, ..Default::default() };
        let mut bytes = Vec::new();
        request.encode(&mut bytes, 9).unwrap();
        let shown =
            |bytes: &[u8]| show(ApiKey::Metadata, Side::Request, 9, &mut Reader::new(bytes), RecordsShown::Batches);
        let topics = shown(&bytes).unwrap()["topics"].clone();
        let topics = topics.as_array().unwrap();
        assert_eq!((topics.len(), &topics[MOST_ELEMENTS]), (MOST_ELEMENTS + 1, &json!({ "more": 5 })));
        assert!(shown(&bytes[..bytes.len() - 1]).is_err() && shown(&[]).is_err());
        let unknown = show(ApiKey::Metadata, Side::Request, 99, &mut Reader::new(&bytes), RecordsShown::Batches);
        assert!(unknown.is_err());
    }
}
