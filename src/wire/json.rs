//! Frames as JSON, for people: walks the bytes by the table of messages, without the messages' types.
//!
//! Fields have Kafka's names. Records are shown as their batches; what is long is cut and says so. `write` makes an answer of
//! JSON, for tests that say themselves what a client is answered. Nothing here is on the way of a request that no rule of a
//! test is for.

mod budget;
pub mod names;
pub mod records;
mod whole;
mod write;

use serde_json::{Map, Value, json};

use self::budget::{Budget, Cut};
pub use self::whole::{show_request, show_response, take_request_apart, take_response_apart};
use crate::codec::{DecodeError, DecodeErrorKind, Reader};
use crate::model::{ApiKey, CompressionType, TimestampType};
use crate::record::batches::{Batch, Batches};
use crate::record::header::Header;
use crate::stdx::base64;

pub use self::write::response_frame;

/// Bytes of a field that are shown.
const MOST_BYTES: usize = 4096;

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
    /// As the table writes it; empty: 0, an empty text or an empty array.
    default: &'static str,
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

/// Shows the body that a reader stands before. What is too long for people ends with how much more there is.
pub fn show(
    api: ApiKey,
    side: Side,
    version: i16,
    reader: &mut Reader<'_>,
    records: RecordsShown,
) -> Result<Value, DecodeError> {
    walk(api, side, version, reader, records, &Budget::default())
}

/// The body that a reader stands before, without its records, whole: for being answered or changed. An error is a sentence, as
/// for one whose arrays have more elements than `most_elements`.
pub fn take_apart(
    api: ApiKey,
    side: Side,
    version: i16,
    reader: &mut Reader<'_>,
    most_elements: usize,
) -> Result<Value, String> {
    let budget = Budget::of_elements(most_elements);
    let body = walk(api, side, version, reader, RecordsShown::LeftOut, &budget).map_err(|error| error.to_string())?;
    match budget.is_exceeded() {
        true => Err(format!("its arrays have more than {most_elements} elements")),
        false => Ok(body),
    }
}

fn walk(
    api: ApiKey,
    side: Side,
    version: i16,
    reader: &mut Reader<'_>,
    records: RecordsShown,
    budget: &Budget,
) -> Result<Value, DecodeError> {
    let shapes = SHAPES.get(api as usize).and_then(Option::as_ref);
    let Some([request, response]) = shapes else { return Err(reader.error(DecodeErrorKind::Version, "body")) };
    let shape = if side == Side::Request { request } else { response };
    reader.check_version(version, shape.valid.0, shape.valid.1, shape.name)?;
    Walk { shape, version, is_flexible: shape.flexible.has(version), records, budget }.structure(0, reader)
}

struct Walk<'b> {
    shape: &'static Shape,
    version: i16,
    is_flexible: bool,
    records: RecordsShown,
    budget: &'b Budget,
}

impl Walk<'_> {
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
        let mut shown = Cut::new(&self.budget.elements);
        for _ in 0..count {
            let is_shown = shown.has_room(1);
            let value = match *element {
                Kind::Struct(inner) => self.structure(inner, reader)?,
                Kind::String => reader.str(is_flexible, field.name)?.into(),
                Kind::Bytes | Kind::Records => bytes(reader.bytes(is_flexible, field.name)?),
                plain => primitive(plain, field.name, reader)?,
            };
            if is_shown {
                shown.push(value);
            }
        }
        Ok(shown.finish())
    }

    fn batches(&self, records: &[u8]) -> Value {
        if self.records == RecordsShown::LeftOut {
            return json!({ "bytes": records.len() });
        }
        let mut shown = Cut::new(&self.budget.elements);
        for found in Batches::new(records) {
            if shown.has_room(1) {
                shown.push(match found {
                    Ok(found) => self.batch(&found),
                    Err(error) => json!({ "error": error.to_string() }),
                });
            }
        }
        json!({ "bytes": records.len(), "batches": shown.finish() })
    }

    fn batch(&self, of: &Batch<'_>) -> Value {
        let mut shown = header(&of.header);
        shown["bytes"] = of.size_bytes().into();
        if self.records == RecordsShown::Whole {
            shown["records"] = self.records_of(of).unwrap_or_else(|sentence| json!({ "error": sentence }));
        }
        shown
    }

    fn records_of(&self, of: &Batch<'_>) -> Result<Value, String> {
        let header = &of.header;
        let unpacked = of.unpack(self.budget.unpacked_bytes.get()).map_err(|error| error.to_string())?;
        self.budget.unpacked_bytes.update(|left| left.saturating_sub(unpacked.len()));
        let mut shown = Cut::new(&self.budget.records);
        for record in of.records(&unpacked) {
            let Ok(record) = record else {
                shown.push(json!({ "error": "it is no record" }));
                break;
            };
            if !shown.has_room(1 + record.headers.count()) {
                continue;
            }
            let timestamp = match header.timestamp_type() {
                TimestampType::CreateTime => header.base_timestamp.wrapping_add(record.timestamp_delta),
                TimestampType::LogAppendTime => header.max_timestamp,
            };
            let headers = record.headers.iter().map(|(key, value)| json!([bytes(key), value.map(bytes)]));
            shown.push(json!({
                "offset": header.base_offset.wrapping_add(record.offset_delta.into()),
                "timestamp": timestamp,
                "key": record.key.map(bytes),
                "value": record.value.map(bytes),
                "headers": headers.collect::<Vec<_>>(),
            }));
        }
        Ok(shown.finish())
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
    text_or_base64(of)
}

/// A text where the bytes are one, however long.
pub fn text_or_base64(of: &[u8]) -> Value {
    match str::from_utf8(of) {
        Ok(text) if !text.contains('\0') => text.into(),
        _ => json!({ "base64": base64::encode(of) }),
    }
}

fn header(of: &Header) -> Value {
    let codec = of.compression().map(|codec| match codec {
        CompressionType::None => "none",
        CompressionType::Gzip => "gzip",
        CompressionType::Snappy => "snappy",
        CompressionType::Lz4 => "lz4",
        CompressionType::Zstd => "zstd",
    });
    let mut shown = json!({
        "baseOffset": of.base_offset,
        "lastOffset": of.last_offset().0,
        "count": of.records_count,
        "codec": codec,
        "baseTimestamp": of.base_timestamp,
        "maxTimestamp": of.max_timestamp,
        "isTransactional": of.is_transactional(),
        "isControl": of.is_control(),
    });
    if of.has_producer_id() {
        shown["producerId"] = of.producer_id.into();
        shown["producerEpoch"] = of.producer_epoch.into();
        shown["baseSequence"] = of.base_sequence.into();
    }
    shown
}

/// Leaves of a request's JSON the fields that it has in a version.
#[cfg(test)]
pub fn only_of_version(api: ApiKey, version: i16, request: &mut Value) {
    fn prune(shape: &Shape, at: usize, version: i16, value: &mut Value) {
        let Value::Object(fields) = value else { return };
        fields.retain(|name, value| {
            let field = shape.structs[at].iter().find(|field| field.name == name && field.versions.has(version));
            if let (Some(Field { kind: Kind::Array(Kind::Struct(inner)), .. }), Value::Array(all)) = (field, value) {
                all.iter_mut().for_each(|each| prune(shape, *inner, version, each));
            }
            field.is_some()
        });
    }
    let [shape, _] = SHAPES[api as usize].as_ref().expect("it has messages");
    prune(shape, 0, version, request);
}

#[cfg(test)]
mod tests {
    use super::budget::{MOST_ELEMENTS, MOST_RECORDS, MOST_UNPACKED_BYTES};
    use super::*;
    use crate::codec::Message;
    use crate::record::builder::{Builder, Codec, Options, Record};
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

    /// Records and batches of a Produce with these batches.
    fn shown_records(batches: Vec<Vec<u8>>) -> Value {
        let records = batches.concat();
        let data = produce::PartitionProduceData { index: 0, records: Some(records.as_slice().into()) };
        let topic = produce::TopicProduceData { name: "t".into(), partition_data: vec![data], ..Default::default() };
        let request = produce::Request { topic_data: vec![topic], ..Default::default() };
        let mut bytes = Vec::new();
        request.encode(&mut bytes, 9).unwrap();
        let shown = show(ApiKey::Produce, Side::Request, 9, &mut Reader::new(&bytes), RecordsShown::Whole).unwrap();
        shown["topicData"][0]["partitionData"][0]["records"]["batches"].clone()
    }

    fn batch(options: Options, records: usize, value: &[u8]) -> Vec<u8> {
        let mut builder = Builder::new(options);
        for _ in 0..records {
            builder.append(&Record { value: Some(value), ..Record::default() });
        }
        builder.build()
    }

    #[test]
    fn many_batches_and_records_are_cut_and_say_so() {
        let one = batch(Options::default(), 1, b"v");
        // The elements of the topics and the partitions count, too.
        let batches = shown_records(vec![one; MOST_ELEMENTS + 3]);
        let batches = batches.as_array().unwrap();
        let whole = batches.len() - 1;
        assert_eq!(batches[whole], json!({ "more": MOST_ELEMENTS + 3 - whole }));
        assert!(whole <= MOST_ELEMENTS);
        // Records have a budget of their own, over all batches.
        assert_eq!(batches[MOST_RECORDS]["records"], json!([{ "more": 1 }]));
        let batches = shown_records(vec![batch(Options::default(), MOST_RECORDS + 7, b"v")]);
        assert_eq!(batches[0]["records"][MOST_RECORDS], json!({ "more": 7 }));
    }

    /// What is small when it is packed is large when it is shown.
    #[test]
    fn batches_unpack_to_so_many_bytes_and_no_more() {
        let zeros = vec![0; MOST_UNPACKED_BYTES / 3];
        let codec = Codec { kind: CompressionType::Zstd, level: None };
        let options = || Options { codec, ..Options::default() };
        let batches = shown_records((0..4).map(|_| batch(options(), 1, &zeros)).collect());
        let is_shown = |at: usize| batches[at]["records"].is_array();
        assert_eq!([0, 1, 2, 3].map(is_shown), [true, true, false, false]);
        assert!(batches[3]["records"]["error"].is_string(), "{}", batches[3]);
    }
}
