//! The driver on io_uring: the ring says what can be read, written or accepted, and does what may wait for the
//! device. The data itself moves by direct calls (see `driver`).
//!
//! An operation's buffer and file stay in `pending` until its last completion, and dropping the driver drains them
//! before they are freed, so the kernel never writes into memory that is used for something else by then.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use io_uring::types::{Fd, FsyncFlags, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, Probe, cqueue, opcode, squeue};
use rustix::event::{EventfdFlags, PollFlags};
use rustix::io::Errno;

use crate::io::clock;
use crate::io::compute::Compute;
use crate::io::descriptors::Connections;
use crate::io::disk::File;
use crate::io::driver::{ConnectionKey, Done, Driver, Event, ListenerKey, Listening, Operation, Released, Waker};
use crate::io::pool::Pool;
use crate::io::sockets::{self, ListeningSocket, Streams};
use crate::io::spin::Spin;
use crate::model::{Instant, TimestampMs};
use crate::stdx::slab::{Key, Slab};

/// Submissions between two turns; a fuller queue is only submitted earlier.
const SUBMISSIONS: u32 = 512;
/// Completions that fit before the kernel has to keep them for us.
const COMPLETIONS: u32 = 4096;
/// How long accepting rests after the process ran out of descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// Disk operations that a dropped driver waits for at most.
const DRAIN: Duration = Duration::from_secs(10);

const READABLE: u32 =
    (PollFlags::IN.bits() | PollFlags::RDHUP.bits() | PollFlags::HUP.bits() | PollFlags::ERR.bits()) as u32;
const WRITABLE: u32 = (PollFlags::OUT.bits() | PollFlags::HUP.bits() | PollFlags::ERR.bits()) as u32;

const ENDED: u32 = (PollFlags::RDHUP.bits() | PollFlags::HUP.bits() | PollFlags::ERR.bits()) as u32;

/// What a completion belongs to, as it is packed into its 64 bits: two bits of kind, 30 of generation, 32 of index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tag {
    Connection(Key),
    Disk(Key),
    Listener(u32),
    Waker,
    Ignored,
}

const OTHER: u64 = 2 << 62;
const WAKER_INDEX: u32 = u32::MAX;
const IGNORED_INDEX: u32 = u32::MAX - 1;

impl Tag {
    fn pack(self) -> u64 {
        let key = |kind: u64, key: Key| kind << 62 | key.to_u64();
        match self {
            Tag::Connection(k) => key(0, k),
            Tag::Disk(k) => key(1, k),
            Tag::Listener(number) => OTHER | u64::from(number),
            Tag::Waker => OTHER | u64::from(WAKER_INDEX),
            Tag::Ignored => OTHER | u64::from(IGNORED_INDEX),
        }
    }

    fn unpack(bits: u64) -> Tag {
        let key = Key::from_u64(bits & (u64::MAX >> 2));
        match (bits >> 62, key.index) {
            (0, _) => Tag::Connection(key),
            (1, _) => Tag::Disk(key),
            (_, WAKER_INDEX) => Tag::Waker,
            (_, IGNORED_INDEX) => Tag::Ignored,
            (_, number) => Tag::Listener(number),
        }
    }
}

struct EventWaker(OwnedFd);

impl Waker for EventWaker {
    fn wake(&self) {
        // Fails only when the counter is full: then a wake-up waits there already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

/// A disk operation that the kernel works on: what it writes to and reads from must live until it has ended.
struct Pending {
    token: u64,
    file: Arc<dyn File>,
    buffer: Option<Vec<u8>>,
}

/// The driver over a ring of the kernel.
pub(super) struct Uring {
    ring: IoUring,
    enter_flags: EnterFlags,
    waker: Arc<EventWaker>,
    listeners: Vec<ListeningSocket>,
    streams: Streams,
    pending: Slab<Pending>,
    /// The pool does what no ring can do.
    pool: Pool,
    finished: Vec<(u64, io::Result<Done>)>,
    /// Listeners that rest after the process ran out of descriptors, and until when.
    resting: Vec<u32>,
    accept_again: Option<Instant>,
    spin: Spin,
}

/// Which set-up the kernel took, best first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SetUp {
    Full,
    WithoutNoSqarray,
    CooperativeTaskrun,
}

const LADDER: [SetUp; 3] = [SetUp::Full, SetUp::WithoutNoSqarray, SetUp::CooperativeTaskrun];

fn build(set_up: SetUp) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_cqsize(COMPLETIONS).setup_submit_all().setup_taskrun_flag();
    match set_up {
        SetUp::Full => builder.setup_single_issuer().setup_defer_taskrun().setup_no_sqarray(),
        SetUp::WithoutNoSqarray => builder.setup_single_issuer().setup_defer_taskrun(),
        SetUp::CooperativeTaskrun => builder.setup_coop_taskrun(),
    };
    builder.build(SUBMISSIONS)
}

/// Takes the ladder down until the kernel agrees, then checks that every operation that we use is there.
fn open_ring() -> Result<(IoUring, SetUp), String> {
    let mut refusal = String::new();
    for set_up in LADDER {
        match build(set_up) {
            Ok(ring) => return check_operations(&ring).map(|()| (ring, set_up)),
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => refusal = error.to_string(),
            Err(error) => return Err(format!("io_uring_setup: {error}")),
        }
    }
    Err(format!("io_uring_setup: {refusal}"))
}

fn check_operations(ring: &IoUring) -> Result<(), String> {
    if !ring.params().is_feature_ext_arg() || !ring.params().is_feature_nodrop() {
        return Err("the kernel's io_uring is older than 5.19".into());
    }
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(|error| format!("io_uring_register: {error}"))?;
    let needed = [
        ("POLL_ADD", opcode::PollAdd::CODE),
        ("ASYNC_CANCEL", opcode::AsyncCancel::CODE),
        ("ACCEPT", opcode::Accept::CODE),
        ("FSYNC", opcode::Fsync::CODE),
        ("READ", opcode::Read::CODE),
    ];
    match needed.iter().find(|(_, code)| !probe.is_supported(*code)) {
        Some((name, _)) => Err(format!("the kernel's io_uring lacks {name}")),
        None => Ok(()),
    }
}

impl Uring {
    /// Opens a ring on this thread, or says why none can be had. `spin` is how long it may look before it sleeps.
    pub(super) fn new(
        spin: Duration,
        connections: Arc<Connections>,
        compute: Arc<Compute>,
    ) -> Result<(Uring, SetUp), String> {
        let (ring, set_up) = open_ring()?;
        let eventfd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let waker = Arc::new(EventWaker(eventfd.map_err(|error| format!("eventfd: {error}"))?));
        let pool = Pool::new(waker.clone(), compute);
        let mut enter_flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        if ring.params().is_feature_no_iowait() {
            enter_flags |= EnterFlags::NO_IOWAIT;
        }
        let mut uring = Uring {
            ring,
            enter_flags,
            waker,
            listeners: Vec::new(),
            streams: Streams::new(connections),
            pending: Slab::default(),
            pool,
            finished: Vec::new(),
            resting: Vec::new(),
            accept_again: None,
            spin: Spin::new(spin),
        };
        uring.arm_waker();
        uring.try_out()?;
        Ok((uring, set_up))
    }

    /// A ring that is allowed but does not work (a filter on single operations, say) must show it now, not later.
    fn try_out(&mut self) -> Result<(), String> {
        const PATIENCE: Duration = Duration::from_secs(1);
        self.waker.wake();
        let mut events = Vec::new();
        let until = Some(self.now() + PATIENCE);
        self.wait(until, &mut events).map_err(|error| format!("io_uring_enter: {error}"))?;
        let woken = events.iter().any(|event| matches!(event, Event::Woken));
        woken.then_some(()).ok_or_else(|| "the ring does not tell of events".into())
    }

    fn push(&mut self, entry: &squeue::Entry) {
        loop {
            // SAFETY: what an entry points to (a buffer in `pending`) lives until its completion; all other entries
            // point to nothing.
            #[allow(unsafe_code)]
            let pushed = unsafe { self.ring.submission().push(entry) };
            if pushed.is_ok() {
                return;
            }
            // Full: hand over what is there. EBUSY means that completions must be reaped first, which `wait` does;
            // the kernel still takes entries then, so trying again ends.
            if let Err(error) = self.ring.submit() {
                let passing = [Errno::BUSY, Errno::INTR, Errno::AGAIN];
                assert!(
                    passing.iter().any(|e| error.raw_os_error() == Some(e.raw_os_error())),
                    "io_uring_enter refuses submissions: {error}"
                );
            }
        }
    }

    fn arm_waker(&mut self) {
        let descriptor = Fd(self.waker.0.as_raw_fd());
        let entry = opcode::PollAdd::new(descriptor, PollFlags::IN.bits().into()).multi(true).build();
        self.push(&entry.user_data(Tag::Waker.pack()));
    }

    fn arm_connection(&mut self, key: ConnectionKey) {
        let Ok(stream) = self.streams.get(key) else { return };
        let interest = (PollFlags::IN | PollFlags::OUT | PollFlags::RDHUP).bits().into();
        let entry = opcode::PollAdd::new(Fd(stream.as_raw_fd()), interest).multi(true).build();
        self.push(&entry.user_data(Tag::Connection(key.0).pack()));
    }

    fn arm_listener(&mut self, number: u32) {
        let Some(listener) = self.listeners.get(number as usize).and_then(ListeningSocket::open) else { return };
        let flags = rustix::net::SocketFlags::CLOEXEC.bits() as i32;
        let entry = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).flags(flags).build();
        self.push(&entry.user_data(Tag::Listener(number).pack()));
    }

    fn cancel(&mut self, tag: Tag) {
        let entry = opcode::AsyncCancel::new(tag.pack()).build();
        self.push(&entry.user_data(Tag::Ignored.pack()));
    }

    /// One call of the kernel: submits everything, runs what it deferred, waits if there is nothing yet.
    fn enter(&mut self, until: Option<Instant>) -> io::Result<()> {
        let idle = self.ring.completion().is_empty() && self.finished.is_empty();
        let left = until.map(|until| until.since(self.now()));
        let waits = idle && left != Some(Duration::ZERO);
        let want = u32::from(waits && !self.look(left.unwrap_or(Duration::MAX)));
        let timespec = left.map(|left| Timespec::new().sec(left.as_secs()).nsec(left.subsec_nanos()));
        let args = match &timespec {
            Some(timespec) => SubmitArgs::new().timespec(timespec),
            None => SubmitArgs::new(),
        };
        let submissions = self.ring.submission().len() as u32;
        // SAFETY: `args` and the time it points to outlive the call, and EXT_ARG says that the argument is of its kind.
        #[allow(unsafe_code)]
        let entered = unsafe { self.ring.submitter().enter(submissions, want, self.enter_flags.bits(), Some(&args)) };
        match entered {
            Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::TIME | Errno::INTR | Errno::BUSY | Errno::AGAIN) => Ok(()),
                _ => Err(error),
            },
            Ok(_) => Ok(()),
        }
    }

    /// Looks for a moment whether something comes, where that has paid lately. Without a call: the kernel sets a flag.
    fn look(&mut self, left: Duration) -> bool {
        const PAUSES: usize = 8;
        let Some(longest) = self.spin.next().map(|longest| longest.min(left)) else { return false };
        if !self.ring.submission().is_empty() && self.ring.submit().is_err() {
            return false;
        }
        let began = self.now();
        loop {
            if self.ring.submission().taskrun() || !self.ring.completion().is_empty() {
                self.spin.found();
                return true;
            }
            if self.now().since(began) >= longest {
                self.spin.missed();
                return false;
            }
            (0..PAUSES).for_each(|_| std::hint::spin_loop());
        }
    }

    fn handle_completion(&mut self, entry: &cqueue::Entry, out: &mut Vec<Event>) {
        let more = cqueue::more(entry.flags());
        let result = entry.result();
        match Tag::unpack(entry.user_data()) {
            Tag::Connection(key) => self.handle_ready(ConnectionKey(key), result, more, out),
            Tag::Disk(key) => self.handle_disk(key, result),
            Tag::Listener(number) => self.handle_accepted(number, result, more, out),
            Tag::Waker => {
                let _ = rustix::io::read(&self.waker.0, &mut [0u8; 8]);
                if !more {
                    self.arm_waker();
                }
                out.push(Event::Woken);
            }
            Tag::Ignored => {}
        }
    }

    fn handle_ready(&mut self, key: ConnectionKey, result: i32, more: bool, out: &mut Vec<Event>) {
        let Ok(stream) = self.streams.get(key) else { return };
        if result < 0 {
            // Nothing would tell of this connection any more: the shard's next call finds it ended.
            let _ = stream.shutdown(Shutdown::Both);
        }
        let ready = u32::try_from(result).unwrap_or(READABLE | WRITABLE | ENDED);
        if ready & READABLE != 0 {
            self.streams.note_readable(key);
            out.push(Event::Readable(key));
        }
        if ready & ENDED != 0 {
            self.streams.note_ended(key);
            out.push(Event::Ended(key));
        }
        if ready & WRITABLE != 0 {
            out.push(Event::Writable(key));
        }
        if !more && result >= 0 {
            self.arm_connection(key);
        }
    }

    fn handle_accepted(&mut self, number: u32, result: i32, more: bool, out: &mut Vec<Event>) {
        if result >= 0 {
            // SAFETY: the kernel made this descriptor for us just now; no other part of the process knows it.
            #[allow(unsafe_code)]
            let stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(result) });
            if let Ok(ends) = sockets::adopt(&stream)
                && (number as usize) < self.listeners.len()
                && let Some(admitted) = self.streams.admit(stream)
            {
                let connection = self.streams.insert(admitted);
                self.arm_connection(connection);
                out.push(Event::Accepted { listener: ListenerKey(number), connection, ends });
            }
        }
        if more {
            return;
        }
        if result < 0 && sockets::is_exhaustion(&io::Error::from_raw_os_error(-result)) {
            self.resting.push(number);
            self.accept_again = Some(self.now() + ACCEPT_REST);
        } else if result != -Errno::CANCELED.raw_os_error() {
            self.arm_listener(number);
        }
    }

    fn handle_disk(&mut self, key: Key, result: i32) {
        let Some(pending) = self.pending.remove(key) else { return };
        let result = match (u32::try_from(result), pending.buffer) {
            (Err(_), _) => Err(io::Error::from_raw_os_error(-result)),
            (Ok(_), None) => Ok(Done::Synced),
            (Ok(read), Some(mut buffer)) => {
                assert!(read as usize <= buffer.len(), "the kernel reads what it was given room for");
                buffer.truncate(read as usize);
                Ok(Done::Read(buffer))
            }
        };
        self.finished.push((pending.token, result));
        drop(pending.file);
    }

    fn reap(&mut self, out: &mut Vec<Event>) {
        loop {
            let next = self.ring.completion().next();
            let Some(entry) = next else { break };
            self.handle_completion(&entry, out);
        }
        self.finished.append(&mut self.pool.take_finished());
        out.extend(self.finished.drain(..).map(|(token, result)| Event::Done { token, result }));
    }

    fn accept_after_rest(&mut self) {
        if self.accept_again.is_some_and(|again| again <= self.now()) {
            self.accept_again = None;
            for number in std::mem::take(&mut self.resting) {
                self.arm_listener(number);
            }
        }
    }
}

impl Driver for Uring {
    fn name(&self) -> &'static str {
        "io_uring"
    }

    fn now(&self) -> Instant {
        clock::now()
    }

    fn wall(&self) -> TimestampMs {
        clock::wall()
    }

    fn listen(&mut self, address: SocketAddr, listening: &Listening) -> io::Result<(ListenerKey, SocketAddr)> {
        let listener = ListeningSocket::listen(address, listening)?;
        let bound = listener.address();
        let number = self.listeners.len() as u32;
        assert!(number < IGNORED_INDEX, "a listener's number is no other tag's");
        self.listeners.push(listener);
        self.arm_listener(number);
        Ok((ListenerKey(number), bound))
    }

    fn set_refuses(&mut self, listener: ListenerKey, refuses: bool) -> io::Result<()> {
        if refuses {
            self.cancel(Tag::Listener(listener.0));
            // As when all listening ends: the accept lets go of its socket in this call, so that it is closed behind it.
            self.enter(Some(self.now()))?;
            self.resting.retain(|number| *number != listener.0);
            let refused = self.listeners[listener.0 as usize].refuse();
            if refused.is_err() {
                self.arm_listener(listener.0);
            }
            return refused;
        }
        self.listeners[listener.0 as usize].take_connections()?;
        self.arm_listener(listener.0);
        Ok(())
    }

    fn stop_listening(&mut self) {
        for number in 0..self.listeners.len() as u32 {
            self.cancel(Tag::Listener(number));
        }
        // An accept holds its socket until the kernel has cancelled it, which it does in this call. Behind it the port is free for
        // another listener at once; else that waits until the kernel has taken the ring apart.
        let _ = self.enter(Some(self.now()));
        self.listeners.clear();
        self.resting.clear();
        self.accept_again = None;
    }

    fn wait(&mut self, until: Option<Instant>, out: &mut Vec<Event>) -> io::Result<()> {
        self.accept_after_rest();
        let until = match (until, self.accept_again) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.enter(until)?;
        self.reap(out);
        Ok(())
    }

    fn receive(&mut self, connection: ConnectionKey, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        self.streams.receive(connection, buffer, most)
    }

    fn send(&mut self, connection: ConnectionKey, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        self.streams.send(connection, slices, more)
    }

    fn send_file(
        &mut self,
        connection: ConnectionKey,
        file: &dyn File,
        position: u64,
        length: usize,
    ) -> io::Result<usize> {
        self.streams.send_file(connection, file, position, length)
    }

    fn close(&mut self, connection: ConnectionKey) {
        if let Some(admitted) = self.streams.remove(connection) {
            // The armed poll holds the socket open until it is cancelled at the next entry; the peer learns it now.
            let _ = admitted.stream.shutdown(Shutdown::Both);
            self.cancel(Tag::Connection(connection.0));
        }
    }

    fn release(&mut self, connection: ConnectionKey) -> Option<Released> {
        let admitted = self.streams.remove(connection)?;
        self.cancel(Tag::Connection(connection.0));
        Some(Released::new(admitted))
    }

    fn adopt(&mut self, released: Released) -> Option<ConnectionKey> {
        let connection = self.streams.insert(released.take()?);
        self.arm_connection(connection);
        Some(connection)
    }

    fn yield_now(&mut self) {
        thread::yield_now();
    }

    fn submit(&mut self, token: u64, operation: Operation) {
        let file = match &operation {
            Operation::Sync(file) | Operation::Read { file, .. } => file.clone(),
            Operation::Run(_) | Operation::Compute(_) => return self.pool.submit(token, operation),
        };
        let Some(descriptor) = file.descriptor() else { return self.pool.submit(token, operation) };
        let entry = match operation {
            Operation::Sync(_) | Operation::Run(_) | Operation::Compute(_) => {
                let key = self.pending.insert(Pending { token, file, buffer: None });
                opcode::Fsync::new(Fd(descriptor)).flags(FsyncFlags::DATASYNC).build().user_data(Tag::Disk(key).pack())
            }
            Operation::Read { position, length, .. } => {
                let mut buffer = vec![0; length];
                let (start, length) = (buffer.as_mut_ptr(), u32::try_from(length).unwrap_or(u32::MAX));
                let key = self.pending.insert(Pending { token, file, buffer: Some(buffer) });
                let read = opcode::Read::new(Fd(descriptor), start, length).offset(position).build();
                read.user_data(Tag::Disk(key).pack())
            }
        };
        self.push(&entry);
    }

    fn waker(&self) -> Arc<dyn Waker> {
        self.waker.clone()
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        let until = self.now() + DRAIN;
        let mut events = Vec::new();
        while !self.pending.is_empty() && self.now() < until {
            if self.wait(Some(until), &mut events).is_err() {
                break;
            }
        }
        // Better to leak a buffer than to let the kernel write into freed memory.
        let unfinished: Vec<Key> = self.pending.iter().map(|(key, _)| key).collect();
        for key in unfinished {
            std::mem::forget(self.pending.remove(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_survive_their_packing() {
        let key = Key { index: 7, generation: 12 };
        for tag in [Tag::Connection(key), Tag::Disk(key), Tag::Listener(3), Tag::Waker, Tag::Ignored] {
            assert_eq!(Tag::unpack(tag.pack()), tag);
        }
    }
}
