//! What befalls a run: crashes and starts, and a machine that misbehaves in the ways of its seed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cluster::Cluster;
use super::history::Object;
use super::invariants::object;
use super::oracle::Key;
use super::plan::{Kind, Kinds, Plan};
use super::run::{Attempt, Planted, Run};
use crate::io::disk::Disk;
use crate::io::simulated::NetworkConditions;
use crate::io::simulated_disk::{Crash, Failures};
use crate::model::Instant;
use crate::replica::partition::Partition;
use crate::stdx::random::Random;

/// One step in so many, for the kinds that strike by the step.
const CRASH_ONE_IN: u64 = 2500;
const STOP_ONE_IN: u64 = 5000;
const CUT_ONE_IN: u64 = 150;
const FULL_ONE_IN: u64 = 3000;
const WALL_ONE_IN: u64 = 500;
const PAUSE_ONE_IN: u64 = 4000;
const STALL_ONE_IN: u64 = 500;
const WEATHER_ONE_IN: u64 = 300;
/// One operation in so many, for the disk's own failures.
const FAILURES: Failures = Failures {
    writes_one_in: 8000,
    syncs_one_in: 1500,
    reads_one_in: 8000,
    cold_one_in: 3,
    forgotten_syncs_one_in: 0,
    forgotten_writes_one_in: 0,
};
/// Of what no disk may do, where a test wants to see it found.
const PLANTED_ONE_IN: u64 = 20;
/// Operations of a start after which it is crashed.
const MAX_RECOVERY_OPERATIONS: u64 = 200;
/// Files that a start makes anew, or whose bits do not matter, when they are damaged.
const DERIVED: [&str; 3] = ["index", "timeindex", SNAPSHOT];
const SNAPSHOT: &str = "snapshot";

/// What a partition had when the broker ended.
struct Left {
    key: Key,
    object: Object,
    is_of_groups: bool,
    /// Every write was synced before anybody was told.
    is_synced: bool,
    has_lost_power: bool,
    may_lose: bool,
    recovery_point: i64,
    high_watermark: i64,
    end: i64,
}

/// See the module.
pub(super) struct Faults {
    kinds: Kinds,
    random: Random,
    seed: u64,
    planted: Option<Planted>,
    pub(super) counts: BTreeMap<Kind, u64>,
    /// How many processes there have been.
    pub(super) lives: u64,
    /// When the broker is started again.
    due: Option<Instant>,
    full_until: Option<Instant>,
    /// Who has no turn, and until when.
    stalled: Option<(u64, Instant)>,
    left: BTreeMap<Key, Left>,
    /// How far the wall clock was set back in all.
    wall_lag_ms: i64,
}

impl Faults {
    pub(super) fn new(plan: &Plan, attempt: &Attempt) -> Faults {
        let Attempt { seed, planted, .. } = *attempt;
        Faults {
            kinds: plan.kinds,
            random: Random::new(seed ^ 0x4641_554c),
            seed,
            planted,
            counts: BTreeMap::new(),
            lives: 0,
            due: None,
            full_until: None,
            stalled: None,
            left: BTreeMap::new(),
            wall_lag_ms: 0,
        }
    }

    /// From here on the machine misbehaves.
    pub(super) fn begin(&mut self, cluster: &Cluster) {
        let one_in = |kind, one_in| if self.kinds.has(kind) { one_in } else { 0 };
        let failures = Failures {
            writes_one_in: one_in(Kind::WriteErrors, FAILURES.writes_one_in),
            syncs_one_in: one_in(Kind::SyncErrors, FAILURES.syncs_one_in),
            reads_one_in: one_in(Kind::ReadErrors, FAILURES.reads_one_in),
            cold_one_in: one_in(Kind::ColdPages, FAILURES.cold_one_in),
            forgotten_syncs_one_in: if self.planted == Some(Planted::ForgottenSyncs) { PLANTED_ONE_IN } else { 0 },
            forgotten_writes_one_in: if self.planted == Some(Planted::ForgottenWrites) { PLANTED_ONE_IN } else { 0 },
        };
        cluster.disk.set_failures(failures, self.seed);
        self.change_weather(cluster);
    }

    fn change_weather(&mut self, cluster: &Cluster) {
        let mut conditions = NetworkConditions { whole_one_in: 1, ..NetworkConditions::default() };
        if self.kinds.has(Kind::SplitMessages) {
            conditions.whole_one_in = 1 + self.random.below(8);
        }
        if self.kinds.has(Kind::SlowNetwork) {
            conditions.max_delay = Duration::from_millis(1 + self.random.below(300));
        }
        if self.kinds.has(Kind::SlowDisk) {
            conditions.max_operation = Duration::from_millis(1 + self.random.below(500));
            conditions.late_operations = true;
        }
        cluster.world.set_conditions(conditions);
    }

    fn count(&mut self, kind: Kind) {
        *self.counts.entry(kind).or_default() += 1;
    }

    fn strikes(&mut self, kind: Kind, one_in: u64) -> bool {
        let strikes = self.kinds.has(kind) && self.random.chance(one_in);
        if strikes {
            self.count(kind);
        }
        strikes
    }

    pub(super) fn is_stalled(&self, who: u64, now: Instant) -> bool {
        self.stalled.is_some_and(|(stalled, until)| stalled == who && now < until)
    }
}

impl Run {
    /// What a step brings.
    pub(super) fn strike(&mut self) {
        let now = self.cluster.world.now();
        if self.cluster.is_lost() {
            self.note(|| "it has lost its directories and ends".into());
            self.end(Some(Crash::Process));
        }
        if self.faults.due.is_some_and(|due| due <= now) {
            self.start();
        }
        if self.cluster.is_running() {
            if self.faults.strikes(Kind::ProcessCrash, CRASH_ONE_IN) {
                self.end(Some(Crash::Process));
            } else if self.faults.strikes(Kind::PowerLoss, CRASH_ONE_IN) {
                let crash = self.power_loss();
                self.end(Some(crash));
            } else if self.faults.strikes(Kind::CleanRestart, STOP_ONE_IN) {
                self.end(None);
            }
        }
        self.strike_machine(now);
    }

    fn strike_machine(&mut self, now: Instant) {
        if self.clients() > 0 && self.faults.strikes(Kind::CutConnections, CUT_ONE_IN) {
            let client = self.faults.random.below(self.clients() as u64) as usize;
            self.wire(client).cut();
        }
        if self.faults.strikes(Kind::FullDisk, FULL_ONE_IN) {
            let room = self.faults.random.below(20_000);
            self.note(|| format!("{room} bytes are left on the disk"));
            self.cluster.disk.limit_space(Some(room));
            self.faults.full_until = Some(now + Duration::from_millis(self.faults.random.below(3000)));
        }
        if self.faults.full_until.is_some_and(|until| until <= now) {
            self.note(|| "there is room on the disk".into());
            self.cluster.disk.limit_space(None);
            self.faults.full_until = None;
        }
        if self.faults.strikes(Kind::WallJumps, WALL_ONE_IN) {
            let by = self.faults.random.below(1_200_000) as i64 - 600_000;
            // Mostly it drifts.
            let by = if self.faults.random.chance(10) { by } else { by / 100_000 };
            self.note(|| format!("the wall clock is set by {by} ms"));
            self.faults.wall_lag_ms -= by.min(0);
            self.cluster.world.skew_wall(by);
        }
        if self.faults.strikes(Kind::Pauses, PAUSE_ONE_IN) {
            let by = Duration::from_millis(self.faults.random.below(10_000));
            self.note(|| format!("everything pauses for {by:?}"));
            self.cluster.advance(by);
        }
        if self.faults.strikes(Kind::StalledThreads, STALL_ONE_IN) {
            let threads = 2 * self.plan.shards as u64 + 3;
            let until = now + Duration::from_millis(self.faults.random.below(2000));
            self.faults.stalled = Some((self.faults.random.below(threads), until));
        }
        let changes = [Kind::SlowNetwork, Kind::SlowDisk, Kind::SplitMessages];
        if changes.iter().any(|kind| self.faults.kinds.has(*kind)) && self.faults.random.chance(WEATHER_ONE_IN) {
            for kind in changes {
                if self.faults.kinds.has(kind) {
                    self.faults.count(kind);
                }
            }
            self.faults.change_weather(&self.cluster);
        }
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        self.history.now = self.cluster.world.now();
        self.history.note(|| Object::Broker, text);
    }

    /// What each partition has on the disk: bytes in memory and on the platter.
    fn note_files(&mut self, when: &str) {
        if !self.history.keeps {
            return;
        }
        for (path, files) in self.cluster.disk.listing() {
            let object = partition_in(Path::new(&path)).unwrap_or(Object::Broker);
            self.history.note(|| object, || format!("{when}, {path}: {files}"));
        }
    }

    fn power_loss(&mut self) -> Crash {
        let seed = self.faults.random.next_u64();
        if self.faults.random.chance(3) { Crash::Power } else { Crash::Torn { seed } }
    }

    /// The broker ends: as asked to, or by a crash.
    pub(super) fn end(&mut self, how: Option<Crash>) {
        self.note(|| how.map_or("it is stopped".into(), |crash| format!("it ends: {crash:?}")));
        let has_lost_power = how.is_some_and(|crash| crash != Crash::Process);
        // It may end before it has done anything else.
        self.judge_start();
        if has_lost_power {
            // Of those that it had not even opened: what was not synced while it recovered is lost with the rest.
            for left in self.faults.left.values_mut() {
                (left.has_lost_power, left.may_lose) = (true, left.may_lose || !left.is_synced);
            }
        }
        if let Some(view) = self.cluster.last_view() {
            view.partitions().for_each(|partition| self.remember(partition, has_lost_power));
        }
        self.drop_cleaner();
        if how.is_some() {
            self.note_files("when it ends");
        }
        match how {
            Some(crash) => self.cluster.crash(crash),
            None => self.cluster.stop(),
        }
        self.note_files("after its end");
        self.faults.lives += 1;
        self.invariants.forget();
        let wait = Duration::from_millis(self.faults.random.below(1500));
        self.faults.due = Some(self.cluster.world.now() + wait);
    }

    fn remember(&mut self, partition: &Partition, has_lost_power: bool) {
        let key: Key = key(partition);
        let is_synced = self.plan.is_synced
            || self.plan.topics.iter().any(|topic| topic.is_synced && *topic.name == *partition.topic);
        // One that was opened and failed before anybody looked may have lost what the end before this one took.
        let unjudged = self.faults.left.get(&key);
        let recovery_point = partition.log.recovery_point().0;
        let left = Left {
            key,
            object: object(partition),
            is_of_groups: &*partition.topic == "__consumer_offsets",
            is_synced,
            has_lost_power: has_lost_power || unjudged.is_some_and(|left| left.has_lost_power),
            may_lose: (has_lost_power && !is_synced) || unjudged.is_some_and(|left| left.may_lose),
            recovery_point: unjudged.map_or(recovery_point, |left| left.recovery_point.min(recovery_point)),
            high_watermark: partition.high_watermark().0,
            end: partition.log.log_end_offset().0,
        };
        self.faults.left.insert(key, left);
    }

    /// Starts the broker, which may be crashed while it does, or find the disk broken.
    pub(super) fn start(&mut self) {
        self.faults.due = None;
        if self.faults.kinds.has(Kind::FlippedBits) {
            self.flip_bits();
        }
        let limit = self.faults.strikes(Kind::CrashInRecovery, 3).then(|| {
            let limit = self.faults.random.below(MAX_RECOVERY_OPERATIONS);
            self.cluster.disk.limit_operations(Some(limit));
            self.cluster.disk.operations() + limit
        });
        let started = self.cluster.try_restart();
        self.cluster.disk.limit_operations(None);
        let is_crashed = limit.is_some_and(|limit| self.cluster.disk.operations() > limit);
        if started.is_err() || is_crashed || self.cluster.is_lost() {
            self.note(|| format!("the start does not succeed: {started:?}"));
            let has_power = !self.faults.kinds.has(Kind::PowerLoss) || self.faults.random.chance(2);
            self.cluster.forget_process();
            let crash = if has_power { Crash::Process } else { self.power_loss() };
            return self.end(Some(crash));
        }
        self.note(|| "it has started".into());
        self.note_files("after the start");
        self.open_cleaner();
    }

    /// Whether the logs that are open again are what they must be. One that found no room is opened later.
    pub(super) fn judge_start(&mut self) {
        if self.faults.left.is_empty() {
            return;
        }
        let Some(view) = self.cluster.last_view() else { return };
        let mut has_lost_groups = false;
        for partition in view.partitions().filter(|partition| !partition.log.is_offline()) {
            let key: Key = key(partition);
            let Some(left) = self.faults.left.remove(&key) else { continue };
            let end = partition.log.log_end_offset().0;
            let least = if left.may_lose { left.recovery_point } else { left.high_watermark };
            self.history.note(
                || left.object.clone(),
                || format!("it has {end} records of {}, must have {least}, may lose: {}", left.end, left.may_lose),
            );
            // Also in the middle: a later segment may have reached the platter, and an earlier one not.
            has_lost_groups |= left.is_of_groups && (end < left.high_watermark || left.may_lose);
            if end < least {
                let text = format!("the log ends at {end}, not at {least}");
                self.oracle.violate("a start finds what was promised", std::slice::from_ref(&left.object), text);
            }
            if !left.is_of_groups {
                self.oracle
                    .judge(left.key, |records| records.recovered(end, least, left.may_lose, left.has_lost_power));
                if end < left.end || left.has_lost_power {
                    self.oracle.records(left.key).note_loss();
                }
            }
        }
        if has_lost_groups {
            self.oracle.groups_may_be_lost();
        }
    }

    fn flip_bits(&mut self) {
        let mut files = Vec::new();
        for directory in ["data", "other"] {
            derived_files(&self.cluster.disk, Path::new(directory), &mut files);
        }
        for (path, size) in files {
            if size > 0 && self.faults.random.chance(4) {
                let (position, bit) = (self.faults.random.below(size) as usize, self.faults.random.below(8) as u8);
                self.cluster.disk.flip_bit(&path, position, bit);
                self.faults.count(Kind::FlippedBits);
                self.note(|| format!("bit {bit} of byte {position} of {} is flipped", path.display()));
                if path.extension().is_some_and(|ending| ending == SNAPSHOT) {
                    self.damage_snapshot(&path);
                }
            }
        }
    }

    fn damage_snapshot(&mut self, path: &Path) {
        let object = path.parent().and_then(partition_in);
        for left in self.faults.left.values().filter(|left| Some(&left.object) == object.as_ref()) {
            self.oracle.records(left.key).note_damaged_snapshot();
        }
    }

    /// No fault any more; a broker that runs whole.
    pub(super) fn calm(&mut self) {
        self.faults.kinds = Kinds::default();
        (self.faults.stalled, self.faults.full_until) = (None, None);
        self.cluster.disk.set_failures(Failures::default(), 0);
        self.cluster.disk.limit_space(None);
        self.cluster.world.set_conditions(NetworkConditions { whole_one_in: 1, ..NetworkConditions::default() });
        // What was stamped ahead of time, such as when a group was assigned its partitions, must not be waited for.
        self.cluster.world.skew_wall(self.faults.wall_lag_ms);
        let has_offline = self.cluster.has_failed_directory();
        if self.cluster.is_running() && (has_offline || self.faults.random.chance(4)) {
            self.end(Some(Crash::Process));
        }
        if !self.cluster.is_running() {
            self.start();
        }
        if !self.cluster.is_running() {
            self.oracle.violate("the broker starts on a sound disk", &[Object::Broker], String::new());
        }
    }
}

fn key(partition: &Partition) -> Key {
    (uuid::Uuid::from_bytes(partition.topic_id.0), partition.index.0)
}

/// The partition whose log, or copy of it, a directory holds.
fn partition_in(directory: &Path) -> Option<Object> {
    let name = directory.file_name()?.to_str()?;
    let (topic, index) = name.split('.').next()?.rsplit_once('-')?;
    Some(Object::Partition(topic.into(), index.parse().ok()?))
}

fn derived_files(disk: &dyn Disk, directory: &Path, found: &mut Vec<(PathBuf, u64)>) {
    for entry in disk.list(directory).unwrap_or_default() {
        let path = directory.join(&entry.name);
        if entry.is_directory {
            // The metadata's own log is not a partition that clients read.
            if entry.name != "__cluster_metadata-0" {
                derived_files(disk, &path, found);
            }
        } else if path.extension().is_some_and(|ending| DERIVED.iter().any(|derived| ending == *derived)) {
            let size = disk.open(&path, crate::io::disk::Open::Read).and_then(|file| file.size()).unwrap_or(0);
            found.push((path, size));
        }
    }
}
