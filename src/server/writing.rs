//! The end of a turn: each partition that was appended to is written once, synced where its topic asks for it, and the
//! requests that wait for it are polled.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use crate::io::driver::{ConnectionKey, Done, Operation};
use crate::replica::partition::Partition;
use crate::server::Server;
use crate::stdx::slab::Key;
use crate::storage::log::Flush;

/// What an operation was started for.
pub(super) enum DiskJob {
    /// One file of a partition's sync.
    Sync(Rc<Sync>),
    /// Cold bytes that a connection will send.
    ColdRead(ConnectionKey),
    /// Bytes that belong into the answer of an inquiry.
    InquiryRead(Key),
    /// A step of a connection's handshake, or of its login.
    Computed(ConnectionKey),
}

/// A partition's sync: over when all of its files are synced.
pub(super) struct Sync {
    partition: Arc<Partition>,
    flush: Flush,
    left: Cell<usize>,
    failure: RefCell<Option<String>>,
}

impl Server {
    /// Writes every partition that this turn appended to, once; `true` if there was one.
    pub(super) fn write_dirty(&mut self) -> bool {
        let partitions = self.turn.dirty.take();
        for partition in &partitions {
            let flush = partition.write_and_keep(self.turn.wall, &mut self.kept);
            self.follow_up(partition, flush);
        }
        self.answer_produces();
        let wrote = !partitions.is_empty();
        self.turn.dirty.give_back(partitions);
        wrote
    }

    /// Starts the sync that is asked for, and polls what waits for the partition, here and on other shards.
    fn follow_up(&mut self, partition: &Arc<Partition>, flush: Option<Flush>) {
        if let Some(flush) = flush {
            self.start_sync(partition.clone(), flush);
        }
        self.turn.shared.tell_progress(partition, Some(self.turn.shard));
        self.poll_watchers(partition.number);
    }

    pub(super) fn handle_done(&mut self, token: u64, result: io::Result<Done>) {
        match self.jobs.remove(Key::from_u64(token)) {
            Some(DiskJob::Sync(sync)) => self.handle_synced(&sync, result),
            Some(DiskJob::ColdRead(key)) => self.handle_cold_read(key, result),
            Some(DiskJob::InquiryRead(key)) => self.handle_inquiry_read(key, result),
            // A step that fails says so when the connection goes on.
            Some(DiskJob::Computed(key)) => self.handle_computed(key),
            None => {}
        }
    }

    /// Syncs every file at once. New names are rare; their directories are synced on a thread that may block.
    fn start_sync(&mut self, partition: Arc<Partition>, flush: Flush) {
        let mut operations: Vec<_> = flush.files.iter().cloned().map(Operation::Sync).collect();
        if let Some(rest) = flush.names_sync() {
            operations.push(Operation::Run(rest));
        }
        let sync = Sync { partition, flush, left: Cell::new(operations.len()), failure: RefCell::default() };
        let sync = Rc::new(sync);
        assert!(!operations.is_empty(), "a flush covers at least the segment that was written");
        for operation in operations {
            let token = self.jobs.insert(DiskJob::Sync(sync.clone())).to_u64();
            self.driver.submit(token, operation);
        }
    }

    fn handle_synced(&mut self, sync: &Sync, result: io::Result<Done>) {
        assert!(sync.left.get() > 0, "each file's sync ends once");
        sync.left.set(sync.left.get() - 1);
        if let Err(error) = result {
            sync.failure.replace(Some(error.to_string()));
        }
        if sync.left.get() == 0 {
            let result = sync.failure.take().map_or(Ok(()), Err);
            let next = sync.partition.handle_synced(&sync.flush, result, self.turn.wall);
            self.follow_up(&sync.partition, next);
        }
    }
}
