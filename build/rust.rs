//! Writes the Rust of one message: its structs, their defaults, decoding and encoding.
//!
//! The code leans on `codec::Reader` and `codec::Sink`, which hold all the rules of the encoding; what is written here
//! is only which field comes when. Conditions on versions are left out where the message's versions decide them.

use crate::schema::{Field, Message, Struct, Type, Versions, primitive_min_size, snake};
use std::fmt::Write;

const KEYWORDS: &[&str] = &["type", "match", "final", "in", "use", "where"];

/// One message with the name that its first struct gets.
pub struct Writer<'m> {
    message: &'m Message,
    root: &'m str,
}

/// The Rust of a whole message.
pub fn message(message: &Message, root: &str) -> String {
    let writer = Writer { message, root };
    let mut out = String::new();
    for each in &message.structs {
        writer.definition(each, &mut out);
        writer.default(each, &mut out);
        writer.implementation(each, &mut out);
    }
    out
}

/// The names of the structs that [`message`] writes.
pub fn names(message: &Message, root: &str) -> Vec<String> {
    let inner = message.structs[1..].iter().map(|s| s.name.clone());
    std::iter::once(root.to_string()).chain(inner).collect()
}

/// Whether the message borrows from the frame.
pub fn borrows(message: &Message) -> bool {
    Writer { message, root: "" }.struct_borrows(message.root())
}

fn field_name(field: &Field) -> String {
    let name = snake(&field.name);
    if KEYWORDS.contains(&name.as_str()) { format!("r#{name}") } else { name }
}

/// The variable that holds a field while its struct is decoded; fields have names like `version` and `tag`, too.
fn local(field: &Field) -> String {
    format!("field_{}", snake(&field.name))
}

/// A condition that `version` is in `wanted`, knowing that it is in `known`.
#[derive(PartialEq)]
enum Condition {
    Always,
    Never,
    If(String),
}

impl Condition {
    fn of(wanted: Versions, known: Versions) -> Condition {
        let both = wanted.and(known);
        if both.is_empty() {
            return Condition::Never;
        }
        match (both.min > known.min, both.max < known.max) {
            (false, false) => Condition::Always,
            (true, false) => Condition::If(format!("version >= {}", both.min)),
            (false, true) => Condition::If(format!("version <= {}", both.max)),
            (true, true) if both.min == both.max => Condition::If(format!("version == {}", both.min)),
            (true, true) => Condition::If(format!("({}..={}).contains(&version)", both.min, both.max)),
        }
    }

    fn expression(&self) -> &str {
        match self {
            Condition::Always => "true",
            Condition::Never => "false",
            Condition::If(text) => text,
        }
    }
}

impl Writer<'_> {
    fn name(&self, of: &Struct) -> String {
        if of.name == self.message.name { self.root.to_string() } else { of.name.clone() }
    }

    /// The fields that exist in any version that we speak.
    fn fields<'s>(&self, of: &'s Struct) -> impl Iterator<Item = &'s Field> {
        let valid = self.message.valid;
        of.fields.iter().filter(move |field| !field.versions.and(valid).is_empty())
    }

    fn struct_borrows(&self, of: &Struct) -> bool {
        self.fields(of).any(|field| self.type_borrows(&field.kind))
    }

    fn type_borrows(&self, kind: &Type) -> bool {
        match kind {
            Type::String | Type::Bytes | Type::Records => true,
            Type::Struct(name) => self.struct_borrows(self.message.find(name)),
            Type::Array(element) => self.type_borrows(element),
            _ => false,
        }
    }

    fn is_nullable(&self, field: &Field) -> bool {
        field.kind == Type::Records || !field.nullable.and(field.versions).and(self.message.valid).is_empty()
    }

    fn rust_type(&self, kind: &Type) -> String {
        match kind {
            Type::Bool => "bool".into(),
            Type::Int8 => "i8".into(),
            Type::Int16 => "i16".into(),
            Type::Uint16 => "u16".into(),
            Type::Int32 => "i32".into(),
            Type::Uint32 => "u32".into(),
            Type::Int64 => "i64".into(),
            Type::Float64 => "f64".into(),
            Type::Uuid => "Uuid".into(),
            Type::String => "Str<'a>".into(),
            Type::Bytes | Type::Records => "Bytes<'a>".into(),
            Type::Struct(name) if self.type_borrows(kind) => format!("{name}<'a>"),
            Type::Struct(name) => name.clone(),
            Type::Array(element) => format!("Vec<{}>", self.rust_type(element)),
        }
    }

    fn definition(&self, of: &Struct, out: &mut String) {
        let lifetime = if self.struct_borrows(of) { "<'a>" } else { "" };
        let derives = if self.needs_default(of) { "" } else { ", Default" };
        let _ = writeln!(out, "#[derive(Clone, Debug, PartialEq{derives})]");
        let _ = writeln!(out, "pub struct {}{lifetime} {{", self.name(of));
        for field in self.fields(of) {
            let inner = self.rust_type(&field.kind);
            let whole = if self.is_nullable(field) { format!("Option<{inner}>") } else { inner };
            let _ = writeln!(out, "    pub {}: {whole},", field_name(field));
        }
        out.push_str("}\n");
    }

    fn needs_default(&self, of: &Struct) -> bool {
        self.fields(of).any(|field| {
            let null = field.default.as_deref() == Some("null") || field.kind == Type::Records;
            if self.is_nullable(field) { !null } else { field.default.is_some() }
        })
    }

    /// The field's default as an expression.
    fn default_of(&self, field: &Field) -> String {
        let default = field.default.as_deref();
        if default == Some("null") || field.kind == Type::Records {
            return "None".into();
        }
        let value = match &field.kind {
            Type::Bool => default.unwrap_or("false").into(),
            Type::Float64 => format!("{:?}", default.map_or(Ok(0.0), str::parse::<f64>).expect("a number")),
            Type::String => {
                assert!(default.is_none(), "{}: defaults of strings are empty or null", field.name);
                "Str::Borrowed(\"\")".into()
            }
            Type::Bytes => "Bytes::Borrowed(&[])".into(),
            Type::Records => "None".into(),
            Type::Uuid => "Uuid::ZERO".into(),
            Type::Array(_) => "Vec::new()".into(),
            Type::Struct(name) => format!("{name}::default()"),
            _ => default.unwrap_or("0").into(),
        };
        if self.is_nullable(field) { format!("Some({value})") } else { value }
    }

    fn default(&self, of: &Struct, out: &mut String) {
        if !self.needs_default(of) {
            return;
        }
        let lifetime = if self.struct_borrows(of) { "<'_>" } else { "" };
        let name = self.name(of);
        let _ = writeln!(out, "impl Default for {name}{lifetime} {{\n    fn default() -> Self {{\n        Self {{");
        for field in self.fields(of) {
            let _ = writeln!(out, "            {}: {},", field_name(field), self.default_of(field));
        }
        out.push_str("        }\n    }\n}\n");
    }

    fn implementation(&self, of: &Struct, out: &mut String) {
        let name = self.name(of);
        let lifetime = if self.struct_borrows(of) { "<'a>" } else { "" };
        let _ = writeln!(out, "impl<'a> Message<'a> for {name}{lifetime} {{");
        let _ = writeln!(out, "    const NAME: &'static str = \"{}\";", of.name);
        self.min_size(of, out);
        self.decode(of, out);
        self.write(of, out);
        out.push_str("}\n");
    }

    fn min_size(&self, of: &Struct, out: &mut String) {
        let Versions { min, max } = self.message.valid;
        let mut runs: Vec<(i16, usize)> =
            (min..=max).map(|version| (version, self.message.min_size(of, version))).collect();
        runs.dedup_by_key(|(_, size)| *size);
        let mut expression = String::new();
        for (version, size) in runs[1..].iter().rev() {
            let _ = write!(expression, "if version >= {version} {{ {size} }} else ");
        }
        let first = runs[0].1;
        let first = if runs.len() > 1 { format!("{{ {first} }}") } else { first.to_string() };
        let _ = writeln!(out, "    fn min_size(version: i16) -> usize {{\n        {expression}{first}\n    }}");
    }

    fn is_root(&self, of: &Struct) -> bool {
        of.name == self.message.name
    }

    fn flexible(&self) -> Condition {
        Condition::of(self.message.flexible, self.message.valid)
    }

    /// Whether a field has the compact form, as an expression.
    fn flexible_for(&self, field: &Field) -> &'static str {
        match self.flexible() {
            _ if field.never_flexible => "false",
            Condition::Never => "false",
            Condition::Always => "true",
            Condition::If(_) => "flexible",
        }
    }

    fn label(&self, of: &Struct, field: &Field) -> String {
        format!("\"{}.{}\"", of.name, field.name)
    }

    // ---- Decoding ----------------------------------------------------------------------------------------------

    fn decode(&self, of: &Struct, out: &mut String) {
        let mut body = String::new();
        for field in self.fields(of) {
            self.decode_field(of, field, &mut body);
        }
        self.decode_tags(of, &mut body);
        let values = self.fields(of).map(|field| format!("{}: {}", field_name(field), local(field)));
        let _ = writeln!(body, "        Ok(Self {{ {} }})", values.collect::<Vec<_>>().join(", "));
        let result = "Result<Self, DecodeError>";
        let _ = writeln!(out, "    fn decode(reader: &mut Reader<'a>, version: i16) -> {result} {{");
        if self.is_root(of) {
            let Versions { min, max } = self.message.valid;
            let _ = writeln!(out, "        reader.check_version(version, {min}, {max}, \"{}\")?;", of.name);
        }
        self.let_flexible(out);
        out.push_str(&body);
        out.push_str("    }\n");
    }

    fn let_flexible(&self, out: &mut String) {
        if let Condition::If(condition) = self.flexible() {
            let _ = writeln!(out, "        let flexible = {condition};");
        }
    }

    fn decode_field(&self, of: &Struct, field: &Field, out: &mut String) {
        let known = self.message.valid;
        let tagged = !field.tagged.and(known).is_empty();
        let plain = if tagged { subtract(field.versions.and(known), field.tagged) } else { field.versions };
        let name = local(field);
        let mutable = if tagged { "mut " } else { "" };
        let (value, default) = (self.read(of, field, "reader", plain.and(known)), self.default_of(field));
        let _ = match Condition::of(plain, known) {
            Condition::Always => writeln!(out, "        let {mutable}{name} = {value};"),
            Condition::Never => writeln!(out, "        let {mutable}{name} = {default};"),
            Condition::If(when) => {
                writeln!(out, "        let {mutable}{name} = if {when} {{ {value} }} else {{ {default} }};")
            }
        };
    }

    /// The expression that reads a field's value, its null included, in the given versions.
    fn read(&self, of: &Struct, field: &Field, reader: &str, known: Versions) -> String {
        let (label, flexible) = (self.label(of, field), self.flexible_for(field));
        let nullable = Condition::of(field.nullable, known);
        let nullable = nullable.expression();
        let is_nullable = self.is_nullable(field);
        match &field.kind {
            Type::String if is_nullable => {
                format!("{reader}.nullable_str({flexible}, {nullable}, {label})?.map(Str::Borrowed)")
            }
            Type::String => format!("Str::Borrowed({reader}.str({flexible}, {label})?)"),
            Type::Bytes | Type::Records if is_nullable => {
                format!("{reader}.nullable_bytes({flexible}, {nullable}, {label})?.map(Bytes::Borrowed)")
            }
            Type::Bytes => format!("Bytes::Borrowed({reader}.bytes({flexible}, {label})?)"),
            Type::Array(element) => {
                let (min, one) = self.read_element(element, &label, flexible);
                match is_nullable {
                    true => format!("{reader}.nullable_vec({flexible}, {nullable}, {min}, {label}, {one})?"),
                    false => format!("{reader}.vec({flexible}, {min}, {label}, {one})?"),
                }
            }
            Type::Struct(name) => self.read_struct(name, reader, &label, is_nullable, nullable),
            other => format!("{reader}.{}({label})?", primitive(other)),
        }
    }

    fn read_struct(&self, name: &str, reader: &str, label: &str, is_nullable: bool, nullable: &str) -> String {
        let inner = if reader == "reader" { "reader" } else { "&mut content" };
        let decode = format!("{name}::decode({inner}, version)?");
        if !is_nullable {
            return decode;
        }
        // A tagged struct has an unsigned varint before it, another one a byte; the content of a tag that holds null
        // is one zero byte, so reading it as a byte of which only 1 is "present" serves both.
        let present = if reader == "reader" { "is_present" } else { "is_present_in_tag" };
        match nullable {
            "true" => format!("if {reader}.{present}({label})? {{ Some({decode}) }} else {{ None }}"),
            "false" => format!("Some({decode})"),
            when => {
                format!("if !({when}) || {reader}.{present}({label})? {{ Some({decode}) }} else {{ None }}")
            }
        }
    }

    /// The least size of an array's element and the closure that reads one.
    fn read_element(&self, element: &Type, label: &str, flexible: &str) -> (String, String) {
        let least = |kind| primitive_min_size(kind, flexible != "false").to_string();
        match element {
            Type::Struct(name) => (format!("{name}::min_size(version)"), format!("|r| {name}::decode(r, version)")),
            Type::String => (least(element), format!("|r| Ok(Str::Borrowed(r.str({flexible}, {label})?))")),
            Type::Bytes => (least(element), format!("|r| Ok(Bytes::Borrowed(r.bytes({flexible}, {label})?))")),
            other => (least(element), format!("|r| r.{}({label})", primitive(other))),
        }
    }

    fn decode_tags(&self, of: &Struct, out: &mut String) {
        let condition = self.flexible();
        if condition == Condition::Never {
            return;
        }
        let mut body = String::new();
        let label = format!("\"{}.tags\"", of.name);
        let tagged: Vec<&Field> = self.fields(of).filter(|f| !f.tagged.and(self.message.valid).is_empty()).collect();
        if tagged.is_empty() {
            let _ = writeln!(body, "        reader.skip_tags({label})?;");
        } else {
            self.decode_known_tags(of, &tagged, &label, &mut body);
        }
        match condition {
            Condition::If(_) => {
                let _ = writeln!(out, "        if flexible {{\n{body}        }}");
            }
            _ => out.push_str(&body),
        }
    }

    fn decode_known_tags(&self, of: &Struct, tagged: &[&Field], label: &str, out: &mut String) {
        let _ = writeln!(out, "        for _ in 0..reader.tag_count({label})? {{");
        let _ = writeln!(out, "            let (tag, mut content) = reader.tag({label})?;\n            match tag {{");
        let flexible = self.message.flexible.and(self.message.valid);
        for field in tagged {
            let tag = field.tag.expect("a tagged field has a tag");
            let value = self.read(of, field, "content", field.tagged.and(self.message.valid));
            let label = self.label(of, field);
            let set = format!("{{ {} = {value}; content.end_tag({label})?; }}", local(field));
            let _ = match Condition::of(field.tagged, flexible) {
                Condition::If(when) => {
                    let _ = writeln!(out, "                {tag} if {when} => {set}");
                    writeln!(out, "                {tag} => return Err(content.error(DecodeErrorKind::Tag, {label})),")
                }
                _ => writeln!(out, "                {tag} => {set}"),
            };
        }
        out.push_str("                _ => {}\n            }\n        }\n");
    }

    // ---- Encoding ----------------------------------------------------------------------------------------------

    fn write(&self, of: &Struct, out: &mut String) {
        let mut body = String::new();
        for field in self.fields(of) {
            self.write_field(of, field, &mut body);
        }
        self.write_tags(of, &mut body);
        let _ = writeln!(out, "    fn write<S: Sink>(&self, sink: &mut S, version: i16) {{");
        if self.is_root(of) {
            let Versions { min, max } = self.message.valid;
            let fail = format!("sink.fail(EncodeErrorKind::Version, \"{}\")", of.name);
            let _ = writeln!(out, "        if !({min}..={max}).contains(&version) {{ return {fail}; }}");
        }
        self.let_flexible(out);
        out.push_str(&body);
        out.push_str("    }\n");
    }

    fn write_field(&self, of: &Struct, field: &Field, out: &mut String) {
        let known = self.message.valid;
        let plain = match field.tagged.and(known).is_empty() {
            true => field.versions,
            false => subtract(field.versions.and(known), field.tagged),
        };
        let statement = self.write_value(of, field, plain.and(known));
        let absent = match field.ignorable {
            true => None,
            false => Some(format!("sink.absent({}, {})", self.is_set(field, true), self.label(of, field))),
        };
        // Where the field is tagged it is written with the tags; where it does not exist it must not be set.
        let missing = Condition::of(field.versions, known);
        let _ = match Condition::of(plain, known) {
            Condition::Always => writeln!(out, "        {statement};"),
            Condition::If(when) => writeln!(out, "        if {when} {{ {statement} }}"),
            Condition::Never => Ok(()),
        };
        if let (Condition::If(when), Some(absent)) = (missing, absent) {
            let _ = writeln!(out, "        if !({when}) {{ {absent} }}");
        }
    }

    /// Whether the field has a value other than its default.
    fn is_set(&self, field: &Field, with_null: bool) -> String {
        let name = format!("self.{}", field_name(field));
        let is_nullable = self.is_nullable(field);
        let null_default = self.default_of(field) == "None";
        match &field.kind {
            _ if null_default => format!("{name}.is_some()"),
            Type::Array(_) | Type::String | Type::Bytes if is_nullable && with_null => {
                format!("{name}.as_ref().is_none_or(|v| !v.is_empty())")
            }
            Type::Array(_) | Type::String | Type::Bytes => format!("!{name}.is_empty()"),
            Type::Bool if field.default.as_deref() == Some("true") => format!("!{name}"),
            Type::Bool => name,
            _ => format!("{name} != {}", self.default_of(field)),
        }
    }

    /// The statement that writes a field without a tag.
    fn write_value(&self, of: &Struct, field: &Field, known: Versions) -> String {
        let (label, flexible) = (self.label(of, field), self.flexible_for(field));
        let nullable = Condition::of(field.nullable, known);
        let nullable = nullable.expression();
        let name = format!("self.{}", field_name(field));
        let is_nullable = self.is_nullable(field);
        match &field.kind {
            Type::String if is_nullable => {
                format!("sink.nullable_str({flexible}, {nullable}, {name}.as_deref(), {label})")
            }
            Type::Bytes | Type::Records if is_nullable => {
                format!("sink.nullable_bytes({flexible}, {nullable}, {name}.as_deref(), {label})")
            }
            Type::Array(element) if is_nullable => {
                let some = self.write_elements(element, "elements", &label, flexible);
                let null = format!("sink.null({flexible}, {nullable}, {label})");
                format!("match &{name} {{ Some(elements) => {{ {some} }} None => {null} }}")
            }
            Type::Struct(_) if is_nullable => self.write_nullable_struct(&name, nullable, &label),
            Type::Array(element) => self.write_elements(element, &name, &label, flexible),
            Type::Int16 if field.name.ends_with("ErrorCode") => format!("sink.error_code({name})"),
            kind => self.write_one(kind, &name, &label, flexible),
        }
    }

    fn write_nullable_struct(&self, name: &str, nullable: &str, label: &str) -> String {
        let null = format!("None => sink.fail(EncodeErrorKind::Null, {label})");
        match nullable {
            "true" => {
                let some = "Some(value) => { sink.i8(1); value.write(sink, version) }";
                format!("match &{name} {{ {some} None => sink.i8(-1) }}")
            }
            "false" => format!("match &{name} {{ Some(value) => value.write(sink, version), {null} }}"),
            when => {
                let some = format!("Some(value) => {{ if {when} {{ sink.i8(1) }} value.write(sink, version) }}");
                format!("match &{name} {{ {some} None if {when} => sink.i8(-1), {null} }}")
            }
        }
    }

    fn write_elements(&self, element: &Type, name: &str, label: &str, flexible: &str) -> String {
        let one = match element {
            Type::Struct(_) => "element.write(sink, version)".to_string(),
            Type::String | Type::Bytes => self.write_one(element, "element", label, flexible),
            other => format!("sink.{}(*element)", primitive(other)),
        };
        let reference = if name == "elements" { name.to_string() } else { format!("&{name}") };
        format!("sink.length({flexible}, {name}.len(), {label}); for element in {reference} {{ {one} }}")
    }

    /// A value that is neither null nor an array.
    fn write_one(&self, kind: &Type, name: &str, label: &str, flexible: &str) -> String {
        let reference = if name.starts_with("self.") { format!("&{name}") } else { name.to_string() };
        match kind {
            Type::String => format!("sink.str({flexible}, {reference}, {label})"),
            Type::Bytes | Type::Records => format!("sink.bytes({flexible}, {reference}, {label})"),
            Type::Struct(_) => format!("{name}.write(sink, version)"),
            other => format!("sink.{}({name})", primitive(other)),
        }
    }

    fn write_tags(&self, of: &Struct, out: &mut String) {
        let condition = self.flexible();
        if condition == Condition::Never {
            return;
        }
        let flexible = self.message.flexible.and(self.message.valid);
        let mut tagged: Vec<&Field> = self.fields(of).filter(|f| !f.tagged.and(flexible).is_empty()).collect();
        tagged.sort_by_key(|field| field.tag);
        let mut body = String::new();
        let (mut sums, mut writes) = (Vec::new(), String::new());
        for field in &tagged {
            let mut set = self.is_set(field, true);
            if let Condition::If(when) = Condition::of(field.tagged, flexible) {
                set = format!("{when} && ({set})");
            }
            sums.push(format!("u32::from({set})"));
            let (tag, label) = (field.tag.unwrap_or_default(), self.label(of, field));
            let content = self.write_tag_content(of, field);
            let _ = writeln!(writes, "        if {set} {{ write_tag!(sink, {tag}, {label}, {content}) }}");
        }
        let sum = if sums.is_empty() { "0".to_string() } else { sums.join(" + ") };
        let _ = writeln!(body, "        sink.uvarint({sum});");
        body.push_str(&writes);
        match condition {
            Condition::If(_) => {
                let _ = writeln!(out, "        if flexible {{\n{body}        }}");
            }
            _ => out.push_str(&body),
        }
    }

    fn write_tag_content(&self, of: &Struct, field: &Field) -> String {
        let known = field.tagged.and(self.message.valid);
        let name = format!("self.{}", field_name(field));
        match &field.kind {
            Type::Struct(_) if self.is_nullable(field) => {
                let some = "Some(value) => { sink.uvarint(1); value.write(sink, version) }";
                format!("match &{name} {{ {some} None => sink.uvarint(0) }}")
            }
            _ => format!("{{ {} }}", self.write_value(of, field, known)),
        }
    }
}

/// The method of `Reader` and `Sink` for a type of fixed size.
fn primitive(kind: &Type) -> &'static str {
    match kind {
        Type::Bool => "bool",
        Type::Int8 => "i8",
        Type::Int16 => "i16",
        Type::Uint16 => "u16",
        Type::Int32 => "i32",
        Type::Uint32 => "u32",
        Type::Int64 => "i64",
        Type::Float64 => "f64",
        Type::Uuid => "uuid",
        other => panic!("{other:?} has no fixed size"),
    }
}

/// `from` without `these`, which reach to the end of it or beyond.
fn subtract(from: Versions, these: Versions) -> Versions {
    if these.is_empty() { from } else { Versions { min: from.min, max: from.max.min(these.min - 1) } }
}
