//! The one place where metadata changes: decide on the newest image, write the records, sync once for all that came
//! together, make the partitions so, publish, answer.
//!
//! Runs on a thread of its own, because it syncs and opens files. Everyone else reads what it has published. Driven by
//! [`Controller::step`], which takes what waits in the queue, so that a simulation can turn it by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use arc_swap::ArcSwap;
use log::{error, info};

use crate::config::Config;
use crate::io::disk::Disk;
use crate::metadata::{self, Image, Record, Registration, ResourceType};
use crate::model::{ErrorCode, NodeId, TimestampMs, TopicId, Uuid};
use crate::replication::hosting::Hosting;
use crate::replication::housekeeping::{Chore, Chores};
use crate::replication::metadata_log::MetadataLog;
use crate::replication::metadata_snapshot::Policy;
use crate::replication::replay;
use crate::replication::view::View;
use crate::storage::directory::LogDirectory;
use crate::storage::log::{LogConfig, Removal};
use crate::storage::{AppendError, Error};

/// Changes that are committed together at most.
const MAX_BATCHED: usize = 256;

/// What a decision may use besides the image.
pub struct Inputs {
    pub now: TimestampMs,
    random: fn() -> [u8; 16],
}

impl Inputs {
    pub fn new_id(&mut self) -> Uuid {
        Uuid::from_random_bytes((self.random)())
    }
}

/// Reads the image, leaves its answers wherever it likes, gives the records to commit.
pub type Decide = Box<dyn FnOnce(&Image, &mut Inputs) -> Vec<Record<'static>> + Send>;

/// A change of metadata and whom to tell of it.
pub struct Job {
    pub decide: Decide,
    pub reply: Box<dyn FnOnce(Result<(), ErrorCode>) + Send>,
}

/// What the metadata thread is asked.
pub enum Work {
    Decide(Job),
    Stop,
}

/// Where work is left for the metadata thread.
#[derive(Clone)]
pub struct Queue(Sender<Work>);

impl Queue {
    pub fn new() -> (Queue, Receiver<Work>) {
        let (sender, receiver) = channel();
        (Queue(sender), receiver)
    }

    pub fn send(&self, work: Work) {
        // Fails only when the broker has stopped; then nobody is left to be answered.
        let _ = self.0.send(work);
    }
}

/// The clock and the dice, which a simulation replaces.
#[derive(Clone, Copy)]
pub struct Surroundings {
    pub wall: fn() -> TimestampMs,
    pub random: fn() -> [u8; 16],
}

/// See the module.
pub struct Controller {
    node_id: i32,
    log: MetadataLog,
    hosting: Hosting,
    view: View,
    published: Arc<ArcSwap<View>>,
    surroundings: Surroundings,
    /// Called when partitions came or went: whoever waits for them must look again.
    announce: Box<dyn Fn() + Send>,
    /// Whoever unlinks files and flushes logs by the clock.
    housekeeping: Option<Chores>,
}

impl Controller {
    /// Opens the log directories and replays the metadata log; a fresh cluster gets its first records. `cluster_id`
    /// is for directories that have none. Blocks.
    pub fn open(
        disk: Arc<dyn Disk>,
        config: &Config,
        cluster_id: &str,
        surroundings: Surroundings,
    ) -> Result<Controller, Error> {
        let now = (surroundings.wall)();
        let hosting = Hosting::open(disk.clone(), config, cluster_id, surroundings.random)?;
        let (node, policy) = (NodeId(config.node_id), snapshot_policy(config));
        let (mut log, image) = MetadataLog::open(disk.clone(), hosting.metadata_directory(), node, policy, now)?;
        let mut view = View::new(hosting.cluster_id());
        view.image = image;
        if view.image.offset() < 0 {
            let formatted = replay::bootstrap_records(&*disk, hosting.metadata_directory())?;
            let fresh = metadata::fresh_cluster(formatted, config.topic_defaults.min_insync_replicas);
            log.append(&fresh, &mut view.image, now).map_err(AppendError::into_error)?;
        }
        let published = Arc::new(ArcSwap::from_pointee(view.clone()));
        let node_id = config.node_id;
        let announce = Box::new(|| ());
        Ok(Controller { node_id, log, hosting, view, published, surroundings, announce, housekeeping: None })
    }

    /// What it publishes to: empty of partitions until [`Controller::register`].
    pub fn published(&self) -> Arc<ArcSwap<View>> {
        self.published.clone()
    }

    /// Registers this broker under the addresses that it got, and opens its partitions. Blocks.
    pub fn register(&mut self, config: &Config, endpoints: Vec<metadata::Endpoint>) -> Result<(), Error> {
        let now = (self.surroundings.wall)();
        let registration = Registration {
            id: config.node_id,
            incarnation_id: Uuid::from_random_bytes((self.surroundings.random)()),
            endpoints,
            rack: config.broker_rack.clone(),
            log_dirs: self.hosting.directory_ids(),
        };
        let (offset, was_clean) = (self.log.end_offset().0, self.hosting.was_clean_shutdown());
        let records = metadata::register_broker(&self.view.image, &registration, offset, was_clean);
        self.log.append(&records, &mut self.view.image, now).map_err(AppendError::into_error)?;
        self.log.sync(now)?;
        self.hosting.host_all(&mut self.view, now, self.surroundings.random)?;
        self.published.store(Arc::new(self.view.clone()));
        Ok(())
    }

    /// Whom to tell when partitions came or went.
    pub fn announce_to(&mut self, announce: Box<dyn Fn() + Send>) {
        self.announce = announce;
    }

    /// To whom the unlinking of deleted topics is left; without it they are unlinked here.
    pub fn leave_to(&mut self, housekeeping: Chores) {
        self.housekeeping = Some(housekeeping);
    }

    pub fn directories(&self) -> Arc<[LogDirectory]> {
        self.hosting.directories().clone()
    }

    /// Works until it is told to stop.
    pub fn run(&mut self, queue: &Receiver<Work>) {
        loop {
            let Ok(first) = queue.recv() else { return };
            let work = std::iter::once(first).chain(queue.try_iter().take(MAX_BATCHED));
            if !self.step(work.collect()) {
                return;
            }
        }
    }

    /// Does what came together; `false` if it was told to stop.
    pub fn step(&mut self, work: Vec<Work>) -> bool {
        let (mut jobs, mut goes_on) = (Vec::new(), true);
        for work in work {
            match work {
                Work::Decide(job) => jobs.push(job),
                Work::Stop => goes_on = false,
            }
        }
        if !jobs.is_empty() {
            self.decide_all(jobs);
        }
        goes_on
    }

    fn decide_all(&mut self, jobs: Vec<Job>) {
        let mut changed = BTreeSet::new();
        let mut replies = Vec::new();
        for job in jobs {
            let result = self.decide(job.decide, &mut changed);
            replies.push((job.reply, result));
        }
        let committed = self.log.sync((self.surroundings.wall)()).map_err(|failure| {
            error!("the metadata log failed, nothing can be changed any more: {failure}");
            ErrorCode::KafkaStorageError
        });
        let removals = match committed {
            Ok(()) => self.publish(changed),
            Err(_) => Vec::new(),
        };
        for (reply, result) in replies {
            reply(committed.and(result));
        }
        self.unlink(removals);
        if committed.is_ok() {
            let taken = self.log.snapshot_if_due(&self.view.image, (self.surroundings.wall)());
            taken.unwrap_or_else(|failure| error!("no snapshot of the metadata: {failure}"));
        }
    }

    fn unlink(&self, removals: Vec<Removal>) {
        let delay = self.hosting.delete_delay(&self.view.image);
        for removal in removals {
            if let Some(housekeeping) = &self.housekeeping {
                housekeeping.send(Chore::Unlink(removal, delay));
            } else if let Err(failure) = removal.run() {
                error!("{failure}");
            }
        }
    }

    fn decide(&mut self, decide: Decide, changed: &mut BTreeSet<TopicId>) -> Result<(), ErrorCode> {
        let now = (self.surroundings.wall)();
        let mut inputs = Inputs { now, random: self.surroundings.random };
        let records = decide(&self.view.image, &mut inputs);
        // A deleted topic is named by its records only while it is in the image.
        note_changed(&records, &self.view.image, changed);
        let appended = self.log.append(&records, &mut self.view.image, now);
        note_changed(&records, &self.view.image, changed);
        appended.map_err(|failure| {
            error!("cannot write metadata: {failure}");
            match failure {
                AppendError::Storage(_) => ErrorCode::KafkaStorageError,
                _ => ErrorCode::UnknownServerError,
            }
        })
    }

    /// Makes the partitions on this broker what the image says, then shows both.
    fn publish(&mut self, changed: BTreeSet<TopicId>) -> Vec<Removal> {
        let now = (self.surroundings.wall)();
        let removals = self.hosting.follow(&mut self.view, &changed, now, self.surroundings.random);
        self.published.store(Arc::new(self.view.clone()));
        if !changed.is_empty() {
            (self.announce)();
            self.housekeeping.iter().for_each(|housekeeping| housekeeping.send(Chore::Look));
        }
        removals
    }

    /// Ends everything in order: all shards have stopped. Blocks.
    pub fn close(&mut self) {
        let now = (self.surroundings.wall)();
        let clean = self.hosting.close(&self.view, now);
        // A registration that looks alive would make Apache Kafka wait for the end of its session.
        let fenced = metadata::fence_broker(&self.view.image, self.node_id);
        if let Err(failure) = self.log.append(&fenced, &mut self.view.image, now) {
            error!("{failure}");
        }
        if let Err(failure) = self.log.close(now) {
            error!("{failure}");
            return;
        }
        if clean {
            self.hosting.mark_clean(&self.view);
            info!("all logs closed in order");
        }
    }
}

fn snapshot_policy(config: &Config) -> Policy {
    let nothing = BTreeMap::new();
    let settings = config.settings(&nothing, &nothing);
    let size = |name: &str| u64::try_from(settings.long(name)).unwrap_or(0);
    Policy {
        max_bytes_between: size("metadata.log.max.record.bytes.between.snapshots"),
        max_interval_ms: settings.long("metadata.log.max.snapshot.interval.ms"),
        retention_bytes: settings.long("metadata.max.retention.bytes"),
        retention_ms: settings.long("metadata.max.retention.ms"),
        log: LogConfig {
            segment_bytes: size("metadata.log.segment.bytes"),
            segment_ms: settings.long("metadata.log.segment.ms"),
            ..LogConfig::default()
        },
    }
}

/// The topics that records change something of, if it is something that this broker must act on.
fn note_changed(records: &[Record<'_>], image: &Image, changed: &mut BTreeSet<TopicId>) {
    for record in records {
        match record {
            Record::Topic(record) => changed.extend([record.topic_id]),
            Record::Partition(record) => changed.extend([record.topic_id]),
            Record::PartitionChange(record) => changed.extend([record.topic_id]),
            Record::RemoveTopic(record) => changed.extend([record.topic_id]),
            Record::Config(record) if record.resource_type == ResourceType::Topic as i8 => {
                changed.extend(image.topic(&record.resource_name).map(|topic| topic.id));
            }
            // What a topic does not say itself, the broker's settings say for it.
            Record::Config(record) if record.resource_type == ResourceType::Broker as i8 => {
                changed.extend(image.topics().map(|topic| topic.id));
            }
            _ => {}
        }
    }
}
