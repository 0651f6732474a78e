//! Recovery over a directory that was changed while no broker had it: bytes flipped, files cut, lengthened,
//! emptied, removed. The log opens or says why not; and what it serves afterwards are whole batches in order, none of
//! which was not there before.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::NOW;
use crate::io::disk::{Disk, Open};
use crate::io::simulated_disk::{Crash, SimulatedDisk};
use crate::model::{LeaderEpoch, Offset, PartitionIndex, Uuid};
use crate::record::batches::Batches;
use crate::record::builder::{Builder, Options, Record};
use crate::record::control::EndTxnMarker;
use crate::storage::log::{Admission, Checkpointed, Identity, Log, LogConfig, Origin};

/// Where the checksum's own field ends.
const GUARDED_FROM: usize = 21;
const DIRECTORY: &str = "/data/t-0";
/// So many batches in segments of three or four.
const BATCHES: i64 = 12;

fn identity() -> Identity {
    Identity { topic: "t".into(), partition: PartitionIndex(0), topic_id: Uuid::ONE }
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 600, index_interval_bytes: 100, ..LogConfig::default() }
}

/// The batches by their offsets: what their checksums cover. Nothing guards the offset, the length and the leader epoch in
/// front of it, in Kafka's format.
type Stored = BTreeMap<i64, Vec<u8>>;

fn stored(log: &Log) -> Option<Stored> {
    let mut all = Stored::new();
    let (mut from, end) = (log.log_start_offset(), log.log_end_offset());
    while from < end {
        let slice = log.read(from, end, u64::MAX, true).ok()??;
        let mut bytes = vec![0; slice.length as usize];
        let read = slice.file.read_at(&mut bytes, slice.position.0).ok()?;
        let before = from;
        for batch in Batches::new(&bytes[..read]).map_while(Result::ok) {
            assert!(batch.is_intact(), "damage at {}", batch.header.base_offset);
            let is_new = all.insert(batch.header.base_offset, batch.bytes[GUARDED_FROM..].to_vec()).is_none();
            assert!(is_new && batch.header.base_offset >= from.0, "offsets grow");
            from = batch.header.last_offset().next();
        }
        assert!(from > before, "the log offers something and shows nothing");
    }
    Some(all)
}

/// A log of several segments with an idempotent producer's batches among others, and with transactions, one of which stays
/// open; closed or torn from its process.
fn fill(disk: &SimulatedDisk, closed: bool) -> Stored {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let log =
        Log::open(shared, DIRECTORY.into(), config(), identity(), Checkpointed::default(), NOW).expect("it is new");
    for number in 0..BATCHES {
        let (mut options, mut admission) = (Options::default(), Admission::None);
        if number % 2 == 0 {
            (options.producer_id, options.producer_epoch, options.base_sequence) = (7, 0, number as i32 / 2);
        } else if number % 4 == 1 {
            (options.producer_id, options.producer_epoch, options.base_sequence) = (8, 0, number as i32 / 4);
            (options.is_transactional, admission) = (true, Admission::Verified);
        }
        let mut builder = Builder::new(options);
        builder.append(&Record { timestamp: NOW, value: Some(&[number as u8; 50]), ..Record::default() });
        log.append(&builder.build(), Origin::Client(admission), LeaderEpoch(number as i32 / 5), NOW)
            .expect("there is room");
        // The last one stays open.
        if number % 4 == 2 && number < 10 {
            let marker = EndTxnMarker { commit: number == 2, coordinator_epoch: 0 };
            log.append_marker((8, 0), marker, 0, LeaderEpoch(number as i32 / 5), NOW).expect("there is room");
        }
        log.write_pending().expect("there is room");
    }
    let before = stored(&log).expect("it can be read");
    if closed {
        log.close(NOW).expect("the disk works");
    }
    drop(log);
    disk.crash(Crash::Process);
    before
}

fn files(disk: &SimulatedDisk) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = disk
        .list(Path::new(DIRECTORY))
        .expect("it is there")
        .into_iter()
        .map(|entry| Path::new(DIRECTORY).join(entry.name))
        .collect();
    files.sort();
    files
}

/// Six bytes for each change: the file, what is done, where, and with what. Whether it was one that only flips bytes of
/// indexes and the like is not asked: nothing of that may show.
fn change(disk: &SimulatedDisk, changes: &[u8]) {
    for change in changes.chunks_exact(6).take(16) {
        let [file, how, high, low, value, count] = change else { return };
        let files = files(disk);
        let Some(path) = files.get(usize::from(*file) % files.len().max(1)) else { return };
        let Ok(opened) = disk.open(path, Open::ReadWrite) else { continue };
        let size = opened.size().expect("the disk works");
        let at = u64::from(u16::from_be_bytes([*high, *low])) % (size + 1);
        let filled = vec![*value; usize::from(*count)];
        let done = match how % 5 {
            0 => opened.write_at(&[IoSlice::new(&filled[..filled.len().min((size - at) as usize)])], at),
            1 => opened.set_size(at),
            2 => opened.write_at(&[IoSlice::new(&filled)], size),
            3 => disk.remove_file(path),
            _ => opened.set_size(size + u64::from(*count)),
        };
        done.expect("the disk works");
    }
}

pub fn recovery(data: &[u8]) {
    let [how, changes @ ..] = data else { return };
    let disk = SimulatedDisk::default();
    disk.create_directories(Path::new("/data")).expect("the disk works");
    let before = fill(&disk, how & 1 != 0);
    change(&disk, changes);
    // What is known of the log is lost, too: all of it is read again.
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let opened = Log::open(shared, DIRECTORY.into(), config(), identity(), Checkpointed::default(), NOW);
    let Ok(log) = opened else { return };
    let Some(after) = stored(&log) else { return };
    let known: BTreeSet<&Vec<u8>> = before.values().collect();
    assert!(after.values().all(|batch| known.contains(batch)), "there is something new");
    assert!(log.log_end_offset() >= Offset(after.last_key_value().map_or(0, |(offset, _)| *offset)));
    let mut builder = Builder::new(Options::default());
    builder.append(&Record { timestamp: NOW, value: Some(b"more"), ..Record::default() });
    let end = log.log_end_offset();
    if log.append(&builder.build(), Origin::Client(Admission::None), LeaderEpoch(9), NOW).is_ok()
        && log.write_pending().is_ok()
    {
        assert_eq!(log.log_end_offset(), end.next(), "it goes on where it ended");
        end_transaction(&log);
    }
}

/// The producer's last transaction ends, if the log knows of it: nothing of it stays open.
fn end_transaction(log: &Log) {
    let marker = EndTxnMarker { commit: false, coordinator_epoch: 0 };
    if log.append_marker((8, 0), marker, 0, LeaderEpoch(9), NOW).is_ok() && log.write_pending().is_ok() {
        log.advance_high_watermark(log.log_end_offset());
        assert_eq!(log.last_stable_offset(), log.log_end_offset(), "a transaction is open that has ended");
    }
}
