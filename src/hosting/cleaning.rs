//! Which log is compacted next, on a thread of its own: the filthiest first, at the pace that the settings allow
//! (`LogCleaner`, `LogCleanerManager`).
//!
//! It reads the published view and the logs, and is the only writer of `cleaner-offset-checkpoint`. A log that cannot be
//! compacted is left alone until the next start; it serves as before.

mod now;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use log::{error, info, warn};

pub use self::now::{CompactedLog, CompactionOrder, Task};
use crate::config::{Config, Settings, TopicConfig, Value};
use crate::io::disk::Disk;
use crate::io::environment::Environment;
#[cfg(test)]
use crate::model::Offset;
use crate::model::{Instant, PartitionIndex, TimestampMs};
use crate::replica::partition::Partition;
use crate::replica::topic_settings;
use crate::replica::view::View;
use crate::stdx::inbox::Tasks;
use crate::storage::cleaner::checkpoint::{CleanedTo, CleanerCheckpoint};
use crate::storage::cleaner::{Cleaned, Dirtiness, Means, Pace, Policy, Stopped};

/// Speed is held over so long: a cleaner that was idle saves up no burst.
const PACE_WINDOW: Duration = Duration::from_secs(1);

/// Tells the shards that wait for a partition that it has moved.
pub type Announce = Box<dyn Fn(&Partition) + Send>;

/// Up to where the logs of one log directory were cleaned.
struct Directory {
    path: PathBuf,
    checkpoint: CleanerCheckpoint,
    cleaned_to: CleanedTo,
    /// Which partition bears the name: after a deletion another one may.
    numbers: BTreeMap<(String, PartitionIndex), u64>,
}

/// Chooses the next log and cleans it.
pub struct Cleaner {
    config: Config,
    view: Arc<ArcSwap<View>>,
    directories: Vec<Directory>,
    uncleanable: BTreeSet<u64>,
    environment: Environment,
    announce: Announce,
}

/// A log that wants a round.
struct Candidate {
    partition: Arc<Partition>,
    directory: usize,
    dirtiness: Dirtiness,
    policy: Policy,
}

/// What came of a round.
enum Round {
    Done(Cleaned),
    /// A sync is under way, without which nothing may go.
    Busy,
    /// It is tried again after the back-off.
    Later(String),
    Failed(String),
}

impl Cleaner {
    /// `None` where `log.cleaner.enable` says no. Reads the checkpoints. Blocks.
    pub fn open(
        disk: &Arc<dyn Disk>,
        config: &Config,
        view: Arc<ArcSwap<View>>,
        environment: Environment,
        announce: Announce,
    ) -> Option<Cleaner> {
        let nothing = BTreeMap::new();
        if !config.settings(&nothing, &nothing).boolean("log.cleaner.enable") {
            return None;
        }
        let open = |path: &String| {
            let path = PathBuf::from(path);
            let checkpoint = CleanerCheckpoint::of(disk.clone(), &path);
            // Without it everything counts as dirty, which costs time and nothing else.
            let cleaned_to = checkpoint.read().inspect_err(|failure| warn!("{failure}")).unwrap_or_default();
            Directory { path, checkpoint, cleaned_to, numbers: BTreeMap::new() }
        };
        let directories = config.log_dirs.iter().map(open).collect();
        let config = config.clone();
        Some(Cleaner { config, view, directories, uncleanable: BTreeSet::new(), environment, announce })
    }

    /// Works until it is told to stop, or nothing is left that could tell it.
    pub fn run(&mut self, tasks: &Tasks<Task>) {
        let mut orders = Vec::new();
        loop {
            let mut pace = Throttle::new(tasks, self.environment.clone());
            for order in orders {
                self.compact_now(order, &mut pace);
            }
            let goes_on = self.step(&mut pace);
            orders = pace.orders;
            if pace.is_stopped {
                return;
            }
            if goes_on || !orders.is_empty() {
                continue;
            }
            let again = self.environment.now() + self.backoff(&self.view.load());
            if now::sort(self.environment.wait(tasks, again), &mut orders) {
                return;
            }
        }
    }

    /// Cleans the filthiest log; `false` if none wants it, or it could not be done now.
    pub fn step(&mut self, pace: &mut dyn Speed) -> bool {
        let view = self.view.load_full();
        self.forget_gone(&view);
        let Some(next) = self.filthiest(&view) else { return false };
        matches!(self.clean(&next, &view, pace), Round::Done(_) | Round::Failed(_))
    }

    fn clean(&mut self, next: &Candidate, view: &View, pace: &mut dyn Speed) -> Round {
        let (means, bytes_per_second) = self.means(view);
        pace.set_bytes_per_second(bytes_per_second);
        let now = self.environment.wall();
        // An older record of a key goes because of a newer one, which must not be lost with the power after that.
        let is_durable = next.partition.log.recovery_point() >= next.dirtiness.first_uncleanable_offset;
        if !is_durable {
            let is_flushed = next.partition.flush(now);
            // This sync may have committed what a request waits for.
            (self.announce)(&next.partition);
            if !is_flushed {
                return Round::Busy;
            }
        }
        let name = format!("{}-{}", next.partition.topic, next.partition.index);
        let cleaned = next.partition.log.clean(&next.dirtiness, &next.policy, &means, now, pace);
        if next.partition.log.is_offline() {
            (self.announce)(&next.partition);
        }
        match cleaned {
            Ok(cleaned) => {
                self.note(next, &cleaned);
                report(&name, &next.dirtiness, &cleaned);
                Round::Done(cleaned)
            }
            Err(Stopped::Asked) => Round::Later("the broker stops".into()),
            Err(Stopped::Overtaken) => Round::Later("it has lost segments meanwhile".into()),
            Err(Stopped::Failed(failure)) if failure.is_full() || failure.is_device_failure() => {
                // Without room it is tried again after the back-off, when retention may have made some.
                next.partition.log.health().note(&failure);
                Round::Later(failure.to_string())
            }
            Err(Stopped::Failed(failure)) => {
                error!("{name} is not compacted until the next start: {failure}");
                self.uncleanable.insert(next.partition.number);
                Round::Failed(failure.to_string())
            }
        }
    }

    /// What a round may use at the moment, and how fast it may go.
    pub fn means(&self, view: &View) -> (Means, f64) {
        self.with_settings(view, |settings| {
            let means = Means {
                dedupe_buffer_bytes: u64::try_from(settings.long("log.cleaner.dedupe.buffer.size")).unwrap_or(0),
                load_factor: double(settings, "log.cleaner.io.buffer.load.factor"),
                io_buffer_bytes: settings.size("log.cleaner.io.buffer.size") as usize,
                random: self.environment.random_bytes(),
            };
            (means, double(settings, "log.cleaner.io.max.bytes.per.second"))
        })
    }

    /// How long it rests when no log wants to be cleaned.
    pub fn backoff(&self, view: &View) -> Duration {
        let backoff_ms = self.with_settings(view, |settings| settings.long("log.cleaner.backoff.ms"));
        Duration::from_millis(u64::try_from(backoff_ms).unwrap_or(0))
    }

    /// Which logs are dirty enough, of a topic with these overrides.
    pub fn policy(&self, view: &View, overrides: &BTreeMap<String, String>) -> Policy {
        self.with_settings(view, |settings| topic_settings::compaction(&TopicConfig::resolve(settings, overrides)))
    }

    fn note(&mut self, cleaned: &Candidate, what: &Cleaned) {
        for removal in &what.removals {
            if let Err(failure) = removal.run() {
                error!("{failure}");
            }
        }
        let directory = &mut self.directories[cleaned.directory];
        directory.cleaned_to.insert(name(&cleaned.partition), what.end_offset);
        directory.write();
    }

    fn with_settings<T>(&self, view: &View, ask: impl FnOnce(&Settings<'_>) -> T) -> T {
        let image = &view.image;
        let settings = self.config.settings(image.default_broker_configs(), image.broker_configs(self.config.node_id));
        ask(&settings)
    }

    /// Drops what is known of partitions that are no more, so that it is not believed of others of their name.
    fn forget_gone(&mut self, view: &View) {
        let live: BTreeMap<_, _> =
            view.partitions().filter(|p| p.is_compacted()).map(|p| (name(p), p.number)).collect();
        for directory in &mut self.directories {
            let before = directory.cleaned_to.len();
            let numbers = &directory.numbers;
            directory.cleaned_to.retain(|name, _| match (live.get(name), numbers.get(name)) {
                (Some(live), Some(known)) => live == known,
                (live, _) => live.is_some(),
            });
            directory.numbers.clone_from(&live);
            if directory.cleaned_to.len() < before {
                directory.write();
            }
        }
        self.uncleanable.retain(|number| live.values().any(|live| live == number));
    }

    fn filthiest(&self, view: &View) -> Option<Candidate> {
        let now = self.environment.wall();
        let all = view.partitions().filter(|p| p.is_compacted() && !self.uncleanable.contains(&p.number));
        let candidates = all.filter_map(|partition| self.candidate(view, partition, now));
        let candidates = candidates.filter(|candidate| candidate.dirtiness.wants_cleaning(&candidate.policy));
        candidates.max_by(|a, b| a.dirtiness.ratio().total_cmp(&b.dirtiness.ratio()))
    }

    fn candidate(&self, view: &View, partition: &Arc<Partition>, now: TimestampMs) -> Option<Candidate> {
        if partition.log.is_offline() {
            return None;
        }
        let in_it = |d: &Directory| partition.log.directory().parent() == Some(&*d.path);
        let directory = self.directories.iter().position(in_it)?;
        let policy = self.policy(view, view.image.topic_configs(&partition.topic));
        let cleaned_to = self.directories[directory].cleaned_to.get(&name(partition)).copied();
        let found = partition.log.dirtiness(cleaned_to, partition.last_stable_offset(), &policy, now);
        let dirtiness = found.inspect_err(|failure| error!("{failure}")).ok()?;
        let partition = partition.clone();
        Some(Candidate { partition, directory, dirtiness, policy })
    }

    /// Up to where a partition was cleaned.
    #[cfg(test)]
    pub fn cleaned_to(&self, topic: &str, partition: PartitionIndex) -> Option<Offset> {
        self.directories.iter().find_map(|d| d.cleaned_to.get(&(topic.to_string(), partition)).copied())
    }
}

impl Directory {
    fn write(&self) {
        match self.checkpoint.write(&self.cleaned_to) {
            // Not to know how far a log is cleaned costs time and nothing else.
            Err(failure) if !failure.is_full() => error!("{failure}"),
            _ => {}
        }
    }
}

fn name(partition: &Partition) -> (String, PartitionIndex) {
    (partition.topic.to_string(), partition.index)
}

fn double(settings: &Settings<'_>, key: &str) -> f64 {
    match settings.value(key) {
        Some(Value::Double(number)) => number,
        _ => f64::MAX,
    }
}

fn report(name: &str, dirtiness: &Dirtiness, cleaned: &Cleaned) {
    let (from, to) = (dirtiness.first_dirty_offset, cleaned.end_offset);
    let (read, written) = (cleaned.records_read, cleaned.records_written);
    let (keys, before, after) = (cleaned.map_records, cleaned.bytes_read, cleaned.bytes_written);
    info!(
        "{name} compacted: offsets {from} to {to} with {keys} keys, {read} records ({before} bytes) became {written} ({after} bytes)"
    );
}

/// A pace whose speed is set before each round.
pub trait Speed: Pace {
    fn set_bytes_per_second(&mut self, bytes_per_second: f64);
}

/// Keeps below a speed by waiting on the channel that brings the word to stop.
struct Throttle<'s> {
    tasks: &'s Tasks<Task>,
    /// What came meanwhile, to be done behind this round.
    orders: Vec<CompactionOrder>,
    environment: Environment,
    bytes_per_second: f64,
    began: Instant,
    spent_bytes: u64,
    is_stopped: bool,
}

impl<'s> Throttle<'s> {
    fn new(tasks: &'s Tasks<Task>, environment: Environment) -> Throttle<'s> {
        let (began, orders) = (environment.now(), Vec::new());
        Throttle { tasks, orders, environment, bytes_per_second: f64::MAX, began, spent_bytes: 0, is_stopped: false }
    }
}

impl Pace for Throttle<'_> {
    fn spend(&mut self, bytes: u64) -> bool {
        self.spent_bytes += bytes;
        let elapsed = self.environment.now().since(self.began);
        let due = Duration::try_from_secs_f64(self.spent_bytes as f64 / self.bytes_per_second.max(1.0));
        let ahead = due.unwrap_or(Duration::MAX).saturating_sub(elapsed);
        let came = match ahead.is_zero() {
            true => (!self.tasks.is_closed()).then(|| self.tasks.take()),
            false => self.environment.wait(self.tasks, self.environment.now() + ahead),
        };
        self.is_stopped |= now::sort(came, &mut self.orders);
        if elapsed >= PACE_WINDOW && ahead.is_zero() {
            (self.began, self.spent_bytes) = (self.environment.now(), 0);
        }
        !self.is_stopped
    }
}

impl Speed for Throttle<'_> {
    fn set_bytes_per_second(&mut self, bytes_per_second: f64) {
        self.bytes_per_second = bytes_per_second;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::io::environment::fixed;
    use crate::io::simulated_disk::SimulatedDisk;
    use crate::model::{LeaderEpoch, Uuid};
    use crate::record::builder::{Builder, Options, Record};
    use crate::record::validate::Rules;
    use crate::replica::view::Hosted;
    use crate::stdx::inbox::Inbox;
    use crate::storage::log::{Admission, Checkpointed, Identity, Log, LogConfig};

    const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

    struct Unhurried;

    impl Pace for Unhurried {
        fn spend(&mut self, _: u64) -> bool {
            true
        }
    }

    impl Speed for Unhurried {
        fn set_bytes_per_second(&mut self, _: f64) {}
    }

    fn partition(disk: &Arc<dyn Disk>, number: u64, topic: &str, batches: u8) -> Arc<Partition> {
        let identity =
            Identity { topic: topic.into(), partition: PartitionIndex(0), topic_id: Uuid([number as u8; 16]) };
        let config = LogConfig { segment_bytes: 500, ..LogConfig::default() };
        let directory = PathBuf::from(format!("/data/{topic}-0"));
        let open = || {
            let at = Checkpointed::default();
            let log = Log::open(disk.clone(), directory.clone(), config.clone(), identity.clone(), at, NOW).unwrap();
            let rules = Rules { compacted: true, ..Rules::default() };
            Arc::new(Partition::new(number, log, LeaderEpoch(0), rules))
        };
        let partition = open();
        for n in 0..batches {
            let mut builder = Builder::new(Options::default());
            let (key, value) = (Some(&[n % 2][..]), Some(&[n; 100][..]));
            builder.append(&Record { timestamp: NOW, key, value, headers: &[] });
            partition.append(9, &builder.build(), NOW, Admission::None).unwrap();
            partition.write_and_sync(NOW);
        }
        drop(partition);
        // As after a crash: nobody knows what of it was synced.
        open()
    }

    fn config() -> Config {
        let overrides = vec![("log.dirs".to_string(), "/data".to_string())];
        let layers = crate::config::Layers { overrides, ..crate::config::Layers::default() };
        Config::load(&layers).unwrap().0
    }

    fn publish(view: &ArcSwap<View>, partitions: &[&Arc<Partition>]) {
        let mut next = View::new("c");
        for partition in partitions {
            next.set_hosted(partition.topic_id, Hosted::from([Some((*partition).clone())]));
        }
        view.store(Arc::new(next));
    }

    #[test]
    fn the_filthiest_log_comes_first_and_what_was_done_is_written_down() {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::default());
        let (small, large) = (partition(&disk, 1, "small", 9), partition(&disk, 2, "large", 40));
        let view = Arc::new(ArcSwap::from_pointee(View::new("c")));
        publish(&view, &[&small, &large]);
        let announced = Arc::new(Mutex::new(BTreeSet::new()));
        let announce = || -> Announce {
            let announced = announced.clone();
            Box::new(move |partition| {
                announced.lock().unwrap().insert(partition.topic.to_string());
            })
        };
        let mut cleaner = Cleaner::open(&disk, &config(), view.clone(), fixed::environment(NOW), announce()).unwrap();
        let bytes = large.log.size_bytes();
        assert_eq!(large.log.recovery_point(), Offset(0));
        assert!(cleaner.step(&mut Unhurried) && cleaner.step(&mut Unhurried));
        assert!(!cleaner.step(&mut Unhurried), "nothing is dirty any more");
        assert!(large.log.size_bytes() < bytes / 3);
        assert_eq!(announced.lock().unwrap().len(), 2, "a sync may commit what somebody waits for");
        let cleaned_to = cleaner.cleaned_to("large", PartitionIndex(0)).unwrap();
        assert!(large.log.recovery_point() >= cleaned_to, "nothing goes for the sake of what may be lost");
        let again = Cleaner::open(&disk, &config(), view.clone(), fixed::environment(NOW), announce()).unwrap();
        assert_eq!(again.cleaned_to("large", PartitionIndex(0)), Some(cleaned_to));
        // Another topic of the same name begins at its beginning.
        large.log.delete([1; 16]).unwrap();
        let successor = partition(&disk, 3, "large", 40);
        publish(&view, &[&small, &successor]);
        assert!(cleaner.step(&mut Unhurried));
        assert!(successor.log.size_bytes() < bytes / 3);
        publish(&view, &[&small]);
        assert!(!cleaner.step(&mut Unhurried));
        assert_eq!(cleaner.cleaned_to("large", PartitionIndex(0)), None);
    }

    #[test]
    fn a_throttle_waits_and_can_be_stopped() {
        let (sender, stop) = Inbox::new();
        let mut throttle = Throttle::new(&stop, fixed::environment(NOW));
        assert!(throttle.spend(1 << 40));
        throttle.set_bytes_per_second(1.0);
        sender.send(Task::Stop);
        assert!(!throttle.spend(1), "the word to stop ends the wait");
        drop(sender);
        throttle.set_bytes_per_second(f64::MAX);
        assert!(!throttle.spend(1));
    }
}
