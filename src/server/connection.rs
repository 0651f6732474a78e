//! One connection: what came and was not handled, what is answered and was not sent. Knows no socket and no handler.

use crate::handlers::{Answer, Order};
use crate::io::driver::Computing;
use crate::model::Instant;
use crate::server::inbound::Inbound;
use crate::server::outbound::Outbound;
use crate::server::slots::{Sequence, Slots};
use crate::server::transport::Transport;
use crate::shard::limits::ConnectionPlace;
use crate::shard::session::Session;
use crate::stdx::slab::Key;

/// Unsent bytes beyond which nothing more of a connection is handled: a client that does not read its answers holds at
/// most these and the answer that crossed the line.
const MAX_UNSENT_BYTES: usize = 1024 * 1024;

pub(super) struct Connection {
    pub(super) session: Session,
    pub(super) transport: Transport,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    slots: Slots<Answer>,
    /// What [`RequestMemory`](crate::shard::memory::RequestMemory) counts for it.
    pub(super) counted_bytes: usize,
    /// What is counted of it as of a client that is not let in.
    pub(super) unauthenticated_bytes: usize,
    /// When its client must have been let in.
    pub(super) login_until: Option<Instant>,
    /// Its login was refused; the answer that it will get.
    pub(super) refused: Option<Option<Answer>>,
    /// A large frame is not received on, because memory is short.
    pub(super) awaits_memory: bool,
    /// A step of its handshake or login waits until others are computed.
    pub(super) awaits_computing: bool,
    /// What is to be computed for its login and has not begun.
    pub(super) login_work: Option<Computing>,
    /// There may be bytes to receive: no `WouldBlock` since the last edge.
    pub(super) readable: bool,
    /// A rule of a test has it never answer a request: there is nothing to wait for when its client has gone.
    pub(super) never_answers: bool,
    /// A rule of a test has cut off an answer: no other leaves behind it, and nothing more is handled.
    is_cut: bool,
    /// The client will send nothing more.
    pub(super) has_ended: bool,
    /// Everything that it has sent was received: the connection ends when all is answered.
    pub(super) is_finished: bool,
    /// There may be room to send.
    pub(super) writable: bool,
    /// A range of a file on its way into memory holds up the sending.
    pub(super) reading_cold: bool,
    /// The one request that may wait for long: it goes with its connection.
    pub(super) parked: Option<Key>,
    /// Queued for handling in this turn or the next.
    pub(super) queued: bool,
    /// Queued for sending at the end of this turn.
    pub(super) touched: bool,
    pub(super) last_active: Instant,
    /// Its client is beyond its quota: nothing is received or handled until then.
    pub(super) muted_until: Option<Instant>,
    /// Its place, given back with it.
    pub(super) _place: Option<ConnectionPlace>,
}

impl Connection {
    pub(super) fn new(session: Session, transport: Transport, now: Instant) -> Connection {
        Connection {
            session,
            transport,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            slots: Slots::default(),
            counted_bytes: 0,
            unauthenticated_bytes: 0,
            login_until: None,
            refused: None,
            awaits_memory: false,
            awaits_computing: false,
            login_work: None,
            readable: true,
            never_answers: false,
            is_cut: false,
            has_ended: false,
            is_finished: false,
            writable: true,
            reading_cold: false,
            parked: None,
            queued: false,
            touched: false,
            last_active: now,
            muted_until: None,
            _place: None,
        }
    }

    /// Its handshake is over, and its client has logged in where that is asked for.
    pub(super) fn is_let_in(&self) -> bool {
        self.session.authentication.is_open() && self.transport.is_open()
    }

    /// Whether a frame may be handled now. While memory is short, a client that has not taken its answers must do so first.
    pub(super) fn may_handle(&self, order: Order, memory_is_short: bool) -> bool {
        let most = if memory_is_short { 1 } else { MAX_UNSENT_BYTES };
        let is_left_alone = self.muted_until.is_some() || self.refused.is_some() || self.is_cut;
        !is_left_alone
            && self.outbound.size_bytes() < most
            && self.slots.may_handle(order)
            && !self.session.authentication.is_computing()
    }

    /// Whether no frame may be handled; then there is no use in receiving more.
    pub(super) fn is_blocked(&self, memory_is_short: bool) -> bool {
        !self.may_handle(Order::Pipelined, memory_is_short)
    }

    /// Whether there may be something that may be handled.
    pub(super) fn may_go_on(&self, memory_is_short: bool) -> bool {
        !self.is_blocked(memory_is_short) && (self.inbound.is_held() || self.may_receive())
    }

    /// Whether there may be something to receive now. A transport that holds something to be taken has not said `WouldBlock`.
    pub(super) fn may_receive(&self) -> bool {
        self.readable && !self.transport.is_computing()
    }

    pub(super) fn answer_now(&mut self, answer: Option<Answer>) {
        self.slots.push_ready(answer);
        self.move_ready();
    }

    pub(super) fn answer_later(&mut self, order: Order) -> Sequence {
        self.slots.push_waiting(order)
    }

    pub(super) fn fill(&mut self, sequence: Sequence, answer: Option<Answer>) {
        self.slots.fill(sequence, answer);
        self.move_ready();
    }

    fn move_ready(&mut self) {
        while let Some(answer) = self.slots.pop_ready() {
            // What would leave behind a part of an answer would be taken for the rest of it.
            if !self.is_cut {
                self.is_cut = answer.is_last;
                self.outbound.push_answer(answer);
            }
        }
    }

    /// Nothing is asked, or what is owed cannot be sent: a client that does not read is as idle as one that does not ask.
    pub(super) fn owes_nothing_now(&self) -> bool {
        self.is_at_rest() || !self.outbound.is_empty() || self.transport.has_unsent()
    }

    /// Nothing is asked and nothing is owed.
    pub(super) fn is_at_rest(&self) -> bool {
        self.slots.is_empty() && self.outbound.is_empty() && !self.transport.has_unsent()
    }
}
