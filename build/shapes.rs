//! Writes the table of messages as constant data: which field comes when, for what shows a frame without its types.

use crate::schema::{Field, Message, Type, Versions};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The shapes of all requests and responses, by the key of their API.
pub fn file(table: &BTreeMap<String, Vec<Message>>) -> String {
    let mut rows = BTreeMap::new();
    for (file, messages) in table.iter().filter(|(file, _)| file.starts_with("api/")) {
        let find = |kind: &str| messages.iter().find(|m| m.kind == kind).unwrap_or_else(|| panic!("{file}: no {kind}"));
        let (request, response) = (find("request"), find("response"));
        let key = request.key.unwrap_or_else(|| panic!("{file}: no key"));
        rows.insert(key, format!("Some([{}, {}])", shape(request), shape(response)));
    }
    let count = rows.keys().max().map_or(0, |key| key + 1);
    let mut out = format!("static SHAPES: [Option<[Shape; 2]>; {count}] = [\n");
    for key in 0..count {
        let _ = writeln!(out, "    {},", rows.get(&key).map_or("None", String::as_str));
    }
    out.push_str("];\n");
    out
}

fn shape(message: &Message) -> String {
    let structs: Vec<String> = message
        .structs
        .iter()
        .map(|each| {
            let fields: Vec<String> = each.fields.iter().map(|field| shape_of_field(message, field)).collect();
            format!("&[{}]", fields.join(", "))
        })
        .collect();
    format!(
        "Shape {{ name: \"{}\", valid: {}, flexible: {}, structs: &[{}] }}",
        message.name,
        range(message.valid),
        range(message.flexible),
        structs.join(", ")
    )
}

fn shape_of_field(message: &Message, field: &Field) -> String {
    let mut camel = field.name.clone();
    camel[..1].make_ascii_lowercase();
    format!(
        "Field {{ name: \"{camel}\", kind: {}, versions: {}, nullable: {}, tag: {}, tagged: {}, never_flexible: {} }}",
        kind(message, &field.kind),
        range(field.versions),
        range(field.nullable.and(field.versions)),
        field.tag.unwrap_or_default(),
        range(field.tagged),
        field.never_flexible
    )
}

fn kind(message: &Message, of: &Type) -> String {
    match of {
        Type::Struct(name) => {
            let at = message.structs.iter().position(|each| each.name == *name);
            format!("Kind::Struct({})", at.unwrap_or_else(|| panic!("{}: no struct `{name}`", message.name)))
        }
        Type::Array(element) => format!("Kind::Array(&{})", kind(message, element)),
        other => format!("Kind::{other:?}"),
    }
}

fn range(versions: Versions) -> String {
    format!("Range({}, {})", versions.min, versions.max)
}
