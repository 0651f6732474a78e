//! Requests and answers as JSON, by the definitions that Apache Kafka's own jar holds: a codec of every message in every
//! version, which knows nothing of Klamm's. A request may name fields that its version does not have; they are left out.

use crate::{Context, Result, bail, cache, ensure};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fs;

/// The definitions, by name (`MetadataRequest`) and the requests by key.
pub struct Schemas {
    messages: HashMap<String, Message>,
}

struct Message {
    key: Option<i16>,
    flexible: Versions,
    fields: Vec<Field>,
}

#[derive(Clone)]
struct Field {
    name: String,
    kind: Kind,
    versions: Versions,
    nullable: Versions,
    tag: Option<(u32, Versions)>,
    default: Value,
}

#[derive(Clone)]
enum Kind {
    Bool,
    Int(usize),
    Unsigned16,
    Float,
    Text,
    Uuid,
    Bytes,
    Array(Box<Kind>),
    Struct(Vec<Field>),
}

/// From and to; none if they are the wrong way round.
#[derive(Clone, Copy)]
struct Versions(i16, i16);

impl Versions {
    const NONE: Versions = Versions(0, -1);

    fn parse(text: &str) -> Result<Versions> {
        Ok(match (text, text.split_once('-')) {
            ("none", _) => Versions::NONE,
            (_, Some((from, to))) => Versions(from.parse()?, to.parse()?),
            _ => match text.strip_suffix('+') {
                Some(from) => Versions(from.parse()?, i16::MAX),
                None => Versions(text.parse()?, text.parse()?),
            },
        })
    }

    fn of(json: &Value, key: &str) -> Result<Versions> {
        json[key].as_str().map_or(Ok(Versions::NONE), Versions::parse)
    }

    fn has(self, version: i16) -> bool {
        (self.0..=self.1).contains(&version)
    }
}

impl Schemas {
    /// Reads them out of the jar of Apache Kafka's clients.
    pub fn load() -> Result<Schemas> {
        let folder = tempfile::tempdir()?;
        let jar = cache::kafka_home().join(format!("libs/kafka-clients-{}.jar", cache::KAFKA_VERSION));
        let mut unzip = crate::program::command("unzip", &["-q", "-o"]);
        unzip.arg(&jar).args(["common/message/*.json", "-d"]).arg(folder.path());
        crate::program::run(unzip, crate::program::Input::Nothing)?;
        let mut messages = HashMap::new();
        for entry in fs::read_dir(folder.path().join("common/message"))? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).context("a name")?.to_string();
            if name.ends_with("Request") || name.ends_with("Response") {
                let text = fs::read_to_string(&path)?;
                messages.insert(name.clone(), Message::parse(&text).with_context(|| name)?);
            }
        }
        Ok(Schemas { messages })
    }

    fn message(&self, name: &str) -> Result<&Message> {
        self.messages.get(name).with_context(|| format!("no definition of {name}"))
    }

    pub fn key(&self, api: &str) -> Result<i16> {
        self.message(&format!("{api}Request"))?.key.context("a request without a key")
    }

    /// The version of the request's header.
    pub fn header_version(&self, api: &str, version: i16) -> Result<i16> {
        Ok(if self.message(&format!("{api}Request"))?.flexible.has(version) { 2 } else { 1 })
    }

    pub fn encode(&self, api: &str, version: i16, request: &Value) -> Result<Vec<u8>> {
        let message = self.message(&format!("{api}Request"))?;
        let mut writer = Writer { out: Vec::new(), version, flexible: message.flexible.has(version) };
        writer.fields(&message.fields, request).with_context(|| format!("{api} v{version}"))?;
        Ok(writer.out)
    }

    /// An answer behind its correlation id.
    pub fn decode(&self, api: &str, version: i16, answer: &[u8]) -> Result<Value> {
        let message = self.message(&format!("{api}Response"))?;
        let flexible = message.flexible.has(version);
        let mut reader = Reader { rest: answer, version, flexible };
        // An older client must be able to read the answer to ApiVersions.
        if flexible && api != "ApiVersions" {
            reader.skip_tags()?;
        }
        let value = reader.fields(&message.fields).with_context(|| format!("{api} v{version}"))?;
        ensure!(reader.rest.is_empty(), "{api} v{version}: {} bytes behind the answer", reader.rest.len());
        Ok(value)
    }
}

impl Message {
    fn parse(text: &str) -> Result<Message> {
        let json: Value = serde_json::from_str(&without_comments(text))?;
        let common = json["commonStructs"].as_array().cloned().unwrap_or_default();
        Ok(Message {
            key: json["apiKey"].as_i64().map(|key| key as i16),
            flexible: Versions::of(&json, "flexibleVersions")?,
            fields: fields(&json, &common)?,
        })
    }
}

fn fields(json: &Value, common: &[Value]) -> Result<Vec<Field>> {
    let all = json["fields"].as_array().cloned().unwrap_or_default();
    all.iter().map(|field| Field::parse(field, common)).collect()
}

impl Field {
    fn parse(json: &Value, common: &[Value]) -> Result<Field> {
        let name = json["name"].as_str().context("a field without a name")?.to_string();
        let kind = Kind::parse(json["type"].as_str().context("no type")?, json, common)?;
        let tag = match json["tag"].as_u64() {
            Some(tag) => Some((tag as u32, Versions::of(json, "taggedVersions")?)),
            None => None,
        };
        let default = kind.default(&json["default"])?;
        let (versions, nullable) = (Versions::of(json, "versions")?, Versions::of(json, "nullableVersions")?);
        Ok(Field { name, kind, versions, nullable, tag, default })
    }

    fn is_tagged(&self, version: i16) -> bool {
        self.tag.is_some_and(|(_, versions)| versions.has(version))
    }
}

impl Kind {
    fn parse(word: &str, json: &Value, common: &[Value]) -> Result<Kind> {
        Ok(match word {
            "bool" => Kind::Bool,
            "int8" => Kind::Int(1),
            "int16" => Kind::Int(2),
            "int32" | "uint32" => Kind::Int(4),
            "int64" => Kind::Int(8),
            "uint16" => Kind::Unsigned16,
            "float64" => Kind::Float,
            "string" => Kind::Text,
            "uuid" => Kind::Uuid,
            "bytes" | "records" => Kind::Bytes,
            _ => match word.strip_prefix("[]") {
                Some(element) => Kind::Array(Box::new(Kind::parse(element, json, common)?)),
                None if json["fields"].is_array() => Kind::Struct(fields(json, common)?),
                None => {
                    let named = common.iter().find(|named| named["name"] == word);
                    Kind::Struct(fields(named.with_context(|| format!("no struct {word}"))?, common)?)
                }
            },
        })
    }

    fn default(&self, said: &Value) -> Result<Value> {
        let text = said.as_str();
        if text == Some("null") {
            return Ok(Value::Null);
        }
        Ok(match self {
            Kind::Bool => json!(said.as_bool().unwrap_or(text == Some("true"))),
            Kind::Int(_) | Kind::Unsigned16 => match text {
                Some(text) => json!(match text.strip_prefix("0x") {
                    Some(digits) => i64::from_str_radix(digits, 16)?,
                    None => text.parse()?,
                }),
                None => json!(said.as_i64().unwrap_or(0)),
            },
            Kind::Float => json!(0.0),
            Kind::Text => json!(text.unwrap_or("")),
            Kind::Uuid => json!(ZERO_ID),
            Kind::Bytes => json!(""),
            Kind::Array(_) => json!([]),
            Kind::Struct(_) => json!({}),
        })
    }
}

pub const ZERO_ID: &str = "00000000000000000000000000000000";

/// Kafka's definitions have comments, which JSON does not.
fn without_comments(text: &str) -> String {
    let line = |line: &str| {
        let mut in_text = false;
        let bytes = line.as_bytes();
        for at in 0..bytes.len() {
            match bytes[at] {
                b'"' => in_text = !in_text,
                b'/' if !in_text && bytes.get(at + 1) == Some(&b'/') => return line[..at].to_string(),
                _ => {}
            }
        }
        line.to_string()
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

struct Writer {
    out: Vec<u8>,
    version: i16,
    flexible: bool,
}

impl Writer {
    fn fields(&mut self, fields: &[Field], value: &Value) -> Result<()> {
        let (given, version) = (value.as_object().context("an object")?, self.version);
        for name in given.keys() {
            ensure!(fields.iter().any(|field| field.name == *name), "no field {name}");
        }
        let mut tagged = Vec::new();
        for field in fields.iter().filter(|field| field.versions.has(version)) {
            let value = given.get(&field.name).unwrap_or(&field.default);
            if !field.is_tagged(self.version) {
                self.value(field, value).with_context(|| field.name.clone())?;
            } else if given.contains_key(&field.name) {
                tagged.push((field, value));
            }
        }
        if self.flexible {
            self.varint(tagged.len() as u32);
            for (field, value) in tagged {
                let mut inner = Writer { out: Vec::new(), version: self.version, flexible: true };
                inner.value(field, value)?;
                self.varint(field.tag.map_or(0, |(tag, _)| tag));
                self.varint(inner.out.len() as u32);
                self.out.extend(inner.out);
            }
        }
        Ok(())
    }

    fn value(&mut self, field: &Field, value: &Value) -> Result<()> {
        ensure!(!value.is_null() || field.nullable.has(self.version), "null in version {}", self.version);
        if field.nullable.has(self.version) && matches!(field.kind, Kind::Struct(_)) {
            self.out.push(if value.is_null() { 0xff } else { 1 });
            if value.is_null() {
                return Ok(());
            }
        }
        self.plain(&field.kind, value)
    }

    fn plain(&mut self, kind: &Kind, value: &Value) -> Result<()> {
        match kind {
            Kind::Bool => self.out.push(value.as_bool().context("a boolean")?.into()),
            Kind::Int(bytes) => {
                let number = value.as_i64().context("a number")?;
                self.out.extend_from_slice(&number.to_be_bytes()[8 - bytes..]);
            }
            Kind::Unsigned16 => self.out.extend_from_slice(&(value.as_u64().context("a number")? as u16).to_be_bytes()),
            Kind::Float => self.out.extend_from_slice(&value.as_f64().context("a number")?.to_be_bytes()),
            Kind::Text => {
                let text = value.as_str().map(|text| text.as_bytes().to_vec());
                self.length(text.as_ref().map(Vec::len), 2);
                self.out.extend(text.unwrap_or_default());
            }
            Kind::Uuid => self.out.extend(from_hex(value.as_str().context("an id")?)?),
            Kind::Bytes => {
                let bytes = value.as_str().map(from_hex).transpose()?;
                self.length(bytes.as_ref().map(Vec::len), 4);
                self.out.extend(bytes.unwrap_or_default());
            }
            Kind::Array(element) => {
                let elements = value.as_array();
                self.length(elements.map(Vec::len), 4);
                elements.into_iter().flatten().try_for_each(|value| self.plain(element, value))?;
            }
            Kind::Struct(fields) => self.fields(fields, value)?,
        }
        Ok(())
    }

    /// `None` is null; `bytes` of the length where the message is not flexible.
    fn length(&mut self, length: Option<usize>, bytes: usize) {
        if self.flexible {
            self.varint(length.map_or(0, |length| length as u32 + 1));
        } else {
            let length = length.map_or(-1, |length| length as i64);
            self.out.extend_from_slice(&length.to_be_bytes()[8 - bytes..]);
        }
    }

    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        ensure!(count <= self.rest.len(), "{count} bytes are wanted and {} are left", self.rest.len());
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<i64> {
        let taken = self.take(bytes)?;
        let sign = if taken[0] & 0x80 == 0 { 0 } else { -1 };
        Ok(taken.iter().fold(sign, |number, byte| number << 8 | i64::from(*byte)))
    }

    fn varint(&mut self) -> Result<u32> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        bail!("a varint of more than five bytes")
    }

    fn length(&mut self, bytes: usize) -> Result<Option<usize>> {
        let length = if self.flexible { i64::from(self.varint()?) - 1 } else { self.number(bytes)? };
        Ok(usize::try_from(length).ok())
    }

    fn skip_tags(&mut self) -> Result<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()? as usize;
            self.take(length)?;
        }
        Ok(())
    }

    fn fields(&mut self, fields: &[Field]) -> Result<Value> {
        let (mut found, version) = (Map::new(), self.version);
        for field in fields.iter().filter(|field| field.versions.has(version)) {
            let value = match field.is_tagged(self.version) {
                true => field.default.clone(),
                false => self.value(field).with_context(|| field.name.clone())?,
            };
            found.insert(field.name.clone(), value);
        }
        if self.flexible {
            for _ in 0..self.varint()? {
                let (tag, length) = (self.varint()?, self.varint()? as usize);
                let mut inner = Reader { rest: self.take(length)?, ..*self };
                let is_this = |field: &&Field| field.tag.is_some_and(|(known, _)| known == tag);
                if let Some(field) = fields.iter().find(is_this) {
                    found.insert(field.name.clone(), inner.value(field)?);
                }
            }
        }
        Ok(Value::Object(found))
    }

    fn value(&mut self, field: &Field) -> Result<Value> {
        let is_nullable = field.nullable.has(self.version) && matches!(field.kind, Kind::Struct(_));
        if is_nullable && self.number(1)? < 0 {
            return Ok(Value::Null);
        }
        self.plain(&field.kind)
    }

    fn plain(&mut self, kind: &Kind) -> Result<Value> {
        Ok(match kind {
            Kind::Bool => json!(self.take(1)?[0] != 0),
            Kind::Int(bytes) => json!(self.number(*bytes)?),
            Kind::Unsigned16 => json!(self.number(2)? as u16),
            Kind::Float => json!(f64::from_be_bytes(self.take(8)?.try_into()?)),
            Kind::Text => match self.length(2)? {
                Some(length) => json!(String::from_utf8_lossy(self.take(length)?)),
                None => Value::Null,
            },
            Kind::Uuid => json!(hex(self.take(16)?)),
            Kind::Bytes => match self.length(4)? {
                Some(length) => json!(hex(self.take(length)?)),
                None => Value::Null,
            },
            Kind::Array(element) => match self.length(4)? {
                Some(length) => (0..length).map(|_| self.plain(element)).collect::<Result<Vec<_>>>()?.into(),
                None => Value::Null,
            },
            Kind::Struct(fields) => self.fields(fields)?,
        })
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    ensure!(text.len().is_multiple_of(2) && text.is_ascii(), "no bytes: {text}");
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&text[at..at + 2], 16)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemas() -> Schemas {
        let define = |name: &str, text: &str| (name.to_string(), Message::parse(text).expect("a definition"));
        let request = r#"{ "apiKey": 7, "flexibleVersions": "1+", "fields": [ // a comment
            { "name": "A", "type": "[]string", "versions": "0+", "nullableVersions": "0+", "about": "no // comment" },
            { "name": "B", "type": "int32", "versions": "1+", "default": "0x7fffffff" },
            { "name": "C", "type": "S", "versions": "1+", "nullableVersions": "1+", "default": "null", "fields": [
                { "name": "D", "type": "uuid", "versions": "1+" }]},
            { "name": "E", "type": "int8", "versions": "1+", "taggedVersions": "1+", "tag": 3, "default": "-1" }]}"#;
        Schemas { messages: [define("XRequest", request), define("XResponse", request)].into() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (schemas, id) = (schemas(), "0102030405060708090a0b0c0d0e0f10");
        let all = json!({ "A": ["b", ""], "B": -2, "C": { "D": id }, "E": 5 });
        let written = schemas.encode("X", 1, &all).expect("it can be written");
        assert_eq!(schemas.decode("X", 1, &[&[0], &written[..]].concat()).expect("it can be read"), all);
        assert_eq!(schemas.encode("X", 0, &all).expect("it can be written"), [0, 0, 0, 2, 0, 1, b'b', 0, 0]);
        let defaults = schemas.encode("X", 1, &json!({ "A": null })).expect("it can be written");
        assert_eq!(defaults, [0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0]);
        assert_eq!((schemas.key("X").ok(), schemas.header_version("X", 0).ok()), (Some(7), Some(1)));
    }

    #[test]
    fn what_is_no_field_or_left_over_is_told() {
        let schemas = schemas();
        assert!(schemas.encode("X", 1, &json!({ "Z": 1 })).is_err());
        assert!(schemas.decode("X", 0, &[0, 0, 0, 0, 9]).is_err());
        assert!(schemas.decode("X", 0, &[0, 0, 0, 1]).is_err());
    }
}
