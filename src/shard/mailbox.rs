//! What other threads have to tell a shard: progress of partitions, notes such as answers, connections that are its from
//! now on, requests without a connection, the stop.
//!
//! Telling wakes the shard only if it sleeps, and only once per sleep. The box is bounded: of progress it keeps one
//! entry per partition up to a limit, beyond which it only keeps that everything must be looked at.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};

use crate::io::driver::{Ends, Released, Waker};
use crate::shard::inquiry::{Inquiry, ReplyTo};
use crate::shard::limits::ConnectionPlace;
use crate::stdx::mutex::Mutex;

/// Distinct partitions kept before the box falls back to "look at all".
const MAX_PARTITIONS: usize = 4096;
/// Inquiries that wait for the shard's next turn at most, and the bytes of their frames; one alone may be larger.
const MOST_INQUIRIES: usize = 4096;
const MOST_INQUIRY_BYTES: usize = 64 << 20;

/// What came since the last look. `R` is what other threads note for the shard.
pub struct Mail<R> {
    /// Partitions (by their number in this process) that made progress, in an order that a simulation can repeat.
    pub progress: BTreeSet<u64>,
    /// So many partitions made progress that all parked requests must be looked at.
    pub progress_anywhere: bool,
    pub notes: Vec<R>,
    pub connections: Vec<Handover>,
    pub inquiries: Vec<Inquiry>,
    /// Some asker has gone before its answer.
    pub abandoned: bool,
    pub stop: bool,
}

/// A connection that another shard has accepted and not looked at.
pub struct Handover {
    pub socket: Released,
    /// Index of the listener that it came in by.
    pub listener: usize,
    pub ends: Ends,
    /// Its place among those that there may be.
    pub admission: ConnectionPlace,
}

impl<R> Default for Mail<R> {
    fn default() -> Mail<R> {
        Mail {
            progress: BTreeSet::new(),
            progress_anywhere: false,
            notes: Vec::new(),
            connections: Vec::new(),
            inquiries: Vec::new(),
            abandoned: false,
            stop: false,
        }
    }
}

impl<R> Mail<R> {
    fn is_empty(&self) -> bool {
        self.progress.is_empty()
            && !self.progress_anywhere
            && self.notes.is_empty()
            && self.connections.is_empty()
            && self.inquiries.is_empty()
            && !self.abandoned
            && !self.stop
    }
}

/// Why a mailbox takes no inquiry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotTaken {
    /// The mailbox holds as much as it may.
    Full,
    /// The shard has ended.
    Closed,
}

struct Inside<R> {
    mail: Mail<R>,
    /// The bytes of the inquiries' frames in the mail.
    inquiry_bytes: usize,
    is_closed: bool,
}

/// The way to one shard, for any thread; only the shard takes out.
pub struct Mailbox<R> {
    inside: Mutex<Inside<R>>,
    asleep: AtomicBool,
    waker: Arc<dyn Waker>,
}

impl<R> Mailbox<R> {
    pub fn new(waker: Arc<dyn Waker>) -> Mailbox<R> {
        let inside = Inside { mail: Mail::default(), inquiry_bytes: 0, is_closed: false };
        Mailbox { inside: Mutex::new(inside), asleep: AtomicBool::new(false), waker }
    }

    fn lock(&self) -> MutexGuard<'_, Inside<R>> {
        self.inside.lock()
    }

    fn wake_if_asleep(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    pub fn tell_progress(&self, partition: u64) {
        self.tell_progress_of([partition]);
    }

    /// Tells of several partitions at once.
    pub fn tell_progress_of(&self, partitions: impl IntoIterator<Item = u64>) {
        let mut inside = self.lock();
        for partition in partitions {
            if inside.mail.progress.len() >= MAX_PARTITIONS {
                inside.mail.progress_anywhere = true;
                break;
            }
            inside.mail.progress.insert(partition);
        }
        drop(inside);
        self.wake_if_asleep();
    }

    pub fn note(&self, note: R) {
        self.lock().mail.notes.push(note);
        self.wake_if_asleep();
    }

    pub fn hand_over(&self, connection: Handover) {
        self.lock().mail.connections.push(connection);
        self.wake_if_asleep();
    }

    /// Something that the shard looks at before it sleeps has changed.
    pub fn nudge(&self) {
        self.wake_if_asleep();
    }

    pub fn stop(&self) {
        self.lock().mail.stop = true;
        self.wake_if_asleep();
    }

    /// The shard's own: says that it is about to sleep. `false` if there is mail: then it must not.
    pub fn may_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let may = self.lock().mail.is_empty();
        if !may {
            self.asleep.store(false, Ordering::SeqCst);
        }
        may
    }

    /// The shard's own: says that it is awake, and takes what came.
    pub fn take(&self) -> Mail<R> {
        self.asleep.store(false, Ordering::SeqCst);
        let mut inside = self.lock();
        inside.inquiry_bytes = 0;
        std::mem::take(&mut inside.mail)
    }

    /// Leaves a request for the shard's next turn; of one that is not taken, the way to its asker comes back.
    pub fn inquire(&self, inquiry: Inquiry) -> Result<(), (NotTaken, ReplyTo)> {
        let mut inside = self.lock();
        let (waiting, bytes) = (inside.mail.inquiries.len(), inside.inquiry_bytes + inquiry.frame.len());
        if inside.is_closed {
            return Err((NotTaken::Closed, inquiry.reply));
        }
        if waiting >= MOST_INQUIRIES || (waiting > 0 && bytes > MOST_INQUIRY_BYTES) {
            return Err((NotTaken::Full, inquiry.reply));
        }
        inside.inquiry_bytes = bytes;
        inside.mail.inquiries.push(inquiry);
        drop(inside);
        self.wake_if_asleep();
        Ok(())
    }

    /// Some asker does not wait for its answer any more.
    pub fn tell_abandoned(&self) {
        self.lock().mail.abandoned = true;
        self.wake_if_asleep();
    }

    /// The shard's own: it has ended, and takes no more inquiries; those that it has not taken are ended.
    pub fn close(&self) {
        let mut inside = self.lock();
        inside.is_closed = true;
        let left = std::mem::take(&mut inside.mail.inquiries);
        // What their askers do when they are told must not happen under the lock.
        drop(inside);
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::session::Session;
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
        mailbox.note(5);
        assert_eq!(waker.0.load(Ordering::SeqCst), 1);
        assert_eq!(mailbox.take().notes, [5]);
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

    fn inquiry(bytes: usize) -> Inquiry {
        let session = Session::anonymous(0, ([127, 0, 0, 1], 1).into());
        Inquiry { frame: vec![0; bytes], session, reply: ReplyTo::new(Box::new(|_| {})).0 }
    }

    #[test]
    fn inquiries_are_bounded_in_number_and_bytes_and_end_with_the_shard() {
        let mailbox = Mailbox::<u8>::new(Arc::new(Count::default()));
        let refusal = |bytes| mailbox.inquire(inquiry(bytes)).map_err(|(why, _)| why);
        assert_eq!(refusal(MOST_INQUIRY_BYTES + 1), Ok(()));
        assert_eq!(refusal(1), Err(NotTaken::Full));
        assert_eq!(mailbox.take().inquiries.len(), 1);
        (0..MOST_INQUIRIES).for_each(|_| assert_eq!(refusal(1), Ok(())));
        assert_eq!(refusal(1), Err(NotTaken::Full));
        assert!(!mailbox.may_sleep());
        mailbox.close();
        assert_eq!((mailbox.take().inquiries.len(), refusal(1)), (0, Err(NotTaken::Closed)));
    }
}
