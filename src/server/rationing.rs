//! What a shard does when the memory for requests is short: large frames go on one at a time, the others are left in their
//! sockets, where they hold up nobody but their senders.

use std::time::Duration;

use crate::io::driver::ConnectionKey;
use crate::model::Instant;
use crate::server::Server;

/// How often those that wait for memory are looked at again: other shards give it back without a word.
const RETRY: Duration = Duration::from_millis(10);
/// How long the one frame that may go on may bring nothing.
const STALL: Duration = Duration::from_secs(5);

/// Connections with a large frame under way, while memory is short.
#[derive(Default)]
pub(super) struct Rationing {
    /// The one that may go on.
    favoured: Option<ConnectionKey>,
    /// In the order in which they came.
    waiting: Vec<ConnectionKey>,
}

impl Rationing {
    /// When those that wait should be looked at.
    pub(super) fn next_look(&self, now: Instant) -> Instant {
        match (self.waiting.is_empty(), self.favoured) {
            (true, _) => Instant::NEVER,
            (false, None) => now,
            (false, Some(_)) => now + RETRY,
        }
    }
}

impl Server {
    /// Whether a connection may receive more of its large frame now; if not, it waits.
    pub(super) fn may_collect(&mut self, key: ConnectionKey) -> bool {
        if !self.shared.memory.is_short() || *self.rationing.favoured.get_or_insert(key) == key {
            return true;
        }
        if let Some(connection) = self.connections.get_mut(key) {
            connection.awaits_memory = true;
            self.rationing.waiting.push(key);
        }
        false
    }

    /// Counts what a connection holds, and how much more of it is handled.
    pub(super) fn count_memory(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let holds = connection.inbound.len() + connection.outbound.memory_bytes();
        self.shared.memory.change(connection.counted_bytes, holds);
        connection.counted_bytes = holds;
        connection.limit_unsent(self.shared.memory.is_short());
        if self.rationing.favoured == Some(key) && connection.inbound.len() == 0 {
            self.rationing.favoured = None;
        }
    }

    /// Lets those that wait for memory go on: all of them if there is some, else one.
    pub(super) fn ration(&mut self) {
        if self.rationing.waiting.is_empty() {
            return;
        }
        if !self.shared.memory.is_short() {
            self.rationing.favoured = None;
            for key in std::mem::take(&mut self.rationing.waiting) {
                self.let_go_on(key);
            }
            return;
        }
        if let Some(favoured) = self.rationing.favoured {
            match self.connections.get(favoured) {
                Some(connection) if self.now.since(connection.last_active) <= STALL => return,
                Some(_) => self.close(favoured, Some("a large request stood still while memory was short".into())),
                None => {}
            }
        }
        let next = self.rationing.waiting.remove(0);
        self.rationing.favoured = Some(next);
        self.let_go_on(next);
    }

    fn let_go_on(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.awaits_memory = false;
            self.enqueue(key);
        }
    }
}
