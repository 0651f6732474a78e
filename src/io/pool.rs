//! Threads for what may wait for the device, where there is no ring to do it; and the way to those that compute.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::io::compute::Compute;
use crate::io::driver::{Computing, Done, Operation, Waker};
use crate::stdx::mutex::Mutex;

/// Parallel operations per shard; more `fdatasync`s in flight than this gain little on one device.
const THREADS: usize = 4;

type Job = (u64, Operation);
type Finished = (u64, io::Result<Done>);

/// A pool that starts its threads at the first job. It ends with its owner: the threads leave when the queue closes.
pub(super) struct Pool {
    queue: Option<Sender<Job>>,
    finished: Arc<Mutex<Vec<Finished>>>,
    waker: Arc<dyn Waker>,
    compute: Arc<Compute>,
}

impl Pool {
    pub(super) fn new(waker: Arc<dyn Waker>, compute: Arc<Compute>) -> Pool {
        Pool { queue: None, finished: Arc::default(), waker, compute }
    }

    pub(super) fn submit(&mut self, token: u64, operation: Operation) {
        if let Operation::Compute(work) = operation {
            return self.compute(token, work);
        }
        let started = match self.queue.take() {
            Some(queue) => Ok(queue),
            None => self.start(),
        };
        let left = match started {
            Ok(queue) => {
                let sent = queue.send((token, operation));
                self.queue = Some(queue);
                sent.err().map(|unsent| unsent.0)
            }
            // No thread can be had: slow, but nothing is lost by it.
            Err(_) => Some((token, operation)),
        };
        if let Some((token, operation)) = left {
            let result = perform(operation);
            self.finished.lock().push((token, result));
            self.waker.wake();
        }
    }

    fn compute(&self, token: u64, work: Computing) {
        let (finished, waker) = (self.finished.clone(), self.waker.clone());
        self.compute.submit(Box::new(move || {
            let result = perform(Operation::Compute(work));
            finished.lock().push((token, result));
            waker.wake();
        }));
    }

    /// What has ended since the last call.
    pub(super) fn take_finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut *self.finished.lock())
    }

    fn start(&self) -> io::Result<Sender<Job>> {
        let (queue, jobs) = channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        let start = |_| {
            let (jobs, finished, waker) = (jobs.clone(), self.finished.clone(), self.waker.clone());
            thread::Builder::new().name("klamm-disk".into()).spawn(move || work(&jobs, &finished, &*waker))
        };
        let mut started: Vec<io::Result<_>> = (0..THREADS).map(start).collect();
        match started.iter().position(Result::is_ok) {
            Some(_) => Ok(queue),
            None => Err(started.swap_remove(0).err().unwrap_or_else(|| io::ErrorKind::Other.into())),
        }
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, finished: &Mutex<Vec<Finished>>, waker: &dyn Waker) {
    loop {
        let next = jobs.lock().recv();
        let Ok((token, operation)) = next else { return };
        let result = perform(operation);
        finished.lock().push((token, result));
        waker.wake();
    }
}

/// Does one operation on this thread.
pub(super) fn perform(operation: Operation) -> io::Result<Done> {
    match operation {
        Operation::Sync(file) => file.sync_data().map(|()| Done::Synced),
        Operation::Read { file, position, length } => {
            let mut buffer = vec![0; length];
            let read = file.read_at(&mut buffer, position)?;
            assert!(read <= length, "{read} bytes were read into {length}");
            buffer.truncate(read);
            Ok(Done::Read(buffer))
        }
        Operation::Run(work) => work().map(|()| Done::Ran),
        Operation::Compute(work) => {
            work();
            Ok(Done::Ran)
        }
    }
}
