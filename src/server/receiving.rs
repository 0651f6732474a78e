//! From received bytes to handled frames.
//!
//! Small frames pass through the shard's hot buffer; one that does not fit is collected in the connection's own. Frames
//! that may not be handled yet are kept, and nothing more is received before they are.

use std::io::{self, ErrorKind};

use crate::codec::ToldErrors;
use crate::handlers::{self, Handler, Order, Outcome, table};
use crate::io::driver::ConnectionKey;
use crate::metrics::Ending;
use crate::model::Instant;
use crate::server::admission::COUNTED_FROM_BYTES;
use crate::server::connection::Connection;
use crate::server::faults::Spared;
use crate::server::parking::{Asker, Begun, Produce, Waiting};
use crate::server::throttle::Charge;
use crate::server::{End, HOT_BUFFER_BYTES, Server};
use crate::wire::frame::{self, Split};

/// What one connection may have handled in one turn before the others get theirs.
const BYTES_PER_TURN: usize = 4 * HOT_BUFFER_BYTES;

impl Server {
    /// Receives from a connection and handles its frames as far as it may go now. An error ends the connection.
    pub(super) fn advance(&mut self, key: ConnectionKey) -> Result<(), End> {
        match self.connections.get_mut(key) {
            Some(connection) => connection.queued = false,
            None => return Ok(()),
        }
        let mut hot = std::mem::take(&mut self.hot);
        hot.clear();
        let result = match self.stopping {
            None => self.advance_with(key, &mut hot),
            Some(_) => self.discard(key, &mut hot),
        };
        self.hot = hot;
        self.count_memory(key);
        result
    }

    /// A broker that stops begins nothing more: what it appended now it could perhaps not answer. What still comes is
    /// taken in all the same, as closing with unread bytes is a reset, which may cost the client the answers before it.
    fn discard(&mut self, key: ConnectionKey, hot: &mut Vec<u8>) -> Result<(), End> {
        let Some(connection) = self.connections.get_mut(key).filter(|connection| connection.readable) else {
            return Ok(());
        };
        let received = connection.transport.receive(&mut *self.driver, key, hot, HOT_BUFFER_BYTES);
        if let Some(length) = arrived(connection, received, self.turn.now)? {
            self.turn.metrics.receive(length);
            self.enqueue(key);
        }
        Ok(())
    }

    fn advance_with(&mut self, key: ConnectionKey, hot: &mut Vec<u8>) -> Result<(), End> {
        let mut budget = BYTES_PER_TURN;
        self.handle_kept(key)?;
        loop {
            let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
            if connection.transport.must_compute() {
                self.begin_computing(key);
                return Ok(());
            }
            let is_blocked = connection.is_blocked(self.turn.shared.memory.is_short());
            if is_blocked || connection.inbound.is_held() || connection.awaits_memory || !connection.may_receive() {
                return Ok(());
            }
            if budget == 0 {
                self.enqueue(key);
                return Ok(());
            }
            let received = self.receive(key, hot)?;
            budget = budget.saturating_sub(received);
        }
    }

    /// Handles the frames that were kept when the connection could not go on.
    fn handle_kept(&mut self, key: ConnectionKey) -> Result<(), End> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        if connection.inbound.len() == 0 || connection.is_blocked(self.turn.shared.memory.is_short()) {
            return Ok(());
        }
        let (kept, mut at) = connection.inbound.take();
        let (handled, held) = self.handle_frames(key, &kept[at..])?;
        at += handled;
        if let Some(connection) = self.connections.get_mut(key) {
            connection.inbound.restore(kept, at, held);
        }
        Ok(())
    }

    /// One receive, and the frames that it completed; answers the bytes that came.
    fn receive(&mut self, key: ConnectionKey, hot: &mut Vec<u8>) -> Result<usize, End> {
        let (limit, most) = self.frame_limits(key);
        let now = self.turn.now;
        let Some(connection) = self.connections.get_mut(key) else { return Ok(0) };
        if let Some(lacks) = connection.inbound.large_frame_lacks(HOT_BUFFER_BYTES, limit) {
            if !self.may_collect(key) {
                return Ok(0);
            }
            let Some(connection) = self.connections.get_mut(key) else { return Ok(0) };
            let (buffer, wanted) = connection.inbound.room(lacks, HOT_BUFFER_BYTES);
            let received = connection.transport.receive(&mut *self.driver, key, buffer, wanted);
            let Some(length) = arrived(connection, received, now)? else { return Ok(0) };
            self.turn.metrics.receive(length);
            if length == lacks {
                self.admission.finish(key);
                self.handle_kept(key)?;
            }
            return Ok(length);
        }
        hot.clear();
        connection.inbound.move_into(hot);
        let room = most.saturating_sub(hot.len()).max(1);
        let received = connection.transport.receive(&mut *self.driver, key, hot, room);
        let Some(length) = arrived(connection, received, now)? else {
            connection.inbound.keep(hot, false);
            return Ok(0);
        };
        self.turn.metrics.receive(length);
        let (handled, held) = self.handle_frames(key, hot)?;
        if let Some(connection) = self.connections.get_mut(key) {
            connection.inbound.keep(&hot[handled..], held);
        }
        Ok(length)
    }

    /// The largest frame that a connection may send, and how much of what it sends may be held at once.
    fn frame_limits(&self, key: ConnectionKey) -> (usize, usize) {
        let limit = self.turn.shared.config.socket_request_max_bytes as usize;
        let session = self.connections.get(key).map(|connection| &connection.session);
        match session.filter(|session| !session.authentication.is_open()) {
            None => (limit, HOT_BUFFER_BYTES),
            Some(session) => {
                let offer = self.turn.shared.logins.offer(session.route.listener);
                let limit = offer.map_or(limit, |offer| offer.most_frame_bytes.min(limit));
                (limit, (frame::SIZE_BYTES + limit).min(HOT_BUFFER_BYTES))
            }
        }
    }

    /// Handles whole frames from the front; answers the bytes handled, and whether a whole frame was left.
    fn handle_frames(&mut self, key: ConnectionKey, bytes: &[u8]) -> Result<(usize, bool), End> {
        let limit = self.turn.shared.config.socket_request_max_bytes as usize;
        let mut at = 0;
        loop {
            let Some(connection) = self.connections.get(key) else { return Ok((bytes.len(), false)) };
            if connection.refused.is_some() {
                return Ok((bytes.len(), false));
            }
            let session = &connection.session;
            let is_open = session.authentication.is_open();
            let may_log_in = !is_open || session.logged_in.is_some();
            let limit = if is_open { limit } else { self.frame_limits(key).0 };
            let frame = match frame::split(&bytes[at..], limit) {
                Split::Complete(frame) => frame,
                Split::Need(_) => return Ok((at, false)),
                Split::Bad(_) if bytes[at..].starts_with(&[0x16, 3]) => {
                    return Err(End::told(Ending::Tls, "TLS on a plain listener"));
                }
                Split::Bad(_) if !is_open => return self.refuse_frame(key).map(|()| (bytes.len(), false)),
                Split::Bad(error) => return Err(End::told(Ending::BadFrame, error.to_string())),
            };
            let Some(connection) = self.connections.get_mut(key) else { return Ok((bytes.len(), false)) };
            let row = table::of_frame(frame).filter(|_| is_open);
            // What is not offered ends the connection, when all before it is answered.
            let order = row.map_or(Order::Alone, |row| row.order);
            if !connection.may_handle(order, self.turn.shared.memory.is_short()) {
                return Ok((at, true));
            }
            at += frame::SIZE_BYTES + frame.len();
            if !(may_log_in && self.take_login_frame(key, frame)?) {
                self.handle_frame(key, row, frame)?;
            }
        }
    }

    fn handle_frame(&mut self, key: ConnectionKey, row: Option<&'static Handler>, frame: &[u8]) -> Result<(), End> {
        let Some(row) = row else { return Err(End::refused(handlers::unknown(frame))) };
        self.turn.metrics.request(row.key as usize, frame::SIZE_BYTES + frame.len());
        let (api, since, began) = (row.key, self.turn.now, self.begin_charge(row.key));
        let noted = self.begin_exchange(key, api, frame);
        let version = table::version_of(frame);
        let begun = |asker| Begun { asker, api, since, version, charge: Charge::Free, noted, struck: None };
        let struck = match self.spare(key, row, frame, begun)? {
            Spared::Handled(struck) => struck,
            Spared::Gone => return Ok(()),
        };
        let Some(connection) = self.connections.get(key) else { return Ok(()) };
        let route = &connection.session.route;
        let stale = self.as_of(struck, route.listener);
        let mut context = self.turn.context_at(Some(route), Some(self.wait_list.ticket()));
        if let Some(stale) = &stale {
            context.view = stale;
        }
        let outcome = handlers::handle(&mut self.handlers, &mut context, row, frame, &connection.session);
        self.end_handling(noted);
        let charge = self.charge(key, api, began, frame, &outcome);
        let begun =
            |sequence| Begun { asker: Asker::Connection(key, sequence), api, since, version, charge, noted, struck };
        match outcome {
            Outcome::Answer(answer) if struck.is_some() => {
                let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
                let begun = begun(connection.answer_later(Order::Alone));
                self.fill(begun, Some(answer));
            }
            Outcome::Answer(mut answer) => {
                let (size_bytes, errors) = (answer.size_bytes(), std::mem::take(&mut answer.errors));
                let answer = self.throttle(key, (api, version, charge), Some(answer));
                self.end_exchange(noted, answer.as_ref(), &errors);
                let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
                connection.answer_now(answer);
                // Before the next frame, not only at the end of the turn.
                if connection.outbound.memory_bytes() >= COUNTED_FROM_BYTES {
                    self.count_memory(key);
                }
                self.note_answer(api, since, size_bytes, &errors);
            }
            Outcome::Silent => {
                self.end_exchange(noted, None, &ToldErrors::default());
                let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
                connection.answer_now(None);
                self.note_answer(api, since, 0, &ToldErrors::default());
            }
            Outcome::Close(reason) => {
                self.fail_exchange(noted, &reason);
                return Err(End::refused(reason));
            }
            Outcome::Appended(waiting) => {
                assert_eq!(row.order, Order::Pipelined, "what the end of the turn writes holds up none of its kind");
                let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
                let begun = begun(connection.answer_later(row.order));
                self.produces.push(Produce { begun, waiting });
            }
            Outcome::Wait { parked, deadline, watched } => {
                assert!(!parked.is_produce(), "a produce waits for the end of its turn first");
                let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
                let begun = begun(connection.answer_later(Order::Alone));
                self.park(Waiting { begun, parked }, deadline, watched);
            }
        }
        self.touch(key);
        Ok(())
    }
}

/// The bytes that a receive brought: `None` if nothing is there yet. `Err`: the client has closed the connection and is
/// owed no answer, of which the log says nothing.
fn arrived(connection: &mut Connection, received: io::Result<usize>, now: Instant) -> Result<Option<usize>, End> {
    match received {
        Ok(0) => {
            connection.readable = false;
            connection.is_finished = true;
            // What was asked before the end is still answered: the client may have closed only its own direction.
            if connection.is_at_rest() { Err(End::by_client()) } else { Ok(None) }
        }
        Ok(length) => {
            connection.last_active = now;
            Ok(Some(length))
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            // The socket has said so, unless it was not asked because of what is computed first.
            connection.readable = connection.transport.is_computing();
            Ok(None)
        }
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(End::told(Ending::Tls, error.to_string())),
        // A reset: the client's right.
        Err(_) => Err(End::by_client()),
    }
}
