//! Requests that wait: parked, looked at when something happened that may end their wait, answered.

use crate::faults::Struck;
use crate::handlers::{self, Answer, Outcome, Parked, Polled};
use crate::io::driver::ConnectionKey;
use crate::model::{ApiKey, Instant};
use crate::server::journal::GONE;
use crate::server::slots::Sequence;
use crate::server::throttle::Charge;
use crate::server::{End, Server};
use crate::shard::context::{News, Note};
use crate::shard::mailbox::Mail;
use crate::stdx::slab::Key;

/// A client that is owed an answer.
#[derive(Clone, Copy)]
pub(super) enum Asker {
    Connection(ConnectionKey, Sequence),
    Inquiry(Key),
    /// The broker's own work, which has no answer.
    Broker,
}

/// A request that is handled and not answered.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    pub(super) asker: Asker,
    pub(super) api: ApiKey,
    /// When the turn that took in its frame began.
    pub(super) since: Instant,
    pub(super) version: i16,
    pub(super) charge: Charge,
    /// Its place in the journal.
    pub(super) noted: Option<Key>,
    /// The rule of a test that wants its answer.
    pub(super) struck: Option<Struck>,
}

impl Begun {
    /// No client is charged for it.
    pub(super) fn uncharged(asker: Asker, api: ApiKey, since: Instant) -> Begun {
        Begun { asker, api, since, version: 0, charge: Charge::Free, noted: None, struck: None }
    }
}

/// A produce of this turn.
pub(super) struct Produce {
    pub(super) begun: Begun,
    pub(super) waiting: handlers::AppendedProduce,
}

/// A request that waits, and what for.
pub(super) struct Waiting {
    pub(super) begun: Begun,
    pub(super) parked: Parked,
}

impl Server {
    pub(super) fn handle_mail(&mut self, mail: Mail<Note>) {
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
        for note in mail.notes {
            match note {
                Note::Reply { parked, news } => self.handle_reply(parked, news),
                Note::Markers(job) => self.turn.marker_jobs.push(job),
            }
        }
        for connection in mail.connections {
            self.take_over(connection);
        }
        if mail.abandoned {
            self.forget_abandoned();
        }
        self.handle_inquiries(mail.inquiries);
        if mail.stop && self.leaving.is_none() {
            self.leaving = Some(self.turn.now + self.turn.shared.config.stop_grace);
            self.driver.stop_listening();
            self.close_entrance();
        }
    }

    fn handle_reply(&mut self, parked: Key, news: News) {
        if let Some(waiting) = self.wait_list.get_mut(parked) {
            waiting.parked.receive(news);
            self.poll(parked, false);
        }
    }

    /// Begins what coordinators have commanded in this turn.
    pub(super) fn begin_marker_jobs(&mut self) {
        for job in std::mem::take(&mut self.turn.marker_jobs) {
            let begun = Begun::uncharged(Asker::Broker, ApiKey::WriteTxnMarkers, self.turn.now);
            let outcome = handlers::write_markers(&mut self.turn.context(None), job);
            self.settle(begun, outcome);
        }
    }

    /// Goes on with a request by what became of it.
    pub(super) fn settle(&mut self, begun: Begun, outcome: Outcome) {
        match outcome {
            Outcome::Answer(answer) => self.fill(begun, Some(answer)),
            Outcome::Silent => self.fill(begun, None),
            Outcome::Close(reason) => self.end(begun, End::refused(reason)),
            Outcome::Appended(waiting) => self.produces.push(Produce { begun, waiting }),
            Outcome::Wait { parked, deadline, watched } => {
                assert!(!parked.is_produce(), "a produce waits for the end of its turn first");
                self.park(Waiting { begun, parked }, deadline, watched);
            }
        }
    }

    pub(super) fn handle_expired(&mut self) {
        while let Some(key) = self.wait_list.expired(self.turn.now) {
            self.poll(key, true);
        }
        if self.stopping.is_some() {
            // What merely waits for more is answered with what there is.
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
        let began = match self.wait_list.get_mut(key).map(|waiting| waiting.begun) {
            Some(Begun { charge: Charge::Time(_), api, .. }) => self.begin_charge(api),
            _ => None,
        };
        let Some(waiting) = self.wait_list.get_mut(key) else { return };
        let begun = waiting.begun;
        let route = match begun.asker {
            Asker::Connection(owner, _) => self.connections.get(owner).map(|owner| &owner.session.route),
            _ => None,
        };
        let mut context = self.turn.context_at(route, None);
        let polled = waiting.parked.poll(&mut self.handlers, &mut context, expired);
        let charge = self.add_time(begun, began);
        if let Some(waiting) = self.wait_list.get_mut(key) {
            waiting.begun.charge = charge;
        }
        match polled {
            // Else the shard would poll it for ever.
            Polled::Wait => assert!(!expired, "an expired request is answered"),
            Polled::Answer(answer) => self.resume(key, Some(answer)),
            Polled::Silent => self.resume(key, None),
            Polled::Again(outcome) => {
                if let Some(waiting) = self.take_waiting(key) {
                    self.settle(waiting.begun, *outcome);
                }
            }
            Polled::Close(reason) => {
                if let Some(waiting) = self.wait_list.take(key) {
                    self.end(waiting.begun, End::refused(reason));
                }
            }
        }
    }

    fn resume(&mut self, key: Key, answer: Option<Answer>) {
        if let Some(waiting) = self.take_waiting(key) {
            self.fill(waiting.begun, answer);
        }
    }

    /// Takes a request out of the wait list; those whom it belongs to do not name it any more.
    fn take_waiting(&mut self, key: Key) -> Option<Waiting> {
        let waiting = self.wait_list.take(key)?;
        match waiting.begun.asker {
            Asker::Connection(key, _) => {
                if let Some(connection) = self.connections.get_mut(key).filter(|_| !waiting.parked.is_produce()) {
                    connection.parked = None;
                }
            }
            Asker::Inquiry(key) => {
                if let Some(open) = self.inquiries.get_mut(key) {
                    open.parked = None;
                }
            }
            Asker::Broker => {}
        }
        Some(waiting)
    }

    /// Answers the produces of this turn, now that it has written what they appended; those that wait for a sync are parked.
    pub(super) fn answer_produces(&mut self) {
        let mut produces = self.produces.take();
        for Produce { begun, mut waiting } in produces.drain(..) {
            match waiting.poll(&mut self.turn.context(None), false, false) {
                Polled::Wait => {
                    let (deadline, watched) = (waiting.deadline(), waiting.watched());
                    let parked = Parked::Produce(Box::new(waiting));
                    let key = self.wait_list.park(Waiting { begun, parked }, deadline, watched);
                    self.poll(key, false);
                    continue;
                }
                Polled::Answer(answer) => self.fill(begun, Some(answer)),
                Polled::Silent => self.fill(begun, None),
                Polled::Close(reason) => self.end(begun, End::refused(reason)),
                Polled::Again(_) => unreachable!("what is appended is not handled again"),
            }
            self.handlers.finish_produce(waiting);
        }
        self.produces.give_back(produces);
    }

    /// Hands an answer, or that there is none, to the client that is owed it, if that is still there.
    pub(super) fn fill(&mut self, mut begun: Begun, mut answer: Option<Answer>) {
        if let Some(struck) = begun.struck.take() {
            match self.suffer_after(begun, struck, answer) {
                Some(left) => answer = left,
                None => return,
            }
        }
        let size_bytes = answer.as_ref().map_or(0, Answer::size_bytes);
        let errors = answer.as_mut().map(|answer| std::mem::take(&mut answer.errors)).unwrap_or_default();
        match begun.asker {
            Asker::Connection(key, sequence) => {
                let answer = self.throttle(key, (begun.api, begun.version, begun.charge), answer);
                self.end_exchange(begun.noted, answer.as_ref(), &errors);
                let Some(connection) = self.connections.get_mut(key) else { return };
                connection.fill(sequence, answer);
                self.enqueue(key);
                self.touch(key);
            }
            Asker::Inquiry(key) if self.inquiries.get(key).is_none() => return,
            Asker::Inquiry(key) => self.answer_inquiry(key, answer),
            Asker::Broker => return,
        }
        self.note_answer(begun.api, begun.since, size_bytes, &errors);
    }

    /// A request cannot be answered, and with it ends what it came by.
    pub(super) fn end(&mut self, begun: Begun, end: End) {
        self.fail_exchange(begun.noted, end.line.as_deref().unwrap_or(GONE));
        match begun.asker {
            Asker::Connection(key, _) => self.close(key, end),
            Asker::Inquiry(key) => self.end_inquiry(key, end),
            Asker::Broker => {}
        }
    }

    pub(super) fn park(&mut self, waiting: Waiting, deadline: Instant, watched: Vec<u64>) {
        let asker = waiting.begun.asker;
        let key = self.wait_list.park(waiting, deadline, watched);
        let mut has_ended = false;
        match asker {
            Asker::Connection(owner, _) => {
                if let Some(connection) = self.connections.get_mut(owner) {
                    assert!(connection.parked.is_none(), "one request of a connection waits for long at a time");
                    connection.parked = Some(key);
                    has_ended = connection.has_ended;
                }
            }
            Asker::Inquiry(owner) => {
                if let Some(open) = self.inquiries.get_mut(owner) {
                    open.parked = Some(key);
                }
            }
            Asker::Broker => {}
        }
        if has_ended {
            self.give_up_waiting(key);
        }
    }

    /// A client that has gone is not kept waiting: its fetch would hold memory until its time, which it has chosen.
    pub(super) fn handle_ended(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.has_ended = true;
        if connection.never_answers {
            return self.close(key, End::by_client());
        }
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
