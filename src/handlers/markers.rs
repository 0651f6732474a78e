//! The broker's own work at the end of a transaction: when the decision is committed each of its partitions gets a marker,
//! and when all markers are committed the coordinator writes the result (`TransactionMarkerChannelManager`).
//!
//! A marker that cannot be written is tried again until it can, however long that takes: else the transaction's readers
//! would wait for ever. A partition that is deleted meanwhile is left out. A broker that ends in between does the rest when
//! its coordinator has loaded.

use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use super::{Outcome, Parked, Polled};
use crate::coordinator::transactions::TopicPartition;
use crate::coordinator_runtime::Marked;
use crate::model::{ErrorCode, Instant};
use crate::replica::partition::Partition;
use crate::shard::context::Context;
use crate::shard::coordination::MarkerJob;
use crate::storage::log::Mark;

/// How long the first repetition waits, and the later ones at most.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// A marker in a partition's log.
struct Written {
    partition: Arc<Partition>,
    mark: Mark,
}

struct Job {
    ending: MarkerJob,
    is_decided: bool,
    /// The partitions without a marker.
    left: Vec<TopicPartition>,
    written: Vec<Written>,
    /// When those that failed are tried again.
    retry_at: Instant,
    backoff: Duration,
    has_told: bool,
}

/// A transaction's end that waits: for the decision, for its markers, or for another try.
pub struct Waiting(Option<Job>);

/// Begins the end of a transaction.
pub fn write_markers(context: &mut Context<'_>, mut ending: MarkerJob) -> Outcome {
    let left = std::mem::take(&mut ending.markers.partitions).into_iter().collect();
    let (written, retry_at, backoff) = (Vec::new(), context.now, FIRST_BACKOFF);
    Job { ending, is_decided: false, left, written, retry_at, backoff, has_told: false }.go_on(context)
}

impl Waiting {
    pub(super) fn poll(&mut self, context: &mut Context<'_>, expired: bool, asks: bool) -> Polled {
        if asks {
            // A partition that has told of its progress was not asked again: it may have synced what lies before the marker.
            let watched = self.0.iter().flat_map(Job::watched);
            watched.for_each(|partition| _ = partition.waiting.add(context.shard));
        }
        if !expired && self.0.as_ref().is_some_and(|job| !job.can_go_on(context)) {
            return Polled::Wait;
        }
        self.0.take().map_or(Polled::Silent, |job| Polled::Again(Box::new(job.go_on(context))))
    }
}

impl Job {
    /// Whether anything has come that was waited for.
    fn can_go_on(&self, context: &Context<'_>) -> bool {
        if self.ending.coordinator.has_ended() {
            return true;
        }
        if !self.is_decided {
            return self.ending.decided.is_passed() != Ok(false);
        }
        let is_written = |written: &Written| written.partition.is_committed(written.mark) != Ok(false);
        (!self.left.is_empty() && self.retry_at <= context.now)
            || (!self.written.is_empty() && self.written.iter().all(is_written))
    }

    /// Does what can be done, and waits for the rest.
    fn go_on(mut self, context: &mut Context<'_>) -> Outcome {
        loop {
            // The next coordinator begins the end of this transaction again.
            if self.ending.coordinator.has_ended() {
                return Outcome::Silent;
            }
            if !self.is_decided {
                match self.ending.decided.is_passed() {
                    Ok(is_passed) => self.is_decided = is_passed,
                    Err(_) => return Outcome::Silent,
                }
            }
            if self.is_decided {
                self.settle(context.now);
                if self.retry_at <= context.now && !self.append(context) {
                    return Outcome::Silent;
                }
                if self.left.is_empty() && self.written.is_empty() {
                    self.complete(context);
                    return Outcome::Silent;
                }
            }
            for partition in self.watched() {
                partition.waiting.add(context.shard);
            }
            if !self.can_go_on(context) {
                return self.wait();
            }
        }
    }

    /// Lets go of markers that are committed; those that never will be are written anew.
    fn settle(&mut self, now: Instant) {
        for Written { partition, mark } in std::mem::take(&mut self.written) {
            match partition.is_committed(mark) {
                Ok(true) => {}
                Ok(false) => self.written.push(Written { partition, mark }),
                Err(error) => {
                    let failed = (partition.topic.clone(), partition.index.0);
                    self.fail(failed, error, now);
                }
            }
        }
    }

    /// Appends the markers that are left; `false` if the transaction has ended otherwise.
    fn append(&mut self, context: &mut Context<'_>) -> bool {
        let moment = context.moment();
        for partition in std::mem::take(&mut self.left) {
            let MarkerJob { coordinator, markers, .. } = &self.ending;
            let (topic, index) = (&*partition.0, partition.1);
            match coordinator.mark(context.shared.coordinators(), context.view, moment, markers, (topic, index)) {
                Marked::Appended(partition, mark) => {
                    context.dirty.add(&partition);
                    self.written.push(Written { partition, mark });
                }
                Marked::Gone => {
                    let id = &markers.transactional_id;
                    info!("transaction of {id:?} ends without a marker in {topic}-{index}, which was deleted");
                }
                Marked::Fenced(error) => {
                    let id = &markers.transactional_id;
                    warn!("transaction of {id:?}: {topic}-{index} takes no marker, it was ended there before: {error}");
                }
                Marked::Failed(error) => self.fail(partition, error, context.now),
                Marked::Over => return false,
            }
        }
        true
    }

    /// A marker is to be tried again later.
    fn fail(&mut self, partition: TopicPartition, error: ErrorCode, now: Instant) {
        if !self.has_told {
            self.has_told = true;
            let (id, (topic, index)) = (&self.ending.markers.transactional_id, &partition);
            warn!("transaction of {id:?} cannot end yet: no marker in {topic}-{index}: {error}; it is tried again");
        }
        if self.retry_at <= now {
            self.retry_at = now + self.backoff;
            self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
        }
        self.left.push(partition);
    }

    fn complete(&self, context: &mut Context<'_>) {
        let MarkerJob { coordinator, markers, .. } = &self.ending;
        let (id, producer, commit) = (&markers.transactional_id, markers.producer, markers.commit);
        if self.has_told {
            info!("transaction of {id:?} has all its markers now");
        }
        // A coordinator that cannot step has ended, and the next one sends the markers again.
        let _ = context.step(coordinator, |machine, step| machine.complete(step, id, producer, commit));
    }

    fn watched(&self) -> impl Iterator<Item = &Arc<Partition>> {
        let of_markers = self.written.iter().map(|written| &written.partition);
        of_markers.chain([&self.ending.coordinator.partition])
    }

    fn wait(self) -> Outcome {
        let watched = super::numbers(self.watched());
        let deadline = if self.left.is_empty() || !self.is_decided { Instant::NEVER } else { self.retry_at };
        Outcome::Wait { parked: Parked::Markers(Box::new(Waiting(Some(self)))), deadline, watched }
    }
}
