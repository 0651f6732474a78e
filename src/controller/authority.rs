//! Where changes of metadata are decided, and how they come back from there: as committed batches, in the order of the log.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::{Config, LooksIntoStores};
use crate::hosting::doors::Stores;
use crate::io::disk::Disk;
use crate::io::environment::Environment;
use crate::metadata::{self, Change, Decided, Decision, Image, Inputs};
use crate::model::NodeId;
use crate::quorum::metadata_log::{MetadataBatch, MetadataLog};
use crate::quorum::metadata_snapshot::Policy;
use crate::quorum::replay;
use crate::replica::view::Leadership;
use crate::storage::health::Health;
use crate::storage::log::LogConfig;
use crate::storage::{AppendError, Error};

/// Who decides.
///
/// There will be a second kind with several brokers, `There`: another node leads the quorum of the metadata log. A client's change goes to it as
/// the frame that it came in, wrapped in an Envelope, and the client is answered what the leader answers; what the broker
/// asks for itself goes to it as a request of its own. The batches then come from this broker's follower of the metadata
/// log, when it has seen them committed. The publisher does not know the difference.
pub(super) enum Authority {
    /// This node is the leader of the quorum and its only voter.
    Here(Box<Decider>),
}

impl Authority {
    /// Decides on the newest metadata. The answer holds when the next [`Authority::commit`] has succeeded. Blocks.
    pub(super) fn decide(&mut self, change: &Change) -> Result<Decided, AppendError> {
        let Authority::Here(decider) = self;
        decider.decide(change)
    }

    /// Takes what looks into the stores that a change names.
    pub(super) fn look_into(&mut self, stores: Arc<Stores>) {
        let Authority::Here(decider) = self;
        decider.stores = Some(stores);
    }

    /// Whether something was decided that the next [`Authority::commit`] brings.
    pub(super) fn has_uncommitted(&self) -> bool {
        let Authority::Here(decider) = self;
        !decider.uncommitted.is_empty()
    }

    /// Commits what was decided, all together; the answer is what is committed now and was not before. Blocks.
    pub(super) fn commit(&mut self) -> Result<Vec<MetadataBatch>, Error> {
        let Authority::Here(decider) = self;
        decider.commit()
    }

    /// Everything is published that is committed: the time for what the decider does for itself. Blocks.
    pub(super) fn note_published(&mut self, shown: &Image) -> Result<(), Error> {
        let Authority::Here(decider) = self;
        decider.note_published(shown)
    }

    /// Ends in order. Blocks.
    pub(super) fn close(&mut self) -> Result<(), Error> {
        let Authority::Here(decider) = self;
        decider.log.close(decider.environment.wall())
    }

    /// Writes what no change would cause.
    #[cfg(test)]
    pub(super) fn write(&mut self, records: &[metadata::Record<'static>]) {
        let Authority::Here(decider) = self;
        let appended = decider.log.append(records, &decider.newest, decider.environment.wall());
        if let Some(batch) = appended.expect("it can be written") {
            batch.apply_or_warn(&mut decider.newest);
            decider.uncommitted.push(batch);
        }
    }
}

/// The leader of the metadata log: decides on all that it has appended, as Kafka's `QuorumController` does on its timeline,
/// whether it is committed or not.
pub(super) struct Decider {
    config: Config,
    environment: Environment,
    log: MetadataLog,
    /// Never shown: it has what is not committed yet, and may never be.
    newest: Image,
    kraft_version: i16,
    /// Looks into the stores of TLS that a change names.
    stores: Option<Arc<Stores>>,
    /// Appended since the last commit, in the order of the log.
    uncommitted: Vec<MetadataBatch>,
}

/// What is there already when the log is open.
pub(super) struct Opened {
    pub(super) decider: Decider,
    pub(super) leadership: Leadership,
}

impl Decider {
    /// Opens the metadata log in a log directory and replays it. Blocks.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        directory: (&Path, &Arc<Health>),
        config: &Config,
        environment: Environment,
    ) -> Result<Opened, Error> {
        let (node, policy) = (NodeId(config.node_id), snapshot_policy(config));
        let (log, newest) = MetadataLog::open(disk, directory, node, policy, environment.wall())?;
        let leadership = log.leadership();
        let (config, kraft_version, uncommitted) = (config.clone(), leadership.kraft_version, Vec::new());
        Ok(Opened {
            decider: Decider { config, environment, log, newest, kraft_version, stores: None, uncommitted },
            leadership,
        })
    }

    /// Whether the log has no cluster yet: Apache Kafka may have ended before its first records were whole.
    pub(super) fn is_fresh(&self) -> bool {
        self.newest.offset() < 0 || self.newest.metadata_version() == 0
    }

    /// Writes and commits the first records of a cluster. Blocks.
    pub(super) fn begin_cluster(&mut self, disk: &dyn Disk, log_directory: &Path) -> Result<(), Error> {
        let formatted = replay::bootstrap_records(disk, log_directory)?;
        let (min_insync, now) = (self.config.topic_defaults.min_insync_replicas, self.environment.wall());
        self.log.begin_cluster(&mut self.newest, formatted, min_insync, now)
    }

    /// What the log says; to be shown only while nothing is uncommitted.
    pub(super) fn committed(&self) -> &Image {
        assert!(self.uncommitted.is_empty(), "what is shown is committed");
        &self.newest
    }

    fn decide(&mut self, change: &Change) -> Result<Decided, AppendError> {
        let environment = &self.environment;
        let mut inputs = Inputs {
            config: &self.config,
            kraft_version: self.kraft_version,
            next_offset: self.log.end_offset(),
            now: environment.wall(),
            new_id: &mut || environment.new_id(),
            stores: self.stores.as_deref().map(|stores| stores as &dyn LooksIntoStores),
        };
        let Decision { records, answer } = metadata::decide(&self.newest, change, &mut inputs);
        if let Some(batch) = self.log.append(&records, &self.newest, environment.wall())? {
            let ignored = batch.apply(&mut self.newest);
            assert!(ignored.is_empty(), "what is decided on an image fits it: {ignored:?} of {change:?}");
            self.uncommitted.push(batch);
        }
        Ok(answer)
    }

    fn commit(&mut self) -> Result<Vec<MetadataBatch>, Error> {
        self.log.sync(self.environment.wall())?;
        Ok(std::mem::take(&mut self.uncommitted))
    }

    fn note_published(&mut self, shown: &Image) -> Result<(), Error> {
        // The disk has failed meanwhile: nothing more is to be done.
        if !self.uncommitted.is_empty() {
            return Ok(());
        }
        assert_eq!(shown.offset(), self.newest.offset(), "all that is committed is shown");
        self.log.snapshot_if_due(&self.newest, self.environment.wall())
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
