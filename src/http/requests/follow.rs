//! New requests as server-sent events, for as long as the client stays.
//!
//! The rings are looked at in a short interval while a client follows; a shard does nothing for it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::filter::Filter;
use super::{FEW, SLICE, Shown, show};
use crate::http::control::Control;
use crate::shard::context::Shared;
use crate::shard::journal::RequestExchange;

const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Bytes of events after which a client is given what there is, before more are made.
const ENOUGH_BYTES: usize = 1 << 20;
/// Events between two looks, so that a flood leaves the shards and their clients the processor.
const MOST_EVENTS_OF_A_LOOK: usize = 64;
/// Looks without an event after which the client is told that the connection lives.
const LOOKS_TO_COMMENT: u32 = 500;

pub(super) struct Follow {
    control: Arc<Control>,
    shared: Arc<Shared>,
    filter: Filter,
    shown: Shown,
    /// The next number of each shard.
    next: Vec<u64>,
    /// What was not looked at yet of the last look, in order.
    pending: VecDeque<Arc<RequestExchange>>,
    looks: Interval,
    /// Events that may be sent before the next look.
    left: usize,
    idle_looks: u32,
    has_begun: bool,
    _place: OwnedSemaphorePermit,
}

impl Follow {
    /// Follows what is added from now on.
    pub(super) fn new(
        control: Arc<Control>,
        shared: Arc<Shared>,
        filter: Filter,
        shown: Shown,
        place: OwnedSemaphorePermit,
    ) -> Follow {
        let next = shared.journals.iter().map(|ring| ring.counts().0).collect();
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Follow {
            control,
            shared,
            filter,
            shown,
            next,
            pending: VecDeque::new(),
            looks,
            left: 0,
            idle_looks: 0,
            has_begun: false,
            _place: place,
        }
    }

    /// Takes what has come, a slice of each shard at most.
    fn look(&mut self) {
        let mut found = Vec::new();
        for (ring, next) in self.shared.journals.iter().zip(&mut self.next) {
            let slice = ring.starting_at(*next, SLICE);
            *next = slice.last().map_or(*next, |last| last.number + 1);
            found.extend(slice);
        }
        found.sort_by_key(|exchange| (exchange.came, exchange.shard, exchange.number));
        self.pending = found.into();
    }

    /// The next events: of a few requests, until there are enough of them.
    fn events(&mut self) -> String {
        let mut events = String::new();
        for _ in 0..FEW {
            if events.len() >= ENOUGH_BYTES || self.left == 0 {
                break;
            }
            let Some(exchange) = self.pending.pop_front() else { break };
            if !self.filter.matches(&self.shared, &exchange) {
                continue;
            }
            let shown = show::exchange(&self.shared, &exchange, self.shown);
            self.left -= 1;
            events.push_str(&format!("id: {}-{}\ndata: {shown}\n\n", exchange.shard, exchange.number));
        }
        events
    }
}

impl Body for Follow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if self.pending.is_empty() || self.left == 0 {
                ready!(self.looks.poll_tick(context));
                if !self.control.is_current(&self.shared) {
                    // The broker has ended, or is another one.
                    return Poll::Ready(None);
                }
                self.left = MOST_EVENTS_OF_A_LOOK;
            }
            if self.pending.is_empty() {
                self.look();
            }
            let mut events = self.events();
            if events.is_empty() && !self.pending.is_empty() {
                // Others have their turn between a few that are decoded.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.idle_looks = if events.is_empty() { self.idle_looks + 1 } else { 0 };
            if !std::mem::replace(&mut self.has_begun, true) || self.idle_looks == LOOKS_TO_COMMENT {
                self.idle_looks = 0;
                // The head of the answer leaves with it.
                events.insert_str(0, ": following\n\n");
            }
            if !events.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from(events)))));
            }
        }
    }
}
