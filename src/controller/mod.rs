//! The one place where metadata changes. An [`authority`](authority::Authority) decides, and commits all that came together
//! at once; the [`publisher`](publisher::Publisher) takes what is committed, makes the partitions so, and shows it; then
//! the requests are answered.
//!
//! Runs on a thread of its own, because it syncs and opens files. All others read what it has published. Driven by
//! [`Controller::step`], which takes what waits in the queue, so that a simulation can turn it by hand.

mod audience;
mod authority;
mod publisher;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use log::{error, info, warn};

use crate::config::{Cast, Config};
pub use crate::controller::audience::{Answered, Audience, ReplyTo};
use crate::controller::authority::{Authority, Decider};
use crate::controller::publisher::Publisher;
use crate::hosting::Hosting;
use crate::hosting::doors::Stores;
use crate::hosting::formatted;
use crate::hosting::futures::{Completed, Move};
use crate::hosting::housekeeping;
use crate::io::disk::Disk;
use crate::io::environment::Environment;
use crate::metadata::{self, Change, Decided, DirectoryAssignment, Play, Refusal, Registration};
use crate::model::{ErrorCode, Instant, TopicId, TopicIdPartition};
use crate::quorum::metadata_log::MetadataBatch;
use crate::replica::played::Staging;
use crate::replica::view::View;
use crate::stdx::inbox::{Inbox, Tasks};
use crate::storage::directory::LogDirectory;
use crate::storage::{AppendError, Error};

/// So many partitions are told of in one batch of records.
const MAX_ASSIGNED: usize = 1000;
/// Changes that are committed together at most.
const MAX_BATCHED: usize = 256;
const _: () = assert!(MAX_ASSIGNED > 0 && MAX_ASSIGNED <= metadata::MAX_RECORDS_PER_REQUEST, "one batch holds them");

/// Told what became of it when it is published; a refusal has a sentence.
pub type TellPlayed = Box<dyn FnOnce(Result<(), Refusal>) + Send>;

/// What the metadata thread is asked.
pub enum Task {
    Change {
        change: Change,
        reply: ReplyTo,
    },
    /// A log directory has failed, or has room again.
    DirectoryChanged,
    /// Logs are to be moved to other directories.
    Move {
        moves: Vec<Move>,
        reply: ReplyTo,
    },
    /// The copy of a partition's log has caught up.
    Copied(TopicIdPartition),
    /// A test does something to the brokers that are played.
    Play {
        play: Play,
        tell: TellPlayed,
    },
    /// A test wants something of the brokers that are played that is no metadata.
    Stage {
        staging: Staging,
        tell: TellPlayed,
    },
    /// Delegation tokens that have expired are to go.
    SweepTokens,
    Stop,
}

/// The metadata thread's state: who decides, and what is shown.
pub struct Controller {
    node_id: i32,
    cast: Cast,
    authority: Authority,
    publisher: Publisher,
    environment: Environment,
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
        formatted::check(&*disk, config)?;
        let hosting = Hosting::open(disk.clone(), config, cluster_id, &environment)?;
        let directory = hosting.metadata_directory();
        let (path, health) = (directory.path(), directory.health());
        let opened = Decider::open(disk.clone(), (path, health), config, environment.clone())?;
        let mut decider = opened.decider;
        if decider.is_fresh() {
            hosting.refuse_partitions_without_metadata()?;
            decider.begin_cluster(&*disk, path)?;
        }
        let mut view = View::new(hosting.cluster_id());
        (view.image, view.leadership) = (decider.committed().clone(), opened.leadership);
        let publisher = Publisher::new(view, hosting, environment.clone());
        let authority = Authority::Here(Box::new(decider));
        Ok(Controller { node_id: config.node_id, cast: config.cast(), authority, publisher, environment })
    }

    /// Takes what looks into the stores of TLS that a change names, before it is decided.
    pub fn look_into(&mut self, stores: Arc<Stores>) {
        self.authority.look_into(stores);
    }

    /// What it publishes to: empty of partitions until [`Controller::register`].
    pub fn published(&self) -> Arc<ArcSwap<View>> {
        self.publisher.published()
    }

    /// Registers this broker under the addresses that it got, and opens its partitions. Blocks.
    pub fn register(&mut self, config: &Config, endpoints: Vec<metadata::Endpoint>) -> Result<(), Error> {
        let Publisher { hosting, view, .. } = &mut self.publisher;
        hosting.settle(&view.image, &self.environment)?;
        let (cast, per_broker) = (config.cast(), endpoints.len() / config.brokers);
        let registration = |(id, endpoints): (i32, &[metadata::Endpoint])| Registration {
            id,
            incarnation_id: self.environment.new_id(),
            endpoints: endpoints.to_vec(),
            rack: config.rack_of(id),
            log_dirs: hosting.directory_ids(),
            cordoned_log_dirs: hosting.cordoned_ids(&view.image),
        };
        let of_brokers =
            cast.ids().enumerate().map(|(at, id)| (id, &endpoints[at * per_broker..(at + 1) * per_broker]));
        let registrations: Vec<_> = of_brokers.map(registration).collect();
        assert!(view.partitions().next().is_none(), "a process registers once");
        let was_clean_shutdown = hosting.was_clean_shutdown();
        // Before the registration, which takes the leadership of what is in a directory that is not here.
        for assignments in hosting.found_elsewhere(&view.image).chunks(MAX_ASSIGNED) {
            let change = Change::AssignReplicasToDirs { broker_id: self.node_id, assignments: assignments.to_vec() };
            self.authority.decide(&change).map_err(AppendError::into_error)?;
        }
        for registration in registrations {
            let change = Change::RegisterBroker { registration: Box::new(registration), was_clean_shutdown };
            self.authority.decide(&change).map_err(AppendError::into_error)?;
        }
        let committed = self.authority.commit()?;
        self.publisher.apply(&committed);
        let Publisher { hosting, view, .. } = &mut self.publisher;
        hosting.host_all(view, &self.environment);
        let topics: Vec<_> = view.image.topics().map(|topic| topic.id).collect();
        self.assign(&topics);
        self.publisher.show();
        Ok(())
    }

    /// Whom to answer, and whom to tell when partitions came, went or changed.
    pub fn announce_to(&mut self, audience: Box<dyn Audience>) {
        self.publisher.announce_to(audience);
    }

    /// The housekeeper gets the unlinking of deleted topics; without one they are unlinked here.
    pub fn leave_to(&mut self, housekeeping: Inbox<housekeeping::Task>) {
        self.publisher.leave_to(housekeeping);
    }

    /// Whom to tell of a directory that fails, has failed already, or has room again: it leaves [`Task::DirectoryChanged`] here.
    pub fn watch_directories(&self, queue: &Inbox<Task>) {
        let hosting = &self.publisher.hosting;
        let metadata = std::iter::once(hosting.metadata_directory());
        for directory in hosting.directories().iter().chain(metadata) {
            let queue = queue.clone();
            directory.health().tell(Box::new(move || queue.send(Task::DirectoryChanged)));
        }
    }

    pub fn directories(&self) -> Arc<[LogDirectory]> {
        self.publisher.hosting.directories().clone()
    }

    /// Works until it is told to stop.
    pub fn run(&mut self, queue: &Tasks<Task>) {
        while let Some(came) = self.environment.wait(queue, Instant::NEVER) {
            let mut left = came.into_iter();
            while !left.as_slice().is_empty() {
                if !self.step(left.by_ref().take(MAX_BATCHED).collect()) {
                    return;
                }
            }
        }
    }

    /// Does what came together; `false` if it was told to stop.
    pub fn step(&mut self, tasks: Vec<Task>) -> bool {
        let (mut changes, mut goes_on, mut has_changed) = (Vec::new(), true, false);
        let (mut moves, mut copied, mut sweeps) = (Vec::new(), Vec::new(), false);
        let (mut plays, mut stagings) = (Vec::new(), Vec::new());
        for task in tasks {
            match task {
                Task::Change { change, reply } => changes.push((change, reply)),
                Task::DirectoryChanged => has_changed = true,
                Task::Move { moves: wanted, reply } => moves.push((wanted, reply)),
                Task::Copied(key) => copied.push(key),
                Task::Play { play, tell } => plays.push((play, tell)),
                Task::Stage { staging, tell } => stagings.push((staging, tell)),
                Task::SweepTokens => sweeps = true,
                Task::Stop => goes_on = false,
            }
        }
        if !changes.is_empty() {
            self.change_all(changes);
        }
        plays.into_iter().for_each(|(play, tell)| tell(self.play(play)));
        stagings.into_iter().for_each(|(staging, tell)| tell(self.stage(&staging)));
        moves.into_iter().for_each(|(moves, reply)| self.move_logs(&moves, reply));
        copied.into_iter().for_each(|key| self.complete_move(key));
        if has_changed {
            self.handle_changed_directories();
        }
        if sweeps {
            self.sweep_tokens();
        }
        goes_on && self.fatal().is_none()
    }

    /// Why the broker must end at once, if it must.
    pub fn fatal(&self) -> Option<String> {
        self.publisher.hosting.why_all_is_lost()
    }

    /// Tells the cluster which directories are left, and the requests that wait for a partition of the others to look
    /// again; opens what had found no room.
    fn handle_changed_directories(&mut self) {
        self.publisher.note_offline();
        self.publisher.tell();
        let Publisher { hosting, view, .. } = &mut self.publisher;
        hosting.forget_failed_futures(view);
        let lacking = hosting.take_lacking_room();
        if !lacking.is_empty() {
            self.publish(&lacking);
        }
        if self.fatal().is_none() && self.tell_directories() {
            self.publisher.show();
        }
    }

    /// Tells the cluster which directories this broker has left and which are cordoned; `true` if it did not know.
    fn tell_directories(&mut self) -> bool {
        let Publisher { hosting, view, .. } = &self.publisher;
        let (left, cordoned) = (hosting.directory_ids(), hosting.cordoned_ids(&view.image));
        let told = self.change(&Change::ChangeLogDirs { broker_id: self.node_id, left, cordoned });
        told.inspect_err(|failure| error!("cannot write metadata: {failure}")).unwrap_or(false)
    }

    /// Removes the delegation tokens that have expired (`QuorumController.registerExpireDelegationTokens`).
    fn sweep_tokens(&mut self) {
        let before = self.publisher.view.image.delegation_tokens().count();
        loop {
            match self.change(&Change::SweepDelegationTokens) {
                Ok(true) => self.publisher.show(),
                Ok(false) => break,
                Err(failure) => return error!("cannot write metadata: {failure}"),
            }
        }
        let after = self.publisher.view.image.delegation_tokens().count();
        if after < before {
            info!("{} delegation tokens have expired and were removed", before - after);
        }
    }

    /// Makes a change of the broker's own; `false` if there was nothing to change.
    fn change(&mut self, change: &Change) -> Result<bool, Error> {
        self.authority.decide(change).map_err(AppendError::into_error)?;
        if !self.authority.has_uncommitted() {
            return Ok(false);
        }
        let committed = self.authority.commit()?;
        self.publisher.apply(&committed);
        Ok(true)
    }

    fn change_all(&mut self, changes: Vec<(Change, ReplyTo)>) {
        let decide = |(change, reply): (Change, ReplyTo)| (reply, decide(&mut self.authority, &change));
        let decided: Vec<_> = changes.into_iter().map(decide).collect();
        let committed = self.authority.commit().map_err(|failure| {
            error!("the metadata log failed, nothing can be changed any more: {failure}");
            ErrorCode::KafkaStorageError
        });
        if let Ok(batches) = &committed {
            self.take(batches);
        }
        let committed = committed.map(drop);
        for (reply, decided) in decided {
            self.publisher.answer(reply, committed.and(decided.map(Answered::Change)));
        }
        if committed.is_ok() {
            let taken = self.authority.note_published(&self.publisher.view.image);
            taken.unwrap_or_else(|failure| error!("no snapshot of the metadata: {failure}"));
        }
    }

    fn play(&mut self, play: Play) -> Result<(), Refusal> {
        let decided = decide(&mut self.authority, &Change::Play(play)).map_err(Refusal::of)?;
        let committed = self.authority.commit();
        self.take(&committed.map_err(|failure| Refusal::new(ErrorCode::KafkaStorageError, failure.to_string()))?);
        match decided {
            Decided::Whole(result) => result,
            other => unreachable!("it is done as a whole: {other:?}"),
        }
    }

    /// Shows it at once: nothing of it is written down.
    fn stage(&mut self, staging: &Staging) -> Result<(), Refusal> {
        let changed = self.publisher.stage(staging);
        changed.map_err(|sentence| Refusal::new(ErrorCode::UnknownTopicOrPartition, sentence))
    }

    /// Publishes what is committed.
    fn take(&mut self, batches: &[MetadataBatch]) {
        let changed = self.publisher.apply(batches);
        // A change may have cordoned some of them.
        self.tell_directories();
        self.publish(&changed);
    }

    fn move_logs(&mut self, moves: &[Move], reply: ReplyTo) {
        let now = self.environment.wall();
        let mut removals = Vec::new();
        let Publisher { hosting, view, .. } = &mut self.publisher;
        let begin = |wanted: &Move| {
            let (code, removal) = hosting.move_log(view, wanted, now, &self.environment);
            removals.extend(removal);
            code
        };
        let codes = moves.iter().map(begin).collect();
        self.publisher.show();
        self.publisher.tell_housekeeper();
        self.publisher.unlink(removals);
        self.publisher.answer(reply, Ok(Answered::Move(codes)));
    }

    fn complete_move(&mut self, key: TopicIdPartition) {
        let now = self.environment.wall();
        let Publisher { hosting, view, .. } = &mut self.publisher;
        let (completed, removal) = hosting.complete(view, key, now, &self.environment);
        let mut removals: Vec<_> = removal.into_iter().collect();
        if let Completed::Ready(assignment) = completed {
            let committed = self.change(&self.assignment(&[assignment]));
            let Publisher { hosting, view, .. } = &mut self.publisher;
            removals.extend(match committed {
                Ok(_) => hosting.swap(view, key, now, &self.environment),
                Err(_) => {
                    let partition = view.partition_by_id(key.topic_id, key.index);
                    partition.into_iter().for_each(|partition| partition.log.unseal());
                    hosting.drop_future(view, key, &self.environment)
                }
            });
        }
        self.publisher.note_changed(key);
        self.publisher.show();
        self.publisher.tell_housekeeper();
        self.publisher.unlink(removals);
        self.publisher.tell();
    }

    fn assignment(&self, assignments: &[DirectoryAssignment]) -> Change {
        Change::AssignReplicasToDirs { broker_id: self.node_id, assignments: assignments.to_vec() }
    }

    /// Tells in the metadata where logs are, where it says something else.
    fn assign(&mut self, topics: &[TopicId]) {
        let assignments = self.publisher.hosting.assignments(&self.publisher.view, topics);
        for assignments in assignments.chunks(MAX_ASSIGNED) {
            // Where it fails the next start tells it.
            if let Err(failure) = self.change(&self.assignment(assignments)) {
                warn!("cannot tell where logs are: {failure}");
                return;
            }
        }
    }

    /// Makes the partitions on this broker what the image says, then shows both.
    fn publish(&mut self, changed: &BTreeSet<TopicId>) {
        let removals = self.publisher.follow(changed);
        self.assign(&changed.iter().copied().collect::<Vec<_>>());
        self.publisher.show();
        if !changed.is_empty() {
            self.publisher.tell();
            self.publisher.tell_housekeeper();
        }
        self.publisher.unlink(removals);
    }

    /// Commits and publishes records that no change would cause.
    #[cfg(test)]
    pub fn write(&mut self, records: &[metadata::Record<'static>]) {
        self.authority.write(records);
        let committed = self.authority.commit().expect("it can be synced");
        self.take(&committed);
    }

    /// Ends everything in order: all shards have stopped. Blocks.
    pub fn close(&mut self) {
        let clean = self.publisher.hosting.close(&self.publisher.view, self.environment.wall());
        // A registration that looks alive would make Apache Kafka wait for the end of its session.
        for broker_id in self.cast.ids() {
            if let Err(failure) = self.authority.decide(&Change::FenceBroker { broker_id }) {
                error!("{failure}");
            }
        }
        if let Err(failure) = self.authority.close() {
            error!("{failure}");
            return;
        }
        if clean {
            self.publisher.hosting.mark_clean(&self.publisher.view);
            info!("all logs closed in order");
        }
    }
}

/// Decides about the change of a request.
fn decide(authority: &mut Authority, change: &Change) -> Result<Decided, ErrorCode> {
    authority.decide(change).map_err(|failure| match failure {
        // What the disk did was told once for the directory.
        AppendError::Storage(_) => ErrorCode::KafkaStorageError,
        failure => {
            error!("cannot write metadata: {failure}");
            ErrorCode::UnknownServerError
        }
    })
}
