//! The one place where metadata changes: decide on the newest image, write the records, sync once for all that came
//! together, make the partitions so, publish, answer.
//!
//! Runs on a thread of its own, because it syncs and opens files. Everyone else reads what it has published. Driven by
//! [`Controller::step`], which takes what waits in the queue, so that a simulation can turn it by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use arc_swap::ArcSwap;
use log::{error, info, warn};

use crate::config::Config;
use crate::hosting::Hosting;
use crate::hosting::formatted;
use crate::hosting::futures::{Completed, Move};
use crate::hosting::housekeeping;
use crate::io::disk::Disk;
use crate::io::environment::Environment;
use crate::metadata::{self, Image, Record, Registration, ResourceType};
use crate::model::{ErrorCode, NodeId, TimestampMs, TopicId, Uuid};
use crate::quorum::metadata_log::MetadataLog;
use crate::quorum::metadata_snapshot::Policy;
use crate::quorum::replay;
use crate::replica::view::{Slot, View};
use crate::stdx::inbox::Inbox;
use crate::storage::directory::LogDirectory;
use crate::storage::log::{LogConfig, Removal};
use crate::storage::{AppendError, Error};

/// So many partitions are told of in one batch of records.
const MAX_ASSIGNED: usize = 1000;
/// Changes that are committed together at most.
const MAX_BATCHED: usize = 256;

/// What a decision may use besides the image.
pub struct Inputs {
    pub now: TimestampMs,
    environment: Environment,
}

impl Inputs {
    pub fn new_id(&mut self) -> Uuid {
        self.environment.new_id()
    }
}

/// Reads the image, leaves its answers wherever it likes, gives the records to commit.
pub type Decide = Box<dyn FnOnce(&Image, &mut Inputs) -> Vec<Record<'static>> + Send>;

/// A change of metadata and whom to tell of it.
pub struct Job {
    pub decide: Decide,
    pub reply: Box<dyn FnOnce(Result<(), ErrorCode>) + Send>,
}

/// Moves that somebody asks for, and whom to tell what came of each.
pub struct MoveJob {
    pub moves: Vec<Move>,
    pub answer: Box<dyn FnOnce(Vec<ErrorCode>) + Send>,
    pub reply: Box<dyn FnOnce(Result<(), ErrorCode>) + Send>,
}

/// What the metadata thread is asked.
pub enum Task {
    Decide(Job),
    /// A log directory has failed, or has room again.
    DirectoryChanged,
    /// Logs are to be moved to other directories.
    Move(MoveJob),
    /// The copy of a partition's log has caught up.
    Copied(Slot),
    Stop,
}

/// See the module.
pub struct Controller {
    node_id: i32,
    log: MetadataLog,
    hosting: Hosting,
    view: View,
    published: Arc<ArcSwap<View>>,
    environment: Environment,
    /// Called when partitions came or went: whoever waits for them must look again.
    announce: Box<dyn Fn() + Send>,
    /// Whoever unlinks files and flushes logs by the clock.
    housekeeping: Option<Inbox<housekeeping::Task>>,
}

impl Controller {
    /// Opens the log directories and replays the metadata log; a fresh cluster gets its first records. `cluster_id`
    /// is for directories that have none. Blocks.
    pub fn open(
        disk: Arc<dyn Disk>,
        config: &Config,
        cluster_id: &str,
        environment: Environment,
    ) -> Result<Controller, Error> {
        let now = environment.wall();
        formatted::check(&*disk, config)?;
        let hosting = Hosting::open(disk.clone(), config, cluster_id, &environment)?;
        let (node, policy) = (NodeId(config.node_id), snapshot_policy(config));
        let (mut log, image) = {
            let directory = hosting.metadata_directory();
            MetadataLog::open(disk.clone(), (directory.path(), directory.health()), node, policy, now)?
        };
        let mut view = View::new(hosting.cluster_id());
        view.image = image;
        view.leadership = log.leadership();
        // Apache Kafka may have ended before its first records were whole.
        if view.image.offset() < 0 || view.image.metadata_version() == 0 {
            hosting.refuse_partitions_without_metadata()?;
            let formatted = replay::bootstrap_records(&*disk, hosting.metadata_directory().path())?;
            log.begin_cluster(&mut view.image, formatted, config.topic_defaults.min_insync_replicas, now)?;
        }
        let published = Arc::new(ArcSwap::from_pointee(view.clone()));
        let node_id = config.node_id;
        let announce = Box::new(|| ());
        Ok(Controller { node_id, log, hosting, view, published, environment, announce, housekeeping: None })
    }

    /// What it publishes to: empty of partitions until [`Controller::register`].
    pub fn published(&self) -> Arc<ArcSwap<View>> {
        self.published.clone()
    }

    /// Registers this broker under the addresses that it got, and opens its partitions. Blocks.
    pub fn register(&mut self, config: &Config, endpoints: Vec<metadata::Endpoint>) -> Result<(), Error> {
        let now = self.environment.wall();
        self.hosting.settle(&self.view.image, &self.environment)?;
        // Before the registration, which takes the leadership of what is in a directory that is not here.
        for some in self.hosting.found_elsewhere(&self.view.image).chunks(MAX_ASSIGNED) {
            self.log.append(some, &mut self.view.image, now).map_err(AppendError::into_error)?;
        }
        let registration = Registration {
            id: config.node_id,
            incarnation_id: self.environment.new_id(),
            endpoints,
            rack: config.broker_rack.clone(),
            log_dirs: self.hosting.directory_ids(),
            cordoned_log_dirs: self.hosting.cordoned_ids(&self.view.image),
        };
        let (offset, was_clean) = (self.log.end_offset().0, self.hosting.was_clean_shutdown());
        let records = metadata::register_broker(&self.view.image, &registration, offset, was_clean);
        self.log.append(&records, &mut self.view.image, now).map_err(AppendError::into_error)?;
        self.log.sync(now)?;
        self.hosting.host_all(&mut self.view, &self.environment);
        let topics: Vec<_> = self.view.image.topics().map(|topic| topic.id).collect();
        self.assign(&topics, now);
        self.published.store(Arc::new(self.view.clone()));
        Ok(())
    }

    /// Whom to tell when partitions came or went.
    pub fn announce_to(&mut self, announce: Box<dyn Fn() + Send>) {
        self.announce = announce;
    }

    /// To whom the unlinking of deleted topics is left; without it they are unlinked here.
    pub fn leave_to(&mut self, housekeeping: Inbox<housekeeping::Task>) {
        self.housekeeping = Some(housekeeping);
    }

    /// Whom to tell of a directory that fails, has failed already, or has room again: it leaves [`Task::DirectoryChanged`] here.
    pub fn watch_directories(&self, queue: &Inbox<Task>) {
        let metadata = std::iter::once(self.hosting.metadata_directory());
        for directory in self.hosting.directories().iter().chain(metadata) {
            let queue = queue.clone();
            directory.health().tell(Box::new(move || queue.send(Task::DirectoryChanged)));
        }
    }

    pub fn directories(&self) -> Arc<[LogDirectory]> {
        self.hosting.directories().clone()
    }

    /// Works until it is told to stop.
    pub fn run(&mut self, queue: &Receiver<Task>) {
        loop {
            let Ok(first) = queue.recv() else { return };
            let work = std::iter::once(first).chain(queue.try_iter().take(MAX_BATCHED));
            if !self.step(work.collect()) {
                return;
            }
        }
    }

    /// Does what came together; `false` if it was told to stop.
    pub fn step(&mut self, work: Vec<Task>) -> bool {
        let (mut jobs, mut goes_on, mut has_changed) = (Vec::new(), true, false);
        let (mut moves, mut copied) = (Vec::new(), Vec::new());
        for work in work {
            match work {
                Task::Decide(job) => jobs.push(job),
                Task::DirectoryChanged => has_changed = true,
                Task::Move(job) => moves.push(job),
                Task::Copied(slot) => copied.push(slot),
                Task::Stop => goes_on = false,
            }
        }
        if !jobs.is_empty() {
            self.decide_all(jobs);
        }
        moves.into_iter().for_each(|job| self.move_logs(job));
        copied.into_iter().for_each(|slot| self.complete_move(slot));
        if has_changed {
            self.handle_changed_directories();
        }
        goes_on && self.fatal().is_none()
    }

    /// Why the broker must end at once, if it must.
    pub fn fatal(&self) -> Option<String> {
        self.hosting.why_all_is_lost()
    }

    /// Tells the cluster which directories are left, and whoever waits for a partition of the others to look again; opens
    /// what had found no room.
    fn handle_changed_directories(&mut self) {
        (self.announce)();
        self.hosting.forget_failed_futures(&mut self.view);
        let lacking = self.hosting.take_lacking_room();
        if !lacking.is_empty() {
            let removals = self.publish(lacking);
            self.unlink(removals);
        }
        if self.fatal().is_none() && self.tell_directories() {
            self.published.store(Arc::new(self.view.clone()));
        }
    }

    /// Tells the cluster which directories this broker has left and which are cordoned; `true` if it did not know.
    fn tell_directories(&mut self) -> bool {
        let (left, cordoned) = (self.hosting.directory_ids(), self.hosting.cordoned_ids(&self.view.image));
        let records = metadata::change_log_dirs(&self.view.image, self.node_id, &left, &cordoned);
        if records.is_empty() {
            return false;
        }
        let told = self.commit(&records, self.environment.wall());
        told.inspect_err(|failure| error!("cannot write metadata: {failure}")).is_ok()
    }

    fn decide_all(&mut self, jobs: Vec<Job>) {
        let mut changed = BTreeSet::new();
        let mut replies = Vec::new();
        for job in jobs {
            let result = self.decide(job.decide, &mut changed);
            replies.push((job.reply, result));
        }
        let committed = self.log.sync(self.environment.wall()).map_err(|failure| {
            error!("the metadata log failed, nothing can be changed any more: {failure}");
            ErrorCode::KafkaStorageError
        });
        let removals = match committed {
            Ok(()) => {
                // A change may have cordoned some of them.
                self.tell_directories();
                self.publish(changed)
            }
            Err(_) => Vec::new(),
        };
        for (reply, result) in replies {
            reply(committed.and(result));
        }
        self.unlink(removals);
        if committed.is_ok() {
            let taken = self.log.snapshot_if_due(&self.view.image, self.environment.wall());
            taken.unwrap_or_else(|failure| error!("no snapshot of the metadata: {failure}"));
        }
    }

    fn move_logs(&mut self, job: MoveJob) {
        let now = self.environment.wall();
        let mut removals = Vec::new();
        let begin = |wanted: &Move| {
            let (code, removal) = self.hosting.move_log(&mut self.view, wanted, now, &self.environment);
            removals.extend(removal);
            code
        };
        let codes = job.moves.iter().map(begin).collect();
        self.show(removals);
        (job.answer)(codes);
        (job.reply)(Ok(()));
    }

    fn complete_move(&mut self, slot: Slot) {
        let now = self.environment.wall();
        let (completed, removal) = self.hosting.complete(&mut self.view, slot, now, &self.environment);
        let mut removals: Vec<_> = removal.into_iter().collect();
        if let Completed::Ready(record) = completed {
            let committed = self.commit(&[*record], now);
            removals.extend(match committed {
                Ok(()) => self.hosting.swap(&mut self.view, slot, now, &self.environment),
                Err(_) => {
                    let partition = self.view.partition_by_id(slot.0, slot.1);
                    partition.into_iter().for_each(|partition| partition.log.unseal());
                    self.hosting.drop_future(&mut self.view, slot, &self.environment)
                }
            });
        }
        self.show(removals);
        (self.announce)();
    }

    fn commit(&mut self, records: &[Record<'static>], now: TimestampMs) -> Result<(), Error> {
        self.log.append(records, &mut self.view.image, now).map_err(AppendError::into_error)?;
        self.log.sync(now)
    }

    /// Publishes the view, and leaves the rest to the housekeeper.
    fn show(&mut self, removals: Vec<Removal>) {
        self.published.store(Arc::new(self.view.clone()));
        self.housekeeping.iter().for_each(|housekeeping| housekeeping.send(housekeeping::Task::Look));
        self.unlink(removals);
    }

    /// Tells in the metadata where logs are, where it says something else.
    fn assign(&mut self, topics: &[TopicId], now: TimestampMs) {
        let records = self.hosting.assignments(&self.view, topics);
        for some in records.chunks(MAX_ASSIGNED) {
            // Where it fails the next start tells it.
            if let Err(failure) = self.commit(some, now) {
                warn!("cannot tell where logs are: {failure}");
                return;
            }
        }
    }

    fn unlink(&self, removals: Vec<Removal>) {
        let delay = self.hosting.delete_delay(&self.view.image);
        for removal in removals {
            if let Some(housekeeping) = &self.housekeeping {
                housekeeping.send(housekeeping::Task::Unlink(removal, delay));
            } else if let Err(failure) = removal.run() {
                error!("{failure}");
            }
        }
    }

    fn decide(&mut self, decide: Decide, changed: &mut BTreeSet<TopicId>) -> Result<(), ErrorCode> {
        let now = self.environment.wall();
        let mut inputs = Inputs { now, environment: self.environment.clone() };
        let records = decide(&self.view.image, &mut inputs);
        // A deleted topic is named by its records only while it is in the image.
        note_changed(&records, &self.view.image, changed);
        let appended = self.log.append(&records, &mut self.view.image, now);
        note_changed(&records, &self.view.image, changed);
        appended.map_err(|failure| match failure {
            // What the disk did was told once for the directory.
            AppendError::Storage(_) => ErrorCode::KafkaStorageError,
            failure => {
                error!("cannot write metadata: {failure}");
                ErrorCode::UnknownServerError
            }
        })
    }

    /// Makes the partitions on this broker what the image says, then shows both.
    fn publish(&mut self, changed: BTreeSet<TopicId>) -> Vec<Removal> {
        let now = self.environment.wall();
        let removals = self.hosting.follow(&mut self.view, &changed, now, &self.environment);
        self.assign(&changed.iter().copied().collect::<Vec<_>>(), now);
        self.published.store(Arc::new(self.view.clone()));
        if !changed.is_empty() {
            (self.announce)();
            self.housekeeping.iter().for_each(|housekeeping| housekeeping.send(housekeeping::Task::Look));
        }
        removals
    }

    /// Ends everything in order: all shards have stopped. Blocks.
    pub fn close(&mut self) {
        let now = self.environment.wall();
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
