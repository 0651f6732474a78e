//! Where tasks are left for a thread that does them in order.
//!
//! The thread ends when it takes a task that says so, or when all inboxes of it are gone. A bell makes it look at the time
//! again without a task.

use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::time::Duration;

use super::mutex::Mutex;

struct Inside<T> {
    tasks: Vec<T>,
    inboxes: usize,
    /// Its thread has ended: what is left is dropped.
    has_ended: bool,
    is_rung: bool,
    /// Its thread waits, and has nothing to do.
    is_waiting: bool,
}

struct Place<T> {
    inside: Mutex<Inside<T>>,
    came: Condvar,
}

impl<T> Place<T> {
    fn change(&self, change: impl FnOnce(&mut Inside<T>)) {
        let mut inside = self.inside.lock();
        change(&mut inside);
        inside.is_waiting = false;
        self.came.notify_one();
    }
}

/// What makes a thread look at the time again, and tells whether it has nothing to do but to wait.
pub trait Bell: Send + Sync {
    /// Ends its wait.
    fn ring(&self);

    /// Whether it waits, and nothing that ends the wait has come.
    fn is_waiting(&self) -> bool;

    /// Whether the thread has ended.
    fn has_ended(&self) -> bool;
}

impl<T: Send> Bell for Place<T> {
    fn ring(&self) {
        self.change(|inside| inside.is_rung = true);
    }

    fn is_waiting(&self) -> bool {
        self.inside.lock().is_waiting
    }

    fn has_ended(&self) -> bool {
        self.inside.lock().has_ended
    }
}

/// One end of the way to a thread.
pub struct Inbox<T>(Arc<Place<T>>);

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Inbox<T> {
        self.0.inside.lock().inboxes += 1;
        Inbox(self.0.clone())
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        self.0.change(|inside| inside.inboxes -= 1);
    }
}

impl<T> Inbox<T> {
    pub fn new() -> (Inbox<T>, Tasks<T>) {
        let inside = Inside { tasks: Vec::new(), inboxes: 1, has_ended: false, is_rung: false, is_waiting: false };
        let place = Arc::new(Place { inside: Mutex::new(inside), came: Condvar::new() });
        (Inbox(place.clone()), Tasks(place))
    }

    /// Leaves a task. It is dropped where the thread has ended, which it does only when the broker stops.
    pub fn send(&self, task: T) {
        self.0.change(|inside| {
            if !inside.has_ended {
                inside.tasks.push(task);
            }
        });
    }
}

/// The other end: the thread's own.
pub struct Tasks<T>(Arc<Place<T>>);

impl<T> Tasks<T> {
    /// What has come.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.inside.lock().tasks)
    }

    /// Whether no inbox is left, so that nothing can come any more.
    pub fn is_closed(&self) -> bool {
        self.0.inside.lock().inboxes == 0
    }

    /// Waits for tasks, at most for `patience` (`None`: as long as it takes): those that came together, none if the time is
    /// over or the bell was rung; `None` when no inbox is left.
    pub fn wait(&self, patience: Option<Duration>) -> Option<Vec<T>> {
        let mut inside = self.0.inside.lock();
        if inside.is_idle() {
            inside.is_waiting = true;
            inside = self.sleep(inside, patience);
            inside.is_waiting = false;
        }
        inside.is_rung = false;
        let came = std::mem::take(&mut inside.tasks);
        (!came.is_empty() || inside.inboxes > 0).then_some(came)
    }

    fn sleep<'a>(&'a self, inside: MutexGuard<'a, Inside<T>>, patience: Option<Duration>) -> MutexGuard<'a, Inside<T>> {
        let came = &self.0.came;
        match patience {
            None => came.wait_while(inside, |inside| inside.is_idle()).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = came.wait_timeout_while(inside, patience, |inside| inside.is_idle());
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}

impl<T> Drop for Tasks<T> {
    fn drop(&mut self) {
        let mut inside = self.0.inside.lock();
        inside.has_ended = true;
        let left = std::mem::take(&mut inside.tasks);
        drop(inside);
        // Without the lock: a task may have an inbox of this place.
        drop(left);
    }
}

impl<T: Send + 'static> Tasks<T> {
    pub fn bell(&self) -> Arc<dyn Bell> {
        self.0.clone()
    }
}

impl<T> Inside<T> {
    fn is_idle(&self) -> bool {
        self.tasks.is_empty() && !self.is_rung && self.inboxes > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_together_is_taken_together() {
        let (inbox, tasks) = Inbox::new();
        assert_eq!(tasks.wait(Some(Duration::ZERO)), Some(vec![]));
        inbox.clone().send(1);
        inbox.send(2);
        assert_eq!(tasks.wait(Some(Duration::ZERO)), Some(vec![1, 2]));
        inbox.send(3);
        drop(inbox);
        assert!(tasks.is_closed());
        assert_eq!(tasks.wait(None), Some(vec![3]), "what was left is still done");
        assert_eq!(tasks.wait(None), None);
    }

    #[test]
    fn a_task_and_a_bell_end_the_wait() {
        let (inbox, tasks) = Inbox::new();
        let bell = tasks.bell();
        let wait_for_rest = || {
            while !bell.is_waiting() {
                std::thread::yield_now();
            }
        };
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| [tasks.wait(None), tasks.wait(None), tasks.wait(None)]);
            wait_for_rest();
            inbox.send(1);
            wait_for_rest();
            bell.ring();
            wait_for_rest();
            inbox.send(2);
            assert_eq!(waiting.join().unwrap(), [Some(vec![1]), Some(vec![]), Some(vec![2])]);
        });
        drop(tasks);
        inbox.send(3);
        assert!(inbox.0.inside.lock().tasks.is_empty(), "no thread is left to do it");
    }

    #[test]
    fn a_bell_that_was_rung_before_the_wait_ends_it() {
        let (_inbox, tasks) = Inbox::<u8>::new();
        tasks.bell().ring();
        assert_eq!(tasks.wait(None), Some(vec![]));
    }
}
