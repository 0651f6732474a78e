//! Opening and closing the logs of a directory, one or many at once.

use super::LogDirectory;
use super::checkpoints::Checkpoint;
use crate::model::{Offset, TimestampMs};
use crate::storage::error::Error;
use crate::storage::log::{Checkpointed, Flush, Identity, Log, LogConfig};
use crate::storage::names;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// From so many logs on that have something to be synced, the whole file system is: each log takes some seven syncs.
const SYNC_AT_ONCE_FROM: usize = 4;

impl LogDirectory {
    /// Opens or makes one partition's log. Blocks.
    pub fn open_log(&self, identity: Identity, config: LogConfig, now: TimestampMs) -> Result<Log, Error> {
        if self.is_offline() {
            return Err(Error::Offline);
        }
        if self.checkpoints().has_forgotten() {
            // The new log may bear the name of one that is gone but still stands in the files.
            self.checkpoint(&Checkpoint::ALL, [])?;
        }
        let directory = self.path.join(names::partition_directory(&identity.topic, identity.partition));
        let checkpointed = self.checkpointed(&identity);
        let name = (identity.topic.clone(), identity.partition);
        let opened = Log::open_in(&self.health, self.disk.clone(), directory, config, identity, checkpointed, now);
        let mut unopened = self.unopened.lock().unwrap_or_else(PoisonError::into_inner);
        match &opened {
            Ok(log) => {
                log.tell_loss();
                unopened.remove(&name);
            }
            Err(failure) => {
                unopened.insert(name);
                self.health.note(failure);
            }
        }
        opened
    }

    /// Opens a log that was closed in order a moment ago, with these offsets of its start and its end. Blocks.
    pub fn open_closed_log(
        &self,
        identity: Identity,
        config: LogConfig,
        (log_start_offset, recovery_point): (Offset, Offset),
        now: TimestampMs,
    ) -> Result<Log, Error> {
        let directory = self.path.join(names::partition_directory(&identity.topic, identity.partition));
        let checkpointed = Checkpointed { log_start_offset, recovery_point, clean: true };
        let opened = Log::open_in(&self.health, self.disk.clone(), directory, config, identity, checkpointed, now);
        opened.inspect(Log::tell_loss).inspect_err(|failure| self.health.note(failure))
    }

    /// Opens many logs on so many threads at once; the answers in the same order, each for itself. `progress` is called
    /// after each. Blocks.
    pub fn open_logs(
        &self,
        wanted: &[(Identity, LogConfig)],
        threads: usize,
        now: TimestampMs,
        progress: &(dyn Fn() + Sync),
    ) -> Vec<Result<Log, Error>> {
        let open = |at: usize| {
            let opened = self.open_log(wanted[at].0.clone(), wanted[at].1.clone(), now);
            progress();
            opened
        };
        if threads <= 1 || wanted.len() <= 1 {
            return (0..wanted.len()).map(open).collect();
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut opened = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= wanted.len() {
                    return opened;
                }
                opened.push((at, open(at)));
            }
        };
        let mut all: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads.min(wanted.len())).map(|_| scope.spawn(work)).collect();
            // A panic there is a bug of ours and goes on here.
            running
                .into_iter()
                .flat_map(|thread| thread.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
                .collect()
        });
        all.sort_unstable_by_key(|(at, _)| *at);
        assert!(all.iter().map(|(at, _)| *at).eq(0..wanted.len()), "every log is opened once");
        all.into_iter().map(|(_, result)| result).collect()
    }

    /// Closes logs of this directory, for a stop: many are synced with one call. The answers in the same order. Blocks.
    pub fn close_logs(&self, logs: &[&Log], now: TimestampMs) -> Vec<Result<Offset, Error>> {
        assert!(logs.iter().all(|log| self.holds(log)), "one call syncs the file system of this directory only");
        let closed: Vec<_> = logs.iter().map(|log| log.close_unsynced()).collect();
        let unsynced = closed.iter().flatten().filter(|flush| !flush.is_empty()).count();
        let at_once = unsynced >= SYNC_AT_ONCE_FROM && self.disk.sync_file_system(&self.path).is_ok();
        let finish = |(log, closed): (&&Log, Result<Flush, Error>)| {
            let flush = closed?;
            if !at_once {
                flush.run()?;
            }
            log.flushed(&flush, now);
            assert_eq!(flush.up_to, log.log_end_offset(), "nothing is appended to a closed log");
            Ok(flush.up_to)
        };
        logs.iter().zip(closed).map(finish).collect()
    }
}
