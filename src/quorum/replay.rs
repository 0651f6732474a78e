//! From bytes of metadata to the image: batches of the metadata log, and the snapshots (`*.checkpoint`) that stand for
//! its beginning.
//!
//! Control records are none of the image's business; what they say of the quorum is kept beside it. Reads only: files
//! that Apache Kafka wrote stay as they are.

use std::path::Path;

use log::warn;

use crate::codec::{Message, Reader};
use crate::io::disk::Disk;
use crate::metadata::{Image, Record, check_level};
use crate::model::{LeaderEpoch, Offset, TimestampMs};
use crate::quorum::metadata_snapshot::{self, Quorum};
use crate::record::batches::{Batch, Batches};
use crate::record::control::ControlType;
use crate::record::control_messages::kraft_version_record::KRaftVersionRecord;
use crate::record::control_messages::snapshot_header_record::SnapshotHeaderRecord;
use crate::record::control_messages::voters_record::VotersRecord;
use crate::replica::walk::walk;
use crate::storage::Error;
use crate::storage::log::Log;

/// `KafkaRaftClient.MAX_BATCH_SIZE_BYTES`
pub const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// A snapshot holds a line or two per partition: this is a cluster of millions.
const MAX_SNAPSHOT_BYTES: u64 = 1 << 30;
/// The records that `kafka-storage format` leaves in a log directory for the first leader (`BootstrapDirectory`).
pub(super) const BOOTSTRAP_FILE: &str = "bootstrap.checkpoint";

/// What the metadata says: the cluster, and the quorum that keeps it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Replayed {
    pub image: Image,
    /// What stands in control records of the quorum.
    pub quorum: Quorum,
    /// The voters of the newest VotersRecord; `None` where they are configured instead.
    pub voters: Option<Vec<i32>>,
    /// The epoch of the snapshot that the replay began with.
    pub snapshot_epoch: LeaderEpoch,
    /// Bytes of the log that were read behind it.
    pub bytes: u64,
    has_footer: bool,
    /// When the last record was written that the snapshot holds.
    last_timestamp: Option<TimestampMs>,
}

/// When the last record was written that a snapshot holds; `None` if it is not whole.
pub fn last_timestamp(disk: &dyn Disk, path: &Path) -> Option<TimestampMs> {
    read_snapshot(disk, path, -1).ok()?.last_timestamp
}

/// What the newest snapshot and the log behind it say. Blocks.
pub fn replay(disk: &dyn Disk, log: &Log) -> Result<Replayed, Error> {
    let (mut replayed, from) = newest_snapshot(disk, log.directory())?;
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    let unusable = |why: String| Error::Unusable { path: log.directory().to_path_buf(), why };
    if from < start {
        return Err(unusable(format!("the log begins at {start}, but no snapshot covers what came before")));
    }
    if from > end {
        return Err(unusable(format!("the log ends at {end}, before its newest snapshot at {from}")));
    }
    walk(log, from, end, |batch| {
        replayed.bytes += batch.size_bytes() as u64;
        replayed.apply(batch, |offset| Some(offset).filter(|offset| *offset >= from.0))
    })?;
    assert!(replayed.image.offset() < end.0, "what is replayed is in the log or in its snapshot");
    Ok(replayed)
}

/// The records for the first leader of a fresh cluster, if `kafka-storage format` has left some.
pub fn bootstrap_records(disk: &dyn Disk, log_directory: &Path) -> Result<Option<Vec<Record<'static>>>, Error> {
    let path = log_directory.join(BOOTSTRAP_FILE);
    if !disk.exists(&path) {
        return Ok(None);
    }
    let replayed = read_snapshot(disk, &path, -1).map_err(|why| Error::Unusable { path: path.clone(), why })?;
    check_levels(&path, &replayed.image)?;
    Ok(Some(replayed.image.to_records()))
}

/// A newer Apache Kafka may have raised a level beyond what is known here: nothing is written then.
pub fn check_levels(path: &Path, image: &Image) -> Result<(), Error> {
    let checked = image.features().try_for_each(|(name, level)| check_level(name, level));
    checked.map_err(|why| Error::Unusable { path: path.to_path_buf(), why })
}

/// The newest snapshot that is whole, and the offset where the log goes on.
fn newest_snapshot(disk: &dyn Disk, directory: &Path) -> Result<(Replayed, Offset), Error> {
    for (id, path) in metadata_snapshot::list(disk, directory)?.into_iter().rev() {
        match read_snapshot(disk, &path, id.end_offset.0 - 1) {
            Ok(replayed) => return Ok((Replayed { snapshot_epoch: id.epoch, ..replayed }, id.end_offset)),
            Err(why) => warn!("{} cannot be used: {why}", path.display()),
        }
    }
    Ok((Replayed::default(), Offset(0)))
}

/// Reads a snapshot whose last record stands for this offset. It must be whole: its last record is a footer.
pub(super) fn read_snapshot(disk: &dyn Disk, path: &Path, offset: i64) -> Result<Replayed, String> {
    let bytes = disk.read_small(path, MAX_SNAPSHOT_BYTES).map_err(|error| error.to_string())?;
    let mut replayed = Replayed::default();
    for batch in Batches::new(&bytes) {
        let batch = batch.map_err(|error| format!("{error:?}"))?;
        if !batch.is_intact() {
            return Err("a batch is damaged".into());
        }
        // The offsets inside a snapshot count its own records.
        replayed.apply(&batch, |_| Some(offset))?;
    }
    if replayed.has_footer { Ok(replayed) } else { Err("it has no end".into()) }
}

impl Replayed {
    /// Applies a batch; `place` gives the offset that a record counts for, or `None` if it is known already.
    fn apply(&mut self, batch: &Batch<'_>, place: impl Fn(i64) -> Option<i64>) -> Result<(), String> {
        let unpacked = batch.unpack(MAX_BATCH_BYTES).map_err(|error| error.to_string())?;
        let mut records = batch.records(&unpacked);
        while let Some(record) = records.next() {
            let record = record.map_err(|error| error.to_string())?;
            let Some(offset) = place(records.offset(&record)) else { continue };
            let value = record.value.unwrap_or_default();
            if batch.header.is_control() {
                self.apply_control(record.key.unwrap_or_default(), value)?;
                continue;
            }
            let (decoded, _) = Record::decode(value).map_err(|error| error.to_string())?;
            if let Some(ignored) = self.image.apply(&decoded, offset) {
                warn!("metadata record at offset {offset} has no effect: {ignored:?}");
            }
        }
        Ok(())
    }

    fn apply_control(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let mut reader = Reader::new(value);
        match ControlType::from_key(key) {
            Some(ControlType::KRaftVersion) => {
                let record = KRaftVersionRecord::decode(&mut reader, 0).map_err(|error| error.to_string())?;
                self.quorum.kraft_version = record.kraft_version;
            }
            Some(ControlType::KRaftVoters) => {
                let record = VotersRecord::decode(&mut reader, 0).map_err(|error| error.to_string())?;
                self.voters = Some(record.voters.iter().map(|voter| voter.voter_id).collect());
                self.quorum.voters_record = Some(value.to_vec());
            }
            Some(ControlType::SnapshotHeader) => {
                let header = SnapshotHeaderRecord::decode(&mut reader, 0).map_err(|error| error.to_string())?;
                self.last_timestamp = Some(TimestampMs(header.last_contained_log_timestamp));
            }
            Some(ControlType::SnapshotFooter) => self.has_footer = true,
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::FRESH_FEATURES;
    use crate::metadata::record::{FeatureLevelRecord, TopicRecord, UserScramCredentialRecord};
    use crate::metadata::{METADATA_VERSION_MAX, METADATA_VERSION_MIN, Registration, fresh_cluster, register_broker};
    use crate::model::{NodeId, Uuid};
    use crate::quorum::metadata_log::{self, MetadataLog};
    use crate::quorum::metadata_snapshot::{Policy, SnapshotId};
    use crate::record::builder::{self, Builder, Options};
    use crate::record::control::control_batch;
    use crate::record::control_messages::snapshot_footer_record::SnapshotFooterRecord;
    use crate::record::control_messages::voters_record::Voter;
    use crate::storage::health::Health;
    use std::io::IoSlice;
    use std::sync::Arc;

    use crate::io::disk::Open;
    use crate::io::simulated_disk::SimulatedDisk;

    const NOW: TimestampMs = TimestampMs(1_700_000_000_000);
    const DATA: &str = "/data";

    fn control(kind: ControlType, message: &impl for<'a> Message<'a>) -> Vec<u8> {
        let mut value = Vec::new();
        message.encode(&mut value, 0).unwrap();
        control_batch(Options::default(), NOW, kind, &value)
    }

    fn data(records: &[Record<'_>]) -> Vec<u8> {
        let mut builder = Builder::new(Options::default());
        for record in records {
            let mut value = Vec::new();
            let (record, version) = crate::metadata::at_level(record, 30).unwrap();
            record.encode(&mut value, version).unwrap();
            builder.append(&builder::Record { timestamp: NOW, value: Some(&value), ..Default::default() });
        }
        builder.build()
    }

    fn topic(name: &'static str) -> Record<'static> {
        Record::Topic(TopicRecord { name: name.into(), topic_id: Uuid([name.len() as u8; 16]) })
    }

    fn snapshot(voters: &[i32], records: &[Record<'_>]) -> Vec<u8> {
        let voter = |id: &i32| Voter { voter_id: *id, ..Voter::default() };
        let voters = VotersRecord { version: 0, voters: voters.iter().map(voter).collect() };
        let mut value = Vec::new();
        voters.encode(&mut value, 0).unwrap();
        [
            control(ControlType::SnapshotHeader, &SnapshotHeaderRecord::default()),
            control(ControlType::KRaftVersion, &KRaftVersionRecord { version: 0, kraft_version: 1 }),
            control_batch(Options::default(), NOW, ControlType::KRaftVoters, &value),
            data(records),
            control(ControlType::SnapshotFooter, &SnapshotFooterRecord::default()),
        ]
        .concat()
    }

    fn put(disk: &SimulatedDisk, name: &str, bytes: &[u8]) {
        put_at(disk, &Path::new(DATA).join(metadata_log::DIRECTORY).join(name), bytes);
    }

    fn put_at(disk: &SimulatedDisk, path: &Path, bytes: &[u8]) {
        disk.create_directories(path.parent().unwrap()).unwrap();
        let file = disk.open(path, Open::Create).unwrap();
        file.set_size(0).unwrap();
        file.write_at(&[IoSlice::new(bytes)], 0).unwrap();
    }

    fn open(disk: &SimulatedDisk) -> Result<(MetadataLog, Image), Error> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let health = Arc::new(Health::new(disk.clone(), Path::new(DATA)));
        MetadataLog::open(disk, (Path::new(DATA), &health), NodeId(1), Policy::default(), NOW)
    }

    fn state(disk: &SimulatedDisk) -> String {
        let path = Path::new(DATA).join(metadata_log::DIRECTORY).join("quorum-state");
        String::from_utf8(disk.read_small(&path, 1000).unwrap()).unwrap()
    }

    #[test]
    fn a_formatted_directory_keeps_its_kraft_version() {
        let disk = SimulatedDisk::default();
        put(&disk, "00000000000000000000-0000000000.checkpoint", &snapshot(&[1], &[]));
        let (log, image) = open(&disk).unwrap();
        assert_eq!((image.offset(), log.end_offset()), (-1, Offset(1)), "only the change of the leader");
        assert!(state(&disk).contains("\"leaderEpoch\":1") && state(&disk).contains("\"data_version\":1"));
    }

    #[test]
    fn the_log_goes_on_behind_the_newest_whole_snapshot() {
        let disk = SimulatedDisk::default();
        let (mut log, mut image) = open(&disk).unwrap();
        log.append_and_apply(&fresh_cluster(None, 1), &mut image, NOW).unwrap();
        log.append_and_apply(&[topic("a")], &mut image, NOW).unwrap();
        let covered = log.end_offset();
        log.append_and_apply(&[topic("bb")], &mut image, NOW).unwrap();
        log.close(NOW).unwrap();
        let name = |offset: Offset, epoch| format!("{:020}-{epoch:010}.checkpoint", offset.0);
        // The snapshot calls the first topic by another name: what stands in the log below its end is not replayed.
        put(&disk, &name(covered, 7), &snapshot(&[1], &[topic("from snapshot")]));
        let damaged = snapshot(&[1], &[topic("damaged")]);
        put(&disk, &name(log.end_offset(), 9), &damaged[..damaged.len() - 1]);
        put(&disk, "00000000000000000999-0000000009.checkpoint.deleted", &damaged);
        let (_, image) = open(&disk).unwrap();
        let names: Vec<_> = image.topics().map(|topic| topic.name.to_string()).collect();
        assert_eq!(names, ["bb", "from snapshot"]);
        assert!(state(&disk).contains("\"leaderEpoch\":8"), "epochs do not go back behind the snapshot's");
        assert!(!image.in_transaction());
    }

    fn level(name: &'static str, feature_level: i16) -> Record<'static> {
        Record::FeatureLevel(FeatureLevelRecord { name: name.into(), feature_level })
    }

    #[test]
    fn levels_that_are_not_known_stop_the_start() {
        for (name, at, is_known) in [
            ("metadata.version", 33, true),
            ("metadata.version", 34, false),
            ("metadata.version", 6, false),
            ("share.version", 2, true),
            ("group.version", 2, false),
            ("new.version", 1, false),
        ] {
            let disk = SimulatedDisk::default();
            put(&disk, "00000000000000000000-0000000000.checkpoint", &snapshot(&[1], &[level(name, at)]));
            let opened = open(&disk).map(|_| ());
            assert_eq!(opened.is_ok(), is_known, "{name} {at}");
            assert!(opened.err().is_none_or(|error| error.to_string().contains(name)));
            let bootstrap = SimulatedDisk::default();
            put_at(&bootstrap, &Path::new(DATA).join(BOOTSTRAP_FILE), &snapshot(&[1], &[level(name, at)]));
            assert_eq!(bootstrap_records(&bootstrap, Path::new(DATA)).is_ok(), is_known, "{name} {at}");
        }
    }

    /// What `klamm format --add-scram` leaves is what the first start finds.
    #[test]
    fn the_first_users_are_there_from_the_beginning() {
        let disk = SimulatedDisk::default();
        let (mut log, mut image) = open(&disk).unwrap();
        let alice = Record::UserScramCredential(UserScramCredentialRecord {
            name: "alice".into(),
            mechanism: 1,
            salt: vec![1].into(),
            stored_key: vec![2].into(),
            server_key: vec![3].into(),
            iterations: 4096,
        });
        metadata_snapshot::write_first(&disk, Path::new(DATA), std::slice::from_ref(&alice), NOW).unwrap();
        let formatted = bootstrap_records(&disk, Path::new(DATA)).unwrap();
        assert!(formatted.as_ref().unwrap().contains(&alice));
        log.begin_cluster(&mut image, formatted, 1, NOW).unwrap();
        log.close(NOW).unwrap();
        let (_, reopened) = open(&disk).unwrap();
        assert_eq!(reopened.scram_credential("alice", 1).unwrap().stored_key, [2]);
        let fresh = FRESH_FEATURES.iter().map(|(name, level)| (*name, *level));
        assert!(fresh.clone().all(|(name, level)| reopened.feature(name) == level) && fresh.count() > 0);
    }

    /// Apache Kafka 4.4 formats with a snapshot at offset 0 and does not take it for a part of the log later.
    #[test]
    fn what_the_first_snapshot_says_is_written_to_the_log() {
        let (disk, name) = (SimulatedDisk::default(), "00000000000000000000-0000000000.checkpoint");
        let features = [level("metadata.version", 33), level("share.version", 2)];
        put(&disk, name, &snapshot(&[1], &features));
        let (mut log, mut image) = open(&disk).unwrap();
        log.begin_cluster(&mut image, None, 1, NOW).unwrap();
        log.close(NOW).unwrap();
        disk.remove_file(&Path::new(DATA).join(metadata_log::DIRECTORY).join(name)).unwrap();
        let (_, alone) = open(&disk).unwrap();
        assert_eq!((alone.metadata_version(), alone.feature("share.version")), (33, 2));
        assert_eq!(alone.to_records(), image.to_records());
    }

    /// The records of an older cluster are written as its readers know them, those of its beginning as well.
    #[test]
    fn a_log_keeps_the_level_that_it_was_formatted_with() {
        for at in METADATA_VERSION_MIN..=METADATA_VERSION_MAX {
            let disk = SimulatedDisk::default();
            let (mut log, mut image) = open(&disk).unwrap();
            let formatted = vec![level("metadata.version", at)];
            log.append_and_apply(&fresh_cluster(Some(formatted), 1), &mut image, NOW).unwrap();
            let registration = Registration {
                id: 1,
                incarnation_id: Uuid([3; 16]),
                endpoints: Vec::new(),
                rack: None,
                log_dirs: vec![Uuid([7; 16])],
                cordoned_log_dirs: Vec::new(),
            };
            let records = register_broker(&image, &registration, log.end_offset().0, true);
            log.append_and_apply(&records, &mut image, NOW).unwrap();
            log.append_and_apply(&[topic("a")], &mut image, NOW).unwrap();
            log.close(NOW).unwrap();
            let (_, reopened) = open(&disk).unwrap();
            assert!(!image.in_transaction() && reopened.metadata_version() == at);
            assert_eq!(reopened.to_records(), image.to_records(), "{at}");
        }
    }

    #[test]
    fn what_the_snapshot_leaves_open_is_refused() {
        let disk = SimulatedDisk::default();
        put(&disk, "00000000000000000005-0000000001.checkpoint", &snapshot(&[1], &[]));
        assert!(open(&disk).is_err_and(|error| error.to_string().contains("before its newest snapshot")));
    }

    #[test]
    fn other_voters_keep_their_log() {
        let disk = SimulatedDisk::default();
        put(&disk, "00000000000000000000-0000000000.checkpoint", &snapshot(&[1, 2], &[]));
        assert!(open(&disk).is_err_and(|error| matches!(error, Error::NotOurs { .. })));
        let static_voters = SimulatedDisk::default();
        let text = b"{\"leaderEpoch\":4,\"currentVoters\":[{\"voterId\":1},{\"voterId\":2}],\"data_version\":0}";
        put(&static_voters, "quorum-state", text);
        assert!(open(&static_voters).is_err_and(|error| matches!(error, Error::NotOurs { .. })));
    }

    #[test]
    fn an_open_transaction_is_aborted() {
        let disk = SimulatedDisk::default();
        let (mut log, mut image) = open(&disk).unwrap();
        let open_transaction = &fresh_cluster(None, 1)[..3];
        log.append_and_apply(open_transaction, &mut image, NOW).unwrap();
        assert!(image.in_transaction());
        log.close(NOW).unwrap();
        let (log, image) = open(&disk).unwrap();
        assert!(!image.in_transaction());
        log.close(NOW).unwrap();
        assert_eq!(open(&disk).unwrap().1.features().count(), 0);
    }

    #[test]
    fn names_of_snapshots_are_kafkas() {
        let id = SnapshotId { end_offset: Offset(42), epoch: LeaderEpoch(3) };
        assert_eq!(SnapshotId::parse("00000000000000000042-0000000003.checkpoint"), Some(id));
        for wrong in [
            "00000000000000000042-0000000003.checkpoint.part",
            "00000000000000000042-0000000003-123.checkpoint.part",
            "00000000000000000042-0000000003.checkpoint.deleted",
            "42-3.checkpoint",
            "bootstrap.checkpoint",
            "99999999999999999999-0000000003.checkpoint",
        ] {
            assert_eq!(SnapshotId::parse(wrong), None, "{wrong}");
        }
    }
}
