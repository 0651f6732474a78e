//! What other threads have to tell a shard: progress of partitions, answers of the metadata thread, connections that are
//! its from now on, the stop.
//!
//! Telling wakes the shard only if it sleeps, and only once per sleep. The box is bounded: of progress it keeps one
//! entry per partition up to a limit, beyond which it only keeps that everything must be looked at.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};

use crate::io::driver::{Released, Waker};
use crate::stdx::mutex::Mutex;

/// Distinct partitions kept before the box falls back to "look at all".
const MAX_PARTITIONS: usize = 4096;

/// What came since the last look. `R` is what the metadata thread answers with.
pub struct Mail<R> {
    /// Partitions (by their number in this process) that made progress, in an order that a simulation can repeat.
    pub progress: BTreeSet<u64>,
    /// So many partitions made progress that all parked requests must be looked at.
    pub progress_anywhere: bool,
    pub replies: Vec<R>,
    pub connections: Vec<Handover>,
    pub stop: bool,
}

/// A connection that another shard has accepted and not looked at.
pub struct Handover {
    pub socket: Released,
    /// Index of the listener that it came in by.
    pub listener: usize,
    pub peer: SocketAddr,
}

impl<R> Default for Mail<R> {
    fn default() -> Mail<R> {
        Mail {
            progress: BTreeSet::new(),
            progress_anywhere: false,
            replies: Vec::new(),
            connections: Vec::new(),
            stop: false,
        }
    }
}

impl<R> Mail<R> {
    fn is_empty(&self) -> bool {
        self.progress.is_empty()
            && !self.progress_anywhere
            && self.replies.is_empty()
            && self.connections.is_empty()
            && !self.stop
    }
}

/// See the module.
pub struct Mailbox<R> {
    mail: Mutex<Mail<R>>,
    asleep: AtomicBool,
    waker: Arc<dyn Waker>,
}

impl<R> Mailbox<R> {
    pub fn new(waker: Arc<dyn Waker>) -> Mailbox<R> {
        Mailbox { mail: Mutex::default(), asleep: AtomicBool::new(false), waker }
    }

    fn lock(&self) -> MutexGuard<'_, Mail<R>> {
        self.mail.lock()
    }

    fn wake_if_asleep(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    pub fn tell_progress(&self, partition: u64) {
        self.tell_progress_of([partition]);
    }

    /// Of several partitions at once.
    pub fn tell_progress_of(&self, partitions: impl IntoIterator<Item = u64>) {
        let mut mail = self.lock();
        for partition in partitions {
            if mail.progress.len() >= MAX_PARTITIONS {
                mail.progress_anywhere = true;
                break;
            }
            mail.progress.insert(partition);
        }
        drop(mail);
        self.wake_if_asleep();
    }

    pub fn reply(&self, reply: R) {
        self.lock().replies.push(reply);
        self.wake_if_asleep();
    }

    pub fn hand_over(&self, connection: Handover) {
        self.lock().connections.push(connection);
        self.wake_if_asleep();
    }

    /// Something that the shard looks at before it sleeps has changed.
    pub fn nudge(&self) {
        self.wake_if_asleep();
    }

    pub fn stop(&self) {
        self.lock().stop = true;
        self.wake_if_asleep();
    }

    /// The shard's own: says that it is about to sleep. `false` if there is mail: then it must not.
    pub fn may_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let may = self.lock().is_empty();
        if !may {
            self.asleep.store(false, Ordering::SeqCst);
        }
        may
    }

    /// The shard's own: says that it is awake, and takes what came.
    pub fn take(&self) -> Mail<R> {
        self.asleep.store(false, Ordering::SeqCst);
        std::mem::take(&mut *self.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Waker for Count {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn only_a_sleeper_is_woken_and_once() {
        let waker = Arc::new(Count::default());
        let mailbox = Mailbox::<u8>::new(waker.clone());
        mailbox.tell_progress(1);
        assert_eq!(waker.0.load(Ordering::SeqCst), 0);
        assert!(!mailbox.may_sleep());
        assert_eq!(mailbox.take().progress, BTreeSet::from([1]));
        assert!(mailbox.may_sleep());
        mailbox.tell_progress(1);
        mailbox.reply(5);
        assert_eq!(waker.0.load(Ordering::SeqCst), 1);
        assert_eq!(mailbox.take().replies, [5]);
    }

    #[test]
    fn the_box_is_bounded() {
        let mailbox = Mailbox::<u8>::new(Arc::new(Count::default()));
        for partition in 0..2 * MAX_PARTITIONS as u64 {
            mailbox.tell_progress(partition);
        }
        let mail = mailbox.take();
        assert!(mail.progress.len() == MAX_PARTITIONS && mail.progress_anywhere);
    }
}
