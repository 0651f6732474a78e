//! The records of the coordinators' topics: `__consumer_offsets`, `__transaction_state`, `__share_group_state`.
//!
//! Generated from `src/codec/schema/{offsets,transaction,share}.klamm`. A key is its type (two bytes) and the message
//! in version 0; a value is its version (two bytes) and the message. Which value it is, the key says. An [`Unreadable`]
//! record is told to the loader, which decides.

use crate::codec::DecodeError;

/// Why a record of a coordinator's topic cannot be applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// A type of record that the machine does not know (`UnknownRecordTypeException`).
    Type(i16),
    /// A value that cannot be read, of a type that is known: written in a newer version, or damaged.
    Value { type_id: i16, error: DecodeError },
    /// What the record is about cannot be read.
    Key(DecodeError),
}

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

        impl<'a> Entry<'a> {
            /// Reads a record.
            pub fn decode(key: &'a [u8], value: Option<&'a [u8]>) -> Result<Entry<'a>, super::Unreadable> {
                use super::Unreadable;
                let type_id = Reader::new(key).i16("Key.Type").map_err(Unreadable::Key)?;
                let key = Key::decode(key).map_err(Unreadable::Key)?.ok_or(Unreadable::Type(type_id))?;
                let value = value.map(|bytes| Value::decode(type_id, bytes)).transpose();
                let value = value.map_err(|error| Unreadable::Value { type_id, error })?.flatten();
                Entry::of(key, value.map(|(value, _)| value)).ok_or(Unreadable::Type(type_id))
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

#[cfg(test)]
mod tests {
    use super::offsets::{Entry, Key, OffsetCommitKey, OffsetCommitValue, Value};
    use super::{Unreadable, share, transaction};
    use crate::codec::DecodeErrorKind;

    #[test]
    fn keys_and_values_come_back() {
        let key = Key::OffsetCommit(OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 3 });
        let mut bytes = Vec::new();
        key.encode(&mut bytes).unwrap();
        assert_eq!(bytes, b"\0\x01\0\x01g\0\x01t\0\0\0\x03");
        assert_eq!(Key::decode(&bytes), Ok(Some(key)));
        for version in 0..=4 {
            let value = Value::OffsetCommit(OffsetCommitValue { offset: 5, ..Default::default() });
            bytes.clear();
            value.encode(&mut bytes, version).unwrap();
            assert_eq!(bytes[..2], version.to_be_bytes());
            assert_eq!(Value::decode(1, &bytes), Ok(Some((value, version))));
        }
    }

    #[test]
    fn unknown_types_are_not_errors_but_unknown_versions_are() {
        assert_eq!(Key::decode(b"\0\x63whatever"), Ok(None));
        assert_eq!(Value::decode(99, b"\0\0whatever"), Ok(None));
        assert_eq!(Value::decode(1, b"\0\x09whatever").unwrap_err().kind, DecodeErrorKind::Version);
        assert_eq!(transaction::Key::decode(b"\0").unwrap_err().kind, DecodeErrorKind::Truncated);
        assert_eq!(share::Value::decode(0, b"\0\0\0").unwrap_err().kind, DecodeErrorKind::Truncated);
    }

    #[test]
    fn an_entry_is_a_key_with_its_own_value() {
        let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 3 };
        let value = OffsetCommitValue { offset: 5, ..Default::default() };
        let (mut key_bytes, mut bytes) = (Vec::new(), Vec::new());
        Key::OffsetCommit(key.clone()).encode(&mut key_bytes).unwrap();
        Value::OffsetCommit(value.clone()).encode(&mut bytes, 4).unwrap();
        assert_eq!(Entry::decode(&key_bytes, Some(&bytes)), Ok(Entry::OffsetCommit(key.clone(), Some(value))));
        assert_eq!(Entry::decode(&key_bytes, None), Ok(Entry::OffsetCommit(key.clone(), None)));
        let other = Value::ConsumerGroupMetadata(Default::default());
        assert_eq!(Entry::of(Key::OffsetCommit(key), Some(other)), None);
        assert_eq!(Entry::decode(b"\0\x63whatever", None), Err(Unreadable::Type(0x63)));
        assert!(matches!(Entry::decode(b"\0", None), Err(Unreadable::Key(_))));
        assert!(matches!(Entry::decode(&key_bytes, Some(b"\0\x09")), Err(Unreadable::Value { type_id: 1, .. })));
        let id = transaction::Key::TransactionLog(transaction::TransactionLogKey { transactional_id: "t".into() });
        assert_eq!(transaction::Entry::of(id, None).map(|entry| entry.type_id()), Some(0));
    }
}
