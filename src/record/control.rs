//! The keys and the plainest values of control records: what stands in a batch whose control bit is set.
//!
//! Kafka's control record types, numbers as on disk (`ControlRecordType`, `EndTransactionMarker`). The values of the
//! metadata log's control records are messages of their own and are made where the metadata log is.

use crate::model::{LeaderEpoch, Offset, TimestampMs};
use crate::record::builder::{Builder, Options, Record};

const KEY_VERSION: i16 = 0;
const END_TXN_MARKER_VERSION: i16 = 0;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlType {
    Abort = 0,
    Commit = 1,
    LeaderChange = 2,
    SnapshotHeader = 3,
    SnapshotFooter = 4,
    KRaftVersion = 5,
    KRaftVoters = 6,
}

impl ControlType {
    pub fn key(self) -> [u8; 4] {
        let [version_high, version_low] = KEY_VERSION.to_be_bytes();
        [version_high, version_low, 0, self as u8]
    }

    /// The type in a control record's key. `None` if it is one that this version does not know (to be skipped, as
    /// Kafka does) or no key at all. Newer key versions may only add bytes at the end.
    pub fn from_key(key: &[u8]) -> Option<ControlType> {
        use ControlType::*;
        let [high, low, type_high, type_low, ..] = *key else { return None };
        if i16::from_be_bytes([high, low]) < KEY_VERSION || type_high != 0 {
            return None;
        }
        let all = [Abort, Commit, LeaderChange, SnapshotHeader, SnapshotFooter, KRaftVersion, KRaftVoters];
        all.get(usize::from(type_low)).copied()
    }
}

/// A batch of one control record.
pub fn control_batch(options: Options, timestamp: TimestampMs, kind: ControlType, value: &[u8]) -> Vec<u8> {
    assert_eq!(ControlType::from_key(&kind.key()), Some(kind), "the key could not be read back");
    let mut builder = Builder::new(Options { is_control: true, ..options });
    builder.append(&Record { timestamp, key: Some(&kind.key()), value: Some(value), headers: &[] });
    builder.build()
}

/// The marker that ends a transaction on a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndTxnMarker {
    pub commit: bool,
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// The marker as a batch at the end of a log. Markers carry no sequence number.
    pub fn batch(self, producer: (i64, i16), now: TimestampMs, offset: Offset, epoch: LeaderEpoch) -> Vec<u8> {
        let options = Options {
            base_offset: offset,
            leader_epoch: epoch,
            producer_id: producer.0,
            producer_epoch: producer.1,
            is_transactional: true,
            ..Options::default()
        };
        let kind = if self.commit { ControlType::Commit } else { ControlType::Abort };
        let mut value = END_TXN_MARKER_VERSION.to_be_bytes().to_vec();
        value.extend_from_slice(&self.coordinator_epoch.to_be_bytes());
        control_batch(options, now, kind, &value)
    }

    /// Reads a control record; `None` if it is no marker.
    pub fn parse(key: &[u8], value: &[u8]) -> Option<EndTxnMarker> {
        let commit = match ControlType::from_key(key)? {
            ControlType::Commit => true,
            ControlType::Abort => false,
            _ => return None,
        };
        let (version, rest) = value.split_first_chunk()?;
        let epoch = rest.first_chunk()?;
        if i16::from_be_bytes(*version) < END_TXN_MARKER_VERSION {
            return None;
        }
        Some(EndTxnMarker { commit, coordinator_epoch: i32::from_be_bytes(*epoch) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::batches::Batches;
    use proptest::prelude::*;

    #[test]
    fn markers_are_read_back() {
        for commit in [true, false] {
            let marker = EndTxnMarker { commit, coordinator_epoch: 9 };
            let bytes = marker.batch((4, 2), TimestampMs(1), Offset(70), LeaderEpoch(3));
            let batch = Batches::new(&bytes).next().unwrap().unwrap();
            let header = batch.header;
            assert!(header.is_control() && header.is_transactional() && batch.is_intact());
            assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (4, 2, -1));
            let record = batch.records(batch.packed_records()).next().unwrap().unwrap();
            assert_eq!(EndTxnMarker::parse(record.key.unwrap(), record.value.unwrap()), Some(marker));
        }
    }

    #[test]
    fn unknown_types_are_not_known() {
        assert_eq!(ControlType::from_key(&[0, 0, 0, 7]), None);
        assert_eq!(ControlType::from_key(&[0, 0, 1, 0]), None);
        assert_eq!(ControlType::from_key(&[0xff, 0xff, 0, 1]), None);
        assert_eq!(ControlType::from_key(&[0, 1, 0, 1, 99]), Some(ControlType::Commit));
    }

    /// Bytes of which many are as those of a marker.
    fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![4 => Just(0), 2 => 0u8..3, 1 => any::<u8>()], 0..=most)
    }

    proptest! {
        /// A marker is what has a version and the type 0 or 1 in its key, a version and an epoch in its value.
        #[test]
        fn any_bytes_are_a_marker_or_not(key in bytes(6), value in bytes(9)) {
            let parsed = EndTxnMarker::parse(&key, &value);
            let is_marker = key.len() >= 4 && key[0] < 0x80 && key[2] == 0 && key[3] < 2;
            prop_assert_eq!(parsed.is_some(), is_marker && value.len() >= 6 && value[0] < 0x80);
            if let Some(EndTxnMarker { commit, coordinator_epoch }) = parsed {
                prop_assert_eq!((u8::from(commit), &coordinator_epoch.to_be_bytes()[..]), (key[3], &value[2..6]));
                let kind = if commit { ControlType::Commit } else { ControlType::Abort };
                prop_assert_eq!(&kind.key()[2..], &key[2..4]);
            }
        }
    }
}
