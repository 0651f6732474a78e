//! What a level of `metadata.version` can carry: the version of each record, and the fields and records that a reader of
//! that level does not know (`MetadataVersion`, `ImageWriterOptions`). A directory of Apache Kafka 3.3 stays one.
//!
//! Every record passes here on its way to the log or to a snapshot; the image applies what came out.

use super::record::{
    BrokerRegistrationChangeRecord, PartitionChangeRecord, PartitionRecord, Record, RegisterBrokerRecord,
};
use std::borrow::Cow;

/// 4.4-IV2: what a fresh cluster has, as one of Apache Kafka 4.4 does.
pub const METADATA_VERSION_LEVEL: i16 = IBP_4_4_IV2;
/// 3.3-IV3, the oldest that Apache Kafka 4 reads.
pub const METADATA_VERSION_MIN: i16 = 7;
/// 4.4-IV2, the newest whose records are known here.
pub const METADATA_VERSION_MAX: i16 = 33;
const _: () = assert!(METADATA_VERSION_MIN <= METADATA_VERSION_LEVEL && METADATA_VERSION_LEVEL <= METADATA_VERSION_MAX);

/// ZooKeeper migration.
const IBP_3_4_IV0: i16 = 8;
const IBP_3_5_IV2: i16 = 11;
/// Metadata transactions (KIP-868).
const IBP_3_6_IV1: i16 = 13;
const IBP_3_6_IV2: i16 = 14;
const IBP_3_7_IV0: i16 = 15;
/// Directories of replicas (KIP-858).
const IBP_3_7_IV2: i16 = 17;
/// Eligible leader replicas (KIP-966).
pub(super) const IBP_4_0_IV1: i16 = 23;
/// Cordoned log directories (KIP-1066).
const IBP_4_3_IV0: i16 = 30;
/// Ranges of hosts in ACLs (KIP-1276).
const IBP_4_4_IV1: i16 = 32;
const IBP_4_4_IV2: i16 = 33;

/// Whether records can tell in which directory a replica is.
pub fn knows_directories(metadata_version: i16) -> bool {
    metadata_version >= IBP_3_7_IV2
}

/// Whether there are records of SCRAM credentials (`MetadataVersion.isScramSupported`).
pub fn knows_scram(metadata_version: i16) -> bool {
    metadata_version >= IBP_3_5_IV2
}

/// Whether there are records of delegation tokens (`MetadataVersion.isDelegationTokenSupported`).
pub(super) fn knows_delegation_tokens(metadata_version: i16) -> bool {
    metadata_version >= IBP_3_6_IV2
}

/// Whether records can tell which log directories get no new partitions.
pub fn knows_cordoned_directories(metadata_version: i16) -> bool {
    metadata_version >= IBP_4_3_IV0
}

/// Whether ACLs can be for ranges of hosts.
pub(super) fn knows_acl_ranges(metadata_version: i16) -> bool {
    metadata_version >= IBP_4_4_IV1
}

/// The version in which a record is written (`MetadataVersion`'s `*RecordVersion`).
fn version(record: &Record<'_>, level: i16) -> i16 {
    match record {
        Record::RegisterBroker(_) if level >= IBP_4_3_IV0 => 4,
        Record::RegisterBroker(_) if level >= IBP_3_7_IV2 => 3,
        Record::RegisterBroker(_) if level >= IBP_3_4_IV0 => 2,
        Record::RegisterBroker(_) => 1,
        Record::BrokerRegistrationChange(_) if level >= IBP_4_3_IV0 => 3,
        Record::BrokerRegistrationChange(_) if level >= IBP_3_7_IV2 => 2,
        Record::BrokerRegistrationChange(_) => 1,
        Record::Partition(_) | Record::PartitionChange(_) if level >= IBP_4_0_IV1 => 2,
        Record::Partition(_) | Record::PartitionChange(_) if level >= IBP_3_7_IV2 => 1,
        _ => 0,
    }
}

/// The first level that has records of this kind.
fn first_level(record: &Record<'_>) -> i16 {
    match record {
        Record::ZkMigrationState(_) => IBP_3_4_IV0,
        Record::UserScramCredential(_) | Record::RemoveUserScramCredential(_) => IBP_3_5_IV2,
        Record::BeginTransaction(_) | Record::EndTransaction(_) | Record::AbortTransaction(_) => IBP_3_6_IV1,
        Record::DelegationToken(_) | Record::RemoveDelegationToken(_) => IBP_3_6_IV2,
        Record::RegisterController(_) => IBP_3_7_IV0,
        Record::ClearElr(_) => IBP_4_0_IV1,
        Record::UnregisterController(_) => IBP_4_4_IV2,
        _ => METADATA_VERSION_MIN,
    }
}

/// A record as it is written at a level, and its version; `None` if a reader of that level does not know its kind.
pub fn at_level<'r, 'a>(record: &'r Record<'a>, level: i16) -> Option<(Cow<'r, Record<'a>>, i16)> {
    (level >= first_level(record)).then(|| (without_newer_fields(record, level), version(record, level)))
}

fn without_newer_fields<'r, 'a>(record: &'r Record<'a>, level: i16) -> Cow<'r, Record<'a>> {
    if level >= IBP_4_3_IV0 {
        return Cow::Borrowed(record);
    }
    let mut record = Cow::Borrowed(record);
    match &*record {
        Record::RegisterBroker(r) => {
            let r = RegisterBrokerRecord {
                is_migrating_zk_broker: r.is_migrating_zk_broker && level >= IBP_3_4_IV0,
                log_dirs: if knows_directories(level) { r.log_dirs.clone() } else { Vec::new() },
                cordoned_log_dirs: None,
                ..r.clone()
            };
            record = Cow::Owned(Record::RegisterBroker(r));
        }
        Record::BrokerRegistrationChange(r) => {
            let r = BrokerRegistrationChangeRecord {
                log_dirs: if knows_directories(level) { r.log_dirs.clone() } else { Vec::new() },
                cordoned_log_dirs: None,
                ..r.clone()
            };
            record = Cow::Owned(Record::BrokerRegistrationChange(r));
        }
        Record::Partition(r) if level < IBP_4_0_IV1 => {
            let r = PartitionRecord {
                directories: if knows_directories(level) { r.directories.clone() } else { Vec::new() },
                eligible_leader_replicas: None,
                last_known_elr: None,
                ..r.clone()
            };
            record = Cow::Owned(Record::Partition(r));
        }
        Record::PartitionChange(r) if level < IBP_4_0_IV1 => {
            let r = PartitionChangeRecord {
                directories: r.directories.clone().filter(|_| knows_directories(level)),
                eligible_leader_replicas: None,
                last_known_elr: None,
                ..r.clone()
            };
            record = Cow::Owned(Record::PartitionChange(r));
        }
        _ => {}
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::record::*;
    use crate::model::Uuid;

    /// Every kind of record that is written here, with all that a record can hold.
    fn written() -> Vec<Record<'static>> {
        let (dirs, ids) = (vec![Uuid([7; 16])], Some(vec![1]));
        let (register, topic) = (RegisterBrokerRecord::default(), TopicRecord::default());
        vec![
            Record::RegisterBroker(RegisterBrokerRecord {
                is_migrating_zk_broker: true,
                in_controlled_shutdown: true,
                log_dirs: dirs.clone(),
                cordoned_log_dirs: Some(dirs.clone()),
                ..register
            }),
            Record::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
                fenced: -1,
                in_controlled_shutdown: 1,
                log_dirs: dirs.clone(),
                cordoned_log_dirs: Some(dirs.clone()),
                ..Default::default()
            }),
            Record::UnregisterBroker(UnregisterBrokerRecord::default()),
            Record::Topic(topic),
            Record::Partition(PartitionRecord {
                directories: dirs.clone(),
                eligible_leader_replicas: ids.clone(),
                last_known_elr: ids.clone(),
                ..Default::default()
            }),
            Record::PartitionChange(PartitionChangeRecord {
                isr: ids.clone(),
                directories: Some(dirs),
                eligible_leader_replicas: ids.clone(),
                last_known_elr: ids,
                ..Default::default()
            }),
            Record::RemoveTopic(RemoveTopicRecord::default()),
            Record::Config(ConfigRecord::default()),
            Record::FeatureLevel(FeatureLevelRecord::default()),
            Record::ProducerIds(ProducerIdsRecord::default()),
            Record::ClientQuota(ClientQuotaRecord::default()),
            Record::AccessControlEntry(AccessControlEntryRecord::default()),
            Record::UserScramCredential(UserScramCredentialRecord::default()),
            Record::DelegationToken(DelegationTokenRecord::default()),
            Record::RegisterController(RegisterControllerRecord::default()),
            Record::ZkMigrationState(ZkMigrationStateRecord::default()),
            Record::BeginTransaction(BeginTransactionRecord::default()),
            Record::EndTransaction(EndTransactionRecord::default()),
            Record::AbortTransaction(AbortTransactionRecord::default()),
        ]
    }

    #[test]
    fn every_level_carries_every_record_that_it_knows() {
        for level in METADATA_VERSION_MIN..=METADATA_VERSION_MAX {
            for record in written() {
                let Some((fitted, version)) = at_level(&record, level) else {
                    assert!(level < first_level(&record), "{level}: {record:?}");
                    continue;
                };
                let mut frame = Vec::new();
                fitted.encode(&mut frame, version).unwrap_or_else(|error| panic!("{level}: {record:?}: {error}"));
                assert_eq!(Record::decode(&frame), Ok((fitted.clone().into_owned(), version)), "{level}");
                let newest = level >= IBP_4_3_IV0;
                assert!(!newest || *fitted == record, "nothing is left out at {level}");
                assert!(newest || version <= record.max_version());
            }
        }
    }

    /// `MetadataVersion.registerBrokerRecordVersion`, `partitionRecordVersion`, `brokerRegistrationChangeRecordVersion`.
    #[test]
    fn versions_are_kafkas() {
        let versions = |at: usize| {
            let of = |level| version(&written()[at], level);
            [7, 8, 16, 17, 22, 23, 29, 30, 33].map(of)
        };
        assert_eq!(versions(0), [1, 2, 2, 3, 3, 3, 3, 4, 4]);
        assert_eq!(versions(1), [1, 1, 1, 2, 2, 2, 2, 3, 3]);
        assert_eq!(versions(4), [0, 0, 0, 1, 1, 2, 2, 2, 2]);
        assert_eq!(versions(5), versions(4));
    }
}
