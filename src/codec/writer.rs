//! Writes Kafka's primitive types into a [`Sink`]: a counter that only adds up sizes, or a buffer.
//!
//! Every message is written twice by the same code, first into a [`Counter`], then into a [`Buffer`]; so lengths are
//! known before the bytes, and what cannot be written is found before anything is. Knows nothing of messages.

use super::errors::ToldErrors;
use super::reader::MAX_STRING_LENGTH;
use super::varint;
use crate::model::Uuid;
use std::fmt;

/// What cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeErrorKind {
    /// The message does not exist in this version.
    Version,
    /// A field that must not be dropped has a value, and this version has no such field.
    FieldNotInVersion,
    /// Null where this version has none.
    Null,
    /// A string above 32,767 bytes, or anything above 2^31-1.
    TooLong,
    /// The whole is above the limit that its writer has set.
    TooLarge,
}

/// Why a message cannot be written, and which field it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncodeError {
    pub kind: EncodeErrorKind,
    pub field: &'static str,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            EncodeErrorKind::Version => "no such version",
            EncodeErrorKind::FieldNotInVersion => "this version cannot carry the field's value",
            EncodeErrorKind::Null => "null is not allowed in this version",
            EncodeErrorKind::TooLong => "too long",
            EncodeErrorKind::TooLarge => "larger than it may be",
        };
        write!(f, "{what}: {}", self.field)
    }
}

impl std::error::Error for EncodeError {}

type Field = &'static str;

/// Where bytes go. Only [`Sink::put`] and [`Sink::fail`] differ between sinks.
pub trait Sink {
    fn put(&mut self, bytes: &[u8]);

    /// Something cannot be written. Only the first is kept, and only by [`Counter`], which always comes first.
    fn fail(&mut self, kind: EncodeErrorKind, field: Field);

    #[inline]
    fn bool(&mut self, value: bool) {
        self.put(&[u8::from(value)]);
    }

    #[inline]
    fn i8(&mut self, value: i8) {
        self.put(&value.to_be_bytes());
    }

    #[inline]
    fn i16(&mut self, value: i16) {
        self.put(&value.to_be_bytes());
    }

    /// An error code of an answer; what writes answers keeps count of them.
    #[inline]
    fn error_code(&mut self, code: i16) {
        self.i16(code);
    }

    #[inline]
    fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    #[inline]
    fn i32(&mut self, value: i32) {
        self.put(&value.to_be_bytes());
    }

    #[inline]
    fn i64(&mut self, value: i64) {
        self.put(&value.to_be_bytes());
    }

    #[inline]
    fn f64(&mut self, value: f64) {
        self.put(&value.to_be_bytes());
    }

    #[inline]
    fn uuid(&mut self, value: Uuid) {
        self.put(&value.0);
    }

    #[inline]
    fn uvarint(&mut self, mut value: u32) {
        let mut bytes = [0; varint::MAX_U32_BYTES];
        let mut length = 0;
        while value >= 0x80 {
            bytes[length] = value as u8 | 0x80;
            value >>= 7;
            length += 1;
        }
        bytes[length] = value as u8;
        self.put(&bytes[..=length]);
    }

    /// A length or count in front of something that is not a string.
    fn length(&mut self, flexible: bool, length: usize, field: Field) {
        if length >= i32::MAX as usize {
            return self.fail(EncodeErrorKind::TooLong, field);
        }
        if flexible { self.uvarint(length as u32 + 1) } else { self.i32(length as i32) }
    }

    /// Null in place of bytes or an array, if this version allows it.
    fn null(&mut self, flexible: bool, nullable: bool, field: Field) {
        if !nullable {
            return self.fail(EncodeErrorKind::Null, field);
        }
        if flexible { self.uvarint(0) } else { self.i32(-1) }
    }

    fn str(&mut self, flexible: bool, text: &str, field: Field) {
        if text.len() > MAX_STRING_LENGTH {
            return self.fail(EncodeErrorKind::TooLong, field);
        }
        if flexible {
            self.uvarint(text.len() as u32 + 1)
        } else {
            self.i16(text.len() as i16)
        }
        self.put(text.as_bytes());
    }

    fn nullable_str(&mut self, flexible: bool, nullable: bool, text: Option<&str>, field: Field) {
        match text {
            Some(text) => self.str(flexible, text, field),
            None if !nullable => self.fail(EncodeErrorKind::Null, field),
            None if flexible => self.uvarint(0),
            None => self.i16(-1),
        }
    }

    fn bytes(&mut self, flexible: bool, bytes: &[u8], field: Field) {
        self.length(flexible, bytes.len(), field);
        self.put(bytes);
    }

    fn nullable_bytes(&mut self, flexible: bool, nullable: bool, bytes: Option<&[u8]>, field: Field) {
        match bytes {
            Some(bytes) => self.bytes(flexible, bytes, field),
            None => self.null(flexible, nullable, field),
        }
    }

    /// The head of a tagged field whose content takes `size` bytes.
    fn tag(&mut self, tag: u32, size: usize, field: Field) {
        self.uvarint(tag);
        match u32::try_from(size) {
            Ok(size) if size <= i32::MAX as u32 => self.uvarint(size),
            _ => self.fail(EncodeErrorKind::TooLong, field),
        }
    }

    /// Reports a value of a field that this version does not have.
    #[inline]
    fn absent(&mut self, is_set: bool, field: Field) {
        if is_set {
            self.fail(EncodeErrorKind::FieldNotInVersion, field);
        }
    }
}

/// Adds up what would be written.
#[derive(Default, Debug)]
pub struct Counter {
    size: usize,
    error: Option<EncodeError>,
}

impl Counter {
    /// The sum, or the first thing that cannot be written.
    pub fn finish(self) -> Result<usize, EncodeError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.size),
        }
    }
}

impl Sink for Counter {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.size += bytes.len();
    }

    #[cold]
    fn fail(&mut self, kind: EncodeErrorKind, field: Field) {
        self.error.get_or_insert(EncodeError { kind, field });
    }
}

/// Appends to a vector.
#[derive(Debug)]
pub struct Buffer<'o> {
    out: &'o mut Vec<u8>,
    errors: ToldErrors,
}

impl<'o> Buffer<'o> {
    pub fn new(out: &'o mut Vec<u8>) -> Buffer<'o> {
        Buffer { out, errors: ToldErrors::default() }
    }

    /// The error codes that were written.
    pub fn into_errors(self) -> ToldErrors {
        self.errors
    }
}

impl Sink for Buffer<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    fn error_code(&mut self, code: i16) {
        self.errors.note(code);
        self.i16(code);
    }

    fn fail(&mut self, kind: EncodeErrorKind, field: Field) {
        debug_assert!(false, "{field}: {kind:?} was not counted first");
    }
}

/// Writes a tagged field: its content is counted, then written behind its tag and size. The content is an expression
/// over a sink, compiled once for the counter and once for the real one.
macro_rules! write_tag {
    ($sink:ident, $tag:literal, $field:expr, $content:expr) => {{
        let size = {
            let mut counter = $crate::codec::Counter::default();
            let $sink = &mut counter;
            $content;
            counter.finish()
        };
        match size {
            Ok(size) => {
                $sink.tag($tag, size, $field);
                $content;
            }
            Err(error) => $sink.fail(error.kind, error.field),
        }
    }};
}
pub(crate) use write_tag;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_in_both_forms() {
        let mut out = Vec::new();
        let mut sink = Buffer::new(&mut out);
        sink.str(false, "ab", "f");
        sink.str(true, "ab", "f");
        sink.nullable_str(false, true, None, "f");
        sink.nullable_bytes(false, true, None, "f");
        sink.nullable_bytes(true, true, None, "f");
        sink.length(true, 300, "f");
        assert_eq!(out, b"\0\x02ab\x03ab\xff\xff\xff\xff\xff\xff\0\xad\x02");
    }

    #[test]
    fn the_first_error_is_kept() {
        let mut counter = Counter::default();
        counter.str(true, &"a".repeat(40_000), "first");
        counter.null(true, false, "second");
        assert_eq!(counter.finish(), Err(EncodeError { kind: EncodeErrorKind::TooLong, field: "first" }));
    }
}
