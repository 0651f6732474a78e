//! Reads Kafka's primitive types from a frame, borrowing from it.
//!
//! Invariant: nothing is reserved by a number that was read before that number is checked against the bytes that are
//! really there. Every failure says which field it was and where. Knows nothing of messages.

use super::varint;
use crate::model::Uuid;
use std::fmt;

/// The most elements that an array may have (Kafka 4.4, `MessageUtil.MAX_ARRAY_LENGTH`).
pub const MAX_ARRAY_LENGTH: usize = 1_000_000;
/// The most tagged fields that a struct may carry (Kafka 4.4, `MessageUtil.MAX_TAGGED_FIELD_COUNT`).
pub const MAX_TAGGED_FIELD_COUNT: u32 = 10_000;
/// The longest string in bytes, in both encodings (Kafka's generated readers).
pub const MAX_STRING_LENGTH: usize = i16::MAX as usize;
const _: () = assert!(MAX_ARRAY_LENGTH < i32::MAX as usize && (MAX_TAGGED_FIELD_COUNT as usize) < MAX_ARRAY_LENGTH);

/// What was wrong with the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeErrorKind {
    /// The frame ends within the field.
    Truncated,
    /// A variable-length number is too long.
    Varint,
    /// A length above what the type allows.
    Length,
    /// More elements than the remaining bytes could hold, or than [`MAX_ARRAY_LENGTH`].
    ArrayTooLong,
    /// More tagged fields than [`MAX_TAGGED_FIELD_COUNT`].
    TooManyTags,
    /// A tag that the message knows, but not in this version, or whose content does not fill its size.
    Tag,
    /// Null where the version allows none.
    Null,
    /// A string that is not UTF-8.
    Utf8,
    /// The message does not exist in this version.
    Version,
    /// An unknown kind of record or frame.
    Type,
    /// Bytes are left over where none may be.
    Trailing,
    /// A number that means nothing.
    Value,
}

/// Why bytes are not the message they should be: what, in which field, at which byte of the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeError {
    pub kind: DecodeErrorKind,
    /// `Struct.Field` in Kafka's words.
    pub field: &'static str,
    /// Bytes from the beginning of what the reader was given.
    pub position: usize,
}

impl DecodeError {
    /// What was read has no meaning; where it stood is not known any more.
    pub fn value(field: &'static str) -> DecodeError {
        DecodeError { kind: DecodeErrorKind::Value, field, position: 0 }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use DecodeErrorKind::*;
        let what = match self.kind {
            Truncated => "the frame ends too early",
            Varint => "a variable-length number is too long",
            Length => "an impossible length",
            ArrayTooLong => "more elements than there are bytes for",
            TooManyTags => "too many tagged fields",
            Tag => "a tagged field that does not fit this version or its own size",
            Null => "null is not allowed",
            Utf8 => "the text is not UTF-8",
            Version => "no such version",
            Type => "an unknown type",
            Trailing => "bytes are left over",
            Value => "a value without a meaning",
        };
        write!(f, "{what}, in {} at byte {}", self.field, self.position)
    }
}

impl std::error::Error for DecodeError {}

type Result<T> = std::result::Result<T, DecodeError>;
/// The name of what is read, for the error.
type Field = &'static str;

/// A place in a frame. Every method that fails leaves it where the failure was.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Position of the end of `rest`.
    end: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, end: bytes.len() }
    }

    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        debug_assert!(self.rest.len() <= self.end, "a reader does not go back");
        self.end - self.rest.len()
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[cold]
    pub fn error(&self, kind: DecodeErrorKind, field: Field) -> DecodeError {
        DecodeError { kind, field, position: self.position() }
    }

    /// Fails if anything is left.
    pub fn finish(&self, field: Field) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(DecodeErrorKind::Trailing, field)) }
    }

    /// Fails unless `min <= version <= max`.
    pub fn check_version(&self, version: i16, min: i16, max: i16, field: Field) -> Result<()> {
        if min <= version && version <= max { Ok(()) } else { Err(self.error(DecodeErrorKind::Version, field)) }
    }

    #[inline]
    pub fn take(&mut self, length: usize, field: Field) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.error(DecodeErrorKind::Truncated, field));
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self, field: Field) -> Result<[u8; N]> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.error(DecodeErrorKind::Truncated, field));
        };
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub fn bool(&mut self, field: Field) -> Result<bool> {
        Ok(self.i8(field)? != 0)
    }

    #[inline]
    pub fn i8(&mut self, field: Field) -> Result<i8> {
        Ok(i8::from_be_bytes(self.array(field)?))
    }

    #[inline]
    pub fn i16(&mut self, field: Field) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array(field)?))
    }

    #[inline]
    pub fn u16(&mut self, field: Field) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array(field)?))
    }

    #[inline]
    pub fn i32(&mut self, field: Field) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array(field)?))
    }

    #[inline]
    pub fn i64(&mut self, field: Field) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array(field)?))
    }

    #[inline]
    pub fn f64(&mut self, field: Field) -> Result<f64> {
        Ok(f64::from_be_bytes(self.array(field)?))
    }

    #[inline]
    pub fn uuid(&mut self, field: Field) -> Result<Uuid> {
        Ok(Uuid(self.array(field)?))
    }

    /// An unsigned varint of at most 32 bits.
    #[inline]
    pub fn uvarint(&mut self, field: Field) -> Result<u32> {
        match self.rest {
            [byte @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u32::from(*byte))
            }
            _ => self.long_uvarint(field),
        }
    }

    fn long_uvarint(&mut self, field: Field) -> Result<u32> {
        let Some((value, length)) = varint::read_u32(self.rest) else {
            let cut = self.rest.len() < varint::MAX_U32_BYTES && self.rest.iter().all(|byte| *byte >= 0x80);
            let kind = if cut { DecodeErrorKind::Truncated } else { DecodeErrorKind::Varint };
            return Err(self.error(kind, field));
        };
        self.rest = &self.rest[length..];
        Ok(value)
    }

    /// A length or count in front of something; `None` is null, for which Kafka takes every negative number. `short`:
    /// strings have two bytes for it.
    #[inline]
    fn length(&mut self, flexible: bool, short: bool, field: Field) -> Result<Option<usize>> {
        let length = match (flexible, short) {
            (true, _) => i64::from(self.uvarint(field)?) - 1,
            (false, true) => i64::from(self.i16(field)?),
            (false, false) => i64::from(self.i32(field)?),
        };
        match length {
            ..0 => Ok(None),
            0..=0x7fff_ffff => Ok(Some(length as usize)),
            _ => Err(self.error(DecodeErrorKind::Length, field)),
        }
    }

    fn require<T>(&self, value: Option<T>, field: Field) -> Result<T> {
        value.ok_or_else(|| self.error(DecodeErrorKind::Null, field))
    }

    /// A value that may be null in some versions, of which this is one if `allowed`.
    #[inline]
    fn allow<T>(&self, allowed: bool, value: Option<T>, field: Field) -> Result<Option<T>> {
        if value.is_none() && !allowed { Err(self.error(DecodeErrorKind::Null, field)) } else { Ok(value) }
    }

    fn any_str(&mut self, flexible: bool, field: Field) -> Result<Option<&'a str>> {
        let Some(length) = self.length(flexible, true, field)? else { return Ok(None) };
        if length > MAX_STRING_LENGTH {
            return Err(self.error(DecodeErrorKind::Length, field));
        }
        let bytes = self.take(length, field)?;
        match str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(self.error(DecodeErrorKind::Utf8, field)),
        }
    }

    pub fn str(&mut self, flexible: bool, field: Field) -> Result<&'a str> {
        let text = self.any_str(flexible, field)?;
        self.require(text, field)
    }

    pub fn nullable_str(&mut self, flexible: bool, nullable: bool, field: Field) -> Result<Option<&'a str>> {
        let text = self.any_str(flexible, field)?;
        self.allow(nullable, text, field)
    }

    fn any_bytes(&mut self, flexible: bool, field: Field) -> Result<Option<&'a [u8]>> {
        match self.length(flexible, false, field)? {
            Some(length) => Ok(Some(self.take(length, field)?)),
            None => Ok(None),
        }
    }

    pub fn bytes(&mut self, flexible: bool, field: Field) -> Result<&'a [u8]> {
        let bytes = self.any_bytes(flexible, field)?;
        self.require(bytes, field)
    }

    pub fn nullable_bytes(&mut self, flexible: bool, nullable: bool, field: Field) -> Result<Option<&'a [u8]>> {
        let bytes = self.any_bytes(flexible, field)?;
        self.allow(nullable, bytes, field)
    }

    /// The count of an array whose elements take at least `min_size` bytes each; `None` is null. The count is bounded
    /// by the bytes that remain, so that the caller may reserve by it.
    pub fn count(&mut self, flexible: bool, min_size: usize, field: Field) -> Result<Option<usize>> {
        let Some(count) = self.length(flexible, false, field)? else { return Ok(None) };
        if count > MAX_ARRAY_LENGTH || count.saturating_mul(min_size.max(1)) > self.remaining() {
            return Err(self.error(DecodeErrorKind::ArrayTooLong, field));
        }
        assert!(count <= self.remaining(), "an element takes a byte at least, so that the caller may reserve");
        Ok(Some(count))
    }

    fn elements<T>(&mut self, count: usize, mut element: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    pub fn vec<T>(
        &mut self,
        flexible: bool,
        min_size: usize,
        field: Field,
        element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let count = self.count(flexible, min_size, field)?;
        let count = self.require(count, field)?;
        self.elements(count, element)
    }

    pub fn nullable_vec<T>(
        &mut self,
        flexible: bool,
        nullable: bool,
        min_size: usize,
        field: Field,
        element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let count = self.count(flexible, min_size, field)?;
        match self.allow(nullable, count, field)? {
            Some(count) => Ok(Some(self.elements(count, element)?)),
            None => Ok(None),
        }
    }

    /// Whether a nullable struct follows (a byte: negative is null).
    pub fn is_present(&mut self, field: Field) -> Result<bool> {
        Ok(self.i8(field)? >= 0)
    }

    /// Whether a nullable struct follows within a tagged field, where it is an unsigned varint: 0 is null.
    pub fn is_present_in_tag(&mut self, field: Field) -> Result<bool> {
        Ok(self.uvarint(field)? > 0)
    }

    /// The number of tagged fields that follow.
    #[inline]
    pub fn tag_count(&mut self, field: Field) -> Result<u32> {
        let count = self.uvarint(field)?;
        if count > MAX_TAGGED_FIELD_COUNT { Err(self.error(DecodeErrorKind::TooManyTags, field)) } else { Ok(count) }
    }

    /// The next tagged field: its tag and a reader of exactly its content.
    pub fn tag(&mut self, field: Field) -> Result<(u32, Reader<'a>)> {
        let tag = self.uvarint(field)?;
        let size = self.uvarint(field)?;
        let rest = self.take(size as usize, field)?;
        debug_assert_eq!(rest.len(), size as usize, "a tag's reader has its content and nothing else");
        Ok((tag, Reader { rest, end: self.position() }))
    }

    /// Reads over tagged fields that this version does not know.
    #[inline]
    pub fn skip_tags(&mut self, field: Field) -> Result<()> {
        for _ in 0..self.tag_count(field)? {
            self.tag(field)?;
        }
        Ok(())
    }

    /// Ends the reading of a tagged field's content: all of it must have been used.
    pub fn end_tag(&self, field: Field) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(DecodeErrorKind::Tag, field)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DecodeErrorKind as Kind;

    fn kind<T: fmt::Debug>(result: Result<T>) -> Kind {
        result.unwrap_err().kind
    }

    #[test]
    fn texts_in_both_forms() {
        assert_eq!(Reader::new(b"\0\x02ab").str(false, "f"), Ok("ab"));
        assert_eq!(Reader::new(b"\x03ab").str(true, "f"), Ok("ab"));
        assert_eq!(Reader::new(b"\xff\xff").nullable_str(false, true, "f"), Ok(None));
        assert_eq!(Reader::new(b"\0").nullable_str(true, true, "f"), Ok(None));
        assert_eq!(kind(Reader::new(b"\0").nullable_str(true, false, "f")), Kind::Null);
        assert_eq!(kind(Reader::new(b"\xff\xff").str(false, "f")), Kind::Null);
        assert_eq!(Reader::new(b"\x80\0").nullable_str(false, true, "f"), Ok(None));
        assert_eq!(kind(Reader::new(b"\x02\xff").str(true, "f")), Kind::Utf8);
        assert_eq!(kind(Reader::new(b"\0\x03ab").str(false, "f")), Kind::Truncated);
        let long = [b"\x81\x80\x02".as_slice(), &[b'a'; 40_000]].concat();
        assert_eq!(kind(Reader::new(&long).str(true, "f")), Kind::Length);
    }

    #[test]
    fn counts_are_bounded_by_the_bytes() {
        assert_eq!(Reader::new(b"\0\0\0\x02\0\0\0\0").count(false, 2, "f"), Ok(Some(2)));
        assert_eq!(kind(Reader::new(b"\0\0\0\x03\0\0\0\0").count(false, 2, "f")), Kind::ArrayTooLong);
        assert_eq!(kind(Reader::new(b"\x7f\xff\xff\xff").count(false, 1, "f")), Kind::ArrayTooLong);
        assert_eq!(Reader::new(b"\x80\0\0\0").count(false, 1, "f"), Ok(None));
        assert_eq!(kind(Reader::new(b"\xff\xff\xff\xff\x0f").count(true, 1, "f")), Kind::Length);
        let zeros = [b"\0\x0f\x42\x41".as_slice(), &vec![0; 2_000_000]].concat();
        assert_eq!(kind(Reader::new(&zeros).count(false, 1, "f")), Kind::ArrayTooLong);
    }

    #[test]
    fn varints_say_what_is_wrong() {
        assert_eq!(Reader::new(b"\xac\x02").uvarint("f"), Ok(300));
        assert_eq!(kind(Reader::new(b"").uvarint("f")), Kind::Truncated);
        assert_eq!(kind(Reader::new(b"\x80").uvarint("f")), Kind::Truncated);
        assert_eq!(kind(Reader::new(b"\xff\xff\xff\xff\x1f").uvarint("f")), Kind::Varint);
    }

    #[test]
    fn tags_are_read_within_their_size() {
        let mut reader = Reader::new(b"\x01\x05\x02ab!");
        assert_eq!(reader.tag_count("f"), Ok(1));
        let (tag, mut content) = reader.tag("f").unwrap();
        assert_eq!((tag, content.position()), (5, 3));
        assert_eq!(content.i8("f"), Ok(b'a' as i8));
        assert_eq!(content.end_tag("f"), Err(DecodeError { kind: Kind::Tag, field: "f", position: 4 }));
        assert_eq!(reader.rest(), b"!");
        assert_eq!(kind(Reader::new(b"\x91\x4e").skip_tags("f")), Kind::TooManyTags);
    }
}
