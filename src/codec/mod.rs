//! Kafka's primitive types over bytes: what messages, records and files are made of.
//!
//! The messages themselves are generated from the table in `schema/` by `build/`; each lives in the module of the
//! level that speaks it (`wire`, `metadata`, `coordinator`, `record`). All of them are [`Message`]s: decoded from a
//! [`Reader`], encoded into any [`Sink`].

mod errors;
pub(crate) mod reader;
pub(crate) mod varint;
pub(crate) mod writer;

pub use errors::ToldErrors;
pub use reader::{DecodeError, DecodeErrorKind, Reader};
pub use writer::{Buffer, Counter, EncodeError, EncodeErrorKind, Sink};

/// A text of the protocol, borrowed from the received frame where it can be.
pub type Str<'a> = std::borrow::Cow<'a, str>;
/// Bytes of the protocol, borrowed from the received frame where they can be.
pub type Bytes<'a> = std::borrow::Cow<'a, [u8]>;

/// What generated code names.
pub(crate) mod generated {
    pub(crate) use super::writer::write_tag;
    pub use super::{
        Buffer, Bytes, Counter, DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, Message, Reader, Sink, Str,
    };
    pub use crate::model::Uuid;
}

/// One struct of the protocol, a whole message or a part of one. The code is generated; see `build/rust.rs`.
pub trait Message<'a>: Sized + Default {
    /// `Struct` as error messages name it.
    const NAME: &'static str;
    /// The fewest bytes that one takes in this version: what bounds an array's count before anything is reserved.
    fn min_size(version: i16) -> usize;

    fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError>;

    /// Writes the struct. What cannot be written (see [`EncodeErrorKind`]) is reported to the sink.
    fn write<S: Sink>(&self, sink: &mut S, version: i16);

    /// The bytes that [`Message::encode`] would append.
    fn size_bytes(&self, version: i16) -> Result<usize, EncodeError> {
        let mut counter = Counter::default();
        self.write(&mut counter, version);
        counter.finish()
    }

    /// Appends the message; the size is known before the first byte is written, so that `out` grows once. Nothing is
    /// appended in case of an error.
    fn encode(&self, out: &mut Vec<u8>, version: i16) -> Result<(), EncodeError> {
        let size_bytes = self.size_bytes(version)?;
        debug_assert!(size_bytes >= Self::min_size(version), "readers would refuse an array of {}", Self::NAME);
        out.reserve(size_bytes);
        let from = out.len();
        self.write(&mut Buffer::new(out), version);
        assert_eq!(out.len() - from, size_bytes, "{} is as long as it was counted", Self::NAME);
        Ok(())
    }
}
