//! The consecutive batches of a byte slice: a segment, what a producer sent, what a fetch returns.
//!
//! Each step looks only at what is there. Whether the checksum is right is asked of the batch ([`Batch::is_intact`]),
//! because not everybody who walks over batches wants to pay for it.

use std::borrow::Cow;
use std::fmt;

use crate::model::CompressionType;
use crate::record::compression;
use crate::record::header::{self, HEADER_SIZE, Header, LOG_OVERHEAD, MAGIC_V2};
use crate::record::records::Records;

/// Where the magic byte stands, in this format as in the message formats 0 and 1.
const MAGIC_AT: usize = header::MAGIC;
/// The shortest message of any format (format 0: checksum, magic, attributes, two lengths), without its overhead.
const MIN_LENGTH: i32 = 14;
const _: () = assert!(LOG_OVERHEAD + MIN_LENGTH as usize > MAGIC_AT, "the shortest message has its magic byte");

/// What stops a walk over batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The bytes end before the batch does: a torn write, or a fetch that was cut by its size limit.
    Truncated,
    /// The announced length is shorter than any batch of its format can be, or negative.
    ShortLength(i32),
    /// A message of format 0 or 1, as clients before Kafka 0.11 sent; Kafka 4 takes none.
    OldMagic(u8),
    /// A format that nobody has defined.
    UnknownMagic(u8),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Truncated => f.write_str("the bytes end within a batch"),
            Error::ShortLength(length) => write!(f, "a batch announces {length} bytes, fewer than its format needs"),
            Error::OldMagic(magic) => write!(f, "message format {magic} is no longer supported"),
            Error::UnknownMagic(magic) => write!(f, "there is no message format {magic}"),
        }
    }
}

impl std::error::Error for Error {}

/// One whole batch in place: `bytes` is as long as its header announces.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub header: Header,
    pub bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// The batch at the front of `bytes`, which may go on behind it.
    pub fn first(bytes: &'a [u8]) -> Result<Batch<'a>, Error> {
        let length: [u8; 4] = bytes.get(8..LOG_OVERHEAD).and_then(|l| l.try_into().ok()).ok_or(Error::Truncated)?;
        let length = i32::from_be_bytes(length);
        if length < MIN_LENGTH {
            return Err(Error::ShortLength(length));
        }
        match *bytes.get(MAGIC_AT).ok_or(Error::Truncated)? {
            MAGIC_V2 => {}
            magic @ (0 | 1) => return Err(Error::OldMagic(magic)),
            magic => return Err(Error::UnknownMagic(magic)),
        }
        let size = header::announced_size(bytes).ok_or(Error::ShortLength(length))?;
        let bytes = bytes.get(..size).ok_or(Error::Truncated)?;
        let header = Header::parse(bytes).ok_or(Error::Truncated)?;
        debug_assert_eq!(header.size_bytes(), bytes.len(), "a batch is as long as its header says");
        Ok(Batch { header, bytes })
    }

    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the checksum in the header is the right one.
    pub fn is_intact(&self) -> bool {
        header::checksum(self.bytes) == self.header.crc
    }

    /// What follows the header, as it stands: packed if the batch is.
    pub fn packed_records(&self) -> &'a [u8] {
        debug_assert!(self.bytes.len() >= HEADER_SIZE, "a batch begins with a whole header");
        &self.bytes[HEADER_SIZE..]
    }

    /// The records' bytes unpacked, at most `limit_bytes` of them; borrowed if the batch is not compressed.
    pub fn unpack(&self, limit_bytes: usize) -> Result<Cow<'a, [u8]>, compression::Error> {
        match self.header.compression() {
            Some(CompressionType::None) => Ok(Cow::Borrowed(self.packed_records())),
            Some(kind) => compression::decompress(kind, self.packed_records(), limit_bytes).map(Cow::Owned),
            None => Err(compression::Error::Corrupt),
        }
    }

    /// The records, given the bytes that [`Batch::unpack`] returned.
    pub fn records<'p>(&self, unpacked: &'p [u8]) -> Records<'p> {
        Records::new(&self.header, unpacked)
    }
}

/// Walks over the batches of a slice; ends after the last one or after the first error.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    pub fn new(bytes: &'a [u8]) -> Batches<'a> {
        Batches { rest: bytes }
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let batch = Batch::first(self.rest);
        self.rest = batch.as_ref().map_or(&[], |batch| &self.rest[batch.size_bytes()..]);
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::builder::{Builder, Options, Record};
    use proptest::prelude::*;

    fn batch(value: &[u8]) -> Vec<u8> {
        let mut builder = Builder::new(Options::default());
        builder.append(&Record { value: Some(value), ..Record::default() });
        builder.build()
    }

    #[test]
    fn batches_follow_each_other() {
        let bytes = [batch(b"one"), batch(b"two and more"), batch(b"")].concat();
        let sizes: Vec<usize> = Batches::new(&bytes).map(|b| b.unwrap().size_bytes()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), bytes.len());
        assert!(Batches::new(&bytes).all(|b| b.unwrap().is_intact()));
    }

    #[test]
    fn every_cut_is_seen() {
        let bytes = [batch(b"one"), batch(b"two")].concat();
        let first = batch(b"one").len();
        for cut in 0..bytes.len() {
            let seen: Vec<_> = Batches::new(&bytes[..cut]).collect();
            let whole = usize::from(cut >= first);
            assert_eq!(seen.iter().filter(|b| b.is_ok()).count(), whole, "{cut}");
            let torn = cut != 0 && cut != first;
            assert_eq!(seen.last().is_some_and(|b| matches!(b, Err(Error::Truncated))), torn, "{cut}");
        }
    }

    #[test]
    fn what_is_no_batch_has_a_name() {
        let good = batch(b"one");
        let with = |at: usize, change: &[u8]| {
            let mut bytes = good.clone();
            bytes[at..at + change.len()].copy_from_slice(change);
            Batches::new(&bytes).next().unwrap().map(|b| b.size_bytes())
        };
        assert_eq!(with(16, &[0]), Err(Error::OldMagic(0)));
        assert_eq!(with(16, &[1]), Err(Error::OldMagic(1)));
        assert_eq!(with(16, &[3]), Err(Error::UnknownMagic(3)));
        assert_eq!(with(16, &[0xff]), Err(Error::UnknownMagic(255)));
        for length in [i32::MIN, -1, 0, 13, 14, 48] {
            assert_eq!(with(8, &length.to_be_bytes()), Err(Error::ShortLength(length)));
        }
        assert_eq!(with(8, &i32::MAX.to_be_bytes()), Err(Error::Truncated));
        assert_eq!(with(8, &49i32.to_be_bytes()), Ok(61));
    }

    proptest! {
        #[test]
        fn any_bytes_end_the_walk(bytes: Vec<u8>, magic in 0..4u8, length in 0..120i32) {
            let mut bytes = bytes;
            if bytes.len() > MAGIC_AT {
                bytes[8..12].copy_from_slice(&length.to_be_bytes());
                bytes[MAGIC_AT] = magic;
            }
            let total: usize = Batches::new(&bytes).flatten().map(|b| b.size_bytes()).sum();
            prop_assert!(total <= bytes.len());
        }
    }
}
