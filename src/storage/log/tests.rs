//! Logs against a plain model, and against crashes.

use crate::io::disk::{Disk, Open};
use crate::io::real_disk::RealDisk;
use crate::io::simulated_disk::{Crash, SimulatedDisk};
use crate::model::{LeaderEpoch, Offset, TimestampMs};
use crate::record::header::{HEADER_SIZE, Header, LOG_OVERHEAD};
use crate::storage::log::{Admission, Checkpointed, Log, LogConfig, Origin, ReadError};
use crate::storage::testing::*;
use crate::storage::{AppendError, names, recent};
use proptest::prelude::*;
use std::io::IoSlice;
use std::sync::Arc;

fn simulated() -> (SimulatedDisk, Arc<dyn Disk>) {
    let disk = SimulatedDisk::default();
    (disk.clone(), Arc::new(disk))
}

fn small() -> LogConfig {
    LogConfig { segment_bytes: 700, index_interval_bytes: 100, ..LogConfig::default() }
}

fn flush(log: &Log) {
    let flush = log.flush().unwrap();
    flush.run().unwrap();
    log.flushed(&flush, NOW);
}

#[test]
fn nothing_is_visible_before_it_is_written() {
    let (_, disk) = simulated();
    let log = open(&disk, &small(), at(0, 0, false));
    let appended = log.append(&batch(&[1, 2, 3], 10, None), Origin::Client(Admission::None), EPOCH, NOW).unwrap();
    assert_eq!((appended.base_offset, appended.last_offset, appended.duplicate), (Offset(0), Offset(2), false));
    assert_eq!(log.log_end_offset(), Offset(0));
    assert!(log.read(Offset(0), Offset(9), 100, true).unwrap().is_none());
    assert!(log.write_pending().unwrap().is_some());
    assert_eq!(log.log_end_offset(), Offset(3));
    assert!(log.write_pending().unwrap().is_none());
    let slice = log.read(Offset(1), Offset(9), 1, true).unwrap().unwrap();
    assert_eq!(slice.base_offset, Offset(0));
    assert_eq!(headers(&bytes(&slice)).len(), 1);
    assert_eq!(log.read(Offset(1), Offset(9), 1, false).unwrap().unwrap().length, 0);
    assert!(matches!(log.read(Offset(4), Offset(9), 1, true), Err(ReadError::OutOfRange(_))));
    assert_eq!(log.latest_epoch(), Some(EPOCH));
}

#[test]
fn a_large_batch_is_written_at_once_with_those_before_it() {
    let (_, disk) = simulated();
    let log = open(&disk, &LogConfig { copy_max_bytes: 200, ..small() }, at(0, 0, false));
    let append = |value_bytes| {
        log.append(&batch(&[1], value_bytes, None), Origin::Client(Admission::None), EPOCH, NOW).unwrap();
        log.log_end_offset().0
    };
    assert_eq!([append(10), append(300), append(10)], [0, 2, 2]);
    assert_eq!(
        log.write_pending().unwrap().map(|written| (log.log_end_offset(), written.rolled)),
        Some((Offset(3), false))
    );
    assert!(log.write_pending().unwrap().is_none());
    // This one needs a new segment; that one was sealed is told though nothing is pending.
    assert_eq!((append(300), log.segment_count()), (4, 2));
    assert!(log.write_pending().unwrap().is_some_and(|written| written.rolled));
    assert!(log.write_pending().unwrap().is_none());
    let found = read_all(&log);
    assert_eq!(found.iter().map(|header| header.base_offset).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(found.iter().all(|header| header.leader_epoch() == EPOCH));
}

#[test]
fn segments_roll_by_size_age_index_and_offset() {
    let (_, disk) = simulated();
    let rolled = |config: LogConfig, second: &[i64]| {
        disk.remove_directory_tree(&directory()).unwrap_or_default();
        let log = open(&disk, &config, at(0, 0, false));
        put(&log, &batch(&[1000], 300, None));
        put(&log, &batch(second, 300, None));
        log.segment_count()
    };
    assert_eq!(rolled(small(), &[1001]), 2);
    let large = LogConfig { index_interval_bytes: 100, ..LogConfig::default() };
    assert_eq!(rolled(large.clone(), &[1001]), 1);
    assert_eq!(rolled(LogConfig { segment_ms: 10, ..large.clone() }, &[1010]), 1);
    assert_eq!(rolled(LogConfig { segment_ms: 10, ..large.clone() }, &[1011]), 2);
    let log = open(&disk, &LogConfig { segment_index_bytes: 30, ..large }, at(0, 0, false));
    for _ in 0..4 {
        put(&log, &batch(&[2000], 300, None));
    }
    assert!(log.segment_count() > 1);
}

#[test]
fn a_segment_is_reserved_as_a_whole_where_the_topic_asks_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::default());
    for (preallocate, least_bytes) in [(true, 1 << 20), (false, 0)] {
        let config = LogConfig { segment_bytes: 1 << 20, preallocate, ..LogConfig::default() };
        let path = directory.path().join(format!("t-{}", u8::from(preallocate)));
        let log = Log::open(disk.clone(), path.clone(), config, identity(), at(0, 0, false), NOW).unwrap();
        put(&log, &batch(&[NOW.0], 10, None));
        let reserved = || {
            let file = std::fs::metadata(path.join("00000000000000000000.log")).unwrap();
            (std::os::unix::fs::MetadataExt::blocks(&file) * 512, file.len())
        };
        assert!(reserved().0 >= least_bytes && reserved().1 < 200, "{:?}", reserved());
        log.close(NOW).unwrap();
        assert!(reserved().0 < 1 << 16, "what is left over is given back");
    }
}

#[test]
fn what_cannot_be_appended_is_refused() {
    let (_, disk) = simulated();
    let log = open(&disk, &small(), at(0, 0, false));
    let good = batch(&[1], 10, None);
    let refused = |bytes: &[u8]| log.append(bytes, Origin::Client(Admission::None), EPOCH, NOW).unwrap_err();
    assert!(matches!(refused(&[]), AppendError::NotBatches(_)));
    assert!(matches!(refused(&good[..good.len() - 1]), AppendError::NotBatches(_)));
    assert!(matches!(refused(&batch(&[1], 700, None)), AppendError::LargerThanSegment { .. }));
    let two = [batch(&[1], 1, Some((1, 0, 0))), batch(&[1], 1, Some((1, 0, 1)))].concat();
    assert!(matches!(refused(&two), AppendError::InvalidRecord(_)));
    assert!(log.write_pending().unwrap().is_none());
    let two = [good.clone(), good].concat();
    assert_eq!(log.append(&two, Origin::Client(Admission::None), EPOCH, NOW).unwrap().last_offset, Offset(1));
}

#[test]
fn repetitions_get_their_first_answer_also_after_a_restart() {
    let (_, disk) = simulated();
    let log = open(&disk, &small(), at(0, 0, false));
    for n in 0..9 {
        put(&log, &batch(&[NOW.0], 200, Some((9, 0, n))));
    }
    assert!(log.segment_count() > 2);
    let mut log = log;
    for checkpointed in [at(0, 9, false), at(0, 4, false), at(0, 0, false), at(0, 9, true), at(0, 9, true)] {
        let again =
            log.append(&batch(&[NOW.0], 200, Some((9, 0, 8))), Origin::Client(Admission::None), EPOCH, NOW).unwrap();
        assert_eq!((again.base_offset, again.duplicate), (Offset(8), true));
        if checkpointed.clean {
            log.close(NOW).unwrap();
        }
        log = open(&disk, &small(), checkpointed);
    }
    let later = TimestampMs(NOW.0 + small().producer_id_expiration_ms);
    log.expire_producers(later).unwrap();
    let again =
        log.append(&batch(&[NOW.0], 200, Some((9, 0, 8))), Origin::Client(Admission::None), EPOCH, NOW).unwrap();
    assert_eq!((again.base_offset, again.duplicate), (Offset(9), false));
}

#[test]
fn a_failing_disk_takes_the_log_offline_and_nothing_was_promised() {
    let (control, disk) = simulated();
    let log = open(&disk, &small(), at(0, 0, false));
    put(&log, &batch(&[1], 10, None));
    log.append(&batch(&[1], 10, None), Origin::Client(Admission::None), EPOCH, NOW).unwrap();
    control.fail_writes(true);
    assert!(log.write_pending().is_err());
    control.fail_writes(false);
    assert!(log.is_offline() && log.health().is_offline());
    assert!(matches!(
        log.append(&batch(&[1], 1, None), Origin::Client(Admission::None), EPOCH, NOW),
        Err(AppendError::Storage(_))
    ));
    assert_eq!(read_all(&log).len(), 1);
    drop(log);
    let log = open(&disk, &small(), at(0, 0, false));
    assert_eq!(log.log_end_offset(), Offset(1));
    put(&log, &batch(&[1], 10, None));
    assert_eq!(read_all(&log).len(), 2);
}

#[test]
fn the_start_moves_and_whole_segments_go() {
    let (_, disk) = simulated();
    let log = open(&disk, &small(), at(0, 0, false));
    for n in 0..10 {
        log.append(&batch(&[n], 200, None), Origin::Client(Admission::None), LeaderEpoch(n as i32 / 4), NOW).unwrap();
        log.write_pending().unwrap();
    }
    let before = log.read(Offset(0), Offset(10), 1 << 20, true).unwrap().unwrap();
    let segments = log.segment_count();
    log.delete_records_before(Offset(5)).unwrap();
    assert_eq!((log.log_start_offset(), log.segment_count()), (Offset(5), segments));
    log.unlink_below_start().unwrap();
    assert!(log.segment_count() < segments);
    assert!(!headers(&bytes(&before)).is_empty(), "a reader still can");
    assert!(matches!(log.read(Offset(4), Offset(10), 1, true), Err(ReadError::OutOfRange(_))));
    assert_eq!(log.earliest_epoch(), Some(LeaderEpoch(1)));
    assert_eq!(log.end_offset_for_epoch(LeaderEpoch(1)), Some((LeaderEpoch(1), Offset(8))));
    let left = read_all(&log);
    assert_eq!(left.last().unwrap().base_offset, 9);
    assert!(left[0].base_offset <= 5);
    log.delete_records_before(Offset(3)).unwrap();
    assert_eq!(log.log_start_offset(), Offset(5), "the start never goes back");
    drop(log);
    let log = open(&disk, &small(), at(5, 0, false));
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(5), Offset(10)));
    let log = open(&disk, &small(), at(50, 0, false));
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset(50), Offset(50)));
}

#[test]
fn a_deleted_log_disappears_and_its_removal_cleans_up() {
    let (_, disk) = simulated();
    let log = open(&disk, &small(), at(0, 0, false));
    put(&log, &batch(&[1], 10, None));
    let removal = log.delete([1; 16]).unwrap();
    assert!(log.is_offline());
    let names = |disk: &Arc<dyn Disk>| disk.list(&directory().join("..").parent().unwrap().with_file_name("")).unwrap();
    let listed = names(&disk);
    assert_eq!(listed.len(), 1);
    assert_eq!(names::parse_directory(&listed[0].name), names::DirectoryName::Deleted);
    removal.run().unwrap();
    assert!(names(&disk).is_empty());
}

#[test]
fn another_topics_directory_is_refused() {
    let (_, disk) = simulated();
    open(&disk, &small(), at(0, 0, false));
    let mut other = identity();
    other.topic_id = crate::model::Uuid([8; 16]);
    let opened = Log::open(disk.clone(), directory(), small(), other, at(0, 0, false), NOW);
    assert!(matches!(opened, Err(crate::storage::Error::NotOurs { .. })));
}

#[test]
fn interrupted_swaps_are_finished() {
    let (_, disk) = simulated();
    let log = open(&disk, &small(), at(0, 0, false));
    for n in 0..6 {
        put(&log, &batch(&[n], 200, None));
    }
    let end = log.close(NOW).unwrap();
    let path = |base: i64, suffix: &str| directory().join(format!("{base:020}{suffix}"));
    let content = disk.read_small(&path(0, ".log"), 1 << 20).unwrap();
    // The replacement of the first segment, complete; the output of another compaction, not complete.
    let write = |path: std::path::PathBuf| {
        disk.open(&path, Open::Create).unwrap().write_at(&[IoSlice::new(&content)], 0).unwrap();
    };
    write(path(0, ".log.swap"));
    write(path(4, ".log.swap"));
    write(path(4, ".log.cleaned"));
    write(path(2, ".log.deleted"));
    let log = open(&disk, &small(), Checkpointed { log_start_offset: Offset(0), recovery_point: end, clean: true });
    assert_eq!(read_all(&log).len(), 6);
    let left = disk.list(&directory()).unwrap();
    assert!(left.iter().all(|e| names::parse_transient(&e.name).is_none()), "{left:?}");
}

#[test]
fn readers_see_a_prefix_while_a_writer_appends() {
    let (_, disk) = simulated();
    let log = open(&disk, &LogConfig { segment_bytes: 20_000, ..small() }, at(0, 0, false));
    const BATCHES: i64 = 2000;
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let log = &log;
            scope.spawn(move || {
                for n in 0..BATCHES / 2 {
                    put(log, &batch(&[n], 20 + (n % 50) as usize, Some((writer, 0, n as i32))));
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                let mut next = Offset(0);
                while next < Offset(BATCHES) {
                    let up_to = log.log_end_offset();
                    if let Some(slice) = log.read(next, up_to, 3000, true).unwrap() {
                        for header in headers(&bytes(&slice)) {
                            assert_eq!(header.base_offset, next.0);
                            assert!(header.last_offset() < up_to);
                            next = header.last_offset().next();
                        }
                    }
                }
            });
        }
    });
    assert_eq!(read_all(&log).len() as i64, BATCHES);
}

/// What may happen to a log.
#[derive(Clone, Debug)]
enum Step {
    Append { records: usize, value_bytes: usize, timestamp: i64 },
    Write,
    Flush,
    DeleteBefore(prop::sample::Index),
    Read { from: prop::sample::Index, up_to: prop::sample::Index, max_bytes: u64, at_least_one: bool },
    Close,
    Crash(Crash),
}

fn step() -> impl Strategy<Value = Step> {
    let append = (1usize..4, 0usize..250, 0i64..1000);
    let append = append.prop_map(|(records, value_bytes, timestamp)| Step::Append { records, value_bytes, timestamp });
    let read = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0u64..2000, any::<bool>());
    let read =
        read.prop_map(|(from, up_to, max_bytes, at_least_one)| Step::Read { from, up_to, max_bytes, at_least_one });
    let crash =
        prop_oneof![Just(Crash::Process), Just(Crash::Power), any::<u64>().prop_map(|seed| Crash::Torn { seed })];
    prop_oneof![
        10 => append,
        5 => Just(Step::Write),
        1 => Just(Step::Flush),
        1 => any::<prop::sample::Index>().prop_map(Step::DeleteBefore),
        4 => read,
        1 => Just(Step::Close),
        1 => crash.prop_map(Step::Crash),
    ]
}

/// The plain model: all batches that were ever published and not lost, and how far they are safe.
#[derive(Default)]
struct Model {
    published: Vec<Header>,
    pending: Vec<Header>,
    start: i64,
    /// Where the log ended when it was opened.
    opened_end: i64,
    /// Safe from a loss of power.
    flushed: i64,
    checkpointed_start: i64,
    next_sequence: i32,
}

impl Model {
    fn end(&self) -> i64 {
        self.published.last().map_or(self.start, |h| h.last_offset().0 + 1).max(self.opened_end)
    }

    fn boundary(&self, index: prop::sample::Index) -> Offset {
        let ends: Vec<_> =
            std::iter::once(self.start).chain(self.published.iter().map(|h| h.last_offset().0 + 1)).collect();
        Offset(*index.get(&ends))
    }

    fn visible(&self) -> Vec<Header> {
        self.published.iter().filter(|h| h.last_offset().0 >= self.start).copied().collect()
    }
}

fn same(found: &[Header], expected: &[Header]) -> bool {
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(a, b)| (a.base_offset, a.crc) == (b.base_offset, b.crc))
}

fn check_read(log: &Log, model: &Model, from: Offset, up_to: Offset, max_bytes: u64, at_least_one: bool) {
    let slice = log.read(from, up_to, max_bytes, at_least_one).expect("within the log");
    let expected: Vec<_> =
        model.visible().into_iter().filter(|h| h.last_offset() >= from && h.base_offset < up_to.0).collect();
    let Some(slice) = slice else {
        assert!(expected.is_empty() || from >= up_to);
        return;
    };
    let first = expected.first().expect("something to read");
    assert_eq!(slice.base_offset.0, first.base_offset);
    assert!(slice.length <= max_bytes.max(if at_least_one { first.size_bytes() as u64 } else { 0 }));
    assert!(slice.length >= first.size_bytes() as u64 || !at_least_one);
    let found = headers(&bytes(&slice));
    assert!(same(&found, &expected[..found.len()]));
    // What was left out did not fit, or is in another segment.
    let whole: u64 = expected.iter().map(|h| h.size_bytes() as u64).sum();
    let is_full = slice.length == whole.min(slice.length.max(max_bytes));
    assert!(slice.length <= whole && (is_full || slice.is_followed || slice.length == 0));
}

fn check_reopened(log: &Log, model: &mut Model, crash: Option<Crash>) {
    let found = read_all(log);
    // Segments below the start may be there still or not; from the start on, what is left is a prefix.
    let before: Vec<_> =
        model.published.iter().filter(|h| h.last_offset().0 >= log.log_start_offset().0).copied().collect();
    let kept = log.log_end_offset().0;
    let is_left = |h: &Header| found.iter().any(|f| (f.base_offset, f.crc) == (h.base_offset, h.crc));
    // The disk may have got a later segment and not the one before, as far as nothing promised either.
    let left: Vec<_> =
        before.iter().filter(|h| matches!(crash, Some(Crash::Torn { .. })) && is_left(h)).copied().collect();
    assert!(same(&found, &before[..found.len()]) || same(&found, &left), "what is left is no prefix");
    match crash {
        Some(Crash::Power | Crash::Torn { .. }) => {
            let is_promised = |h: &&Header| h.last_offset().0 < model.flushed;
            assert!(before.iter().filter(is_promised).all(is_left) && kept >= model.flushed);
            assert!(
                log.loss().is_none_or(|loss| loss.durable_to.is_none()),
                "nothing durable is gone: {:?}",
                log.loss()
            );
        }
        _ => assert_eq!((found.len(), log.loss()), (before.len(), None)),
    }
    model.start = log.log_start_offset().0;
    model.opened_end = kept;
    model.published.retain(|h| h.last_offset().0 < model.start || is_left(h));
    model.pending.clear();
}

/// `copy_max_bytes`: larger batches are written at once.
fn run(steps: Vec<Step>, copy_max_bytes: usize) {
    let (control, disk) = simulated();
    disk.create_directories(&directory()).unwrap();
    disk.sync_directory(std::path::Path::new("/")).unwrap();
    let config = LogConfig { copy_max_bytes, ..small() };
    let mut log = open(&disk, &config, at(0, 0, false));
    let mut model = Model::default();
    let mut kept = recent::Kept::new(1000);
    for step in steps {
        match step {
            Step::Append { records, value_bytes, timestamp } => {
                let timestamps: Vec<_> = (0..records as i64).map(|n| timestamp + n).collect();
                let sequence = Some((3, 0, model.next_sequence));
                let bytes = batch(&timestamps, value_bytes / records, sequence);
                let appended = match log.append(&bytes, Origin::Client(Admission::None), EPOCH, NOW) {
                    Ok(appended) => appended,
                    // After a crash that lost records the producer goes on where the log ends.
                    Err(AppendError::OutOfOrderSequence(_)) => {
                        let last = model.published.last().map_or(-1, |h| h.last_sequence());
                        model.next_sequence = last + 1;
                        continue;
                    }
                    Err(error) => panic!("{error}"),
                };
                model.next_sequence += records as i32;
                let mut header = Header::parse(&bytes).unwrap();
                header.base_offset = appended.base_offset.0;
                assert_eq!(appended.base_offset.0, model.pending.last().map_or(model.end(), |h| h.last_offset().0 + 1));
                model.pending.push(header);
                let end = log.log_end_offset().0;
                // A roll writes what was pending, and so does a large batch, with itself.
                let written = model.pending.iter().filter(|h| h.last_offset().0 < end).count();
                model.published.extend(model.pending.drain(..written));
            }
            Step::Write => {
                let written = log.write_and_keep(true).unwrap();
                written.and_then(|written| written.recent).into_iter().for_each(|recent| kept.keep(recent));
                model.published.append(&mut model.pending);
                assert_eq!(log.log_end_offset().0, model.end());
            }
            Step::Flush => {
                flush(&log);
                model.flushed = log.recovery_point().0;
                assert_eq!(model.flushed, model.end());
                model.checkpointed_start = model.start;
            }
            Step::DeleteBefore(index) => {
                let offset = model.boundary(index);
                log.delete_records_before(offset).unwrap();
                if index.index(2) == 1 {
                    log.unlink_below_start().unwrap();
                    model.flushed = log.recovery_point().0;
                }
                model.start = model.start.max(offset.0);
                assert_eq!(log.log_start_offset().0, model.start);
            }
            Step::Read { from, up_to, max_bytes, at_least_one } => {
                let (from, up_to) = (model.boundary(from), model.boundary(up_to));
                let from = from.max(Offset(model.start));
                check_read(&log, &model, from, up_to, max_bytes, at_least_one);
            }
            Step::Close => {
                let end = log.close(NOW).unwrap();
                model.published.append(&mut model.pending);
                assert_eq!(end.0, model.end());
                model.flushed = end.0;
                log = open(&disk, &config, at(model.start, end.0, true));
                assert_eq!(log.log_end_offset(), end);
                check_reopened(&log, &mut model, None);
            }
            Step::Crash(how) => {
                drop(log);
                control.crash(how);
                let start = if how == Crash::Process { model.start } else { model.checkpointed_start };
                let recovery_point = model.flushed;
                log = open(&disk, &config, at(start, recovery_point, false));
                check_reopened(&log, &mut model, Some(how));
                model.flushed = model.flushed.min(model.end());
            }
        }
    }
    assert!(same(&read_all(&log), &model.visible()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_log_is_a_vector_that_survives(
        steps in proptest::collection::vec(step(), 1..80),
        copy_max_bytes in prop::sample::select(vec![0, 150, usize::MAX]),
    ) {
        run(steps, copy_max_bytes);
    }

    /// Whatever happens to the files, opening ends with a readable prefix or a refusal, never with a panic.
    #[test]
    fn any_damage_is_survived(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
        clean: bool,
        recovery_point in 0i64..12,
    ) {
        let (_, disk) = simulated();
        let log = open(&disk, &small(), at(0, 0, false));
        for n in 0..10 {
            put(&log, &batch(&[n * 10], 150, Some((4, 0, n as i32))));
        }
        log.close(NOW).unwrap();
        let mut files = disk.list(&directory()).unwrap();
        files.retain(|file| disk.size_bytes(&directory().join(&file.name)).unwrap() > 0 && file.name != names::PARTITION_METADATA);
        let mut all_sound = true;
        for (file, at, value) in damage {
            let chosen = file.get(&files);
            let chosen_bytes = disk.size_bytes(&directory().join(&chosen.name)).unwrap() as usize;
            let file = disk.open(&directory().join(&chosen.name), Open::ReadWrite).unwrap();
            file.write_at(&[IoSlice::new(&[value])], at.index(chosen_bytes) as u64).unwrap();
            all_sound &= !chosen.name.ends_with(".log");
        }
        if let Some((file, at)) = cut {
            let chosen = file.get(&files);
            let chosen_bytes = disk.size_bytes(&directory().join(&chosen.name)).unwrap() as usize;
            let file = disk.open(&directory().join(&chosen.name), Open::ReadWrite).unwrap();
            file.set_size(at.index(chosen_bytes) as u64).unwrap();
            all_sound &= !chosen.name.ends_with(".log");
        }
        let checkpointed = at(0, recovery_point, clean);
        let Ok(log) = Log::open(disk.clone(), directory(), small(), identity(), checkpointed, NOW) else { return Ok(()) };
        for offset in 0..log.log_end_offset().0.min(20) {
            let _ = log.read(Offset(offset), log.log_end_offset(), 100, true);
        }
        if all_sound {
            let found = read_all(&log);
            prop_assert_eq!(found.len(), 10, "damage beside the log files loses nothing");
        }
        let _ = log.append(&batch(&[1], 10, None), Origin::Client(Admission::None), EPOCH, NOW);
        let _ = log.write_pending();
        let _ = log.close(NOW);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// Searching by time is looking through all records from the start on.
    #[test]
    fn times_are_found_as_by_looking_through_all(
        times in proptest::collection::vec(proptest::collection::vec(-1i64..60, 1..5), 1..25),
        start in 0i64..20,
        wanted in 0i64..62,
        reopen: Option<bool>,
    ) {
        let (_, disk) = simulated();
        let mut log = open(&disk, &small(), at(0, 0, false));
        let mut records = Vec::new();
        for batch_times in &times {
            put(&log, &batch(batch_times, 30, None));
            records.extend(batch_times.iter().copied());
        }
        let start = start.min(records.len() as i64);
        log.delete_records_before(Offset(start)).unwrap();
        if let Some(clean) = reopen {
            let end = log.log_end_offset().0;
            if clean {
                log.close(NOW).unwrap();
            }
            log = open(&disk, &small(), at(start, if clean { end } else { start }, clean));
        }
        let expected = (start as usize..records.len()).find(|o| records[*o] >= wanted).map(|o| (records[o], o as i64));
        let found = log.offset_for_timestamp(TimestampMs(wanted)).unwrap();
        prop_assert_eq!(found.map(|f| (f.timestamp.0, f.offset.0)), expected);
        // The largest timestamp may lie in a segment's part below the start, as in Kafka.
        let largest = log.max_timestamp().unwrap();
        if start == 0 {
            let max = records.iter().copied().max().filter(|max| *max >= 0);
            let first = records.iter().position(|time| Some(*time) == max).map(|at| at as i64);
            prop_assert_eq!(largest.map(|f| (f.timestamp.0, f.offset.0)), max.zip(first));
        }
    }
}

/// The log takes such batches: what is in them is between the producer and its consumers.
#[test]
fn a_batch_that_cannot_be_read_is_found_by_its_header() {
    const GZIP: i16 = 1;
    let (_, disk) = simulated();
    let log = open(&disk, &LogConfig::default(), at(0, 0, false));
    put(&log, &batch(&[10], 5, None));
    let sound = batch(&[20, 30], 5, None);
    let (header, inside) = (Header::parse(&sound).unwrap(), b"this is not what gzip makes");
    let batch_length = (HEADER_SIZE - LOG_OVERHEAD + inside.len()) as i32;
    put(&log, &seal(Header { attributes: GZIP, batch_length, ..header }, inside));
    put(&log, &batch(&[25], 5, None));
    let found = |time| log.offset_for_timestamp(TimestampMs(time)).unwrap().map(|found| found.offset.0);
    assert_eq!([5, 15, 25, 31].map(found), [Some(0), Some(1), Some(1), None]);
    assert_eq!(log.max_timestamp().unwrap().map(|found| (found.timestamp.0, found.offset.0)), Some((30, 1)));
    log.delete_records_before(Offset(2)).unwrap();
    assert_eq!(found(15), Some(2), "not below the start of the log");
}

/// A wall clock that was ahead once.
#[test]
fn the_time_of_a_flush_goes_back_with_the_clock() {
    let (_, disk) = simulated();
    let log = open(&disk, &LogConfig { flush_ms: 1000, ..LogConfig::default() }, at(0, 0, false));
    for (now, then) in [(NOW.0 + 1_000_000, NOW.0), (NOW.0, NOW.0 + 2000)] {
        put(&log, &batch(&[1], 5, None));
        let flush = log.flush().unwrap();
        flush.run().unwrap();
        log.flushed(&flush, TimestampMs(now));
        put(&log, &batch(&[1], 5, None));
        assert_eq!(log.wants_sync(TimestampMs(then)), then > now);
    }
}

/// Found by the model: a cut exactly at the recovery point was undone by the next loss of power.
#[test]
fn what_recovery_has_cut_stays_cut() {
    let (control, disk) = simulated();
    disk.create_directories(&directory()).unwrap();
    disk.sync_directory(std::path::Path::new("/data")).unwrap();
    disk.sync_directory(std::path::Path::new("/")).unwrap();
    let log = open(&disk, &small(), at(0, 0, false));
    put(&log, &batch(&[1], 300, None));
    flush(&log);
    drop(log);
    let torn = disk.open(&names::file(&directory(), Offset(0), names::Kind::Log), Open::ReadWrite).unwrap();
    torn.write_at(&[IoSlice::new(&[7; 90])], torn.size().unwrap()).unwrap();
    torn.sync_data().unwrap();
    let log = open(&disk, &small(), at(0, 1, false));
    put(&log, &batch(&[1], 400, None));
    assert_eq!(log.segment_count(), 2);
    flush(&log);
    drop(log);
    control.crash(Crash::Power);
    let log = open(&disk, &small(), at(0, 2, false));
    assert_eq!(read_all(&log).len(), 2);
    let slice = log.read(Offset(0), Offset(2), 1 << 20, true).unwrap().unwrap();
    assert_eq!(slice.length, batch(&[1], 300, None).len() as u64);
}

#[test]
fn the_last_write_is_read_from_memory_while_a_shard_keeps_it() {
    let (_, disk) = simulated();
    let log = open(&disk, &LogConfig { copy_max_bytes: usize::MAX, ..LogConfig::default() }, at(0, 0, false));
    let is_in_memory = |from: i64| {
        let slice = log.read(Offset(from), log.log_end_offset(), 1 << 20, true).unwrap().unwrap();
        let read = headers(&bytes(&slice)).len();
        (read, slice.memory().is_some())
    };
    put(&log, &batch(&[1], 100, None));
    let write = |value_bytes| {
        for _ in 0..2 {
            log.append(&batch(&[1], value_bytes, None), Origin::Client(Admission::None), EPOCH, NOW).unwrap();
        }
        log.write_and_keep(true).unwrap().unwrap().recent
    };
    let second = write(100);
    assert_eq!([0, 1, 2].map(is_in_memory), [(3, false), (2, true), (1, true)]);
    // Not beyond what is committed, and cut where the reader asks for less.
    let slice = |up_to, max_bytes| log.read(Offset(1), Offset(up_to), max_bytes, true).unwrap().unwrap();
    let one = batch(&[1], 100, None).len();
    assert_eq!((slice(2, 1 << 20).memory().unwrap().len(), slice(3, 300).memory().unwrap().len()), (one, 300));
    let third = write(100);
    assert_eq!([1, 3].map(is_in_memory), [(4, false), (2, true)]);
    drop((second, third));
    assert_eq!(is_in_memory(3), (2, false));
    assert!(write(recent::MOST_BYTES).is_none(), "a large write is left to the page cache");
}

#[test]
fn a_log_lives_on_a_real_disk() {
    let home = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(crate::io::real_disk::RealDisk::default());
    let config = LogConfig { segment_bytes: 1 << 20, ..LogConfig::default() };
    let directory = home.path().join("t-0");
    let reopen = |checkpointed| {
        Log::open(disk.clone(), directory.clone(), config.clone(), identity(), checkpointed, NOW).unwrap()
    };
    let log = reopen(at(0, 0, false));
    for n in 0..300 {
        put(&log, &batch(&[n], 10_000, Some((1, 0, n as i32))));
    }
    assert!(log.segment_count() > 2);
    flush(&log);
    assert_eq!(log.recovery_point(), Offset(300));
    put(&log, &batch(&[300], 10_000, Some((1, 0, 300))));
    // What a killed process leaves: space reserved behind the end, no index of the active segment.
    let recovery_point = log.recovery_point().0;
    drop(log);
    let log = reopen(at(0, recovery_point, false));
    assert_eq!(read_all(&log).len(), 301);
    let end = log.close(NOW).unwrap();
    let log = reopen(at(0, end.0, true));
    assert_eq!(read_all(&log).len(), 301);
    log.delete([2; 16]).unwrap().run().unwrap();
    assert!(!directory.exists());
}
