//! Logins of a shard's connections: their frames, the delay after a refusal, and what bounds clients that are not let in,
//! because their handshake or their login goes on: their time, and the memory that they hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::faults::Struck;
use crate::handlers::authentication::{self, Progress, Refused};
use crate::handlers::{Answer, table};
use crate::io::driver::ConnectionKey;
use crate::metrics::Ending;
use crate::model::{ApiKey, Instant};
use crate::server::connection::Connection;
use crate::server::{End, Server};
use crate::shard::audit::RefusedLogin;
use crate::shard::context::Turn;
use crate::shard::login::CountedRequest;
use crate::shard::session::Authentication;

/// The connections that logins have something to do with at a time.
#[derive(Default)]
pub(super) struct LoginTimes {
    /// When those that were refused end, the soonest first: the delay is the same for all.
    refused: VecDeque<(Instant, ConnectionKey)>,
    /// When those that are not let in end.
    unauthenticated: BTreeSet<(Instant, ConnectionKey)>,
    /// What rules of a test want of answers that another thread is computing.
    struck: BTreeMap<ConnectionKey, Struck>,
}

impl LoginTimes {
    /// When the next one ends.
    pub(super) fn next(&self) -> Instant {
        let refused = self.refused.front().map_or(Instant::NEVER, |(at, _)| *at);
        refused.min(self.unauthenticated.first().map_or(Instant::NEVER, |(at, _)| *at))
    }
}

impl Server {
    /// A connection has a limited time for its handshake and its login.
    pub(super) fn watch_login(&mut self, key: ConnectionKey) {
        let (now, timeout) = (self.turn.now, self.turn.shared.logins.timeout);
        let Some(connection) = self.connections.get_mut(key) else { return };
        if let Some(timeout) = timeout.filter(|_| !connection.is_let_in()) {
            connection.login_until = Some(now + timeout);
            self.login_times.unauthenticated.insert((now + timeout, key));
        }
    }

    /// Handles a frame of a session that may log in, if it is one of a login, which it may begin; answers whether it is.
    pub(super) fn take_login_frame(&mut self, key: ConnectionKey, frame: &[u8]) -> Result<bool, End> {
        let now = self.turn.now;
        let Some(connection) = self.connections.get_mut(key) else { return Ok(true) };
        let session = &mut connection.session;
        if session.authentication.is_open() {
            let is_handshake = table::of_frame(frame).is_some_and(|row| row.key == ApiKey::SaslHandshake);
            if !is_handshake || !authentication::begins_again(session, now) {
                // It is looked at when a request comes, and never by a timer.
                return if session.is_expired(now) { Err(End::unauthenticated()) } else { Ok(false) };
            }
            self.watch_login(key);
        }
        self.handle_login_frame(key, frame).map(|()| true)
    }

    /// Handles a frame of a login, whose answer a rule of a test may want.
    pub(super) fn authenticate(&mut self, key: ConnectionKey, frame: &[u8], struck: Option<Struck>) -> Result<(), End> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        let progress = authentication::handle(&mut self.turn.context(None), &mut connection.session, frame);
        self.go_on_with_login(key, progress, struck)
    }

    /// What was computed for a login is there.
    pub(super) fn resume_login(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let progress = authentication::resume(&mut self.turn.context(None), &mut connection.session);
        let struck = self.login_times.struck.remove(&key);
        match self.go_on_with_login(key, progress, struck) {
            Ok(()) => self.enqueue(key),
            Err(end) => self.close(key, end),
        }
    }

    /// Does what a step of a login asks for.
    fn go_on_with_login(&mut self, key: ConnectionKey, progress: Progress, struck: Option<Struck>) -> Result<(), End> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        match progress {
            Progress::Answer { mut answer, asked } => {
                if let Some(struck) = struck {
                    self.answer_struck_login(key, struck, (answer, asked));
                    self.let_in(key);
                    return Ok(());
                }
                let (size_bytes, errors) = (answer.size_bytes(), std::mem::take(&mut answer.errors));
                connection.answer_now(Some(answer));
                if let Some(CountedRequest { api, since, frame_bytes, .. }) = asked {
                    self.turn.metrics.request(api as usize, frame_bytes);
                    self.note_answer(api, since, size_bytes, &errors);
                }
                self.touch(key);
                self.let_in(key);
                Ok(())
            }
            Progress::Computes(work) => {
                connection.login_work = Some(work);
                if let Some(struck) = struck {
                    self.login_times.struck.insert(key, struck);
                }
                self.begin_computing(key);
                Ok(())
            }
            Progress::Refused(refused) => self.refuse_login(key, *refused),
        }
    }

    /// A connection's handshake or login has come further: its time is not limited any more if both are over.
    pub(super) fn let_in(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.is_let_in() {
            if let Some(until) = connection.login_until.take() {
                self.login_times.unauthenticated.remove(&(until, key));
            }
            self.count_login(key);
        }
    }

    /// A frame that a client which has not logged in may not send.
    pub(super) fn refuse_frame(&mut self, key: ConnectionKey) -> Result<(), End> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        let refused = authentication::bad_size(&mut connection.session);
        self.refuse_login(key, refused)
    }

    /// Tells of a refused login, and ends its connection: at once, or when the delay is over.
    pub(super) fn refuse_login(&mut self, key: ConnectionKey, refused: Refused) -> Result<(), End> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        tell(&mut self.turn, connection, &refused);
        if refused.at_once {
            return Err(End::unauthenticated());
        }
        connection.refuse(refused.answer);
        let at = self.turn.now + self.turn.shared.logins.delay;
        self.login_times.refused.push_back((at, key));
        Ok(())
    }

    /// Ends the connections whose time is over.
    pub(super) fn end_logins(&mut self) {
        let now = self.turn.now;
        while let Some((_, key)) = self.login_times.refused.front().copied().filter(|(at, _)| *at <= now) {
            self.login_times.refused.pop_front();
            self.end_refused(key);
        }
        while let Some((at, key)) = self.login_times.unauthenticated.first().copied().filter(|(at, _)| *at <= now) {
            self.login_times.unauthenticated.remove(&(at, key));
            self.turn_away(key, "it took too long");
        }
    }

    /// The delay of a connection is over: it ends when its answer is sent.
    fn end_refused(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        match connection.refused.take() {
            Some(Some(answer)) => {
                connection.refused = Some(None);
                connection.answer_now(Some(answer));
                connection.is_finished = true;
                self.touch(key);
            }
            _ => self.close(key, End::unauthenticated()),
        }
    }

    /// Ends a connection that is not let in, whatever its client has done.
    fn turn_away(&mut self, key: ConnectionKey, reason: &str) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if !connection.transport.is_open() {
            return self.close(key, End::told(Ending::Tls, format!("the handshake goes on: {reason}")));
        }
        if let Authentication::Pending(_) = connection.session.authentication {
            let is_again = connection.session.logged_in.is_some();
            let (mechanism, claimed, reason) = (None, None, reason.into());
            let refused = Refused { answer: None, at_once: true, mechanism, is_again, claimed, reason };
            tell(&mut self.turn, connection, &refused);
        }
        self.close(key, End::unauthenticated());
    }

    /// Counts what a connection holds that is not let in. Where all of them hold too much, the one of this shard that holds most
    /// ends.
    pub(super) fn count_login(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get(key) else { return };
        let holds = match connection.is_let_in() {
            true => 0,
            false => {
                let kept = self.kept_login_bytes(key);
                let frames = connection.inbound.memory_bytes() + connection.outbound.memory_bytes();
                let refused = connection.refused.iter().flatten().map(|answer| answer.bytes.capacity()).sum::<usize>();
                frames + connection.transport.memory_bytes() + refused + kept
            }
        };
        let Some(connection) = self.connections.get_mut(key) else { return };
        let before = std::mem::replace(&mut connection.unauthenticated_bytes, holds);
        if self.turn.shared.logins.change(before, holds) {
            return;
        }
        let holding = |(key, connection): (ConnectionKey, &Connection)| (connection.unauthenticated_bytes, key);
        let Some((_, most)) = self.connections.iter().map(holding).max() else { return };
        self.turn_away(most, "clients that have not logged in hold too much memory");
    }

    /// A connection has ended.
    pub(super) fn forget_login(&mut self, key: ConnectionKey, connection: &Connection) {
        self.login_times.struck.remove(&key);
        if let Some(until) = connection.login_until {
            self.login_times.unauthenticated.remove(&(until, key));
        }
        self.turn.shared.logins.change(connection.unauthenticated_bytes, 0);
    }
}

/// One line of the audit log.
fn tell(turn: &mut Turn, connection: &Connection, refused: &Refused) {
    let session = &connection.session;
    let listener = turn.shared.config.listeners.get(session.route.listener).map_or("", |listener| &listener.name);
    let Refused { mechanism, is_again, claimed, reason, .. } = refused;
    let line = RefusedLogin {
        // Until another login has come to its end it is whom the last one has proved.
        known: is_again.then_some(&session.principal),
        claimed: claimed.as_deref(),
        host: session.peer.ip(),
        listener,
        mechanism: mechanism.map(|mechanism| mechanism.name()),
        reason,
    };
    turn.audit.tell_refused(&line, turn.now);
}

impl Connection {
    /// It is told no more than this, when the delay is over; what it has sent beside is not looked at.
    fn refuse(&mut self, answer: Option<Answer>) {
        assert!(!self.session.authentication.is_open(), "who is refused has not logged in");
        self.refused = Some(answer);
        self.inbound = Default::default();
    }
}
