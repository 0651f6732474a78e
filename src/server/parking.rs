//! Requests that wait: parked, looked at when something happened that may end their wait, answered.

use crate::handlers::{Answer, Parked, Polled};
use crate::io::driver::ConnectionKey;
use crate::model::Instant;
use crate::server::slots::Sequence;
use crate::server::{FAREWELL, Server};
use crate::shard::context::{Context, Reply};
use crate::shard::mailbox::Mail;
use crate::stdx::slab::Key;

/// Who waits for an answer, and for what.
pub(super) struct Waiting {
    pub(super) connection: ConnectionKey,
    pub(super) sequence: Sequence,
    pub(super) parked: Parked,
}

impl Server {
    pub(super) fn handle_mail(&mut self, mail: Mail<Reply>) {
        if mail.progress_anywhere {
            self.handlers.mark_active_all();
            for key in self.wait_list.all() {
                self.poll(key, false);
            }
        } else {
            for partition in mail.progress {
                self.poll_watchers(partition);
            }
        }
        for reply in mail.replies {
            self.handle_reply(reply);
        }
        for connection in mail.connections {
            self.take_over(connection);
        }
        if mail.stop && self.leaving.is_none() {
            self.leaving = Some(self.now + FAREWELL);
            self.driver.stop_listening();
        }
    }

    fn handle_reply(&mut self, reply: Reply) {
        if let Some(waiting) = self.wait_list.get_mut(reply.parked) {
            waiting.parked.receive(reply.news);
            self.poll(reply.parked, false);
        }
    }

    pub(super) fn handle_expired(&mut self) {
        while let Some(key) = self.wait_list.expired(self.now) {
            self.poll(key, true);
        }
        if self.stopping.is_some() {
            // Whoever merely waits for more is answered with what there is.
            for key in self.wait_list.all() {
                self.give_up_waiting(key);
            }
        }
    }

    pub(super) fn run_coordinator_timers(&mut self) {
        let mut context = Context {
            shared: &self.shared,
            view: &self.view,
            shard: self.shard,
            now: self.now,
            wall: self.wall,
            dirty: &mut self.dirty,
        };
        context.run_coordinator_timers();
    }

    pub(super) fn poll_watchers(&mut self, partition: u64) {
        let mut waiting = self.wait_list.watching(partition);
        waiting.extend(self.handlers.mark_active(partition));
        waiting.sort_unstable();
        waiting.dedup();
        for key in waiting {
            self.poll(key, false);
        }
    }

    /// Looks whether a parked request can be answered; an expired one is answered in any case.
    fn poll(&mut self, key: Key, expired: bool) {
        let Some(waiting) = self.wait_list.get_mut(key) else { return };
        let mut context = Context {
            shared: &self.shared,
            view: &self.view,
            shard: self.shard,
            now: self.now,
            wall: self.wall,
            dirty: &mut self.dirty,
        };
        match waiting.parked.poll(&mut self.handlers, &mut context, expired) {
            Polled::Wait => debug_assert!(!expired, "an expired request is answered"),
            Polled::Answer(answer) => self.resume(key, Some(answer)),
            Polled::Silent => self.resume(key, None),
            Polled::Close(reason) => {
                if let Some(waiting) = self.wait_list.take(key) {
                    self.close(waiting.connection, Some(reason));
                }
            }
        }
    }

    fn resume(&mut self, key: Key, answer: Option<Answer>) {
        let Some(waiting) = self.wait_list.take(key) else { return };
        if let Some(connection) = self.connections.get_mut(waiting.connection) {
            connection.fill(waiting.sequence, answer);
            if !waiting.parked.is_produce() {
                connection.parked = None;
            }
            self.enqueue(waiting.connection);
            self.touch(waiting.connection);
        }
    }

    pub(super) fn park(&mut self, waiting: Waiting, deadline: Instant, watched: Vec<u64>) {
        let (owner, is_produce) = (waiting.connection, waiting.parked.is_produce());
        let key = self.wait_list.park(waiting, deadline, watched);
        let mut has_ended = false;
        if let Some(connection) = self.connections.get_mut(owner).filter(|_| !is_produce) {
            connection.parked = Some(key);
            has_ended = connection.has_ended;
        }
        let mut context = Context {
            shared: &self.shared,
            view: &self.view,
            shard: self.shard,
            now: self.now,
            wall: self.wall,
            dirty: &mut self.dirty,
        };
        let look_now = self
            .wait_list
            .get_mut(key)
            .is_some_and(|waiting| waiting.parked.start(&mut self.handlers, &mut context, key));
        if look_now {
            self.poll(key, false);
        }
        if has_ended {
            self.give_up_waiting(key);
        }
    }

    /// A client that has gone is not kept waiting: its fetch would hold memory until its time, which it has chosen.
    pub(super) fn handle_ended(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.has_ended = true;
        let parked = connection.parked;
        self.let_go_on(key);
        if let Some(parked) = parked {
            self.give_up_waiting(parked);
        }
    }

    fn give_up_waiting(&mut self, key: Key) {
        if self.wait_list.get_mut(key).is_some_and(|waiting| waiting.parked.waits_for_more()) {
            self.poll(key, true);
        }
    }
}
