//! The table of messages (`src/codec/schema/*.klamm`) as data: its notation, and what each version of a message holds.
//!
//! ```text
//! request 1 FetchRequest 4-18 flexible 12+ on broker,controller [unstable]
//!   struct Name 0+                      a struct used in several places; its fields follow, deeper
//!   Name type versions [null versions] [tag number versions] [flexible none] [= default] [ignorable]
//!     Name ...                          the fields of that field's struct
//! ```
//!
//! The build script reads it, and so do tests that make messages without going through the generated code. The table's
//! author is us: a mistake in it stops the build with a panic that names the line.

use std::collections::BTreeMap;

/// Versions `min..=max`; empty if `max < min`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Versions {
    pub min: i16,
    pub max: i16,
}

impl Versions {
    pub const NONE: Versions = Versions { min: 0, max: -1 };

    fn parse(text: &str) -> Versions {
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("not a version: `{text}`"));
        match (text, text.strip_suffix('+'), text.split_once('-')) {
            ("none", ..) => Versions::NONE,
            (_, Some(min), _) => Versions { min: number(min), max: i16::MAX },
            (.., Some((min, max))) => Versions { min: number(min), max: number(max) },
            _ => Versions { min: number(text), max: number(text) },
        }
    }

    pub fn and(self, other: Versions) -> Versions {
        Versions { min: self.min.max(other.min), max: self.max.min(other.max) }
    }

    pub fn is_empty(self) -> bool {
        self.max < self.min
    }

    pub fn has(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Type {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Type>),
}

impl Type {
    fn parse(text: &str) -> Type {
        if let Some(element) = text.strip_prefix("[]") {
            return Type::Array(Box::new(Type::parse(element)));
        }
        match text {
            "bool" => Type::Bool,
            "int8" => Type::Int8,
            "int16" => Type::Int16,
            "uint16" => Type::Uint16,
            "int32" => Type::Int32,
            "uint32" => Type::Uint32,
            "int64" => Type::Int64,
            "float64" => Type::Float64,
            "uuid" => Type::Uuid,
            "string" => Type::String,
            "bytes" => Type::Bytes,
            "records" => Type::Records,
            name => {
                assert!(name.starts_with(|c: char| c.is_ascii_uppercase()), "not a type: `{name}`");
                Type::Struct(name.to_string())
            }
        }
    }
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub kind: Type,
    pub versions: Versions,
    pub nullable: Versions,
    pub tag: Option<u32>,
    pub tagged: Versions,
    /// The versions in which a string has the compact form: those of the message unless the table says `flexible none`.
    pub never_flexible: bool,
    pub default: Option<String>,
    pub ignorable: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Struct {
    pub name: String,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub struct Message {
    /// `request`, `response`, `header`, `data`, `metadata`, `coordinator-key` or `coordinator-value`.
    pub kind: String,
    pub key: Option<i16>,
    pub name: String,
    pub valid: Versions,
    pub flexible: Versions,
    pub listeners: Vec<String>,
    pub unstable: bool,
    /// The first one is the message itself.
    pub structs: Vec<Struct>,
}

impl Message {
    pub fn root(&self) -> &Struct {
        &self.structs[0]
    }

    pub fn find(&self, name: &str) -> &Struct {
        let found = self.structs.iter().find(|s| s.name == name);
        found.unwrap_or_else(|| panic!("{}: no struct `{name}`", self.name))
    }

    /// The fewest bytes that a struct takes in this version.
    pub fn min_size(&self, wanted: &Struct, version: i16) -> usize {
        let flexible = self.flexible.has(version);
        let present = wanted.fields.iter().filter(|f| f.versions.has(version) && !f.tagged.has(version));
        let sizes = present.map(|field| match &field.kind {
            Type::Struct(_) if field.nullable.has(version) => 1,
            Type::Struct(name) => self.min_size(self.find(name), version),
            kind => primitive_min_size(kind, flexible && !field.never_flexible),
        });
        sizes.sum::<usize>() + usize::from(flexible)
    }
}

/// The fewest bytes of a value that is not a struct.
pub fn primitive_min_size(kind: &Type, flexible: bool) -> usize {
    match kind {
        Type::Bool | Type::Int8 => 1,
        Type::Int16 | Type::Uint16 => 2,
        Type::Int32 | Type::Uint32 => 4,
        Type::Int64 | Type::Float64 => 8,
        Type::Uuid => 16,
        _ if flexible => 1,
        Type::String => 2,
        Type::Bytes | Type::Records | Type::Array(_) | Type::Struct(_) => 4,
    }
}

/// Reads a file of the table.
pub fn parse(text: &str) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        let depth = (line.len() - line.trim_start().len()) / 2;
        let words: Vec<&str> = line.split_whitespace().collect();
        if depth == 0 {
            messages.push(parse_message(&words));
            open = vec![0];
            continue;
        }
        let message = messages.last_mut().unwrap_or_else(|| panic!("a field before any message: `{line}`"));
        open.truncate(depth);
        if words[0] == "struct" {
            open.push(struct_index(message, words[1]));
            continue;
        }
        let field = parse_field(&words);
        let inner = match &field.kind {
            Type::Struct(name) => Some(name.clone()),
            Type::Array(element) => match &**element {
                Type::Struct(name) => Some(name.clone()),
                _ => None,
            },
            _ => None,
        };
        message.structs[open[depth - 1]].fields.push(field);
        if let Some(name) = inner {
            open.push(struct_index(message, &name));
        }
    }
    messages
}

fn struct_index(message: &mut Message, name: &str) -> usize {
    match message.structs.iter().position(|s| s.name == name) {
        Some(at) => at,
        None => {
            message.structs.push(Struct { name: name.to_string(), fields: Vec::new() });
            message.structs.len() - 1
        }
    }
}

fn parse_message(words: &[&str]) -> Message {
    let [kind, key, name, valid, "flexible", flexible, rest @ ..] = words else { panic!("not a message: {words:?}") };
    let listeners = rest.iter().skip_while(|word| **word != "on").nth(1).unwrap_or(&"");
    Message {
        kind: kind.to_string(),
        key: key.parse().ok(),
        name: name.to_string(),
        valid: Versions::parse(valid),
        flexible: Versions::parse(flexible),
        listeners: listeners.split(',').filter(|l| !l.is_empty()).map(str::to_string).collect(),
        unstable: rest.contains(&"unstable"),
        structs: vec![Struct { name: name.to_string(), fields: Vec::new() }],
    }
}

fn parse_field(words: &[&str]) -> Field {
    let [name, kind, versions, rest @ ..] = words else { panic!("not a field: {words:?}") };
    let mut field = Field {
        name: name.to_string(),
        kind: Type::parse(kind),
        versions: Versions::parse(versions),
        nullable: Versions::NONE,
        tag: None,
        tagged: Versions::NONE,
        never_flexible: false,
        default: None,
        ignorable: false,
    };
    let mut rest = rest;
    while let [word, tail @ ..] = rest {
        rest = match (*word, tail) {
            ("null", [versions, tail @ ..]) => {
                field.nullable = Versions::parse(versions);
                tail
            }
            ("tag", [tag, versions, tail @ ..]) => {
                field.tag = Some(tag.parse().unwrap_or_else(|_| panic!("not a tag: {words:?}")));
                field.tagged = Versions::parse(versions);
                tail
            }
            ("flexible", ["none", tail @ ..]) => {
                field.never_flexible = true;
                tail
            }
            ("=", [default, tail @ ..]) => {
                field.default = Some(default.to_string());
                tail
            }
            ("ignorable", tail) => {
                field.ignorable = true;
                tail
            }
            _ => panic!("cannot read `{word}` in {words:?}"),
        };
    }
    field
}

/// Kafka's name in Rust's spelling of modules and fields.
pub fn snake(name: &str) -> String {
    let name: Vec<char> = name.replace("KRaft", "Kraft").chars().collect();
    let mut out = String::new();
    for (at, c) in name.iter().enumerate() {
        let after_small = at > 0 && !name[at - 1].is_ascii_uppercase();
        let before_small = at > 0 && name.get(at + 1).is_some_and(|next| next.is_ascii_lowercase());
        if c.is_ascii_uppercase() && (after_small || before_small) {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Reads every file of the table: its path without the ending -> its messages.
pub fn load(folder: &std::path::Path) -> BTreeMap<String, Vec<Message>> {
    let mut table = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap_or_else(|e| panic!("{}: {e}", folder.display())).path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_string();
        if path.is_dir() {
            table.extend(load(&path).into_iter().map(|(inner, messages)| (format!("{name}/{inner}"), messages)));
        } else if path.extension().is_some_and(|ending| ending == "klamm") {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            table.insert(name, parse(&text));
        }
    }
    table
}
