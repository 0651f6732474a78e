//! Requests that wait: parked, looked at when something happened that may end their wait, answered.

use crate::handlers::{self, Answer, Parked, Polled};
use crate::io::driver::ConnectionKey;
use crate::model::Instant;
use crate::server::slots::Sequence;
use crate::server::{FAREWELL, Server};
use crate::shard::context::Reply;
use crate::shard::mailbox::Mail;
use crate::stdx::slab::Key;

/// A produce of this turn.
pub(super) struct Produce {
    pub(super) connection: ConnectionKey,
    pub(super) sequence: Sequence,
    pub(super) waiting: handlers::AppendedProduce,
}

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
            self.leaving = Some(self.turn.now + FAREWELL);
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
        while let Some(key) = self.wait_list.expired(self.turn.now) {
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
        let mut context = self.turn.context(None);
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
        let mut context = self.turn.context(None);
        match waiting.parked.poll(&mut self.handlers, &mut context, expired) {
            // Else the shard would poll it for ever.
            Polled::Wait => assert!(!expired, "an expired request is answered"),
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
        if let Some(connection) = self.connections.get_mut(waiting.connection).filter(|_| !waiting.parked.is_produce())
        {
            connection.parked = None;
        }
        self.fill(waiting.connection, waiting.sequence, answer);
    }

    /// Answers the produces of this turn, now that it has written what they appended; those that wait for a sync are parked.
    pub(super) fn answer_produces(&mut self) {
        let mut produces = self.produces.take();
        for Produce { connection, sequence, mut waiting } in produces.drain(..) {
            match waiting.poll(&mut self.turn.context(None), false, false) {
                Polled::Wait => {
                    let (deadline, watched) = (waiting.deadline(), waiting.watched());
                    let parked = Parked::Produce(Box::new(waiting));
                    let key = self.wait_list.park(Waiting { connection, sequence, parked }, deadline, watched);
                    self.poll(key, false);
                    continue;
                }
                Polled::Answer(answer) => self.fill(connection, sequence, Some(answer)),
                Polled::Silent => self.fill(connection, sequence, None),
                Polled::Close(reason) => self.close(connection, Some(reason)),
            }
            self.handlers.finish_produce(waiting);
        }
        self.produces.give_back(produces);
    }

    fn fill(&mut self, key: ConnectionKey, sequence: Sequence, answer: Option<Answer>) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.fill(sequence, answer);
            self.enqueue(key);
            self.touch(key);
        }
    }

    pub(super) fn park(&mut self, waiting: Waiting, deadline: Instant, watched: Vec<u64>) {
        let owner = waiting.connection;
        let key = self.wait_list.park(waiting, deadline, watched);
        let mut has_ended = false;
        if let Some(connection) = self.connections.get_mut(owner) {
            connection.parked = Some(key);
            has_ended = connection.has_ended;
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
