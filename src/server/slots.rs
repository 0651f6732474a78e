//! Answers leave a connection in the order of its requests, whatever order they become ready in.
//!
//! A request that waits holds back the frames behind it, as Kafka does by handling one request of a connection at a
//! time. Only requests of [`Order::Pipelined`], which are produces, may follow each other while they wait, for they are all
//! written by the end of the turn.

use std::collections::VecDeque;

use crate::handlers::Order;

/// Answers that a connection may have outstanding; beyond it no further frame is handled.
const MAX_OUTSTANDING: usize = 1024;

enum Slot<A> {
    Waiting(Order),
    Ready(Option<A>),
}

/// The place of one answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sequence(u64);

/// The places of a connection's answers. `A` is an answer; a request without one leaves its place empty.
pub(super) struct Slots<A> {
    first: u64,
    queue: VecDeque<Slot<A>>,
    waiting_pipelined: usize,
    waiting_alone: usize,
}

impl<A> Default for Slots<A> {
    fn default() -> Slots<A> {
        Slots { first: 0, queue: VecDeque::new(), waiting_pipelined: 0, waiting_alone: 0 }
    }
}

impl<A> Slots<A> {
    /// Whether the next frame may be handled now.
    pub(super) fn may_handle(&self, order: Order) -> bool {
        let waits_behind_none = match order {
            Order::Alone => self.waiting_alone == 0 && self.waiting_pipelined == 0,
            Order::Pipelined => self.waiting_alone == 0,
        };
        waits_behind_none && self.queue.len() < MAX_OUTSTANDING
    }

    pub(super) fn push_ready(&mut self, answer: Option<A>) {
        self.queue.push_back(Slot::Ready(answer));
    }

    pub(super) fn push_waiting(&mut self, order: Order) -> Sequence {
        *self.waiting(order) += 1;
        self.queue.push_back(Slot::Waiting(order));
        Sequence(self.first + self.queue.len() as u64 - 1)
    }

    fn waiting(&mut self, order: Order) -> &mut usize {
        match order {
            Order::Alone => &mut self.waiting_alone,
            Order::Pipelined => &mut self.waiting_pipelined,
        }
    }

    pub(super) fn fill(&mut self, sequence: Sequence, answer: Option<A>) {
        let at = (sequence.0 - self.first) as usize;
        if let Some(slot) = self.queue.get_mut(at)
            && let Slot::Waiting(order) = *slot
        {
            *slot = Slot::Ready(answer);
            let waiting = self.waiting(order);
            assert!(*waiting > 0, "every waiting place is counted");
            *waiting -= 1;
        }
    }

    /// The next answer whose turn it is.
    pub(super) fn pop_ready(&mut self) -> Option<A> {
        while let Some(Slot::Ready(_)) = self.queue.front() {
            self.first += 1;
            if let Some(Slot::Ready(Some(answer))) = self.queue.pop_front() {
                return Some(answer);
            }
        }
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_leave_in_the_order_of_requests() {
        let mut slots = Slots::default();
        let first = slots.push_waiting(Order::Pipelined);
        let second = slots.push_waiting(Order::Pipelined);
        slots.push_ready(None);
        slots.push_ready(Some("c"));
        slots.fill(second, Some("b"));
        assert_eq!(slots.pop_ready(), None);
        slots.fill(first, Some("a"));
        let order: Vec<_> = std::iter::from_fn(|| slots.pop_ready()).collect();
        assert_eq!(order, ["a", "b", "c"]);
        assert!(slots.is_empty());
    }

    #[test]
    fn only_pipelined_requests_follow_each_other() {
        let mut slots = Slots::<()>::default();
        let produce = slots.push_waiting(Order::Pipelined);
        assert!(slots.may_handle(Order::Pipelined) && !slots.may_handle(Order::Alone));
        slots.fill(produce, Some(()));
        assert!(slots.may_handle(Order::Alone));
        let fetch = slots.push_waiting(Order::Alone);
        assert!(!slots.may_handle(Order::Pipelined) && !slots.may_handle(Order::Alone));
        slots.fill(fetch, None);
        assert!(slots.may_handle(Order::Alone));
        assert_eq!(slots.pop_ready(), Some(()));
        assert_eq!(slots.pop_ready(), None);
        assert!(slots.is_empty());
    }

    #[test]
    fn outstanding_answers_are_limited() {
        let mut slots = Slots::<()>::default();
        (0..MAX_OUTSTANDING).for_each(|_| slots.push_ready(Some(())));
        assert!(!slots.may_handle(Order::Pipelined));
        slots.pop_ready();
        assert!(slots.may_handle(Order::Pipelined));
    }
}
