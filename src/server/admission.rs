//! What a shard does when the memory for requests is short: large frames go on one at a time, the others are left in their
//! sockets, where they hold up only their senders.

use std::collections::VecDeque;
use std::time::Duration;

use crate::io::driver::ConnectionKey;
use crate::metrics::Ending;
use crate::model::Instant;
use crate::server::{End, Server};

/// How often those that wait for memory are looked at again: other shards give it back without a word.
const RETRY: Duration = Duration::from_millis(10);
/// How long the one frame that may go on may bring nothing.
const STALL: Duration = Duration::from_secs(5);
/// A connection that holds less is not counted: most hold a few hundred bytes between two turns, and one number that all
/// shards write for each request would cost more than it tells.
pub(super) const COUNTED_FROM_BYTES: usize = 32 * 1024;

/// Connections with a large frame under way, while memory is short.
#[derive(Default)]
pub(super) struct MemoryAdmission {
    /// The one whose frame may go on.
    favoured: Option<ConnectionKey>,
    /// Connections in the order in which they came; some may have gone.
    waiting: VecDeque<ConnectionKey>,
}

impl MemoryAdmission {
    /// When those that wait should be looked at.
    pub(super) fn next_look(&self, now: Instant) -> Instant {
        match (self.waiting.is_empty(), self.favoured) {
            (true, _) => Instant::NEVER,
            (false, None) => now,
            (false, Some(_)) => now + RETRY,
        }
    }

    /// A large frame is complete: it is the next one's turn.
    pub(super) fn finish(&mut self, key: ConnectionKey) {
        self.favoured = self.favoured.filter(|favoured| *favoured != key);
    }
}

impl Server {
    /// Whether a connection may receive more of its large frame now; if not, it waits.
    pub(super) fn may_collect(&mut self, key: ConnectionKey) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        // Of one that has ended no more can come than is in its socket.
        if !self.turn.shared.memory.is_short() || connection.has_ended || self.admission.favoured == Some(key) {
            return true;
        }
        if self.admission.favoured.is_none() && self.admission.waiting.is_empty() {
            self.admission.favoured = Some(key);
            return true;
        }
        connection.awaits_memory = true;
        self.admission.waiting.push_back(key);
        false
    }

    /// Counts what a connection holds.
    pub(super) fn count_memory(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let holds = connection.inbound.memory_bytes() + connection.outbound.memory_bytes();
        let holds = holds + connection.transport.memory_bytes();
        let counted = if holds < COUNTED_FROM_BYTES { 0 } else { holds };
        self.turn.shared.memory.change(connection.counted_bytes, counted);
        connection.counted_bytes = counted;
        if connection.unauthenticated_bytes > 0 || !connection.is_let_in() {
            self.count_login(key);
        }
    }

    /// Lets those that wait for memory go on: all of them if there is some, else one.
    pub(super) fn ration(&mut self) {
        if self.admission.waiting.is_empty() {
            return;
        }
        if !self.turn.shared.memory.is_short() {
            self.admission.favoured = None;
            std::mem::take(&mut self.admission.waiting).into_iter().for_each(|key| self.let_go_on(key));
            return;
        }
        if let Some(favoured) = self.admission.favoured {
            // It may have gone.
            let last_active = self.connections.get(favoured).map(|connection| connection.last_active);
            if last_active.is_some_and(|last_active| self.turn.now.since(last_active) <= STALL) {
                return;
            }
            self.close(favoured, End::told(Ending::Memory, "a large request stood still while memory was short"));
        }
        while let Some(next) = self.admission.waiting.pop_front() {
            if self.connections.get(next).is_some_and(|connection| connection.awaits_memory) {
                self.admission.favoured = Some(next);
                return self.let_go_on(next);
            }
        }
    }

    /// A connection that waits for memory is looked at again.
    pub(super) fn let_go_on(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if std::mem::take(&mut connection.awaits_memory) {
            self.enqueue(key);
        }
    }
}
