//! Threads for what computes for long (a handshake's signature, a password's hash): a shard that did it itself would hold
//! up its other connections, and `pool`'s threads belong to the disk.
//!
//! All shards of a broker share them, so that together they leave the shards their processors.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::io::threads;
use crate::stdx::mutex::Mutex;

/// What is computed; it tells of its end itself.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// One thread computes for so many processors.
const PROCESSORS_PER_THREAD: usize = 4;

/// The threads, which start at the first job and leave with their owner.
pub struct Compute {
    threads: usize,
    queue: Mutex<Option<Sender<Job>>>,
}

impl Default for Compute {
    fn default() -> Compute {
        Compute::new(None)
    }
}

impl Compute {
    /// `None`: as many threads as suit this machine.
    pub fn new(threads: Option<usize>) -> Compute {
        let threads = threads.unwrap_or_else(|| threads::available() / PROCESSORS_PER_THREAD);
        Compute { threads: threads.max(1), queue: Mutex::new(None) }
    }

    /// The job runs on one of the threads; here, where no thread can be had.
    pub(super) fn submit(&self, job: Job) {
        let mut queue = self.queue.lock();
        if queue.is_none() {
            *queue = self.start().ok();
        }
        let unsent = match &*queue {
            Some(threads) => threads.send(job).err().map(|unsent| unsent.0),
            None => Some(job),
        };
        drop(queue);
        if let Some(job) = unsent {
            job();
        }
    }

    /// An error if there is not a single one.
    fn start(&self) -> io::Result<Sender<Job>> {
        let (queue, jobs) = channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        let start = |number: usize| {
            let jobs = jobs.clone();
            thread::Builder::new().name(format!("klamm-crypto-{number}")).spawn(move || work(&jobs))
        };
        let mut started: Vec<io::Result<_>> = (0..self.threads).map(start).collect();
        match started.iter().any(Result::is_ok) {
            true => Ok(queue),
            false => Err(started.swap_remove(0).err().unwrap_or_else(|| io::ErrorKind::Other.into())),
        }
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().recv();
        let Ok(job) = next else { return };
        job();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_run_on_other_threads_and_none_is_lost() {
        let (compute, own) = (Compute::new(Some(2)), thread::current().id());
        let (done, told) = channel();
        for number in 0..100 {
            let done = done.clone();
            compute.submit(Box::new(move || done.send((number, thread::current().id())).unwrap()));
        }
        let mut numbers: Vec<i32> = (0..100)
            .map(|_| told.recv().unwrap())
            .map(|(number, thread)| {
                assert_ne!(thread, own);
                number
            })
            .collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..100));
    }
}
