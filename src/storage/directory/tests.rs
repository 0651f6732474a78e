//! A log directory on a simulated disk: what it keeps over a stop, a crash and damage.

use super::*;
use crate::io::simulated_disk::{Crash, SimulatedDisk};
use crate::model::Offset;
use crate::storage::log::{Identity, LogConfig};
use crate::storage::testing::{self, NOW};

const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

fn directory(disk: &SimulatedDisk) -> LogDirectory {
    LogDirectory::open(Arc::new(disk.clone()), "/data".into()).unwrap()
}

fn identity(partition: i32) -> Identity {
    Identity { partition: PartitionIndex(partition), ..testing::identity() }
}

fn state(log: &Log) -> PartitionState {
    PartitionState {
        topic: log.identity().topic.clone(),
        partition: log.identity().partition,
        recovery_point: log.recovery_point(),
        log_start_offset: log.log_start_offset(),
        high_watermark: log.log_end_offset(),
    }
}

#[test]
fn one_process_one_cluster_one_node() {
    let disk = SimulatedDisk::default();
    let mut ours = directory(&disk);
    let again = LogDirectory::open(Arc::new(disk.clone()), "/data".into());
    assert!(matches!(again, Err(Error::NotOurs { .. })));
    assert_eq!(ours.meta(), None);
    let id = ours.claim(CLUSTER, NodeId(1), Uuid([5; 16])).unwrap();
    drop(ours);
    let mut ours = directory(&disk);
    assert_eq!(ours.claim(CLUSTER, NodeId(1), Uuid([6; 16])).unwrap(), id);
    assert!(matches!(ours.claim("other", NodeId(1), id), Err(Error::NotOurs { .. })));
    assert!(matches!(ours.claim(CLUSTER, NodeId(2), id), Err(Error::NotOurs { .. })));
}

#[test]
fn logs_come_back_as_they_were_left() {
    let disk = SimulatedDisk::default();
    let ours = directory(&disk);
    let wanted: Vec<_> = (0..20).map(|n| (identity(n), LogConfig::default())).collect();
    let logs: Vec<_> = ours.open_logs(&wanted, 4, NOW, &|| ()).into_iter().map(Result::unwrap).collect();
    for (n, log) in logs.iter().enumerate() {
        for _ in 0..n {
            testing::put(log, &testing::batch(&[1, 2], 10, None));
        }
        log.delete_records_before(Offset(n as i64 / 2)).unwrap();
    }
    let ends = ours.close_logs(&logs.iter().collect::<Vec<_>>(), NOW);
    assert!(ends.iter().enumerate().all(|(n, end)| end.as_ref().is_ok_and(|end| end.0 == 2 * n as i64)));
    ours.checkpoint(&Checkpoint::ALL, logs.iter().map(state)).unwrap();
    ours.mark_clean(77).unwrap();
    drop((ours, logs));
    disk.crash(Crash::Power);
    let ours = directory(&disk);
    assert!(ours.was_clean_shutdown());
    assert_eq!(ours.partitions().len(), 20);
    for (n, log) in ours.open_logs(&wanted, 3, NOW, &|| ()).into_iter().map(Result::unwrap).enumerate() {
        assert_eq!(log.identity().partition.0, n as i32);
        let expected = (Offset(n as i64 / 2), Offset(2 * n as i64));
        assert_eq!((log.log_start_offset(), log.log_end_offset()), expected);
        assert_eq!(ours.high_watermark("t", PartitionIndex(n as i32)), Some(expected.1));
    }
    drop(ours);
    assert!(!directory(&disk).was_clean_shutdown(), "the marker counts once");
}

#[test]
fn one_bad_log_does_not_keep_the_others_closed() {
    let disk = SimulatedDisk::default();
    let ours = directory(&disk);
    drop(ours.open_log(identity(1), LogConfig::default(), NOW).unwrap());
    let mut wanted: Vec<_> = (0..3).map(|n| (identity(n), LogConfig::default())).collect();
    wanted[1].0.topic_id = Uuid([1; 16]);
    let opened: Vec<_> = ours.open_logs(&wanted, 2, NOW, &|| ()).iter().map(Result::is_ok).collect();
    assert_eq!(opened, [true, false, true]);
    assert!(ours.mark_clean(1).is_err(), "the next start must look at what this one could not");
}

#[test]
fn leftovers_strays_and_damaged_checkpoints() {
    let disk = SimulatedDisk::default();
    let ours = directory(&disk);
    let log = ours.open_log(identity(0), LogConfig::default(), NOW).unwrap();
    drop(ours.open_log(identity(1), LogConfig::default(), NOW).unwrap());
    ours.checkpoint(&Checkpoint::ALL, [state(&log)]).unwrap();
    drop(log.delete([3; 16]).unwrap());
    disk.create_directories(Path::new("/data/remote")).unwrap();
    ours.set_aside_stray("t", PartitionIndex(1), [4; 16]).unwrap();
    disk.replace(Path::new("/data/recovery-point-offset-checkpoint"), b"7\n").unwrap();
    drop(ours);
    let mut ours = directory(&disk);
    assert!(ours.partitions().is_empty());
    assert_eq!(ours.unknown_directories(), ["remote"]);
    let leftovers = ours.take_leftovers();
    assert_eq!(leftovers.len(), 1);
    leftovers.iter().for_each(|leftover| leftover.run().unwrap());
    assert_eq!(disk.list(Path::new("/data")).unwrap().iter().filter(|e| e.is_directory).count(), 2);
}

#[test]
fn nothing_of_a_deleted_partition_is_believed_of_its_successor() {
    for restart in [false, true] {
        let disk = SimulatedDisk::default();
        let mut ours = directory(&disk);
        let log = ours.open_log(identity(0), LogConfig::default(), NOW).unwrap();
        for _ in 0..9 {
            testing::put(&log, &testing::batch(&[1], 10, None));
        }
        log.delete_records_before(Offset(5)).unwrap();
        ours.checkpoint(&Checkpoint::ALL, [state(&log)]).unwrap();
        drop(log.delete([3; 16]).unwrap());
        if restart {
            drop(ours);
            ours = directory(&disk);
        } else {
            ours.forget("t", PartitionIndex(0));
        }
        let log = ours.open_log(identity(0), LogConfig::default(), NOW).unwrap();
        testing::put(&log, &testing::batch(&[1], 10, None));
        drop((log, ours));
        let log = directory(&disk).open_log(identity(0), LogConfig::default(), NOW).unwrap();
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(0), Offset(1)));
    }
}

#[test]
fn checkpoints_are_written_where_they_say_something_new() {
    let disk = SimulatedDisk::default();
    let ours = directory(&disk);
    let log = ours.open_log(identity(0), LogConfig::default(), NOW).unwrap();
    testing::put(&log, &testing::batch(&[1], 10, None));
    let syncs = || disk.writes_and_syncs().1;
    ours.checkpoint(&[Checkpoint::HighWatermarks], [state(&log)]).unwrap();
    assert!(disk.exists(Path::new("/data/replication-offset-checkpoint")));
    assert!(!disk.exists(Path::new("/data/recovery-point-offset-checkpoint")));
    let before = syncs();
    ours.checkpoint(&[Checkpoint::HighWatermarks], [state(&log)]).unwrap();
    assert_eq!(syncs(), before, "nothing is new");
    disk.limit_space(Some(0));
    let moved = PartitionState { high_watermark: Offset(7), ..state(&log) };
    assert!(ours.checkpoint(&[Checkpoint::HighWatermarks], [moved]).is_err());
    disk.limit_space(None);
    ours.checkpoint(&[Checkpoint::HighWatermarks], []).unwrap();
    drop((log, ours));
    assert_eq!(directory(&disk).high_watermark("t", PartitionIndex(0)), Some(Offset(7)), "what failed is made up for");
}

#[test]
fn a_disk_that_fails_takes_all_logs_of_its_directory_along_and_those_of_no_other() {
    let disk = SimulatedDisk::default();
    let (ours, other) = (directory(&disk), LogDirectory::open(Arc::new(disk.clone()), "/other".into()).unwrap());
    let log = |directory: &LogDirectory, n| directory.open_log(identity(n), LogConfig::default(), NOW).unwrap();
    let (first, second, elsewhere) = (log(&ours, 0), log(&ours, 1), log(&other, 2));
    for log in [&first, &second, &elsewhere] {
        testing::put(log, &testing::batch(&[1], 10, None));
    }
    disk.fail_syncs(true);
    let flush = first.flush().unwrap();
    first.fail_sync(&flush.run().unwrap_err().to_string());
    disk.fail_syncs(false);
    assert!(ours.is_offline() && first.is_offline() && second.is_offline());
    assert!(matches!(second.flush(), Err(Error::Offline)), "never tried again");
    assert!(matches!(ours.checkpoint(&Checkpoint::ALL, [state(&second)]), Err(Error::Offline)));
    assert!(ours.open_log(identity(3), LogConfig::default(), NOW).is_err());
    assert_eq!(testing::read_all(&second).len(), 1, "what was published can be read");
    testing::put(&elsewhere, &testing::batch(&[1], 10, None));
    let unusable = LogDirectory::unusable(Arc::new(disk), "/gone".into(), &Error::Offline);
    assert!(unusable.is_offline() && unusable.partitions().is_empty());
}

#[test]
fn a_damaged_log_does_not_take_its_directory_offline() {
    let disk = SimulatedDisk::default();
    let ours = directory(&disk);
    drop(ours.open_log(identity(0), LogConfig::default(), NOW).unwrap());
    disk.replace(Path::new("/data/t-0/partition.metadata"), &[b' '; 5000]).unwrap();
    assert!(matches!(ours.open_log(identity(0), LogConfig::default(), NOW), Err(Error::Unusable { .. })));
    assert!(!ours.is_offline(), "the disk has done nothing wrong");
    assert!(ours.open_log(identity(1), LogConfig::default(), NOW).is_ok());
}
