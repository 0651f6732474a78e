//! Answers leave a connection in the order of its requests, whatever order they become ready in.
//!
//! A request that waits holds back the frames behind it, as Kafka does by handling one request of a connection at a
//! time. Produce requests alone may follow each other while they wait, for they are all written by the end of the turn.

use std::collections::VecDeque;

/// Answers that a connection may have outstanding; beyond it no further frame is handled.
const MAX_OUTSTANDING: usize = 1024;

enum Slot<A> {
    Waiting { is_produce: bool },
    Ready(Option<A>),
}

/// The place of one answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sequence(u64);

/// See the module. `A` is an answer; a request without one leaves its place empty.
pub(super) struct Slots<A> {
    first: u64,
    queue: VecDeque<Slot<A>>,
    waiting_produces: usize,
    waiting_others: usize,
}

impl<A> Default for Slots<A> {
    fn default() -> Slots<A> {
        Slots { first: 0, queue: VecDeque::new(), waiting_produces: 0, waiting_others: 0 }
    }
}

impl<A> Slots<A> {
    /// Whether the next frame may be handled now.
    pub(super) fn may_handle(&self, is_produce: bool) -> bool {
        self.waiting_others == 0 && (is_produce || self.waiting_produces == 0) && self.queue.len() < MAX_OUTSTANDING
    }

    pub(super) fn push_ready(&mut self, answer: Option<A>) {
        self.queue.push_back(Slot::Ready(answer));
    }

    pub(super) fn push_waiting(&mut self, is_produce: bool) -> Sequence {
        *self.waiting(is_produce) += 1;
        self.queue.push_back(Slot::Waiting { is_produce });
        Sequence(self.first + self.queue.len() as u64 - 1)
    }

    fn waiting(&mut self, is_produce: bool) -> &mut usize {
        if is_produce { &mut self.waiting_produces } else { &mut self.waiting_others }
    }

    pub(super) fn fill(&mut self, sequence: Sequence, answer: Option<A>) {
        let at = (sequence.0 - self.first) as usize;
        if let Some(slot) = self.queue.get_mut(at)
            && let Slot::Waiting { is_produce } = *slot
        {
            *slot = Slot::Ready(answer);
            *self.waiting(is_produce) -= 1;
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
        let first = slots.push_waiting(true);
        let second = slots.push_waiting(true);
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
    fn only_produce_follows_a_waiting_produce() {
        let mut slots = Slots::<()>::default();
        let produce = slots.push_waiting(true);
        assert!(slots.may_handle(true) && !slots.may_handle(false));
        slots.fill(produce, Some(()));
        assert!(slots.may_handle(false));
        let fetch = slots.push_waiting(false);
        assert!(!slots.may_handle(true) && !slots.may_handle(false));
        slots.fill(fetch, None);
        assert!(slots.may_handle(false));
        assert_eq!(slots.pop_ready(), Some(()));
        assert_eq!(slots.pop_ready(), None);
        assert!(slots.is_empty());
    }

    #[test]
    fn outstanding_answers_are_limited() {
        let mut slots = Slots::<()>::default();
        (0..MAX_OUTSTANDING).for_each(|_| slots.push_ready(Some(())));
        assert!(!slots.may_handle(true));
        slots.pop_ready();
        assert!(slots.may_handle(true));
    }
}
