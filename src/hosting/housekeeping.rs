//! What a broker does by the clock and no client waits for: retention, flushes by time, checkpoints, forgetting silent
//! producers, unlinking what was deleted, copying logs that are being moved.
//!
//! On a thread of its own, because nearly all of it blocks, so that neither a shard nor a change of metadata ever waits
//! for it. It sees what everyone sees, the published [`View`], and changes nothing in it. Driven by
//! [`Housekeeper::step`], so that a simulation can turn it by hand. Each task begins after Kafka's
//! `log.initial.task.delay.ms`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use log::{error, info};

use super::doors::Doors;
use super::futures::{self, Copied};
use super::slots;
use crate::config::{Config, TopicConfig};
use crate::io::disk::Disk;
use crate::io::environment::Environment;
use crate::model::{Instant, TopicIdPartition};
use crate::replica::partition::Partition;
use crate::replica::topic_settings;
use crate::replica::view::View;
use crate::stdx::inbox::Tasks;
use crate::storage::Error;
use crate::storage::directory::{Checkpoint, LogDirectory};
use crate::storage::log::Removal;

/// However small a topic's `flush.ms` is, an idle log is looked at no more often.
const LEAST_FLUSH_PERIOD: Duration = Duration::from_millis(50);

/// How often stores of keys are looked at.
const DOORS_PERIOD: Duration = Duration::from_secs(10);

/// How long a copy waits that has found no room.
const COPY_AGAIN: Duration = Duration::from_secs(1);

/// What the housekeeping thread is told.
pub enum Task {
    /// Files that are not needed any more, to be unlinked after this time.
    Unlink(Removal, Duration),
    /// Retention is applied now, to a topic or to all, as a test wants it. Called with the logs that begin elsewhere now.
    Retain(Option<String>, Box<dyn FnOnce(Vec<RetainedLog>) + Send>),
    /// Partitions came or went, or their configuration changed.
    Look,
    Stop,
}

/// A log of which retention has taken away the beginning.
pub struct RetainedLog {
    pub topic: Arc<str>,
    pub partition: i32,
    pub start_before: i64,
    pub start: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Periodic {
    Retention,
    Flush,
    ExpireProducers,
    Checkpoint(&'static [Checkpoint]),
    /// Certificates may have changed.
    Doors,
    /// Delegation tokens may have expired.
    Tokens,
}

/// What the metadata thread is told of.
pub enum Finding {
    /// The copy of a partition's log has caught up.
    Copied(TopicIdPartition),
    /// It is time to look for delegation tokens that have expired.
    TokensDue,
}

#[derive(Clone, Copy)]
struct Scheduled {
    task: Periodic,
    /// `None`: not at the moment.
    period: Option<Duration>,
    due: Instant,
}

/// The tasks that go by the clock, and when each is due.
pub struct Housekeeper {
    config: Config,
    published: Arc<ArcSwap<View>>,
    directories: Arc<[LogDirectory]>,
    doors: (Arc<Doors>, Arc<dyn Disk>),
    environment: Environment,
    /// Called when a partition may have moved its high watermark.
    announce: Box<dyn Fn(&Partition) + Send>,
    /// Tells the metadata thread.
    tell: Box<dyn Fn(Finding) + Send>,
    tasks: Vec<Scheduled>,
    removals: Vec<(Instant, Removal)>,
}

impl Housekeeper {
    pub fn new(
        config: Config,
        published: Arc<ArcSwap<View>>,
        directories: Arc<[LogDirectory]>,
        doors: (Arc<Doors>, Arc<dyn Disk>),
        environment: Environment,
        announce: Box<dyn Fn(&Partition) + Send>,
        tell: Box<dyn Fn(Finding) + Send>,
    ) -> Housekeeper {
        let mut tasks = tasks(&config, environment.now());
        let due = environment.now() + DOORS_PERIOD;
        tasks.push(Scheduled { task: Periodic::Doors, period: doors.0.have_stores().then_some(DOORS_PERIOD), due });
        Housekeeper { config, published, directories, doors, environment, announce, tell, tasks, removals: Vec::new() }
    }

    /// Works until it is told to stop.
    pub fn run(&mut self, tasks: &Tasks<Task>) {
        let mut new = Vec::new();
        while let Some(due) = self.step(new, self.environment.now()) {
            let Some(came) = self.environment.wait(tasks, due) else { return };
            new = came;
        }
    }

    /// Takes the new tasks and does what is due; when to come again, or `None` if it was told to stop. Blocks.
    pub fn step(&mut self, tasks: Vec<Task>, now: Instant) -> Option<Instant> {
        let mut looks = false;
        for task in tasks {
            match task {
                Task::Unlink(removal, delay) => self.removals.push((now + delay, removal)),
                Task::Retain(topic, tell) => {
                    let view = self.published.load_full();
                    tell(self.delete_old_segments(&view, topic.as_deref(), now));
                }
                Task::Look => looks = true,
                Task::Stop => return None,
            }
        }
        if looks {
            self.schedule_flush(now);
        }
        for at in 0..self.tasks.len() {
            let Scheduled { task, period, due } = self.tasks[at];
            if let Some(period) = period.filter(|_| due <= now) {
                self.tasks[at].due = now + period;
                self.perform(task, now);
            }
        }
        self.unlink(now);
        let copying = self.copy_logs().map(|wait| now + wait);
        let tasks = self.tasks.iter().filter(|task| task.period.is_some()).map(|task| task.due);
        tasks.chain(self.removals.iter().map(|(due, _)| *due)).chain(copying).min().or(Some(Instant::NEVER))
    }

    /// A slice of each log that is being moved; when to come for the next.
    fn copy_logs(&self) -> Option<Duration> {
        let (view, now) = (self.published.load_full(), self.environment.wall());
        let mut next = None;
        for (key, future) in view.futures().filter(|(_, future)| !future.is_announced.load(Ordering::Acquire)) {
            let Ok(partition) = view.partition_by_id(key.topic_id, key.index) else { continue };
            let wait = match futures::copy(&partition.log, &future.log, partition.log.log_end_offset(), now) {
                Ok(Copied::More) => Some(Duration::ZERO),
                Err(failure) if failure.is_full() => Some(COPY_AGAIN),
                Err(Error::Offline) => None,
                done => {
                    if let Err(failure) = done {
                        error!("cannot copy {}-{}: {failure}", partition.topic, partition.index);
                    }
                    future.is_announced.store(true, Ordering::Release);
                    (self.tell)(Finding::Copied(*key));
                    None
                }
            };
            next = [next, wait].into_iter().flatten().min();
        }
        next
    }

    fn perform(&mut self, task: Periodic, now: Instant) {
        let view = self.published.load_full();
        match task {
            Periodic::Retention => drop(self.delete_old_segments(&view, None, now)),
            Periodic::Flush => self.flush(&view),
            Periodic::ExpireProducers => self.expire_producers(&view),
            Periodic::Checkpoint(which) => drop(slots::checkpoint(&self.directories, which, &view)),
            Periodic::Doors => {
                let (doors, disk) = &self.doors;
                let dynamic = (view.image.default_broker_configs(), view.image.broker_configs(self.config.node_id));
                doors.look(&self.config, dynamic, &**disk, self.environment.wall());
            }
            Periodic::Tokens => (self.tell)(Finding::TokensDue),
        }
    }

    /// `LogManager.cleanupLogs`, of a topic or of all; what it takes out is unlinked after the topic's `file.delete.delay.ms`.
    fn delete_old_segments(&mut self, view: &View, only: Option<&str>, now: Instant) -> Vec<RetainedLog> {
        let mut retained = Vec::new();
        let image = &view.image;
        let dynamic = image.broker_configs(self.config.node_id);
        let settings = self.config.settings(image.default_broker_configs(), dynamic);
        for topic in image.topics().filter(|topic| only.is_none_or(|only| *topic.name == *only)) {
            let Some(hosted) = view.hosted(topic.id) else { continue };
            let config = TopicConfig::resolve(&settings, image.topic_configs(&topic.name));
            let retention = topic_settings::retention(&config);
            for partition in hosted.iter().flatten() {
                let before = partition.log.log_start_offset();
                let removal = partition.delete_old_segments(self.environment.wall(), &retention);
                (self.announce)(partition);
                let Some(removal) = removal.filter(|removal| !removal.is_empty()) else { continue };
                let start = partition.log.log_start_offset();
                info!("{}-{}: old segments were deleted, the log begins at {start}", topic.name, partition.index);
                self.removals.push((now + slots::delete_delay(&config), removal));
                let (topic, partition) = (partition.topic.clone(), partition.index.0);
                retained.push(RetainedLog { topic, partition, start_before: before.0, start: start.0 });
            }
        }
        retained
    }

    /// `flush.ms` of logs that are not written to at the moment; a write looks for itself.
    fn flush(&self, view: &View) {
        for partition in view.partitions() {
            let now = self.environment.wall();
            if !partition.log.is_offline() && partition.log.wants_sync(now) {
                partition.flush(now);
                (self.announce)(partition);
            }
        }
    }

    fn expire_producers(&self, view: &View) {
        for partition in view.partitions().filter(|partition| !partition.log.is_offline()) {
            // Fails only if the log went offline, which was told where it happened.
            let _ = partition.log.expire_producers(self.environment.wall());
        }
    }

    /// As often as the smallest `flush.ms` on this broker asks for, not at all where no topic has one.
    fn schedule_flush(&mut self, now: Instant) {
        let view = self.published.load();
        let flush_ms = view.partitions().map(|partition| partition.log.config().flush_ms).min();
        let flush_ms = flush_ms.filter(|flush_ms| *flush_ms < i64::MAX);
        let period = flush_ms.map(|ms| slots::duration(ms).max(LEAST_FLUSH_PERIOD));
        for scheduled in self.tasks.iter_mut().filter(|scheduled| scheduled.task == Periodic::Flush) {
            if scheduled.period != period {
                *scheduled = Scheduled { task: Periodic::Flush, period, due: now + period.unwrap_or_default() };
            }
        }
    }

    fn unlink(&mut self, now: Instant) {
        let (due, waiting) = std::mem::take(&mut self.removals).into_iter().partition(|(due, _)| *due <= now);
        self.removals = waiting;
        let due: Vec<(Instant, Removal)> = due;
        for (_, removal) in due {
            if let Err(failure) = removal.run() {
                error!("{failure}");
            }
        }
    }
}

fn tasks(config: &Config, now: Instant) -> Vec<Scheduled> {
    let first = now + slots::duration(config.log_initial_task_delay_ms);
    // 0 switches a checkpoint off; Kafka would write it once.
    let every =
        |task, ms: i64| Scheduled { task, period: Some(slots::duration(ms)).filter(|p| !p.is_zero()), due: first };
    const STARTS: &[Checkpoint] = &[Checkpoint::LogStartOffsets];
    // A recovery point without its start offset would bring deleted records back.
    const RECOVERY: &[Checkpoint] = &[Checkpoint::LogStartOffsets, Checkpoint::RecoveryPoints];
    // As Kafka's periodic tasks of the controller: first when a period is over.
    let of_tokens = config.delegation_tokens.as_ref().map(|tokens| tokens.check_interval);
    vec![
        Scheduled { task: Periodic::Tokens, period: of_tokens, due: now + of_tokens.unwrap_or_default() },
        every(Periodic::Retention, config.log_retention_check_interval_ms),
        Scheduled { task: Periodic::Flush, period: None, due: first },
        every(Periodic::ExpireProducers, config.producer_id_expiration_check_interval_ms),
        every(Periodic::Checkpoint(STARTS), config.log_flush_start_offset_checkpoint_interval_ms),
        every(Periodic::Checkpoint(RECOVERY), config.log_flush_offset_checkpoint_interval_ms),
        every(Periodic::Checkpoint(&[Checkpoint::HighWatermarks]), config.high_watermark_checkpoint_interval_ms),
    ]
}
