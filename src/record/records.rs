//! The records of one batch, read in place from its unpacked bytes (`DefaultRecord`).
//!
//! Strict: every length must add up, the header's count must be met, and nothing may be left behind the last record.
//! The first error ends the walk. Keys, values and headers borrow.

use std::fmt;

use crate::codec::varint;
use crate::model::TimestampType;
use crate::record::header::Header;

/// Bytes of the smallest record: size, attributes, two deltas, null key, null value, no headers.
pub const MIN_SIZE: usize = 7;

/// What is wrong inside a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The header announces a negative number of records.
    NegativeCount(i32),
    /// The bytes end before the announced number of records does.
    Truncated,
    /// Bytes follow the last announced record.
    TrailingBytes,
    /// A length inside a record is negative where it must not be, overlong, or does not add up with the others.
    BadLength,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NegativeCount(count) => write!(f, "the batch announces {count} records"),
            Error::Truncated => f.write_str("the batch ends before the number of records that it announces"),
            Error::TrailingBytes => f.write_str("bytes follow the last record that the batch announces"),
            Error::BadLength => f.write_str("the lengths within a record do not add up"),
        }
    }
}

impl std::error::Error for Error {}

/// A record in place. Offset and timestamp are deltas to the batch's base, as they are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// No bit of it has a meaning yet.
    pub attributes: u8,
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
    /// Bytes of all of it, but for the size that stands in front.
    pub body_bytes: usize,
}

/// The headers of a record, checked when the record was read, so that the walk over them cannot fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Headers<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    pub fn count(&self) -> usize {
        self.count
    }

    /// Key and value of each header. A key is UTF-8 by convention; it is not checked on the way in.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut reader = Reader { rest: self.bytes };
        (0..self.count).map_while(move |_| reader.header().ok())
    }
}

/// Walks over the records of a batch.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    reader: Reader<'a>,
    remaining: i32,
    base_timestamp: i64,
    log_append_time: Option<i64>,
    base_offset: i64,
}

impl<'a> Records<'a> {
    /// `unpacked` is what follows the header, decompressed.
    pub fn new(header: &Header, unpacked: &'a [u8]) -> Records<'a> {
        Records {
            reader: Reader { rest: unpacked },
            remaining: header.records_count,
            base_timestamp: header.base_timestamp,
            log_append_time: (header.timestamp_type() == TimestampType::LogAppendTime).then_some(header.max_timestamp),
            base_offset: header.base_offset,
        }
    }

    /// The timestamp that a consumer sees: the batch's own, if the broker stamped it.
    pub fn timestamp(&self, record: &Record<'_>) -> i64 {
        self.log_append_time.unwrap_or_else(|| self.base_timestamp.wrapping_add(record.timestamp_delta))
    }

    pub fn offset(&self, record: &Record<'_>) -> i64 {
        self.base_offset.wrapping_add(i64::from(record.offset_delta))
    }

    fn fail(&mut self, error: Error) -> Option<Result<Record<'a>, Error>> {
        self.reader.rest = &[];
        self.remaining = 0;
        Some(Err(error))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.remaining < 0 {
            return self.fail(Error::NegativeCount(self.remaining));
        }
        if self.remaining == 0 {
            return if self.reader.rest.is_empty() { None } else { self.fail(Error::TrailingBytes) };
        }
        self.remaining -= 1;
        match self.reader.record() {
            Ok(record) => Some(Ok(record)),
            Err(error) => self.fail(error),
        }
    }
}

#[derive(Clone, Debug)]
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn record(&mut self) -> Result<Record<'a>, Error> {
        if self.rest.is_empty() {
            return Err(Error::Truncated);
        }
        let size = usize::try_from(self.i32()?).map_err(|_| Error::BadLength)?;
        let mut body = Reader { rest: self.take(size).ok_or(Error::Truncated)? };
        let attributes = *body.take(1).and_then(<[u8]>::first).ok_or(Error::BadLength)?;
        let (timestamp_delta, length) = varint::read_i64(body.rest).ok_or(Error::BadLength)?;
        body.rest = &body.rest[length..];
        let offset_delta = body.i32()?;
        let key = body.nullable()?;
        let value = body.nullable()?;
        let headers = body.headers()?;
        Ok(Record { attributes, timestamp_delta, offset_delta, key, value, headers, body_bytes: size })
    }

    /// The rest of a record's body: a count and exactly as many headers.
    fn headers(&mut self) -> Result<Headers<'a>, Error> {
        let count = usize::try_from(self.i32()?).map_err(|_| Error::BadLength)?;
        let bytes = self.rest;
        for _ in 0..count {
            self.header()?;
        }
        if self.rest.is_empty() { Ok(Headers { count, bytes }) } else { Err(Error::BadLength) }
    }

    fn header(&mut self) -> Result<(&'a [u8], Option<&'a [u8]>), Error> {
        let key = self.nullable()?.ok_or(Error::BadLength)?;
        Ok((key, self.nullable()?))
    }

    fn i32(&mut self) -> Result<i32, Error> {
        let (value, length) = varint::read_i32(self.rest).ok_or(Error::BadLength)?;
        self.rest = &self.rest[length..];
        Ok(value)
    }

    /// A length and as many bytes; any negative length is null, as Kafka reads it.
    fn nullable(&mut self) -> Result<Option<&'a [u8]>, Error> {
        match usize::try_from(self.i32()?) {
            Ok(length) => self.take(length).map(Some).ok_or(Error::BadLength),
            Err(_) => Ok(None),
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::header::HEADER_SIZE;
    use proptest::prelude::*;

    fn header(count: i32) -> Header {
        Header { records_count: count, ..Header::parse(&[0; HEADER_SIZE]).unwrap() }
    }

    fn read(count: i32, bytes: &[u8]) -> Vec<Result<Record<'_>, Error>> {
        Records::new(&header(count), bytes).collect()
    }

    /// Size 6, attributes, timestamp 0, offset 0, null key, empty value, no headers.
    const SMALLEST: [u8; MIN_SIZE] = [12, 0, 0, 0, 1, 0, 0];

    #[test]
    fn counts_and_bytes_must_agree() {
        let two = [SMALLEST, SMALLEST].concat();
        assert_eq!(read(2, &two).iter().filter(|r| r.is_ok()).count(), 2);
        assert_eq!(read(0, &[]), []);
        assert_eq!(read(1, &two)[1..], [Err(Error::TrailingBytes)]);
        assert_eq!(read(3, &two)[2..], [Err(Error::Truncated)]);
        assert_eq!(read(i32::MAX, &two)[2..], [Err(Error::Truncated)]);
        assert_eq!(read(-1, &two), [Err(Error::NegativeCount(-1))]);
        assert_eq!(read(2, &two[..13])[1..], [Err(Error::Truncated)]);
    }

    #[test]
    fn lengths_must_add_up() {
        let bad: [&[u8]; 8] = [
            &[14, 0, 0, 0, 1, 0, 0, 0],         // a byte behind the headers
            &[10, 0, 0, 0, 1, 0],               // no header count
            &[12, 0, 0, 0, 4, 0, 0],            // key longer than the record
            &[12, 0, 0, 0, 1, 4, 0],            // value longer than the record
            &[12, 0, 0, 0, 1, 0, 1],            // -1 headers
            &[14, 0, 0, 0, 1, 0, 2, 1],         // a header without a key
            &[0],                               // an empty record
            &[0xff, 0xff, 0xff, 0xff, 0xff, 1], // a size over 32 bits
        ];
        for bytes in bad {
            assert_eq!(read(1, bytes), [Err(Error::BadLength)], "{bytes:?}");
        }
        assert_eq!(read(1, &[1]), [Err(Error::BadLength)]);
        let huge_count = [22, 0, 0, 0, 1, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0];
        assert_eq!(read(1, &huge_count), [Err(Error::BadLength)]);
    }

    #[test]
    fn headers_are_read() {
        let bytes = [28, 0, 3, 4, 2, b'k', 1, 4, 2, b'a', 2, b'1', 2, b'b', 1];
        let records = read(1, &bytes);
        let record = records[0].unwrap();
        assert_eq!((record.timestamp_delta, record.offset_delta), (-2, 2));
        assert_eq!((record.key, record.value), (Some(&b"k"[..]), None));
        let headers: Vec<_> = record.headers.iter().collect();
        assert_eq!(headers, [(&b"a"[..], Some(&b"1"[..])), (&b"b"[..], None)]);
    }

    proptest! {
        #[test]
        fn any_bytes_end_the_walk(count: i32, bytes: Vec<u8>) {
            let read = read(count, &bytes);
            prop_assert!(read.len() <= bytes.len() / MIN_SIZE + 1);
            for record in read.into_iter().flatten() {
                prop_assert_eq!(record.headers.iter().count(), record.headers.count());
            }
        }
    }
}
