//! The records of the coordinators' topics: `__consumer_offsets`, `__transaction_state`, `__share_group_state`.
//!
//! Generated from `src/codec/schema/{offsets,transaction,share}.klamm`. A key is its type (two bytes) and the message
//! in version 0; a value is its version (two bytes) and the message. Which value it is, the key says. Unknown types are
//! not errors: who replays skips them, as Kafka does.

macro_rules! key_and_value {
    ($file:literal, $value:ty) => {
        use crate::codec::generated::*;

        include!(concat!(env!("OUT_DIR"), $file));

        impl<'a> Key<'a> {
            /// The one version in which keys are written.
            pub const VERSION: i16 = 0;

            /// Reads a record's key; `None` if its type is unknown.
            pub fn decode(bytes: &'a [u8]) -> Result<Option<Key<'a>>, DecodeError> {
                let mut reader = Reader::new(bytes);
                let type_id = reader.i16("Key.Type")?;
                Key::read(type_id, Key::VERSION, &mut reader)
            }

            /// Appends the record's key.
            pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                let mut counter = Counter::default();
                self.write(&mut counter, Key::VERSION);
                out.reserve(counter.finish()? + 2);
                out.extend_from_slice(&self.type_id().to_be_bytes());
                self.write(&mut Buffer::new(out), Key::VERSION);
                Ok(())
            }
        }

        impl<'a> $value {
            /// Reads the value of a record whose key has this type, and the version it was written in; `None` if the
            /// type is unknown. Bytes behind the value are ignored, as Kafka does.
            pub fn decode(type_id: i16, bytes: &'a [u8]) -> Result<Option<(Self, i16)>, DecodeError> {
                let mut reader = Reader::new(bytes);
                let version = reader.i16("Value.Version")?;
                Ok(Value::read(type_id, version, &mut reader)?.map(|value| (value, version)))
            }

            /// Appends the record's value in this version.
            pub fn encode(&self, out: &mut Vec<u8>, version: i16) -> Result<(), EncodeError> {
                let mut counter = Counter::default();
                self.write(&mut counter, version);
                out.reserve(counter.finish()? + 2);
                out.extend_from_slice(&version.to_be_bytes());
                self.write(&mut Buffer::new(out), version);
                Ok(())
            }
        }
    };
}

/// `__consumer_offsets`.
pub mod offsets {
    key_and_value!("/offsets.rs", Value<'a>);
}

/// `__transaction_state`.
pub mod transaction {
    key_and_value!("/transaction.rs", Value<'a>);
}

/// `__share_group_state`.
pub mod share {
    key_and_value!("/share.rs", Value);
}
