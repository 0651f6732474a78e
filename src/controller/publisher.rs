//! The one consumer of committed batches of metadata, whichever node has decided them: it applies them to the image that is
//! shown, makes the partitions of this broker so, publishes both as one [`View`], and tells those who wait.
//!
//! Nothing else changes the image of the view. So an image that is seen outside the decider never has what is not
//! committed.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use log::error;

use super::audience::{Answered, Audience, ReplyTo};
use crate::hosting::Hosting;
use crate::hosting::housekeeping;
use crate::io::environment::Environment;
use crate::metadata::{self, Image, Record, ResourceType};
use crate::model::{ErrorCode, TopicId, TopicIdPartition};
use crate::quorum::metadata_log::MetadataBatch;
use crate::replica::played::Staging;
use crate::replica::view::View;
use crate::stdx::inbox::Inbox;
use crate::storage::log::Removal;

/// What is shown, and the partitions that it shows.
pub(super) struct Publisher {
    /// What is published next. Its image changes in [`Publisher::apply`] alone.
    pub(super) view: View,
    pub(super) hosting: Hosting,
    published: Arc<ArcSwap<View>>,
    environment: Environment,
    /// `None` before a request can wait.
    audience: Option<Box<dyn Audience>>,
    /// The thread that unlinks files and flushes logs by the clock.
    housekeeping: Option<Inbox<housekeeping::Task>>,
    /// Numbers of the partitions whose waiters must look again when the view is shown.
    changed: BTreeSet<u64>,
}

impl Publisher {
    pub(super) fn new(view: View, hosting: Hosting, environment: Environment) -> Publisher {
        let published = Arc::new(ArcSwap::from_pointee(view.clone()));
        let (audience, housekeeping, changed) = (None, None, BTreeSet::new());
        Publisher { view, hosting, published, environment, audience, housekeeping, changed }
    }

    pub(super) fn published(&self) -> Arc<ArcSwap<View>> {
        self.published.clone()
    }

    pub(super) fn announce_to(&mut self, audience: Box<dyn Audience>) {
        self.audience = Some(audience);
    }

    pub(super) fn leave_to(&mut self, housekeeping: Inbox<housekeeping::Task>) {
        self.housekeeping = Some(housekeeping);
    }

    /// Takes over what is committed. The answer are the topics of which something has changed that this broker must act on.
    pub(super) fn apply(&mut self, batches: &[MetadataBatch]) -> BTreeSet<TopicId> {
        let mut changed = BTreeSet::new();
        for batch in batches {
            // A deleted topic is named by its records only while it is in the image.
            note_changed(&batch.records, &self.view.image, &mut changed);
            let unclean = batch.records.iter().filter(|record| metadata::is_unclean_election(record, &self.view.image));
            self.view.unclean_elections += unclean.count() as u64;
            let before = self.view.applied_offset();
            batch.apply_or_warn(&mut self.view.image);
            assert!(before < self.view.applied_offset(), "a batch has records");
            note_changed(&batch.records, &self.view.image, &mut changed);
        }
        changed
    }

    /// Makes the partitions on this broker what the image says of these topics. The answer is what is to be unlinked.
    pub(super) fn follow(&mut self, topics: &BTreeSet<TopicId>) -> Vec<Removal> {
        // Who waits for one that is new waits for nothing yet: its number has just been given.
        let hosted = topics.iter().filter_map(|topic| self.view.hosted(*topic));
        self.changed.extend(hosted.flat_map(|hosted| hosted.iter().flatten()).map(|partition| partition.number));
        self.hosting.follow(&mut self.view, topics, self.environment.wall(), &self.environment)
    }

    /// Those who wait for the partition must look again.
    pub(super) fn note_changed(&mut self, key: TopicIdPartition) {
        let hosted = self.view.hosted(key.topic_id).and_then(|hosted| hosted.get(usize::try_from(key.index).ok()?));
        self.changed.extend(hosted.into_iter().flatten().map(|partition| partition.number));
    }

    /// Shows what a test wants of the brokers that are played. Those who wait for its partition look again. An error is a sentence.
    pub(super) fn stage(&mut self, staging: &Staging) -> Result<(), String> {
        let changed = Arc::make_mut(&mut self.view.played).stage(&self.view.image, staging)?;
        changed.into_iter().for_each(|key| self.note_changed(key));
        self.show();
        self.tell();
        Ok(())
    }

    /// Those who wait for a partition of a directory that has failed must look again.
    pub(super) fn note_offline(&mut self) {
        let offline = self.view.partitions().filter(|partition| partition.log.is_offline());
        self.changed.extend(offline.map(|partition| partition.number));
    }

    /// Shows the view to all.
    pub(super) fn show(&self) {
        let shown = self.published.load().applied_offset();
        assert!(shown <= self.view.applied_offset(), "what was shown is never taken back");
        self.published.store(Arc::new(self.view.clone()));
    }

    /// Tells those who wait for what has changed, after it is shown.
    pub(super) fn tell(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        self.audience.iter().for_each(|audience| audience.tell_changed(&changed));
    }

    /// Answers a request that waits.
    pub(super) fn answer(&self, to: ReplyTo, answer: Result<Answered, ErrorCode>) {
        if let Some(audience) = &self.audience {
            audience.answer(to, answer);
        }
    }

    /// Tells the housekeeper that there are other partitions, moves or configs now.
    pub(super) fn tell_housekeeper(&self) {
        self.housekeeping.iter().for_each(|housekeeping| housekeeping.send(housekeeping::Task::Look));
    }

    /// Leaves the unlinking to the housekeeper; without one it is done here.
    pub(super) fn unlink(&self, removals: Vec<Removal>) {
        let delay = self.hosting.delete_delay(&self.view.image);
        for removal in removals {
            if let Some(housekeeping) = &self.housekeeping {
                housekeeping.send(housekeeping::Task::Unlink(removal, delay));
            } else if let Err(failure) = removal.run() {
                error!("{failure}");
            }
        }
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
