//! Writes what stands around messages: a module for each, the table of APIs, the enums over records.
//!
//! One rule for names: every message has a module of its own with all its structs; the module around it re-exports each
//! name that is unambiguous there.

use crate::rust;
use crate::schema::{Message, Versions, snake};
use std::collections::BTreeMap;
use std::fmt::Write;

type Table = BTreeMap<String, Vec<Message>>;

/// The files to write: name and text.
pub fn files(table: &Table) -> Vec<(&'static str, String)> {
    vec![
        ("api.rs", api(table)),
        ("header.rs", plain(&table["header"])),
        ("consumer_protocol.rs", plain(&table["consumer_protocol"])),
        ("control.rs", plain(&table["control"])),
        ("metadata.rs", metadata(&table["metadata"])),
        ("offsets.rs", coordinator(&table["offsets"])),
        ("transaction.rs", coordinator(&table["transaction"])),
        ("share.rs", coordinator(&table["share"])),
        ("every_message.rs", every_message(table)),
    ]
}

/// A message with its module's name and the name of its first struct.
struct Placed<'m> {
    message: &'m Message,
    module: String,
    root: String,
}

fn placed(messages: &[Message]) -> Vec<Placed<'_>> {
    fn place(message: &Message) -> Placed<'_> {
        let Message { kind, name, .. } = message;
        match kind.as_str() {
            "request" => Placed { message, module: "request".into(), root: "Request".into() },
            "response" => Placed { message, module: "response".into(), root: "Response".into() },
            _ => Placed { message, module: snake(name), root: name.clone() },
        }
    }
    messages.iter().map(place).collect()
}

/// The modules of some messages and the re-exports of their unambiguous names.
fn modules(messages: &[Placed<'_>], out: &mut String) {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for name in messages.iter().flat_map(|p| rust::names(p.message, &p.root)) {
        *uses.entry(name).or_default() += 1;
    }
    for Placed { message, module, root } in messages {
        let mut names = rust::names(message, root);
        names.retain(|name| uses[name] == 1);
        let text = rust::message(message, root);
        let _ = writeln!(out, "pub use self::{module}::{{{}}};", names.join(", "));
        let _ = writeln!(out, "/// `{}`, versions {}.", message.name, range(message.valid));
        // The code is regular, not pretty: parameters that a struct has no use for, matches with one arm.
        let _ = writeln!(out, "#[allow(unused_variables, clippy::style, clippy::complexity)]\npub mod {module} {{");
        let _ = writeln!(out, "use crate::codec::generated::*;\n{text}}}");
    }
}

fn range(versions: Versions) -> String {
    format!("{} to {}", versions.min, versions.max)
}

fn plain(messages: &[Message]) -> String {
    let mut out = String::new();
    modules(&placed(messages), &mut out);
    out
}

fn api(table: &Table) -> String {
    let (mut out, mut rows) = (String::new(), BTreeMap::new());
    for (file, messages) in table.iter().filter(|(file, _)| file.starts_with("api/")) {
        let request = messages.iter().find(|m| m.kind == "request").unwrap_or_else(|| panic!("{file}: no request"));
        let response = messages.iter().find(|m| m.kind == "response").unwrap_or_else(|| panic!("{file}: no response"));
        let same = request.valid == response.valid && request.flexible == response.flexible;
        assert!(same, "{file}: request and response differ in their versions");
        let name = request.name.strip_suffix("Request").unwrap_or_else(|| panic!("{file}: not a request's name"));
        let _ = writeln!(out, "/// {name}, versions {}.\npub mod {} {{", range(request.valid), snake(name));
        modules(&placed(messages), &mut out);
        out.push_str("}\n");
        let key = request.key.unwrap_or_else(|| panic!("{file}: no key"));
        rows.insert(key, description(request, response, name));
    }
    let count = rows.keys().max().map_or(0, |key| key + 1);
    let _ = writeln!(out, "static DESCRIPTIONS: [Option<Description>; {count}] = [");
    for key in 0..count {
        let _ = writeln!(out, "    {},", rows.get(&key).map_or("None", String::as_str));
    }
    out.push_str("];\n");
    out
}

fn description(request: &Message, response: &Message, name: &str) -> String {
    let on = |listener: &str| request.listeners.iter().any(|l| l == listener);
    let flexible = match request.flexible.is_empty() {
        true => "None".to_string(),
        false => format!("Some({})", request.flexible.min),
    };
    let throttle = response.root().fields.iter().position(|field| field.name == "ThrottleTimeMs");
    let throttle = match throttle.map(|at| (at, response.root().fields[at].versions.min)) {
        None => "None".to_string(),
        Some((0, since)) => format!("Some(Throttle {{ since: {since}, is_first: true }})"),
        Some((_, since)) => format!("Some(Throttle {{ since: {since}, is_first: false }})"),
    };
    format!(
        "Some(Description {{ key: ApiKey::{name}, min_version: {}, max_version: {}, flexible_since: {flexible}, \
         is_latest_unstable: {}, on_broker: {}, on_controller: {}, throttle: {throttle} }})",
        request.valid.min,
        request.valid.max,
        request.unstable,
        on("broker"),
        on("controller")
    )
}

/// One record type of an enum: its variant, its struct as a type, its number.
struct Variant<'m> {
    name: String,
    kind: String,
    key: i16,
    message: &'m Message,
}

fn variants<'m>(messages: impl Iterator<Item = &'m Message>, suffix: &str) -> Vec<Variant<'m>> {
    let variant = |message: &'m Message| {
        let struct_name = &message.name;
        let name = struct_name.strip_suffix(suffix).unwrap_or_else(|| panic!("{struct_name}: not a {suffix}"));
        let lifetime = if rust::borrows(message) { "<'a>" } else { "" };
        let key = message.key.unwrap_or_else(|| panic!("{struct_name}: no key"));
        Variant { name: name.to_string(), kind: format!("{struct_name}{lifetime}"), key, message }
    };
    messages.map(variant).collect()
}

/// An enum over record types with what all enums share: the type's number, the version's range, the encoding.
fn record_enum(name: &str, doc: &str, variants: &[Variant<'_>], out: &mut String) {
    let lifetime = if variants.iter().any(|v| v.kind.contains('<')) { "<'a>" } else { "" };
    let _ = writeln!(out, "/// {doc}\n#[derive(Clone, Debug, PartialEq)]\npub enum {name}{lifetime} {{");
    for Variant { name, kind, .. } in variants {
        let _ = writeln!(out, "    {name}({kind}),");
    }
    let _ = writeln!(out, "}}\n#[rustfmt::skip]\nimpl<'a> {name}{lifetime} {{");
    let arms = |each: &dyn Fn(&Variant<'_>) -> String| {
        variants.iter().map(|v| format!("            {}\n", each(v))).collect::<String>()
    };
    let own = arms(&|v| format!("{name}::{}(_) => {},", v.name, v.key));
    let _ = writeln!(out, "    /// The number of the record's type.\n    pub fn type_id(&self) -> i16 {{");
    let _ = writeln!(out, "        match self {{\n{own}        }}\n    }}");
    let max = arms(&|v| format!("{name}::{}(_) => {},", v.name, v.message.valid.max));
    let _ = writeln!(out, "    /// The newest version that is known here.\n    pub fn max_version(&self) -> i16 {{");
    let _ = writeln!(out, "        match self {{\n{max}        }}\n    }}");
    let write = arms(&|v| format!("{name}::{}(record) => record.write(sink, version),", v.name));
    let _ = writeln!(out, "    fn write<S: Sink>(&self, sink: &mut S, version: i16) {{");
    let _ = writeln!(out, "        match self {{\n{write}        }}\n    }}");
    let read = arms(&|v| {
        let kind = v.kind.trim_end_matches("<'a>");
        format!("{} => {name}::{}({kind}::decode(reader, version)?),", v.key, v.name)
    });
    let result = "Result<Option<Self>, DecodeError>";
    let _ = writeln!(out, "    fn read(type_id: i16, version: i16, reader: &mut Reader<'a>) -> {result} {{");
    let _ = writeln!(out, "        Ok(Some(match type_id {{\n{read}            _ => return Ok(None),\n        }}))");
    out.push_str("    }\n}\n");
}

fn metadata(messages: &[Message]) -> String {
    let mut out = plain(messages);
    let mut variants = variants(messages.iter(), "Record");
    variants.sort_by_key(|v| v.key);
    record_enum("Record", "One record of the cluster's metadata.", &variants, &mut out);
    out
}

fn coordinator(messages: &[Message]) -> String {
    let mut out = plain(messages);
    let of = |kind: &'static str| messages.iter().filter(move |m| m.kind == kind);
    let (keys, values) = (variants(of("coordinator-key"), "Key"), variants(of("coordinator-value"), "Value"));
    let paired = keys.iter().map(|k| (k.key, &k.name)).eq(values.iter().map(|v| (v.key, &v.name)));
    assert!(paired, "each key has its value");
    record_enum("Key", "The key of a record: what it is about.", &keys, &mut out);
    record_enum("Value", "The value of a record; a record without one deletes what its key names.", &values, &mut out);
    entry_enum(&keys, &values, &mut out);
    out
}

/// An enum over whole records, in which no key can stand beside the value of another one.
fn entry_enum(keys: &[Variant<'_>], values: &[Variant<'_>], out: &mut String) {
    let doc = "A record: its key, and its value unless the record deletes what the key names.";
    let _ = writeln!(out, "/// {doc}\n#[derive(Clone, Debug, PartialEq)]\npub enum Entry<'a> {{");
    for (key, value) in keys.iter().zip(values) {
        let _ = writeln!(out, "    {}({}, Option<{}>),", key.name, key.kind, value.kind);
    }
    let _ = writeln!(out, "}}\n#[rustfmt::skip]\nimpl<'a> Entry<'a> {{");
    let _ = writeln!(out, "    /// `None` if the value is not one of this key.");
    let value = if values.iter().any(|v| v.kind.contains('<')) { "Value<'a>" } else { "Value" };
    let _ = writeln!(out, "    pub fn of(key: Key<'a>, value: Option<{value}>) -> Option<Entry<'a>> {{");
    let _ = writeln!(out, "        Some(match (key, value) {{");
    for Variant { name, .. } in keys {
        let _ = writeln!(out, "            (Key::{name}(key), None) => Entry::{name}(key, None),");
        let some = format!("(Key::{name}(key), Some(Value::{name}(value))) => Entry::{name}(key, Some(value)),");
        let _ = writeln!(out, "            {some}");
    }
    // Where there is one kind only, nothing is left over.
    let rest = if keys.len() > 1 { "            _ => return None,\n" } else { "" };
    let _ = writeln!(out, "{rest}        }})\n    }}");
    let own: String = keys.iter().map(|v| format!("            Entry::{}(..) => {},\n", v.name, v.key)).collect();
    let _ = writeln!(out, "    /// The number of the record's type.\n    pub fn type_id(&self) -> i16 {{");
    out.push_str(&format!("        match self {{\n{own}        }}\n    }}\n}}\n"));
}

/// Makes a macro for tests that calls another one for each message with the message's file, name and type.
fn every_message(table: &Table) -> String {
    let mut out = "macro_rules! every_message {\n    ($one:ident) => {\n".to_string();
    for (file, messages) in table {
        for Placed { message, root, .. } in placed(messages) {
            let path = match file.strip_prefix("api/") {
                Some(_) => format!("wire::api::{}", snake(message.name.trim_end_matches(&root))),
                None => match file.as_str() {
                    "metadata" => "metadata::record".to_string(),
                    "control" => "record::control_messages".to_string(),
                    "header" => "wire::header".to_string(),
                    "consumer_protocol" => "coordinator::consumer_protocol".to_string(),
                    _ => format!("coordinator::record::{file}"),
                },
            };
            let _ = writeln!(out, "        $one!(\"{}\", klamm::{path}::{root});", message.name);
        }
    }
    out.push_str("    };\n}\n");
    out
}
