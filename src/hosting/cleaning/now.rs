//! Compaction when a test wants it: whatever the dirty ratio, and of the active segment, too. It is the cleaner's own thread that does
//! it, between two rounds, as the only one that knows how far a log was cleaned.

use std::sync::Arc;
use std::time::Duration;

use super::{Candidate, Cleaner, Round, Speed};
use crate::io::threads;
use crate::replica::partition::Partition;
use crate::replica::view::View;

/// Rounds of one log: each goes as far as the map of its keys has room.
const MOST_ROUNDS: usize = 1000;
/// How often a round is tried that cannot be done at the moment, as a sync is under way.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// What the cleaner's thread is told.
pub enum Task {
    Compact(CompactionOrder),
    Stop,
}

/// Logs that are to be compacted now: those of a topic, or all that are compacted at all.
pub struct CompactionOrder {
    pub topic: Option<String>,
    /// Called with the logs in which something was done, or could not be.
    pub tell: Box<dyn FnOnce(Vec<CompactedLog>) + Send>,
}

/// What became of one log.
pub struct CompactedLog {
    pub topic: Arc<str>,
    pub partition: i32,
    pub records_read: u64,
    pub records_written: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    /// Why it is not compacted as far as it could be.
    pub failure: Option<String>,
}

impl Cleaner {
    pub(super) fn compact_now(&mut self, order: CompactionOrder, pace: &mut dyn Speed) {
        let view = self.view.load_full();
        self.forget_gone(&view);
        let is_wanted = |partition: &&Arc<Partition>| {
            partition.is_compacted() && order.topic.as_ref().is_none_or(|topic| **topic == *partition.topic)
        };
        let partitions: Vec<Arc<Partition>> = view.partitions().filter(is_wanted).cloned().collect();
        let done = partitions.iter().map(|partition| self.compact_log(&view, partition, pace));
        (order.tell)(done.filter(|log| log.bytes_read > 0 || log.failure.is_some()).collect())
    }

    fn compact_log(&mut self, view: &View, partition: &Arc<Partition>, pace: &mut dyn Speed) -> CompactedLog {
        let mut log = CompactedLog {
            topic: partition.topic.clone(),
            partition: partition.index.0,
            records_read: 0,
            records_written: 0,
            bytes_read: 0,
            bytes_written: 0,
            failure: None,
        };
        let sealed = partition.log.seal_active(self.environment.wall());
        log.failure = sealed.err().map(|failure| failure.to_string());
        let (mut rounds, mut tries) = (0, 0);
        while log.failure.is_none() && rounds < MOST_ROUNDS {
            let Some(dirty) = self.dirty(view, partition) else { break };
            match self.clean(&dirty, view, pace) {
                Round::Done(cleaned) => {
                    rounds += 1;
                    log.records_read += cleaned.records_read;
                    log.records_written += cleaned.records_written;
                    log.bytes_read += cleaned.bytes_read;
                    log.bytes_written += cleaned.bytes_written;
                    if cleaned.end_offset <= dirty.dirtiness.first_dirty_offset {
                        break;
                    }
                }
                Round::Busy if tries < TRIES => {
                    tries += 1;
                    threads::wait(PAUSE);
                }
                Round::Busy => log.failure = Some("it is being synced".into()),
                Round::Later(reason) | Round::Failed(reason) => log.failure = Some(reason),
            }
        }
        log
    }

    /// A log in which there is anything to clean.
    fn dirty(&self, view: &View, partition: &Arc<Partition>) -> Option<Candidate> {
        let is_cleanable = !self.uncleanable.contains(&partition.number);
        let found = is_cleanable.then(|| self.candidate(view, partition, self.environment.wall()))?;
        found.filter(|candidate| candidate.dirtiness.cleanable_bytes > 0)
    }
}

/// Orders that came, and whether the word to stop did. `None`: nothing can come any more.
pub(super) fn sort(came: Option<Vec<Task>>, orders: &mut Vec<CompactionOrder>) -> bool {
    let mut is_stopped = came.is_none();
    for task in came.into_iter().flatten() {
        match task {
            Task::Compact(order) => orders.push(order),
            Task::Stop => is_stopped = true,
        }
    }
    is_stopped
}
