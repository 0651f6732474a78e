//! Random messages made from the table alone: bytes in Kafka's encoding, without the generated code.
//!
//! This is a second implementation of the encoding, driven by the table at run time; what it writes is canonical (tags
//! sorted and only where a value differs from its default), so that decoding and encoding again must give the same.

#![allow(dead_code)]

#[path = "../../build/schema.rs"]
pub mod schema;

use schema::{Field, Message, Struct, Type};
use std::path::Path;

/// SplitMix64: small, seeded, good enough to draw messages.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Every message of the table.
pub fn messages() -> Vec<Message> {
    // Of the checkout that runs it: several may share what was built.
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join("src/codec/schema");
    schema::load(&folder).into_values().flatten().collect()
}

pub fn find<'m>(messages: &'m [Message], name: &str) -> &'m Message {
    messages.iter().find(|m| m.name == name).unwrap_or_else(|| panic!("{name} is not in the table"))
}

/// A message in this version, drawn at random.
pub fn draw(message: &Message, version: i16, random: &mut Random) -> Vec<u8> {
    let mut drawing = Drawing { message, version, flexible: message.flexible.has(version), random: Some(random) };
    let mut out = Vec::new();
    drawing.write_struct(message.root(), &mut out);
    out
}

struct Drawing<'d> {
    message: &'d Message,
    version: i16,
    flexible: bool,
    /// Without it every field has its default.
    random: Option<&'d mut Random>,
}

impl<'d> Drawing<'d> {
    fn write_struct(&mut self, of: &'d Struct, out: &mut Vec<u8>) {
        let mut tags: Vec<(u32, Vec<u8>)> = Vec::new();
        let version = self.version;
        for field in of.fields.iter().filter(|f| f.versions.has(version)) {
            if field.tagged.has(version) {
                let content = self.tag_content(field);
                let default = self.defaults().tag_content(field);
                if content != default {
                    tags.push((field.tag.unwrap(), content));
                }
            } else {
                self.write_field(field, false, out);
            }
        }
        if self.flexible {
            tags.sort();
            uvarint(tags.len() as u64, out);
            for (tag, content) in tags {
                uvarint(u64::from(tag), out);
                uvarint(content.len() as u64, out);
                out.extend(content);
            }
        }
    }

    fn defaults(&self) -> Drawing<'d> {
        Drawing { message: self.message, version: self.version, flexible: self.flexible, random: None }
    }

    fn tag_content(&mut self, field: &'d Field) -> Vec<u8> {
        let mut content = Vec::new();
        self.write_field(field, true, &mut content);
        content
    }

    fn write_field(&mut self, field: &'d Field, in_tag: bool, out: &mut Vec<u8>) {
        let flexible = self.flexible && !field.never_flexible;
        let nullable = field.nullable.has(self.version);
        let null = nullable
            && match &mut self.random {
                Some(random) => random.one_in(4),
                None => field.default.as_deref() == Some("null"),
            };
        match &field.kind {
            Type::Struct(name) => {
                match (nullable, in_tag) {
                    (true, true) => out.push(u8::from(!null)),
                    (true, false) => out.push(if null { 0xff } else { 1 }),
                    (false, _) => {}
                }
                if !null {
                    self.write_struct(self.message.find(name), out);
                }
            }
            Type::String | Type::Bytes | Type::Records | Type::Array(_) if null => {
                let short = field.kind == Type::String;
                out.extend_from_slice(if flexible { &[0] } else { &[0xff; 4][..if short { 2 } else { 4 }] });
            }
            kind => self.write_value(kind, field, flexible, out),
        }
    }

    fn write_value(&mut self, kind: &'d Type, field: &'d Field, flexible: bool, out: &mut Vec<u8>) {
        match kind {
            Type::String => {
                let text = self.random.as_mut().map_or_else(String::new, |random| text(random));
                length(text.len(), flexible, true, out);
                out.extend_from_slice(text.as_bytes());
            }
            Type::Bytes | Type::Records => {
                let bytes = self.random.as_mut().map_or_else(Vec::new, |random| bytes(random));
                length(bytes.len(), flexible, false, out);
                out.extend(bytes);
            }
            Type::Array(element) => {
                let count = self.random.as_mut().map_or(0, |random| count(element, random));
                length(count, flexible, false, out);
                for _ in 0..count {
                    match &**element {
                        Type::Struct(name) => self.write_struct(self.message.find(name), out),
                        element => self.write_value(element, field, flexible, out),
                    }
                }
            }
            kind => self.write_number(kind, field, out),
        }
    }

    fn write_number(&mut self, kind: &Type, field: &Field, out: &mut Vec<u8>) {
        let default = field.default.as_deref().unwrap_or("0");
        let number = match &mut self.random {
            // The small and the extreme are the interesting ones.
            Some(random) => match random.below(4) {
                0 => random.below(5) as i64 - 2,
                1 => i64::MAX,
                _ => random.next() as i64,
            },
            None if kind == &Type::Bool => i64::from(default == "true"),
            None => default.parse().unwrap(),
        };
        let all = number.to_be_bytes();
        match kind {
            Type::Bool => out.push((number & 1) as u8),
            Type::Int8 => out.extend_from_slice(&all[7..]),
            Type::Int16 | Type::Uint16 => out.extend_from_slice(&all[6..]),
            Type::Int32 | Type::Uint32 => out.extend_from_slice(&all[4..]),
            Type::Int64 => out.extend_from_slice(&all),
            Type::Float64 => out.extend_from_slice(&(number as f64).to_be_bytes()),
            Type::Uuid => out.extend_from_slice(&[all, all].concat()),
            other => panic!("{other:?} is not a number"),
        }
    }
}

fn text(random: &mut Random) -> String {
    let length = match random.below(20) {
        0 => 300,
        1 => 127,
        n => n % 7,
    };
    (0..length).map(|_| ['a', 'Z', '.', 'ä', '峡', '\u{1f3de}'][random.below(6) as usize]).collect()
}

fn bytes(random: &mut Random) -> Vec<u8> {
    let length = if random.one_in(20) { 20_000 } else { random.below(20) };
    (0..length).map(|_| random.next() as u8).collect()
}

fn count(element: &Type, random: &mut Random) -> usize {
    let many = !matches!(element, Type::Struct(_)) && random.one_in(20);
    if many { 200 } else { random.below(4) as usize }
}

fn length(length: usize, flexible: bool, short: bool, out: &mut Vec<u8>) {
    match (flexible, short) {
        (true, _) => uvarint(length as u64 + 1, out),
        (false, true) => out.extend_from_slice(&(length as i16).to_be_bytes()),
        (false, false) => out.extend_from_slice(&(length as i32).to_be_bytes()),
    }
}

pub fn uvarint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A body of about `size` bytes that makes a decoder reserve as much as it can be brought to.
///
/// `filled`: the message is whole, one array is filled with the smallest elements there are. Otherwise arrays within
/// arrays each claim as many elements as could be there, and the frame ends early.
pub fn greedy(message: &Message, version: i16, size: usize, filled: bool, random: &mut Random) -> Vec<u8> {
    let flexible = message.flexible.has(version);
    let mut greedy = Greedy { message, version, flexible, size, filled, done: false, random };
    let mut out = Vec::new();
    greedy.write_struct(message.root(), &mut out);
    if !filled {
        out.resize(size.max(out.len()), 0);
    }
    out
}

struct Greedy<'d> {
    message: &'d Message,
    version: i16,
    flexible: bool,
    size: usize,
    filled: bool,
    done: bool,
    random: &'d mut Random,
}

impl<'d> Greedy<'d> {
    fn write_struct(&mut self, of: &'d Struct, out: &mut Vec<u8>) {
        let mut tags = Vec::new();
        for field in of.fields.iter().filter(|f| f.versions.has(self.version)).collect::<Vec<_>>() {
            if self.done && !self.filled {
                return;
            }
            if field.tagged.has(self.version) {
                if !self.done && self.random.one_in(2) {
                    let mut content = Vec::new();
                    self.write_field(field, &mut content);
                    tags.push((field.tag.unwrap(), content));
                }
            } else {
                self.write_field(field, out);
            }
        }
        if self.flexible {
            uvarint(tags.len() as u64, out);
            for (tag, content) in tags {
                uvarint(u64::from(tag), out);
                // A claim that ends early claims the rest of the frame for the tag as well.
                uvarint(if self.filled { content.len() } else { self.size - out.len() - 8 } as u64, out);
                out.extend(content);
            }
        }
    }

    fn write_field(&mut self, field: &'d Field, out: &mut Vec<u8>) {
        let flexible = self.flexible && !field.never_flexible;
        match &field.kind {
            Type::Struct(name) => {
                if field.nullable.has(self.version) {
                    out.push(1);
                }
                self.write_struct(self.message.find(name), out);
            }
            Type::Array(element) if !self.done && self.random.one_in(2) => self.write_array(element, flexible, out),
            kind => {
                let compact = matches!(kind, Type::String | Type::Bytes | Type::Records | Type::Array(_));
                let length = schema::primitive_min_size(kind, flexible);
                out.resize(out.len() + length, 0);
                // Empty, not null: a compact length is one more.
                *out.last_mut().unwrap() = u8::from(flexible && compact);
            }
        }
    }

    fn write_array(&mut self, element: &'d Type, flexible: bool, out: &mut Vec<u8>) {
        let (least, inner) = match element {
            Type::Struct(name) => {
                let inner = self.message.find(name);
                (self.message.min_size(inner, self.version), Some(inner))
            }
            other => (schema::primitive_min_size(other, flexible), None),
        };
        let room = self.size.saturating_sub(out.len() + 16);
        if self.filled {
            let mut one = Vec::new();
            self.done = true;
            match inner {
                Some(inner) => self.write_struct(inner, &mut one),
                None => one.resize(least, u8::from(flexible && element == &Type::String)),
            }
            let count = (room / one.len().max(1)).min(1_000_000);
            length(count, flexible, false, out);
            out.extend(std::iter::repeat_n(one, count).flatten());
        } else {
            length((room / least.max(1)).min(1_000_000), flexible, false, out);
            if let Some(inner) = inner {
                self.write_struct(inner, out);
            }
            self.done = true;
        }
    }
}
