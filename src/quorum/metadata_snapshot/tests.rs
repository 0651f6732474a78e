//! Snapshots of the metadata log: an image comes back as it was, whatever crashes, and the log does not grow for ever.

use super::{Policy, Quorum, SnapshotId};
use crate::codec::Message;
use crate::io::disk::{Disk, Open};
use crate::io::simulated_disk::{Crash, SimulatedDisk};
use crate::metadata::record::{
    ConfigRecord, FeatureLevelRecord, PartitionRecord, ProducerIdsRecord, RemoveTopicRecord, TopicRecord,
};
use crate::metadata::{Image, Record, fresh_cluster};
use crate::model::{LeaderEpoch, NodeId, Offset, TimestampMs, Uuid};
use crate::quorum::metadata_log::{self, MetadataLog};
use crate::quorum::{metadata_snapshot, replay};
use crate::record::control_messages::voters_record::{Voter, VotersRecord};
use crate::storage::Error;
use crate::storage::health::Health;
use crate::storage::log::LogConfig;
use proptest::prelude::*;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);
const DATA: &str = "/data";

fn directory() -> PathBuf {
    Path::new(DATA).join(metadata_log::DIRECTORY)
}

fn policy() -> Policy {
    Policy {
        max_bytes_between: 3000,
        retention_bytes: 9000,
        log: LogConfig { segment_bytes: 2000, ..LogConfig::default() },
        ..Policy::default()
    }
}

fn open_log(disk: &SimulatedDisk, policy: Policy) -> Result<(MetadataLog, Image), Error> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let health = Arc::new(Health::new(disk.clone(), Path::new(DATA)));
    MetadataLog::open(disk, (Path::new(DATA), &health), NodeId(1), policy, NOW)
}

fn open(disk: &SimulatedDisk) -> (MetadataLog, Image) {
    open_log(disk, policy()).unwrap()
}

fn snapshots(disk: &SimulatedDisk) -> Vec<SnapshotId> {
    let all = metadata_snapshot::list(disk, &directory()).unwrap();
    all.into_iter().map(|(id, _)| id).collect()
}

fn record() -> impl Strategy<Value = Record<'static>> {
    let id = |n: u8| Uuid([n + 1; 16]);
    let config = |(kind, name, key, value): (i8, u8, u8, Option<u8>)| {
        Record::Config(ConfigRecord {
            resource_type: kind,
            resource_name: format!("topic-{name}").into(),
            name: format!("key.{key}").into(),
            value: value.map(|value| value.to_string().into()),
        })
    };
    prop_oneof![
        (0u8..6).prop_map(move |n| Record::Topic(TopicRecord { name: format!("topic-{n}").into(), topic_id: id(n) })),
        (0u8..6).prop_map(move |n| Record::RemoveTopic(RemoveTopicRecord { topic_id: id(n) })),
        (0u8..6, 0i32..5, 0i32..9).prop_map(move |(n, partition_id, epoch)| Record::Partition(PartitionRecord {
            partition_id,
            topic_id: id(n),
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            leader_epoch: epoch,
            partition_epoch: epoch,
            directories: vec![Uuid([9; 16])],
            ..PartitionRecord::default()
        })),
        (prop_oneof![Just(2i8), Just(4i8)], 0u8..6, 0u8..4, any::<Option<u8>>()).prop_map(config),
        (1i64..9999).prop_map(|next_producer_id| Record::ProducerIds(ProducerIdsRecord {
            broker_id: 1,
            broker_epoch: 1,
            next_producer_id,
        })),
        (0i16..2).prop_map(|feature_level| Record::FeatureLevel(FeatureLevelRecord {
            name: "group.version".into(),
            feature_level
        })),
    ]
}

/// The visible part, as two images are compared whose logs have other lengths.
fn content(image: &Image) -> Vec<Record<'static>> {
    image.to_records()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_image_comes_back_from_its_snapshot(
        records in proptest::collection::vec(record(), 0..60),
        kraft_version in 0i16..2,
    ) {
        let disk = SimulatedDisk::default();
        disk.create_directories(&directory()).unwrap();
        let mut image = Image::default();
        let all = fresh_cluster(None, 1).into_iter().chain(records);
        for (offset, record) in all.enumerate() {
            image.apply(&record, offset as i64);
        }
        let id = SnapshotId { end_offset: Offset(image.offset() + 1), epoch: LeaderEpoch(7) };
        let voters = VotersRecord { version: 0, voters: vec![Voter { voter_id: 1, ..Voter::default() }] };
        let mut voters_record = Vec::new();
        voters.encode(&mut voters_record, 0).unwrap();
        let voters_record = (kraft_version > 0).then_some(voters_record);
        let quorum = Quorum { kraft_version, voters_record };
        metadata_snapshot::write(&disk, &directory(), id, &image, &quorum, TimestampMs(5), NOW).unwrap();
        let (path, read) = {
            let all = metadata_snapshot::list(&disk, &directory()).unwrap();
            prop_assert_eq!(all.len(), 1);
            let path = all[0].1.clone();
            (path.clone(), replay::read_snapshot(&disk, &path, image.offset()).unwrap())
        };
        prop_assert_eq!(&read.image, &image);
        prop_assert_eq!(read.quorum, quorum);
        prop_assert_eq!(replay::last_timestamp(&disk, &path), Some(TimestampMs(5)));
    }

    /// Changes, snapshots, and a crash between two of them: nothing that was committed is lost, and old parts go.
    #[test]
    fn a_crash_leaves_what_was_committed(
        batches in proptest::collection::vec(proptest::collection::vec(record(), 1..9), 1..120),
        crashes in proptest::collection::vec((0usize..120, prop_oneof![
            Just(Crash::Process), Just(Crash::Power), any::<u64>().prop_map(|seed| Crash::Torn { seed })
        ], any::<bool>()), 0..4),
    ) {
        let disk = SimulatedDisk::default();
        let (mut log, mut image) = open(&disk);
        disk.sync_directory(Path::new(DATA)).unwrap();
        disk.sync_directory(Path::new("/")).unwrap();
        log.append_and_apply(&fresh_cluster(None, 1), &mut image, NOW).unwrap();
        for (at, batch) in batches.iter().enumerate() {
            log.append_and_apply(batch, &mut image, NOW).unwrap();
            log.sync(NOW).unwrap();
            let crash = crashes.iter().find(|(when, _, _)| *when == at);
            // The snapshot fails where the disk does; what it leaves is part of what the crash finds.
            disk.fail_syncs(crash.is_some_and(|(_, _, fails)| *fails));
            let taken = log.snapshot_if_due(&image, NOW);
            disk.fail_syncs(false);
            prop_assert!(taken.is_ok() || crash.is_some());
            if let Some((_, how, _)) = crash {
                disk.crash(*how);
                drop(log);
                let (again, replayed) = open(&disk);
                prop_assert_eq!(content(&replayed), content(&image));
                (log, image) = (again, replayed);
            }
        }
        log.close(NOW).unwrap();
        prop_assert_eq!(content(&open(&disk).1), content(&image));
    }
}

#[test]
fn log_and_snapshots_stay_within_their_retention() {
    let disk = SimulatedDisk::default();
    let (mut log, mut image) = open(&disk);
    log.append_and_apply(&fresh_cluster(None, 1), &mut image, NOW).unwrap();
    for n in 0..2000 {
        let config = ConfigRecord {
            resource_type: 2,
            resource_name: "t".into(),
            name: "retention.ms".into(),
            value: Some(n.to_string().into()),
        };
        log.append_and_apply(&[Record::Config(config)], &mut image, NOW).unwrap();
        log.sync(NOW).unwrap();
        log.snapshot_if_due(&image, NOW).unwrap();
    }
    let names = disk.list(&directory()).unwrap();
    let bytes: u64 = names.iter().map(|entry| disk.size_bytes(&directory().join(&entry.name)).unwrap()).sum();
    let count = snapshots(&disk).len();
    assert!(bytes < 20_000, "{bytes} bytes in {} files", names.len());
    assert!((2..6).contains(&count), "{count} snapshots");
    drop(log);
    assert_eq!(content(&open(&disk).1), content(&image));
}

#[test]
fn snapshots_go_by_age_and_are_made_by_the_clock() {
    let disk = SimulatedDisk::default();
    let policy = Policy { max_bytes_between: u64::MAX, retention_bytes: -1, ..policy() };
    let opened = open_log(&disk, policy);
    let (mut log, mut image) = opened.unwrap();
    let hour = |n: i64| TimestampMs(NOW.0 + n * 3_600_000);
    for n in 0..200 {
        let feature = FeatureLevelRecord { name: "group.version".into(), feature_level: 1 };
        log.append_and_apply(&[Record::FeatureLevel(feature)], &mut image, hour(n)).unwrap();
        log.sync(hour(n)).unwrap();
        log.snapshot_if_due(&image, hour(n)).unwrap();
        log.snapshot_if_due(&image, hour(n)).unwrap();
    }
    let count = snapshots(&disk).len();
    assert_eq!(count, 7 * 24 + 1, "one for each hour of a week, and the newest");
}

#[test]
fn what_was_not_finished_is_removed() {
    let disk = SimulatedDisk::default();
    disk.create_directories(&directory()).unwrap();
    let part = directory().join("00000000000000000009-0000000001.checkpoint.part");
    let file = disk.open(&part, Open::Create).unwrap();
    file.write_at(&[IoSlice::new(b"half")], 0).unwrap();
    open(&disk);
    assert!(!disk.exists(&part) && snapshots(&disk).is_empty());
}

#[test]
fn a_snapshot_that_fails_takes_no_room_and_tells_the_directory() {
    let disk = SimulatedDisk::default();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let health = Arc::new(Health::new(shared.clone(), Path::new(DATA)));
    let policy = Policy { max_bytes_between: 1, ..policy() };
    let (mut log, mut image) = MetadataLog::open(shared, (Path::new(DATA), &health), NodeId(1), policy, NOW).unwrap();
    let mut snapshot = |fault: &dyn Fn()| {
        log.append_and_apply(&fresh_cluster(None, 1), &mut image, NOW).unwrap();
        log.sync(NOW).unwrap();
        fault();
        log.snapshot_if_due(&image, NOW)
    };
    assert!(snapshot(&|| disk.limit_space(Some(100))).unwrap_err().is_full());
    disk.limit_space(None);
    assert_eq!((health.is_full(), health.is_offline()), (true, false));
    let is_part = |name: &str| name.ends_with(".part");
    assert!(disk.list(&directory()).unwrap().iter().all(|entry| !is_part(&entry.name)));
    assert!(snapshot(&|| {}).is_ok() && !health.is_full() && snapshots(&disk).len() == 1);
    assert!(snapshot(&|| disk.fail_syncs(true)).is_err() && health.is_offline());
}
