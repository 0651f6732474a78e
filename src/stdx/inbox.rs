//! Where tasks are left for a thread that does them in order.
//!
//! The thread ends when it takes a task that says so, or when all inboxes of it are gone.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// One end of the way to a thread; the other one is a `Receiver`.
pub struct Inbox<T>(Sender<T>);

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Inbox<T> {
        Inbox(self.0.clone())
    }
}

impl<T> Inbox<T> {
    pub fn new() -> (Inbox<T>, Receiver<T>) {
        let (sender, receiver) = channel();
        (Inbox(sender), receiver)
    }

    /// Leaves a task. It is dropped where the thread has ended, which it does only when the broker stops.
    pub fn send(&self, task: T) {
        let _ = self.0.send(task);
    }
}

/// Waits for tasks, at most for `patience`: those that came together, none if the time is over; `None` when no inbox is left.
pub fn wait<T>(tasks: &Receiver<T>, patience: Duration) -> Option<Vec<T>> {
    match tasks.recv_timeout(patience) {
        Ok(first) => Some(std::iter::once(first).chain(tasks.try_iter()).collect()),
        Err(RecvTimeoutError::Timeout) => Some(Vec::new()),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_together_is_taken_together() {
        let (inbox, tasks) = Inbox::new();
        assert_eq!(wait(&tasks, Duration::ZERO), Some(vec![]));
        inbox.clone().send(1);
        inbox.send(2);
        assert_eq!(wait(&tasks, Duration::ZERO), Some(vec![1, 2]));
        drop(inbox);
        assert_eq!(wait(&tasks, Duration::ZERO), None);
    }
}
